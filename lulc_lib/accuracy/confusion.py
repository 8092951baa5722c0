"""Count pairs of map and reference classes; state which way round a matrix is.

A confusion matrix has the map in its rows and the reference in its columns, and its axes say so.
Matrices of tools with the reference in the rows are turned here, at the edge; everything else calls
``check_confusion``, which refuses a matrix that does not state its orientation.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lulc_lib import legend
from lulc_lib.errors import InputError

ROWS, COLUMNS = "map_class", "reference_class"
TOTALS = ("sum", "sums", "total", "totals")
"""Names of a row or column of totals in a written matrix."""

LARGEST_COUNT = 2**53
"""Cells are below it: up to here sums in double precision are exact."""

BLOCK = 1 << 19
"""Pixels counted at a time: their pairs (512 KB) stay in the processor's cache."""


def confusion_matrix(map_codes: ArrayLike, reference_codes: ArrayLike) -> pd.DataFrame:
    """Count the pixels of every pair of map class and reference class, in one pass.

    Pixels whose reference is NO_DATA are not assessed. An assessed pixel that the map leaves
    NO_DATA counts, in a row of its own: an unclassified pixel is an error, not one to forget.

    Parameters
    ----------
    map_codes, reference_codes : array, one shape, legend codes
        numpy, masked (a masked pixel is NO_DATA), xarray, or dask (bare or in xarray), which is
        counted chunk by chunk with only a few chunks in memory.

    Returns
    -------
    DataFrame, square, int64
        Rows map_class, columns reference_class, over the whole legend (and NO_DATA if the map has
        it), so that a class absent from either side stays visible.

    Raises
    ------
    InputError
        Shapes differ, a value is no legend code, or no pixel has a reference.
    """
    chunked = _is_dask(map_codes) or _is_dask(reference_codes)
    shapes = np.shape(map_codes), np.shape(reference_codes)
    if shapes[0] != shapes[1]:
        raise InputError(f"map is {shapes[0]}, reference {shapes[1]}; they must be one grid")
    counts = (_count_chunked if chunked else _count_codes)(map_codes, reference_codes)
    counts[:, 0] = 0  # no reference: not assessed
    if not counts.any():
        raise InputError("no pixel has a reference class; there is nothing to assess")
    labels = [legend.NO_DATA, *legend.CODES]
    first = 0 if counts[0].any() else 1
    return as_confusion(counts[first:, first:], labels[first:])


def confusion_from_labels(map_labels: ArrayLike, reference_labels: ArrayLike,
                          labels: Sequence[Hashable] | None = None) -> pd.DataFrame:
    """Count the pairs of any two lists of labels (words or numbers), not only legend codes.

    Parameters
    ----------
    map_labels, reference_labels : sequence, one shape
        Labels without missing values.
    labels : sequence, optional
        The classes of both axes, in order; one that occurs in neither list stays visible. None:
        the labels that occur, sorted.

    Raises
    ------
    InputError
        Lengths differ, nothing is given, a label is missing or not among ``labels``.

    Examples
    --------
    >>> confusion_from_labels(["a", "b", "b"], ["a", "a", "b"]).to_numpy().tolist()
    [[1, 0], [1, 1]]
    """
    rows, columns = plain_array(map_labels), plain_array(reference_labels)
    if rows.shape != columns.shape:
        raise InputError(f"map is {rows.shape}, reference {columns.shape}; they must be one grid")
    if rows.size == 0:
        raise InputError("no pair of labels is given; there is nothing to assess")
    if rows.dtype == columns.dtype == np.uint8:
        table = _count_bytes(rows, columns)
        seen = np.flatnonzero(table.any(axis=0) | table.any(axis=1))
        counts, present = table[np.ix_(seen, seen)], seen.tolist()
    else:
        counts, present = _count_labels(rows, columns)
    order = _distinct(present if labels is None else labels)
    foreign = [v for v in present if v not in order]
    if foreign:
        raise InputError(f"{', '.join(map(repr, foreign[:5]))} occurs in the data but not among "
                         f"the classes {', '.join(map(repr, order))}")
    named = as_confusion(counts, present)
    return as_confusion(named.reindex(index=order, columns=order, fill_value=0), order)


def confusion_by_group(map_codes: ArrayLike, reference_codes: ArrayLike, groups: ArrayLike
                       ) -> tuple[NDArray[np.int64], list[int]]:
    """Count one confusion matrix per group of pixels (per reference polygon, say).

    Parameters
    ----------
    map_codes, reference_codes, groups : array, one shape
        Legend codes (see :func:`confusion_matrix`), and group numbers; 0 is outside every group.

    Returns
    -------
    array, shape (group, map class, reference class), int64
        Groups in ascending order, without empty ones.
    list of int
        Labels of both class axes: NO_DATA, then the legend's codes.

    Raises
    ------
    InputError
        Shapes differ, an assessed value is no legend code, or no assessed pixel lies in a group.
    """
    rows, columns, numbers = (plain_array(v) for v in (map_codes, reference_codes, groups))
    if not rows.shape == columns.shape == numbers.shape:
        raise InputError(f"map is {rows.shape}, reference {columns.shape}, groups {numbers.shape}; "
                         "they must be one grid")
    assessed = (columns != legend.NO_DATA) & (numbers != 0)
    if not assessed.any():
        raise InputError("no pixel with a reference class lies in a group; nothing to assess")
    numbers, group = np.unique(numbers[assessed], return_inverse=True)
    rows = legend.check_codes(rows[assessed], "the map").astype(np.int64)
    columns = legend.check_codes(columns[assessed], "the reference")
    size = len(legend.CODES) + 1
    flat = (group * size + rows) * size + columns
    counts = np.bincount(flat, minlength=numbers.size * size * size)
    return counts.reshape(numbers.size, size, size), [legend.NO_DATA, *legend.CODES]


def as_confusion(counts: ArrayLike, labels: Sequence[Hashable]) -> pd.DataFrame:
    """Name the axes of counts (map class, reference class), with one label per class.

    Raises
    ------
    InputError
        Not square, not one label per class, a label twice, or a cell that is no count.
    """
    labels = _distinct(labels)
    values = np.asarray(counts)
    if values.shape != (len(labels), len(labels)):
        raise InputError(f"the matrix is {values.shape} and there are {len(labels)} labels; it "
                         "must be square with one label per class")
    if values.dtype.kind not in "uif" or not (values == np.floor(values)).all():
        raise InputError("the matrix holds cells that are no whole numbers; it must hold counts, "
                         "not shares")
    _check_counts(values)
    return pd.DataFrame(values.astype(np.int64), index=pd.Index(labels, name=ROWS),
                        columns=pd.Index(labels, name=COLUMNS))


def check_confusion(matrix: pd.DataFrame) -> NDArray[np.float64]:
    """Return the counts (map, reference) after checking that the axes are the right way round.

    Raises
    ------
    InputError
        The axes are not named (or swapped), not the same labels, or a count is negative.
    """
    if not isinstance(matrix, pd.DataFrame):
        raise InputError(f"the matrix is a bare {type(matrix).__name__}, which does not state its "
                         "orientation; use as_confusion (map in rows) or from_reference_rows "
                         "(reference in rows)")
    names = (matrix.index.name, matrix.columns.name)
    if names != (ROWS, COLUMNS):
        raise InputError(f"the matrix's axes are named {names}; rows must be {ROWS!r} and columns "
                         f"{COLUMNS!r} (transpose a matrix with the reference in its rows, or use "
                         "from_reference_rows)")
    if list(matrix.index) != list(matrix.columns):
        raise InputError("the matrix's rows and columns must name the same classes in one order")
    counts = matrix.to_numpy(dtype=np.float64)
    _check_counts(counts)
    return counts


def from_reference_rows(counts: ArrayLike, labels: Sequence[Hashable] | None = None
                        ) -> pd.DataFrame:
    """Turn a matrix with the reference in its rows and the map in its columns.

    A DataFrame brings its own labels and need not be square: a class that one axis lacks becomes an
    empty row or column. ``labels`` gives the classes in order.

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
    named = dict.fromkeys([*_distinct(counts.index), *_distinct(counts.columns)])
    order = _distinct(named if labels is None else labels)
    foreign = [v for v in named if v not in order]
    if foreign:
        raise InputError(f"the matrix counts {foreign[0]!r}, which is not among the classes given")
    return as_confusion(counts.T.reindex(index=order, columns=order, fill_value=0), order)


def from_sklearn(counts: ArrayLike, labels: Sequence[Hashable]) -> pd.DataFrame:
    """Turn ``sklearn.metrics.confusion_matrix(reference, map, labels=labels)``.

    Source: scikit-learn's documentation, "C_ij is known to be in group i and predicted in j".
    """
    return from_reference_rows(counts, labels)


def from_earth_engine(counts: ArrayLike, labels: Sequence[int] | None = None) -> pd.DataFrame:
    """Turn an ``ee.ConfusionMatrix`` array: rows the actual class, axes 0 … highest value.

    Parameters
    ----------
    counts : array, square
        What ``getInfo()`` of the matrix gives. (A matrix made with ``order=`` has that order
        instead of 0 … highest value: use :func:`from_reference_rows` with it.)
    labels : sequence of int, optional
        The classes to keep; None: the legend's codes. Other numbers (0, say) are gaps of Earth
        Engine's numbering and dropped, if nothing is counted there.

    Raises
    ------
    InputError
        A number that is no class has counts.
    """
    labels = list(legend.CODES) if labels is None else _distinct(labels)
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
    """Turn a labelled matrix of accuracy_checker: rows the true class, with or without its sums.

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


def plain_array(values: ArrayLike) -> NDArray[np.generic]:
    """Return the values as a numpy array in which a masked pixel is NO_DATA."""
    if isinstance(values, np.ma.MaskedArray):
        return values.filled(legend.NO_DATA)
    return np.asarray(values)


def _check_counts(values: NDArray[np.number]) -> None:
    if values.max(initial=0) >= LARGEST_COUNT:
        raise InputError(f"the matrix holds {values.max():g}; a count is below 2^53")
    if not (values >= 0).all():
        raise InputError(f"the matrix holds {values.min():.0f}; counts cannot be negative")


def _is_total(label: Any) -> bool:
    return str(label).strip().lower() in TOTALS


def _distinct(labels: Any) -> list[Hashable]:
    labels = list(labels)
    if len(set(labels)) != len(labels):
        twice = next(v for v in labels if labels.count(v) > 1)
        raise InputError(f"the label {twice!r} comes twice; every class must have its own")
    return labels


def _is_dask(values: Any) -> bool:
    """Whether the values are a dask array, bare or inside an xarray object (imports nothing)."""
    return type(getattr(values, "data", values)).__module__.startswith("dask.")


def _count_bytes(rows: NDArray[np.generic], columns: NDArray[np.generic],
                 names: tuple[str, str] = ("", "")) -> NDArray[np.int64]:
    """Joint histogram of two arrays of one shape: (256, 256) int64, [row value, column value].

    uint8 is counted as it is; other types are first checked and turned into legend codes, block by
    block, so that no copy of a whole array is made. ``names`` say what is wrong in an error.
    """
    counts, twos = np.zeros((2, 256, 256), dtype=np.int64)
    for row, column in _blocks(rows, columns):
        row, column = _as_bytes(row, names[0]), _as_bytes(column, names[1])
        even = row.size - row.size % 8
        if max(row[:even].max(initial=0), column[:even].max(initial=0)) < 16:
            high, low = (np.ascontiguousarray(v[:even]).view(np.uint64) for v in (row, column))
            words = high << np.uint64(4)  # half a byte each, and then two pixels at a time
            words |= low
            twos += np.bincount(words.view(np.uint16), minlength=twos.size).reshape(256, 256)
            row, column = row[even:], column[even:]
        if row.size:
            pair = row.astype(np.uint16) << 8 | column
            counts += np.bincount(pair, minlength=counts.size).reshape(256, 256)
    counts[:16, :16] += (twos.sum(axis=0) + twos.sum(axis=1)).reshape(16, 16)
    return counts


def _as_bytes(block: NDArray[np.generic], name: str) -> NDArray[np.uint8]:
    return block if block.dtype == np.uint8 else legend.check_codes(block, name)


def _blocks(rows: NDArray[np.generic], columns: NDArray[np.generic]
            ) -> Iterator[tuple[NDArray[np.generic], NDArray[np.generic]]]:
    """Cut two arrays of one shape into matching flat pieces, without a copy of a whole array."""
    if rows.ndim > 1 and not (rows.flags.c_contiguous and columns.flags.c_contiguous):
        step = max(1, BLOCK * len(rows) // max(rows.size, 1))
        for start in range(0, len(rows), step):
            yield rows[start:start + step].ravel(), columns[start:start + step].ravel()
        return
    rows, columns = rows.reshape(-1), columns.reshape(-1)
    for start in range(0, rows.size, BLOCK):
        yield rows[start:start + BLOCK], columns[start:start + BLOCK]


def _count_codes(map_codes: ArrayLike, reference_codes: ArrayLike) -> NDArray[np.int64]:
    """Pairs of legend codes: int64 counts, both axes NO_DATA and then the legend's codes."""
    names = ("the map", "the reference")
    counts = _count_bytes(plain_array(map_codes), plain_array(reference_codes), names)
    for axis, name in enumerate(names):
        legend.check_codes(np.flatnonzero(counts.any(axis=1 - axis)), name)
    codes = [legend.NO_DATA, *legend.CODES]
    return counts[np.ix_(codes, codes)]


def _count_chunked(map_codes: Any, reference_codes: Any) -> NDArray[np.int64]:
    """Pairs of legend codes of dask arrays, chunk by chunk; no more than a few are in memory.

    One of the two may be an ordinary array; it is cut like the other. Arrays whose chunks differ
    are cut like the map.
    """
    import dask
    import dask.array as da

    rows, columns = (getattr(a, "data", a) if _is_dask(a) else a
                     for a in (map_codes, reference_codes))
    chunks = rows.chunks if _is_dask(rows) else columns.chunks

    def cut(values: Any) -> list[Any]:
        lazy = (values.rechunk(chunks) if _is_dask(values)
                else da.from_array(plain_array(values), chunks=chunks))
        return lazy.to_delayed().ravel().tolist()

    parts = [dask.delayed(_count_codes)(*pair) for pair in zip(cut(rows), cut(columns),
                                                               strict=True)]
    size = len(legend.CODES) + 1
    return sum(dask.compute(*parts), start=np.zeros((size, size), dtype=np.int64))


def _count_labels(rows: NDArray[np.generic], columns: NDArray[np.generic]
                  ) -> tuple[NDArray[np.int64], list[Hashable]]:
    """Count (row, column) over the labels that occur, and sort those, numbers before words."""
    values = pd.Series(np.concatenate([rows.ravel(), columns.ravel()]))
    if values.isna().any():
        side = "map" if pd.isna(rows.ravel()).any() else "reference"
        raise InputError(f"the {side} has {int(values.isna().sum())} missing label(s); every pair "
                         "needs both")
    if values.dtype.kind == "f" and (values == values.round()).all():
        values = values.astype(np.int64)
    code, names = pd.factorize(values)
    names = names.tolist()
    order = sorted(range(len(names)), key=lambda k: (isinstance(names[k], str), names[k]))
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    code = place[code]
    flat = code[:rows.size] * len(names) + code[rows.size:]
    counts = np.bincount(flat, minlength=len(names) ** 2).reshape(len(names), len(names))
    return counts, [names[k] for k in order]
