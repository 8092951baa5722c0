"""The recorder of sockets itself: what leaves the machine is refused, and does not go unseen."""

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ASKING = [
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    lambda: socket.getaddrinfo("example.org", 80), lambda: socket.gethostbyname("example.org"),
    lambda: urllib.request.urlopen("http://example.org", timeout=1),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 53)),
    lambda: subprocess.run([sys.executable, "-c", "import socket\n"
                            "socket.create_connection(('192.0.2.1', 80), 1)"], check=True,
                           stderr=subprocess.DEVNULL)]


@pytest.mark.parametrize("ask", ASKING)
def test_another_machine_is_refused_and_recorded(ask, tmp_path, monkeypatch):
    monkeypatch.setenv("LULC_SOCKETS", str(tmp_path / "record"))
    with pytest.raises((OSError, subprocess.CalledProcessError)):
        ask()
    assert "192.0.2.1" in (told := (tmp_path / "record").read_text()) or "example.org" in told
    monkeypatch.undo()
    assert Path(os.environ["LULC_SOCKETS"]).read_text() == ""


def test_this_machine_may_be_asked():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
        socket.getaddrinfo("localhost", 80)
