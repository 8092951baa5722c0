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

LEAST = {"normal": 20, "protan": 17, "deutan": 17, "tritan": 13}
"""CIE 2000 distance of the two classes that are most alike; 1 is just noticeable."""
HARD = (("quarry", "mixed_forest"), ("quarry", "conifer"), ("quarry", "bare_soil"),
        ("road", "conifer"), ("road", "bare_soil"), ("conifer", "bare_soil"))
"""Pairs that dichromats mistook, or that are dark and thin on a map."""


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])
    xyz = rgb @ to_xyz.T / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def seen_with(vision: str) -> np.ndarray:
    """L*a*b* of the legend's colours as somebody with that colour vision sees them."""
    rgb = np.array([to_rgb(c.colour) for c in legend.CLASSES])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return lab(np.clip(linear @ np.array(VISION[vision]).T, 0, 1))


def ciede2000(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distance of colours as the eye sees it (CIE 2000; Sharma, Wu & Dalal 2005), broadcast."""
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(v, -1, 0) for v in (one, other))
    g = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 1.5 - 0.5 * np.sqrt(g**7 / (g**7 + 25.0**7))
    c1, c2 = np.hypot(a1 * g, b1), np.hypot(a2 * g, b2)
    h1, h2 = np.arctan2(b1, a1 * g), np.arctan2(b2, a2 * g)
    turn = (h2 - h1 + np.pi) % (2 * np.pi) - np.pi
    lightness, chroma, hue = (l1 + l2) / 2, (c1 + c2) / 2, np.degrees(h1 + turn / 2) % 360
    t = (1 - 0.17 * np.cos(np.radians(hue - 30)) + 0.24 * np.cos(np.radians(2 * hue))
         + 0.32 * np.cos(np.radians(3 * hue + 6)) - 0.2 * np.cos(np.radians(4 * hue - 63)))
    dl = (l2 - l1) / (1 + 0.015 * (lightness - 50)**2 / np.sqrt(20 + (lightness - 50)**2))
    dc = (c2 - c1) / (1 + 0.045 * chroma)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2) / (1 + 0.015 * chroma * t)
    rotation = (-2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
                * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))))
    return np.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh)


def test_the_distance_is_that_of_the_papers_examples():
    """Sharma, Wu & Dalal 2005, Table 1, pairs 1, 7, 17 and 25."""
    pairs = [((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425), ((50, 0, 0), (50, -1, 2), 2.3669),
             ((50, 2.5, 0), (73, 25, -18), 27.1492),
             ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644)]
    for one, other, expected in pairs:
        assert abs(ciede2000(np.array(one, float), np.array(other, float)) - expected) < 5e-5


@pytest.mark.parametrize("vision", VISION)
def test_colours_can_be_told_apart(vision):
    seen = seen_with(vision)
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert distance[np.triu_indices(len(seen), 1)].min() > 20  # 2 is just noticeable


@pytest.mark.parametrize(("vision", "least"), LEAST.items())
def test_colours_can_be_told_apart_by_the_eye(vision, least):
    """Every pair of classes, and the dark ones and quarry and forest by more."""
    seen = seen_with(vision)
    distance = ciede2000(seen[:, None], seen[None])
    assert distance[np.triu_indices(len(seen), 1)].min() > least
    for one, other in HARD:
        codes = legend.code(one), legend.code(other)
        assert distance[tuple(legend.CODES.index(c) for c in codes)] > 20, (one, other)


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
