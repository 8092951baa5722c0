"""Write the whole landscape, in the published dataset's layout, in one step or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import rasterio
from numpy.typing import NDArray
from tqdm import tqdm

from lulc_lib import legend
from lulc_lib.data.scenes import BANDS
from lulc_lib.data.series import REFERENCE_COLUMN
from lulc_lib.io import keep, sha256, unfinished
from lulc_lib.landscape import labels, permits
from lulc_lib.landscape.layout import Layout, class_map, make_layout
from lulc_lib.landscape.noise import Codes, burn
from lulc_lib.landscape.plan import SITES, Scene, SyntheticSite, released, scenes, stream
from lulc_lib.landscape.render import render

VERSION = 3
"""Version of the generator: raised whenever the same seed would give other files."""
MANIFEST = "landscape.json"
FIXED_TIME = "2023-07-09T00:00:00.000Z"
"""Time stamp written into GeoPackages, so that they too depend on the seed alone."""


def _write_raster(path: Path, data: NDArray, site: SyntheticSite, nodata: float | None = None,
                 names: tuple[str, ...] = ()) -> None:
    """Write ``(row, col)`` or ``(band, row, col)`` as GeoTIFF on the site's grid."""
    data = data if data.ndim == 3 else data[np.newaxis]
    with rasterio.open(
        path, "w", driver="GTiff", height=data.shape[1], width=data.shape[2], count=len(data),
        dtype=data.dtype, crs=f"EPSG:{site.epsg}", transform=site.transform, nodata=nodata,
        compress="deflate", zlevel=1,
    ) as dst:
        dst.write(data)
        for band, name in enumerate(names, 1):
            dst.set_band_description(band, name)


def _write_vector(path: Path, table: gpd.GeoDataFrame, layer: str) -> None:
    """Write one GeoPackage layer with the time stamp :data:`FIXED_TIME`."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": FIXED_TIME})
    try:
        table.to_file(path, layer=layer, driver="GPKG", engine="pyogrio")
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _reference(folder: Path, seed: int, layout: Layout, scene: Scene, truth: Codes) -> None:
    """Write the reference of a test scene as polygons and raster, the map and its confusion."""
    site = layout.site
    polygons = labels.reference_polygons(seed, layout, truth)
    code = polygons["key"].map(legend.code)
    if site.quarries:
        layer = "strzegom_pola"
        fields = {"name": polygons["key"], REFERENCE_COLUMN[site.name]: code.astype("int64")}
    else:
        layer = "kolbuszowa_20210725_maska_poly"
        fields = {REFERENCE_COLUMN[site.name]: code.astype("int32")}
    table = gpd.GeoDataFrame(fields, geometry=polygons.geometry, crs=polygons.crs)
    _write_vector(folder / released(site, "reference", "polygons"), table, layer)
    at = burn(list(polygons.geometry), site.shape, site.transform)
    reference = np.where(at, truth, legend.NO_DATA).astype(np.float32)
    _write_raster(folder / scene.labels_path, reference, site, nodata=legend.NO_DATA)
    shown = labels.published_map(stream(seed, scene.stem, "map"), site.name, truth)
    _write_raster(folder / released(site, "published_map", "map"), shown, site)
    text = labels.confusion_text(shown, reference)
    (folder / released(site, "published_map", "table")).write_text(text, encoding="utf-8")


def _scene(folder: Path, seed: int, layout: Layout, scene: Scene) -> None:
    """Write image, truth and labels of one scene; for a test scene also what is assessed on it."""
    site = layout.site
    truth = class_map(layout, scene.date)
    _write_raster(folder / f"truth/{scene.stem}.tif", truth, site, nodata=legend.NO_DATA)
    lasting = stream(seed, site.name, "spectra")
    dn = render(stream(seed, scene.stem), lasting, layout, truth, scene)
    _write_raster(folder / f"img_train/{scene.stem}.tif", dn, site, names=BANDS)
    if not scene.test:
        drawn = labels.training_labels(seed, layout, truth)
        _write_raster(folder / scene.labels_path, drawn, site, nodata=legend.NO_DATA)
        return
    _reference(folder, seed, layout, scene, truth)
    if site.quarries:
        train, test = labels.sample_points(seed, layout, truth)
        train.to_csv(folder / f"points/train_{len(train)}.csv", index=False)
        test.to_csv(folder / f"points/test_{len(test)}.csv", index=False)


def _registries(folder: Path, seed: int, layout: Layout) -> None:
    """Write the registries and the planted truth of the site with quarries."""
    tables = permits.mining_registries(seed, layout)
    tables["corine"] = permits.corine(layout)
    tables["osm_quarries"] = permits.osm_quarries(seed, layout)
    for name, table in tables.items():
        _write_vector(folder / f"registries/{name}.gpkg", table, name)
    points = permits.monitoring_points(seed, layout)
    points.to_csv(folder / "registries/monitoring_points.csv", index=False)
    _write_vector(folder / "truth/sites.gpkg", permits.planted_sites(layout), "sites")


def _fill(folder: Path, seed: int, bar: tqdm) -> None:
    """Write every file but the manifest into the empty ``folder``."""
    for name in ("img_train", "training_masks", "test_mask", "accuracy_analysis", "truth",
                 "points", "registries"):
        (folder / name).mkdir()
    for site in SITES:
        layout = make_layout(seed, site)
        if layout.pits:
            _registries(folder, seed, layout)
        for scene in scenes():
            if scene.site is site:
                _scene(folder, seed, layout, scene)
                bar.update()


def write_landscape(folder: Path, seed: int = 0, progress: bool = False) -> Path:
    """Write the synthetic landscape of ``seed`` to ``folder`` and return ``folder``.

    Parameters
    ----------
    folder : Path
        Replaced in one step at the end if it holds an earlier landscape; kept under another name
        if files of that were added or changed. Any other content is refused.
    seed : int
        The same seed gives the same files, byte for byte.
    progress : bool
        Show a progress bar.

    Raises
    ------
    FileExistsError
        ``folder`` holds something that is not a landscape.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise FileExistsError(f"{folder} holds files that are not a synthetic landscape; "
                              "give a new or empty folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(folder) as place:
        work = place / folder.name
        work.mkdir()
        with tqdm(total=len(scenes()), desc="landscape", disable=not progress) as bar:
            _fill(work, seed, bar)
        files = {p.relative_to(work).as_posix(): sha256(p) for p in sorted(work.rglob("*"))
                 if p.is_file()}
        manifest = {"seed": seed, "version": VERSION, "files": files}
        (work / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        if _was_changed(folder):
            keep(folder)
        elif folder.exists():
            shutil.rmtree(folder)
        os.replace(work, folder)
    return folder


def _was_changed(folder: Path) -> bool:
    """Tell whether a folder holds a file that is not, or not as it is, in its manifest."""
    manifest = folder / MANIFEST
    try:
        made = json.loads(manifest.read_text("utf-8"))["files"]
        return any(made[p.relative_to(folder).as_posix()] != sha256(p)
                   for p in folder.rglob("*") if p.is_file() and p != manifest)
    except (OSError, ValueError, KeyError, TypeError):
        return folder.exists() and any(folder.iterdir())


def landscape_ready(folder: Path, seed: int = 0) -> bool:
    """Say whether ``folder`` holds a complete landscape of this ``seed`` and generator version."""
    try:
        manifest = json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    same = (manifest.get("seed"), manifest.get("version")) == (seed, VERSION)
    return same and all((Path(folder) / name).is_file() for name in manifest["files"])


def ensure_landscape(folder: Path, progress: bool = False) -> None:
    """Write the landscape of seed 0 to ``folder`` unless it is there already."""
    if not landscape_ready(folder):
        write_landscape(folder, progress=progress)
