"""Figures of notebook 02: the network, settings compared, training, the map and its errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, pairwise, product
from math import log2
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Patch, Rectangle
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.display_names import label
from lulc_lib.figures import style

ORANGE = "#d98200"
METHODS = (style.OURS, ORANGE, "#4d8c57", style.QUIET)
"""Colours of the methods, in their order."""
AGREES = "#8c8c8c"
SCORES = ("overall_accuracy", "macro_f1", "quarry_f1")
LINES = (("-", "o"), ("--", "s"), (":", "^"))
"""Line and mark of each seed."""


@style.styled
def network(stages: Sequence[Any], title: str, caption: str) -> Figure:
    """Draw a U-Net as boxes whose height is the resolution and whose width the channels.

    Each of ``stages`` is a ``lulc_lib.unet.describe.Stage``, the input first.
    """
    fig, ax = plt.subplots(figsize=(12.5, 6.2))
    shown = [s for s in stages if not s.name.startswith("up")]
    depth = sum(s.name.startswith("encoder") for s in shown)
    place, x = {}, 0.0
    for stage in shown:
        channels, rows, _ = stage.shape
        level = _level(stage.name, depth)
        width, height = 0.16 * log2(channels + 1), 0.35 + 0.9 * rows / shown[0].shape[1]
        y = -1.35 * level
        colour = {shown[0].name: "#b7c9a8", shown[-1].name: "#e3b23c"}.get(stage.name, style.OURS)
        _stage_box(ax, x, y, width, height, stage, colour)
        place[stage.name] = (x, y, width, height)
        x += width + (0.75 if level else 0.62)
    for before, after in pairwise(place.values()):
        step = after[1] - before[1]
        colour = style.ACCENT if step < 0 else ORANGE if step > 0 else style.INK
        _arrow(ax, before, after, before[1], after[1], mutation_scale=11, color=colour,
               linewidth=1.5)
    for level in range(depth):
        left, right = place[f"encoder {level}"], place[f"decoder {level}"]
        y = left[1] + 0.3 * left[3]
        _arrow(ax, left, right, y, y, mutation_scale=10, color=style.QUIET, linewidth=1.1,
               linestyle=(0, (4, 3)))
    ax.set(xlim=(-0.5, x), ylim=(-1.35 * depth - 1.0, 1.3))
    ax.axis("off")
    _network_key(ax, x, -1.35 * depth, stages)
    return style.titled(fig, title, caption)


def _level(name: str, depth: int) -> int:
    """Poolings before a stage."""
    kind, _, number = name.partition(" ")
    return int(number) if kind in ("encoder", "decoder") else depth * (kind == "bottleneck")


def _stage_box(ax: Axes, x: float, y: float, width: float, height: float, stage: Any,
               colour: str) -> None:
    ax.add_patch(Rectangle((x, y - height / 2), width, height, facecolor=colour, alpha=0.85,
                           edgecolor=style.INK, linewidth=0.7))
    channels, rows, cols = stage.shape
    ax.text(x + width / 2, y + height / 2 + 0.05, f"{channels}", ha="center", va="bottom",
            fontsize=9.5, fontweight="bold")
    ax.text(x + width / 2, y - height / 2 - 0.05, f"{stage.name}\n{rows}×{cols}", ha="center",
            va="top", fontsize=8, color=style.QUIET)


def _arrow(ax: Axes, before: Sequence[float], after: Sequence[float], start: float, end: float,
           **look: Any) -> None:
    """Draw an arrow from the right edge of one box to the left edge of another."""
    ax.add_patch(FancyArrowPatch(
        (before[0] + before[2] + 0.03, start), (after[0] - 0.03, end), arrowstyle="-|>",
        shrinkA=0, shrinkB=0, **look))


def _network_key(ax: Axes, right: float, bottom: float, stages: Sequence[Any]) -> None:
    """Say what boxes and arrows stand for, with the layers as the modules name them."""
    by = {s.name: s.layers for s in stages}
    lines = ((style.OURS, f"blue box: {by['encoder 0']}"), (style.ACCENT, "red arrow: MaxPool2×2"),
             (ORANGE, f"orange arrow: {by['up 0']}, "
                      "last row and column repeated where sizes differ"),
             (style.QUIET, "dashed arrow: skip-concat"),
             (style.INK, f"last black arrow: {stages[-1].layers}"))
    for number, (colour, text) in enumerate(lines):
        ax.text(-0.4, bottom + 0.75 - 0.3 * number, text, color=colour, fontsize=9)
    total = sum(s.parameters for s in stages)
    ax.text(right, bottom - 0.45, f"{total:,} parameters", ha="right", fontsize=9.5,
            fontweight="bold")


@style.styled
def pipeline(scene: xr.DataArray, labels: xr.DataArray, inputs: NDArray[np.float32],
             targets: NDArray[np.uint8], class_map: xr.DataArray, counts: Mapping[str, str],
             title: str, caption: str) -> Figure:
    """Show the data flow from scenes and labels over patches to a class map (paper, Figure 6).

    Parameters
    ----------
    inputs : array, (N, band, row, col), float32
        Patches, at least four; each is stretched by itself.
    targets : array, (N, row, col), uint8
        Their legend codes, NO_DATA where unlabelled.
    counts : mapping of str to str
        What to write under the steps ``scenes``, ``labels``, ``patches``, ``network``, ``map``.
    """
    fig = plt.figure(figsize=(13.5, 5.4), layout="none")
    ax = _step(fig, 0.02, 0.50, 0.16, "Training scenes", counts["scenes"])
    style.show_false_colour(ax, scene)
    style.show_classes(_step(fig, 0.02, 0.04, 0.16, "Training labels", counts["labels"]), labels)
    fig.text(0.33, 0.90, "Patches as the network sees them", ha="center", fontweight="bold")
    bands = [scene.get_index("band").get_loc(b) for b in style.FALSE_COLOUR]
    for n in range(4):
        shown = inputs[n][bands].transpose(1, 2, 0)
        dark, bright = np.quantile(shown, (0.02, 0.98), axis=(0, 1))
        rgb = np.clip((shown - dark) / np.maximum(bright - dark, 1e-6), 0, 1)
        ax = fig.add_axes((0.245 + 0.045 * (n % 2) * 1.95, 0.60 - 0.24 * (n // 2), 0.08, 0.22))
        ax.imshow(rgb)
        style.frame(ax)
        inner = ax.inset_axes((0.58, 0, 0.42, 0.42))
        inner.imshow(targets[n], **style.class_colours())
        style.frame(inner)
    fig.text(0.33, 0.25, counts["patches"], ha="center", va="top", fontsize=8.5, color=style.QUIET)
    _funnel(fig, counts["network"])
    style.show_classes(_step(fig, 0.78, 0.27, 0.20, "Class map of the test scene", counts["map"]),
                 class_map)
    for start, end in (((0.185, 0.68), (0.238, 0.62)), ((0.185, 0.28), (0.238, 0.42)),
                       ((0.425, 0.52), (0.475, 0.52)), ((0.73, 0.52), (0.775, 0.52))):
        fig.add_artist(FancyArrowPatch(start, end, transform=fig.transFigure, arrowstyle="-|>",
                                       mutation_scale=16, color=style.INK, linewidth=1.6))
    return style.titled(fig, title, caption)


def _step(fig: Figure, left: float, bottom: float, width: float, name: str, note: str) -> Axes:
    """Axes for a square picture with a name above and a note below, in shares of the figure."""
    ratio = fig.get_figwidth() / fig.get_figheight()
    ax = fig.add_axes((left, bottom + 0.05, width, (width - 0.02) * ratio))
    ax.set_title(name)
    _note_below(ax, note, -0.03)
    return ax


def _note_below(ax: Axes, note: str, at: float) -> None:
    ax.text(0.5, at, note, transform=ax.transAxes, ha="center", va="top", fontsize=8.5,
            color=style.QUIET)


def _funnel(fig: Figure, note: str) -> None:
    """Draw a small U of bars for the network."""
    ax = fig.add_axes((0.48, 0.30, 0.24, 0.44))
    for n, height in enumerate((1, 0.72, 0.5, 0.34, 0.22, 0.34, 0.5, 0.72, 1)):
        ax.add_patch(Rectangle((n, (1 - height) / 2), 0.62, height, facecolor=style.OURS,
                               alpha=0.85, edgecolor=style.INK, linewidth=0.6))
    ax.set(xlim=(-0.2, 8.8), ylim=(-0.05, 1.05))
    ax.axis("off")
    ax.set_title("U-Net", loc="center")
    _note_below(ax, note, -0.04)


@style.styled
def sweep(rows: pd.DataFrame, column: str, ylabel: str, title: str, caption: str,
          log: bool = False) -> Figure:
    """Show one number by step for every combination of the sweep (paper, Figures 8 and 9).

    A panel for each class balance and weight decay, a line for each learning rate; ``rows`` has
    one per epoch and combination, ``column`` is what to draw and ``ylabel`` what to call it.
    """
    balances, decays = sorted(rows["balance"].unique()), sorted(rows["weight_decay"].unique())
    rates = sorted(rows["learning_rate"].unique())
    fig, axes = plt.subplots(len(balances), len(decays), figsize=(12.5, 3.1 * len(balances) + 0.6),
                             sharex=True, sharey=True, squeeze=False)
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.88, len(rates)))
    for ax, (balance, decay) in zip(axes.flat, product(balances, decays), strict=True):
        part = rows[(rows["balance"] == balance) & (rows["weight_decay"] == decay)]
        for colour, rate in zip(colours, rates, strict=True):
            line = part[part["learning_rate"] == rate]
            ax.plot(line["step"], line[column], color=colour, marker=".", label=f"{rate:g}")
        weights = "classes weighted alike" if balance else "no class weights"
        ax.set_title(f"weight decay {decay:g}, {weights}", fontsize=9.5)
        style.light_grid(ax, "y")
        if log:
            ax.set_yscale("log")
    for ax in axes[-1]:
        ax.set_xlabel("training step (batches)")
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    handles, names = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, names, title="learning rate", loc="outside right center")
    return style.titled(fig, title, caption)


@style.styled
def leave_one_date_out(rows: pd.DataFrame, title: str, caption: str) -> Figure:
    """Show scores on held-out dates: a dot for each row, which is a method, date and seed."""
    methods, dates = list(dict.fromkeys(rows["method"])), sorted(rows["held_out_date"].unique())
    fig, axes = plt.subplots(1, 3, figsize=(12.5, 4.4), sharey=True)
    for ax, column in zip(axes, SCORES, strict=True):
        for number, method in enumerate(methods):
            part = rows[rows["method"] == method]
            height = np.array([dates.index(d) for d in part["held_out_date"]])
            at = height + 0.18 * (number - (len(methods) - 1) / 2)
            ax.plot(part[column], at, "o", color=METHODS[number], alpha=0.8, markersize=7,
                    label=method)
        ax.set(title=label(column), xlabel="on the held-out date")
        style.light_grid(ax)
    style.row_names(axes[0], dates, color=style.QUIET)
    axes[0].invert_yaxis()
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower right", ncols=len(methods))
    return style.titled(fig, title, caption)


@style.styled
def protocols(rows: pd.DataFrame, models: Sequence[str], title: str, caption: str) -> Figure:
    """Show what each protocol says of each model: a small dot a fold, a bar their mean.

    Parameters
    ----------
    rows : DataFrame
        One row per model, protocol and fold: ``model``, ``protocol``, ``fold``,
        ``overall_accuracy``, ``macro_f1``, ``quarry_f1``. The worst fold of a model and protocol is
        named.
    models : sequence of str
        In the order in which to draw them, four at most.
    """
    names = list(dict.fromkeys(rows["protocol"]))
    fig, axes = plt.subplots(1, 3, figsize=(13, 0.3 * len(models) * len(names) + 2.2), sharey=True)
    for ax, column in zip(axes, SCORES, strict=True):
        for (y, protocol), (number, model) in product(enumerate(names), enumerate(models)):
            part = rows[(rows["protocol"] == protocol) & (rows["model"] == model)]
            if part.empty:
                continue
            at = y + 0.72 * ((number + 0.5) / len(models) - 0.5)
            values, colour = part.groupby("fold")[column].mean(), METHODS[number]
            ax.plot(values, [at] * len(values), "o", color=colour, alpha=0.45, markersize=5)
            ax.plot(values.mean(), at, "|", color=colour, markersize=13, markeredgewidth=3)
            worst = values.idxmin() if len(values) > 1 else ""
            style.beside(ax, worst, (values.min(), at), (-6, 0), ha="right", va="center",
                         fontsize=7.5, color=colour)
        ax.set(title=label(column), xlabel="on what the protocol holds out")
        style.light_grid(ax)
        left, right = ax.get_xlim()
        ax.set_xlim(left - 0.16 * (right - left), min(right, 1.015))
    style.row_names(axes[0], names)
    axes[0].set_ylim(len(names) - 0.45, -0.55)
    for colour, model in zip(METHODS, models, strict=False):
        axes[0].plot([], [], "|", color=colour, markersize=13, markeredgewidth=3, label=model)
    fig.legend(loc="outside lower right", ncols=len(models))
    return style.titled(fig, title, caption)


@style.styled
def reliability(tables: Mapping[str, Mapping[str, Any]], errors: Mapping[str, Mapping[str, float]],
                title: str, caption: str) -> Figure:
    """Show how often a class is right against its probability, a panel for each protocol.

    Parameters
    ----------
    tables : mapping of str to mapping of str to lulc_lib.accuracy.Reliability
        By protocol, by what was done to the probabilities; on the diagonal they mean what they say.
    errors : mapping of str to mapping of str to float
        Expected calibration error of each.
    """
    fig, axes = plt.subplots(1, len(tables), figsize=(4.6 * len(tables) + 0.4, 5.2),
                             sharey=True, squeeze=False)
    looks = ((style.QUIET, "s", "--"), (style.OURS, "o", "-"))
    for ax, (protocol, kinds) in zip(axes[0], tables.items(), strict=True):
        ax.plot([0, 1], [0, 1], color=style.INK, linewidth=0.8)
        for (kind, table), (colour, mark, line) in zip(kinds.items(), looks, strict=True):
            some = table.count >= 0.002 * table.count.sum()
            x, y = (v[some] / table.count[some] for v in (table.confidence, table.correct))
            ax.plot(x, y, line, color=colour, linewidth=1.2)
            ax.scatter(x, y, s=8 + 160 * table.count[some] / table.count.sum(), color=colour,
                       marker=mark, alpha=0.8, linewidths=0,
                       label=f"{kind}: error {errors[protocol][kind]:.3f}")
        ax.set(title=protocol, xlabel="probability of the mapped class", xlim=(0.1, 1.02),
               ylim=(0, 1.04), aspect="equal")
        ax.legend(loc="lower right", fontsize=8.5, handletextpad=0.2)
        style.light_grid(ax, "both")
    axes[0, 0].set_ylabel("share of pixels that are right")
    return style.titled(fig, title, caption)


@style.styled
def inside_and_outside(rows: pd.DataFrame, title: str, caption: str) -> Figure:
    """Show error rates inside (dot) and outside (ring) the area of applicability, row by row.

    Parameters
    ----------
    rows : DataFrame
        Index the row's name; ``inside`` and ``outside`` are error rates, ``share_outside`` the
        share of the labels outside, written at the right.
    """
    fig, ax = plt.subplots(figsize=(10, 0.34 * len(rows) + 1.9))
    for y, row in enumerate(rows.itertuples()):
        ax.plot([row.inside, row.outside], [y, y], color=style.GRID, linewidth=2.5, zorder=1)
        ax.plot(row.inside, y, "o", color=style.OURS, markersize=8)
        ax.plot(row.outside, y, "o", color=style.ACCENT, markersize=8, markerfacecolor="white",
                markeredgewidth=2)
        style.beside(ax, f"{row.share_outside:.0%} outside", (1.01, y), (0, 0), va="center",
                     fontsize=8.5, color=style.QUIET)
    ax.plot([], [], "o", color=style.OURS, label="inside the area of applicability")
    ax.plot([], [], "o", color=style.ACCENT, markerfacecolor="white", markeredgewidth=2,
            label="outside")
    fig.legend(loc="outside lower right", ncols=2)
    style.row_names(ax, rows.index)
    ax.set(xlim=(0, 1.12), ylim=(len(rows) - 0.4, -0.6),
           xlabel="share of the held-out labels that are wrong")
    ax.set_xticks(np.arange(0, 1.01, 0.2))
    style.light_grid(ax)
    return style.titled(fig, title, caption)


@style.styled
def applicability(scenes: Mapping[str, xr.DataArray], maps: Mapping[str, xr.DataArray],
                  ratios: Mapping[str, NDArray[np.float32]], title: str, caption: str) -> Figure:
    """Show scenes, their class maps, and how unlike the training data each pixel is.

    Parameters
    ----------
    scenes, maps : mapping of str to DataArray
        Reflectance (band, y, x) and legend codes (y, x) by name, a row of panels each.
    ratios : mapping of str to array, (row, col), float32
        Dissimilarity index ÷ threshold: above 1 is outside the area of applicability.
    """
    fig, axes = plt.subplots(len(scenes), 4, figsize=(11.5, 3.1 * len(scenes) + 0.7),
                             squeeze=False, width_ratios=[1, 1, 1, 0.75])
    for row, (name, scene) in zip(axes, scenes.items(), strict=True):
        style.show_false_colour(row[0], scene, title=name)
        style.show_classes(row[1], maps[name], title="Class map")
        drawn = row[2].imshow(ratios[name], cmap="RdBu_r", vmin=0, vmax=2,
                              extent=style.extent_km(scene))
        style.frame(row[2], title=f"{(ratios[name] > 1).mean():.0%} outside (red)")
        bar = fig.colorbar(drawn, cax=row[2].inset_axes([1.02, 0, 0.035, 1]), extend="max")
        bar.set_label("dissimilarity ÷ threshold", fontsize=8)
        row[3].axis("off")
        style.scale_bar(row[0], 1000)
    style.class_key(axes[0][3].inset_axes([0.5, 0, 0.5, 1]))
    return style.titled(fig, title, caption)


@style.styled
def split_by_place(scene: xr.DataArray, training: xr.DataArray, validation: xr.DataArray,
                   title: str, caption: str) -> Figure:
    """Show the labels used to train and to validate beside one scene."""
    fig, axes = plt.subplots(1, 4, figsize=(14.5, 4.8), width_ratios=[1, 1, 1, 0.45])
    style.show_false_colour(axes[0], scene, title="Scene, NIR–R–G")
    style.scale_bar(axes[0], 1000)
    for ax, codes, name in ((axes[1], training, "Labels to train on"),
                            (axes[2], validation, "Held-out labels")):
        share = (codes.values > 0).sum() / ((training.values > 0) | (validation.values > 0)).sum()
        style.show_classes(ax, codes, title=f"{name}: {share:.0%}")
    style.class_key(axes[3])
    return style.titled(fig, title, caption)


@style.styled
def learning_curves(histories: Mapping[int, pd.DataFrame], title: str, caption: str) -> Figure:
    """Show loss, and overall accuracy and macro F1 on held-out places, by step (paper, Figure 7).

    A history by seed has one row per epoch; ``step`` and the columns below.
    """
    fig, axes = plt.subplots(1, 3, figsize=(12.5, 3.9))
    for ax, column in zip(axes, ("loss", "validation_oa", "validation_macro_f1"), strict=True):
        for (seed, rows), (line, mark) in zip(histories.items(), cycle(LINES), strict=False):
            ax.plot(rows["step"], rows[column], color=style.OURS, linestyle=line, marker=mark,
                    markersize=4, label=f"seed {seed}")
        name = "focal loss, training" if column == "loss" else label(column)
        ax.set(title=name, xlabel="training step (batches)")
        if column == "loss":
            ax.set_yscale("log")
        else:
            ax.set_ylim(top=1)
        style.light_grid(ax, "y")
    axes[0].legend()
    return style.titled(fig, title, caption)


@style.styled
def map_and_confidence(scene: xr.DataArray, class_map: xr.DataArray, probabilities: xr.DataArray,
                       title: str, caption: str) -> Figure:
    """Show a scene, its class map, and the probability (class, y, x) of the mapped class."""
    fig, axes = plt.subplots(1, 4, figsize=(15.5, 4.9), width_ratios=[1, 1, 1, 0.62])
    style.show_false_colour(axes[0], scene, title=f"{scene.attrs['date']}, NIR–R–G")
    style.scale_bar(axes[0], 1000)
    style.show_classes(axes[1], class_map, title="Class map")
    sure = np.where(class_map.values == legend.NO_DATA, np.nan, probabilities.max("class").values)
    drawn = axes[2].imshow(sure, cmap="magma", vmin=1 / len(legend.CODES), vmax=1,
                           extent=style.extent_km(class_map))
    style.frame(axes[2], title="Probability of that class")
    bar = fig.colorbar(drawn, cax=axes[2].inset_axes([1.02, 0, 0.035, 1]))
    bar.outline.set_edgecolor(style.QUIET)
    axes[3].axis("off")
    style.class_key(axes[3].inset_axes([0.28, 0, 0.72, 1]))
    return style.titled(fig, title, caption)


@style.styled
def errors(scene: xr.DataArray, maps: Mapping[str, xr.DataArray], reference: xr.DataArray,
           title: str, caption: str) -> Figure:
    """Show where maps and reference disagree, over the pale scene.

    A pixel that agrees is grey, a wrong one has the colour of the class it was mapped as.
    """
    fig, axes = plt.subplots(1, len(maps) + 1, figsize=(4.6 * len(maps) + 2.6, 5.6),
                             width_ratios=[1] * len(maps) + [0.6])
    labelled = reference.values != legend.NO_DATA
    for ax, (name, codes) in zip(axes, maps.items(), strict=False):
        style.show_grey(ax, scene, "B08", top=0.5, darkest=0.82, contrast=0.18)
        wrong = labelled & (codes.values != reference.values)
        ax.imshow(np.ma.masked_where(~labelled | wrong, labelled), vmin=0, vmax=1,
                  cmap=ListedColormap([AGREES]), extent=style.extent_km(scene))
        style.show_classes(ax, codes, where=wrong)
        ax.set_title(f"{name}: {wrong.sum() / labelled.sum():.1%} of {labelled.sum():,} px wrong")
    style.scale_bar(axes[0], 1000)
    axes[-1].axis("off")
    style.class_key(axes[-1].inset_axes([0.1, 0.1, 0.9, 0.8]),
                    extra=[Patch(color=AGREES, label="map and reference agree")])
    return style.titled(fig, title, caption)
