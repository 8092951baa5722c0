"""Registry layers from a folder, as tables of one form whatever service or format they came in.

A layer's file is read by :mod:`lulc_lib.sites.layer_file`. Here its shapes are repaired, its fields
get our names, and rows far from the map are left out. A fetched layer has a small JSON file beside
it that says where it comes from, bound to it by its sha256.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from lulc_lib.errors import InputError
from lulc_lib.io import existing_folder, sha256
from lulc_lib.io.text import printable
from lulc_lib.sites.layer_file import (
    Bounds,
    Note,
    find_layer_file,
    note_unknown_files,
    outline,
    placed,
    read_layer_file,
)
from lulc_lib.sites.layers import (
    EMPTY_WORDS,
    LAYERS,
    Layer,
    find_column,
    fold,
    is_current,
    parse_date,
)
from lulc_lib.sites.maps import is_metric, parse_crs

EXAMPLES = 3
"""How many different values a note names."""


@dataclass(frozen=True)
class Registries:
    """The registry layers of a folder, all in one metric CRS; None for a layer that is missing.

    Every table has ``name`` (text or None) and ``source`` (text). ``mining_areas`` and
    ``mining_terrains`` have ``valid_from`` and ``valid_to`` (``datetime.date``, or None where the
    registry states no day) and ``status`` (text or None); ``deposits`` ``mineral``; ``corine``
    ``code`` (three digits as text); ``monitoring_points`` ``date`` and ``category``. Areas are
    valid (multi)polygons, points are points. A table may be empty: the layer was read, and there
    is nothing. ``unplaced`` counts the rows of a layer that state no place, or none of its kind (a
    line for an area): it clears the sites that it covers, but that it has nothing at a site says
    nothing. ``notes`` say in words what was repaired, dropped or taken for granted.
    """

    deposits: gpd.GeoDataFrame | None = None
    mining_areas: gpd.GeoDataFrame | None = None
    mining_terrains: gpd.GeoDataFrame | None = None
    corine: gpd.GeoDataFrame | None = None
    osm_quarries: gpd.GeoDataFrame | None = None
    monitoring_points: gpd.GeoDataFrame | None = None
    unplaced: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def present(self) -> dict[str, gpd.GeoDataFrame]:
        """Name and table of each layer that is present."""
        tables = {name: getattr(self, name) for name in LAYERS}
        return {name: table for name, table in tables.items() if table is not None}

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the layers that are missing."""
        return tuple(name for name in LAYERS if getattr(self, name) is None)


@dataclass(frozen=True)
class Provenance:
    """How a fetched layer's file came about."""

    url: str  # address that was asked
    layer: str  # the layer's own name there
    bounds: Bounds  # area asked for: west, south, east, north, degrees (WGS 84)
    fetched: str  # time in UTC, ISO 8601
    count: int  # features received
    attribution: str
    licence: str
    sha256: str  # of the layer's file
    notes: tuple[str, ...] = ()  # what the service said, and what could not be used

    @property
    def source(self) -> str:
        """Attribution and day, for tables and captions."""
        return f"{self.attribution}, fetched {self.fetched[:10]}"

    def text(self) -> str:
        """Write the content of the JSON file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def read_registries(folder: str | Path, crs: object, bounds: Bounds | None = None,
                    coverage_m: float = 0.0) -> Registries:
    """Read whatever registry layers a folder holds.

    Parameters
    ----------
    folder : str or Path
        Holds any of ``deposits``, ``mining_areas``, ``mining_terrains``, ``corine``,
        ``osm_quarries`` and ``monitoring_points`` as .gpkg, .geojson or .shp (points also .csv
        with lon and lat in degrees, or x to the east and y to the north in the CRS that a column
        ``crs`` states, else in ``crs``), with the services' own field names.
    crs : CRS, str or int
        CRS of the result, in metres: the map's.
    bounds : tuple of float, optional
        Of the map in ``crs``: left, bottom, right, top. Rows that do not touch it, widened by
        ``coverage_m``, are left out; the others stay uncut. A layer that was fetched for an area
        that does not cover the map counts as missing.
    coverage_m : float, metres
        A layer without a row within this distance of the map, and that was not fetched for it, is
        of another place and counts as missing. 0 accepts such a layer as empty.

    Returns
    -------
    Registries
        The layers, and notes on them.

    Raises
    ------
    InputError
        No such folder, a CRS that is not in metres, two files for one layer, or a file that
        cannot be used: unreadable, without CRS, without shapes of the right kind, or without the
        column that its layer is about.
    """
    folder = existing_folder(folder)
    crs, notes, unplaced = parse_crs(crs, "crs"), [], {}
    if not is_metric(crs):
        raise InputError(f"crs is {crs.to_string()}; sites are measured in metres, so it must be "
                         "a projected CRS in true metres")
    tables = {name: _read_layer(folder, layer, crs, bounds, coverage_m, notes, unplaced)
              for name, layer in LAYERS.items()}
    note_unknown_files(folder, LAYERS, notes.append)
    return Registries(**tables, unplaced=unplaced, notes=tuple(notes))


def valid_on(areas: gpd.GeoDataFrame, date: dt.date) -> gpd.GeoDataFrame:
    """Select the mining areas or terrains that are in force on a day.

    The dates decide, both days included: ``status`` is that of the day of the download, so an area
    that has been abolished since was in force until its ``valid_to``. A side without a day is
    open, so a gap in the registry never makes a site suspicious. The status decides only where
    there is no last day: an area that is not current and does not say until when it was has ended
    on an unknown day, and does not count.

    Parameters
    ----------
    areas : GeoDataFrame
        With ``valid_from``, ``valid_to`` and ``status`` (see :class:`Registries`).
    date : datetime.date
        The scene's acquisition day.

    Returns
    -------
    GeoDataFrame
        The rows in force.
    """
    begun = np.array([d is None or d <= date for d in areas["valid_from"]], dtype=bool)
    lasts = np.array([is_current(s) if d is None else date <= d
                      for d, s in zip(areas["valid_to"], areas["status"], strict=True)], dtype=bool)
    return areas[begun & lasts]


def provenance_path(path: Path) -> Path:
    """Name the JSON file that belongs to a layer's file.

    >>> provenance_path(Path("deposits.geojson")).name
    'deposits.source.json'
    """
    return path.with_name(f"{path.stem}.source.json")


def read_provenance(path: Path) -> Provenance | None:
    """Read where a layer's file comes from.

    Returns
    -------
    Provenance or None
        None if nothing is stored, or if the file is no longer the one that was fetched.

    Raises
    ------
    InputError
        The JSON file beside it is there and cannot be used.
    """
    beside = provenance_path(path)
    if not beside.is_file() or not path.is_file():
        return None
    try:
        stored = json.loads(beside.read_text(encoding="utf-8"))
        provenance = Provenance(**{**stored, "bounds": tuple(map(float, stored["bounds"])),
                                   "notes": tuple(stored.get("notes", ()))})
        fetched = dt.datetime.fromisoformat(provenance.fetched)
        if len(provenance.bounds) != 4 or fetched.tzinfo is None:
            raise ValueError("bounds must be four numbers, fetched a time with its zone")
        digest = sha256(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{beside}: cannot be read ({error}); remove it") from error
    return provenance if digest == provenance.sha256 else None


def normalise(raw: gpd.GeoDataFrame, layer: Layer, name: str, crs: CRS, note: Note
              ) -> tuple[gpd.GeoDataFrame, int]:
    """Bring a service's table to our columns, valid shapes of the layer's kind, and ``crs``.

    ``raw`` is what the file ``name`` holds, in its own CRS. ``note`` is told what was dropped,
    repaired or not understood; the number is that of rows without a shape that can be used.

    Raises
    ------
    InputError
        No shape is of the layer's kind, or a required column is not there.
    """
    kept, lost = _right_shapes(raw, layer, name, note)
    table = gpd.GeoDataFrame(_fields(kept, layer, name, note), geometry=kept.geometry.to_numpy(),
                             crs=raw.crs)
    for column in layer.required:
        stated = table[column].notna().to_numpy()
        if not stated.all():
            note(f"{_rows(~stated)} without {column} dropped")
        table = table[stated]
    table, broken = _right_shapes(table.to_crs(crs), layer, name, note)  # by the new CRS
    return _without_copies(table, note), lost + broken


def _read_layer(folder: Path, layer: Layer, crs: CRS, bounds: Bounds | None, coverage_m: float,
                notes: list[str], unplaced: dict[str, int]) -> gpd.GeoDataFrame | None:
    """Read the layer's table; None if the folder lacks it or it does not cover the map.

    ``notes`` and ``unplaced`` are added to: see :class:`Registries`.
    """
    path = find_layer_file(folder, layer, notes.append)
    if path is None:
        return None

    def note(text: str) -> None:
        notes.append(f"{layer.name}: {text}")

    fetched = read_provenance(path)
    around = bounds and _widened(bounds, coverage_m)
    if bounds and fetched:
        if not _covers(fetched.bounds, crs, bounds):
            note("was fetched for an area that does not cover the map; it counts as missing, so "
                 "fetch it again")
            return None
        if not _covers(fetched.bounds, crs, around):
            around, coverage_m = bounds, 0.0
    raw = read_layer_file(path, crs, around, note)
    table, lost = normalise(raw, layer, path.name, crs, note)
    if lost:
        unplaced[layer.name] = lost
        note(f"{_rows(lost)} may cover any ground, as none is stated: no site is a candidate for "
             "lying outside this layer")
    table["source"] = fetched.source if fetched else path.name
    if bounds:
        table = table[table.intersects(shapely.box(*around))]
        if not fetched and not table.intersects(shapely.box(*bounds)).any():
            note("has nothing on the map; check its area and, for points, the order of x and y")
        if coverage_m and table.empty and not fetched:
            note(f"has nothing within {coverage_m / 1000:g} km of the map, so it is of another "
                 "place and counts as missing")
            return None
    return table[[*layer.columns, "geometry"]].reset_index(drop=True)


def _widened(bounds: Bounds, metres: float) -> Bounds:
    left, bottom, right, top = bounds
    return left - metres, bottom - metres, right + metres, top + metres


def _covers(fetched: Bounds, crs: CRS, bounds: Bounds) -> bool:
    """Tell whether an area in degrees (west, south, east, north) covers bounds in ``crs``."""
    degrees = gpd.GeoSeries([outline(bounds)], crs=crs).to_crs(4326)
    return shapely.box(*fetched).buffer(1e-6).covers(degrees.iloc[0])


def _right_shapes(table: gpd.GeoDataFrame, layer: Layer, name: str, note: Note
                  ) -> tuple[gpd.GeoDataFrame, int]:
    """Keep the rows with a shape of the layer's kind: two-dimensional, valid, not empty.

    Invalid polygons are repaired by their structure (parts that overlap are merged, not cut out of
    each other), and of what results only polygons are kept. Multipoints become one row a
    point. What is dropped or repaired is told, and the number dropped returned. Having shapes, but
    none of the right kind, is an InputError.
    """
    if layer.geometry == "Point":
        table = table.explode(ignore_index=True)
    shapes = shapely.force_2d(table.geometry.to_numpy())
    there = placed(shapely.bounds(shapes))
    if not there.all():
        note(f"{_rows(~there)} without a shape dropped")
    before = sorted(set(table.geometry.geom_type[there]))
    broken = there & ~shapely.is_valid(shapes)
    if broken.any():
        why = sorted({str(r).split("[")[0] for r in shapely.is_valid_reason(shapes[broken])})
        shapes[broken] = shapely.make_valid(shapes[broken], method="structure",
                                            keep_collapsed=False)
        note(f"{_rows(broken)} with an invalid shape repaired ({', '.join(why)})")
    shapes[there] = [_only(layer.geometry, s) for s in shapes[there]]
    right = there & ~shapely.is_empty(shapes)
    if there.any() and not right.any():
        must = "polygons with an area" if layer.geometry == "Polygon" else "points"
        raise InputError(f"{name}: holds {', '.join(before)}; {layer.name} must be {must}")
    if (there & ~right).any():
        note(f"{_rows(there & ~right)} dropped: not a {layer.geometry.lower()}")
    return table[right].set_geometry(gpd.GeoSeries(
        shapes[right], index=table.index[right], crs=table.crs)), int((~right).sum())


def _only(kind: str, shape: BaseGeometry) -> BaseGeometry:
    """Take the part of a shape that is of a kind; empty if none is."""
    if shape.geom_type in (kind, f"Multi{kind}"):
        return shape
    parts = [p for p in getattr(shape, "geoms", ()) if p.geom_type in (kind, f"Multi{kind}")]
    return shapely.union_all(parts) if parts else shapely.Polygon()


def _rows(which: NDArray[np.bool_] | int) -> str:
    count = int(np.sum(which))
    return f"{count} row{'' if count == 1 else 's'}"


def _fields(table: gpd.GeoDataFrame, layer: Layer, name: str, note: Note) -> dict[str, list]:
    """Read our columns as lists of text, dates or None."""
    there = [c for c in table.columns if c != table.geometry.name]
    theirs_of = {ours: find_column(there, theirs) for ours, theirs in layer.fields.items()}
    for ours in layer.required:
        if theirs_of[ours] is None and len(table):
            raise InputError(f"{name}: no column of {layer.name} holds the {ours}; it has "
                             f"{', '.join(map(str, there)) or 'none'}, looked for were "
                             f"{', '.join(layer.fields[ours])}")
    fields: dict[str, list] = {}
    for ours, theirs in theirs_of.items():
        values = [None] * len(table) if theirs is None else list(table[theirs])
        if ours in layer.dates:
            fields[ours] = _dates(values, ours, theirs, note)
        else:
            fields[ours] = [(_code if ours == "code" else _text)(v) for v in values]
    if "valid_to" in fields:
        _check_validity(fields, note)
    return fields


def _text(value: object) -> str | None:
    """Read text without the words that stand for nothing; whole numbers lose the decimal point.

    Control characters are made visible: a name is shown in terminals, tables and pages.
    """
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, float | np.floating) and value == int(value):
        value = int(value)
    text = printable(" ".join(str(value).split()))
    return None if fold(text) in EMPTY_WORDS else text


def _code(value: object) -> str | None:
    """Read a level-3 code as three digits; None if it is not one."""
    text = _text(value)
    return text if text and re.fullmatch(r"\d{3}", text) else None


def _dates(values: Sequence[object], ours: str, theirs: str | None, note: Note
           ) -> list[dt.date | None]:
    """Read days, None where there is none; what is not understood or not there is told."""
    read = [parse_date(value) for value in values]
    strange = [str(v) for v, p in zip(values, read, strict=True) if p.kind == "unreadable"]
    if strange:
        shown = ", ".join(repr(v) for v in list(dict.fromkeys(strange))[:EXAMPLES])
        note(f"{len(strange)} of {len(read)} dates in {theirs} are not understood and count as "
             f"unknown ({shown})")
    empty = sum(p.kind == "empty" for p in read)
    if empty and ours != "date":
        where = f"in {theirs}" if theirs else f"as there is no column for {ours}"
        note(f"{empty} of {_rows(len(read))} without {ours} {where}: that side is open")
    return [p.day for p in read]


def _check_validity(fields: dict[str, list], note: Note) -> None:
    """Tell of areas that end before they begin, and of those that are no longer in force."""
    begin, end = fields["valid_from"], fields["valid_to"]
    wrong = sum(a is not None and b is not None and b < a for a, b in zip(begin, end, strict=True))
    if wrong:
        note(f"{_rows(wrong)} with an end before the beginning: valid on no day")
    over = [(status, day) for status, day in zip(fields["status"], end, strict=True)
            if not is_current(status)]
    if over:
        words = ", ".join(sorted({repr(status) for status, _ in over}))
        endless = sum(day is None for _, day in over)
        note(f"{_rows(len(over))} with status {words}: valid until the last day stated"
             + (f", and {endless} of them on no day, as none is stated" if endless else ""))


def _without_copies(table: gpd.GeoDataFrame, note: Note) -> gpd.GeoDataFrame:
    """Leave out rows that repeat another one, shape and all."""
    key = table.drop(columns=table.geometry.name).astype(str)
    key["shape"] = shapely.to_wkb(shapely.normalize(table.geometry.to_numpy()))
    copies = key.duplicated().to_numpy()
    if copies.any():
        note(f"{_rows(copies)} dropped: exact copies of others")
    return table[~copies]
