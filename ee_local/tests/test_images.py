"""Images of the local Earth Engine against numpy, rasterio and scipy on the same pixels."""

import ee
import numpy as np
import pytest
import rasterio
import rasterio.warp
from ee_local.grid import Grid, Projection
from ee_local.pyramids import StoredBand
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_engine import (
    COLLECTION,
    COLS,
    EAST,
    EE_BANDS,
    EPSG,
    NORTH,
    ROWS,
    box,
    centre,
    scene_grid,
)
from rasterio.features import rasterize
from rasterio.transform import from_origin
from scipy import ndimage
from shapely.geometry import Point


def filled(values):
    """What a masked pixel is in an answer: 0."""
    return np.nan_to_num(values)


def same(found, expected, **tolerance):
    np.testing.assert_allclose(found, filled(expected), **{"rtol": 1e-6, **tolerance})


def test_a_scene_says_what_it_is(engine):
    info = engine.image().getInfo()
    assert info["type"] == "Image" and info["id"].startswith(f"{COLLECTION}/20230709_T33UWS")
    assert [b["id"] for b in info["bands"]] == EE_BANDS
    assert info["bands"][0] == {
        "id": "B2", "data_type": {"type": "PixelType", "precision": "int", "min": 0, "max": 65535},
        "dimensions": [COLS, ROWS], "crs": f"EPSG:{EPSG}",
        "crs_transform": [10, 0, EAST, 0, -10, NORTH]}
    properties = info["properties"]
    assert properties["system:time_start"] == 1_688_860_800_000
    assert properties["system:time_end"] - properties["system:time_start"] == 86_399_999
    assert properties["MGRS_TILE"] == "33UWS"
    assert "CLOUD_COVERAGE_ASSESSMENT" not in properties  # the file does not tell
    assert engine.image().get("CLOUD_COVERAGE_ASSESSMENT").getInfo() is None


def test_pixels_are_the_files_digital_numbers_without_the_offset(engine):
    found = engine.pixels(engine.image())
    assert found.dtype.names == tuple(EE_BANDS) and found["B2"].dtype == np.uint16
    for name in EE_BANDS:
        same(found[name], engine.band(name))


def test_masks_are_those_of_each_band(engine):
    found = engine.pixels(engine.image().mask())
    for name in ("B2", "B11"):
        np.testing.assert_array_equal(found[name], np.isfinite(engine.band(name)))
    assert found["B2"].sum() - found["B11"].sum() == COLS - 1


def test_select_rename_add(engine):
    image = engine.image()
    assert image.select(["B[23]", "B8A"]).bandNames().getInfo() == ["B2", "B3", "B8A"]
    assert image.select([0, -1], ["a", "b"]).bandNames().getInfo() == ["a", "b"]
    assert image.select("B2").rename("x").addBands(image.select("B3")).bandNames().getInfo() == [
        "x", "B3"]
    twice = image.select("B2").addBands(image.select("B2")).bandNames()
    assert twice.getInfo() == ["B2", "B2_1"]
    over = image.addBands(ee.Image(7).rename("B2"), overwrite=True).select("B2")
    assert (engine.pixels(over)["B2"] == 7).all()
    assert ee.Image([1, 2]).bandNames().getInfo() == ["constant", "constant_1"]
    assert ee.Image.cat([1, image.select("B4")]).bandNames().getInfo() == ["constant", "B4"]


@pytest.mark.parametrize("broken, words", [
    (lambda i: i.select("B1"), r"Band pattern 'B1' did not match any bands. Available bands: \[B2"),
    (lambda i: i.select(["B2"], ["a", "b"]), "1 bands are selected but 2"),
    (lambda i: i.select(12), "out of range"), (lambda i: i.rename(["a"]), "10 bands"),
    (lambda i: i.select(["B2", "B3"]).rename(["x", "x"]), "two bands named 'x'"),
    (lambda i: i.select(["B2", "B3"]).add(i.select(["B2", "B3", "B4"])), "Got 2 and 3"),
    (lambda i: i.normalizedDifference(["B8", "nir"]), "nir"),
    (lambda i: i.expression("b('B2') +"), "the end"),
    (lambda i: i.expression("b('B2') $ 3"), "cannot be read"),
    (lambda i: i.expression("x + 1"), "'x'"), (lambda i: i.expression("(b(0)"), "missing"),
    (lambda i: i.expression("frob(b(0))"), "Image.frob"),
    (lambda i: i.remap([1, 2], [1]), "'from' has 2"), (lambda i: i.resample("cubic"), "cubic"),
    (lambda i: i.reproject("EPSG:1"), "EPSG:1"), (lambda i: i.reproject("EPSG:32633", [1, 2]), "6"),
    (lambda i: i.reproject("/etc/passwd"), "could not be parsed"),
    (lambda i: i.reproject('PROJCS["x",EXTENSION["PROJ4","+nadgrids=/etc/passwd"]]'),
     "could not be parsed"),
    (lambda i: i.reduceRegion(ee.Reducer.mean(), scale=-1), "scale is -1"),
    (lambda i: ee.Image("COPERNICUS/S2/x"), "is not in the local catalogue; it holds COPERNICUS"),
    (lambda i: ee.Image("COPERNICUS/CORINE/V20/100m/2018"), "not in the local catalogue"),
    (lambda i: ee.ImageCollection("LANDSAT/LC08").first(), "not in the local catalogue"),
    (lambda i: ee.FeatureCollection("users/a/b").first(), "not in the local catalogue"),
    (lambda i: ee.Image("../../img_train/x.tif"), "not in the local catalogue"),
    (lambda i: i.visualize(bands=["B2", "B3"]), "1 or 3"),
    (lambda i: i.visualize(bands=["B2"], palette=["nocolour"]), "nocolour"),
    (lambda i: i.convolve(ee.Kernel.square(500)), "500"),
    (lambda i: i.updateMask(i.select(["B2", "B3"])), "2 bands")])
def test_what_cannot_be_is_named(engine, broken, words):
    with pytest.raises(ee.EEException, match=words):
        found = broken(engine.image())
        if isinstance(found, ee.Image):
            engine.pixels(found)
        found.getInfo()


BINARY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "max": np.maximum, "min": np.minimum, "mod": np.fmod, "hypot": np.hypot, "eq": np.equal,
    "neq": np.not_equal, "lt": np.less, "lte": np.less_equal, "gt": np.greater,
    "gte": np.greater_equal, "And": np.logical_and, "Or": np.logical_or,
    "firstNonZero": lambda a, b: np.where(a != 0, a, b),
    "bitwiseAnd": lambda a, b: a.astype(int) & b.astype(int)}


def test_two_bands(engine):
    a, b = engine.band("B8"), engine.band("B11")
    image = engine.image()
    one, two = image.select("B8"), image.select("B11")
    layers = ee.Image.cat([getattr(one, n)(two).toDouble().rename(n) for n in BINARY])
    found = engine.pixels(layers)
    there = np.isfinite(a) & np.isfinite(b)
    for name, compute in BINARY.items():
        x, y = np.nan_to_num(a, nan=1), np.nan_to_num(b, nan=1)
        same(found[name], np.where(there, compute(x, y), np.nan))


UNARY = {"sqrt": np.sqrt, "log": np.log, "exp": np.exp, "floor": np.floor, "ceil": np.ceil,
         "round": lambda v: np.floor(v + 0.5), "abs": np.abs, "sin": np.sin, "signum": np.sign,
         "Not": np.logical_not, "atan": np.arctan, "cbrt": np.cbrt, "log10": np.log10}


def test_one_band(engine):
    values = engine.band("B4") / 1000 - 1
    scaled = engine.image().select("B4").divide(1000).subtract(1)
    found = engine.pixels(ee.Image.cat([getattr(scaled, n)().rename(n) for n in UNARY]))
    for name, compute in UNARY.items():
        with np.errstate(all="ignore"):
            expected = compute(np.nan_to_num(values)).astype(float)
        expected[~np.isfinite(expected) | ~np.isfinite(values)] = np.nan
        same(found[name], expected)


def test_casts_cut_and_types_are_told(engine):
    scaled = engine.image().select("B8").divide(7).subtract(100)
    expected = engine.band("B8") / 7 - 100
    found = engine.pixels(ee.Image.cat([scaled.toByte().rename("b"), scaled.toInt16().rename("i"),
                                        scaled.toFloat().rename("f")]))
    same(found["b"], np.clip(np.trunc(expected), 0, 255))
    same(found["i"], np.trunc(expected))
    assert [found.dtype[n] for n in "bif"] == [np.uint8, np.int16, np.float32]
    types = engine.image().select("B2").add(1).bandTypes().getInfo()["B2"]
    assert (types["precision"], types["min"], types["max"]) == ("int", 1, 65536)


def test_the_normalised_difference(engine):
    red, nir = engine.band("B4"), engine.band("B8")
    found = engine.pixels(engine.image().normalizedDifference(["B8", "B4"]))
    same(found["nd"], (nir - red) / (nir + red), rtol=1e-5)
    expression = engine.image().expression(
        "(nir - b('B4')) / (nir + red.B4)", {"nir": engine.image().select("B8"),
                                             "red": engine.image()})
    same(engine.pixels(expression.rename("x"))["x"], (nir - red) / (nir + red), rtol=1e-6)
    negative = ee.Image([-1, 2]).rename(["a", "b"]).normalizedDifference()
    assert (engine.pixels(negative.mask().rename("m"))["m"] == 0).all()


@pytest.mark.parametrize("text, compute", [
    ("b('B2') * 2 + b(1) / 4 - 3", lambda a, b: a * 2 + b / 4 - 3),
    ("-b('B2') ** 2", lambda a, b: -(a**2)), ("b(0) > 1000 ? b(1) : -1.5e0",
                                             lambda a, b: np.where(a > 1000, b, -1.5)),
    ("b(0) > b(1) && !(b(0) % 2 == 0) || b(1) <= 200",
     lambda a, b: ((a > b) & (a % 2 != 0)) | (b <= 200)),
    ("max(b(0), b(1)) + sqrt(b(0))", lambda a, b: np.maximum(a, b) + np.sqrt(a)),
    ("b(0) + b(1) * b(0) - 1", lambda a, b: a + b * a - 1), ("2 + 3", lambda a, b: 0 * a + 5)])
def test_expressions(engine, text, compute):
    image = engine.image().select(["B2", "B3"])
    found = engine.pixels(image.expression(text).updateMask(image.select(0).mask()).toDouble()
                          .rename("x"))["x"]
    with np.errstate(invalid="ignore"):
        same(found, np.where(np.isfinite(engine.band("B2")),
                             compute(engine.band("B2"), engine.band("B3")), np.nan))


def test_choosing_between_images(engine):
    image, green = engine.image().select("B2"), engine.band("B3")
    blue = engine.band("B2")
    dark = engine.image().select("B3").lt(1000)
    found = engine.pixels(ee.Image.cat([
        image.where(dark, -5).toInt16().rename("where"), image.updateMask(dark).rename("mask"),
        image.updateMask(dark).unmask(9).rename("fill"), dark.selfMask().rename("self"),
        image.remap([int(np.nanmax(blue))], [3], 1).rename("remap"),
        image.remap([int(np.nanmax(blue))], [3]).unmask(0).rename("only")]))
    there = np.isfinite(blue)
    isdark = there & (np.nan_to_num(green, nan=9999) < 1000)
    same(found["where"], np.where(there, np.where(isdark, -5, blue), np.nan))
    same(found["mask"], np.where(isdark, blue, np.nan))
    same(found["fill"], np.where(isdark, blue, 9))
    same(found["self"], isdark.astype(float))
    same(found["remap"], np.where(there, np.where(blue == np.nanmax(blue), 3, 1), np.nan))
    same(found["only"], (blue == np.nanmax(blue)) * 3.0)


def test_images_in_others_coordinates_are_nearest_pixels(engine):
    """Against rasterio's own nearest-neighbour warp."""
    west, north = centre(5, 8)
    target = from_origin(west, north, 0.0002, 0.00015)
    grid = {"crsCode": "EPSG:4326", "dimensions": {"width": 30, "height": 30},
            "affineTransform": {"scaleX": 0.0002, "translateX": west, "scaleY": -0.00015,
                                "translateY": north}}
    expected = np.zeros((30, 30))
    rasterio.warp.reproject(
        np.nan_to_num(engine.band("B4")), expected, src_crs=f"EPSG:{EPSG}", dst_crs="EPSG:4326",
        src_transform=from_origin(EAST, NORTH, 10, 10), dst_transform=target,
        resampling=rasterio.enums.Resampling.nearest, tolerance=0)
    found = engine.pixels(engine.image().select("B4"), grid)["B4"]
    assert 200 < (expected > 0).sum() < 900  # partly outside the scene
    np.testing.assert_array_equal(found, expected)


def test_coarser_pixels_are_means_of_valid_ones(engine):
    values = engine.band("B8")
    found = engine.pixels(engine.image().select("B8"), scene_grid(COLS // 2, ROWS // 2, pixel=20.0))
    with np.errstate(invalid="ignore"):
        blocks = values.reshape(ROWS // 2, 2, COLS // 2, 2)
        mean = np.nanmean(blocks, axis=(1, 3))
    same(found["B8"], np.floor(mean + 0.5))


def test_finer_pixels_repeat(engine):
    found = engine.pixels(engine.image().select("B8"), scene_grid(20, 20, 5, 5, pixel=5.0))["B8"]
    same(found, np.kron(engine.band("B8")[5:15, 5:15], np.ones((2, 2))))


def test_reprojection_fixes_the_pixels(engine):
    image = engine.image().select("B8").reproject(f"EPSG:{EPSG}", None, 20)
    assert image.projection().nominalScale().getInfo() == 20
    found = engine.pixels(image)["B8"]
    # a grid at 20 m has its origin at the coordinates' 0: no multiple of 20 m is crossed
    coarse = engine.pixels(engine.image().select("B8"), scene_grid(26, 21, -EAST % 20 / -10,
                                                                   NORTH % 20 / -10, pixel=20.0))
    column = ((np.arange(COLS) * 10 + EAST % 20) // 20).astype(int)
    row = ((np.arange(ROWS) * 10 + (-NORTH) % 20) // 20).astype(int)
    assert EAST % 20 == 0
    top = NORTH + (-NORTH) % 20
    shifted = scene_grid(26, 21, pixel=20.0)
    shifted["affineTransform"]["translateY"] = top
    coarse = engine.pixels(engine.image().select("B8"), shifted)["B8"]
    np.testing.assert_array_equal(found, coarse[np.ix_(row, column)])


def test_bilinear_values_lie_between(engine):
    values = engine.band("B8")
    grid = scene_grid(10, 8, 5, 5)
    grid["affineTransform"]["translateX"] += 2.5
    found = engine.pixels(engine.image().select("B8").resample("bilinear"), grid)["B8"]
    part = values[5:13, 5:16]
    same(found, 0.75 * part[:, :-1] + 0.25 * part[:, 1:])


def test_clipping_keeps_pixels_whose_centre_is_inside(engine):
    area = ee.Geometry.Point(centre(20, 25)).buffer(96.5)
    found = engine.pixels(engine.image().select("B2").clip(area).mask())["B2"]
    disc = Point(EAST + 255, NORTH - 205).buffer(96.5, quad_segs=64)
    expected = rasterize([disc], (ROWS, COLS), transform=from_origin(EAST, NORTH, 10, 10))
    np.testing.assert_array_equal(found, expected)
    square = engine.pixels(engine.image().select("B2").clip(box(3, 4, 5, 6)).mask())["B2"]
    assert square[3:8, 4:10].all() and square.sum() == 30


def test_where_the_pixels_are(engine):
    found = engine.pixels(ee.Image.pixelLonLat().addBands(ee.Image.pixelArea()))
    lon, lat = centre(7, 9)
    assert found["longitude"][7, 9] == pytest.approx(lon, abs=1e-9)
    assert found["latitude"][7, 9] == pytest.approx(lat, abs=1e-9)
    # the transverse Mercator scale near the central meridian's edge: 100 m² within 0.1 %
    assert found["area"] == pytest.approx(np.full((ROWS, COLS), 100), rel=1.5e-3)
    geodesic = engine.pixels(ee.Image.pixelArea())["area"][7, 9]
    assert box(7, 9, 1, 1).area().getInfo() == pytest.approx(geodesic, rel=1e-6)


def test_mosaics_and_statistics_over_time(engine):
    early, late = (engine.band("B4", d) for d in ("2022-06-19", "2023-07-09"))
    both = ee.ImageCollection(COLLECTION).select("B4")
    layers = ee.Image.cat([
        both.mosaic().rename("mosaic"), both.mean().rename("mean"), both.max().rename("max"),
        both.median().rename("median"), both.count().rename("count"), both.sum().rename("sum"),
        both.reduce(ee.Reducer.stdDev()).rename("std"), both.toBands().select(0).rename("first"),
        both.map(lambda i: i.addBands(i.metadata("system:time_start").rename("t")))
            .qualityMosaic("t").select("B4").rename("quality")])
    found = engine.pixels(layers)
    stack = np.stack([early, late])
    with np.errstate(invalid="ignore"):
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            same(found["mean"], np.nanmean(stack, axis=0))
            same(found["std"], np.nanstd(stack, axis=0))
            same(found["max"], np.nanmax(stack, axis=0))
            same(found["median"], np.nanmedian(stack, axis=0))
    same(found["mosaic"], late)
    same(found["quality"], late)
    same(found["first"], early)
    same(found["count"], np.isfinite(stack).sum(axis=0))


def test_bands_reduced(engine):
    image = engine.image().select(["B2", "B3", "B4"])
    found = engine.pixels(image.reduce(ee.Reducer.mean()))
    same(found["mean"], np.mean([engine.band(b) for b in ("B2", "B3", "B4")], axis=0))


def test_neighbours(engine):
    values = engine.band("B8")
    image = engine.image().select("B8")
    disc = np.hypot(*np.mgrid[-1:2, -1:2]) <= 1.5
    found = engine.pixels(ee.Image.cat([
        image.focalMax(1.5).rename("max"), image.focalMedian(1, "square").rename("median"),
        image.convolve(ee.Kernel.square(1)).rename("mean"),
        image.reduceNeighborhood(ee.Reducer.stdDev(), ee.Kernel.square(1)).rename("std"),
        image.convolve(ee.Kernel.fixed(3, 3, [[0, 0, 0], [0, -1, 1], [0, 0, 0]])).rename("step")]))
    inner = np.s_[2:-2, 3:-2]  # away from masked pixels
    footprint = np.ones((3, 3))
    plain = np.nan_to_num(values)
    same(found["max"][inner], ndimage.maximum_filter(plain, footprint=disc)[inner])
    same(found["median"][inner], ndimage.median_filter(plain, footprint=footprint)[inner])
    same(found["mean"][inner], ndimage.uniform_filter(plain, 3)[inner])
    same(found["std"][inner], ndimage.generic_filter(plain, np.std, 3)[inner])
    same(found["step"][inner], (np.roll(plain, -1, axis=1) - plain)[inner])


def test_arrays_in_pixels(engine):
    image = engine.image().select(["B2", "B3"])
    found = engine.pixels(image.toArray().arrayFlatten([["x", "y"]]))
    same(found["x"], engine.band("B2"))
    same(found["y"], engine.band("B3"))
    largest = engine.pixels(image.toArray().arrayArgmax().arrayGet(0))["array"]
    same(largest, (engine.band("B3") > engine.band("B2")).astype(float))


def test_random_pixels_depend_on_seed_and_place(engine):
    one, two, other = (engine.pixels(ee.Image.random(s))["random"] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).mean() > 0.99 and 0 <= one.min() and one.max() < 1
    assert one.mean() == pytest.approx(0.5, abs=0.05) and len(np.unique(one)) == one.size
    part = engine.pixels(ee.Image.random(1), scene_grid(4, 3, 7, 5))["random"]
    np.testing.assert_array_equal(part, one[5:8, 7:11])


def test_painted_features(engine):
    items = ee.FeatureCollection([ee.Feature(box(2, 3, 4, 5), {"v": 7}),
                                  ee.Feature(box(20, 30, 2, 2), {"v": 9})])
    expected = np.zeros((ROWS, COLS))
    expected[2:6, 3:8], expected[20:22, 30:32] = 7, 9
    painted = engine.pixels(ee.Image(0).toByte().paint(items, "v"))["constant"]
    np.testing.assert_array_equal(painted, expected)
    drawn = items.reduceToImage(["v"], ee.Reducer.first()).unmask(0)
    np.testing.assert_array_equal(engine.pixels(drawn)["first"], expected)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 5), st.data())
def test_a_pyramid_is_a_mean_of_means_and_never_leaves_the_range(rows, cols, level, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    values = rng.integers(0, 1000, (rows, cols)).astype(float)
    mask = rng.random((rows, cols)) < 0.8
    band = StoredBand(Projection("EPSG:32633", (10, 0, 0, 0, -10, 0)), lambda: (values, mask))
    size = 10 * 2**level
    grid = Grid(Projection("EPSG:32633", (size, 0, 0, 0, -size, 0)), -(-cols // 2**level),
                -(-rows // 2**level))
    found = band.read(grid)
    padded = np.zeros((grid.height * 2**level, grid.width * 2**level), dtype=bool)
    padded[:rows, :cols] = mask
    blocks = padded.reshape(grid.height, 2**level, grid.width, 2**level)
    np.testing.assert_array_equal(found.mask, blocks.any(axis=(1, 3)))
    if mask.any():
        assert values[mask].min() <= found.values[found.mask].min()
        assert found.values[found.mask].max() <= values[mask].max()
