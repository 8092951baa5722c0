"""``List``: elements, sequences, orders, and functions over all elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ee_local import elements as el
from ee_local.algorithms.strings import make
from ee_local.coerce import coerce
from ee_local.errors import EngineError
from ee_local.geometry import Geometry
from ee_local.limits import MOST_CHARACTERS, MOST_ITEMS, spend
from ee_local.reduction import Reducer
from ee_local.registry import function


def same(one: Any, two: Any) -> bool:
    """Return whether two values are equal; arrays element by element."""
    if isinstance(one, np.ndarray) or isinstance(two, np.ndarray):
        return np.array_equal(one, two)
    return (type(one) is not bool and type(two) is not bool and one == two) or one is two


def _place(values: list[Any], element: Any) -> int:
    spend(len(values) // 100)
    return next((i for i, v in enumerate(values) if same(v, element)), -1)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)


class _Members:
    """The different elements of a list; numbers and texts are found at once, others one by one."""

    def __init__(self, values: list[Any]) -> None:
        self._plain: set[Any] = set()
        self._others: list[Any] = []
        for value in values:
            self.add(value)

    def __contains__(self, value: Any) -> bool:
        if _is_plain(value):
            return value in self._plain
        return _place(self._others, value) >= 0

    def add(self, value: Any) -> bool:
        """Add a value; return whether it was not there."""
        if value in self:
            return False
        if _is_plain(value):
            self._plain.add(value)
        else:
            self._others.append(value)
        return True


def _position(values: list[Any], index: int, where: str) -> int:
    """Return a position from the start; negative ones count from the end."""
    if not -len(values) <= index < len(values):
        raise EngineError(f"{where}: List index must be between {-len(values)} and "
                          f"{len(values) - 1}, was {index}.")
    return index % len(values)


@function("List.add")
def add(values: list[Any], element: Any) -> list[Any]:
    """Return the list with an element at its end."""
    return [*values, element]


@function("List.cat")
def cat(values: list[Any], other: list[Any]) -> list[Any]:
    """Return two lists as one."""
    return [*values, *other]


@function("List.contains")
def contains(values: list[Any], element: Any) -> bool:
    """Return whether an element is in the list."""
    return _place(values, element) >= 0


@function("List.containsAll")
def contains_all(values: list[Any], other: list[Any]) -> bool:
    """Return whether all elements of another list are in the list."""
    members = _Members(values)
    return all(v in members for v in other)


@function("List.distinct")
def distinct(values: list[Any]) -> list[Any]:
    """Return the list without repetitions."""
    members = _Members([])
    return [v for v in values if members.add(v)]


@function("List.equals")
def equals(values: list[Any], other: list[Any]) -> bool:
    """Return whether two lists have the same elements in the same order."""
    return len(values) == len(other) and all(map(same, values, other))


@function("List.flatten")
def flatten(values: list[Any]) -> list[Any]:
    """Return the elements of the lists within the list."""
    out: list[Any] = []
    for value in values:
        out.extend(flatten(value) if isinstance(value, list) else [value])
        if len(out) > MOST_ITEMS:
            break  # refused, as any list of that length
    return out


@function("List.frequency")
def frequency(values: list[Any], element: Any) -> int:
    """Return how often an element is in the list."""
    return sum(same(v, element) for v in values)


@function("List.get")
def get(values: list[Any], index: int) -> Any:
    """Return the element at a position; negative ones count from the end."""
    return values[_position(values, index, "List.get")]


@function("List.getNumber")
def get_number(values: list[Any], index: int) -> float:
    """Return the number at a position."""
    return coerce(get(values, index), "Number", "List.getNumber")


@function("List.getString")
def get_string(values: list[Any], index: int) -> str:
    """Return the string at a position."""
    return coerce(get(values, index), "String", "List.getString")


@function("List.getGeometry")
def get_geometry(values: list[Any], index: int) -> Geometry:
    """Return the geometry at a position."""
    return coerce(get(values, index), "Geometry", "List.getGeometry")


@function("List.getArray")
def get_array(values: list[Any], index: int) -> np.ndarray:
    """Return the array at a position."""
    return coerce(get(values, index), "Array", "List.getArray")


@function("List.indexOf")
def index_of(values: list[Any], element: Any) -> int:
    """Return the position of an element; −1 if it is not in the list."""
    return _place(values, element)


@function("List.indexOfSublist")
def index_of_sublist(values: list[Any], target: list[Any]) -> int:
    """Return where a list first occurs within the list; −1 if it does not."""
    starts = range(len(values) - len(target) + 1)
    return next((i for i in starts if equals(values[i:i + len(target)], target)), -1)


@function("List.lastIndexOfSubList")
def last_index_of_sublist(values: list[Any], target: list[Any]) -> int:
    """Return where a list last occurs within the list; −1 if it does not."""
    starts = reversed(range(len(values) - len(target) + 1))
    return next((i for i in starts if equals(values[i:i + len(target)], target)), -1)


@function("List.insert")
def insert(values: list[Any], index: int, element: Any) -> list[Any]:
    """Return the list with an element inserted before a position."""
    place = index if index == len(values) else _position(values, index, "List.insert")
    return [*values[:place], element, *values[place:]]


@function("List.length", "List.size")
def size(values: list[Any]) -> int:
    """Return the number of elements."""
    return len(values)


@function("List.remove")
def remove(values: list[Any], element: Any) -> list[Any]:
    """Return the list without the first occurrence of an element."""
    place = _place(values, element)
    return list(values) if place < 0 else [*values[:place], *values[place + 1:]]


@function("List.removeAll")
def remove_all(values: list[Any], other: list[Any]) -> list[Any]:
    """Return the list without the elements of another."""
    members = _Members(other)
    return [v for v in values if v not in members]


@function("List.replace")
def replace(values: list[Any], old: Any, new: Any) -> list[Any]:
    """Return the list with the first occurrence of a value replaced."""
    place = _place(values, old)
    return list(values) if place < 0 else [*values[:place], new, *values[place + 1:]]


@function("List.replaceAll")
def replace_all(values: list[Any], old: Any, new: Any) -> list[Any]:
    """Return the list with every occurrence of a value replaced."""
    return [new if same(v, old) else v for v in values]


@function("List.reverse")
def reverse(values: list[Any]) -> list[Any]:
    """Return the list from its end to its start."""
    return list(reversed(values))


@function("List.rotate")
def rotate(values: list[Any], distance: int) -> list[Any]:
    """Return the list turned: elements move towards the start, those at the start go to the end."""
    place = distance % len(values) if values else 0
    return [*values[place:], *values[:place]]


@function("List.set")
def put(values: list[Any], index: int, element: Any) -> list[Any]:
    """Return the list with another element at a position."""
    place = _position(values, index, "List.set")
    return [*values[:place], element, *values[place + 1:]]


@function("List.slice")
def sliced(values: list[Any], start: int, end: int | None, step: int | None) -> list[Any]:
    """Return the elements from one position to another, every ``step``-th."""
    if step is not None and step < 1:
        raise EngineError(f"List.slice: step is {step}; it must be 1 or more.")
    return values[start:end:step]


@function("List.splice")
def splice(values: list[Any], start: int, count: int, other: list[Any] | None) -> list[Any]:
    """Return the list with some elements from a position on replaced by another list."""
    place = start if start >= 0 else len(values) + start
    return [*values[:place], *(other or []), *values[place + max(count, 0):]]


@function("List.swap")
def swap(values: list[Any], one: int, two: int) -> list[Any]:
    """Return the list with two elements exchanged."""
    out = list(values)
    a, b = (_position(values, i, "List.swap") for i in (one, two))
    out[a], out[b] = out[b], out[a]
    return out


@function("List.filter")
def filtered(values: list[Any], condition: el.Filter) -> list[Any]:
    """Return the elements that pass a filter; a plain value is its property ``item``."""
    def element(value: Any) -> el.Element:
        return value if isinstance(value, (el.Feature, el.Image)) else el.Feature(
            None, {"item": value})
    return [v for v in values if condition.passes(element(v))]


@function("List.iterate")
def iterate(values: list[Any], algorithm: el.Algorithm, start: Any) -> Any:
    """Return a function applied to each element and the result so far."""
    for value in values:
        start = algorithm.call(value, start)
    return start


@function("List.join")
def join(values: list[Any], separator: str) -> str:
    """Return the elements as one string."""
    parts = [make(v) for v in values]
    if sum(map(len, parts)) + len(separator) * len(parts) > MOST_CHARACTERS:
        raise EngineError(f"List.join: the text is longer than {MOST_CHARACTERS:,} characters.")
    return separator.join(parts)


@function("List.map")
def mapped(values: list[Any], algorithm: el.Algorithm, drop_nulls: bool) -> list[Any]:
    """Return a function applied to every element."""
    found = [algorithm.call(v) for v in values]
    return [v for v in found if v is not None] if drop_nulls else found


@function("List.reduce")
def reduced(values: list[Any], reducer: Reducer) -> Any:
    """Return a reducer over the numbers of a list; several outputs come as a dictionary."""
    try:
        table = np.array([v for v in values if v is not None], dtype=np.float64)
    except (TypeError, ValueError):
        raise EngineError("List.reduce: the list must hold numbers.") from None
    table = table.reshape(len(table), -1) if table.size else np.zeros((0, reducer.inputs))
    if table.shape[1] != reducer.inputs:
        raise EngineError(f"List.reduce: the reducer takes {reducer.inputs} values at a time but "
                          f"the elements have {table.shape[1]}.")
    found = reducer.compute(table, np.ones(len(table)))
    return next(iter(found.values())) if len(found) == 1 else found


@function("List.repeat")
def repeat(value: Any, count: int) -> list[Any]:
    """Return a list of one value many times."""
    if not 0 <= count <= MOST_ITEMS:
        raise EngineError(f"List.repeat: count is {count}; it must be 0 to {MOST_ITEMS}.")
    return [value] * count


@function("List.sequence")
def sequence(start: float, end: float | None, step: float, count: int | None) -> list[Any]:
    """Return numbers from a start to an end, included, or a number of them."""
    if (end is None) == (count is None) and end is None:
        raise EngineError("List.sequence: end or count must be given.")
    if end is not None and count is not None:
        gap = (end - start) / (count - 1) if count > 1 else 0.0
        return [start + gap * i for i in range(_checked(count))]
    if end is None:
        return [start + step * i for i in range(_checked(count))]
    if step == 0:
        raise EngineError("List.sequence: step must not be 0.")
    return [start + step * i for i in range(_checked(
        max(math.floor((end - start) / step + 1e-9) + 1, 0)))]


def _checked(count: int) -> int:
    if not 0 <= count <= MOST_ITEMS:
        raise EngineError(f"List.sequence: {count} numbers are asked for; at most "
                          f"{MOST_ITEMS} can be.")
    return count


@function("List.shuffle")
def shuffle(values: list[Any], seed: Any) -> list[Any]:
    """Return the list in a random order from the seed; the draws are not Google's."""
    rng = np.random.default_rng(0 if seed in (None, False) else abs(int(seed)))
    return [values[i] for i in rng.permutation(len(values))]


@function("List.sort")
def sort(values: list[Any], keys: list[Any] | None) -> list[Any]:
    """Return the list in ascending order of its elements, or of keys."""
    if keys is not None and len(keys) != len(values):
        raise EngineError("List.sort: there must be a key for each element.")
    try:
        order = sorted(range(len(values)), key=lambda i: el.sort_key((keys or values)[i]))
    except TypeError:
        raise EngineError("List.sort: the elements cannot be compared.") from None
    return [values[i] for i in order]


@function("List.zip")
def zipped(values: list[Any], other: list[Any]) -> list[list[Any]]:
    """Return pairs of the elements of two lists, as many as the shorter has."""
    return [list(pair) for pair in zip(values, other, strict=False)]


@function("List.unzip")
def unzipped(values: list[Any]) -> list[list[Any]]:
    """Return columns from a list of rows."""
    if not all(isinstance(v, list) for v in values):
        raise EngineError("List.unzip: a list of lists is needed.")
    return [list(column) for column in zip(*values, strict=False)]
