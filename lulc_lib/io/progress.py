"""What is said while work goes on: notes, and how far it is."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType

LOG = logging.getLogger("lulc_lib")
NOTE = logging.INFO + 1
"""Level of what people should read; below it is what only a log wants."""

logging.addLevelName(NOTE, "NOTE")

SILENT_S = 60.0
"""Seconds of work before a line is written where there is no terminal for a bar."""


def note(text: str) -> None:
    """Say what a user should know of how it is done; ``lulc`` shows it on stderr."""
    LOG.log(NOTE, text)


class Progress:
    """A bar in a terminal; elsewhere, of long work, a note at every tenth with the time left.

    Parameters
    ----------
    total : int
        Units of the work.
    what, unit : str
        What is done, and its unit.
    progress : bool, optional
        Whether to show a bar; unless given, only in a terminal. False: no notes either.
    """

    def __init__(self, total: int, what: str, unit: str = "it", progress: bool | None = None
                 ) -> None:
        from tqdm import tqdm  # here, so that what writes no large file needs no tqdm

        self.bar = tqdm(total=total, desc=what, unit=unit, unit_scale=True, file=sys.stderr,
                        disable=None if progress is None else not progress, leave=False)
        self.total, self.what, self.silent = total, what, progress is False
        self.began, self.done, self.tenth = time.monotonic(), 0, 0

    def update(self, number: int) -> None:
        """Count units that are done."""
        self.bar.update(number)
        self.done += number
        tenth = 10 * self.done // self.total
        if self.silent or not self.bar.disable or tenth == self.tenth:
            return
        self.tenth, taken = tenth, time.monotonic() - self.began
        if taken > SILENT_S and tenth < 10:
            left = taken * (self.total / self.done - 1)
            note(f"{self.what}: {self.done / self.total:.0%}, {duration(left)} left")

    def __enter__(self) -> Progress:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the bar."""
        self.bar.close()


def duration(seconds: float) -> str:
    """Say a duration roughly.

    >>> duration(44), duration(100), duration(9000)
    ('about 44 seconds', 'about 2 minutes', 'about 2.5 hours')
    """
    if seconds < 90:
        return f"about {seconds:.0f} seconds"
    hours = f"about {seconds / 3600:.1f} hours"
    return f"about {seconds / 60:.0f} minutes" if seconds < 5400 else hours
