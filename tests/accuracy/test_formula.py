"""The custom formula: what it computes, and that nothing else gets through."""

import time
import warnings

import numpy as np
import pytest

from lulc_lib.accuracy.confusion import as_confusion
from lulc_lib.accuracy.formula import evaluate, split_name
from lulc_lib.accuracy.metrics import METRICS, PER_CLASS, binary_parts, per_class
from lulc_lib.errors import InputError

VALUES = {"TP": np.array([40.0, 0.0]), "FN": np.array([10.0, 0.0]), "N": np.array([100.0, 100.0]),
          "for": np.array([0.25, 0.5])}


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("TP / (TP + FN)", 0.8, np.nan),
        ("ts = TP / N", 0.4, 0.0),
        ("-TP ** 2 + +3", -1597.0, 3.0),
        ("sqrt(abs(TP - N)) + log(1)", np.sqrt(60), 10.0),
        ("min(TP, FN, 7) + max(TP, 1)", 47.0, 1.0),
        ("2 * for", 0.5, 1.0),
        ("1 / TP", 0.025, np.nan),
        ("sqrt(0 - 1)", np.nan, np.nan),
        ("log(0)", np.nan, np.nan),
        ("1e300 * 1e300", np.nan, np.nan),
        ("7", 7.0, 7.0),
    ],
)
def test_values(text, first, second):
    with warnings.catch_warnings(action="error"):
        assert evaluate(text, VALUES) == pytest.approx([first, second], nan_ok=True)


@pytest.mark.parametrize("name", PER_CLASS)
def test_agrees_with_every_metric_of_the_package(name):
    matrix = as_confusion([[40, 5, 1], [10, 45, 2], [0, 3, 30]], ["a", "b", "c"])
    parts = binary_parts(matrix).rename(columns=str.upper)
    values = {k: parts[k].to_numpy(dtype=float) for k in parts}
    found = evaluate(METRICS[name].formula, values)
    np.testing.assert_allclose(found, per_class(matrix)[name])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo + 1", "names 'foo', which is unknown"),
        ("tp", "did you mean TP"),
        ("__import__('os').system('true')", "the attribute '.system'"),
        ("TP.__class__", "the attribute '.__class__'"),
        ("eval(TP)", "calls 'eval', which is unknown"),
        ("TP if FN else N", "holds if/else"),
        ("TP < FN", "holds a comparison"),
        ("TP[0]", "an index"),
        ("TP ^ 2", r"\^ \(a power is written \*\*\)"),
        ("TP % 2", "the operator Mod"),
        ("~TP", "the operator Invert"),
        ("'a' * 9", "holds 'a'"),
        ("True", "holds True"),
        ("1j", "holds 1j"),
        ("[TP]", "a list"),
        ("(x := 1)", "a :="),
        ("lambda: 1", "a lambda"),
        ("sqrt(TP, FN)", r"calls sqrt with 2 argument\(s\); it takes one"),
        ("min(TP)", "takes two or more"),
        ("min(TP, key=N)", "a keyword"),
        ("", "the formula is empty"),
        ("TP /", "cannot be read"),
        ("TP; FN", "cannot be read"),
        ("\0", "cannot be read"),
        ("9" * 400, "too large"),
        ("1e999", "too large"),
        ("1+" * 300 + "1", "601 characters; at most 500"),
    ],
)
def test_everything_else_is_refused_by_name(text, message):
    with pytest.raises(InputError, match=message):
        evaluate(text, VALUES)


@pytest.mark.parametrize("text", [
    "9**9**9**9**9", "10**400", "-" * 499 + "1", "(" * 249 + "1" + ")" * 249,
    "TP" + "[0]" * 160, "(" * 400, "TP" + ".a" * 240, "1if 1else 1",
])
def test_no_formula_hangs_or_crashes(text):
    started = time.perf_counter()
    try:
        evaluate(text, VALUES)
    except InputError as error:
        assert str(error)
    assert time.perf_counter() - started < 1


def test_a_name_in_front():
    assert split_name("a_1 = TP == 2") == ("a_1", "TP == 2")
    assert split_name("TP == 2") == ("formula", "TP == 2")


def test_the_longest_formula_is_read_and_a_longer_one_is_not():
    text = "TP" + " + 0" * 200
    assert evaluate(text[:498] + "+0", VALUES)[0] == 40
    assert len(text[:498] + "+0") == 500
    with pytest.raises(InputError, match="has 501 characters; at most 500"):
        evaluate("1" * 501, VALUES)


def test_what_python_says_of_a_broken_formula_is_passed_on():
    with pytest.raises(InputError, match=r"cannot be read \('\(' was never closed\); an example"):
        evaluate("(TP", VALUES)
    assert split_name("Ts\n= TP") == split_name("Ts = TP") == ("Ts", "TP")
    assert evaluate("1", VALUES).dtype == np.float64
