"""``Clusterer``: which there are, and training and applying one."""

from __future__ import annotations

import numpy as np

from ee_local import elements as el
from ee_local.algorithms.classifiers import chosen_inputs, training_table
from ee_local.grid import Grid
from ee_local.kmeans import Clusterer, fit_cascade, fit_k_means
from ee_local.pixels import Band, Image, Pixels, integer_type, read_all
from ee_local.registry import function, untrained

untrained(Clusterer, "Clusterer.wekaKMeans", fit_k_means, "k-means on inputs scaled to 0–1.")
untrained(Clusterer, "Clusterer.wekaCascadeKMeans", fit_cascade,
          "k-means with the k whose clusters are best separated (Caliński and Harabasz).")


@function("Clusterer.train")
def train(clusterer: Clusterer, features: el.Collection, inputs: list[str] | None,
          subsampling: float, seed: int) -> Clusterer:
    """Return a clusterer trained on a collection's properties."""
    names, features = chosen_inputs(features, inputs, subsampling, seed, "Clusterer.train")
    return clusterer.trained(training_table(features, names, "Clusterer.train"), names)


@function("Clusterer.schema")
def schema(clusterer: Clusterer) -> list[str] | None:
    """Return the names of the inputs; null before training."""
    return list(clusterer.inputs) if clusterer.inputs is not None else None


@function("Image.cluster")
def cluster_image(image: Image, clusterer: Clusterer, name: str) -> Image:
    """Return an image of the cluster of each pixel, from 0, masked where an input is masked."""
    model = clusterer.ready("Image.cluster")
    inputs = Image(tuple(image.band(n) for n in clusterer.inputs or ()))

    def read(grid: Grid) -> Pixels:
        values, mask = read_all(inputs, grid)
        out = np.zeros(grid.shape)
        if mask.any():
            out[mask] = model.predict(values[:, mask].T)
        return Pixels(out, mask)

    first = inputs.first("Image.cluster")
    return image.plain([Band(name, integer_type("int32"), read, first.projection, first.size)])


@function("FeatureCollection.cluster")
def cluster_features(features: el.Collection, clusterer: Clusterer, name: str) -> el.Collection:
    """Return the features with their cluster, from 0, as a property."""
    where = "FeatureCollection.cluster"
    model = clusterer.ready(where)
    if not features.elements:
        return features
    found = model.predict(training_table(features, list(clusterer.inputs or ()), where)).tolist()
    return features.with_elements(
        el.with_properties(f, {**f.properties, name: k})
        for f, k in zip(features.elements, found, strict=True))

