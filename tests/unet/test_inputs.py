"""The fixed input: what it is by hand, and that nothing counts but a pixel's neighbourhood."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lulc_lib import legend
from lulc_lib.data import rasterise, read_scene, scene_path, site_polygons
from lulc_lib.data.bands import BANDS
from lulc_lib.errors import InputError
from lulc_lib.unet import (
    AugmentConfig,
    Ensemble,
    TrainConfig,
    fit,
    load_model,
    predict_probabilities,
    save_model,
    study_model,
)
from lulc_lib.unet.augment import Augment
from lulc_lib.unet.checkpoint import build
from lulc_lib.unet.dataset import TrainingSet
from lulc_lib.unet.inputs import DARKEST, FIXED_INPUTS, FixedInput, Window, surroundings_of
from lulc_lib.unet.learner import Learner
from lulc_lib.unet.predict import probabilities_of
from tests.unet.conftest import landscape

FORMER = (0.101947, 0.09773, 0.15819, 0.080302, 0.128134, 0.111989, 0.069702, 0.064399, 0.094457,
          0.093149)
ABSOLUTE, RELATIVE, WIDE = FIXED_INPUTS
QUARRY, WATER = (legend.CODES.index(legend.code(k)) for k in ("quarry", "water"))
TINY = TrainConfig("tiny", base_channels=3, depth=2, convolutions=1, patch_size=32,
                   normalisation=ABSOLUTE)


def made_scene(size=160, seed=0):
    rng = np.random.default_rng(seed)
    fields = rng.uniform(0.02, 0.5, (10, size // 8, size // 8)).repeat(8, 1).repeat(8, 2)
    return (fields + rng.normal(0, 0.01, fields.shape)).astype(np.float32)


def test_channels_by_hand():
    x = torch.from_numpy(made_scene(40))[None]
    absolute, relative = (FixedInput(w)(x) for w in (None, Window(129)))
    assert absolute.shape == (1, 18, 40, 40)
    logs = np.log(x[0].numpy().clip(0) + DARKEST)
    np.testing.assert_allclose(absolute[0, :10], (logs + 1.9) / 0.7, atol=1e-5)
    whole = logs.mean(axis=(1, 2), keepdims=True)  # 40 pixels: the window of 129 holds them all
    np.testing.assert_allclose(relative[0, :10], (logs - whole) / 0.5, atol=1e-4)
    b04, b08 = x[0, BANDS.index("B04"), 20, 20], x[0, BANDS.index("B08"), 20, 20]
    ndvi = float((b08 - b04) / (b08 + b04))
    assert absolute[0, 10, 20, 20] == pytest.approx(ndvi / 0.3, abs=1e-4)
    sd = logs[BANDS.index("B02"), 8:13, 18:23].std()
    assert absolute[0, 14, 10, 20] == pytest.approx((np.log(sd + 0.01) + 3) / 0.7, abs=1e-2)
    assert torch.equal(absolute[:, 10:], relative[:, 10:])


def test_surroundings_are_the_mean_over_a_window_of_blocks():
    x = torch.from_numpy(made_scene(48)[:, :44, :44])[None]
    window = Window(3, 8)
    level = FixedInput(window)(x)[0, :10].numpy()
    logs = np.log(x[0].numpy().clip(0) + DARKEST)
    for row, col, rows, cols in ((17, 25, slice(8, 32), slice(16, 40)),
                                 (3, 43, slice(0, 16), slice(32, 44))):
        blocks = [logs[:, r:r + 8, c:c + 8].mean((1, 2))  # every block counts the same
                  for r in range(rows.start, rows.stop, 8) for c in range(cols.start, cols.stop, 8)]
        around = np.mean(blocks, axis=0)
        np.testing.assert_allclose(level[:, row, col], (logs[:, row, col] - around) / 0.5,
                                   atol=1e-4)
    given = window.at_pixels(surroundings_of(x, window), 44, 44)
    np.testing.assert_allclose(FixedInput(window)(torch.cat([x, given], dim=1))[0, :10], level,
                               atol=1e-4)


def test_a_change_of_light_reaches_the_surroundings_too():
    """A relative level stays the same however bright the day is."""
    x = torch.from_numpy(made_scene(64))[None] + 0.1
    around = surroundings_of(x, Window(17, 8)).mean((2, 3), keepdim=True).expand_as(x)
    config = AugmentConfig(gain=0.3, band=0, slope=0, haze=0, noise=0, rock=0, roof=0, leaf=0,
                           sea=0, cover=0)
    target = torch.zeros(1, 64, 64, dtype=torch.long)
    vary = Augment(config, torch.Generator().manual_seed(1))
    lit, _, _ = vary(torch.cat([x, around], dim=1), target, x[:, :1] * 0, x[:, :, 0, 0])
    assert (lit[:, :10] / x - 1).abs().min() > 0.01
    np.testing.assert_allclose(lit[:, 10:] / around, lit[:, :10] / x, rtol=1e-4)


def test_training_patches_know_the_surroundings_beyond_their_edges():
    scene = made_scene(96)
    labels = np.full((96, 96), legend.code("quarry"), dtype=np.uint8)
    config = TINY.with_(normalisation=WIDE, augment=AugmentConfig(), batch_size=60)
    learner = Learner(TrainingSet.of([scene], [labels], 32, rock=True), config, 0,
                      torch.device("cpu"), 2)
    x = learner.draw()[0]
    assert x.shape == (60, 20, 32, 32)
    alone = torch.exp(torch.log(x[:, :10] + DARKEST).mean((2, 3))) - DARKEST
    own = torch.isclose(x[:, 10:], alone[:, :, None, None], rtol=1e-4).all(3).all(2).all(1)
    assert 10 <= int(own.sum()) <= 30  # a third: patches whose scene ends at their edge
    wide = surroundings_of(torch.from_numpy(scene)[None], Window(17, 8)).mean((2, 3))
    seen = x[~own, 10:, 0, 0]
    assert ((seen - wide).abs().amax(1) < 0.05).float().mean() > 0.3
    learner.advance()
    assert torch.isfinite(learner.losses[0])


@pytest.mark.parametrize("name", [ABSOLUTE, RELATIVE, WIDE])
def test_the_margin_counts_the_input_in(name):
    """A change further away than the margin changes nothing; one just inside does, at its edge."""
    model = build(TINY.with_(normalisation=name)).eval()
    size = 2 * model.margin + 41
    x = torch.rand(1, 10, 16, size, generator=torch.Generator().manual_seed(0))
    moved = x.clone()
    moved[..., 24] = 0.9
    with torch.no_grad():
        change = (model(x) - model(moved)).abs().sum((0, 1, 2))
    far = change.nonzero().max() - 24
    assert far <= model.margin
    assert far >= model.margin - 2**model.depth - 2


@pytest.mark.parametrize("tta", [False, True])
def test_a_clip_maps_bit_for_bit_as_in_the_whole_scene(tta):
    """Its corner lies on a multiple of 2**depth, and its edge a margin away."""
    model = Ensemble([build(TINY, seed) for seed in (0, 1)]).eval()
    _same_in_clips(model, made_scene(), tta, ((16, 32, 96, 80), (4, 60, 64, 64)))


def test_a_clip_with_wide_surroundings_maps_as_in_the_whole_scene():
    model = Ensemble([build(TINY), build(TINY, normalisation=WIDE)]).eval()
    _same_in_clips(model, made_scene(304), False, ((16, 32, 240, 256), (64, 16, 192, 208)))


def _same_in_clips(model, scene, tta, clips):
    margin = model.margin
    whole = probabilities_of(model, scene, tta)
    for top, left, rows, cols in clips:
        clip = scene[:, top:top + rows, left:left + cols]
        alone = probabilities_of(model, clip, tta)
        inner = np.s_[:, margin:rows - margin, margin:cols - margin]
        part = whole[:, top:top + rows, left:left + cols]
        assert alone[inner].size
        np.testing.assert_array_equal(alone[inner].argmax(0), part[inner].argmax(0))
        # the vector functions' last bit depends on where in memory a pixel lies
        np.testing.assert_allclose(alone[inner], part[inner], rtol=2e-6)


def test_what_else_is_in_the_file_does_not_count():
    model, scene = build(TINY).eval(), made_scene()
    other = scene.copy()
    other[:, :, 100:] = made_scene(seed=1)[:, :, 100:] / 3
    seen = 100 - model.margin
    one, two = (probabilities_of(model, s, tta=False)[:, :, :seen] for s in (scene, other))
    np.testing.assert_array_equal(one, two)


def test_reflectance_is_handed_on_and_the_file_keeps_the_stage(tmp_path):
    scene = landscape(4)[0]
    normalisation = fit(ABSOLUTE, [scene])
    values = normalisation.apply(scene)
    valid = np.isfinite(scene.values)
    assert normalisation.channels == 10
    assert np.array_equal(values[valid], scene.values[valid])
    config = TINY.with_(members=(ABSOLUTE, RELATIVE), temperature=0.5)
    model = Ensemble([build(config, normalisation=n) for n in config.members]).eval()
    save_model(tmp_path / "m.pt", model, normalisation, config)
    stored = load_model(tmp_path / "m.pt", torch.device("cpu"))
    assert [m.stage.surroundings for m in stored.model.members] == [None, Window(129)]
    x = torch.rand(1, 10, 20, 20)
    assert torch.equal(stored.model(x), model(x))
    with pytest.raises(InputError, match="augment changes reflectance"):
        TINY.with_(normalisation="per_scene", augment=AugmentConfig())
    leafy = TINY.with_(augment=AugmentConfig(leaf=0.9))
    assert TrainConfig.from_dict(leafy.to_dict()) == leafy


def test_temperature_divides_the_logits_of_the_ensemble():
    model, scene = Ensemble([build(TINY, s) for s in (0, 1)]).eval(), made_scene(24)
    plain = probabilities_of(model, scene, tta=False)
    model.temperature = 0.5
    sharp = probabilities_of(model, scene, tta=False)
    np.testing.assert_allclose(sharp, plain**2 / (plain**2).sum(axis=0), atol=1e-5)


def test_a_study_file_of_the_former_version_gives_what_it_gave():
    """Written by the version before, with the numbers that it gave for this scene."""
    stored = load_model(Path(__file__).parent / "former_study.pt", torch.device("cpu"))
    assert stored.config.members == ("per_scene", "per_scene_and_indices")
    scene = landscape(9, rows=24, cols=20)[0]
    found = predict_probabilities(stored.model, scene, stored.normalisation).values
    np.testing.assert_allclose(found[:, 10, 10], FORMER, atol=1e-5)


@pytest.fixture(scope="module")
def shipped():
    return load_model(study_model(), torch.device("cpu"))


SEA = (.045, .030, .012, .010, .008, .008, .006, .006, .004, .003)
CLOUD = (.72, .70, .70, .71, .72, .73, .73, .74, .50, .38)


def cover(spectrum, sd, shape=(96, 96)):
    noise = np.random.default_rng(0).normal(0, sd, (10, *shape))
    return (np.array(spectrum)[:, None, None] + noise).clip(1e-4).astype(np.float32)


def test_the_shipped_model_takes_open_sea_for_water_and_cloud_for_no_quarry(shipped):
    mapped = probabilities_of(shipped.model, cover(SEA, 0.0025), tta=False).argmax(0)
    assert (mapped == WATER).mean() > 0.99
    mapped = probabilities_of(shipped.model, cover(CLOUD, 0.02), tta=False).argmax(0)
    assert (mapped == QUARRY).mean() < 0.005


def test_a_coast_is_water_however_much_of_the_scene_it_covers(shipped, published):
    scene = shipped.normalisation.apply(read_scene(
        published / "img_train" / "strzegom_20220719_33u.tif"))[:, :160, :160]
    for width in (16, 66, 120):
        coast = scene.copy()
        coast[:, :, :width] = cover(SEA, 0.0025, (160, width))
        mapped = probabilities_of(shipped.model, coast, tta=False).argmax(0)[:, :width - 4]
        assert (mapped == WATER).mean() > 0.99
        assert (mapped == QUARRY).mean() < 0.001


def test_clips_of_a_scene_are_mapped_as_well_as_the_whole(shipped, published):
    scene = read_scene(scene_path("strzegom", published))
    codes = rasterise(site_polygons("strzegom", published), scene, pixel_rule="centre").values
    target = legend.to_index(codes)[:384, :384]
    inputs, known = shipped.normalisation.apply(scene), target != legend.IGNORE_INDEX
    whole = probabilities_of(shipped.model, inputs, tta=False).argmax(0)[:384, :384]
    right = (whole == target)[known].mean()
    for size in (128, 64):
        mapped = np.empty_like(whole)
        for top in range(0, 384, size):
            for left in range(0, 384, size):
                part = np.s_[top:top + size, left:left + size]
                mapped[part] = probabilities_of(
                    shipped.model, inputs[:, *part], tta=False).argmax(0)
        assert (mapped == target)[known].mean() > right - 0.01
