"""What Google's Earth Engine answers to the requests of notebook 03, and how it differs.

Draws the points of notebook 03 again, by their seeds, and sends the same requests to Google, with
the credentials that `earthengine authenticate` has left and the Cloud project of EE_PROJECT.

    python -m experiments.earth_engine_at_google [--draws N] [--backend google] [--write]

Without an account it ends with 2 and a line that says what is missing. LULC_DATA names the folder
of the published dataset. With --write the answers go to
results/published/earth_engine_at_google.json, and scripts/update_readme.py then sets Google's
numbers beside those of the offline emulation. With --backend local the offline server answers, and
every difference must be 0.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lulc_lib import data, paths, results
from lulc_lib.accuracy import from_reference_rows
from lulc_lib.earth_engine import maps, open_backend, points, workflow
from lulc_lib.earth_engine.backend import Backend
from lulc_lib.errors import InputError

SITE, START, END = "strzegom", "2023-07-01", "2023-07-30"


def differences(ours: Mapping[str, Sequence[Any]], theirs: Mapping[str, Sequence[Any]],
                ) -> dict[str, dict[str, Any]]:
    """Compare the matrices of draws, classifier by classifier.

    Parameters
    ----------
    ours, theirs : mapping of str to sequence of array, shape (map class, reference class)
        Classifier to one matrix per draw: of the offline emulation, of Google.

    Returns
    -------
    dict
        Classifier to overall accuracies of both, points that changed cells at the least, and the
        number of draws whose matrices are equal.
    """
    out = {}
    for name, many in theirs.items():
        pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(ours[name], many, strict=False)]
        moved = [int(np.abs(a - b).sum() // 2) for a, b in pairs]
        out[name] = {"offline": [np.trace(a) / a.sum() for a, _ in pairs],
                     "google": [np.trace(b) / b.sum() for _, b in pairs],
                     "points_moved": moved, "equal_draws": moved.count(0), "draws": len(pairs)}
    return out


def answers(engine: Backend, stored: Mapping[str, Any], draws: int) -> dict[str, Any]:
    """Send the requests of the first draws; return matrices, importance and maps by classifier."""
    site, root = data.find_site(SITE), paths.published_dir()
    polygons, local = data.site_polygons(SITE, root), data.read_scene(data.scene_path(SITE, root))
    scene = workflow.least_cloudy(site, START, END)
    unit = stored["dn_per_unit"]
    seen = scene if unit == 1 else scene.divide(unit)
    training, test = ({int(k): v for k, v in stored[key].items()}
                      for key in ("training_support", "support"))
    drawn = [points.draw_points(polygons, local, training, test, seed)
             for seed in stored["seeds"][:draws]]
    runs = [workflow.run_draw(engine, seen, draw) for draw in drawn]
    sampled = workflow.sample(seen, points.to_earth_engine(drawn[0].training))
    images = {name: workflow.class_map(seen, workflow.train(name, sampled)) for name in runs[0]}
    return {
        "scene": engine.compute(workflow.describe_scene(scene)),
        "matrices": {name: [from_reference_rows(run[name]["test"], stored["labels"]).to_numpy()
                            for run in runs] for name in runs[0]},
        "importance": {name: [run[name]["importance"] for run in runs]
                       for name in workflow.EXPLAINS},
        "maps": {name: maps.download(engine, image, site) for name, image in images.items()}}


def importance_moved(ours: Mapping[str, Sequence[float]], theirs: Sequence[Mapping[str, float]],
                     ) -> float:
    """Return the largest change of a band's share of the importance in any draw."""
    changes = []
    for k, one in enumerate(theirs):
        pair = np.array([[ours[band][k], one.get(band, 0)] for band in ours])
        changes.append(np.abs(np.diff(pair / pair.sum(axis=0), axis=1)).max())
    return float(max(changes))


def compared(stored: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Compare the answers with what notebook 03 has stored."""
    out = differences(stored["matrices"], found["matrices"])
    for name, one in out.items():
        stored_map = results.unpack_map(stored["maps"][name])
        one["same_pixels"] = float((stored_map.values == found["maps"][name].values).mean())
        if name in found["importance"]:
            one["importance_moved"] = importance_moved(
                stored["importance"][name]["as listed"], found["importance"][name])
    return out


def main() -> None:
    """Ask, compare, print, and write if wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.
                                     RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=24, help="the first of notebook 03's draws")
    parser.add_argument("--backend", default="google", choices=["google", "local"])
    parser.add_argument("--write", action="store_true", help="keep the differences as results")
    args = parser.parse_args()
    if args.write and args.backend != "google":
        parser.error("--write keeps what Google answered; the offline server answered here")
    begun, root = time.perf_counter(), paths.published_dir()
    stored = results.read_results("published", "earth_engine")
    with open_backend(root, args.backend, site=SITE) as engine:
        found = answers(engine, stored, args.draws)
    differ = compared(stored, found)
    for name, one in differ.items():
        print(name, *(f"{key} {np.round(np.mean(value), 4)}" for key, value in one.items()))
    if args.write:
        files = [data.scene_path(SITE, root), data.polygons_path(SITE, root)]
        values = {"backend": args.backend, "scene": found["scene"], "classifiers": differ,
                  "dn_per_unit": stored["dn_per_unit"]}
        results.write_results("published", "earth_engine_at_google", values, files, root,
                              seconds=time.perf_counter() - begun)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"earth_engine_at_google: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
