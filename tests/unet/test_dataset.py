"""Normalisation, label propagation, the split by place, patches and their augmentations."""

import numpy as np
import pytest
import xarray as xr

from lulc_lib import legend
from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError
from lulc_lib.unet import normalise
from lulc_lib.unet.config import get_config
from lulc_lib.unet.dataset import (
    PatchSampler,
    RadiometricJitter,
    augmentations_of,
    split_by_place,
    turn_and_mirror,
)
from lulc_lib.unet.label_propagation import propagate_labels
from lulc_lib.unet.statistics_augmentation import StatisticsAugmentation


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


def test_every_patch_is_a_turned_piece_of_its_scene_with_its_labels():
    """Inputs hold row and column numbers, so each drawn pixel can be traced back."""
    rng = np.random.default_rng(0)
    mask = np.where(rng.random((60, 45)) < 0.02, rng.choice(legend.CODES[:3], (60, 45)), 0)
    mask = mask.astype(np.uint8)
    at = np.stack([*np.mgrid[:60, :45], *np.zeros((8, 60, 45))]).astype(np.float32)
    sampler = PatchSampler([at], [mask], patch=16)
    x, target = sampler.draw(64, seed=1, step=0)
    assert x.shape == (64, 10, 16, 16)
    assert target.shape == (64, 16, 16)
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
    inputs = [np.zeros((10, 80, 80), np.float32)]
    share = {}
    for balance in (0.0, 1.0):
        sampler = PatchSampler(inputs, [mask], patch=16, balance=balance,
                               augmentations=[turn_and_mirror, RadiometricJitter(0.1)])
        _, target = sampler.draw(200, seed=0, step=0)
        share[balance] = (target == len(legend.CODES) - 1).any(axis=(1, 2)).mean()
    assert share[0.0] < 0.05
    assert 0.4 < share[1.0] < 0.6
    first, again, next_ = (sampler.draw(2, 0, s)[0] for s in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, next_)


def test_small_scene_and_no_labels():
    mask = np.full((10, 12), legend.CODES[1], np.uint8)
    sampler = PatchSampler([np.ones((10, 10, 12), np.float32)], [mask], patch=32)
    x, target = sampler.draw(2, 0, 0)
    assert x.shape == (2, 10, 32, 32)
    assert (target != legend.IGNORE_INDEX).sum() == 2 * mask.size
    with pytest.raises(InputError, match="no labelled pixel"):
        PatchSampler([np.ones((10, 10, 12), np.float32)], [mask * 0], patch=8)


def test_even_shares_give_a_scene_its_own_statistics():
    """With a large concentration all blocks weigh the same, as in the scene itself."""
    values = np.random.default_rng(0).normal(3, 2, (4, 100, 150)).astype(np.float32)
    mean, sd = StatisticsAugmentation([values], 1e7, 4).draw(0, np.random.default_rng(1))
    assert np.allclose(mean[:, 0, 0], values.mean(axis=(1, 2)), atol=1e-2)
    assert np.allclose(sd[:, 0, 0], values.std(axis=(1, 2)), atol=1e-2)


def test_narrow_shares_give_the_statistics_of_one_block():
    values = np.random.default_rng(0).normal(0, 1, (2, 100, 100)).astype(np.float32)
    values[:, :50, :50] += 5
    narrow = StatisticsAugmentation([values], 1e-4, 2)
    found = [narrow.draw(0, np.random.default_rng(s)) for s in range(12)]
    blocks = [values[:, r:r + 50, c:c + 50] for r in (0, 50) for c in (0, 50)]
    for mean, sd in found:
        near = [np.allclose(mean, b.mean(axis=(1, 2), keepdims=True), atol=1e-2)
                and np.allclose(sd, b.std(axis=(1, 2), keepdims=True), atol=1e-2) for b in blocks]
        assert sum(near) == 1
    assert len({float(m[0, 0, 0]) for m, _ in found}) > 1


def test_statistics_augmentation_leaves_further_channels_and_rejects_no_concentration():
    values = np.random.default_rng(0).normal(0, 1, (3, 60, 60)).astype(np.float32)
    augment, rng = StatisticsAugmentation([values], 0.1, 2), np.random.default_rng(0)
    out = augment.apply(values[:, :20, :20], 0, rng)
    assert np.array_equal(out[2], values[2, :20, :20])
    assert not np.allclose(out[:2], values[:2, :20, :20])
    with pytest.raises(InputError, match="must be above 0"):
        StatisticsAugmentation([values], 0.0, 2)


def test_statistics_augmentation_touches_the_share_of_patches_asked_for():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (2, 80, 80)).astype(np.float32)
    mask = np.full((80, 80), legend.CODES[0], dtype=np.uint8)

    def kept(share):
        other = StatisticsAugmentation([values], 0.1, 2, share)
        sampler = PatchSampler([values], [mask], 16, augmentations=[turn_and_mirror, other])
        x, _ = sampler.draw(40, seed=0, step=0)
        return np.mean([np.isin(np.round(p[0], 5), np.round(values[0], 5)).all() for p in x])

    assert kept(0.0) == 1
    assert kept(1.0) == 0
    assert 0.2 < kept(0.5) < 0.8


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


def test_augmentations_are_those_that_the_settings_ask_for():
    values = [np.random.default_rng(0).normal(0, 1, (10, 60, 60)).astype(np.float32)]
    config = get_config("smoke")
    assert augmentations_of(config, values) == [turn_and_mirror]
    both = augmentations_of(
        config.with_(statistics_augmentation=0.2, radiometric_jitter=0.1), values)
    assert [type(a) for a in both[1:]] == [StatisticsAugmentation, RadiometricJitter]
    assert (both[1].concentration, both[1].bands, both[1].share, both[2].sd) == (0.2, 10, 0.5, 0.1)
