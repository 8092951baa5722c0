"""Many scenes block by block: the same maps on a cluster, after a stop, after a worker's death."""

import os
import signal

import numpy as np
import pytest
import rasterio
from distributed import get_task_stream
from filelock import FileLock

from lulc_lib.cli import main
from lulc_lib.data.geotiff import blocks_beside
from lulc_lib.data.scenes import BANDS, open_scene
from lulc_lib.errors import InputError
from lulc_lib.unet import cluster
from lulc_lib.unet.cluster import Job, Settings, classify_scenes
from lulc_lib.unet.map_files import Classifier, classify_file
from tests.unet.test_classify import checkpoint, made_dn, stored  # noqa: F401  (fixtures)

EDGE = 32
SETTINGS = Settings(edge=EDGE, model_name="tiny")


@pytest.fixture
def scenes(write_raster):
    """Scenes of two UTM zones, nine blocks each."""
    return [write_raster(f"s{zone}_20230709.tif", made_dn(), BANDS, 32600 + zone)
            for zone in (33, 34)]


def jobs(scenes, folder):
    folder.mkdir(exist_ok=True)
    return [Job(open_scene(s), {"output": folder / f"{s.stem}_map.tif",
                                "probabilities": folder / f"{s.stem}_p.tif"}) for s in scenes]


def content(path):
    with rasterio.open(path) as file:
        return file.read(), file.tags(), file.crs, file.transform, file.colorinterp


def same(one, other):
    (pixels, *rest), (others, *more) = content(one), content(other)
    return np.array_equal(pixels, others) and rest == more


@pytest.fixture
def whole(scenes, stored, tmp_path):  # noqa: F811
    """The folder of the maps that one process makes of each whole scene."""
    folder = tmp_path / "whole"
    folder.mkdir()
    for scene in scenes:
        classify_file(scene, folder / f"{scene.stem}_map.tif", stored, model_name="tiny",
                      probabilities=folder / f"{scene.stem}_p.tif")
    return folder


def assert_same_maps(folder, whole):
    files = sorted(p.name for p in whole.iterdir())
    assert sorted(p.name for p in folder.iterdir()) == files
    for name in files:
        assert (same if name.endswith(".tif") else lambda a, b: a.read_bytes() == b.read_bytes())(
            folder / name, whole / name), name


def stop_after(number):
    """A callable that stops the run at so many blocks."""
    left = [number]

    def advance(pixels):
        left[0] -= pixels > 0
        if not left[0]:
            raise KeyboardInterrupt

    return advance


def test_blocks_give_the_maps_of_whole_scenes_each_on_its_grid(scenes, stored, whole, tmp_path):  # noqa: F811
    done = list(classify_scenes(jobs(scenes, tmp_path / "blocks"), stored, SETTINGS))
    assert [(d.computed, d.kept) for d in done] == [(9, 0), (9, 0)]
    assert_same_maps(tmp_path / "blocks", whole)
    assert [content(p)[2].to_epsg() for p in sorted((tmp_path / "blocks").glob("*_map.tif"))] == [
        32633, 32634]


def test_a_run_that_was_stopped_goes_on(scenes, stored, whole, tmp_path, monkeypatch):  # noqa: F811
    """Stopped in the second scene: the first one's map is there, and no block is made twice."""
    calls, real = [], Classifier.block
    monkeypatch.setattr(Classifier, "block", lambda *a: calls.append(a[2]) or real(*a))
    folder = tmp_path / "blocks"
    with pytest.raises(KeyboardInterrupt):
        list(classify_scenes(jobs(scenes, folder), stored, SETTINGS, advance=stop_after(13)))
    first = folder / f"{scenes[0].stem}_map.tif"
    written = first.stat().st_mtime_ns
    done = list(classify_scenes(jobs(scenes, folder), stored, SETTINGS))
    assert [(d.computed, d.kept) for d in done] == [(0, 9), (5, 4)] and len(calls) == 18
    assert first.stat().st_mtime_ns == written and done[0].result.pixels == done[1].result.pixels
    assert_same_maps(folder, whole)


def test_blocks_of_other_settings_are_made_anew(scenes, stored, tmp_path):  # noqa: F811
    folder = tmp_path / "blocks"
    with pytest.raises(KeyboardInterrupt):
        list(classify_scenes(jobs(scenes[:1], folder), stored, SETTINGS, advance=stop_after(3)))
    (done,) = classify_scenes(jobs(scenes[:1], folder), stored, SETTINGS._replace(tta=True))
    assert (done.computed, done.kept) == (9, 0)


def test_two_processes_do_not_make_the_same_map(scenes, stored, tmp_path):  # noqa: F811
    work = jobs(scenes[:1], tmp_path / "blocks")
    folder = blocks_beside(work[0].outputs["output"])
    folder.mkdir()
    with FileLock(folder / "lock"), pytest.raises(InputError, match="another process"):
        list(classify_scenes(work, stored, SETTINGS))


def test_a_worker_killed_half_way_costs_only_its_blocks(scenes, stored, whole, tmp_path):  # noqa: F811
    seen = []

    def kill(pixels):
        seen.append(pixels)
        if len(seen) == 6:
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    with cluster.connected("local:2") as client, get_task_stream(client) as stream:
        assert client.dashboard_link.startswith("http://127.0.0.1:")
        done = list(classify_scenes(jobs(scenes, tmp_path / "blocks"), stored, SETTINGS, client,
                                    kill))
    assert [(d.computed, d.kept) for d in done] == [(9, 0), (9, 0)]
    assert_same_maps(tmp_path / "blocks", whole)
    made = [t["key"] for t in stream.data if t["key"].startswith("_classify_block")]
    assert len({t["worker"] for t in stream.data}) >= 2
    assert len(set(made)) == 18 and len(made) - 18 <= cluster.AHEAD * 2


def test_a_scheduler_that_does_not_answer_is_bad_input(monkeypatch):
    monkeypatch.setattr(cluster, "WAIT_S", 0.2)
    with pytest.raises(InputError, match="no dask scheduler answers"), \
            cluster.connected("tcp://127.0.0.1:9"):
        pass


def test_the_command_maps_many_scenes_and_lays_them_into_one(scenes, checkpoint, tmp_path, capsys):  # noqa: F811
    folder, mosaic = tmp_path / "maps", tmp_path / "all.tif"
    words = ["classify", *map(str, scenes), "-o", str(folder), "--checkpoint", str(checkpoint)]
    assert main([*words, "--entropy", "--mosaic", str(mosaic)]) == 0
    names = {f"s{zone}_20230709_map{end}" for zone in (33, 34) for end in (
        ".tif", ".qml", ".tif.aux.xml", "_entropy.tif", "_entropy.qml")}
    assert {p.name for p in folder.iterdir()} == names
    first, second = (content(folder / f"s{zone}_20230709_map.tif") for zone in (33, 34))
    whole, _, crs, transform, _ = content(mosaic)
    assert crs == first[2] != second[2]
    row, col = (round(v) for v in reversed(~transform @ (first[3].c, first[3].f)))
    part = whole[:, row:row + first[0].shape[1], col:col + first[0].shape[2]]
    assert np.array_equal(part, first[0])
    mapped = (first[0] > 0).sum() + (second[0] > 0).sum()
    assert (whole > 0).sum() == pytest.approx(mapped, rel=0.02)
    capsys.readouterr()
    assert main(words) == 2 and "is there already" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--probabilities", "p.tif"]) == 2
    assert "a file of its own" in capsys.readouterr().err
