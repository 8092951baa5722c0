"""Training, checkpoints, prediction and model files on a small landscape built here."""

import os

import numpy as np
import pytest
import torch
import xarray as xr

from lulc_lib import legend
from lulc_lib.errors import InputError
from lulc_lib.unet import (
    AugmentConfig,
    Learner,
    get_config,
    load_model,
    map_of,
    predict_probabilities,
    predict_scene,
    save_model,
    train,
)
from lulc_lib.unet.checkpoint import RENAMED_SETTINGS, build
from lulc_lib.unet.config import CONFIGS, TrainConfig
from lulc_lib.unet.learner import kept_share
from lulc_lib.unet.loss import label_counts
from lulc_lib.unet.normalise import Normalisation
from lulc_lib.unet.train import prepare
from tests.unet.conftest import landscape

SMOKE = get_config("smoke")


@pytest.fixture(scope="module")
def data():
    pairs = [landscape(1), landscape(2)]
    return [p[0] for p in pairs], [p[1] for p in pairs]


@pytest.fixture(scope="module")
def trained(data):
    return train(*data, SMOKE.with_(epochs=3, steps_per_epoch=40), seed=0, progress=False)


def same_weights(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_learns_and_reports(trained):
    assert [r["epoch"] for r in trained.history] == [1, 2, 3]
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    assert trained.history[-1]["validation_oa"] > 0.9
    scene, _, codes = landscape(9)
    found = predict_scene(trained.model, scene, trained.normalisation)
    assert (found.values[:-1] == codes[:-1]).mean() > 0.9


def test_same_seed_same_weights_and_global_state_untouched(data):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    a, b, c = (train(*data, SMOKE, seed=s, progress=False) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert same_weights(a.model, b.model)
    assert a.history == b.history
    assert not same_weights(a.model, c.model)


@pytest.mark.parametrize("more", [{}, {"ema_decay": 0.9}, {"patience": 3},
                                  {"ema_decay": 0.9, "patience": 3},
                                  {"statistics_augmentation": 0.1},
                                  {"normalisation": "log_indices_texture",
                                   "augment": AugmentConfig(), "ema_decay": 0.9}])
def test_interrupted_training_ends_with_the_same_weights(data, tmp_path, monkeypatch, more):
    config = SMOKE.with_(epochs=3, steps_per_epoch=6, **more)
    whole = train(*data, config, seed=3, progress=False)
    path, draw = tmp_path / "run.pt", Learner.draw

    def stopping(self):
        if self.done == 15:
            raise KeyboardInterrupt
        return draw(self)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Learner, "draw", stopping)
        train(*data, config, seed=3, checkpoint=path, progress=False)
    assert len(torch.load(path, weights_only=True)["history"]) == 2
    resumed = train(*data, config, seed=3, checkpoint=path, progress=False)
    assert same_weights(whole.model, resumed.model)
    assert whole.history == resumed.history
    assert [p.name for p in tmp_path.iterdir()] == ["run.pt"]  # no temporary file stays
    finished = train(*data, config, seed=3, checkpoint=path, progress=False)  # nothing left to do
    assert same_weights(whole.model, finished.model)
    with pytest.raises(InputError, match="another seed"):
        train(*data, config, seed=4, checkpoint=path, progress=False)
    with pytest.raises(InputError, match="another data"):
        train(data[0][::-1], data[1], config, seed=3, checkpoint=path, progress=False)


def test_moving_average_of_the_weights_is_the_exponential_one(data, tmp_path):
    """Against the recursion itself, from the weights after every single step."""
    config = SMOKE.with_(epochs=1, steps_per_epoch=1, ema_decay=0.8, learning_rate=0.05,
                         schedule="constant")
    path, steps = tmp_path / "run.pt", []
    for epochs in (1, 2, 3):
        run = train(*data, config.with_(epochs=epochs), seed=0, checkpoint=path, progress=False)
        steps.append(torch.load(path, weights_only=True)["learning"])
        path.unlink()
    for name, value in run.model.state_dict().items():
        if not value.is_floating_point():
            continue
        mean = steps[0][name]
        for number, later in enumerate(steps[1:], start=1):
            kept = min(0.8, (number + 1) / (number + 10))  # less at first
            mean = kept * mean + (1 - kept) * later[name]
        assert torch.allclose(value, mean, atol=1e-6), name
    assert not torch.equal(value, steps[-1][name])


def test_moving_average_soon_forgets_the_first_weights():
    mean = 0.0
    for step in range(1, 21):
        mean += (1 - kept_share(0.99, step)) * (1 - mean)
    assert mean > 0.999  # 0.18 if 0.99 of the old value stayed every time
    assert kept_share(0.99, 0) == 0
    assert kept_share(0.99, 100_000) == kept_share(0.99, 100_001) == 0.99


def test_propagated_labels_are_trained_on_at_every_date_but_not_where_places_are_held_out(data):
    scenes, masks = data
    first, second = masks[0], xr.zeros_like(masks[0])
    config = SMOKE.with_(propagated_classes=("conifer",), validation_share=0.3)
    run = prepare(scenes, [first, second], config, seed=0)
    plain = prepare(scenes, [first, second], config.with_(propagated_classes=()), seed=0)
    conifer = legend.to_index(np.array(legend.code("conifer")))
    targets = run.learner.targets.numpy()
    kept = [t == conifer for t in targets]
    assert np.array_equal(kept[0], plain.learner.targets[0].numpy() == conifer)
    assert np.array_equal(kept[1], kept[0])
    assert kept[1].any()
    assert set(np.unique(targets[1])) == {conifer, legend.IGNORE_INDEX}
    for one, other in zip(run.validation, plain.validation, strict=True):
        assert np.array_equal(one, other)
    assert not (kept[1] & (run.validation[0] > 0)).any()
    with pytest.raises(InputError, match="class key is 'pit'"):
        SMOKE.with_(propagated_classes=("pit",))


def test_logits_are_adjusted_to_the_labels_class_shares(data, tmp_path):
    path, scene = tmp_path / "run.checkpoint", landscape(9)[0]
    plain, adjusted = (
        train(*data, SMOKE.with_(logit_adjustment=p), checkpoint=path, progress=False)
        for p in (0.0, 0.5))  # the second trains no more: it has the same weights
    shares = label_counts(m.values for m in data[1]).clip(1)[:, None, None] ** 0.5
    one, other = (predict_probabilities(r.model, scene, r.normalisation).values
                  for r in (plain, adjusted))
    expected = one * shares / (one * shares).sum(axis=0)
    assert np.allclose(other, expected, atol=1e-5, equal_nan=True)
    assert np.nanmax(np.abs(other - one)) > 0.05
    assert adjusted.config.logit_adjustment == 0.5


def test_early_stopping_keeps_the_best_epoch(data):
    config = SMOKE.with_(epochs=30, steps_per_epoch=4, schedule="constant", learning_rate=0.05,
                         patience=3)
    run = train(*data, config, seed=0, progress=False)
    scores = [r["validation_macro_f1"] for r in run.history]
    best = int(np.argmax(scores))
    assert len(scores) == best + 1 + 3 < 30
    again = train(*data, config.with_(patience=0, epochs=best + 1), seed=0, progress=False)
    assert same_weights(run.model, again.model)
    with pytest.raises(InputError, match="held-out labels"):
        train(*data, config.with_(validation_share=0.0), progress=False)


def test_precision_of_training_is_chosen_and_told(data, monkeypatch):
    from lulc_lib.unet import device

    short = SMOKE.with_(epochs=1, steps_per_epoch=3)
    exact, rough = (train(*data, short.with_(precision=p), progress=False)
                    for p in ("float32", "bfloat16"))
    assert (exact.precision, rough.precision) == ("float32", "bfloat16")
    assert not same_weights(exact.model, rough.model)
    assert all(v.dtype == torch.float32 for v in rough.model.parameters())
    cpu = torch.device("cpu")
    for there, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda there=there: {"amx_bf16": there})
        assert device.pick_precision("auto", cpu) == expected
    with pytest.raises(InputError, match="precision is 'half'"):
        SMOKE.with_(precision="half")


def test_logs_and_progress(data, tmp_path, capsys):
    pytest.importorskip("tensorboard")
    train(*data, SMOKE.with_(epochs=1, steps_per_epoch=2, validation_share=0.0),
          log_dir=tmp_path / "logs")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert {"loss", "learning_rate", "validation_oa"} <= set(log.Tags()["scalars"])
    assert log.Scalars("loss")[-1].step == 2
    captured = capsys.readouterr()
    assert "training smoke" in captured.err
    assert captured.out == ""


def test_a_loss_that_is_no_number_stops_the_training_at_its_step(data):
    config = SMOKE.with_(normalisation="reflectance", learning_rate=1e30, schedule="constant",
                         network="unet_original", convolutions=2)
    with pytest.raises(InputError, match=r"smoke, seed 4: the loss of step \d+ of 20 is (nan|inf)"):
        train(*data, config, seed=4, progress=False)


def test_refuses_what_does_not_fit(data):
    scenes, masks = data
    with pytest.raises(InputError, match="2 scenes and 1 label rasters"):
        train(scenes, masks[:1], SMOKE)
    with pytest.raises(InputError, match="onto the scene's grid"):
        train(scenes, [masks[0], masks[1][1:]], SMOKE)
    with pytest.raises(InputError, match="no labelled pixel"):
        train(scenes, [m * 0 for m in masks], SMOKE.with_(validation_share=0.0))


def test_no_data_only_where_every_band_is_missing(trained):
    scene, _, _ = landscape(3)
    found = predict_scene(trained.model, scene, trained.normalisation)
    assert found.dtype == np.uint8
    assert found.rio.crs == scene.rio.crs
    assert found.attrs["date"] == "2023-07-09"
    assert np.array_equal(found.values == legend.NO_DATA, np.isnan(scene.values).all(axis=0))
    probabilities = predict_probabilities(trained.model, scene, trained.normalisation)
    assert probabilities.dims == ("class", "y", "x")
    assert np.isnan(probabilities.values[:, -1]).all()
    np.testing.assert_allclose(probabilities.values[:, :-1].sum(axis=0), 1, rtol=1e-5)
    assert map_of(probabilities).identical(found)


@pytest.mark.parametrize("size", [(70, 62), (9, 30), (3, 3)])
def test_sizes_and_tta(trained, size):
    scene, _, codes = landscape(4)
    scene = scene.isel(y=slice(0, size[0]), x=slice(1, 1 + size[1]))
    for tta in (False, True):
        found = predict_scene(trained.model, scene, trained.normalisation, tta=tta)
        assert found.shape == scene.shape[1:]
    if size[0] > 60:
        assert (found.values[:-1] == codes[:, 1:][:69, :found.shape[1]]).mean() > 0.9


def test_tta_does_not_depend_on_the_way_up(trained):
    """A square scene whose size fits the poolings, turned: the same map, turned."""
    scene, _, _ = landscape(4)
    scene = scene.isel(y=slice(0, 32), x=slice(1, 33))
    turned = scene.copy(data=np.rot90(scene.values, 1, (1, 2)))
    a, b = (predict_probabilities(trained.model, s, trained.normalisation, tta=True).values
            for s in (scene, turned))
    np.testing.assert_allclose(np.rot90(a, 1, (1, 2)), b, atol=1e-5)


def test_model_file_round_trip(trained, tmp_path):
    path = tmp_path / "deep" / "model.pt"
    trained.save(path)
    stored = load_model(path)
    assert same_weights(stored.model, trained.model)
    assert stored.normalisation == trained.normalisation
    assert stored.config == trained.config
    assert not stored.model.training


def test_bad_model_files(trained, tmp_path):
    path = tmp_path / "model.pt"
    save_model(path, trained.model, trained.normalisation, trained.config)
    data = path.read_bytes()
    for name, content in (("short", data[:len(data) // 2]), ("empty", b""), ("text", b"hello\n"),
                          ("torn", data[:100])):
        bad = tmp_path / f"{name}.pt"
        bad.write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}\.pt: cannot be read"):
            load_model(bad)
    foreign = tmp_path / "foreign.pt"
    torch.save({"state_dict": trained.model.state_dict()}, foreign)
    with pytest.raises(InputError, match="is not in the format"):
        load_model(foreign)
    torch.save(trained.model, foreign)  # a pickled object: refused, not run
    with pytest.raises(InputError, match="cannot be read"):
        load_model(foreign)
    with pytest.raises(InputError, match="no such file"):
        load_model(tmp_path / "nowhere.pt")
    values = torch.load(path, weights_only=True)
    for key, value, words in (("codes", [1, 2], "trained with codes"),
                              ("indices", ["NDVI", "NDRE"], r"indices \['NDVI', 'NDRE'\]; ours"),
                              ("config", {**values["config"], "base_channels": 8}, "do not fit")):
        torch.save({**values, key: value}, foreign)
        with pytest.raises(InputError, match=words):
            load_model(foreign)
    with pytest.raises(InputError, match="from a checkpoint only"):
        train([landscape(1)[0]], [landscape(1)[1]], trained.config, checkpoint=path, progress=False)


def test_failed_write_leaves_the_old_file(trained, tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    trained.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(InputError, match="disk full"):
        trained.save(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_configurations():
    paper = CONFIGS["paper"]  # Table 5
    assert (paper.patch_size, paper.batch_size, paper.epochs, paper.focal_gamma) == (100, 4, 25, 2)
    assert (paper.learning_rate, paper.weight_decay, paper.base_channels) == (0.001, 0.001, 64)
    assert TrainConfig.from_dict(paper.to_dict()) == paper
    with pytest.raises(InputError, match=r"'huge'.*smoke, default, study, paper"):
        get_config("huge")
    with pytest.raises(InputError, match="patch_size is 8"):
        paper.with_(patch_size=8)
    with pytest.raises(InputError, match="unknown training settings: colour"):
        TrainConfig.from_dict({**paper.to_dict(), "colour": 1})


def test_build_is_seeded():
    assert same_weights(build(SMOKE, 1), build(SMOKE, 1))
    assert not same_weights(build(SMOKE, 1), build(SMOKE, 2))


def test_a_normalisation_survives_the_file():
    assert Normalisation("per_scene") == Normalisation.from_dict(
        Normalisation("per_scene").to_dict()
    )


def test_former_names_of_settings_are_read(trained, data, tmp_path):
    """Files of the format before: a model file to predict with, a checkpoint to go on from."""
    config, path = SMOKE.with_(epochs=1, steps_per_epoch=2), tmp_path / "old.checkpoint"
    run = train(*data, config, seed=0, checkpoint=path, progress=False)
    values = torch.load(path, weights_only=True)
    former = {new: old for old, new in RENAMED_SETTINGS.items()}
    assert set(former) <= set(config.to_dict())
    values["config"] = {former.get(k, k): v for k, v in values["config"].items()}
    assert {"base", "lasting", "votes", "prior", "mixture", "ema"} <= set(values["config"])
    torch.save({**values, "format": "lulc_lib.unet/2"}, path)
    stored = load_model(path)
    assert stored.config == config
    assert same_weights(stored.model, run.model)
    again = train(*data, config, seed=0, checkpoint=path, progress=False)
    assert again.history == run.history
    torch.save({**values, "format": "lulc_lib.unet/1"}, path)
    with pytest.raises(InputError, match="is not in the format"):
        load_model(path)
