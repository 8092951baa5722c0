"""Kill ``make reproduce`` at random moments and run it again: the same results, no stale file.

    python tests/killed_runs.py --kills 20
    python tests/killed_runs.py --keep FOLDER    # goes on where it was stopped

One copy of the tree is run undisturbed. In another, moments drawn at random from the time that it
took become kills (by SIGKILL and SIGTERM in turn), each in the notebook that ran then and as long
after its beginning; every run goes on from what the one before left, and the last comes to its
end. Every address beyond this machine that a run asks for is refused and recorded. It takes about
three times as long as the run itself, and so is no part of ``make test``. The exit code is 1 where
the copies differ or another machine was asked for.
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
    paths = os.pathsep.join(map(str, (folder, folder / "ee_local" / "src",
                                      folder / "tests" / "loopback")))
    command = ["make", "-o", "env", f"VENV={ROOT / '.venv'}", "reproduce", *goals]
    return subprocess.Popen(command, cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL,
                            stderr=(folder.parent / f"{folder.name}.log").open("ab"),
                            env=os.environ | {"PYTHONPATH": paths,
                                              "LULC_SOCKETS": str(folder.parent / "sockets")})


def finished(folder: Path, goals: list[str]) -> None:
    """Run make to its end."""
    if started(folder, goals).wait():
        sys.exit(f"make reproduce failed in {folder}; see {folder}.log")


def notebooks(folder: Path) -> list[float]:
    """Return when each notebook that is there was done, in order."""
    return sorted(path.stat().st_mtime for path in folder.glob("build/*/*.ipynb")
                  if not path.name.endswith(".running.ipynb"))


def kill(folder: Path, goals: list[str], moments: list[tuple[int, float]], state: Path) -> None:
    """Kill a run once for each moment: notebooks done before it, and seconds after the last."""
    number = json.loads(state.read_text())["killed"]
    while number < len(moments):
        before, seconds = moments[number]
        run, begun = started(folder, goals), time.time()
        while run.poll() is None and len(notebooks(folder)) < before:
            time.sleep(0.5)
        begun = max([begun, *notebooks(folder)])
        while run.poll() is None and time.time() < begun + seconds:
            time.sleep(0.1)
        if run.poll():
            sys.exit(f"make reproduce ended with {run.returncode}; see {folder}.log")
        if run.poll() == 0:  # it was faster than the undisturbed run: its last notebook once more
            max(folder.glob("build/*/*.ipynb"), key=lambda p: p.stat().st_mtime).unlink()
            moments[number] = before, seconds / 2
            continue
        sign = (signal.SIGKILL, signal.SIGTERM)[number % 2]
        os.killpg(run.pid, sign)
        run.wait()
        number += 1
        print(f"{number}: {sign.name} {time.time() - begun:.1f} s after notebook {before} was "
              f"done or make began, {len(notebooks(folder))} are there", flush=True)
        state.write_text(json.dumps(json.loads(state.read_text()) | {"killed": number}))


def drawn(kills: int, done: list[float], seed: int) -> list[tuple[int, float]]:
    """Draw moments of the undisturbed run, in their order; ``done`` begins with its beginning."""
    rng = random.Random(seed)
    times = sorted(rng.uniform(0, done[-1] - done[0]) for _ in range(kills))
    of = [sum(end - done[0] <= moment for end in done) - 1 for moment in times]
    return [(n, moment - (done[n] - done[0])) for n, moment in zip(of, times, strict=True)]


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
            a, b = (json.loads(p.read_text()) for p in (left[name], right[name]))
            a, b = (values(each.get("values", each)) for each in (a, b))
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
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep copies and state here")
    args = parser.parse_args()
    goals = [f"SOURCE={args.source}", "BUDGET=smoke"]
    goals += [f"NOTEBOOKS={' '.join(args.notebooks)}"] if args.notebooks else []
    with tempfile.TemporaryDirectory(prefix="killed-") as place:
        place = args.keep or Path(place)
        one, two, state = place / "undisturbed", place / "killed", place / "state.json"
        if not state.exists():
            begun = time.time()
            finished(copied(one), goals)
            copied(two)
            state.write_text(json.dumps({"done": [begun, *notebooks(one)], "killed": 0}))
        done = json.loads(state.read_text())["done"]
        print(f"undisturbed: {done[-1] - done[0]:.0f} s", flush=True)
        kill(two, goals, drawn(args.kills, done, args.seed), state)
        finished(two, goals)
        found = differences(one, two)
        record = place / "sockets"
        found += record.read_text().splitlines() if record.exists() else []
    print("\n".join(found) or f"{args.kills} kills: the same results and figures, no stale file, "
          "no other machine asked for")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
