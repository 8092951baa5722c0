"""Figures of the lessons (05a, 05b): plain charts, each used for several pitfalls, and sliders.

A title that begins with "Wrong:" is drawn in red, one that begins with "Right:" in blue, so that a
figure taken out of the notebook still says which of the two it is. Values are shares (0–1), written
as per cent; labels named in ``accent`` are drawn in red.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike, NDArray

from lulc_lib.display_names import label
from lulc_lib.figures import style

SECOND = "#e69f00"
WIDTH = 9.0
PIXELS, OA = 38_400, 0.95
"""The reference whose interval :func:`play_clusters` shows."""


def verdict(fig: Figure, title: str, caption: str) -> Figure:
    """Put title and caption as :func:`style.titled` does, the title in its colour."""
    fig.get_layout_engine().set(w_pad=0.1, h_pad=0.06)
    colour = {"Wrong": style.ACCENT, "Right": style.OURS}.get(title.partition(":")[0], style.INK)
    return style.titled(fig, title, caption, colour)


@style.styled
def bars(values: Mapping[str, float], title: str, caption: str, xlabel: str,
         accent: Sequence[str] = (), limit: float = 1.0, digits: int = 1) -> Figure:
    """Draw horizontal bars from zero to ``limit``, each with its value at its end."""
    fig, ax = plt.subplots(figsize=(WIDTH, 0.55 * len(values) + 1.5), layout="constrained")
    bars_on(ax, values, xlabel, accent, limit, digits)
    return verdict(fig, title, caption)


def bars_on(ax: Axes, values: Mapping[str, float], xlabel: str, accent: Sequence[str] = (),
            limit: float = 1.0, digits: int = 1) -> None:
    """Draw what :func:`bars` draws on axes that are there."""
    colours = [style.ACCENT if name in accent else style.PUBLISHED for name in values]
    ax.barh(list(values), list(values.values()), color=colours, height=0.62)
    for row, value in enumerate(values.values()):
        style.beside(ax, f"{value:.{digits}%}", (value, row), (5, 0), va="center",
                     fontweight="bold")
    ax.set(xlim=(0, limit * 1.08), xlabel=xlabel)
    _shares_along(ax)
    ax.invert_yaxis()


@style.styled
def dots(rows: pd.DataFrame, title: str, caption: str, xlabel: str, limits: tuple[float, float],
         accent: Sequence[str] = (), digits: int = 1) -> Figure:
    """Draw a dot per row (``estimate``), and a bar from ``low`` to ``high`` where it has them."""
    fig, ax = plt.subplots(figsize=(WIDTH, 0.62 * len(rows) + 1.5), layout="constrained")
    for place, (name, row) in enumerate(rows.iterrows()):
        colour = style.ACCENT if name in accent else style.OURS
        if "low" in rows:
            style.interval(ax, row.low, row.high, place, colour, width=8, alpha=0.3)
        ax.plot(row.estimate, place, "o", color=colour, markersize=9)
        style.beside(ax, f"{row.estimate:.{digits}%}", (row.estimate, place), (0, 9), ha="center",
                     fontweight="bold", fontsize=9)
    style.row_names(ax, rows.index)
    ax.set(xlim=limits, ylim=(len(rows) - 0.5, -0.75), xlabel=xlabel)
    style.light_grid(ax, "both")
    _shares_along(ax)
    return verdict(fig, title, caption)


@style.styled
def pairs(table: pd.DataFrame, title: str, caption: str, xlabel: str, accent: Sequence[str] = (),
          limits: tuple[float, float] = (0, 1.02)) -> Figure:
    """Draw two values per row on one line: a dot for the first column, a ring for the second."""
    fig, ax = plt.subplots(figsize=(WIDTH, 0.42 * len(table) + 1.9), layout="constrained")
    ring = {"markerfacecolor": "white", "markeredgewidth": 2}
    for place, (name, row) in enumerate(table.iterrows()):
        colour = style.ACCENT if name in accent else style.OURS
        low, high = sorted(row)
        ax.plot([low, high], [place] * 2, color=colour, linewidth=2.5, alpha=0.35, zorder=1)
        ax.plot(row.iloc[0], place, "o", color=colour, markersize=9)
        ax.plot(row.iloc[1], place, "o", color=colour, markersize=9, **ring)
        for value, side, shift in ((low, "right", -8), (high, "left", 8)):
            style.beside(ax, f"{value:.1%}", (value, place), (shift, 0), ha=side,
                         va="center", fontsize=8.5)
    style.row_names(ax, table.index)
    for column, look in zip(table, ({}, ring), strict=True):
        ax.plot([], [], "o", color=style.INK, markersize=8, label=column, **look)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9.5, borderaxespad=0.2)
    ax.set(xlim=limits, ylim=(len(table) - 0.4, -0.6), xlabel=xlabel)
    style.light_grid(ax)
    _shares_along(ax)
    return verdict(fig, title, caption)


@style.styled
def slopes(table: pd.DataFrame, title: str, caption: str, ylabel: str, limits: tuple[float, float],
           intervals: pd.DataFrame, accent: Sequence[str] = ()) -> Figure:
    """Draw each row as a line from its first to its second value, so a change of order shows.

    ``intervals`` (columns ``low``, ``high``) are of the second values.
    """
    fig, ax = plt.subplots(figsize=(WIDTH * 0.8, 4.8), layout="constrained")
    for place, (name, row) in enumerate(table.iterrows()):
        colour = style.ACCENT if name in accent else style.OURS
        ax.plot([0, 1], row, "o-", color=colour, markersize=8)
        ax.plot([1 + 0.05 * (place - 1)] * 2, intervals.loc[name, ["low", "high"]], color=colour,
                linewidth=5, alpha=0.3, solid_capstyle="butt")
        for x, side, shift in ((0, "right", -12), (1, "left", 18)):
            style.beside(ax, f"{name}  {row.iloc[x]:.1%}", (x, row.iloc[x]), (shift, 0),
                         ha=side, va="center", color=colour)
    ax.set_xticks([0, 1], table.columns, color=style.INK)
    ax.set(xlim=(-0.75, 1.75), ylim=limits, ylabel=ylabel)
    ax.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    _per_cent(ax.yaxis)
    return verdict(fig, title, caption)


@style.styled
def mean_acc_curves(points: pd.DataFrame, title: str, caption: str) -> Figure:
    """Draw mean per-class ACC against the number of classes, for several overall accuracies.

    ``points`` are maps (columns ``classes``, ``oa``, ``mean_acc``).
    """
    fig, ax = plt.subplots(figsize=(WIDTH, 4.4), layout="constrained")
    classes = np.arange(2, 21)
    for oa in (0.5, 0.6, 0.7, 0.8, 0.9):
        ax.plot(classes, 1 - 2 * (1 - oa) / classes, color=style.GRID, linewidth=1.6)
    own = 1 - 2 * (1 - points.oa.iloc[-1]) / classes
    ax.plot(classes, own, color=style.ACCENT, linewidth=1.2, alpha=0.6)
    for name, row in points.iterrows():
        ax.plot([row.classes] * 2, [row.oa, row.mean_acc], ":", color=style.ACCENT, linewidth=1.4)
        apart = row.mean_acc > row.oa + 0.001
        said = f"mean ACC {row.mean_acc:.1%}" if apart else f"{name}: both {row.oa:.1%}"
        _spot(ax, row.classes, row.mean_acc, said, style.ACCENT)
        if apart:
            _spot(ax, row.classes, row.oa, f"{name}: OA {row.oa:.1%}", style.OURS)
    ax.set_xticks([2, 5, 10, 15, 20])
    ax.set(xlim=(1.7, 20), ylim=(0.48, 1.02), xlabel="number of classes",
           ylabel="mean per-class ACC")
    _per_cent(ax.yaxis)
    return verdict(fig, title, caption)


@style.styled
def curve(x: NDArray[np.float64], y: NDArray[np.float64], point: tuple[float, float, str],
          title: str, caption: str, labels: tuple[str, str], limits: tuple[float, float]) -> Figure:
    """Draw one curve with one real map on it; ``labels`` of x and y, ``limits`` of y."""
    fig, ax = plt.subplots(figsize=(WIDTH, 3.8), layout="constrained")
    ax.plot(x, y, color=style.ACCENT, linewidth=2.2)
    ax.plot(*point[:2], "o", color=style.INK, markersize=8)
    side = -1 if y[-1] > y[0] else 1
    style.beside(ax, point[2], point[:2], (12, 4 * side), va="top" if side < 0 else "bottom")
    ax.set(xlim=(0, max(x)), ylim=limits, xlabel=labels[0], ylabel=labels[1])
    style.light_grid(ax, "both")
    _per_cent(ax.xaxis, ax.yaxis)
    return verdict(fig, title, caption)


@style.styled
def kappa_against_oa(table: pd.DataFrame, title: str, caption: str, named: Sequence[str]) -> Figure:
    """Draw kappa against overall accuracy (columns ``kappa``, ``oa``), one dot per map."""
    fig, ax = plt.subplots(figsize=(WIDTH * 0.75, 4.6), layout="constrained")
    slope, base = np.polyfit(table.oa, table.kappa, 1)
    ends = np.array([table.oa.min() - 0.02, table.oa.max() + 0.01])
    ax.plot(ends, base + slope * ends, color=style.PUBLISHED, linewidth=1)
    ax.plot(table.oa, table.kappa, "o", color=style.ACCENT, markersize=8, alpha=0.75)
    for name in named:
        style.beside(ax, name, tuple(table.loc[name]), (10, -3), va="top", fontsize=9)
    ax.set(xlabel="overall accuracy", ylabel="kappa", xlim=(ends[0], 1.02))
    style.light_grid(ax, "both")
    _per_cent(ax.xaxis)
    return verdict(fig, title, caption)


@style.styled
def disagreements(table: pd.DataFrame, title: str, caption: str) -> Figure:
    """Draw the error of each map split in two: columns ``quantity`` and ``allocation``."""
    fig, ax = plt.subplots(figsize=(WIDTH, 0.55 * len(table) + 1.6), layout="constrained")
    left = np.zeros(len(table))
    for name, colour, ink in (("quantity", style.OURS, "white"), ("allocation", SECOND, style.INK)):
        ax.barh(table.index, table[name], left=left, color=colour, height=0.62, label=name)
        for row, (start, value) in enumerate(zip(left, table[name], strict=True)):
            ax.text(start + value / 2, row, f"{value:.1%}", ha="center", va="center", color=ink,
                    fontsize=8.5)
        left += table[name].to_numpy()
    ax.legend(loc="upper right", fontsize=9.5)
    ax.tick_params(axis="y", length=0, labelcolor=style.INK)
    ax.set(xlim=(0, left.max() * 1.05), xlabel="wrong share of the assessed pixels or points")
    _per_cent(ax.xaxis)
    ax.invert_yaxis()
    return verdict(fig, title, caption)


@style.styled
def polygon_shares(right: ArrayLike, pixels: ArrayLike, title: str, caption: str) -> Figure:
    """Draw each polygon's share of right pixels, the best first; a dot's area is its pixels."""
    right, pixels = np.asarray(right), np.asarray(pixels)
    order = np.argsort(-right, kind="stable")
    fig, ax = plt.subplots(figsize=(WIDTH, 3.8), layout="constrained")
    ax.scatter(np.arange(len(right)), right[order], s=pixels[order] / 6 + 6, alpha=0.5,
               color=[style.OURS if r > 0.5 else style.ACCENT for r in right[order]], linewidths=0)
    ax.set(xlabel="reference polygons, the best first (dot area: number of pixels)",
           ylabel="share of its pixels right", ylim=(-0.06, 1.08), xlim=(-4, len(right) + 3))
    _per_cent(ax.yaxis)
    style.light_grid(ax, "y")
    return verdict(fig, title, caption)


@style.styled
def shares(table: pd.DataFrame, title: str, caption: str, xlabel: str) -> Figure:
    """Draw two grouped bars per row, one for each of the two columns."""
    fig, ax = plt.subplots(figsize=(WIDTH, 0.46 * len(table) + 1.9), layout="constrained")
    rows = np.arange(len(table))
    looks = ((-0.19, style.ACCENT), (0.19, style.PUBLISHED))
    for name, (shift, colour) in zip(table, looks, strict=True):
        ax.barh(rows + shift, table[name], height=0.36, color=colour, label=name)
        for row, value in zip(rows + shift, table[name], strict=True):
            style.beside(ax, f"{value:.1%}", (value, row), (4, 0), va="center", fontsize=8,
                         color=style.QUIET)
    style.row_names(ax, table.index)
    ax.legend(loc="lower right", fontsize=9.5)
    ax.set(xlabel=xlabel, xlim=(0, table.to_numpy().max() * 1.1))
    _per_cent(ax.xaxis)
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    return verdict(fig, title, caption)


@style.styled
def states(draw: Callable[..., None], values: Sequence[Mapping[str, float]], title: str,
           caption: str) -> Figure:
    """Draw some states of a figure with sliders side by side: what is seen where nothing moves.

    Parameters
    ----------
    draw : callable
        Draws on axes, given first, and names what it shows in their title (see :func:`play`).
    values : sequence of mapping of str to float
        The sliders' values in each state.
    """
    fig, axes = plt.subplots(1, len(values), figsize=(1.3 * WIDTH, 3.4), layout="constrained",
                             sharex=True, sharey=True)
    for ax, state in zip(axes, values, strict=True):
        draw(ax, **state)
        ax.set_title("\n".join(f"{label(k)}: {v:g}" for k, v in state.items())
                     + f"\n{ax.get_title(loc='left')}", fontsize=9.5)
    return verdict(fig, title, caption)


def play(draw: Callable[..., None], **sliders: tuple[float, float, float]) -> None:
    """Show sliders, named in words, below what they draw.

    Needs ipywidgets and somebody to move them: a run of ``make reproduce`` (``LULC_OUTPUT`` is
    set) leaves them out, and the picture of :func:`states` stands for them.

    Parameters
    ----------
    draw : callable
        Draws on axes, given first; the others are the sliders' values.
    **sliders : tuple of three floats
        Lowest and highest value, and the step; whole numbers give whole numbers.
    """
    if "LULC_OUTPUT" in os.environ:
        return
    from IPython.display import Image, display
    from ipywidgets import FloatSlider, IntSlider, Layout, VBox, interactive_output

    controls = {}
    for key, (low, high, step) in sliders.items():
        kind = IntSlider if all(isinstance(v, int) for v in (low, high, step)) else FloatSlider
        controls[key] = kind(
            value=low + (high - low) // step // 2 * step, min=low, max=high, step=step,
            description=label(key), layout=Layout(width="min(95%, 34em)"),
            style={"description_width": "initial"})

    def drawn(**values: float) -> None:
        display(Image(_png(draw, values)))

    display(VBox([*controls.values(), interactive_output(drawn, controls)]))


@style.styled
def _png(draw: Callable[..., None], values: Mapping[str, float]) -> bytes:
    """Draw one state of a figure with sliders."""
    fig, ax = plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    draw(ax, **values)
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=style.SCREEN_DPI)
    plt.close(fig)
    return buffer.getvalue()


def play_mean_acc(ax: Axes, overall_accuracy: float, classes: int) -> None:
    """Draw overall accuracy and mean per-class ACC of a map with any number of classes."""
    mean = 1 - 2 * (1 - overall_accuracy) / classes
    bars_on(ax, {"overall accuracy": overall_accuracy, "mean per-class ACC": mean}, "share",
            accent=["mean per-class ACC"])
    ax.set_title(f"mean ACC is {100 * (mean - overall_accuracy):.0f} points above OA")


def play_clusters(ax: Axes, pixels_per_polygon: int, similarity: float) -> None:
    """Draw the width of OA's 95 % interval by the size of the polygons (1–400 pixels).

    ``similarity`` is the correlation of right and wrong between two pixels of one polygon; the
    design effect is 1 + (pixels per polygon − 1) × similarity (Kish 1965).
    """
    sizes = np.arange(1, 401)
    half = 1.96 * np.sqrt(OA * (1 - OA) / PIXELS * (1 + (sizes - 1) * similarity))
    here = half[pixels_per_polygon - 1]
    ax.plot(sizes, half, color=style.OURS)
    ax.plot(pixels_per_polygon, here, "o", color=style.ACCENT, markersize=9)
    ax.set(xlim=(0, 400), ylim=(0, 0.05), xlabel="pixels per polygon", ylabel="± of the OA")
    _per_cent(ax.yaxis)
    worth = PIXELS / (1 + (pixels_per_polygon - 1) * similarity)
    ax.set_title(f"OA ± {100 * here:.1f} points, as from {worth:,.0f} pixels apart")


def _spot(ax: Axes, x: float, y: float, text: str, colour: str) -> None:
    """Draw a dot with its text at the right, on white where lines would run through it."""
    ax.plot(x, y, "o", color=colour, markersize=8)
    style.beside(ax, text, (x, y), (9, -3), va="center", fontsize=9.5, color=colour,
                 bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})


def _per_cent(*axes: Axis) -> None:
    for axis in axes:
        low, high = sorted(axis.get_view_interval())
        close = high - low < 0.02  # ticks nearer than one per cent need decimals
        axis.set_major_formatter(PercentFormatter(1, decimals=None if close else 0))


def _shares_along(ax: Axes) -> None:
    """Per cent along x; along y the rows' names in ink, without ticks or a line."""
    _per_cent(ax.xaxis)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.tick_params(axis="y", length=0, labelcolor=style.INK)
    ax.spines["left"].set_visible(False)
    ax.set_axisbelow(True)
