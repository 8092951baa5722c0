"""Classifiers: what is asked for, what has been trained, and what both say of themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ee_local.confusion import ConfusionMatrix, count_pairs
from ee_local.errors import EngineError

MODES = ("CLASSIFICATION", "REGRESSION", "PROBABILITY", "MULTIPROBABILITY", "RAW",
         "RAW_REGRESSION")


class Model(Protocol):
    """A fitted model: ``classes`` (class,) in ascending order, and predictions by row."""

    classes: NDArray[np.int64]

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row,) class values of (row, input) values."""

    def shares(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row, class) probabilities; an EngineError if the model has none."""

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """What the model says of itself."""


Fit = Callable[[NDArray[np.float64], NDArray[np.int64], Mapping[str, Any]], Model]


@dataclass(frozen=True)
class Classifier:
    """A classifier's name, options and output mode; its inputs and model once it is trained.

    ``fit`` takes rows (row, input) float64, class values (row,) int64 and the options.
    ``confusion`` is the resubstitution matrix.
    """

    name: str
    options: Mapping[str, Any]
    fit: Fit | None = field(default=None, repr=False)
    mode: str = "CLASSIFICATION"
    inputs: tuple[str, ...] | None = None
    model: Model | None = field(default=None, repr=False)
    confusion: ConfusionMatrix | None = field(default=None, repr=False)

    def trained(self, rows: NDArray[np.float64], labels: NDArray[np.int64],
                inputs: list[str]) -> Classifier:
        """This classifier, trained.

        Parameters
        ----------
        rows : (row, input) float64, no gaps.
        labels : (row,) class values.
        inputs : the inputs' names.

        Raises
        ------
        EngineError
            It needs no training, or there is nothing to learn from.
        """
        if self.fit is None:
            raise EngineError(f"Classifier.train: {self.name} is applied as it is; it is not "
                              "trained.")
        if not len(rows):
            raise EngineError("Classifier.train: No training data was found.")
        if len(np.unique(labels)) < 2:
            raise EngineError("Classifier.train: Only one class.")
        model = self.fit(rows, labels, self.options)
        found = count_pairs(labels.astype(np.float64), model.predict(rows), None) \
            if labels.min() >= 0 else None
        return replace(self, inputs=tuple(inputs), model=model, confusion=found)

    def ready(self, where: str) -> Model:
        """The trained model, or an error."""
        if self.model is None:
            raise EngineError(f"{where}: Classifier is not trained.")
        return self.model

    def output(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row,) or, in a mode of several values, (row, value): what the output mode asks for."""
        model = self.ready("classify")
        if self.mode == "CLASSIFICATION":
            return model.predict(rows)
        if self.mode == "MULTIPROBABILITY":
            return model.shares(rows)
        if self.mode == "PROBABILITY":
            return model.shares(rows).max(axis=1)
        raise EngineError(f"Classifier.setOutputMode: {self.mode} of {self.name} is not "
                          "implemented by the local Earth Engine.")

    def description(self) -> dict[str, Any]:
        """Name, options, mode and inputs."""
        found = {"classifier": self.name, "mode": self.mode,
                 **{k: v for k, v in self.options.items() if v is not None}}
        return found | ({"schema": list(self.inputs)} if self.inputs else {})


def no_shares(name: str) -> EngineError:
    """The error of a model that has no probabilities here."""
    return EngineError(f"{name}: the output mode PROBABILITY is not implemented by the local Earth "
                       "Engine for this classifier.")
