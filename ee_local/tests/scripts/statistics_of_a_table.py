"""Rows of a table chosen and summed."""

import ee

ROWS = [("a", 3, 1.5), ("b", 7, 2.5), ("a", 11, 4.5), ("c", 2, 8.0), ("b", 5, 0.5)]


def script(place):
    table = ee.FeatureCollection([
        ee.Feature(None, {"site": s, "n": n, "load": x}) for s, n, x in ROWS])
    chosen = table.filter(ee.Filter.inList("site", ["a", "b"])).filter("n > 3 && load != 2.5")
    return ee.List([
        chosen.aggregate_sum("load"), chosen.aggregate_array("n"),
        table.aggregate_count_distinct("site"), table.sort("n", False).first().get("site"),
        table.reduceColumns(ee.Reducer.sum().group(1, "site"), ["n", "site"]).get("groups")])


def expected(place):
    chosen = [(n, x) for s, n, x in ROWS if s in "ab" and n > 3 and x != 2.5]
    sums = {s: sum(n for t, n, _ in ROWS if t == s) for s in "abc"}
    return [sum(x for _, x in chosen), [n for n, _ in chosen], 3, "a",
            [{"site": s, "sum": n} for s, n in sums.items()]]
