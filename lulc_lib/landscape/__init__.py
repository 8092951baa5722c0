"""The synthetic landscape: five sites in the published dataset's layout, made from a seed.

The embedded default where the published data cannot be had. Class spectra are measured on the
published Strzegom scenes (:mod:`experiments.landscape_spectra`); the places are invented.
"""

from lulc_lib.landscape.layout import Layout, class_map, make_layout
from lulc_lib.landscape.plan import STRZEGOM, scenes, stream
from lulc_lib.landscape.write import VERSION, ensure_landscape, landscape_ready, write_landscape

__all__ = [
    "STRZEGOM",  # the site with quarries
    "VERSION",  # of the generator
    "Layout",  # one site's lasting geography
    "class_map",  # its true classes on a day
    "ensure_landscape",  # write the landscape unless it is there
    "landscape_ready",  # whether it is there
    "make_layout",  # the geography of a seed
    "scenes",  # the acquisitions
    "stream",  # random numbers of one purpose
    "write_landscape",  # all files of a seed
]
