"""How far pixel classifiers come on a date they have not seen, given the study's own input.

Leaves one training date of a site out at a time, as leave_one_date_out.py does, and trains a random
forest and a linear support vector machine on every labelled pixel of the other dates, with several
seeds where chance has a part in it.

    python -m experiments.pixel_classifiers --write

LULC_DATA names the folder of the published dataset. With --write the rows go to
results/published/pixel_classifiers.json, which notebook 02 shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import LinearSVC

from experiments.held_out import (
    FORMER,
    argument_parser,
    mean_scores,
    published_series,
    scores,
    write,
)
from lulc_lib import legend
from lulc_lib.data.series import Series
from lulc_lib.unet import fit

CLASSIFIERS: dict[str, Callable[[int], ClassifierMixin]] = {
    "random forest, 100 trees": lambda seed: RandomForestClassifier(100, random_state=seed,
                                                                    n_jobs=-1),
    "linear SVM": lambda seed: LinearSVC(dual=False),
}
SEEDLESS = ("linear SVM",)
"""Classifiers that come out the same whatever the seed; they are trained once."""


def pixels(series: Series, normalisation: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return date to (pixel, channel) float32 input, (pixel,) legend codes of labelled pixels."""
    fitted = fit(normalisation, list(series.scenes.values()))
    labelled = {date: raster.values != legend.NO_DATA for date, raster in series.labels.items()}
    return {date: (fitted.apply(scene)[:, labelled[date]].T,
                   series.labels[date].values[labelled[date]])
            for date, scene in series.scenes.items()}


def main() -> None:
    """Score every classifier on every held-out date, with every seed."""
    parser = argument_parser(__doc__)
    parser.add_argument("--normalisation", default=FORMER.normalisation)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--write", action="store_true", help="keep the rows as results")
    args = parser.parse_args()
    series = published_series(args.site)
    data, rows = pixels(series, args.normalisation), []
    tasks = [(name, seed) for name in CLASSIFIERS
             for seed in (args.seeds[:1] if name in SEEDLESS else args.seeds)]
    for name, seed in tasks:
        for date, (x, y) in data.items():
            start = time.perf_counter()
            others = [v for d, v in data.items() if d != date]
            model = CLASSIFIERS[name](seed).fit(np.concatenate([o[0] for o in others]),
                                                np.concatenate([o[1] for o in others]))
            rows.append({"classifier": name, "held_out_date": date, "seed": seed,
                         **scores(model.predict(x), y), "seconds": time.perf_counter() - start})
            print(*rows[-1].values(), flush=True)
    print(mean_scores(rows, "classifier"))
    if args.write:
        values = {"site": args.site, "normalisation": args.normalisation, "rows": rows}
        write("pixel_classifiers", values, series, sum(row["seconds"] for row in rows))


if __name__ == "__main__":
    main()
