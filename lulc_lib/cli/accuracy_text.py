"""An accuracy assessment as text for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lulc_lib.accuracy.assess.assessment import SAMPLE, Assessment
from lulc_lib.accuracy.assess.wording import UNDEFINED, amount, oa_interval, over, share
from lulc_lib.accuracy.metrics import disagreement

SHOWN = {"support": "support", "mapped": "mapped", "producers_accuracy": "PA",
         "users_accuracy": "UA", "f1": "F1", "iou": "IoU", "acc": "ACC", "specificity": "spec",
         "mcc": "MCC"}

def text(found: Assessment) -> str:
    """The assessment as aligned tables."""
    parts = [f"Judged: {found.judged.kind}", *_matrix(found), *_overall(found), *_classes(found),
             *_area(found)]
    if found.per_class.isna().to_numpy().any():
        parts.append(f"{UNDEFINED} is 0/0: undefined, and left out of means.")
    if found.judged.notes:
        parts.append("Notes\n" + "\n".join(f"  {note}" for note in found.judged.notes))
    return "\n\n".join(parts)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as columns: the first to the left, the others to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if k == 0 else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows)


def _matrix(found: Assessment) -> list[str]:
    matrix = found.judged.matrix
    if matrix is None:
        return []
    labels = [str(label) for label in matrix.index]
    table = found.per_class
    rows = [["map \\ reference", *labels, "total", "UA"]]
    for label, line in zip(labels, matrix.to_numpy().tolist(), strict=True):
        rows.append([label, *map(str, line), str(sum(line)),
                     share(table.users_accuracy[label])])
    rows.append(["total", *map(str, matrix.to_numpy().sum(axis=0)), str(found.judged.n), ""])
    rows.append(["PA", *(share(v) for v in table.producers_accuracy), "", ""])
    return ["Confusion matrix (rows: map class, columns: reference class)\n" + aligned(rows)]


def _overall(found: Assessment) -> list[str]:
    judged, f1 = found.judged, found.means.loc["f1"]
    lines = [["n", str(judged.n), ""],
             ["Overall accuracy (OA)", share(found.overall_accuracy, 5), ""],
             ["Kappa", share(found.kappa), ""]]
    if math.isnan(found.overall_accuracy):
        lines[1][2] = "the classes do not share out all n, so OA and kappa are not determined"
    if judged.matrix is not None:
        parts = disagreement(judged.matrix)
        lines += [["Quantity disagreement", share(parts.quantity), "wrong amounts of the classes"],
                  ["Allocation disagreement", share(parts.allocation),
                   "right amounts, wrong places"]]
    lines.append(["Macro F1", share(f1.macro), f"mean over {over(found, 'f1')}"])
    width = max(len(line[1]) for line in lines)
    table = "\n".join(f"{a:<24}{b:>{width}}  {c}".rstrip() for a, b, c in lines)
    if judged.pixels or found.area is not None or math.isnan(found.overall_accuracy):
        return [table]
    return [f"{table}\n{oa_interval(found)}."]


def _classes(found: Assessment) -> list[str]:
    shown = dict(SHOWN)
    if found.formula is not None:
        shown["formula"] = found.formula[0]
    rows = [["class", *shown.values()]]
    for label, line in found.per_class.iterrows():
        rows.append([str(label), *(str(int(line[c])) if c in ("support", "mapped")
                                   else share(line[c]) for c in shown)])
    metrics = [c for c in shown if c in found.means.index]
    for kind in ("macro", "weighted"):
        rows.append([f"{kind} mean", "", "", *(share(found.means[kind][c]) for c in metrics)])
    title = "Per class"
    if found.formula is not None:
        title += f" ({found.formula[0]} = {found.formula[1]})"
    return [f"{title}\n{aligned(rows)}\n{_means_over(found, {c: shown[c] for c in metrics})} "
            "All metrics: --json or --html."]


def _means_over(found: Assessment, shown: dict[str, str]) -> str:
    """What the means average; metrics that average fewer classes are named."""
    groups: dict[str, list[str]] = {}
    for name, short in shown.items():
        groups.setdefault(over(found, name), []).append(short)
    usual = max(groups, key=lambda words: len(groups[words]))
    others = [f"{', '.join(names)}: {words}" for words, names in groups.items() if words != usual]
    return f"Means over {usual}" + (f" ({'; '.join(others)})." if others else ".")


def _area(found: Assessment) -> list[str]:
    if found.area is None:
        return []
    area = found.area
    rows = [["class", "PA", "±", "UA", "±", "area", "±"]]
    for label, c in area.per_class.iterrows():
        shares = (share(c[k]) for k in ("producers_accuracy", "producers_accuracy_se",
                                        "users_accuracy", "users_accuracy_se"))
        rows.append([str(label), *shares, *amount(c["area"], c["area_se"])])
    return ["Area-adjusted (± is one standard error; 95 % interval: 1.96 of them)\n"
            f"Presumes {SAMPLE}.\nOverall accuracy {share(area.overall_accuracy, 5)} ± "
            f"{share(area.overall_accuracy_se, 5)}\n" + aligned(rows)]
