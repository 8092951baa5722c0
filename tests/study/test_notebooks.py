"""The notebooks: clean as committed, and what runs them.

That they run to their end, and that their numbers are still true, is in ``test_notebooks_run.py``
and ``test_notebooks_numbers.py``: files of their own, as tests run side by side file by file.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
RUNNER = [sys.executable, str(ROOT / "scripts" / "run_notebook.py")]
MOST_IMPORTS = 8
FORBIDDEN = r"sys\.path|!pip|%pip|import \*|filterwarnings\(.ignore.\)|^\s*class |/home/|C:\\"


def cells(path, kind):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_habits(path):
    first = nbformat.read(path, as_version=4).cells[0].source
    assert first.startswith("# ")
    assert first.splitlines()[0].endswith("?")
    for word in ("Reads", "Writes", "Needs", "Minutes", "Makes figures"):
        assert f"**{word}**" in first
    code = cells(path, "code")
    imports = [line for c in code for line in c.source.splitlines()
               if line.startswith(("import lulc_lib", "from lulc_lib"))]
    assert len(imports) <= MOST_IMPORTS, imports
    for line in imports:  # rooms, not the modules inside them
        assert not re.match(r"from lulc_lib\.\w+\.", line), line
    assert sum("parameters" in c.metadata.get("tags", []) for c in code) == 1
    for cell in code:
        lines = [line for line in cell.source.splitlines() if line.strip()]
        tags = cell.metadata.get("tags", [])
        assert len(lines) <= 8 or lines[0].startswith(("import", "from")), cell.source
        assert not re.search(FORBIDDEN, cell.source, re.MULTILINE), cell.source
        if "parameters" in tags:
            assert all("  # " in line for line in lines), "a parameter has no comment"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_committed_with_clean_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    code = cells(path, "code")
    assert [c.execution_count for c in code] == list(range(1, len(code) + 1))
    assert any(o.output_type in ("display_data", "execute_result") for c in code for o in c.outputs)
    assert not any(o.output_type == "error" for c in code for o in c.outputs
                   if "raises-exception" not in c.metadata.get("tags", []))
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert all(set(c.metadata) <= {"tags"} for c in notebook.cells)
    text = path.read_text()
    places = (ROOT, Path.home(), Path(tempfile.gettempdir()))
    assert not [p for p in places if f"{p}/" in text], "a path of this machine"
    assert not re.search(r"/home/|papermill", text)
    assert '"name": "stderr"' not in text
    assert not re.search(r'\bT_[0-9a-f]{5}[_\\"]', text), "a table's random name"


@pytest.fixture
def one_cell_notebook(tmp_path):
    """A function that writes a notebook of the given code cells and runs it."""

    def run(*code):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in code])
        notebook.cells[0].metadata["tags"] = ["parameters"]
        notebook.metadata["language_info"] = {"name": "python"}
        path = tmp_path / "99_example.ipynb"
        nbformat.write(notebook, path)
        return subprocess.run([*RUNNER, path, "--output", tmp_path / "out" / "99_example.ipynb",
                               "--source", "synthetic", "--budget", "smoke"],
                              capture_output=True, text=True, cwd=ROOT)

    return run


def test_a_failing_cell_is_named(one_cell_notebook, tmp_path):
    run = one_cell_notebook("source = 'auto'  # data", "x = 1", "raise ValueError('rows are 3')")
    assert run.returncode == 1
    assert ("99_example.ipynb failed in cell 3 (raise ValueError('rows are 3')): "
            "ValueError: rows are 3") in run.stderr
    assert not (tmp_path / "out" / "99_example.ipynb").exists()


def test_a_notebook_that_stops_early_is_not_done(one_cell_notebook, tmp_path):
    run = one_cell_notebook("source = 'auto'  # data", "import sys; sys.exit(0)", "x = 1")
    assert run.returncode == 1
    assert "did not run to its end" in run.stderr or "failed in cell" in run.stderr
    assert not (tmp_path / "out" / "99_example.ipynb").exists()


def test_parameters_reach_the_notebook_and_leave_no_trace(one_cell_notebook, tmp_path):
    run = one_cell_notebook("source = 'auto'  # data", "print(source)")
    assert run.returncode == 0, run.stderr
    done = nbformat.read(tmp_path / "out" / "99_example.ipynb", as_version=4)
    assert [c.execution_count for c in done.cells] == [1, 2]
    assert done.cells[1].outputs[0].text.strip() == "synthetic"


@pytest.fixture(scope="module")
def runner():
    spec = importlib.util.spec_from_file_location("run_notebook", RUNNER[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_figure_and_result_is_a_product_of_one_notebook(runner):
    made = [p for n in NOTEBOOKS for p in runner.products(n, ROOT, "published")]
    assert len(made) == len(set(made))
    assert {*(ROOT / "figures" / "published").glob("*.png")} == {p for p in made
                                                                 if p.suffix == ".png"}
    assert all(p.exists() for p in made)


def test_a_changed_figure_has_its_notebook_run_again(runner, tmp_path, capsys):
    figure, output = tmp_path / "nb02_x.png", tmp_path / "02_train_unet.ipynb"
    for path in (figure, output):
        path.write_text("as written")
    runner.hashes_beside(output).write_text(json.dumps({str(figure): runner.sha256(figure)}))
    runner.check(tmp_path)
    assert output.exists() and capsys.readouterr().err == ""
    figure.write_text("of a smoke run in JupyterLab")
    runner.check(tmp_path)
    assert not output.exists()
    assert "nb02_x.png is not what 02_train_unet.ipynb wrote" in capsys.readouterr().err


def test_a_copy_that_was_worked_in_stays(runner, tmp_path, capsys):
    runner.copy_notebooks(tmp_path)
    assert {p.name for p in tmp_path.glob("*.ipynb")} == {n.name for n in NOTEBOOKS}
    (tmp_path / NOTEBOOKS[0].name).write_text("mine")
    (tmp_path / NOTEBOOKS[1].name).unlink()
    runner.copy_notebooks(tmp_path)
    assert (tmp_path / NOTEBOOKS[0].name).read_text() == "mine"
    assert (tmp_path / NOTEBOOKS[1].name).read_bytes() == NOTEBOOKS[1].read_bytes()
    assert capsys.readouterr().err == ""
