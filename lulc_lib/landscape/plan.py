"""Which sites and scenes the synthetic landscape has: those of the catalogue, with their traits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import PurePosixPath
from zlib import crc32

import numpy as np
from rasterio.transform import Affine

from lulc_lib.data import catalogue
from lulc_lib.data.radiometry import BASELINE_OFFSET
from lulc_lib.landscape.noise import Rng

BASELINE_0400 = date(2022, 1, 25)
"""First day on which scenes carry the offset of processing baseline 04.00."""


@dataclass(frozen=True, kw_only=True)
class SyntheticSite(catalogue.Site):
    """One site of the dataset, with the traits of its synthetic landscape.

    ``field_ha`` is the median parcel, ``villages`` radii in metres, ``forest``, ``conifer`` and
    ``grass`` shares of the area, ``river`` its width in metres, 0 for none, ``ponds`` their number.
    """

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
        return Affine(*super().transform)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height, metres."""
        return self.cols * self.pixel, self.rows * self.pixel


@dataclass(frozen=True)
class Scene:
    """One acquisition: site, date, and the path of its labels in the landscape's folder."""

    site: SyntheticSite
    date: date
    stem: str
    labels_path: str
    test: bool = False

    @property
    def offset(self) -> int:
        """DN that the file carries on top of those of its reflectance."""
        return BASELINE_OFFSET if self.date >= BASELINE_0400 else 0


def _site(name: str, field_ha: float, strips: bool, villages: tuple[float, ...], forest: float,
          conifer: float, grass: float, river: float, ponds: int, **more: bool) -> SyntheticSite:
    return SyntheticSite(
        **asdict(catalogue.SITES[name]), field_ha=field_ha, strips=strips, villages=villages,
        forest=forest, conifer=conifer, grass=grass, river=river, ponds=ponds, **more)


SITES: tuple[SyntheticSite, ...] = (
    _site("strzegom", 5.0, False, (430.0, 360.0, 300.0, 240.0, 180.0), 0.25, 0.16, 0.025, 0, 5,
          quarries=True),
    _site("kolbuszowa", 1.4, True, (520.0, 420.0, 330.0, 260.0, 200.0), 0.24, 0.2, 0.16, 24, 4),
    _site("krakow_1", 2.0, True, (1500.0, 500.0, 350.0), 0.14, 0.1, 0.16, 90, 6, city=True),
    _site("krakow_2", 2.4, True, (900.0, 700.0, 420.0, 300.0), 0.2, 0.2, 0.12, 25, 4, city=True),
    _site("krakow_3", 3.0, False, (700.0, 420.0, 330.0, 260.0), 0.13, 0.1, 0.06, 15, 3, city=True))
STRZEGOM = SITES[0]


def released(site: catalogue.Site, role: str, kind: str) -> str:
    """Return the path of a site's only file of a role and kind in the published dataset."""
    return catalogue.select(role=role, kind=kind, site=site.name)[0].path


@cache
def scenes() -> tuple[Scene, ...]:
    """Return the published scenes, and a test scene for each published map."""
    made = [Scene(site, date.fromisoformat(scene.date), PurePosixPath(scene.path).stem, labels.path)
            for site in SITES for scene, labels in catalogue.training_pairs(site.name)]
    for site in SITES[:2]:
        (mapped,) = catalogue.select(role="published_map", kind="map", site=site.name)
        stem = PurePosixPath(mapped.path).stem.removesuffix("_class")
        made.append(Scene(site, date.fromisoformat(mapped.date), stem,
                          released(site, "reference", "labels"), test=True))
    return tuple(made)


def stream(seed: int, *names: object) -> Rng:
    """Return a random generator of its own for each purpose, so that no step shifts another."""
    return np.random.default_rng([seed, crc32("/".join(map(str, names)).encode())])
