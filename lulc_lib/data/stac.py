"""Fetch a Sentinel-2 L2A scene of a study site from a public STAC catalogue.

The file written has the site's exact 10 m grid and untouched digital numbers; what the catalogue
declares about their offset goes into its tags and is applied in one place, the scene reader.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import odc.stac
import pystac
import rasterio
import rasterio.errors
import requests
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pystac_client import Client
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from rasterio.warp import transform_bounds
from shapely.geometry import box, shape
from tqdm import tqdm
from urllib3 import Retry

from lulc_lib import paths
from lulc_lib.data.catalogue import Site, find_site
from lulc_lib.data.scenes import BANDS, BANDS_10M
from lulc_lib.data.stac_services import (
    SCL,
    Item,
    Service,
    asset_href,
    cloud_cover,
    declared_offset,
    find_service,
    mgrs_tile,
    planetary_computer_token,
    processing_baseline,
)
from lulc_lib.io.http import trouble
from lulc_lib.errors import InputError

NEAR_DAYS = 30
"""How far around a date without an item to look for others, in days."""


def fetch_scene(
    site: str,
    date: str,
    service: str = "earth-search",
    output: str | Path | None = None,
    *,
    collection: str | None = None,
    catalogue_url: str | None = None,
    timeout: float = 30.0,
    retries: int = 3,
    progress: bool = True,
) -> Path:
    """Fetch the scene of a site and day; write it like the published scenes.

    Parameters
    ----------
    site : a key of :data:`lulc_lib.data.catalogue.SITES`.
    date : acquisition day (UTC), YYYY-MM-DD.
    service : ``earth-search``, ``planetary-computer`` or ``cdse``.
    output : GeoTIFF to write; by default ``stac/<site>_<YYYYMMDD>.tif`` in the data folder.
    collection, catalogue_url : other than the service's own (a mirror, Collection 1).
    timeout : seconds to wait for an answer.
    retries : further tries of a request that fails.
    progress : show a bar (bands) on stderr.

    Returns
    -------
    Path of a (band, row, col) uint16 GeoTIFF: ten bands named B02 … B12, DN as the service holds
    them, 0 = no data, 20 m bands bilinear on the site's 10 m grid. Beside it ``<stem>_scl.tif``
    holds the scene classification, uint8, nearest neighbour. Tags of both: ``STAC_SERVICE``,
    ``ITEM_ID``, ``ACQUIRED``, ``CLOUD_COVER`` (percent), ``PROCESSING_BASELINE`` and
    ``BOA_ADD_OFFSET`` (DN to add), the last three where the item tells.

    Raises
    ------
    InputError
        Unknown site or service, no item on that day (the nearest days are named), a missing
        asset, a service that cannot be reached, or a file that cannot be written.
    """
    place, provider = find_site(site), find_service(service)
    day = _day(date)
    url = (catalogue_url or provider.url).rstrip("/")
    collection = collection or provider.collection
    item = _find_item(place, day, provider, url, collection, timeout, retries)
    token = planetary_computer_token(url, collection, timeout) if provider.signed else ""
    hrefs = {band: asset_href(item, provider, band, token) for band in (*BANDS, SCL)}
    tags = _tags(item, provider)
    with rasterio.Env(**_gdal_options(provider, timeout, retries)):
        layers = _load(item, hrefs, place, provider, progress)
    if not any(layers[band].any() for band in BANDS):
        raise InputError(f"item {item['id']} of {service} holds no data at site {site}; "
                         "try another day or service")
    target = Path(output) if output else _default_output(site, day)
    scl = target.with_name(f"{target.stem}_scl.tif")
    _write(scl, {SCL: layers.pop(SCL)}, place, tags)
    _write(target, layers, place, tags)
    return target


def _day(date: str) -> dt.date:
    try:
        return dt.date.fromisoformat(date)
    except ValueError:
        raise InputError(f"date is {date!r}; it must be a day, YYYY-MM-DD") from None


def _default_output(site: str, day: dt.date) -> Path:
    return paths.published_dir() / "stac" / f"{site}_{day:%Y%m%d}.tif"


def _gdal_options(service: Service, timeout: float, retries: int) -> dict[str, str]:
    """GDAL settings for reading single files over HTTP or S3."""
    return {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_HTTP_TIMEOUT": str(max(1, round(timeout))),
        "GDAL_HTTP_CONNECTTIMEOUT": str(max(1, round(timeout))),
        "GDAL_HTTP_MAX_RETRY": str(retries),
        "GDAL_HTTP_RETRY_DELAY": "1",
        **dict(service.gdal),
    }


def _find_item(site: Site, day: dt.date, service: Service, url: str, collection: str,
               timeout: float, retries: int) -> Item:
    """The one item to use; an error that names the nearest days if there is none."""
    retry = Retry(total=retries, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504),
                  allowed_methods=None, respect_retry_after_header=False)
    try:
        client = Client.open(url, stac_io=StacApiIO(timeout=timeout, max_retries=retry))
        items = _search(client, collection, site, day, day)
        if items:
            return choose_item(items, site)
        window = dt.timedelta(NEAR_DAYS)
        others = _search(client, collection, site, day - window, day + window)
    except (APIError, requests.exceptions.RequestException, pystac.STACError, pystac.STACTypeError,
            NotImplementedError, AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{service.name}: no usable answer from {url} ({_cause(error)}); check "
                         "the network, try again later, or choose another service") from error
    days = sorted({dt.date.fromisoformat(_acquired(i)[:10]) for i in others},
                  key=lambda d: (abs(d - day), d))[:5]
    near = (f"nearest days: {', '.join(str(d) for d in days)}" if days
            else f"nor within {NEAR_DAYS} days of it")
    raise InputError(f"{service.name} has no {collection} item of {site.name} "
                     f"(tile {site.mgrs_tile}) on {day}; {near}")


def _cause(error: Exception) -> str:
    """Why a search failed, in a few words (pystac-client hides the connection's own error)."""
    for inner in (error, error.__cause__, error.__context__):
        if isinstance(inner, requests.exceptions.RequestException):
            return trouble(inner)[0]
    return " ".join(str(error).split())[:120] or type(error).__name__


def _search(client: Client, collection: str, site: Site, first: dt.date, last: dt.date
            ) -> list[Item]:
    """Items of the site's own tile between two days (inclusive)."""
    search = client.search(collections=[collection], bbox=_lonlat(site), max_items=500,
                           limit=100, datetime=f"{first}T00:00:00Z/{last}T23:59:59Z")
    area = _area(site)
    return [item for item in search.items_as_dicts()
            if mgrs_tile(item) == site.mgrs_tile and shape(item["geometry"]).intersects(area)]


def _lonlat(site: Site) -> tuple[float, float, float, float]:
    """(west, south, east, north) in degrees, WGS 84."""
    return transform_bounds(f"EPSG:{site.epsg}", "EPSG:4326", *site.bounds)


def _area(site: Site) -> object:
    """The site's rectangle as a shapely polygon in degrees."""
    return box(*_lonlat(site))


def _acquired(item: Item) -> str:
    """Acquisition time, ISO 8601 in UTC."""
    properties = item["properties"]
    return str(properties.get("datetime") or properties["start_datetime"])


def choose_item(items: list[Item], site: Site) -> Item:
    """The item to use among several of the same day, whatever the order they come in.

    Items of the site's tile are preferred, then those that cover the whole site, then the least
    cloud, then the latest processing baseline, then the later identifier.
    """
    area = _area(site)
    by_id = sorted(items, key=lambda item: item["id"], reverse=True)
    return min(by_id, key=lambda item: (
        mgrs_tile(item) != site.mgrs_tile,
        not shape(item["geometry"]).buffer(1e-6).covers(area),
        cloud_cover(item),
        -(processing_baseline(item) or 0.0),
    ))


def _tags(item: Item, service: Service) -> dict[str, str]:
    """What the GeoTIFF says about where its pixels come from."""
    offset, told_by = declared_offset(item, service.assets)
    baseline = processing_baseline(item)
    cloud = item["properties"].get("eo:cloud_cover")
    tags = {
        "STAC_SERVICE": service.name,
        "ITEM_ID": item["id"],
        "ACQUIRED": _acquired(item),
        "CLOUD_COVER": "" if cloud is None else f"{cloud:g}",
        "PROCESSING_BASELINE": "" if baseline is None else f"{baseline:05.2f}",
        "BOA_ADD_OFFSET": "" if offset is None else str(offset),
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
    layers = {}
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
    """Write (row, col) layers as a GeoTIFF under a temporary name, then rename it."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tif")
    profile = {
        "driver": "GTiff", "dtype": next(iter(layers.values())).dtype, "count": len(layers),
        "height": site.rows, "width": site.cols, "crs": f"EPSG:{site.epsg}",
        "transform": rasterio.Affine(*site.transform), "nodata": 0,
        "compress": "deflate", "predictor": 2,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(temporary, "w", **profile) as out:
            for index, (band, values) in enumerate(layers.items(), 1):
                out.write(values, index)
                out.set_band_description(index, band)
            out.update_tags(**tags)
        with rasterio.open(temporary) as back:
            if not np.array_equal(back.read(), np.stack(list(layers.values()))):
                raise OSError("what was written does not read back; is the disk full?")
        os.replace(temporary, path)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise InputError(f"{path} cannot be written ({error}); name a file in a folder you may "
                         "write, with enough space") from error
    finally:
        if temporary.exists():
            temporary.unlink()
