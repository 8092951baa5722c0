"""From reflectance to the network's input: named normalisations with recorded statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lulc_lib.data.bands import BANDS
from lulc_lib.errors import InputError, check_choice
from lulc_lib.unet.indices import INDICES, normalised_differences
from lulc_lib.unet.inputs import FIXED_INPUTS

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each band, reflectance."""

REFLECTANCE_UNIT = 0.1
"""Reflectance that becomes 1 in the ``reflectance`` normalisation: about one standard deviation."""

INDEX_UNIT = 0.5
"""Normalised difference that becomes 1 in the network's input: about one standard deviation."""

SMALLEST_SD = 1e-4
"""Standard deviations below this (reflectance; one digital number) are raised to it."""


def band_statistics(scenes: Sequence[xr.DataArray]) -> Statistics:
    """Return mean and standard deviation of each band over the valid pixels of all scenes.

    Parameters
    ----------
    scenes : sequence of DataArray, (band, y, x) float32 reflectance
        NaN where a band holds no data.

    Raises
    ------
    InputError
        A band holds no data.
    """
    count, total, squares = (np.zeros(len(BANDS)) for _ in range(3))
    for scene in scenes:
        values = scene.values.reshape(len(BANDS), -1).astype(np.float64)
        valid = np.isfinite(values)
        values = np.where(valid, values, 0.0)
        count += valid.sum(axis=1)
        total += values.sum(axis=1)
        squares += (values**2).sum(axis=1)
    return statistics_of(count, total, squares)


def statistics_of(count: NDArray[np.float64], total: NDArray[np.float64],
                  squares: NDArray[np.float64]) -> Statistics:
    """Return mean and standard deviation of each band from sums over its valid pixels.

    Parameters
    ----------
    count : array, (band,)
        Valid pixels.
    total, squares : array, (band,)
        Sums of reflectance and of its square.

    Raises
    ------
    InputError
        A band holds no data.
    """
    if (count == 0).any():
        empty = ", ".join(np.asarray(BANDS)[count == 0])
        raise InputError(f"band {empty} holds no data at all; it cannot be normalised")
    mean = total / count
    sd = np.sqrt(np.maximum(squares / count - mean**2, SMALLEST_SD**2))
    return tuple(mean.tolist()), tuple(sd.tolist())


def _constant(scenes: Sequence[xr.DataArray]) -> Statistics:
    return (0.0,) * len(BANDS), (REFLECTANCE_UNIT,) * len(BANDS)


NOTHING: Statistics = (0.0,) * len(BANDS), (1.0,) * len(BANDS)
"""Statistics that leave reflectance as it is."""


class Method(NamedTuple):
    """What a named normalisation does."""

    # from the training scenes to the statistics for prediction; None: each scene has its own
    statistics: Callable[[Sequence[xr.DataArray]], Statistics] | None = None
    indices: bool = False  # add normalised differences of bands as further channels


NORMALISATIONS: dict[str, Method] = {
    "reflectance": Method(_constant),
    "training_scenes": Method(band_statistics),
    "per_scene": Method(),
    "per_scene_and_indices": Method(indices=True),
    **{name: Method(lambda scenes: NOTHING) for name in FIXED_INPUTS},
}
"""Those of ``inputs.FIXED_INPUTS`` hand on reflectance, of which the network itself makes its
channels: nothing counts but the pixel's neighbourhood. ``reflectance`` divides by a constant;
``training_scenes`` standardises every scene with the mean and standard deviation of all training
scenes together; ``per_scene`` standardises each scene with its own, so it forgives haze, season and
a wrong radiometric offset, but depends on what else is in the scene. ``per_scene_and_indices`` adds
normalised differences, which do not depend on that.
"""


@dataclass(frozen=True)
class Normalisation:
    """A normalisation as training left it: apply it to any scene, then or later.

    Attributes
    ----------
    name : str
        A name in ``NORMALISATIONS``.
    mean, sd : tuple of float, reflectance, optional
        Of each band, in the order of ``BANDS``; None means the scene's own.
    """

    name: str
    mean: tuple[float, ...] | None = None
    sd: tuple[float, ...] | None = None

    def apply(self, scene: xr.DataArray) -> NDArray[np.float32]:
        """Return (channel, row, col) float32 network input; gaps take the nearest pixel's value.

        Parameters
        ----------
        scene : DataArray, (band, y, x) float32 reflectance
            NaN where a band holds no data.

        Raises
        ------
        InputError
            The scene has other bands than ``BANDS``, or a band without data.
        """
        from lulc_lib.data.scenes import filled

        check_bands(scene)
        ready = self if self.mean else self.settled(band_statistics([scene]))
        return ready.scaled(filled(scene))

    def settled(self, statistics: Statistics) -> Normalisation:
        """Return the normalisation for one scene: with that scene's statistics if it needs them.

        For scenes that are read in parts: the parts need the statistics of the whole.
        """
        return self if self.mean else replace(self, mean=statistics[0], sd=statistics[1])

    def scaled(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return network input (channel, row, col) of reflectance (band, row, col) without gaps.

        Only a settled normalisation can do so.
        """
        mean, sd = (np.asarray(v, dtype=np.float32)[:, None, None] for v in (self.mean, self.sd))
        if self.name in FIXED_INPUTS:
            return values
        bands = (values - mean) / sd
        if not NORMALISATIONS[self.name].indices:
            return bands
        return np.concatenate([bands, normalised_differences(values) / np.float32(INDEX_UNIT)])

    @property
    def channels(self) -> int:
        """Channels of the network input.

        >>> Normalisation("per_scene").channels, Normalisation("per_scene_and_indices").channels
        (10, 14)
        """
        return len(BANDS) + len(INDICES) * NORMALISATIONS[self.name].indices

    def to_dict(self) -> dict[str, object]:
        """Return plain types, for a file."""
        return {"name": self.name, "mean": self.mean, "sd": self.sd}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Normalisation:
        """Invert :meth:`to_dict`; InputError unless it has finite statistics of each band."""
        check_name(str(values["name"]))
        mean, sd = (None if values[k] is None else tuple(map(float, values[k]))
                    for k in ("mean", "sd"))
        for numbers, least in ((mean, -np.inf), (sd, 0)):
            if numbers is not None and not (len(numbers) == len(BANDS) and min(numbers) > least
                                            and np.isfinite(numbers).all()):
                raise InputError(f"the statistics of the bands are {numbers}; each of {len(BANDS)} "
                                 "bands needs a finite mean and a standard deviation above 0")
        return cls(str(values["name"]), mean, sd)


def fit(name: str, scenes: Sequence[xr.DataArray]) -> Normalisation:
    """Return the named normalisation with the statistics it needs from the training scenes.

    Parameters
    ----------
    name : str
        A name in ``NORMALISATIONS``.
    scenes : sequence of DataArray, (band, y, x) float32 reflectance
        Training scenes.

    Raises
    ------
    InputError
        Unknown name, no scene, or a scene with other bands.
    """
    check_name(name)
    if not len(scenes):
        raise InputError("no scene was given; a normalisation needs at least one")
    for scene in scenes:
        check_bands(scene)
    statistics = NORMALISATIONS[name].statistics
    return Normalisation(name, *(statistics(scenes) if statistics else ()))


def check_name(name: str) -> None:
    """Raise InputError unless ``name`` is the name of a normalisation."""
    check_choice("normalisation", name, NORMALISATIONS)


def check_bands(scene: xr.DataArray) -> None:
    """Raise InputError unless the scene is (band, y, x) with the study's bands in order."""
    if scene.dims != ("band", "y", "x"):
        raise InputError(f"scene has axes {scene.dims}; they must be ('band', 'y', 'x')")
    bands = tuple(str(b) for b in scene.band.values)
    if bands != BANDS:
        raise InputError(f"scene has bands {', '.join(bands)}; they must be {', '.join(BANDS)}")
