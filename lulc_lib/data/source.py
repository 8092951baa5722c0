"""Which data a run uses: the published dataset, or the synthetic landscape in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lulc_lib import paths
from lulc_lib.data.catalogue import PublishedFile, core_files, find, published_files
from lulc_lib.data.download import FileState, FolderError, fetch, local_state, require
from lulc_lib.errors import InputError, check_choice
from lulc_lib.io.http import Policy

CHOICES = ("auto", "published", "synthetic")

Fallback = Callable[[Path, bool], object]
"""Makes synthetic data ready in a folder of the published layout, with or without a bar."""


@dataclass(frozen=True)
class Source:
    """Data a run uses.

    Attributes
    ----------
    name : {"published", "synthetic"}
        Marks figures and results.
    root : Path
        A folder in the published dataset's layout.
    missing : tuple of str
        Paths of published files that are not there.
    note : str
        What was missing and what it means; '' if there is nothing to say.
    """

    name: Literal["published", "synthetic"]
    root: Path
    missing: tuple[str, ...] = ()
    note: str = ""


def resolve_source(choice: str, fallback: Fallback, needed: Sequence[str] | None = None,
                   download: bool = True, progress: bool = True, policy: Policy | None = None
                   ) -> Source:
    """Make the data to use ready: downloaded, or generated where it cannot be had.

    Parameters
    ----------
    choice : {"auto", "published", "synthetic"}
        ``auto``: published if every needed file is there or can be downloaded, else synthetic
        with a note that says why.
    fallback : callable
        Makes the synthetic data ready: :func:`lulc_lib.landscape.ensure_landscape`.
    needed : sequence of str, optional
        Paths of published files the step cannot do without; by default all of Strzegom. Others are
        fetched along when a needed one has to be; those not there are listed in ``missing``.
    download, progress, policy : bool, bool, Policy
        False keeps off the network; show bars on stderr; time-outs and retries.

    Raises
    ------
    InputError
        Unknown ``choice`` or path, or ``published`` was asked for and cannot be had.
    """
    check_choice("source", choice, CHOICES)
    files = [find(path) for path in (core_files() if needed is None else needed)]
    if choice == "synthetic":
        return _synthetic(fallback, (), "The synthetic landscape was asked for.", progress)
    root = paths.published_dir()
    states = _make_ready(files, root, download, progress, policy, strict=choice == "published")
    lacking = [s for s in states if s.state != "present"]
    if not lacking:
        return _published(files, root)
    if choice == "published":
        require(states)
    names = ", ".join(s.file.path for s in lacking)
    note = (f"{len(lacking)} of the {len(states)} published files needed are not to be had, so the "
            f"synthetic landscape is used in place of the study area. Missing: {names}. "
            f"First: {lacking[0].reason}.")
    return _synthetic(fallback, tuple(s.file.path for s in lacking), note, progress)


def _make_ready(files: Sequence[PublishedFile], root: Path, download: bool, progress: bool,
                policy: Policy | None, strict: bool) -> list[FileState]:
    """States of the needed files after fetching; ``strict``: an unusable folder is an error."""
    states = [local_state(file, root) for file in files]
    if not download or all(s.state == "present" for s in states):
        return states
    try:
        states = fetch(files, root, progress, policy)
        if all(s.state == "present" for s in states):
            fetch([f for f in published_files() if f not in files], root, progress, policy)
    except FolderError as error:
        if strict:
            raise
        states = [s if s.state == "present" else s._replace(reason=str(error))
                  for s in (local_state(file, root) for file in files)]
    return states


def _published(needed: Sequence[PublishedFile], root: Path) -> Source:
    """Return the published source; a damaged optional file counts as missing."""
    states = [local_state(file, root) for file in published_files() if file not in needed]
    missing = tuple(s.file.path for s in states if s.state != "present")
    note = (f"{len(missing)} optional files of the published dataset are not there: "
            f"{', '.join(missing)}." if missing else "")
    return Source("published", root, missing, note)


def _synthetic(fallback: Fallback, missing: tuple[str, ...], note: str, progress: bool) -> Source:
    """Return the synthetic source, made ready."""
    folder = paths.synthetic_dir()
    try:
        fallback(folder, progress)
    except OSError as error:
        raise InputError(f"the synthetic landscape cannot be written to {folder}: {error}; "
                         "that folder must be absent or empty, and writable") from error
    return Source("synthetic", folder, missing, note)
