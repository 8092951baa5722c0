"""Registries that fit the planted quarries, each with its service's own CRS and field names."""

from __future__ import annotations

from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
from rasterio.features import shapes, sieve
from scipy import ndimage
from shapely import affinity
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from lulc_lib import legend
from lulc_lib.data.scenes import PIXEL
from lulc_lib.landscape.layout import Layout
from lulc_lib.landscape.noise import Rng, burn
from lulc_lib.landscape.pits import START, Pit
from lulc_lib.landscape.plan import stream

CORINE_MIN_HA = 25.0
OVERRUN_CUT = 0.78
"""Where a pit overran its limits: these reach this share of its width."""
PLACE = "Pole syntetyczne"
"""Name, before a number, of what is planted: no place of that name exists."""
MINERALS = ("granity", "bazalty", "piaski i żwiry", "iły ceramiczne")
LICENSED_KINDS = ("licensed", "overrun", "reclaimed")


def _permitted(pit: Pit) -> BaseGeometry:
    """Return the mining area of a licensed, overrun or reclaimed pit.

    That is the pit with a margin, or all but the side (away from its anchor) onto which it overran.
    """
    if pit.category != "overrun":
        return pit.outline.buffer(45).simplify(15)
    limits = pit.outline.buffer(45)
    return affinity.scale(limits, OVERRUN_CUT, OVERRUN_CUT, origin=pit.anchor).simplify(10)


def _deposit(pit: Pit) -> BaseGeometry | None:
    """Return the documented deposit under a pit; None for a pit outside any."""
    if pit.category == "outside_deposit":
        return None
    if pit.category == "overrun":
        return _permitted(pit).buffer(10).simplify(5)
    margin = 90 if pit.category == "licensed" else 60
    return pit.outline.convex_hull.buffer(margin).simplify(20)


def planted_sites(layout: Layout) -> gpd.GeoDataFrame:
    """Return the planted truth, one row a quarry; geometry: its largest extent, site's CRS."""
    pits = layout.pits
    return gpd.GeoDataFrame({
        "site_id": [p.site_id for p in pits], "case": [p.case for p in pits],
        "category": [p.category for p in pits], "status": [p.status for p in pits],
        "first_active": [p.first_active.isoformat() for p in pits],
        "last_active": [p.last_active.isoformat() if p.last_active else "" for p in pits],
        "area_ha": [round(p.outline.area / 1e4, 2) for p in pits],
        "overrun_ha": [round(p.outline.difference(_permitted(p)).area / 1e4, 2)
                       if p.category == "overrun" else 0.0 for p in pits],
    }, geometry=[p.outline for p in pits], crs=f"EPSG:{layout.site.epsg}")


def _mining_rows(pits: list[Pit], rng: Rng, geometry: list) -> dict:
    """Fill the registry's fields for mining areas or terrains."""
    since = [date(int(y), int(m), int(d)) for y, m, d in zip(
        rng.integers(1995, 2019, len(pits)), rng.integers(1, 13, len(pits)),
        rng.integers(1, 29, len(pits)), strict=True)]
    closed = [p.category == "reclaimed" for p in pits]
    until = [date(p.last_active.year, 12, 31) if c else date(int(y), 12, 31)
             for p, c, y in zip(pits, closed, rng.integers(2028, 2046, len(pits)), strict=True)]
    names = [f"{PLACE} {p.site_id}" for p in pits]
    return {
        "ID_KONTURU": [10_000 + p.site_id for p in pits],
        "NR_REJESTR": [f"10-1/{p.site_id}/{100 + p.site_id}" for p in pits],
        "NAZWA_OG": names, "NAZWA_ZLOZA": [f"{n} - złoże" for n in names],
        "KOPALINA": [MINERALS[p.site_id % len(MINERALS)] for p in pits],
        "STATUS": ["zniesiony" if c else "aktualny" for c in closed],
        "DATA_USTANOWIENIA": [d.strftime("%d.%m.%Y") for d in since],
        "DATA_WAZNOSCI": [d.strftime("%d.%m.%Y") for d in until],
        "POWIERZCHNIA": [round(g.area) for g in geometry],
        "WYD_WYZN": "Marszałek Województwa", "NADZOR_OUG": "OUG Wrocław"}


def mining_registries(seed: int, layout: Layout) -> dict[str, gpd.GeoDataFrame]:
    """Return ``deposits``, ``mining_areas`` and ``mining_terrains`` in EPSG:2180."""
    rng = stream(seed, layout.site.name, "registers")
    crs = f"EPSG:{layout.site.epsg}"
    licensed = [p for p in layout.pits if p.category in LICENSED_KINDS]
    areas = [_permitted(p) for p in licensed]
    terrains = [a.buffer(150).simplify(30) for a in areas]
    rows = _mining_rows(licensed, rng, areas)
    in_deposit = [p for p in layout.pits if _deposit(p) is not None]
    bodies = [_deposit(p) for p in in_deposit]
    deposits = gpd.GeoDataFrame({
        "ID_KONTURU": [20_000 + p.site_id for p in in_deposit],
        "ID_ZLOZA": [3000 + p.site_id for p in in_deposit],
        "NAZWA_ZLOZA": [f"{PLACE} {p.site_id} - złoże" for p in in_deposit],
        "KOPALINA": [MINERALS[p.site_id % len(MINERALS)] for p in in_deposit],
        "POWIERZCHNIA": [round(b.area) for b in bodies],
    }, geometry=bodies, crs=crs)
    tables = {
        "deposits": deposits, "mining_areas": gpd.GeoDataFrame(rows, geometry=areas, crs=crs),
        "mining_terrains": gpd.GeoDataFrame(
            {**rows, "POWIERZCHNIA": [round(t.area) for t in terrains]},
            geometry=terrains, crs=crs)}
    return {name: table.to_crs(2180) for name, table in tables.items()}


def corine(layout: Layout) -> gpd.GeoDataFrame:
    """Return generalised land cover of 2018 (column Code_18, text), EPSG:3035.

    Units of less than 25 ha are merged into their neighbours, so small quarries stay hidden.
    """
    site = layout.site
    soft = {c: ndimage.gaussian_filter((layout.static == legend.code(k)).astype(np.float32), 7)
            for c, k in ((112, "urban"), (312, "conifer"), (313, "mixed_forest"),
                         (231, "grassland"), (512, "water"))}
    arable = ndimage.gaussian_filter((layout.static == legend.NO_DATA).astype(np.float32), 7)
    stack = np.stack([arable, *soft.values()])
    codes = np.array([211, *soft])[stack.argmax(0)].astype(np.int32)
    towns = [(c.buffer(0.8 * r), 112) for c, r in layout.villages if r >= 320]
    large = [(p.at(START).buffer(30), 131) for p in layout.pits
             if p.at(START).area / 1e4 >= CORINE_MIN_HA]
    for geometry, code in towns + large:
        codes[burn([geometry], site.shape, site.transform)] = code
    codes = sieve(codes, int(CORINE_MIN_HA * 1e4 / PIXEL**2), connectivity=4)
    rows = [(str(int(value)), shape(outline))
            for outline, value in shapes(codes, transform=site.transform)]
    table = gpd.GeoDataFrame({"Code_18": [v for v, _ in rows]}, geometry=[g for _, g in rows],
                             crs=f"EPSG:{site.epsg}")
    table["geometry"] = table.simplify_coverage(40)
    return table.to_crs(3035)


def osm_quarries(seed: int, layout: Layout) -> gpd.GeoDataFrame:
    """Return volunteers' outlines (EPSG:4326): the larger pits, moved a little, without case A."""
    rng = stream(seed, layout.site.name, "osm")
    pits = [p for p in layout.pits if p.outline.area > 4e4]
    geometry = [affinity.translate(p.outline.simplify(15), *rng.normal(0, 12, 2)) for p in pits]
    return gpd.GeoDataFrame({
        "osm_id": [900_000 + p.site_id for p in pits], "landuse": "quarry",
        "name": [f"Kopalnia {p.site_id}" if p.category == "licensed" else None for p in pits],
    }, geometry=geometry, crs=f"EPSG:{layout.site.epsg}").to_crs(4326)


def monitoring_points(seed: int, layout: Layout) -> pd.DataFrame:
    """Return points of the monitoring of pits: x, y (metres, the scenes' CRS) and category.

    1 is extraction without a concession, 2 gross overrun, 3 abandoned. Case B is not in it.
    """
    rng = stream(seed, layout.site.name, "monitoring")
    number = {"outside_deposit": 1, "in_deposit_unlicensed": 1, "overrun": 2, "reclaimed": 3}
    pits = [p for p in layout.pits if p.category in number and p.case != "B"]
    rows = []
    for p in pits:
        at, (dx, dy) = p.outline.representative_point(), rng.normal(0, 20, 2)
        rows.append((at.x + dx, at.y + dy, number[p.category]))
    return pd.DataFrame(rows, columns=["x", "y", "category"]).round({"x": 1, "y": 1})
