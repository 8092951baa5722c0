"""Places in a time series of labels: the field that changes, what training saw, windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from lulc_lib import legend
from lulc_lib.data.reference import on_grid
from lulc_lib.errors import InputError

NEVER, OTHER_CLASS, SAME_CLASS = 1, 2, 3
"""Values of :func:`seen_in_training`: how training saw a reference pixel."""


def nearest_region(inside: NDArray[np.bool_], region: NDArray[np.bool_], smallest: int = 20
                   ) -> NDArray[np.bool_]:
    """Return the region of ``inside`` nearest to ``region``, of at least ``smallest`` pixels.

    All are (row, col) bool arrays.

    Raises
    ------
    InputError
        No region is that large.
    """
    numbers, _ = ndimage.label(inside)
    large = 1 + np.flatnonzero(np.bincount(numbers.ravel())[1:] >= smallest)
    if not large.size:
        raise InputError(f"no region has {smallest} pixels or more")
    away = ndimage.distance_transform_edt(~region)
    nearest = np.asarray(ndimage.minimum(away, numbers, large))
    return numbers == large[int(nearest.argmin())]


def changing_field(labels: Mapping[str, xr.DataArray]) -> tuple[list[str], NDArray[np.bool_]]:
    """Find the largest field labelled growing crops, then bare soil, then growing crops again.

    Parameters
    ----------
    labels : mapping of str to DataArray, shape (y, x), uint8
        Date YYYY-MM-DD to legend codes, all on one grid.

    Returns
    -------
    dates, field : list of str, array of shape (row, col), bool
        The three dates in order, and where the field is.

    Raises
    ------
    InputError
        No field goes through these phases on any three of the dates.

    Source: Hejmanowska et al. 2025, Figure 4 (classes 9, 5 and again 9).
    """
    growing, bare = legend.code("crops_growing"), legend.code("bare_soil")
    fields = []
    for dates in combinations(sorted(labels), 3):
        first, second, third = (labels[d].values for d in dates)
        same = (first == growing) & (second == bare) & (third == growing)
        if same.any():
            numbers, _ = ndimage.label(same)
            largest = numbers == 1 + np.argmax(np.bincount(numbers.ravel())[1:])
            fields.append((list(dates), largest))
    if not fields:
        raise InputError(f"no field is labelled growing, bare, growing on any of {sorted(labels)}")
    return max(fields, key=lambda field: field[1].sum())


def window(grid: xr.DataArray, regions: Sequence[NDArray[np.bool_]], margin: float
           ) -> tuple[slice, slice]:
    """Return row and column slices of the box ``margin`` metres around regions on every side."""
    rows, cols = np.nonzero(np.logical_or.reduce(regions))
    extra = round(margin / abs(grid.rio.resolution()[0]))
    height, width = grid.shape[-2:]
    return (
        slice(max(int(rows.min()) - extra, 0), min(int(rows.max()) + extra + 1, height)),
        slice(max(int(cols.min()) - extra, 0), min(int(cols.max()) + extra + 1, width)))


def cut(array: xr.DataArray, box: tuple[slice, slice]) -> xr.DataArray:
    """Cut a (…, y, x) array to row and column slices, keeping CRS and a right transform."""
    part = array.isel(y=box[0], x=box[1])
    return part.rio.write_transform(part.rio.transform(recalc=True))


def seen_in_training(reference: xr.DataArray, labels: Sequence[xr.DataArray]) -> xr.DataArray:
    """Say how training saw each reference pixel: never, with another class only, or its class.

    Parameters
    ----------
    reference : DataArray, shape (y, x), uint8
        Legend codes, NO_DATA where there is no reference.
    labels : sequence of DataArray, shape (y, x), uint8
        Training labels on the same grid, one per date.

    Returns
    -------
    DataArray, shape (y, x), uint8
        :data:`NEVER`, :data:`OTHER_CLASS` or :data:`SAME_CLASS`; 0 without reference.
    """
    stack = np.stack([m.values for m in labels])
    out = np.select(
        [reference.values == legend.NO_DATA, (stack == reference.values).any(axis=0),
         (stack != legend.NO_DATA).any(axis=0)], [0, SAME_CLASS, OTHER_CLASS], NEVER)
    return on_grid(out.astype(np.uint8), reference)
