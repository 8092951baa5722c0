"""The synthetic landscape: five sites in the published dataset's layout, made from a seed.

The embedded default where the published data cannot be had. Class spectra are measured on the
published Strzegom scenes (:mod:`experiments.landscape_spectra`); the places are invented.
"""

from lulc_lib.landscape.layout import (
    Layout,  # one site's lasting geography
    class_map,  # its true classes on a day
    make_layout,  # the geography of a seed
)
from lulc_lib.landscape.plan import (
    STRZEGOM,  # the site with quarries
    scenes,  # the acquisitions
    stream,  # random numbers of one purpose
)
from lulc_lib.landscape.write import (
    VERSION,  # of the generator
    ensure_landscape,  # write the landscape unless it is there
    landscape_ready,  # whether it is there
    write_landscape,  # all files of a seed
)
