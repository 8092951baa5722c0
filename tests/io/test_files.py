"""Reading and writing files: what is refused before, and what a stopped run leaves behind."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from rasterio.windows import Window

from lulc_lib.data.geotiff import class_map_writer
from lulc_lib.errors import InputError
from lulc_lib.io import (
    check_outputs,
    existing_file,
    existing_folder,
    keep,
    unfinished,
    writing,
    written_whole,
)
from lulc_lib.io.files import files_of
from lulc_lib.io.text import printable

WAITING = """
import sys, time
from lulc_lib.io import written_whole
with written_whole(sys.argv[1]) as part:
    part.write_text("half")
    print("begun", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def waiting(tmp_path):
    """A process that has half written ``out.txt``."""
    with subprocess.Popen([sys.executable, "-c", WAITING, str(tmp_path / "out.txt")],
                          stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"begun\n"
        yield process
        process.kill()


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_what_a_killed_run_left_is_swept_but_never_a_living_run_s(tmp_path, waiting):
    out = tmp_path / "out.txt"
    (half,) = names(tmp_path)
    with written_whole(out) as part:
        part.write_text("whole")
    assert names(tmp_path) == [half, "out.txt"]
    waiting.kill()
    waiting.wait()
    with written_whole(tmp_path / "other.txt") as part:
        part.write_text("another output's")
    assert half in names(tmp_path)
    with pytest.raises(ZeroDivisionError), written_whole(out) as part:
        assert [p for p in names(tmp_path) if p.startswith(".")] == [part.parent.name]
        part.write_text("new")
        1 / 0  # noqa: B018
    assert names(tmp_path) == ["other.txt", "out.txt"] and out.read_text() == "whole"


def test_folders_that_only_look_like_ours_stay(tmp_path):
    (tmp_path / ".out.txt.mine.part").mkdir()
    (tmp_path / ".out.txt.file.part").write_text("")
    with written_whole(tmp_path / "out.txt") as part:
        part.write_text("")
    assert names(tmp_path) == [".out.txt.file.part", ".out.txt.mine.part", "out.txt"]


@pytest.mark.parametrize("name", ["n" * 255, "ż" * 127, ".a*[b]?", "lulc.txt"])
def test_any_name_that_the_disk_takes_can_be_written(tmp_path, name):
    for text in ("one", "two"):
        with written_whole(tmp_path / name) as part:
            part.write_text(text)
    assert names(tmp_path) == [name] and (tmp_path / name).read_text() == "two"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"),
                                   sqlite3.OperationalError("database or disk is full"),
                                   rasterio.errors.RasterioIOError("write failed")])
def test_errors_of_the_disk_are_the_users_ours_are_not(tmp_path, error):
    with pytest.raises(InputError, match=r"out.txt: cannot be written.*(full|space|failed)"), \
            writing(tmp_path / "out.txt"):
        raise error
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "out.txt"):
        1 / 0  # noqa: B018
    assert names(tmp_path) == []


def test_what_is_kept_gets_the_first_free_name(tmp_path):
    keep(tmp_path / "a.tif")
    for text in ("first", "second"):
        (tmp_path / "a.tif").write_text(text)
        keep(tmp_path / "a.tif")
    assert names(tmp_path) == ["a.tif.kept1", "a.tif.kept2"]
    assert (tmp_path / "a.tif.kept2").read_text() == "second"


def copied(path, values):
    """Write a raster as a copy is made: whole, without knowing of bands or classes."""
    with written_whole(path) as part, rasterio.open(
            part, "w", driver="GTiff", height=64, width=64, count=1, dtype="uint8", crs=32633,
            transform=from_origin(0, 0, 10, 10)) as file:
        file.write(values, 1)


def mapped(path, values):
    """Write a class map, with its names in an .aux.xml of its own."""
    with class_map_writer(path, (64, 64), 32633, from_origin(0, 0, 10, 10), {}) as writer:
        writer.write(values[None], Window(0, 0, 64, 64))
        writer.finish()
        writer.publish()


@pytest.mark.parametrize("write", [copied, mapped])
def test_nothing_of_a_raster_is_shown_with_the_one_that_replaces_it(tmp_path, write):
    """Overviews and a mask beside the file, as QGIS makes them, are those of the old values."""
    old, new = np.full((64, 64), 4, np.uint8), np.full((64, 64), 8, np.uint8)
    copied(tmp_path / "m.tif", old)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(tmp_path / "m.tif", "r+") as file:
        file.build_overviews([2, 4])
    with rasterio.open(tmp_path / "m.tif") as file, rasterio.open(
            tmp_path / "m.tif.msk", "w", **file.profile) as mask:
        assert file.overviews(1) == [2, 4]
        mask.write(old * 0, 1)
    (tmp_path / "m.tif.aux.xml").write_text("<PAMDataset/>")
    write(tmp_path / "m.tif", new)
    with rasterio.open(tmp_path / "m.tif") as file:
        assert (file.read(1, out_shape=(16, 16)) == 8).all()
        assert file.dataset_mask().all()
    own = [] if write is copied else ["m.qml", "m.tif.aux.xml"]
    assert names(tmp_path) == sorted(["m.tif", *own])


@pytest.mark.parametrize("ending", ["-wal", "-journal"])
def test_a_geopackage_that_is_open_elsewhere_is_not_replaced(tmp_path, ending):
    """What SQLite keeps beside it would be put into the new one."""
    (tmp_path / f"o.gpkg{ending}").touch()
    (tmp_path / f"o.html{ending}").touch()
    check_outputs({"--html": tmp_path / "o.html"})
    with pytest.raises(InputError, match=f"-o .*o.gpkg: another program .* for o.gpkg{ending} is"):
        check_outputs({"-o": tmp_path / "o.gpkg"})
    with pytest.raises(InputError, match="cannot be used"):  # SQLite could not open it
        check_outputs({"-o": tmp_path / f"{'o' * 245}.gpkg"})


# --- what a command reads and writes --------------------------------------------------------

@pytest.fixture
def inputs(tmp_path):
    """A folder with a file, links to it, a mosaic of it, a shapefile and a folder."""
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", height=2, width=2, count=1,
                       dtype="uint8", crs=32633, transform=(10, 0, 0, 0, -10, 0)) as file:
        file.write(np.zeros((1, 2, 2), np.uint8))
    os.link(tmp_path / "a.tif", tmp_path / "hard.tif")
    os.symlink("a.tif", tmp_path / "soft.tif")
    for name, of in (("mosaic.vrt", "a.tif"), ("outer.vrt", "mosaic.vrt")):
        (tmp_path / name).write_text(
            '<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Byte" band="1">'
            f'<SimpleSource><SourceFilename relativeToVRT="1">{of}</SourceFilename></SimpleSource>'
            "</VRTRasterBand></VRTDataset>")
    for ending in ("shp", "dbf", "SHX", "txt"):
        (tmp_path / f"b.{ending}").touch()
    (tmp_path / "folder").mkdir()
    os.symlink("folder", tmp_path / "linked")
    return tmp_path


@pytest.mark.parametrize(("read", "written", "why"), [
    ("a.tif", "a.tif", "is an input"), ("a.tif", "hard.tif", "is an input"),
    ("a.tif", "soft.tif", "is an input"), ("soft.tif", "a.tif", "is an input"),
    ("a.tif", "folder/../a.tif", "is an input"), ("mosaic.vrt", "a.tif", "belongs to the input"),
    ("outer.vrt", "hard.tif", "belongs to the input"), ("b.shp", "b.dbf", "belongs to the input"),
    ("b.shp", "b.SHX", "belongs to the input"), ("folder", "folder/new", "which is read"),
    ("folder", "linked/new", "which is read"), ("linked", "folder/new", "which is read"),
    ("b.shp", "b.txt", None), ("a.tif", "new.tif", None), ("nowhere", "a.tif", None),
    ("folder", "a.tif", None)])
def test_no_name_of_an_input_is_written(inputs, read, written, why):
    if why is None:
        return check_outputs({"--html": inputs / written}, [inputs / read])
    with pytest.raises(InputError, match=f"--html .*{written.partition('..')[0]}.*: .*{why}"):
        check_outputs({"--html": inputs / written}, [inputs / read])


def test_no_two_outputs_are_one_file(inputs):
    two = {"-o": (inputs / "m.tif", inputs / "m.qml"), "--html": inputs / "folder/../m.qml"}
    with pytest.raises(InputError, match=r"--html .*m.qml: is -o too"):
        check_outputs(two)
    with pytest.raises(InputError, match=r"--entropy .*hard.tif: is -o too"):
        check_outputs({"-o": inputs / "a.tif", "--entropy": inputs / "hard.tif"})
    with pytest.raises(InputError, match=r"-o .*s.gpkg: is the folder --sheets"):
        check_outputs({"-o": inputs / "s.gpkg"}, folders={"--sheets": inputs / "s.gpkg"})
    with pytest.raises(InputError, match=r"--log .*r.html: is --html too"):
        check_outputs({"--html": inputs / "r.html"}, log=inputs / "r.html")
    with pytest.raises(InputError, match=r"--log .*a.tif: is an input"):
        check_outputs({}, [inputs / "a.tif"], log=inputs / "a.tif")


def test_what_is_there_is_replaced_only_if_that_is_asked_for(inputs):
    check_outputs({"-o": inputs / "b.txt"}, log=inputs / "a.tif")
    with pytest.raises(InputError, match="--overwrite replaces it"):
        check_outputs({"-o": (inputs / "new", inputs / "b.txt")}, overwrite=False)
    check_outputs({"-o": inputs / "new"}, overwrite=False, log=inputs / "a.tif")


def test_the_files_of_a_mosaic_are_found_through_mosaics(inputs):
    found = {p.name for p in files_of(inputs / "outer.vrt")}
    assert found == {"outer.vrt", "mosaic.vrt", "a.tif"}
    assert files_of(inputs / "b.txt") == [inputs / "b.txt"]


def test_what_may_not_be_read_or_written_is_named():
    """Asked by a child that is not root, who may do everything."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o555)
        (folder / "file").touch(0)
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            if os.geteuid() == 0:
                os.setuid(65534)
            for attempt in (lambda: check_outputs({"-o": folder / "new"}),
                            lambda: existing_file(folder / "file"),
                            lambda: written_whole(folder / "new").__enter__()):
                try:
                    attempt()
                except Exception as error:
                    os.write(writer, f"{type(error).__name__}: {error}\n".encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        with open(reader) as told:
            first, second, third = told.read().splitlines()
    assert first.startswith("InputError") and "may not be written to" in first
    assert second.startswith("InputError") and "permission to read it is denied" in second
    assert third.startswith("InputError") and "Permission denied" in third


@given(st.text(max_size=300))
@settings(deadline=None, max_examples=200)
def test_any_text_as_a_path_is_a_file_or_an_input_error(text):
    for look in (existing_file, existing_folder, lambda p: check_outputs({"-o": p / "x"})):
        try:
            look(Path(text))
        except InputError as error:
            assert str(error)


@given(st.text())
def test_shown_text_moves_no_cursor_and_plain_text_stays(text):
    shown = printable(text)
    assert not set(shown) & {*map(chr, range(9)), *map(chr, range(11, 32)), "\x7f", "\x9b",
                             "\u202e", "\u2066", "\udce9"}
    assert printable(shown) == shown
    if text.isascii() and text.isprintable():
        assert shown == text


def test_an_unfinished_folder_is_locked_from_the_beginning(tmp_path):
    with unfinished(tmp_path / "a") as folder, unfinished(tmp_path / "a") as other:
        assert folder != other and folder.is_dir() and other.is_dir()
    assert names(tmp_path) == []
