"""The six registry layers: their names, geometry, and what each service calls its fields.

Source: field names of the MIDAS service (Polish Geological Institute), of CORINE Land Cover (EEA)
and of OpenStreetMap, and what shapefiles make of them (the first ten characters).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

SHAPEFILE_WIDTH = 10
"""Characters of a field name that a shapefile keeps."""

_NAME = ("name", "nazwa")
_CORINE_YEARS = ("24", "18", "12", "06", "00", "90")


@dataclass(frozen=True)
class Layer:
    """One registry layer.

    ``name`` is also the file's name without its suffix; ``fields`` maps a column of ours to the
    services' names for it, best first; ``dates`` are the columns that hold dates; ``required`` are
    columns without which the layer says nothing.
    """

    name: str
    geometry: Literal["Polygon", "Point"]
    fields: Mapping[str, tuple[str, ...]]
    dates: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = (".gpkg", ".geojson", ".shp")

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table that is read, without the geometry."""
        return (*self.fields, "source")


_VALIDITY = {
    "valid_from": ("data_ustanowienia", "data_ust", "data_od", "valid_from"),
    "valid_to": ("data_waznosci", "data_waz", "data_do", "valid_to"),
    "status": ("status", "stan"),
}
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
              dates=("date",), suffixes=(".gpkg", ".geojson", ".shp", ".csv")),
    )
}


CURRENT = ("aktualn", "obowiazuj", "czynn", "wazn", "active", "valid", "current")
"""How a status begins (without diacritics) that says that an area is in force."""


def is_current(status: str | None) -> bool:
    """Whether a status says that an area is in force; no status says nothing against it.

    >>> is_current("aktualny"), is_current("zniesiony"), is_current(None)
    (True, False, True)
    """
    return status is None or fold(status).startswith(CURRENT)


def fold(text: str) -> str:
    """Lower case without diacritics, for comparing names.

    >>> fold(" Złoża - OBSZARY Górnicze ")
    'zloza - obszary gornicze'
    """
    plain = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L"))
    return "".join(c for c in plain if not unicodedata.combining(c)).strip().casefold()


def find_column(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """The first column that is called by one of ``names``, in the order of ``names``; else None.

    Case and diacritics do not count; a name cut to ten characters by a shapefile is known.

    >>> find_column(["ID", "DATA_WAZNO"], ["data_waznosci"])
    'DATA_WAZNO'
    """
    by_name = {fold(str(column)): column for column in reversed(list(columns))}
    for name in names:
        for wanted in (name, name[:SHAPEFILE_WIDTH]):
            if wanted in by_name:
                return by_name[wanted]
    return None
