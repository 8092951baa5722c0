"""Measure how far the candidate sites can be trusted, and which settings follow.

On many synthetic landscapes, whose quarries and their permits are planted, the site rules run on
exact maps and registries that are made worse step by step, and on the maps that the study's model
makes of the landscapes' scenes, which it has never seen, in one pass over each scene. Settings are
compared on the study model's maps. The rates at the settings chosen are then counted on as many
other landscapes, numbered from 40, that played no part in the choice; there also on the class maps
alone, without the model's probabilities, and on the first few with a network trained for a minute
on the landscape's own labels. No planted
quarry is left open when it is given up, so one test leaves the reclaimed ones as they were mapped
last. Precision and recall of the candidates, by category, are summed up over the landscapes; the
intervals come from a bootstrap of whole landscapes (or from Wilson's formula over the sites, where
that is wider).

    python -m experiments.site_rules --seeds 20 --write
    python -m experiments.site_rules --seeds 3 --tests "registry shift" tolerance
    python -m experiments.site_rules --seeds 20 --pairs

--pairs tries the objects' probabilities, the tolerance and the minimum overrun together and prints
the rates of each combination.
With --write the rows go to results/synthetic/site_rules.json, which notebook 07 shows. Landscapes
and what was counted on them are kept in build/site_rules/ (delete it after a change of the rules),
so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from rasterio.features import rasterize

from experiments import degrade
from lulc_lib import legend, paths, results
from lulc_lib.accuracy.uncertainty import wilson
from lulc_lib.data import series
from lulc_lib.data.scenes import pixel_centres, read_scene
from lulc_lib.landscape import VERSION, landscape_ready, permits, write_landscape
from lulc_lib.landscape.layout import class_map, make_layout
from lulc_lib.landscape.plan import STRZEGOM, scenes, stream
from lulc_lib.sites.evaluate import ANY_CANDIDATE, compare_sites
from lulc_lib.sites.registries import Registries, read_registries
from lulc_lib.sites.rules import ABANDONED, CANDIDATE, RECLAIMED, assess_sites
from lulc_lib.sites.settings import Settings
from lulc_lib.sites.tracking import track_sites

TESTS: dict[str, tuple[str, tuple[float, ...]]] = {
    "label noise": ("share of quarry pixels in error", (0, 0.05, 0.1, 0.2, 0.3, 0.4)),
    "erosion": ("pixels lost at every edge", (0, 1, 2, 3, 4)),
    "map shift": ("shift of each map, pixels", (0, 1, 2, 3, 5)),
    "missed": ("share of quarries missed on each date", (0, 0.1, 0.2, 0.3, 0.5)),
    "registry shift": ("shift of every shape in the registries, metres",
                       (0, 10, 20, 30, 50, 70, 100)),
    "minimum mapping unit": ("minimum mapping unit, hectares", (0.1, 0.2, 0.5, 1, 1.5, 2, 3)),
    "least probability": ("least quarry probability of a hidden object",
                          (0.15, 0.2, 0.25, 0.3, 0.4, 0.5)),
    "tolerance": ("tolerance, metres", (0, 5, 10, 15, 20, 25, 30, 40, 50)),
    "minimum overrun": ("minimum overrun, hectares", (0.05, 0.1, 0.2, 0.25, 0.275, 0.3, 0.5, 1)),
    "study model": ("", (0,)),
    "class maps": ("", (0,)),
    "left open": ("", (0,)),
    "own network": ("", (0,)),
}
"""Test to what is varied, and its levels."""

HELD_OUT = ("study model", "class maps", "left open", "own network")
"""Tests at the settings chosen, on landscapes that the choice did not see …"""
FIRST_HELD_OUT = 40
"""… whose numbers start here."""

OBJECTS = ((0.35, 0.6, 1), (0.3, 0.3, 0.75), (0.25, 0.3, 0.5), (0.25, 0.3, 0.75), (0.25, 0.3, 1),
           (0.25, 0.4, 0.75), (0.2, 0.3, 0.75))
"""``low``, ``high`` and ``mapped_share`` of the objects, tried …"""
PAIRS = ((20, 0.4), (25, 0.2), (25, 0.25), (25, 0.275), (25, 0.3), (25, 0.4), (30, 0.25))
"""… together with tolerance, metres, and minimum overrun, hectares."""

SHIFT_M = 20.0
"""Metres, by which the registries are off where the settings of the boundary are compared."""
RIM_M = 30.0
"""Metres around a quarry that is left open in which its last map stays."""
REPLICATES = 2000
BUILD = paths.project_root() / "build" / "site_rules"
OWN = 3
"""Landscapes that get a network of their own."""
NETWORK = {"base_channels": 8, "epochs": 1, "steps_per_epoch": 300, "validation_share": 0.0}
"""Its settings, changed from the default ones: a minute on a CPU core."""


class Landscape(NamedTuple):
    """One seed's exact maps, its registries as they are read, and the planted sites."""

    seed: int
    maps: dict[date, xr.DataArray]
    registries: Registries
    dug_to_the_edge: gpd.GeoDataFrame
    planted: gpd.GeoDataFrame


def make_landscape(seed: int) -> Landscape:
    """Make the landscape of a seed, without rendering its scenes."""
    layout = make_layout(seed, STRZEGOM)
    days = sorted(s.date for s in scenes() if s.site is STRZEGOM)
    maps = {d: on_grid(class_map(layout, d)) for d in days}
    tables = permits.mining_registries(seed, layout)
    tables |= {"corine": permits.corine(layout),
               "osm_quarries": permits.osm_quarries(seed, layout)}
    with tempfile.TemporaryDirectory() as folder:
        for name, table in tables.items():
            table.to_file(Path(folder) / f"{name}.gpkg", layer=name)
        points = permits.monitoring_points(seed, layout)
        points.to_csv(Path(folder) / "monitoring_points.csv", index=False)
        first = maps[days[0]]
        read = read_registries(folder, first.rio.crs, first.rio.bounds(), Settings().coverage_m)
    pits = {f"{permits.PLACE} {p.site_id}": p for p in layout.pits}
    tight = [g if pits[n].category == "overrun" else pits[n].outline.simplify(5)
             for n, g in zip(read.mining_areas["name"], read.mining_areas.geometry, strict=True)]
    edge = read.mining_areas.set_geometry(gpd.GeoSeries(tight, crs=read.mining_areas.crs))
    return Landscape(seed, maps, read, edge, permits.planted_sites(layout))


def on_grid(codes: np.ndarray) -> xr.DataArray:
    """Put (row, col) codes on the site's grid."""
    t = STRZEGOM.transform
    out = xr.DataArray(codes, dims=("y", "x"), coords=pixel_centres(t, codes.shape))
    return out.rio.write_crs(STRZEGOM.epsg).rio.write_transform(t)


def worse_maps(place: Landscape, test: str, level: float) -> dict[date, xr.DataArray]:
    """Add one kind of error to the exact maps."""
    rng = stream(place.seed, "degrade", test)
    codes = [m.values for m in place.maps.values()]
    if test == "label noise":
        worse = degrade.label_noise(codes, level, rng)
    elif test == "erosion":
        worse = [degrade.eroded(c, int(level)) for c in codes]
    elif test == "map shift":
        worse = [degrade.shifted(c, level, rng) for c in codes]
    else:
        worse = [degrade.missed(c, level, rng) for c in codes]
    return {d: on_grid(c) for d, c in zip(place.maps, worse, strict=True)}


def shifted(place: Landscape, metres: float, to_the_edge: bool = False) -> Registries:
    """Move every shape of the registries; ``to_the_edge``: licensed pits fill their area."""
    rng = stream(place.seed, "registers moved")  # part of the seed: another word, other numbers
    areas = place.dug_to_the_edge if to_the_edge else place.registries.mining_areas
    return replace(place.registries, mining_areas=degrade.moved(areas, metres, rng),
                   deposits=degrade.moved(place.registries.deposits, metres, rng))


def runs(place: Landscape, tests: list[str]) -> Iterator[tuple[str, float, pd.DataFrame]]:
    """Run every test at every level, and count (see :func:`compare_sites`)."""
    mapped, likely = model_maps(place.seed, own=False)
    tracks, edge = track_sites(mapped, likely), shifted(place, SHIFT_M, to_the_edge=True)
    exact = track_sites(place.maps)
    for test in tests:
        for level in TESTS[test][1]:
            settings, run = Settings(), (tracks, place.registries)
            if test == "minimum mapping unit":
                settings = Settings(min_area_ha=level)
                run = track_sites(mapped, likely, settings), place.registries
            elif test == "least probability":
                settings = Settings(low=level, high=max(level, settings.high))
                run = track_sites(mapped, likely, settings), edge
            elif test == "tolerance":
                settings, run = Settings(tolerance_m=level), (tracks, edge)
            elif test == "minimum overrun":
                settings, run = Settings(min_overrun_ha=level), (tracks, edge)
            elif test == "registry shift":
                run = exact, shifted(place, level)
            elif test == "left open":
                yield test, level, compare_sites(
                    assess_sites(track_sites(left_open(place, mapped), left_open(place, likely)),
                                 place.registries, settings), abandoned(place.planted))
                continue
            elif test == "own network":
                run = track_sites(*model_maps(place.seed, own=True)), place.registries
            elif test == "class maps":
                run = track_sites(mapped), place.registries
            elif test != "study model":
                run = track_sites(worse_maps(place, test, level)), place.registries
            yield test, level, compare_sites(assess_sites(*run, settings), place.planted)


def left_open(
    place: Landscape, maps: dict[date, xr.DataArray]
) -> dict[date, xr.DataArray]:
    """Leave every reclaimed quarry open, as on the last date it was dug.

    ``maps`` hold classes or probabilities.
    """
    out = {d: m.copy() for d, m in maps.items()}
    pits = place.planted[place.planted.category == RECLAIMED]
    for last_active, outline in zip(pits.last_active, pits.geometry, strict=True):
        inside = rasterize([outline.buffer(RIM_M)], STRZEGOM.shape,
                           transform=STRZEGOM.transform).astype(bool)
        end = date.fromisoformat(last_active)
        last = max(d for d in maps if d <= end)
        for day in maps:
            if day > end:
                out[day].values[inside] = maps[last].values[inside]
    return out


def abandoned(planted: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Change the planted sites as :func:`left_open` changes the maps."""
    there = planted.category == RECLAIMED
    return planted.assign(category=planted.category.mask(there, ABANDONED),
                          status=planted.status.mask(there, CANDIDATE))


def model_maps(seed: int, own: bool
               ) -> tuple[dict[date, xr.DataArray], dict[date, xr.DataArray]]:
    """Map a landscape's scenes by a network trained on its own labels, or by the study's model.

    Returned are the class maps and the quarry's probability.
    """
    from lulc_lib.unet import get_config, load_model, map_of, predict_probabilities, train
    from lulc_lib.unet.checkpoint import study_model

    root = BUILD / f"landscape{seed}"
    if not landscape_ready(root, seed):
        write_landscape(root, seed)
    training = series.training_series("strzegom", root)
    if own:
        config = get_config("default").with_(**NETWORK)
        stored = train(list(training.scenes.values()), list(training.labels.values()), config,
                       seed=seed, progress=False)
    else:
        stored = load_model(study_model())
    test = read_scene(series.scene_path("strzegom", root))
    scenes = training.scenes | {test.attrs["date"]: test}
    every = {date.fromisoformat(d): predict_probabilities(stored.model, s, stored.normalisation)
             for d, s in sorted(scenes.items())}
    return ({d: map_of(p) for d, p in every.items()},
            {d: p.sel({"class": legend.code("quarry")}, drop=True) for d, p in every.items()})


def counted(seed: int, tests: list[str]) -> pd.DataFrame:
    """Count on one landscape, a row per test, level and category; kept on disk."""
    kept = BUILD / f"counts{seed}.csv"
    table = pd.read_csv(kept) if kept.exists() else pd.DataFrame(columns=["test"])
    left = [t for t in tests if t not in set(table.test)]
    if left:
        parts = [counts.rename_axis("category").reset_index().assign(
            seed=seed, test=test, level=level)
            for test, level, counts in runs(make_landscape(seed), left)]
        table = pd.concat([*([table] if len(table) else []), *parts])
        kept.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(kept, index=False)
    return table[table.test.isin(tests)]


def pairs_table(seeds: int) -> pd.DataFrame:
    """Count recall and precision of the candidates on the study model's maps for all settings.

    All of OBJECTS with all of PAIRS, with registries as they are, and off by SHIFT_M with licensed
    pits dug to the edge.
    """
    rows, names = [], ["low", "high", "mapped_share", "tolerance_m", "min_overrun_ha"]
    for seed in range(seeds):
        place = make_landscape(seed)
        mapped, edge = model_maps(seed, own=False), shifted(place, SHIFT_M, True)
        for objects in OBJECTS:
            tracks = track_sites(*mapped, Settings(**dict(zip(names, objects, strict=False))))
            for pair, (case, tables) in product(PAIRS, (("as they are", place.registries),
                                                        ("off", edge))):
                tried = dict(zip(names, (*objects, *pair), strict=True))
                counts = compare_sites(assess_sites(tracks, tables, Settings(**tried)),
                                       place.planted)
                rows.append({**tried, "registries": case, **counts.loc[ANY_CANDIDATE]})
    total = pd.DataFrame(rows).groupby([*names, "registries"]).sum()
    rates = pd.DataFrame({"recall": total.recovered / total.planted,
                          "precision": total.correct / total.reported})
    return rates.unstack("registries")


def summed(counts: pd.DataFrame) -> dict[str, float]:
    """Sum counts of landscapes (one row each) to precision and recall with 95 % intervals.

    An interval is the wider of two: a bootstrap of whole landscapes, and Wilson's over the sites,
    since where nothing failed the first has no width.
    """
    values = counts[["planted", "recovered", "reported", "correct"]].to_numpy(float)
    rng = np.random.default_rng(0)
    draws = values[rng.integers(0, len(values), (REPLICATES, len(values)))].sum(axis=1)
    total = values.sum(axis=0)
    row = dict(zip(("planted", "recovered", "reported", "correct"), total.astype(int), strict=True))
    for name, top, below in (("recall", 1, 0), ("precision", 3, 2)):
        over_sites = wilson(int(total[top]), int(total[below]))
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = draws[:, top] / draws[:, below]
        low, high = np.nanquantile(drawn, (0.025, 0.975)) if total[below] else (np.nan, np.nan)
        row |= {name: over_sites.estimate, f"{name}_low": min(low, over_sites.low),
                f"{name}_high": max(high, over_sites.high)}
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}


def main() -> None:
    """Run the tests, print precision and recall of the candidates, and keep them if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, choices=range(1, FIRST_HELD_OUT + 1),
                        metavar="N", help="landscapes to compare on; as many others to count on")
    parser.add_argument("--pairs", action="store_true", help="try settings together, and stop")
    parser.add_argument("--tests", nargs="+", default=list(TESTS), choices=list(TESTS))
    parser.add_argument("--write", action="store_true", help="keep the rows as results")
    args = parser.parse_args()
    parts = []
    if args.pairs:
        print(pairs_table(args.seeds).round(3).to_string())
        return
    first = FIRST_HELD_OUT
    for seed in (*range(args.seeds), *range(first, first + args.seeds)):
        tests = [t for t in args.tests if (t in HELD_OUT) == (seed >= first)
                 and (t != "own network" or seed < first + OWN)]
        if tests:
            parts.append(counted(seed, tests))
            print(f"landscape {seed}", flush=True)
    whole = pd.concat(parts).set_index(["test", "level", "category", "seed"]).sort_index()
    rows = [{"test": t, "level": v, "category": c, **summed(part)}
            for (t, v, c), part in whole.groupby(level=[0, 1, 2], sort=False)]
    shown = pd.DataFrame(rows).query("category == 'any candidate'")
    print(shown.drop(columns="category").to_string(index=False))
    if args.write:
        values = {"seeds": args.seeds, "landscape_version": VERSION,
                  "shift_m": SHIFT_M, "own_networks": OWN, "network": NETWORK, "rows": rows,
                  "settings": Settings().__dict__,
                  "axes": {t: name for t, (name, _) in TESTS.items()}}
        results.write_results("synthetic", "site_rules", values, [], paths.project_root())


if __name__ == "__main__":
    main()
