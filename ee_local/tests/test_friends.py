"""Libraries on top of the client that are no part of this package: xee, eemont."""

import ee
import numpy as np
import pytest
from cloudy_scenes import COLLECTION, COLS, NAMES, ROWS, write_cloudy
from local_engine import EAST, EPSG, NORTH, initialise, scene_grid

import ee_local

DATES = ["20230601", "20230611", "20230621"]
INSTALL = "it is not installed (pip install {})"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Three cloudy scenes served; date to (band, row, col)."""
    root = tmp_path_factory.mktemp("scenes")
    values = write_cloudy(root)
    with ee_local.start(root, collection=COLLECTION) as server:
        initialise(server.address)
        yield values
    ee.Reset()


def pixels(image):
    return ee.data.computePixels({"expression": image, "fileFormat": "NUMPY_NDARRAY",
                                  "grid": scene_grid(COLS, ROWS)})


def stack(scenes, band):
    """(time, row, col) of a band, NaN outside the swath."""
    values = np.stack([scenes[d][NAMES.index(band)] for d in DATES]).astype(float)
    values[:, 0] = np.nan
    return values


def test_xee_opens_a_collection(scenes):
    pytest.importorskip("xee", reason=INSTALL.format("xee"))
    import xarray as xr

    opened = xr.open_dataset(
        ee.ImageCollection(COLLECTION), engine="ee", crs=f"EPSG:{EPSG}", shape_2d=(COLS, ROWS),
        crs_transform=(10, 0, EAST, 0, -10, NORTH))
    assert list(opened.data_vars) == NAMES and opened.sizes["time"] == 3
    times = opened.time.values.astype("datetime64[s]").astype(str)
    assert list(times) == ["2023-06-01T00:00:00", "2023-06-11T00:00:00", "2023-06-21T10:00:31"]
    np.testing.assert_allclose(opened.x[:2], [EAST + 5, EAST + 15])
    np.testing.assert_allclose(opened.y[:2], [NORTH - 5, NORTH - 15])
    for band in ("B4", "B8"):
        found = opened[band].transpose("time", "y", "x").values
        np.testing.assert_array_equal(found, stack(scenes, band))
    mean = opened["B8"].sel(x=slice(EAST + 100, EAST + 200)).mean().item()
    assert mean == pytest.approx(np.nanmean(stack(scenes, "B8")[:, :, 10:20]))


def test_xee_takes_its_grid_from_the_images(scenes):
    xee = pytest.importorskip("xee", reason=INSTALL.format("xee"))
    import xarray as xr

    clear = ee.ImageCollection(COLLECTION).filter("CLOUDY_PIXEL_PERCENTAGE < 20").select(["B4"])
    grid = xee.extract_grid_params(clear)
    assert grid["shape_2d"] == (COLS, ROWS) and grid["crs"] == f"EPSG:{EPSG}"
    found = xr.open_dataset(clear, engine="ee", **grid)["B4"].transpose("time", "y", "x").values
    np.testing.assert_array_equal(found, stack(scenes, "B4")[:2])


def test_eemont_adds_indices_and_masks_clouds(scenes):
    pytest.importorskip("eemont", reason=INSTALL.format("eemont"))

    collection = ee.ImageCollection(COLLECTION).filter("CLOUDY_PIXEL_PERCENTAGE < 20")
    image = ee.Image(collection.first())
    found = pixels(image.spectralIndices(["NDVI"]).select("NDVI"))["NDVI"]
    red, near = stack(scenes, "B4")[0], stack(scenes, "B8")[0]
    np.testing.assert_allclose(found, np.nan_to_num((near - red) / (near + red)), atol=1e-7)
    masked = collection.maskClouds(method="qa", maskCirrus=True, maskShadows=False, buffer=100)
    cloud = np.pad((scenes["20230601"][NAMES.index("QA60")] > 0).astype(float), 9,
                   constant_values=np.nan)
    cloud[9] = np.nan  # the row outside the swath
    cloud = around(around(cloud, 2, np.nanmin), 2, np.nanmax)[9:-9, 9:-9]
    there = pixels(ee.Image(masked.first()).select("B4").mask().rename("there"))["there"]
    expected = cloud == 0
    expected[0] = False
    np.testing.assert_array_equal(there, expected)
    assert 0 < expected[1:].mean() < 1


def around(values, radius, pick):
    """(row, col) extreme of the valid values within a radius of each pixel."""
    reach = range(-radius, radius + 1)
    shifts = [np.roll(values, (r, c), (0, 1)) for r in reach for c in reach
              if r * r + c * c <= radius**2]
    stacked = np.stack(shifts)
    return np.where(np.isnan(stacked).all(axis=0), np.nan,
                    pick(np.where(np.isnan(stacked).all(axis=0), 0, stacked), axis=0))


def test_eemont_reads_the_closest_scene(scenes):
    pytest.importorskip("eemont", reason=INSTALL.format("eemont"))

    near = ee.ImageCollection(COLLECTION).closest("2023-06-13")
    assert near.aggregate_array("system:index").getInfo() == ["20230611_T33UWS"]
