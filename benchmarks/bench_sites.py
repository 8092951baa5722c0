"""``lulc sites`` on a whole tile: seconds and memory, against an earlier build in the same run.

    python benchmarks/bench_sites.py [--edge 10980] [--dates 7] [--pits 3000] [--build c53bcd7]
    python benchmarks/bench_sites.py --objects 20000   # only the many small pits, with --html

The maps are synthetic landscapes (thirteen pits on 401 × 401 pixels) laid side by side, with a
share of wrong pixels as a network makes them; where there are pits enough the landscapes lose
theirs. The registries are theirs. The earlier build's memory grows with pixels × dates, so the two
builds are compared on a quarter of the tile with a quarter of the pits.

A second case is many small pits that grow, a street apart, each with or without a permit and a
deposit: what a country's map would hold, drawn as an interactive map as well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from bench_classify import BUILD, earlier_build
from rasterio.windows import Window
from record import ROOT, record

from lulc_lib import legend
from lulc_lib.landscape import STRZEGOM, class_map, make_layout, permits, scenes

SEEDS = range(40, 48)
STREET = 24
"""Pixels from one small pit to the next."""
WRONG = 0.002
"""Share of the pixels that get a class at random."""


def write_case(folder: Path, edge: int, dates: int, pits: int) -> list[Path]:
    """Write maps of ``edge`` × ``edge`` pixels and a folder ``registries``; the maps' paths."""
    layouts = {seed: make_layout(seed, STRZEGOM) for seed in SEEDS}
    cells = -(-edge // STRZEGOM.shape[0])
    places = [(row, col) for row in range(cells) for col in range(cells)]
    wanted = min(-(-pits // len(layouts[SEEDS[0]].pits)), len(places))
    dug = {places[k] for k in np.linspace(0, len(places) - 1, wanted).round().astype(int)}
    seed_of = {place: SEEDS[k % len(SEEDS)] for k, place in enumerate(places)}
    _write_registries(folder / "registries", layouts, {p: seed_of[p] for p in sorted(dug)})
    days = sorted({s.date for s in scenes() if s.site is STRZEGOM})[-dates:]
    return [_write_map(folder / f"map_{day:%Y%m%d}.tif", day, edge, layouts, seed_of, dug)
            for day in days]


def _write_map(path: Path, day: date, edge: int, layouts: dict, seed_of: dict, dug: set) -> Path:
    size = STRZEGOM.shape[0]
    codes = {seed: class_map(layout, day) for seed, layout in layouts.items()}
    plain = {seed: np.where(c == legend.code("quarry"), legend.code("crops_growing"), c)
             for seed, c in codes.items()}
    rng = np.random.default_rng(day.toordinal())
    with rasterio.open(path, "w", driver="GTiff", dtype="uint8", count=1, height=edge, width=edge,
                       crs=f"EPSG:{STRZEGOM.epsg}", transform=STRZEGOM.transform, nodata=0,
                       tiled=True, blockxsize=512, blockysize=512, compress="DEFLATE", zlevel=1
                       ) as out:
        for row in range(-(-edge // size)):
            strip = np.concatenate([(codes if (row, col) in dug else plain)[seed_of[row, col]]
                                    for col in range(-(-edge // size))], axis=1)
            strip = strip[:edge - row * size, :edge]
            wrong = rng.random(strip.shape, np.float32) < WRONG
            strip[wrong] = rng.choice(legend.CODES, wrong.sum())
            out.write(strip, 1, window=Window(0, row * size, edge, strip.shape[0]))
    return path


def _write_registries(folder: Path, layouts: dict, places: dict) -> None:
    folder.mkdir()
    of_seed = {}
    for seed, layout in layouts.items():
        tables = permits.mining_registries(seed, layout)
        tables |= {"corine": permits.corine(layout),
                   "osm_quarries": permits.osm_quarries(seed, layout)}
        points = permits.monitoring_points(seed, layout)
        tables["monitoring_points"] = gpd.GeoDataFrame(
            points, geometry=gpd.points_from_xy(points.x, points.y), crs=STRZEGOM.epsg)
        of_seed[seed] = {n: t.to_crs(STRZEGOM.epsg) for n, t in tables.items()}
    step = STRZEGOM.shape[0] * STRZEGOM.transform.a
    for name in of_seed[SEEDS[0]]:
        parts = []
        for (row, col), seed in places.items():
            part = of_seed[seed][name]
            parts.append(part.set_geometry(part.translate(col * step, -row * step)))
        pd.concat(parts, ignore_index=True).to_file(folder / f"{name}.gpkg", layer=name)


def write_many(folder: Path, objects: int, dates: int) -> list[Path]:
    """Write maps with so many small pits that grow, and their registries; the maps' paths."""
    rng, side = np.random.default_rng(1), int(np.ceil(objects**0.5))
    corners = np.stack(np.divmod(np.arange(objects), side), axis=1) * STREET + 4
    sizes = rng.integers(5, 9, (objects, 2))
    days = [date(2019, 6, 1) + timedelta(days=150 * k) for k in range(dates)]
    paths = [folder / f"map_{day:%Y%m%d}.tif" for day in days]
    for path in paths:
        codes = np.full((side * STREET, side * STREET), legend.code("crops_growing"), np.uint8)
        for (row, col), (high, wide) in zip(corners, sizes, strict=True):
            codes[row:row + high, col:col + wide] = legend.code("quarry")
        with rasterio.open(path, "w", driver="GTiff", dtype="uint8", count=1, nodata=0,
                           height=len(codes), width=len(codes), crs=f"EPSG:{STRZEGOM.epsg}",
                           transform=STRZEGOM.transform, tiled=True, compress="DEFLATE") as out:
            out.write(codes, 1)
        sizes = sizes + (rng.random((objects, 2)) < 0.5)
    x, y = STRZEGOM.transform @ (corners[:, ::-1].T + 0.0)
    boxes = shapely.box(x - 30, y - 130, x + 130, y + 30)
    (folder / "registries").mkdir()
    for name, share in (("mining_areas", 0.6), ("deposits", 0.7)):
        there = rng.random(objects) < share
        gpd.GeoDataFrame(
            {"NAZWA": [f"{name} {k}" for k in np.flatnonzero(there)]}, geometry=boxes[there],
            crs=STRZEGOM.epsg).to_file(folder / "registries" / f"{name}.gpkg")
    return paths


def measure(build: Path, maps: list[Path], folder: Path, output: Path,
            *more: str) -> dict[str, float]:
    """Run ``lulc sites`` of a build; CPU and wall seconds, and the highest resident memory, MB."""
    output.unlink(missing_ok=True)
    words = [sys.executable, "-m", "lulc_lib", "sites", *map(str, maps),
             "--registries", str(folder / "registries"), "-o", str(output), *more]
    if build == ROOT:
        words.append("--overwrite")
    start = time.perf_counter()
    process = subprocess.Popen(words, cwd=output.parent, stdout=subprocess.DEVNULL,
                               env={**os.environ, "PYTHONPATH": str(build)})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"lulc sites of {build} failed")
    return {"cpu_s": usage.ru_utime + usage.ru_stime, "wall_s": time.perf_counter() - start,
            "peak_mb": usage.ru_maxrss / 1024}


def main() -> None:
    """Write the case, run the builds, and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, default=10_980, help="rows and columns of the maps")
    parser.add_argument("--dates", type=int, default=7)
    parser.add_argument("--pits", type=int, default=3000)
    parser.add_argument("--build", default=BUILD, help="the earlier build's commit")
    parser.add_argument("--objects", type=int, help="measure only as many small pits")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if not args.objects:
            whole_tile(Path(scratch), args)
        many(Path(scratch) / "many", args.objects or 20_000, args.dates)


def many(folder: Path, objects: int, dates: int) -> None:
    """Measure many small pits, with an interactive map."""
    folder.mkdir()
    maps = write_many(folder, objects, dates)
    now = measure(ROOT, maps, folder, folder / "sites.gpkg", "--html", str(folder / "sites.html"))
    found = len(gpd.read_file(folder / "sites.gpkg", layer="sites"))
    record("sites_many", {"sites": found, "dates": dates, **now,
                          "html_mb": (folder / "sites.html").stat().st_size / 1e6})


def whole_tile(folder: Path, args: argparse.Namespace) -> None:
    """Measure a whole tile, and a quarter of it against the earlier build."""
    whole, quarter = folder / "whole", folder / "quarter"
    for case in (whole, quarter):
        case.mkdir()
    maps = write_case(whole, args.edge, args.dates, args.pits)
    now = measure(ROOT, maps, whole, folder / "sites.gpkg")
    maps = write_case(quarter, args.edge // 2, args.dates, args.pits // 4)
    builds = {"now": ROOT, "earlier": earlier_build(args.build, folder / "earlier")}
    both = {name: measure(build, maps, quarter, folder / f"{name}.gpkg")
            for name, build in builds.items()}
    pits = len(gpd.read_file(folder / "sites.gpkg", layer="sites"))
    record("sites", {
        "megapixels": args.edge**2 / 1e6, "dates": args.dates, "sites": pits, **now,
        "quarter": {"build": args.build, **both},
        "ratio": both["earlier"]["cpu_s"] / both["now"]["cpu_s"]})


if __name__ == "__main__":
    main()
