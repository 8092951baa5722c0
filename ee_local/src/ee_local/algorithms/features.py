"""``Feature`` and ``Element``: geometry and properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ee_local import elements as el
from ee_local.algorithms import geometries  # noqa: F401  (looked up below)
from ee_local.errors import EngineError
from ee_local.geometry import Geometry
from ee_local.grid import Projection
from ee_local.patterns import compiled
from ee_local.pixels import Image
from ee_local.registry import find, function

Margin = el.ErrorMargin | None
Crs = Projection | None


@function("Feature")
def feature(geometry: Geometry | None, metadata: Mapping[str, Any],
            key: str | None) -> el.Feature:
    """Return a feature from a geometry and properties."""
    properties = dict(metadata)
    index = properties.pop("system:index", None)
    if key is not None and geometry is None:
        geometry = properties.pop(key, None)
    return el.Feature(geometry, properties, index)


@function("Feature.geometry", "Image.geometry", "Element.geometry")
def geometry(element: el.Element, margin: Margin, proj: Crs,
             geodesics: bool | None) -> Geometry | None:
    """Return the geometry of a feature or the footprint of an image."""
    found = el.geometry_of(element)
    if found is None or proj is None:
        return found
    return Geometry(found.to_crs(proj.crs), proj.crs, bool(geodesics))


@function("Feature.setGeometry")
def set_geometry(element: el.Element, geometry: Geometry | None) -> el.Element:
    """Return the element with another geometry."""
    if isinstance(element, Image):
        return replace(element, footprint=geometry)
    return replace(element, geometry=geometry)


@function("Feature.id", "Image.id")
def identifier(element: el.Element) -> str | None:
    """Return the element's name within its collection; of an image of the catalogue, its id."""
    return el.index_of(element)


@function("Feature.select")
def select(element: el.Element, selectors: list[str], names: list[str] | None,
           retain: bool) -> el.Element:
    """Return the element with the chosen properties, renamed if new names are given."""
    if names is not None and len(names) != len(selectors):
        raise EngineError("Feature.select: propertySelectors and newProperties must have the same "
                          "length.")
    chosen = {}
    for name, new in zip(selectors, names or selectors, strict=True):
        for key in matching(name, element.properties):
            chosen[key if names is None else new] = element.properties[key]
    found = el.with_properties(element, chosen)
    return found if retain or isinstance(found, Image) else replace(found, geometry=None)


def matching(selector: str, names: Any) -> list[str]:
    """Return the names a selector means: itself, or those that a regular expression matches.

    >>> matching("B.*", ["B2", "B3", "SCL"])
    ['B2', 'B3']
    """
    names = list(names)
    if selector in names:
        return [selector]
    pattern = compiled(selector, "Element.select")
    return [n for n in names if pattern.fullmatch(n)]


@function("Element.get")
def get(element: el.Element, name: str) -> Any:
    """Return a property; null if there is none of this name."""
    return el.get(element, name)


@function("Element.getNumber")
def get_number(element: el.Element, name: str) -> float | None:
    """Return a property that is a number."""
    return _typed(el.get(element, name), (int, float), name, "Number")


@function("Element.getString")
def get_string(element: el.Element, name: str) -> str | None:
    """Return a property that is a string."""
    return _typed(el.get(element, name), str, name, "String")


@function("Element.getArray")
def get_array(element: el.Element, name: str) -> np.ndarray | None:
    """Return a property that is an array, or a list of numbers."""
    value = el.get(element, name)
    return None if value is None else np.asarray(value)


def _typed(value: Any, kind: Any, name: str, wanted: str) -> Any:
    if value is not None and not isinstance(value, kind):
        raise EngineError(f"Element.get{wanted}: the property {name!r} is no {wanted}.")
    return value


@function("Element.set")
def set_property(element: el.Element, key: str, value: Any) -> el.Element:
    """Return the element with one property set; null removes it."""
    if key == "system:index":
        return el.named(element, value)
    properties = {k: v for k, v in element.properties.items() if k != key}
    return el.with_properties(element, properties if value is None
                              else {**properties, key: value})


@function("Element.setMulti")
def set_properties(element: el.Element, properties: Mapping[str, Any]) -> el.Element:
    """Return the element with several properties set."""
    for key, value in properties.items():
        element = set_property(element, key, value)
    return element


@function("Element.propertyNames")
def property_names(element: el.Element) -> list[str]:
    """Return the names of the properties, and ``system:index``."""
    names = list(element.properties)
    if "system:index" not in names and el.index_of(element) is not None:
        names.append("system:index")
    return names


@function("Element.toDictionary")
def to_dictionary(element: el.Element, names: list[str] | None) -> dict[str, Any]:
    """Return the properties that are not the system's, or those that are named."""
    if names is None:
        return el.own_properties(element)
    return {n: el.get(element, n) for n in names}


@function("Element.copyProperties", "Image.copyProperties")
def copy_properties(target: el.Element | None, source: el.Element | None,
                    names: list[str] | None, exclude: list[str] | None) -> el.Element | None:
    """Return the target with the source's properties: all but the system's, or those named."""
    if target is None or source is None:
        return target
    chosen = el.own_properties(source) if names is None else \
        {n: el.get(source, n) for n in names if el.get(source, n) is not None}
    for name in exclude or ():
        chosen.pop(name, None)
    return el.with_properties(target, {**target.properties, **chosen})


@function("Feature.toArray")
def to_array(element: el.Feature, names: list[str]) -> np.ndarray:
    """Return the named properties as an array of numbers."""
    return np.asarray([el.get(element, n) for n in names], dtype=np.float64)


def _on_geometry(name: str, wraps: bool) -> None:
    """Let ``Feature.name`` do to the feature's geometry what ``Geometry.name`` does."""
    compute = find(f"Geometry.{name}").compute

    def applied(element: el.Element, *arguments: Any) -> Any:
        own = el.geometry_of(element)
        if own is None:
            raise EngineError(f"Feature.{name}: the feature has no geometry.")
        rest = [el.geometry_of(a) if isinstance(a, (el.Feature, Image)) else a for a in arguments]
        found = compute(own, *rest)
        return set_geometry(element, found) if wraps else found

    applied.__doc__ = f"{(compute.__doc__ or '').strip()} Of a feature."
    function(f"Feature.{name}")(applied)


def _register() -> None:
    for name in ("area", "perimeter", "length", "distance", "withinDistance", "intersects",
                 "disjoint", "contains", "containedIn"):
        _on_geometry(name, wraps=False)
    for name in ("bounds", "buffer", "centroid", "convexHull", "simplify", "transform", "dissolve",
                 "intersection", "union", "difference", "symmetricDifference"):
        _on_geometry(name, wraps=True)


_register()
