"""The corrected numbers: what the paper's matrices and tables say once computed as defined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from lulc_lib import legend
from lulc_lib.accuracy.audit.hypotheses import Subject
from lulc_lib.accuracy.audit.one_against_all import MEAN, METRICS, OVERALL
from lulc_lib.accuracy.published.tables import index, training_scenes
from lulc_lib.accuracy.uncertainty import wilson


@dataclass(frozen=True)
class Facts:
    """The corrected numbers that the claims are tested on.

    ``unet``: by site, ``gee``: by classifier, the metrics of ``quantities``; ``matrices``: by site,
    confusion matrices (map_class, reference_class); ``points``: counts by classifier; ``training``:
    number of training scenes by site; ``binary``: counts of the two-class example; ``overlap``: by
    site, share of the reference test pixels that lie on pixels labelled in training;
    ``oa_interval``: by site, 95 % interval of the network's OA (from whole polygons, say; else the
    binomial one is used).
    """

    unet: Mapping[str, pd.DataFrame]
    gee: Mapping[str, pd.DataFrame]
    matrices: Mapping[str, pd.DataFrame]
    points: Mapping[str, pd.DataFrame]
    training: Mapping[str, int]
    binary: pd.DataFrame
    overlap: Mapping[str, float] = field(default_factory=dict)
    oa_interval: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def gee_range(self, row: str, column: str) -> tuple[float, float]:
        """Lowest and highest value of the three Earth Engine classifiers."""
        values = [table.loc[row, column] for table in self.gee.values()]
        return min(values), max(values)

    def site(self) -> str:
        """The site at which both approaches were judged (the first matrix of the paper)."""
        return next(iter(self.unet))


def facts(
    subjects: Mapping[int, Subject], overlap: Mapping[str, float] | None = None,
    oa_interval: Mapping[str, tuple[float, float]] | None = None, as_printed: bool = False,
) -> Facts:
    """The corrected numbers from the paper's subjects (see ``checks.subjects``).

    With ``as_printed`` the metrics are those that the paper prints, for comparison.
    """
    table = index()
    sites = {table.site[n]: subjects[n] for n in subjects if table.site[n] and n < 15}
    classifiers = {table.classifier[n]: subjects[n] for n in subjects if n > 17}
    return Facts(
        {name: s.as_printed if as_printed else s.right for name, s in sites.items()},
        {name: s.as_printed if as_printed else s.right for name, s in classifiers.items()},
        {name: s.matrix for name, s in sites.items()},
        {name: s.counts for name, s in classifiers.items()},
        training_scenes().site.value_counts().to_dict(),
        subjects[7].counts,
        dict(overlap or {}), dict(oa_interval or {}),
    )


def corrected(subjects: Mapping[int, Subject]) -> pd.DataFrame:
    """The summary the paper should have: means over the classes present, OA with its interval.

    Returns
    -------
    One row per map (site or classifier): ``about`` (table), ``site``, ``classifier``, ``n``,
    ``correct``, ``classes``, ``oa, oa_low, oa_high`` (Wilson, 95 %: right for independent points,
    far too narrow for the pixels of polygons) and the means ``acc, tnr, pa, ua, f1``.
    """
    table, rows = index(), []
    for n in (13, 14, 18, 19, 20):
        counts, right = subjects[n].counts, subjects[n].right
        total, correct = int(counts.iloc[0].sum()), int(counts.tp.sum())
        present = int((counts.tp + counts.fn > 0).sum())
        _, low, high = wilson(correct, total)
        rows.append({"about": n, "site": table.site[n], "classifier": table.classifier[n],
                     "n": total, "correct": correct, "classes": present,
                     "oa": right.loc[OVERALL, "oa"], "oa_low": low, "oa_high": high,
                     **right.loc[MEAN, list(METRICS)].to_dict()})
    return pd.DataFrame(rows)


def key(name: str) -> str:
    """Row label of a class in the tables, by its key in the legend."""
    return str(legend.code(name))
