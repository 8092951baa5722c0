"""Assessed sites to files: GeoPackage, GeoJSON, CSV and QGIS style, all whole or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray

from lulc_lib.io import check_outputs, written_whole
from lulc_lib.sites.layer_style import observations_style, sites_style

SITES, OBSERVATIONS = "sites", "observations"
"""Layers of the GeoPackage."""

KINDS: dict[str, tuple[str, ...]] = {
    "Date": ("first_seen", "last_seen", "date"),
    "Integer": ("site_id", "programme_category", "seen_dates", "clear_dates", "cut_dates"),
    "Integer(Boolean)": ("clear", "seen", "cut"),
    "String": ("status", "category", "reasons", "corine_code", "mining_area", "deposit",
               "mineral"),
    "CoordX": ("lon",), "CoordY": ("lat",)}
"""GDAL's types of the columns, whatever a table happens to hold; all others are Real."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a text begins that a spreadsheet would compute."""

_VERSION = "1.2"
"""Of the GeoPackage: what it holds is nothing newer, and older GDAL warns of newer versions."""

_STYLES_TABLE = """CREATE TABLE layer_styles (
 id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT,
 f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
 description TEXT, owner TEXT, ui TEXT, update_time DATETIME)"""
_STYLE_ROW = """INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name,
 f_geometry_column, styleName, styleQML, useAsDefault, description, owner, update_time)
 VALUES ('', '', ?, 'geom', ?, ?, 1, ?, '', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"""


def output_paths(path: Path) -> dict[str, Path]:
    """Name the files written for an output ``NAME.gpkg``: kind to path, all beside it.

    >>> [p.name for p in output_paths(Path("sites.gpkg")).values()]
    ['sites.gpkg', 'sites.geojson', 'sites.csv', 'sites.csvt', 'sites.qml']
    """
    kinds = ("gpkg", "geojson", "csv", "csvt", "qml")
    return {kind: path.with_suffix(f".{kind}") for kind in kinds}


def write_sites(path: Path, sites: gpd.GeoDataFrame, observations: gpd.GeoDataFrame
                ) -> dict[str, Path]:
    """Write assessed sites to a GeoPackage, and as GeoJSON, CSV and QGIS style beside it.

    The GeoPackage holds the layer ``sites`` (see :func:`lulc_lib.sites.rules.assess_sites`) and
    the layer ``observations`` (the extent of each site on each date), each with its style, which
    QGIS applies by itself, and with days as dates. GeoJSON is in degrees (EPSG:4326). The CSV has
    ``lon`` and ``lat`` of a point inside each site; its .csvt names the columns' types, and a text
    that a spreadsheet would take for a formula begins with an apostrophe.

    Parameters
    ----------
    path : Path
        NAME.gpkg; old files are replaced.
    sites, observations : GeoDataFrame
        From ``assess_sites`` and :class:`lulc_lib.sites.tracking.Tracks`.

    Returns
    -------
    dict of str to Path
        Kind (gpkg, geojson, csv, csvt, qml) to path.

    Raises
    ------
    InputError
        The files cannot be written.
    """
    check_outputs({"output": path}, suffixes={"output": [".gpkg"]})
    flat = sites.reset_index()
    targets = output_paths(path)
    with ExitStack() as stack:
        parts = {k: stack.enter_context(written_whole(p)) for k, p in targets.items()}
        _geopackage(parts["gpkg"], flat, observations)
        degrees = flat.to_crs(4326)
        degrees.to_file(parts["geojson"], driver="GeoJSON", layer=path.stem, COORDINATE_PRECISION=7)
        rows = _csv_rows(degrees)
        rows.to_csv(parts["csv"], index=False, float_format="%.6g")
        types = ",".join(f'"{_kind(column)}"' for column in rows)
        parts["csvt"].write_text(types + "\n", encoding="utf-8")
        parts["qml"].write_text(sites_style(), encoding="utf-8")
    return targets


def _geopackage(path: Path, sites: gpd.GeoDataFrame, observations: gpd.GeoDataFrame) -> None:
    _write_layer(path, SITES, sites, dataset_options={"VERSION": _VERSION})
    _write_layer(path, OBSERVATIONS, observations, append=True)
    styles = {SITES: ("category", sites_style(), "sites by category"),
              OBSERVATIONS: ("year", observations_style(d.year for d in observations.date),
                             "extents of the sites by year")}
    with sqlite3.connect(path) as base:
        base.execute(_STYLES_TABLE)
        for layer, (name, style, description) in styles.items():
            base.execute(_STYLE_ROW, (layer, name, style, description))
        base.execute("INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) "
                     "VALUES ('layer_styles', 'attributes', 'layer_styles', 0)")
    base.close()


def _write_layer(path: Path, layer: str, table: gpd.GeoDataFrame, **options: Any) -> None:
    """Write a layer with days as dates, which geopandas would write as text."""
    columns = [c for c in table.columns if c != table.geometry.name]
    missing = [table[column].isna().to_numpy() for column in columns]
    fields = [_field(table[c], gone) for c, gone in zip(columns, missing, strict=True)]
    pyogrio.raw.write(
        path, shapely.to_wkb(table.geometry.to_numpy()), fields, columns, field_mask=missing,
        layer=layer, driver="GPKG", geometry_type="MultiPolygon", promote_to_multi=True,
        crs=table.crs.to_string(), **options)


def _field(values: pd.Series, missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a column with the type that it always has."""
    kind = _kind(values.name)
    if kind == "Date":
        return np.array(values.astype(object).where(~missing, None), dtype="datetime64[D]")
    if kind == "Integer":
        return values.fillna(0).to_numpy("int64")
    if kind == "Integer(Boolean)":
        return values.to_numpy(bool)
    if kind == "String":
        return values.astype(object).where(~missing, None).to_numpy()
    return values.to_numpy(float)


def _kind(column: str) -> str:
    return next((kind for kind, columns in KINDS.items() if column in columns), "Real")


def _csv_rows(degrees: gpd.GeoDataFrame) -> pd.DataFrame:
    """Make the CSV's table: a point inside each site instead of its shape, texts that are safe."""
    inside = degrees.geometry.representative_point()
    rows = pd.DataFrame(degrees.drop(columns=degrees.geometry.name))
    for column in KINDS["String"]:
        rows[column] = [f"'{v}" if isinstance(v, str) and v.startswith(FORMULA) else v
                        for v in rows[column]]
    return rows.assign(lon=inside.x.map("{:.7f}".format), lat=inside.y.map("{:.7f}".format))
