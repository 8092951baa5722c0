"""What the protocols of ``experiments/protocols.py`` measured, as tables.

The results (``results/published/protocols.json``) hold counts by candidate, fold and network; here
they become scores of protocols, each of which estimates something else (see ``splits``). ``values``
is the content of that file, ``candidate`` the name of settings in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lulc_lib import legend
from lulc_lib.accuracy.calibration import TEMPERATURES, Reliability, expected_calibration_error
from lulc_lib.accuracy.confusion import as_confusion
from lulc_lib.accuracy.metrics import per_class, summary
from lulc_lib.accuracy.splits import QUADRANTS, SEASONS
from lulc_lib.errors import InputError

ENSEMBLE = "ensemble"
"""Name of all seeds' networks together; the others are named by their seed."""

PIXELS, RANDOM, POLYGONS, PLACE, DATE, SEASON, BESIDE, SUMMER, BOTH = (
    "random pixels", "random patches", "polygons out", "place out", "one date out", "season out",
    "season out, a quadrant less", "summer out", "season and place out")
PROTOCOLS: tuple[str, ...] = (PIXELS, RANDOM, POLYGONS, PLACE, DATE, SEASON, BESIDE, SUMMER, BOTH)
"""From what flatters most to what asks most."""

_NAMED = {"random-pixels-": PIXELS, "random-patches-": RANDOM, "polygons-": POLYGONS}


def protocol_of(fold: str) -> str:
    """Name the protocol that a fold belongs to.

    >>> [protocol_of(f) for f in ("random-patches-1", "NW", "2022-07-19", "july", "july-SE")]
    ['random patches', 'place out', 'one date out', 'season out', 'season and place out']
    """
    for start, protocol in _NAMED.items():
        if fold.startswith(start):
            return protocol
    if re.fullmatch(r"\d{4}-\d\d-\d\d", fold):
        return DATE
    season, _, quadrant = fold.partition("-")
    if fold in QUADRANTS:
        return PLACE
    if season not in (*SEASONS, "summer") or quadrant not in ("", *QUADRANTS):
        raise InputError(f"fold is {fold!r}; it must be random pixels or patches, polygons, a "
                         f"quadrant, a date, a season ({', '.join(SEASONS)}, summer), or a season "
                         "and a quadrant")
    return BOTH if quadrant else SUMMER if season == "summer" else SEASON


def part_of(fold: str) -> str:
    """Name the part of the held-out labels that a fold's protocol is about.

    ``place_known``, all labels of the held-out dates, if only dates are held out; else
    ``place_held_out``.
    """
    return "place_known" if protocol_of(fold) in (DATE, SEASON, SUMMER) else "place_held_out"


def counts(rows: Sequence[str] | Sequence[Sequence[int]]) -> pd.DataFrame:
    """Read a confusion matrix of the results: a text or a list for each map class."""
    values = [r.split() if isinstance(r, str) else r for r in rows]
    return as_confusion(np.array(values, dtype=np.int64), legend.CODES)


def protocol_scores(values: Mapping[str, Any]) -> pd.DataFrame:
    """Score every candidate on every fold.

    Returns
    -------
    DataFrame
        One row per candidate, protocol, fold and network: ``candidate``, ``protocol``, ``fold``,
        ``network``, ``n``, ``overall_accuracy``, ``macro_f1``, ``quarry_f1``; in the order of
        :data:`PROTOCOLS`. A fold of a season and a place has two: inside the place, and
        (:data:`BESIDE`) the season's labels outside it.
    """
    quarry = legend.code("quarry")
    rows = []
    for candidate, fold, network, found in _networks(values):
        parts = {protocol_of(fold): part_of(fold)}
        if BOTH in parts:
            parts[BESIDE] = "place_known"
        for protocol, part in parts.items():
            matrix = counts(found["confusion"][part])
            rows.append({"candidate": candidate, "protocol": protocol, "fold": fold,
                         "network": network, **summary(matrix),
                         "quarry_f1": float(per_class(matrix).f1[quarry])})
    table = pd.DataFrame(rows)
    return table.sort_values("protocol", key=lambda c: c.map(PROTOCOLS.index), kind="stable",
                             ignore_index=True)


def reliability_tables(values: Mapping[str, Any], candidate: str, temperature: float
                       ) -> dict[str, Reliability]:
    """Add up a candidate's reliability over the folds of each protocol.

    Logits are divided by the nearest of ``calibration.TEMPERATURES``.
    """
    nearest = int(np.argmin(np.abs(np.log(np.array(TEMPERATURES) / temperature))))
    found: dict[str, Reliability] = {}
    for _, fold, _, scores in _networks(values, candidate):
        if "reliability" not in scores:
            continue
        sums = np.array(scores["reliability"][part_of(fold)][nearest][:3], dtype=float)
        protocol = protocol_of(fold)
        found[protocol] = Reliability(*(sums + found.get(protocol, 0)))
    return {p: found[p] for p in PROTOCOLS if p in found}


def calibration_errors(values: Mapping[str, Any], candidate: str, temperatures: Sequence[float]
                       ) -> pd.DataFrame:
    """Compute expected calibration errors, protocols by temperatures."""
    return pd.DataFrame({t: {p: expected_calibration_error(table) for p, table in
                             reliability_tables(values, candidate, t).items()}
                         for t in temperatures})


def applicability_rates(values: Mapping[str, Any], candidate: str) -> pd.DataFrame:
    """List error rates inside and outside the area of applicability, by fold and date.

    Returns
    -------
    DataFrame
        ``protocol``, ``fold``, ``date``, error rates ``inside`` and ``outside``, ``share_outside``
        of the held-out labels.
    """
    rows = []
    for _, fold, _, scores in _networks(values, candidate):
        for key, rates in scores.get("applicability", {}).items():
            date, _, part = key.partition(" ")
            if part == part_of(fold):
                rows.append({"protocol": protocol_of(fold), "fold": fold, "date": date, **rates})
    return pd.DataFrame(rows)


def rock_scores(values: Mapping[str, Any], candidate: str) -> pd.DataFrame:
    """Score quarries of rocks that no training saw, mean over folds and networks.

    Returns
    -------
    DataFrame
        Index rock; ``recall`` of its quarry pixels, ``false``: share of other pixels mapped so.
    """
    rows = [{"rock": rock, "recall": recall, "false": false}
            for *_, found in _networks(values, candidate)
            for rock, (recall, false) in found.get("quarry_of", {}).items()]
    return pd.DataFrame(rows).groupby("rock", sort=False).mean()


def cover_shares(values: Mapping[str, Any], candidate: str, key: str) -> pd.DataFrame:
    """Measure the share of scenes without a quarry that is mapped as the class of a legend key.

    Returns
    -------
    DataFrame
        Index scene; ``mean``, ``lowest`` and ``highest`` over folds and networks.
    """
    index = legend.CODES.index(legend.code(key))
    rows = [{"scene": scene, "share": shares[index]} for *_, found in _networks(values, candidate)
            for scene, shares in found.get("covers", {}).items()]
    return pd.DataFrame(rows).groupby("scene", sort=False).share.agg(
        mean="mean", lowest="min", highest="max")


def clip_losses(values: Mapping[str, Any], candidate: str) -> pd.DataFrame:
    """Measure what overall accuracy loses when clips are mapped by themselves.

    Returns
    -------
    DataFrame
        Index edge of a clip in pixels; ``mean`` and ``worst`` difference of overall accuracy to the
        whole scene's over folds and networks, ``differing``: mean share of pixels that differ.
    """
    rows = [{"edge": int(edge), "difference": c[0] - c[1], "differing": c[4]}
            for *_, found in _networks(values, candidate)
            for edge, c in found.get("clips", {}).items()]
    table = pd.DataFrame(rows).groupby("edge")
    return pd.DataFrame({"mean": table.difference.mean(), "worst": table.difference.min(),
                         "differing": table.differing.mean()})


def applicability_of_covers(values: Mapping[str, Any], candidate: str) -> pd.DataFrame:
    """Measure how much of scenes without a quarry lies outside the area of applicability.

    Returns
    -------
    DataFrame
        Index scene; ``outside``: share of its pixels, ``quarry_inside``: share that is mapped as
        quarry and lies inside, mean over the folds.
    """
    rows = [{"scene": key, **rates} for *_, found in _networks(values, candidate)
            for key, rates in found.get("applicability", {}).items()
            if isinstance(rates, Mapping) and "quarry_inside" in rates]
    return pd.DataFrame(rows).groupby("scene", sort=False).mean()


class Target(NamedTuple):
    """What was to be reached: a score of a protocol, at least or at most a value."""

    what: str
    value: float
    least: bool  # whether the score must be at least the value; else at most
    reached: Callable[[Mapping[str, Any], str, bool], float]


def _mean_or_worst(protocol: str, score: str, worst: bool, values: Mapping[str, Any],
                   candidate: str, ensemble: bool) -> float:
    table = protocol_scores({"jobs": {candidate: values["jobs"][candidate]}})
    table = table[(table.protocol == protocol) & ((table.network == ENSEMBLE) == ensemble)]
    return float(table[score].min() if worst else table.groupby("fold")[score].mean().mean())


def _of_networks(measure: Callable[..., float], values: Mapping[str, Any], candidate: str,
                 ensemble: bool) -> float:
    """Measure on single networks or on ensembles only."""
    jobs = {candidate: {f: {n: v for n, v in nets.items() if (n == ENSEMBLE) == ensemble}
                        for f, nets in values["jobs"][candidate].items()}}
    return measure({**values, "jobs": jobs}, candidate)


OPEN_WATER = ("hydro_10", "sea", "coast_10", "coast_41")
"""Scenes of ``experiments/protocol_scenes.py`` that are open water."""

TARGETS: tuple[Target, ...] = (
    Target("new season: overall accuracy, mean", 0.94, True,
           partial(_mean_or_worst, BESIDE, "overall_accuracy", False)),
    Target("new season: overall accuracy, worst", 0.90, True,
           partial(_mean_or_worst, BESIDE, "overall_accuracy", True)),
    Target("new season: macro F1, mean", 0.82, True,
           partial(_mean_or_worst, BESIDE, "macro_f1", False)),
    Target("new season and place: quarry F1, mean", 0.93, True,
           partial(_mean_or_worst, BOTH, "quarry_f1", False)),
    Target("new season and place: quarry F1, worst", 0.85, True,
           partial(_mean_or_worst, BOTH, "quarry_f1", True)),
    Target("other rocks: quarry recall, mean", 0.85, True,
           partial(_of_networks, lambda v, c: rock_scores(v, c).recall.mean())),
    Target("other rocks: false share, worst rock", 0.02, False,
           partial(_of_networks, lambda v, c: rock_scores(v, c).false.max())),
    Target("elsewhere: quarry share, worst scene", 0.005, False,
           partial(_of_networks, lambda v, c: cover_shares(v, c, "quarry").highest.max())),
    Target("open water: water share, worst scene", 0.99, True,
           partial(_of_networks, lambda v, c: cover_shares(
               v, c, "water").lowest[list(OPEN_WATER)].min())),
    Target("64-pixel clips: overall accuracy lost", 0.01, False,
           partial(_of_networks, lambda v, c: -clip_losses(v, c)["mean"][64])),
    Target("new season and place: calibration error", 0.03, False,
           partial(_of_networks, lambda v, c: _calibrated(v, c))))
"""Set before the work began (those of the test scene stand beside its scores). A new season is
:data:`BESIDE`; the targets were meant with all quadrants in training, which is a little easier."""


def _calibrated(values: Mapping[str, Any], candidate: str) -> float:
    """Return the calibration error with the shipped temperature; NaN if it was not measured."""
    errors = calibration_errors(values, candidate, [values["temperature"]])
    return float(errors.iloc[:, 0].get(BOTH, np.nan))


def targets(values: Mapping[str, Any], candidate: str) -> pd.DataFrame:
    """Set the targets beside what was reached.

    Returns
    -------
    DataFrame
        Index what; ``target`` in words, ``single networks``, ``ensembles``, ``reached`` (whether
        ensembles meet it).
    """
    rows = {}
    for what, value, least, reached in TARGETS:
        single, ensemble = (reached(values, candidate, e) for e in (False, True))
        rows[what] = {"target": f"{'at least' if least else 'at most'} {value:g}",
                      "single networks": single, "ensembles": ensemble,
                      "reached": ensemble >= value if least else ensemble <= value}
    return pd.DataFrame.from_dict(rows, orient="index")


def _networks(values: Mapping[str, Any], only: str | None = None
              ) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Yield candidate, fold, network and its counts, of all candidates or of one."""
    for candidate, folds in values["jobs"].items():
        for fold, networks in folds.items() if only in (None, candidate) else ():
            for network, found in networks.items():
                if isinstance(found, Mapping) and "confusion" in found:
                    yield candidate, fold, network, found
