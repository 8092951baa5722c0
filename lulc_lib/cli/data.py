"""``lulc data``: the published dataset, scenes by STAC, registry layers: fetched and verified."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lulc_lib import paths
from lulc_lib.cli.common import DONE, Files, Subparsers, note, say
from lulc_lib.errors import InputError

MARGIN_M = 5000.0
"""Metres around a map within which registry layers are fetched."""


def add_data(commands: Subparsers) -> None:
    """Add ``lulc data``: fetch and verify the published dataset, or list it."""
    parser = commands.add_parser(
        "data", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="fetch and verify the published dataset, list it, fetch a scene by STAC or the "
        "registry layers of an area",
        description="Fetch what is missing of the published dataset and verify every file.\n"
        "The folder is $LULC_DATA, else data/lulc_mining; $LULC_DATA_URL names a mirror.",
        epilog="examples:\n  lulc data\n  lulc data --list\n"
        "  lulc data --stac kolbuszowa:2021-07-25 --service planetary-computer -o scene.tif\n"
        "  lulc data --stac 16.2,50.9,16.4,51.0:2023-07 -o scene_202307.tif\n"
        "  lulc data --registries map.tif -o registries\n"
        "  lulc data --euromine --sites Poland_1 Poland_15 --out euromine")
    _add_actions(parser)
    parser.add_argument("--sites", nargs="+", metavar="SITE", default=[],
                        help="for --euromine: sites to unpack, such as Poland_1 (default: all)")
    parser.add_argument("--layer", action="append", metavar="LAYER=NAME",
                        help="for --registries: the layer's whole name in its service, where the "
                        "service has several that fit (may be repeated)")
    parser.add_argument("--service", metavar="NAME",
                        help="STAC service for --stac: earth-search (default), "
                        "planetary-computer or cdse")
    parser.add_argument("-o", "--output", type=Path, metavar="PATH",
                        help="GeoTIFF written by --stac (default: stac/PLACE_YYYYMMDD.tif in the "
                        "data folder), or folder of --registries (default: registries in it) "
                        "or --euromine (euromine in it)")
    parser.set_defaults(run=run_data, files=files_data)


def _add_actions(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is done; only one can be given."""
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", dest="list_files",
                        help="show the state of each file; download nothing")
    action.add_argument("--stac", metavar="PLACE:DATE",
                        help="fetch the Sentinel-2 L2A scene of a study site or of a box W,S,E,N "
                        "in degrees (--stac=W,… where W is negative) on a day, YYYY-MM-DD, or "
                        "the least cloudy of a month, YYYY-MM")
    action.add_argument("--resolve", metavar="SOURCE",
                        help="make a source ready (auto, published, synthetic); print its name")
    action.add_argument("--registries", metavar="AREA",
                        help="fetch the registry layers (MIDAS, CORINE, OSM) of an area: a map "
                        "(GeoTIFF; with 5 km around it), or W,S,E,N in degrees. A layer fetched "
                        "within 30 days is kept; remove its file to fetch it again")
    action.add_argument("--euromine", action="store_true",
                        help="fetch EuroMineNet, mines of the EU 2015-2024 with their footprint "
                        "(CC BY 4.0); the archive is kept, so that a later call adds sites")


def files_data(args: argparse.Namespace) -> Files:
    """Name what is written by name; the folders of ``lulc data`` are its own."""
    if args.stac is None:
        return Files(folders={"--output": args.output})
    from lulc_lib.data.stac import scene_paths

    targets = scene_paths(*_request(args.stac), args.output)
    there = tuple(path for path in targets if path.exists())
    return Files(outputs={"--output": there or None}, folders={"--output": targets[0].parent})


def run_data(args: argparse.Namespace) -> int:
    """Do what ``lulc data`` was asked for; return the exit code."""
    of_folder = args.stac is not None or args.registries is not None or args.euromine
    for given, allowed, needs in (
            (args.service, args.stac is not None, "--service belongs to --stac PLACE:DATE"),
            (args.layer, args.registries is not None, "--layer belongs to --registries AREA"),
            (args.sites, args.euromine, "--sites belongs to --euromine"),
            (args.output, of_folder, "--output belongs to --stac PLACE:DATE, --registries AREA or "
                                     "--euromine")):
        if given and not allowed:
            raise InputError(f"{needs}; give that too")
    if args.list_files:
        return _list_files()
    if args.stac is not None:
        return _fetch_by_stac(args)
    if args.registries is not None:
        return _fetch_layers(args)
    if args.euromine:
        return _fetch_mines(args.output, args.sites, not args.quiet)
    if args.resolve is not None:
        return _resolve(args.resolve)
    return _fetch_all(not args.quiet)


def _fetch_all(progress: bool) -> int:
    from lulc_lib.data.catalogue import TERMS, published_files
    from lulc_lib.data.download import fetch, local_state, require

    root = paths.published_dir()
    files = published_files()
    before = sum(local_state(file, root).state == "present" for file in files)
    if before == len(files):
        say(f"Nothing is missing: all {len(files)} files in {root} are verified.")
        return DONE
    states = fetch(files, root, progress)
    present = sum(s.state == "present" for s in states)
    say(f"{root}: {present} of {len(files)} files verified, {present - before} of them just "
          "downloaded or replaced.")
    for state in states:
        if state.state == "present" and state.reason:
            note(state.reason)
    say(TERMS)
    require(states)
    return DONE


def _list_files() -> int:
    from lulc_lib.data.catalogue import EUROMINE_TERMS, TERMS, published_files
    from lulc_lib.data.download import file_states

    root = paths.published_dir()
    states = file_states(published_files(), root)
    row = "{:<17}  {:<13}  {:<10}  {:<10}  {:>9}  {}"
    say(row.format("state", "role", "site", "date", "bytes", "path"))
    for s in states:
        f = s.file
        say(row.format(s.state, f.role, f.site, f.date, f.size or "unknown", f.path))
    counts = Counter(s.state for s in states)
    reasons = [s.reason for s in states if s.state == "unavailable"]
    say(f"\n{len(states)} files in {root}: "
          + ", ".join(f"{n} {state}" for state, n in counts.items()) + ".")
    if reasons:
        say(f"First unavailable: {reasons[0]}.")
    say(TERMS)
    mines = [path for path in (root / "euromine").glob("*_[0-9]*") if path.is_dir()]
    if mines:
        say(f"{root / 'euromine'}: {len(mines)} sites. {EUROMINE_TERMS}")
    return DONE


def _fetch_by_stac(args: argparse.Namespace) -> int:
    from lulc_lib.data.stac import fetch_scene

    say(fetch_scene(*_request(args.stac), args.service or "earth-search", args.output,
                    progress=not args.quiet))
    return DONE


def _request(text: str) -> tuple[str, str]:
    """Read ``PLACE:DATE``."""
    site, colon, date = text.partition(":")
    if not colon:
        raise InputError(f"--stac is {text!r}; it must be SITE:DATE or W,S,E,N:DATE, such as "
                         "kolbuszowa:2021-07-25 or 16.2,50.9,16.4,51.0:2023-07")
    return site, date


def _fetch_mines(output: Path | None, sites: Sequence[str], progress: bool) -> int:
    from lulc_lib.data.catalogue import EUROMINE_TERMS
    from lulc_lib.data.euromine import download_sites, euromine_dir

    folder = output or euromine_dir()
    there = download_sites(folder, sites, progress=progress)
    say(f"{folder}: {len(there)} site{'' if len(there) == 1 else 's'}, {', '.join(there)}.")
    say(EUROMINE_TERMS)
    return DONE


def _fetch_layers(args: argparse.Namespace) -> int:
    """Fetch the layers of ``args.registries`` into ``args.output``; return the exit code."""
    from lulc_lib.sites import SERVICES, fetch_registries, require_layers

    bounds = _area(args.registries)
    folder = args.output or paths.published_dir() / "registries"
    outcomes = fetch_registries(bounds, folder, services=SERVICES,
                                names=_names(args.layer or ()), progress=not args.quiet)
    say(f"{folder}: west, south, east, north = {', '.join(f'{b:.4f}' for b in bounds)}")
    for o in outcomes:
        count = "" if o.count is None else o.count
        say(f"{o.state:<7}  {o.layer:<15}  {count:>6}  {o.path.name if o.path else '-'}"
              + (f"  ({o.reason})" if o.reason and o.state != "failed" else ""))
    say("Monitoring points (MOEK) have no service: put monitoring_points.csv, .geojson, .gpkg or "
          ".shp into the folder.")
    for terms in dict.fromkeys(f"{s.attribution}: {s.licence}." for s in SERVICES.values()):
        say(terms)
    require_layers(outcomes)
    return DONE


def _names(stated: Sequence[str]) -> dict[str, str]:
    """Read ``LAYER=NAME`` as a mapping."""
    names = {}
    for text in stated:
        layer, equals, name = text.partition("=")
        if not (equals and name.strip()):
            raise InputError(f"--layer is {text!r}; it must be LAYER=NAME, such as "
                             "deposits='Złoża kopalin'")
        if layer.strip() in names:
            raise InputError(f"--layer names {layer.strip()} twice; it is one layer")
        names[layer.strip()] = name.strip()
    return names


def _area(text: str) -> tuple[float, float, float, float]:
    """Read west, south, east, north in degrees, or put a margin around a map."""
    if Path(text).exists():
        return _around(Path(text))
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--registries is {text!r}; it must be a GeoTIFF that is there, or west,"
                         "south,east,north in degrees, such as 16.2,50.9,16.4,51.0") from None
    return west, south, east, north


def _around(path: Path) -> tuple[float, float, float, float]:
    import geopandas as gpd

    from lulc_lib.data.grids import check_grid
    from lulc_lib.data.reference import open_raster
    from lulc_lib.sites.layer_file import outline

    with open_raster(path) as src:
        check_grid(src, path.name)
        crs, bounds = src.crs, src.bounds
    if crs is None:
        raise InputError(f"{path.name}: has no CRS, so it is not known where it lies")
    place = gpd.GeoSeries([outline(bounds)], crs=crs)
    metres = place.to_crs(place.estimate_utm_crs())
    return tuple(metres.buffer(MARGIN_M, join_style="mitre").to_crs(4326).total_bounds)


def _resolve(choice: str) -> int:
    from lulc_lib.data.source import resolve_source
    from lulc_lib.landscape import ensure_landscape

    with contextlib.redirect_stdout(sys.stderr):
        source = resolve_source(choice, ensure_landscape)
        if source.note:
            say(source.note)
        say(f"Data: {source.name}, {source.root}")
    say(source.name)
    return DONE
