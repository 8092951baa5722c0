"""No test, and nothing that a test starts, reaches beyond this machine."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

LOOPBACK = Path(__file__).parent / "tests" / "loopback"

collect_ignore = ["tests/killed_runs.py", "tests/lesson_on_wasm.py", "tests/mutants.py",
                  "tests/open_in_qgis.py"]
"""Programs outside the suite: three targets of the Makefile, and one that QGIS's Python runs."""


def pytest_configure() -> None:
    """Record and refuse what asks for another machine, here and in every process started."""
    handle, record = tempfile.mkstemp(prefix="sockets")
    os.close(handle)
    os.environ["LULC_SOCKETS"] = record
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(LOOPBACK), os.environ.get("PYTHONPATH"))))
    sys.path.insert(0, str(LOOPBACK))
    sys.modules.pop("sitecustomize", None)
    import sitecustomize  # noqa: F401


@pytest.fixture(autouse=True)
def nothing_leaves_this_machine() -> Iterator[None]:
    """Fail the test in which another machine was asked for."""
    record = Path(os.environ["LULC_SOCKETS"])
    before = record.stat().st_size
    yield
    asked = record.read_text("utf-8")[before:]
    assert not asked, f"reached beyond this machine: {asked}"


def pytest_unconfigure() -> None:
    """Remove the record."""
    Path(os.environ["LULC_SOCKETS"]).unlink(missing_ok=True)
