"""``Image`` casts and other changes of the values, and the normalised difference."""

from __future__ import annotations

from typing import Any

import numpy as np

from ee_local.algorithms.image_math import each, joined
from ee_local.errors import EngineError
from ee_local.pixels import DOUBLE, FLOAT, Image, PixelType, integer_type
from ee_local.registry import function


def cast(values: Any, kind: PixelType) -> Any:
    """Values as a type: cut to whole numbers and to its range, or rounded to float32."""
    if kind.precision == "double":
        return values
    if kind.precision == "float":
        return values.astype(np.float32).astype(np.float64)
    return np.clip(np.trunc(values), kind.low, kind.high)


def _cast(names: tuple[str, ...], kind: PixelType) -> None:
    def applied(image: Image) -> Image:
        return each(image, lambda v: cast(v, kind), lambda k: kind)

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
    """(first − second) ÷ (first + second) of two bands, named ``nd``.

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
    """The values cut to a range."""
    return each(image, lambda v: np.clip(v, low, high), lambda k: k)


@function("Image.unitScale")
def unit_scale(image: Image, low: float, high: float) -> Image:
    """(value − low) ÷ (high − low)."""
    return each(image, lambda v: (v - low) / (high - low), lambda k: DOUBLE)


@function("Image.polynomial")
def polynomial(image: Image, coefficients: list[float]) -> Image:
    """A polynomial of the values; the coefficients start with the constant."""
    return each(image, lambda v: np.polynomial.polynomial.polyval(v, coefficients),
                lambda k: DOUBLE)


@function("Image.interpolate")
def interpolate(image: Image, x: list[float], y: list[float], behavior: str) -> Image:
    """Values looked up on a line through points (x, y).

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
