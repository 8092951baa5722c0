"""What the paper and its authors published about accuracy: its tables as data, its matrices."""

from lulc_lib.accuracy.published.released import read_published_matrix
from lulc_lib.accuracy.published.tables import (
    claims,
    index,
    matrix_of,
    printed_matrix,
    quoted,
    released_matrix,
    table,
    training_scenes,
)

__all__ = ["claims", "index", "matrix_of", "printed_matrix", "quoted", "read_published_matrix",
           "released_matrix", "table", "training_scenes"]
