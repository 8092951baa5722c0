"""What each accuracy metric is: formula, range, synonyms and source, next to its computation.

``METRICS`` is the only place where a per-class formula is written. ``metrics.per_class`` computes
from it, notebook 04 prints it, and a test evaluates the formulas' text against the numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

PAPER = "Hejmanowska et al. 2025, Table 6"


def ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """part ÷ whole, NaN where whole is 0."""
    whole = np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


class Parts(NamedTuple):
    """Pixels of one class against all others, one value per class, float64.

    tp: map and reference agree on the class. fp: only the map has it. fn: only the reference has
    it. tn: neither has it.
    """

    tp: NDArray[np.float64]
    fp: NDArray[np.float64]
    fn: NDArray[np.float64]
    tn: NDArray[np.float64]

    @property
    def n(self) -> NDArray[np.float64]:
        """All judged pixels."""
        return self.tp + self.fp + self.fn + self.tn


class Metric(NamedTuple):
    """A metric: what it is called, how it is computed, and where that is written.

    ``compute`` takes :class:`Parts`; it is None for a metric of the whole matrix, which has a
    function of its own in ``metrics``.
    """

    name: str
    formula: str
    range: str
    synonyms: tuple[str, ...]
    source: str
    compute: Callable[[Parts], NDArray[np.float64]] | None = None


def _recall(p: Parts) -> NDArray[np.float64]:
    return ratio(p.tp, p.tp + p.fn)


def _precision(p: Parts) -> NDArray[np.float64]:
    return ratio(p.tp, p.tp + p.fp)


def _specificity(p: Parts) -> NDArray[np.float64]:
    return ratio(p.tn, p.tn + p.fp)


def _npv(p: Parts) -> NDArray[np.float64]:
    return ratio(p.tn, p.tn + p.fn)


def _mcc(p: Parts) -> NDArray[np.float64]:
    whole = (p.tp + p.fp) * (p.tp + p.fn) * (p.tn + p.fp) * (p.tn + p.fn)
    return ratio(p.tp * p.tn - p.fp * p.fn, np.sqrt(whole))


def _prevalence_threshold(p: Parts) -> NDArray[np.float64]:
    root = np.sqrt(1 - _specificity(p))
    return ratio(root, np.sqrt(_recall(p)) + root)


METRICS: dict[str, Metric] = {
    "producers_accuracy": Metric(
        "Producer's accuracy", "TP / (TP + FN)", "0 to 1",
        ("PA", "recall", "sensitivity", "true positive rate (TPR)", "hit rate"),
        f"{PAPER}; Story & Congalton 1986", _recall),
    "users_accuracy": Metric(
        "User's accuracy", "TP / (TP + FP)", "0 to 1",
        ("UA", "precision", "positive predictive value (PPV)"),
        f"{PAPER}; Story & Congalton 1986", _precision),
    "f1": Metric(
        "F1", "2 * TP / (2 * TP + FP + FN)", "0 to 1",
        ("F1-score", "Dice coefficient", "Sørensen index", "harmonic mean of PA and UA"),
        f"{PAPER}; van Rijsbergen 1979", lambda p: ratio(2 * p.tp, 2 * p.tp + p.fp + p.fn)),
    "omission_error": Metric(
        "Omission error", "FN / (TP + FN)", "0 to 1, 0 is best", ("1 − PA", "miss rate"),
        "Congalton 1991; Stehman 1997", lambda p: ratio(p.fn, p.tp + p.fn)),
    "commission_error": Metric(
        "Commission error", "FP / (TP + FP)", "0 to 1, 0 is best",
        ("1 − UA", "false discovery rate"),
        "Congalton 1991; Stehman 1997", lambda p: ratio(p.fp, p.tp + p.fp)),
    "acc": Metric(
        "Accuracy of one class against all others", "(TP + TN) / (TP + FP + FN + TN)",
        "0 to 1; its mean over K classes is 1 − 2 (1 − OA) / K, so near 1 when K is large",
        ("ACC", "per-class accuracy", "not overall accuracy"), PAPER,
        lambda p: ratio(p.tp + p.tn, p.n)),
    "specificity": Metric(
        "Specificity", "TN / (TN + FP)", "0 to 1; near 1 for every rare class",
        ("true negative rate (TNR)", "selectivity"), PAPER, _specificity),
    "npv": Metric(
        "Negative predictive value", "TN / (TN + FN)", "0 to 1; near 1 for every rare class",
        ("NPV",), "Fawcett 2006; Chicco & Jurman 2020", _npv),
    "fnr": Metric(
        "False negative rate", "FN / (TP + FN)", "0 to 1, 0 is best",
        ("FNR", "miss rate", "omission error"), "Fawcett 2006",
        lambda p: ratio(p.fn, p.tp + p.fn)),
    "fpr": Metric(
        "False positive rate", "FP / (FP + TN)", "0 to 1, 0 is best",
        ("FPR", "fall-out", "false alarm rate", "not commission error"), "Fawcett 2006",
        lambda p: ratio(p.fp, p.fp + p.tn)),
    "fdr": Metric(
        "False discovery rate", "FP / (TP + FP)", "0 to 1, 0 is best",
        ("FDR", "commission error"), "Benjamini & Hochberg 1995",
        lambda p: ratio(p.fp, p.tp + p.fp)),
    "for": Metric(
        "False omission rate", "FN / (FN + TN)", "0 to 1, 0 is best",
        ("FOR", "1 − NPV", "not omission error"), "Powers 2011",
        lambda p: ratio(p.fn, p.fn + p.tn)),
    "iou": Metric(
        "Intersection over union", "TP / (TP + FP + FN)", "0 to 1; never above F1",
        ("IoU", "Jaccard index", "critical success index (CSI)", "threat score (TS)"),
        "Jaccard 1901; Schaefer 1990", lambda p: ratio(p.tp, p.tp + p.fp + p.fn)),
    "mcc": Metric(
        "Matthews correlation coefficient",
        "(TP * TN - FP * FN) / sqrt((TP + FP) * (TP + FN) * (TN + FP) * (TN + FN))",
        "−1 to 1, 0 is chance", ("MCC", "phi coefficient"),
        "Matthews 1975; Chicco & Jurman 2020", _mcc),
    "balanced_accuracy": Metric(
        "Balanced accuracy", "(TP / (TP + FN) + TN / (TN + FP)) / 2", "0 to 1, 0.5 is chance",
        ("BA", "mean of PA and specificity"), "Brodersen et al. 2010",
        lambda p: (_recall(p) + _specificity(p)) / 2),
    "fowlkes_mallows": Metric(
        "Fowlkes–Mallows index", "sqrt(TP / (TP + FP) * TP / (TP + FN))", "0 to 1; never below F1",
        ("FM", "geometric mean of PA and UA"), "Fowlkes & Mallows 1983",
        lambda p: np.sqrt(_precision(p) * _recall(p))),
    "informedness": Metric(
        "Informedness", "TP / (TP + FN) + TN / (TN + FP) - 1", "−1 to 1, 0 is chance",
        ("bookmaker informedness (BM)", "Youden's J", "true skill statistic"),
        "Youden 1950; Powers 2011", lambda p: _recall(p) + _specificity(p) - 1),
    "markedness": Metric(
        "Markedness", "TP / (TP + FP) + TN / (TN + FN) - 1", "−1 to 1, 0 is chance",
        ("MK", "ΔP"), "Powers 2011", lambda p: _precision(p) + _npv(p) - 1),
    "prevalence_threshold": Metric(
        "Prevalence threshold",
        "sqrt(FP / (FP + TN)) / (sqrt(TP / (TP + FN)) + sqrt(FP / (FP + TN)))",
        "0 to 1; below this prevalence UA falls fast",
        ("PT", "(sqrt(TPR · FPR) − FPR) / (TPR − FPR)"), "Balayla 2020", _prevalence_threshold),
    "overall_accuracy": Metric(
        "Overall accuracy", "trace / n", "0 to 1",
        ("OA", "accuracy in machine learning", "micro-averaged PA, UA and F1"),
        f"{PAPER}; Congalton 1991"),
    "kappa": Metric(
        "Cohen's kappa", "(OA − chance) / (1 − chance), chance = Σ row share · column share",
        "−1 to 1, 0 is chance", ("κ", "KIA", "Heidke skill score"),
        "Cohen 1960; its critique: Pontius & Millones 2011"),
    "quantity_disagreement": Metric(
        "Quantity disagreement", "Σ |row share − column share| / 2", "0 to 1 − OA, 0 is best",
        ("Q", "wrong amounts of the classes"), "Pontius & Millones 2011"),
    "allocation_disagreement": Metric(
        "Allocation disagreement", "1 − OA − quantity disagreement", "0 to 1 − OA, 0 is best",
        ("A", "right amounts in wrong places"), "Pontius & Millones 2011"),
}
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

PER_CLASS: tuple[str, ...] = tuple(k for k, m in METRICS.items() if m.compute is not None)
"""The metrics that each class has."""


def describe(name: str) -> str:
    """One paragraph on a metric: formula, range, synonyms, source.

    >>> describe("npv").splitlines()[0]
    'npv: Negative predictive value = TN / (TN + FN)'
    """
    metric = METRICS[name]
    return (f"{name}: {metric.name} = {metric.formula}\n    Range {metric.range}. "
            f"Also {'; '.join(metric.synonyms)}.\n    Source: {metric.source}.")
