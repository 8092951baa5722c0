"""Every function's name, arguments, types, defaults and result against the client's own list."""

import inspect
import json
from pathlib import Path

import ee
import evidence
import pytest
from ee_local.discovery import signatures
from ee_local.errors import EngineError
from ee_local.registry import bind, find

from ee_local import registry

LIST = {entry["name"].removeprefix("algorithms/"): entry for entry in json.loads(
    (Path(ee.__file__).parent / "tests" / "algorithms.json").read_text("utf-8"))["algorithms"]}
NAMES = sorted(registry.functions())
CONSTRUCTED = {"List": [], "String": "text", "Number": 3, "Integer": 3, "Long": 3, "Float": 0.5,
               "Boolean": True, "Dictionary": {}}


def listed(name):
    """A function's arguments in the client's list: name, type, optional, default."""
    return [(a["argumentName"], a.get("type", "Object"), a.get("optional", False),
             a.get("defaultValue")) for a in LIST[name].get("arguments", [])]


def plain(kind):
    """A type as the client keeps it: without what it holds."""
    return kind.split("<")[0]


def test_the_client_is_given_its_own_list(engine):
    """What a client reads from the server is what it would read at Google."""
    served = engine.get("/v1/projects/offline/algorithms").json()["algorithms"]
    assert {e["name"].removeprefix("algorithms/"): e for e in served} == LIST
    known = ee.ApiFunction.allSignatures()
    assert set(NAMES) <= known.keys()
    for name in NAMES:
        told = [(a["name"], a["type"], bool(a.get("optional")), a.get("default"))
                for a in known[name]["args"]]
        assert told == [(n, plain(t), o, d) for n, t, o, d in listed(name)], name
        assert known[name]["returns"] == plain(LIST[name]["returnType"]), name


@pytest.mark.parametrize("name", NAMES)
def test_the_function_takes_what_is_listed(name):
    """As many arguments as listed, in their order; defaults filled in; nothing else taken."""
    found = find(name)
    arguments = listed(name)
    assert [tuple(a) for a in found.signature.arguments] == arguments
    assert found.signature.returns == LIST[name]["returnType"]
    own = inspect.signature(inspect.unwrap(found.compute)).parameters.values()
    if not any(p.kind == p.VAR_POSITIONAL for p in own):
        required = [p for p in own if p.default is p.empty]
        assert len(required) - found.engine <= len(arguments) <= len(own) - found.engine
    with pytest.raises(EngineError, match="unrecognized argument 'nothing'"):
        bind(found.signature, {"nothing": 1})
    required = [a for a in arguments if not a[2]]
    if required:
        with pytest.raises(EngineError, match="is required and may not be null"):
            bind(found.signature, {})
    elif not any(isinstance(a[3], dict) for a in arguments):  # an ErrorMargin is built of its JSON
        assert bind(found.signature, {}) == [a[3] for a in arguments]


@pytest.mark.parametrize("name", NAMES)
def test_arguments_of_another_type_are_refused_by_name(name):
    """A value that cannot be brought to the listed type is refused with both types' names."""
    for argument in signatures()[name].arguments:
        base = argument.type.split("<")[0]
        for kind, value in CONSTRUCTED.items():
            if base not in CONSTRUCTED or base == kind or {base, kind} <= {
                    "Number", "Integer", "Long", "Float", "Boolean"}:
                continue
            given = {argument.name: value}
            others = {a.name: CONSTRUCTED.get(a.type.split("<")[0])
                      for a in signatures()[name].arguments
                      if not a.optional and a.name != argument.name}
            with pytest.raises(EngineError) as caught:
                bind(signatures()[name], others | given)
            assert "\n" not in str(caught.value)


def test_results_are_watched():
    """Each result in every test is checked against the listed type; this is how."""
    assert evidence.fitting(3, "Number") and evidence.fitting([1, 2], "List<Integer>")
    assert evidence.fitting(None, "Image<unknown bands>")
    assert not evidence.fitting("a", "Number") and not evidence.fitting([1, "a"], "List<Integer>")
    assert all(hasattr(find(n).compute, "watched") for n in NAMES)
