"""Printed numbers: what their digits allow."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

Verdict = Literal["match", "rounding", "mismatch"]
_EDGE = 1e-6


class Printed(NamedTuple):
    """A number as printed: its value as a fraction, and one unit of its last digit."""

    text: str
    value: float
    unit: float


def parse(text: str, unit: str = "") -> Printed:
    """A printed number; with unit "%" it is brought to a fraction.

    >>> parse("94.60", "%")
    Printed(text='94.60 %', value=0.946, unit=0.0001)
    """
    digits = text.replace(",", "")
    decimals = len(digits.partition(".")[2]) + (2 if unit == "%" else 0)
    return Printed(text + (" %" if unit == "%" else ""),
                   round(float(digits) / (100 if unit == "%" else 1), decimals),
                   round(10.0 ** -decimals, decimals))


def judge(printed: Printed, value: float) -> Verdict:
    """Whether a computed value can stand behind a printed number.

    ``match``: it rounds to the printed digits (a tie may go either way). ``rounding``: rounded, it
    is one unit of the last printed digit away. ``mismatch``: anything else. A whole number (a
    count) matches or does not.

    >>> judge(parse("0.727"), 80 / 110), judge(parse("0.799"), 0.8), judge(parse("0.724"), 80 / 110)
    ('match', 'rounding', 'mismatch')
    """
    if not math.isfinite(value):
        return "mismatch"
    units = abs(value - printed.value) / printed.unit
    if units <= 0.5 + _EDGE:
        return "match"
    return "rounding" if units <= 1.5 + _EDGE and printed.unit < 1 else "mismatch"


def padded(printed: Printed, value: float) -> int:
    """How many decimals were kept if it was rounded one digit early and a zero added; else 0.

    >>> padded(parse("0.7270"), 80 / 110), padded(parse("0.7273"), 80 / 110)
    (3, 0)
    """
    kept = round(-math.log10(printed.unit)) - 1
    if kept < 2 or not math.isfinite(value) or judge(printed, value) == "match":
        return 0
    coarse = 10.0 ** -kept
    on_grid = abs(printed.value / coarse - round(printed.value / coarse)) < _EDGE
    return kept if on_grid and abs(value - printed.value) <= (0.5 + _EDGE) * coarse else 0


def show(value: float, printed: Printed) -> str:
    """A computed value with one digit more than the printed number has, in the same unit."""
    if not math.isfinite(value):
        return "not defined"
    decimals = round(-math.log10(printed.unit))
    if not decimals:
        return f"{value:.0f}"
    if printed.text.endswith("%"):
        return f"{100 * value:.{decimals - 1}f} %"
    return f"{value:.{decimals + 1}f}"
