"""The study's own points: as many right as with Smile itself, in every draw of notebook 03."""

import json

import numpy as np
import pytest
from ee_local.models import fit_cart, fit_forest

from lulc_lib import data
from lulc_lib.earth_engine.points import draw_points, proportional
from tests.conftest import ROOT

KNOWN = json.loads((ROOT / "ee_local" / "tests" / "smile_vectors.json").read_text())["study_draws"]
SUPPORT = {1: 10, 2: 35, 3: 70, 4: 70, 5: 5, 7: 20, 8: 20, 9: 30, 10: 20}
LIMITS = {"maxNodes": None, "minLeafPopulation": 1}
FOREST = LIMITS | {"numberOfTrees": 10, "variablesPerSplit": None, "bagFraction": 0.5}
BANDS = [f"B{k}" for k in range(10)]


@pytest.fixture(scope="module")
def draws(published):
    """Training and test points of each draw: (point, band) digital numbers, (point,) codes."""
    polygons = data.site_polygons("strzegom", published)
    scene = data.read_scene(data.scene_path("strzegom", published))
    dn = np.rint(scene.values * 10_000)

    def table(points):
        col = np.searchsorted(scene.x.values, points.geometry.x)
        row = np.searchsorted(-scene.y.values, -points.geometry.y)
        return dn[:, row, col].T.astype(float), points.code.to_numpy().astype(int)

    drawn = (draw_points(polygons, scene, proportional(SUPPORT, 675), SUPPORT, seed)
             for seed in range(len(KNOWN["cart_dn"])))
    return [(*table(d.training), *table(d.test)) for d in drawn]


@pytest.mark.parametrize("unit, key", [(1, "cart_dn"), (100, "cart_dn_div_100")])
def test_as_many_test_points_are_right_as_with_smile(draws, unit, key):
    right = [int((fit_cart(x / unit, y, LIMITS).predict(u / unit) == v).sum())
             for x, y, u, v in draws]
    assert len(right) == 24 and right == KNOWN[key]


def test_the_importance_of_a_tree_is_smiles(draws):
    x, y, _, _ = draws[0]
    found = fit_cart(x / 100, y, LIMITS).explain(BANDS)["importance"]
    np.testing.assert_allclose(list(found.values()), KNOWN["draw_0"]["cart_importance"], rtol=1e-9)


def test_the_first_band_of_the_list_leads_whichever_it_is(draws):
    for x, y, _, _ in draws:
        for order in (np.arange(10), np.arange(10)[::-1]):
            found = fit_cart(x[:, order], y, LIMITS).explain(BANDS)["importance"]
            assert max(found, key=found.get) == "B0"


def test_forests_are_of_smiles_kind(draws):
    """Other random numbers: the same within what seeds do, and no band far ahead."""
    seeds = range(3)
    ours = [np.mean([fit_forest(x, y, FOREST | {"seed": s}).predict(u) == v for s in seeds])
            for x, y, u, v in draws]
    theirs = np.array(KNOWN["forest_10_trees_seed_0_dn_div_100"]) / 280
    assert abs(np.mean(ours) - theirs.mean()) < 0.01 and np.corrcoef(ours, theirs)[0, 1] > 0.8
    explained = fit_forest(*draws[0][:2], FOREST | {"seed": 0}).explain(BANDS)
    shares = np.array(list(explained["importance"].values()))
    shares /= shares.sum()
    assert 0.07 < shares.min() and shares.max() < 0.15
    smile = np.array(KNOWN["draw_0"]["forest_importance"])
    assert 0.8 < sum(explained["importance"].values()) / smile.sum() < 1.2
    assert abs(explained["outOfBagErrorEstimate"] - KNOWN["draw_0"]["forest_oob"]) < 0.05
