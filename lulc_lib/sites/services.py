"""The public services of the registry layers, and the two protocols they speak.

Source: service addresses as documented by the Polish Geological Institute (MIDAS), the European
Environment Agency (CORINE) and OpenStreetMap (Overpass API); ArcGIS REST API, "Map Service",
"Layer / Table", "Query (Map Service/Layer)"; Overpass API, "Overpass QL" and "OSM JSON";
OpenStreetMap wiki, "Relation:multipolygon".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import shapely
from shapely.geometry.base import BaseGeometry

from lulc_lib.errors import InputError
from lulc_lib.io.http import Client, Json, TransientError
from lulc_lib.sites.layer_file import Bounds, Note
from lulc_lib.sites.layers import fold


@dataclass(frozen=True)
class Service:
    """Where a layer is served, under which name, and on what terms."""

    layer: str
    url: str
    attribution: str
    licence: str
    words: tuple[tuple[str, ...], ...] = ()
    """Its name there holds all words of one group (ArcGIS; no diacritics); empty: Overpass."""


_MIDAS = {
    "url": "https://cbdgmapa.pgi.gov.pl/arcgis/rest/services/midas/MapServer",
    "attribution": "Polish Geological Institute – National Research Institute (PIG-PIB), MIDAS",
    "licence": "Public information, re-usable with the source named; geometry is indicative and "
               "approximate, only the source documents have legal force"}

SERVICES: dict[str, Service] = {
    service.layer: service
    for service in (
        Service("deposits", **_MIDAS, words=(("zloz",),)),
        Service("mining_areas", **_MIDAS, words=(("obszar", "gornicz"),)),
        Service("mining_terrains", **_MIDAS, words=(("teren", "gornicz"),)),
        Service("corine",
                "https://image.discomap.eea.europa.eu/arcgis/rest/services/Corine/CLC2018_WM/"
                "MapServer",
                "European Union, Copernicus Land Monitoring Service 2018, European Environment "
                "Agency (EEA)",
                "Copernicus data policy: full, open and free access, with the source named",
                words=(("corine",), ("clc",))),
        Service("osm_quarries", "https://overpass-api.de/api/interpreter",
                "© OpenStreetMap contributors", "Open Data Commons Open Database License (ODbL)"))}
"""Layers that have a service. Monitoring points have none: bring them as a file."""


PASSING = (429, 500, 502, 503, 504)
"""Error codes inside an answer that are worth another try."""


class LayerInfo(NamedTuple):
    """A layer as its service describes it."""

    url: str
    name: str
    object_id: str  # field that identifies a feature
    page: int | None  # most features of one answer; None: not told
    pages: bool  # whether it hands out several
    copyright: str


def find_service_layer(client: Client, service: str, words: Sequence[Sequence[str]],
                       name: str | None = None) -> LayerInfo:
    """Find the one layer of polygons with the right name in the service's own description.

    It fits if its name holds all words of one of the groups ``words``, case and diacritics aside;
    or, if the user states its whole ``name``, if it has that.

    Raises
    ------
    InputError
        No layer, or several, fit; the message lists the service's layers.
    """
    listed = _answer(client, service, {}, "layers", list)["layers"]
    called = [entry for entry in listed if not entry.get("subLayerIds")
              and _is_called(fold(str(entry["name"])), words, name)]
    described = [_describe(client, f"{service}/{entry['id']}") for entry in called]
    usable = [layer for layer in described if layer is not None]
    if len(usable) != 1:
        wanted = repr(name) if name else " or ".join(repr(" ".join(group)) for group in words)
        has = f"{len(usable)} ({', '.join(i.name for i in usable)})" if usable else "none"
        titles = ", ".join(f"{entry['name']} ({entry['id']})" for entry in listed) or "none"
        raise _refused(client, "the service must have one layer of polygons called "
                       f"{wanted}, and has {has}; its layers: {titles}; state the layer's whole "
                       f"name (lulc data --layer {client.what}=NAME)", service)
    return usable[0]


def _refused(client: Client, why: str, url: str) -> InputError:
    return InputError(client.failure(why, url))


def _is_called(folded: str, words: Sequence[Sequence[str]], name: str | None) -> bool:
    if name is not None:
        return folded == fold(name)
    return any(all(word in folded for word in group) for group in words)


def layer_features(client: Client, layer: LayerInfo, bounds: Bounds) -> list[Json]:
    """Fetch all features of a layer that touch an area, each once.

    ``bounds`` are west, south, east, north in degrees (WGS 84). The GeoJSON features are in degrees
    too, in the order of their ids, with all the service's fields.

    Raises
    ------
    InputError
        The service cannot be had, sends the same page again, or sends other than it counted.
    """
    area = {"where": "1=1", "geometry": ",".join(f"{b:.8f}" for b in bounds), "inSR": 4326,
            "geometryType": "esriGeometryEnvelope", "spatialRel": "esriSpatialRelIntersects"}
    query = f"{layer.url}/query"
    count = _answer(client, query, {**area, "returnCountOnly": "true"}, "count", int)["count"]
    paged = layer.page is None or count > layer.page
    if paged and not layer.pages:
        raise _refused(client, f"layer {layer.name} holds {count} features there and hands out "
                       f"{layer.page or 'an unknown number'} at most, without pages; take a "
                       "smaller area", query)
    fields = {**area, "outFields": "*", "outSR": 4326, "returnGeometry": "true", "f": "geojson"}
    if paged:
        fields |= {"orderByFields": layer.object_id, "resultRecordCount": layer.page}
    seen: dict[str, Json] = {}
    received, more = 0, count > 0
    while more:
        answer = _answer(client, query, {**fields, **({"resultOffset": received} if paged else {})},
                         "features", list)
        page = {_key(feature, layer.object_id): feature for feature in answer["features"]}
        if page and page.keys() <= seen.keys():
            raise _refused(client, f"layer {layer.name} sends the same page again instead of the "
                           f"features from number {received + 1} on, so it cannot be read in "
                           "pages; take a smaller area", query)
        seen |= page
        received += len(answer["features"])
        more = paged and bool(page) and (received < count or _exceeded(answer))
    if len(seen) != count:
        repeats = f" ({received} with repeats)" if received > len(seen) else ""
        raise _refused(client, f"layer {layer.name} counts {count} features there and sent "
                       f"{len(seen)}{repeats}", query)
    return [seen[key] for key in sorted(seen, key=lambda key: (len(key), key))]


def _answer(client: Client, url: str, params: Mapping[str, object], key: str, kind: type) -> Json:
    """Ask for an answer that holds no error, and ``key`` with a value of its kind.

    ArcGIS sends its errors with HTTP status 200.
    """

    def check(answer: Json) -> None:
        if "error" in answer:
            error = answer["error"] if isinstance(answer["error"], dict) else {}
            said = [str(error.get("message") or "no message"),
                    *(str(detail) for detail in error.get("details") or () if detail)]
            why = f"the service answers error {error.get('code')}: {'; '.join(said)}"
            if error.get("code") in PASSING:
                raise TransientError(why)
            raise _refused(client, why, url)
        if not isinstance(answer.get(key), kind):
            raise TransientError(f"the answer has no {key!r}")

    return client.json(url, {"f": "json", **params}, check=check)


def _describe(client: Client, url: str) -> LayerInfo | None:
    """Read what a layer says of itself; None if it holds no polygons that can be queried."""
    layer = _answer(client, url, {}, "name", str)
    can = str(layer.get("capabilities") or "Query")
    if layer.get("geometryType") != "esriGeometryPolygon" or "Query" not in can:
        return None
    formats = str(layer.get("supportedQueryFormats") or "geoJSON")
    if "geojson" not in formats.casefold():
        raise _refused(client, f"layer {layer['name']} is served as {formats}, not as GeoJSON", url)
    ids = [f["name"] for f in layer.get("fields") or () if f.get("type") == "esriFieldTypeOID"]
    advanced = layer.get("advancedQueryCapabilities") or {}
    return LayerInfo(
        url, layer["name"], layer.get("objectIdField") or (*ids, "OBJECTID")[0],
        layer.get("maxRecordCount") or None, bool(advanced.get("supportsPagination", True)),
        " ".join(str(layer.get("copyrightText") or "").split()))


def _exceeded(answer: Json) -> bool:
    """Tell whether the service says that there is more; where it does depends on its version."""
    inside = answer.get("properties")
    inside = inside if isinstance(inside, dict) else {}
    return bool(answer.get("exceededTransferLimit") or inside.get("exceededTransferLimit"))


def _key(feature: Json, object_id: str) -> str:
    """Identify a feature: by its id, else by all of it."""
    number = (feature.get("properties") or {}).get(object_id)
    number = feature.get("id") if number is None else number
    return str(number) if number is not None else json.dumps(feature, sort_keys=True)


QUERY = """[out:json][timeout:{seconds}];
(way["landuse"="quarry"]({south},{west},{north},{east});
relation["landuse"="quarry"]["type"="multipolygon"]({south},{west},{north},{east}););
out geom;"""


def osm_quarries(client: Client, url: str, bounds: Bounds, note: Note) -> list[Json]:
    """Fetch OpenStreetMap's areas tagged ``landuse=quarry`` that touch an area.

    ``bounds`` are west, south, east, north in degrees (WGS 84). The GeoJSON features are in degrees
    too, with ``osm_type``, ``osm_id`` and all tags. ``note`` hears what could not be made an area.

    Raises
    ------
    InputError
        The service cannot be had, or fails (it says so in a remark, with HTTP status 200).
    """
    west, south, east, north = (f"{b:.7f}" for b in bounds)
    text = QUERY.format(seconds=max(1, int(client.policy.read_timeout * 0.8)), south=south,
                        west=west, north=north, east=east)

    def check(answer: Json) -> None:
        if "error" in str(answer.get("remark", "")):
            raise TransientError(f"the service answers {' '.join(str(answer['remark']).split())!r}")
        if not isinstance(answer.get("elements"), list):
            raise TransientError("the answer has no 'elements'")

    features = []
    for element in client.json(url, form={"data": text}, check=check)["elements"]:
        area, loose = _area(element)
        if loose:
            note(f"OSM {element['type']} {element['id']} has lines that close to no ring; "
                 f"{'it is left out' if area.is_empty else 'they are left out'}")
        if area.is_empty:
            continue
        features.append({
            "type": "Feature", "geometry": shapely.geometry.mapping(area),
            "properties": {**element.get("tags", {}), "osm_type": element["type"],
                           "osm_id": element["id"]}})
    return features


def _area(element: Json) -> tuple[BaseGeometry, bool]:
    """Build the area of a way or multipolygon relation, and tell whether lines are left over.

    A relation's outer and inner rings may each be cut into several ways. Rings are laid on top of
    each other from large to small, outer ones added and inner ones taken away, so that an island
    in a hole comes back.
    """
    members = element.get("members") or [{"role": "outer", **element}]
    rings, loose = [], False
    for role in ("outer", "inner"):
        lines = [_line(m) for m in members if (m.get("role") or "outer") == role]
        noded = shapely.unary_union([line for line in lines if line is not None])
        faces, *left_over = shapely.polygonize_full(shapely.get_parts(noded))
        rings += [(shapely.Polygon(face.exterior), role) for face in faces.geoms]
        loose |= any(not lines.is_empty for lines in left_over) or None in lines
    area: BaseGeometry = shapely.Polygon()
    for ring, role in sorted(rings, key=lambda r: r[0].area, reverse=True):
        area = area.union(ring) if role == "outer" else area.difference(ring)
    return area, loose


def _line(member: Json) -> BaseGeometry | None:
    """Build the line of a way with its geometry; None for what has none."""
    points = [(p["lon"], p["lat"]) for p in member.get("geometry") or () if p]
    return shapely.LineString(points) if len(points) > 1 else None
