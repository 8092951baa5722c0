"""Exports: files written in the background, in one folder, one after another, whole or not at all.

Where Google's service writes to Drive or Cloud Storage, files come here under the export folder:
``<folder or bucket>/<prefix>``, every part of the name made plain. A file of that name is replaced.
"""

from __future__ import annotations

import datetime as dt
import glob
import os
import queue
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ee_local.errors import EngineError, InputError
from ee_local.notices import logged
from ee_local.rasters import plain_name

KEPT = 200
"""Operations that are remembered."""

FOLDER = Path("ee_local_exports")
"""Where exports come unless a folder is named, below the working directory."""

UNFINISHED, LOCK = ".part", "lock"
"""Ending of the name of a folder that holds an unfinished file, and the lock in it."""

Work = Callable[[], bytes]


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Operation:
    """One export: its state, and what is still to be done."""

    name: str
    kind: str
    description: str
    path: Path
    work: Work
    state: str = "PENDING"
    error: str = ""
    created: str = field(default_factory=_now)
    started: str = ""
    ended: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the operation as the client reads it."""
        times = {"createTime": self.created, "updateTime": self.ended or self.started
                 or self.created, "startTime": self.started, "endTime": self.ended}
        done = self.state in ("SUCCEEDED", "FAILED", "CANCELLED")
        found: dict[str, Any] = {"name": self.name, "done": done, "metadata": {
            "@type": "type.googleapis.com/google.earthengine.v1.OperationMetadata",
            "state": self.state, "description": self.description, "type": self.kind, "attempt": 1,
            "priority": 100, **{k: v for k, v in times.items() if v}}}
        if self.state == "SUCCEEDED":
            found["metadata"]["destinationUris"] = [self.path.as_uri()]
            found["response"] = {}
        elif done:
            found["error"] = {"code": 1 if self.state == "CANCELLED" else 3,
                              "message": self.error or "Cancelled."}
        return found


class Exports:
    """The exports of a server.

    Parameters
    ----------
    folder : Path
        Where the files come; made when the first does.
    served : collection of Path
        Files that no export may replace.

    Raises
    ------
    InputError
        The folder is a file, or cannot be made or written.
    """

    def __init__(self, folder: Path, served: Collection[Path] = ()) -> None:
        self.folder, self._served = usable(folder), served
        self._operations: dict[str, Operation] = {}
        self._requests: dict[str, str] = {}
        self._todo: queue.Queue[Operation | None] = queue.Queue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, project: str, kind: str, request: Mapping[str, Any], ending: str,
              work: Work) -> Operation:
        """Queue an export; the same ``requestId`` gives the operation that is there already.

        Raises
        ------
        EngineError
            The destination is no file, or a scene that is served.
        """
        path = self.folder / destination(request, ending)
        if path.resolve() in self._served:
            raise EngineError(f"The export would replace {path}, a scene that is served; give it "
                              "another name.")
        identifier = str(request.get("requestId") or "")
        with self._lock:
            if identifier and identifier in self._requests:
                return self._operations[self._requests[identifier]]
            name = f"projects/{project}/operations/{uuid.uuid4().hex.upper()[:24]}"
            operation = Operation(name, kind, str(request.get("description") or ""), path, work)
            self._operations[name] = operation
            if identifier:
                self._requests[identifier] = name
            self._forget()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="exports", daemon=True)
                self._thread.start()
        self._todo.put(operation)
        return operation

    def _forget(self) -> None:
        for name in [n for n, o in self._operations.items() if o.ended][:-KEPT]:
            del self._operations[name]
        self._requests = {r: n for r, n in self._requests.items() if n in self._operations}

    def _run(self) -> None:
        while (operation := self._todo.get()) is not None:
            with self._lock:
                if operation.state != "PENDING":
                    continue
                operation.state, operation.started = "RUNNING", _now()
            try:
                with logged():
                    body = operation.work()
                with self._lock:
                    if operation.state == "RUNNING":
                        write_whole(operation.path, body)
                        operation.state = "SUCCEEDED"
            except Exception as error:
                operation.error = " ".join(str(error).split()) or type(error).__name__
                operation.state = "FAILED"
            operation.ended = _now()

    def list(self, project: str) -> list[Operation]:
        """Return a project's operations, the newest first."""
        with self._lock:
            return [o for o in reversed(self._operations.values())
                    if o.name.startswith(f"projects/{project}/")]

    def get(self, name: str) -> Operation:
        """Return the operation of this name.

        Raises
        ------
        EngineError
            There is none.
        """
        with self._lock:
            if name in self._operations:
                return self._operations[name]
        raise EngineError(f"Operation {name!r} not found.", 404)

    def cancel(self, name: str) -> None:
        """Cancel an operation that has not ended."""
        operation = self.get(name)
        with self._lock:
            if operation.state in ("PENDING", "RUNNING"):
                operation.state, operation.ended = "CANCELLED", _now()

    def stop(self) -> None:
        """Start no further export."""
        for operation in list(self._operations.values()):
            if operation.state == "PENDING":
                self.cancel(operation.name)
        self._todo.put(None)


def usable(folder: Path) -> Path:
    """Return the full path of a folder that can be written, or made.

    Raises
    ------
    InputError
        It cannot.
    """
    try:
        full = Path(folder).resolve()
        there = next(p for p in (full, *full.parents) if p.exists())
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"exports is {str(folder)[:200]!r}; it is no path of a folder "
                         f"({str(error)[:100]})") from None
    if not there.is_dir():
        raise InputError(f"exports is {folder}; {there} is a file, and a folder is needed")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"exports is {folder}; {there} may not be written; name another folder")
    return full


def destination(request: Mapping[str, Any], ending: str) -> Path:
    """Return where below the export folder a request's file goes; it can lead nowhere else.

    Raises
    ------
    EngineError
        The request does not ask for a file.
    """
    options = request.get("fileExportOptions")
    if not isinstance(options, dict):
        raise EngineError("Exports to assets are not implemented by the local Earth Engine; export "
                          "to Drive or Cloud Storage, which gives a file here.")
    drive, cloud = options.get("driveDestination"), options.get("cloudStorageDestination")
    target = drive or cloud
    if not isinstance(target, dict):
        raise EngineError("The export has no destination.")
    folder = target.get("folder") or target.get("bucket")
    prefix = str(target.get("filenamePrefix") or request.get("description") or "export")
    parts = prefix.split("/") if cloud else [prefix]
    names = [plain_name(p) for p in ([folder] if folder else []) + [p for p in parts if p]]
    names[-1] += f".{ending}"
    return Path(*names)


def write_whole(path: Path, body: bytes) -> None:
    """Write a file that appears under its name only when it is complete.

    Until then it lies in a folder beside it, locked while its process lives; those that killed
    processes left of the same file are removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    start = f".{path.name[:40]}."
    for stale in path.parent.glob(f"{glob.escape(start)}*{UNFINISHED}"):
        with suppress(Timeout, OSError), FileLock(stale / LOCK, blocking=False):
            shutil.rmtree(stale, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=start, dir=path.parent))
    folder = new.with_name(new.name + UNFINISHED)
    try:
        with FileLock(new / LOCK):
            new.rename(folder)  # locked before it has a name that others look for
            (folder / "body").write_bytes(body)
            os.replace(folder / "body", path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
