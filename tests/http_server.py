"""A small HTTP server on loopback for the tests, with faults to order, and a fake dataset."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import pytest

from lulc_lib.data.catalogue import PublishedFile
from lulc_lib.io.http import Policy

FAST = Policy(connect_timeout=2, read_timeout=0.4, head_timeout=0.4, retries=3, backoff=0.001,
              max_wait=0.05, chunk=1024)
"""A policy that never waits long."""


@dataclass
class Fault:
    """What goes wrong with one answer. ``status`` 0 leaves the status alone; ``trickle`` is the
    wait after each byte, in seconds."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    break_after: int | None = None
    stall: float = 0.0
    corrupt: bool = False
    ignore_range: bool = False
    body: bytes | None = None
    trickle: float = 0.0


class DataServer:
    """Serves ``files`` (path to bytes) and ``routes`` (path to a function of the request: its JSON
    or form if it has a body, else its query).

    ``faults`` holds for each path a list of :class:`Fault`, used up one a request; ``log`` the
    requests as (method, path, Range header), ``agents`` their User-Agents.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.routes: dict[str, Callable[[dict], object]] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.log: list[tuple[str, str, str]] = []
        self.queries: list[str] = []
        self.agents: list[str] = []
        self.ranges = True
        self._stop = threading.Event()

    def __enter__(self) -> DataServer:
        owner = self

        class Handler(_Handler):
            server_data = owner

        self._http = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond the server's end."""
        self._stop.wait(seconds)

    def asked(self, path: str, method: str = "GET") -> list[str]:
        """Range headers of the requests for a path."""
        return [r for m, p, r in self.log if m == method and p == path]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_data: DataServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_POST(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        data = self.server_data
        path, _, query = self.path.lstrip("/").partition("?")
        data.queries.append(query)
        data.agents.append(self.headers.get("User-Agent", ""))
        data.log.append((self.command, path, self.headers.get("Range", "")))
        queue = data.faults.get(path, [])
        fault = queue.pop(0) if queue else Fault()
        if fault.stall:
            data.wait(fault.stall)
        if fault.status:
            return self._send(fault.status, b"", fault, with_body)
        if path in data.routes:
            body = json.dumps(data.routes[path](self._request(query)), ensure_ascii=False).encode()
            body = body if fault.body is None else fault.body
            fault.headers["Content-Type"] = "application/geo+json"
            return self._send(200, body, fault, with_body)
        if path not in data.files:
            return self._send(404, b"", fault, with_body)
        self._send_file(data.files[path] if fault.body is None else fault.body, fault, with_body)

    def _request(self, query: str) -> dict:
        """What is asked: the JSON or form in the body, else the query."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if "form" in self.headers.get("Content-Type", ""):
            return dict(parse_qsl(body))
        return json.loads(body) if body else dict(parse_qsl(query))

    def _send_file(self, body: bytes, fault: Fault, with_body: bool) -> None:
        if fault.corrupt:
            body = bytes(b ^ 0xFF for b in body)
        asked = self.headers.get("Range")
        if not asked or fault.ignore_range or not self.server_data.ranges:
            return self._send(200, body, fault, with_body)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last) + 1 if last else len(body), len(body))
        if start >= len(body):
            fault.headers["Content-Range"] = f"bytes */{len(body)}"
            return self._send(416, b"", fault, with_body)
        fault.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
        self._send(206, body[start:stop], fault, with_body)

    def _send(self, status: int, body: bytes, fault: Fault, with_body: bool) -> None:
        self.send_response(status)
        for key, value in {"Accept-Ranges": "bytes", **fault.headers}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault.break_after is not None:
            self.wfile.write(body[: fault.break_after])
            self.wfile.flush()
            time.sleep(0.01)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif with_body and fault.trickle:
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.server_data.wait(fault.trickle)
        elif with_body:
            self.wfile.write(body)


def free_port() -> int:
    """A loopback port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def entry(path: str, body: bytes, *, known: bool = True, **more: object) -> PublishedFile:
    """A catalogue entry for ``body``; ``known`` False leaves size and sha256 out."""
    values = {
        "path": path, "commit": "c0ffee",
        "git_blob_sha1": hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest(),
        "size": len(body) if known else None,
        "sha256": hashlib.sha256(body).hexdigest() if known else None,
        "role": "training", "kind": "scene", "site": "strzegom", "date": "2023-07-09",
        "epsg": 32633,
    }
    return PublishedFile(**(values | more))


@contextmanager
def loopback_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[DataServer]:
    """A running server that ``LULC_DATA_URL`` points to; other addresses are refused."""
    _loopback_only(monkeypatch)
    with DataServer() as running:
        monkeypatch.setenv("LULC_DATA_URL", running.url)
        yield running


def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"a test tried to reach {address}")
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
