"""Quarry pixels to connected objects: pit lakes and holes belong to them, polygons in metres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from rasterio.features import shapes
from rasterio.transform import Affine
from scipy import ndimage
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from lulc_lib import legend
from lulc_lib.errors import InputError
from lulc_lib.sites.maps import is_metric, pixel_area
from lulc_lib.sites.settings import Settings

NEIGHBOURS = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong together."""

STAIRS = 0.75
"""Pixels, by which an outline is simplified before its length is taken: pixel stairs make the
perimeter of a slanted edge up to 1.41 times too long."""

STRIP = 1 << 22
"""About the number of pixels of a map that are read at a time."""


class Labels(NamedTuple):
    """Connected quarry objects of one date, of any size; all arrays (row, col)."""

    labels: NDArray[np.int32]  # number of the object, 0 elsewhere
    codes: NDArray[np.uint8]  # legend codes of the map
    probability: NDArray[np.float32] | None  # of the quarry class, 0–1
    at_gap: NDArray[np.bool_] | None = None  # beside the map's edge or a pixel without data

    @property
    def clear(self) -> NDArray[np.bool_]:
        """Where the map holds a class."""
        return self.codes != legend.NO_DATA


def label_objects(class_map: xr.DataArray, probability: xr.DataArray | None, settings: Settings
                  ) -> Labels:
    """Label connected quarry objects, pit lakes and holes among them.

    Parameters and errors are those of :func:`find_objects`.
    """
    labels, _ = ndimage.label(open_rock(class_map, probability, settings), NEIGHBOURS)
    codes = class_map.values
    values = None if probability is None else checked(probability.values, codes)
    return Labels(labels, codes, values)


def find_objects(class_map: xr.DataArray, probability: xr.DataArray | None = None,
                 settings: Settings | None = None) -> gpd.GeoDataFrame:
    """Find the connected quarry objects of one class map.

    Parameters
    ----------
    class_map : DataArray of uint8, shape (y, x)
        Legend codes with a CRS in metres; NO_DATA is not clear.
    probability : DataArray of float, shape (y, x), optional
        Probability 0–1 of the quarry class on the same grid. It adds to the pixels mapped as
        quarry the objects that the map hides: connected pixels of at least ``settings.low``, some
        of them of ``settings.high``, of which less than ``settings.mapped_share`` is mapped as
        quarry. What the map shows keeps the map's outline.
    settings : Settings, optional
        See :class:`lulc_lib.sites.settings.Settings`.

    Returns
    -------
    GeoDataFrame
        One row per object: ``area_ha``, ``perimeter_m``, ``compactness`` (1 circle, towards 0
        ragged or long), ``elongation`` (short ÷ long side of the smallest rectangle around it),
        ``water_share`` (pit lakes), ``mean_probability`` (NaN without probabilities), geometry in
        metres.

    Raises
    ------
    InputError
        A CRS that is not in metres, or a probability on another grid or outside 0–1.
    """
    settings = settings or Settings()
    every = label_objects(class_map, probability, settings)
    kept = at_least(every.labels, settings.min_area_ha * 1e4 / pixel_area(class_map))
    measured = measure(every._replace(labels=kept), class_map.rio.transform())
    table = gpd.GeoDataFrame(measured._asdict(), geometry="geometry", crs=class_map.rio.crs,
                             index=measured.number).drop(columns="number")
    table["area_ha"] = table.area / 1e4
    return table.join(shape_of(table.geometry, pixel_area(class_map) ** 0.5))


def open_rock(class_map: xr.DataArray, probability: xr.DataArray | None, settings: Settings
              ) -> NDArray[np.bool_]:
    """Tell where rock is open, pit lakes and holes among it: (row, col) bool.

    Map and probability are read in strips, so they may lie on disk. Parameters and errors are
    those of :func:`find_objects`.
    """
    if not is_metric(class_map.rio.crs):
        raise InputError(f"the class map's CRS is {class_map.rio.crs}; objects are measured in "
                         "metres, so it must be a projected CRS in true metres, such as UTM")
    if probability is not None and probability.shape != class_map.shape:
        raise InputError(f"probability is {probability.shape}; the class map has "
                         f"{class_map.shape} pixels")
    quarry, water = np.zeros((2, *class_map.shape), bool)
    likely, sure = (None,) * 2 if probability is None else np.zeros((2, *class_map.shape), bool)
    for rows in strips(class_map.shape):
        codes = class_map.variable[rows].values
        quarry[rows], water[rows] = (codes == legend.code(k) for k in ("quarry", "water"))
        if probability is not None:
            values = checked(probability.variable[rows].values, codes)
            likely[rows], sure[rows] = values >= settings.low, values >= settings.high
    if probability is not None:
        _add_hidden(quarry, likely, sure, settings.mapped_share)
    water &= ~quarry
    _add_lakes(quarry, water, settings.lake_border)
    del water, likely, sure
    _fill_holes(quarry, settings.max_hole_ha, pixel_area(class_map))
    return quarry


def strips(shape: tuple[int, int]) -> Iterator[slice]:
    """Cut the rows of a (row, col) raster into strips of about :data:`STRIP` pixels."""
    step = max(STRIP // max(shape[1], 1), 1)
    return (slice(row, min(row + step, shape[0])) for row in range(0, shape[0], step))


def checked(probability: NDArray[np.floating], codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return probabilities as (row, col) float32, 0 where they or the map are missing."""
    values = probability.astype(np.float32)
    if np.nanmin(values, initial=0) < 0 or np.nanmax(values, initial=0) > 1.001:
        raise InputError(f"probability reaches from {np.nanmin(values):g} to "
                         f"{np.nanmax(values):g}; it must lie between 0 and 1")
    return np.where(codes == legend.NO_DATA, 0, np.nan_to_num(values))


def _add_hidden(quarry: NDArray[np.bool_], likely: NDArray[np.bool_], sure: NDArray[np.bool_],
                mapped_share: float) -> None:
    """Add to the quarry, in place, likely land that holds sure land and is hardly mapped as quarry.

    ``likely`` is changed.
    """
    likely |= quarry
    labels, count = ndimage.label(likely, NEIGHBOURS)
    size, mapped = (np.bincount(labels[of], minlength=count + 1) for of in (likely, quarry))
    hidden = np.zeros(count + 1, bool)
    hidden[labels[sure]] = True
    hidden &= mapped < mapped_share * size
    for rows in strips(quarry.shape):
        quarry[rows] |= hidden[labels[rows]]


def _add_lakes(quarry: NDArray[np.bool_], water: NDArray[np.bool_], least_border: float) -> None:
    """Add to the quarry, in place, waters of which at least ``least_border`` of the rim is it."""
    lakes, _ = ndimage.label(water, NEIGHBOURS)
    found = []
    for number, place in enumerate(ndimage.find_objects(lakes), start=1):
        around = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in place)
        if least_border and not quarry[around].any():
            continue
        lake = lakes[around] == number
        rim = ndimage.binary_dilation(lake, NEIGHBOURS) & ~lake
        if rim.any() and quarry[around][rim].mean() >= least_border:
            found.append((around, lake))
    for around, lake in found:
        quarry[around] |= lake


def _fill_holes(dug: NDArray[np.bool_], most_ha: float, pixel_m2: float) -> None:
    """Fill, in place, the holes of objects: islands of other classes up to ``most_ha`` hectares.

    What touches the edge of the map is no hole.
    """
    ground, _ = ndimage.label(~dug)
    for number, (rows, cols) in enumerate(ndimage.find_objects(ground), start=1):
        inside = rows.start and cols.start and rows.stop < dug.shape[0] and cols.stop < dug.shape[1]
        if inside:
            hole = ground[rows, cols] == number
            if np.count_nonzero(hole) * pixel_m2 / 1e4 <= most_ha:
                dug[rows, cols] |= hole


def at_least(labels: NDArray[np.int32], pixels: float) -> NDArray[np.int32]:
    """Keep labels of at least so many pixels, numbered 1 … n in their order; 0 for the others."""
    keep = np.bincount(labels.ravel()) >= pixels
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[labels]


class Measured(NamedTuple):
    """What is measured of objects, one entry each."""

    number: list[int]
    geometry: list[BaseGeometry]  # in the map's CRS
    water_share: NDArray[np.float64]  # pit lakes
    mean_probability: NDArray[np.float64]  # of what is not water; NaN without probabilities


def measure(objects: Labels, transform: Affine) -> Measured:
    """Measure each label > 0, in order of its number; ``transform`` is that of the pixels."""
    found = outlines(objects.labels, transform)
    wet, index = objects.codes == legend.code("water"), np.array(list(found), dtype=np.int64)
    probability = np.full(len(found), np.nan) if objects.probability is None else _mean(
        np.where(wet, np.nan, objects.probability), objects.labels, index)
    return Measured(list(found), list(found.values()), _mean(wet, objects.labels, index),
                    probability)


def shape_of(geometry: gpd.GeoSeries, pixel_m: float) -> pd.DataFrame:
    """Measure perimeter (metres, stairs cut), compactness and elongation of polygons in metres."""
    smooth = geometry.simplify(STAIRS * pixel_m)
    perimeter = smooth.length
    return pd.DataFrame({
        "perimeter_m": perimeter,
        "compactness": (4 * np.pi * geometry.area / perimeter**2).clip(upper=1.0),
        "elongation": [_elongation(g) for g in geometry],
    }, index=geometry.index)


def outlines(labels: NDArray[np.int32], transform: Affine) -> dict[int, BaseGeometry]:
    """Outline the labels > 0 of a (row, col) array: number to shape, in order of the number."""
    found = list(shapes(labels, mask=labels > 0, connectivity=8, transform=transform))
    of_part = np.array([number for _, number in found], dtype=np.int64)
    order = np.argsort(of_part, kind="stable")
    numbers, index = np.unique(of_part[order], return_inverse=True)
    parts = shapely.buffer(np.array([shape(s) for s, _ in found], object), 0)[order]
    return dict(zip(numbers.tolist(), united(parts, index, len(numbers)), strict=True))


def united(shapes: NDArray[np.object_], index: NDArray[np.intp], number: int
           ) -> NDArray[np.object_]:
    """Unite the shapes of each index 0 … number − 1, which come in its order; empty where none."""
    out = np.full(number, shapely.Polygon())
    shapely.geometrycollections(shapes, indices=index, out=out)
    return shapely.union_all(out[:, None], axis=1)


def _mean(values: NDArray, labels: NDArray[np.int32], index: NDArray) -> NDArray[np.float64]:
    """Average the finite values within each label."""
    good = (labels > 0) & np.isfinite(values)
    size = int(labels.max(initial=0)) + 1
    total = np.bincount(labels[good], values[good], size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (total / np.bincount(labels[good], minlength=size))[index]


def _elongation(geometry: BaseGeometry) -> float:
    """Divide the short by the long side of the smallest rectangle around a shape."""
    corners = np.asarray(geometry.minimum_rotated_rectangle.exterior.coords)
    sides = np.hypot(*np.diff(corners[:3], axis=0).T)
    return float(sides.min() / sides.max())
