"""Rasters to hand out: Cloud-Optimised GeoTIFFs, written part by part, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.windows import Window

from lulc_lib import legend
from lulc_lib.data import raster_style
from lulc_lib.io import replace, unfinished, writing

BLOCK = 512
"""Pixels, edge of the blocks a file is stored in."""

SUFFIXES = (".tif", ".tiff")

SHARE_STEPS, SHARE_NO_DATA = 250, 255
"""A share from 0 to 1 is stored as a whole number from 0 to 250; 255 is none."""

INSIDE, HIGHEST, UNKNOWN = 100, 254, 255
"""A dissimilarity index is stored in hundredths of its threshold, rounded up: to 100 a pixel is
inside the area of applicability, from 101 outside; 254 stands for all that is higher, 255 is none.
"""

APPLICABILITY = "dissimilarity index / threshold"
"""Name of its band."""


class RasterWriter:
    """A uint8 GeoTIFF that appears under its name only when it is complete.

    Parts go to a temporary folder beside the file; :meth:`finish` makes the Cloud-Optimised GeoTIFF
    there, :meth:`publish` gives it its name, and leaving the ``with`` block removes the folder. All
    raise InputError where the disk is full or the file cannot be written.

    Parameters
    ----------
    path, shape, crs, transform : Path, tuple of int, CRS, Affine
        The file, replaced if there, and its grid.
    bands : sequence of str
        Names of the bands.
    nodata : int
        Value of a pixel without data.
    tags : mapping of str to str
        Metadata of the file.
    resampling : str
        Of the overviews, a GDAL name.
    scale : float, optional
        What one step of a value means; None for codes.
    colours : mapping of int to str, optional
        Value to #rrggbb for a file with a colour table.
    """

    def __init__(self, path: Path, shape: tuple[int, int], crs: rasterio.CRS,
                 transform: rasterio.Affine, bands: Sequence[str], nodata: int,
                 tags: Mapping[str, str], resampling: str = "NEAREST", scale: float | None = None,
                 colours: Mapping[int, str] | None = None) -> None:
        self.path, self.resampling, self.bands = Path(path), resampling, tuple(bands)
        self._extra: dict[Path, Path] = {}
        with ExitStack() as stack:
            stack.enter_context(writing(self.path))
            self._folder = stack.enter_context(unfinished(self.path))
            self._plain, self._whole = (self._folder / n for n in ("plain.tif", "whole.tif"))
            self._out = rasterio.open(
                self._plain, "w", driver="GTiff", dtype="uint8", count=len(self.bands),
                height=shape[0], width=shape[1], crs=crs, transform=transform, nodata=nodata,
                tiled=True, blockxsize=BLOCK, blockysize=BLOCK, compress="DEFLATE", zlevel=1,
                interleave="band", bigtiff="IF_SAFER")
            if colours is not None:
                self._out.write_colormap(
                    1, {v: tuple(bytes.fromhex(c[1:] + "ff")) for v, c in colours.items()})
            self._out.descriptions = self.bands
            if scale is not None:
                self._out.scales = (scale,) * len(self.bands)
            self._out.update_tags(**tags)
            self._stack = stack.pop_all()

    def __enter__(self) -> RasterWriter:
        """Return the writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the file and remove what was not published."""
        with self._stack, suppress(*(() if error is None else (Exception,))):
            self._out.close()

    def write(self, values: NDArray[np.uint8], window: Window) -> None:
        """Write a part, (band, row, col)."""
        with writing(self.path):
            self._out.write(values, window=window)

    def finish(self) -> None:
        """Make the file as it will be, with overviews, still under its temporary name."""
        with writing(self.path):
            self._out.close()
            rasterio.shutil.copy(
                self._plain, self._whole, driver="COG", compress="DEFLATE", blocksize=BLOCK,
                overview_resampling=self.resampling, bigtiff="IF_SAFER")

    def add(self, path: Path, text: str) -> None:
        """Add a small text file that is published together with the raster."""
        part = self._folder / path.name
        with writing(path):
            part.write_text(text, encoding="utf-8")
        self._extra[part] = path

    def publish(self) -> None:
        """Give the finished files their names."""
        for part, path in {**self._extra, self._whole: self.path}.items():
            with writing(path):
                replace(part, path, self._extra.values())


def class_map_writer(path: Path, shape: tuple[int, int], crs: rasterio.CRS,
                     transform: rasterio.Affine, tags: Mapping[str, str]) -> RasterWriter:
    """Return a writer of a class map: legend codes with colour table, names and QGIS style."""
    names = {f"class_{code}": name for code, name in legend.NAMES.items()}
    colours = {legend.NO_DATA: legend.NO_DATA_COLOUR, **legend.COLOURS}
    writer = RasterWriter(path, shape, crs, transform, ("class",), legend.NO_DATA,
                          {**names, **tags}, colours=colours)
    writer.add(path.with_suffix(".qml"), raster_style.class_style())
    writer.add(path.with_name(f"{path.name}.aux.xml"), raster_style.class_names())
    return writer


def shares_writer(path: Path, shape: tuple[int, int], crs: rasterio.CRS, transform: rasterio.Affine,
                  bands: Sequence[str], tags: Mapping[str, str]) -> RasterWriter:
    """Return a writer of shares 0–1, see :func:`shares`, and its QGIS style.

    The style shows the band that is named after the quarry class, else the first.
    """
    writer = RasterWriter(path, shape, crs, transform, bands, SHARE_NO_DATA, tags, "AVERAGE",
                          1 / SHARE_STEPS)
    quarry = legend.code("quarry")
    named = f"{quarry} {legend.NAMES[quarry]}"
    shown = bands.index(named) + 1 if named in bands else 1
    writer.add(path.with_suffix(".qml"), raster_style.share_style(shown))
    return writer


def applicability_writer(path: Path, shape: tuple[int, int], crs: rasterio.CRS,
                         transform: rasterio.Affine, threshold: float,
                         tags: Mapping[str, str]) -> RasterWriter:
    """Return a writer of a dissimilarity index, stored as :data:`INSIDE` says, and its QGIS style.

    The tags hold the threshold: value × scale × threshold is the index itself.
    """
    meaning = {
        "threshold": f"{threshold:.6g}",
        "value": f"dissimilarity index in hundredths of its threshold, rounded up; up to {INSIDE} "
                 f"inside the area of applicability, above it outside, {HIGHEST} or more",
    }
    writer = RasterWriter(path, shape, crs, transform, (APPLICABILITY,), UNKNOWN,
                          {**tags, **meaning}, "AVERAGE", 1 / INSIDE)
    writer.add(path.with_suffix(".qml"), raster_style.applicability_style())
    return writer


def raster_beside(class_map: Path, what: str) -> Path:
    """Return where what goes with a class map is, unless somebody said otherwise.

    >>> raster_beside(Path("maps/a_20230709.tif"), "applicability").name
    'a_20230709_applicability.tif'
    """
    return class_map.with_name(f"{class_map.stem}_{what}.tif")


def blocks_beside(class_map: Path) -> Path:
    """Return the folder of a map's blocks while it, and all that is made with it, is not whole.

    >>> blocks_beside(Path("maps/a_20230709.tif")).name
    '.a_20230709.tif.blocks'
    """
    return class_map.with_name(f".{class_map.name}.blocks")


def applicability_steps(ratio: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return a dissimilarity index ÷ threshold as it is stored; NaN becomes :data:`UNKNOWN`.

    >>> applicability_steps(np.array([0.0, 0.501, 1.0, 1.0001, 9.0, np.nan])).tolist()
    [0, 51, 100, 101, 254, 255]
    """
    steps = np.clip(np.ceil(ratio * INSIDE), 0, HIGHEST)
    return np.where(np.isnan(steps), UNKNOWN, steps).astype(np.uint8)


def shares(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return shares 0–1 as they are stored: steps of 1/250, :data:`SHARE_NO_DATA` for NaN.

    >>> shares(np.array([0.0, 0.5, 1.0, np.nan])).tolist()
    [0, 125, 250, 255]
    """
    steps = np.rint(np.clip(values, 0, 1) * SHARE_STEPS)
    return np.where(np.isnan(steps), SHARE_NO_DATA, steps).astype(np.uint8)
