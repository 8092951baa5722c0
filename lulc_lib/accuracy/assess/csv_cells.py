"""CSV files as cells of text: encoding, delimiter, counts, and errors that name the cell."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from lulc_lib.accuracy.assess.layouts import PRODUCERS_WORDS, USERS_WORDS, word
from lulc_lib.accuracy.confusion import LARGEST_COUNT
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file
from lulc_lib.io.tables import POLISH, delimiter, guess_encoding

SUM_WORDS = frozenset({
    "sum", "sums", "total", "totals", "rowsum", "rowsums", "colsum", "colsums", "columnsum",
    "columnsums", "rowtotal", "columntotal", "suma", "σ", "all"})
METRIC_WORDS = USERS_WORDS | PRODUCERS_WORDS | {
    "kappa", "kia", "kiaperclass", "accuracy", "overallaccuracy", "oa", "hellden", "short",
    "recall", "precision", "fscore", "omission", "commission", "omissionerror", "commissionerror"}
"""Labels of lines and columns after the classes that hold no counts."""


def read_text(path: Path, notes: list[str] | None = None) -> str:
    """Read a text file: UTF-8, UTF-16 with a byte-order mark, else Windows-1250, which is noted.

    Raises
    ------
    InputError
        No such file, a folder, not text, or nothing in it.
    """
    try:
        data = existing_file(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    encoding = guess_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or (encoding == "utf-16" and not re.search(r"[!-~]", text)):
        raise InputError(f"{path.name}: is not a text file (in UTF-8, UTF-16 or Windows-1250)")
    if not text.strip():
        raise InputError(f"{path.name}: is empty")
    if encoding == POLISH and notes is not None:
        notes.append("The file is not in UTF-8: read as Windows-1250.")
    return text


def split_lines(text: str, name: str) -> list[tuple[int, list[str]]]:
    """Split a CSV text into cells, stripped, with the numbers of the lines; none of empty lines.

    Raises
    ------
    InputError
        Quotes that do not close, or no cell with anything in it.
    """
    try:
        lines = list(csv.reader(text.splitlines(), delimiter=delimiter(text), strict=True))
    except csv.Error as error:
        raise InputError(f"{name}: cannot be read as a CSV file ({error})") from None
    rows = [(number, [cell.strip() for cell in line]) for number, line in enumerate(lines, 1)]
    rows = [(number, cells) for number, cells in rows
            if any(cells) and not (number == 1 and re.match("sep=", text))]
    if not rows:
        raise InputError(f"{name}: has no cell with anything in it")
    return rows


def regular(rows: list[tuple[int, list[str]]], name: str) -> list[list[str]]:
    """Give every line the same number of cells, without empty columns at the end.

    A line of sums or metrics may be shorter than the others.

    Raises
    ------
    InputError
        Lines of classes differ in length.
    """
    while len(rows[0][1]) > 1 and not any(cells[-1] for _, cells in rows):
        rows = [(number, cells[:-1]) for number, cells in rows]
    first = rows[0][1]
    if len(rows) > 1 and len(first) == len(rows[1][1]) - 1 and count_or_none(first[0]) is None:
        first = ["", *first]  # labels without a corner cell
    width, table = len(first), [first]
    for number, cells in rows[1:]:
        if len(cells) < width and word(cells[0]) in {*SUM_WORDS, *METRIC_WORDS}:
            cells = cells + [""] * (width - len(cells))
        if len(cells) != width:
            raise InputError(f"{name}, line {number}: has {len(cells)} cells and the first "
                             f"line {width}; all lines must have the same number")
        table.append(cells)
    return table


def count_or_none(cell: str) -> int | None:
    """Read the whole number in a cell (``12``, ``12.0``), else None.

    Examples
    --------
    >>> count_or_none("12.0"), count_or_none("-3"), count_or_none("1.5"), count_or_none("x")
    (12, -3, None, None)
    """
    match = re.fullmatch(r"([+-]?\d{1,18})(\.0*)?", cell)
    return int(match.group(1)) if match else None


def counts(cells: Sequence[Sequence[str]], columns: Sequence[str], rows: Sequence[str],
           name: str) -> list[list[int]]:
    """Read a block of cells as counts; ``columns``, ``rows`` and ``name`` are for messages.

    Raises
    ------
    InputError
        A cell is empty, text, fractional, negative or too large.
    """
    return [[_count(cell, f"{name}, row {row}, column {column}")
             for cell, column in zip(line, columns, strict=True)]
            for line, row in zip(cells, rows, strict=True)]


def plain_label(cell: str) -> str:
    """Drop from a whole number what a spreadsheet adds (``3.0`` becomes ``3``)."""
    value = count_or_none(cell)
    return cell if value is None else str(value)


def check_labels(labels: Sequence[str], what: str) -> None:
    """Refuse empty labels and labels that are there twice."""
    if "" in labels:
        raise InputError(f"{what}: label {list(labels).index('') + 1} is empty; every class needs "
                         "a label")
    twice = [label for label in dict.fromkeys(labels) if list(labels).count(label) > 1]
    if twice:
        raise InputError(f"{what}: class {', '.join(twice)} is there more than once")


def in_order(labels: Sequence[str]) -> list[str]:
    """Sort labels without repeats, by number if all are numbers, else by the alphabet.

    Examples
    --------
    >>> in_order(["10", "9", "10"]), in_order(["b", "a"])
    (['9', '10'], ['a', 'b'])
    """
    unique = list(dict.fromkeys(labels))
    numbers = [count_or_none(label) for label in unique]
    if None in numbers:
        return sorted(unique)
    return [label for _, label in sorted(zip(numbers, unique, strict=True))]


def _count(cell: str, where: str) -> int:
    value = count_or_none(cell)
    if value is None:
        fraction = re.fullmatch(r"[+-]?\d*[.,]\d+(e[+-]?\d+)?", cell, re.I)
        what = "empty" if cell == "" else f"{cell} (a fraction)" if fraction else repr(cell)
        raise InputError(f"{where}: the cell is {what}; counts are whole numbers")
    if value < 0:
        raise InputError(f"{where}: the cell is {cell}; counts cannot be negative")
    if value > LARGEST_COUNT:
        raise InputError(f"{where}: the cell is {cell}; counts go up to 2^53")
    return value
