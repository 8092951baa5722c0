"""Addresses of exports and their operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ee_local.algorithms.image_places import default_grid
from ee_local.coerce import coerce
from ee_local.errors import EngineError
from ee_local.rasters import cloud_optimised, geotiff
from ee_local.routes import Answer, Call, as_json, route
from ee_local.routes_tables import page_of
from ee_local.tables import MEDIA, write

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
        return write(items, kind, request.get("selectors"), "table:export")[0]
    return _started(call, request, "EXPORT_FEATURES", MEDIA[kind][1], work)


def _started(call: Call, request: dict[str, Any], kind: str, ending: str,
             work: Callable[[], bytes]) -> Answer:
    operation = call.engine.exports.start(call.parts["project"], kind, request, ending, work)
    return as_json(operation.as_json())


@route("GET", "operations")
def list_operations(call: Call) -> Answer:
    """A page of operations, the newest first."""
    found = call.engine.exports.list(call.parts["project"])
    page, rest = page_of(dict(call.request.query), found)
    return as_json({"operations": [o.as_json() for o in page], **rest})


@route("GET", r"operations/(?P<name>\w+)")
def get_operation(call: Call) -> Answer:
    """One operation."""
    return as_json(call.engine.exports.get(_name(call)).as_json())


@route("POST", r"operations/(?P<name>\w+):cancel")
def cancel_operation(call: Call) -> Answer:
    """Cancel an operation."""
    call.engine.exports.cancel(_name(call))
    return as_json({})


def _name(call: Call) -> str:
    return f"projects/{call.parts['project']}/operations/{call.parts['name']}"
