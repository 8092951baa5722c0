"""Projections and pixel grids: where the pixels are that somebody asks for.

Earth Engine computes on demand: an image has no pixels until a grid is given. A grid here is a
coordinate system, an affine transform and a number of rows and columns; grid coordinates are pixel
edges, so pixel (row, col) has its centre at (col + 0.5, row + 0.5).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyproj
from numpy.typing import NDArray
from rasterio.transform import Affine

from ee_local.cache import OnceCache
from ee_local.errors import EngineError

WGS84 = "EPSG:4326"
METRES_PER_DEGREE = math.pi * 6_378_137.0 / 180
"""Length of a degree along the equator: what Earth Engine takes a degree to be in a scale."""

MOST_PIXELS = 25_000_000
"""Largest number of pixels of a grid that is computed at a time: 200 MB for each band."""

POSITION_BYTES = 64 * 1024 * 1024
"""Memory for the places of pixels, which all bands of a scene share."""

FILE_WORDS = ("grids", "parameterfile", "extension", "geoid_model")
"""Words in the WKT of a coordinate system that can name files."""


class Projection(NamedTuple):
    """A coordinate system and the affine transform of its pixels (a, b, c, d, e, f)."""

    crs: str
    transform: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

    def affine(self) -> Affine:
        """Return pixel (col, row) to coordinates."""
        return Affine(*self.transform)

    def nominal_scale(self) -> float:
        """Return the width of a pixel in metres where the projection is true to scale."""
        a, b, _, d, e, _ = self.transform
        return math.sqrt(abs(a * e - b * d)) * metres_per_unit(self.crs)

    def at_scale(self, metres: float) -> Projection:
        """Return the same CRS with pixels of this size, north up, aligned with its origin.

        This is Earth Engine's rule for a ``scale``: it does not keep the image's own origin.
        """
        if not (math.isfinite(metres) and metres > 0):
            raise EngineError(f"scale is {metres:g}; it must be a positive number of metres.")
        size = metres / metres_per_unit(self.crs)
        return Projection(self.crs, (size, 0.0, 0.0, 0.0, -size, 0.0))


class Grid(NamedTuple):
    """Pixels to compute: a projection and the number of columns and rows."""

    projection: Projection
    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """(row, col) number of pixels."""
        return self.height, self.width

    def bounds(self) -> tuple[float, float, float, float]:
        """Return (west, south, east, north) of the pixels' edges, in the grid's coordinates."""
        affine = self.projection.affine()
        corners = [affine @ (c, r) for c in (0, self.width) for r in (0, self.height)]
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x and y of the pixels' centres, each (row, col)."""
        cols, rows = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        a, b, c, d, e, f = self.projection.transform
        return a * cols + b * rows + c, d * cols + e * rows + f


@lru_cache(maxsize=256)
def parse_crs(text: str) -> pyproj.CRS:
    """Return the coordinate system of an EPSG code or WKT text.

    Raises
    ------
    EngineError
        Nobody knows it. Names of files are not tried.
    """
    try:
        if text.upper().startswith("EPSG:"):
            return pyproj.CRS.from_epsg(int(text[5:]))
        if "[" in text and not any(word in text.lower() for word in FILE_WORDS):
            return pyproj.CRS.from_wkt(text)
    except (pyproj.exceptions.CRSError, ValueError):
        pass
    raise EngineError(f"The CRS of a map projection could not be parsed: {text[:80]!r}.")


@lru_cache(maxsize=256)
def transformer(source: str, target: str) -> pyproj.Transformer:
    """Return what brings x, y (longitude first) of one coordinate system to another."""
    return pyproj.Transformer.from_crs(parse_crs(source), parse_crs(target), always_xy=True)


def metres_per_unit(crs: str) -> float:
    """Return metres in a unit of a coordinate system; a degree is one of the equator."""
    parsed = parse_crs(crs)
    if parsed.is_geographic:
        return METRES_PER_DEGREE
    return float(parsed.axis_info[0].unit_conversion_factor)


def covering(projection: Projection, bounds: tuple[float, float, float, float]) -> Grid:
    """Return the smallest grid of whole pixels of a projection over an extent in its coordinates.

    Raises
    ------
    EngineError
        It would have more than :data:`MOST_PIXELS` pixels, or none.
    """
    inverse = ~projection.affine()
    west, south, east, north = bounds
    corners = [inverse @ (x, y) for x in (west, east) for y in (south, north)]
    if not np.isfinite(corners).all():
        raise EngineError(f"The extent {bounds} has no place in {projection.crs}.")
    cols, rows = zip(*corners, strict=True)
    left, top = (math.floor(round(min(v), 6)) for v in (cols, rows))
    right, low = (math.ceil(round(max(v), 6)) for v in (cols, rows))
    width, height = max(right - left, 1), max(low - top, 1)
    check_size(width, height)
    return Grid(moved(projection, left, top), width, height)


def check_size(width: int, height: int) -> None:
    """Raise EngineError if a grid has too many pixels."""
    if width * height > MOST_PIXELS:
        raise EngineError(f"Output is too large: {width} × {height} pixels; at most "
                          f"{MOST_PIXELS:,} are computed at a time.")


def moved(projection: Projection, col: float, row: float) -> Projection:
    """Return the projection whose origin is at pixel (col, row) of the given one."""
    a, b, _, d, e, _ = projection.transform
    x, y = projection.affine() @ (col, row)
    return Projection(projection.crs, (a, b, x, d, e, y))


Positions = tuple[NDArray[np.float64], NDArray[np.float64]]
_POSITIONS = OnceCache(POSITION_BYTES, lambda p: p[0].nbytes + p[1].nbytes)


def pixel_positions(grid: Grid, target: Projection) -> Positions:
    """Return the column and row of a grid's pixel centres among the pixels of another projection.

    Returns
    -------
    cols, rows : ndarray, shape (row, col), float64
        Pixel edges are whole numbers; inf where there is no place.
    """
    return _POSITIONS.get((grid, target), lambda: _positions(grid, target))


def _positions(grid: Grid, target: Projection) -> Positions:
    x, y = grid.centres()
    if grid.projection.crs != target.crs:
        x, y = transformer(grid.projection.crs, target.crs).transform(x, y)
    a, b, c, d, e, f = (~target.affine())[:6]
    with np.errstate(invalid="ignore"):
        return a * x + b * y + c, d * x + e * y + f


def whole(positions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the pixel index of positions, -1 where there is none; an edge is the next pixel's."""
    limit = 2.0**40
    with np.errstate(invalid="ignore"):
        inside = np.abs(positions) < limit
        steps = np.floor(np.where(inside, positions, -1.0) + 1e-7)
    return steps.astype(np.int64)


def coarsening(grid: Grid, target: Projection) -> float:
    """Return how many pixels of a projection one pixel of a grid is wide, at the grid's middle."""
    middle = Grid(moved(grid.projection, grid.width // 2, grid.height // 2), 2, 2)
    cols, rows = pixel_positions(middle, target)
    across = math.hypot(cols[0, 1] - cols[0, 0], rows[0, 1] - rows[0, 0])
    down = math.hypot(cols[1, 0] - cols[0, 0], rows[1, 0] - rows[0, 0])
    size = math.sqrt(across * down)
    return size if math.isfinite(size) else 1.0
