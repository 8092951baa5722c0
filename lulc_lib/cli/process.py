"""The process that a command runs in: its standard streams and the signals that end it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from lulc_lib.errors import InputError


class Ended(KeyboardInterrupt):
    """SIGTERM came."""


@contextmanager
def ended_as_stopped() -> Iterator[None]:
    """Inside, a request to end (SIGTERM) does what Ctrl-C does, so no temporary file stays."""
    def end(number: int, frame: FrameType | None) -> None:
        raise Ended

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def streams() -> Iterator[None]:
    """Inside, text can be printed whatever it holds; at the end all of it has been.

    Raises
    ------
    InputError
        stdout is closed or full.
    """
    closed = sys.stdout is None
    for number in range(3):  # a file that is opened must not get the number of a closed stream
        with suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)
    if closed:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (stays until the process ends)
        raise InputError("standard output is closed; send it to a file, or to /dev/null")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        with printing():
            sys.stdout.flush()


@contextmanager
def printing() -> Iterator[None]:
    """Inside, an OSError is stdout's: it then leads nowhere, and InputError says why."""
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise InputError(f"standard output: {error.strerror}") from error
