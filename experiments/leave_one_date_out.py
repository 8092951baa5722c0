r"""Leave one date out: which training settings hold on a date the network has not seen.

Leaves one training date of a site out at a time, trains on the labels of the others, and scores
the map of the held-out date against its own labels (see held_out.py). The test scene plays no part.
Small runs (few epochs) are enough to rank settings:

    python -m experiments.leave_one_date_out --set normalisation=reflectance epochs=1
    python -m experiments.leave_one_date_out --config former --one-pass --seeds 0 1 2 --jobs 2 \
        --write leave_one_date_out
    python -m experiments.leave_one_date_out --config former --set logit_adjustment=0 \
        --seeds 0 1 2 --jobs 2 --write leave_one_date_out_plain

The last is the former model without logit adjustment, which acts after training: a copy of
build/held_out/leave_one_date_out as build/held_out/leave_one_date_out_plain saves hours.

With --write the rows go to results/published/NAME.json, and checkpoints are kept under build/, so
a run that was stopped goes on. LULC_DATA names the folder of the published dataset.
"""

from __future__ import annotations

import argparse

from experiments.held_out import (
    FORMER,
    argument_parser,
    build_folder,
    held_out_rows,
    mean_scores,
    published_series,
    write,
)
from lulc_lib.unet import TrainConfig, get_config


def changed(config: TrainConfig, assignments: list[str]) -> TrainConfig:
    """Return the configuration with settings NAME=VALUE, converted to the type they had."""
    for text in assignments:
        name, _, value = text.partition("=")
        kind = type(getattr(config, name))
        new = (tuple(filter(None, value.split(","))) if kind is tuple
               else value.lower() == "true" if kind is bool else kind(value))
        config = config.with_(**{name: new})
    return config


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--dates", nargs="+", help="dates to hold out, YYYY-MM-DD (default: all)")
    parser.add_argument("--config", default="former",
                        help="named configuration to start from, or the former recipe")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--jobs", type=int, default=1, help="dates at a time")
    parser.add_argument("--one-pass", action="store_true", help="score maps without copies too")
    parser.add_argument("--write", metavar="NAME", help="keep the rows as results under this name")
    return parser.parse_args()


def main() -> None:
    """Hold out every date with every seed, print the means, and keep the rows if asked to."""
    args = arguments()
    series = published_series(args.site)
    named = FORMER if args.config == "former" else get_config(args.config)
    config = changed(named, args.settings).with_(validation_share=0.0)
    tasks = [(date, seed) for seed in args.seeds for date in args.dates or series.scenes]
    rows = list(held_out_rows(series, config, tasks, build_folder(args.write), args.jobs,
                              args.one_pass))
    print(mean_scores(rows, "model").T)
    if args.write:
        write(args.write, {"site": args.site, "config": config.to_dict(), "rows": rows}, series,
              sum(row["seconds"] for row in rows))


if __name__ == "__main__":
    main()
