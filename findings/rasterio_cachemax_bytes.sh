#!/usr/bin/env bash
# rasterio 1.4.4 (GDAL 3.10.3): GDAL_CACHEMAX is megabytes in the environment and bytes in rasterio.Env
#
# One would expect: rasterio.Env(GDAL_CACHEMAX=128) does what the variable GDAL_CACHEMAX=128 does, as for other options:
# a cache of 128 MB for blocks that were decoded, until the block ends; "128MB" and "5%", which GDAL takes, work as well.
# What happens: the cache is 128 bytes. Nothing is kept, and a tiled, compressed raster that is read a row at a time is
# decoded anew for each row. Text is refused (TypeError).
# Whom it hurts: whoever bounds the memory of a map maker or of a worker with the number from GDAL's manual: no error,
# pixels are right, and reading by rows or by small windows takes 10 to 100 times as long.
# The way around: bytes, rasterio.Env(GDAL_CACHEMAX=128_000_000); or os.environ["GDAL_CACHEMAX"] = "128" before the first
# raster is opened.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rasterio==1.4.4 numpy==2.4.6
cat > show.py <<'PY'
import sys
import time

import numpy as np
import rasterio
from rasterio.env import get_gdal_config
from rasterio.windows import Window

SIDE = 1024
ROWS = 256


def read():
    """Return the cache's size in bytes, and CPU seconds of reading ROWS rows one by one."""
    with rasterio.Env(), rasterio.open("scene.tif") as file:
        begin = time.process_time()
        for row in range(ROWS):
            file.read(1, window=Window(0, row, SIDE, 1))
        return get_gdal_config("GDAL_CACHEMAX"), time.process_time() - begin


if sys.argv[1:] == ["variable"]:
    print("the variable GDAL_CACHEMAX=128: cache of {} bytes, rows read in {:.3f} s".format(*read()))
    assert read()[0] == 128 * 2**20, "behaviour changed"
    sys.exit()
print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
with rasterio.open("scene.tif", "w", driver="GTiff", width=SIDE, height=SIDE, count=1, dtype="uint16", tiled=True,
                   blockxsize=512, blockysize=512, compress="deflate", crs="EPSG:32633",
                   transform=rasterio.Affine(10, 0, 600000, 0, -10, 5600000)) as out:
    out.write(np.random.default_rng(0).integers(0, 3000, (1, SIDE, SIDE)).astype("uint16"))
usual, quick = read()
with rasterio.Env(GDAL_CACHEMAX=128):
    size, slow = read()
print(f"as it is:                           cache of {usual} bytes, rows read in {quick:.3f} s")
print(f"rasterio.Env(GDAL_CACHEMAX=128):    cache of {size} bytes, rows read in {slow:.3f} s")
try:
    with rasterio.Env(GDAL_CACHEMAX="128MB"):
        text = "taken"
except TypeError as error:
    text = f"TypeError: {error}"
print(f'rasterio.Env(GDAL_CACHEMAX="128MB"): {text}')
assert size == 128 < usual and slow > 5 * quick and "TypeError" in text, "behaviour changed"
PY
venv/bin/python show.py
GDAL_CACHEMAX=128 venv/bin/python show.py variable
