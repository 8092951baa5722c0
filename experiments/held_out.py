"""What the experiments share: train on all dates of a site but one, and score the maps of that one.

An ensemble's members are scored one by one as well as together. Maps are made as the settings say
(``tta``: test-time augmentation); scores that start with ``one_pass_`` are those of the scene as it
lies. ``quarters_accuracy`` is the overall accuracy when each quarter of the scene is mapped as if
it were the whole scene, which is then another mix of landscapes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from lulc_lib import legend, paths, results
from lulc_lib.accuracy import metrics
from lulc_lib.accuracy.confusion import confusion_matrix
from lulc_lib.data.series import Series, training_series
from lulc_lib.unet import (
    Normalisation,
    TrainConfig,
    TrainResult,
    map_of,
    predict_probabilities,
    train,
    train_ensemble,
)
from lulc_lib.unet.config import STABLE_CLASSES
from lulc_lib.unet.model import Ensemble, Network
from lulc_lib.unet.parallel import in_parallel

FORMER = TrainConfig(
    "study", base_channels=16, normalisation="per_scene_and_indices",
    members=("per_scene", "per_scene_and_indices"), member_weights=(3.0, 5.0),
    statistics_augmentation=0.1, propagated_classes=STABLE_CLASSES, class_weight_power=0.25,
    validation_share=0.0, epochs=30, steps_per_epoch=100, ema_decay=0.99, logit_adjustment=0.1,
    tta=True)
"""The recipe of the former shipped model, standardised scene by scene, that was chosen by leaving
one date out; protocols.py says what that could not see."""

COLUMNS = ("overall_accuracy", "macro_f1", "quarry_f1", "road_f1")
"""The scores that settings are compared by."""


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the command line that knows ``--site``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", default="strzegom")
    return parser


def published_series(site: str) -> Series:
    """Return the published training scenes and labels of a site."""
    return training_series(site, paths.published_dir())


def write(name: str, values: Mapping[str, Any], series: Series, seconds: float) -> None:
    """Keep values as ``results/published/NAME.json``."""
    results.write_results("published", name, values, series.files, paths.published_dir(),
                          seconds=float(seconds))


def build_folder(name: str | None) -> Path | None:
    """Return where the checkpoints of results NAME lie, so that a stopped run goes on."""
    return name and paths.output_root() / "build" / "held_out" / name


def scores(class_map: ArrayLike, reference: ArrayLike) -> dict[str, float]:
    """Return the scores :data:`COLUMNS` of legend codes against others."""
    matrix = confusion_matrix(class_map, reference)
    f1 = metrics.per_class(matrix).f1
    return {
        "overall_accuracy": metrics.overall_accuracy(matrix),
        "macro_f1": metrics.macro_f1(matrix), "quarry_f1": f1[legend.code("quarry")],
        "road_f1": f1[legend.code("road")],
    }


def held_out_rows(
    series: Series, config: TrainConfig, tasks: list[tuple[str, int]], folder: Path | None,
    jobs: int, one_pass: bool = False,
) -> Iterator[dict[str, object]]:
    """Yield the rows of every task (held-out date, seed) in order, several tasks at a time."""
    work = partial(_held_out, series=series, config=config, folder=folder, one_pass=one_pass)
    for rows in in_parallel(work, tasks, jobs):
        for row in rows:
            print("  ".join(f"{v:.3f}" if isinstance(v, float) else f"{v}"
                            for v in row.values()), flush=True)
        yield from rows


def _held_out(
    task: tuple[str, int], series: Series, config: TrainConfig, folder: Path | None, one_pass: bool
) -> list[dict[str, object]]:
    """Return the scores of one date's maps against its own labels, trained on all other dates."""
    date, seed = task
    others = [d for d in series.scenes if d != date]
    data = [series.scenes[d] for d in others], [series.labels[d] for d in others]
    place = folder and folder / f"{date}_seed{seed}"
    if config.members:
        whole = train_ensemble(*data, config, seed, folder=place, progress=False)
        names, runs = config.members, whole.members
    else:
        names, runs = (config.normalisation,), [train(
            *data, config, seed, progress=False, checkpoint=place and place / "run.checkpoint")]
    scene, labels = series.scenes[date], series.labels[date]
    maps = [_probabilities(run, scene, config.tta, one_pass) for run in runs]
    seconds = [run.seconds for run in runs]
    if config.members:  # the ensemble's probabilities are the weighted mean of its members'
        names, maps = ("ensemble", *names), [_weighted_mean(maps, whole.model.shares), *maps]
        seconds = [whole.seconds, *seconds]
    return [{"model": name, "held_out_date": date, "seed": seed, **_all_scores(p, labels),
             "seconds": t} for name, p, t in zip(names, maps, seconds, strict=True)]


def _probabilities(
    run: TrainResult, scene: xr.DataArray, tta: bool, one_pass: bool
) -> dict[str, xr.DataArray]:
    """Return class probabilities by how they were made: the beginning of the scores' names."""
    means = run.model, scene, run.normalisation
    made = {"": predict_probabilities(*means, tta), "quarters_": _quarters(*means, tta)}
    if one_pass:
        made["one_pass_"] = predict_probabilities(*means) if tta else made[""]
    return made


def _quarters(
    model: Network | Ensemble, scene: xr.DataArray, normalisation: Normalisation, tta: bool
) -> xr.DataArray:
    """Return class probabilities of a scene whose quarters are mapped alone."""
    rows, cols = (n // 2 for n in scene.shape[1:])
    down, right = (slice(0, rows), slice(rows, None)), (slice(0, cols), slice(cols, None))
    return xr.concat([
        xr.concat([predict_probabilities(model, scene[:, y, x], normalisation, tta) for x in right],
                  "x") for y in down], "y")


def _weighted_mean(
    maps: list[dict[str, xr.DataArray]], shares: list[float]
) -> dict[str, xr.DataArray]:
    return {way: p.copy(data=sum(s * m[way].values for s, m in zip(shares, maps, strict=True)))
            for way, p in maps[0].items()}


def _all_scores(maps: dict[str, xr.DataArray], labels: xr.DataArray) -> dict[str, float]:
    """Return the scores of every way of mapping; by quarters the overall accuracy alone."""
    each = {way: scores(map_of(p), labels) for way, p in maps.items()}
    accuracy = each.pop("quarters_")["overall_accuracy"]
    return {f"{way}{k}": v for way, part in each.items() for k, v in part.items()} | {
        "quarters_accuracy": accuracy}


def mean_scores(rows: list[dict[str, object]], by: str) -> pd.DataFrame:
    """Return the mean of every number of rows over all that share a value of ``by``."""
    return pd.DataFrame(rows).groupby(by, sort=False).mean(numeric_only=True).round(3)
