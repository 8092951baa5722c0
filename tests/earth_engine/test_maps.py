"""The workflow against the local Earth Engine over HTTP: draws, maps, files, the geemap map."""

import json
import os
import re
import subprocess
import sys

import ee
import ipyleaflet
import numpy as np
import pytest
import rasterio
import xarray as xr
from geemap import map_widgets
from sklearn.ensemble import RandomForestClassifier

from lulc_lib import legend
from lulc_lib.data import reference, series
from lulc_lib.data.catalogue import SITES
from lulc_lib.data.scenes import read_scene, valid_mask
from lulc_lib.earth_engine import forests, maps, workflow
from lulc_lib.earth_engine.backend import open_backend
from lulc_lib.earth_engine.maps import _without_font
from lulc_lib.earth_engine.points import draw_points, to_earth_engine
from lulc_lib.earth_engine.workflow import CLASSIFIERS
from lulc_lib.errors import InputError
from tests.conftest import ROOT

SITE = SITES["strzegom"]
CLASSES = [legend.code(k) for k in ("mixed_forest", "crops_ripe", "water", "quarry")]
JULY = "2023-07-01", "2023-07-30"


@pytest.fixture(scope="module")
def engine(landscape):
    with open_backend(landscape, "local", site=SITE.name) as running:
        yield running


@pytest.fixture(scope="module")
def scene(landscape):
    return read_scene(series.scene_path(SITE.name, landscape))


@pytest.fixture(scope="module")
def points(landscape, scene):
    polygons = series.site_polygons(SITE.name, landscape)
    return draw_points(polygons, scene, dict.fromkeys(CLASSES, 30), dict.fromkeys(CLASSES, 12), 0)


@pytest.fixture(scope="module")
def image(engine):
    return workflow.least_cloudy(SITE, *JULY).divide(100)


@pytest.fixture(scope="module")
def training(points, image):
    return workflow.sample(image, to_earth_engine(points.training))


@pytest.fixture(scope="module")
def forest_map(engine, image, training):
    asked = workflow.class_map(image, workflow.train("Random forest", training))
    return maps.download(engine, asked, SITE)


def at(grid, table):
    """Values of a (y, x) array under points."""
    return grid.sel(x=xr.DataArray(table.geometry.x.to_numpy()),
                    y=xr.DataArray(table.geometry.y.to_numpy())).values


def test_the_scene_of_the_query(engine):
    found = engine.compute(workflow.describe_scene(workflow.least_cloudy(SITE, *JULY)))
    assert found["date"] == series.map_date(SITE.name)
    assert set(found) == {"name", "date", "clouds"}


def test_bands_come_as_they_are_in_the_file(engine, scene):
    dn = maps.pixels(engine, workflow.least_cloudy(SITE, *JULY), SITE)
    assert list(dn.band.values) == list(workflow.EE_BANDS)
    expected = np.rint(np.nan_to_num(scene.values) * 10_000)
    everywhere = np.broadcast_to(valid_mask(scene).values, dn.shape)
    assert (dn.values == expected)[everywhere].all()
    assert dn.rio.crs == scene.rio.crs and dn.rio.transform() == scene.rio.transform()


def test_a_draw_counts_every_point_of_every_class(engine, image, points):
    found = workflow.run_draw(engine, image, points)
    assert set(found) == set(CLASSIFIERS)
    for name, one in found.items():
        assert one["test"].sum(axis=1).tolist() == [12] * len(CLASSES)  # rows are the reference
        assert one["resubstitution"].sum(axis=1).tolist() == [30] * len(CLASSES)
        assert np.trace(one["test"]) > 24, name  # far better than chance
        assert ("importance" in one) == (name != "SVM")
    assert np.trace(found["CART"]["resubstitution"]) == 120  # a full tree knows its points
    assert set(found["CART"]["importance"]) <= set(workflow.EE_BANDS)


def test_the_matrix_is_the_maps_under_the_points(engine, image, points, forest_map):
    """Two routes to one matrix: Earth Engine's, and the downloaded map read at the points."""
    matrix = workflow.run_draw(engine, image, points, ["Random forest"])["Random forest"]["test"]
    mapped = at(forest_map, points.test)
    counted = [[int(((points.test.code == actual) & (mapped == code)).sum()) for code in CLASSES]
               for actual in CLASSES]
    assert matrix.tolist() == counted


def test_a_draw_is_repeatable(engine, image, points):
    first = workflow.run_draw(engine, image, points, ["Random forest"])
    engine.server.engine.evaluator.cache.clear()
    again = workflow.run_draw(engine, image, points, ["Random forest"])
    assert (first["Random forest"]["test"] == again["Random forest"]["test"]).all()


def test_points_off_the_scene_are_refused(engine, image, points):
    away = points._replace(test=points.test.assign(geometry=points.test.translate(xoff=9000)))
    with pytest.raises(InputError, match="0 of 48 test points lie on pixels with data"):
        workflow.run_draw(engine, image, away, ["CART"])


def test_a_class_outside_the_matrix_is_refused(engine, image, points):
    fewer = points._replace(apart=dict.fromkeys(CLASSES[:-1], "polygons"))
    with pytest.raises(InputError, match="CART: the resubstitution matrix counts 90 of 120"):
        workflow.run_draw(engine, image, fewer, ["CART"])


def test_what_is_not_implemented_is_named(engine):
    with pytest.raises(InputError, match=r"local Earth Engine: .*Image\.glcmTexture"):
        engine.compute(ee.Image(1).toByte().glcmTexture(3))


def test_map_is_on_the_grid_and_empty_where_the_scene_is(forest_map, scene):
    assert forest_map.dtype == np.uint8 and forest_map.shape == scene.shape[1:]
    assert forest_map.rio.transform() == scene.rio.transform()
    assert ((forest_map.values == legend.NO_DATA) == ~valid_mask(scene).values).all()
    assert set(np.unique(forest_map)) <= {legend.NO_DATA, *CLASSES}


def test_export_can_be_read_back(forest_map, tmp_path):
    file = tmp_path / "map.tif"
    maps.export(forest_map, file, {"classifier": "Random forest"})
    back = reference.read_codes(file)
    assert (back == forest_map).all() and back.rio.crs == forest_map.rio.crs
    with rasterio.open(file) as opened:
        red, green, blue, _ = opened.colormap(1)[CLASSES[-1]]
        assert f"#{red:02x}{green:02x}{blue:02x}" == legend.COLOURS[CLASSES[-1]]
        assert opened.tags()["classifier"] == "Random forest"
    assert file.with_suffix(".qml").exists()
    assert {p.name for p in tmp_path.iterdir()} == {"map.tif", "map.qml", "map.tif.aux.xml"}


def test_corine_in_our_classes(engine):
    found = maps.corine(engine)
    codes = maps.pixels(engine, found.toByte(), SITE).values
    assert set(np.unique(codes)) <= {legend.NO_DATA, *legend.CODES}
    assert (codes == legend.code("quarry")).any()


def test_no_corine_is_no_error_but_a_fault_is(engine, monkeypatch):
    monkeypatch.setattr(maps, "CORINE", "COPERNICUS/CORINE/V99")
    assert maps.corine(engine) is None

    def refuse(_self, _what):
        raise InputError("the quota is used up")

    monkeypatch.setattr(type(engine), "compute", refuse)
    with pytest.raises(InputError, match="quota"):
        maps.corine(engine)


def test_sent_forest_maps_every_pixel_as_at_home(engine, points):
    bands, dn_image = list(workflow.EE_BANDS), workflow.least_cloudy(SITE, *JULY)
    sampled = workflow.sample(dn_image, to_earth_engine(points.training))
    rows = [f["properties"] for f in engine.compute(sampled)["features"]]
    values = np.array([[row[b] for b in bands] for row in rows])
    forest = RandomForestClassifier(7, random_state=0).fit(values, [row["class"] for row in rows])
    sent = workflow.class_map(dn_image, forests.send_forest(forest, bands))
    there = maps.download(engine, sent, SITE).values
    dn = maps.pixels(engine, dn_image, SITE).values
    valid = (dn > 0).all(axis=0)
    assert (there[valid] == forest.predict(dn[:, valid].T)).all()
    assert (there[~valid] == legend.NO_DATA).all()


@pytest.fixture(scope="module")
def view(engine, image, training):
    images = {n: workflow.class_map(image, workflow.train(n, training)) for n in CLASSIFIERS}
    layers = {"Scene": (workflow.least_cloudy(SITE, *JULY), maps.SCENE_STYLE)}
    layers |= {name: (one, maps.CLASS_STYLE) for name, one in images.items()}
    return maps.interactive_map(engine, layers, SITE, split=("Random forest", "SVM"))


def test_interactive_map_has_its_parts(view):
    assert list(view.ee_layers) == ["Scene", *CLASSIFIERS]
    (split,) = [c for c in view.controls if isinstance(c, ipyleaflet.SplitMapControl)]
    assert (split.left_layer.name, split.right_layer.name) == ("Random forest", "SVM")
    (shown,) = view.legends
    assert shown.widget.legend_keys == list(legend.NAMES.values())
    colours = [c.lower().lstrip("#") for c in shown.widget.legend_colors]
    assert colours == [c.lstrip("#") for c in legend.COLOURS.values()]
    assert view._inspector is not None
    assert maps._middle(SITE) == tuple(view.center)
    assert 50.9 < view.center[0] < 51.1 and 16.1 < view.center[1] < 16.4


def test_every_tile_comes_from_this_machine(view, engine):
    urls = [layer.url for layer in view.layers if isinstance(layer, ipyleaflet.TileLayer)]
    assert len(urls) == 5
    assert all(url == "" or url.startswith(engine.address) for url in urls)


def test_icons_need_no_font_from_elsewhere(view):
    widgets = view._inspector, view.legends[0].widget
    for widget in widgets:
        drawn = re.findall(r'material-symbols-outlined"\s*>\s*(.*?)\s*</span', widget._esm)
        assert drawn and not [d for d in drawn if re.search(r"[a-z_]{3}|&#x", d)
                              and d != "${this.icon}"]
        assert "point_scan" not in widget._esm and "googleapis" not in widget._esm
    for kind in (map_widgets.Legend, map_widgets.Inspector):
        assert "&#xe5cd;" in str(kind._esm)  # geemap's own classes are as they were
    with _without_font(map_widgets.Legend), \
            pytest.raises(InputError, match="Legend has no icons that are known"), \
            _without_font(map_widgets.Legend):  # they are gone already
        pass


def test_a_click_of_the_inspector(view, forest_map, points):
    table = points.test.to_crs(4326)
    place = table.geometry.iloc[0]
    tree = view._inspector._pixel_info([place.y, place.x])
    told = json.dumps(tree)
    assert "Random forest: Image (1 band)" in told
    code = int(at(forest_map, points.test.iloc[:1])[0])
    assert f"{workflow.MAPPED}: {code}" in told


def test_split_names_a_layer_that_is_there(engine, image):
    with pytest.raises(InputError, match="split names 'kNN'; the layers are Scene"):
        maps.interactive_map(engine, {"Scene": (image, maps.SCENE_STYLE)}, SITE, ("Scene", "kNN"))


ALONE = """
import socket, sys
from pathlib import Path
tried = []

def only_loopback(real):
    def call(*args, **more):
        address = next((a for a in args if isinstance(a, (tuple, str))), ("127.0.0.1",))
        host = address[0] if isinstance(address, tuple) else address
        if host not in ("127.0.0.1", "::1", "localhost"):
            tried.append(host)
            raise OSError(f"{host} is away")
        return real(*args, **more)
    return call

socket.socket.connect = only_loopback(socket.socket.connect)
socket.socket.connect_ex = only_loopback(socket.socket.connect_ex)
socket.getaddrinfo = only_loopback(socket.getaddrinfo)
import time
import ee, requests
from lulc_lib.data.catalogue import find_site
from lulc_lib.earth_engine import maps, workflow
from lulc_lib.earth_engine.backend import open_backend
from lulc_lib.earth_engine.maps import _without_font
site = find_site("strzegom")
with open_backend(Path(sys.argv[1]), site=site.name) as engine:
    image = workflow.least_cloudy(site, "2023-07-01", "2023-07-30")
    table = image.sample(region=image.geometry(), scale=10, numPixels=200, seed=1)
    table = table.randomColumn().map(lambda f: f.set("class", ee.Number(f.get("random")).round()))
    model = workflow.CLASSIFIERS["CART"]().train(table, "class", list(workflow.EE_BANDS))
    view = maps.interactive_map(
        engine, {"Scene": (image, maps.SCENE_STYLE),
                 "CART": (workflow.class_map(image, model), maps.CLASS_STYLE)},
        site, split=("Scene", "CART"))
    view._inspector._on_map_click(maps._middle(site))
    told = str(view._inspector.pixel_info)
    for layer in view.ee_layers.values():
        tile = layer["ee_layer"].url.format(z=12, x=2232, y=1372)
        assert requests.get(tile, timeout=60).headers["Content-Type"] == "image/png"
    url = image.getThumbURL({"bands": ["B4", "B3", "B2"], "dimensions": 64, "max": 3000})
    assert requests.get(url, timeout=60).ok
    assert maps.corine(engine) is not None
    task = ee.batch.Export.image.toDrive(image.select("B2"), "b2", scale=100)
    task.start()
    while task.active():
        time.sleep(0.1)
    print(engine.name, maps.pixels(engine, image, site).shape, len(view.layers),
          "CART" in told, task.status()["state"], tried)
"""


@pytest.mark.parametrize("choice", ["local", "auto"])
def test_nothing_leaves_this_machine(landscape, tmp_path, choice):
    """From the first import on: the search for credentials, a proxy, and all that the notebook does
    (training, tiles, split view, legend, a click of the inspector, thumbnail, export)."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EE_", "GOOGLE", "CLOUDSDK"))}
    run = subprocess.run(
        [sys.executable, "-c", ALONE, str(landscape)], cwd=ROOT, capture_output=True, text=True,
        env=clean | {"EE_BACKEND": choice, "HOME": str(tmp_path), "LULC_OUTPUT": str(tmp_path),
                     "no_proxy": "127.0.0.1",
                     "HTTP_PROXY": "http://proxy.example:3128",
                     "HTTPS_PROXY": "http://proxy.example:3128"})
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.split("\n")[-2] == \
        f"local (10, {SITE.rows}, {SITE.cols}) 3 True COMPLETED []"
    assert (tmp_path / "build" / "earth_engine" / "exports" / "b2.tif").is_file()
