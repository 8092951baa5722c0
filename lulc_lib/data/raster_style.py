"""How QGIS and GDAL show rasters of ours: layer styles (.qml) and class names (.aux.xml)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from lulc_lib import legend

HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
"""First line of every style."""

RAMP = ((0.0, "#000004"), (0.25, "#51127c"), (0.5, "#b73779"), (0.75, "#fc8961"), (1.0, "#fcfdbf"))
"""Share and colour: matplotlib's magma."""

APPLICABILITY = ((1.0, "#2b7a9b", "inside the area of applicability"),
                 (2.0, "#f2a33a", "outside, up to twice the threshold"),
                 (float("inf"), "#b3261e", "far outside"))
"""Highest dissimilarity index ÷ threshold, colour and meaning of what the style tells apart."""


def class_style() -> str:
    """Return a style of class maps: the legend's codes with their names and colours."""
    root, renderer = _style("paletted", 1)
    palette = ET.SubElement(renderer, "colorPalette")
    for code, name in legend.NAMES.items():
        ET.SubElement(palette, "paletteEntry", value=str(code), label=f"{code} {name}",
                      color=legend.COLOURS[code], alpha="255")
    return _text(root)


def class_names() -> str:
    """Return GDAL's .aux.xml of a class map: names by code, since a GeoTIFF cannot hold them.

    GDAL reads it beside the file, also over HTTP; QGIS then has a legend without the style.
    """
    root = ET.Element("PAMDataset")
    names = ET.SubElement(ET.SubElement(root, "PAMRasterBand", band="1"), "CategoryNames")
    for code in range(legend.CODES[-1] + 1):
        ET.SubElement(names, "Category").text = (
            "no data" if code == legend.NO_DATA else f"{code} {legend.NAMES[code]}")
    return xml(root)


def share_style(band: int) -> str:
    """Return a style of shares 0–1: one band, from dark to light.

    Like all that QGIS reads of a raster with a scale, its values are scaled ones, not those stored.
    """
    items = [(value, colour, f"{value:g}") for value, colour in RAMP]
    return _pseudocolour(band, "INTERPOLATED", items)


def applicability_style() -> str:
    """Return a style of a dissimilarity index ÷ threshold: inside, outside, far outside."""
    return _pseudocolour(1, "DISCRETE", APPLICABILITY)


def _pseudocolour(band: int, kind: str, items: Iterable[tuple[float, str, str]]) -> str:
    root, renderer = _style("singlebandpseudocolor", band)
    shader = ET.SubElement(ET.SubElement(renderer, "rastershader"), "colorrampshader",
                           colorRampType=kind, classificationMode="1", clip="0")
    for value, colour, meaning in items:
        ET.SubElement(shader, "item", value=f"{value:g}", color=colour, alpha="255", label=meaning)
    return _text(root)


def _style(kind: str, band: int) -> tuple[ET.Element, ET.Element]:
    """Return a style's root and its renderer of a band."""
    root = ET.Element("qgis", version="3.34", styleCategories="Symbology")
    renderer = ET.SubElement(ET.SubElement(root, "pipe"), "rasterrenderer", type=kind,
                             band=str(band), opacity="1", alphaBand="-1", nodataColor="")
    ET.SubElement(renderer, "rasterTransparency")
    return root, renderer


def _text(root: ET.Element) -> str:
    """Return a style's text, with what every raster's style says."""
    pipe = root.find("pipe")
    ET.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ET.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ET.SubElement(root, "blendMode").text = "0"
    return xml(root, HEAD)


def xml(root: ET.Element, head: str = "") -> str:
    """Return the text of a document, indented; ``head`` is its first line."""
    ET.indent(root)
    return head + ET.tostring(root, encoding="unicode") + "\n"
