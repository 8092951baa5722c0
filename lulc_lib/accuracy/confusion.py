"""The confusion matrix: rows are the map, columns the reference, and both axes say so.

Counting is here; what a matrix must look like, and matrices of other tools, in ``orientation``,
whose names can be imported from here too.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lulc_lib import legend
from lulc_lib.accuracy.counting import (
    count_bytes,
    count_chunked,
    count_codes,
    count_labels,
    is_dask,
    plain_array,
)
from lulc_lib.accuracy.orientation import (
    COLUMNS,
    ROWS,
    as_confusion,
    check_confusion,
    distinct,
    from_accuracy_checker,
    from_earth_engine,
    from_reference_rows,
    from_sklearn,
)
from lulc_lib.errors import InputError

__all__ = [
    "COLUMNS", "ROWS", "as_confusion", "check_confusion", "confusion_by_group",
    "confusion_from_labels", "confusion_matrix", "from_accuracy_checker", "from_earth_engine",
    "from_reference_rows", "from_sklearn",
]


def confusion_matrix(map_codes: ArrayLike, reference_codes: ArrayLike) -> pd.DataFrame:
    """Count the pixels of every pair of map class and reference class, in one pass.

    Parameters
    ----------
    map_codes, reference_codes : arrays of one shape, legend codes; numpy, masked (a masked pixel is
        NO_DATA), xarray, or dask (bare or in xarray), which is counted chunk by chunk with only a
        few chunks in memory. Pixels whose reference is NO_DATA are not judged. A judged pixel that
        the map leaves NO_DATA counts, in a row of its own: an unclassified pixel is an error, not
        a pixel to forget.

    Returns
    -------
    Square int64 table, ``index.name`` = map_class, ``columns.name`` = reference_class, over the
    whole legend (and NO_DATA if the map has it), so a class absent from either side stays visible.

    Raises
    ------
    InputError
        Shapes differ, a value is no legend code, or no pixel has a reference.
    """
    chunked = is_dask(map_codes) or is_dask(reference_codes)
    shapes = np.shape(map_codes), np.shape(reference_codes)
    if shapes[0] != shapes[1]:
        raise InputError(f"map is {shapes[0]}, reference {shapes[1]}; they must be one grid")
    count = count_chunked if chunked else count_codes
    counts = count(map_codes, reference_codes)
    counts[:, 0] = 0  # no reference: not judged
    if not counts.any():
        raise InputError("no pixel has a reference class; there is nothing to judge")
    labels = [legend.NO_DATA, *legend.CODES]
    first = 0 if counts[0].any() else 1
    return as_confusion(counts[first:, first:], labels[first:])


def confusion_from_labels(
    map_labels: ArrayLike,
    reference_labels: ArrayLike,
    labels: Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    """Count the pairs of any two lists of labels (words or numbers), not only legend codes.

    Parameters
    ----------
    map_labels, reference_labels : sequences of one shape without missing values.
    labels : the classes of both axes, in order; a class that occurs in neither list stays visible
        as an empty row and column. None: the labels that occur, sorted.

    Returns
    -------
    Square int64 table, rows map_class, columns reference_class.

    Raises
    ------
    InputError
        Lengths differ, nothing is given, a label is missing or not among ``labels``.

    >>> confusion_from_labels(["a", "b", "b"], ["a", "a", "b"]).to_numpy().tolist()
    [[1, 0], [1, 1]]
    """
    rows, columns = plain_array(map_labels), plain_array(reference_labels)
    if rows.shape != columns.shape:
        raise InputError(f"map is {rows.shape}, reference {columns.shape}; they must be one grid")
    if rows.size == 0:
        raise InputError("no pair of labels is given; there is nothing to judge")
    if rows.dtype == columns.dtype == np.uint8:
        table = count_bytes(rows, columns)
        seen = np.flatnonzero(table.any(axis=0) | table.any(axis=1))
        counts, found = table[np.ix_(seen, seen)], seen.tolist()
    else:
        counts, found = count_labels(rows, columns)
    order = distinct(found if labels is None else labels)
    foreign = [v for v in found if v not in order]
    if foreign:
        raise InputError(f"{', '.join(map(repr, foreign[:5]))} occurs in the data but not among "
                         f"the classes {', '.join(map(repr, order))}")
    named = as_confusion(counts, found)
    return as_confusion(named.reindex(index=order, columns=order, fill_value=0), order)


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

    Raises
    ------
    InputError
        Shapes differ, a judged value is no legend code, or no judged pixel lies in a group.
    """
    rows, columns, numbers = (plain_array(v) for v in (map_codes, reference_codes, groups))
    if not rows.shape == columns.shape == numbers.shape:
        raise InputError(f"map is {rows.shape}, reference {columns.shape}, groups {numbers.shape}; "
                         "they must be one grid")
    judged = (columns != legend.NO_DATA) & (numbers != 0)
    if not judged.any():
        raise InputError("no pixel with a reference class lies in a group; nothing to judge")
    numbers, group = np.unique(numbers[judged], return_inverse=True)
    rows = legend.check_codes(rows[judged], "the map").astype(np.int64)
    columns = legend.check_codes(columns[judged], "the reference")
    size = len(legend.CODES) + 1
    flat = (group * size + rows) * size + columns
    counts = np.bincount(flat, minlength=numbers.size * size * size)
    return counts.reshape(numbers.size, size, size), [legend.NO_DATA, *legend.CODES]
