"""A service's table to ours: shapes repaired, fields under one name, dates and codes read."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from lulc_lib.errors import InputError
from lulc_lib.sites.dates import EMPTY_WORDS, parse_date
from lulc_lib.sites.layer_file import Note
from lulc_lib.sites.layers import Layer, find_column, fold, is_current

EXAMPLES = 3
"""How many different values a note names."""


def normalise(raw: gpd.GeoDataFrame, layer: Layer, name: str, crs: CRS, note: Note
              ) -> gpd.GeoDataFrame:
    """The table of one layer with our columns, valid shapes of its kind, in ``crs``.

    Parameters
    ----------
    raw : as read from the file, with its CRS.
    layer : what the table is to hold.
    name : the file's name, for messages.
    crs : CRS of the result.
    note : told what was dropped, repaired or not understood.

    Raises
    ------
    InputError
        No shape is of the layer's kind, or a required column is not there.
    """
    kept = right_shapes(raw, layer, name, note)
    table = gpd.GeoDataFrame(_fields(kept, layer, name, note), geometry=kept.geometry.to_numpy(),
                             crs=raw.crs)
    for column in layer.required:
        known = table[column].notna().to_numpy()
        if not known.all():
            note(f"{_rows(~known)} without {column} dropped")
        table = table[known]
    table = right_shapes(table.to_crs(crs), layer, name, note)  # a new CRS can break a shape
    return _without_copies(table, note)


def right_shapes(table: gpd.GeoDataFrame, layer: Layer, name: str, note: Note
                 ) -> gpd.GeoDataFrame:
    """The rows with a shape of the layer's kind: two-dimensional, valid, not empty.

    Invalid polygons are repaired by their structure (parts that overlap are merged, not cut out of
    each other), and of what results only polygons are kept. Multipoints become one row a
    point. What is dropped or repaired is told.

    Raises
    ------
    InputError
        There are shapes, and none is of the right kind.
    """
    if layer.geometry == "Point":
        table = table.explode(ignore_index=True)
    shapes = shapely.force_2d(table.geometry.to_numpy())
    there = np.isfinite(shapely.bounds(shapes)).all(axis=1)  # NaN for None and for empty ones
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
    return table[right].set_geometry(
        gpd.GeoSeries(shapes[right], index=table.index[right], crs=table.crs))


def _only(kind: str, shape: BaseGeometry) -> BaseGeometry:
    """The part of a shape that is of a kind; empty if none is."""
    if shape.geom_type in (kind, f"Multi{kind}"):
        return shape
    parts = [p for p in getattr(shape, "geoms", ()) if p.geom_type in (kind, f"Multi{kind}")]
    return shapely.union_all(parts) if parts else shapely.Polygon()


def _rows(which: NDArray[np.bool_]) -> str:
    return _count(int(which.sum()))


def _count(rows: int) -> str:
    return f"{rows} row{'' if rows == 1 else 's'}"


def _fields(table: gpd.GeoDataFrame, layer: Layer, name: str, note: Note) -> dict[str, list]:
    """Our columns as lists of text, dates or None."""
    there = [c for c in table.columns if c != table.geometry.name]
    found = {ours: find_column(there, theirs) for ours, theirs in layer.fields.items()}
    for ours in layer.required:
        if found[ours] is None and len(table):
            raise InputError(f"{name}: no column of {layer.name} holds the {ours}; it has "
                             f"{', '.join(map(str, there)) or 'none'}, looked for were "
                             f"{', '.join(layer.fields[ours])}")
    fields: dict[str, list] = {}
    for ours, theirs in found.items():
        values = [None] * len(table) if theirs is None else list(table[theirs])
        if ours in layer.dates:
            fields[ours] = _dates(values, ours, theirs, note)
        elif ours == "code":
            fields[ours] = [_code(v) for v in values]
        else:
            fields[ours] = [_text(v) for v in values]
    if "valid_to" in fields:
        _check_validity(fields, note)
    return fields


def _text(value: object) -> str | None:
    """Text without the words that stand for nothing; whole numbers without a decimal point."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, float | np.floating) and value == int(value):
        value = int(value)
    text = " ".join(str(value).split())
    return None if fold(text) in EMPTY_WORDS else text


def _code(value: object) -> str | None:
    """Level-3 code as three digits; None if it is not one."""
    text = _text(value)
    return text if text and re.fullmatch(r"\d{3}", text) else None


def _dates(values: Sequence[object], ours: str, theirs: str | None, note: Note
           ) -> list[dt.date | None]:
    """Days, None where there is none; what is not understood or not there is told."""
    read = [parse_date(value) for value in values]
    strange = [str(v) for v, p in zip(values, read, strict=True) if p.kind == "unreadable"]
    if strange:
        shown = ", ".join(repr(v) for v in list(dict.fromkeys(strange))[:EXAMPLES])
        note(f"{len(strange)} of {len(read)} dates in {theirs} are not understood and count as "
             f"unknown ({shown})")
    empty = sum(p.kind == "empty" for p in read)
    if empty and ours != "date":
        where = f"in {theirs}" if theirs else f"as there is no column for {ours}"
        note(f"{empty} of {_count(len(read))} without {ours} {where}: that side is open")
    return [p.day for p in read]


def _check_validity(fields: dict[str, list], note: Note) -> None:
    """Tell of areas that end before they begin, and of those that are no longer in force."""
    begin, end = fields["valid_from"], fields["valid_to"]
    wrong = sum(a is not None and b is not None and b < a for a, b in zip(begin, end, strict=True))
    if wrong:
        note(f"{_count(wrong)} with an end before the beginning: valid on no day")
    over = [(status, day) for status, day in zip(fields["status"], end, strict=True)
            if not is_current(status)]
    if over:
        words = ", ".join(sorted({repr(status) for status, _ in over}))
        endless = sum(day is None for _, day in over)
        note(f"{_count(len(over))} with status {words}: valid until the last day stated"
             + (f", and {endless} of them on no day, as none is stated" if endless else ""))


def _without_copies(table: gpd.GeoDataFrame, note: Note) -> gpd.GeoDataFrame:
    """Rows that repeat another one, shape and all, left out."""
    key = table.drop(columns=table.geometry.name).astype(str)
    key["shape"] = shapely.to_wkb(shapely.normalize(table.geometry.to_numpy()))
    copies = key.duplicated().to_numpy()
    if copies.any():
        note(f"{_rows(copies)} dropped: exact copies of others")
    return table[~copies]
