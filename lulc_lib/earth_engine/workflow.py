"""The paper's Earth Engine workflow (sections 2.3.2 and 2.3.3, Figure 10) in the client's words.

Functions that return an ``ee`` object only describe the work; :func:`run_draw` sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ee
import numpy as np

from lulc_lib.data.catalogue import Site
from lulc_lib.earth_engine.assets import COLLECTION, EE_BANDS
from lulc_lib.earth_engine.backend import Backend
from lulc_lib.earth_engine.points import CLASS, Points, to_earth_engine
from lulc_lib.errors import InputError, check_choice

CLOUDS = "CLOUD_COVERAGE_ASSESSMENT"

CLASSIFIERS: dict[str, Callable[[], ee.Classifier]] = {
    "CART": lambda: ee.Classifier.smileCart(),
    "Random forest": lambda: ee.Classifier.smileRandomForest(10),
    "SVM": lambda: ee.Classifier.libsvm(kernelType="LINEAR"),
}
"""The paper's classifiers (section 2.3.3), untrained, with Earth Engine's own settings."""

EXPLAINS = ("CART", "Random forest")
"""Classifiers that tell how important each band was."""

SCALE = 10
"""Metres: the pixel at which points are sampled."""

MAPPED = "classification"
"""Band and property in which Earth Engine writes the class."""


def least_cloudy(site: Site, start: str, end: str) -> ee.Image:
    """Choose the site's scene with fewest clouds from ``start`` to before ``end``: ten bands."""
    region = ee.Geometry.Rectangle(list(site.bounds), f"EPSG:{site.epsg}", False)
    scene = (ee.ImageCollection(COLLECTION).filterDate(start, end).filterBounds(region)
             .sort(CLOUDS).first())
    return scene.select(list(EE_BANDS)).clip(region)


def describe_scene(image: ee.Image) -> ee.Dictionary:
    """Describe a scene: keys ``name``, ``date`` (YYYY-MM-DD), ``clouds`` (%)."""
    return ee.Dictionary({"name": image.get("system:index"), "clouds": image.get(CLOUDS),
                          "date": image.date().format("YYYY-MM-dd")})


def sample(image: ee.Image, points: ee.FeatureCollection) -> ee.FeatureCollection:
    """Sample the bands under the points, with the points' class; masked pixels give nothing."""
    return image.sampleRegions(collection=points, properties=[CLASS], scale=SCALE)


def train(name: str, training: ee.FeatureCollection,
          bands: Sequence[str] = EE_BANDS) -> ee.Classifier:
    """Train one of :data:`CLASSIFIERS` on sampled points, its inputs in the order of ``bands``."""
    check_choice("classifier", name, CLASSIFIERS)
    return CLASSIFIERS[name]().train(training, CLASS, list(bands))


def _counts(classifier: ee.Classifier, sampled: ee.FeatureCollection,
            order: Sequence[int]) -> ee.Array:
    """Count over exactly the classes of ``order``: rows actual."""
    return sampled.classify(classifier).errorMatrix(CLASS, MAPPED, list(order)).array()


def class_map(image: ee.Image, classifier: ee.Classifier) -> ee.Image:
    """Classify the scene: one byte band of legend codes."""
    return image.classify(classifier).toByte()


def run_draw(backend: Backend, image: ee.Image, points: Points,
             names: Sequence[str] = tuple(CLASSIFIERS), bands: Sequence[str] = EE_BANDS,
             ) -> dict[str, dict[str, Any]]:
    """Train and assess the classifiers on one draw of points, in one request.

    Returns
    -------
    dict
        Classifier name to ``resubstitution`` and ``test``, (actual, mapped) int64 counts as Earth
        Engine has them, classes in the ascending order of the points' codes; and for trees
        ``importance``, band to Earth Engine's unscaled measure.

    Raises
    ------
    InputError
        Earth Engine fails, or some points lie where the scene has no data.
    """
    order = sorted(points.apart)
    training, test = (sample(image, to_earth_engine(p)) for p in (points.training, points.test))
    asked = {}
    for name in names:
        classifier = train(name, training, bands)
        asked[name] = {"resubstitution": _counts(classifier, training, order),
                       "test": _counts(classifier, test, order)}
        if name in EXPLAINS:
            asked[name]["importance"] = classifier.explain().get("importance")
    answer = backend.compute(ee.Dictionary(
        {"training": training.size(), "test": test.size(), "classifiers": asked}))
    for side, table in (("training", points.training), ("test", points.test)):
        if answer[side] != len(table):
            raise InputError(f"{answer[side]} of {len(table)} {side} points lie on pixels with "
                             "data of this scene; draw them from its valid pixels")
    return {name: _checked(name, one, points) for name, one in answer["classifiers"].items()}


def _checked(name: str, answer: Mapping[str, Any], points: Points) -> dict[str, Any]:
    """Return the matrices as arrays; refuse them where Earth Engine dropped a point in silence."""
    out: dict[str, Any] = dict(answer)
    for key, table in (("resubstitution", points.training), ("test", points.test)):
        out[key] = np.asarray(answer[key], dtype=np.int64)
        if out[key].sum() != len(table):
            raise InputError(f"{name}: the {key} matrix counts {out[key].sum()} of {len(table)} "
                             "points; the others were mapped to classes that are not in it")
    return out
