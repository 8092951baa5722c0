#!/usr/bin/env bash
# geopandas 1.2.0 with pyogrio 0.13.0: a column of days is written as text, and NaT days as text too
#
# One would expect: datetime.date values go to a GeoPackage as its type DATE, as timestamps go to DATETIME: GDAL, the
# format and pyogrio (reading) all know days.
# What happens: the column becomes TEXT, without a word. It reads back as strings, and QGIS offers the column neither to
# its temporal controller nor to date widgets.
# Whom it hurts: first and last sighting of a site, acquisition dates, permits' validity: the file looks right, and only
# sorting works.
# The way around: `pyogrio.raw.write` with numpy's datetime64[D] (pandas has no such type); timestamps instead give
# DATETIME, with midnight in a time zone that nobody stated.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check geopandas==1.2.0 pyogrio==0.13.0 shapely==2.2.0 pandas==2.3.3 \
  numpy==2.4.6
venv/bin/python - <<'PY'
from datetime import date
from importlib.metadata import version

import geopandas as gpd
import numpy as np
import pyogrio
import shapely

print("geopandas", version("geopandas"), "pyogrio", version("pyogrio"), "GDAL", pyogrio.__gdal_version_string__)
days = [date(2023, 7, 9), date(2024, 7, 9)]
sites = gpd.GeoDataFrame({"seen": days}, geometry=[shapely.box(0, 0, 1, 1)] * 2, crs=32633)
sites.to_file("sites.gpkg", layer="sites")
kind = pyogrio.read_info("sites.gpkg")["ogr_types"][0]
back = gpd.read_file("sites.gpkg").seen[0]
pyogrio.raw.write("raw.gpkg", shapely.to_wkb(sites.geometry.to_numpy()), [np.array(days, "datetime64[D]")], ["seen"],
                  geometry_type="Polygon", crs="EPSG:32633", driver="GPKG")
right = pyogrio.read_info("raw.gpkg")["ogr_types"][0]
print("to_file:", kind, repr(back), "raw.write of datetime64[D]:", right)
assert (kind, back) == ("OFTString", "2023-07-09"), "behaviour changed"
assert right == "OFTDate", "behaviour changed"
PY
