"""One look for every figure, the pieces maps are made of, and the only writer under figures/."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.patheffects as pe
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon, Rectangle
from PIL import Image

from lulc_lib import legend, paths
from lulc_lib.errors import InputError

DPI, SCREEN_DPI = 150, 85
MAX_BYTES = 500_000
INK, QUIET, ACCENT = "#222222", "#6b6b6b", "#c8102e"
HALO = [pe.withStroke(linewidth=2.5, foreground="white")]
"""Around text on a map."""
OURS, PUBLISHED = "#1c5d99", "#8a8a8a"
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.labelsize": 10, "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": QUIET, "axes.labelcolor": INK,
    "xtick.color": QUIET, "ytick.color": QUIET, "text.color": INK, "figure.titlesize": 13,
    "figure.titleweight": "bold", "image.interpolation": "nearest", "legend.frameon": False,
    "figure.dpi": 100, "lines.linewidth": 1.6,
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorator: the figure function runs under the study's style, global settings untouched."""

    @functools.wraps(draw)
    def wrapper(*args: Any, **kwargs: Any) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapper


def titled(fig: Figure, title: str, caption: str) -> Figure:
    """Title (what is seen) above the panels, caption (data, n, protocol) below; both left."""
    fig.suptitle(title, x=0.01, ha="left")
    fig.supxlabel(caption, x=0.01, ha="left", fontsize=8.5, color=QUIET)
    return fig


def figure_path(name: str, source: str) -> Path:
    """Where ``figures/<source>/<name>.png`` lies."""
    return paths.output_root() / "figures" / source / f"{name}.png"


class SavedFigure:
    """A figure on disk; a notebook shows it exactly as it was written.

    ``path``: the file; ``data``: its bytes.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data = path, data

    def __repr__(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        width = Image.open(io.BytesIO(self.data)).width
        return self.data, {"width": round(width * SCREEN_DPI / DPI)}


def save_figure(
    fig: Figure, name: str, source: str, synthetic: bool | None = None
) -> SavedFigure:
    """Write a figure to ``figures/<source>/<name>.png``: 150 dpi, whole, under 500 KB; close it.

    A figure of the synthetic landscape says so inside the picture; ``synthetic`` says whether it
    is one (None: if the source is). A picture that would be too large is reduced to 256 colours,
    the legend's among them.

    Raises
    ------
    InputError
        The source is neither published nor synthetic, or the picture stays over 500 KB.
    """
    if source not in ("published", "synthetic"):
        raise InputError(f"source is {source!r}; it must be 'published' or 'synthetic'")
    if synthetic if synthetic is not None else source == "synthetic":
        fig.text(0.995, 0.006, "SYNTHETIC landscape", ha="right", va="bottom", color=ACCENT,
                 fontsize=11, fontweight="bold")
    target = figure_path(name, source)
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_figure(fig, target)


def write_figure(fig: Figure, target: Path) -> SavedFigure:
    """Write a figure to any PNG file: 150 dpi, whole, under 500 KB; close it.

    Raises
    ------
    InputError
        The picture stays over 500 KB.
    """
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    data = buffer.getvalue()
    if len(data) > MAX_BYTES:
        data = _in_256_colours(buffer)
    if len(data) > MAX_BYTES:
        raise InputError(f"{target.name} has {len(data)} bytes; it must stay under {MAX_BYTES}")
    temporary = target.with_suffix(".tmp")
    temporary.write_bytes(data)
    temporary.replace(target)
    plt.close(fig)
    return SavedFigure(target, data)


def _in_256_colours(buffer: io.BytesIO) -> bytes:
    """A PNG with a palette: the legend's colours as they are, and the best others to fill it."""
    image = Image.open(buffer).convert("RGB")
    kept = [tuple(round(255 * v) for v in to_rgb(c))
            for c in (*legend.COLOURS.values(), "white", INK, QUIET, ACCENT)]
    others = image.quantize(256 - len(kept)).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette([v for colour in kept for v in colour] + others[: 768 - 3 * len(kept)])
    indexes = np.array(image.quantize(palette=palette, dither=Image.Dither.NONE))
    pixels = np.asarray(image)
    for number, colour in enumerate(kept):  # the palette search is approximate
        indexes[(pixels == colour).all(axis=2)] = number
    reduced = Image.fromarray(indexes, "P")
    reduced.putpalette(palette.getpalette())
    out = io.BytesIO()
    reduced.save(out, "PNG", optimize=True)
    return out.getvalue()


def class_colours() -> tuple[ListedColormap, BoundaryNorm]:
    """Colour map and norm that give each legend code, and NO_DATA, its colour."""
    codes = [legend.NO_DATA, *legend.CODES]
    colours = [legend.NO_DATA_COLOUR, *legend.COLOURS.values()]
    edges = [codes[0] - 0.5, *[c + 0.5 for c in codes]]
    return ListedColormap(colours), BoundaryNorm(edges, len(codes))


def extent_km(grid: xr.DataArray) -> tuple[float, float, float, float]:
    """Left, right, bottom, top of a grid in kilometres of its CRS."""
    left, bottom, right, top = grid.rio.bounds()
    return left / 1000, right / 1000, bottom / 1000, top / 1000


def show_classes(ax: Axes, codes: xr.DataArray) -> None:
    """Draw a (y, x) array of legend codes in its place, unsmoothed."""
    cmap, norm = class_colours()
    ax.imshow(codes.values, cmap=cmap, norm=norm, extent=extent_km(codes))
    frame(ax)


def show_false_colour(ax: Axes, scene: xr.DataArray) -> None:
    """Draw near infrared, red and green of a (band, y, x) reflectance scene as red, green, blue.

    The stretch is fixed (NIR 0–0.5; red and green 0–0.28 reflectance, square root), so dates can be
    compared by eye.
    """
    top = np.array([0.50, 0.28, 0.28])[:, None, None]
    rgb = scene.sel(band=["B08", "B04", "B03"]).values / top
    rgb = np.sqrt(np.clip(np.nan_to_num(rgb), 0, 1)).transpose(1, 2, 0)
    ax.imshow(rgb, extent=extent_km(scene))
    frame(ax)


def frame(ax: Axes) -> None:
    """A plain frame without ticks, for map panels that carry a scale bar."""
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set(visible=True, color=QUIET, linewidth=0.6)


def crs_axes(ax: Axes, grid: xr.DataArray) -> None:
    """Axes in kilometres of the grid's CRS, named."""
    zone = grid.rio.crs.to_string()
    ax.set(xlabel=f"easting, km ({zone})", ylabel="northing, km")
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5]))
    ax.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5]))
    ax.ticklabel_format(useOffset=False, style="plain")


def scale_bar(ax: Axes, metres: float, north: bool = True) -> None:
    """Scale bar at the lower left and a north arrow at the upper right of a map in km."""
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    width, height, length = right - left, top - bottom, metres / 1000
    x, y = left + 0.05 * width, bottom + 0.05 * height
    label = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    halo = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none"}
    ax.add_patch(Rectangle((x - 0.02 * width, y - 0.02 * height), length + 0.04 * width,
                           0.105 * height, **halo, zorder=5))
    ax.add_patch(Rectangle((x, y), length, 0.015 * height, color=INK, zorder=6))
    ax.text(x + length / 2, y + 0.02 * height, label, ha="center", va="bottom", fontsize=8,
            zorder=6)
    if north:
        nx, ny, s = right - 0.07 * width, top - 0.05 * height, 0.035 * height
        ax.add_patch(Rectangle((nx - 1.3 * s, ny - 3.7 * s), 2.6 * s, 4.2 * s, **halo, zorder=5))
        ax.add_patch(Polygon([(nx, ny), (nx - 0.6 * s, ny - 1.7 * s), (nx, ny - 1.2 * s),
                              (nx + 0.6 * s, ny - 1.7 * s)], color=INK, zorder=6))
        ax.text(nx, ny - 2.0 * s, "N", ha="center", va="top", fontsize=8, zorder=6)


def class_key(ax: Axes, codes: Iterable[int] = legend.CODES, columns: int = 1) -> None:
    """Swatches with the classes' names in an axes of their own."""
    handles = [
        Patch(facecolor=legend.COLOURS[c], edgecolor=QUIET, linewidth=0.5, label=legend.NAMES[c])
        for c in codes
    ]
    ax.legend(handles=handles, loc="center left", ncols=columns, fontsize=9, handlelength=1.2,
              handleheight=1.1, borderaxespad=0)
    ax.axis("off")


def panels(
    count: int, columns: int, panel: float = 3.0, aspect: float = 1.0, **kwargs: Any
) -> tuple[Figure, list[Axes]]:
    """A grid of ``count`` equal panels; what is left over is switched off.

    ``panel`` is the width of one in inches, ``aspect`` its height divided by its width.
    """
    rows = math.ceil(count / columns)
    size = (panel * columns, (panel * aspect + 0.25) * rows + 0.6)
    fig, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False,
                             **kwargs)
    flat = list(axes.flat)
    for ax in flat[count:]:
        ax.axis("off")
    return fig, flat[:count]
