"""Folders of GeoTIFFs: dates, properties, bands, masks, dtypes, and what is refused."""

import json

import ee
import numpy as np
import pytest
import rasterio
from ee_local.folder import asset_name, named_times, read_folder
from ee_local.grid import Grid, Projection
from local_engine import initialise
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

import ee_local
from ee_local import InputError

ORIGIN = from_origin(500_000, 5_650_000, 10, 10)
DAY = 86_400_000
JULY_9 = 1_688_860_800_000


def write(path, values=None, names=None, crs="EPSG:32633", transform=ORIGIN, tags=None, **more):
    """A GeoTIFF of (band, row, col) values."""
    values = np.ones((1, 4, 5), dtype="uint8") if values is None else values
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", count=len(values), dtype=values.dtype, crs=crs,
                       height=values.shape[1], width=values.shape[2], transform=transform,
                       **more) as out:
        out.write(values)
        if names:
            out.descriptions = names
        out.update_tags(**(tags or {}))
    return path


def properties(folder, name="scene"):
    """What is known of an image of the collection S."""
    return read_folder(folder, "S").image(f"S/{name}").properties


def band(folder, name="scene", index=0):
    """Values and mask of a band on its own grid."""
    one = read_folder(folder, "S").image(f"S/{name}").bands[index]
    return one, one.read(Grid(one.projection, *one.size))


@pytest.mark.parametrize("stem, start, length", [
    ("S2A_20230709_T33UWS", JULY_9, DAY - 1), ("scene-2023-07-09-b", JULY_9, DAY - 1),
    ("20230709", JULY_9, DAY - 1), ("S2A_MSIL2A_20230709T100031_N0509", JULY_9 + 36_031_000, 0),
    ("12345678_20230709", JULY_9, DAY - 1), ("LC08_190024_20230709_20230718", JULY_9, DAY - 1)])
def test_dates_in_names(stem, start, length):
    times = named_times(stem)
    assert times == {"system:time_start": start, "system:time_end": start + length}


@pytest.mark.parametrize("stem", ["scene", "20231345", "120230709", "2023-0709", "99990101",
                                  "20230709T250000"])
def test_names_without_a_date(stem):
    assert named_times(stem) == {}


def test_images_come_in_the_order_of_time_and_undated_ones_last(tmp_path):
    for stem in ("b_20230101", "a_20240101", "dem", "c_20220101"):
        write(tmp_path / f"{stem}.tif")
    (tmp_path / "notes.txt").write_text("no raster")
    catalogue = read_folder(tmp_path, "MY/SCENES")
    found = [i.identifier for i in catalogue.collection("MY/SCENES").elements]
    assert found == [f"MY/SCENES/{s}" for s in ("c_20220101", "b_20230101", "a_20240101", "dem")]
    assert catalogue.held() == "MY/SCENES (4 images)"
    assert "system:time_start" not in catalogue.image("MY/SCENES/dem").properties


def test_subfolders_are_collections_and_the_folders_name_is_the_id(tmp_path):
    write(tmp_path / "My data" / "one.tif")
    write(tmp_path / "My data" / "year 2023" / "two.TIFF")
    catalogue = read_folder(tmp_path / "My data")
    assert catalogue.held() == "My_data (1 image), My_data/year_2023 (1 image)"
    assert catalogue.image("My_data/year_2023/two").properties["system:index"] == "two"


def test_properties_from_tags_a_table_and_a_sidecar(tmp_path):
    write(tmp_path / "scene_20200101.tif", tags={
        "CLOUDS": "12.5", "BASELINE": "04.00", "ACQUISITION_DATE": "2021-02-03",
        "TIFFTAG_DATETIME": "2024:01:01 00:00:00"})
    name = "scene_20200101"
    found = properties(tmp_path, name)
    assert found["CLOUDS"] == 12.5 and found["BASELINE"] == "04.00"
    assert found["system:time_start"] == 1_612_310_400_000 and "TIFFTAG_DATETIME" not in found
    table = tmp_path / "properties.csv"
    table.write_text("file,CLOUDS,site,date\nscene_20200101.tif,3,Strzegom,2023-07-09\n")
    found = properties(tmp_path, name)
    assert (found["CLOUDS"], found["site"]) == (3, "Strzegom")
    assert found["system:time_end"] == JULY_9 + DAY - 1
    sidecar = tmp_path / f"{name}.json"
    sidecar.write_text(json.dumps({"type": "Feature", "properties": {
        "site": "pit", "datetime": "2023-07-09T10:00:31Z", "bands used": ["B2", "B3"],
        "nothing": None}}))
    found = properties(tmp_path, name)
    assert found["CLOUDS"] == 3 and found["site"] == "pit" and found["bands used"] == ["B2", "B3"]
    assert found["system:time_start"] == found["system:time_end"] == JULY_9 + 36_031_000
    assert "nothing" not in found
    sidecar.write_text(json.dumps({"system:time_start": 5, "system:time_end": 9}))
    found = properties(tmp_path, name)
    assert (found["system:time_start"], found["system:time_end"]) == (5, 9)


def test_bands_are_named_by_descriptions_or_numbers(tmp_path):
    values = np.ones((3, 4, 5), dtype="uint16")
    write(tmp_path / "scene.tif", values, ["red", None, "nir"])
    write(tmp_path / "plain.tif", values)
    catalogue = read_folder(tmp_path, "S")
    assert catalogue.image("S/scene").names == ["red", "B2", "nir"]
    assert catalogue.image("S/plain").names == ["B1", "B2", "B3"]


@pytest.mark.parametrize("dtype, precision, low, high", [
    ("uint8", "int", 0, 255), ("int8", "int", -128, 127), ("uint16", "int", 0, 65535),
    ("int16", "int", -32768, 32767), ("uint32", "int", 0, 2**32 - 1),
    ("int32", "int", -2**31, 2**31 - 1), ("float32", "float", None, None),
    ("float64", "double", None, None)])
def test_every_dtype(tmp_path, dtype, precision, low, high):
    values = np.arange(20).reshape(1, 4, 5).astype(dtype)
    write(tmp_path / "scene.tif", values)
    one, pixels = band(tmp_path)
    assert one.type[:3] == (precision, low, high)
    np.testing.assert_array_equal(pixels.values, values[0])
    assert pixels.mask.all()


def test_nodata_masks_alpha_and_what_is_not_finite(tmp_path):
    values = np.arange(40, dtype="float32").reshape(2, 4, 5)
    values[0, 0, 0], values[1, 1, 1] = np.nan, -9
    write(tmp_path / "scene.tif", values, nodata=-9)
    assert np.argwhere(~band(tmp_path)[1].mask).tolist() == [[0, 0]]
    assert np.argwhere(~band(tmp_path, index=1)[1].mask).tolist() == [[1, 1]]
    rgba = np.full((4, 4, 5), 255, dtype="uint8")
    rgba[3, 2, 3] = 0
    with rasterio.open(write(tmp_path / "rgba.tif", rgba, photometric="RGB"), "r+") as out:
        out.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    assert read_folder(tmp_path, "S").image("S/rgba").names == ["B1", "B2", "B3"]
    assert np.argwhere(~band(tmp_path, "rgba")[1].mask).tolist() == [[2, 3]]


def test_means_of_coarse_levels_are_rounded_for_integers_only(tmp_path):
    values = np.array([[[1, 2], [2, 2]]])
    write(tmp_path / "whole.tif", values.astype("int16"))
    write(tmp_path / "real.tif", values.astype("float32"))
    coarse = Grid(Projection("EPSG:32633", (20, 0, 500_000, 0, -20, 5_650_000)), 1, 1)
    images = read_folder(tmp_path, "S")
    assert images.image("S/whole").bands[0].read(coarse).values == [[2]]
    assert images.image("S/real").bands[0].read(coarse).values == [[1.75]]


def test_a_colour_table_makes_classes(tmp_path):
    path = write(tmp_path / "scene.tif", np.array([[[1, 2], [2, 2]]], dtype="uint8"))
    with rasterio.open(path, "r+") as out:
        out.write_colormap(1, {1: (255, 0, 0, 255), 2: (0, 128, 0, 255)})
    found = properties(tmp_path)
    assert found["B1_class_values"] == [1, 2]
    assert found["B1_class_palette"] == ["ff0000", "008000"]
    one, _ = band(tmp_path)
    coarse = Grid(Projection("EPSG:32633", (20, 0, 500_000, 0, -20, 5_650_000)), 1, 1)
    assert one.read(coarse).values == [[1]]  # a class, no mean of two


@pytest.mark.parametrize("crs", ["EPSG:4326", "+proj=laea +lat_0=52 +lon_0=19 +ellps=GRS80"])
def test_any_crs(tmp_path, crs):
    write(tmp_path / "scene.tif", crs=crs, transform=from_origin(16, 51, 0.1, 0.1))
    one, pixels = band(tmp_path)
    assert one.projection.crs == crs or "Lambert_Azimuthal_Equal_Area" in one.projection.crs
    assert pixels.mask.all()


def test_the_client_works_on_a_folder(engine, tmp_path):
    for year in (2021, 2022, 2023):
        values = np.full((2, 4, 5), year - 2000, dtype="uint8")
        write(tmp_path / f"scene_{year}0709.tif", values, ["red", "nir"])
    (tmp_path / "properties.csv").write_text("file,clouds\nscene_20220709,5\nscene_20230709,1\n")
    try:
        with ee_local.start(tmp_path, collection="MY/SCENES") as server:
            initialise(server.address)
            scenes = ee.ImageCollection("MY/SCENES")
            assert scenes.filterDate("2022-01-01", "2024-01-01").size().getInfo() == 2
            assert scenes.sort("clouds").first().get("system:index").getInfo() == "scene_20230709"
            assert ee.Image("MY/SCENES/scene_20210709").bandNames().getInfo() == ["red", "nir"]
            mean = scenes.mean().select("nir")
            place = ee.Geometry.Point([500_025, 5_649_985], "EPSG:32633")
            assert mean.reduceRegion("mean", place, 10).getInfo() == {"nir": 22}
            listed = ee.data.listAssets("MY/SCENES")["assets"]
            assert [a["startTime"][:4] for a in listed] == ["2021", "2022", "2023"]
            with pytest.raises(ee.EEException, match=r"holds MY/SCENES \(3 images\)"):
                ee.Image("MY/OTHER").getInfo()
            (tmp_path / "scene_20210709.tif").unlink()
            with pytest.raises(ee.EEException, match=r"20210709\.tif: its pixels cannot be read"):
                ee.Image("MY/SCENES/scene_20210709").reduceRegion("mean", place, 10).getInfo()
    finally:
        initialise(engine.address)


def refused(folder, words):
    with pytest.raises(InputError, match=words) as caught:
        read_folder(folder, "S")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_served_are_named_with_the_rule(tmp_path):
    cases = {
        "no CRS": (write(tmp_path / "a" / "x.tif", crs=None), r"x\.tif: the file has no CRS"),
        "no transform": (write(tmp_path / "b" / "x.tif", transform=rasterio.Affine.identity()),
                         r"x\.tif: the file has no geotransform"),
        "complex": (write(tmp_path / "c" / "x.tif", np.ones((1, 2, 2), dtype="complex64")),
                    r"x\.tif: its pixels are complex64; integers or floating-point"),
        "names": (write(tmp_path / "d" / "x.tif", np.ones((2, 2, 2), dtype="uint8"), ["a", "a"]),
                  r"x\.tif: two bands are named 'a'"),
        "twins": (write(tmp_path / "e" / "x y.tif"), "has the asset id S/x_y"),
        "text": (write(tmp_path / "f" / "x.tif"), r"x\.tif: cannot be read as a raster"),
    }
    write(tmp_path / "e" / "x_y.tiff")
    cases["text"][0].write_text("no raster")
    for path, words in cases.values():
        refused(path.parent, words)
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "there is no GeoTIFF in it")


@pytest.mark.parametrize("text, words", [
    ("{", r"x\.json: cannot be read as JSON"), ("[1]", r"x\.json: must be an object"),
    ('{"properties": 3}', r"x\.json: must be an object"),
    ('{"a": {"b": 1}}', r"x\.json: the property 'a' is .* must be a number, a text, or a list"),
    ('{"a": NaN}', "the property 'a' is"),
    ('{"system:time_start": "July"}', r"x\.json: system:time_start is 'July'; it must be an ISO"),
    ('{"date": 7}', r"x\.json: date is '7'; it must be an ISO 8601 date")])
def test_sidecars_that_cannot_be_used(tmp_path, text, words):
    write(tmp_path / "x.tif")
    (tmp_path / "x.json").write_text(text)
    refused(tmp_path, words)


@pytest.mark.parametrize("text, words", [
    ("name,a\nx,1\n", r"properties\.csv: has no column 'file'"),
    ("file,a\ny,1\n", r"properties\.csv: there is no GeoTIFF 'y'"),
    ("file,a\nx,1\nx.tif,2\n", "line 3 names 'x' a second time"),
    ("file,a\nx\n", "line 2 has not as many cells as the header"),
    ("file,date\nx,soon\n", r"properties\.csv: date is 'soon'")])
def test_tables_that_cannot_be_used(tmp_path, text, words):
    write(tmp_path / "x.tif")
    (tmp_path / "properties.csv").write_text(text)
    refused(tmp_path, words)


def test_names_of_assets():
    assert asset_name("map of/RF 1.v2") == "map_of_RF_1_v2" and asset_name("...") == "image"
