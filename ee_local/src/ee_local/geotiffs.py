"""Files as images: GeoTIFFs of any dtype and CRS, and class codes from polygons or a raster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.features import rasterize

from ee_local.errors import EngineError, InputError
from ee_local.geometry import Geometry
from ee_local.grid import Grid, Projection, covering, parse_crs
from ee_local.pixels import DOUBLE, FLOAT, Band, Image, PixelType, integer_type
from ee_local.pyramids import LEVELS, NUMBERS, Level, StoredBand

Reader = Callable[[], Level]

CODES = re.compile(r"SCL|QA\d+|MSK_CLASSI_\w+")
"""Names of Sentinel-2 bands that hold codes: coarser levels take one pixel, not a mean."""

ZEROS = re.compile(r"QA\d+|MSK_\w+")
"""Names of Sentinel-2 bands in which 0 says something, also in a file whose nodata value is 0: no
cloud."""

RASTERS = (".tif", ".tiff")
"""Endings of GeoTIFFs, in lower case."""


def raster_image(path: Path | str, identifier: str, properties: Mapping[str, Any] | None = None,
                 names: Sequence[str] | None = None, read: Reader | None = None) -> Image:
    """Open a GeoTIFF as an image; its pixels are read when they are first asked for.

    Parameters
    ----------
    path : Path or str
        The file; it must have a CRS and a geotransform.
    identifier : str
        Asset id, such as ``COPERNICUS/S2_SR_HARMONIZED/20230709_T33UWS``.
    properties : mapping
        Properties of the image; ``system:index`` and ``system:asset_size`` are added.
    names : sequence of str
        Names of the bands. By default those of the file's band descriptions, and ``B1``, ``B2``, …
        where a band has none. An alpha band is a mask and not counted.
    read : callable
        A reader of one's own, for pixels that must be changed on their way: it gives values and
        mask, each (band, row, col) in the order of ``names``, values of the first band's dtype.
        By default the bands as they are, masked where the file says nodata, by a mask or an alpha
        band, and where a floating-point value is not finite.

    Raises
    ------
    InputError
        The file cannot be read, has no CRS or geotransform, holds complex numbers, or two of its
        bands have one name.
    """
    path = Path(path)
    with _opened(path) as source:
        projection, shape = _projection(source, path.name), source.shape
        indexes = [k for k, c in zip(source.indexes, source.colorinterp, strict=True)
                   if c != ColorInterp.alpha]
        types = [_pixel_type(source.dtypes[k - 1], path.name) for k in indexes]
        named = list(names or _band_names(source, indexes, path.name))
        tables = {n: _colours(source, k) for n, k in zip(named, indexes, strict=False)}
    if read is None:
        loads = [partial(_read_band, path, k, bool(ZEROS.fullmatch(name)))
                 for k, name in zip(indexes, named, strict=True)]
    else:
        number, types = next(NUMBERS), types[:1] * len(named)
        loads = [partial(_part, number, read, k) for k in range(len(named))]
    bands = tuple(
        Band(name, kind, StoredBand(projection, load, bool(
            tables.get(name) or CODES.fullmatch(name))).read, projection, (shape[1], shape[0]))
        for name, kind, load in zip(named, types, loads, strict=True))
    own = {"system:index": identifier.rsplit("/", 1)[-1], "system:asset_size": path.stat().st_size}
    return Image(bands, own | _class_properties(tables) | dict(properties or {}),
                 outline(projection, shape), identifier, 1, file=path)


def read_tags(path: Path) -> dict[str, str]:
    """Read the tags of a raster, those of GDAL's imagery domain among them.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    with _opened(path) as source:
        return source.tags(ns="IMAGERY") | source.tags()


@contextmanager
def _opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster, or say in one line that it is none."""
    try:
        with rasterio.open(path) as source:
            yield source
    except (rasterio.errors.RasterioError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a raster ({error})") from None


def _part(number: int, read: Reader, k: int) -> Level:
    """Take the k-th band of a reader that gives them all, which is called once."""
    values, mask = LEVELS.get(number, read)
    return values[k], mask[k]


def _read_band(path: Path, k: int, zeros: bool = False) -> Level:
    """Read values, 0 where masked, and mask of the k-th band of a file, each (row, col).

    With ``zeros``, a nodata value of 0 counts where another band has data.
    """
    try:
        with rasterio.open(path) as source:
            values, mask = source.read(k), source.read_masks(k) > 0
            if zeros and source.nodata == 0:
                mask |= source.dataset_mask() > 0
    except (rasterio.errors.RasterioError, OSError):
        raise InputError(f"{path.name}: its pixels cannot be read; the file is damaged, truncated "
                         "or gone") from None
    if values.dtype.kind == "f":
        mask &= np.isfinite(values)
    return np.where(mask, values, 0).astype(values.dtype), mask


def _projection(source: rasterio.DatasetReader, name: str) -> Projection:
    """Return the CRS, by its EPSG code or else as WKT, and the transform of a file."""
    if source.crs is None:
        raise InputError(f"{name}: the file has no CRS; write one into it, for example with "
                         "`rio edit-info --crs EPSG:32633`")
    if source.transform.is_identity:
        raise InputError(f"{name}: the file has no geotransform; warp it to a grid first, for "
                         "example with `rio warp`")
    epsg = source.crs.to_epsg()
    crs = source.crs.to_wkt() if epsg is None else f"EPSG:{epsg}"
    try:
        parse_crs(crs)
    except EngineError:
        raise InputError(f"{name}: its CRS is not understood: {crs[:80]}") from None
    return Projection(crs, tuple(source.transform)[:6])


def _pixel_type(dtype: str, name: str) -> PixelType:
    kind = np.dtype(dtype)
    if kind.kind not in "iuf":
        raise InputError(f"{name}: its pixels are {dtype}; integers or floating-point numbers are "
                         "needed")
    if kind.kind == "f":
        return DOUBLE if kind.itemsize > 4 else FLOAT
    return integer_type(dtype)


def _band_names(source: rasterio.DatasetReader, indexes: Sequence[int], name: str) -> list[str]:
    """Return the bands' descriptions, or B1, B2, … for those that have none."""
    names = [(source.descriptions[k - 1] or "").strip() or f"B{k}" for k in indexes]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice:
        raise InputError(f"{name}: two bands are named {twice!r}; the band descriptions "
                         "must differ")
    return names


def _colours(source: rasterio.DatasetReader, k: int) -> dict[int, str]:
    """Return the colour table of a band, code to RRGGBB, without the black that fills gaps."""
    if source.colorinterp[k - 1] != ColorInterp.palette:
        return {}
    table = source.colormap(k).items()
    return {code: f"{r:02x}{g:02x}{b:02x}" for code, (r, g, b, _) in table if r or g or b}


def _class_properties(tables: Mapping[str, Mapping[int, str]]) -> dict[str, Any]:
    """Return the properties by which Earth Engine describes the classes of bands."""
    properties: dict[str, Any] = {}
    for name, table in tables.items():
        if table:
            properties[f"{name}_class_values"] = list(table)
            properties[f"{name}_class_palette"] = list(table.values())
    return properties


def outline(projection: Projection, shape: Sequence[int]) -> Geometry:
    """Return the outline of a raster of (row, col) shape, in its own coordinates."""
    rows, cols = shape
    return Geometry(shapely.box(*Grid(projection, cols, rows).bounds()), projection.crs, False)


def class_image(path: Path, identifier: str, band: str, grid: Projection, columns: Sequence[str],
                codes: range, properties: Mapping[str, Any] | None = None) -> Image:
    """Make an image of class codes out of polygons, burned at pixel centres, or out of a raster.

    Parameters
    ----------
    path : Path
        A raster of codes, taken on its own grid, or a vector file.
    identifier : str
        Asset id.
    band : str
        Name of the only band.
    grid : Projection
        Grid that polygons are burned on.
    columns : sequence of str
        Names, in any case, that the column of codes may have; the first column of one is taken.
    codes : range
        Codes that are allowed; 0 and nodata are masked.
    properties : mapping
        Properties of the image.

    Raises
    ------
    InputError
        The file cannot be read, has no CRS, no such column, or holds another code.
    """
    if path.suffix.lower() in RASTERS:
        grid, shape, load = _code_raster(path, codes)
    else:
        grid, shape, load = _code_polygons(path, grid, columns, codes)
    one = Band(band, integer_type("uint16"), StoredBand(grid, load, categories=True).read, grid,
               (shape[1], shape[0]))
    return Image((one,), dict(properties or {}), outline(grid, shape), identifier, 1)


Codes = tuple[Projection, tuple[int, int], Reader]


def _code_polygons(path: Path, grid: Projection, columns: Sequence[str], codes: range) -> Codes:
    import geopandas as gpd

    try:
        table = gpd.read_file(path)
    except Exception as error:
        raise InputError(f"{path}: cannot be read as a vector file ({error})") from None
    if isinstance(table, gpd.GeoDataFrame):
        table = table[~(table.geometry.isna() | table.geometry.is_empty)]
    if getattr(table, "crs", None) is None or table.empty:
        raise InputError(f"{path.name}: has no CRS or no polygons; both are needed")
    allowed = [c.lower() for c in columns]
    names = [c for c in table.columns if c.lower() in allowed]
    if not names:
        raise InputError(f"{path.name}: none of its columns {', '.join(table.columns)} is one of "
                         f"{', '.join(columns)}")
    try:
        numbers = table[names[0]].astype(float).to_numpy()
    except (TypeError, ValueError):
        raise InputError(f"{path.name}: its column {names[0]!r} holds what is no number") from None
    burned = _checked(numbers, path.name, codes)
    shapes = table.geometry.to_crs(grid.crs)
    place = covering(grid, tuple(float(v) for v in shapes.total_bounds))

    def load() -> Level:
        values = rasterize(zip(shapes, burned.tolist(), strict=True), place.shape,
                           transform=place.projection.affine(), dtype="uint16", fill=0)
        return values, values > 0
    return place.projection, place.shape, load


def _code_raster(path: Path, codes: range) -> Codes:
    with _opened(path) as source:
        projection, shape = _projection(source, path.name), source.shape
    values, mask = _read_band(path, 1)
    mask &= values > 0
    _checked(values[mask].astype(float), path.name, codes)
    return projection, shape, lambda: (np.where(mask, values, 0).astype(np.uint16), mask)


def _checked(values: NDArray[np.float64], name: str, codes: range) -> NDArray[np.uint16]:
    bad = ~((values >= codes.start) & (values < codes.stop) & (values == np.floor(values)))
    if bad.any():
        raise InputError(f"{name}: holds {values[bad][0]:g}; its codes must be whole numbers from "
                         f"{codes.start} to {codes.stop - 1}")
    return values.astype(np.uint16)
