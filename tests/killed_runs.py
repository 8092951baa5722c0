"""Kill ``make reproduce`` at random moments and run it again: the same results, no stale file.

    python tests/killed_runs.py --kills 20

One copy of the tree is run undisturbed, another is killed again and again (by SIGKILL and SIGTERM
in turn) and then run to its end. It takes several times as long as the run itself, and so is no
part of ``make test``. The exit code is 1 where the copies differ.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN = re.compile(r"(^|/)(__pycache__|locks|\.ipynb_checkpoints)/|tfevents")
"""Files whose names tell of the process that wrote them, and what Python and make keep."""

CLOCK = re.compile(r"(^|_)(seconds|minutes)(_|$)")
"""Names of results that are times."""


def copied(folder: Path) -> Path:
    """Copy what git knows or would add."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def started(folder: Path, goals: list[str]) -> subprocess.Popen[bytes]:
    """Start make in a copy, as a group of processes that can be killed together.

    It uses this folder's environment and does not look whether that is complete.
    """
    paths = os.pathsep.join(map(str, (folder, folder / "ee_local" / "src")))
    command = ["make", "-o", "env", f"VENV={ROOT / '.venv'}", "reproduce", *goals]
    return subprocess.Popen(command, cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL,
                            stderr=(folder.parent / f"{folder.name}.log").open("ab"),
                            env=os.environ | {"PYTHONPATH": paths})


def finished(folder: Path, goals: list[str]) -> float:
    """Run make to its end; return the seconds."""
    begun = time.monotonic()
    if started(folder, goals).wait():
        sys.exit(f"make reproduce failed in {folder}; see {folder}.log")
    return time.monotonic() - begun


def kill(folder: Path, goals: list[str], kills: int, seconds: float, rng: random.Random) -> None:
    """Kill runs at moments spread over the whole; a run that ends before begins from nothing."""
    for k in range(kills):
        run, moment = started(folder, goals), rng.uniform(0, 3 * seconds / kills)
        try:
            run.wait(moment)
            shutil.rmtree(folder / "build")
            print(f"{k + 1}: ended by itself; begun anew", flush=True)
        except subprocess.TimeoutExpired:
            sign = (signal.SIGKILL, signal.SIGTERM)[k % 2]
            os.killpg(run.pid, sign)
            run.wait()
            done = len(list(folder.glob("build/*/*.ipynb")))
            print(f"{k + 1}: {sign.name} after {moment:.1f} s, {done} notebooks there", flush=True)


def files(folder: Path) -> dict[str, Path]:
    """Map the names of a copy's files to where they are."""
    names = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return {n: p for n, p in names.items() if not OWN.search(n)}


def values(value: object) -> object:
    """Return results without the times that a run took."""
    if isinstance(value, dict):
        return {k: values(v) for k, v in value.items() if not CLOCK.search(k)}
    return [values(v) for v in value] if isinstance(value, list) else value


def differences(one: Path, two: Path) -> list[str]:
    """Say which files only one copy has, and which results or figures differ."""
    left, right = files(one), files(two)
    found = [f"only undisturbed: {n}" for n in sorted(left.keys() - right.keys())]
    found += [f"only killed: {n}" for n in sorted(right.keys() - left.keys())]
    for name in sorted(left.keys() & right.keys()):
        if "/results/" in f"/{name}" and name.endswith(".json"):
            a, b = (values(json.loads(p.read_text())["values"]) for p in (left[name], right[name]))
            same = a == b
        else:
            same = not name.endswith(".png") or left[name].read_bytes() == right[name].read_bytes()
        found += [] if same else [f"differ: {name}"]
    return found


def main() -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--source", default="auto", choices=["auto", "published", "synthetic"])
    parser.add_argument("--notebooks", nargs="+", help="only these (default: all)")
    args = parser.parse_args()
    goals = [f"SOURCE={args.source}", "BUDGET=smoke"]
    goals += [f"NOTEBOOKS={' '.join(args.notebooks)}"] if args.notebooks else []
    with tempfile.TemporaryDirectory(prefix="killed-") as place:
        one, two = (copied(Path(place) / n) for n in ("undisturbed", "killed"))
        seconds = finished(one, goals)
        print(f"undisturbed: {seconds:.0f} s", flush=True)
        kill(two, goals, args.kills, seconds, random.Random(args.seed))
        finished(two, goals)
        found = differences(one, two)
    print("\n".join(found) or f"{args.kills} kills: the same results and figures, no stale file")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
