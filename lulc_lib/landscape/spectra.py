"""Class spectra by date, from the table measured on the published scenes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lulc_lib.landscape.plan import BANDS

SPREADS = ("between_sd", "between_pc1", "between_pc2", "within_sd", "within_pc1")
MIN_OBJECTS = 4
"""Where fewer objects were measured, the class's spreads of the other dates are used."""


@dataclass(frozen=True)
class Spectrum:
    """One class on one day; every field is ``(band,) float64`` reflectance, bands as in BANDS."""

    mean: NDArray[np.float64]
    between_sd: NDArray[np.float64]
    between_pc1: NDArray[np.float64]
    between_pc2: NDArray[np.float64]
    within_sd: NDArray[np.float64]
    within_pc1: NDArray[np.float64]


@cache
def measured() -> pd.DataFrame:
    """The measured table (see :mod:`experiments.landscape_spectra`), spreads completed."""
    table = pd.read_csv(files("lulc_lib.landscape") / "spectra.csv", parse_dates=["date"])
    few = table["n_objects"].lt(MIN_OBJECTS) & table["n_pixels"].gt(0)
    columns = list(SPREADS)
    usual = table[~few].groupby(["class", "band"])[columns].mean()
    rows = pd.MultiIndex.from_frame(table.loc[few, ["class", "band"]])
    table.loc[few, columns] = usual.reindex(rows).to_numpy()
    return table


@cache
def spectrum(key: str, day: date) -> Spectrum:
    """Spectrum of class ``key`` on ``day``.

    The measured one where that date was measured; else linear interpolation over the day of year
    between the measured dates, around the turn of the year.
    """
    table = measured()
    mine = table[table["class"] == key]
    columns = ["mean", *SPREADS]
    exact = mine[mine["date"] == pd.Timestamp(day)]
    if len(exact):
        rows = exact.set_index("band").loc[list(BANDS), columns]
        return Spectrum(*(rows[c].to_numpy() for c in columns))
    by_day = mine.assign(doy=mine["date"].dt.dayofyear).groupby(["doy", "band"])[columns].mean()
    doys = by_day.index.unique("doy").to_numpy()
    values = np.stack([by_day.loc[d].loc[list(BANDS), columns].to_numpy() for d in doys])
    at = day.timetuple().tm_yday
    around = np.concatenate([doys[-1:] - 365, doys, doys[:1] + 365])
    values = np.concatenate([values[-1:], values, values[:1]])
    right = int(np.searchsorted(around, at, side="right"))
    share = (at - around[right - 1]) / (around[right] - around[right - 1])
    found = (1 - share) * values[right - 1] + share * values[right]
    return Spectrum(*found.T)
