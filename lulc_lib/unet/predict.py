"""From a trained network and a scene to class probabilities and a class map.

A scene in memory is classified in one pass or in tiles, one on disk (:func:`classify_file`) always
in tiles, in memory that does not grow with the scene. Tiles overlap by the radius of the receptive
field and start on the network's pooling grid, so the map is the one that a single pass over the
whole scene would give; there is nothing to blend.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import torch
import xarray as xr
from numpy.typing import NDArray
from rasterio.windows import Window
from torch import Tensor
from tqdm import tqdm

from lulc_lib import __version__, legend
from lulc_lib.data.geotiff import (
    SHARE_NO_DATA,
    SHARE_STEPS,
    SUFFIXES,
    RasterWriter,
    class_map_writer,
    shares,
)
from lulc_lib.data.radiometry import Offset, to_reflectance
from lulc_lib.data.reference import on_grid
from lulc_lib.data.scenes import SceneFile, Survey, fill_band
from lulc_lib.errors import InputError
from lulc_lib.io import check_outputs
from lulc_lib.unet.checkpoint import StoredModel
from lulc_lib.unet.model import Ensemble, Network
from lulc_lib.unet.normalise import Normalisation, statistics_of

TILE = 1024
"""Pixels, edge of the largest part of a scene that is classified at once."""

WHOLE = 1200
"""Pixels: a scene in memory with no edge longer than this is classified in one pass by default."""

MEMORY = 800e6
"""Bytes, about what the network's largest arrays may take together when a file is classified."""

FULL_SIZE_ARRAYS = 6
"""Arrays of ``base_channels`` channels at full size that are alive at the same time."""

CACHE = 128
"""MB of blocks that GDAL keeps when a file is classified."""

Part = tuple[slice, slice]
"""Rows and columns of a scene."""


def predict_probabilities(
    model: Network | Ensemble, scene: xr.DataArray, normalisation: Normalisation,
    tta: bool = False, tile: int | None = None, overlap: int | None = None,
) -> xr.DataArray:
    """Return the probability of every class at every pixel of a scene.

    Parameters
    ----------
    model : Network or Ensemble
        Trained; it is put in evaluation mode and left on its device.
    scene : DataArray, (band, y, x) float32 reflectance
        NaN where a band holds no data; with CRS.
    normalisation : Normalisation
        The one the network was trained with.
    tta : bool
        Test-time augmentation: average over the eight turned and mirrored copies of the scene
        (eight times the work).
    tile : int, pixels, optional
        Edge of the parts, a multiple of 2**depth. Unless given, one pass up to 1200 × 1200 pixels,
        else tiles of 1024.
    overlap : int, pixels, optional
        Read around each tile and thrown away, a multiple of 2**depth. Unless given, the network's
        margin, which makes the tiles' borders vanish exactly.

    Returns
    -------
    DataArray, (class, y, x) float32
        Sums to 1 over ``class`` (legend codes); NaN where every band of the scene is missing; with
        CRS.

    Raises
    ------
    InputError
        The scene has other bands, a band without data, or tile sizes do not fit the network.
    """
    inputs = normalisation.apply(scene)
    rows, cols = inputs.shape[1:]
    if tile is None:
        tile = max(rows, cols) + 2**model.depth if max(rows, cols) <= WHOLE else TILE
        tile -= tile % 2**model.depth
    out = np.empty((len(legend.CODES), rows, cols), dtype=np.float32)
    for core, window in tiles(model, rows, cols, tile, overlap):
        part = probabilities_of(model, inputs[:, *window], tta)
        out[:, *core] = part[:, *within(window, core)]
    out[:, ~np.isfinite(scene.values).any(axis=0)] = np.nan
    grid = xr.DataArray(
        out, dims=("class", "y", "x"),
        coords={"class": list(legend.CODES), "y": scene.y, "x": scene.x},
        name="probability", attrs=_origin(scene),
    )
    return grid.rio.write_crs(scene.rio.crs).rio.write_transform(scene.rio.transform())


def map_of(probabilities: xr.DataArray) -> xr.DataArray:
    """Return the most probable class: (y, x) uint8 legend codes, NO_DATA where there is none.

    Parameters
    ----------
    probabilities : DataArray, (class, y, x) float32
        From :func:`predict_probabilities`.
    """
    codes = _codes(probabilities.values)
    return on_grid(codes, probabilities).assign_attrs(_origin(probabilities))


def predict_scene(
    model: Network | Ensemble, scene: xr.DataArray, normalisation: Normalisation,
    tta: bool = False, tile: int | None = None, overlap: int | None = None,
) -> xr.DataArray:
    """Return the class map of a scene; parameters, errors as in :func:`predict_probabilities`.

    Returns
    -------
    DataArray, (y, x) uint8 legend codes
        On the scene's grid, with CRS; NO_DATA only where every band of the scene is missing.
    """
    return map_of(predict_probabilities(model, scene, normalisation, tta, tile, overlap))


def map_codes(model: Network | Ensemble, inputs: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return legend codes (row, col) uint8 of network input (channel, row, col), in one pass."""
    return _codes(probabilities_of(model, inputs, tta=False))


def tiles(
    model: Network | Ensemble, rows: int, cols: int, tile: int, overlap: int | None = None
) -> Iterator[tuple[Part, Part]]:
    """Yield each tile's own rows and columns, and those with the overlap around it.

    Raises
    ------
    InputError
        Tiles of this size do not fit the network's poolings.
    """
    overlap, step = model.margin if overlap is None else overlap, 2**model.depth
    for name, value, least in (("tile", tile, step), ("overlap", overlap, 0)):
        if value < least or value % step:
            raise InputError(
                f"{name} is {value}; it must be a multiple of {step} pixels "
                f"({model.depth} poolings) and at least {least}"
            )
    for top in range(0, rows, tile):
        for left in range(0, cols, tile):
            core = slice(top, min(top + tile, rows)), slice(left, min(left + tile, cols))
            yield core, _grown(core, (overlap, overlap), (rows, cols))


def _grown(part: Part, more: tuple[int, int], shape: tuple[int, int]) -> Part:
    """Return a part with more rows and columns on every side, as far as the scene goes."""
    rows, cols = (slice(max(p.start - m, 0), min(p.stop + m, size))
                  for p, m, size in zip(part, more, shape, strict=True))
    return rows, cols


def within(window: Part, part: Part) -> Part:
    """Return where ``part`` of a scene lies in an array that holds ``window`` of it."""
    rows, cols = (slice(p.start - w.start, p.stop - w.start)
                  for p, w in zip(part, window, strict=True))
    return rows, cols


@torch.no_grad()
def probabilities_of(
    model: Network | Ensemble, inputs: NDArray[np.float32], tta: bool
) -> NDArray[np.float32]:
    """Return (class, row, col) float32 probabilities of (channel, row, col) input of any size.

    Turned copies are brought to a multiple of 2**depth, by repeating the last row and column, so
    that poolings meet the same pixels whichever way is up.
    """
    model.eval()
    rows, cols = inputs.shape[1:]
    step = 2**model.depth
    missing = [(0, 0), *((0, -n % step if tta else max(step - n, 0)) for n in (rows, cols))]
    device = next(model.parameters()).device
    x = torch.from_numpy(np.pad(inputs, missing, mode="edge"))[None].to(device)  # (1, channel, …)
    total = torch.zeros(1, device=device)
    turns = [(k, m) for k in range(4) for m in (False, True)] if tta else [(0, False)]
    for k, mirror in turns:
        view = torch.rot90(x.flip(-1) if mirror else x, k, (-2, -1))
        total = total + _back(model(view).softmax(dim=1), k, mirror)
    return (total / len(turns))[0, :, :rows, :cols].cpu().numpy()


def _back(y: Tensor, turns: int, mirror: bool) -> Tensor:
    y = torch.rot90(y, -turns, (-2, -1))
    return y.flip(-1) if mirror else y


def _codes(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the legend codes of the most probable classes, NO_DATA where they are NaN."""
    missing = np.isnan(probabilities[0])
    codes = legend.to_code(np.where(missing, 0, probabilities).argmax(axis=0))
    codes[missing] = legend.NO_DATA
    return codes


def _origin(scene: xr.DataArray) -> dict[str, object]:
    """Return the attributes of a scene that its map keeps."""
    return {k: scene.attrs[k] for k in ("name", "date") if k in scene.attrs}


@dataclass(frozen=True)
class Classified:
    """What was done."""

    offset: Offset  # radiometric, the one used
    pixels: dict[int, int]  # of each legend code and of NO_DATA
    pixel_ha: float | None  # area of a pixel, hectares; None if the scene's CRS is not projected


def classify_file(
    scene: Path | str, output: Path | str, stored: StoredModel, *,
    probabilities: Path | None = None, entropy: Path | None = None, tta: bool | None = None,
    offset: int | None = None, tile: int | None = None, model_name: str = "",
    progress: bool | None = None,
) -> Classified:
    """Classify a GeoTIFF of any size into a Cloud-Optimised GeoTIFF of legend codes.

    The file is read twice: once for the radiometric offset and the scene's statistics, then tile by
    tile.

    Parameters
    ----------
    scene : Path or str
        See :class:`lulc_lib.data.scenes.SceneFile`.
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
        The scene, a setting or an output's place cannot be used. No output is then written or
        changed.
    """
    tta = stored.config.tta if tta is None else tta
    outputs = {"output": Path(output), "probabilities": probabilities, "entropy": entropy}
    check_outputs(outputs, [Path(scene)], SUFFIXES)
    with rasterio.Env(GDAL_CACHEMAX=CACHE), SceneFile(scene) as source:
        parts = list(tiles(stored.model, *source.shape, tile or tile_size(stored)))
        with _bar("reading", source, progress) as bar:
            survey = source.survey(offset, bar.update)
        reader, counts = _Reader(source, survey, stored.normalisation), np.zeros(256, np.int64)
        tags = {"model": model_name, "network": f"{stored.config.network} ({stored.config.name})",
                "offset": f"{survey.offset.used} DN ({survey.offset.source})",
                "tta": str(tta).lower()}
        try:
            with ExitStack() as stack, _bar("classifying", source, progress) as bar:
                writers = _writers(stack, outputs, source, tags)
                for core, window in parts:
                    tile_probabilities = _classify_tile(reader, stored.model, core, window, tta)
                    counts += _write(writers, tile_probabilities, core)
                    bar.update(tile_probabilities[0].size)
                for writer in writers.values():
                    writer.finish()
                for writer in writers.values():
                    writer.publish()
        except (rasterio.errors.RasterioError, OSError) as error:
            raise InputError(f"{output}: cannot be written; is there room on the disk? "
                             f"({error})") from error
    t = source.transform
    return Classified(survey.offset, {c: int(counts[c]) for c in (legend.NO_DATA, *legend.CODES)},
                      abs(t.a * t.e) / 1e4 if source.crs.is_projected else None)


def tile_size(stored: StoredModel) -> int:
    """Return the edge in pixels of tiles that keep the network's arrays within :data:`MEMORY`."""
    step = 2**stored.model.depth
    window = int((MEMORY / (4 * FULL_SIZE_ARRAYS * stored.config.base_channels)) ** 0.5)
    edge = min(window - 2 * stored.model.margin, TILE)
    return max(edge // step, 8) * step


class _Reader:
    """Network input of any part of a scene's file."""

    def __init__(self, scene: SceneFile, survey: Survey, normalisation: Normalisation) -> None:
        statistics = statistics_of(survey.count, survey.total, survey.squares)
        self.scene, self.offset = scene, survey.offset.used
        self.fallback = statistics[0]  # (band,) reflectance where a band is missing far around
        self.normalisation = normalisation.settled(statistics)

    def reflectance(self, part: Part) -> NDArray[np.float32]:
        """Return (band, row, col) float32 reflectance, NaN where a band holds no data."""
        return to_reflectance(self.scene.read(_window(part)), self.offset)

    def inputs(self, values: NDArray[np.float32], core: Part, window: Part) -> NDArray[np.float32]:
        """Return network input of the reflectance of ``window`` around ``core``.

        A gap takes the nearest pixel's value, which may lie outside the window: half as far again
        as the overlap is looked at.
        """
        if np.isfinite(values).all():
            return self.normalisation.scaled(values)
        rows, cols = (max(c.start - w.start, w.stop - c.stop) * 3 // 2 + 2
                      for c, w in zip(core, window, strict=True))
        wide = _grown(window, (rows, cols), self.scene.shape)
        values = self.reflectance(wide)
        for band, mean in zip(values, self.fallback, strict=True):
            if not fill_band(band):
                band[...] = mean
        return self.normalisation.scaled(values[:, *within(wide, window)])


def _classify_tile(
    reader: _Reader, model: Network | Ensemble, core: Part, window: Part, tta: bool
) -> NDArray[np.float32]:
    """Return probabilities (class, row, col) of a tile, NaN where it lacks every band."""
    values = reader.reflectance(window)
    inner = within(window, core)
    missing = np.isnan(values[:, *inner]).all(axis=0)
    if missing.all():
        return np.full((len(legend.CODES), *missing.shape), np.nan, dtype=np.float32)
    inputs = reader.inputs(values, core, window)
    probabilities = probabilities_of(model, inputs, tta)[:, *inner]
    probabilities[:, missing] = np.nan
    return probabilities


def _write(
    writers: Mapping[str, RasterWriter], probabilities: NDArray[np.float32], core: Part
) -> NDArray[np.int64]:
    """Write a tile's parts; return (256,) pixels of each code."""
    codes, window = _codes(probabilities), _window(core)
    writers["output"].write(codes[None], window)
    if "probabilities" in writers:
        writers["probabilities"].write(shares(probabilities), window)
    if "entropy" in writers:
        surprise = -np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
        entropy = (probabilities * surprise).sum(axis=0) / np.log(len(legend.CODES))
        writers["entropy"].write(shares(entropy)[None], window)
    return np.bincount(codes.ravel(), minlength=256)


def _writers(
    stack: ExitStack, outputs: Mapping[str, Path | None], source: SceneFile, tags: dict[str, str]
) -> dict[str, RasterWriter]:
    grid = source.shape, source.crs, source.transform
    tags |= {"scene": source.path.stem, "date": source.date, "version": f"lulc_lib {__version__}"}
    tags = {key: value for key, value in tags.items() if value}
    writers = {"output": stack.enter_context(class_map_writer(outputs["output"], *grid, tags))}
    bands = {"probabilities": [f"{c} {name}" for c, name in legend.NAMES.items()],
             "entropy": ["entropy, share of the largest possible"]}
    for what, names in bands.items():
        if outputs[what] is not None:
            writers[what] = stack.enter_context(RasterWriter(
                outputs[what], *grid, names, SHARE_NO_DATA, tags, "AVERAGE", 1 / SHARE_STEPS))
    return writers


def _window(part: Part) -> Window:
    return Window.from_slices(*part)


def _bar(what: str, scene: SceneFile, progress: bool | None) -> tqdm:
    return tqdm(total=scene.shape[0] * scene.shape[1], desc=what, unit="px", unit_scale=True,
                file=sys.stderr, disable=None if progress is None else not progress, leave=False)
