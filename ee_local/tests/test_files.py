"""Tables, exports and the catalogue of the local Earth Engine, through the client."""

import csv
import io
import json
import threading
import time

import ee
import geopandas as gpd
import numpy as np
import pytest
import rasterio
import requests
from ee_local.exports import write_whole
from filelock import FileLock
from local_engine import (
    COLLECTION,
    EAST,
    EPSG,
    NORTH,
    box,
    centre,
    initialise,
)
from rasterio.transform import from_origin

import ee_local
from ee_local import routes


@pytest.fixture(scope="module")
def items(engine):
    return ee.FeatureCollection([
        ee.Feature(ee.Geometry.Point([16.2 + k / 100, 51]), {"k": k, "name": f"n{k}",
                                                             "list": [k, k]})
        for k in range(5)]).merge(ee.FeatureCollection([ee.Feature(None, {"k": 9})]))


def test_features_by_page(items):
    first = ee.data.computeFeatures({"expression": items, "pageSize": 4})
    assert first["type"] == "FeatureCollection" and len(first["features"]) == 4
    rest = ee.data.computeFeatures({"expression": items, "pageSize": 4,
                                    "pageToken": first["nextPageToken"]})
    assert [f["properties"]["k"] for f in rest["features"]] == [4, 9]
    assert "nextPageToken" not in rest
    table = ee.data.computeFeatures({"expression": items, "fileFormat": "PANDAS_DATAFRAME"})
    assert table["k"].tolist() == [0, 1, 2, 3, 4, 9]
    places = ee.data.computeFeatures({"expression": items.limit(5),
                                      "fileFormat": "GEOPANDAS_GEODATAFRAME"})
    assert places.geometry.x.tolist() == pytest.approx([16.2 + k / 100 for k in range(5)])
    with pytest.raises(ee.EEException, match="numbers"):
        ee.data.computeFeatures({"expression": items, "pageToken": "next"})


def test_tables_to_download(items):
    text = requests.get(items.getDownloadURL("CSV"), timeout=10).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["system:index", "k", "list", "name", ".geo"]
    assert [r["k"] for r in rows] == ["0", "1", "2", "3", "4", "9"]
    assert json.loads(rows[1][".geo"]) == {"type": "Point", "coordinates": [16.21, 51.0]}
    assert rows[5]["name"] == rows[5][".geo"] == "" and json.loads(rows[2]["list"]) == [2, 2]
    few = requests.get(items.getDownloadURL("CSV", ["name", "k"]), timeout=10).text
    assert few.splitlines()[:2] == ["name,k", "n0,0"]
    answer = requests.get(items.getDownloadURL("GEOJSON", filename="my points"), timeout=10)
    assert 'filename="my_points.geojson"' in answer.headers["Content-Disposition"]
    assert gpd.read_file(io.BytesIO(answer.content))["k"].tolist()[:5] == [0, 1, 2, 3, 4]
    with pytest.raises(ee.EEException, match="KML"):
        items.getDownloadURL("KML")


def finished(task):
    """The status of a task when it has ended."""
    begun = time.monotonic()
    while task.active():
        assert time.monotonic() - begun < 30
        time.sleep(0.02)
    return task.status()


def test_exported_images(engine):
    task = ee.batch.Export.image.toDrive(
        engine.image().select(["B2", "B8"]), "a scene", folder="my maps", fileNamePrefix="../x y",
        region=box(3, 4, 10, 12), scale=10)
    task.start()
    status = finished(task)
    assert status["state"] == "COMPLETED", status
    path = engine.exports / "my_maps" / "x_y.tif"
    assert status["destination_uris"] == [path.as_uri()] and status["description"] == "a scene"
    with rasterio.open(path) as source:
        assert source.crs.to_epsg() == EPSG
        assert source.transform == from_origin(EAST + 40, NORTH - 30, 10, 10)
        np.testing.assert_array_equal(source.read(2), engine.band("B8")[3:13, 4:16])
    assert [p.name for p in path.parent.iterdir()] == ["x_y.tif"]  # nothing half written
    assert task.id in [t.id for t in ee.batch.Task.list()]


def test_exports_with_options(engine):
    task = ee.batch.Export.image.toCloudStorage(
        engine.image().select("B2").toInt16(), "cloud", "bucket", "deep/er/map",
        region=box(0, 0, 10, 10), scale=10, crs=f"EPSG:{EPSG}",
        formatOptions={"cloudOptimized": True, "noData": -1})
    task.start()
    assert finished(task)["state"] == "COMPLETED"
    with rasterio.open(engine.exports / "bucket" / "deep" / "er" / "map.tif") as source:
        assert source.nodata == -1 and source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        values = source.read(1)
        assert (values[:, 0] == -1).all() and values[5, 5] == engine.band("B2")[5, 5]


def test_exported_tables(engine, items):
    for kind, ending in (("CSV", "csv"), ("GeoJSON", "geojson")):
        task = ee.batch.Export.table.toDrive(items, "points", fileFormat=kind)
        task.start()
        assert finished(task)["state"] == "COMPLETED"
        assert (engine.exports / f"points.{ending}").stat().st_size > 100
    assert gpd.read_file(engine.exports / "points.geojson")["k"].sum() == 19


def test_exports_that_fail_say_why(engine):
    task = ee.batch.Export.image.toDrive(engine.image().select("B2"), "big", scale=10,
                                         region=box(0, 0, 10, 10), maxPixels=50)
    task.start()
    status = finished(task)
    assert status["state"] == "FAILED" and "too large" in status["error_message"]
    assert not (engine.exports / "big.tif").exists()
    asset = ee.batch.Export.image.toAsset(engine.image(), "a", "projects/offline/assets/a")
    with pytest.raises(ee.EEException, match="assets are not implemented"):
        asset.start()
    record = ee.batch.Export.table.toDrive(ee.FeatureCollection([]), "t", fileFormat="TFRecord")
    with pytest.raises(ee.EEException, match="TF_RECORD"):
        record.start()


def test_exports_wait_their_turn_and_can_be_cancelled(engine, monkeypatch):
    go, began = threading.Event(), threading.Event()
    real = routes.geotiff

    def slow(*arguments, **options):
        began.set()
        assert go.wait(20)
        return real(*arguments, **options)

    monkeypatch.setattr(routes, "geotiff", slow)
    tasks = [ee.batch.Export.image.toDrive(engine.image().select("B2"), f"turn{k}", scale=10,
                                           region=box(0, 0, 5, 5)) for k in range(2)]
    for task in tasks:
        task.start()
    assert began.wait(20)
    assert [t.status()["state"] for t in tasks] == ["RUNNING", "READY"]
    again = ee.data.exportImage(tasks[1]._request_id, tasks[1].config)
    assert again["name"] == tasks[1].name  # the same request is not done twice
    tasks[1].cancel()
    go.set()
    assert finished(tasks[0])["state"] == "COMPLETED"
    assert finished(tasks[1])["state"] == "CANCELLED"
    assert not (engine.exports / "turn1.tif").exists()
    with pytest.raises(ee.EEException, match="not found"):
        ee.data.getOperation("projects/offline/operations/NONE")


def test_exports_have_a_folder_of_their_own(engine, tmp_path, monkeypatch):
    """Nobody names a folder; it is made only when the first file comes."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "ee_local_exports"
    try:
        with ee_local.start(engine.root) as server:
            assert server.exports == folder and not folder.exists()
            initialise(server.address)
            task = ee.batch.Export.image.toDrive(ee.Image(7).toByte(), "x", scale=10,
                                                 region=box(0, 0, 4, 4))
            task.start()
            assert finished(task)["destination_uris"] == [(folder / "x.tif").as_uri()]
        with rasterio.open(folder / "x.tif") as source:
            assert (source.read(1)[source.dataset_mask() > 0] == 7).all()
    finally:
        initialise(engine.address)


def test_what_the_catalogue_says_of_itself(engine):
    listed = ee.data.listAssets(COLLECTION)["assets"]
    assert [a["startTime"] for a in listed] == ["2022-06-19T00:00:00Z", "2023-07-09T00:00:00Z"]
    asset = ee.data.getAsset(listed[1]["name"])
    assert asset["type"] == "IMAGE" and asset["id"] == engine.image().get("system:id").getInfo()
    assert len(asset["bands"]) == 10
    assert asset["bands"][0]["grid"]["affineTransform"]["translateX"] == EAST
    assert ee.data.getAsset(COLLECTION)["type"] == "IMAGE_COLLECTION"
    assert ee.data.getInfo("LANDSAT/none") is None
    assert asset["endTime"] == "2023-07-09T23:59:59Z"
    images = ee.data.listImages({"parent": COLLECTION, "startTime": "2023-01-01T00:00:00.000Z",
                                 "properties": ["MGRS_TILE=33UWS"]})["images"]
    assert len(images) == 1
    near = {"type": "Point", "coordinates": list(centre(5, 5))}
    assert len(ee.data.listImages({"parent": COLLECTION, "region": near})["images"]) == 2
    away = {"type": "Point", "coordinates": [0, 0]}
    assert ee.data.listImages({"parent": COLLECTION, "region": away,
                               "endTime": "2024-01-01T00:00:00Z"})["images"] == []
    with pytest.raises(ee.EEException, match="filter"):
        ee.data.listAssets({"parent": COLLECTION, "filter": "clouds ~ few"})
    assert ee.data.listAssets("projects/offline/assets") == {"assets": []}
    with pytest.raises(ee.EEException, match="has nothing at"):
        ee.data.createFolder("projects/offline/assets/new")


def test_what_killed_exports_left_is_swept_but_never_what_is_being_written(tmp_path, monkeypatch):
    dead, living = (tmp_path / f".a.tif.{name}.part" for name in ("dead", "living"))
    for folder in (dead, living):
        folder.mkdir()
        (folder / "lock").touch(), (folder / "body").touch()
    with FileLock(living / "lock"):
        write_whole(tmp_path / "a.tif", b"one")
        assert {p.name for p in tmp_path.iterdir()} == {living.name, "a.tif"}
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr("ee_local.exports.os.replace", lambda *_: (_ for _ in ()).throw(
            OSError("disk full")))
        write_whole(tmp_path / "a.tif", b"two")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.tif", b"one")]
