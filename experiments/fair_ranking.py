"""Several classifiers on several folds: which differences are more than chance, which rank first.

Counts are by label cluster, so that what belongs together is drawn together; many comparisons are
paid for (Holm); ranks over folds are compared by Friedman's test and Nemenyi's critical difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.accuracy import uncertainty
from lulc_lib.accuracy.metrics import Parts, ratio
from lulc_lib.accuracy.ranking import agreement, holm  # noqa: F401  (agreement: for importers)
from lulc_lib.errors import InputError

SCORES: tuple[str, ...] = ("overall_accuracy", "macro_f1", "quarry_f1")
"""What classifiers are compared by."""


class Ranks(NamedTuple):
    """Mean ranks over folds, 1 the best.

    ``critical_difference``: mean ranks that are further apart differ, by Nemenyi's test.
    ``p_value``: Friedman's test that all classifiers rank alike.
    """

    mean: pd.Series
    critical_difference: float
    p_value: float
    folds: int


def dense(rows: Sequence[Sequence[int]], clusters: int) -> NDArray[np.int64]:
    """Return (cluster, map class, reference class) counts of rows of the four numbers.

    >>> int(dense([[1, 2, 3, 7]], 2)[1, 2, 3])
    7
    """
    counts = np.zeros((clusters, len(legend.CODES), len(legend.CODES)), dtype=np.int64)
    if len(rows):
        cluster, mapped, reference, pixels = np.asarray(rows, dtype=np.int64).T
        np.add.at(counts, (cluster, mapped, reference), pixels)
    return counts


def with_pixels(*counts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return counts of the clusters in which any of them has a pixel."""
    some = np.any([c.any(axis=(1, 2)) for c in counts], axis=0)
    return [c[some] for c in counts]


def merged(counts: NDArray[np.int64], scheme: Mapping[int, int]) -> NDArray[np.int64]:
    """Return counts with classes joined, in the map and in the reference."""
    out = counts.copy()
    for old, new in scheme.items():
        for axis in (1, 2):
            along = np.moveaxis(out, axis, 0)
            along[new] += along[old]
            along[old] = 0
    return out


def score_draws(by_group: NDArray[np.int64], replicates: int = 2000, seed: int = 0
                ) -> dict[str, NDArray[np.float64]]:
    """Return the estimate and then its redrawn values, by score, from whole clusters.

    Besides :data:`SCORES` also ``quarry_pa`` and ``quarry_ua``.

    Parameters
    ----------
    by_group : array, shape (cluster, map class, reference class)
        Counts. Draws of one seed and number of clusters are the same, so two classifiers on the
        same clusters can be subtracted.
    replicates, seed : int
        Number of bootstrap samples, and seed of the draws.
    """
    quarry, groups = legend.CODES.index(legend.code("quarry")), len(by_group)
    weights = [np.ones((1, groups)), *uncertainty._drawn_weights(groups, replicates, seed)]
    parts = [uncertainty._statistics(by_group, w) for w in weights]
    oa, macro, f1 = (np.concatenate(p) for p in tuple(zip(*parts, strict=True))[:3])
    each = Parts.of(by_group.astype(np.float64))
    tp, fn, fp = (np.concatenate([w @ part[:, quarry] for w in weights])
                  for part in (each.tp, each.fn, each.fp))
    return {"overall_accuracy": oa, "macro_f1": macro, "quarry_f1": f1[:, quarry],
            "quarry_pa": ratio(tp, tp + fn), "quarry_ua": ratio(tp, tp + fp)}


def interval(draws: NDArray[np.float64], confidence: float = 0.95) -> list[float]:
    """Return the estimate, low and high end of :func:`score_draws`; NaN where none is finite."""
    if not np.isfinite(draws[1:]).any():
        return [float(draws[0]), float("nan"), float("nan")]
    tail = (1 - confidence) / 2
    return [float(draws[0]), *np.nanquantile(draws[1:], [tail, 1 - tail]).tolist()]


def p_value(difference: NDArray[np.float64]) -> float:
    """Return how often redrawn differences lie beyond 0, two-sided; never 0.

    >>> p_value(np.array([0.2, 0.1, 0.3, 0.2]))
    0.5
    """
    redrawn = difference[1:][np.isfinite(difference[1:])]
    if not len(redrawn):
        return 1.0
    beyond = min((redrawn <= 0).sum(), (redrawn >= 0).sum())
    return float(min(2 * (beyond + 1) / (len(redrawn) + 1), 1.0))


def paired_differences(counts: Mapping[str, Mapping[str, NDArray[np.int64]]],
                       replicates: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Compare every two classifiers under every protocol.

    Parameters
    ----------
    counts : mapping of str to mapping of str to array
        Protocol → classifier → (cluster, map class, reference class), all of one protocol on the
        same reference pixels.
    replicates, seed : int
        See :func:`score_draws`.

    Returns
    -------
    DataFrame
        Columns ``protocol, a, b, score, difference, low, high, p, p_holm``: a − b; Holm's
        adjustment is over all rows of one score.
    """
    rows = []
    for protocol, models in counts.items():
        if len({m.sum(axis=1).tobytes() for m in models.values()}) > 1:
            raise InputError(f"protocol {protocol}: the classifiers were not assessed on the same "
                             "reference pixels of the same clusters")
        shown = dict(zip(models, with_pixels(*models.values()), strict=True))
        draws = {name: score_draws(m, replicates, seed) for name, m in shown.items()}
        for a, b in combinations(models, 2):
            for score in SCORES:
                gap = draws[a][score] - draws[b][score]
                rows.append((protocol, a, b, score, *interval(gap), p_value(gap)))
    columns = ["protocol", "a", "b", "score", "difference", "low", "high", "p"]
    table = pd.DataFrame(rows, columns=columns)
    table["p_holm"] = table.groupby("score").p.transform(lambda p: holm(p.to_numpy()))
    return table


def mean_ranks(scores: pd.DataFrame, alpha: float = 0.05) -> Ranks:
    """Rank classifiers on every fold and compare mean ranks.

    Parameters
    ----------
    scores : DataFrame
        A row per fold, a column per classifier, higher is better, without gaps.
    alpha : float
        Level of Nemenyi's test.

    Source: Friedman 1937; Nemenyi 1963; Demšar 2006, section 3.2.
    """
    from scipy import stats

    folds, count = scores.shape
    if folds < 2 or count < 3 or scores.isna().any(axis=None):
        raise InputError(f"scores are {folds} folds × {count} classifiers; ranks take at least "
                         "2 × 3 without gaps")
    ranks = scores.rank(axis=1, ascending=False)
    q = stats.studentized_range.ppf(1 - alpha, count, np.inf) / np.sqrt(2)
    difference = float(q * np.sqrt(count * (count + 1) / (6 * folds)))
    test = stats.friedmanchisquare(*(scores[c] for c in scores))
    return Ranks(ranks.mean().sort_values(), difference, float(test.pvalue), folds)
