"""Trees and forests as Smile grows them for Earth Engine.

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
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ee_local.errors import EngineError
from ee_local.tree_text import tree_to_text

MOST_TREES = 5000


class TreeModel:
    """One or more trees that vote.

    Parameters
    ----------
    trees : fitted scikit-learn trees whose class indexes are those of ``classes``.
    classes : (class,) class values, ascending.
    error : out-of-bag error estimate, None for a single tree.
    """

    def __init__(self, trees: list[Any], classes: NDArray[np.int64],
                 error: float | None = None) -> None:
        self._trees, self.classes, self._error = trees, classes, error

    def votes(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row, class) number of trees that vote for each class."""
        return count_votes(self._trees, rows, len(self.classes))

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row,) class with most votes."""
        return self.classes[self.votes(rows).argmax(axis=1)].astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row, class): share of votes; of a single tree, share of the classes in the leaf."""
        if len(self._trees) == 1:
            return _leaf_shares(self._trees[0], rows, len(self.classes))
        return self.votes(rows) / len(self._trees)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Classes, importance (sum of Gini decrease, in samples), and the trees as text."""
        importance = np.sum([_gain(t) for t in self._trees], axis=0)
        texts = [tree_to_text(t.tree_, inputs, self.classes[t.classes_]) for t in self._trees]
        found = {"classes": self.classes.tolist(),
                 "importance": dict(zip(inputs, importance.tolist(), strict=True))}
        if self._error is None:
            return {**found, "tree": texts[0]}
        return {**found, "numberOfTrees": len(self._trees),
                "outOfBagErrorEstimate": self._error, "trees": texts}


def count_votes(trees: list[Any], rows: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """(row, class) votes of trees whose ``classes_`` are indexes of classes."""
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
    """(input,) summed decrease of Gini impurity times the samples it concerns."""
    samples = tree.tree_.weighted_n_node_samples[0]
    return tree.tree_.compute_feature_importances(normalize=False) * samples


def _leaves(options: Mapping[str, Any], name: str) -> dict[str, int | None]:
    """scikit-learn's words for the limits of a tree."""
    most, smallest = options["maxNodes"], options["minLeafPopulation"]
    if most is not None and most < 2:
        raise EngineError(f"{name}: maxNodes is {most}; it must be 2 or more.")
    if smallest < 1:
        raise EngineError(f"{name}: minLeafPopulation is {smallest}; it must be 1 or more.")
    return {"max_leaf_nodes": most, "min_samples_leaf": smallest}


def fit_cart(rows: NDArray[np.float64], labels: NDArray[np.int64],
             options: Mapping[str, Any]) -> TreeModel:
    """One tree on all samples, every variable at every split."""
    from sklearn.tree import DecisionTreeClassifier

    classes, index = np.unique(labels, return_inverse=True)
    limits = _leaves(options, "Classifier.smileCart")
    tree = DecisionTreeClassifier(random_state=0, **limits).fit(rows, index)
    return TreeModel([tree], classes)


def fit_forest(rows: NDArray[np.float64], labels: NDArray[np.int64],
               options: Mapping[str, Any]) -> TreeModel:
    """A random forest with Smile's sampling."""
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
    judged = votes.sum(axis=1) > 0
    wrong = votes[judged].argmax(axis=1) != index[judged]
    return TreeModel(trees, classes, float(wrong.mean()) if judged.any() else 0.0)


def variables_per_split(asked: int | None, inputs: int) -> int:
    """Variables to choose among at a split: the number asked for, or √p rounded down.

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
    """Positions of the samples that one tree sees.

    Parameters
    ----------
    index : (sample,) class index.
    share : below 1: this share of each class, without replacement, at least one sample; 1: as many
        samples as there are, drawn from each class with replacement.
    rng : draws them.
    """
    chosen = []
    for k in np.unique(index):
        members = np.flatnonzero(index == k)
        size = len(members) if share >= 1 else max(round(share * len(members)), 1)
        chosen.append(rng.choice(members, size, replace=share >= 1))
    return np.concatenate(chosen)
