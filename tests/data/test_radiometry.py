"""The radiometric offset: what a file declares, what its pixels show, who wins."""

import numpy as np
import pytest

from lulc_lib.data.radiometry import (
    decide_offset,
    declared_offset,
    measured_offset,
    scaling_offset,
    scene_offset,
)
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


def test_the_baseline_of_an_own_processor_says_nothing():
    """Row 9 of the cases: BigEarthNet v2, Major-TOM."""
    assert declared_offset({"PROCESSING_BASELINE": "99.99"}) is None
    bright = landscape(0, bright=True)
    with pytest.raises(InputError, match=r"not declared.*--offset 0 or --offset 1000"):
        scene_offset(declared_offset({"PROCESSING_BASELINE": "99.99"}), bright, None, "x.tif")


def shadow() -> dict[str, np.ndarray]:
    """Row 3 of the cases: a third in cloud shadow with blue at DN 840–890 beside vegetation."""
    dn = landscape(1000)
    dn["B02"][:20] = np.random.default_rng(1).integers(840, 890, (20, 60))
    for band in (b for b in BANDS if b != "B02"):
        dn[band][:20] = 1050
    return dn


def test_declared_and_plausible_metadata_win():
    assert scene_offset(1000, shadow(), None, "x") == (1000, 1000, None, "metadata")
    with pytest.raises(InputError, match="not declared"):  # dark soil, or shadow below 0
        scene_offset(None, shadow(), None, "x")
    assert scene_offset(1000, landscape(0), None, "x")[::3] == (0, "pixels against metadata")
    assert scene_offset(0, landscape(1000), None, "x")[::3] == (1000, "pixels against metadata")


def test_scale_and_offset_of_bands():
    assert scaling_offset([(1.0, 0.0)] * 10, "x") is None
    assert scaling_offset([(.0001, 0.0)] * 10, "x") == 0
    with pytest.raises(InputError, match=r"x\.tif: its bands' scale and offset"):
        scaling_offset([(.0000275, -.2)] * 10, "x.tif")
    with pytest.raises(InputError, match="the same offset for all"):
        scaling_offset([(.0001, -.1), (.0001, 0.0)], "x")


def test_a_tag_that_is_no_number():
    with pytest.raises(InputError, match="minus"):
        declared_offset({"BOA_ADD_OFFSET": "minus one"})


def test_pixels_that_rule_metadata_out_win():
    assert decide_offset(1000, 0, "x") == (0, 1000, 0, "pixels against metadata")
    assert decide_offset(0, 1000, "x").used == 1000
    assert decide_offset(None, 1000, "x").source == "pixels"
    assert decide_offset(1000, 1000, "x").source == "metadata and pixels"
    assert decide_offset(1000, None, "x").source == "metadata"


def test_nobody_can_tell():
    with pytest.raises(InputError, match=r"desert\.tif.*offset=0 or offset=1000"):
        decide_offset(None, None, "desert.tif")
