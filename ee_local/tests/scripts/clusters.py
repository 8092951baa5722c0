"""Unsupervised: k-means finds the four surfaces of a scene."""

import ee
import numpy as np


def script(place):
    image = ee.Image(f"{place.collection}/20230611_T33UWS").select(["B3", "B8"])
    training = image.sample(region=place.rectangle(1, 0, 23, 30), scale=10)
    clusterer = ee.Clusterer.wekaKMeans(4, 3).train(training)
    counted = image.cluster(clusterer).reduceRegion(
        ee.Reducer.frequencyHistogram(), place.rectangle(0, 0, 24, 30), 10)
    return ee.Dictionary(counted.get("cluster")).values().sort()


def expected(place):
    return sorted(np.unique(place.band("20230611", "SCL")[1:], return_counts=True)[1].tolist())
