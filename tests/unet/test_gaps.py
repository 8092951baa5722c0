"""Gaps take the nearest pixel's value: as scipy tells it, cell by cell, however a scene is cut."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from lulc_lib.unet import gaps
from lulc_lib.unet.gaps import STEPS, Strips

CELL, FAR = 16, 8


class Made:
    """An array that is read as a scene; its windows are counted."""

    def __init__(self, dn):
        self.dn, self.shape, self.rows_read = dn, dn.shape[1:], []

    def read(self, window):
        rows, cols = window.toslices()
        self.rows_read += range(rows.start, rows.stop)
        return self.dn[:, rows, cols].copy()


def expected(dn):
    """Fill each cell from the pixels up to FAR around it, band by band."""
    out = dn.copy()
    for top in range(0, dn.shape[1], CELL):
        for left in range(0, dn.shape[2], CELL):
            rows, cols = (slice(max(at - FAR, 0), at + CELL + FAR) for at in (top, left))
            place = slice(top, top + CELL), slice(left, left + CELL)
            for band, new in zip(dn, out, strict=True):
                wide = band[rows, cols]
                if wide.any():
                    nearest = distance_transform_edt(wide == 0, return_distances=False,
                                                     return_indices=True)
                    new[place] = wide[*nearest][top - rows.start:, left - cols.start:][
                        :CELL, :CELL]
    return out


def holed(rows=83, cols=101, seed=0):
    """Scattered, small and large gaps, a swath's edge; some alike in all bands."""
    rng = np.random.default_rng(seed)
    dn = rng.integers(1, 60_000, (3, rows, cols)).astype(np.uint16)
    dn[0][rng.random((rows, cols)) < 0.05] = 0
    dn[1][rng.random((rows, cols)) < 0.7] = 0
    dn[:2, 20:29, 5:18] = 0
    dn[2, 10:70, 30:90] = 0  # farther from data than FAR
    y, x = np.mgrid[:rows, :cols]
    dn[:, y + 2 * x > 240] = 0
    return dn


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(gaps, "READ", CELL)
    monkeypatch.setattr(gaps, "FAR", FAR)


@pytest.mark.parametrize("cut", [(0, 101), (7, 60), (40, 50), (90, 101)])
def test_as_scipy_fills_each_cell(cut):
    dn, part = holed(), slice(*cut)
    scene = Made(dn)
    strips, right = Strips(scene, part), expected(dn)
    assert (right == 0).any() and (right != dn)[:, :, part].mean() > 0.1
    for top in range(0, 83, CELL):
        first, last = top + 3 * (top == 0), min(top + CELL, 83)
        there = slice(first, last), part
        assert np.array_equal(strips.read(there), dn[:, *there])
        assert np.array_equal(strips.filled(there), right[:, *there]), (top, cut)
    assert scene.rows_read == list(range(83))  # none twice


def test_neighbours_are_asked_in_the_order_that_scipy_prefers():
    for first, second in pairwise(STEPS):
        band = np.ones((9, 9), bool)
        for down, across in (first, second):
            band[4 + down, 4 + across] = False
        nearest = distance_transform_edt(band, return_distances=False, return_indices=True)
        assert tuple(nearest[:, 4, 4] - 4) == first


def test_nothing_more_is_read_where_there_are_no_gaps():
    scene = Made(np.ones((3, 83, 101), np.uint16))
    Strips(scene, slice(0, 50)).read((slice(32, 48), slice(0, 50)))
    assert scene.rows_read == list(range(32, 48))
