"""Probabilities that mean what they say: reliability and expected calibration error.

``experiments.protocol_assess`` counts; ``experiments.protocol_results`` chooses the temperature.
Source: Guo et al. 2017, On calibration of modern neural networks, ICML, sections 2 and 4.2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Equal steps of confidence from 0 to 1; a step holds its lower end."""
TEMPERATURES: tuple[float, ...] = tuple(np.geomspace(0.4, 4.0, 24).tolist())
"""Temperatures that logits are divided by, to choose between."""


class Reliability(NamedTuple):
    """Sums of a reliability diagram, each (bin,) over equal steps of confidence.

    ``count``: pixels; ``confidence``: their summed probability of the mapped class; ``correct``:
    how many of them are right.
    """

    count: NDArray[np.float64]
    confidence: NDArray[np.float64]
    correct: NDArray[np.float64]


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
    return float(np.abs(table.correct - table.confidence).sum() / total) if total else np.nan
