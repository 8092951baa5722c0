"""Assessed sites against planted ones: precision and recall, by category and of all candidates."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy import stats

from lulc_lib.accuracy.metrics import ratio
from lulc_lib.errors import InputError
from lulc_lib.sites.rules import CANDIDATE

LEAST_OVERLAP = 0.3
"""Share of the smaller of the two areas that a reported and a planted site must have in common."""

ANY_CANDIDATE = "any candidate"
"""Row of the counts in which the status alone matters, not the category."""


def compare_sites(reported: gpd.GeoDataFrame, planted: gpd.GeoDataFrame) -> pd.DataFrame:
    """Count what precision and recall rest on, for each planted category and all candidates.

    A reported and a planted site match where they share :data:`LEAST_OVERLAP` of the smaller; a
    reported site that meets several matches the one it overlaps most.

    Parameters
    ----------
    reported : GeoDataFrame
        With ``status`` and ``category`` (see :func:`lulc_lib.sites.rules.assess_sites`).
    planted : GeoDataFrame
        The reference, with the same two columns, in any CRS.

    Returns
    -------
    DataFrame
        Index: category (and :data:`ANY_CANDIDATE`); ``planted`` sites of it, ``recovered`` of them
        by a site reported with the same category; ``reported`` sites with it, ``correct`` of them.
        Counts add up over landscapes; see :func:`precision_recall`.

    Raises
    ------
    InputError
        A column is missing.
    """
    for what, table in (("reported", reported), ("planted", planted)):
        lacking = {"status", "category"} - set(table.columns)
        if lacking:
            raise InputError(f"{what} sites lack the column {', '.join(sorted(lacking))}")
    reference = planted.to_crs(reported.crs).reset_index(drop=True)
    match = match_sites(reported, reference)
    rows = {name: _counts(reported.category == name, reference.category == name, match)
            for name in sorted(set(reference.category) | set(reported.category))}
    rows[ANY_CANDIDATE] = _counts(reported.status == CANDIDATE, reference.status == CANDIDATE,
                                  match)
    return pd.DataFrame.from_dict(rows, orient="index")


def match_sites(reported: gpd.GeoDataFrame, planted: gpd.GeoDataFrame) -> pd.Series:
    """Match each reported site to the planted one it overlaps most.

    Returns
    -------
    Series
        Position in ``planted``, −1 for none; index that of ``reported``.
    """
    out = pd.Series(-1, index=reported.index, dtype="int64")
    for number, shape in reported.geometry.items():
        common = planted.intersection(shape).area.to_numpy()
        smaller = np.minimum(planted.area.to_numpy(), shape.area)
        good = common >= LEAST_OVERLAP * smaller
        if good.any():
            out[number] = int(np.where(good, common, -1).argmax())
    return out


def false_leads(counts: pd.Series, mapped_km2: float) -> tuple[float, float, float]:
    """Count false leads per 100 km² of mapped land, with an exact 95 % Poisson interval.

    >>> [round(v, 2) for v in false_leads(pd.Series({"reported": 115, "correct": 114}), 320.0)]
    [0.31, 0.01, 1.74]
    """
    false, per = int(counts.reported - counts.correct), 100 / mapped_km2
    low = stats.chi2.ppf(0.025, 2 * false) / 2 if false else 0.0
    return false * per, float(low) * per, float(stats.chi2.ppf(0.975, 2 * false + 2) / 2) * per


def expected_precision(per_100_km2: float, recall: float, false_per_100_km2: float) -> float:
    """Tell which share of the leads is right where so many true sites lie in 100 km².

    Precision depends on how common the sites are, recall and the rate of false leads do not.

    >>> round(expected_precision(1, 0.95, 0.31), 2), round(expected_precision(37, 0.95, 0.31), 2)
    (0.75, 0.99)
    """
    right = per_100_km2 * recall
    return right / (right + false_per_100_km2)


def precision_recall(counts: pd.DataFrame) -> pd.DataFrame:
    """Divide the counts of :func:`compare_sites` to ``precision`` and ``recall``; 0/0 is NaN."""
    return pd.DataFrame({"precision": ratio(counts.correct.to_numpy(), counts.reported),
                         "recall": ratio(counts.recovered.to_numpy(), counts.planted)},
                        index=counts.index)


def _counts(reported: pd.Series, planted: pd.Series, match: pd.Series) -> dict[str, int]:
    hits = match[reported & (match >= 0)]
    correct = hits[planted.to_numpy()[hits]]
    return {"planted": int(planted.sum()), "recovered": int(correct.nunique()),
            "reported": int(reported.sum()), "correct": len(correct)}
