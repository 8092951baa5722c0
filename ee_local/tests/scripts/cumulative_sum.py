"""A running sum over the scenes with iterate."""

import ee
import numpy as np


def script(place):
    scenes = ee.ImageCollection(place.collection).select("B3").sort("system:time_start")

    def add(image, total):
        last = ee.Image(ee.List(total).get(-1))
        return ee.List(total).add(last.add(image).rename("sum"))

    sums = ee.List(scenes.iterate(add, ee.List([ee.Image.constant(0).rename("sum")])))
    return ee.Image(sums.get(-1)).toFloat()


def expected(place):
    return {"sum": np.sum([place.band(d, "B3") for d in place.dates], axis=0)}
