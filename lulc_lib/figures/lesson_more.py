"""Figures of the lesson (notebook 05) with a shape of their own, and its sliders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.core.getipython import get_ipython
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from lulc_lib.figures.lesson import GRID, WIDTH, bars, verdict
from lulc_lib.figures.style import ACCENT, INK, OURS, PUBLISHED, QUIET, styled

SECOND = "#e69f00"


def play(draw: Callable[..., Figure], **sliders: Any) -> None:
    """Sliders for a figure function where a person sits at the notebook, else one line of text.

    ``sliders`` are what ``ipywidgets.interact`` takes: (low, high, step), or a list to choose from.
    An unattended run (papermill, nbval) cannot be asked anything and gets no widget, so that a
    committed notebook holds none.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if not getattr(kernel, "_allow_stdin", False):
        print(f"Run this cell in JupyterLab to move: {', '.join(sliders)}.")
        return
    from ipywidgets import interact

    def drawn(**values: Any) -> None:
        draw(**values)
        plt.show()

    interact(drawn, **sliders)


def play_mean_acc(overall_accuracy: float, classes: int) -> Figure:
    """Overall accuracy and mean per-class ACC of a map with any number of classes."""
    mean = 1 - 2 * (1 - overall_accuracy) / classes
    return bars({"overall accuracy": overall_accuracy, "mean per-class ACC": mean},
                f"{classes} classes: mean ACC is {mean - overall_accuracy:.0%} above OA",
                "Mean ACC = 1 − 2 (1 − OA) / K.", "share", accent=["mean per-class ACC"])


@styled
def play_clusters(pixels_per_polygon: int, similarity: float) -> Figure:
    """Width of the 95 % interval of an OA of 95 % from 38,400 pixels in polygons of one size.

    ``similarity``: correlation of right and wrong between two pixels of one polygon, 0–1.
    """
    pixels, oa = 38_400, 0.95
    sizes = np.arange(1, 401)
    half = 1.96 * np.sqrt(oa * (1 - oa) / pixels * (1 + (sizes - 1) * similarity))
    fig, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    ax.plot(sizes, half, color=OURS)
    here = half[pixels_per_polygon - 1]
    ax.plot(pixels_per_polygon, here, "o", color=ACCENT, markersize=9)
    ax.set(xlim=(0, 400), ylim=(0, 0.05), xlabel="pixels per polygon", ylabel="± of the OA")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    worth = pixels / (1 + (pixels_per_polygon - 1) * similarity)
    return verdict(fig, f"OA 95 % ± {here:.1%}: {pixels:,} pixels are worth {worth:,.0f} points",
                   "Design effect = 1 + (pixels per polygon − 1) × similarity (Kish 1965).")


@styled
def kappa_against_oa(table: pd.DataFrame, title: str, caption: str, named: Sequence[str]) -> Figure:
    """Kappa against overall accuracy, one dot per map; ``table``: columns ``oa``, ``kappa``."""
    fig, ax = plt.subplots(figsize=(WIDTH * 0.75, 4.6), layout="constrained")
    slope, base = np.polyfit(table.oa, table.kappa, 1)
    ends = np.array([table.oa.min() - 0.02, table.oa.max() + 0.01])
    ax.plot(ends, base + slope * ends, color=PUBLISHED, linewidth=1)
    ax.plot(table.oa, table.kappa, "o", color=ACCENT, markersize=8, alpha=0.75)
    for name in named:
        ax.annotate(name, tuple(table.loc[name]), xytext=(10, -3), textcoords="offset points",
                    va="top", fontsize=9)
    ax.set(xlabel="overall accuracy", ylabel="kappa", xlim=(ends[0], 1.02))
    ax.grid(color=GRID, linewidth=0.7)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return verdict(fig, title, caption)


@styled
def disagreements(table: pd.DataFrame, title: str, caption: str) -> Figure:
    """Error of each map split in two: columns ``quantity`` and ``allocation`` (shares)."""
    fig, ax = plt.subplots(figsize=(WIDTH, 0.55 * len(table) + 1.6), layout="constrained")
    left = np.zeros(len(table))
    for name, colour, ink in (("quantity", OURS, "white"), ("allocation", SECOND, INK)):
        ax.barh(table.index, table[name], left=left, color=colour, height=0.62, label=name)
        for row, (start, value) in enumerate(zip(left, table[name], strict=True)):
            ax.text(start + value / 2, row, f"{value:.1%}", ha="center", va="center", color=ink,
                    fontsize=8.5)
        left += table[name].to_numpy()
    ax.legend(loc="upper right", fontsize=9.5)
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.set(xlim=(0, left.max() * 1.05), xlabel="wrong share of the judged pixels or points")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.invert_yaxis()
    return verdict(fig, title, caption)


@styled
def polygon_shares(right: ArrayLike, pixels: ArrayLike, title: str, caption: str) -> Figure:
    """How many polygons have which share of their pixels right.

    ``right``: share of right pixels per polygon; ``pixels``: its size, shown as a dot's area.
    """
    right, pixels = np.asarray(right), np.asarray(pixels)
    order = np.argsort(-right, kind="stable")
    fig, ax = plt.subplots(figsize=(WIDTH, 3.8), layout="constrained")
    ax.scatter(np.arange(len(right)), right[order], s=pixels[order] / 6 + 6, alpha=0.5,
               color=[OURS if r > 0.5 else ACCENT for r in right[order]], linewidths=0)
    ax.set(xlabel="reference polygons, the best first (dot area: number of pixels)",
           ylabel="share of its pixels right", ylim=(-0.06, 1.08), xlim=(-4, len(right) + 3))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="y", color=GRID, linewidth=0.7)
    ax.set_axisbelow(True)
    return verdict(fig, title, caption)


@styled
def shares(table: pd.DataFrame, title: str, caption: str, xlabel: str) -> Figure:
    """Two grouped bars per row, for shares of two kinds; ``table``: two columns (0–1)."""
    first, second = table.columns
    fig, ax = plt.subplots(figsize=(WIDTH, 0.46 * len(table) + 1.9), layout="constrained")
    rows = np.arange(len(table))
    for shift, name, colour in ((-0.19, first, ACCENT), (0.19, second, PUBLISHED)):
        ax.barh(rows + shift, table[name], height=0.36, color=colour, label=name)
        for row, value in zip(rows + shift, table[name], strict=True):
            ax.annotate(f"{value:.1%}", (value, row), xytext=(4, 0), va="center", fontsize=8,
                        textcoords="offset points", color=QUIET)
    ax.set_yticks(rows, table.index, color=INK)
    ax.legend(loc="lower right", fontsize=9.5)
    ax.set(xlabel=xlabel, xlim=(0, table.to_numpy().max() * 1.1))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    return verdict(fig, title, caption)
