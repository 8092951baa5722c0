"""Neighbours, means, naive Bayes, boosting and regression, each by a second computation."""

import ee
import numpy as np
import pytest
import shapely
from ee_local.learners import fit_bayes, fit_boosted, fit_neighbours
from local_engine import EE_BANDS, ROWS, centre
from scipy.spatial.distance import cdist
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVR, NuSVR
from sklearn.tree import DecisionTreeRegressor

INPUTS = ["B2", "B4", "B8", "B11"]
PLACES = [(r, c) for r in range(1, ROWS - 1, 3) for c in range(1, 50, 4)]


@pytest.fixture(scope="module")
def training(engine):
    """Sampled points with a class and a number; and the same as rows, labels and values."""
    labels = np.array([4 if r < 12 else 7 if r < 25 else 9 for r, _ in PLACES])
    rows = np.array([[engine.band(b)[r, c] for b in INPUTS] for r, c in PLACES])
    values = np.round(rows[:, 2] / 1000 + np.sin(np.arange(len(rows))), 3)
    asked = ee.FeatureCollection([
        ee.Feature(ee.Geometry.Point(centre(r, c)), {"class": int(k), "yield": float(v)})
        for (r, c), k, v in zip(PLACES, labels, values, strict=True)])
    return engine.image().sampleRegions(asked, ["class", "yield"], 10), rows, labels, values


def pixels(engine, classifier):
    """Valid pixels of a classifier's map, and the rows that they come from."""
    found = engine.pixels(engine.image().classify(classifier))["classification"]
    values = np.stack([engine.band(b) for b in INPUTS])
    valid = np.isfinite(values).all(axis=0)
    return found[valid], values[:, valid].T


def bayes(rows, labels, smoothing, asked):
    """Multinomial naive Bayes written out: log prior + counts · log((n_ci + λ) ÷ (n_c + λp))."""
    scores = []
    for k in np.unique(labels):
        counts = rows[labels == k].sum(axis=0) + smoothing
        scores.append(np.log((labels == k).mean()) + asked @ np.log(counts / counts.sum()))
    scores = np.array(scores).T
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.unique(labels)[scores.argmax(axis=1)], shares / shares.sum(axis=1, keepdims=True)


def test_naive_bayes_is_the_formula(engine, training):
    sampled, rows, labels, _ = training
    model = ee.Classifier.smileNaiveBayes(0.5).train(sampled, "class", INPUTS)
    found, asked = pixels(engine, model)
    classes, shares = bayes(rows, labels, 0.5, asked)
    np.testing.assert_array_equal(found, classes)
    likely, _ = pixels(engine, model.setOutputMode("PROBABILITY"))
    np.testing.assert_allclose(likely, shares.max(axis=1), rtol=1e-5)


def test_naive_bayes_takes_whole_positive_numbers():
    rows, labels = np.array([[3.9, -2], [1, 5.2], [0, 7]]), np.array([1, 2, 2])
    model = fit_bayes(rows, labels, {"lambda": 1e-6})
    plain = np.array([[3, 0], [1, 5], [0, 7]])
    asked = np.array([[4.0, 1], [0, 3]])
    np.testing.assert_array_equal(model.predict(asked + 0.5), bayes(plain, labels, 1e-6, asked)[0])


def test_boosted_trees_are_scikit_learns(engine, training):
    sampled, rows, labels, _ = training
    model = ee.Classifier.smileGradientTreeBoost(8, 0.3, 1, 5).train(sampled, "class", INPUTS)
    reference = GradientBoostingClassifier(
        n_estimators=8, learning_rate=0.3, max_depth=None, max_leaf_nodes=5, min_samples_split=6,
        init="zero", random_state=0).fit(rows, labels)
    found, asked = pixels(engine, model)
    np.testing.assert_array_equal(found, reference.predict(asked))
    likely = pixels(engine, model.setOutputMode("PROBABILITY"))[0]
    np.testing.assert_allclose(likely, reference.predict_proba(asked).max(axis=1), rtol=1e-5)
    told = model.explain().getInfo()
    assert told["classes"] == [4, 7, 9] and sum(told["importance"].values()) == pytest.approx(1)


def test_two_classes_are_boosted_from_their_shares():
    """One stump, no shrinkage, all samples: Friedman's step written out."""
    rows = np.array([[1.0], [2], [3], [4], [5], [6], [7], [8]])
    labels = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    options = {"numberOfTrees": 1, "shrinkage": 1.0, "samplingRate": 1.0, "maxNodes": 2, "seed": 0}
    shares = fit_boosted(rows, labels, options).shares(rows)[:, 1]
    residual = labels - 0.5  # the log-odds begin at 0
    gains = [residual[:k].sum()**2 / k + residual[k:].sum()**2 / (8 - k) for k in range(1, 8)]
    cut = 1 + int(np.argmax(gains))
    steps = np.where(np.arange(8) < cut, residual[:cut].sum() / (0.25 * cut),
                     residual[cut:].sum() / (0.25 * (8 - cut)))
    np.testing.assert_allclose(shares, 1 / (1 + np.exp(-steps)))


def test_regression_by_trees(engine, training):
    sampled, rows, _, values = training
    model = ee.Classifier.smileCart(6).setOutputMode("REGRESSION").train(sampled, "yield", INPUTS)
    found, asked = pixels(engine, model)
    reference = DecisionTreeRegressor(random_state=0, max_leaf_nodes=6).fit(rows, values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference.predict(asked), rtol=1e-6)
    assert model.mode().getInfo() == "REGRESSION"
    featured = sampled.classify(model).aggregate_array("classification").getInfo()
    np.testing.assert_allclose(featured, reference.predict(rows))


def test_a_forests_regression_is_its_trees_mean(training):
    sampled, rows, _, values = training
    forest = ee.Classifier.smileRandomForest(9, seed=3)
    parts = sampled.classify(forest.setOutputMode("RAW_REGRESSION").train(
        sampled, "yield", INPUTS)).aggregate_array("classification").getInfo()
    mean = sampled.classify(forest.setOutputMode("REGRESSION").train(
        sampled, "yield", INPUTS)).aggregate_array("classification").getInfo()
    assert np.shape(parts) == (len(rows), 9)
    np.testing.assert_allclose(np.mean(parts, axis=1), mean)
    assert np.corrcoef(mean, values)[0, 1] > 0.8 and np.std(parts, axis=1).max() > 0


@pytest.mark.parametrize("loss, name", [
    ("LeastSquares", "squared_error"), ("LeastAbsoluteDeviation", "absolute_error"),
    ("Huber", "huber")])
def test_boosted_regression(training, loss, name):
    sampled, rows, _, values = training
    model = ee.Classifier.smileGradientTreeBoost(6, 0.4, 1, 4, loss).setOutputMode(
        "REGRESSION").train(sampled, "yield", INPUTS)
    reference = GradientBoostingRegressor(
        loss=name, n_estimators=6, learning_rate=0.4, max_depth=None, max_leaf_nodes=4,
        min_samples_split=6, random_state=0).fit(rows, values)
    found = sampled.classify(model).aggregate_array("classification").getInfo()
    np.testing.assert_allclose(found, reference.predict(rows))


@pytest.mark.parametrize("kind, machine", [
    ("EPSILON_SVR", SVR(C=2, epsilon=0.2, kernel="rbf", gamma=1e-6)),
    ("NU_SVR", NuSVR(C=2, nu=0.5, kernel="rbf", gamma=1e-6))])
def test_regression_by_support_vectors(training, kind, machine):
    sampled, rows, _, values = training
    model = ee.Classifier.libsvm(svmType=kind, kernelType="RBF", gamma=1e-6, cost=2,
                                 lossEpsilon=0.2).setOutputMode("REGRESSION")
    found = sampled.classify(model.train(sampled, "yield", INPUTS)).aggregate_array(
        "classification").getInfo()
    np.testing.assert_allclose(found, machine.fit(rows, values).predict(rows))


@pytest.mark.parametrize("metric, name", [
    ("euclidean", "euclidean"), ("manhattan", "cityblock"), ("cosine", "cosine")])
def test_minimum_distance_in_every_mode(engine, training, metric, name):
    sampled, rows, labels, _ = training
    means = np.array([rows[labels == k].mean(axis=0) for k in (4, 7, 9)])
    found, asked = pixels(engine, ee.Classifier.minimumDistance(metric).train(
        sampled, "class", INPUTS))
    apart = cdist(asked, means, name)
    if metric == "cosine":
        apart = np.arccos(1 - apart)
    np.testing.assert_array_equal(found, np.array([4, 7, 9])[apart.argmin(axis=1)])
    model = ee.Classifier.minimumDistance(metric).train(sampled, "class", INPUTS)
    nearest, _ = pixels(engine, model.setOutputMode("REGRESSION"))
    np.testing.assert_allclose(nearest, apart.min(axis=1), rtol=1e-5)
    table = cdist(rows, means, name)
    each = sampled.classify(model.setOutputMode("RAW")).aggregate_array("classification")
    np.testing.assert_allclose(each.getInfo(), np.arccos(1 - table) if metric == "cosine"
                               else table, rtol=1e-9)
    two = ee.Classifier.minimumDistance(metric, 2).train(sampled, "class", INPUTS)
    order = sampled.classify(two).aggregate_array("classification").getInfo()
    np.testing.assert_array_equal(order, np.array([4, 7, 9])[table.argsort(axis=1)[:, :2]])


def test_neighbours_use_the_metric_only_where_it_is_documented():
    rng = np.random.default_rng(0)
    rows, labels, asked = rng.random((60, 3)) * [1, 9, 50], rng.integers(0, 3, 60), rng.random(
        (200, 3)) * [1, 9, 50]
    wide, wide_asked = rng.random((60, 12)), rng.random((200, 12))
    options = {"k": 3, "searchMethod": "AUTO", "metric": "MANHATTAN"}

    def same(table, asked, options, metric, **more):
        reference = KNeighborsClassifier(3, metric=metric, **more).fit(table, labels)
        np.testing.assert_array_equal(fit_neighbours(table, labels, options).predict(asked),
                                      reference.predict(asked))

    same(rows, asked, options, "euclidean")  # fewer than 10 inputs: a k-d tree
    same(rows, asked, options | {"searchMethod": "KD_TREE"}, "euclidean")
    same(rows, asked, options | {"searchMethod": "LINEAR_SEARCH"}, "manhattan")
    same(wide, wide_asked, options, "manhattan")
    same(rows, asked, options | {"searchMethod": "COVER_TREE", "metric": "mahalanobis"},
         "mahalanobis", algorithm="brute", metric_params={"VI": np.linalg.inv(np.cov(rows.T))})


def test_a_spectral_region_is_a_polygon(engine):
    outer = [0, 0, 4000, 0, 4000, 5000, 0, 5000]
    hole = [1500, 1500, 3000, 1500, 3000, 3000, 1500, 3000]
    model = ee.Classifier.spectralRegion([outer, hole], ["B4", "B8"])
    shown = engine.pixels(engine.image().select(["B4", "B8"]).classify(model))["classification"]
    shape = shapely.Polygon(np.reshape(outer, (-1, 2)), [np.reshape(hole, (-1, 2))])
    red, near = engine.band("B4"), engine.band("B8")
    valid = np.isfinite(red) & np.isfinite(near)
    expected = shapely.contains_xy(shape, red[valid], near[valid])
    np.testing.assert_array_equal(shown[valid], expected)
    assert 0 < expected.mean() < 1


@pytest.mark.parametrize("build, words", [
    (lambda t: ee.Classifier.smileRandomForest(3).train(t, "yield", INPUTS),
     r"class value .* is no whole number; .*setOutputMode\('REGRESSION'\) before train"),
    (lambda t: ee.Classifier.smileCart().train(t, "class", INPUTS).setOutputMode("REGRESSION"),
     r"smileCart has been trained on classes; setOutputMode\('REGRESSION'\) must come before"),
    (lambda t: ee.Classifier.smileCart().setOutputMode("REGRESSION").train(
        t, "yield", INPUTS).setOutputMode("PROBABILITY"), "has been trained on numbers"),
    (lambda t: ee.Classifier.libsvm().setOutputMode("REGRESSION").train(t, "yield", INPUTS),
     "svmType is 'C_SVC'; for the output mode REGRESSION it must be EPSILON_SVR or NU_SVR"),
    (lambda t: ee.Classifier.smileGradientTreeBoost(0).train(t, "class", INPUTS),
     "numberOfTrees is 0; it must be 1 to 5000"),
    (lambda t: ee.Classifier.smileGradientTreeBoost(5, 2).train(t, "class", INPUTS),
     r"shrinkage is 2; it must be in \(0, 1\]"),
    (lambda t: ee.Classifier.smileGradientTreeBoost(5, 1, 0).train(t, "class", INPUTS),
     "samplingRate is 0"),
    (lambda t: ee.Classifier.smileGradientTreeBoost(5, loss="L1").setOutputMode(
        "REGRESSION").train(t, "yield", INPUTS), "loss is 'L1'; it must be one of LEASTSQUARES"),
    (lambda t: ee.Classifier.smileNaiveBayes(0).train(t, "class", INPUTS), "lambda is 0"),
    (lambda t: ee.Classifier.minimumDistance("mahalanobis").train(t, "class", INPUTS),
     "'mahalanobis' is not implemented"),
    (lambda t: ee.Classifier.minimumDistance(kNearest=0).train(t, "class", INPUTS),
     "kNearest is 0"),
    (lambda t: ee.Classifier.smileKNN(3, "FAST").train(t, "class", INPUTS),
     "searchMethod is 'FAST'; it must be one of AUTO"),
    (lambda t: ee.Classifier.smileKNN(3).setOutputMode("REGRESSION").train(t, "class", INPUTS),
     "REGRESSION of Classifier.smileKNN is not implemented"),
    (lambda t: ee.Classifier.spectralRegion([[0, 0, 1, 1]]), "a ring has 4 numbers"),
    (lambda t: ee.Classifier.spectralRegion([[0, 0, 1, 1, 1, 0]], ["a"]), "schema has 1 names"),
    (lambda t: ee.Classifier.amnhMaxent().train(t, "class", INPUTS),
     "Classifier.amnhMaxent is not implemented")])
def test_what_cannot_be_is_named(training, build, words):
    sampled = training[0]
    with pytest.raises(ee.EEException, match=words):
        sampled.classify(build(sampled)).size().getInfo()


def test_inputs_are_the_sampled_bands(training):
    assert ee.Classifier.smileNaiveBayes().train(training[0], "class").schema().getInfo() \
        == EE_BANDS
