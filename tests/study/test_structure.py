"""The design kept true: who may import whom, no circles, small functions, documented signatures."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = {"lulc_lib": ROOT / "lulc_lib", "ee_local": ROOT / "ee_local" / "src" / "ee_local",
            "experiments": ROOT / "experiments"}
FILES = [f for folder in PACKAGES.values() for f in sorted(folder.rglob("*.py"))]
BOTTOM = {"legend", "display_names", "errors", "paths", "io", "lazy", "results"}
ALLOWED = {  # room → rooms of lulc_lib it may import, besides itself
    "errors": set(), "lazy": set(), "legend": {"errors"}, "display_names": {"errors", "legend"},
    "paths": {"errors"}, "io": {"errors", "paths"},
    "results": {"errors", "paths", "io"},
    "data": BOTTOM, "accuracy": BOTTOM, "figures": BOTTOM,
    "landscape": BOTTOM | {"data"},
    "unet": BOTTOM | {"data", "accuracy"},
    "earth_engine": BOTTOM | {"data", "accuracy"},
    "sites": BOTTOM | {"data", "accuracy"},
    "cli": BOTTOM | {"data", "landscape", "accuracy", "unet", "earth_engine", "sites", "figures"},
    "__main__": {"cli"}, "__init__": set(),
    "experiments": BOTTOM | {"data", "landscape", "accuracy", "unet", "earth_engine", "sites"},
    "ee_local": set(),
}
ONLY_IN = {"torch": {"unet", "experiments"}, "ee": {"earth_engine"}, "geemap": {"earth_engine"},
           "matplotlib": {"figures", "ee_local"}, "ee_local": {"earth_engine", "cli", "ee_local"}}
NOT_IN_ACCURACY = {"torch", "rasterio", "rioxarray", "geopandas", "ee"}
MOST_LINES_IN_FUNCTION = 40
ROOM_NAMES = {"figures", "cli"}  # their modules bear the name of the room that they serve
TWICE = {"errors", "lesson", "maps"}  # two rooms use the word for what is theirs
PROSE = re.compile(
    r"^the\b|\b(an?|is|are|was|be|has|have|which|that|this|these|those|see|what|where|whose|"
    r"its|it|they|without|how|whether|gets?|given?|then|if|when|as|by|from|after|before)\b"
    r"|[.;!]$|: ", re.IGNORECASE)
"""What no type has in it: articles, verbs and the like, the end of a sentence."""


def name_of(path: Path) -> str:
    """Dotted name of a module, that of the package for its ``__init__``."""
    package = next(p for p, folder in PACKAGES.items() if path.is_relative_to(folder))
    parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
    return ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))


MODULES = {name_of(path): path for path in FILES}


def room(path: Path) -> str:
    package, *rest = name_of(path).split(".")
    return (rest[0] if rest else "__init__") if package == "lulc_lib" else package


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def names_in(nodes) -> set[str]:
    """Dotted names that import statements among the nodes ask for."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_behind(name: str) -> str | None:
    """The module of ours that a dotted name leads to: itself, or the one that holds it."""
    return next((n for n in (name, name.rpartition(".")[0]) if n in MODULES), None)


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=short)
def test_imports_point_one_way(path):
    mine = room(path)
    for name in names_in(ast.walk(tree_of(path))):
        parts = name.split(".")
        if parts[0] == "lulc_lib" and len(parts) > 1 and parts[1] != "__version__":
            assert mine != "ee_local", f"ee_local imports {name}"
            assert parts[1] in ALLOWED[mine] | {mine}, f"{mine} imports {name}"
        if parts[0] in ONLY_IN:
            assert mine in ONLY_IN[parts[0]], f"{mine} imports {name}"
        assert parts[0] != "experiments" or mine == "experiments", f"{mine} imports {name}"
        assert not (mine == "accuracy" and parts[0] in NOT_IN_ACCURACY), f"accuracy imports {name}"


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one node (Tarjan's algorithm).

    >>> circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}})
    [['b', 'c']]
    """
    order, lowest, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = lowest[node] = len(order)
        stack.append(node)
        for following in edges.get(node, ()):
            if following not in order:
                visit(following)
            if following in stack:
                lowest[node] = min(lowest[node], lowest[following])
        if lowest[node] == order[node]:
            part = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(part) > 1:
                found.append(sorted(part))

    for node in edges:
        if node not in order:
            visit(node)
    return found


def test_no_circle_of_imports():
    """Only imports that run when a module is loaded count, not those inside functions."""
    edges = {name: {b for n in names_in(tree_of(path).body) if (b := module_behind(n)) != name
                    and b is not None} for name, path in MODULES.items()}
    assert circles(edges) == []
    rooms = {}
    for path in MODULES.values():
        rooms.setdefault(room(path), set()).update(
            room(MODULES[b]) for n in names_in(ast.walk(tree_of(path))) if (b := module_behind(n)))
    rooms.pop("__init__")
    assert circles({r: others - {r, "__init__"} for r, others in rooms.items()}) == []


@pytest.mark.parametrize("module", ["lulc_lib.accuracy", "lulc_lib.accuracy.lesson",
                                    "lulc_lib.figures.lesson"])
def test_what_a_lesson_imports_is_light(module):
    heavy = ["torch", "xarray", "rasterio", "geopandas", "sklearn", "scipy", "ee"]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_no_file_name_twice_in_one_package():
    for package in ("lulc_lib", "ee_local"):
        places = {}
        for name in MODULES:
            parts = name.split(".")
            named_after_room = len(parts) == 3 and parts[1] in ROOM_NAMES and parts[2] in ALLOWED
            if parts[0] == package and len(parts) > 1 and not named_after_room:
                places.setdefault(parts[-1], []).append(name)
        twice = {stem: names for stem, names in places.items() if len(names) > 1}
        assert set(twice) <= TWICE, twice


@pytest.mark.parametrize("path", FILES, ids=short)
def test_functions_are_small(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            lines = node.end_lineno - (first.end_lineno if doc else node.lineno)
            assert lines <= MOST_LINES_IN_FUNCTION, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", FILES, ids=short)
def test_public_things_are_documented_and_typed(path):
    tree = tree_of(path)
    assert path.name == "__main__.py" or ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            assert all(a.annotation for a in arguments), f"{node.name}: untyped argument"
            assert node.returns is not None, f"{node.name}: untyped result"


def sections(docstring: str) -> dict[str, list[tuple[str, bool]]]:
    """Numpydoc section to its unindented lines, each with whether an indented one follows.

    >>> sections("Do it.\\n\\nParameters\\n----------\\nx : int\\n    A number.\\ny : int\\n")
    {'Parameters': [('x : int', True), ('y : int', False)]}
    """
    lines, found, current = docstring.splitlines(), {}, None
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if below and set(below) == {"-"}:
            current = found.setdefault(line, [])
        elif line.startswith((">>>", "Source:")):
            current = None  # an example or a source ends the last section
        elif current is not None and line and not line.startswith((" ", "-")):
            current.append((line, below.startswith("    ")))
    return found


def parameters_of(node) -> set[str]:
    """Names of the arguments of a function, or of a class's ``__init__`` and fields."""
    if isinstance(node, ast.ClassDef):
        own = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        fields = {n.target.id for n in node.body if isinstance(n, ast.AnnAssign)}
        return fields.union(*(parameters_of(n) for n in own))
    a = node.args
    return {x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg) if x}


def faults_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[str]:
    """What is wrong with the Parameters, Attributes and Returns of one docstring."""
    found, faults = sections(ast.get_docstring(node) or ""), []
    for section in ("Parameters", "Attributes", "Returns", "Yields"):
        for line, described in found.get(section, []):
            names, colon, kind = line.partition(" : ")
            result = section in ("Returns", "Yields")
            kind = kind if colon else names if result else ""
            unknown = {n.strip(" *") for n in names.split(",")} - parameters_of(node)
            if not colon and described and section == "Parameters" and not unknown:
                continue  # several that are described elsewhere
            if not kind or PROSE.search(kind) or len(kind.split()) > 14:
                faults.append(f"no type: {line}")
            elif not described and not result:
                faults.append(f"no sentence: {line}")
            elif section == "Parameters":
                faults += [f"no such parameter: {n}" for n in sorted(unknown)]
    return [f"{getattr(node, 'name', '')}: {f}" for f in faults]


@pytest.mark.parametrize("path", FILES, ids=short)
def test_parameters_have_a_type_and_a_sentence(path):
    """``name : type, shape, unit``, then the sentence on the next line (numpydoc)."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = [n for n in ast.walk(tree_of(path)) if isinstance(n, kinds)]
    assert [fault for node in nodes for fault in faults_of(node)] == []


def test_linting_covers_all_code():
    run = subprocess.run([sys.executable, "-m", "ruff", "check", ".", "--show-files"], cwd=ROOT,
                         capture_output=True, text=True, check=True)
    linted = {Path(line) for line in run.stdout.splitlines()}
    notebooks = (ROOT / "notebooks").glob("*.ipynb")
    others = {p for p in ROOT.glob("[bst]*/**/*.py") if not p.is_relative_to(ROOT / "build")}
    assert {*FILES, *notebooks, *others} - linted == set()
