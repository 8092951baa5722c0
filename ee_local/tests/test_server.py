"""The local Earth Engine's server: what it refuses, and how it starts and stops."""

import gzip
import json
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import ee
import numpy as np
import pytest
import requests
from local_engine import (
    COLLECTION,
    EE_BANDS,
    box,
    centre,
    initialise,
    write_scenes,
)

import ee_local as local
from ee_local import InputError, models
from ee_local import engine as engine_module

COMPUTE = "/v1/projects/offline/value:compute"
AS_JSON = {"Content-Type": "application/json"}


def expression(value):
    return {"expression": {"result": "0", "values": {"0": value}}}


def call(name, **arguments):
    return {"functionInvocationValue": {"functionName": name, "arguments": arguments}}


def refused(engine, body, code=400):
    answer = engine.post(COMPUTE, json=body)
    assert answer.status_code == code, answer.text
    error = answer.json()["error"]
    assert error["code"] == code and error["status"] and "\n" not in error["message"]
    return error["message"]


def test_discovery_names_this_server(engine):
    document = engine.get("/$discovery/rest?version=v1").json()
    assert document["rootUrl"] == document["baseUrl"] == engine.address + "/"
    assert document["version"] == "v1"
    assert "v1alpha" not in json.dumps(document)
    assert {"tables", "value", "maps"} <= document["resources"]["projects"]["resources"].keys()


def test_starts_in_less_than_two_seconds(tmp_path):
    """Two seconds of work: it waits for nothing, and a busy machine shall not fail this."""
    write_scenes(tmp_path)
    code = ("import time, pathlib; begun = time.process_time()\n"
            "import ee_local as local\n"
            f"server = local.start(pathlib.Path({str(tmp_path)!r}))\n"
            "print(time.process_time() - begun); server.stop()")
    times = [float(subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True,
                                  capture_output=True, text=True).stdout) for _ in range(2)]
    assert min(times) < 2  # with every import; the first run may compile


def test_is_ready_when_start_returns_and_gone_when_stopped(tmp_path):
    write_scenes(tmp_path)
    with local.start(tmp_path) as server:
        session = requests.Session()
        assert session.get(server.address + "/$discovery/rest", timeout=5).ok
    with pytest.raises(requests.ConnectionError):  # also the connection that was open
        session.get(server.address + "/$discovery/rest", timeout=5)
    server.stop()


def test_listens_on_loopback_only(engine):
    port = int(engine.address.rsplit(":", 1)[1])
    assert engine.server._server.socket.getsockname()[0] == "127.0.0.1"
    others = {a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        with pytest.raises(OSError):
            socket.create_connection((address, port), timeout=2)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", port), timeout=2)


@pytest.mark.parametrize("host, code", [
    ("127.0.0.1:1", 200), ("localhost", 200), ("evil.example", 421), ("evil.example:80", 421),
    ("127.0.0.1.evil.example", 421), ("", 421)])
def test_answers_only_to_this_machines_name(engine, host, code):
    assert engine.get("/$discovery/rest", headers={"Host": host}).status_code == code


def test_what_is_no_data_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        local.start(tmp_path / "none")
    with pytest.raises(InputError, match="there is no GeoTIFF in it"):
        local.start(tmp_path)
    write_scenes(tmp_path)
    with pytest.raises(InputError, match="70000"):
        local.start(tmp_path, port=70000)
    with pytest.raises(InputError, match="collection is 'a b'"):
        local.start(tmp_path, collection="a b")


def test_a_port_in_use_is_refused(engine):
    port = int(engine.address.rsplit(":", 1)[1])
    with pytest.raises(InputError, match=str(port)):
        local.start(engine.root, port=port)


@pytest.mark.parametrize("path, verb, code", [
    ("/", "GET", 404), ("/v1/projects/offline/nothing", "GET", 404),
    ("/v1/projects/offline/value:compute", "GET", 405), ("/v1/projects/offline/algorithms", "POST",
                                                         405),
    ("/v1/projects/offline/algorithms", "DELETE", 405),
    ("/v1/projects/offline/algorithms", "BREW", 501),
    ("/v1/projects/other/algorithms", "GET", 403),
    ("/v1/projects/offline/maps/unknown/tiles/1/1/1", "GET", 404),
    ("/v1/projects/offline/assets/../../../etc/passwd", "GET", 404),
    ("/v1/projects/offline/assets/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "GET", 404),
    ("/v1/projects/offline/operations/none", "GET", 404)])
def test_wrong_addresses_are_answered_in_googles_form(engine, path, verb, code):
    answer = requests.request(verb, engine.address + path, timeout=10)
    assert answer.status_code == code
    assert answer.json()["error"]["code"] == code and answer.json()["error"]["message"]


def test_head_is_a_get_without_the_body(engine):
    path = "/v1/projects/offline/algorithms"
    head = requests.head(engine.address + path, timeout=10)
    assert head.status_code == 200 and head.content == b""
    assert int(head.headers["Content-Length"]) == len(engine.get(path).content)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"expression": 3}',
                                  b'{"expression": {"result": "0"}}',
                                  b'{"expression": {"result": 0, "values": {}}}',
                                  b'{"expression": {"result": "0", "values": []}}',
                                  b"[" * 100_000])
def test_bodies_that_are_no_expression(engine, body):
    answer = engine.post(COMPUTE, data=body, headers=AS_JSON)
    assert answer.status_code == 400 and answer.json()["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("value, words", [
    ({"valueReference": "7"}, "'7'"), ({"valueReference": "0"}, "refers to itself"),
    ({"argumentReference": "x"}, "'x'"), ({"nonsense": 1}, "no value"), ({}, "no value"), (5, "no"),
    ({"constantValue": 1, "valueReference": "0"}, "no value"),
    ({"arrayValue": {"values": 3}}, "values"), ({"dictionaryValue": []}, "dictionary"),
    ({"functionDefinitionValue": {"argumentNames": "x", "body": "0"}}, "argumentNames"),
    ({"functionInvocationValue": {"arguments": {}}}, "functionName"),
    ({"functionInvocationValue": {"functionName": "Number.add", "arguments": []}}, "arguments"),
    ({"functionInvocationValue": {"functionReference": "9", "arguments": {}}}, "'9'"),
    ({"integerValue": "many"}, "integerValue"), ({"bytesValue": "AA=="}, "bytesValue"),
    (call("Number.divide", left={"constantValue": 1}), "'right' is required"),
    (call("Number.add", left={"constantValue": 1}, right={"constantValue": "x"}), "String"),
    (call("Number.add", left={"constantValue": 1}, right={"constantValue": 2},
          wrong={"constantValue": 3}), "wrong"),
    (call("No.such"), "No.such"), (call("Landsat.TOA"), "Landsat.TOA")])
def test_graphs_that_are_not_well_formed(engine, value, words):
    assert words in refused(engine, expression(value))


def test_a_circle_of_references_is_refused(engine):
    body = {"expression": {"result": "a", "values": {
        "a": call("Number.abs", input={"valueReference": "b"}),
        "b": call("Number.abs", input={"valueReference": "a"})}}}
    assert "refers to itself" in refused(engine, body)


def test_nests_as_deep_as_the_client_sends_them_are_answered(engine):
    number = ee.Number(0)
    for _ in range(150):
        number = number.add(1)
    assert number.getInfo() == 150
    image = engine.image().select("B2")
    for _ in range(120):
        image = image.add(1)
    found = engine.pixels(image)["B2"]
    np.testing.assert_array_equal(found, np.nan_to_num(engine.band("B2") + 120))


def test_nests_too_deep_are_refused(engine):
    start, end = json.dumps(call("Number.abs", input=0)).split("0}")
    inner = start * 20_000 + '{"constantValue": 1}' + ("}" + end) * 20_000
    body = '{"expression": {"result": "0", "values": {"0": ' + inner + "}}}"
    answer = engine.post(COMPUTE, data=body, headers=AS_JSON)
    assert answer.status_code == 400 and re.search("recursion|nested",
                                                   answer.json()["error"]["message"])
    values = {str(k): call("Number.abs", input={"valueReference": str(k + 1)})
              for k in range(20_000)} | {"20000": {"constantValue": 1}}
    assert "nested" in refused(engine, {"expression": {"result": "0", "values": values}})
    assert ee.Number(1).add(1).getInfo() == 2


def test_shared_parts_of_a_function_are_evaluated_once(engine):
    """A chain of 60 doublings inside a mapped function: 2⁶⁰ evaluations if it were not so."""
    def doubled(number):
        number = ee.Number(number)
        for _ in range(60):
            number = number.add(number)
        return number

    assert ee.List([1, 3]).map(doubled).getInfo() == [2**60, 3 * 2**60]


def test_bodies_too_large_or_without_an_end(engine):
    host, port = engine.address.removeprefix("http://").split(":")

    def raw(head):
        with socket.create_connection((host, int(port)), timeout=10) as wire:
            wire.sendall(head.replace("\n", "\r\n").encode())
            return wire.recv(65536).decode()
    start = f"POST {COMPUTE} HTTP/1.1\nHost: 127.0.0.1\n"
    assert " 413 " in raw(f"{start}Content-Length: 99999999\n\n")
    assert " 400 " in raw(f"{start}Content-Length: -5\n\n")
    assert " 400 " in raw(f"{start}Content-Length: many\n\n")
    assert " 411 " in raw(f"{start}Transfer-Encoding: chunked\n\n")
    assert " 400 " in raw("nonsense\n\n")
    assert ee.Number(1).getInfo() == 1


def test_gzip_bodies(engine):
    body = gzip.compress(json.dumps(expression({"constantValue": 4})).encode())
    options = {"headers": {**AS_JSON, "Content-Encoding": "gzip"}}
    assert engine.post(COMPUTE, data=body, **options).json() == {"result": 4}
    assert engine.post(COMPUTE, data=b"no gzip", **options).status_code == 400
    bomb = gzip.compress(b" " * 50_000_000)
    assert engine.post(COMPUTE, data=bomb, **options).status_code == 413


def test_a_client_that_goes_away_harms_nobody(engine):
    host, port = engine.address.removeprefix("http://").split(":")
    for data in (b"", b"POST ", f"POST {COMPUTE} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 "Content-Length: 50\r\n\r\n{".encode(),
                 b"GET /v1/projects/offline/algorithms HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=10) as wire:
            wire.sendall(data)
    time.sleep(0.1)
    assert ee.Number(2).multiply(3).getInfo() == 6


def test_pages_of_this_machine_may_read_pictures_and_nothing_else(engine):
    mapped = engine.image().getMapId({"bands": ["B4"], "min": 0, "max": 3000})
    tile = mapped["tile_fetcher"].format_tile_url(0, 0, 0).removeprefix(engine.address)
    for origin, allowed in (("http://localhost:8888", True), ("http://127.0.0.1:8888", True),
                            ("https://evil.example", False), ("null", False)):
        headers = {"Origin": origin}
        found = engine.get(tile, headers=headers).headers.get("Access-Control-Allow-Origin")
        assert found == (origin if allowed else None)
        listed = engine.get("/v1/projects/offline/algorithms", headers=headers)
        assert "Access-Control-Allow-Origin" not in listed.headers


def test_what_the_client_can_ask_and_the_server_cannot_do(engine):
    for ask, words in ((lambda: ee.data.getFeatureViewTilesKey({"assetId": "a/b"}), "featureView"),
                       (lambda: ee.ImageCollection(COLLECTION).getVideoThumbURL({}),
                        "videoThumbnails"),
                       (lambda: ee.data.computeImages({"expression": ee.ImageCollection(
                           COLLECTION)}), "computeImages")):
        with pytest.raises(ee.EEException, match=f"{words} is not implemented by the local"):
            ask()
    assert ee.data.getProjectConfig()["name"] == "projects/offline/config"


def test_an_unknown_function_is_named(engine):
    with pytest.raises(ee.EEException, match=r"Terrain.slope is not implemented by the local"):
        ee.Terrain.slope(engine.image()).getInfo()


def test_a_fault_of_ours_is_an_error_and_not_repeated(engine, monkeypatch):
    calls = []

    def broken(self, identifier):
        calls.append(identifier)
        raise RuntimeError("out\nof order")

    monkeypatch.setattr(engine_module.Catalogue, "image", broken)
    with pytest.raises(ee.EEException, match="RuntimeError: out of order"):
        ee.Image("some/image").getInfo()
    assert len(calls) == 1


def forest(engine, trees, seed):
    points = [ee.Feature(ee.Geometry.Point(centre(r, c)), {"class": 1 + (r > 12) + (r > 25)})
              for r in range(1, 38, 4) for c in range(2, 48, 5)]
    sampled = engine.image().sampleRegions(ee.FeatureCollection(points), ["class"], 10)
    return ee.Classifier.smileRandomForest(trees, seed=seed).train(sampled, "class", EE_BANDS)


def test_a_model_is_trained_once_by_many_requests_at_a_time(engine, monkeypatch):
    fits, guard = [], threading.Lock()
    real = models.bag

    def counted(*arguments):
        with guard:
            fits.append(1)
        time.sleep(0.01)
        return real(*arguments)

    monkeypatch.setattr(models, "bag", counted)
    model = forest(engine, 3, 77)
    order = [1, 2, 3]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(lambda: model.confusionMatrix().array().getInfo()) for _ in range(8)]
        found = [a.result() for a in asked]
    assert len(fits) == 3  # one bag for each tree
    assert all(f == found[0] for f in found)
    sampled = engine.image().classify(model).reduceRegion(
        ee.Reducer.frequencyHistogram(), box(2, 2, 30, 40), 10)
    assert sampled.getInfo() and model.explain().get("numberOfTrees").getInfo() == 3
    assert len(fits) == 3 and order == [1, 2, 3]


def test_different_options_are_different_models(engine):
    first, second, third = (forest(engine, *o).explain().get("trees").getInfo()
                            for o in ((2, 1), (2, 2), (2, 1)))
    assert first == third != second


def test_many_requests_at_once_are_all_right(engine):
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(lambda k=k: ee.Number(k).multiply(k).getInfo()) for k in range(60)]
        assert [a.result() for a in asked] == [k * k for k in range(60)]


def test_what_is_remembered_is_bounded(engine, monkeypatch):
    monkeypatch.setattr(engine_module, "MOST_HANDLES", 3)
    names = [engine.server.engine.keep("projects/offline/maps", k) for k in range(5)]
    with pytest.raises(Exception, match="create it again"):
        engine.server.engine.kept(names[0])
    assert engine.server.engine.kept(names[-1]) == 4


def test_two_servers_do_not_mix(engine, tmp_path):
    write_scenes(tmp_path)
    (tmp_path / "20220619_T33UWS_strzegom.tif").unlink()
    try:
        with local.start(tmp_path, collection=COLLECTION) as other:
            initialise(other.address)
            assert ee.ImageCollection(COLLECTION).size().getInfo() == 1
    finally:
        initialise(engine.address)
    assert ee.ImageCollection(COLLECTION).size().getInfo() == 2


def test_every_function_is_documented_and_one_of_earth_engines():
    found = local.functions()
    assert len(found) > 500
    assert [name for name, text in found.items() if not text.endswith(".")] == []
    assert {"Image.sampleRegions", "Classifier.train", "Collection.errorMatrix"} <= found.keys()
