"""EuroMineNet: 133 mines of the EU on Sentinel-2, yearly 2015 to 2024, with the mining footprint.

What the files do not say (order of bands, offset, surface or top of atmosphere) is decided from the
pixels, or the scene is refused. Source: Yu et al. 2026, ISPRS J. 237, 409–425; data
doi 10.14278/rodare.4656; split and sites left out: github.com/AI4RS/EuroMineNet at 511b629.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import rasterio
import requests
import xarray as xr
from numpy.typing import NDArray

from lulc_lib import paths
from lulc_lib.data.bands import BANDS
from lulc_lib.data.catalogue import EUROMINE_TERMS as ATTRIBUTION
from lulc_lib.data.download import RecordFile, fetch, require
from lulc_lib.data.products import open_product
from lulc_lib.data.radiometry import QUANTIFICATION
from lulc_lib.data.reference import on_grid
from lulc_lib.data.scenes import open_scene, scene_of
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file, unfinished, written_whole
from lulc_lib.io.http import Client, Policy

RECORD = "https://rodare.hzdr.de/api/records/4656"
ARCHIVE = "EuroMineNet.zip"
MINE = 255
"""Value of a label inside the mining footprint; 0 is outside."""

ADVICE = "try again later, or put the archive there yourself"
_SITE = re.compile(r"[A-Z][A-Za-z]+_\d+")
_YEAR = re.compile(r"(?:year|label)_?(20\d\d)\.tiff?", re.IGNORECASE)
_FOLDERS = {"image": ("images", "image"), "label": ("labels", "label")}

ORDERS: tuple[tuple[str, ...], ...] = tuple(
    colours + others
    for colours in (BANDS[:3], BANDS[2::-1])
    for others in (BANDS[3:], ("B08", *BANDS[3:6], *BANDS[7:]), (*BANDS[3:7], *BANDS[8:], "B8A")))
"""Orders in which tools write the ten bands: blue or red first, B08 and B8A in three places."""


class MineScene(NamedTuple):
    """One year of a site: its scene, and the mining footprint, (y, x) bool.

    ``scene`` is as of :func:`lulc_lib.data.scenes.read_scene`, with the attributes ``order`` (of
    the bands in the file), ``radiometry`` ("surface", "top of atmosphere" or "undetermined"),
    ``notes``. The footprint (pits, dumps, plants, ponds) is wider than the study's class of
    quarries.
    """

    scene: xr.DataArray
    mine: xr.DataArray


def euromine_dir() -> Path:
    """Return the folder of the sites unless stated: ``euromine`` in the data folder."""
    return paths.published_dir() / "euromine"


@cache
def _listed() -> dict[str, str]:
    text = package_files("lulc_lib.data").joinpath("euromine_split.csv").read_text("utf-8")
    return {row["site"]: row["part"] for row in csv.DictReader(text.splitlines())}


def part_of(site: str) -> str:
    """Return "train", "validation" or "test" by the authors' list, or "left out".

    >>> part_of("Poland_15"), part_of("Poland_1"), part_of("Spain_4")
    ('test', 'train', 'left out')
    """
    return _listed().get(site, "train")


def sites(root: Path, part: str | None = None) -> list[str]:
    """Return the sites in a folder of a part, or of any, without those left out; one at least."""
    here = [p.name for p in Path(root).glob("*_*") if p.is_dir() and _SITE.fullmatch(p.name)]
    chosen = [s for s in here if part_of(s) != "left out" and part in (None, part_of(s))]
    if not chosen:
        raise InputError(f"{root}: holds no {part + ' ' if part else ''}site of EuroMineNet; "
                         "`lulc data --euromine` downloads them")
    return sorted(chosen, key=lambda s: (s.rpartition("_")[0], int(s.rpartition("_")[2])))


def years(root: Path, site: str) -> dict[int, tuple[Path, Path]]:
    """Return the image and the label of each year of a site that has both, in order."""
    found: dict[str, dict[int, Path]] = {}
    for kind, names in _FOLDERS.items():
        files = [f for name in names for f in (Path(root) / site / name).glob("*")]
        found[kind] = {int(m[1]): f for f in files if (m := _YEAR.fullmatch(f.name))}
    both = sorted(found["image"].keys() & found["label"].keys())
    return {year: (found["image"][year], found["label"][year]) for year in both}


def read_site(root: Path, site: str, year: int) -> MineScene:
    """Read one year of a site.

    Raises
    ------
    InputError
        No such year, a site left out, a file that cannot be used, or pixels that do not tell the
        order of the bands or the offset. A label one row or column smaller than its image starts in
        the same corner, as the authors have it: the image is cut to it.
    """
    if part_of(site) == "left out":
        raise InputError(f"{site}: its authors leave this site of EuroMineNet out")
    at_hand = years(root, site)
    if year not in at_hand:
        raise InputError(f"{site}: has no image and label of {year} in {root}; it has "
                         f"{', '.join(map(str, at_hand)) or 'none'}")
    image, label = at_hand[year]
    mine, notes = _read_label(label), []
    named = any(layer.band for layer in open_product(image).layers)
    with open_scene(image, any_pixel=True, bands=None if named else BANDS) as source:
        dn = source.read()
        order = tuple(BANDS) if named else band_order(dn, f"{site} {year}")
        dn = dn[[order.index(b) for b in BANDS]]
        scene = scene_of(source, dn)
    missing = tuple(a - b for a, b in zip(scene.shape[1:], mine.shape, strict=True))
    if any(missing):
        if not all(m in (0, 1) for m in missing):
            raise InputError(f"{site} {year}: the label has {mine.shape} pixels, the image "
                             f"{scene.shape[1:]}; they may differ by one")
        scene = scene[:, :mine.shape[0], :mine.shape[1]]
        notes.append(f"label {missing[0]} row(s), {missing[1]} column(s) smaller: image cut to it")
    scene.attrs |= {"name": f"{site}_{year}", "date": "", "order": " ".join(order),
                    "radiometry": radiometry_of(scene), "notes": notes}
    return MineScene(scene, on_grid(mine, scene))


def band_order(dn: NDArray[np.uint16], name: str) -> tuple[str, ...]:
    """Return the order of unnamed bands (band, row, col): the one in which vegetation looks it.

    Only relations between bands count, so neither an offset nor haze matters. InputError: none of
    :data:`ORDERS` fits, or several do.
    """
    pixels = dn[:, (dn > 0).all(axis=0)].astype(np.float64)
    fitting = [order for order in ORDERS
               if pixels.size and _plausible(dict(zip(order, pixels, strict=True)))]
    if len(fitting) != 1:
        what = "several orders" if fitting else "no order"
        raise InputError(f"{name}: {what} of its unnamed bands give a plausible spectrum of "
                         "vegetation, so it is not known which band is which")
    return fitting[0]


def _vegetation(red: NDArray[np.floating], near: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the fifth of the pixels in which near infrared exceeds red the most."""
    return near - red >= np.nanquantile(near - red, 0.8)


def _plausible(bands: dict[str, NDArray[np.float64]]) -> bool:
    green = _vegetation(bands["B04"], bands["B08"])
    at = {b: float(np.median(v[green])) for b, v in bands.items()}
    jump = at["B08"] - at["B04"]
    rising = at["B04"] < at["B05"] < at["B06"] < at["B07"]
    plateau = max(abs(at[b] - at["B08"]) for b in ("B07", "B8A")) < 0.3 * jump
    falling = at["B8A"] > at["B11"] > at["B12"]
    to_red_edge = [np.corrcoef(bands[b], bands["B05"])[0, 1] for b in ("B04", "B02")]
    return (jump > 500 and rising and plateau and falling and at["B03"] > at["B04"]
            and to_red_edge[0] > to_red_edge[1])


def radiometry_of(scene: xr.DataArray) -> str:
    """Say whether reflectance (band, y, x) is that of the surface, from haze over vegetation.

    Leaves are about as dark in blue as in red; scattering in the air adds .03 and more to blue.
    """
    blue, red, near = (scene.sel(band=b).values for b in ("B02", "B04", "B08"))
    green = _vegetation(red, near)
    haze = float(np.nanmedian((blue - red)[green]))
    if float(np.nanmedian((near - red)[green])) < 500 / QUANTIFICATION:
        return "undetermined"
    return "surface" if haze < 0.01 else "top of atmosphere" if haze > 0.02 else "undetermined"


def without_haze(scene: xr.DataArray) -> xr.DataArray:
    """Return reflectance whose darkest hundredth is .01 in every band: dark-object subtraction.

    Source: Chavez 1988, Remote Sens. Environ. 24, 459–479.
    """
    dark = scene.quantile(0.01, ("y", "x")).drop_vars("quantile") - 0.01
    out = (scene - dark).clip(0).astype(np.float32).assign_attrs(scene.attrs)
    return out.assign_attrs(radiometry="haze subtracted").rio.write_crs(scene.rio.crs)


def _read_label(path: Path) -> NDArray[np.bool_]:
    try:
        with rasterio.open(existing_file(path)) as source:
            values = source.read()
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: cannot be read as a raster ({error})") from error
    if len(values) != 1 or not np.isin(values, (0, MINE)).all():
        raise InputError(f"{path}: must have one band of 0 and {MINE} (mine)")
    return values[0] == MINE


def download_sites(out: Path, wanted: Sequence[str] = (), record: str | None = None,
                   progress: bool = True, policy: Policy | None = None) -> list[str]:
    """Download the archive, verify it and unpack sites; return those that are there then.

    Parameters
    ----------
    out : Path
        Folder of the sites; the archive is kept in it.
    wanted : sequence of str
        Names of sites; none: all. Those unpacked already are not fetched again.
    record, progress, policy : str, bool, Policy
        Address of the record in the API of an Invenio repository, unless :data:`RECORD`; show a
        bar on stderr; time-outs and retries.

    Raises
    ------
    InputError
        The archive cannot be had or is damaged, a site is not in it, or there is no room.
    """
    out = Path(out)
    if wanted and all((out / site).is_dir() for site in wanted):
        return list(wanted)
    with requests.Session() as session:
        client = Client(ARCHIVE, ADVICE, session, policy)
        file = _file_of(client.json(record or RECORD), client, record or RECORD)
    require(fetch([file], out, progress, policy))
    return unpack(out / file.path, out, wanted)


def _file_of(answer: dict, client: Client, url: str) -> RecordFile:
    """Find the archive in a record, of either generation of the API."""
    files = answer.get("files") or []
    entries = list(files.get("entries", {}).values()) if isinstance(files, dict) else files
    for entry in entries:
        if entry.get("key") == ARCHIVE and str(entry.get("checksum", "")).startswith("md5:"):
            links = entry.get("links", {})
            address = links.get("content") or links.get("self")
            if address and entry.get("size"):
                return RecordFile(ARCHIVE, address, int(entry["size"]), entry["checksum"], ADVICE)
    raise InputError(client.failure("the record does not list it with size, md5 and address", url))


def unpack(archive: Path, out: Path, wanted: Sequence[str] = ()) -> list[str]:
    """Unpack sites of the archive, each whole or not at all; return their names.

    InputError: damaged, names that lead out of the folder, links, unknown sites, or no room.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            members = _members(source, archive.name)
            unknown = [site for site in wanted if site not in members]
            if unknown or not members:
                raise InputError(f"{archive.name}: has no site {', '.join(unknown) or 'at all'}"
                                 + (f"; it has {', '.join(sorted(members))}" if members else ""))
            chosen = {site: members[site] for site in (wanted or sorted(members))}
            need = sum(info.file_size for files in chosen.values() for info, _ in files)
            if need > shutil.disk_usage(out).free:
                raise InputError(f"{out}: the sites need {need / 1e9:.1f} GB; free some space, or "
                                 "name fewer by --sites")
            for site, files in chosen.items():
                _unpack_site(source, files, out / site)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{archive}: cannot be unpacked ({error})") from error
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from error
    if not (out / "ATTRIBUTION.txt").exists():
        with written_whole(out / "ATTRIBUTION.txt") as part:
            part.write_text(ATTRIBUTION + "\n", encoding="utf-8")
    return list(chosen)


def _members(source: zipfile.ZipFile, name: str
             ) -> dict[str, list[tuple[zipfile.ZipInfo, PurePosixPath]]]:
    """Return each site's files with their paths below the site's folder."""
    members: dict[str, list[tuple[zipfile.ZipInfo, PurePosixPath]]] = {}
    for info in source.infolist():
        path = PurePosixPath(info.filename)
        outside = path.is_absolute() or ".." in path.parts or re.search(r"[\\:]", info.filename)
        if outside or stat.S_ISLNK(info.external_attr >> 16):
            raise InputError(f"{name}: holds {info.filename!r}, a link or a path that leads out of "
                             "the folder; nothing is unpacked")
        at = next((i for i, part in enumerate(path.parts[:-1]) if _SITE.fullmatch(part)), None)
        if at is not None and not info.is_dir():
            members.setdefault(path.parts[at], []).append(
                (info, PurePosixPath(*path.parts[at + 1:])))
    return members


def _unpack_site(source: zipfile.ZipFile, files: Sequence[tuple[zipfile.ZipInfo, PurePosixPath]],
                 target: Path) -> None:
    if target.is_dir():
        return
    with unfinished(target) as work:
        folder = work / target.name
        for info, inner in files:
            (folder / inner).parent.mkdir(parents=True, exist_ok=True)
            with source.open(info) as packed, (folder / inner).open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        os.replace(folder, target)
