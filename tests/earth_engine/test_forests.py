"""A scikit-learn forest as text: read back independently, it must map every pixel the same."""

import re
from collections import Counter

import ee
import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from lulc_lib import legend
from lulc_lib.earth_engine.backend import Patience, open_backend
from lulc_lib.earth_engine.forests import _why_inexact, send_forest, tree_texts
from lulc_lib.earth_engine.workflow import EE_BANDS
from lulc_lib.errors import InputError
from tests.earth_engine.google_server import earth_engine_server, sign_in

LINE = re.compile(r" *(\d+)\) (\S+) (<=|>) (\S+) \d+ \S+ (\S+?)( \*)?")
DN = 3000  # about the digital numbers drawn


@pytest.fixture(autouse=True)
def engine(monkeypatch, tmp_path):
    """A client that may build objects, and a server that records them."""
    with earth_engine_server(monkeypatch, tmp_path) as server:
        sign_in(tmp_path)
        running = open_backend(tmp_path, "google", url=server.url, patience=Patience(2, 0))
        yield running, server


def data(seed, pixels=300, classes=5, bands=10):
    """(pixel, band) digital numbers and (pixel,) legend codes of overlapping classes."""
    rng = np.random.default_rng(seed)
    codes = np.sort(rng.choice(legend.CODES, classes, replace=False))
    which = rng.integers(classes, size=pixels)
    centres = rng.normal(DN, 500, (classes, bands))
    return np.rint(rng.normal(centres[which], 400)), codes[which]


def forest(values, codes, trees=10, **settings):
    return RandomForestClassifier(trees, random_state=0, **settings).fit(values, codes)


def read_tree(text):
    """Node number to (band, sign, threshold, class, whether it is a leaf), as R's rpart has it."""
    nodes = {}
    for line in text.splitlines()[1:]:
        number, band, sign, threshold, code, leaf = LINE.fullmatch(line).groups()
        assert int(number) not in nodes, "a node comes twice"
        nodes[int(number)] = band, sign, float(threshold), int(code), bool(leaf)
    return nodes


def follow(nodes, pixel, bands):
    """The class that a tree gives a pixel; the children of node n are 2n and 2n + 1."""
    number = 1
    while True:
        for child in (2 * number, 2 * number + 1):
            band, sign, threshold, code, leaf = nodes[child]
            value = pixel[bands.index(band)]
            if (value <= threshold) == (sign == "<="):
                break
        if leaf:
            return code
        number = child


def read_forest(texts, values, bands=EE_BANDS):
    """The class with the most trees, the lowest code first."""
    trees = [read_tree(t) for t in texts]
    votes = [Counter(follow(t, pixel, bands) for t in trees) for pixel in values]
    return np.array([min(v, key=lambda code: (-v[code], code)) for v in votes])


@pytest.mark.parametrize("seed", range(4))
def test_the_text_maps_as_the_forest_does(engine, seed):
    running, server = engine
    values, codes = data(seed)
    trained = forest(values, codes)
    running.compute(send_forest(trained, EE_BANDS))
    (call,) = [v["functionInvocationValue"] for v in server.graphs[-1]["values"].values()
               if "functionInvocationValue" in v
               and v["functionInvocationValue"]["functionName"].startswith("Classifier")]
    assert call["functionName"] == "Classifier.decisionTreeEnsemble"
    unseen = data(seed + 100)[0]
    texts = tree_texts(trained, EE_BANDS)
    assert (read_forest(texts, unseen) == trained.predict(unseen)).all()


def test_small_forests_of_all_shapes():
    """Whatever is not refused is exact, tree by tree."""
    taken = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        bands, classes = int(rng.integers(2, 5)), int(rng.integers(2, 7))
        values, codes = data(seed, int(rng.integers(5, 60)), classes, bands)
        if len(np.unique(codes)) < 2:
            continue
        trained = RandomForestClassifier(3, random_state=seed).fit(values, codes)
        names = EE_BANDS[:bands]
        unseen = rng.integers(DN - 2000, DN + 2000, (100, bands)).astype(float)
        for tree in trained.estimators_:
            if _why_inexact(tree, trained.classes_):
                continue
            taken += 1
            trained.estimators_ = [tree]
            expected = trained.classes_[tree.predict(unseen).astype(int)]
            assert (read_forest(tree_texts(trained, names), unseen, names) == expected).all()
    assert taken > 150


@pytest.mark.parametrize("settings, says", [
    ({"max_leaf_nodes": 30}, "max_leaf_nodes is 30; it must be None"),
    ({"max_leaf_nodes": 5000}, "max_leaf_nodes is 5000"),
    ({"max_depth": 3}, "leaves of several classes"),
    ({"min_samples_leaf": 9}, "leaves of several classes"),
])
def test_settings_that_are_refused(settings, says):
    with pytest.raises(InputError, match=says):
        send_forest(forest(*data(1), **settings), EE_BANDS)


def test_best_first_trees_do_go_wrong():
    """Why max_leaf_nodes is refused: the same numbers come twice in the text."""
    text = tree_texts(forest(*data(1), max_leaf_nodes=40), EE_BANDS)[0]
    with pytest.raises(AssertionError, match="a node comes twice"):
        read_tree(text)


def test_a_class_that_is_never_the_majority_is_refused_and_would_be_misnamed():
    values, codes = data(2, classes=4)
    second = np.unique(codes)[1]
    few = np.flatnonzero(codes == second)[1:]
    values, codes = np.delete(values, few, axis=0), np.delete(codes, few)
    trained = forest(values, codes, trees=30)
    with pytest.raises(InputError, match=rf"class {second} is the majority of none of its nodes"):
        send_forest(trained, EE_BANDS)
    unseen = data(102, classes=4)[0]
    assert (read_forest(tree_texts(trained, EE_BANDS), unseen) != trained.predict(unseen)).any()


def test_thresholds_that_lose_digits_are_refused():
    values, codes = data(3)
    with pytest.raises(InputError, match="more than 6 decimals; train it on digital numbers"):
        send_forest(forest(values / 70_000, codes), EE_BANDS)


def test_what_is_no_forest():
    values, codes = data(4)
    for other in (RandomForestClassifier(), ExtraTreesClassifier(2).fit(values, codes), "forest"):
        with pytest.raises(InputError, match="must be a trained RandomForestClassifier"):
            send_forest(other, EE_BANDS)
    with pytest.raises(InputError, match="9 bands are named and the forest has 10"):
        send_forest(forest(values, codes), EE_BANDS[:9])
    with pytest.raises(InputError, match="it has no branch"):
        send_forest(forest(values, np.full(len(codes), codes[0])), EE_BANDS)
    assert isinstance(send_forest(forest(values, codes), EE_BANDS), ee.Classifier)
