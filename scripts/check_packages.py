"""Check what users install: both packages in an empty environment, and wheels for every pin.

    python scripts/check_packages.py build    # wheels and sdists, installed and tried
    python scripts/check_packages.py wheels   # does each pin of a light extra have a wheel?
    python scripts/check_packages.py all      # the same of every pin: names what lacks one

Asked for are wheels for Linux, macOS and Windows. The second ends with 1 if one is lacking.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "build" / "dist"
LIGHT = ("lesson", "accuracy", "sites")
PYTHON = "3.11"
PLATFORMS = {
    "Linux": ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_24_x86_64",
              "manylinux2014_x86_64", "linux_x86_64"],
    "macOS": ["macosx_14_0_arm64"],
    "Windows": ["win_amd64"],
}
"""Operating system to what its wheels are called."""

LESSON_MB = 300
"""Megabytes that a class can be asked to download and keep for two lessons."""

MATRIX = "map/reference,pit,rest\npit,40,10\nrest,5,45\n"
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


def normal(name: str) -> str:
    """Write a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    """Read the pinned environment: name to version."""
    found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    return {normal(name): version for name, version in found}


def behind(requirement: Requirement, seen: set[tuple[str, str]]) -> set[str]:
    """Name all distributions that installing a requirement brings."""
    names = {normal(requirement.name)}
    try:
        needed = distribution(requirement.name).requires or []
    except PackageNotFoundError:
        return set()  # of another operating system
    for extra in ("", *requirement.extras):
        if (requirement.name, extra) in seen:
            continue
        seen.add((requirement.name, extra))
        for other in map(Requirement, needed):
            if other.marker is None or other.marker.evaluate({"extra": extra}):
                names |= behind(other, seen)
    return names


def without_wheel(wanted: dict[str, str], platforms: list[str]) -> list[str]:
    """Name the pins for which the package index has no wheel for a platform."""
    left, lacking = dict(wanted), []
    while left:
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run(
                [sys.executable, *PIP, "install", "--dry-run", "--no-deps", "--ignore-installed",
                 "--only-binary=:all:", "--python-version", PYTHON, "--target", folder,
                 *(f"--platform={p}" for p in platforms), *(f"{n}=={v}" for n, v in left.items())],
                capture_output=True, text=True)
        if run.returncode == 0:
            break
        name = re.search(r"No matching distribution found for ([\w.-]+)==", run.stderr)
        if name is None:
            raise SystemExit(run.stderr)
        lacking.append(normal(name[1]))
        del left[lacking[-1]]
    return lacking


def of_one_platform(name: str) -> bool:
    """Say whether a distribution's wheel is of one platform, not of all (py3-none-any)."""
    try:
        return "-none-any" not in (distribution(name).read_text("WHEEL") or "")
    except PackageNotFoundError:
        return True


def check_wheels(extras: tuple[str, ...] = LIGHT) -> int:
    """Ask for wheels of what the extras bring, or of every pin; say what lacks one.

    All are asked for on Linux, and those that have another wheel elsewhere on the others.
    """
    everything, status = pins(), 0
    if extras:
        light = behind(Requirement(f"lulc_lib[{','.join(extras)}]"), set())
        everything = {n: v for n, v in everything.items() if n in light}
    print(f"{len(everything)} pins of {', '.join(extras) or 'the whole environment'}")
    for number, (system, platforms) in enumerate(PLATFORMS.items()):
        asked = {n: v for n, v in everything.items() if number == 0 or of_one_platform(n)}
        lacking = without_wheel(asked, platforms)
        print(f"{system} ({platforms[0]}, Python {PYTHON}): without a wheel: "
              f"{', '.join(lacking) or 'none'}")
        status |= bool(extras and lacking)
    return status


def check_build() -> int:
    """Build both packages, install them in an empty environment, and use them."""
    shutil.rmtree(DIST, ignore_errors=True)
    for place in (ROOT, ROOT / "ee_local"):
        subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", DIST, place],
                       check=True, stdout=subprocess.DEVNULL)
    built = sorted(p.name for p in DIST.iterdir())
    assert [p.split("-")[0] for p in built] == ["ee_local"] * 2 + ["lulc_lib"] * 2, built
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder, "bin", "python")
        (wheel,) = DIST.glob("lulc_lib-*.whl")
        install = [python, *PIP, "install", "--constraint", ROOT / "requirements.txt",
                   "--find-links", DIST]
        subprocess.run([*install, f"{wheel}[lesson]"], check=True)
        lesson = _megabytes(Path(folder))
        _try(folder, python, ["accuracy", "m.csv", "--json"], 0, '"overall_accuracy": 0.85')
        _try(folder, python, ["classify", "m.csv", "-o", "x.tif"], 2, "'lulc_lib[classify]'")
        subprocess.run([*install, f"{wheel}[earth-engine]"], check=True)
        code = "import ee_local, lulc_lib.earth_engine.assets, lulc_lib.earth_engine.workflow"
        subprocess.run([python, "-c", code], cwd=folder, check=True)
        version = json.loads(subprocess.run(
            [python, *PIP, "inspect"], capture_output=True, text=True, check=True).stdout)
        ours = {i["metadata"]["name"]: i["metadata"]["version"] for i in version["installed"]
                if i["metadata"]["name"] in ("lulc_lib", "ee_local")}
    assert len(set(ours.values())) == 1 and len(ours) == 2, ours
    print(f"Built, installed and tried: {', '.join(built)}")
    print(f"lulc_lib[lesson] takes {lesson:.0f} MB, at most {LESSON_MB} are allowed")
    return 0 if lesson <= LESSON_MB else 1


def _megabytes(folder: Path) -> float:
    """Add up what was installed, less compiled copies and what an empty environment holds."""
    own = ("pip", "setuptools", "pkg_resources", "_distutils_hack")
    files = [p for place in ("lib", "share") for p in (folder / place).rglob("*")
             if p.suffix != ".pyc" and p.is_file() and not p.is_symlink()]
    return sum(p.stat().st_size for p in files
               if not any(part.split("-")[0] in own for part in p.parts)) / 1e6


def _try(folder: str, python: Path, words: list[str], code: int, said: str) -> None:
    """Run a command of the installed package far from this folder; it must say something."""
    Path(folder, "m.csv").write_text(MATRIX)
    run = subprocess.run([python, "-m", "lulc_lib", *words], cwd=folder, capture_output=True,
                         text=True)
    if run.returncode != code or said not in run.stdout + run.stderr:
        raise SystemExit(f"lulc {' '.join(words)} ended with {run.returncode}, not {code}:\n"
                         f"{run.stdout}{run.stderr}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["build", "wheels", "all"])
    checks = {"build": check_build, "wheels": check_wheels, "all": lambda: check_wheels(())}
    sys.exit(checks[parser.parse_args().what]())
