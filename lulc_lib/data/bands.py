"""The study's ten bands: plain facts that need no raster library."""

from __future__ import annotations

BANDS: tuple[str, ...] = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""The study's ten bands, in the order of the network's input. 20 m bands lie on the 10 m grid."""

BANDS_10M: tuple[str, ...] = ("B02", "B03", "B04", "B08")
WAVELENGTHS: dict[str, float] = dict(zip(
    BANDS, (492.4, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 1613.7, 2202.4), strict=True))
"""Central wavelength of Sentinel-2A's bands in nanometres (Sentinel-2 MSI technical guide)."""
