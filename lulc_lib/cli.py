"""The ``lulc`` command: parses arguments, calls the library, turns errors into exit codes.

A subcommand is a function that adds its parser to ``COMMANDS`` and sets ``run`` to a function of
the parsed arguments. What it needs beyond the standard library it imports when it runs, so that
``lulc --help`` is quick and works without the heavy packages.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lulc_lib import __version__, paths
from lulc_lib.errors import InputError

DONE, FAULT, BAD_INPUT, STOPPED = 0, 1, 2, 130
"""Exit codes: done; a fault of ours; what was given cannot be used; stopped by Ctrl-C."""

Subparsers = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_data(commands: Subparsers) -> None:
    """``lulc data``: fetch and verify the published dataset, or list it."""
    parser = commands.add_parser(
        "data", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="fetch and verify the published dataset, list it, or fetch a scene by STAC",
        description="Fetch what is missing of the published dataset and verify every file.\n"
        "The folder is $LULC_DATA, else data/lulc_mining; $LULC_DATA_URL names a mirror.",
        epilog="examples:\n  lulc data\n  lulc data --list\n"
        "  lulc data --stac kolbuszowa:2021-07-25 --service planetary-computer -o scene.tif",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", dest="list_files",
                        help="show the state of each file; download nothing")
    action.add_argument("--stac", metavar="SITE:DATE",
                        help="fetch the Sentinel-2 L2A scene of a site and day (YYYY-MM-DD)")
    action.add_argument("--resolve", metavar="SOURCE",
                        help="make a source ready (auto, published, synthetic); print its name")
    parser.add_argument("--service", metavar="NAME",
                        help="STAC service for --stac: earth-search (default), "
                        "planetary-computer or cdse")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="GeoTIFF written by --stac (default: stac/SITE_YYYYMMDD.tif in the "
                        "data folder)")
    parser.set_defaults(run=run_data)


def run_data(args: argparse.Namespace) -> int:
    """Do what ``lulc data`` was asked for; the exit code."""
    if args.stac is None and (args.output or args.service):
        raise InputError("--output and --service belong to --stac SITE:DATE; give that too")
    if args.list_files:
        return _list_files()
    if args.stac is not None:
        return _fetch_by_stac(args.stac, args.service, args.output)
    if args.resolve is not None:
        return _resolve(args.resolve)
    return _fetch_all()


def _fetch_all() -> int:
    from lulc_lib.data.catalogue import TERMS, catalogue
    from lulc_lib.data.download import fetch, local_state, require

    root = paths.published_dir()
    files = catalogue()
    before = sum(local_state(file, root).state == "present" for file in files)
    if before == len(files):
        print(f"Nothing is missing: all {len(files)} files in {root} are verified.")
        return DONE
    states = fetch(files, root)
    present = sum(s.state == "present" for s in states)
    print(f"{root}: {present} of {len(files)} files verified, {present - before} of them just "
          "downloaded or replaced.")
    print(TERMS)
    require(states)
    return DONE


def _list_files() -> int:
    from lulc_lib.data.catalogue import TERMS, catalogue
    from lulc_lib.data.download import file_states

    root = paths.published_dir()
    states = file_states(catalogue(), root)
    row = "{:<17}  {:<13}  {:<10}  {:<10}  {:>9}  {}"
    print(row.format("state", "role", "site", "date", "bytes", "path"))
    for s in states:
        f = s.file
        print(row.format(s.state, f.role, f.site, f.date, f.size or "unknown", f.path))
    counts = {s.state: 0 for s in states}
    for s in states:
        counts[s.state] += 1
    reasons = [s.reason for s in states if s.state == "unavailable"]
    print(f"\n{len(states)} files in {root}: "
          + ", ".join(f"{n} {state}" for state, n in counts.items()) + ".")
    if reasons:
        print(f"First unavailable: {reasons[0]}.")
    print(TERMS)
    return DONE


def _fetch_by_stac(request: str, service: str | None, output: Path | None) -> int:
    from lulc_lib.data.stac import fetch_scene

    site, colon, date = request.partition(":")
    if not colon:
        raise InputError(f"--stac is {request!r}; it must be SITE:DATE, such as "
                         "kolbuszowa:2021-07-25")
    print(fetch_scene(site, date, service or "earth-search", output))
    return DONE


def _resolve(choice: str) -> int:
    from lulc_lib.data.source import resolve_source

    with contextlib.redirect_stdout(sys.stderr):
        source = resolve_source(choice)
        if source.note:
            print(source.note)
        print(f"Data: {source.name}, {source.root}")
    print(source.name)
    return DONE


COMMANDS: tuple[Callable[[Subparsers], None], ...] = (add_data,)


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``lulc`` with all its subcommands."""
    parser = argparse.ArgumentParser(
        prog="lulc", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Open-pit mines on Sentinel-2: the study's tools.",
        epilog="example:\n  lulc data --list\n\n"
        "exit codes: 0 done, 2 what was given cannot be used, 1 a fault of the program",
    )
    parser.add_argument("--version", action="version", version=f"lulc {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one ``lulc`` command.

    Parameters
    ----------
    arguments : the words after ``lulc``; by default those of the process.

    Returns
    -------
    The exit code: 0 done, 2 bad input (one line on stderr), 1 a fault of ours (one line on
    stderr; with LULC_DEBUG=1 the traceback), 130 stopped.
    """
    args = build_parser().parse_args(arguments)
    try:
        code = args.run(args)
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"lulc {args.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("lulc: stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        if os.environ.get("LULC_DEBUG"):
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"lulc {args.command}: a fault of the program, {what} "
              "(LULC_DEBUG=1 shows the traceback)", file=sys.stderr)
        return FAULT
