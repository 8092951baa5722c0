"""References and masks: polygons or rasters to legend codes on a scene's grid."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import geopandas as gpd
import numpy as np
import pyogrio
import rasterio
import rioxarray  # noqa: F401  (gives DataArray its .rio accessor)
import xarray as xr
from rasterio.enums import Resampling
from rasterio.features import rasterize

from lulc_lib import legend
from lulc_lib.data.scenes import pixel_centres
from lulc_lib.errors import InputError

PixelRule = Literal["centre", "all_touched"]


def read_polygons(path: Path | str, column: str) -> gpd.GeoDataFrame:
    """Reference polygons with their legend code in column ``code`` (uint8), and their CRS.

    Parameters
    ----------
    path : vector file with polygons (GeoPackage, GeoJSON, shapefile).
    column : the column that holds the legend code.

    Raises
    ------
    InputError
        Unreadable file, unknown column, no polygons, no CRS, or a value that is no legend code.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        table = gpd.read_file(path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise InputError(f"{path}: cannot be read as a vector file ({error})") from error
    if column not in table.columns:
        fields = ", ".join(c for c in table.columns if c != table.geometry.name)
        raise InputError(f"{path.name}: no column {column!r}; its columns are {fields}")
    if table.empty:
        raise InputError(f"{path.name}: holds no polygons")
    if table.crs is None:
        raise InputError(f"{path.name}: has no CRS; a reference must be georeferenced")
    codes = legend.check_codes(table[column].to_numpy(), f"{path.name}, column {column}")
    return table.assign(code=codes)


def rasterise(
    polygons: gpd.GeoDataFrame, grid: xr.DataArray, pixel_rule: PixelRule
) -> xr.DataArray:
    """Polygons to legend codes on a grid; where polygons overlap the later one wins.

    Parameters
    ----------
    polygons : with column ``code`` (see :func:`read_polygons`), any CRS.
    grid : any (…, y, x) array with CRS; its grid is used.
    pixel_rule : ``centre`` gives a pixel to the polygon that holds its centre; ``all_touched`` to
        any polygon that touches it. The choice moves the published overall accuracy by two
        percentage points, so there is no default.

    Returns
    -------
    (y, x) uint8 legend codes, NO_DATA outside the polygons.

    Raises
    ------
    InputError
        Unknown pixel rule, or no polygon covers a pixel of the grid.
    """
    return _burn(polygons, polygons["code"], grid, pixel_rule).astype(np.uint8)


def rasterise_ids(
    polygons: gpd.GeoDataFrame, grid: xr.DataArray, pixel_rule: PixelRule
) -> xr.DataArray:
    """Polygon numbers on a grid: (y, x) int32, 1 … n in the table's order, 0 outside."""
    return _burn(polygons, range(1, len(polygons) + 1), grid, pixel_rule)


def _burn(polygons, values, grid: xr.DataArray, pixel_rule: str) -> xr.DataArray:
    if pixel_rule not in ("centre", "all_touched"):
        raise InputError(f"pixel_rule is {pixel_rule!r}; it must be 'centre' or 'all_touched'")
    crs = _crs_of(grid)
    local = polygons.geometry.to_crs(crs)
    burned = rasterize(
        zip(local, values, strict=True),
        out_shape=grid.shape[-2:],
        transform=grid.rio.transform(),
        fill=legend.NO_DATA,
        all_touched=pixel_rule == "all_touched",
        dtype="int32",
    )
    if not burned.any():
        raise InputError(
            f"no polygon covers a pixel of the scene: polygons lie in "
            f"{_bounds(local.total_bounds)}, the scene in {_bounds(grid.rio.bounds())} ({crs})"
        )
    return on_grid(burned, grid)


def read_mask(path: Path | str, grid: xr.DataArray | None = None) -> xr.DataArray:
    """A mask or class map raster as legend codes, on its own grid or on another's.

    Parameters
    ----------
    path : one-band raster of legend codes (any number type).
    grid : if given, the result lies on this grid; a mask in another CRS or on another grid is
        resampled by nearest neighbour.

    Returns
    -------
    (y, x) uint8 legend codes, NO_DATA where the raster has none, with CRS.

    Raises
    ------
    InputError
        Unreadable file, not one band, values that are no legend code, or no overlap with ``grid``.
    """
    path = Path(path)
    try:
        with rasterio.open(path) as src:
            if src.count != 1:
                raise InputError(f"{path.name}: has {src.count} bands; a mask has one")
            if src.crs is None:
                raise InputError(f"{path.name}: has no CRS; a mask must be georeferenced")
            data, crs, transform, nodata = src.read(1), src.crs, src.transform, src.nodata
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: cannot be read as a raster ({error})") from error
    if nodata is not None:
        data = np.where(data == nodata, legend.NO_DATA, data)
    mask = xr.DataArray(
        legend.check_codes(data, path.name), dims=("y", "x"),
        coords=pixel_centres(transform, data.shape),
    ).rio.write_crs(crs).rio.write_transform(transform)
    mask.attrs["name"] = path.stem
    return mask if grid is None else _to_grid(mask, grid)


def _to_grid(mask: xr.DataArray, grid: xr.DataArray) -> xr.DataArray:
    crs = _crs_of(grid)
    same = mask.rio.crs == crs and mask.shape == grid.shape[-2:]
    if same and mask.rio.transform().almost_equals(grid.rio.transform()):
        return mask
    out = mask.rio.write_nodata(legend.NO_DATA).rio.reproject(
        crs, shape=grid.shape[-2:], transform=grid.rio.transform(), resampling=Resampling.nearest
    )
    if not out.values.any():
        raise InputError(
            f"{mask.attrs['name']}: no labelled pixel lies on the scene: the mask covers "
            f"{_bounds(mask.rio.bounds())} ({mask.rio.crs}), the scene "
            f"{_bounds(grid.rio.bounds())} ({crs})"
        )
    return on_grid(out.values, grid).assign_attrs(name=mask.attrs["name"])


def on_grid(values: np.ndarray, grid: xr.DataArray) -> xr.DataArray:
    """(row, col) values as a (y, x) array on another array's grid, with its CRS."""
    if values.shape != grid.shape[-2:]:
        raise InputError(f"array is {values.shape}; the grid has {grid.shape[-2:]} pixels")
    out = xr.DataArray(values, dims=("y", "x"), coords={"y": grid.y, "x": grid.x})
    return out.rio.write_crs(_crs_of(grid)).rio.write_transform(grid.rio.transform())


def _crs_of(grid: xr.DataArray):
    if grid.rio.crs is None:
        raise InputError("the grid has no CRS; read it with read_scene or read_mask")
    return grid.rio.crs


def _bounds(bounds) -> str:
    left, bottom, right, top = (float(b) for b in bounds)
    return f"x {left:.0f}…{right:.0f}, y {bottom:.0f}…{top:.0f}"
