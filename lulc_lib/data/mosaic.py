"""Class maps of several scenes laid into one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from lulc_lib import legend
from lulc_lib.data.geotiff import BLOCK, class_map_writer
from lulc_lib.data.grids import Grid, covering
from lulc_lib.data.reference import open_classes
from lulc_lib.data.scenes import windows

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
        crs, transform, shape = covering([Grid(s.crs, s.transform, s.shape) for s in sources])
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
