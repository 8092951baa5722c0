"""Registry layers from services on loopback that page, stall, truncate and fail inside HTTP 200."""

import dataclasses
import datetime as dt
import json
import random
import re
import time
import types

import geopandas as gpd
import pytest
from shapely.geometry import Polygon, box, mapping, shape

from lulc_lib import cli
from lulc_lib.errors import InputError
from lulc_lib.io.http import USER_AGENT
from lulc_lib.sites import SERVICES, fetch_registries, require_layers
from lulc_lib.sites import services as services_module
from lulc_lib.sites.registries import provenance_path, read_provenance, read_registries
from tests.http_server import FAST, Fault, free_port, loopback_server

AREA = (16.20, 50.90, 16.40, 51.00)
MIDAS, CORINE, OVERPASS = "midas/MapServer", "corine/MapServer", "api/interpreter"
NAMES = ("deposits", "mining_areas", "mining_terrains", "corine", "osm_quarries")
HTML = b"<!DOCTYPE html><html><title>Przerwa  techniczna</title></html>"


class Layer:
    """A layer of the made-up map service: squares in a row from west to east."""

    def __init__(self, name, count, fields, **more):
        self.name, self.count, self.fields = name, count, fields
        self.max_record_count, self.pages = 7, True
        self.says_more, self.flag_inside = True, False
        self.ignores_offset, self.shuffles, self.counts = False, False, None
        self.about = {"type": "Feature Layer", "geometryType": "esriGeometryPolygon",
                      "capabilities": "Map,Query,Data", "copyrightText": "PIG-PIB"}
        for key, value in more.items():
            setattr(self, key, value)

    def features(self):
        for number in range(1, self.count + 1):
            west = AREA[0] + 0.2 * (number - 1) / max(self.count, 1)
            yield {"type": "Feature", "id": number,
                   "geometry": mapping(box(west, 50.95, west + 0.001, 50.951)),
                   "properties": {"OBJECTID": number, **self.fields(number)}}

    def description(self, number):
        return {"id": number, "name": self.name, "maxRecordCount": self.max_record_count,
                "fields": [{"name": "OBJECTID", "type": "esriFieldTypeOID"}],
                "supportedQueryFormats": "JSON, geoJSON, PBF",
                "advancedQueryCapabilities": {"supportsPagination": self.pages}, **self.about}

    def query(self, asked):
        assert asked["where"] == "1=1" and asked["geometryType"] == "esriGeometryEnvelope"
        assert asked["inSR"] == "4326" and asked["spatialRel"] == "esriSpatialRelIntersects"
        area = box(*map(float, asked["geometry"].split(",")))
        touching = [f for f in self.features() if shape(f["geometry"]).intersects(area)]
        if asked.get("returnCountOnly") == "true":
            return {"count": len(touching) if self.counts is None else self.counts}
        assert (asked["outFields"], asked["outSR"], asked["f"]) == ("*", "4326", "geojson")
        if not self.pages and "resultOffset" in asked:
            return {"error": {"code": 400, "message": "Pagination is not supported."}}
        if "orderByFields" not in asked or self.shuffles:
            random.Random(asked.get("resultOffset")).shuffle(touching)
        start = 0 if self.ignores_offset else int(asked.get("resultOffset", 0))
        size = min(int(asked.get("resultRecordCount", 10**9)), self.max_record_count)
        exceeded = {"exceededTransferLimit": True} if start + size < len(touching) else {}
        exceeded = exceeded if self.says_more else {}
        more = {"properties": exceeded} if self.flag_inside else exceeded
        return {"type": "FeatureCollection", "features": touching[start:start + size], **more}


def deposit(number):
    return {"NAZWA_ZLOZA": f"Złoże {number}", "KOPALINA": "iły"}


def mining(number):
    return {"NAZWA_OG": f"Żółkiewka {number}", "STATUS": "aktualny", "KOPALINA": "granity łupane",
            "DATA_USTANOWIENIA": 1262300400000, "DATA_WAZNOSCI": "31.12.2040"}


def place(server, path, layers):
    """Serve numbered layers as a map service at ``path``."""
    server.routes[path] = lambda asked: {"layers": [
        {"id": n, "name": layer.name, "subLayerIds": [0] if n < 0 else None}
        for n, layer in layers.items()]}
    for number, layer in layers.items():
        server.routes[f"{path}/{number}"] = lambda _, n=number, at=layer: at.description(n)
        server.routes[f"{path}/{number}/query"] = lambda asked, at=layer: at.query(asked)


def way(number, points, **tags):
    return {"type": "way", "id": number, "tags": {"landuse": "quarry", **tags},
            "geometry": [{"lon": x, "lat": y} for x, y in points]}


def ring(west, south, side):
    return list(box(west, south, west + side, south + side).exterior.coords)


@pytest.fixture
def world(monkeypatch, tmp_path):
    """A server with all services, their addresses, and a function that fetches from them."""
    with loopback_server(monkeypatch) as server:
        layers = {
            0: Layer("Złoża kopalin", 5, deposit),
            1: Layer("Obszary górnicze", 23, mining),
            2: Layer("Tereny górnicze", 7, mining, flag_inside=True),
            3: Layer("Otwory wiertnicze", 3, mining),
        }
        corine = {
            0: Layer("Corine Land Cover 2018 vector", 8, lambda n: {"Code_18": "131"}),
            1: Layer("Corine Land Cover 2018 raster", 0, dict,
                     about={"type": "Raster Layer", "capabilities": "Map"}),
        }
        place(server, MIDAS, layers)
        place(server, CORINE, corine)
        asked = []
        elements = [way(1, ring(16.3, 50.95, 0.01), name="Kamieniołom Żółty")]

        def overpass(request):
            asked.append(request["data"])
            return {"elements": elements}

        server.routes[OVERPASS] = overpass
        urls = dict.fromkeys(NAMES, MIDAS) | {"corine": CORINE, "osm_quarries": OVERPASS}
        where = {name: dataclasses.replace(SERVICES[name], url=f"{server.url}/{urls[name]}")
                 for name in NAMES}

        def fetch(area=AREA, only=NAMES, **options):
            policy = dataclasses.replace(options.pop("policy", FAST),
                                         total_timeout=options.pop("total_timeout", 20.0))
            options = {"policy": policy, "progress": False} | options
            chosen = options.pop("services", {name: where[name] for name in only})
            return {o.layer: o for o in fetch_registries(area, tmp_path, services=chosen,
                                                         **options)}

        yield types.SimpleNamespace(server=server, layers=layers, corine=corine, where=where,
                                    fetch=fetch, elements=elements, overpass=asked,
                                    folder=tmp_path)


def fetch_one(world, name="mining_areas", **options):
    return world.fetch(only=(name,), **options)[name]


def states(outcomes):
    return {name: outcome.state for name, outcome in outcomes.items()}


def queries(world, path=f"{MIDAS}/1/query"):
    """The queries for features of a layer, in order."""
    asked = [q for (_, p, _), q in zip(world.server.log, world.server.queries, strict=True)
             if p == path]
    return [q for q in asked if "returnCountOnly" not in q]


# --- what comes -----------------------------------------------------------------------------


def test_all_layers_come_whole_and_are_read_back(world):
    outcomes = world.fetch()
    assert states(outcomes) == dict.fromkeys(NAMES, "fetched")
    assert {n: o.count for n, o in outcomes.items()} == {
        "deposits": 5, "mining_areas": 23, "mining_terrains": 7, "corine": 8, "osm_quarries": 1}
    registries = read_registries(world.folder, "EPSG:32633")
    assert registries.missing == ("monitoring_points",) and registries.notes == ()
    assert registries.mining_areas.name.tolist() == [f"Żółkiewka {n}" for n in range(1, 24)]
    assert set(registries.mining_areas.valid_from) == {dt.date(2010, 1, 1)}  # midnight in Poland
    assert set(registries.mining_areas.valid_to) == {dt.date(2040, 12, 31)}
    assert registries.deposits.name[0] == "Złoże 1"
    assert registries.corine.code.tolist() == ["131"] * 8
    assert registries.osm_quarries.name.tolist() == ["Kamieniołom Żółty"]
    expected = gpd.GeoSeries([shape(f["geometry"]) for f in world.layers[1].features()], crs=4326)
    assert registries.mining_areas.geom_equals_exact(
        expected.to_crs(32633), tolerance=0.01).all()
    assert set(world.server.agents) == {USER_AGENT}


def test_pages_follow_each_other_without_gap_or_copy(world):
    assert fetch_one(world).count == 23
    offsets = [int(re.search(r"resultOffset=(\d+)", q).group(1)) for q in queries(world)]
    assert offsets == [0, 7, 14, 21]
    assert all("orderByFields=OBJECTID" in q for q in queries(world))
    stored = json.loads((world.folder / "mining_areas.geojson").read_text(encoding="utf-8"))
    assert [f["id"] for f in stored["features"]] == list(range(1, 24))


@pytest.mark.parametrize("inside", [False, True])
def test_pages_smaller_than_promised(world, inside):
    layer = world.layers[1]
    layer.flag_inside = inside
    honest = layer.query
    layer.query = lambda asked: honest(asked | (
        {"resultRecordCount": "3"} if "resultRecordCount" in asked else {}))
    assert fetch_one(world).count == 23
    assert len(queries(world)) == 8


def test_only_what_touches_the_area(world):
    area = (16.2, 50.9, 16.25, 51.0)
    expected = [f["id"] for f in world.layers[1].features()
                if shape(f["geometry"]).intersects(box(*area))]
    assert 0 < len(expected) < 23
    assert fetch_one(world, area=area).count == len(expected)


def test_an_area_without_features_is_known_to_be_empty(world):
    outcomes = world.fetch(area=(20.0, 51.0, 20.1, 51.1), only=NAMES[:4])
    assert {o.count for o in outcomes.values()} == {0}
    registries = read_registries(world.folder, "EPSG:32634")
    assert registries.deposits.empty and registries.corine.empty
    assert registries.missing == ("osm_quarries", "monitoring_points")


def test_where_a_layer_comes_from_is_kept(world):
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    path = fetch_one(world).path
    stored = json.loads(provenance_path(path).read_text(encoding="utf-8"))
    assert stored["url"] == f"{world.server.url}/{MIDAS}/1"
    assert stored["layer"] == "Obszary górnicze"
    assert stored["count"] == 23 and tuple(stored["bounds"]) == AREA
    assert before <= dt.datetime.fromisoformat(stored["fetched"]) <= dt.datetime.now(dt.UTC)
    assert "PIG-PIB" in stored["attribution"] and "indicative" in stored["licence"]
    assert stored["notes"] == ["copyright text of the service: PIG-PIB"]
    assert read_provenance(path).count == 23
    source = read_registries(world.folder, "EPSG:32633").mining_areas.source[0]
    assert source == f"{SERVICES['mining_areas'].attribution}, fetched {stored['fetched'][:10]}"


def test_only_the_layers_and_what_is_known_of_them_are_left(world):
    world.fetch()
    assert sorted(p.name for p in world.folder.iterdir()) == sorted(
        f"{name}{end}" for name in NAMES for end in (".geojson", ".source.json"))


# --- the layer's number ---------------------------------------------------------------------


def test_the_number_comes_from_the_name(world):
    moved = {17: world.layers[0], 4: world.layers[1], 0: world.layers[2], 1: world.layers[3]}
    place(world.server, MIDAS, moved)
    assert fetch_one(world).count == 23
    assert queries(world, f"{MIDAS}/4/query") and not queries(world, f"{MIDAS}/1/query")


@pytest.mark.parametrize("name", ["OBSZARY GÓRNICZE", "Obszary gornicze", "MIDAS obszary górnicze"])
def test_diacritics_and_case_do_not_count(world, name):
    world.layers[1].name = name
    assert fetch_one(world).state == "fetched"


def test_no_layer_fits(world):
    del world.layers[0]
    place(world.server, MIDAS, world.layers)
    reason = fetch_one(world, "deposits").reason
    assert "called 'zloz', and has none; its layers: Obszary górnicze (1), Tereny" in reason


def test_several_layers_fit_and_the_user_says_which(world):
    world.layers[4] = Layer("Obszary górnicze zniesione", 2, mining)
    place(world.server, MIDAS, world.layers)
    reason = fetch_one(world).reason
    assert "has 2 (Obszary górnicze, Obszary górnicze zniesione)" in reason
    assert "Złoża kopalin (0)" in reason and "state the layer's whole name" in reason
    names = {"mining_areas": "obszary gornicze ZNIESIONE"}
    assert fetch_one(world, names=names).count == 2
    assert fetch_one(world, names=names).state == "cached"
    assert fetch_one(world, names={"mining_areas": "Obszary górnicze"}).count == 23
    assert "called 'Obszary', and has none" in fetch_one(
        world, names={"mining_areas": "Obszary"}).reason


def test_groups_rasters_points_and_closed_layers_do_not_fit(world):
    world.layers[-1] = Layer("Obszary górnicze", 1, mining)  # a group has sublayers
    world.layers[5] = Layer("Obszary górnicze (punkty)", 1, mining)
    world.layers[5].about["geometryType"] = "esriGeometryPoint"
    world.layers[6] = Layer("Obszary górnicze (podkład)", 1, mining)
    world.layers[6].about["capabilities"] = "Map"
    place(world.server, MIDAS, world.layers)
    assert fetch_one(world).count == 23


def test_a_service_without_geojson(world):
    world.layers[1].about["supportedQueryFormats"] = "JSON, AMF"
    assert "is served as JSON, AMF, not as GeoJSON" in fetch_one(world).reason


# --- what goes wrong ------------------------------------------------------------------------

WRONG = {
    "error in 200": Fault(body=b'{"error": {"code": 500, "message": "Error performing query"}}'),
    "truncated": Fault(body=b'{"type": "FeatureCollection", "features": [{"type": "Fea'),
    "broken off": Fault(break_after=40),
    "stalled": Fault(stall=1.0),
    "web page": Fault(body=HTML),
    "busy": Fault(status=503, headers={"Retry-After": "0"}),
    "too many": Fault(status=429),
    "a list": Fault(body=b"[]"),
    "nothing": Fault(body=b""),
    "other JSON": Fault(body=b'{"status": "ok"}'),
    "not UTF-8": Fault(body="{\"features\": \"złoża\"}".encode("cp1250")),
}


def faults(world, path, fault, times):
    world.server.faults[path] = [dataclasses.replace(fault, headers=dict(fault.headers))
                                 for _ in range(times)]


@pytest.mark.parametrize("place_", [MIDAS, f"{MIDAS}/1", f"{MIDAS}/1/query"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_passing_failure_is_got_over(world, wrong, place_):
    faults(world, place_, WRONG[wrong], 2)
    outcome = fetch_one(world)
    assert (outcome.state, outcome.count) == ("fetched", 23)
    assert not world.server.faults[place_]


@pytest.mark.parametrize(("wrong", "said"), [
    ("error in 200", "the service answers error 500: Error performing query"),
    ("truncated", "the answer is not whole JSON (56 bytes)"),
    ("broken off", "the connection broke in the middle of an answer"),
    ("stalled", "the server does not answer in time"),
    ("web page", "a web page, not with JSON: 'Przerwa techniczna'"),
    ("busy", "the server answers 503"), ("a list", "not a JSON object"),
    ("other JSON", "the answer has no 'layers'"),
])
def test_a_lasting_failure_says_what_it_is(world, wrong, said):
    faults(world, MIDAS, WRONG[wrong], 20)
    outcome = fetch_one(world)
    assert outcome.state == "failed" and outcome.path is None
    assert said in outcome.reason and "gave up after 4 tries" in outcome.reason
    assert f"{world.server.url}/{MIDAS}" in outcome.reason
    assert list(world.folder.iterdir()) == []


@pytest.mark.parametrize(("fault", "said"), [
    (Fault(body=b'{"error": {"code": 400, "message": "Invalid", "details": ["no field"]}}'),
     "error 400: Invalid; no field"),
    (Fault(body=b'{"error": {"code": 499, "message": "Token Required", "details": []}}'),
     "error 499: Token Required"),
    (Fault(body=b'{"error": "odd"}'), "error None: no message"),
    (Fault(status=404), "the server answers 404"), (Fault(status=403), "the server answers 403"),
])
def test_a_refusal_is_not_asked_for_again(world, fault, said):
    faults(world, f"{MIDAS}/1/query", fault, 1)
    outcome = fetch_one(world)
    assert said in outcome.reason and "tries" not in outcome.reason
    assert sum(path == f"{MIDAS}/1/query" for _, path, _ in world.server.log) == 1


def test_a_failure_on_a_late_page_leaves_nothing_half(world):
    honest = world.layers[1].query

    def query(asked):
        if int(asked.get("resultOffset", 0)) >= 14:
            return {"error": {"code": 503, "message": "przeciążenie"}}
        return honest(asked)

    world.layers[1].query = query
    assert "przeciążenie" in fetch_one(world).reason
    assert list(world.folder.iterdir()) == []


def test_a_server_that_ignores_the_offset_is_noticed(world):
    world.layers[1].ignores_offset = True
    reason = fetch_one(world).reason
    assert "sends the same page again instead of the features from number 8 on" in reason
    assert len(queries(world)) == 2


def test_pages_in_changing_order_are_noticed(world):
    world.layers[1].shuffles = True
    reason = fetch_one(world).reason
    assert re.search(r"counts 23 features there and sent \d+ \(23 with repeats\)", reason)


@pytest.mark.parametrize("counts", [22, 24, 50])
def test_another_number_than_counted_is_noticed(world, counts):
    world.layers[1].counts = counts
    assert f"counts {counts} features there and sent 23" in fetch_one(world).reason


@pytest.mark.parametrize("inside", [False, True])
def test_more_than_counted_is_noticed_where_the_count_ends_with_a_page(world, inside):
    world.layers[1].counts, world.layers[1].flag_inside = 21, inside
    assert "counts 21 features there and sent 23" in fetch_one(world).reason


def test_a_service_that_never_says_that_there_is_more(world):
    world.layers[1].says_more = False
    assert fetch_one(world).count == 23


def test_a_layer_without_pages(world):
    world.layers[1].pages = False
    reason = fetch_one(world).reason
    assert "holds 23 features there and hands out 7 at most, without pages" in reason
    world.layers[1].max_record_count = 1000
    assert fetch_one(world).count == 23


def test_a_page_size_that_is_not_told(world):
    description = world.layers[1].description
    world.layers[1].description = lambda n: {
        key: value for key, value in description(n).items() if key != "maxRecordCount"}
    assert fetch_one(world).count == 23


def test_a_trickle_does_not_outlast_the_total_time(world):
    faults(world, f"{MIDAS}/1/query", Fault(trickle=0.05), 20)
    begun = time.monotonic()
    reason = fetch_one(world, total_timeout=0.5).reason
    assert time.monotonic() - begun < 3
    assert "in the 0.5 s allowed: the answer comes too slowly" in reason


def test_stalls_do_not_outlast_the_total_time(world):
    faults(world, MIDAS, Fault(stall=5), 20)
    patient = dataclasses.replace(FAST, read_timeout=30)
    begun = time.monotonic()
    assert "in the 0.4 s allowed" in fetch_one(
        world, total_timeout=0.4, policy=patient).reason
    assert time.monotonic() - begun < 3


def test_one_layer_that_fails_leaves_the_others(world):
    faults(world, f"{MIDAS}/1", Fault(status=500), 50)
    outcomes = world.fetch()
    assert states(outcomes) == dict.fromkeys(NAMES, "fetched") | {"mining_areas": "failed"}
    registries = read_registries(world.folder, "EPSG:32633")
    assert registries.missing == ("mining_areas", "monitoring_points")
    with pytest.raises(InputError, match="1 of 5 layers could not be fetched: mining_areas"):
        require_layers(list(outcomes.values()))


def test_a_server_that_is_down_is_asked_once(world, monkeypatch):
    down = f"http://127.0.0.1:{free_port()}"
    chosen = world.where | {
        name: dataclasses.replace(world.where[name], url=f"{down}/x") for name in NAMES[:3]}
    outcomes = world.fetch(services=chosen)
    assert [o.state for o in outcomes.values()] == ["failed"] * 3 + ["fetched"] * 2
    assert "the server cannot be reached" in outcomes["deposits"].reason
    assert "not tried, as the server cannot be reached" in outcomes["mining_areas"].reason


def test_what_cannot_be_read_does_not_replace_what_could(world):
    good = fetch_one(world, "corine")
    before = good.path.read_bytes()
    world.corine[0].fields = lambda n: {"AREA": n}
    outcome = fetch_one(world, "corine", max_age_days=0)
    assert outcome.state == "failed" and "no column of corine holds the code" in outcome.reason
    assert good.path.read_bytes() == before and read_provenance(good.path).count == 8


# --- the cache ------------------------------------------------------------------------------


def test_what_is_there_is_not_fetched_again(world):
    world.fetch()
    asked = len(world.server.log)
    outcomes = world.fetch(area=(16.25, 50.92, 16.3, 50.99))
    assert states(outcomes) == dict.fromkeys(NAMES, "cached") and len(world.server.log) == asked
    assert outcomes["mining_areas"].count == 23


def test_a_larger_area_or_an_old_file_is_fetched_again(world, monkeypatch):
    fetch_one(world)
    assert fetch_one(world, area=(16.1, 50.9, 16.4, 51.0)).state == "fetched"
    assert fetch_one(world).state == "cached"
    path = provenance_path(world.folder / "mining_areas.geojson")
    stored = json.loads(path.read_text())
    old = dt.datetime.now(dt.UTC) - dt.timedelta(days=31)
    path.write_text(json.dumps(stored | {"fetched": old.isoformat()}))
    assert fetch_one(world, max_age_days=32).state == "cached"
    assert fetch_one(world).state == "fetched"


def test_a_failure_keeps_the_older_file(world):
    first = fetch_one(world)
    before = first.path.read_bytes()
    faults(world, MIDAS, Fault(body=HTML), 50)
    outcome = fetch_one(world, max_age_days=0)
    assert outcome.state == "failed" and outcome.path == first.path
    assert "The older mining_areas.geojson is kept" in outcome.reason
    assert first.path.read_bytes() == before
    assert len(read_registries(world.folder, "EPSG:32633").mining_areas) == 23


@pytest.mark.parametrize("name", ["mining_areas.shp", "mining_areas.geojson"])
def test_a_file_of_the_users_own_is_not_touched(world, name):
    (world.folder / name).write_bytes(b"mine")
    outcome = fetch_one(world)
    assert (outcome.state, outcome.path.name) == ("own", name)
    assert (world.folder / name).read_bytes() == b"mine" and world.server.log == []


def test_a_fetched_file_that_was_edited_is_the_users_own(world):
    path = fetch_one(world).path
    path.write_text(path.read_text().replace("Żółkiewka 1", "Żółkiewka I"))
    assert fetch_one(world, max_age_days=0).state == "own"


# --- OpenStreetMap --------------------------------------------------------------------------


def quarry(world, element):
    """The one quarry that comes of an element, in degrees; None if there is none."""
    world.elements[:] = [element]
    outcome = fetch_one(world, "osm_quarries", max_age_days=0)
    assert outcome.state == "fetched", outcome.reason
    table = gpd.read_file(outcome.path)
    return outcome, (shape(table.geometry.iloc[0]) if len(table) else None)


def relation(*members):
    return {"type": "relation", "id": 5, "tags": {"type": "multipolygon", "landuse": "quarry"},
            "members": [{"type": "way", "ref": n, "role": role,
                         "geometry": [{"lon": x, "lat": y} for x, y in points]}
                        for n, (role, points) in enumerate(members)]}


def test_the_question_names_the_area_south_first(world):
    fetch_one(world, "osm_quarries")
    text = world.overpass[0]
    assert text.count("(50.9000000,16.2000000,51.0000000,16.4000000)") == 2
    assert "[out:json]" in text and 'way["landuse"="quarry"]' in text and "out geom;" in text
    assert 'relation["landuse"="quarry"]' in text


@pytest.mark.parametrize("share", [0.2, 0.95])
def test_rings_cut_into_ways_with_holes_and_an_island(world, share):
    outer, hole = ring(16.3, 50.95, 0.01), ring(16.3002, 50.9502, 0.0096)
    island = ring(16.3003, 50.9503, 0.0096 * share)
    _, built = quarry(world, relation(
        ("outer", outer[:3]), ("inner", hole[2:]), ("outer", outer[2:][::-1]), ("inner", hole[:3]),
        ("outer", island)))
    expected = Polygon(outer, [hole]).union(Polygon(island))
    assert built.symmetric_difference(expected).area < 1e-12


def test_two_outer_rings_that_share_a_side_are_one_area(world):
    west, east = ring(16.3, 50.95, 0.01), ring(16.31, 50.95, 0.01)
    _, built = quarry(world, relation(("outer", west), ("", east)))
    assert built.symmetric_difference(Polygon(west).union(Polygon(east))).area < 1e-12


def test_rings_that_do_not_close_are_told(world):
    closed = ring(16.3, 50.95, 0.01)
    outcome, built = quarry(world, way(1, closed[:3]))
    assert built is None and outcome.count == 0
    assert "OSM way 1 has lines that close to no ring; it is left out" in outcome.reason
    outcome, built = quarry(world, relation(("outer", closed), ("inner", closed[:2])))
    assert built.symmetric_difference(Polygon(closed)).area < 1e-12
    assert "OSM relation 5 has lines that close to no ring; they are left out" in outcome.reason


@pytest.mark.parametrize(("answer", "said"), [
    ({"elements": [], "remark": "runtime error: Query timed out in \"query\" at line 2"},
     "runtime error: Query timed out"),
    ({"version": 0.6}, "the answer has no 'elements'"),
])
def test_a_failure_inside_200_of_overpass(world, answer, said):
    body = json.dumps(answer).encode()
    faults(world, OVERPASS, Fault(body=body), 2)
    assert fetch_one(world, "osm_quarries").state == "fetched"
    faults(world, OVERPASS, Fault(body=body), 20)
    assert said in fetch_one(world, "osm_quarries", max_age_days=0).reason


# --- input and command ----------------------------------------------------------------------


@pytest.mark.parametrize("area", [
    (16.4, 50.9, 16.2, 51.0), (16.2, 51.0, 16.4, 50.9), (586000, 5650000, 587000, 5651000),
    (16.2, 50.9, 16.2, 51.0), (16.2, 50.9, float("nan"), 51.0), (16.2, 50.9, 16.4)])
def test_bounds_must_be_an_area_in_degrees(world, area):
    with pytest.raises(InputError, match="must be west, south, east, north in degrees"):
        world.fetch(area=area)


def test_a_name_for_a_layer_without_service(world):
    with pytest.raises(InputError, match="layer is 'monitoring_points'; one of deposits"):
        world.fetch(names={"monitoring_points": "MOEK"})


def test_a_folder_that_cannot_be_made(world, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made a folder"):
        fetch_registries(AREA, tmp_path / "file" / "x", services=world.where)


@pytest.fixture
def command(world, monkeypatch, capsys):
    """``lulc data --registries`` against the services on loopback."""
    monkeypatch.setattr(services_module, "SERVICES", world.where)

    def run(*words):
        try:
            code = cli.main(["data", *map(str, words)])
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


def test_the_command_fetches_around_a_map(command, world, write_raster, tmp_path):
    import numpy as np

    path = write_raster("map.tif", np.ones((40, 40)), origin=(586_000, 5_650_000))
    code, out, err = command("--registries", path, "-o", tmp_path / "layers")
    assert code == 0 and "Traceback" not in err
    assert re.search(r"fetched +mining_areas +\d+ +mining_areas.geojson", out)
    assert "OpenStreetMap contributors" in out and "Monitoring points (MOEK) have no service" in out
    bounds = read_provenance(tmp_path / "layers" / "mining_areas.geojson").bounds
    asked = gpd.GeoSeries([box(*bounds)], crs=4326).to_crs(32633).iloc[0]
    around = box(586_000 - 4990, 5_650_000 - 400 - 4990, 586_400 + 4990, 5_650_000 + 4990)
    assert asked.covers(around) and asked.area < 1.2 * around.area
    registries = read_registries(tmp_path / "layers", "EPSG:32633",
                            bounds=(586_000, 5_649_600, 586_400, 5_650_000))
    assert registries.missing == ("monitoring_points",)


def test_the_command_says_in_one_line_what_failed(command, world, tmp_path):
    world.layers[4] = Layer("Obszary górnicze zniesione", 2, mining)
    place(world.server, MIDAS, world.layers)
    text = ",".join(map(str, AREA))
    code, out, err = command("--registries", text, "-o", tmp_path)
    assert code == 2 and "fetched  deposits" in out and "failed   mining_areas" in out
    last = err.splitlines()[-1]
    assert last.startswith("lulc data: 1 of 5 layers could not be fetched: mining_areas. First: ")
    code, out, _ = command("--registries", text, "-o", tmp_path, "--layer",
                           "mining_areas=Obszary górnicze")
    assert code == 0 and "cached   deposits" in out and "fetched  mining_areas" in out


@pytest.mark.parametrize(("words", "rule"), [
    (["--registries", "here"], "--registries is 'here'; it must be a GeoTIFF that is there, or"),
    (["--registries", "1,2,3"], "--registries is '1,2,3'"),
    (["--registries", "1,2,3,4", "--layer", "deposits"], "--layer is 'deposits'; it must be LAYER"),
    (["--layer", "deposits=x"], "--layer belongs to --registries AREA"),
    (["--registries", "9,2,3,4"], "bounds are 9, 2, 3, 4; they must be west, south, east"),
])
def test_the_command_refuses_what_it_cannot_use(command, words, rule, tmp_path, monkeypatch):
    monkeypatch.setenv("LULC_DATA", str(tmp_path))
    code, _, err = command(*words)
    assert code == 2 and rule in err and len(err.splitlines()) == 1
