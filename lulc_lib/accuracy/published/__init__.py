"""What the paper and its authors published about accuracy: its tables as data, its matrices."""

from lulc_lib.accuracy.published.tables import (
    claims,  # what the paper says in words
    index,  # caption, section and subject of each table
    matrix_of,  # a printed matrix as counts
    printed_matrix,  # the same, by table number
    quoted,  # accuracy numbers in the paper's sentences
    read_published_matrix,  # a released matrix file
    released_matrix,  # Table 13 or 14 as the repository has it
    table,  # one table as printed
    training_scenes,  # sites and dates of the training scenes
)

__all__ = ["claims", "index", "matrix_of", "printed_matrix", "quoted", "read_published_matrix",
           "released_matrix", "table", "training_scenes"]
