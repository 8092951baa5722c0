"""Everything that is said about a comparison: metrics, means, area-adjusted estimates, words."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lulc_lib.accuracy import formula as formulas
from lulc_lib.accuracy.area import AreaAdjusted, area_adjusted
from lulc_lib.accuracy.assess.confusion_inputs import Comparison
from lulc_lib.accuracy.metrics import (
    PER_CLASS,
    Parts,
    averages_of_parts,
    binary_metrics,
    mean_over_classes,
)
from lulc_lib.accuracy.uncertainty import PER_CLASS as WITH_INTERVAL
from lulc_lib.accuracy.uncertainty import Interval, cluster_bootstrap, wilson
from lulc_lib.errors import InputError
from lulc_lib.results import plain

SAMPLE = "a stratified random sample with the map classes as strata"
"""What an area-adjusted estimate presumes of the compared units."""

UNDEFINED = "–"

NOT_JUDGED = {
    "map_no_data": "{} reference pixels where the map has no data",
    "reference_no_data": "{} pixels without a reference",
    "claimed_by_two_classes": "{} pixels claimed by two classes",
    "of_code_never_mapped": "{} reference pixels of a fill value",
    "sharing_a_pixel": "{} points in one pixel with another",
    "of_no_data": "{} shapes of no class",
    "off_map": "{} shapes off the map",
    "features_without_shape": "{} features without a shape"}
"""What a comparison leaves out (``Comparison.dropped``), in words."""

REPLICATES, FEW_POLYGONS = 10_000, 10
"""Draws of the polygon bootstrap; below so many polygons a class's interval is not reliable."""


@dataclass(frozen=True)
class Assessment:
    """The numbers of one accuracy assessment.

    ``overall_accuracy`` and ``kappa`` are NaN where the input does not determine them.
    ``per_class``: ``support``, ``mapped``, the metrics, and ``formula`` if asked. ``means``: as
    ``averages_of_parts``, over ``classes``, those with reference units, and where the metric is
    defined. ``area``: if areas were given. ``formula``: name and expression of the custom one.
    ``intervals``: of ``cluster_bootstrap``, if counts by polygon were given.
    """

    comparison: Comparison
    overall_accuracy: float
    kappa: float
    per_class: pd.DataFrame
    means: pd.DataFrame
    classes: list[str]
    area: AreaAdjusted | None = None
    formula: tuple[str, str] | None = None
    intervals: Mapping[str, Any] | None = None

    @property
    def judged(self) -> str:
        """Say how many pixels of a map were judged, and what was not; '' of a table."""
        if not self.comparison.pixels:
            return ""
        words = "; ".join(NOT_JUDGED[what].format(number)
                          for what, number in self.comparison.dropped.items() if number)
        return f"Judged: {self.comparison.n} pixels. Not judged: {words or 'nothing'}."

    def interval_words(self) -> str:
        """Say what the intervals rest on, and of which classes they are not reliable."""
        by_group = self.comparison.by_group
        polygons = dict(zip(self.comparison.labels, (by_group.sum(axis=1) > 0).sum(axis=0),
                            strict=True))
        few = ", ".join(f"{label} ({number})" for label, number in polygons.items()
                        if 0 < number < FEW_POLYGONS)
        return (f"95 % intervals: {len(by_group)} polygons (or points) redrawn {REPLICATES} times"
                + (f". Not reliable, with fewer than {FEW_POLYGONS}: {few}." if few else "."))

    @property
    def absent(self) -> list[str]:
        """The classes without reference units."""
        return [label for label in self.per_class.index if label not in self.classes]

    def over(self, metric: str) -> str:
        """Name the classes that a macro mean averages."""
        number, left_out = self.means.n_averaged[metric], self.means.left_out[metric]
        words = f"{number} {'class' if number == 1 else 'classes'}"
        if left_out:
            words += f", undefined for {', '.join(left_out)}"
        if self.absent:
            words += f", without {', '.join(self.absent)} (no reference)"
        return words

    def oa_interval(self) -> str:
        """Give Wilson's interval of OA, and what it presumes."""
        n = self.comparison.n
        interval = wilson(self.overall_accuracy * n, n)
        return (f"95 % interval of OA {share(interval.low)} to {share(interval.high)} (Wilson), if "
                f"the {n} units are independent random draws; pixels of polygons are not")

    def worst_confusions(self, most: int = 5) -> list[str]:
        """Name the largest cells off the diagonal, one sentence each."""
        matrix = self.comparison.matrix
        if matrix is None:
            return []
        counts = matrix.to_numpy().copy()
        support = counts.sum(axis=0)
        np.fill_diagonal(counts, 0)
        order = np.argsort(-counts, axis=None, kind="stable")[:most]
        places = zip(*np.unravel_index(order, counts.shape), strict=True)
        return [f"{counts[i, j]} of {support[j]} reference units of {matrix.columns[j]} "
                f"({100 * counts[i, j] / support[j]:.1f} %) are mapped as {matrix.index[i]}."
                for i, j in places if counts[i, j]]


def assess(comparison: Comparison, areas: Mapping[str, float] | None = None,
           formula: str | None = None, complete: Collection[str] = ()) -> Assessment:
    """Compute the metrics of a map compared with a reference.

    ``areas``: mapped area of every class, any unit; presumes :data:`SAMPLE`. ``complete``:
    classes of which it holds every unit. ``formula``: see
    :func:`lulc_lib.accuracy.formula.evaluate`.

    Raises
    ------
    InputError
        Areas without a confusion matrix, or a formula that cannot be computed.
    """
    if areas is not None and comparison.matrix is None:
        raise InputError("--areas needs a confusion matrix; counts of TP, TN, FP and FN per class "
                         "do not tell which classes are confused with which")
    counts = comparison.counts.rename(columns=str.lower)
    table, means = binary_metrics(counts), averages_of_parts(counts, PER_CLASS)
    present = table.support > 0
    if formula is not None:
        names = {name: comparison.counts[name] for name in comparison.counts}
        names["N"] = np.full(len(table), comparison.n)
        names |= {name: table[name] for name in table}
        values = {name: np.asarray(value, dtype=np.float64) for name, value in names.items()}
        table = table.assign(formula=formulas.evaluate(formula, values))
        mean = mean_over_classes(table.formula[present], table.support[present])
        means.loc["formula"] = pd.Series(mean | {"micro": math.nan})
    parts = Parts(*(counts[c].to_numpy(dtype=np.float64) for c in Parts._fields))
    n = comparison.n
    shared_out = (parts.tp + parts.fp).sum() == n == (parts.tp + parts.fn).sum()
    return Assessment(
        comparison, float(parts.overall_accuracy()) if shared_out else math.nan,
        float(parts.kappa()) if shared_out else math.nan, table, means, list(table.index[present]),
        None if areas is None else
        area_adjusted(comparison.matrix, areas, "stratified_by_map", complete),
        None if formula is None else formulas.split_name(formula),
        None if comparison.by_group is None else
        cluster_bootstrap(comparison.by_group, REPLICATES))


def as_json(assessment: Assessment) -> dict[str, Any]:
    """Give plain values for JSON: NaN is None, the matrix has the map in its rows."""
    matrix, means = assessment.comparison.matrix, assessment.means
    out = {
        "labels": list(assessment.per_class.index),
        "matrix": None if matrix is None else matrix.to_numpy().tolist(),
        "n": assessment.comparison.n,
        "dropped": dict(assessment.comparison.dropped),
        "notes": list(assessment.comparison.notes),
        "overall_accuracy": assessment.overall_accuracy,
        "kappa": assessment.kappa,
        "per_class": {label: row.to_dict() for label, row in
                      assessment.per_class.astype(object).iterrows()},
        "macro": {**means.macro.to_dict(), "classes": assessment.classes,
                  "left_out": {name: classes for name, classes in means.left_out.items()
                               if classes}},
        "weighted": means.weighted.to_dict(),
        "micro": means.micro.to_dict()}
    if assessment.comparison.names:
        out["names"] = dict(assessment.comparison.names)
    if assessment.intervals is not None:
        out["intervals"] = interval_values(assessment)
    if assessment.area is not None:
        area = assessment.area
        out["area_adjusted"] = {
            "overall_accuracy": area.overall_accuracy,
            "overall_accuracy_se": area.overall_accuracy_se,
            "per_class": {label: row.to_dict() for label, row in area.per_class.iterrows()},
            "design": area.design}
    return plain(out)


def interval_values(assessment: Assessment) -> dict[str, Any]:
    """Give the intervals as plain values: [low, high] of each metric."""
    found, labels = assessment.intervals, assessment.comparison.labels
    return {
        "polygons": len(assessment.comparison.by_group), "replicates": REPLICATES,
        "overall_accuracy": list(found["overall_accuracy"][1:]),
        "macro_f1": list(found["macro_f1"][1:]),
        "per_class": {label: {name: list(found[name][k][1:]) for name in WITH_INTERVAL}
                      for k, label in enumerate(labels)}}


def bracketed(interval: Interval, digits: int = 4) -> str:
    """Write an estimate with its interval, or a dash if it is undefined.

    Examples
    --------
    >>> bracketed(Interval(0.5, 0.25, 0.75), 2)
    '0.50 [0.25, 0.75]'
    >>> bracketed(Interval(0.5, 0.25, 0.75))
    '0.5000 [0.2500, 0.7500]'
    """
    estimate, low, high = (share(v, digits) for v in interval)
    return estimate if low == UNDEFINED else f"{estimate} [{low}, {high}]"


def share(value: float, digits: int = 4) -> str:
    """Write a metric's value, or a dash if it is undefined."""
    return f"{value:.{digits}f}" if math.isfinite(value) else UNDEFINED


def amount(value: float, error: float) -> tuple[str, str]:
    """Write an area and its error with as many decimals as give the error three digits.

    Examples
    --------
    >>> amount(3175221.445, 87924.2), amount(0.123456, 0.0123456)
    (('3175221', '87924'), ('0.1235', '0.0123'))
    """
    if not (math.isfinite(error) and error > 0):
        return f"{value:.6g}", UNDEFINED if math.isnan(error) else "0"
    digits = min(12, max(0, 2 - math.floor(math.log10(error))))
    return f"{value:.{digits}f}", f"{error:.{digits}f}"
