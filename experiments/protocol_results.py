"""From the jobs' files to results: scores, nested selection, agreement, temperature."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.protocol_scenes import Scenes
from lulc_lib import legend, paths, results
from lulc_lib.accuracy.calibration import TEMPERATURES
from lulc_lib.accuracy.metrics import per_class, summary
from lulc_lib.accuracy.protocols import ENSEMBLE, counts, part_of, protocol_of, protocol_scores
from lulc_lib.accuracy.splits import QUADRANTS, SEASONS

SHIPPED = "augmented_and_relative"
"""The candidate whose networks are shipped."""

CALIBRATED = (SHIPPED, "augmented")
"""Candidates whose reliability is kept."""

CRITERIA: dict[str, tuple[str, str, Callable[[Sequence[float]], float]]] = {
    "season out: overall accuracy, worst": ("place_known", "overall_accuracy", min),
    "season out: overall accuracy, mean": ("place_known", "overall_accuracy", np.mean),
    "season out: macro F1, worst": ("place_known", "macro_f1", min),
    "season out: macro F1, mean": ("place_known", "macro_f1", np.mean),
    "season and place out: quarry F1, worst": ("place_held_out", "quarry_f1", min),
    "season and place out: quarry F1, mean": ("place_held_out", "quarry_f1", np.mean),
}
"""Name → part of the held-out labels, score, and how the groups are summed up for a choice.

All on the four folds in which a season and a quadrant are left out together: every candidate was
trained on them, and ``place_known`` is a season left out with a quadrant missing in training too.
"""

WATER_SCENES, COVER_SCENES = ("hydro_10", "sea", "coast_10", "coast_41"), ("hydro_10000", "cloud")
LEAST_WATER, MOST_QUARRY = 0.99, 0.005
"""A candidate is eligible if its ensembles map at least and at most these shares of every scene of
water as water, and of water, cloud and snow as quarry: however accurate it is elsewhere."""

Table = Mapping[str, Mapping[str, float]]
"""Candidate → group → score."""


def nested_choice(table: Table, sum_up: Callable[[Sequence[float]], float]) -> dict[str, str]:
    """Return for each group the candidate that the other groups choose.

    What is reported for a group was then not chosen on it.

    >>> table = {"a": {"june": 0.9, "july": 0.1, "winter": 0.2},
    ...          "b": {"june": 0.3, "july": 0.4, "winter": 0.4}}
    >>> nested_choice(table, min)
    {'june': 'b', 'july': 'b', 'winter': 'b'}
    """
    groups = list(next(iter(table.values())))
    return {group: max(table, key=lambda name: sum_up([table[name][g] for g in groups
                                                       if g != group])) for group in groups}


def rank_agreement(first: Sequence[float], second: Sequence[float]) -> dict[str, float]:
    """Return Spearman's and Kendall's rank correlation of two scores of the same candidates.

    >>> rank_agreement([1, 2, 3], [2, 3, 9])
    {'spearman': 1.0, 'kendall': 1.0}
    """
    ranks = [pd.Series(v).rank() for v in (first, second)]
    signs = [[np.sign(v[i] - v[j]) for i, j in combinations(range(len(v)), 2)]
             for v in (first, second)]
    return {"spearman": round(float(ranks[0].corr(ranks[1])), 3),
            "kendall": round(float(np.mean(np.multiply(*signs))), 3)}


def read_jobs(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Return candidate → fold → what its job wrote."""
    jobs: dict[str, dict[str, dict[str, Any]]] = {}
    for path in sorted(folder.glob("*__*.json")):
        name, fold = path.stem.split("__")
        jobs.setdefault(name, {})[fold] = json.loads(path.read_text())
    return jobs


def compact(network: Mapping[str, Any], name: str, fold: str) -> dict[str, Any]:
    """Return a network's counts as they are committed: confusion rows and bins as texts."""
    found = {
        "confusion": {part: [" ".join(map(str, row)) for row in rows]
                      for part, rows in network["confusion"].items()},
        "quarry_of": {f"{kind}{rock}": [round(hit / max(of, 1), 4),
                                        round(false / max(others, 1), 5)]
                      for kind, group in (("", "rocks"), ("synthetic_", "synthetic_rocks"))
                      for rock, (hit, of, false, others) in network[group].items()},
        "clips": {size: [round(v, 4) for v in clip] for size, clip in network["clips"].items()},
        "covers": {k: [round(v, 4) for v in shares] for k, shares in network["covers"].items()},
    }
    if "reliability" in network and name in CALIBRATED:
        found["reliability"] = {part_of(fold): network["reliability"][part_of(fold)]}
    if "applicability" in network:
        found["applicability"] = {
            k: {n: None if x is None or x != x else round(x, 4) for n, x in v.items()}
            if isinstance(v, Mapping) else round(v, 4)
            for k, v in network["applicability"].items()}
    return found


def group_scores(jobs: Mapping[str, Any], part: str, score: str, short: bool = False) -> Table:
    """Return candidate → season → score, mean of the seeds, where all four pairs were trained."""
    table = {}
    pairs = [f"{s}-{q}" for s, q in zip(SEASONS, QUADRANTS, strict=True)]
    for name, folds in jobs.items():
        if all(p in folds and (not short or folds[p]["short"]) for p in pairs):
            table[name] = {}
            for pair in pairs:
                job = folds[pair]
                matrices = ([job["short"][part]] if short else
                            [v["confusion"][part] for n, v in job["networks"].items()
                             if n != ENSEMBLE])
                scored = [_scores(m)[score] for m in matrices]
                table[name][pair.partition("-")[0]] = float(np.mean(scored))
    return table


def _scores(matrix: Sequence[Sequence[int]]) -> dict[str, float]:
    """Return the scores that settings are compared by."""
    frame = counts(matrix)
    return {**summary(frame), "quarry_f1": float(per_class(frame).f1[legend.code("quarry")])}


def is_eligible(folds: Mapping[str, Any]) -> bool:
    """Return whether a candidate knows water, and no quarry where there is none.

    Its ensembles tell, or each network where a single one was trained.
    """
    covers = [scores["covers"] for job in folds.values() for name, scores in job["networks"].items()
              if name == ENSEMBLE or ENSEMBLE not in job["networks"]]
    water, quarry = (legend.CODES.index(legend.code(k)) for k in ("water", "quarry"))
    return all(c[k][water] >= LEAST_WATER for c in covers for k in WATER_SCENES if k in c) and all(
        c[k][quarry] <= MOST_QUARRY for c in covers for k in WATER_SCENES + COVER_SCENES if k in c)


def nested(jobs: Mapping[str, Any]) -> dict[str, Any]:
    """Return for each criterion the choice for each group, its score there, mean and worst."""
    clips = {name: float(np.mean([abs(v["clips"]["64"][0] - v["clips"]["64"][1])
                                  for job in folds.values() for v in job["networks"].values()]))
             for name, folds in jobs.items()}
    eligible, found = [n for n, folds in jobs.items() if is_eligible(folds)], {}
    for title, (part, score, sum_up) in CRITERIA.items():
        table = group_scores(jobs, part, score)
        chosen = nested_choice({n: t for n, t in table.items() if n in eligible}, sum_up)
        reached = {g: round(table[name][g], 4) for g, name in chosen.items()}
        found[title] = {
            "chosen": chosen, "reached": reached, "worst": min(reached.values()),
            "mean": round(float(np.mean(list(reached.values()))), 4),
            "all": {n: {g: round(v, 4) for g, v in t.items()} for n, t in table.items()}}
    return {"criteria": found, "eligible": eligible,
            "clips_64": {n: round(v, 4) for n, v in clips.items()}}


def agreement(jobs: Mapping[str, Any]) -> dict[str, Any]:
    """Return how well the ranking after few steps agrees with that at the end, per score."""
    found = {}
    for score in ("overall_accuracy", "macro_f1", "quarry_f1"):
        early, late = (group_scores(jobs, "place_known", score, short=s) for s in (True, False))
        names = [n for n in late if n in early]
        for word, sum_up in (("mean", np.mean), ("worst", min)):
            pair = [[float(sum_up(list(t[n].values()))) for n in names] for t in (early, late)]
            found[f"{score}, {word}"] = {"candidates": names, **rank_agreement(*pair)}
    return found


def temperature(jobs: Mapping[str, Any], name: str = SHIPPED) -> float:
    """Return the temperature that makes held-out labels most likely, all groups the same.

    Groups are seasons, and seasons with places, left out; reliability is that of ensembles.
    """
    losses = []
    for fold, job in jobs[name].items():
        part = part_of(fold)
        if protocol_of(fold) in ("season out", "season and place out"):
            tables = job["networks"][ENSEMBLE]["reliability"][part]
            losses.append([t[3][0] / sum(t[0]) for t in tables])
    return float(TEMPERATURES[int(np.argmin(np.mean(losses, axis=0)))])


def write_all(scenes: Path, folder: Path, site: str) -> None:
    """Write ``results/published/protocols.json`` from the jobs in a folder."""
    from lulc_lib.data import training_series

    jobs, root = read_jobs(folder), paths.published_dir()
    every = [job for folds in jobs.values() for job in folds.values()]
    values: dict[str, Any] = {
        "site": site, "shipped": SHIPPED,
        "candidates": {n: next(iter(f.values()))["settings"] for n, f in jobs.items()},
        "steps": {n: next(iter(f.values()))["steps"] for n, f in jobs.items()},
        "parameters": {n: next(iter(f.values()))["parameters"] for n, f in jobs.items()},
        "jobs": {n: {f: {k: compact(v, n, f) for k, v in job["networks"].items()}
                     for f, job in folds.items()} for n, folds in jobs.items()},
        "nested": nested(jobs), "agreement": agreement(jobs), "temperature": temperature(jobs),
        "run": {k: sorted({job[k] for job in every}) for k in ("device", "torch", "numpy",
                                                               "commit")},
        "data": Scenes(scenes).data,
    }
    table = protocol_scores(values)
    kind = table.network.eq(ENSEMBLE).map({True: "ensembles", False: "networks"})
    grouped = table.groupby(["candidate", "protocol", kind], sort=False)
    values["table"] = [
        {"candidate": c, "protocol": p, "of": k, "folds": int(g.fold.nunique()),
         **{s: [round(float(g.groupby("fold")[s].mean().mean()), 4), round(float(g[s].min()), 4)]
            for s in ("overall_accuracy", "macro_f1", "quarry_f1")}}
        for (c, p, k), g in grouped]
    seconds = sum(job["seconds"] for job in every)
    written = results.write_results(
        "published", "protocols", values, training_series(site, root).files, root,
        device=", ".join(values["run"]["device"]), seconds=seconds)
    print(pd.DataFrame(values["table"]).to_string())
    print(json.dumps(values["nested"]["criteria"], indent=1))
    print(f"{written}: {len(every)} jobs, {written.stat().st_size / 1e6:.1f} MB")
