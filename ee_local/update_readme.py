"""Write what README.md lists: what each function is verified against, and what each does.

The first comes from ``tests/evidence.csv`` (made by ``tests/evidence.py``), the second from the
functions' docstrings.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
README = HERE / "README.md"
VERIFIED = "## Verified against what\n"
FUNCTIONS = "## Functions\n"


def text() -> str:
    """Return the README with both lists made anew."""
    from ee_local.cli import function_list

    sys.path.insert(0, str(HERE / "tests"))
    import evidence

    before = README.read_text("utf-8").partition(VERIFIED)[0]
    return f"{before}{VERIFIED}\n{evidence.section()}\n\n{FUNCTIONS}\n{function_list()}\n"


if __name__ == "__main__":
    README.write_text(text(), "utf-8")
