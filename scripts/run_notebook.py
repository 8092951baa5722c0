"""Execute one notebook of the study with papermill, and publish it when it is a real run.

    python scripts/run_notebook.py notebooks/01_prepare_scenes.ipynb --output build/01.ipynb
    python scripts/run_notebook.py --copies build/lab             # to explore
    python scripts/run_notebook.py --check build/published-default     # are its files still there?
    python scripts/run_notebook.py --summary build/published-default   # what a run has written

The executed notebook goes to ``--output``. Only a default or paper run on the published data also
rewrites the committed notebook, without the machine's traces (timings, paths, progress bars).
Beside it lie the hashes of the figures and results that it wrote: with them ``--check`` finds what
has been changed since, and has the notebook run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from lulc_lib.io import written_whole

ROOT = Path(__file__).resolve().parents[1]
WIDGET = "application/vnd.jupyter.widget-view+json"
TABLE_ID = re.compile(r'\bT_[0-9a-f]{5}(?=[_"])')
"""What pandas calls a styled table: another name at every run."""


def output_root(source: str, budget: str) -> Path:
    """Folder above figures/ and results/ for a run: the project, or build/ for a smoke run."""
    return ROOT / "build" / f"{source}-{budget}" if budget == "smoke" else ROOT


def unfinished(notebook: nbformat.NotebookNode) -> str:
    """Names the first code cell that papermill did not complete; '' if all ran."""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and cell.metadata.papermill.status != "completed":
            return f"cell {number} is {cell.metadata.papermill.status}"
    return ""


def cleaned(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Clean a notebook for the commit: what comes out the same looks the same after every run."""
    notebook.cells = [
        c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])
    ]
    counter = 0
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        cell.id = f"cell-{number:02d}"
        if cell.cell_type != "code":
            continue
        counter += 1
        cell.execution_count = counter
        cell.outputs = [o for o in cell.outputs if not is_progress_bar(o)]
        for place, output in enumerate(cell.outputs):
            data = output.get("data", {})
            data.pop(WIDGET, None)  # needs the session that made it
            if "text/html" in data:
                data["text/html"] = TABLE_ID.sub(f"T_{counter}_{place}", data["text/html"])
            if "image/png" not in data:
                output.get("metadata", {}).clear()
            if "execution_count" in output:
                output.execution_count = counter
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": kernel, "language_info": {"name": "python"}}
    )
    return notebook


def is_progress_bar(output: nbformat.NotebookNode) -> bool:
    """Progress bars redraw their line with carriage returns, and go to stderr."""
    text = output.get("text", "")
    return output.get("name") == "stderr" and ("\r" in text or not text.strip())


def write(notebook: nbformat.NotebookNode, target: Path) -> None:
    """Write a notebook whole or not at all."""
    with written_whole(target) as part:
        nbformat.write(notebook, part)


def where_it_failed(error: PapermillExecutionError, draft: Path) -> str:
    """Say which cell of the notebook as it is kept failed, its first line, and the error."""
    injected = any("injected-parameters" in c.metadata.get("tags", [])
                   for c in nbformat.read(draft, as_version=4).cells)
    first_line = error.source.strip().splitlines()[0]
    number = error.cell_index + 1 - injected
    return f"cell {number} ({first_line}): {error.ename}: {error.evalue}"


def run(notebook: Path, output: Path, source: str, budget: str) -> int:
    """Execute, check that every cell ran, publish if it is a real run. Returns an exit status."""
    os.chdir(ROOT)
    # torch's threads wait by spinning; on a busy machine that makes a step seven times slower.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    os.environ["LULC_OUTPUT"] = str(output_root(source, budget))
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = output.with_suffix(".running.ipynb")
    print(f"== {notebook} ({source} data, {budget} budget)", file=sys.stderr)
    try:
        executed = papermill.execute_notebook(
            notebook, draft, parameters=changed_parameters(notebook, source, budget),
            kernel_name="python3", stderr_file=sys.stderr, log_output=False,
            extra_arguments=["--log-level=CRITICAL"],  # nothing a user can act on
        )
    except PapermillExecutionError as error:
        print(f"{notebook} failed in {where_it_failed(error, draft)}", file=sys.stderr)
        print(f"The notebook up to there: {draft}", file=sys.stderr)
        return 1
    stopped = unfinished(executed)
    if stopped:
        print(f"{notebook} did not run to its end: {stopped}", file=sys.stderr)
        return 1
    final = cleaned(executed)
    if source == "published" and budget != "smoke":
        write(final, notebook)
    write(final, output)
    written = {str(p): sha256(p) for p in products(output, output_root(source, budget), source)}
    with written_whole(hashes_beside(output)) as part:
        part.write_text(json.dumps(written, indent=1))
    draft.unlink()
    return 0


def hashes_beside(output: Path) -> Path:
    """Where the hashes of what an executed notebook wrote lie."""
    return output.with_suffix(".sha256.json")


def sha256(path: Path) -> str:
    """Hash a file; '' if it is not there."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def products(notebook: Path, root: Path, source: str) -> list[Path]:
    """List the figures and results that a notebook writes below ``root``: its code names them."""
    code = "\n".join(c.source for c in nbformat.read(notebook, as_version=4).cells
                     if c.cell_type == "code")
    words, number = set(re.findall(r'"(\w+)"', code)), notebook.name.partition("_")[0]
    words |= {f"nb{number}_{word}" for word in words}
    results = re.findall(r'write_results\(\s*[\w.]+, "(\w+)"', code)
    figures = (root / "figures" / source).glob("*.png")
    return sorted([*(root / "results" / source / f"{name}.json" for name in results),
                   *(f for f in figures if f.stem.removesuffix("_synthetic") in words)])


def check(folder: Path) -> int:
    """Have those notebooks of a run run again whose figures or results have been changed."""
    for hashes in sorted(folder.glob("*.sha256.json")):
        output = hashes.with_name(hashes.name.replace(".sha256.json", ".ipynb"))
        written = json.loads(hashes.read_text())
        changed = [Path(p) for p, digest in written.items() if sha256(Path(p)) != digest]
        if changed and output.exists():
            print(f"{os.path.relpath(changed[0])} is not what {output.name} wrote: it runs again",
                  file=sys.stderr)
            output.unlink()
    return 0


def copy_notebooks(folder: Path) -> int:
    """Copy the notebooks to explore in; a copy that was worked in stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / ".copied.json"
    copied = json.loads(record.read_text()) if record.exists() else {}
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        copy, digest = folder / notebook.name, sha256(notebook)
        before = copied.get(notebook.name)
        if copy.exists() and sha256(copy) != before:
            if before != digest:
                print(f"{copy} is yours and stays, though the study's notebook has changed; "
                      "remove it to have the new one", file=sys.stderr)
            continue
        shutil.copy(notebook, copy)
        copied[notebook.name] = digest
    record.write_text(json.dumps(copied, indent=1))
    return 0


def summary(folder: Path, began: float | None) -> int:
    """Say where notebooks, figures and results of a run lie, and how long it took."""
    source, budget = folder.name.rsplit("-", 1)
    root, real = output_root(source, budget), source == "published" and budget != "smoke"
    for what, place, names in (
            ("Notebooks", ROOT / "notebooks" if real else folder, "[0-9]*[a-z].ipynb"),
            ("Figures", root / "figures" / source, "*.png"),
            ("Results", root / "results" / source, "*.json")):
        print(f"{what + ':':<11}{os.path.relpath(place)} ({len(list(place.glob(names)))} files)")
    if began is not None:
        print(f"{'Minutes:':<11}{(time.time() - began) / 60:.1f}")
    return 0


def changed_parameters(notebook: Path, source: str, budget: str) -> dict[str, str]:
    """Choose the parameters to inject: those that the notebook has."""
    cells = nbformat.read(notebook, as_version=4).cells
    text = "".join(c.source for c in cells if "parameters" in c.metadata.get("tags", []))
    wanted = {"source": source, "budget": budget}
    return {k: v for k, v in wanted.items() if f"{k} = " in text}


def main() -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path, nargs="?")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--source", default="auto", choices=["auto", "published", "synthetic"])
    parser.add_argument("--budget", default="default", choices=["smoke", "default", "paper"])
    parser.add_argument("--check", type=Path, metavar="FOLDER")
    parser.add_argument("--copies", type=Path, metavar="FOLDER")
    parser.add_argument("--summary", type=Path, metavar="FOLDER")
    parser.add_argument("--began", type=float, help="for --summary: seconds since 1970")
    args = parser.parse_args()
    if args.check:
        return check(args.check)
    if args.copies:
        return copy_notebooks(args.copies)
    if args.summary:
        return summary(args.summary, args.began)
    if not (args.notebook and args.output):
        parser.error("a notebook and --output are needed")
    return run(args.notebook, args.output, args.source, args.budget)


if __name__ == "__main__":
    sys.exit(main())
