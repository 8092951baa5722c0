"""Pixels as files: GeoTIFF, zipped GeoTIFFs, NumPy arrays.

Masked pixels are written as 0; a GeoTIFF also carries a mask that says where no band is masked.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import rasterio.shutil
from numpy.typing import NDArray
from rasterio import Env
from rasterio.io import MemoryFile

from ee_local.algorithms.images import default_grid, select
from ee_local.errors import EngineError
from ee_local.grid import Grid, Projection, check_size, parse_crs
from ee_local.pixels import Band, Image
from ee_local.rendering import encode_picture, picture, rgba

MEDIA = {"GEO_TIFF": "image/tiff", "NPY": "application/octet-stream",
         "ZIPPED_GEO_TIFF": "application/zip", "ZIPPED_GEO_TIFF_PER_BAND": "application/zip"}


def requested_grid(image: Image, grid: Mapping[str, Any] | None, where: str) -> Grid:
    """Return the grid of a request (``PixelGrid``), or the image's own.

    Raises
    ------
    EngineError
        It is incomplete or too large.
    """
    if not grid:
        return default_grid(image, where)
    affine, size = grid.get("affineTransform"), grid.get("dimensions")
    code = grid.get("crsCode") or grid.get("crsWkt")
    own = default_grid(image, where) if not (affine and size and code) else None
    try:
        if affine:
            transform = (float(affine.get("scaleX", 0)), float(affine.get("shearX", 0)),
                         float(affine.get("translateX", 0)), float(affine.get("shearY", 0)),
                         float(affine.get("scaleY", 0)), float(affine.get("translateY", 0)))
        else:
            transform = own.projection.transform
        width, height = (int(size["width"]), int(size["height"])) if size \
            else (own.width, own.height)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise EngineError(f"{where}: the grid {str(grid)[:120]} is not complete.") from None
    crs = code or own.projection.crs
    parse_crs(crs)
    a, b, _, d, e, _ = transform
    if width < 1 or height < 1 or a * e == b * d or not np.isfinite(transform).all():
        raise EngineError(f"{where}: the grid has {width} × {height} pixels and the transform "
                          f"{transform}; it cannot be used.")
    check_size(width, height)
    return Grid(Projection(crs, transform), width, height)


def band_array(band: Band, grid: Grid) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a band's pixels in the band's dtype, 0 where masked, and where they are valid."""
    pixels = band.read(grid)
    if pixels.values.ndim != 2:
        raise EngineError(f"Band {band.name!r} holds arrays; they cannot be written.")
    kind = band.type.dtype()
    values = np.where(pixels.valid, pixels.values, 0)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        values = np.clip(values, limits.min, limits.max)
    return values.astype(kind), pixels.valid


def geotiff(bands: Sequence[Band], grid: Grid, nodata: float | None = None) -> bytes:
    """Return a GeoTIFF of bands in a dtype that holds them all, with their names and a mask.

    Parameters
    ----------
    nodata : float
        Written where a band is masked, and told in the file; None: 0, and a mask.
    """
    arrays = [band_array(b, grid) for b in bands]
    kind = np.result_type(*(a.dtype for a, _ in arrays))
    mask = np.logical_and.reduce([valid for _, valid in arrays])
    if nodata is not None:
        kind = np.result_type(kind, np.min_scalar_type(nodata))
    with Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as memory:
        with memory.open(
                driver="GTiff", width=grid.width, height=grid.height, count=len(arrays), dtype=kind,
                crs=parse_crs(grid.projection.crs).to_wkt(), transform=grid.projection.affine(),
                compress="deflate", zlevel=1, nodata=nodata) as out:
            for k, (values, valid) in enumerate(arrays, start=1):
                filled = values.astype(kind)
                if nodata is not None:
                    filled[~valid] = nodata
                out.write(filled, k)
                out.set_band_description(k, bands[k - 1].name)
            if nodata is None and not mask.all():
                out.write_mask(mask)
        return memory.read()


def cloud_optimised(body: bytes) -> bytes:
    """Return a GeoTIFF rearranged as a Cloud-Optimised GeoTIFF."""
    with MemoryFile(body) as source, MemoryFile() as target:
        rasterio.shutil.copy(source.name, target.name, driver="COG", compress="DEFLATE")
        return target.read()


def structured(bands: Sequence[Band], grid: Grid) -> bytes:
    """Return a ``.npy`` file of a (row, col) structured array with a field for each band."""
    arrays = {b.name: band_array(b, grid)[0] for b in bands}
    table = np.zeros(grid.shape, dtype=[(name, a.dtype) for name, a in arrays.items()])
    for name, values in arrays.items():
        table[name] = values
    out = io.BytesIO()
    np.save(out, table, allow_pickle=False)
    return out.getvalue()


def zipped(image: Image, grid: Grid | None, name: str, per_band: bool, where: str) -> bytes:
    """Return a zip with one GeoTIFF, or one for each band, on the grid of each band."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        if per_band:
            for band in image.bands:
                alone = image.with_bands([band])
                data = geotiff([band], grid or default_grid(alone, where))
                archive.writestr(f"{name}.{band.name}.tif", data)
        else:
            archive.writestr(f"{name}.tif",
                             geotiff(image.bands, grid or default_grid(image, where)))
    return out.getvalue()


def write_image(image: Image, request: Mapping[str, Any], where: str) -> tuple[bytes, str]:
    """Return the file that a request asks for, and its media type.

    Parameters
    ----------
    image : Image
        What is asked for.
    request : mapping
        ``fileFormat``, ``grid``, ``bandIds``, ``visualizationOptions``, ``filenamePrefix``.
    where : str
        Names the request in errors.
    """
    kind = str(request.get("fileFormat") or "AUTO_JPEG_PNG").upper()
    names = request.get("bandIds")
    if names:
        image = select(image, list(names), None)
    image.first(where)
    given = request.get("grid")
    grid = requested_grid(image, given, where)
    if kind in ("PNG", "JPEG", "AUTO_JPEG_PNG"):
        shown = picture(image, request.get("visualizationOptions"))
        return encode_picture(rgba(shown, grid), kind)
    if request.get("visualizationOptions"):
        image = picture(image, request["visualizationOptions"])
    if kind == "NPY":
        return structured(image.bands, grid), MEDIA[kind]
    if kind == "GEO_TIFF":
        return geotiff(image.bands, grid), MEDIA[kind]
    if kind in MEDIA:
        name = plain_name(request.get("filenamePrefix") or "download")
        return zipped(image, grid if given else None, name, kind.endswith("PER_BAND"),
                      where), MEDIA[kind]
    raise EngineError(f"{where}: the file format {kind!r} is not implemented by the local Earth "
                      "Engine.")


def plain_name(text: Any) -> str:
    """Return a file name without anything that could lead elsewhere.

    >>> plain_name("../map of/RF 1")
    'map_of_RF_1'
    """
    words = "".join(c if c.isalnum() or c in "-_." else "_" for c in str(text))
    return words.strip("._")[:120] or "download"
