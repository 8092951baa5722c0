"""From facts to a verdict: status, category and score. Every result is a lead, not a finding.

The categories of candidates are those of the Polish programme that monitors open-pit extraction
(MOEK): 1 extraction without a concession, inside or outside a documented deposit; 2 gross overrun
of the boundary; 3 an abandoned deposit that was not reclaimed. A layer that is missing can clear a
site, so without it the site stays undetermined.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import pandas as pd

from lulc_lib import legend
from lulc_lib.sites.evidence import Facts
from lulc_lib.sites.settings import Settings

LICENSED, CANDIDATE, UNDETERMINED, OTHER = "licensed", "candidate", "undetermined", "other"
STATUSES = (LICENSED, CANDIDATE, UNDETERMINED, OTHER)

OUTSIDE_DEPOSIT, IN_DEPOSIT = "outside_deposit", "in_deposit_unlicensed"
OVERRUN, ABANDONED, RECLAIMED = "overrun", "abandoned", "reclaimed"


class Category(NamedTuple):
    """Status, meaning, number in the monitoring programme (None: not a candidate), colour."""

    status: str
    meaning: str
    programme: int | None
    colour: str


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
        UNDETERMINED, "not to be judged: a layer is missing", None, "#d9a400"),
}
"""All categories by name, candidates first."""

FULL_OVERRUN_HA = 2.0
"""Overrun, hectares, from which it counts in full towards the score."""
FULL_DATES = 4
"""Dates seen, from which their number counts in full towards the score."""


class Verdict(NamedTuple):
    """What the rules make of a site: a key of :data:`CATEGORIES`, the score 0–1 (how strongly the
    evidence points to a candidate; 0 for all others), and layers that are needed to judge it."""

    category: str
    score: float
    needed: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """licensed, candidate, undetermined or other."""
        return CATEGORIES[self.category].status


def judge(facts: Facts, settings: Settings) -> Verdict:
    """The verdict on one site.

    Parameters
    ----------
    facts : see :func:`lulc_lib.sites.evidence.gather_facts`.
    settings : tolerances and least shares.
    """
    if facts.permits is None:
        return Verdict(UNDETERMINED, 0.0, ("mining_areas",))
    if has_permit(facts, settings):
        category, needed = _with_permit(facts, settings), ()
    else:
        category, needed = _without_permit(facts, settings)
    score = _score(facts, category, settings) if CATEGORIES[category].programme else 0.0
    return Verdict(category, score, needed)


def has_permit(facts: Facts, settings: Settings) -> bool:
    """Whether the site had a permit on the dates it was seen, but for one at most."""
    permits = facts.permits
    confirmed = min(settings.min_dates, len(permits.dates_with) + len(permits.dates_without))
    return len(permits.dates_without) < confirmed


def permit_ended(facts: Facts, settings: Settings) -> bool:
    """Whether the site's permits had ended when it was seen without one."""
    permits = facts.permits
    if permits.share_ever < settings.min_permit_share or not permits.dates_without:
        return False
    if permits.dates_with:
        return permits.dates_without[-1] > permits.dates_with[-1]
    return permits.until is not None and permits.until < permits.dates_without[0]


def gone(facts: Facts, settings: Settings) -> bool:
    """Whether enough clear dates after the last sighting show no open rock."""
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
    """Whether CORINE has mostly other bare ground here, and nobody else knows of a quarry."""
    known = near_monitoring(facts, settings) or near_osm(facts, settings)
    return corine_names()[1].get(facts.corine.name, False) and not known


def near_monitoring(facts: Facts, settings: Settings) -> bool:
    """Whether the monitoring programme has a point at the site."""
    return facts.monitoring_m is not None and facts.monitoring_m <= settings.near_m


def near_osm(facts: Facts, settings: Settings) -> bool:
    """Whether OpenStreetMap has a quarry at the site."""
    return facts.osm is not None and facts.osm.distance_m <= settings.tolerance_m


@cache
def corine_names() -> tuple[dict[str, str], dict[str, bool]]:
    """CORINE level-3 code to its name, and to whether a map may take it for a quarry."""
    path = resources.files("lulc_lib.sites") / "corine.csv"
    table = pd.read_csv(str(path), dtype={"code": str}).set_index("code")
    return table["name"].to_dict(), table["lookalike"].astype(bool).to_dict()


def _score(facts: Facts, category: str, settings: Settings) -> float:
    """Product of how far the site is from being permitted and how sure it is that it exists.

    The first is the share outside mining areas, or for an overrun its hectares as a share of
    :data:`FULL_OVERRUN_HA`. The second is the mean of: share of clear dates between first and last
    seen; dates seen, of :data:`FULL_DATES`; size against the least size; mean quarry probability
    if there is one; and whether monitoring, OpenStreetMap or CORINE know of a quarry here.
    """
    history = facts.history
    outside = (min(facts.permits.overrun_ha / FULL_OVERRUN_HA, 1.0) if category == OVERRUN
               else 1.0 - facts.permits.share)
    known = (near_monitoring(facts, settings) or near_osm(facts, settings)
             or (facts.corine is not None and facts.corine.name in quarry_codes()))
    parts = [history.persistence, min(history.seen_dates / FULL_DATES, 1.0),
             1.0 - min(settings.min_area_ha / history.area_ha, 1.0) / 2,
             history.mean_probability, float(known)]
    return round(float(outside * np.nanmean(parts)), 3)


def quarry_codes() -> tuple[str, ...]:
    """CORINE codes that are quarries: not those that only look alike."""
    alike = corine_names()[1]
    return tuple(str(c) for c in legend.BY_KEY["quarry"].corine if not alike[str(c)])
