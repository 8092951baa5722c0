"""Probabilities that mean what they say: temperature scaling and expected calibration error.

Source: Guo et al. 2017, On calibration of modern neural networks, ICML, sections 2 and 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lulc_lib.errors import InputError

BINS = 15
TEMPERATURES: tuple[float, ...] = tuple(np.geomspace(0.4, 4.0, 24).tolist())
"""Temperatures that :func:`fit_temperature` chooses between."""


class Reliability(NamedTuple):
    """Sums of a reliability diagram, each (bin,) over equal steps of confidence.

    ``count``: pixels; ``confidence``: their summed probability of the mapped class; ``correct``:
    how many of them are right.
    """

    count: NDArray[np.float64]
    confidence: NDArray[np.float64]
    correct: NDArray[np.float64]


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Return (sample, class) probabilities of (sample, class) logits divided by a temperature.

    >>> softmax(np.log([[1.0, 3.0]])).round(3).tolist()
    [[0.25, 0.75]]
    """
    if not temperature > 0:
        raise InputError(f"temperature is {temperature}; it must be above 0")
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    weights = np.exp(scaled)
    return weights / weights.sum(axis=1, keepdims=True)


def negative_log_likelihood(logits: NDArray[np.floating], target: NDArray[np.integer],
                            temperature: float = 1.0) -> float:
    """Return the mean −log p of the reference class.

    Parameters
    ----------
    logits : array, shape (sample, class)
        Of a network, before the softmax.
    target : array of int, shape (sample,)
        Class index of the reference, from 0.
    temperature : float
        What the logits are divided by.
    """
    probability = softmax(logits, temperature)[np.arange(len(target)), target]
    return float(-np.log(np.maximum(probability, 1e-12)).mean())


def fit_temperature(logits: Sequence[NDArray[np.floating]],
                    target: Sequence[NDArray[np.integer]]) -> float:
    """Return the temperature that makes the likelihood of held-out groups largest.

    Every group counts the same, whatever its number of pixels.

    Parameters
    ----------
    logits : sequence of arrays, shape (sample, class)
        One of each held-out group, of the model that did not see the group.
    target : sequence of arrays of int, shape (sample,)
        Class index of the reference, from 0.
    """
    if not len(logits) or any(not len(t) for t in target):
        raise InputError("a held-out group is empty; each needs a reference pixel or more")
    losses = [np.mean([negative_log_likelihood(z, t, temperature)
                       for z, t in zip(logits, target, strict=True)])
              for temperature in TEMPERATURES]
    return TEMPERATURES[int(np.argmin(losses))]


def reliability(probabilities: NDArray[np.floating], target: NDArray[np.integer],
                bins: int = BINS) -> Reliability:
    """Count confidence and correctness of the mapped class, in bins of confidence.

    Parameters
    ----------
    probabilities : array, shape (sample, class)
        Sum to 1 over the classes.
    target : array of int, shape (sample,)
        Class index of the reference, from 0.
    bins : int
        Number of equal steps of confidence from 0 to 1; a step holds its lower end.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == target
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    return Reliability(*(np.bincount(number, weights, bins).astype(float)
                         for weights in (None, confidence, correct)))


def expected_calibration_error(table: Reliability) -> float:
    """Return the mean over the pixels of |share correct − mean confidence| of their bin.

    Returns
    -------
    float
        NaN without a pixel.

    Examples
    --------
    >>> expected_calibration_error(Reliability(*np.array([[2.0], [1.8], [1.0]])))
    0.4
    """
    total = table.count.sum()
    return float(np.abs(table.correct - table.confidence).sum() / total) if total else float("nan")
