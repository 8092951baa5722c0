"""The confusion matrix: rows are the map, columns the reference, and both axes say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lulc_lib import legend
from lulc_lib.errors import InputError

ROWS, COLUMNS = "map_class", "reference_class"


def confusion_matrix(map_codes: ArrayLike, reference_codes: ArrayLike) -> pd.DataFrame:
    """Count the pixels of every pair of map class and reference class, in one pass.

    Parameters
    ----------
    map_codes, reference_codes : arrays of one shape, legend codes. Pixels whose reference is
        NO_DATA are not judged. A judged pixel that the map leaves NO_DATA counts, in a row of its
        own: an unclassified pixel is an error, not a pixel to forget.

    Returns
    -------
    Square int64 table, ``index.name`` = map_class, ``columns.name`` = reference_class, over the
    whole legend (and NO_DATA if the map has it), so a class absent from either side stays visible.

    Raises
    ------
    InputError
        Shapes differ, a value is no legend code, or no pixel has a reference.
    """
    rows, columns = np.asarray(map_codes), np.asarray(reference_codes)
    if rows.shape != columns.shape:
        raise InputError(f"map is {rows.shape}, reference {columns.shape}; they must be one grid")
    rows = legend.check_codes(rows, "the map")
    columns = legend.check_codes(columns, "the reference")
    judged = columns != legend.NO_DATA
    if not judged.any():
        raise InputError("no pixel has a reference class; there is nothing to judge")
    labels = list(legend.CODES)
    if (rows[judged] == legend.NO_DATA).any():
        labels = [legend.NO_DATA, *labels]
    counts = _count(rows[judged], columns[judged], len(legend.CODES) + 1)
    return as_confusion(counts[np.ix_(labels, labels)], labels)


def confusion_by_group(
    map_codes: ArrayLike, reference_codes: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.int64], list[int]]:
    """One confusion matrix per group of pixels (per reference polygon, say).

    Parameters
    ----------
    map_codes, reference_codes : arrays of one shape, legend codes (see :func:`confusion_matrix`).
    groups : integers of the same shape; 0 is outside every group and not counted.

    Returns
    -------
    (group, map class, reference class) int64 counts, groups in ascending order, without empty
    groups; and the labels of both class axes: NO_DATA, then the legend's codes.
    """
    judged = (np.asarray(reference_codes) != legend.NO_DATA) & (np.asarray(groups) != 0)
    if not judged.any():
        raise InputError("no pixel with a reference class lies in a group; nothing to judge")
    numbers, group = np.unique(np.asarray(groups)[judged], return_inverse=True)
    rows = legend.check_codes(np.asarray(map_codes)[judged], "the map").astype(np.int64)
    columns = legend.check_codes(np.asarray(reference_codes)[judged], "the reference")
    size = len(legend.CODES) + 1
    flat = (group * size + rows) * size + columns
    counts = np.bincount(flat, minlength=numbers.size * size * size)
    return counts.reshape(numbers.size, size, size), [legend.NO_DATA, *legend.CODES]


def as_confusion(counts: ArrayLike, labels: Sequence[int]) -> pd.DataFrame:
    """Counts (map row, reference column) as a confusion matrix with named axes."""
    index = pd.Index(labels, name=ROWS)
    return pd.DataFrame(np.asarray(counts, dtype=np.int64), index=index,
                        columns=pd.Index(labels, name=COLUMNS))


def check_confusion(matrix: pd.DataFrame) -> NDArray[np.float64]:
    """The counts as (map, reference) float64, after checking that the axes are the right way round.

    Raises
    ------
    InputError
        The axes are not named (or swapped), not the same labels, or a count is negative.
    """
    names = (matrix.index.name, matrix.columns.name)
    if names != (ROWS, COLUMNS):
        raise InputError(
            f"the matrix's axes are named {names}; rows must be {ROWS!r} and columns {COLUMNS!r} "
            "(transpose a matrix with the reference in its rows)"
        )
    if list(matrix.index) != list(matrix.columns):
        raise InputError("the matrix's rows and columns must name the same classes in one order")
    counts = matrix.to_numpy(dtype=np.float64)
    if (counts < 0).any():
        raise InputError(f"the matrix holds {counts.min():.0f}; counts cannot be negative")
    return counts


def _count(rows: NDArray[np.uint8], columns: NDArray[np.uint8], size: int) -> NDArray[np.int64]:
    flat = rows.astype(np.int64) * size + columns
    return np.bincount(flat, minlength=size * size).reshape(size, size)
