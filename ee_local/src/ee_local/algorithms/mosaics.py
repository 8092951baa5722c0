"""``ImageCollection``: several images as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from ee_local import elements as el
from ee_local.algorithms.image_math import wider
from ee_local.errors import EngineError
from ee_local.geometry import Geometry
from ee_local.grid import WGS84, Grid
from ee_local.pixels import (
    BOOLEAN,
    DOUBLE,
    UNPLACED,
    Band,
    Image,
    Pixels,
    PixelType,
    integer_type,
)
from ee_local.reduction import Reducer
from ee_local.registry import function

Stack = NDArray[np.float64]
Statistic = Callable[[Stack, NDArray[np.bool_]], Stack]


def images_of(items: el.Collection, where: str) -> tuple[Image, ...]:
    """Return the collection's images, or an error."""
    for element in items.elements:
        if not isinstance(element, Image):
            raise EngineError(f"{where}: an element of the collection is no image.")
    return items.elements


def around(images: Sequence[Image]) -> Geometry | None:
    """Return the area of several images; None if one is unbounded."""
    parts = [i.footprint for i in images]
    if not parts or any(p is None for p in parts):
        return None
    if all(p.crs == parts[0].crs for p in parts):
        return Geometry(shapely.union_all([p.shape for p in parts]), parts[0].crs, False)
    return Geometry(shapely.union_all([p.lonlat() for p in parts]), WGS84)


def stacked(images: Sequence[Image], compute: Callable[[Stack, NDArray[np.bool_]], Pixels],
            kind: Callable[[PixelType], PixelType], where: str) -> Image:
    """Reduce each band's stack; bands are matched by name, those of the first image count.

    The result has no projection of its own (EPSG:4326), as in Google's service.
    """
    if not images:
        return Image(())
    bands = []
    for name in images[0].names:
        sources = [b for i in images for b in i.bands if b.name == name]

        def read(grid: Grid, sources: list[Band] = sources) -> Pixels:
            pixels = [b.read(grid) for b in sources]
            if any(p.values.ndim != 2 for p in pixels):
                raise EngineError(f"{where}: a band holds arrays.")
            return compute(np.stack([p.values for p in pixels]),
                           np.stack([p.valid for p in pixels]))

        whole = sources[0].type
        for source in sources[1:]:
            whole = wider(whole, source.type)
        bands.append(Band(name, kind(whole), read, UNPLACED))
    return Image(tuple(bands), {}, around(images))


def _last(values: Stack, masks: NDArray[np.bool_]) -> Pixels:
    """Return the last valid value of each pixel."""
    place = len(values) - 1 - masks[::-1].argmax(axis=0)
    return Pixels(np.take_along_axis(values, place[None], axis=0)[0], masks.any(axis=0))


@function("ImageCollection.mosaic")
def mosaic(items: el.Collection) -> Image:
    """Return the images one over another, the last on top."""
    return stacked(images_of(items, "ImageCollection.mosaic"), _last, lambda k: k,
                   "ImageCollection.mosaic")


@function("ImageCollection.qualityMosaic")
def quality_mosaic(items: el.Collection, name: str) -> Image:
    """Choose for each pixel the image whose quality band is largest."""
    images = images_of(items, "ImageCollection.qualityMosaic")
    if not images:
        return Image(())

    def best(grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        pixels = [i.band(name).read(grid) for i in images]
        scores = np.stack([np.where(p.valid, p.values, -np.inf) for p in pixels])
        return scores.argmax(axis=0), np.isfinite(scores).any(axis=0)

    def band(k: int) -> Band:
        def read(grid: Grid) -> Pixels:
            chosen, there = best(grid)
            pixels = [i.bands[k].read(grid) for i in images]
            values = np.stack([p.values for p in pixels])
            masks = np.stack([p.valid for p in pixels])
            return Pixels(np.take_along_axis(values, chosen[None], axis=0)[0],
                          there & np.take_along_axis(masks, chosen[None], axis=0)[0])
        return replace(images[0].bands[k].derived(read), projection=UNPLACED, size=None)

    return Image(tuple(band(k) for k in range(len(images[0].bands))), {}, around(images))


@function("ImageCollection.toBands")
def to_bands(items: el.Collection) -> Image:
    """Return all bands of all images in one image, each named after its image."""
    images = images_of(items, "ImageCollection.toBands")
    bands = [b.renamed(f"{el.index_of(i)}_{b.name}") for i in images for b in i.bands]
    return Image(tuple(bands), {}, around(images))


def _masked(values: Stack, masks: NDArray[np.bool_]) -> Stack:
    return np.where(masks, values, np.nan)


def _statistic(values: Stack, masks: NDArray[np.bool_], name: str) -> Stack:
    """Return a statistic of each pixel's valid values; any number where there are none."""
    count = masks.sum(axis=0)
    if name == "count":
        return count.astype(np.float64)
    if name in ("sum", "mean"):
        total = (values * masks).sum(axis=0)
        return total if name == "sum" else total / np.maximum(count, 1)
    if name == "product":
        return np.where(masks, values, 1).prod(axis=0)
    if name in ("min", "max"):
        fill, pick = (np.inf, np.min) if name == "min" else (-np.inf, np.max)
        return pick(np.where(masks, values, fill), axis=0)
    if name in ("and", "or", "allNonZero", "anyNonZero"):
        every = name in ("and", "allNonZero")
        test = np.where(masks, values != 0, every)
        return (test.all(axis=0) if every else test.any(axis=0)).astype(np.float64)
    safe = np.where(masks.any(axis=0), _masked(values, masks), 0)
    if name == "median":
        return np.nanmedian(safe, axis=0)
    if name in ("stdDev", "variance", "sampleStdDev", "sampleVariance"):
        sample = name.startswith("sample")
        mean = (values * masks).sum(axis=0) / np.maximum(count, 1)
        squares = (((values - mean) ** 2) * masks).sum(axis=0)
        spread = squares / np.maximum(count - sample, 1)
        return np.sqrt(spread) if name.endswith("Dev") else spread
    if name in ("first", "firstNonNull"):
        return np.take_along_axis(values, masks.argmax(axis=0)[None], axis=0)[0]
    if name in ("last", "lastNonNull"):
        return _last(values, masks).values
    raise EngineError(f"Reducer.{name} over images is not implemented by the local Earth Engine.")


FAST = ("count", "sum", "mean", "product", "min", "max", "and", "or", "allNonZero", "anyNonZero",
        "median", "stdDev", "variance", "sampleStdDev", "sampleVariance", "first", "firstNonNull",
        "last", "lastNonNull")


def _kind(name: str) -> Callable[[PixelType], PixelType]:
    if name in ("min", "max", "first", "firstNonNull", "last", "lastNonNull"):
        return lambda kind: kind
    if name in ("and", "or", "allNonZero", "anyNonZero"):
        return lambda kind: BOOLEAN
    return lambda kind: integer_type("int32") if name == "count" else DOUBLE


def pixelwise(name: str) -> Callable[[Stack, NDArray[np.bool_]], Pixels]:
    """Return a statistic as pixels; a count is 0, not masked, where there is nothing."""
    def compute(values: Stack, masks: NDArray[np.bool_]) -> Pixels:
        there = np.ones(masks.shape[1:], dtype=bool) if name == "count" else masks.any(axis=0)
        return Pixels(np.where(there, _statistic(values, masks, name), 0), there)
    return compute


def _reduce_shortcut(name: str, text: str) -> None:
    def reduced(items: el.Collection) -> Image:
        images = images_of(items, f"reduce.{name}")
        return stacked(images, pixelwise(name), _kind(name), f"reduce.{name}")

    reduced.__doc__ = text
    function(f"reduce.{name}")(reduced)


for _name, _text in (("min", "The smallest value of each pixel."),
                     ("max", "The largest value of each pixel."),
                     ("count", "The number of valid values of each pixel."),
                     ("sum", "The sum of each pixel's values."),
                     ("product", "The product of each pixel's values."),
                     ("mean", "The mean of each pixel's values."),
                     ("median", "The median of each pixel's values."),
                     ("and", "1 where all values of a pixel are not 0."),
                     ("or", "1 where a value of a pixel is not 0.")):
    _reduce_shortcut(_name, _text)


def _needs_fast(reducer: Reducer, where: str) -> str:
    if reducer.name not in FAST:
        raise EngineError(f"{where}: Reducer.{reducer.name} over images is not implemented by the "
                          f"local Earth Engine; {', '.join(FAST)} are.")
    return reducer.name


@function("ImageCollection.reduce")
def reduce_collection(items: el.Collection, reducer: Reducer, scale: float) -> Image:
    """Return a reducer over each pixel's values; bands are named after band and output."""
    where = "ImageCollection.reduce"
    name = _needs_fast(reducer, where)
    found = stacked(images_of(items, where), pixelwise(name), _kind(name), where)
    return found.with_bands([b.renamed(f"{b.name}_{reducer.outputs[0]}") for b in found.bands])


@function("Image.reduce")
def reduce_bands(image: Image, reducer: Reducer) -> Image:
    """Return a reducer over the bands of each pixel, named after its output."""
    where = "Image.reduce"
    name = _needs_fast(reducer, where)
    first = image.first(where)
    layers = [image.plain([b.renamed("x")]) for b in image.bands]
    band = stacked(layers, pixelwise(name), _kind(name), where).bands[0]
    return image.plain([replace(band.renamed(reducer.outputs[0]), projection=first.projection,
                                size=first.size)])
