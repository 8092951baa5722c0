"""Confusion matrix of many pixels: seconds and memory, against scikit-learn in the same run.

    python benchmarks/bench_confusion.py [--pixels 100000000] [--chunk 4000000] [--json OUT]

Each way runs in a process of its own on the same random pair of maps (ten classes, a tenth of the
pixels wrong). "extra" is the highest resident memory while counting, beyond what the process held
before, inputs included; for the chunked way the inputs are made chunk by chunk and never exist as a
whole. The matrices must be equal.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

from lulc_lib import legend

WAYS = ("lulc_lib", "scikit-learn", "lulc_lib, dask chunks")


def piece(start: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Make map and reference codes (size,) uint8 of the pixels from ``start`` on."""
    rng = np.random.default_rng(start)
    truth = rng.integers(1, 11, size, dtype=np.uint8)
    wrong = rng.integers(0, 10, size, dtype=np.uint8) == 0
    return np.where(wrong, truth % 10 + 1, truth).astype(np.uint8), truth


def pair(pixels: int, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """Make the whole pair in memory, piece by piece so that making it needs little more."""
    mapped, truth = np.empty(pixels, np.uint8), np.empty(pixels, np.uint8)
    for start in range(0, pixels, chunk):
        stop = min(start + chunk, pixels)
        mapped[start:stop], truth[start:stop] = piece(start, stop - start)
    return mapped, truth


def lazy_pair(pixels: int, chunk: int) -> tuple:
    """Make the same pair as two dask arrays whose chunks are made when they are needed."""
    import dask
    import dask.array as da

    sides = ([], [])
    for start in range(0, pixels, chunk):
        size = min(chunk, pixels - start)
        both = dask.delayed(piece, nout=2)(start, size)
        for side, values in zip(sides, both, strict=True):
            side.append(da.from_delayed(values, (size,), np.uint8))
    return tuple(da.concatenate(side) for side in sides)


def peak_mb() -> float:
    """Measure the highest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(way: str, pixels: int, chunk: int) -> dict[str, object]:
    """Measure seconds and extra memory of one way, in this process; also the matrix."""
    from sklearn.metrics import confusion_matrix as peer

    from lulc_lib.accuracy import confusion_matrix

    confusion_matrix(*piece(0, 1000)), peer(*piece(0, 1000))  # imports and first-call costs
    if "dask" in way:
        confusion_matrix(*lazy_pair(1000, 500))
    before = peak_mb()
    mapped, truth = (lazy_pair if "dask" in way else pair)(pixels, chunk)
    start = time.perf_counter()
    if way == "scikit-learn":
        matrix = peer(truth, mapped, labels=legend.CODES).T
    else:
        matrix = confusion_matrix(mapped, truth).to_numpy()
    seconds = time.perf_counter() - start
    return {"way": way, "seconds": seconds, "extra_mb": peak_mb() - before,
            "matrix": matrix.tolist()}


def main() -> None:
    """Run every way in a process of its own and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=int, default=100_000_000)
    parser.add_argument("--chunk", type=int, default=4_000_000, help="pixels per dask chunk")
    parser.add_argument("--json", help="also write the numbers to this file")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measure(args.way, args.pixels, args.chunk)))
        return
    found = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--way", way, "--pixels", str(args.pixels),
                   "--chunk", str(args.chunk)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[way] = json.loads(out.splitlines()[-1])
    if len({json.dumps(f.pop("matrix")) for f in found.values()}) > 1:
        sys.exit("the matrices differ")
    print(f"{args.pixels:,} pixel pairs (uint8, {2 * args.pixels / 2**20:.0f} MB)")
    for way, numbers in found.items():
        print(f"  {way:24} {numbers['seconds']:8.2f} s   extra {numbers['extra_mb']:8.0f} MB")
    ratio = found["scikit-learn"]["seconds"] / found["lulc_lib"]["seconds"]
    print(f"  lulc_lib is {ratio:.0f} times as fast as scikit-learn")
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"pixels": args.pixels, "ratio": ratio, "ways": found}, file, indent=1)


if __name__ == "__main__":
    main()
