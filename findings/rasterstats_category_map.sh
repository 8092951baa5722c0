#!/usr/bin/env bash
# rasterstats 0.21.0: two class codes with one name in category_map: only one of them is counted
#
# One would expect: `zonal_stats(..., categorical=True, category_map={1: "forest", 2: "forest", 3: "water"})`, the
# usual way to merge a legend (broadleaved and coniferous into forest), counts 1 and 2 together.
# What happens: the names become the keys of one dictionary, so the count of the last code with that name stands and
# the others are dropped without a word. Of 6 forest pixels 2 are reported; only the sum no longer equals the zone.
# Whom it hurts: class areas after a legend is merged, e.g. a fine map brought to the classes of a coarser one.
# The way around: ask for the codes and add up afterwards, or reclassify the raster first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rasterstats==0.21.0 rasterio==1.4.4 shapely==2.2.0 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
import rasterio
from rasterstats import zonal_stats
from shapely import box

print("rasterstats", version("rasterstats"))
classes = np.array([[1, 1, 2, 3], [1, 1, 2, 3]], "uint8")  # broadleaved 4, coniferous 2, water 2
with rasterio.open("map.tif", "w", driver="GTiff", width=4, height=2, count=1, dtype="uint8", crs="EPSG:32633",
                   nodata=255, transform=rasterio.transform.from_origin(399960, 5400000, 10, 10)) as out:
    out.write(classes, 1)
zone = box(399960, 5399980, 400000, 5400000)
codes = zonal_stats([zone], "map.tif", categorical=True)[0]
names = zonal_stats([zone], "map.tif", categorical=True, category_map={1: "forest", 2: "forest", 3: "water"})[0]
print("codes", codes, "names", names)
assert codes == {1: 4, 2: 2, 3: 2}
assert names == {"forest": 2, "water": 2}, "behaviour changed"
PY
