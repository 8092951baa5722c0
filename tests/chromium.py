"""A headless Chromium for tests, told what to do through a pipe; nothing is listened on."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--window-size=1400,900", "--remote-debugging-pipe",
         "--host-resolver-rules=MAP * ~NOTFOUND")  # no name leads anywhere
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed")


class Page:
    """One page: :meth:`open` a file, :meth:`run` JavaScript, see what it ``asked`` for.

    ``asked`` lists the addresses of all requests, ``faults`` errors, warnings and refusals.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.faults: list[str] = []
        self._number, self._loaded = 0, False

    def __enter__(self) -> Page:
        self._profile = tempfile.mkdtemp()
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        words = [PROGRAM, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "bash", *words],
            pass_fds=(commands, answers), stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        self._stream = os.fdopen(self._answers, "rb")
        self._rest = b""
        target = self._send("Target.getTargets")["targetInfos"][0]["targetId"]
        self._session = self._send("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        self._stream.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, path: Path) -> None:
        """Open a file and wait until it has loaded."""
        self._loaded = False
        self.send("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._heard()

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self, path: Path) -> None:
        """Save what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def move(self, x: int, y: int, kind: str = "mouseMoved") -> None:
        """Move the mouse, or press and release it (kind ``mousePressed``, ``mouseReleased``)."""
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give the page a command of the DevTools protocol; its result."""
        return self._send(method, self._session, **parameters)

    def _send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._heard()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _heard(self) -> dict[str, Any]:
        """Take the next message, and note what it tells."""
        while b"\0" not in self._rest:
            part = self._stream.read1(1 << 20)
            assert part, "Chromium has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        heard = json.loads(message)
        said, kind = heard.get("params", {}), heard.get("method")
        self._loaded |= kind == "Page.loadEventFired"
        if kind == "Network.requestWillBeSent":
            self.asked.append(said["request"]["url"])
        elif kind == "Runtime.exceptionThrown":
            self.faults.append(said["exceptionDetails"]["exception"]["description"])
        elif kind == "Log.entryAdded":
            self.faults.append(said["entry"]["text"])
        elif kind == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning"):
            self.faults.append(str(said["args"]))
        return heard
