"""The paper's accuracy numbers, each computed again: match, rounding or mismatch, and why.

Verdicts come from computing each printed number by the paper's own definitions (Table 6) from the
printed matrices, or from the whole numbers behind Tables 18–20. Explanations come from trying every
hypothesis of ``hypotheses`` on every number that does not match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from lulc_lib.accuracy.audit.hypotheses import Explanation, Subject, alternatives, explain
from lulc_lib.accuracy.audit.one_against_all import COUNTS, MEAN, METRICS, OVERALL, one_against_all
from lulc_lib.accuracy.audit.reconstruct import reconstruct_counts
from lulc_lib.accuracy.audit.rounding import Printed, judge, parse, show
from lulc_lib.accuracy.published.tables import (
    all_tables,
    index,
    matrix_of,
    quoted,
    released_matrix,
    table,
)

Matrices = Mapping[int, Mapping[str, pd.DataFrame]]
"""Further matrices of a printed one (13 or 14), by a name that says what they were measured on."""

RELEASED = "released file"


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


def numbers(
    tables: Mapping[int, pd.DataFrame] | None = None, quotes: pd.DataFrame | None = None
) -> list[Number]:
    """Every number to check: the cells of Tables 8, 10–12, 15–20, then those in the text.

    Parameters
    ----------
    tables : tables in place of the paper's, by number (see ``published.table``).
    quotes : in place of ``published.quoted()``.
    """
    about = index().about.replace("", "0").astype(int)
    found = [number for n, frame in all_tables(tables).items() if n not in (7, 9, 13, 14)
             for number in _cells(n, frame, int(about[n]))]
    for quote in (quoted() if quotes is None else quotes).itertuples():
        place = quote.section if quote.section[0].isalpha() else f"Section {quote.section}"
        found.append(Number(f"{place}: {_name(quote.row, quote.column)}", None, quote.about,
                            quote.row, quote.column, parse(quote.printed, quote.unit)))
    return found


def subjects(
    tables: Mapping[int, pd.DataFrame] | None = None, matrices: Matrices | None = None,
    quotes: pd.DataFrame | None = None,
) -> dict[int, Subject]:
    """What each matrix (7, 9, 13, 14) and each per-class table (18–20) says, by its number.

    ``matrices`` adds to the released matrices of Tables 13 and 14.
    """
    known = all_tables(tables)
    if tables is None or not {13, 14} & set(tables):
        matrices = {n: {RELEASED: released_matrix(n)} | dict((matrices or {}).get(n, {}))
                    for n in (13, 14)}
    printed: dict[int, dict[tuple[str, str], Printed]] = {}
    for number in reversed(numbers(tables, quotes)):  # a table's digits win over the text's
        printed.setdefault(number.about, {})[number.row, number.column] = number.printed
    found = {}
    for n in (7, 9, 13, 14):
        matrix = matrix_of(n, known[n])
        found[n] = Subject(one_against_all(matrix), printed.get(n, {}), matrix,
                           dict((matrices or {}).get(n, {})))
    for n in (18, 19, 20):
        found[n] = Subject(reconstruct_counts(known[n])[list(COUNTS)], printed.get(n, {}))
    return found


def check(
    tables: Mapping[int, pd.DataFrame] | None = None, matrices: Matrices | None = None,
    quotes: pd.DataFrame | None = None,
) -> list[Checked]:
    """Every number of :func:`numbers` with its verdict and the hypotheses that reproduce it.

    Among several explanations those with exact digits come first, then the hypothesis that explains
    most numbers of the same subject; a number under another name is the last guess.
    """
    known = subjects(tables, matrices, quotes)
    right = {n: subject.right for n, subject in known.items()}
    tried = {n: alternatives(subject) for n, subject in known.items()}
    checked = []
    for number in numbers(tables, quotes):
        value = float(right[number.about].loc[number.row, number.column])
        verdict = judge(number.printed, value)
        why = [] if verdict == "match" else explain(number.printed, number.row, number.column,
                                                    value, tried[number.about])
        checked.append(Checked(number, value, verdict, why))
    weight = Counter((c.number.about, name) for c in checked
                     for name in {why.hypothesis for why in c.explanations})
    for c in checked:
        c.explanations.sort(key=lambda why, n=c.number.about: (
            "a zero added" in why.detail, why.hypothesis == "another quantity",
            -weight[n, why.hypothesis]))
    return checked


def whole_columns(
    checked: list[Checked], tables: Mapping[int, pd.DataFrame] | None = None,
    matrices: Matrices | None = None,
) -> list[dict[str, Any]]:
    """Columns of a table that one hypothesis reproduces better than the definition does.

    Returns
    -------
    Dictionaries ``table, column, cells, as_defined, hypothesis, detail, reproduced``: of how many
    printed cells the definition and the hypothesis give the exact digits.
    """
    tried = {n: alternatives(subject) for n, subject in subjects(tables, matrices).items()}
    columns: dict[tuple[int, str], list[Checked]] = {}
    for c in checked:
        if c.number.table:
            columns.setdefault((c.number.table, c.number.column), []).append(c)
    found = []
    for (number, column), cells in columns.items():
        defined = sum(c.verdict == "match" for c in cells)
        scores = [(sum(_given(values, c.number) for c in cells), name, detail)
                  for name, detail, values in tried[cells[0].number.about]]
        best = max(scores, default=(0, "", ""), key=lambda score: score[0])
        if len(cells) > 1 and best[0] > defined:
            found.append({"table": number, "column": column.upper(), "cells": len(cells),
                          "as_defined": defined, "hypothesis": best[1], "detail": best[2],
                          "reproduced": best[0]})
    return found


def identity(tables: Mapping[int, pd.DataFrame] | None = None) -> list[dict[str, Any]]:
    """Over how many classes a printed mean ACC was taken, from mean ACC = 1 − 2(1 − OA) ÷ K.

    Every wrong pixel is one class's false positive and another's false negative, so the mean
    per-class ACC says nothing but OA and K.

    Returns
    -------
    Dictionaries ``table, mean_acc, oa, classes_listed, classes_implied`` (to two decimals) and the
    ``low`` and ``high`` that the rounding of the printed digits allows.
    """
    found = []
    for n, frame in all_tables(tables).items():
        if n not in (12, 15, 16, 18, 19, 20):
            continue
        oa = parse(frame.loc[OVERALL if OVERALL in frame.index else MEAN, "oa"])
        acc = parse(frame.loc[MEAN, "acc"])
        listed = len(table(9) if n == 12 else frame.drop(index=[MEAN, OVERALL]))
        implied = [2 * (1 - oa.value + a * oa.unit / 2) / (1 - acc.value + b * acc.unit / 2)
                   for a, b in ((0, 0), (-1, 1), (1, -1))]
        found.append({"table": n, "mean_acc": acc.text, "oa": oa.text, "classes_listed": listed,
                      "classes_implied": round(implied[0], 2), "low": round(implied[1], 3),
                      "high": round(implied[2], 3)})
    return found


def _cells(n: int, frame: pd.DataFrame, about: int) -> list[Number]:
    where = f"Table {n}: "
    if n == 8:
        return [Number(where + column.upper(), n, about, "Positive", column, parse(text))
                for column, text in frame.result.items()]
    if n == 17:
        of = {name: number for number, name in index().classifier.items() if name}
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


def _given(values: pd.DataFrame, number: Number) -> bool:
    inside = number.row in values.index and number.column in values.columns
    return inside and judge(number.printed, float(values.loc[number.row, number.column])) == "match"


def as_record(checked: Checked) -> dict[str, Any]:
    """One checked number as plain values for JSON."""
    number = checked.number
    return {
        "where": number.where, "table": number.table, "about": number.about, "row": number.row,
        "column": number.column, "printed": number.printed.text,
        "recomputed": None if checked.value != checked.value else round(checked.value, 6),
        "shown": show(checked.value, number.printed), "verdict": checked.verdict,
        "explanations": [why._asdict() | {"gives": round(why.gives, 6)}
                         for why in checked.explanations],
        "independent": not (number.table in (18, 19, 20) and number.row not in (MEAN, OVERALL)),
    }
