"""What a training run works on, and its checkpoint: a stopped run goes on bit for bit."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError
from lulc_lib.unet import checkpoint as store
from lulc_lib.unet import normalise
from lulc_lib.unet.config import TrainConfig, steps_per_epoch
from lulc_lib.unet.device import LAYOUT, pick_device, pick_precision
from lulc_lib.unet.label_propagation import carried_over
from lulc_lib.unet.loss import FocalLoss, class_weights, label_counts
from lulc_lib.unet.networks import Network
from lulc_lib.unet.normalise import Normalisation
from lulc_lib.unet.patches import PatchSampler, split_by_place
from lulc_lib.unet.statistics_augmentation import Mixture


@dataclass
class Run:
    """A prepared training run.

    Attributes
    ----------
    model : the network that learns; ``averaged``: its running mean, None without one.
    inputs : (band, row, col) float32 network input, one per scene.
    validation : (row, col) uint8 legend codes held back, one per scene.
    fingerprint : of inputs and labels; tells whether a checkpoint belongs to them.
    steps : batches in an epoch.
    best : weights of the best epoch so far, if the run may stop early.
    """

    config: TrainConfig
    seed: int
    device: torch.device
    precision: torch.dtype
    model: Network
    averaged: AveragedModel | None
    optimiser: torch.optim.Optimizer
    loss: FocalLoss
    sampler: PatchSampler
    normalisation: Normalisation
    inputs: list[NDArray[np.float32]]
    validation: list[NDArray[np.uint8]]
    fingerprint: int
    steps: int
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    best: dict[str, torch.Tensor] | None = None

    @property
    def judged(self) -> Network:
        """The network whose maps count: the running mean if there is one."""
        return self.averaged.module if self.averaged is not None else self.model

    def best_epoch(self) -> int:
        """Index in ``history`` of the highest macro F1 on the labels held back."""
        return int(np.nanargmax([row["validation_macro_f1"] for row in self.history]))

    def is_over(self) -> bool:
        """Whether all epochs are done, or the last ``patience`` of them brought nothing."""
        done, patience = len(self.history), self.config.patience
        waited = patience and done and done - 1 - self.best_epoch() >= patience
        return done >= self.config.epochs or bool(waited)


def prepare(
    scenes: Sequence[xr.DataArray], masks: Sequence[xr.DataArray], config: TrainConfig, seed: int
) -> Run:
    """Everything that is there before the first step; parameters as in ``train.train``."""
    _check(scenes, masks)
    normalisation = normalise.fit(config.normalisation, scenes)
    inputs = [normalisation.apply(s) for s in scenes]
    training, validation = split_by_place(masks, config.validation_share, config.block, seed)
    training = carried_over(training, masks, config.lasting)
    if config.patience and not any(v.any() for v in validation):
        raise InputError(f"patience is {config.patience}; stopping early needs labels held back: "
                         "validation_share must be above 0")
    mixture = Mixture(inputs, config.mixture, len(BANDS)) if config.mixture else None
    sampler = PatchSampler(inputs, training, config.patch, config.centre_balance,
                           config.radiometric_sd, mixture, config.mixture_share)
    device = pick_device()
    model = store.build(config, seed).to(device, memory_format=LAYOUT)
    averaged = AveragedModel(
        model, multi_avg_fn=running_mean(config.ema), use_buffers=True
    ) if config.ema else None
    weight = torch.from_numpy(class_weights(label_counts(training), config.weight_power))
    optimiser = torch.optim.Adam(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    return Run(
        config, seed, device, pick_precision(config.precision, device), model, averaged, optimiser,
        FocalLoss(config.gamma, weight).to(device), sampler, normalisation, inputs, validation,
        _fingerprint([*inputs, *training, *validation]),
        steps_per_epoch(config, sum(m.size for m in training)),
    )


def running_mean(decay: float) -> Callable[[list[Tensor], list[Tensor], int], None]:
    """Rule of the running mean: ``decay`` of the old weights stays at every step, less at first.

    After n steps at most (n + 1) / (n + 10) stays, so that the first weights, which were drawn at
    random, are soon forgotten also in a short run.
    """

    def update(mean: list[Tensor], weights: list[Tensor], steps: int) -> None:
        kept = min(decay, (int(steps) + 1) / (int(steps) + 10))
        get_ema_multi_avg_fn(kept)(mean, weights, steps)

    return update


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


def _fingerprint(arrays: Sequence[np.ndarray]) -> int:
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array), value)
    return value


def save(run: Run, path: Path | str) -> None:
    """Write the state after an epoch; the file is a model file with more in it."""
    values = store.contents(
        run.judged, run.normalisation, run.config, seed=run.seed, fingerprint=run.fingerprint,
        learning=run.model.state_dict(), optimiser=run.optimiser.state_dict(),
        averaged=None if run.averaged is None else run.averaged.state_dict(),
        history=run.history, seconds=run.seconds, best=run.best,
    )
    store.write_file(values, path)


def resume(run: Run, path: Path | str) -> None:
    """Bring a prepared run to the state of its checkpoint.

    Raises
    ------
    InputError
        Unreadable, a model file without a training's state, or a checkpoint of another run.
    """
    values = store.read_file(path)
    mine = {"config": run.config, "seed": run.seed, "fingerprint": run.fingerprint}
    for key, value in mine.items():
        if key not in values:
            raise InputError(f"{path}: is a model file; training can go on from a checkpoint only")
        theirs = values[key]
        if key == "config":  # the prior acts when training is over: any will do
            theirs = TrainConfig.from_dict(theirs).with_(prior=run.config.prior)
        if theirs != value:
            what = "data" if key == "fingerprint" else key
            raise InputError(f"{path}: belongs to a run with another {what}; delete it or name "
                             "another checkpoint")
    run.model.load_state_dict(values["learning"])
    run.optimiser.load_state_dict(values["optimiser"])
    if run.averaged is not None:
        run.averaged.load_state_dict(values["averaged"])
    run.history, run.seconds = list(values["history"]), float(values["seconds"])
    run.best = values["best"]
