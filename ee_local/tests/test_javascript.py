"""Google's JavaScript client runs the study's workflow, and finds what the Python client finds."""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import ee
import numpy as np
import pytest
import rasterio
import requests
from local_engine import COLLECTION, COLS, EAST, EE_BANDS, EPSG, NORTH, ROWS, centre
from sklearn.metrics import confusion_matrix
from sklearn.svm import SVC

FOLDER = Path(__file__).parents[1]
SCRIPT = Path(__file__).parent / "javascript" / "workflow.js"
ORDER = [4, 7, 9]
INSTALL = "npm install --no-save --prefix ee_local @google/earthengine"


def with_package():
    """The environment in which Node finds the client; skips where it cannot be."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node on this machine")
    places = [str(FOLDER / "node_modules"), os.environ.get("NODE_PATH", "")]
    environment = os.environ | {"NODE_PATH": os.pathsep.join(p for p in places if p)}
    asked = subprocess.run([node, "-e", "require.resolve('@google/earthengine')"],
                           env=environment, capture_output=True)
    if asked.returncode:
        pytest.skip(f"Node has no @google/earthengine; {INSTALL}")
    return environment


@pytest.fixture(scope="module")
def found(engine, tmp_path_factory):
    """What the script prints."""
    environment = with_package()
    rng = np.random.default_rng(8)
    points = []
    for row in range(1, ROWS - 1, 3):
        for col in range(1, COLS, 4):
            lon, lat = centre(row, col)
            true = 4 if row < 12 else 7 if row < 25 else 9
            points.append({"lon": lon, "lat": lat, "class": int(
                rng.choice(ORDER) if rng.random() < 0.15 else true)})
    file = tmp_path_factory.mktemp("javascript") / "points.json"
    file.write_text(json.dumps({
        "points": points, "bands": EE_BANDS, "order": ORDER, "crs": f"EPSG:{EPSG}",
        "bounds": [EAST, NORTH - 10 * ROWS, EAST + 10 * COLS, NORTH]}))
    ran = subprocess.run(["node", str(SCRIPT), engine.address, str(file), COLLECTION],
                         env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


def table(found):
    """Rows, labels and random numbers of the sampled points, as JavaScript was given them."""
    features = [f["properties"] for f in found["rows"]["features"]]
    rows = np.array([[f[b] for b in EE_BANDS] for f in features])
    return rows, *(np.array([f[n] for f in features]) for n in ("class", "random"))


def test_both_clients_build_the_same_trees(engine, found):
    rows, labels, random = table(found)
    assert found["sizes"] == [(random < 0.7).sum(), (random >= 0.7).sum()]
    collection = ee.FeatureCollection([
        ee.Feature(None, dict(zip([*EE_BANDS, "class"], [*r, int(k)], strict=True)))
        for r, k in zip(rows.tolist(), labels, strict=True)])
    training, test = (ee.FeatureCollection(collection.toList(1000).slice(*ends)) for ends in (
        (0, found["sizes"][0]), (found["sizes"][0], None)))
    for name, make in (("cart", ee.Classifier.smileCart),
                       ("forest", lambda: ee.Classifier.smileRandomForest(10))):
        trained = make().train(training, "class", EE_BANDS)
        counts = test.classify(trained).errorMatrix("class", "classification", ORDER).array()
        assert found["matrices"][name]["counts"] == counts.getInfo()
        assert found["importance"][name] == pytest.approx(
            trained.explain().get("importance").getInfo())


def test_the_machine_is_libsvms(found):
    rows, labels, random = table(found)
    machine = SVC(C=0.001, kernel="linear").fit(rows[random < 0.7], labels[random < 0.7])
    test = random >= 0.7
    expected = confusion_matrix(labels[test], machine.predict(rows[test]), labels=ORDER)
    told = found["matrices"]["svm"]
    assert told["counts"] == expected.tolist()
    assert told["accuracy"] == pytest.approx(np.trace(expected) / expected.sum())


def test_maps_are_counted_drawn_and_downloaded(engine, found):
    body = requests.get(found["download"], timeout=60).content
    with rasterio.open(io.BytesIO(body)) as source:
        values, mask = source.read(1), source.read_masks(1) > 0
        assert source.shape == (ROWS, COLS) and source.crs.to_epsg() == EPSG
    codes, counts = np.unique(values[mask], return_counts=True)
    assert found["histograms"]["svm"]["classification"] == dict(
        zip(map(str, codes.tolist()), counts.tolist(), strict=True))
    tile = requests.get(f"{found['map']['urlFormat']}".format(z=12, x=2237, y=1374), timeout=60)
    assert tile.ok and tile.content.startswith(b"\x89PNG")


def test_errors_reach_javascript(found):
    assert "Band pattern 'B99' did not match any bands" in found["error"]
