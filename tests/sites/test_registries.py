"""Registry layers from files: every form that services, shapefiles and people give them."""

import datetime as dt
import json
import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import (
    GeometryCollection,
    LineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
    box,
)

from lulc_lib.errors import InputError
from lulc_lib.landscape import permits as planted
from lulc_lib.landscape.layout import make_layout
from lulc_lib.landscape.plan import SITES
from lulc_lib.sites.layers import LAYERS, find_column, fold, parse_date
from lulc_lib.sites.registries import (
    Provenance,
    Registries,
    provenance_path,
    read_provenance,
    read_registries,
    valid_on,
)

CRS = "EPSG:32633"
X, Y = 586_000, 5_650_000
DAY = dt.date(2023, 7, 9)
POLISH = "Żwirownia Gęś – złoże Ćmielów"


def square(east=0, north=0, side=100):
    """A square, metres from a corner near Strzegom."""
    return box(X + east, Y + north, X + east + side, Y + north + side)


def areas(shapes, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=CRS)


def write(path, table, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.write_dataframe(table, path, **options)


def read(folder, **options):
    return read_registries(folder, CRS, **options)


# --- dates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "day"), [
    ("09/07/2023", DAY), ("9.7.2023", DAY), ("09-07-2023", DAY), (" 09.07.2023 r. ", DAY),
    ("09.07.2023r.", DAY), ("09.07.2023 00:00:00", DAY), ("2023-07-09", DAY), ("2023/07/09", DAY),
    ("2023-07-09T12:30:00", DAY), ("2023-07-09T12:30:00.000Z", DAY), ("20230709", DAY),
    (20230709, DAY), ("2023-07-08T22:00:00Z", DAY), ("2023-07-09T00:00:00+02:00", DAY),
    ("2023/07/09 00:00:00+00", DAY), (dt.datetime(2023, 7, 9, 23, 59), DAY),
    (pd.Timestamp("2023-07-09"), DAY), (np.datetime64("2023-07-09T10"), DAY), (DAY, DAY),
    (1688860800000, DAY), (1688860800000.0, DAY), ("1688860800000", DAY), (1688853600000, DAY),
    (1688903999000, DAY), (0, dt.date(1970, 1, 1)), (-86_400_000, dt.date(1969, 12, 31)),
    (-1_000_000_000_000, dt.date(1938, 4, 24)), ("-86400000", dt.date(1969, 12, 31)),
    ("31.12.9999", dt.date(9999, 12, 31)), (253402214400000, dt.date(9999, 12, 31)),
    ("29.02.2024", dt.date(2024, 2, 29)), ("01/02/2003", dt.date(2003, 2, 1)),
])
def test_dates_in_every_form(value, day):
    assert parse_date(value) == (day, "day")


@pytest.mark.parametrize(("value", "kind"), [
    (None, "empty"), ("", "empty"), ("  ", "empty"), ("-", "empty"), ("brak", "empty"),
    (float("nan"), "empty"), (pd.NaT, "empty"), (np.datetime64("NaT"), "empty"),
    ("<Null>", "empty"), ("bezterminowo", "open"), ("Bezterminowa", "open"),
    ("na czas nieokreślony", "open"), ("CZAS NIEOZNACZONY", "open"), ("do odwołania", "open"),
    ("12/31/2023", "unreadable"), ("31.12.23", "unreadable"), ("30.02.2023", "unreadable"),
    ("29.02.2023", "unreadable"), ("2023", "unreadable"), (2023, "unreadable"),
    (12345, "unreadable"), ("01.02/2023", "unreadable"), ("lipiec", "unreadable"),
    ("09.07.2023 albo później", "unreadable"), (1e30, "unreadable"), (float("inf"), "unreadable"),
    (True, "unreadable"), (12.5, "unreadable"), ("2023-07-09T25:00:00Z", "unreadable"),
])
def test_what_is_no_day_says_why(value, kind):
    assert parse_date(value) == (None, kind)


@given(st.dates(dt.date(1800, 1, 1), dt.date(2400, 12, 31)))
def test_every_day_survives_every_form(day):
    forms = [f"{day:%d}/{day:%m}/{day.year:04}", f"{day.day}.{day.month}.{day.year}",
             day.isoformat(), f"{day.isoformat()}T00:00:00Z", day.strftime("%Y%m%d"),
             (day - dt.date(1970, 1, 1)).days * 86_400_000]
    assert {parse_date(form).day for form in forms} == {day}


@given(st.text(max_size=30) | st.integers() | st.floats())
def test_no_value_breaks_the_parser(value):
    parsed = parse_date(value)
    assert (parsed.day is not None) == (parsed.kind == "day")


# --- names ---------------------------------------------------------------------------------


def test_columns_by_any_case_diacritics_and_shapefile_width():
    assert find_column(["Nazwa_Złoża"], ["nazwa_zloza"]) == "Nazwa_Złoża"
    assert find_column(["DATA_WAZNO"], LAYERS["mining_areas"].fields["valid_to"]) == "DATA_WAZNO"
    assert find_column(["Code_12", "CODE_18"], LAYERS["corine"].fields["code"]) == "CODE_18"
    assert find_column(["OTHER"], ["name"]) is None
    assert fold("ŁĄKI Górnicze") == "laki gornicze"


# --- the planted registries ----------------------------------------------------------------


@pytest.fixture(scope="module")
def layout():
    return make_layout(0, next(site for site in SITES if site.quarries))


@pytest.fixture(scope="module", params=["gpkg", "geojson", "shp"])
def planted_folder(request, layout, tmp_path_factory):
    """The synthetic registries as each of the three formats, points as CSV."""
    folder = tmp_path_factory.mktemp(request.param)
    tables = planted.mining_registries(0, layout) | {
        "corine": planted.corine(layout), "osm_quarries": planted.osm_quarries(0, layout)}
    for name, table in tables.items():
        # GeoJSON is in degrees; what is in another CRS must survive the way there and back
        table = table.to_crs(4326) if request.param == "geojson" else table
        write(folder / f"{name}.{request.param}", table)
    planted.monitoring_points(0, layout).to_csv(folder / "monitoring_points.csv", index=False)
    return folder


def test_planted_registries_read_the_same_from_every_format(planted_folder, layout):
    registries = read(planted_folder)
    licensed = [p for p in layout.pits if p.category in planted.LICENSED_KINDS]
    assert registries.missing == ()
    assert list(registries.mining_areas.columns) == [
        "name", "valid_from", "valid_to", "status", "source", "geometry"]
    names = [f"{planted.PLACE} {p.site_id}" for p in licensed]
    assert registries.mining_areas.name.tolist() == names
    for shape, pit in zip(registries.mining_areas.geometry, licensed, strict=True):
        assert shape.symmetric_difference(planted._permitted(pit)).area < 0.01
    assert registries.deposits.name.str.endswith(" - złoże").all()
    assert set(registries.deposits.mineral) <= set(planted.MINERALS)
    assert {"131", "211", "112"} <= set(registries.corine.code)
    assert all(isinstance(d, dt.date) for d in registries.mining_areas.valid_from)
    points = planted.monitoring_points(0, layout)
    assert np.allclose(registries.monitoring_points.geometry.x, points.x)
    assert registries.monitoring_points.category.tolist() == points.category.astype(str).tolist()
    assert all(getattr(registries, name).crs == CRS for name in LAYERS)


def test_areas_count_only_while_valid(planted_folder, layout):
    registries = read(planted_folder).mining_areas
    fields = planted.mining_registries(0, layout)["mining_areas"]
    since = pd.to_datetime(fields.DATA_USTANOWIENIA, format="%d.%m.%Y")
    until = pd.to_datetime(fields.DATA_WAZNOSCI, format="%d.%m.%Y")
    for day in (dt.date(2009, 1, 1), DAY, dt.date(2029, 5, 5), dt.date(2060, 1, 1)):
        inside = (since <= pd.Timestamp(day)) & (pd.Timestamp(day) <= until)
        assert valid_on(registries, day).name.tolist() == fields.NAZWA_OG[inside].tolist()


def test_bounds_keep_what_touches_them_whole(planted_folder):
    everything = read(planted_folder).deposits
    first = everything.geometry.iloc[0]
    left, bottom, *_ = first.bounds
    near = read(planted_folder, bounds=(left - 50, bottom - 50, left + 30, first.bounds[3]))
    touched = everything[everything.intersects(
        box(left - 50, bottom - 50, left + 30, first.bounds[3]))]
    assert near.deposits.name.tolist() == touched.name.tolist()
    assert near.deposits.area.round(3).tolist() == touched.area.round(3).tolist()


# --- validity ------------------------------------------------------------------------------


def table(rows):
    return gpd.GeoDataFrame(rows, columns=["valid_from", "valid_to", "status"],
                            geometry=[square()] * len(rows), crs=CRS)


@pytest.mark.parametrize(("begin", "end", "status", "valid"), [
    (dt.date(2020, 1, 1), dt.date(2030, 1, 1), "aktualny", True),
    (DAY, DAY, "aktualny", True),
    (dt.date(2023, 7, 10), None, "aktualny", False),
    (None, dt.date(2023, 7, 8), "aktualny", False),
    (None, None, None, True),
    (None, None, "Aktualny", True),
    (dt.date(2020, 1, 1), dt.date(2024, 1, 1), "zniesiony", True),
    (dt.date(2020, 1, 1), None, "zniesiony", False),
    (None, None, "nieaktualny", False),
])
def test_dates_decide_and_the_status_only_where_there_is_no_last_day(begin, end, status, valid):
    assert len(valid_on(table([(begin, end, status)]), DAY)) == valid


def test_valid_on_of_nothing_is_nothing():
    assert valid_on(table([]), DAY).empty


# --- notes and repairs ---------------------------------------------------------------------


def test_bad_shapes_are_repaired_or_dropped_and_told(tmp_path):
    bow = Polygon([(X, Y), (X + 100, Y + 100), (X + 100, Y), (X, Y + 100)])
    spike = GeometryCollection([square(500), LineString([(X, Y), (X + 9, Y)])])
    shapes = [square(), bow, None, Polygon(), spike, LineString([(X, Y), (X + 5, Y)])]
    write(tmp_path / "deposits.gpkg", areas(shapes, NAZWA_ZLOZA=list("abcdef")),
          geometry_type="Unknown")
    registries = read(tmp_path)
    assert registries.deposits.name.tolist() == ["a", "b", "e"]
    assert registries.deposits.is_valid.all()
    assert registries.deposits.area.round().tolist() == [10_000, 5_000, 10_000]
    told = " | ".join(registries.notes)
    assert "1 row with an invalid shape repaired (Self-intersection)" in told
    assert "2 rows without a shape dropped" in told
    assert "1 row dropped: not a polygon" in told
    assert registries.unplaced == {"deposits": 3}  # of the line, too, no ground is known


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp"])
def test_rows_that_state_no_place_are_counted_whatever_the_map_shows(tmp_path, ending):
    """Neither a null shape, nor an empty one, nor 0, 0 lies in a map's bounds."""
    shapes = [square(), None, Polygon(), Polygon([(0, 0)] * 4), square(90_000)]
    write(tmp_path / f"mining_areas.{ending}", areas(shapes, NAZWA_OBSZARU=list("abcde")))
    bounds = (X - 100, Y - 100, X + 1000, Y + 1000)
    registries = read(tmp_path, bounds=bounds, coverage_m=1000)
    assert registries.mining_areas.name.tolist() == ["a"]
    assert registries.unplaced == {"mining_areas": 3}
    assert "mining_areas: 3 rows may cover any ground" in " | ".join(registries.notes)


@pytest.mark.parametrize(("shape", "crs"), [
    (square().exterior, "EPSG:32633"), (square().centroid, "EPSG:32633"),
    (Polygon([(X, Y), (X + 50, Y), (X + 100, Y)]), "EPSG:32633"),
    (Polygon([(15, 50), (15, 52), (105, 52), (105, 0)]), "EPSG:4326")])
def test_a_permit_whose_ground_is_not_known_may_be_anywhere(tmp_path, shape, crs):
    """Drawn as a line, a point, without an area, or with a corner that the map's CRS cannot place.

    No site lies outside what is not known.
    """
    there = gpd.GeoSeries([square(5000)], crs="EPSG:32633").to_crs(crs).iloc[0]
    table = gpd.GeoDataFrame({"NAZWA_OBSZARU": ["a", "b"]}, geometry=[there, shape], crs=crs)
    write(tmp_path / "mining_areas.gpkg", table, geometry_type="Unknown")
    bounds = (X - 100, Y - 100, X + 1000, Y + 1000)
    registries = read(tmp_path, bounds=bounds, coverage_m=10_000)
    assert registries.mining_areas.name.tolist() == ["a"]
    assert registries.unplaced == {"mining_areas": 1}


def test_repair_merges_what_overlaps_and_does_not_cut_it_out(tmp_path):
    overlap = MultiPolygon([square(), square(50)])
    nested = MultiPolygon([square(), square(20, 20, 20)])
    hole_across = Polygon(square().exterior, [square(50).exterior])
    two_holes = Polygon(square().exterior, [square(10, 10, 40).exterior,
                                            square(30, 30, 40).exterior])
    write(tmp_path / "deposits.gpkg", areas([overlap, nested, hole_across, two_holes]))
    registries = read(tmp_path)
    assert registries.deposits.area.round().tolist() == [15_000, 10_000, 5_000, 7_200]
    assert "4 rows with an invalid shape repaired" in registries.notes[0]


def test_heights_are_left_out(tmp_path):
    write(tmp_path / "deposits.gpkg", areas([Polygon([(X, Y, 5), (X + 9, Y, 5), (X, Y + 9, 5)])]))
    assert not read(tmp_path).deposits.has_z.any()


def test_exact_copies_count_once_and_other_validity_is_no_copy(tmp_path):
    columns = {"NAZWA_OG": ["a"] * 3, "DATA_WAZNOSCI": ["1.1.2025", "01.01.2025", "1.1.2030"]}
    write(tmp_path / "mining_areas.gpkg", areas([square(), square().normalize(), square()],
                                                **columns))
    registries = read(tmp_path)
    assert len(registries.mining_areas) == 2
    assert "mining_areas: 1 row dropped: exact copies of others" in registries.notes


def test_unknown_dates_are_open_and_told(tmp_path):
    columns = {"NAZWA_OG": list("abcd"), "STATUS": ["aktualny"] * 2 + ["zniesiony"] * 2,
               "DATA_USTANOWIENIA": ["01.01.2000", None, "wiosna", "01.01.2030"],
               "DATA_WAZNOSCI": ["bezterminowo", "", "31.12.2040", "01.01.2020"]}
    write(tmp_path / "mining_areas.gpkg", areas(map(square, (0, 200, 400, 600)), **columns))
    registries = read(tmp_path)
    assert registries.mining_areas.valid_from.tolist() == [
        dt.date(2000, 1, 1), None, None, dt.date(2030, 1, 1)]
    assert registries.mining_areas.valid_to.tolist() == [
        None, None, dt.date(2040, 12, 31), dt.date(2020, 1, 1)]
    told = " | ".join(registries.notes)
    assert "1 of 4 dates in DATA_USTANOWIENIA are not understood" in told and "'wiosna'" in told
    assert "1 of 4 rows without valid_from in DATA_USTANOWIENIA: that side is open" in told
    assert "1 of 4 rows without valid_to in DATA_WAZNOSCI: that side is open" in told
    assert "1 row with an end before the beginning: valid on no day" in told
    assert "2 rows with status 'zniesiony': valid until the last day stated" in told
    assert valid_on(registries.mining_areas, DAY).name.tolist() == ["a", "b", "c"]


def test_no_column_of_dates_at_all(tmp_path):
    write(tmp_path / "mining_areas.gpkg", areas([square()], NAZWA_OG=["a"]))
    registries = read(tmp_path)
    assert "as there is no column for valid_to: that side is open" in " | ".join(registries.notes)
    assert len(valid_on(registries.mining_areas, DAY)) == 1


def test_date_types_of_the_formats(tmp_path):
    stamps = pd.to_datetime(["2020-01-01", None])
    far = np.array(["9999-12-31", "2019-05-05"], dtype="datetime64[ms]")
    write(tmp_path / "mining_areas.gpkg", areas(
        [square(), square(200)], DATA_USTANOWIENIA=stamps, DATA_WAZNOSCI=far))
    epoch = areas([square(), square(200)], DATA_USTANOWIENIA=[-86_400_000, 1577836800000],
                  DATA_WAZNOSCI=[4102444800000.0, np.nan])
    write(tmp_path / "mining_terrains.geojson", epoch.to_crs(4326))
    registries = read(tmp_path)
    assert registries.mining_areas.valid_from.tolist() == [dt.date(2020, 1, 1), None]
    assert registries.mining_areas.valid_to.tolist() == [dt.date(9999, 12, 31), dt.date(2019, 5, 5)]
    assert registries.mining_terrains.valid_from.tolist() == [dt.date(1969, 12, 31),
                                                         dt.date(2020, 1, 1)]
    assert registries.mining_terrains.valid_to.tolist() == [dt.date(2100, 1, 1), None]


def test_corine_codes_as_text_number_or_nothing(tmp_path):
    for suffix, codes in (("gpkg", [131.0, np.nan]), ("shp", ["131", "?"]), ("geojson", [131, 5])):
        folder = tmp_path / suffix
        folder.mkdir()
        shapes = areas([square(), square(200)], Code_18=codes)
        write(folder / f"corine.{suffix}", shapes.to_crs(4326) if suffix == "geojson" else shapes)
        registries = read(folder)
        assert registries.corine.code.tolist() == ["131"]
        assert "corine: 1 row without code dropped" in registries.notes


# --- text ----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "cp1250"])
@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("language", [0x00, 0x57, 0xC8])
def test_polish_text_of_shapefiles(tmp_path, encoding, stated, language):
    if language == 0xC8 and not stated and encoding == "utf-8":
        pytest.skip("a file that states Windows-1250 is in Windows-1250")
    write(tmp_path / "deposits.shp", areas([square()], NAZWA_ZLOZA=[POLISH], KOPALINA=["iły"]),
          driver="ESRI Shapefile", encoding=encoding)
    if not stated:
        (tmp_path / "deposits.cpg").unlink()
    dbf = bytearray((tmp_path / "deposits.dbf").read_bytes())
    dbf[29] = language
    (tmp_path / "deposits.dbf").write_bytes(dbf)
    registries = read(tmp_path)
    assert (registries.deposits.name[0], registries.deposits.mineral[0]) == (POLISH, "iły")
    guessed = not stated and language != 0xC8
    assert any("does not state its encoding" in note for note in registries.notes) == guessed


def test_shapefile_names_are_cut_to_ten(tmp_path):
    columns = {"NAZWA_OG": ["a"], "DATA_USTANOWIENIA": ["01.01.2000"],
               "DATA_WAZNOSCI": ["01.01.2030"], "STATUS": ["aktualny"]}
    write(tmp_path / "mining_areas.shp", areas([square()], **columns), driver="ESRI Shapefile")
    assert "DATA_USTAN" in pyogrio.read_info(tmp_path / "mining_areas.shp")["fields"]
    row = read(tmp_path).mining_areas.iloc[0]
    assert (row.valid_from, row.valid_to) == (dt.date(2000, 1, 1), dt.date(2030, 1, 1))


def test_names_in_any_case(tmp_path):
    write(tmp_path / "Deposits.shp", areas([square()], nazwa_zloza=["a"]), driver="ESRI Shapefile")
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_suffix(path.suffix.upper()))
    registries = read(tmp_path)
    assert registries.deposits.name.tolist() == ["a"]
    assert registries.deposits.source.tolist() == ["Deposits.SHP"]


# --- points --------------------------------------------------------------------------------


def points(tmp_path, text, encoding="utf-8"):
    (tmp_path / "monitoring_points.csv").write_bytes(text.encode(encoding))
    return read(tmp_path)


def test_points_in_degrees(tmp_path):
    place = gpd.GeoSeries([Point(X, Y)], crs=CRS).to_crs(4326).iloc[0]
    registries = points(tmp_path, f"Nazwa;Data;LAT;Lon\n{POLISH};09.07.2023;"
                             f"{str(place.y).replace('.', ',')};{str(place.x).replace('.', ',')}\n")
    row = registries.monitoring_points.iloc[0]
    assert row.geometry.distance(Point(X, Y)) < 0.01
    assert (row["name"], row.date) == (POLISH, DAY)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1250"])
def test_points_in_the_maps_crs_or_the_stated_one(tmp_path, encoding):
    registries = points(tmp_path, f"name,x,y\n{POLISH},{X},{Y}\n", encoding)
    assert registries.monitoring_points.geometry.iloc[0] == Point(X, Y)
    assert registries.monitoring_points.name[0] == POLISH
    assert any("taken in the map's, EPSG:32633" in note for note in registries.notes)
    there = gpd.GeoSeries([Point(X, Y)], crs=CRS).to_crs(2180).iloc[0]
    for stated in ("2180", "EPSG:2180"):
        registries = points(tmp_path, f"x\ty\tcrs\n{there.x}\t{there.y}\t{stated}\n")
        assert registries.monitoring_points.geometry.iloc[0].distance(Point(X, Y)) < 0.01
        assert registries.notes == ()


def test_points_without_place_are_dropped_and_told(tmp_path):
    registries = points(tmp_path, f"name,x,y\na,{X},{Y}\nb,,\nc,?,5\n")
    assert registries.monitoring_points.name.tolist() == ["a"]
    assert "monitoring_points: 2 rows without a shape dropped" in registries.notes


def test_multipoints_are_single_points(tmp_path):
    pair = MultiPoint([(X, Y), (X + 5, Y)])
    write(tmp_path / "monitoring_points.gpkg", areas([pair], NAZWA=["a"]))
    registries = read(tmp_path).monitoring_points
    assert registries.geom_type.tolist() == ["Point"] * 2 and registries.name.tolist() == ["a"] * 2


@pytest.mark.parametrize(("text", "rule"), [
    ("name,x\na,5\n", "points need the columns x and y, or lon and lat; it has name, x"),
    ("lon,lat\n586000,5650000\n", "longitude 586000 is beyond 180 degrees"),
    ("lon,lat\n16.4,95\n", "latitude 95 is beyond 90 degrees"),
    ("x,y\n16.4,50.9\n", "looks like degrees"),
    ("x,y,crs\n1,2,EPSG:2180\n3,4,EPSG:2178\n", "states 2 CRS"),
    ("x,y,crs\n1,2,EPSG:0\n", "must be a CRS such as EPSG:2180"),
    ("", "cannot be read as CSV"),
])
def test_points_that_cannot_be_placed(tmp_path, text, rule):
    with pytest.raises(InputError, match=r"monitoring_points\.csv") as error:
        points(tmp_path, text)
    assert rule in str(error.value)


# --- refused -------------------------------------------------------------------------------


def test_two_files_for_one_layer(tmp_path):
    for suffix in ("gpkg", "shp"):
        write(tmp_path / f"deposits.{suffix}", areas([square()]))
    with pytest.raises(InputError, match=r"holds deposits\.gpkg and deposits\.shp"):
        read(tmp_path)


def test_no_crs(tmp_path):
    write(tmp_path / "deposits.shp", areas([square()]), driver="ESRI Shapefile")
    (tmp_path / "deposits.prj").unlink()
    with pytest.raises(InputError, match=r"deposits\.shp: has no CRS \(a shapefile has it in a"):
        read(tmp_path)


def test_a_crs_of_no_place(tmp_path):
    write(tmp_path / "deposits.gpkg", areas([square()]).set_crs(
        'LOCAL_CS["site grid",UNIT["m",1]]', allow_override=True))
    with pytest.raises(InputError, match=r"its CRS is .*must be in a geographic or a projected"):
        read(tmp_path)


def test_metres_in_a_file_of_degrees(tmp_path):
    shapes = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {}, "geometry": square().__geo_interface__}]}
    (tmp_path / "deposits.geojson").write_text(json.dumps(shapes))
    with pytest.raises(InputError, match="longitude 586000 is beyond 180 degrees"):
        read(tmp_path)


@pytest.mark.parametrize(("name", "shape", "rule"), [
    ("deposits", Point(X, Y), "holds Point; deposits must be polygons"),
    ("corine", LineString([(X, Y), (X + 1, Y)]), "holds LineString; corine must be polygons"),
    ("monitoring_points", square(), "holds Polygon; monitoring_points must be points"),
])
def test_wrong_shapes(tmp_path, name, shape, rule):
    write(tmp_path / f"{name}.gpkg", areas([shape], Code_18=["131"]))
    with pytest.raises(InputError, match=rule):
        read(tmp_path)


def test_corine_without_codes(tmp_path):
    write(tmp_path / "corine.gpkg", areas([square()], AREA=[1]))
    with pytest.raises(InputError, match=r"corine\.gpkg: no column of corine holds the code; it "
                                         "has AREA"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["deposits.gpkg", "deposits.geojson", "deposits.shp"])
@pytest.mark.parametrize("body", [b"", b"not a map", b"{\"type\": \"FeatureColl"])
def test_unreadable_files(tmp_path, name, body):
    (tmp_path / name).write_bytes(body)
    with pytest.raises(InputError, match=name):
        read(tmp_path)


def test_half_a_shapefile(tmp_path):
    write(tmp_path / "deposits.shp", areas([square()]), driver="ESRI Shapefile")
    (tmp_path / "deposits.shx").unlink()
    with pytest.raises(InputError, match=r"copy them all"):
        read(tmp_path)


def test_several_layers_in_one_geopackage(tmp_path):
    path = tmp_path / "deposits.gpkg"
    for layer in ("a", "b"):
        write(path, areas([square()], NAZWA=[layer]), layer=layer)
    with pytest.raises(InputError, match=r"has 2 layers \(a, b\)"):
        read(tmp_path)
    write(path, areas([square()], NAZWA=["right"]), layer="deposits")
    assert read(tmp_path).deposits.name.tolist() == ["right"]


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:2263", "nonsense"])
def test_the_maps_crs_must_be_metric(tmp_path, crs):
    with pytest.raises(InputError, match="crs is"):
        read_registries(tmp_path, crs)


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read(tmp_path / "absent")


# --- nothing there -------------------------------------------------------------------------


def test_an_empty_folder_misses_everything(tmp_path):
    registries = read(tmp_path)
    assert registries == Registries()
    assert registries.missing == tuple(LAYERS) and registries.present == {}


def test_files_in_other_formats_are_named(tmp_path):
    (tmp_path / "deposits.zip").write_bytes(b"PK")
    (tmp_path / "notes.txt").write_text("mine")
    assert read(tmp_path).notes == (
        "deposits.zip is not read; deposits must be .gpkg or .geojson or .shp",)


def test_a_file_that_is_called_like_no_layer_is_named(tmp_path):
    """A folder with obszary_gornicze.geojson has mining areas, under a name that is not known."""
    write(tmp_path / "deposits.geojson", areas([square()]).to_crs(4326))
    for name in ("obszary_gornicze.geojson", "zloza.shp", "zloza.dbf", "notes.txt",
                 "corine.source.json", "a\x1b[31m.zip"):
        (tmp_path / name).write_text("")
    (said,) = [n for n in read(tmp_path).notes if "no layer is called so" in n]
    assert said.startswith("not read, as no layer is called so: a\x1b[31m.zip, "
                           "obszary_gornicze.geojson, zloza.shp; layers are deposits, mining_areas")


def test_control_characters_of_a_registry_are_made_visible(tmp_path):
    """A name reaches terminals, tables and pages: it must not clear or colour them."""
    named = "Nowa\x1b[2J\u202e kopalnia\x07"
    write(tmp_path / "deposits.geojson", areas([square()], NAZWA_ZLOZA=[named]).to_crs(4326))
    assert read(tmp_path).deposits.name.tolist() == ["Nowa\\u001b[2J\\u202e kopalnia\\u0007"]


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
def test_a_layer_without_rows_is_known_to_be_empty(tmp_path, suffix):
    columns = {"NAZWA_OG": pd.Series([], dtype=str), "DATA_WAZNOSCI": pd.Series([], dtype=str)}
    write(tmp_path / f"mining_areas.{suffix}", areas([], **columns).to_crs(4326),
          geometry_type="Polygon")
    registries = read(tmp_path)
    assert registries.mining_areas.empty and "mining_areas" not in registries.missing
    assert list(registries.mining_areas.columns)[-1] == "geometry"
    assert registries.mining_areas.crs == CRS
    assert valid_on(registries.mining_areas, DAY).empty


def test_a_layer_of_elsewhere_is_told(tmp_path):
    write(tmp_path / "deposits.gpkg", areas([square(50_000)]))
    registries = read(tmp_path, bounds=square(side=4000).bounds)
    assert registries.deposits.empty and "has nothing on the map" in registries.notes[0]


# --- provenance ----------------------------------------------------------------------------


def fetched(tmp_path, west_south_east_north):
    import hashlib

    path = tmp_path / "deposits.geojson"
    write(path, areas([square()], NAZWA_ZLOZA=["a"]).to_crs(4326))
    provenance = Provenance("http://127.0.0.1/x", "Złoża", west_south_east_north,
                       "2026-03-01T10:00:00+00:00", 1, "PIG-PIB", "public",
                       hashlib.sha256(path.read_bytes()).hexdigest())
    provenance_path(path).write_text(provenance.text(), encoding="utf-8")
    return path, provenance


def test_a_fetched_layer_says_where_it_comes_from(tmp_path):
    path, provenance = fetched(tmp_path, (16, 50, 17, 52))
    assert read_provenance(path) == provenance
    registries = read(tmp_path, bounds=square().bounds)
    assert registries.deposits.source.tolist() == ["PIG-PIB, fetched 2026-03-01"]


def test_a_layer_fetched_for_another_area_is_missing(tmp_path):
    fetched(tmp_path, (10, 50, 11, 52))
    registries = read(tmp_path, bounds=square().bounds)
    assert registries.deposits is None and "deposits" in registries.missing
    assert "does not cover the map" in registries.notes[0]
    assert read(tmp_path).deposits is not None


def test_a_changed_file_is_the_users_own(tmp_path):
    path, _ = fetched(tmp_path, (10, 50, 11, 52))
    path.write_text(path.read_text() + "\n")
    assert read_provenance(path) is None
    assert read(tmp_path, bounds=square().bounds).deposits.source.tolist() == ["deposits.geojson"]


@pytest.mark.parametrize("change", [
    None, {"bounds": [1, 2]}, {"fetched": "yesterday"}, {"fetched": "2026-03-01"}, {"odd": 1}])
def test_a_broken_provenance_is_named(tmp_path, change):
    path, _ = fetched(tmp_path, (16, 50, 17, 52))
    stored = json.loads(provenance_path(path).read_text())
    provenance_path(path).write_text("{" if change is None else json.dumps(stored | change))
    with pytest.raises(InputError, match=r"deposits\.source\.json: cannot be read"):
        read(tmp_path)


# --- area of use ---------------------------------------------------------------------------


def country(crs):
    """Mining areas all over Poland, one of them at the map, in any CRS."""
    corners = [Point(lon, lat) for lon, lat in ((14.3, 52.5), (24.0, 50.9), (18.3, 54.8),
                                                (19.9, 49.3))]
    points = [*gpd.GeoSeries(corners, crs=4326).to_crs(CRS), Point(X, Y)]
    table = areas([p.buffer(200) for p in points], NAZWA_OG=list("ABCDE"), STATUS="aktualny")
    return table.to_crs(crs)


def exchanged(table):
    return table.set_geometry(table.geometry.map(
        lambda shape: shapely.transform(shape, lambda xy: xy[:, ::-1])))


@pytest.mark.parametrize("crs", [2180, CRS, 4258])
@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
def test_northing_and_easting_exchanged_are_refused_by_name(tmp_path, crs, suffix):
    """The licensed pit would be the first candidate: its permit lies hundreds of km away."""
    if suffix == "geojson" and crs == 4258:
        pytest.skip("GeoJSON in degrees is WGS 84, whose area of use is the world")
    path = tmp_path / f"mining_areas.{suffix}"
    write(path, exchanged(country(crs)))
    with pytest.raises(InputError, match=rf"mining_areas.{suffix}: its extent, .* leaves the "
                                         "area of use of its CRS.* with x and y exchanged"):
        read(tmp_path, bounds=(X, Y, X + 4000, Y + 4000), coverage_m=25_000)


def test_a_country_in_its_own_crs_and_in_one_zone_is_read(tmp_path):
    for crs, said in ((2180, False), (CRS, True)):
        write(tmp_path / "mining_areas.gpkg", country(crs))
        found = read(tmp_path, bounds=(X, Y, X + 4000, Y + 4000), coverage_m=25_000)
        assert list(found.mining_areas["name"]) == ["E"]
        assert any("leaves the area of use" in note for note in found.notes) == said


def test_a_layer_of_another_part_of_the_world_is_refused(tmp_path):
    there = country(2180)
    there.geometry = there.translate(3e6, 2e6)
    write(tmp_path / "mining_areas.gpkg", there)
    with pytest.raises(InputError, match="not in the CRS that it states"):
        read(tmp_path)


def test_points_with_x_and_y_exchanged_are_refused(tmp_path):
    (tmp_path / "monitoring_points.csv").write_text(f"x,y,crs\n{Y},{X},EPSG:32633\n")
    with pytest.raises(InputError, match=r"monitoring_points.csv.*x and y exchanged"):
        read(tmp_path)
