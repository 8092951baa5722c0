"""``String``."""

from __future__ import annotations

import json
from typing import Any

from ee_local.coerce import type_name
from ee_local.encode import encode
from ee_local.errors import EngineError
from ee_local.patterns import compiled, replaced
from ee_local.registry import function


@function("String")
def make(value: Any) -> str:
    """Return a value as a string."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(encode(value))
    raise EngineError(f"String: a {type_name(value)} cannot be made a string.")


@function("String.cat")
def cat(one: str, two: str) -> str:
    """Return two strings as one."""
    return one + two


@function("String.compareTo")
def compare(one: str, two: str) -> int:
    """Return negative, 0 or positive: the order of two strings."""
    for a, b in zip(one, two, strict=False):
        if a != b:
            return ord(a) - ord(b)
    return len(one) - len(two)


@function("String.equals")
def equals(one: str, two: Any) -> bool:
    """Return whether the strings are equal."""
    return one == two


@function("String.index")
def index(text: str, pattern: str) -> int:
    """Return where a string first occurs in another; −1 if it does not."""
    return text.find(pattern)


@function("String.rindex")
def rindex(text: str, pattern: str) -> int:
    """Return where a string last occurs in another; −1 if it does not."""
    return text.rfind(pattern)


@function("String.length")
def length(text: str) -> int:
    """Return the number of characters."""
    return len(text)


@function("String.match")
def match(text: str, regex: str, flags: str) -> list[str]:
    """Return what a regular expression finds: match and groups, or with ``g`` all matches."""
    pattern = compiled(regex, "String.match", flags, text)
    if "g" in flags:
        return [m.group(0) for m in pattern.finditer(text)]
    found = pattern.search(text)
    return [] if found is None else [found.group(0), *(g or "" for g in found.groups())]


@function("String.replace")
def replace(text: str, regex: str, replacement: str, flags: str) -> str:
    """Return the string with the first match of a regular expression replaced; with ``g`` all."""
    return replaced(text, regex, replacement, "String.replace", flags)


@function("String.split")
def split(text: str, regex: str, flags: str) -> list[str]:
    """Return the parts between the matches of a regular expression."""
    if regex == "":
        return list(text)
    return compiled(regex, "String.split", flags, text).split(text)


@function("String.slice")
def sliced(text: str, start: int, end: int | None) -> str:
    """Return the characters from one position to another, counted from the end if negative."""
    return text[start:end]


@function("String.toLowerCase")
def lower(text: str) -> str:
    """Return the string in small letters."""
    return text.lower()


@function("String.toUpperCase")
def upper(text: str) -> str:
    """Return the string in capitals."""
    return text.upper()


@function("String.trim")
def trim(text: str) -> str:
    """Return the string without spaces at its ends."""
    return text.strip()


@function("String.encodeJSON")
def encode_json(value: Any) -> str:
    """Return a value as JSON text."""
    return json.dumps(encode(value))


@function("String.decodeJSON")
def decode_json(text: str) -> Any:
    """Return the value of JSON text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EngineError(f"String.decodeJSON: {error}.") from None
