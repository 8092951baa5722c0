"""The class scheme: codes, names, meanings, colours, NO_DATA and the CORINE crosswalk.

This is the only module in which a class number or a class's colour is written. Everything else
asks here. The colours can be told apart with every kind of colour vision
(tests/study/test_legend.py).

Source: Hejmanowska et al. 2025, section 2.2 (the ten classes) and Figure 4 (classes 4 and 9 are
phases of the same field); CORINE Land Cover nomenclature, level 3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lulc_lib.errors import InputError, check_choice

NO_DATA = 0
"""Code of a pixel that carries no class: unlabelled, or outside the scene in a map."""

IGNORE_INDEX = 255
"""Network target of a pixel that must not count in the loss (see :func:`to_index`)."""


class LandClass(NamedTuple):
    """One class of the legend."""

    code: int
    key: str
    name: str
    meaning: str
    colour: str
    corine: tuple[int, ...]


CLASSES: tuple[LandClass, ...] = (
    LandClass(1, "conifer", "Coniferous forest", "Evergreen needle-leaf forest, green all year",
              "#005953", (312,)),
    LandClass(2, "mixed_forest", "Mixed forest",
              "Broad-leaved and mixed forest, leafless in winter", "#04a97b", (311, 313, 324)),
    LandClass(3, "urban", "Urban", "Built-up land: settlements, industry, yards",
              "#a66692", (111, 112, 121, 123, 124, 133)),
    LandClass(4, "crops_ripe", "Crops before harvest",
              "A field before harvest, or in spring before it is worked: a phase of the crop, "
              "not a place (same fields as classes 5 and 9)", "#f3e4c0", (211, 221, 222, 242, 243)),
    LandClass(5, "bare_soil", "Bare soil",
              "A field without plant cover, ploughed or just sown (same fields as 4 and 9)",
              "#512c04", (211, 242, 243)),
    LandClass(6, "grassland", "Permanent grassland", "Meadows and pastures that are not ploughed",
              "#9acadc", (141, 142, 231, 321)),
    LandClass(7, "road", "Roads", "Paved roads and railways, mostly one or two pixels wide",
              "#010101", (122,)),
    LandClass(8, "water", "Water", "Rivers, ponds, reservoirs and the lakes in pits",
              "#4b78ff", (511, 512)),
    LandClass(9, "crops_growing", "Growing crops",
              "A field with crops in full growth, bright in near infrared: a phase of the crop, "
              "not a place (same fields as 4 and 5)", "#c8ff24", (211, 221, 222, 242, 243)),
    LandClass(10, "quarry", "Quarries, open pits", "Open-pit extraction: rock faces, benches, "
              "haul roads and heaps; the mining class of the study", "#fe4005", (131, 132)),
)

CODES: tuple[int, ...] = tuple(c.code for c in CLASSES)
NAMES: dict[int, str] = {c.code: c.name for c in CLASSES}
COLOURS: dict[int, str] = {c.code: c.colour for c in CLASSES}
NO_DATA_COLOUR = "#ffffff"
BY_KEY: dict[str, LandClass] = {c.key: c for c in CLASSES}
CROP_PHASES: tuple[int, ...] = tuple(
    BY_KEY[k].code for k in ("crops_ripe", "bare_soil", "crops_growing"))
"""Codes that one and the same field takes through the year."""


def code(key: str) -> int:
    """Return the code of a class by its key.

    >>> code("quarry") == CODES[-1]
    True
    """
    check_choice("class key", key, BY_KEY)
    return BY_KEY[key].code


def corine_crosswalk() -> dict[int, tuple[int, ...]]:
    """Return for each CORINE level-3 code the legend codes that may lie there.

    Arable land (211) may be any phase of a crop, so a code can map to several classes. CORINE's
    minimum mapping unit is 25 ha: the crosswalk says what is plausible, not what must be.

    >>> corine_crosswalk()[131] == (code("quarry"),)
    True
    """
    walk: dict[int, tuple[int, ...]] = {}
    for c in CLASSES:
        for clc in c.corine:
            walk[clc] = (*walk.get(clc, ()), c.code)
    return dict(sorted(walk.items()))


def check_codes(codes: NDArray[np.generic], what: str) -> NDArray[np.uint8]:
    """Return an array of whole numbers as uint8 legend codes or NO_DATA.

    Raises
    ------
    InputError
        A value is neither NO_DATA nor a code of the legend; ``what`` names the array.
    """
    codes = np.asarray(codes)
    unknown = _not_in_legend(codes)
    if unknown.any():
        bad = sorted({str(v) for v in np.unique(codes[unknown])[:5]})
        raise InputError(
            f"{what} holds {', '.join(bad)}; values must be {NO_DATA} (no data) or a legend code "
            f"{CODES[0]}–{CODES[-1]}")
    return codes.astype(np.uint8)


def _not_in_legend(codes: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Find values that are neither NO_DATA nor a code: one look-up per value, for numbers."""
    if codes.dtype.kind not in "uif":
        return ~np.isin(codes, (NO_DATA, *CODES))
    unknown = np.ones(256, dtype=bool)
    unknown[[NO_DATA, *CODES]] = False
    if codes.dtype == np.uint8:
        return unknown[codes]
    with np.errstate(invalid="ignore"):  # NaN and values beyond a byte do not survive the cast
        small = codes.astype(np.uint8)
    return unknown[small] | (small != codes)


def to_index(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn legend codes into network targets 0 … n−1; NO_DATA becomes IGNORE_INDEX.

    >>> to_index(np.array([NO_DATA, CODES[0], CODES[-1]], dtype=np.uint8)).tolist()
    [255, 0, 9]
    """
    table = np.full(256, IGNORE_INDEX, dtype=np.uint8)
    table[list(CODES)] = np.arange(len(CODES), dtype=np.uint8)
    return table[codes]


def to_code(index: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Turn network class indexes 0 … n−1 into legend codes (inverse of :func:`to_index`)."""
    return np.asarray(CODES, dtype=np.uint8)[index]
