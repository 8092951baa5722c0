"""Counts of the protocols to scores, by hand on small results, and the committed ones."""

import numpy as np
import pandas as pd
import pytest

from lulc_lib import legend, results
from lulc_lib.accuracy import protocols
from lulc_lib.accuracy.calibration import BINS, TEMPERATURES
from lulc_lib.errors import InputError
from tests.conftest import ROOT


def confusion(right, wrong):
    """One text a row: conifer is right or mapped as mixed forest; quarry always right."""
    matrix = np.zeros((10, 10), int)
    matrix[0, 0], matrix[1, 0], matrix[9, 9] = right, wrong, 10
    return [" ".join(map(str, row)) for row in matrix]


def tables(sure):
    """Reliability by temperature: ten pixels, eight right, at the first as sure as ``sure``."""
    out = []
    for number, _ in enumerate(TEMPERATURES):
        confidence = sure if number == 0 else 0.8
        at = np.eye(BINS)[min(int(confidence * BINS), BINS - 1)]
        out.append([(10 * at).tolist(), (10 * confidence * at).tolist(), (8 * at).tolist(), [1.0]])
    return out


@pytest.fixture
def values():
    def job(known, held_out=None, **more):
        parts = {"place_known": known} | ({"place_held_out": held_out} if held_out else {})
        return {"confusion": parts, **more}

    sure = {"place_known": tables(0.95), "place_held_out": tables(0.5)}
    rates = {"inside": 0.1, "outside": 0.5, "share_outside": 0.2}
    return {"jobs": {
        "old": {"2022-07-19": {"0": job(confusion(90, 0)), "1": job(confusion(80, 10))},
                "july": {"0": job(confusion(45, 45)), "seconds": 3}},
        "new": {"july-SE": {"ensemble": job(confusion(1, 0), confusion(30, 60), reliability=sure,
                                            applicability={
            "threshold": 0.2, "2022-07-19 place_known": rates | {"inside": 0.9},
            "2022-07-19 place_held_out": rates, "sea": {"outside": 1.0, "quarry_inside": 0.0}})}},
    }}


def test_scores_by_hand(values):
    table = protocols.protocol_scores(values)
    assert table[["candidate", "protocol", "fold", "network", "n"]].values.tolist() == [
        ["old", "one date out", "2022-07-19", "0", 100],
        ["old", "one date out", "2022-07-19", "1", 100],
        ["old", "season out", "july", "0", 100],
        ["new", "season out, a quadrant less", "july-SE", "ensemble", 11],
        ["new", "season and place out", "july-SE", "ensemble", 100]]
    np.testing.assert_allclose(table.overall_accuracy, [1, 0.9, 0.55, 1, 0.4])
    np.testing.assert_allclose(table.macro_f1, [1, (160 / 170 + 1) / 2, (90 / 135 + 1) / 2, 1,
                                                (60 / 120 + 1) / 2])
    np.testing.assert_allclose(table.quarry_f1, 1)


def test_calibration_and_applicability_take_the_part_that_the_protocol_is_about(values):
    errors = protocols.calibration_errors(values, "new", [TEMPERATURES[0], 1.0])
    assert errors.loc["season and place out"].tolist() == [pytest.approx(0.3), pytest.approx(0)]
    rates = protocols.applicability_rates(values, "new")
    assert rates.to_dict("records") == [{
        "protocol": "season and place out", "fold": "july-SE", "date": "2022-07-19",
        "inside": 0.1, "outside": 0.5, "share_outside": 0.2}]
    assert protocols.applicability_rates(values, "old").empty


def test_rocks_covers_clips_and_targets_by_hand():
    water, quarry = (legend.CODES.index(legend.code(k)) for k in ("water", "quarry"))

    def network(recall, wet):
        shares = np.zeros(10)
        shares[[water, quarry]] = wet, 0.004
        return {"confusion": {"place_known": confusion(90, 10)},
                "quarry_of": {"marble": [recall, 0.01], "basalt": [0.9, 0.03]},
                "covers": dict.fromkeys(protocols.OPEN_WATER, shares.tolist()),
                "clips": {"64": [0.9, 0.92, 0, 0, 0.05], "128": [0.92, 0.9, 0, 0, recall]},
                "applicability": {"threshold": 0.2, "sea": {"outside": 1.0, "quarry_inside": wet}}}

    values = {"temperature": 1.0, "jobs": {"a": {"july": {
        "0": network(0.8, 0.99), "1": network(0.6, 0.97), "ensemble": network(0.88, 1.0)}}}}
    single = {"temperature": 1.0, "jobs": {"a": {"july": {
        n: values["jobs"]["a"]["july"][n] for n in "01"}}}}
    rocks = protocols.rock_scores(single, "a")
    assert rocks.index.tolist() == ["marble", "basalt"]
    np.testing.assert_allclose(rocks[["recall", "false"]], [[0.7, 0.01], [0.9, 0.03]])
    cover = protocols.cover_shares(single, "a", "water")
    assert cover.index.tolist() == list(protocols.OPEN_WATER)
    np.testing.assert_allclose(cover.loc["sea", ["mean", "lowest", "highest"]], [0.98, 0.97, 0.99])
    clips = protocols.clip_losses(single, "a")
    assert clips.index.tolist() == [64, 128]
    np.testing.assert_allclose(clips[["mean", "worst", "differing"]],
                               [[-0.02, -0.02, 0.05], [0.02, 0.02, 0.7]])
    covers = protocols.applicability_of_covers(single, "a")
    np.testing.assert_allclose(covers.loc["sea", ["outside", "quarry_inside"]], [1, 0.98])
    single["jobs"]["a"]["july"]["2"] = {"confusion": {"place_known": confusion(90, 10)}}
    for before, after in ((rocks, protocols.rock_scores(single, "a")),
                          (cover, protocols.cover_shares(single, "a", "water")),
                          (clips, protocols.clip_losses(single, "a")),
                          (covers, protocols.applicability_of_covers(single, "a"))):
        pd.testing.assert_frame_equal(before, after)  # a network without these is left out
    found = protocols.targets(values, "a")
    assert list(found.columns) == ["target", "single networks", "ensembles", "reached"]
    for what, row in {
            "other rocks: quarry recall, mean": ["at least 0.85", 0.8, 0.89, True],
            "other rocks: false share, worst rock": ["at most 0.02", 0.03, 0.03, False],
            "elsewhere: quarry share, worst scene": ["at most 0.005", 0.004, 0.004, True],
            "open water: water share, worst scene": ["at least 0.99", 0.97, 1.0, True],
            "64-pixel clips: overall accuracy lost": ["at most 0.01", 0.02, 0.02, False]}.items():
        assert found.loc[what].tolist() == [row[0], *map(pytest.approx, row[1:3]), row[3]], what
    assert found["ensembles"].isna().sum() == 6  # new seasons, places and calibration: no fold


def test_targets_of_new_seasons_and_places_by_hand():
    """A season is assessed beside the quadrant, a place in it: means of folds, worst networks."""
    def part(right, missed):
        matrix = np.zeros((10, 10), int)
        matrix[0, 0], matrix[1, 0] = right, 90 - right
        matrix[9, 9], matrix[0, 9] = 10 - missed, missed
        return matrix.tolist()

    def job(beside, inside, sure):
        at = np.eye(BINS)[int(sure * BINS)]
        table = [(10 * at).tolist(), (10 * sure * at).tolist(), (8 * at).tolist(), [1.0]]
        return {"confusion": {"place_known": part(*beside), "place_held_out": part(*inside)},
                "reliability": {"place_known": [], "place_held_out": [table] * len(TEMPERATURES)}}

    folds = {"july-SE": {"0": job((90, 0), (90, 0), 0.95), "1": job((80, 0), (90, 2), 0.95),
                         "ensemble": job((85, 0), (90, 1), 0.9)},
             "june-NW": {"0": job((70, 0), (90, 5), 0.95), "ensemble": job((80, 0), (90, 2), 0.9)}}
    values = {"temperature": 1.0, "jobs": {"a": folds, "b": {}}}
    targets = {target.what: target for target in protocols.TARGETS}
    f1 = {missed: 2 * (10 - missed) / (20 - missed) for missed in range(6)}

    def macro(right):
        return (2 * right / (90 + right) + 1) / 2

    for what, single, ensemble in (
            ("new season: overall accuracy, mean", (0.95 + 0.8) / 2, 0.925),
            ("new season: overall accuracy, worst", 0.8, 0.9),
            ("new season: macro F1, mean", ((macro(90) + macro(80)) / 2 + macro(70)) / 2,
             (macro(85) + macro(80)) / 2),
            ("new season and place: quarry F1, mean", ((f1[0] + f1[2]) / 2 + f1[5]) / 2,
             (f1[1] + f1[2]) / 2),
            ("new season and place: quarry F1, worst", f1[5], f1[2]),
            ("new season and place: calibration error", 0.15, 0.1)):
        found = [targets[what].reached(values, "a", networks) for networks in (False, True)]
        np.testing.assert_allclose(found, [single, ensemble], err_msg=what)


@pytest.mark.parametrize("name", ["spring", "july-N", "NNE", "7"])
def test_unknown_folds_are_refused(name):
    with pytest.raises(InputError, match="fold is"):
        protocols.protocol_of(name)


def test_the_committed_results_have_every_protocol():
    values = results.read_results("published", "protocols", root=ROOT)
    table = protocols.protocol_scores(values)
    assert {protocols.DATE, protocols.SEASON, protocols.BOTH} <= set(
        table.protocol)
    assert table.overall_accuracy.between(0, 1).all()
    one = values["jobs"][table.candidate[0]][table.fold[0]][table.network[0]]
    matrix = protocols.counts(one["confusion"][protocols.part_of(table.fold[0])])
    assert list(matrix.index) == list(legend.CODES)
