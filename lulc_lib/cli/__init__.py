"""The ``lulc`` command: parses arguments, calls the library, turns errors into exit codes.

A subcommand is a module with a function that adds its parser (listed in ``COMMANDS``) and sets
``run`` and ``files`` to functions of the parsed arguments: what it does, and all that it reads and
writes, which is checked before anything is opened for writing. What it needs beyond the standard
library it imports when it runs, so that ``lulc --help`` is quick and works without the heavy
packages.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lulc_lib import __version__
from lulc_lib.cli.accuracy import add_accuracy
from lulc_lib.cli.classify import add_classify
from lulc_lib.cli.common import BAD_INPUT, DONE, ENDED, FAULT, STOPPED, Subparsers
from lulc_lib.cli.data import add_data
from lulc_lib.cli.earth_engine import add_earth_engine
from lulc_lib.cli.parser import (
    COMPLETION,
    ENVIRONMENT,
    Parser,
    add_habits,
    complete,
    logged,
    missing_extra,
)
from lulc_lib.cli.process import Ended, ended_as_stopped, streams
from lulc_lib.cli.sample import add_sample
from lulc_lib.cli.sites import add_sites
from lulc_lib.errors import InputError
from lulc_lib.io import check_outputs
from lulc_lib.io.progress import LOG
from lulc_lib.io.text import printable

COMMANDS: tuple[Callable[[Subparsers], None], ...] = (
    add_data, add_classify, add_accuracy, add_sample, add_earth_engine, add_sites)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``lulc`` with all its subcommands."""
    parser = Parser(
        prog="lulc", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Open-pit mines on Sentinel-2: the study's tools.",
        epilog="examples:\n  lulc data --list\n  lulc classify scene.tif -o map.tif\n"
        "  lulc accuracy matrix.csv --rows map\n  lulc earth-engine --port 8765\n\n"
        f"{ENVIRONMENT}\n\n{COMPLETION}\n\n"
        "exit codes: 0 done, 2 what was given cannot be used, 1 a fault of the program")
    parser.add_argument("--version", action="version", version=f"lulc {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(commands)
    for command in commands.choices.values():
        add_habits(command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one ``lulc`` command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``lulc``; by default those of the process.

    Returns
    -------
    int
        The exit code: 0 done, 2 what was given or the machine cannot be used (one line on stderr),
        1 a fault of ours (one line on stderr; with LULC_DEBUG=1 the traceback), 130 stopped by
        Ctrl-C, 143 ended by SIGTERM.
    """
    command = "lulc"
    try:
        with streams(), ended_as_stopped():
            parser = build_parser()
            complete(parser)
            args = parser.parse_args(arguments)
            command = f"lulc {args.command}"
            return _run(args)
    except InputError as error:
        return _failed(command, str(error))
    except KeyboardInterrupt as stop:
        _failed("lulc", "stopped")
        return ENDED if isinstance(stop, Ended) else STOPPED
    except BrokenPipeError:
        return DONE
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        return _failed(command, f"{where}{error.strerror or error}")
    except MemoryError as error:
        return _failed(command, f"there is not enough memory {error}")
    except Exception as error:
        if extra := missing_extra(command.removeprefix("lulc "), error):
            return _failed(command, extra)
        if os.environ.get("LULC_DEBUG"):
            raise
        _failed(command, f"a fault of the program, {type(error).__name__}: {error} "
                "(LULC_DEBUG=1 shows the traceback)")
        return FAULT


def _run(args: argparse.Namespace) -> int:
    """Check all files of a command before the first is opened for writing, and run it."""
    files = args.files(args)
    check_outputs(files.outputs, filter(None, files.inputs), files.suffixes, args.overwrite,
                  files.folders, args.log)
    with logged(args):
        written = [path for paths in files.outputs.values() for path in
                   ([paths] if isinstance(paths, Path) else paths or ()) if path]
        LOG.info("reads %s; writes %s", *(", ".join(map(str, filter(None, paths))) or "nothing"
                                          for paths in (files.inputs, written)))
        return args.run(args)


def _failed(command: str, why: str) -> int:
    """Say in one line why a command could not do its work; return the exit code."""
    print(printable(" ".join(f"{command}: {why}".split())), file=sys.stderr)
    return BAD_INPUT
