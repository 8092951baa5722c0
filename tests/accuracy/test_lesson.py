"""The lesson (notebook 05): every pitfall whole, its solutions run, its counts from the data."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
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

NOTEBOOK = ROOT / "notebooks" / "05_accuracy_pitfalls.ipynb"
SOLUTION = re.compile(r"<summary>Solution</summary>.*?```python\n(.*?)```\n\n</details>", re.DOTALL)
IN_ORDER = ("**Guess before you run.**", "**Why.**", "**Right.**", "**A second route.**",
            "**Exercise.**")


def cells():
    return nbformat.read(NOTEBOOK, as_version=4).cells


def pitfalls():
    """Title to the cells of each numbered section."""
    sections, current = {}, None
    for cell in cells():
        heading = re.search(r"^## (.*)$", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown" and heading:
            numbered = re.match(r"\d+\. ", heading[1])
            current = sections.setdefault(heading[1], []) if numbered else None
        if current is not None:
            current.append(cell)
    return sections


PITFALLS = pitfalls()


def tagged(section, tag, kind="code"):
    return [c for c in section if c.cell_type == kind and tag in c.metadata.get("tags", [])]


def test_at_least_ten_pitfalls_each_a_question_in_order():
    assert len(PITFALLS) >= 10
    assert [int(t.split(".")[0]) for t in PITFALLS] == list(range(1, len(PITFALLS) + 1))
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
    assert "assert" in SOLUTION.search(text)[1] or "print(" in SOLUTION.search(text)[1]
    kinds = [next(iter(set(c.metadata.get("tags", [])) & {"guess", "wrong", "right", "assert",
             "exercise"}), "") for c in section]
    order = [kinds.index(k) for k in ("guess", "wrong", "right", "assert", "exercise")]
    assert order == sorted(order)


def test_the_timing_table_sums_to_ninety_minutes_and_agrees_with_the_sections():
    table = next(c.source for c in cells() if "| Part | Pitfalls | Minutes |" in c.source)
    rows = re.findall(r"^\|[^|]*\| ([^|]+?) \| (\d+) \|$", table, re.MULTILINE)
    assert sum(int(minutes) for _, minutes in rows) == 90
    planned = {m[1]: int(minutes) for name, minutes in rows if (m := re.match(r"(\d+) ", name))}
    for title, section in PITFALLS.items():
        stated = re.search(r"\*(\d+) minutes\.\*", section[0].source)
        assert int(stated[1]) == planned[title.split(".")[0]]


def test_opening_and_teachers_part():
    text = [c.source for c in cells()]
    assert any("You will be able to" in t and "You should know" in t for t in text[:3])
    assert text[-1].startswith("<details><summary><b>For the teacher</b></summary>")
    assert text[-1].endswith("</details>")


def test_refusals_are_shown_and_leave_no_path():
    refused = [c for c in cells() if "raises-exception" in c.metadata.get("tags", [])]
    assert len(refused) == 2
    for cell in refused:
        assert cell.outputs[0].text.startswith("InputError: ")
        assert len(cell.outputs) == 1


def test_solutions_run_where_they_stand(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LULC_OUTPUT", str(tmp_path))
    names = {"get_ipython": lambda: type("Shell", (), {"set_custom_exc": lambda *a: None})()}
    solved = 0
    for cell in cells():
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
            lines = [line for line in cell.source.splitlines() if not line.startswith("%")]
            exec("\n".join(lines), names)
            plt.close("all")
        for solution in SOLUTION.findall(cell.source):
            capsys.readouterr()
            exec(solution, dict(names))
            assert capsys.readouterr().out.strip()
            solved += 1
    assert solved == len(PITFALLS)
    assert len(list((tmp_path / "figures" / "published").glob("nb05_*.png"))) >= len(PITFALLS)


def test_no_widget_is_stored_and_one_is_shown_to_a_person():
    assert "widget-view" not in NOTEBOOK.read_text()
    assert '"widgets"' not in NOTEBOOK.read_text()
    code = ("from lulc_lib.figures import lesson as m\n"
            "m.play(m.play_mean_acc, overall_accuracy=(0.0, 1.0, 0.1), classes=(2, 30))")
    shown = outputs_of(code, a_person=True)
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert "image/png" in shown
    assert "Run this cell in JupyterLab" in outputs_of(code, a_person=False)


def outputs_of(code, a_person):
    """All messages that a kernel publishes for the code, as one text."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(ROOT))
    try:
        seen = []
        client.execute_interactive(code, allow_stdin=a_person, timeout=120, stdin_hook=print,
                                   output_hook=lambda m: seen.append(str(m["content"])))
        return "\n".join(seen)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


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


def test_embedded_counts_are_those_of_the_released_rasters(published, tmp_path):
    lesson_numbers.main(published, tmp_path)
    for name in lesson_numbers.TABLES:
        made = pd.read_csv(tmp_path / f"{name}.csv")
        kept = pd.read_csv(lesson_numbers.FOLDER / f"{name}.csv")
        if name == "matrices":  # the forest may differ by a few pixels between machines
            forest = kept.name.str.startswith("forest")
            assert abs(made.pixels.sum() - kept.pixels.sum()) == 0
            made, kept = made[~made.name.str.startswith("forest")], kept[~forest]
        pd.testing.assert_frame_equal(made.reset_index(drop=True), kept.reset_index(drop=True))
