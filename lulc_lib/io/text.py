"""Text that comes from files and services, made fit to be shown."""

from __future__ import annotations

import re

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
                       "\ud800-\udfff]")
"""What moves the cursor, colours, or turns the direction of a terminal; not tab and newline. The
last stand for bytes of a name that is not UTF-8."""


def printable(text: str) -> str:
    r"""Write control characters and directions of text as ``\uXXXX``, which JSON also reads.

    >>> printable("a\x1b[31m pit")
    'a\\u001b[31m pit'
    """
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
