"""What the terminal and the HTML report say in the same words about an assessment."""

from __future__ import annotations

import math

import numpy as np

from lulc_lib.accuracy.assess.assessment import Assessment
from lulc_lib.accuracy.uncertainty import wilson

UNDEFINED = "–"

SHORT = {
    "producers_accuracy": "PA", "users_accuracy": "UA", "f1": "F1", "iou": "IoU", "acc": "ACC",
    "specificity": "specificity", "mcc": "MCC", "omission_error": "omission (FNR)",
    "commission_error": "commission (FDR)", "npv": "NPV", "fnr": "FNR", "fpr": "FPR", "fdr": "FDR",
    "for": "FOR", "balanced_accuracy": "balanced acc.", "fowlkes_mallows": "Fowlkes–Mallows",
    "informedness": "informedness", "markedness": "markedness",
    "prevalence_threshold": "prevalence thr.", "overall_accuracy": "OA", "kappa": "κ",
    "quantity_disagreement": "Q", "allocation_disagreement": "A",
}
"""Column name to the short name it has in tables."""


def share(value: float, digits: int = 4) -> str:
    """A metric's value, or a dash if it is undefined."""
    return f"{value:.{digits}f}" if math.isfinite(value) else UNDEFINED


def amount(value: float, error: float) -> tuple[str, str]:
    """An area and its error with as many decimals as give the error three digits.

    >>> amount(3175221.445, 87924.2), amount(0.123456, 0.0123456)
    (('3175221', '87924'), ('0.1235', '0.0123'))
    """
    if not (math.isfinite(error) and error > 0):
        return f"{value:.6g}", UNDEFINED if math.isnan(error) else "0"
    digits = min(12, max(0, 2 - math.floor(math.log10(error))))
    return f"{value:.{digits}f}", f"{error:.{digits}f}"


def over(found: Assessment, metric: str) -> str:
    """The classes that a macro mean averages, in words."""
    number, left_out = found.means.n_averaged[metric], found.means.left_out[metric]
    absent = [label for label in found.per_class.index if label not in found.classes]
    words = f"{number} {'class' if number == 1 else 'classes'}"
    if left_out:
        words += f", undefined for {', '.join(left_out)}"
    if absent:
        words += f", without {', '.join(absent)} (no reference)"
    return words


def oa_interval(found: Assessment) -> str:
    """Wilson's interval of OA, and what it presumes."""
    found_in = wilson(found.overall_accuracy * found.judged.n, found.judged.n)
    return (f"95 % interval of OA {share(found_in.low)} to {share(found_in.high)} (Wilson), if the "
            f"{found.judged.n} units are independent random draws; pixels of polygons are not")


def worst_confusions(found: Assessment, most: int = 5) -> list[str]:
    """The largest cells off the diagonal, one sentence each."""
    matrix = found.judged.matrix
    if matrix is None:
        return []
    counts = matrix.to_numpy().copy()
    support = counts.sum(axis=0)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    lines = []
    for i, j in zip(*np.unravel_index(order, counts.shape), strict=True):
        if counts[i, j]:
            lines.append(f"{counts[i, j]} of {support[j]} reference units of {matrix.columns[j]} "
                         f"({100 * counts[i, j] / support[j]:.1f} %) are mapped as "
                         f"{matrix.index[i]}.")
    return lines


def reading_notes(found: Assessment) -> list[str]:
    """What a reader must know before using the numbers, as far as the data show it."""
    table, notes = found.per_class, []
    support = table.support
    if not math.isnan(found.overall_accuracy):
        largest = support.idxmax()
        notes.append(
            f"The largest class, {largest}, holds {100 * support[largest] / found.judged.n:.1f} % "
            "of the judged units: a map of that class alone would have that overall accuracy. A "
            "rare class can be lost without a trace in it; look at its PA and UA.")
        k = len(table)
        notes.append(
            f"ACC counts true negatives and is not overall accuracy: over the {k} classes of this "
            f"matrix its mean is {share(float(table.acc.mean()))}, while OA is "
            f"{share(found.overall_accuracy)}.")
    small = [f"{label} ({support[label]})" for label in found.classes if support[label] < 50]
    if small:
        notes.append(f"Fewer than 50 reference units: {', '.join(small)}. Their numbers are "
                     "uncertain.")
    undefined = [k for k in table.index if k not in found.classes]
    if undefined:
        notes.append(f"Without reference units, and so in no mean: {', '.join(undefined)}. Units "
                     "mapped so count as errors of their own classes.")
    if found.judged.pixels:
        notes.append(
            "The judged units are pixels. Neighbours, and all pixels of one polygon, are right or "
            "wrong together, so an interval that takes them as independent would be far too narrow "
            "and none is given here; resample whole polygons instead (cluster bootstrap).")
    elif found.area is None and not math.isnan(found.overall_accuracy):
        notes.append(f"{oa_interval(found)}.")
    if found.area is None:
        notes.append("The numbers describe the judged units. They describe the whole map only if "
                     "these were drawn from it at random; for a sample stratified by map class "
                     "give the mapped areas (--areas).")
    return notes
