"""What grows in each field, and which phase of it (ripe, bare, in growth) a scene sees."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.landscape.noise import Codes, Rng
from lulc_lib.landscape.plan import SyntheticSite

GROWING, BARE, RIPE = (legend.code(k) for k in ("crops_growing", "bare_soil", "crops_ripe"))

#: share of the fields at estates with large fields, and where farms are strips
SHARES = {
    "wheat": (0.40, 0.32), "barley": (0.12, 0.12), "rapeseed": (0.20, 0.04),
    "maize": (0.13, 0.16), "beet": (0.05, 0.12), "spring_cereal": (0.05, 0.19),
    "fallow": (0.05, 0.05)}
#: day of year from which a phase holds; day 0 is what winter leaves (WINTER for spring crops)
CALENDAR: dict[str, tuple[tuple[int, int], ...]] = {
    "wheat": ((0, GROWING), (192, RIPE), (222, BARE), (240, RIPE)),
    "barley": ((0, GROWING), (173, RIPE), (205, BARE), (228, RIPE)),
    "rapeseed": ((0, GROWING), (186, RIPE), (211, BARE), (226, RIPE)),
    "maize": ((100, BARE), (150, GROWING), (262, RIPE)),
    "beet": ((90, BARE), (146, GROWING)),
    "spring_cereal": ((78, BARE), (108, GROWING), (191, RIPE), (222, BARE), (238, RIPE)),
    "fallow": ((70, BARE),)}
#: day of year from which the field shows what the next year's crop needs
TURNOVER = {"maize": 292, "beet": 303}
TURNOVER_ELSE = 245
#: autumn of the year before, for crops sown in autumn
AUTUMN: dict[str, tuple[tuple[int, int], ...]] = {
    "wheat": ((0, RIPE), (297, BARE), (308, GROWING)),
    "barley": ((0, RIPE), (272, BARE), (286, GROWING)),
    "rapeseed": ((0, BARE), (262, GROWING))}
WINTER = ((GROWING, 0.45), (RIPE, 0.40), (BARE, 0.15))
"""Winter cover of fields sown in spring, and how often."""
JITTER_DAYS = 6.5
YEARS = range(2021, 2026)


def _latest(calendar: tuple[tuple[int, int], ...], day: NDArray, before: NDArray) -> NDArray:
    """Give the phase of ``day`` (per field), ``before`` where the calendar has not begun."""
    phase = before.copy()
    for start, value in calendar:
        phase[day >= start] = value
    return phase


class Rotation:
    """The crops of every parcel of a site, year by year, drawn once; shares are met by count."""

    def __init__(self, rng: Rng, site: SyntheticSite, n_parcels: int) -> None:
        self.names = tuple(SHARES)
        share = np.array([SHARES[c][int(site.strips)] for c in self.names])
        edges = np.cumsum(share / share.sum()) * n_parcels
        quota = np.searchsorted(edges, np.arange(n_parcels) + 0.5)
        self.crop = {y: rng.permutation(quota) for y in YEARS}
        codes, chance = zip(*WINTER, strict=True)
        self.winter = {y: rng.choice(codes, n_parcels, p=chance).astype(np.uint8) for y in YEARS}
        self.jitter = {y: rng.normal(0, JITTER_DAYS, n_parcels) for y in YEARS}

    def phases(self, day: date) -> Codes:
        """Return the legend code of every parcel on ``day``, ``(parcel,) uint8``."""
        doy, year = day.timetuple().tm_yday, day.year
        out = self.winter[year].copy()
        for index, name in enumerate(self.names):
            shown = _latest(CALENDAR[name], doy - self.jitter[year], self.winter[year])
            mine = self.crop[year] == index
            over = mine & (doy >= TURNOVER.get(name, TURNOVER_ELSE))
            shown[over] = self._autumn(year + 1, doy)[over]
            out[mine] = shown[mine]
        return out

    def _autumn(self, year: int, doy: int) -> Codes:
        """Return the autumn phase of every parcel before the harvest year ``year``."""
        out = self.winter[year].copy()
        for index, name in enumerate(self.names):
            if name in AUTUMN:
                mine = self.crop[year] == index
                out[mine] = _latest(AUTUMN[name], doy - self.jitter[year], out)[mine]
        return out
