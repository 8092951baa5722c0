"""A forest trained with scikit-learn, sent to Earth Engine where its copy is exact.

geemap's text of a tree keeps one class per leaf and six decimals of a threshold, and twice it goes
wrong without a word: branches of trees not grown depth first are mixed up, and where a class is the
majority of no node the classes after it are misnamed. Such forests are refused here.
"""

from __future__ import annotations

from collections.abc import Sequence

import ee
import numpy as np
from geemap import ml
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from lulc_lib.errors import InputError

DECIMALS = 6
"""Of a threshold in geemap's text."""


def send_forest(forest: RandomForestClassifier, bands: Sequence[str]) -> ee.Classifier:
    """Copy a forest into an Earth Engine classifier that maps every pixel as it does itself.

    Parameters
    ----------
    forest : RandomForestClassifier
        Trained on legend codes to its full depth, on digital numbers: thresholds of few decimals.
    bands : sequence of str
        Earth Engine's names of its columns.
    """
    if not isinstance(forest, RandomForestClassifier) or not hasattr(forest, "estimators_"):
        raise InputError(f"the forest is a {type(forest).__name__}; it must be a trained "
                         "RandomForestClassifier")
    if len(bands) != forest.n_features_in_ or len(bands) < 2:
        raise InputError(f"{len(bands)} bands are named and the forest has "
                         f"{forest.n_features_in_}; they must be as many, and 2 at least")
    if forest.max_leaf_nodes is not None:
        raise InputError(f"max_leaf_nodes is {forest.max_leaf_nodes}; it must be None: such trees "
                         "are grown best first, and geemap mixes up their branches")
    for number, tree in enumerate(forest.estimators_, start=1):
        fault = _why_inexact(tree, forest.classes_)
        if fault:
            raise InputError(f"tree {number} of {len(forest.estimators_)} cannot be copied "
                             f"exactly: {fault}")
    return ml.strings_to_classifier(tree_texts(forest, bands))


def tree_texts(forest: RandomForestClassifier, bands: Sequence[str]) -> list[str]:
    """Return geemap's text of each tree, as it is: nothing is refused, so it may mislabel.

    ``geemap.ml.rf_to_strings`` forks processes, which is not safe beside a server's threads.
    """
    return [ml.tree_to_string(tree, list(bands), forest.classes_, "CLASSIFICATION")
            for tree in forest.estimators_]


def _why_inexact(tree: DecisionTreeClassifier, classes: NDArray[np.integer]) -> str:
    """Say why a tree, with classes as indexes of ``classes``, cannot be written exactly; or ''."""
    inner = tree.tree_
    leaf = inner.children_left < 0
    if leaf.all():
        return "it has no branch"
    if (inner.impurity[leaf] > 0).any():
        return ("it has leaves of several classes, of which the text keeps one; grow it to its "
                "full depth")
    seen = np.unique(inner.value[:, 0, :].argmax(axis=1))
    missing = np.setdiff1d(np.arange(seen.max() + 1), seen)
    if missing.size:
        return (f"class {classes[missing[0]]} is the majority of none of its nodes, and geemap "
                "then misnames the classes after it; give the tree more pixels of it")
    thresholds = inner.threshold[~leaf]
    if (np.round(thresholds, DECIMALS) != thresholds).any():
        return (f"its thresholds have more than {DECIMALS} decimals; train it on digital numbers "
                "instead of reflectance")
    return ""
