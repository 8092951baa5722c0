#!/usr/bin/env bash
# rioxarray 0.19.0, rasterio 1.4.4: a gap in one band of a stack goes into its neighbours' values as 0
#
# One would expect: `rio.reproject` of a scene whose nodata is 0 leaves a band's pixels without data out of every mean,
# as it does for a single band: neighbours of the gap keep their 3000.
# What happens: with several bands, a pixel counts as missing only where ALL bands miss it (rasterio sets
# UNIFIED_SRC_NODATA=YES). Where only some do, 0 is interpolated like a value: 3000 becomes 1313 in the gap and 2438
# beside it. Stacked or band by band, the same file gives different reflectance.
# Whom it hurts: Sentinel-2 stacks brought from 20 m to 10 m or to another CRS: at the edges of detectors and where
# masks differ by band, pixels of 0 to 2000 DN appear that look like water or shadow; with the offset of 1000 their
# reflectance is negative.
# The way around: `rio.reproject(..., UNIFIED_SRC_NODATA="NO")` for the neighbours (the gap itself is then filled), or
# one band at a time.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rasterio==1.4.4 rioxarray==0.19.0 xarray==2026.9.0 \
  numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
import rasterio
import rioxarray  # noqa: F401
import xarray as xr
from rasterio.enums import Resampling

print("rioxarray", version("rioxarray"), "rasterio", version("rasterio"))
dn = np.full((2, 8, 8), 3000, "uint16")
dn[0, 4, 4] = 0  # the first band misses one pixel of 20 m
centres = 20 * (np.arange(8) + 0.5)
scene = xr.DataArray(dn, dims=("band", "y", "x"), coords={"y": 5600000 - centres, "x": 600000 + centres})
scene = scene.rio.write_crs("EPSG:32633").rio.write_nodata(0)
transform = rasterio.Affine(10, 0, 600000, 0, -10, 5600000)
grid = {"dst_crs": "EPSG:32633", "shape": (16, 16), "transform": transform, "resampling": Resampling.bilinear}


def values(array):
    return np.unique(array.values[0]).tolist()


stacked, alone = scene.rio.reproject(**grid), scene[:1].rio.reproject(**grid)
told = scene.rio.reproject(**grid, UNIFIED_SRC_NODATA="NO")
print("values of the first band: stacked", values(stacked), "alone", values(alone),
      "stacked with UNIFIED_SRC_NODATA=NO", values(told))
assert values(stacked) == [1313, 2438, 2813, 3000], "behaviour changed"
assert values(alone) == [0, 3000] and values(told) == [3000], "behaviour changed"
PY
