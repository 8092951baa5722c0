"""What the tests share: two small scenes in a folder, and the real client on a server of them."""

from __future__ import annotations

import json

import ee
import google.auth.credentials
import numpy as np
import rasterio
import rasterio.warp
import requests
from ee_local.registry import bind, find
from rasterio.transform import from_origin

ROWS, COLS = 40, 50
EAST, NORTH = 585_420.0, 5_652_250.0
EPSG = 32633
EE_BANDS = ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12"]
COLLECTION = "COPERNICUS/S2_SR_HARMONIZED"
SCENES = {"2022-06-19": "20220619_T33UWS_strzegom", "2023-07-09": "20230709_T33UWS_strzegom"}


def digital_numbers(seed: int) -> np.ndarray:
    """(10, ROWS, COLS) uint16 DN: dark water, bright soil, crops; strips of 0."""
    rng = np.random.default_rng(seed)
    dn = rng.integers(1500, 3500, (len(EE_BANDS), ROWS, COLS))
    dn[:, :12] = rng.integers(100, 400, (len(EE_BANDS), 12, COLS))
    dn[EE_BANDS.index("B4"), 25:] = rng.integers(200, 500, (ROWS - 25, COLS))
    dn[EE_BANDS.index("B8"), 25:] = rng.integers(4000, 6000, (ROWS - 25, COLS))
    dn[:, :, 0] = 0  # every band
    dn[EE_BANDS.index("B11"), ROWS - 1] = 0  # one band alone
    return dn.astype(np.uint16)


def write_scenes(folder):
    """Two scenes, their tile in a sidecar; date to their DN."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for seed, (date, stem) in enumerate(SCENES.items()):
        dn = digital_numbers(seed)
        with rasterio.open(folder / f"{stem}.tif", "w", driver="GTiff", count=len(EE_BANDS),
                           dtype="uint16", height=ROWS, width=COLS, crs=f"EPSG:{EPSG}",
                           transform=from_origin(EAST, NORTH, 10, 10), nodata=0) as out:
            out.write(dn)
            out.descriptions = EE_BANDS
        (folder / f"{stem}.json").write_text(json.dumps({"properties": {"MGRS_TILE": "33UWS"}}))
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


def apply(name, *values):
    """A function applied without HTTP."""
    found = find(name)
    names = [a.name for a in found.signature.arguments]
    return found.compute(*bind(found.signature, dict(zip(names, values, strict=False))))


def asked(graph):
    """Values of many objects in one request."""
    return ee.Dictionary(graph).getInfo()
