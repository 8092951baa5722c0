#!/usr/bin/env bash
# zarr 3.1.6 with xarray 2026.9.0: class 0 of a map in Zarr format 2 comes back as "missing"
#
# One would expect: a uint8 class map written with zarr and opened with xarray has the same codes and type; no nodata
# value was declared.
# What happens: format 2 always has a fill value, 0 unless told otherwise, and xarray reads it as the mark of missing
# data: class 0 becomes NaN and the codes become floats. The same array in format 3 comes back as it was.
# Whom it hurts: class 0 (water in Dynamic World's legend) drops out of class areas and error matrices, which skip
# NaN; whether it does depends on the format of the store and not on the data.
# The way around: write with fill_value=255 (or xarray's own to_zarr), or read with mask_and_scale=False.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check zarr==3.1.6 xarray==2026.9.0 numpy==2.4.6 pandas==2.3.3
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
import xarray as xr
import zarr

print("zarr", version("zarr"), "xarray", version("xarray"))
codes = np.array([[0, 1], [2, 0]], "uint8")


def store(name, zarr_format, **options):
    group = zarr.open_group(name, mode="w", zarr_format=zarr_format)
    array = group.create_array("class", shape=codes.shape, dtype=codes.dtype, **options)
    array[:] = codes
    return name


two = store("two.zarr", 2, attributes={"_ARRAY_DIMENSIONS": ["y", "x"]})
three = store("three.zarr", 3, dimension_names=["y", "x"])
read = {name: xr.open_zarr(name, consolidated=False)["class"] for name in (two, three)}
for name, array in read.items():
    print(name, array.dtype, array.values.tolist())
assert read[two].dtype.kind == "f" and np.isnan(read[two].values).sum() == 2, "behaviour changed"
assert read[three].dtype == "uint8" and (read[three].values == codes).all(), "behaviour changed"
plain = xr.open_zarr(two, consolidated=False, mask_and_scale=False)["class"]
full = store("full.zarr", 2, attributes={"_ARRAY_DIMENSIONS": ["y", "x"]}, fill_value=255)
assert (plain.values == codes).all() and (xr.open_zarr(full, consolidated=False)["class"].values == codes).all()
print("with mask_and_scale=False, or written with fill_value=255:", plain.values.tolist())
PY
