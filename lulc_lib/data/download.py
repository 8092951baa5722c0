"""Download and verify the published dataset: what is there, what can be had, what cannot.

A download is resumed after a break, retried within bounds, and verified before it gets its name.
pooch knows neither partial files nor git blob ids: its ``retrieve`` gets a downloader that does.
"""

from __future__ import annotations

import errno
import hashlib
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
from lulc_lib.errors import InputError
from lulc_lib.io import keep
from lulc_lib.io.http import (
    Client,
    ConnectionLostError,
    HostUnreachableError,
    Policy,
    TransientError,
)

State = Literal["present", "can be downloaded", "unavailable", "damaged"]
PARTIAL = ".partial"
"""Folder under the dataset's root that keeps unfinished downloads for the next run."""

LOCK = "lock"


class RecordFile(NamedTuple):
    """A file of a repository's record; what is downloaded else is a PublishedFile."""

    path: str
    url: str
    size: int
    checksum: str
    advice: str


RemoteFile = PublishedFile | RecordFile


class FileState(NamedTuple):
    """State of one file, and the reason where it is not there."""

    file: RemoteFile
    state: State
    reason: str = ""


class FolderError(InputError):
    """The dataset's folder cannot be read or written."""


def why_wrong(file: RemoteFile, path: Path) -> str | None:
    r"""Say why the bytes at ``path`` are not those of ``file``; None if they are.

    Checked are the size and the checksum; git's is ``sha1(b"blob <bytes>\0" + content)``.
    """
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"it has {size} bytes, the published one {file.size}"
    kind, _, expected = file.checksum.partition(":")
    digest = hashlib.sha1(b"blob %d\0" % size) if kind == "git" else hashlib.new(kind)
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != expected:
        return f"its {'git blob id' if kind == 'git' else kind} is not the published one"
    return None


def local_state(file: RemoteFile, root: str | Path) -> FileState:
    """Return ``present`` (verified), ``damaged`` or, if not there, ``unavailable``; no network."""
    path = Path(root) / file.path
    if not path.is_file():
        return FileState(file, "unavailable", f"{file.path}: not in {root}")
    try:
        wrong = why_wrong(file, path)
    except OSError as error:
        raise _disk_error(error, path) from error
    return FileState(file, "damaged" if wrong else "present",
                     f"{file.path}: the file in {root} is damaged: {wrong}" if wrong else "")


def file_states(files: Sequence[RemoteFile], root: str | Path, policy: Policy | None = None
                ) -> list[FileState]:
    """Return the state of each file under ``root``, in the order given; nothing is downloaded.

    Files not there are ``can be downloaded`` if the server says it has them, else ``unavailable``;
    a server that cannot be reached is asked once.
    """
    dead: dict[str, str] = {}
    states = []
    with requests.Session() as session:
        for file in files:
            state = local_state(file, root)
            if state.state == "unavailable":
                state = _remote_state(Client(file.path, file.advice, session, policy), file, dead)
            states.append(state)
    return states


def _remote_state(client: Client, file: RemoteFile, dead: dict[str, str]) -> FileState:
    """Ask the server for one file's header; ``dead`` gathers hosts that cannot be reached."""
    host = urlsplit(file.url).netloc
    if host in dead:
        return FileState(file, "unavailable", client.failure(dead[host], file.url))
    try:
        with client.open(file.url, "HEAD", headers={"Accept-Encoding": "identity"}):
            return FileState(file, "can be downloaded")
    except HostUnreachableError as error:
        dead[host], reason = "the server cannot be reached", str(error)
    except TransientError as error:
        reason = client.failure(str(error), file.url)
        if error.line:
            dead[host] = str(error)
    except InputError as error:
        reason = str(error)
    return FileState(file, "unavailable", reason)


def fetch_file(file: RemoteFile, root: str | Path, policy: Policy | None = None,
               session: requests.Session | None = None, bar: tqdm | None = None) -> Path:
    """Download one file unless it is there and right; return the path it has then.

    It gets its name by one atomic rename, after its size and hash were checked. A file of that name
    with another content is kept as NAME.kept1 (or the next free number).
    """
    target = Path(root) / file.path
    if local_state(file, root).state == "present":
        return target
    staging, digest = Path(root) / PARTIAL, file.checksum.rpartition(":")[2]
    staged = staging / f"{digest}.done"
    try:
        staging.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(staging):
            if local_state(file, root).state == "present":
                return target
            staged.unlink(missing_ok=True)
            downloader = ResumingDownloader(
                file, staging / f"{digest}.part",
                Client(file.path, file.advice, session or requests.Session(), policy),
                tqdm(disable=True) if bar is None else bar)
            with _quiet_pooch():
                known = None if file.checksum.startswith("git:") else file.checksum
                pooch.retrieve(file.url, known, staged.name, staging, downloader=downloader)
            target.parent.mkdir(parents=True, exist_ok=True)
            keep(target)  # only verified files get these names, so it was changed since
            os.replace(staged, target)
    except OSError as error:
        raise _disk_error(error, target) from error
    return target


def fetch(files: Sequence[RemoteFile], root: str | Path, progress: bool = True,
          policy: Policy | None = None) -> list[FileState]:
    """Download what is missing or damaged among ``files`` to ``root``; verify what is there.

    Returns
    -------
    list of FileState
        In the order given: ``present`` (with a reason where another file was there, which is
        kept), ``unavailable`` or ``damaged`` with the reason (see
        :func:`require`). Once the server cannot be reached, the other files are not tried.

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
                told = Client(files[i].path, files[i].advice, session).failure(down, files[i].url)
                states[i] = states[i]._replace(reason=told)
                continue
            bar.set_description(f"{n}/{len(todo)} {files[i].path.rsplit('/', 1)[-1]}", False)
            try:
                changed = states[i].state == "damaged"
                fetch_file(files[i], root, policy, session, bar)
                states[i] = FileState(files[i], "present", "" if not changed else
                                      f"{files[i].path}: the file that was there differed from the "
                                      "published one; it is kept beside it, named .kept1 or higher")
            except FolderError:
                raise
            except InputError as error:
                states[i] = states[i]._replace(reason=str(error))
                if isinstance(error, HostUnreachableError | ConnectionLostError):
                    down = "not tried, as the server cannot be reached"
    _tidy(Path(root) / PARTIAL)
    return states


def require(states: Sequence[FileState]) -> None:
    """Raise InputError, in one line, unless every file is present."""
    lacking = [s for s in states if s.state != "present"]
    if lacking:
        names = ", ".join(s.file.path for s in lacking)
        raise InputError(f"{len(lacking)} of {len(states)} files could not be had: {names}. "
                         f"First: {lacking[0].reason}")


class ResumingDownloader:
    """A downloader for pooch that hands over verified bytes only.

    Unfinished bytes are kept in ``partial`` between tries and between runs.
    """

    def __init__(self, file: RemoteFile, partial: Path, client: Client, bar: tqdm) -> None:
        self.file, self.partial, self.client, self.bar = file, partial, client, bar
        self._shown = 0

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        """Download ``url`` to ``output_file``; InputError if what comes is not the file."""
        for last in (False, True):
            if not self.partial.exists() or self.partial.stat().st_size != self.file.size:
                self.client.repeat(url, lambda: self._try(url))
            wrong = why_wrong(self.file, self.partial)
            if wrong is None:
                os.replace(self.partial, output_file)
                return
            self._discard()
            if last:
                raise InputError(self.client.failure(
                    f"what the server sends is damaged: {wrong}", url))

    def _discard(self) -> None:
        self.partial.unlink(missing_ok=True)
        self._show(0)

    def _show(self, position: int) -> None:
        """Move the bar so that this file counts with ``position`` bytes."""
        self.bar.update(position - self._shown)
        self._shown = position

    def _try(self, url: str) -> None:
        """Ask once for what is lacking, and write it."""
        start = self.partial.stat().st_size if self.partial.exists() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        accept = (200, 206, 416) if start else (200,)
        with self.client.open(url, accept=accept, headers=headers) as response:
            if response.status_code == 416 and why_wrong(self.file, self.partial) is None:
                return
            if response.status_code == 416 or not self._continues(response, start):
                self._discard()
                raise TransientError("the server's file is not the one begun", 0.0)
            self._write(response, start if response.status_code == 206 else 0)

    def _continues(self, response: requests.Response, start: int) -> bool:
        """Whether a 206 answer holds the bytes asked for, of a file of the published size."""
        span, _, total = response.headers.get("Content-Range", "").partition("/")
        right_total = self.file.size is None or total in ("*", str(self.file.size))
        return response.status_code == 200 or (span.startswith(f"bytes {start}-") and right_total)

    def _write(self, response: requests.Response, start: int) -> None:
        """Write the body to the partial file from ``start`` (bytes) on."""
        length = response.headers.get("Content-Length", "")
        expected = start + int(length) if length.isdigit() else None
        if self.file.size is None and expected and self.bar.total is not None:
            self.bar.total = max(self.bar.total, expected)
        self._show(start)
        with self.partial.open("ab" if start else "wb") as out:
            for block in self.client.parts(response):
                out.write(block)
                self._show(self._shown + len(block))
                if self.file.size is not None and out.tell() > self.file.size:
                    break  # the server sends another file, or without end


def _disk_error(error: OSError, path: Path) -> FolderError:
    """Return the error for a failed read or write at ``path``, naming the rule that was broken."""
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
