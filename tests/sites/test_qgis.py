"""Every output opened in QGIS, without a window; where QGIS is installed, and not in CI.

Set QGIS_PICTURES to a folder to look at what was drawn.
"""

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from lulc_lib import legend
from lulc_lib.data import geotiff
from lulc_lib.sites import assess_sites, write_sites
from lulc_lib.sites.layer_style import ALIASES
from lulc_lib.sites.rules import CATEGORIES
from tests.conftest import ROOT
from tests.sites.test_rules import registries, tracks

PYTHON = "/usr/bin/python3"
SCRIPT = ROOT / "tests" / "open_in_qgis.py"
LEAFS = [f"{code} {name}" for code, name in legend.NAMES.items()]
QUARRY = legend.COLOURS[legend.code("quarry")]


@functools.cache
def has_qgis():
    return Path(PYTHON).exists() and not subprocess.run(
        [PYTHON, "-c", "import qgis.core"], capture_output=True).returncode


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What QGIS makes of each file, by its name (or that and its layer's)."""
    if os.environ.get("CI") or not has_qgis():
        pytest.skip("QGIS is not installed, or this is CI")
    folder = tmp_path_factory.mktemp("qgis")
    write_rasters(folder)
    tracked = tracks()
    write_sites(folder / "sites.gpkg", assess_sites(tracked, registries()), tracked.observations)
    (folder / "alone").mkdir()
    for name in ("map.tif", "map.tif.aux.xml"):
        shutil.copy(folder / name, folder / "alone" / name)
    names = ["map.tif", "alone/map.tif", "share.tif", "applicability.tif", "sites.geojson",
             "sites.csv", "sites.gpkg|layername=sites", "sites.gpkg|layername=observations"]
    with served(folder / "alone") as address:
        sources = [*(f"{folder}/{n}" for n in names), f"/vsicurl/{address}/map.tif"]
        pictures = os.environ.get("QGIS_PICTURES", folder)
        run = subprocess.run([PYTHON, str(SCRIPT), str(pictures), *sources], capture_output=True,
                             text=True, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    return dict(zip([*names, "http"], found.values(), strict=True))


def write_rasters(folder):
    """Classes in rows from the north; shares rising to the south; a gap in the first row."""
    grid = (50, 40), rasterio.CRS.from_epsg(32633), from_origin(600_000, 5_600_000, 10, 10)
    whole = Window(0, 0, 40, 50)
    codes = np.repeat(np.repeat(legend.CODES, 5), 40).reshape(50, 40).astype(np.uint8)
    codes[0] = legend.NO_DATA
    rising = np.repeat(np.linspace(0, 1, 50, dtype=np.float32), 40).reshape(50, 40)
    rising[0] = np.nan
    bands = np.stack([0 * rising] * (len(legend.CODES) - 1) + [rising])
    writers = {
        "map.tif": (geotiff.class_map_writer, ({},), codes[None]),
        "share.tif": (geotiff.shares_writer, (LEAFS, {}), geotiff.shares(bands)),
        "applicability.tif": (geotiff.applicability_writer, (1.5, {}),
                              geotiff.applicability_steps(3 * rising)[None])}
    for name, (make, more, values) in writers.items():
        with make(folder / name, *grid, *more) as writer:
            writer.write(values, whole)
            writer.finish()
            writer.publish()


class served:
    """Serve a folder on loopback; the address."""

    def __init__(self, folder):
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def drawn(found):
    return {c: n for c, n in found["colours"].items() if c != "#ff00ff"}


def test_nothing_is_warned_of(seen):
    assert {name: found["said"] for name, found in seen.items() if found["said"]} == {}


@pytest.mark.parametrize("name", ["map.tif", "alone/map.tif", "http"])
def test_a_class_map_has_its_colours_and_names(seen, name):
    """With its style, without it, and over HTTP."""
    assert [text for text in seen[name]["legend"] if text in LEAFS] == LEAFS
    assert {c for c, n in drawn(seen[name]).items() if n > 3000} == set(legend.COLOURS.values())


def test_quarry_probability_and_applicability_are_told_apart(seen):
    assert seen["share.tif"]["bands"] == [len(legend.CODES)]
    assert len(drawn(seen["share.tif"])) > 40  # a ramp, and not one colour
    counts = drawn(seen["applicability.tif"])
    assert len(counts) == 3 and min(counts.values()) > 0.2 * sum(counts.values())
    assert [t.split(",")[0] for t in seen["applicability.tif"]["legend"]] == [
        "inside the area of applicability", "outside", "far outside"]


@pytest.mark.parametrize("name", ["sites.geojson", "sites.gpkg|layername=sites"])
def test_sites_have_categories_numbers_words_and_a_white_casing(seen, name):
    found = seen[name]
    assert found["legend"] == [c.label for c in CATEGORIES.values()]
    assert found["labels"] and found["display"] == "'Site ' || \"site_id\""
    assert found["aliases"]["overrun_ha"] == ALIASES["overrun_ha"] == (
        "overrun of the mining area, ha")
    assert found["types"]["first_seen"] == found["types"]["last_seen"] == "Date"
    counts = drawn(found)
    red = CATEGORIES["outside_deposit"].colour
    assert counts[red] > 500
    assert sum(n for c, n in counts.items() if min(bytes.fromhex(c[1:])) > 180) > 1000  # white


def test_observations_are_seen_by_year(seen):
    found = seen["sites.gpkg|layername=observations"]
    assert found["legend"] == ["2020", "2021", "2022", "2023"]
    assert found["types"]["date"] == "Date" and found["types"]["seen"] == "Boolean"
    assert sum(drawn(found).values()) > 1000


def test_the_csv_is_points_that_are_seen(seen):
    found = seen["sites.csv"]
    assert (found["geometry"], found["features"]) == (0, 1)
    assert (found["types"]["site_id"], found["types"]["area_ha"]) == ("Integer", "Real")
    assert sum(drawn(found).values()) > 20
