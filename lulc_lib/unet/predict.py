"""From a trained network and a scene to class probabilities and a class map.

A scene in memory is classified in one pass or in tiles, one on disk (``map_files``) always
in tiles, in memory that does not grow with the scene. Tiles overlap by the radius of the receptive
field and start on the network's pooling grid, so the map is the one that a single pass over the
whole scene would give; there is nothing to blend.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from lulc_lib import legend
from lulc_lib.errors import InputError
from lulc_lib.unet.model import Ensemble, Network
from lulc_lib.unet.normalise import Normalisation

TILE = 1024
"""Pixels, edge of the largest part of a scene that is classified at once."""

WHOLE = 1200
"""Pixels: a scene in memory with no edge longer than this is classified in one pass by default."""

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
    from lulc_lib.data.reference import on_grid

    codes = codes_of(probabilities.values)
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
    return codes_of(probabilities_of(model, inputs, tta=False))


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
            yield core, grown(core, (overlap, overlap), (rows, cols))


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
        total = total + _back((model(view) / model.temperature).softmax(dim=1), k, mirror)
    return (total / len(turns))[0, :, :rows, :cols].cpu().numpy()


def _back(y: Tensor, turns: int, mirror: bool) -> Tensor:
    y = torch.rot90(y, -turns, (-2, -1))
    return y.flip(-1) if mirror else y


def codes_of(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the legend codes of the most probable classes, NO_DATA where they are NaN."""
    missing = np.isnan(probabilities[0])
    codes = legend.to_code(np.where(missing, 0, probabilities).argmax(axis=0))
    codes[missing] = legend.NO_DATA
    return codes


def _origin(scene: xr.DataArray) -> dict[str, object]:
    """Return the attributes of a scene that its map keeps."""
    return {k: scene.attrs[k] for k in ("name", "date") if k in scene.attrs}
