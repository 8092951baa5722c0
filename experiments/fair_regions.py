"""Train on two of the three regions, assess on the third, where the scenes of all are at hand.

    python -m experiments.fair_regions

Writes job files like those of fair_pixels.py and fair_networks.py (fold names ``region-…``), for
fair_comparison.py. Reads the data room itself: labels are those of training, propagated within a
site, and all labels of the held-out region are counted. Where a training scene is not there
(`lulc data` downloads them), it says which and does nothing; fair_comparison.json lists them too.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.fair_networks import SETTINGS
from experiments.fair_pixels import SEEDS, by_cluster, features, lacking, size_of, sparse
from experiments.protocol_assess import Mapper
from lulc_lib import legend, paths
from lulc_lib.accuracy.pixel_models import MODELS, fitted, training_pixels
from lulc_lib.accuracy.splits import label_clusters
from lulc_lib.data import filled, training_pairs, training_series
from lulc_lib.io import written_whole
from lulc_lib.unet.config import STABLE_CLASSES, steps_per_epoch
from lulc_lib.unet.dataset import TrainingSet
from lulc_lib.unet.device import pick_device
from lulc_lib.unet.label_propagation import agreed_labels
from lulc_lib.unet.learner import Learner, run_together

REGIONS = {"region-strzegom": ("strzegom",), "region-kolbuszowa": ("kolbuszowa",),
           "region-krakow": ("krakow_1", "krakow_2", "krakow_3")}
"""Fold to the sites that it holds out."""

NETWORKS = ("augmented", "paper_narrow")
PIXELS = ("forest_ee", "svm_ee", "cart_ee", "index_rule")
"""Classifiers without settings to tune: a season to leave out there is in one region alone."""


class Site(NamedTuple):
    """(date, 10, row, col) reflectance and (date, row, col) legend codes of a site."""

    scenes: NDArray[np.float32]
    codes: NDArray[np.uint8]


def absent_scenes(root: Path) -> list[str]:
    """Return the training scenes that are not there."""
    return [scene.path for scene, _ in training_pairs() if not scene.path_in(root).exists()]


def read_sites(root: Path) -> dict[str, Site]:
    """Read every site's training scenes and labels."""
    found = {}
    for name in (n for names in REGIONS.values() for n in names):
        series = training_series(name, root)
        found[name] = Site(np.stack([filled(s) for s in series.scenes.values()]),
                           np.stack([m.values for m in series.labels.values()]).astype(np.uint8))
    return found


def learned(sites: Mapping[str, Site], fold: str) -> dict[str, Site]:
    """Return what a fold may learn from: the other regions, with labels propagated."""
    stable = [legend.code(k) for k in STABLE_CLASSES]
    return {n: s._replace(codes=agreed_labels(s.codes, stable)) for n, s in sites.items()
            if n not in REGIONS[fold]}


def counted(sites: Mapping[str, Site], fold: str, mapped: Mapping[str, NDArray]) -> dict[str, Any]:
    """Count (date, row, col) class indexes of the held-out sites by label cluster."""
    rows, first = [], 0
    for name in REGIONS[fold]:
        clusters = label_clusters(list(sites[name].codes))
        pairs = zip(mapped[name], legend.to_index(sites[name].codes), strict=True)
        for cluster, *rest in sparse(sum(by_cluster(m, t, clusters) for m, t in pairs)):
            rows.append([cluster + first, *rest])
        first += int(clusters.max())
    return {"clusters": {"place_held_out": rows}}


def networks(sites: Mapping[str, Site], fold: str, name: str, steps: int | None = None
             ) -> dict[str, Any]:
    """Train a network with every seed and count."""
    begin, config, known = time.process_time(), SETTINGS[name], learned(sites, fold)
    scenes = [s for site in known.values() for s in site.scenes]
    data = TrainingSet.of(
        [Mapper.inputs(config.normalisation, torch.from_numpy(s[None]))[0].numpy() for s in scenes],
        [m for site in known.values() for m in site.codes], config.patch_size,
        [n for n, site in known.items() for _ in site.codes], rock=config.augment is not None)
    steps = steps or config.epochs * steps_per_epoch(config, sum(s[0].size for s in scenes))
    made = {str(s): Learner(data, config, s, pick_device(), steps) for s in SEEDS}
    run_together(list(made.values()))
    found = {}
    for seed, learner in made.items():
        mapper = Mapper([learner.averaged()], config)
        found[seed] = counted(sites, fold, {
            n: mapper.classes(sites[n].scenes).cpu().numpy() for n in REGIONS[fold]})
    return {"networks": found, "steps": steps, "device": str(pick_device()),
            "parameters": sum(p.numel() for p in learner.model.parameters()),
            "seconds": round(time.process_time() - begin, 1)}


def pixels(sites: Mapping[str, Site], fold: str, name: str) -> dict[str, Any]:
    """Fit a pixel classifier with every seed and count."""
    begin, model = time.process_time(), MODELS[name]
    known = {f"{n} {k}": (scene, codes) for n, site in learned(sites, fold).items()
             for k, (scene, codes) in enumerate(zip(*site, strict=True))}
    inputs = {k: features(scene) for k, (scene, _) in known.items()}
    labels, found = {k: codes for k, (_, codes) in known.items()}, {}
    for seed in SEEDS:
        estimator = fitted(model, model.grid[0], seed, *training_pixels(
            inputs, labels, model, model.cap, seed))
        found[str(seed)] = {"parameters": size_of(estimator)} | counted(sites, fold, {
            n: np.stack([estimator.predict(features(s)[model.inputs]).reshape(s.shape[1:])
                         for s in sites[n].scenes]) for n in REGIONS[fold]})
    return {"networks": found, "seconds": round(time.process_time() - begin, 1)}


def run_all(sites: Mapping[str, Site], out: Path, steps: int | None = None) -> Iterator[str]:
    """Do every job that is not done."""
    for name in (*PIXELS, *NETWORKS):
        for fold in REGIONS:
            target = out / ("jobs" if name in MODELS else "networks") / f"{fold}__{name}.json"
            if lacking(target, SEEDS)[1]:
                content = pixels(sites, fold, name) if name in MODELS else networks(
                    sites, fold, name, steps)
                target.parent.mkdir(parents=True, exist_ok=True)
                with written_whole(target) as part:
                    part.write_text(json.dumps({"fold": fold, "model": name, **content}))
            yield f"{fold} {name}: done"


def main() -> None:
    """Train on two regions and count on the third, or say what is not there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/fair"))
    args = parser.parse_args()
    root = paths.published_dir()
    if absent := absent_scenes(root):
        print(f"no region is held out: {len(absent)} training scenes are not in {root} "
              f"(`lulc data` downloads them): {', '.join(absent)}")
        return
    for line in run_all(read_sites(root), args.out):
        print(line, flush=True)


if __name__ == "__main__":
    main()
