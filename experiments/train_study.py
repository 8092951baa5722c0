"""Train the model that ships with the package, several seeds of it, and map the test scene.

    python -m experiments.train_study [--seeds 0 1 2] [--jobs 2] [--ship]

Every label of the training dates is used: the settings were chosen beforehand, leave-one-date-out
(experiments/leave_one_date_out.py --config study). Each seed's model is kept with 16-bit weights in
build/study/, and it is this file that maps the test scene. With --ship the model of the first seed
becomes lulc_lib/unet/study.pt. Maps and settings go to results/published/study.json. A run that
was stopped goes on from its checkpoints. LULC_DATA names the folder of the published dataset.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import xarray as xr

from experiments.held_out import argument_parser, published_series
from lulc_lib import paths, results
from lulc_lib.data.scenes import read_scene
from lulc_lib.data.series import Series, scene_path
from lulc_lib.io import written_whole
from lulc_lib.unet import (
    TrainConfig,
    get_config,
    load_model,
    pick_device,
    predict_scene,
    train_ensemble,
)
from lulc_lib.unet.checkpoint import study_place
from lulc_lib.unet.parallel import in_parallel
from lulc_lib.unet.train import train_member


def labelled(series: Series) -> tuple[list[xr.DataArray], list[xr.DataArray]]:
    """Return scenes and labels of the training dates."""
    return list(series.scenes.values()), list(series.labels.values())


def one_member(
    task: tuple[int, int], series: Series, config: TrainConfig, folder: Path
) -> None:
    """Train one member of one seed up to its last checkpoint."""
    seed, number = task
    train_member(*labelled(series), config, number, seed, folder=folder / f"seed{seed}")


def together(seed: int, series: Series, config: TrainConfig, folder: Path) -> dict[str, object]:
    """Keep a seed's trained members as one model; return their seconds, precision and losses."""
    run = train_ensemble(*labelled(series), config, seed, folder=folder / f"seed{seed}")
    run.save(folder / f"seed{seed}.pt", half=True)
    return {"seconds": round(run.seconds, 1), "precision": run.precision,
            "loss": [[row["loss"] for row in r.history] for r in run.members]}


def main() -> None:
    """Train all seeds, map the test scene with each, and write the results."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--ship", action="store_true", help="put the first seed into the package")
    args = parser.parse_args()
    root, config = paths.published_dir(), get_config("study")
    series, folder = published_series(args.site), paths.output_root() / "build" / "study"
    tasks = [(seed, number) for seed in args.seeds for number in range(len(config.members))]
    work = partial(one_member, series=series, config=config, folder=folder)
    list(in_parallel(work, tasks, args.jobs))
    runs = {seed: together(seed, series, config, folder) for seed in args.seeds}
    scene = scene_path(args.site, root)
    test, maps = read_scene(scene), {}
    for seed in args.seeds:
        model, normalisation, _ = load_model(folder / f"seed{seed}.pt")
        maps[seed] = results.pack_map(predict_scene(model, test, normalisation, config.tta))
    values = {
        "site": args.site, "config": config.to_dict(), "training_dates": list(series.scenes),
        "parameters": sum(p.numel() for p in model.parameters()), "runs": runs,
        "maps": maps, "shipped_seed": args.seeds[0],
    }
    seconds = sum(r["seconds"] for r in runs.values())
    written = results.write_results("published", "study", values, [*series.files, scene], root,
                                    device=str(pick_device()), seconds=seconds)
    print(f"{written}: {len(runs)} seeds, {seconds:.0f} s of training")
    if args.ship:
        with written_whole(study_place()) as part:
            shutil.copyfile(folder / f"seed{args.seeds[0]}.pt", part)
        print(f"{study_place()}: {study_place().stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
