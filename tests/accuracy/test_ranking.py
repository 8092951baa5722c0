"""Several classifiers compared: Holm, redrawn differences, ranks."""

import numpy as np
import pandas as pd
import pytest

from experiments import fair_ranking as ranking
from lulc_lib import legend
from lulc_lib.accuracy.uncertainty import cluster_bootstrap, paired_cluster_bootstrap
from lulc_lib.errors import InputError

N = len(legend.CODES)


def counts(seed, accuracy, clusters=30):
    """Counts of clusters of one class each, of which a share is mapped right."""
    rng, made = np.random.default_rng(seed), np.zeros((clusters, N, N), dtype=np.int64)
    for number in range(clusters):
        reference = number % 4
        right = rng.binomial(50, accuracy)
        made[number, reference, reference] = right
        made[number, (reference + 1) % 4, reference] = 50 - right
    return made


def test_holm_as_in_the_textbook():
    """Holm 1979's procedure on the four p values that textbooks show; worked by hand."""
    assert ranking.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert ranking.holm([0.9, 0.8]).tolist() == [1, 1]
    with pytest.raises(InputError, match="between 0 and 1"):
        ranking.holm([1.5])


def test_intervals_are_those_of_the_cluster_bootstrap():
    a, b = counts(0, 0.9), counts(1, 0.7)
    draws = ranking.score_draws(a, 500, seed=3)
    expected = cluster_bootstrap(a, 500, seed=3)
    assert ranking.interval(draws["macro_f1"]) == pytest.approx(list(expected["macro_f1"]))
    table = ranking.paired_differences({"p": {"a": a, "b": b}}, 500, seed=3)
    row = table[table.score == "overall_accuracy"].iloc[0]
    paired = paired_cluster_bootstrap(a, b, 500, seed=3)["overall_accuracy"]
    assert (row.difference, row.low, row.high) == pytest.approx(tuple(paired))
    assert row.p_holm < 0.05


def test_many_comparisons_of_equal_classifiers_find_nothing():
    models = {str(s): counts(s, 0.8) for s in range(6)}
    table = ranking.paired_differences({"p": models}, 400)
    assert len(table) == 15 * len(ranking.SCORES)
    assert not (table.dropna().p_holm < 0.05).any()
    assert (table.p_holm >= table.p).all()
    same = ranking.paired_differences({"p": {"a": models["0"], "b": models["0"]}}, 100)
    assert (same.p == 1).all()


def test_other_reference_pixels_are_refused():
    with pytest.raises(InputError, match=r"protocol june: .*same reference pixels"):
        ranking.paired_differences({"june": {"a": counts(0, 0.9), "b": counts(0, 0.9)[::-1]}})


def test_rows_and_merged_classes():
    made = counts(0, 0.8)
    at = np.argwhere(made)
    rows = [[*map(int, i), int(made[tuple(i)])] for i in at]
    assert (ranking.dense(rows, len(made)) == made).all()
    joined = ranking.merged(made, {1: 0})
    assert joined.sum() == made.sum()
    assert joined[:, 0, 0].sum() == made[:, :2, :2].sum()
    assert not joined[:, 1].any()
    assert not joined[:, :, 1].any()


def test_critical_difference_of_demsar():
    """Demšar 2006, section 3.2.2: four classifiers on 14 data sets differ by 1.25 ranks."""
    rng = np.random.default_rng(0)
    found = ranking.mean_ranks(pd.DataFrame(rng.random((14, 4)), columns=list("abcd")))
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.mean.sum() == pytest.approx(10)
    best = ranking.mean_ranks(pd.DataFrame({"a": [0.7, 0.8], "b": [0.9, 0.9], "c": [0.1, 0.2]}))
    assert best.mean.to_dict() == {"b": 1, "a": 2, "c": 3} and best.folds == 2
    with pytest.raises(InputError, match="without gaps"):
        ranking.mean_ranks(pd.DataFrame({"a": [1.0, np.nan], "b": [1, 2], "c": [2, 3]}))


def test_agreement_of_rankings():
    long = pd.Series({"a": 0.9, "b": 0.8, "c": 0.7})
    assert ranking.agreement(long, long)["kendall"] == 1
    assert not ranking.agreement(long, -long)["same_first"]
    short = pd.Series({"c": 2.0, "b": 1.0, "a": 3.0, "e": 9.0})
    found = ranking.agreement(pd.Series({"a": 3.0, "b": 2.0, "c": 1.0, "d": np.nan}), short)
    assert found == {"kendall": pytest.approx(1 / 3), "spearman": pytest.approx(0.5),
                     "same_first": True, "classifiers": 3}  # a, b and c are in both


def test_what_are_no_p_values():
    assert ranking.holm([0.02, 0.02, 1.0, 0.0]).tolist() == [0.06, 0.06, 1.0, 0.0]
    assert ranking.holm([]).tolist() == []
    for bad in ([-0.1], [np.nan], [[0.1, 0.2]], 0.5):
        with pytest.raises(InputError, match="between 0 and 1"):
            ranking.holm(bad)
