"""Sweep: which learning rate, weight decay and class balancing hold on held-out places.

Trains a small network for every combination of the paper's sweep with plain cross-entropy and
keeps loss and accuracy by epoch (the paper's Figures 8 and 9). A combination is evaluated on the
labels of held-out blocks of the training dates; the test scene plays no part.

    python -m experiments.sweep --write

LULC_DATA names the folder of the published dataset. With --write the rows go to
results/published/sweep.json, which notebook 02 shows.
"""

from __future__ import annotations

import argparse
from itertools import product

import pandas as pd

from experiments.held_out import FORMER, argument_parser, published_series, write
from lulc_lib.unet import train

LEARNING_RATES = (0.001, 0.003, 0.01)
WEIGHT_DECAYS = (0.01, 0.001, 0.0001)  # the paper's, Table 5
BALANCES = (0.0, 1.0)  # exponent of the class weights: none, every class the same


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=24, help="steps in an epoch (24: the paper's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="keep the rows as results")
    return parser.parse_args()


def main() -> None:
    """Train every combination and print how it ended."""
    args = arguments()
    series = published_series(args.site)
    scenes, labels = list(series.scenes.values()), list(series.labels.values())
    base = FORMER.with_(
        name="default", members=(), member_weights=(), normalisation="per_scene",
        validation_share=0.1, logit_adjustment=0.0,
        focal_gamma=0.0, class_balanced_sampling=0.0, schedule="constant", ema_decay=0.0,
        statistics_augmentation=0.0, epochs=args.epochs, steps_per_epoch=args.steps,
    )
    rows, seconds = [], 0.0
    for rate, decay, balance in product(LEARNING_RATES, WEIGHT_DECAYS, BALANCES):
        config = base.with_(learning_rate=rate, weight_decay=decay, class_weight_power=balance)
        run = train(scenes, labels, config, args.seed, progress=False)
        seconds += run.seconds
        chosen = {"learning_rate": rate, "weight_decay": decay, "balance": balance}
        rows += [{**row, **chosen} for row in run.history]
        last = run.history[-1]
        print(f"rate {rate:<7g} decay {decay:<7g} balance {balance:g}  loss {last['loss']:.3f}  "
              f"OA {last['validation_oa']:.3f}  macro F1 {last['validation_macro_f1']:.3f}  "
              f"{run.seconds:.0f} s", flush=True)
    table = pd.DataFrame(rows)
    ends = table[table.epoch == args.epochs]
    print(ends.groupby(["balance", "learning_rate"]).validation_macro_f1.mean().round(3))
    if args.write:
        values = {"site": args.site, "seed": args.seed, "config": base.to_dict(), "rows": rows}
        write("sweep", values, series, seconds)


if __name__ == "__main__":
    main()
