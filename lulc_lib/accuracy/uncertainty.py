"""How far an accuracy could be off, and whether one of two maps is better.

Pixels of one polygon are right or wrong together, so Wilson's interval, which is for independent
points, is far too narrow for them; the cluster bootstrap keeps what belongs together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lulc_lib import legend
from lulc_lib.accuracy.confusion import plain_array
from lulc_lib.accuracy.metrics import METRICS, Parts, ratio
from lulc_lib.errors import InputError

WEIGHTS_AT_ONCE = 4_000_000
"""Polygon weights held in memory at a time (32 MB), however many replicates are asked for."""

FEW = 25
"""Below so many pixels on which only one map is right, McNemar's test is taken exactly."""

PER_CLASS = ("f1", "producers_accuracy", "users_accuracy")
"""Metrics of each class that the cluster bootstrap gives."""

Statistics = tuple[NDArray[np.float64], ...]
"""OA and macro F1 (replicate,), then the metrics of :data:`PER_CLASS` (replicate, class)."""


class Interval(NamedTuple):
    """An estimate with a percentile interval."""

    estimate: float
    low: float
    high: float


class DesignEffect(NamedTuple):
    """How much the clustering of pixels in polygons costs.

    ``design_effect``: variance of OA under the cluster bootstrap ÷ binomial variance.
    ``effective_n``: n ÷ design effect, the independent points that would be as precise. ``se`` and
    ``binomial_se``: standard error of OA from the polygons, and from n independent pixels.
    """

    design_effect: float
    effective_n: float
    n: int
    groups: int
    overall_accuracy: float
    se: float
    binomial_se: float


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


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Compute Wilson's score interval of a proportion (OA from n independent points, PA, UA).

    Parameters
    ----------
    successes, n : float
        Also fractions: the expected number right of a weighted sample, an effective n.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    Interval
        Within 0–1, also for 0 or n successes; all NaN if n is 0.

    Source: Wilson 1927; Brown, Cai & DasGupta 2001.

    Examples
    --------
    >>> [round(v, 3) for v in wilson(224, 280)]
    [0.8, 0.749, 0.843]
    """
    if not 0 <= successes <= n:
        raise InputError(f"successes is {successes} of {n}; it must be between 0 and n")
    z = NormalDist().inv_cdf(0.5 + _confidence(confidence) / 2)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan)
    share = successes / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(float(share), max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def cluster_bootstrap(by_group: NDArray[np.int64], replicates: int = 10_000, seed: int = 0,
                      confidence: float = 0.95) -> dict[str, Interval | list[Interval]]:
    """Compute percentile intervals of OA, F1, PA, UA from whole polygons drawn with replacement.

    Parameters
    ----------
    by_group : array, shape (group, map class, reference class)
        Counts of two groups or more, from ``confusion_by_group``.
    replicates, seed : int
        Number of bootstrap samples, and seed of the draws.
    confidence : float
        Share of the replicates inside the interval.

    Returns
    -------
    dict
        ``overall_accuracy``: Interval; ``macro_f1``: Interval over the classes with reference
        pixels; ``f1``, ``producers_accuracy``, ``users_accuracy``: one Interval per class axis
        label, NaN for a class without reference pixels.
    Source: Efron & Tibshirani 1993, chapter 13; clusters as the sampling unit, Stehman 1997.
    """
    by_group = _check_groups(by_group)
    return _bootstrap(lambda weights: _statistics(by_group, weights), len(by_group), replicates,
                      seed, confidence)


def design_effect(by_group: NDArray[np.int64], replicates: int = 10_000, seed: int = 0
                  ) -> DesignEffect:
    """Compute what the pixels of the polygons are worth in independent points, for OA.

    Arguments as in :func:`cluster_bootstrap`. NaN if every pixel is right or every pixel wrong.

    Source: Kish 1965, chapter 5; Stehman 1997.
    """
    by_group = _check_groups(by_group)
    groups, n = len(by_group), int(by_group.sum())
    share = float(_statistics(by_group, np.ones((1, groups)))[0][0])
    oa = np.concatenate([_statistics(by_group, weights)[0]
                         for weights in _drawn_weights(groups, replicates, seed)])
    variance, binomial = float(np.nanvar(oa)), share * (1 - share) / n
    effect = float(ratio(variance, binomial))
    return DesignEffect(effect, float(ratio(n, effect)), n, groups, share, float(np.sqrt(variance)),
                        float(np.sqrt(binomial)))


def paired_cluster_bootstrap(by_group_a: NDArray[np.int64], by_group_b: NDArray[np.int64],
                             replicates: int = 10_000, seed: int = 0, confidence: float = 0.95
                             ) -> dict[str, Interval | list[Interval]]:
    """Compute intervals of the difference of two maps (a − b), the same polygons drawn for both.

    Arguments and result as in :func:`cluster_bootstrap`, for counts of both maps with the same
    reference and groups. An interval without 0 says that the maps differ.

    Raises
    ------
    InputError
        The maps were not assessed on the same reference pixels of the same polygons.

    Source: Efron & Tibshirani 1993, chapter 13; paired design, Foody 2004.
    """
    a, b = np.asarray(by_group_a), np.asarray(by_group_b)
    if a.shape != b.shape or a.ndim != 3:
        raise InputError(f"the counts are {a.shape} and {b.shape}; both must be (group, map class, "
                         "reference class) over the same polygons")
    if (a.sum(axis=1) != b.sum(axis=1)).any():
        raise InputError("the two maps were assessed on different reference pixels; a paired "
                         "comparison needs the same pixels of the same polygons")
    _check_groups(a)

    def difference(weights: NDArray[np.float64]) -> Statistics:
        return tuple(x - y for x, y in zip(_statistics(a, weights), _statistics(b, weights),
                                           strict=True))

    return _bootstrap(difference, len(a), replicates, seed, confidence)


def reweighted_accuracy(by_group: NDArray[np.int64], mix: ArrayLike, replicates: int = 10_000,
                        seed: int = 0, confidence: float = 0.95) -> Interval:
    """Compute the OA that a map would have on another mix of classes, from whole polygons.

    Producer's accuracies weighted by ``mix``; polygons are redrawn as in
    :func:`cluster_bootstrap`, whose arguments the others are.

    Parameters
    ----------
    mix : array_like, shape (reference class,)
        Shares or counts of the classes; 0 where ``by_group`` has no pixel.
    """
    each = Parts.of(_check_groups(by_group).astype(np.float64))
    mix = np.asarray(mix, dtype=np.float64)

    def expected(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        found = ratio(weights @ each.tp, weights @ (each.tp + each.fn))
        return found[:, mix > 0] @ (mix[mix > 0] / mix.sum())

    groups = len(each.tp)
    drawn = [expected(w) for w in _drawn_weights(groups, replicates, seed)]
    return _interval(np.concatenate(drawn), expected(np.ones((1, groups)))[0], confidence)


def redrawn_macro_f1(parts: ArrayLike, replicates: int = 10_000, seed: int = 0
                     ) -> NDArray[np.float64]:
    """Draw the macro F1 of a classifier again of which only TP, FP, FN by class are known.

    As if the points were independent and as many per class as they were: of a class's points some
    are right, and the others take the wrong classes in the shares in which these were given.

    Parameters
    ----------
    parts : array_like, shape (class, 3)
        TP, FP and FN.

    Returns
    -------
    array, shape (replicate,)
    """
    tp, fp, fn = np.asarray(parts, dtype=np.int64).T
    rng = np.random.default_rng(seed)
    right = rng.binomial(tp + fn, tp / (tp + fn), size=(replicates, len(tp)))
    wrong = tp.sum() + fn.sum() - right.sum(axis=1)
    alarms = rng.multinomial(wrong, fp / fp.sum())
    return (2 * right / (tp + fn + right + alarms)).mean(axis=1)


def both_right(map_a: ArrayLike, map_b: ArrayLike, reference: ArrayLike) -> NDArray[np.int64]:
    """Count where map a and map b are right: [[both, only a], [only b, none]], for McNemar's test.

    Arrays of one shape, legend codes. Where the reference is NO_DATA nothing is assessed; an
    assessed pixel that a map leaves NO_DATA is wrong.

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
    a, b, wanted = (legend.check_codes(v, name) for v, name in zip(arrays, names, strict=True))
    assessed = wanted != legend.NO_DATA
    if not assessed.any():
        raise InputError("no pixel has a reference class; there is nothing to assess")
    right_a, right_b = a[assessed] == wanted[assessed], b[assessed] == wanted[assessed]
    both, only_a, only_b = (int(np.count_nonzero(v)) for v in
                            (right_a & right_b, right_a & ~right_b, ~right_a & right_b))
    return np.array([[both, only_a], [only_b, right_a.size - both - only_a - only_b]])


def mcnemar(table: ArrayLike, correction: bool = True, exact: bool | None = None) -> McNemar:
    """Test whether two maps are right equally often on the same pixels (McNemar).

    The test takes pixels as independent. Pixels of one polygon are not, and then its p-value is
    too small: use :func:`paired_cluster_bootstrap`.

    Parameters
    ----------
    table : array, shape (2, 2)
        [[both right, only a right], [only b right, both wrong]], see :func:`both_right`.
    correction : bool
        Edwards' continuity correction of χ².
    exact : bool, optional
        Binomial test instead of χ²; None: if fewer than ``FEW`` pixels differ.


    Source: McNemar 1947; Edwards 1948; Foody 2004 for maps.

    Examples
    --------
    >>> round(mcnemar([[101, 121], [59, 33]]).statistic, 5)
    20.67222
    """
    from scipy import stats  # here, so that the lesson needs no scipy

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


def _bootstrap(statistics: Callable[[NDArray[np.float64]], Statistics], groups: int,
               replicates: int, seed: int, confidence: float
               ) -> dict[str, Interval | list[Interval]]:
    """Intervals of what ``statistics`` gives for weights of the polygons (replicate, group)."""
    whole = statistics(np.ones((1, groups)))
    drawn = [statistics(weights) for weights in _drawn_weights(groups, replicates, seed)]
    oa, macro, *each = (np.concatenate(part) for part in zip(*drawn, strict=True))
    return {"overall_accuracy": _interval(oa, whole[0][0], confidence),
            "macro_f1": _interval(macro, whole[1][0], confidence),
            **{name: [_interval(values[:, k], estimate[0, k], confidence)
                      for k in range(values.shape[1])]
               for name, values, estimate in zip(PER_CLASS, each, whole[2:], strict=True)}}


def _drawn_weights(groups: int, replicates: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each polygon is drawn, (replicate, group), the same whatever the blocks' size."""
    rng = np.random.default_rng(seed)
    step = max(1, WEIGHTS_AT_ONCE // groups)
    for start in range(0, replicates, step):
        size = min(step, replicates - start)
        yield rng.multinomial(groups, np.full(groups, 1 / groups), size=size).astype(np.float64)


def _statistics(by_group: NDArray[np.int64], weights: NDArray[np.float64]) -> Statistics:
    """Statistics of weighted polygons; those of a class without reference are NaN."""
    each = Parts.of(by_group.astype(np.float64))
    parts = Parts(*(weights @ part for part in each))
    present = (each.tp + each.fn).sum(axis=0) > 0
    of_classes = [METRICS[name].compute(parts) for name in PER_CLASS]
    for values in of_classes:
        values[:, ~present] = np.nan
    return parts.overall_accuracy(), of_classes[0][:, present].mean(axis=1), *of_classes


def _interval(draws: NDArray[np.float64], estimate: float, confidence: float) -> Interval:
    """Percentile interval of the finite draws around an estimate; NaN if there are none."""
    tail = (1 - _confidence(confidence)) / 2
    finite = draws[np.isfinite(draws)]
    if finite.size == 0:
        return Interval(np.nan, np.nan, np.nan)
    low, high = np.quantile(finite, [tail, 1 - tail])
    return Interval(float(estimate), float(low), float(high))


def _check_groups(by_group: NDArray[np.int64]) -> NDArray[np.int64]:
    by_group = np.asarray(by_group)
    if by_group.ndim != 3 or by_group.shape[1] != by_group.shape[2]:
        raise InputError(f"by_group is {by_group.shape}; it must be (group, map class, reference "
                         "class), from confusion_by_group")
    if len(by_group) < 2:
        raise InputError(f"{len(by_group)} polygon(s) given; a cluster bootstrap needs at least 2")
    return by_group


def _confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}; it must be between 0 and 1, 0.95 say")
    return confidence
