"""``Image``: masks, choosing between images, and remapping values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ee_local.algorithms.image_math import pairs, wider
from ee_local.coerce import coerce
from ee_local.errors import EngineError
from ee_local.geometry import inside
from ee_local.grid import Grid
from ee_local.pixels import (
    Band,
    Image,
    Pixels,
    PixelType,
    integer_type,
    meet,
)
from ee_local.registry import function

Combine = Callable[[Pixels, Pixels], Pixels]


def matched(image: Image, other: Image) -> list[tuple[Band, Band]]:
    """Pair each band of an image with the band of another: its only one, or in order.

    Raises
    ------
    EngineError
        The other has neither one band nor as many.
    """
    if len(other.bands) not in (1, len(image.bands)):
        raise EngineError(f"Image: {len(other.bands)} bands cannot be matched with "
                          f"{len(image.bands)}.")
    second = other.bands if len(other.bands) > 1 else other.bands * len(image.bands)
    return list(zip(image.bands, second, strict=True))


def each_pair(image: Image, other: Image, combine: Combine) -> Image:
    """Return every band with its pixels changed by those of the matching band; the rest stays."""
    def changed(one: Band, two: Band) -> Band:
        place = one if one.size is not None or two.size is None else two
        found = one.derived(lambda grid: combine(one.read(grid), two.read(grid)))
        return replace(found, projection=place.projection, size=place.size)
    return image.with_bands([changed(a, b) for a, b in matched(image, other)])


def _count(values: Any) -> Any:
    """Return values as a mask: cut to 0 … 1."""
    clipped = np.clip(values, 0, 1).astype(np.float32)
    return clipped > 0 if np.isin(clipped, (0, 1)).all() else clipped


@function("Image.updateMask")
def update_mask(image: Image, mask: Image) -> Image:
    """Return the image masked also where another image is 0 or masked."""
    def combine(a: Pixels, m: Pixels) -> Pixels:
        return Pixels(a.values, meet(a.mask, m.mask, _count(m.values)))
    return each_pair(image, mask, combine)


@function("Image.mask")
def mask(image: Image, new: Image | None) -> Image:
    """Return the masks of the bands as values from 0 to 1; or the image with another mask."""
    if new is not None:
        def combine(a: Pixels, m: Pixels) -> Pixels:
            return Pixels(a.values, meet(m.mask, _count(m.values)))
        return each_pair(image, new, combine)

    def shown(band: Band) -> Band:
        def read(grid: Grid) -> Pixels:
            pixels = band.read(grid)
            return Pixels(pixels.mask.astype(np.float64), np.ones(grid.shape, dtype=bool))
        return band.derived(read, PixelType("float", 0, 1))
    return image.plain([shown(b) for b in image.bands])


@function("Image.selfMask")
def self_mask(image: Image) -> Image:
    """Return the image masked where it is 0."""
    return update_mask(image, image)


@function("Image.unmask")
def unmask(image: Image, value: Image | None, same_footprint: bool) -> Image:
    """Return the image with another image's values where it is masked; by default 0.

    With ``sameFootprint`` nothing is filled in outside the image.
    """
    filling = value if value is not None else coerce(0, "Image", "Image.unmask")
    area = image.footprint if same_footprint else None

    def change(one: Band, two: Band) -> Band:
        def read(grid: Grid) -> Pixels:
            a, b = one.read(grid), two.read(grid)
            there = b.mask if area is None else meet(b.mask, inside(area, grid))
            return Pixels(np.where(a.valid, a.values, b.values), np.where(a.valid, a.mask, there))
        return one.derived(read, wider(one.type, two.type))

    found = image.with_bands([change(a, b) for a, b in matched(image, filling)])
    return found if same_footprint else replace(found, footprint=None)


@function("Image.where")
def where(image: Image, test: Image, value: Image) -> Image:
    """Return the image with another image's values where a test is not 0.

    Where the test or the value is masked the image stays as it is.
    """
    bands = []
    for (one, check), (_, new) in zip(matched(image, test), matched(image, value), strict=True):
        def read(grid: Grid, one: Band = one, check: Band = check, new: Band = new) -> Pixels:
            a, t, v = one.read(grid), check.read(grid), new.read(grid)
            use = t.valid & (t.values != 0) & v.valid & a.valid
            return Pixels(np.where(use, v.values, a.values), a.mask)
        bands.append(one.derived(read, wider(one.type, new.type)))
    return image.with_bands(bands)


@function("Image.blend")
def blend(bottom: Image, top: Image) -> Image:
    """Return one image over another: where the upper is partly masked the values are mixed."""
    def over(one: Band, two: Band) -> Band:
        def read(grid: Grid) -> Pixels:
            a, b = one.read(grid), two.read(grid)
            below, above = (p.mask.astype(np.float64) for p in (a, b))
            alpha = above + below * (1 - above)
            mixed = b.values * above + a.values * below * (1 - above)
            values = np.divide(mixed, alpha, out=np.zeros_like(mixed), where=alpha > 0)
            mask = alpha.astype(np.float32)
            return Pixels(values, mask > 0 if np.isin(mask, (0, 1)).all() else mask)
        return one.derived(read, wider(one.type, two.type))
    if len(bottom.bands) != len(top.bands) and 1 not in (len(bottom.bands), len(top.bands)):
        raise EngineError("Image.blend: the images must have the same number of bands, or one.")
    return bottom.with_bands([over(a, b) for a, b, _ in pairs(bottom, top)])


@function("Image.remap")
def remap(image: Image, old: list[Any], new: list[Any], default: Any,
          name: str | None) -> Image:
    """Return one band's values replaced by others, named ``remapped``.

    Values that are not listed take the default, or are masked without one.
    """
    if len(old) != len(new):
        raise EngineError(f"Image.remap: 'from' has {len(old)} values and 'to' has {len(new)}.")
    band = image.first("Image.remap") if name is None else image.band(name)
    keys, values = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]

    def read(grid: Grid) -> Pixels:
        pixels = band.read(grid)
        place = np.clip(np.searchsorted(keys, pixels.values), 0, max(len(keys) - 1, 0))
        known = keys[place] == pixels.values if len(keys) else np.zeros(grid.shape, dtype=bool)
        other = np.nan if default is None else float(default)
        found = np.where(known, values[place] if len(keys) else other, other)
        return Pixels(found, meet(pixels.mask, np.isfinite(found)))

    whole = all(isinstance(v, int) for v in new)
    kind = integer_type("int32") if whole else PixelType("double")
    return image.with_bands([band.derived(read, kind).renamed("remapped")])
