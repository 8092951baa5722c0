"""Rows streaming through networks: what the networks themselves give, and the same bits always."""

import pickle
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lulc_lib.unet import Ensemble, get_config
from lulc_lib.unet.checkpoint import build
from lulc_lib.unet.inputs import window_mean
from lulc_lib.unet.model import NETWORKS
from lulc_lib.unet.predict import Predictor, tiles
from lulc_lib.unet.stream import features, folded, shared, windows

MEMBERS = ("log_indices_texture", "relative_indices_texture", "wide_relative_indices_texture")


def trained(model, seed=0):
    """Give a network weights and statistics of batch normalisation as training leaves them."""
    torch.manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, 0, 0.3)
            nn.init.uniform_(layer.running_var, 0.3, 2)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, 0, 0.2)
    return model.eval()


@pytest.fixture(scope="module")
def ensemble():
    config = get_config("study").with_(base_channels=4, depth=2)
    model = Ensemble([trained(build(config, n, name)) for n, name in enumerate(MEMBERS)])
    model.temperature = 0.6
    return model.eval()


@torch.no_grad()
def turned_scenes(model, inputs, tta):
    """The mean over turned and mirrored scenes, each in one pass of the network as it is."""
    step, (rows, cols) = 2**model.depth, inputs.shape[1:]
    more = [-n % step if tta else max(step - n, 0) for n in (cols, rows)]
    x = functional.pad(torch.from_numpy(inputs)[None], (0, more[0], 0, more[1]), mode="replicate")
    found = []
    for turns in range(4 if tta else 1):
        for mirror in (False, True) if tta else (False,):
            y = model(torch.rot90(x.flip(-1) if mirror else x, turns, (-2, -1)))
            y = torch.rot90((y / model.temperature).softmax(1), -turns, (-2, -1))
            found.append(y.flip(-1) if mirror else y)
    return torch.stack(found).mean(0)[0, :, :rows, :cols].numpy()


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_rows_give_what_the_network_gives(name, tta):
    config = get_config("smoke").with_(network=name, depth=3, convolutions=2, base_channels=3)
    model = trained(build(config))
    for size in ((67, 91), (5, 30), (3, 3)):
        inputs = np.random.default_rng(0).normal(0, 1, (10, *size)).astype(np.float32)
        found = Predictor(model, tta).whole(inputs).probabilities
        np.testing.assert_allclose(found, turned_scenes(model, inputs, tta), atol=2e-6)


@pytest.mark.parametrize("tta", [False, True])
def test_the_same_bits_however_a_scene_is_cut(ensemble, tta):
    rows, cols = 301, 277
    inputs = np.random.default_rng(1).uniform(0.01, 0.5, (10, rows, cols)).astype(np.float32)
    predictor = Predictor(ensemble, tta, features=not tta)
    whole = predictor.whole(inputs)
    if not tta:  # with copies, the surroundings at the scene's corner are those of no turned scene
        np.testing.assert_allclose(
            whole.probabilities, turned_scenes(ensemble, inputs, tta), atol=2e-6)
    for height, width, few in ((64, 128, 7), (304, 96, 50), (120, 280, 200)):
        for core, window in tiles(ensemble, rows, cols, height, width):
            parts = torch.from_numpy(inputs[None, :, *window].copy()).split(few, dim=2)
            found = list(predictor.rows(iter(parts), window, core))
            for number, all_of_it in enumerate(whole):
                part = np.concatenate([seen[number] for seen in found], axis=1)
                np.testing.assert_array_equal(part, all_of_it[:, *core])


def test_a_predictor_can_be_sent(ensemble):
    inputs = np.random.default_rng(2).uniform(0.01, 0.5, (10, 40, 40)).astype(np.float32)
    for model in (ensemble, ensemble.members[0]):
        predictor = Predictor(model)
        sent = pickle.loads(pickle.dumps(predictor))
        assert np.array_equal(sent.whole(inputs)[0], predictor.whole(inputs)[0])


def test_windows_cover_every_row_once_with_their_margin():
    rows = torch.arange(100.0).view(1, 1, 100, 1)
    for few, margin, step in ((1, 8, 4), (30, 8, 8), (100, 16, 4), (7, 0, 1)):
        seen = []
        for window, first, last in windows(iter(rows.split(few, 2)), margin, step):
            values = window.flatten().tolist()
            assert values[0] % step == 0
            assert values[0] == max(values[first] - margin, 0) or not seen
            assert last == len(values) or len(values) >= last + margin
            seen += values[first:last]
        assert seen == list(range(100))


@pytest.mark.parametrize("edge", [1, 3, 5, 33, 129])
def test_window_mean_is_the_mean_of_the_pixels_that_are_there(edge):
    values, half = np.random.default_rng(0).normal(size=(40, 31)), edge // 2
    found = window_mean(torch.from_numpy(values)[None, None], edge)[0, 0].numpy()
    for row, col in ((0, 0), (20, 15), (39, 3)):
        around = values[max(row - half, 0):row + half + 1, max(col - half, 0):col + half + 1]
        assert found[row, col] == pytest.approx(around.mean(), abs=1e-12)


def test_parts_that_all_have_had_are_forgotten():
    made = []

    def part(number):
        made.append(weakref.ref(values := torch.full((1, 1, 2, 1), float(number))))
        return values

    one, other = shared(map(part, range(6)), 2)
    for _ in range(4):
        next(one)
    assert [next(other).mean().item() for _ in range(3)] == [0, 1, 2]
    assert [ref() is not None for ref in made] == [False, False, False, True]
    assert [len(list(rest)) for rest in (one, other)] == [2, 3]


@torch.no_grad()
def test_parts_stay_whole_on_their_way():
    """Slivers cost as much as parts."""
    config = get_config("smoke").with_(depth=3, convolutions=2)
    network = folded(trained(build(config)))
    rows = iter(torch.rand(1, 10, 200, 24).split(40, dim=2))
    found = [part.shape[2] for part in features(network, rows, 10, 200)]
    assert sum(found) == 200
    assert len(found) <= 7  # five, and what waited for the end
    assert min(found[:-1]) > 10
