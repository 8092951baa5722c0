"""The class: students' and teacher's notebooks from one source, with solutions and without."""

import ast
import importlib.util
import json
import re
import sys
import tomllib

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from lulc_lib.accuracy import lesson
from lulc_lib.errors import InputError
from lulc_lib.figures import style
from tests.conftest import ROOT


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build, pages = script("build_class"), script("build_html")
LESSONS = pytest.mark.parametrize("path", build.LESSONS, ids=lambda p: p.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def tagged(notebook, tag):
    return [c for c in notebook.cells if c.cell_type == "code" and tag in build.tags(c)]


@LESSONS
def test_the_students_version_shows_no_answer(path):
    taught, given = read(path), build.student(read(path))
    assert not any(c.get("outputs") for c in given.cells)
    text = "\n".join(c.source for c in given.cells)
    assert "<summary>Solution</summary>" not in text
    assert "For the teacher" not in text
    for cell in tagged(taught, "solution"):
        assert cell.source not in text
    for cell in given.cells:  # what explains a figure is folded away
        assert not cell.source.startswith(("**Why.**", "**Right.**"))
    assert len(tagged(given, "check")) == len(tagged(taught, "check")) >= 8


@LESSONS
def test_the_teachers_version_has_all_of_it(path):
    taught, given = read(path), build.teacher(read(path))
    assert sorted(c.id for c in given.cells) == sorted(c.id for c in taught.cells)
    assert "For the teacher" in given.cells[2].source
    assert "<details>" not in "".join(c.source for c in given.cells)
    assert [c.outputs for c in given.cells if c.cell_type == "code"] == [
        c.outputs for c in taught.cells if c.cell_type == "code"]


class ThirtyTwoBits:
    """numpy where an index has 32 bits, as in a browser: some functions refuse counts of 64."""

    intp = np.int32

    def __getattr__(self, name):
        function = getattr(np, name)
        if name not in ("repeat", "bincount"):
            return function

        def refusing(values, *rest, **named):
            counts = np.asarray(values if name == "bincount" else rest[0])
            assert np.can_cast(counts.dtype, np.int32), f"np.{name} wants counts of type np.intp"
            return function(values, *rest, **named)

        return refusing


@LESSONS
def test_a_student_gets_to_the_end_and_every_check_fails_until_its_solution_is_there(
        path, monkeypatch):
    """Cell by cell; the exercises are solved aside, so nothing else may need their solutions."""
    monkeypatch.setenv("LULC_OUTPUT", "no sliders")
    monkeypatch.setattr(style, "write_figure", lambda fig, target: plt.close(fig))
    for name in [m for m in sys.modules if m.startswith(("lulc_lib.accuracy", "lulc_lib.figures"))]:
        if hasattr(sys.modules[name], "np"):
            monkeypatch.setattr(sys.modules[name], "np", ThirtyTwoBits())
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
            with pytest.raises(lesson.NotSolved, match="is not there yet"):
                exec(cell.source, names)
            failed += 1
            solved = dict(names)
            exec(solution, solved)
            exec(cell.source, solved)
        else:
            exec(cell.source, names)
        names["np"] = ThirtyTwoBits()
    assert next(solutions, None) is None
    assert failed == len(tagged(given, "check"))


@LESSONS
def test_what_the_site_needs_comes_first(path):
    given = build.with_setup(build.student(read(path)), build.SETUP)
    code = [c for c in given.cells if c.cell_type == "code"]
    assert code[0].source == build.SETUP
    compile(code[0].source, "site", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_where_the_lessons_run_elsewhere_they_take_the_pinned_packages():
    """Binder and Codespaces install the extra ``lesson``, held to requirements.txt."""
    binder = (ROOT / ".binder" / "requirements.txt").read_text().split()
    assert binder == ["--constraint", "../requirements.txt", ".[lesson]"]
    config = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert "--constraint requirements.txt --editable '.[lesson]'" in config["postCreateCommand"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = extras["requires-python"].removeprefix(">=")
    assert (ROOT / ".binder" / "runtime.txt").read_text() == f"python-{oldest}\n"
    assert config["image"].endswith(f":{oldest}")
    heavy = ("torch", "rasterio", "earthengine", "geopandas", "scipy")
    light = [*extras["dependencies"], *extras["optional-dependencies"]["lesson"],
             *extras["optional-dependencies"]["figures"]]
    assert not [d for d in light if d.startswith(heavy)]


def test_colab_gets_our_wheel_and_nothing_heavy(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "WHEELS", tmp_path)
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "lulc_lib-1-py3-none-any.whl").touch()
    build.write_colab("https://example.org/class/")
    for path in build.LESSONS:
        first = next(c for c in read(tmp_path / "notebooks" / "colab" / path.name).cells
                     if c.cell_type == "code")
        assert first.source == ("%pip install -q --no-deps filelock "
                                "https://example.org/class/pypi/lulc_lib-1-py3-none-any.whl")


def test_every_notebook_has_exercises_and_a_take_away():
    for path in sorted((ROOT / "notebooks").glob("0[123457]*.ipynb")):
        cells = read(path).cells
        exercises = [c.source for c in cells if "exercise" in build.tags(c)]
        assert len(exercises) >= 2, path.name
        for text in exercises if not path.name.startswith("05") else ():
            assert "<details><summary>Solution</summary>" in text
            code, = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
            compile(code, path.name, "exec")
        assert any(c.source.startswith("## What to take away") for c in cells), path.name


def test_the_pages_have_no_broken_link_or_missing_picture(tmp_path, monkeypatch):
    """Sphinx warns of both, and warnings are errors; what is left is seen in the pages."""
    monkeypatch.setattr(pages, "PAGES", tmp_path / "pages")
    monkeypatch.setattr(pages, "HTML", tmp_path / "html")
    assert pages.main() == 0
    names = {p.name for p in (tmp_path / "html").glob("*.html")}
    assert {f"{p.stem}.html" for p in (ROOT / "notebooks").glob("[0-9]*.ipynb")} < names
    for page in (tmp_path / "html").glob("*.html"):
        text = page.read_text()
        for target in re.findall(r'(?:href|src)="([^"#?:]+)["#?]', text):
            assert (page.parent / target).exists(), (page.name, target)
        assert not re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="https?:', text), page.name


def test_exercises_begin_with_what_is_asked_and_nothing_else():
    for path in build.LESSONS:
        asked = ""
        for cell in build.student(read(path)).cells:
            if "exercise" in build.tags(cell):
                asked = cell.source
            elif "solution" in build.tags(cell):
                names = re.findall(r"^(\w+) = \.\.\.$", cell.source, re.MULTILINE)
                assert names and all(f"`{n}" in asked for n in names), (asked, names)
