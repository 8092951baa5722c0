"""Figures of notebook 01: sites, series, annotation, coverage, spectra, offset, labelled places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Patch, Rectangle

from lulc_lib import legend
from lulc_lib.figures import style

CITIES = {"Warszawa": (21.01, 52.23), "Wrocław": (17.04, 51.11), "Gdańsk": (18.65, 54.35),
          "Poznań": (16.93, 52.41), "Lublin": (22.57, 51.25)}


@style.styled
def sites_map(footprints: gpd.GeoDataFrame, views: Mapping[str, xr.DataArray], title: str,
              caption: str) -> Figure:
    """Show the sites in Poland, and a view of each.

    Parameters
    ----------
    footprints : GeoDataFrame
        One polygon per site in any CRS; columns ``title`` and ``tile`` (MGRS).
    views : mapping of str to DataArray
        Site title to its scene, or to a class map where no scene is at hand; at most six.
    """
    fig = plt.figure(figsize=(12.5, 6))
    left, right = fig.subfigures(1, 2, width_ratios=[1, 1.4])
    _draw_poland(left.subplots(), footprints)
    axes = right.subplots(2, 3).ravel()
    for ax, (name, view) in zip(axes, views.items(), strict=False):
        if view.ndim == 3:
            small = view.coarsen(y=2, x=2, boundary="trim").mean()
            style.show_false_colour(ax, small.rio.write_transform(small.rio.transform(recalc=True)))
        else:
            style.show_classes(ax, view)
        ax.set_title(name, fontsize=9)
        ax.set_anchor("N")
        style.scale_bar(ax, 1000)
    for ax in axes[len(views):]:
        style.class_key(ax)
    return style.titled(fig, title, caption)


def _draw_poland(ax: Axes, footprints: gpd.GeoDataFrame) -> None:
    """Outline (Natural Earth 1:110 million, public domain), cities, UTM zones and the sites."""
    path = files("lulc_lib.figures").joinpath("poland_outline.csv")
    outline = pd.read_csv(path.open())
    ax.fill(outline.lon, outline.lat, facecolor="#f1efe9", edgecolor=style.QUIET, linewidth=0.8)
    ax.axvline(18, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
    ax.text(17.9, 54.95, "UTM 33N", ha="right", fontsize=8, color=style.QUIET)
    ax.text(18.1, 54.95, "UTM 34N", ha="left", fontsize=8, color=style.QUIET)
    for name, (lon, lat) in CITIES.items():
        ax.plot(lon, lat, "o", color=style.QUIET, markersize=3)
        style.beside(ax, name, (lon, lat), (5, 2), fontsize=8, color=style.QUIET,
                     path_effects=style.HALO)
    offsets = [(-12, -38), (-40, 28), (-75, -42)]
    for offset, (tile, group) in zip(offsets, footprints.groupby("tile", sort=False), strict=True):
        centre = group.to_crs(4326).union_all().centroid
        name = group.title.iloc[0].split()[0] + (f", {len(group)} grids" if len(group) > 1 else "")
        ax.plot(centre.x, centre.y, "s", color=style.ACCENT, markersize=8)
        style.beside(ax, f"{name}\ntile {tile}", (centre.x, centre.y), offset, fontsize=9,
                     color=style.INK, fontweight="bold", path_effects=style.HALO, arrowprops={
                         "arrowstyle": "-", "color": style.QUIET, "linewidth": 0.7, "shrinkB": 5})
    ax.set(aspect=1 / np.cos(np.deg2rad(52)), xlabel="longitude, °E", ylabel="latitude, °N",
           xlim=(13.7, 24.6), ylim=(48.6, 55.3))


@style.styled
def quarry_series(scenes: Mapping[str, xr.DataArray], title: str, caption: str) -> Figure:
    """Show one window in false colour through all dates (paper, Figure 3)."""
    shape = next(iter(scenes.values())).shape
    fig, axes = style.panels(len(scenes), 4, panel=2.9, aspect=shape[1] / shape[2])
    for ax, (date, scene) in zip(axes, scenes.items(), strict=True):
        style.show_false_colour(ax, scene, title=date)
    style.scale_bar(axes[0], 200)
    return style.titled(fig, title, caption)


@style.styled
def annotation(scenes: Mapping[str, xr.DataArray], labels: Mapping[str, xr.DataArray],
               places: Mapping[str, Mapping[str, Any]], title: str, caption: str) -> Figure:
    """Show training labels (left) beside scenes (right) with places outlined (paper, Figure 4).

    Parameters
    ----------
    places : mapping of str to mapping
        Name to ``region`` ((y, x) bool), ``shape`` (ellipse, rectangle, circle) and ``colour``.
    """
    first = next(iter(scenes.values()))
    height = 5.3 * first.shape[1] / first.shape[2]
    fig = plt.figure(figsize=(11, (height + 0.3) * len(scenes) + 1.2))
    grid = fig.add_gridspec(len(scenes) + 1, 2, height_ratios=[*[height] * len(scenes), 0.5])
    axes = [[fig.add_subplot(grid[r, c]) for c in (0, 1)] for r in range(len(scenes))]
    for row, date in zip(axes, scenes, strict=True):
        style.show_classes(row[0], labels[date], title=f"{date}: annotation")
        style.show_false_colour(row[1], scenes[date], "Sentinel-2, NIR–R–G")
        for ax in row:
            for place in places.values():
                ax.add_patch(_outline(place["region"], place["shape"], place["colour"]))
    style.scale_bar(axes[0][1], 500)
    for name, place in places.items():
        _name_place(axes[0][0], name, place)
    style.class_key(fig.add_subplot(grid[-1, :]), columns=6)
    return style.titled(fig, title, caption)


def _box(region: xr.DataArray) -> tuple[float, float, float, float]:
    """Centre x, centre y, width, height (km) of the box around a region."""
    rows, cols = np.nonzero(region.values)
    x, y = region.x.values[cols] / 1000, region.y.values[rows] / 1000
    return (x.min() + x.max()) / 2, (y.min() + y.max()) / 2, np.ptp(x) + 0.03, np.ptp(y) + 0.03


def _outline(region: xr.DataArray, shape: str, colour: str) -> Ellipse | Rectangle:
    x, y, width, height = _box(region)
    look = {"fill": False, "edgecolor": colour, "linewidth": 2.2}
    if shape == "rectangle":
        return Rectangle((x - width / 2, y - height / 2), width, height, **look)
    if shape == "circle":
        width = height = max(width, height) * 1.3
        return Ellipse((x, y), width, height, **look)
    return Ellipse((x, y), width * 1.2, height * 1.25, **look)


def _name_place(ax: Axes, name: str, place: Mapping[str, Any]) -> None:
    """Write the name in an ellipse, above a rectangle, below a circle: where no line crosses it."""
    x, y, _, height = _box(place["region"])
    side = {"ellipse": 0, "rectangle": 1, "circle": -1}[place["shape"]]
    style.beside(ax, name, (x, y + side * height / 2), (0, 14 * side), ha="center", fontsize=9,
                 fontweight="bold", va="center", color=place["colour"],
                 bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5})


@style.styled
def label_coverage(counts: pd.DataFrame, pixels: Mapping[str, int], title: str,
                   caption: str) -> Figure:
    """Show labelled pixels by class code (row) and scene, and their share of all its ``pixels``."""
    fig, ax = plt.subplots(figsize=(13, 5.6))
    shown = np.ma.masked_equal(counts.to_numpy(dtype=float), 0)
    ax.imshow(shown, norm=LogNorm(10, 40_000), cmap="YlGnBu", aspect="auto")
    for (row, col), value in np.ndenumerate(counts.to_numpy()):
        ax.text(col, row, f"{value:,}" if value else "–", ha="center", va="center", fontsize=7.5,
                color="white" if value > 3000 else style.INK)
    shares = [f"{name}\n{counts[name].sum() / pixels[name]:.0%}" for name in counts]
    ax.set_xticks(range(len(shares)), shares, fontsize=7.5, color=style.INK)
    style.row_names(ax, [f"{legend.NAMES[c]}  {c}" for c in counts.index])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return style.titled(fig, title, caption)


@style.styled
def spectra(table: pd.DataFrame, title: str, caption: str) -> Figure:
    """Show each class's reflectance by date: ``median``, and ``q25`` to ``q75``, of ``table``."""
    codes = sorted(table.code.unique())
    shades = _shades(sorted(table.date.unique()))
    fig, axes = style.panels(len(codes) + 1, 5, panel=2.5, sharex=True, sharey=True)
    for ax, code in zip(axes, codes, strict=False):
        for date, part in table[table.code == code].groupby("date"):
            ax.fill_between(part.wavelength, part.q25, part.q75, color=shades[date], alpha=0.12,
                            linewidth=0)
            ax.plot(part.wavelength, part["median"], color=shades[date], marker=".", markersize=4)
        ax.set_title(legend.NAMES[code], fontsize=9.5)
        ax.set_ylim(0, 0.6)
    for ax in axes[-6:-1]:
        ax.set_xlabel("wavelength, nm")
        ax.tick_params(labelbottom=True)
    for ax in axes[::5]:
        ax.set_ylabel("reflectance")
    axes[-1].axis("off")
    handles = [Patch(color=shade, label=date) for date, shade in shades.items()]
    axes[-1].legend(handles=handles, loc="center", title="median; band: quartiles")
    return style.titled(fig, title, caption)


def _shades(dates: Sequence[str]) -> dict[str, np.ndarray]:
    """Date to its colour, dark to light."""
    return dict(zip(dates, plt.cm.viridis(np.linspace(0, 0.92, len(dates))), strict=True))


@style.styled
def offset_effect(before: pd.DataFrame, after: pd.DataFrame, medians: Mapping[str, pd.DataFrame],
                  title: str, caption: str) -> Figure:
    """Show dark pixels before and after the offset is taken off, and stable classes after it.

    All tables are (date, band), reflectance: 1st percentiles, and medians by class name.
    """
    fig, axes = plt.subplots(1, 2 + len(medians), figsize=(3.4 * (2 + len(medians)), 4.4))
    for ax, table, name in ((axes[0], before, "Darkest 1 %, as stored"),
                            (axes[1], after, "Darkest 1 %, offset taken off")):
        _lines(ax, table, name)
        ax.set(ylim=(-0.02, 0.4))
        ax.axhline(0, color=style.QUIET, linewidth=0.8)
    for ax, (name, table) in zip(axes[2:], medians.items(), strict=True):
        _lines(ax, table[before.columns], f"{name}, median")
        ax.set_ylim(0, max(0.05, 1.15 * float(np.nanmax(table.to_numpy()))))
    axes[0].set_ylabel("reflectance (as stored: DN ÷ 10,000)")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=9)
    return style.titled(fig, title, caption)


def _lines(ax: Axes, table: pd.DataFrame, name: str) -> None:
    for (date, values), shade in zip(table.iterrows(), _shades(table.index).values(), strict=True):
        ax.plot(range(values.size), values, color=shade, marker=".", label=date)
    ax.set_xticks(range(table.shape[1]), table.columns, rotation=60, fontsize=8)
    ax.set_title(name, fontsize=9.5)


@style.styled
def seen_places(seen: xr.DataArray, background: xr.DataArray, shares: Sequence[tuple[str, float]],
                title: str, caption: str) -> Figure:
    """Show reference pixels by whether training labelled them, over the greyed test scene.

    ``seen`` is 1 … 3 in the order of ``shares`` (name, share of the pixels), 0 elsewhere.
    """
    colours = ["#1c74f3", "#f2a93b", "#c8102e"]
    fig, (ax, bars) = plt.subplots(1, 2, figsize=(12, 6.4), width_ratios=[1.5, 1])
    style.show_grey(ax, background, darkest=0.55, contrast=0.45)
    layer = np.ma.masked_equal(seen.values, 0)
    ax.imshow(layer, cmap=ListedColormap(colours), vmin=1, vmax=3, extent=style.extent_km(seen))
    style.crs_axes(ax, seen)
    style.scale_bar(ax, 1000)
    for place, (label, share) in enumerate(shares):
        bars.barh(-place, share, color=colours[place], height=0.55)
        bars.text(0, -place + 0.36, label, fontsize=10, va="bottom")
        bars.text(share + 0.01, -place, f"{share:.1%}", va="center", fontweight="bold")
    bars.set(xlim=(0, 1.12), ylim=(-2.6, 0.9), yticks=[], xlabel="share of the reference pixels")
    bars.spines["left"].set_visible(False)
    return style.titled(fig, title, caption)
