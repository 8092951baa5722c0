"""How far do pixel classifiers come on a date they have not seen, given the study's own input?

Leaves one training date of a site out at a time, as leave_one_date_out.py does, and trains a random
forest and a linear support vector machine on every labelled pixel of the other dates, with several
seeds where chance has a part in it.

    python -m experiments.pixel_classifiers --write

LULC_DATA names the folder of the published dataset. With --write the rows go to
results/published/pixel_classifiers.json, which notebook 02 shows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import LinearSVC

from experiments.leave_one_date_out import scores
from lulc_lib import legend, paths, results
from lulc_lib.data.series import Series, training_series
from lulc_lib.unet import get_config, normalise

CLASSIFIERS: dict[str, Callable[[int], ClassifierMixin]] = {
    "random forest, 100 trees": lambda seed: RandomForestClassifier(100, random_state=seed,
                                                                    n_jobs=-1),
    "linear SVM": lambda seed: LinearSVC(dual=False),
}
SEEDLESS = ("linear SVM",)
"""Classifiers that come out the same whatever the seed; they are trained once."""
COLUMNS = ("overall_accuracy", "macro_f1", "quarry_f1", "road_f1", "seconds")


def pixels(series: Series, normalisation: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Date to (pixel, band) float32 input and (pixel,) legend codes of its labelled pixels."""
    known = normalise.fit(normalisation, list(series.scenes.values()))
    found = {}
    for date, scene in series.scenes.items():
        mask = series.masks[date].values
        labelled = mask != legend.NO_DATA
        found[date] = known.apply(scene)[:, labelled].T, mask[labelled]
    return found


def main() -> None:
    """Score every classifier on every date left out, with every seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--site", default="strzegom")
    parser.add_argument("--normalisation", default=get_config("study").normalisation)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--write", action="store_true", help="keep the rows as results")
    args = parser.parse_args()
    root: Path = paths.published_dir()
    series = training_series(args.site, root)
    data, rows = pixels(series, args.normalisation), []
    tasks = [(name, seed) for name in CLASSIFIERS
             for seed in (args.seeds[:1] if name in SEEDLESS else args.seeds)]
    for name, seed in tasks:
        for date, (x, y) in data.items():
            start = time.perf_counter()
            others = [v for d, v in data.items() if d != date]
            model = CLASSIFIERS[name](seed).fit(np.concatenate([o[0] for o in others]),
                                                np.concatenate([o[1] for o in others]))
            row = {"classifier": name, "left_out": date, "seed": seed,
                   **scores(model.predict(x), y), "seconds": time.perf_counter() - start}
            rows.append(row)
            print(f"{name:26} {date}  {seed}  " + "  ".join(f"{c} {row[c]:.3f}" for c in COLUMNS),
                  flush=True)
    table = pd.DataFrame(rows)
    print(table.groupby("classifier")[list(COLUMNS)].mean().round(3))
    if args.write:
        values = {"site": args.site, "normalisation": args.normalisation, "rows": rows}
        results.write_results("published", "pixel_classifiers", values, series.files, root,
                              seconds=float(table.seconds.sum()))


if __name__ == "__main__":
    main()
