"""Area of applicability: against the paper's formulas worked out slowly, tiles, files, words."""

import itertools
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
import torch
import xarray as xr

from experiments.protocol_assess import error_rates
from lulc_lib import legend
from lulc_lib.cli import main
from lulc_lib.data.geotiff import INSIDE, UNKNOWN, applicability_steps
from lulc_lib.data.scenes import BANDS, read_scene
from lulc_lib.errors import InputError
from lulc_lib.unet.applicability import (
    CHUNK,
    Applicability,
    applicability_of,
    feature_map,
    fit_applicability,
    nearest,
    sample_features,
)
from lulc_lib.unet.checkpoint import StoredModel, build, load_model, save_model
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.map_files import classify_file
from lulc_lib.unet.model import Ensemble
from lulc_lib.unet.normalise import fit
from lulc_lib.unet.predict import Predictor, probabilities_of

CONFIG = TrainConfig("tiny", base_channels=8, depth=2, convolutions=1, patch_size=32,
                     normalisation="reflectance", augment=None)


def slow(samples, folds, points):
    """Index of points, and threshold, by loops over the formulas of section 2 of the paper."""
    mean, sd = samples.mean(axis=0), samples.std(axis=0)
    samples, points = (samples - mean) / sd, (points - mean) / sd

    def distance(a, b):
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5

    pairs = [distance(a, b) for a, b in itertools.permutations(samples, 2)]
    mean_distance = sum(pairs) / len(pairs)
    index = [min(distance(p, s) for s in samples) / mean_distance for p in points]
    own = [min(distance(a, b) for b, other in zip(samples, folds, strict=True) if other != fold)
           / mean_distance for a, fold in zip(samples, folds, strict=True)]
    low, high = np.quantile(own, 0.25), np.quantile(own, 0.75)
    return np.array(index), max(v for v in own if v <= high + 1.5 * (high - low))


@pytest.fixture(scope="module")
def drawn():
    """Features (60, 5) of very different size in 12 clusters, and points (40, 5) near and far."""
    rng = np.random.default_rng(2)
    size = np.array([1, 30, 0.02, 5, 1])
    samples = (rng.normal(size=(60, 5)) + rng.integers(0, 3, (60, 1)) * 2) * size
    return samples, np.arange(60) // 5, rng.normal(size=(40, 5)) * size * 1.5


def test_index_and_threshold_are_the_papers(drawn):
    samples, folds, points = drawn
    area = fit_applicability(samples, folds)
    index, threshold = slow(samples, folds, points)
    # the reference is kept in 16 bits: three digits
    np.testing.assert_allclose(area.dissimilarity(points.T), index, rtol=4e-3, atol=1e-3)
    assert area.threshold == pytest.approx(threshold, rel=3e-3)
    assert 0.2 < (index <= threshold).mean() < 0.9
    sure = np.abs(index - threshold) > 0.01
    assert (area.inside(points.T) == (index <= threshold))[sure].all()


def test_nearest_is_the_plain_distance():
    rng = np.random.default_rng(0)
    points, reference = (rng.normal(size=s).astype(np.float32) for s in ((CHUNK + 70, 4), (30, 4)))
    plain = np.linalg.norm(points[:, None] - reference, axis=2)
    np.testing.assert_allclose(nearest(points, reference), plain.min(axis=1), rtol=1e-5)
    excluded = rng.random(plain.shape) < 0.5
    np.testing.assert_allclose(nearest(points, reference, excluded),
                               np.where(excluded, np.inf, plain).min(axis=1), rtol=1e-5)
    for first, last in ((0, 1), (17, CHUNK + 60), (CHUNK - 1, CHUNK + 2)):  # whatever is beside it
        assert np.array_equal(nearest(points[first:last], reference),
                              nearest(points, reference)[first:last])


def test_a_training_sample_is_at_nearly_zero_and_nan_is_outside(drawn):
    samples, folds, _ = drawn
    area = fit_applicability(samples, folds)
    assert area.dissimilarity(samples.T).max() < 2e-3
    points = samples[:2].T.copy()
    points[0, 0] = np.nan
    assert area.inside(points).tolist() == [False, True]
    with pytest.raises(InputError, match="4 features were given; the reference sample has 5"):
        area.dissimilarity(points[:4])


def test_one_cluster_is_refused(drawn):
    with pytest.raises(InputError, match="lie in 1 label cluster"):
        fit_applicability(drawn[0], np.zeros(60))


def test_samples_are_labelled_and_as_many_of_each_class():
    codes = np.zeros((20, 30), np.uint8)
    codes[:5, :10], codes[10:, 20:], codes[19, 0] = 3, 10, 8
    features = np.stack([np.arange(600.0).reshape(20, 30), codes.astype(float)])
    clusters = np.arange(600).reshape(20, 30)
    found, folds = sample_features(features, codes, clusters, each=12)
    assert np.bincount(found[:, 1].astype(int)).tolist() == [0, 0, 0, 12, 0, 0, 0, 0, 1, 0, 12]
    assert np.array_equal(found[:, 0], folds)
    assert sample_features(features, codes * 0, clusters)[0].shape == (0, 2)


def test_features_cost_nothing_and_change_nothing():
    pair = Ensemble([build(CONFIG, seed=1), build(CONFIG, seed=2)]).eval()
    inputs = np.random.default_rng(0).normal(size=(10, 33, 41)).astype(np.float32)
    for tta in (False, True):
        probabilities, features = Predictor(pair, tta, features=True).whole(inputs)
        assert np.array_equal(probabilities, probabilities_of(pair, inputs, tta))
        assert features.shape == (16, 33, 41)
    with torch.no_grad():
        features = torch.from_numpy(feature_map(pair, inputs))[None]
        own = [m.head(features[:, i:i + 8]) for m, i in zip(pair.members, (0, 8), strict=True)]
        logits = [m(torch.from_numpy(inputs)[None]) for m in pair.members]
    for a, b in zip(own, logits, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-5)
    coarse = build(CONFIG.with_(network="fcn", depth=3))
    with pytest.raises(InputError, match="does not see every pixel"):
        feature_map(coarse, inputs)


# --- a synthetic scene ------------------------------------------------------------------------

SPECTRA = {code: np.random.default_rng(code).uniform(0.02, 0.5, 10) for code in (1, 4, 8, 10)}


def scene_of(codes, seed, strange=None):
    """Reflectance of a (row, col) map of codes; ``strange`` pixels get a cover of no class."""
    noise = np.random.default_rng(seed).normal(0, 0.01, (10, *codes.shape))
    values = np.moveaxis(np.stack([SPECTRA.get(c, np.full(10, 0.2)) for c in range(11)])[codes],
                         -1, 0) + noise
    if strange is not None:
        values[:, strange] = np.tile([0.02, 0.6], 5)[:, None] + noise[:, strange]
    rows, cols = codes.shape
    scene = xr.DataArray(values.clip(0.001).astype(np.float32), dims=("band", "y", "x"),
                         coords={"band": list(BANDS), "y": -10.0 * np.arange(rows),
                                 "x": 10.0 * np.arange(cols)})
    return scene.rio.write_crs(32633)


@pytest.fixture(scope="module")
def trained():
    """A small network trained on two synthetic scenes, with its area of applicability."""
    rng = np.random.default_rng(0)
    fields = [rng.choice([1, 4, 8, 10], (8, 8)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
              for _ in range(2)]
    inner = np.arange(64) % 8 > 0  # gaps part the fields
    labels = [np.where(np.outer(inner, inner), f, legend.NO_DATA) for f in fields]
    scenes = [scene_of(f, n) for n, f in enumerate(fields)]
    normalisation, model = fit("reflectance", scenes), build(CONFIG, seed=0)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    x = torch.from_numpy(np.stack([normalisation.apply(s) for s in scenes]))
    target = torch.from_numpy(np.stack([legend.to_index(a) for a in labels]).astype(np.int64))
    for _ in range(60):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), target,
                                                 ignore_index=legend.IGNORE_INDEX)
        loss.backward()
        optimiser.step()
    area = applicability_of(model.eval(), normalisation, scenes, labels)
    return StoredModel(model, normalisation, CONFIG, area)


def test_more_is_wrong_outside_than_inside(trained):
    """A held-out scene, a quarter of which is a cover that no label has."""
    codes = np.random.default_rng(9).choice([1, 4, 8, 10], (8, 8)).repeat(8, 0).repeat(8, 1)
    strange = np.zeros((64, 64), bool)
    strange[:32, :32] = True
    inputs = trained.normalisation.apply(scene_of(codes, 9, strange))
    probabilities, features = Predictor(trained.model, features=True).whole(inputs)
    wrong = probabilities.argmax(axis=0) != legend.to_index(codes.astype(np.uint8))
    inside = trained.applicability.inside(features)
    rates = error_rates(wrong, inside)
    assert rates["inside"] < 0.15 < 0.5 < rates["outside"]
    assert (~inside)[strange].mean() > 0.95
    assert inside[40:, 40:].mean() > 0.75


@pytest.fixture
def written(write_raster, tmp_path, trained):
    """A scene's file with strange cover in a corner and a strip without data; the model's file."""
    codes = np.random.default_rng(4).choice([1, 4, 8, 10], (9, 10)).repeat(8, 0).repeat(8, 1)
    strange = np.zeros(codes.shape, bool)
    strange[40:, 40:] = True
    dn = np.rint(scene_of(codes, 4, strange).values * 1e4).astype(np.uint16)
    dn[:, :, -4:] = 0
    save_model(tmp_path / "model.pt", *trained)
    return write_raster("scene_20230709.tif", dn, BANDS), tmp_path / "model.pt", strange


def test_the_model_file_keeps_it_in_16_bits(trained, written):
    read = load_model(written[1], torch.device("cpu")).applicability
    assert isinstance(read, Applicability)
    assert read.reference.dtype == np.float16
    for name in ("reference", "centre", "scale", "mean_distance", "threshold"):
        np.testing.assert_array_equal(getattr(read, name), getattr(trained.applicability, name))


def test_tiles_give_the_same_bits(trained, written, tmp_path):
    """Tiles of 16 pixels against one pass: map and index; and the map as without an index."""
    found = {}
    for tile in (16, 80):
        index, out = tmp_path / f"a{tile}.tif", tmp_path / f"m{tile}.tif"
        done = classify_file(written[0], out, trained, tile=tile, applicability=index, offset=0)
        found[tile] = [rasterio.open(p).read(1) for p in (index, out)]
    np.testing.assert_array_equal(found[16], found[80])
    steps, codes = found[16]
    scene = read_scene(written[0])
    missing = np.isnan(scene.values).all(axis=0)
    inputs = trained.normalisation.apply(scene)
    area = trained.applicability
    expected = applicability_steps(area.dissimilarity(feature_map(trained.model, inputs))
                                   / area.threshold)
    assert np.array_equal(steps[~missing], expected[~missing])
    assert np.array_equal(steps == UNKNOWN, missing)
    outside = (steps > INSIDE) & ~missing
    assert done.outside == {c: int((codes[outside] == c).sum())
                            for c in (legend.NO_DATA, *legend.CODES)}
    assert outside[written[2] & ~missing].mean() > 0.95
    classify_file(written[0], tmp_path / "plain.tif", trained, offset=0)
    assert np.array_equal(rasterio.open(tmp_path / "plain.tif").read(1), codes)


def test_by_command_beside_the_map(written, tmp_path, capsys):
    words = ["classify", str(written[0]), "-o", str(tmp_path / "map.tif"), "--offset", "0",
             "--checkpoint", str(written[1]), "--applicability"]
    assert main(words) == 0
    said = capsys.readouterr()
    with rasterio.open(tmp_path / "map_applicability.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (file.dtypes, file.nodata, file.scales) == (("uint8",), UNKNOWN, (1 / INSIDE,))
        assert float(file.tags()["threshold"]) > 0
        assert "outside" in file.tags()["value"]
        steps = file.read(1)
    share = (steps[steps != UNKNOWN] > INSIDE).mean()
    assert 0.25 < share < 0.6
    assert f"({share:.1%} of the scene lies outside the area of applicability; of the" in said.out
    assert f"warning: {share:.0%} of the scene is unlike" in said.err
    style = ET.parse(tmp_path / "map_applicability.qml").getroot()
    assert style.find(".//rasterrenderer").get("type") == "singlebandpseudocolor"
    assert [i.get("value") for i in style.iter("item")] == ["1", "2", "inf"]  # scaled
    named = tmp_path / "here.tif"
    assert main([*words, str(named), "--overwrite"]) == 0
    assert np.array_equal(rasterio.open(named).read(1), steps)


def test_a_model_without_it_says_so(trained, written, tmp_path, capsys):
    save_model(tmp_path / "old.pt", *trained[:3])
    assert load_model(tmp_path / "old.pt").applicability is None
    assert main(["classify", str(written[0]), "-o", str(tmp_path / "m.tif"), "--checkpoint",
                 str(tmp_path / "old.pt"), "--applicability"]) == 2
    assert "holds no area of applicability" in capsys.readouterr().err
    assert not (tmp_path / "m.tif").exists()


# --- the model that ships ---------------------------------------------------------------------

SEA = np.array([.045, .030, .012, .010, .008, .008, .006, .006, .004, .003])
CLOUD = np.array([.72, .70, .70, .71, .72, .73, .73, .74, .50, .38])


@pytest.mark.parametrize(("cover", "spread"), [(SEA, 0.0025), (CLOUD, 0.05)])
def test_open_sea_and_unbroken_cloud_are_no_quarry_and_warned_of(
    write_raster, tmp_path, capsys, cover, spread
):
    noise = np.random.default_rng(3).normal(0, spread, (10, 96, 96))
    dn = np.rint((cover[:, None, None] + noise).clip(1e-4) * 1e4).astype(np.uint16)
    path, out = write_raster("cover_20230709.tif", dn, BANDS), tmp_path / "map.tif"
    assert main(["classify", str(path), "-o", str(out), "--offset", "0", "--applicability"]) == 0
    said = capsys.readouterr()
    assert "warning: 100% of the scene is unlike" in said.err
    codes = rasterio.open(out).read(1)
    assert not (codes == legend.code("quarry")).any()
    if cover is SEA:
        assert (codes == legend.code("water")).all()
    steps = rasterio.open(tmp_path / "map_applicability.tif").read(1)
    assert (steps > INSIDE).mean() > 0.95
