"""Pixel classifiers that compete with the network: the same pixels, the same seed, no leak."""

import json
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from experiments import fair_comparison, fair_pixels
from experiments.fair_pixels import size_of
from lulc_lib import legend
from lulc_lib.accuracy import pixel_models as models
from lulc_lib.accuracy.splits import SEASON_GROUPS, label_clusters, make_fold
from lulc_lib.errors import InputError

DATES = [d for s in ("june", "july", "winter") for d in SEASON_GROUPS[s]]
SHAPE = (40, 40)


@pytest.fixture(scope="module")
def scene():
    """Labels of three classes in stripes and ten bands that tell them apart."""
    rng = np.random.default_rng(0)
    codes = np.repeat([[legend.code(k)] for k in ("conifer", "crops_growing", "quarry", "water")],
                      10, axis=0).repeat(40, axis=1).astype(np.uint8)
    mean = {legend.code("conifer"): (0.02, 0.03, 0.02, 0.2, 0.1),
            legend.code("crops_growing"): (0.03, 0.06, 0.04, 0.4, 0.2),
            legend.code("quarry"): (0.15, 0.18, 0.2, 0.25, 0.3),
            legend.code("water"): (0.04, 0.04, 0.03, 0.02, 0.01)}
    bands = np.full((*SHAPE, 10), 0.1, dtype=np.float32)
    for code, values in mean.items():
        for k, v in zip((0, 1, 2, 6, 8), values, strict=True):
            bands[codes == code, k] = v
    inputs = {d: {n: (bands + rng.normal(0, 0.01, bands.shape)).reshape(-1, 10).astype(np.float32)
                  for n in ("bands", "network", "per_scene")} for d in DATES}
    return dict.fromkeys(DATES, codes), inputs


def test_all_models_are_fitted_on_the_same_pixels(scene):
    labels, inputs = scene
    first, *others = (models.training_pixels(inputs, labels, models.MODELS[m], 20, 1)
                      for m in ("forest_tuned", "svm_ee", "index_rule"))
    for other in others:
        assert (other[1] == first[1]).all()
        assert (other[2] == first[2]).all()
    assert len(first[1]) == 20 * 4 * len(DATES)
    assert first[2].sum() == pytest.approx(sum((c > 0).sum() for c in labels.values()))


@pytest.mark.parametrize("name", ["index_rule", "cart_ee", "svm_ee", "forest_ee", "svm_tuned"])
def test_same_seed_same_map_and_it_is_right(scene, name):
    labels, inputs = scene
    model = models.MODELS[name]
    settings, scores = models.choose(inputs, labels, model, 20)
    assert len(scores) in (0, len(model.grid))
    drawn = models.training_pixels(inputs, labels, model, 50, 0)
    maps = [models.fitted(model, settings, 0, *drawn).predict(inputs[DATES[0]][model.inputs])
            for _ in range(2)]
    assert (maps[0] == maps[1]).all()
    wanted = legend.to_index(labels[DATES[0]]).ravel()
    quarry = wanted == models.QUARRY
    assert ((maps[0] == models.QUARRY) == quarry).mean() > 0.9
    assert size_of(models.fitted(model, settings, 0, *drawn)) > 1


def test_the_settings_of_the_classifiers():
    """Those of Earth Engine's, and the ones that nested tuning chooses from."""
    wanted = {
        "forest_ee": {"n_estimators": 10, "min_samples_leaf": 1, "max_features": "sqrt",
                      "max_samples": 0.5, "random_state": 3},
        "forest_tuned": {"n_estimators": 60, "min_samples_leaf": 1, "max_samples": None},
        "forest_scheme_ten": {"n_estimators": 60, "min_samples_leaf": 5, "max_samples": None},
        "cart_ee": {"min_samples_leaf": 1, "random_state": 3},
        "boosting": {"max_iter": 60, "max_leaf_nodes": 15, "learning_rate": 0.1,
                     "l2_regularization": 1.0, "early_stopping": False, "random_state": 3}}
    for name, settings in wanted.items():
        given = models.MODELS[name].make(3).get_params()
        assert {k: given[k] for k in settings} == settings, name
    assert models.MODELS["forest_tuned"].grid == tuple(
        {"leaf": leaf, "prior": prior} for leaf in (1, 5, 20) for prior in (0, 1))


def test_pixels_are_drawn_of_every_class_and_date():
    conifer, quarry = legend.code("conifer"), legend.code("quarry")
    labels = {"a": np.array([[0, conifer, conifer], [conifer, quarry, conifer]], np.uint8),
              "b": np.array([[quarry, 0, 0], [0, 0, quarry]], np.uint8)}
    (date, at, classes, weights), one, two = models.draw(labels, 2, 5)
    assert (date, one[0], two[0]) == ("a", "a", "b")
    assert len(at) == 2 and set(at) < {1, 2, 3, 5} and classes.tolist() == [0, 0]
    assert weights.tolist() == [2, 2]  # four labelled pixels, two drawn
    assert (one[1].tolist(), one[2].tolist(), one[3].tolist()) == ([4], [models.QUARRY], [1])
    assert (two[1].tolist(), two[3].tolist()) == ([0, 5], [1, 1])
    (_, first, *_), (_, second, classes, weights) = models.draw(labels, 2, 5, total=3)
    assert len(first) == 3 and set(first) < {1, 2, 3, 4, 5}
    assert sorted(second) == [0, 5] and weights.tolist() == [1, 1]
    assert classes.tolist() == [models.QUARRY] * 2
    expected = np.random.default_rng(5).choice(np.array([1, 2, 3, 5]), 2, replace=False)
    assert at.tolist() == expected.tolist()


class Told:
    """An estimator that maps all pixels as one class, and notes how it was made and fitted."""

    made: ClassVar[list] = []

    def __init__(self, seed, answer=0, **settings):
        self.answer = answer
        Told.made.append((seed, answer, settings))

    def fit(self, x, y, sample_weight):
        Told.made.append((len(y), round(float(sample_weight.mean()), 9), x.shape[1]))
        self.weight = sample_weight
        return self

    def predict(self, x):
        return np.full(len(x), self.answer)


def test_settings_are_chosen_on_seasons_left_out(scene, monkeypatch):
    """Of four classes with as many pixels each, a map of one has F1 0.4 there, 0 elsewhere."""
    labels, inputs = scene
    monkeypatch.setattr(Told, "made", [])
    model = models.Model(Told, "bands", ({"answer": 1}, {"answer": 0}), quick={"rounds": 3})
    settings, scores = models.choose(inputs, labels, model, 20)
    assert settings == {"answer": 0}
    assert scores == [0.0, 0.1]  # class 1 is in no label; (2 × 1 / (1 + 4)) / 4
    made = Told.made[0::2]
    assert made == [(0, a, {"rounds": 3}) for _ in range(3) for a in (1, 0)]
    per_date = 4 * 20
    assert [n for n, _, _ in Told.made[1::2]] == [
        per_date * (len(DATES) - len(SEASON_GROUPS[s])) for s in ("june", "july", "winter")
        for _ in range(2)]
    assert all(mean == 1 and columns == 10 for _, mean, columns in Told.made[1::2])
    once = models.Model(Told, "bands", ({"answer": 1},))
    assert models.choose(inputs, labels, once, 20) == ({"answer": 1}, [])
    summer = {d: labels[d] for d in SEASON_GROUPS["june"]}
    assert models.choose(inputs, summer, model, 20) == ({"answer": 1}, [])
    assert models.choose(inputs, labels, model) == models.choose(
        inputs, labels, model, models.TUNING_CAP)


def test_the_pixels_that_settings_are_fitted_and_tested_on(scene, monkeypatch):
    """Fitted on draw 0, tested on four times as many of draw 1; the mean of the seasons decides."""
    labels, inputs = scene
    drawn, real = [], models.training_pixels
    scores = iter([1 / 3, 0.2, 0.5, 0.9, 0.25, 0.7])  # by season, and in it by settings

    def training_pixels(inputs, labels, model, cap, seed):
        drawn.append((list(labels), cap, seed))
        return real(inputs, labels, model, cap, seed)

    monkeypatch.setattr(models, "training_pixels", training_pixels)
    monkeypatch.setattr(models, "_macro_f1", lambda *_: next(scores))
    model = models.Model(Told, "bands", ({"answer": 1}, {"answer": 0}))
    assert models.choose(inputs, labels, model, 20) == ({"answer": 0}, [0.3611, 0.6])
    assert drawn == [call for s in ("june", "july", "winter") for call in (
        ([d for d in DATES if d not in SEASON_GROUPS[s]], 20, 0),
        ([d for d in DATES if d in SEASON_GROUPS[s]], 80, 1))]


def test_weights_are_to_the_power_of_the_prior():
    x, y, w = np.zeros((4, 2)), np.zeros(4, int), np.array([1.0, 1.0, 4.0, 10.0])
    model = models.Model(Told)
    for settings, expected in (({}, w / 4), ({"prior": 1}, w / 4), ({"prior": 0}, np.ones(4)),
                               ({"prior": 0.5}, w ** 0.5 / (w ** 0.5).mean())):
        before = dict(settings)
        np.testing.assert_allclose(models.fitted(model, settings, 0, x, y, w).weight, expected)
        assert settings == before


def test_macro_f1_of_weighted_pixels_by_hand():
    mapped, reference = np.array([0, 0, 3, 3, 5]), np.array([0, 3, 3, 3, 0])
    weight = np.array([2.0, 1.0, 1.0, 3.0, 4.0])
    # class 0: 2·2 / (3 + 6); class 3: 2·4 / (4 + 5); class 5 has no reference
    assert models._macro_f1(mapped, reference, weight) == pytest.approx((4 / 9 + 8 / 9) / 2)


def test_the_indices_by_hand():
    x = np.zeros((2, 10), np.float32)
    x[:, [0, 1, 2, 6, 8]] = [[0.1, 0.2, 0.3, 0.5, 0.4], [0, 0, 0, -1, 1]]
    np.testing.assert_allclose(models.IndexRule.indices(x), [
        [0.2 / 0.8, 0.1 / 0.9, -0.3 / 0.7, -0.2 / 0.6, (0.7 - 0.6) / 1.3],
        [0, (0.001 - 1) / 1.001, 0, (0.001 - 1) / 1.001, (1.001 - 0.002) / 1.003]], rtol=1e-5)


def test_the_index_rule_finds_an_interval():
    """Quarries have a middle NDVI and nothing else that tells them; the rest is mostly class 2."""
    ndvi = np.linspace(-0.9, 0.9, 400)
    x = np.full((400, 10), 0.1, np.float32)
    x[:, 6], x[:, 2] = 0.1 * (1 + ndvi), 0.1 * (1 - ndvi)
    y = np.where(abs(ndvi) < 0.2, models.QUARRY, np.where(ndvi < 0.4, 2, 4)).astype(np.uint8)
    weight = np.ones(400)
    rule = models.IndexRule().fit(x, y)
    assert ((rule.predict(x) == models.QUARRY) == (y == models.QUARRY)).mean() > 0.99
    assert rule.rest_ == 2
    assert rule.classes_.tolist() == [2, 4, models.QUARRY]
    weight[y == 4] = 3
    assert models.IndexRule().fit(x, y, weight).rest_ == 4
    weight[y == 2] = 9
    assert models.IndexRule().fit(x, y, weight).rest_ == 2
    wide = models.IndexRule().fit(x, y, np.where(y == models.QUARRY, 1e6, 1e-6))
    assert (wide.predict(x)[y == models.QUARRY] == models.QUARRY).all()
    everywhere = models.IndexRule().fit(x, np.full(400, models.QUARRY, np.uint8))
    assert (everywhere.predict(x) == models.QUARRY).all()


@pytest.fixture
def given(monkeypatch):
    """Let the inputs be the five indices themselves."""
    monkeypatch.setattr(models.IndexRule, "indices", staticmethod(lambda x: x))


def quarries_and(others):
    """Make 41 quarries with the first index 0, 1, ... 40, and other pixels; the rest is 0."""
    x = np.zeros((41 + len(others), 5))
    x[:, 0] = [*range(41), *others]
    return x, np.array([models.QUARRY] * 41 + [2] * len(others), np.uint8)


def test_thresholds_by_hand(given):
    """Ten others just below quarry 5 and ten just above quarry 35: both ends are cut off.

    2 · 30 / (30 + 41) is more than with the ends left (82 / 102) or one cut off (72 / 87, 70 / 86).
    The 30: a pixel on the upper threshold is not counted in the fit. Quarry 40 alone has another
    second index; as it is cut off, no pixel that is left has so high a value.
    """
    x, y = quarries_and([4.5] * 10 + [35.5] * 10)
    x[40, 1] = 1
    rule = models.IndexRule().fit(x, y)
    assert rule.bounds_.tolist() == [[5, 35], *[[0, np.inf]] * 4]
    np.testing.assert_array_equal(rule.predict(x), np.where((x[:, 0] >= 5) & (x[:, 0] <= 35),
                                                            models.QUARRY, 2))


def test_each_threshold_leaves_half_of_the_quarries(given):
    """Others between quarries 19 and 20 cannot be cut off, from above nor from below."""
    x, y = quarries_and([19.5])
    assert models.IndexRule().fit(x, y, np.array([1.0] * 41 + [1000.0])).bounds_[0].tolist() == [
        0, np.inf]
    x, y = quarries_and([18.5])  # from below they can: 2 · 22 / (22 + 41)
    assert models.IndexRule().fit(x, y, np.array([1.0] * 41 + [1000.0])).bounds_[0].tolist() == [
        19, np.inf]
    x, y = quarries_and([20.5])
    assert models.IndexRule().fit(x, y, np.array([1.0] * 41 + [1000.0])).bounds_[0].tolist() == [
        0, 20]


def test_the_machine_of_the_models_takes_seed_cost_and_unit():
    made = models.MODELS["svm_ee"].make(3)
    assert (made.seed, made.cost, made.unit) == (3, 1.0, 100.0)
    made = models.MODELS["svm_tuned"].make(4, cost=0.1)
    assert (made.seed, made.cost, made.unit) == (4, 0.1, 1.0)
    assert models.MODELS["forest_ee"].make(3).n_jobs == 1


def test_the_linear_machine_is_that_of_liblinear():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    y = (x[:, 0] + 0.5 * x[:, 1] > 0).astype(int)
    ours = models.Scaled(cost=0.5, unit=2.0, seed=4).fit(x, y)
    given = {"C": 0.5, "dual": False, "max_iter": 200, "tol": 1e-3, "random_state": 4}
    assert {k: ours.model_.get_params()[k] for k in given} == given
    peer = LinearSVC(**given).fit(2 * x, y)
    np.testing.assert_array_equal(ours.predict(x), peer.predict(2 * x))
    np.testing.assert_allclose(ours.model_.coef_, peer.coef_)
    usual = models.Scaled()
    assert (usual.cost, usual.unit, usual.seed) == (1.0, 1.0, 0)
    heavy = models.Scaled().fit(x, y, np.where(y == 1, 50.0, 0.01))
    assert heavy.predict(x).mean() > y.mean() + 0.1


def test_merged_classes_are_trained_as_one(scene):
    labels, inputs = scene
    _, y, _ = models.training_pixels(inputs, labels, models.MODELS["forest_scheme_crops"], 20, 0)
    assert models.GROWING not in y
    assert models.RIPE in y


def test_a_planted_leak_is_refused_by_name(scene, monkeypatch):
    labels, _ = scene
    codes = list(labels.values())
    fold = make_fold(codes, "july", "NW")

    class Planted:
        dates = DATES
    Planted.codes = codes
    monkeypatch.setattr(type(fold), "training_labels", lambda self, codes: codes)
    with pytest.raises(InputError, match=r"training label .* of 2021-06-19 .* fold july-NW"):
        fair_pixels.training_labels(Planted, fold, "july-NW")


@pytest.fixture
def small(scene, monkeypatch):
    """Make the scene what fair_pixels works on."""
    labels, inputs = scene
    codes = np.stack(list(labels.values()))
    data = SimpleNamespace(dates=DATES, codes=codes, inputs=inputs, shape=SHAPE, test={},
                           clusters=label_clusters(list(codes)))
    data.base = SimpleNamespace(targets=legend.to_index(codes))
    monkeypatch.setattr(fair_pixels, "_DATA", data)
    return data


def test_seeds_that_a_job_lacks_are_added_to_it(small, tmp_path, monkeypatch):
    """The first seed and its settings stay; what is added equals a run of all seeds at once."""
    def run(out, seeds):
        return next(fair_pixels.run_all([("july", "svm_tuned")], out, 1, np.inf, seeds))

    run(tmp_path, [0])
    file = tmp_path / "july__svm_tuned.json"
    first = json.loads(file.read_text())
    monkeypatch.setattr(fair_pixels, "choose", None)  # settings are not chosen again
    run(tmp_path, [0, 1, 2])
    after = json.loads(file.read_text())
    assert after["networks"].keys() == {"0", "1", "2"}
    assert after["networks"]["0"] == first["networks"]["0"]
    assert after["map"] == first["map"]
    assert after["settings"] == first["settings"]
    monkeypatch.undo()
    monkeypatch.setattr(fair_pixels, "_DATA", small)
    run(tmp_path / "new", [0, 1, 2])
    whole = json.loads((tmp_path / "new" / file.name).read_text())["networks"]
    assert all(whole[s]["clusters"] == after["networks"][s]["clusters"] for s in whole)
    text = file.read_text()
    assert run(tmp_path, [2, 0]).endswith("there")
    assert file.read_text() == text


def test_what_was_not_run_is_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(fair_comparison, "network_seconds",
                        lambda name: {"training": 1800.0, "mapping": 1.0})
    monkeypatch.setattr(fair_comparison, "absent_scenes", lambda root: ["img_train/k.tif"])
    job = {"fold": "july-NE", "model": "forest_tuned", "settings": {}, "tuning_seconds": 1,
           "seconds": 3600,
           "networks": {str(s): {"clusters": {"place_held_out": [[1, 9, 9, 40], [2, 3, 9, 10],
                                                                 [3, 3, 3, 50]]},
                                 "training_seconds": 1, "seconds_per_megapixel": 1,
                                 "parameters": 5} for s in range(3)}}
    (tmp_path / "july-NE__forest_tuned.json").write_text(json.dumps(job))
    runs = fair_comparison.Runs(tmp_path, tmp_path / "none", tmp_path / "none")
    values = fair_comparison.collect_scores(runs)
    row, = values["scores"]
    assert row["n"] == 100
    assert row["overall_accuracy"][0] == pytest.approx(0.9)
    missing = {entry["what"]: entry["why"] for entry in values["not_run"]}
    assert "random forest, tuned, season and place out: june-NW, october-SW, winter-SE" in missing
    region, = (why for what, why in missing.items() if what.startswith("a whole region out"))
    assert region.startswith("1 scenes were not at hand")
    assert region.endswith("img_train/k.tif")
    assert any(w.startswith("gradient boosting: ") for w in missing)
    assert missing["random forest, tuned, season and place out: june-NW, october-SW, winter-SE"
                   ] == "3 trainings more, 1.0 hours of a CPU core"
    shipped = "shipped model (6 U-Nets): random pixels, "
    why, = (why for what, why in missing.items() if what.startswith(shipped))
    folds = sum(len(p.folds) for n, p in fair_comparison.PROTOCOLS.items()
                if "," not in n and n != "region out")
    assert why == f"{6 * folds} trainings more, {3 * folds}.0 hours of a CPU core"


def test_all_are_scored_on_the_same_folds(tmp_path):
    """On those that the main models share; a smaller version stands in where it has all folds."""
    folds = fair_comparison.PROTOCOLS["one date out"].folds
    ran = {"forest_tuned": folds, "svm_tuned": folds, "cart_tuned": folds[:2],
           "paper_narrow": folds, "augmented_and_relative": folds[:5]}
    for model, some in ran.items():
        for fold in some:
            job = {"fold": fold, "model": model, "networks": {
                "0": {"clusters": {"place_known": [[1, 9, 9, 40], [2, 3, 9, 10], [3, 3, 3, 50]]}}}}
            (tmp_path / f"{fold}__{model}.json").write_text(json.dumps(job))
    runs = fair_comparison.Runs(tmp_path, tmp_path / "none", tmp_path / "none")
    rows = {r["model"]: r for r in fair_comparison.score_rows(runs)}
    assert rows.keys() == {"forest_tuned", "svm_tuned", "paper_narrow"}
    assert all(r["folds"] == list(folds) and r["n"] == 600 for r in rows.values())
    compared = fair_comparison.differences(runs)["rows"]
    assert {m for r in compared for m in (r["a"], r["b"])} == rows.keys()


def test_an_ensemble_costs_what_its_networks_do(tmp_path, monkeypatch):
    monkeypatch.setattr(fair_comparison, "network_seconds", lambda name: {
        "training": {"augmented": 100.0, "relative": 120.0}[name], "mapping": 1.5})
    for model, seconds in (("augmented", 9.0), ("relative", 12.0)):
        job = {"fold": "july-NE", "candidate": model, "training_seconds": seconds,
               "trained_together": 3, "parameters": 10, "device": "a GPU",
               "networks": {"0": {"clusters": {}}}}
        (tmp_path / f"{model}__july-NE.json").write_text(json.dumps(job))
    rows = {r["model"]: r for r in fair_comparison.cost(
        fair_comparison.Runs(tmp_path, tmp_path / "none", tmp_path / "none"))}
    assert rows.keys() == {"augmented", "augmented:ensemble", "augmented_and_relative",
                           fair_comparison.SHIPPED}
    shipped = rows[fair_comparison.SHIPPED]
    assert shipped["cpu_seconds"] == 660
    assert shipped["training_seconds"] == 21
    assert shipped["parameters"] == 60
    assert shipped["seconds_per_megapixel"] == 9
    assert rows["augmented"]["cpu_seconds"] == 100


def test_time_of_a_network_grows_with_its_steps(monkeypatch):
    small = fair_comparison.SETTINGS["augmented"].with_(
        patch_size=32, base_channels=2, depth=1, convolutions=1, batch_size=2)
    monkeypatch.setattr(fair_comparison, "SETTINGS", {
        "small": small, "longer": small.with_(epochs=100 * small.epochs)})
    short, long = (fair_comparison.network_seconds(n, 64) for n in ("small", "longer"))
    assert long["training"] > 10 * short["training"] > 0
    assert short["mapping"] > 0
