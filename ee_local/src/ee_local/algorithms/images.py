"""``Image``: loading, its bands and properties, clipping, and the grid of its pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import shapely

from ee_local import elements as el
from ee_local.algorithms.projections import Transform, target
from ee_local.coerce import coerce, constant_band
from ee_local.errors import EngineError
from ee_local.geometry import Geometry, inside
from ee_local.grid import (
    MOST_PIXELS,
    WGS84,
    Grid,
    Projection,
    check_size,
    covering,
    moved,
    pixel_positions,
    whole,
)
from ee_local.patterns import compiled, replaced
from ee_local.pixels import DOUBLE, Band, Image, Pixels, PixelType, meet
from ee_local.registry import function


@function("Image.load", engine=True)
def load(engine: Any, identifier: str, version: int) -> Image:
    """Return an image of the local catalogue."""
    return engine.catalogue.image(identifier)


@function("Image.constant")
def constant(value: Any) -> Image:
    """Make an image of the same number everywhere; a list gives a band for each number."""
    if isinstance(value, (list, tuple)):
        names = ["constant"] if len(value) == 1 else [f"constant_{i}" for i in range(len(value))]
        return Image(tuple(constant_band(v, n) for v, n in zip(value, names, strict=True)))
    if isinstance(value, (bool, int, float)):
        return Image((constant_band(value, "constant"),))
    raise EngineError(f"Image.constant: {str(value)[:40]!r} is no number.")


@function("Image.select")
def select(image: Image, selectors: list[Any], names: list[str] | None) -> Image:
    """Return an image with the bands that are chosen, renamed if new names are given.

    A selector is a name, a regular expression, or a position.
    """
    chosen = [b for s in selectors for b in _chosen(image, s)]
    if names is not None:
        if len(names) != len(chosen):
            raise EngineError(f"Image.select: {len(chosen)} bands are selected but {len(names)} "
                              "new names are given.")
        chosen = [b.renamed(n) for b, n in zip(chosen, names, strict=True)]
    return image.with_bands(unique(chosen))


def _chosen(image: Image, selector: Any) -> list[Band]:
    if isinstance(selector, (int, float)) and not isinstance(selector, bool):
        place = int(selector)
        if not -len(image.bands) <= place < len(image.bands):
            raise EngineError(f"Image.select: Band number {place} is out of range; the image has "
                              f"{len(image.bands)} bands.")
        return [image.bands[place]]
    if not isinstance(selector, str):
        raise EngineError(f"Image.select: {selector!r} is no band selector.")
    if selector in image.names:
        return [image.band(selector)]
    pattern = compiled(selector, "Image.select")
    found = [b for b in image.bands if pattern.fullmatch(b.name)]
    if not found and selector != ".*":
        raise EngineError(f"Image.select: Band pattern '{selector}' did not match any bands. "
                          f"Available bands: [{', '.join(image.names)}]")
    return found


def unique(bands: list[Band]) -> list[Band]:
    """Return bands under names of their own: one that is taken gets _1, _2 and so on."""
    taken: set[str] = set()
    out = []
    for band in bands:
        name, k = band.name, 0
        while name in taken:
            k += 1
            name = f"{band.name}_{k}"
        taken.add(name)
        out.append(band if name == band.name else band.renamed(name))
    return out


@function("Image.rename")
def rename(image: Image, names: list[str]) -> Image:
    """Return the image with new names for all its bands."""
    if len(names) != len(image.bands):
        raise EngineError(f"Image.rename: the image has {len(image.bands)} bands but "
                          f"{len(names)} names are given.")
    return replace(image, bands=tuple(
        b.renamed(n) for b, n in zip(image.bands, names, strict=True)))


@function("Image.regexpRename")
def regexp_rename(image: Image, regex: str, replacement: str, every: bool) -> Image:
    """Return the image with a regular expression replaced in the names of its bands."""
    flags = "g" if every else ""
    return rename(image, [replaced(n, regex, replacement, "Image.regexpRename", flags)
                          for n in image.names])


@function("Image.addBands")
def add_bands(target: Image, source: Image, names: list[str] | None, overwrite: bool) -> Image:
    """Return the image with bands of another added, or replaced where names are the same."""
    added = list(source.bands) if names is None else [source.band(n) for n in names]
    if not overwrite:
        return replace(target, bands=tuple(unique([*target.bands, *added])))
    new = {b.name: b for b in added}
    kept = [new.pop(b.name, b) for b in target.bands]
    return replace(target, bands=(*kept, *new.values()))


@function("Image.cat")
def cat(images: list[Any]) -> Image:
    """Return the bands of several images in one, with the properties of the first."""
    parts = [coerce(i, "Image", "Image.cat") for i in images]
    if not parts:
        return Image(())
    return replace(parts[0], bands=tuple(unique([b for p in parts for b in p.bands])))


@function("Image.slice")
def sliced(image: Image, start: int, end: int | None) -> Image:
    """Return the bands from one position to another, the end not included."""
    return image.with_bands(image.bands[start:end])


@function("Image.bandNames")
def band_names(image: Image) -> list[str]:
    """Return the names of the bands."""
    return image.names


@function("Image.bandTypes")
def band_types(image: Image) -> dict[str, PixelType]:
    """Return the pixel type of each band."""
    return {b.name: b.type for b in image.bands}


@function("Image.date")
def date(image: Image) -> el.Date | None:
    """Return the moment of acquisition, ``system:time_start``."""
    millis = image.properties.get("system:time_start")
    if millis is None:
        raise EngineError("Image.date: the image has no system:time_start.")
    return el.Date(float(millis))


@function("Image.metadata")
def metadata(image: Image, name: str, band: str | None) -> Image:
    """Return an image of one number, a property of the image."""
    value = el.get(image, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise EngineError(f"Image.metadata: the property {name!r} is no number.")
    return Image((constant_band(value, band or name),))


@function("Dictionary.toImage")
def from_dictionary(values: dict[str, Any], names: list[str] | None) -> Image:
    """Return an image of constants, one band for each entry."""
    keys = list(names) if names is not None else sorted(values)
    for key in keys:
        if isinstance(values.get(key), bool) or not isinstance(values.get(key), (int, float)):
            raise EngineError(f"Dictionary.toImage: the entry {key!r} is no number.")
    return Image(tuple(constant_band(values[k], k) for k in keys))


@function("Image.clip")
def clip(image: Image, geometry: Any) -> Image:
    """Return the image masked outside a geometry, a feature or a collection.

    A pixel stays where its centre lies inside; Google's service may keep a part of edge pixels.
    """
    area = coerce(geometry, "Geometry", "Image.clip, argument 'geometry'")

    def cut(band: Band) -> Band:
        def read(grid: Grid) -> Pixels:
            pixels = band.read(grid)
            return Pixels(pixels.values, meet(pixels.mask, inside(area, grid)))
        return replace(band.derived(read), size=None)

    bands = [cut(b) for b in image.bands]
    return replace(image, bands=tuple(bands), footprint=_within(image.footprint, area))


def _within(footprint: Geometry | None, area: Geometry) -> Geometry:
    """Return the part of an area that lies in a footprint, in the footprint's coordinates."""
    if footprint is None:
        return area
    return Geometry(shapely.intersection(footprint.shape, area.to_crs(footprint.crs)),
                    footprint.crs, False)


@function("Image.clipToCollection")
def clip_to_collection(image: Image, collection: Any) -> Image:
    """Return the image masked outside the features of a collection."""
    return clip(image, collection)


@function("Image.projection")
def projection(image: Image) -> Projection:
    """Return the projection of the first band; all bands must have the same."""
    first = image.first("Image.projection").projection
    for band in image.bands[1:]:
        if band.projection != first:
            raise EngineError("Image.projection: The bands of the specified image contains "
                              "different projections. Use Image.select to pick a single band.")
    return first


@function("Image.reproject")
def reproject(image: Image, crs: Projection, transform: Transform, scale: float | None) -> Image:
    """Compute the image in a projection, whatever the projection that is asked for later."""
    work = target(crs, transform, scale, "Image.reproject")

    def placed(band: Band) -> Band:
        def read(grid: Grid) -> Pixels:
            if grid.projection == work:
                return band.read(grid)
            cols, rows = (whole(p) for p in pixel_positions(grid, work))
            x, y = grid.centres()
            there = (cols > -1_000_000_000) & np.isfinite(x) & np.isfinite(y)
            part = _covered(work, cols[there], rows[there])
            pixels = band.read(part[0])
            r, c = np.where(there, rows - part[2], 0), np.where(there, cols - part[1], 0)
            return Pixels(pixels.values[r, c], meet(pixels.mask[r, c], there))
        return replace(band.derived(read), projection=work, size=None)

    return replace(image, bands=tuple(placed(b) for b in image.bands), output=None)


def _covered(work: Projection, cols: Any, rows: Any) -> tuple[Grid, int, int]:
    """Return the grid of a projection that holds some pixels, and its first column and row."""
    if not cols.size:
        return Grid(work, 1, 1), 0, 0
    left, top = int(cols.min()), int(rows.min())
    width, height = int(cols.max()) - left + 1, int(rows.max()) - top + 1
    if width * height > MOST_PIXELS:
        raise EngineError(f"Image.reproject: Reprojection output too large ({width}x{height} "
                          "pixels).")
    return Grid(moved(work, left, top), width, height), left, top


@function("Image.setDefaultProjection")
def set_default_projection(image: Image, crs: Projection, transform: Transform,
                           scale: float | None) -> Image:
    """Return the image under another default projection; its pixels stay as they are."""
    work = target(crs, transform, scale, "Image.setDefaultProjection")
    bands = tuple(replace(b, projection=work, size=None) for b in image.bands)
    return replace(image, bands=bands, output=None)


@function("Image.resample")
def resample(image: Image, mode: str) -> Image:
    """Return the image with bilinear instead of nearest values between its own pixels.

    Where one of the four pixels around is masked the nearest one is taken. ``bicubic`` is not
    implemented.
    """
    if mode not in ("bilinear", "nearest"):
        raise EngineError(f"Image.resample: mode {mode!r} is not implemented by the local Earth "
                          "Engine; bilinear is.")
    if mode == "nearest":
        return image
    return image.with_bands([_bilinear(b) for b in image.bands])


def _bilinear(band: Band) -> Band:
    own = band.projection

    def read(grid: Grid) -> Pixels:
        nearest = band.read(grid)
        cols, rows = pixel_positions(grid, own)
        if grid.projection.crs == own.crs and (np.abs(cols % 1 - 0.5) < 1e-6).all() \
                and (np.abs(rows % 1 - 0.5) < 1e-6).all():
            return nearest
        left, top = whole(cols - 0.5), whole(rows - 0.5)
        part, c0, r0 = _covered(own, np.stack([left, left + 1]), np.stack([top, top + 1]))
        pixels = band.read(part)
        across, down = cols - 0.5 - left, rows - 0.5 - top
        total, there = np.zeros(grid.shape), np.ones(grid.shape, dtype=bool)
        for i, u in ((0, 1 - across), (1, across)):
            for j, v in ((0, 1 - down), (1, down)):
                r, c = top + j - r0, left + i - c0
                total += u * v * pixels.values[r, c]
                there &= pixels.valid[r, c]
        return Pixels(np.where(there, total, nearest.values), nearest.mask)

    return band.derived(read, band.type if band.type.precision != "int" else DOUBLE)


def default_grid(image: Image, where: str) -> Grid:
    """Return the grid an image is written on if none is asked for.

    Raises
    ------
    EngineError
        The image is unbounded.
    """
    if image.output is not None:
        return image.output
    band = image.first(where)
    if band.size is not None:
        return Grid(band.projection, *band.size)
    if image.footprint is None:
        raise EngineError(f"{where}: Unable to use an unbounded image; give a region.")
    if band.projection == Projection(WGS84) and image.footprint.crs == WGS84:
        raise EngineError(f"{where}: the image has no projection of its own; give a scale or "
                          "dimensions.")
    return covering(band.projection, image.footprint.to_crs(band.projection.crs).bounds)


@function("Image.clipToBoundsAndScale")
def clip_to_bounds_and_scale(image: Image, geometry: Geometry | None, width: int | None,
                             height: int | None, most: int | None,
                             scale: float | None) -> Image:
    """Cut the image to the rectangle around a geometry, with pixels of a size or number.

    The rectangle is one of the image's default projection; pixels of a given scale are aligned with
    the origin of its coordinates.
    """
    where = "Image.clipToBoundsAndScale"
    given = [v is not None for v in (width, most, scale)]
    if (width is None) != (height is None) or sum(given) > 1:
        raise EngineError(f"{where}: give width and height, or maxDimension, or scale.")
    area = geometry or image.footprint
    if area is None:
        raise EngineError(f"{where}: Unable to use an unbounded image; give a region.")
    own = image.first(where).projection
    bounds = area.to_crs(own.crs).bounds
    if scale is not None:
        grid = covering(own.at_scale(scale), bounds)
    elif width is not None or most is not None:
        grid = _fitted(own.crs, bounds, width, height, most)
    else:
        grid = covering(own, bounds)
    west, south, east, north = grid.bounds()
    frame = Geometry(shapely.box(west, south, east, north), own.crs, False)
    cut = clip(image, frame)
    bands = tuple(replace(b, projection=grid.projection) for b in cut.bands)
    return replace(cut, bands=bands, footprint=frame, output=grid)


def _fitted(crs: str, bounds: tuple[float, float, float, float], width: int | None,
            height: int | None, most: int | None) -> Grid:
    """Return a grid that fills a rectangle with a number of pixels."""
    west, south, east, north = bounds
    if most is not None:
        size = max(east - west, north - south) / most
        width = max(round((east - west) / size), 1)
        height = max(round((north - south) / size), 1)
    if width < 1 or height < 1:
        raise EngineError(f"Image.clipToBoundsAndScale: {width} × {height} pixels cannot be.")
    check_size(width, height)
    return Grid(Projection(crs, ((east - west) / width, 0.0, west, 0.0,
                                 -(north - south) / height, north)), width, height)
