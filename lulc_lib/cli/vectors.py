"""Polygons or points as the reference of a class map of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import rasterio
import rasterio.transform
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window, bounds
from shapely import box

from lulc_lib import legend
from lulc_lib.errors import InputError

RULES = ("centre", "all_touched")
SUFFIXES = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".gml", ".kml", ".parquet")


class Codes(NamedTuple):
    """A block of codes (row, col) int64 and where it holds any."""

    codes: NDArray[np.int64]
    valid: NDArray[np.bool_]


class VectorReference:
    """A vector file with whole-number class codes in one of its columns.

    Parameters
    ----------
    path : vector file of polygons, or of points.
    column : the column of the codes; None: the only column of whole numbers.
    pixel_rule : ``centre`` gives a pixel to the polygon that holds its centre, ``all_touched`` to
        any that touches it. Where polygons overlap the later one wins.

    Raises
    ------
    InputError
        Unreadable file, no CRS, unknown column, codes that are no whole numbers, or shapes that
        are neither polygons nor points.
    """

    def __init__(self, path: Path, column: str | None, pixel_rule: str = "centre") -> None:
        self.name = path.name
        self.pixel_rule = pixel_rule
        table = _read(path)
        self.column_was_chosen = column is None
        self.column = _choose(table, path.name) if column is None else column
        if self.column not in table.columns or self.column == table.geometry.name:
            raise InputError(f"{path.name}: no column {self.column!r}; its columns are "
                             f"{', '.join(_fields(table))}")
        codes = _whole_numbers(table[self.column], f"{path.name}, column {self.column}")
        empty = table.geometry.isna() | table.geometry.is_empty
        self.empty = int(empty.sum())
        self.codes, self.shapes = codes[~empty.to_numpy()], table.geometry[~empty]
        self.polygons = _are_polygons(self.shapes, path.name)
        self.outside = 0  # shapes off the map; known once `on` has seen it

    @property
    def units(self) -> str:
        """What the shapes are, in a word."""
        return "polygons" if self.polygons else "points"

    @property
    def kind(self) -> str:
        """What is judged, for the report."""
        rule = f", pixel rule {self.pixel_rule}" if self.polygons else ""
        return f"map raster and {len(self.codes)} {self.units}, column {self.column!r}{rule}"

    def on(self, source: rasterio.DatasetReader) -> Callable[[Window], tuple]:
        """A function of a window that gives the reference codes there, on the map's grid.

        Of several points in one pixel the last one is judged.
        """
        name = Path(source.name).name
        if source.crs is None:
            raise InputError(f"{name}: has no CRS; with a vector reference the map needs one")
        local = self.shapes.to_crs(source.crs)
        index = local.sindex
        extent = box(*rasterio.transform.array_bounds(*source.shape, source.transform))
        self.outside = len(local) - len(index.query(extent, predicate="intersects"))

        def block(window: Window) -> Codes:
            area = box(*bounds(window, source.transform))
            near = np.sort(index.query(area))
            shape = (int(window.height), int(window.width))
            if near.size == 0:
                return Codes(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool))
            burned = rasterize(
                zip(local.iloc[near], self.codes[near].tolist(), strict=True), out_shape=shape,
                transform=rasterio.windows.transform(window, source.transform),
                fill=legend.NO_DATA, dtype="int32",
                all_touched=self.polygons and self.pixel_rule == "all_touched")
            return Codes(burned, burned != legend.NO_DATA)

        return block


def _read(path: Path) -> gpd.GeoDataFrame:
    if path.is_dir() and path.suffix.lower() != ".gdb":
        raise InputError(f"{path}: is a folder; a file is needed")
    if not path.exists():
        raise InputError(f"{path}: no such file")
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
    return table


def _fields(table: gpd.GeoDataFrame) -> list[str]:
    return [c for c in table.columns if c != table.geometry.name]


def _choose(table: gpd.GeoDataFrame, name: str) -> str:
    whole = [c for c in _fields(table) if pd.api.types.is_integer_dtype(table[c])]
    if len(whole) != 1:
        what = "no column" if not whole else f"{len(whole)} columns ({', '.join(whole)})"
        raise InputError(f"{name}: has {what} of whole numbers; name the one with the class codes "
                         f"by --column (columns: {', '.join(_fields(table)) or 'none'})")
    return whole[0]


def _whole_numbers(values: pd.Series, what: str) -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~(np.isfinite(numbers) & (numbers == np.floor(numbers)) & (np.abs(numbers) < 2**31))
    if bad.any():
        value = values[bad].iloc[0]
        shown = repr(value) if isinstance(value, str) else value
        raise InputError(f"{what}: holds {shown}; class codes are whole numbers")
    return numbers.astype(np.int64)


def _are_polygons(shapes: gpd.GeoSeries, name: str) -> bool:
    kinds = {kind.removeprefix("Multi") for kind in shapes.geom_type.unique()}
    if kinds not in ({"Polygon"}, {"Point"}):
        raise InputError(f"{name}: holds {', '.join(sorted(kinds)) or 'only empty shapes'}; a "
                         "reference is all polygons or all points")
    return kinds == {"Polygon"}
