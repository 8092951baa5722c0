"""Mutation testing of ``accuracy/`` and of the site rules: which small faults no test would find.

    python tests/mutants.py                    # every mutant, in an order drawn at random
    python tests/mutants.py --seconds 4        # tried by the quickest tests that reach it only
    python tests/mutants.py --again            # those that survived, by all tests that reach them
    python tests/mutants.py --again --tests tests/accuracy/test_x.py    # by a test that is new
    python tests/mutants.py --survivors        # what the last run left alive, as differences
    python tests/mutants.py --only lulc_lib.accuracy --seed 2 --number 400    # a sample drawn anew

mutmut changes one operator, number, text or argument at a time in a copy of the tree
(``build/mutants``). The tests are collected once; each mutant is then a fork of that process, in
which the tests that reach it run, those first that killed a neighbour of it, until one fails. So
a mutant takes a fraction of a second. A run that was stopped goes on; as the order is random,
what was tried is a random sample. Texts of errors are left as they are: tests look for their
words. The reasons of survivors are in ``tests/accuracy/surviving_mutants.md``.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from killed_runs import ROOT, copied
from scipy.stats import binomtest

FOLDER = ROOT / "build" / "mutants"
PACKAGES = FOLDER / ".packages"
MUTMUT = "mutmut==3.8.1"
SETTINGS = """
[tool.mutmut]
source_paths = ["lulc_lib"]
only_mutate = ["lulc_lib/accuracy/*", "lulc_lib/sites/rules.py"]
also_copy = ["tests", "results", "notebooks", "experiments", "scripts"]
track_dependencies = false
use_git_change_detection = false
do_not_mutate_patterns = ['raise \\w+']
"""
TESTS = ["lulc_lib/accuracy", "lulc_lib/sites/rules.py", "tests/accuracy",
         "tests/sites/test_rules.py", "tests/sites/test_rules_exactly.py",
         "tests/study/test_protocols.py",
         "tests/study/test_properties.py", "tests/study/test_bad_calls.py",
         "tests/study/test_readme.py", "tests/cli/test_cli_accuracy.py"]
KILLED, SURVIVED, UNREACHED = (1, 24, 14), 0, 33
"""What is kept of a mutant: a test failed or ran out of time (CPU, wall), all passed, no test."""
SLOWEST = 20.0
"""Seconds above which a test is left out: what these reach others reach, too."""
MEMORY = 4 << 30
CHECKED = 25
"""Each so many-th kill, the test that failed is run without the mutant: it must pass."""


def mutmut() -> object:
    """Import mutmut, which is no part of the environment, with the copy as its project."""
    os.chdir(FOLDER)
    sys.path.append(str(PACKAGES))
    main = importlib.import_module("mutmut.__main__")
    main.config()  # reads the folder's settings while it is the working directory
    return main


def results() -> Iterator[tuple[str, str, int | None]]:
    """Give the module, the name and the exit code of each mutant."""
    for path in sorted((FOLDER / "mutants" / "lulc_lib").rglob("*.meta")):
        module = str(path.relative_to(FOLDER / "mutants"))
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
            yield module.removesuffix(".meta"), name, code


def prepare() -> None:
    """Copy the tree, install mutmut beside it, and make the mutants."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    copied(FOLDER)
    with (FOLDER / "pyproject.toml").open("a") as out:
        out.write(SETTINGS)
    if not PACKAGES.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", PACKAGES, MUTMUT],
                       check=True)
    main = mutmut()
    os.environ["MUTANT_UNDER_TEST"] = "mutant_generation"
    main.copy_src_dir()
    main.copy_also_copy_files()
    main.create_mutants(1)
    os.chdir("mutants")
    sys.path.insert(0, os.getcwd())
    os.environ["PYTHONPATH"] = os.getcwd()


def forked(work: Callable[[], int], cpu_s: float, log: Path) -> int:
    """Run in a fork within limits of time and memory; its exit code, or the signal of its end."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    pid = os.fork()
    if not pid:
        try:
            os.setsid()
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1), os.dup2(out, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s) + 1, int(cpu_s) + 2))
            resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
            signal.alarm(int(8 * cpu_s) + 60)
            os._exit(work())
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what its tests may have started
    return os.waitstatus_to_exitcode(status) % 256 if os.WIFEXITED(status) else os.WTERMSIG(status)


class Mutants:
    """A plugin of pytest that runs the collected tests on each mutant, in forks."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.seconds, self.again, self.args = args.seconds, args.again, args
        self.place = Path(tempfile.mkdtemp(prefix="mutants-"))
        self.reach: dict[str, list[str]] = defaultdict(list)  # of a function: its tests
        self.took: dict[str, float] = {}

    def pytest_configure(self) -> None:
        """Let hypothesis stop at the first example that fails."""
        settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None)
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> None:
        """End the fork at the first failure."""
        if call.excinfo and not isinstance(call.excinfo.value, pytest.skip.Exception):
            (self.place / "failed").write_text(item.nodeid)
            print(f"{item.nodeid}: {call.excinfo.exconly()}", flush=True)
            os._exit(1)

    def run(self, items: list[pytest.Item], mutant: str) -> int:
        """Run tests with a mutant in place."""
        from mutmut.mutation.trampoline import set_mutant_under_test
        set_mutant_under_test(mutant)
        factory = items[0].config._tmp_path_factory
        factory._basetemp = None
        factory._given_basetemp = self.place / "tmp"
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return 0

    def forked(self, items: list[pytest.Item], mutant: str, cpu_s: float) -> int:
        """Run tests in a fork, in a temporary folder of its own."""
        (self.place / "failed").unlink(missing_ok=True)
        code = forked(lambda: self.run(items, mutant), cpu_s, self.place / "log")
        shutil.rmtree(self.place / "tmp", ignore_errors=True)
        return code

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Find out what each test reaches, then try the mutants."""
        items = [i for i in session.items if "__mutmut" not in i.name]
        self.items = {i.nodeid: i for i in items}
        self.warm(items)
        gc.collect(), gc.freeze(), gc.disable()
        for item in items:
            self.trace(item)
        self.try_all()
        shutil.rmtree(self.place)
        return True

    def warm(self, items: list[pytest.Item]) -> None:
        """Import what the tests import on their way."""
        seen = self.place / "modules"

        def all_of_them() -> int:
            for item in items:
                with suppress(BaseException):
                    item.session._setupstate.setup(item)
                    item.runtest()
                item.session._setupstate.teardown_exact(None)
            seen.write_text("\n".join(sys.modules))
            return 0

        def work() -> int:
            factory = items[0].config._tmp_path_factory
            factory._basetemp, factory._given_basetemp = None, self.place / "tmp"
            return all_of_them()

        forked(work, 1200, self.place / "log")
        for name in seen.read_text().split() if seen.exists() else ():
            if name not in sys.modules and not name.startswith(("__", "test")):
                with suppress(BaseException):
                    importlib.import_module(name)

    def trace(self, item: pytest.Item) -> None:
        """Note which functions a test reaches, and how long it takes; drop it if it fails."""
        from mutmut.state import state
        found = self.place / "reached"
        found.unlink(missing_ok=True)

        def work() -> int:
            begun = time.process_time()
            self.run([item], "stats")
            found.write_text(json.dumps([time.process_time() - begun, sorted(state()._stats)]))
            return 0

        if forked(work, 10 * SLOWEST, self.place / "log") or not found.exists():
            print(f"left out, fails without a mutant: {item.nodeid}", flush=True)
            print((self.place / "log").read_text()[-1500:], flush=True)
            return
        self.took[item.nodeid], names = json.loads(found.read_text())
        if self.took[item.nodeid] > SLOWEST:
            print(f"left out, {self.took[item.nodeid]:.0f} s: {item.nodeid}", flush=True)
            return
        for name in names:
            self.reach[name].append(item.nodeid)

    def try_all(self) -> None:
        """Try the mutants in an order drawn at random, the site rules first."""
        from mutmut.mutation.data import SourceFileMutationData
        killers: dict[str, list[str]] = defaultdict(list)  # of a function, the latest first
        wanted = sorted(name for _, name, code in results()
                        if (code in (SURVIVED, UNREACHED) if self.again else code is None))
        wanted = [name for name in wanted if name.startswith(self.args.only)]
        random.Random(self.args.seed).shuffle(wanted)
        wanted = sorted(wanted, key=lambda name: ".sites." not in name)[:self.args.number]
        modules = {name: module for module, name, _ in results()}
        os.chdir("..")  # mutmut's data are named from there
        files = {m: SourceFileMutationData(path=m) for m in set(modules.values())}
        for file in files.values():
            file.load()
        os.chdir("mutants")
        end = time.monotonic() + 60 * self.args.minutes
        for number, name in enumerate(wanted, start=1):
            if time.monotonic() > end:
                break
            function = name.partition("__mutmut_")[0]
            code, killer = self.try_one(name, killers[function])
            if self.again and code == UNREACHED:
                continue  # by these tests
            if killer:
                killers[function] = [killer, *(k for k in killers[function] if k != killer)]
                if number % CHECKED == 0 and self.forked([self.items[killer]], "", 60):
                    print(f"fails without a mutant, too: {killer}", flush=True)
            files[modules[name]].exit_code_by_key[name] = code
            os.chdir("..")
            files[modules[name]].save()
            os.chdir("mutants")
            if number % 100 == 0:
                print(f"{number} of {len(wanted)}", flush=True)

    def try_one(self, name: str, killers: list[str]) -> tuple[int, str]:
        """Run the tests that reach a mutant; what came of it, and the test that killed it."""
        tests = sorted(self.reach[name.partition("__mutmut_")[0]], key=self.took.get)
        if not tests:
            return UNREACHED, ""
        chosen, seconds = [], 0.0
        for test in [*killers[:3], *(t for t in tests if t not in killers[:3])]:
            seconds += self.took[test]
            if chosen and seconds > self.seconds:
                break
            chosen.append(test)
        code = self.forked([self.items[t] for t in chosen], name, 5 + 5 * min(seconds, 60))
        failed = self.place / "failed"
        return code, failed.read_text() if code == 1 and failed.exists() else ""


def report() -> None:
    """Print how many mutants of each module were tried and killed, with Wilson's interval."""
    table: dict[str, list[int]] = {}
    for module, _, code in results():
        row = table.setdefault(module, [0, 0, 0, 0])
        row[0] += 1
        row[1] += code is not None
        row[2] += code not in (SURVIVED, UNREACHED, None)
        row[3] += code == UNREACHED
    print(f"{'module':45}{'mutants':>9}{'tried':>7}{'killed':>8}{'no test':>9}")
    for module, row in [*table.items(), ("all", [sum(c) for c in zip(*table.values(),
                                                                       strict=True)])]:
        line = f"{module:45}{row[0]:9}{row[1]:7}{row[2]:8}{row[3]:9}"
        if row[1]:
            low, high = binomtest(row[2], row[1]).proportion_ci(method="wilson")
            line += f"{row[2] / row[1]:8.1%}" + (f" ({low:.1%} to {high:.1%})"
                                                 if row[1] < row[0] else "")
        print(line)


def main() -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=float("inf"), metavar="S",
                        help="tests of a mutant, the quickest first, up to so many seconds")
    parser.add_argument("--again", action="store_true", help="try those that survived")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="then stop")
    parser.add_argument("--only", default="", help="mutants whose names begin so")
    parser.add_argument("--seed", type=int, default=19, help="of the order")
    parser.add_argument("--number", type=int, help="then stop (default: all)")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="only these")
    parser.add_argument("--survivors", action="store_true", help="show what is alive")
    parser.add_argument("--report", action="store_true", help="show the table only")
    args = parser.parse_args()
    if args.survivors:
        main = mutmut()
        for module, name, code in results():
            if code in (SURVIVED, UNREACHED):
                print(f"# {name}\n{main.get_diff_for_mutant(name, path=Path(module))}")
    elif not args.report:
        prepare()
        os.environ["MUTANT_UNDER_TEST"] = ""
        pytest.main(["--rootdir=.", "-qs", "-p", "no:cacheprovider", "--doctest-modules",
                     *args.tests], plugins=[Mutants(args)])
    report()


if __name__ == "__main__":
    main()
