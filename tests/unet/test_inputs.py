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
from lulc_lib.unet.checkpoint import build
from lulc_lib.unet.inputs import DARKEST, FIXED_INPUTS, FixedInput
from lulc_lib.unet.predict import probabilities_of
from tests.unet.conftest import landscape

FORMER = (0.101947, 0.09773, 0.15819, 0.080302, 0.128134, 0.111989, 0.069702, 0.064399, 0.094457,
          0.093149)
ABSOLUTE, RELATIVE = FIXED_INPUTS
QUARRY, WATER = (legend.CODES.index(legend.code(k)) for k in ("quarry", "water"))
TINY = TrainConfig("tiny", base_channels=3, depth=2, convolutions=1, patch_size=32,
                   normalisation=ABSOLUTE)


def made_scene(size=160, seed=0):
    rng = np.random.default_rng(seed)
    fields = rng.uniform(0.02, 0.5, (10, size // 8, size // 8)).repeat(8, 1).repeat(8, 2)
    return (fields + rng.normal(0, 0.01, fields.shape)).astype(np.float32)


def test_channels_by_hand():
    x = torch.from_numpy(made_scene(40))[None]
    absolute, relative = (FixedInput(r)(x) for r in (False, True))
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


@pytest.mark.parametrize("name", [ABSOLUTE, RELATIVE])
def test_the_margin_counts_the_input_in(name):
    """A change further away than the margin changes nothing; one just inside does, at its edge."""
    model = build(TINY.with_(normalisation=name)).eval()
    size = 2 * model.margin + 41
    x = torch.rand(1, 10, 16, size, generator=torch.Generator().manual_seed(0))
    moved = x.clone()
    moved[..., 20] = 0.9
    with torch.no_grad():
        change = (model(x) - model(moved)).abs().sum((0, 1, 2))
    far = change.nonzero().max() - 20
    assert far <= model.margin
    assert far >= model.margin - 2**model.depth - 2


@pytest.mark.parametrize("tta", [False, True])
def test_a_clip_maps_bit_for_bit_as_in_the_whole_scene(tta):
    """Its corner lies on a multiple of 2**depth, and its edge a margin away."""
    model = Ensemble([build(TINY, seed) for seed in (0, 1)]).eval()
    scene, margin = made_scene(), model.margin
    whole = probabilities_of(model, scene, tta)
    for top, left, rows, cols in ((16, 32, 96, 80), (4, 60, 64, 64)):
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
    assert [m.stage.relative for m in stored.model.members] == [False, True]
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
