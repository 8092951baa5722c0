"""Confusion matrices, metrics and their uncertainty, from numpy and pandas alone.

Rooms of their own: ``published`` (the paper's tables), ``audit`` (each printed number computed
again), ``lesson`` (the counts of notebooks 05a and 05b) and ``assess`` (what ``lulc accuracy``
does).
"""

from lulc_lib.accuracy import audit, calibration, lesson, published, splits
from lulc_lib.accuracy.area import (
    area_adjusted,  # estimates from a sample stratified by map class
    area_adjusted_strata,  # the same from any strata
)
from lulc_lib.accuracy.calibration import (
    Reliability,  # sums of a reliability diagram
    expected_calibration_error,
)
from lulc_lib.accuracy.confusion import (
    as_confusion,  # counts with the map in rows, axes named
    check_confusion,  # refuse a matrix that does not state its orientation
    confusion_by_group,  # one matrix per polygon
    confusion_from_labels,  # pairs of any labels
    confusion_matrix,  # two rasters of legend codes
    from_accuracy_checker,  # matrices of other tools, turned
    from_earth_engine,
    from_reference_rows,
    from_sklearn,
)
from lulc_lib.accuracy.metrics import (
    METRICS,  # every metric with formula, range, synonyms and source
    PER_CLASS,  # the names of those that each class has
    averages,  # macro, micro and weighted means, and what they average
    averages_of_parts,
    binary_metrics,  # per-class metrics from TP, FP, FN, TN
    binary_parts,  # TP, FP, FN, TN of each class
    describe,  # one paragraph on a metric
    disagreement,  # quantity and allocation
    kappa,
    macro_f1,
    macro_f1_two_ways,
    overall_accuracy,
    per_class,  # support and every metric of each class
    summary,  # n, OA and macro F1
)
from lulc_lib.accuracy.sampling import (
    count_labelled,  # a labelled sample, and its non-response
    design_sample,  # how many points each class of a map gets
    draw_ranks,  # which of its pixels
    expected_se,  # of overall accuracy
    sample_size,  # from a target standard error
)
from lulc_lib.accuracy.splits import (
    QUADRANTS,
    SEASON_GROUPS,  # dates that are left out together
    SEASONS,
    Fold,  # what a training must not see
    label_clusters,
    make_fold,  # a season, a place or both held out
    refuse_leak,  # name the date and pixel that a training must not see
)
from lulc_lib.accuracy.uncertainty import (
    both_right,  # where two maps are right
    cluster_bootstrap,  # intervals from whole polygons
    design_effect,  # what pixels in polygons are worth
    mcnemar,
    paired_cluster_bootstrap,  # the difference of two maps
    redrawn_macro_f1,  # of a classifier known by its counts alone
    reweighted_accuracy,  # OA on another mix of classes
    wilson,  # interval of a proportion of independent points
)
