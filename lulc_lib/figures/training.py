"""Figures of notebook 02: split, learning curves, sweep, dates left out, ablation, maps, errors."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from lulc_lib import legend
from lulc_lib.figures.style import (
    OURS,
    QUIET,
    class_colours,
    class_key,
    extent_km,
    frame,
    scale_bar,
    show_classes,
    show_false_colour,
    styled,
    titled,
)

LINES = (("-", "o"), ("--", "s"), (":", "^"))
"""Line and mark of each seed."""


@styled
def split_by_place(
    scene: xr.DataArray, training: xr.DataArray, validation: xr.DataArray,
    title: str, caption: str,
) -> Figure:
    """Labels used to train and to validate, over one scene.

    ``training`` and ``validation``: (y, x) uint8 legend codes, NO_DATA elsewhere.
    """
    fig, axes = plt.subplots(1, 3, figsize=(12.5, 4.8), layout="constrained")
    show_false_colour(axes[0], scene)
    axes[0].set_title("Scene, NIR–R–G")
    scale_bar(axes[0], 1000)
    for ax, codes, name in ((axes[1], training, "Labels to train on"),
                            (axes[2], validation, "Labels held back")):
        show_classes(ax, codes)
        share = (codes.values > 0).sum() / ((training.values > 0) | (validation.values > 0)).sum()
        ax.set_title(f"{name}: {share:.0%}")
    return titled(fig, title, caption)


@styled
def learning_curves(histories: Mapping[int, pd.DataFrame], title: str, caption: str) -> Figure:
    """Loss, and overall accuracy and macro F1 on the labels held back, by step (paper, Figure 7).

    ``histories``: seed to rows of an epoch: ``step``, ``loss``, ``validation_oa``,
    ``validation_macro_f1``.
    """
    panels = (("loss", "focal loss, training"), ("validation_oa", "overall accuracy, held back"),
              ("validation_macro_f1", "macro F1, held back"))
    fig, axes = plt.subplots(1, 3, figsize=(12.5, 3.9), layout="constrained")
    for ax, (column, name) in zip(axes, panels, strict=True):
        for (seed, rows), (line, mark) in zip(histories.items(), cycle(LINES), strict=False):
            ax.plot(rows["step"], rows[column], color=OURS, linestyle=line, marker=mark,
                    markersize=4, label=f"seed {seed}")
        ax.set(title=name, xlabel="training step (batches)")
        if column == "loss":
            ax.set_yscale("log")
        else:
            ax.set_ylim(top=1)
        ax.grid(axis="y", color="#e3e3e3", linewidth=0.7)
    axes[0].legend()
    return titled(fig, title, caption)


@styled
def map_and_confidence(
    scene: xr.DataArray, class_map: xr.DataArray, probabilities: xr.DataArray,
    title: str, caption: str,
) -> Figure:
    """The test scene, its class map, and the probability of the mapped class.

    ``probabilities``: (class, y, x) float32, summing to 1 over the classes.
    """
    fig, axes = plt.subplots(1, 4, figsize=(15.5, 4.9), layout="constrained",
                             width_ratios=[1, 1, 1, 0.62])
    show_false_colour(axes[0], scene)
    axes[0].set_title(f"{scene.attrs['date']}, NIR–R–G")
    scale_bar(axes[0], 1000)
    show_classes(axes[1], class_map)
    axes[1].set_title("Class map")
    sure = np.where(class_map.values == legend.NO_DATA, np.nan, probabilities.max("class").values)
    drawn = axes[2].imshow(sure, cmap="magma", vmin=1 / len(legend.CODES), vmax=1,
                           extent=extent_km(class_map))
    frame(axes[2])
    axes[2].set_title("Probability of that class")
    bar = fig.colorbar(drawn, cax=axes[2].inset_axes([1.02, 0, 0.035, 1]))
    bar.outline.set_edgecolor(QUIET)
    axes[3].axis("off")
    class_key(axes[3].inset_axes([0.28, 0, 0.72, 1]))
    return titled(fig, title, caption)


@styled
def sweep(
    rows: pd.DataFrame, column: str, label: str, title: str, caption: str, log: bool = False
) -> Figure:
    """One number by step for every combination of the sweep (paper, Figures 8 and 9).

    ``rows``: one per epoch and combination: ``step``, ``learning_rate``, ``weight_decay``,
    ``balance``, and ``column``, which is drawn. A panel for each balance and weight decay, a line
    for each learning rate; ``log``: logarithmic axis.
    """
    balances, decays = sorted(rows["balance"].unique()), sorted(rows["weight_decay"].unique())
    rates = sorted(rows["learning_rate"].unique())
    fig, axes = plt.subplots(len(balances), len(decays), figsize=(12.5, 3.1 * len(balances) + 0.6),
                             layout="constrained", sharex=True, sharey=True, squeeze=False)
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.88, len(rates)))
    for (i, balance), (j, decay) in product(enumerate(balances), enumerate(decays)):
        ax = axes[i, j]
        part = rows[(rows["balance"] == balance) & (rows["weight_decay"] == decay)]
        for colour, rate in zip(colours, rates, strict=True):
            line = part[part["learning_rate"] == rate]
            ax.plot(line["step"], line[column], color=colour, marker=".", label=f"{rate:g}")
        weights = "classes weighted alike" if balance else "no class weights"
        ax.set_title(f"weight decay {decay:g}, {weights}", fontsize=9.5)
        ax.grid(axis="y", color="#e3e3e3", linewidth=0.7)
        if log:
            ax.set_yscale("log")
    for ax in axes[-1]:
        ax.set_xlabel("training step (batches)")
    for ax in axes[:, 0]:
        ax.set_ylabel(label)
    handles, names = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, names, title="learning rate", loc="outside right center")
    return titled(fig, title, caption)


@styled
def left_out(rows: pd.DataFrame, title: str, caption: str) -> Figure:
    """Scores on dates left out, by date and method: overall accuracy, macro F1, quarry F1.

    ``rows``: one per method, date and seed: ``method``, ``left_out``, ``overall_accuracy``,
    ``macro_f1``, ``quarry_f1``. Seeds of one method are dots of one colour.
    """
    panels = (("overall_accuracy", "overall accuracy"), ("macro_f1", "macro F1"),
              ("quarry_f1", "quarry F1"))
    methods, dates = list(dict.fromkeys(rows["method"])), sorted(rows["left_out"].unique())
    colours = dict(zip(methods, (OURS, "#d98200", "#4d8c57", QUIET), strict=False))
    fig, axes = plt.subplots(1, 3, figsize=(12.5, 4.4), layout="constrained", sharey=True)
    for ax, (column, name) in zip(axes, panels, strict=True):
        for number, method in enumerate(methods):
            part = rows[rows["method"] == method]
            height = np.array([dates.index(d) for d in part["left_out"]])
            at = height + 0.18 * (number - (len(methods) - 1) / 2)
            ax.plot(part[column], at, "o", color=colours[method], alpha=0.8, markersize=7,
                    label=method)
        ax.set(title=name, xlabel="on the date left out")
        ax.grid(axis="x", color="#e3e3e3", linewidth=0.7)
    axes[0].set_yticks(range(len(dates)), dates)
    axes[0].invert_yaxis()
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper right", ncols=len(methods))
    return titled(fig, title, caption)


@styled
def ablation(
    rows: pd.DataFrame, panels: Mapping[str, str], title: str, caption: str
) -> Figure:
    """What each change does to the scores on dates left out.

    ``rows``: one per variant, date left out and seed: ``variant``, ``left_out``, ``seed`` and the
    columns of ``panels``, which maps a column to its name; a panel each. A dot is a seed's mean
    over the dates; the grey line is the mean of the first variant.
    """
    variants = list(dict.fromkeys(rows["variant"]))
    fig, axes = plt.subplots(1, len(panels), figsize=(12.5, 0.42 * len(variants) + 1.7),
                             layout="constrained", sharey=True)
    for ax, (column, name) in zip(axes, panels.items(), strict=True):
        means = rows.groupby(["variant", "seed"])[column].mean()
        ax.axvline(means[variants[0]].mean(), color=QUIET, linewidth=1)
        for y, variant in enumerate(variants):
            values = means[variant]
            ax.plot(values, [y] * len(values), "o", color=OURS, alpha=0.55, markersize=5)
            ax.plot(values.mean(), y, "|", color=OURS, markersize=16, markeredgewidth=2.5)
        ax.set(title=name, xlabel="mean over the dates left out")
        ax.grid(axis="x", color="#e3e3e3", linewidth=0.7)
    axes[0].set_yticks(range(len(variants)), variants)
    axes[0].set_ylim(len(variants) - 0.4, -0.6)
    return titled(fig, title, caption)


@styled
def errors(
    scene: xr.DataArray, maps: Mapping[str, xr.DataArray], reference: xr.DataArray,
    title: str, caption: str,
) -> Figure:
    """Where maps and reference disagree; unlabelled places show the scene in grey.

    ``maps``: name to (y, x) legend codes; ``reference``: (y, x) legend codes, NO_DATA where
    unlabelled. A wrong pixel has the colour of the class it was mapped as.
    """
    fig, axes = plt.subplots(1, len(maps) + 1, figsize=(4.6 * len(maps) + 2.6, 5.2),
                             layout="constrained", width_ratios=[1] * len(maps) + [0.6])
    grey = np.sqrt(np.clip(np.nan_to_num(scene.sel(band="B08").values) / 0.5, 0, 1))
    cmap, norm = class_colours()
    for ax, (name, codes) in zip(axes, maps.items(), strict=False):
        ax.imshow(0.55 + 0.4 * grey, cmap="gray", vmin=0, vmax=1, extent=extent_km(scene))
        judged = reference.values != legend.NO_DATA
        wrong = judged & (codes.values != reference.values)
        right = np.where(judged & ~wrong, 1.0, np.nan)
        ax.imshow(right, cmap="Greys", vmin=0, vmax=3, extent=extent_km(scene), alpha=0.45)
        ax.imshow(np.ma.masked_where(~wrong, codes.values), cmap=cmap, norm=norm,
                  extent=extent_km(scene))
        frame(ax)
        ax.set_title(f"{name}: {wrong.sum() / judged.sum():.1%} of {judged.sum():,} px wrong")
    scale_bar(axes[0], 1000)
    axes[-1].axis("off")
    class_key(axes[-1].inset_axes([0.1, 0.1, 0.9, 0.8]))
    return titled(fig, title, caption)
