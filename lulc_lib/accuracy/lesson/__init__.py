"""Counts for notebooks 05a and 05b, so that they need no raster, and the check of an exercise.

``experiments.lesson_numbers`` makes the counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.accuracy.confusion import as_confusion
from lulc_lib.errors import check_choice

_FOLDER = Path(__file__).parent


def matrix(name: str) -> pd.DataFrame:
    """Read a named confusion matrix of the published maps (rows map, columns reference).

    Strzegom: ``centre``, ``all_touched``, ``raster`` (three references), ``inside``, ``rim``,
    ``touched_only`` (parts of the polygons), ``seen_never``, ``seen_other_class``,
    ``seen_same_class`` (by the training labels), ``forest_`` and ``place_`` with ``random_pixels``
    or ``whole_polygons`` (classifiers, cross-validated). Kolbuszowa: ``kolbuszowa``, and on the
    pixels of the training labels nearest in time ``kolbuszowa_network`` and
    ``kolbuszowa_copied_labels``. ``synthetic``: all pixels of a synthetic map, and their true
    class. ``date_`` and ``season_`` (what training left out) with ``june``, ``july``, ``october``
    or ``winter``: a network's map of that season's labels; ``former_date_``, ``former_season_``:
    another's, the latter without the labels of a quadrant, in training too.

    Examples
    --------
    >>> int(matrix("centre").to_numpy().sum())
    38588
    """
    table = _read("matrices")
    check_choice("matrix", name, table.name.unique())
    labels = [legend.NO_DATA, *legend.CODES]
    wide = table[table.name == name].pivot_table(
        index="map_class", columns="reference_class", values="pixels", fill_value=0, aggfunc="sum")
    wide = wide.reindex(index=labels, columns=labels, fill_value=0)
    first = 0 if wide.loc[legend.NO_DATA].any() else 1  # only where the map has it
    return as_confusion(wide.iloc[first:, first:], labels[first:])


def by_polygon() -> NDArray[np.int64]:
    """Read the counts at Strzegom, shape (polygon, map class, reference class), whole legend."""
    table = _read("polygons")
    numbers, place = np.unique(table.polygon, return_inverse=True)
    out = np.zeros((len(numbers), len(legend.CODES), len(legend.CODES)), dtype=np.int64)
    order = pd.Index(legend.CODES)
    out[place, order.get_indexer(table.map_class), order.get_indexer(table.reference_class)] = (
        table.pixels)
    return out


def map_pixels() -> pd.Series:
    """Read the pixels of each class in the whole published map of Strzegom, by legend code."""
    return _read("map_pixels").set_index("map_class").pixels


def peers() -> pd.DataFrame:
    """Read what other programs report for the same map and polygons: version, n, OA and kappa.

    Six decimals as they print them; ``source`` says when and on what they were run. An empty kappa
    was not noted.
    """
    return _read("peers")


def importance() -> pd.DataFrame:
    """Read how Earth Engine's trees rank the bands (offline emulation, notebook 03).

    Columns ``classifier``, ``order`` of the list of bands, ``measure`` (share of the importance,
    or accuracy lost by shuffling the band), ``band``, and over the draws of points ``mean``,
    ``low``, ``high`` (10 and 90 %) and ``leads``, the share of draws in which the band is first.
    """
    return _read("importance")


class NotSolved(AssertionError):
    """There is no result of an exercise yet, or it is not the right one."""


def check(name: str, given: Any, right: Any, within: float = 0.005) -> None:
    """Say that an exercise is solved, or raise.

    Parameters
    ----------
    name : str
        What the exercise calls its result.
    given : object
        The student's result.
    right : object
        What a second route gives: a number, a set, another value, or a function that tells whether
        a result is right.
    within : float
        How far a number may be off.

    Raises
    ------
    NotSolved
        There is no result yet, or it is another one.

    Examples
    --------
    >>> check("share", 0.334, 1 / 3)
    share: right.
    """
    if given is ...:
        raise NotSolved(f"{name} is not there yet: put your result in place of the dots")
    if callable(right):
        fits = right(given)
    elif isinstance(right, set):
        fits = set(given) == right
    elif isinstance(right, (float, np.floating)) and isinstance(given, (int, float, np.number)):
        fits = abs(given - right) <= within
    else:
        fits = given == right
    if not fits:
        raise NotSolved(f"{name} is {given}, and a second route does not agree")
    print(f"{name}: right.")


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(_FOLDER / f"{name}.csv")
