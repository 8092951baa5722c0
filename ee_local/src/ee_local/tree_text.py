"""Decision trees as text, in the form that R's rpart prints and Earth Engine reads.

A line is ``number) variable sign threshold n loss value [(…)] [*]``: node 1 is the root, node k has
the children 2k and 2k + 1, the condition of a line must hold to enter it, and a star marks a leaf.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ee_local.errors import EngineError
from ee_local.smile import Tree

LINE = re.compile(
    r"^\s*(\d+)\)\s+(?:root|(\S+?)\s*(<=|>=|<|>)\s*(\S+))\s+(\S+)\s+(\S+)\s+(\S+)(.*)$")
TESTS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


@dataclass(frozen=True)
class Node:
    """A line of the text: condition to enter it (None for the root), value, and whether a leaf."""

    variable: str | None
    sign: str | None
    threshold: float
    value: float
    leaf: bool


class TextTree:
    """A tree read from text.

    Parameters
    ----------
    text : str
        The lines of one tree; lines that describe no node (a title) are passed over.

    Raises
    ------
    EngineError
        There is no root, or a line cannot be read.
    """

    def __init__(self, text: str) -> None:
        self.nodes: dict[int, Node] = {}
        for line in text.splitlines():
            if re.match(r"^\s*\d+\)", line):
                number, node = _read(line)
                self.nodes[number] = node
        if 1 not in self.nodes:
            raise EngineError("Decision tree text: there is no root, a line such as "
                              "'1) root 10 9999 9999 (0.5)'.")

    def variables(self) -> set[str]:
        """Return names of the variables in its conditions."""
        return {n.variable for n in self.nodes.values() if n.variable}

    def predict(self, columns: dict[str, NDArray[np.float64]], size: int) -> NDArray[np.float64]:
        """Return (row,) value of the node each row ends in.

        Parameters
        ----------
        columns : dict of str to ndarray, shape (row,)
            Values by variable.
        size : int
            Number of rows.
        """
        out = np.full(size, np.nan)
        todo = [(1, np.arange(size))]
        while todo:
            number, rows = todo.pop()
            node = self.nodes[number]
            left = np.ones(len(rows), dtype=bool)
            for child in (2 * number, 2 * number + 1):
                follow = self.nodes.get(child)
                if node.leaf or follow is None or follow.variable is None:
                    continue
                go = left & TESTS[follow.sign](columns[follow.variable][rows], follow.threshold)
                todo.append((child, rows[go]))
                left &= ~go
            out[rows[left]] = node.value
        return out


def split_trees(text: str) -> list[str]:
    """Return the single trees of a text that may hold several: each begins with a line ``1) …``."""
    starts = [m.start() for m in re.finditer(r"^\s*1\)", text, re.MULTILINE)]
    return [text[a:b] for a, b in pairwise([*starts, len(text)])]


def _read(line: str) -> tuple[int, Node]:
    found = LINE.match(line)
    try:
        number, variable, sign, threshold, _, _, value, rest = found.groups()
        return int(number), Node(variable, sign, float(threshold or 0), float(value),
                                 rest.strip().endswith("*"))
    except (AttributeError, ValueError):
        raise EngineError(f"Decision tree text: the line {line.strip()[:60]!r} cannot be "
                          "read.") from None


def tree_to_text(tree: Tree, inputs: list[str], classes: NDArray[np.int64]) -> str:
    """Return the text of a tree as Smile writes it.

    A threshold has six digits, as Java's ``%g`` has; so a copy made from the text can differ where
    a value lies within the rounding. Loss is rows × Gini impurity, and probabilities are smoothed.

    Parameters
    ----------
    tree : Tree
        A grown tree.
    inputs : list of str
        Names of the variables.
    classes : ndarray, shape (class,)
        Class values.
    """
    size, labels, shares = tree.counts.sum(axis=1), tree.labels(), tree.probabilities()
    lines = [f"n= {size[0]}", "node), split, n, loss, yval, (yprob)", "* denotes terminal node"]
    todo = [(0, 1, "root")]
    while todo:
        k, number, condition = todo.pop()
        loss = size[k] - (tree.counts[k] ** 2).sum() / max(size[k], 1)
        probabilities = " ".join(java_g(v, 5) for v in shares[k].tolist())
        lines.append(f"{' ' * (number.bit_length() - 1)}{number}) {condition} {size[k]} "
                     f"{java_g(float(loss), 5)} {classes[labels[k]]} ({probabilities})"
                     f"{' *' if tree.variable[k] < 0 else ''}")
        if tree.variable[k] >= 0:
            name, threshold = inputs[tree.variable[k]], java_g(float(tree.threshold[k]))
            true, false = tree.children[k].tolist()
            todo.append((false, 2 * number + 1, f"{name}>{threshold}"))
            todo.append((true, 2 * number, f"{name}<={threshold}"))
    return "\n".join(lines)


def java_g(value: float, digits: int = 6) -> str:
    """Return a number as Java's ``%g`` writes it: zeros at the end stay, halves go up.

    >>> java_g(445.0), java_g(0.0), java_g(1234567.0), java_g(0.0188679, 5)
    ('445.000', '0.00000', '1.23457e+06', '0.018868')
    """
    upwards = math.nextafter(value, math.copysign(math.inf, value)) if value else value
    return f"{upwards:#.{digits}g}".rstrip(".")
