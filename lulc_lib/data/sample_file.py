"""A sample of a class map's pixels: drawn block by block, kept in a GeoPackage with its design."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import rasterio
from numpy.typing import NDArray

from lulc_lib.data.pairs import BLOCK_PIXELS, MOST_CODES, _read
from lulc_lib.data.reference import open_classes
from lulc_lib.data.scenes import windows
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file, written_whole

POINTS, TABLES = "points", ("strata", "labels", "design")
"""Layers of the GeoPackage: the points, and tables without shapes."""


class Strata(NamedTuple):
    """The classes of a map.

    Attributes
    ----------
    pixels : Series, index the class code
        Pixels of each class.
    no_data : int
        Pixels without a class, which are in no stratum.
    names : dict of int to str
        Names of the classes, as given or as the file's tags have them; empty if neither has.
    pixel_area : float
        Area of a pixel in ``unit``: hectares, or pixels where the CRS is not in metres.
    unit : str
    pixel : float, unit of the CRS
        Side of a pixel.
    """

    pixels: pd.Series
    no_data: int
    names: dict[int, str]
    pixel_area: float
    unit: str
    pixel: float


def count_strata(path: Path, names: Mapping[int, str] | None = None) -> Strata:
    """Count the pixels of each class of a map of any size.

    No data is what the file's tag says, and code 0 where there are names that do not name it.

    Raises
    ------
    InputError
        The map cannot be read, has no CRS, or holds no class, a code below 0 or without a name.
    """
    with open_classes(path) as source:
        tags = {int(k[6:]): v for k, v in source.tags().items()
                if k.startswith("class_") and k[6:].isdigit()}
        named, total, every = dict(names or tags), pd.Series(dtype=np.int64), 0
        if source.crs is None:
            raise InputError(f"{path.name}: has no CRS; points of a sample need one")
        for _, codes in _strips(source, named):
            every += codes.size
            values, counts = np.unique(codes[codes != _NONE], return_counts=True)
            total = total.add(pd.Series(counts, values), fill_value=0)
            if len(total) > MOST_CODES or (len(total) and total.index.min() < 0):
                raise InputError(f"{path.name}: holds {len(total)} different values, the first "
                                 f"{total.index.min():g}; a class map has codes from 0 on")
        total = total.sort_index().astype(np.int64)
        if not len(total) or (named and set(total.index) - set(named)):
            lacking = ", ".join(map(str, sorted(set(total.index) - set(named)))) or "no class"
            raise InputError(f"{path.name}: holds {lacking}, and there are names for "
                             f"{', '.join(map(str, named)) or 'none'}; name every class in --labels")
        t, metres = source.transform, source.crs.is_projected
        side = source.crs.linear_units_factor[1] if metres else 0
        return Strata(total, every - int(total.sum()), named,
                      abs(t.determinant) * side**2 / 1e4 if metres else 1.0,
                      "ha" if metres else "pixels", abs(t.determinant) ** 0.5)


def draw_points(path: Path, ranks: Mapping[int, NDArray[np.int64]], names: Mapping[int, str],
                seed: int) -> gpd.GeoDataFrame:
    """Find the pixels of a map that were drawn by rank, row by row; points at their centres.

    Returns
    -------
    GeoDataFrame
        ``point_id``, ``map_class``, and empty ``label``, ``labeller``, ``confidence`` and
        ``comment``, in a random order.
    """
    seen, found = dict.fromkeys(ranks, 0), []
    with open_classes(path) as source:
        for top, codes in _strips(source, names):
            for code, wanted in ranks.items():
                here = np.flatnonzero(codes == code)
                mine = wanted[slice(*np.searchsorted(wanted, [seen[code], seen[code] + here.size]))]
                row, col = np.divmod(here[mine - seen[code]], source.width)
                seen[code] += here.size
                found.append(pd.DataFrame({"map_class": code, "row": row + top, "col": col}))
        t, crs = source.transform, source.crs
    table = pd.concat(found).sample(frac=1, random_state=np.random.default_rng([seed]))
    x, y = t @ (table.col.to_numpy() + 0.5, table.row.to_numpy() + 0.5) if False else t * (
        table.col.to_numpy() + 0.5, table.row.to_numpy() + 0.5)
    columns = {"point_id": np.arange(1, len(table) + 1), "map_class": table.map_class.to_numpy(),
               "label": pd.array([pd.NA] * len(table), dtype="Int32")}
    empty = pd.array([pd.NA] * len(table), dtype="string")
    columns |= dict.fromkeys(("labeller", "confidence", "comment"), empty)
    return gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy(x, y), crs=crs)
