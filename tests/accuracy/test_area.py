"""Area-adjusted estimates: published examples, one estimator against the other, and simulation."""

import numpy as np
import pandas as pd
import pytest

from lulc_lib.accuracy.area import area_adjusted, area_adjusted_strata
from lulc_lib.accuracy.confusion import as_confusion, confusion_from_labels
from lulc_lib.accuracy.metrics import overall_accuracy, per_class
from lulc_lib.errors import InputError

OLOFSSON = as_confusion(
    [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]], [1, 2, 3, 4])
HECTARES = pd.Series([200_000, 150_000, 3_200_000, 6_450_000], index=[1, 2, 3, 4]) * 0.09
STEHMAN = [  # stratum, map class, reference class, points
    ("A", "A", "A", 5), ("A", "A", "B", 1), ("A", "A", "C", 1), ("A", "B", "A", 1),
    ("A", "B", "B", 1), ("A", "B", "C", 1), ("B", "A", "A", 1), ("B", "B", "A", 2),
    ("B", "B", "B", 7), ("C", "B", "A", 1), ("C", "B", "B", 1), ("C", "B", "C", 2),
    ("C", "C", "B", 1), ("C", "C", "C", 3), ("C", "C", "D", 2), ("D", "D", "B", 1),
    ("D", "D", "C", 2), ("D", "D", "D", 7)]
STRATA = {"A": 40_000, "B": 30_000, "C": 20_000, "D": 10_000}


def points(matrix):
    """Map and reference label of each counted point."""
    rows, columns = np.meshgrid(matrix.index, matrix.columns, indexing="ij")
    counts = matrix.to_numpy().ravel()
    return np.repeat(rows.ravel(), counts), np.repeat(columns.ravel(), counts)


def test_olofsson_table_8():
    found = area_adjusted(OLOFSSON, HECTARES, "stratified_by_map")
    assert found.overall_accuracy == pytest.approx(0.94651, abs=5e-6)
    assert 1.96 * found.overall_accuracy_se == pytest.approx(0.01848, abs=5e-6)
    table = found.per_class
    for column, expected, error in [
            ("users_accuracy", [.88, .73333, .92727, .96308], [.0740, .1008, .0397, .0205]),
            ("producers_accuracy", [.74866, .84716, .93451, .96161],
             [.2133, .2544, .0343, .0184])]:
        np.testing.assert_allclose(table[column], expected, atol=5e-6)
        np.testing.assert_allclose(1.96 * table[f"{column}_se"], error, atol=6e-5)
    np.testing.assert_allclose(table.area, [21158, 11686, 285770, 581386], atol=0.5)
    np.testing.assert_allclose(1.96 * table.area_se, [6158, 3756, 15510, 16282], atol=0.5)
    assert table.area.sum() == pytest.approx(HECTARES.sum())
    assert found.proportions.to_numpy().sum() == pytest.approx(1)
    assert (found.n, found.design) == (640, "stratified_by_map")
    assert found.proportions.axes[0].name == "map_class" and table.index.name == "class"
    assert found.proportions.columns.name == "reference_class"


def test_the_unit_of_the_areas_changes_the_areas_only():
    hectares = area_adjusted(OLOFSSON, HECTARES, "stratified_by_map")
    metres = area_adjusted(OLOFSSON, HECTARES * 1e4, "stratified_by_map")
    accuracies = [c for c in hectares.per_class if not c.startswith("area")]
    pd.testing.assert_frame_equal(metres.per_class[accuracies], hectares.per_class[accuracies])
    np.testing.assert_allclose(metres.per_class.area_se, hectares.per_class.area_se * 1e4)


def test_stehman_2014_example():
    """Strata that are not the map's classes; the numbers printed on pages 4932–4936."""
    columns = zip(*[row[:3] for row in STEHMAN for _ in range(row[3])], strict=True)
    stratum, mapped, truth = (np.array(c) for c in columns)
    found = area_adjusted_strata(mapped, truth, stratum, STRATA)
    assert found.overall_accuracy == pytest.approx(0.63)
    assert found.overall_accuracy_se == pytest.approx(0.085, abs=5e-4)
    table = found.per_class
    assert table.area["A"] == pytest.approx(35_000)
    assert table.area_se["A"] == pytest.approx(8200, abs=50)
    assert table.area["C"] == pytest.approx(20_000)
    assert table.area_se["C"] == pytest.approx(6400, abs=50)
    assert table.users_accuracy["B"] == pytest.approx(0.574, abs=5e-4)
    assert table.users_accuracy_se["B"] == pytest.approx(0.125, abs=5e-4)
    assert table.producers_accuracy["B"] == pytest.approx(0.794, abs=5e-4)
    assert found.proportions.loc["B", "C"] == pytest.approx(0.08)
    assert (found.n, found.design) == (40, "stratified")


@pytest.mark.parametrize("seed", range(5))
def test_strata_that_are_the_map_give_the_same(seed):
    rng = np.random.default_rng(seed)
    matrix = as_confusion(rng.integers(0, 20, (4, 4)) + 20 * np.eye(4, dtype=int), list("abcd"))
    areas = dict(zip("abcd", rng.uniform(1, 100, 4), strict=True))
    one = area_adjusted(matrix, areas, "stratified_by_map")
    mapped, truth = points(matrix)
    other = area_adjusted_strata(mapped, truth, mapped, areas)
    pd.testing.assert_frame_equal(one.per_class, other.per_class)
    pd.testing.assert_frame_equal(one.proportions, other.proportions)
    np.testing.assert_allclose(one[:2], other[:2])


def test_areas_in_proportion_to_the_points_change_no_accuracy():
    found = area_adjusted(OLOFSSON, dict(OLOFSSON.sum(axis=1)), "stratified_by_map")
    assert found.overall_accuracy == pytest.approx(overall_accuracy(OLOFSSON))
    names = ["producers_accuracy", "users_accuracy"]
    pd.testing.assert_frame_equal(found.per_class[names], per_class(OLOFSSON)[names])


def simulate(strata_of, sizes, estimate, replicates=1500):
    """Draw many stratified samples from one known landscape; estimates and their standard errors.

    sizes: points drawn in each stratum; strata_of: stratum of each (map class, reference class)
    pair with its number of pixels: (map, reference, stratum, pixels).
    """
    rng = np.random.default_rng(7)
    pairs = np.array([row[:3] for row in strata_of])
    pixels = np.array([row[3] for row in strata_of])
    drawn = []
    for _ in range(replicates):
        counts = np.zeros(len(pairs), int)
        for stratum, size in sizes.items():
            here = pairs[:, 2] == stratum
            counts[here] = rng.multinomial(size, pixels[here] / pixels[here].sum())
        found = estimate(*np.repeat(pairs, counts, axis=0).T)
        drawn.append(np.concatenate([[found.overall_accuracy, found.overall_accuracy_se],
                                     found.per_class.to_numpy().ravel()]))
    return np.array(drawn)


def check_against_truth(drawn, landscape):
    """Estimates are centred on the truth, and their spread is the mean standard error."""
    mapped, truth, _, pixels = (np.array(c) for c in zip(*landscape, strict=True))
    matrix = pd.crosstab(mapped, truth, pixels, aggfunc="sum").fillna(0).to_numpy()
    expected = np.concatenate([[np.trace(matrix) / matrix.sum()], np.column_stack([
        np.diag(matrix) / matrix.sum(axis=0), np.diag(matrix) / matrix.sum(axis=1),
        matrix.sum(axis=0)]).ravel()])
    estimates, errors = drawn[:, 0::2], drawn[:, 1::2]
    spread = estimates.std(axis=0)
    np.testing.assert_array_less(np.abs(estimates.mean(axis=0) - expected), 0.15 * spread)
    np.testing.assert_allclose(np.sqrt((errors**2).mean(axis=0)), spread, rtol=0.1)


def test_standard_errors_by_simulation_when_strata_are_the_map():
    landscape = [(1, 1, 1, 600), (1, 2, 1, 100), (1, 3, 1, 50), (2, 1, 2, 300), (2, 2, 2, 3000),
                 (2, 3, 2, 200), (3, 1, 3, 200), (3, 2, 3, 600), (3, 3, 3, 5000)]
    areas = {1: 750, 2: 3500, 3: 5800}
    drawn = simulate(landscape, {1: 80, 2: 120, 3: 200}, lambda m, r, s: area_adjusted(
        confusion_from_labels(m, r, [1, 2, 3]), areas, "stratified_by_map"))
    check_against_truth(drawn, landscape)


def test_standard_errors_by_simulation_when_strata_are_not_the_map():
    landscape = [(1, 1, 1, 500), (1, 2, 1, 200), (2, 1, 1, 100), (2, 2, 1, 200),
                 (1, 1, 2, 200), (1, 2, 2, 300), (2, 1, 2, 800), (2, 2, 2, 5000)]
    drawn = simulate(landscape, {1: 150, 2: 250}, lambda m, r, s: area_adjusted_strata(
        m, r, s, {1: 1000, 2: 6300}, [1, 2]), replicates=600)
    check_against_truth(drawn, landscape)


def test_undefined_is_nan():
    matrix = as_confusion([[8, 2, 0], [0, 0, 0], [1, 0, 0]], ["a", "b", "c"])
    found = area_adjusted(matrix, {"a": 90, "c": 10}, "stratified_by_map").per_class
    assert found.producers_accuracy["b"] == 0  # never mapped, but there
    assert np.isnan(found.users_accuracy["b"])
    assert np.isnan(found.producers_accuracy["c"])  # the reference has none
    assert found.users_accuracy["c"] == 0
    assert np.isnan(found.users_accuracy_se["c"])  # one point has no spread
    assert np.isnan(found.area_se["a"])
    mapped, truth = points(matrix)
    other = area_adjusted_strata(mapped, truth, mapped, {"a": 90, "c": 10}, ["a", "b", "c"])
    pd.testing.assert_frame_equal(other.per_class[["area", "producers_accuracy"]],
                                  found[["area", "producers_accuracy"]])


@pytest.mark.parametrize(("design", "message"), [
    ("hand_picked_polygons", "is not a probability sample: nobody knows"),
    ("polygons", "state how the points were drawn"), ("", "state how"), (None, "state how"),
    ("stratified", "use area_adjusted_strata")])
def test_what_is_no_probability_sample_is_refused(design, message):
    with pytest.raises(InputError, match=message):
        area_adjusted(OLOFSSON, HECTARES, design)


def test_the_design_has_no_default():
    with pytest.raises(TypeError, match="design"):
        area_adjusted(OLOFSSON, HECTARES)


@pytest.mark.parametrize(("areas", "message"), [
    ({1: 1, 2: 1, 3: 1}, "no area is given for class 4"),
    ({1: 1, 2: 1, 3: 1, 4: -1}, "0 or more"),
    ({1: 1, 2: 1, 3: 1, 4: float("nan")}, "0 or more"),
    ({1: 1, 2: 1, 3: 1, 4: 1, 5: 3}, "class 5 covers area 3 and has no point"),
    ({1: 0, 2: 0, 3: 0, 4: 0}, "add up to 0")])
def test_bad_areas(areas, message):
    with pytest.raises(InputError, match=message):
        area_adjusted(OLOFSSON, areas, "stratified_by_map")


def test_bad_strata():
    with pytest.raises(InputError, match="2 strata for 1 points"):
        area_adjusted_strata(["a"], ["a"], ["s", "s"], {"s": 1})
    with pytest.raises(InputError, match="stratum 't' covers area 5 and has no point"):
        area_adjusted_strata(["a"], ["a"], ["s"], {"s": 1, "t": 5})
    with pytest.raises(InputError, match="no area is given for stratum 's'"):
        area_adjusted_strata(["a"], ["a"], ["s"], {"t": 0})
    with pytest.raises(InputError, match="have no stratum"):
        area_adjusted_strata(["a"], ["a"], [None], {"s": 1})
