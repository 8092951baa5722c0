"""The local catalogue: the scenes of the data room under Earth Engine's names.

Scenes are ``COPERNICUS/S2_SR_HARMONIZED``: digital numbers (reflectance × 10 000, uint16) without
the 1000 DN that processing baseline 04.00 adds; what falls below 0 becomes 0. DN 0 in the file is
masked, band by band. Only the study's ten bands are there.

What the files do not tell is not made up. ``system:time_start`` and ``system:time_end`` are the
acquisition day's first and last millisecond in UTC, as only the day is known.
``CLOUD_COVERAGE_ASSESSMENT`` and the other cloud figures of ESA's metadata are absent: sorting by
them keeps the order of time, and a filter on them passes no scene. ``PROCESSING_BASELINE`` is there
where the file carries it.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray

from ee_local.corine import CORINE, corine_image, find_corine
from ee_local.elements import Collection
from ee_local.errors import missing_asset
from ee_local.grid import Grid, Projection
from ee_local.pixels import Band, Image, integer_type
from ee_local.shapes import Geometry
from ee_local.stored import StoredBand
from lulc_lib.data.catalogue import SITES, PublishedFile, select
from lulc_lib.data.radiometry import scene_offset
from lulc_lib.errors import InputError

SENTINEL = "COPERNICUS/S2_SR_HARMONIZED"
DAY = 86_400_000
"""Milliseconds."""


@cache
def earth_engine_name(band: str) -> str:
    """Earth Engine's name of a band.

    >>> earth_engine_name("B02"), earth_engine_name("B8A")
    ('B2', 'B8A')
    """
    return f"B{int(band[1:])}" if band[1:].isdigit() else band


NO_CORINE = (". For CORINE, put a file registries/corine.gpkg into the data folder: polygons with "
             "level-3 codes in a column code_18; or name one with lulc earth-engine --corine")
"""What to do where the data folder has no CORINE, for the message."""


class SceneFile:
    """The bands of one scene file, read when they are first asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._bands: NDArray[np.uint16] | None = None
        self._valid: NDArray[np.bool_] | None = None
        with rasterio.open(path) as source:
            self.shape, self.tags = source.shape, source.tags()
            epsg = source.crs.to_epsg() if source.crs else None
            if epsg is None:
                raise InputError(f"{path.name}: the file has no CRS with an EPSG code")
            self.projection = Projection(f"EPSG:{epsg}", tuple(source.transform)[:6])

    def band(self, k: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Harmonised DN (row, col) and where there are data, of the study's k-th band.

        Raises
        ------
        InputError
            The file is damaged, a band is missing, or nobody can tell its offset.
        """
        with self._lock:
            if self._bands is None:
                self._read()
        return self._bands[k].astype(np.float64), self._valid[k]

    def _read(self) -> None:
        from lulc_lib.data.scenes import BANDS, find_bands

        with rasterio.open(self.path) as source:
            dn = source.read(find_bands(source.descriptions, self.path.name))
        pixels = dict(zip(BANDS, dn, strict=True))
        offset = scene_offset(self.tags, pixels, None, self.path.name).used
        self._valid = dn > 0
        self._bands = np.clip(dn.astype(np.int32) - offset, 0, None).astype(np.uint16)


class Catalogue:
    """Images and collections by asset id.

    Parameters
    ----------
    root : folder in the published dataset's layout.
    site : only this site's scenes; None: those of all sites.
    corine : a CORINE Land Cover file, polygons or raster; None: what ``root`` has.

    Raises
    ------
    InputError
        There is no scene.
    """

    def __init__(self, root: Path, site: str | None = None, corine: Path | None = None) -> None:
        self._files = [f for f in select(kind="scene", site=site) if f.path_in(root).is_file()]
        if not self._files:
            where = f" of {site}" if site else ""
            raise InputError(f"{root}: none of the dataset's scenes{where} is there; `lulc data` "
                             "downloads them")
        if corine is not None and not corine.is_file():
            raise InputError(f"{corine}: no such file")
        self._root, self._corine = root, corine or find_corine(root)
        self._assets: dict[str, Image | Collection] = {}
        self._lock = threading.Lock()

    def held(self) -> str:
        """What there is, in words."""
        scenes = f"{SENTINEL} ({len(self._files)} scenes)"
        return f"{scenes}, {CORINE}" if self._corine else scenes

    def find(self, identifier: str) -> Image | Collection | None:
        """The image or collection of this id; None if there is none."""
        name = _plain(identifier)
        with self._lock:
            if name.startswith(SENTINEL) and SENTINEL not in self._assets:
                self._open_scenes()
            if name == CORINE and self._corine is not None and name not in self._assets:
                self._assets[name] = corine_image(self._corine)
            return self._assets.get(name)

    def _open_scenes(self) -> None:
        scenes = sorted((_scene(f, self._root) for f in self._files),
                        key=lambda i: (i.properties["system:time_start"], i.identifier))
        self._assets |= {i.identifier: i for i in scenes}
        self._assets[SENTINEL] = Collection(tuple(scenes), "ImageCollection", SENTINEL)

    def image(self, identifier: str) -> Image:
        """The image of this id.

        Raises
        ------
        EngineError
            There is none.
        """
        found = self.find(identifier)
        if not isinstance(found, Image):
            hint = NO_CORINE if _plain(identifier) == CORINE else ""
            raise missing_asset(identifier, self.held() + hint)
        return found

    def collection(self, identifier: str) -> Collection:
        """The image collection of this id.

        Raises
        ------
        EngineError
            There is none.
        """
        found = self.find(identifier)
        if not isinstance(found, Collection):
            raise missing_asset(identifier, self.held())
        return found

    def table(self, identifier: str) -> Collection:
        """The catalogue has no tables.

        Raises
        ------
        EngineError
            Always; it names what there is.
        """
        raise missing_asset(identifier, self.held())


def _plain(identifier: str) -> str:
    """An asset id without the name of the public project."""
    for start in ("projects/earthengine-public/assets/", "projects/earthengine-legacy/assets/"):
        identifier = identifier.removeprefix(start)
    return identifier.strip("/")


def _scene(file: PublishedFile, root: Path) -> Image:
    """A scene as an image of the collection."""
    site = SITES[file.site]
    stored = SceneFile(file.path_in(root))
    start = dt.datetime.fromisoformat(file.date).replace(tzinfo=dt.UTC).timestamp() * 1000
    index = f"{file.date.replace('-', '')}_T{site.mgrs_tile}_{site.name}"
    properties: dict[str, Any] = {
        "system:index": index, "system:time_start": int(start),
        "system:time_end": int(start) + DAY - 1, "MGRS_TILE": site.mgrs_tile,
        "SITE": site.name, "SOURCE_FILE": file.path, "system:asset_size": file.size}
    baseline = {k.upper(): v for k, v in stored.tags.items()}.get("PROCESSING_BASELINE")
    if baseline is not None:
        properties["PROCESSING_BASELINE"] = baseline
    return Image(_bands(stored), {k: v for k, v in properties.items() if v is not None},
                 outline(stored.projection, stored.shape), f"{SENTINEL}/{index}", 1)


def _bands(stored: SceneFile) -> tuple[Band, ...]:
    from lulc_lib.data.scenes import BANDS

    rows, cols = stored.shape
    return tuple(
        Band(earth_engine_name(name), integer_type("uint16"),
             StoredBand(stored.projection, lambda k=k: stored.band(k)).read,
             stored.projection, (cols, rows))
        for k, name in enumerate(BANDS))


def outline(projection: Projection, shape: Sequence[int]) -> Geometry:
    """The outline of a north-up raster of (row, col) shape, in its own coordinates."""
    rows, cols = shape
    return Geometry(shapely.box(*Grid(projection, cols, rows).bounds()), projection.crs, False)


def check_root(root: Path) -> None:
    """Raise InputError unless the data folder is there."""
    if not Path(root).is_dir():
        raise InputError(f"{root}: no such folder; it must hold the dataset")
