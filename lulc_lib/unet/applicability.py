"""Where a map can be trusted: the area of applicability in the network's feature space.

A pixel whose features lie further from every training pixel than training pixels of one polygon lie
from those of the others shows the network something that it was not assessed on. Its class may be
right, but no accuracy number says so. Features are the input of the last layer of every member:
what the network itself tells classes apart by.

Source: Meyer & Pebesma 2021, Predicting into unknown space? Methods in Ecology and Evolution 12,
1620–1633, section 2 (predictors here are features, standardised and of equal weight).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from lulc_lib.accuracy.splits import label_clusters
from lulc_lib.errors import InputError
from lulc_lib.unet.model import Ensemble, Network
from lulc_lib.unet.normalise import Normalisation
from lulc_lib.unet.predict import Predictor

CHUNK = 8192
"""Pixels whose distances are worked out at once. Every chunk is filled up to this size, so that a
pixel's numbers are the same bits whatever stands beside it."""

SMALLEST_SD = 1e-6
"""Standard deviations of a feature below this are raised to it."""

EACH = 40
"""Labelled pixels of each class and date in the reference sample."""


@dataclass(frozen=True)
class Applicability:
    """What the dissimilarity index and its threshold need.

    Attributes
    ----------
    reference : array of float16, shape (sample, feature)
        Standardised features of training pixels.
    centre, scale : array of float32, shape (feature,)
        A feature f enters as ``(f - centre) * scale``.
    mean_distance : float
        Mean distance between two reference samples.
    threshold : float
        Largest dissimilarity index inside the area of applicability.
    """

    reference: NDArray[np.float16]
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    mean_distance: float
    threshold: float

    def dissimilarity(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the dissimilarity index: distance to the nearest sample ÷ mean distance.

        Parameters
        ----------
        features : array, shape (feature, …)
            Of any pixels, from :func:`feature_map`.

        Returns
        -------
        array of float32, shape (…)
            0 at a training sample; NaN where a feature is NaN.
        """
        if len(features) != len(self.centre):
            raise InputError(f"{len(features)} features were given; the reference sample has "
                             f"{len(self.centre)}: model and area of applicability must belong "
                             "together")
        flat, reference = features.reshape(len(features), -1), self.reference.astype(np.float32)
        index = np.empty(flat.shape[1], dtype=np.float32)
        for start in range(0, len(index), CHUNK):
            part = (flat[:, start:start + CHUNK].T - self.centre) * self.scale
            index[start:start + CHUNK] = nearest(part.astype(np.float32), reference)
        return (index / np.float32(self.mean_distance)).reshape(features.shape[1:])

    def inside(self, features: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return (…) bool: True inside the area of applicability; NaN features are outside."""
        return self.dissimilarity(features) <= self.threshold

    def to_dict(self) -> dict[str, object]:
        """Return tensors and plain numbers, for a model file."""
        arrays = {n: torch.from_numpy(getattr(self, n)) for n in ("reference", "centre", "scale")}
        return {**arrays, "mean_distance": self.mean_distance, "threshold": self.threshold}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Applicability:
        """Invert :meth:`to_dict`; InputError unless all is finite and fits together."""
        arrays = [values[n].numpy() for n in ("reference", "centre", "scale")]
        numbers = [float(values[n]) for n in ("mean_distance", "threshold")]
        shapes = {a.shape[-1:] for a in arrays}
        if (len(shapes) != 1 or [a.ndim for a in arrays] != [2, 1, 1] or not len(arrays[0])
                or not all(np.isfinite(a).all() for a in (*arrays, numbers)) or min(numbers) <= 0):
            raise InputError("its area of applicability is damaged: samples and distances must be "
                             "finite, of one number of features, and distances above 0")
        return cls(*arrays, *numbers)


def fit_applicability(features: NDArray[np.floating], folds: NDArray[np.integer]) -> Applicability:
    """Return the area of applicability of a network, from features of training pixels.

    Parameters
    ----------
    features : array, shape (sample, feature)
        Of training pixels; a thousand or two are enough (:func:`sample_features`).
    folds : array of int, shape (sample,)
        Label cluster of each sample. In the cross-validation a sample's dissimilarity is taken to
        the samples of other clusters only: whole polygons are left out.

    Returns
    -------
    Applicability
        Its threshold is the largest cross-validated dissimilarity that is no outlier: at most the
        third quartile plus 1.5 interquartile ranges.

    Raises
    ------
    InputError
        Fewer than two folds.
    """
    if len(np.unique(folds)) < 2:
        raise InputError(f"the training pixels lie in {len(np.unique(folds))} label cluster; an "
                         "area of applicability needs two or more")
    centre = features.mean(axis=0).astype(np.float32)
    scale = (1 / np.maximum(features.std(axis=0), SMALLEST_SD)).astype(np.float32)
    reference = ((features - centre) * scale).astype(np.float16)
    samples = reference.astype(np.float32)
    mean_distance = mean_pair_distance(samples)
    index = nearest(samples, samples, folds[:, None] == folds[None, :]) / mean_distance
    return Applicability(reference, centre, scale, mean_distance, threshold_of(index))


def nearest(points: NDArray[np.float32], reference: NDArray[np.float32],
            excluded: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """Return the Euclidean distance of each point to the nearest reference sample.

    Parameters
    ----------
    points : array of float32, shape (point, feature)
        NaN gives NaN.
    reference : array of float32, shape (sample, feature)
        Training samples.
    excluded : array of bool, shape (point, sample), optional
        Pairs that do not count.

    Examples
    --------
    >>> nearest(np.float32([[0, 0], [3, 4]]), np.float32([[0, 0], [3, 0]])).tolist()
    [0.0, 4.0]
    """
    squares = (reference**2).sum(axis=1)
    out = np.empty(len(points), dtype=np.float32)
    filled = np.zeros((CHUNK, points.shape[1]), dtype=np.float32)
    for start in range(0, len(points), CHUNK):
        part = points[start:start + CHUNK]
        filled[:len(part)] = part
        # squared distance less the point's own square, which is the same for every sample
        distance2 = squares - 2 * (filled @ reference.T)[:len(part)]
        if excluded is not None:
            distance2 = np.where(excluded[start:start + CHUNK], np.inf, distance2)
        away = part - reference[distance2.argmin(axis=1)]  # again, without cancellation
        out[start:start + CHUNK] = np.sqrt((away**2).sum(axis=1))
    return out


def mean_pair_distance(points: NDArray[np.float32]) -> float:
    """Return the mean Euclidean distance over all pairs of different points (point, feature)."""
    wide = points.astype(np.float64)
    squares = (wide**2).sum(axis=1)
    distance2 = squares[:, None] + squares - 2 * wide @ wide.T
    np.fill_diagonal(distance2, 0)
    count = len(points)
    return float(np.sqrt(np.maximum(distance2, 0)).sum() / (count * (count - 1)))


def threshold_of(index: NDArray[np.floating]) -> float:
    """Return the largest value that is no outlier above: at most Q75 + 1.5 (Q75 − Q25).

    >>> threshold_of(np.array([1.0, 2.0, 3.0, 4.0, 100.0]))
    4.0
    """
    low, high = np.quantile(index, (0.25, 0.75))
    return float(index[index <= high + 1.5 * (high - low)].max())


def feature_map(model: Network | Ensemble, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features (feature, row, col) of network input (channel, row, col).

    Raises
    ------
    InputError
        The last layer of a member does not see full resolution.
    """
    return Predictor(model, features=True).whole(inputs).features


def applicability_of(model: Network | Ensemble, normalisation: Normalisation,
                     scenes: Sequence[xr.DataArray], labels: Sequence[NDArray[np.uint8]]
                     ) -> Applicability:
    """Return the area of applicability of a network from the scenes that it was trained on.

    Parameters
    ----------
    model, normalisation : Network or Ensemble, Normalisation
        As trained.
    scenes : sequence of DataArray, (band, y, x) float32 reflectance
        Training scenes, on one grid.
    labels : sequence of arrays of uint8, shape (row, col), legend codes
        Labels of each scene that were trained on.
    """
    clusters = label_clusters(labels)
    parts = [sample_features(feature_map(model, normalisation.apply(scene)), codes, clusters)
             for scene, codes in zip(scenes, labels, strict=True)]
    return fit_applicability(*(np.concatenate(p) for p in zip(*parts, strict=True)))


def sample_features(features: NDArray[np.floating], codes: NDArray[np.uint8],
                    clusters: NDArray[np.integer], each: int = EACH, seed: int = 0
                    ) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
    """Draw training pixels of one date, as many of each class.

    Parameters
    ----------
    features : array, shape (feature, row, col)
        From :func:`feature_map`, of the whole scene.
    codes : array of uint8, shape (row, col), legend codes
        Labels that were trained on; NO_DATA is not drawn.
    clusters : array of int, shape (row, col)
        From :func:`lulc_lib.accuracy.label_clusters`, of the labels of all dates.
    each : int
        Pixels of each class, or all that there are.
    seed : int
        Of the draw.

    Returns
    -------
    features, folds : array, shape (sample, feature); array of int, shape (sample,)
        What :func:`fit_applicability` takes; join the dates along the first axis.
    """
    rng = np.random.default_rng(seed)
    places = []
    for code in np.unique(codes[codes > 0]):
        at = np.argwhere(codes == code)
        places.append(at[rng.permutation(len(at))[:each]])
    if not places:
        return np.empty((0, len(features)), features.dtype), np.empty(0, clusters.dtype)
    rows, cols = np.concatenate(places).T
    return features[:, rows, cols].T, clusters[rows, cols]
