"""Addresses of tables: features by page, and downloads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ee_local.coerce import coerce
from ee_local.elements import Collection
from ee_local.errors import EngineError
from ee_local.rasters import plain_name
from ee_local.routes import Answer, Call, as_json, route
from ee_local.tables import plain_feature, write

PAGE = 1000
"""Most features of a page."""


def page_of(request: dict[str, Any], items: Sequence[Any]) -> tuple[Sequence[Any], dict[str, str]]:
    """The part of some items that a request asks for, and the token of the next part.

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
    """A page of features as GeoJSON."""
    request = call.request.json()
    items = _collection(call, request, "computeFeatures")
    page, rest = page_of(request, items.elements)
    return as_json({"type": "FeatureCollection", "features": [plain_feature(e) for e in page],
                    **rest})


@route("POST", "tables")
def create_table(call: Call) -> Answer:
    """A table that can be fetched by its name."""
    request = call.request.json()
    items = _collection(call, request, "tables")
    found = write(items, request.get("fileFormat"), request.get("selectors"), "tables")
    name = plain_name(request.get("filename") or "table")
    return as_json({"name": call.engine.keep(f"projects/{call.parts['project']}/tables",
                                             (found, name))})


@route("GET", r"tables/(?P<name>\w+):getFeatures")
def table_features(call: Call) -> Answer:
    """The file of a table."""
    (body, media, ending), name = call.engine.kept(
        f"projects/{call.parts['project']}/tables/{call.parts['name']}")
    return Answer(body, media, shared=True, headers={
        "Content-Disposition": f'attachment; filename="{name}.{ending}"'})
