"""``lulc accuracy`` of a whole tile: CPU seconds against reading both rasters once.

    python benchmarks/bench_accuracy.py [--edge 10980] [--repeats 3]

Map and reference are maps of two dates of bench_sites; reading is block row by block row, as
decoding is least work.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

import rasterio
from bench_sites import write_case
from rasterio.windows import Window
from record import in_turns, record

from lulc_lib.accuracy import confusion_from_labels
from lulc_lib.data.pairs import count_pairs, open_reference


def read(path: Path) -> None:
    """Read a raster once."""
    with rasterio.open(path) as source:
        rows = source.block_shapes[0][0]
        for row in range(0, source.height, rows):
            source.read(1, window=Window(0, row, source.width, min(rows, source.height - row)))


def main() -> None:
    """Write a pair of rasters, and read and count them in turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, default=10_980, help="rows and columns")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, rasterio.Env(GDAL_CACHEMAX=64_000_000):
        pair = write_case(Path(scratch), args.edge, 2, 3000)
        seconds = in_turns({
            "reading": lambda: [read(path) for path in pair],
            "accuracy": lambda: count_pairs(pair[0], open_reference(pair[1]),
                                            confusion_from_labels)}, args.repeats)
    record("accuracy", {
        "megapixels": args.edge**2 / 1e6, **{f"{k}_cpu_s": v for k, v in seconds.items()},
        "ratio": seconds["reading"] / seconds["accuracy"],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


if __name__ == "__main__":
    main()
