"""The ``lulc`` command: parses arguments, calls the library, turns errors into exit codes.

A subcommand is a module with a function that adds its parser (listed in ``COMMANDS``) and sets
``run`` to a function of the parsed arguments. What it needs beyond the standard library it imports
when it runs, so that ``lulc --help`` is quick and works without the heavy packages.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from lulc_lib import __version__
from lulc_lib.cli.accuracy import add_accuracy
from lulc_lib.cli.classify import add_classify
from lulc_lib.cli.common import BAD_INPUT, DONE, FAULT, STOPPED, Subparsers
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
from lulc_lib.cli.sample import add_sample
from lulc_lib.cli.sites import add_sites
from lulc_lib.errors import InputError

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
        "exit codes: 0 done, 2 what was given cannot be used, 1 a fault of the program",
    )
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
        The exit code: 0 done, 2 bad input (one line on stderr), 1 a fault of ours (one line on
        stderr; with LULC_DEBUG=1 the traceback), 130 stopped.
    """
    parser = build_parser()
    complete(parser)
    args = parser.parse_args(arguments)
    try:
        with logged(args):
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
        if extra := missing_extra(args.command, error):
            print(f"lulc {args.command}: {extra}", file=sys.stderr)
            return BAD_INPUT
        if os.environ.get("LULC_DEBUG"):
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"lulc {args.command}: a fault of the program, {what} "
              "(LULC_DEBUG=1 shows the traceback)", file=sys.stderr)
        return FAULT
