"""References and class rasters: polygons or pixels to legend codes on a scene's grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import geopandas as gpd
import numpy as np
import pyogrio
import rasterio
import rioxarray  # noqa: F401  (gives DataArray its .rio accessor)
import xarray as xr
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.features import rasterize

from lulc_lib import legend
from lulc_lib.data.grids import check_grid
from lulc_lib.data.scenes import pixel_centres
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file

PixelRule = Literal["centre", "all_touched"]


def read_shapes(path: Path | str, column: str | None = None) -> gpd.GeoDataFrame:
    """Read a vector file of one layer with its CRS, and ``column`` if that is stated.

    InputError: unreadable file, several layers, no shapes, no CRS, or unknown column.
    """
    path = Path(path)
    if path.suffix.lower() != ".gdb":
        existing_file(path)
    try:
        layers = [str(layer) for layer, kind in pyogrio.list_layers(path) if kind]
        table = gpd.read_file(path, layer=layers[0] if layers else None)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read as a vector file ({error})") from error
    if len(layers) > 1:
        raise InputError(f"{path.name}: has {len(layers)} layers ({', '.join(layers)}); a "
                         "reference has one")
    if not isinstance(table, gpd.GeoDataFrame):
        raise InputError(f"{path.name}: holds no shapes, only a table")
    if table.empty:
        raise InputError(f"{path.name}: holds no polygons or points")
    if table.crs is None:
        raise InputError(f"{path.name}: has no CRS; a reference must be georeferenced")
    if column is not None and column not in fields(table):
        raise InputError(f"{path.name}: no column {column!r}; its columns are "
                         f"{', '.join(fields(table))}")
    return table


def fields(table: gpd.GeoDataFrame) -> list[str]:
    """Return the columns of a table of shapes but the shapes."""
    return [c for c in table.columns if c != table.geometry.name]


def read_polygons(path: Path | str, column: str) -> gpd.GeoDataFrame:
    """Read polygons with their legend code in column ``code`` (uint8).

    Raises
    ------
    InputError
        The file cannot be used, or a value in ``column`` is no legend code.
    """
    table = read_shapes(path, column)
    codes = legend.check_codes(table[column].to_numpy(), f"{Path(path).name}, column {column}")
    return table.assign(code=codes)


def rasterise(polygons: gpd.GeoDataFrame, grid: xr.DataArray, pixel_rule: PixelRule
              ) -> xr.DataArray:
    """Burn polygons into a grid as legend codes; where polygons overlap the later one wins.

    Parameters
    ----------
    polygons : GeoDataFrame
        With column ``code`` (see :func:`read_polygons`), any CRS.
    grid : DataArray, shape (…, y, x)
        Any array with CRS; its grid is used.
    pixel_rule : {"centre", "all_touched"}
        A pixel belongs to the polygon that holds its centre, or to any that touches it. The choice
        moves the published overall accuracy by two percentage points, so there is no default.

    Returns
    -------
    DataArray, shape (y, x), uint8
        Legend codes, NO_DATA outside the polygons.

    Raises
    ------
    InputError
        Unknown pixel rule, or no polygon covers a pixel of the grid.
    """
    return _burn(polygons, polygons["code"], grid, pixel_rule).astype(np.uint8)


def rasterise_ids(polygons: gpd.GeoDataFrame, grid: xr.DataArray, pixel_rule: PixelRule
                  ) -> xr.DataArray:
    """Burn polygon numbers into a grid: (y, x) int32, 1 … n in the table's order, 0 outside."""
    return _burn(polygons, range(1, len(polygons) + 1), grid, pixel_rule)


def _burn(polygons: gpd.GeoDataFrame, values: Iterable[int], grid: xr.DataArray,
          pixel_rule: str) -> xr.DataArray:
    if pixel_rule not in ("centre", "all_touched"):
        raise InputError(f"pixel_rule is {pixel_rule!r}; it must be 'centre' or 'all_touched'")
    crs = _crs_of(grid)
    local = polygons.geometry.to_crs(crs)
    burned = rasterize(
        zip(local, values, strict=True), out_shape=grid.shape[-2:], fill=legend.NO_DATA,
        transform=grid.rio.transform(), all_touched=pixel_rule == "all_touched", dtype="int32")
    if not burned.any():
        raise InputError(
            f"no polygon covers a pixel of the scene: polygons lie in "
            f"{_bounds(local.total_bounds)}, the scene in {_bounds(grid.rio.bounds())} ({crs})")
    return on_grid(burned, grid)


def open_raster(path: Path | str) -> rasterio.DatasetReader:
    """Open a raster of any kind, else InputError."""
    path = existing_file(path)
    try:
        return rasterio.open(path)
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: cannot be read as a raster ({error})") from error


def open_classes(path: Path | str, georeferenced: bool = True) -> rasterio.DatasetReader:
    """Open a raster of class codes: one band of real numbers on the Earth, else InputError."""
    path, source = Path(path), open_raster(path)
    wrong = None
    if source.count != 1:
        wrong = f"has {source.count} bands; a class map has one"
    elif np.dtype(source.dtypes[0]).kind not in "iuf":
        wrong = f"pixels are {source.dtypes[0]}; class codes are numbers"
    elif georeferenced and source.crs is None:
        wrong = "has no CRS; a class raster must be georeferenced"
    try:
        if wrong:
            raise InputError(f"{path.name}: {wrong}")
        check_grid(source, path.name)
    except InputError:
        source.close()
        raise
    return source


def names_in_tags(tags: Mapping[str, str]) -> dict[int, str]:
    """Return the names of the codes that a class map's tags ``class_CODE`` give; empty if none."""
    return {int(key[6:]): name for key, name in tags.items()
            if key.startswith("class_") and key[6:].isdigit()}


def read_codes(path: Path | str, grid: xr.DataArray | None = None) -> xr.DataArray:
    """Read a raster of legend codes (class map, reference, training labels) as a whole.

    Parameters
    ----------
    path : Path or str
        One-band raster of legend codes (any dtype).
    grid : DataArray, optional
        Resample to this grid, by nearest neighbour, unless the raster lies on it.

    Returns
    -------
    DataArray, shape (y, x), uint8
        Legend codes, NO_DATA where the raster has none, with CRS.

    Raises
    ------
    InputError
        Unreadable, several bands, values that are no legend code, or no overlap with ``grid``.
    """
    path = Path(path)
    with open_classes(path) as src:
        try:
            data, crs, transform, nodata = src.read(1), src.crs, src.transform, src.nodata
        except rasterio.errors.RasterioError as error:
            raise InputError(f"{path}: cannot be read as a raster ({error})") from error
    if nodata is not None:
        data = np.where(data == nodata, legend.NO_DATA, data)
    codes = xr.DataArray(
        legend.check_codes(data, path.name), dims=("y", "x"),
        coords=pixel_centres(transform, data.shape),
    ).rio.write_crs(crs).rio.write_transform(transform)
    codes.attrs["name"] = path.stem
    return codes if grid is None else _to_grid(codes, grid)


def _to_grid(codes: xr.DataArray, grid: xr.DataArray) -> xr.DataArray:
    crs, out = _crs_of(grid), to_grid(codes, grid, legend.NO_DATA)
    if out is not codes and not out.values.any():
        raise InputError(
            f"{codes.attrs['name']}: no labelled pixel lies on the scene: the raster covers "
            f"{_bounds(codes.rio.bounds())} ({codes.rio.crs}), the scene "
            f"{_bounds(grid.rio.bounds())} ({crs})")
    return out.assign_attrs(name=codes.attrs["name"])


def to_grid(values: xr.DataArray, grid: xr.DataArray, nodata: float) -> xr.DataArray:
    """Resample a (y, x) array to a grid by nearest neighbour, ``nodata`` where it has no value."""
    if same_grid(values, grid):
        return values
    out = values.rio.write_nodata(nodata).rio.reproject(
        grid.rio.crs, shape=grid.shape[-2:], transform=grid.rio.transform(),
        resampling=Resampling.nearest)
    return on_grid(out.values, grid)


def same_grid(one: xr.DataArray, other: xr.DataArray) -> bool:
    """Tell whether two (…, y, x) arrays have the same pixels."""
    return (one.shape[-2:] == other.shape[-2:] and one.rio.crs == other.rio.crs
            and one.rio.transform().almost_equals(other.rio.transform()))


def on_grid(values: NDArray[np.generic], grid: xr.DataArray) -> xr.DataArray:
    """Return (row, col) values as a (y, x) array on another array's grid, with its CRS."""
    if values.shape != grid.shape[-2:]:
        raise InputError(f"array is {values.shape}; the grid has {grid.shape[-2:]} pixels")
    out = xr.DataArray(values, dims=("y", "x"), coords={"y": grid.y, "x": grid.x})
    return out.rio.write_crs(_crs_of(grid)).rio.write_transform(grid.rio.transform())


def _crs_of(grid: xr.DataArray) -> rasterio.CRS:
    if grid.rio.crs is None:
        raise InputError("the grid has no CRS; read it with read_scene or read_codes")
    return grid.rio.crs


def _bounds(bounds: Iterable[float]) -> str:
    left, bottom, right, top = (float(b) for b in bounds)
    return f"x {left:.0f}…{right:.0f}, y {bottom:.0f}…{top:.0f}"
