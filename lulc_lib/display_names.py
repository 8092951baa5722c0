"""The words that a reader meets in place of the keys of tables, settings and sliders.

Classes have their names from the legend. Notebooks, figures and sliders ask here for all others.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from lulc_lib import legend
from lulc_lib.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

LABELS: dict[str, str] = {
    "acc": "accuracy of one class against all others (ACC)",
    "allocation_disagreement": "allocation disagreement",
    "balanced_accuracy": "balanced accuracy",
    "binomial_se": "standard error if pixels were independent",
    "classes": "number of classes",
    "commission_error": "commission error",
    "design_effect": "design effect",
    "effective_n": "worth independent points",
    "f1": "F1",
    "fdr": "false discovery rate",
    "fn": "missed (FN)",
    "fnr": "false negative rate",
    "for": "false omission rate",
    "fowlkes_mallows": "Fowlkes–Mallows index",
    "fp": "false alarms (FP)",
    "fpr": "false positive rate",
    "informedness": "informedness",
    "iou": "intersection over union",
    "kappa": "Cohen's kappa",
    "macro_f1": "macro F1",
    "map_class": "map class",
    "markedness": "markedness",
    "mcc": "Matthews correlation coefficient",
    "mean_acc": "mean per-class ACC",
    "n": "pixels",
    "n_averaged": "classes in the mean",
    "npv": "negative predictive value",
    "oa": "overall accuracy",
    "oa_high": "overall accuracy, high",
    "oa_low": "overall accuracy, low",
    "omission_error": "omission error",
    "overall_accuracy": "overall accuracy",
    "pixels_per_polygon": "pixels per polygon",
    "prevalence_threshold": "prevalence threshold",
    "producers_accuracy": "producer's accuracy (PA)",
    "quantity_disagreement": "quantity disagreement",
    "quarries": "share of quarries",
    "quarry_f1": "quarry F1",
    "reference_class": "reference class",
    "road_f1": "road F1",
    "roads": "share of roads",
    "se": "standard error",
    "similarity": "similarity of a polygon's pixels",
    "specificity": "specificity",
    "support": "reference pixels",
    "tn": "rightly another class (TN)",
    "tp": "right (TP)",
    "users_accuracy": "user's accuracy (UA)",
}
CODED = ("map_class", "reference_class", "class")
"""Names of axes that carry legend codes."""


def label(key: str) -> str:
    """Return the words for a key: a class's name, an entry of LABELS, or a word that is one.

    Raises
    ------
    InputError
        A key with an underscore has no words.

    Examples
    --------
    >>> label("users_accuracy"), label("crops_ripe"), label("program")
    ("user's accuracy (UA)", 'Crops before harvest', 'program')
    """
    if key in legend.BY_KEY:
        return legend.BY_KEY[key].name
    if key not in LABELS and "_" in key:
        raise InputError(f"{key!r} has no label for a reader; add it to LABELS in "
                         "lulc_lib/display_names.py")
    return LABELS.get(key, key)


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as a reader sees it: keys as words, and codes as names on axes of classes."""

    def words(axis: pd.Index) -> Callable[[Hashable], Hashable]:
        names = legend.NAMES if axis.name in CODED else {}
        return lambda v: label(v) if isinstance(v, str) else names.get(v, v)

    shown = table.rename(index=words(table.index), columns=words(table.columns))
    for axis in (shown.index, shown.columns):
        axis.names = [label(n) if isinstance(n, str) else n for n in axis.names]
    return shown
