"""``Collection``: filter, sort, map and the other functions of both kinds of collections."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ee_local import elements as el
from ee_local.algorithms.geometries import bounds as around
from ee_local.coerce import coerce
from ee_local.errors import EngineError
from ee_local.geometry import Geometry
from ee_local.grid import Projection
from ee_local.notices import tell
from ee_local.pixels import Image
from ee_local.registry import function


@function("Collection")
def collection(features: list[el.Element]) -> el.Collection:
    """Return a collection of features, named 0, 1, … where they have no name."""
    named = []
    for i, feature in enumerate(features):
        own = el.index_of(feature)
        named.append(feature if own is not None else el.named(feature, str(i)))
    return el.Collection(tuple(named), _kind(features))


@function("ImageCollection.fromImages")
def from_images(images: list[Image]) -> el.Collection:
    """Return a collection of images, named 0, 1, … where they have no name."""
    return el.Collection(collection(images).elements, "ImageCollection")


def _kind(elements: Any) -> str:
    elements = list(elements)
    if elements and all(isinstance(e, Image) for e in elements):
        return "ImageCollection"
    return "FeatureCollection"


@function("Collection.loadTable", engine=True)
def load_table(engine: Any, identifier: str, column: str | None, version: int) -> el.Collection:
    """Return a table of the local catalogue."""
    return engine.catalogue.table(identifier)


@function("ImageCollection.load", engine=True)
def load_images(engine: Any, identifier: str, version: int | None) -> el.Collection:
    """Return an image collection of the local catalogue."""
    return engine.catalogue.collection(identifier)


@function("Collection.filter")
def filtered(items: el.Collection, condition: Any) -> el.Collection:
    """Return the elements that pass a filter, which may be a text; the collection keeps its id.

    Warns of a property that no element has.
    """
    condition = coerce(condition, "Filter", "Collection.filter, argument 'filter'")
    for name in sorted(condition.fields):
        check_property(items, name, "Collection.filter")
    return replace(items, elements=tuple(e for e in items.elements if condition.passes(e)))


def check_property(items: el.Collection, name: str, where: str) -> None:
    """Warn if there are elements and none of them has a property."""
    if not items.elements or any(el.get(e, name) is not None for e in items.elements):
        return
    images = items.kind == "ImageCollection"
    own = sorted({n for e in items.elements[:100] for n in el.own_properties(e)})
    tell(f"{where}: none of the {len(items.elements)} {'images' if images else 'features'} has the "
         f"property {name!r}; they have {', '.join(own[:12]) or 'none'}"
         f"{', …' if len(own) > 12 else ''}."
         + (" An image's come from its file's tags, properties.csv or NAME.json." if images
            else ""))


@function("Collection.limit")
def limit(items: el.Collection, most: int | None, key: str | None,
          ascending: bool) -> el.Collection:
    """Return the first elements, sorted by a property if one is given.

    Elements without the property come last either way; equal ones keep their order. Warns if none
    of several has it.
    """
    elements = list(items.elements)
    if key is not None:
        if len(items.elements) > 1:
            check_property(items, key, "Collection.limit")
        with_key = [e for e in elements if el.get(e, key) is not None]
        without = [e for e in elements if el.get(e, key) is None]
        try:
            with_key.sort(key=lambda e: el.sort_key(el.get(e, key)), reverse=not ascending)
        except TypeError:
            raise EngineError(f"Collection.limit: the values of {key!r} cannot be "
                              "compared.") from None
        elements = with_key + without
    if most is not None and most < 0:
        raise EngineError(f"Collection.limit: limit is {most}; it must not be negative.")
    return replace(items, elements=tuple(elements[:most]))


@function("Collection.first")
def first(items: el.Collection) -> el.Element | None:
    """Return the first element; null of an empty collection."""
    return items.elements[0] if items.elements else None


@function("Collection.size")
def size(items: el.Collection) -> int:
    """Return the number of elements."""
    return len(items.elements)


@function("Collection.toList")
def to_list(items: el.Collection, count: int, offset: int) -> list[el.Element]:
    """Return some of the elements as a list."""
    return list(items.elements[offset:offset + count])


@function("Collection.merge", "ImageCollection.merge")
def merge(one: el.Collection, two: el.Collection) -> el.Collection:
    """Return the elements of two collections, their names after ``1_`` and ``2_``."""
    parts = [el.named(e, f"{k}_{el.index_of(e)}")
             for k, c in ((1, one), (2, two)) for e in c.elements]
    return el.Collection(tuple(parts), one.kind)


@function("Collection.flatten")
def flatten(items: el.Collection) -> el.Collection:
    """Return the elements of a collection of collections, named ``outer_inner``."""
    parts = []
    for outer in items.elements:
        if not isinstance(outer, el.Collection):
            raise EngineError("Collection.flatten: an element is no collection.")
        k = len(parts) if outer.identifier is None else outer.identifier
        parts.extend(el.named(e, f"{k}_{el.index_of(e)}") for e in outer.elements)
    return el.Collection(tuple(parts), _kind(parts))


@function("Collection.map")
def mapped(items: el.Collection, algorithm: el.Algorithm, drop_nulls: bool) -> el.Collection:
    """Return a function applied to every element; the results keep the elements' names.

    The collection keeps its id and properties.
    """
    results = []
    for element in items.elements:
        found = algorithm.call(element)
        if found is None:
            if drop_nulls:
                continue
            raise EngineError("Collection.map: A mapped function's result is null; use "
                              "dropNulls.")
        if isinstance(found, el.Collection):
            results.append(el.Collection(found.elements, found.kind, el.index_of(element)))
            continue
        found = coerce(found, "Element", "Collection.map: A mapped algorithm's result")
        results.append(el.named(found, el.index_of(element)))
    return replace(items, elements=tuple(results),
                   kind=_kind(results) if results else items.kind)


@function("Collection.iterate")
def iterate(items: el.Collection, algorithm: el.Algorithm, start: Any) -> Any:
    """Return a function applied to each element and the result so far."""
    for element in items.elements:
        start = algorithm.call(element, start)
    return start


@function("Collection.distinct")
def distinct(items: el.Collection, properties: Any) -> el.Collection:
    """Return the first element of each combination of the properties' values."""
    names = [properties] if isinstance(properties, str) else list(properties)
    seen, kept = set(), []
    for element in items.elements:
        key = tuple(_hashable(el.get(element, n)) for n in names)
        if key not in seen:
            seen.add(key)
            kept.append(element)
    return items.with_elements(kept)


def _hashable(value: Any) -> Any:
    if isinstance(value, Geometry):
        return value.shape.wkb
    return str(value) if isinstance(value, (list, dict)) else value


@function("Collection.geometry")
def geometry(items: el.Collection, margin: Any) -> Geometry:
    """Return the union of the elements' geometries."""
    return el.collected(items)


@function("Collection.bounds")
def bounds(items: el.Collection, margin: Any, proj: Projection | None) -> Geometry:
    """Return the rectangle around the elements' geometries."""
    return around(el.collected(items), margin, proj)


@function("Collection.union")
def union(items: el.Collection, margin: Any) -> el.Collection:
    """Return one feature with the union of the geometries."""
    return el.Collection((el.Feature(el.collected(items), {}, "union_result"),))


@function("Collection.remap")
def remap(items: el.Collection, old: list[Any], new: list[int], name: str) -> el.Collection:
    """Replace one property's values by others; elements with a value not listed are dropped."""
    if len(old) != len(new):
        raise EngineError("Collection.remap: lookupIn and lookupOut must have the same length.")
    table = dict(zip(old, new, strict=True))
    kept = [el.with_properties(e, {**e.properties, name: table[el.get(e, name)]})
            for e in items.elements if el.get(e, name) in table]
    return items.with_elements(kept)
