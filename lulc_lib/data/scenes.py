"""Sentinel-2 scenes: the one reader of their digital numbers (DN), by window and as a whole."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import rasterio
import rioxarray  # noqa: F401  (gives DataArray its .rio accessor)
import xarray as xr
from numpy.typing import NDArray
from pyproj import Geod
from rasterio.warp import transform as to_crs
from rasterio.windows import Window

from lulc_lib.data import radiometry
from lulc_lib.data.bands import BANDS, BANDS_10M, WAVELENGTHS  # noqa: F401  (old home)
from lulc_lib.data.radiometry import QUANTIFICATION, Offset, scene_offset, to_reflectance
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file

PIXEL = 10.0
"""Metres on the ground: the pixel size of the study's scenes."""

PIXEL_TOLERANCE = 0.01
"""Share by which a pixel may differ from :data:`PIXEL`: map projections stretch less than this."""

BLOCK_PIXELS = 1 << 21
"""About the number of pixels read at a time when a scene is surveyed."""

SAMPLE_PIXELS = 1_000_000
"""About the number of pixels that decide on the radiometric offset; smaller scenes: all."""


class OffsetWarning(UserWarning):
    """A scene's declared and measured radiometric offsets disagree."""


class Survey(NamedTuple):
    """What one pass over a scene tells: its offset, and per band the pixels with data.

    ``total`` and ``squares`` are the sums of their reflectance and of its square.
    """

    offset: Offset
    count: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]


class SceneFile:
    """A GeoTIFF of Sentinel-2 L2A digital numbers, checked when opened and read in parts.

    Parameters
    ----------
    path : Path or str
        File with named bands, the study's ten in any order and among others.
    any_pixel : bool
        Accept another pixel size than 10 m.
    names : sequence of str, optional
        Names of the bands of a file that has none.

    Raises
    ------
    InputError
        Unreadable, missing band, no CRS, no whole numbers, a turned grid, or another pixel size.
    """

    def __init__(self, path: Path | str, any_pixel: bool = False,
                 names: Sequence[str] | None = None) -> None:
        self.path = existing_file(path)
        self.name, self.date = self.path.name, scene_date(self.path)
        try:
            self._source = rasterio.open(self.path)
        except (rasterio.errors.RasterioError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as a raster ({error})") from error
        try:
            self.named = any(band_key(d) for d in self._source.descriptions)
            described = self._source.descriptions if self.named or names is None else names
            if len(described) != self._source.count:
                raise InputError(f"{self.name}: has {self._source.count} bands, not "
                                 f"{len(described)}")
            self._indexes = find_bands(described, self.name)
            self._check(any_pixel)
            scales, offsets = self._source.scales, self._source.offsets
            scaled = radiometry.scaling_offset(
                [(scales[i - 1], offsets[i - 1]) for i in self._indexes], self.name)
            tagged = radiometry.declared_offset(self._source.tags())
            self.declared = tagged if scaled is None else scaled
        except BaseException:
            self._source.close()
            raise
        self.shape: tuple[int, int] = self._source.shape
        self.crs, self.transform = self._source.crs, self._source.transform

    def __enter__(self) -> SceneFile:
        """Return the scene itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the file."""
        self._source.close()

    def _check(self, any_pixel: bool) -> None:
        source = self._source
        if source.crs is None:
            raise InputError(f"{self.name}: the file has no CRS; a scene must be georeferenced")
        kinds = {source.dtypes[i - 1] for i in self._indexes}
        if any(np.dtype(k).kind not in "iu" for k in kinds):
            raise InputError(f"{self.name}: pixels are {', '.join(sorted(kinds))}; digital numbers "
                             "(integers) are needed")
        t = source.transform
        if t.b or t.d or not t.a or not t.e:
            raise InputError(
                f"{self.name}: its grid is turned (not north up); warp it to its UTM zone")
        if any_pixel:
            return
        across, down = _ground_size(source.crs, t, source.shape, self.name)
        if max(abs(across / PIXEL - 1), abs(down / PIXEL - 1)) > PIXEL_TOLERANCE:
            raise InputError(
                f"{self.name}: pixels are {across:.4g} × {down:.4g} m on the ground; they must be "
                f"{PIXEL:g} m (within {PIXEL_TOLERANCE:.0%}), the size that the network has "
                "learned: resample the scene, 20 m bands too, to 10 m in its UTM zone")

    def read(self, window: Window | None = None) -> NDArray[np.uint16]:
        """Return (band, row, col) uint16 DN of the study's bands in a window; 0 is no data."""
        try:
            dn = self._source.read(self._indexes, window=window)
        except (rasterio.errors.RasterioError, OSError) as error:
            raise InputError(f"{self.name}: its pixels cannot be read; the file is damaged or "
                             "truncated") from error
        for band, index in zip(dn, self._indexes, strict=True):
            nodata = self._source.nodatavals[index - 1]
            if nodata:  # neither None nor 0
                band[band == nodata] = 0
        return dn if dn.dtype == np.uint16 else dn.clip(0, 65_535).astype(np.uint16)

    def survey(self, offset: int | None = None,
               advance: Callable[[int], object] = lambda pixels: None) -> Survey:
        """Return the radiometric offset and sums of reflectance, in one pass over the file.

        ``offset`` as in :func:`read_scene`; ``advance`` is called with the pixels of every block
        read.
        """
        radiometry.check_offset(offset)
        step = max(math.isqrt(self.shape[0] * self.shape[1] // SAMPLE_PIXELS), 1)
        sample: list[NDArray[np.uint16]] = []
        count, total, squares = (np.zeros(len(BANDS)) for _ in range(3))
        stored = self._source.block_shapes[self._indexes[0] - 1]
        for window in windows(self.shape, stored, BLOCK_PIXELS):
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
        chosen = scene_offset(self.declared, pixels, offset, self.name)
        shift = float(chosen.used)
        return Survey(
            chosen, count, (total - shift * count) / QUANTIFICATION,
            (squares - 2 * shift * total + shift**2 * count) / QUANTIFICATION**2)


def read_scene(path: Path | str, offset: int | None = None) -> xr.DataArray:
    """Read a whole scene as surface reflectance.

    Parameters
    ----------
    path : Path or str
        See :class:`SceneFile`; pixels of any size.
    offset : int or None, DN
        What to subtract; None decides from the file's metadata and its pixels.

    Returns
    -------
    DataArray, shape (band, y, x), float32
        Reflectance 0–1 (a little outside is possible), NaN where a band's DN is 0 (no data), with
        CRS; attributes ``name``, ``date``, ``offset``, ``offset_declared``, ``offset_measured``
        (DN, None if unknown), ``offset_source``.

    Raises
    ------
    InputError
        The file cannot be used, or nobody can tell its offset.

    Warns
    -----
    OffsetWarning
        Declared and measured offset disagree; the measured one is used.
    """
    with SceneFile(path, any_pixel=True) as source:
        return scene_of(source, source.read(), offset)


def scene_of(source: SceneFile, dn: NDArray[np.uint16], offset: int | None = None) -> xr.DataArray:
    """Return the scene of digital numbers (band, row, col) read from a file: :func:`read_scene`."""
    pixels = dict(zip(BANDS, dn, strict=True))
    chosen = scene_offset(source.declared, pixels, offset, source.name)
    if chosen.source == "pixels against metadata":
        warnings.warn(
            f"{source.name}: the file declares an offset of {chosen.declared} DN but its pixels "
            f"show {chosen.measured} DN; {chosen.used} DN is used", OffsetWarning, stacklevel=3)
    scene = xr.DataArray(
        to_reflectance(dn, chosen.used), dims=("band", "y", "x"), name="reflectance",
        coords={"band": list(BANDS), **pixel_centres(source.transform, source.shape)},
        attrs={"name": source.path.stem, "date": source.date, "units": "1",
               "offset": chosen.used, "offset_declared": chosen.declared,
               "offset_measured": chosen.measured, "offset_source": chosen.source})
    return scene.rio.write_crs(source.crs).rio.write_transform(source.transform)


def windows(shape: tuple[int, int], stored: tuple[int, int], pixels: int) -> Iterator[Window]:
    """Yield windows that cover a (row, col) raster once, of about so many pixels each.

    They follow the blocks in which the file is stored, unless such a block is very large.
    """
    (rows, cols), (high, wide) = shape, stored
    width = min(cols, max(-(-16_384 // wide), 1) * wide)
    height = min(max(pixels // width // high, 1) * high, max(4 * pixels // width, 1))
    for top in range(0, rows, height):
        for left in range(0, cols, width):
            yield Window(left, top, min(width, cols - left), min(height, rows - top))


def band_key(description: str | None) -> str:
    """Return a band's name in the form B02 … B8A from any common spelling.

    >>> [band_key(n) for n in ("B2", "b8a", "B02_10m", "sur_refl_B11")]
    ['B02', 'B8A', 'B02', 'B11']
    """
    match = re.search(r"(?<![A-Z0-9])B(0?[1-9]|1[0-2]|8A)(?![0-9A-Z])",
                      (description or "").upper().replace("_", " "))
    return f"B{match.group(1):0>2}" if match else ""


def find_bands(descriptions: Sequence[str | None], name: str) -> list[int]:
    """Return 1-based indexes of the ten bands, or InputError: one is missing or there twice."""
    keys = [band_key(d) for d in descriptions]
    missing = [b for b in BANDS if b not in keys]
    if missing:
        raise InputError(
            f"{name}: band {', '.join(missing)} not found; the file names its bands "
            f"{[d or 'unnamed' for d in descriptions]}, and all of {', '.join(BANDS)} are needed")
    twice = [b for b in BANDS if keys.count(b) > 1]
    if twice:
        raise InputError(f"{name}: band {', '.join(twice)} is there more than once")
    return [keys.index(b) + 1 for b in BANDS]


def scene_date(path: Path | str) -> str:
    """Return the acquisition date YYYY-MM-DD from YYYYMMDD in a file's name; '' if there is none.

    >>> scene_date("strzegom_20230709_33u.tif")
    '2023-07-09'
    """
    match = re.search(r"(?<!\d)(20\d\d)(0[1-9]|1[0-2])([0-3]\d)(?!\d)", Path(path).name)
    return "-".join(match.groups()) if match else ""


def pixel_centres(transform: rasterio.Affine, shape: tuple[int, int]
                  ) -> dict[str, NDArray[np.float64]]:
    """Return ``y`` and ``x`` of the pixels' centres of a north-up grid of (row, col) shape."""
    rows, cols = shape
    return {"y": transform.f + transform.e * (np.arange(rows) + 0.5),
            "x": transform.c + transform.a * (np.arange(cols) + 0.5)}


def valid_mask(scene: xr.DataArray) -> xr.DataArray:
    """Return (y, x) bool: True where all bands of the scene hold data."""
    return np.isfinite(scene).all("band").drop_vars("band", errors="ignore")


def filled(scene: xr.DataArray) -> NDArray[np.float32]:
    """Return (band, row, col) float32 in which each gap has the nearest pixel's value of its band.

    Raises
    ------
    InputError
        A band holds no data at all.
    """
    out = scene.values.copy()
    for name, band in zip(scene.band.values, out, strict=True):
        if not fill_band(band):
            raise InputError(
                f"{scene.attrs.get('name', 'scene')}: band {name} holds no data at all")
    return out


def fill_band(band: NDArray[np.float32]) -> bool:
    """Give each NaN of a (row, col) array the nearest value, in place; False if it has none."""
    from scipy.ndimage import distance_transform_edt

    gaps = ~np.isfinite(band)
    if gaps.all():
        return False
    if gaps.any():
        rows, cols = distance_transform_edt(gaps, return_distances=False, return_indices=True)
        band[...] = band[rows, cols]
    return True


def _ground_size(crs: rasterio.CRS, transform: rasterio.Affine, shape: tuple[int, int], name: str
                 ) -> tuple[float, float]:
    """Width and height of a pixel at the middle of a scene, in metres on the ground."""
    row, col = shape[0] / 2, shape[1] / 2
    x, y = transform.c + transform.a * col, transform.f + transform.e * row
    try:
        lon, lat = to_crs(crs, "EPSG:4326", [x, x + transform.a, x], [y, y, y + transform.e])
    except (rasterio.errors.RasterioError, ValueError) as error:
        raise InputError(f"{name}: its CRS cannot be placed on the Earth ({error})") from error
    if not np.isfinite([lon, lat]).all() or np.abs(lat).max() > 90:
        raise InputError(f"{name}: its coordinates lie outside its CRS; latitudes must be between "
                         f"-90 and 90, it has {max(lat, key=abs):.4g}")
    _, _, (across, down) = Geod(ellps="WGS84").inv([lon[0]] * 2, [lat[0]] * 2, lon[1:], lat[1:])
    return across, down
