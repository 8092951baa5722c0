"""`lulc classify` from 1 megapixel to a whole tile: peak memory, and how time grows.

    python benchmarks/bench_tile.py [--megapixels 1 8 30 120] [--base 4] [--checkpoint FILE]
                                    [--parts SCENE...] [--safe] [--folder FOLDER]

A network as the study's members, only narrower (random weights, ``--base`` channels), reads
GeoTIFFs of repeated parts, those of real scenes with ``--parts``; a process of its own classifies
each, and its resident memory is read ten times a second. Memory of the network's arrays does not
depend on the weights; a file given with ``--checkpoint`` is measured instead. CPU seconds are also
given for each megapixel beyond a scene of one cell, which tells what a start takes. With ``--safe``
the last size is written as a SAFE product of JPEG 2000 bands, and the GeoTIFF holds what is read
from it; the two maps must be equal. memory.png shows the curves.
What is measured is kept in ``--folder``, where a run that was stopped goes on.
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

import matplotlib.pyplot as plt
import numpy as np
import psutil
import rasterio
import torch
from bench_classify import RUN
from matplotlib.figure import Figure
from record import ROOT, record
from scene import NAME, part, windows_of, write_safe, write_same, write_scene

from lulc_lib.figures.style import ACCENT, QUIET, styled, titled, write_figure
from lulc_lib.unet import Ensemble, Normalisation, get_config, save_model
from lulc_lib.unet.checkpoint import build

TILE = 10_980
"""Pixels, edge of a Sentinel-2 tile."""

CELL = 256
"""Pixels, edge of the scene that tells how long a start takes."""

POINTS = 60
"""Points of a memory curve that are kept."""

FIGURE = Path(__file__).with_name("memory.png")
MOST_MB = 1500
"""What a whole tile may take."""


def narrow_model(path: Path, base: int) -> Path:
    """Write a model as the study's, with fewer channels and weights that tell classes apart."""
    config = get_config("study").with_(base_channels=base)
    members = [build(config, seed, name) for seed, name in enumerate(config.members)]
    with torch.no_grad():
        for member in members:
            member.head.weight.mul_(8)
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


def measure_all(folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure GeoTIFFs of all sizes, and the SAFE product if there is one."""
    parts = windows_of(args.parts) if args.parts else [part()]
    model = args.checkpoint or narrow_model(folder / "narrow.pt", args.base)
    edges = [min(round((m * 1e6) ** 0.5) // 20 * 20, TILE) for m in args.megapixels]
    scenes = {f"{edge} GeoTIFF": (edge, folder / f"scene{edge}_20230709.tif") for edge in edges}
    if args.safe:
        safe, same = folder / f"{NAME}.SAFE", scenes[f"{edges[-1]} GeoTIFF"][1]
        if not same.exists():
            write_same(same, write_safe(safe, edges[-1], edges[-1], parts))
        scenes[f"{edges[-1]} SAFE"] = edges[-1], safe
    scenes = {"start GeoTIFF": (CELL, folder / "start_20230709.tif"), **scenes}
    for name, (edge, scene) in reversed(scenes.items()):
        kept = folder / f"{name}.json"
        if not kept.exists():
            if not scene.exists():
                write_scene(scene, edge, edge, parts)
            kept.write_text(json.dumps(
                {"form": name.split()[1], "megapixels": edge**2 / 1e6,
                 **measure(scene, model, folder / f"{name} map.tif")}))
    start, *rows = (json.loads((folder / f"{name}.json").read_text()) for name in scenes)
    for row in rows:
        row["start_cpu_s"] = start["cpu_s"]
        row["cpu_s_per_megapixel"] = ((row["cpu_s"] - start["cpu_s"])
                                      / (row["megapixels"] - start["megapixels"]))
    if args.safe:
        rows[-1]["pixels_that_differ"] = differing(
            *(folder / f"{name} map.tif" for name in list(scenes)[-2:]))
    return rows


def growth(rows: list[dict[str, Any]]) -> float:
    """Return by which share the CPU seconds of a megapixel differ between sizes of GeoTIFF."""
    seconds = [r["cpu_s_per_megapixel"] for r in rows if r["form"] == "GeoTIFF"]
    return max(seconds) / min(seconds) - 1


def differing(one: Path, other: Path) -> int:
    """Count the pixels in which two maps differ."""
    with rasterio.open(one) as a, rasterio.open(other) as b:
        return int((np.asarray(a.read(1)) != b.read(1)).sum())


@styled
def memory_curves(rows: list[dict[str, Any]], model: str) -> Figure:
    """Show memory over each run, and the CPU seconds of a megapixel by size."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
    for row, shade in zip(rows, np.linspace(0.35, 0.95, len(rows)), strict=True):
        safe = row["form"] == "SAFE"
        look = {"color": ACCENT if safe else plt.get_cmap("Blues")(shade),
                "label": f"{row['megapixels']:.0f} megapixels, {row['form']}"}
        seconds, mb = np.array(row["curve_s_mb"][:-1]).T
        left.plot(100 * seconds / seconds[-1], mb, linestyle="--" if safe else "-", **look)
        right.plot(row["megapixels"], row["cpu_s_per_megapixel"], "s" if safe else "o", **look)
    left.axhline(MOST_MB, color=QUIET, linewidth=1)
    left.annotate("1.5 GB", (0, MOST_MB), va="bottom", color=QUIET)
    left.set(xlabel="part of the run (%)", ylabel="resident memory (MB)", ylim=(0, 1.15 * MOST_MB))
    left.legend(fontsize="small", loc="lower right")
    right.set(xscale="log", xlabel="megapixels", ylabel="CPU seconds a megapixel",
              ylim=(0, 1.15 * max(r["cpu_s_per_megapixel"] for r in rows)))
    sizes = sorted({row["megapixels"] for row in rows})
    right.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    right.minorticks_off()
    largest = max(r["peak_mb"] for r in rows if r["megapixels"] == sizes[-1])
    return titled(fig, f"{sizes[-1]:.0f} megapixels take {largest:,.0f} MB at most",
                  f"lulc classify, one pass, {model}; each scene in a process of its own, whose "
                  "start does not count.")


def main() -> None:
    """Measure, and write the section tile of results/bench.json and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 8, 30, 120.5604])
    parser.add_argument("--base", type=int, default=4, help="channels of the first block")
    parser.add_argument("--checkpoint", type=Path, help="measure this model instead")
    parser.add_argument("--parts", type=Path, nargs="+", help="scenes whose windows are repeated")
    parser.add_argument("--safe", action="store_true", help="also a SAFE product of the last size")
    parser.add_argument("--folder", type=Path, help="keep scenes and what was measured here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = measure_all(args.folder or Path(name), args)
    model = (args.checkpoint.name if args.checkpoint
             else f"the study's networks, {args.base} channels wide")
    write_figure(memory_curves(rows, model), FIGURE)
    record("tile", {"model": model, "sizes": rows, "peak_mb": max(r["peak_mb"] for r in rows),
                    "growth": growth(rows)})


if __name__ == "__main__":
    main()
