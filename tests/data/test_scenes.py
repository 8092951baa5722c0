"""Scenes: bands by name, reflectance, no data, and errors that name what is wrong."""

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from lulc_lib.data.bands import band_key
from lulc_lib.data.scenes import (
    BANDS,
    BANDS_10M,
    OffsetWarning,
    filled,
    open_scene,
    read_scene,
    scene_date,
    valid_mask,
)
from lulc_lib.errors import InputError

TWELVE = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"]


def test_reflectance_with_and_without_offset(write_raster, scene_dn):
    old = read_scene(write_raster("a_20210619.tif", scene_dn, BANDS))
    new = read_scene(write_raster("b_20220619.tif", scene_dn + 1000, BANDS))
    assert (old.attrs["offset"], new.attrs["offset"]) == (0, 1000)
    np.testing.assert_allclose(old, new, atol=1e-6)
    np.testing.assert_allclose(old, scene_dn / 10_000, atol=1e-6)
    assert old.dims == ("band", "y", "x")
    assert old.dtype == np.float32
    assert old.attrs["date"] == "2021-06-19"
    assert old.rio.crs.to_epsg() == 32633
    assert old.rio.bounds() == (600_000, 5_599_600, 600_500, 5_600_000)


def test_bands_are_found_by_name_among_others(write_raster, scene_dn):
    by_name = dict(zip(BANDS, scene_dn, strict=True))
    stack = np.stack([by_name.get(band_key(n), np.full((40, 50), 7, np.uint16)) for n in TWELVE])
    order = np.random.default_rng(0).permutation(len(TWELVE))
    path = write_raster("s.tif", stack[order], [TWELVE[i] for i in order])
    np.testing.assert_allclose(read_scene(path), scene_dn / 10_000, atol=1e-6)


def test_zeros_become_no_data_per_band(write_raster, scene_dn):
    scene_dn[[BANDS.index(b) for b in BANDS_10M], -1] = 0
    scene_dn[:, :, 0] = 0
    scene = read_scene(write_raster("s.tif", scene_dn, BANDS))
    assert np.isnan(scene.sel(band="B02").values[-1]).all()
    assert np.isfinite(scene.sel(band="B11").values[-1, 1:]).all()
    assert int((~valid_mask(scene)).sum()) == 40 + 49
    whole = filled(scene)
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(whole[0, -1, 1:], scene.values[0, -2, 1:])


def test_disagreement_is_reported_and_the_pixels_win(write_raster, scene_dn):
    path = write_raster("s.tif", scene_dn, BANDS, tags={"BOA_ADD_OFFSET": "-1000"})
    with pytest.warns(OffsetWarning, match="declares an offset of 1000 DN but its pixels show 0"):
        scene = read_scene(path)
    assert scene.attrs["offset"] == 0
    assert read_scene(path, offset=1000).attrs["offset_source"] == "given"


def sea(offset=1000):
    """Dark sea, (10, 40, 50) DN: no vegetation, and with the offset nothing below DN 1000."""
    rng = np.random.default_rng(2)
    water = np.array([450, 300, 120, 100, 80, 80, 60, 60, 40, 30])[:, None, None] + 25
    return (rng.normal(water, 8, (10, 40, 50)) + offset).clip(1).astype(np.uint16)


def test_scale_and_offset_are_a_declaration(write_raster):
    """Row 10 of the cases: Earth Search C1, EOPF, gdal_translate -a_offset."""
    path = write_raster("s.tif", sea(), BANDS)
    with pytest.raises(InputError, match="no vegetation, none darker than DN 700"):
        read_scene(path)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = [.0001] * 10, [-.1] * 10
    scene = read_scene(path)
    assert (scene.attrs["offset"], scene.attrs["offset_source"]) == (1000, "metadata")
    np.testing.assert_allclose(scene, (sea() - 1000.0) / 1e4, atol=1e-6)
    with open_scene(path) as file:
        assert file.survey().offset.used == 1000


@pytest.mark.parametrize(("nodata", "dtype"), [(65535, np.uint16), (-9999, np.int16),
                                               (-9999, np.int32), (65535, np.int32)])
def test_a_nodata_tag_is_honoured_by_both_ways_to_read(write_raster, scene_dn, nodata, dtype):
    values = scene_dn.astype(dtype)
    values[:, :5] = nodata
    values[0, 7, 7] = nodata
    path = write_raster("s.tif", values, BANDS, nodata=nodata)
    scene = read_scene(path)
    assert np.isnan(scene.values[:, :5]).all() and np.isnan(scene.values[0, 7, 7])
    assert np.isnan(scene.values).sum() == 10 * 5 * 50 + 1
    with open_scene(path) as file:
        survey = file.survey()
        assert (file.read(Window(0, 0, 50, 6))[:, :5] == 0).all()
    assert survey.count.tolist() == [35 * 50 - 1, *[35 * 50] * 9]
    np.testing.assert_allclose(survey.total, np.nansum(scene.values, (1, 2)), rtol=1e-5)


def test_missing_band(write_raster, scene_dn):
    names = [b for b in BANDS if b != "B8A"]
    with pytest.raises(InputError, match=r"s\.tif: band B8A not found"):
        read_scene(write_raster("s.tif", scene_dn[:9], names))


def test_a_band_twice(write_raster, scene_dn):
    stack, names = np.concatenate([scene_dn, scene_dn[:1]]), [*BANDS, "B2"]
    with pytest.raises(InputError, match="B02 is there more than once"):
        read_scene(write_raster("s.tif", stack, names))


def test_no_crs(write_raster, scene_dn):
    with pytest.raises(InputError, match="no CRS"):
        read_scene(write_raster("s.tif", scene_dn, BANDS, epsg=None))


def test_float_pixels(write_raster, scene_dn):
    """Float DN are DN; what is neither they nor reflectance is refused."""
    scene = read_scene(write_raster("s.tif", scene_dn.astype(np.float32), BANDS))
    np.testing.assert_allclose(scene, scene_dn / 10_000, atol=1e-6)
    with pytest.raises(InputError, match=r"float pixels reach 40; they must be reflectance"):
        read_scene(write_raster("s.tif", scene_dn.astype(np.float32) / 100, BANDS))


def test_truncated_and_absent_files(write_raster, scene_dn, tmp_path):
    path = write_raster("s.tif", scene_dn, BANDS)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InputError, match=r"s\.tif"):
        read_scene(path)
    with pytest.raises(InputError, match="no such file"):
        read_scene(tmp_path / "none.tif")


def test_a_band_without_any_data(write_raster, scene_dn):
    scene_dn[3] = 0
    scene = read_scene(write_raster("s.tif", scene_dn, BANDS), offset=0)
    with pytest.raises(InputError, match="B05 holds no data"):
        filled(scene)


@pytest.mark.parametrize(("name", "date"), [
    ("strzegom_20210619_33u.tif", "2021-06-19"), ("S2B_33UWS_20230709T100559.tif", "2023-07-09"),
    ("scene.tif", ""), ("x_20211399.tif", "")])
def test_date_from_name(name, date):
    assert scene_date(name) == date


def test_published_scenes_are_alike(published):
    """Only 2021-06-19 lacks the offset; corrected, the dark pixels of all dates agree."""
    scenes = [read_scene(p) for p in sorted(published.glob("img_train/strzegom_*.tif"))]
    assert [s.attrs["offset"] for s in scenes] == [0, *[1000] * (len(scenes) - 1)]
    dark = np.array([np.nanpercentile(s.sel(band="B02"), 1) for s in scenes])
    assert dark.max() < 0.03
    assert dark.min() > 0
