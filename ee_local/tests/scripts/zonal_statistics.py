"""Mean and number of pixels for each of two plots."""

import ee


def script(place):
    plots = ee.FeatureCollection([
        ee.Feature(place.rectangle(2, 16, 4, 5), {"name": "north"}),
        ee.Feature(place.rectangle(17, 16, 5, 6), {"name": "south"})])
    image = ee.Image(f"{place.collection}/20230611_T33UWS").select(["B4", "B8"])
    reducer = ee.Reducer.mean().combine(ee.Reducer.count(), sharedInputs=True)
    table = image.reduceRegions(collection=plots, reducer=reducer, scale=10)
    return table.reduceColumns(
        ee.Reducer.toList(4), ["name", "B4_mean", "B8_mean", "B8_count"]).get("list")


def expected(place):
    red, near = place.band("20230611", "B4"), place.band("20230611", "B8")
    return [[name, red[where].mean(), near[where].mean(), near[where].size] for name, where in (
        ("north", (slice(2, 6), slice(16, 21))), ("south", (slice(17, 22), slice(16, 22))))]
