"""The calibration error, against a value worked out by hand."""

import numpy as np
import pytest

from lulc_lib.accuracy.calibration import Reliability, expected_calibration_error


def test_the_error_by_hand():
    table = Reliability(*np.array([[0, 0, 1, 1, 3], [0, 0, .55, .6, 2.7], [0, 0, 1, 1, 2]]))
    # |1 − .55| × 1 + |1 − .6| × 1 + |2/3 − .9| × 3, over 5
    assert expected_calibration_error(table) == pytest.approx((.45 + .4 + .7) / 5)


def test_no_pixel_is_nan():
    with np.errstate(all="raise"):
        assert np.isnan(expected_calibration_error(Reliability(*np.zeros((3, 15)))))
