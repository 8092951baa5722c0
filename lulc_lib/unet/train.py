"""Training of networks and ensembles: same data, settings, seed and machine give the same weights.

A run that was stopped goes on from its checkpoint bit for bit.
"""

from __future__ import annotations

import math
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from lulc_lib import legend
from lulc_lib.accuracy.confusion import as_confusion, confusion_matrix
from lulc_lib.accuracy.metrics import macro_f1, overall_accuracy
from lulc_lib.errors import InputError
from lulc_lib.unet import checkpoint as store
from lulc_lib.unet import normalise
from lulc_lib.unet.config import TrainConfig, steps_per_epoch
from lulc_lib.unet.dataset import PatchSampler, augmentations_of, split_by_place
from lulc_lib.unet.device import LAYOUT, autocast, pick_device, pick_precision
from lulc_lib.unet.label_propagation import propagate_labels
from lulc_lib.unet.logit_adjustment import adjust_logits
from lulc_lib.unet.loss import FocalLoss, class_weights, label_counts
from lulc_lib.unet.model import Ensemble, Network
from lulc_lib.unet.normalise import Normalisation
from lulc_lib.unet.predict import map_codes

WARM_UP = 0.2
"""Share of the steps in which the one-cycle schedule rises."""


@dataclass
class TrainResult:
    """A trained network or ensemble and how it came about.

    Attributes
    ----------
    model : Network or Ensemble
        In evaluation mode: the weights' moving average with ``ema_decay``, those of the best epoch
        with ``patience``; after ``logit_adjustment``, which neither checkpoint nor history has.
    normalisation : Normalisation
        To be used in prediction.
    seconds : float
        Wall time of training and validation, over all parts of an interrupted run.
    precision : str
        dtype of the convolutions in training, ``bfloat16`` or ``float32``.
    config, seed : TrainConfig, int
        As given.
    history : list of dict
        One row per epoch: ``epoch``, ``step``, ``loss`` (mean over the epoch's batches),
        ``learning_rate``, ``validation_oa``, ``validation_macro_f1`` (over the classes that the
        validation labels hold; NaN without validation). Empty for an ensemble.
    members : list of TrainResult
        Of an ensemble, in the order of ``config.members``.
    """

    model: Network | Ensemble
    normalisation: Normalisation
    seconds: float
    precision: str
    config: TrainConfig
    seed: int
    history: list[dict[str, float]] = field(default_factory=list)
    members: list[TrainResult] = field(default_factory=list)

    def save(self, path: Path | str, half: bool = False) -> None:
        """Write a model file (see :func:`lulc_lib.unet.checkpoint.save_model`)."""
        store.save_model(path, self.model, self.normalisation, self.config, half)


@dataclass
class Run:
    """A prepared training run."""

    config: TrainConfig
    seed: int
    device: torch.device
    precision: torch.dtype
    model: Network  # learns
    averaged: AveragedModel | None  # moving average of its weights
    optimiser: torch.optim.Optimizer
    loss: FocalLoss
    sampler: PatchSampler
    normalisation: Normalisation
    inputs: list[NDArray[np.float32]]  # (channel, row, col), one per scene
    validation: list[NDArray[np.uint8]]  # held-out labels, (row, col) legend codes, one per scene
    fingerprint: int  # of inputs and labels; tells whether a checkpoint belongs to them
    steps: int  # batches in an epoch
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    best: dict[str, Tensor] | None = None  # weights of the best epoch, if it may stop early

    @property
    def mapping_model(self) -> Network:
        """The network that makes the maps: with the averaged weights if there are any."""
        return self.averaged.module if self.averaged is not None else self.model

    def best_epoch(self) -> int:
        """Return the index in ``history`` of the highest macro F1 on held-out labels."""
        return int(np.nanargmax([row["validation_macro_f1"] for row in self.history]))

    def is_over(self) -> bool:
        """Tell whether all epochs are done, or the last ``patience`` of them brought nothing."""
        done, patience = len(self.history), self.config.patience
        waited = patience and done and done - 1 - self.best_epoch() >= patience
        return done >= self.config.epochs or bool(waited)


def train(
    scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray], config: TrainConfig,
    seed: int = 0, checkpoint: Path | str | None = None, log_dir: Path | str | None = None,
    progress: bool = True,
) -> TrainResult:
    """Train a network on labelled scenes.

    Parameters
    ----------
    scenes : sequence of DataArray, (band, y, x) float32 reflectance
        NaN where a band holds no data; any sizes and sites.
    labels : sequence of DataArray, (y, x) uint8 legend codes
        On the scenes' grids, NO_DATA where unlabelled.
    config : TrainConfig
        Settings.
    seed : int
        Of the first weights, the validation blocks and the patches.
    checkpoint : Path or str, optional
        File written after every epoch. If it is there already, training goes on from it and ends
        with the very weights it would have had without the stop.
    log_dir : Path or str, optional
        Folder for TensorBoard logs.
    progress : bool
        Show a bar on stderr.

    Raises
    ------
    InputError
        Scenes and labels do not fit, no labelled pixel, or a checkpoint of another run.
    """
    run = prepare(scenes, labels, config, seed)
    if checkpoint is not None and Path(checkpoint).exists():
        resume(run, checkpoint)
    with (
        _log(log_dir) as log,
        tqdm(total=config.epochs * run.steps, initial=len(run.history) * run.steps, unit="step",
             mininterval=1, desc=f"training {config.name}, seed {seed}", file=sys.stderr,
             disable=not progress) as bar,
    ):
        while not run.is_over():
            row = _epoch(run, bar)
            bar.set_postfix(loss=f"{row['loss']:.3f}", OA=f"{row['validation_oa']:.3f}")
            for key in row.keys() - {"epoch", "step"} if log else ():
                log.add_scalar(key, row[key], row["step"])
            if checkpoint is not None:
                save(run, checkpoint)
    if run.best is not None:
        run.mapping_model.load_state_dict(run.best)
    model = run.mapping_model.to(memory_format=torch.contiguous_format).eval()  # as load_model's
    adjust_logits(model, label_counts(m.values for m in labels), config.logit_adjustment)
    return TrainResult(model, run.normalisation, run.seconds,
                       str(run.precision).removeprefix("torch."), config, seed, run.history)


def train_ensemble(
    scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray], config: TrainConfig,
    seed: int = 0, folder: Path | str | None = None, progress: bool = True,
) -> TrainResult:
    """Train one network for each of ``config.members``, on the same split by place.

    Parameters
    ----------
    scenes, labels, config, seed, progress
        See :func:`train`.
    folder : Path or str, optional
        For a checkpoint and TensorBoard logs of each member.

    Raises
    ------
    InputError
        ``config.members`` is empty, and as :func:`train`.
    """
    if not config.members:
        raise InputError(f"configuration {config.name} names no members; an ensemble needs some")
    runs = [train_member(scenes, labels, config, number, seed, folder, progress)
            for number in range(len(config.members))]
    widest = max((r.normalisation for r in runs), key=lambda n: n.channels)
    model = Ensemble([r.model for r in runs], config.member_weights)
    return TrainResult(model, widest, sum(r.seconds for r in runs), runs[0].precision, config, seed,
                       members=runs)


def train_member(
    scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray], config: TrainConfig,
    number: int, seed: int = 0, folder: Path | str | None = None, progress: bool = True,
) -> TrainResult:
    """Train member ``number`` of an ensemble alone; the rest as in :func:`train_ensemble`.

    With the same ``folder``, :func:`train_ensemble` later takes it from its checkpoint: members can
    be trained in parallel.
    """
    place = None if folder is None else Path(folder) / f"member{number}"
    view = config.with_(normalisation=config.members[number], members=(), member_weights=(),
                        tta=False)
    return train(scenes, labels, view, seed, checkpoint=place and place.with_suffix(".checkpoint"),
                 log_dir=place, progress=progress)


def prepare(
    scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray], config: TrainConfig, seed: int
) -> Run:
    """Make everything that is there before the first step; parameters as in :func:`train`."""
    _check(scenes, labels)
    normalisation = normalise.fit(config.normalisation, scenes)
    inputs = [normalisation.apply(s) for s in scenes]
    training, validation = split_by_place(labels, config.validation_share, config.block_size, seed)
    training = propagate_labels(training, labels, config.propagated_classes)
    if config.patience and not any(v.any() for v in validation):
        raise InputError(f"patience is {config.patience}; stopping early needs held-out labels: "
                         "validation_share must be above 0")
    sampler = PatchSampler(inputs, training, config.patch_size, config.class_balanced_sampling,
                           augmentations_of(config, inputs))
    device = pick_device()
    model = store.build(config, seed).to(device, memory_format=LAYOUT)
    averaged = AveragedModel(
        model, multi_avg_fn=moving_average(config.ema_decay), use_buffers=True
    ) if config.ema_decay else None
    weight = torch.from_numpy(class_weights(label_counts(training), config.class_weight_power))
    optimiser = torch.optim.Adam(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    return Run(
        config, seed, device, pick_precision(config.precision, device), model, averaged, optimiser,
        FocalLoss(config.focal_gamma, weight).to(device), sampler, normalisation, inputs,
        validation, _fingerprint([*inputs, *training, *validation]),
        steps_per_epoch(config, sum(m.size for m in training)),
    )


def _check(scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray]) -> None:
    if not len(scenes) or len(scenes) != len(labels):
        raise InputError(f"{len(scenes)} scenes and {len(labels)} label rasters were given; there "
                         "must be at least one scene and one label raster for each")
    for scene, raster in zip(scenes, labels, strict=True):
        if raster.shape != scene.shape[-2:]:
            raise InputError(
                f"label raster {raster.attrs.get('name', '')} is {raster.shape}; scene "
                f"{scene.attrs.get('name', '')} has {scene.shape[-2:]} pixels: read the labels "
                "onto the scene's grid"
            )


def _fingerprint(arrays: Sequence[np.ndarray]) -> int:
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array), value)
    return value


def moving_average(decay: float) -> Callable[[list[Tensor], list[Tensor], int], None]:
    """Return the rule of the exponential moving average: ``decay`` of the old weights stays.

    After n steps at most (n + 1) / (n + 10) stays, so that the first weights, which were drawn at
    random, are soon forgotten also in a short run.
    """

    def update(average: list[Tensor], weights: list[Tensor], steps: int) -> None:
        kept = min(decay, (int(steps) + 1) / (int(steps) + 10))
        get_ema_multi_avg_fn(kept)(average, weights, steps)

    return update


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """Return the learning rate of a step: constant, or up in a line and down in half a cosine.

    Examples
    --------
    >>> config = TrainConfig("example", base_channels=4, learning_rate=0.01)
    >>> [round(learning_rate(config, s, 100), 4) for s in (0, 19, 20, 60, 99)]
    [0.0005, 0.01, 0.01, 0.005, 0.0]
    """
    if config.schedule == "constant":
        return config.learning_rate
    rise = max(round(WARM_UP * total), 1)
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    return config.learning_rate * (1 + math.cos(math.pi * (step - rise) / (total - rise))) / 2


def _epoch(run: Run, bar: tqdm) -> dict[str, float]:
    """Train for one epoch, evaluate on the validation labels, and return how it went."""
    start = time.perf_counter()
    run.model.train()
    total, losses = run.config.epochs * run.steps, []
    first = len(run.history) * run.steps
    for step in range(first, first + run.steps):
        rate = learning_rate(run.config, step, total)
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        x, target = run.sampler.draw(run.config.batch_size, run.seed, step)
        inputs = torch.from_numpy(x).to(run.device, memory_format=LAYOUT)  # (N, channel, row, col)
        with autocast(run.device, run.precision):
            logits = run.model(inputs)
        loss = run.loss(logits.float(), torch.from_numpy(target).to(run.device))
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        run.optimiser.step()
        if run.averaged is not None:
            run.averaged.update_parameters(run.model)
        losses.append(loss.detach())
        bar.update()
    run.history.append({
        "epoch": len(run.history) + 1, "step": first + run.steps,
        "loss": float(torch.stack(losses).mean()), "learning_rate": rate, **_validate(run),
    })
    if run.config.patience and run.best_epoch() == len(run.history) - 1:
        weights = run.mapping_model.state_dict()
        run.best = {k: v.detach().cpu().clone() for k, v in weights.items()}
    run.seconds += time.perf_counter() - start
    return run.history[-1]


def _validate(run: Run) -> dict[str, float]:
    """Return the scores of the maps on the held-out labels; NaN if there are none."""
    matrices = [confusion_matrix(map_codes(run.mapping_model, i), v)
                for i, v in zip(run.inputs, run.validation, strict=True) if v.any()]
    matrix = (sum(matrices[1:], start=matrices[0]) if matrices
              else as_confusion([[0]], legend.CODES[:1]))
    return {"validation_oa": overall_accuracy(matrix), "validation_macro_f1": macro_f1(matrix)}


def _log(folder: Path | str | None) -> AbstractContextManager:
    """Return a writer of TensorBoard logs, or a context of None."""
    if folder is None:
        return nullcontext()
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))


def save(run: Run, path: Path | str) -> None:
    """Write the state after an epoch; the file is a model file with more in it."""
    store.save_model(
        path, run.mapping_model, run.normalisation, run.config, seed=run.seed,
        fingerprint=run.fingerprint, learning=run.model.state_dict(),
        optimiser=run.optimiser.state_dict(),
        averaged=None if run.averaged is None else run.averaged.state_dict(),
        history=run.history, seconds=run.seconds, best=run.best,
    )


def resume(run: Run, path: Path | str) -> None:
    """Bring a prepared run to the state of its checkpoint.

    Raises
    ------
    InputError
        Unreadable, a model file without a training's state, or a checkpoint of another run.
    """
    values = store.read_file(path)
    if "learning" not in values:
        raise InputError(f"{path}: is a model file; training can go on from a checkpoint only")
    # logits are adjusted when training is over: any power will do
    config = TrainConfig.from_dict(values["config"]).with_(
        logit_adjustment=run.config.logit_adjustment)
    for what, mine, theirs in (("config", run.config, config), ("seed", run.seed, values["seed"]),
                               ("data", run.fingerprint, values["fingerprint"])):
        if mine != theirs:
            raise InputError(f"{path}: belongs to a run with another {what}; delete it or name "
                             "another checkpoint")
    run.model.load_state_dict(values["learning"])
    run.optimiser.load_state_dict(values["optimiser"])
    if run.averaged is not None:
        run.averaged.load_state_dict(values["averaged"])
    run.history, run.seconds = list(values["history"]), float(values["seconds"])
    run.best = values["best"]
