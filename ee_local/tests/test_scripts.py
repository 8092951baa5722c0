"""Everyday scripts, each with its value by a second computation (``scripts/``)."""

import importlib.util
import time
from pathlib import Path

import ee
import numpy as np
import pytest
import rasterio.warp
from cloudy_scenes import COLLECTION, COLS, NAMES, ROWS, SCENES, write_cloudy
from local_engine import EAST, EPSG, NORTH, box, centre, initialise, scene_grid
from rasterio.transform import from_origin

import ee_local

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))


class Place:
    """What a script is about: three scenes of 24 × 30 pixels; the first row has no data."""

    collection, dates, covers = COLLECTION, list(SCENES), SCENES
    crs, transform = f"EPSG:{EPSG}", from_origin(EAST, NORTH, 10, 10)

    def __init__(self, values, exports):
        self._values, self._exports = values, exports

    def band(self, date, name):
        """(row, col) float64 of a band, NaN where there is no data."""
        found = self._values[date][NAMES.index(name)].astype(float)
        found[0] = np.nan
        return found

    def rectangle(self, row, col, height, width):
        """A rectangle of whole pixels for the client."""
        return box(row, col, height, width)

    def centre(self, row, col):
        """Longitude and latitude of a pixel's centre."""
        return list(centre(row, col))

    def corner(self, row, col):
        """Longitude and latitude of a pixel's upper left corner."""
        (lon,), (lat,) = rasterio.warp.transform(
            self.crs, "EPSG:4326", [EAST + 10 * col], [NORTH - 10 * row])
        return lon, lat

    def median(self, stack):
        """Median over the first axis without NaN; NaN where there is nothing else."""
        gaps = np.isnan(stack).all(axis=0)
        return np.where(gaps, np.nan, np.nanmedian(np.where(gaps, 0, stack), axis=0))

    def exported(self, task, name):
        """The file of an export, when it is there."""
        task.start()
        while task.active():
            time.sleep(0.02)
        assert task.status()["state"] == "COMPLETED", task.status()
        return self._exports / name


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The scenes, served."""
    root, out = tmp_path_factory.mktemp("scenes"), tmp_path_factory.mktemp("out")
    values = write_cloudy(root)
    with ee_local.start(root, exports=out, collection=COLLECTION) as server:
        initialise(server.address)
        yield Place(values, out)
    ee.Reset()


def computed(found):
    """What the script asks for: bands as arrays with NaN for gaps, or a value."""
    if isinstance(found, ee.Image):
        names = found.bandNames().getInfo()
        both = found.toDouble().addBands(found.mask().toDouble().rename([f"m_{n}" for n in names]))
        pixels = ee.data.computePixels({"expression": both, "fileFormat": "NUMPY_NDARRAY",
                                        "grid": scene_grid(COLS, ROWS)})
        return {n: np.where(pixels[f"m_{n}"] > 0, pixels[n], np.nan) for n in names}
    return found.getInfo() if isinstance(found, ee.ComputedObject) else found


def compare(found, expected):
    """Numbers alike to a millionth, everything else the same."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            compare(found[key], value)
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            compare(one, other)
    elif isinstance(expected, (str, bool)):
        assert found == expected
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_there_are_twenty_or_more():
    assert len(SCRIPTS) >= 20


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_scripts(place, path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    compare(computed(module.script(place)), module.expected(place))
