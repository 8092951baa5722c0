"""References: polygons and rasters to legend codes on a scene's grid."""

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import box

from lulc_lib.data import reference
from lulc_lib.errors import InputError

X, Y = 600_000, 5_600_000


@pytest.fixture
def grid(write_raster):
    return reference.read_codes(write_raster("grid.tif", np.ones((20, 30), np.uint8)))


@pytest.fixture
def polygons_file(tmp_path):
    """A 5 × 4 pixel field shifted by 4 m, a pond that overlaps it by one row of pixels."""
    shapes = [box(X + 54, Y - 94, X + 104, Y - 54), box(X + 60, Y - 120, X + 100, Y - 84)]
    table = gpd.GeoDataFrame({"label": [9, 8]}, geometry=shapes, crs=32633)
    table.to_file(tmp_path / "ref.gpkg")
    return tmp_path / "ref.gpkg"


def test_pixel_rules(grid, polygons_file):
    polygons = reference.read_polygons(polygons_file, "label")
    field = polygons[polygons.label == 9]
    centre = reference.rasterise(field, grid, "centre")
    touched = reference.rasterise(field, grid, "all_touched")
    assert int((centre == 9).sum()) == 5 * 4
    assert int((touched == 9).sum()) == 6 * 5
    assert centre.rio.transform() == grid.rio.transform()
    assert centre.dtype == np.uint8


def test_the_later_polygon_wins(grid, polygons_file):
    polygons = reference.read_polygons(polygons_file, "label")
    codes = reference.rasterise(polygons, grid, "centre")
    assert int((codes == 8).sum()) == 4 * 4
    assert int((codes == 9).sum()) == 5 * 4 - 4
    ids = reference.rasterise_ids(polygons, grid, "centre")
    assert ((ids.values == 2) == (codes.values == 8)).all()


def test_another_crs_makes_no_difference(grid, polygons_file):
    polygons = reference.read_polygons(polygons_file, "label")
    there = polygons.to_crs(4326)
    np.testing.assert_array_equal(reference.rasterise(polygons, grid, "centre"),
                                  reference.rasterise(there, grid, "centre"))


def test_pixel_rule_must_be_known(grid, polygons_file):
    polygons = reference.read_polygons(polygons_file, "label")
    with pytest.raises(InputError, match="pixel_rule is 'touch'"):
        reference.rasterise(polygons, grid, "touch")


def test_no_overlap(grid, polygons_file):
    polygons = reference.read_polygons(polygons_file, "label")
    away = polygons.set_geometry(polygons.translate(xoff=50_000))
    with pytest.raises(InputError, match="no polygon covers a pixel"):
        reference.rasterise(away, grid, "centre")


def test_unknown_column_and_bad_codes(polygons_file, tmp_path):
    with pytest.raises(InputError, match="no column 'class'; its columns are label"):
        reference.read_polygons(polygons_file, "class")
    bad = gpd.read_file(polygons_file).assign(label=[9, 12])
    bad.to_file(tmp_path / "bad.gpkg")
    with pytest.raises(InputError, match="12"):
        reference.read_polygons(tmp_path / "bad.gpkg", "label")


def test_damaged_and_absent_vector(tmp_path):
    (tmp_path / "x.gpkg").write_bytes(b"not a geopackage")
    with pytest.raises(InputError, match=r"x\.gpkg"):
        reference.read_polygons(tmp_path / "x.gpkg", "label")
    with pytest.raises(InputError, match="no such file"):
        reference.read_polygons(tmp_path / "y.gpkg", "label")


def test_mask_of_floats_on_another_grid_and_crs(write_raster, grid):
    labels = np.zeros((40, 40), np.float32)
    labels[:20] = 3
    path = write_raster("m.tif", labels, origin=(X - 50, Y + 100), nodata=0)
    mask = reference.read_codes(path, grid)
    assert mask.shape == grid.shape
    assert (mask.values[:10] == 3).all()
    assert (mask.values[10:] == 0).all()


def test_mask_that_does_not_overlap(write_raster, grid):
    path = write_raster("m.tif", np.ones((5, 5), np.uint8), origin=(X + 90_000, Y))
    with pytest.raises(InputError, match="no labelled pixel lies on the scene"):
        reference.read_codes(path, grid)


def test_mask_with_several_bands_or_odd_values(write_raster):
    with pytest.raises(InputError, match="has 2 bands"):
        reference.read_codes(write_raster("m.tif", np.ones((2, 4, 4), np.uint8)))
    with pytest.raises(InputError, match="77"):
        reference.read_codes(write_raster("n.tif", np.full((4, 4), 77, np.uint8)))


def test_published_reference_has_the_papers_pixels(published):
    polygons = reference.read_polygons(published / "test_mask/strzegom_ref.gpkg", "label")
    grid = reference.read_codes(published / "accuracy_analysis/strzegom_20230709_33u_class.tif")
    counts = {rule: int((reference.rasterise(polygons, grid, rule) > 0).sum())
              for rule in ("centre", "all_touched")}
    assert counts == {"centre": 38_588, "all_touched": 44_220}
