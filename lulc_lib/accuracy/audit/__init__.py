"""The published accuracy numbers computed again: matches, mismatches, explanations, claims."""

from lulc_lib.accuracy.audit.findings import audit  # everything, as plain values for JSON
from lulc_lib.accuracy.audit.printed import (
    TEST_POINTS,  # points behind the tables of the Earth Engine classifiers
    reconstruct_counts,  # TP, FP, FN and TN behind such a table
)
