"""Images: bands that give their pixels on any grid, and what is known of them beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ee_local.cache import OnceCache
from ee_local.errors import EngineError
from ee_local.geometry import Geometry
from ee_local.grid import WGS84, Grid, Projection

PIXEL_BYTES = 256 * 1024 * 1024
"""Memory for pixels that have been computed and may be asked for again."""


class PixelType(NamedTuple):
    """Precision (``int``, ``float``, ``double``), smallest and largest value, array dimensions."""

    precision: str
    low: float | None = None
    high: float | None = None
    dimensions: int = 0

    def dtype(self) -> np.dtype:
        """Return the smallest numpy type that holds it."""
        if self.precision == "float":
            return np.dtype("float32")
        if self.precision == "double" or self.low is None or self.high is None:
            return np.dtype("float64")
        for name in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64"):
            kind = np.iinfo(name)
            if kind.min <= self.low and self.high <= kind.max:
                return np.dtype(name)
        return np.dtype("int64")


def integer_type(name: str) -> PixelType:
    """Return the pixel type of a numpy integer type.

    >>> integer_type("uint8")
    PixelType(precision='int', low=0, high=255, dimensions=0)
    """
    kind = np.iinfo(name)
    return PixelType("int", int(kind.min), int(kind.max))


UNPLACED = Projection(WGS84)
"""Of bands that are the same everywhere."""

FLOAT, DOUBLE = PixelType("float"), PixelType("double")
BOOLEAN = PixelType("int", 0, 1)


Mask = NDArray[np.bool_] | NDArray[np.float32]


class Pixels(NamedTuple):
    """Values (row, col) or (row, col, k) float64, and how much they count (row, col).

    The mask is bool, or float32 from 0 to 1 where it is partial (half-transparent drawings).
    """

    values: NDArray[np.float64]
    mask: Mask

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(row, col) bool: where the mask is not 0."""
        return self.mask if self.mask.dtype == bool else self.mask > 0


def meet(*masks: Mask) -> Mask:
    """Return the smallest of several masks: where all count, and how much."""
    found = masks[0]
    for mask in masks[1:]:
        found = np.minimum(found, mask)
    return found


Reader = Callable[[Grid], Pixels]
_NUMBERS = itertools.count()
_PIXELS = OnceCache(PIXEL_BYTES, lambda p: p.values.nbytes + p.mask.nbytes)


@dataclass(frozen=True)
class Band:
    """One band: its name, type and own projection, and a function from grid to pixels.

    ``size`` is the (width, height) of its own grid, None where it has none or is unbounded.
    """

    name: str
    type: PixelType
    reader: Reader = field(repr=False)
    projection: Projection = UNPLACED
    size: tuple[int, int] | None = None
    number: int = field(default_factory=lambda: next(_NUMBERS), compare=False)

    def read(self, grid: Grid) -> Pixels:
        """Return the band's pixels on a grid; values of masked pixels mean nothing."""
        return _PIXELS.get((self.number, grid), lambda: self.reader(grid))

    def derived(self, reader: Reader, type: PixelType | None = None) -> Band:
        """Return a band of the same name and place with other pixels."""
        return replace(self, reader=reader, type=type or self.type, number=next(_NUMBERS))

    def renamed(self, name: str) -> Band:
        """Return the same pixels under another name."""
        return replace(self, name=name)


@dataclass(frozen=True)
class Image:
    """Bands in order, properties, and the footprint (None: everywhere).

    ``output`` is the grid to be written where no other is asked for; None: that of the first band.
    ``file`` is where the pixels are read from.
    """

    bands: tuple[Band, ...]
    properties: Mapping[str, Any] = field(default_factory=dict)
    footprint: Geometry | None = None
    identifier: str | None = None
    version: int | None = None
    output: Grid | None = None
    file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse two bands of one name."""
        names = [b.name for b in self.bands]
        if len(set(names)) != len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise EngineError(f"An image has two bands named {twice!r}.")

    @property
    def names(self) -> list[str]:
        """The bands' names in order."""
        return [b.name for b in self.bands]

    def band(self, name: str) -> Band:
        """Return the band of this name.

        Raises
        ------
        EngineError
            There is none.
        """
        for band in self.bands:
            if band.name == name:
                return band
        raise EngineError(f"Band pattern '{name}' did not match any bands. Available bands: "
                          f"[{', '.join(self.names)}]")

    def first(self, what: str) -> Band:
        """Return the first band, or an error that says for what it is needed."""
        if not self.bands:
            raise EngineError(f"{what}: the image has no bands.")
        return self.bands[0]

    def with_bands(self, bands: Sequence[Band]) -> Image:
        """Return other bands, the same properties and footprint."""
        return replace(self, bands=tuple(bands))

    def plain(self, bands: Sequence[Band]) -> Image:
        """Return other bands and no properties but the footprint: what arithmetic gives."""
        return Image(tuple(bands), {}, self.footprint, output=self.output)


def read_all(image: Image, grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return all bands on a grid: (band, row, col) float64, and where all count (row, col) bool."""
    pixels = [b.read(grid) for b in image.bands]
    for band, found in zip(image.bands, pixels, strict=True):
        if found.values.ndim != 2:
            raise EngineError(f"Band {band.name!r} holds arrays; a number per pixel is needed.")
    return np.stack([p.values for p in pixels]), meet(*(p.mask for p in pixels)) > 0


def forget_pixels() -> None:
    """Give back the memory of computed pixels."""
    _PIXELS.clear()
