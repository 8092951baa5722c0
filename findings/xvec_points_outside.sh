#!/usr/bin/env bash
# xvec 0.5.2: a reference point outside the map gets the class of the map's nearest edge, however far it is
#
# One would expect: `extract_points` gives no value (NaN) for points outside the raster, as rasterstats gives None.
# What happens: each point takes the nearest pixel without any limit, so a point 5 km east of the map reads its last
# column, and one in the next tile counts as mapped. No warning.
# Whom it hurts: accuracy from a reference set that reaches past the tile: points without a map are scored against
# the border's class; also points given in another CRS, which all read one corner.
# The way around: keep only the points within the raster's bounds (and in its CRS) before extracting.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    xvec==0.5.2 xarray==2026.9.0 geopandas==1.2.0 shapely==2.2.0 numpy==2.4.6 pandas==2.3.3
venv/bin/python - <<'PY'
from importlib.metadata import version

import geopandas as gpd
import numpy as np
import xarray as xr
import xvec  # noqa: F401

print("xvec", version("xvec"), "xarray", version("xarray"))
classes = np.tile(np.arange(1, 11, dtype="uint8"), (10, 1))  # ten columns: classes 1 to 10
cube = xr.Dataset({"class": (("y", "x"), classes)},
                  {"x": 399965 + 10 * np.arange(10), "y": 5399995 - 10 * np.arange(10)})
inside, east, west = (400005, 5399955), (405000, 5399955), (300000, 5399955)
points = gpd.GeoSeries(gpd.points_from_xy(*zip(inside, east, west)), crs="EPSG:32633")
utm = cube.xvec.extract_points(points, x_coords="x", y_coords="y")["class"].values
degrees = cube.xvec.extract_points(points.to_crs(4326), x_coords="x", y_coords="y")["class"].values
print("inside, 4.94 km east, 100 km west:", utm.tolist(), "| the same points in degrees:", degrees.tolist())
assert utm.tolist() == [5, 10, 1], "behaviour changed"
assert degrees.tolist() == [1, 1, 1], "behaviour changed"
PY
