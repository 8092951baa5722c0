"""A stand-in for the published class map: the truth with errors like those of a good network.

Errors come in patches, not as salt and pepper: edges shift, thin roads vanish in stretches, parts
of fields are given the wrong phase, stands of conifer merge into mixed forest.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.landscape.noise import smooth_noise, warped_grid, without

#: share of a reference class that the map calls another class (published confusion, rounded)
CONFUSIONS = {
    "strzegom": {
        ("conifer", "mixed_forest"): 0.31, ("mixed_forest", "crops_growing"): 0.008,
        ("urban", "mixed_forest"): 0.10, ("urban", "crops_growing"): 0.035,
        ("urban", "crops_ripe"): 0.02, ("crops_ripe", "crops_growing"): 0.075,
        ("crops_ripe", "mixed_forest"): 0.014, ("bare_soil", "crops_ripe"): 0.085,
        ("bare_soil", "quarry"): 0.06, ("bare_soil", "urban"): 0.025,
        ("crops_growing", "mixed_forest"): 0.012, ("crops_growing", "crops_ripe"): 0.014,
        ("quarry", "crops_ripe"): 0.001, ("water", "quarry"): 0.012,
    },
    "kolbuszowa": {
        ("conifer", "mixed_forest"): 0.16, ("urban", "bare_soil"): 0.02,
        ("urban", "road"): 0.03, ("urban", "grassland"): 0.045, ("crops_ripe", "urban"): 0.008,
        ("crops_ripe", "bare_soil"): 0.015, ("bare_soil", "crops_ripe"): 0.025,
        ("grassland", "crops_growing"): 0.07, ("grassland", "crops_ripe"): 0.04,
        ("crops_growing", "mixed_forest"): 0.005,
    },
}
ROADS_KEPT = 0.42
"""Share of the roads that the map shows."""
EDGE_SHIFT = 0.6
"""Sd of the shift of class edges, pixels."""


def published_map(
    rng: np.random.Generator, site: str, truth: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The stand-in map ``(row, col) uint8, legend codes`` for the true map of ``site``."""
    road = truth == legend.code("road")
    lost = road & (smooth_noise(rng, truth.shape, 9) > np.quantile(
        smooth_noise(rng, truth.shape, 9), ROADS_KEPT))
    shown = without(truth, lost)
    rows, cols = warped_grid(rng, truth.shape, 5, EDGE_SHIFT)
    nearest = [np.clip(np.rint(v), 0, n - 1).astype(int)
               for v, n in zip((rows, cols), truth.shape, strict=True)]
    out = shown[tuple(nearest)]
    kept = road & ~lost
    out[kept] = legend.code("road")
    before = out.copy()
    for (have, given), share in CONFUSIONS[site].items():
        at = before == legend.code(have)
        if at.any():
            score = smooth_noise(rng, truth.shape, 4.5)
            out[at & (score > np.quantile(score[at], 1 - share))] = legend.code(given)
    return out


def confusion_table(
    mapped: NDArray[np.uint8], reference: NDArray[np.uint8]
) -> tuple[list[int], NDArray[np.int64]]:
    """Classes of the reference and the counts, ``(map class, reference class) int64``.

    Only pixels with a reference count; map classes that the reference lacks are left out, as in
    the published tables.
    """
    at = reference != legend.NO_DATA
    codes = [c for c in legend.CODES if (reference == c).any()]
    table = pd.crosstab(mapped[at], reference[at]).reindex(
        index=codes, columns=codes, fill_value=0)
    return codes, table.to_numpy(np.int64)


def confusion_csv(codes: list[int], counts: NDArray[np.int64]) -> str:
    r"""The published file format: a byte-order mark, ``class\ref`` and the reference classes, then
    one row per map class."""
    lines = [",".join(["class\\ref", *map(str, codes)])]
    lines += [",".join(map(str, [c, *row])) for c, row in zip(codes, counts, strict=True)]
    return "\ufeff" + "\n".join(lines) + "\n"
