"""A probability sample: published examples, and simulation on a landscape whose truth is known."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from lulc_lib import legend
from lulc_lib.accuracy.area import area_adjusted
from lulc_lib.accuracy.sampling import (
    ALLOCATIONS,
    FEW,
    _shared_out,
    count_labelled,
    design_sample,
    draw_ranks,
    expected_se,
    sample_size,
)
from lulc_lib.errors import InputError
from lulc_lib.landscape import STRZEGOM, class_map, make_layout, stream
from lulc_lib.landscape.labels import published_map

PIXELS = pd.Series([200_000, 150_000, 3_200_000, 6_450_000], [1, 2, 3, 4])
ANTICIPATED = pd.Series([0.7, 0.6, 0.9, 0.95], [1, 2, 3, 4])
TABLE_8 = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
NAMES = {1: "deforestation", 2: "forest gain", 3: "forest", 4: "other", -1: "cannot tell"}


def table_8():
    """Points of Olofsson et al. 2014, Table 8, and their strata."""
    rows, columns = np.meshgrid([1, 2, 3, 4], [1, 2, 3, 4], indexing="ij")
    counts = np.ravel(TABLE_8)
    points = pd.DataFrame({"map_class": np.repeat(rows.ravel(), counts),
                           "label": np.repeat(columns.ravel(), counts).astype(float)})
    return points, pd.DataFrame({"pixels": PIXELS, "points": np.sum(TABLE_8, axis=1)})


def test_size_and_allocation_of_olofsson_2014():
    assert sample_size(PIXELS, ANTICIPATED, 0.01) == 641
    shared = {rule: design_sample(PIXELS, ANTICIPATED, None, 0.01, rule=rule, minimum=75)
              for rule in ALLOCATIONS}
    assert {k: v.points.sum() for k, v in shared.items()} == dict.fromkeys(ALLOCATIONS, 641)
    assert shared["proportional"].points.tolist() == [13, 10, 205, 413]
    assert shared["equal"].points.max() - shared["equal"].points.min() == 1
    assert shared["compromise"].points.tolist()[:2] == [75, 75]
    np.testing.assert_allclose(shared["compromise"].points, np.sum(TABLE_8, axis=1), atol=3)
    assert expected_se(shared["optimal"]) == min(map(expected_se, shared.values()))
    assert expected_se(shared["optimal"]) == pytest.approx(0.01, abs=1e-5)


def test_optimal_is_in_proportion_to_area_times_deviation():
    points = design_sample(PIXELS, ANTICIPATED, 10_000, rule="optimal").points
    weight = PIXELS * np.sqrt(ANTICIPATED * (1 - ANTICIPATED))
    np.testing.assert_allclose(points, 10_000 * weight / weight.sum(), atol=1)


def test_a_class_gets_the_points_that_its_own_target_needs():
    design = design_sample(PIXELS, ANTICIPATED, class_se={2: 0.04})
    assert design.points[2] == 150  # 0.6 × 0.4 / 0.04²
    assert design.users_accuracy_se[2] == pytest.approx(0.04)


def test_no_class_gets_more_points_than_pixels():
    few = pd.Series([1, 30, 5000], [1, 2, 3])
    design = design_sample(few, ANTICIPATED[:3], 400)
    assert design.points.tolist() == [1, 30, 369]
    ranks = draw_ranks(design, 3)
    assert [len(set(r)) for r in ranks.values()] == [1, 30, 369]
    assert max(ranks[3]) < 5000
    whole = design_sample(few, ANTICIPATED[:3], 1000, class_se={2: 0.04})  # would need 150
    assert whole.points.tolist() == [1, 30, 969]


def test_a_draw_depends_on_the_seed_and_its_own_class_alone():
    design = pd.DataFrame({"pixels": [90, 40], "points": [5, 40]}, index=[2, 7])
    drawn, again, alone = (draw_ranks(d, 3) for d in (design, design, design.loc[[7]]))
    assert list(drawn) == [2, 7]
    assert drawn[2].tolist() == again[2].tolist() == sorted(set(drawn[2].tolist()))
    assert drawn[7].tolist() == alone[7].tolist() == list(range(40))
    assert drawn[2].tolist() != draw_ranks(design, 4)[2].tolist()
    expected = np.random.default_rng([3, 2]).choice(90, 5, replace=False)
    assert drawn[2].tolist() == sorted(expected)


def test_points_are_shared_out_by_hand():
    """In proportion within the bounds; what rounding leaves goes to the largest fractions."""
    pixels, half = pd.Series([600, 300, 100], [1, 2, 3]), pd.Series([0.5] * 3, [1, 2, 3])

    def points(n, **options):
        return design_sample(pixels, half, n, **options).points.tolist()

    assert points(100, rule="proportional") == [60, 30, 10]
    assert points(105, rule="proportional") == [63, 32, 10]  # of 63, 31.5 and 10.5
    assert points(100, rule="equal") == [34, 33, 33]
    assert points(1000, rule="equal") == [600, 300, 100]
    assert points(500, rule="equal") == [200, 200, 100]
    assert points(20, rule="proportional", class_se={3: 0.25}) == [11, 5, 4]  # 10.67, 5.33, 4
    assert points(200, minimum=40) == [107, 53, 40] and points(300) == [167, 83, 50]
    assert points(None, target_se=0.05)[2] == 50 and sum(points(None, target_se=0.05)) == 150
    assert design_sample(pixels, half, 100, rule="optimal").pixels.tolist() == [600, 300, 100]
    with pytest.raises(InputError, match=r"need at least 150 points \(rule compromise\), and"):
        points(149)


def test_the_limits_of_a_design_are_allowed():
    few, half = pd.Series([10, 20], [1, 2]), pd.Series([0.5, 0.5], [1, 2])
    assert design_sample(few, half, 30, minimum=1).points.tolist() == [10, 20]
    least = design_sample(few, half, 4, minimum=1, class_se={1: 0.5})
    assert least.points.tolist() == [2, 2]
    np.testing.assert_allclose(least.users_accuracy_se, np.sqrt(0.125))


@pytest.mark.parametrize(("change", "message"), [
    ({"rule": "best"}, "allocation is 'best'; it must be one of compromise"),
    ({"n": 100}, "size is 100; 4 classes need at least 200 points"),
    ({"n": 11_000_000}, "the map has 10000000 pixels"),
    ({"target_se": 0}, "the target standard error is 0; it must lie between 0 and 0.5"),
    ({"class_se": {7: 0.05}}, "class 7; it must be above 0, and at most 0.5, for one of 1, 2, 3"),
    ({"anticipated": ANTICIPATED + 0.1}, "each must lie between 0 and 1"),
    ({"anticipated": ANTICIPATED + 0.05}, "each must lie between 0 and 1"),
    ({"anticipated": ANTICIPATED - 0.6}, "each must lie between 0 and 1"),
    ({"n": 7, "rule": "equal"}, r"need at least 8 points \(rule equal\)"),
])
def test_designs_that_cannot_be(change, message):
    with pytest.raises(InputError, match=message):
        design_sample(**{"pixels": PIXELS, "anticipated": ANTICIPATED, **change})


def test_a_labelled_sample_gives_table_8():
    points, strata = table_8()
    matrix, complete, notes = count_labelled(points.sample(frac=1, random_state=1), strata, NAMES)
    assert matrix.to_numpy().tolist() == TABLE_8
    assert complete == []
    assert "turned out to be deforestation, forest gain: what the map misses" in notes[1]
    found = area_adjusted(matrix, PIXELS.rename(str), "stratified_by_map")
    assert found.overall_accuracy == pytest.approx(0.94651, abs=5e-6)
    assert 0.09 * found.per_class.area["1"] == pytest.approx(21158, abs=0.5)
    assert 0.09 * 1.96 * found.per_class.area_se["1"] == pytest.approx(6158, abs=0.5)


def test_non_response_is_counted_and_left_out():
    points, strata = table_8()
    points.loc[0, "label"], points.loc[1:3, "label"] = -1, np.nan
    points = points.drop(index=639)  # a point that somebody deleted
    matrix, _, notes = count_labelled(points, strata, NAMES)
    assert matrix.to_numpy().sum() == 635
    assert ("5 of 640 points have no label (1 cannot be told, 4 not labelled; deforestation 4 of "
            "75, other 1 of 325)") in notes[0]


OF_POINTS = ("OA, PA, F1 and kappa of the counts describe the points, whose classes have other "
             "shares than the map's; the area-adjusted estimates describe the map.")


def test_what_a_sample_says_of_itself():
    """Two of three classes are labelled in part; the third is right, or wrong, in every point."""
    strata = pd.DataFrame({"pixels": [50, 4, 900], "points": [4, 4, 40]}, [1, 2, 3])
    points = pd.DataFrame({"map_class": [1] * 4 + [2] * 4 + [3] * 40,
                           "label": [1, 2, -1, None] + [2] * 4 + [3] * 40})
    matrix, complete, notes = count_labelled(points, strata, NAMES)
    assert matrix.to_numpy().tolist() == [[1, 1, 0], [0, 4, 0], [0, 0, 40]]
    assert list(matrix.index) == ["1", "2", "3"] and complete == ["2"]
    few = (f"Fewer than {FEW} points of other map classes turned out to be deforestation, forest "
           "gain, forest: what the map misses of them is hardly seen, so that the standard errors "
           "of their area and producer's accuracy are too small.")
    assert notes == [
        "Non-response: 2 of 48 points have no label (1 cannot be told, 1 not labelled; "
        "deforestation 2 of 4). They are left out, as if they were like the others of their class.",
        OF_POINTS, "forest: 40 of 40 points are right; that its user's accuracy has a standard "
        "error of 0 is a limit of the formula (Wilson's 95 % interval 0.912 to 1.000).", few]
    points["label"] = points.label.where(points.map_class < 3, 1)
    matrix, complete, notes = count_labelled(points, strata, NAMES)
    assert matrix["1"].tolist() == [1, 0, 40]
    assert notes[2].startswith("forest: 0 of 40 points are right; ")
    assert notes[3].startswith(f"Fewer than {FEW} points of other map classes turned out to be "
                               "forest gain: ")
    points["label"] = [4] * 4 + [2] * 4 + [3] * 40
    matrix, _, notes = count_labelled(points, strata, NAMES)
    assert list(matrix.index) == ["1", "2", "3", "4"]
    assert notes[0] == OF_POINTS and notes[1].startswith("deforestation: 0 of 4 points are right")


def test_text_labels_count_as_their_numbers():
    points, strata = table_8()
    points["label"] = points.label.astype(int).astype(str).where(points.index > 0, " ")
    assert count_labelled(points, strata, NAMES)[0].to_numpy().sum() == 639


@pytest.mark.parametrize(("label", "message"), [
    (9, "the label 9.0 is not allowed; labels are 1 \\(deforestation\\), 2"),
    (1.5, "the label 1.5 is not allowed"),
])
def test_labels_that_are_not_allowed(label, message):
    points, strata = table_8()
    points.loc[3, "label"] = label
    with pytest.raises(InputError, match=message):
        count_labelled(points, strata, NAMES)


def test_points_added_by_hand_and_classes_without_labels_are_refused():
    points, strata = table_8()
    with pytest.raises(InputError, match="some that were not drawn"):
        count_labelled(pd.concat([points, points[:1]]), strata, NAMES)
    points.loc[points.map_class == 2, "label"] = np.nan
    with pytest.raises(InputError, match="no point of map class 2 has a label yet"):
        count_labelled(points, strata, NAMES)


def test_a_class_labelled_whole_adds_no_error_and_certainty_is_qualified():
    strata = pd.DataFrame({"pixels": [1, 5000], "points": [1, 60]}, [1, 2])
    points = pd.DataFrame({"map_class": [1] + [2] * 60, "label": [1] + [2] * 60})
    matrix, complete, notes = count_labelled(points, strata, NAMES)
    assert complete == ["1"]
    found = area_adjusted(matrix, {"1": 1, "2": 5000}, "stratified_by_map", complete)
    assert found.overall_accuracy_se == 0 and found.per_class.users_accuracy_se["1"] == 0
    assert any("forest gain: 60 of 60 points are right" in n and "0.940 to 1.000" in n
               for n in notes)


@pytest.fixture(scope="module")
def landscape():
    """Map and truth of the synthetic Strzegom, flat, sorted by map class: (pixel,) each."""
    truth = class_map(make_layout(0, STRZEGOM), date(2023, 7, 9))
    mapped = published_map(stream(0, "sample"), "strzegom", truth)
    order = np.argsort(mapped, axis=None, kind="stable")
    return mapped.ravel()[order], truth.ravel()[order]


def estimates(landscape, draws):
    """Over many draws: values and standard errors of OA and of each class's area, and points that
    the class lost to others; and the truth.
    """
    mapped, truth = landscape
    pixels = pd.Series(mapped).value_counts().sort_index()
    first = np.searchsorted(mapped, pixels.index)
    design = design_sample(pixels, pd.Series(0.85, pixels.index), 700)
    found = []
    for seed in range(draws):
        chosen = np.concatenate([ranks + start for ranks, start in zip(
            draw_ranks(design, seed).values(), first, strict=True)])
        points = pd.DataFrame({"map_class": mapped[chosen], "label": truth[chosen]})
        matrix, complete, notes = count_labelled(points, design, legend.NAMES)
        area = area_adjusted(matrix, pixels.rename(str), "stratified_by_map", complete)
        lost = matrix.sum() - np.diag(matrix)
        assert (lost < FEW).any() == any("hardly seen" in note for note in notes)
        found.append([[area.overall_accuracy, *area.per_class.area],
                      [area.overall_accuracy_se, *area.per_class.area_se], [np.nan, *lost]])
    true = [(mapped == truth).mean(), *(np.sum(truth == c) for c in pixels.index)]
    return *np.moveaxis(found, 1, 0), np.array(true)


def test_estimates_are_unbiased_and_intervals_cover(landscape):
    draws = 400
    value, se, lost, true = estimates(landscape, draws)
    error = value.std(axis=0, ddof=1) / np.sqrt(draws)
    np.testing.assert_array_less(abs(value.mean(axis=0) - true), 3.5 * error)
    np.testing.assert_allclose(np.sqrt((se**2).mean(axis=0)), value.std(axis=0), rtol=0.15)
    inside = abs(value - true) <= 1.96 * se
    assert 0.925 <= inside[:, 0].mean() <= 0.975
    assert 0.94 <= inside[lost >= FEW].mean() <= 0.97
    assert inside[lost == 0].mean() < 0.5  # the warned-of case: too narrow


def test_counting_mapped_pixels_is_biased_where_the_sample_is_not(landscape):
    mapped, truth = landscape
    road = legend.code("road")
    assert np.sum(mapped == road) < 0.75 * np.sum(truth == road)


def test_a_size_is_rounded_to_the_millionth_and_then_up():
    """100.0000003 points are 100 but for an error of rounding; 100.000003 are 101."""
    pixels, right = pd.Series([10**6]), pd.Series([0.5])
    for wanted, size in ((100, 100), (100 + 3e-7, 100), (100 + 3e-6, 101)):
        assert sample_size(pixels, right, (0.25 / wanted - 0.25 / 10**6) ** 0.5) == size


def test_small_weights_take_all_there_is():
    shared = _shared_out(100, np.array([0.01, 0.01]), np.array([1, 1]), np.array([50, 50]))
    assert shared.tolist() == [50, 50]
