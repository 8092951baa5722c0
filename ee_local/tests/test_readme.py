"""The README's table of evidence and list of functions are those of today."""

import ast
import sys
from pathlib import Path

import evidence

from ee_local import registry

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))


def test_the_readme_is_current():
    import update_readme

    assert update_readme.README.read_text("utf-8") == update_readme.text(), \
        "run python update_readme.py in ee_local/"


def test_every_function_has_its_line_of_evidence():
    rows = evidence.read()
    assert [r["function"] for r in rows] == sorted(registry.functions()), \
        "run python evidence.py FUNCTION … in ee_local/tests/ for what is new"


def test_the_tests_that_it_names_are_there():
    known = set()
    for path in HERE.glob("test_*.py"):
        known |= {f"{path.name}::{node.name}" for node in ast.parse(path.read_text("utf-8")).body
                  if isinstance(node, ast.FunctionDef)}
    for row in evidence.read():
        assert not row["test"] or row["test"] in known, row
        if row["against"] not in evidence.NOTHING:
            assert row["against"] == evidence.against(row["test"]), row
        assert (row["test"] == "") == (row["against"] == evidence.NOTHING[1]), row


def test_changed_values_are_other_values(engine):
    """What the evidence rests on: a change of any kind of result is seen."""
    import ee

    for graph in (ee.Number(2).add(3), ee.String("a").cat("b"), ee.List([1, 2]).reverse(),
                  ee.Date("2023-01-01").advance(1, "day").millis(),
                  ee.Geometry.Point([1, 2]).buffer(10).area(),
                  engine.image().select("B4").multiply(2).bandNames()):
        name = ee.serializer.encode(graph, for_cloud_api=True)["values"]
        before = graph.getInfo()
        names = {v["functionInvocationValue"]["functionName"] for v in name.values()
                 if "functionInvocationValue" in v}
        engine.server.engine.evaluator.cache.clear()
        evidence.STATE["changed"] = max(names)
        try:
            assert graph.getInfo() != before, names
        except ee.EEException:
            pass
        finally:
            evidence.STATE["changed"] = None
            engine.server.engine.evaluator.cache.clear()
