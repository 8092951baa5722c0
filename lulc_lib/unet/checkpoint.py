"""Model files and training checkpoints: tensors and plain types only, written whole or not at all.

One format for both: a checkpoint is a model file with the optimiser's state and the history added,
so whatever reads a model also reads a checkpoint (whose logits are not adjusted yet).
"""

from __future__ import annotations

import os
import pickle
import zipfile
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lulc_lib import legend
from lulc_lib.data.bands import BANDS
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file, written_whole
from lulc_lib.unet.applicability import Applicability
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.device import pick_device
from lulc_lib.unet.indices import INDICES
from lulc_lib.unet.inputs import FIXED_INPUTS, FixedInput
from lulc_lib.unet.model import Ensemble, Network, get_network
from lulc_lib.unet.normalise import Normalisation

FORMAT = "lulc_lib.unet/4"
"""First entry of every file written here."""

READABLE = (FORMAT, "lulc_lib.unet/3", "lulc_lib.unet/2")
"""Formats that are read; the oldest differs in the names of settings."""

RENAMED_SETTINGS = {
    "base": "base_channels", "votes": "member_weights",
    "patch": "patch_size", "batch": "batch_size", "centre_balance": "class_balanced_sampling",
    "mixture": "statistics_augmentation", "mixture_share": "statistics_augmentation_share",
    "lasting": "propagated_classes",
    "block": "block_size", "gamma": "focal_gamma", "weight_power": "class_weight_power",
    "ema": "ema_decay", "prior": "logit_adjustment"}
"""Former name of a setting in a file to its name in ``TrainConfig``."""

LEARNED_FROM = {"codes": list(legend.CODES), "bands": list(BANDS), "indices": list(INDICES)}
"""What the channels of a network and its classes are, in order; written to every file."""

STUDY_MODEL = "study.pt"
"""Name of the study's model file in this package."""


class StoredModel(NamedTuple):
    """A network, or an ensemble of several, with what is needed to use it."""

    model: Network | Ensemble
    normalisation: Normalisation
    config: TrainConfig
    applicability: Applicability | None = None  # None: the file has none


def build(config: TrainConfig, seed: int = 0, normalisation: str | None = None) -> Network:
    """Return the configuration's network with weights drawn from ``seed``, on the CPU.

    The global random state stays as it was. Its input is what ``normalisation`` makes; unless
    given, the configuration's.
    """
    name = normalisation or config.normalisation
    stage = FixedInput(FIXED_INPUTS[name]) if name in FIXED_INPUTS else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_network(config.network)(
            in_channels=Normalisation(name).channels, base_channels=config.base_channels,
            depth=config.depth, convolutions=config.convolutions, stage=stage)


def study_place() -> Path:
    """Return where the package keeps the study's model."""
    return Path(str(resources.files("lulc_lib.unet") / STUDY_MODEL))


def study_model() -> Path:
    """Return the model file that ships with the package.

    Raises
    ------
    InputError
        It is not there.
    """
    path = study_place()
    if not path.is_file():
        raise InputError(f"{path.name} is missing from this installation of lulc_lib: give a model "
                         "with --checkpoint (notebook 02 writes some under build/unet)")
    return path


def read_file(path: Path | str) -> dict[str, object]:
    """Return the contents of a model file or checkpoint; no code in it is run.

    Settings have the names of :class:`TrainConfig`, also if the file has former ones.

    Raises
    ------
    InputError
        No such file, truncated, not written by this package, or for another legend, other bands or
        other indices.
    """
    path = existing_file(path)
    rule = "it must be a model file or checkpoint written by this package, complete"
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, ValueError,
            KeyError, AttributeError, IndexError, TypeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: cannot be read; {rule}") from error
    if not isinstance(values, dict) or values.get("format") not in READABLE:
        raise InputError(f"{path}: is not in the format {FORMAT}; {rule}")
    for key, ours in LEARNED_FROM.items():
        if values.get(key) != ours:
            raise InputError(f"{path}: was trained with {key} {values.get(key)}; ours are {ours}")
    if not isinstance(values.get("config"), dict):
        raise InputError(f"{path}: has no settings; {rule}")
    values["config"] = {RENAMED_SETTINGS.get(k, k): v for k, v in values["config"].items()}
    return values


def save_model(path: Path | str, model: Network | Ensemble, normalisation: Normalisation,
               config: TrainConfig, applicability: Applicability | None = None, half: bool = False,
               **more: object) -> None:
    """Write a network with its normalisation and configuration to one small file.

    Parameters
    ----------
    path : Path or str
        Where to; folders are made, an old file is replaced at once.
    model : Network or Ensemble
        Of ``config``.
    normalisation, config : Normalisation, TrainConfig
        To be kept with it.
    applicability : Applicability, optional
        Where its maps can be trusted.
    half : bool
        Keep the weights in 16 bits: half the size, probabilities change in the third decimal.
    **more : Tensor or plain types
        What else to keep: the state of a training.
    """
    members = model.members if isinstance(model, Ensemble) else [model]
    values = {
        "format": FORMAT,
        **LEARNED_FROM,
        "config": config.to_dict(),
        "normalisation": normalisation.to_dict(),
        "weights": [{k: _stored(v, half) for k, v in m.state_dict().items()} for m in members],
        **more}
    if applicability is not None:
        values["applicability"] = applicability.to_dict()
    with written_whole(path, make_folder=True) as part, part.open("xb") as out:
        torch.save(values, out)
        out.flush()
        os.fsync(out.fileno())


def _stored(value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if half and value.is_floating_point() else value


def load_model(path: Path | str, device: torch.device | None = None) -> StoredModel:
    """Read what :func:`save_model` wrote, or a training checkpoint, for prediction.

    Parameters
    ----------
    path : Path or str
        The file; if it holds several networks, they become an :class:`Ensemble`.
    device : torch.device, optional
        Where the network goes; the accelerator if there is one unless given.

    Raises
    ------
    InputError
        See :func:`read_file`; also if the weights do not fit the configuration, or a number that
        maps depend on is not finite.
    """
    values = read_file(path)
    try:
        config = TrainConfig.from_dict(values["config"])
        normalisation = Normalisation.from_dict(values["normalisation"])
        stored = values["weights"]
        names = config.members or (config.normalisation,) * len(stored)
        if len(names) != len(stored):
            names = (config.normalisation,) * len(stored)  # a member's checkpoint
        members = [build(config, normalisation=name) for name in names]
        for number, (member, weights) in enumerate(zip(members, stored, strict=True), 1):
            member.load_state_dict(weights)
            if not all(t.isfinite().all() for t in member.state_dict().values()):
                raise InputError(f"weights of network {number} of {len(members)} are no finite "
                                 "numbers; train it again, or take another model file")
        model = members[0] if len(members) == 1 else Ensemble(members, config.member_weights)
        model.temperature = config.temperature
        area = values.get("applicability") and Applicability.from_dict(values["applicability"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, AttributeError, RuntimeError, ValueError, IndexError) as error:
        raise InputError(f"{path}: its weights and settings do not fit together") from error
    return StoredModel(model.to(device or pick_device()).eval(), normalisation, config, area)
