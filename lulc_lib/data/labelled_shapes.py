"""Polygons and points with class codes as a reference of a class map, block by block.

A pixel belongs to the polygon that holds its centre. A centre exactly on an edge belongs to the
polygon just to its right (and below; else the nearest other side where there is one), so that
polygons that share an edge never share a pixel. What two classes claim is counted, and by default
left out; nothing depends on the order of the rows unless ``first`` or ``last`` is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import rasterio.transform
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window, bounds, transform

from lulc_lib.data.reference import PixelRule, fields, read_shapes
from lulc_lib.errors import InputError

Overlaps = Literal["drop", "smallest", "first", "last"]

VECTORS = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".gml", ".kml", ".parquet")
"""Endings of files that are read as polygons or points; all others are rasters."""

ON_EDGE = 1e-6
"""Share of a pixel within which a centre counts as lying on an edge."""

SIDES = ((1, -0.41), (1, 0.41), (-1, -0.41), (-1, 0.41))
"""Steps (x, y) from a centre on an edge, in the order in which a polygon is looked for."""

CLASS_WORDS = frozenset({
    "class", "classes", "cls", "klasa", "klasy", "label", "labels", "code", "kod", "dn",
    "value", "gridcode", "category", "cat", "kind", "type", "typ", "rodzaj", "cover",
    "landcover", "landuse", "lulc", "lc", "lu", "clc", "corine", "legend", "ref", "reference",
    "referencja", "truth", "gt", "true", "target", "species", "crop", "quarry", "pit", "mine",
    "mining", "kopalnia", "wyrobisko", "presence",
})
"""Words in the name of a column that may be taken for the class codes without being named."""

TOUCHED = ("Pixels that a polygon touches are counted differently by GDAL's versions: 44220 (3.10) "
           "or 44185 (3.6) for the reference of Strzegom, where exact geometry gives 44230.")


class Codes(NamedTuple):
    """A block of codes (row, col), where it holds any, and which shape each is of.

    Without ``valid`` it does wherever another code than ``fill`` stands.
    """

    codes: NDArray[np.integer]
    valid: NDArray[np.bool_] | None
    group: NDArray[np.int64] | None = None
    fill: int | None = None

    def known(self) -> NDArray[np.bool_]:
        """Return where it holds any, (row, col)."""
        if self.valid is not None:
            return self.valid
        return np.full(self.codes.shape, True) if self.fill is None else self.codes != self.fill

    def any(self) -> bool:
        """Tell whether it holds any."""
        if self.valid is not None:
            return bool(self.valid.any())
        return (self.fill is None or self.codes.flat[0] != self.fill
                or self.codes.min() != self.codes.max())


class VectorReference:
    """A vector file of polygons or points with whole-number class codes in one of its columns.

    Parameters
    ----------
    path : Path
        See :func:`lulc_lib.data.reference.read_shapes`.
    column : str or None
        The column of the codes; None: the only column of whole numbers, if it is named like one.
    pixel_rule : {"centre", "all_touched"}
        ``all_touched`` gives a pixel to any polygon that touches it, and of several classes to the
        one that covers most of it.
    overlaps : {"drop", "smallest", "first", "last"}
        Which polygon has a pixel that polygons of different classes overlap on: none, the
        smallest, or the first or last row of the file. Of points in one pixel: none, first, last.
    grouped : bool
        Also tell which shape each pixel is of.

    Raises
    ------
    InputError
        The file or its column cannot be used, codes that are no whole numbers, or shapes that are
        neither all polygons nor all points.
    """

    def __init__(self, path: Path, column: str | None, pixel_rule: PixelRule = "centre",
                 overlaps: Overlaps = "drop", grouped: bool = False) -> None:
        self.name, self.pixel_rule, self.overlaps = path.name, pixel_rule, overlaps
        self.grouped = grouped
        table = read_shapes(path, column)
        self.column, self.why = (column, "") if column else _class_column(table, path.name)
        codes = _whole_numbers(table[self.column], f"{path.name}, column {self.column}")
        empty = table.geometry.isna() | table.geometry.is_empty
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
        self.dropped = {"features_without_shape": int(empty.sum())}
        self.contested = self.shared = 0

    @contextmanager
    def on(self, source: rasterio.DatasetReader, nodata: float | None
           ) -> Iterator[Callable[[Window], Codes]]:
        """Give a function of a window that gives the reference codes there, on the map's grid."""
        if source.crs is None:
            raise InputError(f"{Path(source.name).name}: has no CRS; with a vector reference the "
                             "map needs one")
        if source.transform.b or source.transform.d:
            raise InputError(f"{Path(source.name).name}: its grid is rotated; with a vector "
                             "reference the map must be north up (gdalwarp)")
        known = np.ones(len(self.codes), dtype=bool) if nodata is None else self.codes != nodata
        self.dropped["of_no_data"] = int((~known).sum())
        local = self.shapes[known].to_crs(source.crs)
        extent = shapely.box(*rasterio.transform.array_bounds(*source.shape, source.transform))
        on_map = np.sort(local.sindex.query(extent, predicate="intersects"))
        self.dropped["off_map"] = len(local) - len(on_map)
        shapes, codes = local.to_numpy()[on_map], self.codes[known][on_map]
        yield (self._polygons if self.polygons else self._points)(shapes, codes, source)

    def notes(self) -> list[str]:
        """Say what was left out, and how pixels were given to shapes."""
        units, two = self.units, "polygons" if self.polygons else "points"
        sentences = {
            "features_without_shape": "features without a shape were left out.",
            "of_no_data": f"{units} have the code of no data and were left out.",
            "off_map": f"{units} lie off the map and were left out.",
            "sharing_a_pixel": "points share a pixel with another; a pixel counts once.",
            "claimed_by_two_classes": f"pixels are claimed by {two} of different classes and were "
                                      "left out; --overlaps says otherwise.",
        }
        notes = [f"{number} {sentences[what]}" for what, number in self.dropped.items() if number]
        if self.contested and self.overlaps != "drop":
            notes.append(f"{self.contested} pixels are claimed by {two} of different classes; the "
                         f"{self.overlaps} of them has each.")
        if self.shared:
            notes.append(f"{self.shared} pixels are touched by polygons of different classes; each "
                         "has the class that covers most of it.")
        if self.polygons and self.pixel_rule == "all_touched":
            notes.append(TOUCHED)
        return notes

    def _polygons(self, shapes: NDArray[np.object_], codes: NDArray[np.int64],
                  source: rasterio.DatasetReader) -> Callable[[Window], Codes]:
        tree = shapely.STRtree(shapes)
        order = np.arange(len(shapes))
        if self.overlaps == "first":
            order = order[::-1]
        elif self.overlaps == "smallest":
            order = np.lexsort((codes, -shapely.area(shapes)))

        def block(window: Window) -> Codes:
            near = tree.query(shapely.box(*bounds(window, source.transform)))
            near = order[np.isin(order, near)]  # what comes last lies on top
            grid = _Grid((int(window.height), int(window.width)),
                         transform(window, source.transform))
            burned = self._burn(shapes[near], codes[near], grid)
            if not self.grouped:
                return burned
            owner = grid.owners(shapes[near], codes[near], burned, self.pixel_rule == "all_touched")
            return burned._replace(group=near[owner])

        return block

    def _burn(self, shapes: NDArray[np.object_], codes: NDArray[np.int64], grid: _Grid) -> Codes:
        """Give each pixel its class: class by class, so that what two claim is seen."""
        result, claims = np.zeros(grid.shape, np.int64), np.zeros(grid.shape, np.int64)
        touched = self.pixel_rule == "all_touched"
        edge, owners = (np.empty(0, np.int64), []) if touched else grid.edge_owners(shapes, codes)
        for code in np.unique(codes):
            held = grid.burn(shapes[codes == code], touched).astype(bool)
            held.ravel()[edge] = [code in classes for classes in owners]
            result[held] = code
            claims += held
        contested = np.flatnonzero(claims > 1)
        if touched and self.overlaps == "drop" and len(contested):
            contested, chosen = grid.most_covering(contested, shapes, codes)
            result.ravel()[list(chosen)] = list(chosen.values())
            self.shared += len(chosen)
        self.contested += len(contested)
        if self.overlaps == "drop":
            claims.ravel()[contested] = 0
            self.dropped["claimed_by_two_classes"] = self.contested
        elif len(contested):
            top = grid.burn(shapes, touched, range(1, len(shapes) + 1)).ravel()[contested]
            result.ravel()[contested] = np.where(top > 0, codes[top - 1], result.ravel()[contested])
        return Codes(result, claims > 0)

    def _points(self, shapes: NDArray[np.object_], codes: NDArray[np.int64],
                source: rasterio.DatasetReader) -> Callable[[Window], Codes]:
        """Give each pixel the class of the points in it, and count it once."""
        parts, row = shapely.get_parts(shapes, return_index=True)
        across, down = ~source.transform @ (shapely.get_x(parts), shapely.get_y(parts))
        table = pd.DataFrame({
            "row": np.clip(np.floor(down), 0, source.height - 1).astype(np.int64),
            "col": np.clip(np.floor(across), 0, source.width - 1).astype(np.int64),
            "code": codes[row]})
        pixels = table.groupby(["row", "col"]).code
        two = pixels.nunique() > 1
        chosen = pixels.first() if self.overlaps == "first" else pixels.last()
        self.contested = int(two.sum())
        if self.overlaps in ("drop", "smallest"):
            self.dropped["claimed_by_two_classes"] = self.contested
            chosen = chosen[~two]
        self.dropped["sharing_a_pixel"] = len(table) - len(two)
        rows, cols = (chosen.index.get_level_values(k).to_numpy() for k in ("row", "col"))

        def block(window: Window) -> Codes:
            shape = (int(window.height), int(window.width))
            r, c = rows - int(window.row_off), cols - int(window.col_off)
            inside = (r >= 0) & (r < shape[0]) & (c >= 0) & (c < shape[1])
            result, valid = np.zeros(shape, np.int64), np.zeros(shape, bool)
            result[r[inside], c[inside]] = chosen.to_numpy()[inside]
            valid[r[inside], c[inside]] = True
            group = np.zeros(shape, np.int64)
            group[r[inside], c[inside]] = np.flatnonzero(inside)
            return Codes(result, valid, group if self.grouped else None)

        return block


class _Grid(NamedTuple):
    """Shape and transform of a block of pixels."""

    shape: tuple[int, int]
    transform: rasterio.Affine

    def burn(self, shapes: NDArray[np.object_], touched: bool,
             values: range | None = None) -> NDArray[np.int32]:
        """Burn shapes with their values (1 without any); the last lies on top, 0 is outside."""
        burned = zip(shapes, [1] * len(shapes) if values is None else values, strict=True)
        if not len(shapes):
            return np.zeros(self.shape, dtype=np.int32)
        return rasterize(burned, out_shape=self.shape, transform=self.transform, fill=0,
                         dtype="int32", all_touched=touched)

    def edge_owners(self, shapes: NDArray[np.object_], codes: NDArray[np.int64]
                    ) -> tuple[NDArray[np.int64], list[set[int]]]:
        """Find the pixels whose centre lies on an edge, and the classes that have them."""
        edges = shapely.boundary(shapes)
        near = np.flatnonzero(self.burn(edges, True))
        if not len(near):
            return near, []
        row, col = np.divmod(near, self.shape[1])
        x, y = self.transform @ (col + 0.5, row + 0.5)
        wide, high = abs(self.transform.a), abs(self.transform.e)
        hit, _ = shapely.STRtree(edges).query(shapely.points(x, y), predicate="dwithin",
                                              distance=ON_EDGE * min(wide, high))
        hit = np.unique(hit)
        near, x, y, tree = near[hit], x[hit], y[hit], shapely.STRtree(shapes)
        owners: list[set[int]] = [set() for _ in near]
        for across, up in SIDES:
            left = np.array([k for k, classes in enumerate(owners) if not classes], dtype=np.int64)
            moved = shapely.points(x[left] + 1e-3 * across * wide, y[left] + 1e-3 * up * high)
            for k, shape in zip(*tree.query(moved, predicate="within"), strict=True):
                owners[left[k]].add(int(codes[shape]))
        return near, owners

    def owners(self, shapes: NDArray[np.object_], codes: NDArray[np.int64], burned: Codes,
               touched: bool) -> NDArray[np.int64]:
        """Return the index of the shape that each pixel is of, 0 where there is no code.

        A pixel whose uppermost shape has another class (an edge, an overlap) is of the nearest
        shape of its class.
        """
        owner = self.burn(shapes, touched, range(1, len(shapes) + 1)).astype(np.int64) - 1
        other = burned.valid & ((owner < 0) | (codes[owner] != burned.codes))
        for code in np.unique(burned.codes[other]):
            row, col = np.nonzero(other & (burned.codes == code))
            mine = np.flatnonzero(codes == code)
            centres = shapely.points(*(self.transform @ (col + 0.5, row + 0.5)))
            owner[row, col] = mine[shapely.STRtree(shapes[mine]).nearest(centres)]
        return np.where(burned.valid, owner, 0)

    def most_covering(self, pixels: NDArray[np.int64], shapes: NDArray[np.object_],
                      codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[int, int]]:
        """Find the class that covers most of each pixel; none where two hold its centre."""
        left, chosen, tree = [], {}, shapely.STRtree(shapes)
        for pixel in pixels.tolist():
            row, col = divmod(pixel, self.shape[1])
            corners = self.transform @ (col, row), self.transform @ (col + 1, row + 1)
            square = shapely.box(*np.min(corners, axis=0), *np.max(corners, axis=0))
            hit = tree.query(square, predicate="intersects")
            pieces = shapely.intersection(shapely.make_valid(shapes[hit]), square)
            area = {int(code): shapely.union_all(pieces[codes[hit] == code]).area
                    for code in np.unique(codes[hit])}
            most = sorted(area, key=area.get)[-2:]
            both = len(np.unique(codes[tree.query(square.centroid, predicate="within")])) > 1
            if both or area[most[0]] == area[most[-1]]:
                left.append(pixel)
            else:
                chosen[pixel] = most[-1]
        return np.array(left, dtype=np.int64), chosen


def _class_column(table: gpd.GeoDataFrame, name: str) -> tuple[str, str]:
    """Name the column of the class codes and say why it is the one."""
    whole = [c for c in fields(table) if pd.api.types.is_integer_dtype(table[c])]
    named = [c for c in whole if CLASS_WORDS & set(_words(c))]
    listed = f"(columns: {', '.join(fields(table)) or 'none'})"
    if len(named) == 1:
        only = "its only column of whole numbers" + (" that is named like classes" if
                                                     len(whole) > 1 else "")
        return named[0], only
    if len(whole) == 1:
        raise InputError(f"{name}: its only column of whole numbers is {whole[0]!r}, which may be "
                         "an identifier or a count; name the one with the class codes by --column "
                         f"{listed}")
    what = "no column" if not whole else f"{len(whole)} columns ({', '.join(whole)})"
    raise InputError(f"{name}: has {what} of whole numbers; name the one with the class codes by "
                     f"--column {listed}")


def _words(name: str) -> list[str]:
    """Split a column's name into words, unless one says that it counts or numbers something."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    counted = {"id", "fid", "oid", "uid", "gid", "count", "counts", "n", "num", "number", "nr",
               "votes", "year", "date", "labellers", "labelers", "interpreters"}
    return [] if counted & set(words) else words


def _whole_numbers(values: pd.Series, what: str) -> NDArray[np.int64]:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~(np.isfinite(numbers) & (numbers == np.floor(numbers)) & (np.abs(numbers) < 2**31))
    if bad.any():
        value = values[bad].iloc[0]
        shown = repr(value) if isinstance(value, str) else value
        raise InputError(f"{what}: holds {shown}; class codes are whole numbers")
    return numbers.astype(np.int64)
