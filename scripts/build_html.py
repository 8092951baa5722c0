"""Render all notebooks, the glossary and the table of figures as linked pages, in ``build/html``.

    python scripts/build_html.py

The pages have a table of contents and a search, and need no network and no server: Sphinx writes
them with MyST-NB from the notebooks as they are committed, nothing is run. Solutions and the
teacher's notes are folded.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from lulc_lib import legend

ROOT = Path(__file__).resolve().parents[1]
PAGES, HTML = ROOT / "build" / "pages", ROOT / "build" / "html"
CONF = '''
project = "Open-pit mines on Sentinel-2"
extensions = ["myst_nb"]
html_theme = "furo"
html_title = "Open-pit mines on Sentinel-2"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_favicon = "static/icon.svg"
html_show_sphinx = False
html_copy_source = False
nb_execution_mode = "off"
nb_merge_streams = True
myst_heading_anchors = 4
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]
'''
STYLE = """.cell_output, .table-wrapper, section > table { overflow-x: auto; max-width: 100%; }
section > table { display: block; }
"""
ICON = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 2">'
        f'<rect width="2" height="2" fill="{legend.COLOURS[legend.code("quarry")]}"/></svg>')
INDEX = """# Open-pit mines on Sentinel-2

{introduction}

```{{toctree}}
:caption: The study
:maxdepth: 1
{study}
```

```{{toctree}}
:caption: Two lessons
:maxdepth: 1
{lessons}
```

```{{toctree}}
:caption: To look things up
:maxdepth: 1
GLOSSARY
figures
```
"""


def introduction() -> str:
    """Take the first paragraph of the README."""
    paragraphs = (ROOT / "README.md").read_text().split("\n\n")
    return next(p for p in paragraphs[1:] if not p.startswith(("#", "!", "<", "[", "|", "-")))


def without_links_out(text: str, folder: Path, pages: set[str]) -> str:
    """Keep links to pages and to the web; what else lies in the repository becomes plain text."""

    def kept(match: re.Match[str]) -> str:
        target = match[2].partition("#")[0]
        name = Path(target).name
        if not target or "://" in target or name in pages or (folder / target).suffix == ".png":
            return match[0].replace(target, name) if name in pages else match[0]
        return match[1]

    return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", kept, text)


def page(path: Path, pages: set[str]) -> nbformat.NotebookNode:
    """Prepare a notebook: one title, links within the pages, solutions folded."""
    notebook = nbformat.read(path, as_version=4)
    texts = [c.source for c in notebook.cells if c.cell_type == "markdown"]
    deeper = "#" * (sum(len(re.findall("^# ", t, re.MULTILINE)) for t in texts) > 1)
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            cell.source = without_links_out(cell.source, path.parent, pages)
            if number:
                cell.source = re.sub("^#", f"{deeper}#", cell.source, flags=re.MULTILINE)
        elif "solution" in tags:
            cell.metadata["tags"] = [*tags, "hide-cell"]
            cell.metadata["mystnb"] = {"code_prompt_show": "Solution: show the code"}
    return notebook


def write_pages() -> None:
    """Lay out what Sphinx reads in ``build/pages``."""
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir(parents=True)
    notebooks = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    pages = {n.name for n in notebooks} | {"GLOSSARY.md"}
    for path in notebooks:
        nbformat.write(page(path, pages), PAGES / path.name)
    shutil.copytree(ROOT / "figures" / "published", PAGES / "published")
    for source, name in ((ROOT / "notebooks" / "GLOSSARY.md", "GLOSSARY.md"),
                         (ROOT / "figures" / "README.md", "figures.md")):
        (PAGES / name).write_text(without_links_out(source.read_text(), source.parent, pages))
    titles = {n: nbformat.read(n, as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")
              for n in notebooks}
    entries = [f"{n.name.partition('_')[0]} {title} <{n.name}>" for n, title in titles.items()]
    lessons = [e for e in entries if e.startswith("05")]
    study = [e for e in entries if e not in lessons]
    (PAGES / "index.md").write_text(INDEX.format(
        introduction=without_links_out(introduction(), ROOT, pages),
        study="\n".join(study), lessons="\n".join(lessons)))
    static = PAGES / "static"
    static.mkdir()
    for path, text in ((static / "pages.css", STYLE), (static / "icon.svg", ICON),
                       (PAGES / "conf.py", CONF)):
        path.write_text(text)


def main() -> int:
    """Write the pages; the exit status is Sphinx's, whose warnings are errors."""
    write_pages()
    shutil.rmtree(HTML, ignore_errors=True)
    return subprocess.run([sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html",
                           PAGES, HTML], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
