"""What the protocols of ``experiments/protocols.py`` measured, as tables.

The results (``results/published/protocols.json``) hold counts by candidate, fold and network; here
they become scores of protocols, each of which estimates something else (see ``splits``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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

RANDOM, DATE, SEASON, SUMMER, BOTH = (
    "random patches", "one date out", "season out", "summer out", "season and place out")
PROTOCOLS: tuple[str, ...] = (RANDOM, DATE, SEASON, SUMMER, BOTH)
"""From what flatters most to what asks most."""


def protocol_of(fold: str) -> str:
    """Name the protocol that a fold belongs to.

    >>> [protocol_of(f) for f in ("random-patches-1", "2022-07-19", "july", "july-SE")]
    ['random patches', 'one date out', 'season out', 'season and place out']
    """
    if fold.startswith("random-patches"):
        return RANDOM
    if re.fullmatch(r"\d{4}-\d\d-\d\d", fold):
        return DATE
    season, _, quadrant = fold.partition("-")
    if season == "summer" and not quadrant:
        return SUMMER
    if season not in SEASONS or quadrant not in ("", *QUADRANTS):
        raise InputError(f"fold is {fold!r}; it must be random patches, a date, one of "
                         f"{', '.join(SEASONS)}, summer, or such a season and a quadrant")
    return BOTH if quadrant else SEASON


def part_of(fold: str) -> str:
    """Name the part of the held-out labels that a fold's protocol is about.

    ``place_held_out`` where a place is held out, else ``place_known``: all labels of the held-out
    dates.
    """
    return "place_held_out" if protocol_of(fold) in (RANDOM, BOTH) else "place_known"


def counts(rows: Sequence[str] | Sequence[Sequence[int]]) -> pd.DataFrame:
    """Read a confusion matrix of the results: a text or a list for each map class."""
    values = [r.split() if isinstance(r, str) else r for r in rows]
    return as_confusion(np.array(values, dtype=np.int64), legend.CODES)


def protocol_matrix(values: Mapping[str, Any], candidate: str, folds: Sequence[str],
                    networks: Sequence[str]) -> pd.DataFrame:
    """Add up the confusion matrices of a candidate's networks over folds.

    Parameters
    ----------
    values : mapping
        Contents of ``protocols.json``.
    candidate : str
        Name of the settings.
    folds : sequence of str
        Whose held-out labels are counted, each in the part that its protocol is about.
    networks : sequence of str
        Seeds, or :data:`ENSEMBLE`.
    """
    jobs = values["jobs"]
    for fold in folds:
        if fold not in jobs.get(candidate, {}):
            raise InputError(f"fold {fold!r} of candidate {candidate!r} is not in the results; "
                             f"there are {', '.join(jobs.get(candidate, jobs))}")
    return sum(counts(jobs[candidate][f][n]["confusion"][part_of(f)])
               for f in folds for n in networks)


def protocol_scores(values: Mapping[str, Any]) -> pd.DataFrame:
    """Score every candidate on every fold.

    Parameters
    ----------
    values : mapping
        Contents of ``protocols.json``.

    Returns
    -------
    DataFrame
        One row per candidate, fold and network: ``candidate``, ``protocol``, ``fold``, ``network``,
        ``n``, ``overall_accuracy``, ``macro_f1``, ``quarry_f1``; in the order of
        :data:`PROTOCOLS`.
    """
    quarry = legend.code("quarry")
    rows = []
    for candidate, fold, network, found in _networks(values):
        matrix = counts(found["confusion"][part_of(fold)])
        rows.append({"candidate": candidate, "protocol": protocol_of(fold), "fold": fold,
                     "network": network, **summary(matrix),
                     "quarry_f1": float(per_class(matrix).f1[quarry])})
    table = pd.DataFrame(rows)
    return table.sort_values("protocol", key=lambda c: c.map(PROTOCOLS.index), kind="stable",
                             ignore_index=True)


def reliability_tables(values: Mapping[str, Any], candidate: str, temperature: float
                       ) -> dict[str, Reliability]:
    """Add up a candidate's reliability over the folds of each protocol.

    Parameters
    ----------
    values : mapping
        Contents of ``protocols.json``.
    candidate : str
        Name of the settings.
    temperature : float
        By which logits are divided: the nearest of ``calibration.TEMPERATURES`` is taken.

    Returns
    -------
    dict of str to Reliability
        By protocol.
    """
    nearest = int(np.argmin(np.abs(np.log(np.array(TEMPERATURES) / temperature))))
    found: dict[str, Reliability] = {}
    for name, fold, _, scores in _networks(values):
        if name != candidate or "reliability" not in scores:
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
    for name, fold, _, scores in _networks(values):
        for key, rates in scores.get("applicability", {}).items() if name == candidate else ():
            date, _, part = key.partition(" ")
            if part == part_of(fold):
                rows.append({"protocol": protocol_of(fold), "fold": fold, "date": date, **rates})
    return pd.DataFrame(rows)


def _networks(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Yield candidate, fold, network and its counts."""
    for candidate, folds in values["jobs"].items():
        for fold, networks in folds.items():
            for network, found in networks.items():
                if isinstance(found, Mapping) and "confusion" in found:
                    yield candidate, fold, network, found
