"""Trainings with several seeds at the same time, each on its share of the CPU cores."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import torch
import xarray as xr

from lulc_lib.errors import InputError
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.device import pick_device
from lulc_lib.unet.train import TrainResult, train


def train_seeds(
    scenes: Sequence[xr.DataArray],
    masks: Sequence[xr.DataArray],
    config: TrainConfig,
    seeds: Sequence[int],
    folder: Path | str,
    progress: bool = True,
) -> dict[int, TrainResult]:
    """One network per seed; on CPU cores several at a time, since small steps fill one core only.

    Each computes on its share of the cores. On a GPU the seeds follow each other.

    Parameters
    ----------
    scenes, masks, config, progress : see :func:`lulc_lib.unet.train.train`.
    seeds : each once.
    folder : gets ``seedN.checkpoint`` and TensorBoard logs in ``seedN/``; a stopped training goes
        on from there.

    Returns
    -------
    Seed to result, in the order of ``seeds``.

    Raises
    ------
    InputError
        No seed, one that is there twice, and as :func:`lulc_lib.unet.train.train`.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds are {list(seeds)}; there must be at least one, each once")
    work = partial(_one, scenes=scenes, masks=masks, config=config, folder=Path(folder),
                   progress=progress)
    jobs = min(2 * (os.cpu_count() or 1), len(seeds))
    if pick_device().type != "cpu" or jobs == 1:
        return {seed: work(seed) for seed in seeds}
    work = partial(work, threads=max((os.cpu_count() or 1) // jobs, 1))
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        return dict(zip(seeds, pool.map(work, seeds), strict=True))


def end_with_parent() -> None:
    """Let this process end when the one that started it is gone, say with a restarted kernel."""

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _one(
    seed: int, scenes: Sequence[xr.DataArray], masks: Sequence[xr.DataArray], config: TrainConfig,
    folder: Path, progress: bool, threads: int | None = None,
) -> TrainResult:
    if threads is not None:
        torch.set_num_threads(threads)
    return train(scenes, masks, config, seed, folder / f"seed{seed}.checkpoint",
                 folder / f"seed{seed}", progress)
