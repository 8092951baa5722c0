"""How far an accuracy could be off: intervals by resampling whole reference polygons.

Pixels of one polygon are right or wrong together, so they are not independent and the usual
binomial interval is far too narrow. Resampling polygons keeps what belongs together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lulc_lib.accuracy.metrics import ratio
from lulc_lib.errors import InputError


class Interval(NamedTuple):
    """An estimate with a percentile interval."""

    estimate: float
    low: float
    high: float


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
    if len(by_group) < 2:
        raise InputError(f"{len(by_group)} polygon(s) given; a cluster bootstrap needs at least 2")
    rng = np.random.default_rng(seed)
    groups = len(by_group)
    weights = rng.multinomial(groups, np.full(groups, 1 / groups), size=replicates)
    hit, mapped, support = _parts(by_group)
    total = support.sum(axis=1)
    oa = ratio(weights @ hit.sum(axis=1), weights @ total)
    f1 = ratio(2 * (weights @ hit), weights @ (mapped + support))
    present = support.sum(axis=0) > 0
    f1[:, ~present] = np.nan
    f1_all = ratio(2 * hit.sum(axis=0), (mapped + support).sum(axis=0))
    f1_all[~present] = np.nan
    return {
        "overall_accuracy": _interval(oa, hit.sum() / total.sum(), confidence),
        "macro_f1": _interval(f1[:, present].mean(axis=1), f1_all[present].mean(), confidence),
        "f1": [_interval(f1[:, k], f1_all[k], confidence) for k in range(f1.shape[1])],
    }


def _parts(by_group: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Per group and class: hits, map pixels, reference pixels, (group, class) float64."""
    counts = by_group.astype(np.float64)
    return np.einsum("gkk->gk", counts), counts.sum(axis=2), counts.sum(axis=1)


def _interval(draws: NDArray[np.float64], estimate: float, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    finite = draws[np.isfinite(draws)]
    if finite.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(finite, [tail, 1 - tail])
    return Interval(float(estimate), float(low), float(high))
