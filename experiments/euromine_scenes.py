"""EuroMineNet's sites as scenes with the mining footprint, for the experiments.

What the files do not say (order of bands, offset, surface or top of atmosphere) is decided from the
pixels, or the scene is refused. Source: Yu et al. 2026, ISPRS J. 237, 409–425; split and sites left
out: github.com/AI4RS/EuroMineNet at 511b629. ``lulc data --euromine`` downloads the data.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray

from lulc_lib.data.bands import BANDS
from lulc_lib.data.euromine import SITE
from lulc_lib.data.products import open_product
from lulc_lib.data.radiometry import QUANTIFICATION
from lulc_lib.data.reference import on_grid
from lulc_lib.data.scenes import open_scene, scene_of
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file

MINE = 255
"""Value of a label inside the mining footprint; 0 is outside."""
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


@cache
def _listed() -> dict[str, str]:
    text = Path(__file__).with_name("euromine_split.csv").read_text("utf-8")
    return {row["site"]: row["part"] for row in csv.DictReader(text.splitlines())}


def part_of(site: str) -> str:
    """Return "train", "validation" or "test" by the authors' list, or "left out".

    >>> part_of("Poland_15"), part_of("Poland_1"), part_of("Spain_4")
    ('test', 'train', 'left out')
    """
    return _listed().get(site, "train")


def sites(root: Path, part: str | None = None) -> list[str]:
    """Return the sites in a folder of a part, or of any, without those left out; one at least."""
    here = [p.name for p in Path(root).glob("*_*") if p.is_dir() and SITE.fullmatch(p.name)]
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
