"""Dates as registers write them: Polish, ISO, shapefile and epoch forms, and words for "no end"."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from lulc_lib.sites.layers import fold

Kind = Literal["day", "open", "empty", "unreadable"]

OPEN_WORDS = ("bezterminow", "nieokreslon", "nieoznaczon", "do odwolania", "indefinite")
"""Words (without diacritics) that say that there is no end."""

EMPTY_WORDS = ("", "-", "--", "brak", "brak danych", "b/d", "bd", "n/d", "null", "<null>", "none",
               "nan", "nat", "n/a")

YEARS = range(1700, 10_000)
_WARSAW = ZoneInfo("Europe/Warsaw")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000

_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_DAY_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})")
_TIME_ZONED = re.compile(r"T?\d{1,2}:\d{2}.*(Z|[+-]\d{2}:?\d{2})$", re.IGNORECASE)
_TIME = re.compile(r"[T\s]\s*\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|[+-]\d{2}(:?\d{2})?)?",
                   re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(\.0+)?")


class Parsed(NamedTuple):
    """A day, or None and why: ``open`` (no end is stated), ``empty``, ``unreadable``."""

    day: dt.date | None
    kind: Kind


def parse_date(value: object) -> Parsed:
    """The day that a register's value means.

    Understood are DD/MM/YYYY, DD.MM.YYYY and DD-MM-YYYY (with a time or the Polish ``r.`` behind),
    YYYY-MM-DD, YYYY/MM/DD and YYYYMMDD, ISO 8601 with time and zone, epoch milliseconds (numbers
    or digits, also before 1970), and date types. The day comes before the month where both orders
    are possible, and nothing is guessed: two-digit years, bare years and month-first dates are
    unreadable. A moment in time that is midnight in Poland is that Polish day (services store
    it as 22:00 or 23:00 UTC of the day before); any other moment is its UTC day.

    >>> parse_date("31.12.2028 r.").day, parse_date("Bezterminowo").kind
    (datetime.date(2028, 12, 31), 'open')
    >>> parse_date(1735599600000).day, parse_date("12/31/2028").kind
    (datetime.date(2024, 12, 31), 'unreadable')
    """
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return Parsed(None, "empty")
    if isinstance(value, np.datetime64):
        value = None if np.isnat(value) else value.astype("datetime64[us]").item()
        return parse_date(value)
    if isinstance(value, dt.datetime):
        return _moment(value)
    if isinstance(value, dt.date):
        return Parsed(value, "day")
    if isinstance(value, bool | np.bool_):
        return Parsed(None, "unreadable")
    if isinstance(value, int | float | np.number):
        return _number(value)
    return _text(str(value).strip())


def _moment(value: dt.datetime) -> Parsed:
    """The Polish day if the moment is midnight in Poland, else the UTC day (or the naive one)."""
    if value.tzinfo is None:
        return _in_range(value)
    polish = value.astimezone(_WARSAW)
    if polish.timetz().replace(tzinfo=None) == dt.time(0):
        return _in_range(polish)
    return _in_range(value.astimezone(dt.UTC))


def _in_range(value: dt.datetime) -> Parsed:
    return Parsed(value.date(), "day") if value.year in YEARS else Parsed(None, "unreadable")


def _number(value: float) -> Parsed:
    """YYYYMMDD if the digits are such a day, else milliseconds since 1970 (UTC)."""
    if not math.isfinite(value) or value != int(value):
        return Parsed(None, "unreadable")
    number = int(value)
    digits = str(number)
    if len(digits) == 8 and number > 0:
        compact = _day(digits[:4], digits[4:6], digits[6:])
        if compact.day is not None:
            return compact
    if abs(number) < _DAY_MS and number % _HOUR_MS:
        return Parsed(None, "unreadable")  # a year or a running number, not a moment in 1970
    try:
        return _moment(_EPOCH + dt.timedelta(milliseconds=number))
    except OverflowError:
        return Parsed(None, "unreadable")


def _text(text: str) -> Parsed:
    plain = fold(text)
    if plain in EMPTY_WORDS:
        return Parsed(None, "empty")
    if any(word in plain for word in OPEN_WORDS):
        return Parsed(None, "open")
    if _NUMBER.fullmatch(text):
        return _number(float(text))
    day_text = re.sub(r"\s*(r\.?|roku)$", "", text)
    for pattern, order in ((_YEAR_FIRST, (1, 3, 4)), (_DAY_FIRST, (4, 3, 1))):
        found = pattern.match(day_text)
        if found:
            rest = day_text[found.end():]
            day = _day(*(found.group(i) for i in order))
            if day.day is None or not rest:
                return day
            return _with_time(day.day, rest)
    return Parsed(None, "unreadable")


def _day(year: str, month: str, day: str) -> Parsed:
    try:
        found = dt.date(int(year), int(month), int(day))
    except ValueError:
        return Parsed(None, "unreadable")
    return Parsed(found, "day") if found.year in YEARS else Parsed(None, "unreadable")


def _with_time(day: dt.date, rest: str) -> Parsed:
    """A day with a time behind it; the time matters only if its zone is stated."""
    if not _TIME.fullmatch(rest):
        return Parsed(None, "unreadable")
    if not _TIME_ZONED.search(rest):
        return Parsed(day, "day")
    time = rest.strip().lstrip("Tt").strip().replace(",", ".")
    try:
        return _moment(dt.datetime.fromisoformat(f"{day.isoformat()}T{time.upper()}"))
    except ValueError:
        return Parsed(None, "unreadable")
