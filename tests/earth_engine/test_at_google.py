"""What is written when Google has answered: differences, and none where the answers are equal."""

import numpy as np
import pytest

from experiments.earth_engine_at_google import compared, differences, importance_moved
from lulc_lib import results
from lulc_lib.data.catalogue import SITES
from lulc_lib.data.scenes import pixel_centres

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
