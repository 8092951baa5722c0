"""Values to the types that functions declare, as Earth Engine itself promotes them."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ee_local import elements as el
from ee_local.confusion import ConfusionMatrix
from ee_local.errors import EngineError
from ee_local.filter_text import parse_filter
from ee_local.geometry import Geometry, from_geojson
from ee_local.grid import Projection, parse_crs
from ee_local.kmeans import Clusterer
from ee_local.models import Classifier
from ee_local.pixels import BOOLEAN, DOUBLE, Band, Image, Pixels, PixelType
from ee_local.reduction import Reducer

KINDS: tuple[tuple[type, str], ...] = (
    (bool, "Boolean"), (int, "Integer"), (float, "Float"), (str, "String"), (list, "List"),
    (dict, "Dictionary"), (Image, "Image"), (el.Feature, "Feature"), (Geometry, "Geometry"),
    (Projection, "Projection"), (PixelType, "PixelType"), (Reducer, "Reducer"),
    (el.Filter, "Filter"), (Classifier, "Classifier"), (Clusterer, "Clusterer"),
    (ConfusionMatrix, "ConfusionMatrix"),
    (el.Date, "Date"), (el.DateRange, "DateRange"), (el.ErrorMargin, "ErrorMargin"),
    (el.Algorithm, "Algorithm"), (np.ndarray, "Array"), (bytes, "Blob"),
)


def type_name(value: Any) -> str:
    """Return Earth Engine's name for the type of a value.

    >>> type_name(3), type_name([1]), type_name(None)
    ('Integer', 'List', 'Null')
    """
    if isinstance(value, el.Collection):
        return value.kind
    for kind, name in KINDS:
        if isinstance(value, kind):
            return name
    return "Null" if value is None else type(value).__name__


class _Misfit(Exception):
    """The value cannot be brought to the type."""


def coerce(value: Any, wanted: str, where: str) -> Any:
    """Return the value as the type an argument declares.

    Parameters
    ----------
    value : object
        Anything but None.
    wanted : str
        The declared type, such as ``Image<unknown bands>`` or ``List<Integer>``.
    where : str
        Names the function in errors.

    Raises
    ------
    EngineError
        It cannot be brought to the type.
    """
    base, _, inner = wanted.partition("<")
    change = _CHANGES.get(base)
    if change is None:
        return value
    try:
        found = change(value)
    except _Misfit:
        raise EngineError(f"{where}: Invalid type. Expected type: {wanted}. Actual type: "
                          f"{type_name(value)}.") from None
    inner = inner.removesuffix(">")
    if base == "List" and inner in _CHANGES and inner != "Object":
        return [None if v is None else coerce(v, inner, where) for v in found]
    return found


def _number(value: Any) -> float:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value.item()
    raise _Misfit


def _integer(value: Any) -> int:
    number = _number(value)
    if isinstance(number, float) and not math.isfinite(number):
        raise _Misfit
    return int(number)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _Misfit


def _boolean(value: Any) -> bool:
    if isinstance(value, (bool, int, float)):
        return bool(value)
    raise _Misfit


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, np.ndarray) and value.ndim:
        return value.tolist()
    raise _Misfit


def _dictionary(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, (el.Feature, Image)):
        return dict(value.properties)
    raise _Misfit


def constant_band(value: Any, name: str) -> Band:
    """Return a band that has the same number, or array of numbers, everywhere."""
    array = np.asarray(value, dtype=np.float64)
    if isinstance(value, bool):
        kind = BOOLEAN
    elif isinstance(value, int):
        kind = PixelType("int", value, value)
    else:
        kind = PixelType("double", None, None, array.ndim) if array.ndim else DOUBLE

    def read(grid: Any) -> Pixels:
        shape = (*grid.shape, *array.shape)
        return Pixels(np.broadcast_to(array, shape), np.ones(grid.shape, dtype=bool))

    return Band(name, kind, read)


def _image(value: Any) -> Image:
    if isinstance(value, Image):
        return value
    if isinstance(value, (bool, int, float)):
        return Image((constant_band(value, "constant"),))
    if isinstance(value, np.ndarray):
        return Image((constant_band(value, "constant"),))
    raise _Misfit


def _collection(value: Any) -> el.Collection:
    if isinstance(value, el.Collection):
        return value
    if isinstance(value, Geometry):
        return el.Collection((el.Feature(value, {}, "0"),))
    if isinstance(value, (el.Feature, Image)):
        return el.Collection((value,))
    if isinstance(value, list) and all(isinstance(v, (el.Feature, Image)) for v in value):
        return el.Collection(tuple(value))
    raise _Misfit


def _element(value: Any) -> el.Element:
    if isinstance(value, (el.Feature, Image, el.Collection)):
        return value
    if isinstance(value, Geometry):
        return el.Feature(value)
    if isinstance(value, dict) and value.get("type") == "Feature":
        shape = value.get("geometry")
        return el.Feature(from_geojson(shape) if shape else None,
                          value.get("properties") or {}, value.get("id"))
    raise _Misfit


def _geometry(value: Any) -> Geometry:
    if isinstance(value, Geometry):
        return value
    if isinstance(value, (el.Feature, Image)):
        found = el.geometry_of(value)
        if found is None:
            raise EngineError(f"The {type_name(value)} has no geometry.")
        return found
    if isinstance(value, el.Collection):
        return el.collected(value)
    if isinstance(value, dict):
        return from_geojson(value)
    raise _Misfit


def _projection(value: Any) -> Projection:
    if isinstance(value, Projection):
        return value
    if isinstance(value, str):
        parse_crs(value)
        return Projection(value)
    if isinstance(value, dict) and "crs" in value:
        found = Projection(value["crs"], tuple(value.get("transform", (1, 0, 0, 0, 1, 0))))
        parse_crs(found.crs)
        return found
    if isinstance(value, Image):
        return value.first("Projection").projection
    raise _Misfit


def parse_moment(text: str) -> float:
    """Return milliseconds since 1970 of an ISO 8601 date or time; UTC unless it says other.

    Raises
    ------
    EngineError
        It is none; a year or a month alone is one.
    """
    plain = text.strip()
    if re.fullmatch(r"\d{4}(-\d\d)?", plain):
        plain += "-01" if len(plain) == 7 else "-01-01"
    try:
        moment = dt.datetime.fromisoformat(plain)
    except ValueError:
        raise EngineError(f"Date: Bad date/time {text!r}; ISO 8601 is needed, such as 2023-07-09 "
                          "or 2023-07-09T10:00:00.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000


def _date(value: Any) -> el.Date:
    if isinstance(value, el.Date):
        return value
    if isinstance(value, str):
        return el.Date(parse_moment(value))
    if isinstance(value, dict) and value.get("type") == "Date":
        return el.Date(float(value["value"]))
    return el.Date(_number(value))


def _date_range(value: Any) -> el.DateRange:
    if isinstance(value, el.DateRange):
        return value
    raise _Misfit


def _margin(value: Any) -> el.ErrorMargin:
    if isinstance(value, el.ErrorMargin):
        return value
    if isinstance(value, dict):
        return el.ErrorMargin(value.get("value"), value.get("unit", "meters"))
    return el.ErrorMargin(_number(value))


def _array(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, ConfusionMatrix):
        return value.counts
    try:
        found = np.asarray(value)
    except ValueError:
        raise _Misfit from None
    if found.dtype.kind not in "iufb":
        raise _Misfit
    return found


def _filter(value: Any) -> el.Filter:
    if isinstance(value, str):
        return parse_filter(value, "Filter")
    if isinstance(value, el.Filter):
        return value
    raise _Misfit


def _only(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        raise _Misfit
    return check


_CHANGES: dict[str, Callable[[Any], Any]] = {
    "Number": _number, "Float": _number, "Integer": _integer, "Long": _integer,
    "String": _string, "Boolean": _boolean, "List": _list, "Dictionary": _dictionary,
    "Image": _image, "FeatureCollection": _collection, "ImageCollection": _collection,
    "Element": _element, "Feature": _element, "Geometry": _geometry,
    "Projection": _projection, "Date": _date, "DateRange": _date_range, "ErrorMargin": _margin,
    "Array": _array, "Reducer": _only(Reducer), "Filter": _filter,
    "Classifier": _only(Classifier), "Clusterer": _only(Clusterer),
    "ConfusionMatrix": _only(ConfusionMatrix),
    "PixelType": _only(PixelType), "Algorithm": _only(el.Algorithm),
}
