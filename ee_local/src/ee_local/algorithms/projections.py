"""``Projection``, and images of where the pixels are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ee_local.coerce import coerce
from ee_local.errors import EngineError
from ee_local.geometry import GEOD
from ee_local.grid import (
    WGS84,
    Grid,
    Projection,
    moved,
    parse_crs,
    pixel_positions,
    transformer,
)
from ee_local.pixels import DOUBLE, Band, Image, Pixels
from ee_local.registry import function

Transform = list[float] | None


def target(crs: Projection, transform: Transform, scale: float | None, where: str) -> Projection:
    """Return the projection that ``crs``, ``crsTransform`` and ``scale`` describe."""
    if transform is not None:
        if len(transform) != 6:
            raise EngineError(f"{where}: crsTransform has {len(transform)} numbers; it must have "
                              "6.")
        if scale is not None:
            raise EngineError(f"{where}: crsTransform and scale cannot both be given.")
        found = Projection(crs.crs, tuple(float(v) for v in transform))
        if found.transform[0] * found.transform[4] == found.transform[1] * found.transform[3]:
            raise EngineError(f"{where}: crsTransform {transform} has no inverse.")
        return found
    return crs.at_scale(scale) if scale is not None else crs


@function("Projection")
def make_projection(crs: Any, transform: list[Any] | None, wkt: str | None) -> Projection:
    """Return a projection from a coordinate system and a transform."""
    base = coerce(crs, "Projection", "Projection, argument 'crs'")
    return base if transform is None else target(base, transform, None, "Projection")


@function("Projection.atScale")
def at_scale(proj: Projection, metres: float) -> Projection:
    """Return the projection with pixels of a size in metres."""
    return proj.at_scale(metres)


@function("Projection.nominalScale")
def nominal_scale(proj: Projection) -> float:
    """Return the size of a pixel in metres, where the projection is true to scale."""
    return proj.nominal_scale()


@function("Projection.crs")
def crs(proj: Projection) -> str:
    """Return the name of the coordinate system."""
    return proj.crs


@function("Projection.transform")
def transform(proj: Projection) -> str:
    """Return the transform as text in the form of WKT."""
    rows = [proj.transform[:3], proj.transform[3:], (0, 0, 1)]
    numbers = [f'PARAMETER["elt_{i}_{j}", {float(v)!r}]' for i, row in enumerate(rows[:2])
               for j, v in enumerate(row)]
    return ('PARAM_MT["Affine", PARAMETER["num_row", 3], PARAMETER["num_col", 3], '
            + ", ".join(numbers) + "]")


@function("Projection.scale")
def scaled(proj: Projection, x: float, y: float) -> Projection:
    """Return the projection with pixels so many times as large."""
    a, b, c, d, e, f = proj.transform
    return Projection(proj.crs, (a * x, b * y, c, d * x, e * y, f))


@function("Projection.translate")
def translated(proj: Projection, x: float, y: float) -> Projection:
    """Return the projection with its origin moved by so many pixels."""
    return moved(proj, x, y)


@function("Projection.wkt")
def wkt(proj: Projection) -> str:
    """Return the coordinate system as WKT."""
    return parse_crs(proj.crs).to_wkt("WKT1_GDAL")


def _of_place(name: str, compute: Any) -> Band:
    def read(grid: Grid) -> Pixels:
        values = compute(grid)
        return Pixels(np.where(np.isfinite(values), values, 0), np.isfinite(values))
    return Band(name, DOUBLE, read)


def _lonlat(grid: Grid) -> tuple[Any, Any]:
    x, y = grid.centres()
    if grid.projection.crs == WGS84:
        return x, y
    return transformer(grid.projection.crs, WGS84).transform(x, y)


@function("Image.pixelLonLat")
def pixel_lon_lat() -> Image:
    """Return bands ``longitude`` and ``latitude`` of the pixels' centres."""
    return Image((_of_place("longitude", lambda g: _lonlat(g)[0]),
                  _of_place("latitude", lambda g: _lonlat(g)[1])))


@function("Image.pixelCoordinates")
def pixel_coordinates(proj: Projection) -> Image:
    """Return bands ``x`` and ``y`` of the pixels' centres among the pixels of a projection."""
    return Image((_of_place("x", lambda g: pixel_positions(g, proj)[0]),
                  _of_place("y", lambda g: pixel_positions(g, proj)[1])))


@function("Image.pixelArea")
def pixel_area() -> Image:
    """Return the area of each pixel in square metres, on the WGS 84 ellipsoid."""
    def areas(grid: Grid) -> Any:
        affine = grid.projection.affine()
        cols, rows = np.meshgrid(np.arange(grid.width + 1), np.arange(grid.height + 1))
        x, y = affine @ (cols, rows)
        if grid.projection.crs != WGS84:
            x, y = transformer(grid.projection.crs, WGS84).transform(x, y)
        return _cells(np.asarray(x), np.asarray(y))
    return Image((_of_place("area", areas),))


def _cells(lon: Any, lat: Any) -> Any:
    """Return the area of quadrilaterals between corner points, in a local equal-area plane."""
    radius, eccentricity = GEOD.a, np.sqrt(GEOD.es)
    sine = np.sin(np.radians(lat))
    part = eccentricity * sine
    authalic = (1 - GEOD.es) * (sine / (1 - part**2)
                                + np.arctanh(part) / eccentricity) / 2
    x, y = radius * np.radians(lon), radius * authalic
    dx1, dy1 = x[1:, 1:] - x[:-1, :-1], y[1:, 1:] - y[:-1, :-1]
    dx2, dy2 = x[1:, :-1] - x[:-1, 1:], y[1:, :-1] - y[:-1, 1:]
    return np.abs(dx1 * dy2 - dx2 * dy1) / 2
