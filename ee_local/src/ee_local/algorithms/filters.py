"""``Filter``: whether an element passes.

A comparison with a property that an element lacks is not passed. The client sends ``neq``, ``lte``
and ``gte`` as the negation of another comparison, which such an element does pass; Google's service
may differ there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from ee_local import elements as el
from ee_local.algorithms.geometries import both, separation
from ee_local.errors import EngineError
from ee_local.filter_text import parse_filter
from ee_local.geometry import Geometry
from ee_local.registry import function

Test = Callable[[Any, Any], bool]


def _sides(name: str, left_field: str | None, right_value: Any, right_field: str | None,
           left_value: Any, test: Test) -> el.Filter:
    """Return a filter of two operands, each a property or a value."""
    def operand(element: el.Element, field: str | None, value: Any) -> Any:
        if field is None:
            return value
        return _geometry(element) if field == ".all" else el.get(element, field)

    def pair(left: el.Element, right: el.Element) -> bool:
        a = operand(left, left_field, left_value)
        b = operand(right, right_field, right_value)
        return a is not None and b is not None and bool(test(a, b))

    fields = frozenset(f for f in (left_field, right_field) if f is not None)
    return el.Filter(name, lambda e: pair(e, e), pair, fields - {".all", ".geo"})


def _geometry(element: el.Element) -> Geometry | None:
    return el.geometry_of(element)


def _compare(names: tuple[str, ...], test: Test, text: str) -> None:
    def built(left_field: str | None, right_value: Any, right_field: str | None,
              left_value: Any) -> el.Filter:
        def safe(a: Any, b: Any) -> bool:
            try:
                return test(el.sort_key(a), el.sort_key(b))
            except TypeError:
                return False
        return _sides(names[0], left_field, right_value, right_field, left_value, safe)

    built.__doc__ = text
    function(*(f"Filter.{n}" for n in names))(built)


_compare(("equals", "eq"), lambda a, b: a == b, "Pass where both sides are equal.")
_compare(("notEquals", "neq"), lambda a, b: a != b, "Pass where the sides differ.")
_compare(("lessThan", "lt"), lambda a, b: a < b, "Pass where the left side is less.")
_compare(("lessThanOrEquals", "lte"), lambda a, b: a <= b,
         "Pass where the left side is not greater.")
_compare(("greaterThan", "gt"), lambda a, b: a > b, "Pass where the left side is greater.")
_compare(("greaterThanOrEquals", "gte"), lambda a, b: a >= b,
         "Pass where the left side is not less.")
_compare(("stringStartsWith",), lambda a, b: a.startswith(b),
         "Pass where the left string starts with the right.")
_compare(("stringEndsWith",), lambda a, b: a.endswith(b),
         "Pass where the left string ends with the right.")
_compare(("stringContains",), lambda a, b: b in a,
         "Pass where the left string contains the right.")
_compare(("inList",), lambda a, b: a in b, "Pass where the left value is in the right list.")
_compare(("listContains",), lambda a, b: b in a, "Pass where the left list has the right value.")


@function("Filter.dateRangeContains")
def date_range_contains(left_field: str | None, right_value: Any, right_field: str | None,
                        left_value: Any) -> el.Filter:
    """Pass where the left range of dates holds the right date; its end is not part of it."""
    def test(span: Any, moment: Any) -> bool:
        if not isinstance(span, el.DateRange):
            raise EngineError("Filter.dateRangeContains: the left side must be a DateRange.")
        millis = el.sort_key(moment)
        return ((span.start is None or millis >= span.start)
                and (span.end is None or millis < span.end))
    return _sides("dateRangeContains", left_field, right_value, right_field, left_value, test)


def _spatial(name: str, relation: str, text: str) -> None:
    def built(left_field: str | None, right_value: Any, right_field: str | None,
              left_value: Any, margin: Any) -> el.Filter:
        def test(a: Any, b: Any) -> bool:
            one, two, _ = both(_shape(a), _shape(b))
            return getattr(one, relation)(two)
        return _sides(name, left_field, right_value, right_field, left_value, test)

    built.__doc__ = text
    function(f"Filter.{name}")(built)


def _shape(value: Any) -> Geometry:
    found = value
    if isinstance(value, el.Element):
        found = el.geometry_of(value)
    if not isinstance(found, Geometry):
        raise EngineError("Filter: a geometry is needed.")
    return found


_spatial("intersects", "intersects", "Pass where the geometries share a place.")
_spatial("disjoint", "disjoint", "Pass where the geometries share no place.")
_spatial("contains", "contains", "Pass where the left geometry contains the right.")
_spatial("isContained", "within", "Pass where the left geometry lies in the right.")


@function("Filter.withinDistance")
def within_distance(distance: float, left_field: str | None, right_value: Any,
                    right_field: str | None, left_value: Any, margin: Any) -> el.Filter:
    """Pass where the geometries are no further apart than a distance in metres."""
    return _sides("withinDistance", left_field, right_value, right_field, left_value,
                  lambda a, b: separation(_shape(a), _shape(b)) <= distance)


@function("Filter.maxDifference")
def max_difference(difference: float, left_field: str | None, right_value: Any,
                   right_field: str | None, left_value: Any) -> el.Filter:
    """Pass where the values differ by no more than a number."""
    return _sides("maxDifference", left_field, right_value, right_field, left_value,
                  lambda a, b: abs(el.sort_key(a) - el.sort_key(b)) <= difference)


@function("Filter.and")
def every(filters: list[el.Filter]) -> el.Filter:
    """Pass where all filters pass."""
    return el.Filter("and", lambda e: all(f.passes(e) for f in filters),
                     lambda a, b: all(f.pair(a, b) for f in filters), _fields(filters))


def _fields(filters: list[el.Filter]) -> frozenset[str]:
    """Return the properties that filters look at."""
    return frozenset().union(*(f.fields for f in filters))


@function("Filter.or")
def either(filters: list[el.Filter]) -> el.Filter:
    """Pass where a filter passes."""
    return el.Filter("or", lambda e: any(f.passes(e) for f in filters),
                     lambda a, b: any(f.pair(a, b) for f in filters), _fields(filters))


@function("Filter.not")
def negated(condition: el.Filter) -> el.Filter:
    """Pass where the filter does not."""
    return el.Filter("not", lambda e: not condition.passes(e),
                     lambda a, b: not condition.pair(a, b), condition.fields)


@function("Filter.notNull")
def not_null(names: list[str]) -> el.Filter:
    """Pass where all the properties are there."""
    def passes(element: el.Element) -> bool:
        return all(el.get(element, n) is not None for n in names)
    return el.Filter("notNull", passes, lambda a, b: passes(a), frozenset(names))


@function("Filter.rangeContains")
def range_contains(field: str, low: Any, high: Any) -> el.Filter:
    """Pass where a property lies in a range, its ends included."""
    def passes(element: el.Element) -> bool:
        value = el.get(element, field)
        return value is not None and el.sort_key(low) <= el.sort_key(value) <= el.sort_key(high)
    return el.Filter("rangeContains", passes, lambda a, b: passes(a), frozenset([field]))


@function("Filter.expression")
def expression(text: str) -> el.Filter:
    """Return the filter that a text such as ``'k >= 10 && k < 20'`` describes."""
    return parse_filter(text)


@function("Filter.dayOfYear")
def day_of_year(start: int, end: int) -> el.Filter:
    """Pass where the acquisition's day of the year is in a range, both ends included."""
    return _calendar(start, end, "day_of_year")


@function("Filter.calendarRange")
def calendar_range(start: int, end: int | None, field: str) -> el.Filter:
    """Pass where a part of the acquisition's date is in a range, both ends included.

    A range whose end is before its start goes over the turn of the year.
    """
    return _calendar(start, start if end is None else end, field)


_PARTS: dict[str, Callable[[dt.datetime], int]] = {
    "year": lambda d: d.year, "month": lambda d: d.month, "day_of_month": lambda d: d.day,
    "day_of_year": lambda d: d.timetuple().tm_yday, "hour": lambda d: d.hour,
    "minute": lambda d: d.minute, "day_of_week": lambda d: d.isoweekday(),
}


def _calendar(start: int, end: int, field: str) -> el.Filter:
    if field not in _PARTS:
        raise EngineError(f"Filter.calendarRange: field is {field!r}; it must be one of "
                          f"{', '.join(_PARTS)}.")

    def passes(element: el.Element) -> bool:
        millis = el.get(element, "system:time_start")
        if millis is None:
            return False
        part = _PARTS[field](dt.datetime.fromtimestamp(el.sort_key(millis) / 1000, dt.UTC))
        return start <= part <= end if start <= end else part >= start or part <= end
    return el.Filter("calendarRange", passes, lambda a, b: passes(a),
                     frozenset(["system:time_start"]))
