"""``ConfusionMatrix`` and ``errorMatrix``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ee_local import elements as el
from ee_local.confusion import ConfusionMatrix, count_pairs
from ee_local.errors import EngineError
from ee_local.registry import function


@function("Collection.errorMatrix")
def error_matrix(items: el.Collection, actual: str, predicted: str,
                 order: list[int] | None) -> ConfusionMatrix:
    """Return the confusion matrix of two properties: rows actual, columns predicted.

    Without an order it runs from 0 to the largest label, gaps included; with one, features whose
    labels are not in it are dropped without a word.
    """
    sides = []
    for name in (actual, predicted):
        values = [el.get(e, name) for e in items.elements]
        for element, value in zip(items.elements, values, strict=True):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise EngineError(f"Collection.errorMatrix: Property '{name}' of feature "
                                  f"'{el.index_of(element)}' is missing or is not a number.")
        sides.append(np.array(values, dtype=np.float64))
    return count_pairs(sides[0], sides[1], order)


@function("ConfusionMatrix")
def from_array(array: Any, order: list[int] | None) -> ConfusionMatrix:
    """Return a confusion matrix from a square array: rows actual, columns predicted."""
    try:
        counts = np.asarray(array)
    except ValueError:
        counts = np.zeros(0)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.dtype.kind not in "iuf":
        raise EngineError("ConfusionMatrix: a square array of numbers is needed.")
    if order is not None and len(order) != len(counts):
        raise EngineError(f"ConfusionMatrix: the order has {len(order)} classes, the array "
                          f"{len(counts)}.")
    return ConfusionMatrix(counts, tuple(order if order is not None else range(len(counts))))


@function("ConfusionMatrix.array")
def array(matrix: ConfusionMatrix) -> np.ndarray:
    """Return the counts, rows actual and columns predicted."""
    return matrix.counts


@function("ConfusionMatrix.order")
def order(matrix: ConfusionMatrix) -> list[int]:
    """Return the class value of each row and column."""
    return list(matrix.order)


@function("ConfusionMatrix.accuracy")
def accuracy(matrix: ConfusionMatrix) -> float:
    """Return the overall accuracy: correct ÷ all."""
    return matrix.accuracy()


@function("ConfusionMatrix.kappa")
def kappa(matrix: ConfusionMatrix) -> float:
    """Return Cohen's kappa."""
    return matrix.kappa()


@function("ConfusionMatrix.producersAccuracy")
def producers_accuracy(matrix: ConfusionMatrix) -> np.ndarray:
    """Return correct ÷ row, as a column (n × 1); 0 for an empty row."""
    return matrix.producers()


@function("ConfusionMatrix.consumersAccuracy")
def consumers_accuracy(matrix: ConfusionMatrix) -> np.ndarray:
    """Return correct ÷ column, as a row (1 × n); 0 for an empty column."""
    return matrix.consumers()


@function("ConfusionMatrix.fscore")
def fscore(matrix: ConfusionMatrix, beta: float) -> np.ndarray:
    """Return the F-score of each class, a flat array; 0 where it is not defined."""
    return matrix.fscore(beta)
