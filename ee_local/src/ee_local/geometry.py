"""Geometries: shapes with a coordinate system and a rule for their edges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from ee_local.errors import EngineError
from ee_local.grid import (
    METRES_PER_DEGREE,
    WGS84,
    Grid,
    parse_crs,
    transformer,
)

GEOD = pyproj.Geod(ellps="WGS84")
EDGE = 1000.0
"""Metres: longer edges get points in between before they are brought to another projection."""

KINDS = ("Point", "MultiPoint", "LineString", "LinearRing", "MultiLineString", "Polygon",
         "MultiPolygon", "GeometryCollection")


@dataclass(frozen=True)
class Geometry:
    """A shape, its coordinate system, and whether its edges are shortest paths on the Earth.

    Lengths and areas are taken on the WGS 84 ellipsoid; Google's service works with a tolerance
    of its own (``maxError``), so the last digits can differ.
    """

    shape: BaseGeometry
    crs: str = WGS84
    geodesic: bool = True

    def to_crs(self, crs: str) -> BaseGeometry:
        """Return the shape in another CRS, its edges followed to within centimetres."""
        if crs == self.crs:
            return self.shape
        move = transformer(self.crs, crs).transform
        dense = self.shape if self.shape.is_empty else _dense(self)
        return shapely.transform(dense, lambda xy: np.column_stack(move(xy[:, 0], xy[:, 1])))

    def lonlat(self) -> BaseGeometry:
        """Return the shape in longitude and latitude."""
        return self.to_crs(WGS84)

    def is_empty(self) -> bool:
        """Return whether nothing is in it."""
        return self.shape.is_empty


def _dense(geometry: Geometry) -> BaseGeometry:
    """Return the shape with points on its long edges, where the edges' rule puts them."""
    if geometry.shape.geom_type in ("Point", "MultiPoint"):
        return geometry.shape
    geographic = parse_crs(geometry.crs).is_geographic
    if geographic and geometry.geodesic:
        return _geodesic(geometry.shape)
    edge = EDGE / METRES_PER_DEGREE if geographic else EDGE
    return shapely.segmentize(geometry.shape, max(edge, geometry.shape.length / 10_000))


def _geodesic(shape: BaseGeometry) -> BaseGeometry:
    """Return points every :data:`EDGE` metres along the shortest path between neighbours."""
    def along(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [xy[:1]]
        for (x0, y0), (x1, y1) in pairwise(xy):
            _, _, length = GEOD.inv(x0, y0, x1, y1)
            between = min(math.ceil(length / EDGE) - 1, 2000)
            if between > 0:
                parts.append(np.asarray(GEOD.npts(x0, y0, x1, y1, between)))
            parts.append(np.array([[x1, y1]]))
        return np.concatenate(parts)

    def ring(line: BaseGeometry) -> NDArray[np.float64]:
        return along(shapely.get_coordinates(line))

    kind = shape.geom_type
    if kind == "Polygon":
        return shapely.Polygon(ring(shape.exterior), [ring(r) for r in shape.interiors])
    if kind in ("LineString", "LinearRing"):
        return type(shape)(ring(shape))
    if kind in ("Point", "MultiPoint"):
        return shape
    return type(shape)([_geodesic(part) for part in shape.geoms])


def inside(geometry: Geometry, grid: Grid) -> NDArray[np.bool_]:
    """Return (row, col) bool: the pixels whose centre lies in a geometry.

    A point or a line counts for the pixels it touches.
    """
    shape = geometry.to_crs(grid.projection.crs)
    if shape.is_empty:
        return np.zeros(grid.shape, dtype=bool)
    flat = shape.geom_type not in ("Polygon", "MultiPolygon", "GeometryCollection")
    return rasterize([shape], grid.shape, transform=grid.projection.affine(), all_touched=flat,
                     dtype="uint8").astype(bool)


def repaired(shape: BaseGeometry, even_odd: bool = True) -> BaseGeometry:
    """Return polygons without edges that cross or run back on themselves; others as they are.

    What has no area (a spike) is left out. By the even-odd rule, which is Earth Engine's default,
    what a ring goes around twice lies outside; else inside.
    """
    if shape.geom_type == "GeometryCollection":
        return shapely.GeometryCollection([repaired(p, even_odd) for p in shape.geoms])
    if shape.geom_type not in ("Polygon", "MultiPolygon") or shape.is_valid:
        return shape
    if not even_odd:
        return shapely.make_valid(shape, method="structure", keep_collapsed=False)
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(shape)))
    flat = parts[shapely.get_dimensions(parts) == 2]
    return flat[0] if len(flat) == 1 else shapely.MultiPolygon(list(flat))


def from_geojson(value: Any, crs: str | None = None, geodesic: bool | None = None,
                 even_odd: bool = True) -> Geometry:
    """Return a geometry from its GeoJSON dictionary, its polygons repaired.

    Raises
    ------
    EngineError
        It is none.
    """
    if not isinstance(value, dict) or value.get("type") not in KINDS:
        raise EngineError(f"Invalid GeoJSON geometry: {str(value)[:80]}.")
    named = value.get("crs")
    if crs is None and isinstance(named, dict):
        crs = named.get("properties", {}).get("name")
    if geodesic is None:
        geodesic = value.get("geodesic", parse_crs(crs or WGS84).is_geographic)
    try:
        shape = shapely.geometry.shape(value)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError,
            shapely.errors.ShapelyError) as error:
        raise EngineError(f"Invalid GeoJSON geometry: {error}.") from None
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        raise EngineError("Invalid GeoJSON geometry: a coordinate is not a number.")
    return Geometry(repaired(shape, even_odd), crs or WGS84, bool(geodesic))


def to_geojson(geometry: Geometry) -> dict[str, Any]:
    """Return the GeoJSON dictionary that the client reads; planar edges are marked."""
    value = shapely.geometry.mapping(geometry.shape)
    if value["type"] == "GeometryCollection":
        parts = [to_geojson(Geometry(g, geometry.crs, geometry.geodesic))
                 for g in geometry.shape.geoms]
        return {"type": "GeometryCollection", "geometries": parts}
    found: dict[str, Any] = {"type": value["type"], "coordinates": _lists(value["coordinates"])}
    if geometry.crs != WGS84:
        found["crs"] = {"type": "name", "properties": {"name": geometry.crs}}
    if not geometry.geodesic and value["type"] not in ("Point", "MultiPoint"):
        found["geodesic"] = False
    return found


def _lists(value: Any) -> Any:
    return [_lists(v) for v in value] if isinstance(value, (tuple, list)) else value
