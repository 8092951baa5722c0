"""How the command line behaves whatever the subcommand.

One line for a wrong option or value, with the nearest right one; the options that every command
has; the log; the completion of the shell; the extra that a missing package belongs to.
"""

from __future__ import annotations

import argparse
import difflib
import logging
import os
import re
import shlex
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

from lulc_lib import __version__
from lulc_lib.io.progress import LOG, NOTE
from lulc_lib.io.text import printable

ENVIRONMENT = """\
environment variables:
  LULC_DATA      folder of the published dataset (default: data/lulc_mining)
  LULC_DATA_URL  address of a mirror to download it from
  LULC_OUTPUT    folder above figures/, results/ and build/ of a notebook or of exports (default:
                 build/lab)
  LULC_DEBUG     1: a fault of the program ends with its traceback
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
                 of the Copernicus Data Space, for lulc data --service cdse"""

COMPLETION = """\
completion of options and files by the shell (bash, zsh), once for all:
  echo 'eval "$(register-python-argcomplete lulc)"' >> ~/.bashrc"""

EXTRAS = {"accuracy": "accuracy", "classify": "classify", "data": "data", "sample": "accuracy",
          "sites": "sites", "earth-engine": "earth-engine"}
"""Command to the extra of the distribution that brings what it needs."""

TIMED = "%(asctime)s %(levelname)s %(message)s"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, which names what was probably meant."""

    def parse_known_args(self, args: Sequence[str] | None = None,  # type: ignore[override]
                         namespace: argparse.Namespace | None = None,
                         ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; a subcommand refuses itself what it does not know."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def _print_message(self, message: str, file: IO[str] | None = None) -> None:
        super()._print_message(printable(message), file)

    def error(self, message: str) -> NoReturn:
        """Print one line, with what was probably meant, and exit with 2."""
        options = [o for o in self._option_string_actions if o.startswith("--")]
        for wrong in re.findall(r"(?<!\S)--[\w-]+", message.partition(":")[2]):
            message += _meant(wrong, options)
        if message.endswith("expected one argument"):
            option = message.split()[1].rstrip(":").split("/")[-1]
            message += f"; a value that begins with - is written as {option}=VALUE"
        if choice := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            message += _meant(choice[1], re.findall(r"[\w-]+", choice[2]))
        self.exit(2, f"{self.prog}: {message} (usage: {self.prog} --help)\n")


def _meant(wrong: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(wrong, known, 1)
    return f"; did you mean {close[0]}?" if close and close[0] != wrong else ""


def add_habits(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has."""
    group = parser.add_argument_group("in every command")
    group.add_argument("--overwrite", action="store_true",
                       help="replace files that are there already (without it they are refused; "
                       "an input is never replaced)")
    loud = group.add_mutually_exclusive_group()
    loud.add_argument("-q", "--quiet", action="store_true",
                      help="no notes and no progress on stderr; warnings and errors remain")
    loud.add_argument("-v", "--verbose", action="store_true",
                      help="say on stderr what is read, decided and written, with the time")
    group.add_argument("--log", type=Path, metavar="FILE",
                       help="add the same to a file, with the warnings of libraries")


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell where it asks for a completion."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)


@contextmanager
def logged(args: argparse.Namespace) -> Iterator[None]:
    """Show and log what is said inside, as ``--quiet``, ``--verbose`` and ``--log`` ask.

    Notes and warnings of ours are one line on stderr. Warnings of libraries, which no user can act
    on, go to the log only.
    """
    handlers = [_handler(logging.StreamHandler(), logging.DEBUG, TIMED) if args.verbose else
                _handler(logging.StreamHandler(), logging.WARNING if args.quiet else NOTE,
                         f"lulc {args.command}: %(message)s")]
    if args.log is not None:
        handlers.append(_handler(logging.FileHandler(args.log, encoding="utf-8"), logging.DEBUG,
                                 TIMED))
    began, level = time.perf_counter(), LOG.level
    LOG.handlers += handlers
    LOG.setLevel(logging.DEBUG if args.verbose or args.log else NOTE)
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("default")
            warnings.showwarning = _show
            LOG.info("lulc %s, Python %s: lulc %s", __version__, sys.version.split()[0],
                     shlex.join(sys.argv[1:]))
            yield
    finally:
        LOG.info("ended after %.1f s", time.perf_counter() - began)
        LOG.setLevel(level)
        for handler in handlers:
            LOG.removeHandler(handler)
            handler.close()


def _handler(handler: logging.Handler, level: int, form: str) -> logging.Handler:
    handler.setLevel(level)
    handler.setFormatter(_Printable(form))
    return handler


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return the line with its control characters made visible."""
        return printable(super().format(record))


def _show(message: Warning | str, category: type[Warning], filename: str, lineno: int,
          *_: object) -> None:
    """Warn of what is ours; log what is a library's."""
    if category.__module__.startswith("lulc_lib"):
        LOG.warning("warning: %s", message)
    else:
        LOG.info("%s:%d: %s: %s", filename, lineno, category.__name__, message)


def missing_extra(command: str, error: Exception) -> str | None:
    """Say which extra brings a package that is not installed; None if the error is another."""
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or package in ("", "lulc_lib"):
        return None
    return (f"needs {package}, which is not installed; pip install "
            f"'lulc_lib[{EXTRAS[command]}]' brings all that lulc {command} needs")
