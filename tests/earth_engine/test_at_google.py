"""What is written when Google has answered: differences, and none where the answers are equal."""

import json

import numpy as np
import pytest

from experiments.earth_engine_at_google import compared, differences, importance_moved
from lulc_lib import results
from lulc_lib.data.catalogue import SITES
from lulc_lib.data.scenes import pixel_centres
from tests.conftest import ROOT

ONE, OTHER = [[5, 1], [0, 4]], [[4, 1], [1, 4]]


def class_map(codes):
    """A small map in the form that is stored."""
    import rasterio
    import xarray as xr

    site = SITES["strzegom"]
    values, transform = np.asarray(codes, np.uint8), rasterio.Affine(*site.transform)
    out = xr.DataArray(values, dims=("y", "x"), coords=pixel_centres(transform, values.shape))
    return out.rio.write_crs(site.epsg).rio.write_transform(transform)


def test_matrices_are_compared_draw_by_draw():
    found = differences({"CART": [ONE, ONE, ONE]}, {"CART": [ONE, OTHER]})["CART"]
    assert found["draws"] == 2 and found["equal_draws"] == 1
    assert found["points_moved"] == [0, 1]
    assert found["offline"] == [0.9, 0.9] and found["google"] == [0.9, 0.8]


def test_importance_is_compared_as_shares():
    ours = {"B2": [1.0, 1.0], "B3": [3.0, 1.0]}
    assert importance_moved(ours, [{"B2": 10, "B3": 30}]) == pytest.approx(0)
    assert importance_moved(ours, [{"B2": 1, "B3": 3}, {"B2": 2}]) == pytest.approx(0.5)


def test_all_that_is_written():
    stored = {"matrices": {"CART": [ONE]}, "maps": {"CART": results.pack_map(class_map([[4, 10]]))},
              "importance": {"CART": {"as listed": {"B2": [1.0], "B3": [1.0]}}}}
    found = {"matrices": {"CART": [OTHER]}, "maps": {"CART": class_map([[4, 4]])},
             "importance": {"CART": [{"B2": 3.0, "B3": 1.0}]}}
    one = compared(stored, found)["CART"]
    assert one["same_pixels"] == 0.5 and one["importance_moved"] == pytest.approx(0.25)
    assert one["points_moved"] == [1]


def test_numbers_of_the_offline_server_say_so():
    """In the results, in the README, and below every figure of notebook 03 that shows some."""
    stored = json.loads((ROOT / "results/published/earth_engine.json").read_text())["values"]
    assert (stored["backend"] == "local") == (stored["computed"] == "offline emulation")
    assert f"Earth Engine classifiers ({stored['computed']})" in (ROOT / "README.md").read_text()
    notebook = json.loads((ROOT / "notebooks/03_earth_engine_classifiers.ipynb").read_text())
    drawn = [text for cell in notebook["cells"]
             if "save_figure(fig" in (text := "".join(cell["source"]))]
    assert len(drawn) == 8
    unlabelled = [text for text in drawn if "{label}" not in text]
    assert len(unlabelled) == 1 and "points_map" in unlabelled[0]  # nothing computed is shown
