"""Class maps of several scenes laid into one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from lulc_lib import legend
from lulc_lib.data.geotiff import BLOCK, class_map_writer
from lulc_lib.data.reference import open_classes
from lulc_lib.data.scenes import windows
from lulc_lib.errors import InputError

PIXELS = 1 << 22
"""About the number of pixels that are laid out at a time."""


def write_mosaic(maps: Sequence[Path], output: Path) -> None:
    """Lay class maps into one Cloud-Optimised GeoTIFF; where they overlap the first one counts.

    Parameters
    ----------
    maps : sequence of Path
        Rasters of legend codes on any grids.
    output : Path
        On the grid of the first map, extended by whole pixels to hold all; maps on other grids (in
        another UTM zone) are resampled by nearest neighbour.

    Raises
    ------
    InputError
        A map cannot be read or has no CRS, or the output cannot be written.
    """
    with ExitStack() as stack:
        sources = [stack.enter_context(open_classes(p)) for p in maps]
        shape, transform = _common_grid(sources)
        crs = sources[0].crs
        layers = [stack.enter_context(WarpedVRT(
            s, crs=crs, transform=transform, height=shape[0], width=shape[1],
            resampling=Resampling.nearest, src_nodata=legend.NO_DATA, nodata=legend.NO_DATA))
            for s in sources]
        writer = stack.enter_context(class_map_writer(
            output, shape, crs, transform, {"maps": ", ".join(p.stem for p in maps)}))
        for window in windows(shape, (BLOCK, BLOCK), PIXELS):
            codes = np.full((int(window.height), int(window.width)), legend.NO_DATA, np.uint8)
            for layer in layers:
                codes = np.where(codes == legend.NO_DATA, layer.read(1, window=window), codes)
            writer.write(codes[None], window)
        writer.finish()
        writer.publish()


def _common_grid(sources: Sequence[rasterio.DatasetReader]) -> tuple[tuple[int, int], Affine]:
    """Extend the first raster's grid by whole pixels to hold all: shape and transform."""
    for source in sources:
        if source.crs is None:
            raise InputError(f"{source.name}: has no CRS; a class map must be georeferenced")
    t, boxes = sources[0].transform, []
    for source in sources:
        left, bottom, right, top = transform_bounds(source.crs, sources[0].crs, *source.bounds)
        boxes.append([*(~t @ (left, top)), *(~t @ (right, bottom))])
    ends = np.round(boxes, 3)
    col, row = np.floor(ends[:, :2].min(axis=0))
    right, bottom = np.ceil(ends[:, 2:].max(axis=0))
    return (int(bottom - row), int(right - col)), t @ Affine.translation(col, row)
