"""``PixelType``, and ``Image.cast``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ee_local.algorithms.image_values import cast as cast_values
from ee_local.coerce import coerce
from ee_local.errors import EngineError
from ee_local.grid import Grid
from ee_local.pixels import (
    DOUBLE,
    FLOAT,
    Band,
    Image,
    Pixels,
    PixelType,
    integer_type,
)
from ee_local.registry import function

NAMES = {**{n: integer_type(n) for n in ("int8", "uint8", "int16", "uint16", "int32", "uint32",
                                         "int64")}, "float": FLOAT, "double": DOUBLE}
WORDS = {"byte": "uint8", "short": "int16", "int": "int32", "long": "int64"}


def named_type(value: Any) -> PixelType:
    """A pixel type from its name or itself.

    Raises
    ------
    EngineError
        There is none of this name.
    """
    if isinstance(value, PixelType):
        return value
    found = NAMES.get(WORDS.get(str(value), str(value)))
    if found is None:
        raise EngineError(f"PixelType: {str(value)[:40]!r} is none; {', '.join(NAMES)} are.")
    return found


@function("PixelType")
def make(precision: Any, low: float | None, high: float | None, dimensions: int) -> PixelType:
    """A pixel type from its precision (int, float, double) and limits."""
    if isinstance(precision, PixelType):
        return precision
    if precision in ("int", "float", "double"):
        return PixelType(precision, low, high, dimensions)
    return named_type(precision)._replace(dimensions=dimensions)


def _constant(name: str, kind: PixelType) -> None:
    def build() -> PixelType:
        return kind

    build.__doc__ = f"The type {name}."
    function(f"PixelType.{name}")(build)


for _name, _kind in NAMES.items():
    _constant(_name, _kind)


@function("PixelType.precision")
def precision(kind: PixelType) -> str:
    """int, float or double."""
    return kind.precision


@function("PixelType.minValue")
def low(kind: PixelType) -> float | None:
    """The smallest value."""
    return kind.low


@function("PixelType.maxValue")
def high(kind: PixelType) -> float | None:
    """The largest value."""
    return kind.high


@function("PixelType.dimensions")
def dimensions(kind: PixelType) -> int:
    """The dimensions of an array type."""
    return kind.dimensions


@function("Image.cast")
def cast(image: Image, types: Mapping[str, Any], order: list[str] | None) -> Image:
    """The bands as other types, and in another order."""
    def changed(band: Band) -> Band:
        if band.name not in types:
            return band
        kind = named_type(types[band.name])

        def read(grid: Grid) -> Pixels:
            pixels = band.read(grid)
            return Pixels(cast_values(pixels.values, kind), pixels.mask)
        return band.derived(read, kind)

    found = [changed(b) for b in image.bands]
    by_name = {b.name: b for b in found}
    names = image.names if order is None else coerce(order, "List<String>", "Image.cast")
    missing = [n for n in (*types, *names) if n not in by_name]
    if missing:
        raise EngineError(f"Image.cast: the image has no band {missing[0]!r}.")
    return image.with_bands([by_name[n] for n in names])
