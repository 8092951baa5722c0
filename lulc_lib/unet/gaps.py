"""Gaps in a scene's bands take the nearest pixel's value, the same however the scene is cut.

A gap is filled from its cell of a fixed lattice and :data:`FAR` pixels around that.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy.ndimage import distance_transform_edt

from lulc_lib.data.scenes import Scene
from lulc_lib.unet.predict import READ, Part, grown, within

FAR = 128
"""Pixels around a cell in which values for its gaps are looked for."""

NEAR = 3
"""Pixels up to which a gap's neighbours are asked one by one: most gaps are a few pixels wide."""

STEPS = sorted((s for s in product(range(-NEAR, NEAR + 1), repeat=2)
                if 0 < s[0]**2 + s[1]**2 <= NEAR**2),
               key=lambda s: (s[0]**2 + s[1]**2, s[1], s[0]))
"""(down, right) to them, in the order in which ``distance_transform_edt`` prefers them."""


class Strips:
    """A scene's rows, :data:`READ` at a time and each read once.

    Parameters
    ----------
    scene : Scene
        Open.
    cols : slice
        Columns that are asked for.
    """

    def __init__(self, scene: Scene, cols: slice) -> None:
        self.scene, self._held = scene, {}
        whole = _cell((slice(0, 1), cols))
        self.cols = grown(whole, (FAR, FAR), scene.shape)[1]

    def read(self, part: Part) -> NDArray[np.uint16]:
        """Return DN (band, row, col) of a part; 0 is a gap. Rows far above it are let go."""
        rows, cols = part
        tops = range(rows.start // READ * READ, rows.stop, READ)
        for former in [at for at in self._held if at < tops[0] - READ]:
            del self._held[former]
        places = [(slice(max(rows.start, top), min(rows.stop, top + READ)), cols) for top in tops]
        return np.concatenate([self._strip(top)[:, *within(self._place(top), place)]
                               for top, place in zip(tops, places, strict=True)], axis=1)

    def filled(self, part: Part) -> NDArray[np.uint16]:
        """Return the same with gaps filled; 0 where there is no value either."""
        out = self.read(part)
        for cell in cells(part, READ):
            inner = within(part, cell)
            if not out[:, *inner].all():
                around = grown(_cell(cell), (FAR, FAR), self.scene.shape)
                out[:, *inner] = filled(self.read(around), within(around, cell))
        return out

    def _place(self, top: int) -> Part:
        return slice(top, min(top + READ, self.scene.shape[0])), self.cols

    def _strip(self, top: int) -> NDArray[np.uint16]:
        if top not in self._held:
            self._held[top] = self.scene.read(Window.from_slices(*self._place(top)))
        return self._held[top]


def cells(part: Part, edge: int) -> list[Part]:
    """Return the parts of ``part`` in each cell of a lattice of squares from the scene's corner."""
    rows, cols = ([slice(max(at, s.start), min(at + edge, s.stop))
                   for at in range(s.start // edge * edge, s.stop, edge)] for s in part)
    return list(product(rows, cols))


def _cell(part: Part) -> Part:
    """Return all of the cells in which a part lies."""
    rows, cols = (slice(s.start // READ * READ, -(-s.stop // READ) * READ) for s in part)
    return rows, cols


def filled(dn: NDArray[np.uint16], part: Part) -> NDArray[np.uint16]:
    """Return a part of DN (band, row, col) in which each 0 has its band's nearest value.

    Of several, the one that ``distance_transform_edt`` prefers; 0 where the band holds none.
    """
    out, known = dn[:, *part].copy(), []
    (top, left), (bottom, right) = (s.start for s in part), (n - 1 for n in dn.shape[1:])
    for band, new in zip(dn, out, strict=True):
        rows, cols = np.nonzero(new == 0)
        for down, across in STEPS if rows.size else ():
            value = band[(rows + (top + down)).clip(0, bottom),
                         (cols + (left + across)).clip(0, right)]
            new[rows, cols] = value
            rows, cols = rows[value == 0], cols[value == 0]
        if rows.size and band.any():
            nearest = _nearest(band == 0, known)[:, rows + top, cols + left]
            new[rows, cols] = band[*nearest]
    return out


def _nearest(gaps: NDArray[np.bool_], known: list[tuple[NDArray[np.bool_], NDArray[np.int32]]]
             ) -> NDArray[np.int32]:
    """Return (2, row, col) places of the nearest pixels; ``known`` keeps those of other bands."""
    for other, nearest in known:
        if np.array_equal(other, gaps):
            return nearest
    known.append((gaps, distance_transform_edt(gaps, return_distances=False, return_indices=True)))
    return known[-1][1]
