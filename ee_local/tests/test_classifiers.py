"""Classifiers and confusion matrices of the local Earth Engine against scikit-learn and hand."""

import ee
import numpy as np
import pytest
from ee_local.confusion import count_pairs
from ee_local.models import bag, fit_cart, fit_forest, out_of_bag
from ee_local.tree_text import TextTree, java_g, tree_to_text
from hypothesis import given, settings
from hypothesis import strategies as st
from local_engine import (
    COLS,
    EE_BANDS,
    ROWS,
    box,
    centre,
)
from sklearn import metrics
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from ee_local import models

INPUTS = ["B2", "B4", "B8", "B11"]
PLACES = [(r, c) for r in range(1, ROWS - 1, 3) for c in range(1, COLS, 4)]


def classes_at(places):
    """A class for each pixel: water, soil or crops, with a few wrong labels."""
    rng = np.random.default_rng(8)
    found = np.array([4 if r < 12 else 7 if r < 25 else 9 for r, _ in places])
    wrong = rng.random(len(found)) < 0.15
    return np.where(wrong, rng.choice([4, 7, 9], len(found)), found)


@pytest.fixture(scope="module")
def training(engine):
    """Sampled points with class and bands; and the same as rows and labels."""
    labels = classes_at(PLACES)
    asked = ee.FeatureCollection([
        ee.Feature(ee.Geometry.Point(centre(r, c)), {"class": int(k)})
        for (r, c), k in zip(PLACES, labels, strict=True)])
    rows = np.array([[engine.band(b)[r, c] for b in INPUTS] for r, c in PLACES])
    return engine.image().sampleRegions(asked, ["class"], 10), rows, labels


def mapped(engine, classifier):
    """(row, col) of a classifier's class map, and the valid pixels as rows."""
    found = engine.pixels(engine.image().classify(classifier))["classification"]
    values = np.stack([engine.band(b) for b in INPUTS])
    valid = np.isfinite(values).all(axis=0)
    return found, values[:, valid].T, valid


def check_map(engine, classifier, reference):
    found, rows, valid = mapped(engine, classifier)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found[valid], reference.predict(rows))
    assert (found[~valid] == 0).all()


def cart(rows, labels, leaves=None, smallest=1):
    """Smile's tree without the client; test_smile.py holds it against Smile's own outputs."""
    return fit_cart(rows, labels, {"maxNodes": leaves, "minLeafPopulation": smallest})


def test_cart_is_smiles_tree(engine, training):
    sampled, rows, labels = training
    check_map(engine, ee.Classifier.smileCart().train(sampled, "class", INPUTS),
              cart(rows, labels))
    check_map(engine, ee.Classifier.smileCart(4, 5).train(sampled, "class", INPUTS),
              cart(rows, labels, 4, 5))


def test_cart_explains_itself(engine, training):
    sampled, rows, labels = training
    told = ee.Classifier.smileCart(3).train(sampled, "class", INPUTS).explain().getInfo()
    (tree,) = cart(rows, labels, 3)._trees
    assert list(told["importance"]) == INPUTS and told["classes"] == [4, 7, 9]
    assert list(told["importance"].values()) == tree.importance(4).tolist()
    assert sum(v > 0 for v in told["importance"].values()) == 2  # two nodes, two gains
    reverse = ee.Classifier.smileCart(3).train(sampled, "class", INPUTS[::-1]).explain().getInfo()
    assert set(reverse["importance"]) == set(INPUTS)


def test_the_linear_machine_is_libsvms(engine, training):
    sampled, rows, labels = training
    check_map(engine, ee.Classifier.libsvm(cost=0.001).train(sampled, "class", INPUTS),
              SVC(C=0.001, kernel="linear").fit(rows, labels))
    check_map(engine, ee.Classifier.libsvm(kernelType="RBF", gamma=1e-6, cost=10).train(
        sampled, "class", INPUTS), SVC(C=10, kernel="rbf", gamma=1e-6).fit(rows, labels))
    check_map(engine, ee.Classifier.libsvm(kernelType="RBF").train(sampled, "class", INPUTS),
              SVC(C=1, kernel="rbf", gamma=1 / len(INPUTS)).fit(rows, labels))


def test_a_machine_that_finds_no_end_says_so(engine, training, monkeypatch, recwarn):
    """Digital numbers and a cost of 1: an all but hard margin. libsvm itself counts its steps."""
    sampled, rows, labels = training
    monkeypatch.setattr(models, "STEPS", 50)
    check_map(engine, ee.Classifier.libsvm(cost=1.5).train(sampled, "class", INPUTS),
              SVC(C=1.5, kernel="linear", max_iter=50).fit(rows, labels))
    told = [str(w.message) for w in recwarn if "Classifier.libsvm" in str(w.message)]
    pairs = len(np.unique(labels)) * (len(np.unique(labels)) - 1) // 2
    assert told and f"of {pairs} pairs of classes were not solved within libsvm's 50" in told[0]
    assert "divide the bands" in told[0]


def test_a_machine_that_ends_says_nothing(engine, training, recwarn):
    sampled = training[0]
    ee.Classifier.libsvm(cost=0.0001).train(sampled, "class", INPUTS).explain().getInfo()
    assert not [w for w in recwarn if "libsvm" in str(w.message)]
    assert models.STEPS == 10_000_000  # as in libsvm's own Solver


def test_neighbours_and_means(engine, training):
    sampled, rows, labels = training
    check_map(engine, ee.Classifier.smileKNN(5).train(sampled, "class", INPUTS),
              KNeighborsClassifier(5).fit(rows, labels))
    check_map(engine, ee.Classifier.minimumDistance().train(sampled, "class", INPUTS),
              NearestCentroid().fit(rows, labels))


def test_features_are_classified_like_pixels(engine, training):
    sampled, rows, labels = training
    model = ee.Classifier.smileCart().train(sampled, "class", INPUTS)
    found = sampled.classify(model, "mapped").aggregate_array("mapped").getInfo()
    assert found == cart(rows, labels).predict(rows).tolist()
    assert all(isinstance(v, int) for v in found)


def test_half_of_every_class_without_replacement():
    index = np.repeat([0, 1, 2], [40, 11, 1])
    rng = np.random.default_rng(0)
    for _ in range(20):
        times = bag(index, 0.5, rng)
        assert times.max() == 1  # 5.5 and 0.5 go up
        assert np.bincount(index, times).tolist() == [20, 6, 1]
    whole = bag(index, 1.0, rng)
    assert np.bincount(index, whole).tolist() == [40, 11, 1] and (whole > 0).sum() < 52


def test_a_forest_is_its_trees_majority(training):
    _, rows, labels = training
    options = {"numberOfTrees": 7, "variablesPerSplit": None, "minLeafPopulation": 1,
               "bagFraction": 0.5, "maxNodes": None, "seed": 4}
    forest = fit_forest(rows, labels, options)
    trees = forest._trees
    assert len(trees) == 7
    assert all(t.counts[0].tolist() == [(n + 1) // 2 for n in np.unique(
        labels, return_counts=True)[1]] for t in trees)
    votes = np.stack([forest.classes[t.spread(rows.T, t.labels())] for t in trees])
    expected = [min(np.unique(v)[np.unique(v, return_counts=True)[1]
                                 == np.unique(v, return_counts=True)[1].max()]) for v in votes.T]
    np.testing.assert_array_equal(forest.predict(rows), expected)
    np.testing.assert_allclose(forest.shares(rows).sum(axis=1), 1)
    assert 0 < forest.explain(INPUTS)["outOfBagErrorEstimate"] < 0.6
    again, other = (fit_forest(rows, labels, options | {"seed": s}) for s in (4, 5))
    assert again.explain(INPUTS) == forest.explain(INPUTS) != other.explain(INPUTS)


def test_variables_are_drawn_for_each_node(training):
    """With one variable a node, all are used; with all, the bags alone make trees differ."""
    _, rows, labels = training
    options = {"numberOfTrees": 20, "minLeafPopulation": 1, "bagFraction": 0.5, "maxNodes": 2,
               "seed": 1}
    roots = {k: {int(t.variable[0]) for t in fit_forest(
        rows, labels, options | {"variablesPerSplit": k})._trees} for k in (1, 4)}
    assert roots[1] >= {0, 1, 2} and len(roots[4]) < len(roots[1])


def test_without_samples_left_out_there_is_no_error(training):
    _, rows, labels = training
    index = np.unique(labels, return_inverse=True)[1]
    model = cart(rows, labels)
    weights, error = out_of_bag(model._trees, rows, index, np.ones((1, len(rows)), int))
    assert weights.tolist() == [1] and error == 0


def test_forests_through_the_client(engine, training):
    sampled, rows, labels = training
    model = ee.Classifier.smileRandomForest(10, seed=3).train(sampled, "class", INPUTS)
    explained = model.explain().getInfo()
    assert explained["numberOfTrees"] == 10 and explained["classes"] == [4, 7, 9]
    assert set(explained["importance"]) == set(INPUTS)
    assert min(explained["importance"].values()) >= 0 and len(explained["trees"]) == 10
    options = {"numberOfTrees": 10, "variablesPerSplit": None, "minLeafPopulation": 1,
               "bagFraction": 0.5, "maxNodes": None, "seed": 3}
    check_map(engine, model, fit_forest(rows, labels, options))
    assert model.mode().getInfo() == "CLASSIFICATION" and model.schema().getInfo() == INPUTS
    info = model.getInfo()
    assert info["type"] == "Classifier" and info["numberOfTrees"] == 10


def test_probabilities(engine, training):
    sampled, rows, labels = training
    model = ee.Classifier.smileRandomForest(10).train(sampled, "class", INPUTS)
    many = engine.image().classify(model.setOutputMode("MULTIPROBABILITY"))
    found = engine.pixels(many.arrayFlatten([["a", "b", "c"]]))
    total = sum(found[n] for n in "abc")
    _, _, valid = mapped(engine, model)
    np.testing.assert_allclose(total[valid], 1)
    one = engine.pixels(engine.image().classify(model.setOutputMode("PROBABILITY")))
    np.testing.assert_allclose(one["classification"][valid], np.max(
        [found[n] for n in "abc"], axis=0)[valid])
    best = np.array([4, 7, 9])[np.argmax([found[n] for n in "abc"], axis=0)]
    same = (mapped(engine, model)[0] == best)[valid].mean()  # votes are not weighted
    assert 0.9 < same <= 1
    leaf = ee.Classifier.smileCart(3).train(sampled, "class", INPUTS)
    row = sampled.limit(5).classify(leaf.setOutputMode("MULTIPROBABILITY")).aggregate_array(
        "classification").getInfo()
    np.testing.assert_allclose(row, cart(rows, labels, 3).shares(rows[:5]))
    assert np.min(row) > 0  # one row of each class is added in every leaf


def test_trees_as_text_come_back(engine, training):
    sampled, rows, labels = training
    model = cart(rows, labels)
    (tree,) = model._trees
    text = tree_to_text(tree, INPUTS, model.classes)
    again = TextTree(text).predict(dict(zip(INPUTS, rows.T, strict=True)), len(rows))
    np.testing.assert_array_equal(again, model.predict(rows))
    check_map(engine, ee.Classifier.decisionTree(text), model)
    forest = ee.Classifier.smileRandomForest(9).train(sampled, "class", INPUTS)
    texts = forest.explain().get("trees")
    copied = ee.Classifier.decisionTreeEnsemble(texts)
    ours, _, valid = mapped(engine, forest)
    theirs = engine.pixels(engine.image().classify(copied))["classification"]
    np.testing.assert_array_equal(theirs[valid], ours[valid])


def test_a_tree_is_written_as_smile_writes_it():
    model = cart(np.array([[1.0], [2.0], [4.0], [6.0]]), np.array([3, 3, 8, 8]))
    assert model.explain(["B2"])["tree"].splitlines() == [
        "n= 4", "node), split, n, loss, yval, (yprob)", "* denotes terminal node",
        "1) root 4 2.0000 3 (0.50000 0.50000)",
        " 2) B2<=3.00000 2 0.0000 3 (0.75000 0.25000) *",
        " 3) B2>3.00000 2 0.0000 8 (0.25000 0.75000) *"]


@pytest.mark.parametrize("value, text", [
    (445.0, "445.000"), (0.0, "0.00000"), (-12345.25, "-12345.3"), (0.00123456789, "0.00123457"),
    (1234567.0, "1.23457e+06"), (0.0000123, "1.23000e-05"), (999999.5, "1.00000e+06")])
def test_numbers_are_written_as_java_writes_them(value, text):
    assert java_g(value) == text


R_TREE = """n= 150
node), split, n, deviance, yval, (yprob)
      * denotes terminal node
 1) root 150 100 1 (0.33 0.33 0.33)
   2) B8< 2450 50   0 1 (1 0 0) *
   3) B8>=2450 100  50 2 (0 0.5 0.5)
     6) B4< 1750 54   5 2 (0 0.9 0.1) *
     7) B4>=1750 46   1 3 (0 0.02 0.98) *
"""


def test_a_tree_written_by_r(engine):
    found = engine.pixels(engine.image().classify(ee.Classifier.decisionTree(R_TREE)))
    red, nir = engine.band("B4"), engine.band("B8")
    expected = np.where(nir < 2450, 1, np.where(red < 1750, 2, 3))
    np.testing.assert_array_equal(found["classification"],
                                  np.where(np.isfinite(nir), expected, 0))


def test_geemaps_trees_are_scikit_learns(engine, training):
    from geemap import ml

    _, rows, labels = training
    tree = DecisionTreeClassifier(random_state=1).fit(rows, np.searchsorted([4, 7, 9], labels))
    text = ml.tree_to_string(tree, INPUTS, labels=[4, 7, 9])
    found, values, valid = mapped(engine, ml.strings_to_classifier([text]))
    np.testing.assert_array_equal(found[valid], np.array([4, 7, 9])[tree.predict(values)])


@pytest.mark.parametrize("build, words", [
    (lambda t: ee.Classifier.smileCart().train(t, "class", ["B2", "B99"]),
     "Property 'B99' of feature '0_0' is missing"),
    (lambda t: ee.Classifier.smileCart().train(t, "none", INPUTS), "Property 'none'"),
    (lambda t: ee.Classifier.smileCart().train(t.filter(ee.Filter.eq("class", 1)), "class",
                                               INPUTS), "No training data"),
    (lambda t: ee.Classifier.smileCart().train(t.filter(ee.Filter.eq("class", 4)), "class",
                                               INPUTS), "Only one class"),
    (lambda t: ee.Classifier.smileCart().train(
        t.map(lambda f: f.set("class", 1.5)), "class", INPUTS), "1.5"),
    (lambda t: ee.Classifier.smileCart(1).train(t, "class", INPUTS), "maxNodes is 1"),
    (lambda t: ee.Classifier.smileRandomForest(0).train(t, "class", INPUTS), "numberOfTrees is 0"),
    (lambda t: ee.Classifier.smileRandomForest(2, 99).train(t, "class", INPUTS), "99"),
    (lambda t: ee.Classifier.smileRandomForest(2, bagFraction=2).train(t, "class", INPUTS),
     "bagFraction"),
    (lambda t: ee.Classifier.libsvm(kernelType="CUBE").train(t, "class", INPUTS), "CUBE"),
    (lambda t: ee.Classifier.libsvm(cost=-1).train(t, "class", INPUTS), "libsvm"),
    (lambda t: ee.Classifier.libsvm(svmType="ONE_CLASS").train(t, "class", INPUTS), "ONE_CLASS"),
    (lambda t: ee.Classifier.libsvm("Margin").train(t, "class", INPUTS), "Margin"),
    (lambda t: ee.Classifier.smileKNN(500).train(t, "class", INPUTS), "500"),
    (lambda t: ee.Classifier.amnhMaxent().train(t, "class", INPUTS),
     "Classifier.amnhMaxent is not implemented"),
    (lambda t: ee.Clusterer.wekaCobweb(), "wekaCobweb is not"),
    (lambda t: ee.Classifier.smileCart().explain(), "not trained"),
    (lambda t: ee.Classifier.smileCart().setOutputMode("LOUD"), "LOUD"),
    (lambda t: t.classify(ee.Classifier.smileKNN().setOutputMode("REGRESSION").train(
        t, "class", INPUTS)), "REGRESSION"),
    (lambda t: ee.Classifier.decisionTree("no tree"), "no tree|no root"),
    (lambda t: ee.Classifier.decisionTree("1) root 3 x"), "cannot be"),
    (lambda t: t.errorMatrix("class", "nothing"), "Property 'nothing'"),
    (lambda t: ee.ConfusionMatrix(ee.Array([[1, 2]])), "square")])
def test_what_cannot_be_trained_is_named(training, build, words):
    with pytest.raises(ee.EEException, match=words):
        build(training[0]).getInfo()


def test_an_image_without_the_inputs(engine, training):
    model = ee.Classifier.smileCart().train(training[0], "class", INPUTS)
    with pytest.raises(ee.EEException, match="'B4'"):
        engine.image().select(["B2"]).classify(model).getInfo()


ACTUAL = [1, 1, 1, 2, 2, 4, 4, 4, 4, 5]
PREDICTED = [1, 1, 2, 2, 4, 4, 4, 4, 1, 9]


@pytest.fixture(scope="module")
def pairs(engine):
    return ee.FeatureCollection([ee.Feature(None, {"a": a, "p": p})
                                 for a, p in zip(ACTUAL, PREDICTED, strict=True)])


def test_without_an_order_the_matrix_runs_from_0_to_the_largest_label(pairs):
    matrix = pairs.errorMatrix("a", "p")
    found = np.array(matrix.array().getInfo())
    assert found.shape == (10, 10) and found.sum() == len(ACTUAL)
    np.testing.assert_array_equal(found, metrics.confusion_matrix(
        ACTUAL, PREDICTED, labels=range(10)))
    assert matrix.order().getInfo() == list(range(10))
    assert matrix.getInfo() == found.tolist()
    producers = matrix.producersAccuracy().getInfo()
    assert len(producers) == 10 and producers[0] == [0] and producers[4] == [0.75]


def test_an_order_drops_other_labels_without_a_word(pairs):
    matrix = pairs.errorMatrix("a", "p", [4, 2, 1])
    inside = [(a, p) for a, p in zip(ACTUAL, PREDICTED, strict=True) if {a, p} <= {1, 2, 4}]
    expected = metrics.confusion_matrix(*zip(*inside, strict=True), labels=[4, 2, 1])
    assert matrix.array().getInfo() == expected.tolist() and expected.sum() == 9
    recall = metrics.recall_score(*zip(*inside, strict=True), labels=[4, 2, 1], average=None)
    precision = metrics.precision_score(*zip(*inside, strict=True), labels=[4, 2, 1], average=None)
    f1 = metrics.f1_score(*zip(*inside, strict=True), labels=[4, 2, 1], average=None)
    found = ee.Dictionary({
        "pa": matrix.producersAccuracy(), "ua": matrix.consumersAccuracy(), "f": matrix.fscore(),
        "oa": matrix.accuracy(), "kappa": matrix.kappa(), "f2": matrix.fscore(2)}).getInfo()
    np.testing.assert_allclose(found["pa"], recall[:, None])  # 3 × 1
    np.testing.assert_allclose(found["ua"], precision[None, :])  # 1 × 3
    np.testing.assert_allclose(found["f"], f1)
    assert found["oa"] == pytest.approx(metrics.accuracy_score(*zip(*inside, strict=True)))
    assert found["kappa"] == pytest.approx(metrics.cohen_kappa_score(*zip(*inside, strict=True)))
    np.testing.assert_allclose(found["f2"], metrics.fbeta_score(
        *zip(*inside, strict=True), beta=2, labels=[4, 2, 1], average=None))


def test_a_matrix_from_an_array():
    matrix = ee.ConfusionMatrix(ee.Array([[8, 2], [1, 9]]), [3, 7])
    assert matrix.accuracy().getInfo() == 0.85 and matrix.order().getInfo() == [3, 7]
    assert matrix.kappa().getInfo() == pytest.approx(0.7)


def test_resubstitution(engine, training):
    sampled, rows, labels = training
    model = ee.Classifier.smileCart(4).train(sampled, "class", INPUTS)
    tree = cart(rows, labels, 4)
    assert model.confusionMatrix().array().getInfo() == metrics.confusion_matrix(
        labels, tree.predict(rows), labels=range(10)).tolist()
    again = sampled.classify(model).errorMatrix("class", "classification")
    assert again.array().getInfo() == model.confusionMatrix().array().getInfo()


def test_subsampling_trains_on_a_part(training):
    sampled, _, labels = training
    model = ee.Classifier.smileCart().train(sampled, "class", INPUTS, 0.5, 7)
    total = np.sum(model.confusionMatrix().array().getInfo())
    assert 0.3 < total / len(labels) < 0.7


def test_inputs_default_to_the_sampled_bands(training):
    model = ee.Classifier.smileCart().train(training[0], "class")
    assert model.schema().getInfo() == EE_BANDS


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=60),
       st.permutations(range(7)))
def test_matrices_agree_in_any_order(pairs, order):
    actual, predicted = (np.array([p[k] for p in pairs], dtype=float) for k in (0, 1))
    one, two = (count_pairs(actual, predicted, o) for o in (list(range(7)), list(order)))
    np.testing.assert_array_equal(two.counts, one.counts[np.ix_(order, order)])
    assert one.accuracy() == two.accuracy() and one.kappa() == pytest.approx(two.kappa())
    np.testing.assert_allclose(two.producers()[:, 0], one.producers()[list(order), 0])
    if pairs and one.kappa():
        assert one.kappa() == pytest.approx(metrics.cohen_kappa_score(actual, predicted))


def test_class_maps_count_what_features_say(engine, training):
    model = ee.Classifier.smileCart().train(training[0], "class", INPUTS)
    counted = engine.image().classify(model).reduceRegion(
        ee.Reducer.frequencyHistogram(), box(0, 0, ROWS, COLS), 10).get("classification").getInfo()
    found, _, valid = mapped(engine, model)
    assert counted == {str(k): int((found[valid] == k).sum()) for k in (4, 7, 9)}
