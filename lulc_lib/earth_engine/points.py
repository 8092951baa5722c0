"""Reference polygons to a few points each, for training and for test.

The paper placed several points in each polygon and divided them 70 : 30 (sections 2.3.2 and 2.3.3).
How exactly it does not say, so here they are drawn by seed and by a stated rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import ee
import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.data.reference import rasterise, rasterise_ids
from lulc_lib.data.scenes import valid_mask
from lulc_lib.errors import InputError, check_choice

CLASS = "class"
"""Property of a point that holds its legend code."""

SHUFFLES = 100
"""Orders of a class's polygons that are tried before its points are split by pixel."""
DIGITS = 7
"""Decimals of a longitude or latitude that is sent: a centimetre on the ground."""

Apart = Literal["polygons", "pixels"]


class Points(NamedTuple):
    """Points drawn from reference polygons.

    Attributes
    ----------
    training, test : GeoDataFrame
        Columns ``code`` (legend code), ``polygon`` (1 … n in the polygons' order) and ``geometry``
        (centre of a pixel, CRS of the scene); no pixel comes twice.
    apart : dict of int to str
        Legend code to ``polygons`` where no polygon holds points of both, else ``pixels``.
    """

    training: gpd.GeoDataFrame
    test: gpd.GeoDataFrame
    apart: dict[int, Apart]


def proportional(support: Mapping[int, int], total: int) -> dict[int, int]:
    """Divide ``total`` in the proportions of ``support`` (largest remainders).

    >>> proportional({1: 1, 2: 2}, 10)
    {1: 3, 2: 7}
    """
    counts = np.array(list(support.values()))
    if (counts < 1).any() or total < counts.size:
        raise InputError(f"support is {dict(support)} for {total} points; every class needs at "
                         "least 1")
    exact = total * counts / counts.sum()
    whole = np.floor(exact).astype(int)
    whole[np.argsort(whole - exact, kind="stable")[: total - whole.sum()]] += 1
    return dict(zip(support, whole.tolist(), strict=True))


def draw_points(polygons: gpd.GeoDataFrame, scene: xr.DataArray, training: Mapping[int, int],
                test: Mapping[int, int], seed: int, apart: Apart = "polygons") -> Points:
    """Draw pixels of each class from its polygons, a few from each, without replacement.

    A point is the centre of a pixel that a polygon holds and that has data in all bands. Of each
    class, polygons in random order go to the test until it has its share of them and of pixels, the
    others to training. If no order of 100 leaves enough pixels on both sides, only the pixels
    differ: :attr:`Points.apart` tells. A side's points are spread evenly over its polygons.

    Parameters
    ----------
    polygons : GeoDataFrame
        With column ``code``; where they overlap the later one wins.
    scene : DataArray, shape (band, y, x), reflectance
        Its grid and valid pixels count.
    training, test : mapping of int to int
        Legend code to number of points, the same codes in both.
    seed : int
        Of the random draws; each class has its own stream, so none depends on the others.
    apart : str
        ``pixels`` shares the polygons of every class, as dividing ready points at random does.
    """
    check_choice("apart", apart, get_args(Apart))
    if set(training) != set(test) or not training:
        raise InputError(f"training points are asked for classes {sorted(training)}, test points "
                         f"for {sorted(test)}; they must be the same")
    legend.check_codes(np.array(list(training)), "the classes of the points")
    pixels = _pixels(polygons, scene)
    sides: dict[str, list[pd.DataFrame]] = {"training": [], "test": []}
    how: dict[int, Apart] = {}
    for code in sorted(training):
        rng = np.random.default_rng([seed, code])
        mine = pixels[pixels.code == code]
        wanted = training[code], test[code]
        if len(mine) < sum(wanted):
            raise InputError(f"class {code} ({legend.NAMES.get(code, 'no data')}) has {len(mine)} "
                             f"pixels in the polygons; {sum(wanted)} points are asked for")
        chosen, how[code] = _draw_class(mine, wanted, rng, apart)
        for side, rows in zip(sides.values(), chosen, strict=True):
            side.append(rows)
    crs = scene.rio.crs
    tables = [gpd.GeoDataFrame(t[["code", "polygon"]].reset_index(drop=True),
                               geometry=gpd.points_from_xy(t.x, t.y), crs=crs)
              for t in map(pd.concat, sides.values())]
    return Points(tables[0], tables[1], how)


def to_earth_engine(points: gpd.GeoDataFrame) -> ee.FeatureCollection:
    """Turn points into an Earth Engine table with property :data:`CLASS`, in EPSG:4326."""
    lonlat = points.geometry.to_crs(4326)
    return ee.FeatureCollection([
        ee.Feature(ee.Geometry.Point([round(p.x, DIGITS), round(p.y, DIGITS)]), {CLASS: int(code)})
        for p, code in zip(lonlat, points.code, strict=True)])


def _pixels(polygons: gpd.GeoDataFrame, scene: xr.DataArray) -> pd.DataFrame:
    """List valid pixels inside the polygons: ``code, polygon, x, y`` (centres, scene's CRS)."""
    codes = rasterise(polygons, scene, pixel_rule="centre").values
    numbers = rasterise_ids(polygons, scene, pixel_rule="centre").values
    rows, cols = np.nonzero((codes != legend.NO_DATA) & valid_mask(scene).values)
    return pd.DataFrame({"code": codes[rows, cols], "polygon": numbers[rows, cols],
                         "x": scene.x.values[cols], "y": scene.y.values[rows]})


def _draw_class(pixels: pd.DataFrame, wanted: tuple[int, int], rng: np.random.Generator,
                apart: Apart) -> tuple[list[pd.DataFrame], Apart]:
    """Draw training and test pixels of one class, and say how they are kept apart."""
    room = pixels.groupby("polygon").size()
    test = _test_polygons(room, wanted, rng) if apart == "polygons" else None
    if test is None:
        drawn = _spread(pixels, sum(wanted), rng)
        order = rng.permutation(len(drawn))
        return [drawn.iloc[order[: wanted[0]]], drawn.iloc[order[wanted[0]:]]], "pixels"
    here = pixels.polygon.isin(test)
    return [_spread(pixels[~here], wanted[0], rng), _spread(pixels[here], wanted[1], rng)], \
        "polygons"


def _test_polygons(room: pd.Series, wanted: tuple[int, int],
                   rng: np.random.Generator) -> NDArray[np.int64] | None:
    """Choose the test polygons from pixels by polygon; None if they cannot be divided."""
    share = wanted[1] / sum(wanted) * len(room)
    for _ in range(SHUFFLES):
        order = rng.permutation(room.index.to_numpy())
        held = np.cumsum(room[order].to_numpy())
        enough = np.flatnonzero((held >= wanted[1]) & (np.arange(1, len(order) + 1) >= share))
        if enough.size and held[-1] - held[enough[0]] >= wanted[0]:
            return order[: enough[0] + 1]
    return None


def _spread(pixels: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw ``count`` pixels, from each polygon as many as from any other while it has some left."""
    shuffled = pixels.iloc[rng.permutation(len(pixels))]
    turn = shuffled.groupby("polygon").cumcount().to_numpy()
    return shuffled.iloc[np.argsort(turn, kind="stable")[:count]]
