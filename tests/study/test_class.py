"""The class: students' and teacher's notebooks from one source, with solutions and without."""

import ast
import importlib.util
import re

import matplotlib.pyplot as plt
import nbformat
import pytest

from lulc_lib.errors import InputError
from lulc_lib.figures import style
from tests.conftest import ROOT

spec = importlib.util.spec_from_file_location("build_class", ROOT / "scripts" / "build_class.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)
LESSONS = pytest.mark.parametrize("path", build.LESSONS, ids=lambda p: p.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def tagged(notebook, tag):
    return [c for c in notebook.cells if c.cell_type == "code" and tag in build.tags(c)]


@LESSONS
def test_the_students_version_shows_no_answer(path):
    lesson, given = read(path), build.student(read(path))
    assert not any(c.get("outputs") for c in given.cells)
    text = "\n".join(c.source for c in given.cells)
    assert "<summary>Solution</summary>" not in text
    assert "For the teacher" not in text
    for cell in tagged(lesson, "solution"):
        assert cell.source not in text
    for cell in given.cells:  # what explains a figure is folded away
        assert not cell.source.startswith(("**Why.**", "**Right.**"))
    assert len(tagged(given, "check")) == len(tagged(lesson, "check")) >= 8


@LESSONS
def test_the_teachers_version_has_all_of_it(path):
    lesson, given = read(path), build.teacher(read(path))
    assert sorted(c.id for c in given.cells) == sorted(c.id for c in lesson.cells)
    assert "For the teacher" in given.cells[2].source
    assert "<details>" not in "".join(c.source for c in given.cells)
    assert [c.outputs for c in given.cells if c.cell_type == "code"] == [
        c.outputs for c in lesson.cells if c.cell_type == "code"]


@LESSONS
def test_a_student_who_solves_the_exercises_gets_to_the_end(path, monkeypatch):
    """Cell by cell; before each solution is pasted in, the check after it must fail."""
    monkeypatch.setenv("LULC_OUTPUT", "no sliders")
    monkeypatch.setattr(style, "write_figure", lambda fig, target: plt.close(fig))
    solutions = iter([c.source for c in tagged(read(path), "solution")])
    names = {"get_ipython": lambda: type("Shell", (), {"set_custom_exc": lambda *a: None})()}
    given, solution, failed = build.student(read(path)), "", 0
    for cell in given.cells:
        if cell.cell_type != "code":
            continue
        if "raises-exception" in build.tags(cell):
            with pytest.raises(InputError):
                exec(cell.source, names)
        elif "solution" in build.tags(cell):
            solution = next(solutions)
            exec(cell.source, names)
        elif "check" in build.tags(cell):
            with pytest.raises((AssertionError, TypeError)):
                exec(cell.source, dict(names))
            failed += 1
            exec(solution, names)
            exec(cell.source, names)
        else:
            exec(cell.source, names)
    assert next(solutions, None) is None
    assert failed == len(tagged(given, "check"))


@LESSONS
def test_what_the_site_needs_comes_first(path):
    code = [c for c in build.for_site(build.student(read(path))).cells if c.cell_type == "code"]
    assert code[0].source == build.SETUP
    compile(code[0].source, "site", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_exercises_begin_with_what_is_asked():
    for path in build.LESSONS:
        for cell in tagged(build.student(read(path)), "solution"):
            assert re.search(r"^\w+ = \.\.\.$", cell.source, re.MULTILINE), cell.source
