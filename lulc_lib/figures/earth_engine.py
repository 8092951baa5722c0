"""Figures of notebook 03: the workflow, the points, accuracy by draw and by class, the maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from lulc_lib import legend
from lulc_lib.figures import style

SHADES = ("#7a63a8", "#1f7a5c", "#c2691c")
"""Colours of the classifiers, in their order."""
BOX_WIDTH, BOX_HEIGHT = 1.55, 0.62


@style.styled
def workflow_chart(
    boxes: Mapping[str, tuple[float, float, str]], arrows: Sequence[tuple[str, str]],
    title: str, caption: str,
) -> Figure:
    """Show the steps as boxes with their counts, left to right (paper, Figure 10).

    Parameters
    ----------
    boxes : mapping of str to (column, row, str)
        The name, which is the first line, to its place (rows from the top) and a second line.
    arrows : sequence of (str, str)
        Names, from and to.
    """
    columns = max(c for c, _, _ in boxes.values()) + 1
    rows = max(r for _, r, _ in boxes.values()) + 1
    fig, ax = plt.subplots(figsize=(2.15 * columns, 1.05 * rows + 0.9), layout="constrained")
    places = {name: (2 * column, -row) for name, (column, row, _) in boxes.items()}
    for name, (x, y) in places.items():
        ax.add_patch(FancyBboxPatch(
            (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2), BOX_WIDTH, BOX_HEIGHT, edgecolor=style.QUIET,
            boxstyle="round,pad=0.03,rounding_size=0.06", facecolor="#eef3f6", linewidth=1))
        ax.text(x, y + 0.11, name, ha="center", va="center", fontsize=9.5, fontweight="bold")
        ax.text(x, y - 0.13, boxes[name][2], ha="center", va="center", fontsize=8.5)
    for start, end in arrows:
        (x0, y0), (x1, y1) = places[start], places[end]
        ax.annotate("", (x1 - BOX_WIDTH / 2 - 0.05, y1), (x0 + BOX_WIDTH / 2 + 0.05, y0),
                    arrowprops={"arrowstyle": "-|>", "color": style.QUIET, "linewidth": 1.2})
    ax.set(xlim=(-0.9, 2 * columns - 1.1), ylim=(-rows + 0.55, 0.45))
    ax.axis("off")
    return style.titled(fig, title, caption)


@style.styled
def points_map(
    scene: xr.DataArray, sides: Mapping[str, gpd.GeoDataFrame], title: str, caption: str
) -> Figure:
    """Show the points of each side over the greyed scene, in the colour of their class.

    Parameters
    ----------
    sides : mapping of str to GeoDataFrame
        Panel title to points with column ``code``, in the scene's CRS.
    """
    fig, axes = plt.subplots(1, len(sides) + 1, figsize=(5.4 * len(sides) + 2, 5.9),
                             layout="constrained", width_ratios=[*[1] * len(sides), 0.34])
    for ax, (name, points) in zip(axes, sides.items(), strict=False):
        style.show_grey(ax, scene, darkest=0.62, contrast=0.38)
        for code in sorted(points.code.unique()):
            place = points.geometry[points.code == code]
            ax.scatter(place.x / 1000, place.y / 1000, s=15, color=legend.COLOURS[code],
                       edgecolors=style.INK, linewidths=0.5)
        ax.set_title(name)
        style.frame(ax)
    style.scale_bar(axes[0], 1000)
    codes = sorted({int(c) for points in sides.values() for c in points.code})
    style.class_key(axes[-1], codes)
    return style.titled(fig, title, caption)


@style.styled
def accuracy_by_draw(
    drawn: pd.DataFrame, printed: pd.DataFrame, pair: tuple[str, str], title: str, caption: str
) -> Figure:
    """Show overall accuracy of every draw of the points, and the difference of two classifiers.

    Parameters
    ----------
    drawn : DataFrame
        Overall accuracy, one row per draw, one column per classifier.
    printed : DataFrame
        The paper's values: one row per classifier, columns ``estimate``, ``low``, ``high``.
    pair : (str, str)
        The classifiers whose difference is shown, first minus second.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained",
                                      width_ratios=[1.15, 1])
    for place, name in enumerate(drawn):
        values, colour = drawn[name].to_numpy(), SHADES[place]
        left.scatter(values, place + _swarm(values), s=26, color=colour, alpha=0.75, linewidths=0)
        left.plot([values.mean()] * 2, [place - 0.33, place + 0.33], color=colour)
        left.annotate(f"mean {values.mean():.1%}", (values.mean(), place - 0.35), fontsize=8.5,
                      ha="center", va="bottom", color=colour)
        estimate, low, high = printed.loc[name, ["estimate", "low", "high"]]
        style.interval(left, low, high, place + 0.43, style.PUBLISHED, width=3, alpha=0.6)
        left.plot(estimate, place + 0.43, "D", color=style.INK, markersize=5)
        style.beside(left, f"printed {estimate:.1%}", (high, place + 0.43), (5, 0), va="center",
                     fontsize=8.5, color=style.QUIET)
    style.row_names(left, list(drawn))
    left.set(ylim=(drawn.shape[1] - 0.35, -0.6), xlabel="overall accuracy of the test points")
    left.xaxis.set_major_formatter("{x:.0%}")
    style.light_grid(left)
    _differences(right, drawn, printed, pair)
    return style.titled(fig, title, caption)


def _swarm(values: np.ndarray) -> np.ndarray:
    """Small shifts that keep equal values apart: 0, +, −, ++, … in the order of their coming."""
    turn = pd.Series(np.round(values, 3)).groupby(np.round(values, 3)).cumcount().to_numpy()
    return 0.075 * ((turn + 1) // 2) * np.where(turn % 2, 1, -1)


def _differences(
    ax: Axes, drawn: pd.DataFrame, printed: pd.DataFrame, pair: tuple[str, str]
) -> None:
    first, second = pair
    gain = np.sort((drawn[first] - drawn[second]).to_numpy() * 100)
    colours = [SHADES[list(drawn).index(first if g > 0 else second)] for g in gain]
    ax.bar(range(gain.size), gain, color=colours, width=0.75)
    ax.axhline(0, color=style.INK, linewidth=0.9)
    theirs = float(printed.estimate[first] - printed.estimate[second]) * 100
    ax.axhline(theirs, color=style.ACCENT, linewidth=1.2, linestyle="--")
    style.beside(ax, f"printed: {theirs:+.1f} points", (0, theirs), (0, 4), color=style.ACCENT,
                 fontsize=8.5)
    ax.set_ylim(top=max(gain.max(), theirs, 0) + 0.12 * np.ptp([*gain, theirs, 0]))
    ax.set_title(f"{first} minus {second}, same points")
    ax.set(xticks=[], xlabel=f"{gain.size} draws of the points, sorted",
           ylabel="difference of overall accuracy, points")
    ax.margins(x=0.02)
    ax.spines["bottom"].set_visible(False)


@style.styled
def recall_by_class(
    ours: Mapping[str, pd.DataFrame], printed: Mapping[str, pd.DataFrame], title: str, caption: str
) -> Figure:
    """Show producer's accuracy by class, ours over the draws and the printed one, by classifier.

    Parameters
    ----------
    ours, printed : mapping of str to DataFrame
        Classifier to one row per class code, columns ``estimate``, ``low``, ``high`` and, in
        ``printed``, ``support``.
    """
    fig, axes = plt.subplots(1, len(ours), figsize=(4.3 * len(ours) + 1, 5), sharey=True,
                             layout="constrained")
    for place, (ax, (name, table)) in enumerate(zip(axes, ours.items(), strict=True)):
        for row, code in enumerate(table.index):
            for shift, colour, value in ((-0.15, style.PUBLISHED, printed[name].loc[code]),
                                         (0.15, SHADES[place], table.loc[code])):
                style.interval(ax, value.low, value.high, row + shift, colour, width=2.4, alpha=0.6)
                ax.plot(value.estimate, row + shift, "o", color=colour, markersize=5.5)
        ax.set_title(name, color=SHADES[place])
        ax.set(xlim=(-0.02, 1.02), xlabel="producer's accuracy")
        style.light_grid(ax)
    support = next(iter(printed.values())).support
    style.row_names(axes[0], [f"{legend.NAMES[c]}  ({support[c]})" for c in support.index])
    axes[0].invert_yaxis()
    return style.titled(fig, title, caption)


@style.styled
def band_importance(shares: Mapping[str, pd.DataFrame], title: str, caption: str) -> Figure:
    """Show the share of the importance that each band has, over the draws.

    Parameters
    ----------
    shares : mapping of str to DataFrame
        Classifier to one row per draw, one column per band, each row adding up to 1.
    """
    fig, axes = plt.subplots(1, len(shares), figsize=(5.4 * len(shares), 3.9), sharey=True,
                             layout="constrained")
    for place, (ax, (name, table)) in enumerate(zip(axes, shares.items(), strict=True)):
        low, middle, high = table.quantile([0.1, 0.5, 0.9]).to_numpy()
        ax.bar(table.columns, middle, color=SHADES[place], alpha=0.75)
        ax.vlines(range(table.shape[1]), low, high, color=style.INK, linewidth=1.4)
        ax.axhline(1 / table.shape[1], color=style.QUIET, linewidth=0.9, linestyle=":")
        ax.set_title(name, color=SHADES[place])
        ax.set_xlabel("band")
        ax.tick_params(axis="x", length=0, labelcolor=style.INK)
    axes[0].set_ylabel("share of the importance")
    axes[0].yaxis.set_major_formatter("{x:.0%}")
    return style.titled(fig, title, caption)


@style.styled
def maps_beside_reference(
    reference: xr.DataArray, upper: tuple[str, xr.DataArray],
    lower: Mapping[str, xr.DataArray], title: str, caption: str,
) -> Figure:
    """Show the reference and one map above, the maps to compare with it below, over one extent."""
    columns = max(3, len(lower))
    fig, axes = plt.subplots(2, columns, figsize=(4.1 * columns, 9), layout="constrained")
    shown = [("Reference polygons", reference), upper, *lower.items()]
    for ax, (name, codes) in zip([*axes[0][:2], *axes[1]], shown, strict=False):
        style.show_classes(ax, codes)
        ax.set_title(name)
    style.scale_bar(axes[0, 0], 1000)
    for ax in axes[0][2:]:
        ax.axis("off")
    style.class_key(axes[0, 2])
    return style.titled(fig, title, caption)
