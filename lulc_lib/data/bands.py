"""The study's ten bands, and the names that programs give them; needs no raster library."""

from __future__ import annotations

import re

BANDS: tuple[str, ...] = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""The study's ten bands, in the order of the network's input. 20 m bands lie on the 10 m grid."""

BANDS_10M: tuple[str, ...] = ("B02", "B03", "B04", "B08")
WAVELENGTHS: dict[str, float] = dict(zip(
    BANDS, (492.4, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 1613.7, 2202.4), strict=True))
"""Central wavelength of Sentinel-2A's bands in nanometres (Sentinel-2 MSI technical guide)."""

SCL = "SCL"
"""The scene classification layer of Level-2A, 20 m, codes 0-11."""

CIRRUS = "B10"
"""The band that only a Level-1C product has: top of atmosphere."""

LEVEL_2A = (*(f"B{n:02}" for n in range(1, 9)), "B8A", "B09", "B11", "B12")
"""All bands of a Level-2A product, in ESA's order."""

COMMON_NAMES: dict[str, str] = dict(zip(
    ("coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "nir09",
     "cirrus", "swir16", "swir22"),
    ("B01", *BANDS[:8], "B09", "B10", *BANDS[8:]), strict=True)) | {
        "rededge071": "B05", "rededge075": "B06", "rededge078": "B07"}
"""The STAC eo extension's common names, those of version 2 too."""


def band_key(name: str | None) -> str:
    """Return a band's name in the form B02 … B8A, or SCL, from any common spelling; '' for none.

    >>> [band_key(n) for n in ("B2", "b8a", "T33UWS_20230709T100559_B02_10m.jp2", "sur_refl_B11")]
    ['B02', 'B8A', 'B02', 'B11']
    >>> [band_key(n) for n in ("swir16", "red_edge_1", "S2A_33UWS_nir08.tif", "Band 4", "scl")]
    ['B11', 'B05', 'B8A', '', 'SCL']
    """
    words = re.sub(r"[^A-Z0-9]+", " ", (name or "").upper())
    if match := re.search(r"(?<![A-Z0-9])B(0?[1-9]|1[0-2]|8A)(?![0-9A-Z])", words):
        return f"B{match.group(1):0>2}"
    if re.search(r"\bSCL\b|\bSCENE CLASSIFICATION\b", words):
        return SCL
    words = re.sub(r"\b(RED EDGE|REDEDGE) ?(?=\d)", "REDEDGE", words).lower()
    found = {COMMON_NAMES[word] for word in words.split() if word in COMMON_NAMES}
    return found.pop() if len(found) == 1 else ""
