"""Which data a run uses: published when it can be had, synthetic when not, and it says so."""

import pytest

from lulc_lib.data import catalogue as catalogue_module
from lulc_lib.data import source as source_module
from lulc_lib.data.source import resolve_source
from lulc_lib.errors import InputError
from tests.http_server import FAST, Fault, entry, free_port, loopback_server

BODIES = {
    "img_train/strzegom_20230709_33u.tif": b"scene" * 900,
    "test_mask/strzegom_ref.gpkg": b"polygons" * 300,
    "img_train/kolbuszowa_20210327.tif": b"optional" * 500,
}
CORE = tuple(BODIES)[:2]
OPTIONAL = tuple(BODIES)[2]


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A loopback server that holds a dataset of three files, two of them needed."""
    files = tuple(
        entry(path, body, site=path.split("/")[1].split("_")[0]) for path, body in BODIES.items()
    )
    for module in (catalogue_module, source_module):
        monkeypatch.setattr(module, "published_files", lambda: files)
    monkeypatch.setenv("LULC_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    with loopback_server(monkeypatch) as running:
        running.files = {f"c0ffee/{path}": body for path, body in BODIES.items()}
        yield running


class Landscape:
    """A stand-in for the landscape: counts how often it is written."""

    def __init__(self):
        self.written = []

    def ensure(self, folder, progress):
        if not folder.is_dir():
            self.written.append(folder)
            folder.mkdir(parents=True)


LANDSCAPE = Landscape()


@pytest.fixture
def landscape():
    """What :func:`resolve` falls back on."""
    LANDSCAPE.written.clear()
    return LANDSCAPE


def resolve(choice="auto", **more):
    return resolve_source(choice, lambda folder, progress: LANDSCAPE.ensure(folder, progress),
                          progress=False, policy=FAST, **more)


def place(tmp_path, *names):
    for name in names:
        target = tmp_path / "data" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(BODIES[name])


def test_everything_is_downloaded(server, landscape, tmp_path):
    found = resolve()
    assert (found.name, found.root) == ("published", tmp_path / "data")
    assert found.missing == () and found.note == "" and not landscape.written
    assert all((found.root / p).read_bytes() == b for p, b in BODIES.items())


@pytest.mark.parametrize("choice", ["auto", "published"])
def test_no_request_when_the_needed_files_are_there(server, tmp_path, choice):
    place(tmp_path, *CORE)
    found = resolve(choice)
    assert found.name == "published" and found.missing == (OPTIONAL,)
    assert OPTIONAL in found.note and not server.log


def test_optional_file_that_cannot_be_had_is_listed(server, landscape):
    del server.files[f"c0ffee/{OPTIONAL}"]
    found = resolve()
    assert found.name == "published" and found.missing == (OPTIONAL,) and not landscape.written


def test_auto_falls_back_and_says_why(server, landscape, tmp_path):
    del server.files[f"c0ffee/{CORE[1]}"]
    found = resolve()
    assert (found.name, found.missing) == ("synthetic", (CORE[1],))
    assert found.root == tmp_path / "data" / "synthetic"
    for word in ("1 of the 2", CORE[1], "404", "synthetic"):
        assert word in found.note
    assert resolve().name == "synthetic"
    assert len(landscape.written) == 1, "a landscape that is ready is not written again"


def test_auto_without_network_falls_back_quickly(server, landscape, monkeypatch):
    monkeypatch.setenv("LULC_DATA_URL", f"http://127.0.0.1:{free_port()}")
    found = resolve()
    assert found.name == "synthetic" and found.missing == CORE
    assert "cannot be reached" in found.note


def test_published_never_falls_back(server, landscape):
    del server.files[f"c0ffee/{CORE[1]}"]
    with pytest.raises(InputError, match=r"1 of 2 files .*strzegom_ref\.gpkg.*404.*LULC_DATA"):
        resolve("published")
    assert not landscape.written


def test_download_false_keeps_off_the_network(server, landscape, tmp_path):
    assert resolve(download=False).name == "synthetic"
    with pytest.raises(InputError, match="not in"):
        resolve("published", download=False)
    place(tmp_path, *CORE)
    assert resolve("published", download=False).name == "published"
    assert not server.log


def test_damaged_needed_file_is_replaced_or_named(server, landscape, tmp_path):
    place(tmp_path, *CORE)
    bad = tmp_path / "data" / CORE[0]
    bad.write_bytes(b"damaged")
    offline = resolve(download=False)
    assert offline.name == "synthetic" and "is damaged" in offline.note
    assert resolve().name == "published" and bad.read_bytes() == BODIES[CORE[0]]


def test_folder_that_cannot_be_used(server, landscape, tmp_path):
    (tmp_path / "data").write_text("a file")
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(InputError, match="must name a folder"):
        resolve("published")


def test_auto_with_a_folder_that_cannot_be_used(server, landscape, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("LULC_DATA", str(tmp_path / "file"))
    found = resolve()
    assert found.name == "synthetic" and "must name a folder" in found.note


def test_only_what_a_step_needs_counts(server, landscape, tmp_path):
    server.faults[f"c0ffee/{CORE[0]}"] = [Fault(404), Fault(404)]
    found = resolve(needed=[CORE[1]])
    assert found.name == "published" and CORE[0] in found.missing


def test_synthetic_on_request_asks_nobody(server, landscape, tmp_path):
    found = resolve("synthetic")
    assert found.name == "synthetic" and found.missing == () and not server.log
    assert landscape.written == [tmp_path / "data" / "synthetic"]


def test_landscape_that_cannot_be_written(server, landscape, monkeypatch):
    def refuse(folder, progress):
        raise FileExistsError(f"{folder} holds files that are not a landscape")

    monkeypatch.setattr(landscape, "ensure", refuse)
    with pytest.raises(InputError, match=r"cannot be written to .*not a landscape"):
        resolve("synthetic")


def test_unknown_values_are_named(server):
    with pytest.raises(InputError, match=r"source is 'paper'; it must be one of auto, published"):
        resolve("paper")
    with pytest.raises(InputError, match=r"'x\.tif' is not a file"):
        resolve(needed=["x.tif"])
