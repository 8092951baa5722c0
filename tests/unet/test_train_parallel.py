"""Ensembles and seeds: members with different views, their files, trainings in parallel."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from lulc_lib import paths
from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError
from lulc_lib.unet import (
    get_config,
    load_model,
    map_of,
    predict_probabilities,
    predict_scene,
    train,
)
from lulc_lib.unet.checkpoint import study_model
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.indices import INDICES, normalised_differences
from lulc_lib.unet.normalise import Normalisation, fit
from lulc_lib.unet.parallel import train_seeds
from lulc_lib.unet.train import train_ensemble
from tests.unet.conftest import landscape

VIEWS = ("per_scene", "per_scene_and_indices")
CONFIG = get_config("smoke").with_(epochs=1, steps_per_epoch=6, members=VIEWS,
                                   statistics_augmentation=0.1,
                                   member_weights=(2.0, 1.0), normalisation=VIEWS[1])


@pytest.fixture(scope="module")
def data():
    pairs = [landscape(1), landscape(2)]
    return [p[0] for p in pairs], [p[1] for p in pairs]


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return train_ensemble(*data, CONFIG, seed=1, folder=folder, progress=False), folder


def test_every_member_sees_its_view(trained):
    run, folder = trained
    assert [m.in_channels for m in run.model.members] == [10, 14]
    assert run.normalisation.name == VIEWS[1]
    assert run.seconds == sum(r.seconds for r in run.members)
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["member0", "member0.checkpoint", "member1", "member1.checkpoint"]


def test_the_ensemble_is_the_weighted_mean_of_its_members_own_maps(trained):
    run, _ = trained
    scene = landscape(9)[0]
    each = [predict_probabilities(r.model, scene, r.normalisation) for r in run.members]
    found = predict_probabilities(run.model, scene, run.normalisation)
    assert np.allclose(found.values, (2 * each[0] + each[1]).values / 3, atol=1e-5, equal_nan=True)


def test_file_of_the_ensemble(trained, tmp_path):
    run, _ = trained
    run.save(tmp_path / "model.pt", half=True)
    stored = load_model(tmp_path / "model.pt", torch.device("cpu"))
    assert stored.config == CONFIG == TrainConfig.from_dict(CONFIG.to_dict())
    scene = landscape(9)[0]
    ours, again = (predict_scene(m, scene, run.normalisation) for m in (run.model, stored.model))
    assert (ours == again).mean() > 0.99


def test_an_ensemble_needs_members(data):
    with pytest.raises(InputError, match="names no members"):
        train_ensemble(*data, CONFIG.with_(members=()), progress=False)
    with pytest.raises(InputError, match="normalisation is 'best'"):
        CONFIG.with_(members=("best",))


def test_indices_by_hand():
    values = np.random.default_rng(0).uniform(0, 0.6, (10, 4, 5)).astype(np.float32)
    values[:, 0, 0] = 0
    found = dict(zip(INDICES, normalised_differences(values), strict=True))
    nir, red = values[BANDS.index("B08")][1:], values[BANDS.index("B04")][1:]
    assert np.allclose(found["NDVI"][1:], (nir - red) / (nir + red), atol=1e-3)
    assert np.isfinite(np.stack(list(found.values()))).all()
    assert all(abs(v[0, 0]) < 1e-6 for v in found.values())


def test_further_channels_hold_the_indices():
    scene = landscape(3)[0]
    plain, more = (fit(v, [scene]).apply(scene) for v in VIEWS)
    assert more.shape[0] == Normalisation(VIEWS[1]).channels == 14
    assert np.array_equal(more[:10], plain)
    assert np.abs(more[10:]).max() <= 2


def test_the_shipped_model_is_small_safe_and_the_studys():
    path = study_model()
    assert path.stat().st_size <= 12e6
    stored = load_model(path, torch.device("cpu"))
    assert stored.config.with_(temperature=1.0) == get_config("study")
    assert stored.model.temperature == stored.config.temperature
    assert len(stored.model.members) == len(stored.config.members)
    map_of(predict_probabilities(stored.model, landscape(4)[0], stored.normalisation))


def test_seeds_trained_side_by_side_are_those_trained_alone(data, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    config = get_config("smoke").with_(epochs=2, steps_per_epoch=2)
    found = train_seeds(*data, config, [4, 2], tmp_path, progress=False)
    assert list(found) == [4, 2]
    for seed, run in found.items():
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        alone = train(*data, config, seed, progress=False)
        torch.set_num_threads(threads)
        assert run.seed == seed
        assert run.history == alone.history
        assert all(torch.equal(a, b) for a, b in zip(
            run.model.parameters(), alone.model.parameters(), strict=True))
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["seed2", "seed2.checkpoint", "seed4", "seed4.checkpoint"]
    with pytest.raises(InputError, match="each once"):
        train_seeds(*data, config, [1, 1], tmp_path)
    with pytest.raises(InputError, match="2 scenes and 1 label rasters"):
        train_seeds(data[0], data[1][:1], config, [1, 2], tmp_path)


KILLED = """
import multiprocessing, sys, threading, time
from lulc_lib.unet import get_config
from lulc_lib.unet.parallel import train_seeds
from tests.unet.conftest import landscape

def tell():
    while len(multiprocessing.active_children()) < 2:
        time.sleep(0.05)
    print(*(c.pid for c in multiprocessing.active_children()), flush=True)

if __name__ == "__main__":
    threading.Thread(target=tell, daemon=True).start()
    scene, mask = landscape(1)[:2]
    config = get_config("smoke").with_(epochs=100_000, steps_per_epoch=1)
    train_seeds([scene], [mask], config, [0, 1], sys.argv[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc which processes run")
def test_trainings_end_with_the_process_that_started_them(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    with subprocess.Popen([sys.executable, script, tmp_path / "run"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True,
                          env=os.environ | {"PYTHONPATH": str(paths.project_root())}) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2 and all(map(runs, workers))
        deadline = time.monotonic() + 60
        while not (tmp_path / "run" / "seed1.checkpoint").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        parent.kill()
    while any(map(runs, workers)) and time.monotonic() < deadline + 30:
        time.sleep(0.1)
    assert not any(map(runs, workers))
    assert load_model(tmp_path / "run" / "seed1.checkpoint").config.epochs == 100_000


def runs(pid):
    """Whether a process is there and not just waiting to be forgotten."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False
