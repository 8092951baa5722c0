"""``lulc earth-engine``: the local Earth Engine as a server for any client on this machine."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lulc_lib import paths
from lulc_lib.cli.common import DONE, Files, Subparsers, note
from lulc_lib.io import existing_file

if TYPE_CHECKING:
    from ee_local import LocalServer

DESCRIPTION = """\
Start the local Earth Engine: a server on this machine that the unmodified Earth Engine client and
geemap talk to instead of Google's, with no account. It serves the scenes of the data folder as
COPERNICUS/S2_SR_HARMONIZED and evaluates what is asked of them. The first line on standard output
is its address. Ctrl-C stops it."""

EXAMPLES = """\
examples:
  lulc earth-engine
  lulc earth-engine --port 8765 --source synthetic --exports exported

in Python:
  import ee, google.auth.credentials
  ee.Initialize(credentials=google.auth.credentials.AnonymousCredentials(),
                url="http://127.0.0.1:8765", project="offline")"""


def add_earth_engine(commands: Subparsers) -> None:
    """Add ``lulc earth-engine``: start the local Earth Engine."""
    parser = commands.add_parser(
        "earth-engine", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="start the local Earth Engine, which answers the ee and geemap clients",
        description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("--port", type=int, default=0, metavar="N",
                        help="port of 127.0.0.1 (default: any that is free)")
    parser.add_argument("--source", default="auto", metavar="NAME",
                        help="auto (default), published or synthetic data")
    parser.add_argument("--site", metavar="NAME", help="serve only this site's scenes")
    parser.add_argument("--exports", type=Path, metavar="DIR",
                        help="folder for ee.batch.Export (default: build/earth_engine/exports)")
    parser.add_argument("--corine", type=Path, metavar="FILE",
                        help="CORINE Land Cover 2018, polygons or raster (default: the data "
                        "folder's registries/corine.*, if there is one)")
    parser.set_defaults(run=run_earth_engine, files=files_earth_engine)


def files_earth_engine(args: argparse.Namespace) -> Files:
    """Name all that is read and written."""
    return Files((args.corine, paths.published_dir()), folders={"--exports": args.exports})


def run_earth_engine(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or a request to end; return the exit code."""
    from ee_local.cli import serve

    serve(lambda: _started(args))
    return DONE


def _started(args: argparse.Namespace) -> LocalServer:
    from ee_local.server import check_port

    from lulc_lib.data.catalogue import find_site
    from lulc_lib.data.source import resolve_source
    from lulc_lib.earth_engine import assets
    from lulc_lib.landscape import ensure_landscape

    if args.site is not None:  # all that was given, before scenes are fetched or made
        find_site(args.site)
    with assets.as_ours():
        check_port(args.port)
        if args.corine is not None:
            assets.corine_image(existing_file(args.corine))
    with contextlib.redirect_stdout(sys.stderr):
        source = resolve_source(args.source, ensure_landscape)
    exports = args.exports or paths.project_root() / "build" / "earth_engine" / "exports"
    server = assets.start_local(source.root, args.site, args.port, exports, args.corine)
    note(f"data: {source.name}")
    return server
