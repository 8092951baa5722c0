"""An interactive map of sites and registers with layers to switch, as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import folium
import geopandas as gpd

from lulc_lib.errors import InputError
from lulc_lib.sites.evidence import present_layers
from lulc_lib.sites.registries import Registries
from lulc_lib.sites.rules import CATEGORIES

BACKGROUND = "OpenStreetMap"
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
"""Register layers that are switched on at first."""
DECIMALS = 6
"""Of coordinates in degrees: a tenth of a metre."""


def web_map(sites: gpd.GeoDataFrame, registries: Registries) -> folium.Map:
    """A folium map: a layer for each category of sites and for each register, to be switched.

    Parameters
    ----------
    sites : from :func:`lulc_lib.sites.reasons.judge_sites`; a click shows the reasons.
    registries : those at hand are drawn.
    """
    degrees = _degrees(sites)
    drawn = folium.Map(tiles=BACKGROUND, control_scale=True, zoom_start=13)
    for name, table in present_layers(registries).items():
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
    """Write :func:`web_map` to an HTML file, whole or not at all; the path.

    The page loads its map library and background from the network when it is opened.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(web_map(sites, registries).get_root().render(), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error})") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _sites(part: gpd.GeoDataFrame, category: Any) -> folium.FeatureGroup:
    label = ("candidate: " if category.programme else "") + category.meaning
    swatch = f"<span style='color: {category.colour}'>■</span>"
    group = folium.FeatureGroup(f"{swatch} {len(part)} × {label}")
    for number, site in part.iterrows():
        folium.GeoJson(
            site.geometry.__geo_interface__,
            style_function=lambda _, c=category.colour: {
                "color": c, "weight": 3, "fillOpacity": 0.25},
            tooltip=f"Site {number}: {escape(label)}",
            popup=folium.Popup(_reasons(number, site), max_width=420),
        ).add_to(group)
    return group


def _reasons(number: int, site: Mapping[str, Any]) -> str:
    """What a click on a site shows."""
    items = "".join(f"<li>{escape(r)}</li>" for r in site["reasons"].split("; "))
    return (f"<b>Site {number}</b> ({escape(site['status'])}, score {site['score']:.2f})"
            f"<ul style='padding-left:1.2em'>{items}</ul>"
            "<i>A lead for an inspector, not a finding.</i>")


def _areas(name: str, table: gpd.GeoDataFrame) -> folium.GeoJson:
    """One register layer; its text columns show under the pointer."""
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
