"""``Geometry`` functions of two geometries: set operations, relations and distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import shapely

from ee_local.algorithms.geometries import metric_crs
from ee_local.elements import ErrorMargin
from ee_local.errors import EngineError
from ee_local.grid import WGS84, Projection, transformer
from ee_local.registry import function
from ee_local.shapes import GEOD, Geometry

Margin = ErrorMargin | None
Crs = Projection | None


def both(left: Geometry, right: Geometry, proj: Crs = None) -> tuple[Any, Any, str]:
    """The two shapes in one coordinate system, and its name."""
    crs = proj.crs if proj else left.crs if left.crs == right.crs else WGS84
    return left.to_crs(crs), right.to_crs(crs), crs


def _combine(name: str, compute: Callable[[Any, Any], Any], text: str) -> None:
    def combined(left: Geometry, right: Geometry, margin: Margin, proj: Crs) -> Geometry:
        a, b, crs = both(left, right, proj)
        return Geometry(compute(a, b), crs, left.geodesic)

    combined.__doc__ = text
    function(f"Geometry.{name}")(combined)


_combine("intersection", shapely.intersection, "What lies in both geometries.")
_combine("union", shapely.union, "What lies in either geometry.")
_combine("difference", shapely.difference, "What lies in the left geometry but not in the right.")
_combine("symmetricDifference", shapely.symmetric_difference,
         "What lies in just one of the geometries.")


def _relate(name: str, test: Callable[[Any, Any], bool], text: str) -> None:
    def related(left: Geometry, right: Geometry, margin: Margin, proj: Crs) -> bool:
        a, b, _ = both(left, right, proj)
        return bool(test(a, b))

    related.__doc__ = text
    function(f"Geometry.{name}")(related)


_relate("intersects", shapely.intersects, "Whether the geometries share a place.")
_relate("disjoint", shapely.disjoint, "Whether the geometries share no place.")
_relate("contains", shapely.contains, "Whether the right geometry lies in the left.")
_relate("containedIn", shapely.within, "Whether the left geometry lies in the right.")


def separation(left: Geometry, right: Geometry, proj: Crs = None) -> float:
    """Smallest distance between geometries in metres, or in units of a projection."""
    if proj is not None:
        return float(shapely.distance(left.to_crs(proj.crs), right.to_crs(proj.crs)))
    crs = metric_crs(left)
    line = shapely.shortest_line(left.to_crs(crs), right.to_crs(crs))
    if line is None:
        raise EngineError("Geometry.distance: a geometry is empty.")
    (x0, y0), (x1, y1) = shapely.get_coordinates(line)
    (lon0, lon1), (lat0, lat1) = transformer(crs, WGS84).transform([x0, x1], [y0, y1])
    return float(GEOD.inv(lon0, lat0, lon1, lat1)[2])


@function("Geometry.distance")
def distance(left: Geometry, right: Geometry, margin: Margin, proj: Crs,
             spherical: bool) -> float:
    """Smallest distance between the geometries in metres."""
    return separation(left, right, proj)


@function("Geometry.withinDistance")
def within_distance(left: Geometry, right: Geometry, limit: float, margin: Margin,
                    proj: Crs) -> bool:
    """Whether the geometries are no further apart than a distance in metres."""
    return separation(left, right, proj) <= limit
