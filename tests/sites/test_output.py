"""What is written: GeoPackage with styles, GeoJSON, CSV, sheets, overview."""

import json
import re
import sqlite3
import xml.etree.ElementTree as ET
from contextlib import closing
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import xarray as xr
from matplotlib.figure import Figure
from shapely.geometry import box

from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError
from lulc_lib.figures import sites as draw
from lulc_lib.figures.sites import MOST_VIEWS, evidence_sheet
from lulc_lib.sites.layer_style import ALIASES, observations_style, sites_style
from lulc_lib.sites.output import output_paths, write_sites
from lulc_lib.sites.registries import Registries
from lulc_lib.sites.rules import CATEGORIES, COLUMNS, assess_sites
from lulc_lib.sites.tracking import track_sites
from tests.sites.test_objects import FIELD, QUARRY, grid_map
from tests.sites.test_rules import DAYS, PIT, registries, table, tracks


@pytest.fixture
def assessed():
    """Tracks, registries and the assessed sites of one candidate."""
    tracked, layers = tracks(), registries(osm_quarries=table(PIT, name="Kopalnia <Nowa>"))
    return tracked, layers, assess_sites(tracked, layers)


def test_geopackage_holds_sites_observations_and_styles(assessed, tmp_path):
    tracked, _, sites = assessed
    paths = write_sites(tmp_path / "out.gpkg", sites, tracked.observations)
    assert paths == output_paths(tmp_path / "out.gpkg")
    read = gpd.read_file(paths["gpkg"], layer="sites")
    assert read.crs.to_epsg() == 32633 and read.site_id.tolist() == [1]
    assert list(read.columns) == ["site_id", *COLUMNS, "geometry"]
    assert read.reasons[0] == sites.reasons[1] and read.area_ha[0] == pytest.approx(4)
    assert read.geometry[0].equals(sites.geometry[1])
    views = gpd.read_file(paths["gpkg"], layer="observations")
    assert views.date.dt.date.tolist() == DAYS and len(views) == 4
    with closing(sqlite3.connect(paths["gpkg"])) as base:
        styles = base.execute("SELECT f_table_name, styleQML, useAsDefault FROM layer_styles")
        assert styles.fetchall() == [("sites", sites_style(), 1),
                                     ("observations", observations_style(d.year for d in DAYS), 1)]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "out.csv", "out.csvt", "out.geojson", "out.gpkg", "out.qml"]


def test_the_types_of_columns_do_not_hang_on_what_they_hold(assessed, tmp_path):
    """Days are dates, not text; a column without a value has the type that it always has."""
    tracked, _, sites = assessed
    bare = assess_sites(tracked, Registries())
    kinds = []
    for rows in (sites, bare, bare.iloc[:0]):
        path = write_sites(tmp_path / "out.gpkg", rows, tracked.observations)["gpkg"]
        info = pyogrio.read_info(path, layer="sites")
        kinds.append(dict(zip(info["fields"], info["ogr_types"], strict=True)))
    assert kinds[0] == kinds[1] == kinds[2]
    assert {kinds[0][c] for c in ("first_seen", "last_seen")} == {"OFTDate"}
    assert {kinds[0][c] for c in ("deposit", "mineral", "corine_code")} == {"OFTString"}
    assert kinds[0]["programme_category"] == "OFTInteger64"
    types = (tmp_path / "out.csvt").read_text().strip().replace('"', "").split(",")
    columns = pd.read_csv(tmp_path / "out.csv").columns
    assert dict(zip(columns, types, strict=True)) | {
        "first_seen": "Date", "seen_dates": "Integer", "lon": "CoordX", "lat": "CoordY",
        "area_ha": "Real", "deposit": "String"} == dict(zip(columns, types, strict=True))


def test_older_gdal_reads_the_geopackage_without_a_warning(assessed, tmp_path):
    """Its version, and a time stamp of the form that the standard asks for."""
    path = write_sites(tmp_path / "out.gpkg", assessed[2], assessed[0].observations)["gpkg"]
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (10200,)
        for (stamp,) in base.execute("SELECT update_time FROM layer_styles"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)


def test_geojson_is_in_degrees_and_csv_has_a_point_inside(assessed, tmp_path):
    tracked, _, sites = assessed
    paths = write_sites(tmp_path / "out.gpkg", sites, tracked.observations)
    content = json.loads(paths["geojson"].read_text())
    ring = np.array(content["features"][0]["geometry"]["coordinates"]).reshape(-1, 2)
    assert np.all((ring[:, 0] > 16) & (ring[:, 0] < 17) & (ring[:, 1] > 50) & (ring[:, 1] < 51))
    rows = pd.read_csv(paths["csv"], dtype={"corine_code": str})
    point = gpd.GeoSeries(gpd.points_from_xy(rows.lon, rows.lat), crs=4326).to_crs(sites.crs)
    assert point.within(sites.geometry.iloc[0]).all()
    exact = sites.to_crs(4326).geometry.representative_point().to_crs(sites.crs)
    assert point.distance(exact.iloc[0])[0] < 0.05  # metres
    assert rows.corine_code[0] == "211" and rows.status[0] == "candidate"


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@a", "＝1", "\n=1"])
def test_no_text_of_the_csv_is_a_formula_to_a_spreadsheet(assessed, tmp_path, start):
    tracked, _, sites = assessed
    sites = sites.assign(deposit=start, mining_area=f"a{start}", growth_low=-1.5)
    write_sites(tmp_path / "out.gpkg", sites, tracked.observations)
    row = pd.read_csv(tmp_path / "out.csv").iloc[0]
    assert (row.deposit, row.mining_area, row.growth_low) == (f"'{start}", f"a{start}", -1.5)
    assert gpd.read_file(tmp_path / "out.gpkg", layer="sites").deposit[0] == start


def test_styles_have_a_symbol_for_every_value_and_words_for_every_column():
    root = ET.fromstring(sites_style().split("\n", 1)[1])
    given = {c.get("value"): c.get("symbol") for c in root.iter("category")}
    drawn = {s.get("name") for s in root.find("renderer-v2").find("symbols")}
    assert set(given) == set(CATEGORIES) and set(given.values()) == drawn
    casing, line = [option.get("value") for option in
                    root.findall(".//symbol[@name='0']//Option[@name='outline_color']")]
    first = next(iter(CATEGORIES.values())).colour
    assert "#{:02x}{:02x}{:02x}".format(*map(int, line.split(",")[:3])) == first
    assert casing.startswith("255,255,255")
    assert {a.get("field") for a in root.iter("alias")} >= {"site_id", *COLUMNS}
    assert not any("_" in words for words in ALIASES.values())
    years = ET.fromstring(observations_style([2023, 2021, 2023]).split("\n", 1)[1])
    assert [c.get("value") for c in years.iter("category")] == ["2021", "2023"]


def test_no_site_is_written_as_empty_layers(tmp_path):
    empty = track_sites({DAYS[0]: grid_map(np.full((10, 10), FIELD, np.uint8))})
    sites = assess_sites(empty, Registries())
    paths = write_sites(tmp_path / "none.gpkg", sites, empty.observations)
    assert len(gpd.read_file(paths["gpkg"], layer="sites")) == 0
    assert len(pd.read_csv(paths["csv"])) == 0
    assert json.loads(paths["geojson"].read_text())["features"] == []


@pytest.mark.parametrize(("name", "message"), [
    ("out.shp", "must end in .gpkg"), ("there/out.gpkg", "no folder"), ("", "must end in .gpkg")])
def test_bad_output_is_refused(assessed, tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        write_sites(tmp_path / name, assessed[2], assessed[0].observations)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_files(assessed, tmp_path, monkeypatch):
    tracked, _, sites = assessed
    old = tmp_path / "out.gpkg"
    old.write_text("old")
    monkeypatch.setattr("lulc_lib.sites.output.sites_style", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_sites(old, sites, tracked.observations)
    assert old.read_text() == "old" and list(tmp_path.iterdir()) == [old]


def scene(day):
    """A scene of flat reflectance on the grid of the maps."""
    values = np.full((len(BANDS), 60, 60), 0.1, np.float32)
    grid = grid_map(np.zeros((60, 60), np.uint8))
    out = xr.DataArray(values, dims=("band", "y", "x"),
                       coords={"band": list(BANDS), "y": grid.y, "x": grid.x})
    return out.rio.write_crs(32633).rio.write_transform(grid.rio.transform())


@pytest.mark.parametrize("with_extras", [False, True])
def test_evidence_sheet_shows_every_view_and_reason(assessed, with_extras):
    tracked, layers, sites = assessed
    maps = {d: grid_map(np.full((60, 60), FIELD, np.uint8)) for d in DAYS}
    extras = ({d: scene(d) for d in DAYS}, {DAYS[-1]: maps[DAYS[-1]] * 0.0}) if with_extras else ()
    fig = evidence_sheet(sites.loc[1], tracked.observations, maps, layers.present, "#c8102e",
                         "Site 1", "caption", *extras)
    texts = [t.get_text() for ax in fig.axes for t in [ax.title, *ax.texts]] + [
        ax.get_title(loc="left") for ax in fig.axes]
    for day in DAYS:
        assert any(t.startswith(f"{day}\nopen, 4.0 ha") for t in texts)
    assert any("Outside any documented deposit" in t for t in texts)
    assert any("Quarry probability" in t for t in texts) == with_extras


def test_a_long_series_shows_some_dates_first_and_last_among_them():
    days = [date(2020 + n // 12, n % 12 + 1, 1) for n in range(30)]
    codes = np.full((60, 60), FIELD, np.uint8)
    codes[20:40, 20:40] = QUARRY
    maps = {d: grid_map(codes) for d in days}
    tracked = track_sites(maps)
    sites = assess_sites(tracked, Registries())
    fig = evidence_sheet(sites.loc[1], tracked.observations, maps, {}, "#c8102e", "t", "c")
    shown = [t for t in (ax.get_title(loc="left") for ax in fig.axes) if t.endswith("4.0 ha")]
    assert len(shown) == MOST_VIEWS
    assert shown[0].startswith("2020-01-01") and shown[-1].startswith("2022-06-01")


def test_overview_and_curves_draw_with_and_without_registries(assessed):
    tracked, layers, sites = assessed
    for given in (layers.present, {}):
        fig = draw.overview_map(sites, scene(DAYS[-1]), given, CATEGORIES, "title", "caption",
                                {1: "(A)"})
        assert isinstance(fig, Figure)
        assert "1 (A)" in [t.get_text() for t in fig.axes[0].texts]
        key = [" ".join(t.get_text().split()) for t in fig.legends[0].get_texts()]
        assert key[0].startswith("1 × candidate: extraction without a concession")
        assert ("mining area" in key) == bool(given)
    curves = tracks().sites.assign(grows=False)
    assert draw.area_curves(tracked.observations, curves, {1: "#c8102e"}, "t", "c")
    fig = draw.sizes({"one": [0.1, 0.4, 3.0], "none": []}, 0.5, "t", "c")
    said = [t.get_text() for t in fig.axes[0].texts]
    assert "1 left" in said and "none: no object" in said


def test_a_map_has_its_scale_and_corine_only_the_codes_that_occur(assessed):
    _, _, sites = assessed
    one = draw.overview_map(sites, scene(DAYS[-1]), {}, CATEGORIES, "t", "c")
    assert {"N", "500 m"} <= {t.get_text() for t in one.axes[0].texts}
    left, bottom, right, top = scene(DAYS[-1]).rio.bounds()
    middle = (left + right) / 2
    halves = [box(left, bottom, middle, top), box(middle, bottom, right, top)]
    corine = gpd.GeoDataFrame({"code": ["211", "112"]}, geometry=halves, crs=32633)
    fig = draw.corine_map(corine, {"211": "arable land", "112": "urban", "523": "sea"},
                          (left, bottom, right, top), "EPSG:32633", {}, {"A": sites.geometry[1]},
                          "t", "c")
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["112 urban", "211 arable land"]
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["", "Site A"]


@pytest.mark.parametrize("count", [3, 4])
def test_rule_curves_mark_the_setting_in_use(count):
    """With and without a panel to spare for the key."""
    tests = [f"test {n}" for n in range(count)]
    rows = pd.DataFrame([
        {"test": t, "level": v, "default": t == "test 1" and v == 30, "recall": 0.9,
         "precision": 0.8, **{f"{what}_{end}": 0.7 for what in ("recall", "precision")
                              for end in ("low", "high")}}
        for t in tests for v in (0, 30, 60)])
    fig = draw.rule_curves(rows, dict.fromkeys(tests, "metres"), dict.fromkeys(tests, "about"),
                           "t", "c")
    dotted = {ax for ax in fig.axes for line in ax.lines if line.get_linestyle() == ":"}
    assert len(dotted) == 1
    assert (fig.axes[1] in dotted) and list(fig.axes[1].lines[-1].get_xdata()) == [30, 30]
    spare = fig.axes[count:]
    assert bool(fig.legends) == (not spare) and all(ax.get_legend() for ax in spare[:1])
