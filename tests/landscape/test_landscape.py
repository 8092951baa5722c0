"""The synthetic landscape: same layout as the published data, reproducible, worth training on."""

from __future__ import annotations

import json
import os
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from scipy import ndimage
from shapely.geometry import Point

from lulc_lib import legend
from lulc_lib.data.scenes import BANDS, BANDS_10M
from lulc_lib.io import sha256
from lulc_lib.landscape import landscape_ready, permits, write, write_landscape
from lulc_lib.landscape.layout import make_layout
from lulc_lib.landscape.plan import STRZEGOM, scenes
from lulc_lib.landscape.render import measured, spectrum

SEED = 3
TEST_SCENE = next(s for s in scenes() if s.stem == "strzegom_20230709_33u")
CATEGORIES = ("licensed", "overrun", "in_deposit_unlicensed", "outside_deposit", "reclaimed")


@pytest.fixture(scope="module")
def folder(landscape):
    return landscape


@pytest.fixture(scope="module")
def sites(folder):
    return gpd.read_file(folder / "truth/sites.gpkg")


def read(path):
    with rasterio.open(path) as src:
        return src.read()


def truth_of(folder, stem):
    return read(folder / f"truth/{stem}.tif")[0]


def register(folder, name, crs):
    return gpd.read_file(folder / f"registries/{name}.gpkg").to_crs(crs)


def test_ready_says_when_complete(folder):
    assert landscape_ready(folder, SEED)
    assert not landscape_ready(folder, SEED + 1)
    assert not landscape_ready(folder / "nowhere", SEED)
    files = json.loads((folder / "landscape.json").read_text())["files"]
    assert all(sha256(folder / name) == checksum for name, checksum in files.items())
    hidden = folder / next(iter(files))
    hidden.rename(folder / "away")
    assert not landscape_ready(folder, SEED)
    (folder / "away").rename(hidden)
    assert not list(folder.parent.glob(".synthetic*"))


def test_what_is_ready_is_not_written_again(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(write, "write_landscape", lambda folder, progress: written.append(folder))
    write.ensure_landscape(tmp_path)
    monkeypatch.setattr(write, "landscape_ready", lambda folder: True)
    write.ensure_landscape(tmp_path)
    assert written == [tmp_path]


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="not a synthetic landscape"):
        write_landscape(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_landscape_that_was_worked_in_is_kept_when_it_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_fill", lambda folder, seed, bar: (folder / "a.tif").touch())
    folder = write_landscape(tmp_path / "made")
    write_landscape(folder)
    assert [p.name for p in tmp_path.iterdir()] == ["made"]
    (folder / "notes.txt").write_text("mine")
    write_landscape(folder)
    write_landscape(folder)
    assert (tmp_path / "made.kept1" / "notes.txt").read_text() == "mine"
    (folder / "a.tif").write_text("an older file of mine, with its time")
    os.utime(folder / "a.tif", (1e9, 1e9))
    write_landscape(folder)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made", "made.kept1", "made.kept2"]
    (folder / "landscape.json").write_text('{"files": ["a.tif"]}')  # of another version
    write_landscape(folder)
    assert (tmp_path / "made.kept3").is_dir()


def test_same_seed_same_bytes(folder, tmp_path):
    for name in ("img_train", "truth", "test_mask", "accuracy_analysis", "points"):
        (tmp_path / name).mkdir()
    write._scene(tmp_path, SEED, make_layout(SEED, STRZEGOM), TEST_SCENE)
    again = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(again) == 8
    for path in again:
        assert path.read_bytes() == (folder / path.relative_to(tmp_path)).read_bytes(), path.name
    other = make_layout(SEED + 1, STRZEGOM)
    assert (other.parcel != make_layout(SEED, STRZEGOM).parcel).any()


@pytest.mark.parametrize("scene", scenes(), ids=lambda s: s.stem)
def test_scene_files(folder, scene):
    site = scene.site
    with rasterio.open(folder / f"img_train/{scene.stem}.tif") as src:
        assert src.descriptions == BANDS
        assert set(src.dtypes) == {"uint16"}
        assert (src.shape, src.crs.to_epsg()) == (site.shape, site.epsg)
        assert src.transform == site.transform
        dn = src.read()
    with rasterio.open(folder / scene.labels_path) as src:
        assert (src.dtypes, src.nodata) == (("float32",), legend.NO_DATA)
        assert src.transform == site.transform
        mask = legend.check_codes(src.read(1), "mask")
    truth = truth_of(folder, scene.stem)
    assert truth.dtype == np.uint8 and (truth != legend.NO_DATA).all()
    labelled = mask != legend.NO_DATA
    assert 0.03 < labelled.mean() < 0.35
    assert (mask[labelled] == truth[labelled]).all()
    absent = "grassland" if site.quarries else "quarry"
    assert not (mask == legend.code(absent)).any()
    assert (truth == legend.code("quarry")).any() == site.quarries
    first_percentile = np.percentile(dn[0][dn[0] > 0], 1)
    assert (first_percentile > 1000) == (scene.date >= date(2022, 1, 25))


def test_zero_strips(folder):
    dn = read(folder / f"img_train/{TEST_SCENE.stem}.tif")
    for band, name in zip(dn, BANDS, strict=True):
        expected = np.zeros(band.shape, bool)
        if name in BANDS_10M:
            expected[-1, :] = expected[:, 0] = True
        else:
            expected[:2, :] = expected[:, -1] = True
        assert ((band == 0) == expected).all(), name


def test_reference_polygons(folder):
    strzegom = gpd.read_file(folder / "test_mask/strzegom_ref.gpkg")
    kolbuszowa = gpd.read_file(folder / "test_mask/kolbuszowa_ref.gpkg")
    assert {"name", "label"} <= set(strzegom) and "DN" in kolbuszowa
    assert 170 <= len(strzegom) <= 210 and 190 <= len(kolbuszowa) <= 230
    assert set(strzegom.geom_type) == set(kolbuszowa.geom_type) == {"MultiPolygon"}
    assert set(strzegom["label"]) == set(legend.CODES) - {legend.code("grassland")}
    assert set(kolbuszowa["DN"]) == set(legend.CODES) - {legend.code("quarry")}


@pytest.mark.parametrize(("image", "reference", "table"), [
    ("strzegom_20230709_33u", "strzegom_20230709_33u", "strzegom_20230709"),
    ("kolbuszowa_20210725_34u", "kolbuszowa_20210725_ref", "kolbuszowa_20210725")])
def test_stand_in_map(folder, image, reference, table):
    mapped = read(folder / f"accuracy_analysis/{image}_class.tif")[0]
    judged = read(folder / f"test_mask/{reference}.tif")[0].astype(np.uint8)
    at = judged != legend.NO_DATA
    assert mapped.dtype == np.uint8
    assert 0.91 < (mapped[at] == judged[at]).mean() < 0.965
    path = folder / f"accuracy_analysis/Confusion_matrix_{table}.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbfclass\\ref,1,2,3")
    counts = pd.read_csv(path, index_col=0, encoding="utf-8-sig")
    for row in counts.index:
        for column in counts.columns:
            n = ((mapped == row) & (judged == int(column))).sum()
            assert counts.loc[row, column] == n
    road = judged == legend.code("road")
    assert (mapped[road] == legend.code("road")).mean() < 0.8


def test_points(folder):
    train = pd.read_csv(folder / "points/train_675.csv")
    test = pd.read_csv(folder / "points/test_280.csv")
    assert (len(train), len(test)) == (675, 280)
    assert list(train) == list(test) == ["x", "y", "class"]
    supports = dict(zip((c for c in legend.CODES if c != legend.code("grassland")),
                        (10, 35, 70, 70, 5, 20, 20, 30, 20), strict=True))
    assert test["class"].value_counts().to_dict() == supports
    both = pd.concat([train, test])
    assert not both.duplicated(["x", "y"]).any()
    with rasterio.open(folder / f"truth/{TEST_SCENE.stem}.tif") as src:
        at = [int(v[0]) for v in src.sample(both[["x", "y"]].to_numpy())]
    assert at == both["class"].tolist()


def test_every_category_is_planted(sites):
    assert sites["category"].value_counts().reindex(CATEGORIES).ge(2).all()
    assert set(sites["category"]) == set(CATEGORIES)
    assert set(sites["status"]) == {"licensed", "candidate", "other"}
    assert sites["site_id"].is_unique
    assert (sites["overrun_ha"].gt(0) == sites["category"].eq("overrun")).all()


def check_registries(sites, areas, deposits, corine, points):
    """The registries say about each planted site what its category claims."""
    for site in sites.itertuples():
        in_area = site.geometry.intersection(areas.union_all()).area / site.geometry.area
        in_deposit = site.geometry.intersection(deposits.union_all()).area / site.geometry.area
        gap = points.distance(site.geometry).min()
        if site.category == "licensed":
            assert in_area > 0.99 and in_deposit > 0.99
        if site.category == "overrun":
            outside = site.geometry.difference(areas.union_all()).area / 1e4
            assert outside > 1 and outside == pytest.approx(site.overrun_ha, abs=0.05)
        if site.category == "in_deposit_unlicensed":
            assert in_area == 0 and in_deposit > 0.99
        if site.category == "outside_deposit":
            assert in_area == 0 and in_deposit == 0
        under = corine.loc[corine.intersection(site.geometry).area.idxmax(), "Code_18"]
        if site.case == "A":
            assert under == "211" and gap < 100 and site.last_active
        if site.case == "B":
            assert under == "112" and gap > 100 and not site.last_active


def test_registries_fit_the_plan(folder, sites):
    tables = [register(folder, n, sites.crs) for n in ("mining_areas", "deposits", "corine")]
    points = pd.read_csv(folder / "registries/monitoring_points.csv")
    points = gpd.GeoSeries([Point(p) for p in points[["x", "y"]].to_numpy()], crs=sites.crs)
    check_registries(sites, *tables, points)
    areas = tables[0]
    fields = {"ID_KONTURU", "NR_REJESTR", "NAZWA_OG", "NAZWA_ZLOZA", "KOPALINA", "STATUS",
              "DATA_USTANOWIENIA", "DATA_WAZNOSCI", "POWIERZCHNIA", "WYD_WYZN", "NADZOR_OUG"}
    assert fields <= set(areas) and fields <= set(register(folder, "mining_terrains", 2180))
    assert areas["DATA_WAZNOSCI"].str.fullmatch(r"\d\d\.\d\d\.\d{4}").all()
    assert areas["POWIERZCHNIA"].to_numpy() == pytest.approx(areas.area, rel=0.01)
    inside = tables[2].clip(sites.total_bounds)
    assert inside.area.sum() == pytest.approx(
        np.prod(np.diff(sites.total_bounds.reshape(2, 2), axis=0)), rel=0.02)
    assert len(register(folder, "osm_quarries", 4326)) > 5


@pytest.mark.parametrize("seed", [0, 1, 2, 7])
def test_registries_fit_for_other_seeds(seed):
    layout = make_layout(seed, STRZEGOM)
    tables = permits.mining_registries(seed, layout)
    sites = permits.planted_sites(layout)
    points = permits.monitoring_points(seed, layout)
    points = gpd.GeoSeries([Point(p) for p in points[["x", "y"]].to_numpy()], crs=sites.crs)
    check_registries(sites, tables["mining_areas"].to_crs(sites.crs),
                     tables["deposits"].to_crs(sites.crs),
                     permits.corine(layout).to_crs(sites.crs), points)


def test_quarries_grow_stop_and_fill(folder, sites):
    def count(stem, site, key):
        at = rasterio.features.rasterize([site.geometry], STRZEGOM.shape,
                                         transform=STRZEGOM.transform).astype(bool)
        return (truth_of(folder, stem)[at] == legend.code(key)).sum()

    first, last = "strzegom_20210619_33u", "strzegom_20230709_33u"
    for site in sites.itertuples():
        dug = [count(s, site, "quarry") + count(s, site, "water") for s in (first, last)]
        if site.last_active:
            assert count(first, site, "quarry") > 0 and count(last, site, "quarry") == 0
        else:
            assert dug[1] > 1.1 * dug[0]
    lakes = [sum(count(s, site, "water") for site in sites.itertuples() if not site.last_active)
             for s in (first, last)]
    assert lakes[1] > lakes[0] > 0


def test_crop_phases_change_on_the_same_field(folder):
    stems = [s.stem for s in scenes() if s.site is STRZEGOM]
    layout = make_layout(SEED, STRZEGOM)
    arable = layout.static == legend.NO_DATA
    stack = np.stack([truth_of(folder, s)[arable] for s in stems])
    crops = np.isin(stack, legend.CROP_PHASES).all(0)
    changes = (stack[:, crops] != stack[:1, crops]).any(0)
    assert changes.mean() > 0.9
    shares = {s: (truth_of(folder, s) == legend.code("crops_growing")).mean() for s in stems}
    assert shares["strzegom_20220619_33u"] > 3 * shares["strzegom_20220719_33u"]


def test_roads_are_one_or_two_pixels_wide(folder):
    for scene in scenes():
        road = truth_of(folder, scene.stem) == legend.code("road")
        assert road.sum() > 300
        # a place three pixels wide holds a full 3 × 3 block: only where roads meet
        assert ndimage.binary_erosion(road, np.ones((3, 3))).sum() < 0.02 * road.sum()


@pytest.mark.parametrize("stem", ["strzegom_20210619_33u", "strzegom_20230301_33u",
                                  "strzegom_20230709_33u"])
def test_spectra_lie_in_the_measured_range(folder, stem):
    scene = next(s for s in scenes() if s.stem == stem)
    dn = read(folder / f"img_train/{scene.stem}.tif").astype(np.float32)
    truth = truth_of(folder, stem)
    valid = (dn > 0).all(0)
    table = measured()
    for key in ("conifer", "mixed_forest", "urban", "crops_ripe", "bare_soil", "water",
                "crops_growing", "quarry"):
        inner = ndimage.binary_erosion((truth == legend.code(key)) & valid)
        assert inner.sum() > 50
        mean = (dn[:, inner].mean(1) - scene.offset) / 10_000
        spec = spectrum(key, scene.date)
        spread = np.hypot(spec.between_sd, spec.within_sd)
        assert (np.abs(mean - spec.mean) < spread + 0.02).all(), key
    assert set(table["class"]) == set(legend.BY_KEY)
