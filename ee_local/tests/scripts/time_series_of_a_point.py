"""A table of dates and values at one point."""

import ee


def script(place):
    point = ee.Geometry.Point(place.centre(20, 20))

    def at_the_point(image):
        value = image.reduceRegion(ee.Reducer.first(), point, 10).get("B8")
        return ee.Feature(None, {"date": image.date().format("YYYY-MM-dd"), "value": value})

    series = ee.FeatureCollection(ee.ImageCollection(place.collection).map(at_the_point))
    return series.reduceColumns(ee.Reducer.toList(2), ["date", "value"]).get("list")


def expected(place):
    return [[f"{d[:4]}-{d[4:6]}-{d[6:]}", place.band(d, "B8")[20, 20]] for d in place.dates]
