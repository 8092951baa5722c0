"""What does each training setting do on a date the network has not seen?

Trains variants of a short run of the study's first network, each with one setting changed, with
several seeds, leaving one training date out at a time as leave_one_date_out.py does. The test scene
plays no part.

    python -m experiments.ablation --jobs 2 --write ablation
    python -m experiments.ablation --epochs 10 --variants ROADS --jobs 2 --write ablation_roads

Runs of 200 steps rank most settings, but no network finds roads as early as that: the variants that
are meant for roads (ROADS) are tried in longer ones. LULC_DATA names the folder of the published
dataset. With --write the rows go to results/published/NAME.json, which notebook 02 shows, and
checkpoints are kept under build/, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from experiments.leave_one_date_out import COLUMNS, all_rows
from lulc_lib import paths, results
from lulc_lib.data.series import training_series
from lulc_lib.unet import get_config

VARIANTS: dict[str, dict[str, object]] = {
    "per scene, mixture, running mean": {},
    "no mixture of landscapes": {"mixture": 0.0},
    "no running mean of the weights": {"ema": 0.0},
    "with normalised differences": {"normalisation": "per_scene_and_indices"},
    "reflectance": {"normalisation": "reflectance", "mixture": 0.0},
    "training scenes' statistics": {"normalisation": "training_scenes", "mixture": 0.0},
    "cross-entropy (γ 0)": {"gamma": 0.0},
    "no class weights": {"weight_power": 0.0},
    "stronger class weights": {"weight_power": 0.5},
    "leaning on label shares": {"prior": 0.1},
    "labels as drawn": {"lasting": ()},
    "three poolings": {"depth": 3},
    "patches placed as labelled": {"centre_balance": 0.0},
}
ROADS = ("per scene, mixture, running mean", "labels as drawn", "stronger class weights",
         "leaning on label shares", "three poolings")
"""Variants that are meant for thin objects. One pass over the scene is scored in every run."""
DATES = ("2022-06-19", "2023-02-09")


def main() -> None:
    """Train every variant with every seed and date, and print the means."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--site", default="strzegom")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--dates", nargs="+", default=DATES, help="dates to leave out")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS),
                        choices=[*VARIANTS, "ROADS"])
    parser.add_argument("--epochs", type=int, default=2, help="hundreds of steps")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--write", metavar="NAME", help="keep the rows as results under this name")
    args = parser.parse_args()
    names = ROADS if args.variants == ["ROADS"] else args.variants
    root: Path = paths.published_dir()
    series = training_series(args.site, root)
    base = get_config("study").with_(members=(), votes=(), normalisation="per_scene",
                                     prior=0.0, epochs=args.epochs)
    folder = args.write and paths.output_root() / "build" / "left_out" / args.write
    tasks, rows = [(date, seed) for seed in args.seeds for date in args.dates], []
    for name in names:
        found = all_rows(series, base.with_(**VARIANTS[name]), tasks, folder and folder / name,
                         args.jobs, one_pass=True)
        rows += [{"variant": name, **row} for row in found]
    table = pd.DataFrame(rows)
    print(table.groupby("variant")[list(COLUMNS)].mean().round(3).loc[list(names)])
    if args.write:
        values = {"site": args.site, "config": base.to_dict(), "rows": rows}
        results.write_results("published", args.write, values, series.files, root,
                              seconds=float(table.seconds.sum()))


if __name__ == "__main__":
    main()
