"""From digital numbers (DN) to reflectance, and the offset that a file's DN carry.

Since processing baseline 04.00 (January 2022) ESA adds 1000 DN to every band, so that
``reflectance = (DN - 1000) / 10000``. In this package an offset is always the DN to subtract.
Source: Sentinel-2 Products Specification Document, BOA_ADD_OFFSET.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lulc_lib.errors import InputError

QUANTIFICATION = 10_000.0
"""DN per unit of reflectance (BOA_QUANTIFICATION_VALUE)."""

BASELINE_OFFSET = 1000
"""DN added to every band by processing baseline 04.00 and later."""

DARK_LIMIT = 900
"""If no band's 1st percentile (DN) is below this although there is vegetation, 1000 was added."""

IMPLAUSIBLE_LIMIT = 700
"""If it is below this, no offset was added: atmospheric correction leaves −.02 in deep shadow,
hardly −.03. Between the two limits the pixels do not tell."""

CONTRADICTING_SHARE = 5
"""Percent of pixels that must lie below :data:`IMPLAUSIBLE_LIMIT` to rule a declared 1000 out."""

VEGETATION_RATIO, DENSE_RATIO = 1.8, 2.5
"""A 99th percentile of raw NIR/red above this shows vegetation, so red must be dark somewhere; the
second rules a declared 0 out."""


class Offset(NamedTuple):
    """Offset in DN: the one to subtract, and where it comes from."""

    used: int
    declared: int | None
    measured: int | None
    source: str


def to_reflectance(dn: NDArray[np.uint16], offset: int) -> NDArray[np.float32]:
    """Return reflectance (0–1, a little outside is possible) of DN of any shape; NaN where DN is 0.

    >>> to_reflectance(np.array([0, 1000, 3500], dtype=np.uint16), 1000).tolist()
    [nan, 0.0, 0.25]
    """
    values = dn.astype(np.float32)
    values -= offset
    values /= np.float32(QUANTIFICATION)
    values[dn == 0] = np.nan
    return values


def check_offset(offset: int | None) -> None:
    """Raise InputError unless the offset can be one: DN to subtract, or None."""
    if offset is not None and not 0 <= offset < QUANTIFICATION:
        raise InputError(f"offset is {offset}; it is the number of DN to subtract: 0, or "
                         f"{BASELINE_OFFSET} since processing baseline 04.00")


def baseline_offset(baseline: float) -> int | None:
    """Return the offset of a processing baseline, such as 5.09; None for 99.99, one's own."""
    return None if baseline >= 90 else BASELINE_OFFSET if baseline >= 4.0 else 0


def scaling_offset(bands: Sequence[tuple[float, float]], name: str) -> int | None:
    """Return the offset that GDAL's (scale, offset) of bands declare; None if they are unset.

    >>> scaling_offset([(0.0001, -0.1)] * 10, "scene.tif")
    1000

    Raises
    ------
    InputError
        A scale that is not that of Sentinel-2's DN, or bands with different offsets.
    """
    pairs = set(bands)
    if pairs == {(1.0, 0.0)}:
        return None
    shifts = {-round(offset / scale) if scale else 0 for scale, offset in pairs}
    if len(shifts) > 1 or not np.allclose([s for s, _ in pairs], 1 / QUANTIFICATION):
        raise InputError(f"{name}: its bands' scale and offset are {sorted(pairs)}; they must be "
                         f"{1 / QUANTIFICATION:g} and the same offset for all, or unset")
    return shifts.pop()


def declared_offset(tags: Mapping[str, str]) -> int | None:
    """Return the offset that a file's metadata declares; None if it says nothing.

    Understands ``BOA_ADD_OFFSET`` (what has to be added: −1000 or 0) and ``PROCESSING_BASELINE``.

    >>> declared_offset({"BOA_ADD_OFFSET": "-1000"})
    1000
    """
    upper = {k.upper(): v for k, v in tags.items()}
    for key in ("BOA_ADD_OFFSET", "PROCESSING_BASELINE"):
        if key not in upper:
            continue
        try:
            value = float(upper[key])
        except ValueError:
            raise InputError(f"tag {key} is {upper[key]!r}; it must be a number") from None
        return round(-value) if key == "BOA_ADD_OFFSET" else baseline_offset(value)
    return None


def measured_offset(dn: Mapping[str, NDArray[np.uint16]], declared: int | None = None
                    ) -> int | None:
    """Return the offset that the pixels show: 0, 1000, or None where they cannot tell.

    ``dn`` maps bands, B04 and B08 among them, to arrays of one shape; DN 0 is no data. It is 0 if
    the darkest band reaches below :data:`IMPLAUSIBLE_LIMIT`, 1000 if it does not reach below
    :data:`DARK_LIMIT` although vegetation is in the scene. Against a ``declared`` offset stands
    only what physics rules out: reflectance far below 0 in more than a few pixels, or dense
    vegetation whose darkest band reflects a tenth.
    """
    valid = np.logical_and.reduce([band > 0 for band in dn.values()])
    if not valid.any():
        return None
    share = CONTRADICTING_SHARE if declared else 1
    darkest = min(float(np.percentile(band[valid], share)) for band in dn.values())
    if darkest < IMPLAUSIBLE_LIMIT:
        return 0
    ratio = dn["B08"][valid].astype(np.float32) / dn["B04"][valid]
    green = np.percentile(ratio, 99) > (DENSE_RATIO if declared == 0 else VEGETATION_RATIO)
    return BASELINE_OFFSET if green and darkest >= DARK_LIMIT else None


def scene_offset(declared: int | None, dn: Mapping[str, NDArray[np.uint16]], given: int | None,
                 name: str) -> Offset:
    """Return the offset of a scene from its metadata and pixels, or the one given."""
    measured = measured_offset(dn, declared)
    if given is not None:
        return Offset(given, declared, measured, "given")
    return decide_offset(declared, measured, name)


def decide_offset(declared: int | None, measured: int | None, name: str) -> Offset:
    """Return the metadata's offset unless the pixels rule it out; theirs if there is none.

    Raises
    ------
    InputError
        Neither tells.
    """
    if measured is not None:
        agree = {None: "pixels", measured: "metadata and pixels"}
        return Offset(measured, declared, measured, agree.get(declared, "pixels against metadata"))
    if declared is not None:
        return Offset(declared, declared, None, "metadata")
    raise InputError(
        f"{name}: the radiometric offset is not declared and its pixels (no vegetation, none "
        f"darker than DN {IMPLAUSIBLE_LIMIT}) do not show it; give the DN to subtract, offset=0 or "
        "offset=1000 (on the command line --offset 0 or --offset 1000)")
