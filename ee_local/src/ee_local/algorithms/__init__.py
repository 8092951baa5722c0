"""The functions of Earth Engine that are evaluated here, one module per family."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules


def load() -> None:
    """Import every family, which registers its functions."""
    for family in iter_modules(__path__, f"{__name__}."):
        import_module(family.name)
