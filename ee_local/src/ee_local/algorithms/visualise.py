"""``Image.visualize`` and drawn collections: images as the eye should see them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize

from ee_local import elements as el
from ee_local.algorithms.images import select
from ee_local.errors import EngineError
from ee_local.geometry import Geometry
from ee_local.grid import Grid, Projection
from ee_local.pixels import (
    Band,
    Image,
    Pixels,
    PixelType,
    integer_type,
    meet,
)
from ee_local.registry import function

RGB = ("vis-red", "vis-green", "vis-blue")
BYTE = integer_type("uint8")
NAMED = {"black": "000000", "white": "ffffff", "red": "ff0000", "green": "008000",
         "lime": "00ff00", "blue": "0000ff", "yellow": "ffff00", "cyan": "00ffff",
         "magenta": "ff00ff", "gray": "808080", "grey": "808080", "orange": "ffa500",
         "purple": "800080", "brown": "a52a2a", "pink": "ffc0cb", "navy": "000080",
         "teal": "008080", "maroon": "800000", "olive": "808000", "silver": "c0c0c0",
         "darkgreen": "006400", "blueviolet": "8a2be2", "transparent": "00000000"}


def colour(text: Any) -> tuple[int, int, int, float]:
    """Return red, green, blue (0–255) and opacity (0–1) of a colour's name or hexadecimal digits.

    >>> colour("#49b94c"), colour("ff000080")[3] > 0.5
    ((73, 185, 76, 1.0), True)
    """
    digits = str(text).strip().lower().removeprefix("#")
    digits = NAMED.get(digits, digits)
    if len(digits) == 3:
        digits = "".join(2 * d for d in digits)
    if not re.fullmatch(r"[0-9a-f]{6}([0-9a-f]{2})?", digits):
        raise EngineError(f"The colour {str(text)[:30]!r} is not known; hexadecimal digits such as "
                          "'49b94c' are.")
    red, green, blue = (int(digits[i:i + 2], 16) for i in (0, 2, 4))
    return red, green, blue, int(digits[6:], 16) / 255 if len(digits) == 8 else 1.0


def _list(value: Any, name: str) -> list[float]:
    """Return one or several numbers: a number, a list, or text with commas."""
    if value is None:
        return []
    parts = value if isinstance(value, list) else str(value).split(",")
    try:
        return [float(v) for v in parts]
    except (TypeError, ValueError):
        raise EngineError(f"Image.visualize: {name} is {str(value)[:40]!r}; numbers are "
                          "needed.") from None


def _spread(values: list[float], number: int, default: list[float], name: str) -> list[float]:
    """Return one value for each band."""
    values = values or default
    if len(values) == 1:
        return values * number
    if len(values) != number:
        raise EngineError(f"Image.visualize: {name} has {len(values)} values for {number} bands.")
    return values


def _most(band: Band) -> float:
    """Return the value that is drawn brightest if none is given."""
    if band.type.precision != "int" or band.type.high is None:
        return 1.0
    return float(min(band.type.high, 2**31))


def _ranges(bands: list[Band], low: Any, high: Any, gain: Any,
            bias: Any) -> list[tuple[float, float]]:
    """Return the values drawn darkest and brightest, for each band."""
    n = len(bands)
    if gain is not None or bias is not None:
        if low is not None or high is not None:
            raise EngineError("Image.visualize: gain and bias cannot be given with min and max.")
        gains = _spread(_list(gain, "gain"), n, [1.0], "gain")
        starts = _spread(_list(bias, "bias"), n, [0.0], "bias")
        if 0 in gains:
            raise EngineError("Image.visualize: gain must not be 0.")
        return [(-b / g, (255 - b) / g) for g, b in zip(gains, starts, strict=True)]
    lows = _spread(_list(low, "min"), n, [0.0], "min")
    highs = _spread(_list(high, "max"), n, [_most(b) for b in bands], "max")
    return list(zip(lows, highs, strict=True))


@function("Image.visualize")
def visualize(image: Image, bands: Any, gain: Any, bias: Any, low: Any, high: Any, gamma: Any,
              opacity: float | None, palette: Any, force_rgb: bool) -> Image:
    """Return the image as red, green and blue from 0 to 255, or as grey.

    Values run linearly from ``min`` to ``max``, then to the power of 1 ÷ gamma; with a palette
    the colours between its entries are mixed. Rounded to the nearest of 256 steps.
    """
    names = bands.split(",") if isinstance(bands, str) else bands
    if not names:
        names = image.names[:3] if len(image.bands) >= 3 else image.names[:1]
    chosen = list(select(image, list(names), None).bands)
    if palette is not None and len(chosen) != 1:
        raise EngineError("Image.visualize: Cannot provide a palette when visualizing more than "
                          "one band.")
    if len(chosen) not in (1, 3):
        raise EngineError(f"Image.visualize: {len(chosen)} bands are given; 1 or 3 can be drawn.")
    ranges = _ranges(chosen, low, high, gain, bias)
    powers = [1 / g for g in _spread(_list(gamma, "gamma"), len(chosen), [1.0], "gamma") if g > 0]
    if len(powers) != len(chosen):
        raise EngineError("Image.visualize: gamma must be above 0.")
    alpha = 1.0 if opacity is None else float(np.clip(opacity, 0, 1))
    scaled = [_scaled(b, r, p, alpha) for b, r, p in zip(chosen, ranges, powers, strict=True)]
    if palette is not None:
        drawn = _coloured(scaled[0], palette)
    elif len(scaled) == 1 and not force_rgb:
        drawn = [_bytes(scaled[0]).renamed("vis-gray")]
    else:
        three = scaled * 3 if len(scaled) == 1 else scaled
        drawn = [_bytes(b).renamed(n) for b, n in zip(three, RGB, strict=True)]
    return Image(tuple(drawn), image.properties, image.footprint, output=image.output)


def _scaled(band: Band, limits: tuple[float, float], power: float, alpha: float) -> Band:
    """Return a band as shares from 0 to 1."""
    low, high = limits

    def read(grid: Grid) -> Pixels:
        pixels = band.read(grid)
        with np.errstate(all="ignore"):
            share = np.clip((pixels.values - low) / (high - low), 0, 1) if high != low \
                else (pixels.values > low) * 1.0
        mask = pixels.mask if alpha == 1 else (pixels.mask * np.float32(alpha))
        return Pixels(share**power, mask)
    return band.derived(read, PixelType("float", 0, 1))


def _bytes(band: Band) -> Band:
    def read(grid: Grid) -> Pixels:
        pixels = band.read(grid)
        return Pixels(np.floor(pixels.values * 255 + 0.5), pixels.mask)
    return band.derived(read, BYTE)


def _coloured(band: Band, palette: Any) -> list[Band]:
    """Return red, green and blue of shares by a palette; an entry's opacity goes to the mask."""
    entries = palette.split(",") if isinstance(palette, str) else list(palette)
    table = np.array([colour(c) for c in entries], dtype=np.float64)
    if not len(table):
        raise EngineError("Image.visualize: the palette is empty.")
    places = np.linspace(0, 1, len(table)) if len(table) > 1 else np.array([0.0])

    def channel(k: int) -> Band:
        def read(grid: Grid) -> Pixels:
            pixels = band.read(grid)
            values = np.interp(pixels.values, places, table[:, k])
            mask = pixels.mask
            if (table[:, 3] < 1).any():
                mask = meet(mask, np.interp(pixels.values, places, table[:, 3])
                            .astype(np.float32))
            return Pixels(np.floor(values + 0.5), mask)
        return band.derived(read, BYTE).renamed(RGB[k])
    return [channel(k) for k in range(3)]


def _drawn(shapes: list[tuple[Geometry, float]], grid: Grid) -> NDArray[np.bool_]:
    """Return pixels within some distance, in pixels of the grid, of geometries; 0 fills an area."""
    size = abs(grid.projection.transform[0])
    parts = []
    for geometry, reach in shapes:
        shape = geometry.to_crs(grid.projection.crs)
        parts.append(shape.buffer(reach * size) if reach else shape)
    parts = [p for p in parts if not p.is_empty]
    if not parts:
        return np.zeros(grid.shape, dtype=bool)
    return rasterize(parts, grid.shape, transform=grid.projection.affine(),
                     dtype="uint8").astype(bool)


def _layer(layers: list[tuple[list[tuple[Geometry, float]], tuple[int, int, int, float]]]) -> Image:
    """Return red, green and blue of shapes drawn in colours, the last on top."""
    @lru_cache(maxsize=1)
    def read_all(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        colours, alpha = np.zeros((3, *grid.shape)), np.zeros(grid.shape, dtype=np.float32)
        for shapes, (red, green, blue, opacity) in layers:
            where = _drawn(shapes, grid)
            colours[:, where] = np.array([[red], [green], [blue]])
            alpha[where] = opacity
        return colours, alpha

    def channel(k: int) -> Band:
        def read(grid: Grid) -> Pixels:
            colours, alpha = read_all(grid)
            return Pixels(colours[k], alpha)
        return Band(RGB[k], BYTE, read, Projection("EPSG:3857"))
    return Image(tuple(channel(k) for k in range(3)), {}, None)


@function("Collection.style")
def style(items: el.Collection, line: str, point_size: int, point_shape: str, width: float,
          fill: str | None, property_name: str | None, neighborhood: int,
          line_type: str) -> Image:
    """Return the features drawn: points as discs, lines, areas with an outline.

    Every point is a disc and every line is solid, whatever ``pointShape`` and ``lineType``.
    """
    edge = colour(line)
    inner = colour(fill) if fill is not None else (*edge[:3], edge[3] * 0.66)
    shapes = [g for g in map(el.geometry_of, items.elements) if g is not None]
    areas = [(g, 0.0) for g in shapes if g.shape.area > 0]
    outlines = [(_boundary(g), width / 2) for g in shapes
                if g.shape.geom_type not in ("Point", "MultiPoint")]
    points = [(g, point_size / 2 + width / 2) for g in shapes
              if g.shape.geom_type in ("Point", "MultiPoint")]
    layers = [(areas, inner), (outlines, edge), (points, edge),
              ([(g, point_size / 2) for g, _ in points], inner if fill is not None else edge)]
    return _layer([(s, c) for s, c in layers if s and c[3] > 0])


def _boundary(geometry: Geometry) -> Geometry:
    shape = geometry.shape
    return Geometry(shape.boundary if shape.area > 0 else shape, geometry.crs, geometry.geodesic)


@function("Collection.draw")
def draw(items: el.Collection, line: str, radius: int, width: int) -> Image:
    """Return the features drawn in one colour, areas half transparent."""
    red, green, blue, alpha = colour(line)
    text = f"{red:02x}{green:02x}{blue:02x}"
    return style(items, text, 2 * radius, "circle", float(width),
                 f"{text}{round(alpha * 127):02x}", None, 5, "solid")


@function("Image.paint")
def paint(image: Image, items: el.Collection, value: Any, width: Any) -> Image:
    """Paint a value on the features' areas, or on their outlines of a width in pixels.

    A feature's own property can give the value, if its name is given.
    """
    def read(band: Band, grid: Grid) -> Pixels:
        pixels = band.read(grid)
        values, mask = pixels.values.copy(), pixels.mask.copy()
        for feature in items.elements:
            geometry = el.geometry_of(feature)
            if geometry is None:
                continue
            number = el.get(feature, value) if isinstance(value, str) else value
            reach = el.get(feature, width) if isinstance(width, str) else width
            shapes = [(geometry, 0.0)] if reach is None else [(_boundary(geometry), reach / 2)]
            where = _drawn(shapes, grid)
            values[where], mask[where] = float(number or 0), True
        return Pixels(values, mask)

    return image.with_bands([b.derived(lambda g, b=b: read(b, g)) for b in image.bands])
