"""Pixel classifiers on the folds, labels and inputs that the networks get.

    python -m experiments.fair_pixels --prepare          # the test scene's file, for fold "paper"
    python -m experiments.fair_pixels [--jobs 2]         # fits and counts; no raster library

Reads the scenes' file of experiments/protocols.py. Each fold and model is a file in --out, so a run
that was stopped goes on, with the seeds that a file lacks; ``--seconds`` starts no job later than
that. Every model of a fold and
seed is fitted on the same labelled pixels: at most ``CAP`` of a class and date, drawn at random
from those that the fold leaves after label propagation, weighted back to the shares of the labels
unless tuning decides otherwise. What is counted are all reference pixels that the fold holds out,
by label cluster: [cluster, map class, reference class, pixels]. Seconds are those of the CPU, so
that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import base64
import json
import multiprocessing
import time
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from experiments.protocol_scenes import UNIT, Scenes, fold_of
from lulc_lib import legend
from lulc_lib.accuracy.pixel_models import (
    CLASSES,
    IGNORE,
    MODELS,
    IndexRule,
    Scaled,
    choose,
    fitted,
    training_pixels,
)
from lulc_lib.accuracy.splits import QUADRANTS, SEASON_GROUPS, SEASONS, Fold, refuse_leak
from lulc_lib.io import written_whole
from lulc_lib.unet.config import STABLE_CLASSES

SEEDS = (0, 1, 2)
TEST_DATE = "2023-07-09"
PAPER_DATES = {"paper": 6, "paper-three": 3, "paper-one": 1}
NEAREST = ("2022-07-19", "2022-06-19", "2021-06-19", "2022-10-12", "2023-03-01", "2023-02-09")
"""Training dates by distance in season from the test date."""

POINTS = {"paper-points": 675, "paper-polygons": None}
"""Folds that learn from 70 % of the test scene's own polygons: pixels that they may use."""

FORESTS = ("forest_ee_per_scene", "forest_ee_network_input")
SCHEMES = tuple(m for m in MODELS if m.startswith("forest_scheme"))
ALL_PIXELS = ("forest_ee_all_pixels", "svm_tuned_all_pixels")
MAIN = tuple(m for m in MODELS if m not in (*FORESTS, *SCHEMES, *ALL_PIXELS))
MUST = ("forest_tuned", "svm_tuned", "boosting", "index_rule")
PAIRS = tuple(f"{s}-{QUADRANTS[n]}" for n, s in enumerate(SEASONS))
DATES = tuple(d for s in SEASONS for d in SEASON_GROUPS[s])
ONCE = ("random-patches-1", "random-pixels-1", "polygons-1", *QUADRANTS)


def all_jobs() -> list[tuple[str, str]]:
    """Return every (fold, model), the most important first."""
    must = [(f, m) for f in (*PAIRS, "paper", *SEASONS, *DATES) for m in MUST]
    rest = [m for m in MAIN if m not in MUST]
    jobs = [
        *must, *((f, m) for f in (*SEASONS, *PAIRS, "paper") for m in rest),
        *((f, "forest_ee") for f in (*POINTS, "paper-one", "paper-three")),
        *((f, m) for f in ("paper", *SEASONS) for m in FORESTS),
        *((f, m) for f in (*SEASONS, *PAIRS) for m in SCHEMES),
        *((f, m) for f in ONCE for m in MUST),
        *((f, m) for f in (*POINTS, "paper-one", "paper-three") for m in
          ("cart_ee", "svm_ee", "forest_tuned")),
        *((f, m) for f in (*DATES, *ONCE) for m in rest),
        *((f, m) for f in (*PAIRS, "paper") for m in ALL_PIXELS),
    ]
    return list(dict.fromkeys(jobs))


class Data:
    """Scenes, labels and inputs of all dates, and the test scene if its file is there."""

    def __init__(self, scenes: Path, test: Path) -> None:
        self.base = Scenes(scenes)
        self.dates, self.codes = list(self.base.dates), self.base.codes
        self.clusters = self.base.clusters
        self.inputs = {d: features(s) for d, s in zip(self.dates, self.base.scenes, strict=True)}
        self.shape = self.codes[0].shape
        self.test: dict[str, NDArray] = {}
        if test.exists():
            with np.load(test) as stored:
                self.test = {k: stored[k] for k in stored.files}
            scene = self.test["scene"].astype(np.float32) * np.float32(UNIT)
            self.inputs[TEST_DATE] = features(scene)


def features(scene: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return (pixel, channel) inputs by name of (10, row, col) reflectance.

    ``bands``: reflectance. ``per_scene``: standardised by the scene's mean and deviation.
    ``network``: the 18 channels of the network's fixed input.
    """
    import torch

    from lulc_lib.unet.inputs import FixedInput

    torch.set_num_threads(1)
    channels = FixedInput()(torch.from_numpy(scene[None]))[0].numpy()
    bands = scene.reshape(len(scene), -1).T
    scaled = (bands - bands.mean(0)) / bands.std(0)
    return {"bands": np.ascontiguousarray(bands), "per_scene": scaled.astype(np.float32),
            "network": np.ascontiguousarray(channels.reshape(len(channels), -1).T)}


def training_labels(data: Data, fold: Fold, name: str) -> dict[str, NDArray[np.uint8]]:
    """Return date to (row, col) legend codes that a fold may learn from; refuse what leaks."""
    if name in POINTS:
        return {TEST_DATE: np.where(held_polygons(data), legend.NO_DATA, data.test["codes"])}
    from lulc_lib.unet.label_propagation import agreed_labels

    kept = fold.training_dates(data.dates)
    if name in PAPER_DATES:
        kept = sorted(NEAREST[:PAPER_DATES[name]])
    stack = np.stack([fold.training_labels(data.codes[data.dates.index(d)]) for d in kept])
    stack = agreed_labels(stack, [legend.code(k) for k in STABLE_CLASSES])
    for date, raster in zip(kept, stack, strict=True):
        refuse_leak(fold, date, raster)
    return dict(zip(kept, stack, strict=True))


def held_polygons(data: Data, share: float = 0.3, seed: int = 0) -> NDArray[np.bool_]:
    """Return (row, col) bool: the test scene's polygons that points and polygons are tested on."""
    held, rng = np.zeros(data.shape, dtype=bool), np.random.default_rng(seed)
    codes, polygons = data.test["codes"], data.test["polygons"]
    for code in np.unique(codes[codes != legend.NO_DATA]):
        numbers = rng.permutation(np.unique(polygons[codes == code]))
        held |= np.isin(polygons, numbers[:max(round(share * len(numbers)), 1)]) & (codes == code)
    return held


def parts(data: Data, fold: Fold, name: str) -> dict[str, dict[str, NDArray[np.uint8]]]:
    """Return part → date → (row, col) class indexes of what is assessed, IGNORE elsewhere."""
    if name.startswith("paper"):
        held, codes = held_polygons(data), data.test["codes"]
        ever = (data.codes != legend.NO_DATA).any(axis=0)
        which = {"polygons_held_out": held} if name in POINTS else {
            "all": codes > 0, "polygons_held_out": held, "labelled_in_training": ever,
            "never_labelled": ~ever}
        return {p: {TEST_DATE: np.where(at, legend.to_index(codes), IGNORE)}
                for p, at in which.items()}
    found: dict[str, dict[str, NDArray[np.uint8]]] = {}
    for date, target in zip(data.dates, data.base.targets, strict=True):
        if date in fold.dates or not fold.dates:
            for part, at in (("place_known", ~fold.region), ("place_held_out", fold.region)):
                if (part == "place_held_out" or fold.dates) and (target[at] != IGNORE).any():
                    found.setdefault(part, {})[date] = np.where(at, target, IGNORE)
    return found


def by_cluster(mapped: NDArray, target: NDArray, clusters: NDArray) -> NDArray[np.int64]:
    """Count pixels of (cluster, map class, reference class)."""
    at = target != IGNORE
    numbers = (clusters[at].astype(np.int64) * CLASSES + mapped[at]) * CLASSES + target[at]
    return np.bincount(numbers, minlength=(int(clusters.max()) + 1) * CLASSES * CLASSES)


def sparse(counts: NDArray[np.int64]) -> list[list[int]]:
    """Return rows [cluster, map class, reference class, pixels]."""
    at = np.flatnonzero(counts)
    rows = [at // CLASSES**2, at // CLASSES % CLASSES, at % CLASSES, counts[at]]
    return np.stack(rows, axis=1).tolist()


def lacking(file: Path, seeds: Sequence[int]) -> tuple[dict[str, Any], list[int]]:
    """Return what a job's file holds, nothing if there is none, and the seeds that it lacks."""
    there = json.loads(file.read_text()) if file.exists() else {}
    return there, [s for s in seeds if str(s) not in there.get("networks", {})]


def joined(there: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return a job's content with the networks of further seeds; else it stays the first run's."""
    if not there:
        return found
    return there | {"networks": there["networks"] | found["networks"],
                    "seconds": round(there["seconds"] + found["seconds"], 2)}


def run_job(data: Data, name: str, model_name: str, seeds: Sequence[int] = SEEDS,
            there: dict[str, Any] | None = None) -> dict[str, Any]:
    """Tune a model on a fold unless ``there`` has its settings, fit it with every seed, count."""
    begin, model, fold = time.process_time(), MODELS[model_name], fold_of(name, data.codes)
    labels = training_labels(data, fold, name)
    settings, scores = (there["settings"], there["tuning"]) if there else choose(
        data.inputs, labels, model)
    tuned, targets = time.process_time() - begin, parts(data, fold, name)
    clusters = data.test["polygons"] if name.startswith("paper") else data.clusters
    held = sorted({d for dates in targets.values() for d in dates})
    found: dict[str, Any] = {"fold": name, "model": model_name, "settings": settings,
                             "tuning": scores, "tuning_seconds": round(tuned, 2), "networks": {}}
    for seed in seeds:
        x, y, w = training_pixels(data.inputs, labels, model, model.cap, seed, POINTS.get(name))
        start = time.process_time()
        estimator = fitted(model, settings, seed, x, y, w)
        trained = time.process_time()
        maps = {d: estimator.predict(data.inputs[d][model.inputs]).reshape(data.shape)
                for d in held}
        done = time.process_time()
        megapixels = len(held) * np.prod(data.shape) / 1e6
        found["networks"][str(seed)] = {
            "clusters": {p: sparse(sum(by_cluster(maps[d], t, clusters)
                                       for d, t in dates.items()))
                         for p, dates in targets.items()},
            "training_pixels": len(y), "training_seconds": round(trained - start, 3),
            "seconds_per_megapixel": round((done - trained) / megapixels, 3),
            "parameters": size_of(estimator)}
        if seed == seeds[0]:
            first = next(d for d in held)
            packed = zlib.compress(maps[first].astype(np.uint8).tobytes(), 9)
            found["map"] = base64.b64encode(packed).decode()
    return found | {"seconds": round(time.process_time() - begin, 2)}


def prepare(path: Path) -> None:
    """Write the test scene, its reference's codes and polygon numbers."""
    import geopandas as gpd

    from lulc_lib import paths
    from lulc_lib.data import filled, read_scene
    from lulc_lib.data.reference import rasterise, rasterise_ids
    from lulc_lib.data.series import scene_path

    root = paths.published_dir()
    scene = read_scene(scene_path("strzegom", root))
    polygons = gpd.read_file(root / "test_mask" / "strzegom_ref.gpkg")
    polygons = polygons.rename(columns={"label": "code"}) if "code" not in polygons else polygons
    codes, numbers = (f(polygons, scene, pixel_rule="centre").values
                      for f in (rasterise, rasterise_ids))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, scene=np.rint(filled(scene) / UNIT).astype(np.int16),
                        codes=codes.astype(np.uint8), polygons=numbers.astype(np.int32))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {(codes > 0).sum()} reference pixels")


_DATA: Data | None = None


def _work(job: tuple[str, str], out: Path, deadline: float, seeds: Sequence[int]) -> str:
    """Do what a job lacks if there is time."""
    name, model = job
    target = out / f"{name}__{model}.json"
    there, missing = lacking(target, seeds)
    if not missing or (name.startswith("paper") and not _DATA.test):
        return f"{name} {model}: {'no test scene' if missing else 'there'}"
    if time.time() > deadline:
        return f"{name} {model}: out of time"
    try:
        content = joined(there, run_job(_DATA, name, model, missing, there))
    except Exception as error:  # one job must not end the others
        return f"{name} {model}: {error!r}"
    with written_whole(target) as part:
        part.write_text(json.dumps(content))
    return f"{name} {model}: {content['seconds']} s"


def run_all(jobs: Sequence[tuple[str, str]], out: Path, processes: int, deadline: float,
            seeds: Sequence[int]) -> Iterator[str]:
    """Do all jobs in processes that share the data."""
    out.mkdir(parents=True, exist_ok=True)
    work = partial(_work, out=out, deadline=deadline, seeds=seeds)
    if processes == 1:
        yield from map(work, jobs)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap_unordered(work, jobs)


def size_of(estimator: Any) -> int:
    """Return the numbers that a fitted model consists of: thresholds, leaves or weights."""
    if isinstance(estimator, IndexRule):
        return int(np.isfinite(estimator.bounds_).sum()) + 1
    if isinstance(estimator, Scaled):
        return estimator.model_.coef_.size + estimator.model_.intercept_.size
    if isinstance(estimator, DecisionTreeClassifier):
        return estimator.tree_.node_count
    if isinstance(estimator, RandomForestClassifier):
        return sum(t.tree_.node_count for t in estimator.estimators_)
    return sum(len(tree.nodes) for trees in estimator._predictors for tree in trees)


def main() -> None:
    """Prepare the test scene's file, or fit and count."""
    global _DATA
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, default=Path("build/protocols/scenes.xz"))
    parser.add_argument("--test", type=Path, default=Path("build/fair/test_scene.npz"))
    parser.add_argument("--out", type=Path, default=Path("build/fair/jobs"))
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seconds", type=float, default=1e9, help="start no job later than this")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--folds", nargs="+")
    parser.add_argument("--models", nargs="+", choices=[*MODELS], metavar="NAME")
    args = parser.parse_args()
    if args.prepare:
        return prepare(args.test)
    start, _DATA = time.time(), Data(args.scenes, args.test)
    jobs = [(f, m) for f, m in all_jobs() if (not args.folds or f in args.folds)
            and (not args.models or m in args.models)]
    for line in run_all(jobs, args.out, args.jobs, start + args.seconds, args.seeds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
