"""A bounded cache in which nothing is computed twice, whatever the number of threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class _Slot:
    """A value that is there or on its way."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None
        self.size = 0


class OnceCache:
    """Values by key; the least recently used leave when there are too many.

    Threads that ask for a value on its way wait for it. An error is handed to those who wait and
    then forgotten.

    Parameters
    ----------
    limit : most that the sizes of the values may add up to.
    size : of a value; by default each counts 1.
    """

    def __init__(self, limit: int, size: Callable[[Any], int] = lambda value: 1) -> None:
        self._limit, self._size = limit, size
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """The value of ``key``, computed if it is not held."""
        with self._lock:
            slot = self._slots.get(key)
            mine = slot is None
            if slot is None:
                slot = self._slots[key] = _Slot()
            else:
                self._slots.move_to_end(key)
        if mine:
            self._fill(key, slot, compute)
        else:
            slot.done.wait()
        if slot.error is not None:
            raise slot.error
        return slot.value

    def _fill(self, key: Hashable, slot: _Slot, compute: Callable[[], Any]) -> None:
        size = 0
        try:
            slot.value = compute()
            size = self._size(slot.value)
        except BaseException as error:
            slot.error = error
        with self._lock:
            if slot.error is not None:
                self._slots.pop(key, None)
            else:
                slot.size = size
                self._held += size
            slot.done.set()
            self._trim()

    def _trim(self) -> None:
        for key in list(self._slots):
            if self._held <= self._limit:
                return
            if self._slots[key].done.is_set():
                self._held -= self._slots.pop(key).size

    def clear(self) -> None:
        """Forget every value that is there."""
        with self._lock:
            for key in [k for k, s in self._slots.items() if s.done.is_set()]:
                self._held -= self._slots.pop(key).size

    def __len__(self) -> int:
        return len(self._slots)
