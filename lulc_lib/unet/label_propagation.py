"""Labels of land that stays what it is, carried over to the dates on which it was not labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lulc_lib import legend


def carried_over(
    codes: Sequence[NDArray[np.uint8]], grids: Sequence[xr.DataArray], classes: Sequence[str]
) -> list[NDArray[np.uint8]]:
    """Labels of every date, those of lasting classes also where only other dates have them.

    A pixel that is labelled road on one date is road on every date of the same grid on which it
    has no label, unless two dates disagree about it. A date then teaches its own look of all the
    land that is known, not only of what happened to be drawn on it.

    Parameters
    ----------
    codes : (row, col) uint8 legend codes to train with, one per scene, NO_DATA where unlabelled.
    grids : (y, x) arrays with CRS on the same grids; only scenes on one grid share labels.
    classes : keys of the classes that last (``legend.BY_KEY``); none changes nothing.

    Returns
    -------
    New arrays like ``codes``.

    >>> from lulc_lib.legend import code
    >>> grid = xr.DataArray([[0, 0]], coords={"y": [5], "x": [5, 15]}).rio.write_crs(32633)
    >>> june = np.array([[code("road"), code("water")]], dtype=np.uint8)
    >>> [m.tolist() for m in carried_over([june, june * 0], [grid, grid], ["road"])]
    [[[7, 8]], [[7, 0]]]
    """
    out = [c.copy() for c in codes]
    wanted = [legend.code(key) for key in classes]
    for members in _same_grid(grids):
        stack = np.stack([codes[i] for i in members])
        highest = stack.max(axis=0)
        agreed = np.all((stack == legend.NO_DATA) | (stack == highest), axis=0)
        lasts = agreed & np.isin(highest, wanted)
        for i in members:
            out[i][lasts] = highest[lasts]
    return out


def _same_grid(grids: Sequence[xr.DataArray]) -> list[list[int]]:
    """Positions of the arrays that share CRS and pixel centres."""
    groups: dict[tuple[str, bytes, bytes], list[int]] = {}
    for number, grid in enumerate(grids):
        key = (str(grid.rio.crs), grid.x.values.tobytes(), grid.y.values.tobytes())
        groups.setdefault(key, []).append(number)
    return list(groups.values())
