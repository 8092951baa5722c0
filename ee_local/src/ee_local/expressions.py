"""Arithmetic expressions as text: ``image.expression("(nir - red) / (nir + red)", …)``.

Operators from weak to strong: ``? :``, ``||``, ``&&``, ``|``, ``^``, ``&``, ``== !=``,
``< <= > >=``, ``<< >>``, ``+ -``, ``* / %``, unary ``- + !``, ``**``. ``b("B4")`` or ``b(3)`` are
bands of the default image, ``red.B4``, ``red["B4"]`` and ``red[0]`` those of another, and functions
are those of images: ``sqrt(b("B4"))``, ``max(red, nir)``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ee_local.errors import EngineError

TOKEN = re.compile(r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<text>"[^"]*"|'[^']*')
  | (?P<sign>\*\*|\|\||&&|==|!=|<=|>=|<<|>>|[-+*/%<>!?:,.()\[\]|&^=])
)""", re.VERBOSE)

LEVELS: tuple[dict[str, str], ...] = (
    {"||": "or"}, {"&&": "and"}, {"|": "bitwiseOr"}, {"^": "bitwiseXor"}, {"&": "bitwiseAnd"},
    {"==": "eq", "!=": "neq"}, {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"},
    {"<<": "leftShift", ">>": "rightShift"}, {"+": "add", "-": "subtract"},
    {"*": "multiply", "/": "divide", "%": "mod"},
)
"""Operators by strength, each with the function of images or numbers that does it."""

DEEPEST = 100


class Node(NamedTuple):
    """A part of an expression.

    ``kind``: ``number`` (value), ``variable`` (name), ``bands`` (variable or None, names or
    positions), ``call`` (function, parts), ``choice`` (three parts), ``named`` (name, part).
    """

    kind: str
    value: object
    parts: tuple[object, ...] = ()


class Parser:
    """Reads one expression.

    Parameters
    ----------
    text : str
        The expression.
    where : str
        Names the function in errors.
    """

    def __init__(self, text: str, where: str) -> None:
        self._where, self._text = where, text
        self._tokens = self._split(text)
        self._at = 0
        self._depth = 0

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        text = text.rstrip().removesuffix(";")
        while at < len(text.rstrip()):
            found = TOKEN.match(text, at)
            if found is None or found.end() == at:
                raise self._error(f"{text[at:at + 20]!r} cannot be read")
            tokens.append((found.lastgroup or "", found.group(found.lastgroup or 0)))
            at = found.end()
        return tokens

    def _error(self, what: str) -> EngineError:
        return EngineError(f"{self._where}: Error parsing the expression {self._text[:60]!r}: "
                           f"{what}.")

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, sign: str) -> bool:
        if self._peek() == ("sign", sign):
            self._at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self._error(f"{sign!r} is missing")

    def parse(self) -> Node:
        """Return the whole expression.

        Raises
        ------
        EngineError
            It cannot be read.
        """
        name = None
        if len(self._tokens) > 2 and self._tokens[0][0] == "name" \
                and self._tokens[1] == ("sign", "="):
            name, self._at = self._tokens[0][1], 2
        found = self._choice()
        if self._peek()[0] != "end":
            raise self._error(f"{self._peek()[1]!r} is not expected")
        return found if name is None else Node("named", name, (found,))

    def _choice(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error("it is nested too deeply")
        test = self._binary(0)
        if self._take("?"):
            yes = self._choice()
            self._need(":")
            test = Node("choice", None, (test, yes, self._choice()))
        self._depth -= 1
        return test

    def _binary(self, level: int) -> Node:
        if level == len(LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek()[0] == "sign" and self._peek()[1] in LEVELS[level]:
            name = LEVELS[level][self._next()[1]]
            left = Node("call", name, (left, self._binary(level + 1)))
        return left

    def _unary(self) -> Node:
        if self._take("-"):
            inner = self._unary()
            if inner.kind == "number":
                return Node("number", -inner.value)
            return Node("call", "multiply", (inner, Node("number", -1)))
        if self._take("+"):
            return self._unary()
        if self._take("!"):
            return Node("call", "not", (self._unary(),))
        base = self._atom()
        if self._take("**"):
            return Node("call", "pow", (base, self._unary()))
        return base

    def _atom(self) -> Node:
        kind, text = self._next()
        if kind == "number":
            return Node("number", int(text) if text.isdecimal() else float(text))
        if kind == "sign" and text == "(":
            inner = self._choice()
            self._need(")")
            return inner
        if kind != "name":
            raise self._error(f"{text or 'the end'!r} is not expected")
        if self._take("("):
            if text == "b":
                return Node("bands", None, self._bands(")"))
            return Node("call", text, self._arguments())
        if self._take("["):
            return Node("bands", text, self._bands("]"))
        if self._take("."):
            kind, band = self._next()
            if kind != "name":
                raise self._error(f"a band's name must follow {text!r} and the point")
            return Node("bands", text, (band,))
        return Node("variable", text)

    def _arguments(self) -> tuple[Node, ...]:
        parts: list[Node] = []
        while not self._take(")"):
            if parts:
                self._need(",")
            parts.append(self._choice())
        return tuple(parts)

    def _bands(self, end: str) -> tuple[str | int, ...]:
        names: list[str | int] = []
        while not self._take(end):
            if names:
                self._need(",")
            kind, text = self._next()
            if kind == "text":
                names.append(text[1:-1])
            elif kind == "number" and text.isdecimal():
                names.append(int(text))
            else:
                raise self._error(f"{text or 'the end'!r} is no band")
        return tuple(names)
