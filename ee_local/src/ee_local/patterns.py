"""Regular expressions of requests, matched by RE2: in time proportional to the text.

There is no back-reference and no look-around, which only an engine that can run for ever has.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice

import re2

from ee_local.errors import EngineError
from ee_local.limits import MOST_CHARACTERS

GROUP = re.compile(r"\$(\d)")

LONGEST = 1000
"""Characters of a regular expression."""

LONGEST_TEXT = 100_000
"""Characters of a text that is searched."""

MEMORY = 1024 * 1024
"""Bytes that a compiled expression may take."""


@lru_cache(512)
def _compiled(regex: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors, options.max_mem = False, MEMORY
    return re2.compile(regex, options)


def compiled(regex: str, where: str, flags: str = "", text: str = "") -> re2._Regexp:
    """Return a regular expression; ``flags`` may have i (any case), m (lines) and g.

    Parameters
    ----------
    regex : str
        In RE2's syntax.
    where : str
        Names the function in errors.
    flags : str
        As Earth Engine writes them.
    text : str
        What is to be searched.

    Raises
    ------
    EngineError
        It cannot be read, or it or the text is too long.
    """
    chosen = "".join(f for f in "im" if f in flags)
    try:
        if len(regex) > LONGEST:
            raise re2.error(f"longer than {LONGEST} characters")
        text.encode()
        found = _compiled(f"(?{chosen}){regex}" if chosen else regex)
    except (re2.error, UnicodeEncodeError) as error:
        why = error.args[0] if isinstance(error, re2.error) else "half a character"
        why = why.decode(errors="replace") if isinstance(why, bytes) else why
        if "perl operator" in why or "escape sequence" in why:
            why += "; there is no look-around and no back-reference"
        raise EngineError(f"{where}: the regular expression {regex[:40]!r} cannot be read "
                          f"({why}).") from None
    if len(text) > LONGEST_TEXT:
        raise EngineError(f"{where}: a text of {len(text):,} characters is too long to be "
                          f"searched; at most {LONGEST_TEXT:,} can be.")
    return found


def replaced(text: str, regex: str, replacement: str, where: str, flags: str = "") -> str:
    """Return a text with the first match replaced, with ``g`` in ``flags`` all.

    Parameters
    ----------
    text, regex : str
        What is searched, and for what.
    replacement : str
        In it ``$1`` stands for the first group.
    where : str
        Names the function in errors.
    flags : str
        As for :func:`compiled`.

    Raises
    ------
    EngineError
        The expression cannot be read, has no such group, or the result is too long.
    """
    pattern = compiled(regex, where, flags, text)
    literals = GROUP.split(replacement)  # at odd places: numbers of groups
    if any(int(n) > pattern.groups for n in literals[1::2]):
        raise EngineError(f"{where}: {replacement[:40]!r} names a group that {regex[:40]!r} has "
                          "not.")
    out, end, size = [], 0, 0
    for match in islice(pattern.finditer(text), None if "g" in flags else 1):
        new = "".join(match[int(part)] or "" if k % 2 else part for k, part in enumerate(literals))
        out += [text[end:match.start()], new]
        end, size = match.end(), size + len(new)
        if size > MOST_CHARACTERS:
            raise EngineError(f"{where}: the result is longer than {MOST_CHARACTERS:,} characters.")
    return "".join([*out, text[end:]])
