"""Properties that hold for any input: scenes, matrices, tiles, registries and tables of numbers."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from rasterio.windows import Window
from shapely.geometry import LineString, Point, Polygon, box

from lulc_lib.accuracy import as_confusion, from_reference_rows, overall_accuracy, per_class
from lulc_lib.accuracy.assess import Comparison, assess, read_areas, read_comparison, read_names
from lulc_lib.data import open_scene
from lulc_lib.data.scenes import BANDS, windows
from lulc_lib.errors import InputError
from lulc_lib.sites import read_registries
from lulc_lib.sites.layers import LAYERS
from lulc_lib.unet.predict import tiles, within

CRS, X, Y = "EPSG:32633", 586_000, 5_650_000
LABELS = ["water", "pit, open", "Żwir", "4", "a;b"]
some = settings(deadline=None, max_examples=25, derandomize=True)
many = settings(deadline=None, max_examples=100, derandomize=True)


@pytest.fixture(scope="module", autouse=True)
def folder():
    """One folder for all examples of this module: hypothesis and tmp_path do not go together."""
    with TemporaryDirectory() as place:
        yield Path(place)


# --- tables ---------------------------------------------------------------------------------

numbers = st.sampled_from(["1", "2", "40", "0", "-3", "1e3", "1.5", "nan", "", "1 000", "9" * 30])
words = st.sampled_from(["true", "predicted", "label", "count", "A", "B", "map/reference", "TP",
                         "TN", "FP", "FN", "Total", "area", "\ufeffA", "\x00", '"', "'A'", "#"])
cells = st.lists(st.lists(numbers | words | st.text(max_size=4), max_size=5), max_size=6)
tables = st.builds(lambda rows, comma, end: end.join(comma.join(r) for r in rows), cells,
                   st.sampled_from(",;\t |"), st.sampled_from(["\n", "\r\n", "\r"]))
contents = (tables.map(lambda t: t.encode("utf-8", "replace")) | st.binary(max_size=80)
            | tables.map(lambda t: t.encode("utf-16", "replace")))


@given(contents, st.sampled_from([None, "map", "reference"]))
@many
def test_any_bytes_are_counts_or_an_input_error(folder, content, rows):
    path = folder / "any.csv"
    path.write_bytes(content)
    with suppress(InputError):
        read = read_comparison(path, rows)
        assert isinstance(read, Comparison) and read.n >= 0
        assert (read.counts.to_numpy() >= 0).all() and read.counts.index.is_unique
        assert read.counts.sum(axis=1).nunique() == 1
        assess(read)


@given(contents | st.recursive(st.none() | st.integers() | st.text(max_size=3),
                               lambda inner: st.lists(inner, max_size=3)
                               | st.dictionaries(st.text(max_size=2), inner, max_size=3)
                               ).map(lambda value: json.dumps(value).encode()))
@many
def test_any_bytes_are_names_and_areas_or_an_input_error(folder, content):
    path = folder / "any"
    path.write_bytes(content)
    comparison = Comparison.of_matrix(as_confusion([[5, 1], [2, 7]], ["1", "2"]), "test")
    with suppress(InputError):
        named = read_names(path, comparison).labels
        assert len(set(named)) == 2
    with suppress(InputError):
        areas = read_areas(path, {"1": "1", "2": "2"})
        assert all(0 <= a < float("inf") for a in areas.values())


matrices = st.integers(2, 5).flatmap(lambda n: st.lists(
    st.lists(st.integers(0, 10**6), min_size=n, max_size=n), min_size=n, max_size=n)).filter(
    lambda m: np.sum(m) > 0)


@given(matrices, st.sampled_from(",;\t"), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
       st.sampled_from(["map", "reference"]))
@many
def test_a_matrix_is_the_same_in_every_dress(folder, matrix, comma, encoding, rows):
    counts, labels = np.array(matrix), [f"class {k}" for k in range(len(matrix))]
    laid = counts if rows == "map" else counts.T
    lines = [["", *labels], *([label, *map(str, row)]
                              for label, row in zip(labels, laid.tolist(), strict=True))]
    path = folder / "dressed.csv"
    path.write_text("\n".join(comma.join(line) for line in lines), encoding)
    read = read_comparison(path, rows)
    assert read.labels == labels and read.matrix.to_numpy().tolist() == counts.tolist()


@given(matrices, st.randoms(use_true_random=False))
@many
def test_the_order_of_classes_and_the_side_of_the_map_change_no_metric(matrix, random):
    labels = list("abcde")[:len(matrix)]
    one = as_confusion(matrix, labels)
    order = random.sample(labels, len(labels))
    other = as_confusion(one.loc[order, order].to_numpy(), order)
    assert overall_accuracy(one) == pytest.approx(overall_accuracy(other), nan_ok=True)
    np.testing.assert_allclose(per_class(one).loc[order].to_numpy(float),
                               per_class(other).to_numpy(float))
    turned = from_reference_rows(one.to_numpy().T, labels)
    assert turned.to_numpy().tolist() == one.to_numpy().tolist()


# --- tiles and windows ----------------------------------------------------------------------

@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 4), st.integers(1, 3),
       st.integers(0, 3))
@many
def test_tiles_part_a_scene_and_see_the_margin_around_them(rows, cols, high, depth, margin):
    step = 2**depth
    model = SimpleNamespace(depth=depth, margin=margin * step)
    seen = np.zeros((rows, cols), int)
    for core, window in tiles(model, rows, cols, high * step):
        seen[core] += 1
        inner = within(window, core)
        for size, part, whole, inside in zip((rows, cols), core, window, inner, strict=True):
            assert part.start % step == 0
            assert whole.start == max(part.start - margin * step, 0)
            assert whole.stop == min(part.stop + margin * step, size)
            assert (inside.start + whole.start, inside.stop + whole.start) == (part.start,
                                                                               part.stop)
    assert (seen == 1).all()


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 20), st.integers(1, 70),
       st.integers(1, 3000))
@many
def test_windows_part_a_raster(rows, cols, high, wide, pixels):
    seen = np.zeros((rows, cols), int)
    for window in windows((rows, cols), (min(high, rows), min(wide, cols)), pixels):
        seen[window.toslices()] += 1
    assert (seen == 1).all()


# --- scenes ---------------------------------------------------------------------------------

@given(st.permutations(range(13)), st.booleans(), st.sampled_from(["uint16", "int32", "float64"]),
       st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
@some
def test_bands_are_found_by_name_wherever_they_stand(folder, order, padded, dtype, rows, cols,
                                                     seed):
    """Thirteen bands in any order, those that are not used among them; DN 0 stays no data."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 9000, (13, rows, cols))
    values[:, 0, 0] = 4321
    names = [*(b if padded else b.replace("B0", "B") for b in BANDS), "B01", "B09", "SCL"]
    path = folder / "scene.tif"
    with rasterio.open(path, "w", driver="GTiff", count=13, dtype=dtype, crs=CRS, height=rows,
                       width=cols, transform=from_origin(X, Y, 10, 10)) as file:
        for number, band in enumerate(order, 1):
            file.write(values[band].astype(dtype), number)
            file.set_band_description(number, names[band])
    with open_scene(path) as scene:
        assert scene.shape == (rows, cols)
        read = scene.read(Window(0, 0, cols, rows))
        part = scene.read(Window(cols // 2, rows // 3, cols - cols // 2, rows - rows // 3))
    np.testing.assert_array_equal(read, values[:10])
    np.testing.assert_array_equal(part, values[:10, rows // 3:, cols // 2:])


# --- registries -----------------------------------------------------------------------------

corners = st.tuples(st.integers(-500, 1500), st.integers(-500, 1500))
shapes = st.one_of(
    st.none(), st.just(Polygon()), st.builds(Polygon, st.just([(0, 0)] * 4)),
    corners.map(lambda c: Point(X + c[0], Y + c[1])),
    st.lists(corners, min_size=2, max_size=3).map(
        lambda line: LineString([(X + x, Y + y) for x, y in line])),
    st.lists(corners, min_size=3, max_size=6).map(
        lambda ring: Polygon([(X + x, Y + y) for x, y in ring])))


@given(st.lists(shapes, min_size=1, max_size=6),
       st.sampled_from(["deposits", "mining_areas", "corine", "osm_quarries"]), st.booleans())
@some
def test_any_shapes_are_valid_areas_or_said(folder, drawn, layer, near):
    place = folder / "registries"
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    table = gpd.GeoDataFrame({"NAZWA": [f"n{k}" for k in range(len(drawn))],
                              "code_18": ["131"] * len(drawn)}, geometry=drawn, crs=CRS)
    table.to_file(place / f"{layer}.gpkg", geometry_type="Unknown")
    bounds = (X, Y, X + 1000, Y + 1000) if near else None
    try:
        read = read_registries(place, CRS, bounds)
    except InputError as error:
        assert layer in str(error)
        return
    kept = read.present[layer]
    nowhere = sum(s is None or s.is_empty or s.bounds == (0, 0, 0, 0) for s in drawn)
    lost = sum(s is None or s.bounds == (0, 0, 0, 0) or shapely.make_valid(s).area == 0
               for s in drawn)
    assert (nowhere if bounds else lost) <= read.unplaced.get(layer, 0) <= lost
    assert len(kept) + nowhere <= len(drawn)
    assert kept.is_valid.all() and (kept.area > 0).all()
    assert set(kept.geom_type) <= {"Polygon", "MultiPolygon"}
    sound = [s for s in drawn if isinstance(s, Polygon) and s.is_valid and s.area]
    if bounds:
        sound = [s for s in sound if s.intersects(box(*bounds))]
    else:
        assert all(any(s.equals(k) for k in kept.geometry) for s in sound)
    assert len(kept) >= len({s.normalize().wkb for s in sound})


@given(contents)
@many
def test_any_bytes_are_points_or_an_input_error(folder, content):
    place = folder / "points"
    place.mkdir(exist_ok=True)
    (place / "monitoring_points.csv").write_bytes(content)
    with suppress(InputError):
        read = read_registries(place, CRS)
        assert set(read.present) == {"monitoring_points"} <= set(LAYERS)
        assert set(read.monitoring_points.geom_type) <= {"Point"}


def test_the_examples_are_not_all_refused(folder):
    """The tables that are drawn hold some that are read: else the properties would say little."""
    path, read = folder / "some.csv", 0
    grid = [["true", "predicted"], ["A", "B"], ["A", "A"]]
    for comma, end in itertools.product(",;\t", ["\n", "\r\n"]):
        path.write_text(end.join(comma.join(row) for row in grid))
        read += read_comparison(path).n == 2
    assert read == 6
