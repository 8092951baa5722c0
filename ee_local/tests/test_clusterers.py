"""Clusterers against scikit-learn's k-means and a formula written out."""

import ee
import numpy as np
import pytest
from ee_local.kmeans import first_centres, fit_cascade, fit_k_means, separation_index, settle
from local_engine import COLS, ROWS, box
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score

INPUTS = ["B4", "B8"]


@pytest.fixture(scope="module")
def blobs():
    """Four clear clusters of inputs whose units differ by a thousand; (row, 2) and the truth."""
    rng = np.random.default_rng(4)
    truth = np.repeat(np.arange(4), 40)
    middles = np.array([[0, 0], [10, 0], [0, 9000], [10, 9000]])
    return middles[truth] + rng.normal(size=(160, 2)) * [0.5, 500], truth


def options(**more):
    return {"nClusters": 4, "init": 1, "canopies": False, "distanceFunction": "Euclidean",
            "maxIterations": None, "seed": 10} | more


def test_lloyds_steps_are_scikit_learns():
    rows = np.random.default_rng(0).random((300, 3))
    reference = KMeans(5, init=rows[:5], n_init=1, tol=0, algorithm="lloyd").fit(rows)
    np.testing.assert_allclose(settle(rows, rows[:5], "EUCLIDEAN", 500),
                               reference.cluster_centers_)


@pytest.mark.parametrize("how", [1, 3])
@pytest.mark.parametrize("distance", ["Euclidean", "Manhattan"])
def test_clear_clusters_are_found_whatever_the_units(blobs, how, distance):
    rows, truth = blobs
    found = fit_k_means(rows, options(init=how, distanceFunction=distance)).predict(rows)
    assert adjusted_rand_score(truth, found) == 1 and set(found) == {0, 1, 2, 3}


def test_medians_are_the_centres_of_manhattan_distances():
    rows = np.array([[0.0], [1], [2], [50], [1000], [1001], [1002]])
    centres = settle(rows, rows[[0, 4]], "MANHATTAN", 500)
    np.testing.assert_array_equal(centres, [[1.5], [1001]])


def test_starts_are_samples_and_differ():
    rows = np.repeat(np.arange(6.0)[:, None], 3, axis=0)
    for how in (0, 1, 3):
        start = first_centres(rows, 6, how, "EUCLIDEAN", np.random.default_rng(how))
        assert sorted(start[:, 0]) == [0, 1, 2, 3, 4, 5]
        assert len(first_centres(rows, 9, how, "EUCLIDEAN", np.random.default_rng(0))) == 6
    far = first_centres(rows, 2, 3, "EUCLIDEAN", np.random.default_rng(0))
    assert abs(far[0, 0] - far[1, 0]) >= 3


def test_the_cascade_finds_how_many_there_are(blobs):
    rows, truth = blobs
    model = fit_cascade(rows, {"minClusters": 2, "maxClusters": 7, "restarts": 5, "manual": False,
                               "init": True, "distanceFunction": "Euclidean",
                               "maxIterations": None})
    assert len(model.centres) == 4 and adjusted_rand_score(truth, model.predict(rows)) == 1
    assert separation_index(rows, truth) == pytest.approx(calinski_harabasz_score(rows, truth))


def test_pixels_and_features_are_clustered_through_the_client(engine):
    image = engine.image().select(INPUTS)
    sampled = image.sample(box(0, 0, ROWS, COLS), 10)
    model = ee.Clusterer.wekaKMeans(3, 1, seed=2).train(sampled)
    assert model.schema().getInfo() == INPUTS
    found = engine.pixels(image.cluster(model))["cluster"]
    values = np.stack([engine.band(b) for b in INPUTS])
    valid = np.isfinite(values).all(axis=0)
    rows = values[:, valid].T
    scaled = (rows - rows.min(axis=0)) / np.ptp(rows, axis=0)
    reference = KMeans(3, n_init=10, random_state=0).fit_predict(scaled)
    assert adjusted_rand_score(reference, found[valid]) > 0.999
    features = sampled.cluster(model, "group").aggregate_array("group").getInfo()
    np.testing.assert_array_equal(features, found[valid])
    assert found.dtype == np.int32 and model.getInfo()["clusterer"] == "Clusterer.wekaKMeans"


def test_the_cascade_through_the_client(engine):
    """Three clusters are scikit-learn's."""
    image = engine.image().select(INPUTS)
    sampled = image.sample(box(0, 0, ROWS, COLS), 10)
    model = ee.Clusterer.wekaCascadeKMeans(3, 3).train(sampled)
    found = np.array(sampled.cluster(model).aggregate_array("cluster").getInfo())
    rows = np.array(sampled.reduceColumns(ee.Reducer.toList(2), INPUTS).get("list").getInfo())
    scaled = (rows - rows.min(axis=0)) / np.ptp(rows, axis=0)
    best = KMeans(3, n_init=10, random_state=0).fit_predict(scaled)
    assert adjusted_rand_score(best, found) > 0.99


@pytest.mark.parametrize("build, words", [
    (lambda t: ee.Clusterer.wekaKMeans(0).train(t), "nClusters is 0; it must be 1 or more"),
    (lambda t: ee.Clusterer.wekaKMeans(2, 2).train(t), "canopies are not implemented"),
    (lambda t: ee.Clusterer.wekaKMeans(2, 7).train(t), "init is 7"),
    (lambda t: ee.Clusterer.wekaKMeans(2, distanceFunction="Cosine").train(t), "is 'Cosine'"),
    (lambda t: ee.Clusterer.wekaKMeans(2, maxIterations=0).train(t), "maxIterations is 0"),
    (lambda t: ee.Clusterer.wekaCascadeKMeans(5, 3).train(t), "minClusters is 5"),
    (lambda t: ee.Clusterer.wekaCascadeKMeans(restarts=0).train(t), "restarts is 0"),
    (lambda t: ee.Clusterer.wekaKMeans(2), "Clusterer is not trained"),
    (lambda t: ee.Clusterer.wekaKMeans(2).train(t, ["nothing"]),
     "Clusterer.train: Property 'nothing' of feature '.*' is missing"),
    (lambda t: ee.Clusterer.wekaKMeans(2).train(t.filter(ee.Filter.eq("B4", -1))),
     "No training data"),
    (lambda t: ee.Clusterer.wekaKMeans(2).train(ee.FeatureCollection([ee.Feature(None)])),
     "inputProperties must be given"),
    (lambda t: ee.Classifier.smileCart(), "Expected type: Clusterer. Actual type: Classifier"),
    (lambda t: ee.Clusterer.wekaXMeans().train(t), "Clusterer.wekaXMeans is not implemented")])
def test_what_cannot_be_is_named(engine, build, words):
    image = engine.image().select(INPUTS)
    sampled = image.sample(box(2, 2, 8, 8), 10)
    with pytest.raises(ee.EEException, match=words):
        engine.pixels(image.cluster(build(sampled)))
