"""Folds that measure what is promised: another season, another place, and both at once.

A fold says what a training must not see. Which fold is right depends on what the accuracy is meant
to say: each protocol below names what it estimates, from random pixels (accuracy between training
pixels of the same fields) to season and place out (accuracy where the map will really be made).
:func:`refuse_leak` stops a training that touches what its fold holds out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lulc_lib.errors import InputError, check_choice
from lulc_lib.legend import NO_DATA

SEASON_GROUPS: dict[str, tuple[str, ...]] = {
    "june": ("2021-06-19", "2022-06-19"),
    "july": ("2022-07-19",),
    "october": ("2022-10-12",),
    "winter": ("2023-02-09", "2023-03-01"),
    "summer": ("2021-06-19", "2022-06-19", "2022-07-19"),
}
"""Dates that are left out together: twins of one season; ``summer`` joins two of the groups, since
June and July differ in crop phase only."""

SEASONS: tuple[str, ...] = ("june", "july", "october", "winter")
"""The groups that part the dates."""

QUADRANTS: tuple[str, ...] = ("NW", "NE", "SW", "SE")

BUFFER = 35
"""Pixels around a held-out place that no training window touches: as far as labels go together (the
ranges of the six dates, where 1 − 1/e of their agreement is lost, are 32 to 41 pixels)."""


@dataclass(frozen=True)
class Fold:
    """What one training must not see and is assessed on.

    Attributes
    ----------
    name : str
        Season group, date, quadrant or a season and quadrant such as ``october-SW``.
    dates : tuple of str
        Held-out dates YYYY-MM-DD; empty: none.
    region : array of bool, shape (row, col)
        The held-out place; all False: none.
    blocked : array of bool, shape (row, col)
        ``region`` and its buffer: holds no training label.
    windows_may_touch : bool
        True: training windows may lie over ``blocked``, whose labels alone are hidden (random
        pixels, polygons). False: no training window touches it.
    """

    name: str
    dates: tuple[str, ...]
    region: NDArray[np.bool_]
    blocked: NDArray[np.bool_]
    windows_may_touch: bool = False

    def training_dates(self, dates: Sequence[str]) -> list[str]:
        """Return the dates of a series that may be trained on, in order."""
        return [d for d in dates if d not in self.dates]

    def training_labels(self, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return (row, col) legend codes without those of held-out places and their buffer."""
        return np.where(self.blocked, NO_DATA, codes).astype(np.uint8)

    def held_out_labels(self, codes: NDArray[np.uint8], date: str) -> NDArray[np.uint8]:
        """Return (row, col) legend codes that the fold is assessed on, of one date.

        Those inside the held-out place; if no place is held out, the whole of a held-out date.
        """
        if self.dates and date not in self.dates:
            return np.zeros_like(codes)
        whole = self.dates and not self.region.any()
        return np.where(self.region | bool(whole), codes, NO_DATA).astype(np.uint8)

    def allowed_patches(self, patch: int) -> NDArray[np.bool_]:
        """Return (row, col) bool: upper-left corners of the patches that touch nothing blocked.

        The array is ``patch - 1`` smaller than the scene.
        """
        count = np.zeros(np.add(self.blocked.shape, 1), dtype=np.int64)
        if not self.windows_may_touch:
            count[1:, 1:] = self.blocked.cumsum(axis=0).cumsum(axis=1)
        inside = (count[patch:, patch:] - count[:-patch, patch:]
                  - count[patch:, :-patch] + count[:-patch, :-patch])
        return inside == 0


def refuse_leak(fold: Fold, date: str, labels: NDArray[np.uint8] | None = None,
                corners: ArrayLike | None = None, patch: int = 1) -> None:
    """Refuse a training that touches what its fold holds out.

    Parameters
    ----------
    fold : Fold
        What must not be seen.
    date : str
        Date YYYY-MM-DD of the labels and windows.
    labels : array of uint8, shape (row, col), legend codes
        Labels that are trained on, NO_DATA where there are none; None: not checked.
    corners : array of int, shape (window, 2)
        Row and column of the upper-left pixel of each training window; None: not checked.
    patch : int, pixels
        Rows and columns of a window.

    Raises
    ------
    InputError
        Naming fold, date and the first pixel that leaks.
    """
    if date in fold.dates:
        raise InputError(f"training holds {date}; fold {fold.name} holds that date out")
    place = f"the place that fold {fold.name} holds out, or its buffer of training labels"
    if labels is not None:
        _same_grid(fold, labels)
        leaks = np.argwhere((labels != NO_DATA) & fold.blocked)
        if len(leaks):
            row, col = leaks[0]
            raise InputError(f"training label {labels[row, col]} of {date} at row {row}, column "
                             f"{col} lies in {place} ({len(leaks)} such labels)")
    if corners is None or fold.windows_may_touch:
        return
    for top, left in np.atleast_2d(np.asarray(corners, dtype=np.int64)):
        touched = np.argwhere(fold.blocked[top:top + patch, left:left + patch])
        if len(touched):
            row, col = touched[0] + (top, left)
            raise InputError(f"training window of {date} at row {top}, column {left} touches row "
                             f"{row}, column {col} of {place}")


def _same_grid(fold: Fold, labels: NDArray[np.uint8]) -> None:
    if labels.shape != fold.blocked.shape:
        raise InputError(f"labels are {labels.shape}; fold {fold.name} is {fold.blocked.shape}: "
                         "rows and columns must be those of the grid that the fold was made on")


def label_clusters(codes: Sequence[NDArray[np.uint8]]) -> NDArray[np.int32]:
    """Give each cluster of labelled pixels a number, 0 where there is no label.

    Pixels labelled on any date that touch each other, also at a corner, are one cluster: whole
    polygons and whole quarries stay together on all dates.

    Parameters
    ----------
    codes : sequence of arrays of uint8, shape (row, col), legend codes
        One of each date on one grid, NO_DATA where unlabelled.

    Returns
    -------
    array of int32, shape (row, col)
        Cluster of each pixel, from 1.
    """
    from scipy import ndimage

    labelled = np.any([c != NO_DATA for c in codes], axis=0)
    return ndimage.label(labelled, np.ones((3, 3)))[0].astype(np.int32)


def quadrant_region(clusters: NDArray[np.int32], quadrant: str) -> NDArray[np.bool_]:
    """Return a quadrant with every cluster whose middle lies in it and without others.

    Parameters
    ----------
    clusters : array of int32, shape (row, col)
        From :func:`label_clusters`.
    quadrant : str
        ``NW``, ``NE``, ``SW`` or ``SE``; rows run southwards.

    Returns
    -------
    array of bool, shape (row, col)
    """
    from scipy import ndimage

    check_choice("quadrant", quadrant, QUADRANTS)
    half = np.array(clusters.shape) // 2

    def within(row: NDArray, col: NDArray) -> NDArray[np.bool_]:
        return ((row < half[0]) == (quadrant[0] == "N")) & ((col < half[1]) == (quadrant[1] == "W"))

    region = within(*np.mgrid[:clusters.shape[0], :clusters.shape[1]])
    numbers = np.arange(1, clusters.max() + 1)
    middles = np.array(ndimage.center_of_mass(clusters > 0, clusters, numbers)).reshape(-1, 2)
    inside = np.concatenate([[False], within(middles[:, 0], middles[:, 1])])
    return np.where(clusters > 0, inside[clusters], region)


def make_fold(codes: Sequence[NDArray[np.uint8]], season: str | None = None,
              quadrant: str | None = None, buffer: int = BUFFER) -> Fold:
    """Make the fold that leaves a season group, a quadrant, or both out.

    A quadrant estimates accuracy in a neighbouring place on dates that were trained on; a season,
    in a season that was never trained on, on fields that were. One date left out is not a season
    left out: four of the six dates have a twin of their season in training.

    Parameters
    ----------
    codes : sequence of arrays of uint8, shape (row, col), legend codes
        Labels of all dates, held-out ones too: a cluster is whole over dates.
    season : str
        A name in ``SEASON_GROUPS``, or one date YYYY-MM-DD (the old protocol); None: no date.
    quadrant : str
        A name in ``QUADRANTS``; None: no place.
    buffer : int, pixels
        Around the place.

    Raises
    ------
    InputError
        Unknown names, or a negative buffer.
    """
    known = {**SEASON_GROUPS, **{d: (d,) for dates in SEASON_GROUPS.values() for d in dates}}
    if season is not None and season not in known:
        raise InputError(f"season is {season!r}; it must be one of {', '.join(known)}")
    region = np.zeros(codes[0].shape, dtype=bool)
    if quadrant is not None:
        region = quadrant_region(label_clusters(codes), quadrant)
    name = "-".join(n for n in (season, quadrant) if n) or "all"
    return Fold(name, known[season] if season else (), region, with_buffer(region, buffer))


def with_buffer(region: NDArray[np.bool_], buffer: int = BUFFER) -> NDArray[np.bool_]:
    """Return a place and all pixels at most ``buffer`` rows and columns away from it."""
    from scipy import ndimage

    if buffer < 0:
        raise InputError(f"buffer is {buffer}; it must be 0 or more pixels")
    if not region.any() or not buffer:
        return region
    return ndimage.distance_transform_cdt(~region, "chessboard") <= buffer


def random_pixels(codes: Sequence[NDArray[np.uint8]], folds: int = 5,
                  seed: int = 0) -> Iterator[Fold]:
    """Hold out random labelled pixels, a share of each field.

    Estimates: accuracy on pixels whose neighbours of the same field and date were trained on, as in
    filling gaps between labels. Says nothing of other fields, dates or places: it flatters most.
    """
    labelled = np.any([c != NO_DATA for c in codes], axis=0)
    number = np.random.default_rng(seed).integers(0, folds, labelled.shape)
    for fold in range(folds):
        region = labelled & (number == fold)
        yield Fold(f"random-pixels-{fold + 1}", (), region, region, windows_may_touch=True)


def random_patches(codes: Sequence[NDArray[np.uint8]], patch: int = 64, folds: int = 5,
                   seed: int = 0) -> Iterator[Fold]:
    """Hold out random square patches of a grid, without a buffer.

    Estimates: accuracy on patches among training patches, same dates and same fields cut in two
    (the paper's 70/30). Fields and quarries that straddle two patches are trained on and assessed.
    """
    rows, cols = codes[0].shape
    down, across = -(-rows // patch), -(-cols // patch)
    if down * across < folds:
        raise InputError(f"patch is {patch}: {down * across} patches in {rows} x {cols} pixels; "
                         f"{folds} folds need one each")
    order = np.random.default_rng(seed).permutation(down * across).reshape(down, across) % folds
    number = np.kron(order, np.ones((patch, patch), dtype=int))[:rows, :cols]
    for fold in range(folds):
        yield Fold(f"random-patches-{fold + 1}", (), number == fold, number == fold)


def polygons_out(codes: Sequence[NDArray[np.uint8]], folds: int = 5,
                 seed: int = 0) -> Iterator[Fold]:
    """Hold out whole label clusters (polygons, quarries), drawn at random.

    Estimates: accuracy on unlabelled fields between labelled ones, same dates and same region. The
    network sees the held-out fields' reflectance beside training fields, not their labels.
    """
    clusters = label_clusters(codes)
    order = np.random.default_rng(seed).permutation(clusters.max()) % folds
    number = np.concatenate([[-1], order])[clusters]
    for fold in range(folds):
        region = number == fold
        yield Fold(f"polygons-{fold + 1}", (), region, region, windows_may_touch=True)


def season_place_folds(codes: Sequence[NDArray[np.uint8]], turn: int = 0) -> Iterator[Fold]:
    """Hold out a season and a quadrant together; four ``turn`` s cover all pairs.

    Estimates, inside the quadrant: accuracy in a season *and* in fields never trained on. That is
    what a map of a new date and place promises, as far as one region can tell.
    """
    for number, season in enumerate(SEASONS):
        yield make_fold(codes, season, QUADRANTS[(number + turn) % len(QUADRANTS)])
