"""Pictures, tiles and files of the local Earth Engine, read back and compared with the data."""

import io
import math
import zipfile

import ee
import geemap
import ipyleaflet
import numpy as np
import pytest
import rasterio
import rasterio.warp
import requests
from ee_local.rendering import tile_grid
from local_engine import (
    COLS,
    EAST,
    EPSG,
    NORTH,
    ROWS,
    box,
    centre,
    scene_grid,
)
from rasterio.io import MemoryFile
from rasterio.transform import from_bounds, from_origin

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def read(body):
    """(band, row, col) of a picture or GeoTIFF."""
    with MemoryFile(body) as memory, memory.open() as source:
        return source.read()


def fetch(url):
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def stretched(values, low, high, gamma=1.0):
    share = np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1) ** (1 / gamma)
    return np.floor(share * 255 + 0.5)


def picture(engine, image, **options):
    return read(ee.data.computePixels({"expression": image, "fileFormat": "PNG",
                                       "grid": scene_grid(), **options}))


def test_true_colours(engine):
    shown = engine.image().visualize(bands=["B4", "B3", "B2"], min=[100, 200, 300], max=3000,
                                     gamma=[1, 1.5, 2])
    assert shown.bandNames().getInfo() == ["vis-red", "vis-green", "vis-blue"]
    found = picture(engine, shown)
    valid = np.isfinite(engine.band("B4"))
    for k, (name, low, gamma) in enumerate((("B4", 100, 1), ("B3", 200, 1.5), ("B2", 300, 2))):
        expected = np.where(valid, stretched(engine.band(name), low, 3000, gamma), 0)
        np.testing.assert_array_equal(found[k], expected)
    np.testing.assert_array_equal(found[3], valid * 255)


def test_palettes_give_whole_classes_their_own_colours(engine):
    colours = ["#135b44", "ff320d", "1c74f3"]
    classes = engine.image().select("B8").gt(1000).add(engine.image().select("B8").gt(3800)).add(1)
    found = picture(engine, classes.visualize(min=1, max=3, palette=colours))
    values = 1 + (engine.band("B8") > 1000) + (engine.band("B8") > 3800)
    table = np.array([[0x13, 0x5B, 0x44], [0xFF, 0x32, 0x0D], [0x1C, 0x74, 0xF3]])
    valid = np.isfinite(engine.band("B8"))
    for k in range(3):
        np.testing.assert_array_equal(found[k][valid], table[values[valid] - 1, k])
    mixed = picture(engine, ee.Image(0.25).visualize(palette=["000000", "ffffff", "ff0000"]))
    assert mixed[:, 0, 0].tolist() == [128, 128, 128, 255]


def test_grey_gain_opacity_and_defaults(engine):
    nir = engine.image().select("B8")
    grey = picture(engine, nir.visualize(min=0, max=5000))
    np.testing.assert_array_equal(grey[0], np.where(np.isfinite(engine.band("B8")),
                                                    stretched(engine.band("B8"), 0, 5000), 0))
    gain = picture(engine, nir.visualize(gain=0.05, bias=10))
    np.testing.assert_array_equal(gain[0][5, 5:], np.clip(np.floor(
        engine.band("B8")[5, 5:] * 0.05 + 10 + 0.5), 0, 255))
    half = picture(engine, nir.visualize(min=0, max=5000, opacity=0.5))
    assert set(np.unique(half[3])) == {0, 128}
    plain = picture(engine, engine.image().select("B8"),
                    visualizationOptions={"ranges": [{"min": 0, "max": 5000}]})
    np.testing.assert_array_equal(plain, grey)
    red = picture(engine, nir, visualizationOptions={
        "ranges": [{"min": 0, "max": 1}], "paletteColors": ["ff0000", "ff0000"]})
    assert red[:, 5, 5].tolist() == [255, 0, 0, 255]


def lonlat_to_tile(lon, lat, zoom):
    n = 2**zoom
    return (int((lon + 180) / 360 * n),
            int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * n))


def tile_bounds(zoom, col, row):
    half = 20037508.342789244
    size = 2 * half / 2**zoom
    return (col * size - half, half - (row + 1) * size, (col + 1) * size - half, half - row * size)


@pytest.mark.parametrize("zoom", [16, 17])
def test_tiles_show_the_scene_where_it_is(engine, zoom):
    """Against rasterio's nearest-neighbour warp to the web map's coordinates."""
    col, row = lonlat_to_tile(*centre(20, 25), zoom)
    mapped = engine.image().getMapId({"bands": ["B8"], "min": 0, "max": 6000})
    found = read(fetch(mapped["tile_fetcher"].format_tile_url(col, row, zoom)).content)
    expected = np.zeros((256, 256))
    rasterio.warp.reproject(
        np.nan_to_num(engine.band("B8")), expected, src_crs=f"EPSG:{EPSG}", dst_crs="EPSG:3857",
        src_transform=from_origin(EAST, NORTH, 10, 10), tolerance=0,
        dst_transform=from_bounds(*tile_bounds(zoom, col, row), 256, 256),
        resampling=rasterio.enums.Resampling.nearest)
    shown = found[3] > 0
    assert shown.any() and (shown != (expected > 0)).mean() < 2e-4  # the two round coordinates
    assert (found[0] != stretched(expected, 0, 6000)).mean() < 2e-4  # in their own ways


def test_tiles_far_away_are_transparent_and_impossible_ones_are_errors(engine):
    mapped = engine.image().getMapId({"bands": ["B8"], "min": 0, "max": 6000})["tile_fetcher"]
    away = read(fetch(mapped.format_tile_url(0, 0, 5)).content)
    assert away.shape == (4, 256, 256) and not away.any()
    whole = read(fetch(mapped.format_tile_url(0, 0, 0)).content)
    assert whole.shape == (4, 256, 256)
    base = mapped.url_format
    for z, x, y in ((3, 8, 0), (3, 0, 9), (30, 0, 0), (99, 0, 0)):
        assert requests.get(base.format(z=z, x=x, y=y), timeout=10).status_code == 404
    assert len(mapped.fetch_tile(0, 0, 3)) > 50


def test_tile_grids_meet():
    left, right = tile_grid(14, 8900, 5500).bounds(), tile_grid(14, 8901, 5500).bounds()
    assert left[2] == pytest.approx(right[0]) and left[1] == pytest.approx(right[1])
    below = tile_grid(14, 8900, 5501).bounds()
    assert left[1] == pytest.approx(below[3])


def test_a_geemap_map_shows_local_tiles(engine):
    """No background map: its tiles would come from the internet."""
    view = geemap.Map(center=centre(20, 25)[::-1], zoom=15, ee_initialize=False,
                      basemap=ipyleaflet.TileLayer(url="", name="none"))
    view.add_layer(engine.image(), {"bands": ["B4", "B3", "B2"], "min": 0, "max": 3000}, "scene")
    places = ee.FeatureCollection([ee.Feature(box(10, 10, 10, 10), {"v": 1})])
    view.add_layer(places, {"color": "ff0000"}, "box")
    urls = {name: view.ee_layers[name]["ee_layer"].url for name in ("scene", "box")}
    assert all(u.startswith(engine.address) for u in urls.values())
    col, row = lonlat_to_tile(*centre(15, 15), 17)
    scene = read(fetch(urls["scene"].format(z=17, x=col, y=row)).content)
    assert scene[:3].std() > 10 and scene[3].max() == 255
    drawn = read(fetch(urls["box"].format(z=17, x=col, y=row)).content)
    alpha = np.unique(drawn[3])
    assert alpha.min() == 0 and 128 in alpha and alpha.max() == 255  # half filled, whole outline
    inside = drawn[:, drawn[3] == 128]
    assert (inside[0] == 255).all() and (inside[1:3] == 0).all()


def test_geemap_reads_pixels(engine):
    found = geemap.ee_to_numpy(engine.image().select(["B2", "B8"]), box(5, 6, 10, 12), 10)
    assert found.shape == (10, 12, 2)
    np.testing.assert_array_equal(found[..., 1], engine.band("B8")[5:15, 6:18])


def test_geemap_exports_a_geotiff(engine, tmp_path, capsys):
    path = tmp_path / "scene.tif"
    geemap.ee_export_image(engine.image().select(["B2", "B8"]), str(path), scale=10,
                           region=box(0, 0, ROWS, COLS), file_per_band=False)
    assert "error" not in capsys.readouterr().out
    with rasterio.open(path) as source:
        assert source.transform == from_origin(EAST, NORTH, 10, 10)
        assert source.crs.to_epsg() == EPSG and source.descriptions == ("B2", "B8")
        assert source.dtypes == ("uint16", "uint16")
        np.testing.assert_array_equal(source.read(2), np.nan_to_num(engine.band("B8")))
        np.testing.assert_array_equal(source.dataset_mask() > 0, np.isfinite(engine.band("B2")))


def test_downloads(engine):
    image = engine.image().select(["B2", "B3"])
    tif = fetch(image.getDownloadURL({"format": "GEO_TIFF", "scale": 10,
                                      "region": box(2, 3, 4, 5)}))
    assert tif.headers["Content-Type"] == "image/tiff"
    np.testing.assert_array_equal(read(tif.content)[0], engine.band("B2")[2:6, 3:8])
    array = np.load(io.BytesIO(fetch(image.getDownloadURL(
        {"format": "NPY", "scale": 10, "region": box(2, 3, 4, 5)})).content))
    np.testing.assert_array_equal(array["B3"], engine.band("B3")[2:6, 3:8])
    per_band = fetch(image.getDownloadURL({"name": "../x", "scale": 10, "region": box(2, 3, 4, 5)}))
    with zipfile.ZipFile(io.BytesIO(per_band.content)) as archive:
        assert archive.namelist() == ["x.B2.tif", "x.B3.tif"]
        np.testing.assert_array_equal(read(archive.read("x.B3.tif"))[0],
                                      engine.band("B3")[2:6, 3:8])
    assert 'filename="x.zip"' in per_band.headers["Content-Disposition"]
    exact = fetch(image.getDownloadURL({
        "format": "GEO_TIFF", "crs": f"EPSG:{EPSG}", "dimensions": "5x4",
        "crs_transform": [10, 0, EAST + 30, 0, -10, NORTH - 20]}))
    np.testing.assert_array_equal(read(exact.content)[0], engine.band("B2")[2:6, 3:8])
    lonlat = fetch(image.getDownloadURL({"format": "GEO_TIFF", "crs": "EPSG:4326", "scale": 20,
                                         "region": box(2, 3, 20, 20)}))
    with MemoryFile(lonlat.content) as memory, memory.open() as source:
        assert source.crs.to_epsg() == 4326
        assert source.res[0] * 111_319.49 == pytest.approx(20, rel=1e-3)


def test_thumbnails(engine):
    options = {"bands": ["B4", "B3", "B2"], "min": 0, "max": 3000}
    answer = fetch(engine.image().getThumbURL({**options, "format": "png"}))
    assert answer.headers["Content-Type"] == "image/png"
    assert read(answer.content).shape == (4, ROWS, COLS)
    small = read(fetch(engine.image().getThumbURL(
        {**options, "dimensions": 25, "format": "png"})).content)
    assert small.shape == (4, 20, 25)
    cut = read(fetch(engine.image().getThumbURL(
        {**options, "region": box(10, 10, 10, 20), "dimensions": "40x20",
         "format": "png"})).content)
    assert cut.shape[1:] == (20, 40)
    np.testing.assert_array_equal(cut[0][::2, ::2], stretched(
        engine.band("B4")[10:20, 10:30], 0, 3000))
    photo = fetch(engine.image().getThumbURL({**options, "format": "jpg",
                                              "region": box(5, 5, 10, 10)}))
    assert photo.headers["Content-Type"] == "image/jpeg" and read(photo.content).shape == (3, 10,
                                                                                          10)


def test_pixels_of_an_asset(engine):
    name = engine.image().get("system:id").getInfo()
    found = ee.data.getPixels({"assetId": name, "fileFormat": "NUMPY_NDARRAY",
                               "bandIds": ["B8"], "grid": scene_grid()})
    np.testing.assert_array_equal(found["B8"], np.nan_to_num(engine.band("B8")))
    whole = ee.data.getPixels({"assetId": name, "fileFormat": "NUMPY_NDARRAY"})
    assert whole.shape == (ROWS, COLS)


@pytest.mark.parametrize("request_, words", [
    ({"fileFormat": "TF_RECORD_IMAGE"}, "TF_RECORD_IMAGE"),
    ({"grid": {"crsCode": "EPSG:0"}}, "EPSG:0"),
    ({"grid": scene_grid(10**6, 10**6)}, "too large"), ({"grid": scene_grid(0, 5)}, "cannot"),
    ({"grid": {**scene_grid(), "affineTransform": {"scaleX": "wide"}}}, "not complete"),
    ({"grid": {**scene_grid(), "affineTransform": {"scaleX": 0, "scaleY": 0}}}, "cannot"),
    ({"bandIds": ["B99"]}, "B99"), ({"expression": ee.String}, "Image"),
    ({"expression": None, "grid": None}, "unbounded"),
    ({"visualizationOptions": {"paletteColors": ["red"]}, "bandIds": ["B2", "B3", "B4"]},
     "palette")])
def test_pixels_that_cannot_be_had(engine, request_, words):
    given = {"expression": engine.image(), "fileFormat": "PNG", "grid": scene_grid(), **request_}
    if given["expression"] is ee.String:
        given["expression"] = ee.String("x")
    elif given["expression"] is None:
        given["expression"] = ee.Image(1)
    with pytest.raises(ee.EEException, match=words):
        ee.data.computePixels(given)


def test_a_map_of_nothing_drawable_is_refused_when_it_is_made(engine):
    with pytest.raises(ee.EEException, match="nir"):
        engine.image().getMapId({"bands": ["nir"]})
    with pytest.raises(ee.EEException, match="0 bands"):
        engine.image().select([]).getMapId({})
