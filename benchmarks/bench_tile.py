"""`lulc classify` from 1 megapixel to a whole tile: peak memory, and how time grows.

    python benchmarks/bench_tile.py [--megapixels 1 8 30 120] [--base 4] [--safe] [--checkpoint F]

A network as the study's members, only narrower (random weights, ``--base`` channels), reads
GeoTIFFs of repeated parts; a process of its own classifies each, and its resident memory is read
ten times a second. Memory of the network's arrays does not depend on the weights; a file given
with ``--checkpoint`` is measured instead. CPU seconds are also given per megapixel.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from bench_classify import RUN
from record import ROOT, record
from scene import write_scene

from lulc_lib.unet import Ensemble, Normalisation, get_config, save_model
from lulc_lib.unet.checkpoint import build

TILE = 10_980
"""Pixels, edge of a Sentinel-2 tile."""

POINTS = 60
"""Points of a memory curve that are kept."""


def narrow_model(path: Path, base: int) -> Path:
    """Write a model as the study's, with fewer channels."""
    config = get_config("study").with_(base_channels=base)
    members = [build(config, seed, name) for seed, name in enumerate(config.members)]
    save_model(path, Ensemble(members).eval(), Normalisation(
        config.normalisation, (0.0,) * 10, (1.0,) * 10), config)
    return path


def measure(scene: Path, model: Path, out: Path) -> dict[str, Any]:
    """Classify in a process of its own and follow its memory."""
    words = ["classify", str(scene), "-o", str(out), "--checkpoint", str(model), "--no-tta",
             "--offset", "0"]
    process = subprocess.Popen([sys.executable, "-c", RUN, *words], stdout=subprocess.PIPE,
                               text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    curve, start, watched = [], time.perf_counter(), psutil.Process(process.pid)
    while process.poll() is None:
        try:
            curve.append((time.perf_counter() - start, watched.memory_info().rss / 1e6))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.1)
    found = json.loads(process.communicate()[0].splitlines()[-1])
    if found.pop("code"):
        sys.exit(f"{scene}: could not be classified")
    thin = curve[::max(len(curve) // POINTS, 1)]
    return {**found, "curve_s_mb": [[round(s, 1), round(mb)] for s, mb in thin]}


def main() -> None:
    """Measure, and write the section tile of results/bench.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 8, 30, 120.5604])
    parser.add_argument("--base", type=int, default=4, help="channels of the first block")
    parser.add_argument("--checkpoint", type=Path, help="measure this model instead")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = args.checkpoint or narrow_model(folder / "narrow.pt", args.base)
        for megapixels in args.megapixels:
            edge = min(round((megapixels * 1e6) ** 0.5), TILE)
            scene = write_scene(folder / "scene_20230709.tif", edge, edge)
            found = measure(scene, model, folder / f"map{edge}.tif")
            rows.append({"megapixels": edge**2 / 1e6, **found,
                         "cpu_s_per_megapixel": found["cpu_s"] / (edge**2 / 1e6)})
    record("tile", {"model": model.name, "base_channels": args.base, "sizes": rows,
                    "peak_mb": max(r["peak_mb"] for r in rows),
                    "last_over_first_cpu_per_megapixel":
                        rows[-1]["cpu_s_per_megapixel"] / rows[0]["cpu_s_per_megapixel"]})


if __name__ == "__main__":
    main()
