"""From a scene on disk to a class map on disk, in memory that does not grow with the scene.

Two passes: the first decides on the radiometric offset and sums up the scene's statistics block by
block; the second reads overlapping tiles, classifies them and writes what lies between the
overlaps. The overlap is as wide as the network can see and tiles start on its pooling grid, so the
map is the one that a single pass over the whole scene would give; there is nothing to blend.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window
from tqdm import tqdm

from lulc_lib import __version__, legend
from lulc_lib.data.geotiff import (
    SHARE_NO_DATA,
    SHARE_STEPS,
    RasterWriter,
    check_outputs,
    class_map_writer,
    shares,
)
from lulc_lib.data.radiometry import Offset, to_reflectance
from lulc_lib.data.scenes import SceneFile, Survey, fill_band
from lulc_lib.errors import InputError
from lulc_lib.unet.checkpoint import StoredModel
from lulc_lib.unet.ensemble import Ensemble
from lulc_lib.unet.networks import Network
from lulc_lib.unet.normalise import Normalisation, statistics_of
from lulc_lib.unet.predict import TILE, check_tiles, probabilities_of, tiles

MEMORY = 800e6
"""Bytes, about what the network's largest arrays may take together."""

FULL_SIZE_ARRAYS = 6
"""Arrays of ``base`` channels at full size that are alive at the same time."""

CACHE = 128
"""MB of blocks that GDAL keeps."""


@dataclass(frozen=True)
class ClassifyOptions:
    """How a scene is classified, and what is written besides the map.

    Attributes
    ----------
    probabilities : GeoTIFF with a band per class, share 0–1 stored in steps of 1/250; None: none.
    entropy : GeoTIFF of the probabilities' entropy as a share of the largest possible, likewise:
        0 certain, 1 all classes equally probable.
    tta : average over the eight turned and mirrored copies (eight times the work); None: as the
        model's settings say.
    offset : DN to subtract; None decides from the file's metadata and pixels.
    tile : pixels, a multiple of 2**depth; None: as large as memory of about 1 GB allows.
    overlap : pixels, a multiple of 2**depth; None: as many as the network can see, so that tiles
        leave no trace.
    model_name : written into the file's metadata.
    progress : show a bar on stderr; None: only in a terminal.
    """

    probabilities: Path | None = None
    entropy: Path | None = None
    tta: bool | None = None
    offset: int | None = None
    tile: int | None = None
    overlap: int | None = None
    model_name: str = ""
    progress: bool | None = None


@dataclass(frozen=True)
class Classified:
    """What was done: the offset used, and pixels of each legend code and of NO_DATA."""

    offset: Offset
    pixels: dict[int, int]


def classify_file(
    scene: Path | str, output: Path | str, stored: StoredModel,
    options: ClassifyOptions | None = None,
) -> Classified:
    """Classify a GeoTIFF of any size into a Cloud-Optimised GeoTIFF of legend codes.

    Parameters
    ----------
    scene : see :class:`lulc_lib.data.scenes.SceneFile`.
    output : uint8 legend codes on the scene's grid, NO_DATA where every band is missing, with a
        colour table; a QGIS style of the same name ending in .qml is written beside it.
    stored : network, normalisation and settings.
    options : see :class:`ClassifyOptions`.

    Raises
    ------
    InputError
        The scene, the options or an output's place cannot be used. No output is then written or
        changed.
    """
    options = options or ClassifyOptions()
    if options.tta is None:
        options = replace(options, tta=stored.config.tta)
    outputs = {"output": Path(output), "probabilities": options.probabilities,
               "entropy": options.entropy}
    check_outputs(outputs, [Path(scene)])
    with rasterio.Env(GDAL_CACHEMAX=CACHE), SceneFile(scene) as source:
        size = options.tile or tile_size(stored)
        overlap = stored.model.margin if options.overlap is None else options.overlap
        check_tiles(stored.model, size, overlap)
        pixels = source.shape[0] * source.shape[1]
        with _bar("reading", pixels, options) as bar:
            survey = source.survey(options.offset, bar.update)
        reader = _Reader(source, survey, stored.normalisation)
        try:
            with ExitStack() as stack, _bar("classifying", pixels, options) as bar:
                writers = _writers(stack, outputs, source, survey.offset, stored, options)
                counts = np.zeros(256, dtype=np.int64)
                for core, window in tiles(*source.shape, size, overlap):
                    found = _tile(reader, stored.model, core, window, options.tta)
                    counts += _write(writers, found, core)
                    bar.update(found[0].size)
                for writer in writers.values():
                    writer.finish()
                for writer in writers.values():
                    writer.publish()
        except (rasterio.errors.RasterioError, OSError) as error:
            raise InputError(f"{output}: cannot be written; is there room on the disk? "
                             f"({error})") from error
    return Classified(survey.offset, {c: int(counts[c]) for c in (legend.NO_DATA, *legend.CODES)})


def tile_size(stored: StoredModel) -> int:
    """Pixels, edge of the tiles that keep the network's arrays within :data:`MEMORY`."""
    step = 2**stored.model.depth
    window = int((MEMORY / (4 * FULL_SIZE_ARRAYS * stored.config.base)) ** 0.5)
    edge = min(window - 2 * stored.model.margin, TILE)
    return max(edge // step, 8) * step


class _Reader:
    """Network input of any part of a scene."""

    def __init__(self, scene: SceneFile, survey: Survey, normalisation: Normalisation) -> None:
        statistics = statistics_of(survey.count, survey.total, survey.squares)
        self.scene, self.offset = scene, survey.offset.used
        self.fallback = statistics[0]  # (band,) reflectance where a band is missing far around
        self.normalisation = normalisation.settled(statistics)

    def inputs(
        self, core: tuple[slice, slice], window: tuple[slice, slice]
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
        """Network input (band, row, col) of ``window``, None if ``core`` holds no data at all;
        and (row, col) whether a pixel of ``core`` lacks every band.

        A gap takes the nearest pixel's value, which may lie outside the window: half as far again
        as the overlap is looked at.
        """
        dn = self.scene.read(_window(window))
        inner = tuple(slice(c.start - w.start, c.stop - w.start)
                      for c, w in zip(core, window, strict=True))
        missing = ~dn[:, *inner].any(axis=0)
        if missing.all():
            return None, missing
        if dn.all():
            return self.normalisation.scaled(to_reflectance(dn, self.offset)), missing
        wide = []
        for c, w, size in zip(core, window, self.scene.shape, strict=True):
            more = max(c.start - w.start, w.stop - c.stop) * 3 // 2 + 2
            wide.append(slice(max(w.start - more, 0), min(w.stop + more, size)))
        values = to_reflectance(self.scene.read(_window(wide)), self.offset)
        for band, mean in zip(values, self.fallback, strict=True):
            if not fill_band(band):
                band[...] = mean
        part = tuple(slice(w.start - o.start, w.stop - o.start)
                     for w, o in zip(window, wide, strict=True))
        return self.normalisation.scaled(values[:, *part]), missing


def _tile(
    reader: _Reader, model: Network | Ensemble, core: tuple[slice, slice],
    window: tuple[slice, slice], tta: bool,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Legend codes (row, col) and probabilities (class, row, col; NaN: no data) of a tile."""
    inputs, missing = reader.inputs(core, window)
    if inputs is None:
        chance = np.full((len(legend.CODES), *missing.shape), np.nan, dtype=np.float32)
        return np.full(missing.shape, legend.NO_DATA, dtype=np.uint8), chance
    model.eval()
    inner = tuple(slice(c.start - w.start, c.stop - w.start)
                  for c, w in zip(core, window, strict=True))
    chance = probabilities_of(model, inputs, tta)[:, *inner]
    codes = legend.to_code(chance.argmax(axis=0))
    codes[missing] = legend.NO_DATA
    chance[:, missing] = np.nan
    return codes, chance


def _write(
    writers: dict[str, RasterWriter], found: tuple[NDArray[np.uint8], NDArray[np.float32]],
    core: tuple[slice, slice],
) -> NDArray[np.int64]:
    """Write a tile's parts; (256,) pixels of each code."""
    codes, chance = found
    window = _window(core)
    writers["output"].write(codes[None], window)
    if "probabilities" in writers:
        writers["probabilities"].write(shares(chance), window)
    if "entropy" in writers:
        surprise = -np.log(np.maximum(chance, np.finfo(np.float32).tiny))
        entropy = (chance * surprise).sum(axis=0) / np.log(len(legend.CODES))
        writers["entropy"].write(shares(entropy)[None], window)
    return np.bincount(codes.ravel(), minlength=256)


def _writers(
    stack: ExitStack, outputs: dict[str, Path | None], source: SceneFile, offset: Offset,
    stored: StoredModel, options: ClassifyOptions,
) -> dict[str, RasterWriter]:
    grid = source.shape, source.crs, source.transform
    tags = {"scene": source.path.stem, "date": source.date, "model": options.model_name,
            "network": f"{stored.config.network} ({stored.config.name})",
            "offset": f"{offset.used} DN ({offset.source})", "tta": str(options.tta).lower(),
            "version": f"lulc_lib {__version__}"}
    tags = {key: value for key, value in tags.items() if value}
    made = {"output": class_map_writer(outputs["output"], *grid, tags)}
    stack.enter_context(made["output"])
    bands = {"probabilities": [f"{c} {name}" for c, name in legend.NAMES.items()],
             "entropy": ["entropy, share of the largest possible"]}
    for what, names in bands.items():
        if outputs[what] is not None:
            made[what] = stack.enter_context(RasterWriter(
                outputs[what], *grid, names, SHARE_NO_DATA, tags, "AVERAGE", 1 / SHARE_STEPS))
    return made


def _window(part: tuple[slice, slice] | list[slice]) -> Window:
    rows, cols = part
    return Window(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)


def _bar(what: str, pixels: int, options: ClassifyOptions) -> tqdm:
    hidden = None if options.progress is None else not options.progress
    return tqdm(total=pixels, desc=what, unit="px", unit_scale=True, file=sys.stderr,
                disable=hidden, leave=False)
