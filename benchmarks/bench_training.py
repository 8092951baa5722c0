"""The training loop against its own pure step: CPU seconds, or seconds on a GPU if there is one.

    python benchmarks/bench_training.py [--steps 60] [--repeats 3]

The loop draws patches, varies them, learns and keeps the moving average; the pure step is forward,
loss, backward and optimiser on one batch that is there already. Both are the ``default``
configuration on scenes of random fields.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from record import in_turns, record
from scene import part

from lulc_lib import legend
from lulc_lib.unet import TrainingSet, get_config, pick_device
from lulc_lib.unet.device import LAYOUT
from lulc_lib.unet.learner import Learner


def learner(steps: int) -> Learner:
    """Prepare a training on two random scenes with labelled fields."""
    config, rng = get_config("default"), np.random.default_rng(0)
    inputs = [(part(seed, 256) / np.float32(10_000)).astype(np.float32) for seed in (0, 1)]
    labels = [rng.choice([0, *legend.CODES], (11, 11)).repeat(24, 0).repeat(24, 1)[:256, :256]
              .astype(np.uint8) for _ in inputs]
    data = TrainingSet.of(inputs, labels, config.patch_size)
    return Learner(data, config, 0, pick_device(), steps)


def timed(way: Callable[[], Any]) -> float:
    """Return seconds of the clock until the GPU has done all."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    way()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Measure, and write the section training of results/bench.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60, help="steps of a turn")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    learns = learner((args.repeats + 2) * args.steps + 10)
    if learns.device.type == "cuda":
        learns.record()
    with torch.no_grad():
        x, target, rock, scene = learns.draw()
        x, target, cover = learns.augment(x, target, rock, learns.rock_mean[scene])
        x = x.contiguous(memory_format=LAYOUT)

    def loop() -> None:
        for _ in range(args.steps):
            learns.advance()

    def pure() -> None:
        for _ in range(args.steps):
            loss = learns._loss(x, target, cover)
            learns.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            learns.optimiser.step()

    ways = {"loop": loop, "pure_step": pure}
    if learns.device.type == "cuda":
        seconds = {name: min(timed(way) for _ in range(args.repeats + 1))
                   for name, way in ways.items()}
    else:
        seconds = in_turns(ways, args.repeats)
    per_step = {f"{name}_s": s / args.steps for name, s in seconds.items()}
    record("training", {"device": learns.device.type, **per_step,
                        "pure_over_loop": seconds["pure_step"] / seconds["loop"]})


if __name__ == "__main__":
    main()
