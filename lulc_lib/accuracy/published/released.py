"""The confusion matrices that the paper's authors released, as they are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lulc_lib import legend
from lulc_lib.accuracy.confusion import as_confusion
from lulc_lib.errors import InputError


def read_published_matrix(path: Path | str) -> pd.DataFrame:
    """A released confusion matrix (CSV whose corner says ``class/ref`` or ``class\\ref``).

    The corner names the axes: rows are the map's classes, columns the reference's.

    Returns
    -------
    Counts with named axes (see ``confusion_matrix``) over the classes that the file lists.

    Raises
    ------
    InputError
        No such file, a corner that does not state the orientation, or cells that are not counts.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    table = pd.read_csv(path, encoding="utf-8-sig", index_col=0)
    if table.index.name not in ("class/ref", "class\\ref"):
        raise InputError(
            f"{path.name}: the corner cell is {table.index.name!r}; it must be 'class/ref' (map "
            "classes in rows, reference classes in columns)"
        )
    try:
        columns = legend.check_codes([int(c) for c in table.columns], path.name)
        rows = legend.check_codes(table.index.to_numpy(), path.name)
        counts = table.to_numpy().astype("int64")
    except ValueError as error:
        raise InputError(f"{path.name}: {error}") from None
    if rows.tolist() != columns.tolist():
        raise InputError(f"{path.name}: rows {rows.tolist()} and columns {columns.tolist()} differ")
    return as_confusion(counts, rows.tolist())
