"""``lulc sites``: class maps and registers to candidate sites with reasons."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lulc_lib.cli.common import DONE, Subparsers
from lulc_lib.sites.settings import Settings

if TYPE_CHECKING:
    import geopandas as gpd
    import xarray as xr

    from lulc_lib.sites.registries import Registries
    from lulc_lib.sites.tracking import Tracks

DESCRIPTION = """\
Find quarries in class maps, follow them through the dates, and hold them against the registers.

MAP is a class map (GeoTIFF of legend codes, as `lulc classify` writes); give one for each date. A
site is open rock that was seen on at least two clear dates (on one, if there is only one map).
DIR holds any of deposits, mining_areas, mining_terrains, corine, osm_quarries and
monitoring_points (.gpkg, .geojson or .shp; points also .csv with x, y or lon, lat), with the
services' own field names. A mining area counts only while it is valid on a map's date.

Every result is a lead for an inspector, never a finding: a status (licensed, candidate,
undetermined, other), a category, a score and the reasons in words. A layer that is missing makes a
site undetermined, never a candidate."""

EXAMPLES = """\
examples:
  lulc sites map_20220619.tif map_20230709.tif --registries registries -o sites.gpkg
  lulc sites a.tif b.tif --dates 2022-06-19 2023-07-09 -o sites.gpkg
  lulc sites map_2*.tif --scenes scene_2*.tif --registries registries -o sites.gpkg \\
      --sheets sheets --html sites.html

Beside OUT.gpkg (layers sites and observations, with QGIS style) the sites are written as .geojson
(degrees), .csv and .qml."""


def add_sites(commands: Subparsers) -> None:
    """``lulc sites``: candidate sites from class maps."""
    parser = commands.add_parser(
        "sites", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="hold the quarries of class maps against the registers",
        description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("maps", type=Path, nargs="+", metavar="MAP", help="class map of one date")
    parser.add_argument("--registries", type=Path, metavar="DIR",
                        help="folder of register layers (without it every site is undetermined)")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.gpkg", required=True,
                        help="GeoPackage to write; .geojson, .csv and .qml go beside it")
    parser.add_argument("--dates", nargs="+", metavar="DATE",
                        help="acquisition date of each map (default: YYYYMMDD in the file names)")
    parser.add_argument("--probabilities", type=Path, nargs="+", metavar="FILE",
                        help="what `lulc classify --probabilities` wrote, one for each map: "
                        "objects are then found by probability")
    parser.add_argument("--scenes", type=Path, nargs="+", metavar="FILE",
                        help="the scenes of the maps, for the sheets; matched by date")
    parser.add_argument("--sheets", type=Path, metavar="FOLDER",
                        help="write an evidence sheet (.png) of every candidate and undetermined "
                        "site")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write an interactive map")
    parser.add_argument("--min-area", type=float, metavar="HA", default=Settings.min_area_ha,
                        help="least size of a site, hectares (default: %(default)s)")
    parser.add_argument("--tolerance", type=float, metavar="M", default=Settings.tolerance_m,
                        help="by how much boundaries of registers and maps may differ, metres "
                        "(default: %(default)s)")
    parser.set_defaults(run=run_sites)


def run_sites(args: argparse.Namespace) -> int:
    """Find, judge and write the sites; the exit code."""
    from lulc_lib.sites.maps import read_maps
    from lulc_lib.sites.output import check_output, write_sites
    from lulc_lib.sites.reasons import judge_sites
    from lulc_lib.sites.tracking import track_sites

    settings = Settings(min_area_ha=args.min_area, tolerance_m=args.tolerance)
    check_output(args.output, [*args.maps, *(args.scenes or []), *(args.probabilities or [])])
    _check_places(args.html, args.sheets)
    maps = read_maps(args.maps, args.dates)
    chances = _probabilities(args, maps)
    scenes = _scenes(args, maps)
    registries = _registries(args.registries, maps, settings)
    tracks = track_sites(maps, chances, settings)
    sites = judge_sites(tracks, registries, settings)
    made = list(write_sites(args.output, sites, tracks.observations).values())
    if args.sheets:
        made.append(_sheets(args.sheets, sites, tracks, maps, registries, scenes, chances))
    if args.html:
        from lulc_lib.sites.web_map import write_web_map

        made.append(write_web_map(args.html, sites, registries))
    print(_summary(sites, tracks, registries))
    print("Written: " + ", ".join(str(p) for p in made))
    return DONE


def _check_places(html: Path | None, sheets: Path | None) -> None:
    from lulc_lib.errors import InputError

    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise InputError(f"--html {html}: name a file in a folder that is there")
    if sheets is not None and any(p.exists() and not p.is_dir() for p in (sheets, *sheets.parents)):
        raise InputError(f"--sheets {sheets}: is no folder; name one for the sheets")


def _probabilities(
    args: argparse.Namespace, maps: dict[date, xr.DataArray]
) -> dict[date, xr.DataArray]:
    """Quarry probability of each map, in the order in which the maps were given."""
    from lulc_lib.errors import InputError
    from lulc_lib.sites.maps import map_dates, read_probability

    if not args.probabilities:
        return {}
    if len(args.probabilities) != len(args.maps):
        raise InputError(f"{len(args.probabilities)} probability files and {len(args.maps)} maps "
                         "were given; there must be one for each map, in the same order")
    grid = next(iter(maps.values()))
    days = map_dates(args.maps, args.dates)
    return {d: read_probability(p, grid) for d, p in zip(days, args.probabilities, strict=True)}


def _scenes(
    args: argparse.Namespace, maps: dict[date, xr.DataArray]
) -> dict[date, xr.DataArray]:
    """Scenes by date, in the maps' CRS."""
    from lulc_lib.data.scenes import read_scene
    from lulc_lib.errors import InputError
    from lulc_lib.sites.maps import map_dates

    crs = next(iter(maps.values())).rio.crs
    scenes = {}
    for path, day in zip(args.scenes or [], map_dates(args.scenes or [], None), strict=True):
        if day not in maps:
            raise InputError(f"scene {path.name} is of {day}; no map is of that date")
        scene = read_scene(path)
        scenes[day] = scene if scene.rio.crs == crs else scene.rio.reproject(crs)
    return scenes


def _registries(
    folder: Path | None, maps: dict[date, xr.DataArray], settings: Settings
) -> Registries:
    from lulc_lib.sites.evidence import no_registries, registries_for

    grid = next(iter(maps.values()))
    if folder is None:
        return no_registries()
    return registries_for(folder, grid.rio.crs, grid.rio.bounds(), settings)


def _sheets(
    folder: Path, sites: gpd.GeoDataFrame, tracks: Tracks, maps: dict[date, xr.DataArray],
    registries: Registries, scenes: dict[date, xr.DataArray], chances: dict[date, xr.DataArray],
) -> Path:
    """An evidence sheet for every site that an inspector should look at; the folder."""
    from lulc_lib.figures.site_sheet import evidence_sheet
    from lulc_lib.figures.style import write_figure
    from lulc_lib.sites.evidence import present_layers
    from lulc_lib.sites.rules import CANDIDATE, CATEGORIES, UNDETERMINED

    folder.mkdir(parents=True, exist_ok=True)
    for number, site in sites[sites.status.isin([CANDIDATE, UNDETERMINED])].iterrows():
        category = CATEGORIES[site.category]
        seen = tracks.observations[tracks.observations.site_id == number]
        fig = evidence_sheet(
            site, seen, maps, present_layers(registries), category.colour,
            f"{site.status.capitalize()} site {number}: {category.meaning}",
            "A lead for an inspector, not a finding. Sentinel-2 class maps of "
            f"{len(maps)} dates; layers missing: {', '.join(registries.missing) or 'none'}.",
            scenes, chances)
        write_figure(fig, folder / f"site_{number:03d}.png")
    return folder


def _summary(sites: gpd.GeoDataFrame, tracks: Tracks, registries: Registries) -> str:
    """Counts, a line per site that needs a look, and what was noted about the registers."""
    from lulc_lib.sites.rules import CANDIDATE, STATUSES

    counts = ", ".join(f"{(sites.status == s).sum()} {s}" for s in STATUSES)
    lines = [f"{len(sites)} sites on {len(tracks.dates)} date"
             f"{'s' if len(tracks.dates) > 1 else ''}: {counts}"]
    for number, site in sites[sites.status == CANDIDATE].sort_values(
            "score", ascending=False).iterrows():
        lines.append(f"  candidate site {number}: {site.category}, score {site.score:.2f}, "
                     f"{site.area_ha:.1f} ha, seen {site.first_seen} to {site.last_seen}")
    if registries.missing:
        lines.append("Layers not at hand: " + ", ".join(registries.missing)
                     + " (`lulc data --registries MAP.tif` fetches those that have a service)")
    return "\n".join([*lines, *(f"Note: {n}" for n in registries.notes)])
