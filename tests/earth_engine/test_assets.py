"""The study's scenes and CORINE in the local Earth Engine's catalogue."""

import re
import time

import ee
import geopandas as gpd
import google.auth.credentials
import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize
from rasterio.transform import from_origin
from shapely.geometry import box as rectangle

from ee_local import InputError as EngineInputError
from lulc_lib.data.scenes import BANDS
from lulc_lib.earth_engine import COLLECTION, EE_BANDS, open_backend, start_local
from lulc_lib.earth_engine.assets import CORINE, corine_image
from lulc_lib.errors import InputError

ROWS, COLS, EPSG = 20, 50, 32633
EAST, NORTH = 585_420.0, 5_652_250.0
DATES = {"20220619": "04.00", "20230709": None}


def write_scenes(root):
    """Two scenes with +1000 DN in the dataset's layout; DN without it, 0 in the first column."""
    folder = root / "img_train"
    folder.mkdir(parents=True)
    dn = np.random.default_rng(0).integers(100, 3500, (len(BANDS), ROWS, COLS))
    dn[BANDS.index("B04"), 10:], dn[BANDS.index("B08"), 10:] = 300, 5000
    dn[:, :, 0] = 0
    for date, baseline in DATES.items():
        with rasterio.open(folder / f"strzegom_{date}_33u.tif", "w", driver="GTiff",
                           count=len(BANDS), dtype="uint16", height=ROWS, width=COLS,
                           crs=f"EPSG:{EPSG}", transform=from_origin(EAST, NORTH, 10, 10)) as out:
            out.write(np.where(dn > 0, dn + 1000, 0).astype(np.uint16))
            out.descriptions = BANDS
            if baseline:
                out.update_tags(PROCESSING_BASELINE=baseline)
    return dn


@pytest.fixture
def root(tmp_path):
    write_scenes(tmp_path / "data")
    return tmp_path / "data"


def initialise(server):
    ee.Reset()
    ee.Initialize(google.auth.credentials.AnonymousCredentials(), url=server.address,
                  project="offline")


def pixels(image, crs, size, width, height, left, top):
    """Bands of an image on a grid, by name."""
    return ee.data.computePixels({
        "expression": image, "fileFormat": "NUMPY_NDARRAY", "grid": {
            "crsCode": crs, "dimensions": {"width": width, "height": height},
            "affineTransform": {"scaleX": size, "scaleY": -size, "translateX": left,
                                "translateY": top}}})


def test_scenes_are_harmonised_and_say_what_they_are(tmp_path):
    dn = write_scenes(tmp_path)
    with start_local(tmp_path, exports=tmp_path) as server:
        initialise(server)
        images = ee.ImageCollection(COLLECTION)
        first, second = images.toList(2).getInfo()
        found = pixels(images.filterDate("2023-07-09", "2023-07-10").first(), f"EPSG:{EPSG}", 10,
                       COLS, ROWS, EAST, NORTH)
        (valid,) = images.limit(1).map(lambda i: i.mask().reduce("min")).toList(1).getInfo()
    ee.Reset()
    for band, name in zip(dn, EE_BANDS, strict=True):
        assert found[name].dtype == np.uint16
        np.testing.assert_array_equal(found[name], band)
    assert [b["id"] for b in first["bands"]] == list(EE_BANDS) and valid["bands"]
    assert second["id"] == f"{COLLECTION}/20230709_T33UWS_strzegom"
    properties = second["properties"]
    assert (properties["MGRS_TILE"], properties["SITE"]) == ("33UWS", "strzegom")
    assert properties["system:time_end"] - properties["system:time_start"] == 86_399_999
    assert first["properties"]["PROCESSING_BASELINE"] == "04.00"
    assert "PROCESSING_BASELINE" not in properties


def test_what_is_no_data_folder_is_refused(tmp_path, root):
    with pytest.raises(InputError, match="no such folder"):
        start_local(tmp_path / "none")
    with pytest.raises(InputError, match="none of the dataset's scenes"):
        start_local(tmp_path)
    with pytest.raises(InputError, match="of kolbuszowa"):
        start_local(root, site="kolbuszowa")
    with pytest.raises(InputError, match="site"):
        start_local(root, site="atlantis")
    with pytest.raises(InputError, match="70000"):
        start_local(root, port=70000)
    with pytest.raises(InputError, match="no such file"):
        start_local(root, corine=root / "corine.gpkg")


@pytest.mark.parametrize("name, words", [
    ("named.gpkg", "cannot be read as a vector file"), ("named.csv", "no CRS or no polygons")])
def test_a_file_named_as_corine_is_opened_at_the_start(root, tmp_path, name, words):
    (tmp_path / name).write_text("landcover\n131\n")
    with pytest.raises(InputError, match=words):
        start_local(root, corine=tmp_path / name)


def test_exports_into_a_file_are_refused_at_the_start(root, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        start_local(root, exports=tmp_path / "file" / "exports")


def test_a_scene_without_crs_is_named(root):
    path = root / "img_train" / "strzegom_20220619_33u.tif"
    with rasterio.open(path) as source:
        profile, values = source.profile, source.read()
    with rasterio.open(path, "w", **profile | {"crs": None}) as out:
        out.write(values)
    with pytest.raises(InputError, match=r"strzegom_20220619_33u\.tif: the file has no CRS"):
        start_local(root)


def test_a_damaged_scene_is_named_when_it_is_asked_for(root):
    path = root / "img_train" / "strzegom_20220619_33u.tif"
    with rasterio.open(path) as source:
        profile, values = source.profile, source.read()
    with rasterio.open(path, "w", **profile | {"compress": "deflate"}) as out:
        out.write(values)
        out.descriptions = BANDS
    whole = path.read_bytes()
    path.write_bytes(whole[:2000] + bytes(len(whole) - 4000) + whole[-2000:])
    with start_local(root, exports=root) as server:
        initialise(server)
        with pytest.raises(ee.EEException, match=r"strzegom_20220619_33u\.tif: .*cannot be read"):
            pixels(ee.ImageCollection(COLLECTION).first(), f"EPSG:{EPSG}", 10, 5, 5, EAST, NORTH)
    ee.Reset()


def test_exports_have_a_folder_of_their_own(root, tmp_path, monkeypatch):
    """Nobody names a folder; it is made only when the first file comes."""
    monkeypatch.setenv("LULC_OUTPUT", str(tmp_path / "out"))
    folder = tmp_path / "out" / "build" / "earth_engine" / "exports"
    with open_backend(root, "local") as running:
        assert f"Exports come to {folder}" in running.note and not folder.exists()
        region = ee.Geometry.Rectangle([EAST, NORTH - 40, EAST + 40, NORTH], f"EPSG:{EPSG}", False)
        task = ee.batch.Export.image.toDrive(ee.Image(7).toByte(), "x", scale=10, region=region)
        task.start()
        while task.active():
            time.sleep(0.02)
        assert task.status()["destination_uris"] == [(folder / "x.tif").as_uri()]
    with rasterio.open(folder / "x.tif") as source:
        assert (source.read(1)[source.dataset_mask() > 0] == 7).all()


def write_corine(folder):
    """Two squares of CORINE polygons in EPSG:3035."""
    table = gpd.GeoDataFrame(
        {"Code_18": ["131", "211"]},
        geometry=[rectangle(EAST, NORTH - 400, EAST + 250, NORTH),
                  rectangle(EAST + 250, NORTH - 400, EAST + 500, NORTH)], crs=EPSG).to_crs(3035)
    folder.mkdir(parents=True)
    table.to_file(folder / "corine.gpkg", driver="GPKG")
    return table


def test_without_corine_the_message_says_what_to_do(root):
    with start_local(root, exports=root) as server:
        initialise(server)
        with pytest.raises(ee.EEException, match=r"registries/corine\.gpkg into the data folder"):
            ee.Image(CORINE).getInfo()
    ee.Reset()


def test_corine_from_polygons_and_from_a_raster(root, tmp_path):
    table = write_corine(root / "registries")
    with start_local(root, exports=root) as server:
        initialise(server)
        image = ee.Image(CORINE)
        info = image.getInfo()
        band = info["bands"][0]
        assert (band["id"], band["crs"]) == ("landcover", "EPSG:3035")
        size, _, left, _, _, top = band["crs_transform"]
        assert size == 100
        found = pixels(image, "EPSG:3035", 100, *band["dimensions"], left, top)["landcover"]
        assert ee.data.getAsset(CORINE)["type"] == "IMAGE"
    ee.Reset()
    assert {131, 211} <= set(info["properties"]["landcover_class_values"])
    assert left % 100 == top % 100 == 0
    transform = from_origin(left, top, 100, 100)
    expected = rasterize(zip(table.geometry, (131, 211), strict=True), found.shape,
                         transform=transform)
    np.testing.assert_array_equal(found, expected)
    with rasterio.open(tmp_path / "clc.tif", "w", driver="GTiff", width=found.shape[1],
                       height=found.shape[0], count=1, dtype="uint16", crs="EPSG:3035",
                       transform=transform, nodata=0) as out:
        out.write(found, 1)
    raster = corine_image(tmp_path / "clc.tif")
    assert raster.bands[0].size == (found.shape[1], found.shape[0])


@pytest.mark.parametrize("codes, column, words", [
    ([131, 7], "Code_18", "7"), ([131, 211], "other", "Code_18"),
    (["131", "pit"], "Code_18", "holds what is no number")])
def test_files_that_are_no_corine(tmp_path, codes, column, words):
    path = tmp_path / "corine.gpkg"
    gpd.GeoDataFrame({column: codes}, geometry=[rectangle(0, 0, 1, 1)] * 2, crs=3035).to_file(path)
    with pytest.raises(EngineInputError, match=re.escape(words)):
        corine_image(path)
