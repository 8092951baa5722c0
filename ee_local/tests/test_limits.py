"""What one request may cost, and what a page of another site may ask: nothing freezes the server.

Limits are set low here, so that what is refused is small.
"""

import signal
import socket
import subprocess
import sys
import threading
import time

import ee
import numpy as np
import pytest
import requests
from ee_local.cache import OnceCache, weight
from ee_local.limits import written
from local_engine import COLLECTION, apply, box, scene_grid, write_scenes

import ee_local as local
from ee_local import InputError, graph, limits, patterns

COMPUTE = "/v1/projects/offline/value:compute"


def refused(ask, words):
    with pytest.raises(ee.EEException, match=words):
        ask.getInfo()


def test_regular_expressions_are_matched_in_linear_time(engine):
    """By an engine that has no look-around and no back-reference; it says so."""
    text = ee.String("Sentinel-2")
    for regex in ("(?=S)", "(?<!S)e", r"(\w)\1"):
        refused(text.match(regex), "there is no look-around and no back-reference")
    refused(engine.image().select("(?!B2).*"), "Image.select: the regular expression")
    refused(text.match("a" * 1001), "longer than 1000 characters")
    refused(text.match(r"(\p{L}{1,300})"), "too large")
    assert ee.Dictionary({"B2": 1, "B11": 2, "SCL": 3}).select(["B\\d"]).getInfo() == {"B2": 1}


def test_flags_and_groups_of_regular_expressions():
    assert apply("String.match", "one\nTwo", "^t(w)", "im") == ["Tw", "w"]
    assert apply("String.match", "ab", "(x)?b", "") == ["b", ""]
    assert apply("String.split", "a1b22c", "[0-9]+", "") == ["a", "b", "c"]
    assert apply("String.replace", "ab", "(a)(b)", r"$2\$1", "") == r"b\a"
    assert apply("String.replace", "aaa", "", "-", "g") == "-a-a-a-"
    with pytest.raises(Exception, match="names a group that"):
        apply("String.replace", "ab", "(a)", "$2", "")
    with pytest.raises(Exception, match="half a character"):
        apply("String.match", "\ud800", "a", "")


def test_lengths_of_texts(engine, monkeypatch):
    monkeypatch.setattr(limits, "MOST_CHARACTERS", 100)
    monkeypatch.setattr(patterns, "MOST_CHARACTERS", 100)
    monkeypatch.setattr(patterns, "LONGEST_TEXT", 90)
    text = ee.String("ab" * 40)
    refused(text.cat(text), "String.cat: a text of 160 characters is too much; at most 100 can be")
    refused(text.replace("a", "12", "g").cat("").match("a"), "120 characters|longer than 100")
    assert len(text.replace("a", "1", "g").getInfo()) == 80
    refused(ee.String("a" * 95).match("a"), "text of 95 characters is too long to be searched")
    refused(ee.Number(1).format("%1000d"), "cannot be read")


def test_a_joined_text_is_measured_before_it_is_made(engine, monkeypatch):
    monkeypatch.setattr("ee_local.algorithms.lists.MOST_CHARACTERS", 20)
    assert ee.List([1, 2]).join("-" * 8).getInfo() == "1--------2"
    refused(ee.List([1, 2, 3]).join("-" * 8), "List.join: the text is longer than 20")


def test_lengths_of_lists(engine, monkeypatch):
    monkeypatch.setattr(limits, "MOST_ITEMS", 100)
    half = ee.List.sequence(1, 60)
    refused(half.cat(half), "List.cat: 120 elements is too much; at most 100 can be")
    refused(ee.FeatureCollection(half.map(lambda k: ee.Feature(None, {"k": k}))).merge(
        half.map(lambda k: ee.Feature(None, {"k": k}))), "120 elements")
    refused(ee.Dictionary.fromLists(ee.List.sequence(1, 99).map(lambda k: ee.String(k)),
                                    ee.List.sequence(1, 99)).combine({"a": 1, "b": 2}), "elements")


def test_what_is_shared_counts_as_often_as_it_occurs(engine, monkeypatch):
    monkeypatch.setattr(limits, "MOST_WRITTEN", 4096)
    values = {"0": {"constantValue": 1}}
    for k in range(1, 12):
        part = {"valueReference": str(k - 1)}
        values[str(k)] = {"arrayValue": {"values": [part, part]}}
    for top, code in (("7", 200), ("11", 400)):
        answer = engine.post(COMPUTE, json={"expression": {"result": top, "values": values}})
        assert answer.status_code == code
    assert "written out" in answer.json()["error"]["message"]
    nested = ee.List([1])
    for _ in range(11):
        nested = ee.List.repeat(nested, 2)
    refused(nested, "List.repeat: a value of .* bytes, written out")
    inside = ee.Feature(None, {"a": ee.List.repeat(0, 100)})
    refused(ee.List.repeat(inside, 10), "written out")
    four = ee.FeatureCollection([inside.set("k", k) for k in range(4)])
    assert four.merge(four).size().getInfo() == 8
    refused(four.merge(four), "The answer: a value of .* bytes, written out")


def test_sizes_as_written():
    assert written([1, 2.5, None], {}) == 8 * 4
    assert written({"a": "xyz", "b": [1]}, {}) == 8 + 8 + 3 + 8 + 16
    assert written([np.zeros(10)], {}) == 8 + 8 + 80
    point = apply("GeometryConstructors.MultiPoint", [[0, 1], [2, 3]], None)
    assert written([point], {}) == 8 + 8 + 8 * 2 + 2 * 16


def test_bodies_of_functions_count_once_for_each_set_of_arguments(engine, monkeypatch):
    """Two functions with arguments of different names share a body, which holds two such again."""
    monkeypatch.setattr(graph, "MOST_NODES", 300)
    values = {"0": {"argumentReference": "a0"}}
    for k in range(1, 9):
        bodies = [{"functionDefinitionValue": {"argumentNames": [f"{n}{k}"], "body": str(k - 1)}}
                  for n in "ab"]
        values[str(k)] = {"arrayValue": {"values": bodies}}
    answer = engine.post(COMPUTE, json={"expression": {"result": "8", "values": values}})
    assert answer.status_code == 400 and "more than 300 parts" in answer.text


def test_steps_are_counted_for_each_request(engine, monkeypatch):
    monkeypatch.setattr(limits, "MOST_STEPS", 50)
    assert ee.List.sequence(1, 30).map(lambda k: ee.Number(k).abs()).size().getInfo() == 30
    refused(ee.List.sequence(1, 60).map(lambda k: ee.Number(k).abs()), "after 50 steps")
    assert ee.Number(1).add(1).getInfo() == 2


def test_distances_dates_and_numbers_of_points_that_no_earth_has(engine):
    point = ee.Geometry.Point([16, 51])
    refused(point.buffer(1e12), "half way round the Earth")
    refused(ee.FeatureCollection.randomPoints(point.buffer(10), 10**9), "must be 0 to 1000000")
    refused(ee.FeatureCollection.randomPoints(point.buffer(10), -1), "points is -1")
    for years in (8000, 1e18, -1e6):
        refused(ee.Date("2023-07-09").advance(years, "year"), "out of the calendar")
    utm = ee.Projection("EPSG:32633")
    assert ee.Geometry.LineString([[0, 0], [1e15, 1e15]], utm).type().getInfo() == "LineString"
    assert point.buffer(1e12, 1, utm).coordinates().get(0).getInfo()  # bounded, if of no use


def test_whole_numbers_stay_within_64_bits(engine):
    number = ee.Number(3)
    for _ in range(12):
        number = number.multiply(number)
    assert number.getInfo() is None  # infinity, which JSON has no word for
    assert apply("Number.multiply", 2**31, 2**31) == 2**62
    assert isinstance(apply("Number.multiply", 2**40, 2**40), float)


def test_different_elements():
    mixed = [1, 1.0, True, "1", [1], [1], None, None, 2]
    assert apply("List.distinct", mixed) == [1, True, "1", [1], None, 2]
    assert apply("List.removeAll", mixed, [1, [1]]) == [True, "1", None, None, 2]
    assert apply("List.containsAll", mixed, ["1", None, [1]])
    assert not apply("List.containsAll", mixed, [3])


def test_a_busy_server_ends_when_it_is_asked_to(tmp_path):
    """A function that never returns stands for what takes long; SIGTERM ends the process."""
    write_scenes(tmp_path)
    code = ("import sys; from ee_local import algorithms, registry, cli\n"
            "algorithms.load()\n"
            "def endless(value):\n"
            "    print('busy', flush=True)\n"
            "    while True: pass\n"
            "found = registry._FUNCTIONS['Number.abs']\n"
            "registry._FUNCTIONS['Number.abs'] = found._replace(compute=endless)\n"
            f"sys.exit(cli.main([{str(tmp_path)!r}]))")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, cwd=tmp_path)
    try:
        address = process.stdout.readline().strip()
        call = {"functionInvocationValue": {"functionName": "Number.abs", "arguments": {
            "input": {"constantValue": 1}}}}
        body = {"expression": {"result": "0", "values": {"0": call}}}

        def ask():
            with pytest.raises(requests.ConnectionError):
                requests.post(address + COMPUTE, json=body, timeout=60)

        asked = threading.Thread(target=ask)
        asked.start()
        assert process.stdout.readline() == "busy\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        asked.join(60)
        assert not asked.is_alive()
    finally:
        process.kill()


FOREIGN = ({"Origin": "https://evil.example"}, {"Origin": "null"},
           {"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "cross-site"},
           {"Sec-Fetch-Site": "same-site"})


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_of_another_site_can_ask_for_nothing(engine, headers):
    body = {"expression": {"result": "0", "values": {"0": {"constantValue": 1}}}}
    project = "/v1/projects/offline/"
    for answer in (engine.post(COMPUTE, json=body, headers=headers),
                   engine.post(COMPUTE, data="{}", headers={**headers, "Content-Type":
                                                            "text/plain"}),
                   engine.post(project + "image:export", json=body, headers=headers),
                   engine.post(project + "operations/x:cancel", headers=headers),
                   engine.get(project + "algorithms", headers=headers),
                   engine.get(f"{project}assets/{COLLECTION}", headers=headers)):
        assert answer.status_code == 403 and "another site" in answer.json()["error"]["message"]


def test_a_page_of_another_site_may_show_a_picture(engine):
    """Notebooks show tiles in pages of many addresses; the tile's name cannot be guessed."""
    shown = engine.image().getMapId({"bands": ["B4"], "min": 0, "max": 3000})
    tile = shown["tile_fetcher"].format_tile_url(0, 0, 0).removeprefix(engine.address)
    for headers in FOREIGN:
        assert engine.get(tile, headers=headers).status_code == 200


def test_the_servers_own_address_is_no_other_site(engine):
    body = {"expression": {"result": "0", "values": {"0": {"constantValue": 1}}}}
    for headers in ({"Origin": engine.address}, {"Sec-Fetch-Site": "same-origin"},
                    {"Sec-Fetch-Site": "none"}, {}):
        assert engine.post(COMPUTE, json=body, headers=headers).json() == {"result": 1}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_read(engine, kind):
    answer = engine.post(COMPUTE, data="{}", headers={"Content-Type": kind})
    assert answer.status_code == 415 and "application/json" in answer.json()["error"]["message"]


def test_answers_do_not_wait_for_an_acknowledgement(engine):
    """With Nagle's algorithm the end of every answer but the first comes after 40 ms."""
    host, port = engine.address.removeprefix("http://").split(":")
    ask = b"GET /v1/projects/offline/config HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    times = []
    with socket.create_connection((host, int(port)), timeout=30) as wire:
        for _ in range(12):
            begun, answer = time.perf_counter(), b""
            wire.sendall(ask)
            while b"}" not in answer:
                answer += wire.recv(65536)
            times.append(time.perf_counter() - begun)
    assert min(times[2:]) < 0.02


def test_what_a_value_weighs():
    assert 80_000 <= weight(np.zeros(10_000)) < 90_000
    whole = np.zeros((100, 100))
    assert weight(whole[:1]) > 80_000  # a view keeps the whole
    shared = "x" * 10_000
    assert weight([shared, shared]) < 12_000
    assert 900_000 < weight([float(k) for k in range(30_000)]) < 1_100_000
    assert weight({"a": [shared]}) > 10_000

    def reader(array=None):
        return lambda grid: array

    assert weight(reader(np.zeros(10_000))) > 80_000


def test_the_cache_of_results_is_bounded_in_bytes(tmp_path):
    write_scenes(tmp_path)
    with local.start(tmp_path, cache=100_000, exports=tmp_path / "out") as server:
        engine = server.engine
        for k in range(30):
            call = {"functionInvocationValue": {"functionName": "List.repeat", "arguments": {
                "value": {"constantValue": k}, "count": {"constantValue": 1000}}}}
            found = engine.evaluate({"result": "0", "values": {"0": call}})
            assert found == [k] * 1000
        assert 50_000 < engine.evaluator.cache._held <= 100_000
        names = [engine.keep("projects/offline/tables", b"x" * 40_000) for _ in range(4)]
        with pytest.raises(Exception, match="create it again"):
            engine.kept(names[0])
        assert engine.kept(names[-1]) == b"x" * 40_000


def test_a_value_larger_than_the_cache_drives_nothing_out():
    cache = OnceCache(10, len)
    cache.get("small", lambda: "ab")
    assert len(cache.get("large", lambda: "x" * 11)) == 11
    assert len(cache) == 1 and cache._held == 2


@pytest.mark.parametrize("exports, words", [
    ("scene.txt", "is a file"), ("scene.txt/below", "is a file"), ("x" * 300, "no path of"),
    ("loop/below", "no path of a folder")])
def test_exports_that_cannot_be_written_are_refused_at_the_start(tmp_path, exports, words):
    write_scenes(tmp_path / "scenes")
    (tmp_path / "scene.txt").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=words):
        local.start(tmp_path / "scenes", exports=tmp_path / exports)


def test_a_cache_without_size_is_refused(tmp_path):
    write_scenes(tmp_path)
    with pytest.raises(InputError, match="cache is 0 bytes"):
        local.start(tmp_path, cache=0)


def test_an_export_never_replaces_a_scene_that_is_served(tmp_path):
    write_scenes(tmp_path)
    scene = next(tmp_path.glob("*.tif"))
    before = scene.read_bytes()
    with local.start(tmp_path, exports=tmp_path) as server:
        body = {"expression": {"result": "0", "values": {"0": {"constantValue": 1}}},
                "fileExportOptions": {"fileFormat": "GEO_TIFF", "driveDestination": {
                    "filenamePrefix": scene.stem}}}
        answer = requests.post(server.address + "/v1/projects/offline/image:export", json=body,
                               timeout=60)
        assert answer.status_code == 400 and "would replace" in answer.json()["error"]["message"]
    assert scene.read_bytes() == before


def test_a_spike_of_no_width_counts_no_pixel(engine):
    """The polygon with an edge that runs out and back is the polygon without it."""
    grid = scene_grid()["affineTransform"]
    x, y = grid["translateX"] + 100, grid["translateY"] - 100
    corners = [[x, y], [x + 100, y], [x + 100, y - 50], [x + 300, y - 50], [x + 100, y - 50],
               [x + 100, y - 100], [x, y - 100], [x, y]]
    spiked = ee.Geometry.Polygon([corners], "EPSG:32633", False)
    plain = box(10, 10, 10, 10)
    assert spiked.type().getInfo() == "Polygon"
    assert spiked.area(1).getInfo() == pytest.approx(plain.area(1).getInfo())
    image = engine.image().select("B4")
    assert image.reduceRegion("count", spiked, 10).getInfo() == {"B4": 100}
    feature = {"type": "Feature", "geometry": {
        "type": "Polygon", "coordinates": [corners], "geodesic": False,
        "crs": {"type": "name", "properties": {"name": "EPSG:32633"}}}}
    assert image.reduceRegions(ee.FeatureCollection([ee.Feature(feature)]), "count", 10
                               ).first().get("count").getInfo() == 100


def test_rings_that_cross_follow_the_rule_that_is_asked_for():
    """A star: by the even-odd rule its middle lies outside."""
    turn = np.array([0, 2, 4, 1, 3]) * 2 * np.pi / 5
    ring = [np.column_stack([np.cos(turn), np.sin(turn)]).tolist()]
    crs = apply("Projection", "EPSG:3857", None, None)
    arguments = (ring, crs, False, None)
    points = apply("GeometryConstructors.Polygon", *arguments, True).shape
    whole = apply("GeometryConstructors.Polygon", *arguments, False).shape
    assert points.area == pytest.approx(0.7757, abs=1e-4)
    assert whole.area == pytest.approx(1.1226, abs=1e-4)
