"""All notebooks that read scenes run to their end on the synthetic landscape."""

import shutil
import subprocess

from tests.conftest import ROOT
from tests.study.test_notebooks import NOTEBOOKS, RUNNER

LESSON = ("05a", "05b")
"""They read no scene; test_notebooks_numbers.py runs them."""


def test_all_run_on_the_synthetic_landscape():
    """What `make smoke SOURCE=synthetic` does, in order, into build/ only."""
    before = {n: n.read_bytes() for n in NOTEBOOKS}
    shutil.rmtree(ROOT / "build" / "synthetic-smoke" / "build", ignore_errors=True)  # train anew
    for notebook in NOTEBOOKS:
        if not notebook.name.startswith(LESSON):
            out = ROOT / "build" / "synthetic-smoke" / notebook.name
            run = subprocess.run(
                [*RUNNER, notebook.relative_to(ROOT), "--output", out, "--source", "synthetic",
                 "--budget", "smoke"], cwd=ROOT, capture_output=True, text=True)
            assert run.returncode == 0, run.stderr[-3000:]
    assert {n: n.read_bytes() for n in NOTEBOOKS} == before
    figures = list((ROOT / "build/synthetic-smoke/figures/synthetic").glob("*.png"))
    assert len(figures) >= 13
