"""Sentinel-2 scenes of any form: the one reader of their digital numbers (DN), by window or whole.

A scene is opened by :func:`open_scene`; nothing is read until :meth:`Scene.read` asks for a window.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import dask.array
import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from rasterio.windows import Window

from lulc_lib.data import radiometry
from lulc_lib.data.bands import (
    BANDS,
    BANDS_10M,  # noqa: F401  (old home)
    CIRRUS,
    LEVEL_2A,
    SCL,
    WAVELENGTHS,  # noqa: F401
)
from lulc_lib.data.grids import (
    COARSEST,
    FINEST,
    PIXEL,
    Grid,
    ground_size,
    is_10m,
    positions,
    resample,
    utm_grid,
)
from lulc_lib.data.products import TOP_OF_ATMOSPHERE, Product, open_product, scene_date
from lulc_lib.data.radiometry import (
    BASELINE_OFFSET,
    QUANTIFICATION,
    Offset,
    scene_offset,
    to_reflectance,
)
from lulc_lib.data.rasters import Cube, Layer, Raster
from lulc_lib.errors import InputError

BLOCK_PIXELS = 1 << 22
"""About the number of pixels read at a time when a scene is surveyed."""

KEPT_BLOCK = 512
"""Pixels, edge of the blocks of a file of pixels that take long to read."""

CELL = 256
"""Pixels, edge of a scene's cells: a survey tells which of them hold data."""

SAMPLE_EDGE, SAMPLE_BLOCKS = 200, 5
"""The radiometric offset of a large scene is decided by 5 × 5 blocks of 200 × 200 pixels."""

CLOUDY = (0, 1, 3, 8, 9, 10, 11)
"""SCL codes that hide the ground: no data, defective, shadow, cloud (three), snow."""

REFLECTANCE_MOST, DN_LEAST = 2.5, 200.0
"""Of the 99.9th percentile of float pixels: up to the one reflectance, from the other on DN."""


class OffsetWarning(UserWarning):
    """A scene's declared and measured radiometric offsets disagree."""


class Survey(NamedTuple):
    """What one pass over a scene tells: its offset, and per band the pixels with data.

    ``total`` and ``squares`` are the sums of their reflectance and of its square; ``data`` says,
    (row, col), which cells of :data:`CELL` pixels hold any data.
    """

    offset: Offset
    count: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    data: NDArray[np.bool_]


def open_scene(path: Path | str, *, bands: Sequence[str] | None = None, time: str | None = None,
               like: Path | str | None = None, mask_clouds: bool = False, any_pixel: bool = False
               ) -> Scene:
    """Open a Level-2A scene in any form that Sentinel-2 comes in; pixels are read when asked for.

    Parameters
    ----------
    path : Path or str
        A raster with all bands (GeoTIFF, VRT, …), a SAFE folder, its zip or MTD_MSIL2A.xml, a
        folder, zip or glob pattern of files with a band each, NetCDF, Zarr, a STAC item (file or
        http address). Whole-number DN or float reflectance; bands in any order and among others.
    bands : sequence of str, optional
        Names of the bands in the order of the file, where it names none or others.
    time : str, optional
        Which of several times of NetCDF or Zarr: the beginning of one, such as 2023-07-09.
    like : Path or str, optional
        A raster on whose grid of 10 m pixels the scene is brought.
    mask_clouds : bool
        Make what the scene classification (SCL) calls cloud, shadow, snow or defective no data.
    any_pixel : bool
        Keep the scene's own grid whatever its pixel size.

    Returns
    -------
    Scene
        On the grid of its finest band; on a 10 m grid of the UTM zone if that has other pixels,
        which ``notes`` tell.

    Raises
    ------
    InputError
        It cannot be read, is top of atmosphere, a picture or of 60 m, lacks a band or a CRS, or
        holds several scenes.
    """
    product = open_product(path, time)
    scene = Scene(product, Path(path), bands, mask_clouds)
    if time and not scene.date.startswith(time[:10]):
        raise InputError(f"{scene.name}: is of {scene.date or 'no known date'}, not of {time}")
    scene.place(None if like is None else Raster(str(like)).grid, any_pixel)
    return scene


class Scene:
    """A Sentinel-2 scene, opened by :func:`open_scene`; may be sent to other processes.

    Attributes
    ----------
    name, date, sensor, baseline : str
        What it is called; acquisition day YYYY-MM-DD; S2A …; such as 05.09. '' where unknown.
    crs, transform, shape : CRS, Affine, tuple of int
        The grid on which :meth:`read` gives pixels.
    declared : int or None, DN
        The radiometric offset that its metadata declare.
    block : tuple of int
        (row, col) size of the blocks in which the finest band is stored.
    notes : list of str
        What a user should know of how it was read.
    """

    def __init__(self, product: Product, path: Path, bands: Sequence[str] | None = None,
                 mask_clouds: bool = False) -> None:
        self.path, self.name, self.notes = path, product.name, []
        tags = product.tags
        self.date = tags.get("ACQUIRED", "")[:10] or scene_date(product.name)
        self.sensor, self.baseline = tags.get("SENSOR", ""), tags.get("PROCESSING_BASELINE", "")
        layers = product.layers if bands is None else _renamed(product.layers, bands, self.name)
        _refuse_top_of_atmosphere(product, layers)
        found = find_bands(layers, self.name)
        self._layers, self._shifts = [found[b] for b in BANDS], product.shifts
        self._scl, self._mask = _scl_layer(found, path), mask_clouds
        if mask_clouds and self._scl is None:
            raise InputError(f"{self.name}: has no scene classification (band SCL, or {path.stem}"
                             "_scl.tif beside it), so clouds are not known; map it without "
                             "--mask-clouds")
        self._float = _is_float(self._layers, self.name)
        self._reflectance = self._float and _holds_reflectance(self._layers, self.name)
        scaled = None if self._reflectance else radiometry.scaling_offset(
            [(layer.scale, layer.offset) for layer in self._layers], self.name)
        self.declared = radiometry.declared_offset(tags) if scaled is None else scaled
        self._finest = min(self._layers, key=lambda x: abs(x.source.grid.transform.determinant))
        self.block = self._finest.source.block
        self.grid = self._finest.source.grid

    def __enter__(self) -> Scene:
        """Return the scene itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close its files."""
        for layer in (*self._layers, *([self._scl] if self._scl else [])):
            layer.source.close()

    @property
    def shape(self) -> tuple[int, int]:
        """(row, col) number of pixels."""
        return self.grid.shape

    @property
    def crs(self) -> rasterio.CRS:
        """The CRS of the grid."""
        return self.grid.crs

    @property
    def transform(self) -> rasterio.Affine:
        """From (col, row) to coordinates."""
        return self.grid.transform

    def place(self, like: Grid | None, any_pixel: bool = False) -> None:
        """Choose the grid on which pixels are read: ``like``, its own, or 10 m in its UTM zone."""
        own = self._finest.source.grid
        t = own.transform
        if not (t.b or t.d) and t.e > 0:  # rows from south to north
            own = Grid(own.crs, rasterio.Affine(t.a, 0, t.c, 0, -t.e, t.f + t.e * own.shape[0]),
                       own.shape)
        if any_pixel:
            self.grid = own
            return
        sizes = {layer.name: ground_size(layer.source.grid, self.name) for layer in self._layers}
        for band, size in zip(BANDS, sizes.values(), strict=False):
            _check_size(size, band, self.name)
        size = sizes[self._finest.name]
        if like is not None:
            if not like.north_up or not is_10m(ground_size(like, "--like")):
                raise InputError(f"--like: its pixels must be {PIXEL:g} m and north up")
            self.grid = like
        elif is_10m(size) and own.north_up:
            self.grid = own
        else:
            self.grid = utm_grid(own)
        if self.grid != own:
            self.notes.append(
                f"resampled (bilinear) from {own.crs.to_string()}, pixels of {size[0]:.3g} × "
                f"{size[1]:.3g} m, to {PIXEL:g} m in {self.crs.to_string()}, {self.shape[0]} × "
                f"{self.shape[1]} pixels, upper left {self.transform.c:.10g} "
                f"{self.transform.f:.10g}")

    def read(self, window: Window | None = None) -> NDArray[np.uint16]:
        """Return (band, row, col) uint16 DN of the study's bands in a window; 0 is no data.

        Float reflectance r comes as DN 10,000 r + 1000.
        """
        window = window or Window(0, 0, self.shape[1], self.shape[0])
        groups: dict[Raster | Cube, list[int]] = {}
        for i, layer in enumerate(self._layers):
            groups.setdefault(layer.source, []).append(i)
        parts = [self._read(source, [self._layers[i] for i in members], window)
                 for source, members in groups.items()]
        order = [i for members in groups.values() for i in members]
        dn = np.concatenate(parts) if len(parts) > 1 else parts[0]
        if order != sorted(order):
            dn = dn[np.argsort(order)]
        if self._mask:
            dn[:, np.isin(self.classification(window), CLOUDY)] = 0
        return dn

    def classification(self, window: Window) -> NDArray[np.uint8]:
        """Return (row, col) SCL codes of a window, 0 where there are none.

        Raises
        ------
        InputError
            The scene has no scene classification.
        """
        if self._scl is None:
            raise InputError(f"{self.name}: has no scene classification (band SCL)")
        return self._read(self._scl.source, [self._scl], window)[0].astype(np.uint8)

    def _read(self, source: Raster | Cube, layers: Sequence[Layer], window: Window
              ) -> NDArray[np.uint16]:
        """Return DN (or SCL codes) of layers of one source, on the scene's grid."""
        keys = [layer.key for layer in layers]
        if source.grid == self.grid:
            return self._as_dn(source.read(keys, window), layers)
        where = positions(self.grid, window, source.grid)
        part = where.part(source.grid.shape)
        if part is None:
            return np.zeros((len(keys), window.height, window.width), np.uint16)
        dn = self._as_dn(source.read(keys, Window.from_slices(*part)), layers)
        return resample(dn, part, where, source.grid.shape, nearest=layers[0] is self._scl)

    def _as_dn(self, values: NDArray[np.generic], layers: Sequence[Layer]) -> NDArray[np.uint16]:
        """Turn what is stored into uint16 DN, 0 where there is no data."""
        if values.dtype.kind == "f":
            gone = ~np.isfinite(values)
            for band, empty, layer in zip(values, gone, layers, strict=True):
                if layer.nodata is not None:
                    empty |= band == layer.nodata
            if self._reflectance:
                gone |= (values == 0).all(axis=0) if len(values) == len(BANDS) else False
                values = values * QUANTIFICATION + BASELINE_OFFSET
            values = np.where(gone, 0, np.rint(values).clip(self._reflectance, 65_535))
            return values.astype(np.uint16)
        for band, layer in zip(values, layers, strict=True):
            if layer.nodata:  # neither None nor 0
                band[band == layer.nodata] = 0
            if shift := self._shifts.get(layer.band):
                band[band > 0] += band.dtype.type(shift)
        return values if values.dtype == np.uint16 else values.clip(0, 65_535).astype(np.uint16)

    def decide(self, offset: int | None = None, dn: NDArray[np.uint16] | None = None) -> Offset:
        """Return the radiometric offset from metadata and pixels, or the one given.

        ``dn`` are the pixels, (band, …), that decide; by default blocks spread over the scene, the
        same whichever part is read.
        """
        radiometry.check_offset(offset)
        if self._reflectance:
            if offset is not None:
                raise InputError(f"{self.name}: its pixels are reflectance; an offset (--offset) "
                                 "belongs to digital numbers")
            return Offset(BASELINE_OFFSET, None, None, "float reflectance, read as DN + 1000")
        if dn is None:
            dn = _pixels(self.read(w) for w in sample_windows(self.shape))
        return scene_offset(self.declared, dict(zip(BANDS, dn, strict=True)), offset, self.name)

    @property
    def slow(self) -> bool:
        """Whether its pixels are decoded, resampled or fetched whenever they are read."""
        return any(x.source.slow or x.source.grid != self.grid for x in self._layers)

    def kept_in(self, path: Path) -> Scene:
        """Return the same scene, read from the GeoTIFF that :meth:`survey` has made of it."""
        kept, scene = Raster(str(path)), copy(self)
        kept.grid = self.grid
        scene._layers, scene._scl, scene._shifts, scene._mask = kept.layers(), None, {}, False
        return scene

    def survey(self, offset: int | None = None,
               advance: Callable[[int], object] = lambda pixels: None,
               keep: Path | None = None) -> Survey:
        """Return the radiometric offset and sums of reflectance, in one pass over the file.

        ``offset`` as in :func:`read_scene`; ``advance`` is called with the pixels of every block
        read; ``keep`` is a GeoTIFF to be made of them.
        """
        if keep is None:
            return self._survey(offset, advance)
        profile = {"count": len(BANDS), "height": self.shape[0], "width": self.shape[1],
                   "dtype": "uint16", "crs": self.crs, "transform": self.transform, "tiled": True,
                   "blockxsize": KEPT_BLOCK, "blockysize": KEPT_BLOCK, "interleave": "band",
                   "bigtiff": "IF_SAFER"}
        with rasterio.open(keep, "w", driver="GTiff", **profile) as file:
            return self._survey(offset, advance, file)

    def _survey(self, offset: int | None, advance: Callable[[int], object],
                keep: rasterio.io.DatasetWriter | None = None) -> Survey:
        radiometry.check_offset(offset)
        count, total, squares = (np.zeros(len(BANDS)) for _ in range(3))
        data = np.zeros([-(-n // CELL) for n in self.shape], dtype=bool)
        samples = {w: np.zeros((len(BANDS), w.height, w.width), np.uint16)
                   for w in sample_windows(self.shape)}
        downwards = sorted(windows(self.shape, self.block, BLOCK_PIXELS), key=lambda w: w.col_off)
        for window in downwards:  # so that blocks of 20 m are still at hand for the next window
            dn = self.read(window)
            if keep is not None:
                keep.write(dn, window=window)
            for k, band in enumerate(dn):
                values = band.astype(np.float64).ravel()
                count[k] += np.count_nonzero(band)
                total[k] += values.sum()
                squares[k] += values @ values
            _mark(data, dn.max(axis=0) > 0, window)
            for place, values in samples.items():
                _copy(dn, window, values, place)
            advance(window.width * window.height)
        if not count.all():
            empty = ", ".join(np.asarray(BANDS)[count == 0])
            raise InputError(f"{self.name}: band {empty} holds no data at all (DN 0 everywhere)")
        chosen = self.decide(offset, _pixels(samples.values()))
        shift = float(chosen.used)
        return Survey(
            chosen, count, (total - shift * count) / QUANTIFICATION,
            (squares - 2 * shift * total + shift**2 * count) / QUANTIFICATION**2, data)

    def lazy(self, offset: int | None = None, chunk: int = 1024) -> xr.DataArray:
        """Return the scene as :func:`read_scene` does, of dask blocks that are read when needed."""
        used = self.decide(offset)
        edges = [(chunk,) * (n // chunk) + ((n % chunk,) if n % chunk else ()) for n in self.shape]
        values = dask.array.map_blocks(
            _block_of, self, used.used, chunk, chunks=((len(BANDS),), *edges), dtype=np.float32,
            meta=np.empty((0, 0, 0), np.float32))
        return _array_of(self, values, used)


def _block_of(scene: Scene, offset: int, chunk: int, block_info: dict | None = None
              ) -> NDArray[np.float32]:
    """Read one dask block of a scene's reflectance."""
    (_, _), rows, cols = block_info[None]["array-location"]
    return to_reflectance(scene.read(Window.from_slices(rows, cols)), offset)


def read_scene(path: Path | str, offset: int | None = None, **options: object) -> xr.DataArray:
    """Read a whole scene as surface reflectance.

    Parameters
    ----------
    path : Path or str
        See :func:`open_scene`, which the ``options`` go to.
    offset : int or None, DN
        What to subtract; None decides from the file's metadata and its pixels.

    Returns
    -------
    DataArray, shape (band, y, x), float32
        Reflectance 0–1 (a little outside is possible), NaN where a band's DN is 0 (no data), with
        CRS; attributes ``name``, ``date``, ``offset``, ``offset_declared``, ``offset_measured``
        (DN, None if unknown), ``offset_source``.

    Raises
    ------
    InputError
        The file cannot be used, or nobody can tell its offset.

    Warns
    -----
    OffsetWarning
        Declared and measured offset disagree; the measured one is used.
    """
    with open_scene(path, **options) as source:
        return scene_of(source, source.read(), offset)


def scene_of(source: Scene, dn: NDArray[np.uint16], offset: int | None = None) -> xr.DataArray:
    """Return the scene of digital numbers (band, row, col) read from a file: :func:`read_scene`."""
    chosen = source.decide(offset, dn)
    if chosen.source == "pixels against metadata":
        warnings.warn(
            f"{source.name}: the file declares an offset of {chosen.declared} DN but its pixels "
            f"show {chosen.measured} DN; {chosen.used} DN is used", OffsetWarning, stacklevel=3)
    return _array_of(source, to_reflectance(dn, chosen.used), chosen)


def _array_of(source: Scene, values: NDArray[np.float32] | dask.array.Array, chosen: Offset
              ) -> xr.DataArray:
    scene = xr.DataArray(
        values, dims=("band", "y", "x"), name="reflectance",
        coords={"band": list(BANDS), **pixel_centres(source.transform, source.shape)},
        attrs={"name": source.path.stem, "date": source.date, "units": "1",
               "offset": chosen.used, "offset_declared": chosen.declared,
               "offset_measured": chosen.measured, "offset_source": chosen.source})
    return scene.rio.write_crs(source.crs).rio.write_transform(source.transform)


def windows(shape: tuple[int, int], stored: tuple[int, int], pixels: int) -> Iterator[Window]:
    """Yield windows that cover a (row, col) raster once, of about so many pixels each.

    They follow the blocks in which the file is stored, unless such a block is very large.
    """
    (rows, cols), (high, wide) = shape, stored
    width = min(cols, max(pixels // high // wide, 1) * wide)
    height = min(max(pixels // width // high, 1) * high, max(4 * pixels // width, 1))
    for top in range(0, rows, height):
        for left in range(0, cols, width):
            yield Window(left, top, min(width, cols - left), min(height, rows - top))


def _mark(data: NDArray[np.bool_], held: NDArray[np.bool_], window: Window) -> None:
    """Mark the cells of which a pixel of ``held``, (row, col) in a window, is true."""
    rows, cols = (np.unique([s.start, *range(-(-s.start // CELL) * CELL, s.stop, CELL)])
                  for s in window.toslices())
    held = np.logical_or.reduceat(held, rows - rows[0], axis=0)
    data[np.ix_(rows // CELL, cols // CELL)] |= np.logical_or.reduceat(held, cols - cols[0], axis=1)


def _copy(values: NDArray[np.uint16], window: Window, out: NDArray[np.uint16], place: Window
          ) -> None:
    """Copy into ``out``, (band, row, col) of a place, what ``values`` hold of it in a window."""
    if rasterio.windows.intersect(window, place):
        both = rasterio.windows.intersection(window, place).toslices()
        there, here = ([slice(b.start - s.start, b.stop - s.start)
                        for b, s in zip(both, w.toslices(), strict=True)]
                       for w in (place, window))
        out[:, *there] = values[:, *here]


def _pixels(blocks: Iterable[NDArray[np.uint16]]) -> NDArray[np.uint16]:
    """Return (band, pixel) of (band, row, col) blocks."""
    return np.concatenate([block.reshape(len(BANDS), -1) for block in blocks], axis=1)


def sample_windows(shape: tuple[int, int]) -> Iterator[Window]:
    """Yield blocks spread evenly over a (row, col) raster: all of a small one."""
    spans = []
    for size in shape:
        if size <= SAMPLE_EDGE * SAMPLE_BLOCKS:
            spans.append([(0, size)])
        else:
            starts = np.linspace(0, size - SAMPLE_EDGE, SAMPLE_BLOCKS).astype(int).tolist()
            spans.append([(start, SAMPLE_EDGE) for start in starts])
    for top, height in spans[0]:
        for left, width in spans[1]:
            yield Window(left, top, width, height)


def _renamed(layers: Sequence[Layer], names: Sequence[str], scene: str) -> list[Layer]:
    """Give layers the names that the user states, in their order."""
    if len(names) != len(layers):
        raise InputError(f"{scene}: has {len(layers)} bands, but --bands names {len(names)}; name "
                         "each of them in the file's order, 'x' for one that is not used")
    return [Layer(name.strip(), x.source, x.key, x.dtype, x.nodata, x.scale, x.offset)
            for name, x in zip(names, layers, strict=True)]


def _refuse_top_of_atmosphere(product: Product, layers: Sequence[Layer]) -> None:
    told = [product.name, *(v for k, v in product.tags.items()
                            if k in ("PRODUCT_TYPE", "PROCESSING_LEVEL", "PRODUCT_URI"))]
    sign = next((t for t in (*told, *(layer.name for layer in layers))
                 if TOP_OF_ATMOSPHERE.search(t)), None)
    if sign is None and any(layer.band == CIRRUS for layer in layers):
        sign = f"band {CIRRUS}, which only Level-1C has"
    if sign:
        raise InputError(f"{product.name}: is top of atmosphere ({sign}); surface reflectance is "
                         "needed: take the Level-2A product of the same day, or run Sen2Cor")


def find_bands(layers: Sequence[Layer], name: str) -> dict[str, Layer]:
    """Return the layer of each of the ten bands and of SCL, the finest where it is there twice.

    Raises
    ------
    InputError
        One is missing, there twice in one resolution, or no band has a name.
    """
    if len(layers) == 1:
        raise InputError(f"{name}: has one band; of a scene with a file for each band give the "
                         "folder, or a pattern in quotes such as 'folder/*.tif'")
    found: dict[str, Layer] = {}
    for layer in sorted(layers, key=lambda x: abs(x.source.grid.transform.determinant)):
        other = found.setdefault(layer.band, layer)
        if other is not layer and layer.band in BANDS and (
                other.source.grid.transform.determinant
                == layer.source.grid.transform.determinant):
            raise InputError(f"{name}: band {layer.band} is there more than once")
    if not any(layer.band for layer in layers):
        raise InputError(_unnamed(layers, name))
    missing = [b for b in BANDS if b not in found]
    if missing:
        raise InputError(
            f"{name}: band {', '.join(missing)} not found; the file names its bands "
            f"{[layer.name or 'unnamed' for layer in layers]}, and all of {', '.join(BANDS)} are "
            "needed (--bands says which they are, in the file's order)")
    return found


def _unnamed(layers: Sequence[Layer], name: str) -> str:
    """Say what to do with bands that have no names."""
    count = len(layers)
    orders = {len(BANDS): BANDS, len(LEVEL_2A): LEVEL_2A}
    if count in orders:
        return (f"{name}: its {count} bands have no names; if they are in the usual order, say so "
                f"with --bands {','.join(orders[count])}")
    if all(layer.dtype.itemsize == 1 for layer in layers):
        return f"{name}: {_PICTURE}"
    why = "" if count != 13 else " (a Level-1C product has 13: top of atmosphere, no use)"
    return (f"{name}: its {count} bands have no names{why}; say which they are with --bands, in "
            f"the file's order, 'x' for one that is not needed; needed are {','.join(BANDS)}")


_PICTURE = ("its pixels have 8 bits: a picture for the eye, not reflectance; take the product's "
            "bands (16-bit DN or float reflectance)")


def _scl_layer(found: dict[str, Layer], path: Path) -> Layer | None:
    """Return the scene classification: a band of the scene, or a file beside it."""
    beside = path.with_name(f"{path.stem}_scl.tif")
    return found.get(SCL) or (Raster(str(beside)).layers()[0] if beside.is_file() else None)


def _is_float(layers: Sequence[Layer], name: str) -> bool:
    """Return whether pixels are float; refuse what is neither that nor whole numbers of 16 bits."""
    kinds = {layer.dtype for layer in layers}
    if any(kind.itemsize == 1 for kind in kinds):
        raise InputError(f"{name}: {_PICTURE}")
    types = {kind.kind for kind in kinds}
    if types - {"f"} and types - {"i", "u"}:
        raise InputError(f"{name}: pixels are {', '.join(sorted(map(str, kinds)))}; all whole "
                         "numbers (DN) or all float (reflectance or DN) are needed")
    return types == {"f"}


def _holds_reflectance(layers: Sequence[Layer], name: str) -> bool:
    """Return whether float pixels are reflectance (0–1), not DN; InputError if they are neither."""
    high = 0.0
    for layer in layers:
        for window in sample_windows(layer.source.grid.shape):
            values = layer.source.read([layer.key], window)
            values = values[np.isfinite(values) & (values != layer.nodata)]
            high = max(high, float(np.percentile(values, 99.9)) if values.size else 0.0)
    if REFLECTANCE_MOST < high < DN_LEAST:
        raise InputError(f"{name}: its float pixels reach {high:.4g}; they must be reflectance "
                         "(0 to 1) or digital numbers (reflectance × 10,000)")
    return high <= REFLECTANCE_MOST


def _check_size(size: tuple[float, float], band: str, name: str) -> None:
    """Refuse pixels that are far from 10 and 20 m."""
    if min(size) < FINEST or max(size) > COARSEST:
        raise InputError(
            f"{name}: pixels of {band} are {size[0]:.4g} × {size[1]:.4g} m on the ground; the "
            f"network has learned {PIXEL:g} m, and bands of 10 or 20 m can be brought to it "
            f"({FINEST:g} to {COARSEST:g} m): take the product's 10 m and 20 m bands")


def pixel_centres(transform: rasterio.Affine, shape: tuple[int, int]
                  ) -> dict[str, NDArray[np.float64]]:
    """Return ``y`` and ``x`` of the pixels' centres of a north-up grid of (row, col) shape."""
    rows, cols = shape
    return {"y": transform.f + transform.e * (np.arange(rows) + 0.5),
            "x": transform.c + transform.a * (np.arange(cols) + 0.5)}


def valid_mask(scene: xr.DataArray) -> xr.DataArray:
    """Return (y, x) bool: True where all bands of the scene hold data."""
    return np.isfinite(scene).all("band").drop_vars("band", errors="ignore")


def filled(scene: xr.DataArray) -> NDArray[np.float32]:
    """Return (band, row, col) float32 in which each gap has the nearest pixel's value of its band.

    Raises
    ------
    InputError
        A band holds no data at all.
    """
    out = scene.values.copy()
    for name, band in zip(scene.band.values, out, strict=True):
        if not fill_band(band):
            raise InputError(
                f"{scene.attrs.get('name', 'scene')}: band {name} holds no data at all")
    return out


def fill_band(band: NDArray[np.float32]) -> bool:
    """Give each NaN of a (row, col) array the nearest value, in place; False if it has none."""
    from scipy.ndimage import distance_transform_edt

    gaps = ~np.isfinite(band)
    if gaps.all():
        return False
    if gaps.any():
        rows, cols = distance_transform_edt(gaps, return_distances=False, return_indices=True)
        band[...] = band[rows, cols]
    return True
