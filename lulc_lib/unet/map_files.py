"""From a scene's file of any size to a class map's file, tile by tile.

Memory does not grow with the scene; the map is the one that a single pass over it would give.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.windows import Window
from torch import Tensor

from lulc_lib import __version__, legend
from lulc_lib.data.bands import BANDS
from lulc_lib.data.geotiff import (
    BLOCK,
    INSIDE,
    SUFFIXES,
    UNKNOWN,
    RasterWriter,
    applicability_steps,
    applicability_writer,
    class_map_writer,
    shares,
    shares_writer,
)
from lulc_lib.data.radiometry import Offset, to_reflectance
from lulc_lib.data.scenes import CELL, Scene, Survey, open_scene
from lulc_lib.errors import InputError
from lulc_lib.io import check_outputs, unfinished, writing
from lulc_lib.io.progress import LOG, Progress, duration, note
from lulc_lib.unet.applicability import Applicability
from lulc_lib.unet.checkpoint import StoredModel
from lulc_lib.unet.device import give_back_memory, keep_freed_memory
from lulc_lib.unet.gaps import Strips
from lulc_lib.unet.inputs import FIXED_INPUTS, USUAL
from lulc_lib.unet.normalise import statistics_of
from lulc_lib.unet.predict import (
    READ,
    Part,
    Predictor,
    Seen,
    codes_of,
    grown,
    require_finite,
    tiles,
    within,
)

MEMORY = 800e6
"""Bytes, about what the network's largest arrays may take together when a file is classified."""

WIDEST = 2560
"""Pixels, columns of the widest tile: rows that are read and brought to network input count too."""

KEPT = 2
"""Arrays of ``base_channels`` channels, as high as the receptive field's radius, that a network
keeps while rows stream through it: the skip connections of all levels together."""

CACHE = 64_000_000
"""Bytes of blocks that GDAL keeps when a scene is classified."""

SURVEY_CACHE = {True: 2 * CACHE, False: CACHE // 4}
"""The same before, when it is surveyed; for a scene that is slow to read, a row of its blocks."""

LONG = 20_000_000
"""Pixels of a scene from which on its time is told beforehand."""


@dataclass(frozen=True)
class Classified:
    """What was done."""

    offset: Offset  # radiometric, the one used
    pixels: dict[int, int]  # of each legend code and of NO_DATA
    pixel_ha: float | None  # area of a pixel, hectares; None if the scene's CRS is not projected
    outside: dict[int, int] | None = None  # pixels of each code outside the area of applicability


def classify_file(scene: Path | str | Scene, output: Path | str, stored: StoredModel, *,
                  probabilities: Path | None = None, entropy: Path | None = None,
                  applicability: Path | None = None, tta: bool | None = None,
                  offset: int | None = None, tile: int | None = None, model_name: str = "",
                  progress: bool | None = None) -> Classified:
    """Classify a scene of any form and size into a Cloud-Optimised GeoTIFF of legend codes.

    The file is read twice: once for the radiometric offset and the scene's statistics, then tile by
    tile. Pixels that are decoded (JPEG 2000, Zarr, …), resampled or fetched are kept uncompressed
    meanwhile, 20 bytes each, in a temporary folder beside the output.

    Parameters
    ----------
    scene : Path, str or Scene
        What :func:`lulc_lib.data.scenes.open_scene` opens, or has opened.
    output : Path or str
        uint8 legend codes on the scene's grid, NO_DATA where every band is missing, with a colour
        table; a QGIS style of the same name ending in .qml is written beside it.
    stored : StoredModel
        Network, normalisation and settings.
    probabilities : Path, optional
        Also write a GeoTIFF with a band per class, share 0–1 in steps of 1/250.
    entropy : Path, optional
        Also write the probabilities' entropy as a share of the largest possible, stored likewise:
        0 certain, 1 all classes equally probable.
    applicability : Path, optional
        Also write how unlike the training data each pixel is: the dissimilarity index in hundredths
        of its threshold, rounded up, so that 100 and less is inside the area of applicability (see
        ``geotiff.INSIDE``). The map does not depend on it.
    tta : bool, optional
        Test-time augmentation (eight times the work); as the model's settings say unless given.
    offset : int, DN, optional
        To subtract; unless given, the file's metadata and pixels decide.
    tile : int, pixels, optional
        Edge of the tiles, a multiple of 2**depth; as large as memory of about 1 GB allows unless
        given.
    model_name : str
        Written into the file's metadata.
    progress : bool, optional
        Show a bar on stderr; unless given, only in a terminal.

    Raises
    ------
    InputError
        The scene, a setting or an output's place cannot be used, or the model has no area of
        applicability. No output is then written or changed.
    """
    if applicability is not None and stored.applicability is None:
        raise InputError("the model's file holds no area of applicability; use another model (the "
                         "one that ships has one) or do not ask for it")
    tta = stored.config.tta if tta is None else tta
    keep_freed_memory()
    outputs = {"output": Path(output), "probabilities": probabilities, "entropy": entropy,
               "applicability": applicability}
    opened = scene if isinstance(scene, Scene) else open_scene(scene)
    check_outputs(outputs, [opened.path], dict.fromkeys(outputs, SUFFIXES))
    cache = SURVEY_CACHE[opened.slow]
    with ExitStack() as scratch, rasterio.Env(GDAL_CACHEMAX=cache), opened as source:
        parts = [core for core, _ in tiles(
            stored.model, *source.shape, *tile_size(stored, source.shape, tile))]
        with _bar("reading", source, progress) as bar:
            survey, source = _surveyed(source, offset, bar.update, output, scratch)
        classifier = Classifier(stored, survey, tta, applicability is not None)
        counts = np.zeros((2, 256), int)
        _tell_time(classifier, source, parts)
        tags = map_tags(stored, survey.offset, tta, model_name)
        LOG.info("%s; %d tiles on %s", "; ".join(f"{k} {v}" for k, v in tags.items()), len(parts),
                 next(stored.model.parameters()).device)
        with (ExitStack() as stack, rasterio.Env(GDAL_CACHEMAX=CACHE),
              _bar("classifying", source, progress) as bar):
            writers = map_writers(stack, outputs, source, tags, stored.applicability)
            for core in parts:
                give_back_memory()
                for part, block in classifier.blocks(source, core):
                    counts += write_block(writers, block, part)
                    bar.update(block.steps.size)
            publish(writers)
    return classified(source, survey.offset, counts, applicability is not None)


def classified(scene: Scene, offset: Offset, counts: NDArray[np.int64], applicability: bool
               ) -> Classified:
    """Sum up what was done, from the (2, 256) counts of all blocks."""
    pixels, outside = ({c: int(n[c]) for c in (legend.NO_DATA, *legend.CODES)} for n in counts)
    hectares = abs(scene.transform.a * scene.transform.e) / 1e4
    return Classified(offset, pixels, hectares if scene.crs.is_projected else None,
                      outside if applicability else None)


def tile_size(stored: StoredModel, shape: tuple[int, int], tile: int | None = None
              ) -> tuple[int, int]:
    """Return rows and columns of tiles whose networks' arrays stay within :data:`MEMORY`.

    Memory grows with a tile's width only, so tiles are as high as the scene, and equally wide.
    """
    if tile is not None:
        return tile, tile
    step, (rows, cols) = 2**stored.model.depth, shape
    networks = getattr(stored.model, "members", [stored.model])
    column = sum(4 * KEPT * m.widths[0] * (m.trunk_radius + 2 * 2**m.depth) for m in networks)
    most = min(max(int(MEMORY / column) // BLOCK * BLOCK, BLOCK), WIDEST)
    width = -(-cols // -(-cols // most))
    return -(-rows // step) * step, min(-(-width // CELL) * CELL, -(-cols // step) * step)


class Block(NamedTuple):
    """What a network says of a part of a scene.

    Attributes
    ----------
    probabilities : array of float32, shape (class, row, col)
        NaN where every band is missing.
    steps : array of uint8, shape (row, col)
        Dissimilarity to the training data as a file holds it; ``geotiff.UNKNOWN`` if not asked for.
    """

    probabilities: NDArray[np.float32]
    steps: NDArray[np.uint8]

    def widened(self, *sides: int) -> Block:
        """Return it with so many columns without data on its left and right."""
        return Block(np.pad(self.probabilities, ((0, 0), (0, 0), sides), constant_values=np.nan),
                     np.pad(self.steps, ((0, 0), sides), constant_values=UNKNOWN))


class Classifier:
    """All that classifying any block of a scene needs, but its pixels; can be sent to a process.

    Parameters
    ----------
    stored : StoredModel
        Network, normalisation and area of applicability.
    survey : Survey
        Of the whole scene: radiometric offset and statistics.
    tta : bool
        Test-time augmentation.
    applicability : bool
        Also work out the dissimilarity to the training data.
    """

    def __init__(self, stored: StoredModel, survey: Survey, tta: bool = False,
                 applicability: bool = False) -> None:
        statistics = statistics_of(survey.count, survey.total, survey.squares)
        self.area = stored.applicability if applicability else None
        self.predictor = Predictor(stored.model, tta, features=applicability)
        self.offset, self.data = survey.offset.used, survey.data
        # (band, 1, 1) reflectance where a band is missing far around
        self.fallback = np.array(
            (USUAL,) * len(BANDS) if stored.normalisation.name in FIXED_INPUTS
            else statistics[0], np.float32)[:, None, None]
        self.normalisation = stored.normalisation.settled(statistics)

    @property
    def step(self) -> int:
        """Pixels: rows and columns of a block start on multiples of it."""
        return self.predictor.step

    def block(self, scene: Scene, core: Part) -> Block:
        """Classify a part of a scene; parameters as in :meth:`blocks`."""
        blocks = [block for _, block in self.blocks(scene, core)]
        return Block(*(np.concatenate(a, axis=-2) for a in zip(*blocks, strict=True)))

    def blocks(self, scene: Scene, core: Part) -> Iterator[tuple[Part, Block]]:
        """Classify a part of a scene some rows at a time; what is needed around it is read, too.

        Where the scene holds no data nothing is read or computed.

        Parameters
        ----------
        scene : Scene
            Open.
        core : tuple of slice
            Rows and columns; they start on multiples of :attr:`step`.

        Yields
        ------
        part, block : tuple of slice, Block
            From top to bottom; together they are ``core``. A pixel's numbers do not depend on it.
        """
        inner, (rows, cols) = self.with_data(core), core
        sides = inner[1].start - cols.start, cols.stop - inner[1].stop
        yield from _blank(slice(rows.start, inner[0].start), cols)
        if sides[0] < cols.stop - cols.start:
            for part, block in self._classified(scene, inner):
                yield (part[0], cols), block.widened(*sides)
        yield from _blank(slice(inner[0].stop, rows.stop), cols)

    def with_data(self, core: Part) -> Part:
        """Return the part of ``core`` beyond which no pixel of it has data; it may be empty."""
        cells = tuple(slice(s.start // CELL, -(-s.stop // CELL)) for s in core)
        held = np.argwhere(self.data[cells])
        if not len(held):
            return tuple(slice(s.stop, s.stop) for s in core)
        return tuple(slice(max((c.start + first) * CELL, s.start),
                           min((c.start + last + 1) * CELL, s.stop))
                     for c, s, first, last in zip(cells, core, held.min(0).tolist(),
                                                  held.max(0).tolist(), strict=True))

    def _classified(self, scene: Scene, core: Part) -> Iterator[tuple[Part, Block]]:
        """Pass a part of a scene through the networks; see :meth:`blocks`."""
        window = grown(core, (self.predictor.margin,) * 2, scene.shape)
        missing = np.zeros([s.stop - s.start for s in core], dtype=bool)
        top, (rows, cols) = 0, core
        for seen in self.predictor.rows(self._read(scene, window, core, missing), window, core):
            last = top + seen.probabilities.shape[1]
            part = slice(rows.start + top, rows.start + last), cols
            yield part, self._block(seen, missing[top:last])
            top = last

    def _block(self, seen: Seen, missing: NDArray[np.bool_]) -> Block:
        require_finite(seen.probabilities, missing)
        seen.probabilities[:, missing] = np.nan
        steps = np.full(missing.shape, UNKNOWN, dtype=np.uint8)
        if self.area is not None:
            ratio = self.area.dissimilarity(seen.features) / self.area.threshold
            steps = np.where(missing, UNKNOWN, applicability_steps(ratio))
        return Block(seen.probabilities, steps)

    def _read(self, scene: Scene, window: Part, core: Part, missing: NDArray[np.bool_]
              ) -> Iterator[Tensor]:
        """Yield network input of a window, and mark the pixels of ``core`` that have no band."""
        rows, cols = window
        strips = Strips(scene, cols)
        for top in range(rows.start // READ * READ, rows.stop, READ):
            part = slice(max(top, rows.start), min(top + READ, rows.stop)), cols
            dn = strips.read(part)
            first, last = (min(max(r, core[0].start), core[0].stop)
                           for r in (part[0].start, part[0].stop))
            if first < last:
                inner = within(part, (slice(first, last), core[1]))
                missing[first - core[0].start:last - core[0].start] = ~dn[:, *inner].any(axis=0)
            values = to_reflectance(dn if dn.all() else strips.filled(part), self.offset)
            if not dn.all():
                np.copyto(values, self.fallback, where=np.isnan(values))
            yield torch.from_numpy(self.normalisation.scaled(values))[None]


def _blank(rows: slice, cols: slice) -> Iterator[tuple[Part, Block]]:
    """Yield blocks without data."""
    for top in range(rows.start, rows.stop, READ):
        part = slice(top, min(top + READ, rows.stop)), cols
        shape = tuple(s.stop - s.start for s in part)
        yield part, Block(np.full((len(legend.CODES), *shape), np.nan, np.float32),
                          np.full(shape, UNKNOWN, np.uint8))


def write_block(writers: Mapping[str, RasterWriter], block: Block, core: Part) -> NDArray[np.int64]:
    """Write a block's parts; return what :func:`count_codes` counts."""
    parts = stored_as(block, writers)
    for what, values in parts.items():
        writers[what].write(values, Window.from_slices(*core))
    return count_codes(parts)


def stored_as(block: Block, outputs: Collection[str]) -> dict[str, NDArray[np.uint8]]:
    """Return a block as each of its outputs holds it: (band, row, col) by the output's name."""
    parts = {"output": codes_of(block.probabilities)[None]}
    if "probabilities" in outputs:
        parts["probabilities"] = shares(block.probabilities)
    if "entropy" in outputs:
        surprise = -np.log(np.maximum(block.probabilities, np.finfo(np.float32).tiny))
        entropy = (block.probabilities * surprise).sum(axis=0) / np.log(len(legend.CODES))
        parts["entropy"] = shares(entropy)[None]
    if "applicability" in outputs:
        parts["applicability"] = block.steps[None]
    return parts


def count_codes(parts: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Count the pixels of each code in a stored block: (2, 256), all, and those outside."""
    codes, steps = parts["output"], parts.get("applicability", np.uint8(UNKNOWN))
    outside = codes[np.broadcast_to((steps > INSIDE) & (steps != UNKNOWN), codes.shape)]
    return np.stack([np.bincount(c.ravel(), minlength=256) for c in (codes, outside)])


def map_tags(stored: StoredModel, offset: Offset, tta: bool, model_name: str) -> dict[str, str]:
    """Return what a map's metadata say of how it was made."""
    return {"model": model_name, "network": f"{stored.config.network} ({stored.config.name})",
            "offset": f"{offset.used} DN ({offset.source})", "tta": str(tta).lower()}


def publish(writers: Mapping[str, RasterWriter]) -> None:
    """Finish all outputs, then give them their names."""
    for writer in writers.values():
        writer.finish()
    for writer in writers.values():
        writer.publish()


def map_writers(stack: ExitStack, outputs: Mapping[str, Path | None], source: Scene,
                tags: dict[str, str], area: Applicability | None) -> dict[str, RasterWriter]:
    """Return a writer for each output that has a path, by the output's name."""
    grid = source.shape, source.crs, source.transform
    tags |= {"scene": source.path.stem, "date": source.date, "sensor": source.sensor,
             "baseline": source.baseline, "version": f"lulc_lib {__version__}"}
    tags = {key: value for key, value in tags.items() if value}
    writers = {"output": stack.enter_context(class_map_writer(outputs["output"], *grid, tags))}
    bands = {"probabilities": [f"{c} {name}" for c, name in legend.NAMES.items()],
             "entropy": ["entropy, share of the largest possible"]}
    for what, names in bands.items():
        if outputs.get(what) is not None:
            writers[what] = stack.enter_context(shares_writer(outputs[what], *grid, names, tags))
    if outputs.get("applicability") is not None:
        writers["applicability"] = stack.enter_context(
            applicability_writer(outputs["applicability"], *grid, area.threshold, tags))
    return writers


def _surveyed(scene: Scene, offset: int | None, advance: Callable[[int], object],
              output: Path | str, stack: ExitStack) -> tuple[Survey, Scene]:
    """Survey a scene; return it as it is read fastest until ``stack`` is closed."""
    if not scene.slow:
        return scene.survey(offset, advance), scene
    with writing(Path(output)):
        place = stack.enter_context(unfinished(output)) / "scene.tif"
        survey = scene.survey(offset, advance, place)
        return survey, stack.enter_context(scene.kept_in(place))


def _tell_time(classifier: Classifier, scene: Scene, cores: Sequence[Part]) -> None:
    """Say how long a large scene takes, judged by a cell with data near its middle."""
    if scene.shape[0] * scene.shape[1] < LONG:
        return
    middle, held = np.array(classifier.data.shape) / 2, np.argwhere(classifier.data)
    corner = CELL * held[np.abs(held - middle).sum(axis=1).argmin()]
    core = tuple(slice(at, min(at + CELL, size))
                 for at, size in zip(corner.tolist(), scene.shape, strict=True))
    margin = (classifier.predictor.margin,) * 2
    classifier.block(scene, core)  # the first call also sets up
    began = time.monotonic()
    classifier.block(scene, core)
    taken, work = time.monotonic() - began, [
        _area(grown(classifier.with_data(c), margin, scene.shape)) for c in cores]
    seconds = taken / _area(grown(core, margin, scene.shape)) * sum(work)
    note(f"{scene.shape[0]} × {scene.shape[1]} pixels take {duration(seconds)}")


def _area(part: Part) -> int:
    return (part[0].stop - part[0].start) * (part[1].stop - part[1].start)


def _bar(what: str, scene: Scene, progress: bool | None) -> Progress:
    return Progress(scene.shape[0] * scene.shape[1], what, "px", progress)
