"""Smile's trees of ee_local: seconds to train and to classify, against scikit-learn in one run.

    python benchmarks/bench_trees.py [--size 401] [--points 675] [--repeats 7] [--json OUT]

The scene is random: ten bands of whole digital numbers, nine classes that overlap as the study's
do (full-grown trees on half of the points have some 130 nodes). Both sides take turns; the fastest
of the repeats counts. scikit-learn's forest draws half of the points for each tree too. The order
of the points by value is kept between calls (ee_local does so), but not for the first training.
Pixels come band by band, as a raster is read. Seconds are the processor's, not the clock's.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from ee_local.models import fit_cart, fit_forest
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from ee_local import smile

BANDS, CLASSES, TREES = 10, 9, 10
FOREST = {"numberOfTrees": TREES, "variablesPerSplit": None, "minLeafPopulation": 1,
          "bagFraction": 0.5, "maxNodes": None, "seed": 0}


def scene(pixels: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make (pixel, band) float64 digital numbers and (pixel,) classes from 1."""
    means = rng.uniform(500, 3500, (CLASSES, BANDS))
    codes = rng.integers(0, CLASSES, pixels)
    shade = rng.normal(0, 350, (pixels, 1)) + rng.normal(0, 550, (pixels, BANDS))
    return np.rint(means[codes] + shade).clip(1), codes + 1


def fastest(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Measure the least seconds of each way; they take turns."""
    seconds = dict.fromkeys(ways, np.inf)
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.process_time()
            way()
            seconds[name] = min(seconds[name], time.process_time() - start)
    return seconds


def first_cart(rows: np.ndarray, labels: np.ndarray) -> None:
    """Train a tree on points that are not sorted yet."""
    smile._sorted_ranks.cache_clear()
    fit_cart(rows, labels, FOREST)


def main() -> None:
    """Measure, print and, if asked, write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=401, help="rows and columns of the scene")
    parser.add_argument("--points", type=int, default=675, help="training points")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", help="also write the numbers to this file")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    pixels, codes = scene(args.size ** 2, rng)
    pixels = np.asfortranarray(pixels)
    chosen = rng.choice(len(pixels), args.points, replace=False)
    rows, labels = pixels[chosen], codes[chosen]
    peer = RandomForestClassifier(TREES, max_samples=0.5, random_state=0)
    ours = fit_forest(rows, labels, FOREST)
    nodes = np.mean([t.variable.size for t in ours._trees])
    pairs = {
        "first CART": (lambda: first_cart(rows, labels),
                       lambda: DecisionTreeClassifier(random_state=0).fit(rows, labels)),
        "CART": (lambda: fit_cart(rows, labels, FOREST),
                 lambda: DecisionTreeClassifier(random_state=0).fit(rows, labels)),
        "forest": (lambda: fit_forest(rows, labels, FOREST), lambda: peer.fit(rows, labels)),
        "scene": (lambda: ours.predict(pixels), lambda: peer.predict(pixels))}
    print(f"{args.points} points, {TREES} trees of {nodes:.0f} nodes, {args.size} × {args.size} "
          "pixels; ms")
    found = {}
    for name, (mine, theirs) in pairs.items():
        seconds = fastest({"ee_local": mine, "scikit-learn": theirs}, args.repeats)
        ratio = seconds["ee_local"] / seconds["scikit-learn"]
        found[name] = {**seconds, "ratio": ratio}
        shown = "   ".join(f"{who} {1000 * s:6.1f}" for who, s in seconds.items())
        print(f"  {name:10}   {shown}   ratio {ratio:.2f}")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
