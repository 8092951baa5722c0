"""The paper's Earth Engine workflow and the command, on a part of the synthetic landscape."""

import os
import signal
import subprocess
import sys
import time

import ee
import google.auth.credentials
import numpy as np
import pandas as pd
import pytest
import rasterio
import requests
from sklearn import metrics

from lulc_lib import legend
from lulc_lib.data.catalogue import SITES
from lulc_lib.earth_engine import COLLECTION, EE_BANDS, start_local
from lulc_lib.landscape import write, write_landscape
from tests.conftest import ROOT

CORINE = "COPERNICUS/CORINE/V20/100m/2018"
SITE = SITES["strzegom"]


@pytest.fixture(scope="module")
def landscape(tmp_path_factory):
    """The synthetic landscape's test scene at Strzegom alone, with points and registries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "SITES", [s for s in write.SITES if s.name == "strzegom"])
        kept = [s for s in write.scenes() if s.test and s.site.name == "strzegom"]
        patch.setattr(write, "scenes", lambda: kept)
        return write_landscape(tmp_path_factory.mktemp("project") / "data" / "synthetic", 0)


def points(path):
    """A CSV of points as the client's collection, and its class codes."""
    table = pd.read_csv(path)
    lon, lat = rasterio.warp.transform(f"EPSG:{SITE.epsg}", "EPSG:4326", table.x, table.y)
    codes = table["class"].tolist()
    return ee.FeatureCollection([ee.Feature(ee.Geometry.Point([x, y]), {"class": int(c)})
                                 for x, y, c in zip(lon, lat, codes, strict=True)]), codes


def test_the_whole_workflow(landscape, tmp_path):
    begun = time.perf_counter()
    with start_local(landscape, "strzegom", exports=tmp_path) as server:
        ee.Initialize(google.auth.credentials.AnonymousCredentials(), url=server.address,
                      project="offline")
        region = ee.Geometry.Rectangle(list(SITE.bounds), f"EPSG:{SITE.epsg}", False)
        scene = (ee.ImageCollection(COLLECTION).filterDate("2023-07-01", "2023-07-30")
                 .filterBounds(region).sort("CLOUD_COVERAGE_ASSESSMENT").first()
                 .select(list(EE_BANDS)).clip(region))
        (training, train_codes), (test, _) = (
            points(next((landscape / "points").glob(f"{part}_*.csv"))) for part in ("train",
                                                                                    "test"))
        sampled, tested = (scene.sampleRegions(p, ["class"], 10) for p in (training, test))
        kept = sampled.size().getInfo()  # points on the strips without data are dropped
        assert 0.9 * len(train_codes) < kept <= len(train_codes)
        order = sorted(set(train_codes))
        models = {"CART": ee.Classifier.smileCart(), "RF": ee.Classifier.smileRandomForest(10),
                  "SVM": ee.Classifier.libsvm(cost=0.01)}
        truth = rasterio.open(landscape / "truth" / "strzegom_20230709_33u.tif").read(1)
        for name, untrained in models.items():
            model = untrained.train(sampled, "class", list(EE_BANDS))
            found = ee.Dictionary({
                "again": model.confusionMatrix().accuracy(),
                "test": tested.classify(model).errorMatrix("class", "classification",
                                                           order).array(),
                "class": tested.aggregate_array("class"),
                "mapped": tested.classify(model).aggregate_array("classification")}).getInfo()
            assert found["test"] == metrics.confusion_matrix(
                found["class"], found["mapped"], labels=order).tolist()
            accuracy = np.trace(found["test"]) / np.sum(found["test"])
            assert found["again"] > 0.7 and accuracy > 0.5, (name, found["again"], accuracy)
            mapped = ee.data.computePixels({
                "expression": scene.classify(model).toByte(), "fileFormat": "NUMPY_NDARRAY",
                "grid": {"crsCode": f"EPSG:{SITE.epsg}",
                         "dimensions": {"width": SITE.cols, "height": SITE.rows},
                         "affineTransform": dict(zip(
                             ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY"),
                             SITE.transform, strict=True))}})["classification"]
            assert set(np.unique(mapped)) <= {legend.NO_DATA, *order}
            assert (mapped == truth)[mapped > 0].mean() > 0.4, name
        importance = ee.Classifier.smileRandomForest(10).train(
            sampled, "class", list(EE_BANDS)).explain().get("importance").getInfo()
        assert set(importance) == set(EE_BANDS)
        codes = ee.Image(CORINE).reduceRegion(ee.Reducer.frequencyHistogram(), region, 100)
        assert set(map(int, codes.getInfo()["landcover"])) <= legend.corine_crosswalk().keys()
    ee.Reset()
    assert time.perf_counter() - begun < 60


@pytest.fixture
def command(landscape):
    """A function that starts the command on the landscape and reads the first line it prints."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "lulc_lib", "earth-engine", "--source", "synthetic", *arguments],
            cwd=landscape.parents[1], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            # a run in the background ignores Ctrl-C and would hand that on
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(command, ending):
    process, address = command()
    assert address.startswith("http://127.0.0.1:")
    assert requests.get(f"{address}/v1/projects/offline/algorithms", timeout=60).ok
    port = address.rsplit(":", 1)[1]
    second, nothing = command("--port", port)
    message = second.communicate(timeout=120)[1]
    assert (nothing, second.returncode) == ("", 2)
    assert message.count("\n") == 1 and port in message and "Traceback" not in message
    process.send_signal(ending)
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 0 and "Ctrl-C stops" in told and "Traceback" not in told


@pytest.mark.parametrize("arguments, words", [
    (["--source", "moon"], "moon"), (["--port", "99999"], "99999"), (["--port", "many"], "many"),
    (["--site", "atlantis"], "atlantis"), (["--corine", "none.tif"], "none.tif")])
def test_bad_arguments_are_named_and_end_with_exit_code_2(command, arguments, words):
    process, first = command(*arguments)
    told = process.communicate(timeout=120)[1]
    assert (first, process.returncode) == ("", 2)
    assert words in told and "Traceback" not in told
