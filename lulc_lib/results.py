"""Results as JSON: the only link between notebooks, and from them to the README.

A file ``results/<source>/<name>.json`` holds ``values`` and ``provenance``. A run whose values are
stored already leaves the file untouched, unless that names a commit with changes and the run has
none.
"""

from __future__ import annotations

import base64
import json
import math
import platform
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lulc_lib import paths
from lulc_lib.errors import InputError
from lulc_lib.io import sha256, written_whole

if TYPE_CHECKING:
    import xarray as xr

_PACKAGES = ("lulc_lib", "numpy", "rasterio", "scikit-learn", "torch", "xarray")
_CODE = ("lulc_lib/*.py", "ee_local/*.py", "experiments/*.py", "scripts/*.py")
_CHANGES = "+changes"
_STARTED = time.perf_counter()


def results_path(source: str, name: str) -> Path:
    """Return where ``results/<source>/<name>.json`` lies."""
    return paths.output_root() / "results" / source / f"{name}.json"


def write_results(source: str, name: str, values: Mapping[str, Any], data: Iterable[Path],
                  root: Path, device: str = "cpu", seconds: float | None = None,
                  unused: Iterable[str] = ()) -> Path:
    """Write results with their provenance; NaN becomes null.

    Parameters
    ----------
    source : {"published", "synthetic"}
        Which data.
    name : str
        File name without ending.
    values : mapping
        Numbers, strings, lists, dictionaries, numpy scalars and arrays.
    data : iterable of Path
        Files read, below ``root``.
    root : Path
        Folder of the data source; files are recorded relative to it.
    device : str
        Where the numbers were computed.
    seconds : float, optional
        Wall-clock time of the computation; by default since this process started.
    unused : iterable of str
        Files of the dataset that could not be used because they are absent.

    Returns
    -------
    Path
        The file.
    """
    target = results_path(source, name)
    content = {
        "values": plain(values),
        "provenance": {
            "source": source,
            "data": {str(p.relative_to(root)): sha256(p) for p in sorted(set(data))},
            "absent": sorted(unused),
            "versions": {"python": platform.python_version()} | {p: version(p) for p in _PACKAGES},
            "commit": _commit(), "device": device, "processor": platform.machine(),
            "seconds": round(time.perf_counter() - _STARTED if seconds is None else seconds, 1)}}
    if target.exists() and _keeps(json.loads(target.read_text()), content):
        return target
    with written_whole(target, make_folder=True) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return target


def read_results(source: str, name: str, root: Path | None = None) -> dict[str, Any]:
    """Return the ``values`` of stored results.

    Parameters
    ----------
    source, name : str
        See :func:`write_results`.
    root : Path, optional
        Folder above ``results/``; None is where this run writes, and where it has written none,
        the project's, which is then said. The project's root gives committed results whatever the
        run.

    Raises
    ------
    InputError
        They are not there, or the file is damaged.
    """
    target = results_path(source, name)
    committed = paths.project_root() / target.relative_to(paths.output_root())
    if root is not None:
        target = root / target.relative_to(paths.output_root())
    elif committed.exists() and not target.exists():
        print(f"{paths.shown(committed)} is read: nothing has been computed here yet",
              file=sys.stderr)
        target = committed
    if not target.exists():
        raise InputError(f"{target} is not there; make reproduce writes those of notebooks, "
                         "make experiments the others")
    try:
        return json.loads(target.read_text())["values"]
    except (json.JSONDecodeError, KeyError) as error:
        raise InputError(
            f"{target} is damaged ({error!r}); delete it and run make reproduce"
        ) from None


def pack_map(class_map: xr.DataArray) -> dict[str, Any]:
    """Return a class map as a JSON value: grid, CRS and zlib-compressed legend codes in base64."""
    codes = np.ascontiguousarray(class_map.values.astype(np.uint8))
    return {
        "crs": class_map.rio.crs.to_string(),
        "transform": list(class_map.rio.transform())[:6],
        "shape": list(codes.shape),
        "codes_zlib_base64": base64.b64encode(zlib.compress(codes.tobytes(), 9)).decode()}


def unpack_map(packed: Mapping[str, Any]) -> xr.DataArray:
    """Return the class map of :func:`pack_map`: (y, x) uint8 legend codes with CRS."""
    import rioxarray  # noqa: F401  (the rio accessor)
    import xarray as xr
    from rasterio.transform import Affine

    rows, cols = packed["shape"]
    codes = np.frombuffer(
        zlib.decompress(base64.b64decode(packed["codes_zlib_base64"])), np.uint8
    ).reshape(rows, cols)
    t = Affine(*packed["transform"])
    coords = {"y": t.f + t.e * (np.arange(rows) + 0.5), "x": t.c + t.a * (np.arange(cols) + 0.5)}
    out = xr.DataArray(codes, dims=("y", "x"), coords=coords)
    return out.rio.write_crs(packed["crs"]).rio.write_transform(t)


def _keeps(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Say whether the stored results are the new ones, from a commit as clean as theirs."""
    def core(content: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        made = content.get("provenance", {})
        return content.get("values"), made.get("data"), made.get("absent")

    def unclean(content: Mapping[str, Any]) -> bool:
        commit = content.get("provenance", {}).get("commit", "")
        return not commit or commit.endswith(_CHANGES)

    return core(old) == core(json.loads(json.dumps(new))) and unclean(old) <= unclean(new)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: lists, texts, numbers; what is not finite becomes None.

    >>> plain({1: (np.float32(0.5), np.nan), "a": np.arange(2)})
    {'1': [0.5, None], 'a': [0, 1]}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _commit() -> str:
    """Return the commit, with ``+changes`` where the code differs from it; '' outside git.

    Notebooks, tables and the model file do not count as code here: a run rewrites them.
    """
    root = paths.project_root()
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True,
                              text=True, check=True).stdout.strip()
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *_CODE], cwd=root,
                                 capture_output=True).returncode
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + (_CHANGES if changed else "")
