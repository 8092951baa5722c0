"""The protocols' choice, jobs and leaks, on small tables and scenes."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from experiments import fair_networks, fair_regions
from experiments import protocol_results as made
from experiments.protocol_assess import reliability_tables
from experiments.protocols import CANDIDATES, PAIRS, all_jobs, fold_of, learners, training_set
from lulc_lib import legend
from lulc_lib.accuracy.calibration import (
    BINS,
    TEMPERATURES,
    Reliability,
    expected_calibration_error,
)
from lulc_lib.accuracy.protocols import ENSEMBLE
from lulc_lib.accuracy.splits import SEASON_GROUPS, label_clusters
from lulc_lib.errors import InputError

DATES = sorted({d for dates in SEASON_GROUPS.values() for d in dates})


class Small:
    """Scenes as the file holds them, of two classes."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.dates = DATES
        self.codes = np.zeros((6, 240, 240), np.uint8)
        for row, col in ((20, 20), (20, 200), (200, 20), (200, 200), (120, 120)):
            self.codes[:, row:row + 12, col:col + 12] = legend.code("quarry")
            self.codes[:, row + 14:row + 20, col:col + 12] = legend.code("grassland")
        self.scenes = rng.uniform(0.02, 0.5, (6, 10, 240, 240)).astype(np.float32)
        self.targets = legend.to_index(self.codes)
        self.clusters = label_clusters(list(self.codes))


def test_networks_of_seeds_that_a_job_lacks_are_added_to_it(tmp_path, monkeypatch):
    """A network of each kind is one map; all seeds at once are the shipped model's ensemble."""
    whole = Small()
    base = SimpleNamespace(dates=DATES[:3], clusters=whole.clusters[:70, :70], **{
        k: getattr(whole, k)[:3, ..., :70, :70] for k in ("codes", "scenes", "targets")})
    data = SimpleNamespace(**vars(base), base=base, test={"scene": np.zeros((10, 70, 70), int)})
    monkeypatch.setattr(fair_networks, "SEEDS", (0, 1))
    monkeypatch.setattr(fair_networks, "_data", lambda *_: data)
    tiny = {"patch_size": 32, "base_channels": 2, "depth": 1, "convolutions": 1, "batch_size": 2}
    monkeypatch.setattr(fair_networks, "SETTINGS", {
        n: CANDIDATES[n].with_(**tiny) for n in ("augmented", "relative")})
    args = SimpleNamespace(out=tmp_path, scenes=None, test=None, steps=1)

    def run(seeds):
        return fair_networks.run_job(("july", fair_networks.PAIR, "", seeds), args, np.inf)

    assert run((0,)).endswith(" s")
    file = tmp_path / "july__augmented_and_relative.json"
    first = json.loads(file.read_text())
    assert first["trained_together"] == 2
    run(fair_networks.SEEDS)
    after = json.loads(file.read_text())
    assert after["networks"].keys() == {"0", "1"}
    assert after["networks"]["0"] == first["networks"]["0"]
    assert run((1, 0)).endswith("there")
    file.unlink()
    run(fair_networks.SEEDS)
    whole = json.loads(file.read_text())["networks"]
    assert whole.keys() == {"0", "1", "ensemble"}
    assert all(whole[s]["clusters"] == after["networks"][s]["clusters"] for s in "01")


def test_a_region_held_out_is_not_trained_on(tmp_path, monkeypatch):
    rng, sites = np.random.default_rng(0), {}
    for number, name in enumerate(n for names in fair_regions.REGIONS.values() for n in names):
        codes = np.zeros((1, 70, 70), np.uint8)
        codes[:, 5:40, 5:40], codes[:, 45:65, 45:60] = legend.code("quarry"), legend.code("water")
        scenes = rng.uniform(0.02, 0.5, (1, 10, 70, 70)).astype(np.float32)
        sites[name] = fair_regions.Site(scenes + number / 100, codes)
    for fold, names in fair_regions.REGIONS.items():
        assert set(fair_regions.learned(sites, fold)) == set(sites) - set(names)
    tiny = {"patch_size": 32, "base_channels": 2, "depth": 1, "convolutions": 1, "batch_size": 2}
    monkeypatch.setattr(fair_regions, "SETTINGS", {
        n: CANDIDATES["augmented"].with_(**tiny) for n in fair_regions.NETWORKS[:1]})
    monkeypatch.setattr(fair_regions, "NETWORKS", fair_regions.NETWORKS[:1])
    monkeypatch.setattr(fair_regions, "PIXELS", ("index_rule",))
    said = list(fair_regions.run_all(sites, tmp_path, steps=1))
    assert len(said) == 6
    for name, folder in (("augmented", "networks"), ("index_rule", "jobs")):
        job = json.loads((tmp_path / folder / f"region-krakow__{name}.json").read_text())
        rows = np.array(job["networks"]["0"]["clusters"]["place_held_out"])
        assert rows[:, 3].sum() == 3 * (sites["krakow_1"].codes > 0).sum()
        assert set(rows[:, 0]) == set(range(1, 7))  # two clusters of each of the three sites


def test_a_region_whose_scenes_are_absent_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["fair_regions", "--out", str(tmp_path / "out")])
    monkeypatch.setattr(fair_regions.paths, "published_dir", lambda: tmp_path)
    fair_regions.main()
    said = capsys.readouterr().out
    assert "14 training scenes are not in" in said
    assert "img_train/kolbuszowa_20210327.tif" in said
    assert not (tmp_path / "out").exists()


def test_the_choice_for_a_group_does_not_see_it():
    table = {"steady": {"june": 0.6, "july": 0.6, "october": 0.6},
             "lucky": {"june": 0.1, "july": 0.9, "october": 0.9}}
    assert made.nested_choice(table, min) == {"june": "lucky", "july": "steady",
                                              "october": "steady"}
    assert made.nested_choice(table, np.mean)["june"] == "lucky"


def test_agreement_of_rankings():
    assert made.rank_agreement([1, 2, 3, 4], [4, 3, 2, 1]) == {"spearman": -1, "kendall": -1}
    one_pair = made.rank_agreement([1, 2, 3, 4], [1, 2, 4, 3])
    assert one_pair["kendall"] == pytest.approx(2 / 3, abs=1e-3)


def test_every_fold_is_trained_without_what_it_holds_out():
    data = Small()
    for name in (*PAIRS, "summer", "2022-07-19", "random-patches-1"):
        fold = fold_of(name, data.codes)
        known = training_set(data, fold, CANDIDATES["augmented"])
        kept = [d for d in DATES if d not in fold.dates]
        assert len(known.inputs) == len(kept)
        assert (known.targets[:, fold.blocked] == legend.IGNORE_INDEX).all()
        assert (known.targets != legend.IGNORE_INDEX).any()


def test_a_patch_that_leaks_is_refused(monkeypatch):
    data = Small()
    fold = fold_of("october-SW", data.codes)
    assert learners(data, fold, CANDIDATES["augmented"], [0], 3)[0].places.shape[-1] == 3
    nowhere = np.zeros_like(fold.region)
    loose = type(fold)(fold.name, fold.dates, nowhere, nowhere)
    monkeypatch.setattr("experiments.protocols.training_set",
                        lambda d, f, c: training_set(d, loose, c))
    with pytest.raises(InputError, match="touches row"):
        learners(data, fold, CANDIDATES["augmented"], [0], 3)


def test_jobs_come_in_the_order_of_their_importance_and_are_each_once():
    jobs = all_jobs(DATES)
    assert len(set(jobs)) == len(jobs)
    assert [j.ship for j in jobs[:4]] == [3, 3, 3, 0]
    names = {n for j in jobs for n in j.names}
    assert names == set(CANDIDATES)
    assert all(torch.is_tensor(torch.tensor(j.seeds)) for j in jobs)


def test_temperature_is_where_all_held_out_groups_are_most_likely():
    def job(losses):
        tables = [[[10.0], [9.0], [8.0], [loss]] for loss in losses]
        return {"networks": {"ensemble": {"reliability": {"place_known": tables}}}}

    count = len(made.TEMPERATURES)
    one, two = np.full(count, 50.0), np.full(count, 50.0)
    one[3], two[3], two[7] = 20.0, 30.0, 29.0
    jobs = {"x": {"june": job(one.tolist()), "july": job(two.tolist())}}
    assert made.temperature(jobs, "x") == made.TEMPERATURES[3]


def tables_of(logits, target):
    """Reliability by temperature of (sample, class) logits, as jobs count it."""
    z = torch.as_tensor(logits, dtype=torch.float32).T[None, :, None]
    return reliability_tables(z, torch.as_tensor(target, dtype=torch.long)[None, None])


def test_reliability_by_hand():
    probabilities = np.array([[.9, .1], [.2, .8], [.61, .39], [.45, .55], [.999, .001], [.5, .5]])
    at_one = int(np.argmin(np.abs(np.log(TEMPERATURES))))
    logits = np.log(probabilities) * TEMPERATURES[at_one]
    count, confidence, correct, loss = tables_of(
        logits, np.array([0, 0, 0, 1, 0, legend.IGNORE_INDEX]))[at_one]
    assert (len(count), sum(count), sum(correct)) == (BINS, 5, 4)  # the last is not counted
    assert (count[14], count[13], count[12], count[9], count[8]) == (1, 1, 1, 1, 1)
    assert confidence[13] == pytest.approx(.9) and correct[12] == 0
    assert loss[0] == pytest.approx(-np.log([.9, .2, .61, .55, .999]).sum(), abs=.006)


@pytest.mark.parametrize("drawn", [0.5, 1.0, 2.0])
def test_the_temperature_of_drawn_targets_comes_back(drawn):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(30_000, 4)) * 2
    chances = torch.as_tensor(logits / drawn).softmax(1).numpy().cumsum(axis=1)
    target = np.minimum((rng.random((len(logits), 1)) > chances).sum(axis=1), 3)
    tables = tables_of(logits, target)
    fitted = made.temperature({"a": {"july": job(tables)}}, "a")
    assert fitted == pytest.approx(drawn, rel=0.06)  # the steps are 10.5 % apart
    before, after = (expected_calibration_error(Reliability(*map(np.array, tables[
        int(np.argmin(np.abs(np.log(np.array(TEMPERATURES) / t))))][:3]))) for t in (
            drawn * 2, fitted))
    assert after < 0.03 < before


def job(tables):
    return {"networks": {ENSEMBLE: {"reliability": {"place_known": tables,
                                                    "place_held_out": tables}}}}


def test_every_group_counts_the_same():
    sure = np.array([[2.0, 0.0]])
    right, wrong = tables_of(sure, np.zeros(1)), tables_of(sure, np.ones(1))
    many = tables_of(np.repeat(sure, 1000, axis=0), np.zeros(1000))
    fits = [made.temperature({"a": {"july": job(one), "october": job(wrong)}}, "a")
            for one in (right, many)]
    assert fits[0] == fits[1]
