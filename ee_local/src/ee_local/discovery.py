"""What the installed earthengine-api wheel knows of the service: its methods and its functions.

The wheel ships, for its own tests, Google's discovery document and the list of all functions with
their arguments, types and defaults. The local Earth Engine serves both, so the client that reads
them is the very client that made them.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from ee_local.errors import EngineError

ANY = {"type": "any"}


class Argument(NamedTuple):
    """An argument of a function: name, type in Earth Engine's words, default if it is optional."""

    name: str
    type: str
    optional: bool
    default: Any


class Signature(NamedTuple):
    """A function's name, arguments in order, and type of result."""

    name: str
    arguments: tuple[Argument, ...]
    returns: str


@cache
def _read(name: str) -> dict[str, Any]:
    spec = find_spec("ee")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or []:
        path = Path(folder) / "tests" / name
        if path.is_file():
            return json.loads(path.read_text("utf-8"))
    raise EngineError(f"the installed earthengine-api has no tests/{name}; the local Earth Engine "
                      "needs it (version 1.7.50 ships it)")


@cache
def algorithms() -> bytes:
    """Return JSON of all functions, as ``algorithms`` answers it."""
    return json.dumps(_read("algorithms.json")).encode()


@cache
def signatures() -> dict[str, Signature]:
    """Map the name of every function the client can send to its signature."""
    found = {}
    for entry in _read("algorithms.json")["algorithms"]:
        name = entry["name"].removeprefix("algorithms/")
        arguments = tuple(
            Argument(a["argumentName"], a.get("type", "Object"), a.get("optional", False),
                     a.get("defaultValue"))
            for a in entry.get("arguments", []))
        found[name] = Signature(name, arguments, entry.get("returnType", "Object"))
    return found


def document(address: str) -> bytes:
    """Return the discovery document with the local address, version v1, and the methods it lacks.

    Parameters
    ----------
    address : str
        Of the server, without a slash at the end.
    """
    text = json.dumps(_read("cloud_api_discovery_document.json")).replace("v1alpha", "v1")
    found = json.loads(text)
    found["rootUrl"] = found["baseUrl"] = f"{address}/"
    projects = found["resources"]["projects"]
    projects["methods"]["getConfig"] = _method("getConfig", "GET", "{+name}", "name")
    rooms = projects["resources"]
    for room, verb, path in (("featureView", "create", "{+parent}/featureView"),
                             ("classifier", "export", "{+project}/classifier:export")):
        parameter = path[2:path.index("}")]
        rooms[room] = {"methods": {verb: _method(f"{room}.{verb}", "POST", path, parameter, True)}}
    rooms["tables"] = {"methods": {
        "create": _method("tables.create", "POST", "{+parent}/tables", "parent", body=True),
        "getFeatures": _method("tables.getFeatures", "GET", "{+name}:getFeatures", "name"),
    }}
    rooms["assets"]["methods"]["listFeatures"]["parameters"]["asset"] = _string("query")
    listed = copy.deepcopy(rooms["assets"]["methods"]["listAssets"]["parameters"])
    for name in ("filter", "view"):
        listed[name] = _string("query")
    rooms["assets"]["methods"]["listAssets"]["parameters"] = listed
    return json.dumps(found).encode()


def _string(location: str) -> dict[str, Any]:
    return {"type": "string", "location": location, "description": ""}


def _method(name: str, verb: str, path: str, parameter: str, body: bool = False) -> dict[str, Any]:
    """Return a method's entry in the discovery document."""
    method = {
        "id": f"earthengine.projects.{name}", "httpMethod": verb, "path": f"v1/{path}",
        "flatPath": f"v1/{path}", "description": "", "parameterOrder": [parameter],
        "parameters": {parameter: {**_string("path"), "required": True, "pattern": "^.*$"}},
        "response": ANY,
    }
    return {**method, "request": ANY} if body else method
