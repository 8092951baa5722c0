"""Folds hold out what they say, and a training that touches it is refused by name."""

import numpy as np
import pytest

from lulc_lib.accuracy import splits
from lulc_lib.errors import InputError
from lulc_lib.legend import NO_DATA

DATES = ["2021-06-19", "2022-06-19", "2022-07-19", "2022-10-12", "2023-02-09", "2023-03-01"]


@pytest.fixture
def codes():
    """Labels of two dates (80, 100): fields in each quadrant, one over the middle column."""
    first, second = np.zeros((2, 80, 100), np.uint8)
    first[4:10, 4:12] = 1
    first[60:70, 10:20] = 2
    first[8:14, 70:90] = 10
    first[30:36, 40:55] = 4  # its middle lies west of column 50
    second[14:20, 70:75] = 10  # touches the quarry of the first date
    second[70:75, 80:90] = 8
    return [first, second]


def test_clusters_join_dates_and_corners(codes):
    clusters = splits.label_clusters(codes)
    assert clusters.max() == 5
    assert clusters[8, 80] == clusters[19, 74] != 0
    corner = np.zeros((4, 4), np.uint8)
    corner[0, 0] = corner[1, 1] = 3
    assert splits.label_clusters([corner]).max() == 1


def test_quadrants_part_the_scene_and_keep_clusters_whole(codes):
    clusters = splits.label_clusters(codes)
    regions = [splits.quadrant_region(clusters, q) for q in splits.QUADRANTS]
    np.testing.assert_array_equal(np.sum(regions, axis=0), 1)
    for number in range(1, clusters.max() + 1):
        assert sorted(r[clusters == number].mean() for r in regions) == [0, 0, 0, 1]
    assert regions[0][33, 54]  # the field that straddles belongs to NW
    with pytest.raises(InputError, match="quadrant is 'north'"):
        splits.quadrant_region(clusters, "north")


def test_the_seasons_part_the_dates():
    assert sorted(d for s in splits.SEASONS for d in splits.SEASON_GROUPS[s]) == DATES


def test_a_fold_of_season_and_place(codes):
    fold = splits.make_fold(codes, "winter", "NE", buffer=3)
    assert fold.name == "winter-NE"
    assert fold.training_dates(DATES) == DATES[:4]
    rows, cols = np.nonzero(fold.blocked)
    assert (rows.max(), cols.min()) == (42, 47)  # 40 rows and column 50 on, and 3 pixels
    assert not fold.training_labels(codes[0])[8:14, 70:90].any()
    assert fold.training_labels(codes[0])[60:70, 10:20].all()
    assert set(np.unique(fold.held_out_labels(codes[0], "2023-02-09"))) == {0, 10}
    assert not fold.held_out_labels(codes[0], "2022-07-19").any()
    everything = splits.make_fold(codes)
    assert (everything.name, everything.dates, everything.blocked.any()) == ("all", (), False)


def test_allowed_patches_against_a_plain_loop(codes):
    fold = splits.make_fold(codes, quadrant="SE", buffer=5)
    allowed = fold.allowed_patches(16)
    assert allowed.shape == (65, 85)
    for row in range(0, 65, 4):
        for col in range(0, 85, 4):
            assert allowed[row, col] == (not fold.blocked[row:row + 16, col:col + 16].any())


def test_a_planted_leak_is_refused_by_name(codes):
    fold = splits.make_fold(codes, "winter", "NE", buffer=3)
    clean = fold.training_labels(codes[0])
    corners = np.argwhere(fold.allowed_patches(16))
    splits.refuse_leak(fold, "2022-07-19", clean, corners, 16)
    with pytest.raises(InputError, match=r"2023-03-01; fold winter-NE holds that date out"):
        splits.refuse_leak(fold, "2023-03-01", clean)
    planted = clean.copy()
    planted[42, 60] = 10  # in the buffer, not in the quadrant
    with pytest.raises(InputError, match=r"label 10 of 2022-07-19 at row 42, column 60 .*\(1 s"):
        splits.refuse_leak(fold, "2022-07-19", planted)
    with pytest.raises(InputError, match=r"row 30, column 32 touches row 30, column 47 .*r-NE"):
        splits.refuse_leak(fold, "2022-07-19", corners=[*corners[:3], (30, 32)], patch=16)
    with pytest.raises(InputError, match=r"labels are \(3, 4\)"):
        splits.refuse_leak(fold, "2022-07-19", np.zeros((3, 4), np.uint8))


@pytest.mark.parametrize("seed", range(3))
def test_every_protocol_passes_its_own_check(codes, seed):
    folds = [*splits.random_pixels(codes, seed=seed), *splits.polygons_out(codes, seed=seed),
             *splits.random_patches(codes, 16, seed=seed), *places_out(codes, 8),
             *(splits.make_fold(codes, s) for s in (*DATES, *splits.SEASONS)),
             *(f for turn in range(4) for f in splits.season_place_folds(codes, turn))]
    assert len({f.name for f in folds}) == len(folds)
    for fold in folds:
        for date in fold.training_dates(DATES):
            splits.refuse_leak(fold, date, fold.training_labels(codes[0]),
                               np.argwhere(fold.allowed_patches(8)), 8)
            assert not (fold.training_labels(codes[0]) & fold.held_out_labels(codes[0], date)).any()


def places_out(codes, buffer=splits.BUFFER):
    return [splits.make_fold(codes, quadrant=q, buffer=buffer) for q in splits.QUADRANTS]


def small_patches(codes, seed=0):
    return splits.random_patches(codes, patch=16, seed=seed)


@pytest.mark.parametrize("protocol", [
    splits.random_pixels, small_patches, splits.polygons_out, places_out])
def test_places_hold_every_label_out_once(codes, protocol):
    held = [f.held_out_labels(codes[0], "2022-07-19") for f in protocol(codes)]
    np.testing.assert_array_equal(np.sum(held, axis=0), codes[0])


def test_polygons_stay_whole_and_random_pixels_do_not(codes):
    clusters = splits.label_clusters(codes)

    def cut(folds):
        return sum(0 < f.region[clusters == n].mean() < 1 for f in folds for n in range(1, 6))

    assert cut(splits.polygons_out(codes)) == 0
    assert cut(splits.random_pixels(codes)) > 5
    assert cut(splits.random_patches(codes, 16)) > 0


def test_the_same_seed_gives_the_same_folds(codes):
    for protocol in (splits.random_pixels, small_patches, splits.polygons_out):
        first, again, other = (np.stack([f.region for f in protocol(codes, seed=s)])
                               for s in (4, 4, 5))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()


def test_what_is_not_stated_is_five_folds_of_seed_0(codes):
    large = [np.tile(c, (2, 3)) for c in codes]
    for protocol, given in ((splits.random_pixels, ()), (splits.random_patches, (64,)),
                            (splits.polygons_out, ())):
        usual, stated, other, fewer = (
            [f.region for f in folds] for folds in (
                protocol(large), protocol(large, *given, 5, 0), protocol(large, *given, 5, 1),
                protocol(large, *given, 4, 0)))
        assert len(usual) == 5 and len(fewer) == 4
        np.testing.assert_array_equal(usual, stated)
        assert (np.array(usual) != other).any()
    folds = [*splits.random_pixels(large), *splits.random_patches(large),
             *splits.polygons_out(large)]
    assert [f.name for f in folds] == [f"{kind}-{n}" for kind in (
        "random-pixels", "random-patches", "polygons") for n in range(1, 6)]
    assert all(f.dates == () and (f.blocked == f.region).all() for f in folds)
    assert [f.windows_may_touch for f in folds] == [True] * 5 + [False] * 5 + [True] * 5
    usual, stated = splits.make_fold(codes, None, "NE"), splits.make_fold(
        codes, None, "NE", splits.BUFFER)
    np.testing.assert_array_equal(usual.blocked, stated.blocked)
    assert usual.name == "NE" and (usual.blocked != usual.region).any()
    assert [f.name for f in splits.season_place_folds(codes)] == [
        f"{s}-{q}" for s, q in zip(splits.SEASONS, splits.QUADRANTS, strict=False)]


def test_random_pixels_are_those_labelled_on_any_date(codes):
    drawn = np.random.default_rng(0).integers(0, 5, codes[0].shape)
    labelled = (codes[0] > 0) | (codes[1] > 0)
    for number, fold in enumerate(splits.random_pixels(codes)):
        np.testing.assert_array_equal(fold.region, labelled & (drawn == number))


def test_random_patches_are_whole_and_as_many_in_each_fold():
    codes = [np.ones((70, 100), np.uint8)]  # of 32 pixels: 3 × 4 patches, the last ones cut
    number = sum(k * f.region for k, f in enumerate(splits.random_patches(codes, 32, 4)))
    cells = [[np.unique(number[r:r + 32, c:c + 32]) for c in range(0, 100, 32)]
             for r in range(0, 70, 32)]
    assert all(len(cell) == 1 for row in cells for cell in row)
    assert sorted(int(cell[0]) for row in cells for cell in row) == [0, 0, 0, 1, 1, 1, 2, 2, 2,
                                                                     3, 3, 3]
    assert len(list(splits.random_patches(codes, 32, 12))) == 12  # one each
    with pytest.raises(InputError, match="12 patches in 70 x 100 pixels; 13 folds"):
        next(splits.random_patches(codes, 32, 13))


def test_a_buffer_is_a_square_around_the_place():
    region = np.zeros((9, 9), bool)
    region[4, 3] = True
    expected = np.zeros((9, 9), bool)
    expected[2:7, 1:6] = True
    np.testing.assert_array_equal(splits.with_buffer(region, 2), expected)
    np.testing.assert_array_equal(splits.with_buffer(region, 0), region)
    assert not splits.with_buffer(region & False, 2).any()
    assert splits.with_buffer(region).all()  # BUFFER is more than the scene


def test_a_cluster_on_the_middle_belongs_to_the_south_east():
    """Row 4 and column 4 of 8 are the first of the other half; halves of odd numbers are short."""
    clusters = np.zeros((8, 8), np.int32)
    clusters[3:6, 3:6] = 1
    regions = {q: splits.quadrant_region(clusters, q) for q in splits.QUADRANTS}
    assert regions["SE"][3:6, 3:6].all()
    assert [int(regions[q].sum()) for q in ("NW", "NE", "SW", "SE")] == [15, 14, 14, 21]
    odd = splits.quadrant_region(np.zeros((5, 7), np.int32), "NW")
    assert odd.sum() == 2 * 3 and odd[:2, :3].all()


def test_all_pairs_of_season_and_place_come_in_four_turns(codes):
    names = {f.name for turn in range(4) for f in splits.season_place_folds(codes, turn)}
    assert names == {f"{s}-{q}" for s in splits.SEASONS for q in splits.QUADRANTS}


def test_bad_names_and_buffers(codes):
    with pytest.raises(InputError, match="season is 'spring'; it must be one of june"):
        splits.make_fold(codes, "spring")
    with pytest.raises(InputError, match="buffer is -1"):
        splits.make_fold(codes, quadrant="NE", buffer=-1)
    with pytest.raises(InputError, match="4 patches in 80 x 100 pixels; 5 folds"):
        next(splits.random_patches(codes, 64))


def label_range(codes):
    """Distance, in pixels, at which 1 − 1/e of the agreement of labels along an axis is lost."""
    labelled = codes != NO_DATA
    shares = np.bincount(codes[labelled], minlength=256) / labelled.sum()
    chance, agree = float((shares**2).sum()), []
    for away in range(1, 61):
        pairs = [(codes[away:], codes[:-away]), (codes[:, away:], codes[:, :-away])]
        first, second = (np.concatenate([p[k].ravel() for p in pairs]) for k in (0, 1))
        both = (first != NO_DATA) & (second != NO_DATA)
        agree.append(float((first[both] == second[both]).mean()) if both.any() else chance)
    return int(np.argmax(np.array(agree) <= 1 - .632 * (1 - chance))) + 1


def test_label_range_of_stripes():
    """Stripes 20 wide of three classes agree at distance d with probability near 1 − d / 20."""
    codes = np.kron(np.arange(60) % 3 + 1, np.ones((5, 20))).astype(np.uint8)
    alone = np.kron(np.arange(60) % 3 + 1, np.ones((1, 20))).astype(np.uint8)
    assert label_range(codes[:1]) == label_range(alone)
    assert 7 <= label_range(alone) <= 14  # (2/3) × .632 × 20 is 8.4


def test_label_range_of_the_published_dates(published):
    from lulc_lib.data.series import training_series
    labels = training_series("strzegom", published).labels
    ranges = [label_range(a.to_numpy()) for a in labels.values()]
    assert (min(ranges), max(ranges)) == (32, 41)
    assert splits.BUFFER >= min(ranges)
