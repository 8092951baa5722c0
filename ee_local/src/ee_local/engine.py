"""The engine behind the server: the catalogue, the evaluator, and what clients have created."""

from __future__ import annotations

import os
import threading
import uuid
from collections import OrderedDict
from pathlib import Path
from typing import Any

from ee_local import algorithms
from ee_local.cache import weight
from ee_local.catalogue import Catalogue
from ee_local.errors import EngineError, InputError
from ee_local.exports import FOLDER, Exports
from ee_local.graph import CACHE_BYTES, Evaluator
from ee_local.pixels import forget_pixels

MOST_HANDLES = 512
"""Maps, thumbnails and tables that are remembered, within the bytes of the cache; the oldest are
forgotten first."""


class Engine:
    """Evaluates expressions on the catalogue's data.

    Parameters
    ----------
    catalogue : Catalogue
        What there is.
    exports : Path
        Folder for exports; None: :data:`ee_local.exports.FOLDER`.
    cache : int, bytes
        Memory for results, and as much for what clients have created.

    Raises
    ------
    InputError
        The folder for exports cannot be written, or the cache has no size.
    """

    def __init__(self, catalogue: Catalogue, exports: Path | None = None,
                 cache: int = CACHE_BYTES) -> None:
        if cache < 1:
            raise InputError(f"cache is {cache} bytes; it must be 1 or more")
        algorithms.load()
        self.catalogue = catalogue
        self.evaluator = Evaluator(self, cache)
        self.exports = Exports(exports or FOLDER, catalogue.files())
        self.turn = threading.BoundedSemaphore(os.cpu_count() or 1)
        """Held while a request is worked on: no more at a time than there are processors."""
        self._handles: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._held, self._limit = 0, cache
        self._lock = threading.Lock()

    def evaluate(self, body: Any) -> Any:
        """Return the value of an expression (see :class:`Evaluator`)."""
        return self.evaluator.evaluate(body)

    def keep(self, kind: str, value: Any) -> str:
        """Remember a value under a new name, ``kind/…``."""
        name, size = f"{kind}/{uuid.uuid4().hex}", weight(value)
        with self._lock:
            self._handles[name] = value, size
            self._held += size
            while len(self._handles) > MOST_HANDLES \
                    or (self._held > self._limit and len(self._handles) > 1):
                self._held -= self._handles.popitem(last=False)[1][1]
        return name

    def kept(self, name: str) -> Any:
        """Return what is remembered under a name.

        Raises
        ------
        EngineError
            Nothing is.
        """
        with self._lock:
            if name in self._handles:
                self._handles.move_to_end(name)
                return self._handles[name][0]
        raise EngineError(f"{name} is not there (any more); create it again.", 404)

    def stop(self) -> None:
        """Start nothing more, and give back memory."""
        self.exports.stop()
        self.evaluator.cache.clear()
        forget_pixels()
