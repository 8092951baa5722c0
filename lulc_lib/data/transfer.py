"""One file over HTTP: resumed after a break, retried within bounds, verified before it counts."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Protocol

import requests

from lulc_lib.data.catalogue import PublishedFile
from lulc_lib.errors import InputError

ADVICE = "set LULC_DATA to a folder that holds it, or try again later"


class HostUnreachableError(InputError):
    """The server cannot be reached at all: asking it for the next file is pointless."""


class _TransientError(Exception):
    """A failure worth another try; ``wait`` is what the server asked for, in seconds, and
    ``line`` says that the connection failed, not the server's answer."""

    def __init__(self, why: str, wait: float | None = None, line: bool = False) -> None:
        super().__init__(why)
        self.wait, self.line = wait, line


@dataclass(frozen=True)
class Policy:
    """How patient a download is. Times in seconds, ``chunk`` in bytes."""

    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    head_timeout: float = 5.0
    retries: int = 4
    backoff: float = 1.0
    max_wait: float = 30.0
    chunk: int = 1 << 16

    def wait(self, attempt: int, asked: float | None) -> float:
        """Seconds before the try after ``attempt`` (0, 1, …), Retry-After honoured but capped."""
        wait = self.backoff * 2.0**attempt if asked is None else asked
        return min(max(wait, 0.0), self.max_wait)


class Bar(Protocol):
    """What is asked of a progress bar (tqdm has it)."""

    total: float | None

    def update(self, n: float = 1) -> object:
        """Move on by ``n`` bytes."""


def why_wrong(file: PublishedFile, path: Path) -> str | None:
    """Why the bytes at ``path`` are not those of ``file``; None if they are.

    Checked are the size, then the sha256 where it is known, else git's blob id
    ``sha1(b"blob <bytes>\\0" + content)``.
    """
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"it has {size} bytes, the published one {file.size}"
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(b"blob %d\0" % size)
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != (file.sha256 or file.git_blob_sha1):
        return f"its {'sha256' if file.sha256 else 'git blob id'} is not the published one"
    return None


def failure(file: PublishedFile, why: str) -> str:
    """The one line that says which file could not be had, why, and what to do."""
    return f"{file.path}: {why} ({file.url}); {ADVICE}"


def trouble(error: requests.RequestException) -> tuple[str, bool | None]:
    """What went wrong with a request, in words, and how far it reaches.

    Returns
    -------
    The reason, and True if the server cannot be reached at all (name, route, refused, proxy,
    certificate, no answer), False if only this address is wrong, None if a connection that was
    made has broken, which is worth another try.
    """
    kinds = requests.exceptions
    if isinstance(error, kinds.InvalidURL | kinds.MissingSchema | kinds.InvalidSchema):
        return "this is no http(s) address; LULC_DATA_URL must be one, or be unset", True
    if isinstance(error, kinds.TooManyRedirects):
        return "the server redirects without end", False
    if isinstance(error, kinds.SSLError):
        return "the server's certificate is not valid", True
    signs = ("NameResolutionError", "NewConnectionError", "ConnectTimeoutError", "gaierror",
             "Connection refused", "unreachable")
    if isinstance(error, kinds.ConnectTimeout | kinds.ProxyError) or (
        isinstance(error, kinds.ConnectionError) and any(sign in repr(error) for sign in signs)
    ):
        return "the server cannot be reached", True
    if isinstance(error, kinds.Timeout) or "Read timed out" in repr(error):
        return "the server does not answer in time", None
    return "the connection broke", None


def retry_after(response: requests.Response) -> float | None:
    """Seconds the server asks to wait (a number or an HTTP date), None if it does not."""
    value = response.headers.get("Retry-After", "")
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError):
        return None


class ResumingDownloader:
    """A downloader for pooch that continues a partial file and hands over verified bytes only.

    Parameters
    ----------
    file : what is downloaded.
    partial : where unfinished bytes are kept between tries and between runs.
    policy : time-outs and retries.
    session : the connections.
    bar : progress bar to move on, in bytes.
    """

    def __init__(self, file: PublishedFile, partial: Path, policy: Policy,
                 session: requests.Session, bar: Bar) -> None:
        self.file, self.partial, self.policy = file, partial, policy
        self.session, self.bar = session, bar
        self._shown = 0

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        """Download ``url`` to ``output_file``.

        Raises
        ------
        InputError
            The file cannot be had, or what comes is not the published file.
        """
        for last in (False, True):
            if not (self.partial.exists() and self._have() == self.file.size):
                self._complete(url)
            wrong = why_wrong(self.file, self.partial)
            if wrong is None:
                os.replace(self.partial, output_file)
                return
            self._discard()
            if last:
                raise InputError(failure(self.file, f"what the server sends is damaged: {wrong}"))

    def _have(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _discard(self) -> None:
        self.partial.unlink(missing_ok=True)
        self._show(0)

    def _show(self, position: int) -> None:
        """Move the bar so that this file counts with ``position`` bytes."""
        self.bar.update(position - self._shown)
        self._shown = position

    def _complete(self, url: str) -> None:
        """Try until the body has come to its end, within the policy's bounds."""
        for attempt in range(self.policy.retries + 1):
            try:
                return self._try(url)
            except _TransientError as error:
                if attempt == self.policy.retries:
                    kind = HostUnreachableError if error.line else InputError
                    raise kind(failure(
                        self.file, f"gave up after {attempt + 1} tries: {error}")) from error
                time.sleep(self.policy.wait(attempt, error.wait))

    def _try(self, url: str) -> None:
        start = self._have()
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        timeout = (self.policy.connect_timeout, self.policy.read_timeout)
        try:
            with self.session.get(url, headers=headers, timeout=timeout, stream=True) as response:
                if self._has_body(response, start):
                    self._write(response, start)
        except requests.exceptions.RequestException as error:
            why, host_is_down = trouble(error)
            if host_is_down is None:
                raise _TransientError(why, line=True) from error
            kind = HostUnreachableError if host_is_down else InputError
            raise kind(failure(self.file, why)) from error

    def _has_body(self, response: requests.Response, start: int) -> bool:
        """Whether bytes follow (not if the partial file is complete); else the right error."""
        status = response.status_code
        if status == 416 and start:
            if why_wrong(self.file, self.partial) is None:
                return False
            self._discard()
            raise _TransientError("the server refused to continue the partial file", 0.0)
        if status == 429 or status >= 500:
            raise _TransientError(f"the server answers {status}", retry_after(response))
        if status not in (200, 206):
            raise InputError(failure(self.file, f"the server answers {status}"))
        if status == 206 and not self._continues(response, start):
            self._discard()
            raise _TransientError("the server's file is not the one begun", 0.0)
        return True

    def _continues(self, response: requests.Response, start: int) -> bool:
        """Whether a 206 answer holds the bytes asked for, of a file of the published size."""
        span, _, total = response.headers.get("Content-Range", "").partition("/")
        right_total = self.file.size is None or total in ("*", str(self.file.size))
        return bool(start) and span.startswith(f"bytes {start}-") and right_total

    def _write(self, response: requests.Response, start: int) -> None:
        """Append to the partial file, or write it anew when the server ignored the range."""
        start = start if response.status_code == 206 else 0
        length = response.headers.get("Content-Length", "")
        expected = start + int(length) if length.isdigit() else None
        if self.file.size is None and expected and self.bar.total is not None:
            self.bar.total = max(self.bar.total, expected)
        self._show(start)
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        with self.partial.open("ab" if start else "wb") as out:
            for block in response.iter_content(self.policy.chunk):
                out.write(block)
                self._show(self._shown + len(block))
        if expected is not None and "Content-Encoding" not in response.headers:
            here = self._have()
            if here < expected:
                raise _TransientError(f"the body ended after {here} of {expected} bytes")
