"""Clustered data have cluster intervals: a binomial one is for independent points alone."""

import ast
import json
import re

import nbformat
import pytest

from tests.conftest import ROOT

POINTS = "points of Earth Engine, one accuracy each"
ALLOWED = {
    "notebooks/03_earth_engine_classifiers.ipynb": {
        "accuracy.wilson(successes, n)": POINTS, "accuracy.wilson(*pair)": POINTS,
        "accuracy.wilson(int(table.tp.sum()), n)": POINTS,
        "accuracy.wilson(row.tp, row.support)": POINTS},
    "notebooks/04_accuracy_metrics.ipynb": {
        "accuracy.wilson(int(c.tp.sum()), points[n])": POINTS,
        "accuracy.wilson(int(r.tp), int(r.support))": POINTS},
    "notebooks/05b_samples_and_leaks.ipynb": {
        "accuracy.wilson(hits, n_full, confidence)": "pitfall 12: titled Wrong",
        "accuracy.wilson(int(parts['RF'].tp.sum()), audit.TEST_POINTS, confidence)": POINTS,
        "np.sqrt(oa_full * (1 - oa_full) / n_full)": "pitfall 12: the clusters' must be far wider",
        "accuracy.wilson(round(0.9 * points), points)": POINTS,
        "accuracy.wilson((oa_full + 0.02) * effect.effective_n, effect.effective_n)":
            "of the effective number of pixels",
        "np.sqrt(better * (1 - better) / effect.effective_n)": "of the effective number of pixels"},
    "lulc_lib/accuracy/uncertainty.py": {
        "np.sqrt(share * (1 - share) / n + z ** 2 / (4 * n ** 2))": "Wilson's formula itself",
        "stats.binomtest(less, differ, 0.5)": "McNemar's test, no interval"},
    "lulc_lib/accuracy/sampling.py": {
        "wilson(int(right), int(n))": "points drawn at random"},
    "lulc_lib/accuracy/audit/claims.py": {
        "wilson(correct, total)": POINTS, "wilson(right, points)": POINTS,
        "wilson(int(counts.tp), support)": POINTS,
        "wilson(int(counts.tp), int(counts.tp + miss))": POINTS,
        "wilson(int(c.tp.sum()), int(c.iloc[0].sum()))": POINTS},
    "lulc_lib/accuracy/assess/assessment.py": {
        "wilson(self.overall_accuracy * n, n)": "says that it presumes independent draws"},
    "lulc_lib/figures/lesson.py": {
        "np.sqrt(OA * (1 - OA) / PIXELS * (1 + (sizes - 1) * similarity))": "with design effect"},
    "experiments/site_rules.py": {
        "wilson(int(total[top]), int(total[below]))": "sites; the wider of it and the bootstrap"},
}
"""File, call, and why its data are independent."""
BINOMIAL = re.compile(
    r"(^|\.)(wilson|proportion_ci|proportion_confint|binomtest|binom_test)$")
FILES = [*sorted((ROOT / "notebooks").glob("*.ipynb")), *(
    path for folder in ("lulc_lib", "experiments", "scripts")
    for path in sorted((ROOT / folder).rglob("*.py")))]


def binomial_intervals(code: str) -> list[str]:
    """List calls that give a binomial interval, and roots of p (1 − p) ÷ n written out.

    >>> binomial_intervals("a = accuracy.wilson(hits, n)[1:]; se = sqrt(p * (1 - p) / n)")
    ['accuracy.wilson(hits, n)', 'sqrt(p * (1 - p) / n)']
    """
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    calls.sort(key=lambda node: (node.lineno, node.col_offset))
    return [text for node in calls if (text := ast.unparse(node)) and (
        BINOMIAL.search(ast.unparse(node.func))
        or (ast.unparse(node.func).endswith("sqrt") and re.search(r"(\w+) \* \(1 - \1\)", text)))]


def code_of(path):
    if path.suffix == ".py":
        return path.read_text()
    cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    return "\n".join(cells)


def short(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=short)
def test_binomial_intervals_are_of_independent_data(path):
    allowed = ALLOWED.get(short(path), {})
    unknown = [c for c in binomial_intervals(code_of(path)) if c not in allowed]
    assert not unknown, "clustered data need accuracy.cluster_bootstrap; else name it in ALLOWED"


def test_what_is_allowed_is_still_there():
    for path, calls in ALLOWED.items():
        found = binomial_intervals(code_of(ROOT / path))
        assert set(calls) <= set(found), path


def test_one_that_comes_back_is_found():
    """The two that were there: U-Nets in notebook 04, an accuracy on another mix in 05b."""
    for line in ("_, low, high = wilson(right, pixels)",
                 "expected = accuracy.wilson((pa * mix).sum(), audit.TEST_POINTS, confidence)",
                 "half = 1.96 * np.sqrt(oa * (1 - oa) / n)",
                 "ci = stats.binomtest(right, n).proportion_ci(method='wilson')"):
        assert binomial_intervals(line)
        assert binomial_intervals(line)[0] not in ALLOWED["notebooks/05b_samples_and_leaks.ipynb"]


def test_stored_intervals_of_unets_are_as_wide_as_polygons_make_them():
    """38,588 pixels as if independent would give ± 0.002."""
    values = json.loads((ROOT / "results" / "published" / "audit.json").read_text())["values"]
    nets = [row for row in values["corrected"] if row["classifier"] == "U-Net"]
    assert len(nets) == 2
    for row in nets:
        assert row["oa_high"] - row["oa_low"] > 0.03, row["site"]


def test_classes_of_few_polygons_are_known():
    """Bare soil has five: its interval carries a warning in the figure and in the README."""
    values = json.loads((ROOT / "results" / "published" / "accuracy.json").read_text())["values"]
    polygons = {code: row["polygons"] for code, row in values["support"].items()}
    assert polygons["5"] == 5
    assert min(polygons.values()) == 5
    assert sum(polygons.values()) == values["polygons"]
