"""The catalogue: images by asset id, and the collections that they form."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ee_local.elements import Collection
from ee_local.errors import missing_asset
from ee_local.pixels import Image

PREFIXES = tuple(f"projects/earthengine-{kind}/assets/" for kind in ("public", "legacy"))
"""What Google's service and its client put before the id of a public asset."""


class Catalogue:
    """Images by asset id; ``A/B/C`` is an image of the collection ``A/B``.

    The images of a collection come in the order of their times, then of their ids; those without
    a time come last.

    Parameters
    ----------
    images : iterable of Image
        Each with its asset id as ``identifier``.
    later : mapping of str to callable
        Asset id to a function without arguments that makes the image when it is first asked for:
        for what takes long to open.
    hints : mapping of str to str
        Asset id to what the user can do where the catalogue lacks it, added to the error.
    """

    def __init__(self, images: Iterable[Image],
                 later: Mapping[str, Callable[[], Image]] | None = None,
                 hints: Mapping[str, str] | None = None) -> None:
        self._later, self._hints = dict(later or {}), dict(hints or {})
        self._images = {str(image.identifier): image for image in images}
        self._collections = _collections(self._images.values())
        self._lock = threading.Lock()

    def held(self) -> str:
        """Say in words what there is."""
        single = [name for name in self._images if "/" not in name]
        return ", ".join([*(f"{name} ({_counted(len(c.elements))})"
                            for name, c in self._collections.items()), *single, *self._later])

    def files(self) -> frozenset[Path]:
        """Return the files that are served, by their real paths."""
        return frozenset(i.file.resolve() for i in self._images.values() if i.file is not None)

    def find(self, identifier: str) -> Image | Collection | None:
        """Return the image or collection of this id; None if there is none."""
        name = _plain(identifier)
        with self._lock:
            if name in self._later and name not in self._images:
                self._images[name] = self._later[name]()
            return self._images.get(name) or self._collections.get(name)

    def asset(self, identifier: str) -> Image | Collection:
        """Return the image or collection of this id.

        Raises
        ------
        EngineError
            There is none.
        """
        return self._of_kind(identifier, (Image, Collection))

    def image(self, identifier: str) -> Image:
        """Return the image of this id.

        Raises
        ------
        EngineError
            There is none.
        """
        return self._of_kind(identifier, Image)

    def collection(self, identifier: str) -> Collection:
        """Return the image collection of this id.

        Raises
        ------
        EngineError
            There is none.
        """
        return self._of_kind(identifier, Collection)

    def table(self, identifier: str) -> Collection:
        """Refuse a table: the catalogue has none.

        Raises
        ------
        EngineError
            Always; it names what there is.
        """
        raise missing_asset(identifier, self.held())

    def _of_kind(self, identifier: str, kind: type | tuple[type, ...]) -> Image | Collection:
        asset = self.find(identifier)
        if not isinstance(asset, kind):
            raise missing_asset(identifier, self.held() + self._hints.get(_plain(identifier), ""))
        return asset


def _collections(images: Iterable[Image]) -> dict[str, Collection]:
    """Group the images whose id has a slash by what stands before their last one."""
    members = defaultdict(list)
    for image in images:
        name, slash, _ = str(image.identifier).rpartition("/")
        if slash:
            members[name].append(image)
    return {name: Collection(tuple(sorted(members[name], key=_place)), "ImageCollection", name)
            for name in sorted(members)}


def _place(image: Image) -> tuple[float, str]:
    """Return where an image stands in its collection."""
    return image.properties.get("system:time_start", math.inf), str(image.identifier)


def _counted(number: int) -> str:
    return f"{number} image" if number == 1 else f"{number} images"


def _plain(identifier: str) -> str:
    """Return an asset id without the name of the public project."""
    for start in PREFIXES:
        identifier = identifier.removeprefix(start)
    return identifier.strip("/")
