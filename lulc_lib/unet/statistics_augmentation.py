"""Statistics that a scene would have if its landscapes had other shares: an augmentation.

Standardising each scene by its own mean and standard deviation leans on what else is in the scene:
the same crop is bright in a scene full of forest and dark in a scene full of pits. A network that
has seen its patches standardised by other mixes of the scene's blocks learns not to lean on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lulc_lib.errors import InputError

SIDE = 50
"""Pixels, edge of a block of one landscape."""

SMALLEST_SD = 1e-3
"""Standard deviations below this (units of the input) are raised to it."""


class Mixture:
    """Draws mean and standard deviation of a scene under random shares of its blocks.

    Parameters
    ----------
    inputs : (band, row, col) float32 network input without gaps, one per scene.
    concentration : of the Dirichlet distribution that the shares come from, above 0: small, and a
        few blocks make up nearly all; large, and the scene's own statistics come back.
    bands : leading channels to standardise anew; the others stay as they are.

    Raises
    ------
    InputError
        ``concentration`` is not above 0.
    """

    def __init__(
        self, inputs: Sequence[NDArray[np.float32]], concentration: float, bands: int
    ) -> None:
        if not concentration > 0:
            raise InputError(f"concentration is {concentration}; it must be above 0")
        self.concentration, self.bands = concentration, bands
        self.blocks = [self._blocks(i[:bands]) for i in inputs]

    def _blocks(
        self, values: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(block, band) mean and mean square of every block."""
        rows, cols = values.shape[1:]
        parts = [values[:, r:r + SIDE, c:c + SIDE].astype(np.float64)
                 for r in range(0, rows, SIDE) for c in range(0, cols, SIDE)]
        return (np.array([p.mean(axis=(1, 2)) for p in parts]),
                np.array([(p**2).mean(axis=(1, 2)) for p in parts]))

    def draw(
        self, scene: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation, each (band, 1, 1) float32, of scene number ``scene``."""
        means, squares = self.blocks[scene]
        shares = rng.dirichlet(np.full(len(means), self.concentration))
        mean = shares @ means
        sd = np.sqrt(np.maximum(shares @ squares - mean**2, SMALLEST_SD**2))
        return mean.astype(np.float32)[:, None, None], sd.astype(np.float32)[:, None, None]

    def apply(
        self, values: NDArray[np.float32], scene: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """A patch (band, row, col) of a scene, its leading bands under another mix."""
        mean, sd = self.draw(scene, rng)
        return np.concatenate([(values[:self.bands] - mean) / sd, values[self.bands:]])
