"""A class map and its reference, of any size, block by block: pairs of codes and their counts."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import rasterio.transform
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window, bounds
from shapely import box

from lulc_lib import legend
from lulc_lib.data.reference import PixelRule, fields, open_classes, read_shapes
from lulc_lib.data.scenes import windows
from lulc_lib.errors import InputError

BLOCK_PIXELS = 1 << 22
"""Pixels read at a time."""

MOST_CODES = 1000
"""Different codes of a map and its reference; more are a sign of rasters that hold no classes."""

UNMAPPED = "no data"
"""Row of reference pixels where the map has no data, if they are asked to count."""

VECTORS = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".gml", ".kml", ".parquet")
"""Endings of files that are read as polygons or points; all others are rasters."""

Counter = Callable[[NDArray[np.generic], NDArray[np.generic]], pd.DataFrame]


class Codes(NamedTuple):
    """A block of codes (row, col) int64 and where it holds any."""

    codes: NDArray[np.int64]
    valid: NDArray[np.bool_]


class Pairs(NamedTuple):
    """What a map and its reference come down to.

    Attributes
    ----------
    counts : DataFrame
        Pixels, rows map and columns reference; the same labels (codes as text) on both.
    kind, notes : str, list of str
        What was read, in words, and what a reader should know about it.
    """

    counts: pd.DataFrame
    kind: str
    notes: list[str]


class RasterReference:
    """A raster of codes on exactly the map's grid, which :meth:`on` checks."""

    polygons = False
    kind = "map raster and reference raster on one grid"
    outside = "the file's nodata value"

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name

    def on(self, source: rasterio.DatasetReader, stack: ExitStack) -> Callable[[Window], Codes]:
        """Return a function of a window that gives the reference codes there."""
        other = stack.enter_context(open_classes(self.path))
        _check_grids(source, other)

        def block(window: Window) -> Codes:
            codes, valid = _read(other, window)
            return Codes(codes, valid & (codes != legend.NO_DATA))

        return block

    def notes(self, burned: int) -> list[str]:
        """Return nothing: all pixels of a raster can be compared."""
        return []


class VectorReference:
    """A vector file of polygons or points with whole-number class codes in one of its columns.

    Parameters
    ----------
    path, column : Path, str or None
        The file and the column of the codes; None: the only column of whole numbers.
    pixel_rule : {"centre", "all_touched"}
        See :func:`lulc_lib.data.reference.rasterise`; of several points in one pixel the last wins.
    """

    def __init__(self, path: Path, column: str | None, pixel_rule: PixelRule) -> None:
        self.name, self.pixel_rule = path.name, pixel_rule
        table = read_shapes(path, column)
        self.column = _only_whole_column(table, path.name) if column is None else column
        codes = _whole_numbers(table[self.column], f"{path.name}, column {self.column}")
        empty = table.geometry.isna() | table.geometry.is_empty
        self.empty = int(empty.sum())
        self.codes, self.shapes = codes[~empty.to_numpy()], table.geometry[~empty]
        kinds = {kind.removeprefix("Multi") for kind in self.shapes.geom_type.unique()}
        if kinds not in ({"Polygon"}, {"Point"}):
            raise InputError(f"{path.name}: holds {', '.join(sorted(kinds)) or 'only empty shapes'}"
                             "; a reference is all polygons or all points")
        self.polygons = kinds == {"Polygon"}
        self.units = "polygons" if self.polygons else "points"
        self.outside = f"outside the {self.units}"
        rule = f", pixel rule {pixel_rule}" if self.polygons else ""
        self.kind = f"map raster and {len(self.codes)} {self.units}, column {self.column!r}{rule}"
        self._off_map = 0

    def on(self, source: rasterio.DatasetReader, stack: ExitStack) -> Callable[[Window], Codes]:
        """Return a function of a window that gives the reference codes there, on the map's grid."""
        if source.crs is None:
            raise InputError(f"{Path(source.name).name}: has no CRS; with a vector reference the "
                             "map needs one")
        local = self.shapes.to_crs(source.crs)
        index = local.sindex
        extent = box(*rasterio.transform.array_bounds(*source.shape, source.transform))
        self._off_map = len(local) - len(index.query(extent, predicate="intersects"))

        def block(window: Window) -> Codes:
            near = np.sort(index.query(box(*bounds(window, source.transform))))
            shape = (int(window.height), int(window.width))
            if near.size == 0:
                return Codes(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool))
            burned = rasterize(
                zip(local.iloc[near], self.codes[near].tolist(), strict=True), out_shape=shape,
                transform=rasterio.windows.transform(window, source.transform),
                fill=legend.NO_DATA, dtype="int32",
                all_touched=self.polygons and self.pixel_rule == "all_touched")
            return Codes(burned, burned != legend.NO_DATA)

        return block

    def notes(self, burned: int) -> list[str]:
        """Return what became of features that are not among the ``burned`` pixels."""
        notes = []
        if self.empty:
            notes.append(f"{self.empty} features without a shape were left out.")
        if self._off_map:
            notes.append(f"{self._off_map} {self.units} lie off the map and were left out.")
        inside = int((self.codes != legend.NO_DATA).sum()) - self._off_map
        if not self.polygons and burned < inside:
            notes.append(f"{inside - burned} points share a pixel with another; a pixel counts "
                         "once, with the last of its points.")
        return notes


def open_reference(path: Path, column: str | None = None, pixel_rule: PixelRule = "centre"
                   ) -> RasterReference | VectorReference:
    """Open a reference: polygons or points by the file's ending, else a raster."""
    if path.suffix.lower() in VECTORS:
        return VectorReference(path, column, pixel_rule)
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
                count_unmapped: bool = False) -> Pairs:
    """Count the pixel pairs of a class map and its reference.

    Parameters
    ----------
    map_path : Path
        One-band raster of whole-number codes, whichever they are.
    reference : RasterReference or VectorReference
        See :func:`open_reference`.
    count : callable
        :func:`lulc_lib.accuracy.confusion.confusion_from_labels`.
    count_unmapped : bool
        Count reference pixels where the map has no data as errors in a row of their own.

    Raises
    ------
    InputError
        Unreadable file, more than one band, another grid or CRS, codes that are no whole numbers,
        or no pixel that both cover.
    """
    total, unmapped = Tally(), Tally()
    with ExitStack() as stack:
        source = stack.enter_context(open_classes(map_path))
        nodata = "none" if source.nodata is None else f"{source.nodata:g}"
        for mapped, wanted in _blocks(source, reference.on(source, stack)):
            both = mapped.valid & wanted.valid
            if both.any():
                part = count(_bytes(mapped.codes[both]), _bytes(wanted.codes[both])).stack()
                total.update({(int(m), int(r)): int(n) for (m, r), n in part[part > 0].items()})
                _check_number({code for pair in total for code in pair}, map_path.name)
            lost, numbers = np.unique(wanted.codes[wanted.valid & ~mapped.valid],
                                      return_counts=True)
            unmapped.update(dict(zip(lost.tolist(), numbers.tolist(), strict=True)))
    missed = unmapped.total()
    if not total and not (missed and count_unmapped):
        raise InputError(
            f"the map {map_path.name} has no data at all {missed} pixels that {reference.name} "
            "labels; there is nothing to compare" if missed else
            f"{reference.name}: labels no pixel of the map {map_path.name}; there is nothing to "
            "compare")
    notes = [f"No data: in the map {nodata} (the file's tag); in the reference {legend.NO_DATA} "
             f"and {reference.outside}."]
    if missed:
        what = (f"they count as errors, in the row {UNMAPPED!r}." if count_unmapped
                else "they do not count; --unmapped count makes them errors.")
        notes.append(f"{missed} reference pixels lie where the map has no data; {what}")
    notes += reference.notes(total.total() + missed)
    return Pairs(_table(total, unmapped if count_unmapped else Tally()), reference.kind, notes)


def _blocks(source: rasterio.DatasetReader, reference: Callable[[Window], Codes]
            ) -> Iterator[tuple[Codes, Codes]]:
    """Map and reference codes of the blocks in which there is any reference."""
    for window in windows(source.shape, source.block_shapes[0], BLOCK_PIXELS):
        wanted = reference(window)
        if wanted.valid.any():
            yield _read(source, window), wanted


def _read(source: rasterio.DatasetReader, window: Window) -> Codes:
    """Read a block of codes; not valid where the file's nodata tag or NaN stands."""
    name = Path(source.name).name
    try:
        data = source.read(1, window=window)
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{name}: its pixels cannot be read; the file is damaged or truncated"
                         ) from error
    valid = np.ones(data.shape, dtype=bool)
    if source.nodata is not None and not np.isnan(source.nodata):
        valid = data != source.nodata
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
    table = pd.DataFrame(0, index=labels, columns=labels, dtype=np.int64)
    for (row, column), number in total.items():
        table.at[str(row), str(column)] = number
    for code, number in unmapped.items():
        table.at[UNMAPPED, str(code)] = number
    return table


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


def _only_whole_column(table: gpd.GeoDataFrame, name: str) -> str:
    whole = [c for c in fields(table) if pd.api.types.is_integer_dtype(table[c])]
    if len(whole) != 1:
        what = "no column" if not whole else f"{len(whole)} columns ({', '.join(whole)})"
        raise InputError(f"{name}: has {what} of whole numbers; name the one with the class codes "
                         f"by --column (columns: {', '.join(fields(table)) or 'none'})")
    return whole[0]


def _whole_numbers(values: pd.Series, what: str) -> NDArray[np.int64]:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~(np.isfinite(numbers) & (numbers == np.floor(numbers)) & (np.abs(numbers) < 2**31))
    if bad.any():
        value = values[bad].iloc[0]
        shown = repr(value) if isinstance(value, str) else value
        raise InputError(f"{what}: holds {shown}; class codes are whole numbers")
    return numbers.astype(np.int64)
