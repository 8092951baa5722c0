"""Sentinel-2 scenes: a GeoTIFF of digital numbers to reflectance with named bands."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
import rioxarray  # noqa: F401  (gives DataArray its .rio accessor)
import xarray as xr
from numpy.typing import NDArray

from lulc_lib.data.radiometry import (
    QUANTIFICATION,
    Offset,
    scene_offset,
)
from lulc_lib.errors import InputError

BANDS: tuple[str, ...] = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""The study's ten bands, in the order of the network's input. 20 m bands lie on the 10 m grid."""

BANDS_10M: tuple[str, ...] = ("B02", "B03", "B04", "B08")
WAVELENGTHS: dict[str, float] = dict(
    zip(BANDS, (492.4, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 1613.7, 2202.4),
        strict=True)
)
"""Central wavelength of Sentinel-2A's bands in nanometres (Sentinel-2 MSI technical guide)."""


class OffsetWarning(UserWarning):
    """A scene's declared and measured radiometric offsets disagree."""


def band_key(description: str | None) -> str:
    """A band's name in the form B02 … B8A from any common spelling.

    >>> [band_key(n) for n in ("B2", "b8a", "B02_10m", "sur_refl_B11")]
    ['B02', 'B8A', 'B02', 'B11']
    """
    match = re.search(r"(?<![A-Z0-9])B(0?[1-9]|1[0-2]|8A)(?![0-9A-Z])",
                      (description or "").upper().replace("_", " "))
    if match is None:
        return ""
    name = match.group(1)
    return f"B{name}" if name == "8A" else f"B{int(name):02d}"


def find_bands(descriptions: Sequence[str | None], name: str) -> list[int]:
    """1-based indexes of the study's ten bands among a file's band descriptions.

    Raises
    ------
    InputError
        A band is missing or there twice.
    """
    keys = [band_key(d) for d in descriptions]
    missing = [b for b in BANDS if b not in keys]
    if missing:
        raise InputError(
            f"{name}: band {', '.join(missing)} not found; the file names its bands "
            f"{[d or 'unnamed' for d in descriptions]}, and all of {', '.join(BANDS)} are needed"
        )
    twice = [b for b in BANDS if keys.count(b) > 1]
    if twice:
        raise InputError(f"{name}: band {', '.join(twice)} is there more than once")
    return [keys.index(b) + 1 for b in BANDS]


def scene_date(path: Path | str) -> str:
    """Acquisition date YYYY-MM-DD from YYYYMMDD in a file's name; '' if there is none.

    >>> scene_date("strzegom_20230709_33u.tif")
    '2023-07-09'
    """
    match = re.search(r"(?<!\d)(20\d\d)(0[1-9]|1[0-2])([0-3]\d)(?!\d)", Path(path).name)
    return "-".join(match.groups()) if match else ""


def read_scene(path: Path | str, offset: int | None = None) -> xr.DataArray:
    """One scene as surface reflectance.

    Parameters
    ----------
    path : GeoTIFF of Sentinel-2 L2A digital numbers with named bands, in any order, among others.
    offset : DN to subtract; None (the default) decides from the file's metadata and its pixels.

    Returns
    -------
    (band, y, x) float32, reflectance 0–1 (a little outside is possible), NaN where DN is 0 (no
    data: the strips at the edges, per band), with CRS; attributes ``name``, ``date``,
    ``offset``, ``offset_declared``, ``offset_measured`` (DN, None if unknown), ``offset_source``.

    Raises
    ------
    InputError
        Unreadable or truncated file, missing band, no CRS, or an offset nobody can tell.

    Warns
    -----
    OffsetWarning
        Declared and measured offset disagree; the measured one is used.
    """
    path = Path(path)
    dn, transform, crs, tags = _read_dn(path)
    found = _offset_of(dn, tags, offset, path.name)
    values = (dn.astype(np.float32) - found.used) / np.float32(QUANTIFICATION)
    values[dn == 0] = np.nan
    scene = xr.DataArray(
        values,
        dims=("band", "y", "x"),
        coords={"band": list(BANDS), **pixel_centres(transform, values.shape[1:])},
        name="reflectance",
        attrs={
            "name": path.stem, "date": scene_date(path), "units": "1",
            "offset": found.used, "offset_declared": found.declared,
            "offset_measured": found.measured, "offset_source": found.source,
        },
    )
    return scene.rio.write_crs(crs).rio.write_transform(transform)


def pixel_centres(
    transform: rasterio.Affine, shape: tuple[int, int]
) -> dict[str, NDArray[np.float64]]:
    """Coordinates ``y`` and ``x`` of the pixels' centres of a north-up grid of (row, col) shape."""
    rows, cols = shape
    return {"y": transform.f + transform.e * (np.arange(rows) + 0.5),
            "x": transform.c + transform.a * (np.arange(cols) + 0.5)}


def _read_dn(path: Path) -> tuple[NDArray[np.uint16], rasterio.Affine, object, dict[str, str]]:
    """(band, row, col) uint16 DN of the ten bands, with transform, CRS and tags."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        with rasterio.open(path) as src:
            indexes = find_bands(src.descriptions, path.name)
            if src.crs is None:
                raise InputError(f"{path.name}: the file has no CRS; a scene must be georeferenced")
            if not np.issubdtype(np.dtype(src.dtypes[0]), np.integer):
                raise InputError(
                    f"{path.name}: pixels are {src.dtypes[0]}; digital numbers must be integers"
                )
            return src.read(indexes), src.transform, src.crs, src.tags()
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: cannot be read as a raster ({error})") from error


def _offset_of(
    dn: NDArray[np.uint16], tags: dict[str, str], offset: int | None, name: str
) -> Offset:
    found = scene_offset(tags, dict(zip(BANDS, dn, strict=True)), offset, name)
    if found.source == "pixels against metadata":
        warnings.warn(
            f"{name}: the file declares an offset of {found.declared} DN but its pixels show "
            f"{found.measured} DN; {found.used} DN is used",
            OffsetWarning, stacklevel=3,
        )
    return found


def valid_mask(scene: xr.DataArray) -> xr.DataArray:
    """(y, x) bool: True where all bands of the scene hold data."""
    return np.isfinite(scene).all("band").drop_vars("band", errors="ignore")


def filled(scene: xr.DataArray) -> NDArray[np.float32]:
    """(band, row, col) float32 without gaps: a missing value takes the nearest pixel's of its band.

    The strips at the scenes' edges are one or two pixels wide, so this repeats the edge.

    Raises
    ------
    InputError
        A band holds no data at all.
    """
    out = scene.values.copy()
    for name, band in zip(scene.band.values, out, strict=True):
        if not fill_band(band):
            scene_name = scene.attrs.get("name", "scene")
            raise InputError(f"{scene_name}: band {name} holds no data at all")
    return out


def fill_band(band: NDArray[np.float32]) -> bool:
    """Give each NaN of a (row, col) array the value of the nearest pixel, in place.

    Returns
    -------
    False if there is no value to give; the array is then left as it is.
    """
    from scipy.ndimage import distance_transform_edt

    gaps = ~np.isfinite(band)
    if gaps.all():
        return False
    if gaps.any():
        rows, cols = distance_transform_edt(gaps, return_distances=False, return_indices=True)
        band[...] = band[rows, cols]
    return True
