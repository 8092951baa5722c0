"""One layer of an ArcGIS map service: found by name, read page by page, counted.

Source: ArcGIS REST API, "Map Service", "Layer / Table", "Query (Map Service/Layer)".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lulc_lib.sites.layer_file import Bounds
from lulc_lib.sites.layers import fold
from lulc_lib.sites.web import Asker, Json, PassingError

PASSING = (429, 500, 502, 503, 504)
"""Error codes inside an answer that are worth another try."""


class LayerInfo(NamedTuple):
    """A layer as the service describes it: address, name, id field, most features of one answer
    (None: not told), whether it hands out pages, and its copyright text."""

    url: str
    name: str
    object_id: str
    page: int | None
    pages: bool
    copyright: str


def find_layer(ask: Asker, service: str, words: Sequence[Sequence[str]], name: str | None = None
               ) -> LayerInfo:
    """The one layer of polygons with the right name, from the service's own description.

    Parameters
    ----------
    ask : the connection.
    service : address of the map service.
    words : a layer fits if its name holds all words of one of these groups; case and diacritics do
        not count.
    name : the layer's whole name, if the user states it; then ``words`` do not matter.

    Raises
    ------
    InputError
        No layer, or several, fit; the message lists the service's layers.
    """
    listed = _answer(ask, service, {}, "layers", list)["layers"]
    called = [entry for entry in listed if not entry.get("subLayerIds")
              and _is_called(fold(str(entry["name"])), words, name)]
    known = [_describe(ask, f"{service}/{entry['id']}") for entry in called]
    usable = [layer for layer in known if layer is not None]
    if len(usable) != 1:
        wanted = repr(name) if name else " or ".join(repr(" ".join(group)) for group in words)
        found = "none" if not usable else f"{len(usable)} ({', '.join(i.name for i in usable)})"
        titles = ", ".join(f"{entry['name']} ({entry['id']})" for entry in listed) or "none"
        raise ask.failure(f"the service must have one layer of polygons called {wanted}, and has "
                          f"{found}; its layers: {titles}; state the layer's whole name "
                          f"(lulc data --layer {ask.what}=NAME)", service)
    return usable[0]


def _is_called(folded: str, words: Sequence[Sequence[str]], name: str | None) -> bool:
    if name is not None:
        return folded == fold(name)
    return any(all(word in folded for word in group) for group in words)


def features(ask: Asker, layer: LayerInfo, bounds: Bounds) -> list[Json]:
    """All GeoJSON features of a layer that touch an area, each once.

    Parameters
    ----------
    ask : the connection.
    layer : from :func:`find_layer`.
    bounds : (west, south, east, north) in degrees, WGS 84.

    Returns
    -------
    Features in degrees (WGS 84), in the order of their ids, with all the service's fields.

    Raises
    ------
    InputError
        The service cannot be had, sends the same page again, or sends other than it counted.
    """
    area = {"where": "1=1", "geometry": ",".join(f"{b:.8f}" for b in bounds), "inSR": 4326,
            "geometryType": "esriGeometryEnvelope", "spatialRel": "esriSpatialRelIntersects"}
    query = f"{layer.url}/query"
    count = _answer(ask, query, {**area, "returnCountOnly": "true"}, "count", int)["count"]
    paged = layer.page is None or count > layer.page
    if paged and not layer.pages:
        raise ask.failure(f"layer {layer.name} holds {count} features there and hands out "
                          f"{layer.page or 'an unknown number'} at most, without pages; take a "
                          "smaller area", query)
    fields = {**area, "outFields": "*", "outSR": 4326, "returnGeometry": "true", "f": "geojson"}
    if paged:
        fields |= {"orderByFields": layer.object_id, "resultRecordCount": layer.page}
    seen: dict[str, Json] = {}
    received, more = 0, count > 0
    while more:
        answer = _answer(ask, query, {**fields, **({"resultOffset": received} if paged else {})},
                         "features", list)
        page = {_key(feature, layer.object_id): feature for feature in answer["features"]}
        if page and page.keys() <= seen.keys():
            raise ask.failure(f"layer {layer.name} sends the same page again instead of the "
                              f"features from number {received + 1} on, so it cannot be read in "
                              "pages; take a smaller area", query)
        seen |= page
        received += len(answer["features"])
        more = paged and bool(page) and (received < count or _exceeded(answer))
    if len(seen) != count:
        raise ask.failure(f"layer {layer.name} counts {count} features there and sent {len(seen)}"
                          + (f" ({received} with repeats)" if received > len(seen) else ""), query)
    return [seen[key] for key in sorted(seen, key=lambda key: (len(key), key))]


def _answer(ask: Asker, url: str, params: Mapping[str, object], key: str, kind: type) -> Json:
    """The answer to a request; one that holds an error, or no ``key`` of its kind, is none.

    ArcGIS sends its errors with HTTP status 200.
    """

    def check(answer: Json) -> None:
        if "error" in answer:
            error = answer["error"] if isinstance(answer["error"], dict) else {}
            said = [str(error.get("message") or "no message"),
                    *(str(detail) for detail in error.get("details") or () if detail)]
            why = f"the service answers error {error.get('code')}: {'; '.join(said)}"
            if error.get("code") in PASSING:
                raise PassingError(why)
            raise ask.failure(why, url)
        if not isinstance(answer.get(key), kind):
            raise PassingError(f"the answer has no {key!r}")

    return ask.json(url, {"f": "json", **params}, check=check)


def _describe(ask: Asker, url: str) -> LayerInfo | None:
    """What a layer says of itself; None if it holds no polygons that can be queried."""
    layer = _answer(ask, url, {}, "name", str)
    can = str(layer.get("capabilities") or "Query")
    if layer.get("geometryType") != "esriGeometryPolygon" or "Query" not in can:
        return None
    formats = str(layer.get("supportedQueryFormats") or "geoJSON")
    if "geojson" not in formats.casefold():
        raise ask.failure(f"layer {layer['name']} is served as {formats}, not as GeoJSON", url)
    ids = [f["name"] for f in layer.get("fields") or () if f.get("type") == "esriFieldTypeOID"]
    advanced = layer.get("advancedQueryCapabilities") or {}
    return LayerInfo(
        url, layer["name"], layer.get("objectIdField") or (*ids, "OBJECTID")[0],
        layer.get("maxRecordCount") or None, bool(advanced.get("supportsPagination", True)),
        " ".join(str(layer.get("copyrightText") or "").split()))


def _exceeded(answer: Json) -> bool:
    """Whether the service says that there is more; where it says so depends on its version."""
    inside = answer.get("properties")
    inside = inside if isinstance(inside, dict) else {}
    return bool(answer.get("exceededTransferLimit") or inside.get("exceededTransferLimit"))


def _key(feature: Json, object_id: str) -> str:
    """What makes a feature one: its id, else all of it."""
    number = (feature.get("properties") or {}).get(object_id)
    number = feature.get("id") if number is None else number
    return str(number) if number is not None else json.dumps(feature, sort_keys=True)
