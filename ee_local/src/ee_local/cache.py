"""A bounded cache in which nothing is computed twice, whatever the number of threads."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

SAMPLED = 64
"""Elements of a long list that are weighed; the others are taken to be like them."""

SLOT = 512
"""Bytes of a key and what keeps its value."""

SHARED = (type, ModuleType, CodeType, threading.Thread, type(threading.Lock()))
"""Kinds of objects that a value refers to and does not hold."""


def weight(value: Any) -> int:
    """Return about how many bytes of memory a value holds, those of its place in a cache included.

    Arrays, texts, features, coordinates and trained models count. Images count without the images
    that they are computed from, whose pixels have a bounded cache of their own.
    """
    return SLOT + _weight(value, set())


def _weight(value: Any, seen: set[int]) -> int:
    """Return the bytes of what has not been seen."""
    if id(value) in seen or isinstance(value, SHARED):
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray) and value.dtype != object:
        return 128 + (value.nbytes if value.base is None else _weight(value.base, seen))
    if isinstance(value, BaseGeometry):
        return 256 + 16 * int(shapely.get_num_coordinates(value))
    own = sys.getsizeof(value)
    if isinstance(value, (list, tuple, set, frozenset)) and len(value) > 2 * SAMPLED:
        some = list(value)[::len(value) // SAMPLED]
        return own + round(sum(_weight(v, seen) for v in some) * len(value) / len(some))
    return own + sum(_weight(v, seen) for v in _held(value))


def _held(value: Any) -> list[Any]:
    """Return what a value refers to and holds."""
    if isinstance(value, (str, bytes, int, float, complex, np.generic)):
        return []
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return list(value)
    if isinstance(value, FunctionType):  # a band's pixel reader holds its model, not other bands
        cells = [c.cell_contents for c in value.__closure__ or () if c != type(c)()]
        return [c for c in cells if not hasattr(c, "bands") and not hasattr(c, "reader")
                and not isinstance(c, FunctionType)]
    if hasattr(value, "__getstate__") and type(value).__module__.startswith("sklearn."):
        return [value.__getstate__()]
    return list(getattr(value, "__dict__", {}).values())


class _Slot:
    """A value that is there or on its way: the gate is open when it is there."""

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.value: Any = None
        self.error: BaseException | None = None
        self.size = 0


class OnceCache:
    """Values by key; the least recently used leave when there are too many.

    Threads that ask for a value on its way wait for it. An error is handed to those who wait and
    then forgotten. A value larger than the limit is not kept.

    Parameters
    ----------
    limit : int
        Most that the sizes of the values may add up to.
    size : callable
        Of a value; by default each counts 1.
    """

    def __init__(self, limit: int, size: Callable[[Any], int] = lambda value: 1) -> None:
        self._limit, self._size = limit, size
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return the value of ``key``, computed if it is not held."""
        with self._lock:
            slot = self._slots.get(key)
            if slot is not None:
                self._slots.move_to_end(key)
            else:
                mine = self._slots[key] = _Slot()
        if slot is None:
            return self._fill(key, mine, compute)
        with slot.gate:
            pass
        if slot.error is not None:
            raise slot.error
        return slot.value

    def _fill(self, key: Hashable, slot: _Slot, compute: Callable[[], Any]) -> Any:
        """Compute a value; the gate is opened whatever happens, also at the end of the stack."""
        try:
            slot.value = compute()
            slot.size = self._size(slot.value)
        except BaseException as error:
            slot.error = error
            raise
        finally:
            with self._lock:
                if slot.error is not None or slot.size > self._limit:
                    self._slots.pop(key, None)
                    slot.size = 0
                self._held += slot.size
            slot.gate.release()
        self._trim()
        return slot.value

    def _trim(self) -> None:
        with self._lock:
            for key in list(self._slots):
                if self._held <= self._limit:
                    return
                if not self._slots[key].gate.locked():
                    self._held -= self._slots.pop(key).size

    def clear(self) -> None:
        """Forget every value that is there."""
        with self._lock:
            for key in [k for k, s in self._slots.items() if not s.gate.locked()]:
                self._held -= self._slots.pop(key).size

    def __len__(self) -> int:
        """Count the values that are there or on their way."""
        return len(self._slots)
