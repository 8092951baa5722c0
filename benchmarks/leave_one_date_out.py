"""Which training settings hold on a date the network has not seen?

Leaves one training date of a site out at a time, trains on the labels of the others, and scores
the map of the date left out against its own labels. The test scene plays no part. Small runs
(--epochs, --steps) are enough to rank settings. Any setting can be compared, not the
normalisation alone:

    python benchmarks/leave_one_date_out.py --normalisation reflectance per_scene
    python benchmarks/leave_one_date_out.py --set base=24 --dates 20220619 20221012

LULC_DATA names the folder of the published dataset. With --write the rows go to
results/published/normalisation.json, which notebook 02 shows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from lulc_lib import legend, paths, results
from lulc_lib.accuracy import metrics
from lulc_lib.accuracy.confusion import confusion_matrix
from lulc_lib.data.series import Series, training_series
from lulc_lib.unet import NORMALISATIONS, TrainConfig, get_config, predict_scene, train

COLUMNS = ("overall_accuracy", "macro_f1", "quarry_f1", "road_f1", "seconds")


def changed(config: TrainConfig, assignments: list[str]) -> TrainConfig:
    """The configuration with settings NAME=VALUE, converted to the type they had."""
    for text in assignments:
        name, _, value = text.partition("=")
        kind = type(getattr(config, name))
        config = config.with_(**{name: kind(value)})
    return config


def held_out(series: Series, date: str, config: TrainConfig, seed: int) -> dict[str, float]:
    """Scores of one date's map against its own labels, trained on all other dates."""
    others = [d for d in series.scenes if d != date]
    run = train([series.scenes[d] for d in others], [series.masks[d] for d in others], config,
                seed, progress=False)
    found = predict_scene(run.model, series.scenes[date], run.normalisation)
    matrix = confusion_matrix(found, series.masks[date])
    f1 = metrics.per_class(matrix).f1
    return {
        "overall_accuracy": metrics.overall_accuracy(matrix),
        "macro_f1": metrics.macro_f1(matrix), "quarry_f1": f1[legend.code("quarry")],
        "road_f1": f1[legend.code("road")], "seconds": run.seconds,
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--normalisation", nargs="+", default=list(NORMALISATIONS),
                        choices=list(NORMALISATIONS))
    parser.add_argument("--site", default="strzegom")
    parser.add_argument("--dates", nargs="+", help="dates to leave out, YYYY-MM-DD (default: all)")
    parser.add_argument("--config", default="default", help="named configuration to start from")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=150, help="steps in an epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="keep the rows as results")
    return parser.parse_args()


def main() -> None:
    """Compare the settings, print a row per date left out, and keep them if asked to."""
    args = arguments()
    root: Path = paths.published_dir()
    series = training_series(args.site, root)
    config = changed(get_config(args.config), args.settings).with_(
        validation_share=0.0, epochs=args.epochs, steps_per_epoch=args.steps
    )
    rows = []
    for name in args.normalisation:
        for date in args.dates or list(series.scenes):
            row = held_out(series, date, config.with_(normalisation=name), args.seed)
            rows.append({"normalisation": name, "left_out": date, **row})
            print(f"{name:16} {date}  " + "  ".join(f"{c} {row[c]:.3f}" for c in COLUMNS),
                  flush=True)
    table = pd.DataFrame(rows)
    print(table.groupby("normalisation")[list(COLUMNS)].mean().round(3))
    if args.write:
        values = {"site": args.site, "seed": args.seed, "config": config.to_dict(), "rows": rows}
        results.write_results("published", "normalisation", values, series.files, root,
                              seconds=float(table.seconds.sum()))


if __name__ == "__main__":
    main()
