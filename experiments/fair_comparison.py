"""Put every classifier's counts together: scores, intervals, differences, ranks, steps, cost.

    python -m experiments.fair_comparison

Reads what protocols.py, fair_pixels.py and fair_networks.py left in build/ and writes
results/published/fair_comparison.json. Whatever was not run is listed in it (``not_run``) with the
time that it takes; nothing is filled in. Under a protocol all models are scored on the folds that
the main models share, so on the same reference pixels. Seeds are pooled: counts of three trainings
on the same pixels. Intervals: whole label clusters (polygons) redrawn.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import json
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from experiments import fair_ranking as ranking
from experiments.fair_networks import PAIR, SETTINGS
from experiments.fair_pixels import (
    ALL_PIXELS,
    DATES,
    PAIRS,
    SEEDS,
    TEST_DATE,
    Data,
    by_cluster,
    fold_of,
    parts,
    sparse,
)
from experiments.fair_regions import REGIONS, absent_scenes
from experiments.protocol_assess import Mapper
from experiments.protocol_scenes import Scenes
from experiments.protocols import TOGETHER
from lulc_lib import legend, paths, results
from lulc_lib.accuracy.pixel_models import CAP, MERGED, MODELS
from lulc_lib.accuracy.splits import QUADRANTS, SEASONS
from lulc_lib.data import map_path, on_grid, polygons_path, read_codes, scene_path
from lulc_lib.unet.config import steps_per_epoch
from lulc_lib.unet.dataset import TrainingSet
from lulc_lib.unet.learner import Learner

KNOWN, HELD = "place_known", "place_held_out"


@dataclass(frozen=True)
class Protocol:
    """Folds whose held-out labels are counted together, and what they estimate."""

    folds: tuple[str, ...]
    part: str
    estimates: str


PROTOCOLS: dict[str, Protocol] = {
    "random pixels": Protocol(("random-pixels-1",), HELD,
                              "pixels whose neighbours of the same field and day were trained on"),
    "random patches": Protocol(("random-patches-1",), HELD, "patches of 100 pixels between training"
                               " patches of the same day (the paper's 70/30); fields are cut in "
                               "two"),
    "polygons out": Protocol(("polygons-1",), HELD,
                             "unlabelled fields between labelled ones, same days"),
    "place out": Protocol(QUADRANTS, HELD, "a neighbouring place, same days, with a buffer"),
    "one date out": Protocol(DATES, KNOWN, "another day of a season that was mostly trained on, "
                             "same fields"),
    "season out": Protocol(SEASONS, KNOWN, "a season never trained on, same fields"),
    "season out, three quadrants": Protocol(PAIRS, KNOWN, "the same, trained on three quadrants "
                                            "and assessed on them"),
    "season and place out": Protocol(PAIRS, HELD, "a season and fields never trained on: what a "
                                     "new map promises"),
    "region out": Protocol(tuple(REGIONS), HELD,
                           "another landscape: its places, seasons and fields never trained on"),
    "paper's own": Protocol(("paper",), "all",
                            "a summer day between two summer days of training, same fields"),
    "paper's own, labelled before": Protocol(("paper",), "labelled_in_training", "the same, on "
                                             "pixels that some training date labels"),
    "paper's own, never labelled": Protocol(("paper",), "never_labelled",
                                            "the same, on pixels that no training date labels"),
}
MUST_PROTOCOLS = ("season out, three quadrants", "season and place out", "one date out",
                  "paper's own")
RANKED = ("season out, three quadrants", "season and place out")
"""Protocols whose folds models are ranked over: on them all main models were run."""


SHIPPED = f"{PAIR}:ensemble"
NAMES: dict[str, str] = {
    SHIPPED: "shipped model (6 U-Nets)", PAIR: "small shipped model (2 U-Nets)",
    "augmented:ensemble": "3 U-Nets, fixed input",
    "augmented": "U-Net, fixed input", "per_scene": "U-Net, standardised by scene",
    "paper": "paper's U-Net",
    "paper_narrow": "paper's U-Net, quarter width",
    "unet_plus_plus_narrow": "U-Net++, quarter width", "fcn_narrow": "FCN, quarter width",
    "unet_plus_plus": "U-Net++", "fcn": "FCN",
    "no_augmentation": "U-Net, fixed input, not augmented",
    "published": "published map (14 scenes)", "former": "former shipped model (2 U-Nets)",
    "forest_tuned": "random forest, tuned", "svm_tuned": "linear SVM, tuned",
    "cart_tuned": "CART, tuned", "boosting": "gradient boosting",
    "forest_ee": "random forest, Earth Engine", "svm_ee": "linear SVM, Earth Engine",
    "cart_ee": "CART, Earth Engine", "index_rule": "spectral-index rule",
    "svm_tuned_all_pixels": "linear SVM, tuned, all pixels",
    "forest_ee_all_pixels": "random forest, Earth Engine, all pixels",
}
MUST_MODELS = (SHIPPED, "augmented", "per_scene", "paper", "forest_tuned", "svm_tuned",
               "boosting", "index_rule")
STAND_INS = {"paper": "paper_narrow", SHIPPED: PAIR}
"""Smaller versions of main models, under protocols that these were not run under."""

Counts = dict[str, dict[str, dict[str, dict[str, list[list[int]]]]]]
"""Fold → model → seed → part → rows [cluster, map class, reference class, pixels]."""


class Runs:
    """All counts there are.

    Parameters
    ----------
    pixels, networks, protocols : Path
        Folders of the job files of fair_pixels.py, fair_networks.py and protocols.py.
    """

    def __init__(self, pixels: Path, networks: Path, protocols: Path) -> None:
        self.jobs: dict[tuple[str, str], dict[str, Any]] = {}
        self.counts: Counts = {}
        for folder in (pixels, networks, protocols):
            for file in sorted(folder.glob("*__*.json")):
                job = json.loads(file.read_text())
                model = job.get("model", job.get("candidate"))
                if job.get("networks"):
                    self._add(job, model)

    def _add(self, job: dict[str, Any], model: str) -> None:
        self.jobs[job["fold"], model] = job
        for seed, found in job["networks"].items():
            if "clusters" not in found:
                continue
            name, key = (f"{model}:ensemble", seed.removeprefix("ensemble") or "0") if (
                seed.startswith("ensemble")) else (model, seed)
            fold = self.counts.setdefault(job["fold"], {}).setdefault(name, {})
            fold[key] = found["clusters"]

    def seeds(self, model: str, fold: str) -> list[str]:
        """Return the seeds of a model on a fold."""
        return sorted(self.counts.get(fold, {}).get(model, {}))

    def folds(self, model: str, protocol: Protocol) -> list[str]:
        """Return a protocol's folds that a model was run on."""
        return [f for f in protocol.folds if self.seeds(model, f)]

    def by_cluster(self, model: str, folds: Iterable[str], part: str, seed: str | None = None
                   ) -> NDArray[np.int64]:
        """Return counts added over folds; over all seeds as if there were six."""
        total = np.zeros((CLUSTERS, len(legend.CODES), len(legend.CODES)), dtype=np.int64)
        for fold in folds:
            seeds = self.seeds(model, fold) if seed is None else [seed]
            for s in seeds:
                rows = self.counts[fold][model][s].get(part, [])
                total += ranking.dense(rows, CLUSTERS) * (POOLED // len(seeds) if seed is None
                                                          else 1)
        return total


CLUSTERS, POOLED = 1000, 6
"""More clusters and polygons than there are; a common multiple of the numbers of seeds."""

UNMAPPED = legend.CODES.index(legend.code("grassland"))
"""Class index of a pixel that a map leaves empty: no reference pixel has it, so it counts wrong."""


def score_rows(runs: Runs) -> list[dict[str, Any]]:
    """Score every model under every protocol, all on the same folds."""
    rows = []
    for name, protocol in PROTOCOLS.items():
        folds = comparable(runs, protocol, standing(runs, protocol))[1]
        for model in NAMES:
            if not folds or not all(runs.seeds(model, f) for f in folds):
                continue
            counts, = ranking.with_pixels(runs.by_cluster(model, folds, protocol.part))
            if not counts.any():
                continue
            draws = ranking.score_draws(counts, REPLICATES)
            seeds = runs.seeds(model, folds[0])
            rows.append({"protocol": name, "model": model, "folds": folds,
                         "seeds": min(len(runs.seeds(model, f)) for f in folds),
                         "n": int(counts.sum()) // POOLED, "clusters": len(counts),
                         **{k: _rounded(ranking.interval(v)) for k, v in draws.items()},
                         "by_seed": [_plain_scores(runs.by_cluster(model, folds, protocol.part, s))
                                     for s in seeds if all(s in runs.seeds(model, f)
                                                           for f in folds)]})
    return rows


REPLICATES = 10_000
"""So many that the lowest p value there can be stays below 0.05 after Holm's adjustment."""


def _rounded(values: Iterable[float], digits: int = 5) -> list[float]:
    return [round(float(v), digits) for v in values]


def _plain_scores(counts: NDArray[np.int64]) -> dict[str, float]:
    """Return a matrix's scores without intervals."""
    some, = ranking.with_pixels(counts)
    return {k: round(float(v[0]), 5) for k, v in ranking.score_draws(some, 1).items()}


def fold_rows(runs: Runs) -> list[dict[str, Any]]:
    """Score every model on every fold of the main protocols, seeds pooled."""
    rows = []
    for name, protocol in PROTOCOLS.items():
        for fold in protocol.folds:
            for model in NAMES:
                if runs.seeds(model, fold):
                    counts = runs.by_cluster(model, [fold], protocol.part)
                    if counts.any():
                        rows.append({"protocol": name, "fold": fold, "model": model,
                                     **_plain_scores(counts)})
    return rows


def comparable(runs: Runs, protocol: Protocol, models: Sequence[str]
               ) -> tuple[list[str], list[str]]:
    """Return models that were run under a protocol, and the folds that all of them share."""
    there = [m for m in models if runs.folds(m, protocol)]
    return there, [f for f in protocol.folds if all(runs.seeds(m, f) for m in there)]


def standing(runs: Runs, protocol: Protocol) -> list[str]:
    """Return the main models; where one was not run under a protocol, what stands in for it."""
    return [STAND_INS[m] if m in STAND_INS and not runs.folds(m, protocol)
            and all(runs.seeds(STAND_INS[m], f) for f in protocol.folds) else m
            for m in MUST_MODELS]


def differences(runs: Runs) -> dict[str, Any]:
    """Compare the main models pair by pair under the main protocols."""
    counts, folds_of = {}, {}
    for name in MUST_PROTOCOLS:
        protocol = PROTOCOLS[name]
        models, folds = comparable(runs, protocol, standing(runs, protocol))
        if len(models) > 1 and folds:
            folds_of[name] = folds
            counts[name] = {m: runs.by_cluster(m, folds, protocol.part) for m in models}
    table = ranking.paired_differences(counts, REPLICATES)
    rows = table.round(5).to_dict("records")
    return {"rows": rows, "folds": folds_of,
            "comparisons": {s: int((table.score == s).sum()) for s in ranking.SCORES}}


def ranks(rows: list[dict[str, Any]], models: Sequence[str], protocols: Sequence[str],
          score: str) -> dict[str, Any]:
    """Rank models over the folds of protocols that all of them were run on."""
    table = pd.DataFrame([r for r in rows if r["protocol"] in protocols and r["model"] in models])
    if table.empty:
        return {}
    wide = table.pivot_table(score, ["protocol", "fold"], "model").dropna()
    if min(wide.shape) < 3:
        return {}
    found = ranking.mean_ranks(wide)
    return {"score": score, "mean": found.mean.round(3).to_dict(),
            "critical_difference": round(found.critical_difference, 3),
            "p_value": found.p_value, "folds": [" · ".join(k) for k in wide.index]}


def steps(runs: Runs) -> list[dict[str, Any]]:
    """Measure the way from a forest on points to networks on all labels, a change at a time.

    Rows of ``branch`` main follow each other; a side row is to be compared with the row named in
    ``against``.
    """
    held, six, every = "polygons_held_out", "six dates", "assessed on every polygon"
    main = [
        ("forest, 675 points of the test scene", "paper-points", "forest_ee", held, "start"),
        ("all pixels of those polygons", "paper-polygons", "forest_ee", held, "training data"),
        ("labels of one other date instead", "paper-one", "forest_ee", held, "training data"),
        ("three dates", "paper-three", "forest_ee", held, "training data"),
        (six, "paper", "forest_ee", held, "training data"),
        ("log bands, indices, texture", "paper", "forest_ee_network_input", held, "normalisation"),
        ("U-Net, same input", "paper", "augmented", held, "architecture"),
        ("three U-Nets", "paper", "augmented:ensemble", held, "architecture"),
        ("shipped model: three more, relative to surroundings", "paper", SHIPPED, held,
         "normalisation"),
        (every, "paper", SHIPPED, "all", "test set"),
        ("only pixels never labelled in training", "paper", SHIPPED, "never_labelled", "leak"),
    ]
    side = [
        ("forest, bands standardised by scene", "paper", "forest_ee_per_scene", held,
         "normalisation", six),
        ("paper's U-Net, ten bands", "paper", "paper", held, "architecture", six),
        ("the same, quarter width", "paper", "paper_narrow", held, "architecture", six),
        ("two U-Nets, bands standardised by scene", "paper", "former", held, "normalisation",
         "three U-Nets"),
        ("forest, assessed on every polygon", "paper", "forest_ee", "all", "test set", six),
        ("forest, only pixels never labelled in training", "paper", "forest_ee", "never_labelled",
         "leak", "forest, assessed on every polygon"),
        ("U-Net on all pixels of the points' polygons", "paper-polygons", "augmented", held,
         "architecture", "all pixels of those polygons"),
        ("U-Net on one other date", "paper-one", "augmented", held, "architecture",
         "labels of one other date instead"),
    ]
    rows = [_step(runs, *row) | {"branch": "main"} for row in main]
    rows += [_step(runs, *row) | {"branch": "side", "against": against} for *row, against in side]
    return [r for r in rows if "step" in r]


def _step(runs: Runs, text: str, fold: str, model: str, part: str, kind: str) -> dict[str, Any]:
    """Score a step; nothing if it was not run."""
    if not runs.seeds(model, fold):
        return {}
    counts, = ranking.with_pixels(runs.by_cluster(model, [fold], part))
    draws = ranking.score_draws(counts, REPLICATES)
    return {"step": text, "kind": kind, "fold": fold, "model": model, "part": part,
            **{k: _rounded(ranking.interval(draws[k])) for k in ranking.SCORES}}


def members(model: str) -> list[str]:
    """Return the candidates whose networks a model puts together, each as often as it has them."""
    name, ensemble, _ = model.partition(":")
    return [*TOGETHER.get(name, (name,))] * (len(SEEDS) if ensemble else 1)


@cache
def network_seconds(name: str, edge: int = 256) -> dict[str, float]:
    """Time a network on one CPU core: a training, by two of its steps, and a megapixel's map.

    Neither depends on what is mapped or on the weights.
    """
    torch.set_num_threads(1)
    config, rng = SETTINGS[name], np.random.default_rng(0)
    scene = rng.uniform(0.1, 0.3, (10, edge, edge)).astype(np.float32)
    labels = rng.choice(np.array(legend.CODES, dtype=np.uint8), (edge, edge))
    known = TrainingSet.of([scene], [labels], config.patch_size, rock=config.augment is not None)
    steps = config.epochs * steps_per_epoch(config, 6 * 401 * 401)
    learner = Learner(known, config, 0, torch.device("cpu"), steps)
    mapper, times = Mapper([learner.averaged()], config), {}
    for what, do, scale in (("training", learner.advance, steps),
                            ("mapping", lambda: mapper.classes(scene[None]), 1e6 / edge**2)):
        do()
        start = time.process_time()
        do(), do()
        times[what] = (time.process_time() - start) / 2 * scale
    return times


def cost(runs: Runs) -> list[dict[str, Any]]:
    """Return seconds, parameters and where they were measured, by model; sums of an ensemble's.

    ``training_seconds`` as it was trained, ``cpu_seconds`` on one CPU core, without tuning; of
    pixel classifiers those of the fastest fit, as others were slowed down by other work.
    """
    rows = []
    for model in NAMES:
        parts = [[j for (f, m), j in runs.jobs.items() if m == part and f in (*PAIRS, "paper")]
                 for part in members(model)]
        if model == "former" or not all(parts):
            continue
        if "trained_together" in parts[0][0]:
            each = [np.median([j["training_seconds"] / j["trained_together"] for j in jobs])
                    for jobs in parts]
            row = {"training_seconds": float(sum(each)), "tuning_seconds": 0.0,
                   "parameters": sum(jobs[0]["parameters"] for jobs in parts),
                   "on": parts[0][0].get("device", ""),
                   **{key: sum(network_seconds(part)[what] for part in members(model)) for key, what
                      in (("cpu_seconds", "training"), ("seconds_per_megapixel", "mapping"))}}
        else:
            found = [n for j in parts[0] for n in j["networks"].values()]
            row = {k: min(n[k] for n in found) for k in ("training_seconds",
                                                         "seconds_per_megapixel")}
            row |= {"on": "one CPU core", "cpu_seconds": row["training_seconds"],
                    "parameters": float(np.median([n["parameters"] for n in found])),
                    "tuning_seconds": min(j["tuning_seconds"] for j in parts[0])}
        rows.append({"model": model, **row})
    return rows


def schemes(runs: Runs) -> list[dict[str, Any]]:
    """Score models trained with merged classes against those trained with ten.

    ``quarry_f1`` takes what is mapped as the joined class of bare ground and quarries for quarry;
    ``merged_overall_accuracy`` joins the classes in both maps and the reference.
    """
    rows = []
    for ten, base in (("forest_scheme_ten", "forest_scheme_"), ("augmented", "augmented_scheme_")):
        for name, scheme in MERGED.items():
            for label in ("season out, three quadrants", "season and place out"):
                protocol = PROTOCOLS[label]
                models, folds = comparable(runs, protocol, (ten, base + name))
                if len(models) < 2 or not folds:
                    continue
                seeds = None if ten.startswith("forest") else "0"
                pair = ranking.with_pixels(*(runs.by_cluster(m, folds, protocol.part, seeds)
                                             for m in models))
                rows.append({"trained": ten.split("_")[0], "scheme": name, "protocol": label,
                             **_scheme_scores(pair, scheme)})
    return rows


def _scheme_scores(pair: Sequence[NDArray[np.int64]], scheme: Mapping[int, int]) -> dict[str, Any]:
    """Score ten classes and a scheme on the same pixels, and the difference that ten make."""
    split, joined = (ranking.score_draws(c, REPLICATES) for c in pair)
    both = [ranking.score_draws(ranking.merged(c, scheme), REPLICATES)["overall_accuracy"]
            for c in pair]
    row: dict[str, Any] = {}
    for key in ("quarry_f1", "quarry_pa", "quarry_ua"):
        row |= {f"{key}_ten": _rounded(ranking.interval(split[key])),
                f"{key}_merged": _rounded(ranking.interval(joined[key]))}
    row["quarry_f1_gain"] = _rounded(ranking.interval(split["quarry_f1"] - joined["quarry_f1"]))
    row["merged_overall_accuracy_gain"] = _rounded(ranking.interval(both[0] - both[1]))
    return row


def short_budget(runs: Runs) -> dict[str, Any]:
    """Compare how networks rank after the first steps (protocols.SHORT) and at their end.

    Ensembles of all seeds, macro F1, season and place out, mean over folds.
    """
    rows: dict[str, dict[str, float]] = {}
    for model in ("augmented", "per_scene", "no_augmentation", "paper", "relative",
                  "without_leaf_off", "less_rock", "deeper"):
        jobs = [runs.jobs[f, model] for f in PAIRS if (f, model) in runs.jobs]
        if len(jobs) == len(PAIRS) and all(j.get("short") for j in jobs):
            early = [ranking.score_draws(np.array([j["short"][HELD]]), 1)["macro_f1"][0]
                     for j in jobs]
            late = [ranking.score_draws(ranking.with_pixels(runs.by_cluster(
                f"{model}:ensemble", [f], HELD))[0], 1)["macro_f1"][0] for f in PAIRS]
            rows[model] = {"short": float(np.mean(early)), "full": float(np.mean(late))}
    table = pd.DataFrame(rows).T
    agreed = ranking.agreement(table.short, table.full) if len(table) > 2 else {}
    return {"macro_f1": rows, "agreement": agreed}


def matrices(runs: Runs) -> dict[str, Any]:
    """Return confusion matrices (rows map, columns reference; mean of seeds) of the main models."""
    found: dict[str, Any] = {}
    for name in ("season and place out", "paper's own"):
        for model in MUST_MODELS:
            folds = runs.folds(model, PROTOCOLS[name])
            if folds:
                total = runs.by_cluster(model, folds, PROTOCOLS[name].part).sum(axis=0)
                rows = np.rint(total / POOLED).astype(int)
                found.setdefault(name, {})[model] = [" ".join(map(str, r)) for r in rows]
    return found


def maps(runs: Runs) -> dict[str, dict[str, Any]]:
    """Return maps (seed 0) of the first held-out date of folds, for where models disagree."""
    grid, found = read_codes(map_path("strzegom", paths.published_dir())), {}
    for fold in ("july-NE", "october-SW"):
        for model in ("augmented", "paper", "forest_tuned", "svm_tuned"):
            if packed := runs.jobs.get((fold, model), {}).get("map"):
                raw = zlib.decompress(base64.b64decode(packed))
                index = np.frombuffer(raw, dtype=np.uint8).reshape(grid.shape)
                found.setdefault(fold, {})[model] = results.pack_map(
                    on_grid(legend.to_code(index), grid))
    return found


def tuned(runs: Runs) -> dict[str, dict[str, Any]]:
    """Return the settings that nested tuning chose, by model and fold."""
    found: dict[str, dict[str, Any]] = {}
    for (fold, model), job in runs.jobs.items():
        if model in MODELS and len(MODELS[model].grid) > 1:
            found.setdefault(model, {})[fold] = job["settings"]
    return found


ABSENT = [
    {"what": "the published map under held-out protocols",
     "why": "it is one map of one day, of a network whose weights were not released: it applies "
            "to the paper's own protocol alone"},
    {"what": "pixel classifiers of all labelled pixels under every protocol",
     "why": f"they are fitted on at most {CAP} pixels of a class and date, the same for all of "
            "them; the rows 'all pixels' show what more would change"},
]
BESIDE = ("published", "former", *ALL_PIXELS)
"""Models that are shown where they apply and are not part of the matrix."""


def one_run(runs: Runs, model: str) -> tuple[int, float]:
    """Return the trainings that a model's run on one fold is, and their seconds on a CPU core."""
    if model in MODELS:
        jobs = [j for (_, m), j in runs.jobs.items() if m == model]
        return 1, float(np.median([j["seconds"] / len(j["networks"]) for j in jobs] or [np.nan]))
    return len(members(model)), sum(network_seconds(m)["training"] for m in members(model))


def not_run(runs: Runs) -> list[dict[str, str]]:
    """List what the matrix lacks, with the time that it takes."""
    found = [dict(a) for a in ABSENT]
    if absent := absent_scenes(paths.published_dir()):
        found.insert(0, {
            "what": "a whole region out (train on two of Strzegom, Kolbuszowa, Kraków)",
            "why": f"{len(absent)} scenes were not at hand; `lulc data` downloads them where the "
                   f"repository can be reached: {', '.join(absent)}"})
    for model in (m for m in NAMES if m not in BESIDE):
        whole, some, few = {}, {}, {}
        for label, protocol in PROTOCOLS.items():
            seeds = {f: len(runs.seeds(model, f)) for f in protocol.folds}
            lacks = [f for f in protocol.folds if not seeds[f]]
            if "," not in label and lacks and protocol.folds != tuple(REGIONS):
                (some if any(seeds.values()) else whole)[label] = lacks
            wanted = 1 if ":" in model else len(SEEDS)
            if fewer := {f: wanted - n for f, n in seeds.items() if 0 < n < wanted}:
                few[label] = fewer
        more = {f: n for fewer in few.values() for f, n in fewer.items()}
        rows = [(f": {', '.join(whole)}", sum(map(len, whole.values()))),
                *((f", {label}: {', '.join(lacks)}", len(lacks)) for label, lacks in some.items()),
                (f", three seeds: {', '.join(few)}", sum(more.values()))]
        small = STAND_INS.get(model, f"{model}_narrow")
        instead = [label for label in whole if runs.folds(small, PROTOCOLS[label])]
        found += [{"what": NAMES[model] + what, "why": _time_of(runs, model, count) + (
            f"; {NAMES[small]} stands in: {', '.join(instead)}" if not at and instead else "")}
            for at, (what, count) in enumerate(rows) if count]
    return found


def _time_of(runs: Runs, model: str, count: int) -> str:
    """Say what so many runs of a model take."""
    trainings, seconds = one_run(runs, model)
    if not np.isfinite(seconds):
        return "no run of it to tell how long it takes"
    took = count * seconds / 60
    return (f"{count * trainings} trainings more, "
            f"{f'{took / 60:.1f} hours' if took >= 60 else f'{took:.1f} minutes'} of a CPU core")


def add_test_maps(runs: Runs, scenes: Path, test: Path) -> None:
    """Count the published map and the shipped model's maps (study.json) on the test scene."""
    data, root = Data(scenes, test), paths.published_dir()
    targets = parts(data, fold_of("paper", data.codes), "paper")
    shipped = results.read_results("published", "study")["maps"]
    found = {"published": {"0": read_codes(map_path("strzegom", root)).values},
             SHIPPED: {s: results.unpack_map(m).values for s, m in shipped.items()}}
    for model, seeds in found.items():
        for seed, codes in seeds.items():
            index = np.where(codes > 0, legend.to_index(codes.astype(np.uint8)), UNMAPPED)
            runs.counts.setdefault("paper", {}).setdefault(model, {})[seed] = {
                p: sparse(by_cluster(index, t[TEST_DATE], data.test["polygons"]))
                for p, t in targets.items()}


def collect_scores(runs: Runs) -> dict[str, Any]:
    """Return scores by protocol, and what they lack."""
    return {"scores": score_rows(runs), "not_run": not_run(runs)}


def collect(runs: Runs) -> dict[str, Any]:
    """Return everything that the notebook shows."""
    by_fold = fold_rows(runs)
    ranked = {score: ranks(by_fold, MUST_MODELS, RANKED, score) for score in ranking.SCORES}
    return {
        "models": NAMES, "protocols": {n: {"folds": list(p.folds), "part": p.part,
                                           "estimates": p.estimates}
                                       for n, p in PROTOCOLS.items()},
        "main_models": list(MUST_MODELS), "main_protocols": list(MUST_PROTOCOLS),
        "stand_ins": STAND_INS, "ranked": list(RANKED),
        **collect_scores(runs), "by_fold": by_fold, "differences": differences(runs),
        "ranks": ranked, "steps": steps(runs), "cost": cost(runs), "schemes": schemes(runs),
        "short_budget": short_budget(runs), "matrices": matrices(runs), "maps": maps(runs),
        "tuned": tuned(runs),
        "replicates": REPLICATES, "cap": CAP}


def note_in_ledger(values: Mapping[str, Any]) -> None:
    """Add to the test scene's ledger what was scored here, once for each model."""
    name = "test_scene_ledger"
    content = json.loads(results.results_path("published", name).read_text())
    stored = content["values"]
    there = {s["model"] for s in stored["scorings"]}
    for row in values["scores"]:
        model = f"notebook 06: {values['models'][row['model']]}"
        if row["protocol"] == "paper's own" and model not in there:
            stored["scorings"].append({
                "date": datetime.date.today().isoformat(), "model": model, "commit": "",
                **{k: round(row[k][0], 3) for k in ranking.SCORES}, "road_f1": None,
                "why": "the paper's own protocol, for the comparison; nothing was chosen by it"})
    root = paths.published_dir()
    results.write_results("published", name, stored, [scene_path("strzegom", root)], root,
                          seconds=content["provenance"]["seconds"])


def main() -> None:
    """Write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, default=Path("build/protocols/scenes.xz"))
    parser.add_argument("--test", type=Path, default=Path("build/fair/test_scene.npz"))
    parser.add_argument("--protocols", type=Path, default=Path("build/protocols/jobs"))
    parser.add_argument("--fair", type=Path, default=Path("build/fair"))
    args = parser.parse_args()
    runs = Runs(args.fair / "jobs", args.fair / "networks", args.protocols)
    add_test_maps(runs, args.scenes, args.test)
    values, root = collect(runs), paths.published_dir()
    used = [*Scenes(args.scenes).data, *(str(p.relative_to(root)) for p in (
        scene_path("strzegom", root), map_path("strzegom", root), polygons_path("strzegom", root)))]
    seconds = sum(j.get("seconds", 0) for j in runs.jobs.values())
    written = results.write_results("published", "fair_comparison", values,
                                    [root / f for f in used], root, seconds=seconds,
                                    device="GPU: networks of protocols.py; CPU: all else",
                                    unused=absent_scenes(root))
    note_in_ledger(values)
    print(f"{written}: {len(runs.jobs)} jobs, {written.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
