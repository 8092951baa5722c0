"""The words that a reader meets in place of the keys of tables, settings and sliders.

Classes have their names from the legend. Notebooks, figures and sliders ask here for all others,
which stand in ``display_names.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lulc_lib import legend
from lulc_lib.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as _lines:
    LABELS: dict[str, str] = {row["key"]: row["label"] for row in csv.DictReader(_lines)}
CODED = ("map_class", "reference_class", "class")
"""Names of axes that carry legend codes."""


def label(key: str) -> str:
    """Return the words for a key: a class's name, an entry of the table, or a word that is one.

    Raises
    ------
    InputError
        A key with an underscore has no words.

    Examples
    --------
    >>> label("users_accuracy"), label("crops_ripe"), label("program")
    ("user's accuracy (UA)", 'Crops before harvest', 'program')
    """
    if key in legend.BY_KEY:
        return legend.BY_KEY[key].name
    if key not in LABELS and "_" in key:
        raise InputError(f"{key!r} has no label for a reader; add it to "
                         "lulc_lib/display_names.csv")
    return LABELS.get(key, key)


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as a reader sees it: keys as words, and codes as names on axes of classes."""

    def words(axis: pd.Index) -> Callable[[Hashable], Hashable]:
        names = legend.NAMES if axis.name in CODED else {}
        return lambda v: label(v) if isinstance(v, str) else names.get(v, v)

    shown = table.rename(index=words(table.index), columns=words(table.columns)).map(_said)
    for axis in (shown.index, shown.columns):
        axis.names = [label(n) if isinstance(n, str) else n for n in axis.names]
    return shown


def _said(value: Any) -> Any:
    """Put words in place of keys that are known, in a text, a sequence or a mapping."""
    if isinstance(value, str):
        return label(value) if value in LABELS or value in legend.BY_KEY else value
    if isinstance(value, (tuple, list)):
        return ", ".join(str(_said(v)) for v in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{_said(k)} {_said(v)}" for k, v in value.items())
    return value
