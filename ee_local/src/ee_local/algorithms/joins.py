"""``Join``: pairs of elements of two collections that a condition matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ee_local import elements as el
from ee_local.errors import EngineError
from ee_local.registry import function

Matches = list[el.Element]
Build = Callable[[el.Element, Matches], el.Element | list[el.Element] | None]


class Join(NamedTuple):
    """What becomes of an element and its matches."""

    build: Build


@function("Join.simple")
def simple() -> Join:
    """Return the elements that have a match."""
    return Join(lambda element, matches: element if matches else None)


@function("Join.inverted")
def inverted() -> Join:
    """Return the elements that have no match."""
    return Join(lambda element, matches: None if matches else element)


@function("Join.inner")
def inner(primary: str, secondary: str, measure: str | None) -> Join:
    """Return a feature for each pair, with both elements as properties."""
    _no_measure(measure, "Join.inner")

    def build(element: el.Element, matches: Matches) -> list[el.Element]:
        return [el.Feature(None, {primary: element, secondary: m},
                           f"{el.index_of(element)}_{el.index_of(m)}") for m in matches]
    return Join(build)


@function("Join.saveFirst")
def save_first(key: str, ordering: str | None, ascending: bool, measure: str | None,
               outer: bool) -> Join:
    """Return the elements with their first match as a property."""
    _no_measure(measure, "Join.saveFirst")

    def build(element: el.Element, matches: Matches) -> el.Element | None:
        found = _ordered(matches, ordering, ascending)
        return _with(element, key, found[0]) if found else element if outer else None
    return Join(build)


@function("Join.saveAll")
def save_all(key: str, ordering: str | None, ascending: bool, measure: str | None,
             outer: bool) -> Join:
    """Return the elements with the list of their matches as a property."""
    _no_measure(measure, "Join.saveAll")

    def build(element: el.Element, matches: Matches) -> el.Element | None:
        found = _ordered(matches, ordering, ascending)
        return _with(element, key, found) if found or outer else None
    return Join(build)


def _with(element: el.Element, key: str, value: Any) -> el.Element:
    return el.with_properties(element, {**element.properties, key: value})


def _ordered(matches: Matches, ordering: str | None, ascending: bool) -> Matches:
    if ordering is None:
        return matches
    return sorted(matches, key=lambda m: el.sort_key(el.get(m, ordering)), reverse=not ascending)


def _no_measure(measure: str | None, where: str) -> None:
    if measure is not None:
        raise EngineError(f"{where}: measureKey is not implemented by the local Earth Engine.")


@function("Join.apply")
def apply(join: Any, primary: el.Collection, secondary: el.Collection,
          condition: el.Filter) -> el.Collection:
    """Return the join of two collections."""
    if not isinstance(join, Join):
        raise EngineError("Join.apply, argument 'join': a Join is needed.")
    if condition.pair is None:
        raise EngineError(f"Join.apply: the filter {condition.name} compares no two elements.")
    out: list[el.Element] = []
    for element in primary.elements:
        found = join.build(element, [s for s in secondary.elements if condition.pair(element, s)])
        out.extend(found if isinstance(found, list) else [] if found is None else [found])
    kind = primary.kind if all(isinstance(e, el.Image) for e in out) else "FeatureCollection"
    return el.Collection(tuple(out), kind)
