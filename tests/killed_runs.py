"""Kill ``make reproduce`` at random moments and run it again: the same results, no stale file.

    python tests/killed_runs.py --kills 20
    python tests/killed_runs.py --keep FOLDER    # goes on where it was stopped

One copy of the tree is run undisturbed, another is killed again and again (by SIGKILL and SIGTERM
in turn), each time goes on from what is there, and is compared whenever it comes to its end; then
it begins from nothing. Every address beyond this machine that a run asks for is refused and
recorded. It takes about six times as long as the run itself, and so is no part of ``make test``.
The exit code is 1 where the copies differ or another machine was asked for.
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


def finished(folder: Path, goals: list[str]) -> float:
    """Run make to its end; return the seconds."""
    begun = time.monotonic()
    if started(folder, goals).wait():
        sys.exit(f"make reproduce failed in {folder}; see {folder}.log")
    return time.monotonic() - begun


def kill(one: Path, two: Path, goals: list[str], kills: int, seed: int) -> list[str]:
    """Kill runs at random moments; compare each that comes to its end. Return the differences."""
    state = two.parent / "state.json"
    done, seconds = json.loads(state.read_text())
    while len(done) < kills:
        moment = random.Random(seed + len(done)).uniform(0, seconds / 3)
        sign = (signal.SIGKILL, signal.SIGTERM)[len(done) % 2]
        begun = time.monotonic()
        run = started(two, goals)
        try:
            run.wait(moment)
            found = ended(one, two, run.returncode)
            if found:
                return found
            shutil.rmtree(two / "build")
            print("ended by itself with the same results; begins anew", flush=True)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, sign)
            run.wait()
            there = len(list(two.glob("build/*/*.ipynb")))
            done.append(f"{sign.name} after {time.monotonic() - begun:.1f} s, {there} notebooks "
                        "there")
            print(f"{len(done)}: {done[-1]}", flush=True)
            state.write_text(json.dumps([done, seconds]))
    finished(two, goals)
    return ended(one, two, 0)


def ended(one: Path, two: Path, code: int) -> list[str]:
    """Return what a run that came to its end did otherwise than the undisturbed one."""
    return [f"ended with exit code {code}"] if code else differences(one, two)


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
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep copies and state here")
    args = parser.parse_args()
    goals = [f"SOURCE={args.source}", "BUDGET=smoke"]
    goals += [f"NOTEBOOKS={' '.join(args.notebooks)}"] if args.notebooks else []
    with tempfile.TemporaryDirectory(prefix="killed-") as place:
        place = args.keep or Path(place)
        one, two, state = place / "undisturbed", place / "killed", place / "state.json"
        if not state.exists():
            seconds = finished(copied(one), goals)
            copied(two)
            print(f"undisturbed: {seconds:.0f} s", flush=True)
            state.write_text(json.dumps([[], seconds]))
        found = kill(one, two, goals, args.kills, args.seed)
        record = place / "sockets"
        found += record.read_text().splitlines() if record.exists() else []
    print("\n".join(found) or f"{args.kills} kills: the same results and figures, no stale file, "
          "no other machine asked for")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
