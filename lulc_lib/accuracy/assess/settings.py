"""The small files beside an accuracy input: names of the classes (JSON), mapped areas (CSV)."""

from __future__ import annotations

import json
import math
from pathlib import Path

from lulc_lib.accuracy.assess.csv_cells import (
    check_labels,
    count_or_none,
    plain_label,
    read_cells,
    read_text,
)
from lulc_lib.accuracy.assess.judged import Judged
from lulc_lib.errors import InputError

AREA_HEADER = "label,area"


def read_names(path: Path | str, judged: Judged) -> Judged:
    """A judged map with the class names of a JSON file.

    Parameters
    ----------
    path : an object ``{"1": "water", …}`` that names every class, or, for classes that are only
        numbered 1 … n, a list of names in their order.

    Raises
    ------
    InputError
        Not JSON, names that are no text, or a class without a name.
    """
    path = Path(path)
    try:
        names = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path.name}: is not JSON ({error})") from None
    if isinstance(names, list):
        if judged.labels != [str(i + 1) for i in range(len(names))]:
            raise InputError(f"{path.name}: is a list of {len(names)} names; classes "
                             f"{', '.join(judged.labels)} need an object such as "
                             '{"1": "water", "2": "forest"}')
        names = {str(i + 1): name for i, name in enumerate(names)}
    if not isinstance(names, dict):
        raise InputError(f'{path.name}: must hold an object such as {{"1": "water"}}')
    wrong = [v for v in names.values() if not isinstance(v, str) or not v.strip()]
    if wrong:
        raise InputError(f"{path.name}: holds the name {wrong[0]!r}; class names are text")
    return judged.renamed({plain_label(k.strip()): v.strip() for k, v in names.items()}, path.name)


def read_areas(path: Path | str, labels: dict[str, str]) -> dict[str, float]:
    """Mapped area per class, from a CSV with a header line and the columns label and area.

    Parameters
    ----------
    path : the CSV file; areas in any unit.
    labels : what a class may be called in the file (code or name) → its label.

    Raises
    ------
    InputError
        A class with two areas, or unknown; an area that is no number ≥ 0.
    """
    path = Path(path)
    areas: dict[str, float] = {}
    for name, cell in _label_and_area(path):
        if name not in labels:
            raise InputError(f"{path.name}: names class {name!r}, which the matrix lacks; its "
                             f"classes are {', '.join(dict.fromkeys(labels.values()))}")
        if labels[name] in areas:
            raise InputError(f"{path.name}: class {name} is there more than once")
        areas[labels[name]] = _area(cell, f"{path.name}, class {name}")
    return areas


def _label_and_area(path: Path) -> list[tuple[str, str]]:
    header, *lines = read_cells(path)
    words = [cell.lower() for cell in header]
    areas = [i for i, word in enumerate(words) if word.split("_")[0].split(" ")[0] in
             ("area", "areas", "mapped", "pixels")]
    names = [i for i, word in enumerate(words) if word in ("label", "labels", "class", "code",
                                                           "name", "map_class", "")]
    if len(areas) != 1 or not names:
        raise InputError(f"{path.name}: its first line is {', '.join(header)!r}; it must name the "
                         f"columns: {AREA_HEADER}")
    if not lines:
        raise InputError(f"{path.name}: has a header line and no areas")
    found = [(plain_label(line[names[0]]), line[areas[0]]) for line in lines]
    check_labels([name for name, _ in found], path.name)
    return found


def _area(cell: str, where: str) -> float:
    whole = count_or_none(cell)
    try:
        value = float(cell if whole is None else whole)
    except ValueError:
        raise InputError(f"{where}: the area is {cell!r}; areas are numbers") from None
    if not math.isfinite(value) or value < 0:
        raise InputError(f"{where}: the area is {cell}; areas are finite and not negative")
    return value
