"""The audit of the paper's accuracy numbers: what matches, what does not and why, what follows.

``audit`` gives everything as plain values for JSON, ``audit_table`` one row per finding. Both need
nothing but this package; matrices counted on rasters can be handed in to test further explanations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lulc_lib.accuracy.audit.checks import (
    Checked,
    Matrices,
    as_record,
    check,
    identity,
    subjects,
    whole_columns,
)
from lulc_lib.accuracy.audit.claims import judge_claims
from lulc_lib.accuracy.audit.corrected import corrected
from lulc_lib.accuracy.audit.hypotheses import Subject, differing_cells, dropped_labels, lost_digits
from lulc_lib.accuracy.audit.one_against_all import OVERALL, one_against_all, quantities
from lulc_lib.accuracy.audit.reconstruct import TEST_POINTS, reconstruct_counts
from lulc_lib.accuracy.audit.rounding import show
from lulc_lib.accuracy.published.tables import all_tables, index

FINDING_COLUMNS = ("where", "numbers", "printed", "recomputed", "verdict", "explanation")
_WORSE = ("match", "rounding", "mismatch")


def audit(
    matrices: Matrices | None = None, tables: Mapping[int, pd.DataFrame] | None = None,
    quotes: pd.DataFrame | None = None, overlap: Mapping[str, float] | None = None,
    oa_interval: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, Any]:
    """Every published accuracy number computed again, with what follows from it.

    Parameters
    ----------
    matrices : confusion matrices (map_class, reference_class) of the same map, by the number of the
        printed one (13 or 14) and a name ("polygons, pixel centres"), over any classes.
    tables, quotes : numbers in place of the paper's (see ``checks.numbers``).
    overlap : by site, share of the reference test pixels labelled in training.
    oa_interval : by site, 95 % interval of the network's OA from whole polygons.

    Returns
    -------
    ``numbers``: each number with printed and recomputed value, verdict and explanations;
    ``columns``: columns that one hypothesis explains; ``identity``: over how many classes means
    were taken; ``matrices``: each further matrix against the printed one; ``reconstructed``: the
    whole numbers behind Tables 18–20; ``corrected``: the summary as it should be; ``claims``;
    ``findings``: the rows of :func:`audit_table`; ``summary``: how many of what.
    """
    known = subjects(tables, matrices, quotes)
    checked = check(tables, matrices, quotes)
    compared = compare_matrices(known)
    counts = reconstructions(tables)
    claims = judge_claims(known, overlap, oa_interval)
    return {
        "numbers": [as_record(c) for c in checked],
        "columns": whole_columns(checked, tables, matrices),
        "identity": identity(tables),
        "matrices": compared,
        "reconstructed": counts,
        "corrected": _plain(corrected(known)),
        "claims": claims,
        "findings": _plain(_findings(checked, compared, identity(tables), counts)),
        "summary": findings_summary(checked, claims),
    }


def audit_table(
    matrices: Matrices | None = None, tables: Mapping[int, pd.DataFrame] | None = None,
    quotes: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per finding: a table's numbers with one and the same explanation stand together.

    Returns
    -------
    Columns ``where``, ``numbers`` (how many), ``printed``, ``recomputed`` (text; of several numbers
    the last of each column, which is the mean where there is one), ``verdict`` (``match``,
    ``rounding``, ``mismatch``) and ``explanation`` ("" where none fits). What matches is one row
    per table, and one for the text.
    """
    return _findings(check(tables, matrices, quotes),
                     compare_matrices(subjects(tables, matrices, quotes)), identity(tables),
                     reconstructions(tables))


def findings_summary(
    checked: list[Checked], claims: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """How many numbers match, are rounded or do not match; how many of these are explained.

    A mismatch counts once, for its first explanation.
    """
    wrong = [c for c in checked if c.verdict == "mismatch"]
    return {
        "numbers": len(checked),
        **{v: sum(c.verdict == v for c in checked) for v in ("match", "rounding", "mismatch")},
        "explained": sum(bool(c.explanations) for c in wrong),
        "unexplained": sum(not c.explanations for c in wrong),
        "by_hypothesis": dict(Counter(c.explanations[0].hypothesis for c in wrong
                                      if c.explanations)),
        "claims": dict(Counter(claim["verdict"] for claim in claims or [])),
    }


def compare_matrices(known: Mapping[int, Subject]) -> list[dict[str, Any]]:
    """Each further matrix against the printed one it belongs to.

    Returns
    -------
    Dictionaries: ``about, name``; ``n, oa`` over all its classes and ``n_printed_classes,
    oa_printed_classes``; ``cells``, ``cells_equal`` and ``cells_equal_transposed`` (the greater one
    shows what the printed rows are); ``off_legend``: pixels by class that the printed matrix does
    not list; ``lost_digits``: cells with the printed and the shorter number;
    ``largest_difference``: the cell that differs most.
    """
    found = []
    for about, subject in known.items():
        for name, matrix in subject.others.items():
            labels = list(subject.matrix.index)
            inner = matrix.reindex(index=labels, columns=labels, fill_value=0)
            whole, part = (quantities(one_against_all(m)) for m in (matrix, inner))
            ours, other = subject.matrix.to_numpy(), inner.to_numpy()
            extra, apart = dropped_labels(subject, matrix), np.abs(ours - other)
            at = np.unravel_index(apart.argmax(), apart.shape)
            found.append({
                "about": about, "name": name, "n": int(matrix.to_numpy().sum()),
                "oa": round(float(whole.oa[OVERALL]), 6), "n_printed_classes": int(other.sum()),
                "oa_printed_classes": round(float(part.oa[OVERALL]), 6), "cells": ours.size,
                "cells_equal": int((ours == other).sum()),
                "cells_equal_transposed": int((ours == other.T).sum()),
                "off_legend": {str(c): _pixels(matrix, c) for c in extra},
                "lost_digits": [_cell(cell, subject.matrix, matrix)
                                for cell in lost_digits(subject, matrix)],
                "largest_difference": _cell((labels[at[0]], labels[at[1]]), subject.matrix, inner)
                if differing_cells(subject, matrix) else None,
            })
    return found


def reconstructions(tables: Mapping[int, pd.DataFrame] | None = None) -> dict[str, Any]:
    """The whole numbers behind Tables 18–20, and what all three say about the test points.

    Returns
    -------
    By table number: ``rows`` of ``reconstruct_counts`` and ``unique`` (one solution per class);
    ``same_supports``: the three tables have the same reference points per class, and
    ``same_supports_if_swapped``: they would if PA and UA were exchanged. The classifiers were
    tested on the same points, so this shows which axis is the reference.
    """
    known, found = all_tables(tables), {}
    frames = {n: reconstruct_counts(known[n], TEST_POINTS) for n in (18, 19, 20)}
    for n, frame in frames.items():
        found[str(n)] = {"rows": _plain(frame.reset_index()), "n": TEST_POINTS,
                         "unique": bool((frame.solutions == 1).all())}
    supports = {tuple(frame.support) for frame in frames.values()}
    mapped = {tuple(frame.tp + frame.fp) for frame in frames.values()}
    return found | {"same_supports": len(supports) == 1, "same_supports_if_swapped":
                    len(mapped) == 1}


def _findings(
    checked: list[Checked], compared: list[dict[str, Any]], implied: list[dict[str, Any]],
    counts: dict[str, Any],
) -> pd.DataFrame:
    groups: dict[tuple[Any, ...], list[Checked]] = {}
    for c in checked:
        number = c.number
        why = "; or ".join(_first_of_each(c))
        place = ((number.table,) if number.table or c.verdict == "match"
                 else (number.about, number.row, number.column, number.printed.text))
        groups.setdefault((number.table is None, *place, c.verdict == "match", why), []).append(c)
    rows = [_group(cells, key[-1]) for key, cells in groups.items()]
    for m in compared:
        rows += [(f"Table {m['about']}, cell {c['row']}, {c['column']} ({m['name']})", 1,
                  str(c["printed"]), str(c["other"]), "mismatch", "digits lost")
                 for c in m["lost_digits"]]
        rows.append(_matrix_row(m))
    for i in implied:
        whole = round(i["classes_implied"])
        same = i["low"] <= i["classes_listed"] <= i["high"]
        rows.append((f"Table {i['table']}: classes behind mean ACC", 1, str(i["classes_listed"]),
                     f"{i['classes_implied']:.2f}", "match" if same else "mismatch",
                     "" if same else "mean ACC = 1 − 2(1 − OA)/K holds with K = " + str(whole)))
    rows.append(_counts_row(counts))
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS))


def _group(cells: list[Checked], why: str) -> tuple[Any, ...]:
    """One row for numbers with one verdict and explanation; of a match only how many there are."""
    number, verdict = cells[0].number, max((c.verdict for c in cells), key=_WORSE.index)
    last = {c.number.column.upper(): c for c in cells}
    where = number.where
    if verdict == "match":
        where = f"Table {number.table}" if number.table else "Text"
        return where, len(cells), "", "", verdict, why
    if number.table and len(cells) > 1:
        where = f"Table {number.table}: {', '.join(last)}"
    elif not number.table:
        where = _place(cells)
    name = {column: f"{column} " if len(last) > 1 else "" for column in last}
    printed = ", ".join(name[k] + c.number.printed.text for k, c in last.items())
    values = ", ".join(name[k] + show(c.value, c.number.printed) for k, c in last.items())
    return where, len(cells), printed, values, verdict, why


def _place(cells: list[Checked]) -> str:
    """Where in the text a quoted number stands, and what it is of."""
    places = dict.fromkeys(c.number.where.partition(":")[0].removeprefix("Section ") for c in cells)
    about = index().loc[cells[0].number.about]
    owner = " ".join(filter(None, (about.site, about.classifier)))
    owner = owner or f"example of Table {cells[0].number.about}"
    return f"Text ({', '.join(places)}): {cells[0].number.where.partition(': ')[2]}, {owner}"


def _first_of_each(checked: Checked) -> list[str]:
    """The first explanation; all of them where none is exact and the digits cannot decide."""
    exact = [why.detail for why in checked.explanations if "a zero added" not in why.detail]
    return exact[:1] or [f"{why.detail} ({show(why.gives, checked.number.printed)})"
                         for why in checked.explanations]


def _counts_row(counts: dict[str, Any]) -> tuple[Any, ...]:
    """What the reconstructed whole numbers of the three classifiers say together."""
    rows = [row for n in ("18", "19", "20") for row in counts[n]["rows"]]
    unique = sum(row["solutions"] == 1 for row in rows)
    supports = ", ".join(str(row["support"]) for row in counts["18"]["rows"])
    same = counts["same_supports"] and not counts["same_supports_if_swapped"]
    return ("Tables 18–20: TP, FP, FN, TN of each class", len(rows), f"{len(rows)} classes",
            f"{unique} with one solution", "match" if unique == len(rows) else "mismatch",
            f"the same reference points in all three ({supports}), which would not be so with PA "
            "and UA exchanged" if same else "")


def _matrix_row(m: dict[str, Any]) -> tuple[Any, ...]:
    off = ", ".join(f"{pixels} pixels of class {c}" for c, pixels in m["off_legend"].items())
    same = m["cells_equal"] == m["cells"]
    if same:
        why = f"cell for cell once {off} are dropped (OA {m['oa']:.5f} with them)" if off else ""
    elif m["lost_digits"]:
        why = "digits lost"
    else:
        d = m["largest_difference"]
        why = (f"another reference: OA {m['oa']:.4f}, n {m['n']}; most in cell {d['row']}, "
               f"{d['column']}: {d['printed']} printed, {d['other']} here")
    return (f"Table {m['about']}: all cells ({m['name']})", m["cells"], f"{m['cells']} cells",
            f"{m['cells_equal']} equal", "match" if same else "mismatch", why)


def _cell(cell: tuple[Any, Any], printed: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    return {"row": str(cell[0]), "column": str(cell[1]), "printed": int(printed.loc[cell]),
            "other": int(other.loc[cell])}


def _pixels(matrix: pd.DataFrame, label: int | str) -> int:
    return int(matrix.loc[label].sum() + matrix[label].sum() - matrix.loc[label, label])


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
