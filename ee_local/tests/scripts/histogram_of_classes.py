"""How many pixels each class of the scene classification has, clouds left out."""

import ee
import numpy as np


def script(place):
    scl = ee.Image(f"{place.collection}/20230621_T33UWS").select("SCL")
    return scl.updateMask(scl.neq(9)).reduceRegion(
        reducer=ee.Reducer.frequencyHistogram(), geometry=place.rectangle(0, 0, 24, 30), scale=10
    ).get("SCL")


def expected(place):
    codes, counts = np.unique(place.band("20230621", "SCL")[1:], return_counts=True)
    return {str(int(k)): int(n) for k, n in zip(codes, counts, strict=True) if k != 9}
