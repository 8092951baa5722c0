"""Data in, matplotlib Figure out. Only notebooks and the command line import this package.

What recurs among the arguments: a ``scene`` is a DataArray (band, y, x) of reflectance; labels, a
reference and class maps are DataArrays (y, x) of uint8 legend codes, NO_DATA where there is none,
on one grid where they are compared; mappings go from a name or date to these. ``title`` says what
is seen, ``caption`` data, n and protocol.

A module for each notebook (``prepare`` for 01, then ``unet``, ``earth_engine``, ``accuracy``,
``lesson``, ``sites``) and ``style``, which all of them share. A notebook imports its own module and
the writer: ``from lulc_lib.figures import lesson, save_figure``.
"""

from lulc_lib.figures.style import (
    SavedFigure,  # a PNG on disk, as a notebook shows it
    false_colour,  # near infrared, red and green of a scene, to be shown
    figure_path,  # where figures/<source>/<name>.png lies
    save_figure,  # the only writer under figures/
    write_figure,  # to any PNG file
)
