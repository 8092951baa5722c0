"""Judged sites against planted truth: precision and recall, by category and for all candidates."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from lulc_lib.errors import InputError
from lulc_lib.sites.rules import CANDIDATE

LEAST_OVERLAP = 0.3
"""Share of the smaller of the two areas that a found and a planted site must have in common."""

ANY_CANDIDATE = "any candidate"
"""Row of the counts in which the status alone matters, not the category."""


def compare_sites(found: gpd.GeoDataFrame, planted: gpd.GeoDataFrame) -> pd.DataFrame:
    """Counts behind precision and recall, one row per planted category and one for candidates.

    A found and a planted site are the same where they share :data:`LEAST_OVERLAP` of the smaller;
    a found site that meets several belongs to the one it overlaps most.

    Parameters
    ----------
    found : with ``status`` and ``category`` (see :func:`lulc_lib.sites.reasons.judge_sites`).
    planted : the truth, with the same two columns, in any CRS.

    Returns
    -------
    Index: category (and :data:`ANY_CANDIDATE`); ``planted`` sites of it, ``recovered`` of them by
    a site found with the same category; ``found`` sites with it, ``right`` of them. Counts add up
    over landscapes; see :func:`precision_recall`.

    Raises
    ------
    InputError
        A column is missing.
    """
    for what, table in (("found", found), ("planted", planted)):
        lacking = {"status", "category"} - set(table.columns)
        if lacking:
            raise InputError(f"{what} sites lack the column {', '.join(sorted(lacking))}")
    truth = planted.to_crs(found.crs).reset_index(drop=True)
    match = match_sites(found, truth)
    rows = {name: _counts(found.category == name, truth.category == name, match)
            for name in sorted(set(truth.category) | set(found.category))}
    rows[ANY_CANDIDATE] = _counts(found.status == CANDIDATE, truth.status == CANDIDATE, match)
    return pd.DataFrame.from_dict(rows, orient="index")


def match_sites(found: gpd.GeoDataFrame, planted: gpd.GeoDataFrame) -> pd.Series:
    """Position of the planted site that each found site is, −1 for none; index that of found."""
    out = pd.Series(-1, index=found.index, dtype="int64")
    for number, shape in found.geometry.items():
        common = planted.intersection(shape).area.to_numpy()
        smaller = np.minimum(planted.area.to_numpy(), shape.area)
        good = common >= LEAST_OVERLAP * smaller
        if good.any():
            out[number] = int(np.where(good, common, -1).argmax())
    return out


def precision_recall(counts: pd.DataFrame) -> pd.DataFrame:
    """``precision`` and ``recall`` from counts of :func:`compare_sites`; 0/0 is NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return pd.DataFrame({
            "precision": counts.right.to_numpy() / counts.found.to_numpy().astype(float),
            "recall": counts.recovered.to_numpy() / counts.planted.to_numpy().astype(float),
        }, index=counts.index)


def _counts(found: pd.Series, planted: pd.Series, match: pd.Series) -> dict[str, int]:
    hits = match[found & (match >= 0)]
    right = hits[planted.to_numpy()[hits]]
    return {"planted": int(planted.sum()), "recovered": int(right.nunique()),
            "found": int(found.sum()), "right": len(right)}
