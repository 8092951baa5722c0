"""What each function is verified against: found by changing its results and seeing what fails.

``python evidence.py`` in this folder runs all tests and notes which calls which function; then, for
each function, it changes what the function returns and runs the tests that call it again. The most
specific that now fails verifies the function's values, against what :data:`AGAINST` says of it.
The findings stand in ``evidence.csv``, from which the README's table is made
(``update_readme.py``).
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from ee_local.algorithms.joins import Join
from ee_local.algorithms.mosaics import FAST
from ee_local.algorithms.neighbourhood import Kernel
from ee_local.cache import OnceCache
from ee_local.coerce import type_name
from ee_local.confusion import ConfusionMatrix
from ee_local.geometry import Geometry
from ee_local.grid import Projection
from ee_local.kmeans import Clusterer
from ee_local.models import Classifier
from ee_local.pixels import Image, Pixels, PixelType
from ee_local.reduction import Reducer

from ee_local import algorithms, registry
from ee_local import elements as el

FOLDER = Path(__file__).parent
FINDINGS = FOLDER / "evidence.csv"

AGAINST = {
    "test_scripts.py": "numpy, scipy or scikit-learn",
    "test_algorithms.py": "Python, numpy, scipy or pyproj",
    "test_classifiers.py": "scikit-learn",
    "test_clusterers.py": "scikit-learn",
    "test_filter_text.py": "Python",
    "test_files.py": "rasterio",
    "test_folder.py": "rasterio",
    "test_images.py": "numpy",
    "test_javascript.py": "scikit-learn",
    "test_learners.py": "scikit-learn, scipy or a formula",
    "test_pictures.py": "numpy and PIL",
    "test_sampling.py": "numpy and rasterio",
    "test_sentinel2.py": "numpy",
    "test_smile.py": "Smile's own outputs",
    "test_values.py": "Python, numpy, shapely or pyproj",
}
"""File of tests to what its values are compared with; tests of other files verify no function."""

REFUSALS = ("cannot", "refused", "named", "says", "tells", "nothing", "without")
"""Words in the names of tests that compare messages and not values."""

BELOW = {"Classifier.smileCart": "test_smile.py::test_a_tree_is_smiles",
         "Classifier.smileRandomForest": "test_smile.py::test_a_forest_of_known_bags_is_smiles"}
"""Functions whose work is verified where no graph is evaluated."""

CHECKED = {
    "Number": (int, float), "Float": (int, float), "Integer": (int, float), "Long": (int, float),
    "Boolean": (bool, int), "String": str, "List": list, "Dictionary": dict, "Image": Image,
    "Geometry": Geometry, "FeatureCollection": el.Collection, "ImageCollection": el.Collection,
    "Feature": el.Element, "Element": el.Element, "Array": np.ndarray, "Filter": el.Filter,
    "Reducer": Reducer, "Date": el.Date, "DateRange": el.DateRange, "Projection": Projection,
    "PixelType": PixelType, "Classifier": Classifier, "Clusterer": Clusterer,
    "Algorithm": el.Algorithm, "ErrorMargin": el.ErrorMargin, "Kernel": Kernel, "Join": Join,
    "ConfusionMatrix": ConfusionMatrix,
}
"""Declared type to the Python types that it may be; null may stand for any."""

STATE = {"test": None, "changed": None}
CALLS: dict[str, set[str]] = defaultdict(set)
"""Test to the functions that it calls."""


@contextmanager
def test(name: str):
    """Note calls under a test's name."""
    STATE["test"] = plain_name(name)
    yield
    STATE["test"] = None


def watch() -> None:
    """Watch every function: its calls, the type of its results, and whether they are changed."""
    algorithms.load()
    OnceCache.get = _kept_apart
    for name, found in registry._FUNCTIONS.items():
        if not hasattr(found.compute, "watched"):
            registry._FUNCTIONS[name] = found._replace(compute=_watched(name, found))


def _kept_apart(cache, key, compute, get=OnceCache.get):
    """Give values from a cache; those under a change never mix with others."""
    return get(cache, key if STATE["changed"] is None else (STATE["changed"], key), compute)


def _watched(name, found):
    def compute(*arguments):
        value = found.compute(*arguments)
        fits = fitting(value, found.signature.returns)
        assert fits, f"{name} gives {type_name(value)}, not {found.signature.returns}"
        if STATE["test"]:
            CALLS[STATE["test"]].add(name)
        return changed(value) if STATE["changed"] == name else value

    compute.watched, compute.__wrapped__ = True, found.compute
    compute.__doc__ = found.compute.__doc__
    return compute


def fitting(value, declared: str) -> bool:
    """Whether a value is of a declared type, such as ``List<String>``; null is of any."""
    base, _, inner = declared.partition("<")
    allowed = CHECKED.get(base)
    if value is None or allowed is None:
        return True
    if not isinstance(value, allowed) or (isinstance(value, bool) and base == "String"):
        return False
    return base != "List" or all(fitting(v, inner.removesuffix(">")) for v in value)


def changed(value):
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if value is None:
        return 77
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return value + "?"
    for kind, change in CHANGES:
        if isinstance(value, kind):
            return change(value)
    raise TypeError(f"no other value of {type_name(value)} is known")


def _image(value):
    def moved(band):
        def read(grid):
            pixels = band.read(grid)
            mask = np.roll(pixels.mask, 1, axis=0)
            return Pixels(pixels.values + 1, mask)
        return band.derived(read)
    return replace(value, bands=tuple(map(moved, value.bands)),
                   properties={**value.properties, "changed": 1})


def _collection(value):
    items = value.elements[1:] if value.elements else (el.Feature(None, {}, "new"),)
    return replace(value, elements=items)


def _feature(value):
    shape = None if value.geometry is None else _geometry(value.geometry)
    return el.Feature(shape, {k: changed(v) for k, v in value.properties.items()} | {"new": 1},
                      value.identifier)


def _geometry(value):
    return replace(value, shape=shapely.transform(value.shape, lambda xy: xy * 0.9 + 3))


def _reducer(value):
    def other(outputs):
        return {k: changed(v) for k, v in outputs.items()}

    plain = value.plain and (lambda rows: other(value.plain(rows)))
    name = value.name if value.name not in FAST else "min" if value.name != "min" else "max"
    return replace(value, compute=lambda *given: other(value.compute(*given)), parts=(),
                   name=name, plain=plain)


def _filter(value):
    pair = value.pair and (lambda a, b: not value.pair(a, b))
    return value._replace(passes=lambda e: not value.passes(e), pair=pair)


def _learnt(value):
    if value.model is None:
        return replace(value, options={k: None if v is None else changed(v)
                                       for k, v in value.options.items()} | {"new": 1},
                       fit=value.fit and (lambda *given: _Other(value.fit(*given))))
    return replace(value, model=_Other(value.model))


class _Other:
    """A model that puts out other values."""

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name):
        found = getattr(self._model, name)
        return (lambda *given: changed(found(*given))) if callable(found) else found


CHANGES = (
    (Image, _image), (el.Collection, _collection), (el.Feature, _feature), (Geometry, _geometry),
    (Reducer, _reducer), (el.Filter, _filter), (Classifier, _learnt), (Clusterer, _learnt),
    (Projection, lambda v: v.at_scale(77)), (np.ndarray, lambda v: v + 1),
    (el.Date, lambda v: el.Date(v.millis + 1e10)), (PixelType, lambda v: PixelType("int", 3, 5)),
    (el.DateRange, lambda v: el.DateRange((v.start or 0) + 1e10, v.end)),
    (list, lambda v: [changed(x) for x in v] or [77]),
    (dict, lambda v: {k: changed(x) for k, x in v.items()} | {"new": 1}),
    (Kernel, lambda v: Kernel(lambda pixel: v.weights(pixel)[::-1] * 2)),
    (Join, lambda v: Join(lambda element, matches: None if matches else element)),
    (ConfusionMatrix, lambda v: ConfusionMatrix(v.counts + 1, v.order)),
    (el.ErrorMargin, lambda v: el.ErrorMargin((v.value or 0) + 7)),
    (el.Algorithm, lambda v: el.Algorithm(v.names, lambda *given: changed(v.call(*given)))),
)


def against(name: str) -> str:
    """What a test's values are compared with."""
    return AGAINST[name.split("::")[0]]


def read() -> list[dict[str, str]]:
    """The findings: function, what it is verified against, and the test."""
    with FINDINGS.open(newline="", encoding="utf-8") as source:
        return list(csv.DictReader(source))


NOTHING = ("runs; its value is compared with nothing", "documentation only")
"""What is said of functions whose values no test verifies: one calls it, or none does."""


def section() -> str:
    """The findings as Markdown: how many, and a table."""
    rows = read()
    kinds = Counter(r["against"] for r in rows)
    verified = sum(n for kind, n in kinds.items() if kind not in NOTHING)
    lines = [
        f"Of {len(rows)} functions, {verified} have a test that compares what depends on them "
        "with a second", "computation, and that fails when the function gives another value: each "
        "was found by changing", "the function's results and running the tests that call it again "
        "(`tests/evidence.py`). It does not", "mean that every option of the function has been "
        "tried, nor that Google's service was asked.", "",
        *(f"- {n}: {kind}" for kind, n in kinds.most_common()), "",
        "| function | verified against | in the test |", "|---|---|---|",
        *(f"| `{r['function']}` | {r['against']} | {r['test'].replace('::', ', ')} |"
          for r in rows)]
    return "\n".join(lines)


class _Whole:
    """Notes which tests fail where nothing is changed: they verify nothing."""

    def __init__(self) -> None:
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report):
        """Note a failed test."""
        if report.failed:
            self.failed.add(plain_name(report.nodeid))


class _Trials:
    """Runs each test again for each function that is on trial there, its results changed."""

    def __init__(self, plan: dict[str, list[str]]) -> None:
        self.plan = plan
        self.failed: dict[tuple[str, str], bool] = {}
        """Function and test to whether an assertion failed, not merely a computation."""

    def pytest_runtest_protocol(self, item, nextitem):
        """Run a test once for each function; the test's own outcome is not asked."""
        from _pytest.runner import runtestprotocol

        name = plain_name(item.nodeid)
        for function in self.plan.get(name, []):
            if not self.failed.get((function, name)):
                STATE["changed"] = function
                reports = runtestprotocol(item, log=False, nextitem=item)
                STATE["changed"] = None
                told = [str(getattr(r.longrepr, "reprcrash", r.longrepr)) for r in reports
                        if r.failed]
                if told:
                    self.failed[function, name] = any("assert" in t.lower() for t in told)
        return True

    def verify(self, function: str, tests: list[str]) -> str | None:
        """The first test that fails for a function, by an assertion if there is one."""
        failing = [one for one in tests if (function, one) in self.failed]
        return next((one for one in failing if self.failed[function, one]),
                    failing[0] if failing else None)


def plain_name(nodeid: str) -> str:
    """A test's file and name, without folder and parameters."""
    return nodeid.split("[")[0].rpartition("/")[2]


MOST_TESTS = 8
"""Tests that are tried for a function, those that call the fewest functions first."""


def find(names: list[str] | None = None) -> None:
    """Write ``evidence.csv``; with names only those functions' rows are found anew."""
    import pytest

    quiet = ["-q", "-p", "no:cacheprovider", "-W", "ignore", "--tb=no", "--no-header"]
    whole = _Whole()
    pytest.main([str(FOLDER), *quiet], plugins=[whole])
    calls = {one: set(found) for one, found in CALLS.items() if one.split("::")[0] in AGAINST
             and one not in whole.failed
             and not set(one.split("::")[1].split("_")) & set(REFUSALS)}
    wanted = {name: sorted((t for t, found in calls.items() if name in found),
                           key=lambda t: (len(calls[t]), t))[:MOST_TESTS]
              for name in names or registry.functions()}
    plan = defaultdict(list)
    for name, tests in wanted.items():
        for one in tests:
            plan[one].append(name)
    trials = _Trials(plan)
    pytest.main([*{str(FOLDER / one.split("::")[0]) for one in plan}, *quiet], plugins=[trials])
    rows = {r["function"]: r for r in read()} if FINDINGS.exists() else {}
    for name, tests in wanted.items():
        verified = BELOW.get(name) or trials.verify(name, tests)
        kind = against(verified) if verified else NOTHING[0] if tests else NOTHING[1]
        rows[name] = {"function": name, "against": kind,
                      "test": verified or (tests[0] if tests else "")}
    with FINDINGS.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ("function", "against", "test"), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[n] for n in sorted(rows) if n in registry.functions())


if __name__ == "__main__":
    import evidence  # the module that the tests' conftest knows

    evidence.find(sys.argv[1:])
