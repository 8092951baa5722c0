"""Classifiers: what is asked for, what has been trained, and what both say of themselves.

CART and the random forest are Smile's trees (:mod:`ee_local.smile`, which says what of them is
verified). Below a bag fraction of 1, each tree of a forest sees that share of each class, without
replacement, and chooses among √p variables at each split. Trees vote with one vote each.

Source: Earth Engine API reference, ee.Classifier.
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
from ee_local.smile import Limits, Tree, grow
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


MOST_TREES = 5000


class TreeModel:
    """One or more of Smile's trees (:mod:`ee_local.smile`); each has one vote.

    Parameters
    ----------
    trees : list of Tree
        Grown on class indexes.
    classes : ndarray, shape (class,)
        Class values, ascending.
    weights : ndarray, shape (tree,)
        Out-of-bag accuracy of each tree: its weight in probabilities, not in votes.
    error : float
        Out-of-bag error estimate, None for a single tree.
    """

    def __init__(self, trees: list[Tree], classes: NDArray[np.int64],
                 weights: NDArray[np.float64], error: float | None = None) -> None:
        self._trees, self.classes, self._error = trees, classes, error
        self._weights = weights

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row,) class with most votes; a tie goes to the lowest."""
        columns = np.ascontiguousarray(rows.T)
        votes = np.zeros((len(self.classes), len(rows)), np.uint16)
        for tree in self._trees:
            winner = tree.spread(columns, tree.labels().astype(np.uint16))
            for k, count in enumerate(votes):
                count += winner == k
        return self.classes[votes.argmax(axis=0)].astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (row, class) the trees' smoothed probabilities, weighted; classes seen only.

        Earth Engine's reference has them "sorted by classes seen"; Smile itself leaves a 0 for each
        value between them that is no class.
        """
        columns = np.ascontiguousarray(rows.T)
        total = np.zeros((len(rows), len(self.classes)))
        for tree, weight in zip(self._trees, self._weights, strict=True):
            leaf = tree.spread(columns, np.arange(tree.variable.size))
            total += weight * tree.probabilities()[leaf]
        return total / total.sum(axis=1, keepdims=True)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return classes, importance (sum of gains, by input) and the trees as text."""
        importance = np.sum([t.importance(len(inputs)) for t in self._trees], axis=0)
        texts = [tree_to_text(t, inputs, self.classes) for t in self._trees]
        found = {"classes": self.classes.tolist(),
                 "importance": dict(zip(inputs, importance.tolist(), strict=True))}
        if self._error is None:
            return {**found, "tree": texts[0]}
        return {**found, "numberOfTrees": len(self._trees),
                "outOfBagErrorEstimate": self._error, "trees": texts}


def _limits(options: Mapping[str, Any], name: str, tried: int | None = None) -> Limits:
    """Return the limits of a tree; maxNodes counts leaves."""
    most, smallest = options["maxNodes"], options["minLeafPopulation"]
    if most is not None and most < 2:
        raise EngineError(f"{name}: maxNodes is {most}; it must be 2 or more.")
    if smallest < 1:
        raise EngineError(f"{name}: minLeafPopulation is {smallest}; it must be 1 or more.")
    return Limits(smallest, most, tried)


def fit_cart(rows: NDArray[np.float64], labels: NDArray[np.int64],
             options: Mapping[str, Any]) -> TreeModel:
    """Return one tree on all samples, every variable at every split."""
    classes, index = np.unique(labels, return_inverse=True)
    limits = _limits(options, "Classifier.smileCart")
    return TreeModel(grow(rows, index, np.ones((1, len(rows)), np.int64), limits), classes,
                     np.ones(1))


def fit_forest(rows: NDArray[np.float64], labels: NDArray[np.int64],
               options: Mapping[str, Any]) -> TreeModel:
    """Return a random forest; the same seed gives the same one."""
    name = "Classifier.smileRandomForest"
    number, share = options["numberOfTrees"], options["bagFraction"]
    if not 1 <= number <= MOST_TREES:
        raise EngineError(f"{name}: numberOfTrees is {number}; it must be 1 to {MOST_TREES}.")
    if not 0 < share <= 1:
        raise EngineError(f"{name}: bagFraction is {share}; it must be in (0, 1].")
    tried = variables_per_split(options["variablesPerSplit"], rows.shape[1])
    classes, index = np.unique(labels, return_inverse=True)
    rng = np.random.default_rng(abs(int(options["seed"])))
    bags = np.stack([bag(index, share, rng) for _ in range(number)])
    trees = grow(rows, index, bags, _limits(options, name, tried), rng)
    return TreeModel(trees, classes, *out_of_bag(trees, rows, index, bags))


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
    """Return (sample,) how often one tree sees each sample.

    Parameters
    ----------
    index : ndarray, shape (sample,)
        Class index.
    share : float
        Below 1: this share of each class, rounded half up, without replacement; 1: of each class
        as many samples as it has, with replacement.
    rng : numpy.random.Generator
        Draws them.
    """
    times = np.zeros(len(index), np.int64)
    for k in np.unique(index):
        members = np.flatnonzero(index == k)
        size = math.floor(len(members) * share + 0.5)
        np.add.at(times, rng.choice(members, size, replace=share >= 1), 1)
    return times


def out_of_bag(trees: list[Tree], rows: NDArray[np.float64], index: NDArray[np.int64],
               bags: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """Assess trees on the samples that they did not see.

    Returns
    -------
    weights : ndarray, shape (tree,), float64
        Share of these samples that each tree gets right, 1 where there are none.
    error : float
        Share that the votes of the trees get wrong, of the samples that some tree did not see.
    """
    columns = np.ascontiguousarray(rows.T)
    votes = np.zeros((len(rows), int(index.max()) + 1))
    weights = np.ones(len(trees))
    for k, (tree, seen) in enumerate(zip(trees, bags, strict=True)):
        left = np.flatnonzero(seen == 0)
        winner = tree.spread(columns[:, left], tree.labels())
        votes[left, winner] += 1
        if left.size:
            weights[k] = np.mean(winner == index[left])
    covered = votes.sum(axis=1) > 0
    wrong = votes[covered].argmax(axis=1) != index[covered]
    return weights if weights.any() else np.ones(len(trees)), \
        float(wrong.mean()) if covered.any() else 0.0
