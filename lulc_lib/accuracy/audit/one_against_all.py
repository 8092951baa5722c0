"""Each class against all others: TP, FP, FN, TN, and the paper's metrics from them.

Unlike ``metrics``, which starts from a confusion matrix, this starts from the four counts, because
that is all that Tables 18–20 of the paper determine.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lulc_lib.accuracy.confusion import check_confusion
from lulc_lib.accuracy.metrics import ratio

COUNTS = ("tp", "fp", "fn", "tn")
METRICS = ("acc", "tnr", "pa", "ua", "f1")
"""Per-class metrics under the paper's short names; ``oa`` is the overall accuracy."""
MEAN, OVERALL = "mean", "overall"


def one_against_all(matrix: pd.DataFrame) -> pd.DataFrame:
    """The four counts of each class.

    Parameters
    ----------
    matrix : confusion matrix, rows map_class, columns reference_class.

    Returns
    -------
    One row per class (index: class as text), int64 columns ``tp, fp, fn, tn``; every row adds up
    to n.

    >>> from lulc_lib.accuracy.confusion import as_confusion
    >>> one_against_all(as_confusion([[40, 5], [10, 45]], [1, 2])).loc["1"].tolist()
    [40, 5, 10, 45]
    """
    counts = check_confusion(matrix).astype(np.int64)
    tp = np.diag(counts)
    fp, fn = counts.sum(axis=1) - tp, counts.sum(axis=0) - tp
    labels = pd.Index([str(label) for label in matrix.index], name="class")
    parts = {"tp": tp, "fp": fp, "fn": fn, "tn": counts.sum() - tp - fp - fn}
    return pd.DataFrame(parts, index=labels)


def quantities(counts: pd.DataFrame, extra_empty: int = 0) -> pd.DataFrame:
    """The paper's metrics from the four counts.

    Parameters
    ----------
    counts : from :func:`one_against_all`; classes without any pixel on either side are left out.
    extra_empty : how many empty classes the means count in the way some programs do: PA = UA = F1
        = 0 and ACC = TNR = 1. 0 is right; other numbers are there to recognise that mistake.

    Returns
    -------
    Rows: each class, ``mean`` (over the classes with reference pixels), ``overall``; columns
    ``acc, tnr, pa, ua, f1, oa`` and the four counts (NaN in the last two rows). OA is the same in
    every row. Source: Hejmanowska et al. 2025, Table 6.
    """
    counts = counts[counts[["tp", "fp", "fn"]].sum(axis=1) > 0]
    tp, fp, fn, tn = (counts[c].to_numpy(dtype=np.float64) for c in COUNTS)
    n = tp + fp + fn + tn
    frame = pd.DataFrame({
        "acc": ratio(tp + tn, n), "tnr": ratio(tn, tn + fp), "pa": ratio(tp, tp + fn),
        "ua": ratio(tp, tp + fp), "f1": ratio(2 * tp, 2 * tp + fp + fn),
    }, index=counts.index)
    judged = frame[tp + fn > 0]
    number = len(judged) + extra_empty
    mean = (judged.sum(skipna=False) + extra_empty * pd.Series({"acc": 1.0, "tnr": 1.0}).reindex(
        frame.columns, fill_value=0.0)) / number
    whole = pd.concat([frame.join(counts[list(COUNTS)].astype(float)),
                       mean.to_frame(MEAN).T, pd.DataFrame(index=[OVERALL])])
    return whole.assign(oa=tp.sum() / n[0] if len(n) else np.nan)


def swap_axes(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts of the transposed matrix: FP and FN change places."""
    return counts.rename(columns={"fp": "fn", "fn": "fp"})[list(COUNTS)]
