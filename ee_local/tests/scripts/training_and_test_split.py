"""Samples divided at random: nothing is lost and nothing is in both parts."""

import ee


def script(place):
    image = ee.Image(f"{place.collection}/20230601_T33UWS").select(["B4", "B8"])
    samples = image.sample(region=place.rectangle(4, 5, 10, 12), scale=10).randomColumn(seed=42)
    train, test = samples.filter("random < 0.7"), samples.filter("random >= 0.7")
    both = train.filter(ee.Filter.inList("system:index", test.aggregate_array("system:index")))
    return ee.List([train.size().add(test.size()), both.size(),
                    train.aggregate_sum("B8").add(test.aggregate_sum("B8")),
                    ee.Number(train.aggregate_max("random")).lt(0.7)])


def expected(place):
    return [120, 0, place.band("20230601", "B8")[4:14, 5:17].sum(), 1]
