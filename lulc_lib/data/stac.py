"""Fetch a Sentinel-2 L2A scene of a study site from a public STAC catalogue.

The file has the site's 10 m grid and untouched DN; the scene reader applies the offset in its tags.
Source: documentation of Earth Search (Element 84), Planetary Computer (Microsoft) and the
Copernicus Data Space Ecosystem (CDSE); STAC raster, eo, grid and processing extensions.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import odc.stac
import pystac
import rasterio
import rasterio.errors
import requests
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pystac_client import Client as StacClient
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from rasterio.warp import transform_bounds
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry
from tqdm import tqdm

from lulc_lib import paths
from lulc_lib.data.catalogue import Site, find_site
from lulc_lib.data.radiometry import baseline_offset
from lulc_lib.data.scenes import BANDS, BANDS_10M
from lulc_lib.errors import InputError
from lulc_lib.io import written_whole
from lulc_lib.io.http import Client, Policy, trouble, without_secrets

SCL = "SCL"
"""The scene classification layer, 20 m, nearest-neighbour only."""

NEAR_DAYS = 30
"""How far around a date without an item to look for others, in days."""

PATIENCE = Policy(retries=3, backoff=0.5)

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Service:
    """One STAC service: where it is, its Sentinel-2 L2A collection, asset name of each band."""

    name: str
    url: str
    collection: str
    assets: Mapping[str, str]
    signed: bool = False
    gdal: tuple[tuple[str, str], ...] = ()


_COLOURS = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16",
            "swir22")

SERVICES: dict[str, Service] = {
    s.name: s for s in (
        Service("earth-search", "https://earth-search.aws.element84.com/v1", "sentinel-2-l2a",
                dict(zip(BANDS, _COLOURS, strict=True)) | {SCL: "scl"}),
        Service("planetary-computer", "https://planetarycomputer.microsoft.com/api/stac/v1",
                "sentinel-2-l2a", {band: band for band in (*BANDS, SCL)}, signed=True),
        Service("cdse", "https://stac.dataspace.copernicus.eu/v1", "sentinel-2-l2a",
                {b: f"{b}_{'10m' if b in BANDS_10M else '20m'}" for b in (*BANDS, SCL)},
                gdal=(("AWS_S3_ENDPOINT", "eodata.dataspace.copernicus.eu"),
                      ("AWS_VIRTUAL_HOSTING", "FALSE"))),
    )
}


def fetch_scene(site: str, date: str, service: str = "earth-search",
                output: str | Path | None = None, *, catalogue_url: str | None = None,
                policy: Policy = PATIENCE, progress: bool = True) -> Path:
    """Fetch the scene of a site and day; write it like the published scenes.

    Parameters
    ----------
    site, date : str
        A key of :data:`lulc_lib.data.catalogue.SITES`; acquisition day (UTC), YYYY-MM-DD.
    service : {"earth-search", "planetary-computer", "cdse"}
        Where from.
    output : str or Path, optional
        GeoTIFF to write; by default ``stac/<site>_<YYYYMMDD>.tif`` in the data folder.
    catalogue_url : str, optional
        Other than the service's own (a mirror).
    policy, progress : Policy, bool
        Time-outs and retries; whether to show a bar (bands) on stderr.

    Returns
    -------
    Path
        A (band, row, col) uint16 GeoTIFF: ten named bands, DN as the service holds them, 0 = no
        data, 20 m bands bilinear on the site's 10 m grid. Beside it ``<stem>_scl.tif`` holds the
        scene classification, uint8, nearest neighbour. Tags of both say where the pixels come from.

    Raises
    ------
    InputError
        Unknown site or service, no item on that day (the nearest days are named), a missing
        asset, a service that cannot be reached, or a file that cannot be written.
    """
    place, provider = find_site(site), find_service(service)
    (target, scl), day = scene_paths(site, date, output), _day(date)
    url = (catalogue_url or provider.url).rstrip("/")
    item = _find_item(place, day, provider, url, policy)
    token = _token(url, provider, policy) if provider.signed else ""
    hrefs = {band: asset_href(item, provider, band, token) for band in (*BANDS, SCL)}
    tags = _tags(item, provider)
    options = {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_HTTP_TIMEOUT": str(max(1, round(policy.read_timeout))),
        "GDAL_HTTP_CONNECTTIMEOUT": str(max(1, round(policy.connect_timeout))),
        "GDAL_HTTP_MAX_RETRY": str(policy.retries), "GDAL_HTTP_RETRY_DELAY": str(policy.backoff)}
    with rasterio.Env(**options, **dict(provider.gdal)):
        layers = _load(item, hrefs, place, provider, progress)
    if not any(layers[band].any() for band in BANDS):
        raise InputError(f"item {item['id']} of {service} holds no data at site {site}; "
                         "try another day or service")
    _write(scl, {SCL: layers.pop(SCL)}, place, tags)
    _write(target, layers, place, tags)
    return target


def scene_paths(site: str, date: str, output: str | Path | None = None) -> tuple[Path, Path]:
    """Return where a fetched scene goes, and its scene classification beside it.

    Unless stated otherwise that is ``stac/<site>_<YYYYMMDD>.tif`` in the data folder.
    """
    target = (Path(output) if output else
              paths.published_dir() / "stac" / f"{site}_{_day(date):%Y%m%d}.tif")
    return target, target.parent / f"{target.stem}_scl.tif"


def _day(date: str) -> dt.date:
    try:
        return dt.date.fromisoformat(date)
    except ValueError:
        raise InputError(f"date is {date!r}; it must be a day, YYYY-MM-DD") from None


def find_service(name: str) -> Service:
    """Return the service with this name; InputError lists the names if there is none."""
    if name not in SERVICES:
        raise InputError(f"service is {name!r}; it must be one of {', '.join(SERVICES)}")
    return SERVICES[name]


def _find_item(site: Site, day: dt.date, service: Service, url: str, policy: Policy) -> Item:
    """Find the one item to use, or name the nearest days if there is none."""
    try:
        client = StacClient.open(url, stac_io=StacApiIO(
            timeout=(policy.connect_timeout, policy.read_timeout), max_retries=policy.retry()))
        items = _search(client, service, site, day, day)
        if items:
            return choose_item(items, site)
        window = dt.timedelta(NEAR_DAYS)
        others = _search(client, service, site, day - window, day + window)
    except (APIError, requests.exceptions.RequestException, pystac.STACError, pystac.STACTypeError,
            NotImplementedError, AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{service.name}: no usable answer from {without_secrets(url)} "
                         f"({_cause(error)}); check the network, try again later, or choose "
                         "another service") from error
    days = sorted({dt.date.fromisoformat(_acquired(i)[:10]) for i in others},
                  key=lambda d: (abs(d - day), d))[:5]
    near = (f"nearest days: {', '.join(str(d) for d in days)}" if days
            else f"nor within {NEAR_DAYS} days of it")
    raise InputError(f"{service.name} has no {service.collection} item of {site.name} "
                     f"(tile {site.mgrs_tile}) on {day}; {near}")


def _cause(error: Exception) -> str:
    """Why a search failed, in a few words (pystac-client hides the connection's own error)."""
    for inner in (error, error.__cause__, error.__context__):
        if isinstance(inner, requests.exceptions.RequestException):
            return trouble(inner)[0]
    return " ".join(str(error).split())[:120] or type(error).__name__


def _search(client: StacClient, service: Service, site: Site, first: dt.date, last: dt.date
            ) -> list[Item]:
    """Items of the site's own tile between two days (inclusive)."""
    area = _area(site)
    search = client.search(collections=[service.collection], bbox=area.bounds, max_items=500,
                           limit=100, datetime=f"{first}T00:00:00Z/{last}T23:59:59Z")
    return [item for item in search.items_as_dicts()
            if mgrs_tile(item) == site.mgrs_tile and shape(item["geometry"]).intersects(area)]


def _area(site: Site) -> BaseGeometry:
    """Return the site's rectangle in degrees, WGS 84."""
    return box(*transform_bounds(f"EPSG:{site.epsg}", "EPSG:4326", *site.bounds))


def _acquired(item: Item) -> str:
    """Acquisition time, ISO 8601 in UTC."""
    properties = item["properties"]
    return str(properties.get("datetime") or properties["start_datetime"])


def choose_item(items: list[Item], site: Site) -> Item:
    """Return the item to use among several of the same day, whatever the order they come in.

    Preferred, in this order: the site's tile, all of the site, least cloud, latest processing
    baseline, later identifier.
    """
    area = _area(site)
    by_id = sorted(items, key=lambda item: item["id"], reverse=True)
    return min(by_id, key=lambda item: (
        mgrs_tile(item) != site.mgrs_tile,
        not shape(item["geometry"]).buffer(1e-6).covers(area),
        cloud_cover(item),
        -(processing_baseline(item) or 0.0),
    ))


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


def processing_baseline(item: Item) -> float | None:
    """Return the ESA processing baseline such as 5.09; None if the item does not say."""
    properties = item["properties"]
    for key in ("s2:processing_baseline", "processing:version"):
        try:
            return float(properties[key])
        except (KeyError, TypeError, ValueError):
            continue
    product = f"{item['id']} {properties.get('s2:product_uri', '')}"
    match = re.search(r"_N(\d{2})(\d{2})_", product)
    return float(f"{match.group(1)}.{match.group(2)}") if match else None


def item_offset(item: Item, service: Service) -> tuple[int | None, str]:
    """Return the offset (DN to subtract or None) that an item declares, and the field that says it.

    The statement that it has been applied goes first, then the bands' own scale and offset
    (InputError if they differ), then the processing baseline.
    """
    if item["properties"].get("earthsearch:boa_offset_applied") is True:
        return 0, "earthsearch:boa_offset_applied"
    offsets = {b: _asset_offset(item["assets"][service.assets[b]]) for b in BANDS}
    declared = set(offsets.values()) - {None}
    if len(declared) > 1:
        told = ", ".join(f"{b} {o}" for b, o in offsets.items())
        raise InputError(f"item {item['id']}: bands declare different offsets (DN): {told}; "
                         "one offset for all bands is needed")
    if declared:
        return declared.pop(), "raster:offset"
    baseline = processing_baseline(item)
    offset = None if baseline is None else baseline_offset(baseline)
    return offset, "" if offset is None else "processing baseline"


def _asset_offset(asset: Mapping[str, Any]) -> int | None:
    """DN to subtract from one asset: −offset ÷ scale, from raster 1.x or 2.x fields, if stated."""
    first = (asset.get("raster:bands") or asset.get("bands") or [{}])[0]
    for place, prefix in ((first, ""), (first, "raster:"), (asset, "raster:")):
        offset, scale = place.get(f"{prefix}offset"), place.get(f"{prefix}scale")
        if offset is not None:
            return -round(offset / (scale or 1e-4))
    return None


def asset_href(item: Item, service: Service, band: str, token: str = "") -> str:
    """Return the address of one band for GDAL; InputError without the asset or S3 keys."""
    name = service.assets[band]
    if name not in item["assets"]:
        raise InputError(f"item {item['id']} of {service.name} has no asset {name!r} (band "
                         f"{band}); it has {', '.join(sorted(item['assets']))}")
    href = str(item["assets"][name]["href"])
    if href.startswith("s3://"):
        if "AWS_ACCESS_KEY_ID" not in os.environ:
            raise InputError(
                f"asset {name!r} of {service.name} is in S3 storage ({href}); set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to keys of that service")
        return "/vsis3/" + href.removeprefix("s3://")
    return f"{href}{'&' if '?' in href else '?'}{token}" if token else href


def _token(catalogue_url: str, service: Service, policy: Policy) -> str:
    """Short-lived read token (a query string) for the files of a Planetary Computer collection."""
    url = f"{catalogue_url.removesuffix('/stac/v1')}/sas/v1/token/{service.collection}"
    client = Client(f"{service.name}: no access token", "try again later or another service",
                    requests.Session(), policy)
    answer = client.json(url)
    if "token" not in answer:
        raise InputError(client.failure("the answer has no 'token'", url))
    return str(answer["token"])


def _tags(item: Item, service: Service) -> dict[str, str]:
    """Say for the GeoTIFF where its pixels come from."""
    offset, told_by = item_offset(item, service)
    baseline = processing_baseline(item)
    cloud = item["properties"].get("eo:cloud_cover")
    tags = {
        "STAC_SERVICE": service.name, "ITEM_ID": item["id"], "ACQUIRED": _acquired(item),
        "CLOUD_COVER": "" if cloud is None else f"{cloud:g}",
        "PROCESSING_BASELINE": "" if baseline is None else f"{baseline:05.2f}",
        "BOA_ADD_OFFSET": "" if offset is None else str(-offset),
        "BOA_ADD_OFFSET_FROM": told_by,
        "TERMS": f"Contains modified Copernicus Sentinel data {_acquired(item)[:4]}",
    }
    return {key: value for key, value in tags.items() if value}


def _load(item: Item, hrefs: Mapping[str, str], site: Site, service: Service, progress: bool
          ) -> dict[str, NDArray[np.generic]]:
    """Band name to (row, col) DN on the site's grid: uint16, the SCL uint8."""
    plain = pystac.Item(item["id"], item["geometry"], item.get("bbox"),
                        dt.datetime.fromisoformat(_acquired(item)), {}, collection="scene")
    for band, href in hrefs.items():
        plain.add_asset(band, pystac.Asset(href, roles=["data"]))
    grid = GeoBox(site.shape, rasterio.Affine(*site.transform), f"EPSG:{site.epsg}")
    types = {"*": {"data_type": "uint16", "nodata": 0}, SCL: {"data_type": "uint8", "nodata": 0}}
    layers: dict[str, NDArray[np.generic]] = {}
    for band in tqdm(hrefs, desc=item["id"], unit="band", disable=not progress):
        how = "nearest" if band in (*BANDS_10M, SCL) else "bilinear"
        try:
            loaded = odc.stac.load([plain], bands=[band], geobox=grid, resampling=how,
                                   stac_cfg={"scene": {"assets": types}})
        except (rasterio.errors.RasterioError, OSError) as error:
            raise InputError(f"asset {service.assets[band]!r} of item {item['id']} "
                             f"({service.name}) cannot be read; try again later or another "
                             "service") from error
        layers[band] = loaded[band].isel(time=0).values
    return layers


def _write(path: Path, layers: Mapping[str, NDArray[np.generic]], site: Site,
           tags: Mapping[str, str]) -> None:
    """Write (row, col) layers as a GeoTIFF, whole and read back, or not at all."""
    profile = {
        "driver": "GTiff", "dtype": next(iter(layers.values())).dtype, "count": len(layers),
        "height": site.rows, "width": site.cols, "crs": f"EPSG:{site.epsg}",
        "transform": rasterio.Affine(*site.transform), "nodata": 0,
        "compress": "deflate", "predictor": 2,
    }
    with written_whole(path, make_folder=True) as part:
        with rasterio.open(part, "w", **profile) as out:
            for index, (band, values) in enumerate(layers.items(), 1):
                out.write(values, index)
                out.set_band_description(index, band)
            out.update_tags(**tags)
        with rasterio.open(part) as back:
            if not np.array_equal(back.read(), np.stack(list(layers.values()))):
                raise OSError("what was written does not read back; is the disk full?")
