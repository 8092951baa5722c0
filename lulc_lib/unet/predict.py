"""From a trained network and a scene to class probabilities and a class map."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from lulc_lib import legend
from lulc_lib.data.reference import on_grid
from lulc_lib.errors import InputError
from lulc_lib.unet.ensemble import Ensemble
from lulc_lib.unet.networks import Network
from lulc_lib.unet.normalise import Normalisation

TILE = 1024
"""Pixels, edge of the part of a scene that is classified at once."""

WHOLE = 1200
"""Pixels: a scene with no edge longer than this is classified in one pass by default."""


def predict_probabilities(
    model: Network | Ensemble,
    scene: xr.DataArray,
    normalisation: Normalisation,
    tta: bool = False,
    tile: int | None = None,
    overlap: int | None = None,
) -> xr.DataArray:
    """Probability of every class at every pixel of a scene.

    Parameters
    ----------
    model : trained network or ensemble; it is put in evaluation mode and left on its device.
    scene : (band, y, x) float32, reflectance, NaN where a band holds no data, with CRS.
    normalisation : the one the network was trained with.
    tta : average over the eight turned and mirrored copies of the scene (eight times the work).
    tile : pixels, a multiple of 2**depth; edge of the parts. None: one pass up to 1200 × 1200
        pixels, else tiles of 1024.
    overlap : pixels, a multiple of 2**depth, read around each tile and thrown away. None: as many
        as the network can see, which makes the tiles' borders vanish exactly.

    Returns
    -------
    (class, y, x) float32, sums to 1 over ``class`` (legend codes); NaN where every band of the
    scene is missing; with CRS.

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
    overlap = model.margin if overlap is None else overlap
    check_tiles(model, tile, overlap)
    out = np.empty((len(legend.CODES), rows, cols), dtype=np.float32)
    model.eval()
    for core, window in tiles(rows, cols, tile, overlap):
        part = probabilities_of(model, inputs[:, *window], tta)
        inner = tuple(slice(c.start - w.start, c.stop - w.start)
                      for c, w in zip(core, window, strict=True))
        out[(slice(None), *core)] = part[(slice(None), *inner)]
    out[:, ~np.isfinite(scene.values).any(axis=0)] = np.nan
    grid = xr.DataArray(
        out, dims=("class", "y", "x"),
        coords={"class": list(legend.CODES), "y": scene.y, "x": scene.x},
        name="probability", attrs=_origin(scene),
    )
    return grid.rio.write_crs(scene.rio.crs).rio.write_transform(scene.rio.transform())


def map_of(probabilities: xr.DataArray) -> xr.DataArray:
    """The most probable class: (y, x) uint8 legend codes, NO_DATA where probabilities are NaN.

    Parameters
    ----------
    probabilities : (class, y, x) float32, from :func:`predict_probabilities`.
    """
    values = probabilities.values
    missing = np.isnan(values[0])
    codes = legend.to_code(np.where(missing, 0, values).argmax(axis=0))
    codes[missing] = legend.NO_DATA
    return on_grid(codes, probabilities).assign_attrs(_origin(probabilities))


def predict_scene(
    model: Network | Ensemble,
    scene: xr.DataArray,
    normalisation: Normalisation,
    tta: bool = False,
    tile: int | None = None,
    overlap: int | None = None,
) -> xr.DataArray:
    """Class map of a scene; parameters and errors as in :func:`predict_probabilities`.

    Returns
    -------
    (y, x) uint8 legend codes on the scene's grid, with CRS; NO_DATA only where every band of the
    scene is missing.
    """
    return map_of(predict_probabilities(model, scene, normalisation, tta, tile, overlap))


def map_codes(model: Network | Ensemble, inputs: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(row, col) uint8 legend codes of a normalised (band, row, col) scene, in one pass."""
    model.eval()
    return legend.to_code(probabilities_of(model, inputs, tta=False).argmax(axis=0))


def check_tiles(model: Network | Ensemble, tile: int, overlap: int) -> None:
    """Raise InputError unless tiles of this size fit the network's poolings."""
    step = 2**model.depth
    for name, value, least in (("tile", tile, step), ("overlap", overlap, 0)):
        if value < least or value % step:
            raise InputError(
                f"{name} is {value}; it must be a multiple of {step} pixels "
                f"({model.depth} poolings) and at least {least}"
            )


def tiles(
    rows: int, cols: int, tile: int, overlap: int
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """For each tile its own rows and columns, and those with the overlap around it."""
    for top in range(0, rows, tile):
        for left in range(0, cols, tile):
            core, window = [], []
            for start, size in ((top, rows), (left, cols)):
                stop = min(start + tile, size)
                core.append(slice(start, stop))
                window.append(slice(max(start - overlap, 0), min(stop + overlap, size)))
            yield tuple(core), tuple(window)


@torch.no_grad()
def probabilities_of(
    model: Network | Ensemble, inputs: NDArray[np.float32], tta: bool
) -> NDArray[np.float32]:
    """(class, row, col) float32 probabilities of (band, row, col) inputs of any size.

    Turned copies are brought to a multiple of 2**depth, by repeating the last row and column, so
    that poolings meet the same pixels whichever way is up.
    """
    rows, cols = inputs.shape[1:]
    step = 2**model.depth
    missing = [(0, 0), *((0, -n % step if tta else max(step - n, 0)) for n in (rows, cols))]
    device = next(model.parameters()).device
    x = torch.from_numpy(np.pad(inputs, missing, mode="edge"))[None].to(device)  # (1, band, H, W)
    total = torch.zeros(1, device=device)
    turns = [(k, m) for k in range(4) for m in (False, True)] if tta else [(0, False)]
    for k, mirror in turns:
        view = torch.rot90(x.flip(-1) if mirror else x, k, (-2, -1))
        total = total + _back(model(view).softmax(dim=1), k, mirror)
    return (total / len(turns))[0, :, :rows, :cols].cpu().numpy()


def _back(y: Tensor, turns: int, mirror: bool) -> Tensor:
    y = torch.rot90(y, -turns, (-2, -1))
    return y.flip(-1) if mirror else y


def _origin(scene: xr.DataArray) -> dict[str, object]:
    """The attributes of a scene that its map keeps."""
    return {k: scene.attrs[k] for k in ("name", "date") if k in scene.attrs}
