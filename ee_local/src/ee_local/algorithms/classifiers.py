"""``Classifier`` constructors: which classifiers there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ee_local.errors import EngineError
from ee_local.forests import fit_cart, fit_forest
from ee_local.learners import Classifier, Fit, no_shares
from ee_local.machines import fit_means, fit_neighbours, fit_svm
from ee_local.registry import function
from ee_local.tree_text import TextTree, split_trees
from ee_local.wheel import signatures


def _untrained(name: str, fit: Fit, text: str) -> Callable[..., Classifier]:
    """A constructor of a classifier with the options of its signature."""
    options = [a.name for a in signatures()[name].arguments]

    def build(*values: Any) -> Classifier:
        return Classifier(name, dict(zip(options, values, strict=True)), fit)

    build.__doc__ = text
    return function(name)(build)


_untrained("Classifier.smileCart", fit_cart, "One decision tree, grown by Gini impurity.")
_untrained("Classifier.smileRandomForest", fit_forest,
           "A forest of trees, each on a half of every class; the trees vote.")
_untrained("Classifier.libsvm", fit_svm, "libsvm's support vector classifier, linear by default.")
_untrained("Classifier.smileKNN", fit_neighbours, "The most common class of the nearest samples.")
_untrained("Classifier.minimumDistance", fit_means, "The class with the nearest mean.")


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
        """(row, class) number of trees for each value."""
        counts = np.zeros((len(rows), len(self.classes)))
        every = np.arange(len(rows))
        for tree in self._trees:
            found = tree.predict(self._columns(rows), len(rows))
            counts[every, np.searchsorted(self.classes, found)] += 1
        return counts

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row,) value with most votes."""
        return self.classes[self.votes(rows).argmax(axis=1)].astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row, value) share of votes; a single tree has none."""
        if len(self._trees) == 1:
            raise no_shares("Classifier.decisionTree")
        return self.votes(rows) / len(self._trees)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Values and number of trees."""
        return {"classes": self.classes.tolist(), "numberOfTrees": len(self._trees)}


def _ready(name: str, texts: list[str]) -> Classifier:
    forest = TextForest(texts)
    return Classifier(name, {}, None, inputs=tuple(forest.inputs), model=forest)


@function("Classifier.decisionTree")
def decision_tree(text: str) -> Classifier:
    """A tree given as text; it needs no training."""
    return _ready("Classifier.decisionTree", [text])


@function("Classifier.decisionTreeEnsemble")
def decision_tree_ensemble(texts: list[str]) -> Classifier:
    """Trees given as texts, which vote; they need no training."""
    return _ready("Classifier.decisionTreeEnsemble", texts)
