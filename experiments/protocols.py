"""The whole protocol matrix: train, assess by every protocol, choose by nested selection.

    python -m experiments.protocols --prepare          # reads rasters, writes the scenes' file
    python -m experiments.protocols [--jobs 2]         # trains and assesses; no raster library
    python -m experiments.protocols --write            # results/published/protocols.json

The middle step uses a GPU where there is one (``--jobs 6``), and can be stopped: a job whose file
is in --out is not done again. ``--seconds`` starts no job later than that. ``--short`` is for a
quick look on a CPU: one seed, folds of a season and a quadrant, training stopped at step 200 of
500, to be compared by macro F1 (how well its ranking agrees with the full one: ``agreement``).
``--ship`` trains the networks that train_study.py puts together. LULC_DATA and LULC_ELSEWHERE name
folders for ``--prepare``.

The results (see protocol_results.py for how each is made):

``candidates``  settings by name;  ``folds``  dates, share of the place held out
``jobs``        candidate → fold → network ("0", "1", "2": seeds; "ensemble": all) → counts:
                ``confusion`` by part (``place_known``: held-out dates outside the held-out place,
                ``place_held_out``: inside it; rows map, columns reference, one text a row),
                ``quarry_of``: rock → [recall, false share], ``clips``, ``covers``, ``reliability``,
                ``applicability``
``table``       candidate → protocol → [mean, worst] of seeds and of ensembles
``nested``      criterion → group → the candidate that the other groups chose, and its scores there
``agreement``   of rankings at step 200 and at the end;  ``temperature``  of the shipped networks
"""

from __future__ import annotations

import argparse
import json
import os
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from experiments.protocol_assess import Assessment, Mapper
from experiments.protocol_scenes import Scenes, fold_of, prepare
from lulc_lib import legend
from lulc_lib.accuracy.splits import QUADRANTS, SEASONS, Fold, refuse_leak
from lulc_lib.unet.augment import AugmentConfig
from lulc_lib.unet.config import RECIPE, TrainConfig, get_config, steps_per_epoch
from lulc_lib.unet.dataset import TrainingSet
from lulc_lib.unet.device import pick_device
from lulc_lib.unet.label_propagation import agreed_labels
from lulc_lib.unet.learner import Learner, run_together
from lulc_lib.unet.parallel import in_parallel
from lulc_lib.unet.train import MEMBER_SEEDS

SEEDS = (0, 1, 2)
SHORT = 200
"""Steps after which a look is taken at how far a training is."""

RELATIVE = RECIPE.with_(normalisation="relative_indices_texture")
WIDE = RECIPE.with_(normalisation="wide_relative_indices_texture")
PER_SCENE = RECIPE.with_(
    normalisation="per_scene", depth=4, convolutions=3, augment=None, statistics_augmentation=0.1,
    learning_rate=0.003)
"""The recipe of the former shipped model's first network."""

PAPER = get_config("paper")
CANDIDATES: dict[str, TrainConfig] = {
    "augmented": RECIPE,
    "relative": RELATIVE,
    "wide": WIDE,
    "without_leaf_off": RECIPE.with_(augment=AugmentConfig(leaf=0.0)),
    "less_rock": RECIPE.with_(augment=AugmentConfig(rock=0.25)),
    "deeper": RECIPE.with_(depth=4, convolutions=3),
    "no_augmentation": RECIPE.with_(augment=None),
    "per_scene": PER_SCENE,
    "paper": PAPER,
    "unet_plus_plus": PAPER.with_(network="unet_plus_plus", base_channels=32, convolutions=2),
    "fcn": PAPER.with_(network="fcn", convolutions=2),
}
TOGETHER = {"augmented_and_relative": ("augmented", "relative")}
"""Candidates that are ensembles of others' networks."""


@dataclass(frozen=True)
class Job:
    """Networks that are trained side by side on what a fold leaves.

    Attributes
    ----------
    names : tuple of str
        Candidates.
    fold : str
        Name of the fold; ``all`` holds nothing out.
    seeds : tuple of int
        Of each candidate.
    ship : int
        Number of networks of an ensemble to be shipped; 0: assess and forget the networks.
    """

    names: tuple[str, ...]
    fold: str
    seeds: tuple[int, ...] = SEEDS
    ship: int = 0

    def files(self, out: Path) -> list[Path]:
        """Return what the job writes."""
        if self.ship:
            return [out / f"networks_{self.names[0]}_{self.seeds[0]}.pt"]
        both = [t for t, parts in TOGETHER.items() if set(parts) <= set(self.names)]
        return [out / f"{name}__{self.fold}.json" for name in (*self.names, *both)]


PAIRS = [f"{s}-{QUADRANTS[n]}" for n, s in enumerate(SEASONS)]
OTHER_PAIRS = [f"{s}-{QUADRANTS[(n + 2) % 4]}" for n, s in enumerate(SEASONS)]


def all_jobs(dates: list[str]) -> list[Job]:
    """Return every job, the most important first."""
    ships = {name: [Job((name,), "all", (s,), ship=3) for s in SEEDS] for name in
             ("augmented", "relative")}
    patches = "random-patches-1"
    return [
        *ships["augmented"],
        *(Job(("augmented", "relative"), f) for f in PAIRS),
        *(Job(("augmented", "relative"), f) for f in (*SEASONS, *OTHER_PAIRS, "summer")),
        *(Job((name,), f) for name in ("without_leaf_off", "per_scene", "no_augmentation")
          for f in PAIRS),
        *(Job(("paper",), f) for f in PAIRS),
        *(Job((name,), f, (0,)) for name in ("augmented", "per_scene") for f in dates),
        *(Job((name,), patches) for name in ("paper", "augmented", "per_scene")),
        *(Job((name,), f) for name in ("less_rock", "deeper") for f in PAIRS),
        *(Job(("per_scene",), f) for f in SEASONS),
        *(Job(("wide",), f, (0,)) for f in PAIRS),
        *(Job((name,), f, (0,)) for name in ("unet_plus_plus", "fcn") for f in PAIRS),
        *(Job((name,), f, (0,)) for f in ("random-pixels-1", "polygons-1", "NW")
          for name in ("augmented", "per_scene", "paper")),
        *(Job(("paper",), f, (0,)) for f in dates),
        *ships["relative"],
    ]


def training_set(data: Scenes, fold: Fold, config: TrainConfig) -> TrainingSet:
    """Return what a fold may learn from: no held-out date, no label or patch of its place."""
    kept = [i for i, d in enumerate(data.dates) if d in fold.training_dates(data.dates)]
    labels = np.stack([fold.training_labels(data.codes[i]) for i in kept])
    labels = agreed_labels(labels, [legend.code(k) for k in config.propagated_classes])
    for i, raster in zip(kept, labels, strict=True):
        refuse_leak(fold, data.dates[i], raster)
    inputs = Mapper.inputs(config.normalisation, torch.from_numpy(data.scenes[kept])).numpy()
    return TrainingSet.of(list(inputs), list(labels), config.patch_size, [0] * len(kept),
                          rock=config.augment is not None,
                          allowed=fold.allowed_patches(config.patch_size))


def learners(data: Scenes, fold: Fold, config: TrainConfig, seeds: list[int], steps: int
             ) -> list[Learner]:
    """Return a candidate's networks before their first step; refuse patches that leak."""
    known = training_set(data, fold, config)
    made = [Learner(known, config, seed, pick_device(), steps) for seed in seeds]
    allowed = fold.allowed_patches(config.patch_size)
    for learner in made:
        corners = learner.places[..., 1:].reshape(-1, 2).cpu().numpy()
        refuse_leak(fold, "training", corners=corners[~allowed[tuple(corners.T)]],
                    patch=config.patch_size)
    return made


def run_job(job: Job, path: Path, out: Path, start: float, args: argparse.Namespace) -> str:
    """Do a job if there is time left; return what to say about it."""
    if all(f.exists() for f in job.files(out)):
        return f"{job.names} {job.fold}: there already"
    if time.time() - start > args.seconds:
        return f"{job.names} {job.fold}: out of time"
    try:
        return _ship(job, path, out, args) if job.ship else _assess(job, path, out, start, args)
    except Exception:  # one job must not end the others
        if len(job.names) > 1:
            print(traceback.format_exc(), flush=True)
            return run_job(replace(job, names=job.names[:1]), path, out, start, args)
        return f"{job.names} {job.fold}: {traceback.format_exc()}"


@cache
def _scenes(path: Path) -> Scenes:
    return Scenes(path)


def _steps(config: TrainConfig, args: argparse.Namespace) -> int:
    return args.steps or config.epochs * steps_per_epoch(config, 6 * 401 * 401)


def _ship(job: Job, path: Path, out: Path, args: argparse.Namespace) -> str:
    """Train an ensemble on everything and keep its weights in 16 bits."""
    data, start = _scenes(path), time.time()
    study = get_config("study")
    config = replace(CANDIDATES[job.names[0]], epochs=study.epochs)
    numbers = [job.seeds[0] + MEMBER_SEEDS * n for n in range(job.ship)]
    made = learners(data, fold_of("all", data.codes), config, numbers, _steps(config, args))
    run_together(made)
    weights = [{k: v.half().cpu() if v.is_floating_point() else v.cpu()
                for k, v in m.averaged().state_dict().items()} for m in made]
    target = job.files(out)[0]
    torch.save({"weights": weights, "normalisation": config.normalisation, "steps": made[0].steps,
                "seed": job.seeds[0], "seconds": time.time() - start,
                "loss": [m.losses[:-1].cpu() for m in made], **_where(args)},
               target.with_suffix(".part"))
    target.with_suffix(".part").replace(target)
    return f"shipped {job.names[0]} {job.seeds[0]}: {time.time() - start:.1f} s"


def _assess(job: Job, path: Path, out: Path, start: float, args: argparse.Namespace) -> str:
    """Train all seeds of the job's candidates, assess them and their ensembles, and write."""
    data, begin = _scenes(path), time.time()
    fold = fold_of(job.fold, data.codes)
    made = {name: learners(data, fold, CANDIDATES[name], list(job.seeds),
                           _steps(CANDIDATES[name], args)) for name in job.names}
    flat, stop = [m for ms in made.values() for m in ms], args.stop or 10**9
    first = min(SHORT, stop, min(m.steps for m in flat) // 2)
    run_together(flat, lambda: flat[0].done >= first)
    assessment = Assessment(data, fold)
    early = {name: assessment.held_out_only(Mapper([m.averaged() for m in ms], ms[0].config))
             for name, ms in made.items()}
    run_together(flat, lambda: flat[0].done >= stop or time.time() - start > args.latest)
    if any(m.done < min(m.steps, stop) for m in flat):
        return f"{job.names} {job.fold}: out of time in training"
    trained, before = time.time(), {n: [m.averaged() for m in ms] for n, ms in made.items()}
    made = before | {t: [m for n in parts for m in before[n]] for t, parts in TOGETHER.items()
                     if set(parts) <= set(before)}
    for name, models in made.items():
        configs = [CANDIDATES[n] for n in TOGETHER.get(name, (name,))]
        content = {"candidate": name, "fold": job.fold, "seeds": job.seeds,
                   "short": early.get(name),
                   "settings": [c.to_dict() for c in configs], "steps": flat[0].done,
                   "networks": {} if args.short else dict(
                       _each(assessment, models, configs, job.seeds)),
                   "parameters": sum(p.numel() for p in models[0].parameters()),
                   "map": assessment.packed_map(Mapper(models[:1], configs[0])),
                   "training_seconds": round(trained - begin, 1), "trained_together": len(flat),
                   "seconds": round(time.time() - begin, 1), **_where(args)}
        part = out / f"{name}__{job.fold}.part"
        part.write_text(json.dumps(content))
        part.replace(part.with_suffix(".json"))
    return (f"{job.names} {job.fold}: {trained - begin:.1f} s of training, "
            f"{time.time() - trained:.1f} s of assessing, at {time.time() - start:.0f} s")


def _each(assessment: Assessment, models: list, configs: list[TrainConfig], seeds: tuple[int, ...]
          ) -> Iterator[tuple[str, dict]]:
    """Yield the scores of every seed's networks and of all together."""
    for n, seed in enumerate(seeds):
        if len(configs) == 1:
            yield str(seed), assessment.scores(Mapper(models[n:n + 1], configs[0]))
        elif len(seeds) > 1:
            pair = models[n::len(seeds)]
            yield str(seed), assessment.scores(Mapper(pair, configs[0]))
    if len(models) > 1:
        whole = Mapper(models, configs[0])
        scores = assessment.scores(whole, reliability=True)
        if configs[0].augment == AugmentConfig():
            scores["applicability"] = assessment.applicability(whole)
        yield "ensemble", scores


def _where(args: argparse.Namespace) -> dict[str, str]:
    """Return where and with what a job ran."""
    device = pick_device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    return {"device": name, "torch": str(torch.__version__), "numpy": np.__version__,
            "commit": args.commit}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", default="strzegom")
    parser.add_argument("--scenes", type=Path, default=Path("build/protocols/scenes.xz"))
    parser.add_argument("--out", type=Path, default=Path("build/protocols/jobs"))
    parser.add_argument("--prepare", action="store_true", help="write the scenes' file")
    parser.add_argument("--write", action="store_true", help="write the results of all jobs there")
    parser.add_argument("--short", action="store_true", help="a quick look (see above)")
    parser.add_argument("--ship", action="store_true", help="only train networks to be shipped")
    parser.add_argument("--candidates", nargs="+", choices=[*CANDIDATES], metavar="NAME")
    parser.add_argument("--folds", nargs="+", metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, help="other than each job's own")
    parser.add_argument("--jobs", type=int, default=1, help="processes; 6 on a GPU")
    parser.add_argument("--steps", type=int, help="of every training, for a trial")
    parser.add_argument("--seconds", type=float, default=1e9, help="start no job later than this")
    parser.add_argument("--latest", type=float, default=1e9, help="give up trainings at this time")
    parser.add_argument("--commit", default=os.environ.get("COMMIT", ""), help="for the record")
    args = parser.parse_args()
    args.stop = SHORT if args.short else None
    return args


def wanted(args: argparse.Namespace, dates: list[str]) -> list[Job]:
    """Return the jobs that the command line asks for."""
    jobs = [j for j in all_jobs(dates) if not args.ship or j.ship]
    if args.short:
        names = args.candidates or [*CANDIDATES]
        jobs = [Job((n,), f, (0,)) for n in names for f in PAIRS]
    if args.candidates:
        jobs = [j for j in jobs if set(j.names) <= set(args.candidates)]
    if args.folds:
        jobs = [j for j in jobs if j.fold in args.folds]
    return [replace(j, seeds=tuple(args.seeds)) for j in jobs] if args.seeds else jobs


def main() -> None:
    """Prepare, train and assess, or write the results."""
    args = arguments()
    if args.prepare:
        return prepare(args.scenes, args.site)
    if args.write:
        from experiments.protocol_results import write_all

        return write_all(args.scenes, args.out, args.site)
    args.out.mkdir(parents=True, exist_ok=True)
    jobs, start = wanted(args, Scenes(args.scenes).dates), time.time()
    work = partial(run_job, path=args.scenes, out=args.out, start=start, args=args)
    for line in in_parallel(work, jobs, args.jobs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
