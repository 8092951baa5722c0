"""Figures of notebook 04: confusion matrices, maps side by side, F1 with intervals."""

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
from lulc_lib.figures.style import (
    ACCENT,
    INK,
    OURS,
    PUBLISHED,
    class_key,
    crs_axes,
    extent_km,
    frame,
    scale_bar,
    show_classes,
    styled,
    titled,
)

RIGHT, WRONG = "#dfe6e3", ACCENT


@styled
def confusion_pair(matrices: Mapping[str, pd.DataFrame], title: str, caption: str) -> Figure:
    """Confusion matrices side by side; a cell's shade is its share of the reference class.

    ``matrices``: panel title to counts, rows map class, columns reference class.
    """
    fig, axes = plt.subplots(1, len(matrices), figsize=(6.6 * len(matrices), 6), squeeze=False,
                             layout="constrained", sharey=True)
    for ax, (name, matrix) in zip(axes.flat, matrices.items(), strict=True):
        _draw_confusion(ax, matrix)
        ax.set_title(name)
    axes[0, 0].set_ylabel("map class")
    return titled(fig, title, caption)


def _draw_confusion(ax: Axes, matrix: pd.DataFrame) -> None:
    counts = matrix.to_numpy()
    share = counts / np.maximum(counts.sum(axis=0), 1)
    ax.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1.1, aspect="auto")
    for (row, col), count in np.ndenumerate(counts):
        if count:
            ax.text(col, row, f"{count:,}", ha="center", va="center", fontsize=8,
                    color="white" if share[row, col] > 0.5 else INK,
                    fontweight="bold" if row == col else "normal")
    names = [legend.NAMES.get(c, "no data") for c in matrix.index]
    ax.set_yticks(range(len(names)), names, color=INK)
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right", color=INK)
    ax.set_xlabel("reference class (pixels)")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


@styled
def maps_side_by_side(
    reference: xr.DataArray, maps: Mapping[str, xr.DataArray], title: str, caption: str
) -> Figure:
    """Reference, maps, and where each map is wrong, all over one extent (paper, Figure 11).

    All arrays are (y, x) uint8 legend codes on one grid; NO_DATA in ``reference`` is not judged.
    """
    columns = len(maps) + 1
    if len(maps) == 1:
        fig, axes = plt.subplots(1, 4, figsize=(15.5, 5), layout="constrained",
                                 width_ratios=[1, 1, 1, 0.55])
        above, below, key = axes[:2], axes[1:3], axes[3]  # the errors beside the map
    else:
        fig, axes = plt.subplots(2, columns, figsize=(4.4 * columns, 8.6), layout="constrained")
        above, below, key = axes[0], axes[1], axes[1, 0]
    show_classes(above[0], reference)
    above[0].set_title("Reference polygons")
    crs_axes(above[0], reference)
    scale_bar(above[0], 1000)
    class_key(key)
    for column, (name, codes) in enumerate(maps.items(), start=1):
        show_classes(above[column], codes)
        above[column].set_title(name)
        _show_errors(below[column], codes, reference)
    return titled(fig, title, caption)


def _show_errors(ax: Axes, codes: xr.DataArray, reference: xr.DataArray) -> None:
    judged = reference.values != legend.NO_DATA
    state = np.where(judged, 1 + (codes.values != reference.values), 0)
    ax.imshow(state, cmap=ListedColormap(["white", RIGHT, WRONG]), vmin=0, vmax=2,
              extent=extent_km(reference))
    frame(ax)
    share = (state == 2).sum() / judged.sum()
    ax.set_title(f"wrong: {share:.1%} of the reference pixels", color=WRONG, fontsize=10)
    ax.legend(handles=[Patch(color=RIGHT, label="right"), Patch(color=WRONG, label="wrong")],
              loc="lower left", fontsize=8, frameon=True, framealpha=0.9, edgecolor="none")


@styled
def f1_by_class(
    intervals: Mapping[str, Mapping[int, Sequence[float]]], support: Mapping[int, int],
    title: str, caption: str,
) -> Figure:
    """F1 of every class with its interval, for several maps.

    Parameters
    ----------
    intervals : map name to legend code to (estimate, low, high).
    support : legend code to the number of reference pixels.
    """
    order = sorted(support, key=lambda c: -next(iter(intervals.values()))[c][0])
    colours = [PUBLISHED, OURS, ACCENT]
    fig, ax = plt.subplots(figsize=(10, 0.55 * len(order) + 1.6), layout="constrained")
    for place, (name, values) in enumerate(intervals.items()):
        shift = 0.17 * (place - (len(intervals) - 1) / 2)
        for row, code in enumerate(order):
            estimate, low, high = values[code]
            ax.plot([low, high], [row + shift] * 2, color=colours[place], linewidth=2.2,
                    solid_capstyle="butt", alpha=0.75)
            ax.plot(estimate, row + shift, "o", color=colours[place], markersize=6,
                    label=name if row == 0 else None)
    names = [f"{legend.NAMES[c]}  ({support[c]:,} px)" for c in order]
    ax.set_yticks(range(len(order)), names, color=INK)
    ax.set(xlim=(0, 1.005), xlabel="F1 (dot) and 95 % interval (line)")
    ax.invert_yaxis()
    ax.grid(axis="x", color="#e3e3e3", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.legend(loc="upper left", fontsize=9, frameon=True, framealpha=0.9, edgecolor="none")
    return titled(fig, title, caption)


@styled
def overall_accuracies(rows: pd.DataFrame, title: str, caption: str) -> Figure:
    """Overall accuracy with its interval, one line per map, saying what each was measured on.

    ``rows``: index the map's name; columns ``estimate``, ``low``, ``high`` and ``measured_on``
    (text; maps judged on the same thing share a colour). Paper, Figure 24.
    """
    grounds = list(dict.fromkeys(rows.measured_on))
    shades = dict(zip(grounds, plt.cm.Dark2.colors, strict=False))
    fig, ax = plt.subplots(figsize=(11, 0.62 * len(rows) + 1.9), layout="constrained")
    for place, row in enumerate(rows.itertuples()):
        colour = shades[row.measured_on]
        ax.plot([row.low, row.high], [place, place], color=colour, linewidth=7, alpha=0.35,
                solid_capstyle="butt")
        ax.plot(row.estimate, place, "o", color=colour, markersize=8)
        ax.annotate(f"{row.estimate:.1%}", (row.estimate, place), xytext=(0, 9), ha="center",
                    textcoords="offset points", fontsize=9)
    places = range(len(rows))
    ax.set_yticks(places, rows.index, color=INK)
    right = ax.secondary_yaxis("right")
    right.set_yticks(places, rows.measured_on, fontsize=8.5)
    for label, ground in zip(right.get_yticklabels(), rows.measured_on, strict=True):
        label.set_color(shades[ground])
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    ax.set(xlim=(rows.low.min() - 0.02, 1),
           xlabel="overall accuracy (dot) and 95 % interval (bar)")
    ax.set_ylim(len(rows) - 0.4, -0.7)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color="#e3e3e3", linewidth=0.7)
    ax.set_axisbelow(True)
    return titled(fig, title, caption)
