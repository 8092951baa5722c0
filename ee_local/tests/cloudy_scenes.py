"""Three scenes of Sentinel-2 with clouds: bands, masks, and cloud cover in three kinds of place."""

import json

import numpy as np
import rasterio
from local_engine import EAST, EPSG, NORTH
from rasterio.transform import from_origin

ROWS, COLS = 24, 30
NAMES = ["B2", "B3", "B4", "B8", "QA60", "SCL", "MSK_CLDPRB", "B1", "B5", "B6", "B7", "B8A", "B9",
         "B11", "B12"]
COLLECTION = "COPERNICUS/S2_SR_HARMONIZED"
CLOUD, VEGETATION, SOIL, WATER = 9, 4, 5, 6


def scene(seed, clouds):
    """(band, row, col) uint16 of a scene: water, soil, crops, and a cloud over some columns."""
    rng = np.random.default_rng(seed)
    values = np.zeros((len(NAMES), ROWS, COLS))
    scl = np.repeat([WATER, SOIL, VEGETATION], ROWS // 3)[:, None].repeat(COLS, 1)
    for code, level in ((WATER, (600, 500, 400, 200)), (SOIL, (1500, 1700, 2100, 2600)),
                        (VEGETATION, (500, 700, 500, 4500))):
        place = scl == code
        values[:4, place] = np.array(level)[:, None] + rng.integers(-90, 90, (4, place.sum()))
    cloudy = slice(*clouds)
    values[:4, :, cloudy] = 9000
    values[4, :, cloudy] = 1 << 10
    scl[:, cloudy] = CLOUD
    values[7:] = 0.5 * values[3]
    values[5], values[6] = scl, np.where(scl == CLOUD, 95, 0)
    values[:, 0] = 0  # outside the swath
    return values.astype(np.uint16)


SCENES = {"20230601": (3, (0, 4)), "20230611": (12, (10, 15)), "20230621": (80, (2, 28))}
"""Date to cloud cover in per cent and the columns that are cloudy."""


def write_cloudy(root):
    """Write the scenes: their cloud cover in a tag, a table and a STAC item; date to values."""
    found = {date: scene(seed, c) for seed, (date, (_, c)) in enumerate(SCENES.items())}
    for date, one in found.items():
        with rasterio.open(root / f"{date}_T33UWS.tif", "w", driver="GTiff", count=len(NAMES),
                           dtype="uint16", nodata=0, height=ROWS, width=COLS, crs=f"EPSG:{EPSG}",
                           transform=from_origin(EAST, NORTH, 10, 10)) as target:
            target.write(one)
            target.descriptions = NAMES
            if date == "20230601":
                target.update_tags(CLOUDY_PIXEL_PERCENTAGE="3")
    (root / "properties.csv").write_text(
        "file,CLOUDY_PIXEL_PERCENTAGE\n20230611_T33UWS.tif,12\n")
    (root / "20230621_T33UWS.json").write_text(json.dumps({
        "type": "Feature", "stac_version": "1.0.0", "properties": {
            "datetime": "2023-06-21T10:00:31Z", "eo:cloud_cover": 80, "s2:water_percentage": 7.5,
            "processing:software": {"some-tool": "1.2"}}}))
    return found
