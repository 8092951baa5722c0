"""The functions the local Earth Engine evaluates, each registered under its name in the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ee_local.coerce import coerce
from ee_local.discovery import Signature, signatures
from ee_local.errors import EngineError


class Function(NamedTuple):
    """A function's signature and what computes it; ``engine``: it is given the engine first."""

    signature: Signature
    compute: Callable[..., Any]
    engine: bool


_FUNCTIONS: dict[str, Function] = {}


def function(*names: str, engine: bool = False) -> Callable[[Callable[..., Any]], Callable]:
    """Register a Python function as one or more functions of Earth Engine.

    It is called with the arguments of Earth Engine's signature in their order, each brought to
    its type, defaults filled in.

    Parameters
    ----------
    *names : str
        As the client sends them, such as ``Image.select``.
    engine : bool
        Pass the engine (catalogue, caches) as first argument.
    """
    def register(compute: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            if name in _FUNCTIONS:
                raise ValueError(f"{name} is registered twice")
            _FUNCTIONS[name] = Function(signatures()[name], compute, engine)
        return compute
    return register


def untrained(kind: Callable[..., Any], name: str, fit: Callable[..., Any], text: str) -> None:
    """Register a constructor of a classifier or clusterer with the options of its signature.

    Parameters
    ----------
    kind : callable
        Makes it from its name, its options and what trains it.
    name : str
        As the client sends it.
    fit : callable
        What trains it.
    text : str
        What it is, in a sentence.
    """
    options = [a.name for a in signatures()[name].arguments]

    def build(*values: Any) -> Any:
        return kind(name, dict(zip(options, values, strict=True)), fit)

    build.__doc__ = text
    function(name)(build)


def add_old_names() -> None:
    """Register functions also under names of the kind ``Image.focal_max``, which scripts still use.

    Only where Earth Engine lists that name with the same arguments.
    """
    plain = {name.lower(): name for name in _FUNCTIONS}
    for name, signature in signatures().items():
        new = plain.get(name.replace("_", "").lower())
        if "_" in name and new and name not in _FUNCTIONS \
                and signature.arguments == signatures()[new].arguments:
            _FUNCTIONS[name] = _FUNCTIONS[new]._replace(signature=signature)


def functions() -> dict[str, str]:
    """Return every function that is implemented, with the first line of what it does, by name.

    >>> functions()["Image.select"]
    'An image with the bands that are chosen, renamed if new names are given.'
    """
    from ee_local import algorithms

    algorithms.load()
    return {name: _summary(f.compute) for name, f in sorted(_FUNCTIONS.items())}


def _summary(compute: Callable[..., Any]) -> str:
    """Return the first line of what a function's docstring says that it gives."""
    line = (compute.__doc__ or "").strip().split("\n")[0]
    given = line.removeprefix("Return ")
    return line if given == line else given[:1].upper() + given[1:]


def find(name: str) -> Function:
    """Return the function of this name.

    Raises
    ------
    EngineError
        Earth Engine has no such function, or the local one does not implement it.
    """
    found = _FUNCTIONS.get(name)
    if found is not None:
        return found
    if name in signatures():
        raise EngineError(f"{name} is not implemented by the local Earth Engine; use the google "
                          "back end for it.")
    raise EngineError(f"{name} is not a function of Earth Engine.")


def bind(signature: Signature, given: Mapping[str, Any]) -> list[Any]:
    """Return the arguments in the signature's order, each of its type, defaults filled in.

    Raises
    ------
    EngineError
        An argument is unknown, missing, or of a wrong type.
    """
    known = {a.name for a in signature.arguments}
    for name in given:
        if name not in known:
            raise EngineError(f"{signature.name}: unrecognized argument {name!r}; it takes "
                              f"{', '.join(sorted(known)) or 'none'}.")
    values = []
    for argument in signature.arguments:
        value = given.get(argument.name)
        if value is None:
            if not argument.optional:
                raise EngineError(f"{signature.name}: Parameter '{argument.name}' is required and "
                                  "may not be null.")
            value = argument.default
        if value is not None:
            value = coerce(value, argument.type, f"{signature.name}, argument '{argument.name}'")
        values.append(value)
    return values
