"""Normalisation, label propagation, the split by place, patches and their augmentations."""

import numpy as np
import pytest
import torch
import xarray as xr

from lulc_lib import legend
from lulc_lib.accuracy.splits import Fold
from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError
from lulc_lib.unet import Learner, TrainConfig, TrainingSet, normalise, split_by_place
from lulc_lib.unet.augment import StatisticsAugmentation
from lulc_lib.unet.dataset import patch_places, rock_share
from lulc_lib.unet.label_propagation import propagate_labels


def grid_of(values, x0=500_000.0, y0=5_600_000.0, epsg=32633):
    """An array on a 10 m grid; (row, col) or (band, row, col)."""
    rows, cols = values.shape[-2:]
    dims = ("y", "x") if values.ndim == 2 else ("band", "y", "x")
    coords = {"y": y0 - 10 * np.arange(rows) - 5, "x": x0 + 10 * np.arange(cols) + 5}
    if values.ndim == 3:
        coords["band"] = list(BANDS)
    return xr.DataArray(values, dims=dims, coords=coords).rio.write_crs(epsg)


def scene_of(rng, rows=40, cols=50):
    values = rng.uniform(0.01, 0.5, (10, rows, cols)).astype(np.float32)
    values[:4, -1] = np.nan
    values[4:, :, 0] = np.nan
    return grid_of(values)


def test_per_scene_standardises_valid_pixels():
    scene = scene_of(np.random.default_rng(0))
    out = normalise.fit("per_scene", [scene]).apply(scene)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    for band, values in zip(out, scene.values, strict=True):
        valid = np.isfinite(values)
        assert band[valid].mean() == pytest.approx(0, abs=1e-4)
        assert band[valid].std() == pytest.approx(1, abs=1e-4)
    assert (out[0, -1] == out[0, -2]).all()  # a gap repeats its neighbour


def test_per_scene_forgets_an_offset_and_the_others_remember_training():
    rng = np.random.default_rng(1)
    scene, other = scene_of(rng), scene_of(rng)
    moved = (other + 0.1).assign_attrs(other.attrs)
    per_scene = normalise.fit("per_scene", [scene])
    np.testing.assert_allclose(per_scene.apply(moved), per_scene.apply(other), atol=1e-4)
    fixed = normalise.fit("training_scenes", [scene])
    again = normalise.Normalisation.from_dict(fixed.to_dict())
    mean = np.nanmean(scene.values, axis=(1, 2))
    np.testing.assert_allclose(fixed.mean, mean, rtol=1e-5)
    assert np.array_equal(again.apply(other), fixed.apply(other))
    np.testing.assert_allclose(fixed.apply(moved) - fixed.apply(other),
                               np.broadcast_to(0.1 / np.array(fixed.sd)[:, None, None],
                                               other.shape), rtol=1e-3)
    scaled = normalise.fit("reflectance", [scene]).apply(scene)
    assert np.nanmax(np.abs(scaled * normalise.REFLECTANCE_UNIT - scene.values)) < 1e-6


def test_normalisation_refuses():
    scene = scene_of(np.random.default_rng(0))
    with pytest.raises(InputError, match=r"'histogram'.*per_scene"):
        normalise.fit("histogram", [scene])
    with pytest.raises(InputError, match="they must be B02"):
        normalise.fit("per_scene", [scene[::-1]])
    empty = scene.copy()
    empty[2] = np.nan
    with pytest.raises(InputError, match="B04 holds no data"):
        normalise.fit("per_scene", [scene]).apply(empty)


def masks_of_two_dates():
    rng = np.random.default_rng(3)
    fields = np.kron(rng.choice(legend.CODES[:4], (12, 12)), np.ones((10, 10))).astype(np.uint8)
    first = np.where(rng.random(fields.shape) < 0.3, fields, legend.NO_DATA).astype(np.uint8)
    second = np.where(rng.random(fields.shape) < 0.3, fields, legend.NO_DATA).astype(np.uint8)
    return [grid_of(first), grid_of(second[20:, 30:], x0=500_300, y0=5_600_000 - 200),
            grid_of(first[:50, :70], epsg=32634)]


def test_no_validation_place_is_labelled_in_training_on_any_date():
    masks = masks_of_two_dates()
    training, validation = split_by_place(masks, share=0.3, block=15, seed=4)
    for mask, t, v in zip(masks, training, validation, strict=True):
        assert not ((t > 0) & (v > 0)).any()
        assert np.array_equal(t + v, mask.values)  # nothing lost, nothing changed
    shown, judged = np.zeros((120, 120), bool), np.zeros((120, 120), bool)
    for (r, c), t, v in zip(((0, 0), (20, 30)), training[:2], validation[:2], strict=True):
        shown[r:, c:] |= t > 0
        judged[r:, c:] |= v > 0
    assert judged.any()
    assert not (shown & judged).any()


def test_split_shares_and_seed():
    masks = masks_of_two_dates()[:2]
    _, a = split_by_place(masks, block=15, seed=4)
    _, b = split_by_place(masks, block=15, seed=4)
    _, c = split_by_place(masks, block=15, seed=5)
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert any(not np.array_equal(x, y) for x, y in zip(a, c, strict=True))
    every = np.concatenate([m.values.ravel() for m in masks])
    held = np.concatenate([v.ravel() for v in a])
    for code in legend.CODES[:4]:
        assert 0.2 < (held == code).sum() / (every == code).sum() < 0.4
    whole, none = split_by_place(masks, share=0)
    assert np.array_equal(whole[0], masks[0].values)
    assert not none[0].any()


def test_split_refuses():
    masks = masks_of_two_dates()[:1]
    with pytest.raises(InputError, match="share is 1"):
        split_by_place(masks, share=1)
    with pytest.raises(InputError, match="1 block"):
        split_by_place([grid_of(np.ones((9, 9), np.uint8), x0=0, y0=90)], block=1000)


def learner_of(inputs, labels, patch=16, balance=1.0, batch=64, seed=1, **more):
    config = TrainConfig("draws", base_channels=2, depth=2, convolutions=1, patch_size=patch,
                         class_balanced_sampling=balance, batch_size=batch, **more)
    return Learner(TrainingSet.of(inputs, labels, patch), config, seed, torch.device("cpu"), 10)


def test_every_patch_is_a_turned_piece_of_its_scene_with_its_labels():
    """Inputs hold row and column numbers, so each drawn pixel can be traced back."""
    rng = np.random.default_rng(0)
    mask = np.where(rng.random((60, 45)) < 0.02, rng.choice(legend.CODES[:3], (60, 45)), 0)
    mask = mask.astype(np.uint8)
    at = np.stack([*np.mgrid[:60, :45], *np.zeros((8, 60, 45))]).astype(np.float32)
    x, target, _, scene = (v.numpy() for v in learner_of([at], [mask]).draw())
    assert x.shape == (64, 10, 16, 16)
    assert target.shape == (64, 16, 16)
    assert not scene.any()
    rows, cols = x[:, 0].astype(int), x[:, 1].astype(int)
    assert np.array_equal(legend.to_index(mask)[rows, cols], target)
    assert (target != legend.IGNORE_INDEX).any(axis=(1, 2)).all()  # no patch without a label
    corners = {(np.sign(r[0, -1] - r[0, 0]), np.sign(c[0, -1] - c[0, 0]),
                np.sign(r[-1, 0] - r[0, 0]), np.sign(c[-1, 0] - c[0, 0]))
               for r, c in zip(rows, cols, strict=True)}
    assert len(corners) == 8  # all turned and mirrored forms


def test_balance_and_reproducible_steps():
    mask = np.full((80, 80), legend.CODES[0], np.uint8)
    mask[:, 40:] = legend.NO_DATA
    mask[70, 78] = legend.CODES[-1]
    inputs = [np.random.default_rng(0).normal(0, 1, (10, 80, 80)).astype(np.float32)]
    share = {}
    for balance in (0.0, 1.0):
        target = learner_of(inputs, [mask], balance=balance, batch=200, seed=0).draw()[1]
        share[balance] = (target == len(legend.CODES) - 1).any(2).any(1).float().mean()
    assert share[0.0] < 0.05
    assert 0.4 < share[1.0] < 0.6
    one, same, other = (learner_of(inputs, [mask], seed=s) for s in (5, 5, 6))
    first = one.draw()[0]
    assert torch.equal(first, same.draw()[0])
    assert not torch.equal(first, one.draw()[0])
    assert not torch.equal(first, other.draw()[0])


def test_small_scenes_of_several_sizes_and_no_labels():
    masks = [np.full(s, legend.CODES[1], np.uint8) for s in ((10, 12), (40, 20))]
    inputs = [np.full((10, *m.shape), n, np.float32) for n, m in enumerate(masks)]
    x, target, _, scene = learner_of(inputs, masks, patch=32).draw()
    assert x.shape == (64, 10, 32, 32)
    assert (x[:, 0] == scene[:, None, None]).all()  # each repeats its own edge only
    for n, labelled in ((0, 10 * 12), (1, 32 * 20)):
        assert ((target != legend.IGNORE_INDEX).sum((1, 2))[scene == n] == labelled).all()
        assert (scene == n).any()
    with pytest.raises(InputError, match="no labelled pixel"):
        TrainingSet.of(inputs, [m * 0 for m in masks], 8)


def test_no_patch_touches_what_is_not_allowed():
    mask = np.full((60, 60), legend.CODES[0], np.uint8)
    fold = Fold("west", (), np.zeros((60, 60), bool), np.arange(60)[None] < np.full((60, 1), 30))
    data = TrainingSet.of([np.zeros((10, 60, 60), np.float32)], [mask], 16,
                          allowed=fold.allowed_patches(16))
    places, shares = patch_places(data, 16, 1.0, np.random.default_rng(0))
    assert places.shape[1:] == (2000, 3)
    assert places[..., 2].min() == 30
    assert shares.sum() == pytest.approx(1)


def test_open_rock_is_the_label_and_bare_land_beside_it():
    mask = np.zeros((60, 60), np.uint8)
    mask[20:30, 20:30] = legend.code("quarry")
    mask[20:30, 30:35] = legend.code("grassland")
    bare = np.full((10, 60, 60), 0.3, np.float32)
    rock = rock_share(bare, legend.to_index(mask), mask == legend.code("quarry"))
    assert rock[22:28, 22:28].min() > 0.99
    assert rock[25, 15] > 0.99  # bare and unlabelled
    assert rock[25, 32] < 0.01  # labelled otherwise
    assert rock[25, 50] < 0.01  # too far
    green = bare.copy()
    green[2] = 0.03
    assert rock_share(green, legend.to_index(mask), mask == legend.code("quarry"))[25, 15] < 0.01


def test_even_shares_give_a_scene_its_own_statistics():
    """With a large concentration all blocks weigh the same, as in the scene itself."""
    values = np.random.default_rng(0).normal(3, 2, (1, 10, 100, 150)).astype(np.float32)
    scene = torch.from_numpy(values)
    found = StatisticsAugmentation(scene, 1e7, 1.0, torch.Generator())(scene, torch.tensor([0]))
    mean, sd = (getattr(values, f)(axis=(2, 3), keepdims=True) for f in ("mean", "std"))
    np.testing.assert_allclose(found, (values - mean) / sd, atol=1e-2)


def test_narrow_shares_give_the_statistics_of_one_block():
    values = np.random.default_rng(0).normal(0, 1, (1, 10, 100, 100)).astype(np.float32)
    values[..., :50, :50] += 5
    scene = torch.from_numpy(values)
    narrow = StatisticsAugmentation(scene, 1e-4, 1.0, torch.Generator().manual_seed(0))
    blocks = [values[0, :, r:r + 50, c:c + 50] for r in (0, 50) for c in (0, 50)]
    expected = [(values[0] - b.mean((1, 2), keepdims=True)) / b.std((1, 2), keepdims=True)
                for b in blocks]
    seen = set()
    for _ in range(12):
        found = narrow(scene, torch.tensor([0]))[0].numpy()
        near = [np.allclose(found, e, atol=0.1) for e in expected]
        assert sum(near) == 1
        seen.add(near.index(True))
    assert len(seen) > 1


def test_statistics_augmentation_touches_the_share_of_patches_asked_for():
    values = torch.randn(1, 14, 80, 80, generator=torch.Generator().manual_seed(0))
    for share, least, most in ((0.0, 0, 0), (1.0, 40, 40), (0.5, 8, 32)):
        other = StatisticsAugmentation(values, 0.1, share, torch.Generator().manual_seed(1))
        found = other(values[:, :, :16, :16].expand(40, -1, -1, -1), torch.zeros(40).long())
        changed = (found[:, :10] != values[:, :10, :16, :16]).any(3).any(2).any(1).sum()
        assert least <= changed <= most
        assert torch.equal(found[:, 10:], values[:, 10:, :16, :16].expand(40, -1, -1, -1))


def test_labels_are_propagated_only_where_the_dates_agree_and_grids_are_the_same():
    road, urban, ripe = (legend.code(k) for k in ("road", "urban", "crops_ripe"))
    codes = [np.array([[road, 0, urban, ripe, road]], np.uint8),
             np.array([[0, urban, road, 0, ripe]], np.uint8),
             np.zeros((1, 5), np.uint8)]
    grid, moved = grid_of(np.zeros((1, 5))), grid_of(np.zeros((1, 5)), x0=500_010.0)
    before = [c.copy() for c in codes]
    found = propagate_labels(codes, [grid, grid, moved], ["road", "urban"])
    assert found[0].tolist() == [[road, urban, urban, ripe, road]]  # third and fifth: they disagree
    assert found[1].tolist() == [[road, urban, road, 0, ripe]]  # ripe is not propagated
    assert not found[2].any()
    assert all(np.array_equal(a, b) for a, b in zip(codes, before, strict=True))
    same = propagate_labels(codes, [grid, grid, grid], [])
    assert all(np.array_equal(a, b) for a, b in zip(same, codes, strict=True))
