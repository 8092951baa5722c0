"""A support vector machine's error matrix on the second part of the samples."""

import ee
import numpy as np
from sklearn.metrics import confusion_matrix
from sklearn.svm import SVC

BANDS = ["B3", "B8"]


def script(place):
    image = ee.Image(f"{place.collection}/20230611_T33UWS")
    samples = image.select([*BANDS, "SCL"]).sample(place.rectangle(1, 0, 23, 30), 10)
    train, test = samples.filter("system:index < '3'"), samples.filter("system:index >= '3'")
    model = ee.Classifier.libsvm(kernelType="LINEAR", cost=1e-5).train(train, "SCL", BANDS)
    return test.classify(model).errorMatrix("SCL", "classification", [4, 5, 6, 9]).array()


def expected(place):
    rows = np.stack([place.band("20230611", b)[1:].ravel() for b in BANDS], axis=1)
    labels = place.band("20230611", "SCL")[1:].ravel()
    first = np.array([str(k) < "3" for k in range(len(labels))])
    machine = SVC(C=1e-5, kernel="linear").fit(rows[first], labels[first])
    return confusion_matrix(labels[~first], machine.predict(rows[~first]),
                            labels=[4, 5, 6, 9]).tolist()
