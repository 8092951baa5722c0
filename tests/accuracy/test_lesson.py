"""The lessons (05a, 05b): every pitfall whole, their plans, their counts from the data."""

from __future__ import annotations

import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from jupyter_client.manager import start_new_kernel

from experiments import lesson_numbers
from lulc_lib import legend
from lulc_lib.accuracy import lesson, metrics
from lulc_lib.errors import InputError
from tests.conftest import ROOT

NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb"
             for name in ("05a_one_matrix", "05b_samples_and_leaks")]
IN_ORDER = ("**Guess before you run.**", "**Why.**", "**Right.**", "**A second route.**",
            "**Exercise.**", "<summary>Solution</summary>")
TAGS = ("guess", "wrong", "right", "assert", "exercise", "solution", "check")


def cells(notebook):
    return nbformat.read(notebook, as_version=4).cells


def pitfalls(notebook):
    """Title to the cells of each numbered section."""
    sections, current = {}, None
    for cell in cells(notebook):
        heading = re.search(r"^##? (.*)$", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown" and heading:
            numbered = re.match(r"\d+\. ", heading[1])
            current = sections.setdefault(heading[1], []) if numbered else None
        if current is not None:
            current.append(cell)
    return sections


PITFALLS = {title: section for n in NOTEBOOKS for title, section in pitfalls(n).items()}


def tagged(section, tag, kind="code"):
    return [c for c in section if c.cell_type == kind and tag in c.metadata.get("tags", [])]


def test_sixteen_pitfalls_each_a_question_in_order():
    assert [int(t.split(".")[0]) for t in PITFALLS] == list(range(1, 17))
    assert all(title.endswith("?") for title in PITFALLS)


@pytest.mark.parametrize("title", PITFALLS)
def test_every_pitfall_has_the_whole_pattern(title):
    section = PITFALLS[title]
    text = "\n".join(c.source for c in section if c.cell_type == "markdown")
    at = [text.index(part) for part in IN_ORDER]
    assert at == sorted(at)
    assert re.search(r'guess\["[^"]+"\] = nan  # your guess, ', tagged(section, "guess")[0].source)
    wrong, = tagged(section, "wrong")
    assert '"Wrong: ' in wrong.source
    assert "image/png" in wrong.outputs[-1].data
    assert tagged(section, "right")
    check, = tagged(section, "assert")
    assert check.source.count("assert ") >= 1
    solution, = tagged(section, "solution")
    assert solution.outputs[0].text.strip()
    assert all(line.endswith(": right.")
               for line in tagged(section, "check")[0].outputs[0].text.splitlines())
    kinds = [next(iter(set(c.metadata.get("tags", [])) & set(TAGS)), "") for c in section]
    order = [kinds.index(k) for k in TAGS]
    assert order == sorted(order)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_plan_sums_to_ninety_minutes_with_a_break_and_slack(notebook):
    text = [c.source for c in cells(notebook)]
    table = next(t for t in text if "| Plan | | Minutes |" in t)
    rows = re.findall(r"^\| *([^|]*?) *\| *([^|]*?) *\| (\d+) \|$", table, re.MULTILINE)
    assert sum(int(minutes) for *_, minutes in rows) == 90
    named = {part: int(minutes) for part, _, minutes in rows}
    assert named["Break"] >= 5
    assert named["Slack"] >= 10
    planned = {m[1]: int(minutes) for _, what, minutes in rows if (m := re.match(r"(\d+) ", what))}
    at_home = re.search(r"^At home: .*\((\d+) minutes each\)", table, re.MULTILINE)[0]
    for title, section in pitfalls(notebook).items():
        number = title.split(".")[0]
        stated = re.search(r"\*(\d+) minutes\.\*", section[0].source)
        assert int(stated[1]) == planned.get(number, 8)
        assert (number in planned) != bool(re.search(rf"\b{number} \w", at_home))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_goals_prerequisites_take_away_and_the_teachers_part(notebook):
    text = [c.source for c in cells(notebook)]
    assert any("You will be able to" in t and "You should know" in t for t in text[:3])
    assert "## What to take away" in text[-2]
    assert text[-1].startswith("<details><summary><b>For the teacher</b></summary>")
    assert "What students usually guess" in text[-1]
    assert text[-1].endswith("</details>")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_refusals_are_shown_and_leave_no_path(notebook):
    refused = [c for c in cells(notebook) if "raises-exception" in c.metadata.get("tags", [])]
    assert len(refused) == 1
    assert refused[0].outputs[0].text.startswith("InputError: ")
    assert len(refused[0].outputs) == 1


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_widget_is_stored_and_each_has_a_picture_of_its_states(notebook):
    assert "widget-view" not in notebook.read_text()
    assert '"widgets"' not in notebook.read_text()
    code = [c for c in cells(notebook) if c.cell_type == "code"]
    at = [k for k, c in enumerate(code) if c.source.startswith("draw.play(")]
    assert at
    for k in at:
        assert code[k - 1].source.startswith("fig = draw.states(")
        assert "image/png" in code[k - 1].outputs[0].data


def test_sliders_have_words_and_move_the_picture(monkeypatch):
    """In a kernel as it is started for a person, and as `make reproduce` runs it."""
    monkeypatch.delenv("LULC_OUTPUT", raising=False)
    code = (
            "from lulc_lib.figures import lesson as m\n"
            "m.play(m.play_mean_acc, overall_accuracy=(0.0, 1.0, 0.1), classes=(2, 30, 1))")
    shown = outputs_of(code)
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert "image/png" in shown
    monkeypatch.setenv("LULC_OUTPUT", "anywhere")
    assert "widget-view" not in outputs_of(code)


def outputs_of(code):
    """All messages that a kernel publishes for the code, as one text."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(ROOT))
    try:
        seen = []
        client.execute_interactive(code, allow_stdin=False, timeout=120,
                                   output_hook=lambda m: seen.append(str(m["content"])))
        return "\n".join(seen)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize(("given", "right", "fits"), [
    (0.5, 0.503, True), (0.5, 0.51, False), (..., 0.5, False), (3, 3, True), ({1}, {1}, True),
    ("first", "second", False), (None, 0.5, False), ([1, 1], {1}, True), ([1, 2], {1}, False),
    ([[1, 2]], lambda rows: len(rows) == 1, True), ([], bool, False)])
def test_an_exercise_is_checked(given, right, fits, capsys):
    if fits:
        lesson.check("share", given, right)
        assert capsys.readouterr().out == "share: right.\n"
    else:
        with pytest.raises(lesson.NotSolved, match="share is "):
            lesson.check("share", given, right)


def test_embedded_counts_agree_with_each_other():
    centre = lesson.matrix("centre")
    groups = lesson.by_polygon()
    assert (groups.sum(axis=0) == centre.to_numpy()).all()
    assert (lesson.matrix("inside") + lesson.matrix("rim") == centre).all(axis=None)
    seen = [lesson.matrix(f"seen_{k}") for k in ("never", "other_class", "same_class")]
    assert (sum(seen) == centre).all(axis=None)
    assert list(lesson.map_pixels().index) == list(legend.CODES)
    assert np.isclose(metrics.overall_accuracy(lesson.matrix("raster")), 0.9160, atol=5e-5)


def test_other_programs_count_the_same():
    """Peers' numbers against ours: all pixels, and only the classes that the reference has."""
    full = lesson.matrix("centre")
    inner = full.loc[full.any(), full.any()]
    for row in lesson.peers().itertuples():
        ours = full if row.n == full.to_numpy().sum() else inner
        assert row.n == ours.to_numpy().sum()
        assert round(metrics.overall_accuracy(ours), 6) == row.overall_accuracy
        assert np.isnan(row.kappa) or round(metrics.kappa(ours), 6) == row.kappa


def test_an_unknown_matrix_is_refused():
    with pytest.raises(InputError, match="matrix is 'center'; it must be one of"):
        lesson.matrix("center")


def test_embedded_counts_are_those_of_the_released_rasters(published, tmp_path, monkeypatch):
    monkeypatch.setattr(lesson_numbers, "TREES", 3)  # the forest's counts are not compared below
    lesson_numbers.main(published, tmp_path)
    for name in lesson_numbers.TABLES:
        made = pd.read_csv(tmp_path / f"{name}.csv")
        kept = pd.read_csv(lesson_numbers.FOLDER / f"{name}.csv")
        if name == "matrices":  # the forest may differ by a few pixels between machines
            forest = kept.name.str.startswith("forest")
            assert abs(made.pixels.sum() - kept.pixels.sum()) == 0
            made, kept = made[~made.name.str.startswith("forest")], kept[~forest]
        pd.testing.assert_frame_equal(made.reset_index(drop=True), kept.reset_index(drop=True))
