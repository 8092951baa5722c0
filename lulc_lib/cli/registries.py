"""``lulc data --registries``: the registry layers around a map, from their public services."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lulc_lib import paths
from lulc_lib.cli.common import DONE
from lulc_lib.errors import InputError

MARGIN_M = 5000.0
"""Metres around a map within which registry layers are fetched."""


def fetch_layers(args: argparse.Namespace) -> int:
    """Fetch the layers of ``args.registries`` into ``args.output``; return the exit code."""
    from lulc_lib.sites import SERVICES, fetch_registries, require_layers

    bounds = _area(args.registries)
    folder = args.output or paths.published_dir() / "registries"
    outcomes = fetch_registries(bounds, folder, services=SERVICES, names=_names(args.layer or ()))
    print(f"{folder}: west, south, east, north = {', '.join(f'{b:.4f}' for b in bounds)}")
    for o in outcomes:
        count = "" if o.count is None else o.count
        print(f"{o.state:<7}  {o.layer:<15}  {count:>6}  {o.path.name if o.path else '-'}"
              + (f"  ({o.reason})" if o.reason and o.state != "failed" else ""))
    print("Monitoring points (MOEK) have no service: put monitoring_points.csv, .geojson, .gpkg or "
          ".shp into the folder.")
    for terms in dict.fromkeys(f"{s.attribution}: {s.licence}." for s in SERVICES.values()):
        print(terms)
    require_layers(outcomes)
    return DONE


def _names(stated: Sequence[str]) -> dict[str, str]:
    """Read ``LAYER=NAME`` as a mapping."""
    names = {}
    for text in stated:
        layer, equals, name = text.partition("=")
        if not (equals and name.strip()):
            raise InputError(f"--layer is {text!r}; it must be LAYER=NAME, such as "
                             "deposits='Złoża kopalin'")
        names[layer.strip()] = name.strip()
    return names


def _area(text: str) -> tuple[float, float, float, float]:
    """Read west, south, east, north in degrees, or put a margin around a map."""
    if Path(text).exists():
        return _around(Path(text))
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--registries is {text!r}; it must be a GeoTIFF that is there, or west,"
                         "south,east,north in degrees, such as 16.2,50.9,16.4,51.0") from None
    return west, south, east, north


def _around(path: Path) -> tuple[float, float, float, float]:
    import geopandas as gpd
    import rasterio
    import rasterio.errors

    from lulc_lib.sites.layer_file import outline

    try:
        with rasterio.open(path) as src:
            crs, bounds = src.crs, src.bounds
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: cannot be read as a raster ({error})") from error
    if crs is None:
        raise InputError(f"{path.name}: has no CRS, so it is not known where it lies")
    place = gpd.GeoSeries([outline(bounds)], crs=crs)
    metres = place.to_crs(place.estimate_utm_crs())
    return tuple(metres.buffer(MARGIN_M, join_style="mitre").to_crs(4326).total_bounds)
