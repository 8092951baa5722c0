"""What the tests of this room share: one thread, and a small landscape built here."""

import numpy as np
import pytest
import torch
import xarray as xr

from lulc_lib import legend
from lulc_lib.data.scenes import BANDS


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small arrays on a busy machine: threads that wait for each other cost more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def landscape(seed, rows=70, cols=62):
    """A scene of three classes in fields, each with its own spectrum, and a sparse mask."""
    rng = np.random.default_rng(seed)
    fields = np.random.default_rng(0).choice(legend.CODES[:3], (12, 12))
    codes = np.kron(fields, np.ones((8, 8)))[:rows, :cols].astype(np.uint8)
    spectra = np.random.default_rng(1).uniform(0.05, 0.4, (256, 10))
    values = np.moveaxis(spectra[codes], -1, 0) + rng.normal(0, 0.02, (10, rows, cols))
    values[:, -1], values[:4, 0] = np.nan, np.nan
    dims, crs = ("band", "y", "x"), 32633
    coords = {"y": 5_600_000 - 10.0 * np.arange(rows), "x": 500_000 + 10.0 * np.arange(cols)}
    scene = xr.DataArray(
        values.astype(np.float32), dims=dims, coords={"band": list(BANDS), **coords},
        attrs={"name": f"place_{seed}", "date": "2023-07-09"},
    ).rio.write_crs(crs)
    sparse = np.where(rng.random(codes.shape) < 0.2, codes, legend.NO_DATA).astype(np.uint8)
    return scene, xr.DataArray(sparse, dims=dims[1:], coords=coords).rio.write_crs(crs), codes
