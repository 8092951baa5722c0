"""The HTML report: whole, self-contained, readable, and escaped."""

import datetime as dt
import hashlib
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from lulc_lib.accuracy.assess import Comparison, as_json, assess, write_report
from lulc_lib.accuracy.assess.report import (
    RIGHT,
    WRONG,
    font_pixels,
    html,
    luminance,
    shade,
)
from lulc_lib.accuracy.confusion import as_confusion
from lulc_lib.accuracy.metrics import METRICS, PER_CLASS, averages, binary_parts
from lulc_lib.errors import InputError

DAY = dt.date(2025, 3, 4)
OLOFSSON = as_confusion([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]], "ABCD")
AREAS = {"A": 200_000, "B": 150_000, "C": 3_200_000, "D": 6_450_000}


def compared(counts, labels):
    return Comparison.of_matrix(as_confusion(counts, labels), "test")


class Tags(HTMLParser):
    """Checks that tags close in order and collects attributes and text."""

    VOID = ("meta", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.words = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def page(found, inputs=None):
    return html(found, inputs or {"Input": ("in.csv", 5, "ab" * 32)}, DAY)


def test_it_is_one_well_formed_page_without_outside_resources():
    text = page(assess(Comparison.of_matrix(OLOFSSON, "test"), AREAS, "own = TP / N"))
    tags = Tags(text)
    words = " ".join(tags.words)
    assert not re.search(r"https?://|<script|<img|<link|url\(|@import|src=", text.replace(
        "style-src", "").replace("default-src", ""))
    assert not [k for k, _ in tags.attributes if k.startswith("on") or k in ("href", "src")]
    for expected in ("2025-03-04", "0.91719", "ab" * 32, "0.94651 ± 0.01848", "0.7487 ± 0.2133",
                     "own", "TP / N", "a stratified random sample", "Macro F1"):
        assert expected in words
    for metric in METRICS.values():
        assert metric.name in words and metric.source in words


def test_labels_are_escaped():
    found = assess(compared([[5, 1], [0, 3]], ["<script>alert(1)</script>", "a & \"b\" with a name "
                                             "longer than the matrix can show"]))
    text = page(found, {"Input": ("<b>.csv", 1, "0" * 64)})
    Tags(text)
    assert "<script" not in text and "<b>.csv" not in text and "&lt;script&gt;" in text


def test_thirty_classes_fit_and_an_empty_class_stays_visible():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (30, 30)) + np.diag(rng.integers(100, 9999, 30))
    counts[:, 7] = 0
    found = assess(compared(counts, [f"class number {i}" for i in range(30)]))
    text = page(found)
    Tags(text)
    assert "A4 landscape" in text and "class=upright" in text
    assert found.over("f1") == "29 classes, without class number 7 (no reference)"
    size = float(re.search(r"font-size:([\d.]+)px\"", text).group(1))
    assert 6.5 <= size < 9 and font_pixels(40, 6) == 14


@pytest.mark.parametrize("full", [RIGHT, WRONG])
def test_every_cell_has_contrast(full):
    def rgb(colour):
        return tuple(int(colour[i:i + 2], 16) for i in (1, 3, 5))

    for share in np.linspace(0, 1, 101):
        ground, ink = (luminance(rgb(c)) for c in shade(share, full))
        assert (max(ground, ink) + 0.05) / (min(ground, ink) + 0.05) >= 4.5, share


def test_without_a_matrix_and_with_classes_that_do_not_share_out_n():
    table = as_confusion([[5, 1, 0], [2, 7, 0], [0, 1, 4]], "abc")
    parts = binary_parts(table).rename(columns=str.upper)
    whole, part = (assess(Comparison.of_counts(p, "x.csv")) for p in (parts, parts.iloc[[0, 2]]))
    assert whole.comparison.matrix is None
    assert (whole.overall_accuracy, whole.kappa) == pytest.approx((0.8, (0.8 - 0.3575) / 0.6425))
    assert np.isnan([part.overall_accuracy, part.kappa]).all()
    for found in (whole, part):
        Tags(page(found))
    assert "not determined" in page(part) and "Confusion matrix</h2>" not in page(part)
    assert as_json(part)["overall_accuracy"] is None and as_json(part)["matrix"] is None
    with pytest.raises(InputError, match="--areas needs a confusion matrix"):
        assess(Comparison.of_counts(parts, "x.csv"), {"a": 1, "b": 1, "c": 1})


def test_means_are_those_of_the_accuracy_room():
    matrix = as_confusion([[5, 0, 1, 0], [2, 7, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]], "abcd")
    assessment = assess(Comparison.of_matrix(matrix, "t"), formula="TP / (TP + FN)")
    mine, theirs = assessment.means, averages(matrix, PER_CLASS)
    assert mine.loc["formula"].macro == mine.loc["producers_accuracy"].macro
    mine = mine.drop("formula")
    for column in ("macro", "weighted", "micro", "n_averaged"):
        np.testing.assert_allclose(mine[column].astype(float), theirs[column].astype(float))
    assert list(mine.left_out["users_accuracy"]) == ["c"] == list(theirs.left_out["users_accuracy"])
    macro = as_json(assess(Comparison.of_matrix(matrix, "t")))["macro"]
    assert macro["left_out"]["users_accuracy"] == ["c"]


def test_sentences():
    found = assess(compared([[5, 0], [0, 3]], ["a", "b"]))
    assert found.worst_confusions() == [] and "No unit is confused" in page(found)
    assert "0.6756 to 1.0000" in found.oa_interval()
    pixels = assess(Comparison.of_matrix(as_confusion([[5, 1], [0, 3]], "ab"), "t", pixels=True))
    assert "cluster bootstrap" in page(pixels) and "Wilson" not in page(pixels)
    assert pixels.worst_confusions() == ["1 of 4 reference units of b (25.0 %) are mapped as a."]


def test_it_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    source, out = tmp_path / "in.csv", tmp_path / "out.html"
    source.write_bytes(b"1,2\n")
    found = assess(compared([[5, 1], [0, 3]], ["a", "b"]))
    write_report(found, out, {"Input": source})
    assert hashlib.sha256(b"1,2\n").hexdigest() in out.read_text(encoding="utf-8")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "out.html"]
    before = out.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        write_report(found, out, {"Input": source})
    assert out.read_bytes() == before and len(list(tmp_path.iterdir())) == 2
