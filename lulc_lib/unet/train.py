"""The training loop: same data, settings, seed and machine give the same weights."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
import xarray as xr
from tqdm import tqdm

from lulc_lib import legend
from lulc_lib.accuracy.confusion import as_confusion, confusion_matrix
from lulc_lib.accuracy.metrics import macro_f1, overall_accuracy
from lulc_lib.unet import checkpoint as store
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.device import LAYOUT, autocast
from lulc_lib.unet.logit_adjustment import lean
from lulc_lib.unet.loss import label_counts
from lulc_lib.unet.networks import Network
from lulc_lib.unet.normalise import Normalisation
from lulc_lib.unet.predict import map_codes
from lulc_lib.unet.run import Run, prepare, resume, save

WARM_UP = 0.2
"""Share of the steps in which the one-cycle schedule rises."""


@dataclass
class TrainResult:
    """A trained network and how it came about.

    Attributes
    ----------
    model : the network, in evaluation mode: its running mean with ``ema``, that of the best epoch
        with ``patience``; with ``prior`` it then leans on the labels' class shares, which neither
        the checkpoint nor ``history`` knows of.
    normalisation : to be used in prediction.
    history : one row per epoch: ``epoch``, ``step``, ``loss`` (mean over the epoch's batches),
        ``learning_rate``, ``validation_oa``, ``validation_macro_f1`` (over the classes that the
        validation labels hold; NaN without validation).
    seconds : wall time of training and validation, over all parts of an interrupted run.
    precision : number format of the convolutions in training, ``bfloat16`` or ``float32``.
    config, seed : as given.
    """

    model: Network
    normalisation: Normalisation
    history: list[dict[str, float]]
    seconds: float
    precision: str
    config: TrainConfig
    seed: int

    def save(self, path: Path | str) -> None:
        """Write a model file (see :func:`lulc_lib.unet.checkpoint.save_model`)."""
        store.save_model(path, self.model, self.normalisation, self.config)


def train(
    scenes: Sequence[xr.DataArray],
    masks: Sequence[xr.DataArray],
    config: TrainConfig,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    log_dir: Path | str | None = None,
    progress: bool = True,
    compile: bool = False,
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
    compile : let torch compile the network first (needs a C++ compiler, minutes at the start);
        pays off in long runs on a GPU.

    Returns
    -------
    See :class:`TrainResult`.

    Raises
    ------
    InputError
        Scenes and masks do not fit, no labelled pixel, or a checkpoint of another run.
    """
    run = prepare(scenes, masks, config, seed)
    if checkpoint is not None and Path(checkpoint).exists():
        resume(run, checkpoint)
    forward = torch.compile(run.model) if compile else run.model
    total = config.epochs * run.steps
    with (
        closing(_Log(log_dir)) as log,
        tqdm(total=total, initial=len(run.history) * run.steps, unit="step", mininterval=1,
             desc=f"training {config.name}, seed {seed}", file=sys.stderr,
             disable=not progress) as bar,
    ):
        while not run.is_over():
            start = time.perf_counter()
            row = _epoch(run, forward, bar)
            run.history.append(row)
            if config.patience and run.best_epoch() == len(run.history) - 1:
                run.best = {k: v.detach().cpu().clone() for k, v in run.judged.state_dict().items()}
            run.seconds += time.perf_counter() - start
            bar.set_postfix(loss=f"{row['loss']:.3f}", OA=f"{row['validation_oa']:.3f}")
            log.write(row)
            if checkpoint is not None:
                save(run, checkpoint)
    if run.best is not None:
        run.judged.load_state_dict(run.best)
    model = run.judged.to(memory_format=torch.contiguous_format).eval()  # as after load_model
    lean(model, label_counts(m.values for m in masks), config.prior)
    return TrainResult(model, run.normalisation, run.history, run.seconds,
                       str(run.precision).removeprefix("torch."), config, seed)


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


def _epoch(run: Run, forward: torch.nn.Module, bar: tqdm) -> dict[str, float]:
    """Train for one epoch, judge on the validation labels, and say how it went."""
    run.model.train()
    total, losses = run.config.epochs * run.steps, []
    first = len(run.history) * run.steps
    for step in range(first, first + run.steps):
        rate = learning_rate(run.config, step, total)
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        x, target = run.sampler.draw(run.config.batch, run.seed, step)
        inputs = torch.from_numpy(x).to(run.device, memory_format=LAYOUT)  # (N, band, row, col)
        with autocast(run.device, run.precision):
            scores = forward(inputs)
        loss = run.loss(scores.float(), torch.from_numpy(target).to(run.device))
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        run.optimiser.step()
        if run.averaged is not None:
            run.averaged.update_parameters(run.model)
        losses.append(loss.detach())
        bar.update()
    return {
        "epoch": len(run.history) + 1, "step": first + run.steps,
        "loss": float(torch.stack(losses).mean()), "learning_rate": rate, **_judge(run),
    }


def _judge(run: Run) -> dict[str, float]:
    """Scores of the maps on the labels held back; NaN if there are none."""
    judged = [confusion_matrix(map_codes(run.judged, i), v)
              for i, v in zip(run.inputs, run.validation, strict=True) if v.any()]
    matrix = sum(judged[1:], start=judged[0]) if judged else as_confusion([[0]], legend.CODES[:1])
    return {"validation_oa": overall_accuracy(matrix), "validation_macro_f1": macro_f1(matrix)}


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
