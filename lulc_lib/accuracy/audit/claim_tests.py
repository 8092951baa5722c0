"""Claims about the network, one computation each; the function has the claim's id.

The claims stand in ``published/claims.csv``. Each function takes the corrected numbers and returns
``supports``, ``weakens`` (true only in part, or not shown by these data) or ``reverses`` (the
numbers order the other way), and the numbers that say so.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from lulc_lib.accuracy.audit.corrected import Facts, key
from lulc_lib.accuracy.audit.one_against_all import MEAN, OVERALL
from lulc_lib.accuracy.uncertainty import wilson

ClaimVerdict = Literal["supports", "weakens", "reverses", "not tested"]

_SHARED = 0.05
"""Share of test pixels labelled in training from which a test area is no longer unseen."""


class Finding(NamedTuple):
    """What a claim's computation says: the verdict and the numbers behind it in words."""

    verdict: ClaimVerdict
    because: str


def verdict(holds: bool, partly: bool, because: str) -> Finding:
    """``supports`` if the claim holds, ``weakens`` if only partly, else ``reverses``."""
    return Finding("supports" if holds else "weakens" if partly else "reverses", because)


def each(values: dict[str, float], digits: int = 3) -> str:
    """Named numbers in words."""
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())


def column(known: Facts, row: str, metric: str) -> dict[str, float]:
    """One metric of the three Earth Engine classifiers, by classifier."""
    return {name: float(table.loc[row, metric]) for name, table in known.gee.items()}


def training_apart(known: Facts) -> Finding:
    """Does the paper's own list of training scenes leave the test sites out?"""
    scenes = {site: known.training.get(site, 0) for site in known.unet}
    return verdict(not any(scenes.values()), not all(scenes.values()),
                    "training scenes at the test sites: " + each(scenes, 0))


def generalises(known: Facts) -> Finding:
    """Were the test pixels unlabelled in training?"""
    if not known.overlap:
        return Finding("not tested", "needs the share of test pixels labelled in training")
    return verdict(max(known.overlap.values()) < _SHARED, True, "not shown: share of the test "
                    "pixels that were labelled in training: " + each(dict(known.overlap)))


def mean_pa_ua(known: Facts) -> Finding:
    """Is mean PA above mean UA at the first site?"""
    pa, ua = known.unet[known.site()].loc[MEAN, ["pa", "ua"]]
    return verdict(pa > ua, False, f"mean PA {pa:.4f}, mean UA {ua:.4f}")


def water_quarry_best(known: Facts) -> Finding:
    """Are both classes above 0.96, and the best two, wherever they occur?"""
    above, best, words = [], [], []
    for site, table in known.unet.items():
        f1 = table.f1.drop([MEAN, OVERALL])
        ours = f1[f1.index.isin([key("water"), key("quarry")])]
        above += list(ours > 0.96)
        best.append(set(f1.nlargest(len(ours)).index) == set(ours.index))
        names = {key("water"): "water", key("quarry"): "quarry"}
        words.append(f"{site}: {each({names[c]: v for c, v in ours.items()})}, best other class "
                     f"{f1.drop(ours.index).max():.3f}")
    return verdict(all(above) and all(best), any(above), "F1 at " + "; ".join(words))


def roads_worst(known: Facts) -> Finding:
    """Is road F1 the lowest at every site?"""
    road = key("road")
    worst = {site: table.f1.drop([MEAN, OVERALL]).idxmin() == road
             for site, table in known.unet.items()}
    return verdict(all(worst.values()), any(worst.values()), "F1 of roads: " + each(
        {site: table.f1[road] for site, table in known.unet.items()}))


def roads_low_ua(known: Facts) -> Finding:
    """Is UA of roads the lower one of UA and PA?"""
    rows = {site: table.loc[key("road")] for site, table in known.unet.items()}
    lower = [row.ua < row.pa for row in rows.values()]
    return verdict(all(lower), any(lower), "; ".join(
        f"{site}: UA {row.ua:.4f}, PA {row.pa:.4f}" for site, row in rows.items())
        + " (roads are missed rather than overmapped)" * (not any(lower)))


def roads_recall(known: Facts) -> Finding:
    """Is the network's PA of roads above the Earth Engine classifiers'?"""
    ours, (low, high) = known.unet[known.site()].pa[key("road")], known.gee_range(key("road"), "pa")
    return verdict(ours > high, ours > low, f"PA of roads {ours:.3f} against "
                    + each(column(known, key("road"), "pa")))


def roads_f1_unet(known: Facts) -> Finding:
    """Is the network's F1 of roads above the Earth Engine classifiers'?"""
    ours, (low, high) = known.unet[known.site()].f1[key("road")], known.gee_range(key("road"), "f1")
    return verdict(ours > high, ours > low, f"F1 of roads {ours:.3f} against "
                    + each(column(known, key("road"), "f1")))


def outperforms_both(known: Facts) -> Finding:
    """Was the comparison made at every test site?"""
    ours, (_, high) = known.unet[known.site()].oa[OVERALL], known.gee_range(OVERALL, "oa")
    others = [site for site in known.unet if site != known.site()]
    return verdict(ours > high and not others, ours > high, f"OA at {known.site()} {ours:.4f} "
                    f"against {high:.4f} at most; no Earth Engine result at {', '.join(others)}")


def oa_gain(known: Facts) -> Finding:
    """Do the differences, with their intervals, lie between 13 and 18 points?"""
    site, table = known.site(), known.unet[known.site()]
    n, ours = int(known.matrices[site].to_numpy().sum()), float(table.oa[OVERALL])
    low = (known.oa_interval.get(site) or wilson(round(ours * n), n)[1:])[0]
    gains = {name: ours - oa for name, oa in column(known, OVERALL, "oa").items()}
    lows = {}
    for name, counts in known.points.items():  # Newcombe's interval of a difference of two shares
        right, points = int(counts.tp.sum()), int(counts.iloc[0].sum())
        upper = wilson(right, points).high
        lows[name] = gains[name] - ((ours - low) ** 2 + (upper - right / points) ** 2) ** 0.5
    inside = all(0.13 <= gain <= 0.18 for gain in gains.values())
    others = {s: t.oa[OVERALL] - known.gee_range(OVERALL, "oa")[1]
              for s, t in known.unet.items() if s != site}
    return verdict(inside and min(lows.values()) >= 0.13, min(lows.values()) > 0,
                    f"difference at {site}: {each(gains)}, lower ends (95 %): {each(lows)}; two "
                    "different references; against the best classifier at another site: "
                    + each(others))


def class_gains(known: Facts) -> Finding:
    """Do PA and UA of the classes gain more than OA over every classifier?"""
    ours, larger, positive, cells = known.unet[known.site()], 0, 0, 0
    for table in known.gee.values():
        rows = ours.index.intersection(table.index).drop([MEAN, OVERALL])
        gain = (ours.loc[rows, ["pa", "ua"]] - table.loc[rows, ["pa", "ua"]]).to_numpy()
        larger += int((gain > ours.oa[OVERALL] - table.oa[OVERALL]).sum())
        positive, cells = positive + int((gain > 0).sum()), cells + gain.size
    return verdict(larger > cells / 2, positive > cells / 2, f"of {cells} differences (PA and UA "
                    f"by class and classifier) {larger} are larger than the gain in OA, {positive} "
                    "above 0")


def soil_pit_precision(known: Facts) -> Finding:
    """Is the Earth Engine classifiers' UA of the two classes below the network's?"""
    below, words = [], []
    for name in ("bare_soil", "quarry"):
        ours, theirs = known.unet[known.site()].ua[key(name)], column(known, key(name), "ua")
        below += [value < ours for value in theirs.values()]
        points = [int(c.loc[key(name), ["tp", "fp"]].sum()) for c in known.points.values()]
        words.append(f"UA of {name}: {each(theirs)} from {min(points)} to {max(points)} points, "
                     f"the network {ours:.3f}")
    return verdict(all(below), any(below), "; ".join(words))


def quarry_gain(known: Facts) -> Finding:
    """Is the network's F1 of quarries higher, its PA and UA outside their intervals?"""
    ours, quarry = known.unet[known.site()].loc[key("quarry")], key("quarry")
    theirs, within = column(known, quarry, "f1"), False
    for counts in (c.loc[quarry] for c in known.points.values()):
        for metric, miss in (("pa", counts.fn), ("ua", counts.fp)):
            _, low, high = wilson(int(counts.tp), int(counts.tp + miss))
            within |= bool(low <= ours[metric] <= high)
    better = ours.f1 > max(theirs.values())
    points = sum(known.points["RF"].loc[quarry, ["tp", "fn"]])
    note = ", whose intervals hold the network's PA or UA" if within else ""
    return verdict(better and not within, better, f"F1 {ours.f1:.3f} against {each(theirs)} from "
                    f"{points} points{note}")


def soil_pit_apart(known: Facts) -> Finding:
    """Is bare soil a small part of what is wrongly mapped as quarry?"""
    matrix = known.matrices[known.site()]
    soil, quarry = int(key("bare_soil")), int(key("quarry"))
    wrong = int(matrix.loc[quarry].sum() - matrix.loc[quarry, quarry])
    mixed, there = int(matrix.loc[quarry, soil]), int(matrix[soil].sum())
    back = int(matrix.loc[soil, quarry])
    largest = matrix.loc[quarry].drop(quarry).idxmax() == soil
    return verdict(not largest, mixed / there < 0.1, f"{mixed} of the {wrong} pixels wrongly "
                    f"mapped as quarry are bare soil ({mixed / there:.1%} of it); {back} quarry "
                    "pixels are mapped as bare soil")


def growing_as_ripe(known: Facts) -> Finding:
    """Are there more growing crops mapped as ripe ones than the other way round?"""
    return _mixed(known, "crops_growing", "crops_ripe")


def growing_as_forest(known: Facts) -> Finding:
    """Are there more growing crops mapped as mixed forest than the other way round?"""
    return _mixed(known, "crops_growing", "mixed_forest")


def _mixed(known: Facts, reference: str, mapped: str) -> Finding:
    matrix = known.matrices[known.site()]
    there = int(matrix.loc[int(key(mapped)), int(key(reference))])
    back = int(matrix.loc[int(key(reference)), int(key(mapped))])
    return verdict(there > back, False, f"{there} pixels of {reference} mapped as {mapped}, "
                    f"{back} the other way round")
