"""Build or repair the virtual environment of the study. Needs nothing but Python ≥ 3.11.

    python3 scripts/setup_environment.py [--folder .venv] [--extra NAME] [--next]

The environment is ready when its stamp says that it was completed at this very place, for these
requirements and this Python, and every pinned package is installed in its pinned version. Anything
else (first call, moved folder, interrupted installation, changed pins, lost package) is put right.
With ``--extra`` it has the packages of one extra of pyproject.toml alone, in their pinned versions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements.txt"
PACKAGES = {"lulc-lib": ROOT, "ee-local": ROOT / "ee_local"}
"""Our own distributions and where each lies; installed editable."""

OLDEST = (3, 11)
NEXT = """\
The environment is ready. Next:
  make lab          the notebooks in JupyterLab; nothing committed is touched
  make reproduce    run them all: figures, results (25 minutes; fetches the released data)
  make smoke        the same with tiny trainings, into build/ only
  ./lulc classify scene.tif -o map.tif     a map of your own scene (. .venv/bin/activate: lulc)"""
LIST_INSTALLED = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
)


def normal(name: str) -> str:
    """Write a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """Package name to exact version from the text of a requirements file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE)
    return {normal(name): version for name, version in found}


def stamp_text(folder: Path) -> str:
    """Write the stamp of a complete environment: place, Python, hash of the requirements."""
    projects = b"".join((place / "pyproject.toml").read_bytes() for place in PACKAGES.values())
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + projects).hexdigest()
    return f"{folder}\n{sys.version_info[:3]}\n{digest}\n"


def fault(folder: Path, extra: str | None = None) -> str:
    """Why the environment is not ready, or '' if it is."""
    stamp, python = folder / ".complete", folder / "bin" / "python"
    if not stamp.exists():
        return "it was never completed"
    if stamp.read_text() != stamp_text(folder):
        return "the folder moved, or Python or the pins changed"
    try:
        out = subprocess.run(
            [python, "-c", LIST_INSTALLED], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "its Python does not start"
    installed = {normal(name): version for name, version in json.loads(out).items() if name}
    wrong = [
        name for name, version in pins(REQUIREMENTS.read_text()).items()
        if installed.get(name, version if extra else "").split("+")[0] != version
    ]
    wrong += [name for name in (["lulc-lib"] if extra else PACKAGES) if name not in installed]
    return f"missing or in another version: {', '.join(wrong[:5])}" if wrong else ""


def build(folder: Path, extra: str | None = None) -> None:
    """Install the pins and the package into ``folder``; what is already right is kept."""
    stamp = folder / ".complete"
    place = stamp_text(folder).splitlines()[:2]  # the folder and Python; scripts name both
    moved = stamp.exists() and stamp.read_text().splitlines()[:2] != place
    if moved or not (folder / "bin" / "python").exists():
        shutil.rmtree(folder, ignore_errors=True)
    stamp.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install"]
    if extra:
        subprocess.run([*pip, "-q", "--constraint", REQUIREMENTS, "setuptools",
                        "--editable", f"{ROOT}[{extra}]"],
                       check=True)
    else:
        subprocess.run([*pip, "-r", REQUIREMENTS], check=True)
        for place in PACKAGES.values():
            subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", place],
                           check=True)
    temporary = stamp.with_suffix(".tmp")
    temporary.write_text(stamp_text(folder))
    temporary.replace(stamp)


def main() -> int:
    """Make the environment ready; the exit status says whether it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT / ".venv")
    parser.add_argument("--extra", help="install this extra alone")
    parser.add_argument("--next", action="store_true", help="say what can be done now")
    args = parser.parse_args()
    folder = args.folder.resolve()
    if sys.version_info < OLDEST:
        print(f"Python is {sys.version.split()[0]}; it must be 3.11 or newer "
              "(make PYTHON=python3.12 …)", file=sys.stderr)
        return 2
    why = fault(folder, args.extra)
    if not why:
        return _ready(args.next)
    print(f"Setting up {folder.name} ({why}); this takes a few minutes …", file=sys.stderr)
    try:
        build(folder, args.extra)
    except subprocess.CalledProcessError as error:
        print(f"The environment could not be built: {' '.join(map(str, error.cmd))} failed",
              file=sys.stderr)
        return 1
    why = fault(folder, args.extra)
    if why:
        print(f"The environment is still not right: {why}", file=sys.stderr)
        return 1
    return _ready(args.next)


def _ready(say_next: bool) -> int:
    if say_next:
        print(NEXT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
