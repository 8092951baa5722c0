"""``lulc sites``: class maps and registries to candidate sites with reasons."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lulc_lib.cli.common import DONE, Files, Subparsers, say
from lulc_lib.errors import InputError
from lulc_lib.io.progress import Progress

if TYPE_CHECKING:
    import geopandas as gpd
    import xarray as xr
    from pyproj import CRS

    from lulc_lib.sites import Registries, Tracks

DESCRIPTION = """\
Find quarries in class maps, follow them through the dates, and hold them against the registries.

MAP is a class map (GeoTIFF of legend codes, as `lulc classify` writes); give one for each date. A
site is open rock that was seen on at least two clear dates (on one, if there is only one map).
DIR holds any of deposits, mining_areas, mining_terrains, corine, osm_quarries and
monitoring_points (.gpkg, .geojson or .shp; points also .csv with x, y or lon, lat), with the
services' own field names. A mining area counts only while it is valid on a map's date.

Every result is a lead for an inspector, never a finding: a status (licensed, candidate,
undetermined, other), a category, a score and the reasons in words. A layer that is missing makes a
site undetermined, never a candidate; so does lying mostly outside the maps' area of applicability.

MAP_probabilities.tif and MAP_applicability.tif beside a map, from `lulc classify --probabilities
--applicability`, are read if they are there. Make them: by its probability a small pit is found
that the class map hides, because some other class is a little more probable.
"""

EXAMPLES = """\
examples:
  lulc sites map_20220619.tif map_20230709.tif --registries registries -o sites.gpkg
  lulc sites a.tif b.tif --dates 2022-06-19 2023-07-09 -o sites.gpkg
  lulc sites map_2*.tif --scenes scene_2*.tif --registries registries -o sites.gpkg \\
      --sheets sheets --html sites.html

Beside OUT.gpkg (layers sites and observations, with QGIS style) the sites are written as .geojson
(degrees), .csv with .csvt, and .qml. The interactive map is one file that needs no network; only
with --background does it ask OpenStreetMap for the surroundings when it is opened.

columns that are read of each registry layer, the first that is there (case and diacritics do not
count, and ten characters of a name are enough):
"""

CACHE = 128_000_000
"""Bytes of blocks that GDAL keeps."""


def add_sites(commands: Subparsers) -> None:
    """Add ``lulc sites``: candidate sites from class maps."""
    from lulc_lib.sites import Settings

    parser = commands.add_parser(
        "sites", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="hold the quarries of class maps against the registries",
        description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("maps", type=Path, nargs="+", metavar="MAP", help="class map of one date")
    parser.add_argument("--registries", type=Path, metavar="DIR",
                        help="folder of registry layers (without it every site is undetermined)")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.gpkg", required=True,
                        help="GeoPackage to write; .geojson, .csv and .qml go beside it")
    parser.add_argument("--dates", nargs="+", metavar="DATE",
                        help="acquisition date of each map (default: YYYYMMDD in the file names)")
    parser.add_argument("--probabilities", type=Path, nargs="+", metavar="FILE",
                        help="what `lulc classify --probabilities` wrote, one for each map: "
                        "objects are then formed by probability (default: MAP_probabilities.tif "
                        "beside each map, where there is one)")
    parser.add_argument("--applicability", type=Path, nargs="+", metavar="FILE",
                        help="what `lulc classify --applicability` wrote, one for each map "
                        "(default: MAP_applicability.tif beside each map, where there is one)")
    parser.add_argument("--scenes", type=Path, nargs="+", metavar="FILE",
                        help="the scenes of the maps, for sheets and map; matched by date")
    parser.add_argument("--sheets", type=Path, metavar="FOLDER",
                        help="write an evidence sheet (.png) of every candidate and undetermined "
                        "site")
    parser.add_argument("--html", type=Path, metavar="FILE",
                        help="write an interactive map: one file, which needs no network")
    parser.add_argument("--background", action="store_true",
                        help="let the interactive map show OpenStreetMap, from the network")
    parser.add_argument("--grid", metavar="CRS",
                        help="coordinates on sheets and map besides WGS 84 (default: EPSG:2180 in "
                        "Poland, else the maps' own)")
    parser.add_argument("--min-area", type=float, metavar="HA", default=Settings.min_area_ha,
                        help="minimum mapping unit: the smallest site, hectares (default: "
                        "%(default)s)")
    parser.add_argument("--tolerance", type=float, metavar="M", default=Settings.tolerance_m,
                        help="by how much boundaries of registries and maps may differ, metres "
                        "(default: %(default)s)")
    parser.set_defaults(run=run_sites, files=files_sites)
    parser.format_help = lambda: _help(parser)


def _help(parser: argparse.ArgumentParser) -> str:
    """Add the registries' columns to the help, where it is asked for."""
    from lulc_lib.sites.layers import LAYERS

    lines = []
    for layer in LAYERS.values():
        names = [f"{ours + ':':12}{', '.join(theirs)}" for ours, theirs in layer.fields.items()]
        lines += [f"  {layer.name:18}{names[0]}", *(" " * 20 + line for line in names[1:])]
    parser.epilog = EXAMPLES + "\n".join(lines)
    return type(parser).format_help(parser)


def files_sites(args: argparse.Namespace) -> Files:
    """Name all that is read and written."""
    from lulc_lib.sites import output_paths

    if args.html and args.sheets and args.html.suffix == ".png" and (
            args.html.resolve().parent == args.sheets.resolve()):
        raise InputError(f"--html {args.html}: is called as the sheets in {args.sheets} are; name "
                         "another file")
    return Files((*_maps(args), *(args.scenes or []), *_with_maps(args, "probabilities"),
                  *_with_maps(args, "applicability"), args.registries),
                 {"--output": tuple(output_paths(args.output).values()), "--html": args.html},
                 {"--output": [".gpkg"]}, {"--sheets": args.sheets})


def run_sites(args: argparse.Namespace) -> int:
    """Track, assess and write the sites; return the exit code."""
    import rasterio

    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    from lulc_lib import sites as room

    settings = room.Settings(min_area_ha=args.min_area, tolerance_m=args.tolerance)
    former = _former_sheets(args)
    maps = room.read_maps(_maps(args), args.dates)
    grid = next(iter(maps.values()))
    crs = room.grid_of(grid.rio.crs, grid.rio.transform_bounds(4326), args.grid)
    probabilities = _read_with_maps(args, "probabilities", grid, room.read_probability)
    scenes = _scenes(args.scenes or [], maps)
    registries = room.Registries()
    if args.registries:
        registries = room.read_registries(args.registries, grid.rio.crs, grid.rio.bounds(),
                                          settings.coverage_m)
    outside = _read_with_maps(args, "applicability", grid, room.read_outside)
    progress = False if args.quiet else None
    tracks = room.with_applicability(
        room.track_sites(maps, probabilities, settings, progress), outside)
    sites = room.assess_sites(tracks, registries, settings)
    written = list(room.write_sites(args.output, sites, tracks.observations).values())
    if args.sheets:
        sheets = _write_sheets(args.sheets, sites, tracks, maps, registries, scenes,
                               probabilities, crs, progress)
        for stale in former - sheets:
            stale.unlink(missing_ok=True)
        written.append(args.sheets)
    if args.html:
        written.append(room.write_web_map(
            args.html, sites, registries, images=_images(maps, scenes), sheets=args.sheets,
            grid=crs.to_string(), background=args.background))
    say(_summary(sites, tracks, registries))
    say(f"Quarry probability: read for {len(probabilities)} of {len(maps)} maps" + (
        "" if len(probabilities) == len(maps) else
        "; without it small pits are missed more often (lulc classify --probabilities)"))
    if outside:
        lying = (sites.category == room.NOT_APPLICABLE).sum()
        say(f"Area of applicability: read for {len(outside)} of {len(maps)} maps; {lying} sites "
            "lie outside it and are undetermined")
    say("Written: " + ", ".join(str(p) for p in written))
    return DONE


def _former_sheets(args: argparse.Namespace) -> set[Path]:
    """Find the sheets of an earlier run, which the new ones replace."""
    there = set(args.sheets.glob("site_[0-9][0-9][0-9]*.png")) if args.sheets else set()
    if there and not args.overwrite:
        raise InputError(f"--sheets {args.sheets}: holds {len(there)} sheets already; --overwrite "
                         "replaces them")
    return there


def _images(maps: dict[date, xr.DataArray], scenes: dict[date, xr.DataArray]
            ) -> dict[str, xr.DataArray]:
    """Name what the interactive map shows below the sites: the last scene and class map."""
    from lulc_lib.figures import false_colour

    shown = {f"False colour, {day}": false_colour(scenes[day]) for day in sorted(scenes)[-1:]}
    return shown | {f"Class map, {day}": maps[day] for day in sorted(maps)[-1:]}


def _maps(args: argparse.Namespace) -> list[Path]:
    """Leave out what lies beside another map: ``map_2*.tif`` takes these files in as well."""
    from lulc_lib.data.geotiff import raster_beside

    beside = {raster_beside(p, what) for p in args.maps
              for what in ("probabilities", "entropy", "applicability")}
    return [p for p in args.maps if p not in beside]


def _with_maps(args: argparse.Namespace, what: str) -> list[Path]:
    """Name the files that go with the maps: those given, or those beside each."""
    from lulc_lib.data.geotiff import raster_beside

    return getattr(args, what) or [raster_beside(p, what) for p in _maps(args)]


def _read_with_maps(args: argparse.Namespace, what: str, grid: xr.DataArray,
                    read: Callable[[Path, xr.DataArray], xr.DataArray]
                    ) -> dict[date, xr.DataArray]:
    """Read what goes with each map, in the order in which they were given, where it is there."""
    from lulc_lib.sites import map_dates

    given, maps, paths = getattr(args, what), _maps(args), _with_maps(args, what)
    if len(paths) != len(maps):
        raise InputError(f"{len(paths)} {what} files and {len(maps)} maps were given; "
                         "there must be one for each map, in the same order")
    return {d: read(p, grid) for d, p in zip(map_dates(maps, args.dates), paths, strict=True)
            if given or p.exists()}


def _scenes(paths: list[Path], maps: dict[date, xr.DataArray]) -> dict[date, xr.DataArray]:
    """Read scenes by date, in the maps' CRS."""
    from lulc_lib.data.scenes import read_scene
    from lulc_lib.sites import map_dates

    crs = next(iter(maps.values())).rio.crs
    scenes = {}
    for path, day in zip(paths, map_dates(paths), strict=True):
        if day not in maps:
            raise InputError(f"scene {path.name} is of {day}; no map is of that date")
        scene = read_scene(path)
        scenes[day] = scene if scene.rio.crs == crs else scene.rio.reproject(crs)
    return scenes


def _write_sheets(folder: Path, sites: gpd.GeoDataFrame, tracks: Tracks,
                  maps: dict[date, xr.DataArray], registries: Registries,
                  scenes: dict[date, xr.DataArray], probabilities: dict[date, xr.DataArray],
                  grid: CRS, progress: bool | None) -> set[Path]:
    """Write an evidence sheet for every site that an inspector should look at; their paths."""
    from lulc_lib.figures import write_figure
    from lulc_lib.figures.sites import evidence_sheet
    from lulc_lib.sites import CANDIDATE, CATEGORIES, UNDETERMINED, places, sheet_name

    folder.mkdir(parents=True, exist_ok=True)
    chosen = sites[sites.status.isin([CANDIDATE, UNDETERMINED])]
    where = dict(zip(chosen.index, places(chosen.geometry, grid), strict=True))
    observations = dict(list(tracks.observations.groupby("site_id")))
    written = set()
    with Progress(len(chosen), "sheets", "sheet", progress) as bar:
        for number, site in chosen.iterrows():
            category = CATEGORIES[site.category]
            fig = evidence_sheet(
                site, observations[number], maps, registries.present, category.colour,
                f"{site.status.capitalize()} site {number}: {category.meaning}",
                f"{'; '.join(where[number])}. A lead for an inspector, not a finding. Sentinel-2 "
                f"class maps of {len(maps)} dates; layers missing: "
                f"{', '.join(registries.missing) or 'none'}.", scenes, probabilities)
            written.add(write_figure(fig, folder / sheet_name(number)).path)
            bar.update(1)
    return written


def _summary(sites: gpd.GeoDataFrame, tracks: Tracks, registries: Registries) -> str:
    """Count the sites, list those that need a look, and repeat the notes on the registries."""
    from lulc_lib.sites import CANDIDATE, STATUSES

    counts = ", ".join(f"{(sites.status == s).sum()} {s}" for s in STATUSES)
    lines = [f"{len(sites)} sites on {len(tracks.dates)} date"
             f"{'s' if len(tracks.dates) > 1 else ''}: {counts}"]
    leads = sites[sites.status == CANDIDATE].sort_values("score", ascending=False)
    for number, site in leads.iterrows():
        lines.append(f"  candidate site {number}: {site.category}, score {site.score:.2f}, "
                     f"{site.area_ha:.1f} ha, seen {site.first_seen} to {site.last_seen}")
    if registries.missing:
        lines.append("Layers not at hand: " + ", ".join(registries.missing)
                     + " (`lulc data --registries MAP.tif` fetches those that have a service)")
    return "\n".join([*lines, *(f"Note: {n}" for n in registries.notes)])
