"""Many scenes to class maps, block by block, in this process or on a dask cluster.

Blocks that are done lie in a folder beside the map until it is whole, so a run that was stopped
goes on where it was. Every block is that of :func:`lulc_lib.unet.map_files.classify_file`, so the
maps are the same, bit by bit, whoever makes them. Workers read the scenes and send blocks back;
only this process writes.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import dask
import numpy as np
import rasterio
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from lulc_lib import __version__
from lulc_lib.data.geotiff import blocks_beside
from lulc_lib.data.radiometry import Offset
from lulc_lib.data.scenes import Scene, Survey
from lulc_lib.errors import InputError
from lulc_lib.io import written_whole
from lulc_lib.io.progress import note
from lulc_lib.unet.checkpoint import StoredModel
from lulc_lib.unet.map_files import (
    CACHE,
    SURVEY_CACHE,
    Classified,
    Classifier,
    classified,
    count_codes,
    map_tags,
    map_writers,
    publish,
    stored_as,
    tile_size,
)
from lulc_lib.unet.predict import Part, tiles

if TYPE_CHECKING:
    from distributed import Client, Future

EDGE = 2048
"""Pixels, edge of a block: 8 % of what is read around it lies outside it."""

AHEAD = 3
"""Blocks sent to the cluster for each of its threads before the first comes back."""

WAIT_S = 10
"""Seconds within which a scheduler must answer."""

Stored = dict[str, NDArray[np.uint8]]
"""A block as its outputs hold it, (band, row, col) each."""


class Settings(NamedTuple):
    """How scenes are classified; arguments of ``classify_file`` of the same names."""

    tta: bool | None = None
    offset: int | None = None
    model_name: str = ""
    reading: str = ""  # how the scenes were opened, in any words: another way is another run
    edge: int = EDGE  # pixels, a multiple of 2**depth


class Job(NamedTuple):
    """A scene and where its map goes."""

    scene: Scene
    outputs: Mapping[str, Path]  # "output", and any of "probabilities", "entropy", "applicability"


class Done(NamedTuple):
    """A map that is whole."""

    job: Job
    result: Classified
    computed: int  # blocks classified by this call …
    kept: int  # … and by an earlier one that was stopped


def classify_scenes(jobs: Sequence[Job], stored: StoredModel, settings: Settings | None = None,
                    client: Client | None = None,
                    advance: Callable[[int], object] = lambda pixels: None) -> Iterator[Done]:
    """Classify scenes into a map each, on its own grid; go on with what was begun.

    Parameters
    ----------
    jobs : sequence of Job
        Scenes and places of their maps.
    stored : StoredModel
        Network, normalisation and settings.
    settings : Settings, optional
        How to classify.
    client : distributed.Client, optional
        Whose workers classify blocks; they must be able to open the scenes. Without one, this
        process does. A worker that dies costs only the blocks it was at.
    advance : callable
        Called with the pixels of each block that is done.

    Yields
    ------
    Done
        Each map when it is whole.

    Raises
    ------
    InputError
        A scene or a place cannot be used, or another process makes the same map.
    """
    settings = settings or Settings()
    with ExitStack() as stack:
        runs = [_Run(job, stored, settings) for job in jobs]
        for run in runs:
            stack.enter_context(run)
        blocks = _blocks_here(runs) if client is None else _blocks_on(client, runs)
        for run in runs:
            advance(run.pixels(run.kept))
            if not run.missing:
                yield run.finish()
        for run, core, parts in blocks:
            run.keep(core, parts)
            advance(run.pixels([core]))
            if not run.missing:
                yield run.finish()
        for run in runs:
            shutil.rmtree(run.folder)


class _Run:
    """A map in the making, and the folder that holds its blocks."""

    def __init__(self, job: Job, stored: StoredModel, settings: Settings) -> None:
        self.job, self.stored, self.settings = job, stored, settings
        self.tta = stored.config.tta if settings.tta is None else settings.tta
        self.folder = blocks_beside(job.outputs["output"])
        if "applicability" in job.outputs and stored.applicability is None:
            raise InputError("the model's file holds no area of applicability; use another model "
                             "(the one that ships has one) or do not ask for it")
        width = tile_size(stored, job.scene.shape)[1]
        self.cores = [core for core, _ in tiles(
            stored.model, *job.scene.shape, settings.edge, min(settings.edge, width))]
        self.survey: Survey | None = None
        self.whole: Classified | None = None

    def __enter__(self) -> _Run:
        """Take the folder, and see what lies in it."""
        with ExitStack() as stack:
            self.folder.mkdir(exist_ok=True)
            try:
                stack.enter_context(FileLock(self.folder / "lock", blocking=False))
            except Timeout:
                raise InputError(f"{self.job.outputs['output']}: another process is making it"
                                 ) from None
            self._begin()
            self.kept = [core for core in self.cores if self.whole or self._place(core).is_file()]
            self.todo = [core for core in self.cores if core not in self.kept]
            self.missing = {self._place(core) for core in self.todo}
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """Give the folder free, and remove one in which there is nothing to go on from."""
        if not (self.survey or self.whole or any(self.folder.glob("*.npz"))):
            shutil.rmtree(self.folder, ignore_errors=True)
        self._stack.close()
        self.job.scene.__exit__(None, None, None)

    def _begin(self) -> None:
        """Forget blocks of a run with other settings; read the survey of this one."""
        path, mine = self.folder / "run.json", self._fingerprint()
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            there = {}
        if there.get("run") != mine:
            blocks = list(self.folder.glob("*.npz"))
            if blocks:
                note(f"{self.job.outputs['output']}: {len(blocks)} blocks of another scene, model "
                     "or setting lay there; they are made anew")
            for block in blocks:
                block.unlink()
            self._write({"run": mine})
        elif "survey" in there:
            offset, *sums = there["survey"]
            self.survey = Survey(Offset(*offset), *map(np.array, sums))
        elif "whole" in there and all(p.exists() for p in self.job.outputs.values()):
            offset, pixels, hectares, outside = there["whole"].values()
            self.whole = Classified(Offset(*offset), _by_code(pixels), hectares,
                                    outside and _by_code(outside))

    def _write(self, state: dict[str, object]) -> None:
        with written_whole(self.folder / "run.json") as part:
            part.write_text(json.dumps(state), encoding="utf-8")

    def _fingerprint(self) -> dict[str, object]:
        """Return all that a block depends on, and what of it is kept."""
        scene, digest = self.job.scene, hashlib.sha256()
        for name, tensor in self.stored.model.state_dict().items():
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
        stat = scene.path.stat() if scene.path.exists() else None
        return {
            "scene": str(scene.path.absolute()), "version": __version__,
            "changed": [stat.st_mtime_ns, stat.st_size] if stat else None,
            "grid": [*scene.shape, scene.crs.to_wkt(), *scene.transform[:6]],
            "model": digest.hexdigest(),
            "stored": hashlib.sha256(repr(self.stored[1:]).encode()).hexdigest(),
            "settings": [self.tta, *self.settings[1:]], "outputs": sorted(self.job.outputs)}

    def _place(self, core: Part) -> Path:
        return self.folder / f"{core[0].start:06}_{core[1].start:06}.npz"

    def pixels(self, cores: Sequence[Part]) -> int:
        """Count the pixels of blocks."""
        return sum((rows.stop - rows.start) * (cols.stop - cols.start) for rows, cols in cores)

    def surveyed(self, survey: Survey) -> None:
        """Keep the scene's survey for a restart."""
        if self.survey is None:
            self.survey = survey
            sums = [np.asarray(s).tolist() for s in survey[1:]]
            self._write({"run": self._fingerprint(), "survey": [list(survey.offset), *sums]})

    def keep(self, core: Part, parts: Stored) -> None:
        """Keep a block that is done."""
        with written_whole(self._place(core)) as part:
            np.savez_compressed(part, **parts)
        self.missing.discard(self._place(core))

    def finish(self) -> Done:
        """Write the map from its blocks, unless an earlier call has done so."""
        if self.whole is None:
            self.whole = self._write_map()
            self._write({"run": self._fingerprint(), "whole": asdict(self.whole)})
            for core in self.cores:
                self._place(core).unlink()
        return Done(self.job, self.whole, len(self.todo), len(self.kept))

    def _write_map(self) -> Classified:
        counts, outputs, scene = np.zeros((2, 256), int), self.job.outputs, self.job.scene
        tags = map_tags(self.stored, self.survey.offset, self.tta, self.settings.model_name)
        with ExitStack() as stack, rasterio.Env(GDAL_CACHEMAX=CACHE):
            writers = map_writers(stack, outputs, scene, tags, self.stored.applicability)
            for core in self.cores:
                with np.load(self._place(core)) as block:
                    parts = dict(block)
                for what, writer in writers.items():
                    writer.write(parts[what], rasterio.windows.Window.from_slices(*core))
                counts += count_codes(parts)
            publish(writers)
        return classified(scene, self.survey.offset, counts, "applicability" in outputs)


def _by_code(pixels: Mapping[str, int]) -> dict[int, int]:
    return {int(code): number for code, number in pixels.items()}


def _classify_block(classifier: Classifier, scene: Scene, core: Part, outputs: Sequence[str]
                    ) -> Stored:
    """Classify a block where the scene can be read."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        return stored_as(classifier.block(scene, core), outputs)


def _survey(scene: Scene, offset: int | None) -> Survey:
    with rasterio.Env(GDAL_CACHEMAX=SURVEY_CACHE[scene.slow]):
        return scene.survey(offset)


def _classifier(stored: StoredModel, survey: Survey, tta: bool, applicability: bool) -> Classifier:
    torch.set_num_threads(1)  # a worker's threads each have a block
    return Classifier(stored, survey, tta, applicability)


def _blocks_here(runs: Sequence[_Run]) -> Iterator[tuple[_Run, Part, Stored]]:
    """Classify what is left in this process."""
    for run in runs:
        if run.todo:
            run.surveyed(run.survey or _survey(run.job.scene, run.settings.offset))
            classifier = Classifier(run.stored, run.survey, run.tta,
                                    "applicability" in run.job.outputs)
            for core in run.todo:
                yield run, core, _classify_block(classifier, run.job.scene, core,
                                                 list(run.job.outputs))


def _blocks_on(client: Client, runs: Sequence[_Run]) -> Iterator[tuple[_Run, Part, Stored]]:
    """Classify what is left on a cluster, some blocks ahead of what has come back.

    What a block needs is a task as well, so it is made again where a worker took it with it.
    """
    from distributed import as_completed

    waiting, coming = _tasks(client, runs), as_completed()
    sent = {}

    def send(number: int) -> None:
        for run, core, survey, future in islice(waiting, number):
            sent[future] = run, core, survey
            coming.add(future)

    try:
        send(AHEAD * max(sum(client.nthreads().values()), 1))
        for future in coming:
            run, core, survey = sent.pop(future)
            parts = future.result()
            run.surveyed(run.survey or survey.result())
            send(1)
            yield run, core, parts
    finally:
        client.cancel(list(sent))


def _tasks(client: Client, runs: Sequence[_Run]) -> Iterator[tuple[_Run, Part, Any, Future]]:
    """Send off the blocks that are left, when asked for the next one."""
    for run in runs:
        if run.todo:
            scene, outputs = run.job.scene, list(run.job.outputs)
            survey = run.survey or client.submit(_survey, scene, run.settings.offset, pure=False)
            classifier = client.submit(_classifier, run.stored, survey, run.tta,
                                       "applicability" in outputs, pure=False)
            for core in run.todo:
                yield run, core, survey, client.submit(
                    _classify_block, classifier, scene, core, outputs, pure=False)


@contextmanager
def connected(where: str) -> Iterator[Client]:
    """Connect to a dask scheduler, or start one with local workers; it ends with the block.

    Parameters
    ----------
    where : str
        Address of a scheduler, such as ``tcp://10.0.0.1:8786``, or ``local:N`` for N processes of
        this machine.

    Raises
    ------
    InputError
        Nothing answers there, or N is no number of processes.
    """
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        if where.startswith("local:"):
            if not re.fullmatch(r"local:[1-9]\d{0,3}", where):
                raise InputError(f"--cluster is {where}; local:N needs a number of processes, such "
                                 "as local:4")
            stack.enter_context(_imported_once())
            where = stack.enter_context(LocalCluster(
                n_workers=int(where.removeprefix("local:")), threads_per_worker=1,
                dashboard_address=":0"))
        try:
            client = stack.enter_context(Client(where, timeout=WAIT_S))
        except (OSError, ValueError) as error:
            why = str(error).splitlines()[0]
            raise InputError(f"--cluster {where}: no dask scheduler answers there ({why}); start "
                             "one (`dask scheduler`) with workers, or give local:N") from error
        yield client


def _imported_once() -> AbstractContextManager[object]:
    """Let local workers fork from one process that has imported what they need, where it can."""
    from distributed.utils import get_mp_context

    if "forkserver" not in multiprocessing.get_all_start_methods():
        return nullcontext()
    chosen = dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    get_mp_context().set_forkserver_preload(["distributed", __name__])
    return chosen
