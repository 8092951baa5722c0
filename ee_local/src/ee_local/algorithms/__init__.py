"""The functions of Earth Engine that are implemented, a module for each kind of object."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ee_local.registry import add_old_names


def load() -> None:
    """Import every module, which registers its functions."""
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    add_old_names()
