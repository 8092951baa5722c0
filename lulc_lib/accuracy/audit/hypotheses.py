"""Named ways in which a printed accuracy can go wrong, each as a computation.

A hypothesis turns what is known about a table (a :class:`Subject`) into whole tables of the values
that the mistake would give. It explains a printed number only if one of its values, rounded, has
exactly the printed digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from lulc_lib import legend
from lulc_lib.accuracy.audit.one_against_all import (
    MEAN,
    METRICS,
    OVERALL,
    one_against_all,
    quantities,
    swap_axes,
)
from lulc_lib.accuracy.audit.rounding import Printed, judge, padded
from lulc_lib.accuracy.confusion import COLUMNS, ROWS


@dataclass(frozen=True)
class Subject:
    """What one matrix or per-class table of the paper is known to say.

    ``counts``: TP, FP, FN, TN per class; ``printed``: (row, column) → number as printed;
    ``matrix``: the printed confusion matrix, where there is one; ``others``: further matrices of
    the same map by name (released file, other references), which may have more classes.
    """

    counts: pd.DataFrame
    printed: Mapping[tuple[str, str], Printed]
    matrix: pd.DataFrame | None = None
    others: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def right(self) -> pd.DataFrame:
        """The metrics as the paper defines them (see ``quantities``)."""
        return quantities(self.counts)


    @property
    def as_printed(self) -> pd.DataFrame:
        """The same table with the numbers that the paper prints, where it prints them."""
        table = self.right.copy()
        for (row, column), number in self.printed.items():
            if row in table.index:
                table.loc[row, column] = number.value
        oa = self.printed.get((OVERALL, "oa")) or self.printed.get((MEAN, "oa"))
        return table.assign(oa=oa.value) if oa else table


Hypothesis = Callable[[Subject], dict[str, pd.DataFrame]]


def axes_swapped(subject: Subject) -> dict[str, pd.DataFrame]:
    """PA, UA and TNR computed along the other axis of the matrix."""
    return {"axes swapped": quantities(swap_axes(subject.counts))}


def empty_class(subject: Subject) -> dict[str, pd.DataFrame]:
    """Means that count classes without pixels, as PA = UA = F1 = 0 and ACC = TNR = 1."""
    present = set(subject.counts.index)
    if not present <= {str(c) for c in legend.CODES}:
        return {}
    tables = {}
    for extra in range(1, len(legend.CODES) - len(present) + 1):
        name = f"mean over {len(present) + extra} classes, {extra} of them empty"
        tables[name] = quantities(subject.counts, extra)
        tables[f"{name}; of the printed, rounded class values"] = _printed_means(subject, extra)
    return tables


def off_legend(subject: Subject) -> dict[str, pd.DataFrame]:
    """The pixels of a class that the printed matrix leaves out, counted in."""
    tables = {}
    for name, matrix in subject.others.items():
        extra = dropped_labels(subject, matrix)
        if extra and _same_cells(subject, matrix):
            pixels = int(matrix.loc[extra].to_numpy().sum())
            classes = ", ".join(str(label) for label in extra)
            tables[f"{pixels} pixels mapped as class {classes}, which the printed matrix drops, "
                   f"counted in ({name})"] = _of(matrix)
    return tables


def digits_lost(subject: Subject) -> dict[str, pd.DataFrame]:
    """Computed from a copy of the matrix in which cells have lost digits."""
    return {f"cells that lost digits ({name})": _of(matrix)
            for name, matrix in subject.others.items() if lost_digits(subject, matrix)}


def other_reference(subject: Subject) -> dict[str, pd.DataFrame]:
    """Another reference layer or pixel rule, all its classes or only the printed ones."""
    tables = {}
    for name, matrix in subject.others.items():
        if _same_cells(subject, matrix) or lost_digits(subject, matrix):
            continue
        tables[f"another reference ({name})"] = _of(matrix)
        if dropped_labels(subject, matrix):
            kept = list(subject.matrix.index)
            tables[f"another reference ({name}), printed classes only"] = _of(
                matrix.reindex(index=kept, columns=kept, fill_value=0))
    return tables


def rounded_parts(subject: Subject) -> dict[str, pd.DataFrame]:
    """F1 from the printed PA and UA, and means from the printed numbers of the classes."""
    values = subject.right.copy()
    values.loc[:, :] = np.nan
    for row in values.index:
        pa, ua = (subject.printed.get((row, column)) for column in ("pa", "ua"))
        if pa and ua and pa.value + ua.value > 0:
            values.loc[row, "f1"] = 2 * pa.value * ua.value / (pa.value + ua.value)
    return {"F1 from the printed, rounded PA and UA": values,
            "mean of the printed, rounded class values": _printed_means(subject, 0)}


def other_quantity(subject: Subject) -> dict[str, pd.DataFrame]:
    """A summary number that stands under another one's name (macro F1 called OA, say)."""
    tables = {}
    right = subject.right
    names = {c: f"mean {c.upper()}" for c in METRICS} | {"oa": "OA"}
    for column, name in names.items():
        row = OVERALL if column == "oa" else MEAN
        candidates = {name: right.loc[row, column]}
        as_printed = subject.printed.get((row, column))
        if as_printed:
            candidates[f"{name} as printed"] = as_printed.value
        for label, value in candidates.items():
            table = right.copy()
            table.loc[:, :] = np.nan
            table.loc[[MEAN, OVERALL], [c for c in names if c != column]] = value
            tables[f"{label} under another name"] = table
    return tables


HYPOTHESES: dict[str, Hypothesis] = {
    "axes swapped": axes_swapped,
    "empty class in the mean": empty_class,
    "off-legend class dropped": off_legend,
    "digits lost": digits_lost,
    "another reference layer": other_reference,
    "rounded parts": rounded_parts,
    "another quantity": other_quantity,
}
"""Every hypothesis by its name, in the order in which ties are settled."""

PADDED = "rounded early, zero added"
_OTHER_MATRIX = ("off-legend class dropped", "another reference layer")


class Explanation(NamedTuple):
    """A hypothesis that gives the printed digits, what exactly does, and the unrounded value."""

    hypothesis: str
    detail: str
    gives: float


def alternatives(subject: Subject) -> list[tuple[str, str, pd.DataFrame]]:
    """All tables of values that the hypotheses give: (hypothesis, description, values)."""
    return [(name, label, table) for name, hypothesis in HYPOTHESES.items()
            for label, table in hypothesis(subject).items()]


def explain(
    printed: Printed, row: str, column: str, right: float,
    tables: list[tuple[str, str, pd.DataFrame]],
) -> list[Explanation]:
    """Every hypothesis that gives the printed digits of one number, exact ones first.

    Parameters
    ----------
    printed : the number.
    row, column : its place in the tables of ``quantities``.
    right : its value by the paper's own definition.
    tables : from :func:`alternatives`.
    """
    exact, early = [], []
    if padded(printed, right):
        early.append(Explanation(PADDED, _early(printed, right), right))
    for name, label, table in tables:
        value = _cell(table, row, column)
        if value == right:
            continue
        if judge(printed, value) == "match":
            exact.append(Explanation(name, label, value))
        elif name in _OTHER_MATRIX and padded(printed, value):
            early.append(Explanation(name, f"{label}; {_early(printed, value)}", value))
    return exact + early


def lost_digits(subject: Subject, matrix: pd.DataFrame) -> list[tuple[int | str, int | str]]:
    """Cells (map class, reference class) that are the printed cell with digits left out.

    Empty if any differing cell is not of that kind: then it is simply another matrix.
    """
    cells = differing_cells(subject, matrix)
    if any(not _shortened(matrix.loc[cell], subject.matrix.loc[cell]) for cell in cells):
        return []
    return cells


def differing_cells(subject: Subject, matrix: pd.DataFrame) -> list[tuple[int | str, int | str]]:
    """Cells of the printed matrix that another matrix fills with another number."""
    labels = subject.matrix.index
    other = matrix.reindex(index=labels, columns=labels, fill_value=0).to_numpy()
    rows, columns = np.nonzero(subject.matrix.to_numpy() != other)
    return [(labels[r], labels[c]) for r, c in zip(rows, columns, strict=True)]


def dropped_labels(subject: Subject, matrix: pd.DataFrame) -> list[int | str]:
    """Classes that another matrix has pixels of and the printed matrix does not list."""
    used = (matrix.to_numpy() + matrix.to_numpy().T).sum(axis=1) > 0
    return [c for c, has in zip(matrix.index, used, strict=True)
            if has and c not in subject.matrix.index]


def _printed_means(subject: Subject, extra_empty: int) -> pd.DataFrame:
    """Means of the class values as printed, empty classes counted as ``quantities`` does."""
    means = subject.right.copy()
    means.loc[:, :] = np.nan
    for column in METRICS:
        parts = [subject.printed.get((row, column)) for row in subject.counts.index]
        if all(parts):
            empty = extra_empty * (column in ("acc", "tnr"))
            means.loc[MEAN, column] = (sum(part.value for part in parts) + empty) / (
                len(parts) + extra_empty)
    return means


def _early(printed: Printed, value: float) -> str:
    return f"rounded to {padded(printed, value)} decimals, then a zero added"


def _same_cells(subject: Subject, matrix: pd.DataFrame) -> bool:
    return not differing_cells(subject, matrix)


def _shortened(short: int, long: int) -> bool:
    digits = iter(str(long))
    return len(str(short)) < len(str(long)) and all(d in digits for d in str(short))


def _of(matrix: pd.DataFrame) -> pd.DataFrame:
    return quantities(one_against_all(matrix.rename_axis(index=ROWS, columns=COLUMNS)))


def _cell(table: pd.DataFrame, row: str, column: str) -> float:
    if row not in table.index or column not in table.columns:
        return float("nan")
    return float(table.loc[row, column])
