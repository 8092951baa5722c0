"""What the paper says about its numbers, each sentence tied to a computation on corrected ones.

``published/claims.csv`` lists the claims in short words with their section; for each there is a
function here that has the claim's id. It takes the :class:`Facts` and returns ``supports``,
``weakens`` (true only in part, or not shown by these data) or ``reverses`` (the numbers order the
other way), and the numbers that say so. Nothing is decided by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import pandas as pd

from lulc_lib import legend
from lulc_lib.accuracy.audit.checks import Subject
from lulc_lib.accuracy.audit.printed import MEAN, METRICS, OVERALL, one_against_all, quantities
from lulc_lib.accuracy.published import claims, index, training_scenes
from lulc_lib.accuracy.uncertainty import wilson

_SHARED = 0.05
"""Share of test pixels labelled in training from which a test area is no longer unseen."""


@dataclass(frozen=True)
class Facts:
    """The corrected numbers that the claims are tested on.

    By site: ``unet``, the metrics of ``quantities``; ``matrices``, confusion matrices;
    ``training``, the number of training scenes; ``overlap``, the share of the reference test pixels
    labelled in training; ``oa_interval``, 95 % interval of the network's OA from whole polygons
    (else the binomial one is used). By classifier: ``gee``, the metrics; ``points``, the counts.
    ``binary``: counts of the two-class example.
    """

    unet: Mapping[str, pd.DataFrame]
    gee: Mapping[str, pd.DataFrame]
    matrices: Mapping[str, pd.DataFrame]
    points: Mapping[str, pd.DataFrame]
    training: Mapping[str, int]
    binary: pd.DataFrame
    overlap: Mapping[str, float] = field(default_factory=dict)
    oa_interval: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def gee_column(self, row: str, metric: str) -> dict[str, float]:
        """Look up one metric of the three Earth Engine classifiers, by classifier."""
        return {name: float(table.loc[row, metric]) for name, table in self.gee.items()}

    def gee_range(self, row: str, metric: str) -> tuple[float, float]:
        """Find the lowest and highest value of the three Earth Engine classifiers."""
        values = self.gee_column(row, metric).values()
        return min(values), max(values)

    @property
    def site(self) -> str:
        """The site where both approaches were tested (the first matrix of the paper)."""
        return next(iter(self.unet))

    @property
    def ours(self) -> pd.DataFrame:
        """The network's metrics at that site."""
        return self.unet[self.site]


class Conclusion(NamedTuple):
    """What a claim's computation says: the verdict and the numbers behind it in words."""

    verdict: Literal["supports", "weakens", "reverses", "not tested"]
    because: str


def assess_claims(
    subjects: Mapping[int, Subject], overlap: Mapping[str, float] | None = None,
    oa_interval: Mapping[str, tuple[float, float]] | None = None,
) -> list[dict[str, Any]]:
    """Give every claim of the paper its verdict on the corrected numbers.

    ``overlap`` and ``oa_interval`` as in :class:`Facts`; without ``overlap`` the claim that rests
    on it is ``not tested``. ``as_printed`` is the verdict that the same computation gives on the
    numbers as the paper prints them.
    """
    right, as_printed = (_facts(subjects, overlap, oa_interval, which)
                         for which in ("right", "as_printed"))
    assessed = []
    for claim in claims().itertuples():
        test = globals()[claim.id]
        assessed.append({"id": claim.id, "section": claim.section, "claim": claim.claim,
                         **test(right)._asdict(), "as_printed": test(as_printed).verdict})
    return assessed


def corrected(subjects: Mapping[int, Subject]) -> pd.DataFrame:
    """Make the summary the paper should have: means over the classes present, OA with interval.

    The interval is Wilson's, 95 %: right for independent points, far too narrow for the pixels of
    polygons.
    """
    table, rows = index(), []
    for n in (13, 14, 18, 19, 20):
        counts, right = subjects[n].counts, subjects[n].right
        total, correct = int(counts.iloc[0].sum()), int(counts.tp.sum())
        _, low, high = wilson(correct, total)
        rows.append({"about": n, "site": table.site[n], "classifier": table.classifier[n],
                     "n": total, "correct": correct,
                     "classes": int((counts.tp + counts.fn > 0).sum()),
                     "oa": right.loc[OVERALL, "oa"], "oa_low": low, "oa_high": high,
                     **right.loc[MEAN, list(METRICS)].to_dict()})
    return pd.DataFrame(rows)


def _facts(
    subjects: Mapping[int, Subject], overlap: Mapping[str, float] | None,
    oa_interval: Mapping[str, tuple[float, float]] | None, which: str,
) -> Facts:
    """Gather the paper's numbers, ``right`` or ``as_printed``."""
    table = index()
    sites = {table.site[n]: subjects[n] for n in subjects if table.site[n] and n < 15}
    classifiers = {table.classifier[n]: subjects[n] for n in subjects if n > 17}
    return Facts(
        {name: getattr(s, which) for name, s in sites.items()},
        {name: getattr(s, which) for name, s in classifiers.items()},
        {name: s.matrix for name, s in sites.items()},
        {name: s.counts for name, s in classifiers.items()},
        training_scenes().site.value_counts().to_dict(),
        subjects[7].counts,
        dict(overlap or {}), dict(oa_interval or {}),
    )


def _key(name: str) -> str:
    """Row label of a class in the tables, by its key in the legend."""
    return str(legend.code(name))


def _conclude(holds: bool, partly: bool, because: str) -> Conclusion:
    """``supports`` if the claim holds, ``weakens`` if only partly, else ``reverses``."""
    return Conclusion("supports" if holds else "weakens" if partly else "reverses", because)


def _each(values: Mapping[str, float], digits: int = 3) -> str:
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())


def training_apart(facts: Facts) -> Conclusion:
    """Test whether the paper's own list of training scenes leaves the test sites out."""
    scenes = {site: facts.training.get(site, 0) for site in facts.unet}
    return _conclude(not any(scenes.values()), not all(scenes.values()),
                     "training scenes at the test sites: " + _each(scenes, 0))


def generalises(facts: Facts) -> Conclusion:
    """Test whether the test pixels were unlabelled in training."""
    if not facts.overlap:
        return Conclusion("not tested", "needs the share of test pixels labelled in training")
    return _conclude(max(facts.overlap.values()) < _SHARED, True, "not shown: share of the test "
                     "pixels that were labelled in training: " + _each(dict(facts.overlap)))


def mean_pa_ua(facts: Facts) -> Conclusion:
    """Test whether mean PA is above mean UA at the first site."""
    pa, ua = facts.ours.loc[MEAN, ["pa", "ua"]]
    return _conclude(pa > ua, False, f"mean PA {pa:.4f}, mean UA {ua:.4f}")


def water_quarry_best(facts: Facts) -> Conclusion:
    """Test whether both classes are above 0.96, and the best two, wherever they occur."""
    above, best, words = [], [], []
    for site, table in facts.unet.items():
        f1 = table.f1.drop([MEAN, OVERALL])
        ours = f1[f1.index.isin([_key("water"), _key("quarry")])]
        above += list(ours > 0.96)
        best.append(set(f1.nlargest(len(ours)).index) == set(ours.index))
        names = {_key("water"): "water", _key("quarry"): "quarry"}
        words.append(f"{site}: {_each({names[c]: v for c, v in ours.items()})}, best other class "
                     f"{f1.drop(ours.index).max():.3f}")
    return _conclude(all(above) and all(best), any(above), "F1 at " + "; ".join(words))


def roads_worst(facts: Facts) -> Conclusion:
    """Test whether road F1 is the lowest at every site."""
    road = _key("road")
    worst = {site: table.f1.drop([MEAN, OVERALL]).idxmin() == road
             for site, table in facts.unet.items()}
    return _conclude(all(worst.values()), any(worst.values()), "F1 of roads: " + _each(
        {site: table.f1[road] for site, table in facts.unet.items()}))


def roads_low_ua(facts: Facts) -> Conclusion:
    """Test whether UA of roads is the lower one of UA and PA."""
    rows = {site: table.loc[_key("road")] for site, table in facts.unet.items()}
    lower = [row.ua < row.pa for row in rows.values()]
    return _conclude(all(lower), any(lower), "; ".join(
        f"{site}: UA {row.ua:.4f}, PA {row.pa:.4f}" for site, row in rows.items())
        + " (roads are missed rather than overmapped)" * (not any(lower)))


def roads_recall(facts: Facts) -> Conclusion:
    """Test whether the network's PA of roads is above the Earth Engine classifiers'."""
    ours, (low, high) = facts.ours.pa[_key("road")], facts.gee_range(_key("road"), "pa")
    return _conclude(ours > high, ours > low, f"PA of roads {ours:.3f} against "
                     + _each(facts.gee_column(_key("road"), "pa")))


def roads_f1_unet(facts: Facts) -> Conclusion:
    """Test whether the network's F1 of roads is above the Earth Engine classifiers'."""
    ours, (low, high) = facts.ours.f1[_key("road")], facts.gee_range(_key("road"), "f1")
    return _conclude(ours > high, ours > low, f"F1 of roads {ours:.3f} against "
                     + _each(facts.gee_column(_key("road"), "f1")))


def outperforms_both(facts: Facts) -> Conclusion:
    """Test whether the comparison was made at every test site."""
    ours, (_, high) = facts.ours.oa[OVERALL], facts.gee_range(OVERALL, "oa")
    others = [site for site in facts.unet if site != facts.site]
    return _conclude(ours > high and not others, ours > high, f"OA at {facts.site} {ours:.4f} "
                     f"against {high:.4f} at most; no Earth Engine result at {', '.join(others)}")


def oa_gain(facts: Facts) -> Conclusion:
    """Test whether the differences, with their intervals, lie between 13 and 18 points."""
    site, table = facts.site, facts.ours
    n, ours = int(facts.matrices[site].to_numpy().sum()), float(table.oa[OVERALL])
    low = (facts.oa_interval.get(site) or wilson(round(ours * n), n)[1:])[0]
    gains = {name: ours - oa for name, oa in facts.gee_column(OVERALL, "oa").items()}
    lows = {}
    for name, counts in facts.points.items():  # Newcombe's interval of a difference of two shares
        right, points = int(counts.tp.sum()), int(counts.iloc[0].sum())
        upper = wilson(right, points).high
        lows[name] = gains[name] - ((ours - low) ** 2 + (upper - right / points) ** 2) ** 0.5
    inside = all(0.13 <= gain <= 0.18 for gain in gains.values())
    others = {s: t.oa[OVERALL] - facts.gee_range(OVERALL, "oa")[1]
              for s, t in facts.unet.items() if s != site}
    return _conclude(inside and min(lows.values()) >= 0.13, min(lows.values()) > 0,
                     f"difference at {site}: {_each(gains)}, lower ends (95 %): {_each(lows)}; two "
                     "different references; against the best classifier at another site: "
                     + _each(others))


def class_gains(facts: Facts) -> Conclusion:
    """Test whether PA and UA of the classes gain more than OA over every classifier."""
    ours, larger, positive, cells = facts.ours, 0, 0, 0
    for table in facts.gee.values():
        rows = ours.index.intersection(table.index).drop([MEAN, OVERALL])
        gain = (ours.loc[rows, ["pa", "ua"]] - table.loc[rows, ["pa", "ua"]]).to_numpy()
        larger += int((gain > ours.oa[OVERALL] - table.oa[OVERALL]).sum())
        positive, cells = positive + int((gain > 0).sum()), cells + gain.size
    return _conclude(larger > cells / 2, positive > cells / 2, f"of {cells} differences (PA and UA "
                    f"by class and classifier) {larger} are larger than the gain in OA, {positive} "
                     "above 0")


def soil_pit_precision(facts: Facts) -> Conclusion:
    """Test whether the Earth Engine classifiers' UA of both classes is below the network's."""
    below, words = [], []
    for name in ("bare_soil", "quarry"):
        ours, theirs = facts.ours.ua[_key(name)], facts.gee_column(_key(name), "ua")
        below += [value < ours for value in theirs.values()]
        points = [int(c.loc[_key(name), ["tp", "fp"]].sum()) for c in facts.points.values()]
        words.append(f"UA of {name}: {_each(theirs)} from {min(points)} to {max(points)} points, "
                     f"the network {ours:.3f}")
    return _conclude(all(below), any(below), "; ".join(words))


def quarry_gain(facts: Facts) -> Conclusion:
    """Test whether the network's F1 of quarries is higher, its PA and UA outside theirs."""
    ours, quarry = facts.ours.loc[_key("quarry")], _key("quarry")
    theirs, within = facts.gee_column(quarry, "f1"), False
    for counts in (c.loc[quarry] for c in facts.points.values()):
        for metric, miss in (("pa", counts.fn), ("ua", counts.fp)):
            _, low, high = wilson(int(counts.tp), int(counts.tp + miss))
            within |= bool(low <= ours[metric] <= high)
    better = ours.f1 > max(theirs.values())
    points = sum(facts.points["RF"].loc[quarry, ["tp", "fn"]])
    note = ", whose intervals hold the network's PA or UA" if within else ""
    return _conclude(better and not within, better, f"F1 {ours.f1:.3f} against {_each(theirs)} "
                     f"from {points} points{note}")


def soil_pit_apart(facts: Facts) -> Conclusion:
    """Test whether bare soil is a small part of what is wrongly mapped as quarry."""
    matrix = facts.matrices[facts.site]
    soil, quarry = int(_key("bare_soil")), int(_key("quarry"))
    wrong = int(matrix.loc[quarry].sum() - matrix.loc[quarry, quarry])
    mixed, there = int(matrix.loc[quarry, soil]), int(matrix[soil].sum())
    back = int(matrix.loc[soil, quarry])
    largest = matrix.loc[quarry].drop(quarry).idxmax() == soil
    return _conclude(not largest, mixed / there < 0.1, f"{mixed} of the {wrong} pixels wrongly "
                     f"mapped as quarry are bare soil ({mixed / there:.1%} of it); {back} quarry "
                     "pixels are mapped as bare soil")


def growing_as_ripe(facts: Facts) -> Conclusion:
    """Test whether more growing crops are mapped as ripe ones than the other way round."""
    return _mixed(facts, "crops_growing", "crops_ripe")


def growing_as_forest(facts: Facts) -> Conclusion:
    """Test whether more growing crops are mapped as mixed forest than the other way."""
    return _mixed(facts, "crops_growing", "mixed_forest")


def _mixed(facts: Facts, reference: str, mapped: str) -> Conclusion:
    matrix = facts.matrices[facts.site]
    there = int(matrix.loc[int(_key(mapped)), int(_key(reference))])
    back = int(matrix.loc[int(_key(reference)), int(_key(mapped))])
    return _conclude(there > back, False, f"{there} pixels of {reference} mapped as {mapped}, "
                     f"{back} the other way round")


def oa_formula(facts: Facts) -> Conclusion:
    """Test whether TP ÷ n gives the overall accuracy of the two-class example."""
    first, n = facts.binary.iloc[0], int(facts.binary.iloc[0].sum())
    wrong, right = first.tp / n, facts.binary.tp.sum() / n
    return _conclude(abs(wrong - right) < 1e-9, False, f"TP ÷ n of one class is {wrong:.2f}, the "
                   f"share of right samples {right:.2f}")


def rf_best_oa(facts: Facts) -> Conclusion:
    """Test whether RF's OA is the highest, and outside SVM's interval."""
    oa = facts.gee_column(OVERALL, "oa")
    ends = {name: wilson(int(c.tp.sum()), int(c.iloc[0].sum()))[1:]
            for name, c in facts.points.items()}
    first = max(oa, key=oa.get) == "RF"
    words = [f"{name} {oa[name]:.3f} [{low:.3f}, {high:.3f}]" for name, (low, high) in ends.items()]
    return _conclude(first and ends["SVM"][1] < oa["RF"], first,
                     "OA with 95 % intervals: " + ", ".join(words))


def mean_acc_misleads(facts: Facts) -> Conclusion:
    """Test whether mean ACC is near 0.95 and at least 0.1 above every classifier's OA."""
    acc, oa = facts.gee_column(MEAN, "acc"), facts.gee_column(OVERALL, "oa")
    apart = [acc[name] - oa[name] > 0.1 and abs(acc[name] - 0.95) < 0.01 for name in acc]
    return _conclude(all(apart), any(apart), f"mean ACC {_each(acc)}; OA {_each(oa)}; mean ACC = "
                     "1 − 2(1 − OA)/K whatever the map")


def acc_gap_grows(facts: Facts) -> Conclusion:
    """Test whether the distance orders as OA does, with only the number of classes besides."""
    tables = [*facts.unet.values(), *facts.gee.values()]
    pairs = sorted((t.oa[OVERALL], t.acc[MEAN] - t.oa[OVERALL]) for t in tables)
    falls = all(a[1] > b[1] for a, b in pairwise(pairs))
    words = [f"{oa:.3f} {gap:.3f}" for oa, gap in pairs]
    return _conclude(falls, True, "mean ACC − OA = (1 − OA)(1 − 2/K); OA and distance: "
                     + ", ".join(words))


def acc_unbalanced(facts: Facts) -> Conclusion:
    """Test whether mean ACC depends on anything but OA and K (on the class balance, say)."""
    worst = 0.0
    for counts in (*map(one_against_all, facts.matrices.values()), *facts.points.values()):
        table = quantities(counts)
        classes = len(table) - 2
        worst = max(worst, abs(table.acc[MEAN] - (1 - 2 * (1 - table.oa[OVERALL]) / classes)))
    return _conclude(worst > 1e-9, True, "mean ACC is 1 − 2(1 − OA)/K for all five maps (largest "
                     f"deviation {worst:.0e}): class sizes play no part")


def cart_balanced(facts: Facts) -> Conclusion:
    """Test whether CART's three means are within 0.01 of 0.77."""
    means = facts.gee["CART"].loc[MEAN, ["pa", "ua", "f1"]]
    return _conclude(bool((abs(means - 0.77) < 0.01).all()), False,
                     "CART: " + _each({c.upper(): v for c, v in means.items()}, 4))


def cart_rare(facts: Facts) -> Conclusion:
    """Test whether CART's PA of both classes is high, from enough points, and the best."""
    words, lows, ahead = [], [], []
    for name in ("bare_soil", "quarry"):
        counts = facts.points["CART"].loc[_key(name)]
        support = int(counts.tp + counts.fn)
        _, low, high = wilson(int(counts.tp), support)
        lows.append(low)
        ahead.append(counts.tp / support >= facts.gee_range(_key(name), "pa")[1])
        words.append(f"{name}: {int(counts.tp)} of {support} points, PA [{low:.2f}, {high:.2f}], "
                     f"all three classifiers {_each(facts.gee_column(_key(name), 'pa'), 2)}")
    return _conclude(all(ahead) and min(lows) > 0.8, all(ahead), "; ".join(words))


def rf_low_recall(facts: Facts) -> Conclusion:
    """Test whether RF's mean PA is the lowest of the three."""
    pa = facts.gee_column(MEAN, "pa")
    return _conclude(min(pa, key=pa.get) == "RF", False, "mean PA over the classes present: "
                     + _each(pa, 4))


def rf_precision(facts: Facts) -> Conclusion:
    """Test whether RF's mean UA is above its mean PA and not the lowest of the three."""
    ua, pa = facts.gee_column(MEAN, "ua"), facts.gee_column(MEAN, "pa")
    good = ua["RF"] > pa["RF"]
    return _conclude(good and min(ua, key=ua.get) != "RF", good,
                     f"mean UA {_each(ua, 4)}; mean PA of RF {pa['RF']:.4f}")


def svm_recall(facts: Facts) -> Conclusion:
    """Test whether SVM's mean PA is above RF's."""
    pa = facts.gee_column(MEAN, "pa")
    return _conclude(pa["SVM"] > pa["RF"], False, "mean PA " + _each(pa, 4))


def svm_precision(facts: Facts) -> Conclusion:
    """Test whether SVM's mean UA is below the others' (or, more weakly, its own PA)."""
    ua, pa = facts.gee_column(MEAN, "ua"), facts.gee_column(MEAN, "pa")
    return _conclude(max(ua, key=ua.get) != "SVM", ua["SVM"] < pa["SVM"],
                     f"mean UA {_each(ua, 4)}; mean PA of SVM {pa['SVM']:.4f}")


def svm_f1(facts: Facts) -> Conclusion:
    """Test whether SVM's mean F1 is above CART's, and in most classes."""
    f1 = facts.gee_column(MEAN, "f1")
    classes = facts.points["SVM"].index
    higher = int((facts.gee["SVM"].f1[classes] > facts.gee["CART"].f1[classes]).sum())
    return _conclude(f1["SVM"] > f1["CART"], higher > len(classes) / 2,
                     f"mean F1 {_each(f1, 4)}; higher in {higher} of {len(classes)} classes")


def roads_gee(facts: Facts) -> Conclusion:
    """Test whether F1 of roads is below 0.60 for all three."""
    f1 = facts.gee_column(_key("road"), "f1")
    return _conclude(max(f1.values()) < 0.6, min(f1.values()) < 0.6, "F1 of roads " + _each(f1)
                     + f"; the network {facts.ours.f1[_key('road')]:.3f}")
