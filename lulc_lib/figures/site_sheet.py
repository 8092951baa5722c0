"""The evidence sheet of one site: what was seen, what the registers say, and why it is a lead."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from datetime import date
from typing import Any

import geopandas as gpd
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from shapely.geometry.polygon import orient

from lulc_lib import legend
from lulc_lib.figures.style import (
    ACCENT,
    HALO,
    INK,
    QUIET,
    extent_km,
    frame,
    scale_bar,
    show_classes,
    show_false_colour,
    styled,
    titled,
)

LEAST_VIEWS, MOST_VIEWS = 5, 8
"""Views there is room for; of a longer series first, last and some between are shown."""
VIEW, SURROUNDINGS = (1.5, 700.0), (1.9, 2000.0)
"""Side of the views and of the register's map: times the site's extent, and at least, metres."""
BARS = (50, 100, 200, 500, 1000, 2000, 5000)
"""Lengths a scale bar may have, metres."""
LAYER_STYLES: dict[str, dict[str, Any]] = {
    "deposits": {"facecolor": "none", "edgecolor": "#7a5c00", "hatch": "///", "linewidth": 0.9},
    "mining_terrains": {"facecolor": "none", "edgecolor": "#1f78a8", "linewidth": 0.8,
                        "linestyle": (0, (1, 2))},
    "mining_areas": {"facecolor": "#1f78a833", "edgecolor": "#1f78a8", "linewidth": 1.6},
    "osm_quarries": {"facecolor": "none", "edgecolor": "#444444", "linewidth": 1.1,
                     "linestyle": (0, (5, 2))},
}
LAYER_NAMES = {"deposits": "deposit", "mining_terrains": "mining terrain",
               "mining_areas": "mining area", "osm_quarries": "OSM quarry"}


@styled
def evidence_sheet(
    site: pd.Series, observations: gpd.GeoDataFrame, maps: Mapping[date, xr.DataArray],
    layers: Mapping[str, gpd.GeoDataFrame], colour: str, title: str, caption: str,
    scenes: Mapping[date, xr.DataArray] | None = None,
    probabilities: Mapping[date, xr.DataArray] | None = None,
) -> Figure:
    """Everything an inspector needs about one site, on one page (paper, Figures 16–23).

    Parameters
    ----------
    site : a row of the judged sites, with ``geometry`` and ``reasons``.
    observations : the site's rows: ``date``, ``clear``, ``seen``, ``area_ha``, geometry (metres).
    maps : date to (y, x) uint8 legend codes.
    layers : name to table, in the CRS of ``site``; areas with ``valid_from`` and ``valid_to``.
    colour : of the site's outline.
    scenes : date to (band, y, x) reflectance; dates without one show their class map.
    probabilities : date to (y, x) quarry probability 0–1.
    """
    scenes, probabilities = scenes or {}, probabilities or {}
    grid = next(iter(maps.values()))
    window = _window(site.geometry, *VIEW, grid)
    views = _chosen(list(observations.date))
    last = observations[observations.seen].date.max()
    fig = plt.figure(figsize=(13.2, 8.8), layout="constrained")
    top, middle, bottom = fig.subfigures(3, 1, height_ratios=[1.15, 1.6, 1.25])
    axes = top.subplots(1, max(len(views), LEAST_VIEWS))
    for ax, day in zip(axes, views, strict=False):
        _view(ax, day, observations, scenes.get(day, maps[day]), window, colour)
    for ax in axes[len(views):]:
        ax.axis("off")
    scale_bar(axes[0], _bar(window), north=False)
    classes, *chance, register = middle.subplots(1, 3 if last in probabilities else 2)
    _classes(classes, maps[last], last, window, observations)
    if chance:
        _chance(chance[0], middle, probabilities[last], last, window, site)
    _register(register, site, layers, window, scenes.get(last, maps[last]), colour)
    left, right = bottom.subplots(1, 2, width_ratios=[1.0, 1.25])
    area_curve(left, observations, colour)
    _reasons(right, site.reasons.split("; "))
    return titled(fig, title, caption)


def area_curve(ax: Axes, observations: gpd.GeoDataFrame, colour: str) -> None:
    """Open area over time; dates on which the site was clear but not seen lie at zero."""
    seen, clear = observations[observations.seen], observations[observations.clear]
    ax.plot(clear.date, clear.area_ha, color=colour, linewidth=1.2, alpha=0.5, zorder=2)
    ax.plot(seen.date, seen.area_ha, "o", color=colour, zorder=3)
    closed = clear[~clear.seen]
    ax.plot(closed.date, closed.area_ha, "o", color="white", markeredgecolor=colour, zorder=3)
    ax.set_ylim(0, 1.25 * max(observations.area_ha.max(), 0.1))
    ax.set_ylabel("open area, ha")
    ax.set_title("Open area over time" + ("" if closed.empty else " (hollow: clear, not seen)"),
                 fontsize=10)
    locator = mdates.AutoDateLocator(minticks=3, maxticks=6)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))


def draw_layers(
    ax: Axes, layers: Mapping[str, gpd.GeoDataFrame], window: tuple[float, float, float, float]
) -> None:
    """Register layers inside a window (metres), drawn in kilometres.

    ``window``: left, bottom, right, top. Monitoring points are red diamonds, as on the
    programme's own maps.
    """
    left, bottom, right, top = window
    for name, style in LAYER_STYLES.items():
        if name in layers:
            draw_outlines(ax, layers[name].cx[left:right, bottom:top].geometry, style)
    if "monitoring_points" in layers:
        inside = layers["monitoring_points"].cx[left:right, bottom:top].geometry
        ax.plot(inside.x / 1000, inside.y / 1000, "D", color=ACCENT, markeredgecolor="white",
                markersize=8, linestyle="none", zorder=7)


def key_handles(layers: Mapping[str, gpd.GeoDataFrame]) -> list[Any]:
    """Legend handles of the register layers that are there."""
    handles = [Rectangle((0, 0), 1, 1, label=LAYER_NAMES[n], **LAYER_STYLES[n])
               for n in LAYER_STYLES if n in layers]
    if "monitoring_points" in layers:
        handles.append(plt.Line2D([], [], marker="D", color=ACCENT, linestyle="none",
                                  label="monitoring point"))
    return handles


def draw_outlines(ax: Axes, shapes: gpd.GeoSeries, style: Mapping[str, Any]) -> None:
    """Polygons in metres, drawn in kilometres."""
    for shape in map(orient, shapes.explode()):
        rings = [np.asarray(r.coords) / 1000 for r in (shape.exterior, *shape.interiors)]
        ax.add_patch(PathPatch(Path.make_compound_path(*map(Path, rings)), **style))


def _view(
    ax: Axes, day: date, observations: gpd.GeoDataFrame, shown: xr.DataArray,
    window: tuple[float, float, float, float], colour: str,
) -> None:
    """One date: the scene (or the class map) with the site's extent on that date."""
    row = observations[observations.date == day].iloc[0]
    part = _cut(shown, window)
    if "band" in part.dims:
        show_false_colour(ax, part)
    else:
        show_classes(ax, part)
    if row.seen:
        draw_outlines(ax, gpd.GeoSeries([row.geometry]), {"facecolor": "none", "edgecolor": colour,
                                                      "linewidth": 1.6})
    state = "open" if row.seen else "not open" if row.clear else "no data"
    ax.set_title(f"{day}\n{state}" + (f", {row.area_ha:.1f} ha" if row.seen else ""), fontsize=9,
                 fontweight="bold" if row.seen else "normal")
    _limits(ax, window)


def _classes(
    ax: Axes, class_map: xr.DataArray, day: date, window: tuple[float, float, float, float],
    observations: gpd.GeoDataFrame,
) -> None:
    part = _cut(class_map, window)
    show_classes(ax, part)
    row = observations[observations.date == day].iloc[0]
    draw_outlines(ax, gpd.GeoSeries([row.geometry]), {"facecolor": "none", "edgecolor": INK,
                                                  "linewidth": 1.4})
    ax.set_title(f"Classes, {day}", fontsize=10)
    _limits(ax, window)
    there = [c for c in legend.CODES if (part.values == c).mean() > 0.005]
    handles = [Rectangle((0, 0), 1, 1, facecolor=legend.COLOURS[c], edgecolor=QUIET, linewidth=0.5,
                         label=legend.NAMES[c]) for c in there]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8.5,
              handlelength=1.2, borderaxespad=0)


def _chance(
    ax: Axes, fig: Figure, chance: xr.DataArray, day: date,
    window: tuple[float, float, float, float], site: pd.Series,
) -> None:
    part = _cut(chance, window)
    drawn = ax.imshow(part.values, cmap="magma", vmin=0, vmax=1, extent=extent_km(part))
    frame(ax)
    draw_outlines(ax, gpd.GeoSeries([site.geometry]), {"facecolor": "none", "edgecolor": "white",
                                                   "linewidth": 1.2})
    ax.set_title(f"Quarry probability, {day}", fontsize=10)
    _limits(ax, window)
    fig.colorbar(drawn, ax=ax, shrink=0.6, anchor=(0, 1), aspect=16).outline.set_visible(False)
    ax.text(0.03, 0.03, "outline: confirmed extent", transform=ax.transAxes, color="white",
            fontsize=8)


def _register(
    ax: Axes, site: pd.Series, layers: Mapping[str, gpd.GeoDataFrame],
    window: tuple[float, float, float, float], shown: xr.DataArray, colour: str,
) -> None:
    """The site among the registers' areas, over a pale scene."""
    wide = _window(site.geometry, *SURROUNDINGS, shown)
    part = _cut(shown, wide)
    if "band" in part.dims:
        grey = np.sqrt(np.clip(np.nan_to_num(part.sel(band="B04").values) / 0.28, 0, 1))
        ax.imshow(0.6 + 0.4 * grey, cmap="gray", vmin=0, vmax=1, extent=extent_km(part))
    frame(ax)
    _corine(ax, layers.get("corine"), wide)
    draw_outlines(ax, gpd.GeoSeries([site.geometry]), {"facecolor": colour + "90",
                                                   "edgecolor": colour, "linewidth": 1.2})
    draw_layers(ax, layers, wide)
    ax.legend(handles=key_handles(layers), loc="upper left", bbox_to_anchor=(1.01, 1.0),
              fontsize=8.5, handlelength=1.8, handleheight=1.2, borderaxespad=0)
    left, bottom, right, top = (v / 1000 for v in window)
    ax.add_patch(Rectangle((left, bottom), right - left, top - bottom, fill=False, color=INK,
                           linewidth=0.8, linestyle=":", zorder=6))
    ax.set_title("Registers (dotted: the views' extent)" if layers else "No register at hand",
                 fontsize=10)
    _limits(ax, wide)
    scale_bar(ax, _bar(wide))


def _corine(
    ax: Axes, corine: gpd.GeoDataFrame | None, window: tuple[float, float, float, float]
) -> None:
    """CORINE's boundaries, thin and grey, each with its code."""
    if corine is None:
        return
    parts = corine.clip(window, keep_geom_type=True)
    style = {"facecolor": "none", "edgecolor": "#999999", "linewidth": 0.7}
    draw_outlines(ax, parts.geometry, style)
    side = window[2] - window[0]
    for code, shape in zip(parts["code"], parts.geometry, strict=True):
        point = shape.representative_point()
        if shape.area > 0.01 * side**2:
            ax.text(point.x / 1000, point.y / 1000, code, fontsize=8, color="#555555", zorder=4,
                    ha="center", va="center", clip_on=True, path_effects=HALO)


def _reasons(ax: Axes, reasons: list[str]) -> None:
    """The reasons as a list; the verdict itself first and bold."""
    ax.axis("off")
    ax.set_title("Reasons", fontsize=10)
    lines, weights = [], []
    for number, reason in enumerate(reasons):
        wrapped = textwrap.wrap(reason[:1].upper() + reason[1:], 88)
        lines += [("• " if number_ == 0 else "   ") + w for number_, w in enumerate(wrapped)]
        weights += ["bold" if number == 0 else "normal"] * len(wrapped)
    step = min(0.093, 0.98 / max(len(lines), 1))
    for place, (line, weight) in enumerate(zip(lines, weights, strict=True)):
        ax.text(0, 0.97 - place * step, line, transform=ax.transAxes, va="top", fontsize=9,
                fontweight=weight)


def _window(
    geometry: Any, times: float, least: float, grid: xr.DataArray
) -> tuple[float, float, float, float]:
    """A square around a shape, metres: left, bottom, right, top; inside the grid if it fits."""
    left, bottom, right, top = geometry.bounds
    side = max(times * max(right - left, top - bottom), least)
    west, south, east, north = grid.rio.bounds()
    x = _inside((left + right - side) / 2, west, east - side)
    y = _inside((bottom + top - side) / 2, south, north - side)
    return x, y, x + side, y + side


def _inside(value: float, low: float, high: float) -> float:
    """``value``, moved between ``low`` and ``high`` if there is room."""
    return min(max(value, low), high) if low <= high else (low + high) / 2


def _cut(values: xr.DataArray, window: tuple[float, float, float, float]) -> xr.DataArray:
    """The part of a (…, y, x) array inside a window of its CRS."""
    left, bottom, right, top = window
    return values.sel(x=slice(left, right), y=slice(top, bottom))


def _limits(ax: Axes, window: tuple[float, float, float, float]) -> None:
    ax.set(xlim=(window[0] / 1000, window[2] / 1000), ylim=(window[1] / 1000, window[3] / 1000))
    ax.set_aspect("equal")


def _bar(window: tuple[float, float, float, float]) -> float:
    """A scale bar's length, metres: about a quarter of the window."""
    return max((b for b in BARS if b <= 0.36 * (window[2] - window[0])), default=BARS[0])


def _chosen(days: list[date]) -> list[date]:
    """At most MOST_VIEWS dates, evenly among those given, first and last among them."""
    if len(days) <= MOST_VIEWS:
        return days
    return [days[math.floor(i)] for i in np.linspace(0, len(days) - 1, MOST_VIEWS)]
