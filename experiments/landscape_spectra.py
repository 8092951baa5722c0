"""Measure class spectra on the published Strzegom scenes; the result is ``spectra.csv``.

``python -m experiments.landscape_spectra FOLDER [-o spectra.csv]`` reads scenes and labels of the
seven Strzegom dates and writes one row per class, date and band: reflectance (0–1) mean, spread
between labelled objects and spread within them. The first principal components of both spreads keep
the correlation of the bands.

Grassland is not labelled at Strzegom. Its rows are derived, half growing crops, three tenths ripe
crops and one fifth mixed forest of the same date, and carry ``n_pixels`` 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from lulc_lib import legend
from lulc_lib.data import series
from lulc_lib.data.reference import read_codes
from lulc_lib.data.scenes import BANDS, read_scene, valid_mask
from lulc_lib.paths import published_dir

SITE = "strzegom"
GRASS_MIX = {"crops_growing": 0.5, "crops_ripe": 0.3, "mixed_forest": 0.2}
"""Share of each measured class in the derived grassland spectrum."""

MIN_OBJECT_PIXELS = 9
"""Labelled objects smaller than this do not enter the spread between objects."""


def read_dates(folder: Path) -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.uint8]]]:
    """Yield date, reflectance ``(band, row, col)`` and legend codes ``(row, col)`` of Strzegom.

    A pixel without data in any band becomes NO_DATA.
    """
    found = series.training_series(SITE, folder)
    test = read_scene(series.scene_path(SITE, folder))
    pairs = {d: (scene, found.labels[d]) for d, scene in found.scenes.items()}
    pairs[test.attrs["date"]] = test, read_codes(series.raster_path(SITE, folder), test)
    for day, (scene, codes) in pairs.items():
        yield day, scene.values, np.where(valid_mask(scene), codes, legend.NO_DATA)


def component(samples: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Return principal component ``order`` (0 first) of ``(sample, band)``, scaled to its sd.

    Zeros if there are too few samples. The sign is such that it sums to a positive value.
    """
    if len(samples) <= order + 1:
        return np.zeros(samples.shape[1])
    values, vectors = np.linalg.eigh(np.cov(samples, rowvar=False))
    pc = vectors[:, -1 - order] * np.sqrt(max(values[-1 - order], 0))
    return pc if pc.sum() >= 0 else -pc


def measure_class(reflectance: NDArray[np.float32], codes: NDArray[np.uint8], key: str, date: str
                  ) -> pd.DataFrame | None:
    """Measure one class at one date, a row per band; None where the class is not labelled."""
    chosen = codes == legend.code(key)
    if not chosen.any():
        return None
    objects, n = ndimage.label(chosen)
    pixels = reflectance[:, chosen].T.astype(np.float64)
    ids = objects[chosen]
    size = np.bincount(ids, minlength=n + 1)
    sums = np.stack([np.bincount(ids, b, n + 1) for b in pixels.T], 1)
    means = sums / np.maximum(size, 1)[:, None]
    large = size[1:] >= MIN_OBJECT_PIXELS
    between = means[1:][large] if large.sum() > 3 else means[1:]
    within = pixels - means[ids]
    several = len(between) > 1
    return pd.DataFrame({
        "class": key, "date": date, "band": BANDS, "n_pixels": len(pixels),
        "n_objects": n, "mean": pixels.mean(0),
        "between_sd": between.std(0, ddof=1) if several else np.zeros(len(BANDS)),
        "between_pc1": component(between, 0), "between_pc2": component(between, 1),
        "within_sd": within.std(0), "within_pc1": component(within, 0),
    })


def derive_grassland(measured: pd.DataFrame) -> pd.DataFrame:
    """Derive grassland rows as the fixed mix of measured classes, where a date has them all."""
    parts = []
    for key, share in GRASS_MIX.items():
        part = measured[measured["class"] == key].set_index(["date", "band"])
        numbers = part.select_dtypes(float) * share
        parts.append(numbers)
    mixed = sum(parts[1:], parts[0]).dropna().reset_index()
    return mixed.assign(**{"class": "grassland", "n_pixels": 0, "n_objects": 0})[measured.columns]


def measure_spectra(folder: Path) -> pd.DataFrame:
    """Measure the class spectra of the seven Strzegom dates in ``folder`` (published layout).

    Returns
    -------
    DataFrame
        Columns class (legend key), date (YYYY-MM-DD), band, n_pixels, n_objects, mean, between_sd,
        between_pc1, between_pc2, within_sd, within_pc1; all but the counts in reflectance.
    """
    rows = []
    for day, reflectance, codes in read_dates(folder):
        rows += [measure_class(reflectance, codes, key, day) for key in legend.BY_KEY]
    measured = pd.concat([r for r in rows if r is not None], ignore_index=True)
    return pd.concat([measured, derive_grassland(measured)], ignore_index=True)


PLACE = Path(__file__).parents[1] / "lulc_lib" / "landscape" / "spectra.csv"


def main() -> None:
    """Measure and write the table, from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=published_dir())
    parser.add_argument("-o", type=Path, default=PLACE)
    given = parser.parse_args()
    measure_spectra(given.folder).to_csv(given.o, index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
