"""A join: each scene with the one before it, and the days between them."""

import ee

DAY = 86400000


def script(place):
    scenes = ee.ImageCollection(place.collection)
    earlier = ee.Filter.And(
        ee.Filter.greaterThan(leftField="system:time_start", rightField="system:time_start"),
        ee.Filter.maxDifference(15 * DAY, "system:time_start", None, "system:time_start"))
    joined = ee.Join.saveFirst("before", "system:time_start", False).apply(scenes, scenes, earlier)

    def days(image):
        before = ee.Image(image.get("before"))
        return ee.Feature(None, {"days": image.date().difference(before.date(), "day").round()})

    return ee.FeatureCollection(ee.ImageCollection(joined).map(days)).aggregate_array("days")


def expected(place):
    return [10, 10]
