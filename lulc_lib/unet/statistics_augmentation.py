"""Augmentation: the statistics that a scene would have if its landscapes had other shares.

A scene standardised by its own mean and standard deviation depends on what else is in it: the same
crop is bright in a scene full of forest and dark in a scene full of pits. A network that has seen
its patches standardised by other mixes of the scene's blocks learns not to rely on that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lulc_lib.errors import InputError

BLOCK = 50
"""Pixels, edge of a block of one landscape."""

SMALLEST_SD = 1e-3
"""Standard deviations below this (units of the input) are raised to it."""


class StatisticsAugmentation:
    """Standardises patches anew under random shares of their scene's blocks.

    Parameters
    ----------
    inputs : sequence of array, (band, row, col) float32
        Network input without gaps, one per scene.
    concentration : float
        Of the Dirichlet distribution that the shares come from, above 0: small, and a few blocks
        make up nearly all; large, and the scene's own statistics come back.
    bands : int
        Leading channels to standardise anew; the others stay as they are.
    share : float
        Of the patches that are changed.

    Raises
    ------
    InputError
        ``concentration`` is not above 0.
    """

    def __init__(
        self, inputs: Sequence[NDArray[np.float32]], concentration: float, bands: int,
        share: float = 1.0,
    ) -> None:
        if not concentration > 0:
            raise InputError(f"concentration is {concentration}; it must be above 0")
        self.concentration, self.bands, self.share = concentration, bands, share
        self.blocks = [self._moments(i[:bands]) for i in inputs]

    def _moments(
        self, values: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (block, band) mean and mean square of every block."""
        rows, cols = values.shape[1:]
        parts = [values[:, r:r + BLOCK, c:c + BLOCK].astype(np.float64)
                 for r in range(0, rows, BLOCK) for c in range(0, cols, BLOCK)]
        return (np.array([p.mean(axis=(1, 2)) for p in parts]),
                np.array([(p**2).mean(axis=(1, 2)) for p in parts]))

    def draw(
        self, scene: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw mean and standard deviation of a scene, each (band, 1, 1) float32."""
        means, squares = self.blocks[scene]
        shares = rng.dirichlet(np.full(len(means), self.concentration))
        mean = shares @ means
        sd = np.sqrt(np.maximum(shares @ squares - mean**2, SMALLEST_SD**2))
        return mean.astype(np.float32)[:, None, None], sd.astype(np.float32)[:, None, None]

    def apply(
        self, values: NDArray[np.float32], scene: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return a patch (channel, row, col) of a scene, its bands under another mix."""
        mean, sd = self.draw(scene, rng)
        return np.concatenate([(values[:self.bands] - mean) / sd, values[self.bands:]])

    def __call__(
        self, values: NDArray[np.float32], target: NDArray[np.uint8], scene: int,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Change a patch with probability ``share``; see ``dataset.Augmentation``."""
        if rng.random() < self.share:
            values = self.apply(values, scene, rng)
        return values, target
