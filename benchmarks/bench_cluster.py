"""``lulc classify --cluster``: a scene block by block, in one process and on local workers.

    python benchmarks/bench_cluster.py [--edge 2048] [--workers 2]

The shipped model, without test-time augmentation. From the CPU seconds a megapixel of one process,
with all that blocks read and compute around themselves, benchmarks/README.md works out a country.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from record import record
from scene import write_scene

from lulc_lib.data.scenes import open_scene
from lulc_lib.unet import load_model, study_model
from lulc_lib.unet.cluster import EDGE, Job, Settings, classify_scenes, connected


def main() -> None:
    """Classify one scene in two ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, default=EDGE, help="rows and columns of the scene")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    stored, settings = load_model(study_model()), Settings(tta=False, offset=0, edge=args.edge // 2)
    with tempfile.TemporaryDirectory() as scratch:
        scene = write_scene(Path(scratch) / "scene_20230709.tif", args.edge, args.edge)

        small = write_scene(Path(scratch) / "small_20230709.tif", 512, 512)

        def run(name: str, client: object = None, path: Path = scene, settings: Settings = settings
                ) -> dict[str, float]:
            wall, cpu = time.perf_counter(), time.process_time()
            list(classify_scenes([Job(open_scene(path), {"output": Path(scratch) / name})],
                                 stored, settings, client))
            return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}

        alone = run("alone.tif")
        with connected(f"local:{args.workers}") as client:
            run("first.tif", client, small, settings._replace(edge=128))  # the workers' imports
            spread = run("spread.tif", client)
    megapixels = args.edge**2 / 1e6
    record("cluster", {
        "megapixels": megapixels, "block": settings.edge, "workers": args.workers, "alone": alone,
        "cpu_s_per_megapixel": alone["cpu_s"] / megapixels, "wall_s": spread["wall_s"],
        "ratio": alone["wall_s"] / spread["wall_s"]})


if __name__ == "__main__":
    main()
