"""Write the tables of the README and the model card from notebooks, Makefile and results.

    python scripts/update_readme.py [--check]

Only what stands between the marks of a block is touched.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from lulc_lib import sites
from lulc_lib.accuracy import protocols
from lulc_lib.io import written_whole

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
CARD = ROOT / "lulc_lib" / "unet" / "MODEL_CARD.md"
GALLERY = ROOT / "figures" / "README.md"
SPEED = ROOT / "benchmarks" / "README.md"
COVERAGE = ROOT / "scripts" / "paper_coverage.csv"
"""Every figure and table of the paper: what answers it, and why not or in what other form."""
FEW_POLYGONS = 10
"""With fewer reference polygons, a class's interval carries a warning."""
UNTIMED = "1"
"""Minutes, at most, of the experiments that write tables, which record no time."""


def stored(name: str, source: str = "published") -> dict[str, Any]:
    """Read the values of stored results."""
    return json.loads((ROOT / "results" / source / f"{name}.json").read_text())["values"]


def bracketed(estimate: list[float]) -> str:
    """Write an estimate with its interval."""
    return "{:.3f} [{:.3f}, {:.3f}]".format(*estimate)


def signed(estimate: list[float]) -> str:
    """Write a difference with its interval."""
    return "{:+.3f} [{:+.3f}, {:+.3f}]".format(*estimate)


def seeds_text(count: int) -> str:
    """How many seeds, in words."""
    return f"{count} seed{'s' if count > 1 else ''}"


def maps_table() -> str:
    """Markdown: one row per map, its scores with intervals, and how it was made."""
    accuracy, unet = stored("accuracy"), stored("unet")
    lines = [
        "| Map of the test scene | Overall accuracy | Macro F1 (9 classes) | Quarry F1 |",
        "|---|---|---|---|",
    ]
    for name, scores in accuracy["intervals"].items():
        cells = [scores["overall_accuracy"], scores["macro_f1"], scores["f1"]["10"]]
        lines.append(f"| {name} | {' | '.join(map(bracketed, cells))} |")
    gain = accuracy["difference"]
    cells = [signed(gain[k]) for k in ("overall_accuracy", "macro_f1", "quarry_f1")]
    lines.append(f"| Ours − published, same polygons | {' | '.join(cells)} |")
    return "\n".join([*lines, "", how_it_was_measured(accuracy, unet), "", earth_engine_line(), "",
                      sites_line()])


def how_it_was_measured(accuracy: dict[str, Any], unet: dict[str, Any]) -> str:
    """Say what the rows rest on: pixels, polygons, seeds, and which intervals not to rely on."""
    seeds = [v["overall_accuracy"] for v in accuracy["ours"].values()]
    few = [f"{accuracy['classes'][code].lower()} ({row['polygons']})"
           for code, row in accuracy["support"].items() if row["polygons"] < FEW_POLYGONS]
    return (f"{accuracy['reference_pixels']:,} reference pixels in {accuracy['polygons']} "
            "polygons; brackets: 95 % intervals, polygon bootstrap. The intervals of the two maps "
            "overlap, but both are assessed on the same polygons: the last row redraws these for "
            f"both at once. Our {seeds_text(len(seeds))}: overall accuracy {min(seeds):.3f} to "
            f"{max(seeds):.3f}, mean {mean(seeds):.3f}, standard deviation {stdev(seeds):.3f}; "
            f"{len(unet['training_dates'])} training dates. Intervals of classes with fewer than "
            f"{FEW_POLYGONS} polygons are not reliable: {', '.join(few)}.")


def earth_engine_line() -> str:
    """Overall accuracy of the Earth Engine classifiers over the draws, and what printed ones are.

    Says "offline emulation" until a run at Google (experiments/earth_engine_at_google.py) stands
    beside it.
    """
    run = stored("earth_engine")
    asked = ROOT / "results" / "published" / "earth_engine_at_google.json"
    google = stored("earth_engine_at_google")["classifiers"] if asked.is_file() else {}
    texts = []
    for name, values in run["overall_accuracy"].items():
        beside = f", at Google {mean(google[name]['google']):.3f}" if name in google else ""
        texts.append(f"{name} {mean(values):.3f} ({min(values):.3f} to {max(values):.3f}, "
                     f"printed {run['printed_overall_accuracy'][name][0]:.3f}{beside})")
    points, draws = sum(run["support"].values()), len(run["seeds"])
    unit = "digital numbers" if run["dn_per_unit"] == 1 else f"DN ÷ {run['dn_per_unit']}"
    lost = [f"{name} ({100 * v['printed']:+.1f} points printed, mean of the draws "
            f"{100 * v['mean']:+.1f}, with the printed sign in {v['draws with its sign']:.0%})"
            for name, v in run["verdicts"].items() if v["verdict"] == "not reproduced"]
    leads = run["lead_by_unit"].values()
    nowhere = all(v["printed lead"] == "not reproduced" for v in leads)
    ending = f", in none of {len(leads)} units of the bands" if nowhere else ""
    return (f"Earth Engine classifiers ({run['computed']}), overall accuracy on {points} points, "
            f"mean and range of {draws} draws (bands as {unit}, which matters to the SVM): "
            f"{', '.join(texts)}. Not reproduced: {'; '.join(lost) or 'nothing'}{ending}. These "
            "points, of the same day, are another yardstick than the table's pixels of whole "
            "polygons.")


def sites_line() -> str:
    """How far the candidate sites can be trusted: planted ones, and a place without a quarry."""
    here = stored("sites")
    rules = stored("site_rules", "synthetic")
    row = next(r for r in rules["rows"]
               if r["test"] == "study model" and r["category"] == "any candidate")
    recall, precision = (bracketed([row[k], row[f"{k}_low"], row[f"{k}_high"]])
                         for k in ("recall", "precision"))
    alone = next(r for r in rules["rows"]
                 if r["test"] == "class maps" and r["category"] == "any candidate")
    leads = "{:.2f} [{:.2f}, {:.2f}]".format(*here["false_leads_per_100_km2"])
    dense = 100 * row["planted"] / here["mapped_km2"]
    rare, rarest = (sites.expected_precision(1, row["recall"], here["false_leads_per_100_km2"][n])
                    for n in (0, 2))
    return (f"Candidate sites on {rules['seeds']} synthetic landscapes, on maps of the shipped "
            f"model, which never saw them (each scene mapped in one pass), {row['planted']} "
            f"planted: recall {recall} ({alone['recall']:.3f} from the classes alone, without "
            f"`--probabilities`), precision {precision}, {leads} false leads per 100 km² of mapped "
            "land. Precision "
            f"rests on the base rate: {dense:.0f} such pits are planted per 100 km²; with one, the "
            f"same recall and rate of false leads give {rare:.2f}, or {rarest:.2f} at the upper "
            "end of that rate's interval. The minimum mapping unit is "
            f"{here['settings']['min_area_ha']:g} ha; on other synthetic landscapes, those used "
            f"for choosing, from {here['unit_from_landscapes_ha']:g} ha on no larger unit gains "
            "0.01 of precision.")


def warning(support: dict[str, int]) -> str:
    """Warn of the interval of a class with few polygons; empty where there are enough."""
    few = support["polygons"] < FEW_POLYGONS
    return f" (only {support['polygons']} polygons: interval not reliable)" * few


def card_table() -> str:
    """Markdown: the shipped model on the test scene, by class."""
    accuracy = stored("accuracy")
    names = {int(code): name for code, name in accuracy["classes"].items()}
    ours = accuracy["intervals"][next(reversed(accuracy["intervals"]))]
    return "\n".join([
        f"Test scene, {accuracy['reference_pixels']:,} reference pixels in "
        f"{accuracy['polygons']} polygons; 95 % intervals, polygon bootstrap:", "",
        "| Score | Estimate |", "|---|---|",
        f"| overall accuracy | {bracketed(ours['overall_accuracy'])} |",
        f"| macro F1 | {bracketed(ours['macro_f1'])} |",
        *(f"| F1, {names[int(c)].lower()}{warning(accuracy['support'][c])} | {bracketed(v)} |"
          for c, v in ours["f1"].items())])


FIXED = "augmented"
"""Settings of the shipped model's networks with fixed input; they were run by more protocols."""

ESTIMATES = {
    protocols.PIXELS: "pixels between training pixels of the same fields and date",
    protocols.RANDOM: "patches among training patches of the same dates",
    protocols.POLYGONS: "other fields among training fields, same dates",
    protocols.PLACE: "a neighbouring place, same dates",
    protocols.DATE: "another date of a season that was trained on, same fields",
    protocols.SEASON: "a season never trained on, same fields",
    protocols.BESIDE: "a season never trained on, same fields, with a quadrant's labels missing "
                      "in training",
    protocols.SUMMER: "all three summer dates left out, same fields",
    protocols.BOTH: "a season and fields never trained on",
}
"""What each protocol estimates."""


def protocols_table() -> str:
    """Markdown: the shipped settings by every protocol; rocks, covers, applicability, targets."""
    values = stored("protocols")
    shipped, steps = values["shipped"], values["steps"][values["shipped"]]
    lines = [f"Networks of {steps} steps (the shipped ones are trained longer). *Shipped*: as the "
             "model is put together; *fixed input*: its first half alone, run by more protocols.",
             "", "| Left out | Estimates accuracy on | Networks | Overall accuracy, mean / worst | "
             "Macro F1, mean / worst | Quarry F1, mean / worst |", "|---|---|---|---|---|---|"]
    lines += [*protocol_rows(values, shipped, "shipped"),
              *protocol_rows(values, FIXED, "fixed input"), "", calibration_line(values), "",
              *rocks_and_covers(values, shipped), "",
              "Targets set beforehand, and what was reached (new season: season out, a quadrant "
              "less):", "",
              "| | Target | Single networks | Ensembles | Reached |", "|---|---|---|---|---|"]
    for what, row in protocols.targets(values, shipped).iterrows():
        cells = ["–" if v != v else f"{v:.4g}" for v in (row["single networks"], row.ensembles)]
        lines.append(f"| {what} | {row.target} | {' | '.join(cells)} | "
                     f"{'yes' if row.reached else 'no'} |")
    return "\n".join(lines)


def protocol_rows(values: dict[str, Any], candidate: str, name: str) -> list[str]:
    """Markdown rows: a candidate by protocol, single networks and ensembles."""
    table, rows = protocols.protocol_scores({"jobs": {candidate: values["jobs"][candidate]}}), []
    for protocol, part in table.groupby("protocol", sort=False):
        for together, some in part.groupby(part.network == protocols.ENSEMBLE):
            cells = [f"{some.groupby('fold')[c].mean().mean():.3f} / {some[c].min():.3f}"
                     for c in ("overall_accuracy", "macro_f1", "quarry_f1")]
            what = "ensembles" if together else seeds_text(some.network.nunique())
            folds = some.fold.nunique()
            rows.append(f"| {protocol} ({folds} fold{'s'[:folds > 1]}) | {ESTIMATES[protocol]} | "
                        f"{name}, {what} | {' | '.join(cells)} |")
    return rows


def calibration_line(values: dict[str, Any]) -> str:
    """Say what probabilities and the area of applicability are worth on held-out labels."""
    shipped, temperature = values["shipped"], values["temperature"]
    before, after = (protocols.calibration_errors(values, shipped, [t]).iloc[:, 0][protocols.BOTH]
                     for t in (1.0, temperature))
    rates = protocols.applicability_rates(values, shipped)
    return (f"Expected calibration error, season and place out, ensembles: {before:.3f} as "
            f"trained, {after:.3f} with the shipped temperature ({temperature:.2f}). Area of "
            f"applicability, held-out labels of {rates.fold.nunique()} folds and {len(rates)} "
            f"dates: {rates.share_outside.mean():.0%} lie outside; of these "
            f"{rates.outside.mean():.0%} are mapped wrongly, of those inside "
            f"{rates.inside.mean():.0%} (means; outside is worse on "
            f"{(rates.outside > rates.inside).sum()} of {len(rates)}).")


def rocks_and_covers(values: dict[str, Any], candidate: str) -> list[str]:
    """Markdown rows: recall and false share by rock, quarry share of places without a quarry."""
    rocks = protocols.rock_scores(values, candidate)
    lines = ["Quarries of rocks never trained on, put into the held-out date and (synthetic) into "
             "a landscape; mean over folds and networks:", "",
             "| Rock | Quarry pixels recovered | Other pixels mapped as quarry |", "|---|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {r.recall:.3f} | {r.false:.4f} |"
              for name, r in rocks.iterrows()]
    covers = protocols.cover_shares(values, candidate, "quarry")
    outside = protocols.applicability_of_covers(values, candidate).outside
    lines += ["", "Scenes without a quarry:", "",
              "| Scene | Mapped as quarry, mean | Highest | Outside the area of applicability |",
              "|---|---|---|---|"]
    return lines + [f"| {name.replace('_', ' ')} | {r['mean']:.4f} | {r.highest:.4f} | "
                    f"{outside.get(name, float('nan')):.0%} |".replace("nan%", "–")
                    for name, r in covers.iterrows()]


def ledger_table() -> str:
    """Markdown: every time that the test scene was scored."""
    rows = [{k: v for k, v in r.items() if k != "commit"}
            for r in stored("test_scene_ledger")["scorings"]]
    head = list(rows[0])
    lines = ["| " + " | ".join(h.replace("_", " ") for h in head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + [
        "| " + " | ".join(f"{v:.4f}" if isinstance(v, float) else str(v if v is not None else "–")
                          for v in row.values()) + " |" for row in rows])


FAIR = {"season and place out": "new season and place", "season out, three quadrants": "new season",
        "paper's own": "known place, known season (the paper's test)"}
"""Protocols of notebook 06 that the README shows, what they ask first."""


def fair_table() -> str:
    """Markdown: classifiers that saw the same data, on new and on known seasons and places."""
    values = stored("fair_comparison")
    rows = {(r["model"], r["protocol"]): r for r in values["scores"]}
    first = next(iter(FAIR))
    small = [s for m, s in values.get("stand_ins", {}).items()
             if any((m, p) not in rows and (s, p) in rows for p in FAIR)]
    models = sorted((m for m in [*values["main_models"], *small, "forest_ee", "published"]
                     if any((m, p) in rows for p in FAIR)),
                    key=lambda m: -rows.get((m, first), {"macro_f1": [0]})["macro_f1"][0])
    lines = ["| Classifier, same training labels | " + " | ".join(
        f"{'Overall accuracy' if k == 'overall_accuracy' else 'Quarry F1'}, {FAIR[p]}"
        for p, k in fair_columns()) + " |", "|---" * (len(fair_columns()) + 1) + "|"]
    for model in models:
        cells = [bracketed(rows[model, p][k]) if (model, p) in rows else "–"
                 for p, k in fair_columns()]
        lines.append(f"| {values['models'][model]} | {' | '.join(cells)} |")
    macro = {m: rows[m, first]["macro_f1"][0] for m in models if (m, first) in rows}
    best = max(macro, key=macro.__getitem__)
    tied = [values["models"][d["b"] if d["a"] == best else d["a"]]
            for d in values["differences"]["rows"] if d["protocol"] == first
            and d["score"] == "macro_f1" and best in (d["a"], d["b"]) and d["p_holm"] >= 0.05]
    return "\n".join([*lines, "", (
        f"Brackets: 95 % intervals, polygons redrawn. On a new season and place the highest macro "
        f"F1 is {macro[best]:.3f} ({values['models'][best]}); not told apart from it after Holm's "
        f"adjustment: {', '.join(tied) or 'no other'}. The last column is of pixels that nearly "
        "all were labelled in training, on another day: it tells how well a known place is "
        "recognised. "
        "The published map was trained on fourteen scenes. All protocols, steps and costs: "
        "[notebook 06](notebooks/06_fair_comparison.ipynb).")])


def fair_columns() -> list[tuple[str, str]]:
    """List protocol and score of each column."""
    first, *others = FAIR
    return [(first, "overall_accuracy"), (first, "quarry_f1"),
            *((p, "overall_accuracy") for p in others)]


def cells_of(notebook: Path) -> list[str]:
    """Text of each cell of a notebook."""
    return ["".join(c["source"]) for c in json.loads(notebook.read_text())["cells"]]


def notebooks() -> list[Path]:
    """List the numbered notebooks in order."""
    return sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


def number(notebook: Path) -> str:
    """Take a notebook's number from its name, as 04 or 05a."""
    return notebook.name.partition("_")[0]


def notebooks_table() -> str:
    """Markdown: one row per notebook with its question and minutes, from its first cell."""
    lines = ["| | Question | Minutes |", "|---|---|---|"]
    for notebook in notebooks():
        opening = cells_of(notebook)[0]
        minutes = re.search(r"\*\*Minutes\*\* \| (\d+)", opening)[1]
        question = opening.splitlines()[0].removeprefix("# ")
        link = f"[{number(notebook)}](notebooks/{notebook.name})"
        lines.append(f"| {link} | {question} | {minutes} |")
    return "\n".join(lines)


def made_by() -> dict[str, str]:
    """Map committed files to what makes them: a notebook's number, or an experiment's name."""
    makers = {}
    for notebook in notebooks():
        for name in re.findall(r'write_results\(\s*[\w.]+, "(\w+)"',
                               "\n".join(cells_of(notebook))):
            makers[f"results/published/{name}.json"] = number(notebook)
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ").replace(
        "$(MODEL)", str(CARD.with_name("study.pt").relative_to(ROOT)))
    for targets, name in re.findall(r"^([^\t\n#:]+): +build/experiments/(\w+) ;$", makefile,
                                    re.MULTILINE):
        makers |= dict.fromkeys((t for t in targets.split() if (ROOT / t).exists()), name)
    return makers


def minutes_of(file: str) -> str:
    """Minutes that the making of a file took, as its provenance has it."""
    if not file.endswith(".json"):
        return UNTIMED
    minutes = json.loads((ROOT / file).read_text())["provenance"]["seconds"] / 60
    return f"{minutes:,.0f}" if minutes >= 1 else "1"


def numbers_table() -> str:
    """Markdown: what makes each committed number, and how long it takes."""
    rows: dict[str, list[str]] = {}
    for file, maker in made_by().items():
        rows.setdefault(maker, []).append(file)
    lines = ["| Committed numbers | Made by | Minutes |", "|---|---|---|"]
    for maker, files in rows.items():
        notebook = maker[0].isdigit()
        how = f"`make reproduce` (notebook {maker})" if notebook else f"`make {maker}`"
        minutes = max((minutes_of(f) for f in files), key=lambda m: int(m.replace(",", "")))
        folder = Path(files[0]).parent
        several = len(files) > 2 and all(f.endswith(".csv") for f in files)
        shown = f"`{folder}/*.csv`" if several else ", ".join(f"`{f}`" for f in files)
        lines.append(f"| {shown} | {how} | {minutes} |")
    if BENCH.exists():
        lines.append(f"| `{BENCH.relative_to(ROOT)}` | `make bench` | – |")
    return "\n".join(lines)


def coverage() -> list[dict[str, str]]:
    """Read what answers each figure and table of the paper."""
    with COVERAGE.open(newline="") as file:
        return list(csv.DictReader(file))


def coverage_table() -> str:
    """Markdown: every figure and table of the paper, what answers it, and why in that form."""
    links = {number(n): f"[notebook {number(n)}](../notebooks/{n.name})" for n in notebooks()}
    lines = ["| In the paper | | Here | By | Why so |", "|---|---|---|---|---|"]
    words = {"remade": "remade", "extended": "remade and extended", "not": "not remade",
             "synthetic": "remade on a synthetic landscape"}
    for row in coverage():
        made = [links.get(m, f"[{m}](published/{m}.png)") for m in row["made"].split()]
        lines.append(f"| {row['kind']} {row['number']} | {row['shows']} | {words[row['answer']]} | "
                     f"{', '.join(made)} | {row['why']} |")
    return "\n".join(lines)


def further_figures() -> str:
    """Markdown: the figures that answer none of the paper's, by notebook."""
    names = sorted(p.stem for p in (GALLERY.parent / "published").glob("nb*.png"))
    by_notebook: dict[str, list[str]] = {}
    for name in names:
        made_in, _, slug = name.removeprefix("nb").partition("_")
        by_notebook.setdefault(made_in, []).append(f"[{slug}](published/{name}.png)")
    return "\n".join(f"- Notebook {n}: {', '.join(links)}" for n, links in by_notebook.items())


def coverage_line() -> str:
    """One sentence: how many of the paper's figures and tables are answered."""
    rows = coverage()
    said = []
    for kind in ("Figure", "Table"):
        mine = [r["answer"] for r in rows if r["kind"] == kind]
        real = sum(a in ("remade", "extended") for a in mine)
        other = mine.count("synthetic")
        said.append(f"{real} of {len(mine)} {kind.lower()}s" + (
            f" (and {other} on a synthetic landscape)" if other else ""))
    return (f"Remade from the released data: {' and '.join(said)} of the paper. "
            "[figures/README.md](figures/README.md) says which, by what, and why the others not.")


BENCH = ROOT / "results" / "bench.json"
NOT_MEASURED = "Not measured yet: `make bench`."


def bench() -> dict[str, Any]:
    """Read what the benchmarks measured."""
    return json.loads(BENCH.read_text()) if BENCH.exists() else {}


def ran_on(section: dict[str, Any]) -> str:
    """Say on what a section was measured."""
    m = section["machine"]
    return (f"Measured {m['day']} on {m['cores']} cores of {m['cpu']}, torch {m['torch']}, load "
            f"{m['load']} at the end.")


def speed_table() -> str:
    """Markdown: seconds and ratios of classification, and memory from small scenes to a tile."""
    found = bench()
    if not {"classify", "monai"} <= found.keys():
        return NOT_MEASURED
    one = found["classify"]
    lines = ["| One pass | CPU s | against | CPU s | times as fast |", "|---|---|---|---|---|",
             f"| `lulc classify`, {one['megapixels']:.1f} megapixels, model of {one['build']} | "
             f"{one['now']['cpu_s']:.1f} | build {one['build']} | {one['earlier']['cpu_s']:.1f} | "
             f"{one['ratio']:.2f} |",
             f"| same | {one['now']['cpu_s']:.1f} | its networks alone, folded, full batches | "
             f"{one['networks_alone_cpu_s']:.1f} | {one['networks_alone_over_now']:.2f} |"]
    for name, row in found["monai"].items():
        if name.startswith("window_"):
            lines.append(f"| shipped model, 1 megapixel | {row['ours']:.1f} | MONAI, windows of "
                         f"{name.removeprefix('window_')}, overlap 0.25 | {row['monai']:.1f} | "
                         f"{row['ratio']:.2f} |")
            if "networks_alone_ratio" in row:
                lines.append(
                    f"| its networks alone | {found['monai']['networks_alone_cpu_s']:.1f} | same | "
                    f"{row['monai']:.1f} | {row['networks_alone_ratio']:.2f} |")
    lines += ["", f"The two builds' maps differ in {one['share_of_pixels_that_differ']:.4%} of the "
              f"pixels. {monai_line(found['monai'])} {ran_on(one)}", ""]
    if "tile" not in found:
        return "\n".join([*lines, f"Larger scenes, up to a tile: {NOT_MEASURED[0].lower()}"
                          f"{NOT_MEASURED[1:]}"])
    return "\n".join([*lines, *tile_rows(found["tile"])])


def monai_line(found: dict[str, Any]) -> str:
    """Say how maps from windows and ours differ from the map of one pass."""
    if "left_out" in found:
        return f"No comparison with MONAI: {found['left_out']}."
    unlike = [v["monai_pixels_unlike_untiled"] for k, v in found.items() if k.startswith("window_")]
    return (f"Of one pass over the whole scene, MONAI's map has {min(unlike):.1%} to "
            f"{max(unlike):.1%} other pixels, ours {found['our_pixels_unlike_untiled']:.4%}.")


def tile_rows(found: dict[str, Any]) -> list[str]:
    """Markdown lines: time and memory by the size of the scene."""
    sizes = found["sizes"]
    rows = [f"| Megapixels ({found['model']}) | form | CPU s | CPU s a megapixel | peak MB |",
            "|---|---|---|---|---|",
            *(f"| {r['megapixels']:.1f} | {r['form']} | {r['cpu_s']:.1f} | "
              f"{r['cpu_s_per_megapixel']:.2f} | {r['peak_mb']:.0f} |" for r in sizes)]
    said = [f"A scene of one cell takes {sizes[0]['start_cpu_s']:.1f} CPU s, the start; seconds a "
            f"megapixel are those beyond it, which differ by {found['growth']:.0%} between sizes "
            "of GeoTIFF."]
    said += [f"The maps of SAFE and GeoTIFF differ in {r['pixels_that_differ']:,} pixels."
             for r in sizes if "pixels_that_differ" in r]
    return [*rows, "", " ".join([*said, ran_on(found)]), "",
            "![Memory over a run, and time by size](memory.png)"]


def training_table() -> str:
    """Markdown: a training step against the network's own."""
    found = bench().get("training")
    return NOT_MEASURED if found is None else (
        f"A step takes {1000 * found['loop_s']:.0f} ms ({found['device']}), the pure forward "
            f"and backward pass and optimiser {1000 * found['pure_step_s']:.0f} ms: "
            f"{found['pure_over_loop']:.2f} of it. {ran_on(found)}")


def rest_table() -> str:
    """Markdown: ratios and memory of the other commands that were measured."""
    found, rows = bench(), []
    if "accuracy" in found:
        a = found["accuracy"]
        rows.append(f"`lulc accuracy`, {a['megapixels']:.0f} megapixels | "
                    f"{a['accuracy_cpu_s']:.2f} | reading both files once | "
                    f"{a['reading_cpu_s']:.2f} | {a['ratio']:.2f} | {a['peak_mb']:.0f}")
    if "sites" in found:
        s, quarter = found["sites"], found["sites"]["quarter"]
        rows += [f"`lulc sites`, {s['megapixels']:.0f} megapixels, {s['dates']} dates, "
                 f"{s['sites']:,} sites | {s['cpu_s']:.1f} | | | | {s['peak_mb']:.0f}",
                 f"a quarter of it | {quarter['now']['cpu_s']:.1f} | build {quarter['build']} | "
                 f"{quarter['earlier']['cpu_s']:.1f} | {s['ratio']:.2f} | "
                 f"{quarter['now']['peak_mb']:.0f}"]
    if "sites_many" in found:
        m = found["sites_many"]
        rows.append(f"`lulc sites --html`, {m['dates']} dates, {m['sites']:,} sites | "
                    f"{m['cpu_s']:.1f} | | | | {m['peak_mb']:.0f}")
    head = "| | CPU s | against | CPU s | times as fast | peak MB |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(f"| {row} |" for row in rows) if rows else NOT_MEASURED


POLAND_KM2, DATES, TILE_KM, STEP_KM = 312_000, 12, 109.8, 100
"""Land of Poland, maps a year, edge of a Sentinel-2 tile, and of what it adds to its neighbours."""
BYTES = 2 * (4 + 6 / 4)
"""Of the ten bands, uncompressed, for each pixel of 10 m: four of 10 m and six of 20 m."""


def country() -> str:
    """Work out Poland from the rate of one process."""
    found = bench().get("cluster")
    if found is None:
        return NOT_MEASURED
    rate, share = found["cpu_s_per_megapixel"], (TILE_KM / STEP_KM) ** 2
    megapixels = POLAND_KM2 * 0.01 * DATES * share
    hours, gigabytes = megapixels * rate / 3600, 2 * megapixels * BYTES / 1000
    stream = 2 * BYTES / rate  # MB a second and core
    return (
        f"One process takes {rate:.2f} CPU seconds a megapixel with the shipped model, all that "
        f"blocks read and compute around themselves included; {found['workers']} local workers "
        f"are {found['ratio']:.2f} times as fast as one process ({ran_on(found)[:-1]}). Poland "
        f"has {POLAND_KM2:,} km², {POLAND_KM2 * 0.01:,.0f} megapixels of 10 m; tiles overlap, so "
        f"whole tiles hold {share:.2f} times as many. {DATES} dates are {megapixels:,.0f} "
        f"megapixels: **{hours:,.0f} core hours** ({hours / 64:,.1f} hours on 64 cores) and "
        f"**{gigabytes:,.0f} GB** read, each scene twice (statistics, then blocks) and as if "
        f"uncompressed, which JPEG 2000 halves at least. A core asks for {stream:.1f} MB a second, "
        f"so a line of 1 Gbit/s feeds {125 / stream:,.0f} cores: up to there multiplications bound "
        "it, from there reading. What comes back is a byte a pixel before compression, "
        f"{megapixels / 1000:,.0f} GB.")


BLOCKS: list[tuple[Path, str, Callable[[], str]]] = [
    (README, "fair", fair_table), (README, "results", maps_table),
    (README, "notebooks", notebooks_table),
    (README, "numbers", numbers_table), (README, "coverage", coverage_line),
    (GALLERY, "coverage", coverage_table), (GALLERY, "further", further_figures),
    (CARD, "results", card_table),
    (CARD, "protocols", protocols_table), (CARD, "ledger", ledger_table),
    (SPEED, "speed", speed_table), (SPEED, "training", training_table), (SPEED, "rest", rest_table),
    (SPEED, "country", country),
]
"""File, name of the block in it, and what writes it."""


def updated(text: str, table: str, block: str = "results") -> str:
    """Put a fresh table between a block's marks."""
    start = f"<!-- {block}: written by scripts/update_readme.py -->"
    before, rest = text.split(start)
    end = f"<!-- end of {block} -->"
    return f"{before}{start}\n{table}\n{end}{rest.split(end)[1]}"


def main() -> int:
    """Write the tables; with --check say whether they were already right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check, stale = parser.parse_args().check, set()
    for path, block, table in BLOCKS:
        text = path.read_text()
        new = updated(text, table(), block)
        if text != new:
            stale.add(path.name)
            if not check:
                with written_whole(path) as part:
                    part.write_text(new)
    if check and stale:
        print(f"{', '.join(sorted(stale))}: stale; run scripts/update_readme.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
