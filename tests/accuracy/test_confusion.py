"""Counting pairs: types, chunks, labels, other tools' orientation; equal to scikit-learn."""

import time
import tracemalloc

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from lulc_lib import legend
from lulc_lib.accuracy import confusion
from lulc_lib.errors import InputError

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
RNG = np.random.default_rng(11)
MAP, TRUTH = (RNG.integers(0, 11, (300, 410), dtype=np.uint8) for _ in range(2))
EXPECTED = confusion.confusion_matrix(MAP, TRUTH)


@st.composite
def pairs(draw):
    """Map and reference codes of one length over few classes, so that some are absent."""
    codes = draw(st.lists(st.sampled_from(legend.CODES), min_size=1, max_size=10, unique=True))
    size = draw(st.integers(1, 60))
    column = st.lists(st.sampled_from(codes), min_size=size, max_size=size)
    return np.array(draw(column)), np.array(draw(column))


@quick
@given(pairs())
def test_equal_to_sklearn_with_absent_classes(pair):
    mapped, truth = pair
    expected = peer.confusion_matrix(truth, mapped, labels=legend.CODES)
    matrix = confusion.confusion_matrix(mapped, truth)
    np.testing.assert_array_equal(matrix, expected.T)
    pd.testing.assert_frame_equal(matrix, confusion.from_sklearn(expected, legend.CODES))
    named = [legend.NAMES[c] for c in legend.CODES]
    words = confusion.confusion_from_labels(
        [legend.NAMES[c] for c in mapped], [legend.NAMES[c] for c in truth], named)
    np.testing.assert_array_equal(words, matrix)


def test_counts_are_those_of_a_plain_loop():
    for row, column in [(1, 1), (3, 9), (0, 4), (10, 2)]:
        assert EXPECTED.loc[row, column] == sum(
            m == row and t == column for m, t in zip(MAP.flat, TRUTH.flat, strict=True))
    assert EXPECTED.to_numpy().sum() == (TRUTH != 0).sum()


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint16, np.float32, np.float64])
def test_any_number_type(kind):
    pd.testing.assert_frame_equal(
        confusion.confusion_matrix(MAP.astype(kind), TRUTH), EXPECTED)


def test_any_memory_layout(monkeypatch):
    monkeypatch.setattr(confusion, "BLOCK", 1000)
    wide = np.zeros((300, 820), np.uint8)
    wide[:, ::2] = MAP
    for a, b in [(MAP, TRUTH), (MAP.T, TRUTH.T), (wide[:, ::2], TRUTH),
                 (np.asfortranarray(MAP), TRUTH), (MAP.ravel()[::-1], TRUTH.ravel()[::-1])]:
        pd.testing.assert_frame_equal(confusion.confusion_matrix(a, b), EXPECTED)


def test_a_masked_pixel_is_no_data():
    masked = np.ma.MaskedArray(TRUTH, TRUTH == 3)
    without = np.where(TRUTH == 3, 0, TRUTH)
    pd.testing.assert_frame_equal(confusion.confusion_matrix(MAP, masked),
                                  confusion.confusion_matrix(MAP, without))


@pytest.mark.parametrize(("mapped", "truth"), [
    (da.from_array(MAP, chunks=(77, 91)), da.from_array(TRUTH, chunks=(77, 91))),
    (da.from_array(MAP, chunks=(100, 300)), da.from_array(TRUTH, chunks=(77, 91))),
    (MAP, da.from_array(TRUTH, chunks=50)), (da.from_array(MAP.astype("f4"), chunks=50), TRUTH),
    (xr.DataArray(MAP).chunk(120), xr.DataArray(TRUTH)),
    (xr.DataArray(MAP), xr.DataArray(TRUTH)),
], ids=["same chunks", "other chunks", "dask reference", "dask map", "xarray and dask", "xarray"])
def test_chunked_is_the_same(mapped, truth):
    pd.testing.assert_frame_equal(confusion.confusion_matrix(mapped, truth), EXPECTED)


def test_chunked_errors_are_the_same():
    with pytest.raises(InputError, match="the map holds 77"):
        confusion.confusion_matrix(da.full((50, 50), 77, chunks=20, dtype="u1"), np.ones((50, 50)))
    with pytest.raises(InputError, match="one grid"):
        confusion.confusion_matrix(da.ones((50, 50), chunks=20), np.ones((50, 51)))


def test_chunked_memory_is_bounded():
    """64 MB of pixels that never exist at once: the peak is far below the array."""
    def chunk(block_info=None):
        shape = block_info[None]["chunk-shape"]
        return np.full(shape, 1 + sum(block_info[None]["chunk-location"]) % 10, np.uint8)

    lazy = da.map_blocks(chunk, chunks=((1 << 10,) * 8, (1 << 10,) * 8), dtype=np.uint8,
                         meta=np.empty((0, 0), np.uint8))
    tracemalloc.start()
    matrix = confusion.confusion_matrix(lazy, lazy)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.trace(matrix) == lazy.size == 1 << 26
    assert peak < lazy.nbytes / 3


def test_ten_times_faster_than_sklearn():
    mapped, truth = (RNG.integers(1, 11, 1_000_000, dtype=np.uint8) for _ in range(2))

    def seconds(call):
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    ours = min(seconds(lambda: confusion.confusion_matrix(mapped, truth)) for _ in range(3))
    assert seconds(lambda: peer.confusion_matrix(truth, mapped)) > 10 * ours


def test_labels_of_any_kind():
    matrix = confusion.confusion_from_labels(["b", "a", "b"], ["b", "b", "c"])
    assert list(matrix.index) == ["a", "b", "c"]
    assert matrix.loc["b", "c"] == 1
    with_absent = confusion.confusion_from_labels(["b"], ["b"], ["z", "b"])
    assert with_absent.loc["z"].sum() == with_absent["z"].sum() == 0
    numbers = confusion.confusion_from_labels(pd.Series([7.0, 30.0]), [7, 7])
    assert numbers.index.tolist() == [7, 30]
    bytes_ = confusion.confusion_from_labels(np.array([7, 30], "u1"), np.array([7, 7], "u1"))
    pd.testing.assert_frame_equal(numbers, bytes_)


@pytest.mark.parametrize(("rows", "columns", "labels", "message"), [
    (["a"], ["a", "b"], None, "one grid"), ([], [], None, "nothing to assess"),
    (["a", None], ["a", "a"], None, "map has 1 missing"),
    ([1.0], [np.nan], None, "reference has 1 missing"),
    (["a", "b"], ["a", "a"], ["a"], "'b' occurs"), ([1], [1], [1, 1], "1 comes twice")])
def test_bad_labels(rows, columns, labels, message):
    with pytest.raises(InputError, match=message):
        confusion.confusion_from_labels(rows, columns, labels)


def test_earth_engine_counts_from_zero():
    mapped, truth = MAP[(MAP > 0) & (TRUTH > 0)], TRUTH[(MAP > 0) & (TRUTH > 0)]
    array = peer.confusion_matrix(truth, mapped, labels=range(11))
    pd.testing.assert_frame_equal(confusion.from_earth_engine(array.tolist()),
                                  confusion.confusion_matrix(mapped, truth))
    short = confusion.from_earth_engine([[0, 0, 0], [0, 5, 1], [0, 2, 3]])
    assert short.loc[2, 1] == 1  # actual 1, mapped 2
    assert short.loc[10].sum() == 0
    with pytest.raises(InputError, match="counts under 0"):
        confusion.from_earth_engine([[1, 0], [0, 5]])
    with pytest.raises(InputError, match="must be square"):
        confusion.from_earth_engine([[1, 0]])


def test_accuracy_checker_with_sums_and_not_square():
    full = pd.DataFrame([[21, 5, 26], [6, 31, 37], [2, 0, 2], [29, 36, 65]],
                        index=["water", "forest", "urban", "sums"],
                        columns=["water", "forest", "sums"])
    matrix = confusion.from_accuracy_checker(full)
    assert matrix.loc["forest", "water"] == 5  # true water, mapped forest
    assert matrix.loc["urban"].sum() == 0
    assert matrix.to_numpy().sum() == 65
    full.loc["water", "sums"] = 27
    with pytest.raises(InputError, match="sums of class 'water' is 27"):
        confusion.from_accuracy_checker(full)
    full.loc["water", "sums"], full.loc["sums", "forest"] = 26, 35
    with pytest.raises(InputError, match="sums of class 'forest' is 35; its cells make 36"):
        confusion.from_accuracy_checker(full)
    numbers = pd.DataFrame([[1, 2], [3, 4]], index=[1, 2], columns=["1", "2"])
    assert confusion.from_accuracy_checker(numbers).loc[2, 1] == 2


def test_turning_what_is_already_right_is_refused():
    with pytest.raises(InputError, match="must not be turned"):
        confusion.from_reference_rows(EXPECTED)
    with pytest.raises(InputError, match="give labels"):
        confusion.from_reference_rows([[1, 0], [0, 1]])
    named = EXPECTED.T.rename_axis(index="reference", columns="map")
    pd.testing.assert_frame_equal(confusion.from_reference_rows(named), EXPECTED)
    with pytest.raises(InputError, match="10, which is not among"):
        confusion.from_reference_rows(named.rename_axis(index=None), [0, *legend.CODES[:-1]])


@pytest.mark.parametrize(("counts", "message"), [
    ([[1, 2]], "must be square"), ([[0.5, 0], [0, 0.5]], "not shares"),
    ([["a", 0], [0, 1]], "whole numbers"), ([[1, -2], [0, 1]], "-2"),
    ([[np.nan, 0], [0, 1]], "whole numbers")])
def test_what_is_no_matrix_of_counts(counts, message):
    with pytest.raises(InputError, match=message):
        confusion.as_confusion(counts, [1, 2])


def test_a_bare_array_does_not_state_its_orientation():
    with pytest.raises(InputError, match="does not state its orientation"):
        confusion.check_confusion(np.eye(2))


def test_groups_on_another_grid_or_empty():
    with pytest.raises(InputError, match="one grid"):
        confusion.confusion_by_group([1, 1], [1, 1], [1])
    with pytest.raises(InputError, match="lies in a group"):
        confusion.confusion_by_group([1, 1], [1, 0], [0, 5])
    with pytest.raises(InputError, match=r"^the map holds 11"):
        confusion.confusion_by_group([1, 11], [1, 1], [5, 5])
    with pytest.raises(InputError, match=r"^the reference holds 11"):
        confusion.confusion_by_group([1, 1], [1, 11], [5, 5])
    for mapped, truth, name in (([11], [1], "map"), ([1], [11], "reference")):
        for kind in (np.uint8, np.int64):
            with pytest.raises(InputError, match=f"^the {name} holds 11"):
                confusion.confusion_matrix(np.array(mapped, kind), np.array(truth, kind))


def test_earth_engines_matrix_under_labels_of_ones_own():
    """Rows are the reference; a count on either side of a class that is not named is refused."""
    found = confusion.from_earth_engine([[1, 2], [0, 3]], labels=[1, 0])
    assert list(found.index) == [1, 0] and found.loc[1, 0] == 2 and found.loc[0, 0] == 1
    for lost in ([[1, 0, 0], [0, 1, 0], [1, 0, 0]], [[1, 0, 1], [0, 1, 0], [0, 0, 0]]):
        with pytest.raises(InputError, match="counts under 2, which is not among the classes 0, 1"):
            confusion.from_earth_engine(lost, labels=[0, 1])
    for shape in ((2, 3), (3, 2), (2, 2, 2), (4,)):
        with pytest.raises(InputError, match="must be square"):
            confusion.from_earth_engine(np.zeros(shape, int))


def test_negative_codes_of_accuracy_checker_are_numbers():
    table = pd.DataFrame([[1, 2], [3, 4]], index=["-1", "2"], columns=["-1", "2"])
    found = confusion.from_accuracy_checker(table)
    assert list(found.index) == [-1, 2] and found.loc[2, -1] == 2
