"""What belongs together: a site's scenes and labels by date, its test scene, reference and map."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import xarray as xr
from shapely.geometry import box

from lulc_lib.data.catalogue import SITES, select, training_pairs
from lulc_lib.data.reference import rasterise, read_codes, read_polygons
from lulc_lib.data.scenes import read_scene
from lulc_lib.errors import InputError

REFERENCE_COLUMN = {"strzegom": "label", "kolbuszowa": "DN"}
"""Column of the legend code in each site's reference polygons."""


class Series(NamedTuple):
    """Training scenes and labels by date, the files they came from, and absent scenes."""

    scenes: dict[str, xr.DataArray]
    labels: dict[str, xr.DataArray]
    files: list[Path]
    absent: list[str]


def training_series(site: str, root: Path) -> Series:
    """Read a site's training scenes (band, y, x) and labels (y, x), date YYYY-MM-DD to array."""
    series = Series({}, {}, [], [])
    for scene, labels in training_pairs(site):
        if not scene.path_in(root).exists():
            series.absent.append(scene.path)
            continue
        series.scenes[scene.date] = read_scene(scene.path_in(root))
        series.labels[scene.date] = read_codes(labels.path_in(root), series.scenes[scene.date])
        series.files.extend((scene.path_in(root), labels.path_in(root)))
    if not series.scenes:
        raise InputError(f"none of the training scenes of {site} is in {root}: "
                         f"{', '.join(series.absent)}")
    return series


def _only(root: Path, role: str, kind: str, site: str) -> Path:
    path = select(role, kind, site)[0].path_in(root)
    if not path.exists():
        raise InputError(f"{path} is not there; `lulc data` downloads it")
    return path


def scene_path(site: str, root: Path) -> Path:
    """Return the path of the site's test scene."""
    return _only(root, "test", "scene", site)


def polygons_path(site: str, root: Path) -> Path:
    """Return the path of the site's reference polygons."""
    return _only(root, "reference", "polygons", site)


def raster_path(site: str, root: Path) -> Path:
    """Return the path of the released reference raster, another reference than the polygons."""
    return _only(root, "reference", "labels", site)


def map_path(site: str, root: Path) -> Path:
    """Return the path of the published class map of the site's test scene."""
    return _only(root, "published_map", "map", site)


def map_date(site: str) -> str:
    """Return the acquisition date YYYY-MM-DD of the site's test scene."""
    return select(role="published_map", kind="map", site=site)[0].date


def table_path(site: str, root: Path) -> Path:
    """Return the path of the published confusion matrix of the site's test scene."""
    return _only(root, "published_map", "table", site)


def site_polygons(site: str, root: Path) -> gpd.GeoDataFrame:
    """Read the site's reference polygons with their legend code in column ``code``."""
    return read_polygons(polygons_path(site, root), REFERENCE_COLUMN[site])


def all_labels(root: Path) -> dict[str, xr.DataArray]:
    """Read all training labels and references at hand, each on its own grid.

    Keyed by site, date and use; references are the released polygons at pixel centres.
    """
    labels = {}
    for _, file in training_pairs():
        if file.path_in(root).exists():
            title = SITES[file.site].title
            labels[f"{title}\n{file.date}\ntraining"] = read_codes(file.path_in(root))
    for file in select(role="reference", kind="polygons"):
        grid = read_codes(map_path(file.site, root))
        codes = rasterise(site_polygons(file.site, root), grid, pixel_rule="centre")
        labels[f"{SITES[file.site].title}\n{file.date}\ntest"] = codes
    return labels


def footprints() -> gpd.GeoDataFrame:
    """Return outlines in EPSG:4326: ``site, title, tile, epsg, rows, cols, geometry``."""
    rows = [(s.name, s.title, s.mgrs_tile, s.epsg, s.rows, s.cols,
             gpd.GeoSeries([box(*s.bounds)], crs=s.epsg).to_crs(4326).iloc[0])
            for s in SITES.values()]
    names = ["site", "title", "tile", "epsg", "rows", "cols", "geometry"]
    return gpd.GeoDataFrame(rows, columns=names, crs=4326)


def site_views(root: Path) -> dict[str, xr.DataArray]:
    """Read each site's first training scene, or its labels if that is absent."""
    views = {}
    for name, site in SITES.items():
        scene, labels = training_pairs(name)[0]
        there = scene.path_in(root).exists()
        view = read_scene(scene.path_in(root)) if there else read_codes(labels.path_in(root))
        kind = "scene" if there else "labels only"
        views[f"{site.title}\n{scene.date}, {kind}"] = view
    return views
