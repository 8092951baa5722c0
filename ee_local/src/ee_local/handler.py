"""HTTP: reads a request, refuses what is not well formed, writes the answer.

Only a client on this machine that names this machine is served: the socket is on loopback, and the
``Host`` header must be loopback's name, so that no web page can reach it under a name of its own.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from ee_local import (  # noqa: F401  (each adds its addresses)
    routes_assets,
    routes_exports,
    routes_images,
    routes_tables,
)
from ee_local.errors import EngineError
from ee_local.routes import Answer, Request, respond
from lulc_lib.errors import InputError

LOOPBACK = ("127.0.0.1", "localhost")
MOST_BYTES = 10 * 1024 * 1024
"""Largest body, as in Google's service."""

ORIGIN = re.compile(r"^https?://(127\.0\.0\.1|localhost)(:\d+)?$")
SECONDS = 120
"""How long a connection may be silent."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "lulc-local-earth-engine"
    sys_version = ""
    timeout = SECONDS

    def do_GET(self) -> None:
        """Answer a GET, or a HEAD without the body."""
        self._serve()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are not logged."""

    def send_error(self, code: int, message: str | None = None,
                   explain: str | None = None) -> None:
        """What the base class refuses (a broken request line), in Google's form."""
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
            parts = urlsplit(self.path)
            verb = "GET" if self.command == "HEAD" else self.command
            query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
            return respond(self.server.engine, self.server.address,
                           Request(verb, unquote(parts.path), query, body))
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

    def _body(self) -> bytes:
        """The request's body; the connection is closed where its end cannot be known."""
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
