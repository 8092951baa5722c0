"""``reduceRegion`` and its relatives: a reducer over the pixels of a region.

A weighted reducer takes each pixel with the share of it that the region covers, an unweighted one
the pixels whose centre lies in the region, as Earth Engine documents it. Shares are exact here
where Google's service approximates them, and shares below 0.5 % are dropped.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from ee_local import elements as el
from ee_local.algorithms.sampling import region_grid, working_projection
from ee_local.errors import EngineError
from ee_local.geometry import Geometry, inside
from ee_local.grid import Grid, Projection
from ee_local.pixels import Image, meet
from ee_local.reduction import Reducer
from ee_local.registry import function

Crs = Projection | None
SMALLEST_SHARE = 0.005


def coverage(geometry: Geometry, grid: Grid) -> NDArray[np.float64]:
    """Return (row, col) the share of a pixel in a geometry; 1 where a point or line touches."""
    shape = geometry.to_crs(grid.projection.crs)
    if shape.is_empty:
        return np.zeros(grid.shape)
    affine = grid.projection.affine()
    touched = rasterize([shape], grid.shape, transform=affine, all_touched=True, dtype="uint8")
    if shape.area == 0:
        return touched.astype(np.float64)
    edge = rasterize([shape.boundary.buffer(abs(affine.a) * 1e-6)], grid.shape, transform=affine,
                     all_touched=True, dtype="uint8").astype(bool)
    shares = inside(geometry, grid).astype(np.float64)
    rows, cols = np.nonzero(edge)
    corners = [affine @ (cols + i, rows + j) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
    cells = shapely.polygons(np.stack([np.column_stack(c) for c in corners], axis=1))
    shapely.prepare(shape)
    parts = shapely.area(shapely.intersection(cells, shape)) / shapely.area(cells)
    shares[rows, cols] = np.where(parts < SMALLEST_SHARE, 0, parts)
    return shares


def reduced(image: Image, reducer: Reducer, geometry: Geometry, grid: Grid) -> dict[str, Any]:
    """Return the reducer's outputs over a region, by band where it takes one band at a time."""
    centred = inside(geometry, grid)
    shares = coverage(geometry, grid) if reducer.weighted else centred.astype(np.float64)
    chosen = (shares > 0) | centred
    shares, centred = shares[chosen], centred[chosen].astype(np.float64)
    pixels = [b.read(grid) for b in image.bands]
    values = [p.values[chosen] for p in pixels]
    masks = [p.mask[chosen].astype(np.float64) for p in pixels]
    if not reducer.repeated:
        if len(values) != reducer.inputs:
            raise EngineError(f"Image.reduceRegion: the reducer takes {reducer.inputs} bands but "
                              f"the image has {len(values)}.")
        mask = meet(*masks)
        there = mask > 0
        table = np.column_stack([v[there] for v in values])
        return reducer.over_region(table, np.minimum(shares, mask)[there], centred[there])
    found: dict[str, Any] = {}
    for band, value, mask in zip(image.bands, values, masks, strict=True):
        if value.ndim != 1:
            raise EngineError(f"Image.reduceRegion: band {band.name!r} holds arrays.")
        there = mask > 0
        outputs = reducer.over_region(value[there][:, None], np.minimum(shares, mask)[there],
                                      centred[there])
        for output, result in outputs.items():
            found[band.name if len(outputs) == 1 else f"{band.name}_{output}"] = result
    return found


def _grid(image: Image, geometry: Geometry, scale: float | None, crs: Crs,
          transform: list[float] | None, most: float, best_effort: bool) -> Grid:
    """Return the pixels to reduce, no more than allowed."""
    if transform is not None:
        if scale is not None or len(transform) != 6:
            raise EngineError("Image.reduceRegion: crsTransform must have 6 numbers, and scale "
                              "cannot be given with it.")
        name = (crs or image.first("Image.reduceRegion").projection).crs
        work = Projection(name, tuple(transform))
    else:
        work = working_projection(image, crs, scale, "Image.reduceRegion")
    west, south, east, north = geometry.to_crs(work.crs).bounds
    a, b, _, d, e, _ = work.transform
    size = (east - west) * (north - south) / abs(a * e - b * d)
    if size > most:
        if not best_effort:
            raise EngineError(f"Image.reduceRegion: Too many pixels in the region. Found "
                              f"{size:.0f}, but maxPixels allows only {most:.0f}. Ensure that you "
                              "are not aggregating at a higher resolution than you intended; to "
                              "override, use bestEffort or a larger maxPixels.")
        work = work.at_scale(work.nominal_scale() * math.sqrt(size / most))
    return region_grid(geometry, work)


@function("Image.reduceRegion")
def reduce_region(image: Image, reducer: Reducer, geometry: Geometry | None, scale: float | None,
                  crs: Crs, transform: list[float] | None, best_effort: bool, most: int,
                  tile_scale: float) -> dict[str, Any]:
    """Return a dictionary of the reducer's results over a region, by band."""
    area = geometry or image.footprint
    if area is None:
        raise EngineError("Image.reduceRegion: the image is unbounded; a geometry is needed.")
    if not image.bands:
        return {}
    grid = _grid(image, area, scale, crs, transform, most, best_effort)
    return reduced(image, reducer, area, grid)


@function("Image.reduceRegions")
def reduce_regions(image: Image, collection: el.Collection, reducer: Reducer,
                   scale: float | None, crs: Crs, transform: list[float] | None,
                   tile_scale: float, most: int | None) -> el.Collection:
    """Return the features with the reducer's results over each as properties.

    An image of one band gives the output its own name; several bands give theirs.
    """
    out = []
    for feature in collection.elements:
        area = el.geometry_of(feature)
        if area is None or area.is_empty():
            out.append(feature)
            continue
        grid = _grid(image, area, scale, crs, transform, most or math.inf, False)
        found = reduced(image, reducer, area, grid)
        if reducer.repeated and len(image.bands) == 1:
            found = dict(zip(reducer.outputs, found.values(), strict=True))
        kept = {k: v for k, v in found.items() if v is not None}
        out.append(el.with_properties(feature, {**feature.properties, **kept}))
    return collection.with_elements(out)
