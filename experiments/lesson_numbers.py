"""The numbers that the lessons (notebooks 05a, 05b) teach with, most from the released rasters.

``python -m experiments.lesson_numbers`` writes them to ``lulc_lib/accuracy/lesson/*.csv``; a test
makes them again and compares. The lesson itself then needs no raster and no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from lulc_lib import landscape, legend, paths, results
from lulc_lib.accuracy import protocols
from lulc_lib.accuracy.splits import QUADRANTS, SEASON_GROUPS, SEASONS
from lulc_lib.data import places, reference, series
from lulc_lib.data.catalogue import select, training_pairs
from lulc_lib.data.scenes import read_scene
from lulc_lib.landscape.labels import published_map

FOLDER = Path(__file__).parents[1] / "lulc_lib" / "accuracy" / "lesson"
FOLDS, TREES, SEED = 5, 50, 0
SEEN = {"seen_never": places.NEVER, "seen_other_class": places.OTHER_CLASS,
        "seen_same_class": places.SAME_CLASS}


class Site(NamedTuple):
    """A site's published map, its reference polygons' codes, and their numbers, on one grid."""

    map: xr.DataArray
    reference: xr.DataArray
    polygons: xr.DataArray


def read_site(site: str, root: Path) -> Site:
    """Read published map, reference at pixel centres, polygon numbers: (y, x) each, 0 is none."""
    grid = reference.read_codes(series.map_path(site, root))
    polygons = series.site_polygons(site, root)
    return Site(grid, reference.rasterise(polygons, grid, "centre"),
                reference.rasterise_ids(polygons, grid, "centre"))


def counts(
    map_codes: NDArray[np.uint8], reference_codes: NDArray[np.uint8], **keys: NDArray[np.generic]
) -> pd.DataFrame:
    """Count pixels per map class and reference class (and further keys), in long form.

    Parameters
    ----------
    map_codes, reference_codes : array, one shape, uint8 legend codes
        Pixels whose reference is NO_DATA are left out.
    **keys : array, one shape
        Further columns.
    """
    inside = reference_codes != legend.NO_DATA
    columns = {k: v[inside] for k, v in keys.items()}
    columns |= {"map_class": map_codes[inside], "reference_class": reference_codes[inside]}
    return pd.DataFrame(columns).value_counts().sort_index().rename("pixels").reset_index()


def polygon_counts(root: Path) -> pd.DataFrame:
    """Count Strzegom's pixels per reference polygon, map class and reference class."""
    site = read_site("strzegom", root)
    return counts(site.map.values, site.reference.values, polygon=site.polygons.values)


def map_pixels(root: Path) -> pd.DataFrame:
    """Count the pixels of each class in the whole published map of Strzegom."""
    codes = reference.read_codes(series.map_path("strzegom", root)).values
    return pd.DataFrame({"map_class": legend.CODES,
                         "pixels": [int((codes == c).sum()) for c in legend.CODES]})


def matrices(root: Path) -> pd.DataFrame:
    """Make every named confusion matrix of the lesson, long: name, map and reference class."""
    named = [*reference_matrices(root), *seen_matrices(root), *copied_labels(root),
             *hold_outs(root), *synthetic(), *seasons()]
    return pd.concat([table.assign(name=name) for name, table in named])[
        ["name", "map_class", "reference_class", "pixels"]]


def seasons() -> Iterator[tuple[str, pd.DataFrame]]:
    """Count each season's labels when a date at a time, and when the whole season was left out.

    From the results of experiments/protocols.py, the first seed. The former model's settings were
    run with a season left out only where a quadrant was missing in training as well.
    """
    values = results.read_results("published", "protocols", root=paths.project_root())
    for season, quadrant in zip(SEASONS, QUADRANTS, strict=True):
        dates = SEASON_GROUPS[season]
        for name, candidate, folds in (
                ("date", "augmented", dates), ("season", "augmented", [season]),
                ("former_date", "per_scene", dates),
                ("former_season", "per_scene", [f"{season}-{quadrant}"])):
            jobs = values["jobs"][candidate]
            matrix = sum(protocols.counts(jobs[f][str(SEED)]["confusion"]["place_known"])
                         for f in folds)
            pixels = matrix.stack().rename("pixels").reset_index()
            yield f"{name}_{season}", pixels[pixels.pixels > 0]


def synthetic() -> Iterator[tuple[str, pd.DataFrame]]:
    """Count all pixels of the synthetic Strzegom: a map with errors against the truth."""
    scene = next(s for s in landscape.scenes() if s.test and s.site == landscape.STRZEGOM)
    truth = landscape.class_map(landscape.make_layout(SEED, scene.site), scene.date)
    shown = published_map(landscape.stream(SEED, scene.stem, "map"), scene.site.name, truth)
    yield "synthetic", counts(shown, truth)


def reference_matrices(root: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Count the Strzegom map against three references, and inside and rim of the polygons."""
    site = read_site("strzegom", root)
    polygons = series.site_polygons("strzegom", root)
    yield "centre", counts(site.map.values, site.reference.values)
    touched = reference.rasterise(polygons, site.map, "all_touched").values
    yield "all_touched", counts(site.map.values, touched)
    raster = select(role="reference", kind="labels", site="strzegom")[0].path_in(root)
    yield "raster", counts(site.map.values, reference.read_codes(raster, site.map).values)
    inner = np.zeros(site.map.shape, dtype=bool)
    for number in np.unique(site.polygons.values)[1:]:
        inner |= ndimage.binary_erosion(site.polygons.values == number)
    for name, part in (("inside", inner), ("rim", ~inner)):
        yield name, counts(site.map.values, np.where(part, site.reference.values, legend.NO_DATA))
    outer = np.where(site.reference.values == legend.NO_DATA, touched, legend.NO_DATA)
    yield "touched_only", counts(site.map.values, outer)


def seen_matrices(root: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Count the Strzegom map on reference pixels by how the training labels saw them."""
    site = read_site("strzegom", root)
    labels = list(series.training_series("strzegom", root).labels.values())
    seen = places.seen_in_training(site.reference, labels).values
    for name, value in SEEN.items():
        yield name, counts(site.map.values, np.where(seen == value, site.reference.values, 0))


def copied_labels(root: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Count Kolbuszowa's training labels nearest in time, taken as a map, and the published map.

    Both on the reference pixels that these training labels cover.
    """
    site = read_site("kolbuszowa", root)
    date = pd.Timestamp(select(role="published_map", kind="map", site="kolbuszowa")[0].date)
    files = [labels for _, labels in training_pairs("kolbuszowa")]
    nearest = min(files, key=lambda f: abs(pd.Timestamp(f.date) - date))
    copied = reference.read_codes(nearest.path_in(root), site.map).values
    both = np.where(copied != legend.NO_DATA, site.reference.values, legend.NO_DATA)
    yield "kolbuszowa", counts(site.map.values, site.reference.values)
    yield "kolbuszowa_copied_labels", counts(copied, both)
    yield "kolbuszowa_network", counts(site.map.values, both)


def hold_outs(root: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Cross-validate two classifiers of the Strzegom test scene by pixels and by polygons.

    A Random Forest sees the ten bands; a nearest neighbour sees nothing but the pixel's place.
    """
    site = read_site("strzegom", root)
    bands = read_scene(series.scene_path("strzegom", root)).values
    use = (site.reference.values != legend.NO_DATA) & np.isfinite(bands).all(axis=0)
    codes, groups = site.reference.values[use], site.polygons.values[use]
    forest = RandomForestClassifier(TREES, random_state=SEED, n_jobs=-1)
    models = {"forest": (forest, bands[:, use].T),
              "place": (KNeighborsClassifier(1), np.argwhere(use))}
    for name, (model, features) in models.items():
        by_pixel = cross_val_predict(model, features, codes,
                                     cv=KFold(FOLDS, shuffle=True, random_state=SEED))
        by_polygon = cross_val_predict(model, features, codes, groups=groups,
                                       cv=GroupKFold(FOLDS, shuffle=True, random_state=SEED))
        yield f"{name}_random_pixels", counts(by_pixel, codes)
        yield f"{name}_whole_polygons", counts(by_polygon, codes)


def importance(root: Path) -> pd.DataFrame:
    """Summarise how the trees rank the bands, from the results of notebook 03 over its draws."""
    values, rows = results.read_results("published", "earth_engine", root=paths.project_root()), []
    for measure in ("importance", "permutation_importance"):
        for classifier, orders in values[measure].items():
            for order, by_band in orders.items():
                draws = pd.DataFrame(by_band)
                if measure == "importance":
                    draws = draws.div(draws.sum(axis=1), axis=0)
                first = draws.idxmax(axis=1)
                rows += [(classifier, order, measure, band, one.mean(), one.quantile(0.1),
                          one.quantile(0.9), (first == band).mean()) for band, one in draws.items()]
    names = ["classifier", "order", "measure", "band", "mean", "low", "high", "leads"]
    return pd.DataFrame(rows, columns=names).round(4)


TABLES = {"polygons": polygon_counts, "map_pixels": map_pixels, "matrices": matrices,
          "importance": importance}


def main(root: Path | None = None, folder: Path = FOLDER) -> None:
    """Write every table of the lesson as ``<name>.csv`` into ``folder``."""
    for name, make in TABLES.items():
        make(root or paths.published_dir()).to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
