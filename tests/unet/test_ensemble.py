"""Ensembles: the mean of probabilities, files, tiles."""

import numpy as np
import pytest
import torch

from lulc_lib.errors import InputError
from lulc_lib.unet import Ensemble, Normalisation, get_config, load_model, save_model
from lulc_lib.unet.checkpoint import build
from lulc_lib.unet.predict import probabilities_of, tiles

SMOKE = get_config("smoke")
PER_SCENE = Normalisation("per_scene")


@pytest.fixture
def pair():
    return [build(SMOKE, seed).eval() for seed in (0, 1)]


@pytest.mark.parametrize("weights", [None, (1, 1), (2, 1)])
def test_probabilities_are_the_members_mean(pair, weights):
    said = []  # by the members in the ensemble's own pass
    for member in pair:
        member.register_forward_hook(lambda _, __, out: said.append(out.double().softmax(dim=1)))
    x = torch.randn(2, 10, 21, 18, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = Ensemble(pair, weights)(x).softmax(dim=1)
    first, second = weights or (1, 1)
    mean = (first * said[0] + second * said[1]) / (first + second)
    assert len(said) == 2
    assert not torch.allclose(said[0], said[1], atol=1e-3)
    assert torch.allclose(found.double(), mean, rtol=0, atol=1e-6)


def test_one_member_speaks_for_itself_and_bad_weights_are_refused(pair):
    x = torch.randn(2, 10, 21, 18, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(Ensemble(pair[:1])(x).softmax(dim=1), pair[0](x).softmax(dim=1),
                              atol=1e-6)
    with pytest.raises(InputError, match="at least one"):
        Ensemble([])
    for weights in ((1,), (1, 0)):
        with pytest.raises(InputError, match="one above 0 for each"):
            Ensemble(pair, weights)


@pytest.mark.parametrize("half", [False, True])
def test_file_holds_every_member(pair, tmp_path, half):
    sizes = []
    for wanted in (False, half):
        save_model(tmp_path / "pair.pt", Ensemble(pair), PER_SCENE, SMOKE, half=wanted)
        sizes.append((tmp_path / "pair.pt").stat().st_size)
    stored = load_model(tmp_path / "pair.pt", torch.device("cpu"))
    x = np.random.default_rng(0).normal(0, 1, (10, 20, 20)).astype(np.float32)
    found, expected = (probabilities_of(m, x, tta=False) for m in (stored.model, Ensemble(pair)))
    assert np.abs(found - expected).max() < (2e-3 if half else 1e-7)
    assert all(p.dtype == torch.float32 for p in stored.model.parameters())
    if half:
        assert sizes[1] < 0.75 * sizes[0]


def test_tiles_with_the_margin_equal_the_whole(pair):
    model = Ensemble(pair)
    x = np.random.default_rng(0).normal(0, 1, (10, 90, 70)).astype(np.float32)
    whole = probabilities_of(model, x, tta=False)
    for core, window in tiles(model, 90, 70, 32):
        part = probabilities_of(model, x[:, *window], tta=False)
        inner = tuple(slice(c.start - w.start, c.stop - w.start)
                      for c, w in zip(core, window, strict=True))
        assert np.allclose(part[:, *inner], whole[:, *core], atol=1e-5)
