"""``lulc sample``: a stratified random sample of a class map, to be labelled."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from lulc_lib.cli.common import DONE, Files, Subparsers, say
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file, with_siblings

if TYPE_CHECKING:
    import pandas as pd

ANTICIPATED = 0.9
"""User's accuracy to plan for, where none is given."""

LARGEST_PLOT = 99
"""Pixels: the side of the largest square that one label may speak for."""

DESCRIPTION = """\
Draw a stratified random sample of a class map, to be labelled by people.

The strata are the classes of MAP (no data is left out and counted); pixels are drawn without
replacement. POINTS is a GeoPackage with the points in random order (empty label, labeller,
confidence and comment) and with the strata, the allowed labels and the design as tables. A QGIS
form (.qml) is written beside it. `lulc accuracy POINTS` then estimates accuracy and area."""

RESPONSE_DESIGN = {
    "unit": "The label is the class that covers most of the square around the point: {unit}.",
    "labellers": "Two people who know the legend, each in a copy of the file, without seeing the "
    "map or each other's labels; where they differ a third decides. `labeller` says who.",
    "sources": "Imagery finer than the map and of its season, or a visit; `comment` says which.",
    "cannot be told": "The label is -1 (cannot tell), with the reason in `comment`: no guess, and "
    "no other point instead. It counts as non-response, as an empty label does.",
    "order": "By point_id, a random order: who stops early still has a random sample.",
}
"""How a point gets its label."""

ALLOCATION = """\
allocation:
  compromise    a minimum in every class, the rest in proportion to area
  proportional  in proportion to area
  equal         the same number in every class
  optimal       in proportion to area × anticipated standard deviation (Neyman)

response design (kept in the table `design`):"""

EXAMPLES = """
examples:
  lulc sample map.tif -o points.gpkg
  lulc sample map.tif -o points.gpkg --target-se 0.01 --anticipated 0.9,7=0.6 --class-se 10=0.05
  lulc sample map.tif -o points.gpkg --size 600 --allocation optimal --plot 3 --seed 7
  lulc accuracy points.gpkg"""


def add_sample(commands: Subparsers) -> None:
    """Add ``lulc sample``: draw points to be labelled."""
    rules = [textwrap.fill(f"{what}: {rule.format(unit='a pixel or plot')}", 79,
                           initial_indent="  ", subsequent_indent="    ")
             for what, rule in RESPONSE_DESIGN.items()]
    parser = commands.add_parser(
        "sample", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="draw a stratified random sample of a class map, to be labelled",
        description=DESCRIPTION, epilog="\n".join([ALLOCATION, *rules, EXAMPLES]))
    parser.add_argument("map", type=Path, metavar="MAP", help="class map (one-band raster)")
    parser.add_argument("-o", "--output", type=Path, metavar="POINTS", required=True,
                        help="GeoPackage to write (.gpkg)")
    parser.add_argument("--size", type=int, metavar="N", help="number of points (default: from "
                        "--target-se and the least numbers of the classes)")
    parser.add_argument("--target-se", type=float, default=0.01, metavar="S", help="standard error "
                        "of overall accuracy to plan for (default 0.01: ± 2 points at 95 %%)")
    parser.add_argument("--anticipated", default=str(ANTICIPATED), metavar="U[,CODE=U…]",
                        help="user's accuracy to plan for, of all and of single classes "
                        f"(default {ANTICIPATED})")
    parser.add_argument("--class-se", default="", metavar="CODE=S[,…]",
                        help="standard error of the user's accuracy of single classes")
    parser.add_argument("--allocation", choices=("compromise", "proportional", "equal",
                                                   "optimal"), default="compromise",
                        help="how classes share the points (default compromise; see below)")
    parser.add_argument("--minimum", type=int, default=50, metavar="N",
                        help="least points of a class in the compromise (default 50)")
    parser.add_argument("--plot", type=int, default=1, metavar="PIXELS", help="side of the square "
                        "that a label speaks for: 1 (default) is the pixel, 3 a plot of 3 × 3")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draw (default 0)")
    parser.add_argument("--labels", type=Path, metavar="JSON", help='names of the classes, which '
                        'are the allowed labels: {"1": "water", …} (default: those in the map '
                        "file's tags)")
    parser.set_defaults(run=run_sample, files=files_sample)


def files_sample(args: argparse.Namespace) -> Files:
    """Name all that is read and written."""
    return Files((args.map, args.labels), {"--output": with_siblings(args.output, [".qml"])},
                 {"--output": [".gpkg"]})


def run_sample(args: argparse.Namespace) -> int:
    """Draw the sample and return the exit code."""
    from lulc_lib import legend
    from lulc_lib.accuracy import sampling
    from lulc_lib.data import sample_file

    if not 1 <= args.plot <= LARGEST_PLOT or args.plot % 2 == 0:
        raise InputError(f"--plot {args.plot}: the plot is centred on a pixel, so 1, 3, 5, … "
                         f"{LARGEST_PLOT}")
    if args.seed < 0:
        raise InputError(f"--seed {args.seed}: must be 0 or more")
    strata = sample_file.count_strata(args.map, _names(args.labels))
    design = _design(args, strata.pixels)
    points = sample_file.draw_points(args.map, sampling.draw_ranks(design, args.seed),
                                     strata.names, args.seed)
    names = strata.names or {code: f"class {code}" for code in design.index}
    table = design.assign(area=design.pixels * strata.pixel_area)
    table.insert(0, "name", [names[code] for code in design.index])
    facts = {"map": args.map.name, "points": len(points), "allocation": args.allocation,
             "target standard error of overall accuracy": args.target_se if args.size is None
             else f"none, as --size {args.size} was given",
             "expected standard error of overall accuracy": f"{sampling.expected_se(design):.4f}",
             "seed": args.seed, "pixels without data, not sampled": strata.no_data,
             "unit of area": strata.unit}
    if legend.NO_DATA in design.index:
        facts["code 0"] = ("is taken as a class, as neither the file's nodata tag nor the names of "
                           "the classes (--labels) say otherwise")
    unit = "a pixel" if args.plot == 1 else f"a plot of {args.plot} × {args.plot} pixels"
    facts |= {what: rule.format(unit=unit) for what, rule in RESPONSE_DESIGN.items()}
    labels = names | {sampling.CANNOT_TELL: "cannot tell"}
    sample_file.write_sample(args.output, points, table, labels, facts, args.plot * strata.side)
    say(table.round(4).to_string())
    say("\n".join(f"{k}: {v}" for k, v in facts.items()))
    return DONE


def _design(args: argparse.Namespace, pixels: pd.Series) -> pd.DataFrame:
    import pandas as pd

    from lulc_lib.accuracy.sampling import design_sample

    anticipated = _by_class(args.anticipated, "--anticipated")
    class_se = _by_class(args.class_se, "--class-se")
    unknown = [c for c in (*anticipated, *class_se) if c not in pixels.index and c is not None]
    if unknown or None in class_se:
        raise InputError(f"{args.map.name} has no class {unknown[0] if unknown else class_se}; its "
                         f"classes are {', '.join(map(str, pixels.index))}")
    values = [anticipated.get(code, anticipated.get(None, ANTICIPATED)) for code in pixels.index]
    return design_sample(pixels, pd.Series(values, pixels.index), args.size, args.target_se,
                         class_se, args.allocation, args.minimum)


def _names(path: Path | None) -> dict[int, str] | None:
    """Read the names of the classes by code."""
    if path is None:
        return None
    try:
        names = json.loads(existing_file(path).read_text("utf-8"))
        return {int(code): str(name) for code, name in names.items()}
    except (ValueError, AttributeError):
        raise InputError(f'{path.name}: must hold an object such as {{"1": "water"}}') from None


def _by_class(text: str, option: str) -> dict[int | None, float]:
    """Read ``0.9,7=0.6``: class code to number, None for all other classes."""
    out: dict[int | None, float] = {}
    for part in filter(None, text.split(",")):
        code, equals, number = part.rpartition("=")
        try:
            out[int(code) if equals else None] = float(number)
        except ValueError:
            raise InputError(f"{option} {text}: {part!r} is no CODE=NUMBER, such as 10=0.6"
                             ) from None
    return out
