"""Spatially coherent random fields and small raster helpers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

Rng = np.random.Generator
Codes = NDArray[np.uint8]
"""Legend codes, (row, col) or (parcel,)."""
Floats, Bools, Ints = NDArray[np.floating], NDArray[np.bool_], NDArray[np.integer]


def smooth_noise(rng: Rng, shape: tuple[int, int], sigma: float) -> Floats:
    """Draw a Gaussian random field ``(row, col) float32`` of mean 0 and sd 1.

    It is correlated over ``sigma`` pixels; long correlations are interpolated from a coarse grid.
    """
    step = max(1, int(sigma // 3))
    coarse = tuple(-(-n // step) + 8 for n in shape)
    field = rng.standard_normal(coarse, dtype=np.float32)
    if sigma > 0:
        field = ndimage.gaussian_filter(field, sigma / step, mode="wrap")
    if step > 1:
        field = ndimage.zoom(field, step, order=1)
    field = field[: shape[0], : shape[1]]
    return ((field - field.mean()) / (field.std() + 1e-9)).astype(np.float32)


def warped_grid(rng: Rng, shape: tuple[int, int], sigma: float, reach: float
                ) -> tuple[Floats, Floats]:
    """Return row and column of every pixel, moved by smooth noise of sd ``reach`` pixels."""
    rows, cols = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return (rows + reach * smooth_noise(rng, shape, sigma),
            cols + reach * smooth_noise(rng, shape, sigma))


def burn(shapes: list[BaseGeometry], shape: tuple[int, int], transform: Affine) -> Bools:
    """Return ``(row, col) bool``: the pixels whose centre lies in any of ``shapes``."""
    shapes = [s for s in shapes if not s.is_empty]
    if not shapes:
        return np.zeros(shape, bool)
    return rasterize(shapes, shape, transform=transform, dtype="uint8").astype(bool)


def coverage(shapes: list[BaseGeometry], shape: tuple[int, int], transform: Affine) -> Floats:
    """Return the share (0–1) of every pixel under ``shapes``, from a grid four times finer."""
    inside = burn(shapes, (4 * shape[0], 4 * shape[1]), transform @ Affine.scale(1 / 4))
    return inside.reshape(shape[0], 4, shape[1], 4).mean((1, 3), dtype=np.float32)


def without(codes: Codes, gone: Bools) -> Codes:
    """Return ``codes`` in which pixels of ``gone`` have the class of the nearest that stays."""
    nearest = ndimage.distance_transform_edt(gone, return_distances=False, return_indices=True)
    return codes[tuple(nearest)]
