"""``Reducer``: mean, sum, histogram and the like.

Weighted reducers take a partly covered pixel in part; the others take it whole or not at all.
Medians and percentiles are exact and unweighted, where Google's service may bin many values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ee_local.errors import EngineError
from ee_local.reduction import Compute, Reducer, Values
from ee_local.registry import function

OF_ANY: dict[str, Callable[[list[Any]], Any]] = {
    "count": len, "countEvery": len, "countDistinct": lambda v: len(set(v)), "min": min, "max": max,
    "countDistinctNonNull": lambda v: len(set(v)), "first": lambda v: v[0], "last": lambda v: v[-1],
    "firstNonNull": lambda v: v[0], "lastNonNull": lambda v: v[-1],
    "frequencyHistogram": lambda v: dict(sorted(Counter(map(word, v)).items())),
}
"""Reducers that take other values than numbers, such as texts."""


def _simple(name: str, compute: Compute, weighted: bool, text: str,
            outputs: tuple[str, ...] | None = None) -> None:
    names = outputs or (name,)

    def build(*ignored: Any) -> Reducer:
        return Reducer(name, names, compute, weighted=weighted, plain=plain)

    of_any = OF_ANY.get(name)
    plain = None if of_any is None else (
        lambda rows: {names[0]: of_any([r[0] for r in rows]) if rows else None})
    build.__doc__ = text
    function(f"Reducer.{name}")(build)


def _moment(values: Values, weights: Values, about: float, power: int) -> float:
    return float((weights * (values - about) ** power).sum() / weights.sum())


def _mean(values: Values, weights: Values) -> dict[str, Any]:
    total = weights.sum()
    return {"mean": float((values[:, 0] * weights).sum() / total) if total > 0 else None}


def _sum(values: Values, weights: Values) -> dict[str, Any]:
    return {"sum": float((values[:, 0] * weights).sum())}


def _spread(name: str, root: bool, sample: bool) -> Compute:
    def compute(values: Values, weights: Values) -> dict[str, Any]:
        total = weights.sum()
        if total <= (1 if sample else 0):
            return {name: 0.0 if total > 0 else None}
        mean = (values[:, 0] * weights).sum() / total
        found = _moment(values[:, 0], weights, mean, 2) * (total / (total - 1) if sample else 1)
        return {name: float(np.sqrt(found) if root else found)}
    return compute


def _of_values(name: str, compute: Any) -> Compute:
    """Return an unweighted statistic of the values that count at all; null if there are none."""
    def applied(values: Values, weights: Values) -> dict[str, Any]:
        there = values[weights > 0, 0]
        return {name: float(compute(there)) if there.size else None}
    return applied


def _count(values: Values, weights: Values) -> dict[str, Any]:
    return {"count": int((weights > 0).sum())}


def _histogram(values: Values, weights: Values) -> dict[str, Any]:
    found: dict[str, float] = {}
    keys, index = np.unique(values[:, 0], return_inverse=True)
    sums = np.bincount(index.ravel(), weights, minlength=len(keys))
    for key, total in zip(keys.tolist(), sums.tolist(), strict=True):
        if total > 0:
            found[word(key)] = total
    return {"histogram": found}


def word(key: Any) -> str:
    """Return a value as the key of a dictionary: whole numbers without a point.

    >>> word(3.0), word(2.5)
    ('3', '2.5')
    """
    if isinstance(key, float) and key.is_integer():
        return str(int(key))
    return str(key)


def _mode(values: Values, weights: Values) -> dict[str, Any]:
    keys, index = np.unique(values[:, 0], return_inverse=True)
    if not keys.size:
        return {"mode": None}
    return {"mode": float(keys[np.bincount(index.ravel(), weights).argmax()])}


for _name, _compute, _weighted, _text in (
    ("mean", _mean, True, "The weighted mean."),
    ("sum", _sum, True, "The weighted sum."),
    ("count", _count, False, "The number of values that are not null."),
    ("countEvery", _count, False, "The number of values."),
    ("min", _of_values("min", np.min), False, "The smallest value."),
    ("max", _of_values("max", np.max), False, "The largest value."),
    ("median", _of_values("median", np.median), False, "The middle value."),
    ("product", _of_values("product", np.prod), False, "The product."),
    ("first", _of_values("first", lambda v: v[0]), False, "The first value."),
    ("last", _of_values("last", lambda v: v[-1]), False, "The last value."),
    ("firstNonNull", _of_values("first", lambda v: v[0]), False, "The first value not null."),
    ("lastNonNull", _of_values("last", lambda v: v[-1]), False, "The last value not null."),
    ("stdDev", _spread("stdDev", True, False), True, "The standard deviation."),
    ("variance", _spread("variance", False, False), True, "The variance."),
    ("sampleStdDev", _spread("sampleStdDev", True, True), True,
     "The sample standard deviation."),
    ("sampleVariance", _spread("sampleVariance", False, True), True, "The sample variance."),
    ("countDistinct", _of_values("count", lambda v: len(np.unique(v))), False,
     "The number of different values."),
    ("countDistinctNonNull", _of_values("count", lambda v: len(np.unique(v))), False,
     "The number of different values."),
    ("allNonZero", _of_values("all", lambda v: np.all(v != 0)), False,
     "1 if all values are not 0."),
    ("anyNonZero", _of_values("any", lambda v: np.any(v != 0)), False, "1 if a value is not 0."),
    ("frequencyHistogram", _histogram, True, "Value to how often it occurs."),
    ("mode", _mode, True, "The most common value; of equally common ones the smallest."),
):
    _names = {"firstNonNull": "first", "lastNonNull": "last", "countDistinct": "count",
              "countDistinctNonNull": "count", "allNonZero": "all", "anyNonZero": "any",
              "frequencyHistogram": "histogram", "countEvery": "count"}
    _simple(_name, _compute, _weighted, _text, (_names.get(_name, _name),))


@function("Reducer.minMax")
def min_max() -> Reducer:
    """Return the smallest and the largest value."""
    def compute(values: Values, weights: Values) -> dict[str, Any]:
        there = values[weights > 0, 0]
        return {"min": float(there.min()) if there.size else None,
                "max": float(there.max()) if there.size else None}
    return Reducer("minMax", ("min", "max"), compute, weighted=False)


@function("Reducer.percentile")
def percentile(percents: list[float], names: list[str] | None, buckets: Any, width: Any,
               raw: Any) -> Reducer:
    """Return percentiles, interpolated between neighbouring values."""
    outputs = tuple(names or (f"p{word(p)}" for p in percents))
    if len(outputs) != len(percents) or not all(0 <= p <= 100 for p in percents):
        raise EngineError("Reducer.percentile: percentiles must be 0 to 100, with a name for each "
                          "if names are given.")

    def compute(values: Values, weights: Values) -> dict[str, Any]:
        there = values[weights > 0, 0]
        found = np.percentile(there, percents).tolist() if there.size else [None] * len(percents)
        return dict(zip(outputs, found, strict=True))
    return Reducer("percentile", outputs, compute, weighted=False)


@function("Reducer.fixedHistogram")
def fixed_histogram(low: float, high: float, steps: int, cumulative: bool) -> Reducer:
    """Count in equal bins between two values: an array of bin starts and counts."""
    def compute(values: Values, weights: Values) -> dict[str, Any]:
        edges = np.linspace(low, high, steps + 1)
        inside = (values[:, 0] >= low) & (values[:, 0] < high)
        counts, _ = np.histogram(values[inside, 0], edges, weights=weights[inside])
        if cumulative:
            counts = np.cumsum(counts)
        return {"histogram": np.column_stack([edges[:-1], counts])}
    return Reducer("fixedHistogram", ("histogram",), compute)


@function("Reducer.toList")
def to_list(size: int | None, optional: int) -> Reducer:
    """Return the values as a list; of tuples if a size is given."""
    def compute(values: Values, weights: Values) -> dict[str, Any]:
        there = values[weights > 0]
        return {"list": there.tolist() if size else there[:, 0].tolist()}
    return Reducer("toList", ("list",), compute, size or 1, weighted=False, repeated=size is None,
                   plain=lambda rows: {"list": rows if size else [r[0] for r in rows]})


@function("Reducer.combine")
def combine(one: Reducer, two: Reducer, prefix: str, shared: bool) -> Reducer:
    """Return two reducers at once; with shared inputs both take the same values."""
    if not shared:
        raise EngineError("Reducer.combine: without sharedInputs it is not implemented by the "
                          "local Earth Engine.")
    if one.inputs != two.inputs:
        raise EngineError("Reducer.combine: reducers that share inputs must take the same number.")
    outputs = (*one.outputs, *(prefix + n for n in two.outputs))
    if len(set(outputs)) != len(outputs):
        twice = Counter(outputs).most_common(1)[0][0]
        raise EngineError(f"Reducer.combine: both reducers have an output {twice!r}; give an "
                          "outputPrefix.")

    def compute(values: Values, weights: Values) -> dict[str, Any]:
        second = two.compute(values, weights)
        return {**one.compute(values, weights), **{prefix + k: v for k, v in second.items()}}

    def plain(rows: list[list[Any]]) -> dict[str, Any]:
        second = two.over_rows(rows)
        return {**one.over_rows(rows), **{prefix + k: v for k, v in second.items()}}
    return replace(one, name=f"{one.name}+{two.name}", outputs=outputs, compute=compute,
                   weighted=one.weighted or two.weighted, parts=((one, ""), (two, prefix)),
                   plain=plain)


@function("Reducer.group")
def group(reducer: Reducer, field: int, name: str) -> Reducer:
    """Return the reducer applied to each group of values with the same key."""
    inputs = reducer.inputs + 1
    if not 0 <= field < inputs:
        raise EngineError(f"Reducer.group: groupField is {field}; it must be 0 to {inputs - 1}.")

    def compute(values: Values, weights: Values) -> dict[str, Any]:
        keys = values[:, field]
        rest = np.delete(values, field, axis=1)
        groups = []
        for key in np.unique(keys):
            of = keys == key
            groups.append({name: int(key) if float(key).is_integer() else float(key),
                           **reducer.compute(rest[of], weights[of])})
        return {"groups": groups}

    def plain(rows: list[list[Any]]) -> dict[str, Any]:
        members: dict[Any, list[list[Any]]] = {}
        for row in rows:
            members.setdefault(row[field], []).append([*row[:field], *row[field + 1:]])
        return {"groups": [{name: key, **reducer.over_rows(members[key])}
                           for key in sorted(members, key=word)]}
    return Reducer(f"{reducer.name} by group", ("groups",), compute, inputs, reducer.weighted,
                   repeated=False, plain=plain)


@function("Reducer.repeat")
def repeat(reducer: Reducer, count: int) -> Reducer:
    """Return the reducer applied to each of several inputs; each output is a list."""
    if reducer.inputs != 1:
        raise EngineError("Reducer.repeat: only reducers of one input are implemented by the local "
                          "Earth Engine.")

    def compute(values: Values, weights: Values) -> dict[str, Any]:
        parts = [reducer.compute(values[:, k:k + 1], weights) for k in range(count)]
        return {n: [p[n] for p in parts] for n in reducer.outputs}

    def plain(rows: list[list[Any]]) -> dict[str, Any]:
        parts = [reducer.over_rows([[r[k]] for r in rows]) for k in range(count)]
        return {n: [p[n] for p in parts] for n in reducer.outputs}
    return replace(reducer, name=f"{reducer.name} repeated", compute=compute, inputs=count,
                   repeated=False, parts=(), plain=plain)


@function("Reducer.unweighted")
def unweighted(reducer: Reducer) -> Reducer:
    """Return the reducer with pixels that count wholly or not at all."""
    return reducer.unweighted()


@function("Reducer.setOutputs")
def set_outputs(reducer: Reducer, names: list[str]) -> Reducer:
    """Return the reducer with other names for its outputs."""
    if len(names) != len(reducer.outputs):
        raise EngineError(f"Reducer.setOutputs: the reducer has {len(reducer.outputs)} outputs but "
                          f"{len(names)} names are given.")

    def compute(values: Values, weights: Values) -> dict[str, Any]:
        found = reducer.compute(values, weights)
        return {new: found[old] for old, new in zip(reducer.outputs, names, strict=True)}

    def plain(rows: list[list[Any]]) -> dict[str, Any]:
        found = reducer.over_rows(rows)
        return {new: found[old] for old, new in zip(reducer.outputs, names, strict=True)}
    return replace(reducer, outputs=tuple(names), compute=compute, parts=(), plain=plain)


@function("Reducer.getOutputs")
def get_outputs(reducer: Reducer) -> list[str]:
    """Return the names of the outputs."""
    return list(reducer.outputs)
