"""Pixels to features: ``sampleRegions``, ``sample``, ``stratifiedSample``, random points."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ee_local import elements as el
from ee_local.errors import EngineError
from ee_local.geometry import Geometry, inside
from ee_local.grid import (
    WGS84,
    Grid,
    Projection,
    covering,
    moved,
    transformer,
    whole,
)
from ee_local.limits import MOST_ITEMS
from ee_local.pixels import Image
from ee_local.registry import function

Crs = Projection | None
BLOCK = 512
"""Pixels, edge of the blocks in which single points are read."""


def working_projection(image: Image, projection: Crs, scale: float | None,
                       where: str) -> Projection:
    """Return the projection to sample in: the one given or the first band's, at the scale given."""
    base = projection or image.first(where).projection
    if scale is not None:
        return base.at_scale(scale)
    return base


def region_grid(region: Geometry, projection: Projection) -> Grid:
    """Return the pixels of a projection around a region."""
    return covering(projection, region.to_crs(projection.crs).bounds)


class Table:
    """All bands of an image at some pixels: values (pixel, band) and masks, and where they are."""

    def __init__(self, image: Image, grid: Grid, rows: NDArray[np.int64],
                 cols: NDArray[np.int64]) -> None:
        pixels = [b.read(grid) for b in image.bands]
        self.names = image.names
        self.kinds = [b.type for b in image.bands]
        self.rows, self.cols = rows, cols
        self.values = [p.values[rows, cols] for p in pixels]
        self.masks = np.stack([p.valid[rows, cols] for p in pixels], axis=1)
        x, y = grid.projection.affine() @ (self.cols + 0.5, self.rows + 0.5)
        if grid.projection.crs != WGS84:
            x, y = transformer(grid.projection.crs, WGS84).transform(x, y)
        self.lon, self.lat = x, y

    def complete(self) -> NDArray[np.bool_]:
        """Return (pixel,) where no band is masked."""
        return self.masks.all(axis=1)

    def properties(self, k: int) -> dict[str, Any]:
        """Return the bands' values of a pixel; a masked one is left out."""
        found = {}
        for j, (name, kind) in enumerate(zip(self.names, self.kinds, strict=True)):
            if self.masks[k, j]:
                value = self.values[j][k].tolist()
                found[name] = int(value) if kind.precision == "int" and not kind.dimensions \
                    else value
        return found

    def point(self, k: int) -> Geometry:
        """Return the pixel's centre in longitude and latitude."""
        return Geometry(shapely.Point(float(self.lon[k]), float(self.lat[k])))


def features_of(table: Table, pixels: Iterable[int], geometries: bool, prefix: str = "",
                shared: dict[str, Any] | None = None) -> list[el.Feature]:
    """Return a feature for each pixel, named ``prefix`` and a number."""
    return [el.Feature(table.point(k) if geometries else None,
                       {**(shared or {}), **table.properties(k)}, f"{prefix}{n}")
            for n, k in enumerate(pixels)]


@function("Image.sampleRegions")
def sample_regions(image: Image, collection: el.Collection, properties: list[str] | None,
                   scale: float | None, projection: Crs, tile_scale: float,
                   geometries: bool) -> el.Collection:
    """Make a feature of each pixel that a region holds: the bands and the region's properties.

    The pixels are those of the image's projection at the scale; a point takes the pixel it lies
    in, a polygon those whose centre it holds. A pixel with a masked band is dropped. A sample is
    named after its region and its number within it.
    """
    work = working_projection(image, projection, scale, "Image.sampleRegions")
    single = sample_points(image, collection.elements, work)
    out: list[el.Feature] = []
    for place, region in enumerate(collection.elements):
        shape = el.geometry_of(region)
        if shape is None or shape.is_empty():
            continue
        shared = el.own_properties(region) if properties is None else {
            n: el.get(region, n) for n in properties if el.get(region, n) is not None}
        prefix = f"{el.index_of(region)}_"
        if place in single:
            table, k = single[place]
            found = [k] if table.complete()[k] else []
        else:
            grid = region_grid(shape, work)
            table = Table(image, grid, *np.nonzero(inside(shape, grid)))
            found = np.flatnonzero(table.complete()).tolist()
        out.extend(features_of(table, found, geometries, prefix, shared))
    return el.Collection(tuple(out), properties={"band_order": image.names})


def sample_points(image: Image, regions: Iterable[el.Element],
                  work: Projection) -> dict[int, tuple[Table, int]]:
    """Map the place of a point among the regions to its pixel in a table, read in one go."""
    points = [(i, el.geometry_of(r)) for i, r in enumerate(regions)]
    points = [(i, g) for i, g in points if g is not None and g.shape.geom_type == "Point"
              and not g.is_empty()]
    if not points:
        return {}
    x, y = np.array([(p.x, p.y) for _, g in points for p in [g.to_crs(work.crs)]]).T
    cols, rows = (whole(v) for v in ~work.affine() @ (x, y))
    blocks: dict[tuple[int, int], list[int]] = {}
    for k, place in enumerate(zip((rows // BLOCK).tolist(), (cols // BLOCK).tolist(), strict=True)):
        blocks.setdefault(place, []).append(k)
    found = {}
    for members in blocks.values():
        table = scattered(image, work, rows[members], cols[members])
        found |= {points[k][0]: (table, n) for n, k in enumerate(members)}
    return found


def scattered(image: Image, work: Projection, rows: NDArray[np.int64],
              cols: NDArray[np.int64]) -> Table:
    """Read single pixels of a projection, in their order; they must lie close together."""
    top, left = int(rows.min()), int(cols.min())
    grid = Grid(moved(work, left, top), int(cols.max()) - left + 1, int(rows.max()) - top + 1)
    return Table(image, grid, rows - top, cols - left)


def region_table(image: Image, region: Geometry | None, scale: float | None, projection: Crs,
                 where: str) -> Table:
    """Return all pixels of a region, or of the image's footprint."""
    area = region or image.footprint
    if area is None:
        raise EngineError(f"{where}: the image is unbounded; a region is needed.")
    grid = region_grid(area, working_projection(image, projection, scale, where))
    return Table(image, grid, *np.nonzero(inside(area, grid)))


@function("Image.sample")
def sample(image: Image, region: Geometry | None, scale: float | None, projection: Crs,
           factor: float | None, number: int | None, seed: int, drop_nulls: bool,
           tile_scale: float, geometries: bool) -> el.Collection:
    """Return a feature for each pixel of a region, or for some drawn at random.

    The draws depend on the seed alone; they are not Google's.
    """
    if factor is not None and number is not None:
        raise EngineError("Image.sample: factor and numPixels cannot both be given.")
    table = region_table(image, region, scale, projection, "Image.sample")
    pixels = np.arange(len(table.rows))
    rng = np.random.default_rng(abs(seed))
    if factor is not None:
        pixels = pixels[rng.random(len(pixels)) < factor]
    elif number is not None and number < len(pixels):
        pixels = np.sort(rng.choice(pixels, max(number, 0), replace=False))
    if drop_nulls:
        pixels = pixels[table.complete()[pixels]]
    return el.Collection(tuple(features_of(table, pixels.tolist(), geometries)),
                         properties={"band_order": image.names})


@function("Image.stratifiedSample")
def stratified_sample(image: Image, number: int, class_band: str | None,
                      region: Geometry | None, scale: float | None, projection: Crs, seed: int,
                      values: list[int] | None, points: list[int] | None, drop_nulls: bool,
                      tile_scale: float, geometries: bool) -> el.Collection:
    """Return pixels drawn at random, the same number from each class of a band.

    A class with fewer gives all it has. The draws depend on the seed alone; they are not Google's.
    """
    if (values is None) != (points is None) or len(values or ()) != len(points or ()):
        raise EngineError("Image.stratifiedSample: classValues and classPoints must have the same "
                          "length.")
    band = class_band or image.first("Image.stratifiedSample").name
    column = image.names.index(image.band(band).name)
    table = region_table(image, region, scale, projection, "Image.stratifiedSample")
    there = table.complete() if drop_nulls else table.masks[:, column]
    classes = table.values[column]
    wanted = dict(zip(values or (), points or (), strict=True))
    rng = np.random.default_rng(abs(seed))
    chosen = []
    for value in np.unique(classes[there]):
        members = np.flatnonzero(there & (classes == value))
        size = min(wanted.get(int(value), number), len(members))
        chosen.extend(np.sort(rng.choice(members, max(size, 0), replace=False)).tolist())
    return el.Collection(tuple(features_of(table, chosen, geometries)),
                         properties={"band_order": image.names})


@function("FeatureCollection.randomPoints")
def random_points(region: Geometry, number: int, seed: int, margin: Any) -> el.Collection:
    """Return points spread evenly at random over a region's area.

    The draws depend on the seed alone; they are not Google's.
    """
    shape = region.lonlat()
    if not 0 <= number <= MOST_ITEMS:
        raise EngineError(f"FeatureCollection.randomPoints: points is {number}; it must be 0 to "
                          f"{MOST_ITEMS}.")
    if shape.area == 0:
        raise EngineError("FeatureCollection.randomPoints: the region has no area.")
    rng = np.random.default_rng(abs(seed))
    west, south, east, north = shape.bounds
    low, high = np.sin(np.radians([south, north]))
    points: list[Any] = []
    shapely.prepare(shape)
    while len(points) < number:
        size = max(2 * (number - len(points)), 64)
        lon = rng.uniform(west, east, size)
        lat = np.degrees(np.arcsin(rng.uniform(low, high, size)))
        within = shapely.contains_xy(shape, lon, lat)
        points.extend(zip(lon[within].tolist(), lat[within].tolist(), strict=True))
    return el.Collection(tuple(el.Feature(Geometry(shapely.Point(p)), {}, str(i))
                               for i, p in enumerate(points[:number])))


@function("Collection.randomColumn")
def random_column(items: el.Collection, name: str, seed: int, distribution: str,
                  keys: list[str]) -> el.Collection:
    """Return the elements with a pseudo-random number each, uniform in [0, 1) or normal.

    The number depends on the seed and on the element's ``rowKeys`` alone, as in Google's service,
    but it is another number than Google's.
    """
    if distribution not in ("uniform", "normal"):
        raise EngineError(f"Collection.randomColumn: distribution is {distribution!r}; it must be "
                          "uniform or normal.")
    out = []
    for element in items.elements:
        text = repr((seed, [el.get(element, k) for k in keys]))
        start = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        rng = np.random.default_rng(start)
        value = rng.random() if distribution == "uniform" else rng.standard_normal()
        out.append(el.with_properties(element, {**element.properties, name: float(value)}))
    return items.with_elements(out)
