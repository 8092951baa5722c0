"""Accuracy metrics of a confusion matrix, defined in ``definitions``. 0/0 is NaN, never 0."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from lulc_lib.accuracy.confusion import check_confusion
from lulc_lib.accuracy.definitions import METRICS, PER_CLASS, Metric, Parts, describe, ratio
from lulc_lib.errors import InputError

__all__ = [
    "METRICS", "PER_CLASS", "Disagreement", "Metric", "Parts", "binary_metrics", "binary_parts",
    "describe", "disagreement", "kappa", "macro_f1", "overall_accuracy", "per_class", "ratio",
    "summary",
]


class Disagreement(NamedTuple):
    """The two ways to be wrong; together they are 1 − OA."""

    quantity: float
    allocation: float


def overall_accuracy(matrix: pd.DataFrame) -> float:
    """Overall accuracy (OA): trace ÷ n, the share of judged pixels with the right class.

    Range 0–1. Synonym in machine learning: accuracy, micro-averaged recall.
    Source: Hejmanowska et al. 2025, Table 6.
    """
    counts = check_confusion(matrix)
    return float(ratio(np.trace(counts), counts.sum()))


def binary_parts(matrix: pd.DataFrame) -> pd.DataFrame:
    """Each class against all others: int64 columns tp, fp, fn, tn, one row per class.

    tp is the diagonal, fp the rest of the row (the map says so, the reference does not), fn the
    rest of the column, tn everything else; the four add up to n.

    Source: Hejmanowska et al. 2025, Table 10.
    """
    counts = check_confusion(matrix)
    hit, mapped, support = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return pd.DataFrame(
        {"tp": hit, "fp": mapped - hit, "fn": support - hit,
         "tn": counts.sum() - mapped - support + hit},
        index=matrix.index.rename("class"),
    ).astype(np.int64)


def binary_metrics(parts: pd.DataFrame) -> pd.DataFrame:
    """The per-class metrics from counts alone, for sources that give no matrix.

    Parameters
    ----------
    parts : columns tp, fp, fn, tn, one row per class (see :func:`binary_parts`).

    Returns
    -------
    As :func:`per_class`.

    Raises
    ------
    InputError
        A column is missing, or a count is negative or no number.
    """
    missing = [c for c in Parts._fields if c not in parts.columns]
    if missing:
        raise InputError(f"the counts have no column {missing[0]!r}; tp, fp, fn and tn are needed")
    try:
        values = Parts(*(parts[c].to_numpy(dtype=np.float64) for c in Parts._fields))
    except (TypeError, ValueError) as error:
        raise InputError(f"tp, fp, fn and tn must be numbers: {error}") from None
    if not (np.asarray(values) >= 0).all():
        raise InputError("tp, fp, fn and tn must all be 0 or more; a count is missing or negative")
    table = {"support": (values.tp + values.fn).astype(np.int64),
             "mapped": (values.tp + values.fp).astype(np.int64)}
    table |= {name: METRICS[name].compute(values) for name in PER_CLASS}
    return pd.DataFrame(table, index=parts.index)


def per_class(matrix: pd.DataFrame) -> pd.DataFrame:
    """Support and every per-class metric of a confusion matrix.

    Returns
    -------
    One row per class, columns ``support`` (reference pixels, int), ``mapped`` (map pixels, int),
    ``producers_accuracy`` (diagonal ÷ column, recall), ``users_accuracy`` (diagonal ÷ row,
    precision), ``f1``, and the other names of ``PER_CLASS``. NaN where the divisor is 0: a class
    without reference pixels has no producer's accuracy, one that is never mapped no user's
    accuracy. The column ``for`` is read as ``table["for"]``.

    Source: Hejmanowska et al. 2025, Table 6; for each metric see below.
    """
    return binary_metrics(binary_parts(matrix))


if per_class.__doc__:  # not under python -OO
    per_class.__doc__ += "\n\n" + "\n".join(describe(name) for name in PER_CLASS)


def macro_f1(matrix: pd.DataFrame) -> float:
    """Macro F1: the mean F1 of the classes that have reference pixels, each counting the same.

    A class of the legend without reference pixels is not averaged in; pixels wrongly mapped to it
    still count as omissions of their own class. ``averages`` has the other means and says which
    classes went into them.
    """
    table = per_class(matrix)
    present = table.support > 0
    return float(table.f1[present].mean()) if present.any() else float("nan")


def kappa(matrix: pd.DataFrame) -> float:
    """Cohen's kappa: (OA − chance) ÷ (1 − chance), chance = Σ row share × column share.

    Range −1–1; 0 is the agreement of a map with the same class shares at random places; NaN if
    map and reference are one and the same class everywhere. Synonyms: κ, KIA, Heidke skill score.

    Read it with its critique (Pontius & Millones 2011): a random map is a baseline that nobody
    asks about, kappa is nearly a function of OA, it mixes wrong amounts with wrong places, and its
    verbal scales are arbitrary. Report :func:`disagreement` instead, or next to it.

    Source: Cohen 1960; Congalton 1991.
    """
    counts = check_confusion(matrix)
    n = counts.sum()
    shares = ratio(counts, np.full_like(counts, n))
    chance = float(shares.sum(axis=1) @ shares.sum(axis=0))
    return float(ratio(np.trace(shares) - chance, 1 - chance))


def disagreement(matrix: pd.DataFrame) -> Disagreement:
    """Quantity and allocation disagreement; their sum is 1 − OA.

    Quantity: the map has wrong amounts of the classes, ½ Σ |row share − column share|. Allocation:
    right amounts in wrong places, what could be mended by moving pixels. Range of both 0 to
    1 − OA. Shares are those of the judged pixels: for a stratified sample they describe the sample,
    not the map, until weighted by area (``area.area_adjusted``).

    Source: Pontius & Millones 2011.
    """
    counts = check_confusion(matrix)
    n = counts.sum()
    quantity = float(ratio(np.abs(counts.sum(axis=1) - counts.sum(axis=0)).sum() / 2, n))
    swapped = np.minimum(counts.sum(axis=1), counts.sum(axis=0)).sum() - np.trace(counts)
    return Disagreement(quantity, float(ratio(swapped, n)))


def summary(matrix: pd.DataFrame) -> dict[str, float]:
    """n, overall accuracy and macro F1 of a confusion matrix, by name."""
    return {
        "n": int(check_confusion(matrix).sum()),
        "overall_accuracy": overall_accuracy(matrix),
        "macro_f1": macro_f1(matrix),
    }
