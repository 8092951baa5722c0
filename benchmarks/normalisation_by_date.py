"""Which training settings hold on a date the network has not seen?

Leaves one training date of a site out at a time, trains on the labels of the others, and scores
the map of the date left out against its own labels. The test scene plays no part. Small runs
(--epochs, --steps) are enough to rank settings. Any setting can be compared, not the
normalisation alone:

    python benchmarks/normalisation_by_date.py --normalisation reflectance per_scene
    python benchmarks/normalisation_by_date.py --set base=24 --dates 20220619 20221012

LULC_DATA names the folder with img_train/ and training_masks/.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lulc_lib import legend, paths
from lulc_lib.data.reference import read_mask
from lulc_lib.data.scenes import read_scene
from lulc_lib.unet import NORMALISATIONS, TrainConfig, get_config, predict_scene, train
from lulc_lib.unet import scores as s


def read_dates(site: str) -> dict[str, tuple[xr.DataArray, xr.DataArray]]:
    """Scene and mask of every training date (YYYYMMDD) of a site."""
    root = paths.published_dir()
    pairs = {}
    for path in sorted((root / "training_masks").glob(f"{site}_*.tif")):
        scene = root / "img_train" / path.name
        if scene.exists():
            grid = read_scene(scene)
            pairs[path.stem.split("_")[1]] = (grid, read_mask(path, grid))
    if len(pairs) < 2:
        sys.exit(f"{root}: {len(pairs)} training dates of {site}; at least two are needed")
    return pairs


def changed(config: TrainConfig, assignments: list[str]) -> TrainConfig:
    """The configuration with settings NAME=VALUE, converted to the type they had."""
    for text in assignments:
        name, _, value = text.partition("=")
        kind = type(getattr(config, name))
        config = config.with_(**{name: kind(value)})
    return config


def held_out(
    pairs: dict[str, tuple[xr.DataArray, xr.DataArray]], date: str, config: TrainConfig, seed: int
) -> tuple[dict[str, float], NDArray[np.int64]]:
    """Scores and confusion matrix (map, reference) of one date, trained on all others."""
    others = [p for d, p in pairs.items() if d != date]
    result = train([p[0] for p in others], [p[1] for p in others], config, seed, progress=False)
    scene, mask = pairs[date]
    found = predict_scene(result.model, scene, result.normalisation)
    matrix = s.confusion([(found.values, mask.values)])
    f1 = dict(zip(legend.CODES, s.f1_scores(matrix), strict=True))
    return {
        "oa": s.overall_accuracy(matrix), "macro_f1": s.macro_f1(matrix),
        "quarry_f1": float(f1[legend.code("quarry")]), "road_f1": float(f1[legend.code("road")]),
        "seconds": result.seconds,
    }, matrix


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--normalisation", nargs="+", default=list(NORMALISATIONS),
                        choices=list(NORMALISATIONS))
    parser.add_argument("--site", default="strzegom")
    parser.add_argument("--dates", nargs="+", help="dates to leave out, YYYYMMDD (default: all)")
    parser.add_argument("--config", default="default", help="named configuration to start from")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=200, help="steps in an epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the rows here")
    args = parser.parse_args()

    pairs = read_dates(args.site)
    config = changed(get_config(args.config), args.settings).with_(
        validation_share=0.0, epochs=args.epochs, steps_per_epoch=args.steps
    )
    columns = ("oa", "macro_f1", "quarry_f1", "road_f1", "seconds")
    print(f"{'normalisation':16} {'left out':10}" + "".join(f"{c:>10}" for c in columns))
    rows = []
    for name in args.normalisation:
        mine = []
        for date in args.dates or list(pairs):
            row, _ = held_out(pairs, date, config.with_(normalisation=name), args.seed)
            mine.append(row)
            rows.append({"normalisation": name, "left_out": date, **row})
            print(f"{name:16} {date:10}" + "".join(f"{row[c]:10.3f}" for c in columns), flush=True)
        mean = [np.nanmean([r[c] for r in mine]) for c in columns]
        print(f"{name:16} {'mean':10}" + "".join(f"{m:10.3f}" for m in mean), flush=True)
    if args.json:
        text = {"site": args.site, "seed": args.seed, "config": config.to_dict(), "rows": rows}
        args.json.write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()
