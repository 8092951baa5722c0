"""The interactive map: one file, in words, that asks nobody; looked at in headless Chromium."""

import json
import re
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from pyproj import Transformer
from shapely.geometry import Point

from lulc_lib.errors import InputError
from lulc_lib.figures import false_colour
from lulc_lib.sites import Registries, coordinates, write_web_map
from lulc_lib.sites.layers import LAYERS
from lulc_lib.sites.rules import CATEGORIES, SEPARATOR, assess_sites
from lulc_lib.sites.web_map import REGISTRIES, sheet_name
from tests.chromium import Page, needs_chromium
from tests.sites.test_output import DAYS, scene
from tests.sites.test_rules import PIT, areas, registries, table, tracks

MARK = ("""<i class=mark>${window.mark=1}</i>`\\"'&amp;<a href=javascript:window.mark=1>"""
        "</script><script>window.mark=1</script><!--")
"""Harmless, but it would leave a trace wherever text is taken for HTML or for a script."""
BOUNDS = 16.2, 50.95, 16.5, 51.05


def marked(layer):
    """A layer with a shape at the pit and a mark of its own in every field."""
    shape = Point(600_300, 5_599_900) if layer.geometry == "Point" else PIT.buffer(40)
    fields = {c: f"{layer.name} {c} {MARK}" for c in layer.columns}
    whole = table(shape, **{c: v for c, v in fields.items() if c != "source"})
    if "valid_from" in fields:
        whole = areas(shape, until=date(2021, 12, 1), name=fields["name"]).assign(
            status=fields["status"])
    return whole.assign(source=fields["source"])


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Pages with marks in every text, and with all there is to show; their data."""
    folder = tmp_path_factory.mktemp("pages")
    layers = Registries(**{name: marked(layer) for name, layer in LAYERS.items()})
    layers = replace(layers, corine=layers.corine.assign(code="211"))
    sites = assess_sites(tracks(), layers)
    sites["reasons"] = SEPARATOR.join([sites.reasons[1], MARK])
    sites["status"] = f"candidate {MARK}"
    write_web_map(folder / "marked.html", sites, layers)
    sheets = folder / "sheets #1 <i> 100%"
    sheets.mkdir()
    (sheets / sheet_name(1)).write_bytes(b"")
    whole = assess_sites(tracks(), registries(), None)
    maps = {d: tracks_map() for d in DAYS[-1:]}
    write_web_map(folder / "whole.html", whole, registries(),
                  images={f"False colour, {DAYS[-1]}": false_colour(scene(DAYS[-1])),
                          f"Class map, {DAYS[-1]}": maps[DAYS[-1]]}, sheets=sheets)
    return folder


def tracks_map():
    from tests.sites.test_objects import FIELD, grid_map
    return grid_map(np.full((60, 60), FIELD, np.uint8))


@pytest.fixture(scope="module")
def browser():
    with Page() as page:
        yield page


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


SHOW_ALL = """document.querySelectorAll(".leaflet-control-layers input").forEach(
  (box) => { if (!box.checked) box.click(); })"""
TEXTS = """(() => {
  const texts = [];
  map.eachLayer((layer) => {
    for (const [bound, open, close] of [["getTooltip", "openTooltip", "closeTooltip"],
                                        ["getPopup", "openPopup", "closePopup"]]) {
      if (!(layer instanceof L.Path) || !layer[bound]()) continue;
      layer[open]();
      texts.push(layer[bound]().getElement().textContent);
      layer[close]();
    }
  });
  return texts;
})()"""


@needs_chromium
def test_no_text_of_a_registry_becomes_markup_or_script(pages, browser):
    browser.open(pages / "marked.html")
    browser.run(SHOW_ALL)
    shown = " ".join([*browser.run(TEXTS), browser.run("document.body.innerText")])
    for layer in LAYERS.values():
        for column in layer.columns:
            if column not in ("code", "valid_from", "valid_to"):  # digits and dates, as read
                assert f"{layer.name} {column} {MARK}" in shown, (layer.name, column)
    assert f"candidate {MARK}" in shown and shown.count(MARK) > 15
    assert browser.run("[window.mark === undefined, document.querySelectorAll('.mark').length,"
                       "document.scripts.length]") == [True, 0, 3]


@needs_chromium
def test_the_page_asks_nobody(pages, browser):
    browser.asked.clear()
    browser.faults.clear()
    browser.open(pages / "whole.html")
    browser.run(SHOW_ALL)
    browser.run(TEXTS)
    loaded = browser.run("""Promise.all([...document.images].map((i) => i.decode())).then(
      () => [...document.images].map((i) => [i.naturalWidth > 50, i.naturalHeight > 50]))""")
    assert loaded == [[True, True]] * 2
    assert [a for a in browser.asked if not a.startswith("data:")] == [
        (pages / "whole.html").as_uri()]
    assert browser.faults == []


@needs_chromium
def test_a_script_that_is_not_the_pages_own_does_not_run(pages, browser, tmp_path):
    """Second fence: even where a text became a script element, the browser refuses it."""
    text = (pages / "whole.html").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(
        text.replace("</body>", "<script>window.mark=1</script></body>"), encoding="utf-8")
    browser.open(tmp_path / "page.html")
    assert browser.run("[typeof map, typeof window.mark]") == ["object", "undefined"]


@needs_chromium
def test_a_click_shows_reasons_coordinates_and_sheet(pages, browser):
    browser.open(pages / "whole.html")
    card, link = browser.run("""(() => {
      let card, link;
      map.eachLayer((layer) => {
        if (layer instanceof L.Path && layer.getPopup()) {
          layer.openPopup();
          card = layer.getPopup().getElement();
        }
      });
      return [card.innerText, card.querySelector("a[target]").href];
    })()""")
    assert "Site 1 (candidate, score" in card and "outside any documented deposit" in card
    assert re.search(r"50\.\d{5}° N, 16\.\d{5}° E \(WGS 84\)", card)
    assert "EPSG:2180, ETRF2000-PL / CS92" in card and "A lead for an inspector" in card
    assert link == (pages / "sheets #1 <i> 100%" / sheet_name(1)).as_uri()


@needs_chromium
def test_the_pointer_tells_degrees_and_the_national_grid(pages, browser):
    browser.open(pages / "whole.html")
    browser.move(700, 450)
    lat, lon = browser.run("[map.mouseEventToLatLng({clientX: 700, clientY: 450})].flatMap("
                           "(at) => [at.lat, at.lng])")
    east, north = Transformer.from_crs(4326, 2180, always_xy=True).transform(lon, lat)
    said = browser.run("document.querySelector('.note.where').textContent")
    assert said == (f"{lat:.5f}° N, {lon:.5f}° E (WGS 84); E {east:.0f} N {north:.0f} "
                    "(EPSG:2180, ETRF2000-PL / CS92)")


def test_layers_have_names_in_words_and_one_layer_a_category(pages):
    data = data_of(pages / "whole.html")
    assert {r["label"] for r in data["registries"]} == {name for name, _ in REGISTRIES.values()}
    assert [i["label"] for i in data["images"]] == ["False colour, 2023-06-01",
                                                    "Class map, 2023-06-01"]
    (group,) = data["sites"]
    assert group["label"] == CATEGORIES["outside_deposit"].label
    assert len(group["features"]["features"]) == 1
    assert data["bounds"][0][0] < 50.6 and not data["background"]


def test_many_sites_are_as_many_shapes_of_the_same_layers(tmp_path):
    one = assess_sites(tracks(), registries())
    many = pd.concat([one] * 300).set_axis(range(1, 301))
    few, more = (data_of(write_web_map(tmp_path / f"{len(s)}.html", s, registries()))
                 for s in (one, many))
    assert len(few["sites"]) == len(more["sites"]) == 1
    assert len(few["registries"]) == len(more["registries"])
    assert len(more["sites"][0]["features"]["features"]) == 300


def test_a_background_only_where_it_is_asked_for(pages, tmp_path):
    sites = assess_sites(tracks(), Registries())
    assert "openstreetmap.org" not in policy_of(pages / "whole.html")
    page = write_web_map(tmp_path / "map.html", sites, Registries(), background=True)
    assert "img-src data: https://tile.openstreetmap.org" in policy_of(page)
    assert data_of(page)["background"] is True
    assert data_of(page)["notes"][-1].startswith("Not at hand: Deposits")


def policy_of(path):
    return re.search(r'Content-Security-Policy" content="([^"]*)"', path.read_text())[1]


def test_a_map_without_a_site_and_one_that_cannot_be_written(tmp_path):
    none = assess_sites(tracks(), Registries()).iloc[:0]
    page = write_web_map(tmp_path / "none.html", none, Registries())
    assert data_of(page)["sites"] == [] and data_of(page)["grid"] is None
    with pytest.raises(InputError, match="must be a projected CRS such as EPSG:2180"):
        write_web_map(tmp_path / "map.html", none, Registries(), grid="EPSG:4326")
    with pytest.raises(InputError, match="is not there"):
        write_web_map(tmp_path / "no" / "map.html", none, Registries())


def test_the_grid_is_the_nations_where_there_is_one():
    assert coordinates.grid_of(32633, BOUNDS).to_epsg() == 2180
    assert coordinates.grid_of(32630, (-3.2, 51.0, -3.0, 51.2)).to_epsg() == 32630
    assert coordinates.grid_of(32630, BOUNDS, "EPSG:27700").to_epsg() == 27700


@pytest.mark.parametrize("bounds", [BOUNDS, (14.9, 50.4, 16.5, 51.4)])  # a scene, a whole tile
def test_the_pages_polynomial_is_the_projection_to_centimetres(bounds):
    grid = coordinates.grid_of(32633, bounds)
    fit = coordinates.polynomial(grid, bounds)
    lon, lat = (np.random.default_rng(0).uniform(a, b, 500)
                for a, b in (bounds[::2], bounds[1::2]))
    x, y = (lon - fit["lon"]) / fit["scale"], (lat - fit["lat"]) / fit["scale"]
    told = [sum(c * x**i * y**j for c, (i, j) in zip(fit[k], fit["powers"], strict=True))
            for k in ("east", "north")]
    right = Transformer.from_crs(4326, grid, always_xy=True).transform(lon, lat)
    assert np.abs(np.array(told) - right).max() < 0.02
