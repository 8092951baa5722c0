"""Scenes by STAC, from a catalogue on loopback that speaks like each of the three services."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile
from rasterio.warp import transform_bounds, transform_geom

from lulc_lib.data import stac
from lulc_lib.data.catalogue import SITES
from lulc_lib.data.products import asset_address, item_offset, processing_baseline
from lulc_lib.data.scenes import BANDS, BANDS_10M, read_scene
from lulc_lib.data.stac import SERVICES, cloud_cover, find_place, find_service, mgrs_tile
from lulc_lib.errors import InputError
from lulc_lib.io.http import Policy
from tests.http_server import Fault, free_port, loopback_server

SITE = SITES["strzegom"]
DATE = "2023-07-09"
X0, Y0, SIDE = 585300.0, 5652360.0, 440
"""Corner (on the tile's 20 m grid) and width in 10 m pixels of the made-up product."""
TOKEN = "sig=a%2Fb"
ONCE = Policy(connect_timeout=5, read_timeout=5, retries=0)


def plane(band, x, y):
    """A DN that is linear in x and y, so that bilinear resampling keeps it."""
    return 1500 + 100 * BANDS.index(band) + (x - X0) * 0.05 + (Y0 - y) * 0.03


def tif(values, pixel):
    """A tiled GeoTIFF of (row, col) values on the product's grid, as bytes."""
    profile = {"driver": "GTiff", "width": values.shape[1], "height": values.shape[0], "count": 1,
               "dtype": values.dtype, "crs": f"EPSG:{SITE.epsg}", "tiled": True, "nodata": 0,
               "transform": rasterio.Affine(pixel, 0, X0, 0, -pixel, Y0), "compress": "deflate",
               "blockxsize": 256, "blockysize": 256}
    with MemoryFile() as memory:
        with memory.open(**profile) as out:
            out.write(values, 1)
        return memory.read()


@pytest.fixture(scope="module")
def product():
    """Arrays and files of one product: 10 m bands random, 20 m bands a plane, SCL random."""
    rng = np.random.default_rng(0)
    arrays, files = {}, {}
    half = SIDE // 2
    for band in (*BANDS, "SCL"):
        pixel = 10 if band in BANDS_10M else 20
        if band == "SCL":
            values = rng.integers(0, 12, (half, half), dtype=np.uint8)
        elif pixel == 10:
            values = rng.integers(200, 9000, (SIDE, SIDE), dtype=np.uint16)
            values[100:103, 50:60] = 0
        else:
            centre = (np.arange(half) + 0.5) * pixel
            values = np.round(plane(band, X0 + centre[None, :], Y0 - centre[:, None]))
            values = values.astype(np.uint16)
            values[150:155, 150:155] = 0
        arrays[band], files[band] = values, tif(values, pixel)
    return arrays, files


def footprint():
    east, south = X0 + SIDE * 10, Y0 - SIDE * 10
    ring = [(X0, Y0), (east, Y0), (east, south), (X0, south), (X0, Y0)]
    return transform_geom(f"EPSG:{SITE.epsg}", "EPSG:4326",
                          {"type": "Polygon", "coordinates": [ring]})


_COLOURS = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16",
            "swir22", "scl")
ASSETS = {
    "earth-search": dict(zip((*BANDS, "SCL"), _COLOURS, strict=True)),
    "planetary-computer": {band: band for band in (*BANDS, "SCL")},
    "cdse": {b: f"{b}_{'10m' if b in BANDS_10M else '20m'}" for b in (*BANDS, "SCL")},
}
DECLARED = {
    "earth-search": (
        {"grid:code": "MGRS-33UWS", "s2:processing_baseline": "05.09",
         "earthsearch:boa_offset_applied": False},
        {"raster:bands": [{"scale": 0.0001, "offset": -0.1, "nodata": 0}]}),
    "planetary-computer": ({"s2:mgrs_tile": "33UWS", "s2:processing_baseline": "05.09"}, {}),
    "cdse": ({"grid:code": "MGRS-33UWS", "processing:version": "05.09"},
             {"raster:scale": 0.0001, "raster:offset": -0.1}),
}


def item(service, url, date=DATE, **properties):
    """A STAC item as that service words it."""
    own, asset = DECLARED[service]
    names = ASSETS[service]
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": f"S2A_33UWS_{date.replace('-', '')}_0",
        "collection": "sentinel-2-l2a", "geometry": footprint(), "bbox": [16, 50, 17, 52],
        "properties": {"datetime": f"{date}T10:06:01.024000Z", "eo:cloud_cover": 1.5, **own,
                       **properties},
        "links": [],
        "assets": {name: {"href": f"{url}/cog/{band}.tif",
                          "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                          "roles": ["data"], **asset} for band, name in names.items()},
    }


@pytest.fixture
def service(monkeypatch, product):
    """A loopback server with the product and a STAC API at ``/api/stac/v1``."""
    with loopback_server(monkeypatch) as server:
        server.files = {f"cog/{band}.tif": body for band, body in product[1].items()}
        server.items = []
        server.stac = f"{server.url}/api/stac/v1"
        root = {"rel": "root", "href": server.stac, "type": "application/json"}
        find = {"rel": "search", "href": f"{server.stac}/search", "type": "application/geo+json",
                "method": "POST"}
        server.routes = {
            "api/stac/v1": lambda _: {
                "type": "Catalog", "id": "test", "stac_version": "1.0.0", "description": "test",
                "links": [root, find],
                "conformsTo": ["https://api.stacspec.org/v1.0.0/core",
                               "https://api.stacspec.org/v1.0.0/item-search"]},
            "api/stac/v1/search": lambda request: search(server.items, request),
            "api/sas/v1/token/sentinel-2-l2a": lambda _: {
                "msft:expiry": "2030-01-01T00:00:00Z", "token": TOKEN},
        }
        yield server


def search(items, request):
    """Answer of the search endpoint: the items of the collections and days asked for."""
    first, _, last = request["datetime"].partition("/")
    west, south, east, north = request["bbox"]
    assert -180 < west < east < 180 and 49 < south < north < 52
    found = [i for i in items if i["collection"] in request["collections"]
             and first <= i["properties"]["datetime"] <= last]
    return {"type": "FeatureCollection", "features": found, "links": []}


def fetch(server, name, output, **more):
    options = {"catalogue_url": server.stac, "policy": ONCE, "progress": False}
    place, date = more.pop("place", "strzegom"), more.pop("date", DATE)
    return stac.fetch_scene(place, date, name, output, **(options | more))


@pytest.mark.parametrize("name", list(SERVICES))
def test_scene_has_the_sites_grid_and_untouched_dn(service, product, tmp_path, name):
    service.items = [item(name, service.url)]
    out = fetch(service, name, tmp_path / "s" / "strzegom_20230709.tif")
    arrays = product[0]
    with rasterio.open(out) as src:
        assert src.descriptions == BANDS and set(src.dtypes) == {"uint16"}
        assert (src.crs.to_epsg(), src.shape) == (SITE.epsg, SITE.shape)
        assert tuple(src.transform)[:6] == SITE.transform
        dn, tags = dict(zip(BANDS, src.read(), strict=True)), src.tags()
    row, col = int((Y0 - SITE.y0) / 10), int((SITE.x0 - X0) / 10)
    window = np.s_[row:row + SITE.rows, col:col + SITE.cols]
    x = SITE.x0 + (np.arange(SITE.cols) + 0.5) * 10
    y = SITE.y0 - (np.arange(SITE.rows) + 0.5) * 10
    for band in BANDS:
        if band in BANDS_10M:
            np.testing.assert_array_equal(dn[band], arrays[band][window])
            continue
        gap = np.kron(arrays[band] == 0, np.ones((2, 2), bool))[window]
        assert (dn[band][gap] == 0).mean() > 0.5 and (dn[band][~gap] > 0).all()
        data = dn[band] > 0
        error = np.abs(dn[band] - plane(band, x[None, :], y[:, None]))[data]
        assert np.percentile(error, 99) <= 1.5 and error.max() < 3
    with rasterio.open(out.with_name("strzegom_20230709_scl.tif")) as src:
        assert src.descriptions == ("SCL",) and src.dtypes == ("uint8",)
        full = np.kron(arrays["SCL"], np.ones((2, 2), np.uint8))
        np.testing.assert_array_equal(src.read(1), full[window])
    assert tags["ITEM_ID"] == "S2A_33UWS_20230709_0" and tags["STAC_SERVICE"] == name
    assert (tags["BOA_ADD_OFFSET"], tags["PROCESSING_BASELINE"]) == ("-1000", "05.09")
    assert float(tags["CLOUD_COVER"]) == 1.5 and "Copernicus" in tags["TERMS"]
    assert "Regulation (EU)" in tags["LICENCE"] and tags["STAC_CATALOGUE"] == service.stac
    assert sorted(p.name for p in out.parent.iterdir()) == [
        "strzegom_20230709.tif", "strzegom_20230709_scl.tif"]


def test_a_box_and_the_least_cloudy_day_of_a_month(service, product, tmp_path):
    """Anybody's place: the grid is of whole 10 m in the UTM zone of the tile."""
    service.items = [
        item("earth-search", service.url, "2023-07-04", **{"eo:cloud_cover": 80}),
        item("earth-search", service.url, "2023-07-19", **{"eo:cloud_cover": 0.5}),
        item("earth-search", service.url, "2023-08-03", **{"eo:cloud_cover": 0})]
    out = fetch(service, "earth-search", tmp_path / "s.tif", place="16.23,51.0,16.25,51.01",
                date="2023-07")
    with rasterio.open(out) as src:
        assert src.crs.to_epsg() == 32633 and (src.transform.a, src.transform.e) == (10, -10)
        assert src.transform.c % 10 == src.transform.f % 10 == 0
        west, south, east, north = transform_bounds(src.crs, "EPSG:4326", *src.bounds)
        assert west <= 16.23 < 16.25 <= east and south <= 51.0 < 51.01 <= north
        assert src.width * 10 < 1600 and src.height * 10 < 1300
        assert src.tags()["ITEM_ID"] == "S2A_33UWS_20230719_0"
        row, col = round((Y0 - src.transform.f) / 10), round((src.transform.c - X0) / 10)
        expected = product[0]["B02"][row:row + src.height, col:col + src.width]
        np.testing.assert_array_equal(src.read(1), expected)
    with pytest.warns(UserWarning, match="offset"):
        scene = read_scene(out)
    assert scene.attrs["date"] == "2023-07-19"


@pytest.mark.parametrize(("place", "date", "says"), [
    ("16.2,50.9,16.4", DATE, "west,south,east,north in degrees"),
    ("16.4,50.9,16.2,51.0", DATE, "west before east"),
    ("16,50,19,51", DATE, "sides must be at most 2 degrees"),
    ("16.2,50.9,16.4,51.0", "2023-13", "or a month, YYYY-MM"),
])
def test_boxes_and_dates_that_are_none(place, date, says):
    with pytest.raises(InputError, match=says):
        stac.fetch_scene(place, date)


def test_reader_understands_the_file(service, tmp_path):
    service.items = [item("earth-search", service.url)]
    out = fetch(service, "earth-search", tmp_path / "strzegom_20230709.tif")
    with pytest.warns(UserWarning, match="offset"):
        scene = read_scene(out)
    assert scene.attrs["offset_declared"] == 1000 and scene.attrs["date"] == DATE
    assert scene.shape == (10, *SITE.shape)


def test_planetary_computer_addresses_are_signed(service, tmp_path):
    service.items = [item("planetary-computer", service.url)]
    fetch(service, "planetary-computer", tmp_path / "s.tif")
    read = [q for (_, p, _), q in zip(service.log, service.queries, strict=True)
            if p.startswith("cog/") and p.endswith(".tif")]
    assert read and set(read) == {TOKEN}
    assert len(service.asked("api/sas/v1/token/sentinel-2-l2a")) == 1


def test_failed_token_is_named(service, tmp_path):
    service.items = [item("planetary-computer", service.url)]
    service.faults["api/sas/v1/token/sentinel-2-l2a"] = [Fault(503)]
    with pytest.raises(InputError, match=r"no access token.*the server answers 503 \(http://127"):
        fetch(service, "planetary-computer", tmp_path / "s.tif")


@pytest.mark.parametrize(
    ("name", "properties", "asset", "offset"),
    [
        ("earth-search", {}, None, 1000),
        ("earth-search", {"earthsearch:boa_offset_applied": True}, None, 0),
        ("earth-search", {}, {"raster:bands": [{"scale": 0.0001, "offset": 0}]}, 0),
        ("earth-search", {}, {}, 1000),
        ("planetary-computer", {"s2:processing_baseline": "03.01"}, None, 0),
        ("planetary-computer", {"s2:processing_baseline": "04.00"}, None, 1000),
        ("cdse", {}, None, 1000),
        ("cdse", {"processing:version": "03.01"}, {}, 0),
        ("cdse", {}, {"bands": [{"raster:scale": 0.0001, "raster:offset": -0.1}]}, 1000),
        ("cdse", {"processing:version": "unknown"}, {}, None),
    ],
)
def test_item_offset(name, properties, asset, offset):
    made = item(name, "http://127.0.0.1:1", **properties)
    if asset is not None:
        made["assets"] = {key: {"href": value["href"], **asset}
                          for key, value in made["assets"].items()}
    assert item_offset(made)[0] == offset


def test_bands_must_agree_on_the_offset():
    made = item("cdse", "http://127.0.0.1:1")
    made["assets"]["B11_20m"]["raster:offset"] = 0
    with pytest.raises(InputError, match="bands declare different offsets"):
        item_offset(made)


def test_choice_does_not_depend_on_order(service):
    def made(name, tile="33UWS", shift=0.0, **properties):
        one = item("earth-search", "u", **({"grid:code": f"MGRS-{tile}"} | properties))
        ring = [(x + shift, y) for x, y in one["geometry"]["coordinates"][0]]
        return one | {"id": name, "geometry": {"type": "Polygon", "coordinates": [ring]}}

    other_tile = made("other", "33UWR", **{"eo:cloud_cover": 0})
    partial = made("partial", shift=0.03, **{"eo:cloud_cover": 0})
    cloudy = made("cloudy", **{"eo:cloud_cover": 60})
    unknown = made("unknown", **{"eo:cloud_cover": None})
    old = made("old", **{"s2:processing_baseline": "03.01"})
    new_a, new_b = made("new_a"), made("new_b")
    ranked = [new_b, new_a, old, cloudy, unknown, partial, other_tile]
    while ranked:
        best = ranked[0]["id"]
        for turn in (ranked, ranked[::-1], ranked[1:] + ranked[:1]):
            assert stac.choose_item(turn, find_place("strzegom"))["id"] == best
        ranked = ranked[1:]


def test_day_without_an_item_names_the_nearest(service, tmp_path):
    days = ["2023-06-01", "2023-06-29", "2023-07-06", "2023-07-11", "2023-07-16"]
    service.items = [item("cdse", service.url, day) for day in days]
    service.items += [item("cdse", service.url, "2023-07-08") | {"collection": "another"}]
    service.items += [item("cdse", service.url, "2023-07-10", **{"grid:code": "MGRS-33UWR"})]
    with pytest.raises(InputError) as error:
        fetch(service, "cdse", tmp_path / "s.tif")
    assert ("no sentinel-2-l2a item of strzegom (tile 33UWS) on 2023-07-09; nearest days: "
            "2023-07-11, 2023-07-06, 2023-07-16, 2023-06-29") in str(error.value)
    service.items = []
    with pytest.raises(InputError, match="nor within 30 days"):
        fetch(service, "cdse", tmp_path / "s.tif")
    assert not list(tmp_path.iterdir())


def test_missing_asset_is_named(service, tmp_path):
    made = item("cdse", service.url)
    del made["assets"]["B8A_20m"]
    service.items = [made]
    with pytest.raises(InputError, match=r"has no asset of band B8A; it has B02_10m"):
        fetch(service, "cdse", tmp_path / "s.tif")


def test_unreadable_asset_is_named(service, tmp_path):
    service.items = [item("earth-search", service.url)]
    del service.files["cog/B05.tif"]
    with pytest.raises(InputError, match=r"asset 'rededge1' of item S2A_33UWS") as error:
        fetch(service, "earth-search", tmp_path / "s.tif")
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_scene_without_data_is_refused(service, tmp_path):
    service.items = [item("earth-search", service.url)]
    for band in BANDS:
        pixel, side = (10, SIDE) if band in BANDS_10M else (20, SIDE // 2)
        service.files[f"cog/{band}.tif"] = tif(np.zeros((side, side), np.uint16), pixel)
    with pytest.raises(InputError, match="holds no data at this place"):
        fetch(service, "earth-search", tmp_path / "s.tif")


def test_unreachable_or_odd_service_is_one_line(service, tmp_path):
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    service.files["odd"] = b"<html>not STAC</html>"
    service.files["list"] = json.dumps([1, 2]).encode()
    for url in (nowhere, f"{service.url}/odd", f"{service.url}/list", f"{service.url}/absent"):
        with pytest.raises(InputError, match="no usable answer from http://127") as error:
            fetch(service, "earth-search", tmp_path / "s.tif", catalogue_url=url)
        assert "\n" not in str(error.value)
        assert ("the server cannot be reached" in str(error.value)) == (url == nowhere)


def test_unknown_names_and_bad_dates():
    with pytest.raises(InputError, match=r"service is 'x'; .*planetary-computer"):
        find_service("x")
    with pytest.raises(InputError, match="site is 'x'"):
        stac.fetch_scene("x", DATE)
    for bad in ("20230799", "9 July 2023"):
        with pytest.raises(InputError, match=r"must be a day, YYYY-MM-DD"):
            stac.fetch_scene("strzegom", bad)


def test_output_that_cannot_be_written(service, tmp_path):
    (tmp_path / "file").write_text("x")
    service.items = [item("earth-search", service.url)]
    with pytest.raises(InputError, match="cannot be written"):
        fetch(service, "earth-search", tmp_path / "file" / "s.tif")


def test_s3_needs_keys(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    made = item("cdse", "s3://eodata")
    with pytest.raises(InputError, match="AWS_ACCESS_KEY_ID"):
        asset_address(made, "B02_10m", "s3://eodata/cog/B02.tif")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    assert asset_address(made, "B02_10m", "s3://eodata/cog/B02.tif") == "/vsis3/eodata/cog/B02.tif"


def test_what_items_say():
    product = "S2A_MSIL2A_20210725T094031_N0301_R036_T34UEA_20210725T123456"
    bare = {"id": product, "properties": {}}
    assert mgrs_tile(bare) == "34UEA" and processing_baseline(bare) == 3.01
    assert cloud_cover(bare) == float("inf")
    parts = {"mgrs:utm_zone": 34, "mgrs:latitude_band": "U", "mgrs:grid_square": "DA"}
    assert mgrs_tile({"id": "a", "properties": parts}) == "34UDA"
    assert mgrs_tile({"id": "a", "properties": {}}) == ""


def test_default_output_is_in_the_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LULC_DATA", str(tmp_path))
    name, _ = stac.scene_paths("kolbuszowa", "2021-07-25")
    assert name == tmp_path / "stac" / "kolbuszowa_20210725.tif"
