"""Label propagation: labels of land that stays what it is hold on every date."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lulc_lib import legend


def grid_key(grid: xr.DataArray) -> tuple[str, bytes, bytes]:
    """Return what arrays (y, x) on the same grid have in common: CRS and coordinates."""
    return str(grid.rio.crs), grid.x.values.tobytes(), grid.y.values.tobytes()


def agreed_labels(stack: NDArray[np.uint8], wanted: Sequence[int]) -> NDArray[np.uint8]:
    """Return (date, row, col) codes of one grid with the ``wanted`` ones on every date.

    Where dates disagree, or another class was labelled, nothing changes.
    """
    highest = stack.max(axis=0)
    agreed = np.all((stack == legend.NO_DATA) | (stack == highest), axis=0)
    return np.where(agreed & np.isin(highest, wanted), highest, stack)


def propagate_labels(codes: Sequence[NDArray[np.uint8]], grids: Sequence[xr.DataArray],
                     classes: Sequence[str]) -> list[NDArray[np.uint8]]:
    """Give labels of some classes also to the dates on which a place was not labelled.

    A pixel that is labelled road on one date is road on every date of the same grid on which it
    has no label, unless two dates disagree about it. A date then teaches its own look of all the
    land whose class is settled, not only of what happened to be drawn on it.

    Parameters
    ----------
    codes : sequence of array, (row, col) uint8 legend codes
        Labels to train with, one per scene, NO_DATA where unlabelled.
    grids : sequence of DataArray, (y, x) with CRS
        On the same grids; only scenes on one grid share labels.
    classes : sequence of str
        Keys of the classes to propagate (``legend.BY_KEY``); none changes nothing.

    Returns
    -------
    list of array
        New arrays like ``codes``.

    Examples
    --------
    >>> from lulc_lib.legend import code
    >>> grid = xr.DataArray([[0, 0]], coords={"y": [5], "x": [5, 15]}).rio.write_crs(32633)
    >>> june = np.array([[code("road"), code("water")]], dtype=np.uint8)
    >>> [m.tolist() for m in propagate_labels([june, june * 0], [grid, grid], ["road"])]
    [[[7, 8]], [[7, 0]]]
    """
    out = [c.copy() for c in codes]
    wanted = [legend.code(key) for key in classes]
    groups: dict[tuple[str, bytes, bytes], list[int]] = {}
    for number, grid in enumerate(grids):
        groups.setdefault(grid_key(grid), []).append(number)
    for members in groups.values():
        for i, found in zip(members, agreed_labels(np.stack([codes[i] for i in members]), wanted),
                            strict=True):
            out[i] = found
    return out
