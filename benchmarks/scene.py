"""Scenes for benchmarks: fields, lakes and noise, as large as wanted, written as a GeoTIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from lulc_lib.data.bands import BANDS

PART = 1024
"""Pixels, edge of the part that is repeated, mirrored at every second place."""


def part(seed: int = 0, edge: int = PART) -> NDArray[np.uint16]:
    """Make (10, row, col) uint16 DN: fields of 24 pixels with the spectra of six kinds of land."""
    rng = np.random.default_rng(seed)
    fields = rng.integers(0, 6, (-(-edge // 24),) * 2).repeat(24, 0).repeat(24, 1)[:edge, :edge]
    spectra = rng.uniform(200, 4000, (6, len(BANDS)))
    spectra[0], spectra[1, 2], spectra[1, 6] = 150, 300, 4000  # water; vegetation
    noise = rng.normal(0, 40, (len(BANDS), edge, edge))
    return (np.moveaxis(spectra[fields], -1, 0) + noise).clip(1).astype(np.uint16)


def write_scene(path: Path, rows: int, cols: int) -> Path:
    """Write a GeoTIFF of repeated parts, tiled as Sentinel-2's files are."""
    whole = part()
    with rasterio.open(path, "w", driver="GTiff", dtype="uint16", count=len(BANDS), height=rows,
                       width=cols, crs="EPSG:32633", tiled=True, blockxsize=512, blockysize=512,
                       bigtiff="IF_SAFER", interleave="band",
                       transform=rasterio.transform.from_origin(5e5, 5.6e6, 10, 10)) as file:
        file.descriptions = BANDS
        for row, top in enumerate(range(0, rows, PART)):
            for col, left in enumerate(range(0, cols, PART)):
                values = whole[:, ::-1 if row % 2 else 1, ::-1 if col % 2 else 1]
                high, wide = min(PART, rows - top), min(PART, cols - left)
                file.write(values[:, :high, :wide],
                           window=rasterio.windows.Window(left, top, wide, high))
    return path
