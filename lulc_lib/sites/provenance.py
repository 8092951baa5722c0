"""Where a fetched layer comes from: a small JSON file beside it, bound to it by its sha256."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lulc_lib.errors import InputError


@dataclass(frozen=True)
class Provenance:
    """How a layer's file came about.

    ``url`` is the address that was asked, ``layer`` the layer's own name there, ``bounds`` (west,
    south, east, north) in degrees the area asked for, ``fetched`` the time in UTC (ISO 8601),
    ``count`` the features received, ``sha256`` that of the file.
    """

    url: str
    layer: str
    bounds: tuple[float, float, float, float]
    fetched: str
    count: int
    attribution: str
    licence: str
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Attribution and day, for tables and captions."""
        return f"{self.attribution}, fetched {self.fetched[:10]}"

    def text(self) -> str:
        """The content of the JSON file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def provenance_path(path: Path) -> Path:
    """The JSON file that belongs to a layer's file.

    >>> provenance_path(Path("deposits.geojson")).name
    'deposits.source.json'
    """
    return path.with_name(f"{path.stem}.source.json")


def read_provenance(path: Path) -> Provenance | None:
    """What is known about a layer's file; None if nothing is, or the file is no longer the one
    that was fetched.

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
        known = Provenance(**{**stored, "bounds": tuple(map(float, stored["bounds"])),
                              "notes": tuple(stored.get("notes", ()))})
        if len(known.bounds) != 4 or dt.datetime.fromisoformat(known.fetched).tzinfo is None:
            raise ValueError("bounds must be four numbers, fetched a time with its zone")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{beside}: cannot be read ({error}); remove it") from error
    return known if found == known.sha256 else None
