"""The process of a command: how it is ended, full disks, closed streams, hostile text."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import pytest

import lulc_lib
from lulc_lib import cli

COMMAND = [sys.executable, "-m", "lulc_lib"]
HOSTILE = "pit\x1b]0;owned\x07\x9b31m\u202etxt"
WRITING = {
    "accuracy": "accuracy matrix.csv --html o.html", "sample": "sample m.tif -o o.gpkg",
    "sites": "sites map_20220619.tif map_20230709.tif --registries registries -o o.gpkg",
    "classify": "classify scene.tif --offset 0 --probabilities p.tif -o o.tif",
}


@pytest.fixture
def place(folder, tmp_path, monkeypatch):
    """A copy of the good files to write beside."""
    for name in ("matrix.csv", "m.tif", "scene.tif", "map_20220619.tif", "map_20230709.tif"):
        shutil.copy(folder / name, tmp_path)
    shutil.copytree(folder / "registries", tmp_path / "registries")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def interruptible():
    """Let Ctrl-C through: what is started in the background ignores it."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("command", WRITING)
def test_ended_by_sigterm_as_by_ctrl_c(place, command, monkeypatch, capsys):
    """All is computed and half of it published: what was not whole is gone, the name is free."""
    before = names(place)
    for number, (code, ending) in enumerate(((143, signal.SIGTERM), (130, signal.SIGINT))):
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", lambda *_, e=ending: os.kill(os.getpid(), e))
            handler = signal.getsignal(signal.SIGTERM)
            assert cli.main(WRITING[command].split()) == code, number
            assert signal.getsignal(signal.SIGTERM) is handler
        assert capsys.readouterr().err.splitlines()[-1] == "lulc: stopped"
        assert names(place) == before


LIMITED = """
import resource, sys
from lulc_lib import cli
size = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
sys.exit(cli.main(sys.argv[2:]))
"""


def limited(words, size):
    """Run a command in a process that may not write files of more bytes; its code and words."""
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), *words.split()], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (
            str(Path(lulc_lib.__file__).parents[1]), os.environ.get("PYTHONPATH"))))})
    return run.returncode, run.stderr


@pytest.mark.parametrize(("command", "size"), [
    ("accuracy", 1000), ("sample", 20_000), ("sites", 5_000), ("sites", 60_000),
    ("classify", 1000), ("classify", 9000)])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(place, command, size):
    target = place / WRITING[command].split()[-1]
    target.write_text("old")
    before = names(place)
    code, told = limited(f"{WRITING[command]} --overwrite", size)
    assert code == 2, told
    assert any(w.startswith("lulc ") and "cannot be written" in w for w in told.splitlines())
    assert names(place) == before and target.read_text() == "old"


@pytest.mark.parametrize(("redirection", "message"), [
    (">&-", "standard output is closed"), (">/dev/full", "standard output: No space left"),
    ("| true", None)])
def test_a_stream_that_takes_nothing(place, redirection, message):
    line = f"set -o pipefail; {' '.join(COMMAND)} accuracy matrix.csv {redirection}"
    run = subprocess.run(["bash", "-c", line], capture_output=True, text=True,
                         env=os.environ | {"PYTHONPATH": str(Path(lulc_lib.__file__).parents[1])})
    assert run.returncode == (0 if message is None else 2), run.stderr
    assert run.stderr.count("\n") == (message is not None) and (message or "") in run.stderr


def test_text_of_files_moves_no_terminal(place, capsys):
    (place / "hostile.csv").write_text(
        f"map/reference,{HOSTILE},B\n{HOSTILE},40,3\nB,2,50\n", "utf-8")
    registry = gpd.read_file("registries/deposits.geojson").assign(NAZWA=HOSTILE)
    registry.to_file("registries/deposits.geojson")
    (place / "registries" / "mining_areas.geojson").write_text(
        (place / "registries" / "deposits.geojson").read_text())
    for words in ("accuracy hostile.csv", "accuracy hostile.csv --json", WRITING["sites"],
                  f"accuracy {HOSTILE}.csv"):
        cli.main(words.split(" "))
        told = capsys.readouterr()
        assert not set(told.out + told.err) & set("\x1b\x07\x9b\u202e"), words
        if "--json" in words:
            label = json.loads(told.out)["labels"][0]
    assert "pit" in label and "\\u001b" not in label


def test_every_command_prints_by_say_and_note():
    for path in Path(cli.__file__).parent.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and function.name not in ("say", "_failed"):
                calls = [c for c in ast.walk(function) if isinstance(c, ast.Call)
                         and getattr(c.func, "id", "") == "print"]
                assert not calls, f"{path.name}: {function.name} prints past say()"
