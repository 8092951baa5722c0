"""Pixel classifiers that compete with the network on the same labelled pixels (notebook 06).

A spectral-index rule as the floor, the three of Earth Engine with its settings, the same three
tuned on seasons left out of the training labels, and gradient boosting. Every model of a fold and
seed is fitted on the same pixels: at most ``CAP`` of a class and date, drawn at random, weighted
back to the shares of the labels unless tuning decides otherwise. Needs scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import ParameterGrid
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from lulc_lib import legend
from lulc_lib.accuracy.splits import SEASON_GROUPS, SEASONS

CAP = 500
"""Labelled pixels of a class and date that a model is fitted on, at most."""

TUNING_CAP = 100
"""The same in the inner folds, where settings are chosen."""

CLASSES = len(legend.CODES)
QUARRY, RIPE, GROWING, BARE = (legend.CODES.index(legend.code(k)) for k in
                               ("quarry", "crops_ripe", "crops_growing", "bare_soil"))
IGNORE = legend.IGNORE_INDEX
MERGED: dict[str, dict[int, int]] = {
    "crops": {GROWING: RIPE}, "bare": {BARE: QUARRY}, "both": {GROWING: RIPE, BARE: QUARRY}}
"""Class schemes: class index to the one that it is trained as."""

Labels = Mapping[str, NDArray[np.uint8]]
"""Date to (row, col) legend codes."""

Inputs = Mapping[str, Mapping[str, NDArray[np.float32]]]
"""Date to name of an input to (pixel, channel)."""


class IndexRule(ClassifierMixin, BaseEstimator):
    """A quarry is where five indices lie between fitted thresholds; the rest is one class.

    Columns: the ten bands, reflectance. The interval of each index is fitted in turn, three
    times, to the highest F1 of quarries; what is no quarry gets the most frequent other class.
    """

    @staticmethod
    def indices(x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (pixel, 5): NDVI, NDMI, NDWI, MNDWI and the bare-soil index."""
        blue, green, red, nir, swir = (np.maximum(x[:, k], 1e-3) for k in (0, 1, 2, 6, 8))
        pairs = ((nir, red), (nir, swir), (green, nir), (green, swir), (swir + red, nir + blue))
        return np.stack([(a - b) / (a + b) for a, b in pairs], axis=1)

    def fit(self, x: NDArray[np.float32], y: NDArray[np.uint8],
            sample_weight: NDArray | None = None) -> IndexRule:
        """Fit thresholds."""
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        values, quarry = self.indices(x), y == QUARRY
        self.bounds_ = np.tile([-np.inf, np.inf], (values.shape[1], 1))
        for _ in range(3):
            for k in range(values.shape[1]):
                steps = [-np.inf, *np.quantile(values[quarry, k], np.linspace(0, 1, 41)), np.inf]
                self.bounds_[k] = [-np.inf, np.inf]
                inside = self._inside(values)
                column, w, q = values[inside, k], weight[inside], quarry[inside]
                at = np.searchsorted(steps, column, side="right")
                hits = np.cumsum(np.bincount(at, w * q, len(steps) + 1))
                every = np.cumsum(np.bincount(at, w, len(steps) + 1))
                total, best = (weight * quarry).sum(), (-1.0, 0, 0)
                for low, high in product(range(21), range(21, len(steps))):
                    tp = hits[high] - hits[low]
                    best = max(best, (2 * tp / (every[high] - every[low] + total), low, high))
                self.bounds_[k] = steps[best[1]], steps[best[2]]
        shares = np.bincount(y[~quarry], weight[~quarry], CLASSES)
        self.rest_, self.classes_ = int(shares.argmax()), np.unique(y)
        return self

    def _inside(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        return ((values >= self.bounds_[:, 0]) & (values <= self.bounds_[:, 1])).all(axis=1)

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return class indexes."""
        return np.where(self._inside(self.indices(x)), QUARRY, self.rest_)


class Scaled(ClassifierMixin, BaseEstimator):
    """A linear support vector machine on inputs times a unit (liblinear, one class against all)."""

    def __init__(self, cost: float = 1.0, unit: float = 1.0, seed: int = 0) -> None:
        self.cost, self.unit, self.seed = cost, unit, seed

    def fit(self, x: NDArray, y: NDArray, sample_weight: NDArray | None = None) -> Scaled:
        """Fit weights."""
        self.model_ = LinearSVC(C=self.cost, dual=False, max_iter=200, tol=1e-3,
                                random_state=self.seed)
        self.model_.fit(x * np.float32(self.unit), y, sample_weight=sample_weight)
        return self

    def predict(self, x: NDArray) -> NDArray:
        """Return class indexes."""
        return self.model_.predict(x * np.float32(self.unit))


@dataclass(frozen=True)
class Model:
    """How a classifier is made.

    Attributes
    ----------
    make : callable
        From seed and settings to an estimator.
    inputs : str
        ``bands``, ``per_scene`` or ``network``, of the columns.
    grid : tuple of dict
        Settings that nested tuning chooses from; one: nothing is tuned. ``prior`` is the exponent
        of the weights: 1 as labelled, 0 as drawn (nearly balanced).
    merged : str
        Key of ``MERGED``; empty: the ten classes.
    cap : int
        Pixels of a class and date.
    quick : dict
        Settings that make a fit of the inner folds shorter.
    """

    make: Callable[..., ClassifierMixin]
    inputs: str = "network"
    grid: tuple[dict[str, Any], ...] = ({},)
    merged: str = ""
    cap: int = CAP
    quick: dict[str, Any] = field(default_factory=dict)


def _cart(seed: int, leaf: int = 1) -> ClassifierMixin:
    return DecisionTreeClassifier(min_samples_leaf=leaf, random_state=seed)


def _forest(seed: int, trees: int = 10, leaf: int = 1, columns: str | float = "sqrt",
            bag: float | None = None) -> ClassifierMixin:
    return RandomForestClassifier(trees, min_samples_leaf=leaf, max_features=columns,
                                  max_samples=bag, random_state=seed, n_jobs=1)


def _boosting(seed: int, leaves: int = 15, rounds: int = 60) -> ClassifierMixin:
    return HistGradientBoostingClassifier(max_iter=rounds, max_leaf_nodes=leaves, learning_rate=0.1,
                                          l2_regularization=1.0, early_stopping=False,
                                          random_state=seed)


def _svm(seed: int, cost: float = 1.0, unit: float = 1.0) -> ClassifierMixin:
    return Scaled(cost, unit, seed)


_ee_forest = partial(_forest, bag=0.5)
_prior = {"prior": (0, 1)}
_svm_grid = tuple(ParameterGrid({"cost": (0.001, 0.01, 0.1, 1.0), **_prior}))
_forest_grid = tuple(ParameterGrid({"leaf": (1, 5, 20), **_prior}))
_cart_grid = tuple(ParameterGrid({"leaf": (1, 5, 20, 100), **_prior}))
_best_forest = partial(_forest, trees=60, leaf=5)
MODELS: dict[str, Model] = {
    "forest_tuned": Model(partial(_forest, trees=60), grid=_forest_grid, quick={"trees": 20}),
    "boosting": Model(_boosting, grid=tuple(ParameterGrid(_prior)), quick={"rounds": 30}),
    "svm_tuned": Model(_svm, grid=_svm_grid),
    "index_rule": Model(lambda seed: IndexRule(), "bands"),
    "forest_ee": Model(_ee_forest, "bands"),
    "cart_ee": Model(_cart, "bands"),
    "svm_ee": Model(partial(_svm, unit=100.0), "bands"),
    "cart_tuned": Model(_cart, grid=_cart_grid),
    "forest_ee_per_scene": Model(_ee_forest, "per_scene"),
    "forest_ee_network_input": Model(_ee_forest, "network"),
    "forest_scheme_ten": Model(_best_forest),
    "forest_scheme_crops": Model(_best_forest, merged="crops"),
    "forest_scheme_bare": Model(_best_forest, merged="bare"),
    "forest_scheme_both": Model(_best_forest, merged="both"),
    "forest_ee_all_pixels": Model(_ee_forest, "bands", cap=10**9),
    "svm_tuned_all_pixels": Model(_svm, grid=_svm_grid, cap=10**9),
}


def draw(labels: Labels, cap: int, seed: int, total: int | None = None
         ) -> list[tuple[str, NDArray[np.int64], NDArray[np.uint8], NDArray[np.float64]]]:
    """Draw pixels of every date: date, flat pixel numbers, class indexes, weights.

    A weight is the number of labelled pixels of a class and date that one drawn pixel stands for.
    """
    rng, drawn = np.random.default_rng(seed), []
    for date, raster in labels.items():
        flat = legend.to_index(raster).ravel()
        if total:
            at = rng.permutation(np.flatnonzero(flat != IGNORE))[:total]
            drawn.append((date, at, flat[at], np.ones(len(at))))
            continue
        for k in np.unique(flat[flat != IGNORE]):
            every = np.flatnonzero(flat == k)
            at = every if len(every) <= cap else rng.choice(every, cap, replace=False)
            drawn.append((date, at, flat[at], np.full(len(at), len(every) / len(at))))
    return drawn


def training_pixels(inputs: Inputs, labels: Labels, model: Model, cap: int, seed: int,
                    total: int | None = None) -> tuple[NDArray, NDArray, NDArray]:
    """Return inputs, class indexes and weights of the pixels that a model is fitted on."""
    drawn = draw(labels, cap, seed, total)
    x = np.concatenate([inputs[d][model.inputs][at] for d, at, _, _ in drawn])
    y, w = (np.concatenate([row[k] for row in drawn]) for k in (2, 3))
    for old, new in MERGED.get(model.merged, {}).items():
        y[y == old] = new
    return x, y, w


def fitted(model: Model, settings: dict[str, Any], seed: int, x: NDArray, y: NDArray, w: NDArray
           ) -> ClassifierMixin:
    """Fit a model with settings."""
    settings = dict(settings)
    weights = w ** settings.pop("prior", 1)
    return model.make(seed, **settings).fit(x, y, sample_weight=weights / weights.mean())


def choose(inputs: Inputs, labels: Labels, model: Model, cap: int = TUNING_CAP
           ) -> tuple[dict[str, Any], list[float]]:
    """Choose settings by the mean macro F1 on seasons left out of the training labels in turn.

    Where one season alone is labelled nothing can be left out, and the first settings are taken.
    """
    groups = [[d for d in labels if d in SEASON_GROUPS[s]] for s in SEASONS]
    groups = [g for g in groups if g]
    if len(model.grid) == 1 or len(groups) < 2:
        return model.grid[0], []
    scores = np.zeros((len(model.grid), len(groups)))
    for column, out in enumerate(groups):
        inner = {d: r for d, r in labels.items() if d not in out}
        x, y, w = training_pixels(inputs, inner, model, cap, 0)
        test = training_pixels(inputs, {d: labels[d] for d in out}, model, 4 * cap, 1)
        for row, settings in enumerate(model.grid):
            mapped = fitted(model, settings | model.quick, 0, x, y, w).predict(test[0])
            scores[row, column] = _macro_f1(mapped, test[1], test[2])
    mean = scores.mean(axis=1)
    return model.grid[int(mean.argmax())], mean.round(4).tolist()


def _macro_f1(mapped: NDArray, reference: NDArray, weight: NDArray) -> float:
    counts = np.zeros((CLASSES, CLASSES))
    np.add.at(counts, (mapped, reference), weight)
    both, present = counts.sum(0) + counts.sum(1), counts.sum(0) > 0
    return float((2 * counts.diagonal()[present] / both[present]).mean())
