"""`lulc classify`: CPU seconds against an earlier build, the networks alone and MONAI.

    python benchmarks/bench_classify.py [--edge 2048] [--repeats 3] [--build COMMIT]

The earlier build is taken out of git's history; both use that build's model on one scene, in turns,
each run in a process of its own, after one on a small scene: importing does not count. The networks
alone are those of the same model, folded, channels last, on full batches of whichever shape is
fastest; no file, no border. MONAI's sliding_window_inference runs the shipped model as it is on an
array (one megapixel, windows of 256 and 512, overlap 0.25); it is left out unless MONAI is
installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from record import ROOT, in_turns, record
from scene import part, write_scene

from lulc_lib.unet import load_model, study_model
from lulc_lib.unet.model import Ensemble
from lulc_lib.unet.predict import Predictor

BUILD = "c53bcd7"
"""The commit before this study's files could be classified row by row."""

BATCHES = ((16, 64), (16, 128), (4, 256), (1, 512), (1, 1024))
"""Patches and pixels of an edge."""

RUN = """
import json, os, re, sys, time
from pathlib import Path
import lulc_lib.cli
name, scene, option, out, *more = sys.argv[1:]
if "SMALL" in os.environ:  # a scene to be classified first, so that importing does not count
    lulc_lib.cli.main([name, os.environ["SMALL"], option, f"{out}_small.tif", *more])
start = time.process_time(), time.perf_counter()
code = lulc_lib.cli.main([name, scene, option, out, *more])
taken = time.process_time() - start[0], time.perf_counter() - start[1]
status = Path("/proc/self/status")  # getrusage would tell the peak of the process that started it
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) / 1024 if status.exists() else 0
print(json.dumps({"code": code, "cpu_s": taken[0], "wall_s": taken[1], "peak_mb": peak}))
"""


def classify(build: Path, scene: Path, out: Path, model: Path) -> dict[str, float]:
    """Classify in a process of its own; return its seconds and peak memory."""
    for former in out.parent.glob(f"{out.stem}.*"):
        former.unlink()
    words = ["classify", str(scene), "-o", str(out), "--checkpoint", str(model), "--no-tta"]
    small = write_scene(scene.parent / "small_20230709.tif", 256, 256)
    done = subprocess.run([sys.executable, "-c", RUN, *words], cwd=out.parent, check=True,
                          capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(build), "SMALL": str(small)})
    found = json.loads(done.stdout.splitlines()[-1])
    if found["code"]:
        sys.exit(f"lulc classify ended with {found['code']}: {done.stderr}")
    return found


def earlier_build(commit: str, folder: Path) -> Path:
    """Take a build out of git's history."""
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", commit, "lulc_lib"],
                            capture_output=True)
    if packed.returncode:
        sys.exit(f"commit {commit} is not in this clone's history: clone it whole, or name another "
                 "with --build")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def against_build(commit: str, edge: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Classify one scene with two builds and one model, in turns."""
    earlier = earlier_build(commit, folder / "earlier")
    model = earlier / "lulc_lib" / "unet" / "study.pt"
    scene = write_scene(folder / "scene_20230709.tif", edge, edge)
    builds = {"earlier": earlier, "now": ROOT}
    runs: dict[str, list[dict]] = {name: [] for name in builds}
    for _ in range(repeats):
        for name, build in builds.items():
            runs[name].append(classify(build, scene, folder / f"{name}.tif", model))
    best = {name: min(r, key=lambda v: v["cpu_s"]) for name, r in runs.items()}
    one, other = (rasterio.open(folder / f"{name}.tif").read(1) for name in builds)
    alone = forward_seconds(load_model(model, torch.device("cpu")).model, edge**2, repeats)
    return {"build": commit, "megapixels": edge**2 / 1e6, **best,
            "ratio": best["earlier"]["cpu_s"] / best["now"]["cpu_s"],
            "share_of_pixels_that_differ": float((one != other).mean()),
            "networks_alone_cpu_s": alone,
            "networks_alone_over_now": alone / best["now"]["cpu_s"]}


@torch.no_grad()
def forward_seconds(model: torch.nn.Module, pixels: int, repeats: int) -> float:
    """Return CPU seconds of the folded networks alone for so many pixels, at the best batch."""
    predictor, best = Predictor(model), []
    networks = predictor.networks[0]
    channels = max(predictor.channels)
    for count, edge in BATCHES:
        x = torch.rand(count, channels, edge, edge).to(memory_format=torch.channels_last)

        def forward(x: torch.Tensor = x) -> None:
            for network, taken in zip(networks, predictor.channels, strict=True):
                network(x[:, :taken].contiguous(memory_format=torch.channels_last))

        seconds = in_turns({"forward": forward}, repeats)["forward"]
        best.append(seconds / (count * edge**2) * pixels)
    return min(best)


@torch.no_grad()
def against_monai(repeats: int) -> dict[str, Any]:
    """Predict a megapixel with the shipped model by both, in turns."""
    if importlib.util.find_spec("monai") is None:
        return {"left_out": "MONAI is not installed (pip install monai)"}
    from monai.inferers import sliding_window_inference

    model: Ensemble = load_model(study_model(), torch.device("cpu")).model
    inputs = (part() / np.float32(10_000)).astype(np.float32)
    x, maps = torch.from_numpy(inputs)[None], {}
    whole = Predictor(model).whole(inputs).probabilities.argmax(0)
    found: dict[str, Any] = {
        "networks_alone_cpu_s": forward_seconds(model, whole.size, 1),
        "our_pixels_unlike_untiled": float((model(x)[0].argmax(0).numpy() != whole).mean())}
    for window in (256, 512):
        def slide(window: int = window) -> None:
            maps["monai"] = sliding_window_inference(x, (window, window), 4, model, overlap=0.25)

        seconds = in_turns({"monai": slide, "ours": lambda: Predictor(model).whole(inputs)},
                           repeats)
        found[f"window_{window}"] = {
            **seconds, "ratio": seconds["monai"] / seconds["ours"],
            "networks_alone_ratio": seconds["monai"] / found["networks_alone_cpu_s"],
            "monai_pixels_unlike_untiled": float(
                (maps["monai"][0].argmax(0).numpy() != whole).mean())}
    return found


def main() -> None:
    """Measure, and write the sections classify and monai of results/bench.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, default=2048, help="rows and columns of the scene")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--build", default=BUILD, help="commit of the earlier build")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        record("classify", against_build(args.build, args.edge, args.repeats, Path(folder)))
    record("monai", against_monai(max(args.repeats - 1, 1)))


if __name__ == "__main__":
    main()
