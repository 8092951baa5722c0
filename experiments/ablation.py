"""Ablation of the former recipe: what each setting does on a date the network has not seen.

Trains variants of a short run of the study's first network, each with one setting changed, with
several seeds, leaving one training date out at a time as leave_one_date_out.py does. The test scene
plays no part.

    python -m experiments.ablation --jobs 2 --write ablation
    python -m experiments.ablation --epochs 10 --variants ROADS --jobs 2 --write ablation_roads

Runs of 200 steps rank most settings, but no network finds roads as early as that: the variants that
are meant for roads (ROADS) are tried in longer ones. LULC_DATA names the folder of the published
dataset. With --write the rows go to results/published/NAME.json, which notebook 02 shows, and
checkpoints are kept under build/, so a run that was stopped goes on.
"""

from __future__ import annotations

from experiments.held_out import (
    COLUMNS,
    FORMER,
    argument_parser,
    build_folder,
    held_out_rows,
    mean_scores,
    published_series,
    write,
)

VARIANTS: dict[str, dict[str, object]] = {
    "per scene, statistics augmentation, moving average": {},
    "no statistics augmentation": {"statistics_augmentation": 0.0},
    "no moving average of the weights": {"ema_decay": 0.0},
    "with normalised differences": {"normalisation": "per_scene_and_indices"},
    "reflectance": {"normalisation": "reflectance", "statistics_augmentation": 0.0},
    "training scenes' statistics": {"normalisation": "training_scenes",
                                    "statistics_augmentation": 0.0},
    "cross-entropy (γ 0)": {"focal_gamma": 0.0},
    "no class weights": {"class_weight_power": 0.0},
    "stronger class weights": {"class_weight_power": 0.5},
    "logit adjustment": {"logit_adjustment": 0.1},
    "no label propagation": {"propagated_classes": ()},
    "three poolings": {"depth": 3},
    "patches placed as labelled": {"class_balanced_sampling": 0.0},
}
ROADS = ("per scene, statistics augmentation, moving average", "no label propagation",
         "stronger class weights", "logit adjustment", "three poolings")
"""Variants that are meant for thin objects. One pass over the scene is scored in every run."""
DATES = ("2022-06-19", "2023-02-09")


def main() -> None:
    """Train every variant with every seed and date, and print the means."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--dates", nargs="+", default=DATES, help="dates to hold out")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS),
                        choices=[*VARIANTS, "ROADS"])
    parser.add_argument("--epochs", type=int, default=2, help="hundreds of steps")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--write", metavar="NAME", help="keep the rows as results under this name")
    args = parser.parse_args()
    series, folder = published_series(args.site), build_folder(args.write)
    base = FORMER.with_(members=(), member_weights=(), normalisation="per_scene",
                                     logit_adjustment=0.0, epochs=args.epochs)
    tasks = [(date, seed) for seed in args.seeds for date in args.dates]
    rows = [{"variant": name, **row}
            for name in (ROADS if args.variants == ["ROADS"] else args.variants)
            for row in held_out_rows(series, base.with_(**VARIANTS[name]), tasks,
                                     folder and folder / name, args.jobs, one_pass=True)]
    print(mean_scores(rows, "variant")[[*COLUMNS, "quarters_accuracy"]])
    if args.write:
        write(args.write, {"site": args.site, "config": base.to_dict(), "rows": rows}, series,
              sum(row["seconds"] for row in rows))


if __name__ == "__main__":
    main()
