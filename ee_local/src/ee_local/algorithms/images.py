"""``Image``: loading, choosing, adding and naming bands."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ee_local import elements as el
from ee_local.coerce import coerce, constant_band
from ee_local.errors import EngineError
from ee_local.pixels import Band, Image, PixelType
from ee_local.registry import function


@function("Image.load", engine=True)
def load(engine: Any, identifier: str, version: int) -> Image:
    """An image of the local catalogue."""
    return engine.catalogue.image(identifier)


@function("Image.constant")
def constant(value: Any) -> Image:
    """An image with the same number everywhere; a list gives a band for each of its numbers."""
    if isinstance(value, (list, tuple)):
        names = ["constant"] if len(value) == 1 else [f"constant_{i}" for i in range(len(value))]
        return Image(tuple(constant_band(v, n) for v, n in zip(value, names, strict=True)))
    if isinstance(value, (bool, int, float)):
        return Image((constant_band(value, "constant"),))
    raise EngineError(f"Image.constant: {str(value)[:40]!r} is no number.")


@function("Image.select")
def select(image: Image, selectors: list[Any], names: list[str] | None) -> Image:
    """An image with the bands that are chosen, renamed if new names are given.

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
    try:
        found = [b for b in image.bands if re.fullmatch(selector, b.name)]
    except re.error:
        found = []
    if not found and selector != ".*":
        raise EngineError(f"Image.select: Band pattern '{selector}' did not match any bands. "
                          f"Available bands: [{', '.join(image.names)}]")
    return found


def unique(bands: list[Band]) -> list[Band]:
    """Bands under names of their own: a name that is there already gets _1, _2, …"""
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
    """The image with new names for all its bands."""
    if len(names) != len(image.bands):
        raise EngineError(f"Image.rename: the image has {len(image.bands)} bands but "
                          f"{len(names)} names are given.")
    return replace(image, bands=tuple(
        b.renamed(n) for b, n in zip(image.bands, names, strict=True)))


@function("Image.regexpRename")
def regexp_rename(image: Image, regex: str, replacement: str, every: bool) -> Image:
    """The image with a regular expression replaced in the names of its bands."""
    plain = re.sub(r"\$(\d)", r"\\\1", replacement)
    try:
        names = [re.sub(regex, plain, n, count=0 if every else 1) for n in image.names]
    except re.error as error:
        raise EngineError(f"Image.regexpRename: {error}.") from None
    return rename(image, names)


@function("Image.addBands")
def add_bands(target: Image, source: Image, names: list[str] | None, overwrite: bool) -> Image:
    """The image with bands of another added, or replaced where names are the same."""
    added = list(source.bands) if names is None else [source.band(n) for n in names]
    if not overwrite:
        return replace(target, bands=tuple(unique([*target.bands, *added])))
    new = {b.name: b for b in added}
    kept = [new.pop(b.name, b) for b in target.bands]
    return replace(target, bands=(*kept, *new.values()))


@function("Image.cat")
def cat(images: list[Any]) -> Image:
    """The bands of several images in one, with the properties of the first."""
    parts = [coerce(i, "Image", "Image.cat") for i in images]
    if not parts:
        return Image(())
    return replace(parts[0], bands=tuple(unique([b for p in parts for b in p.bands])))


@function("Image.slice")
def sliced(image: Image, start: int, end: int | None) -> Image:
    """The bands from one position to another, the end not included."""
    return image.with_bands(image.bands[start:end])


@function("Image.bandNames")
def band_names(image: Image) -> list[str]:
    """The names of the bands."""
    return image.names


@function("Image.bandTypes")
def band_types(image: Image) -> dict[str, PixelType]:
    """The pixel type of each band."""
    return {b.name: b.type for b in image.bands}


@function("Image.date")
def date(image: Image) -> el.Date | None:
    """The moment of acquisition, ``system:time_start``."""
    millis = image.properties.get("system:time_start")
    if millis is None:
        raise EngineError("Image.date: the image has no system:time_start.")
    return el.Date(float(millis))


@function("Image.metadata")
def metadata(image: Image, name: str, band: str | None) -> Image:
    """An image of one number, a property of the image."""
    value = el.get(image, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise EngineError(f"Image.metadata: the property {name!r} is no number.")
    return Image((constant_band(value, band or name),))


@function("Dictionary.toImage")
def from_dictionary(values: dict[str, Any], names: list[str] | None) -> Image:
    """An image of constants, one band for each entry."""
    keys = list(names) if names is not None else sorted(values)
    for key in keys:
        if isinstance(values.get(key), bool) or not isinstance(values.get(key), (int, float)):
            raise EngineError(f"Dictionary.toImage: the entry {key!r} is no number.")
    return Image(tuple(constant_band(values[k], k) for k in keys))
