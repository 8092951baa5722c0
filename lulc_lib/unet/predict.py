"""From a trained network and a scene to class probabilities and a class map.

Rows stream through the networks (``stream``), so that nothing is computed twice and memory does not
grow with a scene's height. A part of a scene is classified with a margin as wide as the receptive
field, from the network's pooling grid on: the map is the same bits however a scene is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter, methodcaller
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from lulc_lib import legend
from lulc_lib.data.bands import BANDS
from lulc_lib.errors import InputError
from lulc_lib.unet import inputs, stream
from lulc_lib.unet.inputs import TEXTURE_WINDOW
from lulc_lib.unet.model import Ensemble, Network
from lulc_lib.unet.normalise import Normalisation
from lulc_lib.unet.stream import Rows

READ = 256
"""Rows of a scene that are read and brought to network input at once."""

AT_ONCE = {"cpu": 1 << 17, "cuda": 1 << 22}
"""Pixels, about, that pass a network's first layers at once: their arrays fit a CPU's cache."""

SLICE, SLICE_COLUMNS = 64, 1024
"""Rows, and columns, of which the fixed input's channels are worked out at once."""

Part = tuple[slice, slice]
"""Rows and columns of a scene."""


class Seen(NamedTuple):
    """What networks say of some rows.

    Attributes
    ----------
    probabilities, features : array of float32, shape (class, row, col) and (feature, row, col)
        Features are what the last layer of every member sees of the scene as it is; none if they
        were not asked for.
    """

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32]


class Predictor:
    """A network or ensemble made ready for prediction, its batch normalisations folded.

    Parameters
    ----------
    model : Network or Ensemble
        Trained; it stays as it is, and its device is used.
    tta : bool
        Test-time augmentation: average over the eight turned and mirrored copies of the scene
        (eight times the work).
    features : bool
        Also give the features of :class:`Seen`.

    Raises
    ------
    InputError
        Features are asked for, and the last layer of a member does not see every pixel.
    """

    def __init__(self, model: Network | Ensemble, tta: bool = False, features: bool = False
                 ) -> None:
        members = list(model.members) if isinstance(model, Ensemble) else [model]
        if features and not all(m.FULL_RESOLUTION for m in members):
            raise InputError("the network's last layer does not see every pixel; an area of "
                             "applicability needs one that does (unet, unet_plus_plus)")
        self.features, self.tta, self.temperature = features, tta, model.temperature
        self.step, self.margin = 2**model.depth, model.margin
        self.vote = model.vote if isinstance(model, Ensemble) else itemgetter(0)
        self.device = next(model.parameters()).device
        self.copies = [(k, m) for k in range(4) for m in (False, True)] if tta else [(0, False)]
        kinds = [None if m.stage is None else m.stage.surroundings or "none" for m in members]
        self.stages = [members[kinds.index(kind)].stage for kind in dict.fromkeys(kinds)]
        self.stage_of = [list(dict.fromkeys(kinds)).index(kind) for kind in kinds]
        self.channels = [m.in_channels if m.stage is None else m.stage.channels for m in members]
        self.inner = self._rounded(max(m.trunk_radius for m in members))
        self.networks = [[stream.folded(m, *copy) for m in members] for copy in self.copies]

    def _rounded(self, radius: int) -> int:
        return -(-radius // self.step) * self.step

    def rows(self, parts: Rows, window: Part, core: Part) -> Iterator[Seen]:
        """Yield what the networks say of ``core``, from top to bottom.

        Parameters
        ----------
        parts : iterator of Tensor
            Network input of ``window``, (1, channel, some rows, all columns) each.
        window, core : tuple of slice
            Rows and columns of a scene; both start on multiples of ``step``, and the window reaches
            ``margin`` pixels farther than the core wherever the scene does.
        """
        size = [w.stop - w.start for w in window]
        more = [-n % self.step if self.tta else max(self.step - n, 0) for n in size]
        window = tuple(slice(w.start, w.stop + m) for w, m in zip(window, more, strict=True))
        kept = tuple(slice(max(c.start - self.inner, w.start), min(c.stop + self.inner, w.stop))
                     for c, w in zip(core, window, strict=True))
        parts = stream.extended(map(methodcaller("to", self.device), parts), *more)
        ready = self._staged(parts, within(window, kept))
        users = [iter(stream.shared(made, self.stage_of.count(number) * len(self.copies)))
                 for number, made in enumerate(ready)]
        (rows, cols), height = within(kept, core), kept[0].stop - kept[0].start
        streams = [
            stream.between(stream.features(network, next(users[number]), channels, height),
                           rows.start, rows.stop)
            for copy in self.networks
            for network, number, channels in zip(copy, self.stage_of, self.channels, strict=True)]
        for seen in stream.aligned(*streams):
            yield self._said([f[..., cols] for f in seen])

    def _staged(self, parts: Rows, inner: Part) -> list[Rows]:
        """Return what each stage makes of the rows and columns ``inner``."""
        (rows, cols), made = inner, []
        fixed = sum(stage is not None for stage in self.stages)
        plain = stream.shared(parts, len(self.stages) - fixed + bool(fixed))
        if fixed:
            made_once = _by_windows(_logs_and_rest, stream.parted(plain.pop(), SLICE),
                                    TEXTURE_WINDOW // 2)
            logs, rest = (stream.shared(part, fixed)
                          for part in stream.unzipped(map(_apart, made_once), 2))
        for stage in self.stages:
            if stage is None:
                beside = [plain.pop()]
            else:
                level = (_by_windows(stage.level, logs.pop(), self._rounded(stage.radius),
                                     self.step) if stage.surroundings
                         else map(stage.level, logs.pop()))
                beside = [level, rest.pop()]
            made.append(self._joined(beside, rows, cols))
        return made

    def _joined(self, beside: list[Rows], rows: slice, cols: slice) -> Rows:
        """Yield a few rows at a time of channels that come in several streams."""
        width = cols.stop - cols.start
        count = max(AT_ONCE[self.device.type] // width // self.step, 1) * self.step
        first, *others = (stream.between(part, rows.start, rows.stop) for part in beside)
        for parts in stream.aligned(stream.parted(first, count), *others):
            yield torch.cat([part[..., cols] for part in parts], dim=1).contiguous(
                memory_format=torch.channels_last)

    def _said(self, seen: list[Tensor]) -> Seen:
        """Return the members' weighted mean probability, averaged over the copies.

        In double precision: single precision's last bit would depend on where in memory a pixel
        lies.
        """
        count, total = len(self.stage_of), None
        for number, copy in enumerate(self.networks):
            each = [network.logits(f).to(torch.float64, memory_format=torch.contiguous_format)
                    .softmax(dim=1) for network, f in zip(
                        copy, seen[number * count:(number + 1) * count], strict=True)]
            mixed = self.vote(each)
            if self.temperature != 1:
                mixed = mixed ** (1 / self.temperature)
                mixed = mixed / mixed.sum(dim=1, keepdim=True)
            total = mixed if total is None else total + mixed
        if len(self.copies) > 1:
            total = total / len(self.copies)
        features = (torch.cat(seen[:count], 1) if self.features
                    else total.new_empty((1, 0, *total.shape[2:])))
        return Seen(total[0].float().cpu().numpy(), features[0].float().cpu().numpy())

    def whole(self, inputs: NDArray[np.float32]) -> Seen:
        """Return what the networks say of network input (channel, row, col) of any size."""
        rows, cols = inputs.shape[1:]
        everything = slice(0, rows), slice(0, cols)
        parts = (torch.from_numpy(inputs[None, :, top:top + READ]) for top in range(0, rows, READ))
        found = list(self.rows(parts, everything, everything))
        return Seen(*(np.concatenate(a, axis=1) for a in zip(*found, strict=True)))


def _logs_and_rest(reflectance: Tensor) -> Tensor:
    """Return log reflectance, and the channels that do not depend on the surroundings."""
    logs = inputs.log(reflectance)
    return torch.cat([logs, inputs.differences(reflectance), inputs.texture(logs)], dim=1)


def _apart(channels: Tensor) -> tuple[Tensor, Tensor]:
    """Return both, each in memory of its own: they are needed for different times."""
    return channels[:, :len(BANDS)].clone(), channels[:, len(BANDS):].clone()


def _by_windows(work: Callable[[Tensor], Tensor], parts: Rows, margin: int, step: int = 1) -> Rows:
    """Yield what is worked out of rows and columns with ``margin`` pixels around them."""
    for window, first, last in stream.windows(parts, margin, step):
        pieces = stream.windows(iter(window.split(SLICE_COLUMNS, 3)), margin, step, dim=3)
        yield torch.cat([work(columns)[:, :, first:last, left:right]
                         for columns, left, right in pieces], dim=3)


def predict_probabilities(model: Network | Ensemble, scene: xr.DataArray,
                          normalisation: Normalisation, tta: bool = False) -> xr.DataArray:
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

    Returns
    -------
    DataArray, (class, y, x) float32
        Sums to 1 over ``class`` (legend codes); NaN where every band of the scene is missing; with
        CRS.

    Raises
    ------
    InputError
        The scene has other bands, a band without data, or the network's weights are no finite
        numbers.
    """
    out = probabilities_of(model, normalisation.apply(scene), tta)
    missing = ~np.isfinite(scene.values).any(axis=0)
    require_finite(out, missing)
    out[:, missing] = np.nan
    grid = xr.DataArray(
        out, dims=("class", "y", "x"),
        coords={"class": list(legend.CODES), "y": scene.y, "x": scene.x},
        name="probability", attrs=_origin(scene))
    return grid.rio.write_crs(scene.rio.crs).rio.write_transform(scene.rio.transform())


def map_of(probabilities: xr.DataArray) -> xr.DataArray:
    """Return the most probable class: (y, x) uint8 legend codes, NO_DATA where there is none.

    Parameters
    ----------
    probabilities : DataArray, (class, y, x) float32
        From :func:`predict_probabilities`.
    """
    from lulc_lib.data.reference import on_grid

    codes = codes_of(probabilities.values)
    return on_grid(codes, probabilities).assign_attrs(_origin(probabilities))


def predict_scene(model: Network | Ensemble, scene: xr.DataArray, normalisation: Normalisation,
                  tta: bool = False) -> xr.DataArray:
    """Return the class map of a scene; parameters, errors as in :func:`predict_probabilities`.

    Returns
    -------
    DataArray, (y, x) uint8 legend codes
        On the scene's grid, with CRS; NO_DATA only where every band of the scene is missing.
    """
    return map_of(predict_probabilities(model, scene, normalisation, tta))


def map_codes(model: Network | Ensemble, inputs: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return legend codes (row, col) uint8 of network input (channel, row, col), in one pass."""
    return codes_of(probabilities_of(model, inputs, tta=False))


def tiles(model: Network | Ensemble, rows: int, cols: int, height: int, width: int | None = None
          ) -> Iterator[tuple[Part, Part]]:
    """Yield each tile's own rows and columns, and those with the margin around it.

    Tiles are square unless a width is given.

    Raises
    ------
    InputError
        Tiles of this size do not fit the network's poolings.
    """
    width, step = width or height, 2**model.depth
    for value in (height, width):
        if value < step or value % step:
            raise InputError(f"tile is {value}; it must be a multiple of {step} pixels "
                             f"({model.depth} poolings) and at least {step}")
    for left in range(0, cols, width):
        for top in range(0, rows, height):
            core = slice(top, min(top + height, rows)), slice(left, min(left + width, cols))
            yield core, grown(core, (model.margin, model.margin), (rows, cols))


def grown(part: Part, more: tuple[int, int], shape: tuple[int, int]) -> Part:
    """Return a part with more rows and columns on every side, as far as the scene goes."""
    rows, cols = (slice(max(p.start - m, 0), min(p.stop + m, size))
                  for p, m, size in zip(part, more, shape, strict=True))
    return rows, cols


def within(window: Part, part: Part) -> Part:
    """Return where ``part`` of a scene lies in an array that holds ``window`` of it."""
    rows, cols = (slice(p.start - w.start, p.stop - w.start)
                  for p, w in zip(part, window, strict=True))
    return rows, cols


def probabilities_of(model: Network | Ensemble, inputs: NDArray[np.float32], tta: bool
                     ) -> NDArray[np.float32]:
    """Return (class, row, col) float32 probabilities of (channel, row, col) input of any size.

    For turned copies, input is brought to a multiple of 2**depth, by repeating the last row and
    column, so that poolings meet the same pixels whichever way is up.
    """
    return Predictor(model, tta).whole(inputs).probabilities


def require_finite(probabilities: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
    """Raise InputError where probabilities (class, row, col) are none, but for ``missing`` pixels.

    The input has no gaps, so the network is to blame, and a map of it would show one class.
    """
    if not (np.isfinite(probabilities).all(axis=0) | missing).all():
        raise InputError("the network gives probabilities that are no finite numbers, so its "
                         "weights are damaged; train it again, or take another model file")


def codes_of(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the legend codes of the most probable classes, NO_DATA where they are NaN."""
    missing = np.isnan(probabilities[0])
    codes = legend.to_code(np.where(missing, 0, probabilities).argmax(axis=0))
    codes[missing] = legend.NO_DATA
    return codes


def _origin(scene: xr.DataArray) -> dict[str, object]:
    """Return the attributes of a scene that its map keeps."""
    return {k: scene.attrs[k] for k in ("name", "date") if k in scene.attrs}
