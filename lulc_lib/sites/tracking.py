"""Objects of all dates to sites: where rock was open more than once, when, and how it grew.

A site's core is the land that was quarry on at least two clear dates (on one, where only one is
clear) and on most of those between, so a flicker makes no site and does not shape one. What each
date's map shows around a core is that date's extent of the site.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy import ndimage, stats

from lulc_lib.errors import InputError
from lulc_lib.sites.maps import pixel_area, same_grid
from lulc_lib.sites.objects import NEIGHBOURS, Labels, at_least, describe, label_objects, measure
from lulc_lib.sites.settings import Settings

CLEAR = 0.5
"""Share of a site's core that must hold data on a date for the date to count as clear there."""
SEEN = 0.2
"""Share of a core's clear land that must be open for the site to count as seen (or the smallest
area of a site, where that is less: a large pit is filled piece by piece)."""
DAYS_PER_YEAR = 365.25


class Tracks(NamedTuple):
    """Sites and what was seen of them on each date.

    Attributes
    ----------
    sites : GeoDataFrame
        One row per site, largest first, index ``site_id``; geometry (metres) is the confirmed
        extent, the core. ``area_ha``, ``perimeter_m``, ``compactness``, ``elongation``,
        ``water_share`` (pit lakes, on the last date), ``first_seen``, ``last_seen``
        (datetime.date), ``clear_dates``, ``seen_dates``, ``seen_share`` (of the clear dates),
        ``persistence`` (the same between first and last seen), ``mean_probability`` (over the
        dates seen), ``growth_ha_per_year`` with ``growth_low``, ``growth_high`` (95 % interval of
        this site alone) and ``growth_p`` (Kendall's test of a trend, raised for the number of sites
        by Holm's rule); NaN on fewer than three dates seen.
    observations : GeoDataFrame
        One row per site and date: ``site_id``, ``date``, ``clear``, ``seen``, ``area_ha``,
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
    probabilities = dict(probabilities or {})
    objects = {d: label_objects(maps[d], probabilities.get(d), settings) for d in dates}
    cores = find_cores(list(objects.values()), settings, pixel_area(grid))
    seen = [_seen(objects[d], cores, maps[d], settings) for d in dates]
    observations = _observations(seen, dates)
    sites = describe(cores, maps[dates[-1]], None).drop(columns="mean_probability")
    return _kept(_histories(sites, observations), observations, dates, settings)


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
        if len(seen):
            numbers = rasterize(zip(seen.geometry, seen.site_id, strict=True), values.shape,
                                transform=values.rio.transform(), dtype="int32")
            shares[day] = pd.Series(values.values.ravel()).groupby(numbers.ravel()).mean()
    return tracks._replace(sites=tracks.sites.assign(outside_share=shares.mean(axis=1)))


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
    pairs = np.unique(np.stack([objects[both], cores[both]]), axis=1)
    places = ndimage.find_objects(objects)
    for number in np.unique(pairs[0]):
        met, place = pairs[1, pairs[0] == number], places[number - 1]
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
    objects: Labels, cores: NDArray[np.int32], class_map: xr.DataArray, settings: Settings
) -> gpd.GeoDataFrame:
    """Tell for each core whether it was clear and seen on this date, its extent and area."""
    count = int(cores.max())
    extent = assign(objects.labels, cores)
    size = np.bincount(cores.ravel(), minlength=count + 1)[1:]
    clear = np.bincount(cores[objects.clear], minlength=count + 1)[1:]
    open_ = np.bincount(cores[(extent == cores) & (cores > 0)], minlength=count + 1)[1:]
    least = np.minimum(SEEN * clear, settings.min_area_ha * 1e4 / pixel_area(class_map))
    is_clear = clear >= CLEAR * np.maximum(size, 1)
    is_seen = is_clear & (open_ > 0) & (open_ >= least)
    extent[~np.isin(extent, 1 + np.flatnonzero(is_seen))] = 0
    table = measure(extent, class_map, objects.probability)[
        ["area_ha", "mean_probability", "geometry"]]
    table = table.reindex(range(1, count + 1))
    table["area_ha"] = table["area_ha"].fillna(0.0)
    return table.assign(clear=is_clear, seen=is_seen)


def _observations(seen: list[gpd.GeoDataFrame], dates: tuple[date, ...]) -> gpd.GeoDataFrame:
    parts = [t.assign(site_id=t.index, date=d) for t, d in zip(seen, dates, strict=True)]
    table = pd.concat(parts, ignore_index=True).sort_values(["site_id", "date"])
    columns = ["site_id", "date", "clear", "seen", "area_ha", "mean_probability", "geometry"]
    return gpd.GeoDataFrame(table[columns].reset_index(drop=True), geometry="geometry",
                            crs=seen[0].crs)


def _histories(sites: gpd.GeoDataFrame, observations: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Add to the sites first and last seen, shares of dates and growth."""
    rows = {number: _history(part) for number, part in observations.groupby("site_id")}
    columns = list(_history(observations.iloc[:0]))
    history = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return sites.join(history.assign(growth_p=_holm(history.growth_p.astype(float))))


def _history(part: gpd.GeoDataFrame) -> dict[str, object]:
    clear, seen = part[part.clear], part[part.seen]
    first, last = (seen.date.min(), seen.date.max()) if len(seen) else (None, None)
    within = clear[(clear.date >= first) & (clear.date <= last)] if len(seen) else clear
    growth = growth_rate(list(seen.date), list(seen.area_ha))
    return {
        "first_seen": first, "last_seen": last, "clear_dates": len(clear),
        "seen_dates": len(seen), "seen_share": len(seen) / max(len(clear), 1),
        "persistence": len(seen) / max(len(within), 1),
        "mean_probability": seen.mean_probability.mean() if len(seen) else np.nan,
        "growth_ha_per_year": growth[0], "growth_low": growth[1], "growth_high": growth[2],
        "growth_p": np.nan if len(seen) < 3 else stats.kendalltau(
            [d.toordinal() for d in seen.date], seen.area_ha).pvalue,
    }


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
