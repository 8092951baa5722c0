"""Classifying files of any size: equal to one pass, bounded memory, what is written and refused."""

import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
import torch

from lulc_lib import legend
from lulc_lib.cli import main
from lulc_lib.data import scenes
from lulc_lib.data.geotiff import shares
from lulc_lib.data.scenes import BANDS, open_scene, read_scene
from lulc_lib.errors import InputError
from lulc_lib.unet import checkpoint as store
from lulc_lib.unet import map_files, predict_probabilities, predict_scene
from lulc_lib.unet.checkpoint import StoredModel, build, load_model, save_model
from lulc_lib.unet.config import TrainConfig, get_config
from lulc_lib.unet.map_files import classify_file, tile_size
from lulc_lib.unet.normalise import Normalisation, fit
from lulc_lib.unet.predict import Predictor

CONFIG = TrainConfig("tiny", base_channels=3, depth=2, convolutions=1, patch_size=32)
TWELVE = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")


@pytest.fixture(scope="module")
def stored():
    """A network with random weights that tells its inputs apart."""
    model = build(CONFIG, seed=3)
    with torch.no_grad():
        model.head.weight.mul_(8)
    return StoredModel(model.eval(), Normalisation("per_scene"), CONFIG)


@pytest.fixture(scope="module")
def checkpoint(stored, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.pt"
    save_model(path, *stored)
    return path


def made_dn(rows=75, cols=90, offset=0):
    """(10, rows, cols) uint16: fields, edge strips without data, a swath's slanting edge."""
    rng = np.random.default_rng(0)
    fields = rng.integers(0, 6, (rows // 8 + 1, cols // 8 + 1)).repeat(8, 0).repeat(8, 1)
    spectra = rng.uniform(200, 4000, (6, 10))
    spectra[0], spectra[1, 2], spectra[1, 6] = 150, 300, 4000  # water; vegetation
    dn = np.moveaxis(spectra[fields[:rows, :cols]], -1, 0) + rng.normal(0, 20, (10, rows, cols))
    dn = (dn.clip(1) + offset).astype(np.uint16)
    dn[:4, -1], dn[4:, :2] = 0, 0  # strips that differ between bands
    y, x = np.mgrid[:rows, :cols]
    dn[:, y + 2 * x < 50] = 0
    dn[4:, y + 2 * x < 53] = 0
    return dn


def test_equals_one_pass(write_raster, stored, tmp_path):
    """Tiles of 16 pixels against the whole scene at once, gaps and a slanting edge included."""
    path = write_raster("scene_20230709.tif", made_dn(), BANDS)
    assert 16 < 2 * stored.model.margin  # a tile sees more of its neighbours than of itself
    done = classify_file(path, tmp_path / "map.tif", stored, tile=16,
                         probabilities=tmp_path / "p.tif", entropy=tmp_path / "e.tif")
    scene = read_scene(path)
    whole = predict_probabilities(stored.model, scene, stored.normalisation).values
    codes = predict_scene(stored.model, scene, stored.normalisation).values
    assert len(np.unique(codes)) > 3
    found = rasterio.open(tmp_path / "map.tif").read(1)
    everything = np.isfinite(scene.values).all(axis=0)
    assert everything.mean() > 0.8
    assert (found == codes)[everything].all()  # exactly, across all tile borders
    assert (found == codes).mean() > 0.995  # where bands are missing, all but everywhere
    assert np.array_equal(found == legend.NO_DATA, np.isnan(scene.values).all(axis=0))
    assert done.pixels == {c: int((found == c).sum()) for c in (legend.NO_DATA, *legend.CODES)}
    with rasterio.open(tmp_path / "p.tif") as file:
        probabilities = file.read(masked=True) * np.float32(file.scales[0])
    assert np.array_equal(probabilities.mask[0], found == legend.NO_DATA)
    assert np.abs(probabilities.filled(0) - whole)[:, everything].max() <= 0.5 / 250 + 1e-4
    with rasterio.open(tmp_path / "e.tif") as file:
        doubt = file.read(1)[everything] * file.scales[0]
    expected = -(whole * np.log(whole)).sum(axis=0)[everything] / np.log(len(legend.CODES))
    assert np.abs(doubt - expected).max() <= 0.5 / 250 + 1e-4


def test_areas_without_data_cost_nothing(write_raster, stored, tmp_path, monkeypatch):
    """The networks see the cells with data only, and the map stays the same."""
    dn = made_dn()
    dn[:, :20], dn[:, :, 40:] = 0, 0
    path, cores, real = write_raster("scene.tif", dn, BANDS), [], Predictor.rows
    monkeypatch.setattr(Predictor, "rows", lambda *a: cores.append(a[3]) or real(*a))
    maps = []
    for cell in (256, 16):
        monkeypatch.setattr(scenes, "CELL", cell)
        monkeypatch.setattr(map_files, "CELL", cell)
        cores.clear()
        done = classify_file(path, tmp_path / f"{cell}.tif", stored, tile=32,
                             probabilities=tmp_path / f"{cell}_p.tif")
        maps.append([rasterio.open(tmp_path / f"{cell}{end}.tif").read() for end in ("", "_p")])
        area = sum((r.stop - r.start) * (c.stop - c.start) for r, c in cores)
        assert area == {256: 75 * 90, 16: 59 * 48}[cell]
    assert all(map(np.array_equal, *maps)) and (maps[0][0] > 0).sum() > 1500
    assert sum(done.pixels.values()) == 75 * 90


def test_pixels_that_take_long_are_read_once(write_raster, stored, tmp_path, monkeypatch):
    """Decoded, resampled or fetched ones are kept while tiles are classified, then forgotten."""
    path, read = write_raster("scene.tif", made_dn(), BANDS), []
    there = sorted(tmp_path.iterdir())
    with open_scene(path) as scene:
        assert not scene.slow
        classify_file(scene, tmp_path / "map.tif", stored, tile=16)
        expected = rasterio.open(tmp_path / "map.tif").read()
        source = scene._layers[0].source
        source.slow, real = True, source.read
        monkeypatch.setattr(source, "read", lambda keys, window: read.append(window) or real(
            keys, window))
        for number in range(2):  # the scene can be used again
            out = tmp_path / f"{number}.tif"
            classify_file(scene, out, stored, tile=16)
            assert np.array_equal(rasterio.open(out).read(), expected)
            assert sum(w.width * w.height for w in read) == (1 + number) * 75 * 90
    made = [p for p in tmp_path.iterdir() if p not in there and p.stem.split(".")[0] not in "map01"]
    assert made == []


def test_tta_equals_one_pass_at_odd_sizes(write_raster, stored, tmp_path):
    path = write_raster("scene.tif", made_dn()[:, 26:, 30:-1].clip(1), BANDS)
    classify_file(path, tmp_path / "map.tif", stored, tta=True, tile=16)
    scene = read_scene(path)
    expected = predict_scene(stored.model, scene, stored.normalisation, tta=True)
    assert scene.shape[1:] == (49, 59)
    assert np.array_equal(rasterio.open(tmp_path / "map.tif").read(1), expected.values)


@pytest.mark.parametrize(("words", "done"), [([], "true"), (["--no-tta"], "false")])
def test_copies_as_the_model_says_unless_told(write_raster, stored, tmp_path, words, done):
    path = write_raster("scene.tif", made_dn(), BANDS)
    model, out = tmp_path / "m.pt", tmp_path / "m.tif"
    save_model(model, *stored[:2], CONFIG.with_(tta=True))
    assert main(["classify", str(path), "-o", str(out), "--checkpoint", str(model), *words]) == 0
    pair = [predict_scene(stored.model, read_scene(path), stored.normalisation, tta).values
            for tta in (False, True)]
    assert (pair[0] != pair[1]).any()
    with rasterio.open(out) as file:
        assert file.tags()["tta"] == done
        assert np.array_equal(file.read(1), pair[done == "true"])


@pytest.mark.parametrize("name", ["reflectance", "training_scenes"])
def test_other_normalisations(write_raster, stored, tmp_path, name):
    path = write_raster("scene.tif", made_dn(), BANDS)
    scene = read_scene(path)
    model = stored._replace(normalisation=fit(name, [scene * 0.9]))
    classify_file(path, tmp_path / "map.tif", model, tile=16)
    expected = predict_scene(model.model, scene, model.normalisation).values
    assert (rasterio.open(tmp_path / "map.tif").read(1) == expected).mean() > 0.995


def test_twelve_bands_in_another_zone_with_an_offset(write_raster, checkpoint, tmp_path):
    """B1 … B12 in a southern zone, with 1000 DN added: the same map as ten bands without."""
    plain = made_dn(offset=0)
    shifted = np.where(plain > 0, plain + 1000, 0).astype(np.uint16)
    noise = np.full(plain.shape[1:], 7, np.uint16)
    order = {**dict(zip(BANDS, shifted, strict=True)), "B01": noise, "B09": noise}
    twelve = np.stack([order["B" + n[1:].zfill(2)] for n in TWELVE])
    a = write_raster("ten.tif", plain, BANDS)
    b = write_raster("twelve.tif", twelve, TWELVE, epsg=32734, origin=(300_000, 6_200_000))
    for path in (a, b):
        out = tmp_path / f"{path.stem}_map.tif"
        assert main(["classify", str(path), "-o", str(out), "--checkpoint", str(checkpoint)]) == 0
    one, other = (rasterio.open(tmp_path / f"{n}_map.tif") for n in ("ten", "twelve"))
    assert (one.read(1) == other.read(1)).mean() > 0.999
    assert other.crs.to_epsg() == 32734
    assert other.transform == rasterio.open(b).transform
    assert other.tags()["offset"] == "1000 DN (pixels)"


def test_other_networks_are_tiled_exactly_too(write_raster, tmp_path):
    path = write_raster("scene.tif", made_dn()[:, 26:, 30:-1].clip(1), BANDS)
    for name in ("unet_original", "unet_plus_plus", "fcn"):
        config = CONFIG.with_(network=name, convolutions=2)
        model = StoredModel(build(config).eval(), Normalisation("per_scene"), config)
        classify_file(path, tmp_path / "map.tif", model,
                      probabilities=tmp_path / "p.tif", tile=8)
        whole = predict_probabilities(model.model, read_scene(path), model.normalisation).values
        found = rasterio.open(tmp_path / "p.tif").read()
        assert np.abs(found.astype(int) - shares(whole)).max() <= 1, name


def test_what_is_written(write_raster, checkpoint, tmp_path, capsys):
    dn = np.pad(made_dn(40, 60).clip(1), ((0, 0), (0, 500), (0, 560)), mode="wrap")
    path = write_raster("place_20230709.tif", dn, BANDS)
    out = tmp_path / "map.tif"
    words = ["classify", str(path), "-o", str(out), "--checkpoint", str(checkpoint)]
    assert main(words) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "offset 0 DN, pixels" in captured.out
    with rasterio.open(out) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (file.dtypes, file.nodata, file.descriptions) == (("uint8",), 0, ("class",))
        assert file.overviews(1) == [2]
        table = file.colormap(1)
        for code, colour in legend.COLOURS.items():
            assert "#{:02x}{:02x}{:02x}".format(*table[code][:3]) == colour
        tags = file.tags()
        codes = file.read(1)
        half = file.read(1, out_shape=(file.height // 2, file.width // 2))
    assert set(np.unique(half)) <= set(np.unique(codes))  # classes are never averaged
    assert (tags["scene"], tags["date"], tags["model"]) == ("place_20230709", "2023-07-09",
                                                           "tiny.pt")
    assert tags["version"].startswith("lulc_lib ")
    assert tags[f"class_{legend.code('quarry')}"] == legend.NAMES[legend.code("quarry")]
    style = ET.parse(tmp_path / "map.qml").getroot()
    entries = {int(e.get("value")): (e.get("label"), e.get("color"))
               for e in style.iter("paletteEntry")}
    assert entries == {c: (f"{c} {legend.NAMES[c]}", legend.COLOURS[c]) for c in legend.CODES}
    assert style.find(".//rasterrenderer").get("type") == "paletted"
    words = [c.text for c in ET.parse(tmp_path / "map.tif.aux.xml").iter("Category")]
    assert words == ["no data", *(f"{c} {name}" for c, name in legend.NAMES.items())]
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["map.qml", "map.tif", "map.tif.aux.xml", "place_20230709.tif"]
    assert os.stat(out).st_mode & 0o077 == os.stat(path).st_mode & 0o077


def test_probabilities_by_command(write_raster, checkpoint, tmp_path):
    path = write_raster("scene.tif", made_dn(), BANDS)
    p, e = tmp_path / "p.tif", tmp_path / "e.tif"
    assert main(["classify", str(path), "-o", str(tmp_path / "m.tif"), "--checkpoint",
                 str(checkpoint), "--probabilities", str(p), "--entropy", str(e), "--tta"]) == 0
    with rasterio.open(p) as file, rasterio.open(tmp_path / "m.tif") as classes:
        assert file.descriptions[-1] == f"{legend.CODES[-1]} {legend.NAMES[legend.CODES[-1]]}"
        assert set(file.nodatavals) == {255}
        probabilities, codes = file.read(), classes.read(1)
        assert classes.tags()["tta"] == "true"
    there = codes != legend.NO_DATA
    picked = np.take_along_axis(probabilities, legend.to_index(codes).clip(0, 9)[None], axis=0)[0]
    assert (picked == probabilities.max(axis=0))[there].all()
    assert np.abs(probabilities.astype(int).sum(axis=0) - 250)[there].max() <= 5
    shown = [ET.parse(f.with_suffix(".qml")).find(".//rasterrenderer").get("band") for f in (p, e)]
    assert shown == [str(len(legend.CODES)), "1"]  # quarry


def refusals(write_raster, tmp_path, checkpoint):
    """Name → (words after the scene's file, scene, what the message says)."""
    dn = made_dn()
    good = write_raster("good.tif", dn, BANDS)
    short, torn = tmp_path / "short.tif", tmp_path / "torn.tif"
    short.write_bytes(good.read_bytes()[:-60_000])
    rasterio.shutil.copy(good, torn, driver="COG")  # its directory stands in front
    torn.write_bytes(torn.read_bytes()[:-60_000])
    text = tmp_path / "text.tif"
    text.write_text("not a raster")
    wide = tmp_path / "wide.tif"
    with rasterio.open(good) as source:
        profile = source.profile
    profile["transform"] = rasterio.transform.from_origin(600_000, 5_600_000, 60, 60)
    with rasterio.open(wide, "w", **profile) as file:
        file.write(dn)
        file.descriptions = BANDS
    desert = np.full_like(dn, 3000)
    floats = write_raster("percent.tif", (dn / 1e2).astype(np.float32), BANDS)
    ok = ["-o", str(tmp_path / "map.tif"), "--checkpoint", str(checkpoint)]
    return {
        "no file": (tmp_path / "none.tif", ok, "no such file"),
        "folder": (tmp_path, ok, "which is read"),
        "text": (text, ok, "cannot be read as a raster"),
        "truncated": (short, ok, "cannot be read as a raster"),
        "torn": (torn, ok, "damaged or truncated"),
        "missing band": (write_raster("nine.tif", dn[1:], BANDS[1:]), ok, "band B02 not found"),
        "unnamed": (write_raster("unnamed.tif", dn), ok, "--bands B02,B03,B04,B05"),
        "no CRS": (write_raster("nocrs.tif", dn, BANDS, epsg=None), ok, "has no CRS"),
        "percent": (floats, ok, "they must be reflectance"),
        "60 m": (wide, ok, "10 or 20 m can be brought to it"),
        "degrees": (write_raster("deg.tif", dn, BANDS, 4326, (10, 50)), ok, "between -90 and 90"),
        "desert": (write_raster("desert.tif", desert, BANDS), ok, "--offset 0 or --offset 1000"),
        "empty band": (write_raster("empty.tif", np.where(np.arange(10)[:, None, None] == 8, 0, dn),
                                    BANDS), ok, "band B11 holds no data"),
        "offset": (good, [*ok, "--offset", "-1000"], "offset is -1000"),
        "no model": (good, ok[:2], "--checkpoint"),
        "model missing": (good, [*ok[:3], str(tmp_path / "none.pt")], "no such file"),
        "not a model": (good, [*ok[:3], str(text)], "must be a model file"),
        "no folder": (good, ["-o", str(tmp_path / "no" / "m.tif"), *ok[2:]], "there is no folder"),
        "same": (good, ["-o", str(good), *ok[2:]], "is an input"),
        "twice": (good, [*ok, "--entropy", ok[1]], "is --output too"),
        "ending": (good, ["-o", str(tmp_path / "map.png"), *ok[2:]], "end in .tif"),
    }


def test_refused_in_one_line_and_nothing_stays(
    write_raster, tmp_path, checkpoint, capsys, monkeypatch
):
    monkeypatch.setattr(store, "STUDY_MODEL", "there_is_none.pt")
    cases = refusals(write_raster, tmp_path, checkpoint)
    before = sorted(tmp_path.iterdir())
    for name, (scene, words, expected) in cases.items():
        assert main(["classify", str(scene), *words]) == 2, name
        captured = capsys.readouterr()
        assert expected in captured.err, (name, captured.err)
        assert captured.err.count("\n") == 1, (name, captured.err)
        assert captured.out == "", name
        assert sorted(tmp_path.iterdir()) == before, name


def test_pixel_size_within_a_hundredth(write_raster):
    for epsg, origin in ((32633, (600_000, 5_600_000)), (32733, (200_000, 9_990_000)),
                         (32660, (700_000, 8_900_000)), (2180, (500_000, 300_000))):
        with open_scene(write_raster("scene.tif", made_dn(), BANDS, epsg, origin)) as scene:
            assert scene.crs.to_epsg() == epsg


def test_a_given_offset_and_a_nodata_tag(write_raster, stored, tmp_path):
    dn = np.full((10, 40, 40), 3000, np.uint16)  # bright everywhere: nobody can tell
    dn[:, :, 30:] = 65535
    path = write_raster("bright.tif", dn, BANDS, nodata=65535)
    model = stored._replace(normalisation=Normalisation("reflectance", (0.0,) * 10, (0.1,) * 10))
    done = classify_file(path, tmp_path / "map.tif", model, offset=1000)
    assert (done.offset.used, done.offset.source) == (1000, "given")
    assert done.pixels[legend.NO_DATA] == 40 * 10


def test_a_failure_midway_leaves_the_old_map(write_raster, stored, tmp_path, monkeypatch):
    path, out = write_raster("scene.tif", made_dn(), BANDS), tmp_path / "map.tif"
    out.write_bytes(b"old")
    before = sorted(tmp_path.iterdir())
    calls, real = [], map_files.Classifier.blocks

    def stopping(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(map_files.Classifier, "blocks", stopping)
    with pytest.raises(KeyboardInterrupt):
        classify_file(path, out, stored, probabilities=tmp_path / "p.tif", tile=16)
    assert out.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == before
    monkeypatch.setattr(map_files.Classifier, "blocks", real)
    monkeypatch.setattr(rasterio.shutil, "copy",
                        lambda *a, **k: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(InputError, match="room on the disk"):
        classify_file(path, out, stored)
    assert out.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == before


def test_ended_from_outside_nothing_stays(write_raster, checkpoint, tmp_path, monkeypatch):
    path = write_raster("scene.tif", made_dn(), BANDS)

    def ending(*args):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(map_files.Classifier, "blocks", ending)
    assert main(["classify", str(path), "-o", str(tmp_path / "map.tif"), "--checkpoint",
                 str(checkpoint)]) == 143
    assert [p.name for p in tmp_path.iterdir()] == ["scene.tif"]


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (16, 5)])
def test_tiny_scenes(write_raster, stored, tmp_path, size):
    path = write_raster("scene.tif", made_dn()[:, 40:40 + size[0], 40:40 + size[1]], BANDS)
    for tta in (False, True):
        classify_file(path, tmp_path / "map.tif", stored, tta=tta, offset=0)
        with rasterio.open(tmp_path / "map.tif") as file:
            assert file.shape == size
            assert (file.read(1) != legend.NO_DATA).all()


def test_the_packaged_model_is_the_default(write_raster, checkpoint, tmp_path, monkeypatch, capsys):
    scene = write_raster("scene.tif", made_dn(), BANDS)
    with monkeypatch.context() as patch:
        patch.setattr(store, "STUDY_MODEL", "study_to_come.pt")
        with pytest.raises(InputError, match="missing from this installation"):
            store.study_model()
    monkeypatch.setattr(store.resources, "files", lambda package: tmp_path)
    (tmp_path / store.STUDY_MODEL).write_bytes(checkpoint.read_bytes())
    assert main(["classify", str(scene), "-o", str(tmp_path / "map.tif")]) == 0
    assert rasterio.open(tmp_path / "map.tif").tags()["model"] == store.STUDY_MODEL


def test_tiles_are_as_wide_as_memory_allows(monkeypatch):
    """All rows of a scene in equal tiles; fewer columns for a larger network, in whole cells."""
    small, paper = (StoredModel(build(c), Normalisation("per_scene"), c)
                    for c in (get_config("smoke"), get_config("default").with_(base_channels=512)))
    assert tile_size(small, (1003, 801)) == (1004, 804)
    assert tile_size(small, (10_980, 10_980)) == (10_980, 2304)  # five of them
    assert tile_size(small, (10_980, 2560)) == (10_980, 2560)
    monkeypatch.setattr(map_files, "MEMORY", 400e6)
    assert tile_size(small, (10_980, 10_980)) == (10_980, 2304)
    rows, cols = tile_size(paper, (20_000, 10_980))
    assert rows == 20_000
    assert cols < 2304
    assert cols % 256 == 0


MEASURE = r"""
import re, sys
from pathlib import Path
import torch
from lulc_lib.unet.map_files import classify_file
from lulc_lib.unet.checkpoint import load_model
def peak():  # MB; getrusage would tell the peak of the process that started this one
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024
torch.set_num_threads(1)
stored = load_model(sys.argv[3], torch.device("cpu"))
stored.model(torch.zeros(1, 10, 64, 64))
before = peak()
classify_file(sys.argv[1], sys.argv[2], stored, tile=256)
print(peak() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux")
def test_memory_does_not_grow_with_the_scene(tmp_path, checkpoint):
    """3000 × 3000 pixels are 360 MB as reflectance and as much again as probabilities."""
    path, size = tmp_path / "large.tif", 3000
    part = np.tile(made_dn(60, 60).clip(1), (1, 5, 50))
    with rasterio.open(path, "w", driver="GTiff", dtype="uint16", count=10, height=size,
                       width=size, crs="EPSG:32633", tiled=True,
                       transform=rasterio.transform.from_origin(5e5, 5.6e6, 10, 10)) as file:
        for top in range(0, size, 300):
            file.write(part, window=rasterio.windows.Window(0, top, size, 300))
        file.descriptions = BANDS
    found = subprocess.run([sys.executable, "-c", MEASURE, path, tmp_path / "map.tif", checkpoint],
                           capture_output=True, text=True, check=True)
    assert int(found.stdout) < 250, f"{found.stdout} MB"
    with rasterio.open(tmp_path / "map.tif") as file:
        assert file.shape == (size, size)
        assert file.overviews(1) == [2, 4, 8]


def test_a_checkpoint_loads_on_the_machine_there_is(checkpoint):
    assert load_model(checkpoint).config == CONFIG
