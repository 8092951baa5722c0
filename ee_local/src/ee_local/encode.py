"""Values to the JSON that the client reads from ``getInfo()``."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ee_local import elements as el
from ee_local.coerce import type_name
from ee_local.confusion import ConfusionMatrix
from ee_local.errors import EngineError
from ee_local.geometry import Geometry, to_geojson
from ee_local.grid import Projection, parse_crs
from ee_local.kmeans import Clusterer
from ee_local.models import Classifier
from ee_local.pixels import Band, Image, PixelType
from ee_local.reduction import Reducer

MOST_ELEMENTS = 5000
"""Most elements of a collection that one answer may hold, as in Google's service."""


def encode(value: Any) -> Any:
    """Return the JSON of a value.

    Numbers that are whole are written without a point, as Google's service does; NaN and the
    infinities, which JSON has no word for, become null.

    Raises
    ------
    EngineError
        The value is a function, or a collection of more than 5000 elements.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float, np.number)):
        return _number(value)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return [encode(v) for v in value]
    if isinstance(value, dict):
        return {str(k): encode(v) for k, v in value.items()}
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    raise EngineError(f"A {type_name(value)} cannot be sent to the client.")


def _number(value: Any) -> int | float | None:
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float):
        if not math.isfinite(number):
            return None
        if number.is_integer() and abs(number) < 2**53:
            return int(number)
    return number


def _projection(value: Projection) -> dict[str, Any]:
    transform = [encode(float(v)) for v in value.transform]
    crs = value.crs
    if "[" in crs:
        return {"type": "Projection", "wkt": parse_crs(crs).to_wkt("WKT1_GDAL"),
                "transform": transform}
    return {"type": "Projection", "crs": crs, "transform": transform}


def _pixel_type(value: PixelType) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "PixelType", "precision": value.precision}
    if value.low is not None:
        found |= {"min": encode(value.low), "max": encode(value.high)}
    if value.dimensions:
        found["dimensions"] = value.dimensions
    return found


def _band(band: Band) -> dict[str, Any]:
    found: dict[str, Any] = {"id": band.name, "data_type": _pixel_type(band.type)}
    if band.size is not None:
        found["dimensions"] = list(band.size)
    place = _projection(band.projection)
    found["crs"] = place.get("crs", place.get("wkt"))
    found["crs_transform"] = place["transform"]
    return found


def _image(image: Image) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "Image", "bands": [_band(b) for b in image.bands]}
    if image.identifier is not None:
        found["id"] = image.identifier
    if image.version is not None:
        found["version"] = image.version
    properties = {k: encode(v) for k, v in image.properties.items()}
    if image.footprint is not None and image.identifier is not None:
        properties.setdefault("system:footprint", _footprint(image.footprint))
    if properties:
        found["properties"] = properties
    return found


def _footprint(geometry: Geometry) -> dict[str, Any]:
    shape = geometry.shape
    if shape.geom_type == "Polygon":
        return {"type": "LinearRing", "coordinates": [list(xy) for xy in shape.exterior.coords]}
    return to_geojson(geometry)


def _feature(feature: el.Feature) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "Feature",
        "geometry": None if feature.geometry is None else to_geojson(feature.geometry),
        "properties": {k: encode(v) for k, v in feature.properties.items()}}
    if feature.identifier is not None:
        found["id"] = feature.identifier
    return found


def _collection(value: el.Collection) -> dict[str, Any]:
    if len(value.elements) > MOST_ELEMENTS:
        raise EngineError("Collection query aborted after accumulating over "
                          f"{MOST_ELEMENTS} elements.")
    found: dict[str, Any] = {"type": value.kind}
    if value.identifier is not None:
        found["id"] = value.identifier
    if value.kind == "ImageCollection":
        found["bands"] = []
    else:
        found["columns"] = columns(value)
    if value.properties:
        found["properties"] = encode(dict(value.properties))
    found["features"] = [encode(e) for e in value.elements]
    return found


def columns(value: el.Collection) -> dict[str, str]:
    """Map property names to types, over all elements, with their index."""
    found: dict[str, str] = {}
    for element in value.elements:
        for name, item in element.properties.items():
            if item is not None:
                found.setdefault(name, type_name(item))
    return {**dict(sorted(found.items())), **({"system:index": "String"} if value.elements else {})}


def _classifier(value: Classifier) -> dict[str, Any]:
    return {"type": "Classifier", **encode(value.description())}


def _clusterer(value: Clusterer) -> dict[str, Any]:
    options = {k: v for k, v in value.options.items() if v is not None}
    schema = {"schema": list(value.inputs)} if value.inputs else {}
    return {"type": "Clusterer", "clusterer": value.name, **encode(options | schema)}


_WRITERS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (Image, _image), (el.Feature, _feature), (el.Collection, _collection), (Geometry, to_geojson),
    (np.ndarray, lambda v: encode(v.tolist())), (ConfusionMatrix, lambda v: v.counts.tolist()),
    (Projection, _projection), (PixelType, _pixel_type),
    (el.Date, lambda v: {"type": "Date", "value": encode(float(v.millis))}),
    (el.DateRange, lambda v: {"type": "DateRange",
                              "dates": [encode(v.start), encode(v.end)]}),
    (el.ErrorMargin, lambda v: {"type": "ErrorMargin", "value": v.value, "unit": v.unit}),
    (Reducer, lambda v: {"type": "Reducer", "name": v.name}),
    (el.Filter, lambda v: {"type": "Filter", "name": v.name}),
    (Classifier, _classifier), (Clusterer, _clusterer),
    (bytes, lambda v: base64.b64encode(v).decode()),
)
