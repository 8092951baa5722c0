"""Evaluates expressions: the graph of function calls that the client sends.

An expression is ``{"result": name, "values": {name: node}}``. Each node is a constant, a list, a
dictionary, a reference to another node, a function call, or a function definition with arguments
of its own. Every part that depends on no argument has a canonical hash and is evaluated once; the
results stay in a bounded cache, so that a classifier is trained once however often it is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ee_local import limits, notices, registry
from ee_local.cache import OnceCache, weight
from ee_local.elements import Algorithm
from ee_local.errors import EngineError

KINDS = ("constantValue", "integerValue", "bytesValue", "arrayValue", "dictionaryValue",
         "valueReference", "argumentReference", "functionInvocationValue",
         "functionDefinitionValue")
MOST_NODES = 200_000
"""Most nodes of one expression; the body of a function counts once for each set of arguments that
it is read under."""

CACHE_BYTES = 512 * 1024 * 1024
"""Memory for results that may be asked for again."""

CHEAP = frozenset(("GeometryConstructors", "Feature", "Element", "ErrorMargin", "Projection",
                   "Number", "String", "Date", "DateRange", "Filter", "Reducer", "PixelType"))
"""Kinds of functions that are computed anew: a collection of points makes thousands of calls,
which would drive everything else out of the cache."""



class Scope:
    """The arguments of the functions around a node, and what has been evaluated under them."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.arguments = arguments
        self.values: dict[str, Any] = {}


class Expression:
    """An expression, checked: every reference leads somewhere and none leads back to itself.

    Parameters
    ----------
    body : object
        The JSON of a request's ``expression``.

    Raises
    ------
    EngineError
        It is no expression.
    """

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict) or not isinstance(body.get("values"), dict) \
                or not isinstance(body.get("result"), str):
            raise EngineError("Invalid expression: it must have 'result' and 'values'.")
        self.values: dict[str, Any] = body["values"]
        self.result: str = body["result"]
        self._hashes: dict[str, str | None] = {}
        self._known: dict[int, str | None] = {}
        self._texts: dict[tuple[str, tuple[str, ...]], tuple[str, bool]] = {}
        self._kept: list[Any] = []  # so that no id is given to another node
        self._open: set[str] = set()
        self._nodes = 0
        self.hash_of({"valueReference": self.result})

    def node(self, name: Any) -> Any:
        """Return the named node, or an error that it is missing."""
        if not isinstance(name, str) or name not in self.values:
            raise EngineError(f"Invalid expression: the value {name!r} is referred to but is not "
                              "there.")
        return self.values[name]

    def hash_of(self, node: Any) -> str | None:
        """Return a node's canonical hash; None if it depends on an argument around it."""
        key = id(node)
        if key not in self._known:
            self._known[key] = self._hash(node)
            self._kept.append(node)
        return self._known[key]

    def _hash(self, node: Any) -> str | None:
        kind, value = self._split(node)
        if kind == "valueReference":
            return self._hash_reference(value)
        if kind == "argumentReference":
            return None
        if kind == "functionDefinitionValue":
            return self._hash_definition(value)
        parts = list(children(kind, value))
        hashes = [(name, self.hash_of(part)) for name, part in parts]
        if any(h is None for _, h in hashes):
            return None
        return _digest(kind, value.get("functionName") if kind == "functionInvocationValue"
                       else None if parts else value, sorted(hashes))

    def _split(self, node: Any) -> tuple[str, Any]:
        """Count a node, and return its kind and content."""
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise EngineError(f"The expression has more than {MOST_NODES:,} parts.")
        return split(node)

    def _hash_reference(self, name: Any) -> str | None:
        node = self.node(name)
        if name in self._open:
            raise EngineError(f"Invalid expression: the value {name!r} refers to itself.")
        if name not in self._hashes:
            self._open.add(name)
            self._hashes[name] = self.hash_of(node)
            self._open.discard(name)
        return self._hashes[name]

    def _hash_definition(self, value: Any) -> str | None:
        """Hash a function by the text of its body, unless that uses others' arguments."""
        names = value.get("argumentNames", []) if isinstance(value, dict) else None
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise EngineError("Invalid expression: a function definition needs 'argumentNames'.")
        self._hash_reference(value.get("body"))
        text, free = self._text({"valueReference": value.get("body")}, tuple(names))
        return None if free else _digest("functionDefinitionValue", names, [("body", text)])

    def _text(self, node: Any, bound: tuple[str, ...]) -> tuple[str, bool]:
        """Hash a function's body, and say whether it uses arguments that are not its own."""
        kind, value = self._split(node)
        if kind == "valueReference":
            if self._hashes.get(value):
                return self._hashes[value], False
            if (value, bound) not in self._texts:
                self._texts[value, bound] = self._text(self.node(value), bound)
            return self._texts[value, bound]
        if kind == "argumentReference":
            return f"argument:{value}", value not in bound
        if kind == "functionDefinitionValue":
            inner = (*bound, *value.get("argumentNames", []))
            text, free = self._text({"valueReference": value.get("body")}, inner)
            return _digest(kind, value.get("argumentNames"), [("body", text)]), free
        parts = [(n, *self._text(p, bound)) for n, p in children(kind, value)]
        name = value.get("functionName") if kind == "functionInvocationValue" else None
        own = None if parts or name else value
        text = _digest(kind, [name, own], sorted((n, t) for n, t, _ in parts))
        return text, any(f for *_, f in parts)


def split(node: Any) -> tuple[str, Any]:
    """Return a node's kind and content.

    Raises
    ------
    EngineError
        It is no node.
    """
    if isinstance(node, dict) and len(node) == 1:
        (kind, value), = node.items()
        if kind in KINDS:
            return kind, value
    raise EngineError(f"Invalid expression: {json.dumps(node)[:80]} is no value.")


def children(kind: str, value: Any) -> list[tuple[str, Any]]:
    """Return the nodes a node is made of, each with its name or position."""
    if kind in ("constantValue", "integerValue", "bytesValue"):
        return []
    if not isinstance(value, dict):
        raise EngineError(f"Invalid expression: {kind} must be a dictionary.")
    if kind == "functionInvocationValue":
        arguments = value.get("arguments", {})
        if not isinstance(arguments, dict):
            raise EngineError("Invalid expression: 'arguments' must be a dictionary.")
        called = [("", {"valueReference": value["functionReference"]})] \
            if "functionReference" in value else []
        return called + list(arguments.items())
    parts = value.get("values", [] if kind == "arrayValue" else {})
    if kind == "arrayValue" and isinstance(parts, list):
        return [(f"{i:08d}", part) for i, part in enumerate(parts)]
    if kind == "dictionaryValue" and isinstance(parts, dict):
        return list(parts.items())
    raise EngineError(f"Invalid expression: {kind} has no proper 'values'.")


def _digest(kind: str, own: Any, parts: list[tuple[str, str]]) -> str:
    text = json.dumps([kind, own, parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Evaluator:
    """Evaluates expressions with an engine's data; results are cached by canonical hash.

    Parameters
    ----------
    engine : Engine
        Handed to the functions that ask for it.
    limit : int
        Most bytes of the results that are kept, by estimate.
    """

    def __init__(self, engine: Any, limit: int = CACHE_BYTES) -> None:
        self._engine = engine
        self.cache = OnceCache(limit, weight)

    def evaluate(self, body: Any) -> Any:
        """Return the value of an expression.

        Raises
        ------
        EngineError
            It is malformed, nested too deeply or too large, or a function in it fails.
        """
        try:
            expression = Expression(body)
            return self._value(expression, {"valueReference": expression.result}, Scope({}))
        except RecursionError:
            raise EngineError("The expression is nested too deeply for the local Earth "
                              "Engine.") from None

    def _value(self, expression: Expression, node: Any, scope: Scope) -> Any:
        kind, value = split(node)
        if kind == "constantValue":
            return value
        if kind == "valueReference":
            if value not in scope.values:
                scope.values[value] = self._value(expression, expression.node(value), scope)
            return scope.values[value]
        if kind == "functionInvocationValue":
            key = None if _is_cheap(value) else expression.hash_of(node)
            if key is None:
                return self._call(expression, value, scope)
            return self._kept(key, expression, value, scope)
        if kind == "argumentReference":
            if value not in scope.arguments:
                raise EngineError(f"Invalid expression: the argument {value!r} has no value here.")
            return scope.arguments[value]
        if kind == "arrayValue":
            return limits.check_size([self._value(expression, n, scope)
                                      for _, n in children(kind, value)], "List")
        if kind == "dictionaryValue":
            return limits.check_size({k: self._value(expression, n, scope)
                                      for k, n in children(kind, value)}, "Dictionary")
        if kind == "functionDefinitionValue":
            return self._define(expression, value, scope)
        if kind == "integerValue":
            return _whole(value)
        raise EngineError(f"Invalid expression: {kind} is not evaluated here.")

    def _kept(self, key: str, expression: Expression, value: Any, scope: Scope) -> Any:
        """Return a call's value from the cache, which keeps the call's warnings with it."""
        def compute() -> tuple[Any, list[str]]:
            with notices.collected() as told:
                try:
                    return self._call(expression, value, scope), told
                except EngineError:
                    lost.extend(told)
                    raise

        lost: list[str] = []
        try:
            found, told = self.cache.get(key, compute)
        finally:
            for text in lost:
                notices.tell(text)
        for text in told:
            notices.tell(text)
        return found

    def _define(self, expression: Expression, value: Any, scope: Scope) -> Algorithm:
        names = tuple(value.get("argumentNames", []))
        body = {"valueReference": value.get("body")}

        def call(*arguments: Any) -> Any:
            inner = {**scope.arguments, **dict(zip(names, arguments, strict=False))}
            return self._value(expression, body, Scope(inner))

        return Algorithm(names, call)

    def _call(self, expression: Expression, value: Any, scope: Scope) -> Any:
        given = {name: self._value(expression, node, scope)
                 for name, node in value.get("arguments", {}).items()}
        if "functionReference" in value:
            called = self._value(expression, expression.node(value["functionReference"]), scope)
            if not isinstance(called, Algorithm):
                raise EngineError("Invalid expression: what is called is no function.")
            return called.call(*(given.get(name) for name in called.names))
        return self.call(value.get("functionName"), given)

    def call(self, name: Any, given: Mapping[str, Any]) -> Any:
        """Return a function of Earth Engine applied to values.

        Raises
        ------
        EngineError
            Unknown function or argument, wrong type, or what the function itself raises.
        """
        if not isinstance(name, str):
            raise EngineError("Invalid expression: a call needs 'functionName'.")
        limits.spend()
        found = registry.find(name)
        arguments = registry.bind(found.signature, given)
        if found.engine:
            arguments = [self._engine, *arguments]
        try:
            return limits.check_size(found.compute(*arguments), name)
        except EngineError as error:
            if str(error).startswith(name.split(".")[0]):
                raise
            raise EngineError(f"{name}: {error}", error.code) from error


def _is_cheap(call: Mapping[str, Any]) -> bool:
    name = call.get("functionName")
    return isinstance(name, str) and name.split(".")[0] in CHEAP


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise EngineError(f"Invalid expression: integerValue is {str(value)[:40]!r}.") from None
