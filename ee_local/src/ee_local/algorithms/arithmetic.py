"""``Image.parseExpression`` and ``Number.expression``: arithmetic given as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ee_local import elements as el
from ee_local.algorithms.image_masks import where
from ee_local.algorithms.images import select
from ee_local.coerce import coerce
from ee_local.errors import EngineError
from ee_local.expressions import Node, Parser
from ee_local.pixels import Image
from ee_local.registry import bind, find, function


def _call(kind: str, name: str, values: list[Any], text: str) -> Any:
    """Return a function of images or numbers applied to values."""
    found = find(f"{kind}.{name}")
    arguments = found.signature.arguments
    if len(values) != len(arguments):
        raise EngineError(f"{text}: {name} takes {len(arguments)} values but {len(values)} are "
                          "given.")
    given = {a.name: v for a, v in zip(arguments, values, strict=True)}
    return found.compute(*bind(found.signature, given))


def image_value(node: Node, images: Mapping[str, Image], default: str) -> Image:
    """Return the image that a part of an expression describes."""
    where_text = "Image.parseExpression"

    def value(part: Any) -> Image:
        return image_value(part, images, default)

    if node.kind == "number":
        return coerce(node.value, "Image", where_text)
    if node.kind == "named":
        inner = value(node.parts[0])
        return inner.with_bands([inner.first(where_text).renamed(str(node.value))])
    if node.kind in ("variable", "bands"):
        name = default if node.value is None else str(node.value)
        if name not in images:
            raise EngineError(f"{where_text}: the variable {name!r} is not given.")
        return images[name] if not node.parts else select(images[name], list(node.parts), None)
    parts = [value(p) for p in node.parts]
    if node.kind == "choice":
        test, yes, no = parts
        return where(where(no, test, yes), _call("Image", "not", [test], where_text), no)
    return _call("Image", str(node.value), parts, where_text)


@function("Image.parseExpression")
def parse_expression(text: str, default: str, names: list[str], free: bool) -> el.Algorithm:
    """Return a function of images from an arithmetic expression."""
    node = Parser(text, "Image.expression").parse()

    def call(*values: Any) -> Image:
        images = {n: coerce(v, "Image", "Image.expression")
                  for n, v in zip(names, values, strict=True) if v is not None}
        return image_value(node, images, default)
    return el.Algorithm(tuple(names), call)


@function("Number.expression")
def number_expression(text: str, variables: Mapping[str, Any] | None) -> float:
    """Return the number of an arithmetic expression."""
    given = {n: coerce(v, "Number", "Number.expression") for n, v in (variables or {}).items()}

    def value(node: Any) -> Any:
        if node.kind == "number":
            return node.value
        if node.kind == "variable" and node.value in given:
            return given[node.value]
        if node.kind == "choice":
            return value(node.parts[1] if value(node.parts[0]) else node.parts[2])
        if node.kind == "call":
            return _call("Number", str(node.value), [value(p) for p in node.parts],
                         "Number.expression")
        raise EngineError(f"Number.expression: {node.value!r} is not given.")
    return value(Parser(text, "Number.expression").parse())
