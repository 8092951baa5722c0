"""Classes put together by remap, and the brightness of each group."""

import ee


def script(place):
    image = ee.Image(f"{place.collection}/20230611_T33UWS")
    groups = image.select("SCL").remap([4, 5, 6], [1, 1, 2]).rename("group")
    found = image.select("B3").addBands(groups).reduceRegion(
        reducer=ee.Reducer.mean().group(groupField=1, groupName="group"),
        geometry=place.rectangle(0, 0, 24, 30), scale=10)
    return found.get("groups")


def expected(place):
    scl, green = place.band("20230611", "SCL"), place.band("20230611", "B3")
    return [{"group": 1, "mean": green[(scl == 4) | (scl == 5)].mean()},
            {"group": 2, "mean": green[scl == 6].mean()}]
