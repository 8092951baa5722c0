"""Wilson intervals, the design effect, and two maps compared on the same pixels."""

import time

import numpy as np
import pytest
from scipy import stats

from lulc_lib.accuracy import lesson, uncertainty
from lulc_lib.accuracy.confusion import confusion_by_group
from lulc_lib.errors import InputError


def polygons(seed, right, pixels=50, groups=120):
    """Counts of square polygons of one class each; each polygon is right as a whole or not."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.integers(1, 4, groups), pixels)
    wrong = np.repeat(rng.random(groups) > right, pixels)
    mapped = np.where(wrong, truth % 3 + 1, truth)
    return mapped, truth, np.repeat(np.arange(1, groups + 1), pixels)


@pytest.mark.parametrize(("successes", "n"), [(224, 280), (0, 5), (5, 5), (1, 10_000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson_is_scipys(successes, n, confidence):
    peer = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    np.testing.assert_allclose(uncertainty.wilson(successes, n, confidence),
                               (successes / n, peer.low, peer.high), atol=1e-14)


@pytest.mark.parametrize(("successes", "low", "high"), [
    (215, .7150, .8135), (224, .749, .843), (220, .734, .830)])
def test_wilson_of_the_earth_engine_results(successes, low, high):
    """OA of CART, RF and SVM in Table 17, on 280 points."""
    np.testing.assert_allclose(uncertainty.wilson(successes, 280)[1:], (low, high), atol=5e-4)


def test_wilson_refuses_and_is_nan_for_nothing():
    assert np.isnan(uncertainty.wilson(0, 0)).all()
    for bad in [(5, 4), (-1, 4), (float("nan"), 4)]:
        with pytest.raises(InputError, match="between 0 and n"):
            uncertainty.wilson(*bad)
    with pytest.raises(InputError, match="confidence is 95"):
        uncertainty.wilson(1, 2, confidence=95)


def test_polygons_that_are_right_as_a_whole_are_worth_one_point_each():
    by_group, _ = confusion_by_group(*polygons(0, 0.8))
    found = uncertainty.design_effect(by_group)
    assert found.n == 6000
    assert found.groups == 120
    assert found.design_effect == pytest.approx(50, rel=0.05)
    assert found.effective_n == pytest.approx(120, rel=0.05)
    assert found.se > 6 * found.binomial_se
    interval = uncertainty.cluster_bootstrap(by_group)["overall_accuracy"]
    np.testing.assert_allclose(interval[1:], uncertainty.wilson(
        found.overall_accuracy * 120, 120)[1:], atol=0.02)


def test_independent_pixels_have_no_design_effect():
    rng = np.random.default_rng(4)
    truth = rng.integers(1, 4, 20_000)
    mapped = np.where(rng.random(20_000) < 0.2, truth % 3 + 1, truth)
    by_group, _ = confusion_by_group(mapped, truth, rng.integers(1, 401, 20_000))
    assert uncertainty.design_effect(by_group).design_effect == pytest.approx(1, abs=0.2)


def test_design_effect_of_a_perfect_map_is_undefined():
    mapped, truth, groups = polygons(0, 1)
    found = uncertainty.design_effect(confusion_by_group(mapped, truth, groups)[0], replicates=50)
    assert np.isnan([found.design_effect, found.effective_n]).all()


def test_ten_thousand_replicates_in_about_a_second():
    by_group = np.random.default_rng(0).integers(0, 40, (200, 11, 11))
    start = time.perf_counter()
    found = uncertainty.cluster_bootstrap(by_group, replicates=10_000)
    assert time.perf_counter() - start < 2
    assert len(found["f1"]) == 11


def test_draws_do_not_depend_on_the_block_size(monkeypatch):
    by_group, _ = confusion_by_group(*polygons(3, 0.7))
    whole = uncertainty.cluster_bootstrap(by_group, replicates=500)
    monkeypatch.setattr(uncertainty, "WEIGHTS_AT_ONCE", 120 * 7)
    assert uncertainty.cluster_bootstrap(by_group, replicates=500)["macro_f1"] == pytest.approx(
        whole["macro_f1"], abs=1e-14)


def test_counts_of_one_polygon_or_no_polygons_are_refused():
    for call in (uncertainty.design_effect, uncertainty.cluster_bootstrap):
        with pytest.raises(InputError, match="at least 2"):
            call(np.ones((1, 3, 3), int))
        with pytest.raises(InputError, match="from confusion_by_group"):
            call(np.ones((3, 3), int))


def test_mcnemar_vectors():
    table = [[101, 121], [59, 33]]
    corrected, plain = uncertainty.mcnemar(table), uncertainty.mcnemar(table, correction=False)
    assert corrected[:2] == pytest.approx((20.67222, 5.450095e-06), rel=1e-6)
    assert plain[:2] == pytest.approx((21.35556, 3.815136e-06), rel=1e-6)
    few = uncertainty.mcnemar([[9959, 11], [1, 29]])
    assert few.p_value == pytest.approx(0.00634766, abs=5e-9)
    assert (few.only_a, few.only_b, few.method) == (11, 1, "exact binomial")
    assert uncertainty.mcnemar(table, exact=True).p_value == pytest.approx(
        stats.binomtest(59, 180).pvalue)
    assert uncertainty.mcnemar([[5, 0], [0, 2]]).p_value == 1
    assert uncertainty.mcnemar([[5, 30], [30, 2]]).statistic == 0
    with pytest.raises(InputError, match="2 × 2"):
        uncertainty.mcnemar([[1, 2, 3]])


def test_mcnemar_says_which_test_it_is():
    """25 pixels that differ are enough for χ²; with the correction the gap is one less, but no gap
    stays none."""
    table = [[9, 20], [5, 0]]
    assert uncertainty.mcnemar(table) == (
        14**2 / 25, stats.chi2.sf(14**2 / 25, 1), 20, 5, "χ² with continuity correction")
    assert uncertainty.mcnemar(table, correction=False) == (
        15**2 / 25, stats.chi2.sf(15**2 / 25, 1), 20, 5, "χ²")
    assert uncertainty.mcnemar([[9, 4], [20, 0]]) == (
        4.0, pytest.approx(stats.binomtest(4, 24).pvalue), 4, 20, "exact binomial")
    assert uncertainty.mcnemar(table, exact=True)[::2] == (5.0, 20, "exact binomial")
    assert uncertainty.mcnemar([[9, 4], [20, 0]], exact=False)[0] == 15**2 / 24
    assert uncertainty.mcnemar([[9, 0], [0, 1]], exact=False)[:2] == (0.0, 1.0)
    assert uncertainty.mcnemar([[1, 13], [13, 1]])[:2] == (0.0, 1.0)
    for bad in ([[1, -1], [2, 3]], [["a", "b"], ["c", "d"]], [1, 2, 3, 4]):
        with pytest.raises(InputError, match="2 × 2"):
            uncertainty.mcnemar(bad)


def test_what_is_not_stated_is_ten_thousand_draws_of_seed_0_and_95_percent():
    rng = np.random.default_rng(2)
    one, parts = rng.integers(0, 900, (40, 2, 2)), [[9, 3, 4], [5, 4, 3]]
    other = one[:, ::-1]
    mix = one.sum(axis=(0, 1))
    for function, given in ((uncertainty.cluster_bootstrap, (one,)),
                            (uncertainty.paired_cluster_bootstrap, (one, other)),
                            (uncertainty.reweighted_accuracy, (one, mix))):
        usual = function(*given)
        np.testing.assert_equal(usual, function(*given, 10_000, 0, 0.95))
        for changed in ((10_001, 0, 0.95), (10_000, 1, 0.95), (10_000, 0, 0.94)):
            assert str(function(*given, *changed)) != str(usual), (function, changed)
    assert uncertainty.design_effect(one) == uncertainty.design_effect(one, 10_000, 0)
    assert uncertainty.design_effect(one) != uncertainty.design_effect(one, 10_001, 0)
    assert uncertainty.design_effect(one) != uncertainty.design_effect(one, 10_000, 1)
    drawn = uncertainty.redrawn_macro_f1(parts)
    np.testing.assert_array_equal(drawn, uncertainty.redrawn_macro_f1(parts, 10_000, 0))
    assert not np.array_equal(drawn, uncertainty.redrawn_macro_f1(parts, 10_000, 1))
    assert uncertainty.wilson(3, 7) == uncertainty.wilson(3, 7, 0.95)


def test_the_intervals_of_two_polygons_by_hand():
    """Two polygons: each draw is the first twice, both, or the second twice (1, 2 and 1 of 4)."""
    by_group = np.array([[[8, 0, 0], [2, 0, 0], [0, 0, 0]], [[3, 1, 0], [0, 6, 0], [0, 0, 0]]])
    found = uncertainty.cluster_bootstrap(by_group, 4000)
    assert found["overall_accuracy"] == (17 / 20, 8 / 10, 9 / 10)
    assert found["producers_accuracy"][0] == (11 / 13, 8 / 10, 1)
    assert found["users_accuracy"][0] == (11 / 12, 3 / 4, 1)
    assert found["f1"][1] == (pytest.approx(12 / 15), 0, pytest.approx(12 / 13))
    assert found["macro_f1"].estimate == pytest.approx((22 / 25 + 12 / 15) / 2)
    for name in uncertainty.PER_CLASS:
        assert np.isnan(found[name][2]).all(), name
    effect = uncertainty.design_effect(by_group, 4000)
    assert (effect.n, effect.groups, effect.overall_accuracy) == (20, 2, 0.85)
    assert effect.binomial_se == pytest.approx((0.85 * 0.15 / 20) ** 0.5)
    assert effect.se == pytest.approx(0.05 * 0.5 ** 0.5, rel=0.03)
    assert effect.design_effect == pytest.approx((effect.se / effect.binomial_se) ** 2)
    assert effect.effective_n == pytest.approx(20 / effect.design_effect)


def test_where_two_maps_are_right():
    a, b, truth = [1, 2, 0, 2, 3], [1, 1, 1, 1, 3], [1, 2, 1, 3, 0]
    assert uncertainty.both_right(a, b, truth).tolist() == [[1, 1], [1, 1]]
    a, b, truth = [1] * 10, [1] * 5 + [2] * 5, [1] * 4 + [2] * 4 + [1] * 2
    assert uncertainty.both_right(a, b, truth).tolist() == [[4, 2], [3, 1]]
    with pytest.raises(InputError, match="one grid"):
        uncertainty.both_right([1], [1], [1, 2])
    with pytest.raises(InputError, match="nothing to assess"):
        uncertainty.both_right([1], [1], [0])
    for at, name in enumerate(("map a", "map b", "the reference")):
        with pytest.raises(InputError, match=f"^{name} holds 11"):
            uncertainty.both_right(*([11] if k == at else [1] for k in range(3)))


def test_a_pair_is_more_precise_than_two_intervals():
    """Two maps wrong at the same places: their difference is known much better than either."""
    mapped, truth, groups = polygons(1, 0.8)
    better = mapped.copy()
    better[:3000:3] = truth[:3000:3]
    a, b = (confusion_by_group(m, truth, groups)[0] for m in (better, mapped))
    pair = uncertainty.paired_cluster_bootstrap(a, b)
    low, high = pair["overall_accuracy"][1:]
    assert 0 < low < pair["overall_accuracy"].estimate < high
    alone = uncertainty.cluster_bootstrap(a)["overall_accuracy"]
    assert high - low < 0.5 * (alone.high - alone.low)
    assert pair["f1"][1].low > 0
    assert np.isnan(pair["f1"][10].estimate)


def test_paired_bootstrap_against_a_plain_loop():
    mapped, truth, groups = polygons(1, 0.8, groups=30)
    other = np.roll(mapped, 500)
    a, b = (confusion_by_group(m, truth, groups)[0] for m in (mapped, other))
    found = uncertainty.paired_cluster_bootstrap(a, b, replicates=4000)
    rng = np.random.default_rng(9)
    oa, f1 = [], []
    for _ in range(4000):
        draw = rng.integers(0, 30, 30)
        x, y = a[draw].sum(axis=0), b[draw].sum(axis=0)
        oa.append((np.trace(x) - np.trace(y)) / x.sum())
        f1.append(2 * x[2, 2] / (x[2].sum() + x[:, 2].sum())
                  - 2 * y[2, 2] / (y[2].sum() + y[:, 2].sum()))
    for interval, draws in [(found["overall_accuracy"], oa), (found["f1"][2], f1)]:
        np.testing.assert_allclose(interval[1:], np.quantile(draws, [0.025, 0.975]), atol=0.03)


def test_a_map_against_itself_differs_by_nothing():
    by_group, _ = confusion_by_group(*polygons(1, 0.8))
    same = uncertainty.paired_cluster_bootstrap(by_group, by_group, replicates=100)
    assert same["overall_accuracy"] == (0, 0, 0)


def test_maps_judged_on_different_pixels_are_not_compared():
    a, b = (confusion_by_group(*polygons(seed, 0.8))[0] for seed in (1, 2))
    with pytest.raises(InputError, match="different reference pixels"):
        uncertainty.paired_cluster_bootstrap(a, b)
    with pytest.raises(InputError, match="over the same polygons"):
        uncertainty.paired_cluster_bootstrap(a, a[:-1])
    with pytest.raises(InputError, match="at least 2"):
        uncertainty.paired_cluster_bootstrap(a[:1], a[:1])


def test_another_mix_of_classes_keeps_polygons_together():
    """On its own mix the reweighted accuracy is OA; ten copies of each pixel change nothing."""
    by_polygon = lesson.by_polygon()
    own = by_polygon.sum(axis=(0, 1))
    whole = uncertainty.cluster_bootstrap(by_polygon, 500)["overall_accuracy"]
    found = uncertainty.reweighted_accuracy(by_polygon, own, 500)
    assert found.estimate == pytest.approx(whole.estimate)
    assert found == pytest.approx(uncertainty.reweighted_accuracy(10 * by_polygon, own, 500))
    roads = np.eye(len(own))[6]
    only = uncertainty.reweighted_accuracy(by_polygon, roads, 500)
    assert only.estimate == pytest.approx(by_polygon[:, 6, 6].sum() / own[6])
    assert only.high - only.low > 5 * (found.high - found.low)


def test_redrawn_counts_are_around_the_macro_f1_they_come_from():
    parts = np.array([[90, 10, 10], [40, 20, 10], [60, 0, 10]])
    tp, fp, fn = parts.T
    own = (2 * tp / (2 * tp + fp + fn)).mean()
    drawn = uncertainty.redrawn_macro_f1(parts, 4000)
    assert drawn.mean() == pytest.approx(own, abs=0.005)
    few = uncertainty.redrawn_macro_f1(parts // 10, 4000)
    assert few.std() > 2.5 * drawn.std()
