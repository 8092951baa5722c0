"""A map raster and its reference, block by block: pairs of codes for the confusion matrix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from lulc_lib import legend
from lulc_lib.accuracy.assess.judged import MOST_CLASSES, Judged, judged_matrix
from lulc_lib.accuracy.confusion import as_confusion, confusion_from_labels
from lulc_lib.cli.vectors import Codes, VectorReference
from lulc_lib.errors import InputError

BLOCK_PIXELS = 1 << 22
"""Pixels read at a time: a few arrays of this size are all that is in memory."""

UNMAPPED = "no data"
"""Row of judged pixels where the map has no data, if they are asked to count."""


def judge_pixels(map_path: Path, reference: Path | VectorReference, count_unmapped: bool) -> Judged:
    """Count the pixel pairs of a class map and a reference on its grid.

    Parameters
    ----------
    map_path : one-band raster of whole-number codes, whichever they are.
    reference : a raster on exactly the map's grid, or polygons or points.
    count_unmapped : count reference pixels where the map has no data as errors in a row of their
        own, instead of leaving them out.

    Raises
    ------
    InputError
        Unreadable or truncated file, more than one band, another grid or CRS, codes that are no
        whole numbers, or no pixel that both cover.
    """
    with ExitStack() as stack:
        source = stack.enter_context(open_classes(map_path))
        if isinstance(reference, VectorReference):
            judge = reference.on(source)
        else:
            other = stack.enter_context(open_classes(reference))
            _check_grids(source, other)
            judge = _raster_blocks(other)
        return _count(source, judge, reference, count_unmapped)


def open_classes(path: Path) -> rasterio.DatasetReader:
    """A raster of class codes, opened; it must have one band of real numbers."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a file is needed")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        source = rasterio.open(path)
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: cannot be read as a raster ({error})") from error
    if source.count != 1:
        source.close()
        raise InputError(f"{path.name}: has {source.count} bands; a class map has one")
    if np.dtype(source.dtypes[0]).kind not in "iuf":
        source.close()
        raise InputError(f"{path.name}: pixels are {source.dtypes[0]}; class codes are numbers")
    return source


def _check_grids(source: rasterio.DatasetReader, other: rasterio.DatasetReader) -> None:
    names = [Path(s.name).name for s in (source, other)]
    if source.crs != other.crs:
        crs = [s.crs.to_string() if s.crs else "no CRS" for s in (source, other)]
        raise InputError(f"{names[0]} is in {_short(crs[0])} and {names[1]} in {_short(crs[1])}; "
                         "the reference must have the map's CRS (nothing is resampled here)")
    pixel = abs(source.transform.a) or 1.0
    same = np.allclose(source.transform[:6], other.transform[:6], rtol=0, atol=1e-3 * pixel)
    if source.shape != other.shape or not same:
        raise InputError(f"{names[0]} has the grid {_grid(source)} and {names[1]} {_grid(other)}; "
                         "the reference must lie on the map's grid (nothing is resampled here)")


def _grid(source: rasterio.DatasetReader) -> str:
    t = source.transform
    return (f"{source.height} × {source.width} pixels of {abs(t.a):g} × {abs(t.e):g} from "
            f"x {t.c:.10g}, y {t.f:.10g}")


def _short(crs: str) -> str:
    return crs if len(crs) < 60 else crs[:57] + "…"


def _raster_blocks(other: rasterio.DatasetReader):
    def block(window: Window) -> Codes:
        found = read_codes(other, window)
        return Codes(found.codes, found.valid & (found.codes != legend.NO_DATA))
    return block


def read_codes(source: rasterio.DatasetReader, window: Window) -> Codes:
    """A block of codes; not valid where the file's nodata tag or NaN stands."""
    try:
        data = source.read(1, window=window)
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{Path(source.name).name}: its pixels cannot be read; the file is "
                         "damaged or truncated") from error
    valid = np.ones(data.shape, dtype=bool)
    if source.nodata is not None and not np.isnan(source.nodata):
        valid = data != source.nodata
    if data.dtype.kind == "f":
        valid &= ~np.isnan(data)
        broken = valid & ~(np.isfinite(data) & (data == np.floor(data)) & (np.abs(data) < 2**53))
        if broken.any():
            raise InputError(f"{Path(source.name).name}: holds {data[broken][0]:g}; class codes "
                             "are whole numbers")
        data = np.where(valid, data, 0).astype(np.int64)
    elif data.dtype == np.uint64 and data.max(initial=0) > np.iinfo(np.int64).max:
        raise InputError(f"{Path(source.name).name}: holds {data.max()}; that is no class code")
    return Codes(data, valid)


def windows(source: rasterio.DatasetReader) -> Iterator[Window]:
    """Windows that cover a raster, whole rows of its own blocks where these fit in memory."""
    height, width = source.block_shapes[0]
    if width >= source.width:
        wide = source.width
        tall = max(height, BLOCK_PIXELS // max(wide, 1) // height * height)
    else:
        side = int(BLOCK_PIXELS**0.5)
        tall, wide = (max(1, side // edge) * edge for edge in (height, width))
    tall, wide = min(tall, max(1, 4 * BLOCK_PIXELS // wide)), min(wide, source.width)
    for row in range(0, source.height, tall):
        for col in range(0, source.width, wide):
            yield Window(col, row, min(wide, source.width - col), min(tall, source.height - row))


def _count(source: rasterio.DatasetReader, judge, reference, count_unmapped: bool) -> Judged:
    total: dict[tuple[int, int], int] = {}
    unmapped: dict[int, int] = {}
    for window in windows(source):
        wanted = judge(window)
        if not wanted.valid.any():
            continue
        mapped = read_codes(source, window)
        _add(total, mapped.codes, wanted.codes, mapped.valid & wanted.valid)
        lost = wanted.codes[wanted.valid & ~mapped.valid]
        for code, number in zip(*np.unique(lost, return_counts=True), strict=True):
            unmapped[int(code)] = unmapped.get(int(code), 0) + int(number)
        codes = {code for pair in total for code in pair}
        if len(codes) > MOST_CLASSES:
            raise InputError(f"{Path(source.name).name} and its reference hold more than "
                             f"{MOST_CLASSES} different codes; they must be class maps")
    if not total and not (unmapped and count_unmapped):
        raise InputError(_nothing(source, reference, sum(unmapped.values())))
    return _matrix(source, reference, total, unmapped, count_unmapped)


def _add(total: dict[tuple[int, int], int], rows, columns, judged) -> None:
    if not judged.any():
        return
    part = confusion_from_labels(_bytes(rows[judged]), _bytes(columns[judged]))
    values = part.to_numpy()
    for i, j in zip(*np.nonzero(values), strict=True):
        pair = int(part.index[i]), int(part.columns[j])
        total[pair] = total.get(pair, 0) + int(values[i, j])


def _bytes(codes: NDArray[np.generic]) -> NDArray[np.generic]:
    """uint8 where the codes fit, which is counted much faster."""
    fits = codes.dtype == np.uint8 or (codes.min() >= 0 and codes.max() <= 255)
    return codes.astype(np.uint8, copy=False) if fits else codes.astype(np.int64, copy=False)


def _nothing(source, reference, unmapped: int) -> str:
    name = reference.name
    if unmapped:
        return (f"the map {Path(source.name).name} has no data at all {unmapped} pixels that "
                f"{name} labels; there is nothing to judge")
    return f"{name}: labels no pixel of the map {Path(source.name).name}; there is nothing to judge"


def _matrix(source, reference, total, unmapped, count_unmapped: bool) -> Judged:
    codes = sorted({code for pair in total for code in pair})
    labels = [str(code) for code in codes]
    counts = np.zeros((len(codes), len(codes)), dtype=np.int64)
    for (row, column), number in total.items():
        counts[codes.index(row), codes.index(column)] = number
    table = pd.DataFrame(counts, index=labels, columns=labels)
    if unmapped and count_unmapped:
        lost = pd.DataFrame({UNMAPPED: {str(c): n for c, n in unmapped.items()}}).T
        order = [UNMAPPED, *map(str, sorted({*codes, *unmapped}))]
        table = pd.concat([table, lost]).reindex(index=order, columns=order).fillna(0)
    notes = _no_data_notes(source, reference, sum(unmapped.values()), count_unmapped)
    if isinstance(reference, VectorReference):
        notes += _shape_notes(reference, sum(total.values()) + sum(unmapped.values()))
    kind = (reference.kind if isinstance(reference, VectorReference)
            else "map raster and reference raster on one grid")
    matrix = as_confusion(table.to_numpy(), list(table.index))
    return judged_matrix(matrix, kind, notes, pixels=True)


def _shape_notes(reference: VectorReference, burned: int) -> list[str]:
    """Features that could not be judged."""
    notes, inside = [], int((reference.codes != legend.NO_DATA).sum()) - reference.outside
    if reference.empty:
        notes.append(f"{reference.empty} features without a shape were left out.")
    if reference.outside:
        notes.append(f"{reference.outside} {reference.units} lie off the map and were left out.")
    if not reference.polygons and burned < inside:
        notes.append(f"{inside - burned} points share a pixel with another; a pixel is judged "
                     "once, by the last of its points.")
    return notes


def _no_data_notes(source, reference, unmapped: int, counted: bool) -> list[str]:
    tag = "none" if source.nodata is None else f"{source.nodata:g}"
    where = (f"outside the {reference.units}" if isinstance(reference, VectorReference)
             else "the file's nodata value")
    notes = [f"No data: in the map {tag} (the file's tag); in the reference {legend.NO_DATA} and "
             f"{where}."]
    if unmapped and counted:
        notes.append(f"{unmapped} reference pixels lie where the map has no data; they count as "
                     f"errors, in the row {UNMAPPED!r}.")
    elif unmapped:
        notes.append(f"{unmapped} reference pixels lie where the map has no data and are not "
                     "judged; --unmapped count makes them errors.")
    return notes
