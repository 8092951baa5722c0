"""The training loop: same data, settings, seed and machine give the same weights."""

from __future__ import annotations

import math
import sys
import time
import zlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from tqdm import tqdm

from lulc_lib import legend
from lulc_lib.accuracy.confusion import as_confusion, confusion_matrix
from lulc_lib.accuracy.metrics import macro_f1, overall_accuracy
from lulc_lib.errors import InputError
from lulc_lib.unet import normalise, store
from lulc_lib.unet.config import TrainConfig, steps_per_epoch
from lulc_lib.unet.loss import FocalLoss, class_weights, label_counts
from lulc_lib.unet.networks import Network
from lulc_lib.unet.normalise import Normalisation
from lulc_lib.unet.patches import PatchSampler, split_by_place
from lulc_lib.unet.predict import map_codes

WARM_UP = 0.2
"""Share of the steps in which the one-cycle schedule rises."""

LAYOUT = torch.channels_last
"""Order of the network's arrays in memory while it learns: a fifth faster than the default on a
CPU, measured with 16 base channels and 16 patches of 64 × 64 pixels."""


@dataclass
class TrainResult:
    """A trained network and how it came about.

    Attributes
    ----------
    model : the network, in evaluation mode.
    normalisation : to be used in prediction.
    history : one row per epoch: ``epoch``, ``step``, ``loss`` (mean over the epoch's batches),
        ``learning_rate``, ``validation_oa``, ``validation_macro_f1`` (over the classes that the
        validation labels hold; NaN without validation).
    seconds : wall time of training and validation, over all parts of an interrupted run.
    config, seed : as given.
    """

    model: Network
    normalisation: Normalisation
    history: list[dict[str, float]]
    seconds: float
    config: TrainConfig
    seed: int

    def save(self, path: Path | str) -> None:
        """Write a model file (see :func:`lulc_lib.unet.store.save_model`)."""
        store.save_model(path, self.model, self.normalisation, self.config)


@dataclass
class _Run:
    """What the loop works on."""

    config: TrainConfig
    seed: int
    model: Network
    optimiser: torch.optim.Optimizer
    loss: FocalLoss
    sampler: PatchSampler
    normalisation: Normalisation
    inputs: list[NDArray[np.float32]]
    validation: list[NDArray[np.uint8]]
    fingerprint: int
    steps: int  # in an epoch
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0


def train(
    scenes: Sequence[xr.DataArray],
    masks: Sequence[xr.DataArray],
    config: TrainConfig,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    log_dir: Path | str | None = None,
    progress: bool = True,
) -> TrainResult:
    """Train a U-Net on labelled scenes.

    Parameters
    ----------
    scenes : (band, y, x) float32, reflectance, NaN where a band holds no data; any sizes and sites.
    masks : (y, x) uint8 legend codes on the scenes' grids, NO_DATA where unlabelled.
    config : settings; see :class:`lulc_lib.unet.config.TrainConfig`.
    seed : of the first weights, the validation blocks and the patches.
    checkpoint : file written after every epoch. If it is there already, training goes on from it
        and ends with the very weights it would have had without the stop.
    log_dir : folder for TensorBoard logs; None writes none.
    progress : show a bar on stderr.

    Returns
    -------
    See :class:`TrainResult`.

    Raises
    ------
    InputError
        Scenes and masks do not fit, no labelled pixel, or a checkpoint of another run.
    """
    run = _prepare(scenes, masks, config, seed)
    if checkpoint is not None and Path(checkpoint).exists():
        _resume(run, checkpoint)
    done, total = len(run.history), config.epochs * run.steps
    with (
        closing(_Log(log_dir)) as log,
        tqdm(total=total, initial=done * run.steps, desc=f"training {config.name}", unit="step",
             file=sys.stderr, disable=not progress) as bar,
    ):
        for epoch in range(done, config.epochs):
            start = time.perf_counter()
            row = _epoch(run, epoch, bar)
            run.seconds += time.perf_counter() - start
            run.history.append(row)
            bar.set_postfix(loss=f"{row['loss']:.3f}", OA=f"{row['validation_oa']:.3f}")
            log.write(row)
            if checkpoint is not None:
                _save(run, checkpoint)
    model = run.model.to(memory_format=torch.contiguous_format).eval()  # as after load_model
    return TrainResult(model, run.normalisation, run.history, run.seconds, config, seed)


def _prepare(
    scenes: Sequence[xr.DataArray], masks: Sequence[xr.DataArray], config: TrainConfig, seed: int
) -> _Run:
    _check(scenes, masks)
    normalisation = normalise.fit(config.normalisation, scenes)
    inputs = [normalisation.apply(s) for s in scenes]
    training, validation = split_by_place(masks, config.validation_share, config.block, seed)
    sampler = PatchSampler(
        inputs, training, config.patch, config.centre_balance, config.radiometric_sd
    )
    device = store.pick_device()
    model = store.build(config, seed).to(device, memory_format=LAYOUT)
    weight = torch.from_numpy(class_weights(label_counts(training), config.weight_power))
    optimiser = torch.optim.Adam(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    return _Run(
        config, seed, model, optimiser, FocalLoss(config.gamma, weight).to(device), sampler,
        normalisation, inputs, validation, _fingerprint([*inputs, *training, *validation]),
        steps_per_epoch(config, sum(m.size for m in training)),
    )


def _check(scenes: Sequence[xr.DataArray], masks: Sequence[xr.DataArray]) -> None:
    if not len(scenes) or len(scenes) != len(masks):
        raise InputError(f"{len(scenes)} scenes and {len(masks)} masks were given; there must be "
                         "at least one scene and one mask for each")
    for scene, mask in zip(scenes, masks, strict=True):
        if mask.shape != scene.shape[-2:]:
            raise InputError(
                f"mask {mask.attrs.get('name', '')} is {mask.shape}; scene "
                f"{scene.attrs.get('name', '')} has {scene.shape[-2:]} pixels: read the mask onto "
                "the scene's grid"
            )


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """Learning rate of a step: constant, or up in a straight line and down in half a cosine.

    >>> config = TrainConfig("example", base=4, learning_rate=0.01)
    >>> [round(learning_rate(config, s, 100), 4) for s in (0, 19, 20, 60, 99)]
    [0.0005, 0.01, 0.01, 0.005, 0.0]
    """
    if config.schedule == "constant":
        return config.learning_rate
    rise = max(round(WARM_UP * total), 1)
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    return config.learning_rate * (1 + math.cos(math.pi * (step - rise) / (total - rise))) / 2


def _epoch(run: _Run, epoch: int, bar: tqdm) -> dict[str, float]:
    """Train for one epoch, judge on the validation labels, and say how it went."""
    run.model.train()
    device = next(run.model.parameters()).device
    total, losses = run.config.epochs * run.steps, []
    for step in range(epoch * run.steps, (epoch + 1) * run.steps):
        rate = learning_rate(run.config, step, total)
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        x, target = run.sampler.draw(run.config.batch, run.seed, step)
        inputs = torch.from_numpy(x).to(device, memory_format=LAYOUT)  # (N, band, row, col)
        loss = run.loss(run.model(inputs), torch.from_numpy(target).to(device))
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        run.optimiser.step()
        losses.append(loss.item())
        bar.update()
    judged = [confusion_matrix(map_codes(run.model, i), v)
              for i, v in zip(run.inputs, run.validation, strict=True) if v.any()]
    matrix = sum(judged[1:], start=judged[0]) if judged else as_confusion([[0]], legend.CODES[:1])
    return {
        "epoch": epoch + 1, "step": (epoch + 1) * run.steps, "loss": float(np.mean(losses)),
        "learning_rate": rate, "validation_oa": overall_accuracy(matrix),
        "validation_macro_f1": macro_f1(matrix),
    }


def _fingerprint(arrays: Sequence[np.ndarray]) -> int:
    """One number that tells whether a checkpoint belongs to these data."""
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array), value)
    return value


def _save(run: _Run, path: Path | str) -> None:
    values = store.contents(
        run.model, run.normalisation, run.config, seed=run.seed, fingerprint=run.fingerprint,
        optimiser=run.optimiser.state_dict(), history=run.history, seconds=run.seconds,
    )
    store.write_file(values, path)


def _resume(run: _Run, path: Path | str) -> None:
    """Bring a prepared run to the state of its checkpoint."""
    values = store.read_file(path)
    mine = {"config": run.config, "seed": run.seed, "fingerprint": run.fingerprint}
    for key, value in mine.items():
        if key not in values:
            raise InputError(f"{path}: is a model file; training can go on from a checkpoint only")
        theirs = TrainConfig.from_dict(values[key]) if key == "config" else values[key]
        if theirs != value:
            what = "data" if key == "fingerprint" else key
            raise InputError(f"{path}: belongs to a run with another {what}; delete it or name "
                             "another checkpoint")
    run.model.load_state_dict(values["weights"])
    run.optimiser.load_state_dict(values["optimiser"])
    run.history, run.seconds = list(values["history"]), float(values["seconds"])


class _Log:
    """TensorBoard scalars, or nothing."""

    def __init__(self, folder: Path | str | None) -> None:
        self.writer = None
        if folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(folder))

    def write(self, row: dict[str, float]) -> None:
        """One epoch's numbers, at its last step."""
        for key, value in row.items():
            if self.writer is not None and key not in ("epoch", "step"):
                self.writer.add_scalar(key, value, int(row["step"]))

    def close(self) -> None:
        """Finish the log file."""
        if self.writer is not None:
            self.writer.close()
