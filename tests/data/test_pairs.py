"""A map and its reference to pairs: what is no data, overlaps, edges, and the column of codes."""

from functools import partial

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from shapely.geometry import Point, Polygon, box

from lulc_lib import legend
from lulc_lib.accuracy import confusion_from_labels
from lulc_lib.data.pairs import count_pairs, open_reference
from lulc_lib.errors import InputError

X, Y = 600_000, 5_600_000
MATRIX = [[6, 2], [2, 4]]  # rows map 0, 1; columns reference: n 14, OA .71429, UA of 1 .66667


def counted(mapped, reference, nodata=None, **how):
    return count_pairs(mapped, open_reference(reference, **how), confusion_from_labels,
                       nodata=nodata)


def centre(row, col):
    return Point(X + 10 * col + 5, Y - 10 * row - 5)


@pytest.fixture
def mask(write_raster, tmp_path):
    """Quarry / not quarry in 60 × 60 pixels, of which 14 have a reference: rasters and points."""
    cells = [(m, r) for m in (0, 1) for r in (0, 1) for _ in range(MATRIX[m][r])]
    rng = np.random.default_rng(3)
    places = [divmod(int(k), 60) for k in rng.choice(3600, 14, replace=False)]
    mapped, wanted = rng.integers(0, 2, (60, 60), np.uint8), np.full((60, 60), 255, np.uint8)
    for place, (m, r) in zip(places, cells, strict=True):
        mapped[place], wanted[place] = m, r
    points = gpd.GeoDataFrame({"quarry": [r for _, r in cells]}, crs=32633,
                              geometry=[centre(*place) for place in places])
    points.to_file(tmp_path / "points.gpkg")
    return (write_raster("map.tif", mapped), write_raster("tag.tif", wanted, nodata=255),
            write_raster("bare.tif", wanted), tmp_path / "points.gpkg")


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_code_0_is_a_class(mask, kind):
    """Row 1 of the cases: the same answer from raster, raster without a tag, and points."""
    pairs = counted(mask[0], mask[kind])
    assert pairs.counts.index.tolist() == ["0", "1"]
    assert pairs.counts.to_numpy().tolist() == MATRIX
    assert sum(pairs.dropped.values()) == (3600 - 14 if kind < 3 else 0)


def test_nodata_may_be_stated(mask):
    assert counted(mask[0], mask[1], 0).counts.to_numpy().sum() == 3600 - 8
    assert counted(mask[0], mask[3], 0).counts.to_numpy().sum() == 6
    assert counted(mask[0], mask[3], 0).dropped == {"of_no_data": 8}
    assert counted(mask[0], mask[1], "none").counts.to_numpy().sum() == 3600


def test_the_tag_and_the_legend_come_before_code_0(write_raster):
    mapped, wanted = np.array([[0, 1, 2, 2]], np.uint8), np.array([[0, 0, 1, 2]], np.uint8)
    reference = write_raster("r.tif", wanted)
    ours = {f"class_{code}": name for code, name in legend.NAMES.items()}
    bare = counted(write_raster("m.tif", mapped), reference)
    assert bare.counts.to_numpy().sum() == 4
    assert any("Code 0 is taken as a class" in note for note in bare.notes)
    study = counted(write_raster("ours.tif", mapped, tags=ours), reference)
    assert study.counts.to_numpy().sum() == 2 and study.dropped == {"reference_no_data": 2}
    tagged = counted(write_raster("ours.tif", mapped, tags=ours),
                     write_raster("t.tif", wanted, nodata=1))
    assert tagged.counts.to_numpy().sum() == 3 and "0" in tagged.counts


def test_a_code_that_the_map_never_uses_is_no_data_and_said(write_raster):
    mapped, wanted = np.array([[1, 1, 2, 2]], np.uint8), np.array([[0, 1, 1, 2]], np.uint8)
    pairs = counted(write_raster("m.tif", mapped), write_raster("r.tif", wanted))
    assert pairs.counts.to_numpy().sum() == 3 and pairs.dropped == {"of_code_never_mapped": 1}
    assert any("1 reference pixels of code 0" in note for note in pairs.notes)
    whole = counted(write_raster("m.tif", mapped), write_raster("r.tif", wanted), "none")
    assert whole.counts.to_numpy().sum() == 4 and not whole.dropped


@pytest.fixture
def overlapping(write_raster, tmp_path):
    """A map of class 1 and 2 halves, two polygons of other classes that overlap in 8 pixels."""
    mapped = write_raster("m.tif", np.repeat(np.array([[1] * 4 + [2] * 4], np.uint8), 4, axis=0))
    rows = [(1, box(X, Y - 40, X + 50, Y)), (2, box(X + 30, Y - 40, X + 80, Y)),
            (2, box(X + 60, Y - 40, X + 80, Y))]

    def write(order, suffix="gpkg"):
        path = tmp_path / f"r{''.join(map(str, order))}.{suffix}"
        gpd.GeoDataFrame({"code": [rows[k][0] for k in order]}, crs=32633,
                         geometry=[rows[k][1] for k in order]).to_file(path)
        return path

    return mapped, write


def test_overlaps_are_left_out_whatever_the_order(overlapping):
    mapped, write = overlapping
    for order, suffix in (((0, 1, 2), "gpkg"), ((2, 1, 0), "gpkg"), ((1, 0, 2), "fgb")):
        pairs = counted(mapped, write(order, suffix))
        assert pairs.counts.to_numpy().tolist() == [[12, 0], [0, 12]]
        assert pairs.dropped == {"claimed_by_two_classes": 8}
        assert any("8 pixels are claimed by polygons of different" in n for n in pairs.notes)


def test_overlaps_by_choice(overlapping):
    mapped, write = overlapping
    forth, back = write((0, 1, 2)), write((2, 1, 0))
    for how, path, other in (("first", forth, back), ("last", back, forth)):
        assert counted(mapped, path, overlaps=how).counts.to_numpy().tolist() == [[16, 0], [4, 12]]
        assert counted(mapped, other, overlaps=how).counts.to_numpy().tolist() == [[12, 4], [0, 16]]
    smallest = [counted(mapped, p, overlaps="smallest") for p in (forth, back)]
    assert smallest[0].counts.equals(smallest[1].counts)
    assert smallest[0].counts.to_numpy().sum() == 32 and not smallest[0].dropped


@pytest.mark.parametrize("turned", [False, True])
def test_centres_on_an_edge_count_once(write_raster, tmp_path, turned):
    """Two classes share an edge through centres, and their outer edges pass through centres."""
    mapped = write_raster("m.tif", np.ones((6, 9), np.uint8))
    left, right = box(X + 5, Y - 45, X + 45, Y - 5), box(X + 45, Y - 45, X + 85, Y - 5)
    shapes = [left, right]
    if turned:
        shapes = [Polygon(list(s.exterior.coords)[::-1]) for s in shapes][::-1]
    codes = [2, 1] if turned else [1, 2]
    path = tmp_path / "edge.gpkg"
    gpd.GeoDataFrame({"code": codes}, geometry=shapes, crs=32633).to_file(path)
    pairs = counted(mapped, path)
    # 5 rows of 9 centres lie in or on the two boxes; those on the shared edge are the right one's
    assert pairs.counts.loc["1"].tolist() == [20, 25] and not pairs.dropped


def test_a_rotated_map_is_refused_with_polygons(tmp_path):
    """Its window's bounds are not those of its pixels: a fifth of them would be lost."""
    path = tmp_path / "map.tif"
    grid = Affine.translation(X, Y) @ Affine.rotation(20) @ Affine.scale(10, -10)
    with rasterio.open(path, "w", driver="GTiff", count=1, dtype="uint8", height=40, width=60,
                       crs="EPSG:32633", transform=grid) as out:
        out.write(np.full((1, 40, 60), 2, np.uint8))
    around = [box(X - 1000, Y - 1000, X + 1000, Y + 1000)]
    gpd.GeoDataFrame({"code": [2]}, geometry=around, crs=32633).to_file(
        tmp_path / "reference.gpkg")
    with pytest.raises(InputError, match=r"map.tif: its grid is rotated.*north up"):
        counted(path, tmp_path / "reference.gpkg")


def test_touched_pixels_have_the_class_that_covers_most(write_raster, tmp_path):
    mapped = write_raster("m.tif", np.ones((3, 4), np.uint8))
    rows = [(1, box(X + 1, Y - 29, X + 17, Y - 1)), (2, box(X + 17, Y - 29, X + 39, Y - 1))]
    for order in ((0, 1), (1, 0)):
        path = tmp_path / f"t{order[0]}.gpkg"
        gpd.GeoDataFrame({"code": [rows[k][0] for k in order]}, crs=32633,
                         geometry=[rows[k][1] for k in order]).to_file(path)
        pairs = counted(mapped, path, pixel_rule="all_touched")
        assert pairs.counts.loc["1"].tolist() == [6, 6]
        assert any("3 pixels are touched by polygons of different" in n for n in pairs.notes)


def test_points_of_two_classes_in_one_pixel(write_raster, tmp_path):
    mapped, path = write_raster("m.tif", np.ones((2, 2), np.uint8)), tmp_path / "p.gpkg"
    gpd.GeoDataFrame({"code": [1, 2, 1, 1, 2]}, crs=32633, geometry=[
        centre(0, 0), centre(0, 0), centre(0, 1), centre(0, 1), centre(1, 1)]).to_file(path)
    pairs = counted(mapped, path)
    assert pairs.counts.loc["1"].tolist() == [1, 1]
    assert pairs.dropped == {"claimed_by_two_classes": 1, "sharing_a_pixel": 2}
    assert counted(mapped, path, overlaps="first").counts.loc["1"].tolist() == [2, 1]
    assert counted(mapped, path, overlaps="last").counts.loc["1"].tolist() == [1, 2]


@pytest.mark.parametrize("name", ["id", "fid_2", "n_labellers", "count", "observers", "classCount"])
def test_an_identifier_or_a_count_is_not_taken_for_classes(write_raster, tmp_path, name):
    """Row 6 of the cases: refused, with the way on; following it works at the first try."""
    mapped, path = write_raster("m.tif", np.array([[1, 2]], np.uint8)), tmp_path / "p.gpkg"
    gpd.GeoDataFrame({name: [1, 2], "text": ["a", "b"]}, crs=32633,
                     geometry=[centre(0, 0), centre(0, 1)]).to_file(path)
    with pytest.raises(InputError, match=f"'{name}', which may be an identifier or a count; name "
                                         "the one with the class codes by --column"):
        open_reference(path)
    assert counted(mapped, path, column=name).counts.to_numpy().tolist() == [[1, 0], [0, 1]]


def test_the_one_column_named_like_classes_is_taken(write_raster, tmp_path):
    path = tmp_path / "p.gpkg"
    write = partial(gpd.GeoDataFrame, geometry=[centre(0, 0), centre(0, 1)], crs=32633)
    write({"id": [1, 2], "klasa": [1, 2], "year": [2020, 2021]}).to_file(path)
    reference = open_reference(path)
    assert (reference.column, reference.why) == (
        "klasa", "its only column of whole numbers that is named like classes")
    write({"klasa": [1, 2], "label": [1, 2]}).to_file(path)
    with pytest.raises(InputError, match="2 columns \\(klasa, label\\) of whole numbers"):
        open_reference(path)
