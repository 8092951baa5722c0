"""Scenes for benchmarks: parts repeated as often as wanted, written as a GeoTIFF or as SAFE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from lulc_lib.data import open_scene
from lulc_lib.data.bands import BANDS, BANDS_10M

PART = 1024
"""Pixels, edge of the part that is repeated."""


def part(seed: int = 0, edge: int = PART) -> NDArray[np.uint16]:
    """Make (10, row, col) uint16 DN: fields of 24 pixels with the spectra of six kinds of land."""
    rng = np.random.default_rng(seed)
    fields = rng.integers(0, 6, (-(-edge // 24),) * 2).repeat(24, 0).repeat(24, 1)[:edge, :edge]
    spectra = rng.uniform(200, 4000, (6, len(BANDS)))
    spectra[0], spectra[1, 2], spectra[1, 6] = 150, 300, 4000  # water; vegetation
    noise = rng.normal(0, 40, (len(BANDS), edge, edge))
    return (np.moveaxis(spectra[fields], -1, 0) + noise).clip(1).astype(np.uint16)


def windows_of(files: Sequence[Path]) -> list[NDArray[np.uint16]]:
    """Read a square window of even size, the largest that all have, from the corner of scenes."""
    parts = []
    for file in files:
        with rasterio.open(file) as source:
            parts.append(source.read())
    edge = min(min(p.shape[1:]) for p in parts) // 2 * 2
    return [p[:, :edge, :edge] for p in parts]


def laid(band: int, parts: Sequence[NDArray[np.uint16]], rows: int, cols: int
         ) -> NDArray[np.uint16]:
    """Lay a band of (band, row, col) parts side by side, mirrored at every second place."""
    edge, out = parts[0].shape[1], np.empty((rows, cols), np.uint16)
    for row, top in enumerate(range(0, rows, edge)):
        for col, left in enumerate(range(0, cols, edge)):
            values = parts[(row + col) % len(parts)][
                band, ::-1 if row % 2 else 1, ::-1 if col % 2 else 1]
            out[top:top + edge, left:left + edge] = values[:rows - top, :cols - left]
    return out


def profile(rows: int, cols: int, count: int, pixel: int = 10, **options: Any) -> dict[str, Any]:
    """Return what rasterio writes a raster by."""
    return {"dtype": "uint16", "count": count, "height": rows, "width": cols, "crs": "EPSG:32633",
            "transform": rasterio.transform.from_origin(5e5, 5.6e6, pixel, pixel)} | options


TILED = {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512,
         "bigtiff": "IF_SAFER", "interleave": "band"}
"""As Sentinel-2's files are."""


def write_scene(path: Path, rows: int, cols: int,
                parts: Sequence[NDArray[np.uint16]] | None = None) -> Path:
    """Write a GeoTIFF of repeated parts."""
    parts = parts or [part()]
    with rasterio.open(path, "w", **profile(rows, cols, len(BANDS), **TILED)) as file:
        file.descriptions = BANDS
        for band in range(len(BANDS)):
            file.write(laid(band, parts, rows, cols), band + 1)
    return path


NAME = "S2B_MSIL2A_20230709T100559_N0509_R022_T33UWS_20230709T130000"
METADATA = f"""<?xml version="1.0" encoding="UTF-8"?>
<Level-2A_User_Product><General_Info><Product_Info><PROCESSING_BASELINE>05.09</PROCESSING_BASELINE>
<PRODUCT_TYPE>S2MSI2A</PRODUCT_TYPE><Datatake><SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME>
<DATATAKE_SENSING_START>2023-07-09T10:05:59Z</DATATAKE_SENSING_START></Datatake></Product_Info>
<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE>
</QUANTIFICATION_VALUES_LIST><BOA_ADD_OFFSET_VALUES_LIST>{"".join(
    f'<BOA_ADD_OFFSET band_id="{i}">-1000</BOA_ADD_OFFSET>' for i in range(13))}
</BOA_ADD_OFFSET_VALUES_LIST></General_Info></Level-2A_User_Product>"""


def write_safe(safe: Path, rows: int, cols: int, parts: Sequence[NDArray[np.uint16]]) -> Path:
    """Write a SAFE product of repeated parts: lossless JPEG 2000, bands of 10 and of 20 m."""
    images = safe / "GRANULE" / "L2A_T33UWS_A033109_20230709T100606" / "IMG_DATA"
    halved = [p.reshape(len(p), p.shape[1] // 2, 2, -1, 2).mean((2, 4)).astype(np.uint16)
              for p in parts]
    for band, name in enumerate(BANDS):
        pixel, of = (10, parts) if name in BANDS_10M else (20, halved)
        file = images / f"R{pixel}m" / f"T33UWS_20230709T100559_{name}_{pixel}m.jp2"
        file.parent.mkdir(parents=True, exist_ok=True)
        size = rows * 10 // pixel, cols * 10 // pixel
        with rasterio.open(file, "w", **profile(*size, 1, pixel, driver="JP2OpenJPEG", QUALITY=100,
                                                REVERSIBLE="YES", YCBCR420="NO")) as out:
            out.write(laid(band, of, *size), 1)
    (safe / "MTD_MSIL2A.xml").write_text(METADATA)
    return safe


def write_same(path: Path, safe: Path) -> Path:
    """Write what is read from a scene in another form as a GeoTIFF."""
    with open_scene(safe) as scene:
        rows, cols = scene.shape
        with rasterio.open(path, "w", **profile(rows, cols, len(BANDS), **TILED)) as file:
            file.descriptions = BANDS
            for top in range(0, rows, 512):
                window = rasterio.windows.Window(0, top, cols, min(512, rows - top))
                file.write(scene.read(window), window=window)
    return path
