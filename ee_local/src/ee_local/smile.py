"""Decision trees and forests that follow the rules of Smile, the library behind Google's.

**Verified** against Smile's own outputs (``tests/smile_vectors.json``: v1 branch at 65331b986 with
pull requests 463 and 465): every node and threshold of trees, with ties, repeated values and
limits; importance, predictions and probabilities; of forests with known bags also the weights of
their trees and the out-of-bag error; the sizes of bags.

**Inferred:** that Google runs this line of Smile (the author of both requests works on Earth Engine
and needed them there), and the spacing and digits of a tree's text.

**Unknown:** the order in which Google's training rows arrive, which decides where rows of one value
and several labels meet (:func:`quicksorted`), and how its ``seed`` becomes random numbers. So a
tree can differ from Google's where values repeat, and a forest differs as two seeds do.

The rules. Each variable is sorted once. A cut lies where both value and label differ from those of
the row before; its threshold is the mean of the two values. Its gain, the decrease of Gini
impurity, is not weighted by the size of the node. Among equal gains the first variable of the list
wins, then the lowest threshold. In small nodes many gains are equal: importance, the sum of gains,
therefore favours the variables that come first. Two leaves of one label that share a parent are
merged.

Trees grow here level by level, all trees of a forest at once: the same trees as Smile's, which
grows branch by branch, wherever nothing is random.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_CELLS = 20_000_000
"""Values × classes searched for cuts at once (80 MB); larger forests grow in parts."""
SMALL = 8
"""Quicksort leaves parts shorter than this to insertion."""


class Limits(NamedTuple):
    """What ends the growth of a tree.

    Attributes
    ----------
    leaf_size : int
        A leaf has at least so many rows; a node with no more is one.
    leaves : int
        Most leaves; None: any number.
    tried : int
        Variables to choose among at a node, drawn for each; None: all, in their order.
    """

    leaf_size: int = 1
    leaves: int | None = None
    tried: int | None = None


@dataclass(frozen=True)
class Tree:
    """A tree: node 0 is the root, and a child's number is above its parent's.

    Attributes
    ----------
    variable : ndarray, shape (node,), int64
        Number of the variable that is tested, −1 in a leaf.
    threshold : ndarray, shape (node,), float64
        A row whose value is not above it goes to the true child.
    gain : ndarray, shape (node,), float64
        Decrease of Gini impurity.
    children : ndarray, shape (node, 2), int64
        True and false child.
    counts : ndarray, shape (node, class), int64
        Training rows.
    """

    variable: NDArray[np.int64]
    threshold: NDArray[np.float64]
    gain: NDArray[np.float64]
    children: NDArray[np.int64]
    counts: NDArray[np.int64]

    def labels(self) -> NDArray[np.int64]:
        """Return (node,) index of the most common class; a tie goes to the lowest."""
        return self.counts.argmax(axis=1)

    def probabilities(self) -> NDArray[np.float64]:
        """Return (node, class) shares of the rows after one row of each class is added."""
        return (self.counts + 1) / (self.counts.sum(axis=1, keepdims=True) + self.counts.shape[1])

    def importance(self, variables: int) -> NDArray[np.float64]:
        """Return (variable,) sums of gains."""
        inner = self.variable >= 0
        return np.bincount(self.variable[inner], self.gain[inner], variables)

    def spread(self, columns: NDArray[np.float64], values: NDArray) -> NDArray:
        """Return (row,) the value of the leaf in which each row ends.

        Parameters
        ----------
        columns : ndarray, shape (variable, row), float64
            What is classified.
        values : ndarray, shape (node,)
            Of each node.
        """
        out = np.full(columns.shape[1], values[0])
        variable, threshold = self.variable.tolist(), self.threshold.tolist()
        children, leaf = self.children.tolist(), (self.variable < 0).tolist()
        todo = [] if leaf[0] else [(0, np.arange(out.size))]
        while todo:
            node, rows = todo.pop()
            (a, b), true = children[node], columns[variable[node]].take(rows) <= threshold[node]
            if leaf[a] and leaf[b]:
                out[rows] = np.where(true, values[a], values[b])
                continue
            for child, side in ((a, true), (b, ~true)):
                part = rows.compress(side)  # twice as fast as rows[side] where pixels are mixed
                if leaf[child]:
                    out[part] = values[child]
                elif part.size:
                    todo.append((child, part))
        return out


def grow(rows: NDArray[np.float64], labels: NDArray[np.int64], bags: NDArray[np.int64],
         limits: Limits, rng: np.random.Generator | None = None) -> list[Tree]:
    """Grow a tree for each bag.

    Parameters
    ----------
    rows : ndarray, shape (row, variable), float64
        No gaps.
    labels : ndarray, shape (row,), int64
        Class indexes from 0.
    bags : ndarray, shape (tree, row), int64
        How often each tree holds each row.
    limits : Limits
        When to stop.
    rng : numpy.random.Generator
        Draws the variables that are tried; not needed where all are.
    """
    order = np.stack([quicksorted(column) for column in rows.T])
    at_once = max(1, MOST_CELLS // (rows.size * (int(labels.max()) + 1)))
    return [tree for first in range(0, len(bags), at_once) for tree in
            _Growth(rows, labels, bags[first:first + at_once], order).trees(limits, rng)]


def quicksorted(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (row,) the rows in ascending order of their values, equal ones as quicksort has them.

    Smile's sort is not stable, and which of two rows of one value comes first decides whether there
    is a cut. The pivot is the median of the first, middle and last value; short parts are sorted by
    insertion.

    >>> quicksorted(np.array([5.0, 3.0, 5.0]))
    array([1, 0, 2])
    """
    return _sorted_ranks(np.unique(values, return_inverse=True)[1].tobytes())


@lru_cache(maxsize=32)
def _sorted_ranks(ranks: bytes) -> NDArray[np.int64]:
    """Sort a column by ranks: kept, as each classifier and each unit of a table asks for it."""
    rank = np.frombuffer(ranks, np.int64)
    code = (rank * rank.size + np.arange(rank.size)).tolist()
    todo = [(0, rank.size - 1)]
    while todo:
        low, high = todo.pop()
        if high - low + 1 < SMALL:
            _insert(code, low, high)
        else:
            down, up = _partition(code, low, high)
            todo += [(low, down - 1), (up, high)]
    order = np.array(code) % rank.size
    order.setflags(write=False)
    return order


def _insert(code: list[int], low: int, high: int) -> None:
    """Sort a part by insertion; a code is the rank of a row's value × rows + the row."""
    rows = len(code)
    for place in range(low + 1, high + 1):
        one = code[place]
        above = one - one % rows + rows
        while place > low and code[place - 1] >= above:
            code[place] = code[place - 1]
            place -= 1
        code[place] = one


def _partition(code: list[int], low: int, high: int) -> tuple[int, int]:
    """Put no larger values than the pivot before it, no smaller ones after.

    Returns
    -------
    (int, int)
        Place of the pivot, and where the part after it begins.
    """
    rows, second, middle = len(code), low + 1, (low + high) // 2
    code[middle], code[second] = code[second], code[middle]
    for a, b in ((low, high), (second, high), (low, second)):
        if code[a] // rows > code[b] // rows:
            code[a], code[b] = code[b], code[a]
    same = code[second] - code[second] % rows
    above, up, down = same + rows, low + 2, high - 1
    while True:
        while code[up] < same:
            up += 1
        while code[down] >= above:
            down -= 1
        if down < up:
            code[second], code[down] = code[down], code[second]
            return down, up
        code[up], code[down] = code[down], code[up]
        up, down = up + 1, down - 1


class _Cuts(NamedTuple):
    """The best cut of each node, ``variable`` −1 where there is none."""

    variable: NDArray[np.int64]
    threshold: NDArray[np.float64]
    gain: NDArray[np.float64]


class _Growth:
    """Several trees while they grow, a level at a time.

    A sample is a row in a bag. ``order`` (variable, position) lists the samples of the nodes in
    hand, node after node, those of each node sorted by the variable. ``node`` (position,) numbers
    the nodes from 0 and is the same for every variable.
    """

    def __init__(self, rows: NDArray[np.float64], labels: NDArray[np.int64],
                 bags: NDArray[np.int64], order: NDArray[np.int64]) -> None:
        self._columns, self._classes = np.ascontiguousarray(rows.T), int(labels.max()) + 1
        tree, self._row = np.nonzero(bags)
        self._label, self._weight = labels[self._row], bags[tree, self._row]
        sample = np.full(bags.shape, -1)
        sample[tree, self._row] = np.arange(tree.size)
        listed = sample[:, order].transpose(1, 0, 2)
        self._order = listed[listed >= 0].reshape(len(order), -1)
        self._node, self._trees = tree, len(bags)

    def trees(self, limits: Limits, rng: np.random.Generator | None) -> list[Tree]:
        """Grow all levels, and take the trees apart."""
        tree, levels, known = np.arange(self._trees), [], 0
        while tree.size:
            counts = self._counted(tree.size)
            cuts = self._cut(counts, limits, rng)
            split = cuts.variable >= 0
            known += tree.size
            children = np.zeros((tree.size, 2), np.int64)
            children[split] = known + np.arange(2 * split.sum()).reshape(-1, 2)
            levels.append((tree, *cuts, children, counts))
            tree = np.repeat(tree[split], 2)
        tree, *parts, children, counts = (np.concatenate(p) for p in zip(*levels, strict=True))
        out = []
        for number in range(self._trees):
            mine = tree == number
            local = (np.cumsum(mine) - 1)[children[mine]]
            out.append(_pruned(Tree(*(p[mine] for p in parts), local, counts[mine]), limits.leaves))
        return out

    def _counted(self, nodes: int) -> NDArray[np.int64]:
        """Return (node, class) rows of each class."""
        samples = self._order[0]
        key = self._node * self._classes + self._label[samples]
        total = np.bincount(key, self._weight[samples], nodes * self._classes)
        return total.astype(np.int64).reshape(nodes, -1)

    def _keep(self, nodes: NDArray[np.bool_]) -> None:
        """Drop the samples of all other nodes."""
        if not nodes.all():
            stay = nodes[self._node]
            self._order = self._order[:, stay]
            self._node = (np.cumsum(nodes) - 1)[self._node[stay]]

    def _cut(self, counts: NDArray[np.int64], limits: Limits,
             rng: np.random.Generator | None) -> _Cuts:
        """Return the cuts of a level's nodes, and go on to the nodes they make."""
        size = counts.sum(axis=1)
        mixed = (size > limits.leaf_size) & (counts.max(axis=1) < size)
        self._keep(mixed)
        found = _Cuts(np.full(size.size, -1), np.zeros(size.size), np.zeros(size.size))
        if mixed.any():
            best = self._best(counts[mixed], limits, rng)
            for whole, part in zip(found, best, strict=True):
                whole[mixed] = part
            self._divide(best)
        return found

    def _best(self, counts: NDArray[np.int64], limits: Limits,
              rng: np.random.Generator | None) -> _Cuts:
        """Return the best cut of each node in hand, among variables in their turn.

        A segment is a variable and a node; ``key`` numbers the segments that are looked at.
        """
        variables, length = self._order.shape
        nodes = np.arange(len(counts))
        turn = _turns(variables, nodes.size, limits.tried, rng)
        listed = np.zeros((variables, nodes.size), bool)
        listed[turn, nodes] = True
        column, place = np.nonzero(listed[:, self._node])
        node = self._node.take(place)
        samples = self._order.take(column * length + place)
        value = self._columns.take(column * self._columns.shape[1] + self._row.take(samples))
        label = self._label.take(samples)
        key = column * nodes.size + node
        start = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
        cut = np.append(False, (value[1:] != value[:-1]) & (label[1:] != label[:-1]))
        cut[start] = False
        first = np.repeat(start, np.diff(np.append(start, key.size)))
        at, gain = self._gains(np.flatnonzero(cut), first, node, samples, counts,
                               limits.leaf_size)
        best, end = np.zeros(listed.shape), np.zeros(listed.shape, np.int64)
        found, top, where = _highest(gain, key[at])
        best.ravel()[found], end.ravel()[found] = top, at[where]
        variable = turn[best[turn, nodes].argmax(axis=0), nodes]
        gain, end = best[variable, nodes], end[variable, nodes]
        threshold = (value[end] + value[end - 1]) / 2
        return _Cuts(np.where(gain > 0, variable, -1), threshold, gain)

    def _gains(self, at: NDArray[np.int64], first: NDArray[np.int64], node: NDArray[np.int64],
               samples: NDArray[np.int64], counts: NDArray[np.int64], leaf_size: int,
               ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the cuts that leave enough rows on both sides, and their gains.

        The order of operations is Smile's, to the last bit: it decides between equal gains.
        """
        held = np.zeros((self._classes, samples.size + 1), np.int32)
        held[self._label.take(samples), np.arange(1, samples.size + 1)] = self._weight.take(samples)
        np.cumsum(held, axis=1, out=held)
        held = (held[:, at] - held[:, first[at]]).astype(np.int64)
        node, sizes = node[at], counts.sum(axis=1)
        true = held.sum(axis=0)
        enough = (true >= leaf_size) & (sizes[node] - true >= leaf_size)
        at, node, true, held = at[enough], node[enough], true[enough], held[:, enough]
        size, false = sizes[node], sizes[node] - true
        left = 1 - (held ** 2).sum(axis=0) / true ** 2
        right = 1 - ((counts.T[:, node] - held) ** 2).sum(axis=0) / false ** 2
        whole = (1 - (counts ** 2).sum(axis=1) / sizes ** 2)[node]
        return at, whole - true / size * left - false / size * right

    def _divide(self, cuts: _Cuts) -> None:
        """Sort the samples of the nodes that are cut into their children."""
        split = cuts.variable >= 0
        self._keep(split)
        variable, threshold = cuts.variable[split], cuts.threshold[split]
        samples = self._order[0]
        tested = self._columns[variable[self._node], self._row[samples]]
        child = np.zeros(self._row.size, np.min_scalar_type(2 * variable.size))
        child[samples] = 2 * self._node + (tested > threshold[self._node])
        turn = np.argsort(child[self._order], axis=1, kind="stable")
        self._order = np.take_along_axis(self._order, turn, 1)
        self._node = child[self._order[0]].astype(np.int64)


def _turns(variables: int, nodes: int, tried: int | None,
           rng: np.random.Generator | None) -> NDArray[np.int64]:
    """Return (turn, node) the variables to look at, in their order or drawn."""
    every = np.broadcast_to(np.arange(variables), (nodes, variables))
    if tried is None or tried >= variables:
        return every.T
    return rng.permuted(every, axis=1).T[:tried]


def _highest(gain: NDArray[np.float64], key: NDArray[np.int64],
             ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Return each key once, its highest gain, and where it is first reached; keys ascend."""
    if not key.size:
        return key, gain, key
    start = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    top = np.maximum.reduceat(gain, start)
    reached = gain == np.repeat(top, np.diff(np.append(start, key.size)))
    first = np.minimum.reduceat(np.where(reached, np.arange(key.size), key.size), start)
    return key[start], top, first


def _pruned(tree: Tree, leaves: int | None) -> Tree:
    """Return the tree with so many leaves at most, twin leaves merged and the rest dropped."""
    variable, children = tree.variable.tolist(), tree.children.tolist()
    if leaves is not None:
        chosen = _best_first(tree, leaves)
        variable = [v if node in chosen else -1 for node, v in enumerate(variable)]
    labels = tree.labels().tolist()
    for node in reversed(range(len(variable))):
        a, b = children[node]
        if variable[node] >= 0 > max(variable[a], variable[b]) and labels[a] == labels[b]:
            variable[node] = -1
    reached = np.zeros(len(variable), bool)
    reached[0] = True
    for node, pair in enumerate(children):
        if reached[node] and variable[node] >= 0:
            reached[pair] = True
    place = np.cumsum(reached) - 1
    inner = np.array(variable)[reached]
    return Tree(inner, tree.threshold[reached], tree.gain[reached] * (inner >= 0),
                place[tree.children[reached]], tree.counts[reached])


def _best_first(tree: Tree, leaves: int) -> set[int]:
    """Return the nodes to split so that there are so many leaves: always the highest gain next.

    The binary heap is that of Java's PriorityQueue, which decides among equal gains.
    """
    gain, children = tree.gain.tolist(), tree.children.tolist()
    heap: list[int] = []
    chosen: set[int] = set()

    def offer(node: int) -> None:
        if tree.variable[node] < 0:
            return
        heap.append(node)
        place = len(heap) - 1
        while place and gain[node] > gain[heap[(place - 1) // 2]]:
            heap[place] = heap[(place - 1) // 2]
            place = (place - 1) // 2
        heap[place] = node

    offer(0)
    while heap and len(chosen) < leaves - 1:
        node = _polled(heap, gain)
        chosen.add(node)
        for child in children[node]:
            offer(child)
    return chosen


def _polled(heap: list[int], gain: list[float]) -> int:
    """Take the node of the highest gain off the heap."""
    top, last = heap[0], heap.pop()
    if not heap:
        return top
    place, child = 0, 1
    while child < len(heap):
        if child + 1 < len(heap) and gain[heap[child + 1]] > gain[heap[child]]:
            child += 1
        if gain[last] >= gain[heap[child]]:
            break
        heap[place] = heap[child]
        place, child = child, 2 * child + 1
    heap[place] = last
    return top
