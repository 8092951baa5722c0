"""The rules on facts written down by hand: every threshold at its value, every reason in full.

Where the other tests of the rules ask what maps and registries come to, these hold each comparison,
number and word: a changed one fails here.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from lulc_lib.sites import rules
from lulc_lib.sites.evidence import Facts, Permits, Place
from lulc_lib.sites.rules import SEPARATOR, Assessment, assess, reasons
from lulc_lib.sites.settings import Settings

SET = Settings()
D1, D2, D3, D4 = (date(year, 6, 1) for year in (2020, 2021, 2022, 2023))
HISTORY = {
    "area_ha": 4.0, "first_seen": D1, "last_seen": D4, "seen_share": 1.0, "seen_dates": 4,
    "clear_dates": 4, "cut_dates": 0, "persistence": 1.0, "growth_ha_per_year": 0.3,
    "growth_low": 0.1, "growth_high": 0.5, "growth_p": 0.5, "perimeter_m": 800.0,
    "compactness": 0.8, "elongation": 1.2, "water_share": 0.0, "mean_probability": np.nan,
    "outside_share": np.nan}
NO_PERMIT = Permits(0.0, 0.0, np.inf, (), (D1, D2, D3, D4), 0.0)
PERMIT = Permits(0.9, 1.0, 0.0, (D1, D2, D3, D4), (), 0.0, "Strzegom", date(2040, 1, 1))
NOWHERE = Place(0.0, 0.0, np.inf)
FIELDS = Place(1.0, 1.0, 0.0, "211")
DUMP = Place(1.0, 1.0, 0.0, "132")
FACTS = Facts(pd.Series(HISTORY, dtype=object), 0, D4, NO_PERMIT, NOWHERE, FIELDS, NOWHERE, np.inf)


def facts(permits=NO_PERMIT, **given):
    """The facts of a site without permit or deposit on arable land, with some changed."""
    history = {k: given.pop(k) for k in list(given) if k in HISTORY}
    changed = pd.Series(HISTORY | history, dtype=object)
    return replace(FACTS, permits=permits, history=changed, **given)


def category(permits=NO_PERMIT, **given):
    return assess(facts(permits, **given), SET).category


def score(permits=NO_PERMIT, **given):
    return assess(facts(permits, **given), SET).score


def said(permits=NO_PERMIT, missing=(), **given):
    """What is said after the result."""
    found = facts(permits, **given)
    return reasons(found, assess(found, SET), missing, SET)[1:]


def permit(*dates_without, **changes):
    """A permit on all dates but these."""
    held = tuple(d for d in (D1, D2, D3, D4) if d not in dates_without)
    return PERMIT._replace(dates_with=held, dates_without=dates_without, **changes)


# --- thresholds -----------------------------------------------------------------------------

def test_more_than_half_outside_the_area_of_applicability():
    assert category(outside_share=0.5) == "outside_deposit"
    assert category(outside_share=0.51) == "outside_applicability"
    assert assess(facts(outside_share=0.9), SET) == Assessment("outside_applicability", 0.0, ())
    without = facts()
    without = replace(without, history=without.history.drop("outside_share"))
    assert not rules.not_applicable(without)


def test_how_many_dates_without_a_permit_are_too_many():
    """Two (``min_dates``), or the only date that there is."""
    assert category(permit(D4)) == "licensed"
    assert category(permit(D3, D4, until=D2)) == "abandoned"
    one = PERMIT._replace(dates_with=(), dates_without=(D1,), share_ever=0.0, until=None)
    assert category(one) == "outside_deposit"
    assert category(PERMIT._replace(dates_with=(D1,))) == "licensed"
    strict = Settings(min_dates=3)
    assert assess(facts(permit(D3, D4, until=D2)), strict).category == "licensed"


def test_what_beyond_the_boundary_is_an_overrun():
    assert category(PERMIT._replace(overrun_ha=0.275)) == "overrun"
    assert category(PERMIT._replace(overrun_ha=0.274)) == "licensed"


def test_closed_with_its_concession():
    """The concession must have ended before the last of all dates, and two clear dates show it."""
    ended = PERMIT._replace(until=D3)
    assert category(ended, later_clear=2) == "reclaimed"
    assert category(ended, later_clear=1) == "licensed"
    assert category(PERMIT._replace(until=D4), later_clear=2) == "licensed"
    assert category(PERMIT._replace(until=None), later_clear=2) == "licensed"


def test_when_a_permit_has_ended():
    never = NO_PERMIT._replace(share_ever=0.25, until=date(2020, 5, 31))
    assert category(never) == "abandoned"
    assert category(never._replace(until=D1)) == "outside_deposit"  # it held on the first date
    assert category(never._replace(until=None)) == "outside_deposit"
    assert category(never._replace(share_ever=0.249)) == "outside_deposit"
    assert category(permit(D1, D2)) == "outside_deposit"  # came later
    assert category(permit(D2, D4)) == category(permit(D1, D2, D4)) == "abandoned"
    assert not rules.permit_ended(facts(PERMIT), SET)


def test_what_was_dug_after_the_permit_is_extraction():
    ended = permit(D3, D4, until=D2)
    assert category(ended._replace(grown_ha=0.274)) == "abandoned"
    assert category(ended._replace(grown_ha=0.275)) == "outside_deposit"


def test_in_a_deposit_from_half_of_the_site():
    assert category(deposit=Place(0.1, 0.5, 0.0)) == "in_deposit_unlicensed"
    assert category(deposit=Place(0.1, 0.499, 0.0)) == "outside_deposit"


def test_without_a_layer_that_could_clear_it():
    assert assess(facts(None), SET) == Assessment("undetermined", 0.0, ("mining_areas",))
    assert assess(facts(deposit=None), SET) == Assessment("undetermined", 0.0, ("deposits",))
    for corine in (None, NOWHERE):
        assert assess(facts(corine=corine), SET) == Assessment("undetermined", 0.0, ("corine",))
    assert category(deposit=Place(1.0, 1.0, 0.0), corine=None) == "in_deposit_unlicensed"


@pytest.mark.parametrize("layer, permits, deposit, needed", [
    ("mining_areas", NO_PERMIT, NOWHERE, True), ("deposits", NO_PERMIT, NOWHERE, True),
    ("deposits", NO_PERMIT, Place(1.0, 1.0, 0.0), False),
    ("mining_areas", NO_PERMIT, Place(1.0, 1.0, 0.0), True),
    ("corine", NO_PERMIT, NOWHERE, False), ("mining_areas", PERMIT, NOWHERE, False)])
def test_rows_without_a_place_cannot_accuse(layer, permits, deposit, needed):
    found = assess(facts(permits, deposit=deposit, unplaced={layer: 2}), SET)
    assert (found.category == "undetermined") == needed == (found.needed == (layer,))
    assert (found.score == 0.0) == (needed or permits is PERMIT)


def test_ground_that_looks_alike():
    assert category(corine=DUMP) == "other"
    assert category(corine=Place(1.0, 1.0, 0.0, "999")) == "outside_deposit"
    assert category(corine=DUMP, monitoring_m=200.0) == "outside_deposit"
    assert category(corine=DUMP, monitoring_m=200.1) == "other"
    assert category(corine=DUMP, monitoring_m=None) == "other"
    assert category(corine=DUMP, osm=Place(0.0, 0.0, 25.0)) == "outside_deposit"
    assert category(corine=DUMP, osm=Place(0.0, 0.0, 25.1)) == "other"
    assert category(corine=DUMP, osm=None) == "other"


# --- score ----------------------------------------------------------------------------------

@pytest.mark.parametrize("given, parts", [
    ({}, [1, 1, 1 - 0.5 / 4 / 2, 0]),
    ({"persistence": 0.5}, [0.5, 1, 0.9375, 0]),
    ({"seen_dates": 3}, [1, 0.75, 0.9375, 0]), ({"seen_dates": 8}, [1, 1, 0.9375, 0]),
    ({"area_ha": 1.0}, [1, 1, 0.75, 0]), ({"area_ha": 0.25}, [1, 1, 0.5, 0]),
    ({"mean_probability": 0.4}, [1, 1, 0.9375, 0.4, 0]),
    ({"monitoring_m": 10.0}, [1, 1, 0.9375, 1]), ({"osm": Place(0, 0, 0.0)}, [1, 1, 0.9375, 1]),
    ({"corine": Place(1, 1, 0.0, "131")}, [1, 1, 0.9375, 1])])
def test_the_parts_of_the_score(given, parts):
    assert score(**given) == round(float(np.mean(parts)), 3)


def test_the_score_grows_with_what_is_outside():
    parts = np.mean([1, 1, 0.9375, 0])
    assert score(NO_PERMIT._replace(share=0.2)) == round(0.8 * parts, 3)
    for hectares, share in ((0.5, 0.25), (2.0, 1.0), (3.0, 1.0)):
        assert score(PERMIT._replace(overrun_ha=hectares)) == round(share * parts, 3)
    assert score(PERMIT) == 0.0
    assert score(deposit=Place(1.0, 1.0, 0.0), corine=None) == round(parts, 3)


# --- reasons --------------------------------------------------------------------------------

OPEN = "4.0 ha, open on 4 of 4 clear dates, 2020-06-01 to 2023-06-01"
NONE_NEAR = "0% lies in a valid mining area, there is none near"
GROUND = ["outside any documented deposit", "CORINE: 211 non-irrigated arable land",
          "unknown to the monitoring programme: no point within 200 m"]


def test_all_that_is_said_of_a_site_of_which_nothing_is_known():
    assert said() == [OPEN, NONE_NEAR, *GROUND]
    assert said(monitoring_m=None, osm=None, missing=("mining_terrains", "osm_quarries", "corine")
                ) == [OPEN, NONE_NEAR, *GROUND[:2],
                      "not at hand: mining terrains, OSM quarries, CORINE"]


def test_the_result_comes_first():
    found = facts()
    result = reasons(found, assess(found, SET), (), SET)[0]
    assert result == "candidate: extraction without a concession, outside any deposit"
    assert reasons(facts(PERMIT), assess(facts(PERMIT), SET), (), SET)[0] == (
        "inside a valid mining area")


def test_what_was_missing_is_said_once():
    assert said(None, missing=("mining_areas", "corine"), corine=None) == [
        OPEN, "cannot be assessed without mining areas", *GROUND[:1], *GROUND[2:],
        "not at hand: CORINE"]
    assert said(corine=None, missing=("corine",)) == [
        OPEN, "cannot be assessed without CORINE", NONE_NEAR, *GROUND[:1], *GROUND[2:]]
    assert said(unplaced={"deposits": 3})[1] == (
        "cannot be assessed: rows of deposits that state no ground, 3, may be here")


def test_a_site_outside_the_area_of_applicability_says_how_much():
    assert said(outside_share=0.812)[1] == (
        "81% of it lies outside the area of applicability: to the network such ground is unlike "
        "all that it was assessed on")


@pytest.mark.parametrize("given, expected", [
    ({"clear_dates": 1, "seen_dates": 1},
     ["4.0 ha open on 2023-06-01, the only clear date: not confirmed"]),
    ({"later_clear": 2},
     [OPEN, "not open on 2 clear dates after 2023-06-01: extraction seems to have stopped"]),
    ({"later_clear": 1}, [OPEN]),
    ({"growth_p": 0.049}, [OPEN, "growing by 0.3 ha a year (0.1 to 0.5)"]),
    ({"growth_p": 0.05}, [OPEN]), ({"growth_p": 0.01, "growth_low": 0.0}, [OPEN]),
    ({"growth_p": 0.01, "later_clear": 3},
     [OPEN, "not open on 3 clear dates after 2023-06-01: extraction seems to have stopped"]),
    ({"cut_dates": 1},
     [OPEN, "cut by the map's edge or missing data on 1 of 4 dates: it may be larger"]),
    ({"cut_dates": 2},
     [OPEN, "cut by the map's edge or missing data on 2 of 4 dates: it may be larger, and no "
      "growth is given"]),
    ({"cut_dates": 1, "seen_dates": 3},
     ["4.0 ha, open on 3 of 4 clear dates, 2020-06-01 to 2023-06-01",
      "cut by the map's edge or missing data on 1 of 3 dates: it may be larger, and no growth is "
      "given"]),
    ({"cut_dates": 1, "seen_dates": 2},
     ["4.0 ha, open on 2 of 4 clear dates, 2020-06-01 to 2023-06-01",
      "cut by the map's edge or missing data on 1 of 2 dates: it may be larger"]),
    ({"mean_probability": 0.456}, [OPEN, "mean quarry probability 0.46"])])
def test_what_is_said_of_the_sightings(given, expected):
    assert said(**given) == [*expected, NONE_NEAR, *GROUND]


@pytest.mark.parametrize("permits, expected", [
    (PERMIT, ["90% lies in a valid mining area (Strzegom), valid until 2040-01-01"]),
    (PERMIT._replace(until=None, name=""), ["90% lies in a valid mining area"]),
    (PERMIT._replace(overrun_ha=1.26),
     ["1.3 ha lie beyond the mining area's boundary (Strzegom) and the tolerance of 25 m"]),
    (PERMIT._replace(overrun_ha=1.0, dates_with=(D3, D4)),
     ["1.0 ha lie beyond the mining area's boundary (Strzegom) and the tolerance of 25 m"]),
    (PERMIT._replace(overrun_ha=1.0, dates_with=(D4,), name=""),
     ["1.0 ha lie beyond the mining area's boundary and the tolerance of 25 m, seen on one date "
      "only"]),
    (permit(D3, D4, until=D2),
     ["the mining area (Strzegom) ended on 2021-06-01, the site was open on 2022-06-01, "
      "2023-06-01"]),
    (permit(D2, D3, D4, until=None, name="", grown_ha=0.1),
     ["the mining area ended, the site was open on 2021-06-01, 2022-06-01 and 1 more dates",
      "0.1 ha were dug since"]),
    (permit(D1, D2), ["no valid mining area (Strzegom) on 2020-06-01, 2021-06-01"]),
    (NO_PERMIT._replace(share_ever=0.25),
     ["no valid mining area on 2020-06-01, 2021-06-01 and 2 more dates"]),
    (NO_PERMIT._replace(share=0.1, distance_m=120.4),
     ["10% lies in a valid mining area, the nearest is 120 m away"])])
def test_what_is_said_of_permits(permits, expected):
    assert [r for r in said(permits) if r not in (OPEN, *GROUND)] == expected


@pytest.mark.parametrize("given, expected", [
    ({"deposit": Place(0.1, 0.2, 0.0, "Strzegom 8", "granite")},
     ["10% lies in the deposit Strzegom 8 (granite)", *GROUND[1:]]),
    ({"deposit": Place(0.0, 0.2, 0.0, "", "")}, ["0% lies in the deposit without a name",
                                                 *GROUND[1:]]),
    ({"deposit": Place(0.0, 0.0, 99.6)},
     ["outside any documented deposit, the nearest is 100 m away", *GROUND[1:]]),
    ({"deposit": None}, GROUND[1:]),
    ({"corine": Place(1, 1, 0.0, "999")},
     [GROUND[0], "CORINE: 999 not in the nomenclature", GROUND[2]]),
    ({"corine": NOWHERE}, [GROUND[0], GROUND[2]]),
    ({"monitoring_m": 200.0}, [*GROUND[:2], "monitoring point 200 m away"]),
    ({"monitoring_m": 0.4, "monitoring_name": "MOEK 7"},
     [*GROUND[:2], "monitoring point (MOEK 7) 0 m away"]),
    ({"monitoring_m": 0.0, "monitoring_name": "MOEK 7"},
     [*GROUND[:2], "monitoring point (MOEK 7) inside it"]),
    ({"unplaced": {"monitoring_points": 1}},
     [*GROUND[:2], "no monitoring point that states its place within 200 m"]),
    ({"osm": Place(0, 0, 25.0)}, [*GROUND, "OpenStreetMap has a quarry here"]),
    ({"osm": Place(0, 0, 25.1)}, GROUND)])
def test_what_is_said_of_the_ground(given, expected):
    found = [r for r in said(**given) if not r.startswith("cannot be assessed")]
    assert found == [OPEN, NONE_NEAR, *expected]


# --- the row --------------------------------------------------------------------------------

def test_a_row_has_all_that_is_known():
    found = facts(PERMIT._replace(overrun_ha=1.5, distance_m=3.0, terrain_share=0.7),
                  deposit=Place(0.4, 0.45, 5.0, "Deposit", "granite"),
                  corine=Place(0.8, 1.0, 0.0, "131"), osm=Place(0, 0, 7.0), monitoring_m=9.0)
    result = assess(found, SET)
    row = rules._row(found, result, (), SET)
    own = {k: v for k, v in HISTORY.items() if not isinstance(v, float) or np.isfinite(v)}
    own.pop("growth_p")
    expected = own | {
        "status": "candidate", "category": "overrun", "score": result.score,
        "reasons": SEPARATOR.join(reasons(found, result, (), SET)), "programme_category": 2,
        "first_seen": "2020-06-01", "last_seen": "2023-06-01", "monitoring_distance_m": 9.0,
        "share_in_mining_area": 0.9, "overrun_ha": 1.5, "mining_area": "Strzegom",
        "mining_area_distance_m": 3.0, "share_in_mining_terrain": 0.7, "share_in_deposit": 0.4,
        "deposit": "Deposit", "mineral": "granite", "deposit_distance_m": 5.0,
        "corine_code": "131", "corine_share": 0.8, "osm_distance_m": 7.0}
    assert {k: v for k, v in row.items() if k in expected} == expected
    assert set(row) - set(expected) == {"mean_probability", "outside_share"}


def test_a_row_has_nothing_of_a_layer_that_is_missing():
    found = facts(None, deposit=None, corine=None, osm=None, monitoring_m=None)
    row = rules._row(found, assess(found, SET), (), SET)
    assert np.isnan(row["osm_distance_m"]) and np.isnan(row["monitoring_distance_m"])
    assert not {"share_in_mining_area", "share_in_deposit", "corine_code"} & set(row)
    for given in ({"osm": NOWHERE}, {"deposit": NOWHERE}, {}):
        row = rules._row(facts(**given), assess(facts(), SET), (), SET)
        assert np.isnan(row["osm_distance_m"]) and np.isnan(row["deposit_distance_m"])
        assert np.isnan(row["mining_area_distance_m"]) and np.isnan(row["monitoring_distance_m"])
