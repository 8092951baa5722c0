"""The paper's tables as data: complete, consistent with each other and with the released files."""

import numpy as np
import pytest

from lulc_lib.accuracy import published
from lulc_lib.accuracy.audit.printed import one_against_all, parse
from lulc_lib.errors import InputError

MATRICES = {13: "strzegom_20230709", 14: "kolbuszowa_20210725"}


def test_every_table_has_its_source():
    index = published.index()
    assert list(index.index) == list(range(7, 21))
    assert index.caption.str.len().min() > 10
    assert index.section.str.match(r"[23]\.\d").all()
    for number in index.index:
        assert len(published.table(number)) > 0


@pytest.mark.parametrize(("number", "n"), [(7, 100), (9, 110), (13, 38_571), (14, 9_467)])
def test_matrices_have_named_axes_and_the_right_total(number, n):
    matrix = published.printed_matrix(number)
    assert (matrix.index.name, matrix.columns.name) == ("map_class", "reference_class")
    assert matrix.to_numpy().sum() == n
    counts = one_against_all(matrix)
    assert (counts.sum(axis=1) == n).all()
    assert counts.fp.sum() == counts.fn.sum()


def test_rows_and_columns_are_the_right_way_round():
    binary = one_against_all(published.printed_matrix(7)).loc["Positive"]
    assert binary.tolist() == [40, 5, 10, 45]
    example = one_against_all(published.printed_matrix(9))
    assert (example == published.table(10).astype(int)).all(axis=None)
    strzegom = published.printed_matrix(13)
    assert strzegom[1].sum() == 1753  # reference pixels, counted on the polygons
    assert strzegom[10].sum() == 7015


def test_printed_digits_are_kept():
    assert published.table(12).loc["mean", "oa"] == "0.7270"
    assert published.table(13).loc["9", "9"] == "10,927"
    assert published.table(18).loc["overall", "oa"] == "0.7679"
    assert published.table(15).loc["mean", "oa"] == ""


def test_a_table_is_a_copy():
    changed = published.table(15)
    changed.loc["1", "pa"] = "9"
    assert published.table(15).loc["1", "pa"] == "0.9547"


@pytest.mark.parametrize(("call", "message"), [
    (lambda: published.table(6), "from 7 to 20"),
    (lambda: published.printed_matrix(15), "13 and 14")])
def test_other_numbers_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_quotes_and_claims_are_complete():
    quotes = published.quoted()
    assert set(quotes.about) <= {7, 9, 13, 14, 18, 19, 20}
    assert set(quotes.unit) == {"", "%"}
    claims = published.claims()
    assert len(claims) >= 12
    assert claims.id.is_unique
    assert claims.section.str.contains("3|4|5").mean() > 0.9
    assert len(published.training_scenes()) == 14


def test_rounding_verdicts():
    assert parse("0.813").verdict(0.8125) == "match"  # a tie may go either way
    assert parse("0.812").verdict(0.8125) == "match"
    assert parse("94.60", "%").verdict(0.94594) == "rounding"
    assert parse("94.60", "%").verdict(0.94636) == "mismatch"
    assert parse("10,927").verdict(10_926) == "mismatch"  # a count is right or wrong
    assert parse("0.5").verdict(float("nan")) == "mismatch"
    assert parse("94.60", "%").padded(0.94636) == 3
    assert parse("94.6", "%").padded(0.94636) == 0


@pytest.mark.parametrize("number", MATRICES)
def test_released_cells_against_the_released_file(published_data, number):
    path = published_data / f"accuracy_analysis/Confusion_matrix_{MATRICES[number]}.csv"
    released = published.read_published_matrix(path)
    assert (released == published.released_matrix(number)).all(axis=None)
    different = np.argwhere(released.to_numpy() != published.printed_matrix(number).to_numpy())
    assert len(different) == {13: 0, 14: 5}[number]


@pytest.fixture(scope="module")
def published_data(request):
    """The published dataset's folder (the session fixture's name is the package's here)."""
    return request.getfixturevalue("published")
