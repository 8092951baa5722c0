"""Registry layers from their public services into a folder that ``read_registries`` reads.

Each layer is one GeoJSON file in degrees with the service's own fields, and beside it
``<layer>.source.json`` with address, time, area, count, attribution and licence. A layer that is
there, recent and of a large enough area is not fetched again; one that cannot be fetched leaves
the older file, and the other layers, as they are. Files of the user's own are never touched.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import requests
import shapely
from pyproj import CRS
from tqdm import tqdm

from lulc_lib.errors import InputError
from lulc_lib.io import written_whole
from lulc_lib.io.http import Client, HostUnreachableError, Policy
from lulc_lib.sites.layer_file import Bounds, find_layer_file, read_layer_file
from lulc_lib.sites.layers import LAYERS, fold
from lulc_lib.sites.registries import Provenance, normalise, provenance_path, read_provenance
from lulc_lib.sites.services import (
    SERVICES,
    Service,
    find_service_layer,
    layer_features,
    osm_quarries,
)

MAX_AGE_DAYS = 30.0
"""A fetched layer older than this is fetched again."""
PATIENCE = Policy(read_timeout=90.0, retries=5, backoff=2.0, total_timeout=600.0)
"""Registries are slow; the total time is that of all requests of one layer."""
ADVICE = "try again later, or put the layer's file into the folder yourself"


class Outcome(NamedTuple):
    """What became of one layer: ``fetched`` now, ``cached`` earlier, the user's own, or failed.

    ``path`` is the layer's file if there is one, be it an older one; ``count`` the features
    fetched; ``reason`` says why it failed, or what there is to note.
    """

    layer: str
    state: Literal["fetched", "cached", "own", "failed"]
    path: Path | None
    count: int | None
    reason: str = ""


def fetch_registries(bounds: Bounds, folder: str | Path, *,
                     services: Mapping[str, Service] = SERVICES,
                     names: Mapping[str, str] | None = None, max_age_days: float = MAX_AGE_DAYS,
                     policy: Policy = PATIENCE, progress: bool = True) -> list[Outcome]:
    """Fetch the registry layers of an area into a folder.

    Parameters
    ----------
    bounds : tuple of float, degrees (WGS 84)
        West, south, east, north.
    folder : str or Path
        Where the files go; made if it is not there.
    services : mapping of str to Service
        Layer to its service.
    names : mapping of str to str, optional
        Layer to its whole name in the service, where
        :func:`lulc_lib.sites.services.find_service_layer` cannot tell which it is.
    max_age_days : float, days
        A layer fetched longer ago is fetched again; 0 fetches all.
    policy : Policy
        Time-outs and retries of one request, and the total time of a layer.
    progress : bool
        Show a bar (layers) on stderr.

    Returns
    -------
    list of Outcome
        One for each layer. :func:`require_layers` turns failures into an error.

    Raises
    ------
    InputError
        Bounds that are no area in degrees, a name for a layer without a service, or a folder
        that cannot be written.
    """
    bounds, names = _check_bounds(bounds), dict(names or {})
    for layer in names.keys() - services.keys():
        raise InputError(f"layer is {layer!r}; one of {', '.join(services)} can be fetched")
    folder = Path(folder)
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made a folder ({error.strerror})") from error
    outcomes, unreachable = [], set()
    with requests.Session() as session:
        for service in tqdm(services.values(), unit="layer", disable=not progress):
            client = Client(service.layer, ADVICE, session, policy)
            name, host = names.get(service.layer), urlsplit(service.url).netloc
            try:
                outcome = _present(service, name, folder, bounds, max_age_days)
                if outcome is None and host in unreachable:
                    raise InputError(client.failure("not tried, as the server cannot be reached",
                                                    service.url))
                outcome = outcome or _fetch(service, name, bounds, folder, client)
            except InputError as error:
                if isinstance(error, HostUnreachableError):
                    unreachable.add(host)
                outcome = _failed(service.layer, folder, str(error))
            outcomes.append(outcome)
    if made and not any(folder.iterdir()):
        folder.rmdir()
    return outcomes


def require_layers(outcomes: Sequence[Outcome]) -> None:
    """Accept outcomes without a failure.

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


def _present(service: Service, name: str | None, folder: Path, bounds: Bounds,
             max_age_days: float) -> Outcome | None:
    """Return the outcome for a layer that need not, or must not, be fetched; else None."""
    path = find_layer_file(folder, LAYERS[service.layer], lambda _: None)
    if path is None:
        return None
    fetched = read_provenance(path)
    if fetched is None:
        return Outcome(service.layer, "own", path, None,
                       f"{path.name} is not, or no longer, what was fetched; remove it to fetch")
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(fetched.fetched)
    same = (fetched.url.startswith(service.url)
            and (name is None or fold(name) == fold(fetched.layer)))
    recent = age <= dt.timedelta(days=max_age_days)
    if same and recent and shapely.box(*fetched.bounds).covers(shapely.box(*bounds)):
        return Outcome(service.layer, "cached", path, fetched.count, f"of {fetched.fetched[:10]}")
    return None


def _failed(layer: str, folder: Path, reason: str) -> Outcome:
    """Return the outcome of a failure, which says whether there is an older file."""
    older = folder / f"{layer}.geojson"
    if not older.is_file():
        return Outcome(layer, "failed", None, None, reason)
    return Outcome(layer, "failed", older, None, f"{reason}. The older {older.name} is kept")


def _fetch(service: Service, name: str | None, bounds: Bounds, folder: Path, client: Client
           ) -> Outcome:
    """Fetch one layer and write its two files."""
    notes: list[str] = []
    if service.words:
        layer = find_service_layer(client, service.url, service.words, name)
        features = layer_features(client, layer, bounds)
        url, called = layer.url, layer.name
        if layer.copyright:
            notes.append(f"copyright text of the service: {layer.copyright}")
    else:
        url, called = service.url, "landuse=quarry"
        features = osm_quarries(client, url, bounds, notes.append)
    body = json.dumps({"type": "FeatureCollection", "features": features},
                      ensure_ascii=False, separators=(",", ":")).encode()
    provenance = Provenance(
        url, called, bounds, dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), len(features),
        service.attribution, service.licence, hashlib.sha256(body).hexdigest(), tuple(notes))
    path = folder / f"{service.layer}.geojson"
    _write(path, body, provenance)
    return Outcome(service.layer, "fetched", path, len(features), "; ".join(notes))


def _write(path: Path, body: bytes, provenance: Provenance) -> None:
    """Write the layer and where it comes from, once it has proved to be readable."""
    with written_whole(path) as new, written_whole(provenance_path(path)) as beside:
        new.write_bytes(body)
        beside.write_text(provenance.text(), encoding="utf-8")
        if provenance.count:
            degrees = CRS.from_epsg(4326)
            table = read_layer_file(new, degrees, None, lambda _: None)
            normalise(table, LAYERS[path.stem], f"what {provenance.url} sends", degrees,
                      lambda _: None)
