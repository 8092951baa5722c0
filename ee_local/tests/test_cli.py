"""The command: its address, how it ends, its list of functions, and what it refuses."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from ee_local.cli import function_list, main
from local_engine import write_scenes

import ee_local

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(tmp_path, ending):
    write_scenes(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "ee_local.cli", str(tmp_path), "--collection", "A/B", "--exports",
         str(tmp_path / "out")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # a run in the background ignores Ctrl-C and would hand that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        assert requests.get(f"{address}/v1/projects/offline/assets/A/B", timeout=60).ok
        process.send_signal(ending)
        told = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 0 and "A/B (2 images)" in told and "Traceback" not in told
    assert f"Exports come to {tmp_path / 'out'}" in told


@pytest.mark.parametrize("arguments, words", [
    (["none"], "none: no such folder"), ([".", "--port", "99999"], "99999"),
    ([".", "--collection", "a b"], "collection is 'a b'")])
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, words):
    write_scenes(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and words in told.err


def test_a_folder_is_needed(capsys):
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2 and "folder of GeoTIFFs is missing" in capsys.readouterr().err


def test_the_readme_lists_the_functions_that_are_implemented(capsys):
    assert main(["--functions"]) == 0
    assert capsys.readouterr().out == function_list() + "\n"
    assert function_list() in README.read_text("utf-8"), "run python update_readme.py in ee_local/"
    assert len(ee_local.functions()) == 639
