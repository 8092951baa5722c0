"""A formula of TP, FP, FN and TN: parsed against a whitelist, computed in float64, never executed.

General evaluators let through what no formula needs (subscripts, numpy's ``out`` argument).
"""

from __future__ import annotations

import ast
import difflib
import functools
import re
import warnings
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from lulc_lib.errors import InputError

LONGEST = 500
"""Characters of a formula; with float64 arithmetic it bounds what a formula can cost."""

Vector = NDArray[np.float64]

OPERATORS: dict[type[ast.operator], Callable[[Vector, Vector], Vector]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.Pow: np.power}
SIGNS: dict[type[ast.unaryop], Callable[[Vector], Vector]] = {
    ast.USub: np.negative, ast.UAdd: np.positive}
OF_ONE: dict[str, Callable[[Vector], Vector]] = {"sqrt": np.sqrt, "abs": np.abs, "log": np.log}
OF_MANY: dict[str, Callable[[Vector, Vector], Vector]] = {"min": np.minimum, "max": np.maximum}
FUNCTIONS = (*OF_ONE, *OF_MANY)
WORDS: dict[type[ast.expr], str] = {
    ast.Compare: "a comparison", ast.BoolOp: "and/or", ast.IfExp: "if/else", ast.Lambda: "a lambda",
    ast.Subscript: "an index in [ ]", ast.Tuple: "a comma outside min or max", ast.List: "a list",
    ast.Dict: "a dictionary", ast.Set: "a set", ast.JoinedStr: "text", ast.NamedExpr: "a :=",
    ast.Starred: "a *", ast.Call: "a call with a keyword or of something that is no function"}


def split_name(text: str) -> tuple[str, str]:
    """Split a formula into its own name (``formula`` if it has none) and its expression.

    Examples
    --------
    >>> split_name("ts = TP / N"), split_name("TP / N")
    (('ts', 'TP / N'), ('formula', 'TP / N'))
    """
    match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*=(?!=)(.*)", text, re.S)
    return (match.group(1), match.group(2).strip()) if match else ("formula", text.strip())


def evaluate(text: str, values: Mapping[str, Vector]) -> Vector:
    """Compute a formula for every class; NaN where it is no finite number (0/0, say).

    ``text``: numbers, names, ``+ - * / **``, parentheses, sqrt, abs, log (natural), min and max;
    ``name = …`` in front is allowed. ``values``: TP, TN, FP, FN, N and the metrics, (class,) each.

    Raises
    ------
    InputError
        The formula cannot be read, or holds something that is not allowed, which is named.

    Examples
    --------
    >>> evaluate("TP / (TP + FN)", {"TP": np.array([3.0, 0.0]), "FN": np.array([1.0, 0.0])})
    array([0.75,  nan])
    """
    tree = _parse(split_name(text)[1])
    shape = np.shape(next(iter(values.values())))
    try:
        with np.errstate(all="ignore"):
            result = np.broadcast_to(_value(tree, values), shape).astype(np.float64)
    except RecursionError:
        raise InputError("the formula is nested too deeply") from None
    return np.where(np.isfinite(result), result, np.nan)


@functools.cache
def _parse(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise InputError(f"the formula has {len(text)} characters; at most {LONGEST} are allowed")
    if not text:
        raise InputError("the formula is empty; an example is TP / (TP + FP + FN)")
    readable = re.sub(r"\bfor\b", "FOR", text)  # the metric's name is a word of Python's grammar
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(readable, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = getattr(error, "msg", None) or type(error).__name__
        raise InputError(f"the formula {text!r} cannot be read ({reason}); an example is "
                         "TP / (TP + FP + FN)") from None


def _value(node: ast.expr, values: Mapping[str, Vector]) -> Vector:
    match node:
        case ast.Constant(value=value):
            return _number(value)
        case ast.Name(id=name):
            return _named(name, values)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in SIGNS:
            return SIGNS[type(op)](_value(operand, values))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _call(name, arguments, values)
    raise InputError(f"the formula holds {_shown(node)}; allowed are numbers, names, + - * / **, "
                     f"parentheses and {', '.join(FUNCTIONS)}")


def _number(value: object) -> Vector:
    if type(value) not in (int, float):
        raise InputError(f"the formula holds {value!r}; only plain numbers are allowed")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not np.isfinite(number):
        raise InputError("the formula holds a number too large to compute with (above 1.8e308)")
    return np.float64(number)


def _named(name: str, values: Mapping[str, Vector]) -> Vector:
    name = "for" if name == "FOR" and "FOR" not in values else name
    if name not in values:
        near = difflib.get_close_matches(name.upper(), values, 1) \
            or difflib.get_close_matches(name.lower(), values, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"the formula names {name!r}, which is unknown; {hint}"
                         f"the names are {', '.join(values)}")
    return np.asarray(values[name], dtype=np.float64)


def _call(name: str, arguments: list[ast.expr], values: Mapping[str, Vector]) -> Vector:
    if name not in FUNCTIONS:
        raise InputError(f"the formula calls {name!r}, which is unknown; the functions are "
                         f"{', '.join(FUNCTIONS)}")
    if (len(arguments) != 1) if name in OF_ONE else (len(arguments) < 2):
        raise InputError(f"the formula calls {name} with {len(arguments)} argument(s); it takes "
                         f"{'one' if name in OF_ONE else 'two or more'}")
    numbers = [_value(argument, values) for argument in arguments]
    return OF_ONE[name](numbers[0]) if name in OF_ONE else functools.reduce(OF_MANY[name], numbers)


def _shown(node: ast.expr) -> str:
    """Name what is not allowed in the user's words."""
    if isinstance(node, ast.Attribute):
        return f"the attribute {'.' + node.attr!r}"
    if isinstance(node, ast.BinOp | ast.UnaryOp):
        kind = type(node.op).__name__
        return "^ (a power is written **)" if kind == "BitXor" else f"the operator {kind}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _shown(node.func)
    return WORDS.get(type(node), type(node).__name__)
