"""Many comparisons of classifiers, and their rankings; ``experiments.fair_ranking`` tests them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lulc_lib.errors import InputError


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values for their number (Holm 1979).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise InputError("p values must be a list of numbers between 0 and 1")
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(steps, 1.0)
    return out


def agreement(a: pd.Series, b: pd.Series) -> dict[str, Any]:
    """Compare two rankings of the same classifiers: Kendall's τ, Spearman's ρ, same first."""
    from scipy import stats

    both = pd.concat([a, b], axis=1, keys=["a", "b"]).dropna()
    return {"kendall": float(stats.kendalltau(both.a, both.b).statistic),
            "spearman": float(stats.spearmanr(both.a, both.b).statistic),
            "same_first": bool(both.a.idxmax() == both.b.idxmax()), "classifiers": len(both)}
