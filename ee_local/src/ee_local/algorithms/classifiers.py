"""``Classifier``: which there are, and training and applying one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ee_local import elements as el
from ee_local.confusion import ConfusionMatrix
from ee_local.errors import EngineError
from ee_local.grid import Grid
from ee_local.learners import (
    REGRESSION,
    REGRESSIONS,
    Regression,
    SpectralRegion,
    fit_bayes,
    fit_boosted,
    fit_means,
    fit_neighbours,
    trained_on_numbers,
)
from ee_local.models import (
    MODES,
    Classifier,
    fit_cart,
    fit_forest,
    fit_svm,
    no_shares,
)
from ee_local.pixels import (
    Band,
    Image,
    Pixels,
    PixelType,
    integer_type,
    read_all,
)
from ee_local.registry import function, untrained
from ee_local.tree_text import TextTree, split_trees

for _name, _fit, _text in (
    ("smileCart", fit_cart, "One decision tree, grown by Gini impurity."),
    ("smileRandomForest", fit_forest,
     "A forest of trees, each on a half of every class; the trees vote."),
    ("libsvm", fit_svm, "libsvm's support vector classifier, linear by default."),
    ("smileKNN", fit_neighbours, "The most common class of the nearest samples."),
    ("minimumDistance", fit_means, "The class with the nearest mean."),
    ("smileNaiveBayes", fit_bayes, "Naive Bayes of counts (multinomial)."),
    ("smileGradientTreeBoost", fit_boosted, "Boosted regression trees."),
):
    untrained(Classifier, f"Classifier.{_name}", _fit, _text)


@function("Classifier.spectralRegion")
def spectral_region(coordinates: list[list[float]], schema: list[str] | None) -> Classifier:
    """Return 1 where two inputs lie within a polygon, else 0; it needs no training."""
    inputs = tuple(schema or ("u", "v"))
    if len(inputs) != 2:
        raise EngineError(f"Classifier.spectralRegion: schema has {len(inputs)} names; it must "
                          "have 2.")
    return Classifier("Classifier.spectralRegion", {}, None, inputs=inputs,
                      model=SpectralRegion(coordinates))


class TextForest:
    """Trees read from text that vote; a tie goes to the smaller value."""

    def __init__(self, texts: list[str]) -> None:
        self._trees = [TextTree(part) for text in texts for part in split_trees(text)]
        if not self._trees:
            raise EngineError("Classifier.decisionTreeEnsemble: there is no tree in the text.")
        self.inputs = sorted(set().union(*(t.variables() for t in self._trees)))
        values = {n.value for t in self._trees for n in t.nodes.values()}
        self.classes = np.array(sorted(values))

    def _columns(self, rows: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return dict(zip(self.inputs, rows.T, strict=True))

    def votes(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row, class) number of trees for each value."""
        counts = np.zeros((len(rows), len(self.classes)))
        every = np.arange(len(rows))
        for tree in self._trees:
            found = tree.predict(self._columns(rows), len(rows))
            counts[every, np.searchsorted(self.classes, found)] += 1
        return counts

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row,) value with most votes."""
        return self.classes[self.votes(rows).argmax(axis=1)].astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row, value) share of votes; a single tree has none."""
        if len(self._trees) == 1:
            raise no_shares("Classifier.decisionTree")
        return self.votes(rows) / len(self._trees)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return values and number of trees."""
        return {"classes": self.classes.tolist(), "numberOfTrees": len(self._trees)}


def _ready(name: str, texts: list[str]) -> Classifier:
    forest = TextForest(texts)
    return Classifier(name, {}, None, inputs=tuple(forest.inputs), model=forest)


@function("Classifier.decisionTree")
def decision_tree(text: str) -> Classifier:
    """Return a tree given as text; it needs no training."""
    return _ready("Classifier.decisionTree", [text])


@function("Classifier.decisionTreeEnsemble")
def decision_tree_ensemble(texts: list[str]) -> Classifier:
    """Return trees given as texts, which vote; they need no training."""
    return _ready("Classifier.decisionTreeEnsemble", texts)


def training_table(features: el.Collection, names: list[str], where: str) -> NDArray[np.float64]:
    """Return (feature, property) numbers of a collection.

    Raises
    ------
    EngineError
        A feature lacks a property, or one is no number.
    """
    table = [[_numeric(f, n, where) for n in names] for f in features.elements]
    return np.array(table, dtype=np.float64).reshape(-1, len(names))


def _numeric(feature: el.Element, name: str, where: str) -> float:
    value = el.get(feature, name)
    if value is None:
        raise EngineError(f"{where}: Property '{name}' of feature "
                          f"'{el.index_of(feature)}' is missing.")
    if not isinstance(value, (int, float)):
        raise EngineError(f"{where}: Property '{name}' of feature "
                          f"'{el.index_of(feature)}' is not a number.")
    return float(value)


@function("Classifier.train")
def train(classifier: Classifier, features: el.Collection, label: str,
          inputs: list[str] | None, subsampling: float, seed: int) -> Classifier:
    """Return a classifier trained on a collection's properties.

    With subsampling, each feature is kept with that chance; the draws are not Google's.
    """
    where = "Classifier.train"
    names, features = chosen_inputs(features, inputs, subsampling, seed, where)
    table = training_table(features, [*names, label], where)
    rows, values = table[:, :-1], table[:, -1]
    if classifier.mode in REGRESSION and classifier.name in REGRESSIONS:
        return trained_on_numbers(classifier, rows, values, names)
    whole = values == np.floor(values)
    if not whole.all():
        raise EngineError(f"Classifier.train: the class value {values[~whole][0]:g} is no whole "
                          f"number; to learn numbers, use setOutputMode('REGRESSION') before "
                          f"train() with one of {', '.join(REGRESSIONS)}.")
    return classifier.trained(rows, values.astype(np.int64), names)


def chosen_inputs(features: el.Collection, inputs: list[str] | None, subsampling: float,
                  seed: int, where: str) -> tuple[list[str], el.Collection]:
    """Return the inputs' names, by default the sampled bands', and the features to learn from.

    Raises
    ------
    EngineError
        There are no inputs, or subsampling is out of its range.
    """
    names = inputs if inputs is not None else features.properties.get("band_order")
    if not names:
        raise EngineError(f"{where}: inputProperties must be given; the collection has no "
                          "'band_order' property.")
    if not 0 < subsampling <= 1:
        raise EngineError(f"{where}: subsampling is {subsampling}; it must be in (0, 1].")
    if subsampling < 1:
        keep = np.random.default_rng(abs(seed)).random(len(features.elements)) < subsampling
        features = features.with_elements(
            e for e, k in zip(features.elements, keep, strict=True) if k)
    return list(names), features


@function("Image.classify")
def classify_image(image: Image, classifier: Classifier, name: str) -> Image:
    """Return an image of the class of each pixel, masked where an input band is masked.

    The band's type is a 32-bit integer; in a mode of several values each pixel holds an array.
    """
    classifier.ready("Image.classify")
    missing = [n for n in classifier.inputs or () if n not in image.names]
    if missing:
        raise EngineError(f"Image.classify: the classifier's input {missing[0]!r} is no band of "
                          f"the image; its bands are [{', '.join(image.names)}].")
    inputs = Image(tuple(image.band(n) for n in classifier.inputs or ()))

    def read(grid: Grid) -> Pixels:
        values, mask = read_all(inputs, grid)
        found = output(classifier, values[:, mask].T) if mask.any() else None
        shape = grid.shape if found is None else (*grid.shape, *found.shape[1:])
        out = np.zeros(shape)
        if found is not None:
            out[mask] = found
        return Pixels(out, mask)

    first = inputs.first("Image.classify")
    band = Band(name, output_type(classifier), read, first.projection, first.size)
    return image.plain([band])


MODELS_OWN = {"CLASSIFICATION": "several", "REGRESSION": "regress", "RAW": "raw",
              "RAW_REGRESSION": "raw_regressions"}
"""Output modes that a model may serve by a method of its own, and that method's name."""


def output(classifier: Classifier, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (row,) what a classifier puts out, or (row, value) in a mode of several."""
    own = getattr(classifier.model, MODELS_OWN.get(classifier.mode, ""), None)
    return classifier.output(rows) if own is None else own(rows)


def output_type(classifier: Classifier) -> PixelType:
    """Return the pixel type of what a classifier puts out."""
    several = (classifier.options.get("kNearest") or 1) > 1
    if classifier.mode == "CLASSIFICATION":
        return integer_type("int32")._replace(dimensions=int(several))
    if classifier.mode == "REGRESSION" and not several:
        return PixelType("float")
    if classifier.mode == "PROBABILITY":
        return PixelType("float", 0, 1)
    return PixelType("float", None, None, 1)


@function("FeatureCollection.classify")
def classify_features(features: el.Collection, classifier: Classifier,
                      name: str) -> el.Collection:
    """Return the features with their class as a property; without one where an input is missing."""
    classifier.ready("FeatureCollection.classify")
    inputs = list(classifier.inputs or ())
    rows = [[el.get(f, n) for n in inputs] for f in features.elements]
    whole = [all(isinstance(v, (int, float)) for v in row) for row in rows]
    table = np.array([r for r, ok in zip(rows, whole, strict=True) if ok], dtype=np.float64)
    found = iter(output(classifier, table).tolist() if len(table) else [])
    out = []
    for feature, ok in zip(features.elements, whole, strict=True):
        value = next(found) if ok else None
        if isinstance(value, float) and classifier.mode == "CLASSIFICATION":
            value = int(value)
        kept = feature if value is None else el.with_properties(
            feature, {**feature.properties, name: value})
        out.append(kept)
    return features.with_elements(out)


@function("Classifier.setOutputMode")
def set_output_mode(classifier: Classifier, mode: str) -> Classifier:
    """Return the classifier with another kind of output.

    PROBABILITY is the probability of the class that is chosen, as the reference puts it.
    """
    if mode.upper() not in MODES:
        raise EngineError(f"Classifier.setOutputMode: mode is {mode!r}; it must be one of "
                          f"{', '.join(MODES)}.")
    mode = mode.upper()
    learnt = isinstance(classifier.model, Regression)
    if classifier.model is not None and classifier.name in REGRESSIONS \
            and learnt != (mode in REGRESSION):
        raise EngineError(f"Classifier.setOutputMode: {classifier.name} has been trained on "
                          f"{'numbers' if learnt else 'classes'}; setOutputMode('{mode}') must "
                          "come before train().")
    return replace(classifier, mode=mode)


@function("Classifier.mode")
def mode(classifier: Classifier) -> str:
    """Return the output mode."""
    return classifier.mode


@function("Classifier.schema")
def schema(classifier: Classifier) -> list[str] | None:
    """Return the names of the inputs; null before training."""
    return list(classifier.inputs) if classifier.inputs is not None else None


@function("Classifier.explain")
def explain(classifier: Classifier) -> dict[str, Any]:
    """Return what a trained classifier says of itself: classes, importance, trees."""
    return classifier.ready("Classifier.explain").explain(list(classifier.inputs or ()))


@function("Classifier.confusionMatrix")
def resubstitution(classifier: Classifier) -> ConfusionMatrix:
    """Return the confusion matrix on the training data, from class 0 to the largest."""
    classifier.ready("Classifier.confusionMatrix")
    if classifier.confusion is None:
        raise EngineError("Classifier.confusionMatrix: there is no training data, or a class "
                          "value is negative.")
    return classifier.confusion
