"""Fetch a Sentinel-2 L2A scene of any place from a public STAC catalogue.

The file has a 10 m grid and untouched DN; the scene reader applies the offset in its tags.
Source: documentation of Earth Search (Element 84), Planetary Computer (Microsoft) and the
Copernicus Data Space Ecosystem (CDSE); STAC raster, eo, grid and processing extensions.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pystac
import rasterio
import rasterio.errors
import requests
from pystac_client import Client as StacClient
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from rasterio.warp import transform_bounds
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry
from tqdm import tqdm

from lulc_lib import paths
from lulc_lib.data.bands import BANDS, SCL
from lulc_lib.data.catalogue import SITES, find_site
from lulc_lib.data.grids import Grid, snapped
from lulc_lib.data.products import item_offset, item_product, processing_baseline
from lulc_lib.data.scenes import Scene, windows
from lulc_lib.errors import InputError, check_choice
from lulc_lib.io import written_whole
from lulc_lib.io.http import Client, Policy, trouble, without_secrets

NEAR_DAYS = 30
"""How far around a date without an item to look for others, in days."""

LARGEST_DEGREES = 2.0
"""Longest side of a box: a scene is one tile of 110 km."""

PATIENCE = Policy(retries=3, backoff=0.5)

LICENCE = ("Copernicus Sentinel data: free, full and open access, Regulation (EU) No 1159/2013 "
           "(sentinels.copernicus.eu, Legal notice on the use of Copernicus Sentinel Data)")

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Service:
    """One STAC service: where it is, and its Sentinel-2 L2A collection."""

    name: str
    url: str
    collection: str
    signed: bool = False
    gdal: tuple[tuple[str, str], ...] = ()


SERVICES: dict[str, Service] = {
    s.name: s for s in (
        Service("earth-search", "https://earth-search.aws.element84.com/v1", "sentinel-2-l2a"),
        Service("planetary-computer", "https://planetarycomputer.microsoft.com/api/stac/v1",
                "sentinel-2-l2a", signed=True),
        Service("cdse", "https://stac.dataspace.copernicus.eu/v1", "sentinel-2-l2a",
                gdal=(("AWS_S3_ENDPOINT", "eodata.dataspace.copernicus.eu"),
                      ("AWS_VIRTUAL_HOSTING", "FALSE"))))}


class Place(NamedTuple):
    """What to fetch: outline in degrees (WGS 84), and tile and grid where it is a study site."""

    name: str
    outline: BaseGeometry
    tile: str = ""
    grid: Grid | None = None


def find_place(text: str) -> Place:
    """Return a study site by name, or the box W,S,E,N in degrees.

    Raises
    ------
    InputError
        Neither, or a box that is none or larger than a tile.
    """
    if text in SITES or "," not in text:
        site = find_site(text)
        grid = Grid(rasterio.CRS.from_epsg(site.epsg), rasterio.Affine(*site.transform), site.shape)
        bounds = transform_bounds(grid.crs, "EPSG:4326", *site.bounds)
        return Place(site.name, box(*bounds), site.mgrs_tile, grid)
    rule = "it must be west,south,east,north in degrees, such as 16.2,50.9,16.4,51.0"
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"the box is {text!r}; {rule}") from None
    if not (-180 <= west < east <= 180 and -84 <= south < north <= 84):
        raise InputError(f"the box is {text!r}; {rule}, west before east, south before north")
    if max(east - west, north - south) > LARGEST_DEGREES:
        raise InputError(f"the box is {text!r}; its sides must be at most {LARGEST_DEGREES:g} "
                         "degrees, for a scene is one tile of 110 km")
    return Place(text, box(west, south, east, north))


def fetch_scene(place: str, date: str, service: str = "earth-search",
                output: str | Path | None = None, *, catalogue_url: str | None = None,
                policy: Policy = PATIENCE, progress: bool = True) -> Path:
    """Fetch the scene of a place and day, or the least cloudy of a month.

    Parameters
    ----------
    place : str
        A key of :data:`lulc_lib.data.catalogue.SITES`, or a box west,south,east,north in degrees.
    date : str
        Acquisition day (UTC), YYYY-MM-DD, or month, YYYY-MM.
    service : {"earth-search", "planetary-computer", "cdse"}
        Where from.
    output : str or Path, optional
        GeoTIFF to write; by default ``stac/<place>_<YYYYMMDD>.tif`` in the data folder.
    catalogue_url : str, optional
        Other than the service's own (a mirror).
    policy, progress : Policy, bool
        Time-outs and retries; whether to show a bar on stderr.

    Returns
    -------
    Path
        A (band, row, col) uint16 GeoTIFF: ten named bands, DN as the service holds them, 0 = no
        data, 20 m bands bilinear on the 10 m grid of the site, or of the tile's UTM zone. Beside it
        ``<stem>_scl.tif`` holds the scene classification, uint8, nearest neighbour. Tags of both
        say where the pixels come from, their offset and their licence.

    Raises
    ------
    InputError
        Unknown place or service, no item then (the nearest days are named), a missing asset, a
        service that cannot be reached, or a file that cannot be written.
    """
    where, provider = find_place(place), find_service(service)
    (target, scl), days = scene_paths(place, date, output), _days(date)
    url = (catalogue_url or provider.url).rstrip("/")
    item = _find_item(where, days, provider, url, policy)
    token = _token(url, provider, policy) if provider.signed else ""
    options = {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_HTTP_TIMEOUT": str(max(1, round(policy.read_timeout))),
        "GDAL_HTTP_CONNECTTIMEOUT": str(max(1, round(policy.connect_timeout))),
        "GDAL_HTTP_MAX_RETRY": str(policy.retries), "GDAL_HTTP_RETRY_DELAY": str(policy.backoff)}
    tags = _tags(item, provider, url)
    with (rasterio.Env(**options, **dict(provider.gdal)),
          Scene(item_product(item, url, token), target) as scene):
        scene.place(where.grid or _grid_in_tile(where, item))
        _write(scl, scene, (SCL,), tags, progress)
        _write(target, scene, BANDS, tags, progress)
    return target


def _grid_in_tile(place: Place, item: Item) -> Grid:
    """Return the 10 m grid of a box in the UTM zone of an item's tile."""
    tile = re.fullmatch(r"(\d{1,2})([C-X])[A-Z]{2}", mgrs_tile(item))
    if tile is None:
        raise InputError(f"item {item['id']} does not tell its tile, so its UTM zone is not known")
    crs = rasterio.CRS.from_epsg((32600 if tile[2] >= "N" else 32700) + int(tile[1]))
    return snapped(crs, transform_bounds("EPSG:4326", crs, *place.outline.bounds))


def scene_paths(place: str, date: str, output: str | Path | None = None) -> tuple[Path, Path]:
    """Return where a fetched scene goes, and its scene classification beside it.

    Unless stated otherwise that is ``stac/<place>_<YYYYMMDD>.tif`` in the data folder.
    """
    _days(date)
    name = f"{place.replace(',', '_')}_{date.replace('-', '')}.tif"
    target = Path(output) if output else paths.published_dir() / "stac" / name
    return target, target.parent / f"{target.stem}_scl.tif"


def _days(date: str) -> tuple[dt.date, dt.date]:
    """Return the first and last day of YYYY-MM-DD or YYYY-MM."""
    try:
        if month := re.fullmatch(r"(\d{4})-(\d\d)", date):
            year, number = int(month[1]), int(month[2])
            last = calendar.monthrange(year, number)[1]
            return dt.date(year, number, 1), dt.date(year, number, last)
        return dt.date.fromisoformat(date), dt.date.fromisoformat(date)
    except ValueError:
        raise InputError(f"date is {date!r}; it must be a day, YYYY-MM-DD, or a month, YYYY-MM"
                         ) from None


def find_service(name: str) -> Service:
    """Return the service with this name; InputError lists the names if there is none."""
    check_choice("service", name, SERVICES)
    return SERVICES[name]


def _find_item(place: Place, days: tuple[dt.date, dt.date], service: Service, url: str,
               policy: Policy) -> Item:
    """Find the one item to use, or name the nearest days if there is none."""
    first, last = days
    try:
        client = StacClient.open(url, stac_io=StacApiIO(
            timeout=(policy.connect_timeout, policy.read_timeout), max_retries=policy.retry()))
        items = _search(client, service, place, first, last)
        if items:
            return choose_item(items, place)
        near = dt.timedelta(NEAR_DAYS)
        others = _search(client, service, place, first - near, last + near)
    except (APIError, requests.exceptions.RequestException, pystac.STACError, pystac.STACTypeError,
            NotImplementedError, AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{service.name}: no usable answer from {without_secrets(url)} "
                         f"({_cause(error)}); check the network, try again later, or choose "
                         "another service") from error
    found = sorted({dt.date.fromisoformat(_acquired(i)[:10]) for i in others},
                   key=lambda d: (abs(d - first), d))[:5]
    advice = (f"nearest days: {', '.join(str(d) for d in found)}" if found
              else f"nor within {NEAR_DAYS} days of it")
    when = f"on {first}" if first == last else f"from {first} to {last}"
    tile = f" (tile {place.tile})" if place.tile else ""
    raise InputError(f"{service.name} has no {service.collection} item of {place.name}{tile} "
                     f"{when}; {advice}")


def _cause(error: Exception) -> str:
    """Why a search failed, in a few words (pystac-client hides the connection's own error)."""
    for inner in (error, error.__cause__, error.__context__):
        if isinstance(inner, requests.exceptions.RequestException):
            return trouble(inner)[0]
    return " ".join(str(error).split())[:120] or type(error).__name__


def _search(client: StacClient, service: Service, place: Place, first: dt.date, last: dt.date
            ) -> list[Item]:
    """Items of a place between two days (inclusive), of a site's own tile."""
    search = client.search(collections=[service.collection], bbox=place.outline.bounds,
                           max_items=500, limit=100,
                           datetime=f"{first}T00:00:00Z/{last}T23:59:59Z")
    return [item for item in search.items_as_dicts()
            if place.tile in ("", mgrs_tile(item))
            and shape(item["geometry"]).intersects(place.outline)]


def _acquired(item: Item) -> str:
    """Acquisition time, ISO 8601 in UTC."""
    properties = item["properties"]
    return str(properties.get("datetime") or properties["start_datetime"])


def choose_item(items: list[Item], place: Place) -> Item:
    """Return the item to use among several, whatever the order they come in.

    Preferred, in this order: the site's tile, most of the place, least cloud, latest processing
    baseline, later identifier.
    """
    def missing(item: Item) -> float:
        covered = shape(item["geometry"]).buffer(1e-6).intersection(place.outline).area
        return round(1 - covered / place.outline.area, 3)

    by_id = sorted(items, key=lambda item: item["id"], reverse=True)
    return min(by_id, key=lambda item: (
        place.tile not in ("", mgrs_tile(item)), missing(item), cloud_cover(item),
        -(processing_baseline(item) or 0.0)))


def mgrs_tile(item: Item) -> str:
    """Return the Sentinel-2 tile of an item, such as 33UWS; '' if the item does not say."""
    properties = item["properties"]
    if "grid:code" in properties:
        return str(properties["grid:code"]).removeprefix("MGRS-").lstrip("0")
    if "s2:mgrs_tile" in properties:
        return str(properties["s2:mgrs_tile"]).lstrip("0")
    parts = [properties.get(f"mgrs:{k}") for k in ("utm_zone", "latitude_band", "grid_square")]
    if all(parts):
        return "".join(str(p) for p in parts)
    match = re.search(r"_T?(\d{1,2}[C-X][A-Z]{2})_", item["id"])
    return match.group(1).lstrip("0") if match else ""


def cloud_cover(item: Item) -> float:
    """Return the cloud cover of the item's tile in percent; infinite if the item does not say."""
    value = item["properties"].get("eo:cloud_cover")
    return math.inf if value is None else float(value)


def _token(catalogue_url: str, service: Service, policy: Policy) -> str:
    """Short-lived read token (a query string) for the files of a Planetary Computer collection."""
    url = f"{catalogue_url.removesuffix('/stac/v1')}/sas/v1/token/{service.collection}"
    client = Client(f"{service.name}: no access token", "try again later or another service",
                    requests.Session(), policy)
    answer = client.json(url)
    if "token" not in answer:
        raise InputError(client.failure("the answer has no 'token'", url))
    return str(answer["token"])


def _tags(item: Item, service: Service, url: str) -> dict[str, str]:
    """Say for the GeoTIFF where its pixels come from, their offset and their licence."""
    offset, told_by = item_offset(item)
    baseline = processing_baseline(item)
    told = item["properties"]
    cloud = told.get("eo:cloud_cover")
    tags = {
        "STAC_SERVICE": service.name, "STAC_CATALOGUE": without_secrets(url),
        "STAC_COLLECTION": service.collection, "ITEM_ID": item["id"], "ACQUIRED": _acquired(item),
        "PLATFORM": str(told.get("platform") or ""),
        "CLOUD_COVER": "" if cloud is None else f"{cloud:g}",
        "PROCESSING_BASELINE": "" if baseline is None else f"{baseline:05.2f}",
        "BOA_ADD_OFFSET": "" if offset is None else str(-offset),
        "BOA_ADD_OFFSET_FROM": told_by,
        "TERMS": f"Contains modified Copernicus Sentinel data {_acquired(item)[:4]}",
        "LICENCE": LICENCE}
    return {key: value for key, value in tags.items() if value}


def _write(path: Path, scene: Scene, bands: tuple[str, ...], tags: Mapping[str, str],
           progress: bool) -> None:
    """Write a scene, or its classification, block by block; whole and read back, or not at all."""
    layer = bands == (SCL,)
    profile = {
        "driver": "GTiff", "dtype": "uint8" if layer else "uint16", "count": len(bands),
        "height": scene.shape[0], "width": scene.shape[1], "crs": scene.crs,
        "transform": scene.transform, "nodata": 0, "tiled": True, "compress": "deflate",
        "predictor": 2, "bigtiff": "IF_SAFER"}
    parts, some, sums = list(windows(scene.shape, (512, 512), 1 << 21)), False, []
    with written_whole(path, make_folder=True) as part:
        with rasterio.open(part, "w", **profile) as out:
            out.descriptions = bands
            out.update_tags(**tags)
            for window in tqdm(parts, desc=path.stem, unit="block", disable=not progress):
                values = scene.classification(window)[None] if layer else scene.read(window)
                some |= bool(values.any())
                sums.append(zlib.crc32(values.tobytes()))
                out.write(values, window=window)
        if not (some or layer):
            raise InputError(f"item {tags['ITEM_ID']} of {tags['STAC_SERVICE']} holds no data at "
                             "this place; try another day or service")
        with rasterio.open(part) as back:
            if sums != [zlib.crc32(back.read(window=window).tobytes()) for window in parts]:
                raise OSError("what was written does not read back; is the disk full?")
