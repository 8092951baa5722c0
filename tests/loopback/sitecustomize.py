"""Refuses and records every address beyond this machine that Python asks for.

Python imports this module by itself when it starts with ``tests/loopback`` in PYTHONPATH; what is
refused becomes a line of the file that LULC_SOCKETS names. ``conftest.py`` does so for all tests
and what they start; for the notebooks: ``PYTHONPATH=tests/loopback LULC_SOCKETS=/tmp/sockets make
smoke``.
"""

import os
import socket
import sys

ASKING = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.connect": 1,
          "socket.sendto": 1}
"""Audit events of Python to the number of their argument that is, or begins with, a host."""


def is_local(host: object) -> bool:
    """Tell whether a host is this machine; paths and numbers of other families are, too."""
    host = host.decode() if isinstance(host, bytes) else host
    return not isinstance(host, str) or host in ("", "::", "::1", "localhost", "0.0.0.0",
                                                 socket.gethostname()) or host.startswith("127.")


def watch(event: str, arguments: tuple) -> None:
    """Raise OSError where a host is not this machine; a reserved name (.invalid) is no record."""
    if event not in ASKING or "LULC_SOCKETS" not in os.environ:
        return
    asked = arguments[ASKING[event]]
    host = asked[0] if isinstance(asked, tuple) else asked if ASKING[event] == 0 else None
    if is_local(host):
        return
    if not str(host).endswith(".invalid"):
        with open(os.environ["LULC_SOCKETS"], "a", encoding="utf-8") as record:
            record.write(f"{event} {host} by {' '.join(sys.argv)[:200]}\n")
    raise socket.gaierror(f"{host} is beyond this machine")


if os.environ.get("LULC_SOCKETS"):
    sys.addaudithook(watch)
