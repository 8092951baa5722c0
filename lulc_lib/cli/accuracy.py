"""``lulc accuracy``: how well a class map agrees with a reference."""

from __future__ import annotations

import argparse
import glob
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lulc_lib.cli.common import DONE, Files, Subparsers, note, say
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file

if TYPE_CHECKING:
    from lulc_lib.accuracy.assess import Comparison

TABLES = (".csv", ".tsv", ".txt", ".tab")

DESCRIPTION = """\
Assess the accuracy of a class map against a reference.

INPUT is one of
  a confusion matrix (CSV; bare, labelled, or with sums; as Earth Engine, Orfeo ToolBox, ENVI,
    SCP, GRASS r.kappa, eCognition, ArcGIS and pandas write it), which must say what its rows are:
    by words of its own such as map/reference in the corner, or by --rows
  pairs of classes (CSV with the columns true and predicted, and label and count if they are there;
    points of Earth Engine, SEPAL and sits, R's long tables)
  binary counts (CSV with TP, TN, FP and FN per class)
  a labelled sample of `lulc sample` (.gpkg): accuracy and area of the map, with standard errors
  a map raster; REFERENCE is then a raster on the same grid, or polygons or points
    (without REFERENCE, a file beside the map whose name ends in _ref is looked for)
CSV files may use comma, semicolon or tab, and UTF-8, UTF-16 or Windows-1250."""

EXAMPLES = """\
examples:
  lulc accuracy matrix.csv --rows map
  lulc accuracy pairs.csv --labels names.json --formula "TP / (TP + FP + FN)"
  lulc accuracy map.tif reference.gpkg --column label --html report.html
  lulc accuracy sample.csv --rows map --areas areas.csv --json
  lulc accuracy points.gpkg

In every output the rows of the matrix are the map and its columns the reference: producer's
accuracy (PA, recall) is diagonal / column sum, user's accuracy (UA, precision) diagonal / row sum.
A metric that is 0/0 is undefined (null in JSON) and left out of means."""


def add_accuracy(commands: Subparsers) -> None:
    """Add ``lulc accuracy``: assess a map, a confusion matrix or pairs of classes."""
    parser = commands.add_parser(
        "accuracy", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="assess a class map, or a confusion matrix, against a reference",
        description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("input", type=Path, metavar="INPUT", help="CSV file or map raster")
    parser.add_argument("reference", type=Path, nargs="?", metavar="REFERENCE",
                        help="raster on the map's grid, or polygons or points in any CRS")
    parser.add_argument("--rows", choices=("map", "reference"),
                        help="what the rows of a confusion matrix are")
    parser.add_argument("--column", metavar="NAME",
                        help="column of a vector REFERENCE with the class codes (default: the "
                        "only one of whole numbers, if it is named like classes), or of a sample "
                        "with the labels; of pairs of classes: REFERENCE,MAP")
    _add_counting(parser)
    parser.add_argument("--labels", type=Path, metavar="JSON",
                        help='names of the classes: {"1": "water", …} (default: those of the map '
                        "where it is the study's or names them in its tags)")
    parser.add_argument("--areas", type=Path, metavar="CSV",
                        help="mapped area per class (columns label, area; any unit): adds area-"
                        "adjusted estimates, which presume a stratified random sample with the "
                        "map classes as strata")
    parser.add_argument("--formula", metavar="EXPR",
                        help="a metric of your own per class, from TP, TN, FP, FN, N and the names "
                        "of the metrics: + - * / **, sqrt, abs, log, min, max")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--html", type=Path, metavar="OUT",
                        help="also write a self-contained HTML report")
    parser.set_defaults(run=run_accuracy, files=files_accuracy)


def _add_counting(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a map is compared with a REFERENCE."""
    parser.add_argument("--pixel-rule", choices=("centre", "all_touched"), default="centre",
                        help="a polygon has the pixels whose centre it holds (default), or all "
                        "that it touches (GDAL's versions differ in these: 44220 or 44185 of the "
                        "study's reference, 44230 by exact geometry)")
    parser.add_argument("--overlaps", choices=("drop", "smallest", "first", "last"),
                        default="drop", help="pixels that polygons of different classes overlap "
                        "on: left out (default), or of the smallest, the first or last in the file")
    parser.add_argument("--nodata", type=_code, metavar="CODE|none",
                        help="code of the REFERENCE that is no data (default: the file's tag; 0 "
                        "where the map has the study's legend; else every code that the map uses "
                        "is a class, 0 too)")
    parser.add_argument("--unmapped", choices=("skip", "count"), default="skip",
                        help="reference pixels where the map has no data: left out (default), "
                        "or counted as errors")
    parser.add_argument("--intervals", action="store_true",
                        help="95 %% intervals of OA, macro F1, and PA, UA and F1 of each class, "
                        "from whole polygons redrawn (polygon bootstrap)")


def _code(word: str) -> int | str:
    if word == "none" or re.fullmatch(r"-?\d+", word):
        return word if word == "none" else int(word)
    raise argparse.ArgumentTypeError(f"{word!r} is no whole number and not 'none'")


def files_accuracy(args: argparse.Namespace) -> Files:
    """Name all that is read and written; what could be the reference beside the map is read."""
    called = f"{glob.escape(args.input.stem)}_ref.*"
    beside = [] if args.reference else args.input.parent.glob(called)
    return Files((args.input, args.reference, args.labels, args.areas, *beside),
                 {"--html": args.html})


def run_accuracy(args: argparse.Namespace) -> int:
    """Assess what was given and return the exit code."""
    from lulc_lib.accuracy import assess as room
    from lulc_lib.cli.accuracy_text import text

    strata, complete = None, ()
    if args.input.suffix.lower() == ".gpkg" and args.reference is None:
        comparison, strata, complete = _read_sample(args)
    else:
        comparison = _read_table(args) if _is_table(args.input) else _count_map(args)
    codes, comparison = comparison.labels, _named(comparison, args)
    called = dict(zip(codes, comparison.labels, strict=True)) | {k: k for k in comparison.labels}
    areas = None if args.areas is None else room.read_areas(args.areas, called)
    if strata is not None:
        areas = {called[k]: area for k, area in strata.items()}
    assessment = room.assess(comparison, areas, args.formula, [called[k] for k in complete])
    if args.html is not None:
        roles = {"Map" if args.reference else "Input": args.input, "Reference": args.reference,
                 "Class names": args.labels, "Mapped areas": args.areas}
        room.write_report(assessment, args.html, {k: path for k, path in roles.items() if path})
    if args.json:
        for line in comparison.notes:
            note(line)
        say(json.dumps(room.as_json(assessment), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        report = "" if args.html is None else f"\n\nReport: {args.html}"
        say(text(assessment) + report)
    return DONE


def _read_sample(args: argparse.Namespace) -> tuple[Comparison, dict[str, float], list[str]]:
    """Points of ``lulc sample``: what their labels say, mapped areas, classes labelled whole."""
    from lulc_lib.accuracy.assess import Comparison
    from lulc_lib.accuracy.sampling import count_labelled
    from lulc_lib.data.sample_file import read_sample

    for option, given in (("--areas", args.areas), ("--rows", args.rows)):
        if given is not None:
            raise InputError(f"{option} {given}: {args.input.name} is read as a sample, which "
                             "holds its map classes, labels and areas itself")
    points, strata, names, design = read_sample(args.input, args.column or "label")
    matrix, complete, notes = count_labelled(points, strata, names)
    notes.append(f"Areas are in {design['unit of area']}.")
    kind = f"random sample of {design['map']}, stratified by map class"
    comparison = Comparison.of_matrix(matrix, kind, notes)
    label = {str(k): v for k, v in names.items()} if args.labels is None else {}
    if label:
        comparison = comparison.renamed(label, args.input.name)
    areas = {label.get(str(k), str(k)): area for k, area in strata.area.items()}
    return comparison, areas, [label.get(k, k) for k in complete]


def _named(comparison: Comparison, args: argparse.Namespace) -> Comparison:
    """Name the classes as asked, else as the map does; programs (--json) keep its codes."""
    from lulc_lib.accuracy.assess import read_names

    if args.labels is not None:
        return read_names(args.labels, comparison)
    if args.json or not comparison.names:
        return comparison
    return comparison.renamed(
        {code: f"{code} {comparison.names.get(code, '')}".strip() for code in comparison.labels},
        args.input.name)


def _is_table(path: Path) -> bool:
    if path.suffix.lower() in TABLES:
        return True
    with existing_file(path).open("rb") as file:
        start = file.read(512)
        if path.suffix.lower() in (".json", ".geojson"):
            return b"[[" in start + file.read()
    return b"\0" not in start and re.match(rb"[^{<\n]*[,;\t]", start) is not None


def _read_table(args: argparse.Namespace) -> Comparison:
    from lulc_lib.accuracy.assess import read_comparison

    if args.reference is not None:
        hint = "; class names go in --labels" if args.reference.suffix.lower() == ".json" else ""
        raise InputError(f"{args.reference}: a REFERENCE belongs to a map raster, and "
                         f"{args.input.name} is a table that holds map and reference{hint}")
    columns = None if args.column is None else tuple(args.column.split(","))
    if columns is not None and len(columns) != 2:
        raise InputError(f"--column {args.column}: belongs to a vector REFERENCE; of a table of "
                         f"pairs as {args.input.name} it names two, REFERENCE,MAP")
    for option, given in ((f"--nodata {args.nodata}", args.nodata is not None),
                          ("--intervals", args.intervals)):
        if given:
            raise InputError(f"{option}: belongs to a map raster with a REFERENCE, and "
                             f"{args.input.name} is a table")
    return read_comparison(args.input, args.rows, columns)


def _count_map(args: argparse.Namespace) -> Comparison:
    from lulc_lib.accuracy import as_confusion, confusion_from_labels
    from lulc_lib.accuracy.assess import Comparison
    from lulc_lib.data.pairs import VECTORS, count_pairs, open_reference, reference_beside
    from lulc_lib.data.reference import open_classes

    if args.rows is not None:
        raise InputError(f"--rows {args.rows}: belongs to a confusion matrix, and "
                         f"{args.input.name} is a raster")
    open_classes(args.input, georeferenced=False).close()
    path = args.reference or reference_beside(args.input)
    vector = path.suffix.lower() in VECTORS
    if args.column is not None and not vector:
        raise InputError(f"--column {args.column}: belongs to a vector REFERENCE, and "
                         f"{path.name} is a raster")
    reference = open_reference(path, args.column, args.pixel_rule, args.overlaps, args.intervals)
    if args.areas is not None and reference.polygons:
        raise InputError(
            f"--areas {args.areas}: area-adjusted estimates need a probability sample; "
            f"{path.name} holds polygons, which somebody picked by hand, so their pixels "
            "were not drawn with known probability and no area can be estimated from them")
    pairs = count_pairs(args.input, reference, confusion_from_labels, args.unmapped == "count",
                        args.nodata)
    if args.reference is None:
        note(f"the reference is {path.name}, which lies beside the map")
        args.reference = path
    if vector and args.column is None:
        note(f"the class codes are taken from column {reference.column!r} of {path.name}, "
             f"{reference.why}")
    matrix = as_confusion(pairs.counts.to_numpy(), list(pairs.counts.index))
    return replace(
        Comparison.of_matrix(matrix, pairs.kind, pairs.notes, pixels=True, dropped=pairs.dropped),
        names=pairs.names, by_group=pairs.by_group)
