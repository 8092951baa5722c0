"""The list of published files: complete, consistent, and true to the files themselves."""

import os
from pathlib import Path

import pytest

from lulc_lib.data.catalogue import (
    BASE_URL,
    KINDS,
    SITES,
    TERMS,
    core_files,
    find,
    find_site,
    published_files,
    select,
    training_pairs,
)
from lulc_lib.errors import InputError

HELD = os.environ.get("LULC_DATA")


def test_every_entry_is_complete():
    files = published_files()
    assert len({f.path for f in files}) == len({f.git_blob_sha1 for f in files}) == len(files)
    for f in files:
        assert f.role in ("training", "test", "reference", "published_map")
        assert f.kind in KINDS and f.site in SITES
        assert len(f.git_blob_sha1) == len(f.commit) == 40
        assert (f.size is None) == (f.sha256 is None) and len(f.sha256 or "0" * 64) == 64
        assert f.epsg in ((None,) if f.kind == "table" else (SITES[f.site].epsg,))
        assert f.date.replace("-", "") in f.path or f.kind == "polygons"
        assert f.site.split("_")[0] in f.path


def test_numbers_of_files():
    assert len(training_pairs()) == 14 and len(training_pairs("kolbuszowa")) == 5
    assert [len(training_pairs(f"krakow_{n}")) for n in (1, 2, 3)] == [1, 1, 1]
    assert sum(f.sha256 is None for f in published_files()) == 8
    assert len(select(kind="map")) == len(select(kind="table")) == len(select(kind="polygons")) == 2
    core = [find(path) for path in core_files()]
    assert sorted(f.kind for f in core) == sorted(
        ["scene"] * 7 + ["labels"] * 8 + ["polygons", "map", "table"] * 2
    )


def test_pairs_belong_together():
    for scene, labels in training_pairs():
        assert (scene.site, scene.date, scene.epsg) == (labels.site, labels.date, labels.epsg)
        assert (scene.kind, labels.kind) == ("scene", "labels")
        assert scene.role == labels.role == "training"


def test_test_scene_comes_from_the_commit_that_still_has_it(monkeypatch):
    (scene,) = select(role="test", kind="scene")
    monkeypatch.delenv("LULC_DATA_URL", raising=False)
    assert scene.url == f"{BASE_URL}e17964e249ae5b6acdbcd75d45ee0efef65bab80/{scene.path}"
    assert len({f.commit for f in published_files() if f != scene}) == 1
    monkeypatch.setenv("LULC_DATA_URL", "http://127.0.0.1:1/mirror/")
    assert scene.url == f"http://127.0.0.1:1/mirror/{scene.commit}/{scene.path}"
    assert scene.path_in("folder") == Path("folder/img_train/strzegom_20230709_33u.tif")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"role": "exam"}, r"role is 'exam'; .*published_map.*training"),
        ({"kind": "video"}, r"kind is 'video'; .*polygons"),
        ({"site": "krakow"}, r"site is 'krakow'; .*krakow_1"),
        ({"date": "2020-01-01"}, r"date is '2020-01-01'; .*2023-07-09"),
        ({"kind": "polygons", "site": "krakow_1"}, r"no file with kind 'polygons', site '"),
    ],
)
def test_what_does_not_exist_is_named(asked, message):
    with pytest.raises(InputError, match=message):
        select(**asked)


def test_unknown_path_and_site_are_named():
    with pytest.raises(InputError, match=r"'nothing\.tif' is not a file"):
        find("nothing.tif")
    with pytest.raises(InputError, match=r"did you mean test_mask/strzegom_ref\.gpkg"):
        find("strzegom_ref.gpkg")
    with pytest.raises(InputError, match=r"site is 'warszawa'; it must be one of strzegom"):
        find_site("warszawa")


def test_terms_say_what_is_known():
    assert "no licence file" in TERMS and "modified Copernicus Sentinel data" in TERMS


@pytest.mark.skipif(not HELD, reason="needs the published files")
def test_site_grids_are_those_of_the_published_rasters():
    import rasterio

    seen = set()
    for file in published_files():
        path = file.path_in(HELD)
        if path.suffix != ".tif" or not path.is_file():
            continue
        site = SITES[file.site]
        with rasterio.open(path) as src:
            assert src.crs.to_epsg() == site.epsg == file.epsg
            assert src.shape == site.shape
            assert tuple(src.transform)[:6] == site.transform
            assert tuple(src.bounds) == site.bounds
        seen.add(file.site)
    assert seen == set(SITES)
