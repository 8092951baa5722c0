"""``Dictionary``, and the functions that choose and compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ee_local import elements as el
from ee_local.algorithms.features import matching
from ee_local.algorithms.lists import same
from ee_local.coerce import coerce, type_name
from ee_local.encode import encode
from ee_local.errors import EngineError
from ee_local.geometry import Geometry
from ee_local.registry import function

Entries = Mapping[str, Any]


@function("Dictionary")
def make(value: Any) -> dict[str, Any]:
    """Make a dictionary from another, from an element's properties, or from keys and values."""
    if value is None:
        return {}
    if isinstance(value, list):
        if len(value) % 2 or not all(isinstance(k, str) for k in value[::2]):
            raise EngineError("Dictionary: a list must have a string key before every value.")
        return dict(zip(value[::2], value[1::2], strict=True))
    return coerce(value, "Dictionary", "Dictionary, argument 'input'")


def _key(entries: Entries, key: str, where: str) -> Any:
    if key not in entries:
        raise EngineError(f"{where}: Dictionary does not contain key: '{key}'.")
    return entries[key]


@function("Dictionary.get")
def get(entries: Entries, key: str, default: Any) -> Any:
    """Return the value of a key, or a default."""
    if key not in entries and default is not None:
        return default
    return _key(entries, key, "Dictionary.get")


def _typed(kind: str) -> None:
    name = f"Dictionary.get{kind}"

    def applied(entries: Entries, key: str) -> Any:
        return coerce(_key(entries, key, name), kind, name)

    applied.__doc__ = f"The value of a key, which must be a {kind}."
    function(name)(applied)


for _kind in ("Number", "String", "Array", "Geometry"):
    _typed(_kind)


@function("Dictionary.set")
def put(entries: Entries, key: str, value: Any) -> dict[str, Any]:
    """Return the dictionary with a value set."""
    return {**entries, key: value}


@function("Dictionary.combine")
def combine(one: Entries, two: Entries, overwrite: bool) -> dict[str, Any]:
    """Return the entries of two dictionaries; the second wins if it may overwrite."""
    return {**one, **two} if overwrite else {**two, **one}


@function("Dictionary.contains")
def contains(entries: Entries, key: str) -> bool:
    """Return whether there is a key."""
    return key in entries


@function("Dictionary.fromLists")
def from_lists(keys: list[str], values: list[Any]) -> dict[str, Any]:
    """Return a dictionary from keys and values."""
    if len(keys) != len(values):
        raise EngineError(f"Dictionary.fromLists: {len(keys)} keys and {len(values)} values; they "
                          "must be as many.")
    return dict(zip(keys, values, strict=True))


@function("Dictionary.keys")
def keys(entries: Entries) -> list[str]:
    """Return the keys in alphabetical order."""
    return sorted(entries)


@function("Dictionary.values")
def values(entries: Entries, chosen: list[str] | None) -> list[Any]:
    """Return the values in alphabetical order of their keys, or of the keys given."""
    if chosen is None:
        return [entries[k] for k in sorted(entries)]
    return [_key(entries, k, "Dictionary.values") for k in chosen]


@function("Dictionary.size")
def size(entries: Entries) -> int:
    """Return the number of entries."""
    return len(entries)


@function("Dictionary.map")
def mapped(entries: Entries, algorithm: el.Algorithm) -> dict[str, Any]:
    """Return a function applied to each key and value."""
    return {k: algorithm.call(k, entries[k]) for k in sorted(entries)}


def _selected(entries: Entries, selectors: list[str], ignore: bool, where: str) -> list[str]:
    found = []
    for selector in selectors:
        names = matching(selector, entries)
        if not names and not ignore:
            raise EngineError(f"{where}: no key of the dictionary matches '{selector}'.")
        found.extend(names)
    return found


@function("Dictionary.select")
def select(entries: Entries, selectors: list[str], ignore: bool) -> dict[str, Any]:
    """Return the entries whose keys are named or match a regular expression."""
    return {k: entries[k] for k in _selected(entries, selectors, ignore, "Dictionary.select")}


@function("Dictionary.remove")
def remove(entries: Entries, selectors: list[str], ignore: bool) -> dict[str, Any]:
    """Return the dictionary without the entries whose keys are named or match."""
    gone = set(_selected(entries, selectors, ignore, "Dictionary.remove"))
    return {k: v for k, v in entries.items() if k not in gone}


@function("Dictionary.rename")
def rename(entries: Entries, old: list[str], new: list[str], overwrite: bool) -> dict[str, Any]:
    """Return the dictionary with other keys."""
    if len(old) != len(new):
        raise EngineError("Dictionary.rename: 'from' and 'to' must have the same length.")
    table = dict(zip(old, new, strict=True))
    for key in old:
        _key(entries, key, "Dictionary.rename")
    kept = {k: v for k, v in entries.items() if k not in table}
    taken = [n for n in new if n in kept]
    if taken and not overwrite:
        raise EngineError(f"Dictionary.rename: there is a key '{taken[0]}' already.")
    return {**kept, **{table[k]: entries[k] for k in old}}


@function("Dictionary.toArray")
def to_array(entries: Entries, chosen: list[str] | None, axis: int) -> np.ndarray:
    """Return the values as an array, in alphabetical order of their keys or that of given keys."""
    parts = [np.asarray(v, dtype=np.float64) for v in values(entries, chosen)]
    if all(p.ndim == 0 for p in parts):
        return np.array(parts)
    try:
        return np.concatenate([np.atleast_1d(p) for p in parts], axis=axis)
    except ValueError as error:
        raise EngineError(f"Dictionary.toArray: {error}.") from None


@function("If")
def choose(condition: Any, yes: Any, no: Any) -> Any:
    """Return one of two values: the second for null, false, 0, and an empty string or list.

    Both are evaluated before, as Google's service may do too.
    """
    false = condition is None or condition is False or (
        isinstance(condition, (int, float, str, list)) and condition in (0, "", []))
    return no if false else yes


@function("IsEqual")
def is_equal(left: Any, right: Any) -> bool:
    """Return whether two values are equal."""
    if isinstance(left, Geometry) and isinstance(right, Geometry):
        return left.lonlat().equals(right.lonlat())
    return same(left, right) or encode(left) == encode(right)


@function("ObjectType")
def object_type(value: Any) -> str:
    """Return the name of a value's type."""
    return type_name(value)


@function("Describe")
def describe(value: Any) -> Any:
    """Return the value as the client would see it."""
    return encode(value)
