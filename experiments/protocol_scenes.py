"""What the protocols train and assess on, in one small file that needs no raster library.

``prepare`` reads the published dates, the scenes from elsewhere (LULC_ELSEWHERE) and synthetic
landscapes whose quarries are of rocks that no training sees; :class:`Scenes` reads them back.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lulc_lib import legend
from lulc_lib.accuracy.splits import (
    QUADRANTS,
    Fold,
    label_clusters,
    make_fold,
    polygons_out,
    random_patches,
    random_pixels,
)

FILTERS = [{"id": lzma.FILTER_DELTA, "dist": 2}, {"id": lzma.FILTER_LZMA2, "preset": 4}]
"""Neighbouring 16-bit numbers differ little: their differences are what is compressed."""

UNIT = 1e-4
"""Reflectance of one step of the stored integers."""

SEED = 11
"""Of the synthetic landscapes."""

SIDE = 224
"""Pixels, edge of the part of a synthetic landscape with the most quarry."""

CHOSEN_ON = ("stolarinhoo_699", "ben_33UUP_20170613")
"""Scenes from elsewhere that settings may be chosen on; the others are reported only."""

ROCKS: dict[str, tuple[float, ...]] = {
    "basalt":          (.060, .065, .070, .072, .074, .075, .076, .077, .085, .080),
    "gabbro":          (.090, .100, .110, .112, .115, .117, .118, .120, .140, .130),
    "lignite":         (.035, .038, .042, .045, .048, .050, .053, .055, .090, .100),
    "grey_limestone":  (.240, .280, .320, .330, .340, .350, .355, .360, .400, .350),
    "white_limestone": (.450, .520, .570, .590, .600, .610, .620, .620, .620, .520),
    "marble":          (.550, .580, .610, .620, .630, .630, .640, .640, .620, .520),
    "gypsum":          (.500, .550, .590, .600, .610, .620, .620, .620, .480, .340),
    "red_clay":        (.070, .110, .220, .250, .270, .290, .300, .310, .420, .360),
    "kaolin":          (.420, .500, .580, .600, .620, .630, .640, .650, .660, .420),
    "yellow_sand":     (.140, .200, .280, .310, .330, .350, .360, .370, .480, .450),
    "white_sand":      (.300, .370, .430, .450, .470, .480, .500, .510, .580, .560),
    "red_sandstone":   (.090, .130, .240, .270, .290, .310, .320, .330, .420, .390),
}
"""Reflectance of bare rocks, clays and sands in the ten bands; for assessing, never trained on.

Typical of published spectral libraries (USGS splib07, ECOSTRESS), read off at the bands' central
wavelengths and rounded: a test of how far a map of pits carries, not a measurement.
"""


class Scenes:
    """What the file holds; targets are class indexes, IGNORE_INDEX where unlabelled."""

    def __init__(self, path: Path) -> None:
        with np.load(io.BytesIO(lzma.decompress(path.read_bytes()))) as stored:
            cache = {k: stored[k] for k in stored.files}
        self.data: dict[str, str] = json.loads(str(cache.pop("data", "{}")))
        self.dates = [str(d) for d in cache["dates"]]
        cache = {k: v.astype(np.float32) * np.float32(UNIT) if v.dtype == np.int16 else v
                 for k, v in cache.items()}
        self.scenes, self.codes = cache["scenes"], cache["codes"]
        self.targets = legend.to_index(self.codes)
        self.clusters = label_clusters(list(self.codes))
        part = {p: {k.removeprefix(p): v for k, v in cache.items() if k.startswith(p)}
                for p in ("elsewhere_", "rock_", "truth_")}
        self.elsewhere, self.rocks = part["elsewhere_"], part["rock_"]
        self.truths = {k: legend.to_index(v) for k, v in part["truth_"].items()}


def prepare(path: Path, site: str) -> None:
    """Write the file for a site's published dates."""
    from lulc_lib import paths
    from lulc_lib.data import filled, training_series

    root = paths.published_dir()
    series = training_series(site, root)
    arrays = {"dates": np.array(list(series.scenes)),
              "scenes": np.stack([filled(s) for s in series.scenes.values()]),
              "codes": np.stack([m.values.astype(np.uint8) for m in series.labels.values()]),
              "data": np.array(json.dumps({
                  str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest()
                  for f in series.files}))}
    stored = {k: np.rint(a / UNIT).astype(np.int16) if a.dtype.kind == "f" else a
              for k, a in {**arrays, **_elsewhere(), **_synthetic()}.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **stored)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(buffer.getvalue(), filters=FILTERS))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def _elsewhere() -> dict[str, NDArray]:
    """Return reflectance by ``elsewhere_NAME`` of the scenes in LULC_ELSEWHERE; none without it."""
    from lulc_lib.data import filled, read_scene

    folder = os.environ.get("LULC_ELSEWHERE")
    if not folder:
        print("LULC_ELSEWHERE names no folder: the scenes from elsewhere are left out")
        return {}
    return {f"elsewhere_{p.stem}": filled(read_scene(p, offset=0))
            for p in sorted(Path(folder).glob("*.tif"))}


def _synthetic() -> dict[str, NDArray]:
    """Return ``rock_NAME`` (10, row, col) and ``truth_NAME`` of landscapes with other rocks."""
    from unittest.mock import patch

    from lulc_lib.data.radiometry import to_reflectance
    from lulc_lib.landscape import STRZEGOM, class_map, make_layout, render, scenes, stream

    out, usual = {}, render.spectrum
    days = [s for s in scenes() if s.site is STRZEGOM and not s.test]
    layouts = [make_layout(SEED + n, STRZEGOM) for n in range(2)]
    for number, (name, rock) in enumerate(ROCKS.items()):
        seed, scene = SEED + number % 2, days[number % len(days)]
        layout = layouts[number % 2]
        truth = class_map(layout, scene.date)

        def other(key: str, day: object, rock: tuple[float, ...] = rock) -> tuple:
            spectrum = usual(key, day)
            if key != "quarry":
                return spectrum
            ratio = np.array(rock) / spectrum.mean
            return type(spectrum)(*(np.asarray(v) * ratio for v in spectrum))

        with patch.object(render, "spectrum", other):
            dn = render.render(stream(seed, scene.stem), stream(seed, "strzegom", "spectra"),
                               layout, truth, scene)
        window = _most_quarry(truth)
        out[f"rock_{name}"] = to_reflectance(dn, scene.offset)[:, *window]
        out[f"truth_{name}"] = truth[window]
    return out


def _most_quarry(truth: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Return the window of ``SIDE`` pixels that holds the most quarry, away from the edge."""
    corners = [(r, c) for r in range(2, truth.shape[0] - SIDE - 2, 29)
               for c in range(2, truth.shape[1] - SIDE - 2, 29)]
    windows = [np.s_[r:r + SIDE, c:c + SIDE] for r, c in corners]
    return max(windows, key=lambda w: (truth[w] == legend.code("quarry")).sum())


def open_sea(shape: tuple[int, int], seed: int = 3) -> NDArray[np.float32]:
    """Return (10, row, col) reflectance of open sea."""
    mean = np.array([.045, .030, .012, .010, .008, .008, .006, .006, .004, .003])
    noise = np.random.default_rng(seed).normal(0, 0.0025, (10, *shape))
    return (mean[:, None, None] + noise).clip(1e-4).astype(np.float32)


def unbroken_cloud(shape: tuple[int, int], seed: int = 4) -> NDArray[np.float32]:
    """Return (10, row, col) reflectance of a closed cloud deck."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    mean = np.array([.72, .70, .70, .71, .72, .73, .73, .74, .50, .38])
    field = sum(s * ndimage.gaussian_filter(rng.normal(size=shape), s) for s in (3, 10, 30))
    cover = mean[:, None, None] * (1 + 0.15 * field / field.std())
    return (cover + rng.normal(0, 0.005, (10, *shape))).clip(0.02).astype(np.float32)


def fold_of(name: str, codes: Sequence[NDArray[np.uint8]]) -> Fold:
    """Return the fold of a name; ``all`` and names from ``paper`` on hold nothing out.

    Parameters
    ----------
    name : str
        ``all``; a season, a date or a quadrant; SEASON-QUADRANT; or a random fold's own name.
    codes : sequence of array, (row, col) uint8 legend codes
        Labels of all training dates, on one grid.
    """
    codes = list(codes)
    for start, folds in (("random-patches", partial(random_patches, patch=100, folds=3)),
                         ("random-pixels", random_pixels), ("polygons", polygons_out)):
        if name.startswith(start):
            return next(f for f in folds(codes) if f.name == name)
    if name == "all" or name.startswith("paper"):
        return make_fold(codes)
    season, _, quadrant = name.rpartition("-") if name[-2:] in QUADRANTS else (name, "", None)
    return make_fold(codes, season or None, quadrant)
