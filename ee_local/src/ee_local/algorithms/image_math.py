"""``Image`` arithmetic, pixel by pixel.

Bands are matched as Earth Engine matches them: by name where both images have the same names; a
single band goes with every band of the other image; else band by band in order. A result is masked
where one of its inputs is. Values are computed in double precision and keep it until a cast or an
export, so a ``float`` band can hold more digits than Google's service would give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ee_local.errors import EngineError
from ee_local.grid import Grid
from ee_local.pixels import (
    BOOLEAN,
    DOUBLE,
    FLOAT,
    Band,
    Image,
    Pixels,
    PixelType,
    integer_type,
    meet,
)
from ee_local.registry import function

Binary = Callable[[Any, Any], Any]


def pairs(one: Image, two: Image) -> list[tuple[Band, Band, str]]:
    """Return the bands to compute with, and the name of each result."""
    a, b = one.bands, two.bands
    if not a or not b:
        return []
    if len(b) == 1:
        return [(x, b[0], x.name) for x in a]
    if len(a) == 1:
        return [(a[0], y, y.name) for y in b]
    if set(one.names) == set(two.names):
        return [(x, two.band(x.name), x.name) for x in a]
    if len(a) != len(b):
        raise EngineError(f"Image: Images must contain 1 band or the same number of bands. Got "
                          f"{len(a)} and {len(b)}.")
    return [(x, y, x.name) for x, y in zip(a, b, strict=True)]


def joined(one: Band, two: Band, name: str, kind: PixelType, compute: Binary) -> Band:
    """Return a band computed from two; its projection is the first's that has one."""
    place = one if one.size is not None or two.size is None else two

    def read(grid: Grid) -> Pixels:
        a, b = one.read(grid), two.read(grid)
        with np.errstate(all="ignore"):
            values = np.asarray(compute(a.values, b.values), dtype=np.float64)
        whole = np.isfinite(values) if values.ndim == 2 else np.True_
        return Pixels(values, meet(a.mask, b.mask, whole))

    return Band(name, kind, read, place.projection, place.size)


def wider(one: PixelType, two: PixelType) -> PixelType:
    """Return the type that holds both."""
    if "double" in (one.precision, two.precision):
        return DOUBLE
    if "float" in (one.precision, two.precision):
        return FLOAT
    if None in (one.low, two.low):
        return PixelType("int")
    return PixelType("int", min(one.low, two.low), max(one.high, two.high))


def _interval(compute: Binary) -> Callable[[PixelType, PixelType], PixelType]:
    """Return the type of a result whose extremes are reached at the inputs' extremes."""
    def kind(one: PixelType, two: PixelType) -> PixelType:
        if one.precision != "int" or two.precision != "int" or None in (one.low, two.low):
            return wider(one, two)
        ends = [compute(x, y) for x in (one.low, one.high) for y in (two.low, two.high)]
        return PixelType("int", min(ends), max(ends))
    return kind


def _always(kind: PixelType) -> Callable[[PixelType, PixelType], PixelType]:
    return lambda one, two: kind


def _real(one: PixelType, two: PixelType) -> PixelType:
    return FLOAT if "double" not in (one.precision, two.precision) else DOUBLE


def _register(name: str, compute: Binary, kind: Callable[[PixelType, PixelType], PixelType],
              text: str) -> None:
    def applied(one: Image, two: Image) -> Image:
        bands = [joined(a, b, n, kind(a.type, b.type), compute) for a, b, n in pairs(one, two)]
        return (one if one.footprint is not None or two.footprint is None else two).plain(bands)

    applied.__doc__ = text
    function(f"Image.{name}")(applied)


def _truth(compute: Binary) -> Binary:
    return lambda a, b: compute(a, b).astype(np.float64)


def _modulo(a: Any, b: Any) -> Any:
    return np.fmod(a, b)


_whole_numbers = integer_type("int64")
_LONG = PixelType("int", _whole_numbers.low, _whole_numbers.high)


def _bits(compute: Binary) -> Binary:
    def applied(a: Any, b: Any) -> Any:
        return compute(np.asarray(a).astype(np.int64), np.asarray(b).astype(np.int64))
    return applied


for _name, _compute, _kind, _text in (
    ("add", np.add, _interval(lambda a, b: a + b), "The sum."),
    ("subtract", np.subtract, _interval(lambda a, b: a - b), "The difference."),
    ("multiply", np.multiply, _interval(lambda a, b: a * b), "The product."),
    ("divide", np.divide, _real, "The quotient; masked where the divisor is 0."),
    ("max", np.maximum, wider, "The larger value."),
    ("min", np.minimum, wider, "The smaller value."),
    ("mod", _modulo, wider, "The remainder of the division."),
    ("pow", np.power, _always(DOUBLE), "The left value to the power of the right."),
    ("atan2", lambda a, b: np.arctan2(b, a), _always(DOUBLE),
     "The angle of the vector (x, y) = (left, right)."),
    ("hypot", np.hypot, _always(DOUBLE), "The length of the vector (left, right)."),
    ("eq", _truth(np.equal), _always(BOOLEAN), "1 where the values are equal."),
    ("neq", _truth(np.not_equal), _always(BOOLEAN), "1 where the values differ."),
    ("lt", _truth(np.less), _always(BOOLEAN), "1 where the left value is less."),
    ("lte", _truth(np.less_equal), _always(BOOLEAN), "1 where the left value is not greater."),
    ("gt", _truth(np.greater), _always(BOOLEAN), "1 where the left value is greater."),
    ("gte", _truth(np.greater_equal), _always(BOOLEAN), "1 where the left value is not less."),
    ("and", _truth(np.logical_and), _always(BOOLEAN), "1 where both values are not 0."),
    ("or", _truth(np.logical_or), _always(BOOLEAN), "1 where a value is not 0."),
    ("first", lambda a, b: a + 0 * b, wider, "The left value."),
    ("firstNonZero", lambda a, b: np.where(a != 0, a, b), wider,
     "The left value, the right one where that is 0."),
    ("bitwiseAnd", _bits(np.bitwise_and), _always(_LONG), "The bits both values have."),
    ("bitwiseOr", _bits(np.bitwise_or), _always(_LONG), "The bits a value has."),
    ("bitwiseXor", _bits(np.bitwise_xor), _always(_LONG), "The bits just one value has."),
    ("leftShift", _bits(np.left_shift), _always(_LONG), "The left value's bits moved up."),
    ("rightShift", _bits(np.right_shift), _always(_LONG), "The left value's bits moved down."),
):
    _register(_name, _compute, _kind, _text)


def each(image: Image, compute: Callable[[Any], Any],
         kind: Callable[[PixelType], PixelType]) -> Image:
    """Return every band with its values changed; masked where the result is no number."""
    def changed(band: Band) -> Band:
        def read(grid: Grid) -> Pixels:
            pixels = band.read(grid)
            with np.errstate(all="ignore"):
                values = np.asarray(compute(pixels.values), dtype=np.float64)
            whole = np.isfinite(values) if values.ndim == 2 else np.True_
            return Pixels(values, meet(pixels.mask, whole))
        return band.derived(read, kind(band.type))
    return image.plain([changed(b) for b in image.bands])


def _unary(name: str, compute: Callable[[Any], Any], kind: Callable[[PixelType], PixelType],
           text: str) -> None:
    def applied(image: Image) -> Image:
        return each(image, compute, kind)

    applied.__doc__ = text
    function(f"Image.{name}")(applied)


def _same(kind: PixelType) -> PixelType:
    return kind


def _magnitude(kind: PixelType) -> PixelType:
    if kind.low is None:
        return kind
    return PixelType(kind.precision, 0, max(abs(kind.low), abs(kind.high)))


def _rounded(kind: PixelType) -> PixelType:
    return kind if kind.precision == "int" else _LONG


def special(name: str) -> Callable[[Any], Any]:
    """Return a function of scipy.special, which takes long to import."""
    def applied(values: Any) -> Any:
        from scipy import special

        return getattr(special, name)(values)
    return applied


def _half_up(values: Any) -> Any:
    return np.floor(values + 0.5)


for _name, _one, _change, _text in (
    ("not", lambda v: (v == 0) * 1.0, lambda k: BOOLEAN, "1 where the value is 0, else 0."),
    ("abs", np.abs, _magnitude, "The value without its sign."),
    ("signum", np.sign, lambda k: PixelType("int", -1, 1), "-1, 0 or 1: the value's sign."),
    ("floor", np.floor, _rounded, "The next whole number below."),
    ("ceil", np.ceil, _rounded, "The next whole number above."),
    ("round", _half_up, _rounded, "The nearest whole number, halves upwards."),
    ("sqrt", np.sqrt, lambda k: DOUBLE, "The square root."),
    ("cbrt", np.cbrt, lambda k: DOUBLE, "The cube root."),
    ("exp", np.exp, lambda k: DOUBLE, "e to the power of the value."),
    ("log", np.log, lambda k: DOUBLE, "The natural logarithm."),
    ("log10", np.log10, lambda k: DOUBLE, "The logarithm to base 10."),
    ("sin", np.sin, lambda k: DOUBLE, "The sine of an angle in radians."),
    ("cos", np.cos, lambda k: DOUBLE, "The cosine of an angle in radians."),
    ("tan", np.tan, lambda k: DOUBLE, "The tangent of an angle in radians."),
    ("asin", np.arcsin, lambda k: DOUBLE, "The arcsine in radians."),
    ("acos", np.arccos, lambda k: DOUBLE, "The arccosine in radians."),
    ("atan", np.arctan, lambda k: DOUBLE, "The arctangent in radians."),
    ("sinh", np.sinh, lambda k: DOUBLE, "The hyperbolic sine."),
    ("cosh", np.cosh, lambda k: DOUBLE, "The hyperbolic cosine."),
    ("tanh", np.tanh, lambda k: DOUBLE, "The hyperbolic tangent."),
    ("erf", special("erf"), lambda k: DOUBLE, "The error function."),
    ("erfc", special("erfc"), lambda k: DOUBLE, "One minus the error function."),
    ("gamma", special("gamma"), lambda k: DOUBLE, "The gamma function."),
):
    _unary(_name, _one, _change, _text)
