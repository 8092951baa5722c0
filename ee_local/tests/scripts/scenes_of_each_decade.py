"""How many scenes each third of the month has."""

import ee


def script(place):
    scenes = ee.ImageCollection(place.collection)
    start = ee.Date("2023-06-01")

    def count(k):
        begun = start.advance(ee.Number(k).multiply(10), "day")
        return scenes.filterDate(begun, begun.advance(10, "day")).size()

    return ee.List.sequence(0, 3).map(count)


def expected(place):
    return [sum(k * 10 <= int(d[6:]) - 1 < k * 10 + 10 for d in place.dates) for k in range(4)]
