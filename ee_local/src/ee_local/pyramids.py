"""Rasters on disk as bands: any grid out of them, coarser ones from a pyramid.

Like Earth Engine, a grid coarser than the raster is read from a pyramid whose levels halve the
resolution by averaging the pixels that have data; the level is the last one that is not coarser
than the grid. Within a level a pixel takes the value of the pixel its centre lies in.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ee_local.cache import OnceCache
from ee_local.grid import Grid, Projection, coarsening, pixel_positions, whole
from ee_local.pixels import Pixels

LEVEL_BYTES = 2 * 1024**3
"""Memory for the pixels of files; what was not asked for longest is read again when needed."""

Level = tuple[NDArray[np.number], NDArray[np.bool_]]

NUMBERS = itertools.count()
LEVELS = OnceCache(LEVEL_BYTES, lambda level: level[0].nbytes + level[1].nbytes)


class StoredBand:
    """A raster's band.

    Parameters
    ----------
    projection : Projection
        Of its pixels.
    load : callable
        Gives values, in the file's dtype, and mask, each (row, col). Means of integers are
        rounded to integers.
    categories : bool
        Values are codes: coarser levels take one of the four pixels instead of their mean.
    """

    def __init__(self, projection: Projection, load: Callable[[], Level],
                 categories: bool = False) -> None:
        self._projection, self._load, self._categories = projection, load, categories
        self._number = next(NUMBERS)

    def _level(self, k: int) -> Level:
        return LEVELS.get((self._number, k), lambda: self._computed(k))

    def _computed(self, k: int) -> Level:
        if k == 0:
            return self._load()
        finer = self._level(k - 1)
        return self._halved(*finer) if max(finer[0].shape) > 1 else finer

    def _halved(self, values: NDArray[np.number], mask: NDArray[np.bool_]) -> Level:
        if self._categories:
            return values[::2, ::2], mask[::2, ::2]
        total = np.zeros([-(-n // 2) for n in values.shape])
        count = np.zeros(total.shape, dtype=np.uint8)
        for corner in itertools.product((slice(0, None, 2), slice(1, None, 2)), repeat=2):
            v, m = values[corner], mask[corner]
            inside = tuple(map(slice, v.shape))  # an odd edge has no second pixel
            total[inside] += np.where(m, v, 0)
            count[inside] += m
        mean = np.divide(total, count, out=total, where=count > 0)
        if values.dtype.kind in "iu":
            mean = np.floor(mean + 0.5)
        return mean.astype(values.dtype), count > 0

    def read(self, grid: Grid) -> Pixels:
        """Read the band's pixels on a grid; masked outside the raster."""
        size = coarsening(grid, self._projection)
        level = max(math.floor(math.log2(size) + 1e-6), 0) if size > 0 else 0
        values, mask = self._level(level)
        cols, rows = (whole(p / 2**level) for p in pixel_positions(grid, self._projection))
        inside = (rows >= 0) & (rows < values.shape[0]) & (cols >= 0) & (cols < values.shape[1])
        rows, cols = np.where(inside, rows, 0), np.where(inside, cols, 0)
        return Pixels(values[rows, cols].astype(np.float64), inside & mask[rows, cols])
