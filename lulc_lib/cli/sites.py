"""``lulc sites``: class maps and registries to candidate sites with reasons."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lulc_lib.cli.common import DONE, Files, Subparsers, say
from lulc_lib.errors import InputError

if TYPE_CHECKING:
    import geopandas as gpd
    import xarray as xr

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
site undetermined, never a candidate; so does lying mostly outside the maps' area of applicability
(MAP_applicability.tif beside a map, from `lulc classify --applicability`, is read if it is there).
"""

EXAMPLES = """\
examples:
  lulc sites map_20220619.tif map_20230709.tif --registries registries -o sites.gpkg
  lulc sites a.tif b.tif --dates 2022-06-19 2023-07-09 -o sites.gpkg
  lulc sites map_2*.tif --scenes scene_2*.tif --registries registries -o sites.gpkg \\
      --sheets sheets --html sites.html

Beside OUT.gpkg (layers sites and observations, with QGIS style) the sites are written as .geojson
(degrees), .csv and .qml."""


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
                        "objects are then formed by probability")
    parser.add_argument("--applicability", type=Path, nargs="+", metavar="FILE",
                        help="what `lulc classify --applicability` wrote, one for each map "
                        "(default: MAP_applicability.tif beside each map, where there is one)")
    parser.add_argument("--scenes", type=Path, nargs="+", metavar="FILE",
                        help="the scenes of the maps, for the sheets; matched by date")
    parser.add_argument("--sheets", type=Path, metavar="FOLDER",
                        help="write an evidence sheet (.png) of every candidate and undetermined "
                        "site")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write an interactive map")
    parser.add_argument("--min-area", type=float, metavar="HA", default=Settings.min_area_ha,
                        help="minimum mapping unit: the smallest site, hectares (default: "
                        "%(default)s)")
    parser.add_argument("--tolerance", type=float, metavar="M", default=Settings.tolerance_m,
                        help="by how much boundaries of registries and maps may differ, metres "
                        "(default: %(default)s)")
    parser.set_defaults(run=run_sites, files=files_sites)


def files_sites(args: argparse.Namespace) -> Files:
    """Name all that is read and written."""
    from lulc_lib.data.geotiff import applicability_beside
    from lulc_lib.sites import output_paths

    outside = args.applicability or map(applicability_beside, args.maps)
    return Files((*args.maps, *(args.scenes or []), *(args.probabilities or []), *outside,
                  args.registries),
                 {"--output": tuple(output_paths(args.output).values()), "--html": args.html},
                 {"--output": [".gpkg"]}, {"--sheets": args.sheets})


def run_sites(args: argparse.Namespace) -> int:
    """Track, assess and write the sites; return the exit code."""
    from lulc_lib import sites as room

    settings = room.Settings(min_area_ha=args.min_area, tolerance_m=args.tolerance)
    maps = room.read_maps(args.maps, args.dates)
    grid = next(iter(maps.values()))
    probabilities, scenes = _probabilities(args, grid), _scenes(args.scenes or [], maps)
    registries = room.Registries()
    if args.registries:
        registries = room.read_registries(args.registries, grid.rio.crs, grid.rio.bounds(),
                                          settings.coverage_m)
    outside = _outside(args, grid)
    tracks = room.with_applicability(room.track_sites(maps, probabilities, settings), outside)
    sites = room.assess_sites(tracks, registries, settings)
    written = list(room.write_sites(args.output, sites, tracks.observations).values())
    if args.sheets:
        _write_sheets(args.sheets, sites, tracks, maps, registries, scenes, probabilities)
        written.append(args.sheets)
    if args.html:
        written.append(room.write_web_map(args.html, sites, registries))
    say(_summary(sites, tracks, registries))
    if outside:
        lying = (sites.category == room.NOT_APPLICABLE).sum()
        say(f"Area of applicability: read for {len(outside)} of {len(maps)} maps; {lying} sites "
              "lie outside it and are undetermined")
    say("Written: " + ", ".join(str(p) for p in written))
    return DONE


def _probabilities(args: argparse.Namespace, grid: xr.DataArray) -> dict[date, xr.DataArray]:
    """Read the quarry probability of each map, in the order in which the maps were given."""
    from lulc_lib.sites import map_dates, read_probability

    paths = args.probabilities or []
    _check_count("probability", paths, args.maps)
    days = map_dates(args.maps, args.dates)
    return {d: read_probability(p, grid) for d, p in zip(days, paths, strict=False)}


def _outside(args: argparse.Namespace, grid: xr.DataArray) -> dict[date, xr.DataArray]:
    """Read what lies outside the area of applicability: the files given, or those beside maps."""
    from lulc_lib.data.geotiff import applicability_beside
    from lulc_lib.sites import map_dates, read_outside

    given = args.applicability or []
    _check_count("applicability", given, args.maps)
    paths = given or [applicability_beside(p) for p in args.maps]
    days = map_dates(args.maps, args.dates)
    return {d: read_outside(p, grid) for d, p in zip(days, paths, strict=True)
            if given or p.exists()}


def _check_count(what: str, paths: list[Path], maps: list[Path]) -> None:
    if paths and len(paths) != len(maps):
        raise InputError(f"{len(paths)} {what} files and {len(maps)} maps were given; there must "
                         "be one for each map, in the same order")


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


def _write_sheets(
    folder: Path, sites: gpd.GeoDataFrame, tracks: Tracks, maps: dict[date, xr.DataArray],
    registries: Registries, scenes: dict[date, xr.DataArray],
    probabilities: dict[date, xr.DataArray],
) -> None:
    """Write an evidence sheet for every site that an inspector should look at."""
    from lulc_lib.figures import write_figure
    from lulc_lib.figures.sites import evidence_sheet
    from lulc_lib.sites import CANDIDATE, CATEGORIES, UNDETERMINED

    folder.mkdir(parents=True, exist_ok=True)
    for number, site in sites[sites.status.isin([CANDIDATE, UNDETERMINED])].iterrows():
        category = CATEGORIES[site.category]
        seen = tracks.observations[tracks.observations.site_id == number]
        fig = evidence_sheet(
            site, seen, maps, registries.present, category.colour,
            f"{site.status.capitalize()} site {number}: {category.meaning}",
            "A lead for an inspector, not a finding. Sentinel-2 class maps of "
            f"{len(maps)} dates; layers missing: {', '.join(registries.missing) or 'none'}.",
            scenes, probabilities)
        write_figure(fig, folder / f"site_{number:03d}.png")


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
