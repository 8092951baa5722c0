"""Quarry pixels to connected objects: pit lakes and holes belong to them, polygons in metres."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from rasterio.features import shapes
from scipy import ndimage
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from lulc_lib import legend
from lulc_lib.errors import InputError
from lulc_lib.sites.maps import is_metric, pixel_area
from lulc_lib.sites.settings import Settings

NEIGHBOURS = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong together."""

STAIRS = 0.75
"""Pixels, by which an outline is simplified before its length is taken: pixel stairs make the
perimeter of a slanted edge up to 1.41 times too long."""


class Labels(NamedTuple):
    """Connected quarry objects of one date, of any size; all arrays (row, col)."""

    labels: NDArray[np.int32]  # number of the object, 0 elsewhere
    clear: NDArray[np.bool_]  # where the map holds a class
    probability: NDArray[np.float32] | None  # of the quarry class, 0–1


def label_objects(
    class_map: xr.DataArray, probability: xr.DataArray | None, settings: Settings
) -> Labels:
    """Label connected quarry objects, pit lakes and holes among them.

    Parameters and errors are those of :func:`find_objects`.
    """
    if not is_metric(class_map.rio.crs):
        raise InputError(f"the class map's CRS is {class_map.rio.crs}; objects are measured in "
                         "metres, so it must be a projected CRS in true metres, such as UTM")
    values, codes = _checked(probability, class_map), class_map.values
    quarry = with_lakes(quarry_pixels(codes, values, settings), codes, settings.lake_border)
    dug = with_holes(quarry, settings.max_hole_ha, pixel_area(class_map))
    labels, _ = ndimage.label(dug, NEIGHBOURS)
    return Labels(labels, codes != legend.NO_DATA, values)


def find_objects(
    class_map: xr.DataArray, probability: xr.DataArray | None = None,
    settings: Settings | None = None,
) -> gpd.GeoDataFrame:
    """Find the connected quarry objects of one class map.

    Parameters
    ----------
    class_map : DataArray of uint8, shape (y, x)
        Legend codes with a CRS in metres; NO_DATA is not clear.
    probability : DataArray of float, shape (y, x), optional
        Probability 0–1 of the quarry class on the same grid. If given it decides by hysteresis:
        pixels of at least ``settings.low`` in an object in which some pixel reaches
        ``settings.high``. Else the pixels mapped as quarry are taken.
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
    labels = at_least(every.labels, settings.min_area_ha * 1e4 / pixel_area(class_map))
    return describe(labels, class_map, every.probability)


def quarry_pixels(
    codes: NDArray[np.uint8], probability: NDArray[np.float32] | None, settings: Settings
) -> NDArray[np.bool_]:
    """Tell where rock is open: (row, col) bool, from legend codes or from probabilities 0–1."""
    if probability is None:
        return codes == legend.code("quarry")
    labels, _ = ndimage.label(probability >= settings.low, NEIGHBOURS)
    sure = np.unique(labels[probability >= settings.high])
    return np.isin(labels, sure[sure > 0])


def with_lakes(
    quarry: NDArray[np.bool_], codes: NDArray[np.uint8], least_border: float
) -> NDArray[np.bool_]:
    """Add to quarry pixels the waters of which at least ``least_border`` of the rim is quarry."""
    lakes, _ = ndimage.label((codes == legend.code("water")) & ~quarry, NEIGHBOURS)
    out = quarry.copy()
    for number, place in enumerate(ndimage.find_objects(lakes), start=1):
        around = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in place)
        lake = lakes[around] == number
        rim = ndimage.binary_dilation(lake, NEIGHBOURS) & ~lake
        if rim.any() and quarry[around][rim].mean() >= least_border:
            out[around] |= lake
    return out


def with_holes(
    dug: NDArray[np.bool_], most_ha: float, pixel_m2: float
) -> NDArray[np.bool_]:
    """Fill the holes of objects: islands of other classes up to ``most_ha`` hectares."""
    holes, _ = ndimage.label(ndimage.binary_fill_holes(dug) & ~dug)
    small = np.bincount(holes.ravel()) * pixel_m2 / 1e4 <= most_ha
    small[0] = False
    return dug | small[holes]


def at_least(labels: NDArray[np.int32], pixels: float) -> NDArray[np.int32]:
    """Keep labels of at least so many pixels, numbered 1 … n in their order; 0 for the others."""
    keep = np.bincount(labels.ravel()) >= pixels
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[labels]


def describe(
    labels: NDArray[np.int32], class_map: xr.DataArray, probability: NDArray[np.float32] | None
) -> gpd.GeoDataFrame:
    """Describe each label > 0 in a row, index its number; columns of :func:`find_objects`."""
    table = measure(labels, class_map, probability)
    return table.join(shape_of(table.geometry, pixel_area(class_map) ** 0.5))


def measure(
    labels: NDArray[np.int32], class_map: xr.DataArray, probability: NDArray[np.float32] | None
) -> gpd.GeoDataFrame:
    """Do the same without what tells the shape of an object."""
    table = outlines(labels, class_map)
    wet = class_map.values == legend.code("water")
    index = table.index.to_numpy()
    table["water_share"] = _mean(wet, labels, index)
    table["mean_probability"] = (
        np.full(len(table), np.nan) if probability is None
        else _mean(np.where(wet, np.nan, probability), labels, index))
    table["area_ha"] = table.area / 1e4
    return table


def shape_of(geometry: gpd.GeoSeries, pixel_m: float) -> pd.DataFrame:
    """Measure perimeter (metres, stairs cut), compactness and elongation of polygons in metres."""
    smooth = geometry.simplify(STAIRS * pixel_m)
    perimeter = smooth.length
    return pd.DataFrame({
        "perimeter_m": perimeter,
        "compactness": (4 * np.pi * geometry.area / perimeter**2).clip(upper=1.0),
        "elongation": [_elongation(g) for g in geometry],
    }, index=geometry.index)


def outlines(labels: NDArray[np.int32], grid: xr.DataArray) -> gpd.GeoDataFrame:
    """Outline the labels > 0 of a (row, col) array on a grid; index the label."""
    parts: dict[int, list[BaseGeometry]] = {}
    for geometry, number in shapes(labels.astype(np.int32), mask=labels > 0, connectivity=8,
                                   transform=grid.rio.transform()):
        parts.setdefault(int(number), []).append(shape(geometry).buffer(0))
    numbers = sorted(parts)
    return gpd.GeoDataFrame(geometry=[unary_union(parts[n]) for n in numbers], crs=grid.rio.crs,
                            index=np.array(numbers, dtype=np.int64))


def _checked(
    probability: xr.DataArray | None, class_map: xr.DataArray
) -> NDArray[np.float32] | None:
    """Return the probabilities as (row, col) float32, 0 where they are missing."""
    if probability is None:
        return None
    if probability.shape != class_map.shape:
        raise InputError(f"probability is {probability.shape}; the class map has "
                         f"{class_map.shape} pixels")
    values = probability.values.astype(np.float32)
    if np.nanmin(values, initial=0) < 0 or np.nanmax(values, initial=0) > 1.001:
        raise InputError(f"probability reaches from {np.nanmin(values):g} to "
                         f"{np.nanmax(values):g}; it must lie between 0 and 1")
    return np.where(class_map.values == legend.NO_DATA, 0, np.nan_to_num(values))


def _mean(values: NDArray, labels: NDArray[np.int32], index: NDArray) -> NDArray[np.float64]:
    """Average the finite values within each label."""
    flat = values.astype(np.float64).ravel()
    good = np.isfinite(flat)
    size = int(labels.max()) + 1
    total = np.bincount(labels.ravel()[good], flat[good], size)
    count = np.bincount(labels.ravel()[good], minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (total / count)[index]


def _elongation(geometry: BaseGeometry) -> float:
    """Divide the short by the long side of the smallest rectangle around a shape."""
    corners = np.asarray(geometry.minimum_rotated_rectangle.exterior.coords)
    sides = np.hypot(*np.diff(corners[:3], axis=0).T)
    return float(sides.min() / sides.max())
