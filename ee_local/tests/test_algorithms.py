"""The other functions of each kind: every one once against another computation."""

import math
import operator

import ee
import numpy as np
import pyproj
import pytest
import shapely
from local_engine import (
    COLLECTION,
    EAST,
    EPSG,
    NORTH,
    apply,
    asked,
    box,
)
from scipy import ndimage, special

pytestmark = pytest.mark.usefixtures("engine")


ONE = {"acos": math.acos, "asin": math.asin, "atan": math.atan, "cos": math.cos, "sin": math.sin,
       "tan": math.tan, "cosh": math.cosh, "sinh": math.sinh, "tanh": math.tanh, "exp": math.exp,
       "sqrt": math.sqrt, "cbrt": np.cbrt, "log10": math.log10, "log": math.log, "ceil": math.ceil,
       "erf": math.erf, "erfc": math.erfc, "gamma": math.gamma, "digamma": special.digamma,
       "erfInv": special.erfinv, "signum": np.sign, "abs": abs, "floor": math.floor}
TWO = {"bitwiseOr": operator.or_, "bitwiseXor": operator.xor, "bitwiseAnd": operator.and_,
       "leftShift": operator.lshift, "rightShift": operator.rshift,
       "atan2": lambda a, b: math.atan2(b, a), "hypot": math.hypot, "eq": operator.eq,
       "neq": operator.ne, "lt": operator.lt, "lte": operator.le, "gt": operator.gt,
       "gte": operator.ge, "first": lambda a, b: a, "firstNonZero": lambda a, b: a or b,
       "pow": math.pow, "mod": math.fmod}
CASTS = {"int8": "int8 toInt8", "uint8": "uint8 toUint8 byte toByte", "uint16": "uint16 toUint16",
         "int16": "int16 toInt16 short toShort", "uint32": "uint32 toUint32",
         "int32": "int32 toInt32 int toInt", "int64": "int64 toInt64 long toLong"}


def test_functions_of_one_number():
    for name, compute in ONE.items():
        assert apply(f"Number.{name}", 0.37) == pytest.approx(float(compute(0.37))), name
    assert apply("Number.bitwiseNot", 5) == ~5 and apply("Number.bitCount", 0b1011) == 3
    for name in ("float", "toFloat", "double", "toDouble"):
        assert type(apply(f"Number.{name}", 3)) is float


def test_functions_of_two_numbers():
    for name, compute in TWO.items():
        for a, b in ((13, 6), (0, 3), (5, 5)):
            assert apply(f"Number.{name}", a, b) == pytest.approx(float(compute(a, b))), name


def test_casts_of_numbers():
    for kind, names in CASTS.items():
        limits = np.iinfo(kind)
        for name in names.split():
            for value in (-1e25, -3.9, 0, 77.9, 1e25):
                expected = min(max(int(value), limits.min), limits.max)
                assert apply(f"Number.{name}", value) == expected, name


def test_what_the_client_builds_itself_but_others_may_send():
    box_ = apply("GeometryConstructors.BBox", 1, 2, 3, 4)
    assert box_.shape.equals(shapely.box(1, 2, 3, 4)) and not box_.geodesic
    assert apply("Image.cat", [1, 2]).names == ["constant", "constant_1"]
    feature = apply("Element.setMulti", apply("Feature", None, {"a": 1}, None), {"a": None, "b": 2})
    assert feature.properties == {"b": 2}


def test_functions_of_one_image(engine):
    share = engine.image().select("B8").divide(10_000)
    values = engine.band("B8") / 10_000
    names = [n for n in ONE if n not in ("digamma", "erfInv", "log", "signum", "abs", "floor")]
    found = engine.pixels(ee.Image.cat([getattr(share, n)().rename(n) for n in names]))
    for name in names:
        compute = np.vectorize(ONE[name], otypes=[float])
        expected = np.where(np.isfinite(values), compute(np.nan_to_num(values, nan=0.5)), 0)
        np.testing.assert_allclose(found[name], expected, rtol=1e-9, err_msg=name)


def test_functions_of_two_images(engine):
    names = ["bitwiseOr", "bitwiseXor", "leftShift", "rightShift", "atan2", "first"]
    small = engine.image().select("B3").divide(500).int()
    found = engine.pixels(ee.Image.cat([
        getattr(engine.image().select("B2"), n)(small).toDouble().rename(n) for n in names]))
    a = np.nan_to_num(engine.band("B2")).astype(int)
    b = np.trunc(np.nan_to_num(engine.band("B3")) / 500).astype(int)
    valid = np.isfinite(engine.band("B2"))
    for name in names:
        expected = np.where(valid, np.vectorize(TWO[name], otypes=[float])(a, b), 0)
        np.testing.assert_allclose(found[name], expected, err_msg=name)


def test_casts_of_images(engine):
    wide = engine.image().select("B8").subtract(2000).multiply(37.5)
    expected = (np.nan_to_num(engine.band("B8"), nan=2000) - 2000) * 37.5
    names = {n: kind for kind, many in CASTS.items() for n in many.split()}
    for name, kind in names.items():
        found = engine.pixels(getattr(wide, name)().rename("x"))["x"]
        limits = np.iinfo(kind)
        assert found.dtype == np.dtype(kind), name
        np.testing.assert_array_equal(found, np.clip(np.trunc(expected), limits.min, limits.max))
    for name, kind in (("float", "f4"), ("toFloat", "f4"), ("double", "f8"), ("toDouble", "f8")):
        found = engine.pixels(getattr(wide, name)().rename("x"))["x"]
        np.testing.assert_array_equal(found, expected.astype(kind))
    cast = engine.image().select(["B2", "B3"]).cast({"B2": "float"}, ["B3", "B2"])
    assert [b["id"] + b["data_type"]["precision"] for b in cast.getInfo()["bands"]] == [
        "B3int", "B2float"]


def test_changes_of_values(engine):
    image, values = engine.image().select("B8"), engine.band("B8")
    found = engine.pixels(ee.Image.cat([
        image.clamp(1000, 3000).rename("clamp"), image.unitScale(1000, 3000).rename("unit"),
        image.polynomial([1, 0.5, 1e-4]).rename("poly"),
        image.interpolate([1000, 2000, 3000], [0, 10, 15], "clamp").rename("line"),
        image.interpolate([1000, 2000, 3000], [0, 10, 15]).rename("beyond")]))
    slope = np.where(values < 1000, (values - 1000) / 100, 15 + (values - 3000) / 200)
    inner = np.interp(values, [1000, 2000, 3000], [0, 10, 15])
    outside = (values < 1000) | (values > 3000)
    for name, expected in (("clamp", np.clip(values, 1000, 3000)), ("unit", (values - 1000) / 2000),
                           ("poly", 1 + 0.5 * values + 1e-4 * values**2), ("line", inner),
                           ("beyond", np.where(outside, slope, inner))):
        np.testing.assert_allclose(found[name], np.nan_to_num(expected), err_msg=name)


def test_bands_and_metadata(engine):
    image = engine.image()
    area = engine.server.engine.catalogue.collection(COLLECTION).elements[1].footprint.lonlat()
    found = asked({
        "slice": image.slice(1, 3).bandNames(), "rename": image.select(["B2", "B11"]).regexpRename(
            "B(\\d+)", "band_$1").bandNames(), "date": image.date().format("YYYY-MM-dd"),
        "id": image.id(), "cat": ee.Image.cat(image.select("B2"), 5).bandNames(),
        "copy": ee.Image(1).copyProperties(image, ["MGRS_TILE"]).toDictionary(),
        "area": image.geometry().area(), "merge": ee.ImageCollection(COLLECTION).merge(
            ee.ImageCollection(COLLECTION)).size(),
        "images": ee.ImageCollection([image, image]).size(),
        "constants": ee.Dictionary({"a": 1, "b": 2}).toImage().bandNames()})
    assert found["slice"] == ["B3", "B4"] and found["rename"] == ["band_2", "band_11"]
    assert found["date"] == "2023-07-09" and found["id"] == "20230709_T33UWS_strzegom"
    assert found["cat"] == ["B2", "constant"] and found["copy"] == {"MGRS_TILE": "33UWS"}
    assert found["area"] == pytest.approx(abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(
        area)[0]), rel=1e-6)
    assert (found["merge"], found["images"], found["constants"]) == (4, 2, ["a", "b"])


def test_statistics_over_time(engine):
    both = ee.ImageCollection(COLLECTION).select("B4")
    high = both.map(lambda i: i.gt(1000))
    stack = np.stack([engine.band("B4", d) for d in ("2022-06-19", "2023-07-09")])
    found = engine.pixels(ee.Image.cat([
        both.min().rename("min"), both.product().rename("product"), high.And().rename("and"),
        high.Or().rename("or"), both.reduce(ee.Reducer.last()).rename("last"),
        both.reduce(ee.Reducer.sampleVariance()).rename("var")]))
    valid = np.isfinite(stack).all(axis=0)
    for name, expected in (("min", stack.min(axis=0)), ("product", stack.prod(axis=0)),
                           ("and", (stack > 1000).all(axis=0)), ("last", stack[1]),
                           ("or", (stack > 1000).any(axis=0)), ("var", stack.var(axis=0, ddof=1))):
        np.testing.assert_allclose(found[name][valid], expected[valid], err_msg=name)


def test_arrays_pairwise_and_alone():
    a, b = np.array([[1, 5], [4, 2]]), np.array([[3, 5], [2, 2]])
    for name, compute in {"subtract": np.subtract, "max": np.maximum, "min": np.minimum,
                          "pow": np.power, "eq": np.equal, "neq": np.not_equal, "lt": np.less,
                          "lte": np.less_equal, "gte": np.greater_equal}.items():
        np.testing.assert_array_equal(apply(f"Array.{name}", a, b), compute(a, b), err_msg=name)
    for name, compute in {"abs": np.abs, "exp": np.exp, "floor": np.floor, "log": np.log,
                          "sqrt": np.sqrt, "not": np.logical_not}.items():
        np.testing.assert_allclose(apply(f"Array.{name}", a / 2), compute(a / 2), err_msg=name)
    np.testing.assert_array_equal(apply("Array.matrixTranspose", a), a.T)


@pytest.fixture(scope="module")
def shapes():
    """A polygon and another, as the client's geometries and in a feature."""
    one = ee.Geometry.Polygon([[[16.2, 50.9], [16.3, 50.9], [16.3, 51], [16.2, 50.9]]])
    two = ee.Geometry.BBox(16.25, 50.92, 16.4, 51.05)
    return one, two, ee.Feature(one, {"a": 1}), ee.Feature(two)


def test_features_measure_and_compare_like_their_geometries(shapes):
    one, two, first, second = shapes
    alone = {n: (getattr(first, n)(), getattr(one, n)()) for n in ("area", "perimeter", "length")}
    both = {n: (getattr(first, n)(second), getattr(one, n)(two)) for n in (
        "distance", "intersects", "disjoint", "contains", "containedIn")}
    near = {"within": (first.withinDistance(second, 10), one.withinDistance(two, 10))}
    found = asked({n: list(pair) for n, pair in {**alone, **both, **near}.items()})
    assert all(a == b for a, b in found.values()) and found["intersects"] == [True, True]


def test_features_change_like_their_geometries(shapes):
    one, two, first, second = shapes
    pairs = {n: (getattr(first, n)(), getattr(one, n)()) for n in (
        "bounds", "centroid", "convexHull", "dissolve")}
    pairs |= {n: (getattr(first, n)(second), getattr(one, n)(two)) for n in (
        "intersection", "union", "difference", "symmetricDifference")}
    pairs |= {"buffer": (first.buffer(50), one.buffer(50)),
              "simplify": (first.simplify(5), one.simplify(5)),
              "transform": (first.transform("EPSG:32633"), one.transform("EPSG:32633"))}
    found = asked({n: [f.geometry(), g, f.get("a")] for n, (f, g) in pairs.items()})
    assert all(a == b and kept == 1 for a, b, kept in found.values())


def test_set_operations_of_shapes_are_shapelys(shapes):
    one, two, *_ = shapes
    a = shapely.Polygon([[16.2, 50.9], [16.3, 50.9], [16.3, 51]])
    b = shapely.box(16.25, 50.92, 16.4, 51.05)
    found = asked({n: getattr(one, n)(two) for n in ("intersection", "union", "difference",
                                                     "symmetricDifference")})
    for name, expected in (("intersection", a & b), ("union", a | b), ("difference", a - b),
                           ("symmetricDifference", a ^ b)):
        assert shapely.geometry.shape(found[name]).symmetric_difference(expected).area < 1e-9, name


def test_kinds_of_geometry():
    square = [[0, 0], [1, 0], [1, 1], [0, 0]]
    parts = ee.Geometry.MultiPolygon([[square], [[[5, 5], [6, 5], [6, 6], [5, 5]]]])
    found = asked({
        "ring": ee.Geometry.LinearRing(square).type(),
        "box": ee.Geometry.BBox(0, 0, 2, 1).geodesic(),
        "lines": ee.Geometry.MultiLineString([[[0, 0], [1, 1]], [[2, 2], [3, 3]]]).type(),
        "multi": parts.type(), "crs": parts.projection().crs(), "edges": parts.edgesAreGeodesics(),
        "unbounded": parts.isUnbounded(), "parts": ee.Geometry(ee.Algorithms.GeometryConstructors
                                                               .MultiGeometry([
                                                                   ee.Geometry.Point([1, 2]),
                                                                   parts])).geometries().size(),
        "union": ee.FeatureCollection([ee.Feature(parts)]).union().geometry().area(),
        "area": parts.area(), "bounds": ee.FeatureCollection([ee.Feature(parts)]).bounds()
        .coordinates()})
    assert found["ring"] == "LinearRing" and found["lines"] == "MultiLineString"
    assert found["multi"] == "MultiPolygon" and found["crs"] == "EPSG:4326"
    assert found["edges"] and not found["box"] and not found["unbounded"] and found["parts"] == 2
    assert found["union"] == pytest.approx(found["area"])
    assert shapely.Polygon(found["bounds"][0]).bounds == pytest.approx((0, 0, 6, 6), abs=0.01)


def test_properties():
    feature = ee.Feature(ee.Geometry.Point([1, 2]), {"n": 3, "s": "x", "l": [1, 2], "m": 4})
    other = ee.Feature(None, {"n": 9, "z": 1})
    assert asked({
        "number": feature.getNumber("n"), "string": feature.getString("s"),
        "array": feature.getArray("l"),
        "set": feature.set({"a": 1, "b": 2}).toDictionary(["a", "b"]),
        "copy": feature.copyProperties(other, None, ["z"]).get("n"),
        "moved": feature.setGeometry(ee.Geometry.Point([5, 6])).geometry().coordinates(),
        "vector": feature.toArray(["n", "m"]), "element": ee.Element(feature).geometry()
        .coordinates() if hasattr(ee.Element, "geometry") else [1, 2],
        "made": ee.FeatureCollection([feature]).makeArray(["n", "m"]).first().getArray("array"),
        "described": ee.Algorithms.Describe({"a": 1}), "dictionary": ee.Dictionary(
            ee.List(["k", 5])), "geometry": ee.Dictionary({"g": ee.Geometry.Point([1, 2])})
        .getGeometry("g").type(), "text": ee.Dictionary({"t": "x"}).getString("t"),
        "numbers": ee.Dictionary({"v": [1, 2]}).getArray("v")}) == {
        "number": 3, "string": "x", "array": [1, 2], "set": {"a": 1, "b": 2}, "copy": 9,
        "moved": [5, 6], "vector": [3, 4], "element": [1, 2], "made": [3, 4],
        "described": {"a": 1}, "dictionary": {"k": 5}, "geometry": "Point", "text": "x",
        "numbers": [1, 2]}
    with pytest.raises(ee.EEException, match="'s' is no Number"):
        feature.getNumber("s").getInfo()


def test_lists_and_strings_more():
    assert asked({
        "cat": ee.List([1]).cat([2]), "all": ee.List([1, 2, 3]).containsAll([3, 1]),
        "length": ee.List([1, 2]).length(), "string": ee.List(["a"]).getString(0),
        "geometry": ee.List([ee.Geometry.Point([1, 2])]).getGeometry(0).type(),
        "array": ee.List([[1, 2]]).getArray(0), "last": ee.List([1, 2, 1, 2]).lastIndexOfSubList(
            [1, 2]), "lower": ee.String("AbC").toLowerCase(),
        "right": ee.String("abcb").rindex("b"),
    }) == {"cat": [1, 2], "all": True, "length": 2, "string": "a", "geometry": "Point",
           "array": [1, 2], "last": 2, "lower": "abc", "right": 3}


def test_date_ranges():
    span, later = ee.DateRange("2023-01-01", "2023-02-01"), ee.DateRange("2023-01-15", "2023-03-01")
    assert asked({
        "start": span.start().format("DDD"), "end": span.end().format("MM"),
        "meets": span.intersects(later), "empty": span.isEmpty(), "open": span.isUnbounded(),
        "all": ee.DateRange.unbounded().isUnbounded(), "in": span.contains(later)}) == {
        "start": "001", "end": "02", "meets": True, "empty": False, "open": False, "all": True,
        "in": False}


ROWS = [{"a": 1, "b": "abc", "l": [1, 2], "d": 5}, {"a": 2, "b": "bcd", "l": [3], "d": 9}]


@pytest.mark.parametrize("name, arguments, expected", [
    ("eq", {"rightValue": 1}, [0]), ("neq", {"rightValue": 1}, [1]),
    ("notEquals", {"rightValue": 1}, [1]), ("lt", {"rightValue": 2}, [0]),
    ("lte", {"rightValue": 2}, [0, 1]), ("lessThanOrEquals", {"rightValue": 1}, [0]),
    ("gt", {"rightValue": 1}, [1]), ("gte", {"rightValue": 2}, [1]),
    ("greaterThanOrEquals", {"rightValue": 1}, [0, 1]), ("inList", {"rightValue": [2, 3]}, [1]),
    ("stringEndsWith", {"leftField": "b", "rightValue": "cd"}, [1]),
    ("stringContains", {"leftField": "b", "rightValue": "bc"}, [0, 1]),
    ("listContains", {"leftField": "l", "rightValue": 3}, [1]),
    ("maxDifference", {"difference": 1, "leftField": "d", "rightValue": 6}, [0]),
    ("contains", {"leftField": ".geo", "rightValue": ee.Geometry}, [0]),
    ("isContained", {"leftField": ".geo", "rightValue": ee.Geometry.BBox}, [0]),
    ("disjoint", {"leftField": ".geo", "rightValue": ee.Geometry}, [1])])
def test_filters_by_their_names_in_the_graph(name, arguments, expected):
    point, big = ee.Geometry.Point([0.5, 0.5]), ee.Geometry.BBox(-1, -1, 2, 2)
    given = {"leftField": "a", **arguments}
    given["rightValue"] = {ee.Geometry: point, ee.Geometry.BBox: big}.get(
        given["rightValue"] if callable(given["rightValue"]) else None, given["rightValue"])
    items = ee.FeatureCollection([ee.Feature(ee.Geometry.BBox(k * 5, 0, k * 5 + 1, 1), r)
                                  for k, r in enumerate(ROWS)])
    chosen = ee.ApiFunction.apply_(f"Filter.{name}", given)
    assert items.filter(chosen).aggregate_array("a").getInfo() == [ROWS[k]["a"] for k in expected]


def test_days_of_the_year():
    scenes = ee.ImageCollection(COLLECTION)  # days 170 and 190
    assert scenes.filter(ee.Filter.dayOfYear(170, 189)).size().getInfo() == 1
    assert scenes.filter(ee.Filter.dayOfYear(170, 190)).size().getInfo() == 2


VALUES = [4.0, 1.0, 4.0, 9.0, 0.0]


@pytest.mark.parametrize("name, expected", [
    ("product", 0), ("sampleStdDev", np.std(VALUES, ddof=1)),
    ("sampleVariance", np.var(VALUES, ddof=1)), ("mode", 4), ("first", 4), ("last", 0),
    ("firstNonNull", 4), ("lastNonNull", 0), ("countDistinct", 4), ("countDistinctNonNull", 4),
    ("allNonZero", 0), ("anyNonZero", 1), ("countEvery", 5), ("count", 5), ("sum", 18),
    ("median", 4), ("min", 0), ("max", 9), ("mean", 3.6), ("variance", np.var(VALUES))])
def test_reducers_over_a_list(name, expected):
    assert ee.List(VALUES).reduce(getattr(ee.Reducer, name)()).getInfo() == pytest.approx(expected)


def test_reducers_together():
    mean = ee.Reducer.mean()
    both = mean.combine(ee.Reducer.max(), "top_", True)
    assert both.getOutputs().getInfo() == ["mean", "top_max"]
    assert ee.List(VALUES).reduce(both).getInfo() == {"mean": 3.6, "top_max": 9}
    assert ee.List(VALUES).reduce(both.setOutputs(["x", "y"])).getInfo() == {"x": 3.6, "y": 9}
    assert ee.List([[1, 10], [3, 30]]).reduce(mean.repeat(2)).getInfo() == [2, 20]
    with pytest.raises(ee.EEException, match="outputPrefix"):
        ee.List(VALUES).reduce(mean.combine(mean, "", True)).getInfo()


def test_aggregates_more():
    items = ee.FeatureCollection([ee.Feature(None, {"v": v}) for v in VALUES])
    assert asked({"first": items.aggregate_first("v"), "product": items.aggregate_product("v"),
                  "var": items.aggregate_sample_var("v"), "sd": items.aggregate_total_sd("v"),
                  "total": items.aggregate_total_var("v")}) == {
        "first": 4, "product": 0, "var": pytest.approx(np.var(VALUES, ddof=1)),
        "sd": pytest.approx(np.std(VALUES)), "total": pytest.approx(np.var(VALUES))}


DOWN, ACROSS = np.mgrid[-2:3, -2:3].astype(float)
KERNELS = {
    "circle": np.hypot(DOWN, ACROSS) <= 2, "square": np.ones((5, 5)),
    "diamond": abs(DOWN) + abs(ACROSS) <= 2, "plus": (DOWN == 0) | (ACROSS == 0),
    "cross": abs(DOWN) == abs(ACROSS), "octagon": abs(DOWN) + abs(ACROSS) <= 3,
    "euclidean": np.where(np.hypot(DOWN, ACROSS) <= 2, np.hypot(DOWN, ACROSS), 0),
    "manhattan": abs(DOWN) + abs(ACROSS), "chebyshev": np.maximum(abs(DOWN), abs(ACROSS)),
    "gaussian": np.exp(-(DOWN**2 + ACROSS**2) / 2)}
FIXED = {"laplacian4": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
         "laplacian8": [[1, 1, 1], [1, -8, 1], [1, 1, 1]],
         "sobel": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], "prewitt": [[1, 0, -1]] * 3}


def test_kernels(engine):
    plain = np.nan_to_num(engine.band("B8"))
    image, inner = engine.image().select("B8"), np.s_[3:-3, 4:-3]
    for name, weights in {**KERNELS, **FIXED}.items():
        kernel = getattr(ee.Kernel, name)(*((2,) if name in KERNELS else ()))
        weights = np.asarray(weights, dtype=float)
        if name in KERNELS and name not in ("euclidean", "manhattan", "chebyshev"):
            weights = weights / weights.sum()
        found = engine.pixels(image.convolve(kernel).rename("x"))["x"]
        expected = ndimage.correlate(plain, weights)
        np.testing.assert_allclose(found[inner], expected[inner], atol=1e-6, err_msg=name)


def test_focal_statistics(engine):
    plain = np.nan_to_num(np.floor(engine.band("B8") / 1500))
    image, inner = engine.image().select("B8").divide(1500).floor(), np.s_[3:-3, 4:-3]
    found = engine.pixels(ee.Image.cat([
        image.focalMin(1, "plus").rename("min"), image.focalMean(1, "square").rename("mean"),
        image.focalMode(1, "square").rename("mode"),
        image.focalMax(10, "square", "meters").rename("metres")]))
    plus = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=bool)
    mode = ndimage.generic_filter(plain, lambda v: np.bincount(v.astype(int)).argmax(), 3)
    for name, expected in (("min", ndimage.minimum_filter(plain, footprint=plus)),
                           ("mean", ndimage.uniform_filter(plain, 3)), ("mode", mode),
                           ("metres", ndimage.maximum_filter(plain, 3))):
        np.testing.assert_allclose(found[name][inner], expected[inner], err_msg=name)


def test_projections_and_types(engine):
    own = engine.image().select("B2").projection()
    found = asked({
        "crs": own.crs(), "scale": own.scale(2, 2).nominalScale(), "at": own.atScale(30),
        "moved": own.translate(3, 2), "transform": own.transform(), "wkt": own.wkt(),
        "type": ee.PixelType("int", 0, 9).maxValue(), "low": ee.PixelType.uint8().minValue(),
        "precision": ee.PixelType.float().precision(), "size": ee.PixelType.double().dimensions(),
        **{n: getattr(ee.PixelType, n)() for n in ("int8", "int16", "uint16", "int32", "uint32",
                                                   "int64")}})
    assert found["crs"] == f"EPSG:{EPSG}" and found["scale"] == 20
    assert found["at"]["transform"] == [30, 0, 0, 0, -30, 0]
    assert found["moved"]["transform"] == [10, 0, EAST + 30, 0, -10, NORTH - 20]
    assert found["transform"].startswith("PARAM_MT[") and str(EAST) in found["transform"]
    assert pyproj.CRS.from_wkt(found["wkt"]).to_epsg() == EPSG
    assert (found["type"], found["low"], found["precision"], found["size"]) == (9, 0, "float", 0)
    for name in ("int8", "int16", "uint16", "int32", "uint32", "int64"):
        assert found[name]["max"] == pytest.approx(np.iinfo(name).max)
    utm = ee.Projection(f"EPSG:{EPSG}", [10, 0, EAST, 0, -10, NORTH])
    places = engine.pixels(ee.Image.pixelCoordinates(utm))
    assert places["x"][4, 7] == 7.5 and places["y"][4, 7] == 4.5


def test_clipping_to_features_and_drawing_them(engine):
    items = ee.FeatureCollection([ee.Feature(box(2, 3, 4, 5)), ee.Feature(box(20, 30, 2, 2))])
    kept = engine.pixels(engine.image().select("B2").clipToCollection(items).mask())["B2"]
    assert kept[2:6, 3:8].all() and kept[20:22, 30:32].all() and kept.sum() == 24
    drawn = engine.pixels(items.draw("00ff00", 3, 1))
    assert drawn.dtype.names == ("vis-red", "vis-green", "vis-blue")
    assert drawn["vis-green"][3, 5] == 255 and drawn["vis-red"].max() == 0
    assert drawn["vis-green"][12, 12] == 0


def test_geemaps_own_tools_find_what_they_ask_for(engine, tmp_path, capsys):
    import geemap
    import pandas as pd

    area = box(4, 5, 10, 12)
    values = engine.band("B3")[4:14, 5:17]
    stats = geemap.image_stats(engine.image().select("B3"), area, 10).getInfo()
    assert stats["mean"]["B3"] == pytest.approx(values.mean())
    assert stats["max"]["B3"] == values.max()
    table = geemap.ee_to_gdf(ee.FeatureCollection([ee.Feature(area, {"name": "a"})]))
    assert table["name"].tolist() == ["a"]
    path = tmp_path / "zones.csv"
    geemap.zonal_stats(engine.image().select("B3"), ee.FeatureCollection([
        ee.Feature(area, {"name": "a"})]), str(path), stat_type="MEAN", scale=10)
    assert pd.read_csv(path)["mean"][0] == pytest.approx(values.mean())
    assert geemap.image_props(engine.image()).getInfo()["IMAGE_DATE"] == "2023-07-09"
    capsys.readouterr()


def test_old_names_with_underscores_do_what_the_new_ones_do(engine):
    for name, (a, b) in {"bitwise_and": (13, 6), "bitwise_or": (13, 6), "bitwise_xor": (13, 6),
                         "left_shift": (5, 2), "right_shift": (13, 2), "first_nonzero": (0, 3)
                         }.items():
        words = name.split("_")
        new = words[0] + "".join(w.capitalize() for w in words[1:]).replace("Nonzero", "NonZero")
        assert apply(f"Number.{name}", a, b) == TWO[new](a, b), name
        found = engine.pixels(ee.ApiFunction.call_(f"Image.{name}", a, b).rename("x"))["x"]
        assert (found == TWO[new](a, b)).all(), name
    assert apply("Number.bitwise_not", 5) == ~5
    image, values = engine.image().select("B8").unmask(0), np.nan_to_num(engine.band("B8"))
    inner = (slice(1, -1), slice(1, -1))
    for name, compute in (("min", ndimage.minimum_filter), ("max", ndimage.maximum_filter),
                          ("median", ndimage.median_filter), ("mean", ndimage.uniform_filter)):
        focal = ee.ApiFunction.call_(f"Image.focal_{name}", image, 1, "square").rename("x")
        np.testing.assert_allclose(engine.pixels(focal)["x"][inner], compute(values, 3)[inner])
    two = ee.Image(7).where(image.gt(3000), 4)
    mode = engine.pixels(ee.ApiFunction.call_("Image.focal_mode", two, 1, "square").rename("x"))
    high = ndimage.uniform_filter((values > 3000).astype(float), 3) > 0.5
    np.testing.assert_array_equal(mode["x"][inner], np.where(high, 4, 7)[inner])


def test_shapes_keep_their_coordinates():
    ring = [[16, 50], [17, 50], [17, 51], [16, 50]]
    line, other = [[16, 50], [17, 51]], [[18, 52], [19, 50], [20, 51]]

    def coordinates(geometry):
        return ee.Geometry(geometry).coordinates()

    found = asked({
        "ring": ee.Geometry.LinearRing(ring).coordinates(),
        "lines": ee.Geometry.MultiLineString([line, other]).coordinates(),
        "one": ee.Geometry.MultiLineString([line, other]).geometries().map(coordinates),
        "many": ee.Geometry({"type": "GeometryCollection", "geometries": [
            {"type": "Point", "coordinates": [1, 2]},
            {"type": "LineString", "coordinates": line}]}).geometries().map(coordinates),
        "of a dictionary": ee.Dictionary({"g": ee.Geometry.Point([3, 4])}).getGeometry("g"),
        "of a list": ee.List([1, ee.Geometry.Point([5, 6])]).getGeometry(1),
        "number": ee.List(["a", 7]).getNumber(1).add(1)})
    assert found["ring"] == ring and found["lines"] == [line, other]
    assert found["one"] == [[line, other]] and found["many"] == [[1, 2], line]
    assert found["of a dictionary"]["coordinates"] == [3, 4]
    assert found["of a list"]["coordinates"] == [5, 6] and found["number"] == 8
    mixed = apply("GeometryConstructors.MultiGeometry", [
        apply("GeometryConstructors.Point", [1, 2], None),
        apply("GeometryConstructors.LineString", line, None, None, None)], None, None, None)
    assert mixed.shape.equals(shapely.GeometryCollection([
        shapely.Point(1, 2), shapely.LineString(line)]))


def test_pixels_from_numbers(engine):
    image = engine.image()
    names = {"a": ee.Dictionary({"k": 4.5}).toImage().rename("a"),
             "b": ee.Image(called("Image.cat", [image.select("B2"), 5])).select(1).rename("b"),
             "c": image.metadata("system:time_start").rename("c"),
             "d": image.select("B8").divide(7).cast({"B8": "int16"}).rename("d").toDouble()}
    found = engine.pixels(ee.Image.cat([i.toDouble() for i in names.values()]))
    assert (found["a"] == 4.5).all() and (found["b"] == 5).all()
    day = 1688860800000  # 2023-07-09
    assert (found["c"][1:30, 1:] == day).all()
    expected = np.trunc(np.nan_to_num(engine.band("B8")) / 7)
    np.testing.assert_array_equal(found["d"], expected)
    for name in ("float", "toFloat", "double", "toDouble"):
        assert apply(f"Number.{name}", 3) == 3.0


def called(name, *arguments):
    """A function called by its name in the graph through the client."""
    return ee.ApiFunction.call_(name, *arguments)


def test_parts_of_the_calendar():
    scenes = ee.ImageCollection(COLLECTION)  # 2022-06-19, a Sunday, and 2023-07-09, a Sunday
    for (start, end, field), count in {
            (7, 7, "month"): 1, (6, 7, "month"): 2, (8, 6, "month"): 1, (2022, 2022, "year"): 1,
            (10, 20, "day_of_month"): 1, (7, 7, "day_of_week"): 2, (1, 6, "day_of_week"): 0,
            (170, 180, "day_of_year"): 1, (0, 23, "hour"): 2}.items():
        found = scenes.filter(ee.Filter.calendarRange(start, end, field)).size().getInfo()
        assert found == count, (start, end, field)
