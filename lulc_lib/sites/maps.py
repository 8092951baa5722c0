"""Class maps and quarry probabilities of several dates, brought to one grid."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyproj
import rasterio
import xarray as xr
from numpy.typing import NDArray
from pyproj.exceptions import CRSError
from rasterio.enums import Resampling
from rasterio.windows import Window
from xarray.backends import BackendArray
from xarray.core import indexing

from lulc_lib import legend
from lulc_lib.data.geotiff import APPLICABILITY, INSIDE, SHARE_NO_DATA, SHARE_STEPS, UNKNOWN
from lulc_lib.data.grids import Grid, covering
from lulc_lib.data.reference import open_classes, open_raster, same_grid, to_grid
from lulc_lib.data.scenes import pixel_centres, scene_date
from lulc_lib.errors import InputError

Convert = Callable[[NDArray], NDArray]
"""From a raster's pixels to what they mean."""


def read_maps(paths: Sequence[Path], dates: Sequence[str] | None = None
              ) -> dict[date, xr.DataArray]:
    """Read class maps by acquisition date, in order of date, all on one grid.

    Parameters
    ----------
    paths : sequence of Path
        One-band rasters of legend codes, one for each date.
    dates : sequence of str, optional
        YYYY-MM-DD or YYYYMMDD for each map; None takes YYYYMMDD from the file names.

    Returns
    -------
    dict of date to DataArray of uint8, shape (y, x)
        Legend codes, read from disk where they are looked at. Maps on different grids are brought,
        by nearest neighbour, to the grid of the earliest, extended to hold them all, and kept in
        memory; what a map does not cover is NO_DATA. A grid that is not in metres is first brought
        to its UTM zone.

    Raises
    ------
    InputError
        A date that is missing, not a day or there twice, a file that is given twice or is no class
        map, or maps too far apart; when pixels are looked at, a map that is damaged or holds other
        codes.
    """
    days = map_dates(paths, dates)
    real = [os.path.realpath(path) for path in paths]
    if twice := [p.name for p, r in zip(paths, real, strict=True) if real.count(r) > 1]:
        raise InputError(f"{twice[0]} is given for two dates; each needs a map of its own")
    maps = {d: _open_codes(p) for d, p in sorted(zip(days, paths, strict=True))}
    first = next(iter(maps))
    maps[first] = in_metres(maps[first])
    grid = common_grid(list(maps.values()))
    return {d: to_grid(m, grid, legend.NO_DATA) for d, m in maps.items()}


def map_dates(paths: Sequence[Path], dates: Sequence[str] | None = None) -> list[date]:
    """Date each file, as stated or by YYYYMMDD in its name; errors as in :func:`read_maps`."""
    if dates is not None and len(paths) != len(dates):
        raise InputError(f"{len(paths)} maps and {len(dates)} dates were given; there must be a "
                         "date for each map")
    days = [_day(p, t) for p, t in zip(paths, dates or [None] * len(paths), strict=True)]
    for day in days:
        if days.count(day) > 1:
            names = ", ".join(p.name for p, d in zip(paths, days, strict=True) if d == day)
            raise InputError(f"{names} are all of {day}; give one file for each date")
    return days


def read_probability(path: Path, grid: xr.DataArray) -> xr.DataArray:
    """Read quarry probability from a raster of ``lulc classify --probabilities``, on a map's grid.

    Returns
    -------
    DataArray of float32, shape (y, x)
        0–1, NaN where there is none.

    Raises
    ------
    InputError
        No such file, or no band that is named after the quarry class.
    """
    wanted = f"{legend.code('quarry')} {legend.BY_KEY['quarry'].name}"
    source, band = _open_band(path, wanted, "lulc classify --probabilities")
    return to_grid(_on_disk(source, band, lambda steps: np.where(
        steps == SHARE_NO_DATA, np.nan, steps / SHARE_STEPS).astype(np.float32), np.float32),
        grid, np.nan)


def read_outside(path: Path, grid: xr.DataArray) -> xr.DataArray:
    """Read what lies outside the area of applicability, on a map's grid.

    Parameters
    ----------
    path : Path
        What ``lulc classify --applicability`` wrote.
    grid : DataArray, shape (y, x)
        The map's.

    Returns
    -------
    DataArray of float32, shape (y, x)
        1 outside, 0 inside, NaN where nothing is known.

    Raises
    ------
    InputError
        No such file, or another raster.
    """
    source, band = _open_band(path, APPLICABILITY, "lulc classify --applicability")
    return to_grid(_on_disk(source, band, lambda steps: np.where(
        steps == UNKNOWN, np.nan, steps > INSIDE).astype(np.float32), np.float32), grid, np.nan)


def _open_band(path: Path, name: str, writer: str) -> tuple[rasterio.DatasetReader, int]:
    """Open a raster and find the band that the command ``writer`` calls ``name``."""
    source = open_raster(path)
    if name not in source.descriptions:
        raise InputError(f"{path.name}: no band is called {name!r}; give what `{writer}` writes")
    return source, source.descriptions.index(name) + 1


class _Band(BackendArray):
    """A band of an open raster, read and converted where it is looked at."""

    def __init__(self, source: rasterio.DatasetReader, band: int, convert: Convert, dtype: type
                 ) -> None:
        self.source, self.band, self.convert = source, band, convert
        self.shape, self.dtype = source.shape, np.dtype(dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray:
        """Return what xarray asks for."""
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def __deepcopy__(self, memo: dict) -> _Band:
        """Return the same band: copies of an array share its file."""
        return self

    def _read(self, key: tuple[int | slice, ...]) -> NDArray:
        spans = [range(n)[k if isinstance(k, slice) else slice(k, k + 1)]
                 for n, k in zip(self.shape, key, strict=True)]
        if not all(spans):
            return np.empty([len(s) for s in spans], self.dtype)
        whole = Window.from_slices(*((min(s), max(s) + 1) for s in spans))
        try:
            values = self.convert(self.source.read(self.band, window=whole))
        except rasterio.errors.RasterioError as error:
            raise InputError(f"{Path(self.source.name).name}: its pixels cannot be read; the file "
                             "is damaged or truncated") from error
        kept = values[::spans[0].step, ::spans[1].step]
        return kept[tuple(slice(None) if isinstance(k, slice) else 0 for k in key)]


def _on_disk(source: rasterio.DatasetReader, band: int, convert: Convert, dtype: type
             ) -> xr.DataArray:
    """Return a band of an open raster as a (y, x) array with CRS that stays on disk."""
    out = xr.DataArray(indexing.LazilyIndexedArray(_Band(source, band, convert, dtype)),
                       dims=("y", "x"), coords=pixel_centres(source.transform, source.shape))
    out.rio.write_crs(source.crs, inplace=True)
    return out.rio.write_transform(source.transform, inplace=True)


def _open_codes(path: Path) -> xr.DataArray:
    """Return a class map on disk: what :func:`lulc_lib.data.reference.read_codes` reads whole."""
    source = open_classes(path)
    def codes(values: NDArray) -> NDArray[np.uint8]:
        if source.nodata not in (None, legend.NO_DATA):
            values = np.where(values == source.nodata, legend.NO_DATA, values)
        return legend.check_codes(values, path.name)

    return _on_disk(source, 1, codes, np.uint8).assign_attrs(name=path.stem)


def common_grid(maps: Sequence[xr.DataArray]) -> xr.DataArray:
    """Extend the first map's grid by whole pixels to hold all maps; values are NO_DATA."""
    first = maps[0]
    if all(same_grid(m, first) for m in maps):
        return first
    crs, wider, shape = covering([Grid(m.rio.crs, m.rio.transform(), m.shape) for m in maps])
    grid = xr.DataArray(np.full(shape, legend.NO_DATA, np.uint8), dims=("y", "x"),
                        coords=pixel_centres(wider, shape))
    return grid.rio.write_crs(crs).rio.write_transform(wider)


def in_metres(class_map: xr.DataArray) -> xr.DataArray:
    """Bring a class map to true metres: as it is, or in its UTM zone by nearest neighbour."""
    if is_metric(class_map.rio.crs):
        return class_map
    zone = class_map.rio.estimate_utm_crs()
    out = class_map.rio.write_nodata(legend.NO_DATA).rio.reproject(
        zone, resampling=Resampling.nearest)
    out.attrs = dict(class_map.attrs)
    return out


def parse_crs(crs: object, what: str) -> pyproj.CRS:
    """Read a CRS, else InputError; ``what`` says what it is of."""
    try:
        return pyproj.CRS.from_user_input(crs)
    except CRSError as error:
        raise InputError(f"{what} is {crs!r}; it must be a CRS such as EPSG:2180") from error


def is_metric(crs: object) -> bool:
    """Tell whether lengths in a CRS are metres on the ground; Web Mercator's are not."""
    if crs is None:
        return False
    crs = pyproj.CRS.from_user_input(crs)
    units = {axis.unit_name for axis in crs.axis_info}
    return crs.is_projected and units == {"metre"} and crs.to_epsg() != 3857


def pixel_area(grid: xr.DataArray) -> float:
    """Return the area of a pixel, square metres."""
    t = grid.rio.transform()
    return abs(t.a * t.e - t.b * t.d)


def _day(path: Path, text: str | None) -> date:
    """Read the date given, or the one in the file's name."""
    named = scene_date(path) if text is None else text
    if not named:
        raise InputError(f"{path.name}: no YYYYMMDD in the file's name; say the date with --dates")
    try:
        return date.fromisoformat(named)
    except ValueError:
        raise InputError(f"date of {path.name} is {named!r}; it must be a day, "
                         "YYYY-MM-DD") from None
