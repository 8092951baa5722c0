"""Pixel grids: their size on the ground, a grid in the UTM zone, values of one on another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info
from pyproj.exceptions import ProjError
from rasterio import Affine
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from scipy.ndimage import map_coordinates

from lulc_lib.errors import InputError

PIXEL = 10.0
"""Metres on the ground: the pixel size of the study's scenes."""

PIXEL_TOLERANCE = 0.01
"""Share by which a pixel may differ from :data:`PIXEL`: map projections stretch less than this."""

FINEST, COARSEST = 3.0, 25.0
"""Metres: what is resampled to :data:`PIXEL` has shorter edges of at least, longer of at most."""


APART, LARGE = 16, 1 << 28
"""A grid that holds several has at most so many times their pixels; smaller ones do no harm."""

SMALLEST = 1e-3
"""Metres: no raster of the Earth has smaller pixels."""


class Grid(NamedTuple):
    """A raster's pixels: (row, col) shape, and where they lie."""

    crs: rasterio.CRS
    transform: Affine
    shape: tuple[int, int]

    @property
    def north_up(self) -> bool:
        """Whether rows run from north to south and columns from west to east."""
        t = self.transform
        return not (t.b or t.d) and t.a > 0 > t.e

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) in the CRS."""
        rows, cols = self.shape
        t = self.transform
        x = [t.a * c + t.b * r + t.c for r in (0, rows) for c in (0, cols)]
        y = [t.d * c + t.e * r + t.f for r in (0, rows) for c in (0, cols)]
        return min(x), min(y), max(x), max(y)


def ground_size(grid: Grid, name: str) -> tuple[float, float]:
    """Return width and height of the pixel at the middle of a grid, in metres on the ground.

    Raises
    ------
    InputError
        The coordinates are none of the CRS.
    """
    row, col = grid.shape[0] / 2, grid.shape[1] / 2
    t = grid.transform
    x = [t.a * c + t.b * r + t.c for r, c in ((row, col), (row, col + 1), (row + 1, col))]
    y = [t.d * c + t.e * r + t.f for r, c in ((row, col), (row, col + 1), (row + 1, col))]
    try:
        onto = Transformer.from_crs(grid.crs.to_wkt(), 4326, always_xy=True)
        lon, lat = onto.transform(x, y)
    except (ProjError, ValueError) as error:
        raise InputError(f"{name}: its CRS cannot be placed on the Earth ({error})") from error
    if not np.isfinite([lon, lat]).all() or np.abs(lat).max() > 90:
        raise InputError(f"{name}: its coordinates lie outside its CRS; latitudes must be between "
                         f"-90 and 90, it has {max(lat, key=abs):.4g}")
    _, _, (across, down) = Geod(ellps="WGS84").inv([lon[0]] * 2, [lat[0]] * 2, lon[1:], lat[1:])
    return across, down


def check_grid(source: rasterio.DatasetReader, name: str) -> None:
    """Raise InputError for a raster whose pixels have no size, or lie nowhere on the Earth.

    A raster without a CRS of the Earth is only asked for finite numbers.
    """
    t, crs = source.transform, source.crs
    if not np.isfinite(t[:6]).all() or not t.determinant:
        raise InputError(f"{name}: its grid has pixels of {t.a:g} × {t.e:g} from x {t.c:g}, y "
                         f"{t.f:g}; they must have a size and a place")
    if crs is None or not (crs.is_projected or crs.is_geographic):
        return
    size = ground_size(Grid(crs, t, source.shape), name)
    if not (np.isfinite(size).all() and min(size) >= SMALLEST):
        raise InputError(f"{name}: its grid has pixels of {min(size):g} m on the ground; those of "
                         f"a map are at least {SMALLEST:g} m")


def is_10m(size: tuple[float, float]) -> bool:
    """Return whether a pixel is 10 m wide and high."""
    return max(abs(edge / PIXEL - 1) for edge in size) <= PIXEL_TOLERANCE


def utm_grid(grid: Grid) -> Grid:
    """Return the 10 m grid, on whole multiples of 10 m, that covers another.

    It is in that grid's own CRS if that is a UTM zone, else in the zone of its middle.
    """
    crs = grid.crs
    if crs.to_dict().get("proj") != "utm":
        west, south, east, north = transform_bounds(crs, "EPSG:4326", *grid.bounds)
        lon, lat = (west + east) / 2, (south + north) / 2
        zones = query_utm_crs_info("WGS 84", AreaOfInterest(lon, lat, lon, lat))
        crs = rasterio.CRS.from_epsg(int(zones[0].code))
    west, south, east, north = transform_bounds(grid.crs, crs, *grid.bounds)
    return snapped(crs, (west, south, east, north))


def snapped(crs: rasterio.CRS, bounds: tuple[float, float, float, float]) -> Grid:
    """Return the 10 m grid on whole multiples of 10 m that covers (west, south, east, north)."""
    inner = PIXEL * 1e-3  # a corner that misses a multiple by rounding only
    west, south = (math.floor((v + inner) / PIXEL) for v in bounds[:2])
    east, north = (math.ceil((v - inner) / PIXEL) for v in bounds[2:])
    return Grid(crs, Affine(PIXEL, 0, west * PIXEL, 0, -PIXEL, north * PIXEL),
                (north - south, east - west))


def covering(grids: Sequence[Grid]) -> Grid:
    """Extend the first of several grids by whole pixels to hold all.

    Raises
    ------
    InputError
        They lie so far apart that nearly all of such a grid would be empty.
    """
    first, spans = grids[0], []
    for grid in grids:
        left, bottom, right, top = transform_bounds(grid.crs, first.crs, *grid.bounds)
        corners = [~first.transform @ (x, y) for x in (left, right) for y in (bottom, top)]
        spans.append([np.min(corners, axis=0), np.max(corners, axis=0)])
    ends = np.round(spans, 3)
    col, row = np.floor(ends[:, 0].min(axis=0))
    right, bottom = np.ceil(ends[:, 1].max(axis=0))
    pixels, held = (right - col) * (bottom - row), sum(math.prod(g.shape) for g in grids)
    if not pixels <= max(APART * held, LARGE):
        raise InputError(f"the rasters lie too far apart: a grid that holds them all has {pixels:g}"
                         f" pixels, they have {held}; work on them one by one")
    return Grid(first.crs, first.transform @ Affine.translation(col, row),
                (int(bottom - row), int(right - col)))


class Positions(NamedTuple):
    """Where the pixels of a window of one grid lie in another: fractional rows and columns.

    Shapes broadcast to the window's: (row, 1) and (1, col) where the grids are parallel.
    """

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]

    def part(self, shape: tuple[int, int]) -> tuple[slice, slice] | None:
        """Return the part of a (row, col) array that is needed; None where there is none."""
        slices = []
        for values, size in zip(self, shape, strict=True):
            inside = values[np.isfinite(values)]
            if not inside.size:
                return None
            start, stop = math.floor(inside.min()), math.floor(inside.max()) + 2
            slices.append(slice(max(start, 0), min(stop, size)))
        return None if any(s.start >= s.stop for s in slices) else (slices[0], slices[1])


def positions(target: Grid, window: Window, source: Grid) -> Positions:
    """Return the places of a window's pixel centres in another grid; 0 is its first centre."""
    t = target.transform
    cols = window.col_off + np.arange(window.width) + 0.5
    rows = window.row_off + np.arange(window.height) + 0.5
    inverse = ~source.transform
    if target.crs == source.crs and not (t.b or t.d or inverse.b or inverse.d):
        return Positions((inverse.e * (t.e * rows + t.f) + inverse.f - 0.5)[:, None],
                         (inverse.a * (t.a * cols + t.c) + inverse.c - 0.5)[None, :])
    col, row = np.meshgrid(cols, rows)
    x, y = t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f
    if target.crs != source.crs:
        x, y = Transformer.from_crs(target.crs, source.crs, always_xy=True).transform(x, y)
    return Positions(inverse.d * x + inverse.e * y + inverse.f - 0.5,
                     inverse.a * x + inverse.b * y + inverse.c - 0.5)


def resample(values: NDArray[np.generic], part: tuple[slice, slice], where: Positions,
             shape: tuple[int, int], nearest: bool) -> NDArray[np.generic]:
    """Return (band, row, col) values at other positions, 0 where there are none.

    Parameters
    ----------
    values : array, shape (band, row, col), whole numbers
        The ``part`` of an array of ``shape``; 0 is no data and goes into no mean.
    where : Positions
        In the whole array.
    nearest : bool
        Take the nearest pixel's value, else interpolate bilinearly. A value is there where the
        nearest pixel has one.
    """
    inside = ((where.rows >= -0.5) & (where.rows < shape[0] - 0.5)
              & (where.cols >= -0.5) & (where.cols < shape[1] - 0.5))
    rows, cols = (np.clip(np.nan_to_num(v) - p.start, 0, p.stop - p.start - 1)
                  for v, p in zip(where, part, strict=True))
    if nearest:
        i, j = (np.floor(v + 0.5).astype(np.intp) for v in (rows, cols))
        return np.where(inside, values[:, i, j], 0).astype(values.dtype)
    out = np.empty((len(values), *inside.shape), values.dtype)
    for band, result in zip(values, out, strict=True):
        new = _bilinear(band.astype(np.float32), rows, cols)
        if not band.all():
            share = _bilinear((band > 0).astype(np.float32), rows, cols)
            new = np.where(share >= 0.5, new / np.maximum(share, 0.5), 0)
        result[...] = np.where(inside, np.rint(new), 0)
    return out


def _bilinear(band: NDArray[np.float32], rows: NDArray[np.float64], cols: NDArray[np.float64]
              ) -> NDArray[np.float32]:
    """Interpolate a (row, col) array at positions inside it."""
    if rows.shape[1] != 1 or cols.shape[0] != 1:
        return map_coordinates(band, (rows, cols), order=1, mode="nearest", output=np.float32)
    for axis, places in enumerate((rows.ravel(), cols.ravel())):
        first = np.minimum(places.astype(np.intp), band.shape[axis] - 1)
        weight = np.expand_dims((places - first).astype(np.float32), 1 - axis)
        after = np.minimum(first + 1, band.shape[axis] - 1)
        band = band.take(first, axis) * (1 - weight) + band.take(after, axis) * weight
    return band
