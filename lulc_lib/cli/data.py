"""``lulc data``: the published dataset, scenes by STAC, registry layers: fetched and verified."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from lulc_lib import paths
from lulc_lib.cli.common import DONE, Subparsers
from lulc_lib.errors import InputError


def add_data(commands: Subparsers) -> None:
    """``lulc data``: fetch and verify the published dataset, or list it."""
    parser = commands.add_parser(
        "data", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="fetch and verify the published dataset, list it, fetch a scene by STAC or the "
        "registry layers of an area",
        description="Fetch what is missing of the published dataset and verify every file.\n"
        "The folder is $LULC_DATA, else data/lulc_mining; $LULC_DATA_URL names a mirror.",
        epilog="examples:\n  lulc data\n  lulc data --list\n"
        "  lulc data --stac kolbuszowa:2021-07-25 --service planetary-computer -o scene.tif\n"
        "  lulc data --registries map.tif -o registries",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", dest="list_files",
                        help="show the state of each file; download nothing")
    action.add_argument("--stac", metavar="SITE:DATE",
                        help="fetch the Sentinel-2 L2A scene of a site and day (YYYY-MM-DD)")
    action.add_argument("--resolve", metavar="SOURCE",
                        help="make a source ready (auto, published, synthetic); print its name")
    action.add_argument("--registries", metavar="AREA",
                        help="fetch the registry layers (MIDAS, CORINE, OSM) of an area: a map "
                        "(GeoTIFF; with 5 km around it), or W,S,E,N in degrees. A layer fetched "
                        "within 30 days is kept; remove its file to fetch it again")
    parser.add_argument("--layer", action="append", metavar="LAYER=NAME",
                        help="for --registries: the layer's whole name in its service, where the "
                        "service has several that fit (may be repeated)")
    parser.add_argument("--service", metavar="NAME",
                        help="STAC service for --stac: earth-search (default), "
                        "planetary-computer or cdse")
    parser.add_argument("-o", "--output", type=Path, metavar="PATH",
                        help="GeoTIFF written by --stac (default: stac/SITE_YYYYMMDD.tif in the "
                        "data folder), or folder of --registries (default: registries in it)")
    parser.set_defaults(run=run_data)


def run_data(args: argparse.Namespace) -> int:
    """Do what ``lulc data`` was asked for; the exit code."""
    if args.stac is None and args.service:
        raise InputError("--service belongs to --stac SITE:DATE; give that too")
    if args.registries is None and args.layer:
        raise InputError("--layer belongs to --registries AREA; give that too")
    if args.stac is None and args.registries is None and args.output:
        raise InputError("--output belongs to --stac SITE:DATE or --registries AREA; give one too")
    if args.list_files:
        return _list_files()
    if args.stac is not None:
        return _fetch_by_stac(args.stac, args.service, args.output)
    if args.registries is not None:
        from lulc_lib.cli.registries import fetch_layers

        return fetch_layers(args)
    if args.resolve is not None:
        return _resolve(args.resolve)
    return _fetch_all()


def _fetch_all() -> int:
    from lulc_lib.data.catalogue import TERMS, published_files
    from lulc_lib.data.download import fetch, local_state, require

    root = paths.published_dir()
    files = published_files()
    before = sum(local_state(file, root).state == "present" for file in files)
    if before == len(files):
        print(f"Nothing is missing: all {len(files)} files in {root} are verified.")
        return DONE
    states = fetch(files, root)
    present = sum(s.state == "present" for s in states)
    print(f"{root}: {present} of {len(files)} files verified, {present - before} of them just "
          "downloaded or replaced.")
    print(TERMS)
    require(states)
    return DONE


def _list_files() -> int:
    from lulc_lib.data.catalogue import TERMS, published_files
    from lulc_lib.data.download import file_states

    root = paths.published_dir()
    states = file_states(published_files(), root)
    row = "{:<17}  {:<13}  {:<10}  {:<10}  {:>9}  {}"
    print(row.format("state", "role", "site", "date", "bytes", "path"))
    for s in states:
        f = s.file
        print(row.format(s.state, f.role, f.site, f.date, f.size or "unknown", f.path))
    counts = {s.state: 0 for s in states}
    for s in states:
        counts[s.state] += 1
    reasons = [s.reason for s in states if s.state == "unavailable"]
    print(f"\n{len(states)} files in {root}: "
          + ", ".join(f"{n} {state}" for state, n in counts.items()) + ".")
    if reasons:
        print(f"First unavailable: {reasons[0]}.")
    print(TERMS)
    return DONE


def _fetch_by_stac(request: str, service: str | None, output: Path | None) -> int:
    from lulc_lib.data.stac import fetch_scene

    site, colon, date = request.partition(":")
    if not colon:
        raise InputError(f"--stac is {request!r}; it must be SITE:DATE, such as "
                         "kolbuszowa:2021-07-25")
    print(fetch_scene(site, date, service or "earth-search", output))
    return DONE


def _resolve(choice: str) -> int:
    from lulc_lib.data.source import resolve_source
    from lulc_lib.landscape import ensure_landscape

    with contextlib.redirect_stdout(sys.stderr):
        source = resolve_source(choice, ensure_landscape)
        if source.note:
            print(source.note)
        print(f"Data: {source.name}, {source.root}")
    print(source.name)
    return DONE
