"""What classes look like: reflectance statistics of a scene under its labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from lulc_lib import legend
from lulc_lib.data.scenes import BANDS, WAVELENGTHS


def class_spectra(scene: xr.DataArray, labels: xr.DataArray) -> pd.DataFrame:
    """Return quartiles of reflectance per class and band of a scene under its labels.

    One row per class that has pixels and band: ``code``, ``band``, ``wavelength`` (nm), ``q25``,
    ``median``, ``q75`` (reflectance) and ``pixels``.
    """
    rows = []
    for code in legend.CODES:
        inside = labels.values == code
        if not inside.any():
            continue
        quartiles = np.nanquantile(scene.values[:, inside], [0.25, 0.5, 0.75], axis=1).T
        for band, (low, middle, high) in zip(BANDS, quartiles, strict=True):
            rows.append((code, band, WAVELENGTHS[band], low, middle, high, int(inside.sum())))
    names = ["code", "band", "wavelength", "q25", "median", "q75", "pixels"]
    return pd.DataFrame(rows, columns=names)


def series_spectra(scenes: Mapping[str, xr.DataArray], labels: Mapping[str, xr.DataArray]
                   ) -> pd.DataFrame:
    """Return :func:`class_spectra` of every date that has labels, with column ``date``."""
    parts = [class_spectra(scenes[d], labels[d]).assign(date=d) for d in sorted(labels)]
    return pd.concat(parts, ignore_index=True)


def dark_percentiles(scenes: Mapping[str, xr.DataArray], percentile: float = 1) -> pd.DataFrame:
    """Return a low percentile of reflectance, one row per date, one column per band.

    Dark water and shadow are in every scene of the study, so an offset of 1000 DN that was not
    taken off stands out as a reflectance of 0.1 where there should be nearly none.
    """
    rows = {d: np.nanpercentile(s.values, percentile, axis=(1, 2)) for d, s in scenes.items()}
    return pd.DataFrame(rows, index=list(BANDS)).T.rename_axis("date")


def label_coverage(labels: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    """Count labelled pixels per class (row, legend code) and raster (column), without NO_DATA."""
    counts = {name: np.bincount(m.values.ravel(), minlength=legend.CODES[-1] + 1)
              for name, m in labels.items()}
    return pd.DataFrame(counts).loc[list(legend.CODES)].rename_axis("code")
