"""What an accuracy input comes down to: a confusion matrix, or TP, FP, FN and TN per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lulc_lib.accuracy.assess.csv_cells import check_labels
from lulc_lib.accuracy.confusion import as_confusion, check_confusion
from lulc_lib.errors import InputError

BINARY = ("TP", "TN", "FP", "FN")

MOST_CLASSES = 1000
"""Different classes that are judged; more are a sign of data that are no classes."""


@dataclass(frozen=True)
class Judged:
    """A map judged against a reference.

    Attributes
    ----------
    matrix : confusion matrix with named axes (rows map, columns reference), labels as text; None
        if only binary counts are known.
    counts : per class (index) the columns TP, TN, FP, FN, int64.
    kind : what was read, for the report.
    notes : what a reader should know about how it was read.
    pixels : whether the judged units are pixels, which are not independent of their neighbours.
    """

    matrix: pd.DataFrame | None
    counts: pd.DataFrame
    kind: str
    notes: tuple[str, ...] = ()
    pixels: bool = False

    @property
    def labels(self) -> list[str]:
        """Class labels, in order."""
        return list(self.counts.index)

    @property
    def n(self) -> int:
        """Judged units (pixels, points)."""
        return int(self.counts.iloc[0].sum())

    def renamed(self, names: Mapping[str, str], what: str) -> Judged:
        """The same with other class labels.

        Raises
        ------
        InputError
            A label has no name, or two labels have the same.
        """
        lacking = [label for label in self.labels if label not in names]
        if lacking:
            raise InputError(f"{what}: has no name for class {', '.join(lacking)}; it must name "
                             f"every class ({', '.join(self.labels)})")
        new = [names[label] for label in self.labels]
        check_labels(new, f"{what}, names of the classes")
        matrix = None if self.matrix is None else as_confusion(self.matrix.to_numpy(), new)
        return replace(self, matrix=matrix, counts=self.counts.set_axis(new))

    def noted(self, *notes: str) -> Judged:
        """The same with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def judged_matrix(matrix: pd.DataFrame, kind: str, notes: Sequence[str] = (),
                  pixels: bool = False) -> Judged:
    """A confusion matrix (map rows, reference columns) with each class's binary counts."""
    values = check_confusion(matrix).astype(np.int64)
    hit, mapped, support = np.diag(values), values.sum(axis=1), values.sum(axis=0)
    table = pd.DataFrame({"TP": hit, "TN": values.sum() - mapped - support + hit,
                          "FP": mapped - hit, "FN": support - hit}, index=list(matrix.index))
    return Judged(matrix, table, kind, tuple(notes), pixels)


def judged_counts(table: pd.DataFrame, name: str) -> Judged:
    """Binary counts per class; the matrix too where one or two classes determine it.

    Parameters
    ----------
    table : classes in rows, columns TP, TN, FP, FN.
    name : the file, for messages.

    Raises
    ------
    InputError
        The classes do not add up to one n, or n is 0.
    """
    table = table.loc[:, list(BINARY)].astype(np.int64)
    totals = table.sum(axis=1)
    if totals.nunique() > 1:
        other = totals[totals != totals.iloc[0]].index[0]
        raise InputError(
            f"{name}: TP + TN + FP + FN is {totals.iloc[0]} for {totals.index[0]} and "
            f"{totals[other]} for {other}; all classes are judged on the same n")
    if totals.iloc[0] == 0:
        raise InputError(f"{name}: all counts are 0; there is nothing to judge")
    kind = "TP, TN, FP, FN per class"
    first = table.iloc[0]
    whole = [[first.TP, first.FP], [first.FN, first.TN]]
    if len(table) == 1:
        label = table.index[0]
        matrix = as_confusion(whole, [label, f"not {label}"])
        return judged_matrix(matrix, kind)
    if len(table) == 2 and table.iloc[1].tolist() == [first.TN, first.TP, first.FN, first.FP]:
        return judged_matrix(as_confusion(whole, list(table.index)), kind)
    return Judged(None, table, kind, (
        "Counts per class do not tell which classes are confused with which: there is no "
        "confusion matrix.",))
