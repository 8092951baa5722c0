"""One site's lasting geography (parcels, woods, villages, roads, waters) and its class map."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import rowcol
from scipy import ndimage, sparse
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from shapely.geometry import LineString, Point

from lulc_lib import legend
from lulc_lib.data.scenes import PIXEL
from lulc_lib.landscape.crops import Rotation
from lulc_lib.landscape.noise import (
    Bools,
    Codes,
    Floats,
    Ints,
    Rng,
    burn,
    coverage,
    smooth_noise,
    warped_grid,
)
from lulc_lib.landscape.pits import Pit, make_pits
from lulc_lib.landscape.plan import SyntheticSite, stream

FRESH_DAYS = 120
"""Days after the end of extraction in which filled land is still bare."""

BLOCK_HA = 55.0
"""Mean size of a block, hectares: land between roads, worked in one direction."""


def _make_blocks(rng: Rng, site: SyntheticSite) -> Ints:
    """Draw block numbers ``(row, col) int32``: Voronoi cells with gently curved sides."""
    rows, cols = site.shape
    side = np.sqrt(BLOCK_HA * 100)
    grid = np.mgrid[-side / 2:rows + side:side, -side / 2:cols + side:side].reshape(2, -1).T
    seeds = grid + rng.uniform(-0.42, 0.42, grid.shape) * side
    r, c = warped_grid(rng, site.shape, 22, 4)
    _, block = cKDTree(seeds).query(np.column_stack([r.ravel(), c.ravel()]))
    return np.unique(block, return_inverse=True)[1].reshape(site.shape).astype(np.int32)


def _cuts(rng: Rng, along: NDArray, across: NDArray, strips: bool) -> NDArray:
    """Say on which side of one cut each pixel lies: across the longer side, a little askew."""
    long, short = (along, across) if np.ptp(along) > np.ptp(across) else (across, along)
    if strips and np.ptp(along) < 6 * np.ptp(across):
        long, short = across, along
    lo, hi = long.min(), long.max()
    at = lo + (hi - lo) * rng.uniform(0.34, 0.66)
    skew = rng.normal(0, 0.06)
    return long + skew * (short - short.mean()) < at


def _split_block(rng: Rng, rows: NDArray, cols: NDArray, site: SyntheticSite, angle: float) -> Ints:
    """Split one block into parcels: the number (0 …) of each pixel, by recursive splitting.

    Strips are cut side by side until they are narrow; elsewhere the longer side is cut.
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


def _make_parcels(rng: Rng, site: SyntheticSite, blocks: Ints) -> tuple[Ints, Floats]:
    """Split every block into parcels of about ``site.field_ha``.

    Returned are ``(row, col) int32``, 0 … n−1, and ``(parcel,) float32``, the direction of work in
    radians from the column axis.
    """
    wr, wc = warped_grid(rng, site.shape, 28, 2.5)
    order = np.argsort(blocks.ravel(), kind="stable")
    bounds = np.cumsum(np.bincount(blocks.ravel()))[:-1]
    parcel = np.zeros(blocks.size, np.int32)
    angles: list[float] = []
    main = rng.uniform(0, np.pi)
    for pixels in np.split(order, bounds):
        angle = main + rng.normal(0, 0.5)
        part = _split_block(rng, wr.ravel()[pixels], wc.ravel()[pixels], site, angle)
        parcel[pixels] = part + len(angles)
        angles += [angle] * (int(part.max()) + 1)
    return parcel.reshape(site.shape), np.asarray(angles, np.float32)


MAIN_WIDTH, LANE_WIDTH = 10.0, 7.0
"""Widths of main roads and lanes, metres: one pixel, two where they lie askew on the grid."""


def _cost_surface(rng: Rng, blocks: Ints) -> NDArray[np.float64]:
    """Return the cost of crossing each cell of a 20 m grid: cheap along block boundaries."""
    edge = ndimage.morphological_gradient(blocks, size=3) > 0
    near = ndimage.gaussian_filter(edge.astype(np.float32), 1.0)[::2, ::2]
    return 1.0 / (0.08 + near) + rng.uniform(0, 0.3, near.shape)


def _path_graph(cost: NDArray[np.float64]) -> sparse.csr_array:
    """Connect each cell with its eight neighbours; an edge costs length times mean cell cost."""
    n = np.arange(cost.size).reshape(cost.shape)
    rows, cols = cost.shape
    heads, tails, weights = [], [], []
    for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = np.s_[: rows - dr, max(0, -dc): cols - max(0, dc)]
        b = np.s_[dr:, max(0, dc): cols - max(0, -dc)]
        heads.append(n[a].ravel())
        tails.append(n[b].ravel())
        weights.append((np.hypot(dr, dc) * (cost[a] + cost[b]) / 2).ravel())
    ends = np.concatenate(heads), np.concatenate(tails)
    return sparse.coo_array((np.concatenate(weights), ends), shape=(n.size, n.size)).tocsr()


def _routes(site: SyntheticSite, cost: NDArray[np.float64], start: Point, ends: list[Point]
            ) -> list[LineString]:
    """Find the cheapest lines from ``start`` to each of ``ends``, smoothed; map coordinates."""
    rows, cols = cost.shape

    def cell(point: Point) -> int:
        row = int(np.clip((site.y0 - point.y) / (2 * PIXEL), 0, rows - 1))
        col = int(np.clip((point.x - site.x0) / (2 * PIXEL), 0, cols - 1))
        return row * cols + col

    _, before = dijkstra(_path_graph(cost), directed=False, indices=cell(start),
                         return_predecessors=True)
    lines = []
    for end in ends:
        cells = [cell(end)]
        while before[cells[-1]] >= 0:
            cells.append(int(before[cells[-1]]))
        if len(cells) < 4:
            continue
        row, col = (ndimage.gaussian_filter1d(v, 1.6, mode="nearest")
                    for v in np.divmod(np.asarray(cells, float), cols))
        lines.append(LineString(np.column_stack([site.x0 + (col + 0.5) * 2 * PIXEL,
                                                 site.y0 - (row + 0.5) * 2 * PIXEL])))
    return lines


def _edge_points(rng: Rng, site: SyntheticSite, n: int) -> list[Point]:
    """Draw ``n`` points on the map's edge, spread around it, where roads leave the map."""
    width, height = site.extent
    around = (np.arange(n) + rng.uniform(0.1, 0.9, n)) / n * 4
    points = []
    for t in around:
        side, share = int(t), t % 1
        x, y = ((share, 0), (1, share), (1 - share, 1), (0, 1 - share))[side]
        points.append(Point(site.x0 + x * width, site.y0 - y * height))
    return points


OPEN_AROUND_A = 380.0
"""Case A lies in farmland: no forest within this distance, metres."""
ROAD_COVER = 0.34
"""Least share of a pixel that a road must cover for the pixel's class to be road."""


@dataclass
class Layout:
    """What does not change with the date at one site; all rasters are (row, col).

    ``parcel`` holds numbers, ``angle`` each parcel's direction of work (radians), ``static`` legend
    codes, NO_DATA where crops grow; the covered share of the pixel in ``road``, ``track`` (field
    tracks, side streets), ``hedge`` and ``garden`` (green in settlements); ``villages`` centre and
    radius.
    """

    site: SyntheticSite
    parcel: Ints
    angle: Floats
    static: Codes
    road: Floats
    track: Floats
    hedge: Floats
    garden: Floats
    villages: list[tuple[Point, float]]
    pits: list[Pit]
    rotation: Rotation


def _place_villages(rng: Rng, site: SyntheticSite) -> list[tuple[Point, float]]:
    """Place the settlements (centre, radius): the largest comes first, a city near the middle."""
    width, height = site.extent
    placed: list[tuple[Point, float]] = []
    for radius in site.villages:
        best, best_gap = None, -np.inf
        for _ in range(60):
            lo, hi = (0.35, 0.65) if site.city and not placed else (0.1, 0.9)
            x, y = rng.uniform(lo, hi, 2)
            point = Point(site.x0 + x * width, site.y0 - y * height)
            gap = min((point.distance(p) - radius - r for p, r in placed), default=1.0)
            gap = min(gap, 900 + rng.uniform(0, 300))
            if gap > best_gap:
                best, best_gap = point, gap
        placed.append((best, radius))
    return placed


def _roads(rng: Rng, site: SyntheticSite, blocks: Ints, villages: list[tuple[Point, float]],
           pits: list[Pit]) -> tuple[list[LineString], list[LineString]]:
    """Draw main roads and lanes as lines; neither crosses a pit."""
    dug = burn([p.outline.buffer(25) for p in pits], site.shape, site.transform)
    routes = partial(_routes, site, _cost_surface(rng, blocks) + 60 * dug[::2, ::2])
    centres = [p for p, _ in villages]
    outer = _edge_points(rng, site, 7)
    main = routes(centres[0], centres[1:] + outer[::2])
    lanes = routes(centres[1], outer[1::2])
    gates = [p.outline.exterior.interpolate(rng.random(), normalized=True)
             for p in pits if p.outline.area > 6e4]
    lanes += routes(centres[0], gates)
    if site.city:
        centre, radius = villages[0]
        ring = [Point(centre.x + radius * np.cos(t), centre.y + radius * np.sin(t))
                for t in rng.uniform(0, 2 * np.pi, 7)]
        lanes += routes(centre, ring) + routes(ring[0], ring[1:])
    return main, lanes


def _settlement(rng: Rng, site: SyntheticSite, villages: list[tuple[Point, float]], road: Floats
                ) -> Bools:
    """Built-up land: around the centres, drawn out along the roads."""
    rows, cols = warped_grid(rng, site.shape, 7, 3)
    to_road = ndimage.distance_transform_edt(road < 0.2)
    built = np.zeros(site.shape, bool)
    for centre, radius in villages:
        row, col = rowcol(site.transform, centre.x, centre.y)
        r = np.hypot(rows - row, cols - col) * PIXEL / radius
        depth = 5.0 + 0.022 * radius * (1 + site.city)
        built |= (r < 1.5) & (r * 0.6 + to_road / depth * 0.6 < 1.0)
    return built & (smooth_noise(rng, site.shape, 2.2) > -1.25)


def _streets(rng: Rng, site: SyntheticSite, blocks: Ints, built: Bools) -> tuple[Floats, Floats]:
    """Side streets (share of the pixel) and the green behind the houses that line them."""
    rows, cols = warped_grid(rng, site.shape, 15, 3)
    angle = rng.uniform(0, np.pi, int(blocks.max()) + 1)[blocks]
    along = cols * np.cos(angle) + rows * np.sin(angle)
    across = rows * np.cos(angle) - cols * np.sin(angle)
    gap = 8.0 if site.city else 10.0
    to_street = np.minimum(np.abs((across + gap / 2) % gap - gap / 2),
                           np.abs((along + 1.1 * gap) % (2.2 * gap) - 1.1 * gap))
    yards = np.clip(to_street / (gap / 2), 0, 1) - (0.25 if site.city else 0.0)
    density = 0.16 * smooth_noise(rng, site.shape, 12)
    green = 0.5 * yards + density + 0.16 * smooth_noise(rng, site.shape, 0.9)
    street = np.where(built & (to_street < 0.6), 0.55, 0)
    return (street.astype(np.float32),
            np.where(built, np.clip(green, 0, 0.9), 0).astype(np.float32))


def _share_of_parcels(score: Floats, parcel: Ints, free: Bools, share: float) -> Bools:
    """Whole parcels with the highest mean score until they fill ``share`` of the site."""
    n = int(parcel.max()) + 1
    size = np.bincount(parcel.ravel(), free.ravel(), n)
    mean = np.bincount(parcel.ravel(), score.ravel(), n) / np.bincount(parcel.ravel(), minlength=n)
    order = np.argsort(-mean)
    chosen = order[np.cumsum(size[order]) <= share * parcel.size]
    return np.isin(parcel, chosen)


def _woods(rng: Rng, site: SyntheticSite, parcel: Ints, built: Bools, pits: list[Pit]
           ) -> tuple[Bools, Bools]:
    """Forest (one large wood, smaller ones, copses) and the conifer stands in it."""
    rows, cols = np.mgrid[-1:1:site.shape[0] * 1j, -1:1:site.shape[1] * 1j]
    r0, c0 = rng.uniform(-0.35, 0.35, 2)
    bump = np.exp(-((rows - r0) ** 2 + (cols - c0) ** 2) / 0.18)
    score = smooth_noise(rng, site.shape, 30) + 2.4 * bump - 3 * built
    forest = _share_of_parcels(score.astype(np.float32), parcel, ~built, site.forest)
    forest &= ~burn([p.outline.buffer(OPEN_AROUND_A) for p in pits if p.case == "A"],
                    site.shape, site.transform)
    ragged = ndimage.gaussian_filter(forest.astype(np.float32), 1.8)
    forest = ragged + 0.13 * smooth_noise(rng, site.shape, 2.5) > 0.5
    copse = smooth_noise(rng, site.shape, 3) - ragged > 3.0
    stands = smooth_noise(rng, site.shape, 14) + 0.3 * smooth_noise(rng, site.shape, 3)
    stands += 0.8 * rng.standard_normal(int(parcel.max()) + 1).astype(np.float32)[parcel]
    conifer = stands > np.quantile(stands, 1 - site.conifer)
    return (forest | copse) & ~built, forest & conifer & ~built


def _waters(rng: Rng, site: SyntheticSite, built: Bools) -> tuple[Bools, Bools]:
    """Open water (river and ponds) and the trees on the river's banks."""
    rows, cols = warped_grid(rng, site.shape, 4, 1.2)
    water = np.zeros(site.shape, bool)
    for _ in range(site.ponds):
        row, col = (rng.uniform(0.05, 0.95) * n for n in site.shape)
        size = rng.lognormal(np.log(5.0), 0.4)
        water |= np.hypot((rows - row) * rng.uniform(0.7, 1.4), cols - col) < size
    water &= ~built
    if not site.river:
        return water, np.zeros(site.shape, bool)
    t = np.linspace(-0.05, 1.05, 120)
    bend = ndimage.gaussian_filter1d(rng.standard_normal(120), 7) * 0.28
    y = rng.uniform(0.25, 0.75) + rng.uniform(-0.3, 0.3) * (t - 0.5) + bend
    width, height = site.extent
    line = LineString(np.column_stack([site.x0 + t * width, site.y0 - y * height]))
    river = burn([line.buffer(site.river / 2)], site.shape, site.transform)
    bank = burn([line.buffer(site.river / 2 + 35)], site.shape, site.transform)
    trees = bank & (smooth_noise(rng, site.shape, 2.5) > 0.1) & ~built
    return water | river, trees & ~river


def make_layout(seed: int, site: SyntheticSite) -> Layout:
    """Make the geography of ``site`` for ``seed``: the same seed gives the same arrays."""
    rng = stream(seed, site.name, "layout")
    blocks = _make_blocks(rng, site)
    parcel, angle = _make_parcels(rng, site, blocks)
    villages = _place_villages(rng, site)
    pits = make_pits(rng, site, villages) if site.quarries else []
    main, lanes = _roads(rng, site, blocks, villages, pits)
    wide = [ln.buffer(MAIN_WIDTH / 2) for ln in main]
    road = coverage(wide + [ln.buffer(LANE_WIDTH / 2) for ln in lanes], site.shape, site.transform)
    edges = ndimage.morphological_gradient(blocks, size=2) > 0
    track = edges * (0.35 + 0.15 * smooth_noise(rng, site.shape, 15)).clip(0, 0.6)
    lined = smooth_noise(rng, site.shape, 14) > 0.6
    hedge = 0.7 * ndimage.grey_dilation(edges & lined, size=2).astype(np.float32)
    built = _settlement(rng, site, villages, road)
    forest, conifer = _woods(rng, site, parcel, built, pits)
    water, bank = _waters(rng, site, built)
    meadow = smooth_noise(rng, site.shape, 25) + 2 * ndimage.gaussian_filter(
        (water | built).astype(np.float32), 12)
    grass = _share_of_parcels(meadow, parcel, ~(built | forest), site.grass)
    green = smooth_noise(rng, site.shape, 1.1)
    code = legend.code
    static = np.full(site.shape, legend.NO_DATA, np.uint8)
    static[grass] = code("grassland")
    static[forest | bank] = code("mixed_forest")
    static[conifer] = code("conifer")
    static[built] = code("urban")
    static[built & (green > (1.9 if site.city else 1.45))] = code("mixed_forest")
    static[water] = code("water")
    static[(road > ROAD_COVER) & (static != code("water"))] = code("road")
    street, garden = _streets(rng, site, blocks, built)
    track = np.where(built, street, track)
    return Layout(site, parcel, angle, static, road, track.astype(np.float32), hedge, garden,
                  villages, pits, Rotation(rng, site, len(angle)))


def _reclaimed(pit: Pit, layout: Layout, day: date, codes: Codes) -> None:
    """Write a closed pit into ``codes``: fields again (case A), else grass, trees and its lake."""
    site = layout.site
    dug = burn([pit.outline], site.shape, site.transform)
    fresh = (day - pit.last_active).days < FRESH_DAYS
    if pit.category == "outside_deposit":
        codes[dug] = legend.code("bare_soil" if fresh else "crops_growing")
        return
    inner = burn([pit.outline.buffer(-25)], site.shape, site.transform)
    codes[dug] = legend.code("mixed_forest")
    codes[inner] = legend.code("grassland")
    codes[burn([pit.lake(day)], site.shape, site.transform)] = legend.code("water")


def class_map(layout: Layout, day: date) -> Codes:
    """Return the true classes ``(row, col) uint8, legend codes`` on ``day``; none is NO_DATA.

    A pit takes its extent of the day; one no longer worked is shown as what became of it.
    """
    site = layout.site
    codes = layout.static.copy()
    arable = codes == legend.NO_DATA
    codes[arable] = layout.rotation.phases(day)[layout.parcel[arable]]
    for pit in layout.pits:
        if pit.active(day):
            codes[burn([pit.at(day)], site.shape, site.transform)] = legend.code("quarry")
            lake = burn([pit.lake(day)], site.shape, site.transform)
            codes[lake] = legend.code("water")
        elif pit.last_active is not None and day > pit.last_active:
            _reclaimed(pit, layout, day, codes)
    return codes
