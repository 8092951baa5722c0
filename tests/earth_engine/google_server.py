"""A loopback server that greets the Earth Engine client, and refuses or breaks off to order."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import ee
import pytest

from tests.http_server import Fault, loopback_server

PROJECT = "a-project"
COMPUTE = f"/v1/projects/{PROJECT}/value:compute"
ALGORITHMS = f"/v1/projects/{PROJECT}/algorithms"
DISCOVERY = "/$discovery/rest"
TOKEN = "/token"
SECRET = "a-refresh-token-that-nobody-may-see"


class EarthEngineServer:
    """Describes itself from the files in the client's wheel; ``answer`` is every result.

    ``faults`` holds for each path a list of faults, used up one a request; ``log`` the requests as
    (path, headers); ``graphs`` the expressions that were sent.
    """

    def __init__(self) -> None:
        self.faults: dict[str, list[Fault]] = {}
        self.log: list[tuple[str, Message]] = []
        self.graphs: list[dict] = []
        self.answer: object = 1
        owner = self

        class Handler(_Handler):
            owned_by = owner

        self._http = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        wheel = files("ee") / "tests"
        document = (wheel / "cloud_api_discovery_document.json").read_text("utf-8")
        document = document.replace("v1alpha", "v1")
        self.bodies = {
            DISCOVERY: document.replace("https://earthengine.googleapis.com", self.url).encode(),
            ALGORITHMS: (wheel / "algorithms.json").read_bytes(),
            TOKEN: b'{"access_token": "short-lived", "expires_in": 3600}',
        }
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(p == path for p, _ in self.log)

    def stop(self) -> None:
        """Answer no more."""
        self._http.shutdown()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that has given up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owned_by: EarthEngineServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        server, path = self.owned_by, self.path.partition("?")[0]
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.log.append((path, self.headers))
        queue = server.faults.get(path, [])
        fault = queue.pop(0) if queue else Fault()
        time.sleep(fault.stall)
        body = server.bodies.get(path)
        if path == COMPUTE:
            server.graphs.append(json.loads(sent)["expression"])
            body = json.dumps({"result": server.answer}).encode()
        body = body if fault.body is None else fault.body
        self.send_response(fault.status or (404 if body is None else 200))
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write((body or b"")[: fault.break_after])
        self.close_connection = fault.break_after is not None


def refusal(status: int, message: str) -> Fault:
    """A refusal in Google's form."""
    error = {"code": status, "message": message, "status": "REFUSED"}
    return Fault(status, body=json.dumps({"error": error}).encode())


@contextmanager
def earth_engine_server(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[EarthEngineServer]:
    """A running server, a user's home without credentials, and no way off this machine."""
    for name in ("EE_BACKEND", "EE_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    with loopback_server(monkeypatch):
        server = EarthEngineServer()
        monkeypatch.setattr(ee.oauth, "TOKEN_URI", server.url + TOKEN)
        yield server
        ee.Reset()
        server.stop()


def sign_in(home: Path, project: str = PROJECT) -> None:
    """What `earthengine authenticate` leaves in the user's home."""
    file = home / ".config" / "earthengine" / "credentials"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"refresh_token": SECRET, "project": project}))
