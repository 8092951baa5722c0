"""CORINE Land Cover as Earth Engine has it: band ``landcover``, 100 m, EPSG:3035.

It is made from a file that is given, or from ``registries/corine.*`` of the data folder: polygons
with a column of level-3 codes, burned at pixel centres, or a raster of such codes. CORINE itself
was rasterised from the same polygons, so single pixels along borders can differ from Google's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
import shapely
from rasterio.features import rasterize

from ee_local.grid import Projection, covering, parse_crs
from ee_local.pixels import Band, Image, integer_type
from ee_local.shapes import Geometry
from ee_local.stored import Level, StoredBand
from lulc_lib import legend
from lulc_lib.errors import InputError

CORINE = "COPERNICUS/CORINE/V20/100m/2018"
BAND = "landcover"
CRS = "EPSG:3035"
PIXEL = 100.0
SUFFIXES = (".gpkg", ".geojson", ".shp", ".fgb", ".tif", ".tiff")
COLUMNS = ("code_18", "code18", "clc18", "clc_code", "landcover")


def find_corine(root: Path) -> Path | None:
    """The CORINE file among the registries of a data folder; None if there is none."""
    for suffix in SUFFIXES:
        path = root / "registries" / f"corine{suffix}"
        if path.is_file():
            return path
    return None


def corine_image(path: Path) -> Image:
    """CORINE 2018 as an image of the catalogue.

    Raises
    ------
    InputError
        The file cannot be read, has no CRS, or holds no level-3 codes.
    """
    read = _raster if path.suffix.lower() in (".tif", ".tiff") else _polygons
    bounds, projection, load = read(path)
    grid = covering(projection, bounds)
    stored = StoredBand(grid.projection, cache(load), categories=True)
    band = Band(BAND, integer_type("uint16"), stored.read, grid.projection,
                (grid.width, grid.height))
    footprint = Geometry(shapely.box(*grid.bounds()), projection.crs, False)
    properties = {"system:index": "2018", "system:time_start": 1_483_228_800_000,
                  f"{BAND}_class_values": sorted(legend.corine_crosswalk())}
    return Image((band,), properties, footprint, CORINE, 1)


Source = tuple[tuple[float, float, float, float], Projection, Callable[[], Level]]


def _polygons(path: Path) -> Source:
    import geopandas as gpd

    try:
        table = gpd.read_file(path)
    except Exception as error:
        raise InputError(f"{path}: cannot be read as a vector file ({error})") from None
    if table.crs is None or table.empty:
        raise InputError(f"{path.name}: has no CRS or no polygons; CORINE needs both")
    names = [c for c in table.columns if c.lower() in COLUMNS]
    if not names:
        raise InputError(f"{path.name}: none of its columns {', '.join(table.columns)} is one of "
                         f"CORINE's codes, such as Code_18")
    codes = _checked(table[names[0]].astype(float).to_numpy(), path)
    shapes = table.geometry.to_crs(CRS)
    bounds = tuple(float(v) for v in shapes.total_bounds)
    projection = Projection(CRS).at_scale(PIXEL)
    grid = covering(projection, bounds)

    def load() -> Level:
        burned = rasterize(zip(shapes, codes.tolist(), strict=True), grid.shape,
                           transform=grid.projection.affine(), dtype="uint16", fill=0)
        return burned.astype(np.float64), burned > 0
    return bounds, projection, load


def _raster(path: Path) -> Source:
    try:
        with rasterio.open(path) as source:
            if source.crs is None or source.crs.to_epsg() is None:
                raise InputError(f"{path.name}: the file has no CRS with an EPSG code")
            crs, transform = f"EPSG:{source.crs.to_epsg()}", tuple(source.transform)[:6]
            bounds, nodata = tuple(source.bounds), source.nodata
            values = source.read(1).astype(np.float64)
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: cannot be read as a raster ({error})") from None
    valid = np.isfinite(values) & (values != (0 if nodata is None else nodata)) & (values > 0)
    _checked(values[valid], path)
    parse_crs(crs)
    return bounds, Projection(crs, transform), lambda: (np.where(valid, values, 0), valid)


def _checked(codes: np.ndarray, path: Path) -> np.ndarray:
    bad = ~((codes >= 111) & (codes <= 999) & (codes == np.floor(codes)))
    if bad.any():
        raise InputError(f"{path.name}: holds {codes[bad][0]:g}; CORINE's level-3 codes have three "
                         "digits, such as 131")
    return codes.astype(np.uint16)
