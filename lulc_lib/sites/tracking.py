"""Objects of all dates to sites: where rock was open more than once, when, and how it grew.

A site's core is the land that was quarry on at least two clear dates (on one, where only one is
clear) and on most of those between, so a flicker makes no site and does not shape one. What each
date's map shows around a core is that date's extent of the site.

Where rock was open on any date, connected land is a region; regions have nothing to do with each
other. So memory holds a bit per pixel and date, and whole numbers only of the window at work: a
region, or several that lie close together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from lulc_lib.data.reference import same_grid
from lulc_lib.errors import InputError
from lulc_lib.io.progress import Progress
from lulc_lib.sites.maps import pixel_area
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
DENSE, WINDOW = 1 << 14, 1 << 18
"""Pixels of a window for each region in it, at most, and of one that holds several regions."""


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


def track_sites(maps: Mapping[date, xr.DataArray],
                probabilities: Mapping[date, xr.DataArray] | None = None,
                settings: Settings | None = None, progress: bool | None = None) -> Tracks:
    """Track the sites in a series of class maps.

    Parameters
    ----------
    maps : mapping of date to DataArray of uint8, shape (y, x)
        Legend codes, all on one grid with CRS.
    probabilities : mapping of date to DataArray of float, shape (y, x), optional
        Quarry probability 0–1; dates may lack one.
    settings : Settings, optional
        See :class:`lulc_lib.sites.settings.Settings`.
    progress : bool, optional
        Show bars on stderr; unless given, only in a terminal.

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
    series = _Series(maps, dict(probabilities or {}), dates, settings, pixel_area(grid), progress)
    found = sorted((site for window in series.windows() for site in _sites_of(series, window)),
                   key=lambda site: site.first)
    observations = _observations(found, dates, grid.rio.crs)
    sites = gpd.GeoDataFrame(
        {"water_share": [s.water_share for s in found]}, geometry=[s.core for s in found],
        crs=grid.rio.crs, index=np.arange(1, len(found) + 1))[["geometry", "water_share"]]
    sites["area_ha"] = sites.area / 1e4
    sites = sites.join(shape_of(sites.geometry, pixel_area(grid) ** 0.5))
    return _kept(sites.join(_histories(observations, dates)), observations, dates, settings)


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


class _Window(NamedTuple):
    """Regions that are worked on together."""

    place: tuple[slice, slice]  # rows and columns around them
    inside: NDArray[np.bool_]  # which pixels of these belong to them


class _Site(NamedTuple):
    """A core, and what each date shows of it."""

    first: int  # number of its first pixel
    core: BaseGeometry
    water_share: float
    seen: list[tuple[bool, bool, bool, float, BaseGeometry | None]]  # per date: see _seen


class _Series:
    """The maps of all dates, and where rock is open on each (a bit per pixel)."""

    def __init__(self, maps: Mapping[date, xr.DataArray], probabilities: dict[date, xr.DataArray],
                 dates: tuple[date, ...], settings: Settings, pixel_m2: float,
                 progress: bool | None = None) -> None:
        self.maps, self.probabilities, self.settings = maps, probabilities, settings
        self.dates, self.pixel_m2, self.progress = dates, pixel_m2, progress
        self.least = settings.min_area_ha * 1e4 / pixel_m2  # pixels of a site
        self.shape, self.transform = maps[dates[0]].shape, maps[dates[0]].rio.transform()
        self._rock = {}
        with Progress(len(dates), "reading maps", "map", progress) as bar:
            for day in dates:
                self._rock[day] = np.packbits(
                    open_rock(maps[day], probabilities.get(day), settings), axis=1)
                bar.update(1)

    def windows(self) -> Iterator[_Window]:
        """Yield the regions large enough for a site, several together where they lie close."""
        ever = reduce(np.bitwise_or, self._rock.values())
        labels, count = ndimage.label(np.unpackbits(ever, axis=1, count=self.shape[1]), NEIGHBOURS)
        places = ndimage.find_objects(labels)
        large = np.array([n for n, place in enumerate(places) if self._is_large(
            labels[place], n + 1)], dtype=np.intp)
        boxes = np.array([[s.start for s in places[n]] + [s.stop for s in places[n]]
                          for n in large]).reshape(-1, 4)
        chosen = np.zeros(count + 1, bool)
        with Progress(len(large), "following sites", "site", self.progress) as bar:
            for group in _close_together(boxes):
                place = tuple(map(slice, boxes[group, :2].min(axis=0),
                                  boxes[group, 2:].max(axis=0)))
                chosen[large[group] + 1] = True
                yield _Window(place, chosen[labels[place]])
                chosen[large[group] + 1] = False
                bar.update(len(group))

    def _is_large(self, labels: NDArray[np.int32], number: int) -> bool:
        return labels.size >= self.least and np.count_nonzero(labels == number) >= self.least

    def objects(self, day: date, window: _Window) -> Labels:
        """Return the objects of a date in a window."""
        rows, cols = window.place
        start = cols.start // 8
        bits = np.unpackbits(self._rock[day][rows, start:-(-cols.stop // 8)], axis=1)
        rock = bits[:, cols.start - 8 * start:cols.stop - 8 * start].astype(bool)
        around = self._around(day, window)
        codes = around[1:-1, 1:-1]
        at_gap = ndimage.binary_dilation(around == legend.NO_DATA, NEIGHBOURS)[1:-1, 1:-1]
        probability = self.probabilities.get(day)
        return Labels(ndimage.label(rock & window.inside, NEIGHBOURS)[0], codes, None
                      if probability is None
                      else checked(probability.variable[window.place].values, codes), at_gap)

    def _around(self, day: date, window: _Window) -> NDArray[np.uint8]:
        """Read the codes of a window and one pixel around it, NO_DATA beyond the map."""
        wide = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in window.place)
        beyond = [(int(s.start == 0), int(s.stop == size))
                  for s, size in zip(window.place, self.shape, strict=True)]
        return np.pad(self.maps[day].variable[wide].values, beyond, constant_values=legend.NO_DATA)


def _close_together(boxes: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield groups of boxes (first row and column, end row and column), halved until dense."""
    todo = [np.arange(len(boxes))] if len(boxes) else []
    while todo:
        group = todo.pop()
        low, high = boxes[group, :2], boxes[group, 2:]
        size = high.max(axis=0) - low.min(axis=0)
        if len(group) == 1 or size.prod() <= min(DENSE * len(group), WINDOW):
            yield group
        else:
            order = group[np.argsort((low + high)[:, size.argmax()], kind="stable")]
            todo += [order[:len(order) // 2], order[len(order) // 2:]]


def _sites_of(series: _Series, window: _Window) -> list[_Site]:
    """Find the cores in a window, and what each date shows of them."""
    objects = [series.objects(d, window) for d in series.dates]
    cores = find_cores(objects, series.settings, series.pixel_m2)
    if not cores.any():
        return []
    rows, cols = window.place
    transform = series.transform @ Affine.translation(cols.start, rows.start)
    measured = measure(objects[-1]._replace(labels=cores, probability=None), transform)
    seen = [_seen(one, cores, transform, series.least) for one in objects]
    inside = np.flatnonzero(cores)
    pixels = inside[np.unique(cores.ravel()[inside], return_index=True)[1]]
    down, across = np.divmod(pixels, cores.shape[1])
    first = (down + rows.start) * series.shape[1] + across + cols.start
    return [_Site(*values) for values in zip(
        first.tolist(), measured.geometry, measured.water_share, zip(*seen, strict=True),
        strict=True)]


def find_cores(objects: list[Labels], settings: Settings, pixel_m2: float) -> NDArray[np.int32]:
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
    both = (objects > 0) & (cores > 0)
    count = int(cores.max()) + 1
    met = np.divmod(np.unique(objects[both].astype(np.int64) * count + cores[both]), count)
    numbers, at, times = np.unique(met[0], return_index=True, return_counts=True)
    of_object = np.zeros(int(objects.max()) + 1, cores.dtype)
    of_object[numbers] = met[1][at]
    out = of_object[objects]
    places = ndimage.find_objects(objects) if (times > 1).any() else []
    for number in numbers[times > 1]:
        place = places[number - 1]
        inside = objects[place] == number
        local = np.where(np.isin(cores[place], met[1][met[0] == number]), cores[place], 0)
        rows, cols = ndimage.distance_transform_edt(
            local == 0, return_distances=False, return_indices=True)
        out[place][inside] = local[rows, cols][inside]
    return out


def _seen(objects: Labels, cores: NDArray[np.int32], transform: Affine, least: float
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


def _histories(observations: gpd.GeoDataFrame, dates: tuple[date, ...]) -> pd.DataFrame:
    """Tell of each site when it was first and last seen, on which share of dates, and growth."""
    clear, seen, cut, areas_ha, probability = (
        observations[c].to_numpy().reshape(-1, len(dates))
        for c in ("clear", "seen", "cut", "area_ha", "mean_probability"))
    days, place, never = np.array(dates, object), np.arange(len(dates)), ~seen.any(axis=1)
    first, last = seen.argmax(axis=1), len(dates) - 1 - seen[:, ::-1].argmax(axis=1)
    within = (place >= first[:, None]) & (place <= last[:, None]) | never[:, None]
    known = seen & np.isfinite(probability)
    number, clear_between, times, uncut, known = (np.count_nonzero(of, axis=1) for of in (
        clear, clear & within, seen, seen & ~cut, known))
    with np.errstate(invalid="ignore"):
        mean = np.where(seen, np.nan_to_num(probability), 0).sum(axis=1) / known
    growth = growth_rates(dates, np.where(seen & ~cut, areas_ha, np.nan))
    return pd.DataFrame({
        "first_seen": np.where(never, None, days[first]),
        "last_seen": np.where(never, None, days[last]), "clear_dates": number,
        "seen_dates": times, "cut_dates": times - uncut, "seen_share": times / number.clip(min=1),
        "persistence": times / clear_between.clip(min=1), "mean_probability": mean,
        "growth_ha_per_year": growth[:, 0], "growth_low": growth[:, 1],
        "growth_high": growth[:, 2], "growth_p": _holm(pd.Series(growth[:, 3])),
    }).set_axis(np.arange(1, len(seen) + 1))


def _holm(p: pd.Series) -> pd.Series:
    """Raise p values to what they are worth among all of them (Holm 1979); NaN was no test.

    >>> _holm(pd.Series([0.01, 0.04, np.nan, 0.03])).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    ordered = p.dropna().sort_values()
    raised = (ordered * np.arange(len(ordered), 0, -1)).cummax().clip(upper=1)
    return raised.reindex(p.index)


def growth_rates(dates: Sequence[date], areas_ha: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit the Theil–Sen slope of area over time, hectares per year, with its 95 % interval.

    ``areas_ha`` are (site, date), NaN where a date does not count. The result is (site, 4): slope,
    low, high, and the p value of Kendall's test of a trend. NaN on fewer than three dates: two
    areas have a difference but no trend.

    >>> from datetime import timedelta
    >>> days = [date(2020, 1, 1) + timedelta(days=n) for n in (0, 365, 731, 1096)]
    >>> growth_rates(days, np.array([[1.0, 2.0, 3.0, 4.0]])).round(2).tolist()
    [[1.0, 1.0, 1.0, 0.08]]
    """
    out, counts = np.full((len(areas_ha), 4), np.nan), np.isfinite(areas_ha)
    ordinals = np.broadcast_to([d.toordinal() for d in dates], areas_ha.shape)
    for number in range(3, len(dates) + 1):  # sites of as many dates at once
        rows = counts.sum(axis=1) == number
        if rows.any():
            days, areas = (of[rows][counts[rows]].reshape(-1, number)
                           for of in (ordinals, areas_ha))
            fit = stats.theilslopes(areas, (days - days[:, :1]) / DAYS_PER_YEAR, axis=1)
            out[rows] = np.transpose([fit.slope, fit.low_slope, fit.high_slope,
                                      stats.kendalltau(days, areas, axis=1).pvalue])
    return out


def _kept(sites: gpd.GeoDataFrame, observations: gpd.GeoDataFrame, dates: tuple[date, ...],
          settings: Settings) -> Tracks:
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
