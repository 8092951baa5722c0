"""Which way round a confusion matrix is: rows the map, columns the reference, axes named.

scikit-learn, Earth Engine and accuracy_checker put the reference in the rows. Their matrices are
turned here, at the edge, by ``from_sklearn``, ``from_earth_engine``, ``from_accuracy_checker`` or,
for any other, ``from_reference_rows``. Past this module there is one orientation, and
``check_confusion`` refuses a matrix that does not state it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lulc_lib import legend
from lulc_lib.errors import InputError

ROWS, COLUMNS = "map_class", "reference_class"
TOTALS = ("sum", "sums", "total", "totals")
"""Names of a row or column of totals in a written matrix."""


def as_confusion(counts: ArrayLike, labels: Sequence[Hashable]) -> pd.DataFrame:
    """Counts (map row, reference column) as a confusion matrix with named axes.

    Raises
    ------
    InputError
        Not square, not one label per class, a label twice, or a cell that is no count.
    """
    labels = distinct(labels)
    values = np.asarray(counts)
    if values.shape != (len(labels), len(labels)):
        raise InputError(f"the matrix is {values.shape} and there are {len(labels)} labels; it "
                         "must be square with one label per class")
    if values.dtype.kind not in "uif" or not (values == np.floor(values)).all():
        raise InputError("the matrix holds cells that are no whole numbers; it must hold counts, "
                         "not shares")
    if (values < 0).any():
        raise InputError(f"the matrix holds {values.min():.0f}; counts cannot be negative")
    return pd.DataFrame(values.astype(np.int64), index=pd.Index(labels, name=ROWS),
                        columns=pd.Index(labels, name=COLUMNS))


def check_confusion(matrix: pd.DataFrame) -> NDArray[np.float64]:
    """The counts as (map, reference) float64, after checking that the axes are the right way round.

    Raises
    ------
    InputError
        The axes are not named (or swapped), not the same labels, or a count is negative.
    """
    if not isinstance(matrix, pd.DataFrame):
        raise InputError(
            f"the matrix is a bare {type(matrix).__name__}, which does not state its orientation; "
            "use as_confusion (map in rows) or from_reference_rows (reference in rows)"
        )
    names = (matrix.index.name, matrix.columns.name)
    if names != (ROWS, COLUMNS):
        raise InputError(
            f"the matrix's axes are named {names}; rows must be {ROWS!r} and columns {COLUMNS!r} "
            "(transpose a matrix with the reference in its rows, or use from_reference_rows)"
        )
    if list(matrix.index) != list(matrix.columns):
        raise InputError("the matrix's rows and columns must name the same classes in one order")
    counts = matrix.to_numpy(dtype=np.float64)
    if not (counts >= 0).all():
        raise InputError(f"the matrix holds {counts.min():.0f}; counts cannot be negative")
    return counts


def from_reference_rows(
    counts: ArrayLike, labels: Sequence[Hashable] | None = None
) -> pd.DataFrame:
    """A matrix with the reference in its rows and the map in its columns, turned.

    Parameters
    ----------
    counts : (reference class, map class) counts, bare or a DataFrame with its own labels. A
        DataFrame need not be square: a class that one axis lacks becomes an empty row or column.
    labels : the classes in order; may be left out for a DataFrame.

    Raises
    ------
    InputError
        A DataFrame whose axes say that the map is in the rows, or see :func:`as_confusion`.
    """
    if not isinstance(counts, pd.DataFrame):
        if labels is None:
            raise InputError("a bare matrix does not say which classes it counts; give labels")
        return as_confusion(np.asarray(counts).T, labels)
    if counts.index.name == ROWS or counts.columns.name == COLUMNS:
        raise InputError(f"the matrix's rows are named {counts.index.name!r}; it already has the "
                         "map in its rows and must not be turned")
    named = dict.fromkeys([*distinct(counts.index), *distinct(counts.columns)])
    order = distinct(named if labels is None else labels)
    foreign = [v for v in named if v not in order]
    if foreign:
        raise InputError(f"the matrix counts {foreign[0]!r}, which is not among the classes given")
    return as_confusion(counts.T.reindex(index=order, columns=order, fill_value=0), order)


def from_sklearn(counts: ArrayLike, labels: Sequence[Hashable]) -> pd.DataFrame:
    """``sklearn.metrics.confusion_matrix(reference, map, labels=labels)`` (reference in rows).

    Source: scikit-learn's documentation, "C_ij is known to be in group i and predicted in j".
    """
    return from_reference_rows(counts, labels)


def from_earth_engine(
    counts: ArrayLike, labels: Sequence[int] | None = None
) -> pd.DataFrame:
    """An ``ee.ConfusionMatrix`` array: rows the actual class, axes 0 … highest value.

    Parameters
    ----------
    counts : what ``getInfo()`` of the matrix gives. (A matrix made with ``order=`` has that order
        instead of 0 … highest value: use :func:`from_reference_rows` with it.)
    labels : the classes to keep; None: the legend's codes. Numbers between and beyond them (0, say)
        are gaps of Earth Engine's numbering and dropped, if nothing is counted there. A class
        above the highest value is an empty row and column.

    Raises
    ------
    InputError
        A number that is no class has counts.
    """
    labels = list(legend.CODES) if labels is None else distinct(labels)
    values = np.asarray(counts)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise InputError(f"the matrix is {values.shape}; Earth Engine's must be square")
    numbers = list(range(len(values)))
    table = as_confusion(values.T, numbers)
    gaps = [k for k in numbers if k not in labels]
    lost = [k for k in gaps if table.loc[k].any() or table[k].any()]
    if lost:
        raise InputError(f"Earth Engine's matrix has counts under {lost[0]}, which is not among "
                         f"the classes {', '.join(map(str, labels))}")
    return as_confusion(table.reindex(index=labels, columns=labels, fill_value=0), labels)


def from_accuracy_checker(table: pd.DataFrame) -> pd.DataFrame:
    """A labelled matrix of accuracy_checker: rows the true class, with or without its sums.

    The row and column of totals (``sums``) are checked and left out; the table need not be square;
    labels that are whole numbers on both axes become integers.

    Raises
    ------
    InputError
        The totals are not the sums of their row or column, or see :func:`from_reference_rows`.

    Source: python-edu/accuracy_checker, "cross" and "full cross matrix".
    """
    body = table.loc[[not _is_total(v) for v in table.index],
                     [not _is_total(v) for v in table.columns]]
    for axis in (0, 1):
        whole = table.reindex(columns=body.columns) if axis == 0 else table.reindex(body.index).T
        for name in [v for v in whole.index if _is_total(v)]:
            sums = body.sum(axis=axis)
            wrong = sums.index[sums.to_numpy() != whole.loc[name].to_numpy()]
            if len(wrong):
                raise InputError(f"the {name} of class {wrong[0]!r} is "
                                 f"{whole.loc[name, wrong[0]]}; its cells make {sums[wrong[0]]}")
    names = [str(v) for v in [*body.index, *body.columns]]
    if all(v.strip().lstrip("-").isdigit() for v in names):
        body = body.set_axis([int(v) for v in body.index], axis=0)
        body = body.set_axis([int(v) for v in body.columns], axis=1)
    return from_reference_rows(body.rename_axis(index=None, columns=None))


def _is_total(label: Any) -> bool:
    return str(label).strip().lower() in TOTALS


def distinct(labels: Any) -> list[Hashable]:
    """The labels as a list, or an error if one comes twice."""
    labels = list(labels)
    if len(set(labels)) != len(labels):
        twice = next(v for v in labels if labels.count(v) > 1)
        raise InputError(f"the label {twice!r} comes twice; every class must have its own")
    return labels
