"""Accuracy metrics of a confusion matrix and their means over classes.

TP, FP, FN and TN are taken from a matrix here only, and ``metrics.csv`` has the only formulas; the
numbers are computed from their text. 0/0 is NaN, never 0; a mean says what it averages.
"""

from __future__ import annotations

import csv
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lulc_lib.accuracy.confusion import check_confusion
from lulc_lib.accuracy.formula import evaluate
from lulc_lib.errors import InputError, check_choice

USUAL = ("producers_accuracy", "users_accuracy", "f1", "acc", "specificity", "iou")
"""The metrics that :func:`averages` averages if none are named."""


def ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """Divide part by whole; NaN where whole is 0."""
    whole = np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


class Parts(NamedTuple):
    """Pixels of each class against all others, the class on the last axis, float64.

    tp: map and reference agree on the class. fp: only the map has it. fn: only the reference has
    it. tn: neither has it.
    """

    tp: NDArray[np.float64]
    fp: NDArray[np.float64]
    fn: NDArray[np.float64]
    tn: NDArray[np.float64]

    @classmethod
    def of(cls, counts: NDArray[np.number]) -> Parts:
        """Take them from counts of shape (…, map class, reference class)."""
        hit = np.einsum("...kk->...k", counts)
        fp, fn = counts.sum(axis=-1) - hit, counts.sum(axis=-2) - hit
        return cls(hit, fp, fn, counts.sum(axis=(-2, -1))[..., None] - hit - fp - fn)

    @property
    def n(self) -> NDArray[np.float64]:
        """All assessed pixels."""
        return self.tp + self.fp + self.fn + self.tn

    def overall_accuracy(self) -> NDArray[np.float64]:
        """Overall accuracy, if the classes share out all n pixels."""
        return ratio(self.tp.sum(axis=-1), (self.tp + self.fn).sum(axis=-1))

    def kappa(self) -> NDArray[np.float64]:
        """Cohen's kappa, if the classes share out all n pixels (see :func:`kappa`)."""
        n = (self.tp + self.fn).sum(axis=-1)
        chance = ratio(((self.tp + self.fp) * (self.tp + self.fn)).sum(axis=-1), n * n)
        return ratio(self.overall_accuracy() - chance, 1 - chance)


class Metric(NamedTuple):
    """A metric of each class, or of the whole matrix, which has a function of its own."""

    short: str
    name: str
    formula: str
    range: str
    synonyms: tuple[str, ...]
    source: str
    of_matrix: bool

    def compute(self, parts: Parts) -> NDArray[np.float64]:
        """Compute the metric of each class by its formula; NaN for 0/0."""
        return evaluate(self.formula, {k.upper(): v for k, v in parts._asdict().items()})


METRICS: dict[str, Metric] = {
    row.pop("key"): Metric(**{**row, "synonyms": tuple(row["synonyms"].split("; ")),
                              "of_matrix": row["of_matrix"] == "yes"})
    for row in csv.DictReader(Path(__file__).with_suffix(".csv").read_text("utf-8").splitlines())}
"""Column or function name to metric. 0/0 is NaN in all of them.

Full references: Balayla 2020, PLoS ONE 15(10), e0240215. Benjamini & Hochberg 1995, J. R. Stat.
Soc. B 57, 289–300. Brodersen et al. 2010, ICPR, 3121–3124. Chicco & Jurman 2020, BMC Genomics 21,
6. Cohen 1960, Educ. Psychol. Meas. 20, 37–46. Congalton 1991, Remote Sens. Environ. 37, 35–46.
Fawcett 2006, Pattern Recognit. Lett. 27, 861–874. Fowlkes & Mallows 1983, J. Am. Stat. Assoc. 78,
553–569. Jaccard 1901, Bull. Soc. Vaud. Sci. Nat. 37, 547–579. Matthews 1975, Biochim. Biophys. Acta
405, 442–451. Pontius & Millones 2011, Int. J. Remote Sens. 32, 4407–4429. Powers 2011, J. Mach.
Learn. Technol. 2, 37–63. Schaefer 1990, Weather Forecast. 5, 570–575. Stehman 1997, Remote Sens.
Environ. 62, 77–89. Story & Congalton 1986, Photogramm. Eng. Remote Sens. 52, 397–399. van
Rijsbergen 1979, Information Retrieval. Youden 1950, Cancer 3, 32–35.
"""

PER_CLASS: tuple[str, ...] = tuple(k for k, m in METRICS.items() if not m.of_matrix)
"""The metrics that each class has."""


class Disagreement(NamedTuple):
    """The two ways to be wrong; together they are 1 − OA."""

    quantity: float
    allocation: float


class MacroF1(NamedTuple):
    """Macro F1 in its two meanings, and the classes that both average."""

    mean_of_f1: float
    f1_of_means: float
    averaged: tuple[Hashable, ...]
    left_out: tuple[Hashable, ...]


def describe(name: str) -> str:
    """Describe a metric in one paragraph: formula, range, synonyms, source.

    Examples
    --------
    >>> describe("npv").splitlines()[0]
    'npv: Negative predictive value = TN / (TN + FN)'
    """
    metric = METRICS[name]
    return (f"{name}: {metric.name} = {metric.formula}\n    Range {metric.range}. "
            f"Also {'; '.join(metric.synonyms)}.\n    Source: {metric.source}.")


def binary_parts(matrix: pd.DataFrame) -> pd.DataFrame:
    """Count each class against all others.

    Returns
    -------
    DataFrame, one row per class, int64
        Columns tp (the diagonal), fp (the rest of the row: the map says so, the reference does
        not), fn (the rest of the column) and tn (everything else); the four add up to n.

    Source: Hejmanowska et al. 2025, Table 10.
    """
    parts = Parts.of(check_confusion(matrix))
    return pd.DataFrame(parts._asdict(), index=matrix.index.rename("class")).astype(np.int64)


def binary_metrics(parts: pd.DataFrame) -> pd.DataFrame:
    """Do as :func:`per_class` from counts alone: columns tp, fp, fn, tn, one row per class.

    Raises
    ------
    InputError
        A column is missing, or a count is negative or no number.
    """
    values = _parts_of(parts)
    table = {"support": (values.tp + values.fn).astype(np.int64),
             "mapped": (values.tp + values.fp).astype(np.int64)}
    table |= {name: METRICS[name].compute(values) for name in PER_CLASS}
    return pd.DataFrame(table, index=parts.index)


def per_class(matrix: pd.DataFrame) -> pd.DataFrame:
    """Compute support and every per-class metric of a confusion matrix.

    Returns
    -------
    DataFrame, one row per class
        Columns ``support`` (reference pixels, int), ``mapped`` (map pixels, int),
        ``producers_accuracy`` (diagonal ÷ column, recall), ``users_accuracy`` (diagonal ÷ row,
        precision), ``f1``, and the other names of ``PER_CLASS``. NaN where the divisor is 0: a
        class without reference pixels has no producer's accuracy, one that is never mapped no
        user's accuracy. The column ``for`` is read as ``table["for"]``.

    Source: Hejmanowska et al. 2025, Table 6; for each metric see below.
    """
    return binary_metrics(binary_parts(matrix))


if per_class.__doc__:  # not under python -OO
    per_class.__doc__ += "\n\n" + "\n".join(describe(name) for name in PER_CLASS)


def overall_accuracy(matrix: pd.DataFrame) -> float:
    """Compute the overall accuracy (OA): trace ÷ n, the share of pixels with the right class.

    Range 0–1. Synonym in machine learning: accuracy, micro-averaged recall.
    Source: Hejmanowska et al. 2025, Table 6.
    """
    return float(Parts.of(check_confusion(matrix)).overall_accuracy())


def macro_f1(matrix: pd.DataFrame) -> float:
    """Average the F1 of the classes that have reference pixels, each counting the same.

    A class of the legend without reference pixels is not averaged in; pixels wrongly mapped to it
    still count as omissions of their own class. ``averages`` has the other means and says which
    classes went into them.
    """
    table = per_class(matrix)
    present = table.support > 0
    return float(table.f1[present].mean()) if present.any() else np.nan


def kappa(matrix: pd.DataFrame) -> float:
    """Compute Cohen's kappa: (OA − chance) ÷ (1 − chance), chance = Σ row share × column share.

    Range −1–1; 0 is the agreement of a map with the same class shares at random places; NaN if
    map and reference are one and the same class everywhere. Synonyms: κ, KIA, Heidke skill score.

    Read it with its critique (Pontius & Millones 2011): a random map is a baseline that nobody
    asks about, kappa is nearly a function of OA, it mixes wrong amounts with wrong places, and its
    verbal scales are arbitrary. Report :func:`disagreement` instead, or next to it.

    Source: Cohen 1960; Congalton 1991.
    """
    return float(Parts.of(check_confusion(matrix)).kappa())


def disagreement(matrix: pd.DataFrame) -> Disagreement:
    """Split 1 − OA into quantity and allocation disagreement.

    Quantity: the map has wrong amounts of the classes, ½ Σ |row share − column share|. Allocation:
    right amounts in wrong places, what could be mended by moving pixels. Range of both 0 to
    1 − OA. Shares are those of the assessed pixels: for a stratified sample they describe the
    sample, not the map, until weighted by area (``area.area_adjusted``).

    Source: Pontius & Millones 2011.
    """
    parts = Parts.of(check_confusion(matrix))
    n = parts.n[0]
    quantity = float(ratio(np.abs(parts.fp - parts.fn).sum() / 2, n))
    return Disagreement(quantity, float(ratio(np.minimum(parts.fp, parts.fn).sum(), n)))


def summary(matrix: pd.DataFrame) -> dict[str, float]:
    """Give n, overall accuracy and macro F1 of a confusion matrix, by name."""
    return {"n": int(check_confusion(matrix).sum()), "overall_accuracy": overall_accuracy(matrix),
            "macro_f1": macro_f1(matrix)}


def averages(matrix: pd.DataFrame, metrics: Sequence[str] = USUAL,
             classes: Sequence[Hashable] | None = None, undefined_as: float | None = None
             ) -> pd.DataFrame:
    """Average per-class metrics: macro, micro and support-weighted mean.

    Parameters
    ----------
    matrix : DataFrame
        Confusion matrix, rows map_class, columns reference_class.
    metrics : sequence of str
        Names of ``PER_CLASS``.
    classes : sequence, optional
        Which classes to average; None: those with reference pixels. Of these, a class whose
        metric is NaN (never mapped: no user's accuracy) is left out and listed.
    undefined_as : float, optional
        Count such a class with this value instead; 0 is what several programs do.

    Returns
    -------
    DataFrame, one row per metric
        ``macro``: every averaged class counts the same. ``weighted``: by reference pixels (for
        producer's accuracy this is OA). ``micro``: the metric of the summed TP, FP, FN, TN of the
        classes in ``pooled`` — ``classes``, or all of the matrix, and then OA for PA, UA and F1.
        ``n_averaged``, ``averaged``, ``left_out``: how many and which classes macro and weighted
        average, and which are NaN; ``absent``: classes of the matrix that were not asked for.

    Raises
    ------
    InputError
        A metric or class that does not exist.

    Source: Hejmanowska et al. 2025, Table 12 (macro); Sokolova & Lapalme 2009 (micro).
    """
    return averages_of_parts(binary_parts(matrix), metrics, classes, undefined_as)


def averages_of_parts(parts: pd.DataFrame, metrics: Sequence[str] = USUAL,
                      classes: Sequence[Hashable] | None = None, undefined_as: float | None = None
                      ) -> pd.DataFrame:
    """Do as :func:`averages` from counts alone: columns tp, fp, fn, tn, one row per class."""
    for name in metrics:
        check_choice("metric", name, PER_CLASS)
    missing = [k for k in classes or () if k not in parts.index]
    if missing:
        raise InputError(f"class is {missing[0]!r}; the matrix has "
                         f"{', '.join(map(str, parts.index))}")
    chosen = list(parts.index[parts.tp + parts.fn > 0] if classes is None else classes)
    pooled = list(parts.index) if classes is None else chosen
    sums = Parts(*(np.array(float(parts.loc[pooled, c].sum())) for c in Parts._fields))
    table = binary_metrics(parts).loc[chosen]
    rows = {}
    for name in metrics:
        values = table[name] if undefined_as is None else table[name].fillna(undefined_as)
        rows[name] = {**mean_over_classes(values, table.support),
                      "micro": float(METRICS[name].compute(sums)),
                      "absent": tuple(k for k in parts.index if k not in chosen),
                      "pooled": tuple(pooled)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")


def mean_over_classes(values: pd.Series, support: pd.Series) -> dict[str, Any]:
    """Average one value per class, each class the same and by support; a NaN is left out."""
    defined = values.notna()
    return {"macro": _mean(values[defined]),
            "weighted": _mean(values[defined], support[defined].to_numpy()),
            "n_averaged": int(defined.sum()), "averaged": tuple(values.index[defined]),
            "left_out": tuple(values.index[~defined])}


def macro_f1_two_ways(matrix: pd.DataFrame) -> MacroF1:
    """Compute macro F1 as the mean of the F1s, and as the F1 of mean precision and mean recall.

    Both are called macro F1. The second is never the smaller one (the harmonic mean is concave)
    and can be larger by nearly one half. Both are taken over the same classes: those that have a
    producer's and a user's accuracy.

    Source: Opitz & Burst 2019, "Macro F1 and Macro F1".
    """
    table = per_class(matrix)
    table = table[table.support > 0]
    defined = table.users_accuracy.notna()
    used = table[defined]
    recall, precision = _mean(used.producers_accuracy), _mean(used.users_accuracy)
    return MacroF1(_mean(used.f1), float(ratio(2 * recall * precision, recall + precision)),
                   tuple(used.index), tuple(table.index[~defined]))


def _parts_of(table: pd.DataFrame) -> Parts:
    missing = [c for c in Parts._fields if c not in table.columns]
    if missing:
        raise InputError(f"the counts have no column {missing[0]!r}; tp, fp, fn and tn are needed")
    try:
        values = Parts(*(table[c].to_numpy(dtype=np.float64) for c in Parts._fields))
    except (TypeError, ValueError) as error:
        raise InputError(f"tp, fp, fn and tn must be numbers: {error}") from None
    if not (np.asarray(values) >= 0).all():
        raise InputError("tp, fp, fn and tn must all be 0 or more; a count is missing or negative")
    return values


def _mean(values: pd.Series, weights: NDArray[np.int64] | None = None) -> float:
    weights = np.ones(len(values)) if weights is None else weights
    return float(ratio((values.to_numpy() * weights).sum(), weights.sum()))
