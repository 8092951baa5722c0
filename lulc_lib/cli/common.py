"""What the subcommands share: exit codes and the type of argparse's subparsers."""

from __future__ import annotations

DONE, FAULT, BAD_INPUT, STOPPED = 0, 1, 2, 130
"""Exit codes: done; a fault of ours; what was given cannot be used; stopped by Ctrl-C."""

Subparsers = "argparse._SubParsersAction[argparse.ArgumentParser]"
