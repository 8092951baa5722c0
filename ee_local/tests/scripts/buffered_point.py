"""A disc of 100 m around a point: area and perimeter on the ellipsoid."""

import math

import ee


def script(place):
    disc = ee.Geometry.Point(place.centre(12, 15)).buffer(100)
    return ee.List([disc.area(1).divide(1000).round(), disc.perimeter(1).round(),
                    disc.contains(ee.Geometry.Point(place.centre(12, 20)), 1),
                    disc.contains(ee.Geometry.Point(place.centre(12, 27)), 1)])


def expected(place):
    return [round(math.pi * 10), round(2 * math.pi * 100), True, False]
