"""Assessed sites to files: GeoPackage, GeoJSON, CSV, QGIS style and an interactive map.

All are written whole or not at all.
"""

from __future__ import annotations

import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import Any

import folium
import geopandas as gpd
import pyogrio

from lulc_lib.errors import InputError
from lulc_lib.io import check_outputs, written_whole
from lulc_lib.sites.registries import Registries
from lulc_lib.sites.rules import CATEGORIES, SEPARATOR, Category

SITES, OBSERVATIONS = "sites", "observations"
"""Layers of the GeoPackage."""

FILL_ALPHA = 70
"""Opacity of a site's fill in the QGIS style, of 255."""

NAMES = {"deposits": "Deposits", "mining_areas": "Mining areas",
         "mining_terrains": "Mining terrains", "corine": "CORINE land cover",
         "osm_quarries": "OSM quarries"}
STYLES: dict[str, dict[str, Any]] = {
    "deposits": {"color": "#7a5c00", "weight": 1.5, "fillOpacity": 0.15},
    "mining_areas": {"color": "#1f78a8", "weight": 2, "fillOpacity": 0.15},
    "mining_terrains": {"color": "#1f78a8", "weight": 1, "dashArray": "2 4", "fillOpacity": 0.0},
    "corine": {"color": "#777777", "weight": 1, "fillOpacity": 0.0},
    "osm_quarries": {"color": "#444444", "weight": 1.5, "dashArray": "6 3", "fillOpacity": 0.05},
}
SHOWN = ("mining_areas", "deposits")
"""Registry layers that are switched on at first."""
DECIMALS = 6
"""Of coordinates in degrees: a tenth of a metre."""

_STYLES_TABLE = """CREATE TABLE layer_styles (
 id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT,
 f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
 description TEXT, owner TEXT, ui TEXT, update_time DATETIME DEFAULT CURRENT_TIMESTAMP)"""


def output_paths(path: Path) -> dict[str, Path]:
    """Name the files written for an output ``NAME.gpkg``: kind to path, all beside it.

    >>> [p.name for p in output_paths(Path("sites.gpkg")).values()]
    ['sites.gpkg', 'sites.geojson', 'sites.csv', 'sites.qml']
    """
    return {kind: path.with_suffix(f".{kind}") for kind in ("gpkg", "geojson", "csv", "qml")}


def write_sites(
    path: Path, sites: gpd.GeoDataFrame, observations: gpd.GeoDataFrame
) -> dict[str, Path]:
    """Write assessed sites to a GeoPackage, and as GeoJSON, CSV and QGIS style beside it.

    The GeoPackage holds the layer ``sites`` (see :func:`lulc_lib.sites.rules.assess_sites`) with
    its style, which QGIS applies by itself, and the layer ``observations``: the extent of each
    site on each date. GeoJSON is in degrees (EPSG:4326); the CSV has ``lon`` and ``lat`` of a
    point inside each site.

    Parameters
    ----------
    path : Path
        NAME.gpkg; old files are replaced.
    sites, observations : GeoDataFrame
        From ``assess_sites`` and :class:`lulc_lib.sites.tracking.Tracks`.

    Returns
    -------
    dict of str to Path
        Kind (gpkg, geojson, csv, qml) to path.

    Raises
    ------
    InputError
        The files cannot be written.
    """
    check_outputs({"output": path}, suffixes=[".gpkg"])
    flat = sites.reset_index()
    targets = output_paths(path)
    try:
        with ExitStack() as stack:
            parts = {k: stack.enter_context(written_whole(p)) for k, p in targets.items()}
            _geopackage(parts["gpkg"], flat, observations)
            degrees = flat.to_crs(4326)
            degrees.to_file(parts["geojson"], driver="GeoJSON", layer=path.stem,
                            COORDINATE_PRECISION=7)
            inside = degrees.geometry.representative_point()
            degrees.drop(columns="geometry").assign(
                lon=inside.x.round(6), lat=inside.y.round(6)
            ).to_csv(parts["csv"], index=False, float_format="%.6g")
            parts["qml"].write_text(qgis_style(), encoding="utf-8")
    except pyogrio.errors.DataSourceError as error:
        raise InputError(f"{path}: cannot be written ({error})") from error
    return targets


def web_map(sites: gpd.GeoDataFrame, registries: Registries) -> folium.Map:
    """Draw a folium map: a layer for each category of sites and each registry, to be switched.

    Parameters
    ----------
    sites : GeoDataFrame
        From :func:`lulc_lib.sites.rules.assess_sites`; a click shows the reasons.
    registries : Registries
        Those at hand are drawn.
    """
    degrees = _degrees(sites)
    drawn = folium.Map(tiles="OpenStreetMap", control_scale=True, zoom_start=13)
    for name, table in registries.present.items():
        if name == "monitoring_points":
            _points(table).add_to(drawn)
        else:
            _areas(name, table).add_to(drawn)
    for name, category in CATEGORIES.items():
        part = degrees[degrees.category == name]
        if len(part):
            _sites(part, category).add_to(drawn)
    if len(degrees):
        left, bottom, right, top = degrees.total_bounds
        drawn.fit_bounds([[bottom, left], [top, right]])
    folium.LayerControl(collapsed=False).add_to(drawn)
    return drawn


def write_web_map(path: Path, sites: gpd.GeoDataFrame, registries: Registries) -> Path:
    """Write :func:`web_map` to an HTML file; the path.

    The page loads its map library and background from the network when it is opened.
    """
    with written_whole(path) as part:
        part.write_text(web_map(sites, registries).get_root().render(), encoding="utf-8")
    return path


def _geopackage(
    path: Path, sites: gpd.GeoDataFrame, observations: gpd.GeoDataFrame
) -> None:
    dated = observations.assign(date=[d.isoformat() for d in observations.date])
    for layer, table in ((SITES, sites), (OBSERVATIONS, dated)):
        table.to_file(path, layer=layer, driver="GPKG", geometry_type="MultiPolygon",
                      promote_to_multi=True)
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


def qgis_style() -> str:
    """Build a QGIS layer style (.qml): sites coloured by category, labelled with their number."""
    root = ET.Element("qgis", version="3.34", styleCategories="Symbology|Labeling",
                      labelsEnabled="1")
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr="category",
                             symbollevels="0", enableorderby="0", forceraster="0")
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (name, category) in enumerate(CATEGORIES.items()):
        ET.SubElement(categories, "category", value=name, symbol=str(number),
                      label=category.label, render="true", type="string")
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
    """Add a half-transparent fill with an outline."""
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


def _sites(part: gpd.GeoDataFrame, category: Category) -> folium.FeatureGroup:
    swatch = f"<span style='color: {category.colour}'>■</span>"
    group = folium.FeatureGroup(f"{swatch} {len(part)} × {category.label}")
    for number, site in part.iterrows():
        folium.GeoJson(
            site.geometry.__geo_interface__,
            style_function=lambda _, c=category.colour: {
                "color": c, "weight": 3, "fillOpacity": 0.25},
            tooltip=f"Site {number}: {escape(category.label)}",
            popup=folium.Popup(_reasons(number, site), max_width=420),
        ).add_to(group)
    return group


def _reasons(number: int, site: Mapping[str, Any]) -> str:
    """Write what a click on a site shows."""
    items = "".join(f"<li>{escape(r)}</li>" for r in site["reasons"].split(SEPARATOR))
    return (f"<b>Site {number}</b> ({escape(site['status'])}, score {site['score']:.2f})"
            f"<ul style='padding-left:1.2em'>{items}</ul>"
            "<i>A lead for an inspector, not a finding.</i>")


def _areas(name: str, table: gpd.GeoDataFrame) -> folium.GeoJson:
    """Draw one registry layer; its text columns show under the pointer."""
    fields = [c for c in ("name", "mineral", "code", "valid_from", "valid_to", "status")
              if c in table.columns]
    plain = _degrees(table[[*fields, "geometry"]])
    plain[fields] = plain[fields].astype(object).where(plain[fields].notna(), "").astype(str)
    tooltip = folium.GeoJsonTooltip(fields) if fields and len(plain) else None
    return folium.GeoJson(plain.to_json(), name=NAMES[name], show=name in SHOWN, tooltip=tooltip,
                          style_function=lambda _: STYLES[name])


def _points(table: gpd.GeoDataFrame) -> folium.FeatureGroup:
    group = folium.FeatureGroup("Monitoring points")
    for at, name in zip(table.geometry.to_crs(4326), table["name"], strict=True):
        tooltip = escape(f"Monitoring point {name or ''}".strip())
        folium.CircleMarker(
            [round(at.y, DECIMALS), round(at.x, DECIMALS)], radius=6, color="#c8102e", fill=True,
            fill_opacity=0.9, tooltip=tooltip).add_to(group)
    return group


def _degrees(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    out = table.to_crs(4326)
    return out.set_geometry(out.geometry.set_precision(10.0**-DECIMALS))
