"""Everything that is said about one judged map: metrics, means, area-adjusted estimates, JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lulc_lib.accuracy.area import AreaAdjusted, area_adjusted
from lulc_lib.accuracy.assess import formula as formulas
from lulc_lib.accuracy.assess.judged import Judged
from lulc_lib.accuracy.averages import mean_over_classes
from lulc_lib.accuracy.metrics import METRICS, Parts, binary_metrics, kappa
from lulc_lib.errors import InputError

SAMPLE = "a stratified random sample with the map classes as strata"
"""What an area-adjusted estimate presumes of the judged units."""


@dataclass(frozen=True)
class Assessment:
    """The numbers of one accuracy assessment.

    Attributes
    ----------
    judged : what was judged.
    overall_accuracy, kappa : NaN where the input does not determine them.
    per_class : one row per class; ``support``, ``mapped``, the metrics, and ``formula`` if asked.
    means : see :func:`means`.
    classes : the classes with reference units, over which macro and weighted means are taken.
    area : area-adjusted estimates, if areas were given.
    formula : (name, expression) of the custom formula.
    """

    judged: Judged
    overall_accuracy: float
    kappa: float
    per_class: pd.DataFrame
    means: pd.DataFrame
    classes: list[str]
    area: AreaAdjusted | None = None
    formula: tuple[str, str] | None = None


def assess(judged: Judged, areas: Mapping[str, float] | None = None, formula: str | None = None
           ) -> Assessment:
    """The metrics of a judged map.

    Parameters
    ----------
    judged : from ``read_judged`` or from pixels.
    areas : mapped area of every class, any unit; presumes :data:`SAMPLE`.
    formula : see :func:`lulc_lib.accuracy.assess.formula.evaluate`; becomes the column ``formula``.

    Raises
    ------
    InputError
        Areas without a confusion matrix, or a formula that cannot be computed.
    """
    counts = judged.counts.rename(columns=str.lower)
    table = binary_metrics(counts)
    if formula is not None:
        names = {name: judged.counts[name].to_numpy(dtype=np.float64) for name in judged.counts}
        names["N"] = np.full(len(table), float(judged.n))
        names |= {name: table[name].to_numpy(dtype=np.float64) for name in table}
        table = table.assign(formula=formulas.evaluate(formula, names))
    return Assessment(
        judged, *_overall(judged), table, means(counts, table),
        list(table.index[table.support > 0]),
        None if areas is None else _area_adjusted(judged, areas),
        None if formula is None else formulas.split_name(formula))


def means(counts: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Macro, support-weighted and micro means of every metric of a per-class table.

    Parameters
    ----------
    counts : columns tp, fp, fn, tn, one row per class.
    table : one row per class, ``support`` and metrics.

    Returns
    -------
    One row per metric: ``macro`` and ``weighted`` over the classes that have reference units and
    where the metric is defined (``n_averaged`` of them, without ``left_out``); ``micro`` from the
    summed counts of all classes, NaN for a custom formula.
    """
    present, whole = table[table.support > 0], counts.sum()
    sums = Parts(*(np.array(float(whole[c])) for c in Parts._fields))
    rows = {}
    for name in table.columns.drop(["support", "mapped"]):
        micro = float(METRICS[name].compute(sums)) if name in METRICS else math.nan
        found = mean_over_classes(present[name], present.support)
        rows[name] = found | {"micro": micro, "left_out": list(found["left_out"])}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")


def _overall(judged: Judged) -> tuple[float, float]:
    """OA and kappa; from binary counts alone only if the classes share out all n units."""
    if judged.matrix is not None:
        counts = judged.matrix.to_numpy()
        return float(np.trace(counts) / counts.sum()), float(kappa(judged.matrix))
    table, n = judged.counts, judged.n
    mapped, support = table.TP + table.FP, table.TP + table.FN
    if mapped.sum() != n or support.sum() != n:
        return math.nan, math.nan
    observed, chance = table.TP.sum() / n, float((mapped * support).sum()) / n**2
    return float(observed), (observed - chance) / (1 - chance) if chance < 1 else math.nan


def _area_adjusted(judged: Judged, areas: Mapping[str, float]) -> AreaAdjusted:
    if judged.matrix is None:
        raise InputError("--areas needs a confusion matrix; counts of TP, TN, FP and FN per class "
                         "do not tell which classes are confused with which")
    return area_adjusted(judged.matrix, areas, "stratified_by_map")


def as_json(found: Assessment) -> dict[str, Any]:
    """The assessment as plain values for JSON: NaN is None, the matrix has the map in its rows."""
    matrix = found.judged.matrix
    out = {
        "labels": list(found.per_class.index),
        "matrix": None if matrix is None else matrix.to_numpy().tolist(),
        "n": found.judged.n,
        "overall_accuracy": found.overall_accuracy,
        "kappa": found.kappa,
        "per_class": {label: row.to_dict() for label, row in
                      found.per_class.astype(object).iterrows()},
        "macro": {**found.means.macro.to_dict(), "classes": found.classes,
                  "left_out": {name: classes for name, classes in found.means.left_out.items()
                               if classes}},
        "weighted": found.means.weighted.to_dict(),
        "micro": found.means.micro.to_dict(),
    }
    if found.area is not None:
        out["area_adjusted"] = {
            "overall_accuracy": found.area.overall_accuracy,
            "overall_accuracy_se": found.area.overall_accuracy_se,
            "per_class": {label: row.to_dict() for label, row in found.area.per_class.iterrows()},
            "design": found.area.design,
        }
    return _plain(out)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
