#!/usr/bin/env bash
# geopandas 1.2.0 and odc-geo 0.5.3: "the UTM zone" of western Norway is not the one of its Sentinel-2 tiles
#
# One would expect: `GeoDataFrame.estimate_utm_crs()` and odc-geo's `to_crs("utm")` give the zone of the Sentinel-2
# tile over the data; tiles are named by MGRS, and MGRS is laid on UTM.
# What happens: MGRS widens zone 32 to 3 degrees east between 56 and 64 degrees north; the EPSG areas of use that both
# libraries ask do not. For Bergen and Alesund they say EPSG:32631, the tiles (32VKN, 32VLQ) are in EPSG:32632.
# Whom it hurts: reference data brought to "its" UTM zone and laid over a tile by number: the eastings differ by
# hundreds of kilometres; or, with reprojection, a needless second resampling of the class map. `sentinelhub` and
# `utm` know the exception, so peers in one script disagree.
# The way around: take the CRS of the tile (from its name or its file), not one from the data's place.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check geopandas==1.2.0 odc-geo==0.5.3 mgrs==1.6.0 utm==0.9.0 \
    pyproj==3.7.2 shapely==2.2.0 numpy==2.4.6 pandas==2.3.3
venv/bin/python - <<'PY'
from importlib.metadata import version

import geopandas as gpd
import mgrs
import odc.geo.geom
import utm
from shapely import Point

print(*(f"{p} {version(p)}" for p in ("geopandas", "odc-geo", "mgrs", "utm", "pyproj")))
result = {}
for place, lat, lon in (("Bergen", 60.39, 5.32), ("Alesund", 62.47, 5.9), ("Oslo", 59.91, 10.75)):
    tile = mgrs.MGRS().toMGRS(lat, lon, MGRSPrecision=0)
    guess = gpd.GeoSeries([Point(lon, lat)], crs="EPSG:4326").estimate_utm_crs().to_epsg()
    odc_guess = odc.geo.geom.point(lon, lat, "EPSG:4326").to_crs("utm").crs.epsg
    zone = utm.latlon_to_zone_number(lat, lon)
    result[place] = (tile[:2], zone, guess, odc_guess)
    print(f"{place:8s} tile {tile}, utm zone {zone}, geopandas EPSG:{guess}, odc-geo EPSG:{odc_guess}")
assert result["Oslo"] == ("32", 32, 32632, 32632)
for place in ("Bergen", "Alesund"):
    assert result[place] == ("32", 32, 32631, 32631), "behaviour changed"
PY
