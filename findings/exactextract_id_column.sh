#!/usr/bin/env bash
# exactextract 0.3.0 with geopandas 1.2.0: the column "id" comes back as the row's number
#
# One would expect: `exact_extract(map, polygons, ..., include_cols=["id"], output="pandas")` carries the polygons'
# own column "id" into the result, as it does with every other column.
# What happens: "id" holds the GeoDataFrame's index (0, 1, 2, as text) in place of the column's values; a column of
# any other name, "ID" or "plot", is right. No warning.
# Whom it hurts: parcels or reference plots numbered in a column "id": the majority class or the class shares are
# joined to other plots, wherever the numbers overlap (plots 1, 2, 3 become 0, 1, 2: all moved by one).
# The way around: rename the column first, or make it the index (set_index("id"), then include_cols="id").
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check exactextract==0.3.0 geopandas==1.2.0 rasterio==1.4.4 \
    shapely==2.2.0 numpy==2.4.6 pandas==2.3.3
venv/bin/python - <<'PY'
from importlib.metadata import version

import geopandas as gpd
import numpy as np
import rasterio
from exactextract import exact_extract
from shapely import box

print("exactextract", version("exactextract"), "geopandas", version("geopandas"))
with rasterio.open("map.tif", "w", driver="GTiff", width=3, height=1, count=1, dtype="uint8", crs="EPSG:32633",
                   nodata=255, transform=rasterio.transform.from_origin(399960, 5400000, 10, 10)) as out:
    out.write(np.array([[10, 20, 30]], "uint8"), 1)
plots = gpd.GeoDataFrame({"id": [1, 2, 3], "plot": [1, 2, 3]}, crs="EPSG:32633",
                         geometry=[box(x, 5399990, x + 10, 5400000) for x in (399960, 399970, 399980)])
table = exact_extract("map.tif", plots, ["mode"], include_cols=["id", "plot"], output="pandas")
indexed = exact_extract("map.tif", plots.set_index("id"), ["mode"], include_cols="id", output="pandas")
print(table.to_string(index=False), indexed.to_string(index=False), sep="\n")
assert list(table["plot"]) == [1, 2, 3] and list(table["mode"]) == [10, 20, 30]
assert [str(v) for v in table["id"]] == ["0", "1", "2"], "behaviour changed"
assert [str(v) for v in indexed["id"]] == ["1", "2", "3"], "behaviour changed"
PY
