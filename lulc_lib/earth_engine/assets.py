"""The study's scenes and CORINE Land Cover, handed to the local Earth Engine as its catalogue.

Scenes are ``COPERNICUS/S2_SR_HARMONIZED`` with the study's ten bands: digital numbers (reflectance
× 10 000, uint16) without the 1000 DN that processing baseline 04.00 adds, cut at 0; DN 0 in the
file is masked, band by band. What the files do not tell is not made up: times are the acquisition
day's first and last millisecond in UTC, and ESA's cloud figures are absent, so that sorting by them
keeps the order of time and a filter on them passes no scene.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ee_local
from lulc_lib import legend, paths
from lulc_lib.data.catalogue import SITES, PublishedFile, select
from lulc_lib.data.radiometry import QUANTIFICATION
from lulc_lib.data.scenes import BANDS, read_scene
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file, existing_folder

COLLECTION = "COPERNICUS/S2_SR_HARMONIZED"
CORINE = "COPERNICUS/CORINE/V20/100m/2018"
EE_BANDS: tuple[str, ...] = tuple(b.replace("B0", "B") for b in BANDS)
"""The study's ten bands under Earth Engine's names."""

CORINE_GRID = ee_local.Projection("EPSG:3035", (100.0, 0.0, 0.0, 0.0, -100.0, 0.0))
CORINE_COLUMNS = ("Code_18", "code18", "clc18", "clc_code", "landcover")
CORINE_ENDINGS = ("gpkg", "geojson", "shp", "fgb", "tif", "tiff")
NO_CORINE = (". For CORINE, put a file registries/corine.gpkg into the data folder: polygons with "
             "level-3 codes in a column code_18; or name one with lulc earth-engine --corine")


def start_local(root: Path, site: str | None = None, port: int = 0, exports: Path | None = None,
                corine: Path | None = None) -> ee_local.LocalServer:
    """Start the local Earth Engine on the study's scenes.

    Parameters
    ----------
    root : Path
        Folder in the published dataset's layout (published or synthetic).
    site : str
        Only this site's scenes; None: those of all sites.
    port : int
        Of 127.0.0.1; 0 takes one that is free.
    exports : Path
        Folder for ``ee.batch.Export``; None: ``build/earth_engine/exports`` of the project.
    corine : Path
        A CORINE Land Cover file, polygons or raster; None: the registry in ``root``, if it has one.

    Raises
    ------
    InputError
        No such folder, no scene in it, a scene or ``corine`` cannot be read, exports cannot be
        written, or the port is taken.
    """
    exports = exports or paths.output_root() / "build" / "earth_engine" / "exports"
    with as_ours():
        return ee_local.start(_catalogue(root, site, corine), port, exports)


def _catalogue(root: Path, site: str | None, corine: Path | None) -> ee_local.Catalogue:
    """List the scenes of a data folder and its CORINE."""
    root = existing_folder(root)
    files = [f for f in select(kind="scene", site=site) if f.path_in(root).is_file()]
    if not files:
        where = f" of {site}" if site else ""
        raise InputError(f"{root}: none of the dataset's scenes{where} is there; `lulc data` "
                         "downloads them")
    if corine is not None:  # a file that was named is opened now: it may be a wrong one
        image = corine_image(existing_file(corine))
        later = {CORINE: lambda: image}
    else:
        places = (root / "registries" / f"corine.{ending}" for ending in CORINE_ENDINGS)
        found = next(filter(Path.is_file, places), None)
        later = {} if found is None else {CORINE: partial(corine_image, found)}
    return ee_local.Catalogue([_scene_image(f, root) for f in files], later, {CORINE: NO_CORINE})


def corine_image(path: Path) -> Any:
    """Open CORINE 2018 as Earth Engine has it: band ``landcover``, 100 m, EPSG:3035.

    Polygons are burned at pixel centres; single pixels along borders can differ from Google's.
    """
    properties = {"system:index": "2018", "system:time_start": 1_483_228_800_000,
                  "landcover_class_values": sorted(legend.corine_crosswalk())}
    return ee_local.class_image(path, CORINE, "landcover", CORINE_GRID, CORINE_COLUMNS,
                                range(111, 1000), properties)


def _scene_image(file: PublishedFile, root: Path) -> Any:
    """Open a scene as an image of the collection."""
    site, path = SITES[file.site], file.path_in(root)
    start = round(dt.datetime.fromisoformat(file.date).replace(tzinfo=dt.UTC).timestamp() * 1000)
    properties = {"system:time_start": start, "system:time_end": start + 86_400_000 - 1,
                  "MGRS_TILE": site.mgrs_tile, "SITE": site.name, "SOURCE_FILE": file.path}
    tags = {key.upper(): value for key, value in ee_local.read_tags(path).items()}
    if "PROCESSING_BASELINE" in tags:
        properties["PROCESSING_BASELINE"] = tags["PROCESSING_BASELINE"]
    index = f"{file.date.replace('-', '')}_T{site.mgrs_tile}_{site.name}"
    return ee_local.raster_image(path, f"{COLLECTION}/{index}", properties, EE_BANDS,
                                 lambda: _harmonised(path))


def _harmonised(path: Path) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Read (band, row, col) DN without offset, 0 where there is no data, and where there is."""
    try:
        reflectance = read_scene(path).values
    except InputError as error:
        raise ee_local.InputError(str(error)) from error
    valid = np.isfinite(reflectance)
    dn = np.rint(np.where(valid, reflectance, 0) * QUANTIFICATION)
    return dn.clip(0, None).astype(np.uint16), valid


@contextmanager
def as_ours() -> Iterator[None]:
    """Turn the errors of the local Earth Engine into the study's."""
    try:
        yield
    except ee_local.InputError as error:
        raise InputError(str(error)) from error
