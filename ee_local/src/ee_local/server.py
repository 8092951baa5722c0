"""The HTTP server: a thread of this process that refuses what is not well formed.

Only a client on this machine that names this machine is served: the socket is on loopback, and the
``Host`` header must be loopback's name, so that no web page can reach it under a name of its own.
A page that a browser says to be of another site (``Origin``, ``Sec-Fetch-Site``) may show pictures
whose names it has been told, and can ask for nothing; what is asked must be JSON.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, unquote, urlsplit

from ee_local.catalogue import Catalogue
from ee_local.engine import Engine
from ee_local.errors import EngineError, InputError
from ee_local.folder import read_folder
from ee_local.graph import CACHE_BYTES
from ee_local.routes import Answer, Request, respond

LOOPBACK = ("127.0.0.1", "localhost")
MOST_BYTES = 10 * 1024 * 1024
"""Largest body, as in Google's service."""

ORIGIN = re.compile(r"^https?://(127\.0\.0\.1|localhost)(:\d+)?$")
SECONDS = 120
"""How long a connection may be silent."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "ee-local"
    sys_version = ""
    timeout = SECONDS
    disable_nagle_algorithm = True  # else the end of an answer waits 40 ms for an acknowledgement

    def do_GET(self) -> None:
        """Answer a GET, or a HEAD without the body."""
        self._serve()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""

    def send_error(self, code: int, message: str | None = None,
                   explain: str | None = None) -> None:
        """Refuse in Google's form what the base class refuses (a broken request line)."""
        self.close_connection = True
        self.request_version = "HTTP/1.1"  # else the answer would have no headers
        self._write(_failure(EngineError(message or "Bad request.", code)))

    def _serve(self) -> None:
        try:
            self._write(self._answer())
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _answer(self) -> Answer:
        try:
            body = self._body()
            self._check_host()
            foreign = self._is_foreign()
            if body and not foreign:
                self._check_kind()
            parts = urlsplit(self.path)
            verb = "GET" if self.command == "HEAD" else self.command
            query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
            return respond(self.server.engine, self.server.address,
                           Request(verb, unquote(parts.path), query, body, foreign))
        except EngineError as error:
            return _failure(error)
        except InputError as error:
            return _failure(EngineError(str(error)))
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            # Not 5xx: the client would repeat the request for half a minute, to the same end.
            what = " ".join(f"{type(error).__name__}: {error}".split())
            return _failure(EngineError(f"A fault of the local Earth Engine: {what}"))

    def _check_host(self) -> None:
        host = self.headers.get("Host", "")
        if host.rsplit(":", 1)[0] not in LOOPBACK:
            self.close_connection = True
            raise EngineError(f"The host {host!r} is not this machine's; use {LOOPBACK[0]}.", 421)

    def _is_foreign(self) -> bool:
        """Whether a browser says that a page which is not this server's sends the request."""
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site")
        return origin not in (None, self.server.address) or site not in (
            None, "none", "same-origin")

    def _check_kind(self) -> None:
        kind = self.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            raise EngineError(f"The body's Content-Type is {kind[:60]!r}; it must be "
                              "application/json.", 415)

    def _body(self) -> bytes:
        """Return the request's body; the connection is closed where its end cannot be known."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            self.close_connection = True
            raise EngineError("A body must come with Content-Length.", 411)
        text = self.headers.get("Content-Length", "0")
        if not text.isdecimal():
            self.close_connection = True
            raise EngineError(f"Content-Length is {text[:20]!r}; it must be a number of bytes.")
        length = int(text)
        if length > MOST_BYTES:
            self.close_connection = True
            raise EngineError(f"Request payload size exceeds the limit: {MOST_BYTES} bytes.", 413)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("the client went away")
        if self.headers.get("Content-Encoding", "") == "gzip":
            return _unzipped(body)
        return body

    def _write(self, answer: Answer) -> None:
        self.send_response(answer.code)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        origin = self.headers.get("Origin", "") if answer.shared else ""
        if ORIGIN.match(origin):
            self.send_header("Access-Control-Allow-Origin", origin)
            self.send_header("Vary", "Origin")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _unzipped(body: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as source:
            plain = source.read(MOST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise EngineError(f"The body is not gzip: {error}.") from None
    if len(plain) > MOST_BYTES:
        raise EngineError(f"Request payload size exceeds the limit: {MOST_BYTES} bytes.", 413)
    return plain


def _failure(error: EngineError) -> Answer:
    return Answer(json.dumps(error.as_json()).encode(), "application/json; charset=UTF-8",
                  error.code)


HOST = "127.0.0.1"
FRAMES = 10_000
"""Python's recursion limit: the client can send graphs nested deeper than the usual 1000 frames."""


class _Sockets(ThreadingHTTPServer):
    """A threading server that ends its open connections when it is closed."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    engine: Engine
    address: str

    def __init__(self, port: int) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__((HOST, port), Handler)

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        """Remember the connection, then serve it in a thread."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        """End a connection."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        """Ignore a client that went away."""

    def server_close(self) -> None:
        """Stop listening and end all connections."""
        super().server_close()
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def check_port(port: int) -> None:
    """Raise InputError for a number that is no port."""
    if not 0 <= port <= 65535:
        raise InputError(f"port is {port}; it must be 0 (any that is free) to 65535")


class LocalServer:
    """A running local Earth Engine; ``stop()`` it, or use it in a ``with`` block.

    Attributes
    ----------
    address : str
        Such as ``http://127.0.0.1:41234``.
    engine : Engine
        What evaluates the requests.
    exports : Path
        Folder in which ``ee.batch.Export`` leaves its files.
    """

    def __init__(self, engine: Engine, port: int = 0) -> None:
        self.engine, self.exports = engine, engine.exports.folder
        check_port(port)
        try:
            self._server = _Sockets(port)
        except OSError as error:
            raise InputError(f"port {port} of {HOST} cannot be used ({error.strerror}); give "
                             "another, or 0 for any that is free") from None
        self.address = f"http://{HOST}:{self._server.server_address[1]}"
        self._server.engine, self._server.address = engine, self.address
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,),
                                        name="ee-local", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the server and its connections; a second call does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self.engine.stop()

    def __enter__(self) -> LocalServer:
        """Return the server itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Stop it."""
        self.stop()


def start(source: Catalogue | Path | str, port: int = 0, exports: Path | None = None,
          collection: str | None = None, cache: int = CACHE_BYTES) -> LocalServer:
    """Start the local Earth Engine; it is ready when this returns.

    It runs in a thread of this process, whose recursion limit is raised to :data:`FRAMES`. The
    unmodified client then talks to it::

        ee.Initialize(credentials=google.auth.credentials.AnonymousCredentials(),
                      url=server.address, project="offline")

    Parameters
    ----------
    source : Catalogue, Path or str
        What to serve: a catalogue, or a folder of GeoTIFFs (:func:`ee_local.read_folder`).
    port : int
        Of 127.0.0.1; 0 takes one that is free.
    exports : Path
        Folder for ``ee.batch.Export``; None: ``ee_local_exports`` in the working directory.
    collection : str
        Asset id of a folder's image collection; None: the folder's name.
    cache : int, bytes
        Memory for results that may be asked for again.

    Raises
    ------
    InputError
        The folder cannot be served, the one for exports cannot be written, the cache has no size,
        or the port is taken.
    """
    catalogue = source if isinstance(source, Catalogue) else read_folder(source, collection)
    sys.setrecursionlimit(max(sys.getrecursionlimit(), FRAMES))
    return LocalServer(Engine(catalogue, exports, cache), port)
