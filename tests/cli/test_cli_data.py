"""``lulc data`` as a user meets it: what it prints where, and its exit codes."""

import os
import subprocess
import sys

import pytest

from lulc_lib import cli
from lulc_lib.data import catalogue, download, source, stac
from lulc_lib.errors import InputError
from lulc_lib.io import http
from tests.http_server import FAST, entry, free_port, loopback_server

BODIES = {"img_train/strzegom_20230709_33u.tif": b"scene" * 900,
          "test_mask/strzegom_ref.gpkg": b"polygons" * 300}
SCENE, POLYGONS = BODIES


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A loopback server with a dataset of two files, and a quick policy."""
    files = tuple(entry(path, body) for path, body in BODIES.items())
    for module in (catalogue, source):
        monkeypatch.setattr(module, "published_files", lambda: files)
    monkeypatch.setattr(download, "Policy", lambda: FAST)
    monkeypatch.setenv("LULC_DATA", str(tmp_path / "data"))
    with loopback_server(monkeypatch) as running:
        running.files = {f"c0ffee/{path}": body for path, body in BODIES.items()}
        yield running


def lulc(capsys, *words):
    """Exit code, stdout, stderr."""
    try:
        code = cli.main(words)
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


def test_fetches_everything_then_says_nothing_is_missing(server, capsys, tmp_path):
    code, out, err = lulc(capsys, "data")
    assert code == 0 and "2 of 2 files verified, 2 of them just downloaded" in out
    assert "100%" in err and catalogue.TERMS in out
    code, out, err = lulc(capsys, "data")
    assert (code, err) == (0, "") and out.startswith("Nothing is missing: all 2 files")


def test_what_could_not_be_had_is_one_line(server, capsys):
    del server.files[f"c0ffee/{POLYGONS}"]
    code, out, err = lulc(capsys, "data")
    assert code == 2 and "1 of 2 files verified" in out
    assert err.splitlines()[-1].startswith(f"lulc data: 1 of 2 files could not be had: {POLYGONS}")
    assert "Traceback" not in err


def test_list_shows_states_summary_and_terms(server, capsys):
    path = catalogue.published_files()[0].path_in(os.environ["LULC_DATA"])
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    code, out, err = lulc(capsys, "data", "--list")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].split() == ["state", "role", "site", "date", "bytes", "path"]
    assert lines[1].startswith("damaged ") and lines[1].endswith(SCENE)
    assert lines[2].startswith("can be downloaded ") and "2023-07-09" in lines[2]
    assert "1 damaged, 1 can be downloaded" in out and lines[-1] == catalogue.TERMS
    assert not any(method == "GET" for method, _, _ in server.log)


def test_list_without_network(server, capsys, monkeypatch):
    monkeypatch.setenv("LULC_DATA_URL", f"http://127.0.0.1:{free_port()}")
    code, out, err = lulc(capsys, "data", "--list")
    assert (code, err) == (0, "") and "2 unavailable" in out and "cannot be reached" in out


def test_resolve_prints_one_word(server, capsys):
    code, out, err = lulc(capsys, "data", "--resolve", "auto")
    assert (code, out) == (0, "published\n") and "Data: published" in err, err
    code, out, err = lulc(capsys, "data", "--resolve", "paper")
    assert (code, out) == (2, "")
    assert err == ("lulc data: source is 'paper'; it must be one of auto, published, synthetic\n")


def test_stac_hands_over_its_arguments(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(stac, "fetch_scene", lambda *a, progress: asked.append(a) or "there.tif")
    code, out, _ = lulc(capsys, "data", "--stac", "kolbuszowa:2021-07-25")
    assert (code, out) == (0, "there.tif\n")
    lulc(capsys, "data", "--stac", "krakow_1:2022-06-03", "--service", "cdse", "-o", "x.tif")
    assert [tuple(map(str, a)) for a in asked] == [
        ("kolbuszowa", "2021-07-25", "earth-search", "None"),
        ("krakow_1", "2022-06-03", "cdse", "x.tif")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stac", "kolbuszowa"], "--stac is 'kolbuszowa'; it must be SITE:DATE"),
        (["--stac", "warszawa:2021-07-25"], "site is 'warszawa'; it must be one of"),
        (["--stac", "strzegom:yesterday"], "date is 'yesterday'; it must be a day"),
        (["--stac", "strzegom:2021-07-25", "--service", "x"], "service is 'x'; it must be one of"),
        (["-o", "x.tif"], "--output belongs to --stac"),
    ],
)
def test_bad_input_is_one_line_and_code_2(capsys, words, message):
    code, out, err = lulc(capsys, "data", *words)
    assert (code, out) == (2, "") and err.startswith(f"lulc data: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["no-such"], ["data", "--no-such"],
                                   ["data", "--list", "--resolve", "auto"]])
def test_usage_errors_are_code_2(capsys, words):
    code, out, err = lulc(capsys, *words)
    assert (code, out) == (2, "") and "usage: lulc" in err


@pytest.mark.parametrize("words", [["--help"], ["data", "--help"]])
def test_help_has_an_example(capsys, words):
    code, out, _ = lulc(capsys, *words)
    assert code == 0 and "example" in out and "lulc data --list" in out


def test_a_fault_of_ours_is_code_1(monkeypatch, capsys):
    def broken(*_, **__):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(stac, "fetch_scene", broken)
    monkeypatch.delenv("LULC_DEBUG", raising=False)
    code, out, err = lulc(capsys, "data", "--stac", "strzegom:2023-07-09")
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert "RuntimeError: two lines" in err and "LULC_DEBUG=1" in err
    monkeypatch.setenv("LULC_DEBUG", "1")
    with pytest.raises(RuntimeError):
        cli.main(["data", "--stac", "strzegom:2023-07-09"])


def test_stopping_is_quiet(monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(stac, "fetch_scene", stop)
    assert lulc(capsys, "data", "--stac", "strzegom:2023-07-09") == (130, "", "lulc: stopped\n")


def test_module_runs_as_a_program(tmp_path):
    env = os.environ | {"LULC_DATA": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path),
                        "LULC_DATA_URL": f"http://127.0.0.1:{free_port()}"}
    done = subprocess.run([sys.executable, "-m", "lulc_lib", "data"], env=env, cwd=tmp_path,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "37 of 37 files could not be had" in done.stderr.splitlines()[-1]
    assert isinstance(http.HostUnreachableError(""), InputError)
