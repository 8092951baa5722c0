"""Train the shipped configuration with the training mines of EuroMineNet added.

    python -m experiments.euromine_training [--data DIR] [--config study] [--seed 0] [--years 2021]

A mine's scene is cut to its footprint and a margin, and only the footprint is labelled, as quarry:
all else is unknown, so other classes are learned from the study's own labels alone. At most
``--share`` times as many mine pixels as the study has quarry pixels are kept, the same number from
each scene where it has them: the classes' frequencies, by which logits are adjusted, stay near
the study's. The model goes to build/euromine/seedN.pt with the attribution that CC BY 4.0 asks for,
in the file and beside it; experiments/euromine_validation.py --model scores it. A run that was
stopped goes on from its checkpoints. Without the data the command says so and ends with 2.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import xarray as xr

from experiments.euromine_scenes import MineScene
from experiments.euromine_validation import argument_parser, none_left, run, usable
from lulc_lib import data, legend, paths
from lulc_lib.data import euromine
from lulc_lib.unet import TrainConfig, TrainResult, get_config, train, train_ensemble
from lulc_lib.unet.checkpoint import save_model

MARGIN = 640.0
"""Metres of land kept around a footprint: a patch fits in beside it."""


def quarry_labels(mine: xr.DataArray, kept: int, seed: int) -> xr.DataArray:
    """Return (y, x) uint8: quarry on at most ``kept`` pixels of a footprint, NO_DATA elsewhere."""
    flat = np.flatnonzero(mine.values)
    chosen = np.random.default_rng(seed).permutation(flat)[:kept]
    codes = np.full(mine.size, legend.NO_DATA, np.uint8)
    codes[chosen] = legend.code("quarry")
    return data.on_grid(codes.reshape(mine.shape), mine)


def mines(root: Path, years: list[int], radiometry: str, left: Counter[str]
          ) -> list[MineScene]:
    """Return the training mines, cut to their footprint and :data:`MARGIN`."""
    cut = []
    for _, _, (scene, mine) in usable(root, "train", years, radiometry, left):
        if not mine.values.any():
            left["no mine in the label"] += 1
            continue
        box = data.window(mine, [mine.values], MARGIN)
        part = data.cut(scene, box)
        if not all(np.isfinite(band).any() for band in part.values):
            left["a band without data"] += 1
            continue
        cut.append(MineScene(part, data.cut(mine, box)))
    return cut


def train_with(scenes: list[xr.DataArray], labels: list[xr.DataArray], config: TrainConfig,
               seed: int, folder: Path) -> TrainResult:
    """Train a network or an ensemble, with checkpoints in ``folder``."""
    if config.members:
        return train_ensemble(scenes, labels, config, seed, folder=folder)
    return train(scenes, labels, config, seed, checkpoint=folder / "run.checkpoint")


def main() -> None:
    """Train on the study's scenes and the mines; keep the model and its attribution."""
    parser = argument_parser(__doc__)
    parser.add_argument("--site", default="strzegom", help="of the study's own labels")
    parser.add_argument("--config", default="study")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0)
    args = parser.parse_args()
    left: Counter[str] = Counter()
    added = mines(args.data, args.years, args.radiometry, left)
    if not added:
        raise none_left(args.data, left)
    series, config = data.training_series(args.site, paths.published_dir()), get_config(args.config)
    quarry = sum(int((m == legend.code("quarry")).sum()) for m in series.labels.values())
    kept = max(round(args.share * quarry / len(added)), 1)
    scenes = [*series.scenes.values(), *(m.scene for m in added)]
    labels = [*series.labels.values(),
              *(quarry_labels(m.mine, kept, args.seed + n) for n, m in enumerate(added))]
    folder = paths.output_root() / "build" / "euromine"
    trained = train_with(scenes, labels, config, args.seed, folder / f"seed{args.seed}")
    path = folder / f"seed{args.seed}.pt"
    terms = f"Trained with {euromine.ATTRIBUTION}"
    save_model(path, trained.model, trained.normalisation, trained.config, half=True,
               attribution=terms)
    path.with_suffix(".txt").write_text(terms + "\n", encoding="utf-8")
    print(f"{path}: {len(added)} scenes of mines, {trained.seconds:.0f} s of training")
    for why, number in left.items():
        print(f"not used: {number} × {why}")


if __name__ == "__main__":
    sys.exit(run(main))
