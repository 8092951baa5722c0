"""How QGIS shows the vector layers: symbols, labels, words for the columns (.qml)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from lulc_lib.data.raster_style import HEAD, RAMP, xml
from lulc_lib.display_names import label
from lulc_lib.sites.rules import CATEGORIES, COLUMNS

FILL_ALPHA = 70
"""Opacity of a site's fill, of 255."""
LINE, CASING = 0.5, 1.3
"""Width of an outline and of the white line below it, which sets it off from red and from dark
ground; millimetres."""
POLYGON = 2
"""QGIS's number for the geometry: the style is not for points of the same name (.csv)."""

ALIASES = {name: label(name) for name in (
    "site_id", *COLUMNS, "lon", "lat", "date", "clear", "seen", "cut", "name", "code",
    "valid_from", "valid_to")} | {
    "score": "score, 0–1", "compactness": "compactness, 1 a circle",
    "elongation": "elongation, 1 a square", "lon": "longitude (WGS 84)", "lat": "latitude (WGS 84)",
    "clear": "clear on that date", "seen": "seen on that date",
    "cut": "cut by the map's edge or a gap",
    "persistence": "share of clear dates seen between first and last"}
"""Words for the columns of sites, observations and registries."""


def sites_style() -> str:
    """Return a style of sites: coloured by category, labelled with their number."""
    root = _style()
    _categories(root, "category", [(n, c.label, c.colour) for n, c in CATEGORIES.items()],
                FILL_ALPHA)
    settings = ET.SubElement(ET.SubElement(root, "labeling", type="simple"), "settings",
                             calloutType="simple")
    text = ET.SubElement(settings, "text-style", fieldName="site_id", fontSize="9",
                         textColor="34,34,34,255", fontWeight="75")
    ET.SubElement(text, "text-buffer", bufferDraw="1", bufferSize="0.8",
                  bufferColor="255,255,255,255")
    root.set("labelsEnabled", "1")
    return xml(root, HEAD)


def observations_style(years: Iterable[int]) -> str:
    """Return a style of observations: outlines coloured by year."""
    root = _style()
    years = sorted(set(years))
    colours = [RAMP[round(n * (len(RAMP) - 2) / max(len(years) - 1, 1))][1]
               for n in range(len(years))]
    rows = [(str(y), str(y), colour) for y, colour in zip(years, colours, strict=True)]
    _categories(root, 'to_string(year("date"))', rows, 0)
    return xml(root, HEAD)


def _style() -> ET.Element:
    """Return a style's root with words for the columns and what a feature is called."""
    root = ET.Element("qgis", version="3.34", labelsEnabled="0",
                      styleCategories="Symbology|Labeling|Fields")
    aliases = ET.SubElement(root, "aliases")
    for number, (name, words) in enumerate(ALIASES.items()):
        ET.SubElement(aliases, "alias", field=name, index=str(number), name=words)
    ET.SubElement(root, "previewExpression").text = "'Site ' || \"site_id\""
    ET.SubElement(root, "layerGeometryType").text = str(POLYGON)
    return root


def _categories(root: ET.Element, expression: str, rows: Iterable[tuple[str, str, str]],
                fill: int) -> None:
    """Add a renderer with a symbol for each value, label and colour; ``fill``: opacity of 255."""
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr=expression,
                             symbollevels="1", enableorderby="0", forceraster="0")
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (value, words, colour) in enumerate(rows):
        ET.SubElement(categories, "category", value=value, symbol=str(number), label=words,
                      render="true", type="string")
        symbol = ET.SubElement(symbols, "symbol", type="fill", name=str(number), alpha="1",
                               clip_to_extent="1", force_rhr="0")
        rgb = ",".join(str(v) for v in bytes.fromhex(colour.removeprefix("#")))
        _line(symbol, "0", "255,255,255,0", "255,255,255,230", CASING)
        _line(symbol, "1", f"{rgb},{fill}", f"{rgb},255", LINE)


def _line(symbol: ET.Element, level: str, fill: str, line: str, width: float) -> None:
    """Add a filled outline; all of a lower level are drawn before any of a higher one."""
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "pass": level,
                                            "locked": "0"})
    options = ET.SubElement(layer, "Option", type="Map")
    for key, value in (("color", fill), ("style", "solid"), ("outline_color", line),
                       ("outline_style", "solid"), ("outline_width", f"{width:g}"),
                       ("outline_width_unit", "MM"), ("joinstyle", "round")):
        ET.SubElement(options, "Option", type="QString", name=key, value=value)
