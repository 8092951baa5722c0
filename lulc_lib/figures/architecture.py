"""Figures of what the network is and how data pass through it (the paper's Figures 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log2

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from numpy.typing import NDArray

from lulc_lib.figures.style import (
    ACCENT,
    INK,
    OURS,
    QUIET,
    class_colours,
    frame,
    show_classes,
    show_false_colour,
    styled,
    titled,
)

FALSE_COLOUR = (6, 2, 1)
"""Bands shown as red, green, blue: B08, B04, B03 by their place in the scene."""


@styled
def network(stages: Sequence, title: str, caption: str) -> Figure:
    """A U-Net as boxes whose height is the resolution and whose width the channels (Figure 5).

    ``stages``: from ``lulc_lib.unet.describe.stages``: ``name``, ``layers``, ``shape``
    (channels, rows, columns) of the real tensors, ``parameters``.
    """
    fig, ax = plt.subplots(figsize=(12.5, 6.2), layout="constrained")
    shown = [s for s in stages if not s.name.startswith("up")]
    depth = sum(s.name.startswith("encoder") for s in shown)
    place, x = {}, 0.0
    for stage in shown:
        channels, rows, _ = stage.shape
        level = _level(stage.name, depth)
        width, height = 0.16 * log2(channels + 1), 0.35 + 0.9 * rows / shown[0].shape[1]
        y = -1.35 * level
        _box(ax, x, y, width, height, stage)
        place[stage.name] = (x, y, width, height)
        x += width + (0.75 if level else 0.62)
    names = [s.name for s in shown]
    for before, after in pairwise(names):
        _flow(ax, place[before], place[after])
    for level in range(depth):
        _skip(ax, place[f"encoder {level}"], place[f"decoder {level}"])
    ax.set_xlim(-0.5, x)
    ax.set_ylim(-1.35 * depth - 1.0, 1.3)
    ax.axis("off")
    _network_key(ax, x, -1.35 * depth, stages)
    return titled(fig, title, caption)


def _level(name: str, depth: int) -> int:
    """Poolings before a stage."""
    kind, _, number = name.partition(" ")
    return int(number) if kind in ("encoder", "decoder") else depth * (kind == "bottleneck")


def _box(ax: Axes, x: float, y: float, width: float, height: float, stage) -> None:
    colour = {"input": "#b7c9a8", "scores": "#e3b23c"}.get(stage.name.split()[0], OURS)
    ax.add_patch(Rectangle((x, y - height / 2), width, height, facecolor=colour, alpha=0.85,
                           edgecolor=INK, linewidth=0.7))
    channels, rows, cols = stage.shape
    ax.text(x + width / 2, y + height / 2 + 0.05, f"{channels}", ha="center", va="bottom",
            fontsize=9.5, fontweight="bold")
    ax.text(x + width / 2, y - height / 2 - 0.05, f"{stage.name}\n{rows}×{cols}", ha="center",
            va="top", fontsize=8, color=QUIET)


def _flow(ax: Axes, before: tuple, after: tuple) -> None:
    """Arrow from box to box; red down (pooling), orange up (transposed convolution)."""
    colour = INK if before[1] == after[1] else ACCENT if after[1] < before[1] else "#d98200"
    ax.add_patch(FancyArrowPatch(
        (before[0] + before[2] + 0.03, before[1]), (after[0] - 0.03, after[1]),
        arrowstyle="-|>", mutation_scale=11, color=colour, linewidth=1.5, shrinkA=0, shrinkB=0))


def _skip(ax: Axes, left: tuple, right: tuple) -> None:
    """Dashed arrow from an encoder's box to the decoder's box of its level."""
    y = left[1] + 0.3 * left[3]
    ax.add_patch(FancyArrowPatch(
        (left[0] + left[2] + 0.03, y), (right[0] - 0.03, y), arrowstyle="-|>", mutation_scale=10,
        color=QUIET, linewidth=1.1, linestyle=(0, (4, 3)), shrinkA=0, shrinkB=0))


def _network_key(ax: Axes, right: float, bottom: float, stages: Sequence) -> None:
    """What boxes and arrows stand for, with the layers as the modules name them."""
    by = {s.name: s for s in stages}
    block, up, head = by["encoder 0"].layers, by["up 0"].layers, by["scores"].layers
    lines = ((OURS, f"blue box: {block}"), (ACCENT, "red arrow: MaxPool2×2"),
             ("#d98200", f"orange arrow: {up}, last row and column repeated where sizes differ"),
             (QUIET, "dashed arrow: skip-concat"), (INK, f"last black arrow: {head}"))
    for number, (colour, text) in enumerate(lines):
        ax.text(-0.4, bottom + 0.75 - 0.3 * number, text, color=colour, fontsize=9)
    total = sum(s.parameters for s in stages)
    ax.text(right, bottom - 0.45, f"{total:,} parameters", ha="right", fontsize=9.5,
            fontweight="bold")


@styled
def pipeline(
    scene: xr.DataArray, mask: xr.DataArray, inputs: NDArray[np.float32],
    targets: NDArray[np.uint8], class_map: xr.DataArray, counts: Mapping[str, str],
    title: str, caption: str,
) -> Figure:
    """The way from scenes and masks over patches to a class map, with the data themselves (Fig. 6).

    ``scene``: (band, y, x) reflectance; ``mask``: (y, x) legend codes; ``inputs``: (N, band, row,
    col) normalised patches, at least 4; ``targets``: (N, row, col) legend codes, NO_DATA where
    unlabelled; ``class_map``: (y, x) legend codes of the test scene; ``counts``: what to write
    under the steps ``scenes``, ``masks``, ``patches``, ``network``, ``map``.
    """
    fig = plt.figure(figsize=(13.5, 5.4))
    show_false_colour(_step(fig, 0.02, 0.50, 0.16, "Training scenes", counts["scenes"]), scene)
    show_classes(_step(fig, 0.02, 0.04, 0.16, "Reference masks", counts["masks"]), mask)
    fig.text(0.33, 0.90, "Patches as the network sees them", ha="center", fontweight="bold")
    for n in range(4):
        rgb = np.clip(inputs[n][list(FALSE_COLOUR)].transpose(1, 2, 0) / 5 + 0.45, 0, 1)
        ax = fig.add_axes((0.245 + 0.045 * (n % 2) * 1.95, 0.60 - 0.24 * (n // 2), 0.08, 0.22))
        ax.imshow(rgb)
        frame(ax)
        cmap, norm = class_colours()
        inner = ax.inset_axes((0.58, 0, 0.42, 0.42))
        inner.imshow(targets[n], cmap=cmap, norm=norm)
        frame(inner)
    fig.text(0.33, 0.25, counts["patches"], ha="center", va="top", fontsize=8.5, color=QUIET)
    _funnel(fig, counts["network"])
    show_classes(_step(fig, 0.78, 0.27, 0.20, "Class map of the test scene", counts["map"]),
                 class_map)
    for start, end in (((0.185, 0.68), (0.238, 0.62)), ((0.185, 0.28), (0.238, 0.42)),
                       ((0.425, 0.52), (0.475, 0.52)), ((0.73, 0.52), (0.775, 0.52))):
        fig.add_artist(FancyArrowPatch(start, end, transform=fig.transFigure, arrowstyle="-|>",
                                       mutation_scale=16, color=INK, linewidth=1.6))
    return titled(fig, title, caption)


def _step(fig: Figure, left: float, bottom: float, width: float, name: str, note: str) -> Axes:
    """Axes for a square picture with a name above and a note below, in shares of the figure."""
    ratio = fig.get_figwidth() / fig.get_figheight()
    ax = fig.add_axes((left, bottom + 0.05, width, (width - 0.02) * ratio))
    ax.set_title(name)
    ax.text(0.5, -0.03, note, transform=ax.transAxes, ha="center", va="top", fontsize=8.5,
            color=QUIET)
    return ax


def _funnel(fig: Figure, note: str) -> None:
    """A small U of bars for the network."""
    ax = fig.add_axes((0.48, 0.30, 0.24, 0.44))
    for n, height in enumerate((1, 0.72, 0.5, 0.34, 0.22, 0.34, 0.5, 0.72, 1)):
        ax.add_patch(Rectangle((n, (1 - height) / 2), 0.62, height, facecolor=OURS, alpha=0.85,
                               edgecolor=INK, linewidth=0.6))
    ax.set(xlim=(-0.2, 8.8), ylim=(-0.05, 1.05))
    ax.axis("off")
    ax.set_title("U-Net", loc="center")
    ax.text(0.5, -0.04, note, transform=ax.transAxes, ha="center", va="top", fontsize=8.5,
            color=QUIET)


