"""An interactive map of the sites as one HTML file that needs no network.

Leaflet, the data and the pictures below the sites are in the page. Its content security policy lets
it run no other script and load nothing, unless a background was asked for.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import geopandas as gpd
import jinja2
import numpy as np
import shapely
import xarray as xr
from PIL import Image
from rasterio.enums import Resampling

from lulc_lib import legend
from lulc_lib.io import written_whole
from lulc_lib.sites.coordinates import grid_of, places, polynomial
from lulc_lib.sites.layer_style import ALIASES
from lulc_lib.sites.registries import Registries
from lulc_lib.sites.rules import CATEGORIES, SEPARATOR, Category

REGISTRIES: dict[str, tuple[str, dict[str, Any]]] = {
    "corine": ("CORINE land cover", {"color": "#777777", "weight": 1, "fillOpacity": 0.0}),
    "mining_terrains": ("Mining terrains", {
        "color": "#1f78a8", "weight": 1, "dashArray": "2 4", "fillOpacity": 0.0}),
    "mining_areas": ("Mining areas", {"color": "#1f78a8", "weight": 2, "fillOpacity": 0.15}),
    "deposits": ("Deposits", {"color": "#7a5c00", "weight": 1.5, "fillOpacity": 0.15}),
    "osm_quarries": ("OSM quarries", {
        "color": "#444444", "weight": 1.5, "dashArray": "6 3", "fillOpacity": 0.05}),
    "monitoring_points": ("Monitoring points", {
        "color": "#c8102e", "weight": 1, "fillOpacity": 0.9}),
}
"""Layer to its name in words and its look, in the order in which they are drawn."""
SHOWN = ("mining_areas", "deposits", "monitoring_points")
"""Registry layers that are switched on at first."""
DECIMALS = 6
"""Of coordinates in degrees: a tenth of a metre."""
MOST_PIXELS = 2000
"""Longer side of a picture below the sites."""
AROUND, EUROPE = 0.005, (-10.0, 36.0, 30.0, 70.0)
"""Degrees shown around the sites; west, south, east, north where there is nothing to show."""
CAVEAT = "A lead for an inspector, not a finding."
TILES = "https://tile.openstreetmap.org"


def write_web_map(path: Path, sites: gpd.GeoDataFrame, registries: Registries, *,
                  images: Mapping[str, xr.DataArray] | None = None, sheets: Path | None = None,
                  grid: str | None = None, background: bool = False) -> Path:
    """Write the sites as an interactive map to one HTML file.

    Each category of sites and each registry is a layer with a name in words, to be switched; a
    click on a site shows its reasons and where it lies.

    Parameters
    ----------
    path : Path
        The file; an old one is replaced.
    sites : GeoDataFrame
        From :func:`lulc_lib.sites.rules.assess_sites`.
    registries : Registries
        Those at hand are drawn.
    images : mapping of str to DataArray, optional
        Name in words to what is drawn below the sites: class maps, (y, x) uint8 legend codes, or
        (band, y, x) float of red, green and blue, 0–1, NaN where there is none. The first is
        switched on.
    sheets : Path, optional
        Folder of the evidence sheets, to which sites are linked.
    grid : str, optional
        CRS of the coordinates told besides WGS 84; see
        :func:`lulc_lib.sites.coordinates.grid_of`.
    background : bool
        Offer OpenStreetMap, which a viewer's browser then asks for the map's surroundings.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    InputError
        The file cannot be written, or ``grid`` is no projected CRS.
    """
    pictures = [_picture(name, image, number == 0)
                for number, (name, image) in enumerate((images or {}).items())]
    bounds = _bounds(sites, pictures)
    crs = grid_of(sites.crs, bounds or EUROPE, grid)
    links = _links(sites, path, sheets)
    data = {
        "sites": [_category(sites[sites.category == name], category, crs, links)
                  for name, category in CATEGORIES.items() if (sites.category == name).any()],
        "registries": [_registry(name, registries.present[name], sites.crs)
                       for name in REGISTRIES if name in registries.present],
        "images": pictures, "background": background, "grid": bounds and polynomial(crs, bounds),
        "bounds": _corners(bounds or EUROPE), "caveat": CAVEAT,
        "notes": _notes(sites, registries)}
    with written_whole(path) as part:
        part.write_text(_page(data), encoding="utf-8")
    return path


def _page(data: Mapping[str, Any]) -> str:
    """Fill the page."""
    folder = resources.files("lulc_lib.sites")
    library = (folder / "leaflet/leaflet.js").read_text(encoding="utf-8").partition("//# source")[0]
    look = (folder / "leaflet/leaflet.css").read_text(encoding="utf-8")
    script = (folder / "web_map.js").read_text(encoding="utf-8")
    allowed = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'"
                       for t in (library, script))
    policy = (f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
              f"img-src data:{' ' + TILES if data['background'] else ''}")
    template = jinja2.Template((folder / "web_map.html.jinja").read_text(encoding="utf-8"),
                               autoescape=True)
    return template.render(
        policy=policy, leaflet_js=library, script=script, data=_in_script(data),
        leaflet_css=re.sub(r"url\([^)]*\)", "none", look))  # icons that the page has no use for


def _in_script(data: Mapping[str, Any]) -> str:
    """Write JSON that can stand in a script element, whatever its texts hold."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _category(part: gpd.GeoDataFrame, category: Category, crs: Any,
              links: Mapping[int, str]) -> dict[str, Any]:
    """One layer: the sites of a category."""
    rows = [{"number": int(number), "status": site.status, "score": f"{site.score:.2f}",
             "reasons": site.reasons.split(SEPARATOR), "where": where,
             "sheet": links.get(number)}
            for (number, site), where in zip(part.iterrows(), places(part.geometry, crs),
                                             strict=True)]
    return {"label": category.label, "features": _features(part, rows),
            "style": {"color": category.colour, "weight": 3, "fillOpacity": 0.2}}


def _registry(name: str, table: gpd.GeoDataFrame, crs: Any) -> dict[str, Any]:
    """One layer: a registry, whose texts show under the pointer."""
    label, style = REGISTRIES[name]
    columns = [c for c in table.columns if c not in (table.geometry.name, "source")]
    texts = table[columns].astype(object).where(table[columns].notna(), None)
    rows = [{"rows": [(ALIASES[c], str(v)) for c, v in zip(columns, row, strict=True)
                      if v is not None]} for row in texts.itertuples(index=False)]
    return {"label": label, "features": _features(table, rows), "style": style,
            "shown": name in SHOWN}


def _features(table: gpd.GeoDataFrame, properties: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    shapes = shapely.set_precision(table.geometry.to_crs(4326).to_numpy(), 10.0**-DECIMALS,
                                   mode="pointwise")
    return {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": row, "geometry": json.loads(shape)}
        for row, shape in zip(properties, shapely.to_geojson(shapes), strict=True)]}


def _links(sites: gpd.GeoDataFrame, path: Path, sheets: Path | None) -> dict[int, str]:
    """Address of each site's evidence sheet, from the page."""
    if sheets is None:
        return {}
    found = {n: sheets / sheet_name(n) for n in sites.index}
    return {n: quote(Path(os.path.relpath(p, path.parent)).as_posix())
            for n, p in found.items() if p.is_file()}


def sheet_name(number: int) -> str:
    """Name the evidence sheet of a site.

    >>> sheet_name(7)
    'site_007.png'
    """
    return f"site_{number:03d}.png"


def _picture(name: str, image: xr.DataArray, shown: bool) -> dict[str, Any]:
    """Bring an image to the page's projection (web Mercator), as a picture with its corners."""
    codes = image.ndim == 2
    image = image.copy(data=image.values).rio.write_nodata(legend.NO_DATA if codes else np.nan)
    warped = image.rio.reproject(3857, resampling=Resampling.nearest)
    times = max(warped.shape[-2:]) / MOST_PIXELS
    if times > 1:
        warped = image.rio.reproject(3857, resolution=times * warped.rio.resolution()[0],
                                     resampling=Resampling.mode if codes else Resampling.average)
    west, south, east, north = shapely.bounds(
        gpd.GeoSeries([shapely.box(*warped.rio.bounds())], crs=3857).to_crs(4326).to_numpy()[0])
    buffer = io.BytesIO()
    if codes:
        picture = Image.fromarray(warped.values, "P")
        colours = {legend.NO_DATA: legend.NO_DATA_COLOUR, **legend.COLOURS}
        picture.putpalette([v for code in range(max(colours) + 1)
                            for v in bytes.fromhex(colours[code].removeprefix("#"))])
        picture.save(buffer, "PNG", transparency=legend.NO_DATA, optimize=True)
    else:
        seen = np.isfinite(warped.values).all(axis=0)
        rgba = np.concatenate([np.nan_to_num(warped.values).clip(0, 1), seen[None]])
        picture = Image.fromarray(np.rint(255 * rgba).astype(np.uint8).transpose(1, 2, 0), "RGBA")
        picture.save(buffer, "WEBP", quality=80)
    kind = "png" if codes else "webp"
    return {"label": name, "shown": shown, "bounds": _corners((west, south, east, north)),
            "source": f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"}


def _corners(bounds: Sequence[float]) -> list[list[float]]:
    """South-west and north-east corner as Leaflet wants them: latitude first."""
    west, south, east, north = map(float, bounds)
    return [[south, west], [north, east]]


def _bounds(sites: gpd.GeoDataFrame, pictures: Sequence[Mapping[str, Any]]
            ) -> tuple[float, ...] | None:
    """West, south, east, north of all that is shown, degrees."""
    boxes = [np.ravel([corner[::-1] for corner in p["bounds"]]) for p in pictures]
    if len(sites):
        boxes.append(sites.to_crs(4326).total_bounds + AROUND * np.array([-1, -1, 1, 1]))
    if not boxes:
        return None
    lows, highs = np.min(boxes, axis=0)[:2], np.max(boxes, axis=0)[2:]
    return tuple(map(float, (*lows, *highs)))


def _notes(sites: gpd.GeoDataFrame, registries: Registries) -> list[str]:
    """Say what is shown, where it comes from, and what is missing."""
    seen = (f"{len(sites)} sites, seen {sites.first_seen.min()} to {sites.last_seen.max()}."
            if len(sites) else "No site.")
    sources = "; ".join(f"{REGISTRIES[name][0]}: {', '.join(sorted(set(table['source'])))}"
                        for name, table in registries.present.items() if len(table))
    missing = ", ".join(REGISTRIES[name][0] for name in registries.missing)
    return [f"{seen} {CAVEAT}", *([f"{sources}."] if sources else []),
            *([f"Not at hand: {missing}."] if missing else [])]
