"""Where things are: the project's root and the folders under it."""

from __future__ import annotations

import os
from pathlib import Path


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder at or above ``start`` that holds the study.

    That is one with ``notebooks/`` and ``lulc_lib/``; the working directory if there is none.
    ``start`` is the working directory unless given, so a notebook opened in ``notebooks/`` and one
    run by papermill from the root find the same place.
    """
    here = Path(start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "lulc_lib").is_dir():
            return folder
    return here


def published_dir() -> Path:
    """Return the folder of the published dataset: ``$LULC_DATA``, else ``data/lulc_mining``."""
    named = os.environ.get("LULC_DATA")
    return Path(named).expanduser().resolve() if named else project_root() / "data" / "lulc_mining"


def output_root() -> Path:
    """Return the folder above ``figures/`` and ``results/``: ``$LULC_OUTPUT``, else ``build/lab``.

    ``make reproduce`` and experiments set it to the root, smoke runs and tests to folders of their
    own. Whoever only explores sets nothing and never touches the committed results.
    """
    named = os.environ.get("LULC_OUTPUT")
    return Path(named).resolve() if named else project_root() / "build" / "lab"


def shown(path: Path) -> str:
    """Return a path as it is printed: from the project's root if it lies below, else whole."""
    root = project_root()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def synthetic_dir() -> Path:
    """Return the folder of the synthetic landscape, laid out like the published dataset."""
    return project_root() / "data" / "synthetic"
