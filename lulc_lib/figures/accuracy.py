"""Figures of notebook 04: confusion matrices, maps side by side, F1 and accuracy with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lulc_lib import legend
from lulc_lib.figures import style

RIGHT, WRONG = "#8db4cf", style.ACCENT
FEW_POLYGONS = 10
"""With fewer, a bootstrap of polygons cannot say how far off a number is."""


@style.styled
def confusion_pair(matrices: Mapping[str, pd.DataFrame], title: str, caption: str) -> Figure:
    """Show confusion matrices side by side; a cell's shade is its share of the reference class."""
    fig, axes = plt.subplots(1, len(matrices), figsize=(6.6 * len(matrices), 6), squeeze=False,
                             sharey=True)
    for ax, (name, matrix) in zip(axes.flat, matrices.items(), strict=True):
        _draw_confusion(ax, matrix)
        ax.set_title(name)
    axes[0, 0].set_ylabel("map class")
    return style.titled(fig, title, caption)


def _draw_confusion(ax: Axes, matrix: pd.DataFrame) -> None:
    counts = matrix.to_numpy()
    share = counts / np.maximum(counts.sum(axis=0), 1)
    ax.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1.1, aspect="auto")
    for (row, col), count in np.ndenumerate(counts):
        if count:
            ax.text(col, row, f"{count:,}", ha="center", va="center", fontsize=8,
                    color="white" if share[row, col] > 0.5 else style.INK,
                    fontweight="bold" if row == col else "normal")
    names = [legend.NAMES.get(c, "no data") for c in matrix.index]
    style.row_names(ax, names)
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right", color=style.INK)
    ax.set_xlabel("reference class (pixels)")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


@style.styled
def maps_side_by_side(reference: xr.DataArray, maps: Mapping[str, xr.DataArray], title: str,
                      caption: str) -> Figure:
    """Show reference, maps, and where each map is wrong, over one extent (paper, Figure 11)."""
    columns = len(maps) + 1
    fig, axes = plt.subplots(2, columns, figsize=(4.4 * columns, 8.6))
    _reference(axes[0, 0], reference)
    for (name, codes), (above, below) in zip(maps.items(), axes.T[1:], strict=True):
        style.show_classes(above, codes, title=name)
        _show_errors(below, codes, reference)
    style.class_key(axes[1, 0])
    return style.titled(fig, title, caption)


@style.styled
def map_and_one_class(reference: xr.DataArray, named: tuple[str, xr.DataArray], code: int,
                      title: str, caption: str) -> Figure:
    """Show reference, map, errors, and every pixel of one class, enlarged (paper, Figure 12)."""
    fig, axes = plt.subplots(2, 3, figsize=(12.2, 10.4), width_ratios=[1, 1, 0.42])
    name, codes = named
    _reference(axes[0, 0], reference)
    style.show_classes(axes[0, 1], codes, title=name)
    _show_errors(axes[1, 0], codes, reference)
    _show_one_class(axes[1, 1], codes, code)
    style.class_key(axes[0, 2])
    axes[1, 2].axis("off")
    return style.titled(fig, title, caption)


def _reference(ax: Axes, reference: xr.DataArray) -> None:
    style.show_classes(ax, reference, title="Reference polygons")
    style.crs_axes(ax, reference)
    style.scale_bar(ax, 1000)


def _show_errors(ax: Axes, codes: xr.DataArray, reference: xr.DataArray) -> None:
    labelled = reference.values != legend.NO_DATA
    state = np.where(labelled, 1 + (codes.values != reference.values), 0)
    ax.imshow(state, cmap=ListedColormap(["white", RIGHT, WRONG]), vmin=0, vmax=2,
              extent=style.extent_km(reference))
    style.frame(ax)
    share = (state == 2).sum() / labelled.sum()
    ax.set_title(f"wrong: {share:.1%} of the reference pixels", color=WRONG, fontsize=10)
    ax.legend(handles=[Patch(color=RIGHT, label="right"), Patch(color=WRONG, label="wrong")],
              loc="lower left", fontsize=8, frameon=True, framealpha=0.9, edgecolor="none")


def _show_one_class(ax: Axes, codes: xr.DataArray, code: int) -> None:
    """Mark each pixel of a class by a square larger than itself, on white."""
    rows, cols = np.nonzero(codes.values == code)
    ax.plot(codes.x.values[cols] / 1000, codes.y.values[rows] / 1000, "s", markersize=4.5,
            color=legend.COLOURS[code], markeredgecolor=style.INK, markeredgewidth=0.3)
    left, right, bottom, top = style.extent_km(codes)
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    style.frame(ax)
    style.scale_bar(ax, 1000)
    ax.set_title(f"{len(rows)} pixels mapped as {legend.NAMES[code].lower()} (enlarged)",
                 fontsize=10)


@style.styled
def f1_by_class(intervals: Mapping[str, Mapping[int, Sequence[float]]], support: pd.DataFrame,
                title: str, caption: str) -> Figure:
    """Show F1 of every class with its interval, for several maps.

    A class of few polygons has rings for dots and a warning: its interval is not to be relied on.

    Parameters
    ----------
    intervals : mapping of str to mapping
        Map name to legend code to (estimate, low, high).
    support : DataFrame
        Index the legend code; columns ``pixels`` and ``polygons`` of the reference.
    """
    order = sorted(support.index, key=lambda c: -next(iter(intervals.values()))[c][0])
    few = support.polygons < FEW_POLYGONS
    fig, ax = plt.subplots(figsize=(10, 0.55 * len(order) + 1.6))
    for place, (name, values) in enumerate(intervals.items()):
        colour = (style.PUBLISHED, style.OURS, style.ACCENT)[place]
        shift = 0.17 * (place - (len(intervals) - 1) / 2)
        for row, code in enumerate(order):
            estimate, low, high = values[code]
            style.interval(ax, low, high, row + shift, colour, width=2.2, alpha=0.75)
            ax.plot(estimate, row + shift, "o", color=colour, markersize=6,
                    markerfacecolor="white" if few[code] else colour,
                    label=name if row == 0 else None)
    for row in (row for row, code in enumerate(order) if few[code]):
        ax.text(0.01, row, f"fewer than {FEW_POLYGONS} polygons: interval not reliable",
                color=style.ACCENT, fontsize=8.5, va="center")
    style.row_names(ax, [f"{legend.NAMES[c]}  ({support.pixels[c]:,} px, {support.polygons[c]} "
                         "polygons)" for c in order])
    ax.set(xlim=(0, 1.005), xlabel="F1 (dot) and 95 % interval (line)")
    ax.invert_yaxis()
    style.light_grid(ax)
    ax.legend(loc="upper left", fontsize=9, frameon=True, framealpha=0.9, edgecolor="none")
    return style.titled(fig, title, caption)


@style.styled
def overall_accuracies(rows: pd.DataFrame, title: str, caption: str) -> Figure:
    """Show overall accuracy with its interval, a line per map (paper, Figure 24).

    Maps ``measured_on`` (a column, beside the estimate's) the same reference share a colour.
    """
    grounds = list(dict.fromkeys(rows.measured_on))
    shades = dict(zip(grounds, plt.cm.Dark2.colors, strict=False))
    fig, ax = plt.subplots(figsize=(11, 0.62 * len(rows) + 1.9))
    for place, row in enumerate(rows.itertuples()):
        colour = shades[row.measured_on]
        style.interval(ax, row.low, row.high, place, colour, width=7, alpha=0.35)
        ax.plot(row.estimate, place, "o", color=colour, markersize=8)
        style.beside(ax, f"{row.estimate:.1%}", (row.estimate, place), (0, 9), ha="center",
                     fontsize=9)
    style.row_names(ax, rows.index)
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(len(rows)), rows.measured_on, fontsize=8.5)
    for label, ground in zip(right.get_yticklabels(), rows.measured_on, strict=True):
        label.set_color(shades[ground])
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    ax.set(xlim=(rows.low.min() - 0.02, 1), ylim=(len(rows) - 0.4, -0.7),
           xlabel="overall accuracy (dot) and 95 % interval (bar)")
    ax.spines["left"].set_visible(False)
    style.light_grid(ax)
    return style.titled(fig, title, caption)
