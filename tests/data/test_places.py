"""Places in a series of masks: the changing field, its neighbours, what training saw."""

import numpy as np
import pytest

from lulc_lib import legend
from lulc_lib.data import places, reference, signatures
from lulc_lib.errors import InputError

GROWING, BARE, QUARRY = (legend.code(k) for k in ("crops_growing", "bare_soil", "quarry"))


@pytest.fixture
def masks(write_raster):
    """Four dates, 20 × 20: one field growing, bare, growing; a smaller one too; a quarry."""
    out = {}
    for number, phase in enumerate((GROWING, BARE, BARE, GROWING)):
        codes = np.zeros((20, 20), np.uint8)
        codes[2:8, 2:10], codes[12:14, 2:4] = phase, phase
        codes[2:6, 14:18] = QUARRY
        codes[19, 19] = QUARRY
        out[f"2022-0{number + 1}-01"] = reference.read_codes(write_raster(f"{number}.tif", codes))
    return out


def test_changing_field(masks):
    dates, field = places.changing_field(masks)
    assert [masks[d].values[3, 3] for d in dates] == [GROWING, BARE, GROWING]
    assert field.sum() == 6 * 8
    del masks["2022-04-01"]
    with pytest.raises(InputError, match="growing, bare, growing"):
        places.changing_field(masks)


def test_nearest_region_is_large_enough(masks):
    first = masks["2022-01-01"].values
    corner = np.zeros((20, 20), bool)
    corner[18, 18] = True
    quarry = places.nearest_region(first == QUARRY, corner, smallest=5)
    assert quarry.sum() == 16
    with pytest.raises(InputError, match="no region has 50"):
        places.nearest_region(first == QUARRY, corner, smallest=50)


def test_window_stays_inside_and_keeps_the_place(masks):
    mask = masks["2022-01-01"]
    box = places.window(mask, [mask.values == QUARRY], margin=30)
    part = places.cut(mask, box)
    assert part.shape == (20, 9)
    left, _, right, top = part.rio.bounds()
    assert (left, right, top) == (600_000 + 110, 600_000 + 200, 5_600_000)


def test_seen_in_training(masks):
    truth = masks["2022-01-01"].copy(data=np.zeros((20, 20), np.uint8))
    truth[3, 3], truth[3, 15], truth[10, 10], truth[12, 2] = BARE, GROWING, QUARRY, GROWING
    seen = places.seen_in_training(truth, [masks["2022-02-01"]])
    assert seen.values[3, 3] == places.SAME_CLASS
    assert seen.values[3, 15] == seen.values[12, 2] == places.OTHER_CLASS
    assert seen.values[10, 10] == places.NEVER
    assert int((seen > 0).sum()) == 4


def test_published_places(published):
    """95 % of the test reference lies where training is labelled; so does the quarry's."""
    from lulc_lib.data import series

    found = series.training_series("strzegom", published)
    grid = next(iter(found.scenes.values()))
    truth = reference.rasterise(series.site_polygons("strzegom", published), grid, "centre")
    seen = places.seen_in_training(truth, list(found.labels.values())).values
    assert (seen[seen > 0] != places.NEVER).mean() == pytest.approx(0.955, abs=0.0005)
    known = (seen[truth.values == QUARRY] == places.SAME_CLASS).mean()
    assert known == pytest.approx(0.95, abs=0.005)
    assert places.changing_field(found.labels)[1].sum() > 1000


def test_class_spectra_and_coverage(write_raster, scene_dn):
    from lulc_lib.data.scenes import BANDS, read_scene

    scene = read_scene(write_raster("s_20220101.tif", scene_dn, BANDS))
    codes = np.zeros((40, 50), np.uint8)
    codes[:10] = legend.code("water")
    mask = reference.read_codes(write_raster("m.tif", codes))
    table = signatures.class_spectra(scene, mask)
    assert set(table.code) == {legend.code("water")}
    expected = np.median(scene_dn[:, :10].reshape(10, -1), axis=1) / 1e4
    np.testing.assert_allclose(table["median"], expected, atol=1e-4)
    assert (table.q25 <= table["median"]).all()
    coverage = signatures.label_coverage({"a": mask})
    assert coverage.loc[legend.code("water"), "a"] == 500
    assert coverage.to_numpy().sum() == 500
    dark = signatures.dark_percentiles({"d": scene})
    assert dark.loc["d", "B02"] == pytest.approx(np.percentile(scene_dn[0], 1) / 1e4, abs=1e-5)
