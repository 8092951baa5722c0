"""Write the tables of results in the README and the model card from results/published/*.json.

    python scripts/update_readme.py [--check]

Only what stands between the marks is touched.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
CARD = ROOT / "lulc_lib" / "unet" / "MODEL_CARD.md"
START, END = "<!-- results: written by scripts/update_readme.py -->", "<!-- end of results -->"


def stored(name: str, source: str = "published") -> dict[str, Any]:
    """Values of stored results."""
    return json.loads((ROOT / "results" / source / f"{name}.json").read_text())["values"]


def bracketed(found: list[float]) -> str:
    """An estimate with its interval."""
    return "{:.3f} [{:.3f}, {:.3f}]".format(*found)


def maps_table() -> str:
    """Markdown: one row per map, the intervals of its figure, and how it was made."""
    accuracy, unet = stored("accuracy"), stored("unet")
    lines = [
        "| Map of the test scene | Overall accuracy | Macro F1 (9 classes) | Quarry F1 |",
        "|---|---|---|---|",
    ]
    for name, found in accuracy["intervals"].items():
        cells = [found["overall_accuracy"], found["macro_f1"], found["f1"]["10"]]
        lines.append(f"| {name} | {' | '.join(map(bracketed, cells))} |")
    seeds = [v["overall_accuracy"] for v in accuracy["ours"].values()]
    lines += ["", (
        f"{accuracy['reference_pixels']:,} reference pixels in {accuracy['polygons']} polygons; "
        "brackets: 95 % intervals from redrawing whole polygons. Our "
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}: overall accuracy {min(seeds):.3f} to "
        f"{max(seeds):.3f}, "
        f"{len(unet['training_dates'])} training dates."
    ), "", earth_engine_line(), "", sites_line()]
    return "\n".join(lines)


def earth_engine_line() -> str:
    """Overall accuracy of the Earth Engine classifiers over the draws, beside the printed ones."""
    found = stored("earth_engine")
    texts = [f"{name} {mean(values):.3f} ({min(values):.3f} to {max(values):.3f}, "
             f"printed {found['printed_overall_accuracy'][name][0]:.3f})"
             for name, values in found["overall_accuracy"].items()]
    points, draws = sum(found["support"].values()), len(found["seeds"])
    return (f"Earth Engine classifiers, overall accuracy on {points} points, mean and span of "
            f"{draws} draws (bands as DN ÷ {found['dn_per_unit']}, which matters to the SVM): "
            f"{', '.join(texts)}. These points of the same day are another "
            "yardstick than the table's pixels of whole polygons.")


def sites_line() -> str:
    """How far the candidate sites can be trusted: planted ones, and a place without a quarry."""
    false = stored("sites")["false_alarms"]
    rules = stored("site_rules", "synthetic")
    row = next(r for r in rules["rows"]
               if r["test"] == "study model" and r["category"] == "any candidate")
    recall, precision = (bracketed([row[k], row[f"{k}_low"], row[f"{k}_high"]])
                         for k in ("recall", "precision"))
    return (f"Candidate sites on {rules['seeds']} synthetic landscapes that our model never saw "
            f"(each scene mapped in one pass), {row['planted']} planted: recall {recall}, "
            f"precision {precision}. On the published map of Kolbuszowa, where no quarry is, "
            f"{false['left']} of {false['objects']} false objects reach the minimum mapping unit of a site.")


def card_table() -> str:
    """Markdown: the shipped model on the test scene by class, and on dates left out."""
    accuracy, left_out = stored("accuracy"), stored("left_out")
    config, rows = left_out["config"], [r for r in left_out["rows"] if r["model"] == "ensemble"]
    steps, seeds = config["epochs"] * config["steps_per_epoch"], {r["seed"] for r in rows}
    labels = "lasting labels carried over" if config.get("lasting") else "labels as drawn"
    names = {int(code): name for code, name in accuracy["classes"].items()}
    found = accuracy["intervals"][next(reversed(accuracy["intervals"]))]
    lines = [f"Test scene, {accuracy['reference_pixels']:,} reference pixels in "
             f"{accuracy['polygons']} polygons; 95 % intervals from redrawing whole polygons:", "",
             "| Score | Estimate |", "|---|---|",
             f"| overall accuracy | {bracketed(found['overall_accuracy'])} |",
             f"| macro F1 | {bracketed(found['macro_f1'])} |",
             *(f"| F1, {names[int(c)].lower()} | {bracketed(v)} |"
               for c, v in found["f1"].items()), "",
             f"Dates left out, trained on the others ({steps} steps a network, {labels}, "
             f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}):", "",
             "| Date | Overall accuracy | Macro F1 | Quarry F1 |", "|---|---|---|---|"]
    for date in sorted({r["left_out"] for r in rows}):
        cells = [f"{mean(r[k] for r in rows if r['left_out'] == date):.3f}"
                 for k in ("overall_accuracy", "macro_f1", "quarry_f1")]
        lines.append(f"| {date} | {' | '.join(cells)} |")
    return "\n".join(lines)


TABLES: dict[Path, Callable[[], str]] = {README: maps_table, CARD: card_table}


def updated(text: str, table: str) -> str:
    """A text with a fresh table between its marks."""
    before, rest = text.split(START)
    return f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Write the tables; with --check say whether they were already right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check, stale = parser.parse_args().check, []
    for path, table in TABLES.items():
        text = path.read_text()
        new = updated(text, table())
        if text == new:
            continue
        stale.append(path.name)
        if not check:
            temporary = path.with_suffix(".tmp")
            temporary.write_text(new)
            temporary.replace(path)
    if check and stale:
        print(f"{', '.join(stale)}: other numbers than results/published", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
