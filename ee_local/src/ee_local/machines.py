"""Classifiers without trees: support vectors, neighbours, class means."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ee_local.errors import EngineError
from ee_local.learners import no_shares

KERNELS = {"LINEAR": "linear", "POLY": "poly", "RBF": "rbf", "SIGMOID": "sigmoid"}
STEPS = 10_000_000
"""After so many steps libsvm ends the search for a pair of classes, solved or not. scikit-learn's
libsvm has no such end; here it is put back."""

METRICS = {"EUCLIDEAN": "euclidean", "MANHATTAN": "manhattan", "BRAYCURTIS": "braycurtis"}


class SupportVectors:
    """libsvm's classifier, as scikit-learn carries it: pairs of classes vote.

    Inputs are not scaled, as in Google's service. On digital numbers, where a cost of 1 means an
    all but hard margin, some pairs of classes reach :data:`STEPS`; a warning then says so. What
    libsvm leaves behind there depends on rounding, so Google's answer can be another one.
    """

    def __init__(self, machine: Any, name: str) -> None:
        self._machine, self._name = machine, name
        self.classes = machine.classes_

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row,) class with most votes."""
        return self._machine.predict(rows).astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """libsvm's probabilities are fitted by cross-validation; not done here."""
        raise no_shares(self._name)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Classes, number of support vectors, kernel and cost; a linear machine has no importance
        in Earth Engine either."""
        vectors = self._machine.n_support_
        return {"classes": self.classes.tolist(), "kernelType": self._machine.kernel.upper(),
                "numberOfSupportVectors": int(vectors.sum()), "cost": getattr(
                    self._machine, "C", None)}


def fit_svm(rows: NDArray[np.float64], labels: NDArray[np.int64],
            options: Mapping[str, Any]) -> SupportVectors:
    """A C-SVC or nu-SVC with libsvm's defaults (C = 1, nu = 0.5, tolerance 0.001).

    Warns where libsvm gives up (:data:`STEPS`).

    Raises
    ------
    EngineError
        Another kind of machine, a margin decision, or a value out of its range.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import SVC, NuSVC

    name = "Classifier.libsvm"
    kind, kernel = options["svmType"].upper(), options["kernelType"].upper()
    if kernel not in KERNELS:
        raise EngineError(f"{name}: kernelType is {kernel!r}; it must be one of "
                          f"{', '.join(KERNELS)}.")
    if options["decisionProcedure"].upper() != "VOTING":
        raise EngineError(f"{name}: decisionProcedure {options['decisionProcedure']!r} is not "
                          "implemented by the local Earth Engine.")
    shape = {"kernel": KERNELS[kernel], "shrinking": options["shrinking"],
             "degree": 3 if options["degree"] is None else options["degree"],
             "gamma": "auto" if options["gamma"] is None else options["gamma"],
             "coef0": options["coef0"] or 0.0, "cache_size": 200, "max_iter": STEPS}
    try:
        if kind == "C_SVC":
            machine = SVC(C=1.0 if options["cost"] is None else options["cost"], **shape)
        elif kind == "NU_SVC":
            machine = NuSVC(nu=0.5 if options["nu"] is None else options["nu"], **shape)
        else:
            raise EngineError(f"{name}: svmType {kind!r} is not implemented by the local Earth "
                              "Engine.")
        machine.fit(rows, labels)
    except ValueError as error:
        raise EngineError(f"{name}: {error}.") from None
    unsolved = int((machine.n_iter_ >= STEPS).sum())
    if unsolved:
        warnings.warn(f"{name}: {unsolved} of {machine.n_iter_.size} pairs of classes were not "
                      f"solved within libsvm's {STEPS:,} steps; divide the bands (by 100, say) or "
                      "lower the cost", ConvergenceWarning, stacklevel=2)
    return SupportVectors(machine, name)


class Neighbours:
    """The class that most of the k nearest samples have."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder
        self.classes = finder.classes_

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row,) class most common among the neighbours; a tie goes to the smaller value."""
        return self._finder.predict(rows).astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row, class) share of each class among the neighbours."""
        return self._finder.predict_proba(rows)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Classes and the number of neighbours."""
        return {"classes": self.classes.tolist(), "k": self._finder.n_neighbors}


def fit_neighbours(rows: NDArray[np.float64], labels: NDArray[np.int64],
                   options: Mapping[str, Any]) -> Neighbours:
    """k nearest neighbours, found exactly whatever the search method."""
    from sklearn.neighbors import KNeighborsClassifier

    metric = METRICS.get(options["metric"].upper())
    if metric is None:
        raise EngineError(f"Classifier.smileKNN: metric {options['metric']!r} is not implemented "
                          f"by the local Earth Engine; {', '.join(METRICS)} are.")
    if not 1 <= options["k"] <= len(rows):
        raise EngineError(f"Classifier.smileKNN: k is {options['k']}; it must be 1 to "
                          f"{len(rows)}, the number of samples.")
    finder = KNeighborsClassifier(options["k"], metric=metric, algorithm="brute")
    return Neighbours(finder.fit(rows, labels))


class NearestMean:
    """The class whose mean is nearest."""

    def __init__(self, classes: NDArray[np.int64], means: NDArray[np.float64],
                 metric: str) -> None:
        self.classes, self._means, self._metric = classes, means, metric

    def distances(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row, class) distance to each class's mean."""
        from scipy.spatial.distance import cdist

        name = {"manhattan": "cityblock"}.get(self._metric, self._metric)
        return cdist(rows, self._means, name)

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row,) class of the nearest mean."""
        return self.classes[self.distances(rows).argmin(axis=1)].astype(np.float64)

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances are no probabilities."""
        raise no_shares("Classifier.minimumDistance")

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Classes and their means by input."""
        means = {str(c): dict(zip(inputs, m.tolist(), strict=True))
                 for c, m in zip(self.classes.tolist(), self._means, strict=True)}
        return {"classes": self.classes.tolist(), "means": means, "metric": self._metric}


def fit_means(rows: NDArray[np.float64], labels: NDArray[np.int64],
              options: Mapping[str, Any]) -> NearestMean:
    """Class means, for a distance that needs no covariance."""
    metric = options["metric"].lower()
    if metric not in ("euclidean", "manhattan", "cosine"):
        raise EngineError(f"Classifier.minimumDistance: metric {metric!r} is not implemented by "
                          "the local Earth Engine; euclidean, manhattan and cosine are.")
    if options["kNearest"] != 1:
        raise EngineError("Classifier.minimumDistance: kNearest above 1 is not implemented by the "
                          "local Earth Engine.")
    classes = np.unique(labels)
    return NearestMean(classes, np.stack([rows[labels == c].mean(axis=0) for c in classes]), metric)
