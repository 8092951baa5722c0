"""Which training settings hold on a date the network has not seen?

Leaves one training date of a site out at a time, trains on the labels of the others, and scores
the map of the date left out against its own labels. The test scene plays no part. Small runs
(few epochs) are enough to rank settings:

    python -m experiments.leave_one_date_out --set normalisation=reflectance epochs=1
    python -m experiments.leave_one_date_out --config study --one-pass --seeds 0 1 2 --jobs 2 \\
        --write left_out
    python -m experiments.leave_one_date_out --config study --set prior=0 --seeds 0 1 2 --jobs 2 \\
        --write left_out_plain

The last is the study's model without leaning on label shares (lulc_lib/unet/prior.py), which acts
after training: a copy of build/left_out/left_out as build/left_out/left_out_plain saves hours.

An ensemble's members are scored one by one as well as together. Maps are made as the settings say
(``tta``: the mean over turned and mirrored copies); scores that start with one_pass_ (with
--one-pass) are those of the scene as it lies. quarters_accuracy is the overall accuracy when each
quarter of the scene is mapped as if it were the whole scene. With --write the rows go to
results/published/NAME.json, and checkpoints are kept under build/, so a run that was stopped goes
on. LULC_DATA names the folder of the published dataset.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import nn

from lulc_lib import legend, paths, results
from lulc_lib.accuracy import metrics
from lulc_lib.accuracy.confusion import confusion_matrix
from lulc_lib.data.series import Series, training_series
from lulc_lib.unet import (
    Normalisation,
    TrainConfig,
    TrainResult,
    get_config,
    map_of,
    predict_probabilities,
    train,
)
from lulc_lib.unet.side_by_side import end_with_parent
from lulc_lib.unet.study import train_ensemble

COLUMNS = ("overall_accuracy", "macro_f1", "quarry_f1", "road_f1", "quarters_accuracy")


def changed(config: TrainConfig, assignments: list[str]) -> TrainConfig:
    """The configuration with settings NAME=VALUE, converted to the type they had."""
    for text in assignments:
        name, _, value = text.partition("=")
        kind = type(getattr(config, name))
        new = (tuple(filter(None, value.split(","))) if kind is tuple
               else value.lower() == "true" if kind is bool else kind(value))
        config = config.with_(**{name: new})
    return config


def scores(found: ArrayLike, reference: ArrayLike) -> dict[str, float]:
    """The numbers that settings are compared by, of legend codes against others."""
    matrix = confusion_matrix(found, reference)
    f1 = metrics.per_class(matrix).f1
    return {
        "overall_accuracy": metrics.overall_accuracy(matrix),
        "macro_f1": metrics.macro_f1(matrix), "quarry_f1": f1[legend.code("quarry")],
        "road_f1": f1[legend.code("road")],
    }


def quarters(
    model: nn.Module, scene: xr.DataArray, known: Normalisation, tta: bool
) -> xr.DataArray:
    """Class probabilities of a scene whose quarters are mapped alone, each as if it were the whole
    scene.

    What is then in the scene is another mix of landscapes: a model that leans on it falls back.
    """
    rows, cols = (n // 2 for n in scene.shape[1:])
    down, right = (slice(0, rows), slice(rows, None)), (slice(0, cols), slice(cols, None))
    return xr.concat([
        xr.concat([predict_probabilities(model, scene[:, y, x], known, tta) for x in right], "x")
        for y in down], "y")


def ways(
    run: TrainResult, scene: xr.DataArray, tta: bool, one_pass: bool
) -> dict[str, xr.DataArray]:
    """Class probabilities of a scene, by how they were made: the beginning of the scores' names."""
    means = run.model, scene, run.normalisation
    found = {"": predict_probabilities(*means, tta), "quarters_": quarters(*means, tta)}
    if one_pass:
        found["one_pass_"] = predict_probabilities(*means) if tta else found[""]
    return found


def held_out(
    task: tuple[str, int], series: Series, config: TrainConfig, folder: Path | None,
    threads: int, one_pass: bool,
) -> list[dict[str, object]]:
    """Scores of one date's maps against its own labels, trained on all other dates."""
    date, seed = task
    torch.set_num_threads(threads)
    others = [d for d in series.scenes if d != date]
    data = [series.scenes[d] for d in others], [series.masks[d] for d in others]
    place = folder and folder / f"{date}_seed{seed}"
    if config.members:
        whole = train_ensemble(*data, config, seed, folder=place, progress=False)
        names, runs = config.members, whole.runs
    else:
        names, runs = (config.normalisation,), [train(
            *data, config, seed, progress=False, checkpoint=place and place / "run.checkpoint")]
    scene, mask = series.scenes[date], series.masks[date]
    found = [ways(run, scene, config.tta, one_pass) for run in runs]
    seconds = [run.seconds for run in runs]
    if config.members:  # the ensemble's probabilities are the weighted mean of its members'
        shares = whole.model.shares
        joined = {way: p.copy(data=sum(s * f[way].values for s, f in zip(shares, found,
                                                                         strict=True)))
                  for way, p in found[0].items()}
        names, found = ("ensemble", *names), [joined, *found]
        seconds = [whole.seconds, *seconds]
    return [{"model": name, "left_out": date, "seed": seed, **all_scores(p, mask), "seconds": t}
            for name, p, t in zip(names, found, seconds, strict=True)]


def all_scores(found: dict[str, xr.DataArray], mask: xr.DataArray) -> dict[str, float]:
    """The scores of every way of mapping; by quarters the overall accuracy alone."""
    each = {way: scores(map_of(p), mask) for way, p in found.items()}
    accuracy = each.pop("quarters_")["overall_accuracy"]
    return {f"{way}{k}": v for way, part in each.items() for k, v in part.items()} | {
        "quarters_accuracy": accuracy}


def all_rows(
    series: Series, config: TrainConfig, tasks: list[tuple[str, int]], folder: Path | None,
    jobs: int, one_pass: bool = False,
) -> Iterator[dict[str, object]]:
    """Rows of every task, in order, several tasks at a time."""
    threads = max((os.cpu_count() or 1) // jobs, 1)
    work = partial(held_out, series=series, config=config, folder=folder, threads=threads,
                   one_pass=one_pass)
    with ProcessPoolExecutor(jobs, initializer=end_with_parent) as pool:
        for rows in pool.map(work, tasks):
            for row in rows:
                print("  ".join(f"{v:.3f}" if isinstance(v, float) else f"{v}"
                                for v in row.values()), flush=True)
            yield from rows


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--site", default="strzegom")
    parser.add_argument("--dates", nargs="+", help="dates to leave out, YYYY-MM-DD (default: all)")
    parser.add_argument("--config", default="default", help="named configuration to start from")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--jobs", type=int, default=1, help="dates at a time")
    parser.add_argument("--one-pass", action="store_true", help="score maps without copies too")
    parser.add_argument("--write", metavar="NAME", help="keep the rows as results under this name")
    return parser.parse_args()


def main() -> None:
    """Leave out every date with every seed, print the means, and keep the rows if asked to."""
    args = arguments()
    root: Path = paths.published_dir()
    series = training_series(args.site, root)
    config = changed(get_config(args.config), args.settings).with_(validation_share=0.0)
    tasks = [(date, seed) for seed in args.seeds for date in args.dates or series.scenes]
    folder = args.write and paths.output_root() / "build" / "left_out" / args.write
    rows = list(all_rows(series, config, tasks, folder, args.jobs, args.one_pass))
    table = pd.DataFrame(rows)
    print(table.groupby("model").mean(numeric_only=True).round(3).T)
    if args.write:
        values = {"site": args.site, "config": config.to_dict(), "rows": rows}
        results.write_results("published", args.write, values, series.files, root,
                              seconds=float(table.seconds.sum()))


if __name__ == "__main__":
    main()
