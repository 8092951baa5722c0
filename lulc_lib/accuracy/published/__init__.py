"""What the paper and its authors published about accuracy: Tables 7–20, quoted numbers, matrices.

Cells are text with their printed digits ("0.7270" is not "0.727"), so that rounding shows.
Source: Hejmanowska et al. 2025, Applied Sciences 15(17), 9785 (CC BY 4.0); ``index()`` names each
table's caption and section.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pandas as pd

from lulc_lib import legend
from lulc_lib.accuracy.assess.confusion_inputs import read_comparison
from lulc_lib.accuracy.confusion import as_confusion
from lulc_lib.errors import InputError

_FOLDER = Path(__file__).parent


def index() -> pd.DataFrame:
    """List each table's number, caption, section, rows of a matrix, site and classifier.

    ``about`` is the number of the table (matrix or per-class table) whose counts it summarises.
    """
    frame = _read("index.csv")
    return frame.set_index(frame.number.astype(int).rename("table")).drop(columns="number")


def table(number: int) -> pd.DataFrame:
    """Read one table (7 to 20) as printed, all cells text; one that the paper leaves empty is "".

    Rows as printed (index: class, classifier, or ``mean`` and ``overall``), columns in short names:
    tp, fp, fn, tn, acc, tnr, oa, pa, ua, f1; the classes of the other axis for a matrix.

    Examples
    --------
    >>> table(12).loc["mean", "oa"]
    '0.7270'
    """
    there = index().index
    if number not in there:
        raise InputError(f"table is {number!r}; it must be a number from {there[0]} to {there[-1]}")
    frame = _read(f"table_{number:02d}.csv")
    return frame.set_index(frame.columns[0])


def quoted() -> pd.DataFrame:
    """List numbers in the paper's sentences: section, subject, printed text, unit ("%" or "")."""
    frame = _read("quoted.csv")
    return frame.assign(about=frame.about.astype(int))


def training_scenes() -> pd.DataFrame:
    """List site and date (YYYYMMDD) of the U-Net's training scenes, as section 2.3.1 does."""
    return _read("training_scenes.csv")


def claims() -> pd.DataFrame:
    """List what the paper says in words, paraphrased: id (of its test), section, claim."""
    return _read("claims.csv")


def printed_matrix(number: int) -> pd.DataFrame:
    """Read a printed confusion matrix (Table 7, 9, 13 or 14): rows map_class, columns reference.

    Tables 7 and 9, which print the actual class in rows, are transposed here, once.

    Examples
    --------
    >>> int(printed_matrix(9).loc["C", "B"])  # mapped C, in the reference B
    10
    """
    return matrix_of(number, table(number))


def matrix_of(number: int, printed: pd.DataFrame) -> pd.DataFrame:
    """Read a matrix printed as table ``number`` (see :func:`table`) as counts with named axes."""
    rows = index().rows.get(number, "")
    if rows not in ("map", "reference"):
        raise InputError(f"table {number} is not a confusion matrix; those are 7, 9, 13 and 14")
    labels = [int(name) if name.isdigit() else name for name in printed.index]
    counts = printed.apply(lambda column: column.str.replace(",", "").astype("int64")).to_numpy()
    return as_confusion(counts if rows == "map" else counts.T, labels)


def released_matrix(number: int) -> pd.DataFrame:
    """Give Table 13 or 14 as the authors' repository has it: printed, but for differing cells.

    Source: github.com/bh-del/lulc_mining, ``accuracy_analysis/Confusion_matrix_*.csv``.
    """
    matrix = printed_matrix(number).copy()
    cells = _read("released_cells.csv").astype(int)
    for cell in cells[cells.table == number].itertuples():
        matrix.loc[cell.row, cell.column] = cell.released
    return matrix


def all_tables(changed: Mapping[int, pd.DataFrame] | None = None) -> dict[int, pd.DataFrame]:
    """Read every table by number; ``changed`` replaces some of them (to audit other numbers)."""
    return {n: table(n) for n in index().index} | dict(changed or {})


def read_published_matrix(path: Path | str) -> pd.DataFrame:
    """Read a released confusion matrix: counts with named axes over the classes that it lists.

    Raises
    ------
    InputError
        No such file, one that does not say what its rows are, or cells that are not counts.
    """
    matrix = read_comparison(path).matrix
    if matrix is None:
        raise InputError(f"{path}: holds no confusion matrix")
    codes = legend.check_codes(pd.to_numeric(matrix.index, errors="coerce"), Path(path).name)
    return as_confusion(matrix, codes.tolist())


@cache
def _text(name: str) -> pd.DataFrame:
    return pd.read_csv(_FOLDER / name, dtype=str, keep_default_na=False)


def _read(name: str) -> pd.DataFrame:
    return _text(name).copy()
