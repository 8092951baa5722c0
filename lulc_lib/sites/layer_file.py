"""One registry layer's file: looked up in the folder, read as it is, with its CRS."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from lulc_lib.errors import InputError
from lulc_lib.io import existing_file
from lulc_lib.io.tables import POLISH, guess_encoding, text_table
from lulc_lib.sites.layers import Layer, find_column
from lulc_lib.sites.maps import parse_crs

LONGITUDE = ("lon", "longitude", "long", "lng", "dlugosc", "dlugosc_geograficzna")
LATITUDE = ("lat", "latitude", "szerokosc", "szerokosc_geograficzna")
CRS_COLUMN = ("crs", "epsg", "srid")

_UNSTATED_CODE_PAGES = (0x00, 0x57)
"""dBASE language ids that say nothing (absent, or "whatever the system has")."""
_READ = (".gpkg", ".geojson", ".shp")
_NOT_READ = (".zip", ".kml", ".kmz", ".gml", ".json", ".fgb", ".tab", ".xlsx", ".xls", ".csv",
             ".parquet", ".gdb")

CLEARLY = 0.1
"""Degrees by which x and y exchanged must fit better to be taken as exchanged."""
ZONE = 6.0
"""Degrees, a UTM zone: a layer that lies farther from its CRS's area of use is not in it."""

Bounds = tuple[float, float, float, float]
Note = Callable[[str], None]


def find_layer_file(folder: Path, layer: Layer, note: Note) -> Path | None:
    """Find the layer's file in a folder, None if there is none; case does not count.

    Raises
    ------
    InputError
        There are two.
    """
    same_name = [p for p in sorted(folder.iterdir()) if p.stem.casefold() == layer.name]
    paths = [p for p in same_name if p.suffix.casefold() in layer.suffixes]
    if len(paths) > 1:
        raise InputError(f"{folder}: holds {' and '.join(p.name for p in paths)}; a layer is one "
                         "file, so move the others away")
    if not paths:
        for path in same_name:
            if path.suffix.casefold() in _NOT_READ:
                note(f"{path.name} is not read; {layer.name} must be "
                     f"{' or '.join(layer.suffixes)}")
    return paths[0] if paths else None


def note_unknown_files(folder: Path, layers: Iterable[str], note: Note) -> None:
    """Name the files of a folder that may hold a layer and are called like none of ``layers``."""
    names = list(layers)
    unknown = [p.name for p in sorted(folder.iterdir())
               if p.suffix.casefold() in (*_READ, *_NOT_READ) and p.stem.casefold() not in names
               and not p.name.endswith(".source.json")]
    if unknown:
        note(f"not read, as no layer is called so: {', '.join(unknown)}; layers are "
             f"{', '.join(names)}")


def read_layer_file(path: Path, map_crs: CRS, bounds: Bounds | None, note: Note
                    ) -> gpd.GeoDataFrame:
    """Read the file's rows with all their fields, in the file's own CRS.

    ``map_crs`` is that of ``bounds`` (left, bottom, right, top; rows that cannot lie there may be
    left out, but none that state no place) and of x and y of a CSV that states none. ``note`` is
    told what the user should know.

    Raises
    ------
    InputError
        Unreadable, no shapes, several layers, no CRS, or coordinates that do not fit the CRS.
    """
    if existing_file(path).suffix.casefold() == ".csv":
        points = _read_csv(path, map_crs, note)
        _check_area_of_use(points.geometry, points.crs, path.name, note)
        return points
    encoding = _encoding(path, note) if path.suffix.casefold() == ".shp" else None
    try:
        name = _layer_name(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            info = pyogrio.read_info(path, layer=name, force_total_bounds=True)
            crs = _crs(info["crs"], path)
            extent = info["total_bounds"] if info["features"] else None
            if crs.is_geographic and extent is not None:
                _check_degrees(extent[0::2], extent[1::2], path.name)
            if extent is not None and not _inside_area_of_use(tuple(extent), crs):
                _check_area_of_use(pyogrio.read_dataframe(path, layer=name, columns=[]).geometry,
                                   crs, path.name, note)
            near = None if bounds is None else tuple(
                gpd.GeoSeries([outline(bounds)], crs=map_crs).to_crs(crs).total_bounds)
            read = partial(pyogrio.read_dataframe, path, layer=name, encoding=encoding,
                           datetime_as_string=True)
            if near is None:
                return read()
            numbers, boxes = pyogrio.read_bounds(path, layer=name)
            nowhere = numbers[~placed(boxes.T)]  # a reading by place leaves them out
            return pd.concat([read(bbox=near), *([read(fids=nowhere)] if len(nowhere) else [])],
                             ignore_index=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, RuntimeError, OSError,
            UnicodeDecodeError) as error:
        parts = (" (a shapefile is at least .shp, .shx and .dbf; copy them all)"
                 if path.suffix.casefold() == ".shp" else "")
        raise InputError(f"{path}: cannot be read as a vector file ({error}){parts}") from error


def placed(boxes: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell which bounds (row, 4) are of a place: not those of no shape, nor 0, 0, as tools write.

    >>> placed(np.array([[1, 1, 2, 2], [np.nan] * 4, [0, 0, 0, 0]])).tolist()
    [True, False, False]
    """
    return np.isfinite(boxes).all(axis=1) & (boxes != 0).any(axis=1)


def _layer_name(path: Path) -> str:
    """Name the layer to read: the only one with shapes, or the one called like the file."""
    names = [str(n) for n, kind in pyogrio.list_layers(path) if kind is not None]
    if not names:
        raise InputError(f"{path.name}: holds no shapes, only a table")
    same = [n for n in names if n.casefold() == path.stem.casefold()]
    if len(names) > 1 and len(same) != 1:
        raise InputError(f"{path.name}: has {len(names)} layers ({', '.join(names)}); leave one, "
                         f"or call the one to use {path.stem}")
    return same[0] if same else names[0]


def _crs(stated: str | None, path: Path) -> CRS:
    """Read the file's CRS; one that is missing, or tied to no place on Earth, is refused."""
    if stated is None:
        hint = " (a shapefile has it in a .prj file)" if path.suffix.casefold() == ".shp" else ""
        raise InputError(f"{path.name}: has no CRS{hint}; a registry layer must state it")
    crs = CRS.from_user_input(stated)
    if not (crs.is_geographic or crs.is_projected):
        raise InputError(f"{path.name}: its CRS is {crs.name} ({crs.type_name}); a registry layer "
                         "must be in a geographic or a projected one")
    return crs


def _check_degrees(longitude: Iterable[float], latitude: Iterable[float], name: str) -> None:
    """Raise InputError unless all are degrees; NaN and infinity (no shape) do not count."""
    for values, limit, what in ((longitude, 180, "longitude"), (latitude, 90, "latitude")):
        wrong = [float(v) for v in values if limit + 1e-6 < abs(v) < float("inf")]
        if wrong:
            raise InputError(f"{name}: {what} {wrong[0]:.6g} is beyond {limit} degrees; its "
                             "coordinates are not in the CRS that it states or implies")


def _check_area_of_use(shapes: gpd.GeoSeries, crs: CRS, name: str, note: Note) -> None:
    """Raise InputError for a layer whose x and y are exchanged, or that lies elsewhere.

    A layer may reach beyond its CRS's area of use, as a country's does in one UTM zone: that is
    noted. It is refused where it would leave the area by less with x and y exchanged, or where it
    lies outside altogether.
    """
    boxes = shapes.bounds.dropna()
    x, y = (boxes.minx + boxes.maxx) / 2, (boxes.miny + boxes.maxy) / 2
    if boxes.empty or crs.area_of_use is None:
        return
    beyond = _beyond(x, y, crs)
    west, south, east, north = crs.area_of_use.bounds
    said = (f"{name}: its extent, {boxes.minx.min():.6g} to {boxes.maxx.max():.6g} east and "
            f"{boxes.miny.min():.6g} to {boxes.maxy.max():.6g} north, leaves the area of use of "
            f"its CRS, {crs.to_string()} ({west:g} to {east:g} °E, {south:g} to {north:g} °N)")
    if beyond.max() > _beyond(y, x, crs).max() + CLEARLY:
        raise InputError(f"{said}, and would not with x and y exchanged; write it again with the "
                         "easting first (QGIS: Swap X and Y coordinates)")
    if beyond.min() > ZONE:
        raise InputError(f"{said}; its coordinates are not in the CRS that it states")
    if beyond.max() > 1:
        note(f"{said}; distances there are less exact")


def _beyond(x: pd.Series, y: pd.Series, crs: CRS) -> pd.Series:
    """By how many degrees points leave their CRS's area of use; 0 inside, infinity if nowhere."""
    west, south, east, north = crs.area_of_use.bounds
    lon, lat = map(np.asarray, Transformer.from_crs(crs, 4326, always_xy=True).transform(
        x.to_numpy(), y.to_numpy()))
    off = np.max([west - lon, south - lat, lon - east, lat - north, np.zeros(len(x))], axis=0)
    return pd.Series(np.where(np.isfinite(lon) & np.isfinite(lat), off, np.inf))


def _inside_area_of_use(extent: Bounds, crs: CRS) -> bool:
    """Tell whether the corners and sides of an extent lie in its CRS's area of use."""
    across, along = np.linspace(extent[0], extent[2], 21), np.linspace(extent[1], extent[3], 21)
    x = np.concatenate([across, across, np.full(21, extent[0]), np.full(21, extent[2])])
    y = np.concatenate([np.full(21, extent[1]), np.full(21, extent[3]), along, along])
    return crs.area_of_use is None or _beyond(pd.Series(x), pd.Series(y), crs).max() == 0


def outline(bounds: Bounds) -> shapely.Polygon:
    """Draw a rectangle with points along its sides, so that it keeps its form in another CRS."""
    left, bottom, right, top = bounds
    return shapely.segmentize(shapely.box(*bounds), max(right - left, top - bottom, 1e-9) / 20)


def _encoding(path: Path, note: Note) -> str | None:
    """Guess the encoding of a shapefile's text; None where the file states it."""
    table = next((p for p in path.parent.glob(f"{path.stem}.*")
                  if p.suffix.casefold() == ".dbf"), None)
    stated = any(p.suffix.casefold() == ".cpg" for p in path.parent.glob(f"{path.stem}.*"))
    if table is None or stated:
        return None
    try:
        data = table.read_bytes()
    except OSError as error:
        raise InputError(f"{table}: cannot be read ({error})") from error
    if len(data) < 32 or data[29] not in _UNSTATED_CODE_PAGES:
        return None
    text = data[int.from_bytes(data[8:10], "little"):]
    encoding = "utf-8" if guess_encoding(text) == "utf-8-sig" else POLISH
    if not text.isascii():
        note(f"{path.name} does not state its encoding (.cpg); its text is read as {encoding}")
    return encoding


def _read_csv(path: Path, map_crs: CRS, note: Note) -> gpd.GeoDataFrame:
    """Read points from columns lon and lat (WGS 84), or x and y (column crs, else the map's CRS).

    x goes to the east and y to the north, whatever a national standard calls them.
    """
    table = _csv_table(path, note)
    longitude, latitude = find_column(table, LONGITUDE), find_column(table, LATITUDE)
    if longitude and latitude:
        x, y = _numbers(table[longitude]), _numbers(table[latitude])
        _check_degrees(x, y, path.name)
        return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(x, y), crs=4326)
    columns = find_column(table, ("x",)), find_column(table, ("y",))
    if None in columns:
        raise InputError(f"{path.name}: points need the columns x and y, or lon and lat; it has "
                         f"{', '.join(map(str, table.columns))}")
    x, y = (_numbers(table[column]) for column in columns)
    crs = _csv_crs(table, path.name)
    if crs is None:
        crs = map_crs
        if len(table) and (x.abs().max() <= 180 and y.abs().max() <= 90):
            raise InputError(f"{path.name}: x and y are at most {x.abs().max():g} and "
                             f"{y.abs().max():g}, which looks like degrees, and the map's CRS is "
                             "in metres; call the columns lon and lat, or state a column crs")
        note(f"{path.name} states no CRS (column crs); x and y are taken in the map's, "
             f"{map_crs.to_string()}")
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(x, y), crs=crs)


def _csv_table(path: Path, note: Note) -> pd.DataFrame:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    encoding = guess_encoding(data)
    if encoding == POLISH:
        note(f"{path.name} is not UTF-8; its text is read as {encoding}")
    try:
        table = text_table(data.decode(encoding))
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error,
            pd.errors.ParserWarning) as error:
        raise InputError(f"{path}: cannot be read as CSV ({' '.join(str(error).split())})"
                         ) from error
    return table.rename(columns=str.strip)


def _numbers(values: pd.Series) -> pd.Series:
    """Read numbers with a decimal point or comma; NaN where there is none."""
    plain = values.str.replace(r"\s", "", regex=True).str.replace(",", ".", regex=False)
    return pd.to_numeric(plain, errors="coerce").astype("float64")


def _csv_crs(table: pd.DataFrame, name: str) -> CRS | None:
    """Read the one CRS of a column crs, None if there is no such column."""
    column = find_column(table, CRS_COLUMN)
    if column is None:
        return None
    stated = sorted({value.strip() for value in table[column]} - {""})
    if len(stated) != 1:
        raise InputError(f"{name}: column {column} states {len(stated)} CRS "
                         f"({', '.join(stated)}); all rows must have one and the same")
    return parse_crs(int(stated[0]) if stated[0].isdigit() else stated[0],
                     f"{name}: column {column}")
