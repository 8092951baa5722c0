"""Claims about the Earth Engine classifiers and about OA and mean ACC; like ``claim_tests``."""

from __future__ import annotations

from itertools import pairwise

from lulc_lib.accuracy.audit.claim_tests import Finding, column, each, verdict
from lulc_lib.accuracy.audit.corrected import Facts, key
from lulc_lib.accuracy.audit.one_against_all import MEAN, OVERALL, one_against_all, quantities
from lulc_lib.accuracy.uncertainty import wilson


def oa_formula(known: Facts) -> Finding:
    """Does TP ÷ n give the overall accuracy of the two-class example?"""
    first, n = known.binary.iloc[0], int(known.binary.iloc[0].sum())
    wrong, right = first.tp / n, known.binary.tp.sum() / n
    return verdict(abs(wrong - right) < 1e-9, False, f"TP ÷ n of one class is {wrong:.2f}, the "
                   f"share of right samples {right:.2f}")


def rf_best_oa(known: Facts) -> Finding:
    """Is RF's OA the highest, and outside SVM's interval?"""
    oa = column(known, OVERALL, "oa")
    ends = {name: wilson(int(c.tp.sum()), int(c.iloc[0].sum()))[1:]
            for name, c in known.points.items()}
    first = max(oa, key=oa.get) == "RF"
    words = [f"{name} {oa[name]:.3f} [{low:.3f}, {high:.3f}]" for name, (low, high) in ends.items()]
    return verdict(first and ends["SVM"][1] < oa["RF"], first,
                    "OA with 95 % intervals: " + ", ".join(words))


def mean_acc_misleads(known: Facts) -> Finding:
    """Is mean ACC near 0.95 and at least 0.1 above OA for every classifier?"""
    acc, oa = column(known, MEAN, "acc"), column(known, OVERALL, "oa")
    apart = [acc[name] - oa[name] > 0.1 and abs(acc[name] - 0.95) < 0.01 for name in acc]
    return verdict(all(apart), any(apart), f"mean ACC {each(acc)}; OA {each(oa)}; mean ACC = "
                    "1 − 2(1 − OA)/K whatever the map")


def acc_gap_grows(known: Facts) -> Finding:
    """Does the distance order as OA does, and does only the number of classes matter besides?"""
    tables = [*known.unet.values(), *known.gee.values()]
    pairs = sorted((t.oa[OVERALL], t.acc[MEAN] - t.oa[OVERALL]) for t in tables)
    falls = all(a[1] > b[1] for a, b in pairwise(pairs))
    words = [f"{oa:.3f} {gap:.3f}" for oa, gap in pairs]
    return verdict(falls, True, "mean ACC − OA = (1 − OA)(1 − 2/K); OA and distance: "
                    + ", ".join(words))


def acc_unbalanced(known: Facts) -> Finding:
    """Does mean ACC depend on anything but OA and K (on the class balance, say)?"""
    worst = 0.0
    for counts in (*map(one_against_all, known.matrices.values()), *known.points.values()):
        table = quantities(counts)
        classes = len(table) - 2
        worst = max(worst, abs(table.acc[MEAN] - (1 - 2 * (1 - table.oa[OVERALL]) / classes)))
    return verdict(worst > 1e-9, True, "mean ACC is 1 − 2(1 − OA)/K for all five maps (largest "
                    f"deviation {worst:.0e}): class sizes play no part")


def cart_balanced(known: Facts) -> Finding:
    """Are CART's three means within 0.01 of 0.77?"""
    means = known.gee["CART"].loc[MEAN, ["pa", "ua", "f1"]]
    return verdict(bool((abs(means - 0.77) < 0.01).all()), False,
                    "CART: " + each({c.upper(): v for c, v in means.items()}, 4))


def cart_rare(known: Facts) -> Finding:
    """Is CART's PA of the two classes high, shown by enough points, and better than the others'?"""
    words, lows, ahead = [], [], []
    for name in ("bare_soil", "quarry"):
        counts = known.points["CART"].loc[key(name)]
        support = int(counts.tp + counts.fn)
        _, low, high = wilson(int(counts.tp), support)
        lows.append(low)
        ahead.append(counts.tp / support >= known.gee_range(key(name), "pa")[1])
        words.append(f"{name}: {int(counts.tp)} of {support} points, PA [{low:.2f}, {high:.2f}], "
                     f"all three classifiers {each(column(known, key(name), 'pa'), 2)}")
    return verdict(all(ahead) and min(lows) > 0.8, all(ahead), "; ".join(words))


def rf_low_recall(known: Facts) -> Finding:
    """Is RF's mean PA the lowest of the three?"""
    pa = column(known, MEAN, "pa")
    return verdict(min(pa, key=pa.get) == "RF", False, "mean PA over the classes present: "
                    + each(pa, 4))


def rf_precision(known: Facts) -> Finding:
    """Is RF's mean UA above its mean PA and not the lowest of the three?"""
    ua, pa = column(known, MEAN, "ua"), column(known, MEAN, "pa")
    good = ua["RF"] > pa["RF"]
    return verdict(good and min(ua, key=ua.get) != "RF", good,
                    f"mean UA {each(ua, 4)}; mean PA of RF {pa['RF']:.4f}")


def svm_recall(known: Facts) -> Finding:
    """Is SVM's mean PA above RF's?"""
    pa = column(known, MEAN, "pa")
    return verdict(pa["SVM"] > pa["RF"], False, "mean PA " + each(pa, 4))


def svm_precision(known: Facts) -> Finding:
    """Is SVM's mean UA below the others' (or, more weakly, below its own PA)?"""
    ua, pa = column(known, MEAN, "ua"), column(known, MEAN, "pa")
    return verdict(max(ua, key=ua.get) != "SVM", ua["SVM"] < pa["SVM"],
                    f"mean UA {each(ua, 4)}; mean PA of SVM {pa['SVM']:.4f}")


def svm_f1(known: Facts) -> Finding:
    """Is SVM's mean F1 above CART's, and in most classes?"""
    f1 = column(known, MEAN, "f1")
    classes = known.points["SVM"].index
    higher = int((known.gee["SVM"].f1[classes] > known.gee["CART"].f1[classes]).sum())
    return verdict(f1["SVM"] > f1["CART"], higher > len(classes) / 2,
                    f"mean F1 {each(f1, 4)}; higher in {higher} of {len(classes)} classes")


def roads_gee(known: Facts) -> Finding:
    """Is F1 of roads below 0.60 for all three?"""
    f1 = column(known, key("road"), "f1")
    return verdict(max(f1.values()) < 0.6, min(f1.values()) < 0.6, "F1 of roads " + each(f1)
                    + f"; the network {known.unet[known.site()].f1[key('road')]:.3f}")
