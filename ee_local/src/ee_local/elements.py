"""Features, collections and the smaller values that travel through an expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import shapely

from ee_local.geometry import Geometry
from ee_local.pixels import Image


@dataclass(frozen=True)
class Feature:
    """A geometry (or none) with properties, and an identifier within its collection."""

    geometry: Geometry | None
    properties: Mapping[str, Any] = field(default_factory=dict)
    identifier: str | None = None


@dataclass(frozen=True)
class Collection:
    """Features or images in order; ``kind`` is ``FeatureCollection`` or ``ImageCollection``."""

    elements: tuple[Any, ...]
    kind: str = "FeatureCollection"
    identifier: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)

    def with_elements(self, elements: Any) -> Collection:
        """Return other elements, no longer the asset."""
        return replace(self, elements=tuple(elements), identifier=None)


Element = Feature | Image | Collection
"""What has properties: a collection can be an element of another."""


class Date(NamedTuple):
    """A moment, in milliseconds since 1970-01-01 UTC."""

    millis: float


class DateRange(NamedTuple):
    """A span of time in milliseconds, start included, end not; None: without end."""

    start: float | None
    end: float | None


class ErrorMargin(NamedTuple):
    """A tolerance; the local Earth Engine computes exactly and does not use it."""

    value: float | None = None
    unit: str = "meters"


class Filter(NamedTuple):
    """Whether an element passes, the filter's name, and the properties that it looks at."""

    name: str
    passes: Callable[[Element], bool]
    pair: Callable[[Element, Element], bool] | None = None
    fields: frozenset[str] = frozenset()


class Algorithm(NamedTuple):
    """A function of the expression: the names of its arguments, and what computes it."""

    names: tuple[str, ...]
    call: Callable[..., Any]


def geometry_of(element: Element) -> Geometry | None:
    """Return a feature's geometry, an image's footprint in degrees, or a collection's union."""
    if isinstance(element, Collection):
        return collected(element)
    if isinstance(element, Image):
        return None if element.footprint is None else Geometry(element.footprint.lonlat())
    return element.geometry


def collected(collection: Collection) -> Geometry:
    """Return all geometries of a collection's elements as one."""
    parts = [g for g in map(geometry_of, collection.elements) if g is not None]
    if len(parts) == 1:
        return parts[0]
    return Geometry(shapely.union_all([g.lonlat() for g in parts]),
                    geodesic=all(g.geodesic for g in parts))


def index_of(element: Element) -> str | None:
    """Return the element's name within its collection."""
    if "system:index" in element.properties:
        return element.properties["system:index"]
    if isinstance(element, Image):
        return element.identifier.rsplit("/", 1)[-1] if element.identifier else None
    return element.identifier


def get(element: Element, name: str) -> Any:
    """Return a property; None if it has none of this name. ``system:index`` is always known."""
    if name == "system:index":
        return index_of(element)
    if name in (".geo", "system:footprint") and name not in element.properties:
        return geometry_of(element)
    if name == "system:id" and isinstance(element, (Image, Collection)):
        return element.identifier
    return element.properties.get(name)


def with_properties(element: Element, properties: Mapping[str, Any]) -> Element:
    """Return the element with exactly these properties."""
    return replace(element, properties=dict(properties))


def named(element: Element, index: str) -> Element:
    """Return the element under another name within its collection."""
    if isinstance(element, Image):
        return replace(element, properties={**element.properties, "system:index": index})
    if isinstance(element, Collection):
        return replace(element, identifier=index)
    rest = {k: v for k, v in element.properties.items() if k != "system:index"}
    return Feature(element.geometry, rest, index)


def own_properties(element: Element) -> dict[str, Any]:
    """Return the properties that are not the system's."""
    return {k: v for k, v in element.properties.items() if not k.startswith("system:")}


def sort_key(value: Any) -> Any:
    """Return what a value is compared by."""
    return value.millis if isinstance(value, Date) else value
