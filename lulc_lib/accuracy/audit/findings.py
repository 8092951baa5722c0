"""The audit of the paper's accuracy numbers: what matches, what does not and why, what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from lulc_lib.accuracy.audit import checks
from lulc_lib.accuracy.audit.checks import Checked, Matrices, Subject
from lulc_lib.accuracy.audit.claims import assess_claims, corrected
from lulc_lib.accuracy.audit.printed import (
    MEAN,
    OVERALL,
    TEST_POINTS,
    one_against_all,
    quantities,
    reconstruct_counts,
)
from lulc_lib.accuracy.published import index

FINDING_COLUMNS = ("where", "numbers", "printed", "recomputed", "verdict", "explanation")
_VERDICTS = ("match", "rounding", "mismatch")


def audit(matrices: Matrices | None = None, overlap: Mapping[str, float] | None = None,
          oa_interval: Mapping[str, tuple[float, float]] | None = None) -> dict[str, Any]:
    """Compute every published accuracy number again, and what follows from it.

    Parameters
    ----------
    matrices : mapping, optional
        Confusion matrices (map_class, reference_class) of the same map, by the number of the
        printed one (13 or 14) and a name ("polygons, pixel centres"), over any classes.
    overlap : mapping, optional
        By site, share of the reference test pixels labelled in training.
    oa_interval : mapping, optional
        By site, 95 % interval of the network's OA from whole polygons.

    Returns
    -------
    dict of plain values for JSON
        ``numbers``: each number with printed and recomputed value, verdict and explanations;
        ``columns``: columns that one hypothesis explains; ``identity``: over how many classes
        means were taken; ``matrices``: each further matrix against the printed one;
        ``reconstructed``: the whole numbers behind Tables 18–20; ``corrected``: the summary as it
        should be; ``claims``; ``findings``: numbers with one and the same explanation together
        (where; ``numbers``: how many; of several ``printed`` and ``recomputed`` the last of each
        column, which is the mean where there is one; verdict; explanation, "" where none fits);
        ``summary``: how many of what.
    """
    said = checks.subjects(matrices=matrices)
    checked = checks.check_subjects(said, checks.numbers())
    counts, implied = reconstructions(), checks.identity()
    compared = [{"about": about, "name": name, **_against_printed(subject, matrix)}
                for about, subject in said.items() for name, matrix in subject.others.items()]
    claims = assess_claims(said, overlap, oa_interval)
    return {
        "numbers": [_record(c) for c in checked],
        "columns": checks.whole_columns(checked, said),
        "identity": implied,
        "matrices": compared,
        "reconstructed": counts,
        "corrected": _plain(corrected(said, oa_interval)),
        "claims": claims,
        "findings": [dict(zip(FINDING_COLUMNS, row, strict=True)) for row in (
            *_number_rows(checked), *_matrix_rows(compared), *_identity_rows(implied),
            _counts_row(counts))],
        "summary": _summary(checked, claims)}



def _against_printed(subject: Subject, matrix: pd.DataFrame) -> dict[str, Any]:
    """Of ``cells_equal`` and ``cells_equal_transposed`` the greater shows what the rows are."""
    inner = subject.on_labels(matrix)
    oa, oa_inner = (round(float(quantities(one_against_all(m)).oa[OVERALL]), 6)
                    for m in (matrix, inner))
    ours, other = subject.matrix.to_numpy(), inner.to_numpy()

    def cell(place: tuple[int | str, int | str]) -> dict[str, Any]:
        return {"row": str(place[0]), "column": str(place[1]),
                "printed": int(subject.matrix.loc[place]), "other": int(inner.loc[place])}

    differing = subject.differing_cells(matrix)
    return {
        "n": int(matrix.to_numpy().sum()), "oa": oa, "n_printed_classes": int(other.sum()),
        "oa_printed_classes": oa_inner, "cells": ours.size,
        "cells_equal": int((ours == other).sum()),
        "cells_equal_transposed": int((ours == other.T).sum()),
        "off_legend": {str(c): int(matrix.loc[c].sum() + matrix[c].sum() - matrix.loc[c, c])
                       for c in subject.dropped_labels(matrix)},
        "lost_digits": [cell(place) for place in subject.lost_digits(matrix)],
        "largest_difference": cell(max(differing, key=lambda place: abs(
            subject.matrix.loc[place] - inner.loc[place]))) if differing else None}


def reconstructions() -> dict[str, Any]:
    """Find the whole numbers behind Tables 18–20, and what all three say about the test points.

    The classifiers were tested on the same points, so which supports agree, as printed or with PA
    and UA exchanged (``same_supports_if_swapped``), shows which axis is the reference.
    """
    frames = {n: reconstruct_counts(n) for n in (18, 19, 20)}
    supports = {tuple(frame.support) for frame in frames.values()}
    mapped = {tuple(frame.tp + frame.fp) for frame in frames.values()}
    return {str(n): {"rows": _plain(frame.reset_index()), "n": TEST_POINTS,
                     "unique": bool((frame.solutions == 1).all())}
            for n, frame in frames.items()} | {"same_supports": len(supports) == 1,
                                               "same_supports_if_swapped": len(mapped) == 1}


def _summary(checked: list[Checked], claims: list[dict[str, Any]]) -> dict[str, Any]:
    """How many numbers match or not, and are explained; a mismatch for its first explanation."""
    wrong = [c for c in checked if c.verdict == "mismatch"]
    return {
        "numbers": len(checked),
        **{v: sum(c.verdict == v for c in checked) for v in _VERDICTS},
        "explained": sum(bool(c.explanations) for c in wrong),
        "unexplained": sum(not c.explanations for c in wrong),
        "by_hypothesis": dict(Counter(c.explanations[0].hypothesis for c in wrong
                                      if c.explanations)),
        "claims": dict(Counter(claim["verdict"] for claim in claims))}


def _record(checked: Checked) -> dict[str, Any]:
    number = checked.number
    return {
        "where": number.where, "table": number.table, "about": number.about, "row": number.row,
        "column": number.column, "printed": number.printed.text,
        "recomputed": None if checked.value != checked.value else round(checked.value, 6),
        "shown": number.printed.show(checked.value), "verdict": checked.verdict,
        "explanations": [why._asdict() | {"gives": round(why.gives, 6)}
                         for why in checked.explanations],
        "independent": not (number.table in (18, 19, 20) and number.row not in (MEAN, OVERALL))}


def _number_rows(checked: list[Checked]) -> list[tuple[Any, ...]]:
    groups: dict[tuple[Any, ...], list[Checked]] = {}
    for c in checked:
        number = c.number
        why = "; or ".join(_first_of_each(c))
        place = ((number.table,) if number.table or c.verdict == "match"
                 else (number.about, number.row, number.column, number.printed.text))
        groups.setdefault((number.table is None, *place, c.verdict == "match", why), []).append(c)
    return [_number_row(cells, key[-1]) for key, cells in groups.items()]


def _number_row(cells: list[Checked], why: str) -> tuple[Any, ...]:
    """One row for numbers with one verdict and explanation; of a match only how many there are."""
    number, verdict = cells[0].number, max((c.verdict for c in cells), key=_VERDICTS.index)
    last = {c.number.column.upper(): c for c in cells}
    if verdict == "match":
        where = f"Table {number.table}" if number.table else "Text"
        return where, len(cells), "", "", verdict, why
    where = number.where if number.table else _place(cells)
    if number.table and len(cells) > 1:
        where = f"Table {number.table}: {', '.join(last)}"
    name = {column: f"{column} " if len(last) > 1 else "" for column in last}
    printed = ", ".join(name[k] + c.number.printed.text for k, c in last.items())
    values = ", ".join(name[k] + c.number.printed.show(c.value) for k, c in last.items())
    return where, len(cells), printed, values, verdict, why


def _place(cells: list[Checked]) -> str:
    places = dict.fromkeys(c.number.where.partition(":")[0].removeprefix("Section ") for c in cells)
    about = index().loc[cells[0].number.about]
    owner = " ".join(filter(None, (about.site, about.classifier)))
    owner = owner or f"example of Table {cells[0].number.about}"
    return f"Text ({', '.join(places)}): {cells[0].number.where.partition(': ')[2]}, {owner}"


def _first_of_each(checked: Checked) -> list[str]:
    """Take the first explanation; all of them where none is exact and the digits cannot decide."""
    exact = [why.detail for why in checked.explanations if "a zero added" not in why.detail]
    return exact[:1] or [f"{why.detail} ({checked.number.printed.show(why.gives)})"
                         for why in checked.explanations]


def _matrix_rows(compared: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    rows = []
    for m in compared:
        about, same = f"Table {m['about']}", m["cells_equal"] == m["cells"]
        rows += [(f"{about}, cell {c['row']}, {c['column']} ({m['name']})", 1, str(c["printed"]),
                  str(c["other"]), "mismatch", "digits lost") for c in m["lost_digits"]]
        off = ", ".join(f"{pixels} pixels of class {c}" for c, pixels in m["off_legend"].items())
        if same:
            why = (f"cell for cell once {off} are dropped, {checks.DROPPED_BY} (OA {m['oa']:.5f} "
                   "with them)") * bool(off)
        elif m["lost_digits"]:
            why = "digits lost"
        else:
            d = m["largest_difference"]
            why = (f"another reference: OA {m['oa']:.4f}, n {m['n']}; most in cell {d['row']}, "
                   f"{d['column']}: {d['printed']} printed, {d['other']} here")
        rows.append((f"{about}: all cells ({m['name']})", m["cells"], f"{m['cells']} cells",
                     f"{m['cells_equal']} equal", "match" if same else "mismatch", why))
    return rows


def _identity_rows(implied: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    rows = []
    for i in implied:
        same = i["low"] <= i["classes_listed"] <= i["high"]
        why = f"mean ACC = 1 − 2(1 − OA)/K holds with K = {round(i['classes_implied'])}"
        rows.append((f"Table {i['table']}: classes behind mean ACC", 1, str(i["classes_listed"]),
                     f"{i['classes_implied']:.2f}", "match" if same else "mismatch",
                     "" if same else why))
    return rows


def _counts_row(counts: dict[str, Any]) -> tuple[Any, ...]:
    """Say what the reconstructed whole numbers of the three classifiers show together."""
    rows = [row for n in ("18", "19", "20") for row in counts[n]["rows"]]
    unique = sum(row["solutions"] == 1 for row in rows)
    supports = ", ".join(str(row["support"]) for row in counts["18"]["rows"])
    same = counts["same_supports"] and not counts["same_supports_if_swapped"]
    return ("Tables 18–20: TP, FP, FN, TN of each class", len(rows), f"{len(rows)} classes",
            f"{unique} with one solution", "match" if unique == len(rows) else "mismatch",
            f"the same reference points in all three ({supports}), which would not be so with PA "
            "and UA exchanged" if same else "")


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
