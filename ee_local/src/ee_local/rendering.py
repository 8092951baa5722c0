"""Pixels as pictures: PNG and JPEG, and the tiles of a web map."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from ee_local.algorithms.visualise import visualize
from ee_local.errors import EngineError
from ee_local.geometry import Geometry
from ee_local.grid import Grid, Projection
from ee_local.pixels import Image

WEB = "EPSG:3857"
HALF = math.pi * 6_378_137.0
"""Half the width of the web map in metres."""

TILE = 256
"""Pixels, edge of a map tile."""

MOST_ZOOM = 24


def tile_grid(zoom: int, col: int, row: int) -> Grid:
    """Return the pixels of a map tile.

    Raises
    ------
    EngineError
        There is no such tile.
    """
    if not 0 <= zoom <= MOST_ZOOM or not (0 <= col < 2**zoom and 0 <= row < 2**zoom):
        raise EngineError(f"There is no tile {zoom}/{col}/{row}.", 404)
    size = 2 * HALF / 2**zoom
    step = size / TILE
    return Grid(Projection(WEB, (step, 0.0, col * size - HALF, 0.0, -step, HALF - row * size)),
                TILE, TILE)


def picture(image: Image, options: Mapping[str, Any] | None = None) -> Image:
    """Return an image that can be drawn: as it is if it is one of bytes, else visualised.

    Parameters
    ----------
    options : mapping
        ``visualizationOptions`` of a request: ranges, paletteColors, gamma, opacity.
    """
    ready = all(b.type.dtype() == np.uint8 for b in image.bands) and len(image.bands) in (1, 3)
    if options or not ready:
        given = options or {}
        ranges = given.get("ranges") or [{}]
        low, high = ([r.get(k, d) for r in ranges] for k, d in (("min", 0), ("max", 1)))
        bounded = bool(given.get("ranges"))
        return visualize(image, None, None, None, low if bounded else None,
                         high if bounded else None,
                         (given.get("gamma") or {}).get("value"),
                         (given.get("opacity") or {}).get("value"),
                         given.get("paletteColors"), False)
    return image


def rgba(image: Image, grid: Grid) -> NDArray[np.uint8]:
    """Return red, green, blue and opacity (4, row, col) uint8 of an image that can be drawn."""
    if image.footprint is not None and _apart(image.footprint, grid):
        return np.zeros((4, *grid.shape), dtype=np.uint8)
    pixels = [b.read(grid) for b in image.bands]
    mask = np.min([p.mask for p in pixels], axis=0).astype(np.float64)
    bands = [np.clip(p.values, 0, 255) for p in (pixels * 3 if len(pixels) == 1 else pixels)]
    out = np.stack([*bands, np.floor(mask * 255 + 0.5)]).astype(np.uint8)
    out[:3, mask == 0] = 0
    return out


def _apart(area: Geometry, grid: Grid) -> bool:
    """Return whether a grid has no pixel near an area."""
    west, south, east, north = area.to_crs(grid.projection.crs).bounds
    left, low, right, top = grid.bounds()
    return east < left or west > right or north < low or south > top


def encode_picture(pixels: NDArray[np.uint8], kind: str) -> tuple[bytes, str]:
    """Return a picture file and its media type.

    Parameters
    ----------
    pixels : ndarray, shape (4, row, col), uint8
        Red, green, blue and opacity.
    kind : str
        PNG, JPEG, or AUTO_JPEG_PNG, which is JPEG where nothing is transparent.
    """
    if kind == "AUTO_JPEG_PNG":
        kind = "JPEG" if (pixels[3] == 255).all() else "PNG"
    if kind not in ("PNG", "JPEG"):
        raise EngineError(f"The file format {kind!r} is not implemented by the local Earth Engine.")
    data = pixels if kind == "PNG" else pixels[:3]
    options = {"quality": 90} if kind == "JPEG" else {"zlevel": 3}
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with memory.open(driver=kind, width=data.shape[2], height=data.shape[1], count=len(data),
                         dtype="uint8", **options) as out:
            out.write(data)
        return memory.read(), f"image/{kind.lower()}"
