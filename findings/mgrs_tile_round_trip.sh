#!/usr/bin/env bash
# mgrs 1.6.0: the point that it gives for a tile's name may lie in another tile
#
# One would expect: `toLatLon("31TBJ")` gives a point in that tile, so `toMGRS` of the point gives "31TBJ" again.
# What happens: it gives the middle of the full 100 km square. At the edges of a UTM zone squares are cut by the zone
# border, often before their middle; the point then lies in the next zone and has the next zone's name: 31TBJ's point
# is in 30TYP, whose point is in 31TBJ.
# Whom it hurts: searches for Sentinel-2 scenes by a tile's point, and tables that join points with tiles: two tiles
# are swapped. In western Europe, below, one name in five is like that, and one place in eighteen
# lies in such a tile.
# The way around: search by the tile's name itself (grid:code), or keep a table of tile footprints; if a point is
# needed, test that it gives the name back.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mgrs==1.6.0 numpy==2.4.6
venv/bin/python - <<'PY'
from importlib.metadata import version

import mgrs
import numpy as np

print("mgrs", version("mgrs"))
m = mgrs.MGRS()


def there_and_back(name):
    return m.toMGRS(*m.toLatLon(name), MGRSPrecision=0)


for name in ("31TBJ", "30TYP", "32UQC", "31UFU"):
    lat, lon = m.toLatLon(name)
    print(f"{name}: {lat:.3f} N {lon:.3f} E, which lies in {there_and_back(name)}")
places = [m.toMGRS(lat, lon, MGRSPrecision=0) for lon in np.arange(-3, 12, 0.25) for lat in np.arange(44, 60, 0.5)]
lost = [name for name in places if there_and_back(name) != name]
print(f"{len(lost)} of {len(places)} places in a grid over western Europe have a tile that does not come back "
      f"({len(set(lost))} of {len(set(places))} tiles)")
assert there_and_back("31TBJ") == "30TYP" and there_and_back("30TYP") == "31TBJ", "behaviour changed"
assert there_and_back("32UQC") == "33UUT" and there_and_back("31UFU") == "31UFU", "behaviour changed"
assert len(places) == 1920 and len(lost) == 106, "behaviour changed"
PY
