"""Quarries of OpenStreetMap through the Overpass API, as GeoJSON features.

Source: Overpass API, "Overpass QL" and "OSM JSON"; OpenStreetMap wiki, "Relation:multipolygon".
"""

from __future__ import annotations

from collections.abc import Callable

import shapely
from shapely.geometry.base import BaseGeometry

from lulc_lib.sites.layer_file import Bounds
from lulc_lib.sites.web import Asker, Json, PassingError

QUERY = """[out:json][timeout:{seconds}];
(way["landuse"="quarry"]({south},{west},{north},{east});
relation["landuse"="quarry"]["type"="multipolygon"]({south},{west},{north},{east}););
out geom;"""


def quarries(ask: Asker, url: str, bounds: Bounds, note: Callable[[str], None]) -> list[Json]:
    """Areas tagged ``landuse=quarry`` that touch an area.

    Parameters
    ----------
    ask : the connection.
    url : the interpreter's address.
    bounds : (west, south, east, north) in degrees, WGS 84.
    note : told what could not be made an area.

    Returns
    -------
    GeoJSON features in degrees (WGS 84): ``osm_type``, ``osm_id`` and all tags.

    Raises
    ------
    InputError
        The service cannot be had, or fails (it says so in a remark, with HTTP status 200).
    """
    west, south, east, north = (f"{b:.7f}" for b in bounds)
    text = QUERY.format(seconds=max(1, int(ask.policy.read_timeout * 0.8)), south=south, west=west,
                        north=north, east=east)

    def check(answer: Json) -> None:
        if "error" in str(answer.get("remark", "")):
            raise PassingError(f"the service answers {' '.join(str(answer['remark']).split())!r}")
        if not isinstance(answer.get("elements"), list):
            raise PassingError("the answer has no 'elements'")

    found = []
    for element in ask.json(url, form={"data": text}, check=check)["elements"]:
        area, loose = _area(element)
        if loose:
            note(f"OSM {element['type']} {element['id']} has lines that close to no ring; "
                 f"{'it is left out' if area.is_empty else 'they are left out'}")
        if area.is_empty:
            continue
        found.append({"type": "Feature", "geometry": shapely.geometry.mapping(area), "properties": {
            **element.get("tags", {}), "osm_type": element["type"], "osm_id": element["id"]}})
    return found


def _area(element: Json) -> tuple[BaseGeometry, bool]:
    """The area of a way or multipolygon relation, and whether lines are left over.

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
    """The line of a way with its geometry; None for what has none."""
    points = [(p["lon"], p["lat"]) for p in member.get("geometry") or () if p]
    return shapely.LineString(points) if len(points) > 1 else None
