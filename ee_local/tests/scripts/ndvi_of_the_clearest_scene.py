"""Mean NDVI of the clearest scene over a field."""

import ee
import numpy as np


def script(place):
    clearest = ee.ImageCollection(place.collection).sort("CLOUDY_PIXEL_PERCENTAGE").first()
    ndvi = clearest.normalizedDifference(["B8", "B4"]).rename("NDVI")
    field = place.rectangle(17, 6, 6, 20)
    return ndvi.reduceRegion(reducer=ee.Reducer.mean(), geometry=field, scale=10).get("NDVI")


def expected(place):
    red, near = (place.band("20230601", b)[17:23, 6:26] for b in ("B4", "B8"))
    return np.mean((near - red) / (near + red))
