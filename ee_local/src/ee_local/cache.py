"""A bounded cache in which nothing is computed twice, whatever the number of threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


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
    then forgotten.

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
                if slot.error is not None:
                    self._slots.pop(key, None)
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
