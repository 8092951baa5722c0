"""The whole numbers behind rounded per-class metrics (Tables 18–20 of the paper).

A metric printed to four digits over a few hundred points leaves few integers possible; five of them
together usually leave one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lulc_lib.accuracy.audit.one_against_all import COUNTS, MEAN, METRICS, OVERALL
from lulc_lib.accuracy.audit.rounding import Printed, parse
from lulc_lib.accuracy.published.tables import table
from lulc_lib.errors import InputError

TEST_POINTS = 280
"""Test points of the Earth Engine classifiers (Hejmanowska et al. 2025, section 2.3.2)."""
_EDGE = 1e-9
_MOST_COMBINATIONS = 200_000


def reconstruct_counts(printed: pd.DataFrame | int, n: int = TEST_POINTS) -> pd.DataFrame:
    """Integer TP, FP, FN and TN of each class from its printed ACC, TNR, PA, UA and F1.

    Parameters
    ----------
    printed : a table as :func:`lulc_lib.accuracy.published.table` gives it, or its number.
    n : number of judged points.

    Returns
    -------
    One row per class: int64 ``tp, fp, fn, tn``; ``support`` (tp + fn); ``solutions_alone``: how
    many (TP, FP, FN) agree with all digits of the class's own row; ``solutions``: how many are left
    once supports must add up to n and false positives to false negatives; ``digits_met``: how many
    of the printed metrics the counts reproduce (all five, unless a digit of the row is wrong). A
    class with more than one solution left has NA counts.

    Raises
    ------
    InputError
        No combination of the classes' solutions adds up to n.

    >>> reconstruct_counts(18).loc["7", ["tp", "fp", "fn", "tn"]].tolist()
    [10, 12, 10, 248]
    """
    printed = table(printed) if isinstance(printed, int) else printed
    rows = printed.drop(index=[MEAN, OVERALL], errors="ignore")
    found = [_candidates({m: parse(row[m]) for m in METRICS}, n) for _, row in rows.iterrows()]
    joint = _joint([candidates for candidates, _ in found], n)
    records = []
    for k, (alone, met) in enumerate(found):
        left = np.unique(joint[:, k], axis=0)
        tp, fp, fn = left[0] if len(left) == 1 else (pd.NA,) * 3
        tn = n - left[0].sum() if len(left) == 1 else pd.NA
        records.append((tp, fp, fn, tn, tp + fn, len(alone), len(left), met))
    frame = pd.DataFrame(records, index=pd.Index(rows.index, name="class"), columns=[
        *COUNTS, "support", "solutions_alone", "solutions", "digits_met"])
    return frame.convert_dtypes() if frame.isna().any(axis=None) else frame.astype(np.int64)


def _candidates(row: dict[str, Printed], n: int) -> tuple[NDArray[np.int64], int]:
    """(solution, TP FP FN) that meet the most printed digits, and how many metrics they meet."""
    tp, fp, fn = _consistent(row, n)
    if len(tp):
        return np.stack([tp, fp, fn], axis=1), len(row)
    best, kept = 0, []
    for hits in range(n + 1):  # a wrong digit: look at all triples, one TP at a time
        fp, fn = (a.ravel() for a in np.indices((n - hits + 1, n - hits + 1)))
        inside = fp + fn <= n - hits
        fp, fn = fp[inside], fn[inside]
        met = sum(_meets(row[m], *_fraction(m, hits, fp, fn, n)).astype(int) for m in row)
        if met.max() > best:
            best, kept = int(met.max()), []
        if met.max() == best:
            at = met == best
            kept.append(np.stack([np.full(at.sum(), hits), fp[at], fn[at]], axis=1))
    return np.concatenate(kept), best


def _consistent(row: dict[str, Printed], n: int) -> list[NDArray[np.int64]]:
    """TP, FP, FN of all triples that meet every metric: PA leaves (TP, FN), UA (TP, FP)."""
    tp, other = (a.ravel() for a in np.indices((n + 1, n + 1)))
    inside = (tp + other <= n) & (tp + other > 0)
    tp, other = tp[inside], other[inside]
    by_pa, by_ua = (_meets(row[m], tp, tp + other) for m in ("pa", "ua"))
    pairs = pd.DataFrame({"tp": tp[by_pa], "fn": other[by_pa]}).merge(
        pd.DataFrame({"tp": tp[by_ua], "fp": other[by_ua]}), on="tp")
    tp, fp, fn = (pairs[c].to_numpy() for c in ("tp", "fp", "fn"))
    good = tp + fp + fn <= n
    for metric in row:
        good &= _meets(row[metric], *_fraction(metric, tp, fp, fn, n))
    return [tp[good], fp[good], fn[good]]


def _fraction(metric: str, tp, fp, fn, n: int):
    return {"acc": (n - fp - fn, n), "tnr": (n - tp - fp - fn, n - tp - fn), "pa": (tp, tp + fn),
            "ua": (tp, tp + fp), "f1": (2 * tp, 2 * tp + fp + fn)}[metric]


def _meets(printed: Printed, part, whole) -> NDArray[np.bool_]:
    """Whether part ÷ whole rounds to the printed digits (never where the whole is 0)."""
    whole = np.asarray(whole)
    slack = (printed.unit / 2 + _EDGE) * whole
    return (whole > 0) & (np.abs(part - printed.value * whole) <= slack)


def _joint(found: Sequence[NDArray[np.int64]], n: int) -> NDArray[np.int64]:
    """(combination, class, TP FP FN) whose supports add up to n and whose FP equal their FN."""
    order = np.argsort([len(c) for c in found])
    loose = order[-1]  # the class with most candidates is looked up, not enumerated
    others = [found[k] for k in order[:-1]]
    if prod(len(c) for c in others) > _MOST_COMBINATIONS:
        raise InputError("the printed metrics leave too many combinations of counts to enumerate")
    last, kept = found[loose], []
    for combination in product(*others):
        chosen = np.array(combination).reshape(-1, 3)
        support = n - (chosen[:, 0] + chosen[:, 2]).sum()
        surplus = (chosen[:, 2] - chosen[:, 1]).sum()
        fits = last[(last[:, 0] + last[:, 2] == support) & (last[:, 1] - last[:, 2] == surplus)]
        for fit in fits:
            whole = np.empty((len(found), 3), dtype=np.int64)
            whole[order[:-1]], whole[loose] = chosen, fit
            kept.append(whole)
    if not kept:
        raise InputError(f"no whole numbers behind the printed metrics add up to {n} points")
    return np.stack(kept)
