"""Figures of notebook 07: the sites among the registers, areas over time, how sizes fall off."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from shapely.geometry.base import BaseGeometry

from lulc_lib.figures.site_sheet import area_curve, draw_layers, draw_outlines, key_handles
from lulc_lib.figures.style import (
    HALO,
    INK,
    QUIET,
    crs_axes,
    panels,
    show_false_colour,
    styled,
    titled,
)

PALE = 0.65
"""Opacity of the scene under the sites."""
FILL = "50"
"""Opacity of a site's fill, two hexadecimal digits."""
SMALL_HA = 4.0
"""A site of less than this has its number beside it."""
LETTER = 0.016
"""Width of a letter of a site's number, as a share of the map's."""
RATES = {"recall": "#1c5d99", "precision": "#c8102e"}
"""Colours of the two rates."""
KEY_WIDTH = 34
"""Characters in a line of the map's key."""


@styled
def overview_map(
    sites: gpd.GeoDataFrame, scene: xr.DataArray, layers: Mapping[str, gpd.GeoDataFrame],
    categories: Mapping[str, Any], title: str, caption: str,
    names: Mapping[int, str] | None = None,
) -> Figure:
    """All sites, coloured by category and numbered, over a scene and the registers (paper,
    Figures 13–15 and 18–20).

    Parameters
    ----------
    sites : judged sites in the scene's CRS, index the number, with ``category``.
    scene : (band, y, x) reflectance.
    layers : register name to table in the scene's CRS; may be empty.
    categories : category to a value with ``colour``, ``meaning`` and ``programme``.
    names : what to write behind some of the numbers.
    """
    fig, ax = plt.subplots(figsize=(10.8, 7.9), layout="constrained")
    show_false_colour(ax, scene)
    ax.images[-1].set_alpha(PALE)
    window = scene.rio.bounds()
    draw_layers(ax, layers, window)
    for number, site in sites.iterrows():
        colour = categories[site.category].colour
        draw_outlines(ax, gpd.GeoSeries([site.geometry]),
                      {"facecolor": colour + FILL, "edgecolor": colour, "linewidth": 1.8})
        _number(ax, site.geometry, f"{number} {(names or {}).get(number, '')}".strip(), window)
    left, bottom, right, top = (v / 1000 for v in window)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    crs_axes(ax, scene)
    counts = sites.category.value_counts()
    key = [Patch(facecolor=c.colour + FILL, edgecolor=c.colour, linewidth=1.8, label=textwrap.fill(
        f"{counts[name]} × {'candidate: ' if c.programme else ''}{c.meaning}", KEY_WIDTH))
        for name, c in categories.items() if counts.get(name)]
    fig.legend(handles=key + key_handles(layers), loc="outside right upper", fontsize=9)
    return titled(fig, title, caption)


def _number(
    ax: Axes, shape: BaseGeometry, text: str, window: tuple[float, float, float, float]
) -> None:
    """A site's number: inside a large one, beside a small one, away from the map's edge."""
    style = {"fontsize": 11, "fontweight": "bold", "va": "center", "path_effects": HALO,
             "zorder": 9}
    if shape.area > SMALL_HA * 1e4:
        at = shape.representative_point()
        ax.text(at.x / 1000, at.y / 1000, text, ha="center", **style)
        return
    left, bottom, right, top = shape.bounds
    near_edge = right > window[2] - LETTER * (len(text) + 1) * (window[2] - window[0])
    ax.annotate(text, ((left if near_edge else right) / 1000, (bottom + top) / 2000),
                xytext=(-4 if near_edge else 4, 0), textcoords="offset points",
                ha="right" if near_edge else "left", **style)


@styled
def area_curves(
    observations: gpd.GeoDataFrame, sites: pd.DataFrame, colours: Mapping[int, str],
    title: str, caption: str, columns: int = 5,
) -> Figure:
    """Open area over time, one small panel for each site; over it the growth in hectares a year
    with its interval.

    ``observations``: rows of all sites; ``sites``: index the number, with ``growth_ha_per_year``,
    ``growth_low``, ``growth_high``; ``colours``: number to colour.
    """
    fig, axes = panels(len(sites), columns, panel=2.5, aspect=0.75, sharex=True)
    for place, (ax, (number, site)) in enumerate(zip(axes, sites.iterrows(), strict=True)):
        area_curve(ax, observations[observations.site_id == number], colours[number])
        ax.set_title(f"Site {number}", fontsize=9.5)
        ax.set_ylabel("open area, ha" if place % columns == 0 else "")
        ax.tick_params(labelbottom=place + columns >= len(sites))
        if np.isfinite(site.growth_ha_per_year):
            ax.set_title(f"{site.growth_ha_per_year:+.1f} [{site.growth_low:+.1f}, "
                         f"{site.growth_high:+.1f}]", loc="right", fontsize=8.5, color=QUIET,
                         fontweight="bold" if site.growth_low * site.growth_high > 0 else "normal")
    return titled(fig, title, caption)


@styled
def sizes(
    areas: Mapping[str, Sequence[float]], threshold: float, title: str, caption: str,
) -> Figure:
    """How many objects are at least so large, by place, with the least size in use.

    ``areas``: place to the areas of its objects in hectares; ``threshold``: hectares.
    """
    fig, ax = plt.subplots(figsize=(8.6, 4.4), layout="constrained")
    colours = ("#ff320d", INK, "#1c74f3")
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
        ax.annotate(f"{kept} left", (threshold, max(kept, 0.8)), xytext=(-8, -8 if kept else 0),
                    textcoords="offset points", color=colour, fontsize=9.5, ha="right",
                    va="center")
    ax.axvline(threshold, color=QUIET, linestyle=":", linewidth=1.2)
    ax.text(threshold, ax.get_ylim()[1], f" least size {threshold:g} ha", color=QUIET, va="top",
            fontsize=9)
    ax.set(xscale="log", yscale="log", xlabel="least size, ha", ylabel="objects at least so large")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
    return titled(fig, title, caption)


@styled
def rule_curves(
    rows: pd.DataFrame, labels: Mapping[str, str], groups: Mapping[str, str], title: str,
    caption: str,
) -> Figure:
    """Precision and recall of the candidates as maps, registers or settings change.

    Parameters
    ----------
    rows : ``test`` (key of ``labels``), ``level``, ``precision``, ``recall``, each with ``_low``
        and ``_high``, and ``default`` (bool): the level in use.
    labels : test to the name of its axis.
    groups : test to the panel's title.
    """
    fig, axes = panels(len(labels), 3, panel=4.1, aspect=0.72, sharey=True)
    for ax, (test, name) in zip(axes, labels.items(), strict=True):
        part = rows[rows.test == test].sort_values("level")
        for what, colour in RATES.items():
            _curve(ax, part, what, colour)
        chosen = part[part.default]
        if len(chosen):
            ax.axvline(chosen.level.iloc[0], color=QUIET, linestyle=":", linewidth=1.2)
        ax.set(xlabel=name, ylim=(0, 1.04))
        ax.set_title(groups[test], fontsize=10)
    for ax in axes[::3]:
        ax.set_ylabel("share of sites")
    names = ("recall: planted candidates\nfound as candidates",
             "precision: candidates that\nwere planted as such")
    handles = [plt.Line2D([], [], color=colour, marker="o", label=name)
               for colour, name in zip(RATES.values(), names, strict=True)]
    handles.append(plt.Line2D([], [], color=QUIET, linestyle=":", label="setting in use"))
    spare = fig.axes[len(labels):]
    if spare:
        spare[0].legend(handles=handles, loc="center left", fontsize=10, labelspacing=1.0)
    else:
        fig.legend(handles=handles, loc="outside right upper")
    return titled(fig, title, caption)


def _curve(ax: Axes, part: pd.DataFrame, what: str, colour: str) -> None:
    ax.fill_between(part.level, part[f"{what}_low"], part[f"{what}_high"], color=colour, alpha=0.15,
                    linewidth=0)
    ax.plot(part.level, part[what], "o-", color=colour, markersize=4)

