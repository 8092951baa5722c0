"""The paper's three classifiers (section 2.3.3), as Earth Engine offers them."""

from __future__ import annotations

from collections.abc import Callable

import ee

TREES = 10
"""Trees of the random forest (section 2.3.3)."""

CLASSIFIERS: dict[str, Callable[[], ee.Classifier]] = {
    "CART": lambda: ee.Classifier.smileCart(),
    "Random forest": lambda: ee.Classifier.smileRandomForest(TREES),
    "SVM": lambda: ee.Classifier.libsvm(kernelType="LINEAR"),
}
"""Name to a function that makes the untrained classifier with Earth Engine's own settings."""

EXPLAINS = ("CART", "Random forest")
"""Classifiers that tell how important each band was."""
