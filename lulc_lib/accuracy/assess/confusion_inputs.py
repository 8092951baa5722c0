"""Accuracy inputs from CSV files: confusion matrices, pairs of classes, binary counts.

Every reader ends in a :class:`Judged`: rows are the map, columns the reference, whatever the file
had. A matrix that does not say which way round it is cannot be read: PA and UA would be a guess.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from lulc_lib.accuracy.assess.csv_cells import (
    check_labels,
    count_or_none,
    counts,
    delimiter,
    in_order,
    plain_label,
    read_cells,
    read_text,
)
from lulc_lib.accuracy.assess.judged import (
    BINARY,
    MOST_CLASSES,
    Judged,
    judged_counts,
    judged_matrix,
)
from lulc_lib.accuracy.confusion import as_confusion, confusion_from_labels
from lulc_lib.errors import InputError

Side = Literal["map", "reference"]

MAP_WORDS = frozenset({"map", "mapclass", "mapped", "class", "classes", "classification",
                       "classified", "predicted", "predictedclass", "predictedlabel", "prediction",
                       "predictions", "pred", "ypred"})
REFERENCE_WORDS = frozenset({"reference", "referenceclass", "ref", "true", "trueclass", "truth",
                             "groundtruth", "truelabel", "actual", "actualclass", "observed",
                             "ytrue"})
PAIR_MAP_WORDS = MAP_WORDS - {"class", "classes"} | {"mapcode"}
LABEL_WORDS = frozenset({"label", "labels", "name", "names", "classname", "class"})
SUM_WORDS = frozenset({"sum", "sums", "total", "totals", "rowsum", "rowsums", "colsum", "colsums",
                       "columnsum", "columnsums", "rowtotal", "columntotal", "suma", "σ", "all"})


def read_judged(path: Path | str, rows: Side | None = None) -> Judged:
    """What a CSV file says about a map and its reference, whichever of the formats it has.

    Parameters
    ----------
    path : a confusion matrix (bare, labelled, or with sums), a table with the columns ``true`` and
        ``predicted`` (and ``label``), or TP, TN, FP, FN per class.
    rows : what the rows of a confusion matrix are; not needed if its corner cell says it.

    Raises
    ------
    InputError
        The file is none of these, a cell is no count, or a matrix's orientation is not stated.
    """
    path = Path(path)
    text = read_text(path)
    first = next(line for line in text.splitlines() if line.strip())
    header = [_word(cell) for cell in first.split(delimiter(text))]
    if _column(header, REFERENCE_WORDS) is not None and _column(header, PAIR_MAP_WORDS) is not None:
        return _pairs(path, text, header)
    cells = read_cells(path)
    if set(BINARY) <= {cell.upper() for cell in cells[0]}:
        return _binary(path, [list(line) for line in zip(*cells, strict=True)])
    if set(BINARY) <= {line[0].upper() for line in cells}:
        return _binary(path, cells)
    return _matrix(path, cells, rows)


def orientation(corner: str) -> Side | None:
    """What the rows are, from a corner cell such as ``map/reference``; None if it does not say.

    >>> orientation("class/ref"), orientation("true\\\\predicted"), orientation("class")
    ('map', 'reference', None)
    """
    parts = [_word(part) for part in re.split(r"[/\\|]", corner)]
    if len(parts) != 2:
        return None
    if parts[0] in MAP_WORDS and parts[1] in REFERENCE_WORDS:
        return "map"
    if parts[0] in REFERENCE_WORDS and parts[1] in MAP_WORDS:
        return "reference"
    return None


def _word(cell: str) -> str:
    return re.sub(r"[^a-zσ]", "", cell.lower())


def _column(header: Sequence[str], words: frozenset[str]) -> int | None:
    found = [i for i, word in enumerate(header) if word in words]
    return found[0] if len(found) == 1 else None


def _matrix(path: Path, cells: list[list[str]], rows: Side | None) -> Judged:
    name, corner = path.name, cells[0][0]
    bare = count_or_none(corner) is not None
    if rows is None and _like_pairs(cells):
        raise InputError(f"{name}: its columns are {', '.join(cells[0])}; a table of pairs needs "
                         "the columns true and predicted (a confusion matrix needs --rows)")
    rows = _settle(name, corner, bare, rows)
    if bare:
        matrix, notes = _bare(name, cells)
    else:
        matrix, notes = _labelled(name, cells)
    if rows == "reference":
        matrix = matrix.T
    if not matrix.to_numpy().any():
        raise InputError(f"{name}: all counts are 0; there is nothing to judge")
    kind = f"confusion matrix ({'bare' if bare else 'labelled'}), {rows} classes in its rows"
    return judged_matrix(as_confusion(matrix.to_numpy(), list(matrix.index)), kind, notes)


def _like_pairs(cells: list[list[str]]) -> bool:
    """Two or three columns with a name each, and more lines than a matrix of them would have."""
    width = len(cells[0])
    return (width in (2, 3) and len(cells) > width + 1 and orientation(cells[0][0]) is None
            and all(cell and count_or_none(cell) is None for cell in cells[0]))


def _settle(name: str, corner: str, bare: bool, rows: Side | None) -> Side:
    stated = None if bare else orientation(corner)
    if stated is None and rows is None:
        seen = "it has no labels" if bare else f"its corner cell is {corner!r}"
        raise InputError(
            f"{name}: does not say whether its rows are the map or the reference ({seen}); give "
            "--rows map or --rows reference (scikit-learn and accuracy_checker write the reference "
            "in rows), or write map/reference or reference/map into the corner cell")
    if stated is not None and rows is not None and stated != rows:
        raise InputError(f"{name}: the corner cell {corner!r} says that rows are the {stated}, "
                         f"--rows says {rows}; correct the one that is wrong")
    return stated or rows


def _bare(name: str, cells: list[list[str]]) -> tuple[pd.DataFrame, list[str]]:
    height, width = len(cells), len(cells[0])
    numbers = counts(cells, [str(i + 1) for i in range(width)],
                     [str(i + 1) for i in range(height)], name)
    if height != width:
        raise InputError(
            f"{name}: has {height} rows and {width} columns and no labels; a bare confusion matrix "
            "is square (pairs of classes need a header line: true,predicted)")
    values, notes = np.array(numbers, dtype=np.int64), []
    if height > 2 and values[:-1, :-1].any() and _ends_in_sums(values):
        values = values[:-1, :-1]
        notes.append("The last row and the last column are the sums of the others and were left "
                     "out.")
    labels = [str(i + 1) for i in range(len(values))]
    return pd.DataFrame(values, index=labels, columns=labels), notes


def _ends_in_sums(values: np.ndarray) -> bool:
    return bool((values[:-1].sum(axis=0) == values[-1]).all()
                and (values[:, :-1].sum(axis=1) == values[:, -1]).all())


def _labelled(name: str, cells: list[list[str]]) -> tuple[pd.DataFrame, list[str]]:
    columns = [plain_label(cell) for cell in cells[0][1:]]
    rows = [plain_label(line[0]) for line in cells[1:]]
    if not rows or not columns:
        raise InputError(f"{name}: has {len(rows)} rows of counts; a confusion matrix needs a line "
                         "of labels and a line per class")
    check_labels(columns, f"{name}, first line")
    check_labels(rows, f"{name}, first column")
    table = pd.DataFrame(counts([line[1:] for line in cells[1:]], columns, rows, name),
                         index=rows, columns=columns, dtype=np.int64)
    table, notes = _without_sums(name, table)
    return _square(name, table, notes)


def _without_sums(name: str, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table without a last row or column of sums, after checking that they are the sums."""
    row = len(table) > 1 and _word(table.index[-1]) in SUM_WORDS
    column = table.shape[1] > 1 and _word(table.columns[-1]) in SUM_WORDS
    inner = table.iloc[: -1 if row else None, : -1 if column else None]
    checks = []  # what, the sum in the file, the sum of the cells
    if row:
        checks += [(f"column {k}", table.iloc[-1][k], inner[k].sum()) for k in inner.columns]
    if column:
        checks += [(f"row {k}", table.iloc[:, -1][k], inner.loc[k].sum()) for k in inner.index]
    if row and column:
        checks.append(("the whole table", table.iloc[-1, -1], inner.to_numpy().sum()))
    for what, given, cells in checks:
        if given != cells:
            raise InputError(f"{name}: the sum given for {what} is {given} and its cells add up to "
                             f"{cells}; correct the file or remove its sums")
    return inner, ["The sums in the file agree with its cells."] if row or column else []


def _square(name: str, table: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, list[str]]:
    rows, columns = list(table.index), list(table.columns)
    only_rows = [k for k in rows if k not in columns]
    only_columns = [k for k in columns if k not in rows]
    if only_rows and only_columns:
        raise InputError(
            f"{name}: only the rows name {', '.join(only_rows)} and only the columns "
            f"{', '.join(only_columns)}; rows and columns must name the same classes")
    labels = rows if only_rows else columns if only_columns else rows
    if only_rows or only_columns:
        where, lacking = ("columns", only_rows) if only_rows else ("rows", only_columns)
        notes = [*notes, f"The {where} lack {', '.join(lacking)}: taken as all 0."]
    elif rows != columns:
        notes = [*notes, "The columns stand in another order than the rows: matched by label."]
    return table.reindex(index=labels, columns=labels, fill_value=0), notes


def _pairs(path: Path, text: str, header: list[str]) -> Judged:
    name = path.name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(io.StringIO(text), sep=delimiter(text), dtype=str, index_col=False,
                                keep_default_na=False, skipinitialspace=True).fillna("")
    except pd.errors.ParserWarning:
        raise InputError(f"{name}: its lines have more cells than the header line names") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        why = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise InputError(f"{name}: cannot be read as a table of pairs ({why})") from None
    if table.empty:
        raise InputError(f"{name}: has a header line and no pairs")
    true, mapped = _column(header, REFERENCE_WORDS), _column(header, PAIR_MAP_WORDS)
    label = _column(header, LABEL_WORDS)
    sides = [_codes(table.iloc[:, k], name) for k in (true, mapped)]
    labels = in_order([*sides[0].unique(), *sides[1].unique()])
    if len(labels) > MOST_CLASSES:
        raise InputError(f"{name}: names {len(labels)} different classes; at most {MOST_CLASSES} "
                         "are judged")
    matrix = confusion_from_labels(sides[1], sides[0], labels)
    ignored = [c for k, c in enumerate(table.columns) if k not in (true, mapped, label)]
    notes = [f"Columns not used: {', '.join(ignored)}."] if ignored else []
    judged = judged_matrix(matrix, f"pairs of classes, {len(table)} lines", notes)
    if label is None:
        return judged
    return judged.renamed(_names_in_column(sides[0], table.iloc[:, label], labels, name), name)


def _codes(column: pd.Series, name: str) -> pd.Series:
    codes = column.str.strip()
    plain = {cell: plain_label(cell) for cell in codes.unique()}
    if "" in plain:
        line = int(np.argmax(codes == "")) + 1
        raise InputError(f"{name}, column {column.name}: pair {line} has no class; every pair "
                         "needs a true and a predicted class")
    return codes.map(plain)


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
    known = dict(zip(pairs.code, pairs["name"], strict=True))
    return {label: known.get(label, label) for label in labels}


def _binary(path: Path, cells: list[list[str]]) -> Judged:
    """TP, TN, FP, FN in the first column (in any order, under a header line of classes or not)."""
    name = path.name
    kinds = [line[0].upper() for line in cells]
    check_labels([k for k in kinds if k in BINARY], f"{name}, TP/TN/FP/FN")
    others = [line for kind, line in zip(kinds, cells, strict=True) if kind not in BINARY]
    if len(others) > 1:
        raise InputError(f"{name}: besides TP, TN, FP and FN there are {others[0][0]!r} and "
                         f"{others[1][0]!r}; only one line or column may name the classes")
    width = len(cells[0]) - 1
    labels = ([plain_label(cell) for cell in others[0][1:]] if others
              else [str(i + 1) for i in range(width)])
    if width < 1:
        raise InputError(f"{name}: has TP, TN, FP and FN but no counts")
    check_labels(labels, name)
    lines = [cells[kinds.index(kind)][1:] for kind in BINARY]
    numbers = pd.DataFrame(counts(lines, labels, BINARY, name), index=list(BINARY), columns=labels)
    return judged_counts(numbers.T, name)
