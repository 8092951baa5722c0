"""Figures of notebook 02: the split, learning curves, the map and how sure the network is."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from lulc_lib import legend
from lulc_lib.figures.style import (
    OURS,
    QUIET,
    class_key,
    extent_km,
    frame,
    scale_bar,
    show_classes,
    show_false_colour,
    styled,
    titled,
)


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
        for number, (seed, rows) in enumerate(histories.items()):
            ax.plot(rows["step"], rows[column], color=OURS, alpha=1 - 0.3 * number, marker=".")
            ax.annotate(f"seed {seed}", (rows["step"].iloc[-1], rows[column].iloc[-1]),
                        xytext=(4, -10 * number + 4), textcoords="offset points", fontsize=8)
        ax.set(title=name, xlabel="training step (batches)")
        ax.margins(x=0.14)
        if column == "loss":
            ax.set_yscale("log")
        else:
            ax.set_ylim(0, 1)
        ax.grid(axis="y", color="#e3e3e3", linewidth=0.7)
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
    drawn = axes[2].imshow(sure, cmap="magma", vmin=0, vmax=1, extent=extent_km(class_map))
    frame(axes[2])
    axes[2].set_title("Probability of that class")
    bar = fig.colorbar(drawn, cax=axes[2].inset_axes([1.02, 0, 0.035, 1]))
    bar.outline.set_edgecolor(QUIET)
    axes[3].axis("off")
    class_key(axes[3].inset_axes([0.28, 0, 0.72, 1]))
    return titled(fig, title, caption)
