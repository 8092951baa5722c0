"""The engine behind the server: the catalogue, the evaluator, and what clients have created."""

from __future__ import annotations

import os
import threading
import uuid
from collections import OrderedDict
from pathlib import Path
from typing import Any

from ee_local import algorithms
from ee_local.catalogue import Catalogue
from ee_local.errors import EngineError
from ee_local.exports import FOLDER, Exports
from ee_local.graph import Evaluator
from ee_local.pixels import forget_pixels

MOST_HANDLES = 512
"""Maps, thumbnails and tables that are remembered; the oldest are forgotten first."""


class Engine:
    """Evaluates expressions on the catalogue's data.

    Parameters
    ----------
    catalogue : Catalogue
        What there is.
    exports : Path
        Folder for exports; None: :data:`ee_local.exports.FOLDER`.
    """

    def __init__(self, catalogue: Catalogue, exports: Path | None = None) -> None:
        algorithms.load()
        self.catalogue = catalogue
        self.evaluator = Evaluator(self)
        self.exports = Exports(exports or FOLDER)
        self.turn = threading.BoundedSemaphore(os.cpu_count() or 1)
        """Held while a request is worked on: no more at a time than there are processors."""
        self._handles: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def evaluate(self, body: Any) -> Any:
        """Return the value of an expression (see :class:`Evaluator`)."""
        return self.evaluator.evaluate(body)

    def keep(self, kind: str, value: Any) -> str:
        """Remember a value under a new name, ``kind/…``."""
        name = f"{kind}/{uuid.uuid4().hex}"
        with self._lock:
            self._handles[name] = value
            while len(self._handles) > MOST_HANDLES:
                self._handles.popitem(last=False)
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
                return self._handles[name]
        raise EngineError(f"{name} is not there (any more); create it again.", 404)

    def stop(self) -> None:
        """Start nothing more, and give back memory."""
        self.exports.stop()
        self.evaluator.cache.clear()
        forget_pixels()
