"""Collections as tables: CSV and GeoJSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import shapely

from ee_local import elements as el
from ee_local.encode import columns, encode
from ee_local.errors import EngineError
from ee_local.geometry import Geometry

MEDIA = {"CSV": ("text/csv; charset=UTF-8", "csv"),
         "GEO_JSON": ("application/geo+json", "geojson")}
FORMATS = {"JSON": "GEO_JSON"}
"""Other names of formats."""


def plain_geometry(geometry: Geometry | None) -> dict[str, Any] | None:
    """Return GeoJSON in longitude and latitude with straight edges, as tables carry it."""
    if geometry is None:
        return None
    return json.loads(json.dumps(shapely.geometry.mapping(geometry.lonlat())))


def plain_feature(element: el.Element) -> dict[str, Any]:
    """Return an element as GeoJSON feature in longitude and latitude."""
    found = {"type": "Feature", "geometry": plain_geometry(el.geometry_of(element)),
             "properties": {k: encode(v) for k, v in element.properties.items()}}
    index = el.index_of(element)
    return found if index is None else {**found, "id": index}


def geojson(items: el.Collection, selectors: Sequence[str] | None) -> bytes:
    """Return a GeoJSON feature collection; with selectors only those properties."""
    features = [plain_feature(e) for e in items.elements]
    if selectors:
        for feature in features:
            feature["properties"] = {k: v for k, v in feature["properties"].items()
                                     if k in selectors}
    return json.dumps({"type": "FeatureCollection", "columns": columns(items),
                       "features": features}).encode()


def comma_separated(items: el.Collection, selectors: Sequence[str] | None) -> bytes:
    """Return a CSV file: ``system:index``, the properties in alphabetical order, and ``.geo``.

    With selectors just those columns. Lists and geometries are written as JSON.
    """
    known = [c for c in columns(items) if c != "system:index"]
    names = list(selectors) if selectors else ["system:index", *known, ".geo"]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for element in items.elements:
        writer.writerow([_cell(element, name) for name in names])
    return out.getvalue().encode()


def _cell(element: el.Element, name: str) -> Any:
    if name == ".geo":
        geometry = plain_geometry(el.geometry_of(element))
        return "" if geometry is None else json.dumps(geometry)
    value = encode(el.get(element, name))
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def write_table(items: el.Collection, kind: Any, selectors: Sequence[str] | None,
          where: str) -> tuple[bytes, str, str]:
    """Return a collection as a file: content, media type and file ending.

    Raises
    ------
    EngineError
        The format is not implemented.
    """
    name = str(kind or "CSV").upper()
    name = FORMATS.get(name, name)
    if name not in MEDIA:
        raise EngineError(f"{where}: the file format {name!r} is not implemented by the local "
                          f"Earth Engine; {', '.join(MEDIA)} are.")
    media, ending = MEDIA[name]
    body = comma_separated(items, selectors) if name == "CSV" else geojson(items, selectors)
    return body, media, ending
