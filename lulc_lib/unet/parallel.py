"""Several trainings at the same time, each in a process with its share of the CPU cores."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
import xarray as xr

from lulc_lib.errors import InputError
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.device import pick_device
from lulc_lib.unet.train import TrainResult, train

Task, Result = TypeVar("Task"), TypeVar("Result")


def in_parallel(work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
                ) -> Iterator[Result]:
    """Yield ``work(task)`` for every task, in order, ``jobs`` processes at a time.

    With one job all is done in this process. The others end when this one does.
    """
    if min(jobs, len(tasks)) <= 1:
        yield from map(work, tasks)
        return
    threads = max((os.cpu_count() or 1) // jobs, 1)
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start,
                             (threads,)) as pool:
        yield from pool.map(work, tasks)


def _start(threads: int) -> None:
    """Prepare a process: its threads, and its end when the one that started it is gone."""
    torch.set_num_threads(threads)

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def train_seeds(scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray], config: TrainConfig,
                seeds: Sequence[int], folder: Path | str, progress: bool = True
                ) -> dict[int, TrainResult]:
    """Train one network per seed; on a CPU several at a time, since small steps fill one core only.

    Parameters
    ----------
    scenes, labels, config, progress
        See :func:`lulc_lib.unet.train.train`.
    seeds : sequence of int
        Each once.
    folder : Path or str
        Gets ``seedN.checkpoint`` and TensorBoard logs in ``seedN/``; a stopped training goes on
        from there.

    Returns
    -------
    dict of int to TrainResult
        Seed to result, in the order of ``seeds``.

    Raises
    ------
    InputError
        No seed, one that is there twice, and as :func:`lulc_lib.unet.train.train`.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds are {list(seeds)}; there must be at least one, each once")
    on_cpu = pick_device().type == "cpu"
    jobs = min(2 * (os.cpu_count() or 1), len(seeds)) if on_cpu else 1
    work = partial(_train_seed, scenes=scenes, labels=labels, config=config, folder=Path(folder),
                   progress=progress)
    return dict(zip(seeds, in_parallel(work, seeds, jobs), strict=True))


def _train_seed(seed: int, scenes: Sequence[xr.DataArray], labels: Sequence[xr.DataArray],
                config: TrainConfig, folder: Path, progress: bool) -> TrainResult:
    return train(scenes, labels, config, seed, folder / f"seed{seed}.checkpoint",
                 folder / f"seed{seed}", progress)
