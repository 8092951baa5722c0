"""What is published of the truth: labels and polygons an interpreter would draw, and a map.

Errors of the map come in patches: edges shift, thin roads vanish in stretches, parts of fields are
given the wrong phase, stands of conifer merge into mixed forest.
"""

from __future__ import annotations

import json
from importlib.resources import files

import geopandas as gpd
import numpy as np
import pandas as pd
from rasterio.features import shapes
from rasterio.transform import xy
from scipy import ndimage
from shapely.geometry import MultiPolygon, shape

from lulc_lib import legend
from lulc_lib.landscape.layout import Layout
from lulc_lib.landscape.noise import Codes, Floats, Ints, Rng, smooth_noise, warped_grid, without
from lulc_lib.landscape.plan import SyntheticSite, stream

KEYS = {c.code: c.key for c in legend.CLASSES}
CELLS = {"urban": 5, "road": 14, "water": 14, "quarry": 26}
"""Size in pixels of the pieces in which classes without parcels are outlined."""
WHOLE = ("urban", "road", "water")
"""Classes outlined up to their edge; others keep a pixel's distance."""

COUNTS = json.loads((files("lulc_lib.landscape") / "published_counts.json").read_text())
"""What the published files hold, per site: labelled pixels, reference polygons, confusion."""
TRAIN_TOTAL = 675


def outline_objects(seed: int, layout: Layout, truth: Codes) -> tuple[Ints, pd.DataFrame]:
    """Find the objects that an interpreter could outline in one scene.

    Returned are ``ids``, (row, col) int32, 0 where there is none (edges, slivers), and a table with
    one row per object, index = number: key (class), pixels, rank (0–1, the same for an object at
    all dates, so that the same places are labelled again).
    """
    site, rng = layout.site, stream(seed, layout.site.name, "labels")
    rows, cols = warped_grid(rng, site.shape, 10, 3)
    place = layout.parcel.astype(np.int64)
    keep = np.ones(site.shape, bool)
    cross = ndimage.generate_binary_structure(2, 1)
    for key, land in legend.BY_KEY.items():
        at = truth == land.code
        if key in CELLS:
            row, col = ((v // CELLS[key]).astype(np.int64) for v in (rows, cols))
            place[at] = (100_000 + row * 1000 + col)[at]
        if key not in WHOLE:
            keep[at & ~ndimage.binary_erosion(at, cross, border_value=1)] = False
    same = ndimage.maximum_filter(place, footprint=cross) == ndimage.minimum_filter(
        place, footprint=cross)
    keep &= same | np.isin(truth, [legend.code(k) for k in CELLS])
    label = np.where(keep, place * 16 + truth, -1)
    values, ids, size = np.unique(label, return_inverse=True, return_counts=True)
    ids = ids.reshape(site.shape)
    if values[0] != -1:
        ids += 1
        values, size = np.insert(values, 0, -1), np.insert(size, 0, 0)
    table = pd.DataFrame({"pixels": size, "key": [KEYS.get(int(v % 16), "") for v in values]})
    table["rank"] = stream(seed, site.name, "rank").random(4099)[
        (values // 16 * 2_654_435_761 % 2**32) % 4099]
    good = table["pixels"].ge(table["key"].map(lambda k: 3 if k in WHOLE else 6))
    table = table[good & table.index.to_series().gt(0)]
    return np.where(np.isin(ids, table.index), ids, 0).astype(np.int32), table


def training_labels(seed: int, layout: Layout, truth: Codes) -> Floats:
    """Return sparse training labels ``(row, col) float32``, legend codes, NO_DATA elsewhere.

    Whole objects are taken by rank until each class has the labelled area of the published masks.
    """
    ids, table = outline_objects(seed, layout, truth)
    targets = COUNTS["targets"][layout.site.name.split("_")[0]]
    crops = {KEYS[c] for c in legend.CROP_PHASES}
    group = table["key"].where(~table["key"].isin(crops), "crops")
    chosen: list[int] = []
    for name, part in table.sort_values("rank").groupby(group):
        before = part["pixels"].cumsum() - part["pixels"]
        chosen += list(part.index[before < targets.get(name, 0)])
    return np.where(np.isin(ids, chosen), truth, legend.NO_DATA).astype(np.float32)


def reference_polygons(seed: int, layout: Layout, truth: Codes) -> gpd.GeoDataFrame:
    """Return the test reference, MultiPolygons with column ``key``, as many as published."""
    ids, table = outline_objects(seed, layout, truth)
    chosen: list[int] = []
    for key, (count, pixels) in COUNTS["reference"][layout.site.name].items():
        mine = table[table["key"] == key].sort_values("rank")
        off = np.log(mine["pixels"] / (pixels / count)).abs()
        near = mine.index[off < np.log(3)]
        chosen += [*near, *off.drop(near).sort_values().index][:count]
    return _vectorise(ids, table.loc[sorted(chosen)], layout.site)


def _vectorise(ids: Ints, table: pd.DataFrame, site: SyntheticSite) -> gpd.GeoDataFrame:
    """Outline the objects in ``table`` along pixels, as MultiPolygons with column ``key``."""
    picked = np.where(np.isin(ids, table.index), ids, 0).astype(np.int32)
    parts: dict[int, list] = {}
    for geometry, number in shapes(picked, mask=picked > 0, transform=site.transform):
        parts.setdefault(int(number), []).append(shape(geometry))
    geometry = [MultiPolygon(parts[i]) for i in table.index]
    return gpd.GeoDataFrame({"key": table["key"].to_numpy()}, geometry=geometry,
                            crs=f"EPSG:{site.epsg}")


def sample_points(seed: int, layout: Layout, truth: Codes) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw training (675) and test (280) points, several to a polygon, from different polygons.

    Columns are x, y (metres, the site's CRS, pixel centres) and class (legend code).
    """
    ids, table = outline_objects(seed, layout, truth)
    rng = stream(seed, layout.site.name, "points")
    flat = ids.ravel()
    order = np.argsort(flat, kind="stable")
    start = np.searchsorted(flat[order], table.index)
    pixels = {i: order[s:s + n] for i, s, n in zip(table.index, start, table["pixels"],
                                                   strict=True)}
    out: tuple[list, list] = ([], [])
    tested = COUNTS["test_points"]
    counts = {k: round(n * TRAIN_TOTAL / sum(tested.values())) for k, n in tested.items()}
    counts[max(counts, key=counts.get)] += TRAIN_TOTAL - sum(counts.values())
    for key, n_train in counts.items():
        objects = rng.permutation(table.index[table["key"] == key].to_numpy())
        cut = max(1, round(len(objects) * 0.3))
        for part, n, rows in ((objects[cut:], n_train, out[0]),
                              (objects[:cut], tested[key], out[1])):
            rows += [(p, key) for p in _draw(rng, [pixels[i] for i in part], n)]
    return tuple(_table(rows, layout.site) for rows in out)


def _draw(rng: Rng, polygons: list[Ints], n: int) -> list[int]:
    """Draw ``n`` different pixels, about five from each polygon, from more polygons if need be."""
    taken: list[int] = []
    pools = [rng.permutation(p) for p in polygons]
    for first in range(0, 10_000, 5):
        for pool in pools:
            taken += pool[first:first + 5][: n - len(taken)].tolist()
        if len(taken) >= n:
            break
    return taken


def _table(rows: list[tuple[int, str]], site: SyntheticSite) -> pd.DataFrame:
    row, col = np.divmod(np.array([p for p, _ in rows]), site.shape[1])
    x, y = xy(site.transform, row, col)
    return pd.DataFrame({"x": x, "y": y, "class": [legend.code(k) for _, k in rows]})


ROADS_KEPT = 0.42
"""Share of the roads that the map shows."""
EDGE_SHIFT = 0.6
"""Sd of the shift of class edges, pixels."""


def published_map(rng: Rng, site: str, truth: Codes) -> Codes:
    """Return a map ``(row, col) uint8, legend codes`` with errors for the true map of ``site``."""
    road = truth == legend.code("road")
    lost = road & (smooth_noise(rng, truth.shape, 9) > np.quantile(
        smooth_noise(rng, truth.shape, 9), ROADS_KEPT))
    shown = without(truth, lost)
    rows, cols = warped_grid(rng, truth.shape, 5, EDGE_SHIFT)
    nearest = [np.clip(np.rint(v), 0, n - 1).astype(int)
               for v, n in zip((rows, cols), truth.shape, strict=True)]
    out = shown[tuple(nearest)]
    kept = road & ~lost
    out[kept] = legend.code("road")
    before = out.copy()
    for pair, share in COUNTS["confusions"][site].items():
        have, given = pair.split(" > ")
        at = before == legend.code(have)
        if at.any():
            score = smooth_noise(rng, truth.shape, 4.5)
            out[at & (score > np.quantile(score[at], 1 - share))] = legend.code(given)
    return out


def confusion_text(mapped: Codes, reference: Codes) -> str:
    """Return the published table's text: counts, rows map and columns reference classes.

    Map classes that the reference lacks are left out, as there.
    """
    at = reference != legend.NO_DATA
    codes = [c for c in legend.CODES if (reference == c).any()]
    table = pd.crosstab(mapped[at], reference[at]).reindex(
        index=codes, columns=codes, fill_value=0).rename_axis(index="class\\ref", columns=None)
    return "\ufeff" + table.to_csv(lineterminator="\n")
