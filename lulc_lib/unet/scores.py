"""The two numbers that training watches; the accuracy room measures everything else."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lulc_lib import legend


def confusion(
    pairs: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
) -> NDArray[np.int64]:
    """(map class, reference class) int64 counts over pairs of (map, reference) legend codes.

    Only pixels where both hold a class count. Classes stand in the order of ``legend.CODES``.
    """
    size = len(legend.CODES)
    matrix = np.zeros(size * size, dtype=np.int64)
    for map_codes, reference in pairs:
        both = (map_codes != legend.NO_DATA) & (reference != legend.NO_DATA)
        rows, cols = (legend.to_index(a[both]).astype(np.int64) for a in (map_codes, reference))
        matrix += np.bincount(rows * size + cols, minlength=size * size)
    return matrix.reshape(size, size)


def overall_accuracy(matrix: NDArray[np.int64]) -> float:
    """Trace ÷ n of a confusion matrix; NaN when it is empty."""
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else float("nan")


def f1_scores(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """(classes,) F1 of every class; NaN for a class that the reference does not hold."""
    columns = matrix.sum(axis=0)
    both = columns + matrix.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(columns > 0, 2 * np.diag(matrix) / both, np.nan)


def macro_f1(matrix: NDArray[np.int64]) -> float:
    """Mean F1 over the classes the reference holds; NaN when it holds none."""
    scores = f1_scores(matrix)
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")
