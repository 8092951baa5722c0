"""Earth Engine's confusion matrix: rows are the actual classes, columns the predicted ones.

Source: Earth Engine API reference, ee.ConfusionMatrix; Stehman 1997 (kappa), as it cites.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ee_local.errors import EngineError

MOST_CLASSES = 4096
"""Largest label that a matrix without an order may reach."""


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts (actual, predicted) int64 and the class value of each row and column."""

    counts: NDArray[np.int64]
    order: tuple[int, ...]

    def accuracy(self) -> float:
        """Return the share of the diagonal; 0 for an empty matrix, as Earth Engine divides."""
        return _ratio(np.trace(self.counts), self.counts.sum())

    def producers(self) -> NDArray[np.float64]:
        """Return (n, 1): diagonal ÷ row sum, 0 for an empty row."""
        return _ratios(self.counts.diagonal(), self.counts.sum(axis=1))[:, None]

    def consumers(self) -> NDArray[np.float64]:
        """Return (1, n): diagonal ÷ column sum, 0 for an empty column."""
        return _ratios(self.counts.diagonal(), self.counts.sum(axis=0))[None, :]

    def fscore(self, beta: float) -> NDArray[np.float64]:
        """Return (n,) (1 + β²) P R ÷ (β² P + R); P consumer's, R producer's accuracy."""
        precision, recall = self.consumers()[0], self.producers()[:, 0]
        return _ratios((1 + beta**2) * precision * recall, beta**2 * precision + recall)

    def kappa(self) -> float:
        """Return the agreement beyond chance; 0 if chance alone explains everything."""
        total = self.counts.sum()
        if not total:
            return 0.0
        by_chance = (self.counts.sum(axis=0) * self.counts.sum(axis=1)).sum() / total**2
        return _ratio(self.accuracy() - by_chance, 1 - by_chance)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _ratios(part: NDArray, whole: NDArray) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0)


def count_pairs(
    actual: NDArray[np.float64], predicted: NDArray[np.float64], order: list[int] | None
) -> ConfusionMatrix:
    """Return the matrix of pairs of labels.

    Parameters
    ----------
    actual, predicted : ndarray, shape (pair,)
        Labels.
    order : list of int
        Class values of rows and columns; pairs with another label are dropped. None: 0 to the
        largest label, so every label that does not occur is an empty row and an empty column.

    Raises
    ------
    EngineError
        A label is no whole number, or without an order negative or too large.
    """
    labels = np.concatenate([actual, predicted])
    if not (labels == np.floor(labels)).all():
        bad = labels[labels != np.floor(labels)][0]
        raise EngineError(f"ConfusionMatrix: the label {bad:g} is no whole number.")
    if order is None:
        if labels.size and (labels.min() < 0 or labels.max() >= MOST_CLASSES):
            raise EngineError(f"ConfusionMatrix: labels run from {labels.min():g} to "
                              f"{labels.max():g}; without an order they must be 0 to "
                              f"{MOST_CLASSES - 1}.")
        order = list(range(int(labels.max()) + 1 if labels.size else 0))
    if len(set(order)) != len(order):
        raise EngineError("ConfusionMatrix: the order names a class twice.")
    place = {value: i for i, value in enumerate(order)}
    counts = np.zeros((len(order), len(order)), dtype=np.int64)
    for a, p in zip(actual.tolist(), predicted.tolist(), strict=True):
        if a in place and p in place:
            counts[place[a], place[p]] += 1
    return ConfusionMatrix(counts, tuple(order))
