"""Addresses of pictures: pixels, thumbnails, maps and their tiles."""

from __future__ import annotations

from typing import Any

from ee_local.algorithms.images import select
from ee_local.algorithms.mosaics import mosaic
from ee_local.coerce import coerce
from ee_local.pixels import Image
from ee_local.rasters import plain_name, write
from ee_local.rendering import encode_picture, picture, rgba, tile_grid
from ee_local.routes import Answer, Call, as_json, route


def _image(call: Call, request: dict[str, Any], where: str) -> Image:
    value = call.engine.evaluate(request.get("expression"))
    if getattr(value, "kind", "") == "ImageCollection":
        return mosaic(value)
    return coerce(value, "Image", where)


@route("POST", "image:computePixels")
def compute_pixels(call: Call) -> Answer:
    """An image's pixels as a file."""
    request = call.request.json()
    body, kind = write(_image(call, request, "computePixels"), request, "computePixels")
    return Answer(body, kind)


@route("POST", "thumbnails")
def create_thumbnail(call: Call) -> Answer:
    """A thumbnail or a download that can be fetched by its name."""
    request = call.request.json()
    image = _image(call, request, "thumbnails")
    image.first("thumbnails")
    kept = {k: v for k, v in request.items() if k != "expression"}
    name = call.engine.keep(f"projects/{call.parts['project']}/thumbnails", (image, kept))
    return as_json({"name": name})


@route("GET", r"thumbnails/(?P<name>\w+):getPixels")
def thumbnail_pixels(call: Call) -> Answer:
    """The file of a thumbnail."""
    image, request = call.engine.kept(
        f"projects/{call.parts['project']}/thumbnails/{call.parts['name']}")
    body, kind = write(image, request, "thumbnails")
    end = {"application/zip": "zip", "image/tiff": "tif", "application/octet-stream": "npy"}
    headers = {}
    if kind in end:
        name = plain_name(request.get("filenamePrefix") or "download")
        headers["Content-Disposition"] = f'attachment; filename="{name}.{end[kind]}"'
    return Answer(body, kind, headers=headers, shared=True)


@route("POST", r"assets/(?P<asset>.+):getPixels")
def asset_pixels(call: Call) -> Answer:
    """Pixels of an image of the catalogue as a file."""
    request = call.request.json()
    body, kind = write(call.engine.catalogue.image(call.parts["asset"]), request, "getPixels")
    return Answer(body, kind)


@route("POST", "maps")
def create_map(call: Call) -> Answer:
    """A map whose tiles can be fetched by its name."""
    request = call.request.json()
    image = _image(call, request, "maps")
    names = request.get("bandIds")
    if names:
        image = select(image, list(names), None)
    shown = picture(image, request.get("visualizationOptions"))
    kind = "PNG" if request.get("fileFormat") != "JPEG" else "JPEG"
    name = call.engine.keep(f"projects/{call.parts['project']}/maps", (shown, kind))
    return as_json({"name": name})


@route("GET", r"maps/(?P<name>\w+)/tiles/(?P<zoom>\d{1,2})/(?P<col>\d{1,9})/(?P<row>\d{1,9})")
def map_tile(call: Call) -> Answer:
    """A tile of a map; transparent outside the image."""
    image, kind = call.engine.kept(f"projects/{call.parts['project']}/maps/{call.parts['name']}")
    grid = tile_grid(*(int(call.parts[k]) for k in ("zoom", "col", "row")))
    body, media = encode_picture(rgba(image, grid), kind)
    return Answer(body, media, headers={"Cache-Control": "private, max-age=3600"}, shared=True)
