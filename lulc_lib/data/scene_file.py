"""A scene that stays on disk: checked when opened, read in parts, surveyed block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.warp import transform as to_crs
from rasterio.windows import Window

from lulc_lib.data.radiometry import (
    BASELINE_OFFSET,
    QUANTIFICATION,
    Offset,
    scene_offset,
)
from lulc_lib.data.scenes import BANDS, find_bands, scene_date
from lulc_lib.errors import InputError

PIXEL = 10.0
"""Metres on the ground: the pixel size of the study's scenes."""

PIXEL_TOLERANCE = 0.01
"""Share by which a pixel may differ from :data:`PIXEL`: map projections stretch less than this."""

EARTH = 6_378_137.0, 0.006_694_38
"""Radius at the equator in metres, and squared eccentricity (WGS 84)."""

BLOCK_PIXELS = 1 << 21
"""About the number of pixels read at a time when a scene is surveyed."""

SAMPLE_PIXELS = 1_000_000
"""About the number of pixels that decide on the radiometric offset; smaller scenes: all."""


class Survey(NamedTuple):
    """What one pass over a scene tells.

    Attributes
    ----------
    offset : radiometric offset, and where it comes from.
    count : (band,) pixels with data.
    total, squares : (band,) sums of reflectance and of its square over them.
    """

    offset: Offset
    count: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]


class SceneFile:
    """A GeoTIFF of Sentinel-2 L2A digital numbers, opened for reading in parts.

    Parameters
    ----------
    path : file with named bands, the study's ten in any order and among others; 10 m pixels.

    Raises
    ------
    InputError
        No such file, unreadable, missing band, no CRS, pixels that are no digital numbers, a
        turned grid, or another pixel size than 10 m.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.name, self.date = self.path.name, scene_date(self.path)
        if self.path.is_dir():
            raise InputError(f"{path}: is a folder; a scene is a GeoTIFF file")
        if not self.path.exists():
            raise InputError(f"{path}: no such file")
        try:
            self._source = rasterio.open(self.path)
        except (rasterio.errors.RasterioError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as a raster ({error})") from error
        try:
            self._indexes = find_bands(self._source.descriptions, self.name)
            self._check()
        except BaseException:
            self._source.close()
            raise
        self.shape: tuple[int, int] = self._source.shape
        self.crs, self.transform = self._source.crs, self._source.transform

    def __enter__(self) -> SceneFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._source.close()

    def _check(self) -> None:
        source = self._source
        if source.crs is None:
            raise InputError(f"{self.name}: the file has no CRS; a scene must be georeferenced")
        kinds = {source.dtypes[i - 1] for i in self._indexes}
        if any(np.dtype(k).kind not in "iu" for k in kinds):
            raise InputError(f"{self.name}: pixels are {', '.join(sorted(kinds))}; digital numbers "
                             "(integers) are needed")
        across, down = ground_size(source.crs, source.transform, source.shape, self.name)
        if max(abs(across / PIXEL - 1), abs(down / PIXEL - 1)) > PIXEL_TOLERANCE:
            raise InputError(
                f"{self.name}: pixels are {across:.4g} × {down:.4g} m on the ground; they must be "
                f"{PIXEL:g} m (within {PIXEL_TOLERANCE:.0%}), the size that the network has "
                "learned: resample the scene, 20 m bands too, to 10 m in its UTM zone")

    def read(self, window: Window) -> NDArray[np.uint16]:
        """(band, row, col) uint16 DN of the study's bands in a window; 0 is no data.

        Raises
        ------
        InputError
            The file is damaged or truncated.
        """
        try:
            dn = self._source.read(self._indexes, window=window)
        except (rasterio.errors.RasterioError, OSError) as error:
            raise InputError(f"{self.name}: its pixels cannot be read; the file is damaged or "
                             "truncated") from error
        for band, index in zip(dn, self._indexes, strict=True):
            nodata = self._source.nodatavals[index - 1]
            if nodata:  # neither None nor 0
                band[band == nodata] = 0
        if dn.dtype == np.uint16:
            return dn
        return dn.clip(0, np.iinfo(np.uint16).max).astype(np.uint16)

    def blocks(self) -> Iterator[Window]:
        """Windows that cover the scene once, as the file is stored, few pixels at a time."""
        rows, cols = self.shape
        high, wide = self._source.block_shapes[self._indexes[0] - 1]
        width = min(cols, max(-(-16_384 // wide), 1) * wide)
        height = max(BLOCK_PIXELS // width // high, 1) * high
        for top in range(0, rows, height):
            for left in range(0, cols, width):
                yield Window(left, top, min(width, cols - left), min(height, rows - top))

    def survey(
        self, offset: int | None = None, advance: Callable[[int], object] = lambda pixels: None
    ) -> Survey:
        """Radiometric offset and sums of reflectance, in one pass over the file.

        Parameters
        ----------
        offset : DN to subtract; None decides from metadata and pixels.
        advance : called with the number of pixels read, after every block.

        Raises
        ------
        InputError
            Damaged file, a band without any data, an offset that nobody can tell, or one that is
            not sensible.
        """
        check_offset(offset)
        step = max(math.isqrt(self.shape[0] * self.shape[1] // SAMPLE_PIXELS), 1)
        sample: list[NDArray[np.uint16]] = []
        count, total, squares = (np.zeros(len(BANDS)) for _ in range(3))
        for window in self.blocks():
            dn = self.read(window)
            first = -window.row_off % step, -window.col_off % step
            sample.append(dn[:, first[0]::step, first[1]::step].reshape(len(BANDS), -1))
            for k, band in enumerate(dn):
                values = band.astype(np.float64).ravel()
                count[k] += np.count_nonzero(band)
                total[k] += values.sum()
                squares[k] += values @ values
            advance(window.width * window.height)
        if not count.all():
            empty = ", ".join(np.asarray(BANDS)[count == 0])
            raise InputError(f"{self.name}: band {empty} holds no data at all (DN 0 everywhere)")
        pixels = dict(zip(BANDS, np.concatenate(sample, axis=1), strict=True))
        found = scene_offset(self._source.tags(), pixels, offset, self.name)
        shift = float(found.used)
        return Survey(
            found, count, (total - shift * count) / QUANTIFICATION,
            (squares - 2 * shift * total + shift**2 * count) / QUANTIFICATION**2)


def check_offset(offset: int | None) -> None:
    """Raise InputError unless the offset can be one: DN to subtract, or None."""
    if offset is not None and not 0 <= offset < QUANTIFICATION:
        raise InputError(f"offset is {offset}; it is the number of DN to subtract: 0, or "
                         f"{BASELINE_OFFSET} since processing baseline 04.00")


def ground_size(
    crs: rasterio.CRS, transform: rasterio.Affine, shape: tuple[int, int], name: str
) -> tuple[float, float]:
    """Width and height of a pixel at the middle of a scene, in metres on the ground.

    Raises
    ------
    InputError
        The grid is turned, or its CRS has no place on the Earth.
    """
    if transform.b or transform.d or not transform.a or not transform.e:
        raise InputError(f"{name}: its grid is turned (not north up); warp it to its UTM zone")
    row, col = shape[0] / 2, shape[1] / 2
    x, y = transform.c + transform.a * col, transform.f + transform.e * row
    try:
        lon, lat = (np.radians(v) for v in to_crs(
            crs, "EPSG:4326", [x, x + transform.a, x], [y, y, y + transform.e]))
    except (rasterio.errors.RasterioError, ValueError) as error:
        raise InputError(f"{name}: its CRS cannot be placed on the Earth ({error})") from error
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise InputError(f"{name}: its coordinates lie outside its CRS")
    radius, eccentricity = EARTH
    bulge = 1 - eccentricity * np.sin(lat[0]) ** 2
    east = (lon - lon[0]) * np.cos(lat[0]) * radius / np.sqrt(bulge)
    north = (lat - lat[0]) * radius * (1 - eccentricity) / bulge**1.5
    across, down = np.hypot(east, north)[1:].tolist()
    return across, down
