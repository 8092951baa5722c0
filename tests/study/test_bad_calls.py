"""Bad arguments of every public function that says it raises InputError, each with its message."""

from __future__ import annotations

import importlib
import inspect
import math
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from shapely.geometry import box

from lulc_lib import accuracy, data, legend, results, sites, unet
from lulc_lib.accuracy import assess, audit, published
from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError, check_choice
from lulc_lib.io import check_outputs, existing_file, existing_folder, written_whole

ROOMS = ("accuracy", "accuracy.assess", "accuracy.audit", "accuracy.published", "data", "unet",
         "sites", "io", "results", "legend")
ELSEWHERE = {
    "fetch": "tests/data/test_download.py", "fetch_scene": "tests/data/test_stac.py",
    "fetch_registries": "tests/sites/test_services.py", "resolve_source": "tests/data/test_source",
    "train": "tests/unet/test_train.py",
    "train_ensemble": "tests/unet/test_ensemble.py", "study_model": "it is always there",
    "train_seeds": "tests/unet/test_train_parallel.py", "write_web_map": "tests/sites/test_output",
    "feature_map": "tests/unet/test_applicability.py", "writing": "tests/io/test_files.py",
    "refuse_leak": "tests/accuracy/test_splits.py", "count_labelled": "tests/accuracy/test_sample",
    "make_fold": "tests/accuracy/test_splits.py", "grid_of": "tests/sites/test_output.py",
    "changing_field": "tests/data/test_places.py", "classify_file": "tests/unet/test_classify.py",
}
"""Functions that need a server, a training or long arguments: where they are tested."""

NOWHERE = Path("nowhere/at/all")
SQUARE = accuracy.as_confusion([[5, 1], [2, 7]], ["a", "b"])
PIXELS = pd.Series({1: 500, 2: 500})


def grid(values, crs="EPSG:32633"):
    values = np.asarray(values)
    rows, cols = values.shape[-2:]
    coords = {"y": 5_600_000 - 10.0 * np.arange(rows), "x": 600_000 + 10.0 * np.arange(cols)}
    array = xr.DataArray(values, dims=("band", "y", "x")[-values.ndim:], coords=coords)
    return array.rio.write_crs(crs) if crs else array


def shapes(**columns):
    return gpd.GeoDataFrame(columns, geometry=[box(0, 0, 1, 1)], crs="EPSG:32633")


SCENE = grid(np.full((10, 8, 8), 0.2, np.float32)).assign_coords(band=list(BANDS))
EMPTY_BAND = SCENE.where(SCENE.band != "B08")
MODEL = unet.get_config("smoke")

CALLS = {
    # accuracy
    "as_confusion": (lambda: accuracy.as_confusion([[1, -2], [3, 4]], "ab"), "-2"),
    "as_confusion 2": (lambda: accuracy.as_confusion([[1, math.nan], [3, 4]], "ab"), "no whole"),
    "as_confusion 3": (lambda: accuracy.as_confusion([[1, 2, 3]], "ab"), "square|shape|labels"),
    "as_confusion 4": (lambda: accuracy.as_confusion([[1, 2], [3, 4]], "aa"), "a"),
    "as_confusion 5": (lambda: accuracy.as_confusion([[1, math.inf], [3, 4]], "ab"), "inf"),
    "check_confusion": (lambda: accuracy.check_confusion(pd.DataFrame([[1, 2]])), "axes|square"),
    "check_confusion 2": (lambda: accuracy.check_confusion(SQUARE.T), "map|rows|axes"),
    "check_confusion 3": (lambda: accuracy.check_confusion(SQUARE * math.inf), "holds inf"),
    "averages": (lambda: accuracy.averages(SQUARE, ["beauty"]), "beauty"),
    "binary_metrics": (lambda: accuracy.binary_metrics(pd.DataFrame({"tp": [1]})), "tn|fp|fn"),
    "both_right": (lambda: accuracy.both_right([1], [1, 2], [1, 2]), "1|shape|size"),
    "confusion_by_group": (lambda: accuracy.confusion_by_group([1], [1], [1, 2]), "shape|size|1"),
    "confusion_from_labels": (lambda: accuracy.confusion_from_labels([1, 2], [1]), "2|1"),
    "confusion_from_labels 2": (lambda: accuracy.confusion_from_labels([1], [2], [1]), "2"),
    "confusion_matrix": (lambda: accuracy.confusion_matrix([99], [1]), "99"),
    "confusion_matrix 2": (lambda: accuracy.confusion_matrix([1, 2], [1]), "2|1"),
    "from_reference_rows": (lambda: accuracy.from_reference_rows(SQUARE), "map"),
    "from_earth_engine": (lambda: accuracy.from_earth_engine([[1, 2, 3]]), "square|shape|3"),
    "from_accuracy_checker": (lambda: accuracy.from_accuracy_checker(
        pd.DataFrame({"a": [4, 1], "sum": [9, 1]}, index=["a", "b"])), "the sum of class 'a' is 9"),
    "area_adjusted": (lambda: accuracy.area_adjusted(SQUARE, {"a": 1, "b": 2}, "guess"), "guess"),
    "area_adjusted 2": (
        lambda: accuracy.area_adjusted(SQUARE, {"a": 1}, "stratified_by_map"), "b|design"),
    "area_adjusted_strata": (
        lambda: accuracy.area_adjusted_strata(["a"], ["a", "b"], ["a"], {"a": 1}), "1|2"),
    "design_sample": (lambda: accuracy.design_sample(PIXELS, PIXELS * 0 + 2.0), "between 0 and 1"),
    "design_sample 2": (
        lambda: accuracy.design_sample(PIXELS, PIXELS * 0 + 0.9, minimum=-1), "minimum is -1"),
    "design_sample 3": (
        lambda: accuracy.design_sample(PIXELS, PIXELS * 0 + 0.9, rule="fair"), "'fair'"),
    "design_sample 4": (
        lambda: accuracy.design_sample(PIXELS, PIXELS * 0 + 0.9, class_se={1: math.inf}), "inf"),
    "paired_cluster_bootstrap": (lambda: accuracy.paired_cluster_bootstrap(
        np.ones((2, 2, 2), int), np.ones((3, 2, 2), int)), "2|3"),
    "assess": (lambda: assess.assess(assess.Comparison.of_matrix(SQUARE, "t"), formula="X"), "'X'"),
    "read_comparison": (lambda: assess.read_comparison(NOWHERE), "no such file"),
    "read_areas": (lambda: assess.read_areas(NOWHERE, {}), "no such file"),
    "read_names": (lambda: assess.read_names(
        NOWHERE, assess.Comparison.of_matrix(SQUARE, "t")), "no such file"),
    "reconstruct_counts": (lambda: audit.reconstruct_counts(99), "99"),
    "read_published_matrix": (lambda: published.read_published_matrix(NOWHERE), "no such file"),
    # data
    "count_pairs": (lambda: data.count_pairs(
        NOWHERE, data.open_reference(Path("x.tif")), accuracy.confusion_from_labels), "no such"),
    "count_strata": (lambda: data.count_strata(NOWHERE), "no such file"),
    "filled": (lambda: data.filled(EMPTY_BAND), "B08"),
    "find_site": (lambda: data.find_site("atlantis"), "atlantis"),
    "nearest_region": (lambda: data.nearest_region(
        np.zeros((4, 4), bool), np.ones((4, 4), bool)), "20 pixels"),
    "open_reference": (lambda: data.open_reference(Path("x.gpkg")), "no such file"),
    "open_scene": (lambda: data.open_scene(NOWHERE), "nowhere/at/all"),
    "read_scene": (lambda: data.read_scene(NOWHERE), "nowhere/at/all"),
    "rasterise": (lambda: data.rasterise(shapes(code=[1]), SCENE, "near"), "'near'"),
    "rasterise 2": (lambda: data.rasterise(shapes(code=[1]), SCENE, "centre"), "no polygon covers"),
    "rasterise 3": (lambda: data.rasterise(
        shapes(code=[1]), grid(np.zeros((2, 2)), None), "centre"), "has no CRS"),
    "read_codes": (lambda: data.read_codes(NOWHERE), "no such file"),
    "read_polygons": (lambda: data.read_polygons(NOWHERE, "code"), "no such file"),
    "read_sample": (lambda: data.read_sample(NOWHERE, "label"), "no such file"),
    "require": (lambda: data.require(
        [data.download.FileState(data.select()[0], "unavailable", "gone")]), "gone"),
    "select": (lambda: data.select(role="hero"), "hero"),
    # unet
    "fit": (lambda: unet.fit("best", [SCENE]), "best"),
    "fit 2": (lambda: unet.fit("training_scenes", []), "no scene"),
    "fit 3": (lambda: unet.fit("training_scenes", [SCENE[:3]]), "B02|band"),
    "fit 4": (lambda: unet.fit("training_scenes", [EMPTY_BAND]), "B08"),
    "get_config": (lambda: unet.get_config("best"), "best"),
    "load_model": (lambda: unet.load_model(NOWHERE), "no such file"),
    "predict_probabilities": (lambda: unet.predict_probabilities(
        unet.load_model(unet.study_model()).model, SCENE[:4],
        unet.Normalisation("log_indices_texture")), "band"),
    "split_by_place": (lambda: unet.split_by_place([grid(np.ones((4, 4), np.uint8))], 2.0), "2"),
    # sites
    "compare_sites": (lambda: sites.compare_sites(shapes(), shapes()), "column|status|no "),
    "find_objects": (lambda: sites.find_objects(grid(np.zeros((3, 3), np.uint8), 4326)), "metres"),
    "read_maps": (lambda: sites.read_maps([NOWHERE]), "YYYYMMDD"),
    "read_maps 2": (lambda: sites.read_maps([NOWHERE], ["20220230"]), "must be a day"),
    "read_outside": (lambda: sites.read_outside(NOWHERE, SCENE[0]), "nowhere/at/all"),
    "read_probability": (lambda: sites.read_probability(NOWHERE, SCENE[0]), "nowhere/at/all"),
    "read_registries": (lambda: sites.read_registries(NOWHERE, 32633), "no such folder"),
    "read_registries 2": (lambda: sites.read_registries(NOWHERE, 4326), "metres|folder"),
    "require_layers": (lambda: sites.require_layers(
        [sites.fetch.Outcome("corine", "failed", None, None, "gone")]), "gone"),
    "track_sites": (lambda: sites.track_sites({}), "no map|at least one|none"),
    "write_sites": (lambda: sites.write_sites(Path("a.shp"), shapes(), shapes()), "end in .gpkg"),
    # below the rooms
    "check_outputs": (lambda: check_outputs({"-o": NOWHERE}), "no folder nowhere/at"),
    "check_choice": (lambda: check_choice("colour", "red", ("blue",)), "must be one of blue"),
    "existing_file": (lambda: existing_file(NOWHERE), "no such file"),
    "existing_file 2": (lambda: existing_file("a\0b"), "null byte"),
    "existing_folder": (lambda: existing_folder(NOWHERE), "no such folder"),
    "written_whole": (lambda: written_whole(NOWHERE).__enter__(), "is not there"),
    "read_results": (lambda: results.read_results("synthetic", "nothing"), "is not there"),
    "code": (lambda: legend.code("sea"), "sea"),
    "check_codes": (lambda: legend.check_codes(np.array([99]), "map"), "99"),
    "as_confusion 6": (lambda: accuracy.as_confusion([[2**63, 1], [2, 3]], "ab"), "below 2"),
    "check_codes 2": (lambda: legend.check_codes(np.array([math.nan]), "map"), "nan"),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_value_and_the_rule_are_named(name):
    call, message = CALLS[name]
    with pytest.raises(InputError, match=message):
        call()


def test_every_function_that_says_so_is_called():
    called = {re.sub(r" \d$", "", name) for name in CALLS}
    for room in ROOMS:
        module = importlib.import_module(f"lulc_lib.{room}")
        known = vars(module)
        for name in {*known, *known.get("__all__", ()), *known.get("_LATER", ())}:
            function = getattr(module, name, None)
            if inspect.isfunction(function) and "InputError" in (function.__doc__ or ""):
                assert name in called | ELSEWHERE.keys(), f"{room}.{name}"
