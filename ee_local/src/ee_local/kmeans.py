"""Clusterers: k-means as Weka has it, and the choice of k by Caliński and Harabasz.

Weka's distances scale each input to 0–1 over the training data; empty clusters are given up;
Manhattan distances take medians as centres. Which samples the search starts from is drawn at
random, in another way than Weka draws, so on data without clear clusters the result, and always the
clusters' numbers, differ as between two seeds.

Source: Earth Engine API reference, ee.Clusterer; Weka 3.8, SimpleKMeans and NormalizableDistance;
Caliński and Harabasz 1974; Arthur and Vassilvitskii 2007 (k-means++).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ee_local.errors import EngineError

Rows = NDArray[np.float64]
DISTANCES = {"EUCLIDEAN": "sqeuclidean", "MANHATTAN": "cityblock"}
MOST_STEPS = 500
"""Weka's own limit of iterations."""


@dataclass(frozen=True)
class Centres:
    """Trained clusters: centres (cluster, input) in scaled inputs, and the scaling."""

    centres: Rows
    low: Rows
    width: Rows
    distance: str

    def predict(self, rows: Rows) -> NDArray[np.int64]:
        """Return (row,) number of the nearest centre, from 0."""
        return apart((rows - self.low) / self.width, self.centres, self.distance).argmin(axis=1)


Fit = Callable[[Rows, Mapping[str, Any]], Centres]


@dataclass(frozen=True)
class Clusterer:
    """A clusterer's name and options; its inputs and centres once it is trained."""

    name: str
    options: Mapping[str, Any]
    fit: Fit = field(repr=False)
    inputs: tuple[str, ...] | None = None
    model: Centres | None = field(default=None, repr=False)

    def trained(self, rows: Rows, inputs: list[str]) -> Clusterer:
        """Return this clusterer, trained on (row, input) values.

        Raises
        ------
        EngineError
            There is nothing to learn from, or an option is out of its range.
        """
        if not len(rows):
            raise EngineError("Clusterer.train: No training data was found.")
        return replace(self, inputs=tuple(inputs), model=self.fit(rows, self.options))

    def ready(self, where: str) -> Centres:
        """Return the trained centres, or an error."""
        if self.model is None:
            raise EngineError(f"{where}: Clusterer is not trained.")
        return self.model


def apart(rows: Rows, centres: Rows, distance: str) -> Rows:
    """Return (row, centre) distances: squared Euclidean or Manhattan."""
    from scipy.spatial.distance import cdist

    return cdist(rows, centres, DISTANCES[distance])


def first_centres(rows: Rows, number: int, how: int, distance: str,
                  rng: np.random.Generator) -> Rows:
    """Return samples to start from: at random (0), k-means++ (1) or farthest first (3)."""
    if how == 0:
        different = np.unique(rows, axis=0)
        return different[rng.permutation(len(different))[:number]]
    chosen = [int(rng.integers(len(rows)))]
    while len(chosen) < number:
        nearest = apart(rows, rows[chosen], distance).min(axis=1)
        if not nearest.any():
            break  # no further sample differs
        chosen.append(int(nearest.argmax()) if how == 3
                      else int(rng.choice(len(rows), p=nearest / nearest.sum())))
    return rows[chosen]


def settle(rows: Rows, centres: Rows, distance: str, most: int) -> Rows:
    """Return the centres after Lloyd's steps, until no sample changes its cluster."""
    middle = np.mean if distance == "EUCLIDEAN" else np.median
    before = None
    for _ in range(most):
        mine = apart(rows, centres, distance).argmin(axis=1)
        if before is not None and (mine == before).all():
            break
        used, before = np.unique(mine, return_inverse=True)
        centres = np.stack([middle(rows[before == k], axis=0) for k in range(len(used))])
    return centres


def _scaling(rows: Rows) -> tuple[Rows, Rows]:
    low, high = rows.min(axis=0), rows.max(axis=0)
    return low, np.where(high > low, high - low, 1)


def _distance(options: Mapping[str, Any], where: str) -> str:
    found = options["distanceFunction"].upper()
    if found not in DISTANCES:
        raise EngineError(f"{where}: distanceFunction is {options['distanceFunction']!r}; it must "
                          "be Euclidean or Manhattan.")
    return found


def _steps(options: Mapping[str, Any], where: str) -> int:
    most = options["maxIterations"]
    if most is not None and most < 1:
        raise EngineError(f"{where}: maxIterations is {most}; it must be 1 or more.")
    return MOST_STEPS if most is None else most


def fit_k_means(rows: Rows, options: Mapping[str, Any]) -> Centres:
    """Return k-means; options that only save time or memory in Weka are not used.

    Raises
    ------
    EngineError
        Canopies are asked for, or an option is out of its range.
    """
    where, number, how = "Clusterer.wekaKMeans", options["nClusters"], options["init"]
    if number < 1:
        raise EngineError(f"{where}: nClusters is {number}; it must be 1 or more.")
    if how == 2 or options["canopies"]:
        raise EngineError(f"{where}: canopies are not implemented by the local Earth Engine; use "
                          "init 0 (random), 1 (k-means++) or 3 (farthest first).")
    if how not in (0, 1, 3):
        raise EngineError(f"{where}: init is {how}; it must be 0, 1, 2 or 3.")
    distance, most = _distance(options, where), _steps(options, where)
    low, width = _scaling(rows)
    scaled = (rows - low) / width
    rng = np.random.default_rng(abs(int(options["seed"])))
    start = first_centres(scaled, number, how, distance, rng)
    return Centres(settle(scaled, start, distance, most), low, width, distance)


def fit_cascade(rows: Rows, options: Mapping[str, Any]) -> Centres:
    """Return k-means with the k of the largest Caliński-Harabasz index.

    For each k the best of several starts counts, by the same index.

    Raises
    ------
    EngineError
        k is to be chosen by hand, or an option is out of its range.
    """
    where = "Clusterer.wekaCascadeKMeans"
    least, largest, starts = (options[n] for n in ("minClusters", "maxClusters", "restarts"))
    if not 2 <= least <= largest:
        raise EngineError(f"{where}: minClusters is {least} and maxClusters {largest}; 2 ≤ "
                          "minClusters ≤ maxClusters must hold.")
    if starts < 1 or options["manual"]:
        raise EngineError(f"{where}: restarts is {starts} and manual {options['manual']}; there "
                          "must be a start, and k cannot be chosen by hand here.")
    distance, most = _distance(options, where), _steps(options, where)
    low, width = _scaling(rows)
    scaled = (rows - low) / width
    rng = np.random.default_rng(0)
    best, found = -np.inf, None
    for number in range(least, largest + 1):
        for _ in range(starts):
            start = first_centres(scaled, number, int(options["init"]), distance, rng)
            centres = settle(scaled, start, distance, most)
            index = separation_index(scaled, apart(scaled, centres, distance).argmin(axis=1))
            if index > best:
                best, found = index, centres
    if found is None:
        raise EngineError(f"{where}: the samples do not differ enough for {least} clusters.")
    return Centres(found, low, width, distance)


def separation_index(rows: Rows, mine: NDArray[np.int64]) -> float:
    """Return Caliński and Harabasz's index: between- over within-cluster variance; −∞ if none."""
    used = np.unique(mine)
    if not 2 <= len(used) < len(rows):
        return -np.inf
    centre = rows.mean(axis=0)
    parts = [rows[mine == k] for k in used]
    between = sum(len(p) * ((p.mean(axis=0) - centre)**2).sum() for p in parts)
    within = sum(((p - p.mean(axis=0))**2).sum() for p in parts)
    if within == 0:
        return np.inf
    return float(between / (len(used) - 1) / (within / (len(rows) - len(used))))
