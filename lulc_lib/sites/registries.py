"""Registry layers from a folder, as tables of one form whatever service or format they came in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from lulc_lib.errors import InputError
from lulc_lib.sites.layer_file import Bounds, Note, find_file, outline, read_file
from lulc_lib.sites.layers import LAYERS, Layer, is_current
from lulc_lib.sites.normalise import normalise
from lulc_lib.sites.provenance import read_provenance


@dataclass(frozen=True)
class Registries:
    """The registry layers of a folder, all in one metric CRS; None for a layer that is missing.

    Every table has ``name`` (text or None) and ``source`` (text). ``mining_areas`` and
    ``mining_terrains`` have ``valid_from`` and ``valid_to`` (``datetime.date``, or None where the
    register states no day) and ``status`` (text or None); ``deposits`` ``mineral``; ``corine``
    ``code`` (three digits as text); ``monitoring_points`` ``date`` and ``category``. Areas are
    valid (multi)polygons, points are points. A table may be empty: the layer is known, and there
    is nothing. ``missing`` names the layers that are None, ``notes`` say in words what was
    repaired, dropped or taken for granted.
    """

    deposits: gpd.GeoDataFrame | None = None
    mining_areas: gpd.GeoDataFrame | None = None
    mining_terrains: gpd.GeoDataFrame | None = None
    corine: gpd.GeoDataFrame | None = None
    osm_quarries: gpd.GeoDataFrame | None = None
    monitoring_points: gpd.GeoDataFrame | None = None
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_registries(folder: Path, crs: object, bounds: Bounds | None = None) -> Registries:
    """Read whatever registry layers a folder holds.

    Parameters
    ----------
    folder : holds any of ``deposits``, ``mining_areas``, ``mining_terrains``, ``corine``,
        ``osm_quarries`` and ``monitoring_points`` as .gpkg, .geojson or .shp (points also .csv
        with lon and lat in degrees, or x to the east and y to the north in the CRS that a column
        ``crs`` states, else in ``crs``), with the services' own field names.
    crs : CRS of the result, in metres: the map's.
    bounds : (left, bottom, right, top) of the map in ``crs``; only rows that touch it are
        returned, uncut. A layer that was fetched (see :mod:`lulc_lib.sites.services`) for an area
        that does not cover it counts as missing. None: everything.

    Raises
    ------
    InputError
        No such folder, a CRS that is not in metres, two files for one layer, or a file that
        cannot be used: unreadable, without CRS, without shapes of the right kind, or without the
        column that its layer is about.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; the registry layers are files in a folder")
    crs, notes = _metric(crs), []
    tables = {name: _read_layer(folder, layer, crs, bounds, notes.append)
              for name, layer in LAYERS.items()}
    missing = tuple(name for name, table in tables.items() if table is None)
    return Registries(**tables, missing=missing, notes=tuple(notes))


def valid_on(areas: gpd.GeoDataFrame, date: dt.date) -> gpd.GeoDataFrame:
    """The mining areas or terrains that are in force on a day.

    The dates decide, both days included: ``STATUS`` is that of the day of the download, so an area
    that has been abolished since was in force until its ``valid_to``. A side without a day is
    open, so a gap in the register never makes a site suspicious. The status decides only where
    there is no last day: an area that is not current and does not say until when it was has ended
    on an unknown day, and does not count.

    Parameters
    ----------
    areas : with ``valid_from``, ``valid_to`` and ``status`` (see :class:`Registries`).
    date : the scene's acquisition day.
    """
    begun = np.array([d is None or d <= date for d in areas["valid_from"]], dtype=bool)
    lasts = np.array([is_current(s) if d is None else date <= d
                      for d, s in zip(areas["valid_to"], areas["status"], strict=True)], dtype=bool)
    return areas[begun & lasts]


def _metric(crs: object) -> CRS:
    try:
        known = CRS.from_user_input(crs)
    except CRSError as error:
        raise InputError(f"crs is {crs!r}; it must be a CRS such as EPSG:32633") from error
    if not known.is_projected or known.axis_info[0].unit_name != "metre":
        raise InputError(f"crs is {known.to_string()}; sites are measured in metres, so it must be "
                         "a projected CRS in metres")
    return known


def _read_layer(folder: Path, layer: Layer, crs: CRS, bounds: Bounds | None, note: Note
                ) -> gpd.GeoDataFrame | None:
    """The layer's table, or None if the folder lacks it."""
    path = find_file(folder, layer, note)
    if path is None:
        return None
    say = _prefixed(note, layer.name)
    fetched = read_provenance(path)
    if bounds is not None and fetched and not _covers(fetched.bounds, crs, bounds):
        say("was fetched for an area that does not cover the map; it counts as missing, so fetch "
            "it again")
        return None
    table = normalise(read_file(path, layer, crs, bounds, say), layer, path.name, crs, say)
    table["source"] = fetched.source if fetched else path.name
    if bounds is not None:
        table = table[table.intersects(shapely.box(*bounds))]
        if table.empty and not fetched:
            say("has nothing on the map; check its area and, for points, the order of x and y")
    return table[[*layer.columns, "geometry"]].reset_index(drop=True)


def _prefixed(note: Note, name: str) -> Note:
    return lambda text: note(f"{name}: {text}")


def _covers(fetched: Bounds, crs: CRS, bounds: Bounds) -> bool:
    """Whether an area in degrees (west, south, east, north) covers bounds in ``crs``."""
    degrees = gpd.GeoSeries([outline(bounds)], crs=crs).to_crs(4326)
    return shapely.box(*fetched).buffer(1e-6).covers(degrees.iloc[0])
