"""An accuracy assessment as one self-contained HTML page, for the screen and for paper."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from lulc_lib import __version__
from lulc_lib.accuracy.assess.assessment import SAMPLE, Assessment
from lulc_lib.accuracy.assess.report_style import RIGHT, STYLE, WRONG, font_pixels, shade
from lulc_lib.accuracy.assess.wording import (
    SHORT,
    amount,
    over,
    reading_notes,
    share,
    worst_confusions,
)
from lulc_lib.accuracy.metrics import METRICS, disagreement
from lulc_lib.errors import InputError

MAIN = ("producers_accuracy", "users_accuracy", "f1", "iou", "acc", "specificity", "mcc")
TWICE = {"fnr": "omission_error", "fdr": "commission_error"}
"""Metrics that are another under a second name; the tables show them once."""

BARS = ("producers_accuracy", "users_accuracy", "f1", "iou")
UPRIGHT_FROM = 9
"""Characters of a class label from which the heads of the matrix stand upright."""

LONGEST = 28
"""Characters of a class label that the matrix shows."""


def write_report(found: Assessment, path: Path, inputs: Mapping[str, Path]) -> None:
    """Write the report, whole or not at all.

    Parameters
    ----------
    found : what to report.
    path : the HTML file; replaced if it is there.
    inputs : role → file that was read; named with its size and SHA-256.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    hashes = {role: (file.name, file.stat().st_size, sha256(file)) for role, file in inputs.items()}
    page = html(found, hashes, dt.datetime.now(dt.UTC).date())
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"--html {path}: cannot be written ({error.strerror})") from None


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def html(found: Assessment, inputs: Mapping[str, tuple[str, int, str]], day: dt.date) -> str:
    """The report as text.

    Parameters
    ----------
    found : what to report.
    inputs : role → file name, bytes, SHA-256.
    day : date of the report.
    """
    wide = len(found.per_class) > 10
    names = " and ".join(name for role, (name, _, _) in inputs.items()
                         if role in ("Map", "Reference", "Input")) or "Accuracy"
    parts = [
        f"<h1>Accuracy assessment</h1><p class=lead>{escape(names)} · {day.isoformat()}<br>"
        f"{escape(found.judged.kind)}</p>",
        _cards(found), _matrix(found), _area(found), _classes(found), _other_metrics(found),
        _means(found), _reading(found), _inputs(found, inputs), _definitions(found),
        f"<footer>Made by lulc_lib {escape(__version__)} (<code>lulc accuracy</code>) on "
        f"{day.isoformat()}. This page needs no other file and no network.</footer>",
    ]
    page = "@page { margin: 14mm; size: A4 %s; }" % ("landscape" if wide else "portrait")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
        "style-src 'unsafe-inline'\">\n"
        f"<title>Accuracy of {escape(names)}</title>\n<style>{STYLE}{page}</style></head>\n"
        "<body><main>\n" + "\n".join(filter(None, parts)) + "\n</main></body></html>\n")


def _cards(found: Assessment) -> str:
    judged = found.judged
    right = int(judged.counts.TP.sum())
    cards = [("Overall accuracy", share(found.overall_accuracy, 5),
              f"{right} of {judged.n} judged units agree" if not math.isnan(found.overall_accuracy)
              else "not determined: the classes do not share out all n"),
             ("Macro F1", share(found.means.macro["f1"]), f"mean over {over(found, 'f1')}"),
             ("Kappa", share(found.kappa), "agreement beyond that of a map with the same class "
              "shares at random places")]
    if judged.matrix is not None:
        parts = disagreement(judged.matrix)
        cards.append(("Disagreement", share(parts.quantity + parts.allocation),
                      f"quantity {share(parts.quantity)} (wrong amounts of the classes) + "
                      f"allocation {share(parts.allocation)} (right amounts in wrong places)"))
    if found.area is not None:
        cards.insert(1, ("Area-adjusted OA", share(found.area.overall_accuracy, 5),
                         f"± {share(1.96 * found.area.overall_accuracy_se, 5)} (95 %), for the "
                         "whole map, from a stratified random sample"))
    return "<div class=cards>" + "".join(
        f"<div><span>{escape(a)}</span><b>{b}</b><small>{escape(c)}</small></div>"
        for a, b, c in cards) + "</div>"


def _matrix(found: Assessment) -> str:
    matrix = found.judged.matrix
    if matrix is None:
        return ""
    counts, labels = matrix.to_numpy(), [str(label) for label in matrix.index]
    support, mapped = counts.sum(axis=0), counts.sum(axis=1)
    digits = [max(len(str(v)) for v in (*column, total, 1000))
              for column, total in zip(counts.T, support, strict=True)]
    upright = any(len(label) > max(UPRIGHT_FROM, 1) for label in labels) or (
        len(labels) > 12 and any(len(label) > 5 for label in labels))
    if not upright:
        digits = [max(d, len(label)) for d, label in zip(digits, labels, strict=True)]
    places = 4 if len(labels) <= 15 else 2
    side = min(max(map(len, labels)), LONGEST) + len(str(found.judged.n)) + places + 5
    size = font_pixels(sum(digits) + side, len(labels) + 3)
    head = "".join(f"<th scope=col>{_head(label, upright)}</th>" for label in labels)
    top = (f"<tr><th></th><th class=axis colspan={len(labels)}>reference class →</th><th></th>"
           f"<th></th></tr><tr><th class=side>map class ↓</th>{head}<th>total</th><th>UA</th></tr>")
    body = []
    for i, label in enumerate(labels):
        cells = "".join(_cell(counts[i, j], support[j], i == j) for j in range(len(labels)))
        body.append(f"<tr><th class=side scope=row>{_clipped(label)}</th>{cells}<td class=margin>"
                    f"{mapped[i]}</td><td class=margin>"
                    f"{share(found.per_class.users_accuracy.iloc[i], places)}</td></tr>")
    body.append("<tr><th class=side>total</th>" + "".join(f"<td class=margin>{v}</td>"
                for v in support) + f"<td class=margin>{found.judged.n}</td><td></td></tr>")
    body.append("<tr><th class=side>PA</th>" + "".join(f"<td class=margin>{share(v, places)}</td>"
                for v in found.per_class.producers_accuracy) + "<td></td><td></td></tr>")
    return (f"<h2>Confusion matrix</h2><div class=scroll><table class='matrix"
            f"{' roomy' if places == 4 else ''}' style=\"font-size:"
            f"{size}px\"><thead>{top}</thead><tbody>{''.join(body)}</tbody></table></div>"
            + _key() + _confusions(found))


def _head(label: str, upright: bool) -> str:
    return f"<div class=upright>{_clipped(label)}</div>" if upright else escape(label)


def _clipped(label: str) -> str:
    """A label of at most LONGEST characters; the whole one shows under the pointer."""
    if len(label) <= LONGEST:
        return escape(label)
    return f'<span title="{escape(label)}">{escape(label[:LONGEST - 1])}…</span>'


def _cell(count: int, support: int, right: bool) -> str:
    part = count / support if support else float(count > 0)
    ground, ink = shade(part if right else math.sqrt(part), RIGHT if right else WRONG)
    if count == 0:
        return f"<td class='{'right ' if right else ''}zero'>0</td>"
    return (f"<td{' class=right' if right else ''} style=\"background:{ground};color:{ink}\" "
            f"title=\"{100 * part:.1f} % of the reference class\">{count}</td>")


def _key() -> str:
    def ramp(full: tuple[int, int, int], root: bool) -> str:
        stops = [shade(math.sqrt(s) if root else s, full)[0] for s in np.linspace(0, 1, 9)]
        return f"<i class=key style=\"background:linear-gradient(to right,{','.join(stops)})\"></i>"

    return ("<p class=note>Shade: share of the reference class (the column). Right"
            f"{ramp(RIGHT, False)}0 to 100 %; wrong{ramp(WRONG, True)}0 to 100 %, on a square-root "
            "scale so that small errors show. PA, producer's accuracy: diagonal ÷ column total. "
            "UA, user's accuracy: diagonal ÷ row total.</p>")


def _confusions(found: Assessment) -> str:
    worst = worst_confusions(found)
    if not worst:
        return "<p>No unit is confused.</p>"
    items = "".join(f"<li>{escape(line)}</li>" for line in worst)
    return f"<p><b>Where most units are lost</b></p><ul>{items}</ul>"


def _classes(found: Assessment) -> str:
    columns = [*MAIN, *(["formula"] if found.formula else [])]
    table = _metric_table(found, columns)
    if found.formula is None:
        return f"<h2>Each class</h2>{table}"
    name, expression = map(escape, found.formula)
    return (f"<h2>Each class</h2>{table}<p class=note>{name} = <code>{expression}</code>, a "
            "formula given with the command.</p>")


def _other_metrics(found: Assessment) -> str:
    others = [c for c in found.means.index if c not in (*MAIN, *TWICE, "formula")]
    return f"<h2>Each class, other metrics</h2>{_metric_table(found, others, counts=False)}"


def _metric_table(found: Assessment, columns: Sequence[str], counts: bool = True) -> str:
    both = ["support", "mapped"] if counts else []
    head = "".join(f"<th scope=col>{escape(_short(found, c))}</th>" for c in (*both, *columns))
    rows = []
    for label, line in found.per_class.iterrows():
        cells = "".join(f"<td>{int(line[c])}</td>" for c in both)
        cells += "".join(_value(line[c], c) for c in columns)
        rows.append(f"<tr><th scope=row>{escape(str(label))}</th>{cells}</tr>")
    for kind in ("macro", "weighted"):
        cells = "<td></td>" * len(both)
        cells += "".join(f"<td>{share(found.means[kind][c])}</td>" for c in columns)
        rows.append(f"<tr class=mean><th scope=row>{kind} mean</th>{cells}</tr>")
    caption = ("support: reference units of the class; mapped: units that the map gives it; "
               if counts else "") + "– is 0/0, undefined."
    return (f"<div class=scroll><table class=wide><thead><tr><th>class</th>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table></div><p class=note>{caption}</p>")


def _value(value: float, name: str) -> str:
    if name not in BARS or not math.isfinite(value):
        return f"<td>{share(value)}</td>"
    return f"<td class=bar style=\"background-size:{100 * value:.1f}% 78%\">{share(value)}</td>"


def _short(found: Assessment, name: str) -> str:
    return found.formula[0] if name == "formula" and found.formula else SHORT.get(name, name)


def _means(found: Assessment) -> str:
    rows = [[_short(found, name), share(line.macro), share(line.weighted), share(line.micro),
             over(found, name)] for name, line in found.means.iterrows() if name not in TWICE]
    head = ("metric", "macro", "weighted", "micro", "macro and weighted average")
    return ("<h2>Means over classes</h2>" + _words(head, rows, "macro: every class the same; "
            "weighted: by support (for PA it equals OA); micro: from the summed counts of all "
            "classes (PA, UA and F1 of a whole matrix then equal OA). A class without reference "
            "units is in none of the first two, an undefined value neither."))


def _words(head: Iterable[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return ("<div class=scroll><table class=words><thead><tr>" + "".join(
        f"<th>{escape(c)}</th>" for c in head) + f"</tr></thead><tbody>{body}</tbody>"
        + "</table></div>" + (f"<p class=note>{escape(caption)}</p>" if caption else ""))


def _area(found: Assessment) -> str:
    if found.area is None:
        return ""
    area = found.area
    rows = [[str(label), *(f"{share(c[k])} ± {share(1.96 * c[f'{k}_se'])}"
                      for k in ("producers_accuracy", "users_accuracy")),
             " ± ".join(amount(c["area"], 1.96 * c["area_se"]))]
            for label, c in area.per_class.iterrows()]
    overall = f"{share(area.overall_accuracy, 5)} ± {share(1.96 * area.overall_accuracy_se, 5)}"
    return (f"<h2>Area-adjusted estimates</h2><p>Overall accuracy <b>{overall}</b> (95 %). These "
            f"estimates presume {SAMPLE}; for hand-picked units they are wrong.</p>"
            + _words(("class", "producer's accuracy", "user's accuracy", "area (unit as given)"),
                     rows, "± is 1.96 standard errors. Olofsson et al. 2014, eqs. 1–11."))


def _reading(found: Assessment) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in reading_notes(found))
    return f"<h2>How far to trust these numbers</h2><ul>{items}</ul>"


def _inputs(found: Assessment, inputs: Mapping[str, tuple[str, int, str]]) -> str:
    body = "".join(
        f"<tr><td>{escape(role)}</td><td>{escape(name)}</td><td>{size}</td><td class=hash><code>"
        f"{digest}</code></td></tr>" for role, (name, size, digest) in inputs.items())
    notes = "".join(f"<li>{escape(note)}</li>" for note in found.judged.notes)
    return ("<h2>What was read</h2><p>" + escape(found.judged.kind[:1].upper()
            + found.judged.kind[1:]) + ".</p>" + (f"<ul>{notes}</ul>" if notes else "")
            + "<div class=scroll><table class=words><thead><tr><th>role</th><th>file</th>"
            f"<th>bytes</th><th>SHA-256</th></tr></thead><tbody>{body}</tbody></table></div>")


def _definitions(found: Assessment) -> str:
    whole = [k for k in METRICS if k not in found.means.index]
    rows = [[SHORT.get(k, k), METRICS[k].name, METRICS[k].formula, METRICS[k].range,
             "; ".join(METRICS[k].synonyms), METRICS[k].source]
            for k in (*whole, *(c for c in found.means.index if c in METRICS))]
    return ("<h2>What each metric is</h2>" + _words(
        ("", "metric", "formula", "range", "also called", "source"), rows,
        "TP: map and reference agree on the class; FP: only the map has it; FN: only the reference "
        "has it; TN: neither has it. 0/0 is undefined, never 0."))
