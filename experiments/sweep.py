"""Learning rate × weight decay × class balancing: which combination holds on places held back?

Trains a small network for every combination of the paper's sweep with plain cross-entropy and
keeps loss and accuracy by epoch (the paper's Figures 8 and 9). A combination is judged on the
labels of held-back blocks of the training dates; the test scene plays no part.

    python -m experiments.sweep --write

LULC_DATA names the folder of the published dataset. With --write the rows go to
results/published/sweep.json, which notebook 02 shows.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import pandas as pd

from lulc_lib import paths, results
from lulc_lib.data.series import training_series
from lulc_lib.unet import get_config, train

LEARNING_RATES = (0.001, 0.003, 0.01)
WEIGHT_DECAYS = (0.01, 0.001, 0.0001)  # the paper's, Table 5
BALANCES = (0.0, 1.0)  # exponent of the class weights: none, every class the same


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--site", default="strzegom")
    parser.add_argument("--config", default="default", help="named configuration to start from")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=24, help="steps in an epoch (24: the paper's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="keep the rows as results")
    return parser.parse_args()


def main() -> None:
    """Train every combination and print how it ended."""
    args = arguments()
    root: Path = paths.published_dir()
    series = training_series(args.site, root)
    scenes, masks = list(series.scenes.values()), list(series.masks.values())
    base = get_config(args.config).with_(
        gamma=0.0, centre_balance=0.0, schedule="constant", ema=0.0, mixture=0.0,
        epochs=args.epochs, steps_per_epoch=args.steps,
    )
    rows, seconds = [], 0.0
    for rate, decay, balance in product(LEARNING_RATES, WEIGHT_DECAYS, BALANCES):
        config = base.with_(learning_rate=rate, weight_decay=decay, weight_power=balance)
        run = train(scenes, masks, config, args.seed, progress=False)
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
        results.write_results("published", "sweep", values, series.files, root, seconds=seconds)


if __name__ == "__main__":
    main()
