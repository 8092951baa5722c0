"""`lulc classify` of scenes in the forms in which people have them: the map, or the way on."""

import re

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.warp import Resampling, reproject

from lulc_lib.cli import main
from lulc_lib.data.bands import BANDS
from tests.data.test_forms import (
    BAND_NAMES,
    CRS,
    NAME,
    NAMINGS,
    SIDE,
    T10,
    cube,  # noqa: F401  (fixtures, as those below)
    degrees,
    dn,  # noqa: F401
    dn20,  # noqa: F401
    metadata,
    safe,  # noqa: F401
    scl_codes,
    write,
    write_each,
    write_eopf,
    write_item,
    write_long_names,
    write_safe,
    write_vrt,
)
from tests.http_server import loopback_server
from tests.unet.conftest import one_thread  # noqa: F401
from tests.unet.test_classify import checkpoint, stored  # noqa: F401

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")
ALL = ",".join(BANDS)
HIDDEN = np.isin(np.kron(scl_codes(), np.ones((2, 2), int)), (3, 9))
"""Pixels that SCL calls cloud or shadow."""


@pytest.fixture
def lulc(checkpoint, capsys, tmp_path):  # noqa: F811
    """A function that classifies: exit code, what stderr says, (row, col) codes, tags, grid."""

    def run(*words):
        out = tmp_path / "map.tif"
        out.unlink(missing_ok=True)
        code = main(["classify", *map(str, words), "-o", str(out), "--checkpoint",
                     str(checkpoint), "--overwrite"])
        said = capsys.readouterr().err
        if code:
            assert said.count("\n") == 1 and not out.exists(), said
            return code, said, None, None, None
        with rasterio.open(out) as file:
            return code, said, file.read(1), file.tags(), (file.crs, file.transform, file.shape)

    return run


@pytest.fixture
def plain(lulc, dn, tmp_path):  # noqa: F811
    """The map of the scene in its plainest form."""
    code, said, codes, tags, _ = lulc(write(tmp_path / "plain.tif", dn, names=BANDS))
    assert (code, said) == (0, "") and len(np.unique(codes)) > 3
    assert tags["offset"] == "1000 DN (pixels)"
    return codes


def scaled(path, values):
    """Say in each band what GDAL's scale and offset make of its DN."""
    with rasterio.open(write(path, values, names=BANDS), "r+") as file:
        file.scales, file.offsets = (1e-4,) * 10, (-0.1,) * 10
    return path


def reflectance(values):
    return (values.astype(np.float32) - 1000) / 1e4


EXACT = {
    **{f"bands named as {who}": lambda to, d, names=names: [write(to / "s.tif", d, names=names)]
       for who, names in BAND_NAMES.items()},
    "long_name": lambda to, d: [write_long_names(to / "s.tif", d)],
    "other order, other bands": lambda to, d: [write(
        to / "s.tif", np.concatenate([d[::-1], d[:1]]), names=[*BANDS[::-1], "B01"])],
    "unnamed": lambda to, d: [write(to / "s.tif", d), "--bands", ALL],
    "unnamed, one not needed": lambda to, d: [
        write(to / "s.tif", np.concatenate([d[:1], d])), "--bands", f"x,{ALL}"],
    "VRT": lambda to, d: [write_vrt(to, d)],
    "float reflectance": lambda to, d: [write(to / "s.tif", reflectance(d), names=BANDS)],
    "float DN": lambda to, d: [write(to / "s.tif", d.astype(np.float32), names=BANDS)],
    "int16": lambda to, d: [write(to / "s.tif", d.astype(np.int16), names=BANDS)],
    "GDAL scale and offset": lambda to, d: [scaled(to / "s.tif", d)],
    "baseline 05.09": lambda to, d: [write(
        to / "s.tif", d, names=BANDS, tags={"PROCESSING_BASELINE": "05.09"})],
    "--offset": lambda to, d: [write(to / "s.tif", d, names=BANDS), "--offset", "1000"],
    "--like its own grid": lambda to, d: [
        write(to / "s.tif", d, names=BANDS), "--like", write(to / "like.tif", d[0])],
}
"""Forms that hold the very same numbers."""


@pytest.mark.parametrize("form", EXACT)
def test_the_same_numbers_give_the_same_map(lulc, plain, dn, tmp_path, form):  # noqa: F811
    code, said, codes, tags, grid = lulc(*EXACT[form](tmp_path, dn))
    assert (code, said) == (0, "") and np.array_equal(codes, plain)
    assert grid == (rasterio.CRS.from_string(CRS), T10, (SIDE, SIDE))
    assert ("1000 DN" in tags["offset"]) and (
        ("metadata" in tags["offset"]) == (form in ("GDAL scale and offset", "baseline 05.09")))


def alike(codes, plain):
    """Bands of 20 m are brought to 10 m: within rounding, so that few pixels change class."""
    return (codes == plain)[2:-2, 2:-2].mean()


@pytest.mark.parametrize("form", ["folder", "zip", "MTD_MSIL2A.xml"])
def test_safe(lulc, plain, safe, form):  # noqa: F811
    path = {"folder": safe, "zip": safe.with_suffix(".zip")}.get(form, safe / form)
    code, said, codes, tags, grid = lulc(path)
    assert (code, said) == (0, "") and alike(codes, plain) > 0.98
    assert (tags["date"], tags["sensor"], tags["baseline"]) == ("2023-07-09", "S2B", "05.09")
    assert tags["offset"] == "1000 DN (metadata and pixels)" and grid[1:] == (T10, (SIDE, SIDE))


@pytest.mark.parametrize("how", ["folder", "pattern"])
@pytest.mark.parametrize("who", NAMINGS)
def test_a_file_for_each_band(lulc, plain, dn, dn20, tmp_path, who, how):  # noqa: F811
    folder = write_each(tmp_path / "scene_20230709", dn, dn20, NAMINGS[who])
    code, said, codes, tags, _ = lulc(folder if how == "folder" else folder / "*.tif*")
    assert (code, said) == (0, "") and alike(codes, plain) > 0.98
    assert tags["date"] in ("2023-07-09", "2017-06-13")


@pytest.mark.parametrize("form", ["NetCDF", "Zarr 2", "Zarr 3"])
def test_one_of_a_series(lulc, plain, cube, tmp_path, form):  # noqa: F811
    path = tmp_path / ("s.nc" if form == "NetCDF" else "s.zarr")
    if form == "NetCDF":
        cube.to_netcdf(path, engine="h5netcdf")
    else:
        cube.to_zarr(path, zarr_format=int(form[-1]))
    code, said, *_ = lulc(path)
    assert code == 2 and "choose one with --time (2023-07-09, 2023-07-14)" in said
    code, said, codes, tags, _ = lulc(path, "--time", "2023-07-09")
    assert (code, said, tags["date"]) == (0, "", "2023-07-09") and np.array_equal(codes, plain)


def test_eopf_zarr(lulc, plain, dn, dn20, tmp_path):  # noqa: F811
    code, said, codes, tags, _ = lulc(write_eopf(tmp_path / "s.zarr", dn, dn20))
    assert (code, said, tags["sensor"]) == (0, "", "S2B") and alike(codes, plain) > 0.98


@pytest.mark.parametrize("place", ["file", "address"])
def test_stac_item(lulc, plain, dn, dn20, tmp_path, monkeypatch, place):  # noqa: F811
    path = write_item(tmp_path, dn, dn20)
    with loopback_server(monkeypatch) as server:
        server.files = {str(p.relative_to(tmp_path)): p.read_bytes()
                        for p in [path, *(tmp_path / "cog").iterdir()]}
        code, said, codes, tags, _ = lulc(path if place == "file" else f"{server.url}/item.json")
        assert bool(server.log) == (place == "address")
    assert (code, said, tags["date"]) == (0, "", "2023-07-09") and alike(codes, plain) > 0.98


@pytest.fixture
def coarse(dn, dn20, tmp_path):  # noqa: F811
    """A function that writes a scene with pixels of another size: its path, how it is spoken of."""

    def made(kind):
        if kind == "20 m":
            return write(tmp_path / "s.tif", dn20, 20, BANDS), "EPSG:32633, pixels of 20 × 20 m"
        values, grid = degrees(dn)
        path = write(tmp_path / "s.tif", values, names=BANDS, crs=grid.crs,
                     transform=grid.transform)
        return path, "EPSG:4326, pixels of 6.3"

    return made


@pytest.mark.parametrize("like", [False, True])
@pytest.mark.parametrize("kind", ["20 m", "degrees"])
def test_other_pixels_are_resampled_and_said(lulc, coarse, tmp_path, kind, like):
    """Against GDAL's own resampling to the same grid."""
    path, spoken = coarse(kind)
    shifted = T10 @ Affine.translation(3, 5)
    chosen = write(tmp_path / "like.tif", np.ones((90, 100), np.uint8), transform=shifted)
    code, said, codes, _, grid = lulc(path, *(["--like", chosen] if like else []))
    assert code == 0 and said.count("\n") == 1
    assert f"resampled (bilinear) from {spoken}" in said and "to 10 m in EPSG:32633" in said
    if like:
        assert grid == (rasterio.CRS.from_string(CRS), shifted, (90, 100))
    with rasterio.open(path) as file:
        theirs = np.zeros((10, *grid[2]), np.uint16)
        reproject(file.read(), theirs, src_transform=file.transform, src_crs=file.crs,
                  dst_transform=grid[1], dst_crs=grid[0], src_nodata=0, dst_nodata=0,
                  resampling=Resampling.bilinear)
    code, said, expected, *_ = lulc(write(
        tmp_path / "theirs.tif", theirs, names=BANDS, transform=grid[1]))
    both = (codes > 0) & (expected > 0)
    assert code == 0 and both.mean() > 0.55 and (codes == expected)[both].mean() > 0.97
    assert ((codes > 0) == (expected > 0)).mean() > 0.97


def test_clouds(lulc, plain, safe, dn, tmp_path):  # noqa: F811
    """What SCL calls cloud or shadow has no class; without SCL the command says what to do."""
    code, said, codes, *_ = lulc(safe, "--mask-clouds")
    assert (code, said) == (0, "") and np.array_equal(codes == 0, HIDDEN)
    path = write(tmp_path / "s_20230709.tif", dn, names=BANDS)
    code, said, *_ = lulc(path, "--mask-clouds")
    assert code == 2 and "no scene classification (band SCL, or s_20230709_scl.tif" in said
    assert "map it without --mask-clouds" in said
    write(tmp_path / "s_20230709_scl.tif", scl_codes(), 20)
    code, said, codes, *_ = lulc(path, "--mask-clouds")
    assert (code, said) == (0, "") and np.array_equal(codes == 0, HIDDEN)
    assert (codes == plain)[~HIDDEN].mean() > 0.9  # the scene's statistics are those of the rest


def test_the_line_that_is_proposed_works(lulc, plain, dn, tmp_path):  # noqa: F811
    for count, values in ((10, dn), (12, np.concatenate([dn[:1], dn[:8], dn[:1], dn[8:]]))):
        path = write(tmp_path / f"s{count}.tif", values)
        code, said, *_ = lulc(path)
        assert code == 2 and f"its {count} bands have no names" in said
        proposed = re.search(r"--bands (\S+)", said)[1]
        code, said, codes, *_ = lulc(path, "--bands", proposed)
        assert (code, said) == (0, "") and np.array_equal(codes, plain)


REFUSED = {
    "Level-1C SAFE": (lambda to, d, d20: [write_safe(to, d, d20, (10, 20), metadata(level="1C"))],
                      r"is top of atmosphere \(S2MSI1C\).*take the Level-2A product"),
    "cirrus band": (lambda to, d, _: [write(
        to / "s.tif", np.concatenate([d, d[:1]]), names=[*BANDS, "B10"])],
        r"is top of atmosphere \(band B10.*take the Level-2A product"),
    "thirteen bands": (lambda to, d, _: [write(to / "s.tif", np.concatenate([d, d[:3]]))],
                       r"its 13 bands have no names \(a Level-1C product has 13"),
    "TOA float": (lambda to, d, _: [write(
        to / "s.tif", reflectance(d), names=[f"TOA_{b}" for b in BANDS])],
        r"is top of atmosphere \(TOA_B02\).*take the Level-2A product"),
    "60 m": (lambda to, d, _: [write(to / "s.tif", d[:, ::6, ::6], 60, BANDS)],
             r"pixels of B02 are 60\.\d+ × 60\.\d+ m.*take the product's 10 m and 20 m bands"),
    "missing bands": (lambda to, d, _: [write(to / "s.tif", d[:9], names=BANDS[:9])],
                      "band B12 not found.*--bands says which they are"),
    "20 m bands missing": (lambda to, d, d20: [write_safe(to, d, d20, (10,))],
                           "band B05, B06, B07, B8A, B11, B12 not found"),
    "8 bits": (lambda to, d, _: [write(to / "s.tif", (d // 40).astype(np.uint8), names=BANDS)],
               "8 bits: a picture for the eye.*take the product's bands"),
    "true colour": (lambda to, d, _: [write(to / "s.tif", (d[:3] // 40).astype(np.uint8))],
                    "8 bits: a picture for the eye.*take the product's bands"),
    "no band in a folder": (lambda to, d, _: [write(to / "x" / "dem.tif", d[0]).parent],
                            r"no file of it is named after a band.*dem\.tif"),
    "one file of those with a band each": (
        lambda to, d, _: [write(to / "x" / "T33UWS_B02_10m.tif", d[0])],
        r"has one band; .* give the folder, or a pattern in quotes"),
    "wrong number of names": (lambda to, d, _: [write(to / "s.tif", d), "--bands", "B02,B03"],
                              "has 10 bands, but --bands names 2; name each of them"),
    "offset of reflectance": (lambda to, d, _: [
        write(to / "s.tif", reflectance(d), names=BANDS), "--offset", "0"],
        r"pixels are reflectance; an offset \(--offset\)"),
    "another day": (lambda to, d, _: [
        write(to / "s_20230709.tif", d, names=BANDS), "--time", "2023-07-10"],
        "is of 2023-07-09, not of 2023-07-10"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_refused_names_the_reason_and_the_way_on(
        lulc, dn, dn20, tmp_path, form):  # noqa: F811
    write_form, says = REFUSED[form]
    code, said, *_ = lulc(*write_form(tmp_path, dn, dn20))
    assert code == 2 and re.search(says, said), said


def test_one_map_of_all_forms_in_one_call(lulc, plain, safe, dn, tmp_path, checkpoint):  # noqa: F811
    """Many scenes of different forms; each map is named after its scene."""
    float_scene = write(tmp_path / "f_20230710.tif", reflectance(dn), names=BANDS)
    assert main(["classify", str(safe), str(float_scene), "-o", str(tmp_path / "maps"),
                 "--checkpoint", str(checkpoint)]) == 0
    maps = {p.name: rasterio.open(p).read(1) for p in (tmp_path / "maps").glob("*.tif")}
    assert maps.keys() == {f"{NAME}_map.tif", "f_20230710_map.tif"}
    assert np.array_equal(maps["f_20230710_map.tif"], plain)
    assert alike(maps[f"{NAME}_map.tif"], plain) > 0.98
