"""``ee-local``: serve a folder of GeoTIFFs to the Earth Engine client."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from types import FrameType

from ee_local.errors import InputError
from ee_local.graph import CACHE_BYTES
from ee_local.registry import functions
from ee_local.server import LocalServer, start

MB = 1024 * 1024
DESCRIPTION = """\
Serve a folder of GeoTIFFs to Google's own Earth Engine clients and to geemap, on this machine,
without an account. The first line on standard output is the address. Ctrl-C stops it."""

EXAMPLES = """\
example:
  ee-local scenes --collection MY/SCENES --port 8765

in Python:
  import ee, google.auth.credentials
  ee.Initialize(google.auth.credentials.AnonymousCredentials(),
                url="http://127.0.0.1:8765", project="offline")
  ee.ImageCollection("MY/SCENES").filterDate("2023-07-01", "2023-08-01").first().getInfo()"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(
        "ee-local", description=DESCRIPTION, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of GeoTIFFs")
    parser.add_argument("--collection", metavar="ID",
                        help="asset id of the image collection (default: the folder's name)")
    parser.add_argument("--port", type=int, default=0, metavar="N",
                        help="port of 127.0.0.1 (default: any that is free)")
    parser.add_argument("--exports", type=Path, metavar="F",
                        help="folder for ee.batch.Export (default: ee_local_exports)")
    parser.add_argument("--cache", type=int, default=CACHE_BYTES // MB, metavar="MB",
                        help="memory for results that may be asked for again (default: 512)")
    parser.add_argument("--functions", action="store_true",
                        help="list the functions of Earth Engine that are implemented, and end")
    given = parser.parse_args(arguments)
    if given.functions:
        print(function_list())
        return 0
    if given.folder is None:
        parser.error("the folder of GeoTIFFs is missing")
    try:
        serve(lambda: start(given.folder, given.port, given.exports, given.collection,
                            given.cache * MB))
    except InputError as error:
        print(f"ee-local: {error}", file=sys.stderr)
        return 2
    return 0


def serve(begin: Callable[[], LocalServer]) -> None:
    """Start a server, print its address, and serve until Ctrl-C or a request to end.

    Parameters
    ----------
    begin : callable
        Starts the server.
    """
    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        with begin() as server:
            print(server.address, flush=True)
            print(f"It holds {server.engine.catalogue.held()}. Exports come to {server.exports}. "
                  "Ctrl-C stops.", file=sys.stderr, flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        pass


def function_list() -> str:
    """Return the functions that are implemented as Markdown, by kind, with what each does."""
    known = functions()
    lines = [f"{len(known)} functions."]
    for kind, names in groupby(known, key=lambda name: name.split(".")[0]):
        lines += ["", f"### {kind}", "", *(f"- `{name}`: {known[name]}" for name in names)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
