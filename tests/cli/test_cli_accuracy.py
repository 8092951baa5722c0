"""``lulc accuracy`` as a user meets it: every kind of input, its JSON, and its refusals."""

import json
import re

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from shapely.geometry import LineString, Point, box
from sklearn.metrics import cohen_kappa_score, confusion_matrix, precision_recall_fscore_support

from lulc_lib import cli
from lulc_lib.accuracy import cluster_bootstrap
from lulc_lib.accuracy.assess import assessment
from lulc_lib.data import pairs
from tests.conftest import ROOT

OLOFSSON = "map/reference,A,B,C,D\nA,66,0,5,4\nB,0,55,8,12\nC,1,0,153,11\nD,2,1,9,313\n"
AREAS = "label,area\nA,200000\nB,150000\nC,3200000\nD,6450000\n"


@pytest.fixture
def lulc(capsys, tmp_path, monkeypatch):
    """A function that runs ``lulc accuracy`` in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        try:
            code = cli.main(["accuracy", *map(str, words)])
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def answer(lulc):
    """The JSON of a run that must succeed."""
    def run(*words):
        code, out, err = lulc(*words, "--json")
        assert code == 0, err
        return json.loads(out)
    return run


def write(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


@pytest.fixture
def maps(write_raster):
    """A map and a reference raster (30, 40) of codes 1–4 and 300, and their codes."""
    rng = np.random.default_rng(5)
    reference = rng.choice([0, 1, 2, 4, 300], (30, 40)).astype(np.uint16)
    mapped = np.where(rng.random((30, 40)) < 0.7, reference, rng.choice([1, 2, 3], (30, 40)))
    mapped[mapped == 0] = 3
    return (write_raster("map.tif", mapped.astype(np.uint16)),
            write_raster("ref.tif", reference.astype(np.float32)), mapped, reference)


def test_json_is_the_contract(answer):
    found = answer(write("m.csv", OLOFSSON), "--areas", write("a.csv", AREAS))
    assert found["labels"] == ["A", "B", "C", "D"] and found["n"] == 640
    assert found["matrix"][0] == [66, 0, 5, 4]
    assert found["overall_accuracy"] == pytest.approx(587 / 640)
    assert found["per_class"]["A"]["support"] == 69
    assert found["per_class"]["A"]["producers_accuracy"] == pytest.approx(66 / 69)
    assert found["per_class"]["A"]["users_accuracy"] == pytest.approx(66 / 75)
    assert {"f1", "acc", "specificity", "mcc", "for"} <= set(found["per_class"]["D"])
    assert found["macro"]["classes"] == found["labels"]
    area = found["area_adjusted"]
    assert area["overall_accuracy"] == pytest.approx(0.94651, abs=5e-6)
    assert 1.96 * area["overall_accuracy_se"] == pytest.approx(0.01848, abs=5e-6)
    a = area["per_class"]["A"]
    assert a["producers_accuracy"] == pytest.approx(0.74866, abs=5e-6)
    assert 1.96 * a["producers_accuracy_se"] == pytest.approx(0.2133, abs=5e-5)
    assert a["area"] * 0.09 == pytest.approx(21158, abs=1)
    assert 1.96 * a["area_se"] * 0.09 == pytest.approx(6158, abs=1)
    assert a["users_accuracy"] == 0.88
    assert 1.96 * a["users_accuracy_se"] == pytest.approx(0.0740, abs=5e-5)


def test_both_orientations_of_one_matrix_agree(answer):
    by_map = answer(write("m.csv", "5,1,0\n2,7,0\n0,0,0\n"), "--rows", "map")
    by_reference = answer(write("r.csv", "5,2,0\n1,7,0\n0,0,0\n"), "--rows", "reference")
    assert by_map == by_reference and by_map["matrix"] == [[5, 1, 0], [2, 7, 0], [0, 0, 0]]
    assert by_map["per_class"]["3"]["producers_accuracy"] is None
    assert by_map["macro"]["classes"] == ["1", "2"]


def test_pairs_agree_with_scikit_learn(answer):
    rng = np.random.default_rng(2)
    true, predicted = rng.integers(1, 12, 500), rng.integers(1, 9, 500)
    pd.DataFrame({"true": true, "predicted": predicted}).to_csv("p.csv", index=False)
    found = answer("p.csv")
    assert found["matrix"] == confusion_matrix(true, predicted).T.tolist()
    assert found["kappa"] == pytest.approx(cohen_kappa_score(true, predicted))
    ua, pa, f1, support = precision_recall_fscore_support(true, predicted, zero_division=np.nan)
    for k, label in enumerate(found["labels"]):
        row = found["per_class"][label]
        assert row["support"] == support[k]
        assert [row["producers_accuracy"], row["f1"]] == pytest.approx([pa[k], f1[k]])
        assert row["users_accuracy"] == (None if np.isnan(ua[k]) else pytest.approx(ua[k]))


def test_labels_and_formula(answer, lulc):
    write("p.csv", "true,predicted\n1,1\n1,2\n2,2\n3,2\n")
    write("n.json", '{"1": "water", "2": "wood", "3": "pit", "4": "other"}')
    found = answer("p.csv", "--labels", "n.json", "--formula", "csi = TP / (TP + FP + FN)")
    assert found["labels"] == ["water", "wood", "pit"]
    assert [r["formula"] for r in found["per_class"].values()] == [r["iou"] for r in
                                                                   found["per_class"].values()]
    code, out, err = lulc("p.csv", "--formula", "csi = TP / (TP + FP + FN)")
    assert (code, err) == (0, "") and "csi = TP / (TP + FP + FN)" in out and "MCC" in out


def test_text_names_its_axes_and_what_means_average(lulc):
    code, out, err = lulc(write("m.csv", "map/ref,a,b,c\na,5,1,0\nb,2,7,0\nc,1,0,0\n"))
    assert (code, err) == (0, "")
    assert "rows: map class, columns: reference class" in out and "map \\ reference" in out
    assert "mean over 2 classes, without c (no reference)" in out and "Kappa" in out
    assert "– is 0/0" in out and "Quantity disagreement" in out


def test_raster_pair_with_any_codes(answer, maps):
    map_path, reference_path, mapped, reference = maps
    found = answer(map_path, reference_path)
    valid = reference != 0
    labels = [1, 2, 3, 4, 300]
    assert found["labels"] == [str(k) for k in labels]
    assert found["matrix"] == confusion_matrix(reference[valid], mapped[valid],
                                               labels=labels).T.tolist()


def test_blocks_do_not_change_the_result(answer, maps, monkeypatch, tmp_path):
    map_path, reference_path, _, reference = maps
    polygons = gpd.GeoDataFrame(
        {"code": [1, 2, 4]}, crs=32633,
        geometry=[box(600_013, 5_599_741, 600_222, 5_599_888), box(600_150, 5_599_800, 600_305,
                  5_599_990), Point(600_200, 5_599_850).buffer(97)])
    polygons.to_crs(4326).to_file("p.gpkg")
    whole = answer(map_path, reference_path), answer(map_path, "p.gpkg")
    monkeypatch.setattr(pairs, "BLOCK_PIXELS", 90)
    assert (answer(map_path, reference_path), answer(map_path, "p.gpkg")) == whole
    assert whole[1]["n"] > 300 and whole[0]["n"] == (reference != 0).sum()
    touched = answer(map_path, "p.gpkg", "--pixel-rule", "all_touched")
    assert touched["n"] > whole[1]["n"]


def test_no_data_of_the_map_is_said_and_may_count(answer, lulc, write_raster):
    reference = write_raster("r.tif", np.array([[1, 1, 2, 2], [0, 1, 2, 9]], np.uint8), nodata=9)
    mapped = write_raster("m.tif", np.array([[1, 255, 2, 0], [1, 255, 2, 2]], np.uint8), nodata=255)
    found = answer(mapped, reference, "--nodata", "0")
    assert found["labels"] == ["0", "1", "2", "9"] and found["n"] == 5
    found = answer(mapped, reference)
    assert found["labels"] == ["0", "1", "2"] and found["n"] == 5
    assert found["dropped"] == {"reference_no_data": 1, "map_no_data": 2}
    counted = answer(mapped, reference, "--unmapped", "count")
    assert counted["labels"] == ["no data", "0", "1", "2"] and counted["n"] == 7
    assert counted["per_class"]["1"]["producers_accuracy"] == pytest.approx(1 / 3)
    _, out, _ = lulc(mapped, reference)
    assert "No data: in the map 255" in out
    assert "2 reference pixels lie where the map has no data; they do not count" in out


def test_points_are_judged_once_and_may_be_area_adjusted(answer, lulc, write_raster):
    mapped = write_raster("m.tif", np.array([[1, 1, 2, 2]] * 2, np.int16))
    spots = [(5, 5), (6, 6), (15, 5), (5, 15), (15, 15), (25, 5), (35, 5), (25, 15), (999, 5)]
    gpd.GeoDataFrame({"kind": [1, 1, 1, 2, 1, 2, 2, 1, 1]}, crs=32633, geometry=[
        Point(600_000 + x, 5_600_000 - y) for x, y in spots]).to_file("p.gpkg")
    write("a.csv", "label,area\n1,30\n2,10\n")
    found = answer(mapped, "p.gpkg", "--areas", "a.csv")
    assert found["n"] == 7 and found["matrix"] == [[3, 1], [1, 2]]
    assert found["area_adjusted"]["overall_accuracy"] == pytest.approx(.75 * .75 + .25 * 2 / 3)
    _, out, err = lulc(mapped, "p.gpkg")
    assert "1 points lie off the map" in out and "1 points share a pixel" in out
    assert err == ("lulc accuracy: the class codes are taken from column 'kind' of p.gpkg, its "
                   "only column of whole numbers\n")


def test_what_is_dropped_is_said_everywhere(answer, lulc, write_raster):
    """Counted and said on the screen, in JSON and in the report."""
    mapped = write_raster("m.tif", np.array([[1, 1, 2, 2]] * 2, np.uint8))
    gpd.GeoDataFrame({"code": [1, 2]}, crs=32633, geometry=[
        box(600_000, 5_599_980, 600_030, 5_600_000),
        box(600_020, 5_599_980, 600_040, 5_600_000)]).to_file("p.gpkg")
    said = "2 pixels are claimed by polygons of different classes and were left out"
    found = answer(mapped, "p.gpkg")
    assert found["n"] == 6 and found["dropped"] == {"claimed_by_two_classes": 2}
    assert any(said in note for note in found["notes"])
    _, out, _ = lulc(mapped, "p.gpkg", "--html", "r.html")
    with open("r.html", encoding="utf-8") as file:
        assert said in out and said in file.read()
    code, _, err = lulc(mapped, "p.gpkg", "--nodata", "0.5")
    assert code == 2 and "'0.5' is no whole number and not 'none'" in err
    code, _, err = lulc(write("m.csv", OLOFSSON), "--nodata", "0")
    assert code == 2 and "--nodata 0: belongs to a map raster" in err


def test_a_reference_beside_the_map_is_found(answer, maps):
    map_path, reference_path, _, _ = maps
    expected = answer(map_path, reference_path)
    reference_path.rename(map_path.with_name("map_ref.tif"))
    assert answer(map_path) == expected


def test_a_table_may_have_any_name(answer):
    assert answer(write("table", "\ufeff1;2\n3;4\n"), "--rows", "map")["n"] == 10


def test_html_is_written_and_named(lulc):
    code, out, err = lulc(write("m.csv", OLOFSSON), "--areas", write("a.csv", AREAS), "--html",
                          "r.html")
    assert (code, err) == (0, "") and out.endswith("\nReport: r.html\n")
    with open("r.html", encoding="utf-8") as file:
        page = file.read()
    assert "Area-adjusted" in page and "Mapped areas" in page
    code, out, _ = lulc("m.csv", "--html", "r.html", "--json", "--overwrite")
    assert code == 0 and json.loads(out)["n"] == 640


@pytest.fixture
def files(lulc, write_raster, tmp_path):
    """Good and bad files in the working folder."""
    values = np.ones((30, 40), np.uint8)
    noise = np.random.default_rng(0).integers(1, 9, (30, 40), np.uint8)
    write_raster("map.tif", values)
    write_raster("crs.tif", values, epsg=32634)
    write_raster("shifted.tif", values, origin=(600_010, 5_600_000))
    for name, other in {"ref.tif": values, "small.tif": values[:, 1:], "empty.tif": values * 0,
                        "half.tif": values * 1.5, "two.tif": np.stack([values] * 2)}.items():
        write_raster(name, other)
    cut = write_raster("cut.tif", noise)
    cut.write_bytes(cut.read_bytes()[:-600])
    with rasterio.open("ref.tif") as file:
        profile = file.profile | {"compress": "deflate"}
    with rasterio.open("broken.tif", "w", **profile) as file:
        file.write(noise, 1)
    broken = tmp_path / "broken.tif"
    stream = broken.read_bytes()
    start = stream.find(b"\x78", 300)
    broken.write_bytes(stream[:start] + b"\xff" * 200 + stream[start + 200:])
    shapes = {"p": box(600_010, 5_599_900, 600_100, 5_599_990), "far": box(0, 0, 1, 1),
              "lines": LineString([(600_010, 5_599_900), (600_100, 5_599_990)])}
    for name, shape in shapes.items():
        gpd.GeoDataFrame({"a": [1], "b": [2], "text": ["pit"], "part": [0.5]}, geometry=[shape],
                         crs=32633).to_file(f"{name}.gpkg")
    for name, text in {"m.csv": OLOFSSON, "bare.csv": "1,2\n3,4\n", "a.csv": AREAS,
                       "n.json": '{"1": "a"}'}.items():
        write(name, text)


@pytest.mark.parametrize(("words", "message"), [
    ("nope.csv", "nope.csv: no such file"), (".", ".: is a folder"),
    ("bare.csv", "bare.csv: does not say whether its rows are the map or the reference"),
    ("m.csv --rows reference", "m.csv: the corner cell 'map/reference' says"),
    ("m.csv ref.tif", "ref.tif: a REFERENCE belongs to a map raster"),
    ("m.csv n.json", "class names go in --labels"), ("m.csv --column x", "--column x: belongs to"),
    ("m.csv --labels n.json", "n.json: has no name for class A, B, C, D"),
    ("m.csv --labels no.json", "no.json: no such file"),
    ("m.csv --areas n.json", "n.json: its first line is"),
    ("m.csv --formula TP.real", "the formula holds the attribute '.real'"),
    ("m.csv --html no/r.html", "--html no/r.html: there is no folder no"),
    ("m.csv --html .", "--html .: is a folder"),
    ("m.csv --html m.csv", "--html m.csv: is an input; name another file"),
    ("map.tif", "map.tif: is a map raster and needs a REFERENCE"),
    ("map.tif no.tif", "no.tif: no such file"), ("map.tif no.gpkg", "no.gpkg: no such file"),
    ("map.tif . ", ".: is a folder"), ("n.json", "n.json: cannot be read as a raster"),
    ("map.tif ref.tif --rows map", "--rows map: belongs to a confusion matrix"),
    ("map.tif ref.tif --column a", "--column a: belongs to a vector REFERENCE"),
    ("map.tif crs.tif", "map.tif is in EPSG:32633 and crs.tif in EPSG:32634"),
    ("map.tif shifted.tif", "map.tif has the grid 30 × 40 pixels of 10 × 10 from x 600000, y "
     "5600000 and shifted.tif 30 × 40 pixels of 10 × 10 from x 600010"),
    ("map.tif small.tif", "small.tif 30 × 39 pixels"), ("map.tif two.tif", "two.tif: has 2 bands"),
    ("map.tif half.tif", "half.tif: holds 1.5; class codes are whole numbers"),
    ("map.tif empty.tif", "empty.tif: labels no pixel of the map map.tif"),
    ("map.tif cut.tif", "cut.tif: cannot be read as a raster"),
    ("map.tif broken.tif", "broken.tif: its pixels cannot be read; the file is damaged"),
    ("map.tif p.gpkg", "p.gpkg: has 2 columns (a, b) of whole numbers; name the one with"),
    ("map.tif p.gpkg --column z", "p.gpkg: no column 'z'; its columns are a, b, text, part"),
    ("map.tif p.gpkg --column text", "p.gpkg, column text: holds 'pit'; class codes are whole"),
    ("map.tif p.gpkg --column part", "p.gpkg, column part: holds 0.5; class codes are whole"),
    ("map.tif p.gpkg --column a --areas a.csv", "--areas a.csv: area-adjusted estimates need a "
     "probability sample; p.gpkg holds polygons"),
    ("map.tif far.gpkg --column a", "far.gpkg: labels no pixel of the map map.tif"),
    ("map.tif lines.gpkg --column a", "lines.gpkg: holds LineString; a reference is all"),
    ("map.tif n.json --column a", "n.json: cannot be read as a vector file"),
])
def test_bad_input_is_one_line_and_code_2(lulc, files, words, message):
    code, out, err = lulc(*words.split())
    assert (code, out) == (2, "") and err.count("\n") == 1, err
    assert err.startswith("lulc accuracy: ") and message in err


def test_help_has_examples(lulc):
    code, out, _ = lulc("--help")
    assert code == 0 and "lulc accuracy map.tif reference.gpkg --column label" in out


@pytest.mark.parametrize(("rule", "overlaps", "n", "oa"), [
    ("centre", "drop", 38_588, 0.94594), ("all_touched", "last", 44_220, 0.92429),
    ("all_touched", "drop", 44_220, 0.92472)])
def test_the_published_map_of_strzegom(answer, published, rule, overlaps, n, oa):
    found = answer(published / "accuracy_analysis/strzegom_20230709_33u_class.tif",
                   published / "test_mask/strzegom_ref.gpkg", "--column", "label",
                   "--pixel-rule", rule, "--overlaps", overlaps)
    assert found["n"] == n and found["overall_accuracy"] == pytest.approx(oa, abs=5e-6)
    assert any("44220 (3.10) or 44185 (3.6)" in note for note in found["notes"]) == (
        rule == "all_touched")


def test_the_published_matrix_says_its_orientation(answer, published):
    found = answer(published / "accuracy_analysis/Confusion_matrix_strzegom_20230709.csv")
    assert found["n"] == 38_571 and found["per_class"]["1"]["support"] == 1753
    assert found["per_class"]["7"]["producers_accuracy"] < found["per_class"]["7"]["users_accuracy"]


@pytest.fixture
def fields(write_raster, tmp_path):
    """A map with names in its tags, six polygons that share edges, and its codes by polygon."""
    rng = np.random.default_rng(2)
    codes = rng.choice([1, 10], (20, 30), p=[0.3, 0.7]).astype(np.uint8)
    codes[:3] = 0
    path = write_raster("named.tif", codes, tags={"class_1": "Lake", "class_10": "Pit"}, nodata=0)
    west, north, side = 600_000, 5_600_000, 100
    boxes = [box(west + side * c, north - side * (r + 1), west + side * (c + 1), north - side * r)
             for r in range(2) for c in range(3)]
    labels = [10, 1, 10, 10, 1, 10]
    gpd.GeoDataFrame({"class": labels}, geometry=boxes, crs=32633).to_file(tmp_path / "ref.gpkg")
    cells = [codes[10 * r:10 * r + 10, 10 * c:10 * c + 10] for r in range(2) for c in range(3)]
    return path, tmp_path / "ref.gpkg", cells, labels


def test_names_of_the_map_and_what_was_not_judged_stand_first(lulc, answer, fields):
    path, reference, _, _ = fields
    code, out, _ = lulc(path, reference)
    assert code == 0
    assert out.splitlines()[1] == ("Judged: 510 pixels. Not judged: 90 reference pixels where the "
                                   "map has no data.")
    assert "\n10 Pit " in out and re.search(r"map . reference +1 +10 +total +UA", out)
    found = answer(path, reference)  # programs rely on the codes
    assert found["labels"] == ["1", "10"] and found["names"] == {"1": "Lake", "10": "Pit"}


def test_intervals_redraw_whole_polygons(answer, fields):
    """By another route: the counts of each polygon, taken from the array by hand."""
    path, reference, cells, labels = fields
    by_group = np.zeros((6, 2, 2), dtype=np.int64)
    for k, (cell, label) in enumerate(zip(cells, labels, strict=True)):
        for row, code in enumerate((1, 10)):
            by_group[k, row, (1, 10).index(label)] = (cell == code).sum()
    wanted = cluster_bootstrap(by_group, 10_000)
    found = answer(path, reference, "--intervals")["intervals"]
    assert found["polygons"] == 6
    assert found["overall_accuracy"] == pytest.approx(wanted["overall_accuracy"][1:])
    assert found["macro_f1"] == pytest.approx(wanted["macro_f1"][1:])
    for k, label in enumerate(("1", "10")):
        for name in ("f1", "producers_accuracy", "users_accuracy"):
            assert found["per_class"][label][name] == pytest.approx(wanted[name][k][1:])


def test_intervals_of_what_the_map_lacks_and_what_overlaps(answer, fields, tmp_path, monkeypatch):
    """Counts by polygon add up to the matrix: with --unmapped, overlaps, and points."""
    seen = []

    def ten_draws(by_group, replicates):
        seen.append(by_group.sum(axis=0))
        return cluster_bootstrap(by_group, 10)

    monkeypatch.setattr(assessment, "cluster_bootstrap", ten_draws)
    path, reference, _, _ = fields
    shapes = gpd.read_file(reference)
    shapes.loc[6] = {"class": 1, "geometry": shapes.geometry[0].buffer(33)}
    shapes = shapes.set_crs(32633)
    shapes.to_file(tmp_path / "over.gpkg")
    shapes.assign(geometry=shapes.representative_point()).to_file(tmp_path / "points.gpkg")
    for file, *words in (("over.gpkg",), ("over.gpkg", "--unmapped", "count"),
                         ("over.gpkg", "--overlaps", "last"), ("over.gpkg", "--overlaps", "first"),
                         ("over.gpkg", "--pixel-rule", "all_touched"), ("points.gpkg",)):
        found = answer(path, tmp_path / file, *words, "--intervals")
        assert seen.pop().tolist() == found["matrix"], words


def test_intervals_need_polygons(lulc, maps, fields):
    code, _, err = lulc(maps[0], maps[1], "--intervals")
    assert code == 2 and "--intervals: ref.tif is a raster" in err
    code, _, err = lulc(write("m.csv", OLOFSSON), "--intervals")
    assert code == 2 and "--intervals: belongs to a map raster" in err


def test_the_published_map_has_its_names_and_the_intervals_of_notebook_04(published, lulc, answer):
    path = published / "accuracy_analysis" / "strzegom_20230709_33u_class.tif"
    reference = published / "test_mask" / "strzegom_ref.gpkg"
    stored = json.loads((ROOT / "results" / "published" / "accuracy.json").read_text())
    wanted = stored["values"]["intervals"]["Published map"]
    found = answer(path, reference, "--intervals")["intervals"]
    assert found["overall_accuracy"] == pytest.approx(wanted["overall_accuracy"][1:])
    assert found["per_class"]["10"]["f1"] == pytest.approx(wanted["f1"]["10"][1:])
    assert "10 Quarries, open pits" in lulc(path, reference)[1]
