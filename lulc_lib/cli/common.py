"""What the subcommands share: exit codes, the files of a command, printing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lulc_lib.cli.process import printing
from lulc_lib.io import Output
from lulc_lib.io.progress import LOG
from lulc_lib.io.progress import note as note  # to people, as warn and say
from lulc_lib.io.text import printable

DONE, FAULT, BAD_INPUT, STOPPED, ENDED = 0, 1, 2, 130, 143
"""Exit codes: done; a fault of ours; what was given, or the machine, cannot be used; stopped by
Ctrl-C; ended by SIGTERM."""

Subparsers = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Files(NamedTuple):
    """All that a command reads and writes, for :func:`lulc_lib.io.check_outputs`."""

    inputs: Sequence[Path | None] = ()
    outputs: Mapping[str, Output] = {}
    suffixes: Mapping[str, Sequence[str]] = {}
    folders: Mapping[str, Path | None] = {}


def warn(text: str) -> None:
    """Say on stderr what makes a result doubtful."""
    LOG.warning("warning: %s", text)


def say(text: object) -> None:
    """Print a result on stdout, control characters made visible."""
    with printing():
        print(printable(str(text)))
