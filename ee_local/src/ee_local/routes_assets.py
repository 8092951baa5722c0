"""Addresses of the catalogue: what there is, and what is known of it."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any

from ee_local import elements as el
from ee_local.coerce import parse_moment
from ee_local.encode import encode
from ee_local.errors import EngineError, missing_asset
from ee_local.pixels import Image
from ee_local.routes import Answer, Call, as_json, route
from ee_local.routes_tables import page_of
from ee_local.shapes import from_geojson
from ee_local.tables import plain_geometry

PUBLIC = "projects/earthengine-public/assets/"
CLAUSE = re.compile(r'(?P<name>startTime|endTime|properties\.[\w:.]+)\s*(?P<sign>>=|<=|!=|=|<|>)'
                    r'\s*(?P<value>"[^"]*"|[-+.\w]+)')
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    "<": lambda a, b: a < b, "=": lambda a, b: a == b, "!=": lambda a, b: a != b}


def _moment(millis: float) -> str:
    return dt.datetime.fromtimestamp(millis / 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe(asset: Image | el.Collection, full: bool = True) -> dict[str, Any]:
    """An asset as the client reads it.

    Parameters
    ----------
    full : with bands, properties and outline.
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
    """A band as the assets' interface writes it."""
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
    """What is known of an image or collection."""
    catalogue, name = call.engine.catalogue, call.parts["asset"].strip("/")
    found = catalogue.find(name)
    if found is None:
        raise missing_asset(name, catalogue.held())
    return as_json(describe(found))


@route("GET", ":listAssets")
def list_root(call: Call) -> Answer:
    """The user's own assets: there are none."""
    return as_json({"assets": []})


@route("GET", r"assets/(?P<asset>[^:]+):listAssets")
def list_assets(call: Call) -> Answer:
    """The images of a collection, filtered by time, place and properties."""
    query = call.request.query
    items = call.engine.catalogue.collection(call.parts["asset"])
    passes = _conditions(query.get("filter", ""))
    chosen = [i for i in items.elements if all(p(i) for p in passes)]
    page, rest = page_of(dict(query), chosen)
    full = query.get("view") != "BASIC"
    return as_json({"assets": [describe(i, full) for i in page], **rest})


def _conditions(text: str) -> list[Callable[[Image], bool]]:
    """The tests that a filter text describes.

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
    """The text without its ``intersects("…")`` parts, and their shapes."""
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
