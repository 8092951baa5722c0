"""Where the near infrared rose by more than 2000 between two dates: pixels and share."""

import ee
import numpy as np


def script(place):
    before = ee.Image(f"{place.collection}/20230601_T33UWS").select("B8")
    after = ee.Image(f"{place.collection}/20230611_T33UWS").select("B8")
    change = after.subtract(before).gt(2000).rename("change")
    both = ee.Reducer.sum().combine(ee.Reducer.mean(), sharedInputs=True)
    return change.reduceRegion(reducer=both, geometry=place.rectangle(1, 0, 23, 30), scale=10)


def expected(place):
    rose = (place.band("20230611", "B8") - place.band("20230601", "B8"))[1:] > 2000
    return {"change_sum": np.sum(rose), "change_mean": np.mean(rose)}
