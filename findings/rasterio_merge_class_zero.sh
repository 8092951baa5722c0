#!/usr/bin/env bash
# rasterio 1.4.4 and rioxarray 0.19.0: in a mosaic of class maps class 0 gives way to whatever lies below
#
# One would expect: `rasterio.merge.merge` with its method "first" keeps the first map wherever it has pixels, if no
# map declares a nodata value: every pixel is a class then, 0 too.
# What happens: without a declared nodata 0 is taken for "empty". Class 0 of the first map is overwritten by the
# second map, and class 0 of the second by a third. rioxarray's merge_arrays, built on it, does the same.
# Whom it hurts: mosaics of overlapping Sentinel-2 tiles' maps with class 0 (water in Dynamic World's legend): the
# overlap's water takes the other tile's class, so class 0's share falls and the seams depend on the others.
# The way around: give `nodata=255` (a value that no pixel has) in the call; then class 0 stays.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rasterio==1.4.4 rioxarray==0.19.0 xarray==2026.9.0 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
import rasterio
import rioxarray
from rasterio.merge import merge
from rioxarray.merge import merge_arrays

print("rasterio", version("rasterio"), "rioxarray", version("rioxarray"))


def write(name, values):
    with rasterio.open(name, "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8", crs="EPSG:32633",
                       transform=rasterio.transform.from_origin(399960, 5400000, 10, 10)) as out:
        out.write(np.array(values, "uint8"), 1)


write("first.tif", [[0, 0], [1, 1]])
write("second.tif", [[7, 7], [7, 7]])
names = ["first.tif", "second.tif"]
plain = merge(names, method="first")[0][0]
mosaic = merge_arrays([rioxarray.open_rasterio(n) for n in names]).values[0]
told = merge(names, method="first", nodata=255)[0][0]
print("first map  [[0 0] [1 1]], second map all 7")
print("merge", plain.tolist(), "merge_arrays", mosaic.tolist(), "merge with nodata=255", told.tolist())
assert plain.tolist() == mosaic.tolist() == [[7, 7], [1, 1]], "behaviour changed"
assert told.tolist() == [[0, 0], [1, 1]], "behaviour changed"
PY
