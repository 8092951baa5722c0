"""Download and verify the published dataset: what is there, what can be had, what cannot."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import pooch
import requests
from tqdm import tqdm

from lulc_lib.data.catalogue import PublishedFile
from lulc_lib.data.transfer import (
    HostUnreachableError,
    Policy,
    ResumingDownloader,
    failure,
    trouble,
    why_wrong,
)
from lulc_lib.errors import InputError

State = Literal["present", "can be downloaded", "unavailable", "damaged"]
PARTIAL = ".partial"
"""Folder under the dataset's root that keeps unfinished downloads for the next run."""

LOCK = "lock"


class FileState(NamedTuple):
    """State of one file, and the reason where it is not there."""

    file: PublishedFile
    state: State
    reason: str = ""


def local_state(file: PublishedFile, root: str | Path) -> FileState:
    """``present`` (verified), ``damaged`` or, when it is not there, ``unavailable``; no network.

    Raises
    ------
    InputError
        The file is there but may not be read.
    """
    path = file.path_in(root)
    if not path.is_file():
        return FileState(file, "unavailable", f"{file.path}: not in {root}")
    try:
        wrong = why_wrong(file, path)
    except OSError as error:
        raise _disk_error(error, path) from error
    return FileState(file, "damaged" if wrong else "present",
                     f"{file.path}: the file in {root} is damaged: {wrong}" if wrong else "")


def file_state(file: PublishedFile, root: str | Path, policy: Policy | None = None) -> State:
    """State of one file under ``root`` (see :func:`file_states`)."""
    return file_states([file], root, policy)[0].state


def file_states(
    files: Sequence[PublishedFile], root: str | Path, policy: Policy | None = None
) -> list[FileState]:
    """State of each file, in the order given; nothing is downloaded.

    Parameters
    ----------
    files : what to look for.
    root : the dataset's folder.
    policy : time-outs; by default those of :class:`Policy`.

    Returns
    -------
    One :class:`FileState` each: ``present`` (size and hash are right), ``damaged`` (there, but
    wrong), ``can be downloaded`` (the server says it has it), ``unavailable``. A server that
    cannot be reached is asked once, not for every file.
    """
    policy = policy or Policy()
    dead: dict[str, str] = {}
    states = []
    with requests.Session() as session:
        for file in files:
            state = local_state(file, root)
            if state.state == "unavailable":
                state = _remote_state(file, session, policy, dead)
            states.append(state)
    return states


def _remote_state(file: PublishedFile, session: requests.Session, policy: Policy,
                  dead: dict[str, str]) -> FileState:
    """Ask the server for one file's header; ``dead`` gathers hosts that cannot be reached."""
    host = urlsplit(file.url).netloc
    if host in dead:
        return FileState(file, "unavailable", failure(file, dead[host]))
    try:
        with session.head(file.url, timeout=policy.head_timeout, allow_redirects=True,
                          headers={"Accept-Encoding": "identity"}) as response:
            status = response.status_code
    except requests.exceptions.RequestException as error:
        why, host_is_down = trouble(error)
        if host_is_down is not False:
            dead[host] = why
        return FileState(file, "unavailable", failure(file, why))
    if status == 200:
        return FileState(file, "can be downloaded")
    return FileState(file, "unavailable", failure(file, f"the server answers {status}"))


def fetch_file(
    file: PublishedFile,
    root: str | Path,
    policy: Policy | None = None,
    session: requests.Session | None = None,
    bar: tqdm | None = None,
) -> Path:
    """Download one file unless it is there and right; the path it has then.

    It appears under its name by one atomic rename, after its size and hash were checked.

    Raises
    ------
    InputError
        It cannot be had, what comes is damaged, or the folder cannot be written.
    """
    root = Path(root)
    target = file.path_in(root)
    if local_state(file, root).state == "present":
        return target
    if session is None:
        with requests.Session() as session:
            return fetch_file(file, root, policy, session, bar)
    staging = root / PARTIAL
    staged = staging / f"{file.git_blob_sha1}.done"
    bar = bar if bar is not None else tqdm(disable=True)
    try:
        staging.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(staging):
            if local_state(file, root).state == "present":
                return target
            staged.unlink(missing_ok=True)
            downloader = ResumingDownloader(file, staging / f"{file.git_blob_sha1}.part",
                                            policy or Policy(), session, bar)
            with _quiet_pooch():
                pooch.retrieve(file.url, file.sha256 and f"sha256:{file.sha256}", staged.name,
                               staging, downloader=downloader)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged, target)
    except OSError as error:
        raise _disk_error(error, target) from error
    return target


def fetch(
    files: Sequence[PublishedFile],
    root: str | Path,
    progress: bool = True,
    policy: Policy | None = None,
) -> list[FileState]:
    """Download what is missing or damaged among ``files``; verify what is there.

    Parameters
    ----------
    files : what to have.
    root : the dataset's folder; made if it is not there.
    progress : show a bar (bytes) on stderr.
    policy : time-outs and retries; by default those of :class:`Policy`.

    Returns
    -------
    One :class:`FileState` a file, in the order given: ``present``, or ``unavailable`` or
    ``damaged`` with the reason. After one file fails because the server cannot be reached, the
    others are not tried. :func:`require` turns the result into an error.

    Raises
    ------
    InputError
        The folder cannot be written, is no folder, or the disk is full.
    """
    states = [local_state(file, root) for file in files]
    todo = [i for i, s in enumerate(states) if s.state != "present"]
    if not todo:
        return states
    total = sum(files[i].size or 0 for i in todo)
    down = ""
    with requests.Session() as session, tqdm(
        total=total, unit="B", unit_scale=True, unit_divisor=1024, disable=not progress
    ) as bar:
        for n, i in enumerate(todo, 1):
            if down:
                states[i] = states[i]._replace(reason=failure(files[i], down))
                continue
            bar.set_description(f"{n}/{len(todo)} {files[i].path.rsplit('/', 1)[-1]}", False)
            states[i], down = _outcome(states[i], root, policy, session, bar)
    _tidy(Path(root) / PARTIAL)
    return states


def _outcome(before: FileState, root: str | Path, policy: Policy | None,
             session: requests.Session, bar: tqdm) -> tuple[FileState, str]:
    """State of one file after a try to fetch it; and why its server is given up, or ''."""
    try:
        fetch_file(before.file, root, policy, session, bar)
    except HostUnreachableError as error:
        return before._replace(reason=str(error)), "not tried, as the server cannot be reached"
    except FolderError:
        raise
    except InputError as error:
        return before._replace(reason=str(error)), ""
    return FileState(before.file, "present"), ""


def require(states: Sequence[FileState]) -> None:
    """Do nothing if every file is present.

    Raises
    ------
    InputError
        One line: how many files are missing, which, and why the first is.
    """
    lacking = [s for s in states if s.state != "present"]
    if lacking:
        names = ", ".join(s.file.path for s in lacking)
        raise InputError(f"{len(lacking)} of {len(states)} files could not be had: {names}. "
                         f"First: {lacking[0].reason}")


class FolderError(InputError):
    """The dataset's folder cannot be read or written."""


def _disk_error(error: OSError, path: Path) -> FolderError:
    """The error for a failed read or write at ``path``, naming the rule that was broken."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        rule = "the disk is full; free some space, or set LULC_DATA to a folder on another disk"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        rule = "permission denied; set LULC_DATA to a folder you may read and write"
    elif error.errno in (errno.ENOTDIR, errno.EEXIST):
        rule = f"{error.filename} is a file; LULC_DATA must name a folder"
    else:
        rule = f"{error.strerror or error}; LULC_DATA must name a folder you may read and write"
    return FolderError(f"{path}: {rule}")


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch's own messages away for a moment (the bar and our errors say it)."""
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _one_at_a_time(staging: Path) -> Iterator[None]:
    """Wait while another process downloads into the same folder (where the system has locks)."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (staging / LOCK).open("w") as lock:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _tidy(folder: Path) -> None:
    """Remove the folder of partial files if nothing is left in it."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
        folder.rmdir()
