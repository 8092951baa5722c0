"""The part of Earth Engine's REST interface that the client uses: which address does what.

Addresses of values, pictures (pixels, thumbnails, maps and their tiles), tables, exports with
their operations, and of the catalogue.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ee_local import discovery, limits, notices
from ee_local import elements as el
from ee_local.algorithms.images import default_grid, select
from ee_local.algorithms.mosaics import mosaic
from ee_local.coerce import coerce, parse_moment
from ee_local.elements import Collection
from ee_local.encode import encode
from ee_local.engine import Engine
from ee_local.errors import EngineError
from ee_local.geometry import from_geojson
from ee_local.pixels import Image
from ee_local.rasters import cloud_optimised, geotiff, plain_name, write_image
from ee_local.rendering import encode_picture, picture, rgba, tile_grid
from ee_local.tables import MEDIA, plain_feature, plain_geometry, write_table

JSON = "application/json; charset=UTF-8"
PROJECTS = ("offline", "earthengine-public", "earthengine-legacy")


class Request(NamedTuple):
    """A request: verb, path without escapes, query, body, and whether a foreign page sent it."""

    verb: str
    path: str
    query: Mapping[str, str]
    body: bytes
    foreign: bool = False

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises
        ------
        EngineError
            It is none.
        """
        try:
            found = json.loads(self.body or b"{}")
        except (ValueError, RecursionError) as error:
            raise EngineError(f"Invalid JSON payload received: {error}.") from None
        if not isinstance(found, dict):
            raise EngineError("Invalid JSON payload received: it must be an object.")
        return found


@dataclass(frozen=True)
class Answer:
    """What goes back; ``shared``: pages of this machine may read it (tiles, thumbnails)."""

    body: bytes
    kind: str = JSON
    code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False


def as_json(value: Any) -> Answer:
    """Return a value as a JSON answer."""
    return Answer(json.dumps(value, allow_nan=False).encode())


class Call(NamedTuple):
    """What an action is given: the engine, the request, and the parts of its address."""

    engine: Engine
    request: Request
    parts: Mapping[str, str]


Action = Callable[[Call], Answer]
_ROUTES: list[tuple[str, re.Pattern[str], Action, bool]] = []


def route(verb: str, pattern: str, shared: bool = False) -> Callable[[Action], Action]:
    """Register an action for an address below ``/v1/projects/<project>/``.

    ``shared``: any page may show what it gives (a picture by its unguessable name); every other
    action answers this machine's programs alone.
    """
    between = "" if pattern.startswith(":") else "/"
    whole = re.compile(rf"/v1/projects/(?P<project>[^/:]+){between}{pattern}")

    def register(action: Action) -> Action:
        _ROUTES.append((verb, whole, action, shared))
        return action
    return register


def respond(engine: Engine, address: str, request: Request) -> Answer:
    """Return the answer to a request.

    Raises
    ------
    EngineError
        Unknown address (404), wrong verb (405), unknown project (403), another site's page (403),
        or what the action raises.
    """
    if request.path == "/$discovery/rest":
        return Answer(discovery.document(address))
    verbs = set()
    for verb, pattern, action, shared in _ROUTES:
        found = pattern.fullmatch(request.path)
        if found is None:
            continue
        verbs.add(verb)
        if verb == request.verb:
            parts = found.groupdict()
            if parts["project"] not in PROJECTS:
                raise EngineError(f"Project {parts['project']!r} is not known here; the local "
                                  f"Earth Engine has one project, {PROJECTS[0]!r}.", 403)
            if request.foreign and not shared:
                raise EngineError("A page of another site may show pictures of the local Earth "
                                  "Engine and nothing else.", 403)
            with engine.turn, limits.request():
                return replace(_warned(action, Call(engine, request, parts)), shared=shared)
    if verbs:
        raise EngineError(f"{request.verb} is not possible at {request.path}; it takes "
                          f"{', '.join(sorted(verbs))}.", 405)
    raise EngineError(f"The local Earth Engine has nothing at {request.path[:200]}.", 404)


def _warned(action: Action, call: Call) -> Answer:
    """Return an action's answer with its warnings: a header, and a field of a JSON object.

    Raises
    ------
    EngineError
        What the action raises, with the warnings at its end.
    """
    with notices.logged() as told:
        try:
            answer = action(call)
        except EngineError as error:
            if not told:
                raise
            raise EngineError(" ".join([str(error), *(f"Warning: {t}" for t in told)]),
                              error.code) from error
    if not told:
        return answer
    header = " | ".join(told).encode("ascii", "backslashreplace").decode()
    body = answer.body
    if answer.kind == JSON:
        body = json.dumps({**json.loads(body), "warnings": told}).encode()
    return replace(answer, body=body, headers={**answer.headers, notices.HEADER: header})


@route("GET", "algorithms")
def list_algorithms(call: Call) -> Answer:
    """Return all functions with their arguments."""
    return Answer(discovery.algorithms())


@route("GET", "config")
def get_config(call: Call) -> Answer:
    """Return what the client asks of a project: nothing is limited here."""
    return as_json({"name": f"projects/{call.parts['project']}/config",
                    "maxConcurrentExports": 1})


@route("POST", "value:compute")
def compute_value(call: Call) -> Answer:
    """Return the value of an expression: ``getInfo()``."""
    value = call.engine.evaluate(call.request.json().get("expression"))
    limits.check_written(value, "The answer")
    return as_json({"result": encode(value)})


@route("POST", r"(?P<what>featureView|classifier:export|video:export|map:export|videoMap:export"
       r"|videoThumbnails|filmstripThumbnails|imageCollection:computeImages|image:import"
       r"|table:import)")
def not_implemented(call: Call) -> Answer:
    """Refuse what the client can ask of Google's service and not of this one."""
    raise EngineError(f"{call.parts['what']} is not implemented by the local Earth Engine; use the "
                      "google back end for it.")


def _image(call: Call, request: dict[str, Any], where: str) -> Image:
    value = call.engine.evaluate(request.get("expression"))
    if getattr(value, "kind", "") == "ImageCollection":
        return mosaic(value)
    return coerce(value, "Image", where)


@route("POST", "image:computePixels")
def compute_pixels(call: Call) -> Answer:
    """Return an image's pixels as a file."""
    request = call.request.json()
    body, kind = write_image(_image(call, request, "computePixels"), request, "computePixels")
    return Answer(body, kind)


@route("POST", "thumbnails")
def create_thumbnail(call: Call) -> Answer:
    """Return a thumbnail or a download that can be fetched by its name."""
    request = call.request.json()
    image = _image(call, request, "thumbnails")
    image.first("thumbnails")
    kept = {k: v for k, v in request.items() if k != "expression"}
    name = call.engine.keep(f"projects/{call.parts['project']}/thumbnails", (image, kept))
    return as_json({"name": name})


@route("GET", r"thumbnails/(?P<name>\w+):getPixels", shared=True)
def thumbnail_pixels(call: Call) -> Answer:
    """Return the file of a thumbnail."""
    image, request = call.engine.kept(
        f"projects/{call.parts['project']}/thumbnails/{call.parts['name']}")
    body, kind = write_image(image, request, "thumbnails")
    end = {"application/zip": "zip", "image/tiff": "tif", "application/octet-stream": "npy"}
    headers = {}
    if kind in end:
        name = plain_name(request.get("filenamePrefix") or "download")
        headers["Content-Disposition"] = f'attachment; filename="{name}.{end[kind]}"'
    return Answer(body, kind, headers=headers)


@route("POST", r"assets/(?P<asset>.+):getPixels")
def asset_pixels(call: Call) -> Answer:
    """Return pixels of an image of the catalogue as a file."""
    request = call.request.json()
    body, kind = write_image(call.engine.catalogue.image(call.parts["asset"]), request, "getPixels")
    return Answer(body, kind)


@route("POST", "maps")
def create_map(call: Call) -> Answer:
    """Return a map whose tiles can be fetched by its name."""
    request = call.request.json()
    image = _image(call, request, "maps")
    names = request.get("bandIds")
    if names:
        image = select(image, list(names), None)
    shown = picture(image, request.get("visualizationOptions"))
    kind = "PNG" if request.get("fileFormat") != "JPEG" else "JPEG"
    name = call.engine.keep(f"projects/{call.parts['project']}/maps", (shown, kind))
    return as_json({"name": name})


@route("GET", r"maps/(?P<name>\w+)/tiles/(?P<zoom>\d{1,2})/(?P<col>\d{1,9})/(?P<row>\d{1,9})",
       shared=True)
def map_tile(call: Call) -> Answer:
    """Return a tile of a map; transparent outside the image."""
    image, kind = call.engine.kept(f"projects/{call.parts['project']}/maps/{call.parts['name']}")
    grid = tile_grid(*(int(call.parts[k]) for k in ("zoom", "col", "row")))
    body, media = encode_picture(rgba(image, grid), kind)
    return Answer(body, media, headers={"Cache-Control": "private, max-age=3600"})


PAGE = 1000
"""Most features of a page."""


def page_of(request: dict[str, Any], items: Sequence[Any]) -> tuple[Sequence[Any], dict[str, str]]:
    """Return the part of some items that a request asks for, and the token of the next part.

    Raises
    ------
    EngineError
        The size or the token is no number.
    """
    try:
        size = min(int(request.get("pageSize") or PAGE), PAGE)
        start = int(request.get("pageToken") or 0)
    except (TypeError, ValueError):
        raise EngineError("pageSize and pageToken must be numbers.") from None
    if size < 1 or start < 0:
        raise EngineError(f"pageSize is {size} and pageToken {start}; they must not be negative.")
    rest = {"nextPageToken": str(start + size)} if start + size < len(items) else {}
    return items[start:start + size], rest


def _collection(call: Call, request: dict[str, Any], where: str) -> Collection:
    return coerce(call.engine.evaluate(request.get("expression")), "FeatureCollection", where)


@route("POST", "table:computeFeatures")
def compute_features(call: Call) -> Answer:
    """Return a page of features as GeoJSON."""
    request = call.request.json()
    items = _collection(call, request, "computeFeatures")
    page, rest = page_of(request, items.elements)
    limits.check_written(list(page), "The answer")
    return as_json({"type": "FeatureCollection", "features": [plain_feature(e) for e in page],
                    **rest})


@route("POST", "tables")
def create_table(call: Call) -> Answer:
    """Return a table that can be fetched by its name."""
    request = call.request.json()
    items = _collection(call, request, "tables")
    found = write_table(items, request.get("fileFormat"), request.get("selectors"), "tables")
    name = plain_name(request.get("filename") or "table")
    return as_json({"name": call.engine.keep(f"projects/{call.parts['project']}/tables",
                                             (found, name))})


@route("GET", r"tables/(?P<name>\w+):getFeatures", shared=True)
def table_features(call: Call) -> Answer:
    """Return the file of a table."""
    (body, media, ending), name = call.engine.kept(
        f"projects/{call.parts['project']}/tables/{call.parts['name']}")
    return Answer(body, media, headers={
        "Content-Disposition": f'attachment; filename="{name}.{ending}"'})


MOST_PIXELS = 100_000_000
"""Largest export unless ``maxPixels`` says otherwise, as in Google's service."""


def _options(request: dict[str, Any]) -> dict[str, Any]:
    options = request.get("fileExportOptions")
    return options if isinstance(options, dict) else {}


@route("POST", "image:export")
def export_image(call: Call) -> Answer:
    """Write an image as GeoTIFF, in the background."""
    request = call.request.json()
    kind = str(_options(request).get("fileFormat") or "GEO_TIFF")
    if kind != "GEO_TIFF":
        raise EngineError(f"image:export: the file format {kind!r} is not implemented by the local "
                          "Earth Engine; GEO_TIFF is.")
    most = int((request.get("maxPixels") or {}).get("value") or MOST_PIXELS)
    return _started(call, request, "EXPORT_IMAGE", "tif",
                    lambda: _geotiff(call, request, most))


def _geotiff(call: Call, request: dict[str, Any], most: int) -> bytes:
    image = coerce(call.engine.evaluate(request.get("expression")), "Image", "image:export")
    grid = default_grid(image, "Export.image")
    if grid.width * grid.height > most:
        raise EngineError(f"Export too large: specified {grid.width * grid.height} pixels (max: "
                          f"{most}). Specify higher maxPixels value if you intend to export a "
                          "large area.")
    options = _options(request).get("geoTiffOptions") or {}
    nodata = (options.get("noData") or {}).get("floatValue")
    body = geotiff(image.bands, grid, nodata=nodata)
    return cloud_optimised(body) if options.get("cloudOptimized") else body


@route("POST", "table:export")
def export_table(call: Call) -> Answer:
    """Write a collection as CSV or GeoJSON, in the background."""
    request = call.request.json()
    kind = str(_options(request).get("fileFormat") or "CSV")
    if kind not in MEDIA:
        raise EngineError(f"table:export: the file format {kind!r} is not implemented by the local "
                          f"Earth Engine; {', '.join(MEDIA)} are.")

    def work() -> bytes:
        items = coerce(call.engine.evaluate(request.get("expression")), "FeatureCollection",
                       "table:export")
        return write_table(items, kind, request.get("selectors"), "table:export")[0]
    return _started(call, request, "EXPORT_FEATURES", MEDIA[kind][1], work)


def _started(call: Call, request: dict[str, Any], kind: str, ending: str,
             work: Callable[[], bytes]) -> Answer:
    operation = call.engine.exports.start(call.parts["project"], kind, request, ending, work)
    return as_json(operation.as_json())


@route("GET", "operations")
def list_operations(call: Call) -> Answer:
    """Return a page of operations, the newest first."""
    found = call.engine.exports.list(call.parts["project"])
    page, rest = page_of(dict(call.request.query), found)
    return as_json({"operations": [o.as_json() for o in page], **rest})


@route("GET", r"operations/(?P<name>\w+)")
def get_operation(call: Call) -> Answer:
    """Return one operation."""
    return as_json(call.engine.exports.get(_name(call)).as_json())


@route("POST", r"operations/(?P<name>\w+):cancel")
def cancel_operation(call: Call) -> Answer:
    """Cancel an operation."""
    call.engine.exports.cancel(_name(call))
    return as_json({})


def _name(call: Call) -> str:
    return f"projects/{call.parts['project']}/operations/{call.parts['name']}"


PUBLIC = "projects/earthengine-public/assets/"
CLAUSE = re.compile(r'(?P<name>startTime|endTime|properties\.[\w:.]+)\s*(?P<sign>>=|<=|!=|=|<|>)'
                    r'\s*(?P<value>"[^"]*"|[-+.\w]+)')
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    "<": lambda a, b: a < b, "=": lambda a, b: a == b, "!=": lambda a, b: a != b}


def _moment(millis: float) -> str:
    return dt.datetime.fromtimestamp(millis / 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe(asset: Image | el.Collection, full: bool = True) -> dict[str, Any]:
    """Return an asset as the client reads it.

    Parameters
    ----------
    full : bool
        With bands, properties and outline.
    """
    kind = "IMAGE" if isinstance(asset, Image) else "IMAGE_COLLECTION"
    found: dict[str, Any] = {"type": kind, "name": PUBLIC + str(asset.identifier),
                             "id": asset.identifier}
    if not full:
        return found
    if isinstance(asset, el.Collection):
        return {**found, "properties": encode(dict(asset.properties)),
                "geometry": plain_geometry(el.collected(asset))}
    start = asset.properties.get("system:time_start")
    end = asset.properties.get("system:time_end", start)
    times = {} if start is None else {"startTime": _moment(start), "endTime": _moment(end)}
    own = {k: encode(v) for k, v in el.own_properties(asset).items()}
    return {**found, **times, "properties": own, "geometry": plain_geometry(el.geometry_of(asset)),
            "bands": [_band(b) for b in encode(asset)["bands"]]}


def _band(band: dict[str, Any]) -> dict[str, Any]:
    """Return a band as the assets' interface writes it."""
    a, b, c, d, e, f = band["crs_transform"]
    width, height = band.get("dimensions", (0, 0))
    kind = band["data_type"]
    limits = {k: kind[k] for k in ("min", "max") if k in kind}
    return {"id": band["id"],
            "dataType": {"precision": kind["precision"].upper(),
                         **({"range": limits} if limits else {})},
            "grid": {"crsCode": band["crs"], "dimensions": {"width": width, "height": height},
                     "affineTransform": {"scaleX": a, "shearX": b, "translateX": c,
                                         "shearY": d, "scaleY": e, "translateY": f}}}


@route("GET", r"assets/(?P<asset>[^:]+)")
def get_asset(call: Call) -> Answer:
    """Return what is known of an image or collection."""
    return as_json(describe(call.engine.catalogue.asset(call.parts["asset"].strip("/"))))


@route("GET", ":listAssets")
def list_root(call: Call) -> Answer:
    """Return the user's own assets: there are none."""
    return as_json({"assets": []})


@route("GET", r"assets/(?P<asset>[^:]+):listAssets")
def list_assets(call: Call) -> Answer:
    """Return the images of a collection, filtered by time, place and properties."""
    query = call.request.query
    items = call.engine.catalogue.collection(call.parts["asset"])
    passes = _conditions(query.get("filter", ""))
    chosen = [i for i in items.elements if all(p(i) for p in passes)]
    page, rest = page_of(dict(query), chosen)
    full = query.get("view") != "BASIC"
    return as_json({"assets": [describe(i, full) for i in page], **rest})


def _conditions(text: str) -> list[Callable[[Image], bool]]:
    """Return the tests that a filter text describes.

    Raises
    ------
    EngineError
        A part cannot be read.
    """
    tests: list[Callable[[Image], bool]] = []
    text, shapes = _take_shapes(text)
    for shape in shapes:
        tests.append(lambda i, s=shape: el.geometry_of(i).lonlat().intersects(s))
    for part in re.split(r"\s+AND\s+", text) if text.strip() else []:
        found = CLAUSE.fullmatch(part.strip())
        if found is None:
            raise EngineError(f"listAssets: the filter {part.strip()[:60]!r} cannot be read by the "
                              "local Earth Engine.")
        tests.append(_clause(*found.groups()))
    return tests


def _take_shapes(text: str) -> tuple[str, list[Any]]:
    """Return the text without its ``intersects("…")`` parts, and their shapes."""
    shapes = []
    for found in re.findall(r'intersects\("([^"]*)"\)', text):
        try:
            shapes.append(from_geojson(json.loads(found.replace("'", '"'))).lonlat())
        except ValueError:
            raise EngineError("listAssets: intersects needs a GeoJSON geometry.") from None
    rest = re.sub(r'(\s*AND\s*)?intersects\("[^"]*"\)(\s*AND\s*)?',
                  lambda m: " AND " if m.group(1) and m.group(2) else "", text)
    return rest, shapes


def _clause(name: str, sign: str, value: str) -> Callable[[Image], bool]:
    plain = value.strip('"')

    def test(image: Image) -> bool:
        if name in ("startTime", "endTime"):
            own = image.properties.get(f"system:time_{name.removesuffix('Time')}")
            return own is not None and SIGNS[sign](own, parse_moment(plain.replace("Z", "+00:00")))
        own = image.properties.get(name.removeprefix("properties."))
        if own is None:
            return False
        try:
            return SIGNS[sign](own, type(own)(plain))
        except (TypeError, ValueError):
            return False
    return test
