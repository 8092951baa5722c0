"""Boosted trees separate clear classes; the probability of the class is told."""

import ee
import numpy as np

BANDS = ["B3", "B8"]


def script(place):
    image = ee.Image(f"{place.collection}/20230611_T33UWS").select([*BANDS, "SCL"])
    samples = image.sample(place.rectangle(1, 0, 23, 30), 10)
    model = ee.Classifier.smileGradientTreeBoost(20, 0.3).train(samples, "SCL", BANDS)
    likely = image.classify(model.setOutputMode("PROBABILITY")).gt(0.9).rename("sure")
    return image.classify(model).rename("class").addBands(likely)


def expected(place):
    truth = place.band("20230611", "SCL")
    return {"class": truth, "sure": np.where(np.isnan(truth), np.nan, 1)}
