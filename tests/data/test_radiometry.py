"""The radiometric offset: what a file declares, what its pixels show, who wins."""

import numpy as np
import pytest

from lulc_lib.data.radiometry import decide_offset, declared_offset, measured_offset
from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError


def landscape(offset: int, bright: bool = False) -> dict[str, np.ndarray]:
    """DN of a scene with water, soil and vegetation; a bright one has bare ground only."""
    rng = np.random.default_rng(0)
    dn = {b: rng.normal(1800, 150, (60, 60)) for b in BANDS}
    if not bright:
        for band in BANDS:
            dn[band][:20] = rng.normal(250, 40, (20, 60))
        dn["B04"][20:40], dn["B08"][20:40] = 300, 3500
    return {b: (v + offset).clip(1).astype(np.uint16) for b, v in dn.items()}


@pytest.mark.parametrize("offset", [0, 1000])
def test_pixels_show_the_offset(offset):
    assert measured_offset(landscape(offset)) == offset


@pytest.mark.parametrize("offset", [0, 1000])
def test_a_desert_does_not_tell(offset):
    assert measured_offset(landscape(offset, bright=True)) is None


def test_no_data_is_not_darkness():
    dn = landscape(1000)
    for band in dn.values():
        band[:5] = 0
    assert measured_offset(dn) == 1000
    assert measured_offset({b: np.zeros((3, 3), np.uint16) for b in BANDS}) is None


@pytest.mark.parametrize(("tags", "expected"), [
    ({}, None), ({"boa_add_offset": "-1000"}, 1000), ({"BOA_ADD_OFFSET": "0"}, 0),
    ({"PROCESSING_BASELINE": "05.09"}, 1000), ({"PROCESSING_BASELINE": "02.14"}, 0),
])
def test_declared(tags, expected):
    assert declared_offset(tags) == expected


def test_a_tag_that_is_no_number():
    with pytest.raises(InputError, match="minus"):
        declared_offset({"BOA_ADD_OFFSET": "minus one"})


def test_pixels_win_over_metadata():
    assert decide_offset(1000, 0, "x") == (0, 1000, 0, "pixels against metadata")
    assert decide_offset(0, 1000, "x").used == 1000
    assert decide_offset(None, 1000, "x").source == "pixels"
    assert decide_offset(1000, 1000, "x").source == "metadata and pixels"
    assert decide_offset(1000, None, "x").source == "metadata"


def test_nobody_can_tell():
    with pytest.raises(InputError, match=r"desert\.tif.*offset=0 or offset=1000"):
        decide_offset(None, None, "desert.tif")
