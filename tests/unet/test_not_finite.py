"""Networks whose numbers are not finite: training stops, files are refused, no map is made."""

import copy
import math

import numpy as np
import pytest
import torch

from lulc_lib.cli import main
from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError
from lulc_lib.unet import (
    Ensemble,
    Normalisation,
    get_config,
    load_model,
    predict_scene,
    save_model,
    train,
)
from lulc_lib.unet.applicability import Applicability
from lulc_lib.unet.checkpoint import build
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.learner import Learner
from tests.unet.conftest import landscape

CPU = torch.device("cpu")
CONFIG = get_config("smoke").with_(normalisation="training_scenes")
MEAN, SD = (0.2,) * len(BANDS), (0.1,) * len(BANDS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The contents of a file of two networks with an area of applicability."""
    config = CONFIG.with_(members=("training_scenes",) * 2, member_weights=(1.0, 2.0))
    model = Ensemble([build(config, seed) for seed in (0, 1)], config.member_weights)
    ones = np.ones(4, np.float32)
    area = Applicability(np.eye(4, dtype=np.float16), ones, ones, 1.0, 0.5)
    path = tmp_path_factory.mktemp("model") / "whole.pt"
    save_model(path, model, Normalisation("training_scenes", MEAN, SD), config, area)
    return torch.load(path, weights_only=True)


def weight(values, number, size):
    next(iter(values["weights"][number].values())).view(-1)[3] = size


DAMAGE = {
    "one weight is nan": (lambda v: weight(v, 1, math.nan), "network 2 of 2 are no finite"),
    "one weight is inf": (lambda v: weight(v, 0, -math.inf), "network 1 of 2 are no finite"),
    "a member's share": (lambda v: v["config"].update(member_weights=(1.0, math.nan)), "finite"),
    "a negative share": (lambda v: v["config"].update(member_weights=(1.0, -2.0)), "above 0"),
    "temperature": (lambda v: v["config"].update(temperature=math.nan), "temperature is nan"),
    "temperature 0": (lambda v: v["config"].update(temperature=0.0), "must be above 0"),
    "tempered by inf": (lambda v: v["config"].update(temperature=math.inf), "temperature is inf"),
    "temperature text": (lambda v: v["config"].update(temperature="x"), "must be float"),
    "many channels": (lambda v: v["config"].update(base_channels=10**9), "1 to 1024"),
    "half a channel": (lambda v: v["config"].update(base_channels=4.5), "must be int"),
    "deep": (lambda v: v["config"].update(depth=10**6), "1 to 8"),
    "no settings": (lambda v: v.update(config=None), "has no settings"),
    "no weights": (lambda v: v.update(weights=None), "do not fit"),
    "empty weights": (lambda v: v.update(weights=[]), "do not fit|at least one"),
    "numbers for weights": (lambda v: v.update(weights=[1, 2]), "do not fit"),
    "mean": (lambda v: v["normalisation"].update(mean=(math.nan,) * 10), "finite mean"),
    "two bands": (lambda v: v["normalisation"].update(mean=(0.1, 0.2)), "each of 10 bands"),
    "no spread": (lambda v: v["normalisation"].update(sd=(0.0,) * 10), "above 0"),
    "spread of text": (lambda v: v["normalisation"].update(sd="none"), "do not fit"),
    "no normalisation": (lambda v: v.update(normalisation=None), "do not fit"),
    "threshold": (lambda v: v["applicability"].update(threshold=math.nan), "area of applicab"),
    "distance": (lambda v: v["applicability"].update(mean_distance=0.0), "area of applicab"),
    "samples": (lambda v: v["applicability"].update(reference=torch.zeros(0, 4)), "applicab"),
    "features": (lambda v: v["applicability"].update(scale=torch.ones(3)), "area of applicab"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_file_is_refused_with_its_name_and_the_field(whole, tmp_path, what):
    values, (damage, words) = copy.deepcopy(whole), DAMAGE[what]
    damage(values)
    path = tmp_path / "damaged.pt"
    torch.save(values, path)
    with pytest.raises(InputError, match=words) as error:
        load_model(path, CPU)
    assert str(path) in str(error.value)


def test_the_whole_file_is_read(whole, tmp_path):
    torch.save(whole, tmp_path / "whole.pt")
    assert load_model(tmp_path / "whole.pt", CPU).config.member_weights == (1.0, 2.0)


def test_the_command_writes_no_map_of_a_damaged_network(whole, tmp_path, write_raster, scene_dn,
                                                        capsys):
    values = copy.deepcopy(whole)
    weight(values, 0, math.nan)
    torch.save(values, tmp_path / "nan.pt")
    scene = write_raster("scene.tif", scene_dn, BANDS)
    assert main(["classify", str(scene), "-o", str(tmp_path / "map.tif"), "--checkpoint",
                 str(tmp_path / "nan.pt")]) == 2
    assert "no finite numbers" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["nan.pt", "scene.tif"]


def test_no_map_is_made_where_numbers_overflow_or_are_none():
    scene = landscape(0)[0]
    model, normalisation = build(CONFIG), Normalisation("training_scenes", MEAN, SD)
    predict_scene(model, scene, normalisation)  # whose last row has no data, which is no fault
    with torch.no_grad():
        model.head.bias[0] = math.nan
    with pytest.raises(InputError, match="weights are damaged"):
        predict_scene(model, scene, normalisation)


def test_training_stops_where_a_weight_is_no_number_though_the_loss_is(monkeypatch):
    scene, labels, _ = landscape(0)
    step = Learner.step

    def damaged(self):
        step(self)
        if self.done == 6:
            self.mean[0].fill_(math.nan)

    monkeypatch.setattr(Learner, "step", damaged)
    config = CONFIG.with_(ema_decay=0.9, epochs=1, steps_per_epoch=8, validation_share=0.0)
    with pytest.raises(InputError, match="after step 8 of 8 the weights are no finite numbers"):
        train([scene], [labels], config, progress=False)


@pytest.mark.parametrize(("name", "value"), [
    ("learning_rate", math.nan), ("ema_decay", math.inf), ("epochs", 2.5), ("tta", "yes"),
    ("propagated_classes", (1,)), ("member_weights", (math.inf,)), ("steps_per_epoch", "all")])
def test_a_setting_of_another_kind_is_named(name, value):
    with pytest.raises(InputError, match=f"{name} is .*; it must be"):
        TrainConfig("t", base_channels=4, **{name: value})
