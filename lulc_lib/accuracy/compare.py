"""Two maps judged on the same pixels: is one better, and by how much?

A paired comparison looks at the pixels where the two maps differ in being right. Two maps that were
judged on different pixels cannot be compared like this, and nothing here does so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lulc_lib import legend
from lulc_lib.accuracy.counting import plain_array
from lulc_lib.accuracy.uncertainty import Interval, interval, resampled, scores
from lulc_lib.errors import InputError

FEW = 25
"""Below so many pixels on which only one map is right, McNemar's test is taken exactly."""


class McNemar(NamedTuple):
    """Result of McNemar's test.

    ``statistic``: χ² with one degree of freedom, or for the exact test the smaller of ``only_a``
    and ``only_b``, the pixels on which only map a, only map b is right. ``method`` says which.
    """

    statistic: float
    p_value: float
    only_a: int
    only_b: int
    method: str


def both_right(map_a: ArrayLike, map_b: ArrayLike, reference: ArrayLike) -> NDArray[np.int64]:
    """Count where map a and map b are right.

    Parameters
    ----------
    map_a, map_b, reference : arrays of one shape, legend codes. Where the reference is NO_DATA
        nothing is judged; a judged pixel that a map leaves NO_DATA is wrong.

    Returns
    -------
    [[both right, only a right], [only b right, both wrong]] int64.

    Raises
    ------
    InputError
        Shapes differ, a value is no legend code, or no pixel has a reference.
    """
    names = ("map a", "map b", "the reference")
    arrays = [plain_array(values) for values in (map_a, map_b, reference)]
    if len({a.shape for a in arrays}) > 1:
        raise InputError(f"the maps are {arrays[0].shape} and {arrays[1].shape}, the reference "
                         f"{arrays[2].shape}; they must be one grid")
    a, b, truth = (legend.check_codes(v, name) for v, name in zip(arrays, names, strict=True))
    judged = truth != legend.NO_DATA
    if not judged.any():
        raise InputError("no pixel has a reference class; there is nothing to judge")
    right_a, right_b = a[judged] == truth[judged], b[judged] == truth[judged]
    both, only_a, only_b = (int(np.count_nonzero(v)) for v in
                            (right_a & right_b, right_a & ~right_b, ~right_a & right_b))
    return np.array([[both, only_a], [only_b, right_a.size - both - only_a - only_b]])


def mcnemar(table: ArrayLike, correction: bool = True, exact: bool | None = None) -> McNemar:
    """McNemar's test that two maps are right equally often on the same pixels.

    Parameters
    ----------
    table : [[both right, only a right], [only b right, both wrong]], see :func:`both_right`.
    correction : Edwards' continuity correction of χ².
    exact : binomial test instead of χ²; None: if fewer than ``FEW`` pixels differ.

    It takes pixels as independent. Pixels of one polygon are not, and then its p-value is too
    small: use :func:`paired_cluster_bootstrap`.

    Raises
    ------
    InputError
        Not a 2 × 2 table of counts.

    Source: McNemar 1947; Edwards 1948; Foody 2004 for maps.

    >>> round(mcnemar([[101, 121], [59, 33]]).statistic, 5)
    20.67222
    """
    counts = np.asarray(table)
    if counts.shape != (2, 2) or counts.dtype.kind not in "uif" or not (counts >= 0).all():
        raise InputError("the table must be 2 × 2 counts: [[both right, only a], [only b, none]]")
    only_a, only_b = int(counts[0, 1]), int(counts[1, 0])
    differ = only_a + only_b
    if exact or (exact is None and differ < FEW):
        less = min(only_a, only_b)
        p = stats.binomtest(less, differ, 0.5).pvalue if differ else 1.0
        return McNemar(float(less), float(p), only_a, only_b, "exact binomial")
    gap = max(abs(only_a - only_b) - (1 if correction else 0), 0)
    statistic = gap**2 / differ if differ else 0.0
    method = "χ² with continuity correction" if correction else "χ²"
    return McNemar(statistic, float(stats.chi2.sf(statistic, 1)), only_a, only_b, method)


def paired_cluster_bootstrap(
    by_group_a: NDArray[np.int64],
    by_group_b: NDArray[np.int64],
    replicates: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Interval | list[Interval]]:
    """Intervals of the difference of two maps (a − b), the same polygons drawn for both.

    Parameters
    ----------
    by_group_a, by_group_b : (group, map class, reference class) counts of each map, from
        ``confusion_by_group`` with the same reference and the same groups.
    replicates, seed, confidence : as in ``cluster_bootstrap``.

    Returns
    -------
    As ``cluster_bootstrap``, of differences: ``overall_accuracy``, ``macro_f1`` and ``f1``, one
    Interval per class axis label. An interval without 0 says that the maps differ.

    Raises
    ------
    InputError
        The maps were not judged on the same reference pixels of the same polygons, or fewer than
        two polygons.

    Source: Efron & Tibshirani 1993, chapter 13; paired design, Foody 2004.
    """
    a, b = np.asarray(by_group_a), np.asarray(by_group_b)
    if a.shape != b.shape or a.ndim != 3:
        raise InputError(f"the counts are {a.shape} and {b.shape}; both must be (group, map class, "
                         "reference class) over the same polygons")
    if (a.sum(axis=1) != b.sum(axis=1)).any():
        raise InputError("the two maps were judged on different reference pixels; a paired "
                         "comparison needs the same pixels of the same polygons")
    if len(a) < 2:
        raise InputError(f"{len(a)} polygon(s) given; a cluster bootstrap needs at least 2")

    def difference(weights: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        return [x - y for x, y in zip(scores(a, weights), scores(b, weights), strict=True)]

    whole = difference(np.ones((1, len(a))))
    drawn = [difference(weights) for weights in resampled(len(a), replicates, seed)]
    oa, macro, f1 = (np.concatenate(part) for part in zip(*drawn, strict=True))
    return {
        "overall_accuracy": interval(oa, whole[0][0], confidence),
        "macro_f1": interval(macro, whole[1][0], confidence),
        "f1": [interval(f1[:, k], whole[2][0, k], confidence) for k in range(f1.shape[1])],
    }
