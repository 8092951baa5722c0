"""A regression tree that learns every sample gives every sample back."""

import ee

BANDS = ["B2", "B3", "B4", "B8"]


def script(place):
    image = ee.Image(f"{place.collection}/20230601_T33UWS").select(BANDS)
    samples = image.sample(region=place.rectangle(5, 6, 3, 8), scale=10)
    samples = samples.map(lambda f: f.set("yield", f.getNumber("B8").divide(3).add(0.25)))
    model = ee.Classifier.smileCart().setOutputMode("REGRESSION").train(samples, "yield", BANDS)
    return samples.classify(model, "predicted").aggregate_array("predicted")


def expected(place):
    return (place.band("20230601", "B8")[5:8, 6:14].ravel() / 3 + 0.25).tolist()
