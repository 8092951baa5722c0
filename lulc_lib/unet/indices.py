"""Normalised differences of bands: ratios that haze, slope and sun change less than reflectance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lulc_lib.data.bands import BANDS

INDICES: dict[str, tuple[str, str]] = {
    "NDVI": ("B08", "B04"),  # green vegetation (Rouse et al. 1974)
    "NDWI": ("B03", "B08"),  # open water (McFeeters 1996)
    "NDBI": ("B11", "B08"),  # built-up and bare ground (Zha et al. 2003)
    "B12-B11": ("B12", "B11"),  # minerals and dry matter
}
"""Name to the bands a and b of (a − b) / (a + b).

Two more were tried and left out, since networks that saw them mistook forests of dates they had not
seen: (B04, B02), which over conifers moves from date to date by four standard deviations of a
scene, and NDRE (B08, B05).
"""

DARKEST = 1e-3
"""Reflectance below this is raised to it, so that no ratio of noise appears."""


def normalised_differences(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the indices of a scene.

    Parameters
    ----------
    values : array, shape (band, row, col), float32
        Reflectance, bands in the order of ``BANDS``, without gaps.

    Returns
    -------
    array, shape (index, row, col), float32
        −1 to 1, in the order of ``INDICES``.

    >>> normalised_differences(np.full((10, 1, 1), 0.2, dtype=np.float32)).ravel().tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    bright = dict(zip(BANDS, np.maximum(values, np.float32(DARKEST)), strict=True))
    return np.stack([(bright[a] - bright[b]) / (bright[a] + bright[b])
                     for a, b in INDICES.values()])
