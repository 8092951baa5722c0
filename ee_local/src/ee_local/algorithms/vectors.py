"""From pixels to areas and back: ``reduceToVectors``, ``reduceToImage``, rectangles of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from rasterio.features import shapes

from ee_local import elements as el
from ee_local.algorithms.mosaics import images_of
from ee_local.algorithms.projections import target
from ee_local.algorithms.sampling import region_table
from ee_local.errors import EngineError
from ee_local.geometry import Geometry, inside
from ee_local.grid import WGS84, Grid, Projection, covering
from ee_local.pixels import DOUBLE, UNPLACED, Band, Image, Pixels, PixelType
from ee_local.reduction import Reducer
from ee_local.registry import function

Crs = Projection | None
MOST_CELLS = 262_144
"""Most pixels of a rectangle that is handed over as lists, as in Google's service."""


@function("Image.reduceToVectors")
def reduce_to_vectors(image: Image, reducer: Reducer | None, geometry: Geometry | None,
                      scale: float | None, kind: str, eight: bool, label: str, crs: Crs,
                      transform: list[float] | None, best_effort: bool, most: int,
                      tile_scale: float, native: bool) -> el.Collection:
    """Return areas of equal values of the first band, with the value and the number of pixels.

    Only ``countEvery`` is implemented as reducer, and polygons as geometry.
    """
    where = "Image.reduceToVectors"
    if reducer is not None and reducer.name != "countEvery":
        raise EngineError(f"{where}: Reducer.{reducer.name} is not implemented by the local Earth "
                          "Engine; countEvery is.")
    if kind != "polygon":
        raise EngineError(f"{where}: geometryType {kind!r} is not implemented by the local Earth "
                          "Engine; polygon is.")
    area = geometry or image.footprint
    if area is None:
        raise EngineError(f"{where}: the image is unbounded; a geometry is needed.")
    band = image.first(where)
    work = target(crs or band.projection, transform, scale, where)
    grid = covering(work, area.to_crs(work.crs).bounds)
    if grid.width * grid.height > most and not best_effort:
        raise EngineError(f"{where}: Too many pixels in the region. Found "
                          f"{grid.width * grid.height}, but maxPixels allows only {most}.")
    pixels = band.read(grid)
    there = pixels.valid & inside(area, grid)
    size = abs(work.transform[0] * work.transform[4])
    out = []
    for i, (outline, value) in enumerate(shapes(
            pixels.values.astype(np.int32), there, 8 if eight else 4, work.affine())):
        shape = shapely.geometry.shape(outline)
        place = Geometry(shape, work.crs, False)
        if not native and work.crs != WGS84:
            place = Geometry(place.lonlat(), WGS84, False)
        out.append(el.Feature(place, {label: int(value), "count": round(shape.area / size)},
                              str(i)))
    return el.Collection(tuple(out))


@function("Collection.reduceToImage")
def reduce_to_image(items: el.Collection, names: list[str], reducer: Reducer) -> Image:
    """Return an image of a property where the features lie; the reducer's output names the band.

    Where features overlap, ``first`` takes the first, ``last`` the last, ``min``, ``max``,
    ``mean``, ``sum`` and ``count`` what they say.
    """
    where = "Collection.reduceToImage"
    ways = ("first", "last", "min", "max", "mean", "sum", "count")
    if len(names) != 1 or reducer.name not in ways:
        raise EngineError(f"{where}: one property and one of the reducers {', '.join(ways)} are "
                          "implemented by the local Earth Engine.")
    rows = [(el.geometry_of(e), el.get(e, names[0])) for e in items.elements]
    rows = [(g, float(v)) for g, v in rows
            if g is not None and isinstance(v, (int, float)) and not isinstance(v, bool)]

    def read(grid: Grid) -> Pixels:
        values = np.full(grid.shape, np.nan)
        count = np.zeros(grid.shape)
        for geometry, value in reversed(rows) if reducer.name == "first" else rows:
            where_it_is = inside(geometry, grid)
            old = values[where_it_is]
            first = np.isnan(old)
            new = {"min": np.minimum(old, value), "max": np.maximum(old, value),
                   "mean": old + value, "sum": old + value}.get(reducer.name, value)
            values[where_it_is] = np.where(first, value, new)
            count[where_it_is] += 1
        there = count > 0
        found = {"mean": values / np.maximum(count, 1), "count": count}.get(reducer.name, values)
        return Pixels(np.where(there, found, 0), there)

    return Image((Band(reducer.outputs[0], DOUBLE, read, UNPLACED),))


@function("Image.sampleRectangle")
def sample_rectangle(image: Image, region: Geometry | None, names: list[str] | None,
                     default: float | None, default_array: Any) -> el.Feature:
    """Return the pixels of a rectangle as an array for each band, in a feature."""
    where = "Image.sampleRectangle"
    area = region or image.footprint
    if area is None:
        raise EngineError(f"{where}: the image is unbounded; a region is needed.")
    first = image.first(where).projection
    grid = covering(first, area.to_crs(first.crs).bounds)
    if grid.width * grid.height > MOST_CELLS:
        raise EngineError(f"{where}: Too many pixels in sample; must be <= {MOST_CELLS}. Got "
                          f"{grid.width * grid.height}.")
    found: dict[str, Any] = {n: el.get(image, n) for n in names or ()}
    for band in image.bands:
        pixels = band.read(grid)
        values = pixels.values
        if not pixels.valid.all():
            if default is None:
                raise EngineError(f"{where}: Fully or partially masked pixels / pixels outside of "
                                  f"image footprint when sampling band '{band.name}'. Use "
                                  "defaultValue.")
            values = np.where(pixels.valid, values, default)
        found[band.name] = values.astype(band.type.dtype())
    return el.Feature(area, found)


@function("ImageCollection.getRegion")
def get_region(items: el.Collection, geometry: Geometry, scale: float | None, crs: Projection,
               transform: list[float] | None) -> list[Any]:
    """Return the pixels of all images in a region as rows: id, longitude, latitude, time, bands."""
    where = "ImageCollection.getRegion"
    images = images_of(items, where)
    names = list(images[0].names) if images else []
    rows: list[Any] = [["id", "longitude", "latitude", "time", *names]]
    work = target(crs, transform, scale, where)
    for image in images:
        chosen = Image(tuple(image.band(n) for n in names))
        table = region_table(chosen, geometry, None, work, where)
        start = image.properties.get("system:time_start")
        for k in range(len(table.rows)):
            values = table.properties(k)
            rows.append([el.index_of(image), float(table.lon[k]), float(table.lat[k]), start,
                         *(values.get(n) for n in names)])
        if len(rows) > 1_048_576:
            raise EngineError(f"{where}: Too many values; at most 1048576 rows.")
    return rows


@function("Image.random")
def random(seed: int, distribution: str) -> Image:
    """Draw a pseudo-random number for each pixel, uniform in [0, 1) or normal; not Google's.

    It depends on the seed and on the pixel's place alone.
    """
    if distribution not in ("uniform", "normal"):
        raise EngineError(f"Image.random: distribution is {distribution!r}; it must be uniform or "
                          "normal.")

    def read(grid: Grid) -> Pixels:
        x, y = grid.centres()
        key = np.stack([np.round(x * 1e6), np.round(y * 1e6)]).astype(np.int64).view(np.uint64)
        bits = _mixed(_mixed(key[0] + np.uint64(abs(seed) + 1)) ^ key[1])
        share = (bits >> np.uint64(11)).astype(np.float64) / 2.0**53
        if distribution == "normal":
            from scipy.special import ndtri

            share = ndtri(np.clip(share, 1e-16, 1 - 1e-16))
        return Pixels(share, np.ones(grid.shape, dtype=bool))
    limits = (0, 1) if distribution == "uniform" else (None, None)
    return Image((Band("random", PixelType("double", *limits), read),))


def _mixed(bits: np.ndarray) -> np.ndarray:
    """Return whole numbers whose bits depend on all bits of others (splitmix64)."""
    with np.errstate(over="ignore"):
        bits = bits + np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


