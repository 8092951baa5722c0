"""What benchmarks share: a section of results/bench.json each, and times that can be compared."""

from __future__ import annotations

import gc
import json
import os
import platform
import re
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lulc_lib.io import written_whole

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "results" / "bench.json"


def record(section: str, values: Mapping[str, Any]) -> None:
    """Write a section of results/bench.json anew, with the machine; print it."""
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    found[section] = {**values, "machine": machine()}
    with written_whole(FILE) as part:
        part.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")
    print(section, json.dumps(values, indent=1))


def machine() -> dict[str, Any]:
    """Return what the times depend on."""
    names = re.findall(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    return {"cpu": names[0] if names else platform.processor(), "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
            "python": platform.python_version(), "torch": version("torch"),
            "numpy": version("numpy"), "day": time.strftime("%Y-%m-%d")}


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def in_turns(ways: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Return the least CPU seconds of each way, in turns; a first turn does not count.

    CPU seconds are those of all threads of this process.
    """
    seconds: dict[str, float] = {}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            gc.collect()
            start = time.process_time()
            way()
            if turn:
                taken = time.process_time() - start
                seconds[name] = min(seconds.get(name, taken), taken)
    return seconds
