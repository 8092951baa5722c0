"""The landscape's maps and registries made worse on purpose, to see what the site rules stand."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from shapely import affinity

from lulc_lib import legend
from lulc_lib.landscape.noise import smooth_noise, without

PATCH = 2.0
"""Correlation length of label noise, pixels: errors of a network come in patches."""
LASTING = 0.5
"""Share of the label noise's variance that is the same on all dates."""


def label_noise(maps: list[NDArray[np.uint8]], share: float, rng: np.random.Generator
                ) -> list[NDArray[np.uint8]]:
    """Return maps in which patches are wrong.

    A share of the quarry pixels becomes what lies around the pit, and as many pixels of other
    classes become quarry.

    Parameters
    ----------
    maps : list of array, shape (row, col), uint8
        Legend codes of one place on several dates.
    share : float
        0–1, of the quarry pixels of each date.
    rng : Generator
        Draws the patches.
    """
    if share == 0:
        return [m.copy() for m in maps]
    lasting = smooth_noise(rng, maps[0].shape, PATCH)
    out = []
    for codes in maps:
        score = LASTING**0.5 * lasting + (1 - LASTING) ** 0.5 * smooth_noise(
            rng, codes.shape, PATCH)
        quarry = codes == legend.code("quarry")
        count = int(share * quarry.sum())
        lost, gained = _highest(score, quarry, count), _highest(score, ~quarry, count)
        worse = np.where(lost, without(codes, quarry), codes)
        worse[gained] = legend.code("quarry")
        out.append(worse)
    return out


def eroded(codes: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Return a (row, col) map whose quarries lost ``pixels`` all around to what lies beside."""
    if pixels == 0:
        return codes.copy()
    quarry = codes == legend.code("quarry")
    kept = ndimage.binary_erosion(quarry, iterations=pixels, border_value=1)
    return np.where(quarry & ~kept, without(codes, quarry), codes)


def shifted(codes: NDArray[np.uint8], pixels: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a (row, col) map moved by ``pixels`` in a random direction, its edge repeated."""
    turn = rng.uniform(0, 2 * np.pi)
    move = (pixels * np.sin(turn), pixels * np.cos(turn))
    return ndimage.shift(codes, move, order=0, mode="nearest")


def missed(codes: NDArray[np.uint8], share: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a (row, col) map in which each connected quarry is lost with probability ``share``."""
    quarry = codes == legend.code("quarry")
    objects, count = ndimage.label(quarry, np.ones((3, 3)))
    gone = np.concatenate([[False], rng.random(count) < share])[objects]
    return np.where(gone, without(codes, quarry), codes)


def moved(table: gpd.GeoDataFrame, metres: float, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Return a registry (metric CRS) whose shapes each moved ``metres`` in their own direction."""
    turns = rng.uniform(0, 2 * np.pi, len(table))
    shapes = [affinity.translate(g, metres * np.cos(t), metres * np.sin(t))
              for g, t in zip(table.geometry, turns, strict=True)]
    return table.set_geometry(gpd.GeoSeries(shapes, index=table.index, crs=table.crs))


def _highest(score: NDArray[np.floating], where: NDArray[np.bool_], count: int
             ) -> NDArray[np.bool_]:
    """Return the ``count`` pixels of ``where`` with the highest scores."""
    count = min(count, int(where.sum()))
    out = np.zeros(score.shape, bool)
    if count:
        values = np.where(where, score, -np.inf)
        out.ravel()[np.argpartition(values.ravel(), -count)[-count:]] = True
    return out
