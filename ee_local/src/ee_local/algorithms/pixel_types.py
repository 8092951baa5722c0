"""``PixelType``, casts and other changes of an image's values, and the normalised difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ee_local.algorithms.image_math import each, joined
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
    """Return a pixel type from its name or itself.

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
    """Return a pixel type from its precision (int, float, double) and limits."""
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
    """Return int, float or double."""
    return kind.precision


@function("PixelType.minValue")
def low(kind: PixelType) -> float | None:
    """Return the smallest value."""
    return kind.low


@function("PixelType.maxValue")
def high(kind: PixelType) -> float | None:
    """Return the largest value."""
    return kind.high


@function("PixelType.dimensions")
def dimensions(kind: PixelType) -> int:
    """Return the dimensions of an array type."""
    return kind.dimensions


@function("Image.cast")
def cast(image: Image, types: Mapping[str, Any], order: list[str] | None) -> Image:
    """Return the bands as other types, and in another order."""
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


def cast_values(values: Any, kind: PixelType) -> Any:
    """Return values as a type: cut to whole numbers and to its range, or rounded to float32."""
    if kind.precision == "double":
        return values
    if kind.precision == "float":
        return values.astype(np.float32).astype(np.float64)
    return np.clip(np.trunc(values), kind.low, kind.high)


def _cast(names: tuple[str, ...], kind: PixelType) -> None:
    def applied(image: Image) -> Image:
        return each(image, lambda v: cast_values(v, kind), lambda k: kind)

    applied.__doc__ = (f"The values as {kind.precision}"
                       + ("." if kind.low is None else f", cut to {kind.low} … {kind.high}."))
    function(*(f"Image.{n}" for n in names))(applied)


for _names, _type in (
    (("uint8", "toUint8", "byte", "toByte"), integer_type("uint8")),
    (("int8", "toInt8"), integer_type("int8")),
    (("uint16", "toUint16"), integer_type("uint16")),
    (("int16", "toInt16", "short", "toShort"), integer_type("int16")),
    (("uint32", "toUint32"), integer_type("uint32")),
    (("int32", "toInt32", "int", "toInt"), integer_type("int32")),
    (("int64", "toInt64", "long", "toLong"), integer_type("int64")),
    (("float", "toFloat"), FLOAT), (("double", "toDouble"), DOUBLE),
):
    _cast(_names, _type)


@function("Image.normalizedDifference")
def normalized_difference(image: Image, names: list[str] | None) -> Image:
    """Return (first − second) ÷ (first + second) of two bands, named ``nd``.

    Masked where an input is negative, as Earth Engine documents it.
    """
    chosen = image.names[:2] if names is None else names
    if len(chosen) != 2:
        raise EngineError("Image.normalizedDifference: two bands are needed.")
    one, two = (image.band(n) for n in chosen)

    def ratio(a: Any, b: Any) -> Any:
        return np.where((a >= 0) & (b >= 0), (a - b) / (a + b), np.nan)

    return image.plain([joined(one, two, "nd", PixelType("float", -1, 1), ratio)])


@function("Image.clamp")
def clamp(image: Image, low: float, high: float) -> Image:
    """Return the values cut to a range."""
    return each(image, lambda v: np.clip(v, low, high), lambda k: k)


@function("Image.unitScale")
def unit_scale(image: Image, low: float, high: float) -> Image:
    """Return (value − low) ÷ (high − low)."""
    return each(image, lambda v: (v - low) / (high - low), lambda k: DOUBLE)


@function("Image.polynomial")
def polynomial(image: Image, coefficients: list[float]) -> Image:
    """Return a polynomial of the values; the coefficients start with the constant."""
    return each(image, lambda v: np.polynomial.polynomial.polyval(v, coefficients),
                lambda k: DOUBLE)


@function("Image.interpolate")
def interpolate(image: Image, x: list[float], y: list[float], behavior: str) -> Image:
    """Return values looked up on a line through points (x, y).

    Outside the points, ``clamp`` repeats the end, ``mask`` masks, ``input`` keeps the value and
    ``extrapolate`` goes on with the last slope.
    """
    if len(x) != len(y) or len(x) < 2 or sorted(x) != list(x):
        raise EngineError("Image.interpolate: x must ascend and y must be as long, 2 or more.")

    def found(values: Any) -> Any:
        inner = np.interp(values, x, y)
        if behavior == "clamp":
            return inner
        low = {"mask": np.nan, "input": values}.get(
            behavior, y[0] + (values - x[0]) * (y[1] - y[0]) / (x[1] - x[0]))
        high = {"mask": np.nan, "input": values}.get(
            behavior, y[-1] + (values - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2]))
        return np.where(values < x[0], low, np.where(values > x[-1], high, inner))
    return each(image, found, lambda k: DOUBLE)
