"""Warnings of a request: what was asked for is valid, but hardly what was meant.

They go to the log ``ee_local`` (standard error, unless the program sets it up otherwise), into the
answer's header ``X-EE-Local-Warning`` and its field ``warnings``, and at the end of the message
where the request fails. Of these, Google's clients show the message alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOG = logging.getLogger("ee_local")
HEADER = "X-EE-Local-Warning"
_HERE = threading.local()


def tell(text: str) -> None:
    """Add a warning to those of the request, once; log it where there is no request."""
    stack = getattr(_HERE, "stack", [])
    if not stack:
        LOG.warning(text)
    elif text not in stack[-1]:
        stack[-1].append(text)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect the warnings of what is done inside; those around it do not see them."""
    stack = _HERE.__dict__.setdefault("stack", [])
    found: list[str] = []
    stack.append(found)
    try:
        yield found
    finally:
        stack.pop()


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect the warnings of what is done inside, and log them at its end, also if it fails."""
    with collected() as found:
        try:
            yield found
        finally:
            for text in found:
                LOG.warning(text)
