"""What belongs together: a site's scenes and masks by date, its test scene, reference and map."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import xarray as xr
from shapely.geometry import box

from lulc_lib.data.catalogue import SITES, PublishedFile, select, training_pairs
from lulc_lib.data.reference import rasterise, read_codes, read_polygons
from lulc_lib.data.scenes import read_scene
from lulc_lib.errors import InputError

REFERENCE_COLUMN = {"strzegom": "label", "kolbuszowa": "DN"}
"""Column of the legend code in each site's reference polygons."""


class Series(NamedTuple):
    """Training scenes and masks by date, the files they came from, and scenes that are absent."""

    scenes: dict[str, xr.DataArray]
    masks: dict[str, xr.DataArray]
    files: list[Path]
    absent: list[str]


def training_series(site: str, root: Path) -> Series:
    """A site's training scenes (band, y, x) and masks (y, x), date YYYY-MM-DD to array.

    Raises
    ------
    InputError
        Unknown site, or none of its scenes is at hand.
    """
    series = Series({}, {}, [], [])
    for scene, mask in training_pairs(site):
        if not scene.path_in(root).exists():
            series.absent.append(scene.path)
            continue
        series.scenes[scene.date] = read_scene(scene.path_in(root))
        series.masks[scene.date] = read_codes(mask.path_in(root), series.scenes[scene.date])
        series.files.extend((scene.path_in(root), mask.path_in(root)))
    if not series.scenes:
        raise InputError(f"none of the training scenes of {site} is in {root}: "
                         f"{', '.join(series.absent)}")
    return series


def _only(root: Path, **wanted: str) -> Path:
    files: list[PublishedFile] = select(**wanted)
    path = files[0].path_in(root)
    if not path.exists():
        raise InputError(f"{path} is not there; `lulc data` downloads it")
    return path


def scene_path(site: str, root: Path) -> Path:
    """The site's test scene."""
    return _only(root, role="test", kind="scene", site=site)


def polygons_path(site: str, root: Path) -> Path:
    """The site's reference polygons."""
    return _only(root, role="reference", kind="polygons", site=site)


def raster_path(site: str, root: Path) -> Path:
    """The site's released reference raster, which is not the same reference as the polygons."""
    return _only(root, role="reference", kind="mask", site=site)


def map_path(site: str, root: Path) -> Path:
    """The published class map of the site's test scene."""
    return _only(root, role="published_map", kind="map", site=site)


def map_date(site: str) -> str:
    """Acquisition date YYYY-MM-DD of the site's test scene, as the catalogue has it."""
    return select(role="published_map", kind="map", site=site)[0].date


def table_path(site: str, root: Path) -> Path:
    """The published confusion matrix of the site's test scene."""
    return _only(root, role="published_map", kind="table", site=site)


def site_polygons(site: str, root: Path) -> gpd.GeoDataFrame:
    """The site's reference polygons with their legend code in column ``code``."""
    return read_polygons(polygons_path(site, root), REFERENCE_COLUMN[site])


def all_labels(root: Path) -> dict[str, xr.DataArray]:
    """Every training mask and reference of the dataset at hand, each on its own grid.

    Keyed by site, date and use, in that order; references are the released polygons at pixel
    centres where the site has them.
    """
    masks = {}
    for _, mask in training_pairs():
        if mask.path_in(root).exists():
            title = SITES[mask.site].title
            masks[f"{title}\n{mask.date}\ntraining"] = read_codes(mask.path_in(root))
    for file in select(role="reference", kind="polygons"):
        grid = read_codes(map_path(file.site, root))
        codes = rasterise(site_polygons(file.site, root), grid, pixel_rule="centre")
        masks[f"{SITES[file.site].title}\n{file.date}\ntest"] = codes
    return masks


def footprints() -> gpd.GeoDataFrame:
    """The sites' outlines in EPSG:4326: ``site, title, tile, epsg, rows, cols, geometry``."""
    rows = [(s.name, s.title, s.mgrs_tile, s.epsg, s.rows, s.cols,
             gpd.GeoSeries([box(*s.bounds)], crs=s.epsg).to_crs(4326).iloc[0])
            for s in SITES.values()]
    names = ["site", "title", "tile", "epsg", "rows", "cols", "geometry"]
    return gpd.GeoDataFrame(rows, columns=names, crs=4326)


def site_views(root: Path) -> dict[str, xr.DataArray]:
    """Each site's first training scene, or its mask where the scene is absent; keyed by a title."""
    views = {}
    for name, site in SITES.items():
        scene, mask = training_pairs(name)[0]
        there = scene.path_in(root).exists()
        view = read_scene(scene.path_in(root)) if there else read_codes(mask.path_in(root))
        kind = "scene" if there else "mask only"
        views[f"{site.title}\n{scene.date}, {kind}"] = view
    return views
