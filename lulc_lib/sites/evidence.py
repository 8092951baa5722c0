"""What the registries say about each site: shares, distances, overrun; numbers, no conclusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from lulc_lib.sites.registries import Registries, valid_on
from lulc_lib.sites.settings import Settings
from lulc_lib.sites.tracking import Tracks

EMPTY = shapely.Polygon()
SUPPORT_HA = 0.05
"""Hectares outside a boundary that support what another date shows farther out."""


@dataclass(frozen=True)
class Permits:
    """Mining areas at a site, date by date."""

    share: float  # of the site in areas valid on the last date it was seen
    share_ever: float  # of the site in areas of any date, tolerance added
    distance_m: float  # metres to the nearest valid area; inf: none
    dates_with: tuple[date, ...]  # on which it was seen with a permit …
    dates_without: tuple[date, ...]  # … and without
    overrun_ha: float  # hectares beyond boundary and tolerance while there was a permit
    name: str = ""  # of the area with most of the site
    until: date | None = None  # last day of all areas there; None: unknown or open
    grown_ha: float = 0.0  # hectares dug and seen twice since the last date with a permit
    terrain_share: float = np.nan  # of the site in mining terrains valid when it was last seen


@dataclass(frozen=True)
class Place:
    """A polygon layer at a site."""

    share: float  # of the site in the layer …
    share_with_tolerance: float  # … and in the layer widened by the tolerance
    distance_m: float  # metres to the nearest polygon; inf: none
    name: str = ""  # of the polygon that holds most, and what more is said of it
    detail: str = ""


@dataclass(frozen=True)
class Facts:
    """What the maps and the registries say of one site; None for a layer that is missing."""

    history: pd.Series  # the site's row of Tracks (areas in hectares, dates)
    later_clear: int  # clear dates after it was last seen
    last_date: date  # the last of all dates
    permits: Permits | None
    deposit: Place | None
    corine: Place | None  # its name is the code
    osm: Place | None
    monitoring_m: float | None  # metres to the nearest monitoring point; inf: none
    monitoring_name: str = ""  # what that point is called
    unplaced: Mapping[str, int] = field(default_factory=dict)  # see Registries


def gather_facts(tracks: Tracks, registries: Registries, settings: Settings) -> dict[int, Facts]:
    """Gather the facts of every site.

    ``registries`` must be in the tracks' CRS. The result has the site's number as its key.
    """
    out = {}
    for number, site in tracks.sites.iterrows():
        mine = tracks.observations[tracks.observations.site_id == number]
        seen = mine[mine.seen]
        points = registries.monitoring_points
        distance, name = (None, "") if points is None else _nearest_point(site.geometry, points)
        areas = registries.mining_areas
        out[number] = Facts(
            site, int((mine.clear & (mine.date > site.last_seen)).sum()), tracks.dates[-1],
            None if areas is None else _permits(site, seen, areas, registries, settings),
            _place(site.geometry, registries.deposits, settings.tolerance_m, detail="mineral"),
            _place(site.geometry, registries.corine, 0.0, name="code"),
            _place(site.geometry, registries.osm_quarries, settings.tolerance_m),
            distance, name, registries.unplaced)
    return out


def confirmed(shapes: list[BaseGeometry], times: int) -> BaseGeometry:
    """Return what at least ``times`` of the shapes cover.

    >>> boxes = [shapely.box(0, 0, 3, 1), shapely.box(1, 0, 4, 1), shapely.box(2, 0, 5, 1)]
    >>> [confirmed(boxes, n).area for n in (1, 2, 3)]
    [5.0, 3.0, 1.0]
    """
    levels = [EMPTY] * times
    for one in shapes:
        for level in range(times - 1, 0, -1):
            levels[level] = levels[level].union(levels[level - 1].intersection(one))
        levels[0] = levels[0].union(one)
    return levels[-1]


def _permits(
    site: pd.Series, seen: gpd.GeoDataFrame, areas: gpd.GeoDataFrame, registries: Registries,
    settings: Settings,
) -> Permits:
    """Hold one site against the mining areas on every date it was seen."""
    tolerance = settings.tolerance_m
    near = _around(areas, site.geometry, tolerance)
    outside, beyond, with_permit, without = [], [], [], []
    widen = cache(lambda ids: _widened(near.loc[list(ids)], tolerance))
    for day, extent in zip(seen.date, seen.geometry, strict=True):
        allowed, widened = widen(tuple(valid_on(near, day).index))
        if extent.intersection(widened).area >= settings.min_permit_share * extent.area:
            with_permit.append(day)
            outside.append(extent.difference(allowed))
            beyond.append(extent.difference(widened))
        else:
            without.append(day)
    overrun = overrun_of(outside, beyond, settings) if beyond else EMPTY
    terrains, last = registries.mining_terrains, site.last_seen
    return Permits(
        _share(site.geometry, valid_on(near, last)),
        _share(site.geometry, near, tolerance), _distance(site.geometry, valid_on(areas, last)),
        tuple(with_permit), tuple(without), overrun.area / 1e4,
        _largest(site.geometry, near, "name"), _last_day(near.valid_to),
        _grown(seen, with_permit, settings),
        np.nan if terrains is None
        else _share(site.geometry, valid_on(_around(terrains, site.geometry, 0), last)))


def overrun_of(
    outside: list[BaseGeometry], beyond: list[BaseGeometry], settings: Settings
) -> BaseGeometry:
    """Find where a permit was overrun, by more than one date's word.

    What lies beyond the tolerance on ``min_dates`` dates; and what lies there on the last date,
    if another date shows at least :data:`SUPPORT_HA` outside the plain boundary at the same place:
    a pit that grows leaves its newest ground seen only once.

    ``outside`` and ``beyond`` are, by date, the extent outside the boundary, and beyond the
    tolerance as well.
    """
    twice = confirmed(beyond, min(settings.min_dates, len(beyond)))
    margin = settings.tolerance_m + 1.0
    supported = [part for part in shapely.get_parts(beyond[-1])
                 if any(o.intersection(part.buffer(margin)).area >= SUPPORT_HA * 1e4
                        for o in outside[:-1])]
    return shapely.union_all([twice, *supported])


def _grown(seen: gpd.GeoDataFrame, permitted: list[date], settings: Settings) -> float:
    """Measure the hectares dug, and seen twice, after the last date with a permit.

    Without such a date, those dug after the first one.
    """
    start = permitted[-1] if permitted else seen.date.min()
    if start == seen.date.max():
        return 0.0
    before = seen[seen.date <= start].geometry.union_all().buffer(settings.tolerance_m)
    after = [g.difference(before) for d, g in zip(seen.date, seen.geometry, strict=True)
             if d > start]
    return confirmed(after, min(settings.min_dates, max(len(after), 1))).area / 1e4


def _place(
    geometry: BaseGeometry, table: gpd.GeoDataFrame | None, tolerance_m: float,
    name: str = "name", detail: str | None = None,
) -> Place | None:
    if table is None:
        return None
    near = _around(table, geometry, tolerance_m)
    return Place(
        _share(geometry, near), _share(geometry, near, tolerance_m), _distance(geometry, table),
        _largest(geometry, near, name), _largest(geometry, near, detail) if detail else "")


def _around(table: gpd.GeoDataFrame, geometry: BaseGeometry, metres: float) -> gpd.GeoDataFrame:
    """Select the rows within some metres of a shape."""
    rows = table.sindex.query(geometry, predicate="dwithin", distance=metres)
    return table.iloc[np.sort(rows)]


def _share(geometry: BaseGeometry, table: gpd.GeoDataFrame, tolerance_m: float = 0.0) -> float:
    """Measure the share of a shape in the rows, widened by the tolerance."""
    if not len(table):
        return 0.0
    return float(geometry.intersection(_widened(table, tolerance_m)[1]).area / geometry.area)


def _widened(table: gpd.GeoDataFrame, tolerance_m: float) -> tuple[BaseGeometry, BaseGeometry]:
    """Unite all rows to one shape, without and with the tolerance added."""
    whole = table.geometry.union_all() if len(table) else EMPTY
    return whole, whole.buffer(tolerance_m)


def _distance(geometry: BaseGeometry, table: gpd.GeoDataFrame) -> float:
    return float(table.distance(geometry).min()) if len(table) else np.inf


def _largest(geometry: BaseGeometry, table: gpd.GeoDataFrame, column: str) -> str:
    """Name the rows that hold most of a shape, taken together where ``column`` is the same."""
    if len(table) < 2:
        return "" if table.empty or pd.isna(table[column].iloc[0]) else str(table[column].iloc[0])
    area = table.intersection(geometry).area.groupby(table[column].fillna("").to_numpy()).sum()
    return str(area.idxmax())


def _nearest_point(geometry: BaseGeometry, points: gpd.GeoDataFrame) -> tuple[float, str]:
    if points.empty:
        return np.inf, ""
    away = points.distance(geometry)
    name = points.loc[away.idxmin(), "name"]
    return float(away.min()), "" if name is None or pd.isna(name) else str(name)


def _last_day(days: pd.Series) -> date | None:
    """Return the last day of all; None if one is unknown or open."""
    return None if not len(days) or days.isna().any() else max(days)
