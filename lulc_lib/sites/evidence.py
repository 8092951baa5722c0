"""What the registries say about each site: shares, distances, overrun; numbers, no conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import repeat
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from lulc_lib.sites.objects import united
from lulc_lib.sites.registries import Registries, valid_on
from lulc_lib.sites.settings import Settings
from lulc_lib.sites.tracking import Tracks

EMPTY = shapely.Polygon()
SUPPORT_HA = 0.05
"""Hectares outside a boundary that support what another date shows farther out."""


class Permits(NamedTuple):
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
    sites, tolerance = tracks.sites.geometry.to_numpy(), settings.tolerance_m
    if not len(sites):
        return {}
    columns = [
        _later_clear(tracks), [tracks.dates[-1]] * len(sites),
        _all_permits(tracks, registries, settings),
        _places(registries.deposits, sites, tolerance, detail="mineral"),
        _places(registries.corine, sites, 0.0, name="code"),
        _places(registries.osm_quarries, sites, tolerance),
        *_nearest_points(registries.monitoring_points, sites),
        [registries.unplaced] * len(sites)]
    return {number: Facts(site, *facts) for (number, site), *facts
            in zip(tracks.sites.iterrows(), *columns, strict=True)}


class _Layer:
    """A registry layer, and which of its rows lie within some metres of each site."""

    def __init__(self, table: gpd.GeoDataFrame, sites: NDArray[np.object_], metres: float) -> None:
        self.table, self.shapes, self.sites = table, table.geometry.to_numpy(), sites
        site, row = shapely.STRtree(self.shapes).query(sites, predicate="dwithin", distance=metres)
        order = np.lexsort((row, site))
        self.near = np.split(row[order], np.searchsorted(site[order], np.arange(1, len(sites))))

    def united(self, rows: Sequence[NDArray[np.intp]]) -> NDArray[np.object_]:
        """Unite some rows, for each entry of ``rows``."""
        return united(self.shapes[np.concatenate([*rows, []]).astype(np.intp)],
                      np.repeat(np.arange(len(rows)), list(map(len, rows))), len(rows))

    def shares(self, rows: Sequence[NDArray[np.intp]], tolerance_m: float = 0.0) -> list[float]:
        """Measure the share of each site in some rows, widened by the tolerance."""
        inside = shapely.intersection(self.sites, _widened(self.united(rows), tolerance_m))
        return (shapely.area(inside) / shapely.area(self.sites)).tolist()

    def largest(self, column: str) -> list[str]:
        """Name the rows that hold most of each site, together where ``column`` is the same."""
        names = self.table[column].fillna("").astype(str).to_numpy()
        row, site = np.concatenate(self.near), np.repeat(
            np.arange(len(self.near)), list(map(len, self.near)))
        area = pd.Series(shapely.area(shapely.intersection(self.shapes[row], self.sites[site])))
        total = area.groupby([site, names[row]]).sum()
        most = dict(total.groupby(level=0).idxmax()) if len(total) else {}
        return [most[k][1] if k in most else "" for k in range(len(self.near))]


def _nearest(shapes: NDArray[np.object_], sites: NDArray[np.object_]
             ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Find for each site the nearest of the shapes, the first of several: metres and its place.

    Without shapes, infinite and −1.
    """
    if not len(shapes):
        return np.full(len(sites), np.inf), np.full(len(sites), -1)
    (site, row), away = shapely.STRtree(shapes).query_nearest(sites, return_distance=True)
    order = np.lexsort((row, site))
    first = order[np.unique(site[order], return_index=True)[1]]
    return away[first], row[first]


def _later_clear(tracks: Tracks) -> list[int]:
    """Count the clear dates after each site was last seen."""
    table = tracks.observations
    later = table.clear & (table.date > table.site_id.map(tracks.sites.last_seen))
    return later.groupby(table.site_id).sum().reindex(tracks.sites.index, fill_value=0).tolist()


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


def _all_permits(tracks: Tracks, registries: Registries, settings: Settings
                 ) -> list[Permits | None]:
    """Hold all sites against the mining areas on every date each was seen."""
    sites, lasts = tracks.sites.geometry.to_numpy(), tracks.sites.last_seen.to_numpy()
    if registries.mining_areas is None:
        return [None] * len(sites)
    areas = _Layer(registries.mining_areas, sites, settings.tolerance_m)
    valid = {day: _in_force(areas.table, day) for day in tracks.dates}
    terrain = _terrain_shares(registries.mining_terrains, sites, lasts)
    away = np.empty(len(sites))
    for day in set(lasts):
        at = lasts == day
        away[at] = _nearest(areas.shapes[valid[day]], sites[at])[0]
    last = [near[valid[day][near]] for near, day in zip(areas.near, lasts, strict=True)]
    until = areas.table.valid_to.to_numpy()
    columns = zip(
        areas.shares(last), areas.shares(areas.near, settings.tolerance_m), away.tolist(),
        areas.largest("name"), [_last_day(until[near]) for near in areas.near],
        _held_against(areas, tracks, valid, settings), terrain, strict=True)
    return [Permits(share, ever, metres, *dates, overrun, name, end, grown, of_terrain)
            for share, ever, metres, name, end, (*dates, overrun, grown), of_terrain in columns]


def _held_against(
    areas: _Layer, tracks: Tracks, valid: Mapping[date, NDArray[np.bool_]], settings: Settings,
) -> list[tuple[tuple[date, ...], tuple[date, ...], float, float]]:
    """Hold the extents of each site against the areas valid on their dates.

    Of each site: the dates with a permit and without, hectares of overrun, and grown since.
    """
    seen = tracks.observations[tracks.observations.seen]
    days, extents = seen.date.to_numpy(), seen.geometry.to_numpy()
    site = tracks.sites.index.get_indexer(seen.site_id)
    rows = [areas.near[k][valid[day][areas.near[k]]] for k, day in zip(site, days, strict=True)]
    keys: dict[bytes, int] = {}
    which = [keys.setdefault(r.tobytes(), len(keys)) for r in rows]  # unite each set once
    allowed = areas.united([np.frombuffer(key, np.intp) for key in keys])
    widened = _widened(allowed, settings.tolerance_m)[which]
    permitted = shapely.area(shapely.intersection(extents, widened)) >= (
        settings.min_permit_share * shapely.area(extents))
    outside = shapely.difference(extents, allowed[which])
    beyond = shapely.difference(extents, widened)
    found = []
    for n in np.split(np.arange(len(site)), np.searchsorted(site, np.arange(1, len(areas.near)))):
        has = n[permitted[n]]
        overrun = overrun_of(list(outside[has]), list(beyond[has]), settings) if len(has) else EMPTY
        found.append((tuple(days[has]), tuple(days[n[~permitted[n]]]), overrun.area / 1e4,
                      _grown(days[n], extents[n], list(days[has]), settings)))
    return found


def _in_force(areas: gpd.GeoDataFrame, day: date) -> NDArray[np.bool_]:
    """Tell which rows of mining areas or terrains are in force on a day."""
    rows = areas.reset_index(drop=True)
    return rows.index.isin(valid_on(rows, day).index)


def _terrain_shares(terrains: gpd.GeoDataFrame | None, sites: NDArray[np.object_],
                    lasts: NDArray[np.object_]) -> list[float]:
    """Measure the share of each site in the mining terrains valid when it was last seen."""
    if terrains is None:
        return [np.nan] * len(sites)
    layer, valid = _Layer(terrains, sites, 0.0), {d: _in_force(terrains, d) for d in set(lasts)}
    return layer.shares([near[valid[day][near]]
                         for near, day in zip(layer.near, lasts, strict=True)])


def overrun_of(outside: list[BaseGeometry], beyond: list[BaseGeometry], settings: Settings
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


def _grown(days: NDArray[np.object_], extents: NDArray[np.object_], permitted: list[date],
           settings: Settings) -> float:
    """Measure the hectares dug, and seen twice, after the last date with a permit.

    Without such a date, those dug after the first one.
    """
    start = permitted[-1] if permitted else days[0]
    if start == days[-1]:
        return 0.0
    before = shapely.union_all(extents[days <= start]).buffer(settings.tolerance_m)
    after = [extent.difference(before) for extent in extents[days > start]]
    return confirmed(after, min(settings.min_dates, max(len(after), 1))).area / 1e4


def _places(table: gpd.GeoDataFrame | None, sites: NDArray[np.object_], tolerance_m: float,
            name: str = "name", detail: str | None = None) -> list[Place | None]:
    """Tell what a polygon layer holds at each site."""
    if table is None:
        return [None] * len(sites)
    layer = _Layer(table, sites, tolerance_m)
    return [Place(*values) for values in zip(
        layer.shares(layer.near), layer.shares(layer.near, tolerance_m),
        _nearest(layer.shapes, sites)[0].tolist(), layer.largest(name),
        layer.largest(detail) if detail else repeat("", len(sites)), strict=True)]


def _nearest_points(points: gpd.GeoDataFrame | None, sites: NDArray[np.object_]
                    ) -> tuple[list[float | None], list[str]]:
    """Return the metres to the nearest point of each site (inf: there is none), and its name."""
    if points is None:
        return [None] * len(sites), [""] * len(sites)
    away, row = _nearest(points.geometry.to_numpy(), sites)
    names = [*points["name"].where(points["name"].notna(), "").astype(str), ""]  # −1: the last
    return away.tolist(), [names[r] for r in row]


def _widened(shapes: NDArray[np.object_], tolerance_m: float) -> NDArray[np.object_]:
    """Add the tolerance to shapes, round at corners as a shape's own ``buffer``."""
    return shapely.buffer(shapes, tolerance_m, quad_segs=16)


def _last_day(days: NDArray[np.object_]) -> date | None:
    """Return the last day of all; None if one is unknown or open."""
    return None if not len(days) or pd.isna(days).any() else max(days)
