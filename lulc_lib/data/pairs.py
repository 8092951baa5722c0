"""A class map and its reference, of any size, block by block: pairs of codes and their counts.

Every code is a class, 0 too, unless something says that it is no data: ``--nodata``, the file's
tag, the legend's names in the map's tags (then 0 is, as in the study's maps), or, in a raster
without a tag, that the map never uses it (0, or the end of the data type, as tools fill rasters).
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from lulc_lib import legend
from lulc_lib.data.catalogue import published_files
from lulc_lib.data.labelled_shapes import VECTORS, Codes, Overlaps, VectorReference
from lulc_lib.data.reference import PixelRule, names_in_tags, open_classes
from lulc_lib.data.scenes import windows
from lulc_lib.errors import InputError
from lulc_lib.io import sha256

BLOCK_PIXELS = 1 << 22
"""Pixels read at a time: a few arrays of this size are all that is in memory."""

MOST_CODES = 1000
"""Different codes of a map and its reference; more are a sign of rasters that hold no classes."""

UNMAPPED = "no data"
"""Row of reference pixels where the map has no data, if they are asked to count."""

FILLS = frozenset({0, 255, 65535, -9999, -32768, -(2**31), 2**31 - 1, 2**32 - 1})
"""Codes with which tools fill a raster outside its data."""

Counter = Callable[[NDArray[np.generic], NDArray[np.generic]], pd.DataFrame]


class Pairs(NamedTuple):
    """What a map and its reference come down to.

    Attributes
    ----------
    counts : DataFrame
        Pixels, rows map and columns reference; the same labels (codes as text) on both.
    kind : str
        What was read, in words.
    notes : list of str
        What a reader should know about how it was read.
    dropped : dict of str to int
        What was left out, and how many of it.
    names : dict of str to str
        Names of the codes, if the map is known to be the study's or says them itself.
    by_group : array, shape (shape, map class, reference class), int64
        The counts of each polygon or point, if they were asked for.
    """

    counts: pd.DataFrame
    kind: str
    notes: list[str]
    dropped: dict[str, int]
    names: dict[str, str]
    by_group: NDArray[np.int64] | None = None


class RasterReference:
    """A raster of codes on exactly the map's grid, which :meth:`on` checks."""

    polygons = False
    kind = "map raster and reference raster on one grid"

    def __init__(self, path: Path) -> None:
        self.path, self.name, self.dropped = path, path.name, {"reference_no_data": 0}

    @contextmanager
    def on(self, source: rasterio.DatasetReader, nodata: float | None
           ) -> Iterator[Callable[[Window], Codes]]:
        """Give a function of a window that gives the reference codes there."""
        with open_classes(self.path, georeferenced=False) as other:
            _check_grids(source, other)

            yield partial(_read, other, nodata=nodata)

    def notes(self) -> list[str]:
        """Say what was left out."""
        number = self.dropped["reference_no_data"]
        return [f"{number} reference pixels hold no data."] if number else []


def open_reference(path: Path, column: str | None = None, pixel_rule: PixelRule = "centre",
                   overlaps: Overlaps = "drop", grouped: bool = False
                   ) -> RasterReference | VectorReference:
    """Open the reference of a class map: polygons or points by the file's ending, else a raster.

    ``grouped``: pairs are counted for each shape too (see :class:`VectorReference`).

    Raises
    ------
    InputError
        The vector file cannot be used, or a raster is to be grouped. A raster is checked when it
        is counted.
    """
    if path.suffix.lower() in VECTORS:
        return VectorReference(path, column, pixel_rule, overlaps, grouped)
    if grouped:
        raise InputError(f"--intervals: {path.name} is a raster, which does not say what its "
                         "pixels belong to; intervals need the polygons, or points, themselves")
    return RasterReference(path)


def reference_beside(path: Path) -> Path:
    """Return the one file beside a map that is called like it with ``_ref`` at the end."""
    beside = sorted(p for p in path.parent.glob(f"{path.stem}_ref.*")
                    if p.suffix.lower() in (".tif", ".tiff", *VECTORS))
    if len(beside) != 1:
        what = "there is none" if not beside else f"there are {', '.join(p.name for p in beside)}"
        raise InputError(f"{path.name}: is a map raster and needs a REFERENCE (raster or vector "
                         f"file); without one, {path.stem}_ref.tif or .gpkg beside it is used, and "
                         f"{what}")
    return beside[0]


def count_pairs(map_path: Path, reference: RasterReference | VectorReference, count: Counter,
                count_unmapped: bool = False, nodata: int | Literal["none"] | None = None) -> Pairs:
    """Count the pixel pairs of a class map and its reference.

    Parameters
    ----------
    map_path : Path
        One-band raster of whole-number codes, whichever they are.
    reference : RasterReference or VectorReference
        See :func:`open_reference`.
    count : callable
        Counts the pairs of two (pixel,) arrays of codes into a table of map and reference codes:
        :func:`lulc_lib.accuracy.confusion.confusion_from_labels`.
    count_unmapped : bool
        Count reference pixels where the map has no data as errors in a row of their own, instead
        of leaving them out.
    nodata : int or "none", optional
        Code of the reference that is no data, if any; None: by the rule of this module.

    Raises
    ------
    InputError
        Unreadable or truncated file, more than one band, another grid or CRS, codes that are no
        whole numbers, or no pixel that both cover.
    """
    total, unmapped, grouped = Tally(), Tally(), Tally()
    with open_classes(map_path, georeferenced=False) as source:
        rule, names = _nodata_rule(source, reference, nodata), known_names(map_path, source)
        with reference.on(source, rule.code) as block:
            for mapped, wanted in _blocks(source, block, BLOCK_PIXELS << 2 * isinstance(
                    reference, RasterReference)):
                found = _tally_pairs(count, mapped, wanted)
                total.update({pair: n for pair, n in found.items() if None not in pair})
                unmapped.update({r: n for (m, r), n in found.items() if m is None is not r})
                _check_number({code for pair in total for code in pair}, map_path.name)
                if wanted.group is not None:
                    _tally_groups(grouped, mapped, wanted, count_unmapped)
        if isinstance(reference, RasterReference):
            reference.dropped["reference_no_data"] = (
                source.width * source.height - total.total() - unmapped.total())
    dropped, said = reference.dropped, [rule.words]
    if rule.by_use:
        dropped, said = _without_fills(total, unmapped, dropped, said)
    missed = unmapped.total()
    if not total and not (missed and count_unmapped):
        raise InputError(
            f"the map {map_path.name} has no data at all {missed} pixels that {reference.name} "
            "labels; there is nothing to compare" if missed else
            f"{reference.name}: labels no pixel of the map {map_path.name}; there is nothing to "
            "compare")
    if missed:
        what = (f"they count as errors, in the row {UNMAPPED!r}." if count_unmapped
                else "they do not count; --unmapped count makes them errors.")
        said.append(f"{missed} reference pixels lie where the map has no data; {what}")
        dropped = {**dropped, "map_no_data": 0 if count_unmapped else missed}
    table = _table(total, unmapped if count_unmapped else Tally())
    return Pairs(table, reference.kind, said + reference.notes(),
                 {what: n for what, n in dropped.items() if n}, names,
                 _by_group(grouped, list(table.index)) if grouped else None)


def known_names(path: Path, source: rasterio.DatasetReader) -> dict[str, str]:
    """Return the names of the codes (as text) of a map that is the study's or says them itself.

    The study's maps have them in their tags; its authors' published maps are known by their hash.
    """
    if names := names_in_tags(source.tags()):
        return {str(code): name for code, name in names.items()}
    size = path.stat().st_size
    hashes = {f.sha256 for f in published_files() if f.role == "published_map" and f.size == size}
    if hashes and sha256(path) in hashes:
        return {str(code): name for code, name in legend.NAMES.items()}
    return {}


def _tally_pairs(count: Counter, mapped: Codes, wanted: Codes
                 ) -> dict[tuple[int | None, int | None], int]:
    """Count (map code, reference code) of a block, None for no data.

    Bytes are counted as they are: a look at the few codes afterwards tells what is no data.
    """
    if mapped.valid is wanted.valid is None:
        return {(None if m == mapped.fill else m, None if r == wanted.fill else r): n
                for m, r, n in _cells(count(mapped.codes, wanted.codes))}
    there, both = wanted.known(), wanted.known() & mapped.known()
    codes, numbers = np.unique(wanted.codes[there & ~both], return_counts=True)
    found = {(None, r): n for r, n in zip(codes.tolist(), numbers.tolist(), strict=True)}
    if both.any():
        table = count(_bytes(mapped.codes[both]), _bytes(wanted.codes[both]))
        found |= {(m, r): n for m, r, n in _cells(table)}
    return found


def _cells(table: pd.DataFrame) -> Iterator[tuple[int, int, int]]:
    """Yield (row's label, column's label, count) of the cells that are not 0."""
    counts, (rows, columns) = table.to_numpy(), (axis.to_numpy() for axis in table.axes)
    at = np.nonzero(counts)
    yield from zip(rows[at[0]].tolist(), columns[at[1]].tolist(), counts[at].tolist(), strict=True)


def _tally_groups(tally: Tally, mapped: Codes, wanted: Codes, count_unmapped: bool) -> None:
    """Count (shape, map code or None, reference code)."""
    there, known = wanted.known(), mapped.known()
    for where, is_known in ((there & known, True), (there & ~known & count_unmapped, False)):
        if not where.any():
            continue
        found = np.stack([wanted.group[where], mapped.codes[where], wanted.codes[where]])
        triples, numbers = np.unique(found if is_known else found[[0, 2, 2]], axis=1,
                                     return_counts=True)
        tally.update({(g, m if is_known else None, r): n for (g, m, r), n in
                      zip(triples.T.tolist(), numbers.tolist(), strict=True)})


def _by_group(tally: Tally, labels: list[str]) -> NDArray[np.int64]:
    """Lay counts out as (shape, map class, reference class) in the order of the labels."""
    groups = {g: k for k, g in enumerate(sorted({g for g, _, _ in tally}))}
    place = {label: k for k, label in enumerate(labels)}
    counts = np.zeros((len(groups), len(labels), len(labels)), dtype=np.int64)
    for (g, m, r), number in tally.items():
        counts[groups[g], place[UNMAPPED if m is None else str(m)], place[str(r)]] = number
    return counts


class _Nodata(NamedTuple):
    """Code of the reference that is no data, in words, and whether the map's codes decide."""

    code: float | None
    words: str
    by_use: bool = False


def _nodata_rule(source: rasterio.DatasetReader, reference: RasterReference | VectorReference,
                 nodata: int | str | None) -> _Nodata:
    """Decide what is no data in the reference (see the rule of this module)."""
    start = "No data: in the map " + ("none" if source.nodata is None else f"{source.nodata:g}")
    start += " (the file's tag); in the reference "
    raster, tag = isinstance(reference, RasterReference), None
    if raster:
        with open_classes(reference.path, georeferenced=False) as other:
            tag = other.nodata
    else:
        start += f"what lies {reference.outside}, "
    every = "no code" if raster else "and no code: every one is a class"
    if nodata is not None:
        code = None if nodata == "none" else int(nodata)
        return _Nodata(code, f"{start}{every if code is None else code} (--nodata).")
    if tag is not None:
        return _Nodata(tag, f"{start}{tag:g} (the file's tag); every other code is a class.")
    names = {f"class_{code}": name for code, name in legend.NAMES.items()}
    if names.items() <= source.tags().items():
        return _Nodata(legend.NO_DATA, f"{start}{legend.NO_DATA} (the legend in the map's tags).")
    return _Nodata(None, f"{start}{every}{' (it has no tag)' * raster}.", by_use=raster)


def _without_fills(total: Tally, unmapped: Tally, dropped: dict[str, int], said: list[str]
                   ) -> tuple[dict[str, int], list[str]]:
    """Take out of an untagged reference the codes of fill that the map never uses."""
    used, dropped, said = {code for code, _ in total}, dict(dropped), list(said)
    for fill in sorted({*(code for _, code in total), *unmapped} & FILLS):
        number = sum(v for (_, code), v in total.items() if code == fill) + unmapped.get(fill, 0)
        if fill in used:
            said.append(f"Code {fill} is taken as a class, as in the map ({number} reference "
                        f"pixels); --nodata {fill} makes it no data.")
            continue
        for pair in [pair for pair in total if pair[1] == fill]:
            del total[pair]
        unmapped.pop(fill, None)
        dropped["of_code_never_mapped"] = dropped.get("of_code_never_mapped", 0) + number
        said.append(f"{number} reference pixels of code {fill} are taken as no data: the map never "
                    "uses it; --nodata none makes it a class.")
    return dropped, said


def _blocks(source: rasterio.DatasetReader, reference: Callable[[Window], Codes], pixels: int
            ) -> Iterator[tuple[Codes, Codes]]:
    """Map and reference codes of the blocks in which there is any reference."""
    for window in windows(source.shape, source.block_shapes[0], pixels):
        wanted = reference(window)
        if wanted.any():
            yield _read(source, window), wanted


def _read(source: rasterio.DatasetReader, window: Window, nodata: float | str | None = "tag"
          ) -> Codes:
    """Read a block of codes; not valid where ``nodata`` (else the file's tag) or NaN stands."""
    nodata = source.nodata if nodata == "tag" else nodata
    name = Path(source.name).name
    try:
        data = source.read(1, window=window)
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{name}: its pixels cannot be read; the file is damaged or truncated"
                         ) from error
    if data.dtype == np.uint8:
        return Codes(data, None, fill=None if nodata not in range(256) else int(nodata))
    valid = np.ones(data.shape, dtype=bool)
    if nodata is not None and not np.isnan(nodata):
        valid = data != nodata
    if data.dtype.kind == "f":
        valid &= ~np.isnan(data)
        broken = valid & ~(np.isfinite(data) & (data == np.floor(data)) & (np.abs(data) < 2**53))
        if broken.any():
            raise InputError(f"{name}: holds {data[broken][0]:g}; class codes are whole numbers")
        data = np.where(valid, data, 0).astype(np.int64)
    elif data.dtype == np.uint64 and data.max(initial=0) > np.iinfo(np.int64).max:
        raise InputError(f"{name}: holds {data.max()}; that is no class code")
    return Codes(data, valid)


def _bytes(codes: NDArray[np.generic]) -> NDArray[np.generic]:
    """uint8 where the codes fit, which is counted much faster."""
    fits = codes.dtype == np.uint8 or (codes.min() >= 0 and codes.max() <= 255)
    return codes.astype(np.uint8, copy=False) if fits else codes.astype(np.int64, copy=False)


def _check_number(codes: set[int], name: str) -> None:
    if len(codes) > MOST_CODES:
        raise InputError(f"{name} and its reference hold more than {MOST_CODES} different codes; "
                         "they must be class maps")


def _table(total: Tally, unmapped: Tally) -> pd.DataFrame:
    """Lay counts out with the same labels on both axes, codes in order, no data first."""
    codes = sorted({*(code for pair in total for code in pair), *unmapped})
    labels = [*([UNMAPPED] if unmapped else []), *map(str, codes)]
    place, counts = {label: k for k, label in enumerate(labels)}, np.zeros((len(labels),) * 2, int)
    for (row, column), number in [*total.items(), *(((UNMAPPED, c), n) for c, n in unmapped.items())
                                  ]:
        counts[place[str(row)], place[str(column)]] = number
    return pd.DataFrame(counts, index=labels, columns=labels)


def _check_grids(source: rasterio.DatasetReader, other: rasterio.DatasetReader) -> None:
    names = [Path(s.name).name for s in (source, other)]
    if source.crs != other.crs:
        crs = [s.crs.to_string() if s.crs else "no CRS" for s in (source, other)]
        short = [c if len(c) < 60 else c[:57] + "…" for c in crs]
        raise InputError(f"{names[0]} is in {short[0]} and {names[1]} in {short[1]}; "
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
