"""Classifiers: what is asked for, what has been trained, and what both say of themselves.

Smile's random forest does not draw a bootstrap sample when the bag fraction is below 1: each tree
sees a half (by default) of each class, without replacement, and every split chooses among √p
variables. Trees vote with one vote each, and a tie goes to the smaller class value. The trees
themselves are scikit-learn's, grown by Gini impurity: a forest of the same kind as Google's, but
not the same forest, for the random draws differ; so do ties between equally good splits.

Source: Earth Engine API reference, ee.Classifier.smileCart and smileRandomForest; Smile 1.5,
RandomForest (sampling).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ee_local.confusion import ConfusionMatrix, count_pairs
from ee_local.errors import EngineError
from ee_local.tree_text import tree_to_text

MODES = ("CLASSIFICATION", "REGRESSION", "PROBABILITY", "MULTIPROBABILITY", "RAW",
         "RAW_REGRESSION")


class Model(Protocol):
    """A fitted model: ``classes`` (class,) in ascending order, and predictions by row."""

    classes: NDArray[np.int64]

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row,) class values of (row, input) values."""

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row, class) probabilities; an EngineError if the model has none."""

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return what the model says of itself."""


Fit = Callable[[NDArray[np.float64], NDArray[np.int64], Mapping[str, Any]], Model]


@dataclass(frozen=True)
class Classifier:
    """A classifier's name, options and output mode; its inputs and model once it is trained.

    ``fit`` takes rows (row, input) float64, class values (row,) int64 and the options.
    ``confusion`` is the resubstitution matrix.
    """

    name: str
    options: Mapping[str, Any]
    fit: Fit | None = field(default=None, repr=False)
    mode: str = "CLASSIFICATION"
    inputs: tuple[str, ...] | None = None
    model: Model | None = field(default=None, repr=False)
    confusion: ConfusionMatrix | None = field(default=None, repr=False)

    def trained(self, rows: NDArray[np.float64], labels: NDArray[np.int64],
                inputs: list[str]) -> Classifier:
        """Return this classifier, trained.

        Parameters
        ----------
        rows : ndarray, shape (row, input), float64
            No gaps.
        labels : ndarray, shape (row,)
            Class values.
        inputs : list of str
            The inputs' names.

        Raises
        ------
        EngineError
            It needs no training, or there is nothing to learn from.
        """
        if self.fit is None:
            raise EngineError(f"Classifier.train: {self.name} is applied as it is; it is not "
                              "trained.")
        if not len(rows):
            raise EngineError("Classifier.train: No training data was found.")
        if len(np.unique(labels)) < 2:
            raise EngineError("Classifier.train: Only one class.")
        model = self.fit(rows, labels, self.options)
        found = count_pairs(labels.astype(np.float64), model.predict(rows), None) \
            if labels.min() >= 0 else None
        return replace(self, inputs=tuple(inputs), model=model, confusion=found)

    def ready(self, where: str) -> Model:
        """Return the trained model, or an error."""
        if self.model is None:
            raise EngineError(f"{where}: Classifier is not trained.")
        return self.model

    def output(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the output mode asks for: (row,), or (row, value) in a mode of several."""
        model = self.ready("classify")
        if self.mode == "CLASSIFICATION":
            return model.predict(rows)
        if self.mode == "MULTIPROBABILITY":
            return model.shares(rows)
        if self.mode == "PROBABILITY":
            return model.shares(rows).max(axis=1)
        raise EngineError(f"Classifier.setOutputMode: {self.mode} of {self.name} is not "
                          "implemented by the local Earth Engine.")

    def description(self) -> dict[str, Any]:
        """Return the name, options, mode and inputs."""
        found = {"classifier": self.name, "mode": self.mode,
                 **{k: v for k, v in self.options.items() if v is not None}}
        return found | ({"schema": list(self.inputs)} if self.inputs else {})


def no_shares(name: str) -> EngineError:
    """Return the error of a model that has no probabilities here."""
    return EngineError(f"{name}: the output mode PROBABILITY is not implemented by the local Earth "
                       "Engine for this classifier.")


KERNELS = {"LINEAR": "linear", "POLY": "poly", "RBF": "rbf", "SIGMOID": "sigmoid"}
STEPS = 10_000_000
"""After so many steps libsvm ends the search for a pair of classes, solved or not. scikit-learn's
libsvm has no such end; here it is put back."""

METRICS = {"EUCLIDEAN": "euclidean", "MANHATTAN": "manhattan", "BRAYCURTIS": "braycurtis"}


class SupportVectors:
    """libsvm's classifier, as scikit-learn carries it: pairs of classes vote.

    Inputs are not scaled, as in Google's service. On digital numbers, where a cost of 1 means an
    all but hard margin, some pairs of classes reach :data:`STEPS`; a warning then says so. What
    libsvm leaves behind there depends on rounding, so Google's answer can be another one.
    """

    def __init__(self, machine: Any, name: str) -> None:
        self._machine, self._name = machine, name
        self.classes = machine.classes_

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row,) class with most votes."""
        return self._machine.predict(rows).astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Refuse: libsvm's probabilities are fitted by cross-validation, which is not done here."""
        raise no_shares(self._name)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return classes, number of support vectors, kernel and cost.

        A linear machine has no importance in Earth Engine either.
        """
        vectors = self._machine.n_support_
        return {"classes": self.classes.tolist(), "kernelType": self._machine.kernel.upper(),
                "numberOfSupportVectors": int(vectors.sum()), "cost": getattr(
                    self._machine, "C", None)}


def fit_svm(rows: NDArray[np.float64], labels: NDArray[np.int64],
            options: Mapping[str, Any]) -> SupportVectors:
    """Return a C-SVC or nu-SVC with libsvm's defaults (C = 1, nu = 0.5, tolerance 0.001).

    Warns where libsvm gives up (:data:`STEPS`).

    Raises
    ------
    EngineError
        Another kind of machine, a margin decision, or a value out of its range.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import SVC, NuSVC

    name = "Classifier.libsvm"
    kind, kernel = options["svmType"].upper(), options["kernelType"].upper()
    if kernel not in KERNELS:
        raise EngineError(f"{name}: kernelType is {kernel!r}; it must be one of "
                          f"{', '.join(KERNELS)}.")
    if options["decisionProcedure"].upper() != "VOTING":
        raise EngineError(f"{name}: decisionProcedure {options['decisionProcedure']!r} is not "
                          "implemented by the local Earth Engine.")
    shape = {"kernel": KERNELS[kernel], "shrinking": options["shrinking"],
             "degree": 3 if options["degree"] is None else options["degree"],
             "gamma": "auto" if options["gamma"] is None else options["gamma"],
             "coef0": options["coef0"] or 0.0, "cache_size": 200, "max_iter": STEPS}
    try:
        if kind == "C_SVC":
            machine = SVC(C=1.0 if options["cost"] is None else options["cost"], **shape)
        elif kind == "NU_SVC":
            machine = NuSVC(nu=0.5 if options["nu"] is None else options["nu"], **shape)
        else:
            raise EngineError(f"{name}: svmType {kind!r} is not implemented by the local Earth "
                              "Engine.")
        machine.fit(rows, labels)
    except ValueError as error:
        raise EngineError(f"{name}: {error}.") from None
    unsolved = int((machine.n_iter_ >= STEPS).sum())
    if unsolved:
        warnings.warn(f"{name}: {unsolved} of {machine.n_iter_.size} pairs of classes were not "
                      f"solved within libsvm's {STEPS:,} steps; divide the bands (by 100, say) or "
                      "lower the cost", ConvergenceWarning, stacklevel=2)
    return SupportVectors(machine, name)


class Neighbours:
    """The class that most of the k nearest samples have."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder
        self.classes = finder.classes_

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row,) class most common among the neighbours; a tie goes to the smaller value."""
        return self._finder.predict(rows).astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row, class) share of each class among the neighbours."""
        return self._finder.predict_proba(rows)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return classes and the number of neighbours."""
        return {"classes": self.classes.tolist(), "k": self._finder.n_neighbors}


def fit_neighbours(rows: NDArray[np.float64], labels: NDArray[np.int64],
                   options: Mapping[str, Any]) -> Neighbours:
    """Return k nearest neighbours, found exactly whatever the search method."""
    from sklearn.neighbors import KNeighborsClassifier

    metric = METRICS.get(options["metric"].upper())
    if metric is None:
        raise EngineError(f"Classifier.smileKNN: metric {options['metric']!r} is not implemented "
                          f"by the local Earth Engine; {', '.join(METRICS)} are.")
    if not 1 <= options["k"] <= len(rows):
        raise EngineError(f"Classifier.smileKNN: k is {options['k']}; it must be 1 to "
                          f"{len(rows)}, the number of samples.")
    finder = KNeighborsClassifier(options["k"], metric=metric, algorithm="brute")
    return Neighbours(finder.fit(rows, labels))


class NearestMean:
    """The class whose mean is nearest."""

    def __init__(self, classes: NDArray[np.int64], means: NDArray[np.float64],
                 metric: str) -> None:
        self.classes, self._means, self._metric = classes, means, metric

    def distances(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row, class) distance to each class's mean."""
        from scipy.spatial.distance import cdist

        name = {"manhattan": "cityblock"}.get(self._metric, self._metric)
        return cdist(rows, self._means, name)

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row,) class of the nearest mean."""
        return self.classes[self.distances(rows).argmin(axis=1)].astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Refuse: distances are no probabilities."""
        raise no_shares("Classifier.minimumDistance")

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return classes and their means by input."""
        means = {str(c): dict(zip(inputs, m.tolist(), strict=True))
                 for c, m in zip(self.classes.tolist(), self._means, strict=True)}
        return {"classes": self.classes.tolist(), "means": means, "metric": self._metric}


def fit_means(rows: NDArray[np.float64], labels: NDArray[np.int64],
              options: Mapping[str, Any]) -> NearestMean:
    """Return the class means, for a distance that needs no covariance."""
    metric = options["metric"].lower()
    if metric not in ("euclidean", "manhattan", "cosine"):
        raise EngineError(f"Classifier.minimumDistance: metric {metric!r} is not implemented by "
                          "the local Earth Engine; euclidean, manhattan and cosine are.")
    if options["kNearest"] != 1:
        raise EngineError("Classifier.minimumDistance: kNearest above 1 is not implemented by the "
                          "local Earth Engine.")
    classes = np.unique(labels)
    return NearestMean(classes, np.stack([rows[labels == c].mean(axis=0) for c in classes]), metric)


MOST_TREES = 5000


class TreeModel:
    """One or more trees that vote.

    Parameters
    ----------
    trees : list
        Fitted scikit-learn trees whose class indexes are those of ``classes``.
    classes : ndarray, shape (class,)
        Class values, ascending.
    error : float
        Out-of-bag error estimate, None for a single tree.
    """

    def __init__(self, trees: list[Any], classes: NDArray[np.int64],
                 error: float | None = None) -> None:
        self._trees, self.classes, self._error = trees, classes, error

    def votes(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row, class) number of trees that vote for each class."""
        return count_votes(self._trees, rows, len(self.classes))

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row,) class with most votes."""
        return self.classes[self.votes(rows).argmax(axis=1)].astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row, class) shares of votes; of a single tree, those of classes in the leaf."""
        if len(self._trees) == 1:
            return _leaf_shares(self._trees[0], rows, len(self.classes))
        return self.votes(rows) / len(self._trees)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return classes, importance (sum of Gini decrease, in samples), and the trees as text."""
        importance = np.sum([_gain(t) for t in self._trees], axis=0)
        texts = [tree_to_text(t.tree_, inputs, self.classes[t.classes_]) for t in self._trees]
        found = {"classes": self.classes.tolist(),
                 "importance": dict(zip(inputs, importance.tolist(), strict=True))}
        if self._error is None:
            return {**found, "tree": texts[0]}
        return {**found, "numberOfTrees": len(self._trees),
                "outOfBagErrorEstimate": self._error, "trees": texts}


def count_votes(trees: list[Any], rows: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """Return (row, class) votes of trees whose ``classes_`` are indexes of classes."""
    counts = np.zeros((len(rows), classes))
    every = np.arange(len(rows))
    for tree in trees:
        winner = tree.classes_[tree.tree_.value[:, 0, :].argmax(axis=1)]
        counts[every, winner[tree.apply(rows)]] += 1
    return counts


def _leaf_shares(tree: Any, rows: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    shares = np.zeros((len(rows), classes))
    shares[:, tree.classes_] = tree.predict_proba(rows)
    return shares


def _gain(tree: Any) -> NDArray[np.float64]:
    """Return (input,) summed decrease of Gini impurity times the samples it concerns."""
    samples = tree.tree_.weighted_n_node_samples[0]
    return tree.tree_.compute_feature_importances(normalize=False) * samples


def _leaves(options: Mapping[str, Any], name: str) -> dict[str, int | None]:
    """Return scikit-learn's words for the limits of a tree."""
    most, smallest = options["maxNodes"], options["minLeafPopulation"]
    if most is not None and most < 2:
        raise EngineError(f"{name}: maxNodes is {most}; it must be 2 or more.")
    if smallest < 1:
        raise EngineError(f"{name}: minLeafPopulation is {smallest}; it must be 1 or more.")
    return {"max_leaf_nodes": most, "min_samples_leaf": smallest}


def fit_cart(rows: NDArray[np.float64], labels: NDArray[np.int64],
             options: Mapping[str, Any]) -> TreeModel:
    """Return one tree on all samples, every variable at every split."""
    from sklearn.tree import DecisionTreeClassifier

    classes, index = np.unique(labels, return_inverse=True)
    limits = _leaves(options, "Classifier.smileCart")
    tree = DecisionTreeClassifier(random_state=0, **limits).fit(rows, index)
    return TreeModel([tree], classes)


def fit_forest(rows: NDArray[np.float64], labels: NDArray[np.int64],
               options: Mapping[str, Any]) -> TreeModel:
    """Return a random forest with Smile's sampling."""
    from sklearn.tree import DecisionTreeClassifier

    name = "Classifier.smileRandomForest"
    number, share = options["numberOfTrees"], options["bagFraction"]
    if not 1 <= number <= MOST_TREES:
        raise EngineError(f"{name}: numberOfTrees is {number}; it must be 1 to {MOST_TREES}.")
    if not 0 < share <= 1:
        raise EngineError(f"{name}: bagFraction is {share}; it must be in (0, 1].")
    features = variables_per_split(options["variablesPerSplit"], rows.shape[1])
    classes, index = np.unique(labels, return_inverse=True)
    rng = np.random.default_rng(abs(int(options["seed"])))
    trees, votes = [], np.zeros((len(rows), len(classes)))
    for _ in range(number):
        chosen = bag(index, share, rng)
        tree = DecisionTreeClassifier(
            max_features=features, random_state=int(rng.integers(2**31)),
            **_leaves(options, name)).fit(rows[chosen], index[chosen])
        trees.append(tree)
        left = np.setdiff1d(np.arange(len(rows)), chosen)
        votes[left] += count_votes([tree], rows[left], len(classes)) if left.size else 0
    covered = votes.sum(axis=1) > 0
    wrong = votes[covered].argmax(axis=1) != index[covered]
    return TreeModel(trees, classes, float(wrong.mean()) if covered.any() else 0.0)


def variables_per_split(asked: int | None, inputs: int) -> int:
    """Return variables to choose among at a split: the number asked for, or √p rounded down.

    >>> variables_per_split(None, 10)
    3
    """
    if not asked:
        return max(math.isqrt(inputs), 1)
    if not 1 <= asked <= inputs:
        raise EngineError(f"Classifier.smileRandomForest: variablesPerSplit is {asked}; it must be "
                          f"1 to {inputs}, the number of inputs.")
    return asked


def bag(index: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return positions of the samples that one tree sees.

    Parameters
    ----------
    index : ndarray, shape (sample,)
        Class index.
    share : float
        Below 1: this share of each class, without replacement, at least one sample; 1: as many
        samples as there are, drawn from each class with replacement.
    rng : numpy.random.Generator
        Draws them.
    """
    chosen = []
    for k in np.unique(index):
        members = np.flatnonzero(index == k)
        size = len(members) if share >= 1 else max(round(share * len(members)), 1)
        chosen.append(rng.choice(members, size, replace=share >= 1))
    return np.concatenate(chosen)
