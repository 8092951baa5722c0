#!/usr/bin/env bash
# rasterio 1.4.4 (GDAL 3.10.3): a scene warped by WarpedVRT differs when it is read by blocks
#
# One would expect: a WarpedVRT has one set of pixels. Reading it whole, or block by block as everything does that keeps
# memory small (dask, tilers, map makers), gives the same numbers.
# What happens: with bilinear and cubic resampling from degrees (pixels of 6 × 10 m, Earth Engine's default export) to
# 10 m UTM, half to nearly all of the pixels differ, by up to 180 DN (.018 reflectance). GDAL estimates anew for every
# piece how many source pixels go into one (the ratio of the piece's sizes), and approximates coordinates per piece.
# Nearest and average do not depend on it.
# Whom it hurts: results that should not depend on the size of the tiles: maps compared bit by bit, tests, mosaics of
# workers with blocks of their own.
# The way around: WarpedVRT(..., XSCALE=1, YSCALE=1, tolerance=1e-6); tolerance alone does not help.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rasterio==1.4.4 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
import rasterio
from rasterio import Affine
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

print("rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
SIDE, BLOCK, DEGREES = 512, 256, 8.983e-5
fields = np.random.default_rng(0).integers(1200, 4500, (100, 150))
scene = np.kron(fields, np.ones((6, 6), int)).astype("uint16")  # fields of 6 x 6 pixels
profile = {"driver": "GTiff", "count": 1, "dtype": "uint16", "height": 600, "width": 900, "crs": "EPSG:4326",
           "transform": Affine(DEGREES, 0, 16.2, 0, -DEGREES, 50.99), "tiled": True}
grid = {"crs": "EPSG:32633", "transform": Affine(10, 0, 584300, 0, -10, 5648800), "width": SIDE, "height": SIDE}


def difference(source, **options):
    with WarpedVRT(source, **grid, **options) as vrt:
        whole = vrt.read(1).astype(int)
    parts = np.zeros_like(whole)
    with WarpedVRT(source, **grid, **options) as vrt:
        for top in range(0, SIDE, BLOCK):
            for left in range(0, SIDE, BLOCK):
                parts[top:top + BLOCK, left:left + BLOCK] = vrt.read(1, window=Window(left, top, BLOCK, BLOCK))
    return np.abs(whole - parts)


with MemoryFile() as memory:
    with memory.open(**profile) as out:
        out.write(scene, 1)
    with memory.open() as source:
        for how in (Resampling.bilinear, Resampling.cubic, Resampling.nearest):
            plain, exact = difference(source, resampling=how), difference(source, resampling=how, tolerance=1e-6)
            told = difference(source, resampling=how, tolerance=1e-6, XSCALE=1, YSCALE=1)
            print(f"{how.name}: {(plain > 0).mean():.0%} of pixels differ, by up to {plain.max()}; "
                  f"tolerance {(exact > 0).mean():.0%}; with XSCALE and YSCALE {(told > 0).mean():.0%}")
            expected = how is not Resampling.nearest
            assert (plain > 0).any() == (exact > 0).any() == expected and not told.any(), "behaviour changed"
PY
