"""The true class map of a site on one day."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.landscape.layout import Layout
from lulc_lib.landscape.noise import burn
from lulc_lib.landscape.pits import Pit

FRESH_DAYS = 120
"""Days after the end of extraction in which filled land is still bare."""


def _reclaimed(pit: Pit, layout: Layout, day: date, codes: NDArray[np.uint8]) -> None:
    """Write a closed pit into ``codes``: fields again (case A), else grass, trees and its lake."""
    site = layout.site
    dug = burn([pit.outline], site.shape, site.transform)
    fresh = (day - pit.last_active).days < FRESH_DAYS
    if pit.category == "outside_deposit":
        codes[dug] = legend.code("bare_soil" if fresh else "crops_growing")
        return
    inner = burn([pit.outline.buffer(-25)], site.shape, site.transform)
    codes[dug] = legend.code("mixed_forest")
    codes[inner] = legend.code("grassland")
    codes[burn([pit.lake(day)], site.shape, site.transform)] = legend.code("water")


def class_map(layout: Layout, day: date) -> NDArray[np.uint8]:
    """True classes ``(row, col) uint8, legend codes`` on ``day``; no pixel is NO_DATA.

    Crops follow each field's calendar; a pit takes its extent of the day, its lake is water, and a
    pit no longer worked is shown as what became of it.
    """
    site = layout.site
    codes = layout.static.copy()
    arable = codes == legend.NO_DATA
    codes[arable] = layout.rotation.phases(day)[layout.parcel[arable]]
    for pit in layout.pits:
        if pit.active(day):
            codes[burn([pit.at(day)], site.shape, site.transform)] = legend.code("quarry")
            lake = burn([pit.lake(day)], site.shape, site.transform)
            codes[lake] = legend.code("water")
        elif pit.last_active is not None and day > pit.last_active:
            _reclaimed(pit, layout, day, codes)
    return codes
