"""Training data from sparsely labelled scenes: split by place, and patches to draw from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.data.bands import BANDS
from lulc_lib.errors import InputError

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
            for r in range(rows.min(), rows.max() + 1)])
        numbers.append(table[np.ix_(rows - rows.min(), cols - cols.min())])
    return numbers


def split_by_place(labels: Sequence[xr.DataArray], share: float = 0.3, block: int = 40,
                   seed: int = 0) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
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


def _draw_blocks(codes: list[NDArray[np.uint8]], numbers: list[NDArray[np.int64]], share: float,
                 seed: int) -> NDArray[np.bool_]:
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
            "choose smaller blocks")
    held = min(max(round(share * len(labelled)), 1), len(labelled) - 1)
    rng = np.random.default_rng(seed)
    draws = [rng.permutation(labelled)[:held] for _ in range(DRAWS)]
    totals = counts.sum(axis=0)
    miss = [((counts[d].sum(axis=0) / totals - share) ** 2).sum() for d in draws]
    chosen = np.zeros(size, dtype=bool)
    chosen[draws[int(np.argmin(miss))]] = True
    return chosen


CLASSES = len(legend.CODES)
QUARRY = int(legend.to_index(np.array(legend.code("quarry"))))
RED, NEAR_INFRARED, SHORT_WAVE = (BANDS.index(b) for b in ("B04", "B08", "B11"))

PLACES = 2000
"""Patches kept ready for each class and scene; a step draws from them."""


@dataclass(frozen=True)
class TrainingSet:
    """Scenes brought to one size, and what is known of them.

    Attributes
    ----------
    inputs : array, (scene, channel, row, col) float32
        What the network takes, without gaps.
    targets : array, (scene, row, col) uint8
        Class indexes, IGNORE_INDEX where unlabelled.
    allowed : array, (scene, row, col) bool
        Upper-left corners that a patch may have.
    rock : array, (scene, row, col) float32
        Share of open rock (see :func:`rock_share`); 0 where no augmentation asks for it.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.uint8]
    allowed: NDArray[np.bool_]
    rock: NDArray[np.float32]

    @classmethod
    def of(cls, inputs: Sequence[NDArray[np.float32]], labels: Sequence[NDArray[np.uint8]],
           patch: int, sites: Sequence[Hashable] | None = None, rock: bool = False,
           allowed: NDArray[np.bool_] | None = None) -> TrainingSet:
        """Bring scenes to one size, at least a patch, by repeating their edge.

        Parameters
        ----------
        inputs, labels : sequence of array
            (channel, row, col) float32 and (row, col) uint8 legend codes; one per scene.
        patch : int, pixels
            Edge of a patch.
        sites : sequence, optional
            What scenes on one grid share: their quarries lie in the same place.
        rock : bool
            Find the open rock of quarries; inputs must then be reflectance.
        allowed : array, (row, col) bool, optional
            Corners that patches of every scene may have; all unless given.

        Raises
        ------
        InputError
            No labelled pixel.
        """
        if not any(np.any(m) for m in labels):
            raise InputError("there is no labelled pixel; nothing can be learned")
        size = tuple(np.max([m.shape for m in labels] + [(patch, patch)], axis=0))
        corners = np.zeros((len(labels), size[0] - patch + 1, size[1] - patch + 1), dtype=bool)
        for place, m in zip(corners, labels, strict=True):
            rows, cols = (max(n - patch, 0) + 1 for n in m.shape)
            place[:rows, :cols] = True if allowed is None else allowed[:rows, :cols]
        stack = np.stack([_to_size(i, size, mode="edge") for i in inputs])
        targets = np.stack([
            legend.to_index(_to_size(m, size, constant_values=legend.NO_DATA)) for m in labels])
        open_rock = np.zeros(targets.shape, dtype=np.float32)
        for site in dict.fromkeys(sites or [0]) if rock else ():
            members = [n for n, s in enumerate(sites or [0] * len(labels)) if s == site]
            quarries = (targets[members] == QUARRY).any(axis=0)
            for n in members if quarries.any() else ():
                open_rock[n] = rock_share(stack[n], targets[n], quarries)
        return cls(stack, targets, corners, open_rock)


def rock_share(scene: NDArray[np.float32], target: NDArray[np.uint8], quarries: NDArray[np.bool_]
               ) -> NDArray[np.float32]:
    """Return the share of open rock: the quarry label, and bare land within 12 pixels of one.

    ``scene`` is (10, row, col) reflectance, ``target`` (row, col) class indexes of its date,
    ``quarries`` (row, col) where quarry is labelled on any date that training sees.
    """
    from scipy import ndimage

    near = ndimage.distance_transform_edt(~quarries) <= 12
    red, bright, short = (scene[b] for b in (RED, NEAR_INFRARED, SHORT_WAVE))
    bare = ((bright - red) / (bright + red + 1e-3) < 0.3) & (bright > 0.06) & (short > 0.06)
    rock = (target == QUARRY) | (near & bare & (target == legend.IGNORE_INDEX))
    return ndimage.gaussian_filter(rock.astype(np.float32), 0.5)


def patch_places(data: TrainingSet, patch: int, balance: float, rng: np.random.Generator
                 ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Draw the patches that training draws from, each around a labelled pixel of its class.

    With ``balance`` 0 a class is drawn as often as it is labelled, with 1 every class equally often
    and, within it, a scene as often as the square root of its labels says.

    Returns
    -------
    places : array, (group, PLACES, 3) int32
        Scene, top row and left column.
    shares : array, (group,) float32
        How often each group is drawn; sum to 1.
    """
    places, found = [], []
    for scene, target in enumerate(data.targets):
        for index in range(CLASSES):
            at = np.argwhere(target == index)
            corners = _corners(at, data.allowed[scene], patch, rng) if len(at) else at
            if len(corners):
                drawn = corners[rng.integers(len(corners), size=PLACES)]
                places.append(np.column_stack([np.full(PLACES, scene), drawn]))
                found.append((index, len(at)))
    if not places:
        raise InputError("no patch with a label lies outside what is held out")
    classes, pixels = np.array(found).T
    share = pixels.astype(float) ** (1 - balance / 2)
    for index in np.unique(classes):
        group = classes == index
        share[group] *= pixels[group].sum() ** (1 - balance) / share[group].sum()
    return np.stack(places).astype(np.int32), (share / share.sum()).astype(np.float32)


def _corners(at: NDArray, allowed: NDArray[np.bool_], patch: int,
             rng: np.random.Generator) -> NDArray:
    """Return corners of allowed patches that hold one of the pixels ``at`` in their middle."""
    at = at[rng.integers(len(at), size=3 * PLACES)]
    quarter = patch // 4
    extent = allowed.any(axis=1).nonzero()[0], allowed.any(axis=0).nonzero()[0]
    last = [e.max() if len(e) else 0 for e in extent]
    corner = np.clip(at - rng.integers(quarter, patch - quarter, at.shape), 0, last)
    inside = ((at >= corner) & (at < corner + patch)).all(axis=1)
    return corner[inside & allowed[corner[:, 0], corner[:, 1]]]


def rock_means(data: TrainingSet) -> NDArray[np.float32]:
    """Return (scene, channel) mean input of labelled quarries; a scene without takes all scenes'.

    1 where no scene has any: there is no rock to be varied.
    """
    at = [s[:, t == QUARRY] for s, t in zip(data.inputs, data.targets, strict=True)]
    known = [v.mean(axis=1) for v in at if v.size]
    usual = np.mean(known, axis=0) if known else np.ones(data.inputs.shape[1])
    return np.stack([v.mean(axis=1) if v.size else usual for v in at]).astype(np.float32)


def _to_size(values: NDArray, size: tuple[int, int], **how: object) -> NDArray:
    """Return the array with its last two axes extended to ``size`` (see ``np.pad``)."""
    missing = [n - have for n, have in zip(size, values.shape[-2:], strict=True)]
    width = [(0, 0)] * (values.ndim - 2) + [(0, m) for m in missing]
    return np.pad(values, width, **how) if any(missing) else values
