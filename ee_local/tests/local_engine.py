"""What the tests of the local Earth Engine share: two small scenes, and the real client."""

from __future__ import annotations

import ee
import google.auth.credentials
import numpy as np
import pytest
import rasterio
import rasterio.warp
import requests
from ee_local.registry import bind, find
from rasterio.transform import from_origin

import ee_local as local
from lulc_lib.data.scenes import BANDS

ROWS, COLS = 40, 50
EAST, NORTH = 585_420.0, 5_652_250.0
EPSG = 32633
EE_BANDS = ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12"]
COLLECTION = "COPERNICUS/S2_SR_HARMONIZED"
SCENES = {"2022-06-19": "strzegom_20220619_33u", "2023-07-09": "strzegom_20230709_33u"}


def digital_numbers(seed: int) -> np.ndarray:
    """(10, ROWS, COLS) uint16 DN without offset: dark water, bright soil, crops; strips of 0."""
    rng = np.random.default_rng(seed)
    dn = rng.integers(1500, 3500, (len(BANDS), ROWS, COLS))
    dn[:, :12] = rng.integers(100, 400, (len(BANDS), 12, COLS))
    dn[BANDS.index("B04"), 25:] = rng.integers(200, 500, (ROWS - 25, COLS))
    dn[BANDS.index("B08"), 25:] = rng.integers(4000, 6000, (ROWS - 25, COLS))
    dn[:, :, 0] = 0  # every band
    dn[BANDS.index("B11"), ROWS - 1] = 0  # one band alone
    return dn.astype(np.uint16)


def write_scenes(root):
    """Two scenes with +1000 DN in the dataset's layout; date to their DN without it."""
    folder = root / "img_train"
    folder.mkdir(parents=True)
    found = {}
    for seed, (date, stem) in enumerate(SCENES.items()):
        dn = digital_numbers(seed)
        with rasterio.open(folder / f"{stem}.tif", "w", driver="GTiff", count=len(BANDS),
                           dtype="uint16", height=ROWS, width=COLS, crs=f"EPSG:{EPSG}",
                           transform=from_origin(EAST, NORTH, 10, 10)) as out:
            out.write(np.where(dn > 0, dn + 1000, 0).astype(np.uint16))
            out.descriptions = BANDS
        found[date] = dn
    return found


class Local:
    """A running local Earth Engine with the client on it; ``dn`` is date to (band, row, col)."""

    def __init__(self, server, dn, root, exports):
        self.server, self.dn, self.root, self.exports = server, dn, root, exports
        self.address = server.address

    def band(self, name, date="2023-07-09"):
        """(row, col) float64 of a band by Earth Engine's name, NaN where there is no data."""
        values = self.dn[date][EE_BANDS.index(name)].astype(float)
        return np.where(values > 0, values, np.nan)

    def image(self, date="2023-07-09"):
        """The scene of a day as the client has it."""
        day = ee.Date(date)
        return ee.ImageCollection(COLLECTION).filterDate(day, day.advance(1, "day")).first()

    def pixels(self, image, grid=None):
        """An image's pixels as a structured array; the scene's grid unless one is given."""
        return ee.data.computePixels({
            "expression": image, "fileFormat": "NUMPY_NDARRAY", "grid": grid or scene_grid()})

    def get(self, path, **options):
        """A plain HTTP GET."""
        return requests.get(self.address + path, timeout=30, **options)

    def post(self, path, **options):
        """A plain HTTP POST."""
        return requests.post(self.address + path, timeout=30, **options)


def scene_grid(width=COLS, height=ROWS, col=0, row=0, pixel=10.0):
    """The pixels of the scenes, or a part of them, as a request's grid."""
    return {"crsCode": f"EPSG:{EPSG}", "dimensions": {"width": width, "height": height},
            "affineTransform": {"scaleX": pixel, "shearX": 0, "translateX": EAST + 10 * col,
                                "shearY": 0, "scaleY": -pixel, "translateY": NORTH - 10 * row}}


def centre(row, col):
    """Longitude and latitude of a pixel's centre."""
    x, y = EAST + 10 * (col + 0.5), NORTH - 10 * (row + 0.5)
    (lon,), (lat,) = rasterio.warp.transform(f"EPSG:{EPSG}", "EPSG:4326", [x], [y])
    return lon, lat


def box(row, col, height, width):
    """A rectangle of whole pixels as the client's geometry, straight in the scene's CRS."""
    x, y = EAST + 10 * col, NORTH - 10 * row
    return ee.Geometry.Rectangle([x, y - 10 * height, x + 10 * width, y], f"EPSG:{EPSG}", False)


def initialise(address):
    """The client on an address."""
    ee.Reset()
    ee.Initialize(google.auth.credentials.AnonymousCredentials(), url=address, project="offline")


@pytest.fixture(scope="module", name="engine")
def local_engine(tmp_path_factory):
    """The local Earth Engine on two small scenes, and the client initialised with it."""
    root = tmp_path_factory.mktemp("data")
    dn = write_scenes(root)
    exports = tmp_path_factory.mktemp("exports")
    with local.start(root, exports=exports) as server:
        initialise(server.address)
        yield Local(server, dn, root, exports)
    ee.Reset()


def apply(name, *values):
    """A function applied without HTTP."""
    found = find(name)
    names = [a.name for a in found.signature.arguments]
    return found.compute(*bind(found.signature, dict(zip(names, values, strict=False))))


def asked(graph):
    """Values of many objects in one request."""
    return ee.Dictionary(graph).getInfo()
