"""Temperature scaling and calibration errors, against values worked out by hand."""

import numpy as np
import pytest
from scipy import special

from lulc_lib.accuracy import calibration
from lulc_lib.errors import InputError


def test_reliability_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.45, 0.55], [1.0, 0.0]])
    table = calibration.reliability(probabilities, np.array([0, 0, 0, 1, 0]), bins=5)
    np.testing.assert_allclose(table.count, [0, 0, 1, 1, 3])
    np.testing.assert_allclose(table.confidence, [0, 0, 0.55, 0.6, 2.7])
    np.testing.assert_allclose(table.correct, [0, 0, 1, 1, 2])
    # |1 − .55| × 1 + |1 − .6| × 1 + |2/3 − .9| × 3, over 5
    assert calibration.expected_calibration_error(table) == pytest.approx(
        (0.45 + 0.4 + 0.7) / 5)


def test_no_pixel_is_nan():
    table = calibration.reliability(np.empty((0, 3)), np.empty(0, int))
    assert np.isnan(calibration.expected_calibration_error(table))


def test_softmax_is_scipys_and_the_temperature_divides():
    logits = np.random.default_rng(0).normal(size=(20, 10)) * 400
    np.testing.assert_allclose(calibration.softmax(logits), special.softmax(logits, axis=1))
    np.testing.assert_allclose(calibration.softmax(logits, 2.5),
                               special.softmax(logits / 2.5, axis=1))
    with pytest.raises(InputError, match="temperature is 0"):
        calibration.softmax(logits, 0)


def test_log_likelihood_by_hand():
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    assert calibration.negative_log_likelihood(logits, np.array([1, 2])) == pytest.approx(
        -(np.log(0.25) + np.log(0.8)) / 2)


@pytest.mark.parametrize("made", [0.5, 1.0, 2.0])
def test_the_temperature_of_drawn_targets_comes_back(made):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(30_000, 4)) * 2
    chances = calibration.softmax(logits, made).cumsum(axis=1)
    target = np.minimum((rng.random((len(logits), 1)) > chances).sum(axis=1), 3)
    fitted = calibration.fit_temperature([logits], [target])
    assert fitted == pytest.approx(made, rel=0.06)  # the steps are 10.5 % apart
    before, after = (calibration.expected_calibration_error(calibration.reliability(
        calibration.softmax(logits, t), target)) for t in (made * 2, fitted))
    assert after < 0.03 < before


def test_every_group_counts_the_same():
    sure, unsure = np.array([[2.0, 0.0]]), np.array([[2.0, 0.0]])
    right, wrong = np.zeros(1, int), np.ones(1, int)
    pooled = calibration.fit_temperature([np.repeat(sure, 1000, axis=0), unsure],
                                         [np.repeat(right, 1000), wrong])
    assert pooled == calibration.fit_temperature([sure, unsure], [right, wrong])
    with pytest.raises(InputError, match="group is empty"):
        calibration.fit_temperature([sure, np.empty((0, 2))], [right, np.empty(0, int)])
