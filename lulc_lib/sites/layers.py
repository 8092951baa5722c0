"""The six registry layers: names, geometry, fields, and how services write names and dates.

Source: field names of the MIDAS service (Polish Geological Institute), of CORINE Land Cover (EEA)
and of OpenStreetMap, and what shapefiles make of them (the first ten characters).
"""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

SHAPEFILE_WIDTH = 10
"""Characters of a field name that a shapefile keeps."""

_NAME = ("name", "nazwa")
_CORINE_YEARS = ("24", "18", "12", "06", "00", "90")


@dataclass(frozen=True)
class Layer:
    """One registry layer."""

    name: str  # also the file's name without its suffix
    geometry: Literal["Polygon", "Point"]
    fields: Mapping[str, tuple[str, ...]]  # column of ours to the services' names, best first
    dates: tuple[str, ...] = ()  # columns that hold dates
    required: tuple[str, ...] = ()  # columns without which the layer says nothing
    suffixes: tuple[str, ...] = (".gpkg", ".geojson", ".shp")

    @property
    def columns(self) -> tuple[str, ...]:
        """Name the columns of the table that is read, without the geometry."""
        return (*self.fields, "source")


_VALIDITY = {
    "valid_from": ("data_ustanowienia", "data_ust", "data_od", "valid_from"),
    "valid_to": ("data_waznosci", "data_waz", "data_do", "valid_to"),
    "status": ("status", "stan")}
_MINERAL = ("kopalina", "kopalina_g", "kopalina_glowna", "rodzaj_kopaliny", "mineral")

LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        Layer("deposits", "Polygon",
              {"name": ("nazwa_zloza", "nazwa_zl", *_NAME), "mineral": _MINERAL}),
        Layer("mining_areas", "Polygon",
              {"name": ("nazwa_og", "nazwa_obszaru", *_NAME, "nazwa_zloza"), **_VALIDITY},
              dates=("valid_from", "valid_to")),
        Layer("mining_terrains", "Polygon",
              {"name": ("nazwa_tg", "nazwa_terenu", "nazwa_og", *_NAME, "nazwa_zloza"),
               **_VALIDITY},
              dates=("valid_from", "valid_to")),
        Layer("corine", "Polygon",
              {"name": _NAME,
               "code": (*(f"code_{y}" for y in _CORINE_YEARS), *(f"code{y}" for y in _CORINE_YEARS),
                        "clc_code", "code", "kod")},
              required=("code",)),
        Layer("osm_quarries", "Polygon", {"name": ("name", "name:pl", "nazwa")}),
        Layer("monitoring_points", "Point",
              {"name": (*_NAME, "nazwa_zloza", "miejscowosc"),
               "date": ("date", "data", "data_kontroli", "data_obserwacji"),
               "category": ("category", "kategoria")},
              dates=("date",), suffixes=(".gpkg", ".geojson", ".shp", ".csv")))}


CURRENT = ("aktualn", "obowiazuj", "czynn", "wazn", "active", "valid", "current")
"""How a status begins (without diacritics) that says that an area is in force."""


def is_current(status: str | None) -> bool:
    """Tell whether a status says that an area is in force; no status says nothing against it.

    >>> is_current("aktualny"), is_current("zniesiony"), is_current(None)
    (True, False, True)
    """
    return status is None or fold(status).startswith(CURRENT)


def fold(text: str) -> str:
    """Write in lower case without diacritics, for comparing names.

    >>> fold(" Złoża - OBSZARY Górnicze ")
    'zloza - obszary gornicze'
    """
    plain = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L"))
    return "".join(c for c in plain if not unicodedata.combining(c)).strip().casefold()


def find_column(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """Return the first column that has one of ``names``, in their order; None if there is none.

    Case and diacritics do not count; a name may be cut to ten characters, as in a shapefile.

    >>> find_column(["ID", "DATA_WAZNO"], ["data_waznosci"])
    'DATA_WAZNO'
    """
    by_name = {fold(str(column)): column for column in reversed(list(columns))}
    for name in names:
        for wanted in (name, name[:SHAPEFILE_WIDTH]):
            if wanted in by_name:
                return by_name[wanted]
    return None


Kind = Literal["day", "open", "empty", "unreadable"]

OPEN_WORDS = ("bezterminow", "nieokreslon", "nieoznaczon", "do odwolania", "indefinite")
"""Words (without diacritics) that say that there is no end."""

EMPTY_WORDS = ("", "-", "--", "brak", "brak danych", "b/d", "bd", "n/d", "null", "<null>", "none",
               "nan", "nat", "n/a")

YEARS = range(1700, 10_000)
_WARSAW = ZoneInfo("Europe/Warsaw")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000

_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y")


class Parsed(NamedTuple):
    """A day, or None and why: ``open`` (no end is stated), ``empty``, ``unreadable``."""

    day: dt.date | None
    kind: Kind


def parse_date(value: object) -> Parsed:
    """Read the day that a registry's value means.

    Understood are DD/MM/YYYY, DD.MM.YYYY and DD-MM-YYYY (with a time or the Polish ``r.`` behind),
    YYYY-MM-DD, YYYY/MM/DD and YYYYMMDD, ISO 8601 with time and zone, epoch milliseconds (numbers
    or digits, also before 1970), and date types. The day comes before the month where both orders
    are possible, and nothing is guessed: two-digit years, bare years and month-first dates are
    unreadable. A moment in time that is midnight in Poland is that Polish day (services store
    it as 22:00 or 23:00 UTC of the day before); any other moment is its UTC day.

    >>> parse_date("31.12.2028 r.").day, parse_date("Bezterminowo").kind
    (datetime.date(2028, 12, 31), 'open')
    >>> parse_date(1735599600000).day, parse_date("12/31/2028").kind
    (datetime.date(2024, 12, 31), 'unreadable')
    """
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return Parsed(None, "empty")
    if isinstance(value, np.datetime64):
        value = None if np.isnat(value) else value.astype("datetime64[us]").item()
        return parse_date(value)
    if isinstance(value, dt.datetime):
        return _from_moment(value)
    if isinstance(value, dt.date):
        return Parsed(value, "day")
    if isinstance(value, bool | np.bool_):
        return Parsed(None, "unreadable")
    if isinstance(value, int | float | np.number):
        return _from_number(value)
    return _from_text(str(value).strip())


def _from_moment(value: dt.datetime) -> Parsed:
    """Take the Polish day if the moment is midnight in Poland, else the UTC (or naive) day."""
    if value.tzinfo is None:
        return _in_range(value.date())
    polish = value.astimezone(_WARSAW)
    if polish.timetz().replace(tzinfo=None) == dt.time(0):
        return _in_range(polish.date())
    return _in_range(value.astimezone(dt.UTC).date())


def _in_range(day: dt.date) -> Parsed:
    return Parsed(day, "day") if day.year in YEARS else Parsed(None, "unreadable")


def _from_number(value: float) -> Parsed:
    """Read digits as YYYYMMDD if they are such a day, else as milliseconds since 1970 (UTC)."""
    if not math.isfinite(value) or value != int(value):
        return Parsed(None, "unreadable")
    number = int(value)
    compact = _day(str(number), ("%Y%m%d",)) if len(str(number)) == 8 else None
    if compact and compact.year in YEARS:
        return Parsed(compact, "day")
    if abs(number) < _DAY_MS and number % _HOUR_MS:
        return Parsed(None, "unreadable")  # a year or a running number, not a moment in 1970
    try:
        return _from_moment(_EPOCH + dt.timedelta(milliseconds=number))
    except OverflowError:
        return Parsed(None, "unreadable")


def _from_text(text: str) -> Parsed:
    plain = fold(text)
    if plain in EMPTY_WORDS:
        return Parsed(None, "empty")
    if any(word in plain for word in OPEN_WORDS):
        return Parsed(None, "open")
    if re.fullmatch(r"-?\d+(\.0+)?", text):
        return _from_number(float(text))
    words = re.sub(r"\s*(R\.?|ROKU)$", "", text.upper()).replace("T", " ").split()
    day, time = _day(words[0], _FORMS) if words else None, "".join(words[1:])
    if day is None or day.year not in YEARS or (time and ":" not in time):
        return Parsed(None, "unreadable")
    try:
        clock = dt.time.fromisoformat(re.sub(r"^(\d:)", r"0\1", time or "0:00"))
        return _from_moment(dt.datetime.combine(day, clock))
    except ValueError:
        return Parsed(None, "unreadable")


def _day(text: str, forms: Iterable[str]) -> dt.date | None:
    for form in forms:
        try:
            return dt.datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None
