"""The experiments with EuroMineNet, on sites laid out in the same way; and without any."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch

from experiments import euromine_scenes as scenes
from experiments import euromine_training, euromine_validation
from lulc_lib import legend
from lulc_lib.data.series import Series
from lulc_lib.unet import get_config, load_model
from tests.data.test_euromine import make_site

QUARRY = legend.code("quarry")


def call(module, monkeypatch, *words):
    """Exit code of an experiment's command."""
    monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *map(str, words)])
    return module.run(module.main)


@pytest.mark.parametrize("module", [euromine_validation, euromine_training])
def test_without_the_data_it_is_said_and_2(module, monkeypatch, tmp_path, capsys):
    assert call(module, monkeypatch, "--data", tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "`lulc data --euromine` downloads them" in line and str(tmp_path) in line


@pytest.mark.parametrize("module", [euromine_validation, euromine_training])
def test_other_radiometry_is_not_used_unless_asked_for(module, monkeypatch, tmp_path, capsys):
    for site in ("Poland_15", "Poland_2"):
        make_site(tmp_path, site, haze=True)
    assert call(module, monkeypatch, "--data", tmp_path) == 2
    assert "1 × radiometry: top of atmosphere" in capsys.readouterr().err


def test_pixels_are_counted_inside_and_beyond_the_buffer(tmp_path):
    make_site(tmp_path, "Poland_15")
    mine = scenes.read_site(tmp_path, "Poland_15", 2021).mine  # rows 10…19, columns 10…29
    class_map = mine.astype(np.uint8) * 0 + legend.code("urban")
    class_map[10:20, 10:15] = QUARRY  # 50 of 200 pixels
    class_map[20:22, 10] = QUARRY  # within 20 m
    class_map[22, 10] = QUARRY  # 30 m away
    class_map[0, 0] = legend.NO_DATA
    near = 14 * 24 - 4 * 3 - 200  # Euclidean corners: three pixels of each are farther
    found = euromine_validation.counts(class_map, mine, 20.0)
    assert found == {"inside": 200, "outside": 2000 - 200 - near - 1, "quarry_inside": 50,
                     "quarry_outside": 1}


def test_intervals_draw_whole_sites():
    table = pd.DataFrame({"site": ["a", "a", "b", "c"], "hit": [5, 5, 0, 30],
                          "all": [10, 10, 20, 30]})
    got = euromine_validation.ratio_by_site(table, "hit", "all")
    assert got["estimate"] == pytest.approx(40 / 70)
    assert got["low"] == 0 and got["high"] == 1  # site b alone, site c alone


def test_the_validation_scores_the_test_sites(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LULC_OUTPUT", str(tmp_path / "out"))
    for site in ("Poland_15", "Italy_2", "Poland_2", "Spain_4"):
        make_site(tmp_path / "in", site)
    make_site(tmp_path / "in", "Sweden_1", haze=True)
    monkeypatch.setattr(euromine_validation, "load_model",
                        lambda path: load_model(path, torch.device("cpu")))
    monkeypatch.setattr(euromine_validation, "predict_scene", lambda model, scene, *_: (
        scene.sel(band="B02", drop=True) > .15).astype(np.uint8) * QUARRY)
    assert call(euromine_validation, monkeypatch, "--data", tmp_path / "in", "--write") == 0
    out = capsys.readouterr().out
    assert "recall_inside: 1.0000 [1.0000, 1.0000]" in out and "only 2 sites" in out
    assert "not used: 1 × radiometry: top of atmosphere" in out
    text = (tmp_path / "out/results/published/euromine_validation.json").read_text()
    assert "CC BY 4.0" in text and "Poland_15/images/Year2021.tif" in text
    assert "Poland_2" not in text and "Spain_4" not in text


def test_training_adds_quarry_labels_only(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LULC_OUTPUT", str(tmp_path))
    torch.set_num_threads(1)
    for site in ("Poland_2", "Poland_15", "Poland_1"):
        make_site(tmp_path, site)
    scene, mine = scenes.read_site(tmp_path, "Poland_2", 2021)
    own = (mine.astype(np.uint8) * 0 + legend.code("urban")).copy()
    own[10:20, 10:14] = QUARRY  # 40 pixels: 20 of each of the two mines are kept
    monkeypatch.setattr(euromine_training.data, "training_series", lambda *_: Series(
        {"2021-06-01": scene}, {"2021-06-01": own}, [], []), raising=False)
    seen = {}
    real = euromine_training.train_with

    def train_with(scenes, labels, config, *rest):
        seen.update(scenes=scenes, labels=labels)
        return real(scenes, labels, config.with_(epochs=1), *rest)

    monkeypatch.setattr(euromine_training, "train_with", train_with)
    assert call(euromine_training, monkeypatch, "--data", tmp_path, "--config", "smoke") == 0
    assert len(seen["scenes"]) == 3  # Poland_15 is a test site
    for labels, scene in zip(seen["labels"][1:], seen["scenes"][1:], strict=True):
        assert set(np.unique(labels)) == {legend.NO_DATA, QUARRY} and (labels == QUARRY).sum() == 20
        assert labels.shape == scene.shape[1:]
    path = tmp_path / "build/euromine/seed0.pt"
    assert torch.load(path, weights_only=True)["attribution"].startswith("Trained with EuroMineNet")
    assert "CC BY 4.0" in path.with_suffix(".txt").read_text()
    assert load_model(path).config.normalisation == get_config("smoke").normalisation
    assert "2 scenes of mines" in capsys.readouterr().out
