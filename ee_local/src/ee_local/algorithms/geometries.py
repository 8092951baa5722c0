"""``Geometry``: constructors, measures, and functions of two geometries.

Areas, lengths and distances are taken on the WGS 84 ellipsoid, exactly rather than within
``maxError``; Google's service may differ in the last digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyproj
import shapely

from ee_local.elements import ErrorMargin
from ee_local.errors import EngineError
from ee_local.geometry import GEOD, Geometry, from_geojson, to_geojson
from ee_local.grid import WGS84, Projection, parse_crs, transformer
from ee_local.registry import function

HALF_WAY_ROUND = 20_037_508
"""Metres."""

Margin = ErrorMargin | None
Crs = Projection | None


@function("ErrorMargin")
def error_margin(value: float | None, unit: str) -> ErrorMargin:
    """Return a tolerance; it is not used, as everything is computed exactly."""
    return ErrorMargin(value, unit)


def _build(kind: str, coordinates: Any, crs: Crs, geodesic: bool | None,
           even_odd: bool = True) -> Geometry:
    name = crs.crs if crs else None
    found = from_geojson({"type": kind, "coordinates": coordinates}, name, geodesic, even_odd)
    if crs is not None and crs.transform != (1, 0, 0, 0, 1, 0):
        affine = crs.affine()
        moved = shapely.affinity.affine_transform(
            found.shape, [affine.a, affine.b, affine.d, affine.e, affine.c, affine.f])
        return Geometry(moved, found.crs, found.geodesic)
    return found


def _numbers(values: list[Any]) -> list[Any]:
    if not values or not all(isinstance(v, (int, float)) for v in values):
        raise EngineError(f"Invalid coordinates: {str(values)[:80]}.")
    return values


def _pairs(values: list[Any]) -> list[Any]:
    """Return a flat list of numbers in pairs; a list of pairs as it is."""
    if values and all(isinstance(v, (int, float)) for v in values):
        return [values[i:i + 2] for i in range(0, len(values), 2)]
    return values


@function("GeometryConstructors.Point")
def point(coordinates: list[Any], crs: Crs) -> Geometry:
    """Return a point from its coordinates, longitude first."""
    return _build("Point", _numbers(coordinates)[:2], crs, None)


@function("GeometryConstructors.MultiPoint")
def multi_point(coordinates: list[Any], crs: Crs) -> Geometry:
    """Return several points as one geometry."""
    return _build("MultiPoint", _pairs(coordinates), crs, None)


@function("GeometryConstructors.LineString")
def line_string(coordinates: list[Any], crs: Crs, geodesic: bool | None,
                margin: Margin) -> Geometry:
    """Return a line through points."""
    return _build("LineString", _pairs(coordinates), crs, geodesic)


@function("GeometryConstructors.LinearRing")
def linear_ring(coordinates: list[Any], crs: Crs, geodesic: bool | None,
                margin: Margin) -> Geometry:
    """Return a closed line through points."""
    line = _build("LineString", _pairs(coordinates), crs, geodesic)
    return Geometry(shapely.LinearRing(line.shape.coords), line.crs, line.geodesic)


@function("GeometryConstructors.MultiLineString")
def multi_line_string(coordinates: list[Any], crs: Crs, geodesic: bool | None,
                      margin: Margin) -> Geometry:
    """Return several lines as one geometry."""
    return _build("MultiLineString", coordinates, crs, geodesic)


@function("GeometryConstructors.Polygon")
def polygon(coordinates: list[Any], crs: Crs, geodesic: bool | None, margin: Margin,
            even_odd: bool) -> Geometry:
    """Return a polygon from its outer ring and the rings of its holes."""
    if coordinates and all(isinstance(v, (int, float)) for v in coordinates):
        coordinates = [_pairs(coordinates)]
    return _build("Polygon", coordinates, crs, geodesic, even_odd)


@function("GeometryConstructors.MultiPolygon")
def multi_polygon(coordinates: list[Any], crs: Crs, geodesic: bool | None, margin: Margin,
                  even_odd: bool) -> Geometry:
    """Return several polygons as one geometry."""
    return _build("MultiPolygon", coordinates, crs, geodesic, even_odd)


@function("GeometryConstructors.Rectangle")
def rectangle(coordinates: list[Any], crs: Crs, geodesic: bool | None,
              even_odd: bool) -> Geometry:
    """Return a rectangle from two opposite corners."""
    flat = [v for pair in _pairs(coordinates) for v in pair]
    if len(_numbers(flat)) != 4:
        raise EngineError(f"Invalid coordinates of a rectangle: {str(coordinates)[:80]}.")
    x0, y0, x1, y1 = flat
    return _build("Polygon", [[[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]], crs, geodesic)


@function("GeometryConstructors.BBox")
def bbox(west: float, south: float, east: float, north: float) -> Geometry:
    """Return a rectangle of longitudes and latitudes, its edges along them."""
    return Geometry(shapely.box(west, south, east, north), WGS84, geodesic=False)


@function("GeometryConstructors.MultiGeometry")
def multi_geometry(geometries: list[Geometry], crs: Crs, geodesic: bool | None,
                   margin: Margin) -> Geometry:
    """Return geometries of any kind as one."""
    return Geometry(shapely.GeometryCollection([g.lonlat() for g in geometries]), WGS84,
                    all(g.geodesic for g in geometries) if geodesic is None else geodesic)


def metric_crs(geometry: Geometry) -> str:
    """Return a coordinate system centred on a geometry, true to distance from there (WKT)."""
    if geometry.is_empty():
        raise EngineError("The geometry is empty; it has no place.")
    place = geometry.lonlat().centroid
    return pyproj.CRS.from_proj4(f"+proj=aeqd +lat_0={place.y:.6f} +lon_0={place.x:.6f} "
                                 "+ellps=WGS84 +units=m").to_wkt()


@function("Geometry.area")
def area(geometry: Geometry, margin: Margin, proj: Crs) -> float:
    """Return the area in square metres, or in the units of a projection."""
    if proj is not None:
        return float(geometry.to_crs(proj.crs).area)
    shape = shapely.segmentize(geometry.lonlat(), 0.01) if not geometry.geodesic \
        else geometry.lonlat()
    return abs(GEOD.geometry_area_perimeter(shape)[0])


@function("Geometry.perimeter")
def perimeter(geometry: Geometry, margin: Margin, proj: Crs) -> float:
    """Return the length of the boundary of the polygons in metres; 0 for points and lines."""
    if geometry.shape.area == 0:
        return 0.0
    return _measure(geometry, proj)


@function("Geometry.length")
def length(geometry: Geometry, margin: Margin, proj: Crs) -> float:
    """Return the length of the lines in metres; 0 for points and polygons."""
    if geometry.shape.area > 0:
        return 0.0
    return _measure(geometry, proj)


def _measure(geometry: Geometry, proj: Crs) -> float:
    if proj is not None:
        return float(geometry.to_crs(proj.crs).length)
    return abs(GEOD.geometry_length(geometry.lonlat()))


@function("Geometry.bounds")
def bounds(geometry: Geometry, margin: Margin, proj: Crs) -> Geometry:
    """Return the rectangle around a geometry, in longitude and latitude or a projection."""
    crs = proj.crs if proj else WGS84
    return Geometry(shapely.box(*geometry.to_crs(crs).bounds), crs, geodesic=False)


@function("Geometry.centroid")
def centroid(geometry: Geometry, margin: Margin, proj: Crs) -> Geometry:
    """Return the centre of mass."""
    crs = proj.crs if proj else metric_crs(geometry)
    return _back(geometry.to_crs(crs).centroid, crs)


@function("Geometry.buffer")
def buffer(geometry: Geometry, distance: float, margin: Margin, proj: Crs) -> Geometry:
    """Grow (or shrink) the geometry by a distance in metres, or in units of a projection."""
    if proj is None and not abs(distance) <= HALF_WAY_ROUND:
        raise EngineError(f"Geometry.buffer: distance is {distance:g}; it must be at most "
                          f"{HALF_WAY_ROUND} m, which is half way round the Earth.")
    crs = proj.crs if proj else metric_crs(geometry)
    return _back(geometry.to_crs(crs).buffer(distance, quad_segs=16), crs)


def _back(shape: Any, crs: str) -> Geometry:
    return Geometry(Geometry(shape, crs, False).lonlat(), WGS84)


@function("Geometry.coordinates")
def coordinates(geometry: Geometry) -> list[Any]:
    """Return the coordinates as nested lists."""
    return to_geojson(geometry).get("coordinates", [])


@function("Geometry.type")
def kind(geometry: Geometry) -> str:
    """Return the GeoJSON type."""
    return geometry.shape.geom_type


@function("Geometry.projection")
def projection(geometry: Geometry) -> Projection:
    """Return the coordinate system."""
    return Projection(geometry.crs)


@function("Geometry.geodesic", "Geometry.edgesAreGeodesics")
def geodesic(geometry: Geometry) -> bool:
    """Return whether the edges are shortest paths on the Earth."""
    return geometry.geodesic


@function("Geometry.isUnbounded")
def is_unbounded(geometry: Geometry) -> bool:
    """Return false: no geometry here is without bounds."""
    return False


@function("Geometry.geometries")
def geometries(geometry: Geometry) -> list[Geometry]:
    """Return the parts of a geometry collection; else the geometry alone."""
    parts = geometry.shape.geoms if geometry.shape.geom_type == "GeometryCollection" \
        else [geometry.shape]
    return [Geometry(part, geometry.crs, geometry.geodesic) for part in parts]


@function("Geometry.transform")
def transform(geometry: Geometry, proj: Projection, margin: Margin,
              geodesics: bool | None) -> Geometry:
    """Return the geometry in another coordinate system."""
    straight = parse_crs(proj.crs).is_geographic if geodesics is None else geodesics
    return Geometry(geometry.to_crs(proj.crs), proj.crs, straight)


@function("Geometry.simplify")
def simplify(geometry: Geometry, margin: ErrorMargin, proj: Crs) -> Geometry:
    """Return fewer points, none further away than the margin in metres."""
    crs = proj.crs if proj else metric_crs(geometry)
    return _back(geometry.to_crs(crs).simplify(margin.value or 0.0), crs)


@function("Geometry.convexHull")
def convex_hull(geometry: Geometry, margin: Margin, proj: Crs) -> Geometry:
    """Return the smallest convex geometry around it."""
    crs = proj.crs if proj else metric_crs(geometry)
    return _back(geometry.to_crs(crs).convex_hull, crs)


@function("Geometry.dissolve")
def dissolve(geometry: Geometry, margin: Margin, proj: Crs) -> Geometry:
    """Return the union of the parts."""
    return Geometry(shapely.unary_union(geometry.shape), geometry.crs, geometry.geodesic)


def both(left: Geometry, right: Geometry, proj: Crs = None) -> tuple[Any, Any, str]:
    """Return the two shapes in one coordinate system, and its name."""
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
    """Return the smallest distance between geometries in metres, or in units of a projection."""
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
    """Return the smallest distance between the geometries in metres."""
    return separation(left, right, proj)


@function("Geometry.withinDistance")
def within_distance(left: Geometry, right: Geometry, limit: float, margin: Margin,
                    proj: Crs) -> bool:
    """Return whether the geometries are no further apart than a distance in metres."""
    return separation(left, right, proj) <= limit
