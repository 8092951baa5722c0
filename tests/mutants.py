"""Mutation testing of ``accuracy/`` and of the site rules: which small faults no test would find.

    python tests/mutants.py                    # every mutant: a day of computing
    python tests/mutants.py --sample 60        # as many of each module, drawn at random
    python tests/mutants.py --survivors        # what the last run left alive, as differences

mutmut changes one operator, number, text or argument at a time in a copy of the tree
(``build/mutants``) and runs the tests that reach it. A run that was stopped goes on. Texts of
errors are left as they are: tests look for their words. The reasons of survivors are in
``tests/accuracy/surviving_mutants.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator

from killed_runs import ROOT, copied

FOLDER = ROOT / "build" / "mutants"
PACKAGES = FOLDER / ".packages"
MUTMUT = "mutmut==3.8.1"
SETTINGS = """
[tool.mutmut]
source_paths = ["lulc_lib"]
only_mutate = ["lulc_lib/accuracy/*", "lulc_lib/sites/rules.py"]
do_not_mutate = ["*/__init__.py"]
also_copy = ["tests", "results", "notebooks", "experiments", "scripts"]
pytest_add_cli_args_test_selection = ["tests/accuracy", "tests/sites/test_rules.py",
  "tests/study/test_protocols.py", "tests/study/test_intervals.py",
  "tests/cli/test_cli_accuracy.py"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "--no-header", "--deselect",
  "tests/accuracy/test_lesson.py"]
track_dependencies = false
use_git_change_detection = false
do_not_mutate_patterns = ['raise \\w+']
"""
KILLED, SURVIVED, UNREACHED = (1, 3, 24, 36, 152, 255), 0, (5, 33)
"""Exit codes that mutmut keeps of a mutant's tests: failed or out of time, passed, no test."""


def mutmut(*arguments: str) -> str:
    """Run mutmut in the copy; return what it printed."""
    return subprocess.run([sys.executable, "-m", "mutmut", *arguments], cwd=FOLDER, text=True,
                          stdout=subprocess.PIPE,
                          env=os.environ | {"PYTHONPATH": str(PACKAGES)}).stdout


def results() -> Iterator[tuple[str, str, int | None]]:
    """Give the module, the name and the exit code of each mutant."""
    for path in sorted((FOLDER / "mutants" / "lulc_lib").rglob("*.meta")):
        module = str(path.relative_to(FOLDER / "mutants"))
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
            yield module.removesuffix(".meta"), name, code


def prepare() -> None:
    """Copy the tree, and install mutmut beside it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    copied(FOLDER)
    with (FOLDER / "pyproject.toml").open("a") as out:
        out.write(SETTINGS)
    if not PACKAGES.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", PACKAGES, MUTMUT],
                       check=True)


def drawn(number: int) -> list[str]:
    """Return names of mutants: as many of each module, the same at every call."""
    modules: dict[str, list[str]] = {}
    for module, name, _ in results():
        modules.setdefault(module, []).append(name)
    rng = random.Random(19)
    return [n for names in modules.values() for n in rng.sample(sorted(names),
                                                                 min(number, len(names)))]


def report() -> None:
    """Print how many mutants of each module were tried and killed."""
    table: dict[str, list[int]] = {}
    for module, _, code in results():
        row = table.setdefault(module, [0, 0, 0, 0])
        row[0] += 1
        row[1] += code is not None
        row[2] += code in KILLED
        row[3] += code in UNREACHED
    print(f"{'module':45}{'mutants':>9}{'tried':>7}{'killed':>8}{'no test':>9}")
    for module, row in [*table.items(), ("all", [sum(c) for c in zip(*table.values(),
                                                                       strict=True)])]:
        share = f"{row[2] / row[1]:.1%}" if row[1] else ""
        print(f"{module:45}{row[0]:9}{row[1]:7}{row[2]:8}{row[3]:9}{share:>9}")


def main() -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, metavar="N", help="only N mutants of each module")
    parser.add_argument("--survivors", action="store_true")
    args = parser.parse_args()
    if args.survivors:
        for _, name, code in results():
            if code == SURVIVED or code in UNREACHED:
                print(mutmut("show", name))
        return
    prepare()
    names = []
    if args.sample:
        mutmut("run", "--max-children", "1", "lulc_lib.accuracy.calibration*")  # makes all mutants
        names = drawn(args.sample)
    mutmut("run", *names)
    report()


if __name__ == "__main__":
    main()
