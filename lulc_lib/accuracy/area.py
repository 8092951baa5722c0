"""Estimate area-adjusted accuracy and class areas from a probability sample.

A stratified sample has the map's classes in other shares than the map; these estimators weight by
area. They rest on how the points were drawn, so the design must be stated.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lulc_lib.accuracy.confusion import check_confusion, confusion_from_labels
from lulc_lib.accuracy.metrics import ratio
from lulc_lib.errors import InputError

DESIGNS: dict[str, str] = {
    "stratified_by_map": "random points within each map class",
    "simple_random": "random points over the whole map, weighted by map class afterwards",
    "systematic": "a grid with a random start, treated as simple random"}
"""Designs that :func:`area_adjusted` accepts."""

NOT_A_SAMPLE = (
    "is not a probability sample: nobody knows how likely a pixel was to be chosen, so the sample "
    "cannot speak for the area of the map (Stehman & Foody 2019). Report the accuracy of the "
    "chosen pixels with a polygon bootstrap, or draw a stratified random sample")

Areas = Mapping[Hashable, float] | pd.Series


class AreaAdjusted(NamedTuple):
    """Area-adjusted estimates; every ``_se`` is a standard error (× 1.96 for 95 %).

    ``per_class``: PA, UA and ``area`` (in the unit of the areas given) of each class, each with its
    ``_se``. ``proportions``: estimated shares of the whole area, rows map_class, columns
    reference_class. NaN where something is undefined, as is any standard error that rests on a
    stratum with a single point.
    """

    overall_accuracy: float
    overall_accuracy_se: float
    per_class: pd.DataFrame
    proportions: pd.DataFrame
    n: int
    design: str


def area_adjusted(matrix: pd.DataFrame, areas: Areas, design: str,
                  complete: Collection[Hashable] = ()) -> AreaAdjusted:
    """Estimate from a sample whose strata are the classes of the map.

    Parameters
    ----------
    matrix : DataFrame
        Confusion matrix of the sample's points, rows map_class, columns reference_class.
    areas : mapping or Series, any unit (pixels, ha, km²)
        Mapped area of each class; 0 if left out for a class without points in its row.
    design : str, one of ``DESIGNS``
        How the points were drawn. There is no default: the formulas hold for these designs only.
    complete : collection
        Classes of which every unit is in the sample.

    Raises
    ------
    InputError
        The design is not stated or no probability sample (``hand_picked_polygons``, say), an area
        is missing or negative, or a class covers area and has no point.

    Source: Olofsson et al. 2014, eqs. 1–11; equation 7 (standard error of producer's accuracy)
    with the number of points of the map class, n_i+.
    """
    _check_design(design)
    counts = check_confusion(matrix)
    labels = list(matrix.index)
    points = counts.sum(axis=1)
    area = _areas(areas, labels, points, "class")
    total = area.sum()
    share = area / total
    within = np.nan_to_num(ratio(counts, np.broadcast_to(points[:, None], counts.shape)))
    cells = share[:, None] * within
    spread = ratio(within * (1 - within), np.broadcast_to(points[:, None] - 1, counts.shape))
    known = matrix.index.isin(complete)
    spread[(area == 0) | known] = 0  # neither adds an error of sampling
    users = ratio(np.diag(counts), points)
    users_variance = ratio(users * (1 - users), points - 1)
    users_variance[known] = 0
    column = cells.sum(axis=0)
    producers = ratio(np.diag(cells), column)
    squares = share[:, None] ** 2 * spread
    own = np.diag(squares)
    others = squares.sum(axis=0) - own
    producers_variance = ratio((1 - producers) ** 2 * own + producers**2 * others, column**2)
    return _result(labels, cells, np.nansum(np.diag(cells)), (share**2 * np.diag(spread)).sum(), {
        "producers_accuracy": producers, "producers_accuracy_se": np.sqrt(producers_variance),
        "users_accuracy": users, "users_accuracy_se": np.sqrt(users_variance),
        "area": total * column, "area_se": total * np.sqrt(squares.sum(axis=0)),
    }, int(counts.sum()), design)


def area_adjusted_strata(map_labels: ArrayLike, reference_labels: ArrayLike, strata: ArrayLike,
                         areas: Areas, labels: Sequence[Hashable] | None = None) -> AreaAdjusted:
    """Estimate from a stratified random sample whose strata are not the classes of the map.

    Strata of an older map, of regions, or of "likely changed", say. With the map's classes as
    strata it gives what :func:`area_adjusted` gives.

    Parameters
    ----------
    map_labels, reference_labels, strata : sequence, one value per point
        Map class, reference class and stratum.
    areas : mapping or Series, any unit
        Area of each stratum.
    labels : sequence, optional
        The classes in order; None: those that occur.

    Raises
    ------
    InputError
        Lengths differ, a stratum has no area, or a stratum with area has no point.

    Source: Stehman 2014, means and ratios of stratified indicator variables and their variances,
    without finite population correction.
    """
    matrix = confusion_from_labels(map_labels, reference_labels, labels)
    labels = list(matrix.index)
    row, column = (pd.Index(labels).get_indexer(np.asarray(v).ravel())
                   for v in (map_labels, reference_labels))
    stratum, names = pd.factorize(np.asarray(strata).ravel())
    if stratum.size != row.size:
        raise InputError(f"{stratum.size} strata for {row.size} points; every point needs one")
    if (stratum < 0).any():
        raise InputError(f"{int((stratum < 0).sum())} point(s) have no stratum; each needs one")
    names = names.tolist()
    names += [k for k in dict(areas) if k not in names]
    points = np.bincount(stratum, minlength=len(names)).astype(np.float64)
    area = _areas(areas, names, points, "stratum")
    every = np.arange(len(labels))
    mapped, reference = row[:, None] == every, column[:, None] == every
    strata_of = _Strata(stratum, points, area)
    right = (row == column)[:, None]
    overall, overall_variance = strata_of.ratios(right, np.ones_like(right))
    users, users_variance = strata_of.ratios(mapped & reference, mapped)
    producers, producers_variance = strata_of.ratios(mapped & reference, reference)
    part, part_variance = strata_of.ratios(reference, np.ones_like(reference))
    pair = mapped[:, :, None] & reference[:, None, :]
    cells = strata_of.totals(pair.reshape(row.size, -1)).reshape(len(labels), -1) / area.sum()
    return _result(labels, cells, overall[0], overall_variance[0], {
        "producers_accuracy": producers, "producers_accuracy_se": np.sqrt(producers_variance),
        "users_accuracy": users, "users_accuracy_se": np.sqrt(users_variance),
        "area": area.sum() * part, "area_se": area.sum() * np.sqrt(part_variance),
    }, row.size, "stratified")


class _Strata:
    """Sample points in strata: totals over the area, and ratios of two totals."""

    def __init__(self, stratum: NDArray[np.int64], points: NDArray[np.float64],
                 area: NDArray[np.float64]) -> None:
        self.stratum, self.points, self.area = stratum, points, area

    def sums(self, values: ArrayLike) -> NDArray[np.float64]:
        """Sum each variable in each stratum: (stratum, variable)."""
        values = np.asarray(values, dtype=np.float64)
        out = np.zeros((self.points.size, values.shape[1]))
        np.add.at(out, self.stratum, values)
        return out

    def totals(self, values: ArrayLike) -> NDArray[np.float64]:
        """Compute the area where the indicator holds: Σ area × mean in the stratum."""
        return np.nan_to_num(self.area / self.points) @ self.sums(values)

    def ratios(self, y: ArrayLike, x: ArrayLike) -> tuple[NDArray[np.float64], ...]:
        """Compute the ratio of the totals of y and x, and its variance (Stehman 2014)."""
        y, x = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
        whole = self.totals(x)
        r = ratio(self.totals(y), whole)
        rest = y - np.nan_to_num(r) * x  # its variance is s²y + R² s²x − 2 R s_xy
        points = self.points[:, None]
        mean = self.sums(rest) / np.maximum(points, 1)
        squares = self.sums((rest - mean[self.stratum]) ** 2)
        spread = ratio(squares, np.broadcast_to(points * (points - 1), squares.shape))
        spread[self.area == 0] = 0
        return r, ratio((self.area**2) @ spread, whole**2)


def _check_design(design: str) -> None:
    if design in DESIGNS:
        return
    designs = ", ".join(DESIGNS)
    if design == "hand_picked_polygons":
        raise InputError(f"design is {design!r}, which {NOT_A_SAMPLE}; designs: {designs}")
    if design == "stratified":
        raise InputError("design is 'stratified'; if the strata are the map's classes say "
                         "'stratified_by_map', if not use area_adjusted_strata")
    raise InputError(f"design is {design!r}; state how the points were drawn, one of {designs}. "
                     f"Anything else {NOT_A_SAMPLE}")


def _areas(areas: Areas, labels: Sequence[Hashable], points: NDArray[np.float64], what: str
           ) -> NDArray[np.float64]:
    """Area per label as float64; a label without points may be left out and has area 0."""
    given = dict(areas)
    missing = [k for k, n in zip(labels, points, strict=True) if k not in given and n > 0]
    if missing:
        raise InputError(f"no area is given for {what} {missing[0]!r}, which has points")
    area = np.array([float(given.get(k, 0)) for k in labels])
    if not (np.isfinite(area) & (area >= 0)).all():
        raise InputError(f"the areas are {area.tolist()}; they must be 0 or more")
    sampled = {k for k, n in zip(labels, points, strict=True) if n > 0}
    unsampled = [k for k in given if given[k] > 0 and k not in sampled]
    if unsampled:
        raise InputError(f"{what} {unsampled[0]!r} covers area {given[unsampled[0]]:g} and has no "
                         "point; nothing can be estimated for it, so not for the whole")
    if area.sum() == 0:
        raise InputError("the areas add up to 0; there is nothing to weight by")
    return area


def _result(labels: list[Hashable], cells: NDArray[np.float64], overall: float, variance: float,
            columns: dict[str, NDArray[np.float64]], n: int, design: str) -> AreaAdjusted:
    table = pd.DataFrame(columns, index=pd.Index(labels, name="class"))
    shares = pd.DataFrame(cells, index=pd.Index(labels, name="map_class"),
                          columns=pd.Index(labels, name="reference_class"))
    return AreaAdjusted(float(overall), float(np.sqrt(variance)), table, shares, n, design)
