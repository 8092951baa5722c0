"""Confusion matrices as other programs write them, brought to one form: labels and cells.

Each recogniser of :data:`LAYOUTS` looks for a program's own words and returns None where they are
missing. What the rows are is taken from these words; where a program writes none, ``rows`` is None
and ``hint`` says what it usually has there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Side = Literal["map", "reference"]
Lines = list[list[str]]

MAP_WORDS = frozenset({
    "map", "mapclass", "mapped", "class", "classes", "classification", "classified", "predicted",
    "predictedclass", "predictedlabel", "prediction", "predictions", "pred", "ypred", "produced",
    "user", "userclass", "users", "vclassified", "mapcode", "mapa", "klasyfikacja", "mapy"})
REFERENCE_WORDS = frozenset({
    "reference", "referenceclass", "referencecode", "ref", "refclass", "refcode", "true",
    "trueclass", "truth", "groundtruth", "truelabel", "actual", "actualclass", "observed", "ytrue",
    "sample", "samples", "referencja", "referencje", "odniesienie", "prawda"})
USERS_WORDS = frozenset({"ua", "uaccuracy", "user", "users", "useraccuracy", "usersaccuracy"})
PRODUCERS_WORDS = frozenset({"pa", "paccuracy", "producer", "producers", "produceraccuracy",
                             "producersaccuracy"})


class Layout(NamedTuple):
    """A labelled matrix: the first line holds an empty corner and the labels of the columns."""

    program: str
    cells: Lines
    rows: Side | None = None
    notes: tuple[str, ...] = ()
    hint: str = ""


def word(cell: str) -> str:
    """Bring a cell to the letters by which it is compared."""
    return re.sub(r"[^a-zσ]", "", cell.lower())


def orientation(corner: str) -> Side | None:
    r"""Say what the rows are, from a corner cell such as ``map/reference``; None if it does not.

    Examples
    --------
    >>> orientation("class/ref"), orientation("true\\predicted"), orientation("class")
    ('map', 'reference', None)
    """
    parts = [word(part) for part in re.split(r"[/\\|]", corner)]
    return _sides(*parts) if len(parts) == 2 else None


def is_json(text: str) -> bool:
    """Whether a text is JSON rather than a table."""
    return text.lstrip()[:1] in ("[", "{")


def recognise(text: str, lines: Lines) -> Layout | None:
    """Bring the text of a file to a labelled matrix, if a program's layout is in it.

    ``lines``: its cells, without empty lines.
    """
    if is_json(text):
        return _earth_engine(text, lines)
    found = (layout(text, lines) for layout in LAYOUTS)
    return next((layout for layout in found if layout is not None), None)


def _sides(rows: str, columns: str) -> Side | None:
    if rows in MAP_WORDS and columns in REFERENCE_WORDS:
        return "map"
    return "reference" if rows in REFERENCE_WORDS and columns in MAP_WORDS else None


def _orfeo_toolbox(text: str, lines: Lines) -> Layout | None:
    """Read ``#Reference labels (rows):1,2``, ``#Produced labels (columns):1,2`` and counts."""
    heads = {m[2].lower(): (m[1].lower(), m[3].split(",")) for m in re.finditer(
        r"^#\s*(Reference|Produced) labels \((rows|columns)\):(.*)$", text, re.M | re.I)}
    if set(heads) != {"rows", "columns"}:
        return None
    side, labels = heads["rows"]
    counts = [line for line in lines if not line[0].startswith("#")]
    if len(counts) != len(labels):
        return None
    body = [[label.strip(), *line] for label, line in zip(labels, counts, strict=True)]
    return Layout("Orfeo ToolBox", [["", *(v.strip() for v in heads["columns"][1])], *body],
                  "reference" if side == "reference" else "map")


def _earth_engine(text: str, lines: Lines) -> Layout | None:
    """Read a matrix as JSON: alone, in a cell of a table, or among a feature's properties."""
    if is_json(text):
        matrix = _matrix_in(_json(text))
    else:
        cells = [cell for line in lines[1:] for cell in line if cell.startswith("[[")]
        matrix = _matrix_in(_json(cells[0])) if len(cells) == 1 else None
    if matrix is None or len({len(matrix), *map(len, matrix)}) != 1:
        return None
    columns = [list(column) for column in zip(*matrix, strict=True)]
    used = [k for k in range(len(matrix)) if any(matrix[k]) or any(columns[k])]
    gaps = ", ".join(str(k) for k in range(len(matrix)) if k not in used)
    body = [[str(k), *(str(matrix[k][j]) for j in used)] for k in used]
    notes = (f"Class {gaps} has no count, as the gaps of Earth Engine's numbering: left out.",)
    return Layout("Earth Engine", [["", *map(str, used)], *body], None, notes if gaps else (),
                  "Earth Engine's own errorMatrix has the reference in its rows")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return None


def _matrix_in(value: Any) -> list[list[int]] | None:
    """Find a list of lists of numbers, however deep it lies, but not among coordinates."""
    if isinstance(value, list) and value and all(
            isinstance(line, list) and line and all(type(v) in (int, float) for v in line)
            for line in value):
        return value
    inner = value if isinstance(value, list) else [
        v for k, v in value.items() if k not in ("geometry", "coordinates", ".geo")
    ] if isinstance(value, dict) else []
    return next((m for m in map(_matrix_in, inner) if m is not None), None)


def _plugin_scp(text: str, lines: Lines) -> Layout | None:
    """Read ``> ERROR MATRIX`` of the QGIS plugin, with further tables after it."""
    titles = [k for k, line in enumerate(lines) if line[0].startswith(">")]
    first = next((k for k in titles if word(lines[k][0]).startswith("errormatrix")), None)
    if first is None:
        return None
    end = next((k for k in titles if k > first), len(lines))
    block = lines[first + 1:end]
    start = next((k for k, line in enumerate(block) if word(line[0]) in MAP_WORDS), None)
    above = [word(cell) for line in block[:start] for cell in line]
    if start is None or not REFERENCE_WORDS & set(above):
        return None
    others = "; ".join(lines[k][0].lstrip("> ") for k in titles if k != first)
    notes = (f"Tables of the file that were not read: {others}.",) if others else ()
    return Layout("Semi-Automatic Classification Plugin",
                  [["", *block[start][1:]], *block[start + 1:]], "map", notes)


def _envi(text: str, lines: Lines) -> Layout | None:
    """Read columns aligned by spaces under ``Ground Truth (Pixels)``, in one panel or more."""
    panels = re.split(r"Ground Truth \(Pixels\)", text)[1:]
    if not panels:
        return None
    table: dict[str, list[str]] = {}
    for panel in panels:
        block = re.split(r"Ground Truth \(Percent\)|\n\s*\n", panel.strip("\n"))[0]
        for line in filter(str.strip, block.splitlines()):
            label, *cells = re.split(r"\s{2,}|\t", line.strip())
            table.setdefault("" if label == "Class" else label, []).extend(cells)
    empty = set(table.get("Unclassified", ["1"])) == {"0"}
    notes = ("The row Unclassified has no pixel: left out.",) if empty else ()
    cells = [[label, *line] for label, line in table.items()
             if not (empty and label == "Unclassified")]
    return Layout("ENVI", cells, "map", notes)


def _grass_kappa(text: str, lines: Lines) -> Layout | None:
    """Join the panels of columns: MAP1 is the reference, MAP2, in the rows, the map."""
    rows = [[cell.strip() for cell in re.split(r"\t" if "\t" in line else ",", line)]
            for line in text.splitlines()]
    heads = [k for k, row in enumerate(rows) if "cat#" in row]
    if not heads or "MAP1" not in text:
        return None
    table: dict[str, list[str]] = {}
    for k in heads:
        at = rows[k].index("cat#")
        table.setdefault("", []).extend(filter(None, rows[k][at + 1:]))
        for row in rows[k + 1:]:
            label = row[at].split()[-1] if len(row) > at and row[at] else ""
            values = [cell for cell in row[at + 1:] if cell]
            if not label.isdigit() or not values:
                break
            table.setdefault(label, []).extend(values)
    return Layout("GRASS r.kappa", [[label, *line] for label, line in table.items()], "map")


def _arcgis(text: str, lines: Lines) -> Layout | None:
    """Read a table with ClassValue, C_1 …, Total, U_Accuracy and Kappa."""
    head = [word(cell) for cell in lines[0]]
    if "classvalue" not in head:
        return None
    at = head.index("classvalue")
    cells = [["" if k == 0 else line[at], *line[at + 1:]]
             for k, line in enumerate(lines) if len(line) > at]
    cells = [[re.sub(r"^C_(?=\d+$)", "", cell) for cell in line] for line in cells]
    return Layout("ArcGIS", cells)


def _named_axes(text: str, lines: Lines) -> Layout | None:
    """Read ``Actual Forest`` down the side, ``Predicted Forest`` along the top, or reverse."""
    sides = [[re.fullmatch(r"([A-Za-z]+)[\s_:]+(.+)", cell) for cell in labels] for labels in (
        lines[0][1:], [line[0] for line in lines[1:]])]
    if not all(side and all(side) for side in sides):
        return None
    words = [{word(match[1]) for match in side} for side in sides]
    if [len(w) for w in words] != [1, 1]:
        return None
    rows = _sides(words[1].pop(), words[0].pop())
    if rows is None:
        return None
    columns, labels = ([match[2] for match in side] for side in sides)
    return Layout("both axes named in the labels", [["", *columns], *(
        [label, *line[1:]] for label, line in zip(labels, lines[1:], strict=True))], rows)


LAYOUTS: tuple[Callable[[str, Lines], Layout | None], ...] = (
    _orfeo_toolbox, _earth_engine, _plugin_scp, _envi, _grass_kappa, _arcgis, _named_axes)
"""Recognisers, tried in this order; a table that none knows is read as an ordinary one."""
