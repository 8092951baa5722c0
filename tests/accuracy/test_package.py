"""Confusion matrix, metrics and polygon bootstrap, against sklearn, hand counts and the paper."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as peer

from lulc_lib import legend
from lulc_lib.accuracy import confusion, metrics, uncertainty
from lulc_lib.accuracy.published import read_published_matrix
from lulc_lib.data import reference
from lulc_lib.errors import InputError


@pytest.fixture
def pair():
    """A map and a reference (60, 70) with classes 1, 2, 8, 9, 10 and unlabelled pixels."""
    rng = np.random.default_rng(3)
    truth = rng.choice([0, 1, 2, 8, 10], (60, 70), p=[0.3, 0.2, 0.2, 0.1, 0.2]).astype(np.uint8)
    wrong = rng.random(truth.shape) < 0.3
    mapped = np.where(wrong, rng.choice([1, 2, 8, 9, 10], truth.shape), truth).astype(np.uint8)
    mapped[truth == 0] = 9
    return mapped, truth


def test_matrix_is_sklearns_transposed(pair):
    mapped, truth = pair
    matrix = confusion.confusion_matrix(mapped, truth)
    assessed = truth != 0
    expected = peer.confusion_matrix(truth[assessed], mapped[assessed], labels=legend.CODES).T
    np.testing.assert_array_equal(matrix, expected)
    assert (matrix.index.name, matrix.columns.name) == ("map_class", "reference_class")
    assert matrix.loc[9].sum() > 0  # a class only the map has stays visible
    assert matrix[9].sum() == 0


def test_metrics_are_sklearns(pair):
    mapped, truth = pair
    assessed = truth != 0
    matrix = confusion.confusion_matrix(mapped, truth)
    table = metrics.per_class(matrix)
    present = [c for c in legend.CODES if (truth == c).any()]
    ua, pa, f1, n = peer.precision_recall_fscore_support(truth[assessed], mapped[assessed],
                                                         labels=present)
    np.testing.assert_allclose(table.loc[present, "users_accuracy"], ua)
    np.testing.assert_allclose(table.loc[present, "producers_accuracy"], pa)
    np.testing.assert_allclose(table.loc[present, "f1"], f1)
    np.testing.assert_array_equal(table.loc[present, "support"], n)
    right = peer.accuracy_score(truth[assessed], mapped[assessed])
    assert metrics.overall_accuracy(matrix) == right
    assert metrics.macro_f1(matrix) == pytest.approx(f1.mean())


def test_nothing_over_nothing_is_nan(pair):
    table = metrics.per_class(confusion.confusion_matrix(*pair))
    assert np.isnan(table.loc[9, "producers_accuracy"])
    assert table.loc[9, "users_accuracy"] == 0
    assert table.loc[3, ["producers_accuracy", "users_accuracy", "f1"]].isna().all()


def test_an_unclassified_pixel_is_an_error():
    matrix = confusion.confusion_matrix([1, 0, 1], [1, 1, 0])
    assert matrix.loc[legend.NO_DATA, 1] == 1
    assert metrics.overall_accuracy(matrix) == 0.5


@pytest.mark.parametrize(("mapped", "truth", "message"), [
    ([1, 2], [1], "one grid"), ([1], [0], "nothing to assess"), ([99], [1], "99")])
def test_bad_pairs(mapped, truth, message):
    with pytest.raises(InputError, match=message):
        confusion.confusion_matrix(mapped, truth)


def test_a_matrix_the_wrong_way_round_is_refused(pair):
    matrix = confusion.confusion_matrix(*pair)
    with pytest.raises(InputError, match="transpose"):
        metrics.overall_accuracy(matrix.T)
    with pytest.raises(InputError, match="axes are named"):
        metrics.per_class(pd.DataFrame([[1, 0], [0, 1]]))
    with pytest.raises(InputError, match="negative"):
        metrics.overall_accuracy(-matrix)


def test_groups_add_up_to_the_matrix(pair):
    groups = np.arange(60)[:, None] // 6 * np.ones((1, 70), int) + 1
    by_group, labels = confusion.confusion_by_group(*pair, groups)
    assert by_group.shape[0] == 10
    whole = confusion.confusion_matrix(*pair)
    np.testing.assert_array_equal(by_group.sum(axis=0)[1:, 1:], whole)
    assert labels == [0, *legend.CODES]


def test_bootstrap_against_a_plain_loop(pair):
    groups = np.arange(60)[:, None] // 6 * np.ones((1, 70), int) + 1
    by_group, _ = confusion.confusion_by_group(*pair, groups)
    found = uncertainty.cluster_bootstrap(by_group, replicates=4000, seed=1)
    rng = np.random.default_rng(5)
    oa, f1 = [], []
    for _ in range(4000):
        drawn = by_group[rng.integers(0, 10, 10)].sum(axis=0)
        oa.append(np.trace(drawn) / drawn.sum())
        f1.append(2 * drawn[2, 2] / (drawn[2].sum() + drawn[:, 2].sum()))
    np.testing.assert_allclose(found["overall_accuracy"][1:], np.quantile(oa, [0.025, 0.975]),
                               atol=0.004)
    np.testing.assert_allclose(found["f1"][2][1:], np.quantile(f1, [0.025, 0.975]), atol=0.006)
    assert np.isnan(found["f1"][9].estimate)  # no reference pixels


def test_bootstrap_needs_two_polygons():
    with pytest.raises(InputError, match="at least 2"):
        uncertainty.cluster_bootstrap(np.ones((1, 3, 3), int))


def test_released_matrix_file(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("\ufeffclass/ref,1,2\n1,5,1\n2,0,7\n", encoding="utf-8")
    matrix = read_published_matrix(path)
    assert matrix.loc[1, 2] == 1
    assert metrics.overall_accuracy(matrix) == 12 / 13
    path.write_text("pred,1,2\n1,5,1\n2,0,7\n")
    with pytest.raises(InputError, match="'pred'"):
        read_published_matrix(path)
    path.write_text("class/ref,1,2\n1,5,x\n2,0,7\n")
    with pytest.raises(InputError, match=r"m\.csv"):
        read_published_matrix(path)


def test_table_13_cell_for_cell(published):
    """The released rasters give the released matrix once the off-legend pixels are dropped."""
    folder = published / "accuracy_analysis"
    mapped = reference.read_codes(folder / "strzegom_20230709_33u_class.tif")
    polygons = reference.read_polygons(published / "test_mask/strzegom_ref.gpkg", "label")
    truth = reference.rasterise(polygons, mapped, "centre")
    matrix = confusion.confusion_matrix(mapped, truth)
    printed = read_published_matrix(folder / "Confusion_matrix_strzegom_20230709.csv")
    pd.testing.assert_frame_equal(matrix.loc[printed.index, printed.columns], printed,
                                  check_names=False)
    assert matrix.to_numpy().sum() == 38_588
    assert metrics.overall_accuracy(matrix) == pytest.approx(0.94594, abs=5e-6)
    assert metrics.overall_accuracy(printed) == pytest.approx(0.94636, abs=5e-6)
    ids = reference.rasterise_ids(polygons, mapped, "centre")
    low, high = uncertainty.cluster_bootstrap(
        confusion.confusion_by_group(mapped, truth, ids)[0])["overall_accuracy"][1:]
    assert 0.90 < low < 0.93
    assert 0.95 < high < 0.98
