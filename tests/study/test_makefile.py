"""The Makefile: every committed number has a rule, and notebooks depend on what they use."""

import ast
import json
import re
import shutil
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.study.test_structure import MODULES, module_behind, names_in, tree_of

NOTEBOOKS = sorted(p.stem for p in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
DATABASE = re.compile(r"^([^#\s][^:=]*):(?!=) ?(.*)$")


def rules(*goals: str) -> dict[str, set[str]]:
    """Target to prerequisites, as make itself has worked them out for these goals."""
    run = subprocess.run(["make", "-pn", *goals], cwd=ROOT, capture_output=True, text=True)
    found: dict[str, set[str]] = {}
    for line in run.stdout.splitlines():
        if match := DATABASE.match(line):
            for target in match[1].split():
                found.setdefault(target, set()).update(match[2].split())
    return found


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return rules("notebooks", "SOURCE=published", "BUDGET=default")


def code_of(notebook: str) -> str:
    cells = json.loads((ROOT / "notebooks" / f"{notebook}.ipynb").read_text())["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    return "\n".join(line for line in "\n".join(code).splitlines() if not line.startswith("%"))


def behind(names: set[str]) -> set[str]:
    """Modules that the names lead to, the packages around them, and all that these import."""
    todo, found = {m for n in names if (m := module_behind(n))}, set()
    while todo:
        module = todo.pop()
        found.add(module)
        parts = module.split(".")
        around = {".".join(parts[:n]) for n in range(1, len(parts))}
        tree = tree_of(MODULES[module])
        imported = {m for n in names_in(ast.walk(tree)) if (m := module_behind(n))}
        if any(isinstance(n, ast.FunctionDef) and n.name == "__getattr__" for n in tree.body):
            imported |= {m for m in MODULES if m.rpartition(".")[0] == module}  # when first used
        todo |= (around | imported) - found
    return found


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_depends_on_the_code_it_imports(notebook, graph):
    used = behind(names_in(ast.walk(ast.parse(code_of(notebook)))))
    given = graph[f"build/published-default/{notebook}.ipynb"]
    needed = {str(MODULES[m].relative_to(ROOT)) for m in used}
    assert needed - given == set()
    mine = {p for p in needed if p.startswith("lulc_lib/figures/")}
    assert {p for p in given if p.startswith("lulc_lib/figures/") and p.endswith(".py")} == mine


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_depends_on_the_results_it_reads(notebook, graph):
    read = re.findall(r'read_results\(\s*([\w."]+), "(\w+)"', code_of(notebook))
    paths = {f"results/{'synthetic' if 'synthetic' in source else 'published'}/{name}.json"
             for source, name in read}
    assert paths - graph[f"build/published-default/{notebook}.ipynb"] == set()


def test_every_committed_number_has_a_rule():
    """A file of results is written by a notebook, or is the target of an experiment."""
    written = {f"results/published/{name}.json" for notebook in NOTEBOOKS for name in
               re.findall(r'write_results\(\s*[\w.]+, "(\w+)"', code_of(notebook))}
    made = {t: {p for p in needed if p.startswith("build/experiments/")}
            for t, needed in rules("experiments").items()}
    stored = {str(p.relative_to(ROOT)) for p in (ROOT / "results").rglob("*.json")
              if p.name != "bench.json"}  # timings: `make bench`
    tables = {str(p.relative_to(ROOT)) for p in (ROOT / "lulc_lib/accuracy/lesson").glob("*.csv")
              if p.name != "peers.csv"}  # what other programs printed, cited with its source
    for path in {*stored, *tables, "lulc_lib/unet/study.pt", "lulc_lib/landscape/spectra.csv"}:
        assert path in written or made.get(path), f"no rule makes {path}"
        assert not (path in written and made.get(path)), f"two rules make {path}"


def test_every_experiment_is_a_target():
    made = rules("experiments")
    scripts = {p.stem for p in (ROOT / "experiments").glob("*.py")
               if "\ndef main(" in p.read_text()}
    run = subprocess.run(["make", "-n", "experiments"], cwd=ROOT, capture_output=True, text=True)
    assert scripts == set(re.findall(r"-m experiments\.(\w+)", run.stdout))
    for name in made["experiments"]:
        assert f"build/experiments/{name}" in made


@pytest.fixture
def run_after(tmp_path):
    """A function: the notebooks that run after a change of a file, and whether networks are kept.

    It works in a copy of the tree in which all notebooks are made, by a Python that only notes
    which it was asked to run.
    """
    for folder in ("lulc_lib", "ee_local", "experiments", "notebooks", "results", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder,
                        ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    noted, python = tmp_path / "noted", tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\ncase "$4" in *.ipynb) mkdir -p "${4%/*}"; touch "$4"; '
                      f'echo "$2" >> {noted};; esac\n')
    python.chmod(0o755)
    network = tmp_path / "build" / "unet" / "published" / "default" / "seed0.checkpoint"

    def change(path=None):
        noted.write_text("")
        if path:
            time.sleep(0.05)
            (tmp_path / path).touch()
        subprocess.run(["make", "notebooks", "SOURCE=published"], cwd=tmp_path, check=True,
                       capture_output=True)
        kept = network.exists()
        network.touch()
        return set(re.findall(r"notebooks/(\d+[ab]?)", noted.read_text())), kept

    change()
    return change


def test_another_figure_trains_no_network_again(run_after):
    assert run_after() == (set(), True)
    assert run_after("lulc_lib/figures/unet.py") == ({"02"}, True)
    assert run_after("lulc_lib/figures/lesson.py") == ({"05a", "05b"}, True)
    assert run_after("lulc_lib/sites/rules.py") == ({"07"}, True)
    assert run_after("results/published/scenes.json") == ({"04"}, True)
    assert run_after("lulc_lib/figures/comparison.py") == ({"06"}, True)
    assert run_after("lulc_lib/unet/loss.py") == ({"02", "06", "07"}, False)


def test_an_experiment_depends_on_the_code_it_imports():
    made = rules("experiments")
    run = subprocess.run(["make", "-n", "experiments"], cwd=ROOT, capture_output=True, text=True)
    commands = re.findall(r"-m experiments\.(\w+).*\ntouch (\S+)", run.stdout)
    assert commands
    for script, target in commands:
        given, todo = set(), {target}
        while todo:  # an experiment that follows another one depends on what that depends on
            given |= todo
            todo = {p for t in todo for p in made.get(t, ())} - given
        needed = {str(MODULES[m].relative_to(ROOT)) for m in behind({f"experiments.{script}"})}
        assert needed - given - {"experiments/__init__.py"} == set(), script


def test_an_experiment_runs_with_its_own_settings_alone():
    """What is prepared for one is not prepared for those that it depends on."""
    run = subprocess.run(["make", "-n", "-B", "experiments"], cwd=ROOT, capture_output=True,
                         text=True).stdout
    lines = re.findall(r"run_alone\.py (\w+) bash -euc '\((.*)\); (.*)'", run)
    made = {name: (before, command) for name, before, command in lines}
    assert len(lines) == len(made) > 10
    for name, (before, command) in made.items():
        modules = set(re.findall(r"-m (experiments\.\w+)", before))
        assert modules <= set(re.findall(r"-m (experiments\.\w+)", command)), name
        assert ("absent" in command) == (f"{name}.absent" in command)


def test_of_two_runs_in_one_folder_the_second_waits_for_the_first(tmp_path):
    """It says which it waits for; the first is killed without a chance to clean up."""
    alone = [sys.executable, ROOT / "scripts" / "run_alone.py", "reproduce"]
    first = subprocess.Popen([*alone, "sh", "-c", "echo begun; cat"], cwd=tmp_path,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "begun\n"
    second = subprocess.Popen([*alone, "echo", "done"], cwd=tmp_path, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        told = second.stderr.readline()
        assert "make reproduce: another one runs" in told and f"process {first.pid}," in told
        assert second.poll() is None
        other = subprocess.run([*alone[:2], "study", "echo", "other"], cwd=tmp_path, text=True,
                               capture_output=True, timeout=60)
        assert other.stdout == "other\n" and other.stderr == ""
    finally:
        first.kill()
        first.stdin.close()
    assert second.communicate(timeout=60) == ("done\n", "") and second.returncode == 0
    first.wait()


def test_what_writes_into_the_folder_runs_alone():
    run = subprocess.run(["make", "-n", "-B", "env", "experiments"], cwd=ROOT,
                         capture_output=True, text=True).stdout
    locked = set(re.findall(r"scripts/run_alone\.py (\w+)", run))
    assert {"env", *rules("experiments")["experiments"]} <= locked
    assert "@$(ALONE) reproduce $(MAKE)" in (ROOT / "Makefile").read_text()  # -n would run it
