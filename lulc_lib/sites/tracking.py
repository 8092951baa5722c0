"""Objects of all dates to sites: where rock was open more than once, when, and how it grew.

A site's core is the land that was quarry on at least two clear dates (on one, where only one is
clear) and on most of those between, so a flicker makes no site and does not shape one. What each
date's map shows around a core is that date's extent of the site.

Where rock was open on any date, connected land is a region; regions have nothing to do with each
other. So memory holds a bit per pixel and date, and whole numbers only of the region at work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import reduce
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from scipy import ndimage, stats
from shapely.geometry.base import BaseGeometry

from lulc_lib import legend
from lulc_lib.errors import InputError
from lulc_lib.sites.maps import pixel_area, same_grid
from lulc_lib.sites.objects import (
    NEIGHBOURS,
    Labels,
    at_least,
    checked,
    measure,
    open_rock,
    shape_of,
)
from lulc_lib.sites.settings import Settings

CLEAR = 0.5
"""Share of a site's core that must hold data on a date for the date to count as clear there."""
SEEN = 0.2
"""Share of a core's clear land that must be open for the site to count as seen (or the smallest
area of a site, where that is less: a large pit is filled piece by piece)."""
DAYS_PER_YEAR = 365.25
HISTORY = ("first_seen", "last_seen", "clear_dates", "seen_dates", "cut_dates", "seen_share",
           "persistence", "mean_probability", "growth_ha_per_year", "growth_low", "growth_high",
           "growth_p")
"""Columns of a site that tell of its dates."""


class Tracks(NamedTuple):
    """Sites and what was seen of them on each date.

    Attributes
    ----------
    sites : GeoDataFrame
        One row per site, largest first, index ``site_id``; geometry (metres) is the confirmed
        extent, the core. ``area_ha``, ``perimeter_m``, ``compactness``, ``elongation``,
        ``water_share`` (pit lakes, on the last date), ``first_seen``, ``last_seen``
        (datetime.date), ``clear_dates``, ``seen_dates``, ``cut_dates`` (on which what was seen is
        cut by the map's edge or missing data), ``seen_share`` (of the clear dates), ``persistence``
        (the same between first and last seen), ``mean_probability`` (over the dates seen),
        ``growth_ha_per_year`` with ``growth_low``, ``growth_high`` (95 % interval of this site
        alone) and ``growth_p`` (Kendall's test of a trend, raised for the number of sites by Holm's
        rule); NaN where fewer than three dates show it uncut.
    observations : GeoDataFrame
        One row per site and date: ``site_id``, ``date``, ``clear``, ``seen``, ``cut``, ``area_ha``,
        ``mean_probability``; geometry is the extent on that date, None if not seen.
    dates : tuple of date
        All dates given, in order.
    """

    sites: gpd.GeoDataFrame
    observations: gpd.GeoDataFrame
    dates: tuple[date, ...]


def track_sites(
    maps: Mapping[date, xr.DataArray], probabilities: Mapping[date, xr.DataArray] | None = None,
    settings: Settings | None = None,
) -> Tracks:
    """Track the sites in a series of class maps.

    Parameters
    ----------
    maps : mapping of date to DataArray of uint8, shape (y, x)
        Legend codes, all on one grid with CRS.
    probabilities : mapping of date to DataArray of float, shape (y, x), optional
        Quarry probability 0–1; dates may lack one.
    settings : Settings, optional
        See :class:`lulc_lib.sites.settings.Settings`.

    Raises
    ------
    InputError
        No map, or maps on different grids.
    """
    settings = settings or Settings()
    dates = tuple(sorted(maps))
    if not dates:
        raise InputError("no class map was given; there must be at least one")
    grid = maps[dates[0]]
    for day in dates:
        if not same_grid(maps[day], grid):
            raise InputError(f"the map of {day} lies on another grid than that of {dates[0]}; "
                             "bring all maps to one grid first")
    series = _Series(maps, dict(probabilities or {}), dates, settings, pixel_area(grid))
    found = sorted((site for region in series.regions() for site in _sites_of(series, region)),
                   key=lambda site: site.first)
    observations = _observations(found, dates, grid.rio.crs)
    sites = gpd.GeoDataFrame(
        {"water_share": [s.water_share for s in found]}, geometry=[s.core for s in found],
        crs=grid.rio.crs, index=np.arange(1, len(found) + 1))[["geometry", "water_share"]]
    sites["area_ha"] = sites.area / 1e4
    sites = sites.join(shape_of(sites.geometry, pixel_area(grid) ** 0.5))
    return _kept(_histories(sites, observations, len(dates)), observations, dates, settings)


def with_applicability(tracks: Tracks, outside: Mapping[date, xr.DataArray]) -> Tracks:
    """Add to the sites how much of them lies outside the maps' area of applicability.

    Parameters
    ----------
    tracks : Tracks
        From :func:`track_sites`.
    outside : mapping of date to DataArray of float, shape (y, x)
        1 outside, 0 inside, NaN unknown, on the maps' grid; dates may lack one.

    Returns
    -------
    Tracks
        ``sites`` have ``outside_share``: the share, 0–1, of a date's extent that lies outside, mean
        over the dates seen; NaN where no date says.
    """
    shares = pd.DataFrame(index=tracks.sites.index)
    for day, values in outside.items():
        seen = tracks.observations[tracks.observations.seen & (tracks.observations.date == day)]
        transform = values.rio.transform()
        shares[day] = pd.Series({n: _mean_inside(g, values.variable, transform)
                                 for n, g in zip(seen.site_id, seen.geometry, strict=True)},
                                dtype=np.float32)
    return tracks._replace(sites=tracks.sites.assign(outside_share=shares.mean(axis=1)))


def _mean_inside(shape: BaseGeometry, values: xr.Variable, transform: Affine) -> np.float32:
    """Average the values (row, col) of the pixels whose centre a shape holds; NaN if none is."""
    left, bottom, right, top = shape.bounds
    corners = [~transform @ (x, y) for x in (left, right) for y in (bottom, top)]
    cols, rows = (slice(max(int(min(ends)), 0), max(int(max(ends)) + 1, 0))
                  for ends in zip(*corners, strict=True))
    part = values[rows, cols].values
    inside = rasterize([shape], part.shape, dtype="uint8",
                       transform=transform @ Affine.translation(cols.start, rows.start))
    known = part[(inside > 0) & np.isfinite(part)]
    return known.mean(dtype=np.float32) if known.size else np.float32(np.nan)


class _Region(NamedTuple):
    """Connected land on which rock was open on some date."""

    place: tuple[slice, slice]  # rows and columns around it
    inside: NDArray[np.bool_]  # which pixels of these are it


class _Site(NamedTuple):
    """A core, and what each date shows of it."""

    first: int  # number of its first pixel
    core: BaseGeometry
    water_share: float
    seen: list[tuple[bool, bool, bool, float, BaseGeometry | None]]  # per date: see _seen


class _Series:
    """The maps of all dates, and where rock is open on each (a bit per pixel)."""

    def __init__(self, maps: Mapping[date, xr.DataArray], probabilities: dict[date, xr.DataArray],
                 dates: tuple[date, ...], settings: Settings, pixel_m2: float) -> None:
        self.maps, self.probabilities, self.settings = maps, probabilities, settings
        self.dates, self.pixel_m2 = dates, pixel_m2
        self.least = settings.min_area_ha * 1e4 / pixel_m2  # pixels of a site
        self.shape, self.transform = maps[dates[0]].shape, maps[dates[0]].rio.transform()
        self._rock = {day: np.packbits(open_rock(maps[day], probabilities.get(day), settings),
                                       axis=1) for day in dates}

    def regions(self) -> Iterator[_Region]:
        """Yield the regions large enough for a site."""
        ever = reduce(np.bitwise_or, self._rock.values())
        labels, _ = ndimage.label(np.unpackbits(ever, axis=1, count=self.shape[1]), NEIGHBOURS)
        for number, place in enumerate(ndimage.find_objects(labels), start=1):
            if np.prod([s.stop - s.start for s in place]) >= self.least:
                inside = labels[place] == number
                if np.count_nonzero(inside) >= self.least:
                    yield _Region(place, inside)

    def objects(self, day: date, region: _Region) -> Labels:
        """Return the objects of a date in a region."""
        rows, cols = region.place
        start = cols.start // 8
        bits = np.unpackbits(self._rock[day][rows, start:-(-cols.stop // 8)], axis=1)
        rock = bits[:, cols.start - 8 * start:cols.stop - 8 * start].astype(bool)
        around = self._around(day, region)
        codes = around[1:-1, 1:-1]
        at_gap = ndimage.binary_dilation(around == legend.NO_DATA, NEIGHBOURS)[1:-1, 1:-1]
        probability = self.probabilities.get(day)
        return Labels(ndimage.label(rock & region.inside, NEIGHBOURS)[0], codes, None
                      if probability is None
                      else checked(probability.variable[region.place].values, codes), at_gap)

    def _around(self, day: date, region: _Region) -> NDArray[np.uint8]:
        """Read the codes of a region and one pixel around it, NO_DATA beyond the map."""
        wide = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in region.place)
        beyond = [(int(s.start == 0), int(s.stop == size))
                  for s, size in zip(region.place, self.shape, strict=True)]
        return np.pad(self.maps[day].variable[wide].values, beyond,
                      constant_values=legend.NO_DATA)


def _sites_of(series: _Series, region: _Region) -> list[_Site]:
    """Find the cores in a region, and what each date shows of them."""
    objects = [series.objects(d, region) for d in series.dates]
    cores = find_cores(objects, series.settings, series.pixel_m2)
    if not cores.any():
        return []
    rows, cols = region.place
    transform = series.transform @ Affine.translation(cols.start, rows.start)
    measured = measure(objects[-1]._replace(labels=cores, probability=None), transform)
    seen = [_seen(one, cores, transform, series.least) for one in objects]
    pixels = np.unique(cores, return_index=True)[1][-len(measured.number):]
    down, across = np.divmod(pixels, cores.shape[1])
    first = (down + rows.start) * series.shape[1] + across + cols.start
    return [_Site(*values) for values in zip(
        first.tolist(), measured.geometry, measured.water_share, zip(*seen, strict=True),
        strict=True)]


def find_cores(
    objects: list[Labels], settings: Settings, pixel_m2: float
) -> NDArray[np.int32]:
    """Find and number the cores of sites: (row, col) int32, 0 elsewhere.

    A core is land that was quarry on ``min_dates`` clear dates, and on a share ``persistence`` of
    those between its first and its last. ``objects`` are those of the dates, in order.
    """
    clear, seen, first, last = np.zeros((4, *objects[0].labels.shape), np.int16)
    for one in objects:
        is_open = one.labels > 0
        clear += one.clear  # clear dates so far
        first[is_open & (seen == 0)] = clear[is_open & (seen == 0)]
        last[is_open] = clear[is_open]
        seen += is_open
    between = last - first + 1
    confirmed = (seen > 0) & (seen >= np.minimum(settings.min_dates, np.maximum(clear, 1))) & (
        seen >= settings.persistence * between)
    return at_least(ndimage.label(confirmed, NEIGHBOURS)[0], settings.min_area_ha * 1e4 / pixel_m2)


def assign(objects: NDArray[np.int32], cores: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give the pixels of one date's objects to the sites whose core they meet: (row, col) int32.

    An object that meets several cores is shared out: each pixel goes to the nearest of them.
    """
    out = np.zeros_like(cores)
    if not cores.any():
        return out
    both = (objects > 0) & (cores > 0)
    count = int(cores.max()) + 1
    pairs = np.divmod(np.unique(objects[both].astype(np.int64) * count + cores[both]), count)
    places = ndimage.find_objects(objects)
    for number in np.unique(pairs[0]):
        met, place = pairs[1][pairs[0] == number], places[number - 1]
        inside = objects[place] == number
        local = np.where(np.isin(cores[place], met), cores[place], 0)
        if len(met) == 1:
            nearest = np.full(local.shape, met[0])
        else:
            rows, cols = ndimage.distance_transform_edt(
                local == 0, return_distances=False, return_indices=True)
            nearest = local[rows, cols]
        out[place][inside] = nearest[inside]
    return out


def _seen(
    objects: Labels, cores: NDArray[np.int32], transform: Affine, least: float
) -> list[tuple[bool, bool, bool, float, BaseGeometry | None]]:
    """Tell of each core whether it was clear, seen and cut, mean probability and extent."""
    count = int(cores.max())
    extent = assign(objects.labels, cores)
    size, clear, open_ = (np.bincount(of.ravel(), minlength=count + 1)[1:] for of in (
        cores, cores[objects.clear], cores[(extent == cores) & (cores > 0)]))
    is_clear = clear >= CLEAR * np.maximum(size, 1)
    is_seen = is_clear & (open_ > 0) & (open_ >= np.minimum(SEEN * clear, least))
    extent[~np.append(False, is_seen)[extent]] = 0
    cut = np.bincount(extent[objects.at_gap], minlength=count + 1)[1:] > 0
    measured = measure(objects._replace(labels=extent), transform)
    found = dict(zip(measured.number, zip(measured.mean_probability, measured.geometry,
                                          strict=True), strict=True))
    return [(bool(is_clear[k]), bool(is_seen[k]), bool(cut[k]), *found.get(k + 1, (np.nan, None)))
            for k in range(count)]


def _observations(found: list[_Site], dates: tuple[date, ...], crs: object) -> gpd.GeoDataFrame:
    """Lay out what each date shows of each site; sites are numbered in the order given."""
    rows = [(number, day, *seen) for number, site in enumerate(found, start=1)
            for day, seen in zip(dates, site.seen, strict=True)]
    columns = ["site_id", "date", "clear", "seen", "cut", "mean_probability", "geometry"]
    table = gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs=crs).astype(
        {"site_id": "int64", "clear": bool, "seen": bool, "cut": bool, "mean_probability": float})
    table.insert(5, "area_ha", (table.area / 1e4).fillna(0.0))
    return table


def _histories(
    sites: gpd.GeoDataFrame, observations: gpd.GeoDataFrame, dates: int
) -> gpd.GeoDataFrame:
    """Add to the sites first and last seen, shares of dates and growth."""
    columns = [observations[c].to_numpy().reshape(-1, dates)
               for c in ("date", "clear", "seen", "cut", "area_ha", "mean_probability")]
    history = pd.DataFrame([_history(*values) for values in zip(*columns, strict=True)],
                           index=sites.index, columns=HISTORY)
    return sites.join(history.assign(growth_p=_holm(history.growth_p.astype(float))))


def _history(
    dates: NDArray[np.object_], clear: NDArray[np.bool_], seen: NDArray[np.bool_],
    cut: NDArray[np.bool_], areas_ha: NDArray[np.float64], probability: NDArray[np.float64],
) -> tuple[object, ...]:
    """Return :data:`HISTORY` of one site from what its dates show, in their order."""
    days, which = dates[seen], np.flatnonzero(seen)
    within = clear[which[0]:which[-1] + 1] if len(which) else clear
    known = probability[seen & np.isfinite(probability)]
    whole, areas_ha = dates[seen & ~cut], areas_ha[seen & ~cut]
    growth = growth_rate(list(whole), areas_ha.tolist())
    trend = np.nan if len(whole) < 3 else stats.kendalltau(
        [d.toordinal() for d in whole], areas_ha).pvalue
    return (days[0] if len(days) else None, days[-1] if len(days) else None, clear.sum(),
            len(days), (seen & cut).sum(), len(days) / max(clear.sum(), 1),
            len(days) / max(within.sum(), 1),
            known.mean() if len(known) else np.nan, *growth, trend)


def _holm(p: pd.Series) -> pd.Series:
    """Raise p values to what they are worth among all of them (Holm 1979); NaN was no test.

    >>> _holm(pd.Series([0.01, 0.04, np.nan, 0.03])).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    ordered = p.dropna().sort_values()
    raised = (ordered * np.arange(len(ordered), 0, -1)).cummax().clip(upper=1)
    return raised.reindex(p.index)


def growth_rate(dates: list[date], areas_ha: list[float]) -> tuple[float, float, float]:
    """Fit the Theil–Sen slope of area over time, hectares per year, with its 95 % interval.

    NaN on fewer than three dates: two areas have a difference but no trend.

    >>> from datetime import timedelta
    >>> days = [date(2020, 1, 1) + timedelta(days=n) for n in (0, 365, 731, 1096)]
    >>> [round(float(v), 2) for v in growth_rate(days, [1.0, 2.0, 3.0, 4.0])]
    [1.0, 1.0, 1.0]
    """
    if len(dates) < 3:
        return np.nan, np.nan, np.nan
    years = [(d - dates[0]).days / DAYS_PER_YEAR for d in dates]
    slope, _, low, high = stats.theilslopes(areas_ha, years)
    return float(slope), float(low), float(high)


def _kept(
    sites: gpd.GeoDataFrame, observations: gpd.GeoDataFrame, dates: tuple[date, ...],
    settings: Settings,
) -> Tracks:
    """Keep the sites seen often enough, numbered from the largest."""
    needed = np.minimum(settings.min_dates, sites.clear_dates.clip(lower=1))
    good = (sites.seen_dates >= needed) & (sites.persistence >= settings.persistence)
    sites = sites[good].sort_values("area_ha", ascending=False, kind="stable")
    numbers = {old: new for new, old in enumerate(sites.index, start=1)}
    observations = observations[observations.site_id.isin(sites.index)]
    observations = observations.assign(site_id=observations.site_id.map(numbers).astype("int64"))
    observations = observations.sort_values(["site_id", "date"]).reset_index(drop=True)
    sites.index = pd.Index(range(1, len(sites) + 1), name="site_id", dtype="int64")
    return Tracks(sites, observations, dates)
