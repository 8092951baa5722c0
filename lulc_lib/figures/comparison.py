"""Figures of notebook 06: splits, classifiers by protocol, what each leak and step buys."""

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
from numpy.typing import NDArray

from lulc_lib.figures import style

GREEN, ORANGE = "#4d8c57", "#d98200"
COLOURS = (style.OURS, ORANGE, GREEN, style.ACCENT, style.QUIET, "#7b5ea7", "#1b9aaa", style.INK)
"""Of classifiers, in their order."""

SIDES: dict[str, str] = {"unlabelled": "#f2f2f2", "trained on": style.OURS,
                         "assessed": ORANGE, "labelled, not used": "#c9c9c9"}
"""What a labelled pixel is used for, in the order of the codes 0 … 3."""

AGREEMENT: dict[str, str] = {"no reference": "#f7f7f7", "both right": "#cfd8dc",
                             "only the first right": style.OURS,
                             "only the second right": ORANGE, "both wrong": style.INK}
"""Two maps against a reference, in the order of the codes 0 … 4."""

KINDS: dict[str, str] = {"training data": style.OURS, "architecture": ORANGE,
                         "normalisation": GREEN, "test set": style.QUIET, "leak": style.ACCENT}
"""What a step changes."""


def _coded(ax: Axes, codes: NDArray[np.integer], colours: Mapping[str, str]) -> None:
    ax.imshow(codes, cmap=ListedColormap(list(colours.values())), vmin=-0.5,
              vmax=len(colours) - 0.5)
    style.frame(ax)


def _key(fig: Figure, colours: Mapping[str, str]) -> None:
    handles = [Patch(facecolor=c, edgecolor=style.QUIET, linewidth=0.5, label=n)
               for n, c in colours.items()]
    fig.legend(handles=handles, loc="outside right center", fontsize=9)


@style.styled
def splits(sides: Mapping[str, NDArray[np.integer]], grid: xr.DataArray, title: str, caption: str
           ) -> Figure:
    """Draw what each protocol trains on and assesses.

    Parameters
    ----------
    sides : mapping of str to array
        Protocol to (row, col) codes of :data:`SIDES`.
    grid : DataArray, (y, x)
        Where the arrays lie.
    """
    fig, axes = style.panels(len(sides), min(len(sides), 4), panel=2.9)
    for ax, (name, codes) in zip(axes, sides.items(), strict=True):
        ax.imshow(codes, cmap=ListedColormap(list(SIDES.values())), vmin=-0.5,
                  vmax=len(SIDES) - 0.5, extent=style.extent_km(grid))
        style.frame(ax)
        ax.set_title(name)
    style.scale_bar(axes[0], 1000)
    _key(fig, SIDES)
    return style.titled(fig, title, caption)


def _row(ax: Axes, at: float, values: Sequence[float], colour: str, label: str | None = None,
         digits: bool = True) -> None:
    estimate, low, high = values
    style.interval(ax, low, high, at, colour, 3, 0.45)
    ax.plot(estimate, at, "o", color=colour, markersize=6, label=label)
    if digits:
        style.beside(ax, f"{estimate:.2f}", (high, at), (4, 0), va="center", fontsize=7.5,
                     color=colour)


@style.styled
def side_by_side(table: pd.DataFrame, score: str, label: str, title: str, caption: str) -> Figure:
    """Draw a score of a few classifiers under every protocol.

    Parameters
    ----------
    table : DataFrame
        Columns ``protocol``, ``model`` (both in the order wanted) and ``score``, whose cells are
        [estimate, low, high].
    score, label : str
        Column, and name of the axis.
    """
    protocols, models = list(dict.fromkeys(table.protocol)), list(dict.fromkeys(table.model))
    fig, ax = plt.subplots(figsize=(9.5, 0.62 * len(protocols) + 1.9), layout="constrained")
    for number, model in enumerate(models):
        rows = table[table.model == model]
        for first, row in enumerate(rows.itertuples()):
            at = protocols.index(row.protocol) + 0.22 * (number - (len(models) - 1) / 2)
            _row(ax, at, getattr(row, score), COLOURS[number], None if first else model)
    style.row_names(ax, protocols)
    ax.invert_yaxis()
    ax.set_xlabel(label)
    style.light_grid(ax)
    fig.legend(loc="outside right center", fontsize=9)
    return style.titled(fig, title, caption)


@style.styled
def scores(table: pd.DataFrame, panels: Mapping[str, str], title: str, caption: str) -> Figure:
    """Draw several scores of every classifier under one protocol.

    Parameters
    ----------
    table : DataFrame
        Classifier to columns of [estimate, low, high].
    panels : mapping of str to str
        Column to name of its axis.
    """
    fig, axes = plt.subplots(1, len(panels), figsize=(12, 0.36 * len(table) + 1.7),
                             layout="constrained", sharey=True)
    for ax, (column, label) in zip(axes, panels.items(), strict=True):
        for at, values in enumerate(table[column]):
            _row(ax, at, values, style.OURS)
        ax.set_xlabel(label)
        style.light_grid(ax)
    style.row_names(axes[0], list(table.index))
    axes[0].invert_yaxis()
    return style.titled(fig, title, caption)


@style.styled
def pairwise(table: pd.DataFrame, order: Sequence[str], label: str, title: str, caption: str
             ) -> Figure:
    """Draw differences of every two classifiers (row − column); bold where Holm leaves p < 0.05.

    Parameters
    ----------
    table : DataFrame
        Columns ``protocol, a, b, difference, p_holm``.
    order : sequence of str
        Classifiers, in rows and columns.
    """
    protocols = list(dict.fromkeys(table.protocol))
    fig, axes = style.panels(len(protocols), 2, panel=5.6, aspect=0.72)
    for ax, protocol in zip(axes, protocols, strict=True):
        some = table[table.protocol == protocol]
        shown = [m for m in order if m in {*some.a, *some.b}]
        grid = np.full((len(shown), len(shown)), np.nan)
        for row in some.itertuples():
            i, j = shown.index(row.a), shown.index(row.b)
            for r, c, sign in ((i, j, 1), (j, i, -1)):
                grid[r, c] = sign * row.difference
                sure = row.p_holm < 0.05
                ax.text(c, r, f"{sign * row.difference:+.2f}", ha="center", va="center",
                        fontsize=8, fontweight="bold" if sure else "normal",
                        color=style.INK if sure else style.QUIET)
        image = ax.imshow(grid, cmap="RdBu", vmin=-0.5, vmax=0.5, alpha=0.75, aspect="auto")
        ax.set_xticks(range(len(shown)), shown, rotation=30, ha="right", fontsize=8)
        ax.set_yticks(range(len(shown)), shown, fontsize=8)
        ax.set_title(protocol)
    fig.colorbar(image, ax=axes, shrink=0.6, label=label)
    return style.titled(fig, title, caption)


@style.styled
def critical_difference(ranks: Mapping[str, float], difference: float, title: str, caption: str
                        ) -> Figure:
    """Draw mean ranks on a line; a bar joins those that Nemenyi's test does not tell apart.

    Parameters
    ----------
    ranks : mapping of str to float
        Classifier to mean rank, 1 the best.
    difference : float
        Mean ranks that are further apart differ.
    """
    order = sorted(ranks, key=ranks.__getitem__)
    fig, ax = plt.subplots(figsize=(9.5, 0.33 * len(order) + 2.1), layout="constrained")
    half = (len(order) + 1) // 2
    for number, name in enumerate(order):
        left = number < half
        level = -1.1 - 0.55 * (number if left else len(order) - 1 - number)
        edge = 0.6 if left else len(order) + 0.4
        ax.plot([ranks[name], ranks[name], edge], [0, level, level], color=style.QUIET, linewidth=1)
        ax.plot(ranks[name], 0, "o", color=style.OURS)
        ax.text(edge, level, f" {name} ({ranks[name]:.2f}) ", ha="right" if left else "left",
                va="center", fontsize=9)
    groups = [[n for n in order if 0 <= ranks[n] - ranks[first] <= difference] for first in order]
    groups = [g for k, g in enumerate(groups) if len(g) > 1
              and not any(set(g) <= set(other) for other in groups[:k])]
    for number, group in enumerate(groups):
        ax.plot([ranks[group[0]] - 0.04, ranks[group[-1]] + 0.04], [-0.25 - 0.17 * number] * 2,
                color=style.INK, linewidth=3.5, solid_capstyle="butt")
    ax.plot([1, 1 + difference], [0.75, 0.75], color=style.ACCENT, linewidth=3)
    ax.text(1 + difference / 2, 0.85, f"critical difference {difference:.2f}", ha="center",
            va="bottom", fontsize=9, color=style.ACCENT)
    ax.plot([1, len(order)], [0, 0], color=style.INK, linewidth=1)
    for rank in range(1, len(order) + 1):
        ax.text(rank, 0.12, str(rank), ha="center", va="bottom", fontsize=9)
    ax.set(xlim=(-2.2, len(order) + 3.2), ylim=(-1.5 - 0.55 * half, 1.5))
    ax.axis("off")
    return style.titled(fig, title, caption)


@style.styled
def waterfall(steps: pd.DataFrame, label: str, ends: Mapping[str, float], title: str, caption: str
              ) -> Figure:
    """Draw the way from one accuracy to another, a change at a time.

    Parameters
    ----------
    steps : DataFrame
        Columns ``step``, ``kind`` (a key of :data:`KINDS`, ``start`` for the first) and ``value``,
        [estimate, low, high], the accuracy after the step.
    ends : mapping of str to float
        Accuracies to be marked by a vertical line, by name.
    """
    fig, ax = plt.subplots(figsize=(10.5, 0.42 * len(steps) + 1.9), layout="constrained")
    before = None
    for at, row in enumerate(steps.itertuples()):
        estimate, low, high = row.value
        colour = KINDS.get(row.kind, style.INK)
        if before is not None:
            ax.barh(at, estimate - before, left=before, color=colour, height=0.55, alpha=0.85)
            ax.plot([before, before], [at - 1, at], color=style.QUIET, linewidth=0.8)
            style.beside(ax, f"{100 * (estimate - before):+.1f}", (max(estimate, before), at),
                         (5, 2), va="bottom", fontsize=9, fontweight="bold", color=colour)
        style.interval(ax, low, high, at, style.INK, 1, 0.6)
        ax.plot(estimate, at, "|", color=style.INK, markersize=11)
        before = estimate
    for number, (name, value) in enumerate(ends.items()):
        ax.axvline(value, color=style.QUIET, linestyle=":", linewidth=1.2)
        ax.text(value, -0.75 - 0.45 * (number % 2), f" {name} {value:.3f} ",
                ha="right", fontsize=8.5, color=style.QUIET)
    style.row_names(ax, list(steps.step))
    ax.set_ylim(len(steps) - 0.5, -1.6)
    ax.set_xlabel(label)
    style.light_grid(ax)
    used = {k: c for k, c in KINDS.items() if k in set(steps.kind)}
    fig.legend(handles=[Patch(color=c, label=k) for k, c in used.items()],
               loc="outside right center", fontsize=9)
    return style.titled(fig, title, caption)


@style.styled
def cost(table: pd.DataFrame, title: str, caption: str) -> Figure:
    """Draw accuracy against seconds of training and against parameters.

    Parameters
    ----------
    table : DataFrame
        Classifier to ``cpu_seconds``, ``parameters``, ``network`` (bool) and ``score``.
    """
    fig, axes = plt.subplots(1, 2, figsize=(11.5, 5.4), layout="constrained", sharey=True)
    columns = {"cpu_seconds": "seconds of training on a CPU core, log scale",
               "parameters": "parameters (weights, nodes, thresholds), log scale"}
    table = table.sort_values("score", ascending=False)
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        for number, (name, row) in enumerate(table.iterrows(), 1):
            look = {"marker": "s", "color": ORANGE} if row.network else {
                "marker": "o", "color": style.OURS}
            ax.plot(row[column], row.score, **look, markersize=13, linestyle="none",
                    markeredgecolor="white",
                    label=f"{number}  {name}")
            ax.annotate(str(number), (row[column], row.score), ha="center", va="center",
                        color="white", fontsize=8, fontweight="bold")
        ax.set_xscale("log")
        ax.margins(x=0.1, y=0.1)
        ax.set_xlabel(label)
        style.light_grid(ax, "both")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=9,
               markerscale=0.6, labelspacing=0.5, frameon=False)
    axes[0].set_ylabel("macro F1, season and place out")
    return style.titled(fig, title, caption)


@style.styled
def disagreement(maps: Mapping[str, xr.DataArray], reference: xr.DataArray, title: str,
                 caption: str) -> Figure:
    """Draw two class maps and, against the reference, who is right where.

    Parameters
    ----------
    maps : mapping of str to DataArray, (y, x) uint8 legend codes
        Two maps by name.
    reference : DataArray, (y, x) uint8 legend codes
        NO_DATA where there is none.
    """
    first, second = maps.values()
    truth = reference.values
    right = [m.values == truth for m in (first, second)]
    codes = np.where(truth == 0, 0, np.select(
        [right[0] & right[1], right[0], right[1]], [1, 2, 3], 4))
    fig, axes = plt.subplots(1, 4, figsize=(13.5, 4.7), layout="constrained",
                             width_ratios=(1, 1, 1, 0.75))
    for ax, (name, one) in zip(axes, maps.items(), strict=False):
        style.show_classes(ax, one)
        ax.set_title(name)
    names = dict(zip(("only the first right", "only the second right"), maps, strict=True))
    _coded(axes[2], codes, AGREEMENT)
    axes[2].set_title("who is right")
    style.scale_bar(axes[0], 1000)
    labels = {(f"only {names[k]} right" if k in names else k): c for k, c in AGREEMENT.items()}
    shares = np.bincount(codes[codes > 0], minlength=5) / max((codes > 0).sum(), 1)
    key = [Patch(facecolor=c, edgecolor=style.QUIET, label=n if not k else f"{n}: {shares[k]:.1%}")
           for k, (n, c) in enumerate(labels.items())]
    style.class_key(axes[3], style.shown_classes(axes[0]), extra=key)
    return style.titled(fig, title, caption)
