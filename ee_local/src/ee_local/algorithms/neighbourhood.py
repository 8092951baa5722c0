"""``Kernel``, and images computed from the pixels around each pixel.

A kernel counts pixels of the grid that is asked for, or metres; a circle holds the pixels whose
centre is no further than its radius. Neighbours that are masked do not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ee_local.algorithms.mosaics import pixelwise
from ee_local.errors import EngineError
from ee_local.grid import Grid, metres_per_unit, moved
from ee_local.pixels import DOUBLE, Band, Image, Pixels, PixelType
from ee_local.reduction import Reducer
from ee_local.registry import function

MOST = 128
"""Largest radius of a kernel in pixels."""

Weights = NDArray[np.float64]


class Kernel(NamedTuple):
    """Weights around a pixel: a function of the size of a pixel in metres."""

    weights: Callable[[float], Weights]


def _offsets(radius: float) -> tuple[Weights, Weights]:
    reach = math.floor(radius + 1e-9)
    if not 0 <= reach <= MOST:
        raise EngineError(f"Kernel: the radius is {radius:g} pixels; it must be 0 to {MOST}.")
    down, across = np.mgrid[-reach:reach + 1, -reach:reach + 1].astype(np.float64)
    return down, across


def _shape(name: str, inside: Callable[[Weights, Weights, float], Weights], text: str) -> None:
    """Return a kernel of weights from distances in rows and columns and the radius in pixels."""
    def build(radius: float, units: str, normalize: bool, magnitude: float) -> Kernel:
        return Kernel(_weights(inside, radius, units, normalize, magnitude))

    build.__doc__ = text
    function(f"Kernel.{name}")(build)


def _weights(inside: Callable[[Weights, Weights, float], Weights], radius: float, units: str,
             normalize: bool, magnitude: float) -> Callable[[float], Weights]:
    if units not in ("pixels", "meters"):
        raise EngineError(f"Kernel: units are {units!r}; they must be pixels or meters.")

    def weights(pixel: float) -> Weights:
        reach = radius if units == "pixels" else radius / pixel
        found = inside(*_offsets(reach), reach).astype(np.float64)
        total = found.sum()
        return found * magnitude / (total if normalize and total else 1)
    return weights


_shape("square", lambda r, c, n: np.ones_like(r), "All pixels of a square.")
_shape("circle", lambda r, c, n: np.hypot(r, c) <= n, "The pixels of a disc.")
_shape("diamond", lambda r, c, n: abs(r) + abs(c) <= n, "The pixels of a square on its corner.")
_shape("plus", lambda r, c, n: (r == 0) | (c == 0), "The pixels of the row and the column.")
_shape("cross", lambda r, c, n: abs(r) == abs(c), "The pixels of the diagonals.")
_shape("octagon", lambda r, c, n: abs(r) + abs(c) <= n + (n + 1) // 2,
       "The pixels of an octagon.")
_shape("euclidean", lambda r, c, n: np.where(np.hypot(r, c) <= n, np.hypot(r, c), 0),
       "The straight distance from the middle.")
_shape("manhattan", lambda r, c, n: abs(r) + abs(c), "The distance along rows and columns.")
_shape("chebyshev", lambda r, c, n: np.maximum(abs(r), abs(c)), "The larger distance.")


@function("Kernel.gaussian")
def gaussian(radius: float, sigma: float, units: str, normalize: bool,
             magnitude: float) -> Kernel:
    """Return a bell curve of the distance from the middle."""
    return Kernel(_weights(lambda r, c, n: np.exp(-(r**2 + c**2) / (2 * sigma**2)), radius, units,
                           normalize, magnitude))


@function("Kernel.fixed")
def fixed(width: int, height: int, weights: list[list[Any]], x: int, y: int,
          normalize: bool) -> Kernel:
    """Return a kernel of given weights."""
    try:
        table = np.array(weights, dtype=np.float64)
    except (TypeError, ValueError):
        table = np.zeros(0)
    if table.ndim != 2 or not table.size or max(table.shape) > 2 * MOST + 1:
        raise EngineError("Kernel.fixed: weights must be rows of numbers, as long as each other.")
    rows, cols = table.shape
    row, col = rows // 2 if y < 0 else y, cols // 2 if x < 0 else x
    reach = max(row, rows - 1 - row, col, cols - 1 - col)
    whole = np.zeros((2 * reach + 1, 2 * reach + 1))
    whole[reach - row:reach - row + rows, reach - col:reach - col + cols] = table
    total = whole.sum()
    return Kernel(lambda pixel: whole / (total if normalize and total else 1))


def _fixed_shape(name: str, table: list[list[float]], text: str) -> None:
    def build(magnitude: float, normalize: bool) -> Kernel:
        weights = np.array(table) * magnitude
        total = abs(weights).sum()
        return Kernel(lambda pixel: weights / total if normalize else weights)

    build.__doc__ = text
    function(f"Kernel.{name}")(build)


_fixed_shape("laplacian4", [[0, 1, 0], [1, -4, 1], [0, 1, 0]], "The Laplacian of 4 neighbours.")
_fixed_shape("laplacian8", [[1, 1, 1], [1, -8, 1], [1, 1, 1]], "The Laplacian of 8 neighbours.")
_fixed_shape("sobel", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], "Sobel's edges across.")
_fixed_shape("prewitt", [[1, 0, -1], [1, 0, -1], [1, 0, -1]], "Prewitt's edges across.")


def _pixel(grid: Grid) -> float:
    return abs(grid.projection.transform[0]) * metres_per_unit(grid.projection.crs)


def windows(band: Band, grid: Grid, weights: Weights) -> tuple[Weights, NDArray, Weights]:
    """Return neighbours of each pixel where a kernel has weights.

    Returns
    -------
    values, masks : ndarray, shape (neighbour, row, col)
    weights : ndarray, shape (neighbour,)
    """
    reach = weights.shape[0] // 2
    wide = Grid(moved(grid.projection, -reach, -reach), grid.width + 2 * reach,
                grid.height + 2 * reach)
    pixels = band.read(wide)
    rows, cols = np.nonzero(weights)
    values = np.stack([pixels.values[r:r + grid.height, c:c + grid.width]
                       for r, c in zip(rows, cols, strict=True)])
    masks = np.stack([pixels.valid[r:r + grid.height, c:c + grid.width]
                      for r, c in zip(rows, cols, strict=True)])
    return values, masks, weights[rows, cols]


def _around(image: Image, kernel: Kernel, compute: Callable[..., Weights],
            kind: Callable[[PixelType], PixelType], keep_mask: bool) -> Image:
    """Return each band from the neighbours of its pixels: values, masks and weights."""
    def changed(band: Band) -> Band:
        def read(grid: Grid) -> Pixels:
            values, masks, weights = windows(band, grid, kernel.weights(_pixel(grid)))
            there = masks.any(axis=0)
            found = np.where(there, compute(values, masks, weights), 0)
            return Pixels(found, there & band.read(grid).valid if keep_mask else there)
        return band.derived(read, kind(band.type))
    return image.with_bands([changed(b) for b in image.bands])


def _kernel(value: Any, where: str) -> Kernel:
    if not isinstance(value, Kernel):
        raise EngineError(f"{where}, argument 'kernel': a Kernel is needed.")
    return value


@function("Image.convolve")
def convolve(image: Image, kernel: Any) -> Image:
    """Return the weighted sum of each pixel's neighbours."""
    def total(values: Weights, masks: NDArray, weights: Weights) -> Weights:
        return (values * masks * weights[:, None, None]).sum(axis=0)
    return _around(image, _kernel(kernel, "Image.convolve"), total, lambda k: DOUBLE, True)


def statistic(name: str) -> Callable[[Weights, NDArray, Weights], Weights]:
    """Return a statistic of the neighbours that count, by the name of its reducer."""
    if name == "mode":
        return lambda values, masks, weights: _mode(values, masks)
    if name == "mean":
        def mean(values: Weights, masks: NDArray, weights: Weights) -> Weights:
            by = masks * weights[:, None, None]
            total = by.sum(axis=0)
            return np.divide((values * by).sum(axis=0), total, out=np.zeros_like(total),
                             where=total != 0)
        return mean
    compute = pixelwise(name)
    return lambda values, masks, weights: compute(values, masks).values


def _mode(values: Weights, masks: NDArray) -> Weights:
    """Return the most common valid value; of equally common ones the smallest."""
    best, most = np.zeros(values.shape[1:]), np.zeros(values.shape[1:], dtype=int)
    for value in np.unique(values[masks]) if masks.any() else []:
        count = ((values == value) & masks).sum(axis=0)
        better = count > most
        best[better], most[better] = value, count[better]
    return best


def _focal(name: str, reducer: str, text: str) -> None:
    shapes = {"circle": lambda r, c, n: np.hypot(r, c) <= n,
              "square": lambda r, c, n: np.ones_like(r),
              "cross": lambda r, c, n: abs(r) == abs(c),
              "plus": lambda r, c, n: (r == 0) | (c == 0),
              "diamond": lambda r, c, n: abs(r) + abs(c) <= n}

    def applied(image: Image, radius: float, kind: str, units: str, iterations: int,
                kernel: Any) -> Image:
        where = f"Image.{name}"
        if kernel is None and kind not in shapes:
            raise EngineError(f"{where}: kernelType {kind!r} is not implemented by the local Earth "
                              f"Engine; {', '.join(shapes)} are.")
        chosen = _kernel(kernel, where) if kernel is not None else Kernel(
            _weights(shapes[kind], radius, units, False, 1.0))
        if not 1 <= iterations <= 20:
            raise EngineError(f"{where}: iterations is {iterations}; it must be 1 to 20.")
        def kind_of(own: PixelType) -> PixelType:
            return DOUBLE if reducer in ("mean", "median") else own

        for _ in range(iterations):
            image = _around(image, chosen, statistic(reducer), kind_of, False)
        return image

    applied.__doc__ = text
    function(f"Image.{name}")(applied)


for _name, _reducer, _text in (
    ("focalMin", "min", "The smallest value around each pixel."),
    ("focalMax", "max", "The largest value around each pixel."),
    ("focalMedian", "median", "The middle value around each pixel."),
    ("focalMode", "mode", "The most common value around each pixel."),
    ("focalMean", "mean", "The mean value around each pixel."),
):
    _focal(_name, _reducer, _text)


@function("Image.reduceNeighborhood")
def reduce_neighborhood(image: Image, reducer: Reducer, kernel: Any, weight: str, skip: bool,
                        optimization: str | None) -> Image:
    """Return a reducer over each pixel's neighbours; bands are named after band and output.

    Only the mean uses the kernel's weights; with ``skipMasked`` masked pixels stay masked.
    """
    if len(reducer.outputs) != 1:
        raise EngineError("Image.reduceNeighborhood: only reducers of one output are implemented "
                          "by the local Earth Engine.")
    found = _around(image, _kernel(kernel, "Image.reduceNeighborhood"), statistic(reducer.name),
                    lambda k: DOUBLE, skip)
    return found.with_bands([b.renamed(f"{b.name}_{reducer.outputs[0]}") for b in found.bands])
