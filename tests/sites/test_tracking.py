"""Tracks over dates: flickers, growth, closing, clouds, neighbours, grids and dates of maps."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import rasterio
from geopandas.testing import assert_geodataframe_equal
from rasterio import Affine
from scipy import ndimage

from lulc_lib import legend
from lulc_lib.data.grids import Grid, covering
from lulc_lib.errors import InputError
from lulc_lib.io.progress import Progress
from lulc_lib.sites import tracking
from lulc_lib.sites.maps import read_maps, read_probability
from lulc_lib.sites.objects import NEIGHBOURS, open_rock
from lulc_lib.sites.settings import Settings
from lulc_lib.sites.tracking import growth_rates, track_sites
from tests.sites.test_objects import FIELD, QUARRY, WATER, grid_map

DAYS = [date(2021, 6, 1) + timedelta(days=120 * n) for n in range(6)]


def series(*pits, shape=(60, 60)):
    """Maps of DAYS: for each date a list of (row, col, side) squares of quarry."""
    out = {}
    for day, squares in zip(DAYS, pits, strict=False):
        codes = np.full(shape, FIELD, np.uint8)
        for row, col, side in squares:
            codes[row:row + side, col:col + side] = QUARRY
        out[day] = grid_map(codes)
    return out


def test_a_steady_pit_is_one_site():
    tracks = track_sites(series(*[[(20, 20, 10)]] * 4))
    site = tracks.sites.loc[1]
    assert (site.first_seen, site.last_seen) == (DAYS[0], DAYS[3])
    assert (site.seen_dates, site.clear_dates, site.seen_share) == (4, 4, 1.0)
    assert site.area_ha == pytest.approx(1.0) and site.growth_ha_per_year == pytest.approx(0.0)
    assert list(tracks.observations.columns)[:2] == ["site_id", "date"]
    assert len(tracks.observations) == 4 and tracks.observations.seen.all()


def test_a_flicker_of_one_date_is_no_site():
    assert len(track_sites(series([], [(20, 20, 10)], [], [])).sites) == 0


def test_flickers_far_apart_in_time_are_no_site():
    """Twice in six dates at the same place: seen on less than half of the dates between."""
    tracks = track_sites(series([(20, 20, 10)], [], [], [], [], [(20, 20, 10)]))
    assert len(tracks.sites) == 0
    loose = track_sites(series([(20, 20, 10)], [], [], [], [], [(20, 20, 10)]),
                        settings=Settings(persistence=0.3))
    assert loose.sites.persistence.tolist() == pytest.approx([2 / 6])


def test_a_single_map_gives_its_objects():
    tracks = track_sites(series([(20, 20, 10)]))
    assert tracks.sites.clear_dates.tolist() == [1] and tracks.sites.area_ha[1] == pytest.approx(1)


def test_growth_is_measured_and_the_core_is_what_was_seen_twice():
    maps = series(*[[(10, 10, 10 + 4 * n)] for n in range(5)])
    tracks = track_sites(maps)
    site, seen = tracks.sites.loc[1], tracks.observations
    assert seen.area_ha.tolist() == pytest.approx([(10 + 4 * n) ** 2 / 100 for n in range(5)])
    assert site.area_ha == pytest.approx(22**2 / 100)  # the last but one extent
    years = np.array([(d - DAYS[0]).days / 365.25 for d in DAYS[:5]])
    area = seen.area_ha.to_numpy()
    pairs = [(i, j) for j in range(5) for i in range(j)]
    slopes = [(area[j] - area[i]) / (years[j] - years[i]) for i, j in pairs]
    assert site.growth_ha_per_year == pytest.approx(np.median(slopes))
    assert site.growth_low <= site.growth_ha_per_year <= site.growth_high


@pytest.mark.parametrize(("corner", "cut"), [
    ((0, 20), True), ((20, 0), True), ((30, 20), True), ((20, 30), True), ((1, 1), False)])
def test_a_pit_cut_by_the_maps_edge_has_no_growth(corner, cut):
    tracks = track_sites(series(*[[(*corner, 30)]] * 4))
    assert tracks.observations.cut.tolist() == [cut] * 4
    site = tracks.sites.loc[1]
    assert site.cut_dates == 4 * cut and site.seen_dates == 4
    for what in ("growth_ha_per_year", "growth_low", "growth_high"):
        assert np.isnan(site[what]) == cut


def test_a_date_on_which_missing_data_cut_a_pit_does_not_count_for_its_growth():
    """Five dates of 4 ha; on one, cloud lies over half of it and over its rim."""
    maps = series(*[[(20, 20, 20)]] * 5)
    maps[DAYS[4]][:, 35:] = legend.NO_DATA
    tracks = track_sites(maps)
    assert tracks.observations.cut.tolist() == [False] * 4 + [True]
    assert tracks.observations.area_ha.tolist() == pytest.approx([4, 4, 4, 4, 3])
    site = tracks.sites.loc[1]
    assert (site.seen_dates, site.cut_dates, site.growth_ha_per_year) == (5, 1, 0.0)
    apart = series(*[[(20, 20, 20)]] * 5)
    apart[DAYS[4]][:, 41:] = legend.NO_DATA  # a pixel lies between
    assert not track_sites(apart).observations.cut.any()


def test_closing_shows_as_last_seen():
    tracks = track_sites(series(*[[(20, 20, 10)]] * 3, [], [], []))
    site = tracks.sites.loc[1]
    assert site.last_seen == DAYS[2] and site.seen_share == 0.5 and site.persistence == 1.0
    late = tracks.observations[tracks.observations.date > DAYS[2]]
    assert late.clear.all() and not late.seen.any() and late.geometry.isna().all()


def test_dates_under_cloud_do_not_count():
    maps = series(*[[(20, 20, 10)]] * 4)
    maps[DAYS[1]].values[:40] = legend.NO_DATA
    site = track_sites(maps).sites.loc[1]
    assert (site.clear_dates, site.seen_dates, site.seen_share) == (3, 3, 1.0)


def test_a_place_clear_on_one_date_only_needs_no_second_sighting():
    maps = series([(20, 20, 10)], [], [])
    for day in DAYS[1:3]:
        maps[day].values[:] = legend.NO_DATA
    assert track_sites(maps).sites.clear_dates.tolist() == [1]


def test_neighbours_joined_on_one_date_stay_two_sites():
    """A bad date bridges two pits: its object is shared out between them."""
    two = [(20, 10, 12), (20, 30, 12)]
    maps = series(two, two, two)
    maps[DAYS[1]].values[24:28, 20:32] = QUARRY
    tracks = track_sites(maps)
    assert len(tracks.sites) == 2
    bad = tracks.observations[tracks.observations.date == DAYS[1]]
    assert bad.area_ha.tolist() == pytest.approx([1.44 + 0.16, 1.44 + 0.16])
    assert bad.geometry.iloc[0].intersection(bad.geometry.iloc[1]).area == 0


def test_how_far_it_is_is_counted(monkeypatch):
    bars = []

    class Bar(Progress):
        def __init__(self, *words):
            super().__init__(*words)
            bars.append(self)

    monkeypatch.setattr(tracking, "Progress", Bar)
    track_sites(series(*[[(5, 5, 10), (40, 40, 12)]] * 3))
    assert [(bar.what, bar.done, bar.total) for bar in bars] == [
        ("reading maps", 3, 3), ("following sites", 2, 2)]


def test_maps_on_different_grids_are_refused():
    maps = series([(20, 20, 10)], [(20, 20, 10)])
    maps[DAYS[1]] = maps[DAYS[1]][:50]
    with pytest.raises(InputError, match="another grid"):
        track_sites(maps)
    with pytest.raises(InputError, match="at least one"):
        track_sites({})


def test_probabilities_are_averaged_over_the_dates_seen():
    maps = series([(20, 20, 10)], [(20, 20, 10)])
    probability = {d: m.copy(data=np.where(m == QUARRY, p, 0.0)) for (d, m), p in zip(
        maps.items(), (0.7, 0.9), strict=True)}
    assert track_sites(maps, probability).sites.mean_probability[1] == pytest.approx(0.8)


def test_two_dates_have_no_trend():
    assert np.isnan(growth_rates(DAYS[:2], np.array([[1.0, 2.0]]))).all()


# --- reading maps ---------------------------------------------------------------------------

def test_dates_come_from_the_names_in_order(write_raster):
    codes = np.full((5, 5), FIELD, np.uint8)
    late, early = write_raster("m_20230709.tif", codes), write_raster("m_20220619.tif", codes)
    assert list(read_maps([late, early])) == [date(2022, 6, 19), date(2023, 7, 9)]
    assert list(read_maps([late, early], ["2020-01-02", "20190203"])) == [
        date(2019, 2, 3), date(2020, 1, 2)]


@pytest.mark.parametrize(("names", "dates", "message"), [
    (["map.tif"], None, "no YYYYMMDD"),
    (["m_20230709.tif", "n_20230709.tif"], None, "one file for each date"),
    (["m_20230709.tif"], ["2023-07-09", "2023-08-01"], "1 maps and 2 dates"),
    (["m_20230709.tif"], ["09.07.2023"], "must be a day"),
    (["m_20230231.tif"], None, "must be a day"),
])
def test_dates_that_do_not_fit_are_refused(write_raster, names, dates, message):
    paths = [write_raster(n, np.full((5, 5), FIELD, np.uint8)) for n in names]
    with pytest.raises(InputError, match=message):
        read_maps(paths, dates)


def test_maps_of_different_extent_share_a_grid_that_holds_both(write_raster):
    small = np.full((6, 8), FIELD, np.uint8)
    small[2, 3] = QUARRY
    first = write_raster("m_20220619.tif", small, origin=(600_000, 5_600_000))
    other = write_raster("m_20230709.tif", small, origin=(599_980, 5_600_030))
    a, b = read_maps([first, other]).values()
    assert a.shape == b.shape == (9, 10)
    assert a.rio.transform() == b.rio.transform()
    for one, (x, y) in ((a, (600_035, 5_599_975)), (b, (600_015, 5_600_005))):
        assert (one == QUARRY).sum() == 1 and one.sel(x=x, y=y).item() == QUARRY
        assert (one == legend.NO_DATA).sum() == 90 - 48


def test_one_grid_holds_maps_whichever_way_their_rows_run():
    crs = rasterio.CRS.from_epsg(32633)
    north = Grid(crs, Affine(10, 0, 600_000, 0, -10, 5_600_000), (64, 60))
    south = Grid(crs, Affine(10, 0, 600_100, 0, 10, 5_599_700), (30, 70))
    turned = Grid(crs, south.transform @ Affine.rotation(30), (30, 70))
    for grids in ((north, south), (south, north), (turned, north), (north, turned)):
        left, bottom, right, top = covering(grids).bounds
        for w, s, e, n in (g.bounds for g in grids):
            assert left <= w and bottom <= s and right >= e and top >= n
    assert covering((south, north)).bounds == covering((north, south)).bounds
    with pytest.raises(InputError, match="lie too far apart"):
        covering((north, north._replace(transform=Affine(10, 0, 6e5, 0, -10, 1e9))))


def test_a_map_in_degrees_is_brought_to_its_utm_zone(tmp_path):
    codes = np.full((100, 100), FIELD, np.uint8)
    codes[40:60, 40:60] = QUARRY
    path = tmp_path / "m_20230709.tif"
    step = 0.0001
    with rasterio.open(path, "w", driver="GTiff", count=1, dtype="uint8", height=100, width=100,
                       crs="EPSG:4326", nodata=legend.NO_DATA,
                       transform=rasterio.transform.from_origin(16.3, 50.96, step, step)) as out:
        out.write(codes, 1)
    (class_map,) = read_maps([path]).values()
    assert class_map.rio.crs.to_epsg() == 32633
    tracks = track_sites({date(2023, 7, 9): class_map})
    true = (20 * step * 111_320) ** 2 * np.cos(np.radians(50.955)) / 1e4
    assert tracks.sites.area_ha[1] == pytest.approx(true, rel=0.03)


def test_probability_band_is_found_by_its_name(write_raster):
    names = [f"{c} {n}" for c, n in legend.NAMES.items()]
    steps = np.zeros((len(names), 5, 5), np.uint8)
    steps[names.index(f"{QUARRY} {legend.NAMES[QUARRY]}")] = 125
    steps[:, 0] = 255
    path = write_raster("p.tif", steps, names=names, nodata=255)
    grid = grid_map(np.full((5, 5), FIELD, np.uint8))
    probability = read_probability(path, grid)
    assert np.isnan(probability[0]).all() and (probability[1:] == 0.5).all()
    with pytest.raises(InputError, match="no band is called"):
        read_probability(write_raster("q.tif", steps[:1]), grid)


def test_growth_is_tested_as_one_of_many_sites():
    """Sixteen sites: a p value of 0.03 alone is luck among them, a trend of all seven dates not."""
    luck = pd.Series([0.03, *[0.5] * 15])
    assert tracking._holm(luck)[0] == pytest.approx(0.48)
    strict = 2 / 5040  # of Kendall's test, all seven areas in order
    assert tracking._holm(pd.Series([strict, *[0.5] * 15]))[0] < 0.05


# --- regions, and maps on disk ----------------------------------------------------------------

def noisy_series(seed, shape=(90, 110)):
    """Maps and probabilities of four dates: clumps of rock and water, noise, clouds."""
    rng, maps, probabilities = np.random.default_rng(seed), {}, {}
    ground, wet = (ndimage.gaussian_filter(rng.normal(size=shape), s) for s in (3, 2))
    for day in DAYS[:4]:
        open_ = ground / ground.std() + ndimage.gaussian_filter(rng.normal(size=shape), 2) * 4
        codes = np.where(open_ > 1, QUARRY, FIELD).astype(np.uint8)
        codes[wet / wet.std() > 1.3] = WATER
        noise = rng.random(shape) < 0.03
        codes[noise] = rng.choice(legend.CODES, noise.sum())
        codes[ndimage.gaussian_filter(rng.normal(size=shape), 8) > 0.05] = legend.NO_DATA
        maps[day] = grid_map(codes)
        probabilities[day] = maps[day].copy(data=(1 / (1 + np.exp(1 - open_))).astype(np.float32))
    return maps, probabilities


def whole_map(series_):
    """Take the whole map as one region, as tracking without regions would."""
    everywhere = np.ones(series_.shape, bool)
    return iter([tracking._Window(tuple(slice(0, n) for n in series_.shape), everywhere)])


@pytest.mark.parametrize("seed", range(4))
def test_regions_change_no_result(monkeypatch, seed):
    maps, probabilities = noisy_series(seed)
    settings = Settings(min_area_ha=0.1, lake_border=(0.5, 0.0)[seed % 2])
    given = probabilities if seed < 2 else None
    one = track_sites(maps, given, settings)
    monkeypatch.setattr(tracking._Series, "windows", whole_map)
    other = track_sites(maps, given, settings)
    assert len(one.sites) > 3
    for mine, theirs in ((one.sites, other.sites), (one.observations, other.observations)):
        assert_geodataframe_equal(mine, theirs)


@pytest.mark.parametrize("seed", range(3))
def test_open_rock_by_whole_arrays(seed):
    """Lakes and holes once more, by masks of the whole map."""
    codes = next(iter(noisy_series(seed)[0].values())).values
    quarry = codes == QUARRY
    lakes, count = ndimage.label((codes == WATER), NEIGHBOURS)
    dug = quarry.copy()
    for number in range(1, count + 1):
        lake = lakes == number
        rim = ndimage.binary_dilation(lake, NEIGHBOURS) & ~lake
        if rim.any() and quarry[rim].mean() >= 0.5:
            dug |= lake
    holes, count = ndimage.label(ndimage.binary_fill_holes(dug) & ~dug)
    sizes = ndimage.sum_labels(np.ones(codes.shape), holes, range(count + 1))
    dug |= (holes > 0) & (sizes <= 200)[holes]
    assert np.array_equal(open_rock(grid_map(codes), None, Settings()), dug)


def test_maps_stay_on_disk_and_give_the_same_sites(write_raster):
    maps, _ = noisy_series(0)
    paths = [write_raster(f"m_{day:%Y%m%d}.tif", m.values) for day, m in maps.items()]
    on_disk = read_maps(paths)
    assert all(not m.variable._in_memory for m in on_disk.values())
    for day, m in maps.items():
        assert (on_disk[day][::-2, 3] == m.values[::-2, 3]).all()
        assert on_disk[day][5:5].values.shape == (0, m.shape[1])
    one, other = track_sites(maps), track_sites(on_disk)
    assert_geodataframe_equal(one.observations, other.observations)
