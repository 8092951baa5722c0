"""Which address does what: the part of Earth Engine's REST interface that the client uses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ee_local import wheel
from ee_local.encode import encode
from ee_local.engine import Engine
from ee_local.errors import EngineError

JSON = "application/json; charset=UTF-8"
PROJECTS = ("offline", "earthengine-public", "earthengine-legacy")


class Request(NamedTuple):
    """A request: verb, path without escapes, query, and body."""

    verb: str
    path: str
    query: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises
        ------
        EngineError
            It is none.
        """
        try:
            found = json.loads(self.body or b"{}")
        except (ValueError, RecursionError) as error:
            raise EngineError(f"Invalid JSON payload received: {error}.") from None
        if not isinstance(found, dict):
            raise EngineError("Invalid JSON payload received: it must be an object.")
        return found


@dataclass(frozen=True)
class Answer:
    """What goes back; ``shared``: pages of this machine may read it (tiles, thumbnails)."""

    body: bytes
    kind: str = JSON
    code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False


def as_json(value: Any) -> Answer:
    """A value as a JSON answer."""
    return Answer(json.dumps(value, allow_nan=False).encode())


class Call(NamedTuple):
    """What an action is given: the engine, the request, and the parts of its address."""

    engine: Engine
    request: Request
    parts: Mapping[str, str]


Action = Callable[[Call], Answer]
_ROUTES: list[tuple[str, re.Pattern[str], Action]] = []


def route(verb: str, pattern: str) -> Callable[[Action], Action]:
    """Register an action for an address below ``/v1/projects/<project>/``."""
    between = "" if pattern.startswith(":") else "/"
    whole = re.compile(rf"/v1/projects/(?P<project>[^/:]+){between}{pattern}")

    def register(action: Action) -> Action:
        _ROUTES.append((verb, whole, action))
        return action
    return register


def respond(engine: Engine, address: str, request: Request) -> Answer:
    """The answer to a request.

    Raises
    ------
    EngineError
        Unknown address (404), wrong verb (405), unknown project (403), or what the action raises.
    """
    if request.path == "/$discovery/rest":
        return Answer(wheel.discovery(address))
    verbs = set()
    for verb, pattern, action in _ROUTES:
        found = pattern.fullmatch(request.path)
        if found is None:
            continue
        verbs.add(verb)
        if verb == request.verb:
            parts = found.groupdict()
            if parts["project"] not in PROJECTS:
                raise EngineError(f"Project {parts['project']!r} is not known here; the local "
                                  f"Earth Engine has one project, {PROJECTS[0]!r}.", 403)
            with engine.turn:
                return action(Call(engine, request, parts))
    if verbs:
        raise EngineError(f"{request.verb} is not possible at {request.path}; it takes "
                          f"{', '.join(sorted(verbs))}.", 405)
    raise EngineError(f"The local Earth Engine has nothing at {request.path[:200]}.", 404)


@route("GET", "algorithms")
def list_algorithms(call: Call) -> Answer:
    """All functions with their arguments."""
    return Answer(wheel.algorithms())


@route("GET", "config")
def get_config(call: Call) -> Answer:
    """What the client asks of a project: nothing is limited here."""
    return as_json({"name": f"projects/{call.parts['project']}/config",
                    "maxConcurrentExports": 1})


@route("POST", "value:compute")
def compute_value(call: Call) -> Answer:
    """The value of an expression: ``getInfo()``."""
    value = call.engine.evaluate(call.request.json().get("expression"))
    return as_json({"result": encode(value)})


@route("POST", r"(?P<what>featureView|classifier:export|video:export|map:export|videoMap:export"
       r"|videoThumbnails|filmstripThumbnails|imageCollection:computeImages|image:import"
       r"|table:import)")
def not_implemented(call: Call) -> Answer:
    """What the client can ask of Google's service and not of this one."""
    raise EngineError(f"{call.parts['what']} is not implemented by the local Earth Engine; use the "
                      "google back end for it.")
