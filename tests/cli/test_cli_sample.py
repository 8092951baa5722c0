"""``lulc sample`` as a user meets it, and ``lulc accuracy`` on what comes back labelled."""

import json
import sqlite3
import xml.etree.ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio

from lulc_lib import cli
from lulc_lib.accuracy.area import area_adjusted
from lulc_lib.accuracy.confusion import confusion_from_labels
from lulc_lib.accuracy.sampling import ALLOCATIONS, design_sample, draw_ranks
from lulc_lib.data import sample_file

NAMES = {1: "water", 2: "forest", 3: "quarry", 4: "road"}


@pytest.fixture
def lulc(capsys, tmp_path, monkeypatch):
    """A function that runs ``lulc`` in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        try:
            code = cli.main([*map(str, words)])
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def codes():
    """A map (120, 90): class 1 everywhere, rarer 2 and 3, and 400 pixels of no data."""
    rng = np.random.default_rng(2)
    codes = rng.choice(np.array([1, 2, 3], np.uint8), (120, 90), p=[0.8, 0.17, 0.03])
    codes[:20, :20] = 0
    return codes


@pytest.fixture
def map_path(write_raster, codes):
    return write_raster("map.tif", codes, nodata=0,
                        tags={f"class_{code}": name for code, name in NAMES.items()})


def read(path="points.gpkg", layer="points"):
    return gpd.read_file(path, layer=layer)


def label(path, labels):
    """Write labels into the points, in the order of point_id, as an editor does."""
    points = read(path)
    points["label"] = pd.array(labels, dtype="Int32")
    pyogrio.write_dataframe(points, path, layer="points", driver="GPKG")


def values_at(path, points):
    with rasterio.open(path) as source:
        at = source.sample(points.get_coordinates().to_numpy())
        return np.array([v[0] for v in at])


def test_points_lie_in_the_middle_of_different_pixels_of_their_class(lulc, map_path, codes):
    code, out, err = lulc("sample", map_path, "-o", "points.gpkg", "--size", 300)
    assert code == 0, err
    points = read()
    assert len(points) == 300 and points.crs.to_epsg() == 32633
    assert (values_at(map_path, points) == points.map_class).all()
    assert not points.geometry.duplicated().any()
    assert set((points.geometry.x % 10).round(6)) == {5.0}
    assert points.point_id.tolist() == list(range(1, 301))
    assert points[["label", "labeller", "confidence", "comment"]].isna().all(axis=None)
    assert points.map_class.diff().ne(0).mean() > 0.3  # classes are mixed, not one after another
    strata = pyogrio.read_dataframe("points.gpkg", layer="strata").set_index("map_class")
    assert strata.pixels.to_dict() == {c: int((codes == c).sum()) for c in (1, 2, 3)}
    assert strata.area.to_dict() == pytest.approx((strata.pixels / 100).to_dict())  # ha
    assert strata.points.to_dict() == points.map_class.value_counts().to_dict()
    assert strata.points[3] == 50 and strata.name.to_dict() == {c: NAMES[c] for c in (1, 2, 3)}
    design = pyogrio.read_dataframe("points.gpkg", layer="design").set_index("key").value
    assert design["pixels without data, not sampled"] == "400"
    assert "cannot tell" in design["cannot be told"] and "Two people" in design["labellers"]
    assert "pixels without data, not sampled: 400" in out


def test_the_draw_follows_the_seed_and_not_how_the_file_is_stored(lulc, map_path, codes, tmp_path,
                                                                  monkeypatch):
    lulc("sample", map_path, "-o", "a.gpkg", "--seed", 7)
    lulc("sample", map_path, "-o", "again.gpkg", "--seed", 7)
    lulc("sample", map_path, "-o", "other.gpkg", "--seed", 8)
    with rasterio.open(map_path) as source:
        profile = source.profile | {"tiled": True, "blockxsize": 16, "blockysize": 16}
        tags = source.tags()
    with rasterio.open("tiled.tif", "w", **profile) as file:
        file.write(codes, 1)
        file.update_tags(**tags)
    monkeypatch.setattr(sample_file, "BLOCK_PIXELS", 500)
    lulc("sample", tmp_path / "tiled.tif", "-o", "tiled.gpkg", "--seed", 7)
    first = read("a.gpkg")
    assert first.equals(read("again.gpkg")) and first.equals(read("tiled.gpkg"))
    assert not first.geometry.equals(read("other.gpkg").geometry)


def test_every_pixel_of_a_class_is_as_likely(lulc, map_path, codes):
    """Over many seeds, quarry pixels are drawn about equally often (chi-squared)."""
    pixels = sample_file.count_strata(map_path).pixels
    design = design_sample(pixels, pixels * 0 + 0.9, 150)
    size, draws = int(pixels[3]), 400
    drawn = np.zeros(size)
    for seed in range(draws):
        drawn[draw_ranks(design, seed)[3]] += 1
    expected = draws * 50 / size
    chi2 = ((drawn - expected) ** 2).sum() / (expected * (1 - 50 / size))
    assert abs(chi2 - size) < 4 * np.sqrt(2 * size)


def test_the_form_offers_the_allowed_labels_and_hides_the_map_class(lulc, map_path):
    lulc("sample", map_path, "-o", "points.gpkg", "--plot", 3)
    form = ET.parse("points.qml").getroot()
    widgets = {f.get("name"): f.find("editWidget") for f in form.iter("field") if f.find("*")}
    assert widgets["label"].get("type") == "ValueMap"
    offered = {o.get("name"): o.get("value") for o in
               widgets["label"].findall(".//Option[@type='List']/Option/Option")}
    assert offered == {"1 water": "1", "2 forest": "2", "3 quarry": "3", "4 road": "4",
                       "-1 cannot tell": "-1"}
    assert widgets["map_class"].get("type") == "Hidden"
    assert {"labeller", "confidence", "comment"} <= set(widgets)
    assert form.find(".//Option[@name='size'][@value='30.0']") is not None  # the plot, in metres
    with sqlite3.connect("points.gpkg") as base:
        kinds = dict(base.execute("SELECT name, type FROM pragma_table_info('points')"))
    assert kinds["label"] == "MEDIUMINT" and kinds["comment"] == "TEXT"


def test_a_labelled_sample_is_estimated_without_options(lulc, map_path):
    lulc("sample", map_path, "-o", "points.gpkg", "--size", 300)
    points = read()
    rng = np.random.default_rng(1)
    truth = np.where(rng.random(300) < 0.8, points.map_class, rng.choice([1, 2, 3, 4], 300))
    label("points.gpkg", [-1, None, *truth[2:]])
    code, out, err = lulc("accuracy", "points.gpkg", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["labels"] == list(NAMES.values()) and found["n"] == 298
    strata = pyogrio.read_dataframe("points.gpkg", layer="strata").set_index("map_class")
    matrix = confusion_from_labels(points.map_class[2:], truth[2:], [1, 2, 3, 4])
    expected = area_adjusted(matrix, strata.area, "stratified_by_map")
    adjusted = found["area_adjusted"]
    assert adjusted["overall_accuracy"] == pytest.approx(expected.overall_accuracy)
    for row, name in NAMES.items():
        for column in ("area", "area_se", "producers_accuracy", "producers_accuracy_se"):
            assert adjusted["per_class"][name][column] == pytest.approx(
                expected.per_class.loc[row, column])
    assert "2 of 300 points have no label (1 cannot be told, 1 not labelled" in err
    assert lulc("accuracy", "points.gpkg", "--html", "report.html")[0] == 0
    text = lulc("accuracy", "points.gpkg")[1]
    assert "Areas are in ha." in text and "95 % interval 0." in text


def test_names_can_be_given_and_decide_what_code_0_is(lulc, write_raster, codes):
    path = write_raster("bare.tif", codes)
    code, out, _ = lulc("sample", path, "-o", "a.gpkg")
    assert code == 0 and "code 0: is taken as a class" in out
    assert set(read("a.gpkg").map_class) == {0, 1, 2, 3}
    with open("names.json", "w") as file:
        json.dump({"1": "water", "2": "forest", "3": "pit"}, file)
    out = lulc("sample", path, "-o", "b.gpkg", "--labels", "names.json")[1]
    assert set(read("b.gpkg").map_class) == {1, 2, 3}
    assert "not sampled: 400" in out and "code 0" not in out


@pytest.mark.parametrize(("epsg", "origin", "size"), [
    (4326, (16, 50), 1e-4), (3857, (1_800_000, 6_600_000), 10)])
def test_a_map_whose_crs_does_not_keep_areas_counts_pixels(
        lulc, write_raster, codes, epsg, origin, size):
    path = write_raster("degrees.tif", codes, nodata=0, epsg=epsg, origin=origin, size=size)
    assert lulc("sample", path, "-o", "a.gpkg")[0] == 0
    strata = pyogrio.read_dataframe("a.gpkg", layer="strata")
    assert strata.area.tolist() == strata.pixels.tolist()


@pytest.mark.parametrize(("words", "message"), [
    (["--size", "5"], "size is 5; 3 classes need at least 150 points"),
    (["--plot", "2"], "--plot 2: the plot is centred on a pixel, so 1, 3, 5"),
    (["--anticipated", "0.9,9=0.5"], "map.tif has no class 9; its classes are 1, 2, 3"),
    (["--anticipated", "high"], "'high' is no CODE=NUMBER"),
    (["--class-se", "0.05"], "map.tif has no class"),
    (["--class-se", "3=nan"], "a standard error of nan is asked for class 3"),
    (["--seed", "-1"], "--seed -1: must be 0 or more"),
    (["--target-se", "2"], "the target standard error is 2"),
    (["-o", "points.shp"], "its name must end in .gpkg"),
])
def test_bad_options(lulc, map_path, words, message):
    code, _, err = lulc("sample", map_path, "-o", "points.gpkg", *words)
    assert code == 2 and message in err and err.count("\n") == 1


def test_bad_maps(lulc, write_raster, codes):
    for path, message in [
            (write_raster("no_crs.tif", codes, epsg=None), "no_crs.tif: has no CRS"),
            (write_raster("minus.tif", codes.astype(np.int16) - 2), "the first -2"),
            (write_raster("empty.tif", codes * 0, nodata=0), "holds no class"),
            (write_raster("named.tif", codes, nodata=0, tags={"class_1": "water"}),
             "named.tif: holds 2, 3; there are names for 1")]:
        code, _, err = lulc("sample", path, "-o", "points.gpkg")
        assert code == 2 and message in err, err


def test_bad_samples(lulc, map_path):
    lulc("sample", map_path, "-o", "points.gpkg")
    assert "no point of map class 1 has a label yet" in lulc("accuracy", "points.gpkg")[2]
    label("points.gpkg", [9] * len(read()))
    assert ("the label 9 is not allowed; labels are 1 (water), 2 (forest)"
            in lulc("accuracy", "points.gpkg")[2])
    assert "--areas a.csv: points.gpkg is read as a sample" in lulc(
        "accuracy", "points.gpkg", "--areas", "a.csv")[2]
    assert "need the columns map_class and second" in lulc(
        "accuracy", "points.gpkg", "--column", "second")[2]
    read().to_file("plain.gpkg", layer="points")
    assert "plain.gpkg: is no sample of `lulc sample`" in lulc("accuracy", "plain.gpkg")[2]


def test_help_states_rules_and_response_design(lulc):
    out = lulc("sample", "--help")[1]
    assert all(f"\n  {rule} " in out for rule in ALLOCATIONS)
    assert "-1 (cannot tell)" in " ".join(out.split()) and "lulc accuracy points.gpkg" in out
