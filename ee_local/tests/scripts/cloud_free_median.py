"""A composite: clouds masked by the scene classification, then the median."""

import ee
import numpy as np


def mask_clouds(image):
    scl = image.select("SCL")
    bad = scl.eq(3).Or(scl.gte(8).And(scl.lte(10)))
    return image.updateMask(bad.Not()).select(["B2", "B3", "B4", "B8"]).divide(10000)


def script(place):
    return ee.ImageCollection(place.collection).map(mask_clouds).median()


def expected(place):
    clear = np.stack([(place.band(d, "SCL") != 9) for d in place.dates])
    composite = {}
    for name in ("B2", "B3", "B4", "B8"):
        stack = np.stack([place.band(d, name) for d in place.dates])
        stack[~clear] = np.nan
        composite[name] = place.median(stack) / 10000
    return composite
