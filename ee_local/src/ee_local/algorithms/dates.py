"""``Date`` and ``DateRange``; all times are UTC unless a time zone is given."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from ee_local.coerce import coerce, parse_moment
from ee_local.elements import Date, DateRange
from ee_local.errors import EngineError
from ee_local.registry import function

MILLIS = {"second": 1000.0, "minute": 60_000.0, "hour": 3_600_000.0, "day": 86_400_000.0,
          "week": 604_800_000.0}
MONTH = 86_400_000 * 365.2425 / 12
PATTERN = re.compile(r"'([^']*)'|([A-Za-z])\2*")


def unit_name(unit: str) -> str:
    """Return a unit of time without its plural.

    Raises
    ------
    EngineError
        It is none.
    """
    name = unit.lower().rstrip("s")
    if name not in (*MILLIS, "month", "year"):
        raise EngineError(f"Date: unit is {unit!r}; it must be year, month, week, day, hour, "
                          "minute or second.")
    return name


def _zone(name: str | None) -> dt.tzinfo:
    if not name:
        return dt.UTC
    if name not in _zones():
        raise EngineError(f"Date: the time zone {name[:40]!r} is not known.")
    return ZoneInfo(name)


@cache
def _zones() -> set[str]:
    return available_timezones()


def moment(date: Date, zone: str | None = None) -> dt.datetime:
    """Return the date as Python's, in a time zone."""
    try:
        start = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=date.millis)
        return start.astimezone(_zone(zone))
    except OverflowError:
        raise EngineError(f"Date: {date.millis:g} ms lies outside the calendar.") from None


def _date(value: dt.datetime) -> Date:
    return Date(round((value - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).total_seconds() * 1000))


@function("Date")
def date(value: Any, zone: str | None) -> Date:
    """Return a date from milliseconds since 1970 or an ISO 8601 text."""
    if isinstance(value, str) and zone is not None:
        naive = moment(Date(parse_moment(value))).replace(tzinfo=_zone(zone))
        return _date(naive)
    return coerce(value, "Date", "Date, argument 'value'")


@function("Date.fromYMD")
def from_ymd(year: int, month: int, day: int, zone: str | None) -> Date:
    """Return a date from year, month and day."""
    try:
        return _date(dt.datetime(year, month, day, tzinfo=_zone(zone)))
    except ValueError as error:
        raise EngineError(f"Date.fromYMD: {error}.") from None


@function("Date.millis")
def millis(date: Date) -> float:
    """Return milliseconds since 1970."""
    return date.millis


@function("Date.advance")
def advance(date: Date, delta: float, unit: str, zone: str | None) -> Date:
    """Return a date later by a number of units; months keep the day, or take the month's last."""
    name = unit_name(unit)
    if name in MILLIS:
        return Date(date.millis + delta * MILLIS[name])
    start = moment(date, zone)
    try:
        months = start.year * 12 + start.month - 1 + int(delta) * (12 if name == "year" else 1)
        year, month = divmod(months, 12)
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        return _date(start.replace(year=year, month=month + 1, day=day))
    except (OverflowError, ValueError):
        raise EngineError(f"Date.advance: {delta:g} {name}s lead out of the calendar.") from None


@function("Date.difference")
def difference(date: Date, start: Date, unit: str) -> float:
    """Return units from the start to the date; months and years are of average length."""
    name = unit_name(unit)
    size = MILLIS.get(name, MONTH * (12 if name == "year" else 1))
    return (date.millis - start.millis) / size


@function("Date.get")
def get(date: Date, unit: str, zone: str | None) -> int:
    """Return a unit of the date, such as its month."""
    value, name = moment(date, zone), unit_name(unit)
    return value.isocalendar().week if name == "week" else getattr(value, name)


@function("Date.getRelative")
def get_relative(date: Date, unit: str, within: str, zone: str | None) -> int:
    """Return a unit's number within a larger one, from 0, such as the day in the year."""
    value = moment(date, zone)
    start = _floor(value, unit_name(within))
    name = unit_name(unit)
    if name == "month":
        return (value.year - start.year) * 12 + value.month - start.month
    return int((value - start).total_seconds() * 1000 // MILLIS[name])


def _floor(value: dt.datetime, unit: str) -> dt.datetime:
    """Return the start of the unit a moment lies in."""
    parts = {"year": {"month": 1, "day": 1, "hour": 0}, "month": {"day": 1, "hour": 0},
             "week": {"hour": 0}, "day": {"hour": 0}, "hour": {}, "minute": {}, "second": {}}[unit]
    if unit not in ("minute", "second"):
        parts = {**parts, "minute": 0}
    if unit != "second":
        parts = {**parts, "second": 0}
    start = value.replace(microsecond=0, **parts)
    return start - dt.timedelta(days=start.weekday()) if unit == "week" else start


@function("Date.getRange")
def get_range(date: Date, unit: str, zone: str | None) -> DateRange:
    """Return the unit that holds the date, such as its month."""
    start = _date(_floor(moment(date, zone), unit_name(unit)))
    return DateRange(start.millis, advance(start, 1, unit, zone).millis)


@function("Date.update")
def update(date: Date, year: int | None, month: int | None, day: int | None, hour: int | None,
           minute: int | None, second: float | None, zone: str | None) -> Date:
    """Return the date with some of its units replaced."""
    parts = {"year": year, "month": month, "day": day, "hour": hour, "minute": minute,
             "second": None if second is None else int(second)}
    try:
        given = {k: v for k, v in parts.items() if v is not None}
        return _date(moment(date, zone).replace(**given))
    except ValueError as error:
        raise EngineError(f"Date.update: {error}.") from None


@function("Date.unitRatio")
def unit_ratio(numerator: str, denominator: str) -> float:
    """Return how many of one unit another has."""
    sizes = {**MILLIS, "month": MONTH, "year": 12 * MONTH}
    return sizes[unit_name(numerator)] / sizes[unit_name(denominator)]


_WORDS = {
    "y": lambda d, n: f"{d.year % 100:02d}" if n == 2 else f"{d.year:0{n}d}",
    "M": lambda d, n: (f"{d.month:0{n}d}" if n < 3
                       else calendar.month_abbr[d.month] if n == 3
                       else calendar.month_name[d.month]),
    "d": lambda d, n: f"{d.day:0{n}d}",
    "D": lambda d, n: f"{d.timetuple().tm_yday:0{n}d}",
    "H": lambda d, n: f"{d.hour:0{n}d}",
    "h": lambda d, n: f"{(d.hour - 1) % 12 + 1:0{n}d}",
    "m": lambda d, n: f"{d.minute:0{n}d}",
    "s": lambda d, n: f"{d.second:0{n}d}",
    "S": lambda d, n: f"{d.microsecond:06d}"[:n].ljust(n, "0"),
    "a": lambda d, n: "AM" if d.hour < 12 else "PM",
    "E": lambda d, n: (calendar.day_abbr if n <= 3 else calendar.day_name)[d.weekday()],
    "e": lambda d, n: f"{d.isoweekday():0{n}d}",
    "w": lambda d, n: f"{d.isocalendar().week:0{n}d}",
}
_WORDS["Y"] = _WORDS["x"] = _WORDS["y"]


@function("Date.format")
def formatted(date: Date, pattern: str | None, zone: str | None) -> str:
    """Return the date as text, by a Joda pattern; ISO 8601 by default."""
    value = moment(date, zone)
    if pattern is None:
        return f"{value:%Y-%m-%dT%H:%M:%S}"

    def word(found: re.Match[str]) -> str:
        if found.group(1) is not None:
            return found.group(1) or "'"
        letter = found.group(2)
        if letter not in _WORDS:
            raise EngineError(f"Date.format: the letter {letter!r} is not implemented by the "
                              "local Earth Engine.")
        return _WORDS[letter](value, len(found.group(0)))
    return PATTERN.sub(word, pattern)


@function("DateRange")
def date_range(start: Any, end: Any, zone: str | None) -> DateRange:
    """Return a span of time; without an end, a single moment."""
    first = date(start, zone).millis
    last = first + 1 if end is None else date(end, zone).millis
    if last < first:
        raise EngineError("DateRange: the end is before the start.")
    return DateRange(first, last)


@function("DateRange.unbounded")
def unbounded() -> DateRange:
    """Return all time."""
    return DateRange(None, None)


@function("DateRange.start")
def start(span: DateRange) -> Date:
    """Return the start of a span."""
    return Date(_bound(span.start))


@function("DateRange.end")
def end(span: DateRange) -> Date:
    """Return the end of a span, which is not part of it."""
    return Date(_bound(span.end))


def _bound(value: float | None) -> float:
    if value is None:
        raise EngineError("DateRange: the range has no bounds.")
    return value


def _numbers(span: DateRange) -> tuple[float, float]:
    infinity = float("inf")
    return (-infinity if span.start is None else span.start,
            infinity if span.end is None else span.end)


@function("DateRange.contains")
def contains(span: DateRange, other: Any) -> bool:
    """Return whether a date or a span lies in the span."""
    low, high = _numbers(span)
    if isinstance(other, DateRange):
        first, last = _numbers(other)
        return low <= first and last <= high
    return low <= coerce(other, "Date", "DateRange.contains").millis < high


@function("DateRange.intersects")
def intersects(span: DateRange, other: DateRange) -> bool:
    """Return whether the spans share a moment."""
    (a, b), (c, d) = _numbers(span), _numbers(other)
    return max(a, c) < min(b, d)


@function("DateRange.isEmpty")
def is_empty(span: DateRange) -> bool:
    """Return whether the span holds no moment."""
    low, high = _numbers(span)
    return low >= high


@function("DateRange.isUnbounded")
def is_unbounded(span: DateRange) -> bool:
    """Return whether the span has no bounds."""
    return span.start is None and span.end is None
