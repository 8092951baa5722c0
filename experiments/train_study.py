"""Train the model that ships with the package, several seeds of it, and map the test scene once.

    python -m experiments.train_study [--seeds 0 1] [--jobs 2] [--ship] [--why TEXT]
    python -m experiments.train_study --networks FOLDER --ship

Every label of the training dates is used: the settings were chosen beforehand, by seasons and
places left out (experiments/protocols.py, whose results also hold the temperature). Networks are
trained here, or put together from those that ``experiments.protocols --ship`` left in FOLDER. Each
seed's model is kept with 16-bit weights, temperature and area of applicability in build/study/, and
it is this file that maps the test scene. With --ship the model of the first seed becomes
lulc_lib/unet/study.pt. Maps and settings go to results/published/study.json; every scoring of the
test scene is added to results/published/test_scene_ledger.json. A run that was stopped goes on from
its checkpoints. LULC_DATA names the folder of the published dataset.
"""

from __future__ import annotations

import argparse
import datetime
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from experiments.held_out import argument_parser, published_series, scores
from experiments.protocols import CANDIDATES
from lulc_lib import paths, results
from lulc_lib.data import rasterise, read_scene, scene_path, site_polygons
from lulc_lib.data.series import Series
from lulc_lib.io import written_whole
from lulc_lib.unet import (
    Ensemble,
    TrainConfig,
    fit,
    get_config,
    load_model,
    pick_device,
    predict_scene,
    save_model,
    train_ensemble,
)
from lulc_lib.unet.applicability import applicability_of
from lulc_lib.unet.checkpoint import StoredModel, build, study_place
from lulc_lib.unet.parallel import in_parallel
from lulc_lib.unet.predict import probabilities_of
from lulc_lib.unet.train import train_member

LEDGER = "test_scene_ledger"


def labelled(series: Series) -> tuple[list[xr.DataArray], list[xr.DataArray]]:
    """Return scenes and labels of the training dates."""
    return list(series.scenes.values()), list(series.labels.values())


def one_member(
    task: tuple[int, int], series: Series, config: TrainConfig, folder: Path
) -> None:
    """Train one member of one seed up to its last checkpoint."""
    seed, number = task
    train_member(*labelled(series), config, number, seed, folder=folder / f"seed{seed}")


def trained(seed: int, series: Series, config: TrainConfig, folder: Path
            ) -> tuple[Ensemble, dict[str, Any]]:
    """Return a seed's ensemble from its members' checkpoints, and how it was trained."""
    run = train_ensemble(*labelled(series), config, seed, folder=folder / f"seed{seed}")
    return run.model, {"seconds": round(run.seconds, 1), "device": str(pick_device()),
                       "loss": [[row["loss"] for row in r.history] for r in run.members]}


def put_together(seed: int, config: TrainConfig, folder: Path) -> tuple[Ensemble, dict[str, Any]]:
    """Return a seed's ensemble from the files of ``experiments.protocols --ship``."""
    kinds = {c.normalisation: name for name, c in reversed(CANDIDATES.items())}
    members, parts = [], []
    for normalisation in dict.fromkeys(config.members):
        parts.append(torch.load(folder / f"networks_{kinds[normalisation]}_{seed}.pt",
                                weights_only=True))
        for weights in parts[-1]["weights"]:
            members.append(build(config, normalisation=normalisation))
            members[-1].load_state_dict(weights)
    every = config.steps_per_epoch
    return Ensemble(members).eval(), {
        "seconds": round(sum(p["seconds"] for p in parts), 1),
        **{k: parts[0][k] for k in ("device", "torch", "commit")},
        "loss": [[float(v.mean()) for v in loss.split(every)] for p in parts for loss in p["loss"]]}


def keep(path: Path, model: Ensemble, config: TrainConfig, series: Series) -> None:
    """Write a model file with the area of applicability of its 16-bit weights."""
    normalisation = fit(config.members[0], list(series.scenes.values()))
    save_model(path, model, normalisation, config, half=True)
    small = load_model(path, torch.device("cpu"))
    area = applicability_of(small.model, small.normalisation, list(series.scenes.values()),
                            [m.values for m in series.labels.values()])
    save_model(path, small.model, small.normalisation, config, area, half=True)


def other_corners(model: Ensemble, scene: NDArray[np.float32]) -> dict[str, float]:
    """Return the share of pixels that map otherwise when the file starts elsewhere, by (row, col).

    Poolings then meet other pixels, unless both are multiples of 2**depth. Pixels nearer to the
    clip's edge than the network's margin do not count.
    """
    def mapped(part: NDArray[np.float32]) -> NDArray[np.int64]:
        return probabilities_of(model, part, tta=False).argmax(0)

    inner = np.s_[model.margin:-model.margin, model.margin:-model.margin]
    whole = mapped(scene)
    return {f"{row}, {col}": float((mapped(scene[:, row:, col:])[inner]
                                    != whole[row:, col:][inner]).mean())
            for row, col in ((1, 0), (3, 5), (4, 4), (16, 8))}


def add_to_ledger(entries: list[dict[str, Any]], files: list[Path], root: Path) -> None:
    """Add scorings of the test scene to those before; the same one is not added twice."""
    before = results.read_results("published", LEDGER)["scorings"]
    known = [{k: v for k, v in e.items() if k != "date"} for e in before]
    new = [e for e in entries if {k: v for k, v in e.items() if k != "date"} not in known]
    results.write_results("published", LEDGER, {"scorings": before + new}, files, root)


def one_seed(seed: int, args: argparse.Namespace, config: TrainConfig, series: Series,
             folder: Path) -> tuple[StoredModel, dict[str, Any]]:
    """Return a seed's model as its file holds it, and how it was trained."""
    model, run = (trained(seed, series, config, folder) if args.networks is None
                  else put_together(seed, config, args.networks))
    keep(folder / f"seed{seed}.pt", model, config, series)
    return load_model(folder / f"seed{seed}.pt"), run


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--networks", type=Path, help="folder of networks trained elsewhere")
    parser.add_argument("--ship", action="store_true", help="put the first seed into the package")
    parser.add_argument("--why", default="final scores, settings fixed beforehand")
    return parser.parse_args()


def main() -> None:
    """Train or put together all seeds, map and score the test scene, and write the results."""
    args, root = arguments(), paths.published_dir()
    series, folder = published_series(args.site), paths.output_root() / "build" / "study"
    config = get_config("study").with_(
        temperature=results.read_results("published", "protocols")["temperature"])
    if args.networks is None:
        tasks = [(seed, number) for seed in args.seeds for number in range(len(config.members))]
        work = partial(one_member, series=series, config=config, folder=folder)
        list(in_parallel(work, tasks, args.jobs))
    runs, maps, entries, scene = {}, {}, [], scene_path(args.site, root)
    test = read_scene(scene)
    reference = rasterise(site_polygons(args.site, root), test, pixel_rule="centre")
    for seed in args.seeds:
        stored, runs[seed] = one_seed(seed, args, config, series, folder)
        mapped = predict_scene(stored.model, test, stored.normalisation, config.tta)
        maps[seed] = results.pack_map(mapped)
        entries.append({"date": str(datetime.datetime.now(datetime.UTC).date()),
                        "model": f"study, seed {seed}", "commit": runs[seed].get("commit", ""),
                        **{k: round(float(v), 4) for k, v in scores(mapped, reference).items()},
                        "why": args.why})
        print(entries[-1], flush=True)
    values = {
        "site": args.site, "config": config.to_dict(), "training_dates": list(series.scenes),
        "parameters": sum(p.numel() for p in stored.model.parameters()), "runs": runs,
        "maps": maps, "shipped_seed": args.seeds[0],
        "other_corners": other_corners(stored.model, stored.normalisation.apply(test)),
    }
    results.write_results("published", "study", values, [*series.files, scene], root,
                          device=runs[args.seeds[0]]["device"],
                          seconds=sum(r["seconds"] for r in runs.values()))
    add_to_ledger(entries, [scene], root)
    if args.ship:
        with written_whole(study_place()) as part:
            shutil.copyfile(folder / f"seed{args.seeds[0]}.pt", part)
        print(f"{study_place()}: {study_place().stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
