"""An accuracy assessment as one self-contained HTML page: what ``report.html.jinja`` is given."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lulc_lib import __version__
from lulc_lib.accuracy.assess.assessment import SAMPLE, Assessment, amount, bracketed, share
from lulc_lib.accuracy.metrics import METRICS, PER_CLASS, disagreement
from lulc_lib.io import sha256, written_whole

MAIN = ("producers_accuracy", "users_accuracy", "f1", "iou", "acc", "specificity", "mcc")
BARS = ("producers_accuracy", "users_accuracy", "f1", "iou")
TWICE = ("fnr", "fdr")
"""Metrics that are another (omission and commission error) under a second name: not shown."""

UPRIGHT_FROM = 9
"""Characters of a class label from which the heads of the matrix stand upright."""

LONGEST = 28
"""Characters of a class label that the matrix shows."""

RIGHT, WRONG = (29, 94, 166), (197, 66, 22)
"""Full shade of the diagonal and of the rest of the heat map (sRGB)."""

PAGE_PIXELS = 1040
"""Width that the matrix may take: A4 across, at 96 pixels per inch."""


def write_report(assessment: Assessment, path: Path, inputs: Mapping[str, Path]) -> None:
    """Write the report; ``inputs``: role → file read, named with its size and SHA-256."""
    hashes = {role: (file.name, file.stat().st_size, sha256(file)) for role, file in inputs.items()}
    page = html(assessment, hashes, dt.datetime.now(dt.UTC).date())
    with written_whole(path) as part:
        part.write_text(page, encoding="utf-8")


def html(assessment: Assessment, inputs: Mapping[str, tuple[str, int, str]], day: dt.date) -> str:
    """Fill the page; ``inputs``: role → file name, bytes, SHA-256."""
    import jinja2  # here, so that the command starts without it

    def short(name: str) -> str:
        return assessment.formula[0] if name == "formula" else METRICS[name].short

    matrix, shown = assessment.comparison.matrix, assessment.means.index.drop(list(TWICE))
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent),
                                     autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("report.html.jinja").render(
        a=assessment, inputs=inputs, day=day.isoformat(), version=__version__, sample=SAMPLE,
        names=" and ".join(name for role, (name, _, _) in inputs.items()
                           if role in ("Map", "Reference", "Input")),
        share=share, amount=amount, bracketed=bracketed, short=short, bars=BARS, longest=LONGEST,
        matrix=_matrix(assessment), disagreement=None if matrix is None else disagreement(matrix),
        main=[*MAIN, *(["formula"] if assessment.formula else [])],
        shown=shown, others=[k for k in shown if k not in (*MAIN, "formula")], metrics=METRICS,
        definitions=[*(k for k in METRICS if k not in PER_CLASS), *PER_CLASS])


def shade(part: float, full: tuple[int, int, int]) -> tuple[str, str]:
    """Choose background (``part`` of the ``full`` shade) and text colour of a heat-map cell.

    Black or white, whichever has the higher contrast (WCAG 2): at least 4.5 on every shade.

    Examples
    --------
    >>> shade(0.0, RIGHT), shade(1.0, RIGHT)
    (('#ffffff', '#000000'), ('#1d5ea6', '#ffffff'))
    """
    mixed = tuple(round(255 + (c - 255) * min(max(part, 0.0), 1.0)) for c in full)
    ground = luminance(mixed)
    text = "#000000" if (ground + 0.05) / 0.05 >= 1.05 / (ground + 0.05) else "#ffffff"
    return "#{:02x}{:02x}{:02x}".format(*mixed), text


def luminance(rgb: tuple[int, ...]) -> float:
    """Compute the relative luminance of an sRGB colour, 0 to 1 (WCAG 2)."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
              for v in (c / 255 for c in rgb)]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def font_pixels(characters: int, columns: int) -> float:
    """Choose the font size at which a table so wide fits the page, 6.5 to 14 pixels."""
    return round(min(14.0, max(6.5, PAGE_PIXELS / (characters * 0.68 + columns * 0.8))), 1)


def _matrix(assessment: Assessment) -> dict[str, Any] | None:
    """Lay out the heat map: labels, cells, margins and how they fit the page."""
    if assessment.comparison.matrix is None:
        return None
    counts = assessment.comparison.matrix.to_numpy()
    labels = [str(label) for label in assessment.comparison.matrix.index]
    support, mapped, n = counts.sum(axis=0), counts.sum(axis=1), assessment.comparison.n
    digits = [max(len(str(v)) for v in (*column, total, 1000))
              for column, total in zip(counts.T, support, strict=True)]
    longest = max(map(len, labels))
    upright = longest > UPRIGHT_FROM or (len(labels) > 12 and longest > 5)
    if not upright:
        digits = [max(d, len(label)) for d, label in zip(digits, labels, strict=True)]
    places = 4 if len(labels) <= 15 else 2
    side = min(longest, LONGEST) + len(str(n)) + places + 5
    users, producers = ([share(v, places) for v in assessment.per_class[name]]
                        for name in ("users_accuracy", "producers_accuracy"))
    cells = [[_cell(int(counts[i, j]), int(support[j]), i == j) for j in range(len(labels))]
             for i in range(len(labels))]
    steps = np.linspace(0, 1, 9)
    return {
        "labels": labels, "upright": upright, "roomy": places == 4, "support": support,
        "font": font_pixels(sum(digits) + side, len(labels) + 3), "producers": producers,
        "rows": list(zip(labels, cells, mapped, users, strict=True)),
        "right_ramp": ",".join(shade(s, RIGHT)[0] for s in steps),
        "wrong_ramp": ",".join(shade(math.sqrt(s), WRONG)[0] for s in steps)}


def _cell(count: int, support: int, right: bool) -> dict[str, Any]:
    part = count / support if support else float(count > 0)
    ground, ink = shade(part if right else math.sqrt(part), RIGHT if right else WRONG)
    return {"count": count, "right": right, "ground": ground, "ink": ink,
            "percent": f"{100 * part:.1f}"}
