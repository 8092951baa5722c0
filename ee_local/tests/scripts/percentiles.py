"""A stretch for display: the 2nd and 98th percentile of a band."""

import ee
import numpy as np


def script(place):
    image = ee.Image(f"{place.collection}/20230611_T33UWS").select("B4")
    return image.reduceRegion(ee.Reducer.percentile([2, 50, 98]), place.rectangle(1, 0, 23, 30), 10)


def expected(place):
    values = np.percentile(place.band("20230611", "B4")[1:], [2, 50, 98])
    return dict(zip(("B4_p2", "B4_p50", "B4_p98"), values, strict=True))
