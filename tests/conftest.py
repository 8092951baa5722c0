"""What several tests share: where the published data is, and small scenes to write."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from lulc_lib.data.scenes import BANDS
from lulc_lib.landscape import write_landscape

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: where files run side by side, none then lags."""
    items.sort(key=lambda item: not item.path.name.startswith("test_notebooks_"))


@pytest.fixture(scope="session")
def published() -> Path:
    """Folder of the published dataset; tests that need it are skipped without ``LULC_DATA``."""
    folder = os.environ.get("LULC_DATA")
    if not folder:
        pytest.skip("LULC_DATA is not set: no published data")
    return Path(folder)


@pytest.fixture(scope="session")
def landscape(tmp_path_factory) -> Path:
    """Folder of a synthetic landscape (seed 3), which no test changes."""
    return write_landscape(tmp_path_factory.mktemp("landscape") / "synthetic", 3)


@pytest.fixture
def write_raster(tmp_path):
    """A function that writes a GeoTIFF: (band, row, col) values, names, CRS, origin, tags, size."""

    def write(name, values, names=None, epsg=32633, origin=(600_000, 5_600_000), tags=None,
              nodata=None, size=10):
        values = np.asarray(values)
        values = values[None] if values.ndim == 2 else values
        path = tmp_path / name
        crs = rasterio.CRS.from_epsg(epsg) if epsg else None
        with rasterio.open(path, "w", driver="GTiff", count=len(values), dtype=values.dtype,
                           height=values.shape[1], width=values.shape[2], crs=crs, nodata=nodata,
                           transform=from_origin(*origin, size, size)) as file:
            file.write(values)
            for number, band in enumerate(names or [], start=1):
                file.set_band_description(number, band)
            file.update_tags(**(tags or {}))
        return path

    return write


@pytest.fixture
def scene_dn() -> np.ndarray:
    """(10, 40, 50) uint16 DN without offset: water in the north, soil, crops in the south."""
    rng = np.random.default_rng(1)
    dn = rng.normal(2000, 100, (len(BANDS), 40, 50))
    dn[:, :10] = rng.normal(200, 30, (len(BANDS), 10, 50))
    dn[BANDS.index("B04"), 30:] = 400
    dn[BANDS.index("B08"), 30:] = 4000
    return dn.clip(1).astype(np.uint16)
