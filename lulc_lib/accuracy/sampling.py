"""Design a stratified random sample of a class map, and count it once it is labelled.

The strata are the classes of the map. :func:`area_adjusted` estimates from the counts.

Source: Olofsson et al. 2014, section 5 (size, equation 13; allocation); Stehman 2012, 2014.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lulc_lib.accuracy.confusion import confusion_from_labels
from lulc_lib.accuracy.uncertainty import wilson
from lulc_lib.errors import InputError, check_choice

ALLOCATIONS = ("compromise", "proportional", "equal", "optimal")
"""A minimum in every class and the rest in proportion to area; in proportion to area; the same
number; in proportion to area × standard deviation (Neyman). Each class gets two points at least."""

CANNOT_TELL = -1
"""Label of a point that was looked at and cannot be told."""

FEW = 5
"""With fewer points that a class lost to others, 95 % intervals of its area covered the truth of a
synthetic map in 90 % of draws, with none in 33 %, and with more in 95 %."""


def sample_size(pixels: pd.Series, anticipated: pd.Series, target_se: float) -> int:
    """Return the points that give overall accuracy a standard error, by equation 13.

    ``anticipated``: the user's accuracy of each class that is expected, 0 to 1.

    Examples
    --------
    >>> w, u = pd.Series([20, 15, 320, 645]) * 10_000, pd.Series([0.7, 0.6, 0.9, 0.95])
    >>> sample_size(w, u, 0.01)
    641
    """
    if not 0 < target_se < 0.5:
        raise InputError(f"the target standard error is {target_se:g}; it must lie between 0 and "
                         "0.5, such as 0.01")
    share, variance = pixels / pixels.sum(), anticipated * (1 - anticipated)
    finite = (share * variance).sum() / pixels.sum()
    n = (share * np.sqrt(variance)).sum() ** 2 / (target_se**2 + finite)
    return math.ceil(round(n, 6))


def design_sample(pixels: pd.Series, anticipated: pd.Series, n: int | None = None,
                  target_se: float = 0.01, class_se: Mapping[int, float] | None = None,
                  rule: str = "compromise", minimum: int = 50) -> pd.DataFrame:
    """Choose how many points each class of the map gets.

    Parameters
    ----------
    pixels, anticipated, target_se
        As in :func:`sample_size`.
    n : int, optional
        All points; None: as many as ``target_se`` and the least numbers of the classes need.
    class_se : mapping of int to float, optional
        Standard error wanted of the user's accuracy of single classes.
    rule : str, one of ``ALLOCATIONS``
        How points are shared out.
    minimum : int
        Least number in each class of the compromise (Olofsson et al. 2014: 50 to 100).

    Returns
    -------
    DataFrame, one row per class
        ``pixels``, ``anticipated``, ``points``, and ``users_accuracy_se``, which is expected.

    Raises
    ------
    InputError
        Unknown rule or class, too few or too many points, or an accuracy not between 0 and 1.
    """
    check_choice("allocation", rule, ALLOCATIONS)
    if not ((anticipated > 0) & (anticipated < 1)).all():
        raise InputError(f"anticipated accuracies are {anticipated.tolist()}; each must lie "
                         "between 0 and 1, such as 0.9")
    variance = anticipated * (1 - anticipated)
    if minimum < 1:
        raise InputError(f"minimum is {minimum}; every class needs at least 1 point")
    least = pd.Series(max(minimum, 2) if rule == "compromise" else 2, pixels.index)
    for code, se in (class_se or {}).items():
        if code not in pixels.index or not 1e-6 <= se <= 0.5:
            raise InputError(f"a standard error of {se:g} is asked for class {code}; it must be "
                             f"above 0, and at most 0.5, for one of "
                             f"{', '.join(map(str, pixels.index))}")
        least[code] = max(least[code], math.ceil(round(variance[code] / se**2, 6)))
    least = least.clip(upper=pixels)
    if n is None:
        n = max(sample_size(pixels, anticipated, target_se), int(least.sum()))
    if not least.sum() <= n <= pixels.sum():
        raise InputError(f"size is {n}; {len(pixels)} classes need at least {least.sum()} points "
                         f"(rule {rule}), and the map has {pixels.sum()} pixels")
    weights = {"equal": pixels * 0 + 1, "optimal": pixels * np.sqrt(variance)}.get(rule, pixels)
    points = _shared_out(n, weights.to_numpy(float), least.to_numpy(), pixels.to_numpy())
    return pd.DataFrame({"pixels": pixels, "anticipated": anticipated, "points": points,
                         "users_accuracy_se": np.sqrt(variance / points)})


def expected_se(design: pd.DataFrame) -> float:
    """Return the standard error of overall accuracy that a design would give."""
    share = design.pixels / design.pixels.sum()
    return float(np.sqrt(((share * design.users_accuracy_se) ** 2).sum()))


def draw_ranks(design: pd.DataFrame, seed: int) -> dict[int, NDArray[np.int64]]:
    """Draw without replacement which pixels of each class are taken; 0 is the first in the map.

    A class's draw depends on the seed and on the class alone.
    """
    return {int(code): np.sort(np.random.default_rng([seed, int(code)]).choice(
        int(row.pixels), int(row.points), replace=False)) for code, row in design.iterrows()}


def count_labelled(points: pd.DataFrame, strata: pd.DataFrame, names: Mapping[int, str]
                   ) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Count the points of a sample that are labelled; the others are non-response.

    Parameters
    ----------
    points : DataFrame
        ``map_class`` and ``label``; empty and :data:`CANNOT_TELL` are no labels.
    strata : DataFrame, index the class code
        ``pixels`` and ``points``, as drawn.
    names : mapping of int to str
        Names of the allowed labels.

    Returns
    -------
    tuple
        The matrix (rows map_class, columns reference_class, codes as text), the classes of which
        every pixel is labelled, and notes on non-response and on how to read the numbers.

    Raises
    ------
    InputError
        A label that is not allowed, points that were not drawn, or a class without labels.
    """
    text = points.label.astype("string").str.strip().fillna("")
    label = pd.to_numeric(text, errors="coerce").astype("Float64")
    wrong = text[(text != "") & ~label.isin([*names, CANNOT_TELL])]
    if len(wrong):
        allowed = ", ".join(f"{code} ({name})" for code, name in names.items())
        raise InputError(f"the label {wrong.iloc[0]} is not allowed; labels are {allowed}")
    here = points.map_class.value_counts().reindex(strata.index, fill_value=0)
    if here.sum() < len(points) or (here > strata.points).any():
        raise InputError("the points hold some that were not drawn; nobody knows how likely a "
                         "point added by hand was to be chosen, so delete it")
    told = (text != "") & (label != CANNOT_TELL)
    pairs = points.map_class[told].astype(int), label[told].astype(int)
    used = pairs[0].value_counts().reindex(strata.index, fill_value=0)
    if not used.all():
        raise InputError(f"no point of map class {used.idxmin()} has a label yet; nothing can be "
                         "estimated for it, so not for the whole")
    labels = [str(code) for code in sorted({*strata.index, *pairs[1]})]
    matrix = confusion_from_labels(pairs[0].astype(str), pairs[1].astype(str), labels)
    lost = strata.points - used
    notes = []
    if lost.any():
        by_class = ", ".join(f"{names[c]} {k} of {strata.points[c]}" for c, k in lost.items() if k)
        cannot = int((label == CANNOT_TELL).sum())
        notes.append(f"Non-response: {lost.sum()} of {strata.points.sum()} points have no label "
                     f"({cannot} cannot be told, {lost.sum() - cannot} not labelled; {by_class}). "
                     "They are left out, as if they were like the others of their class.")
    complete = [str(code) for code in strata.index[used == strata.pixels]]
    return matrix, complete, notes + _limits(matrix, complete, names)


def _limits(matrix: pd.DataFrame, complete: list[str], names: Mapping[int, str]) -> list[str]:
    """Say what the counts are not, and where a standard error of 0 is no certainty."""
    notes = ["OA, PA, F1 and kappa of the counts describe the points, whose classes have other "
             "shares than the map's; the area-adjusted estimates describe the map."]
    for label, right in zip(matrix.index, np.diag(matrix), strict=True):
        n, name = matrix.loc[label].sum(), names[int(label)]
        if n and right in (0, n) and label not in complete:
            low, high = wilson(int(right), int(n))[1:]
            notes.append(f"{name}: {right} of {n} points are right; that its user's accuracy has a "
                         "standard error of 0 is a limit of the formula (Wilson's 95 % interval "
                         f"{low:.3f} to {high:.3f}).")
    missed = matrix.sum() - np.diag(matrix)
    few = [names[int(k)] for k in matrix if 0 < matrix[k].sum() and missed[k] < FEW]
    if few:
        notes.append(f"Fewer than {FEW} points of other map classes turned out to be "
                     f"{', '.join(few)}: what the map misses of them is hardly seen, so that the "
                     "standard errors of their area and producer's accuracy are too small.")
    return notes


def _shared_out(n: int, weights: NDArray[np.float64], least: NDArray[np.int64],
                most: NDArray[np.int64]) -> NDArray[np.int64]:
    """Share n out in proportion to weights, between bounds, in whole numbers that add up to n."""
    low, high = 0.0, most.max() / weights.min() + 1
    for _ in range(200):
        middle = (low + high) / 2
        enough = np.clip(middle * weights, least, most).sum() >= n
        low, high = (low, middle) if enough else (middle, high)
    ideal = np.clip(high * weights, least, most)
    points = np.floor(ideal + 1e-9).astype(np.int64)
    points[np.argsort(points - ideal, kind="stable")[:n - points.sum()]] += 1
    return points
