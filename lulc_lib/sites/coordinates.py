"""Where a site lies, in words: WGS 84 and the national grid."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from lulc_lib.errors import InputError
from lulc_lib.sites.maps import parse_crs

NATIONAL = (2180,)
"""EPSG codes of national grids, each taken inside its area of use: Poland's PL-1992."""

DEGREE = 4
"""Of the polynomial that stands for a projection: millimetres off across a Sentinel-2 tile."""


def grid_of(sites_crs: object, bounds: tuple[float, float, float, float],
            stated: str | None = None) -> CRS:
    """Choose the grid in which coordinates are told.

    Parameters
    ----------
    sites_crs : CRS
        Of the sites; projected.
    bounds : tuple of float, degrees
        Of the maps: west, south, east, north.
    stated : str, optional
        A projected CRS such as EPSG:2180; unless given, the national grid if one of
        :data:`NATIONAL` holds there, else ``sites_crs``.

    Raises
    ------
    InputError
        ``stated`` is no projected CRS.
    """
    if stated is not None:
        crs = parse_crs(stated, "grid")
        if not crs.is_projected:
            raise InputError(f"grid is {stated!r}; it must be a projected CRS such as EPSG:2180")
        return crs
    west, south, east, north = bounds
    for crs in map(CRS.from_epsg, NATIONAL):
        area = crs.area_of_use
        if area.west <= west and east <= area.east and area.south <= south and north <= area.north:
            return crs
    return CRS.from_user_input(sites_crs)


def grid_name(crs: CRS) -> str:
    """Name a grid, shortly.

    >>> grid_name(CRS.from_epsg(2180))
    'EPSG:2180, ETRF2000-PL / CS92'
    """
    code = crs.to_epsg()
    return f"EPSG:{code}, {crs.name}" if code else crs.name


def places(shapes: gpd.GeoSeries, grid: CRS) -> list[tuple[str, str]]:
    """Tell of a point inside each shape where it lies: in degrees, and on the grid, metres."""
    inside = shapes.to_crs(4326).representative_point()
    points = inside.to_crs(grid)
    name = grid_name(grid)
    return [(f"{abs(y):.5f}° {'NS'[y < 0]}, {abs(x):.5f}° {'EW'[x < 0]} (WGS 84)",
             f"E {e:.0f} N {n:.0f} ({name})")
            for x, y, e, n in zip(inside.x, inside.y, points.x, points.y, strict=True)]


def polynomial(grid: CRS, bounds: tuple[float, float, float, float]) -> dict[str, object]:
    """Fit easting and northing by polynomials of longitude and latitude, for a page without PROJ.

    Parameters
    ----------
    grid : CRS
        Projected.
    bounds : tuple of float, degrees
        West, south, east, north, where it is to hold.

    Returns
    -------
    dict of str to object
        ``lon``, ``lat`` (the middle) and ``scale``, degrees: x = (longitude − lon) ÷ scale, y
        likewise, both within ±1; ``powers``: exponents of x and y of each term; ``east`` and
        ``north``: the terms' coefficients, metres; ``name`` of the grid.
    """
    west, south, east, north = bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    scale = max(east - west, north - south) / 2
    x, y = (a.ravel() for a in np.meshgrid(*[np.linspace(-1, 1, 15)] * 2))
    powers = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]
    terms: NDArray[np.float64] = np.stack([x**i * y**j for i, j in powers], axis=1)
    metres = Transformer.from_crs(4326, grid, always_xy=True).transform(
        lon + scale * x, lat + scale * y)
    fitted = [np.linalg.lstsq(terms, np.asarray(v), rcond=None)[0].tolist() for v in metres]
    return {"name": grid_name(grid), "lon": lon, "lat": lat, "scale": scale, "powers": powers,
            "east": fitted[0], "north": fitted[1]}
