"""The road network: cheapest paths between villages and the map's edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.csgraph import dijkstra
from shapely.geometry import LineString, Point

from lulc_lib.landscape.plan import PIXEL, Site

MAIN_WIDTH, LANE_WIDTH = 10.0, 7.0
"""Widths of main roads and lanes, metres: one pixel, two where they lie askew on the grid."""


def cost_surface(rng: np.random.Generator, blocks: NDArray[np.int32]) -> NDArray[np.float64]:
    """Cost of crossing each cell of a 20 m grid: cheap along block boundaries."""
    edge = ndimage.morphological_gradient(blocks, size=3) > 0
    near = ndimage.gaussian_filter(edge.astype(np.float32), 1.0)[::2, ::2]
    return 1.0 / (0.08 + near) + rng.uniform(0, 0.3, near.shape)


def path_graph(cost: NDArray[np.float64]) -> sparse.csr_array:
    """Eight-connected graph of the cells; an edge costs its length times the mean cell cost."""
    n = np.arange(cost.size).reshape(cost.shape)
    rows, cols = cost.shape
    heads, tails, weights = [], [], []
    for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = np.s_[: rows - dr, max(0, -dc): cols - max(0, dc)]
        b = np.s_[dr:, max(0, dc): cols - max(0, -dc)]
        heads.append(n[a].ravel())
        tails.append(n[b].ravel())
        weights.append((np.hypot(dr, dc) * (cost[a] + cost[b]) / 2).ravel())
    size = (cost.size, cost.size)
    return sparse.coo_array(
        (np.concatenate(weights), (np.concatenate(heads), np.concatenate(tails))), shape=size
    ).tocsr()


class Router:
    """Finds smooth lines between points of one site over a cost surface."""

    def __init__(self, site: Site, cost: NDArray[np.float64]) -> None:
        self.site = site
        self.cols = cost.shape[1]
        self.rows = cost.shape[0]
        self.graph = path_graph(cost)

    def cell(self, point: Point) -> int:
        """Number of the 20 m cell that holds ``point`` (map coordinates)."""
        row = int(np.clip((self.site.y0 - point.y) / (2 * PIXEL), 0, self.rows - 1))
        col = int(np.clip((point.x - self.site.x0) / (2 * PIXEL), 0, self.cols - 1))
        return row * self.cols + col

    def routes(self, start: Point, ends: list[Point]) -> list[LineString]:
        """Cheapest lines from ``start`` to each of ``ends``, smoothed; map coordinates."""
        _, before = dijkstra(self.graph, directed=False, indices=self.cell(start),
                             return_predecessors=True)
        lines = []
        for end in ends:
            cells = [self.cell(end)]
            while before[cells[-1]] >= 0:
                cells.append(int(before[cells[-1]]))
            if len(cells) < 4:
                continue
            row, col = np.divmod(np.asarray(cells, float), self.cols)
            row, col = (ndimage.gaussian_filter1d(v, 1.6, mode="nearest") for v in (row, col))
            xy = np.column_stack([self.site.x0 + (col + 0.5) * 2 * PIXEL,
                                  self.site.y0 - (row + 0.5) * 2 * PIXEL])
            lines.append(LineString(xy))
        return lines


def edge_points(rng: np.random.Generator, site: Site, n: int) -> list[Point]:
    """``n`` points on the map's edge, spread around it, where roads leave the map."""
    width, height = site.extent
    around = (np.arange(n) + rng.uniform(0.1, 0.9, n)) / n * 4
    points = []
    for t in around:
        side, share = int(t), t % 1
        x, y = ((share, 0), (1, share), (1 - share, 1), (0, 1 - share))[side]
        points.append(Point(site.x0 + x * width, site.y0 - y * height))
    return points
