"""One site's lasting geography: parcels, woods, villages, roads, waters and pits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import rowcol
from scipy import ndimage
from shapely.geometry import LineString, Point

from lulc_lib import legend
from lulc_lib.landscape.crops import Rotation
from lulc_lib.landscape.noise import burn, coverage, smooth_noise, top_share, warped_grid
from lulc_lib.landscape.parcels import make_blocks, make_parcels
from lulc_lib.landscape.pits import Pit, make_pits
from lulc_lib.landscape.plan import PIXEL, Site, stream
from lulc_lib.landscape.roads import (
    LANE_WIDTH,
    MAIN_WIDTH,
    Router,
    cost_surface,
    edge_points,
)

OPEN_AROUND_A = 380.0
"""Case A lies in farmland: no forest within this distance, metres."""
ROAD_COVER = 0.34
"""Least share of a pixel that a road must cover for the pixel's class to be road."""


@dataclass
class Layout:
    """What does not change with the date at one site; all rasters are (row, col).

    ``parcel`` int32 numbers; ``angle`` radians per parcel; ``static`` uint8 legend codes, NO_DATA
    where crops grow; ``road``, ``track`` (field tracks, side streets) and ``hedge`` float32
    covered share of the pixel;
    ``garden`` float32 share of green in settlements; ``villages`` centre and radius (metres).
    """

    site: Site
    parcel: NDArray[np.int32]
    angle: NDArray[np.float32]
    static: NDArray[np.uint8]
    road: NDArray[np.float32]
    track: NDArray[np.float32]
    hedge: NDArray[np.float32]
    garden: NDArray[np.float32]
    villages: list[tuple[Point, float]]
    pits: list[Pit]
    rotation: Rotation


def place_villages(rng: np.random.Generator, site: Site) -> list[tuple[Point, float]]:
    """Centres and radii of the settlements; the largest comes first, a city near the middle."""
    width, height = site.extent
    found: list[tuple[Point, float]] = []
    for radius in site.villages:
        best, best_gap = None, -np.inf
        for _ in range(60):
            lo, hi = (0.35, 0.65) if site.city and not found else (0.1, 0.9)
            x, y = rng.uniform(lo, hi, 2)
            point = Point(site.x0 + x * width, site.y0 - y * height)
            gap = min((point.distance(p) - radius - r for p, r in found), default=1.0)
            gap = min(gap, 900 + rng.uniform(0, 300))
            if gap > best_gap:
                best, best_gap = point, gap
        found.append((best, radius))
    return found


def _roads(
    rng: np.random.Generator, site: Site, blocks: NDArray[np.int32],
    villages: list[tuple[Point, float]], pits: list[Pit],
) -> tuple[list[LineString], list[LineString]]:
    """Main roads and lanes as lines; neither crosses a pit."""
    dug = burn([p.outline.buffer(25) for p in pits], site.shape, site.transform)
    cost = cost_surface(rng, blocks) + 60 * dug[::2, ::2]
    router = Router(site, cost)
    centres = [p for p, _ in villages]
    outer = edge_points(rng, site, 7)
    main = router.routes(centres[0], centres[1:] + outer[::2])
    lanes = router.routes(centres[1], outer[1::2])
    gates = [p.outline.exterior.interpolate(rng.random(), normalized=True)
             for p in pits if p.outline.area > 6e4]
    lanes += router.routes(centres[0], gates)
    if site.city:
        centre, radius = villages[0]
        ring = [Point(centre.x + radius * np.cos(t), centre.y + radius * np.sin(t))
                for t in rng.uniform(0, 2 * np.pi, 7)]
        lanes += router.routes(centre, ring) + router.routes(ring[0], ring[1:])
    return main, lanes


def _settlement(
    rng: np.random.Generator, site: Site, villages: list[tuple[Point, float]],
    road: NDArray[np.float32],
) -> NDArray[np.bool_]:
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


def _streets(
    rng: np.random.Generator, site: Site, blocks: NDArray[np.int32], built: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
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


def _share_of_parcels(
    score: NDArray[np.float32], parcel: NDArray[np.int32], free: NDArray[np.bool_], share: float
) -> NDArray[np.bool_]:
    """Whole parcels with the highest mean score until they fill ``share`` of the site."""
    n = int(parcel.max()) + 1
    size = np.bincount(parcel.ravel(), free.ravel(), n)
    mean = np.bincount(parcel.ravel(), score.ravel(), n) / np.bincount(parcel.ravel(), minlength=n)
    order = np.argsort(-mean)
    chosen = order[np.cumsum(size[order]) <= share * parcel.size]
    return np.isin(parcel, chosen)


def _woods(
    rng: np.random.Generator, site: Site, parcel: NDArray[np.int32], built: NDArray[np.bool_],
    pits: list[Pit],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
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
    conifer = top_share(stands, site.conifer)
    return (forest | copse) & ~built, forest & conifer & ~built


def _waters(
    rng: np.random.Generator, site: Site, built: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
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


def make_layout(seed: int, site: Site) -> Layout:
    """The geography of ``site`` for ``seed``: the same seed gives the same arrays."""
    rng = stream(seed, site.name, "layout")
    blocks = make_blocks(rng, site)
    parcel, angle = make_parcels(rng, site, blocks)
    villages = place_villages(rng, site)
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
