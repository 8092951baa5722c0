"""Write the README's table of results from results/published/*.json, and nothing else in it.

    python scripts/update_readme.py [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
START, END = "<!-- results: written by scripts/update_readme.py -->", "<!-- end of results -->"


def stored(name: str) -> dict[str, Any]:
    """Values and provenance of published results."""
    return json.loads((ROOT / "results" / "published" / f"{name}.json").read_text())


def table() -> str:
    """The table as Markdown: one row per map, the intervals of its figure, and how it was made."""
    accuracy, unet = stored("accuracy")["values"], stored("unet")
    lines = [
        "| Map of the test scene | Overall accuracy | Macro F1 (9 classes) | Quarry F1 |",
        "|---|---|---|---|",
    ]
    for name, found in accuracy["intervals"].items():
        cells = [found["overall_accuracy"], found["macro_f1"], found["f1"]["10"]]
        text = [f"{e:.3f} [{low:.3f}, {high:.3f}]" for e, low, high in cells]
        lines.append(f"| {name} | {' | '.join(text)} |")
    seeds = [v["overall_accuracy"] for k, v in accuracy["ours"].items()]
    lines += ["", (
        f"{accuracy['reference_pixels']:,} reference pixels in {accuracy['polygons']} polygons; "
        "brackets: 95 % intervals from redrawing whole polygons. Our "
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}: overall accuracy {min(seeds):.3f} to "
        f"{max(seeds):.3f}, "
        f"{len(unet['values']['training_dates'])} training dates."
    )]
    return "\n".join(lines)


def updated(text: str) -> str:
    """The README's text with a fresh table between its marks."""
    before, rest = text.split(START)
    after = rest.split(END)[1]
    return f"{before}{START}\n{table()}\n{END}{after}"


def main() -> int:
    """Write the table; with --check say whether it was already right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    text = README.read_text()
    if text == updated(text):
        return 0
    if check:
        print("README.md shows other numbers than results/published", file=sys.stderr)
        return 1
    temporary = README.with_suffix(".tmp")
    temporary.write_text(updated(text))
    temporary.replace(README)
    return 0


if __name__ == "__main__":
    sys.exit(main())
