"""Figures of notebook 07: the sites among the registries, areas over time, rates, evidence sheets.

Geometries are in metres of the maps' CRS and are drawn in kilometres; a window is left, bottom,
right, top in metres. ``layers`` are those of the registries that are at hand.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
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
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from lulc_lib import legend
from lulc_lib.figures import style

Window = tuple[float, float, float, float]

PALE, FILL = 0.65, "50"
"""Opacity of the scene under the sites, and of a site's fill (two hexadecimal digits)."""
SMALL_HA = 4.0
"""A site of less than this has its number beside it."""
LETTER = 0.016
"""Width of a letter of a site's number, as a share of the map's."""
RATES = {"recall": style.OURS, "precision": style.ACCENT}
KEY_WIDTH = 34
"""Characters in a line of the map's key."""
LEAST_VIEWS, MOST_VIEWS = 5, 8
"""Views there is room for; of a longer series first, last and some between are shown."""
VIEW, SURROUNDINGS = (1.5, 700.0), (1.9, 2000.0)
"""Side of the views and of the registries' map: times the site's extent, and at least, metres."""
BARS = (50, 100, 200, 500, 1000, 2000, 5000)
"""Lengths a scale bar may have, metres."""
LAYERS: dict[str, tuple[str, dict[str, Any]]] = {
    "deposits": ("deposit", {
        "facecolor": "none", "edgecolor": "#7a5c00", "hatch": "///", "linewidth": 0.9}),
    "mining_terrains": ("mining terrain", {
        "facecolor": "none", "edgecolor": "#1f78a8", "linewidth": 0.8, "linestyle": (0, (1, 2))}),
    "mining_areas": ("mining area", {
        "facecolor": "#1f78a833", "edgecolor": "#1f78a8", "linewidth": 1.6}),
    "osm_quarries": ("OSM quarry", {
        "facecolor": "none", "edgecolor": "#444444", "linewidth": 1.1, "linestyle": (0, (5, 2))}),
}
"""Registry layers in the order they are drawn: name in the key, and look."""


@style.styled
def overview_map(sites: gpd.GeoDataFrame, scene: xr.DataArray,
                 layers: Mapping[str, gpd.GeoDataFrame], categories: Mapping[str, Any], title: str,
                 caption: str, names: Mapping[int, str] | None = None) -> Figure:
    """Show all sites, numbered, over a scene and the registries (paper, Figures 13 and 14).

    Parameters
    ----------
    sites : GeoDataFrame
        Classified sites in the scene's CRS, index the number, with ``category``.
    categories : mapping of str to lulc_lib.sites.rules.Category
        Category to its ``colour``, ``meaning`` and ``programme``.
    names : mapping of int to str, optional
        What to write behind some of the numbers.
    """
    fig, ax = plt.subplots(figsize=(10.8, 7.9))
    style.show_false_colour(ax, scene)
    ax.images[-1].set_alpha(PALE)
    window = scene.rio.bounds()
    _draw_layers(ax, layers, window)
    points = layers["monitoring_points"].union_all() if "monitoring_points" in layers else None
    for number, site in sites.iterrows():
        colour = categories[site.category].colour
        _draw_outlines(ax, [site.geometry], facecolor=colour + FILL, edgecolor=colour,
                       linewidth=1.8)
        _number(ax, site.geometry, f"{number} {(names or {}).get(number, '')}".strip(), window,
                points)
    _limits(ax, window)
    style.crs_axes(ax, scene)
    style.scale_bar(ax, 500, place="outside")
    counts = sites.category.value_counts()
    key = [Patch(facecolor=c.colour + FILL, edgecolor=c.colour, linewidth=1.8, label=textwrap.fill(
        f"{counts[name]} × {'candidate: ' if c.programme else ''}{c.meaning}", KEY_WIDTH))
        for name, c in categories.items() if counts.get(name)]
    fig.legend(handles=key + _layer_handles(layers), loc="outside right upper", fontsize=9)
    return style.titled(fig, title, caption)


def _number(ax: Axes, shape: BaseGeometry, text: str, window: Window,
            points: BaseGeometry | None) -> None:
    """Write a site's number in a large one, beside a small one, off points and the map's edge."""
    look = {"fontsize": 11, "fontweight": "bold", "va": "center", "path_effects": style.HALO,
            "zorder": 9}
    letter = LETTER * (window[2] - window[0])
    if shape.area > SMALL_HA * 1e4:
        at = shape.representative_point()
        under = points is not None and points.distance(at) < 3 * letter
        style.beside(ax, text, (at.x / 1000, at.y / 1000), (0, -15 if under else 0), ha="center",
                     **look)
        return
    left, bottom, right, top = shape.bounds
    near_edge = right > window[2] - letter * (len(text) + 1)
    y = _inside((bottom + top) / 2, window[1] + 2 * letter, window[3] - 2 * letter)
    style.beside(ax, text, ((left if near_edge else right) / 1000, y / 1000),
                 (-4 if near_edge else 4, 0), ha="right" if near_edge else "left", **look)


@style.styled
def corine_map(corine: gpd.GeoDataFrame, names: Mapping[str, str], window: Window, crs: str,
               layers: Mapping[str, gpd.GeoDataFrame], sites: Mapping[str, BaseGeometry],
               title: str, caption: str) -> Figure:
    """Show sites and deposits on CORINE Land Cover (paper, Figures 2, 15 and 19).

    Parameters
    ----------
    corine : GeoDataFrame
        Column ``code``; a code has the colour of the class it most likely is.
    names : mapping of str to str
        Code to what it means.
    crs : str
        Of the window and all shapes.
    sites : mapping of str to geometry
        Name to shape; each has a panel of its own beside the whole map.
    """
    fig = plt.figure(figsize=(11.5, 6.4))
    grid = fig.add_gridspec(max(len(sites), 1), 2 if sites else 1,
                            width_ratios=[1.8, 1] if sites else [1])
    squares = {name: _window(shape, *SURROUNDINGS, window) for name, shape in sites.items()}
    axes = [fig.add_subplot(grid[:, 0]), *(fig.add_subplot(grid[n, 1]) for n in range(len(sites)))]
    found = [_corine_panel(ax, corine, where, layers, sites, north=ax is axes[0])
             for ax, where in zip(axes, (window, *squares.values()), strict=True)]
    axes[0].set(xlabel=f"easting, km ({crs})", ylabel="northing, km")
    for ax, name in zip(axes[1:], sites, strict=True):
        ax.set_title(f"Site {name}", fontsize=10)
    codes = sorted(set().union(*found))
    key = [Patch(facecolor=_corine_colour(code), edgecolor=style.QUIET, linewidth=0.5,
                 label=textwrap.fill(f"{code} {names.get(code, '')}", KEY_WIDTH)) for code in codes]
    shown = {name: layers[name] for name in ("deposits",) if name in layers}
    fig.legend(handles=key + _layer_handles(shown), loc="outside right upper", fontsize=9)
    return style.titled(fig, title, caption)


def _corine_panel(ax: Axes, corine: gpd.GeoDataFrame, window: Window,
                  layers: Mapping[str, gpd.GeoDataFrame], sites: Mapping[str, BaseGeometry],
                  north: bool) -> set[str]:
    """Draw one extent; return the codes that occur in it."""
    parts = corine.clip(window, keep_geom_type=True)
    for code, shape in zip(parts["code"], parts.geometry, strict=True):
        _draw_outlines(ax, [shape], facecolor=_corine_colour(code), edgecolor="white",
                       linewidth=0.6, alpha=0.75)
    _corine(ax, corine, window)
    if "deposits" in layers:
        _draw_layers(ax, {"deposits": layers["deposits"]}, window)
    for name, shape in sites.items():
        _draw_outlines(ax, [shape], facecolor="none", edgecolor=style.INK, linewidth=2.4)
        style.beside(ax, name, (shape.bounds[2] / 1000, shape.centroid.y / 1000), (5, 0),
                     fontsize=13, fontweight="bold", va="center", path_effects=style.HALO,
                     annotation_clip=True, zorder=9)
    _limits(ax, window)
    style.frame(ax)
    style.scale_bar(ax, _bar(window), north, place="right")
    return set(parts["code"])


def _corine_colour(code: str) -> str:
    classes = legend.corine_crosswalk().get(int(code))
    return legend.COLOURS[classes[0]] if classes else style.GRID


@style.styled
def area_curves(observations: gpd.GeoDataFrame, sites: pd.DataFrame, colours: Mapping[int, str],
                title: str, caption: str, columns: int = 5) -> Figure:
    """Show each site's open area over time; over it the growth in hectares a year with interval.

    Parameters
    ----------
    observations : GeoDataFrame
        Rows of all sites, with ``site_id``.
    sites : DataFrame
        Index the number, with ``growth_ha_per_year``, ``growth_low``, ``growth_high`` and
        ``grows`` (bool), which is written bold.
    """
    fig, axes = style.panels(len(sites), columns, panel=2.5, aspect=0.75, sharex=True)
    for place, (ax, (number, site)) in enumerate(zip(axes, sites.iterrows(), strict=True)):
        _area_curve(ax, observations[observations.site_id == number], colours[number])
        ax.set_title(f"Site {number}", fontsize=9.5)
        ax.set_ylabel("open area, ha" if place % columns == 0 else "")
        ax.tick_params(labelbottom=place + columns >= len(sites))
        if np.isfinite(site.growth_ha_per_year):
            ax.set_title(f"{site.growth_ha_per_year:+.1f} [{site.growth_low:+.1f}, "
                         f"{site.growth_high:+.1f}]", loc="right", fontsize=8.5, color=style.QUIET,
                         fontweight="bold" if site.grows else "normal")
    return style.titled(fig, title, caption)


def _area_curve(ax: Axes, observations: gpd.GeoDataFrame, colour: str) -> None:
    """Draw open area over time; dates on which the site was clear but not seen lie at zero."""
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


@style.styled
def sizes(areas: Mapping[str, Sequence[float]], threshold: float, title: str,
          caption: str) -> Figure:
    """Show how many objects are at least so large (hectares), by place, and the unit in use."""
    fig, ax = plt.subplots(figsize=(8.6, 4.4))
    colours = (legend.COLOURS[legend.code("quarry")], style.INK, style.OURS)
    for (name, values), colour in zip(areas.items(), colours, strict=False):
        ordered = np.sort(np.asarray(values))
        if not len(ordered):
            ax.text(0.02, 0.05, f"{name}: no object", color=colour, transform=ax.transAxes)
            continue
        ax.step(ordered, np.arange(len(ordered), 0, -1), where="pre", color=colour)
        ax.text(ordered[0] * 1.08, len(ordered), name, color=colour, va="center",
                fontweight="bold", fontsize=9.5)
        kept = int((ordered >= threshold).sum())
        ax.plot(threshold, max(kept, 0.8), "o", color=colour, zorder=4)
        style.beside(ax, f"{kept} left", (threshold, max(kept, 0.8)), (-8, -8 if kept else 0),
                     color=colour, fontsize=9.5, ha="right", va="center")
    ax.axvline(threshold, color=style.QUIET, linestyle=":", linewidth=1.2)
    ax.text(threshold, ax.get_ylim()[1], f" minimum mapping unit {threshold:g} ha",
            color=style.QUIET, va="top", fontsize=9)
    ax.set(xscale="log", yscale="log", xlabel="area, ha", ylabel="objects at least so large")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
    return style.titled(fig, title, caption)


@style.styled
def rule_curves(rows: pd.DataFrame, labels: Mapping[str, str], groups: Mapping[str, str],
                title: str, caption: str) -> Figure:
    """Show precision and recall of the candidates as maps, registries or settings change.

    ``labels`` and ``groups`` name the axis and the panel of each ``test`` in ``rows``, where
    ``default`` marks the level in use.
    """
    fig, axes = style.panels(len(labels), 3, panel=4.1, aspect=0.72, sharey=True)
    for ax, (test, name) in zip(axes, labels.items(), strict=True):
        part = rows[rows.test == test].sort_values("level")
        for what, colour in RATES.items():
            ax.fill_between(part.level, part[f"{what}_low"], part[f"{what}_high"], color=colour,
                            alpha=0.15, linewidth=0)
            ax.plot(part.level, part[what], "o-", color=colour, markersize=4)
        for level in part.level[part.default][:1]:
            ax.axvline(level, color=style.QUIET, linestyle=":", linewidth=1.2)
        ax.set(xlabel=name, ylim=(0, 1.04))
        ax.set_title(groups[test], fontsize=10)
    for ax in axes[::3]:
        ax.set_ylabel("share of sites")
    names = ("recall: planted candidates\nreported as candidates",
             "precision: candidates that\nwere planted as such")
    handles = [plt.Line2D([], [], color=colour, marker="o", label=name)
               for colour, name in zip(RATES.values(), names, strict=True)]
    handles.append(plt.Line2D([], [], color=style.QUIET, linestyle=":", label="setting in use"))
    spare = fig.axes[len(labels):]
    if spare:
        spare[0].legend(handles=handles, loc="center left", fontsize=10, labelspacing=1.0)
    else:
        fig.legend(handles=handles, loc="outside right upper")
    return style.titled(fig, title, caption)


@style.styled
def evidence_sheet(site: pd.Series, observations: gpd.GeoDataFrame,
                   maps: Mapping[date, xr.DataArray], layers: Mapping[str, gpd.GeoDataFrame],
                   colour: str, title: str, caption: str,
                   scenes: Mapping[date, xr.DataArray] | None = None,
                   probabilities: Mapping[date, xr.DataArray] | None = None) -> Figure:
    """Show all that an inspector needs about one site on one page (paper, Figures 16–23).

    Dates without a scene show their class map. ``observations`` are the site's own; a probability
    is that of quarry, (y, x), 0–1.
    """
    scenes, probabilities = scenes or {}, probabilities or {}
    window = _window(site.geometry, *VIEW, next(iter(maps.values())).rio.bounds())
    views = _chosen(list(observations.date))
    last = observations[observations.seen].date.max()
    fig = plt.figure(figsize=(13.2, 8.8))
    top, middle, bottom = fig.subfigures(3, 1, height_ratios=[1.15, 1.6, 1.25])
    axes = top.subplots(1, max(len(views), LEAST_VIEWS))
    for ax, day in zip(axes, views, strict=False):
        _view(ax, _on(observations, day), scenes.get(day, maps[day]), window, colour)
    for ax in axes[len(views):]:
        ax.axis("off")
    style.scale_bar(axes[0], _bar(window), north=False)
    classes, *probability, registry = middle.subplots(1, 3 if last in probabilities else 2)
    _classes(classes, maps[last], _on(observations, last), window)
    if probability:
        _probability(probability[0], middle, probabilities[last], last, window, site)
    _registries(registry, site, layers, window, scenes.get(last, maps[last]), colour)
    left, right = bottom.subplots(1, 2, width_ratios=[1.0, 1.25])
    _area_curve(left, observations, colour)
    _reasons(right, site.reasons.split("; "))
    return style.titled(fig, title, caption)


def _on(observations: gpd.GeoDataFrame, day: date) -> pd.Series:
    """Pick the observation of one date."""
    return observations[observations.date == day].iloc[0]


def _view(ax: Axes, row: pd.Series, shown: xr.DataArray, window: Window, colour: str) -> None:
    """Show the scene (or the class map) of one date with the site's extent on that date."""
    part = _cut(shown, window)
    (style.show_false_colour if "band" in part.dims else style.show_classes)(ax, part)
    if row.seen:
        _draw_outlines(ax, [row.geometry], facecolor="none", edgecolor=colour, linewidth=1.6)
    state = "open" if row.seen else "not open" if row.clear else "no data"
    ax.set_title(f"{row.date}\n{state}" + (f", {row.area_ha:.1f} ha" if row.seen else ""),
                 fontsize=9, fontweight="bold" if row.seen else "normal")
    _limits(ax, window)


def _classes(ax: Axes, class_map: xr.DataArray, row: pd.Series, window: Window) -> None:
    part = _cut(class_map, window)
    style.show_classes(ax, part)
    _draw_outlines(ax, [row.geometry], facecolor="none", edgecolor=style.INK, linewidth=1.4)
    ax.set_title(f"Classes, {row.date}", fontsize=10)
    _limits(ax, window)
    handles = style.class_swatches(c for c in legend.CODES if (part.values == c).mean() > 0.005)
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8.5,
              handlelength=1.2, borderaxespad=0)


def _probability(ax: Axes, fig: Figure, values: xr.DataArray, day: date, window: Window,
                 site: pd.Series) -> None:
    part = _cut(values, window)
    drawn = ax.imshow(part.values, cmap="magma", vmin=0, vmax=1, extent=style.extent_km(part))
    style.frame(ax)
    _draw_outlines(ax, [site.geometry], facecolor="none", edgecolor="white", linewidth=1.2)
    ax.set_title(f"Quarry probability, {day}", fontsize=10)
    _limits(ax, window)
    fig.colorbar(drawn, ax=ax, shrink=0.6, anchor=(0, 1), aspect=16).outline.set_visible(False)
    ax.text(0.03, 0.03, "outline: confirmed extent", transform=ax.transAxes, color="white",
            fontsize=8)


def _registries(ax: Axes, site: pd.Series, layers: Mapping[str, gpd.GeoDataFrame], window: Window,
                shown: xr.DataArray, colour: str) -> None:
    """Show the site among the registries' areas, over a pale scene."""
    wide = _window(site.geometry, *SURROUNDINGS, shown.rio.bounds())
    part = _cut(shown, wide)
    if "band" in part.dims:
        style.show_grey(ax, part)
    style.frame(ax)
    if "corine" in layers:
        _corine(ax, layers["corine"], wide)
    _draw_outlines(ax, [site.geometry], facecolor=colour + "90", edgecolor=colour, linewidth=1.2)
    _draw_layers(ax, layers, wide)
    ax.legend(handles=_layer_handles(layers), loc="upper left", bbox_to_anchor=(1.01, 1.0),
              fontsize=8.5, handlelength=1.8, handleheight=1.2, borderaxespad=0)
    left, bottom, right, top = (v / 1000 for v in window)
    ax.add_patch(Rectangle((left, bottom), right - left, top - bottom, fill=False, color=style.INK,
                           linewidth=0.8, linestyle=":", zorder=6))
    ax.set_title("Registries (dotted: the views' extent)" if layers else "No registry at hand",
                 fontsize=10)
    _limits(ax, wide)
    style.scale_bar(ax, _bar(wide))


def _corine(ax: Axes, corine: gpd.GeoDataFrame, window: Window) -> None:
    """Draw CORINE's boundaries, thin and grey, each with its code."""
    parts = corine.clip(window, keep_geom_type=True)
    _draw_outlines(ax, parts.geometry, facecolor="none", edgecolor="#999999", linewidth=0.7)
    side = window[2] - window[0]
    for code, shape in zip(parts["code"], parts.geometry, strict=True):
        point = shape.representative_point()
        if shape.area > 0.01 * side**2:
            ax.text(point.x / 1000, point.y / 1000, code, fontsize=8, color="#444444", zorder=8,
                    ha="center", va="center", clip_on=True, path_effects=style.HALO)


def _reasons(ax: Axes, reasons: list[str]) -> None:
    """List the reasons; what the site was classified as comes first and bold."""
    ax.axis("off")
    ax.set_title("Reasons", fontsize=10)
    lines = []
    for number, reason in enumerate(reasons):
        weight = "bold" if number == 0 else "normal"
        wrapped = textwrap.wrap(reason[:1].upper() + reason[1:], 88)
        lines += [("   " + w if more else "• " + w, weight) for more, w in enumerate(wrapped)]
    step = min(0.093, 0.98 / max(len(lines), 1))
    for place, (line, weight) in enumerate(lines):
        ax.text(0, 0.97 - place * step, line, transform=ax.transAxes, va="top", fontsize=9,
                fontweight=weight)


def _draw_layers(ax: Axes, layers: Mapping[str, gpd.GeoDataFrame], window: Window) -> None:
    """Draw registry layers inside a window; monitoring points as the programme's own maps do."""
    left, bottom, right, top = window
    inside = {name: table.cx[left:right, bottom:top].geometry for name, table in layers.items()}
    for name, (_, look) in LAYERS.items():
        if name in layers:
            _draw_outlines(ax, inside[name], **look)
    if "monitoring_points" in layers:
        points = inside["monitoring_points"]
        ax.plot(points.x / 1000, points.y / 1000, "D", color=style.ACCENT, markeredgecolor="white",
                markersize=8, linestyle="none", zorder=7)


def _layer_handles(layers: Mapping[str, gpd.GeoDataFrame]) -> list[Any]:
    """Legend handles of the registry layers at hand."""
    handles = [Rectangle((0, 0), 1, 1, label=label, **look)
               for name, (label, look) in LAYERS.items() if name in layers]
    if "monitoring_points" in layers:
        handles.append(plt.Line2D([], [], marker="D", color=style.ACCENT, linestyle="none",
                                  label="monitoring point"))
    return handles


def _draw_outlines(ax: Axes, shapes: Sequence[BaseGeometry], **look: Any) -> None:
    for shape in map(orient, gpd.GeoSeries(shapes).explode()):
        rings = [np.asarray(r.coords) / 1000 for r in (shape.exterior, *shape.interiors)]
        ax.add_patch(PathPatch(Path.make_compound_path(*map(Path, rings)), **look))


def _window(geometry: BaseGeometry, times: float, least: float, within: Window) -> Window:
    """Lay a square around a shape, inside another window if it fits."""
    left, bottom, right, top = geometry.bounds
    side = max(times * max(right - left, top - bottom), least)
    x = _inside((left + right - side) / 2, within[0], within[2] - side)
    y = _inside((bottom + top - side) / 2, within[1], within[3] - side)
    return x, y, x + side, y + side


def _inside(value: float, low: float, high: float) -> float:
    """``value``, moved between ``low`` and ``high`` if there is room."""
    return min(max(value, low), high) if low <= high else (low + high) / 2


def _cut(values: xr.DataArray, window: Window) -> xr.DataArray:
    """Cut a (…, y, x) array to a window of its CRS."""
    left, bottom, right, top = window
    return values.sel(x=slice(left, right), y=slice(top, bottom))


def _limits(ax: Axes, window: Window) -> None:
    ax.set(xlim=(window[0] / 1000, window[2] / 1000), ylim=(window[1] / 1000, window[3] / 1000))
    ax.set_aspect("equal")


def _bar(window: Window) -> float:
    """Choose a scale bar's length, metres: about a quarter of the window."""
    return max((b for b in BARS if b <= 0.36 * (window[2] - window[0])), default=BARS[0])


def _chosen(days: list[date]) -> list[date]:
    """At most MOST_VIEWS dates, evenly among those given, first and last among them."""
    if len(days) <= MOST_VIEWS:
        return days
    return [days[math.floor(i)] for i in np.linspace(0, len(days) - 1, MOST_VIEWS)]
