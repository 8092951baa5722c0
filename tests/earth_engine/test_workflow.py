"""What the workflow sends, the points it is sent for, and the answers it does not take."""

import copy

import ee
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from shapely.geometry import box

from lulc_lib import legend
from lulc_lib.data.catalogue import SITES
from lulc_lib.data.reference import rasterise
from lulc_lib.data.scenes import BANDS
from lulc_lib.earth_engine import workflow
from lulc_lib.earth_engine.backend import Patience, open_backend
from lulc_lib.earth_engine.points import Points, draw_points, proportional, to_earth_engine
from lulc_lib.errors import InputError
from tests.earth_engine.google_server import earth_engine_server, sign_in

SITE = SITES["strzegom"]
ORIGIN = SITE.x0, SITE.y0
CROPS, QUARRY, ROAD = (legend.code(k) for k in ("crops_ripe", "quarry", "road"))
SENT = """
Classifier.explain(classifier=<Classifier.train>)
Classifier.libsvm(kernelType=LINEAR)
Classifier.smileCart()
Classifier.smileRandomForest(numberOfTrees=10)
Classifier.train(classProperty=class, classifier=<Classifier.libsvm>, features=<Image.sampleRegions>, inputProperties=[B2,B3,B4,B5,B6,B7,B8,B8A,B11,B12])
Classifier.train(classProperty=class, classifier=<Classifier.smileCart>, features=<Image.sampleRegions>, inputProperties=[B2,B3,B4,B5,B6,B7,B8,B8A,B11,B12])
Classifier.train(classProperty=class, classifier=<Classifier.smileRandomForest>, features=<Image.sampleRegions>, inputProperties=[B2,B3,B4,B5,B6,B7,B8,B8A,B11,B12])
Collection(features=[<Feature>,<Feature>])
Collection.errorMatrix(actual=class, collection=<FeatureCollection.classify>, order=[4,10], predicted=classification)
Collection.filter(collection=<Collection.filter>, filter=<Filter.intersects>)
Collection.filter(collection=<ImageCollection.load>, filter=<Filter.dateRangeContains>)
Collection.first(collection=<Collection.limit>)
Collection.limit(collection=<Collection.filter>, key=CLOUD_COVERAGE_ASSESSMENT)
Collection.size(collection=<Image.sampleRegions>)
ConfusionMatrix.array(confusionMatrix=<Collection.errorMatrix>)
DateRange(end=2023-07-30, start=2023-07-01)
Dictionary.get(dictionary=<Classifier.explain>, key=importance)
Feature(geometry=<GeometryConstructors.Point>, metadata={class:10})
Feature(geometry=<GeometryConstructors.Point>, metadata={class:4})
Feature(geometry=<GeometryConstructors.Rectangle>)
FeatureCollection.classify(classifier=<Classifier.train>, features=<Image.sampleRegions>)
Filter.dateRangeContains(leftValue=<DateRange>, rightField=system:time_start)
Filter.intersects(leftField=.all, rightValue=<Feature>)
GeometryConstructors.Point(coordinates=[16.2178,51.0154])
GeometryConstructors.Point(coordinates=[16.2207,51.0145])
GeometryConstructors.Rectangle(coordinates=[585420.0,5648240.0,589430.0,5652250.0], crs=<Projection>, geodesic=False)
Image.clip(geometry=<GeometryConstructors.Rectangle>, input=<Image.select>)
Image.sampleRegions(collection=<Collection>, image=<Image.clip>, properties=[class], scale=10)
Image.select(bandSelectors=[B2,B3,B4,B5,B6,B7,B8,B8A,B11,B12], input=<Collection.first>)
ImageCollection.load(id=COPERNICUS/S2_SR_HARMONIZED)
Projection(crs=EPSG:32633)
""".strip().splitlines()  # noqa: E501


def shown(node, values):
    """A value of the graph in one word: constants as they are, functions by name."""
    if "valueReference" in node:
        return shown(values[node["valueReference"]], values)
    if "functionInvocationValue" in node:
        return f"<{node['functionInvocationValue']['functionName']}>"
    if "arrayValue" in node:
        return [shown(v, values) for v in node["arrayValue"]["values"]]
    if "dictionaryValue" in node:
        return {k: shown(v, values) for k, v in node["dictionaryValue"]["values"].items()}
    value = node["constantValue"]
    points = isinstance(value, list) and len(value) == 2 and isinstance(value[0], float)
    return [round(v, 4) for v in value] if points else value


def calls(graph):
    """Every function call of a graph with its arguments, sorted, whatever the nodes' order."""
    found, stack = set(), list(graph["values"].values())
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            call = node.get("functionInvocationValue")
            if call:
                given = {k: shown(v, graph["values"]) for k, v in call["arguments"].items()}
                text = ", ".join(f"{k}={v}" for k, v in sorted(given.items()))
                found.add(f"{call['functionName']}({text})".replace("'", "").replace(", <", ",<"))
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return sorted(found)


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """A signed-in client and the server that records what it sends."""
    with earth_engine_server(monkeypatch, tmp_path) as server:
        sign_in(tmp_path)
        running = open_backend(tmp_path, "google", url=server.url, patience=Patience(2, 0))
        yield running, server


def two_points():
    at = gpd.points_from_xy([585_425.0, 585_625.0], [5_652_245.0, 5_652_145.0])
    table = gpd.GeoDataFrame({"code": [CROPS, QUARRY], "polygon": [1, 2]}, geometry=at, crs=32633)
    return Points(table, table, {CROPS: "polygons", QUARRY: "polygons"})


def answer(**changed):
    matrix = {"resubstitution": [[1, 0], [0, 1]], "test": [[0, 1], [0, 1]]}
    one = {"training": 2, "test": 2, "classifiers": {"CART": matrix | {"importance": {"B2": 1.5}}}}
    return one | changed


def normal(lines):
    return sorted(line.replace(" ", "") for line in lines)


def test_the_graph_that_is_sent(engine):
    running, server = engine
    server.answer = answer()
    image = workflow.least_cloudy(SITE, "2023-07-01", "2023-07-30")
    workflow.run_draw(running, image, two_points())
    assert normal(calls(server.graphs[-1])) == normal(SENT)
    assert len(server.graphs) == 1  # one request for a draw


def test_inputs_come_in_the_order_of_the_list(engine):
    running, server = engine
    server.answer = answer()
    workflow.run_draw(running, ee.Image(1), two_points(), ["CART"], bands=["B12", "B2"])
    (sent,) = [line for line in calls(server.graphs[-1]) if line.startswith("Classifier.train")]
    assert "inputProperties=[B12, B2]" in sent


def test_the_snapshot_notices_an_argument(engine):
    running, server = engine
    server.answer = answer()
    image = workflow.least_cloudy(SITE, "2023-07-01", "2023-07-31")
    workflow.run_draw(running, image, two_points())
    assert normal(calls(server.graphs[-1])) != normal(SENT)


def test_order_of_nodes_does_not_matter(engine):
    running, server = engine
    server.answer = answer()
    image = workflow.least_cloudy(SITE, "2023-07-01", "2023-07-30")
    workflow.run_draw(running, image, two_points())
    graph = copy.deepcopy(server.graphs[-1])
    graph["values"] = dict(reversed(graph["values"].items()))
    assert calls(graph) == calls(server.graphs[-1])


def test_the_class_map_and_the_scene_that_are_asked_for(engine):
    running, server = engine
    image = workflow.least_cloudy(SITE, "2023-07-01", "2023-07-30")
    training = workflow.sample(image, to_earth_engine(two_points().training))
    running.compute(workflow.class_map(image, workflow.train("CART", training)))
    sent = normal(calls(server.graphs[-1]))
    assert "Image.classify(classifier=<Classifier.train>,image=<Image.clip>)" in sent
    assert "Image.toByte(value=<Image.classify>)" in sent
    running.compute(workflow.describe_scene(image))
    assert "Element.get(object=<Image.clip>,property=CLOUD_COVERAGE_ASSESSMENT)" in \
        normal(calls(server.graphs[-1]))


def test_answers_become_counts(engine):
    running, server = engine
    server.answer = answer()
    found = workflow.run_draw(running, ee.Image(1), two_points(), ["CART"])
    assert found["CART"]["test"].tolist() == [[0, 1], [0, 1]]
    assert found["CART"]["importance"] == {"B2": 1.5}


@pytest.mark.parametrize("changed, says", [
    ({"test": 1}, "1 of 2 test points lie on pixels with data"),
    ({"training": 0}, "0 of 2 training points"),
    ({"classifiers": {"CART": {"resubstitution": [[1, 0], [0, 1]], "test": [[0, 0], [0, 1]]}}},
     "CART: the test matrix counts 1 of 2 points"),
])
def test_lost_points_are_noticed(engine, changed, says):
    running, server = engine
    server.answer = answer(**changed)
    with pytest.raises(InputError, match=says):
        workflow.run_draw(running, ee.Image(1), two_points(), ["CART"])


def test_unknown_classifier(engine):
    with pytest.raises(InputError, match="classifier is 'kNN'; it must be one of CART, Random"):
        workflow.train("kNN", ee.FeatureCollection([]))


def test_bands_are_the_studys():
    assert [b if len(b) == 3 else b.replace("B", "B0") for b in workflow.EE_BANDS] == list(BANDS)


# ---- points ----


@pytest.fixture
def scene():
    """(10, 40, 40) reflectance of the site's upper left corner; its first row holds no data."""
    values = np.full((len(BANDS), 40, 40), 0.1, dtype=np.float32)
    values[:, 0] = np.nan
    x, y = ORIGIN[0] + 5 + 10 * np.arange(40), ORIGIN[1] - 5 - 10 * np.arange(40)
    out = xr.DataArray(values, dims=("band", "y", "x"),
                       coords={"band": list(BANDS), "y": y, "x": x})
    return out.rio.write_crs(SITE.epsg)


def squares(codes_at):
    """Polygons of 4 × 4 pixels: (code, row, col) of the upper left pixel."""
    shapes = [box(ORIGIN[0] + 10 * c, ORIGIN[1] - 10 * (r + 4), ORIGIN[0] + 10 * (c + 4),
                  ORIGIN[1] - 10 * r) for _, r, c in codes_at]
    return gpd.GeoDataFrame({"code": np.array([k for k, _, _ in codes_at], dtype=np.uint8)},
                            geometry=shapes, crs=SITE.epsg)


@pytest.fixture
def polygons():
    """Six fields, three quarries, one road; the first field lies half on the row without data."""
    fields = [(CROPS, 0, 0), *((CROPS, 8, 6 * k) for k in range(5))]
    return squares([*fields, *((QUARRY, 20, 6 * k) for k in range(3)), (ROAD, 30, 0)])


def places(table):
    return set(zip(table.geometry.x, table.geometry.y, strict=True))


def draw(polygons, scene, training=(20, 10), test=(8, 6), seed=0, **more):
    classes = (CROPS, QUARRY)
    return draw_points(polygons, scene, dict(zip(classes, training, strict=True)),
                       dict(zip(classes, test, strict=True)), seed, **more)


def test_points_lie_in_polygons_of_their_class(polygons, scene):
    points = draw(polygons, scene)
    codes = rasterise(polygons, scene, "centre")
    for table, wanted in ((points.training, [20, 10]), (points.test, [8, 6])):
        at = codes.sel(x=xr.DataArray(table.geometry.x), y=xr.DataArray(table.geometry.y))
        assert (at.values == table.code).all()
        assert table.code.value_counts().sort_index().tolist() == wanted
        assert table.crs == scene.rio.crs
        inside = polygons.geometry.iloc[table.polygon.to_numpy() - 1]
        assert inside.reset_index(drop=True).contains(table.geometry).all()
        assert not (table.geometry.y > ORIGIN[1] - 10).any()  # no point on the empty row
    assert not places(points.training) & places(points.test)
    assert len(places(points.training)) == 30


def test_no_polygon_serves_both_sides(polygons, scene):
    for seed in range(20):
        points = draw(polygons, scene, seed=seed)
        assert points.apart == {CROPS: "polygons", QUARRY: "polygons"}
        assert not set(points.training.polygon) & set(points.test.polygon)


def test_a_single_polygon_is_shared_by_pixel(polygons, scene):
    points = draw_points(polygons, scene, {ROAD: 10}, {ROAD: 6}, seed=0)
    assert points.apart == {ROAD: "pixels"}
    assert set(points.training.polygon) == set(points.test.polygon)
    assert len(places(points.training) | places(points.test)) == 16  # every pixel, once


def test_points_divided_by_pixel_when_asked(polygons, scene):
    points = draw(polygons, scene, apart="pixels")
    assert points.apart == {CROPS: "pixels", QUARRY: "pixels"}
    assert not places(points.training) & places(points.test)
    assert set(points.training.polygon) & set(points.test.polygon)


def test_points_are_spread_evenly_over_polygons(polygons, scene):
    points = draw(polygons, scene, training=(30, 20), test=(10, 6))
    per_polygon = points.training.groupby(["code", "polygon"]).size()
    for _, counts in per_polygon.groupby("code"):
        assert counts.max() - counts.min() <= 1


def test_a_draw_is_its_seed(polygons, scene):
    first, same, other = (draw(polygons, scene, seed=s) for s in (3, 3, 4))
    assert first.test.equals(same.test) and first.training.equals(same.training)
    assert places(first.test) != places(other.test)
    alone = draw_points(polygons, scene, {QUARRY: 10}, {QUARRY: 6}, seed=3)
    quarries = first.test[first.test.code == QUARRY].reset_index(drop=True)
    assert alone.test.equals(quarries)  # a class does not depend on the others


def test_every_pixel_of_a_class_has_the_same_chance(polygons, scene):
    drawn = pd.concat([draw_points(polygons, scene, {QUARRY: 24}, {QUARRY: 16}, seed=s).test
                       for s in range(120)])
    counts = drawn.groupby([drawn.geometry.x, drawn.geometry.y]).size()
    assert len(counts) == 48  # three quarries of 16 pixels
    assert counts.min() >= 20 and counts.max() <= 62  # 40 expected


@pytest.mark.parametrize("change, says", [
    ({"training": (20, 43)}, r"class 10 \(Quarries, open pits\) has 48 pixels in the polygons; 49"),
    ({"training": (90, 10)}, r"class 4 \(Crops before harvest\) has 92 pixels in the polygons; 98"),
    ({"apart": "chance"}, "apart is 'chance'; it must be one of polygons, pixels"),
])
def test_points_that_cannot_be_drawn(polygons, scene, change, says):
    with pytest.raises(InputError, match=says):
        draw(polygons, scene, **change)


def test_classes_that_are_not_there(polygons, scene):
    water = legend.code("water")
    with pytest.raises(InputError, match=r"class 8 \(Water\) has 0 pixels in the polygons; 3"):
        draw_points(polygons, scene, {water: 2}, {water: 1}, seed=0)
    with pytest.raises(InputError, match="they must be the same"):
        draw_points(polygons, scene, {QUARRY: 2}, {ROAD: 1}, seed=0)
    with pytest.raises(InputError, match="must be 0"):
        draw_points(polygons, scene, {77: 2}, {77: 1}, seed=0)


def test_polygons_beside_the_scene(polygons, scene):
    away = polygons.assign(geometry=polygons.translate(1e6))
    with pytest.raises(InputError, match="no polygon covers a pixel"):
        draw(away, scene)


def test_points_are_sent_within_a_centimetre(engine, polygons, scene):
    running, server = engine
    points = draw(polygons, scene).test
    running.compute(to_earth_engine(points))
    sent = server.graphs[-1]
    coordinates = [a["coordinates"]["constantValue"] for a in arguments(sent, "Point")]
    back = gpd.GeoSeries(gpd.points_from_xy(*zip(*coordinates, strict=True)), crs=4326)
    here = np.sort(points.geometry.x.to_numpy())
    assert np.abs(np.sort(back.to_crs(SITE.epsg).x.to_numpy()) - here).max() < 0.01


def arguments(graph, name):
    stack = list(graph["values"].values())
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if str(node.get("functionName", "")).endswith(name):
                yield node["arguments"]
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


@pytest.mark.parametrize("support, total", [({1: 10, 2: 35, 3: 70}, 277), ({1: 1, 2: 1, 3: 1}, 10),
                                            ({4: 1, 5: 99}, 7)])
def test_proportional_counts(support, total):
    counts = proportional(support, total)
    assert sum(counts.values()) == total and counts.keys() == support.keys()
    exact = {k: total * n / sum(support.values()) for k, n in support.items()}
    assert all(abs(counts[k] - exact[k]) < 1 for k in support)


@pytest.mark.parametrize("support, total", [({1: 0, 2: 3}, 10), ({1: 1, 2: 1}, 1)])
def test_proportions_that_leave_a_class_empty(support, total):
    with pytest.raises(InputError, match="every class needs at least 1"):
        proportional(support, total)
