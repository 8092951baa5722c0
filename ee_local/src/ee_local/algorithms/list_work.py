"""``List``: functions over all elements, sequences, and orders."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ee_local import elements as el
from ee_local.algorithms.collections import sort_key
from ee_local.algorithms.strings import make
from ee_local.errors import EngineError
from ee_local.reduction import Reducer
from ee_local.registry import function

MOST = 1_000_000
"""Elements of a list that a function makes."""


@function("List.filter")
def filtered(values: list[Any], condition: el.Filter) -> list[Any]:
    """The elements that pass a filter; a plain value is its property ``item``."""
    def element(value: Any) -> el.Element:
        return value if isinstance(value, (el.Feature, el.Image)) else el.Feature(
            None, {"item": value})
    return [v for v in values if condition.passes(element(v))]


@function("List.iterate")
def iterate(values: list[Any], algorithm: el.Algorithm, start: Any) -> Any:
    """A function applied to each element and the result so far."""
    for value in values:
        start = algorithm.call(value, start)
    return start


@function("List.join")
def join(values: list[Any], separator: str) -> str:
    """The elements as one string."""
    return separator.join(make(v) for v in values)


@function("List.map")
def mapped(values: list[Any], algorithm: el.Algorithm, drop_nulls: bool) -> list[Any]:
    """A function applied to every element."""
    found = [algorithm.call(v) for v in values]
    return [v for v in found if v is not None] if drop_nulls else found


@function("List.reduce")
def reduced(values: list[Any], reducer: Reducer) -> Any:
    """A reducer over the numbers of a list; several outputs come as a dictionary."""
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
    """A list of one value many times."""
    if not 0 <= count <= MOST:
        raise EngineError(f"List.repeat: count is {count}; it must be 0 to {MOST}.")
    return [value] * count


@function("List.sequence")
def sequence(start: float, end: float | None, step: float, count: int | None) -> list[Any]:
    """Numbers from a start to an end, included, or a number of them."""
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
    if not 0 <= count <= MOST:
        raise EngineError(f"List.sequence: {count} numbers are asked for; at most {MOST} can be.")
    return count


@function("List.shuffle")
def shuffle(values: list[Any], seed: Any) -> list[Any]:
    """The list in an order drawn by chance from the seed; the draws are not Google's."""
    rng = np.random.default_rng(0 if seed in (None, False) else abs(int(seed)))
    return [values[i] for i in rng.permutation(len(values))]


@function("List.sort")
def sort(values: list[Any], keys: list[Any] | None) -> list[Any]:
    """The list in ascending order of its elements, or of keys."""
    if keys is not None and len(keys) != len(values):
        raise EngineError("List.sort: there must be a key for each element.")
    try:
        order = sorted(range(len(values)), key=lambda i: sort_key((keys or values)[i]))
    except TypeError:
        raise EngineError("List.sort: the elements cannot be compared.") from None
    return [values[i] for i in order]


@function("List.zip")
def zipped(values: list[Any], other: list[Any]) -> list[list[Any]]:
    """Pairs of the elements of two lists, as many as the shorter has."""
    return [list(pair) for pair in zip(values, other, strict=False)]


@function("List.unzip")
def unzipped(values: list[Any]) -> list[list[Any]]:
    """Columns from a list of rows."""
    if not all(isinstance(v, list) for v in values):
        raise EngineError("List.unzip: a list of lists is needed.")
    return [list(column) for column in zip(*values, strict=False)]
