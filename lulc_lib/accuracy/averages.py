"""Means over classes that say which classes they average; NaN is reported, never averaged in."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lulc_lib.accuracy.definitions import METRICS, PER_CLASS, Parts, ratio
from lulc_lib.accuracy.metrics import binary_metrics, binary_parts
from lulc_lib.errors import InputError

USUAL = ("producers_accuracy", "users_accuracy", "f1", "acc", "specificity", "iou")


class MacroF1(NamedTuple):
    """Macro F1 in its two meanings, and the classes that both average."""

    mean_of_f1: float
    f1_of_means: float
    averaged: tuple[Hashable, ...]
    left_out: tuple[Hashable, ...]


def averages(
    matrix: pd.DataFrame,
    metrics: Sequence[str] = USUAL,
    classes: Sequence[Hashable] | None = None,
    undefined_as: float | None = None,
) -> pd.DataFrame:
    """Macro, micro and support-weighted mean of per-class metrics.

    Parameters
    ----------
    matrix : confusion matrix, rows map_class, columns reference_class.
    metrics : names of ``PER_CLASS``.
    classes : which classes to average; None: those with reference pixels. Of these, a class whose
        metric is NaN (never mapped: no user's accuracy) is left out and listed.
    undefined_as : count such a class with this value instead. 0 is what several programs do, and
        why means over different numbers of "classes" cannot be compared; here to show that.

    Returns
    -------
    One row per metric. ``macro``: every averaged class counts the same. ``weighted``: by reference
    pixels (for producer's accuracy this is OA). ``micro``: the metric of the summed TP, FP, FN, TN
    of the classes in ``pooled`` — ``classes``, or all of the matrix, and then OA for PA, UA and F1.
    ``n_averaged``, ``averaged``: how many and which classes macro and weighted average;
    ``left_out``: classes asked for that are NaN; ``absent``: classes of the matrix that were not
    asked for.

    Raises
    ------
    InputError
        A metric or class that does not exist.

    Source: Hejmanowska et al. 2025, Table 12 (macro); Sokolova & Lapalme 2009 (micro).
    """
    return averages_of_parts(binary_parts(matrix), metrics, classes, undefined_as)


def averages_of_parts(
    parts: pd.DataFrame,
    metrics: Sequence[str] = USUAL,
    classes: Sequence[Hashable] | None = None,
    undefined_as: float | None = None,
) -> pd.DataFrame:
    """:func:`averages` from counts alone: columns tp, fp, fn, tn, one row per class."""
    unknown = [m for m in metrics if m not in PER_CLASS]
    if unknown:
        raise InputError(f"metric is {unknown[0]!r}; it must be one of {', '.join(PER_CLASS)}")
    every = binary_metrics(parts)
    chosen = _chosen(parts, classes)
    pooled = list(parts.index) if classes is None else chosen
    sums = Parts(*(np.array(float(parts.loc[pooled, c].sum())) for c in Parts._fields))
    table = every.loc[chosen]
    rows = {}
    for name in metrics:
        values = table[name]
        if undefined_as is not None:
            values = values.fillna(undefined_as)
        rows[name] = {
            **mean_over_classes(values, table.support),
            "micro": float(METRICS[name].compute(sums)),
            "absent": tuple(k for k in parts.index if k not in chosen),
            "pooled": tuple(pooled),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")


def mean_over_classes(values: pd.Series, support: pd.Series) -> dict[str, Any]:
    """Macro and support-weighted mean of one value per class, and which classes they average.

    ``values`` and ``support`` (reference pixels) have the classes as index; a NaN is left out.
    Keys: ``macro``, ``weighted``, ``n_averaged``, ``averaged``, ``left_out``.
    """
    defined = values.notna()
    return {
        "macro": _mean(values[defined]),
        "weighted": _mean(values[defined], support[defined].to_numpy()),
        "n_averaged": int(defined.sum()),
        "averaged": tuple(values.index[defined]),
        "left_out": tuple(values.index[~defined]),
    }


def macro_f1_two_ways(
    matrix: pd.DataFrame, classes: Sequence[Hashable] | None = None
) -> MacroF1:
    """Macro F1 as the mean of the F1s, and as the F1 of mean precision and mean recall.

    Both are called macro F1. The second is never the smaller one (the harmonic mean is concave)
    and can be larger by nearly one half.
    Both are taken over the same classes: those of ``classes`` (None: with reference pixels) that
    have a user's and a producer's accuracy.

    Source: Opitz & Burst 2019, "Macro F1 and Macro F1".
    """
    parts = binary_parts(matrix)
    table = binary_metrics(parts).loc[_chosen(parts, classes)]
    defined = table.producers_accuracy.notna() & table.users_accuracy.notna()
    used = table[defined]
    recall, precision = _mean(used.producers_accuracy), _mean(used.users_accuracy)
    return MacroF1(_mean(used.f1), float(ratio(2 * recall * precision, recall + precision)),
                   tuple(used.index), tuple(table.index[~defined]))


def _chosen(parts: pd.DataFrame, classes: Sequence[Hashable] | None) -> list[Hashable]:
    if classes is None:
        return list(parts.index[parts.tp + parts.fn > 0])
    missing = [k for k in classes if k not in parts.index]
    if missing:
        known = ", ".join(map(str, parts.index))
        raise InputError(f"class is {missing[0]!r}; the matrix has {known}")
    return list(classes)


def _mean(values: pd.Series, weights: NDArray[np.int64] | None = None) -> float:
    weights = np.ones(len(values)) if weights is None else weights
    return float(ratio((values.to_numpy() * weights).sum(), weights.sum()))
