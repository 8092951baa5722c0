"""Networks trained for the paper's own protocol, for less data, and for merged classes.

    python -m experiments.fair_networks [--jobs 3]

What experiments/protocols.py leaves out, on the same labels as experiments/fair_pixels.py and into
the same kind of files: all training dates, three, one, or points and polygons of the test scene
itself (fold names ``paper…``), counted on the test scene; and seasons and places left out with
crops, bare ground or both merged. Uses a GPU where there is one.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
import zlib
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.fair_pixels import (
    DATES,
    PAIRS,
    POINTS,
    SEEDS,
    TEST_DATE,
    Data,
    by_cluster,
    fold_of,
    joined,
    lacking,
    parts,
    sparse,
    training_labels,
)
from experiments.protocol_assess import Mapper
from experiments.protocol_scenes import UNIT
from experiments.protocols import CANDIDATES, TOGETHER
from lulc_lib import legend
from lulc_lib.accuracy.pixel_models import MERGED, draw
from lulc_lib.io import written_whole
from lulc_lib.unet.checkpoint import build
from lulc_lib.unet.config import TrainConfig, steps_per_epoch
from lulc_lib.unet.dataset import TrainingSet
from lulc_lib.unet.device import pick_device
from lulc_lib.unet.learner import Learner, run_together
from lulc_lib.unet.parallel import in_parallel

NARROW = {f"{name}_narrow": CANDIDATES[name].with_(
    base_channels=CANDIDATES[name].base_channels // 4, epochs=12)
    for name in ("paper", "unet_plus_plus", "fcn")}
"""The paper's networks with a quarter of the channels and half of the steps, for CPUs."""

SETTINGS = CANDIDATES | NARROW
PAIR = "augmented_and_relative"
"""A network of each of the shipped model's two kinds; with all seeds, the six of them."""

Job = tuple[str, str, str, tuple[int, ...]]
"""Fold, candidate, merged classes (key of ``MERGED`` or empty) and seeds."""


def all_jobs() -> list[Job]:
    """Return every job, the most important first."""
    leaks = ("random-patches-1", "polygons-1", "random-pixels-1", "NW")
    return [
        *((fold, "paper_narrow", "", SEEDS) for fold in (*PAIRS, "paper", *DATES)),
        *((fold, PAIR, "", SEEDS) for fold in DATES),
        *((fold, "augmented", "", (0,)) for fold in leaks),
        *((fold, name, "", (0,)) for fold in (*PAIRS, "paper")
          for name in ("unet_plus_plus_narrow", "fcn_narrow")),
        *((fold, "augmented", "", SEEDS) for fold in ("paper-polygons", "paper-one")),
        *((fold, "paper_narrow", "", (0,)) for fold in leaks),
        *((fold, "augmented", "both", (0,)) for fold in PAIRS),
        *((fold, "augmented", "", SEEDS) for fold in ("paper-points", "paper-three")),
        *(("paper", name, "", SEEDS) for name in ("paper", "per_scene", "augmented")),
        *((fold, "augmented", merged, (0,)) for merged in ("crops", "bare") for fold in PAIRS),
        *(("paper", name, "", (0,)) for name in ("unet_plus_plus", "fcn", "no_augmentation")),
    ]


def scenes_of(data: Data, dates: Sequence[str]) -> np.ndarray:
    """Return (date, 10, row, col) reflectance."""
    test = data.test["scene"].astype(np.float32) * np.float32(UNIT)
    every = dict(zip(data.dates, data.base.scenes, strict=True)) | {TEST_DATE: test}
    return np.stack([every[d] for d in dates])


def training_set(data: Data, fold: str, config: TrainConfig, merged: str) -> TrainingSet:
    """Return what a network may learn from: the labels that the pixel classifiers get."""
    held = fold_of(fold, data.codes)
    labels = training_labels(data, held, fold)
    if POINTS.get(fold):
        (date, raster), = labels.items()
        (_, at, index, _), = draw(labels, 0, 0, POINTS[fold])
        some = np.zeros_like(raster)
        some.flat[at] = legend.to_code(index)
        labels = {date: some}
    for old, new in MERGED.get(merged, {}).items():
        labels = {d: np.where(r == legend.CODES[old], legend.CODES[new], r).astype(np.uint8)
                  for d, r in labels.items()}
    inputs = Mapper.inputs(config.normalisation, torch.from_numpy(scenes_of(data, list(labels))))
    return TrainingSet.of(list(inputs.numpy()), list(labels.values()), config.patch_size,
                          [0] * len(labels), rock=config.augment is not None,
                          allowed=held.allowed_patches(config.patch_size))


@cache
def _data(scenes: Path, test: Path) -> Data:
    return Data(scenes, test)


def run_job(job: Job, args: argparse.Namespace, deadline: float) -> str:
    """Train, count and write what a job lacks, if there is time."""
    fold, name, merged, seeds = job
    model = name + (f"_scheme_{merged}" if merged else "")
    target = args.out / f"{fold}__{model}.json"
    there, missing = lacking(target, seeds)
    if not missing or time.time() > deadline:
        return f"{fold} {model}: {'out of time' if missing else 'there'}"
    try:
        content = _trained_and_counted((fold, name, merged, tuple(missing)), args)
    except Exception as error:  # one job must not end the others
        return f"{fold} {model}: {error!r}"
    with written_whole(target) as part:
        part.write_text(json.dumps(joined(there, {"model": model, **content})))
    return f"{fold} {model}: {content['seconds']} s"


def _trained_and_counted(job: Job, args: argparse.Namespace) -> dict[str, Any]:
    fold, name, merged, seeds = job
    begin, data = time.time(), _data(args.scenes, args.test)
    configs = [SETTINGS[n] for n in TOGETHER.get(name, (name,))]
    known = [training_set(data, fold, c, merged) for c in configs]
    steps = args.steps or configs[0].epochs * steps_per_epoch(configs[0], 6 * 401 * 401)
    made = {s: [Learner(k, c, s, pick_device(), steps)
                for k, c in zip(known, configs, strict=True)] for s in seeds}
    every = [learner for some in made.values() for learner in some]
    run_together(every)
    trained = time.time()
    targets = parts(data, fold_of(fold, data.codes), fold)
    held = sorted({d for dates in targets.values() for d in dates})
    clusters = data.test["polygons"] if fold.startswith("paper") else data.clusters
    found: dict[str, Any] = {
        "fold": fold, "steps": steps, "device": torch.cuda.get_device_name()
        if pick_device().type == "cuda" else "cpu", "trained_together": len(every),
        "training_seconds": round(trained - begin, 2),
        "parameters": sum(p.numel() for p in every[0].model.parameters()), "networks": {}}
    voters = {str(s): [m.averaged() for m in some] for s, some in made.items()}
    if seeds == SEEDS:
        voters["ensemble"] = [m for some in voters.values() for m in some]
    for key, some in voters.items():
        mapped = Mapper(some, configs[0]).classes(scenes_of(data, held)).cpu().numpy()
        maps = dict(zip(held, mapped, strict=True))
        found["networks"][key] = {"clusters": {
            p: sparse(sum(by_cluster(maps[d], t, clusters) for d, t in dates.items()))
            for p, dates in targets.items()}}
        if key in (str(seeds[0]), "ensemble"):
            packed = zlib.compress(maps[held[0]].astype(np.uint8).tobytes(), 9)
            found["map" if key == str(seeds[0]) else "ensemble_map"] = (
                base64.b64encode(packed).decode())
    return found | {"seconds": round(time.time() - begin, 1)}


def count_shipped(args: argparse.Namespace) -> None:
    """Count on the test scene the shipped model's networks, which protocols.py trained.

    The first network of each seed counts as the recipe's, the seed's networks together as the
    shipped model.
    """
    target = args.out / "paper__augmented.json"
    files = {str(s): args.shipped / f"networks_augmented_{s}.pt" for s in SEEDS}
    if target.exists() or not all(f.exists() for f in files.values()):
        return
    data, config = _data(args.scenes, args.test), SETTINGS["augmented"]
    targets = parts(data, fold_of("paper", data.codes), "paper")
    found: dict[str, Any] = {"fold": "paper", "model": "augmented", "networks": {}}
    for seed, file in files.items():
        stored, models = torch.load(file, weights_only=True), []
        for weights in stored["weights"]:
            models.append(build(config))
            models[-1].load_state_dict(weights)
        for key, some in ((seed, models[:1]), (f"ensemble{seed}", models)):
            codes = Mapper(some, config).classes(scenes_of(data, [TEST_DATE]))[0].numpy()
            found["networks"][key] = {"clusters": {
                p: sparse(by_cluster(codes, t[TEST_DATE], data.test["polygons"]))
                for p, t in targets.items()}}
            if key == f"ensemble{SEEDS[0]}":
                packed = zlib.compress(codes.astype(np.uint8).tobytes(), 9)
                found["map"] = base64.b64encode(packed).decode()
    found |= {"parameters": sum(p.numel() for p in models[0].parameters()),
              "steps": stored["steps"], "device": stored["device"],
              "training_seconds": stored["seconds"], "trained_together": len(models)}
    target.write_text(json.dumps(found))


def main() -> None:
    """Train and count everything that is not done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, default=Path("build/protocols/scenes.xz"))
    parser.add_argument("--test", type=Path, default=Path("build/fair/test_scene.npz"))
    parser.add_argument("--out", type=Path, default=Path("build/fair/networks"))
    parser.add_argument("--shipped", type=Path, default=Path("build/protocols/jobs"),
                        help="where protocols.py --ship left its networks")
    parser.add_argument("--jobs", type=int, default=1, help="processes; 3 on a GPU")
    parser.add_argument("--seconds", type=float, default=1e9, help="start no job later than this")
    parser.add_argument("--steps", type=int, help="of every training, for a trial")
    parser.add_argument("--folds", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, help="other than each job's own")
    parser.add_argument("--models", nargs="+", choices=[*SETTINGS], metavar="NAME")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    count_shipped(args)
    jobs = [j for j in all_jobs() if not args.folds or j[0] in args.folds]
    jobs = [j for j in jobs if not args.models or j[1] in args.models]
    if args.seeds:
        jobs = [(f, n, m, tuple(s for s in seeds if s in args.seeds)) for f, n, m, seeds in jobs]
    work = partial(run_job, args=args, deadline=time.time() + args.seconds)
    for line in in_parallel(work, jobs, args.jobs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
