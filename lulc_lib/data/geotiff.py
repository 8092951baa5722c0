"""Rasters to hand out: Cloud-Optimised GeoTIFFs, written part by part, whole or not at all."""

from __future__ import annotations

import os
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.windows import Window

from lulc_lib import legend

BLOCK = 512
"""Pixels, edge of the blocks a file is stored in."""

SUFFIXES = (".tif", ".tiff")

SHARE_STEPS, SHARE_NO_DATA = 250, 255
"""A share from 0 to 1 is stored as a whole number from 0 to 250; 255 is none."""


class RasterWriter:
    """A uint8 GeoTIFF that appears under its name only when it is complete.

    Parts go to a temporary folder beside the file; :meth:`finish` makes the Cloud-Optimised GeoTIFF
    there, :meth:`publish` gives it its name, and leaving the ``with`` block removes the folder.

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
        self._folder = tempfile.TemporaryDirectory(
            dir=self.path.parent, prefix=f".{self.path.stem}.")
        self._plain, self._whole = (Path(self._folder.name) / n for n in ("plain.tif", "whole.tif"))
        try:
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
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> RasterWriter:
        """Return the writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the file and remove what was not published."""
        try:
            self._out.close()
        finally:
            self._folder.cleanup()

    def write(self, values: NDArray[np.uint8], window: Window) -> None:
        """Write a part, (band, row, col)."""
        self._out.write(values, window=window)

    def finish(self) -> None:
        """Make the file as it will be, with overviews, still under its temporary name."""
        self._out.close()
        rasterio.shutil.copy(
            self._plain, self._whole, driver="COG", compress="DEFLATE", blocksize=BLOCK,
            overview_resampling=self.resampling, bigtiff="IF_SAFER")

    def add(self, path: Path, text: str) -> None:
        """Add a small text file that is published together with the raster."""
        part = Path(self._folder.name) / path.name
        part.write_text(text, encoding="utf-8")
        self._extra[part] = path

    def publish(self) -> None:
        """Give the finished files their names."""
        for part, path in {**self._extra, self._whole: self.path}.items():
            os.replace(part, path)


def class_map_writer(path: Path, shape: tuple[int, int], crs: rasterio.CRS,
                     transform: rasterio.Affine, tags: Mapping[str, str]) -> RasterWriter:
    """Return a writer of a class map: legend codes with colour table, and its QGIS style."""
    names = {f"class_{code}": name for code, name in legend.NAMES.items()}
    colours = {legend.NO_DATA: legend.NO_DATA_COLOUR, **legend.COLOURS}
    writer = RasterWriter(path, shape, crs, transform, ("class",), legend.NO_DATA,
                          {**names, **tags}, colours=colours)
    writer.add(path.with_suffix(".qml"), qgis_style())
    return writer


def shares(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return shares 0–1 as they are stored: steps of 1/250, :data:`SHARE_NO_DATA` for NaN.

    >>> shares(np.array([0.0, 0.5, 1.0, np.nan])).tolist()
    [0, 125, 250, 255]
    """
    steps = np.rint(np.clip(values, 0, 1) * SHARE_STEPS)
    return np.where(np.isnan(steps), SHARE_NO_DATA, steps).astype(np.uint8)


def qgis_style() -> str:
    """Return a QGIS layer style (.qml): the legend's codes with their names and colours."""
    root = ET.Element("qgis", version="3.34", styleCategories="Symbology")
    pipe = ET.SubElement(root, "pipe")
    renderer = ET.SubElement(pipe, "rasterrenderer", type="paletted", band="1", opacity="1",
                             alphaBand="-1", nodataColor="")
    ET.SubElement(renderer, "rasterTransparency")
    palette = ET.SubElement(renderer, "colorPalette")
    for code, name in legend.NAMES.items():
        ET.SubElement(palette, "paletteEntry", value=str(code), label=f"{code} {name}",
                      color=legend.COLOURS[code], alpha="255")
    ET.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ET.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ET.SubElement(root, "blendMode").text = "0"
    ET.indent(root)
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return head + ET.tostring(root, encoding="unicode") + "\n"
