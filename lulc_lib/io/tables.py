"""Tables in text files: encoding, delimiter, cells as text."""

from __future__ import annotations

import codecs
import io
import re
import warnings

import pandas as pd

DELIMITERS = (",", ";", "\t")
POLISH = "cp1250"
"""Encoding (Windows-1250) of files that state none and are not UTF-8."""


def guess_encoding(data: bytes) -> str:
    """Choose UTF-16 where a byte-order mark says so, UTF-8 if the bytes are, else Windows-1250.

    >>> [guess_encoding("zażółć".encode(e)) for e in ("utf-8", "utf-16", "cp1250")]
    ['utf-8-sig', 'utf-16', 'cp1250']
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return POLISH
    return "utf-8-sig"


def delimiter(text: str) -> str:
    r"""Choose the delimiter of a CSV text: what ``sep=`` says, else the one that comes most.

    It is looked for in the first line that has any of comma, semicolon and tab.

    Examples
    --------
    >>> delimiter("a;b;c"), delimiter("title\na\tb,c\td"), delimiter("sep=;\na,b")
    (';', '\t', ';')
    """
    stated = re.match(r"sep=(.)\r?\n", text)
    if stated:
        return stated[1]
    first = next((line for line in text.splitlines() if any(d in line for d in DELIMITERS)), "")
    return max(DELIMITERS, key=first.count)


def text_table(text: str) -> pd.DataFrame:
    """Read a CSV text with a header line, all cells as text.

    A line with more cells than the header is an error: pandas' ParserWarning or ParserError.
    """
    with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
        return pd.read_csv(io.StringIO(re.sub(r"^sep=.\r?\n", "", text)), sep=delimiter(text),
                           dtype=str, index_col=False, keep_default_na=False,
                           skipinitialspace=True)
