"""Counting pairs of codes: joint histograms in blocks that fit the processor's cache."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lulc_lib import legend
from lulc_lib.errors import InputError

BLOCK = 1 << 18
"""Pixels counted at a time: their 16-bit pairs (512 KB) stay in the cache."""


def plain_array(values: ArrayLike) -> NDArray[np.generic]:
    """The values as a numpy array; a masked pixel becomes NO_DATA."""
    if isinstance(values, np.ma.MaskedArray):
        return values.filled(legend.NO_DATA)
    return np.asarray(values)


def is_dask(values: Any) -> bool:
    """Whether the values are a dask array, bare or inside an xarray object (imports nothing)."""
    return type(getattr(values, "data", values)).__module__.startswith("dask.")


def count_bytes(
    rows: NDArray[np.generic], columns: NDArray[np.generic], names: tuple[str, str] = ("", "")
) -> NDArray[np.int64]:
    """Joint histogram of two arrays of one shape: (256, 256) int64, [row value, column value].

    uint8 is counted as it is; other types are first checked and turned into legend codes, block by
    block, so that no copy of a whole array is made. ``names`` say what is wrong in an error.
    """
    counts = np.zeros(1 << 16, dtype=np.int64)
    for row, column in _blocks(rows, columns):
        pair = _as_bytes(row, names[0]).astype(np.uint16)
        pair <<= 8
        pair |= _as_bytes(column, names[1])
        counts += np.bincount(pair, minlength=counts.size)
    return counts.reshape(256, 256)


def count_codes(map_codes: ArrayLike, reference_codes: ArrayLike) -> NDArray[np.int64]:
    """Pairs of legend codes: int64 counts, both axes NO_DATA and then the legend's codes.

    Raises
    ------
    InputError
        A value is neither NO_DATA nor a code of the legend.
    """
    names = ("the map", "the reference")
    counts = count_bytes(plain_array(map_codes), plain_array(reference_codes), names)
    for axis, name in enumerate(names):
        seen = np.flatnonzero(counts.any(axis=1 - axis))
        legend.check_codes(seen, name)
    codes = [legend.NO_DATA, *legend.CODES]
    return counts[np.ix_(codes, codes)]


def count_labels(
    rows: NDArray[np.generic], columns: NDArray[np.generic]
) -> tuple[NDArray[np.int64], list[Hashable]]:
    """Counts (row, column) over the labels that occur, and those labels, numbers before words.

    Raises
    ------
    InputError
        A label is missing.
    """
    values = pd.Series(np.concatenate([rows.ravel(), columns.ravel()]))
    if values.isna().any():
        side = "map" if pd.isna(rows.ravel()).any() else "reference"
        raise InputError(f"the {side} has {int(values.isna().sum())} missing label(s); every pair "
                         "needs both")
    if values.dtype.kind == "f" and (values == values.round()).all():
        values = values.astype(np.int64)
    code, found = pd.factorize(values)
    names = found.tolist()
    order = sorted(range(len(names)), key=lambda k: (isinstance(names[k], str), names[k]))
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    code = place[code]
    flat = code[:rows.size] * len(names) + code[rows.size:]
    counts = np.bincount(flat, minlength=len(names) ** 2).reshape(len(names), len(names))
    return counts, [names[k] for k in order]


def count_chunked(map_codes: Any, reference_codes: Any) -> NDArray[np.int64]:
    """:func:`count_codes` of dask arrays, chunk by chunk; no more than a few are in memory.

    One of the two may be an ordinary array; it is cut like the other. Arrays whose chunks differ
    are cut like the map.
    """
    import dask
    import dask.array as da

    rows, columns = (getattr(a, "data", a) if is_dask(a) else a
                     for a in (map_codes, reference_codes))
    chunks = rows.chunks if is_dask(rows) else columns.chunks
    pairs = zip(*(_cut(a, chunks, da) for a in (rows, columns)), strict=True)
    parts = [dask.delayed(count_codes)(row, column) for row, column in pairs]
    size = len(legend.CODES) + 1
    return sum(dask.compute(*parts), start=np.zeros((size, size), dtype=np.int64))


def _cut(values: Any, chunks: tuple[tuple[int, ...], ...], da: Any) -> list[Any]:
    """The chunks as delayed blocks, in one order."""
    if is_dask(values):
        return values.rechunk(chunks).to_delayed().ravel().tolist()
    return da.from_array(plain_array(values), chunks=chunks).to_delayed().ravel().tolist()


def _as_bytes(block: NDArray[np.generic], name: str) -> NDArray[np.uint8]:
    return block if block.dtype == np.uint8 else legend.check_codes(block, name)


def _blocks(
    rows: NDArray[np.generic], columns: NDArray[np.generic]
) -> Iterator[tuple[NDArray[np.generic], NDArray[np.generic]]]:
    """Matching flat pieces of two arrays of one shape, without a copy of a whole array."""
    if rows.shape != columns.shape:
        raise InputError(f"map is {rows.shape}, reference {columns.shape}; they must be one grid")
    if rows.ndim > 1 and not (rows.flags.c_contiguous and columns.flags.c_contiguous):
        step = max(1, BLOCK * len(rows) // max(rows.size, 1))
        for start in range(0, len(rows), step):
            yield rows[start:start + step].ravel(), columns[start:start + step].ravel()
        return
    rows, columns = rows.reshape(-1), columns.reshape(-1)
    for start in range(0, rows.size, BLOCK):
        yield rows[start:start + BLOCK], columns[start:start + BLOCK]
