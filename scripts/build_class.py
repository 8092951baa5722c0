"""Make a class of the lessons: notebooks for students and for the teacher, and a site to run them.

    python scripts/build_class.py [--pyodide ADDRESS] [--address ADDRESS] [--no-site]

``build/class_notebooks`` gets ``student`` (no outputs, no solutions, answers folded away),
``teacher`` (as executed, with the notes in front) and ``colab`` (the students', with a first cell
that installs our wheel from the site at ``--address``, else from a file that was uploaded).

``build/class`` is a JupyterLite site of static files: any web server can offer it, and both lessons
run in the browser, without an installation. The site brings our wheel and the students' notebooks;
Python itself, numpy, pandas and matplotlib come from the Pyodide distribution at ``--pyodide``, by
default the one that the kernel names.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("05*.ipynb"))
GLOSSARY = ROOT / "notebooks" / "GLOSSARY.md"
NOTEBOOKS, SITE = ROOT / "build" / "class_notebooks", ROOT / "build" / "class"
WHEELS, LITE = ROOT / "build" / "class_wheels", ROOT / "build" / "lite"
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
SETUP = """# In the browser: loads what the lesson needs, once, in about a minute.
import piplite
await piplite.install(["numpy", "pandas", "matplotlib", "pillow", "filelock", "ipywidgets"])
await piplite.install("lulc-lib", deps=False)
import warnings
with warnings.catch_warnings(action="ignore"):
    import filelock  # says that a browser has soft locks only; they do here"""
START = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Accuracy: two lessons</title>
<script id="jupyter-config-data" type="application/json" data-jupyter-lite-root=".">{{}}</script>
<link rel="icon" href="static/favicons/favicon.ico">
<style>body {{ font: 1.1em/1.5 sans-serif; max-width: 38em; margin: 2em auto; padding: 0 1em }}
li {{ margin: 1em 0 }}</style>
<h1>Accuracy: two lessons</h1>
<p>How accuracy numbers of maps mislead. Each lesson runs in this browser; nothing is installed.</p>
<ol>{lessons}</ol>
<p>Words are explained in the <a href="lab/index.html?path=GLOSSARY.md">glossary</a>.</p>
<p>The first cell of a lesson loads Python from {pyodide}, which takes about a minute and needs the
internet. What you write is kept in this browser; <i>File, Download</i> gives you a copy.</p>
"""
READ = {"@jupyterlab/docmanager-extension:plugin": {
    "defaultViewers": {"markdown": "Markdown Preview"}}}
"""The glossary is to be read, not edited."""
LINK = '<li><a href="lab/index.html?path={}">{}</a></li>'
BROUGHT = ("comm", "filelock", "ipywidgets", "jupyterlab_widgets")
FOLDED = "<details><summary>{}</summary>\n\n{}\n\n</details>"


def tags(cell: NotebookNode) -> list[str]:
    """List the tags of a cell."""
    return cell.metadata.get("tags", [])


def stub(solution: str, check: str) -> str:
    r"""Write what a student begins with: each result that the check asks for, as three dots.

    >>> print(stub("a = 1\nhalf = a / 2", "assert half == 0.5"))
    # Write your code here, and put the result in place of the dots.
    half = ...
    """
    made = dict.fromkeys(_names(solution, ast.Store))
    asked = {*_names(check, ast.Load)} - {*_names(check, ast.Store)}
    lines = [f"{name} = ..." for name in made if name in asked]
    return "\n".join(["# Write your code here, and put the result in place of the dots.", *lines])


def _names(source: str, use: type) -> list[str]:
    """List the names that code sets (ast.Store) or reads (ast.Load)."""
    return [n.id for n in ast.walk(ast.parse(source))
            if isinstance(n, ast.Name) and isinstance(n.ctx, use)]


def student(lesson: NotebookNode) -> NotebookNode:
    """Make the students' version: no outputs, no solutions, explanations to be unfolded."""
    lesson = copy.deepcopy(lesson)
    kept = []
    for number, cell in enumerate(lesson.cells):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            if "solution" in tags(cell):
                check = next(c for c in lesson.cells[number:] if "check" in tags(c))
                cell.source = stub(cell.source, check.source)
        elif {"solution", "teacher"} & {*tags(cell)}:
            continue
        elif cell.source.startswith(("**Why.**", "**Right.**")):
            cell.source = FOLDED.format("Open this when you have looked at the figure", cell.source)
        kept.append(cell)
    lesson.cells = kept
    return lesson


def teacher(lesson: NotebookNode) -> NotebookNode:
    """Make the teacher's version: everything unfolded, the notes behind the plan."""
    lesson = copy.deepcopy(lesson)
    notes = [c for c in lesson.cells if "teacher" in tags(c)]
    rest = [c for c in lesson.cells if "teacher" not in tags(c)]
    lesson.cells = [*rest[:2], *notes, *rest[2:]]
    for cell in lesson.cells:
        cell.source = cell.source.replace("<details>", "<details open>")
    return lesson


def with_setup(lesson: NotebookNode, setup: str) -> NotebookNode:
    """Put a cell in front of the code that brings the packages where the lesson is to run."""
    lesson = copy.deepcopy(lesson)
    cell = nbformat.v4.new_code_cell(setup, metadata={"tags": ["setup"]}, id="setup")
    lesson.cells.insert(2, cell)
    if setup == SETUP:
        lesson.metadata.kernelspec = {"display_name": "Python (Pyodide)", "language": "python",
                                      "name": "python"}
    return lesson


def write(lesson: NotebookNode, folder: Path, name: str) -> None:
    """Write a notebook into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(lesson, folder / name)


def write_notebooks() -> None:
    """Write the versions of both lessons, and the glossary beside them."""
    shutil.rmtree(NOTEBOOKS, ignore_errors=True)
    for path in LESSONS:
        lesson = nbformat.read(path, as_version=4)
        write(student(lesson), NOTEBOOKS / "student", path.name)
        write(teacher(lesson), NOTEBOOKS / "teacher", path.name)
        write(with_setup(student(lesson), SETUP), NOTEBOOKS / "site", path.name)
    for folder in NOTEBOOKS.iterdir():
        shutil.copy(GLOSSARY, folder)


def build_wheels() -> None:
    """Build our wheel, and fetch in their pinned versions those that Pyodide does not have."""
    shutil.rmtree(WHEELS, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", WHEELS, ROOT], check=True)
    subprocess.run([*pip, "download", "--no-deps", "--dest", WHEELS, "--constraint",
                    ROOT / "requirements.txt", *BROUGHT], check=True)


def write_colab(address: str | None) -> None:
    """Write the lessons for Colab, which has numpy, pandas and matplotlib of its own."""
    wheel, = WHEELS.glob("lulc_lib-*.whl")
    place = f"{address.rstrip('/')}/pypi/{wheel.name}" if address else wheel.name
    first = "" if address else f"# First upload {wheel.name} (the folder at the left).\n"
    for path in LESSONS:
        lesson = student(nbformat.read(path, as_version=4))
        write(with_setup(lesson, f"{first}%pip install -q --no-deps filelock {place}"),
              NOTEBOOKS / "colab", path.name)
    shutil.copy(wheel, NOTEBOOKS / "colab")


def build_site(pyodide: str | None) -> None:
    """Build the JupyterLite site: our wheel, the students' notebooks, the widgets' extension."""
    shutil.rmtree(SITE, ignore_errors=True)
    wheels = [f"--PipliteAddon.piplite_urls={wheel}" for wheel in sorted(WHEELS.glob("*.whl"))]
    plugins = {KERNEL: {"pyodideUrl": pyodide}} if pyodide else {}
    settings = {"jupyter-lite-schema-version": 0, "jupyter-config-data": {
        "appName": "Accuracy: two lessons", "litePluginSettings": plugins}}
    LITE.mkdir(parents=True, exist_ok=True)
    (LITE / "jupyter-lite.json").write_text(json.dumps(settings))
    (LITE / "overrides.json").write_text(json.dumps(READ))
    subprocess.run([sys.executable, "-m", "jupyterlite_core", "build", "--no-sourcemaps",
                    "--contents", NOTEBOOKS / "site", "--output-dir", SITE, *wheels],
                   cwd=LITE, check=True)
    titles = {p.name: nbformat.read(p, 4).cells[0].source.splitlines()[0] for p in LESSONS}
    (SITE / "index.html").write_text(START.format(
        lessons="".join(LINK.format(n, t.removeprefix("# ")) for n, t in titles.items()),
        pyodide=urlsplit(pyodide or "https://cdn.jsdelivr.net").netloc), encoding="utf-8")


def main() -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pyodide", metavar="ADDRESS", help="of Pyodide's pyodide.mjs")
    parser.add_argument("--address", help="where the site will be offered, for Colab")
    parser.add_argument("--no-site", action="store_true", help="write the notebooks alone")
    args = parser.parse_args()
    write_notebooks()
    if not args.no_site:
        build_wheels()
        write_colab(args.address)
        build_site(args.pyodide)
    return 0


if __name__ == "__main__":
    sys.exit(main())
