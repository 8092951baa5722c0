"""Filters as text: ``collection.filter('random < 0.7')``.

Earth Engine documents ``>``, ``>=``, ``<``, ``<=``, ``==``, ``!=``, parentheses, ``!``, ``&&`` and
``||``; the words ``and``, ``or`` and ``not``, which public scripts use, mean the same here. A side
of a comparison is a property, a number, a text in quotes, ``true`` or ``false``. ``!`` binds more
strongly than ``&&``, and that more strongly than ``||``. A text is read once, from left to right,
in time proportional to its length.

``<=``, ``>=`` and ``!=`` are the negation of another comparison, as in ``ee.Filter.lte``, ``gte``
and ``neq``: an element that lacks the property passes them.

Source: Earth Engine API reference, ee.Filter.expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ee_local.elements import Element, Filter, get, sort_key
from ee_local.errors import EngineError

TOKEN = re.compile(r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
  | (?P<name>[A-Za-z_][\w:.]*)
  | (?P<text>"[^"]*"|'[^']*')
  | (?P<sign>&&|\|\||==|!=|<=|>=|[<>!()=+*/%-])
)""", re.VERBOSE | re.ASCII)

WORDS = {"and": "&&", "or": "||", "not": "!"}
COMPARISONS: dict[str, tuple[Callable[[Any, Any], bool], bool]] = {
    "<": (lambda a, b: a < b, False), ">=": (lambda a, b: a < b, True),
    ">": (lambda a, b: a > b, False), "<=": (lambda a, b: a > b, True),
    "==": (lambda a, b: a == b, False), "!=": (lambda a, b: a == b, True),
}
"""A comparison's test, and whether it is the negation of that test."""

DEEPEST = 100
"""Most parentheses and negations within each other."""

Test = Callable[[Element, Element], bool]


class Side(NamedTuple):
    """A side of a comparison: the name of a property, or a value."""

    name: str | None
    value: Any = None

    def of(self, element: Element) -> Any:
        """Return the value that the side has for an element."""
        return sort_key(self.value if self.name is None else get(element, self.name))


def parse_filter(text: str, where: str = "Filter.expression") -> Filter:
    """Return the filter that a text describes.

    Parameters
    ----------
    text : str
        Such as ``'k >= 10 and k < 20'``.
    where : str
        Names the function in errors.

    Raises
    ------
    EngineError
        It cannot be read; the message names the place and what may stand there.
    """
    parser = _Parser(text, where)
    pair = parser.whole()
    return Filter("expression", lambda e: pair(e, e), pair, frozenset(parser.fields))


class _Parser:
    """Reads one text; each method returns the test of the part that it has read."""

    def __init__(self, text: str, where: str) -> None:
        self._text, self._where = text, where
        self._at = self._depth = 0
        self._tokens = self._split()
        self.fields: set[str] = set()

    def _split(self) -> list[tuple[str, str]]:
        tokens, at = [], 0
        end = len(self._text.rstrip())
        while at < end:
            found = TOKEN.match(self._text, at)
            if found is None:
                raise self._error(f"{self._text[at:at + 20].strip()!r} cannot be read")
            kind, part = found.lastgroup or "", found.group(found.lastgroup or 0)
            if kind == "name" and part.lower() in WORDS:
                kind, part = "sign", WORDS[part.lower()]
            tokens.append((kind, part))
            at = found.end()
        return tokens

    def _error(self, what: str) -> EngineError:
        shown = self._text if len(self._text) <= 60 else self._text[:60] + "…"
        return EngineError(f"{self._where}: the filter {shown!r} cannot be read: {what}. It must "
                           "be like 'k >= 10 && k < 20'.")

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, sign: str) -> bool:
        if self._peek() == ("sign", sign):
            self._at += 1
            return True
        return False

    def whole(self) -> Test:
        """Return the test of the whole text."""
        found = self._joined(0)
        if self._peek()[0] != "end":
            raise self._error(f"{self._peek()[1]!r} is not expected there")
        return found

    def _joined(self, level: int) -> Test:
        """Return alternatives (level 0), or what must hold together (level 1)."""
        if level == 2:
            return self._one()
        tests = [self._joined(level + 1)]
        while self._take(("||", "&&")[level]):
            tests.append(self._joined(level + 1))
        combine = (any, all)[level]
        return tests[0] if len(tests) == 1 else lambda a, b: combine(t(a, b) for t in tests)

    def _one(self) -> Test:
        if self._peek() not in (("sign", "!"), ("sign", "(")):
            return self._comparison()
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"it is nested more than {DEEPEST} deep")
        if self._take("!"):
            inner = self._one()
            found: Test = lambda a, b: not inner(a, b)  # noqa: E731
        else:
            self._take("(")
            found = self._joined(0)
            if not self._take(")"):
                raise self._error("a ')' is missing")
        self._depth -= 1
        return found

    def _comparison(self) -> Test:
        left = self._side()
        kind, sign = self._peek()
        if kind != "sign" or sign not in COMPARISONS:
            hint = "; equality is '=='" if sign == "=" else \
                "; arithmetic is not part of a filter" if sign and sign in "+-*/%" else ""
            raise self._error(f"one of {' '.join(COMPARISONS)} must stand where "
                              f"{_shown(sign)} stands{hint}")
        self._at += 1
        test, negated = COMPARISONS[sign]
        return _compared(left, self._side(), test, negated)

    def _side(self) -> Side:
        negative = self._take("-")
        kind, part = self._peek()
        self._at += 1
        if kind == "number":
            number = int(part) if part.isdecimal() else float(part)
            return Side(None, -number if negative else number)
        if kind == "text" and not negative:
            return Side(None, part[1:-1])
        if kind == "name" and not negative:
            if part in ("true", "false"):
                return Side(None, part == "true")
            self.fields.add(part)
            return Side(part)
        raise self._error(f"a property, a number or a text in quotes must stand where "
                          f"{_shown(part)} stands")


def _shown(part: str) -> str:
    return repr(part) if part else "the end"


def _compared(left: Side, right: Side, test: Callable[[Any, Any], bool], negated: bool) -> Test:
    """Return a comparison; a side that is not there, or of another kind, never passes the test."""
    def passes(a: Element, b: Element) -> bool:
        one, two = left.of(a), right.of(b)
        try:
            found = one is not None and two is not None and bool(test(one, two))
        except TypeError:
            found = False
        return found != negated
    return passes
