"""One look for every figure, the pieces maps and charts are made of, and the writer of PNG files.

To draw a chart takes numpy, matplotlib and Pillow alone; maps take xarray arrays.
"""

from __future__ import annotations

import functools
import io
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.patheffects as pe
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon, Rectangle
from PIL import Image

from lulc_lib import legend, paths
from lulc_lib.errors import InputError
from lulc_lib.io import written_whole

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

DPI, SCREEN_DPI = 150, 85
MAX_BYTES = 500_000
INK, QUIET, ACCENT, GRID = "#222222", "#6b6b6b", "#c8102e", "#e3e3e3"
HALO = [pe.withStroke(linewidth=2.5, foreground="white")]
"""Around text on a map."""
CLASSES = "classes"
"""What images of class codes are marked with."""
OURS, PUBLISHED = "#1c5d99", "#8a8a8a"
FALSE_COLOUR = ("B08", "B04", "B03")
"""Bands shown as red, green and blue."""
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.labelsize": 10, "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": QUIET, "axes.labelcolor": INK,
    "xtick.color": QUIET, "ytick.color": QUIET, "text.color": INK, "figure.titlesize": 13,
    "figure.titleweight": "bold", "image.interpolation": "nearest", "legend.frameon": False,
    "figure.dpi": 100, "figure.constrained_layout.use": True, "lines.linewidth": 1.6,
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Run a figure function under the study's style; global settings stay untouched."""

    @functools.wraps(draw)
    def wrapper(*args: Any, **kwargs: Any) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapper


def titled(fig: Figure, title: str, caption: str, colour: str = INK) -> Figure:
    """Put the title above the panels and the caption below, at the left, in lines that fit."""
    width = fig.get_figwidth()
    fig.suptitle(textwrap.fill(title, int(9.7 * width)), x=0.01, ha="left", color=colour)
    fig.supxlabel(textwrap.fill(caption, int(15.3 * width)), x=0.01, ha="left", fontsize=8.5,
                  color=QUIET)
    return fig


class SavedFigure:
    """A PNG file and its bytes; a notebook shows it exactly as it was written."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data = path, data

    def __repr__(self) -> str:
        """Name the file and its folder."""
        return f"{self.path.parent.name}/{self.path.name}"

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        width = Image.open(io.BytesIO(self.data)).width
        return self.data, {"width": round(width * SCREEN_DPI / DPI)}


def figure_path(name: str, source: str) -> Path:
    """Say where ``figures/<source>/<name>.png`` lies."""
    return paths.output_root() / "figures" / source / f"{name}.png"


def save_figure(fig: Figure, name: str, source: str, synthetic: bool | None = None) -> SavedFigure:
    """Write a figure to ``figures/<source>/<name>.png`` as :func:`write_figure` does.

    Parameters
    ----------
    name : str
        ``paper_figNN_slug`` after the paper's figure that it answers, else ``nbNN_slug`` after the
        notebook.
    synthetic : bool, optional
        Whether the landscape shown is synthetic, which is then said inside the picture and, among
        published ones, in the file's name; by default it is if the source is.

    Raises
    ------
    InputError
        The source is neither published nor synthetic, the name is of another form, or the picture
        stays over 500 KB.
    """
    if source not in ("published", "synthetic"):
        raise InputError(f"source is {source!r}; it must be 'published' or 'synthetic'")
    if not re.fullmatch(r"(paper_fig\d\d|nb\d\d[ab]?)_[a-z0-9_]+", name):
        raise InputError(f"a figure's name is {name!r}; it must be paper_figNN_… or nbNN_…")
    if synthetic if synthetic is not None else source == "synthetic":
        fig.text(0.995, 0.006, "SYNTHETIC landscape", ha="right", va="bottom", color=ACCENT,
                 fontsize=11, fontweight="bold")
        name += "_synthetic" if source == "published" else ""
    target = figure_path(name, source)
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_figure(fig, target)


def write_figure(fig: Figure, target: Path) -> SavedFigure:
    """Write a figure to any PNG file, 150 dpi and under 500 KB, and close it.

    A picture that would be too large is reduced to 256 colours, the legend's among them; one that
    stays too large raises InputError.
    """
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    data = buffer.getvalue()
    if len(data) > MAX_BYTES:
        data = _in_256_colours(buffer)
    if len(data) > MAX_BYTES:
        raise InputError(f"{target.name} has {len(data)} bytes; it must stay under {MAX_BYTES}")
    with written_whole(target) as part:
        part.write_bytes(data)
    plt.close(fig)
    return SavedFigure(target, data)


def _in_256_colours(buffer: io.BytesIO) -> bytes:
    """Reduce a PNG to a palette: the legend's colours as they are, and the best others."""
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


def class_colours() -> dict[str, Any]:
    """Colour map and norm that give each legend code, and NO_DATA, its colour, for ``imshow``."""
    codes = [legend.NO_DATA, *legend.CODES]
    colours = [legend.NO_DATA_COLOUR, *legend.COLOURS.values()]
    edges = [codes[0] - 0.5, *[c + 0.5 for c in codes]]
    return {"cmap": ListedColormap(colours), "norm": BoundaryNorm(edges, len(codes))}


def extent_km(grid: xr.DataArray) -> tuple[float, float, float, float]:
    """Left, right, bottom, top of a grid in kilometres of its CRS."""
    left, bottom, right, top = grid.rio.bounds()
    return left / 1000, right / 1000, bottom / 1000, top / 1000


def show_classes(ax: Axes, codes: xr.DataArray, where: NDArray[np.bool_] | None = None,
                 title: str = "") -> None:
    """Draw a (y, x) array of legend codes in its place, or those of its pixels, unsmoothed."""
    shown = codes.values if where is None else np.ma.masked_where(~where, codes.values)
    ax.imshow(shown, **class_colours(), extent=extent_km(codes), gid=CLASSES)
    frame(ax, title)


def shown_classes(ax: Axes) -> list[int]:
    """List the codes that :func:`show_classes` has drawn so far in the figure of an axes."""
    images = [i for other in ax.get_figure(root=True).axes for i in other.images]
    drawn = [np.unique(np.ma.compressed(i.get_array())) for i in images if i.get_gid() == CLASSES]
    return sorted({int(code) for codes in drawn for code in codes} - {legend.NO_DATA})


def false_colour(scene: xr.DataArray) -> xr.DataArray:
    """Return near infrared, red and green of a scene as red, green, blue: (band, y, x), 0–1.

    The stretch is fixed (NIR 0–0.5; red and green 0–0.28 reflectance, square root): dates compare.
    NaN stays NaN.
    """
    shown = scene.sel(band=list(FALSE_COLOUR))
    top = np.array([0.50, 0.28, 0.28], np.float32)[:, None, None]
    return shown.copy(data=np.sqrt(np.clip(shown.values / top, 0, 1)))


def show_false_colour(ax: Axes, scene: xr.DataArray, title: str = "") -> None:
    """Draw near infrared, red and green of a scene, see :func:`false_colour`."""
    ax.imshow(np.nan_to_num(false_colour(scene).values).transpose(1, 2, 0), extent=extent_km(scene))
    frame(ax, title)


def show_grey(ax: Axes, scene: xr.DataArray, band: str = "B04", top: float = 0.28,
              darkest: float = 0.6, contrast: float = 0.4) -> None:
    """Draw one band of a scene in pale grey, as the ground for what is drawn on it.

    The grey (0–1) is ``darkest`` where nothing is reflected and that plus ``contrast`` at ``top``.
    """
    grey = np.sqrt(np.clip(np.nan_to_num(scene.sel(band=band).values) / top, 0, 1))
    ax.imshow(darkest + contrast * grey, cmap="gray", vmin=0, vmax=1, extent=extent_km(scene))


def frame(ax: Axes, title: str = "") -> None:
    """Give a map panel that carries a scale bar a plain frame without ticks, and a title."""
    if title:
        ax.set_title(title)
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set(visible=True, color=QUIET, linewidth=0.6)


def crs_axes(ax: Axes, grid: xr.DataArray) -> None:
    """Label the axes in kilometres of the grid's CRS."""
    zone = grid.rio.crs.to_string()
    ax.set(xlabel=f"easting, km ({zone})", ylabel="northing, km")
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5]))
    ax.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5]))
    ax.ticklabel_format(useOffset=False, style="plain")


def scale_bar(ax: Axes, metres: float, north: bool = True, place: str = "left") -> None:
    """Draw a scale bar at the lower left and a north arrow at the upper right of a map in km.

    The bar's ``place`` may be "right" as well, or both may stand "outside", right of the map.
    """
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    width, height, length = right - left, top - bottom, metres / 1000
    x = {"left": left + 0.05 * width, "right": right - 0.05 * width - length,
         "outside": right + 0.06 * width}[place]
    y, s = bottom + 0.05 * height, 0.035 * height
    label = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    halo = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "zorder": 5}
    drawn = [Rectangle((x - 0.02 * width, y - 0.02 * height), length + 0.04 * width,
                       0.105 * height, **halo),
             Rectangle((x, y), length, 0.015 * height, color=INK, zorder=6)]
    words = [(x + length / 2, y + 0.02 * height, label, "bottom")]
    if north:
        nx, ny = ((x + length / 2, y + 0.3 * height) if place == "outside" else
                  (right - 0.07 * width, top - 0.05 * height))
        drawn += [Rectangle((nx - 1.3 * s, ny - 3.7 * s), 2.6 * s, 4.2 * s, **halo),
                  Polygon([(nx, ny), (nx - 0.6 * s, ny - 1.7 * s), (nx, ny - 1.2 * s),
                           (nx + 0.6 * s, ny - 1.7 * s)], color=INK, zorder=6)]
        words.append((nx, ny - 2.0 * s, "N", "top"))
    artists = [ax.add_patch(patch) for patch in drawn]
    artists += [ax.text(*at, text, ha="center", va=side, fontsize=8, zorder=6)
                for *at, text, side in words]
    for artist in artists if place == "outside" else []:
        artist.set(clip_on=False, in_layout=False)


def class_swatches(codes: Iterable[int]) -> list[Patch]:
    """Legend handles of classes: a swatch and the class's name."""
    return [Patch(facecolor=legend.COLOURS[c], edgecolor=QUIET, linewidth=0.5,
                  label=legend.NAMES[c]) for c in codes]


def class_key(ax: Axes, codes: Iterable[int] | None = None, columns: int = 1,
              extra: Sequence[Patch] = ()) -> None:
    """Fill an axes of its own with swatches and names: of the classes drawn, else of ``codes``."""
    codes = shown_classes(ax) if codes is None else codes
    ax.legend(handles=[*class_swatches(codes), *extra], loc="center left", ncols=columns,
              fontsize=9, handlelength=1.2, handleheight=1.1, borderaxespad=0)
    ax.axis("off")


def panels(count: int, columns: int, panel: float = 3.0, aspect: float = 1.0, **kwargs: Any
           ) -> tuple[Figure, list[Axes]]:
    """Make a grid of panels ``panel`` inches wide, ``aspect`` as high; switch off those left."""
    rows = math.ceil(count / columns)
    size = (panel * columns, (panel * aspect + 0.25) * rows + 0.6)
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **kwargs)
    flat = list(axes.flat)
    for ax in flat[count:]:
        ax.axis("off")
    return fig, flat[:count]


def light_grid(ax: Axes, axis: str = "x") -> None:
    """Draw thin grid lines below everything else."""
    ax.grid(axis=axis, color=GRID, linewidth=0.7)
    ax.set_axisbelow(True)


def interval(ax: Axes, low: float, high: float, at: float, colour: str, width: float,
             alpha: float) -> None:
    """Draw a horizontal bar from ``low`` to ``high`` at a height."""
    ax.plot([low, high], [at, at], color=colour, linewidth=width, alpha=alpha,
            solid_capstyle="butt")


def beside(ax: Axes, text: str, at: tuple[float, float], offset: Sequence[float], **look: Any,
           ) -> None:
    """Write a text next to a point of the data, ``offset`` in typographic points away."""
    ax.annotate(text, at, xytext=tuple(offset), textcoords="offset points", **look)


def row_names(ax: Axes, names: Sequence[str], **look: Any) -> None:
    """Name the rows 0, 1, … of a chart at its left."""
    ax.set_yticks(range(len(names)), names, **{"color": INK} | look)
