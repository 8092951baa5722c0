"""Sampling, reducers over regions and collections of the local Earth Engine, by hand and numpy."""

import ee
import numpy as np
import pytest
import rasterio
from local_engine import (
    COLLECTION,
    COLS,
    EAST,
    EE_BANDS,
    EPSG,
    NORTH,
    ROWS,
    asked,
    box,
    centre,
)
from rasterio.features import rasterize, shapes
from rasterio.transform import from_origin
from shapely.geometry import Polygon, shape
from shapely.geometry import box as rectangle


def points(places, **properties):
    """Points at pixel centres, with lists of properties."""
    rows = [{k: v[i] for k, v in properties.items()} for i in range(len(places))]
    return ee.FeatureCollection([ee.Feature(ee.Geometry.Point(centre(r, c)), p)
                                 for (r, c), p in zip(places, rows, strict=True)])


def table(collection):
    """The features' properties, and their ids."""
    features = collection.getInfo()["features"]
    return [f["properties"] for f in features], [f["id"] for f in features]


def test_points_take_the_pixel_they_lie_in(engine):
    rng = np.random.default_rng(3)
    places = [(int(r), int(c)) for r, c in zip(rng.integers(0, ROWS - 1, 30),
                                               rng.integers(1, COLS, 30), strict=True)]
    wanted = points(places, label=list(range(30)), other=["x"] * 30)
    rows, ids = table(engine.image().sampleRegions(wanted, ["label"], 10))
    assert [r["label"] for r in rows] == list(range(30))
    assert ids == [f"{k}_0" for k in range(30)]
    for row, (r, c) in zip(rows, places, strict=True):
        assert {b: row[b] for b in EE_BANDS} == {b: engine.band(b)[r, c] for b in EE_BANDS}
        assert "other" not in row


def test_points_off_the_centre_and_off_the_scene(engine):
    x, y = EAST + 10 * 7 + 0.4, NORTH - 10 * 5 - 9.6
    (lon,), (lat,) = rasterio.warp.transform(f"EPSG:{EPSG}", "EPSG:4326", [x], [y])
    wanted = ee.FeatureCollection([
        ee.Feature(ee.Geometry.Point([lon, lat]), {"k": 0}),
        ee.Feature(ee.Geometry.Point([10.0, 45.0]), {"k": 1}),
        ee.Feature(ee.Geometry.Point(centre(3, 0)), {"k": 2}),  # masked in every band
        ee.Feature(ee.Geometry.Point(centre(ROWS - 1, 5)), {"k": 3}),  # masked in B11 alone
        ee.Feature(None, {"k": 4})])
    rows, _ = table(engine.image().sampleRegions(wanted, ["k"], 10))
    assert [r["k"] for r in rows] == [0] and rows[0]["B2"] == engine.band("B2")[5, 7]
    fewer, _ = table(engine.image().select(["B2", "B3"]).sampleRegions(wanted, ["k"], 10))
    assert [r["k"] for r in fewer] == [0, 3]


def test_all_properties_are_kept_unless_some_are_named(engine):
    wanted = points([(4, 4)], a=[1], b=["two"])
    assert table(engine.image().select("B2").sampleRegions(wanted, scale=10))[0][0] == {
        "a": 1, "b": "two", "B2": engine.band("B2")[4, 4]}


def test_geometries_are_pixel_centres(engine):
    lon, lat = centre(9, 11)
    wanted = ee.FeatureCollection([ee.Feature(ee.Geometry.Point([lon + 4e-5, lat - 2e-5]))])
    plain, placed = (engine.image().sampleRegions(wanted, [], 10, geometries=g).first().getInfo()
                     for g in (False, True))
    assert plain["geometry"] is None
    assert placed["geometry"]["coordinates"] == pytest.approx([lon, lat], abs=1e-9)


def test_polygons_give_the_pixels_whose_centre_they_hold(engine):
    outline = [[3, 3], [14.2, 5], [9.4, 17.7], [3, 3]]
    ring = [[EAST + 10 * x, NORTH - 10 * y] for x, y in outline]
    wanted = ee.FeatureCollection([ee.Feature(
        ee.Geometry.Polygon([ring], f"EPSG:{EPSG}", False), {"class": 4})])
    rows, _ = table(engine.image().select(["B4"]).sampleRegions(wanted, ["class"], 10))
    inside = rasterize([Polygon(ring)], (ROWS, COLS),
                       transform=from_origin(EAST, NORTH, 10, 10)).astype(bool)
    assert sorted(r["B4"] for r in rows) == sorted(engine.band("B4")[inside])
    assert {r["class"] for r in rows} == {4}


def test_a_coarser_scale_samples_means(engine):
    # at 20 m the grid begins at the coordinates' 0, so rows pair up from the second on
    first = int((-NORTH) % 20 // 10)
    values = engine.band("B8")[first:first + 2, 10:12]
    row = first
    rows, _ = table(engine.image().select("B8").sampleRegions(points([(row, 10)]), [], 20))
    if first:
        assert rows[0]["B8"] != engine.band("B8")[row, 10] or np.ptp(values) == 0
    else:
        assert rows[0]["B8"] == np.floor(values.mean() + 0.5)


def test_sample_takes_all_pixels_or_some(engine):
    area = box(5, 5, 6, 8)
    image = engine.image().select(["B2", "B11"])
    whole = image.sample(area, 10)
    assert whole.size().getInfo() == 48
    assert sorted(whole.aggregate_array("B2").getInfo()) == sorted(
        engine.band("B2")[5:11, 5:13].ravel())
    some = image.sample(region=area, scale=10, numPixels=10, seed=1)
    assert some.size().getInfo() == 10 and set(some.aggregate_array("B2").getInfo()) <= set(
        whole.aggregate_array("B2").getInfo())
    assert some.getInfo() == image.sample(region=area, scale=10, numPixels=10, seed=1).getInfo()
    edge = image.sample(box(0, 0, ROWS, COLS), 10).size().getInfo()
    assert edge == np.isfinite(engine.band("B11")).sum()


def test_stratified_samples_hold_each_class(engine):
    classes = engine.image().select("B8").gt(3000).rename("class").toByte()
    found = classes.addBands(engine.image().select("B2")).stratifiedSample(
        25, "class", box(0, 0, ROWS, COLS), 10, seed=3, classValues=[1], classPoints=[40],
        geometries=True)
    assert found.aggregate_histogram("class").getInfo() == {"0": 25, "1": 40}
    inside = found.getInfo()["features"][0]
    x, y = inside["geometry"]["coordinates"]
    (east,), (north,) = rasterio.warp.transform("EPSG:4326", f"EPSG:{EPSG}", [x], [y])
    row, col = int((NORTH - north) // 10), int((east - EAST) // 10)
    assert inside["properties"]["B2"] == engine.band("B2")[row, col]


def test_random_points_lie_inside_and_follow_the_seed(engine):
    ring = [[16.2, 50.9], [16.4, 50.9], [16.2, 51.0], [16.2, 50.9]]
    area = ee.Geometry.Polygon([ring], None, False)
    first, again, other = (ee.FeatureCollection.randomPoints(area, 200, s).getInfo()
                           for s in (5, 5, 6))
    assert first == again != other
    assert all(Polygon(ring).covers(shape(f["geometry"])) for f in first["features"])
    with pytest.raises(ee.EEException, match="no area"):
        ee.FeatureCollection.randomPoints(ee.Geometry.Point([1, 2]), 3).getInfo()


def test_random_columns_follow_seed_and_keys_not_the_order():
    items = ee.FeatureCollection([ee.Feature(None, {"k": k}) for k in range(300)])
    first = items.randomColumn(seed=1)
    values = np.array(first.aggregate_array("random").getInfo())
    assert values.tolist() == items.randomColumn(seed=1).aggregate_array("random").getInfo()
    assert (values != np.array(items.randomColumn(seed=2).aggregate_array(
        "random").getInfo())).all()
    assert 0 <= values.min() and values.max() < 1 and abs(values.mean() - 0.5) < 0.06
    turned = items.sort("k", False).randomColumn(seed=1).sort("k").aggregate_array("random")
    assert turned.getInfo() == values.tolist()
    parts = first.filter(ee.Filter.lt("random", 0.7)).size().getInfo()
    assert parts == (values < 0.7).sum()
    normal = np.array(items.randomColumn("n", 0, "normal").aggregate_array("n").getInfo())
    assert abs(normal.std() - 1) < 0.15 and normal.min() < 0


def coverage(outline):
    """(row, col) exact share of each pixel that an outline in pixels covers."""
    area = Polygon(outline)
    return np.array([[rectangle(c, r, c + 1, r + 1).intersection(area).area
                      for c in range(COLS)] for r in range(ROWS)])


OUTLINE = [(10.3, 8.6), (21.7, 9.2), (18.4, 20.9), (12.0, 19.5)]


@pytest.fixture(scope="module")
def area():
    ring = [[EAST + 10 * x, NORTH - 10 * y] for x, y in [*OUTLINE, OUTLINE[0]]]
    return ee.Geometry.Polygon([ring], f"EPSG:{EPSG}", False)


def test_weighted_reducers_take_shares_of_pixels(engine, area):
    shares = coverage(OUTLINE)
    shares[shares < 0.005] = 0
    values = engine.band("B8")
    image = engine.image().select("B8")
    found = ee.Dictionary({n: image.reduceRegion(getattr(ee.Reducer, n)(), area, 10).get("B8")
                           for n in ("mean", "sum", "stdDev", "variance")}).getInfo()
    mean = np.average(values[shares > 0], weights=shares[shares > 0])
    variance = np.average((values[shares > 0] - mean) ** 2, weights=shares[shares > 0])
    assert found["mean"] == pytest.approx(mean) and found["variance"] == pytest.approx(variance)
    assert found["sum"] == pytest.approx((values * shares)[shares > 0].sum())
    assert found["stdDev"] == pytest.approx(np.sqrt(variance))


def test_unweighted_reducers_take_pixels_by_their_centre(engine, area):
    inside = rasterize([Polygon([(EAST + 10 * x, NORTH - 10 * y) for x, y in OUTLINE])],
                       (ROWS, COLS), transform=from_origin(EAST, NORTH, 10, 10)).astype(bool)
    values = engine.band("B8")[inside]
    image = engine.image().select("B8")
    found = ee.Dictionary({n: image.reduceRegion(getattr(ee.Reducer, n)(), area, 10).get("B8")
                           for n in ("count", "min", "max", "median", "countDistinct")}).getInfo()
    assert found == {"count": len(values), "min": values.min(), "max": values.max(),
                     "median": np.median(values), "countDistinct": len(np.unique(values))}
    plain = image.reduceRegion(ee.Reducer.mean().unweighted(), area, 10).get("B8").getInfo()
    assert plain == pytest.approx(values.mean())
    both = image.reduceRegion(ee.Reducer.mean().combine(ee.Reducer.count(), "", True), area,
                              10).getInfo()
    assert both["B8_count"] == len(values) and both["B8_mean"] == pytest.approx(
        image.reduceRegion(ee.Reducer.mean(), area, 10).get("B8").getInfo())
    ends = image.reduceRegion(ee.Reducer.minMax(), area, 10).getInfo()
    assert ends == {"B8_min": values.min(), "B8_max": values.max()}
    quarter = image.reduceRegion(ee.Reducer.percentile([25, 50]), area, 10).getInfo()
    assert quarter == pytest.approx(dict(zip(("B8_p25", "B8_p50"), np.percentile(
        values, [25, 50]), strict=True)))


def test_histograms_and_groups(engine):
    classes = engine.image().select("B8").gt(3000).rename("class")
    values, high = engine.band("B2")[4:14, 5:25], engine.band("B8")[4:14, 5:25] > 3000
    whole = box(4, 5, 10, 20)
    found = classes.reduceRegion(ee.Reducer.frequencyHistogram(), whole, 10).getInfo()["class"]
    assert found == {str(int(k)): int((high == k).sum()) for k in np.unique(high)}
    grouped = engine.image().select("B2").addBands(classes).reduceRegion(
        ee.Reducer.mean().group(1, "class"), whole, 10).getInfo()["groups"]
    assert {g["class"]: g["mean"] for g in grouped} == pytest.approx(
        {int(k): values[high == k].mean() for k in np.unique(high)})
    bins = engine.image().select("B2").reduceRegion(
        ee.Reducer.fixedHistogram(0, 4000, 8), whole, 10).getInfo()["B2"]
    assert [b[1] for b in bins] == np.histogram(values, 8, (0, 4000))[0].tolist()


def test_masked_pixels_do_not_count(engine):
    edge = box(ROWS - 2, 0, 2, 10)
    found = engine.image().select(["B2", "B11"]).reduceRegion(ee.Reducer.count(), edge, 10)
    assert found.getInfo() == {"B2": 18, "B11": 9}
    nothing = engine.image().select("B2").reduceRegion(ee.Reducer.mean(), box(0, 0, 5, 1), 10)
    assert nothing.getInfo() == {"B2": None}


def test_too_many_pixels_are_refused(engine):
    whole = box(0, 0, ROWS, COLS)
    image = engine.image().select("B2")
    with pytest.raises(ee.EEException, match="Too many pixels in the region"):
        image.reduceRegion(ee.Reducer.mean(), whole, 10, maxPixels=100).getInfo()
    coarse = image.reduceRegion(ee.Reducer.mean(), whole, 10, maxPixels=500, bestEffort=True)
    assert coarse.getInfo()["B2"] == pytest.approx(np.nanmean(engine.band("B2")), rel=0.05)
    with pytest.raises(ee.EEException, match="too large"):
        ee.Image(1).reduceRegion(ee.Reducer.sum(), ee.Geometry.BBox(-90, -60, 90, 60), 10,
                                 maxPixels=1e15).getInfo()


def test_reduce_regions(engine):
    items = ee.FeatureCollection([ee.Feature(box(3, 4, 5, 6), {"name": "a"}),
                                  ee.Feature(box(20, 20, 3, 3), {"name": "b"})])
    one = engine.image().select("B3").reduceRegions(items, ee.Reducer.mean(), 10)
    assert one.aggregate_array("mean").getInfo() == pytest.approx(
        [engine.band("B3")[3:8, 4:10].mean(), engine.band("B3")[20:23, 20:23].mean()])
    two = engine.image().select(["B3", "B4"]).reduceRegions(items, ee.Reducer.max(), 10)
    assert two.first().toDictionary().getInfo() == {
        "name": "a", "B3": engine.band("B3")[3:8, 4:10].max(),
        "B4": engine.band("B4")[3:8, 4:10].max()}


def test_areas_of_equal_values(engine):
    classes = engine.image().select("B8").gt(3000).rename("class").clip(box(0, 0, ROWS, COLS))
    found = classes.reduceToVectors(geometry=box(0, 0, ROWS, COLS), scale=10,
                                    eightConnected=False, labelProperty="class")
    band = engine.band("B8")
    expected = [(int(v), shape(g).area / 100) for g, v in shapes(
        (band > 3000).astype(np.uint8), np.isfinite(band), 4, from_origin(EAST, NORTH, 10, 10))]
    features = found.limit(5000).getInfo()["features"]
    rows = [(f["properties"]["class"], f["properties"]["count"]) for f in features]
    assert sorted(rows) == sorted(expected)
    assert sum(n for _, n in rows) == np.isfinite(band).sum()


def test_rectangles_and_series(engine):
    found = engine.image().select(["B2"]).sampleRectangle(box(3, 4, 5, 6)).getInfo()
    np.testing.assert_array_equal(found["properties"]["B2"], engine.band("B2")[3:8, 4:10])
    with pytest.raises(ee.EEException, match="masked"):
        engine.image().select("B2").sampleRectangle(box(3, 0, 5, 6)).getInfo()
    rows = ee.ImageCollection(COLLECTION).select(["B2", "B3"]).getRegion(
        box(3, 4, 2, 2), 10, f"EPSG:{EPSG}").getInfo()
    assert rows[0] == ["id", "longitude", "latitude", "time", "B2", "B3"] and len(rows) == 9
    assert rows[5][4] == engine.band("B2")[3, 4] and rows[1][4] == engine.band(
        "B2", "2022-06-19")[3, 4]


ITEMS = [{"a": 3, "b": "x"}, {"a": 1, "b": "y"}, {"b": "z"}, {"a": 2, "b": "x"}, {"a": 3, "b": "y"}]


@pytest.fixture(scope="module")
def items(engine):
    return ee.FeatureCollection([ee.Feature(ee.Geometry.Point([k, k]), p)
                                 for k, p in enumerate(ITEMS)])


@pytest.mark.parametrize("build, expected", [
    (lambda f: f.eq("a", 3), [0, 4]), (lambda f: f.And(f.notNull(["a"]), f.neq("a", 3)), [1, 3]),
    (lambda f: f.lt("a", 3), [1, 3]), (lambda f: f.And(f.notNull(["a"]), f.gte("a", 2)), [0, 3, 4]),
    (lambda f: f.inList("b", ["x", "z"]), [0, 2, 3]), (lambda f: f.notNull(["a"]), [0, 1, 3, 4]),
    (lambda f: f.And(f.eq("b", "x"), f.gt("a", 2)), [0]),
    (lambda f: f.Or(f.eq("a", 1), f.eq("b", "z")), [1, 2]),
    (lambda f: f.eq("b", "x").Not(), [1, 2, 4]), (lambda f: f.rangeContains("a", 2, 3), [0, 3, 4]),
    (lambda f: f.stringStartsWith("b", "y"), [1, 4]),
    (lambda f: f.bounds(ee.Geometry.BBox(0.5, 0.5, 2.5, 2.5)), [1, 2]),
    (lambda f: f.eq("a", "x"), []),
    (lambda f: f.withinDistance(1000, ".geo", ee.Geometry.Point([3, 3])), [3])])
def test_filters(items, build, expected):
    found = items.filter(build(ee.Filter)).getInfo()["features"]
    assert [int(f["id"]) for f in found] == expected


def test_sorting_puts_what_has_no_value_last(items):
    order = [f["id"] for f in items.sort("a").getInfo()["features"]]
    assert order == ["1", "3", "0", "4", "2"]
    assert [f["id"] for f in items.sort("a", False).getInfo()["features"]] == [
        "0", "4", "3", "1", "2"]
    assert [f["id"] for f in items.limit(2, "a").getInfo()["features"]] == ["1", "3"]


def test_aggregates(items):
    values = np.array([3, 1, 2, 3])
    assert ee.Dictionary({
        "array": items.aggregate_array("a"), "sum": items.aggregate_sum("a"),
        "mean": items.aggregate_mean("a"), "count": items.aggregate_count("a"),
        "distinct": items.aggregate_count_distinct("a"), "min": items.aggregate_min("b"),
        "max": items.aggregate_max("a"), "sd": items.aggregate_sample_sd("a"),
        "histogram": items.aggregate_histogram("b"), "size": items.size(),
        "stats": items.aggregate_stats("a").get("total_var"),
        "columns": items.reduceColumns(ee.Reducer.mean(), ["a"]),
        "list": items.reduceColumns(ee.Reducer.toList(2), ["b", "a"]).get("list"),
        "grouped": items.filter(ee.Filter.notNull(["a"])).reduceColumns(
            ee.Reducer.count().group(0, "a"), ["a", "a"]),
    }).getInfo() == {
        "array": values.tolist(), "sum": 9, "mean": 2.25, "count": 4, "distinct": 3, "min": "x",
        "max": 3, "sd": pytest.approx(values.std(ddof=1)), "histogram": {"x": 2, "y": 2, "z": 1},
        "size": 5, "stats": pytest.approx(values.var()), "columns": {"mean": 2.25},
        "list": [["x", 3], ["y", 1], ["x", 2], ["y", 3]],
        "grouped": {"groups": [{"a": 1, "count": 1}, {"a": 2, "count": 1}, {"a": 3, "count": 2}]}}


def test_columns_of_text_are_reduced(items):
    """The features without ``a`` are left out where it is asked for."""
    found = asked({
        "columns": items.reduceColumns(ee.Reducer.toList().repeat(2), ["b", "a"]).get("list"),
        "rows": items.reduceColumns(ee.Reducer.toList(2), ["b", "a"]).get("list"),
        "numbers": items.reduceColumns(ee.Reducer.toList().repeat(2), ["a", "a"]).get("list"),
        "groups": items.reduceColumns(ee.Reducer.sum().group(1, "b"), ["a", "b"]).get("groups"),
        "distinct": items.reduceColumns(ee.Reducer.countDistinct(), ["b"]),
        "both": items.reduceColumns(ee.Reducer.first().combine(
            ee.Reducer.count(), sharedInputs=True), ["b"]),
        "named": items.reduceColumns(ee.Reducer.max().setOutputs(["last"]), ["b"]),
        "histogram": items.reduceColumns(ee.Reducer.frequencyHistogram(), ["b"])})
    kept = [(p["b"], p["a"]) for p in ITEMS if "a" in p]
    assert found["columns"] == [list(c) for c in zip(*kept, strict=True)]
    assert found["rows"] == [list(r) for r in kept]
    assert found["numbers"] == [[a for _, a in kept]] * 2
    assert found["groups"] == [{"b": k, "sum": sum(a for b, a in kept if b == k)} for k in "xy"]
    assert found["distinct"] == {"count": 3} and found["both"] == {"first": "x", "count": 5}
    assert found["named"] == {"last": "z"} and found["histogram"] == {
        "histogram": {"x": 2, "y": 2, "z": 1}}
    with pytest.raises(ee.EEException, match=r"Reducer.mean: the values must be numbers"):
        items.reduceColumns(ee.Reducer.mean(), ["b"]).getInfo()


def test_collections_change(items):
    assert ee.Dictionary({
        "first": items.first().get("b"), "distinct": items.distinct("b").size(),
        "merge": items.merge(items).size(), "remap": items.remap([1, 3], [10, 30], "a")
        .aggregate_array("a"),
        "map": items.filter(ee.Filter.notNull(["a"])).map(
            lambda f: f.set("c", ee.Number(f.get("a")).add(1))).aggregate_array("c"),
        "iterate": items.iterate(lambda f, n: ee.Number(n).add(1), 0),
        "list": items.toList(2, 1).map(lambda f: ee.Feature(f).get("b")),
        "flatten": ee.FeatureCollection([items, items]).flatten().size(),
        "select": items.select(["b"]).first().propertyNames().contains("a"),
        "names": items.first().propertyNames(), "id": items.toList(5).map(
            lambda f: ee.Feature(f).id()), "index": items.first().get("system:index"),
        "bounds": items.geometry().bounds().area().gt(0), "none": items.first().get("nothing"),
    }).getInfo() == {
        "first": "x", "distinct": 3, "merge": 10, "remap": [30, 10, 30], "map": [4, 2, 3, 4],
        "iterate": 5, "list": ["y", "z"], "flatten": 10, "select": False,
        "names": ["a", "b", "system:index"], "id": ["0", "1", "2", "3", "4"], "index": "0",
        "bounds": True, "none": None}


def test_joins(items):
    other = ee.FeatureCollection([ee.Feature(None, {"b": "x", "w": 5}),
                                  ee.Feature(None, {"b": "x", "w": 4})])
    match = ee.Filter.equals(leftField="b", rightField="b")
    assert ee.Join.simple().apply(items, other, match).size().getInfo() == 2
    assert ee.Join.inverted().apply(items, other, match).size().getInfo() == 3
    first = ee.Join.saveFirst("m", "w").apply(items, other, match).first()
    assert ee.Feature(first.get("m")).get("w").getInfo() == 4
    assert ee.Join.saveAll("m").apply(items, other, match).first().getInfo()[
        "properties"]["m"][1]["properties"]["w"] == 4
    assert ee.Join.inner().apply(items, other, match).size().getInfo() == 4


def test_dates_filter_scenes(engine):
    scenes = ee.ImageCollection(COLLECTION)
    assert scenes.filterDate("2023-07-01", "2023-07-09").size().getInfo() == 0
    assert scenes.filterDate("2023-07-09").size().getInfo() == 1
    assert scenes.filter(ee.Filter.calendarRange(6, 6, "month")).size().getInfo() == 1
    assert scenes.filter(ee.Filter.calendarRange(2023, 2023, "year")).size().getInfo() == 1
    assert scenes.filterBounds(ee.Geometry.Point(centre(5, 5))).size().getInfo() == 2
    assert scenes.filterBounds(ee.Geometry.Point([20, 40])).size().getInfo() == 0
    assert scenes.filter(ee.Filter.lt("CLOUD_COVERAGE_ASSESSMENT", 20)).size().getInfo() == 0
    days = scenes.sort("CLOUD_COVERAGE_ASSESSMENT").aggregate_array("system:time_start").getInfo()
    assert days == sorted(days)
    ids = scenes.aggregate_array("system:index").getInfo()
    assert ids == ["20220619_T33UWS_strzegom", "20230709_T33UWS_strzegom"]


def test_large_collections_are_not_handed_over(engine):
    many = ee.FeatureCollection(ee.List.sequence(1, 5001).map(
        lambda k: ee.Feature(None, {"k": k})))
    assert many.size().getInfo() == 5001
    with pytest.raises(ee.EEException, match="5000 elements"):
        many.getInfo()
    assert len(many.limit(5000).getInfo()["features"]) == 5000
