"""The local Earth Engine's HTTP server, in a thread of this process, on loopback only."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from ee_local.catalogue import check_root
from ee_local.engine import Engine
from ee_local.handler import Handler
from lulc_lib.errors import InputError

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
        """A client that went away is no news."""

    def server_close(self) -> None:
        """Stop listening and end all connections."""
        super().server_close()
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class LocalServer:
    """A running local Earth Engine; ``stop()`` it, or use it in a ``with`` block.

    Attributes
    ----------
    address : such as ``http://127.0.0.1:41234``.
    engine : what evaluates the requests.
    exports : folder in which ``ee.batch.Export`` leaves its files.
    """

    def __init__(self, engine: Engine, port: int = 0) -> None:
        self.engine, self.exports = engine, engine.exports.folder
        if not 0 <= port <= 65535:
            raise InputError(f"port is {port}; it must be 0 (any that is free) to 65535")
        try:
            self._server = _Sockets(port)
        except OSError as error:
            raise InputError(f"port {port} of {HOST} cannot be used ({error.strerror}); give "
                             "another, or 0 for any that is free") from None
        self.address = f"http://{HOST}:{self._server.server_address[1]}"
        self._server.engine, self._server.address = engine, self.address
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,),
                                        name="local-earth-engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the server and its connections; a second call does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self.engine.stop()

    def __enter__(self) -> LocalServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()


def start(root: Path, site: str | None = None, port: int = 0,
          exports: Path | None = None, corine: Path | None = None) -> LocalServer:
    """Start the local Earth Engine; it is ready when this returns.

    It runs in a thread of this process, whose recursion limit is raised to :data:`FRAMES`. The
    unmodified client then talks to it::

        ee.Initialize(credentials=google.auth.credentials.AnonymousCredentials(),
                      url=server.address, project="offline")

    Parameters
    ----------
    root : folder in the published dataset's layout (published or synthetic).
    site : serve only this site's scenes; None: all there are.
    port : of 127.0.0.1; 0 takes one that is free.
    exports : folder for ``ee.batch.Export``; None: ``build/earth_engine/exports`` of the project.
    corine : a CORINE Land Cover file; None: the registry in ``root``, if it has one.

    Raises
    ------
    InputError
        No such folder, no scene in it, or the port is taken.
    """
    root = Path(root)
    check_root(root)
    sys.setrecursionlimit(max(sys.getrecursionlimit(), FRAMES))
    return LocalServer(Engine(root, site, corine, exports), port)
