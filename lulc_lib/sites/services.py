"""Registry layers from their public services into a folder that ``read_registries`` reads.

Each layer is one GeoJSON file in degrees with the service's own fields, and beside it
``<layer>.source.json`` with address, time, area, count, attribution and licence. A layer that is
there, recent and of a large enough area is not fetched again; one that cannot be fetched leaves
the older file, and the other layers, as they are. Files of the user's own are never touched.

Source: service addresses as documented by the Polish Geological Institute (MIDAS), the European
Environment Agency (CORINE) and OpenStreetMap (Overpass API).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import requests
import shapely
from pyproj import CRS
from tqdm import tqdm

from lulc_lib.data.transfer import HostUnreachableError, Policy
from lulc_lib.errors import InputError
from lulc_lib.sites.arcgis import features, find_layer
from lulc_lib.sites.layer_file import Bounds, find_file, read_file
from lulc_lib.sites.layers import LAYERS, fold
from lulc_lib.sites.normalise import normalise
from lulc_lib.sites.overpass import quarries
from lulc_lib.sites.provenance import Provenance, provenance_path, read_provenance
from lulc_lib.sites.web import PATIENCE, TOTAL_TIMEOUT, Asker

MAX_AGE_DAYS = 30.0
"""A fetched layer older than this is fetched again."""


@dataclass(frozen=True)
class Service:
    """Where a layer is served, under which name, and on what terms.

    ``words``: the layer's name there holds all words of one of the groups (ArcGIS; without
    diacritics); empty for Overpass.
    """

    layer: str
    url: str
    attribution: str
    licence: str
    words: tuple[tuple[str, ...], ...] = ()


_MIDAS = {
    "url": "https://cbdgmapa.pgi.gov.pl/arcgis/rest/services/midas/MapServer",
    "attribution": "Polish Geological Institute – National Research Institute (PIG-PIB), MIDAS",
    "licence": "Public information, re-usable with the source named; geometry is indicative and "
               "approximate, only the source documents have legal force",
}

SERVICES: dict[str, Service] = {
    service.layer: service
    for service in (
        Service("deposits", **_MIDAS, words=(("zloz",),)),
        Service("mining_areas", **_MIDAS, words=(("obszar", "gornicz"),)),
        Service("mining_terrains", **_MIDAS, words=(("teren", "gornicz"),)),
        Service("corine",
                "https://image.discomap.eea.europa.eu/arcgis/rest/services/Corine/CLC2018_WM/"
                "MapServer",
                "European Union, Copernicus Land Monitoring Service 2018, European Environment "
                "Agency (EEA)",
                "Copernicus data policy: full, open and free access, with the source named",
                words=(("corine",), ("clc",))),
        Service("osm_quarries", "https://overpass-api.de/api/interpreter",
                "© OpenStreetMap contributors", "Open Data Commons Open Database License (ODbL)"),
    )
}
"""Layers that have a service. Monitoring points have none: bring them as a file."""


class Outcome(NamedTuple):
    """What became of one layer: ``fetched`` now, ``cached`` earlier, the user's ``own`` file, or
    ``failed``, with the reason. ``path`` is the layer's file if there is one, be it an older one;
    ``count`` the features fetched."""

    layer: str
    state: Literal["fetched", "cached", "own", "failed"]
    path: Path | None
    count: int | None
    reason: str = ""


def fetch_registries(
    bounds: Bounds,
    folder: str | Path,
    *,
    services: Mapping[str, Service] = SERVICES,
    names: Mapping[str, str] | None = None,
    max_age_days: float = MAX_AGE_DAYS,
    policy: Policy = PATIENCE,
    total_timeout: float = TOTAL_TIMEOUT,
    progress: bool = True,
) -> list[Outcome]:
    """Fetch the registry layers of an area into a folder.

    Parameters
    ----------
    bounds : (west, south, east, north) in degrees, WGS 84.
    folder : where the files go; made if it is not there.
    services : layer to its service.
    names : layer to its whole name in the service, where :func:`lulc_lib.sites.arcgis.find_layer`
        cannot tell which it is.
    max_age_days : a layer fetched longer ago is fetched again; 0 fetches all.
    policy : time-outs and retries of one request.
    total_timeout : seconds for all requests of one layer.
    progress : show a bar (layers) on stderr.

    Returns
    -------
    One :class:`Outcome` a layer. :func:`require_layers` turns failures into an error.

    Raises
    ------
    InputError
        Bounds that are no area in degrees, a name for a layer without a service, or a folder
        that cannot be written.
    """
    bounds, names = _check_bounds(bounds), dict(names or {})
    for layer in names.keys() - services.keys():
        raise InputError(f"layer is {layer!r}; one of {', '.join(services)} can be fetched")
    folder = _make_folder(Path(folder))
    unreachable: dict[str, str] = {}
    outcomes = []
    with requests.Session() as session:
        for service in tqdm(services.values(), unit="layer", disable=not progress):
            ask = Asker(service.layer, session, policy, total_timeout)
            try:
                name = names.get(service.layer)
                outcome = _present(service, name, folder, bounds, max_age_days)
                if outcome is None:
                    host = urlsplit(service.url).netloc
                    if host in unreachable:
                        raise ask.failure(unreachable[host], service.url)
                    outcome = _fetch(service, name, bounds, folder, ask)
            except InputError as error:
                if isinstance(error, HostUnreachableError):
                    unreachable[urlsplit(service.url).netloc] = (
                        "not tried, as the server cannot be reached")
                outcome = _failed(service.layer, folder, str(error))
            outcomes.append(outcome)
    return outcomes


def require_layers(outcomes: Sequence[Outcome]) -> None:
    """Do nothing if no layer failed.

    Raises
    ------
    InputError
        One line: which layers failed, and why the first did.
    """
    failed = [o for o in outcomes if o.state == "failed"]
    if failed:
        raise InputError(f"{len(failed)} of {len(outcomes)} layers could not be fetched: "
                         f"{', '.join(o.layer for o in failed)}. First: {failed[0].reason}")


def _check_bounds(bounds: Bounds) -> Bounds:
    values = tuple(float(b) for b in bounds)
    if len(values) != 4 or not all(map(math.isfinite, values)) or not (
            -180 <= values[0] < values[2] <= 180 and -90 <= values[1] < values[3] <= 90):
        raise InputError(f"bounds are {', '.join(f'{v:g}' for v in values)}; they must be west, "
                         "south, east, north in degrees, west < east and south < north")
    return values


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made a folder ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: may not be written to")
    return folder


def _present(service: Service, name: str | None, folder: Path, bounds: Bounds,
             max_age_days: float) -> Outcome | None:
    """The outcome for a layer that need not, or must not, be fetched; else None."""
    path = find_file(folder, LAYERS[service.layer], lambda _: None)
    if path is None:
        return None
    known = read_provenance(path)
    if known is None:
        return Outcome(service.layer, "own", path, None,
                       f"{path.name} is not, or no longer, what was fetched; remove it to fetch")
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(known.fetched)
    same = known.url.startswith(service.url) and (name is None or fold(name) == fold(known.layer))
    recent = age <= dt.timedelta(days=max_age_days)
    if same and recent and shapely.box(*known.bounds).covers(shapely.box(*bounds)):
        return Outcome(service.layer, "cached", path, known.count, f"of {known.fetched[:10]}")
    return None


def _failed(layer: str, folder: Path, reason: str) -> Outcome:
    """The outcome of a failure, which says whether there is an older file."""
    older = folder / f"{layer}.geojson"
    if not older.is_file():
        return Outcome(layer, "failed", None, None, reason)
    return Outcome(layer, "failed", older, None, f"{reason}. The older {older.name} is kept")


def _fetch(service: Service, name: str | None, bounds: Bounds, folder: Path, ask: Asker
           ) -> Outcome:
    """Fetch one layer and write its two files."""
    notes: list[str] = []
    if service.words:
        layer = find_layer(ask, service.url, service.words, name)
        found = features(ask, layer, bounds)
        url, called = layer.url, layer.name
        if layer.copyright:
            notes.append(f"copyright text of the service: {layer.copyright}")
    else:
        url, called = service.url, "landuse=quarry"
        found = quarries(ask, url, bounds, notes.append)
    body = json.dumps({"type": "FeatureCollection", "features": found},
                      ensure_ascii=False, separators=(",", ":")).encode()
    known = Provenance(
        url, called, bounds, dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        len(found), service.attribution, service.licence, hashlib.sha256(body).hexdigest(),
        tuple(notes))
    path = folder / f"{service.layer}.geojson"
    _write(path, body, known)
    return Outcome(service.layer, "fetched", path, len(found), "; ".join(notes))


def _write(path: Path, body: bytes, known: Provenance) -> None:
    """Write the layer and what is known about it, once it has proved to be readable."""
    layer = LAYERS[path.stem]
    new = path.with_name(f".{path.stem}.{os.getpid()}.geojson")
    beside = provenance_path(new)
    try:
        new.write_bytes(body)
        beside.write_text(known.text(), encoding="utf-8")
        if known.count:
            degrees = CRS.from_epsg(4326)
            table = read_file(new, layer, degrees, None, lambda _: None)
            normalise(table, layer, f"what {known.url} sends", degrees, lambda _: None)
        os.replace(beside, provenance_path(path))
        os.replace(new, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name a folder you may "
                         "write to, with enough space") from error
    finally:
        new.unlink(missing_ok=True)
        beside.unlink(missing_ok=True)
