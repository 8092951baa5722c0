"""Printed numbers: what their digits allow, and the whole numbers behind them.

Tables 18–20 print metrics of each class only; printed to four digits over a few hundred points they
leave few integers possible, and five of them together usually leave one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lulc_lib.accuracy.metrics import METRICS as DEFINITIONS
from lulc_lib.accuracy.metrics import Parts, binary_parts
from lulc_lib.accuracy.published import table
from lulc_lib.errors import InputError

COUNTS = Parts._fields
METRICS = {"acc": "acc", "tnr": "specificity", "pa": "producers_accuracy", "ua": "users_accuracy",
           "f1": "f1"}
"""Per-class metrics under the paper's short names; ``oa`` is the overall accuracy."""
MEAN, OVERALL = "mean", "overall"
TEST_POINTS = 280
"""Test points of the Earth Engine classifiers (Hejmanowska et al. 2025, section 2.3.2)."""

Verdict = Literal["match", "rounding", "mismatch"]
_EDGE = 1e-6
_CLOSE = 1e-9
_MOST_COMBINATIONS = 200_000


class Printed(NamedTuple):
    """A number as printed: its value as a fraction, and one unit of its last digit."""

    text: str
    value: float
    unit: float

    def verdict(self, value: float) -> Verdict:
        """Say whether a computed value can stand behind the printed number.

        ``match``: it rounds to the printed digits (a tie may go either way). ``rounding``: rounded,
        it is one unit of the last digit away; never for a whole number. Else ``mismatch``.

        Examples
        --------
        >>> [parse(text).verdict(80 / 110) for text in ("0.727", "0.726", "0.724")]
        ['match', 'rounding', 'mismatch']
        """
        if not math.isfinite(value):
            return "mismatch"
        units = abs(value - self.value) / self.unit
        if units <= 0.5 + _EDGE:
            return "match"
        return "rounding" if units <= 1.5 + _EDGE and self.unit < 1 else "mismatch"

    def padded(self, value: float) -> int:
        """Count the decimals kept if it was rounded one digit early and a zero added; else 0.

        Examples
        --------
        >>> parse("0.7270").padded(80 / 110), parse("0.7273").padded(80 / 110)
        (3, 0)
        """
        kept = round(-math.log10(self.unit)) - 1
        if kept < 2 or not math.isfinite(value) or self.verdict(value) == "match":
            return 0
        coarse = 10.0 ** -kept
        on_grid = abs(self.value / coarse - round(self.value / coarse)) < _EDGE
        return kept if on_grid and abs(value - self.value) <= (0.5 + _EDGE) * coarse else 0

    def show(self, value: float) -> str:
        """Write a computed value with one digit more than printed, in the same unit."""
        if not math.isfinite(value):
            return "not defined"
        decimals = round(-math.log10(self.unit))
        if not decimals:
            return f"{value:.0f}"
        if self.text.endswith("%"):
            return f"{100 * value:.{decimals - 1}f} %"
        return f"{value:.{decimals + 1}f}"


def parse(text: str, unit: str = "") -> Printed:
    """Read a printed number; with unit "%" it is brought to a fraction.

    Examples
    --------
    >>> parse("94.60", "%")
    Printed(text='94.60 %', value=0.946, unit=0.0001)
    """
    digits = text.replace(",", "")
    decimals = len(digits.partition(".")[2]) + (2 if unit == "%" else 0)
    return Printed(text + (" %" if unit == "%" else ""),
                   round(float(digits) / (100 if unit == "%" else 1), decimals),
                   round(10.0 ** -decimals, decimals))


def one_against_all(matrix: pd.DataFrame) -> pd.DataFrame:
    """Count tp, fp, fn and tn of each class (index: class as text)."""
    counts = binary_parts(matrix)
    return counts.set_axis(pd.Index([str(label) for label in matrix.index], name="class"))


def quantities(counts: pd.DataFrame, extra_empty: int = 0) -> pd.DataFrame:
    """Compute the paper's metrics of each class that has pixels, their ``mean`` and ``overall``.

    The mean is over the classes with reference pixels and ``extra_empty`` more, counted as some
    programs do, PA = UA = F1 = 0 and ACC = TNR = 1: to recognise that mistake. OA is the same in
    every row.
    """
    counts = counts[counts[["tp", "fp", "fn"]].sum(axis=1) > 0]
    parts = Parts(*(counts[c].to_numpy(dtype=np.float64) for c in COUNTS))
    frame = pd.DataFrame({name: DEFINITIONS[METRICS[name]].compute(parts) for name in METRICS},
                         index=counts.index)
    present = frame[parts.tp + parts.fn > 0]
    empty = extra_empty * pd.Series({"acc": 1.0, "tnr": 1.0}).reindex(frame.columns, fill_value=0.0)
    mean = (present.sum(skipna=False) + empty) / (len(present) + extra_empty)
    whole = pd.concat([frame.join(counts[list(COUNTS)].astype(float)),
                       mean.to_frame(MEAN).T, pd.DataFrame(index=[OVERALL])])
    return whole.assign(oa=parts.tp.sum() / parts.n[0] if len(counts) else np.nan)


def reconstruct_counts(printed: pd.DataFrame | int, n: int = TEST_POINTS) -> pd.DataFrame:
    """Find the integer TP, FP, FN and TN of each class from its printed ACC, TNR, PA, UA and F1.

    Parameters
    ----------
    printed, n : DataFrame or int, int
        A table of ``published.table`` or its number, and the number of test points.

    Returns
    -------
    DataFrame, one row per class, int64
        ``tp, fp, fn, tn`` (NA if several solutions are left); ``support``; ``solutions_alone``: how
        many (TP, FP, FN) agree with all digits of the class's own row; ``solutions``: how many once
        supports add up to n and false positives to false negatives; ``digits_met``: how many of the
        printed metrics the counts reproduce (all five, unless a digit of the row is wrong).

    Raises
    ------
    InputError
        No combination of the classes' solutions adds up to n.

    Examples
    --------
    >>> reconstruct_counts(18).loc["7", ["tp", "fp", "fn", "tn"]].tolist()
    [10, 12, 10, 248]
    """
    printed = table(printed) if isinstance(printed, int) else printed
    rows = printed.drop(index=[MEAN, OVERALL], errors="ignore")
    solved = [_candidates({m: parse(row[m]) for m in METRICS}, n) for _, row in rows.iterrows()]
    joint = _joint([candidates for candidates, _ in solved], n)
    records = []
    for k, (alone, met) in enumerate(solved):
        left = np.unique(joint[:, k], axis=0)
        tp, fp, fn = left[0] if len(left) == 1 else (pd.NA,) * 3
        records.append((tp, fp, fn, n - tp - fp - fn, tp + fn, len(alone), len(left), met))
    frame = pd.DataFrame(records, index=pd.Index(rows.index, name="class"), columns=[
        *COUNTS, "support", "solutions_alone", "solutions", "digits_met"])
    return frame.convert_dtypes() if frame.isna().any(axis=None) else frame.astype(np.int64)


def _candidates(row: dict[str, Printed], n: int) -> tuple[NDArray[np.int64], int]:
    """(solution, TP FP FN) that meet the most printed digits, and how many metrics they meet."""
    solutions = _consistent(row, n)
    if len(solutions):
        return solutions, len(row)
    best, kept = 0, []
    for hits in range(n + 1):  # a wrong digit: look at all triples, one TP at a time
        fp, fn = _pairs(n - hits)
        met = sum(_meets(row, m, hits, fp, fn, n).astype(int) for m in row)
        if met.max() > best:
            best, kept = int(met.max()), []
        if met.max() == best:
            at = met == best
            kept.append(np.stack([np.full(at.sum(), hits), fp[at], fn[at]], axis=1))
    return np.concatenate(kept), best


def _consistent(row: dict[str, Printed], n: int) -> NDArray[np.int64]:
    """All (TP, FP, FN) that meet every metric: PA leaves (TP, FN), UA leaves (TP, FP)."""
    tp, other = _pairs(n)
    by_pa, by_ua = _meets(row, "pa", tp, 0, other, n), _meets(row, "ua", tp, other, 0, n)
    pairs = pd.DataFrame({"tp": tp[by_ua], "fp": other[by_ua]}).merge(
        pd.DataFrame({"tp": tp[by_pa], "fn": other[by_pa]}), on="tp")
    pairs = pairs[pairs.sum(axis=1) <= n]
    good = np.logical_and.reduce([_meets(row, m, *pairs.to_numpy().T, n) for m in row])
    return pairs.to_numpy()[good]


def _pairs(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of whole numbers from 0 that add up to at most n."""
    one, other = (a.ravel() for a in np.indices((n + 1, n + 1)))
    return one[one + other <= n], other[one + other <= n]


def _meets(row: dict[str, Printed], metric: str, tp: ArrayLike, fp: ArrayLike, fn: ArrayLike,
           n: int) -> NDArray[np.bool_]:
    """Whether the metric of these counts rounds to the printed digits (never where it is 0/0)."""
    tp, fp, fn = np.broadcast_arrays(tp, fp, fn)
    value = DEFINITIONS[METRICS[metric]].compute(Parts(tp, fp, fn, n - tp - fp - fn))
    return np.abs(value - row[metric].value) <= row[metric].unit / 2 + _CLOSE


def _joint(candidates: Sequence[NDArray[np.int64]], n: int) -> NDArray[np.int64]:
    """Combine candidates, (combination, class, TP FP FN): supports add up to n, FP equal FN."""
    order = np.argsort([len(c) for c in candidates])
    loose = order[-1]  # the class with most candidates is looked up, not enumerated
    others = [candidates[k] for k in order[:-1]]
    if math.prod(len(c) for c in others) > _MOST_COMBINATIONS:
        raise InputError("the printed metrics leave too many combinations of counts to enumerate")
    last, kept = candidates[loose], []
    for combination in product(*others):
        chosen = np.array(combination).reshape(-1, 3)
        support = n - (chosen[:, 0] + chosen[:, 2]).sum()
        surplus = (chosen[:, 2] - chosen[:, 1]).sum()
        fits = last[(last[:, 0] + last[:, 2] == support) & (last[:, 1] - last[:, 2] == surplus)]
        for fit in fits:
            whole = np.empty((len(candidates), 3), dtype=np.int64)
            whole[order[:-1]], whole[loose] = chosen, fit
            kept.append(whole)
    if not kept:
        raise InputError(f"no whole numbers behind the printed metrics add up to {n} points")
    return np.stack(kept)
