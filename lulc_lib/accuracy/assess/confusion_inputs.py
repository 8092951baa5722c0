"""Read what ``lulc accuracy`` takes from files: matrices, pairs of classes, binary counts.

Every reader ends in a :class:`Comparison` with the map in its rows. A matrix that does not say
which way round it is cannot be read: PA and UA would be a guess.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lulc_lib.accuracy.assess.csv_cells import (
    METRIC_WORDS,
    SUM_WORDS,
    check_labels,
    count_or_none,
    counts,
    in_order,
    plain_label,
    read_text,
    regular,
    split_lines,
)
from lulc_lib.accuracy.assess.layouts import (
    MAP_WORDS,
    PRODUCERS_WORDS,
    REFERENCE_WORDS,
    USERS_WORDS,
    Layout,
    Side,
    is_json,
    orientation,
    recognise,
    word,
)
from lulc_lib.accuracy.confusion import as_confusion
from lulc_lib.accuracy.metrics import binary_parts
from lulc_lib.errors import InputError
from lulc_lib.io.tables import delimiter, text_table

BINARY = ("TP", "TN", "FP", "FN")
MOST_CLASSES = 1000
"""Different classes that are assessed; more are a sign of data that are no classes."""

PAIR_MAP_WORDS = MAP_WORDS - {"class", "classes", "user", "users"}
PAIR_REFERENCE_WORDS = REFERENCE_WORDS - {"sample", "samples"}
BESIDE_A_MAP = ("class", "landcover", "landuse", "lulc", "label", "klasa")
"""Columns that are the reference of a table whose only other classes are said to be the map's."""

LABEL_WORDS = frozenset({"label", "labels", "name", "names", "classname", "class"})
COUNT_WORDS = frozenset({"count", "counts", "freq", "frequency", "n", "pixels", "pixelcount",
                         "npixels", "liczba"})
"""Columns that say how often a pair occurs."""


@dataclass(frozen=True)
class Comparison:
    """A map compared with a reference.

    Attributes
    ----------
    matrix : DataFrame or None
        Rows map, columns reference, labels as text; None if only binary counts are given.
    counts : DataFrame, one row per class, int64
        Columns TP, TN, FP, FN.
    kind, notes : str, tuple of str
        What was read, and what a reader should know about how.
    pixels : bool
        Whether the compared units are pixels, which are not independent of their neighbours.
    dropped : dict of str to int
        What was left out, and how many of it; the notes say it in words.
    names : dict of str to str
        Names of the classes that the map itself tells, by label.
    by_group : array, shape (polygon, map class, reference class), int64
        The counts of each polygon, if they were asked for.
    """

    matrix: pd.DataFrame | None
    counts: pd.DataFrame
    kind: str
    notes: tuple[str, ...] = ()
    pixels: bool = False
    dropped: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    by_group: NDArray[np.int64] | None = None

    @classmethod
    def of_matrix(cls, matrix: pd.DataFrame, kind: str, notes: Sequence[str] = (),
                  pixels: bool = False, dropped: Mapping[str, int] | None = None) -> Comparison:
        """Take a confusion matrix (map rows, reference columns)."""
        table = binary_parts(matrix).rename(columns=str.upper).rename_axis(index=None)
        return cls(matrix, table[list(BINARY)], kind, tuple(notes), pixels, dict(dropped or {}))

    @classmethod
    def of_counts(cls, table: pd.DataFrame, name: str) -> Comparison:
        """Take TP, TN, FP and FN per class; one or two classes determine the matrix too."""
        table = table.loc[:, list(BINARY)].astype(np.int64)
        totals = table.sum(axis=1)
        if totals.nunique() > 1:
            other = totals[totals != totals.iloc[0]].index[0]
            raise InputError(
                f"{name}: TP + TN + FP + FN is {totals.iloc[0]} for {totals.index[0]} and "
                f"{totals[other]} for {other}; all classes are assessed on the same n")
        if totals.iloc[0] == 0:
            raise InputError(f"{name}: all counts are 0; there is nothing to assess")
        kind = "TP, TN, FP, FN per class"
        first, labels = table.iloc[0], list(table.index)
        if len(labels) == 1:
            labels.append(f"not {labels[0]}")
        elif len(labels) > 2 or list(table.iloc[1]) != [first.TN, first.TP, first.FN, first.FP]:
            return cls(None, table, kind, (
                "Counts per class do not tell which classes are confused with which: there is no "
                "confusion matrix.",))
        whole = [[first.TP, first.FP], [first.FN, first.TN]]
        return cls.of_matrix(as_confusion(whole, labels), kind)

    @property
    def labels(self) -> list[str]:
        """Class labels, in order."""
        return list(self.counts.index)

    @property
    def n(self) -> int:
        """Compared units (pixels, points)."""
        return int(self.counts.iloc[0].sum())

    def renamed(self, names: Mapping[str, str], what: str) -> Comparison:
        """Give the classes other labels, each a name of its own."""
        lacking = [label for label in self.labels if label not in names]
        if lacking:
            raise InputError(f"{what}: has no name for class {', '.join(lacking)}; it must name "
                             f"every class ({', '.join(self.labels)})")
        new = [names[label] for label in self.labels]
        check_labels(new, f"{what}, names of the classes")
        matrix = None if self.matrix is None else as_confusion(self.matrix.to_numpy(), new)
        return replace(self, matrix=matrix, counts=self.counts.set_axis(new))

    def noted(self, *notes: str) -> Comparison:
        """Add notes."""
        return replace(self, notes=(*self.notes, *notes))


def read_comparison(path: Path | str, rows: Side | None = None,
                    columns: tuple[str, str] | None = None) -> Comparison:
    """Read what a file says about a map and its reference, whichever of the formats it has.

    Parameters
    ----------
    path : Path or str
        A confusion matrix (bare, labelled, with sums, or as one of ``layouts`` writes it), a table
        of pairs of classes (``true``, ``predicted``, and ``label`` and ``count`` if they are
        there), or TP, TN, FP, FN per class.
    rows : "map" or "reference", optional
        What the rows of a confusion matrix are; not needed if the file says it.
    columns : tuple of str, optional
        Names of the columns of the reference and of the map, of a table of pairs.

    Raises
    ------
    InputError
        The file is none of these, a cell is no count, or a matrix's orientation is not stated.
    """
    path, notes = Path(path), []
    text = read_text(path, notes)
    lines = [] if is_json(text) else split_lines(text, path.name)
    layout = None if columns else recognise(text, [cells for _, cells in lines])
    if layout is None and not lines:
        raise InputError(f"{path.name}: is JSON without a square matrix of counts in it")
    chosen = None if layout else _pair_columns(path.name, lines[0][1], columns)
    if chosen is not None:
        return _pairs(path.name, text, chosen).noted(*notes)
    cells = regular(list(enumerate(layout.cells, 1)) if layout else lines, path.name)
    if set(BINARY) <= {cell.upper() for cell in cells[0]}:
        cells = [list(line) for line in zip(*cells, strict=True)]
    binary = set(BINARY) <= {line[0].upper() for line in cells}
    found = _binary(path.name, cells) if binary else _matrix(path.name, cells, rows, layout)
    return found.noted(*notes)


def read_names(path: Path | str, comparison: Comparison) -> Comparison:
    """Give a comparison the class names of a JSON file.

    The file holds an object ``{"1": "water", …}`` that names every class, or, for classes that are
    only numbered 1 … n, a list of names in their order.

    Raises
    ------
    InputError
        Not JSON, names that are no text, or a class without a name.
    """
    path, labels = Path(path), comparison.labels
    try:
        names = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path.name}: is not JSON ({error})") from None
    if isinstance(names, list):
        if labels != [str(i + 1) for i in range(len(names))]:
            raise InputError(f"{path.name}: is a list of {len(names)} names; classes "
                             f"{', '.join(labels)} need an object such as "
                             '{"1": "water", "2": "forest"}')
        names = dict(zip(labels, names, strict=True))
    if not isinstance(names, dict):
        raise InputError(f'{path.name}: must hold an object such as {{"1": "water"}}')
    wrong = [v for v in names.values() if not isinstance(v, str) or not v.strip()]
    if wrong:
        raise InputError(f"{path.name}: holds the name {wrong[0]!r}; class names are text")
    return comparison.renamed({plain_label(k.strip()): v.strip() for k, v in names.items()},
                              path.name)


def read_areas(path: Path | str, labels: Mapping[str, str]) -> dict[str, float]:
    """Read the mapped area per class, any unit, from a CSV with the columns label and area.

    ``labels``: what a class may be called in the file (code or name) → its label.

    Raises
    ------
    InputError
        A class with two areas, or unknown; an area that is no number ≥ 0.
    """
    path = Path(path)
    text = read_text(path)
    header, *lines = regular(split_lines(text, path.name), path.name)
    words = [cell.lower() for cell in header]
    columns = [i for i, word in enumerate(words) if word.split("_")[0].split(" ")[0] in
               ("area", "areas", "mapped", "pixels")]
    names = [i for i, word in enumerate(words) if word in ("label", "labels", "class", "code",
                                                           "name", "map_class", "klasa", "")]
    if len(columns) != 1 or not names:
        raise InputError(f"{path.name}: its first line is {', '.join(header)!r}; it must name the "
                         "columns: label,area")
    if not lines:
        raise InputError(f"{path.name}: has a header line and no areas")
    check_labels([plain_label(line[names[0]]) for line in lines], path.name)
    areas: dict[str, float] = {}
    for line in lines:
        name = plain_label(line[names[0]])
        if name not in labels:
            raise InputError(f"{path.name}: names class {name!r}, which the matrix lacks; its "
                             f"classes are {', '.join(dict.fromkeys(labels.values()))}")
        if labels[name] in areas:
            raise InputError(f"{path.name}: class {name} is there more than once")
        cell = line[columns[0]]
        if delimiter(text) != "," and re.fullmatch(r"\d+,\d+", cell):
            cell = cell.replace(",", ".")  # a decimal comma
        areas[labels[name]] = _area(cell, f"{path.name}, class {name}")
    return areas


def _area(cell: str, where: str) -> float:
    try:
        value = float(plain_label(cell))
    except ValueError:
        raise InputError(f"{where}: the area is {cell!r}; areas are numbers") from None
    if not math.isfinite(value) or value < 0:
        raise InputError(f"{where}: the area is {cell}; areas are finite and not negative")
    return value


def _matrix(name: str, cells: list[list[str]], rows: Side | None,
            layout: Layout | None = None) -> Comparison:
    """Read the counts first, so that whoever is asked for the rows is asked for nothing more."""
    bare = layout is None and count_or_none(cells[0][0]) is not None
    if rows is None and layout is None and _like_pairs(cells):
        raise InputError(f"{name}: its columns are {', '.join(cells[0])}; a table of pairs needs "
                         "the columns true and predicted, or --column REFERENCE,MAP to name them "
                         "(a confusion matrix needs --rows)")
    corner = "" if bare else cells[0][0]
    stated, by = (layout.rows, layout.program) if layout else (orientation(corner), corner)
    if bare:
        matrix, notes = _bare(name, cells)
    else:
        matrix, notes, metrics = _labelled(name, cells)
        stated, by = (stated, by) if stated else (metrics, "its columns of PA and UA")
    if layout is not None:
        notes = [f"Layout of the file: {layout.program}.", *layout.notes, *notes]
    rows = _settle(name, stated, by, rows, "it has no labels" if bare else
                   layout.hint or f"the layout of {layout.program}" if layout else
                   f"its corner cell is {corner!r}")
    if rows == "reference":
        matrix = matrix.T
    if not matrix.to_numpy().any():
        raise InputError(f"{name}: all counts are 0; there is nothing to assess")
    kind = f"confusion matrix ({'bare' if bare else 'labelled'}), {rows} classes in its rows"
    return Comparison.of_matrix(as_confusion(matrix.to_numpy(), list(matrix.index)), kind, notes)


def _like_pairs(cells: list[list[str]]) -> bool:
    """Names above the columns, none of which is also a label down the side."""
    head, labels = cells[0], {line[0] for line in cells[1:]}
    return (len(head) > 1 and len(cells) > 3 and orientation(head[0]) is None
            and all(cell and count_or_none(cell) is None for cell in head)
            and not labels & set(head[1:]))


def _settle(name: str, stated: Side | None, by: str, rows: Side | None, seen: str) -> Side:
    if stated is None and rows is None:
        raise InputError(
            f"{name}: does not say whether its rows are the map or the reference ({seen}); give "
            "--rows map or --rows reference (scikit-learn and accuracy_checker write the reference "
            "in rows), or write map/reference or reference/map into the corner cell")
    if stated is not None and rows is not None and stated != rows:
        raise InputError(f"{name}: the corner cell {by!r} says that rows are the {stated}, "
                         f"--rows says {rows}; correct the one that is wrong"
                         if orientation(by) else
                         f"{name}: {by} says that rows are the {stated}, --rows says {rows}")
    return stated or rows


def _bare(name: str, cells: list[list[str]]) -> tuple[pd.DataFrame, list[str]]:
    labels = [str(i + 1) for i in range(max(len(cells), len(cells[0])))]
    numbers = counts(cells, labels[:len(cells[0])], labels[:len(cells)], name)
    if len(cells) != len(cells[0]):
        raise InputError(
            f"{name}: has {len(cells)} rows and {len(cells[0])} columns and no labels; a bare "
            "confusion matrix is square (pairs of classes need a header line: true,predicted)")
    values, notes = np.array(numbers, dtype=np.int64), []
    inner = values[:-1, :-1]
    sums = np.append(inner.sum(axis=0), inner.sum())
    if (len(values) > 2 and inner.any() and (values[-1] == sums).all()
            and (values[:-1, -1] == inner.sum(axis=1)).all()):
        values = inner
        notes.append("The last row and the last column are the sums of the others and were left "
                     "out.")
    labels = labels[:len(values)]
    return pd.DataFrame(values, index=labels, columns=labels), notes


def _labelled(name: str, cells: list[list[str]]) -> tuple[pd.DataFrame, list[str], Side | None]:
    """Read counts with labels; lines and columns of sums are checked, of metrics left out."""
    width, height = (_classes(labels) for labels in (cells[0][1:], [c[0] for c in cells[1:]]))
    columns = [plain_label(cell) for cell in cells[0][1:width + 1]]
    rows = [plain_label(line[0]) for line in cells[1:height + 1]]
    if not rows or not columns:
        raise InputError(f"{name}: has {len(rows)} rows of counts; a confusion matrix needs a line "
                         "of labels and a line per class")
    check_labels(columns, f"{name}, first line")
    check_labels(rows, f"{name}, first column")
    table = pd.DataFrame(counts([line[1:width + 1] for line in cells[1:height + 1]], columns, rows,
                                name), index=rows, columns=columns, dtype=np.int64)
    notes = _check_sums(name, cells, table)
    beside, below = cells[0][width + 1:], [line[0] for line in cells[height + 1:]]
    left = [label for label in (*beside, *below) if word(label) not in {*SUM_WORDS, ""}]
    if left:
        notes.append(f"Metrics in the file were not read: {', '.join(dict.fromkeys(left))}.")
    users = USERS_WORDS & {word(v) for v in beside}, USERS_WORDS & {word(v) for v in below}
    producers = tuple(PRODUCERS_WORDS & {word(v) for v in part} for part in (beside, below))
    by_map, by_reference = users[0] or producers[1], users[1] or producers[0]
    stated = "map" if by_map and not by_reference else "reference" if by_reference else None
    return *_square(name, table, notes), None if by_map and by_reference else stated


def _classes(labels: list[str]) -> int:
    """Count the labels before the sums and metrics at the end."""
    other = {*SUM_WORDS, *METRIC_WORDS, ""}
    last = len(labels)
    while last > 1 and word(labels[last - 1]) in other and not (
            labels[last - 1] and count_or_none(labels[last - 1]) is not None):
        last -= 1
    return last if any(word(v) in {*SUM_WORDS, *METRIC_WORDS} for v in labels[last:]) else (
        len(labels))


def _check_sums(name: str, cells: list[list[str]], table: pd.DataFrame) -> list[str]:
    """Compare the first line and column of sums after the classes with the cells."""
    height, width = table.shape
    head = [word(cell) for cell in cells[0]]
    side = [word(line[0]) for line in cells]
    column = next((k for k in range(width + 1, len(head)) if head[k] in SUM_WORDS), None)
    row = next((k for k in range(height + 1, len(side)) if side[k] in SUM_WORDS), None)
    checks = []  # what, the cell in the file, the sum of the cells
    if row is not None:
        checks += [(f"column {k}", cells[row][i + 1], table[k].sum())
                   for i, k in enumerate(table.columns)]
    if column is not None:
        checks += [(f"row {k}", cells[i + 1][column], table.loc[k].sum())
                   for i, k in enumerate(table.index)]
    if row is not None and column is not None:
        checks.append(("the whole table", cells[row][column], table.to_numpy().sum()))
    for what, given, total in checks:
        if given and count_or_none(given) != total:
            raise InputError(f"{name}: the sum given for {what} is {given} and its cells add up to "
                             f"{total}; correct the file or remove its sums")
    return ["The sums in the file agree with its cells."] if checks else []


def _square(name: str, table: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, list[str]]:
    rows, columns = list(table.index), list(table.columns)
    only_rows = [k for k in rows if k not in columns]
    only_columns = [k for k in columns if k not in rows]
    if only_rows and only_columns:
        raise InputError(
            f"{name}: only the rows name {', '.join(only_rows)} and only the columns "
            f"{', '.join(only_columns)}; rows and columns must name the same classes")
    labels = columns if only_columns else rows
    if only_rows or only_columns:
        where, lacking = ("columns", only_rows) if only_rows else ("rows", only_columns)
        notes = [*notes, f"The {where} lack {', '.join(lacking)}: taken as all 0."]
    elif rows != columns:
        notes = [*notes, "The columns stand in another order than the rows: matched by label."]
    return table.reindex(index=labels, columns=labels, fill_value=0), notes


def _pair_columns(name: str, header: list[str], given: tuple[str, str] | None
                  ) -> tuple[int, int] | None:
    """Find the columns of the reference and of the map, by name or by what they are called."""
    if given is not None:
        missing = [column for column in given if header.count(column) != 1]
        if missing:
            raise InputError(f"{name}: has no column {missing[0]!r} or several; its columns are "
                             f"{', '.join(header)}")
        return header.index(given[0]), header.index(given[1])
    words = [word(cell) for cell in header]
    true = {w: k for k, w in enumerate(words) if w in PAIR_REFERENCE_WORDS}
    mapped = {w: k for k, w in enumerate(words) if w in PAIR_MAP_WORDS}
    beside = [k for k, w in enumerate(words) if w in BESIDE_A_MAP]
    if not true and len(mapped) == len(beside) == 1 and len(header) > 2:
        true = {"class": beside[0]}  # as Earth Engine exports a classified sample
    if len(true) == len(mapped) == 1:
        return next(iter(true.values())), next(iter(mapped.values()))
    for kind in ("class", "code"):  # the same classes twice, by name and by code
        if {f"ref{kind}", f"map{kind}"} <= {*true, *mapped}:
            return true[f"ref{kind}"], mapped[f"map{kind}"]
    return None


def _pairs(name: str, text: str, chosen: tuple[int, int]) -> Comparison:
    table = _table_of_pairs(name, text)
    words = ["" if k in chosen else word(c) for k, c in enumerate(table.columns)]
    label, number = (next((k for k, w in enumerate(words) if w in known), None)
                     if sum(w in known for w in words) == 1 else None
                     for known in (LABEL_WORDS, COUNT_WORDS))
    true, mapped = (_codes(table.iloc[:, k], name) for k in chosen)
    labels = in_order([*true.unique(), *mapped.unique()])
    if len(labels) > MOST_CLASSES:
        raise InputError(f"{name}: names {len(labels)} different classes; at most {MOST_CLASSES} "
                         "are assessed")
    kind, times = f"pairs of classes, {len(table)} lines", pd.Series(1, index=table.index)
    if number is not None:
        column = table.columns[number]
        kind += f", counted by column {column}"
        times[:] = np.ravel(counts(table.iloc[:, [number]].to_numpy(), [column],
                                   range(1, len(table) + 1), name))
    if not times.any():
        raise InputError(f"{name}: all counts are 0; there is nothing to assess")
    matrix = times.groupby([mapped.to_numpy(), true.to_numpy()]).sum().unstack(fill_value=0)
    matrix = matrix.reindex(index=labels, columns=labels, fill_value=0)
    ignored = [c for k, c in enumerate(table.columns) if k not in (*chosen, label, number)]
    notes = [f"Columns not used: {', '.join(ignored)}.",
             f"The reference is column {table.columns[chosen[0]]}, the map column "
             f"{table.columns[chosen[1]]}."] if ignored else []
    comparison = Comparison.of_matrix(as_confusion(matrix.to_numpy(), labels), kind, notes)
    if label is None:
        return comparison
    return comparison.renamed(_names_in_column(true, table.iloc[:, label], labels, name), name)


def _table_of_pairs(name: str, text: str) -> pd.DataFrame:
    """Read all cells as text; every line must have a cell for every column."""
    try:
        table = text_table(text).fillna("")
    except pd.errors.ParserWarning:
        raise InputError(f"{name}: its lines have more cells than the header line names") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        why = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise InputError(f"{name}: cannot be read as a table of pairs ({why})") from None
    if table.empty:
        raise InputError(f"{name}: has a header line and no pairs")
    return table


def _codes(column: pd.Series, name: str) -> pd.Series:
    codes = column.str.strip()
    if (codes == "").any():
        line = int(np.argmax(codes == "")) + 1
        raise InputError(f"{name}, column {column.name}: pair {line} has no class; every pair "
                         "needs a true and a predicted class")
    return codes.map({cell: plain_label(cell) for cell in codes.unique()})


def _names_in_column(codes: pd.Series, names: pd.Series, labels: Sequence[str], file: str
                     ) -> dict[str, str]:
    """Code → name from the label column, which names the true class; codes without stay."""
    pairs = pd.DataFrame({"code": codes, "name": names.str.strip()}).drop_duplicates()
    pairs = pairs[pairs["name"] != ""]
    twice = pairs[pairs.duplicated("code", keep=False)]
    if len(twice):
        names_of = pairs["name"][pairs.code == twice.code.iloc[0]]
        raise InputError(f"{file}: class {twice.code.iloc[0]} has the labels "
                         f"{' and '.join(names_of)}; a class has one label")
    return {label: label for label in labels} | dict(zip(pairs.code, pairs["name"], strict=True))


def _binary(name: str, cells: list[list[str]]) -> Comparison:
    """TP, TN, FP, FN in the first column (in any order, under a header line of classes or not)."""
    kinds = [line[0].upper() for line in cells]
    check_labels([k for k in kinds if k in BINARY], f"{name}, TP/TN/FP/FN")
    others = [line for kind, line in zip(kinds, cells, strict=True) if kind not in BINARY]
    if len(others) > 1:
        raise InputError(f"{name}: besides TP, TN, FP and FN there are {others[0][0]!r} and "
                         f"{others[1][0]!r}; only one line or column may name the classes")
    width = len(cells[0]) - 1
    if width < 1:
        raise InputError(f"{name}: has TP, TN, FP and FN but no counts")
    labels = ([plain_label(cell) for cell in others[0][1:]] if others
              else [str(i + 1) for i in range(width)])
    check_labels(labels, name)
    lines = [cells[kinds.index(kind)][1:] for kind in BINARY]
    numbers = pd.DataFrame(counts(lines, labels, BINARY, name), index=list(BINARY), columns=labels)
    return Comparison.of_counts(numbers.T, name)
