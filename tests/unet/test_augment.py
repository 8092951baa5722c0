"""Augmentations of reflectance: each changes what it says and nothing else."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from lulc_lib import legend
from lulc_lib.unet.augment import CONIFER, MIXED, QUARRY, URBAN, WATER, Augment, AugmentConfig
from lulc_lib.unet.loss import not_quarry

NONE = AugmentConfig(**{f.name: 0.0 for f in fields(AugmentConfig)
                        if f.name not in ("rock_range", "cover_weight")})
COUNT, SIZE = 12, 32


@pytest.fixture
def batch():
    """Patches with quarries, built-up land, forests and unlabelled pixels, and their open rock."""
    generator = torch.Generator().manual_seed(0)
    x = 0.05 + 0.4 * torch.rand(COUNT, 10, SIZE, SIZE, generator=generator)
    target = torch.full((COUNT, SIZE, SIZE), legend.IGNORE_INDEX)
    for row, index in ((0, QUARRY), (6, URBAN), (12, MIXED), (18, CONIFER), (24, 5)):
        target[:, row:row + 6] = index
    return x, target, (target == QUARRY).float()[:, None], torch.full((COUNT, 10), 0.25)


def varied(batch, seed=1, **more):
    return Augment(replace(NONE, **more), torch.Generator().manual_seed(seed))(*batch)


def test_nothing_asked_for_changes_nothing(batch):
    x, target, cover = varied(batch)
    assert torch.equal(x, batch[0])
    assert torch.equal(target, batch[1])
    assert not cover.any()


def test_the_same_generator_draws_the_same(batch):
    one, two, other = (Augment(AugmentConfig(), torch.Generator().manual_seed(s))(*batch)[0]
                       for s in (3, 3, 4))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.isfinite(one).all()


@pytest.mark.parametrize(("name", "classes"), [
    ("rock", {QUARRY}), ("roof", {URBAN}), ("leaf", {MIXED, CONIFER})])
def test_land_is_varied_where_its_class_is_and_nowhere_else(batch, name, classes):
    x, target, _ = varied(batch, **{name: 1.0})
    changed = (x != batch[0]).any(1)
    there = torch.isin(target, torch.tensor(sorted(classes)))
    assert not changed[~there].any()
    assert changed[there].float().mean() > 0.1
    assert torch.equal(target, batch[1])


def test_other_rock_keeps_the_texture_of_the_quarry(batch):
    x, target, _ = varied(batch, rock=1.0)
    for patch in range(COUNT):
        before, after = (v[patch, 0][target[patch] == QUARRY].numpy() for v in (batch[0], x))
        assert np.corrcoef(np.log(before), np.log(after.clip(1e-3)))[0, 1] > 0.8


def test_drawn_rocks_span_dark_basalt_to_white_limestone():
    rocks = Augment(AugmentConfig(), torch.Generator().manual_seed(0)).rocks(4000)
    assert 0.015 <= rocks.min() and rocks.max() <= 0.85
    assert (rocks.mean(1) < 0.08).float().mean() > 0.03
    assert (rocks.mean(1) > 0.5).float().mean() > 0.05
    assert (rocks[:, 2] > 2 * rocks[:, 0]).float().mean() > 0.05  # iron: blue far below red


def test_pasted_water_is_labelled_water_and_its_shore_is_not(batch):
    x, target, _ = varied(batch, sea=1.0)
    new = target != batch[1]
    assert set(target[new].unique().tolist()) <= {WATER, legend.IGNORE_INDEX}
    assert (target == WATER).any()
    assert x.movedim(1, -1)[target == WATER].mean() < 0.1
    assert torch.equal(x.movedim(1, -1)[~(x != batch[0]).any(1)],
                       batch[0].movedim(1, -1)[~(x != batch[0]).any(1)])


def test_covers_take_the_labels_away_and_are_no_quarry(batch):
    _, target, cover = varied(batch, cover=1.0)
    under = cover[:, 0] > 0
    assert 0.1 < under.float().mean() < 0.9
    assert (target[under] == legend.IGNORE_INDEX).all()
    logits = torch.zeros(COUNT, 10, SIZE, SIZE)
    logits[:, QUARRY] = 5.0
    sure = logits.clone()
    sure[:, QUARRY] = torch.where(under, -9.0, 5.0)
    assert not_quarry(logits, cover, QUARRY) > 1
    assert not_quarry(sure, cover, QUARRY) < 1e-3
    assert not_quarry(logits, 0 * cover, QUARRY) == 0


def test_light_changes_a_patch_as_a_whole(batch):
    x, _, _ = varied(batch, gain=0.2, band=0.1, slope=0.1)
    ratio = x / batch[0]
    assert torch.allclose(ratio, ratio[..., :1, :1].expand_as(ratio), rtol=1e-4)
    assert ratio[:, :, 0, 0].std() > 0.05
