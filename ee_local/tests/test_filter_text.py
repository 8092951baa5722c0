"""Filters as text: what they pass, against ee.Filter and Python; what is refused."""

import gc
import operator
import time

import ee
import pytest
from ee_local.errors import EngineError
from ee_local.filter_text import DEEPEST, parse_filter
from hypothesis import given
from hypothesis import strategies as st

from ee_local import elements as el

ITEMS = [{"k": 5}, {"k": 10, "name": "pit"}, {"k": 15.5, "name": "mine"}, {"k": 20, "limit": 25},
         {"name": "pit"}, {"k": -3, "system:time_start": 7, "limit": -3, "open": True}]
PYTHONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
           "==": operator.eq, "!=": operator.ne}


def passed(text, items=ITEMS):
    """Positions of the items that a filter passes."""
    test = parse_filter(text)
    return [i for i, p in enumerate(items) if test.passes(el.Feature(None, p))]


@pytest.mark.parametrize("text, expected", [
    ("k >= 10 and k < 20", [1, 2]), ("k >= 10 && k < 20", [1, 2]), ("k>=10&&k<20", [1, 2]),
    ("k < 0 || k > 15", [2, 3, 5]), ("k < 0 or k > 15", [2, 3, 5]), ("k == 15.5", [2]),
    ("k > 1.55e1", [3]), ("k < -2.5", [5]), ("10 < k", [2, 3]), ("k == limit", [5]),
    ("name == 'pit'", [1, 4]), ('name == "pit" AND k > 0', [1]), ("name > 'n'", [1, 4]),
    ("!(k < 10)", [1, 2, 3, 4]), ("not (k < 10)", [1, 2, 3, 4]), ("!!(k < 10)", [0, 5]),
    ("! k < 10", [1, 2, 3, 4]),  # binds weaker than a comparison, stronger than &&
    ("k < 0 || k > 0 && k < 10", [0, 5]), ("(k < 0 || k > 0) && k < 10", [0, 5]),
    ("(k < 0 || k > 15) && k < 20", [2, 5]), ("k < 0 || k > 15 && k < 20", [2, 5]),
    ("((k == 5))", [0]), ("system:time_start == 7", [5]), ("open == true", [5]),
    ("k < 'a'", []), ("nothing == 1", []), ("k != 10", [0, 2, 3, 4, 5]), (" k == 5 ", [0])])
def test_texts_pass_what_they_say(text, expected):
    assert passed(text) == expected


@given(st.sampled_from(list(PYTHONS)), st.floats(-1e9, 1e9), st.integers(-9, 9))
def test_comparisons_are_pythons(sign, one, two):
    for a, b in ((one, two), (two, one), (two, two)):
        expected = [0] if PYTHONS[sign](a, b) else []
        assert passed(f"k {sign} {b!r}", [{"k": a}]) == expected
        assert passed(f"{a!r} {sign} k", [{"k": b}]) == expected


@given(st.recursive(
    st.sampled_from(["a == 1", "b == 1", "c == 1"]),
    lambda inner: st.one_of(
        inner.map(lambda t: f"!({t})"),
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(" ".join),
        inner.map(lambda t: f"({t})")), max_leaves=8))
def test_logic_is_pythons(text):
    """Python's words bind as Earth Engine's signs do."""
    python = text.replace("!", " not ").replace("&&", "and").replace("||", "or")
    for k in range(8):
        names = {n: k >> i & 1 for i, n in enumerate("abc")}
        assert passed(text, [names]) == ([0] if eval(python, {}, names) else [])


@pytest.mark.parametrize("text, words", [
    ("", "where the end stands"), ("k", "must stand where the end stands"),
    ("k = 3", "equality is '=='"), ("k + 1 > 3", "arithmetic is not part of a filter"),
    ("k >", "must stand where the end stands"), ("k > 3 k", "'k' is not expected there"),
    ("(k > 3", r"a '\)' is missing"), ("k > 3)", r"'\)' is not expected"),
    ("k > 'a", "'a.* cannot be read"), ("k > 3;", "';' cannot be read"),
    ("3k > 1", "'3k > 1' cannot be read"), ("k > -'a'", "where .*'a'.* stands"),
    ("k > #", "'#' cannot be read"), ("k && j", "must stand where '&&' stands"),
    ("__import__('os') == 1", r"must stand where '\(' stands"),
    ("(" * (DEEPEST + 1) + "k > 1" + ")" * (DEEPEST + 1), "nested more than 100 deep"),
    ("!" * (DEEPEST + 1) + "k > 1", "nested more than 100 deep")])
def test_what_cannot_be_read_is_named(text, words):
    with pytest.raises(EngineError, match=words) as caught:
        parse_filter(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@given(st.text("kab01.()!&|=<>'\" -+", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        parse_filter(text)
    except EngineError as error:
        assert "cannot be read" in str(error)


def spent(text):
    """Seconds of work to read a text, the least of three."""
    times = []
    for _ in range(3):
        begun = time.process_time()
        parse_filter(text)
        times.append(time.process_time() - begun)
    return min(times)


def test_the_time_grows_with_the_length():
    """Ten times the text takes about ten times the time, whatever it repeats."""
    gc.disable()  # its pauses grow with all that the other tests hold
    try:
        for part in ("k > 1 && ", "k > 1 || ", "'' == '' && ", "k > 1 and (k < 3) or "):
            short, long = (spent(part * times + "k > 1") for times in (2_000, 20_000))
            assert long < 40 * max(short, 0.005)
    finally:
        gc.enable()


@pytest.fixture(scope="module")
def items(engine):
    return ee.FeatureCollection([ee.Feature(None, p) for p in ITEMS])


def chosen(items, condition):
    return items.filter(condition).aggregate_array("system:index").getInfo()


@pytest.mark.parametrize("text, build", [
    ("k < 10", lambda f: f.lt("k", 10)), ("k <= 10", lambda f: f.lte("k", 10)),
    ("k > 10", lambda f: f.gt("k", 10)), ("k >= 10", lambda f: f.gte("k", 10)),
    ("k == 10", lambda f: f.eq("k", 10)), ("k != 10", lambda f: f.neq("k", 10)),
    ("k >= 10 and k < 20", lambda f: f.And(f.gte("k", 10), f.lt("k", 20))),
    ("k == limit", lambda f: f.equals(leftField="k", rightField="limit")),
    ("!(name == 'pit')", lambda f: f.eq("name", "pit").Not())])
def test_texts_pass_what_the_clients_filters_pass(items, text, build):
    expected = chosen(items, build(ee.Filter))
    assert chosen(items, text) == chosen(items, ee.Filter.expression(text)) == expected


def test_texts_are_filters_everywhere(items):
    drawn = items.randomColumn()
    values = drawn.aggregate_array("random").getInfo()
    assert drawn.filter("random < 0.7").size().getInfo() == sum(v < 0.7 for v in values)
    both = items.filter(ee.Filter.And(ee.Filter.expression("k > 0"), ee.Filter.lt("k", 11)))
    assert both.aggregate_array("k").getInfo() == [5, 10]
    pairs = ee.Join.inner().apply(items, items, ee.Filter.expression("k == limit"))
    assert pairs.size().getInfo() == 1
    with pytest.raises(ee.EEException, match="equality is '=='"):
        items.filter("k = 1").size().getInfo()
    with pytest.raises(ee.EEException, match=r"Expected type: Filter\. Actual type: Integer"):
        items.filter(ee.Number(3)).size().getInfo()
