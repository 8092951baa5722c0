"""What ``lulc accuracy`` does: inputs of every kind to compared classes, tables and a report."""

from lulc_lib.accuracy.assess.assessment import (
    Assessment,  # the numbers of one accuracy assessment
    as_json,  # as plain values
    assess,  # comparison → assessment
)
from lulc_lib.accuracy.assess.confusion_inputs import (
    Comparison,  # a map compared with a reference: matrix or binary counts
    read_areas,  # mapped area of each class (CSV)
    read_comparison,  # matrix, pairs of classes or binary counts (CSV)
    read_names,  # names of the classes (JSON)
)
from lulc_lib.accuracy.assess.report import write_report  # assessment → HTML page
