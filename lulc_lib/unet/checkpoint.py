"""Model files and training checkpoints: tensors and plain types only, written whole or not at all.

One format for both: a checkpoint is a model file with the optimiser's state and the history added,
so whatever reads a model also reads a checkpoint (whose network does not lean on label shares yet,
see prior.py).
"""

from __future__ import annotations

import os
import pickle
import uuid
import zipfile
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lulc_lib import legend
from lulc_lib.data.indices import INDICES
from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.device import pick_device
from lulc_lib.unet.ensemble import Ensemble
from lulc_lib.unet.networks import Network
from lulc_lib.unet.normalise import Normalisation, channels
from lulc_lib.unet.registry import get_network

FORMAT = "lulc_lib.unet/2"
"""First entry of every file written here."""

LEARNED_FROM = {"codes": list(legend.CODES), "bands": list(BANDS), "indices": list(INDICES)}
"""What the channels of a network and its classes are, in order; written to every file."""

STUDY_MODEL = "study.pt"
"""Name of the study's model file in this package."""


class StoredModel(NamedTuple):
    """A network, or an ensemble of several, with what is needed to use it."""

    model: Network | Ensemble
    normalisation: Normalisation
    config: TrainConfig


def build(config: TrainConfig, seed: int = 0, in_channels: int | None = None) -> Network:
    """The configuration's network with weights drawn from ``seed``, on the CPU.

    The global random state stays as it was. ``in_channels``: of its input; None: what the
    configuration's normalisation gives.
    """
    if in_channels is None:
        in_channels = channels(config.normalisation)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = get_network(config.network)
        return network(in_channels=in_channels, base=config.base, depth=config.depth,
                       convolutions=config.convolutions)


def study_place() -> Path:
    """Where the package keeps the study's model."""
    return Path(str(resources.files("lulc_lib.unet") / STUDY_MODEL))


def study_model() -> Path:
    """The model file that ships with the package.

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


def contents(
    model: Network | Ensemble, normalisation: Normalisation, config: TrainConfig,
    half: bool = False, **more: object,
) -> dict[str, object]:
    """What a file holds, as tensors and plain types; ``half``: weights in 16 bits."""
    members = model.members if isinstance(model, Ensemble) else [model]
    return {
        "format": FORMAT,
        **LEARNED_FROM,
        "config": config.to_dict(),
        "normalisation": normalisation.to_dict(),
        "weights": [{k: _stored(v, half) for k, v in m.state_dict().items()} for m in members],
        **more,
    }


def _stored(value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if half and value.is_floating_point() else value


def write_file(values: dict[str, object], path: Path | str) -> None:
    """Write to a temporary file beside ``path`` and rename it: the file is never half there."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # not mkstemp: its files are for their owner only, and this one is for others to use as well
    part = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.part")
    try:
        with part.open("xb") as out:
            torch.save(values, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_file(path: Path | str) -> dict[str, object]:
    """The contents of a model file or checkpoint; no code in it is run.

    Raises
    ------
    InputError
        No such file, truncated, not written by this package, or for another legend, other bands or
        other indices.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    rule = "it must be a model file or checkpoint written by this package, complete"
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, ValueError,
            KeyError, AttributeError, IndexError, TypeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: cannot be read; {rule}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError(f"{path}: is not in the format {FORMAT}; {rule}")
    for key, ours in LEARNED_FROM.items():
        if values.get(key) != ours:
            raise InputError(f"{path}: was trained with {key} {values.get(key)}; ours are {ours}")
    return values


def save_model(
    path: Path | str, model: Network | Ensemble, normalisation: Normalisation,
    config: TrainConfig, half: bool = False,
) -> None:
    """Write a network with its normalisation and configuration to one small file.

    Parameters
    ----------
    path : where to; folders are made, an old file is replaced at once.
    model : a network of ``config``, or an ensemble of such.
    half : keep the weights in 16 bits: half the size, probabilities change in the third decimal.
    """
    write_file(contents(model, normalisation, config, half), path)


def load_model(path: Path | str, device: torch.device | None = None) -> StoredModel:
    """Read what :func:`save_model` wrote, or a training checkpoint.

    Parameters
    ----------
    path : the file.
    device : where the network goes; None picks the accelerator if there is one.

    Returns
    -------
    model (in evaluation mode; an :class:`Ensemble` if the file holds several networks),
    normalisation, config.

    Raises
    ------
    InputError
        See :func:`read_file`; also if the weights do not fit the configuration.
    """
    values = read_file(path)
    try:
        config = TrainConfig.from_dict(values["config"])
        normalisation = Normalisation.from_dict(values["normalisation"])
        members = []
        for weights in values["weights"]:
            first = next(iter(weights.values()))  # (channels out, channels in, row, col)
            members.append(build(config, in_channels=first.shape[1]))
            members[-1].load_state_dict(weights)
        model = members[0] if len(members) == 1 else Ensemble(members, config.votes)
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"{path}: its weights and settings do not fit together") from error
    return StoredModel(model.to(device or pick_device()).eval(), normalisation, config)
