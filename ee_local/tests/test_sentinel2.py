"""The commonest Sentinel-2 recipe offline: clouds filtered and masked, and what warns."""

import logging

import ee
import numpy as np
import pytest
import rasterio
import requests
from cloudy_scenes import (
    CLOUD,
    COLLECTION,
    COLS,
    NAMES,
    ROWS,
    SOIL,
    VEGETATION,
    WATER,
    write_cloudy,
)
from local_engine import EPSG, box, centre, initialise, scene_grid

import ee_local


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def values(root):
    """(band, row, col) of each scene by date."""
    return write_cloudy(root)


@pytest.fixture(scope="module")
def server(tmp_path_factory, root, values):
    """A server of the three scenes, and the client on it."""
    out = tmp_path_factory.mktemp("out")
    with ee_local.start(root, exports=out, collection=COLLECTION) as server:
        initialise(server.address)
        yield server
    ee.Reset()


def pixels(image):
    return ee.data.computePixels({"expression": image, "fileFormat": "NUMPY_NDARRAY",
                                  "grid": scene_grid(COLS, ROWS)})


def by_scl(image):
    scl = image.select("SCL")
    return image.updateMask(scl.neq(8).And(scl.neq(9)).And(scl.neq(10)).And(scl.neq(3)))


def by_qa60(image):
    qa = image.select("QA60")
    clear = qa.bitwiseAnd(1 << 10).eq(0).And(qa.bitwiseAnd(1 << 11).eq(0))
    return image.updateMask(clear).divide(10_000).copyProperties(image, ["system:time_start"])


def by_probability(image):
    return image.updateMask(image.select("MSK_CLDPRB").lt(50))


def expected_median(values, dates):
    """(band, row, col) median over the clear pixels, NaN where there is none."""
    stack = np.stack([values[d][:4] for d in dates]).astype(float)
    clear = np.stack([(values[d][5] != CLOUD) & (values[d][5] > 0) for d in dates])
    stack[~np.broadcast_to(clear[:, None], stack.shape)] = np.nan
    with np.errstate(all="ignore"):
        return np.nanmedian(np.where(clear.any(0), stack, 0), axis=0)


@pytest.mark.parametrize("mask, factor", [(by_scl, 1), (by_qa60, 10_000), (by_probability, 1)])
def test_a_cloud_free_median_is_numpys(server, values, mask, factor):
    clear = ee.ImageCollection(COLLECTION).filterDate("2023-06-01", "2023-07-01").filter(
        ee.Filter.lt("CLOUDY_PIXEL_PERCENTAGE", 20)).map(mask)
    assert clear.size().getInfo() == 2
    found = pixels(clear.select(NAMES[:4]).median())
    expected = expected_median(values, ["20230601", "20230611"])
    for k, name in enumerate(NAMES[:4]):
        np.testing.assert_allclose(found[name] * factor, expected[k], err_msg=name)


def test_cloud_cover_comes_from_tags_tables_and_items(server):
    covers = ee.ImageCollection(COLLECTION).aggregate_array("CLOUDY_PIXEL_PERCENTAGE").getInfo()
    assert covers == [3, 12, 80]
    last = ee.ImageCollection(COLLECTION).sort("CLOUDY_PIXEL_PERCENTAGE", False).first()
    assert last.get("WATER_PERCENTAGE").getInfo() == 7.5
    assert last.get("eo:cloud_cover").getInfo() == 80


def test_the_whole_recipe_to_the_exported_map(server, values):
    composite = ee.ImageCollection(COLLECTION).filter("CLOUDY_PIXEL_PERCENTAGE < 20").map(
        by_scl).select(NAMES[:4]).median()
    places = [(r, c) for r in range(1, ROWS, 3) for c in range(0, COLS, 3)]
    classes = {WATER: 0, SOIL: 1, VEGETATION: 2}
    truth = np.repeat([WATER, SOIL, VEGETATION], ROWS // 3)[:, None].repeat(COLS, 1)
    points = ee.FeatureCollection([
        ee.Feature(ee.Geometry.Point(centre(r, c)), {"landcover": classes[int(truth[r, c])]})
        for r, c in places]).randomColumn(seed=1)
    sampled = composite.sampleRegions(points, ["landcover", "random"], 10)
    assert sampled.size().getInfo() == len(places)
    model = ee.Classifier.smileRandomForest(10).train(
        sampled.filter("random < 0.7"), "landcover", NAMES[:4])
    tested = sampled.filter("random >= 0.7").classify(model)
    assert tested.errorMatrix("landcover", "classification").accuracy().getInfo() == 1
    task = ee.batch.Export.image.toDrive(
        composite.classify(model).toByte(), "landcover", region=box(0, 0, ROWS, COLS), scale=10,
        crs=f"EPSG:{EPSG}")
    task.start()
    while task.active():
        pass
    assert task.status()["state"] == "COMPLETED", task.status()
    with rasterio.open(server.exports / "landcover.tif") as source:
        written, mask = source.read(1), source.read_masks(1) > 0
    expected = np.vectorize(classes.get)(truth)
    np.testing.assert_array_equal(mask, np.arange(ROWS)[:, None].repeat(COLS, 1) > 0)
    np.testing.assert_array_equal(written[mask], expected[mask])


def test_codes_are_not_averaged_and_zero_is_no_gap(server, values):
    image = ee.Image(f"{COLLECTION}/20230601_T33UWS")
    coarse = ee.data.computePixels({
        "expression": image.select(["SCL", "QA60", "MSK_CLDPRB"]), "fileFormat": "NUMPY_NDARRAY",
        "grid": scene_grid(COLS // 2, ROWS // 2, pixel=20.0)})
    np.testing.assert_array_equal(coarse["SCL"], values["20230601"][5][::2, ::2])
    np.testing.assert_array_equal(coarse["QA60"], values["20230601"][4][::2, ::2])
    there = pixels(image.select("QA60").mask().rename("m"))["m"]
    np.testing.assert_array_equal(there, np.arange(ROWS)[:, None].repeat(COLS, 1) > 0)


COMPUTE = "/v1/projects/offline/value:compute"
ABSENT = "none of the 3 images has the property 'CLOUD_COVER'"


def asked(server, value):
    return requests.post(server.address + COMPUTE, timeout=60, json={
        "expression": ee.serializer.encode(value, for_cloud_api=True)})


def test_a_property_that_no_image_has_is_named(server, caplog):
    """Twice alike, although the second answer comes from the cache."""
    empty = ee.ImageCollection(COLLECTION).filter(ee.Filter.lt("CLOUD_COVER", 20)).size()
    for _ in range(2):
        caplog.clear()
        answer = asked(server, empty)
        assert answer.json()["result"] == 0
        told, = answer.json()["warnings"]
        assert told.startswith(f"Collection.filter: {ABSENT}; they have CLOUDY_PIXEL_PERCENTAGE")
        assert ABSENT in answer.headers["X-EE-Local-Warning"]
        logged, = [r for r in caplog.records if r.name == "ee_local"]
        assert logged.levelno == logging.WARNING and ABSENT in logged.getMessage()
    assert "warnings" not in asked(server, ee.ImageCollection(COLLECTION).filter(
        "CLOUDY_PIXEL_PERCENTAGE < 1").size()).json()


@pytest.mark.parametrize("condition", [
    lambda f: "CLOUD_COVER < 20", lambda f: f.lte("CLOUD_COVER", 20),
    lambda f: f.And(f.gt("CLOUDY_PIXEL_PERCENTAGE", 1), f.notNull(["CLOUD_COVER"])),
    lambda f: f.Or(f.eq("CLOUD_COVER", 1), f.date("2023-06-01", "2023-07-01")),
    lambda f: f.rangeContains("CLOUD_COVER", 0, 9), lambda f: f.inList("CLOUD_COVER", [1])])
def test_every_filter_tells_it(server, condition):
    told = asked(server, ee.ImageCollection(COLLECTION).filter(condition(ee.Filter)).size())
    assert any(ABSENT in t for t in told.json()["warnings"])


def test_sorting_tells_it(server):
    told = asked(server, ee.ImageCollection(COLLECTION).sort("CLOUD_COVER").size()).json()
    assert told["warnings"][0].startswith(f"Collection.limit: {ABSENT}")


def test_what_fails_for_it_says_so_in_the_clients_exception(server):
    nothing = ee.ImageCollection(COLLECTION).filter(ee.Filter.lt("CLOUD_COVER", 20)).first()
    for _ in range(2):
        with pytest.raises(ee.EEException, match=f"may not be null.*Warning: .*{ABSENT}"):
            ee.Image(nothing).bandNames().getInfo()
