"""The reasons for a verdict in plain words, and the table of judged sites."""

from __future__ import annotations

from datetime import date

import geopandas as gpd
import numpy as np

from lulc_lib.sites.evidence import Facts, gather_facts
from lulc_lib.sites.registries import Registries
from lulc_lib.sites.rules import (
    CANDIDATE,
    CATEGORIES,
    OVERRUN,
    Verdict,
    corine_names,
    gone,
    judge,
    near_monitoring,
    near_osm,
    permit_ended,
)
from lulc_lib.sites.settings import Settings
from lulc_lib.sites.tracking import Tracks

SEPARATOR = "; "
"""Between the reasons in the table's column."""

COLUMNS = ("status", "category", "score", "reasons", "area_ha", "first_seen", "last_seen",
           "seen_share", "share_in_mining_area", "share_in_deposit", "overrun_ha", "corine_code",
           "monitoring_distance_m", "programme_category", "seen_dates", "clear_dates",
           "persistence", "growth_ha_per_year", "growth_low", "growth_high", "perimeter_m",
           "compactness", "elongation", "water_share", "mean_probability", "mining_area",
           "mining_area_distance_m", "share_in_mining_terrain", "deposit", "mineral",
           "deposit_distance_m", "corine_share", "osm_distance_m")


def judge_sites(
    tracks: Tracks, registries: Registries, settings: Settings | None = None
) -> gpd.GeoDataFrame:
    """All sites with status, category, score and reasons.

    Parameters
    ----------
    tracks : from :func:`lulc_lib.sites.tracking.track_sites`.
    registries : in the tracks' CRS; layers may be missing.
    settings : see :class:`lulc_lib.sites.settings.Settings`.

    Returns
    -------
    One row per site, index ``site_id``, columns :data:`COLUMNS` and the confirmed extent in
    metres. Areas in hectares, distances in metres (NaN: the layer is missing or empty), shares
    0–1, dates as YYYY-MM-DD, ``reasons`` joined by :data:`SEPARATOR`, ``programme_category`` 1–3
    or missing. ``overrun_ha`` is what lies beyond boundary and tolerance at a site that has a
    permit (:func:`lulc_lib.sites.evidence.overrun_of`); 0 at one that has none.
    """
    settings = settings or Settings()
    facts = gather_facts(tracks, registries, settings)
    verdicts = {number: judge(f, settings) for number, f in facts.items()}
    rows = [_row(facts[n], verdicts[n], registries.missing, settings) for n in facts]
    table = gpd.GeoDataFrame(rows, columns=list(COLUMNS), index=tracks.sites.index,
                             geometry=tracks.sites.geometry, crs=tracks.sites.crs)
    table["programme_category"] = table["programme_category"].astype("Int64")
    return table


def reasons(
    facts: Facts, verdict: Verdict, missing: tuple[str, ...], settings: Settings
) -> list[str]:
    """Why the verdict is what it is, one short statement each, the verdict first."""
    status, meaning = CATEGORIES[verdict.category][:2]
    found = [f"{'candidate: ' if status == CANDIDATE else ''}{meaning}", *_seen(facts, settings)]
    if verdict.needed:
        found.append(f"cannot be judged without {' and '.join(_words(n) for n in verdict.needed)}")
    found += _permit(facts, verdict, settings)
    found += _ground(facts, settings)
    others = [n for n in missing if n not in verdict.needed]
    if others:
        found.append(f"not at hand: {', '.join(_words(n) for n in others)}")
    return found


def _row(facts: Facts, verdict: Verdict, missing: tuple[str, ...], settings: Settings) -> dict:
    h, permits, nan = facts.history, facts.permits, np.nan
    row = {name: h[name] for name in COLUMNS if name in h}
    row |= {
        "status": verdict.status, "category": verdict.category, "score": verdict.score,
        "reasons": SEPARATOR.join(reasons(facts, verdict, missing, settings)),
        "programme_category": CATEGORIES[verdict.category].programme,
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
    row["osm_distance_m"] = nan if facts.osm is None else _finite(facts.osm.distance_m)
    return row


def _seen(facts: Facts, settings: Settings) -> list[str]:
    h = facts.history
    if h.clear_dates == 1:
        found = [f"{h.area_ha:.1f} ha open on {h.last_seen}, the only clear date: not confirmed"]
    else:
        found = [f"{h.area_ha:.1f} ha, open on {h.seen_dates} of {h.clear_dates} clear dates, "
                 f"{h.first_seen} to {h.last_seen}"]
    if gone(facts, settings):
        found.append(f"not open on {facts.later_clear} clear dates after {h.last_seen}: "
                     "extraction seems to have stopped")
    elif h.growth_low > 0:
        found.append(f"growing by {h.growth_ha_per_year:.1f} ha a year "
                     f"({h.growth_low:.1f} to {h.growth_high:.1f})")
    if np.isfinite(h.mean_probability):
        found.append(f"mean quarry probability {h.mean_probability:.2f}")
    return found


def _permit(facts: Facts, verdict: Verdict, settings: Settings) -> list[str]:
    permits = facts.permits
    if permits is None:
        return []
    called = f" ({permits.name})" if permits.name else ""
    if verdict.category == OVERRUN:
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


def _ground(facts: Facts, settings: Settings) -> list[str]:
    """Deposit, land cover, monitoring and volunteers' map."""
    found, deposit, cover = [], facts.deposit, facts.corine
    if deposit is not None and deposit.share_with_tolerance > 0:
        what = " ".join(filter(None, (deposit.name, f"({deposit.detail})" if deposit.detail
                                      else "")))
        found.append(f"{deposit.share:.0%} lies in the deposit {what or 'without a name'}")
    elif deposit is not None:
        away = (f", the nearest is {deposit.distance_m:.0f} m away"
                if np.isfinite(deposit.distance_m) else "")
        found.append(f"outside any documented deposit{away}")
    if cover is not None and cover.name:
        called = corine_names()[0].get(cover.name, "not in the nomenclature")
        found.append(f"CORINE: {cover.name} {called}")
    if facts.monitoring_m is not None:
        name = f" ({facts.monitoring_name})" if facts.monitoring_name else ""
        if not near_monitoring(facts, settings):
            found.append("unknown to the monitoring programme: no point within "
                         f"{settings.near_m:g} m")
        elif facts.monitoring_m > 0:
            found.append(f"monitoring point{name} {facts.monitoring_m:.0f} m away")
        else:
            found.append(f"monitoring point{name} inside it")
    if facts.osm is not None and near_osm(facts, settings):
        found.append("OpenStreetMap has a quarry here")
    return found


def _dates(days: tuple[date, ...]) -> str:
    shown = ", ".join(d.isoformat() for d in days[:2])
    return shown + (f" and {len(days) - 2} more dates" if len(days) > 2 else "")


def _words(layer: str) -> str:
    return {"osm_quarries": "OSM quarries", "corine": "CORINE"}.get(layer, layer.replace("_", " "))


def _finite(value: float | None) -> float:
    return np.nan if value is None or not np.isfinite(value) else value
