"""Accuracy metrics of a confusion matrix. 0/0 is NaN, never 0."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lulc_lib.accuracy.confusion import check_confusion


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """part ÷ whole, NaN where whole is 0."""
    whole = np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def overall_accuracy(matrix: pd.DataFrame) -> float:
    """Overall accuracy (OA): trace ÷ n, the share of judged pixels with the right class.

    Range 0–1. Synonym in machine learning: accuracy, micro-averaged recall.
    Source: Hejmanowska et al. 2025, Table 6.
    """
    counts = check_confusion(matrix)
    return float(ratio(np.trace(counts), counts.sum()))


def per_class(matrix: pd.DataFrame) -> pd.DataFrame:
    """Support, producer's and user's accuracy and F1 of each class.

    Returns
    -------
    One row per class, columns ``support`` (reference pixels, int), ``mapped`` (map pixels, int),
    ``producers_accuracy`` (diagonal ÷ column, recall), ``users_accuracy`` (diagonal ÷ row,
    precision) and ``f1`` (2 TP ÷ (2 TP + FP + FN)); NaN where the divisor is 0.

    Source: Hejmanowska et al. 2025, Table 6.
    """
    counts = check_confusion(matrix)
    hit, mapped, support = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return pd.DataFrame(
        {
            "support": support.astype(np.int64),
            "mapped": mapped.astype(np.int64),
            "producers_accuracy": ratio(hit, support),
            "users_accuracy": ratio(hit, mapped),
            "f1": ratio(2 * hit, mapped + support),
        },
        index=matrix.index.rename("class"),
    )


def macro_f1(matrix: pd.DataFrame) -> float:
    """Macro F1: the mean F1 of the classes that have reference pixels, each counting the same.

    A class of the legend without reference pixels is not averaged in; pixels wrongly mapped to it
    still count as omissions of their own class.
    """
    table = per_class(matrix)
    present = table.support > 0
    return float(table.f1[present].mean()) if present.any() else float("nan")


def summary(matrix: pd.DataFrame) -> dict[str, float]:
    """n, overall accuracy and macro F1 of a confusion matrix, by name."""
    return {
        "n": int(check_confusion(matrix).sum()),
        "overall_accuracy": overall_accuracy(matrix),
        "macro_f1": macro_f1(matrix),
    }
