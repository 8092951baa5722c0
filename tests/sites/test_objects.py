"""Quarry objects: lakes and holes, hysteresis, minimum mapping unit, shapes in metres."""

import numpy as np
import pytest
import xarray as xr
from rasterio.transform import from_origin
from scipy import ndimage
from shapely.geometry import Point, box

from lulc_lib import legend
from lulc_lib.data.scenes import pixel_centres
from lulc_lib.errors import InputError
from lulc_lib.sites.objects import find_objects, label_objects, shape_of
from lulc_lib.sites.settings import Settings

QUARRY, WATER, FIELD, FOREST = (
    legend.code(k) for k in ("quarry", "water", "crops_growing", "mixed_forest"))


def grid_map(codes, epsg=32633, pixel=10.0):
    """A class map of the given (row, col) codes."""
    codes = np.asarray(codes)
    t = from_origin(600_000, 5_600_000, pixel, pixel)
    out = xr.DataArray(codes, dims=("y", "x"), coords=pixel_centres(t, codes.shape))
    out = out.rio.write_transform(t)
    return out.rio.write_crs(epsg) if epsg else out


@pytest.fixture
def pit():
    """A 20 × 20 pit (4 ha) in a field of 60 × 60."""
    codes = np.full((60, 60), FIELD, np.uint8)
    codes[20:40, 20:40] = QUARRY
    return codes


def test_area_and_outline_of_a_square(pit):
    objects = find_objects(grid_map(pit))
    row = objects.loc[1]
    assert row.area_ha == pytest.approx(4.0)
    assert row.geometry.equals(box(600_200, 5_599_600, 600_400, 5_599_800))
    assert row.perimeter_m == pytest.approx(800)
    assert row.compactness == pytest.approx(np.pi / 4)
    assert row.elongation == pytest.approx(1.0)
    assert np.isnan(row.mean_probability)
    assert objects.crs.to_epsg() == 32633


def test_a_disc_has_the_perimeter_of_a_circle_in_spite_of_its_stairs():
    disc = Point(600_500, 5_599_500).buffer(300, quad_segs=64)
    rows, cols = np.mgrid[:100, :100]
    inside = np.hypot(cols + 0.5 - 50, rows + 0.5 - 50) < 30
    objects = find_objects(grid_map(np.where(inside, QUARRY, FIELD).astype(np.uint8)))
    row = objects.loc[1]
    assert row.area_ha == pytest.approx(disc.area / 1e4, rel=0.01)
    assert row.perimeter_m == pytest.approx(disc.length, rel=0.12)
    assert row.geometry.length > 1.25 * disc.length
    assert row.compactness > 0.8


def test_small_objects_are_dropped_and_corners_connect(pit):
    pit[5:7, 5:12] = QUARRY  # 0.14 ha
    pit[40, 40] = QUARRY  # touches the pit at a corner
    objects = find_objects(grid_map(pit))
    assert list(objects.index) == [1]
    assert objects.area_ha[1] == pytest.approx(4.01)
    assert len(find_objects(grid_map(pit), settings=Settings(min_area_ha=0.1))) == 2
    assert len(find_objects(grid_map(pit), settings=Settings(min_area_ha=5.0))) == 0


def test_water_in_a_pit_belongs_to_it(pit):
    pit[25:30, 25:35] = WATER
    row = find_objects(grid_map(pit)).loc[1]
    assert row.area_ha == pytest.approx(4.0)
    assert row.water_share == pytest.approx(0.5 / 4.0)


def test_a_lake_at_the_rim_belongs_if_quarry_surrounds_most_of_it(pit):
    rim = pit.copy()
    rim[18:24, 25:30] = WATER  # two rows outside the pit, four inside
    assert find_objects(grid_map(rim)).area_ha[1] == pytest.approx(4.1)
    assert find_objects(grid_map(rim), settings=Settings(lake_border=0.9)).area_ha[1] == (
        pytest.approx(3.8))


def test_a_lake_that_cuts_a_pit_in_two_joins_it(pit):
    pit[20:40, 28:32] = WATER
    assert len(find_objects(grid_map(pit))) == 1


def test_a_river_beside_a_pit_stays_a_river(pit):
    pit[:, 40:43] = WATER
    assert find_objects(grid_map(pit)).area_ha[1] == pytest.approx(4.0)


def test_holes_are_filled_up_to_a_size(pit):
    pit[25:30, 25:30] = FOREST  # 0.25 ha
    assert find_objects(grid_map(pit)).area_ha[1] == pytest.approx(4.0)
    open_ = find_objects(grid_map(pit), settings=Settings(max_hole_ha=0.2))
    assert open_.area_ha[1] == pytest.approx(3.75)
    assert len(open_.geometry[1].interiors) == 1


def test_hysteresis_keeps_what_is_connected_to_something_sure(pit):
    probability = np.zeros(pit.shape, np.float32)
    probability[10:20, 10:20] = 0.45  # unsure, and beside something sure
    probability[15, 15] = 0.9
    probability[40:50, 40:50] = 0.45  # unsure alone
    empty = grid_map(np.full_like(pit, FIELD))
    settings = Settings(low=0.35, high=0.6)
    objects = find_objects(empty, empty.copy(data=probability), settings)
    assert objects.area_ha.tolist() == pytest.approx([1.0])
    assert objects.mean_probability[1] == pytest.approx((99 * 0.45 + 0.9) / 100, rel=1e-5)
    labels, _ = ndimage.label(probability >= 0.35)  # by another route
    keep = {labels[p] for p in zip(*np.nonzero(probability >= 0.6), strict=True)}
    by_label = label_objects(empty, empty.copy(data=probability), settings).labels
    assert (np.isin(labels, list(keep)) == (by_label > 0)).all()


def test_the_map_draws_what_it_shows_and_probability_what_it_hides(pit):
    codes, probability = np.full_like(pit, FIELD), np.zeros(pit.shape, np.float32)
    codes[10:20, 10:20] = QUARRY  # 100 of 130 likely pixels: shown
    probability[10:20, 10:23] = 0.3
    codes[40:47, 40:50] = QUARRY  # 70 of 100: hidden
    probability[40:50, 40:50] = 0.3
    codes[25:35, 30:40] = QUARRY  # to the network unlikely, but likelier than all else
    given = grid_map(codes), grid_map(codes).copy(data=probability)
    assert find_objects(*given).area_ha.tolist() == pytest.approx([1.0, 1.0, 1.0])
    wider = find_objects(*given, Settings(mapped_share=0.8))
    assert wider.area_ha.tolist() == pytest.approx([1.3, 1.0, 1.0])
    alone = find_objects(*given, Settings(high=0.31))  # nowhere sure
    assert alone.area_ha.tolist() == pytest.approx([1.0, 1.0, 0.7])


def test_no_data_is_not_clear(pit):
    pit[:10] = legend.NO_DATA
    objects = label_objects(grid_map(pit), None, Settings())
    assert not objects.clear[:10].any() and objects.clear[10:].all()


def test_a_map_without_quarry_has_no_objects(pit):
    objects = find_objects(grid_map(np.full_like(pit, FIELD)))
    assert len(objects) == 0
    assert {"area_ha", "perimeter_m", "mean_probability"} <= set(objects.columns)


def test_elongation_of_a_strip():
    strip = box(0, 0, 400, 50)
    import geopandas as gpd

    shape = shape_of(gpd.GeoSeries([strip], crs=32633), 10.0)
    assert shape.elongation[0] == pytest.approx(1 / 8)


@pytest.mark.parametrize("epsg", [None, 4326, 3857, 2263])
def test_a_crs_that_is_not_in_true_metres_is_refused(pit, epsg):
    with pytest.raises(InputError, match="must be a projected CRS in true metres"):
        find_objects(grid_map(pit, epsg=epsg))


def test_bad_probabilities_are_refused(pit):
    whole = grid_map(pit)
    with pytest.raises(InputError, match="probability is"):
        find_objects(whole, whole[:10].astype(float))
    with pytest.raises(InputError, match="between 0 and 1"):
        find_objects(whole, whole.astype(float) * 20)


@pytest.mark.parametrize("wrong", [{"low": 0.9}, {"low": -0.1}, {"min_dates": 0},
                                   {"tolerance_m": -1.0}, {"persistence": 1.2},
                                   {"tolerance_m": float("nan")}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Settings(**wrong)
