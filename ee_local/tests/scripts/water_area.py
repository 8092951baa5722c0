"""Hectares of water: the area of each pixel on the ellipsoid."""

import ee
import numpy as np
import pyproj


def script(place):
    scl = ee.Image(f"{place.collection}/20230611_T33UWS").select("SCL")
    area = ee.Image.pixelArea().updateMask(scl.eq(6)).rename("area")
    total = area.reduceRegion(reducer=ee.Reducer.sum(), geometry=place.rectangle(0, 0, 24, 30),
                              scale=10, maxPixels=1e9)
    return ee.Number(total.get("area")).divide(10000)


def expected(place):
    water = np.argwhere(place.band("20230611", "SCL") == 6)
    geod = pyproj.Geod(ellps="WGS84")
    total = 0.0
    for row, col in water:
        corners = [place.corner(row + r, col + c) for r, c in ((0, 0), (0, 1), (1, 1), (1, 0))]
        total += abs(geod.polygon_area_perimeter(*zip(*corners, strict=True))[0])
    return total / 10000
