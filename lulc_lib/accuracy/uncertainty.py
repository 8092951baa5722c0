"""How far an accuracy could be off: Wilson intervals, and resampling whole reference polygons.

Wilson's interval is for independent points. Pixels of one polygon are right or wrong together, so
they are not independent and a binomial interval is far too narrow for them. Resampling polygons
keeps what belongs together; the design effect says how many independent points they are worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lulc_lib.accuracy.definitions import ratio
from lulc_lib.errors import InputError

WEIGHTS_AT_ONCE = 4_000_000
"""Polygon weights held in memory at a time (32 MB), however many replicates are asked for."""


class Interval(NamedTuple):
    """An estimate with a percentile interval."""

    estimate: float
    low: float
    high: float


class DesignEffect(NamedTuple):
    """How much the clustering of pixels in polygons costs.

    ``design_effect``: variance of OA under resampled polygons ÷ binomial variance. ``effective_n``:
    n ÷ design effect, the number of independent points that would be as precise. ``se``: standard
    error of OA from the polygons; ``binomial_se``: what n independent pixels would have.
    """

    design_effect: float
    effective_n: float
    n: int
    groups: int
    overall_accuracy: float
    se: float
    binomial_se: float


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion (OA from n independent points, PA, UA).

    Returns
    -------
    Interval within 0–1, also for 0 or n successes; all NaN if n is 0.

    Raises
    ------
    InputError
        successes is not within 0 … n, or confidence not within 0 … 1.

    Source: Wilson 1927; Brown, Cai & DasGupta 2001.

    >>> [round(v, 3) for v in wilson(224, 280)]
    [0.8, 0.749, 0.843]
    """
    if not 0 <= successes <= n:
        raise InputError(f"successes is {successes} of {n}; it must be between 0 and n")
    z = NormalDist().inv_cdf(0.5 + _confidence(confidence) / 2)
    if n == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    share = successes / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(float(share), max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def cluster_bootstrap(
    by_group: NDArray[np.int64], replicates: int = 10_000, seed: int = 0, confidence: float = 0.95
) -> dict[str, Interval | list[Interval]]:
    """Percentile intervals of OA and per-class F1 from polygons drawn with replacement.

    Parameters
    ----------
    by_group : (group, map class, reference class) counts, from ``confusion_by_group``.
    replicates : number of bootstrap samples.
    seed : of the random draws.
    confidence : share of the replicates inside the interval.

    Returns
    -------
    ``overall_accuracy``: Interval; ``macro_f1``: Interval over the classes with reference pixels;
    ``f1``: one Interval per class axis label, NaN for a class without reference pixels.

    Raises
    ------
    InputError
        Fewer than two groups.

    Source: Efron & Tibshirani 1993, chapter 13; clusters as the sampling unit, Stehman 1997.
    """
    by_group = _check_groups(by_group)
    whole = scores(by_group, np.ones((1, len(by_group))))
    drawn = [scores(by_group, weights) for weights in resampled(len(by_group), replicates, seed)]
    oa, macro, f1 = (np.concatenate(part) for part in zip(*drawn, strict=True))
    return {
        "overall_accuracy": interval(oa, whole[0][0], confidence),
        "macro_f1": interval(macro, whole[1][0], confidence),
        "f1": [interval(f1[:, k], whole[2][0, k], confidence) for k in range(f1.shape[1])],
    }


def design_effect(
    by_group: NDArray[np.int64], replicates: int = 10_000, seed: int = 0
) -> DesignEffect:
    """What the pixels of the polygons are worth in independent points, for overall accuracy.

    Parameters
    ----------
    by_group : (group, map class, reference class) counts, from ``confusion_by_group``.
    replicates, seed : as in :func:`cluster_bootstrap`.

    Returns
    -------
    DesignEffect; its ratios are NaN if every pixel is right or every pixel wrong.

    Raises
    ------
    InputError
        Fewer than two groups.

    Source: Kish 1965, chapter 5; Stehman 1997.
    """
    by_group = _check_groups(by_group)
    groups, n = len(by_group), int(by_group.sum())
    share = float(scores(by_group, np.ones((1, groups)))[0][0])
    oa = np.concatenate([scores(by_group, weights)[0]
                         for weights in resampled(groups, replicates, seed)])
    variance, binomial = float(np.nanvar(oa)), share * (1 - share) / n
    effect = float(ratio(variance, binomial))
    return DesignEffect(effect, float(ratio(n, effect)), n, groups, share, float(np.sqrt(variance)),
                        float(np.sqrt(binomial)))


def resampled(groups: int, replicates: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each polygon is drawn: (replicate, group) float64, in blocks of replicates.

    The draws are the same whatever the size of the blocks.
    """
    rng = np.random.default_rng(seed)
    step = max(1, WEIGHTS_AT_ONCE // groups)
    for start in range(0, replicates, step):
        size = min(step, replicates - start)
        yield rng.multinomial(groups, np.full(groups, 1 / groups), size=size).astype(np.float64)


def scores(
    by_group: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """OA (replicate,), macro F1 (replicate,) and F1 (replicate, class) of weighted polygons.

    F1 is NaN, and not in the macro mean, for a class that has no reference pixels in any polygon.
    """
    counts = by_group.astype(np.float64)
    hit, mapped, support = np.einsum("gkk->gk", counts), counts.sum(axis=2), counts.sum(axis=1)
    oa = ratio(weights @ hit.sum(axis=1), weights @ support.sum(axis=1))
    f1 = ratio(2 * (weights @ hit), weights @ (mapped + support))
    present = support.sum(axis=0) > 0
    f1[:, ~present] = np.nan
    return oa, f1[:, present].mean(axis=1), f1


def interval(draws: NDArray[np.float64], estimate: float, confidence: float) -> Interval:
    """Percentile interval of the finite draws around an estimate; NaN if there are none."""
    tail = (1 - _confidence(confidence)) / 2
    finite = draws[np.isfinite(draws)]
    if finite.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
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
