"""The greenest of all dates at each pixel, and the day it was taken."""

import ee
import numpy as np


def add_bands(image):
    ndvi = image.normalizedDifference(["B8", "B4"]).rename("ndvi")
    day = ee.Image.constant(image.date().getRelative("day", "year")).rename("day")
    return image.addBands(ndvi).addBands(day.updateMask(ndvi.mask()))


def script(place):
    greenest = ee.ImageCollection(place.collection).map(add_bands).qualityMosaic("ndvi")
    return greenest.select(["ndvi", "day"]).toFloat()


def expected(place):
    days = {"20230601": 151, "20230611": 161, "20230621": 171}
    stack = np.stack([(place.band(d, "B8") - place.band(d, "B4"))
                      / (place.band(d, "B8") + place.band(d, "B4")) for d in place.dates])
    best = np.nan_to_num(stack, nan=-9).argmax(axis=0)
    day = np.array([days[d] for d in place.dates])[best].astype(float)
    day[0] = np.nan
    return {"ndvi": np.take_along_axis(stack, best[None], 0)[0].astype("f4"), "day": day}
