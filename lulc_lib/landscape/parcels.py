"""Field geometry: blocks of land and the parcels they are split into."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lulc_lib.landscape.noise import warped_grid
from lulc_lib.landscape.plan import Site

BLOCK_HA = 55.0
"""Mean size of a block, hectares: land between roads, worked in one direction."""


def make_blocks(rng: np.random.Generator, site: Site) -> NDArray[np.int32]:
    """Block number of every pixel ``(row, col) int32``: Voronoi cells with gently curved sides."""
    rows, cols = site.shape
    side = np.sqrt(BLOCK_HA * 100)
    grid = np.mgrid[-side / 2:rows + side:side, -side / 2:cols + side:side].reshape(2, -1).T
    seeds = grid + rng.uniform(-0.42, 0.42, grid.shape) * side
    r, c = warped_grid(rng, site.shape, 22, 4)
    _, block = cKDTree(seeds).query(np.column_stack([r.ravel(), c.ravel()]))
    return np.unique(block, return_inverse=True)[1].reshape(site.shape).astype(np.int32)


def _cuts(rng: np.random.Generator, along: NDArray, across: NDArray, strips: bool) -> NDArray:
    """Which side of one cut each pixel lies on: across the longer side, a little askew."""
    long, short = (along, across) if np.ptp(along) > np.ptp(across) else (across, along)
    if strips and np.ptp(along) < 6 * np.ptp(across):
        long, short = across, along
    lo, hi = long.min(), long.max()
    at = lo + (hi - lo) * rng.uniform(0.34, 0.66)
    skew = rng.normal(0, 0.06)
    return long + skew * (short - short.mean()) < at


def split_block(
    rng: np.random.Generator, rows: NDArray, cols: NDArray, site: Site, angle: float
) -> NDArray[np.int32]:
    """Parcel number (0 …) of each pixel of one block, by recursive splitting.

    Strips (``site.strips``) are cut side by side until they are narrow, as where farms were
    divided by inheritance; elsewhere the longer side is cut.
    """
    along = cols * np.cos(angle) + rows * np.sin(angle)
    across = rows * np.cos(angle) - cols * np.sin(angle)
    parcel = np.zeros(len(rows), np.int32)
    todo, count = [np.arange(len(rows))], 0
    while todo:
        part = todo.pop()
        target = site.field_ha * 100 * rng.lognormal(0, 0.6)
        narrow = site.strips and np.ptp(across[part]) < 7
        if len(part) < max(1.5 * target, 60) or (narrow and len(part) < 250):
            parcel[part] = count
            count += 1
            continue
        side = _cuts(rng, along[part], across[part], site.strips)
        todo += [p for p in (part[side], part[~side]) if len(p)]
    return parcel


def make_parcels(
    rng: np.random.Generator, site: Site, blocks: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Split every block into parcels of about ``site.field_ha``.

    Returns
    -------
    parcel : (row, col) int32, 0 … n−1.
    angle : (parcel,) float32, direction of work, radians from the column axis.
    """
    wr, wc = warped_grid(rng, site.shape, 28, 2.5)
    order = np.argsort(blocks.ravel(), kind="stable")
    bounds = np.cumsum(np.bincount(blocks.ravel()))[:-1]
    parcel = np.zeros(blocks.size, np.int32)
    angles: list[float] = []
    main = rng.uniform(0, np.pi)
    for pixels in np.split(order, bounds):
        angle = main + rng.normal(0, 0.5)
        part = split_block(rng, wr.ravel()[pixels], wc.ravel()[pixels], site, angle)
        parcel[pixels] = part + len(angles)
        angles += [angle] * (int(part.max()) + 1)
    return parcel.reshape(site.shape), np.asarray(angles, np.float32)
