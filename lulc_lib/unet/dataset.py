"""Training data from sparsely labelled scenes: split by place, patches and their augmentations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.loss import label_counts
from lulc_lib.unet.statistics_augmentation import StatisticsAugmentation

DRAWS = 200
"""Random draws of validation blocks from which the one with the best class shares is taken."""


def _block_numbers(labels: Sequence[xr.DataArray], block: int) -> list[NDArray[np.int64]]:
    """Return for every scene the number of the square block each pixel lies in, (row, col) int64.

    Blocks lie on one lattice of map coordinates for each CRS, so the same place has the same number
    on every date, also where scenes of one site start at different corners.
    """
    side = block * abs(labels[0].rio.resolution()[0])
    numbered: dict[tuple[str, int, int], int] = {}
    numbers = []
    for raster in labels:
        rows = np.floor(raster.y.values / side).astype(int)
        cols = np.floor(raster.x.values / side).astype(int)
        crs = str(raster.rio.crs)
        table = np.array([
            [numbered.setdefault((crs, r, c), len(numbered))
             for c in range(cols.min(), cols.max() + 1)]
            for r in range(rows.min(), rows.max() + 1)
        ])
        numbers.append(table[np.ix_(rows - rows.min(), cols - cols.min())])
    return numbers


def split_by_place(
    labels: Sequence[xr.DataArray], share: float = 0.3, block: int = 40, seed: int = 0
) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Divide labels into training and validation by place, in square blocks.

    A block is for training or for validation on every date, so no place whose label evaluates the
    network is shown to it with a label on another date. Among ``DRAWS`` random draws of blocks the
    one is taken whose share is closest to ``share`` in every class.

    Source: Hejmanowska et al. 2025, section 2.3.1 (70/30, there a random split).

    Parameters
    ----------
    labels : sequence of DataArray, (y, x) uint8 legend codes with CRS
        One per scene, any sizes and sites.
    share : float, 0 ≤ share < 1
        Of the labelled blocks that go to validation; 0 keeps all labels for training.
    block : int, pixels
        Edge of a block.
    seed : int
        Of the draw.

    Returns
    -------
    training, validation : list of array, (row, col) uint8 legend codes
        A label stands in one of them and is NO_DATA in the other.

    Raises
    ------
    InputError
        A share or block out of range, or fewer than two labelled blocks.
    """
    if not 0 <= share < 1:
        raise InputError(f"share is {share}; it must be at least 0 and below 1")
    if block < 1:
        raise InputError(f"block is {block}; it must be at least 1 pixel")
    codes = [np.asarray(m.values, dtype=np.uint8) for m in labels]
    if share == 0:
        return codes, [np.full_like(c, legend.NO_DATA) for c in codes]
    numbers = _block_numbers(labels, block)
    chosen = _draw_blocks(codes, numbers, share, seed)
    held = [chosen[n] for n in numbers]
    training, validation = (
        [np.where(h == part, c, legend.NO_DATA).astype(np.uint8)
         for c, h in zip(codes, held, strict=True)] for part in (False, True))
    return training, validation


def _draw_blocks(
    codes: list[NDArray[np.uint8]], numbers: list[NDArray[np.int64]], share: float, seed: int
) -> NDArray[np.bool_]:
    """Return (block,) bool: True for validation."""
    size = max(int(n.max()) for n in numbers) + 1
    counts = np.zeros((size, 256))
    for code, number in zip(codes, numbers, strict=True):
        np.add.at(counts, (number.ravel(), code.ravel()), 1)
    counts = counts[:, list(legend.CODES)]
    counts = counts[:, counts.any(axis=0)]
    labelled = np.flatnonzero(counts.any(axis=1))
    if len(labelled) < 2:
        raise InputError(
            f"the labels lie in {len(labelled)} block(s); a split by place needs at least two: "
            "choose smaller blocks"
        )
    held = min(max(round(share * len(labelled)), 1), len(labelled) - 1)
    rng = np.random.default_rng(seed)
    draws = [rng.permutation(labelled)[:held] for _ in range(DRAWS)]
    totals = counts.sum(axis=0)
    miss = [((counts[d].sum(axis=0) / totals - share) ** 2).sum() for d in draws]
    chosen = np.zeros(size, dtype=bool)
    chosen[draws[int(np.argmin(miss))]] = True
    return chosen


Augmentation = Callable[
    [NDArray[np.float32], NDArray[np.uint8], int, np.random.Generator],
    tuple[NDArray[np.float32], NDArray[np.uint8]],
]
"""From a patch (channel, row, col), its targets (row, col), the number of its scene and a random
generator to the changed patch and targets."""


def turn_and_mirror(
    values: NDArray[np.float32], target: NDArray[np.uint8], scene: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Turn a patch by any quarter turns and mirror it or not: an :data:`Augmentation`."""
    turns, mirror = rng.integers(4), rng.integers(2)
    values, target = np.rot90(values, turns, (-2, -1)), np.rot90(target, turns)
    return (values[..., ::-1], target[..., ::-1]) if mirror else (values, target)


class RadiometricJitter:
    """Changes gain (about 1) and offset (about 0) of each channel at random.

    Parameters
    ----------
    sd : float, units of the normalised input
        Standard deviation of both.
    """

    def __init__(self, sd: float) -> None:
        self.sd = sd

    def __call__(
        self, values: NDArray[np.float32], target: NDArray[np.uint8], scene: int,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Change a patch: an :data:`Augmentation`."""
        jitter = rng.normal(0, self.sd, (2, len(values), 1, 1)).astype(np.float32)
        return values * (1 + jitter[0]) + jitter[1], target


AUGMENTATIONS: dict[
    str, Callable[[TrainConfig, Sequence[NDArray[np.float32]]], Augmentation]
] = {
    "statistics_augmentation": lambda config, inputs: StatisticsAugmentation(
        inputs, config.statistics_augmentation, len(BANDS), config.statistics_augmentation_share),
    "radiometric_jitter": lambda config, inputs: RadiometricJitter(config.radiometric_jitter),
}
"""Setting of ``TrainConfig`` that asks for an augmentation when it is not 0, to what makes it from
the settings and the scenes' network input. They follow each other in this order."""


def augmentations_of(
    config: TrainConfig, inputs: Sequence[NDArray[np.float32]]
) -> list[Augmentation]:
    """Return the augmentations that a configuration asks for, turning and mirroring first."""
    return [turn_and_mirror, *(make(config, inputs) for name, make in AUGMENTATIONS.items()
                               if getattr(config, name))]


class PatchSampler:
    """Draws batches of patches that each hold labelled pixels, from scenes of any size.

    A patch is placed so that a labelled pixel, whose class is drawn first, lies somewhere in its
    middle; then it is augmented. A batch depends on ``seed`` and ``step`` alone, so training can
    stop and go on anywhere.

    Parameters
    ----------
    inputs : sequence of array, (channel, row, col) float32
        Normalised, without gaps; one per scene.
    labels : sequence of array, (row, col) uint8 legend codes
        NO_DATA where unlabelled; one per scene.
    patch : int, pixels
        Edge of a patch. Smaller scenes are extended by repeating their edge.
    balance : float
        0 draws the centre's class as often as it is labelled, 1 every class equally often.
    augmentations : sequence of Augmentation
        Applied to every patch one after the other.

    Raises
    ------
    InputError
        No labelled pixel.
    """

    def __init__(
        self,
        inputs: Sequence[NDArray[np.float32]], labels: Sequence[NDArray[np.uint8]], patch: int,
        balance: float = 1.0, augmentations: Sequence[Augmentation] = (turn_and_mirror,),
    ) -> None:
        self.patch, self.augmentations = patch, augmentations
        self.inputs = [_at_least(i, patch, mode="edge") for i in inputs]
        self.targets = [
            legend.to_index(_at_least(m, patch, constant_values=legend.NO_DATA)) for m in labels
        ]
        counts = label_counts(labels)
        if not counts.any():
            raise InputError("there is no labelled pixel; nothing can be learned")
        self.classes = np.flatnonzero(counts)
        frequency = counts[self.classes].astype(float) ** (1 - balance)
        self.probability = frequency / frequency.sum()
        self.places = [
            np.concatenate([
                np.column_stack([np.full(len(p), s), p])
                for s, p in enumerate(np.argwhere(t == index) for t in self.targets)
            ])
            for index in self.classes
        ]

    def draw(
        self, batch: int, seed: int, step: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Draw one batch: inputs (N, channel, row, col) float32, targets (N, row, col) int64.

        Targets are class indexes (``legend.to_index``), IGNORE_INDEX where unlabelled.
        """
        rng = np.random.default_rng([seed, step])
        pairs = [self._one(rng) for _ in range(batch)]
        return np.stack([i for i, _ in pairs]), np.stack([t for _, t in pairs]).astype(np.int64)

    def _one(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        places = self.places[rng.choice(len(self.classes), p=self.probability)]
        scene, row, col = places[rng.integers(len(places))]
        quarter = self.patch // 4
        rows, cols = self.targets[scene].shape
        top, left = (
            int(np.clip(at - rng.integers(quarter, self.patch - quarter), 0, size - self.patch))
            for at, size in ((row, rows), (col, cols))
        )
        window = np.s_[top:top + self.patch, left:left + self.patch]
        values, target = self.inputs[scene][(slice(None), *window)], self.targets[scene][window]
        for augment in self.augmentations:
            values, target = augment(values, target, scene, rng)
        return values, target


def _at_least(values: NDArray, size: int, **how: object) -> NDArray:
    """Return the array with its last two axes extended to at least ``size`` (see ``np.pad``)."""
    missing = [max(size - n, 0) for n in values.shape[-2:]]
    width = [(0, 0)] * (values.ndim - 2) + [(0, m) for m in missing]
    return np.pad(values, width, **how) if any(missing) else values
