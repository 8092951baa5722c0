"""Which scenes the synthetic landscape has: sites, grids, dates and file names of the dataset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zlib import crc32

import numpy as np
from rasterio.transform import Affine, from_origin

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
TEN_METRE = ("B02", "B03", "B04", "B08")
PIXEL = 10.0
"""Pixel size, metres."""
OFFSET = 1000
"""DN added to every band since processing baseline 04.00."""
BASELINE_0400 = date(2022, 1, 25)
"""First day on which scenes of the synthetic landscape carry :data:`OFFSET`."""


@dataclass(frozen=True)
class Site:
    """One place: its grid and the traits of its landscape.

    ``shape`` is (row, col); ``x0``, ``y0`` the upper-left corner in metres of EPSG ``epsg``;
    ``field_ha`` the median parcel in hectares; shares are of the whole area, widths in metres.
    """

    name: str
    epsg: int
    shape: tuple[int, int]
    x0: float
    y0: float
    field_ha: float
    strips: bool
    villages: tuple[float, ...]
    forest: float
    conifer: float
    grass: float
    river: float
    ponds: int
    city: bool = False
    quarries: bool = False

    @property
    def transform(self) -> Affine:
        """Pixel to map coordinates, north up."""
        return from_origin(self.x0, self.y0, PIXEL, PIXEL)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height, metres."""
        return self.shape[1] * PIXEL, self.shape[0] * PIXEL


@dataclass(frozen=True)
class Scene:
    """One acquisition: site, date, file names (relative to the landscape's folder)."""

    site: Site
    date: date
    stem: str
    mask_path: str
    test: bool = False

    @property
    def image_path(self) -> str:
        """The scene's ten-band file."""
        return f"img_train/{self.stem}.tif"

    @property
    def truth_path(self) -> str:
        """The scene's complete class map."""
        return f"truth/{self.stem}.tif"

    @property
    def offset(self) -> int:
        """DN that the file carries on top of reflectance × 10 000."""
        return OFFSET if self.date >= BASELINE_0400 else 0


STRZEGOM = Site("strzegom", 32633, (401, 401), 585420, 5652250, 5.0, False,
                (430.0, 360.0, 300.0, 240.0, 180.0), 0.25, 0.16, 0.025, 0, 5, quarries=True)
KOLBUSZOWA = Site("kolbuszowa", 32634, (498, 468), 556320, 5567610, 1.4, True,
                  (520.0, 420.0, 330.0, 260.0, 200.0), 0.24, 0.2, 0.16, 24, 4)
KRAKOW = (
    Site("krakow_1", 32634, (500, 500), 420000, 5550000, 2.0, True,
         (1500.0, 500.0, 350.0), 0.14, 0.1, 0.16, 90, 6, city=True),
    Site("krakow_2", 32634, (500, 500), 429000, 5541000, 2.4, True,
         (900.0, 700.0, 420.0, 300.0), 0.2, 0.2, 0.12, 25, 4, city=True),
    Site("krakow_3", 32634, (500, 500), 414000, 5557000, 3.0, False,
         (700.0, 420.0, 330.0, 260.0), 0.13, 0.1, 0.06, 15, 3, city=True),
)


def _scene(site: Site, day: str, stem: str, mask: str | None = None) -> Scene:
    folder = "test_mask" if mask else "training_masks"
    when = date(int(day[:4]), int(day[4:6]), int(day[6:]))
    return Scene(site, when, stem, f"{folder}/{mask or stem}.tif", test=mask is not None)


SCENES: tuple[Scene, ...] = (
    *(_scene(STRZEGOM, d, f"strzegom_{d}_33u") for d in
      ("20210619", "20220619", "20220719", "20221012", "20230209", "20230301")),
    *(_scene(KOLBUSZOWA, d, f"kolbuszowa_{d}") for d in
      ("20210327", "20210411", "20210509", "20210728", "20210906")),
    *(_scene(s, "20220603", f"krakow_20220603_34uda_{i}") for i, s in enumerate(KRAKOW, 1)),
    _scene(STRZEGOM, "20230709", "strzegom_20230709_33u", "strzegom_20230709_33u"),
    _scene(KOLBUSZOWA, "20210725", "kolbuszowa_20210725_34u", "kolbuszowa_20210725_ref"),
)
SITES: tuple[Site, ...] = (STRZEGOM, KOLBUSZOWA, *KRAKOW)


def stream(seed: int, *names: object) -> np.random.Generator:
    """Random generator of its own for each purpose, so that one step never shifts another."""
    return np.random.default_rng([seed, crc32("/".join(map(str, names)).encode())])
