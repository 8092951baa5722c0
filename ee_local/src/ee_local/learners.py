"""Classifiers that are neither trees nor support vectors, and regression by all of them.

Boosted and regression trees are scikit-learn's: of the kind of Smile's, which Google's service is
known to use, but not the same, for ties between equal cuts and random draws differ. What is said of
options is the function list's of Earth Engine's client; where that is silent, the docstring says
what was chosen.

Source: Earth Engine API reference, ee.Classifier; Friedman 2001 (boosting).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ee_local.errors import EngineError
from ee_local.models import KERNELS, Classifier, no_shares

Rows = NDArray[np.float64]
Options = Mapping[str, Any]

REGRESSION = ("REGRESSION", "RAW_REGRESSION")
"""Output modes in which a classifier learns numbers instead of classes."""


def _one_of(value: str, allowed: Any, where: str, name: str) -> str:
    """Return an option in upper case, or an error that lists what it may be."""
    if value.upper() not in allowed:
        raise EngineError(f"{where}: {name} is {value!r}; it must be one of {', '.join(allowed)}.")
    return value.upper()


def _check_number(value: Any, fits: bool, where: str, name: str, rule: str) -> None:
    if not fits:
        raise EngineError(f"{where}: {name} is {value}; it must be {rule}.")


# Neighbours -------------------------------------------------------------------------------------

METRICS = {"EUCLIDEAN": "euclidean", "MAHALANOBIS": "mahalanobis", "MANHATTAN": "manhattan",
           "BRAYCURTIS": "braycurtis"}
SEARCHES = ("AUTO", "LINEAR_SEARCH", "KD_TREE", "COVER_TREE")
FEW_INPUTS = 10
"""Below so many inputs, AUTO searches by KD_TREE."""


class Neighbours:
    """The class that most of the k nearest samples have."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder
        self.classes = finder.classes_

    def predict(self, rows: Rows) -> Rows:
        """Return (row,) class most common among the neighbours; a tie goes to the smaller value."""
        return self._finder.predict(rows).astype(np.float64)

    def shares(self, rows: Rows) -> Rows:
        """Return (row, class) share of each class among the neighbours."""
        return self._finder.predict_proba(rows)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return classes and the number of neighbours."""
        return {"classes": self.classes.tolist(), "k": self._finder.n_neighbors}


def fit_neighbours(rows: Rows, labels: NDArray[np.int64], options: Options) -> Neighbours:
    """Return k nearest neighbours, found exactly whatever the search method.

    As documented, KD_TREE, and AUTO below ten inputs, do not use the metric: it is Euclidean. The
    covariance of MAHALANOBIS is that of all samples.
    """
    from sklearn.neighbors import KNeighborsClassifier

    where = "Classifier.smileKNN"
    metric = _one_of(options["metric"], METRICS, where, "metric")
    search = _one_of(options["searchMethod"], SEARCHES, where, "searchMethod")
    _check_number(options["k"], 1 <= options["k"] <= len(rows), where, "k",
                  f"1 to {len(rows)}, the number of samples")
    if search == "KD_TREE" or (search == "AUTO" and rows.shape[1] < FEW_INPUTS):
        metric = "EUCLIDEAN"
    more = {}
    if metric == "MAHALANOBIS":
        more = {"metric_params": {"VI": np.linalg.pinv(np.atleast_2d(np.cov(rows.T)))}}
    finder = KNeighborsClassifier(options["k"], metric=METRICS[metric], algorithm="brute", **more)
    return Neighbours(finder.fit(rows, labels))


# Means ------------------------------------------------------------------------------------------


class NearestMean:
    """The class whose mean is nearest, or with ``most`` above 1 the nearest classes in order."""

    def __init__(self, classes: NDArray[np.int64], means: Rows, metric: str,
                 most: int = 1) -> None:
        self.classes, self._means, self._metric = classes, means, metric
        self._most = min(most, len(classes))
        if self._most > 1:
            self.several = self._nearest

    def raw(self, rows: Rows) -> Rows:
        """Return (row, class) distance to each class's mean; cosine: the angle in radians."""
        from scipy.spatial.distance import cdist

        if self._metric == "cosine":
            return np.arccos(np.clip(1 - cdist(rows, self._means, "cosine"), -1, 1))
        return cdist(rows, self._means, {"manhattan": "cityblock"}.get(self._metric, "euclidean"))

    def predict(self, rows: Rows) -> Rows:
        """Return (row,) class of the nearest mean."""
        return self._nearest(rows)[:, 0]

    def _nearest(self, rows: Rows) -> Rows:
        """Return (row, k) classes of the k nearest means."""
        order = self.raw(rows).argsort(axis=1, kind="stable")[:, :self._most]
        return self.classes[order].astype(np.float64)

    def regress(self, rows: Rows) -> Rows:
        """Return (row,) distance to the nearest mean, or (row, k) to the k nearest."""
        found = np.sort(self.raw(rows), axis=1)[:, :self._most]
        return found if self._most > 1 else found[:, 0]

    def shares(self, rows: Rows) -> Rows:
        """Refuse: distances are no probabilities."""
        raise no_shares("Classifier.minimumDistance")

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return classes and their means by input."""
        means = {str(c): dict(zip(inputs, m.tolist(), strict=True))
                 for c, m in zip(self.classes.tolist(), self._means, strict=True)}
        return {"classes": self.classes.tolist(), "means": means, "metric": self._metric}


def fit_means(rows: Rows, labels: NDArray[np.int64], options: Options) -> NearestMean:
    """Return the class means, for a distance that needs no covariance."""
    where = "Classifier.minimumDistance"
    metric = options["metric"].lower()
    if metric not in ("euclidean", "manhattan", "cosine"):
        raise EngineError(f"{where}: metric {metric!r} is not implemented by the local Earth "
                          "Engine; euclidean, manhattan and cosine are.")
    _check_number(options["kNearest"], options["kNearest"] >= 1, where, "kNearest", "1 or more")
    classes = np.unique(labels)
    return NearestMean(classes, np.stack([rows[labels == c].mean(axis=0) for c in classes]),
                       metric, options["kNearest"])


# Naive Bayes ------------------------------------------------------------------------------------


class NaiveBayes:
    """The multinomial naive Bayes classifier: the inputs are counts."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.classes = model.classes_

    def predict(self, rows: Rows) -> Rows:
        """Return (row,) most probable class; a tie goes to the smaller value."""
        return self._model.predict(_counts(rows)).astype(np.float64)

    def shares(self, rows: Rows) -> Rows:
        """Return (row, class) posterior probabilities."""
        return self._model.predict_proba(_counts(rows))

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return the classes."""
        return {"classes": self.classes.tolist()}


def _counts(rows: Rows) -> Rows:
    """Return whole numbers, rounded down; what is negative counts as nothing."""
    return np.floor(np.maximum(rows, 0))


def fit_bayes(rows: Rows, labels: NDArray[np.int64], options: Options) -> NaiveBayes:
    """Return a multinomial naive Bayes classifier with priors as in the samples.

    Documented are the smoothing, ``lambda`` added to each count, which is the multinomial model's,
    and that inputs are "positive integers, and negative inputs are discarded": here fractions are
    cut off and a negative number adds nothing. Google's service may read that otherwise.
    """
    from sklearn.naive_bayes import MultinomialNB

    where, smoothing = "Classifier.smileNaiveBayes", options["lambda"]
    _check_number(smoothing, smoothing > 0, where, "lambda", "greater than 0")
    return NaiveBayes(MultinomialNB(alpha=smoothing, force_alpha=True).fit(_counts(rows), labels))


# Boosted trees ----------------------------------------------------------------------------------

LOSSES = {"LEASTSQUARES": "squared_error", "LEASTABSOLUTEDEVIATION": "absolute_error",
          "HUBER": "huber"}
MOST_TREES = 5000
SMALLEST_SPLIT = 6
"""Rows that a node must have to be split; Smile splits none of five or fewer."""


class Boosted:
    """Boosted trees that classify."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.classes = model.classes_

    def predict(self, rows: Rows) -> Rows:
        """Return (row,) most probable class."""
        return self._model.predict(rows).astype(np.float64)

    def shares(self, rows: Rows) -> Rows:
        """Return (row, class) probabilities."""
        return self._model.predict_proba(rows)

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return classes, number of trees, and scikit-learn's importance, which adds up to 1."""
        return {"classes": self.classes.tolist(), "numberOfTrees": self._model.n_estimators_,
                "importance": _importance(self._model, inputs)}


def _importance(model: Any, inputs: list[str]) -> dict[str, float]:
    return dict(zip(inputs, model.feature_importances_.tolist(), strict=True))


def _boosting(options: Options) -> dict[str, Any]:
    """Return scikit-learn's words for the options of boosting."""
    where = "Classifier.smileGradientTreeBoost"
    trees, rate, share = (options[n] for n in ("numberOfTrees", "shrinkage", "samplingRate"))
    _check_number(trees, 1 <= trees <= MOST_TREES, where, "numberOfTrees", f"1 to {MOST_TREES}")
    _check_number(rate, 0 < rate <= 1, where, "shrinkage", "in (0, 1]")
    _check_number(share, 0 < share <= 1, where, "samplingRate", "in (0, 1]")
    most = options["maxNodes"]
    _check_number(most, most is None or most >= 2, where, "maxNodes", "2 or more")
    return {"n_estimators": trees, "learning_rate": rate, "subsample": share, "max_depth": None,
            "max_leaf_nodes": most, "min_samples_split": SMALLEST_SPLIT,
            "random_state": abs(int(options["seed"]))}


def fit_boosted(rows: Rows, labels: NDArray[np.int64], options: Options) -> Boosted:
    """Return boosted trees: log-odds for two classes, one tree per class and step for more.

    As in Smile, boosting of more than two classes begins with equal chances, that of two with the
    samples' shares.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    start = "zero" if len(np.unique(labels)) > 2 else None
    model = GradientBoostingClassifier(init=start, **_boosting(options))
    return Boosted(model.fit(rows, labels))


# Regression -------------------------------------------------------------------------------------


class Regression:
    """A model that puts out numbers.

    Parameters
    ----------
    predict : callable
        Gives (row,) numbers of (row, input) values.
    parts : callable
        Gives (row, tree) numbers, the trees' own; None if there are none.
    explained : callable
        Gives what the model says of itself, by the inputs' names.
    """

    classes = np.zeros(0, dtype=np.int64)

    def __init__(self, predict: Callable[[Rows], Rows], parts: Callable[[Rows], Rows] | None,
                 explained: Callable[[list[str]], dict[str, Any]]) -> None:
        self.regress = predict
        if parts is not None:
            self.raw_regressions = parts
        self.explain = explained


def _regression_tree(rows: Rows, values: Rows, options: Options) -> Regression:
    from sklearn.tree import DecisionTreeRegressor

    tree = DecisionTreeRegressor(random_state=0, **_limits(options, "Classifier.smileCart"))
    tree.fit(rows, values)
    return Regression(tree.predict, None, lambda inputs: {"importance": _importance(tree, inputs)})


def _limits(options: Options, where: str) -> dict[str, Any]:
    most, smallest = options["maxNodes"], options["minLeafPopulation"]
    _check_number(most, most is None or most >= 2, where, "maxNodes", "2 or more")
    _check_number(smallest, smallest >= 1, where, "minLeafPopulation", "1 or more")
    return {"max_leaf_nodes": most, "min_samples_leaf": smallest}


def _regression_forest(rows: Rows, values: Rows, options: Options) -> Regression:
    """Return trees on a share of the samples without replacement; they are averaged."""
    from sklearn.tree import DecisionTreeRegressor

    where = "Classifier.smileRandomForest"
    number, share = options["numberOfTrees"], options["bagFraction"]
    tried = options["variablesPerSplit"] or max(math.isqrt(rows.shape[1]), 1)
    _check_number(number, 1 <= number <= MOST_TREES, where, "numberOfTrees", f"1 to {MOST_TREES}")
    _check_number(share, 0 < share <= 1, where, "bagFraction", "in (0, 1]")
    _check_number(tried, 1 <= tried <= rows.shape[1], where, "variablesPerSplit",
                  f"1 to {rows.shape[1]}, the number of inputs")
    rng = np.random.default_rng(abs(int(options["seed"])))
    trees = []
    for _ in range(number):
        size = len(rows) if share == 1 else max(int(share * len(rows) + 0.5), 1)
        bag = rng.choice(len(rows), size, replace=share == 1)
        tree = DecisionTreeRegressor(max_features=tried, random_state=int(rng.integers(2**31)),
                                     **_limits(options, where))
        trees.append(tree.fit(rows[bag], values[bag]))

    def parts(table: Rows) -> Rows:
        return np.stack([t.predict(table) for t in trees], axis=1)

    def explained(inputs: list[str]) -> dict[str, Any]:
        shares = np.mean([t.feature_importances_ for t in trees], axis=0)
        return {"numberOfTrees": number,
                "importance": dict(zip(inputs, shares.tolist(), strict=True))}
    return Regression(lambda table: parts(table).mean(axis=1), parts, explained)


def _boosted_regression(rows: Rows, values: Rows, options: Options) -> Regression:
    from sklearn.ensemble import GradientBoostingRegressor

    loss = _one_of(options["loss"], LOSSES, "Classifier.smileGradientTreeBoost", "loss")
    model = GradientBoostingRegressor(loss=LOSSES[loss], **_boosting(options)).fit(rows, values)
    return Regression(model.predict, None, lambda inputs: {
        "numberOfTrees": model.n_estimators_, "importance": _importance(model, inputs)})


def _support_regression(rows: Rows, values: Rows, options: Options) -> Regression:
    """Return libsvm's epsilon-SVR or nu-SVR with its defaults."""
    from sklearn.svm import SVR, NuSVR

    where = "Classifier.libsvm"
    kind = options["svmType"].upper()
    if kind not in ("EPSILON_SVR", "NU_SVR"):
        raise EngineError(f"{where}: svmType is {kind!r}; for the output mode REGRESSION it must "
                          "be EPSILON_SVR or NU_SVR.")
    kernel = _one_of(options["kernelType"], KERNELS, where, "kernelType")

    def given(name: str, default: Any) -> Any:
        return default if options[name] is None else options[name]

    shape = {"kernel": KERNELS[kernel], "shrinking": options["shrinking"], "C": given("cost", 1.0),
             "degree": given("degree", 3), "gamma": given("gamma", "auto"),
             "coef0": given("coef0", 0.0), "tol": given("terminationEpsilon", 0.001)}
    try:
        machine = SVR(epsilon=given("lossEpsilon", 0.1), **shape) if kind == "EPSILON_SVR" \
            else NuSVR(nu=given("nu", 0.5), **shape)
        machine.fit(rows, values)
    except ValueError as error:
        raise EngineError(f"{where}: {error}.") from None
    return Regression(machine.predict, None, lambda inputs: {
        "kernelType": kernel, "numberOfSupportVectors": int(machine.n_support_.sum())})


REGRESSIONS: dict[str, Callable[[Rows, Rows, Options], Regression]] = {
    "Classifier.smileCart": _regression_tree, "Classifier.smileRandomForest": _regression_forest,
    "Classifier.smileGradientTreeBoost": _boosted_regression,
    "Classifier.libsvm": _support_regression,
}
"""Classifiers that learn numbers if the output mode says so before they are trained."""


def trained_on_numbers(classifier: Classifier, rows: Rows, values: Rows,
                       inputs: list[str]) -> Classifier:
    """Return a classifier in a mode of :data:`REGRESSION`, trained on numbers.

    Parameters
    ----------
    classifier : Classifier
        One of :data:`REGRESSIONS`.
    rows : ndarray, shape (row, input), float64
        No gaps.
    values : ndarray, shape (row,), float64
        What is learnt.
    inputs : list of str
        The inputs' names.

    Raises
    ------
    EngineError
        There is nothing to learn from, or an option is out of its range.
    """
    if not len(rows):
        raise EngineError("Classifier.train: No training data was found.")
    model = REGRESSIONS[classifier.name](rows, values, classifier.options)
    return replace(classifier, inputs=tuple(inputs), model=model)


# A polygon of two inputs --------------------------------------------------------------------------


class SpectralRegion:
    """1 where two inputs lie within rings by the even-odd rule, else 0."""

    classes = np.array([0, 1])

    def __init__(self, rings: list[list[float]]) -> None:
        import shapely

        where = "Classifier.spectralRegion"
        for ring in rings:
            if len(ring) < 6 or len(ring) % 2:
                raise EngineError(f"{where}: a ring has {len(ring)} numbers; it must have u and v "
                                  "of three corners or more.")
        self._rings = [shapely.polygons(np.reshape(ring, (-1, 2))) for ring in rings]

    def predict(self, rows: Rows) -> Rows:
        """Return (row,) 1 or 0."""
        import shapely

        crossed = [shapely.contains_xy(ring, rows[:, 0], rows[:, 1]) for ring in self._rings]
        return np.logical_xor.reduce(crossed, axis=0).astype(np.float64)

    def shares(self, rows: Rows) -> Rows:
        """Refuse: a place within a polygon is certain."""
        raise no_shares("Classifier.spectralRegion")

    def explain(self, inputs: list[str]) -> dict[str, Any]:
        """Return the classes."""
        return {"classes": self.classes.tolist()}
