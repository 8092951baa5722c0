"""A sample of a class map's pixels: drawn block by block, kept in a GeoPackage with its design."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import rasterio
import rasterio.transform
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.data.pairs import BLOCK_PIXELS, MOST_CODES, _read
from lulc_lib.data.raster_style import HEAD, xml
from lulc_lib.data.reference import names_in_tags, open_classes
from lulc_lib.data.scenes import windows
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file, written_whole

POINTS, TABLES = "points", ("strata", "labels", "design")
"""Layers of the GeoPackage: the points, and tables without shapes."""

CONFIDENCES = ("high", "medium", "low")
_NONE = -1
"""Stands for no data in a block of codes."""


class Strata(NamedTuple):
    """Pixels of each class of a map by code, and of no class, which are in no stratum.

    ``names``: as given or as the file's tags have them, else empty. ``pixel_area``: in ``unit``,
    which is ha where the CRS keeps areas. ``side``: of a pixel, in the unit of the CRS.
    """

    pixels: pd.Series
    no_data: int
    names: dict[int, str]
    pixel_area: float
    unit: str
    side: float


def count_strata(path: Path, names: Mapping[int, str] | None = None) -> Strata:
    """Count the pixels of each class of a map of any size.

    No data is what the file's tag says, and code 0 where there are names that do not name it.

    Raises
    ------
    InputError
        The map cannot be read, has no CRS, or holds no class, a code below 0 or without a name.
    """
    with open_classes(path) as source:
        named = dict(names or names_in_tags(source.tags()))
        total, every = pd.Series(dtype=np.int64), 0
        for _, codes in _strips(source, named):
            every += codes.size
            here = pd.Series(codes[codes != _NONE]).value_counts()
            total = total.add(here, fill_value=0)
            if len(total) > MOST_CODES or (len(total) and total.index.min() < 0):
                raise InputError(f"{path.name}: holds {len(total)} different values, the first "
                                 f"{total.index.min():g}; a class map has codes from 0 on")
        total = total.sort_index().astype(np.int64)
        if not len(total) or (named and set(total.index) - set(named)):
            lacking = ", ".join(map(str, sorted(set(total.index) - set(named)))) or "no class"
            raise InputError(f"{path.name}: holds {lacking}; there are names for "
                             f"{', '.join(map(str, named)) or 'none'}, and every class needs one "
                             "(--labels)")
        side = abs(source.transform.determinant) ** 0.5
        if not _keeps_area(source):
            return Strata(total, every - int(total.sum()), named, 1.0,
                          "pixels, as the map's CRS does not keep areas", side)
        hectares = (side * source.crs.linear_units_factor[1]) ** 2 / 1e4
        return Strata(total, every - int(total.sum()), named, hectares, "ha", side)


def draw_points(path: Path, ranks: Mapping[int, NDArray[np.int64]], names: Mapping[int, str],
                seed: int) -> gpd.GeoDataFrame:
    """Find the pixels of a map that were drawn by rank, row by row: points at their centres.

    In a random order, numbered by it, with ``map_class`` and the empty columns of a labeller.
    """
    seen, found = dict.fromkeys(ranks, 0), []
    with open_classes(path) as source:
        for top, codes in _strips(source, names):
            for code, wanted in ranks.items():
                here = np.flatnonzero(codes == code)
                mine = wanted[slice(*np.searchsorted(wanted, [seen[code], seen[code] + here.size]))]
                row, col = np.divmod(here[mine - seen[code]], source.width)
                seen[code] += here.size
                found.append(pd.DataFrame({"map_class": code, "row": row + top, "col": col}))
        transform, crs = source.transform, source.crs
    table = pd.concat(found).sort_values(["row", "col"]).sample(
        frac=1, random_state=np.random.default_rng(seed))
    x, y = rasterio.transform.xy(transform, table.row, table.col)
    columns = {"point_id": np.arange(1, len(table) + 1), "map_class": table.map_class.to_numpy(),
               "label": pd.array([pd.NA] * len(table), dtype="Int32")}
    empty = pd.array([pd.NA] * len(table), dtype="string")
    columns |= dict.fromkeys(("labeller", "confidence", "comment"), empty)
    return gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy(x, y), crs=crs)


def write_sample(path: Path, points: gpd.GeoDataFrame, strata: pd.DataFrame,
                 labels: Mapping[int, str], design: Mapping[str, object], size: float) -> None:
    """Write a sample as a GeoPackage, and its QGIS style and form (.qml).

    ``strata``: at least ``pixels``, ``area`` and ``points`` by class code. ``labels``: the allowed
    ones and their names. ``design``: how points were drawn and are to be labelled. ``size``: side
    of the square that a label speaks for, in the unit of the CRS; it is drawn around the point.
    """
    tables = (strata.rename_axis("map_class").reset_index(),
              pd.DataFrame({"label": list(labels), "name": list(labels.values())}),
              pd.DataFrame({"key": list(design), "value": list(map(str, design.values()))}))
    with written_whole(path) as part, written_whole(path.with_suffix(".qml")) as style:
        points.to_file(part, layer=POINTS, driver="GPKG")
        for layer, table in zip(TABLES, tables, strict=True):
            pyogrio.write_dataframe(table, part, layer=layer, driver="GPKG")
        style.write_text(qgis_form(labels, size), encoding="utf-8")


def read_sample(path: Path, column: str
                ) -> tuple[pd.DataFrame, pd.DataFrame, dict[int, str], dict[str, str]]:
    """Read a sample: points (``map_class``, ``label``), strata, names of labels, design.

    Raises
    ------
    InputError
        The file is none of :func:`write_sample`, or its points have no such column.
    """
    try:
        layers = {str(name) for name in pyogrio.list_layers(existing_file(path))[:, 0]}
    except pyogrio.errors.DataSourceError as error:
        raise InputError(f"{path.name}: cannot be read as a GeoPackage ({error})") from error
    if not {POINTS, *TABLES} <= layers:
        raise InputError(f"{path.name}: is no sample of `lulc sample`, whose layers are {POINTS}, "
                         f"{', '.join(TABLES)}; to use it as a reference give the map first")
    points, strata, labels, design = (pyogrio.read_dataframe(path, layer=k, read_geometry=False)
                                      for k in (POINTS, *TABLES))
    if not {"map_class", column} <= set(points):
        raise InputError(f"{path.name}: its points need the columns map_class and {column}; they "
                         f"have {', '.join(points)}")
    return (points[["map_class", column]].set_axis(["map_class", "label"], axis=1),
            strata.set_index("map_class"), dict(zip(labels.label, labels.name, strict=True)),
            dict(zip(design.key, design.value, strict=True)))


def qgis_form(labels: Mapping[int, str], size: float) -> str:
    """Return a QGIS style (.qml) with the form of a labeller, who does not see the map class."""
    root = ET.Element("qgis", version="3.34",
                      styleCategories="Symbology|Fields|Forms|AttributeTable")
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr="label IS NULL")
    kinds, symbols = ET.SubElement(renderer, "categories"), ET.SubElement(renderer, "symbols")
    for number, (label, colour) in enumerate((("labelled", "0,114,178"), ("to label", "213,94,0"))):
        ET.SubElement(kinds, "category", value=str(number), symbol=str(number), label=label,
                      render="true", type="integer")
        symbol = ET.SubElement(symbols, "symbol", type="marker", name=str(number))
        for unit, side in (("MapUnit", size), ("MM", 4)):
            layer = ET.SubElement(symbol, "layer", {"class": "SimpleMarker", "enabled": "1"})
            _options(layer, name="square", color="0,0,0,0", outline_color=f"{colour},255",
                     outline_width=0.4, size=side, size_unit=unit)
    fields = ET.SubElement(root, "fieldConfiguration")
    choices = {"label": {f"{code} {name}": code for code, name in labels.items()},
               "confidence": {c: c for c in CONFIDENCES}}
    for field in ("map_class", "point_id", "label", "labeller", "confidence", "comment"):
        kind = "Hidden" if field == "map_class" else "ValueMap" if field in choices else "TextEdit"
        config = ET.SubElement(ET.SubElement(ET.SubElement(fields, "field", name=field),
                                             "editWidget", type=kind), "config")
        options = _options(config, **({"IsMultiline": "true"} if field == "comment" else {}))
        if field in choices:
            values = ET.SubElement(options, "Option", name="map", type="List")
            for text, value in choices[field].items():
                _options(values, **{text: value})
    ET.SubElement(ET.SubElement(root, "editable"), "field", name="point_id", editable="0")
    columns = ET.SubElement(ET.SubElement(root, "attributetableconfig"), "columns")
    ET.SubElement(columns, "column", type="field", name="map_class", hidden="1")
    return xml(root, HEAD)


def _options(parent: ET.Element, **values: object) -> ET.Element:
    """Add a map of options, as QGIS stores it."""
    options = ET.SubElement(parent, "Option", type="Map")
    for name, value in values.items():
        ET.SubElement(options, "Option", type="QString", name=name, value=str(value))
    return options


def _keeps_area(source: rasterio.DatasetReader) -> bool:
    """Tell whether an area in the map's CRS is within 1 % of that on the ground, at its centre."""
    if not source.crs.is_projected:
        return False
    crs = pyproj.CRS(source.crs.to_wkt())
    centre = source.xy(source.height // 2, source.width // 2)
    degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(*centre)
    return abs(pyproj.Proj(crs).get_factors(*degrees).areal_scale - 1) < 0.01


def _strips(source: rasterio.DatasetReader, names: Mapping[int, str]
            ) -> Iterator[tuple[int, NDArray[np.signedinteger]]]:
    """First row and codes of strips as wide as the map, pixel after pixel; ``_NONE`` for no data.

    Strips of the whole width make the order, and so the draw, the same however a file is stored.
    """
    stored = source.block_shapes[0][0], source.width
    for window in windows(source.shape, stored, BLOCK_PIXELS):
        part = _read(source, window)
        codes = part.codes.astype(np.int32 if part.codes.dtype.itemsize < 4 else np.int64)
        valid = part.known() & ((codes != legend.NO_DATA) | (legend.NO_DATA in names) | (not names))
        yield window.row_off, np.where(valid, codes, _NONE).ravel()
