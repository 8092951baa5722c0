"""An accuracy assessment as text for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lulc_lib.accuracy.assess.assessment import (
    SAMPLE,
    UNDEFINED,
    Assessment,
    amount,
    bracketed,
    share,
)
from lulc_lib.accuracy.metrics import disagreement

SHOWN = {"support": "support", "mapped": "mapped", "producers_accuracy": "PA",
         "users_accuracy": "UA", "f1": "F1", "iou": "IoU", "acc": "ACC", "specificity": "spec",
         "mcc": "MCC"}


def text(assessment: Assessment) -> str:
    """Write the assessment as aligned tables."""
    parts = [f"Compared: {assessment.comparison.kind}\n{assessment.judged}".strip(),
             *_matrix(assessment), _overall(assessment), *_intervals(assessment),
             _classes(assessment), *_area(assessment)]
    if assessment.per_class.isna().to_numpy().any():
        parts.append(f"{UNDEFINED} is 0/0: undefined, and left out of means.")
    if assessment.comparison.notes:
        parts.append("Notes\n" + "\n".join(f"  {note}" for note in assessment.comparison.notes))
    return "\n\n".join(parts)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align rows of cells: the first column to the left, the others to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if k == 0 else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows)


def _matrix(assessment: Assessment) -> list[str]:
    matrix = assessment.comparison.matrix
    if matrix is None:
        return []
    labels, table = list(matrix.index), assessment.per_class
    names = assessment.comparison.names
    codes = {f"{code} {name}": code for code, name in names.items()}
    heads = [codes.get(label, label) for label in labels]
    rows = [["map \\ reference", *heads, "total", "UA"]]
    for label, line in zip(labels, matrix.to_numpy().tolist(), strict=True):
        rows.append([label, *map(str, line), str(sum(line)), share(table.users_accuracy[label])])
    totals = matrix.to_numpy().sum(axis=0)
    rows.append(["total", *map(str, totals), str(totals.sum()), ""])
    rows.append(["PA", *(share(v) for v in table.producers_accuracy), "", ""])
    return ["Confusion matrix (rows: map class, columns: reference class)\n" + aligned(rows)]


def _overall(assessment: Assessment) -> str:
    comparison, f1 = assessment.comparison, assessment.means.loc["f1"]
    lines = [["n", str(comparison.n), ""],
             ["Overall accuracy (OA)", share(assessment.overall_accuracy, 5), ""],
             ["Kappa", share(assessment.kappa), ""]]
    if math.isnan(assessment.overall_accuracy):
        lines[1][2] = "the classes do not share out all n, so OA and kappa are not determined"
    if comparison.matrix is not None:
        parts = disagreement(comparison.matrix)
        lines += [["Quantity disagreement", share(parts.quantity), "wrong amounts of the classes"],
                  ["Allocation disagreement", share(parts.allocation),
                   "right amounts, wrong places"]]
    lines.append(["Macro F1", share(f1.macro), f"mean over {assessment.over('f1')}"])
    width = max(len(line[1]) for line in lines)
    table = "\n".join(f"{a:<24}{b:>{width}}  {c}".rstrip() for a, b, c in lines)
    if comparison.pixels or assessment.area is not None or math.isnan(assessment.overall_accuracy):
        return table
    return f"{table}\n{assessment.oa_interval()}."


def _intervals(assessment: Assessment) -> list[str]:
    found = assessment.intervals
    if found is None:
        return []
    rows = [["", "PA", "UA", "F1"]]
    for k, label in enumerate(assessment.comparison.labels):
        rows.append([label, *(bracketed(found[name][k], 3) for name in
                              ("producers_accuracy", "users_accuracy", "f1"))])
    return [f"{assessment.interval_words()}\n"
            f"Overall accuracy {bracketed(found['overall_accuracy'])}, "
            f"macro F1 {bracketed(found['macro_f1'])}\n{aligned(rows)}"]


def _classes(assessment: Assessment) -> str:
    shown, title = dict(SHOWN), "Per class"
    if assessment.formula is not None:
        shown["formula"], expression = assessment.formula
        title += f" ({shown['formula']} = {expression})"
    rows = [["class", *shown.values()]]
    for label, line in assessment.per_class.iterrows():
        rows.append([str(label), *(str(int(line[c])) if c in ("support", "mapped")
                                   else share(line[c]) for c in shown)])
    metrics = [c for c in shown if c in assessment.means.index]
    for kind in ("macro", "weighted"):
        rows.append([f"{kind} mean", "", "", *(share(assessment.means[kind][c]) for c in metrics)])
    return (f"{title}\n{aligned(rows)}\n{_means_over(assessment, {c: shown[c] for c in metrics})} "
            "All metrics: --json or --html.")


def _means_over(assessment: Assessment, shown: dict[str, str]) -> str:
    """Say what the means average, and name metrics that average fewer classes."""
    groups: dict[str, list[str]] = {}
    for name, short in shown.items():
        groups.setdefault(assessment.over(name), []).append(short)
    usual = max(groups, key=lambda words: len(groups[words]))
    others = [f"{', '.join(names)}: {words}" for words, names in groups.items() if words != usual]
    return f"Means over {usual}" + (f" ({'; '.join(others)})." if others else ".")


def _area(assessment: Assessment) -> list[str]:
    area = assessment.area
    if area is None:
        return []
    rows = [["class", "PA", "±", "UA", "±", "area", "±"]]
    for label, c in area.per_class.iterrows():
        shares = (share(c[k]) for k in ("producers_accuracy", "producers_accuracy_se",
                                        "users_accuracy", "users_accuracy_se"))
        rows.append([str(label), *shares, *amount(c["area"], c["area_se"])])
    half = 1.96 * area.overall_accuracy_se
    return ["Area-adjusted (± is one standard error; 95 % interval: 1.96 of them)\n"
            f"Presumes {SAMPLE}.\nOverall accuracy {share(area.overall_accuracy, 5)} ± "
            f"{share(area.overall_accuracy_se, 5)} (95 % interval "
            f"{share(area.overall_accuracy - half)} to {share(area.overall_accuracy + half)})\n"
            + aligned(rows)]
