"""The design kept true: who may import whom, where class numbers live, how long things are."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

FILES = sorted((ROOT / "lulc_lib").rglob("*.py"))
ALLOWED = {  # room → rooms it may import, besides itself and the shared modules
    "data": {"legend", "landscape"},
    "accuracy": {"legend"},
    "unet": {"legend", "data", "accuracy"},
    "earth_engine": {"legend", "data"},
    "sites": {"legend", "data"},
    "figures": {"legend"},
    "legend": set(), "io": set(), "landscape": {"legend", "data"}, "paths": set(), "errors": set(), "results": set(),
    "cli": {"legend", "data", "accuracy", "unet", "earth_engine", "sites", "figures", "results"},
    "__main__": {"cli"}, "__init__": set(),
}
SHARED = {"errors", "paths", "io"}
ONLY_IN = {"torch": {"unet"}, "ee": {"earth_engine"}, "geemap": {"earth_engine"},
           "matplotlib": {"figures"}}
MOST_LINES, MOST_LINES_IN_FUNCTION = 300, 45


def room(path: Path) -> str:
    return path.relative_to(ROOT / "lulc_lib").parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    mine = room(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "lulc_lib" and len(parts) > 1 and parts[1] != "__version__":
            assert parts[1] in ALLOWED[mine] | SHARED | {mine}, f"{mine} imports {name}"
        if parts[0] in ONLY_IN:
            assert mine in ONLY_IN[parts[0]], f"{mine} imports {name}"
        assert not (mine == "accuracy" and parts[0] in ("rasterio", "rioxarray", "geopandas"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_and_functions_are_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            lines = node.end_lineno - (first.end_lineno if doc else node.lineno)
            assert lines <= MOST_LINES_IN_FUNCTION, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_public_things_are_documented_and_typed(path):
    tree = ast.parse(path.read_text())
    assert path.name == "__main__.py" or ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            arguments = [*node.args.args, *node.args.kwonlyargs]
            assert all(a.annotation for a in arguments), f"{node.name}: untyped argument"
            assert node.returns is not None, f"{node.name}: untyped result"
