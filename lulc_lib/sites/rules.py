"""From facts to status, category, score and reasons. Every result is a lead, not a finding.

The categories of candidates are those of the Polish programme that monitors open-pit extraction
(MOEK): 1 extraction without a concession, inside or outside a documented deposit; 2 gross overrun
of the boundary; 3 an abandoned deposit that was not reclaimed. A layer that is missing can clear a
site, so without it the site stays undetermined; so does a site that lies mostly outside the maps'
area of applicability: nobody can say how right the map is there.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib import resources
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from lulc_lib import legend
from lulc_lib.sites.evidence import Facts, gather_facts
from lulc_lib.sites.registries import Registries
from lulc_lib.sites.settings import Settings
from lulc_lib.sites.tracking import Tracks

LICENSED, CANDIDATE, UNDETERMINED, OTHER = "licensed", "candidate", "undetermined", "other"
STATUSES = (LICENSED, CANDIDATE, UNDETERMINED, OTHER)

OUTSIDE_DEPOSIT, IN_DEPOSIT = "outside_deposit", "in_deposit_unlicensed"
OVERRUN, ABANDONED, RECLAIMED = "overrun", "abandoned", "reclaimed"
NOT_APPLICABLE = "outside_applicability"


class Category(NamedTuple):
    """Status, meaning, number in the monitoring programme (None: not a candidate), colour."""

    status: str
    meaning: str
    programme: int | None
    colour: str

    @property
    def label(self) -> str:
        """The meaning, marked as a candidate's."""
        return f"candidate: {self.meaning}" if self.status == CANDIDATE else self.meaning


CATEGORIES: dict[str, Category] = {
    OUTSIDE_DEPOSIT: Category(
        CANDIDATE, "extraction without a concession, outside any deposit", 1, "#c8102e"),
    IN_DEPOSIT: Category(
        CANDIDATE, "extraction without a concession, inside a deposit", 1, "#f26b1d"),
    OVERRUN: Category(CANDIDATE, "overrun of the mining area's boundary", 2, "#b5179e"),
    ABANDONED: Category(CANDIDATE, "abandoned and not reclaimed", 3, "#6f42c1"),
    LICENSED: Category(LICENSED, "inside a valid mining area", None, "#1f78a8"),
    RECLAIMED: Category(OTHER, "closed with its concession, no longer open", None, "#4d8a3a"),
    OTHER: Category(OTHER, "bare ground of another kind", None, "#7a7a7a"),
    UNDETERMINED: Category(
        UNDETERMINED, "cannot be assessed: a layer is missing or incomplete", None, "#d9a400"),
    NOT_APPLICABLE: Category(
        UNDETERMINED, "cannot be assessed: outside the maps' area of applicability", None,
        "#a89060"),
}
"""All categories by name, candidates first."""

FULL_OVERRUN_HA = 2.0
"""Overrun, hectares, from which it counts in full towards the score."""
MOSTLY = 0.5
"""Share of a site outside the area of applicability above which it cannot be assessed."""
SURE = 0.05
"""A site grows where the trend's p value, among those of all sites of the map, is below this."""
FULL_DATES = 4
"""Dates seen, from which their number counts in full towards the score."""


SEPARATOR = "; "
"""Between the reasons in the table's column."""

COLUMNS = ("status", "category", "score", "reasons", "area_ha", "first_seen", "last_seen",
           "seen_share", "share_in_mining_area", "share_in_deposit", "overrun_ha", "corine_code",
           "monitoring_distance_m", "programme_category", "seen_dates", "clear_dates",
           "cut_dates", "persistence", "growth_ha_per_year", "growth_low", "growth_high",
           "perimeter_m", "compactness", "elongation", "water_share", "mean_probability",
           "mining_area", "mining_area_distance_m", "share_in_mining_terrain", "deposit", "mineral",
           "deposit_distance_m", "corine_share", "osm_distance_m", "outside_share")


class Assessment(NamedTuple):
    """What the rules make of a site."""

    category: str  # a key of CATEGORIES
    score: float  # 0–1, how strongly the evidence points to a candidate; 0 for all others
    needed: tuple[str, ...] = ()  # layers without which it cannot be assessed, or rows of them

    @property
    def status(self) -> str:
        """licensed, candidate, undetermined or other."""
        return CATEGORIES[self.category].status


def assess_sites(tracks: Tracks, registries: Registries, settings: Settings | None = None
                 ) -> gpd.GeoDataFrame:
    """Give all sites a status, a category, a score and reasons.

    Parameters
    ----------
    tracks : Tracks
        From :func:`lulc_lib.sites.tracking.track_sites`.
    registries : Registries
        In the tracks' CRS; layers may be missing.
    settings : Settings, optional
        Tolerances and least shares.

    Returns
    -------
    GeoDataFrame
        One row per site, index ``site_id``, columns :data:`COLUMNS` and the confirmed extent in
        metres. Areas in hectares, distances in metres (NaN: the layer is missing or empty), shares
        0–1, dates as YYYY-MM-DD, ``reasons`` joined by :data:`SEPARATOR`, ``programme_category``
        1–3 or missing. ``overrun_ha`` is what lies beyond boundary and tolerance at a site that
        has a permit (:func:`lulc_lib.sites.evidence.overrun_of`); 0 at one that has none.
    """
    settings = settings or Settings()
    facts = gather_facts(tracks, registries, settings)
    rows = [_row(f, assess(f, settings), registries.missing, settings) for f in facts.values()]
    table = gpd.GeoDataFrame(rows, columns=list(COLUMNS), index=tracks.sites.index,
                             geometry=tracks.sites.geometry, crs=tracks.sites.crs)
    table["programme_category"] = table["programme_category"].astype("Int64")
    return table


def assess(facts: Facts, settings: Settings) -> Assessment:
    """Apply the rules to one site."""
    if not_applicable(facts):
        return Assessment(NOT_APPLICABLE, 0.0)
    if facts.permits is None:
        return Assessment(UNDETERMINED, 0.0, ("mining_areas",))
    if has_permit(facts, settings):
        category, needed = _with_permit(facts, settings), ()
    else:
        category, needed = _without_permit(facts, settings)
    if CATEGORIES[category].programme:
        accusing = ("mining_areas", *(["deposits"] if category == OUTSIDE_DEPOSIT else []))
        if needed := tuple(layer for layer in accusing if layer in facts.unplaced):
            category = UNDETERMINED
    score = _score(facts, category, settings) if CATEGORIES[category].programme else 0.0
    return Assessment(category, score, needed)


def reasons(facts: Facts, assessment: Assessment, missing: tuple[str, ...], settings: Settings
            ) -> list[str]:
    """Say why a site is assessed as it is, one short statement each, the result first."""
    said = [CATEGORIES[assessment.category].label, *_sightings(facts, settings)]
    for layer in assessment.needed:
        rows = facts.unplaced.get(layer, 0)
        said.append(f"cannot be assessed without {_words(layer)}" if not rows else "cannot be "
                    f"assessed: rows of {_words(layer)} that state no ground, {rows}, may be here")
    if not_applicable(facts):
        said.append(f"{facts.history.outside_share:.0%} of it lies outside the area of "
                    "applicability: to the network such ground is unlike all that it was assessed "
                    "on")
    said += _permit_reasons(facts, assessment, settings)
    said += _ground_reasons(facts, settings)
    others = [n for n in missing if n not in assessment.needed]
    if others:
        said.append(f"not at hand: {', '.join(_words(n) for n in others)}")
    return said


def not_applicable(facts: Facts) -> bool:
    """Tell whether most of the site lies outside the maps' area of applicability."""
    return facts.history.get("outside_share", np.nan) > MOSTLY


def has_permit(facts: Facts, settings: Settings) -> bool:
    """Tell whether the site had a permit on the dates it was seen, but for one at most."""
    permits = facts.permits
    confirmed = min(settings.min_dates, len(permits.dates_with) + len(permits.dates_without))
    return len(permits.dates_without) < confirmed


def permit_ended(facts: Facts, settings: Settings) -> bool:
    """Tell whether the site's permits had ended when it was seen without one."""
    permits = facts.permits
    if permits.share_ever < settings.min_permit_share or not permits.dates_without:
        return False
    if permits.dates_with:
        return permits.dates_without[-1] > permits.dates_with[-1]
    return permits.until is not None and permits.until < permits.dates_without[0]


def gone(facts: Facts, settings: Settings) -> bool:
    """Tell whether enough clear dates after the last sighting show no open rock."""
    return facts.later_clear >= settings.min_dates


def _with_permit(facts: Facts, settings: Settings) -> str:
    permits = facts.permits
    if permits.overrun_ha >= settings.min_overrun_ha:
        return OVERRUN
    over = permits.until is not None and permits.until < facts.last_date
    return RECLAIMED if over and gone(facts, settings) else LICENSED


def _without_permit(facts: Facts, settings: Settings) -> tuple[str, tuple[str, ...]]:
    if permit_ended(facts, settings) and facts.permits.grown_ha < settings.min_overrun_ha:
        return ABANDONED, ()
    if facts.deposit is None:
        return UNDETERMINED, ("deposits",)
    if facts.deposit.share_with_tolerance >= settings.min_deposit_share:
        return IN_DEPOSIT, ()
    if facts.corine is None or not facts.corine.name:
        return UNDETERMINED, ("corine",)
    return (OTHER if looks_alike(facts, settings) else OUTSIDE_DEPOSIT), ()


def looks_alike(facts: Facts, settings: Settings) -> bool:
    """Tell whether CORINE has mostly other bare ground here, and nobody else has a quarry."""
    recorded = near_monitoring(facts, settings) or near_osm(facts, settings)
    return corine_names()[1].get(facts.corine.name, False) and not recorded


def near_monitoring(facts: Facts, settings: Settings) -> bool:
    """Tell whether the monitoring programme has a point at the site."""
    return facts.monitoring_m is not None and facts.monitoring_m <= settings.near_m


def near_osm(facts: Facts, settings: Settings) -> bool:
    """Tell whether OpenStreetMap has a quarry at the site."""
    return facts.osm is not None and facts.osm.distance_m <= settings.tolerance_m


@cache
def corine_names() -> tuple[dict[str, str], dict[str, bool]]:
    """Read CORINE's codes: level-3 code to name, and to whether a map may take it for a quarry."""
    path = resources.files("lulc_lib.sites") / "corine.csv"
    table = pd.read_csv(str(path), dtype={"code": str}).set_index("code")
    return table["name"].to_dict(), table["lookalike"].astype(bool).to_dict()


def _score(facts: Facts, category: str, settings: Settings) -> float:
    """Multiply how far the site is from being permitted by how sure it is that it exists.

    The first is the share outside mining areas, or for an overrun its hectares as a share of
    :data:`FULL_OVERRUN_HA`. The second is the mean of: share of clear dates between first and last
    seen; dates seen, of :data:`FULL_DATES`; size against the minimum mapping unit; mean quarry
    probability if there is one; and whether monitoring, OpenStreetMap or CORINE have a quarry here.
    """
    history = facts.history
    outside = (min(facts.permits.overrun_ha / FULL_OVERRUN_HA, 1.0) if category == OVERRUN
               else 1.0 - facts.permits.share)
    recorded = (near_monitoring(facts, settings) or near_osm(facts, settings)
                or (facts.corine is not None and facts.corine.name in quarry_codes()))
    parts = [history.persistence, min(history.seen_dates / FULL_DATES, 1.0),
             1.0 - min(settings.min_area_ha / history.area_ha, 1.0) / 2,
             history.mean_probability, float(recorded)]
    return round(float(outside * np.nanmean(parts)), 3)


def quarry_codes() -> tuple[str, ...]:
    """List the CORINE codes that are quarries: not those that only look alike."""
    alike = corine_names()[1]
    return tuple(str(c) for c in legend.BY_KEY["quarry"].corine if not alike[str(c)])


def _row(facts: Facts, assessment: Assessment, missing: tuple[str, ...], settings: Settings
         ) -> dict[str, object]:
    h, permits = facts.history, facts.permits
    row = {name: h[name] for name in COLUMNS if name in h}
    row |= {
        "status": assessment.status, "category": assessment.category, "score": assessment.score,
        "reasons": SEPARATOR.join(reasons(facts, assessment, missing, settings)),
        "programme_category": CATEGORIES[assessment.category].programme,
        "first_seen": h.first_seen.isoformat(), "last_seen": h.last_seen.isoformat(),
        "monitoring_distance_m": _finite(facts.monitoring_m),
    }
    if permits is not None:
        row |= {"share_in_mining_area": permits.share, "overrun_ha": permits.overrun_ha,
                "mining_area": permits.name,
                "mining_area_distance_m": _finite(permits.distance_m),
                "share_in_mining_terrain": permits.terrain_share}
    if facts.deposit is not None:
        row |= {"share_in_deposit": facts.deposit.share, "deposit": facts.deposit.name,
                "mineral": facts.deposit.detail,
                "deposit_distance_m": _finite(facts.deposit.distance_m)}
    if facts.corine is not None:
        row |= {"corine_code": facts.corine.name, "corine_share": facts.corine.share}
    row["osm_distance_m"] = np.nan if facts.osm is None else _finite(facts.osm.distance_m)
    return row


def _sightings(facts: Facts, settings: Settings) -> list[str]:
    h = facts.history
    if h.clear_dates == 1:
        said = [f"{h.area_ha:.1f} ha open on {h.last_seen}, the only clear date: not confirmed"]
    else:
        said = [f"{h.area_ha:.1f} ha, open on {h.seen_dates} of {h.clear_dates} clear dates, "
                f"{h.first_seen} to {h.last_seen}"]
    if gone(facts, settings):
        said.append(f"not open on {facts.later_clear} clear dates after {h.last_seen}: "
                    "extraction seems to have stopped")
    elif h.growth_low > 0 and h.growth_p < SURE:
        said.append(f"growing by {h.growth_ha_per_year:.1f} ha a year "
                    f"({h.growth_low:.1f} to {h.growth_high:.1f})")
    if h.cut_dates:
        unknown = h.seen_dates - h.cut_dates < 3 <= h.seen_dates
        growth = ", and no growth is given" if unknown else ""
        said.append(f"cut by the map's edge or missing data on {h.cut_dates} of {h.seen_dates} "
                    f"dates: it may be larger{growth}")
    if np.isfinite(h.mean_probability):
        said.append(f"mean quarry probability {h.mean_probability:.2f}")
    return said


def _permit_reasons(facts: Facts, assessment: Assessment, settings: Settings) -> list[str]:
    permits = facts.permits
    if permits is None:
        return []
    called = f" ({permits.name})" if permits.name else ""
    if assessment.category == OVERRUN:
        return [f"{permits.overrun_ha:.1f} ha lie beyond the mining area's boundary{called} and "
                f"the tolerance of {settings.tolerance_m:g} m"
                + ("" if len(permits.dates_with) > 1 else ", seen on one date only")]
    if permits.dates_with and not permits.dates_without:
        until = f", valid until {permits.until}" if permits.until else ""
        return [f"{permits.share:.0%} lies in a valid mining area{called}{until}"]
    if permit_ended(facts, settings):
        grown = f"{permits.grown_ha:.1f} ha were dug since" if permits.grown_ha else ""
        ended = f" on {permits.until}" if permits.until else ""
        return [f"the mining area{called} ended{ended}, the site was open on "
                f"{_dates(permits.dates_without)}", *([grown] if grown else [])]
    if permits.dates_with or permits.share_ever >= settings.min_permit_share:
        return [f"no valid mining area{called} on {_dates(permits.dates_without)}"]
    away = (f"the nearest is {permits.distance_m:.0f} m away" if np.isfinite(permits.distance_m)
            else "there is none near")
    return [f"{permits.share:.0%} lies in a valid mining area, {away}"]


def _ground_reasons(facts: Facts, settings: Settings) -> list[str]:
    """Tell of deposit, land cover, monitoring and the volunteers' map."""
    said, deposit, cover = [], facts.deposit, facts.corine
    if deposit is not None and deposit.share_with_tolerance > 0:
        what = " ".join(filter(None, (deposit.name, f"({deposit.detail})" if deposit.detail
                                      else "")))
        said.append(f"{deposit.share:.0%} lies in the deposit {what or 'without a name'}")
    elif deposit is not None:
        away = (f", the nearest is {deposit.distance_m:.0f} m away"
                if np.isfinite(deposit.distance_m) else "")
        said.append(f"outside any documented deposit{away}")
    if cover is not None and cover.name:
        called = corine_names()[0].get(cover.name, "not in the nomenclature")
        said.append(f"CORINE: {cover.name} {called}")
    if facts.monitoring_m is not None:
        name = f" ({facts.monitoring_name})" if facts.monitoring_name else ""
        if not near_monitoring(facts, settings):
            said.append(f"no monitoring point that states its place within {settings.near_m:g} m"
                        if "monitoring_points" in facts.unplaced else
                        "unknown to the monitoring programme: no point within "
                        f"{settings.near_m:g} m")
        elif facts.monitoring_m > 0:
            said.append(f"monitoring point{name} {facts.monitoring_m:.0f} m away")
        else:
            said.append(f"monitoring point{name} inside it")
    if facts.osm is not None and near_osm(facts, settings):
        said.append("OpenStreetMap has a quarry here")
    return said


def _dates(days: tuple[date, ...]) -> str:
    shown = ", ".join(d.isoformat() for d in days[:2])
    return shown + (f" and {len(days) - 2} more dates" if len(days) > 2 else "")


def _words(layer: str) -> str:
    return {"osm_quarries": "OSM quarries", "corine": "CORINE"}.get(layer, layer.replace("_", " "))


def _finite(value: float | None) -> float:
    return np.nan if value is None or not np.isfinite(value) else value
