"""Each claim of the paper takes each of its verdicts, on numbers made up for it."""

import numpy as np
import pandas as pd
import pytest

from lulc_lib import legend
from lulc_lib.accuracy.audit import claims
from lulc_lib.accuracy.audit.checks import Subject
from lulc_lib.accuracy.audit.printed import MEAN, OVERALL, one_against_all, quantities
from lulc_lib.accuracy.confusion import as_confusion
from lulc_lib.accuracy.uncertainty import wilson

WATER, QUARRY, ROAD, SOIL, GROWING, RIPE, FOREST = (str(legend.code(k)) for k in (
    "water", "quarry", "road", "bare_soil", "crops_growing", "crops_ripe", "mixed_forest"))
CLASSES = [WATER, QUARRY, ROAD, SOIL, GROWING, RIPE, FOREST]


def table(oa=0.8, **columns):
    """Metrics of every class, 0.9 but for what is given by column: class to value."""
    frame = pd.DataFrame(0.9, index=[*CLASSES, MEAN, OVERALL],
                         columns=["acc", "tnr", "pa", "ua", "f1", "oa"])
    frame["oa"] = oa
    for column, values in columns.items():
        for row, value in values.items():
            frame.loc[row, column] = value
    return frame


def points(tp=90, fp=10, fn=10, n=700):
    """Counts of a classifier, the same of each class."""
    frame = pd.DataFrame({"tp": tp, "fp": fp, "fn": fn}, index=CLASSES)
    return frame.assign(tn=n - frame.sum(axis=1))[["tp", "fp", "fn", "tn"]]


def facts(unet=None, gee=None, matrix=None, counts=None, binary=None, **more):
    gee = {name: (gee or {}).get(name, table()) for name in ("CART", "RF", "SVM")}
    counts = {name: (counts or {}).get(name, points()) for name in gee}
    matrix = as_confusion(np.eye(10, dtype=int), legend.CODES) if matrix is None else matrix
    return claims._Facts(unet or {"Here": table()}, gee, {"Here": matrix}, counts,
                         points() if binary is None else binary, **more)


def verdict(test, claim, **given):
    return test(facts(**given))[claim].verdict


def test_what_was_not_measured_is_not_tested():
    assert claims._training(facts())["generalises"] == (
        "not tested", "needs the share of test pixels labelled in training")


def test_a_class_without_reference_is_in_no_corrected_mean():
    """Class 2 is mapped once and has no reference; 18 of 20 pixels are right."""
    counts = one_against_all(as_confusion([[9, 0, 1], [1, 0, 0], [0, 0, 9]], [1, 2, 3]))
    said = dict.fromkeys((13, 14, 18, 19, 20), Subject(counts, {}))
    found = claims.corrected(said, {"Strzegom": (0.8, 0.95)}).set_index("about")
    assert found.classes.tolist() == [2] * 5 and found.n.tolist() == [20] * 5
    assert found.correct.tolist() == [18] * 5 and found.oa.tolist() == [0.9] * 5
    assert (found.oa_low[13], found.oa_high[13]) == (0.8, 0.95) and np.isnan(found.oa_low[14])
    np.testing.assert_allclose(found.loc[18, ["oa_low", "oa_high"]].astype(float),
                               wilson(18, 20)[1:])
    assert found.pa[20] == pytest.approx((9 / 10 + 9 / 10) / 2)
    assert found.loc[19, ["site", "classifier"]].tolist() == ["Strzegom", "RF"]


@pytest.mark.parametrize(("here", "there", "expected"), [
    ({WATER: 0.97, QUARRY: 0.98}, {WATER: 0.99, QUARRY: 0.97}, "supports"),
    ({WATER: 0.97, QUARRY: 0.98, ROAD: 0.975}, {WATER: 0.99, QUARRY: 0.97}, "weakens"),
    ({WATER: 0.97, QUARRY: 0.96}, {WATER: 0.99, QUARRY: 0.97}, "weakens"),
    ({WATER: 0.95, QUARRY: 0.96}, {WATER: 0.96, QUARRY: 0.95}, "reverses")])
def test_water_and_quarry(here, there, expected):
    found = claims._best_classes(facts({"Here": table(f1=here), "There": table(f1=there)}))
    conclusion = found["water_quarry_best"]
    assert conclusion.verdict == expected
    best = max({k: v for k, v in here.items() if k not in (WATER, QUARRY)}.values(), default=0.9)
    assert conclusion.because.startswith(
        f"F1 at Here: water {here[WATER]:.3f}, quarry {here[QUARRY]:.3f}, best other class "
        f"{best:.3f}; There: water {there[WATER]:.3f}")


@pytest.mark.parametrize(("claim", "column", "here", "there", "expected"), [
    ("roads_worst", "f1", 0.3, 0.2, "supports"), ("roads_worst", "f1", 0.3, 0.95, "weakens"),
    ("roads_worst", "f1", 0.95, 0.95, "reverses"), ("roads_low_ua", "ua", 0.8, 0.7, "supports"),
    ("roads_low_ua", "ua", 0.8, 0.9, "weakens"), ("roads_low_ua", "ua", 0.9, 0.95, "reverses")])
def test_roads_at_two_places(claim, column, here, there, expected):
    unet = {"Here": table(**{column: {ROAD: here}}), "There": table(**{column: {ROAD: there}})}
    found = claims._roads(facts(unet))[claim]
    assert found.verdict == expected
    missed = "(roads are missed rather than overmapped)" in found.because
    assert missed == (claim == "roads_low_ua" and expected == "reverses")


@pytest.mark.parametrize(("ours", "expected"), [
    (0.71, "supports"), (0.7, "weakens"), (0.51, "weakens"), (0.5, "reverses"), (0.4, "reverses")])
@pytest.mark.parametrize(("claim", "column"), [("roads_recall", "pa"), ("roads_f1_unet", "f1")])
def test_roads_against_the_others(claim, column, ours, expected):
    gee = {"CART": table(**{column: {ROAD: 0.5}}), "RF": table(**{column: {ROAD: 0.6}}),
           "SVM": table(**{column: {ROAD: 0.7}})}
    unet = {"Here": table(**{column: {ROAD: ours}})}
    assert verdict(claims._roads, claim, unet=unet, gee=gee) == expected


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0.4, 0.59, "supports"), (0.59, 0.6, "weakens"), (0.6, 0.7, "reverses")])
def test_roads_of_the_others(low, high, expected):
    gee = {"CART": table(f1={ROAD: low}), "RF": table(f1={ROAD: high}),
           "SVM": table(f1={ROAD: low})}
    found = claims._roads(facts(gee=gee))["roads_gee"]
    assert found.verdict == expected
    assert found.because == (f"F1 of roads CART {low:.3f}, RF {high:.3f}, SVM {low:.3f}; the "
                             "network 0.900")


@pytest.mark.parametrize(("there", "back", "expected"), [
    (5, 4, "supports"), (4, 4, "reverses"), (3, 4, "reverses")])
@pytest.mark.parametrize(("claim", "other"), [("growing_as_ripe", RIPE),
                                              ("growing_as_forest", FOREST)])
def test_growing_crops(claim, other, there, back, expected):
    matrix = as_confusion(np.eye(10, dtype=int), legend.CODES)
    matrix.loc[int(other), int(GROWING)], matrix.loc[int(GROWING), int(other)] = there, back
    found = claims._crops_mixed(facts(matrix=matrix))[claim]
    assert found.verdict == expected
    assert found.because.startswith(f"{there} pixels of growing crops mapped as ")
    assert found.because.endswith(f", {back} the other way round")


def means(**of):
    """Tables of CART, RF and SVM with these means, (PA, UA, F1)."""
    return {name: table(pa={MEAN: pa}, ua={MEAN: ua}, f1={MEAN: f1})
            for name, (pa, ua, f1) in of.items()}


@pytest.mark.parametrize(("claim", "cart", "forest", "machine", "expected"), [
    ("cart_balanced", (0.771, 0.769, 0.7799), (0, 0, 0), (0, 0, 0), "supports"),
    ("cart_balanced", (0.771, 0.769, 0.7801), (0, 0, 0), (0, 0, 0), "reverses"),
    ("rf_low_recall", (0.8, 0, 0), (0.7, 0, 0), (0.9, 0, 0), "supports"),
    ("rf_low_recall", (0.8, 0, 0), (0.85, 0, 0), (0.9, 0, 0), "reverses"),
    ("rf_precision", (0, 0.5, 0), (0.7, 0.71, 0), (0, 0.8, 0), "supports"),
    ("rf_precision", (0, 0.9, 0), (0.7, 0.71, 0), (0, 0.8, 0), "weakens"),
    ("rf_precision", (0, 0.5, 0), (0.7, 0.7, 0), (0, 0.8, 0), "reverses"),
    ("svm_recall", (0, 0, 0), (0.7, 0, 0), (0.71, 0, 0), "supports"),
    ("svm_recall", (0, 0, 0), (0.7, 0, 0), (0.7, 0, 0), "reverses"),
    ("svm_precision", (0, 0.9, 0), (0, 0, 0), (0.5, 0.8, 0), "supports"),
    ("svm_precision", (0, 0.7, 0), (0, 0, 0), (0.9, 0.8, 0), "weakens"),
    ("svm_precision", (0, 0.7, 0), (0, 0, 0), (0.8, 0.8, 0), "reverses")])
def test_means(claim, cart, forest, machine, expected):
    gee = means(CART=cart, RF=forest, SVM=machine)
    assert verdict(claims._means, claim, gee=gee) == expected


@pytest.mark.parametrize(("mean", "higher", "expected"), [
    (0.91, 0, "supports"), (0.9, 4, "weakens"), (0.9, 3, "reverses")])
def test_the_machines_f1(mean, higher, expected):
    svm = table(f1={MEAN: mean, **dict.fromkeys(CLASSES[:higher], 0.95)})
    found = claims._means(facts(gee={"SVM": svm}))["svm_f1"]
    assert found.verdict == expected
    assert found.because.endswith(f"; higher in {higher} of 7 classes")


@pytest.mark.parametrize(("pa", "expected"), [(0.91, "supports"), (0.9, "reverses")])
def test_mean_pa_and_ua(pa, expected):
    found = claims._means(facts({"Here": table(pa={MEAN: pa})}))["mean_pa_ua"]
    assert found == (expected, f"mean PA {pa:.4f}, mean UA 0.9000")


@pytest.mark.parametrize(("overlap", "expected"), [
    ({}, "not tested"), ({"Here": 0.049}, "supports"), ({"Here": 0.01, "There": 0.05}, "weakens")])
def test_places_seen_in_training(overlap, expected):
    found = claims._training(facts(overlap=overlap))["generalises"]
    assert found.verdict == expected
    if overlap:
        assert found.because.endswith(": " + ", ".join(f"{k} {v:.3f}" for k, v in overlap.items()))


@pytest.mark.parametrize(("names", "expected"), [
    (["Nowhere"], "supports"), (["Strzegom", "Nowhere"], "weakens"), (["Strzegom"], "reverses")])
def test_training_scenes_at_the_test_sites(names, expected):
    found = claims._training(facts({name: table() for name in names}))["training_apart"]
    assert found.verdict == expected
    assert "Nowhere 0" in found.because or expected == "reverses"


@pytest.mark.parametrize(("oa", "expected"), [
    ((0.6, 0.9, 0.5), "supports"), ((0.51, 0.52, 0.5), "weakens"),
    ((0.9, 0.8, 0.5), "reverses")])
def test_the_best_overall_accuracy(oa, expected):
    """SVM: 350 of 700 points are right, whose interval ends at 0.537."""
    gee = {name: table(oa=value) for name, value in zip(("CART", "RF", "SVM"), oa, strict=True)}
    counts = {"SVM": points(tp=50, fp=25, fn=25)}
    found = claims._overall(facts(gee=gee, counts=counts))["rf_best_oa"]
    assert found.verdict == expected
    assert "SVM 0.500 [0.463, 0.537]" in found.because


def test_tp_divided_by_n():
    binary = points(tp=50, fp=25, fn=25).iloc[:2]
    found = claims._overall(facts(binary=binary))["oa_formula"]
    assert found == ("reverses", "TP ÷ n of one class is 0.07, the share of right samples 0.14")
    assert verdict(claims._overall, "oa_formula", binary=binary.iloc[:1]) == "supports"


@pytest.mark.parametrize(("ours", "expected"), [
    (0.97, "supports"), (0.96, "weakens"), (0.85, "weakens"), (0.8, "reverses")])
def test_the_gain_of_quarries(ours, expected):
    """PA and UA of 90 of 100 points end at 0.945: 0.97 is outside; F1 must be above all three."""
    gee = dict.fromkeys(("CART", "RF", "SVM"), table(f1={QUARRY: 0.8}))
    other = {"pa": 0.97, "ua": 0.9 if expected == "weakens" else 0.97}
    unet = {"Here": table(f1={QUARRY: ours}, **{k: {QUARRY: v} for k, v in other.items()})}
    found = claims._quarry_gain(facts(unet, gee=gee))["quarry_gain"]
    assert found.verdict == expected
    assert (", whose intervals hold the network's PA or UA" in found.because) == (
        expected == "weakens")
    assert "from 100 points" in found.because


@pytest.mark.parametrize(("gain", "expected"), [
    (0.3, "supports"), (0.11, "weakens"), (0.0, "reverses"), (-0.1, "reverses")])
def test_gains_of_classes(gain, expected):
    """Half of 42 differences: PA alone is 21, which is not more than half."""
    unet = {"Here": table(oa=0.95, pa=dict.fromkeys(CLASSES, 0.9 + gain),
                          ua=dict.fromkeys(CLASSES, 0.9 + gain))}
    found = claims._class_gains(facts(unet))
    assert found.verdict == expected
    assert found.because.startswith("of 42 differences")
    half = {"Here": table(oa=0.95, pa=dict.fromkeys(CLASSES, 1.3))}
    assert claims._class_gains(facts(half)).verdict == "reverses"
    assert "21 are larger than the gain in OA, 21 above 0" in claims._class_gains(
        facts(half)).because


@pytest.mark.parametrize(("oa", "interval", "others", "expected"), [
    # OA of the others .8, whose points end at .9 + .02; the network's lower end makes the rest
    (0.95, (0.949, 0.951), 0, ("supports", "weakens")),
    (0.95, (0.949, 0.951), 1, ("weakens", "weakens")),
    (0.95, (0.80, 0.96), 0, ("supports", "reverses")),
    (0.80, (0.79, 0.81), 0, ("reverses", "reverses"))])
def test_the_gain_in_overall_accuracy(oa, interval, others, expected):
    unet = {"Here": table(oa=oa)} | {f"There {k}": table() for k in range(others)}
    found = claims._network_against_gee(facts(unet, oa_interval={"Here": interval}))
    assert (found["outperforms_both"].verdict, found["oa_gain"].verdict) == expected


def test_the_gain_must_be_that_large_at_its_lower_end():
    """With a hundred thousand points the interval is narrow enough for 13 to 18 points."""
    many = {name: points(tp=800_000, fp=1, fn=1, n=7_000_000) for name in ("CART", "RF", "SVM")}
    exact = {"oa_interval": {"Here": (0.95, 0.95)}, "counts": many}
    assert verdict(claims._network_against_gee, "oa_gain", unet={"Here": table(oa=0.95)},
                   **exact) == "supports"
    for oa in (0.99, 0.92):
        assert verdict(claims._network_against_gee, "oa_gain", unet={"Here": table(oa=oa)},
                       oa_interval={"Here": (oa, oa)}, counts=many) == "weakens"


@pytest.mark.parametrize(("ua", "expected"), [(0.89, "supports"), (0.9, "reverses")])
def test_precision_of_soil_and_pits(ua, expected):
    gee = dict.fromkeys(("CART", "RF", "SVM"), table(ua={SOIL: ua, QUARRY: ua}))
    assert verdict(claims._soil_and_pits, "soil_pit_precision", gee=gee) == expected
    gee["SVM"] = table(ua={SOIL: 0.95, QUARRY: 0.5})
    assert verdict(claims._soil_and_pits, "soil_pit_precision", gee=gee) == "weakens"


@pytest.mark.parametrize(("tp", "fn", "pa", "expected"), [
    (900, 100, 0.9, "supports"), (9, 1, 0.9, "weakens"), (90, 10, 0.91, "reverses")])
def test_rare_classes_of_cart(tp, fn, pa, expected):
    counts = {"CART": points(n=3000)}
    counts["CART"].loc[[SOIL, QUARRY], ["tp", "fn"]] = tp, fn
    gee = {"RF": table(pa={SOIL: pa, QUARRY: pa})}
    gee["CART"] = gee["SVM"] = table(pa={SOIL: 0.5, QUARRY: 0.5})
    found = claims._soil_and_pits(facts(gee=gee, counts=counts))["cart_rare"]
    assert found.verdict == expected
    assert f"bare soil: {tp} of {tp + fn} points, PA [" in found.because


@pytest.mark.parametrize(("soil", "road", "size", "expected"), [
    (4, 5, 10, "supports"), (5, 4, 100, "weakens"), (5, 4, 10, "reverses")])
def test_soil_kept_apart_from_pits(soil, road, size, expected):
    matrix = as_confusion(np.eye(10, dtype=int), legend.CODES)
    matrix.loc[int(QUARRY), int(SOIL)], matrix.loc[int(QUARRY), int(ROAD)] = soil, road
    matrix.loc[int(SOIL), int(SOIL)] = size - soil
    matrix.loc[int(SOIL), int(QUARRY)] = 3
    found = claims._soil_and_pits(facts(matrix=matrix))["soil_pit_apart"]
    assert found == (expected, f"{soil} of the 9 pixels wrongly mapped as quarry are bare soil "
                     f"({soil / size:.1%} of it); 3 quarry pixels are mapped as bare soil")


def test_mean_acc_depends_on_oa_and_the_number_of_classes_alone():
    """And would not, if a table were made up that breaks the identity."""
    rng = np.random.default_rng(3)
    matrix = as_confusion(rng.integers(1, 50, (10, 10)), legend.CODES)
    real = quantities(one_against_all(matrix))
    counts = one_against_all(matrix)
    made = claims._Facts({"Here": real}, dict.fromkeys(("CART", "RF", "SVM"), real),
                         {"Here": matrix}, dict.fromkeys(("CART", "RF", "SVM"), counts), counts)
    found = claims._mean_acc(made)
    assert found["acc_unbalanced"].verdict == "weakens"
    deviation = found["acc_unbalanced"].because.partition("deviation ")[2].partition(")")[0]
    assert float(deviation) < 1e-9
    broken = claims._Facts(made.unet, made.gee, made.matrices,
                           made.points | {"RF": counts.assign(tn=counts.tn + 999)}, counts)
    assert claims._mean_acc(broken)["acc_unbalanced"].verdict == "supports"


@pytest.mark.parametrize(("acc", "oa", "expected"), [
    ((0.95, 0.955, 0.945), 0.8, "supports"), ((0.95, 0.97, 0.945), 0.8, "weakens"),
    ((0.95, 0.97, 0.945), 0.87, "reverses"), ((0.92, 0.97, 0.98), 0.7, "reverses")])
def test_mean_acc_misleads(acc, oa, expected):
    gee = {name: table(oa=oa, acc={MEAN: value})
           for name, value in zip(("CART", "RF", "SVM"), acc, strict=True)}
    assert verdict(claims._mean_acc, "mean_acc_misleads", gee=gee) == expected


@pytest.mark.parametrize(("gap", "expected"), [(0.05, "supports"), (0.3, "weakens")])
def test_the_distance_of_acc_grows_as_oa_falls(gap, expected):
    """The others lie 0.1 and more away; the network, with the highest OA, must lie closer."""
    gee = {name: table(oa=oa, acc={MEAN: oa + distance}) for name, oa, distance in (
        ("CART", 0.8, 0.1), ("RF", 0.79, 0.11), ("SVM", 0.78, 0.12))}
    unet = {"Here": table(oa=0.9, acc={MEAN: 0.9 + gap})}
    assert verdict(claims._mean_acc, "acc_gap_grows", unet=unet, gee=gee) == expected
    gee["CART"] = gee["RF"]  # as far, and so no farther
    assert verdict(claims._mean_acc, "acc_gap_grows", unet=unet, gee=gee) == "weakens"
