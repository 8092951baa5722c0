"""Judged sites to files: GeoPackage, GeoJSON, CSV and a QGIS style, written whole or not at all."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from lulc_lib.errors import InputError
from lulc_lib.sites.rules import CATEGORIES

SITES, OBSERVATIONS = "sites", "observations"
"""Layers of the GeoPackage."""

FILL_ALPHA = 70
"""Opacity of a site's fill in the QGIS style, of 255."""

_STYLES_TABLE = """CREATE TABLE layer_styles (
 id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT,
 f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
 description TEXT, owner TEXT, ui TEXT, update_time DATETIME DEFAULT CURRENT_TIMESTAMP)"""


def output_paths(path: Path) -> dict[str, Path]:
    """Files written for an output ``NAME.gpkg``: kind to path, all beside it.

    >>> [p.name for p in output_paths(Path("sites.gpkg")).values()]
    ['sites.gpkg', 'sites.geojson', 'sites.csv', 'sites.qml']
    """
    return {kind: path.with_suffix(f".{kind}") for kind in ("gpkg", "geojson", "csv", "qml")}


def check_output(path: Path, inputs: Sequence[Path] = ()) -> None:
    """Raise InputError unless ``path`` is a .gpkg in a folder that can be written to, and neither
    it nor a file beside it would replace an input."""
    if path.suffix.lower() != ".gpkg":
        raise InputError(f"output is {path}; it is a GeoPackage, so its name must end in .gpkg")
    if path.is_dir():
        raise InputError(f"output is {path}, a folder; name the file to write")
    if not path.parent.is_dir():
        raise InputError(f"output is {path}; there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"output is {path}; the folder {path.parent} may not be written to")
    taken = {p.resolve() for p in inputs}
    for made in output_paths(path).values():
        if made.resolve() in taken:
            raise InputError(f"output {made} is an input too; name another file")


def write_sites(
    path: Path, sites: gpd.GeoDataFrame, observations: gpd.GeoDataFrame
) -> dict[str, Path]:
    """Write judged sites to a GeoPackage, and as GeoJSON, CSV and QGIS style beside it.

    The GeoPackage holds the layer ``sites`` (see :func:`lulc_lib.sites.reasons.judge_sites`) with
    its style, which QGIS applies by itself, and the layer ``observations``: the extent of each
    site on each date. GeoJSON is in degrees (EPSG:4326); the CSV has ``lon`` and ``lat`` of a
    point inside each site.

    Parameters
    ----------
    path : NAME.gpkg; old files are replaced.
    sites, observations : from ``judge_sites`` and :class:`lulc_lib.sites.tracking.Tracks`.

    Returns
    -------
    Kind (gpkg, geojson, csv, qml) to path.

    Raises
    ------
    InputError
        The files cannot be written.
    """
    check_output(path)
    flat = sites.reset_index()
    targets = output_paths(path)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
            parts = output_paths(Path(folder) / path.name)
            _geopackage(parts["gpkg"], flat, observations)
            degrees = flat.to_crs(4326)
            degrees.to_file(parts["geojson"], driver="GeoJSON", engine="pyogrio",
                            COORDINATE_PRECISION=7)
            _table(degrees).to_csv(parts["csv"], index=False, float_format="%.6g")
            parts["qml"].write_text(qgis_style(), encoding="utf-8")
            for kind, part in parts.items():
                os.replace(part, targets[kind])
    except (OSError, pyogrio.errors.DataSourceError) as error:
        raise InputError(f"{path}: cannot be written ({error})") from error
    return targets


def _geopackage(
    path: Path, sites: gpd.GeoDataFrame, observations: gpd.GeoDataFrame
) -> None:
    dated = observations.assign(date=[d.isoformat() for d in observations.date])
    sites.to_file(path, layer=SITES, driver="GPKG", engine="pyogrio",
                  geometry_type="MultiPolygon", promote_to_multi=True)
    dated.to_file(path, layer=OBSERVATIONS, driver="GPKG", engine="pyogrio",
                  geometry_type="MultiPolygon", promote_to_multi=True)
    with sqlite3.connect(path) as base:
        base.execute(_STYLES_TABLE)
        base.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
            "f_geometry_column, styleName, styleQML, useAsDefault, description, owner) "
            "VALUES ('', '', ?, 'geom', 'category', ?, 1, 'sites by category', '')",
            (SITES, qgis_style()))
        base.execute("INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) "
                     "VALUES ('layer_styles', 'attributes', 'layer_styles', 0)")
    base.close()


def _table(degrees: gpd.GeoDataFrame) -> pd.DataFrame:
    inside = degrees.geometry.representative_point()
    plain = pd.DataFrame(degrees.drop(columns="geometry"))
    return plain.assign(lon=inside.x.round(6), lat=inside.y.round(6))


def qgis_style() -> str:
    """A QGIS layer style (.qml): sites coloured by category, labelled with their number."""
    root = ET.Element("qgis", version="3.34", styleCategories="Symbology|Labeling",
                      labelsEnabled="1")
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr="category",
                             symbollevels="0", enableorderby="0", forceraster="0")
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (name, category) in enumerate(CATEGORIES.items()):
        label = ("candidate: " if category.programme else "") + category.meaning
        ET.SubElement(categories, "category", value=name, symbol=str(number), label=label,
                      render="true", type="string")
        _symbol(symbols, str(number), category.colour)
    labeling = ET.SubElement(root, "labeling", type="simple")
    settings = ET.SubElement(labeling, "settings", calloutType="simple")
    text = ET.SubElement(settings, "text-style", fieldName="site_id", fontSize="9",
                         textColor="34,34,34,255", fontWeight="75")
    ET.SubElement(text, "text-buffer", bufferDraw="1", bufferSize="0.8",
                  bufferColor="255,255,255,255")
    ET.indent(root)
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return head + ET.tostring(root, encoding="unicode") + "\n"


def _symbol(parent: ET.Element, name: str, colour: str) -> None:
    """A half-transparent fill with an outline."""
    rgb = ",".join(str(v) for v in bytes.fromhex(colour.removeprefix("#")))
    symbol = ET.SubElement(parent, "symbol", type="fill", name=name, alpha="1",
                           clip_to_extent="1", force_rhr="0")
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "pass": "0",
                                            "locked": "0"})
    options = ET.SubElement(layer, "Option", type="Map")
    for key, value in (("color", f"{rgb},{FILL_ALPHA}"), ("style", "solid"),
                       ("outline_color", f"{rgb},255"), ("outline_style", "solid"),
                       ("outline_width", "0.5"), ("outline_width_unit", "MM")):
        ET.SubElement(options, "Option", type="QString", name=key, value=value)
