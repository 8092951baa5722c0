"""The class scheme, and whether its colours can be told apart."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lulc_lib import legend
from lulc_lib.errors import InputError

# Machado, Oliveira & Fernandes 2009: linear-RGB matrices for full protan, deutan, tritan vision.
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])
    xyz = rgb @ to_xyz.T / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


@pytest.mark.parametrize("vision", VISION)
def test_colours_can_be_told_apart(vision):
    rgb = np.array([to_rgb(c.colour) for c in legend.CLASSES])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = lab(np.clip(linear @ np.array(VISION[vision]).T, 0, 1))
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert distance[np.triu_indices(len(seen), 1)].min() > 20  # 2 is just noticeable


def test_ten_classes_with_the_papers_codes():
    assert legend.CODES == tuple(range(1, 11))
    assert legend.NAMES[legend.code("quarry")] == "Quarries, open pits"
    assert set(legend.CROP_PHASES) == {4, 5, 9}
    assert legend.NO_DATA not in legend.CODES


def test_index_and_code_are_inverse():
    codes = np.array([[0, 1], [7, 10]], dtype=np.uint8)
    index = legend.to_index(codes)
    assert index.tolist() == [[legend.IGNORE_INDEX, 0], [6, 9]]
    assert legend.to_code(index[index != legend.IGNORE_INDEX]).tolist() == [1, 7, 10]


def test_corine_crosswalk():
    walk = legend.corine_crosswalk()
    assert walk[131] == (10,)
    assert walk[211] == (4, 5, 9)  # arable land may be in any phase
    assert all(c in legend.CODES for codes in walk.values() for c in codes)


@pytest.mark.parametrize("values", [[11], [255], [2.5], [np.nan], [-1]])
def test_values_outside_the_legend_are_named(values):
    with pytest.raises(InputError, match=str(values[0])):
        legend.check_codes(np.array(values), "mask")


def test_unknown_key():
    with pytest.raises(InputError, match="quary"):
        legend.code("quary")
