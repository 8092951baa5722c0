"""Training of networks and ensembles: same data, settings, seed and machine give the same weights.

A run that was stopped goes on from its checkpoint bit for bit.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from lulc_lib import legend
from lulc_lib.accuracy.confusion import as_confusion, confusion_matrix
from lulc_lib.accuracy.metrics import macro_f1, overall_accuracy
from lulc_lib.errors import InputError
from lulc_lib.unet import checkpoint as store
from lulc_lib.unet import normalise
from lulc_lib.unet.config import TrainConfig, steps_per_epoch
from lulc_lib.unet.dataset import TrainingSet, split_by_place
from lulc_lib.unet.device import pick_device
from lulc_lib.unet.label_propagation import grid_key, propagate_labels
from lulc_lib.unet.learner import Learner
from lulc_lib.unet.logit_adjustment import adjust_logits
from lulc_lib.unet.loss import label_counts
from lulc_lib.unet.model import Ensemble, Network
from lulc_lib.unet.normalise import Normalisation
from lulc_lib.unet.predict import map_codes

MEMBER_SEEDS = 1000
"""An ensemble's n-th member of one normalisation learns with seed s + n · MEMBER_SEEDS: networks of
one recipe must differ."""


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
        store.save_model(path, self.model, self.normalisation, self.config, half=half)


@dataclass
class Run:
    """A prepared training run."""

    config: TrainConfig
    seed: int
    learner: Learner
    normalisation: Normalisation
    inputs: list[NDArray[np.float32]]  # (channel, row, col), one per scene
    validation: list[NDArray[np.uint8]]  # held-out labels, (row, col) legend codes, one per scene
    fingerprint: int  # of inputs and labels; tells whether a checkpoint belongs to them
    steps: int  # batches in an epoch
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    best: dict[str, Tensor] | None = None  # weights of the best epoch, if it may stop early

    def best_epoch(self) -> int:
        """Return the index in ``history`` of the highest macro F1 on held-out labels."""
        return int(np.nanargmax([row["validation_macro_f1"] for row in self.history]))

    def is_over(self) -> bool:
        """Tell whether all epochs are done, or the last ``patience`` of them brought nothing."""
        done, patience = len(self.history), self.config.patience
        waited = patience and done and done - 1 - self.best_epoch() >= patience
        return done >= self.config.epochs or bool(waited)


def train(scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray], config: TrainConfig,
          seed: int = 0, checkpoint: Path | str | None = None, log_dir: Path | str | None = None,
          progress: bool = True, member: int = 0) -> TrainResult:
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
    member : int
        Number in an ensemble: members of one seed share validation blocks, not weights or patches.

    Raises
    ------
    InputError
        Scenes and labels do not fit, no labelled pixel, a checkpoint of another run, or a loss that
        is no finite number.
    """
    run = prepare(scenes, labels, config, seed, member)
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
    model = run.learner.averaged()
    if run.best is not None:
        model.load_state_dict(run.best)
    model = model.to(memory_format=torch.contiguous_format)  # as load_model's
    model.temperature = config.temperature
    adjust_logits(model, label_counts(m.values for m in labels), config.logit_adjustment)
    return TrainResult(model, run.normalisation, run.seconds,
                       str(run.learner.precision).removeprefix("torch."), config, seed, run.history)


def train_ensemble(scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray],
                   config: TrainConfig, seed: int = 0, folder: Path | str | None = None,
                   progress: bool = True) -> TrainResult:
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
    model.temperature = config.temperature
    return TrainResult(model, widest, sum(r.seconds for r in runs), runs[0].precision, config, seed,
                       members=runs)


def train_member(scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray],
                 config: TrainConfig, number: int, seed: int = 0, folder: Path | str | None = None,
                 progress: bool = True) -> TrainResult:
    """Train member ``number`` of an ensemble alone; the rest as in :func:`train_ensemble`.

    With the same ``folder``, :func:`train_ensemble` later takes it from its checkpoint: members can
    be trained in parallel.
    """
    place = None if folder is None else Path(folder) / f"member{number}"
    view = config.with_(normalisation=config.members[number], members=(), member_weights=(),
                        tta=False, temperature=1.0)
    return train(scenes, labels, view, seed, checkpoint=place and place.with_suffix(".checkpoint"),
                 log_dir=place, progress=progress,
                 member=config.members[:number].count(config.members[number]))


def prepare(scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray], config: TrainConfig,
            seed: int, member: int = 0) -> Run:
    """Make everything that is there before the first step; parameters as in :func:`train`."""
    _check(scenes, labels)
    normalisation = normalise.fit(config.normalisation, scenes)
    inputs = [normalisation.apply(s) for s in scenes]
    training, validation = split_by_place(labels, config.validation_share, config.block_size, seed)
    training = propagate_labels(training, labels, config.propagated_classes)
    if config.patience and not any(v.any() for v in validation):
        raise InputError(f"patience is {config.patience}; stopping early needs held-out labels: "
                         "validation_share must be above 0")
    data = TrainingSet.of(inputs, training, config.patch_size, [grid_key(m) for m in labels],
                          rock=bool(config.augment and config.augment.rock))
    steps = steps_per_epoch(config, sum(m.size for m in training))
    learner = Learner(data, config, seed + MEMBER_SEEDS * member, pick_device(),
                      config.epochs * steps)
    return Run(config, seed, learner, normalisation, inputs, validation,
               _fingerprint([*inputs, *training, *validation]), steps)


def _check(scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray]) -> None:
    if not len(scenes) or len(scenes) != len(labels):
        raise InputError(f"{len(scenes)} scenes and {len(labels)} label rasters were given; there "
                         "must be at least one scene and one label raster for each")
    for scene, raster in zip(scenes, labels, strict=True):
        if raster.shape != scene.shape[-2:]:
            raise InputError(
                f"label raster {raster.attrs.get('name', '')} is {raster.shape}; scene "
                f"{scene.attrs.get('name', '')} has {scene.shape[-2:]} pixels: read the labels "
                "onto the scene's grid")


def _fingerprint(arrays: Sequence[np.ndarray]) -> int:
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array), value)
    return value


def _epoch(run: Run, bar: tqdm) -> dict[str, float]:
    """Train for one epoch, evaluate on the validation labels, and return how it went."""
    start, learner = time.perf_counter(), run.learner
    first = len(run.history) * run.steps
    for _ in range(run.steps):
        learner.advance()
        bar.update()
    learner.check()
    model = learner.averaged()
    run.history.append({
        "epoch": len(run.history) + 1, "step": first + run.steps,
        "loss": float(learner.losses[first:first + run.steps].mean()),
        "learning_rate": float(learner.rates[first + run.steps - 1]), **_validate(run, model)})
    if run.config.patience and run.best_epoch() == len(run.history) - 1:
        run.best = {k: v.detach().cpu() for k, v in model.state_dict().items()}
    run.seconds += time.perf_counter() - start
    return run.history[-1]


def _validate(run: Run, model: Network) -> dict[str, float]:
    """Return the scores of the maps on the held-out labels; NaN if there are none."""
    matrices = [confusion_matrix(map_codes(model, i), v)
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
        path, run.learner.averaged(), run.normalisation, run.config, seed=run.seed,
        fingerprint=run.fingerprint, history=run.history, seconds=run.seconds, best=run.best,
        **run.learner.state())


def resume(run: Run, path: Path | str) -> None:
    """Bring a prepared run to the state of its checkpoint.

    Raises
    ------
    InputError
        Unreadable, a model file without a training's state, or a checkpoint of another run.
    """
    values = store.read_file(path)
    if "generator" not in values:
        raise InputError(f"{path}: is a model file, or of a former version; training can go on "
                         "from a checkpoint only, one that this version wrote")
    # logits are adjusted and tempered when training is over: any number will do
    config = TrainConfig.from_dict(values["config"]).with_(
        logit_adjustment=run.config.logit_adjustment, temperature=run.config.temperature)
    for what, mine, theirs in (("config", run.config, config), ("seed", run.seed, values["seed"]),
                               ("data", run.fingerprint, values["fingerprint"])):
        if mine != theirs:
            raise InputError(f"{path}: belongs to a run with another {what}; delete it or name "
                             "another checkpoint")
    run.learner.restore(values)
    run.history, run.seconds = list(values["history"]), float(values["seconds"])
    run.best = values["best"]
