"""``Number``: arithmetic, comparison, casts and text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from ee_local.algorithms.image_math import special
from ee_local.errors import EngineError
from ee_local.pixels import PixelType, integer_type
from ee_local.registry import function

Numeric = int | float


def _binary(name: str, compute: Callable[[Any, Any], Any], text: str) -> None:
    def applied(left: Numeric, right: Numeric) -> Numeric:
        return _safe(compute, left, right)

    applied.__doc__ = text
    function(f"Number.{name}")(applied)


def _unary(name: str, compute: Callable[[Any], Any], text: str) -> None:
    def applied(value: Numeric) -> Numeric:
        return _safe(compute, value)

    applied.__doc__ = text
    function(f"Number.{name}")(applied)


def _safe(compute: Callable[..., Any], *values: Numeric) -> Numeric:
    """Return the result; NaN where it is not defined, infinity where it is too large.

    A whole number of more than 64 bits becomes a real one.
    """
    try:
        found = compute(*values)
        if isinstance(found, int) and found.bit_length() > 64:
            found = float(found)
    except (ZeroDivisionError, ValueError):
        return math.nan
    except OverflowError:
        return math.inf
    return math.nan if isinstance(found, complex) else found


def divide(left: Numeric, right: Numeric) -> float:
    """Return the quotient; infinite or NaN by 0."""
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)
    return left / right


def _modulo(left: Numeric, right: Numeric) -> Numeric:
    return math.fmod(left, right)


def _shift(compute: Callable[[int, int], int]) -> Callable[[Any, Any], int]:
    def applied(left: Numeric, right: Numeric) -> int:
        if not 0 <= right < 64:
            raise EngineError(f"Number: a shift by {right} bits cannot be.")
        return compute(int(left), int(right))
    return applied


for _name, _compute, _text in (
    ("add", lambda a, b: a + b, "The sum."), ("subtract", lambda a, b: a - b, "The difference."),
    ("multiply", lambda a, b: a * b, "The product."), ("divide", divide, "The quotient."),
    ("max", max, "The larger number."), ("min", min, "The smaller number."),
    ("mod", _modulo, "The remainder of the division."),
    ("pow", lambda a, b: math.pow(a, b), "The left number to the power of the right."),
    ("atan2", lambda a, b: math.atan2(b, a), "The angle of the vector (x, y) = (left, right)."),
    ("hypot", math.hypot, "The length of the vector (left, right)."),
    ("eq", lambda a, b: int(a == b), "1 if the numbers are equal."),
    ("neq", lambda a, b: int(a != b), "1 if the numbers differ."),
    ("lt", lambda a, b: int(a < b), "1 if the left number is less."),
    ("lte", lambda a, b: int(a <= b), "1 if the left number is not greater."),
    ("gt", lambda a, b: int(a > b), "1 if the left number is greater."),
    ("gte", lambda a, b: int(a >= b), "1 if the left number is not less."),
    ("and", lambda a, b: int(bool(a) and bool(b)), "1 if both numbers are not 0."),
    ("or", lambda a, b: int(bool(a) or bool(b)), "1 if a number is not 0."),
    ("first", lambda a, b: a, "The left number."),
    ("firstNonZero", lambda a, b: a or b, "The left number, the right one if that is 0."),
    ("bitwiseAnd", lambda a, b: int(a) & int(b), "The bits both numbers have."),
    ("bitwiseOr", lambda a, b: int(a) | int(b), "The bits a number has."),
    ("bitwiseXor", lambda a, b: int(a) ^ int(b), "The bits just one number has."),
    ("leftShift", _shift(lambda a, b: a << b), "The left number's bits moved up."),
    ("rightShift", _shift(lambda a, b: a >> b), "The left number's bits moved down."),
):
    _binary(_name, _compute, _text)

for _name, _one, _text in (
    ("not", lambda v: int(v == 0), "1 if the number is 0, else 0."),
    ("abs", abs, "The number without its sign."),
    ("signum", lambda v: (v > 0) - (v < 0), "-1, 0 or 1: the number's sign."),
    ("floor", lambda v: math.floor(v), "The next whole number below."),
    ("ceil", lambda v: math.ceil(v), "The next whole number above."),
    ("round", lambda v: math.floor(v + 0.5), "The nearest whole number, halves upwards."),
    ("sqrt", math.sqrt, "The square root."), ("cbrt", math.cbrt, "The cube root."),
    ("exp", math.exp, "e to the power of the number."),
    ("log", math.log, "The natural logarithm."), ("log10", math.log10, "The logarithm to base 10."),
    ("sin", math.sin, "The sine of an angle in radians."),
    ("cos", math.cos, "The cosine of an angle in radians."),
    ("tan", math.tan, "The tangent of an angle in radians."),
    ("asin", math.asin, "The arcsine in radians."),
    ("acos", math.acos, "The arccosine in radians."),
    ("atan", math.atan, "The arctangent in radians."), ("sinh", math.sinh, "The hyperbolic sine."),
    ("cosh", math.cosh, "The hyperbolic cosine."), ("tanh", math.tanh, "The hyperbolic tangent."),
    ("erf", math.erf, "The error function."), ("erfc", math.erfc, "One minus the error function."),
    ("gamma", math.gamma, "The gamma function."),
    ("digamma", special("digamma"), "The digamma function."),
    ("erfInv", special("erfinv"), "The inverse of the error function."),
    ("bitwiseNot", lambda v: ~int(v), "The bits the number has not."),
    ("bitCount", lambda v: (int(v) & (2**64 - 1)).bit_count(), "The number of bits that are 1."),
):
    _unary(_name, _one, _text)


def cast(value: Numeric, kind: PixelType) -> int:
    """Return a number cut to a whole one, and to a type's range."""
    if not math.isfinite(value):
        return 0 if math.isnan(value) else int(kind.high if value > 0 else kind.low)
    return int(min(max(int(value), kind.low), kind.high))


def _cast(names: tuple[str, ...], kind: PixelType) -> None:
    def applied(value: Numeric) -> int:
        return cast(value, kind)

    applied.__doc__ = f"The number as a whole one, cut to {kind.low} … {kind.high}."
    function(*(f"Number.{n}" for n in names))(applied)


for _names, _type in (
    (("uint8", "toUint8", "byte", "toByte"), "uint8"), (("int8", "toInt8"), "int8"),
    (("uint16", "toUint16"), "uint16"), (("int16", "toInt16", "short", "toShort"), "int16"),
    (("uint32", "toUint32"), "uint32"), (("int32", "toInt32", "int", "toInt"), "int32"),
    (("int64", "toInt64", "long", "toLong"), "int64"),
):
    _cast(_names, integer_type(_type))


@function("Number.float", "Number.toFloat", "Number.double", "Number.toDouble")
def to_float(value: Numeric) -> float:
    """Return the number as a real one."""
    return float(value)


@function("Number.clamp")
def clamp(value: Numeric, low: Numeric, high: Numeric) -> Numeric:
    """Return the number cut to a range."""
    return min(max(value, low), high)


@function("Number.unitScale")
def unit_scale(value: Numeric, low: Numeric, high: Numeric) -> float:
    """Return (number − low) ÷ (high − low), not cut."""
    return divide(value - low, high - low)


@function("Number.parse")
def parse(text: str, radix: int) -> Numeric:
    """Return a number from text; whole ones in any base."""
    try:
        if radix != 10:
            return int(text, radix)
        found = float(text)
        return int(text) if text.strip().lstrip("+-").isdecimal() else found
    except ValueError:
        raise EngineError(f"Number.parse: {text[:40]!r} is no number in base {radix}.") from None


@function("Number.format")
def formatted(value: Numeric, pattern: str) -> str:
    """Return the number as text, by a pattern such as ``%.2f``, ``%d``, ``%03d`` or ``%s``."""
    found = re.fullmatch(r"([^%]*)%([-+0 ,#]*)(\d{0,3})(\.\d{1,3})?([dfeEgsxX])([^%]*)", pattern)
    if found is None:
        raise EngineError(f"Number.format: the pattern {pattern[:40]!r} cannot be read.")
    before, flags, width, digits, kind, after = found.groups()
    if kind in "dxX" and isinstance(value, float) and not value.is_integer():
        raise EngineError(f"Number.format: {value:g} is no whole number, as %{kind} needs.")
    if kind == "s":
        text = str(int(value)) if float(value).is_integer() else repr(value)
        return before + text.rjust(int(width or 0)) + after
    spec = ("<" if "-" in flags else "") + ("+" if "+" in flags else "") \
        + ("0" if "0" in flags and "-" not in flags else "") + width \
        + ("," if "," in flags else "") + (digits or "") + kind
    return before + format(int(value) if kind in "dxX" else float(value), spec) + after
