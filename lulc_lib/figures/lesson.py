"""Figures of the lesson (notebook 05): a few plain charts, each used for several pitfalls.

A title that begins with "Wrong:" is drawn in red, one that begins with "Right:" in blue, so that a
figure taken out of the notebook still says which of the two it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from lulc_lib.figures.style import ACCENT, INK, OURS, PUBLISHED, styled, titled

GRID = "#e3e3e3"
WIDTH = 9.0


def verdict(fig: Figure, title: str, caption: str) -> Figure:
    """Title and caption as :func:`lulc_lib.figures.style.titled`, the title in its colour."""
    titled(fig, title, caption)
    fig.get_layout_engine().set(w_pad=0.1, h_pad=0.06)
    colour = {"Wrong": ACCENT, "Right": OURS}.get(title.partition(":")[0], INK)
    fig.suptitle(title, x=0.01, ha="left", color=colour)
    return fig


@styled
def bars(
    values: Mapping[str, float], title: str, caption: str, xlabel: str, accent: Sequence[str] = (),
    limit: float = 1.0, digits: int = 1,
) -> Figure:
    """Horizontal bars from zero, each with its value in per cent at its end.

    ``values``: label to share (0–1); those in ``accent`` are red. ``limit``: end of the axis.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, 0.55 * len(values) + 1.5), layout="constrained")
    colours = [ACCENT if name in accent else PUBLISHED for name in values]
    ax.barh(list(values), list(values.values()), color=colours, height=0.62)
    for row, value in enumerate(values.values()):
        ax.annotate(f"{value:.{digits}%}", (value, row), xytext=(5, 0), va="center",
                    textcoords="offset points", fontweight="bold")
    ax.set(xlim=(0, limit * 1.08), xlabel=xlabel)
    _percent(ax)
    return verdict(fig, title, caption)


@styled
def dots(
    rows: pd.DataFrame, title: str, caption: str, xlabel: str, limits: tuple[float, float],
    accent: Sequence[str] = (), digits: int = 1,
) -> Figure:
    """One dot per row with its value, and a bar for its interval where it has one.

    ``rows``: index the label; columns ``estimate`` and, if there are intervals, ``low``, ``high``.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, 0.62 * len(rows) + 1.5), layout="constrained")
    for place, (name, row) in enumerate(rows.iterrows()):
        colour = ACCENT if name in accent else OURS
        if "low" in rows:
            ax.plot([row.low, row.high], [place] * 2, color=colour, linewidth=8, alpha=0.3,
                    solid_capstyle="butt")
        ax.plot(row.estimate, place, "o", color=colour, markersize=9)
        ax.annotate(f"{row.estimate:.{digits}%}", (row.estimate, place), xytext=(0, 9),
                    ha="center", textcoords="offset points", fontweight="bold", fontsize=9)
    ax.set_yticks(range(len(rows)), rows.index, color=INK)
    ax.set(xlim=limits, ylim=(len(rows) - 0.5, -0.75), xlabel=xlabel)
    ax.grid(color=GRID, linewidth=0.7)
    _percent(ax)
    return verdict(fig, title, caption)


@styled
def pairs(
    table: pd.DataFrame, title: str, caption: str, xlabel: str, accent: Sequence[str] = (),
    limits: tuple[float, float] = (0, 1.02),
) -> Figure:
    """Two values per row on one line: a filled dot for the first column, a ring for the second.

    ``table``: index the label, two columns of shares (0–1); rows in ``accent`` are red.
    """
    first, second = table.columns
    fig, ax = plt.subplots(figsize=(WIDTH, 0.42 * len(table) + 1.9), layout="constrained")
    for place, (name, row) in enumerate(table.iterrows()):
        colour = ACCENT if name in accent else OURS
        low, high = sorted(row)
        ax.plot([low, high], [place] * 2, color=colour, linewidth=2.5, alpha=0.35, zorder=1)
        ax.plot(row[first], place, "o", color=colour, markersize=9)
        ax.plot(row[second], place, "o", markersize=9, markerfacecolor="white",
                markeredgewidth=2, color=colour)
        for value, side in ((low, "right"), (high, "left")):
            ax.annotate(f"{value:.1%}", (value, place), ha=side, va="center", fontsize=8.5,
                        xytext=(-8 if side == "right" else 8, 0), textcoords="offset points")
    ax.set_yticks(range(len(table)), table.index, color=INK)
    ax.plot([], [], "o", color=INK, markersize=8, label=first)
    ax.plot([], [], "o", color=INK, markersize=8, markerfacecolor="white", markeredgewidth=2,
            label=second)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9.5, borderaxespad=0.2)
    ax.set(xlim=limits, ylim=(len(table) - 0.4, -0.6), xlabel=xlabel)
    ax.grid(axis="x", color=GRID, linewidth=0.7)
    _percent(ax)
    return verdict(fig, title, caption)


@styled
def slopes(
    table: pd.DataFrame, title: str, caption: str, ylabel: str, limits: tuple[float, float],
    accent: Sequence[str] = (),
) -> Figure:
    """Each row as a line from its first to its second value, so that a change of order shows."""
    fig, ax = plt.subplots(figsize=(WIDTH * 0.8, 4.2), layout="constrained")
    for name, row in table.iterrows():
        colour = ACCENT if name in accent else OURS
        ax.plot([0, 1], row, "o-", color=colour, markersize=8)
        for x, side, shift in ((0, "right", -12), (1, "left", 12)):
            ax.annotate(f"{name}  {row.iloc[x]:.1%}", (x, row.iloc[x]), ha=side, va="center",
                        color=colour, xytext=(shift, 0), textcoords="offset points")
    ax.set_xticks([0, 1], table.columns, color=INK)
    ax.set(xlim=(-0.75, 1.75), ylim=limits, ylabel=ylabel)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return verdict(fig, title, caption)


@styled
def mean_acc_curves(points: pd.DataFrame, title: str, caption: str) -> Figure:
    """Mean per-class ACC against the number of classes, for maps of several overall accuracies.

    ``points``: index the map's name; columns ``classes``, ``oa``, ``mean_acc``.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, 4.4), layout="constrained")
    classes = np.arange(2, 21)
    for oa in (0.5, 0.6, 0.7, 0.8, 0.9):
        ax.plot(classes, 1 - 2 * (1 - oa) / classes, color=GRID, linewidth=1.6)
    own = 1 - 2 * (1 - points.oa.iloc[-1]) / classes
    ax.plot(classes, own, color=ACCENT, linewidth=1.2, alpha=0.6)
    for name, row in points.iterrows():
        ax.plot([row.classes] * 2, [row.oa, row.mean_acc], ":", color=ACCENT, linewidth=1.4)
        apart = row.mean_acc > row.oa + 0.001
        _spot(ax, row.classes, row.mean_acc,
              f"mean ACC {row.mean_acc:.1%}" if apart else f"{name}: both {row.oa:.1%}", ACCENT)
        if apart:
            _spot(ax, row.classes, row.oa, f"{name}: OA {row.oa:.1%}", OURS)
    ax.set_xticks([2, 5, 10, 15, 20])
    ax.set(xlim=(1.7, 20), ylim=(0.48, 1.02), xlabel="number of classes",
           ylabel="mean per-class ACC")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return verdict(fig, title, caption)


@styled
def curve(
    x: NDArray[np.float64], y: NDArray[np.float64], point: tuple[float, float, str], title: str,
    caption: str, labels: tuple[str, str], limits: tuple[float, float],
) -> Figure:
    """One curve of shares (0–1) with one real map on it; ``labels`` of x and y, limits of y."""
    fig, ax = plt.subplots(figsize=(WIDTH, 3.8), layout="constrained")
    ax.plot(x, y, color=ACCENT, linewidth=2.2)
    ax.plot(*point[:2], "o", color=INK, markersize=8)
    side = -1 if y[-1] > y[0] else 1
    ax.annotate(point[2], point[:2], xytext=(12, 4 * side), textcoords="offset points",
                va="top" if side < 0 else "bottom")
    ax.set(xlim=(0, max(x)), ylim=limits, xlabel=labels[0], ylabel=labels[1])
    ax.grid(color=GRID, linewidth=0.7)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return verdict(fig, title, caption)


def _spot(ax: Axes, x: float, y: float, text: str, colour: str) -> None:
    """A dot with its text to the lower right, on white where lines would run through it."""
    ax.plot(x, y, "o", color=colour, markersize=8)
    ax.annotate(text, (x, y), xytext=(9, -3), textcoords="offset points", va="center", fontsize=9.5,
                color=colour, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})


def _percent(ax: Axes) -> None:
    """Shares on the x axis as per cent, labels of the y axis in ink, no ticks there."""
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.spines["left"].set_visible(False)
    ax.set_axisbelow(True)
    if ax.patches:
        ax.invert_yaxis()
