"""What one request may cost: steps of computing, and the size of the values that it makes.

A value is measured as it would be written out, so what is shared within it counts as often as it
occurs: a list of two lists of two lists is small in memory and large in an answer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ee_local.errors import EngineError

MOST_STEPS = 10_000_000
"""Most calls of functions and comparisons of elements in one request; an export has no limit."""

MOST_ITEMS = 1_000_000
"""Most elements of a list, dictionary or collection."""

MOST_CHARACTERS = 1_000_000
"""Most characters of a text."""

MOST_WRITTEN = 64 * 1024 * 1024
"""Most bytes of a list or dictionary with all that is in it: 8 for a number, 1 for a character."""

_HERE = threading.local()


@contextmanager
def request() -> Iterator[None]:
    """Count the steps of what is done inside, in this thread."""
    _HERE.left = MOST_STEPS
    try:
        yield
    finally:
        del _HERE.left


def spend(steps: int = 1) -> None:
    """Count steps of the request.

    Raises
    ------
    EngineError
        The request has used all it may.
    """
    left = getattr(_HERE, "left", None)
    if left is None:
        return
    _HERE.left = left - steps
    if _HERE.left < 0:
        raise EngineError(f"Computation aborted after {MOST_STEPS:,} steps; map over fewer "
                          "elements, or export the result.")


def check_size(value: Any, where: str) -> Any:
    """Return a value that is not too large.

    Raises
    ------
    EngineError
        A text, list, dictionary or collection is; the message names the limit.
    """
    if isinstance(value, str):
        if len(value) > MOST_CHARACTERS:
            raise _too_large(where, f"a text of {len(value):,} characters", MOST_CHARACTERS)
        return value
    plain = isinstance(value, (list, dict))
    number = len(value) if plain else len(getattr(value, "elements", ()))
    if number > MOST_ITEMS:
        raise _too_large(where, f"{number:,} elements", MOST_ITEMS)
    if plain:
        check_written(value, where)
    return value


def check_written(value: Any, where: str) -> None:
    """Refuse what would be too much to write out, also where its parts are shared.

    Raises
    ------
    EngineError
        It is.
    """
    size = written(value, {})
    if size > MOST_WRITTEN:
        raise _too_large(where, f"a value of {size:.2g} bytes, written out", MOST_WRITTEN)


def _too_large(where: str, what: str, most: int) -> EngineError:
    return EngineError(f"{where}: {what} is too much; at most {most:,} can be.")


def written(value: Any, known: dict[int, int]) -> int:
    """Return about how many bytes a value takes when it is written out.

    Parameters
    ----------
    value : object
        A list, dictionary, feature, image or collection is measured with all that is in it.
    known : dict
        Sizes of parts that have been measured, by id; what is shared is measured once.

    >>> pair = ["ab", 1.5]
    >>> written([pair, pair], {})
    76
    """
    if isinstance(value, str):
        return len(value)
    if isinstance(value, np.ndarray):
        return value.nbytes
    parts = _parts(value)
    if _LEAVES.issuperset(map(type, parts)):
        return 8 * (len(parts) + 1) + _coordinates(value)
    if id(value) not in known:
        known[id(value)] = 8 + sum(8 if type(p) in _LEAVES else 8 + written(p, known)
                                   for p in parts)
    return known[id(value)]


_LEAVES = frozenset((int, float, bool, type(None)))


def _parts(value: Any) -> Sequence[Any]:
    """Return what is in a list or dictionary, or a collection's, image's or feature's parts."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values())
    return [*getattr(value, "elements", ()), *getattr(value, "properties", {}).values(),
            getattr(value, "geometry", None)]


def _coordinates(value: Any) -> int:
    """Return the bytes of a geometry's coordinates; 0 for what is none."""
    shape = getattr(value, "shape", None)
    return 16 * int(shapely.get_num_coordinates(shape)) \
        if isinstance(shape, BaseGeometry) else 0
