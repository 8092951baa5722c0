"""CSV files as cells of text: delimiter, byte-order mark, counts, and errors that name the cell."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from lulc_lib.errors import InputError
from lulc_lib.io import existing_file

DELIMITERS = (",", ";", "\t")
LARGEST_COUNT = 2**53
"""Above this a float64 no longer tells neighbouring whole numbers apart."""


def read_text(path: Path) -> str:
    """Read a text file (UTF-8, with or without byte-order mark).

    Raises
    ------
    InputError
        No such file, a folder, not text, or nothing in it.
    """
    try:
        text = existing_file(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if "\0" in text:
        raise InputError(f"{path.name}: is not a text file in UTF-8")
    if not text.strip():
        raise InputError(f"{path.name}: is empty")
    return text


def delimiter(text: str) -> str:
    """Choose the delimiter of a CSV text: comma, semicolon or tab, whichever comes most.

    Examples
    --------
    >>> delimiter("a;b;c")
    ';'
    """
    first = next(line for line in text.splitlines() if line.strip())
    return max(DELIMITERS, key=first.count)


def read_cells(path: Path) -> list[list[str]]:
    """Read the cells of a CSV file, stripped, without empty lines and empty columns at the end.

    Raises
    ------
    InputError
        The file cannot be read (see :func:`read_text`) or its lines differ in length.
    """
    text = read_text(path)
    try:
        lines = list(csv.reader(text.splitlines(), delimiter=delimiter(text), strict=True))
    except csv.Error as error:
        raise InputError(f"{path.name}: cannot be read as a CSV file ({error})") from None
    rows = [(number, [cell.strip() for cell in line]) for number, line in enumerate(lines, 1)]
    rows = [(number, cells) for number, cells in rows if any(cells)]
    if not rows:
        raise InputError(f"{path.name}: has no cell with anything in it")
    while len(rows[0][1]) > 1 and not any(cells[-1] for _, cells in rows):
        rows = [(number, cells[:-1]) for number, cells in rows]
    first = rows[0][1]
    if len(rows) > 1 and len(first) == len(rows[1][1]) - 1 and count_or_none(first[0]) is None:
        first.insert(0, "")  # labels without a corner cell
    for number, cells in rows:
        if len(cells) != len(rows[0][1]):
            raise InputError(f"{path.name}, line {number}: has {len(cells)} cells and the first "
                             f"line {len(rows[0][1])}; all lines must have the same number")
    return [cells for _, cells in rows]


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
