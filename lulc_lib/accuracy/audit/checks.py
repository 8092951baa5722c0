"""The paper's accuracy numbers, each computed again: match, rounding or mismatch, and why.

A hypothesis is a named way in which a number can go wrong: from what is printed about a table (a
:class:`Subject`) it computes the tables of values that the mistake would give. It explains a number
only if one of its values, rounded, has exactly the printed digits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lulc_lib import legend
from lulc_lib.accuracy import published
from lulc_lib.accuracy.audit.printed import (
    COUNTS,
    MEAN,
    METRICS,
    OVERALL,
    Printed,
    one_against_all,
    parse,
    quantities,
    reconstruct_counts,
)

Matrices = Mapping[int, Mapping[str, pd.DataFrame]]
"""Further matrices of a printed one (13 or 14), by a name that says what they were measured on."""

Tables = Mapping[int, pd.DataFrame]
"""Tables in place of the paper's, by number (see ``published.table``)."""

RELEASED = "released file"
PADDED = "rounded early, zero added"
DROPPED_BY = "as Orfeo ToolBox 8.1.1 does in the metrics that it prints, not in the file"
"""A program that leaves mapped classes without reference out of n: where that habit comes from."""

_OTHER_MATRIX = ("off-legend class dropped", "another reference layer")


@dataclass(frozen=True)
class Subject:
    """What one matrix or per-class table of the paper says.

    ``counts``: TP, FP, FN, TN per class; ``printed``: (row, column) → number as printed;
    ``matrix``: the printed confusion matrix, where there is one; ``others``: further matrices of
    the same map by name (released file, other references), which may have more classes.
    """

    counts: pd.DataFrame
    printed: Mapping[tuple[str, str], Printed]
    matrix: pd.DataFrame | None = None
    others: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @cached_property
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

    @cached_property
    def alternatives(self) -> list[tuple[str, str, pd.DataFrame]]:
        """All tables of values that the hypotheses give: (hypothesis, description, values)."""
        return [(name, label, values) for name, hypothesis in HYPOTHESES.items()
                for label, values in hypothesis(self).items()]

    def on_labels(self, matrix: pd.DataFrame) -> pd.DataFrame:
        """Cut another matrix to the classes of the printed one."""
        labels = list(self.matrix.index)
        return matrix.reindex(index=labels, columns=labels, fill_value=0)

    def differing_cells(self, matrix: pd.DataFrame) -> list[tuple[int | str, int | str]]:
        """Find the cells of the printed matrix that another matrix fills with another number."""
        labels = self.matrix.index
        cells = np.argwhere(self.matrix.to_numpy() != self.on_labels(matrix).to_numpy())
        return [(labels[r], labels[c]) for r, c in cells]

    def lost_digits(self, matrix: pd.DataFrame) -> list[tuple[int | str, int | str]]:
        """Find the cells that lack digits of the printed one; none if any differs otherwise."""
        cells = self.differing_cells(matrix)
        lost = all(_shortened(matrix.loc[cell], self.matrix.loc[cell]) for cell in cells)
        return cells if lost else []

    def dropped_labels(self, matrix: pd.DataFrame) -> list[int | str]:
        """Find the classes that another matrix has pixels of and the printed one does not list."""
        used = (matrix.to_numpy() + matrix.to_numpy().T).sum(axis=1) > 0
        return [c for c in matrix.index[used] if c not in self.matrix.index]


class Explanation(NamedTuple):
    """A hypothesis that gives the printed digits, what exactly does, and the unrounded value."""

    hypothesis: str
    detail: str
    gives: float


class Number(NamedTuple):
    """One number of the paper: where it stands, and which quantity of which subject it is."""

    where: str
    table: int | None
    about: int
    row: str
    column: str
    printed: Printed


class Checked(NamedTuple):
    """A number with its verdict, the value by definition, and the explanations that fit."""

    number: Number
    value: float
    verdict: str
    explanations: list[Explanation]


def _axes_swapped(subject: Subject) -> dict[str, pd.DataFrame]:
    """PA, UA and TNR along the other axis of the matrix: FP and FN change places."""
    swapped = subject.counts.rename(columns={"fp": "fn", "fn": "fp"})[list(COUNTS)]
    return {"axes swapped": quantities(swapped)}


def _empty_class(subject: Subject) -> dict[str, pd.DataFrame]:
    """Classes without pixels in the means, as PA = UA = F1 = 0 and ACC = TNR = 1."""
    present = set(subject.counts.index)
    if not present <= {str(c) for c in legend.CODES}:
        return {}
    tables = {}
    for extra in range(1, len(legend.CODES) - len(present) + 1):
        name = f"mean over {len(present) + extra} classes, {extra} of them empty"
        tables[name] = quantities(subject.counts, extra)
        tables[f"{name}; of the printed, rounded class values"] = _printed_means(subject, extra)
    return tables


def _off_legend(subject: Subject) -> dict[str, pd.DataFrame]:
    """Pixels of a class that the printed matrix leaves out, counted in."""
    tables = {}
    for name, matrix in subject.others.items():
        extra = subject.dropped_labels(matrix)
        if extra and not subject.differing_cells(matrix):
            pixels = int(matrix.loc[extra].to_numpy().sum())
            classes = ", ".join(str(label) for label in extra)
            tables[f"{pixels} pixels mapped as class {classes}, which the printed matrix drops "
                   f"({DROPPED_BY}), counted in ({name})"] = quantities(one_against_all(matrix))
    return tables


def _digits_lost(subject: Subject) -> dict[str, pd.DataFrame]:
    """From a copy of the matrix in which cells have lost digits."""
    return {f"cells that lost digits ({name})": quantities(one_against_all(matrix))
            for name, matrix in subject.others.items() if subject.lost_digits(matrix)}


def _other_reference(subject: Subject) -> dict[str, pd.DataFrame]:
    """Another reference layer or pixel rule, all its classes or only the printed ones."""
    tables = {}
    for name, matrix in subject.others.items():
        if not subject.differing_cells(matrix) or subject.lost_digits(matrix):
            continue
        tables[f"another reference ({name})"] = quantities(one_against_all(matrix))
        if subject.dropped_labels(matrix):
            tables[f"another reference ({name}), printed classes only"] = quantities(
                one_against_all(subject.on_labels(matrix)))
    return tables


def _rounded_parts(subject: Subject) -> dict[str, pd.DataFrame]:
    """F1 from the printed PA and UA, and means from the printed numbers of the classes."""
    values = _blank(subject)
    for row in values.index:
        pa, ua = (subject.printed.get((row, column)) for column in ("pa", "ua"))
        if pa and ua and pa.value + ua.value > 0:
            values.loc[row, "f1"] = 2 * pa.value * ua.value / (pa.value + ua.value)
    return {"F1 from the printed, rounded PA and UA": values,
            "mean of the printed, rounded class values": _printed_means(subject, 0)}


def _other_quantity(subject: Subject) -> dict[str, pd.DataFrame]:
    """Put a summary number under another one's name (macro F1 called OA, say)."""
    tables, right = {}, subject.right
    names = {c: f"mean {c.upper()}" for c in METRICS} | {"oa": "OA"}
    for column, name in names.items():
        row = OVERALL if column == "oa" else MEAN
        candidates = {name: right.loc[row, column]}
        if (row, column) in subject.printed:
            candidates[f"{name} as printed"] = subject.printed[row, column].value
        for label, value in candidates.items():
            values = _blank(subject)
            values.loc[[MEAN, OVERALL], [c for c in names if c != column]] = value
            tables[f"{label} under another name"] = values
    return tables


HYPOTHESES: dict[str, Callable[[Subject], dict[str, pd.DataFrame]]] = {
    "axes swapped": _axes_swapped,
    "empty class in the mean": _empty_class,
    "off-legend class dropped": _off_legend,
    "digits lost": _digits_lost,
    "another reference layer": _other_reference,
    "rounded parts": _rounded_parts,
    "another quantity": _other_quantity}
"""Every hypothesis by its name, in the order in which ties are settled."""


def explain(printed: Printed, row: str, column: str, right: float,
            tables: list[tuple[str, str, pd.DataFrame]]) -> list[Explanation]:
    """Find every hypothesis that gives the printed digits of one number, exact ones first.

    ``row`` and ``column``: its place in ``tables`` (``Subject.alternatives``); ``right``: its value
    by definition.
    """
    exact, early = [], []
    if printed.padded(right):
        early.append(Explanation(PADDED, _early(printed, right), right))
    for name, label, values in tables:
        value = _cell(values, row, column)
        if value == right:
            continue
        if printed.verdict(value) == "match":
            exact.append(Explanation(name, label, value))
        elif name in _OTHER_MATRIX and printed.padded(value):
            early.append(Explanation(name, f"{label}; {_early(printed, value)}", value))
    return exact + early


def numbers(tables: Tables | None = None, quotes: pd.DataFrame | None = None) -> list[Number]:
    """List the numbers to check: cells of Tables 8, 10–12, 15–20, then ``quotes`` of the text."""
    index, quotes = published.index(), published.quoted() if quotes is None else quotes
    about = index.about.replace("", "0").astype(int)
    listed = [number for n, frame in published.all_tables(tables).items()
              if n not in (7, 9, 13, 14) for number in _cells(n, frame, int(about[n]))]
    for quote in quotes.itertuples():
        place = quote.section if quote.section[0].isalpha() else f"Section {quote.section}"
        listed.append(Number(f"{place}: {_name(quote.row, quote.column)}", None, quote.about,
                             quote.row, quote.column, parse(quote.printed, quote.unit)))
    return listed


def subjects(tables: Tables | None = None, matrices: Matrices | None = None,
             quotes: pd.DataFrame | None = None) -> dict[int, Subject]:
    """Gather what each matrix (7, 9, 13, 14) and per-class table (18–20) says, by number.

    ``matrices`` adds to the released matrices of Tables 13 and 14.
    """
    frames, others = published.all_tables(tables), dict(matrices or {})
    if not {13, 14} & set(tables or ()):
        others = {n: {RELEASED: published.released_matrix(n)} | dict(others.get(n, {}))
                  for n in (13, 14)}
    printed: dict[int, dict[tuple[str, str], Printed]] = {}
    for number in reversed(numbers(tables, quotes)):  # a table's digits win over the text's
        printed.setdefault(number.about, {})[number.row, number.column] = number.printed
    said = {}
    for n in (7, 9, 13, 14):
        matrix = published.matrix_of(n, frames[n])
        said[n] = Subject(one_against_all(matrix), printed.get(n, {}), matrix,
                          dict(others.get(n, {})))
    for n in (18, 19, 20):
        said[n] = Subject(reconstruct_counts(frames[n])[list(COUNTS)], printed.get(n, {}))
    return said


def check(tables: Tables | None = None, matrices: Matrices | None = None,
          quotes: pd.DataFrame | None = None) -> list[Checked]:
    """Give every number of :func:`numbers` its verdict and the hypotheses that reproduce it."""
    said = subjects(tables, matrices, quotes)
    return check_subjects(said, numbers(tables, quotes))


def check_subjects(said: Mapping[int, Subject], listed: list[Number]) -> list[Checked]:
    """Check numbers of subjects that have been gathered.

    Among several explanations those with exact digits come first, then the hypothesis that explains
    most numbers of the same subject; a number under another name is the last guess.
    """
    checked = []
    for number in listed:
        subject = said[number.about]
        value = float(subject.right.loc[number.row, number.column])
        verdict = number.printed.verdict(value)
        why = [] if verdict == "match" else explain(number.printed, number.row, number.column,
                                                    value, subject.alternatives)
        checked.append(Checked(number, value, verdict, why))
    weight = Counter((c.number.about, name) for c in checked
                     for name in {why.hypothesis for why in c.explanations})
    for c in checked:
        c.explanations.sort(key=lambda why, n=c.number.about: (
            "a zero added" in why.detail, why.hypothesis == "another quantity",
            -weight[n, why.hypothesis]))
    return checked


def whole_columns(checked: list[Checked], said: Mapping[int, Subject]) -> list[dict[str, Any]]:
    """Find the columns of a table that one hypothesis reproduces better than the definition does.

    ``as_defined`` and ``reproduced``: of how many printed ``cells`` the definition and the
    hypothesis give the exact digits.
    """
    columns: dict[tuple[int, str], list[Checked]] = {}
    for c in checked:
        if c.number.table:
            columns.setdefault((c.number.table, c.number.column), []).append(c)
    better = []
    for (number, column), cells in columns.items():
        defined = sum(c.verdict == "match" for c in cells)
        scores = [(sum(c.number.printed.verdict(_cell(values, c.number.row, column)) == "match"
                       for c in cells), name, detail)
                  for name, detail, values in said[cells[0].number.about].alternatives]
        best = max(scores, default=(0, "", ""), key=lambda score: score[0])
        if len(cells) > 1 and best[0] > defined:
            better.append({"table": number, "column": column.upper(), "cells": len(cells),
                           "as_defined": defined, "hypothesis": best[1], "detail": best[2],
                           "reproduced": best[0]})
    return better


def identity() -> list[dict[str, Any]]:
    """Find how many classes a printed mean ACC was taken over: mean ACC = 1 − 2(1 − OA) ÷ K.

    Every wrong pixel is one class's false positive and another's false negative, so it says nothing
    but OA and K. ``low``, ``high``: the classes that the rounding of the printed digits allows.
    """
    implied_by = []
    for n in (12, 15, 16, 18, 19, 20):
        frame = published.table(n)
        oa = parse(frame.loc[OVERALL if OVERALL in frame.index else MEAN, "oa"])
        acc = parse(frame.loc[MEAN, "acc"])
        listed = len(published.table(9) if n == 12 else frame.drop(index=[MEAN, OVERALL]))
        implied = [2 * (1 - oa.value + a * oa.unit / 2) / (1 - acc.value + b * acc.unit / 2)
                   for a, b in ((0, 0), (-1, 1), (1, -1))]
        implied_by.append({"table": n, "mean_acc": acc.text, "oa": oa.text,
                           "classes_listed": listed, "classes_implied": round(implied[0], 2),
                           "low": round(implied[1], 3), "high": round(implied[2], 3)})
    return implied_by


def _cells(n: int, frame: pd.DataFrame, about: int) -> list[Number]:
    where = f"Table {n}: "
    if n == 8:
        return [Number(where + column.upper(), n, about, "Positive", column, parse(text))
                for column, text in frame.result.items()]
    if n == 17:
        of = {name: number for number, name in published.index().classifier.items() if name}
        return [Number(f"{where}{name}, {column.upper()}", n, of[name],
                       OVERALL if column == "oa" else MEAN, column, parse(frame.loc[name, column]))
                for name in frame.index for column in frame.columns]
    return [Number(where + _name(row, column), n, about, row, column, parse(frame.loc[row, column]))
            for row in frame.index for column in frame.columns
            if frame.loc[row, column] and column in (*METRICS, *COUNTS, "oa")]


def _name(row: str, column: str) -> str:
    if row == OVERALL:
        return column.upper()
    return f"mean {column.upper()}" if row == MEAN else f"class {row}, {column.upper()}"


def _blank(subject: Subject) -> pd.DataFrame:
    """Values of ``quantities``, all NaN."""
    right = subject.right
    return pd.DataFrame(np.nan, index=right.index, columns=right.columns)


def _printed_means(subject: Subject, extra_empty: int) -> pd.DataFrame:
    """Means of the class values as printed, empty classes counted as ``quantities`` does."""
    means = _blank(subject)
    for column in METRICS:
        parts = [subject.printed.get((row, column)) for row in subject.counts.index]
        if all(parts):
            empty = extra_empty * (column in ("acc", "tnr"))
            means.loc[MEAN, column] = (sum(part.value for part in parts) + empty) / (
                len(parts) + extra_empty)
    return means


def _early(printed: Printed, value: float) -> str:
    return f"rounded to {printed.padded(value)} decimals, then a zero added"


def _shortened(short: int, long: int) -> bool:
    digits = iter(str(long))
    return len(str(short)) < len(str(long)) and all(d in digits for d in str(short))


def _cell(values: pd.DataFrame, row: str, column: str) -> float:
    inside = row in values.index and column in values.columns
    return float(values.loc[row, column]) if inside else np.nan
