"""Numbers of scenes by cloud cover, with filters as text and as objects."""

import ee


def script(place):
    scenes = ee.ImageCollection(place.collection).filterDate("2023-06-01", "2023-07-01")
    return ee.List([
        scenes.filter("CLOUDY_PIXEL_PERCENTAGE < 20").size(),
        scenes.filter("CLOUDY_PIXEL_PERCENTAGE >= 10 and CLOUDY_PIXEL_PERCENTAGE < 90").size(),
        scenes.filter(ee.Filter.Or(ee.Filter.lt("CLOUDY_PIXEL_PERCENTAGE", 5),
                                   ee.Filter.gt("CLOUDY_PIXEL_PERCENTAGE", 50))).size(),
        scenes.filterMetadata("CLOUDY_PIXEL_PERCENTAGE", "equals", 12).size()])


def expected(place):
    covers = [cover for cover, _ in place.covers.values()]
    return [sum(c < 20 for c in covers), sum(10 <= c < 90 for c in covers),
            sum(c < 5 or c > 50 for c in covers), sum(c == 12 for c in covers)]
