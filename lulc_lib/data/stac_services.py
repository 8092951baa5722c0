"""What differs between the public STAC services: addresses, asset names, how items say things.

Items are the plain dictionaries of the STAC API, as the service sent them.

Source: documentation of Earth Search (Element 84), Planetary Computer (Microsoft) and the
Copernicus Data Space Ecosystem (CDSE); STAC raster, eo, grid and processing extensions.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from lulc_lib.data.scenes import BANDS, BANDS_10M
from lulc_lib.errors import InputError

SCL = "SCL"
"""Name of the scene classification layer, 20 m, nearest-neighbour only."""

OFFSET_BASELINE = 4.0
BOA_ADD_OFFSET = -1000
"""Processing baseline 04.00 and later adds 1000 DN; −1000 brings the DN back."""

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
    s.name: s
    for s in (
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


def find_service(name: str) -> Service:
    """The service with this name.

    Raises
    ------
    InputError
        There is no such service.
    """
    if name not in SERVICES:
        raise InputError(f"service is {name!r}; it must be one of {', '.join(SERVICES)}")
    return SERVICES[name]


def mgrs_tile(item: Item) -> str:
    """Sentinel-2 tile of an item, such as 33UWS; '' if the item does not say.

    >>> mgrs_tile({"id": "a", "properties": {"grid:code": "MGRS-33UWS"}})
    '33UWS'
    """
    properties = item["properties"]
    if "grid:code" in properties:
        return str(properties["grid:code"]).removeprefix("MGRS-").lstrip("0")
    if "s2:mgrs_tile" in properties:
        return str(properties["s2:mgrs_tile"]).lstrip("0")
    parts = [properties.get(f"mgrs:{k}") for k in ("utm_zone", "latitude_band", "grid_square")]
    if all(parts):
        return "".join(str(p) for p in parts)
    found = re.search(r"_T?(\d{1,2}[C-X][A-Z]{2})_", item["id"])
    return found.group(1).lstrip("0") if found else ""


def cloud_cover(item: Item) -> float:
    """Cloud cover of the item's tile in percent; infinite if the item does not say."""
    value = item["properties"].get("eo:cloud_cover")
    return math.inf if value is None else float(value)


def processing_baseline(item: Item) -> float | None:
    """ESA processing baseline such as 5.09; None if the item does not say.

    >>> processing_baseline({"id": "S2A_MSIL2A_20210725T094031_N0301_R036_T34UEA_x",
    ...                      "properties": {}})
    3.01
    """
    properties = item["properties"]
    for key in ("s2:processing_baseline", "processing:version"):
        try:
            return float(properties[key])
        except (KeyError, TypeError, ValueError):
            continue
    product = f"{item['id']} {properties.get('s2:product_uri', '')}"
    found = re.search(r"_N(\d{2})(\d{2})_", product)
    return float(f"{found.group(1)}.{found.group(2)}") if found else None


def declared_offset(item: Item, assets: Mapping[str, str]) -> tuple[int | None, str]:
    """BOA_ADD_OFFSET that an item declares for its pixels, and which field says so.

    Parameters
    ----------
    item : a STAC item.
    assets : band name to asset name.

    Returns
    -------
    Offset in DN (−1000, 0; None if nothing tells) to be added to the DN, and the field's name.
    The item's statement that the offset has been applied already goes first; then the bands'
    own scale and offset; then the processing baseline. Catalogues are sometimes wrong, so the
    reader of the scene also looks at the pixels.

    Raises
    ------
    InputError
        The bands declare different offsets.
    """
    if item["properties"].get("earthsearch:boa_offset_applied") is True:
        return 0, "earthsearch:boa_offset_applied"
    offsets = {b: _asset_offset(item["assets"][assets[b]]) for b in BANDS}
    known = set(offsets.values()) - {None}
    if len(known) > 1:
        told = ", ".join(f"{b} {o}" for b, o in offsets.items())
        raise InputError(f"item {item['id']}: bands declare different offsets (DN): {told}; "
                         "one offset for all bands is needed")
    if known:
        return known.pop(), "raster:offset"
    baseline = processing_baseline(item)
    if baseline is None:
        return None, ""
    return (BOA_ADD_OFFSET if baseline >= OFFSET_BASELINE else 0), "processing baseline"


def _asset_offset(asset: Mapping[str, Any]) -> int | None:
    """Offset in DN of one asset: offset ÷ scale, from raster 1.x or 2.x fields; None if absent."""
    first = (asset.get("raster:bands") or asset.get("bands") or [{}])[0]
    for place, prefix in ((first, ""), (first, "raster:"), (asset, "raster:")):
        offset, scale = place.get(f"{prefix}offset"), place.get(f"{prefix}scale")
        if offset is not None:
            return round(offset / (scale or 1e-4))
    return None


def asset_href(item: Item, service: Service, band: str, token: str = "") -> str:
    """Address of one band for GDAL.

    Raises
    ------
    InputError
        The item lacks the asset, or the asset needs S3 keys that are not in the environment.
    """
    name = service.assets[band]
    if name not in item["assets"]:
        raise InputError(f"item {item['id']} of {service.name} has no asset {name!r} (band "
                         f"{band}); it has {', '.join(sorted(item['assets']))}")
    href = str(item["assets"][name]["href"])
    if href.startswith("s3://"):
        if "AWS_ACCESS_KEY_ID" not in os.environ:
            raise InputError(
                f"asset {name!r} of {service.name} is in S3 storage ({href}); set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to keys of that service"
            )
        return "/vsis3/" + href.removeprefix("s3://")
    return f"{href}{'&' if '?' in href else '?'}{token}" if token else href


def planetary_computer_token(catalogue_url: str, collection: str, timeout: float) -> str:
    """Short-lived read token (a query string) for the files of a Planetary Computer collection.

    Raises
    ------
    InputError
        The token service cannot be reached or does not answer with a token.

    Source: Planetary Computer documentation, "Using tokens for data access".
    """
    url = f"{catalogue_url.rstrip('/').removesuffix('/stac/v1')}/sas/v1/token/{collection}"
    try:
        response = requests.get(url, timeout=timeout)
        response.raise_for_status()
        return str(response.json()["token"])
    except (requests.exceptions.RequestException, KeyError, TypeError, ValueError) as error:
        raise InputError(f"planetary-computer: no access token from {url} "
                         f"({type(error).__name__}); try again later or another service") from error
