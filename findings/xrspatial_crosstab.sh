#!/usr/bin/env bash
# xarray-spatial 0.5.3: crosstab of chosen classes adds the classes left out to the next one chosen
#
# One would expect: `xrspatial.zonal.crosstab(zones, values, cat_ids=[5])` gives the column for class 5 of the full
# table, as count or percentage.
# What happens: the pixels of every class left out are added to the next higher class that is chosen. Class 5 alone
# is reported for the whole zone: 5 pixels instead of 1, 100 % instead of 20 %.
# Whom it hurts: areas of some classes by district, or an error matrix (reference as zones, map as values) for the
# classes of interest. The table looks sound, and its percentages can even add up to 100.
# The way around: ask for all classes (no cat_ids) and take the columns afterwards.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    xarray-spatial==0.5.3 xarray==2026.9.0 numpy==2.4.6 pandas==2.3.3
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
import xarray as xr
from xrspatial.zonal import crosstab

print("xarray-spatial", version("xarray-spatial"))
zones = xr.DataArray(np.array([[1, 1, 1, 1, 1], [2, 2, 2, 2, 2]]))
classes = xr.DataArray(np.array([[1, 2, 3, 4, 5], [5, 5, 4, 3, 1]]))
full = crosstab(zones, classes)
one = crosstab(zones, classes, cat_ids=[5])
two = crosstab(zones, classes, cat_ids=[1, 5])
share = crosstab(zones, classes, cat_ids=[5], agg="percentage")
print("all classes\n", full, "\ncat_ids=[5]\n", one, "\ncat_ids=[1, 5]\n", two, "\ncat_ids=[5], percentage\n", share)
assert list(full[5]) == [1, 2]
assert list(one[5]) == [5, 5], "behaviour changed"
assert list(two[1]) == [1, 1] and list(two[5]) == [4, 4], "behaviour changed"
assert list(share[5]) == [100, 100], "behaviour changed"
PY
