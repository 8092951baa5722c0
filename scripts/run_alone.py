"""Run a command while no other of its name runs in this folder; a second one says so and waits.

    python scripts/run_alone.py reproduce make notebooks

The lock is the operating system's: it goes to the command and to what that starts, and ends with
the last of them, however they end.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

LOCKS = Path("build") / "locks"


def main() -> None:
    """Command line; see the module's text."""
    name, *command = sys.argv[1:]
    LOCKS.mkdir(parents=True, exist_ok=True)
    lock = os.open(LOCKS / name, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"make {name}: another one runs in this folder ({os.read(lock, 100).decode()}); "
              "this one waits for its end. Ctrl-C gives up.", file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"process {os.getpid()}, since {time.strftime('%H:%M:%S')}".encode(), 0)
    os.set_inheritable(lock, True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
