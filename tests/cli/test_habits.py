"""What every lulc command does alike: errors in one line, --overwrite, --quiet, the log, extras."""

import logging
import os
import re
import subprocess
import sys

import pytest

from lulc_lib import cli
from lulc_lib.cli import parser as habits
from lulc_lib.io import progress
from tests.conftest import ROOT

MATRIX = "map/reference,a,b\na,5,1\nb,0,4\n"
COMMANDS = ("data", "classify", "accuracy", "sample", "earth-engine", "sites")


@pytest.fixture
def lulc(capsys, tmp_path, monkeypatch):
    """A function that runs ``lulc`` in a folder with a matrix m.csv: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.csv").write_text(MATRIX)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["lulc", *words])
        try:
            code = cli.main(words)
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(("words", "meant"), [
    (["acuracy", "m.csv"], "did you mean accuracy?"),
    (["accuracy", "m.csv", "--fromula", "TP"], "did you mean --formula?"),
    (["accuracy", "m.csv", "--rows", "mapp"], "did you mean map?"),
    (["accuracy", "m.csv", "--overwite"], "did you mean --overwrite?"),
])
def test_a_wrong_word_is_answered_with_the_nearest_in_one_line(lulc, words, meant):
    code, out, err = lulc(*words)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert meant in err and "--help)" in err


def test_nothing_is_suggested_where_nothing_is_near(lulc):
    assert "did you mean" not in lulc("accuracy", "m.csv", "--zzzz")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_habits(lulc, command):
    code, out, _ = lulc(command, "--help")
    assert code == 0
    for option in ("--overwrite", "--quiet", "--verbose", "--log"):
        assert option in out


def test_a_file_that_is_there_is_replaced_only_when_asked(lulc, tmp_path):
    (tmp_path / "r.html").write_text("mine")
    code, _, err = lulc("accuracy", "m.csv", "--html", "r.html")
    assert code == 2 and "r.html: is there already; --overwrite replaces it" in err
    assert (tmp_path / "r.html").read_text() == "mine"
    assert lulc("accuracy", "m.csv", "--html", "r.html", "--overwrite")[0] == 0
    assert "<!doctype html>" in (tmp_path / "r.html").read_text()
    code, _, err = lulc("accuracy", "m.csv", "--html", "m.csv", "--overwrite")
    assert code == 2 and "m.csv: is an input" in err
    assert (tmp_path / "m.csv").read_text() == MATRIX


def test_quiet_hides_notes_and_keeps_warnings_and_results(lulc, monkeypatch):
    def run(args):
        progress.note("how it was done")
        habits.LOG.warning("warning: %s", "what is doubtful")
        print("the result")
        return 0

    monkeypatch.setattr("lulc_lib.cli.accuracy.run_accuracy", run)
    loud, quiet = lulc("accuracy", "m.csv"), lulc("accuracy", "m.csv", "--quiet")
    assert loud == (0, "the result\n", "lulc accuracy: how it was done\n"
                    "lulc accuracy: warning: what is doubtful\n")
    assert quiet == (0, "the result\n", "lulc accuracy: warning: what is doubtful\n")


def test_warnings_of_libraries_go_to_the_log_only(lulc, monkeypatch, tmp_path):
    def run(args):
        import warnings

        warnings.warn("nothing that you can act on", FutureWarning, stacklevel=1)
        habits.LOG.info("a detail")
        return 0

    monkeypatch.setattr("lulc_lib.cli.accuracy.run_accuracy", run)
    assert lulc("accuracy", "m.csv", "--log", "run.log") == (0, "", "")
    log = (tmp_path / "run.log").read_text()
    assert "FutureWarning: nothing that you can act on" in log and "a detail" in log
    assert "lulc accuracy m.csv --log run.log" in log and "reads m.csv; writes nothing" in log
    code, out, err = lulc("accuracy", "m.csv", "-v")
    assert (code, out) == (0, "") and "a detail" in err
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:", err)
    assert not logging.getLogger("lulc_lib").handlers


@pytest.mark.parametrize(("command", "package", "words"), [
    ("classify", "torch", ["scene.tif", "-o", "map.tif"]),
    ("accuracy", "rasterio", ["map.tif", "reference.tif"]),
    ("sites", "geopandas", ["map_20230709.tif", "-o", "sites.gpkg"]),
    ("earth-engine", "ee_local", []),
])
def test_a_missing_package_names_the_extra(tmp_path, command, package, words):
    for word in words:
        if command == "accuracy" or word.startswith(("scene", "map_")):
            (tmp_path / word).write_bytes(b"II*\0")
    code = (f"import sys; sys.modules[{package!r}] = None; from lulc_lib.cli import main; "
            f"sys.exit(main({[command, *words]}))")
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 2 and run.stderr.count("\n") == 1, run.stderr
    assert (f"needs {package}, which is not installed; pip install "
            f"'lulc_lib[{habits.EXTRAS[command]}]'") in run.stderr


def test_the_help_names_every_environment_variable(lulc):
    code = "\n".join(p.read_text() for p in (ROOT / "lulc_lib").rglob("*.py")
                     if p.name != "backend.py")  # EE_… belong to notebook 03
    named = set(re.findall(r'environ[^\n]*"([A-Z][A-Z_]+)"', code)) - {"_ARGCOMPLETE"}
    assert {"LULC_DATA", "LULC_DATA_URL", "LULC_OUTPUT"} <= named
    shown = lulc("--help")[1]
    assert {name for name in named if name not in shown} == set()


def test_the_shell_completes_commands_and_options(tmp_path):
    """What bash asks of argcomplete, and what it answers."""
    for line, wanted in (("lulc acc", "accuracy"), ("lulc accuracy --inter", "--intervals")):
        answer = tmp_path / "answer"
        subprocess.run(
            [sys.executable, "-m", "lulc_lib"], cwd=ROOT, check=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=os.environ | {
                "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)),
                "_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "IFS": "\013",
                "_ARGCOMPLETE_IFS": "\013"})
        assert wanted in answer.read_text()


def test_long_work_without_a_terminal_says_how_long_it_still_takes(caplog, monkeypatch):
    clock = iter(range(0, 10_000, 50))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    caplog.set_level(progress.NOTE, "lulc_lib")
    with progress.Progress(100, "classifying") as bar:
        for _ in range(10):
            bar.update(10)
    assert caplog.messages[:2] == ["classifying: 20%, about 7 minutes left",
                                   "classifying: 30%, about 6 minutes left"]
    caplog.clear()
    with progress.Progress(100, "classifying", progress=False) as bar:
        bar.update(100)
    assert caplog.messages == []
