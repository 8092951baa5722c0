"""Figures of notebook 03: workflow, points, accuracy by draw, unit and class, importance, maps."""

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
from matplotlib.ticker import MultipleLocator

from lulc_lib import legend
from lulc_lib.figures import style

SHADES = ("#7a63a8", "#1f7a5c", "#c2691c")
"""Colours of the classifiers, in their order."""
BOX_WIDTH, BOX_HEIGHT = 1.55, 0.62


@style.styled
def workflow_chart(boxes: Mapping[str, tuple[float, float, str]], arrows: Sequence[tuple[str, str]],
                   title: str, caption: str) -> Figure:
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
    fig, ax = plt.subplots(figsize=(2.15 * columns, 1.05 * rows + 0.9))
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
def points_map(scene: xr.DataArray, sides: Mapping[str, gpd.GeoDataFrame], title: str, caption: str
               ) -> Figure:
    """Show the points of each side over the greyed scene, in the colour of their class.

    Parameters
    ----------
    sides : mapping of str to GeoDataFrame
        Panel title to points with column ``code``, in the scene's CRS.
    """
    fig, axes = plt.subplots(1, len(sides) + 1, figsize=(5.4 * len(sides) + 2, 5.9),
                             width_ratios=[*[1] * len(sides), 0.34])
    for ax, (name, points) in zip(axes, sides.items(), strict=False):
        style.show_grey(ax, scene, darkest=0.62, contrast=0.38)
        for code in sorted(points.code.unique()):
            place = points.geometry[points.code == code]
            ax.scatter(place.x / 1000, place.y / 1000, s=15, color=legend.COLOURS[code],
                       edgecolors=style.INK, linewidths=0.5)
        style.frame(ax, title=name)
    style.scale_bar(axes[0], 1000)
    codes = sorted({int(c) for points in sides.values() for c in points.code})
    style.class_key(axes[-1], codes)
    return style.titled(fig, title, caption)


@style.styled
def accuracy_by_draw(drawn: pd.DataFrame, printed: pd.DataFrame, pair: tuple[str, str], title: str,
                     caption: str) -> Figure:
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
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), width_ratios=[1.15, 1])
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
    left.xaxis.set_major_locator(MultipleLocator(0.05))
    left.xaxis.set_major_formatter("{x:.0%}")
    style.light_grid(left)
    _differences(right, drawn, printed, pair)
    return style.titled(fig, title, caption)


def _swarm(values: np.ndarray) -> np.ndarray:
    """Small shifts that keep equal values apart: 0, +, −, ++, … in the order of their coming."""
    turn = pd.Series(np.round(values, 3)).groupby(np.round(values, 3)).cumcount().to_numpy()
    return 0.075 * ((turn + 1) // 2) * np.where(turn % 2, 1, -1)


def _differences(ax: Axes, drawn: pd.DataFrame, printed: pd.DataFrame, pair: tuple[str, str]
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
def recall_by_class(ours: Mapping[str, pd.DataFrame], printed: Mapping[str, pd.DataFrame],
                    title: str, caption: str) -> Figure:
    """Show producer's accuracy by class, ours over the draws and the printed one, by classifier.

    Parameters
    ----------
    ours, printed : mapping of str to DataFrame
        Classifier to one row per class code, columns ``estimate``, ``low``, ``high`` and, in
        ``printed``, ``support``.
    """
    fig, axes = plt.subplots(1, len(ours), figsize=(4.3 * len(ours) + 1, 5), sharey=True)
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
def accuracy_by_unit(drawn: Mapping[str, pd.DataFrame], printed: pd.DataFrame, title: str,
                     caption: str) -> Figure:
    """Show overall accuracy of every draw by the unit of the bands, a panel per classifier.

    Parameters
    ----------
    drawn : mapping of str to DataFrame
        Unit to overall accuracy, one row per draw, one column per classifier.
    printed : DataFrame
        The paper's values: one row per classifier, column ``estimate``.
    """
    names = list(next(iter(drawn.values())))
    fig, axes = plt.subplots(1, len(names), figsize=(4.1 * len(names), 3.7), sharex=True,
                             sharey=True)
    for ax, name, colour in zip(axes, names, SHADES, strict=True):
        for row, table in enumerate(drawn.values()):
            values = table[name].to_numpy()
            ax.scatter(values, row + 0.7 * _swarm(values), s=16, color=colour, alpha=0.7,
                       linewidths=0)
            ax.plot([values.mean()] * 2, [row - 0.3, row + 0.3], color=style.INK, linewidth=1.6)
        ax.axvline(printed.estimate[name], color=style.ACCENT, linewidth=1.2, linestyle="--")
        ax.set_title(f"{name}; printed {printed.estimate[name]:.1%}", color=colour)
        ax.set_xlabel("overall accuracy")
        ax.xaxis.set_major_formatter("{x:.0%}")
        style.light_grid(ax)
    style.row_names(axes[0], list(drawn))
    axes[0].invert_yaxis()
    return style.titled(fig, title, caption)


@style.styled
def importance_by_order(importance: Mapping[str, Mapping[str, pd.DataFrame]],
                        permutation: Mapping[str, Mapping[str, pd.DataFrame]], title: str,
                        caption: str) -> Figure:
    """Show importance and permutation importance by band, for several orders of the band list.

    Parameters
    ----------
    importance, permutation : mapping of str to mapping of str to DataFrame
        Classifier to order of the list to one row per draw and one column per band: shares of the
        importance; accuracy lost when the band's values are shuffled among the test points.
    """
    fig, axes = plt.subplots(len(importance), 2, figsize=(12, 2.9 * len(importance) + 0.9),
                             sharex=True)
    columns = (("share of the importance", importance), ("accuracy lost by shuffling", permutation))
    for row, (name, colour) in enumerate(zip(importance, SHADES, strict=False)):
        for ax, (measure, tables) in zip(axes[row], columns, strict=True):
            _bars_by_order(ax, tables[name], colour)
            ax.set_title(f"{name}: {measure}", color=colour)
            ax.yaxis.set_major_formatter("{x:.0%}")
            ax.legend(loc="upper center", ncols=2, frameon=False, fontsize=8.5)
            ax.set_ylim(top=1.18 * ax.get_ylim()[1])
    for ax in axes[-1]:
        ax.set_xlabel("band, in the order of the paper's list")
    return style.titled(fig, title, caption)


def _bars_by_order(ax: Axes, tables: Mapping[str, pd.DataFrame], colour: str) -> None:
    """Draw a bar for each band and order: median, and a line from 10 to 90 %."""
    width = 0.8 / len(tables)
    for k, (order, table) in enumerate(tables.items()):
        low, middle, high = table.quantile([0.1, 0.5, 0.9]).to_numpy()
        at = np.arange(table.shape[1]) + (k - (len(tables) - 1) / 2) * width
        ax.bar(at, middle, 0.92 * width, label=order, edgecolor=colour,
               facecolor="white" if k else colour, hatch="////" if k else None, linewidth=0.9)
        ax.vlines(at, low, high, color=style.INK, linewidth=1.1)
    bands = list(next(iter(tables.values())))
    ax.set_xticks(range(len(bands)), bands)
    ax.tick_params(axis="x", length=0, labelcolor=style.INK)
    ax.axhline(0, color=style.INK, linewidth=0.8)


@style.styled
def maps_beside_reference(reference: xr.DataArray, upper: tuple[str, xr.DataArray],
                          lower: Mapping[str, xr.DataArray], title: str, caption: str) -> Figure:
    """Show the reference and one map above, the maps to compare with it below, over one extent."""
    columns = max(3, len(lower))
    fig, axes = plt.subplots(2, columns, figsize=(4.1 * columns, 9))
    shown = [("Reference polygons", reference), upper, *lower.items()]
    for ax, (name, codes) in zip([*axes[0][:2], *axes[1]], shown, strict=False):
        style.show_classes(ax, codes, title=name)
    style.scale_bar(axes[0, 0], 1000)
    for ax in axes[0][2:]:
        ax.axis("off")
    style.class_key(axes[0, 2])
    return style.titled(fig, title, caption)


@style.styled
def split_maps(scene: xr.DataArray, left: tuple[str, xr.DataArray], right: tuple[str, xr.DataArray],
               title: str, caption: str) -> Figure:
    """Show what the interactive map shows: two maps left and right of a divider, and the scene."""
    fig, axes = plt.subplots(1, 3, figsize=(12.5, 5), width_ratios=(1, 1, 0.55))
    width = left[1].shape[1]
    on_left = np.broadcast_to(np.arange(width) < width // 2, left[1].shape)
    for (_, codes), part in ((left, on_left), (right, ~on_left)):
        style.show_classes(axes[0], codes, part)
    west, east, *_ = style.extent_km(left[1])
    axes[0].axvline((west + east) / 2, color=style.INK, linewidth=2)
    axes[0].set_title(f"{left[0]} | {right[0]}")
    style.show_false_colour(axes[1], scene, title="Scene")
    style.scale_bar(axes[1], 1000)
    style.class_key(axes[2], style.shown_classes(axes[0]))
    return style.titled(fig, title, caption)
