"""The published dataset, file by file: where each is, how it is verified, what it is for.

Source: github.com/bh-del/lulc_mining, at the commits named in ``published_files.csv``: the Strzegom
test scene is no longer in the head of that repository.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

from lulc_lib.errors import InputError, check_choice

BASE_URL = "https://raw.githubusercontent.com/bh-del/lulc_mining/"
"""Where the files are served: ``BASE_URL/<commit>/<path>``; ``$LULC_DATA_URL`` overrides it."""

ADVICE = ("set LULC_DATA to a folder that holds it or LULC_DATA_URL to the http(s) address of a "
          "copy, or try again later")

TERMS = (
    "The dataset of Hejmanowska et al. (2025, Appl. Sci. 15, 9785; github.com/bh-del/lulc_mining) "
    "carries no licence file; its README invites testing and benchmarking with citation. "
    "The imagery contains modified Copernicus Sentinel data.")

EUROMINE_TERMS = (
    "EuroMineNet (Yu, W., Nwazelibe, V., Ma, X., Zhang, X., Gloaguen, R., Zhu, X. X., Ghamisi, P., "
    "2026; doi 10.14278/rodare.4656), CC BY 4.0 (creativecommons.org/licenses/by/4.0). "
    "Contains modified Copernicus Sentinel data 2015-2024.")
"""Goes with the data of :mod:`lulc_lib.data.euromine`, and with weights trained with them."""

KINDS = ("scene", "labels", "polygons", "map", "table")


@dataclass(frozen=True)
class Site:
    """One study site and its pixel grid (north up, square pixels).

    Attributes
    ----------
    x0, y0 : float, metres in ``epsg``
        Outer corner of the upper left pixel.
    mgrs_tile : str
        The Sentinel-2 tile that holds the site.
    pixel : float, metres
        Edge of a pixel.
    """

    name: str
    title: str
    epsg: int
    x0: float
    y0: float
    rows: int
    cols: int
    mgrs_tile: str
    pixel: float = 10.0

    @property
    def shape(self) -> tuple[int, int]:
        """(row, col) number of pixels."""
        return self.rows, self.cols

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Affine coefficients (a, b, c, d, e, f) from (col, row) to (x, y), metres."""
        return self.pixel, 0.0, self.x0, 0.0, -self.pixel, self.y0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north), metres in ``epsg``."""
        return (self.x0, self.y0 - self.rows * self.pixel,
                self.x0 + self.cols * self.pixel, self.y0)


SITES: dict[str, Site] = {
    s.name: s for s in (
        Site("strzegom", "Strzegom", 32633, 585420.0, 5652250.0, 401, 401, "33UWS"),
        Site("kolbuszowa", "Kolbuszowa", 32634, 556320.0, 5567610.0, 498, 468, "34UEA"),
        Site("krakow_1", "Kraków 1", 32634, 420000.0, 5550000.0, 500, 500, "34UDA"),
        Site("krakow_2", "Kraków 2", 32634, 429000.0, 5541000.0, 500, 500, "34UDA"),
        Site("krakow_3", "Kraków 3", 32634, 414000.0, 5557000.0, 500, 500, "34UDA"))}


@dataclass(frozen=True)
class PublishedFile:
    """One file of the published dataset; ``date`` (YYYY-MM-DD) is its scene's.

    ``size`` (bytes) and ``sha256`` are None where the file was not at hand when the list was made,
    the git blob id is always there; ``epsg`` is None for a table.
    """

    path: str
    commit: str
    git_blob_sha1: str
    size: int | None
    sha256: str | None
    role: str
    kind: str
    site: str
    date: str
    epsg: int | None
    advice: str = ADVICE

    @property
    def url(self) -> str:
        """Address the file is downloaded from."""
        base = os.environ.get("LULC_DATA_URL") or BASE_URL
        return f"{base.rstrip('/')}/{self.commit}/{self.path}"

    @property
    def checksum(self) -> str:
        """``sha256:…``, or ``git:…`` (git's blob id) where that is not known."""
        return f"sha256:{self.sha256}" if self.sha256 else f"git:{self.git_blob_sha1}"

    def path_in(self, root: str | Path) -> Path:
        """Where the file is (or will be) under the dataset's folder ``root``."""
        return Path(root) / self.path


@cache
def published_files() -> tuple[PublishedFile, ...]:
    """Return every file of the published dataset, ordered by path."""
    text = package_files("lulc_lib.data").joinpath("published_files.csv").read_text("utf-8")
    return tuple(
        PublishedFile(
            size=int(row.pop("bytes") or 0) or None, sha256=row.pop("sha256") or None,
            epsg=int(row.pop("epsg") or 0) or None, **row)
        for row in csv.DictReader(text.splitlines()))


def find(path: str) -> PublishedFile:
    """Return the file with this path in the dataset; InputError suggests others if it has none.

    >>> find("test_mask/strzegom_ref.gpkg").kind
    'polygons'
    """
    for file in published_files():
        if file.path == path:
            return file
    name = path.rsplit("/", 1)[-1]
    near = [f.path for f in published_files() if f.path.endswith("/" + name)]
    hint = f"did you mean {' or '.join(near)}?" if near else "`lulc data --list` shows all of them"
    raise InputError(f"{path!r} is not a file of the published dataset; {hint}")


def find_site(name: str) -> Site:
    """Return the site with this name; InputError lists the names if there is none."""
    check_choice("site", name, SITES)
    return SITES[name]


def select(role: str | None = None, kind: str | None = None, site: str | None = None,
           date: str | None = None) -> list[PublishedFile]:
    """Return the files with the given role, kind, site and date, ordered by path.

    Parameters
    ----------
    role, kind, site, date : str, optional
        "training", "test", "reference" or "published_map"; one of ``KINDS``, of ``SITES``;
        YYYY-MM-DD. None for any.

    Raises
    ------
    InputError
        A value the dataset does not know, or a combination that no file has.

    >>> [f.path for f in select(role="test")]
    ['img_train/strzegom_20230709_33u.tif']
    """
    asked = {"role": role, "kind": kind, "site": site, "date": date}
    wanted = {key: value for key, value in asked.items() if value is not None}
    for key, value in wanted.items():
        check_choice(key, value, sorted({getattr(f, key) for f in published_files()}))
    chosen = [f for f in published_files() if all(getattr(f, k) == v for k, v in wanted.items())]
    if not chosen:
        raise InputError("the published dataset has no file with "
                         + ", ".join(f"{k} {v!r}" for k, v in wanted.items())
                         + "; `lulc data --list` shows what there is")
    return chosen


def training_pairs(site: str | None = None) -> list[tuple[PublishedFile, PublishedFile]]:
    """Return a site's training scenes (None: all sites'), each with its labels of the same name.

    >>> len(training_pairs("strzegom")), len(training_pairs())
    (6, 14)
    """
    return [(scene, find(scene.path.replace("img_train/", "training_masks/")))
            for scene in select("training", "scene", site)]


def core_files() -> tuple[str, ...]:
    """Return the paths the study needs: all of Strzegom, and what assesses Kolbuszowa's map."""
    assessing = ("reference", "published_map")
    return tuple(f.path for f in published_files() if f.site == "strzegom" or f.role in assessing)
