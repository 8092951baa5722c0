"""What the paper says about its numbers, each sentence tied to a computation on corrected ones.

``published/claims.csv`` lists the claims by id. The functions of ``TESTS`` give each its verdict,
``supports``, ``weakens`` (true only in part, or not shown by these data) or ``reverses`` (the
numbers order the other way), and the numbers that say so. Nothing is decided by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import pandas as pd

from lulc_lib import legend
from lulc_lib.accuracy import lesson
from lulc_lib.accuracy.audit.checks import Subject
from lulc_lib.accuracy.audit.printed import MEAN, METRICS, OVERALL, one_against_all, quantities
from lulc_lib.accuracy.published import claims, index, training_scenes
from lulc_lib.accuracy.uncertainty import cluster_bootstrap, wilson

_SHARED = 0.05
"""Share of test pixels labelled in training from which a test area is no longer unseen."""

_KEYS = {c.key: str(c.code) for c in legend.CLASSES}
"""Key of a class to its row label in the tables."""


@dataclass(frozen=True)
class _Facts:
    """The numbers that the claims are tested on.

    By site: ``unet``, the metrics of ``quantities``; ``matrices``; ``overlap`` and ``oa_interval``
    as in ``audit``. By classifier: ``gee``, the metrics; ``points``, the counts. ``binary``: counts
    of the two-class example.
    """

    unet: Mapping[str, pd.DataFrame]
    gee: Mapping[str, pd.DataFrame]
    matrices: Mapping[str, pd.DataFrame]
    points: Mapping[str, pd.DataFrame]
    binary: pd.DataFrame
    overlap: Mapping[str, float] = field(default_factory=dict)
    oa_interval: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def of_gee(self, row: str, metric: str) -> dict[str, float]:
        """One metric of the three Earth Engine classifiers."""
        return {name: float(table.loc[row, metric]) for name, table in self.gee.items()}

    @property
    def site(self) -> str:
        """The site where both approaches were tested (the first matrix of the paper)."""
        return next(iter(self.unet))

    @property
    def ours(self) -> pd.DataFrame:
        """The network's metrics at that site."""
        return self.unet[self.site]


class _Conclusion(NamedTuple):
    verdict: str
    because: str


def assess_claims(subjects: Mapping[int, Subject], overlap: Mapping[str, float] | None = None,
                  oa_interval: Mapping[str, tuple[float, float]] | None = None
                  ) -> list[dict[str, Any]]:
    """Give every claim its verdict on the corrected numbers (arguments as in ``audit``).

    ``as_printed`` is the verdict that the same computation gives on the numbers as printed. Without
    ``overlap`` the claim that rests on it is ``not tested``.
    """
    table = index()
    sites = {table.site[n]: subjects[n] for n in subjects if table.site[n] and n < 15}
    classifiers = {table.classifier[n]: subjects[n] for n in subjects if n > 17}
    verdicts = {}
    for which in ("right", "as_printed"):
        facts = _Facts(
            {name: getattr(s, which) for name, s in sites.items()},
            {name: getattr(s, which) for name, s in classifiers.items()},
            {name: s.matrix for name, s in sites.items()},
            {name: s.counts for name, s in classifiers.items()}, subjects[7].counts,
            dict(overlap or {}), dict(oa_interval or {}))
        verdicts[which] = {name: conclusion for test in TESTS
                           for name, conclusion in test(facts).items()}
    return [{"id": c.id, "section": c.section, "claim": c.claim,
             **verdicts["right"][c.id]._asdict(),
             "as_printed": verdicts["as_printed"][c.id].verdict} for c in claims().itertuples()]


def corrected(subjects: Mapping[int, Subject],
              oa_interval: Mapping[str, tuple[float, float]] | None = None) -> pd.DataFrame:
    """Make the summary the paper should have: means over the classes present, OA with interval.

    The interval is Wilson's, 95 %, for the classifiers' points; for the pixels of the network it is
    that of whole polygons in ``oa_interval`` (as in ``audit``), NaN where it has none.
    """
    table, rows = index(), []
    for n in (13, 14, 18, 19, 20):
        counts, right = subjects[n].counts, subjects[n].right
        total, correct = int(counts.iloc[0].sum()), int(counts.tp.sum())
        unknown = math.nan, math.nan
        low, high = (wilson(correct, total)[1:] if n >= 18
                     else (oa_interval or {}).get(table.site[n], unknown))
        rows.append({"about": n, "site": table.site[n], "classifier": table.classifier[n],
                     "n": total, "correct": correct,
                     "classes": int((counts.tp + counts.fn > 0).sum()),
                     "oa": right.loc[OVERALL, "oa"], "oa_low": low, "oa_high": high,
                     **right.loc[MEAN, list(METRICS)].to_dict()})
    return pd.DataFrame(rows)


def _conclude(holds: bool, partly: bool, because: str) -> _Conclusion:
    return _Conclusion("supports" if holds else "weakens" if partly else "reverses", because)


def _each(values: Mapping[str, float], digits: int = 3) -> str:
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())


def _training(facts: _Facts) -> dict[str, _Conclusion]:
    """Test whether training left the sites out, and the test pixels unlabelled."""
    listed = training_scenes().site.value_counts()
    scenes = {site: int(listed.get(site, 0)) for site in facts.unet}
    generalises = _Conclusion("not tested", "needs the share of test pixels labelled in training")
    if facts.overlap:
        generalises = _conclude(max(facts.overlap.values()) < _SHARED, True, "not shown: share of "
                                "the test pixels that were labelled in training: "
                                + _each(facts.overlap))
    return {"generalises": generalises, "training_apart": _conclude(
        not any(scenes.values()), not all(scenes.values()),
        "training scenes at the test sites: " + _each(scenes, 0))}


def _best_classes(facts: _Facts) -> dict[str, _Conclusion]:
    """Test whether water and quarry are above 0.96, and the best two, wherever they occur."""
    above, best, words = [], [], []
    names = {_KEYS[key]: key for key in ("water", "quarry")}
    for site, table in facts.unet.items():
        f1 = table.f1.drop([MEAN, OVERALL])
        ours = f1[f1.index.isin(list(names))]
        above += list(ours > 0.96)
        best.append(set(f1.nlargest(len(ours)).index) == set(ours.index))
        words.append(f"{site}: {_each({names[c]: v for c, v in ours.items()})}, best other class "
                     f"{f1.drop(ours.index).max():.3f}")
    return {"water_quarry_best": _conclude(all(above) and all(best), any(above),
                                           "F1 at " + "; ".join(words))}


def _roads(facts: _Facts) -> dict[str, _Conclusion]:
    """Test whether roads are worst everywhere, by which error, and against the others."""
    road = _KEYS["road"]
    rows = {site: table.loc[road] for site, table in facts.unet.items()}
    worst = [table.f1.drop([MEAN, OVERALL]).idxmin() == road for table in facts.unet.values()]
    lower = [row.ua < row.pa for row in rows.values()]
    ours, pa, f1 = facts.ours.loc[road], facts.of_gee(road, "pa"), facts.of_gee(road, "f1")
    return {
        "roads_worst": _conclude(all(worst), any(worst), "F1 of roads: " + _each(
            {site: row.f1 for site, row in rows.items()})),
        "roads_low_ua": _conclude(all(lower), any(lower), "; ".join(
            f"{site}: UA {row.ua:.4f}, PA {row.pa:.4f}" for site, row in rows.items())
            + " (roads are missed rather than overmapped)" * (not any(lower))),
        "roads_recall": _conclude(ours.pa > max(pa.values()), ours.pa > min(pa.values()),
                                  f"PA of roads {ours.pa:.3f} against " + _each(pa)),
        "roads_f1_unet": _conclude(ours.f1 > max(f1.values()), ours.f1 > min(f1.values()),
                                   f"F1 of roads {ours.f1:.3f} against " + _each(f1)),
        "roads_gee": _conclude(max(f1.values()) < 0.6, min(f1.values()) < 0.6, "F1 of roads "
                               + _each(f1) + f"; the network {ours.f1:.3f}"),
    }


def _network_against_gee(facts: _Facts) -> dict[str, _Conclusion]:
    """Test whether OA gains 13 to 18 points with its interval, and at every site."""
    site, oa = facts.site, facts.of_gee(OVERALL, "oa")
    ours = float(facts.ours.oa[OVERALL])
    low = (facts.oa_interval.get(site) or _interval_of_polygons())[0]
    gains, lows = {name: ours - value for name, value in oa.items()}, {}
    for name, counts in facts.points.items():  # Newcombe's interval of a difference of two shares
        right, points = int(counts.tp.sum()), int(counts.iloc[0].sum())
        upper = wilson(right, points).high
        lows[name] = gains[name] - ((ours - low) ** 2 + (upper - right / points) ** 2) ** 0.5
    inside, best = all(0.13 <= gain <= 0.18 for gain in gains.values()), max(oa.values())
    others = {s: t.oa[OVERALL] - best for s, t in facts.unet.items() if s != site}
    return {
        "outperforms_both": _conclude(
            ours > best and not others, ours > best, f"OA at {site} {ours:.4f} against {best:.4f} "
            f"at most; no Earth Engine result at {', '.join(others)}"),
        "oa_gain": _conclude(
            inside and min(lows.values()) >= 0.13, min(lows.values()) > 0,
            f"difference at {site}: {_each(gains)}, lower ends (95 %): {_each(lows)}; two "
            "different references; against the best classifier at another site: " + _each(others)),
        "class_gains": _class_gains(facts),
    }


def _interval_of_polygons() -> tuple[float, float]:
    """OA's 95 % interval from the polygons of Strzegom, as the package keeps their counts."""
    return cluster_bootstrap(lesson.by_polygon())["overall_accuracy"][1:]


def _class_gains(facts: _Facts) -> _Conclusion:
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


def _soil_and_pits(facts: _Facts) -> dict[str, _Conclusion]:
    """Test whether theirs is the lower UA, CART's PA high, and soil kept apart from pits."""
    below, words, rare, lows, ahead = [], [], [], [], []
    for name in ("bare_soil", "quarry"):
        ours, theirs = facts.ours.ua[_KEYS[name]], facts.of_gee(_KEYS[name], "ua")
        below += [value < ours for value in theirs.values()]
        points = [int(c.loc[_KEYS[name], ["tp", "fp"]].sum()) for c in facts.points.values()]
        said = legend.BY_KEY[name].name.lower()
        words.append(f"UA of {said}: {_each(theirs)} from {min(points)} to {max(points)} points, "
                     f"the network {ours:.3f}")
        counts, pa = facts.points["CART"].loc[_KEYS[name]], facts.of_gee(_KEYS[name], "pa")
        support = int(counts.tp + counts.fn)
        _, low, high = wilson(int(counts.tp), support)
        lows.append(low)
        ahead.append(counts.tp / support >= max(pa.values()))
        rare.append(f"{said}: {int(counts.tp)} of {support} points, PA [{low:.2f}, {high:.2f}], "
                    f"all three classifiers {_each(pa, 2)}")
    matrix = facts.matrices[facts.site]
    soil, quarry = int(_KEYS["bare_soil"]), int(_KEYS["quarry"])
    wrong = matrix.loc[quarry].drop(quarry)
    mixed = wrong[soil] / matrix[soil].sum()
    return {
        "soil_pit_precision": _conclude(all(below), any(below), "; ".join(words)),
        "cart_rare": _conclude(all(ahead) and min(lows) > 0.8, all(ahead), "; ".join(rare)),
        "soil_pit_apart": _conclude(
            wrong.idxmax() != soil, mixed < 0.1, f"{wrong[soil]} of the {wrong.sum()} pixels "
            f"wrongly mapped as quarry are bare soil ({mixed:.1%} of it); "
            f"{matrix.loc[soil, quarry]} quarry pixels are mapped as bare soil"),
    }


def _quarry_gain(facts: _Facts) -> dict[str, _Conclusion]:
    """Test whether the network's F1 of quarries is higher, PA and UA outside their intervals."""
    ours, quarry = facts.ours.loc[_KEYS["quarry"]], _KEYS["quarry"]
    theirs, within = facts.of_gee(quarry, "f1"), False
    for counts in (c.loc[quarry] for c in facts.points.values()):
        for metric, miss in (("pa", counts.fn), ("ua", counts.fp)):
            _, low, high = wilson(int(counts.tp), int(counts.tp + miss))
            within |= bool(low <= ours[metric] <= high)
    better = ours.f1 > max(theirs.values())
    points = sum(facts.points["RF"].loc[quarry, ["tp", "fn"]])
    note = ", whose intervals hold the network's PA or UA" if within else ""
    return {"quarry_gain": _conclude(better and not within, better, f"F1 {ours.f1:.3f} against "
                                     f"{_each(theirs)} from {points} points{note}")}


def _crops_mixed(facts: _Facts) -> dict[str, _Conclusion]:
    """Test whether more growing crops are mapped as the other class than the other way."""
    matrix, growing = facts.matrices[facts.site], int(_KEYS["crops_growing"])
    found = {}
    for name, mapped in (("growing_as_ripe", "crops_ripe"), ("growing_as_forest", "mixed_forest")):
        other = int(_KEYS[mapped])
        there, back = int(matrix.loc[other, growing]), int(matrix.loc[growing, other])
        found[name] = _conclude(there > back, False, f"{there} pixels of growing crops mapped as "
                                f"{legend.NAMES[other].lower()}, {back} the other way round")
    return found


def _means(facts: _Facts) -> dict[str, _Conclusion]:
    """Test how the means over classes order the three classifiers, and the network's PA, UA."""
    pa, ua, f1 = (facts.of_gee(MEAN, metric) for metric in ("pa", "ua", "f1"))
    mean_pa, mean_ua = facts.ours.loc[MEAN, ["pa", "ua"]]
    cart = facts.gee["CART"].loc[MEAN, ["pa", "ua", "f1"]]
    svm, of_cart = facts.gee["SVM"].f1, facts.gee["CART"].f1
    classes = facts.points["SVM"].index
    higher = int((svm[classes] > of_cart[classes]).sum())
    return {
        "mean_pa_ua": _conclude(mean_pa > mean_ua, False,
                                f"mean PA {mean_pa:.4f}, mean UA {mean_ua:.4f}"),
        "cart_balanced": _conclude(bool((abs(cart - 0.77) < 0.01).all()), False,
                                   "CART: " + _each({c.upper(): v for c, v in cart.items()}, 4)),
        "rf_low_recall": _conclude(min(pa, key=pa.get) == "RF", False,
                                   "mean PA over the classes present: " + _each(pa, 4)),
        "rf_precision": _conclude(ua["RF"] > pa["RF"] and min(ua, key=ua.get) != "RF",
                                  ua["RF"] > pa["RF"],
                                  f"mean UA {_each(ua, 4)}; mean PA of RF {pa['RF']:.4f}"),
        "svm_recall": _conclude(pa["SVM"] > pa["RF"], False, "mean PA " + _each(pa, 4)),
        "svm_precision": _conclude(max(ua, key=ua.get) != "SVM", ua["SVM"] < pa["SVM"],
                                   f"mean UA {_each(ua, 4)}; mean PA of SVM {pa['SVM']:.4f}"),
        "svm_f1": _conclude(
            f1["SVM"] > f1["CART"], higher > len(classes) / 2,
            f"mean F1 {_each(f1, 4)}; higher in {higher} of {len(classes)} classes"),
    }


def _overall(facts: _Facts) -> dict[str, _Conclusion]:
    """Test whether TP ÷ n is OA, and whether RF's OA is the highest, outside SVM's interval."""
    first, n = facts.binary.iloc[0], int(facts.binary.iloc[0].sum())
    wrong, right = first.tp / n, facts.binary.tp.sum() / n
    oa = facts.of_gee(OVERALL, "oa")
    ends = {name: wilson(int(c.tp.sum()), int(c.iloc[0].sum()))[1:]
            for name, c in facts.points.items()}
    best = max(oa, key=oa.get) == "RF"
    words = [f"{name} {oa[name]:.3f} [{low:.3f}, {high:.3f}]" for name, (low, high) in ends.items()]
    return {
        "oa_formula": _conclude(abs(wrong - right) < 1e-9, False, f"TP ÷ n of one class is "
                                f"{wrong:.2f}, the share of right samples {right:.2f}"),
        "rf_best_oa": _conclude(best and ends["SVM"][1] < oa["RF"], best,
                                "OA with 95 % intervals: " + ", ".join(words)),
    }


def _mean_acc(facts: _Facts) -> dict[str, _Conclusion]:
    """Test whether mean ACC depends on anything but OA and K (on the class balance, say)."""
    acc, oa = facts.of_gee(MEAN, "acc"), facts.of_gee(OVERALL, "oa")
    apart = [acc[name] - oa[name] > 0.1 and abs(acc[name] - 0.95) < 0.01 for name in acc]
    tables = [*facts.unet.values(), *facts.gee.values()]
    pairs = sorted((t.oa[OVERALL], t.acc[MEAN] - t.oa[OVERALL]) for t in tables)
    worst = 0.0
    for counts in (*map(one_against_all, facts.matrices.values()), *facts.points.values()):
        table = quantities(counts)
        classes = len(table) - 2
        worst = max(worst, abs(table.acc[MEAN] - (1 - 2 * (1 - table.oa[OVERALL]) / classes)))
    return {
        "mean_acc_misleads": _conclude(
            all(apart), any(apart), f"mean ACC {_each(acc)}; OA {_each(oa)}; mean ACC = "
            "1 − 2(1 − OA)/K whatever the map"),
        "acc_gap_grows": _conclude(
            all(a[1] > b[1] for a, b in pairwise(pairs)), True, "mean ACC − OA = (1 − OA)(1 − 2/K);"
            " OA and distance: " + ", ".join(f"{value:.3f} {gap:.3f}" for value, gap in pairs)),
        "acc_unbalanced": _conclude(
            worst > 1e-9, True, "mean ACC is 1 − 2(1 − OA)/K for all five maps (largest deviation "
            f"{worst:.0e}): class sizes play no part"),
    }


TESTS = (_training, _best_classes, _roads, _network_against_gee, _soil_and_pits, _quarry_gain,
         _crops_mixed, _means, _overall, _mean_acc)
"""Functions that together give every claim of ``published/claims.csv`` its conclusion, by id."""
