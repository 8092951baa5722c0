"""EuroMineNet: download and unpacking from loopback, and scenes laid out as its authors say."""

import hashlib
import io
import stat
import zipfile

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from experiments import euromine_scenes as scenes
from lulc_lib import cli
from lulc_lib.data import euromine
from lulc_lib.data.bands import BANDS
from lulc_lib.errors import InputError
from tests.http_server import FAST, Fault, loopback_server

LEAF = dict(zip(BANDS, (.030, .055, .035, .085, .230, .300, .320, .330, .170, .080), strict=True))
SOIL = dict(zip(BANDS, (.070, .100, .140, .165, .185, .205, .220, .230, .300, .260), strict=True))
ROCK = dict(zip(BANDS, (.200, .240, .280, .290, .300, .310, .320, .325, .380, .340), strict=True))
HAZE = dict(zip(BANDS, (.065, .040, .020, .015, .010, .008, .006, .006, 0, 0), strict=True))


def reflectance(haze=False):
    """(band, 40, 50) in the study's order: a mine of rock amid leaves and soil, some shadow."""
    rng = np.random.default_rng(3)
    cover = rng.uniform(0, 1, (40, 50)) ** .5  # of leaves
    leaf, soil, rock, thin = ([s[b] for b in BANDS] for s in (LEAF, SOIL, ROCK, HAZE))
    values = np.multiply.outer(leaf, cover) + np.multiply.outer(soil, 1 - cover)
    values[:, 10:20, 10:30] = np.multiply.outer(rock, rng.uniform(.8, 1.2, (10, 20)))
    values[:, :3] = .02
    return values + (np.array(thin)[:, None, None] if haze else 0)


def write(path, values, **more):
    """Write (band, row, col) as a GeoTIFF without band names."""
    values = values if values.ndim == 3 else values[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", count=len(values), dtype=values.dtype,
                       height=values.shape[1], width=values.shape[2], crs="EPSG:32634",
                       transform=from_origin(500_000, 5_500_000, 10, 10), **more) as file:
        file.write(values)


def make_site(root, site, year=2021, folders=("images", "labels"), name="Year{}.tif",
              order=BANDS, haze=False, offset=0, shape=(40, 50)):
    """A site's folder with one year; the mine is where the rock is."""
    dn = np.rint(reflectance(haze) * 1e4 + offset).astype(np.uint16)
    write(root / site / folders[0] / name.format(year), dn[[BANDS.index(b) for b in order]])
    label = np.zeros((40, 50), np.uint8)
    label[10:20, 10:30] = 255
    write(root / site / folders[1] / name.format(year), label[:shape[0], :shape[1]])


@pytest.mark.parametrize(("folders", "name"), [
    (("images", "labels"), "Year{}.tif"), (("image", "label"), "year{}.tif"),
    (("images", "label"), "Label{}.tif")])
def test_both_spellings_are_read(tmp_path, folders, name):
    make_site(tmp_path, "Poland_15", 2019, folders, name)
    scene, mine = scenes.read_site(tmp_path, "Poland_15", 2019)
    assert scene.dims == ("band", "y", "x") and list(scene.band.values) == list(BANDS)
    assert np.allclose(scene.values, reflectance(), atol=1e-4)
    assert mine.dtype == bool and mine.sum() == 200 and mine.values[10, 10]
    assert scene.rio.crs.to_epsg() == 32634 and scene.attrs["radiometry"] == "surface"
    assert list(scenes.years(tmp_path, "Poland_15")) == [2019]


@pytest.mark.parametrize("order", scenes.ORDERS, ids=" ".join)
@pytest.mark.parametrize(("haze", "offset"), [(False, 0), (True, 0), (True, 1000)])
def test_the_order_of_bands_is_told_by_vegetation(tmp_path, order, haze, offset):
    make_site(tmp_path, "Italy_2", order=order, haze=haze, offset=offset)
    scene = scenes.read_site(tmp_path, "Italy_2", 2021).scene
    assert scene.attrs["order"] == " ".join(order) and scene.attrs["offset"] == offset
    assert scene.attrs["radiometry"] == ("top of atmosphere" if haze else "surface")
    assert np.allclose(scene.values, reflectance(haze), atol=1e-4)


def test_haze_can_be_subtracted(tmp_path):
    make_site(tmp_path, "Italy_2", haze=True)
    clear = scenes.without_haze(scenes.read_site(tmp_path, "Italy_2", 2021).scene)
    assert clear.attrs["radiometry"] == "haze subtracted" and clear.rio.crs.to_epsg() == 32634
    assert np.abs(clear.values - reflectance())[:, 5:].max() < .02
    assert scenes.radiometry_of(clear) == "surface"


def test_bands_that_nothing_tells_are_refused(tmp_path):
    make_site(tmp_path, "Italy_2", order=BANDS[::-1])
    with pytest.raises(InputError, match="no order of its unnamed bands"):
        scenes.read_site(tmp_path, "Italy_2", 2021)


def test_a_smaller_label_cuts_its_image_and_says_so(tmp_path):
    make_site(tmp_path, "Finland_6", shape=(39, 50))
    scene, mine = scenes.read_site(tmp_path, "Finland_6", 2021)
    assert scene.shape == (10, 39, 50) and mine.shape == (39, 50)
    assert scene.attrs["notes"] == ["label 1 row(s), 0 column(s) smaller: image cut to it"]
    make_site(tmp_path, "Finland_7", shape=(38, 50))
    with pytest.raises(InputError, match="may differ by one"):
        scenes.read_site(tmp_path, "Finland_7", 2021)


def test_split_and_sites_left_out(tmp_path):
    for site in ("Spain_4", "Poland_15", "Poland_2", "Poland_10", "Greece_10"):
        make_site(tmp_path, site)
    (tmp_path / "notes_1").mkdir()
    assert scenes.sites(tmp_path) == ["Greece_10", "Poland_2", "Poland_10", "Poland_15"]
    assert scenes.sites(tmp_path, "train") == ["Poland_2", "Poland_10"]
    assert [scenes.part_of(s) for s in ("Portuga_1", "Germany_13")] == ["validation", "train"]
    parts = list(scenes._listed().values())
    assert [parts.count(p) for p in ("test", "validation", "left out")] == [17, 14, 3]
    with pytest.raises(InputError, match="leave this site"):
        scenes.read_site(tmp_path, "Spain_4", 2021)
    with pytest.raises(InputError, match=r"no image and label of 2015 .*it has 2021"):
        scenes.read_site(tmp_path, "Poland_2", 2015)
    with pytest.raises(InputError, match="`lulc data --euromine` downloads"):
        scenes.sites(tmp_path / "none")


def test_a_label_of_other_values_is_refused(tmp_path):
    make_site(tmp_path, "Italy_2")
    write(tmp_path / "Italy_2/labels/Year2021.tif", np.full((40, 50), 7, np.uint8))
    with pytest.raises(InputError, match="one band of 0 and 255"):
        scenes.read_site(tmp_path, "Italy_2", 2021)


def archive(*more, sites=("Poland_15", "Poland_2")):
    """Bytes of an archive of tiny sites, below one folder, and further (name, mode) members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for site in sites:
            for kind in ("images", "labels"):
                out.writestr(f"EuroMineNet/{site}/{kind}/Year2021.tif", f"{site} {kind}" * 500)
        out.writestr("EuroMineNet/README.md", "read me")
        for name, mode in more:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            out.writestr(info, "x")
    return buffer.getvalue()


def record(server, body, layout="entries"):
    """Let the server have the archive and its record in one of the API's two layouts."""
    server.files["files/EuroMineNet.zip"] = body
    url = f"{server.url}/files/EuroMineNet.zip"
    one = {"key": "EuroMineNet.zip", "size": len(body),
           "checksum": f"md5:{hashlib.md5(body).hexdigest()}",
           "links": {"content": url} if layout == "entries" else {"self": url}}
    files = {"entries": {"EuroMineNet.zip": one}} if layout == "entries" else [one]
    server.routes["api/records/4656"] = lambda _: {"id": 4656, "files": files}
    return f"{server.url}/api/records/4656"


@pytest.fixture
def server(monkeypatch):
    with loopback_server(monkeypatch) as running:
        yield running


@pytest.mark.parametrize("layout", ["entries", "list"])
def test_sites_are_downloaded_resumed_verified_and_unpacked(server, tmp_path, layout):
    url = record(server, archive(), layout)
    server.faults["files/EuroMineNet.zip"] = [Fault(break_after=100)]
    got = euromine.download_sites(tmp_path, (), url, False, FAST)
    assert got == ["Poland_15", "Poland_2"]
    assert server.asked("files/EuroMineNet.zip")[1:] == ["bytes=100-"]
    assert (tmp_path / "Poland_2/labels/Year2021.tif").read_text().startswith("Poland_2 labels")
    assert "CC BY 4.0" in (tmp_path / "ATTRIBUTION.txt").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "ATTRIBUTION.txt", "EuroMineNet.zip", "Poland_15", "Poland_2"]
    asked = len(server.log)
    assert euromine.download_sites(tmp_path, ["Poland_2"], url, False, FAST) == ["Poland_2"]
    assert len(server.log) == asked


def test_some_sites_only_and_unknown_ones(server, tmp_path):
    url = record(server, archive())
    assert euromine.download_sites(tmp_path, ["Poland_2"], url, False, FAST) == ["Poland_2"]
    assert not (tmp_path / "Poland_15").exists()
    with pytest.raises(InputError, match="has no site Poland_99; it has Poland_15, Poland_2"):
        euromine.download_sites(tmp_path, ["Poland_99"], url, False, FAST)


def test_damaged_bytes_never_get_a_name(server, tmp_path):
    url = record(server, archive())
    server.faults["files/EuroMineNet.zip"] = [Fault(corrupt=True), Fault(corrupt=True)]
    with pytest.raises(InputError, match="damaged: its md5"):
        euromine.download_sites(tmp_path, (), url, False, FAST)
    assert list(tmp_path.glob("[!.]*")) == []


@pytest.mark.parametrize("member", [
    ("EuroMineNet/Italy_2/../../../up.tif", 0), ("/Italy_2/images/Year2021.tif", 0),
    ("Italy_2/images/..\\..\\up.tif", 0), ("Italy_2/images/link.tif", stat.S_IFLNK | 0o777)])
def test_an_archive_that_leads_out_is_refused(server, tmp_path, member):
    url = record(server, archive(member))
    with pytest.raises(InputError, match="nothing is unpacked"):
        euromine.download_sites(tmp_path, (), url, False, FAST)
    assert not list(tmp_path.glob("*_*"))


def test_a_member_that_breaks_leaves_no_site(server, tmp_path):
    body = bytearray(archive(sites=("Poland_15",)))
    at = body.index(b"Year2021.tif") + 20  # inside the first member's deflated bytes
    body[at] ^= 0xFF
    url = record(server, bytes(body))
    with pytest.raises(InputError, match="cannot be unpacked"):
        euromine.download_sites(tmp_path, (), url, False, FAST)
    assert not list(tmp_path.glob("*Poland*"))


def test_a_record_without_the_archive(server, tmp_path):
    server.routes["r"] = lambda _: {"files": [{"key": "other.zip"}]}
    with pytest.raises(InputError, match="does not list it"):
        euromine.download_sites(tmp_path, (), f"{server.url}/r", False, FAST)


def test_the_command(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(euromine, "RECORD", record(server, archive()))
    out = tmp_path / "mines"
    assert cli.main(["data", "--euromine", "--sites", "Poland_2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"{out}: 1 site" in printed and euromine.ATTRIBUTION in printed
    monkeypatch.setenv("LULC_DATA", str(tmp_path))
    out.rename(tmp_path / "euromine")
    assert cli.main(["data", "--list"]) == 0
    assert f"{tmp_path / 'euromine'}: 1 sites. EuroMineNet" in capsys.readouterr().out
    assert cli.main(["data", "--sites", "Poland_2"]) == 2
    assert "--sites belongs to --euromine" in capsys.readouterr().err
