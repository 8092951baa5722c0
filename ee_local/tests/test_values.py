"""Numbers, strings, lists, dictionaries, dates, arrays and geometries of the local Earth Engine."""

import datetime as dt
import math

import ee
import numpy as np
import pyproj
import pytest
import shapely
from ee_local.encode import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_engine import (
    apply,
    asked,
)

pytestmark = pytest.mark.usefixtures("engine")
FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def test_arithmetic_over_http():
    seven, two = ee.Number(7), ee.Number(2)
    assert asked({
        "add": seven.add(two), "subtract": seven.subtract(two), "multiply": seven.multiply(two),
        "divide": seven.divide(two), "mod": seven.mod(two), "pow": seven.pow(two),
        "max": seven.max(two), "min": seven.min(two), "lt": seven.lt(two), "gte": seven.gte(two),
        "and": seven.And(0), "or": seven.Or(0), "not": ee.Number(0).Not(),
        "floor": ee.Number(-2.5).floor(), "round": ee.Number(2.5).round(),
        "abs": ee.Number(-3).abs(), "byte": ee.Number(300.7).toByte(), "int": ee.Number(-3.9).int(),
        "atan2": ee.Number(0).atan2(1), "clamp": seven.clamp(0, 5), "unit": seven.unitScale(0, 14),
        "bits": ee.Number(6).bitwiseAnd(3), "shift": ee.Number(1).leftShift(4),
        "parse": ee.Number.parse("2.50"), "hex": ee.Number.parse("ff", 16),
        "expression": ee.Number.expression("2 ** 3 + (x > 1 ? 10 : 20) * 2", {"x": 7}),
    }) == {
        "add": 9, "subtract": 5, "multiply": 14, "divide": 3.5, "mod": 1, "pow": 49, "max": 7,
        "min": 2, "lt": 0, "gte": 1, "and": 0, "or": 1, "not": 1, "floor": -3, "round": 3, "abs": 3,
        "byte": 255, "int": -3, "atan2": math.pi / 2, "clamp": 5, "unit": 0.5, "bits": 2,
        "shift": 16, "parse": 2.5, "hex": 255, "expression": 28}


def test_what_is_not_defined_is_null():
    assert asked({"zero": ee.Number(0).divide(0), "log": ee.Number(-1).log(),
                  "mod": ee.Number(3).mod(0)}) == {"zero": None, "log": None, "mod": None}
    assert ee.Number(1).divide(0).getInfo() is None


@settings(deadline=None)
@given(FINITE, FINITE)
def test_number_operations_are_pythons(a, b):
    for name, value in (("add", a + b), ("subtract", a - b), ("multiply", a * b),
                        ("max", max(a, b)), ("hypot", math.hypot(a, b)), ("gt", int(a > b)),
                        ("mod", math.fmod(a, b) if b else math.nan),
                        ("divide", a / b if b else None)):
        if value is not None:
            assert apply(f"Number.{name}", a, b) == pytest.approx(value, nan_ok=True)


@settings(deadline=None)
@given(st.floats(-400, 400), st.sampled_from(["uint8", "int8", "uint16", "int16", "int32"]))
def test_casts_cut_to_the_types_range(value, kind):
    limits = np.iinfo(kind)
    expected = int(np.clip(np.trunc(value), limits.min, limits.max))
    assert apply(f"Number.to{kind.capitalize()}", value) == expected


@pytest.mark.parametrize("value, pattern, text", [
    (3.14159, "%.2f", "3.14"), (7, "%03d", "007"), (7, "%s", "7"), (2.5, "%s", "2.5"),
    (1234567, "%,d", "1,234,567"), (5, "n = %d px", "n = 5 px"), (255, "%x", "ff")])
def test_numbers_as_text(value, pattern, text):
    assert ee.Number(value).format(pattern).getInfo() == text


def test_strings():
    text = ee.String("Sentinel-2 L2A")
    assert asked({
        "cat": text.cat("!"), "length": text.length(), "slice": text.slice(-3),
        "split": text.split("[- ]"), "upper": text.toUpperCase(), "index": text.index("nel"),
        "missing": text.index("x"), "match": text.match("(\\w+)-(\\d)"),
        "all": text.match("[0-9]", "g"), "first": text.replace("[0-9]", "#"),
        "every": text.replace("([0-9])", "<$1>", "g"), "trim": ee.String("  a ").trim(),
        "compare": ee.String("a").compareTo("c"), "equals": text.equals("x"),
        "json": ee.String.encodeJSON({"a": [1, 2.5]}), "value": ee.String('{"a": 3}').decodeJSON(),
        "number": ee.String(ee.Number(3)),
    }) == {
        "cat": "Sentinel-2 L2A!", "length": 14, "slice": "L2A", "split": ["Sentinel", "2", "L2A"],
        "upper": "SENTINEL-2 L2A", "index": 5, "missing": -1,
        "match": ["Sentinel-2", "Sentinel", "2"], "all": ["2", "2"],
        "first": "Sentinel-# L2A", "every": "Sentinel-<2> L<2>A", "trim": "a", "compare": -2,
        "equals": False, "json": '{"a": [1, 2.5]}', "value": {"a": 3}, "number": "3"}


@pytest.mark.parametrize("broken, words", [
    (lambda: ee.String("a").match("("), "regular expression"),
    (lambda: ee.String("{").decodeJSON(), "decodeJSON"),
    (lambda: ee.Number.parse("x"), "no number"),
    (lambda: ee.Number(2.5).format("%d"), "whole"),
    (lambda: ee.List([1, 2]).get(2), "between -2 and 1, was 2"),
    (lambda: ee.List([1]).reduce(ee.Reducer.linearFit()), "linearFit is not implemented"),
    (lambda: ee.List(["a", 1]).sort(), "cannot be compared"),
    (lambda: ee.List.sequence(0, 1, 0), "step"),
    (lambda: ee.List.repeat(1, 10**8), "1000000"),
    (lambda: ee.Dictionary({"a": 1}).get("b"), "'b'"),
    (lambda: ee.Dictionary({"a": 1}).select(["b"]), "'b'"),
    (lambda: ee.Dictionary.fromLists(["a"], [1, 2]), "1 keys and 2"),
    (lambda: ee.Date("soon"), "soon"), (lambda: ee.Date("2023-01-01", "Mars/City"), "Mars"),
    (lambda: ee.Date("2023-01-01").advance(1, "aeon"), "aeon"),
    (lambda: ee.Date.fromYMD(2023, 13, 1), "month"),
    (lambda: ee.DateRange("2023-02-01", "2023-01-01"), "before"),
    (lambda: ee.Array([[1, 2], [3]]), "lengths"), (lambda: ee.Array([1, 2]).get([5]), "nothing"),
    (lambda: ee.Array([1, 2]).add([1, 2, 3]), "shapes"),
    (lambda: ee.Array([[1, 1], [1, 1]]).matrixInverse(), "ingular"),
    (lambda: ee.Geometry.Point([1, 2]).transform("EPSG:999999"), "999999"),
    (lambda: ee.Geometry.Polygon([[[1, 2], [3, 4]]]), "Geometry"),
    (lambda: ee.List(["x"]).getNumber(0), "Actual type: String")])
def test_bad_values_are_named(broken, words):
    with pytest.raises(ee.EEException, match=words):
        broken().getInfo()


def test_lists():
    values = ee.List([3, 1, 2, 3])
    assert asked({
        "size": values.size(), "get": values.get(-1), "sort": values.sort(),
        "keys": values.sort([4, 3, 2, 1]), "distinct": values.distinct(),
        "reverse": values.reverse(), "slice": values.slice(1, -1), "add": values.add("x"),
        "contains": values.contains(2), "index": values.indexOf(3), "absent": values.indexOf(9),
        "frequency": values.frequency(3), "remove": values.remove(3),
        "removeAll": values.removeAll([3]), "replace": values.replace(3, 9),
        "replaceAll": values.replaceAll(3, 9), "set": values.set(0, 5), "swap": values.swap(0, 1),
        "insert": values.insert(1, 8), "splice": values.splice(1, 2, [7]),
        "rotate": values.rotate(1), "zip": values.zip(["a", "b"]),
        "unzip": ee.List([[1, 2], [3, 4]]).unzip(), "flatten": ee.List([1, [2, [3]]]).flatten(),
        "join": values.join("-"), "sublist": values.indexOfSublist([1, 2]),
        "repeat": ee.List.repeat(0, 3), "sequence": ee.List.sequence(1, 2, 0.25),
        "count": ee.List.sequence(0, None, 2, 3), "even": ee.List.sequence(0, 1, None, 3),
        "map": values.map(lambda v: ee.Number(v).multiply(2)),
        "iterate": values.iterate(lambda v, total: ee.Number(v).add(total), 0),
        "filter": values.filter(ee.Filter.gt("item", 1)),
        "mean": values.reduce(ee.Reducer.mean()), "equals": values.equals([3, 1, 2, 3]),
    }) == {
        "size": 4, "get": 3, "sort": [1, 2, 3, 3], "keys": [3, 2, 1, 3], "distinct": [3, 1, 2],
        "reverse": [3, 2, 1, 3], "slice": [1, 2], "add": [3, 1, 2, 3, "x"], "contains": True,
        "index": 0, "absent": -1, "frequency": 2, "remove": [1, 2, 3], "removeAll": [1, 2],
        "replace": [9, 1, 2, 3], "replaceAll": [9, 1, 2, 9], "set": [5, 1, 2, 3],
        "swap": [1, 3, 2, 3], "insert": [3, 8, 1, 2, 3], "splice": [3, 7, 3],
        "rotate": [1, 2, 3, 3], "zip": [[3, "a"], [1, "b"]], "unzip": [[1, 3], [2, 4]],
        "flatten": [1, 2, 3], "join": "3-1-2-3", "sublist": 1, "repeat": [0, 0, 0],
        "sequence": [1, 1.25, 1.5, 1.75, 2], "count": [0, 2, 4], "even": [0, 0.5, 1],
        "map": [6, 2, 4, 6], "iterate": 9, "filter": [3, 2, 3], "mean": 2.25, "equals": True}


@settings(deadline=None)
@given(st.lists(st.integers(-50, 50), max_size=12), st.integers(0, 10_000))
def test_shuffling_keeps_the_elements_and_depends_on_the_seed(values, seed):
    first, again = (apply("List.shuffle", values, seed) for _ in range(2))
    assert first == again and sorted(first) == sorted(values)


def test_dictionaries_and_choices():
    entries = ee.Dictionary({"b": 2, "a": 1, "nested": {"x": [1, None]}})
    assert asked({
        "keys": entries.keys(), "values": entries.select(["a", "b"]).values(),
        "get": entries.get("a"), "default": entries.get("z", 9), "number": entries.getNumber("b"),
        "set": entries.set("c", 3).size(), "contains": entries.contains("z"),
        "combine": ee.Dictionary({"a": 1}).combine({"a": 2, "b": 3}),
        "kept": ee.Dictionary({"a": 1}).combine({"a": 2, "b": 3}, False),
        "remove": entries.remove(["a", "nested"]), "rename": entries.rename(["a"], ["c"]).keys(),
        "pattern": entries.select(["[ab]"]).keys(),
        "map": ee.Dictionary({"a": 1}).map(lambda k, v: ee.Number(v).add(1)),
        "array": ee.Dictionary({"b": 2, "a": 1}).toArray(),
        "lists": ee.Dictionary.fromLists(["x"], [5]),
        "if": ee.Algorithms.If(ee.Number(0), "yes", "no"),
        "if text": ee.Algorithms.If("", "yes", "no"), "if list": ee.Algorithms.If([1], 1, 0),
        "equal": ee.Algorithms.IsEqual([1, 2], [1, 2]), "type": ee.Algorithms.ObjectType(1.5),
    }) == {
        "keys": ["a", "b", "nested"], "values": [1, 2], "get": 1, "default": 9, "number": 2,
        "set": 4, "contains": False, "combine": {"a": 2, "b": 3}, "kept": {"a": 1, "b": 3},
        "remove": {"b": 2}, "rename": ["b", "c", "nested"], "pattern": ["a", "b"], "map": {"a": 2},
        "array": [1, 2], "lists": {"x": 5}, "if": "no", "if text": "no", "if list": 1,
        "equal": True, "type": "Float"}


def test_dates():
    date = ee.Date("2023-01-31T10:30:15")
    moment = dt.datetime(2023, 1, 31, 10, 30, 15, tzinfo=dt.UTC)
    assert date.getInfo() == {"type": "Date", "value": moment.timestamp() * 1000}
    assert asked({
        "month": date.advance(1, "month").format("YYYY-MM-dd"),
        "back": date.advance(-2, "years").format(), "day": date.advance(1.5, "day").format(),
        "days": ee.Date("2023-03-01").difference("2023-02-01", "day"),
        "get": date.get("month"), "doy": date.getRelative("day", "year"),
        "week": ee.Date("2023-07-09").get("week"), "fraction": date.millis(),
        "words": date.format("d MMM yyyy, HH:mm 'UTC'"), "ymd": ee.Date.fromYMD(2023, 7, 9),
        "zone": ee.Date("2023-07-09", "Europe/Warsaw").format("YYYY-MM-dd HH:mm"),
        "shown": ee.Date("2023-07-09T22:30").format("dd HH:mm", "Europe/Warsaw"),
        "range": date.getRange("month"), "ratio": ee.Date.unitRatio("day", "hour"),
        "update": date.update(None, 3).format("YYYY-MM-dd"), "year": ee.Date("2021").format("D y"),
        "inside": ee.DateRange("2023-01-01", "2023-02-01").contains(date),
        "end": ee.DateRange("2023-01-01", "2023-02-01").contains("2023-02-01"),
    }) == {
        "month": "2023-02-28", "back": "2021-01-31T10:30:15", "day": "2023-02-01T22:30:15",
        "days": 28, "get": 1, "doy": 30, "week": 27, "fraction": moment.timestamp() * 1000,
        "words": "31 Jan 2023, 10:30 UTC",
        "ymd": {"type": "Date", "value": 1_688_860_800_000}, "zone": "2023-07-08 22:00",
        "shown": "10 00:30",
        "range": {"type": "DateRange", "dates": [1_672_531_200_000, 1_675_209_600_000]},
        "ratio": 24, "update": "2023-03-31", "year": "1 2021", "inside": True, "end": False}


def test_arrays():
    table = ee.Array([[1, 2], [3, 4]])
    assert asked({
        "add": table.add(table), "half": table.divide(2), "get": table.get([1, 0]),
        "length": table.length(), "slice": table.slice(0, 1), "transpose": table.transpose(),
        "product": table.matrixMultiply(table), "trace": table.matrixTrace(),
        "inverse": table.matrixInverse().multiply(-2).round(),
        "sum": table.reduce(ee.Reducer.sum(), [0]), "project": table.slice(0, 0, 1).project([1]),
        "cat": ee.Array.cat([table, table], 1), "argmax": table.argmax(),
        "list": table.toList(), "identity": ee.Array.identity(2), "gt": table.gt(2),
        "dot": ee.Array([1, 2]).dotProduct([3, 4]),
    }) == {
        "add": [[2, 4], [6, 8]], "half": [[0.5, 1], [1.5, 2]], "get": 3, "length": [2, 2],
        "slice": [[3, 4]], "transpose": [[1, 3], [2, 4]], "product": [[7, 10], [15, 22]],
        "trace": 5, "inverse": [[4, -2], [-3, 1]], "sum": [[4, 6]], "project": [1, 2],
        "cat": [[1, 2, 1, 2], [3, 4, 3, 4]], "argmax": [1, 1], "list": [[1, 2], [3, 4]],
        "identity": [[1, 0], [0, 1]], "gt": [[0, 0], [1, 1]], "dot": 11}


def test_geometries_are_measured_on_the_ellipsoid():
    ring = [[16.2, 50.9], [16.4, 50.9], [16.4, 51.0], [16.2, 51.0], [16.2, 50.9]]
    geod = pyproj.Geod(ellps="WGS84")
    area, length = geod.polygon_area_perimeter(*zip(*ring, strict=True))
    place = ee.Geometry.Polygon([ring])
    found = asked({
        "area": place.area(), "perimeter": place.perimeter(), "length": place.length(),
        "disc": ee.Geometry.Point([16.3, 50.95]).buffer(1000).area(),
        "gap": ee.Geometry.Point([16.3, 50.95]).distance(ee.Geometry.Point([16.31, 50.95])),
        "line": ee.Geometry.LineString([[16.3, 50.95], [16.31, 50.95]]).length(),
        "utm": ee.Geometry.Rectangle([5e5, 5.6e6, 5e5 + 100, 5.6e6 + 50], "EPSG:32633",
                                     False).area(1, "EPSG:32633"),
        "centre": place.centroid().coordinates(), "type": place.type(),
        "bounds": place.bounds().coordinates()})
    assert found["area"] == pytest.approx(abs(area), rel=1e-9)
    assert found["perimeter"] == pytest.approx(length, rel=1e-9) and found["length"] == 0
    assert found["disc"] == pytest.approx(math.pi * 1e6, rel=2e-3)
    assert found["gap"] == pytest.approx(found["line"], rel=1e-6)
    assert found["line"] == pytest.approx(geod.inv(16.3, 50.95, 16.31, 50.95)[2])
    assert found["utm"] == 5000 and found["type"] == "Polygon"
    assert found["centre"] == pytest.approx([16.3, 50.95], abs=1e-4)
    west, south, east, north = shapely.Polygon(found["bounds"][0]).bounds
    assert (west, south, east, north) == pytest.approx((16.2, 50.9, 16.4, 51.0), abs=1e-3)


def test_geometries_together():
    a = ee.Geometry.Rectangle([0, 0, 2, 2], None, False)
    b = ee.Geometry.Rectangle([1, 1, 3, 3], None, False)
    found = asked({"intersection": a.intersection(b).bounds().coordinates(),
                   "intersects": a.intersects(b), "contains": a.contains(b),
                   "within": ee.Geometry.Point([1, 1]).containedIn(a),
                   "disjoint": a.disjoint(ee.Geometry.Point([9, 9])),
                   "difference": a.difference(b).area(), "union": a.union(b).area(),
                   "one": a.area(), "two": b.area(), "both": a.intersection(b).area()})
    shape = shapely.Polygon(found["intersection"][0])
    assert shape.equals(shapely.box(1, 1, 2, 2))
    assert found["intersects"] and found["within"] and found["disjoint"]
    assert not found["contains"]
    assert found["union"] == pytest.approx(found["one"] + found["two"] - found["both"], rel=1e-4)
    assert found["difference"] == pytest.approx(found["one"] - found["both"], rel=1e-4)


def test_a_geometry_comes_back_as_it_was_sent():
    for value in ({"type": "Point", "coordinates": [16.25, 50.99]},
                  {"type": "LineString", "coordinates": [[1, 2], [3, 4]]},
                  {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]},
                  {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}):
        found = ee.Geometry(value).transform("EPSG:4326").getInfo()
        assert shapely.geometry.shape(found).equals(shapely.geometry.shape(value))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25,
          deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(-2**40, 2**40) | st.text(max_size=5)
                    | st.floats(allow_nan=False, allow_infinity=False, width=32),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=3),
                    max_leaves=8))
def test_any_value_survives_the_journey(value):
    assert ee.List([value]).getInfo() == [value]


def test_encoding_writes_numbers_as_googles_service_does():
    assert encode([1.0, 2.5, math.nan, math.inf, True, None, np.float64(3), np.int32(4)]) == [
        1, 2.5, None, None, True, None, 3, 4]
    assert type(encode(2.0)) is int
