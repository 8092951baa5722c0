"""The synthetic landscape: three sites in the published dataset's layout, made from a seed.

The embedded default where the published data cannot be had. Class spectra are measured on the
published Strzegom scenes (see :mod:`~experiments.landscape_spectra`); the places are invented.
"""

from lulc_lib.landscape.write import VERSION, ensure_landscape, landscape_ready, write_landscape

__all__ = ["VERSION", "ensure_landscape", "landscape_ready", "write_landscape"]
