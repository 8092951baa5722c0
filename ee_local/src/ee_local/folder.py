"""A folder of GeoTIFFs as a catalogue: dates and properties from tags, sidecars and file names.

Every folder that holds GeoTIFFs is an image collection: FOLDER itself under the collection's id,
its subfolder ``sub`` under ``id/sub``. An image's id is that of its collection, a slash, and the
file's name without its ending.

What is known of an image comes, the later over the earlier, from

1. the file's name: a date ``20230709`` or ``2023-07-09``, or a time ``20230709T100031`` (UTC);
2. the file's tags, without those of the TIFF format itself; times in :data:`TIMES`;
3. its row in ``properties.csv`` of the same folder, by the file's name in the column ``file``;
4. ``NAME.json`` beside ``NAME.tif``: ``{"properties": {…}}``, as in a STAC item, or the
   properties alone.

A STAC item's ``eo:cloud_cover`` also becomes Earth Engine's ``CLOUDY_PIXEL_PERCENTAGE``, and its
``s2:water_percentage`` and the like ``WATER_PERCENTAGE``, unless another value is given.

A date without a time gives ``system:time_start`` and ``system:time_end``, the first and the last
millisecond of the day in UTC.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ee_local.catalogue import Catalogue
from ee_local.coerce import parse_moment
from ee_local.errors import EngineError, InputError
from ee_local.geotiffs import RASTERS, raster_image, read_tags

DAY = 86_400_000
"""Milliseconds."""

START, END = "system:time_start", "system:time_end"
TIMES = (START, "datetime", "date", "ACQUISITIONDATETIME", "ACQUISITION_DATE", "DATE_ACQUIRED")
"""Tags and properties that tell when an image was taken, the first that is there counts: ISO 8601
text, or milliseconds since 1970 in ``system:time_start``."""

TABLE = "properties.csv"
NAMED_DATE = re.compile(r"(?<!\d)(\d{4})(-?)(\d\d)\2(\d\d)(?:T(\d\d)(\d\d)(\d\d))?(?!\d)")
FORMAT_TAGS = ("AREA_OR_POINT", "TIFFTAG_", "OVR_RESAMPLING_ALG")
"""Beginnings of the names of tags that say nothing of the scene."""


def read_folder(folder: Path | str, collection: str | None = None) -> Catalogue:
    """Read what a folder of GeoTIFFs holds; pixels are read when they are asked for.

    Parameters
    ----------
    folder : Path or str
        Searched with its subfolders for ``.tif`` and ``.tiff``.
    collection : str
        Asset id of its image collection; None: the folder's name.

    Raises
    ------
    InputError
        No such folder, no GeoTIFF in it, two files of one name, a file that cannot be used, or a
        sidecar that cannot be read; the message names the file and the rule.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; it must hold GeoTIFFs")
    root = asset_name(folder.resolve().name) if collection is None else collection.strip("/")
    if not re.fullmatch(r"[\w\-]+(/[\w\-]+)*", root):
        raise InputError(f"collection is {collection!r}; it must be letters, digits, _ and -, with "
                         "slashes in between, such as MY/SCENES")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in RASTERS and p.is_file())
    if not files:
        raise InputError(f"{folder}: there is no GeoTIFF in it (.tif or .tiff)")
    tables = {place: read_table(place / TABLE) for place in sorted({p.parent for p in files})}
    images, seen = [], {}
    for path in files:
        inside = [asset_name(part) for part in path.relative_to(folder).parent.parts]
        identifier = "/".join([root, *inside, asset_name(path.stem)])
        if identifier in seen:
            raise InputError(f"{path}: has the asset id {identifier}, as {seen[identifier]} has; "
                             "rename one of them")
        seen[identifier] = path
        images.append(raster_image(path, identifier, read_properties(path, tables[path.parent])))
    for table in tables.values():
        table.check_all_used()
    return Catalogue(images)


def asset_name(text: str) -> str:
    """Return a name as a part of an asset id: letters, digits, _ and -.

    >>> asset_name("S2 July (1).v2")
    'S2_July_1_v2'
    """
    return re.sub(r"[^\w\-]+", "_", text).strip("_") or "image"


class Table:
    """The rows of a folder's ``properties.csv``, by file name.

    Parameters
    ----------
    path : Path
        The CSV file.
    rows : dict
        File name without its ending to properties.
    """

    def __init__(self, path: Path, rows: dict[str, dict[str, Any]]) -> None:
        self._path, self._rows, self._used = path, rows, set()

    def row(self, path: Path) -> dict[str, Any]:
        """Return the properties of a file; none if it has no row."""
        self._used.add(path.stem)
        return self._rows.get(path.stem, {})

    def check_all_used(self) -> None:
        """Raise InputError if a row belongs to no file."""
        lost = sorted(self._rows.keys() - self._used)
        if lost:
            raise InputError(f"{self._path}: there is no GeoTIFF {lost[0]!r} in its folder; the "
                             "column file must hold names of files beside it")


def read_table(path: Path) -> Table:
    """Read a folder's ``properties.csv``, if it is there.

    Raises
    ------
    InputError
        It cannot be read, has no column ``file``, or names a file twice.
    """
    if not path.is_file():
        return Table(path, {})
    try:
        with path.open(newline="", encoding="utf-8-sig") as source:
            reader = csv.DictReader(source, strict=True)
            lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from None
    if "file" not in (reader.fieldnames or []):
        raise InputError(f"{path}: has no column 'file' with the names of the GeoTIFFs; its "
                         f"columns are {', '.join(reader.fieldnames or ['none'])}")
    rows: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(lines, start=2):
        if None in line or None in line.values():
            raise InputError(f"{path}: line {number} has not as many cells as the header")
        stem = re.sub(r"\.tiff?$", "", line.pop("file").strip(), flags=re.IGNORECASE)
        if stem in rows:
            raise InputError(f"{path}: line {number} names {stem!r} a second time")
        rows[stem] = {k: _value(v) for k, v in line.items() if v != ""}
    return Table(path, rows)


def read_properties(path: Path, table: Table) -> dict[str, Any]:
    """Return the properties of a GeoTIFF from its name, tags, row and sidecar.

    Raises
    ------
    InputError
        A sidecar cannot be read, or a value is no property or no time.
    """
    sidecar = path.with_suffix(".json")
    sources = ((path, _tags(path)), (path.parent / TABLE, table.row(path)),
               (sidecar, _sidecar(sidecar)))
    properties = dict(named_times(path.stem))
    for source, given in sources:
        properties |= {k: _checked(v, k, source) for k, v in given.items() if v is not None}
        properties |= _times(given, source)
    return _named_as_in_earth_engine(properties) | properties


def _named_as_in_earth_engine(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what STAC's properties of Sentinel-2 are called in Earth Engine."""
    found = {k.removeprefix("s2:").upper(): v for k, v in properties.items()
             if k.startswith("s2:")}
    if "eo:cloud_cover" in properties:
        found["CLOUDY_PIXEL_PERCENTAGE"] = properties["eo:cloud_cover"]
    return found


def named_times(stem: str) -> dict[str, int]:
    """Return the times that the first date in a file's name gives; none without a date.

    >>> named_times("S2A_20230709T100031_T33UWS")["system:time_start"]
    1688896831000
    >>> named_times("scene 12345678")
    {}
    """
    for year, _, month, day, *clock in (m.groups() for m in NAMED_DATE.finditer(stem)):
        try:
            date = dt.datetime(int(year), int(month), int(day), tzinfo=dt.UTC)
            time = date.replace(hour=int(clock[0]), minute=int(clock[1]), second=int(clock[2])) \
                if clock[0] else None
        except ValueError:
            continue
        if 1900 <= date.year <= 2100:
            return _span(round((time or date).timestamp() * 1000), whole_day=time is None)
    return {}


def _span(start: int, whole_day: bool) -> dict[str, int]:
    return {START: start, END: start + DAY - 1 if whole_day else start}


def _times(given: Mapping[str, Any], source: Path) -> dict[str, int]:
    """Return the times that tags or properties tell, in milliseconds."""
    name = next((n for n in TIMES if given.get(n) not in (None, "")), None)
    if name is None:
        return {}
    times = _span(*_moment(given[name], name, source))
    if given.get(END) not in (None, ""):
        times[END] = _moment(given[END], END, source)[0]
    return times


def _moment(value: Any, name: str, source: Path) -> tuple[int, bool]:
    """Return milliseconds, and whether only the day is known."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if name in (START, END):
                return round(value), False
            value = f"{value}"  # 20230709 in a table
        text = str(value).strip()
        plain = re.fullmatch(NAMED_DATE, text)
        return round(parse_moment(text)), bool(plain and not plain[5]) or len(text) == 10
    except (EngineError, ValueError, OverflowError):
        raise InputError(f"{source}: {name} is {value!r}; it must be an ISO 8601 date or time, "
                         "such as 2023-07-09 or 2023-07-09T10:00:31, or in system:time_start "
                         "milliseconds since 1970") from None


def _tags(path: Path) -> dict[str, Any]:
    return {k: _value(v) for k, v in read_tags(path).items() if not k.startswith(FORMAT_TAGS)}


def _sidecar(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from None
    properties = content.get("properties", content) if isinstance(content, dict) else None
    if not isinstance(properties, dict):
        raise InputError(f'{path}: must be an object {{"properties": {{…}}}}, or the properties '
                         "alone")
    if "stac_version" in content:  # an item of a catalogue, which may tell of more than the scene
        return {k: v for k, v in properties.items() if not isinstance(v, dict)}
    return properties


def _value(text: str) -> int | float | str:
    """Return the number that a text is, or the text; a code with leading zeros stays text."""
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})", text):
        return int(text)
    if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", text):
        return float(text)
    return text


def _checked(value: Any, name: str, source: Path) -> Any:
    """Return a value that a property can have; InputError if it is none."""
    items = value if isinstance(value, list) else [value]
    plain = all(isinstance(v, (str, int, float)) for v in items)
    if not plain or any(isinstance(v, float) and not math.isfinite(v) for v in items):
        raise InputError(f"{source}: the property {name!r} is {str(value)[:60]!r}; it must be a "
                         "number, a text, or a list of them")
    return value
