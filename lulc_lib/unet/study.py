"""The study's model: networks with different views of the same scenes, trained one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from lulc_lib.errors import InputError
from lulc_lib.unet import checkpoint as store
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.ensemble import Ensemble
from lulc_lib.unet.normalise import Normalisation
from lulc_lib.unet.train import TrainResult, train


@dataclass
class EnsembleResult:
    """Trained networks as one, and how each came about.

    Attributes
    ----------
    model, normalisation : for prediction.
    runs : one per member, in the order of ``config.members``.
    config, seed : as given.
    """

    model: Ensemble
    normalisation: Normalisation
    runs: list[TrainResult]
    config: TrainConfig
    seed: int

    @property
    def seconds(self) -> float:
        """Wall time of all members' training."""
        return sum(r.seconds for r in self.runs)

    def save(self, path: Path | str, half: bool = False) -> None:
        """Write a model file (see :func:`lulc_lib.unet.checkpoint.save_model`)."""
        store.save_model(path, self.model, self.normalisation, self.config, half)


def train_ensemble(
    scenes: Sequence[xr.DataArray],
    masks: Sequence[xr.DataArray],
    config: TrainConfig,
    seed: int = 0,
    folder: Path | str | None = None,
    progress: bool = True,
) -> EnsembleResult:
    """Train one network for each of ``config.members``, on the same split by place.

    Parameters
    ----------
    scenes, masks, config, seed, progress : see :func:`lulc_lib.unet.train.train`.
    folder : for a checkpoint and TensorBoard logs of each member; None keeps none.

    Raises
    ------
    InputError
        ``config.members`` is empty, and as :func:`lulc_lib.unet.train.train`.
    """
    if not config.members:
        raise InputError(f"configuration {config.name} names no members; an ensemble needs some")
    runs = [train_member(scenes, masks, config, number, seed, folder, progress)
            for number in range(len(config.members))]
    widest = max((r.normalisation for r in runs), key=lambda n: n.channels)
    model = Ensemble([r.model for r in runs], config.votes)
    return EnsembleResult(model, widest, runs, config, seed)


def train_member(
    scenes: Sequence[xr.DataArray],
    masks: Sequence[xr.DataArray],
    config: TrainConfig,
    number: int,
    seed: int = 0,
    folder: Path | str | None = None,
    progress: bool = True,
) -> TrainResult:
    """Train member ``number`` of an ensemble alone; the rest as in :func:`train_ensemble`.

    With the same ``folder``, :func:`train_ensemble` later takes it from its checkpoint: members can
    be trained side by side.
    """
    place = None if folder is None else Path(folder) / f"member{number}"
    view = config.with_(normalisation=config.members[number], members=(), votes=(), tta=False)
    return train(scenes, masks, view, seed, checkpoint=place and place.with_suffix(".checkpoint"),
                 log_dir=place, progress=progress)
