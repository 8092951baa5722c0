"""``AggregateFeatureCollection``: statistics of one property over a collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ee_local import elements as el
from ee_local.algorithms.reducers import word
from ee_local.errors import EngineError
from ee_local.reduction import Reducer
from ee_local.registry import function


def present(items: el.Collection, name: str) -> list[Any]:
    """Return the property's values, without those that are null."""
    found = (el.get(e, name) for e in items.elements)
    return [v for v in found if v is not None]


def numbers(items: el.Collection, name: str) -> np.ndarray:
    """Return the property's values as numbers.

    Raises
    ------
    EngineError
        One is no number.
    """
    found = present(items, name)
    for value in found:
        if not isinstance(value, (int, float)):
            raise EngineError(f"AggregateFeatureCollection: the property {name!r} has the value "
                              f"{str(value)[:40]!r}, which is no number.")
    return np.array(found, dtype=np.float64)


@function("AggregateFeatureCollection.array")
def array(items: el.Collection, name: str) -> list[Any]:
    """Return the values as a list, without those that are null."""
    return present(items, name)


@function("AggregateFeatureCollection.count")
def count(items: el.Collection, name: str) -> int:
    """Return the number of values that are not null."""
    return len(present(items, name))


@function("AggregateFeatureCollection.count_distinct")
def count_distinct(items: el.Collection, name: str) -> int:
    """Return the number of different values."""
    return len({el.sort_key(v) for v in present(items, name)})


@function("AggregateFeatureCollection.first")
def first(items: el.Collection, name: str) -> Any:
    """Return the first value; null if there is none."""
    return next(iter(present(items, name)), None)


@function("AggregateFeatureCollection.histogram")
def histogram(items: el.Collection, name: str) -> dict[str, int]:
    """Count how often each value occurs."""
    found = Counter(word(el.sort_key(v)) for v in present(items, name))
    return dict(sorted(found.items()))


def _extreme(name: str, pick: Callable[..., Any], text: str) -> None:
    def applied(items: el.Collection, field: str) -> Any:
        found = present(items, field)
        return pick(found, key=el.sort_key) if found else None

    applied.__doc__ = text
    function(f"AggregateFeatureCollection.{name}")(applied)


_extreme("min", min, "The smallest value.")
_extreme("max", max, "The largest value.")


def _numeric(name: str, compute: Callable[[np.ndarray], Any], least: int, text: str) -> None:
    def applied(items: el.Collection, field: str) -> float | None:
        found = numbers(items, field)
        return float(compute(found)) if len(found) >= least else None

    applied.__doc__ = text
    function(f"AggregateFeatureCollection.{name}")(applied)


_numeric("sum", np.sum, 0, "The sum.")
_numeric("product", np.prod, 0, "The product.")
_numeric("mean", np.mean, 1, "The mean.")
_numeric("total_sd", np.std, 1, "The standard deviation.")
_numeric("total_var", np.var, 1, "The variance.")
_numeric("sample_sd", lambda v: np.std(v, ddof=1), 2, "The sample standard deviation.")
_numeric("sample_var", lambda v: np.var(v, ddof=1), 2, "The sample variance.")


@function("AggregateFeatureCollection.stats")
def stats(items: el.Collection, name: str) -> dict[str, Any]:
    """Return sum, mean, extremes and spread of the values."""
    found = numbers(items, name)
    counts = {"total_count": len(items.elements), "valid_count": len(found)}
    if not len(found):
        return counts
    sample = {"sample_sd": float(found.std(ddof=1)), "sample_var": float(found.var(ddof=1))} \
        if len(found) > 1 else {"sample_sd": 0.0, "sample_var": 0.0}
    return {**counts, "max": float(found.max()), "mean": float(found.mean()),
            "min": float(found.min()), **sample, "sum": float(found.sum()),
            "sum_sq": float((found**2).sum()), "total_sd": float(found.std()),
            "total_var": float(found.var()), "weight_sum": len(found)}


@function("Collection.reduceColumns")
def reduce_columns(items: el.Collection, reducer: Reducer, selectors: list[str],
                   weights: list[str] | None) -> dict[str, Any]:
    """Return a reducer over properties; elements that lack one are left out."""
    if len(selectors) != reducer.inputs:
        raise EngineError(f"Collection.reduceColumns: the reducer takes {reducer.inputs} values "
                          f"but {len(selectors)} selectors are given.")
    names = [*selectors, *(weights or [])[:1]]
    rows = [[el.get(e, n) for n in names] for e in items.elements]
    rows = [r for r in rows if all(v is not None for v in r)]
    by = None
    if weights:
        try:
            by = np.array([r.pop() for r in rows], dtype=np.float64)
        except (TypeError, ValueError):
            raise EngineError(f"Collection.reduceColumns: the weights {weights[0]!r} must be "
                              "numbers.") from None
    return reducer.over_rows(rows, by)
