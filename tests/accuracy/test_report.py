"""The HTML report: whole, self-contained, readable, and escaped."""

import datetime as dt
import hashlib
import os
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import stats

from lulc_lib import __version__
from lulc_lib.accuracy.assess import Comparison, as_json, assess, write_report
from lulc_lib.accuracy.assess.assessment import amount
from lulc_lib.accuracy.assess.report import (
    RIGHT,
    WRONG,
    _matrix,
    font_pixels,
    html,
    luminance,
    shade,
)
from lulc_lib.accuracy.confusion import as_confusion
from lulc_lib.accuracy.metrics import METRICS, PER_CLASS, averages, binary_parts
from lulc_lib.accuracy.uncertainty import cluster_bootstrap
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


def test_the_heat_map_by_hand():
    """Wrong pixels are shaded by the square root of their share of the column, right ones by it."""
    laid = _matrix(assess(compared([[5, 1, 0], [0, 3, 0], [0, 0, 0]], "abc")))
    (a, first, mapped, users), (b, second, *_), (_, third, none, undefined) = laid["rows"]
    assert (a, b, laid["labels"]) == ("a", "b", ["a", "b", "c"])
    assert (mapped, users, none, undefined) == (6, "0.8333", 0, "–")
    assert list(laid["support"]) == [5, 4, 0] and laid["producers"] == ["1.0000", "0.7500", "–"]
    assert first[0] == {"count": 5, "right": True, "ground": "#1d5ea6", "ink": "#ffffff",
                        "percent": "100.0"}
    assert first[1] == {"count": 1, "right": False, "ground": "#e2a08a", "ink": "#000000",
                        "percent": "25.0"}  # halfway from white to (197, 66, 22)
    assert second[1]["ground"] == "#5686bc" and second[1]["percent"] == "75.0"
    assert third[2] == {"count": 0, "right": True, "ground": "#ffffff", "ink": "#000000",
                        "percent": "0.0"}
    assert (laid["upright"], laid["roomy"], laid["font"]) == (False, True, 14)
    right, wrong = laid["right_ramp"].split(","), laid["wrong_ramp"].split(",")
    assert len(right) == len(wrong) == 9
    assert (right[0], right[4], right[8]) == ("#ffffff", "#8eaed2", "#1d5ea6")
    assert (wrong[0], wrong[2], wrong[8]) == ("#ffffff", "#e2a08a", "#c54216")


@pytest.mark.parametrize(("classes", "label", "each", "upright", "roomy", "font"), [
    # font: 1040 / (.68 characters + .8 (classes + 3)); characters: of the columns, then of the
    # label, of n, of the decimals and 5 more
    (12, 9, 100, False, True, 10.4),  # 12 × 9 + 9 + 4 + 4 + 5
    (12, 10, 100, True, True, 14),  # upright: the columns need the digits of 1000 only
    (13, 6, 100, True, True, 14), (13, 5, 100, False, True, 14),
    (15, 5, 100, False, True, 13.4),  # 15 × 5 + 5 + 4 + 4 + 5
    (16, 5, 100, False, False, 12.9),  # 16 × 5 + 5 + 4 + 2 + 5
    (30, 20, 99_999, True, False, 6.9),  # 30 × 5 + 20 + 7 + 2 + 5
    (30, 40, 99_999, True, False, 6.6), (60, 40, 99_999, True, False, 6.5)])
def test_the_matrix_fits_the_page(classes, label, each, upright, roomy, font):
    names = [f"{k:x<{label}}" for k in range(classes)]
    laid = _matrix(assess(compared(np.eye(classes, dtype=int) * each, names)))
    assert (laid["upright"], laid["roomy"], laid["font"]) == (upright, roomy, font)


@pytest.mark.parametrize(("classes", "written"), [(15, "0.6667"), (16, "0.67")])
def test_shares_beside_a_large_matrix_have_two_decimals(classes, written):
    counts = np.diag([2] * classes)
    counts[0, 1] = counts[1, 0] = 1
    laid = _matrix(assess(compared(counts, [str(k) for k in range(classes)])))
    assert laid["rows"][0][3] == laid["producers"][0] == written


def test_the_tables_of_a_page_have_every_metric_once():
    found = assess(compared([[5, 1], [0, 3]], ["a", "b"]), formula="own = TP / N")
    text = page(found, {"Map": ("m.tif", 7, "0" * 64), "Reference": ("r.tif", 8, "1" * 64),
                        "Class names": ("names.json", 9, "2" * 64)})
    assert "<title>Accuracy of m.tif and r.tif</title>" in text
    assert "<td>Class names</td><td>names.json</td><td>9</td>" in text
    heads = re.findall(r"<th scope=col>(.*?)</th>", text)
    assert heads == [
        "a", "b", "support", "mapped", "PA", "UA", "F1", "IoU", "ACC", "specificity", "MCC", "own",
        "omission (FNR)", "commission (FDR)", "NPV", "FPR", "FOR", "balanced acc.",
        "Fowlkes–Mallows", "informedness", "markedness", "prevalence thr."]
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td>", unescape(text))
    assert ("own", "0.4444") in rows and ("PA", "0.8750") in rows
    defined = [row for row in rows if row[1] in {m.name for m in METRICS.values()}]
    first = ["OA", "κ", "Q", "A"]  # of the whole matrix; then those of a class
    assert [short for short, _ in defined] == first + [
        METRICS[k].short for k in PER_CLASS]
    assert re.findall(r"background-size:([\d.]+)% 78%", text) == [
        "100.0", "83.3", "90.9", "83.3", "75.0", "100.0", "85.7", "75.0"]
    assert f"lulc_lib {__version__}" in text and "TP / N</code>, a formula" in text
    assert "Disagreement" in text and "0.1111" in text  # all of it quantity: 1 of 9
    plain = re.findall(r"<th scope=col>(.*?)</th>", page(assess(compared([[5, 1], [0, 3]], "ab"))))
    assert plain == [head for head in heads if head != "own"]


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


def test_what_was_judged_and_what_the_intervals_rest_on():
    """Class a in nine polygons, b in ten, c in none."""
    by_group = np.zeros((12, 3, 3), np.int64)
    by_group[:9, 0, 0], by_group[2:, 1, 1], by_group[0, 1, 0], by_group[3, 0, 1] = 5, 7, 1, 2
    matrix = as_confusion(by_group.sum(axis=0), "abc")
    comparison = Comparison.of_matrix(
        matrix, "map", ["a note"], pixels=True,
        dropped={"map_no_data": 2, "off_map": 0, "of_no_data": 1})
    found = assess(replace(comparison, by_group=by_group, names={"a": "wood"}))
    assert found.judged == (
        "Judged: 118 pixels. Not judged: 2 reference pixels where the map has no data; 1 shapes of "
        "no class.")
    assert replace(found, comparison=replace(comparison, dropped={})).judged == (
        "Judged: 118 pixels. Not judged: nothing.")
    assert found.interval_words() == (
        "95 % intervals: 12 polygons (or points) redrawn 10000 times. Not reliable, with fewer "
        "than 10: a (9).")
    assert found.absent == ["c"] and found.classes == ["a", "b"]
    assert found.over("f1") == "2 classes, without c (no reference)"
    plain = as_json(found)
    assert list(plain) == ["labels", "matrix", "n", "dropped", "notes", "overall_accuracy", "kappa",
                           "per_class", "macro", "weighted", "micro", "names", "intervals"]
    assert (plain["labels"], plain["n"], plain["notes"]) == (["a", "b", "c"], 118, ["a note"])
    assert plain["matrix"] == [[45, 2, 0], [1, 70, 0], [0, 0, 0]]
    assert plain["dropped"] == {"map_no_data": 2, "off_map": 0, "of_no_data": 1}
    assert plain["overall_accuracy"] == pytest.approx(115 / 118) and plain["names"] == {"a": "wood"}
    assert plain["per_class"]["a"]["support"] == 46
    assert type(plain["per_class"]["a"]["support"]) is int
    assert plain["per_class"]["b"]["users_accuracy"] == pytest.approx(70 / 71)
    assert plain["per_class"]["c"]["f1"] is None
    assert plain["macro"]["classes"] == ["a", "b"]
    assert plain["macro"]["producers_accuracy"] == pytest.approx((45 / 46 + 70 / 72) / 2)
    assert plain["weighted"]["producers_accuracy"] == pytest.approx(115 / 118)
    assert plain["micro"]["f1"] == pytest.approx(115 / 118)
    assert not plain["macro"]["left_out"]
    spans, drawn = plain["intervals"], cluster_bootstrap(by_group)
    assert (spans["polygons"], spans["replicates"]) == (12, 10_000)
    assert spans["overall_accuracy"] == list(drawn["overall_accuracy"][1:])
    assert spans["macro_f1"] == list(drawn["macro_f1"][1:])
    assert spans["per_class"]["b"] == {
        name: list(drawn[name][1][1:]) for name in ("f1", "producers_accuracy", "users_accuracy")}
    assert spans["per_class"]["c"]["f1"] == [None, None]


def test_the_worst_confusions_and_the_interval_in_words():
    counts = [[50, 9, 1, 0], [2, 40, 3, 4], [5, 6, 30, 0], [7, 0, 0, 20]]
    found = assess(compared(counts, "abcd"))
    assert found.worst_confusions() == [
        "9 of 55 reference units of b (16.4 %) are mapped as a.",
        "7 of 64 reference units of a (10.9 %) are mapped as d.",
        "6 of 55 reference units of b (10.9 %) are mapped as c.",
        "5 of 64 reference units of a (7.8 %) are mapped as c.",
        "4 of 24 reference units of d (16.7 %) are mapped as b."]
    assert len(found.worst_confusions(2)) == 2
    low, high = stats.binomtest(140, 177).proportion_ci(method="wilson")
    assert found.oa_interval() == (
        f"95 % interval of OA {low:.4f} to {high:.4f} (Wilson), if the 177 units are independent "
        "random draws; pixels of polygons are not")
    few = assess(compared([[5, 1, 0], [0, 0, 0], [0, 0, 4]], "abc"))
    assert few.over("users_accuracy") == "2 classes, undefined for b"
    assert assess(compared([[5, 1], [0, 0]], "ab")).over("users_accuracy") == (
        "1 class, undefined for b")
    assert amount(5.0, 0.0) == ("5", "0") and amount(5.0, float("nan")) == ("5", "–")
    assert amount(12.34567, 12.0) == ("12.3", "12.0") and amount(1e6, 100.0) == ("1000000", "100")


def test_area_adjusted_estimates_as_plain_values():
    plain = as_json(assess(Comparison.of_matrix(OLOFSSON, "test"), AREAS))["area_adjusted"]
    assert list(plain) == ["overall_accuracy", "overall_accuracy_se", "per_class", "design"]
    assert plain["design"] == "stratified_by_map"
    assert plain["overall_accuracy"] == pytest.approx(0.94651, abs=5e-6)
    assert 1.96 * plain["overall_accuracy_se"] == pytest.approx(0.01848, abs=5e-6)
    assert plain["per_class"]["A"]["area"] == pytest.approx(21158 / 0.09, rel=1e-4)
    assert len(plain["per_class"]) == 4


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
