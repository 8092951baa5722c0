"""An index as a GeoTIFF in Drive, in another CRS than the scene's."""

import ee
import numpy as np
import rasterio
from rasterio.warp import Resampling, reproject


def script(place):
    image = ee.Image(f"{place.collection}/20230601_T33UWS")
    ndwi = image.normalizedDifference(["B3", "B8"]).toFloat()
    task = ee.batch.Export.image.toDrive(
        image=ndwi, description="ndwi", region=place.rectangle(4, 4, 16, 20), scale=10,
        crs="EPSG:3035")
    with rasterio.open(place.exported(task, "ndwi.tif")) as source:
        values, mask = source.read(1), source.read_masks(1) > 0
        place.grid = source.shape, source.transform, source.crs
    return {"nd": np.where(mask, values, np.nan)}


def expected(place):
    green, near = (place.band("20230601", b) for b in ("B3", "B8"))
    shape, transform, crs = place.grid
    out = np.full(shape, np.nan)
    reproject((green - near) / (green + near), out, src_transform=place.transform,
              src_crs=place.crs, dst_transform=transform, dst_crs=crs, src_nodata=np.nan,
              dst_nodata=np.nan, resampling=Resampling.nearest)
    return {"nd": out.astype("f4")}
