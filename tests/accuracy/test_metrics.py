"""Metrics and means: equal to scikit-learn, to their own formulas, and to published examples."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as peer

from lulc_lib.accuracy import metrics
from lulc_lib.accuracy.confusion import (
    as_confusion,
    confusion_from_labels,
    from_reference_rows,
)
from lulc_lib.errors import InputError

quick = settings(max_examples=80, deadline=None, derandomize=True, database=None)
THREE = from_reference_rows([[30, 5, 5], [2, 28, 10], [3, 5, 22]], ["A", "B", "C"])  # Table 9
TRAP = confusion_from_labels([2, 1, 0, 1], [2, 1, 0, 0], range(8))


@st.composite
def matrices(draw):
    """Confusion matrices of 2–6 classes, many cells and some whole classes empty."""
    size = draw(st.integers(2, 6))
    cells = draw(arrays(np.int64, (size, size), elements=st.sampled_from([0, 0, 1, 2, 7, 40])))
    gone = draw(st.lists(st.integers(0, size - 1), max_size=2))
    cells[gone, :] = 0
    cells[:, gone[:1]] = 0
    cells[0, 0] += 1
    return as_confusion(cells, list(range(1, size + 1)))


def pixels(matrix):
    """Map and reference labels, one of each per counted pixel."""
    rows, columns = np.meshgrid(matrix.index, matrix.columns, indexing="ij")
    counts = matrix.to_numpy().ravel()
    return np.repeat(rows.ravel(), counts), np.repeat(columns.ravel(), counts)


@quick
@given(matrices())
def test_equal_to_sklearn(matrix):
    """Where scikit-learn divides 0 by 0 it is told to say NaN; elsewhere the numbers agree."""
    mapped, truth = pixels(matrix)
    labels = list(matrix.index)
    table = metrics.per_class(matrix)
    with np.errstate(invalid="ignore"):
        ua, pa, f1, support = peer.precision_recall_fscore_support(
            truth, mapped, labels=labels, zero_division=np.nan)
        iou = peer.jaccard_score(truth, mapped, labels=labels, average=None, zero_division=0)
    np.testing.assert_allclose(table.users_accuracy, ua)
    np.testing.assert_allclose(table.producers_accuracy, pa)
    np.testing.assert_allclose(table.f1, f1)
    np.testing.assert_allclose(table.iou.fillna(0), iou)
    np.testing.assert_array_equal(table.support, support)
    np.testing.assert_array_equal(metrics.binary_parts(matrix)[["tn", "fp", "fn", "tp"]],
                                  peer.multilabel_confusion_matrix(
                                      truth, mapped, labels=labels).reshape(-1, 4))
    for label in labels:
        if np.isfinite(table.mcc[label]):
            mcc = peer.matthews_corrcoef(truth == label, mapped == label)
            assert table.mcc[label] == pytest.approx(mcc, abs=1e-12)
    assert metrics.overall_accuracy(matrix) == pytest.approx(peer.accuracy_score(truth, mapped))
    if len(set(mapped) | set(truth)) > 1:
        kappa = peer.cohen_kappa_score(truth, mapped)
        assert metrics.kappa(matrix) == pytest.approx(kappa, abs=1e-12)


@quick
@given(matrices())
def test_identities(matrix):
    oa, table = metrics.overall_accuracy(matrix), metrics.per_class(matrix)
    quantity, allocation = metrics.disagreement(matrix)
    assert quantity + allocation == pytest.approx(1 - oa)
    assert min(quantity, allocation) >= 0
    assert table.acc.mean() == pytest.approx(1 - 2 * (1 - oa) / len(matrix))
    means = metrics.averages(matrix, ["producers_accuracy", "users_accuracy", "f1"])
    np.testing.assert_allclose(means.micro, oa)
    assert means.weighted["producers_accuracy"] == pytest.approx(oa)
    assert means.macro["f1"] == pytest.approx(metrics.macro_f1(matrix))
    for one, other in [("omission_error", "producers_accuracy"), ("fnr", "producers_accuracy"),
                       ("commission_error", "users_accuracy"), ("fdr", "users_accuracy"),
                       ("fpr", "specificity"), ("for", "npv")]:
        np.testing.assert_allclose(table[one], 1 - table[other])
    ways = metrics.macro_f1_two_ways(matrix)
    assert not ways.f1_of_means < ways.mean_of_f1 - 1e-12


@quick
@given(matrices())
def test_the_formulas_as_written_give_the_numbers(matrix):
    table = metrics.per_class(matrix)
    for label, parts in metrics.binary_parts(matrix).astype(float).iterrows():
        names = {k.upper(): np.float64(v) for k, v in parts.items()}
        for metric in metrics.PER_CLASS:
            with np.errstate(all="ignore"):
                written = eval(metrics.METRICS[metric].formula,
                               {"__builtins__": {}, "sqrt": np.sqrt, **names})
            assert table.loc[label, metric] == pytest.approx(written, nan_ok=True, abs=1e-12)


def test_every_metric_is_documented():
    named = {"omission_error", "commission_error", "acc", "specificity", "npv", "fnr", "fpr", "fdr",
             "for", "iou", "mcc", "balanced_accuracy", "fowlkes_mallows", "informedness",
             "markedness", "prevalence_threshold", "producers_accuracy", "users_accuracy", "f1"}
    assert set(metrics.PER_CLASS) == named
    for name, metric in metrics.METRICS.items():
        assert all([metric.name, metric.formula, metric.range, metric.synonyms, metric.source])
        if name in named:
            assert metrics.describe(name) in inspect.getdoc(metrics.per_class)
    assert list(metrics.per_class(THREE).columns[:5]) == [
        "support", "mapped", "producers_accuracy", "users_accuracy", "f1"]


def test_binary_example_of_the_paper():
    table = metrics.per_class(from_reference_rows([[40, 10], [5, 45]], ["yes", "no"]))
    found = table.loc["yes", ["acc", "specificity", "producers_accuracy", "users_accuracy", "f1"]]
    np.testing.assert_allclose(found, [0.85, 0.90, 0.80, 0.89, 0.84], atol=0.005)


def test_three_class_example_of_the_paper():
    parts = metrics.binary_parts(THREE)  # Table 10
    assert parts.to_numpy().tolist() == [[30, 5, 10, 65], [28, 10, 12, 60], [22, 15, 8, 65]]
    columns = ["acc", "specificity", "producers_accuracy", "users_accuracy", "f1"]
    np.testing.assert_allclose(  # Table 11, whose F1 is computed from rounded PA and UA
        metrics.per_class(THREE)[columns],
        [[.864, .929, .750, .857, .799], [.800, .857, .700, .737, .718],
         [.791, .813, .733, .595, .655]], atol=0.002)
    means = metrics.averages(THREE, columns)
    np.testing.assert_allclose(means.macro, [.818, .866, .728, .730, .724], atol=0.001)  # Table 12
    assert metrics.overall_accuracy(THREE) == 80 / 110  # the text's .724 is Table 12's macro F1
    assert metrics.macro_f1(THREE) == means.macro["f1"]


def test_the_macro_average_trap():
    row = metrics.averages(TRAP, ["f1"]).loc["f1"]
    assert row.macro == pytest.approx(0.7778, abs=5e-5)
    assert (row.averaged, row.n_averaged, row.absent) == ((0, 1, 2), 3, (3, 4, 5, 6, 7))
    for number, wrong in {4: .5833, 5: .4667, 6: .3889, 7: .3333, 8: .2917}.items():
        naive = metrics.averages(TRAP, ["f1"], classes=range(number), undefined_as=0)
        assert naive.macro["f1"] == pytest.approx(wrong, abs=5e-5)
        honest = metrics.averages(TRAP, ["f1"], classes=range(number)).loc["f1"]
        assert honest.macro == row.macro
        assert honest.left_out == tuple(range(3, number))


def test_an_empty_class_counted_in_the_means_of_acc_and_recall():
    """The recipe behind the published macro means: PA = UA = F1 = 0, ACC = TNR = 1."""
    with_empty = as_confusion(np.pad(THREE.to_numpy(), (0, 1)), ["A", "B", "C", "empty"])
    names = ["acc", "specificity", "producers_accuracy"]
    right = metrics.averages(with_empty, names).macro
    wrong = metrics.averages(with_empty, names, list(with_empty.index), undefined_as=0).macro
    np.testing.assert_allclose(wrong, (3 * right + [1, 1, 0]) / 4)


def test_a_class_that_is_never_mapped_is_named():
    row = metrics.averages(as_confusion([[3, 2], [0, 0]], ["a", "b"]),
                            ["users_accuracy"]).loc["users_accuracy"]
    assert (row.macro, row.averaged, row.left_out) == (0.6, ("a",), ("b",))


def test_the_micro_mean_says_what_it_pools():
    matrix = confusion_from_labels(["a", "x", "b"], ["a", "a", "b"])
    whole = metrics.averages(matrix, ["users_accuracy"]).loc["users_accuracy"]
    assert (whole.micro, whole.pooled, whole.averaged) == (2 / 3, ("a", "b", "x"), ("a", "b"))
    some = metrics.averages(matrix, ["users_accuracy"], ["a", "b"]).loc["users_accuracy"]
    assert (some.micro, some.pooled) == (1, ("a", "b"))


def test_macro_f1_two_ways_differ():
    """Precision and recall that are opposite in two classes (Opitz & Burst 2019)."""
    ways = metrics.macro_f1_two_ways(as_confusion([[1, 0], [99, 1]], ["a", "b"]))
    assert ways.mean_of_f1 == pytest.approx(2 / 101)
    assert ways.f1_of_means == pytest.approx(101 / 200)
    assert ways.averaged == ("a", "b")


def test_kappa_does_not_separate_quantity_from_allocation():
    quantity = as_confusion([[40, 20], [0, 40]], ["a", "b"])
    allocation = as_confusion([[40, 10], [10, 40]], ["a", "b"])
    assert metrics.disagreement(quantity) == pytest.approx((0.2, 0.0))
    assert metrics.disagreement(allocation) == pytest.approx((0.0, 0.2))
    assert metrics.kappa(quantity) > metrics.kappa(allocation)
    assert np.isnan(metrics.kappa(as_confusion([[5, 0], [0, 0]], ["a", "b"])))


def test_counts_alone_are_enough():
    pd.testing.assert_frame_equal(metrics.binary_metrics(metrics.binary_parts(THREE)),
                                  metrics.per_class(THREE))
    pd.testing.assert_frame_equal(metrics.averages_of_parts(metrics.binary_parts(THREE)),
                                  metrics.averages(THREE))
    parts = metrics.binary_parts(THREE)
    for bad, message in [(parts.drop(columns="tn"), "'tn'"), (-parts, "0 or more"),
                         (parts.assign(tp="x"), "must be numbers")]:
        with pytest.raises(InputError, match=message):
            metrics.binary_metrics(bad)


def test_unknown_names():
    with pytest.raises(InputError, match="'precison'"):
        metrics.averages(THREE, ["precison"])
    with pytest.raises(InputError, match="class is 'D'; the matrix has A, B, C"):
        metrics.averages(THREE, classes=["A", "D"])


def test_what_divides_by_nothing_says_nothing():
    with warnings.catch_warnings(action="error"):
        found = metrics.ratio(np.array([0.0, 1.0]), np.array([0.0, 4.0]))
    assert np.isnan(found[0]) and found[1] == 0.25


def test_a_metric_that_is_none_is_named():
    matrix = as_confusion([[1, 0], [0, 1]], "ab")
    with pytest.raises(InputError, match=r"^metric is 'recal'"):
        metrics.averages(matrix, ["recal"])
    with pytest.raises(InputError, match=r"^class is 'c'; the matrix has a, b$"):
        metrics.averages(matrix, classes=["c"])


def test_parts_of_several_matrices_at_once():
    """Each has its own n: 10 pixels in the first, 100 in the second."""
    parts = metrics.Parts.of(np.array([[[5, 1], [2, 2]], [[50, 10], [20, 20]]]))
    assert [p.tolist() for p in parts] == [
        [[5, 2], [50, 20]], [[1, 2], [10, 20]], [[2, 1], [20, 10]], [[2, 5], [20, 50]]]


def test_ratios_are_of_double_precision_whatever_is_given():
    found = metrics.ratio(np.array([1, 2, 1], np.float32), np.array([3, 3, 0], np.float32))
    assert found.dtype == np.float64 and found[:2].tolist() == [1 / 3, 2 / 3]
    assert np.isnan(found[2]) and metrics.ratio([1, 0], [4, 8]).tolist() == [0.25, 0]


def test_kappa_of_a_very_large_map():
    """Products of so many pixels are beyond whole numbers of 64 bits: OA 2/3, chance 1/2."""
    matrix = as_confusion([[2**41, 2**40], [2**40, 2**41]], [1, 2])
    assert metrics.kappa(matrix) == pytest.approx(1 / 3)
    assert metrics.averages(matrix).index.name == "metric"
