"""As many points from every class, and their class beside the bands."""

import ee


def script(place):
    image = ee.Image(f"{place.collection}/20230601_T33UWS")
    points = image.select(["SCL", "B8"]).stratifiedSample(
        numPoints=7, classBand="SCL", region=place.rectangle(1, 6, 23, 20), scale=10, seed=3,
        geometries=True)
    return points.aggregate_histogram("SCL")


def expected(place):
    return {"4": 7, "5": 7, "6": 7}
