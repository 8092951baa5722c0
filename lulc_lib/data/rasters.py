"""Layers of a product: one band each, in a raster that GDAL opens or in an xarray data set."""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import rasterio
import rasterio.errors
import rioxarray  # noqa: F401  (gives DataArray its .rio accessor)
import xarray as xr
from numpy.typing import NDArray
from rasterio.windows import Window

from lulc_lib.data.bands import band_key
from lulc_lib.data.grids import Grid
from lulc_lib.data.radiometry import QUANTIFICATION
from lulc_lib.errors import InputError

OVER_HTTP = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_TIMEOUT": "30", "GDAL_HTTP_MAX_RETRY": "4", "GDAL_HTTP_RETRY_DELAY": "1"}
"""How GDAL asks a server, unless told otherwise: for no files beside one, and not for ever."""


class Raster:
    """A raster file, opened by GDAL anew in every thread and process that reads it.

    Parameters
    ----------
    path : str
        A path, or whatever else GDAL opens: /vsizip/…, https://….

    Raises
    ------
    InputError
        It cannot be read, or has no CRS.
    """

    def __init__(self, path: str) -> None:
        self.path, self.name = str(path), PurePosixPath(str(path).partition("?")[0]).name
        self._open = threading.local()
        source = self.dataset()
        if source.crs is None:
            self.close()
            raise InputError(f"{self.name}: the file has no CRS; a scene must be georeferenced")
        self.grid = Grid(source.crs, source.transform, source.shape)
        self.block: tuple[int, int] = source.block_shapes[0]
        self.slow = source.driver != "GTiff" or self.path.startswith(("http://", "https://"))

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind: another process opens its own."""
        return {k: v for k, v in self.__dict__.items() if k != "_open"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take over what was sent."""
        self.__dict__.update(state, _open=threading.local())

    def dataset(self) -> rasterio.DatasetReader:
        """Return the file, open in this thread."""
        if not hasattr(self._open, "file"):
            try:
                with self._patience():
                    self._open.file = rasterio.open(self.path)
            except (rasterio.errors.RasterioError, UnicodeDecodeError) as error:
                raise InputError(f"{self.name}: cannot be read as a raster ({error})") from error
        return self._open.file

    def _patience(self) -> AbstractContextManager[object]:
        if not self.path.startswith(("http://", "https://")):
            return nullcontext()
        told = rasterio.env.getenv() if rasterio.env.hasenv() else {}
        return rasterio.Env(**(OVER_HTTP | told))

    def read(self, keys: Sequence[int], window: Window) -> NDArray[np.generic]:
        """Return (band, row, col) values of some bands in a window."""
        try:
            with self._patience():
                return self.dataset().read(list(keys), window=window)
        except (rasterio.errors.RasterioError, OSError) as error:
            raise InputError(f"{self.name}: its pixels cannot be read; the file is damaged or "
                             "truncated") from error

    def close(self) -> None:
        """Close the file in this thread."""
        if hasattr(self._open, "file"):
            self._open.file.close()
            del self._open.file

    def layers(self) -> list[Layer]:
        """Return all bands of the file."""
        source, names = self.dataset(), list(self.dataset().descriptions)
        if not any(map(band_key, names)):
            names = [_name_in_tags(source.tags(i)) for i in source.indexes]
        if not any(map(band_key, names)) and source.driver == "VRT":
            names = _names_in_vrt(source)
        scaling = map(_scaling, map(source.tags, source.indexes), source.scales, source.offsets)
        return [Layer(name or "", self, i, np.dtype(dtype), nodata, *scaled)
                for name, i, dtype, nodata, scaled in zip(
                    names, source.indexes, source.dtypes, source.nodatavals, scaling, strict=True)]


class Cube:
    """Variables of an xarray data set on one grid; pixels are read when they are asked for."""

    def __init__(self, name: str, grid: Grid) -> None:
        self.name, self.grid, self.block, self.slow = name, grid, (512, 512), True
        self.variables: dict[str, xr.DataArray] = {}

    def add(self, key: str, name: str, values: xr.DataArray) -> Layer:
        """Return a layer of (y, x) values as they are stored."""
        self.variables[key] = values
        chunks = values.encoding.get("chunksizes") or values.encoding.get("preferred_chunks")
        if isinstance(chunks, Mapping):
            chunks = tuple(chunks.get(d, 0) for d in values.dims)
        if chunks and all(chunks[-2:]):
            self.block = tuple(chunks[-2:])
        told = values.attrs
        nodata = told.get("_FillValue", told.get("nodata", values.encoding.get("_FillValue")))
        return Layer(name, self, key, values.dtype, None if nodata is None else float(nodata),
                     float(told.get("scale_factor", 1.0)), float(told.get("add_offset", 0.0)))

    def read(self, keys: Sequence[str], window: Window) -> NDArray[np.generic]:
        """Return (band, row, col) values of some variables in a window."""
        rows, cols = window.toslices()
        try:
            return np.stack([self.variables[key][rows, cols].values for key in keys])
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"{self.name}: its pixels cannot be read; the file is damaged or "
                             f"truncated ({error})") from error

    def close(self) -> None:
        """Close the files."""
        for values in self.variables.values():
            values.close()


@dataclass(frozen=True)
class Layer:
    """One band as it is stored: its name there, where it is, and how its values are meant."""

    name: str
    source: Raster | Cube
    key: int | str
    dtype: np.dtype
    nodata: float | None
    scale: float
    offset: float

    @property
    def band(self) -> str:
        """B02 … B8A, SCL, or '' if the name says neither."""
        return band_key(self.name)


def _scaling(tags: Mapping[str, str], scale: float, offset: float) -> tuple[float, float]:
    """Return a band's scale and offset, also as GDAL's SENTINEL2 driver tells them.

    >>> _scaling({"BOA_ADD_OFFSET": "-1000"}, 1.0, 0.0)
    (0.0001, -0.1)
    """
    if (scale, offset) == (1.0, 0.0) and "BOA_ADD_OFFSET" in tags:
        return 1 / QUANTIFICATION, float(tags["BOA_ADD_OFFSET"]) / QUANTIFICATION
    return scale, offset


def _name_in_tags(tags: Mapping[str, str]) -> str:
    """Return a band's name from its metadata, where programs write it that cannot describe bands.

    >>> _name_in_tags({"long_name": "B02", "units": "1"})
    'B02'
    """
    lower = {key.lower(): value for key, value in tags.items()}
    keys = ("long_name", "name", "bandname", "band_name", "common_name", "netcdf_varname")
    return next((lower[k] for k in keys if band_key(lower.get(k))), "")


def _names_in_vrt(source: rasterio.DatasetReader) -> list[str]:
    """Return the bands' names in the names of the files that a VRT puts together."""
    root = ET.fromstring(source.tags(ns="xml:VRT").get("xml:VRT", "<VRTDataset/>"))
    return [PurePosixPath(band.findtext(".//SourceFilename", "").replace("\\", "/")).name
            for band in root.findall("VRTRasterBand")] or [""] * source.count
