"""Facts, rules and reasons on small made-up places, the paper's two cases among them."""

from dataclasses import replace
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import Point, box

from lulc_lib import legend
from lulc_lib.sites import rules
from lulc_lib.sites.evidence import confirmed, gather_facts, overrun_of
from lulc_lib.sites.registries import Registries, read_registries
from lulc_lib.sites.rules import (
    CATEGORIES,
    COLUMNS,
    SEPARATOR,
    assess_sites,
    corine_names,
    quarry_codes,
)
from lulc_lib.sites.settings import Settings
from lulc_lib.sites.tracking import track_sites, with_applicability
from tests.sites.test_objects import FIELD, QUARRY, grid_map

CRS = "EPSG:32633"
DAYS = [date(2020, 6, 1), date(2021, 6, 1), date(2022, 6, 1), date(2023, 6, 1)]
PIT = box(600_200, 5_599_600, 600_400, 5_599_800)  # rows and columns 20–40 of the map: 4 ha
PIXELS = np.s_[20:40, 20:40]


def tracks(*open_on, grow=0):
    """A pit of 4 ha that is open on the given days of DAYS; it widens eastward by ``grow``
    pixels a date."""
    maps = {}
    for number, day in enumerate(DAYS):
        codes = np.full((60, 60), FIELD, np.uint8)
        if not open_on or day in open_on:
            codes[20:40, 20:40 + grow * number] = QUARRY
        maps[day] = grid_map(codes)
    return track_sites(maps)


def table(*shapes, **columns):
    """A registry layer: shapes and columns of one value each or a list."""
    count = len(shapes)
    values = {k: v if isinstance(v, list) else [v] * count for k, v in columns.items()}
    values.setdefault("name", [None] * count)
    return gpd.GeoDataFrame(values | {"source": ["test"] * count}, geometry=list(shapes), crs=CRS)


def areas(*shapes, since=date(2000, 1, 1), until=date(2040, 1, 1), name="Strzegom"):
    return table(*shapes, valid_from=since, valid_to=until, status="aktualny", name=name)


FAR = box(601_500, 5_598_000, 601_600, 5_598_100)


def registries(**layers):
    """All six layers; those not given hold one shape far away, land cover is arable."""
    layers = {
        "deposits": table(FAR, mineral="granity"), "mining_areas": areas(FAR),
        "mining_terrains": areas(FAR), "osm_quarries": table(FAR),
        "corine": table(box(590_000, 5_590_000, 610_000, 5_610_000), code="211"),
        "monitoring_points": table(FAR.centroid, date=None, category="1")} | layers
    return Registries(**layers)


def assessed(tracked=None, settings=None, **layers):
    """The one assessed site."""
    out = assess_sites(tracked or tracks(), registries(**layers), settings)
    assert len(out) == 1
    return out.iloc[0]


# --- the paper's two cases ------------------------------------------------------------------

def test_case_a_outside_any_deposit_known_to_monitoring_and_stopped():
    point = table(Point(600_420, 5_599_700), name="MOEK 7", date=None, category="1")
    site = assessed(tracks(*DAYS[:2]), monitoring_points=point)
    assert (site.status, site.category) == ("candidate", "outside_deposit")
    assert site.programme_category == 1
    assert site.corine_code == "211" and site.share_in_deposit == 0
    assert site.monitoring_distance_m == pytest.approx(20)
    for words in ("outside any documented deposit", "CORINE: 211 non-irrigated arable land",
                  "monitoring point (MOEK 7) 20 m away",
                  "not open on 2 clear dates after 2021-06-01: extraction seems to have stopped"):
        assert words in site.reasons


def test_case_b_in_a_deposit_on_urban_fabric_unknown_to_monitoring():
    site = assessed(deposits=table(PIT.buffer(60), mineral="granity", name="Strzegom 8"),
                  corine=table(PIT.buffer(2000), code="112"))
    assert (site.status, site.category) == ("candidate", "in_deposit_unlicensed")
    assert site.share_in_mining_area == 0 and site.share_in_deposit == pytest.approx(1)
    for words in ("100% lies in the deposit Strzegom 8 (granity)",
                  "CORINE: 112 discontinuous urban fabric", "unknown to the monitoring programme",
                  "0% lies in a valid mining area, the nearest is"):
        assert words in site.reasons


@pytest.mark.parametrize(("layer", "permits", "deposits", "category"), [
    ("deposits", None, None, "undetermined"),
    ("deposits", None, PIT.buffer(60), "in_deposit_unlicensed"),
    ("mining_areas", None, PIT.buffer(60), "undetermined"),
    ("mining_areas", box(600_150, 5_599_550, 600_300, 5_599_850), None, "undetermined"),
    ("mining_areas", PIT.buffer(20), None, "licensed")])
def test_a_layer_whose_rows_may_lie_anywhere_clears_but_cannot_accuse(layer, permits, deposits,
                                                                      category):
    given = {"unplaced": {layer: 3}}
    given |= {} if permits is None else {"mining_areas": areas(permits)}
    given |= {} if deposits is None else {"deposits": table(deposits, mineral="granity")}
    site = assessed(**given)
    assert site.category == category
    told = f"rows of {layer.replace('_', ' ')} that state no ground, 3, may be here"
    assert (told in site.reasons) == (category == "undetermined")


@pytest.mark.parametrize(("dates", "words"), [
    (4, "cut by the map's edge or missing data on 4 of 4 dates: it may be larger, and no growth is "
     "given"), (1, "on 1 of 4 dates: it may be larger"), (0, None)])
def test_a_site_that_is_cut_says_so(dates, words):
    maps = {d: grid_map(np.full((60, 60), FIELD, np.uint8)) for d in DAYS}
    for number, day in enumerate(DAYS):
        maps[day][20:40, 20:40] = QUARRY
        maps[day][20:40, 40:42] = legend.NO_DATA if number < dates else FIELD
    said = assessed(track_sites(maps)).reasons.split(SEPARATOR)
    cut = [r for r in said if "cut by" in r]
    assert [c.endswith(words) for c in cut] == [True] if words else cut == []


# --- permits --------------------------------------------------------------------------------

def test_inside_a_valid_mining_area_it_is_licensed():
    site = assessed(mining_areas=areas(PIT.buffer(20)))
    assert (site.status, site.category, site.score) == ("licensed", "licensed", 0)
    assert site.share_in_mining_area == pytest.approx(1) and site.overrun_ha == 0
    assert "valid until 2040-01-01" in site.reasons


def test_overrun_is_measured_beyond_boundary_and_tolerance():
    """The eastern half is outside: 100 m × 200 m, less the tolerance's strip."""
    west = box(600_150, 5_599_550, 600_300, 5_599_850)
    site = assessed(mining_areas=areas(west), settings=Settings(tolerance_m=20))
    assert (site.status, site.category) == ("candidate", "overrun")
    assert site.programme_category == 2
    assert site.overrun_ha == pytest.approx((100 - 20) * 200 / 1e4)
    assert site.share_in_mining_area == pytest.approx(0.5)
    assert "1.6 ha lie beyond the mining area's boundary (Strzegom)" in site.reasons


@pytest.mark.parametrize(("tolerance", "category"), [(5, "overrun"), (25, "licensed")])
def test_what_lies_within_the_tolerance_is_no_overrun(tolerance, category):
    narrow = box(600_150, 5_599_550, 600_380, 5_599_850)  # leaves 20 m outside: 0.4 ha
    site = assessed(mining_areas=areas(narrow), settings=Settings(tolerance_m=tolerance))
    assert site.category == category


def test_ground_seen_outside_on_one_date_only_is_no_overrun():
    tracked = tracks()
    late = tracked.observations.index[-1]
    bleeding = PIT.union(box(600_400, 5_599_600, 600_600, 5_599_800))
    tracked.observations.loc[late, "geometry"] = bleeding
    assert assessed(tracked, mining_areas=areas(PIT.buffer(5))).category == "licensed"


def test_newest_ground_counts_where_an_earlier_date_already_overstepped():
    """15 m outside one year before, 45 m on the last date: growth, not a flicker."""
    reach = PIT.union(box(600_400, 5_599_600, 600_415, 5_599_800))
    last = PIT.union(box(600_400, 5_599_600, 600_445, 5_599_800))
    outside = [g.difference(PIT) for g in (PIT, reach, last)]
    beyond = [g.difference(PIT.buffer(15)) for g in (PIT, reach, last)]
    settings = Settings(tolerance_m=15)
    assert overrun_of(outside, beyond, settings).area == pytest.approx(30 * 200, rel=0.05)
    assert overrun_of([outside[0], outside[2]], [beyond[0], beyond[2]], settings).is_empty


def test_a_neighbours_mining_area_is_no_permit():
    beside = box(600_000, 5_599_600, 600_210, 5_599_800)  # covers 5 %, 20 % with the tolerance
    assert assessed(mining_areas=areas(beside)).category == "outside_deposit"


def test_an_area_that_is_not_yet_valid_is_no_permit():
    site = assessed(mining_areas=areas(PIT.buffer(20), since=date(2023, 1, 1)),
                  deposits=table(PIT.buffer(50), mineral=None))
    assert site.category == "in_deposit_unlicensed"
    assert "no valid mining area (Strzegom) on 2020-06-01, 2021-06-01 and 1 more dates" in (
        site.reasons)


def test_one_date_outside_the_permits_time_is_not_enough():
    site = assessed(mining_areas=areas(PIT.buffer(20), since=date(2021, 1, 1)))
    assert site.category == "licensed"


def test_open_after_the_permit_ended_and_not_growing_is_abandoned():
    site = assessed(mining_areas=areas(PIT.buffer(20), until=date(2021, 12, 31)))
    assert (site.category, site.programme_category) == ("abandoned", 3)
    assert "ended on 2021-12-31, the site was open on 2022-06-01, 2023-06-01" in site.reasons


def test_a_permit_that_ended_before_the_first_date_counts_as_abandoned():
    site = assessed(mining_areas=areas(PIT.buffer(20), until=date(2015, 12, 31)))
    assert site.category == "abandoned"


def test_digging_on_long_after_the_permit_ended_is_extraction_too():
    """The permit ended before the first date: what is dug since that date counts."""
    site = assessed(tracks(grow=6), mining_areas=areas(PIT.buffer(300), until=date(2015, 12, 31)),
                  deposits=table(PIT.buffer(400), mineral=None))
    assert site.category == "in_deposit_unlicensed"
    assert "ha were dug since" in site.reasons


def test_digging_on_after_the_permit_ended_is_extraction_without_a_concession():
    site = assessed(tracks(grow=6), mining_areas=areas(PIT.buffer(300), until=date(2021, 1, 31)),
                  deposits=table(PIT.buffer(400), mineral=None))
    assert site.category == "in_deposit_unlicensed"
    assert "ha were dug since" in site.reasons


def test_closed_with_its_concession_it_is_reclaimed():
    site = assessed(tracks(*DAYS[:2]), mining_areas=areas(PIT.buffer(20), until=date(2021, 12, 31)))
    assert (site.status, site.category) == ("other", "reclaimed")


def test_closed_while_the_concession_runs_it_stays_licensed():
    site = assessed(tracks(*DAYS[:2]), mining_areas=areas(PIT.buffer(20)))
    assert site.category == "licensed" and "extraction seems to have stopped" in site.reasons


# --- other ground ---------------------------------------------------------------------------

@pytest.mark.parametrize("code", ["133", "331", "332"])
def test_bare_ground_of_another_kind_is_other(code):
    site = assessed(corine=table(PIT.buffer(500), code=code))
    assert (site.status, site.category) == ("other", "other")


def test_other_ground_stays_a_candidate_where_a_quarry_is_known():
    bare = table(PIT.buffer(500), code="332")
    assert assessed(corine=bare, osm_quarries=table(PIT)).category == "outside_deposit"
    assert assessed(corine=bare, deposits=table(PIT, mineral=None)).category == (
        "in_deposit_unlicensed")


def test_corine_classes_of_quarries_are_those_of_the_legend():
    names, alike = corine_names()
    assert quarry_codes() == ("131",)
    assert len(names) == 44 and {str(c) for c in legend.corine_crosswalk()} <= set(names)
    assert not alike["211"] and not alike["112"] and alike["332"]


# --- missing layers -------------------------------------------------------------------------

@pytest.mark.parametrize("missing", [
    ("mining_areas",), ("deposits",), ("corine",), ("mining_areas", "deposits"),
    ("osm_quarries", "monitoring_points", "mining_terrains", "mining_areas")])
def test_a_site_that_a_missing_layer_could_clear_is_undetermined(missing):
    site = assessed(**dict.fromkeys(missing))
    assert (site.status, site.category, site.score) == ("undetermined", "undetermined", 0)
    assert "cannot be assessed without" in site.reasons


def test_layers_that_cannot_clear_a_site_may_be_missing():
    site = assessed(osm_quarries=None, monitoring_points=None, mining_terrains=None)
    assert site.category == "outside_deposit"
    assert np.isnan(site.monitoring_distance_m)
    assert "not at hand: mining terrains, OSM quarries, monitoring points" in site.reasons


def test_no_layer_that_goes_missing_makes_a_site_a_candidate():
    """Taking a layer away never turns a site that was none into a candidate."""
    places = [
        {"mining_areas": areas(PIT.buffer(20))},
        {"corine": table(PIT.buffer(500), code="332")},
        {"deposits": table(PIT.buffer(50), mineral=None)},
        {"mining_areas": areas(PIT.buffer(20), until=date(2021, 12, 31))},
        {},
    ]
    for layers in places:
        full = assessed(**layers)
        for name in ("deposits", "mining_areas", "mining_terrains", "corine", "osm_quarries",
                     "monitoring_points"):
            left = assessed(**{**layers, name: None})
            assert left.status != "candidate" or full.status == "candidate", (layers, name)
            assert left.status in (full.status, "undetermined")


def test_without_any_registry_every_site_is_undetermined():
    out = assess_sites(tracks(), Registries())
    assert set(out.status) == {"undetermined"} and Registries().present == {}


def test_an_empty_layer_says_that_there_is_nothing():
    site = assessed(mining_areas=areas().set_crs(CRS), deposits=table(mineral=[]).set_crs(CRS))
    assert site.category == "outside_deposit" and np.isnan(site.deposit_distance_m)
    assert "there is none near" in site.reasons


def test_a_layer_of_another_place_counts_as_missing(tmp_path):
    away = areas(shapely.affinity.translate(PIT, 80_000, 0)).assign(
        valid_from="2000-01-01", valid_to="2040-01-01")
    away.to_file(tmp_path / "mining_areas.gpkg")
    table(PIT, mineral="x").to_file(tmp_path / "deposits.gpkg")
    read = read_registries(tmp_path, CRS, (600_000, 5_599_400, 600_600, 5_600_000),
                           Settings().coverage_m)
    assert read.mining_areas is None and "mining_areas" in read.missing
    assert any("of another place" in n for n in read.notes)
    assert len(read.deposits) == 1


def test_a_layer_with_shapes_only_near_the_map_covers_it(tmp_path):
    near = areas(shapely.affinity.translate(PIT, 9_000, 0)).assign(
        valid_from="2000-01-01", valid_to="2040-01-01")
    near.to_file(tmp_path / "mining_areas.gpkg")
    read = read_registries(tmp_path, CRS, (600_000, 5_599_400, 600_600, 5_600_000),
                           Settings().coverage_m)
    assert len(read.mining_areas) == 1


# --- area of applicability ------------------------------------------------------------------

def outside(share, day=0):
    """Outside for the pit's first columns, inside elsewhere, one unknown row: one date's raster."""
    values = np.zeros((60, 60), np.float32)
    values[:, :20 + round(20 * share)] = 1
    values[25] = np.nan
    return {DAYS[day]: grid_map(np.zeros((60, 60), np.uint8)).copy(data=values)}


def test_the_share_outside_is_the_mean_over_dates():
    marked = with_applicability(tracks(), {**outside(0.75, 0), **outside(0.25, 2)})
    assert marked.sites.outside_share.tolist() == [pytest.approx(0.5)]
    only = with_applicability(tracks(DAYS[1], DAYS[3]), {**outside(1, 0), **outside(0.25, 1)})
    assert only.sites.outside_share.tolist() == [pytest.approx(0.25)]  # not seen on day 0
    assert with_applicability(tracks(), {}).sites.outside_share.isna().all()
    values = outside(1)
    values[DAYS[0]].values[:] = np.nan
    assert with_applicability(tracks(), values).sites.outside_share.isna().all()


@pytest.mark.parametrize("layers", [
    {}, {"mining_areas": areas(PIT.buffer(20))}, {"mining_areas": None},
    {"deposits": table(PIT.buffer(50), mineral=None)}, {"corine": table(PIT, code="332")}])
def test_a_site_mostly_outside_the_area_of_applicability_is_undetermined(layers):
    site = assessed(with_applicability(tracks(), outside(0.8)), **layers)
    assert (site.status, site.category, site.score) == ("undetermined", "outside_applicability", 0)
    assert site.outside_share == pytest.approx(0.8)
    assert site.reasons.startswith("cannot be assessed: outside the maps' area of applicability; ")
    assert "80% of it lies outside the area of applicability" in site.reasons
    half = assessed(with_applicability(tracks(), outside(0.5)), **layers)
    plain = assessed(**layers)
    assert (half.status, half.reasons, half.score) == (plain.status, plain.reasons, plain.score)


# --- score, columns, words ------------------------------------------------------------------

def test_the_score_is_the_product_of_its_parts():
    """No permit at all, seen on all four dates, 4 ha, no probability, recorded by nobody."""
    assert assessed().score == pytest.approx(np.mean([1, 1, 1 - 0.5 / 4 / 2, 0]), abs=1e-3)
    recorded = assessed(osm_quarries=table(PIT))
    assert recorded.score == pytest.approx(np.mean([1, 1, 1 - 0.5 / 4 / 2, 1]), abs=1e-3)


def test_a_small_overrun_scores_below_a_large_one():
    def score(metres):
        part = box(600_150, 5_599_550, 600_400 - metres, 5_599_850)
        return assessed(mining_areas=areas(part)).score

    assert 0 < score(40) < score(80) <= 1


def test_columns_and_words():
    out = assess_sites(tracks(), registries())
    assert [c for c in out.columns if c != "geometry"] == list(COLUMNS)
    assert out.index.name == "site_id" and out.crs == CRS
    assert out.first_seen.iloc[0] == "2020-06-01" and out.last_seen.iloc[0] == "2023-06-01"
    first = out.reasons.iloc[0].split(SEPARATOR)[0]
    assert first == "candidate: " + CATEGORIES["outside_deposit"].meaning
    assert "illegal" not in out.to_csv()


def test_every_category_has_a_known_status():
    assert {c.status for c in CATEGORIES.values()} == set(rules.STATUSES)
    assert all((c.programme is None) == (c.status != "candidate") for c in CATEGORIES.values())


def test_facts_hold_distances_and_names():
    near = areas(shapely.affinity.translate(PIT, 300, 0), name="Neighbour")
    (facts,) = gather_facts(tracks(), registries(mining_areas=near), Settings()).values()
    assert facts.permits.distance_m == pytest.approx(100)
    assert facts.permits.dates_without == tuple(DAYS) and facts.permits.dates_with == ()
    assert facts.later_clear == 0 and facts.last_date == DAYS[-1]


def test_confirmed_counts_layers_as_a_raster_does():
    rng = np.random.default_rng(0)
    boxes = [box(x, y, x + 4, y + 4) for x, y in rng.integers(0, 6, (6, 2))]
    count = np.zeros((10, 10), int)
    for b in boxes:
        x, y = int(b.bounds[0]), int(b.bounds[1])
        count[y:y + 4, x:x + 4] += 1
    for times in (1, 2, 3):
        assert confirmed(boxes, times).area == pytest.approx((count >= times).sum())


def test_an_empty_series_gives_an_empty_table():
    empty = track_sites({DAYS[0]: grid_map(np.full((10, 10), FIELD, np.uint8))})
    out = assess_sites(empty, registries())
    assert len(out) == 0 and set(COLUMNS) <= set(out.columns)
    assert isinstance(out, gpd.GeoDataFrame) and out.crs == CRS


def test_a_deposit_without_a_name_is_told_as_such():
    site = assessed(deposits=table(PIT, mineral=None))
    assert "100% lies in the deposit without a name" in site.reasons
    assert pd.isna(site.mineral) or site.mineral == ""


def test_min_permit_share_decides_between_overrun_and_no_permit():
    third = box(600_150, 5_599_550, 600_265, 5_599_850)
    assert assessed(mining_areas=areas(third)).category == "overrun"
    strict = replace(Settings(), min_permit_share=0.6)
    assert assessed(settings=strict, mining_areas=areas(third)).category == "outside_deposit"


def test_the_table_has_the_sites_numbers_crs_and_columns():
    tracked = tracks()
    table = assess_sites(tracked, registries())
    assert table.index.tolist() == tracked.sites.index.tolist() == [1]
    assert table.index.name == "site_id" and table.crs == tracked.sites.crs
    assert list(table.columns) == [*COLUMNS, "geometry"]
    assert table.geometry[1].equals(tracked.sites.geometry[1])
    assert table.programme_category.dtype == "Int64"
    assert assess_sites(tracked, Registries()).programme_category.isna().all()
