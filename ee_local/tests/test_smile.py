"""Trees and forests against the outputs of Smile itself, and against the rules written out plainly.

``smile_vectors.json`` holds three small tables: *distinct* has no value twice, *twin_columns* has
equal columns, and *ties* many equal values, so its trees depend on Smile's unstable sort.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from ee_local.models import TreeModel, bag, out_of_bag
from ee_local.smile import Limits, grow, quicksorted
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ee_local import smile

VECTORS = json.loads(Path(__file__).with_name("smile_vectors.json").read_text())
TABLES = VECTORS["tables"]
CARTS = [(name, case) for name, table in TABLES.items() for case in table["cart"]]
FORESTS = [(name, case) for name, table in TABLES.items() for case in table.get("forests", ())
           if "times_in_bag" in case]


def table(name):
    """Rows, labels and rows to classify."""
    return tuple(np.array(TABLES[name][k], t) for k, t in (
        ("x", float), ("y", int), ("probe", float)))


def nested(tree, node=0):
    """A tree in the form of the vectors, without gains."""
    if tree.variable[node] < 0:
        return [int(tree.labels()[node])]
    true, false = tree.children[node]
    return [int(tree.variable[node]), float(tree.threshold[node]), nested(tree, true),
            nested(tree, false)]


def without_gains(tree):
    return tree if len(tree) == 1 else [*tree[:2], *map(without_gains, tree[3:])]


def gains(tree):
    """Gains of the vectors' tree, parents before children."""
    return [] if len(tree) == 1 else [tree[2], *gains(tree[3]), *gains(tree[4])]


def limits(case):
    return Limits(case["minLeafPopulation"], case["maxNodes"] or None)


def test_the_vectors_are_all_used():
    assert len(CARTS) == 15 and len(FORESTS) == 6
    assert {case["bagFraction"] for _, case in FORESTS} == {0.5, 0.7, 1.0}


@pytest.mark.parametrize("name, case", CARTS)
def test_a_tree_is_smiles(name, case):
    rows, labels, probe = table(name)
    (tree,) = grow(rows, labels, np.ones((1, len(rows)), int), limits(case))
    assert nested(tree) == without_gains(case["tree"])
    np.testing.assert_allclose(sorted(tree.gain[tree.variable >= 0]), sorted(gains(case["tree"])),
                               rtol=1e-9)
    np.testing.assert_allclose(tree.importance(rows.shape[1]), case["importance"], atol=1e-11)
    model = TreeModel([tree], np.arange(labels.max() + 1), np.ones(1))
    assert model.predict(probe).tolist() == case["predictions"]
    if "posteriori_first_3" in case:
        np.testing.assert_allclose(model.shares(probe[:3]), case["posteriori_first_3"], rtol=1e-7)


@pytest.mark.parametrize("name, case", FORESTS)
def test_a_forest_of_known_bags_is_smiles(name, case):
    """All variables are tried at each node, so that the bags alone are random."""
    rows, labels, probe = table(name)
    bags = np.array([[int(times) for times in tree] for tree in case["times_in_bag"]])
    assert case["variablesPerSplit"] == rows.shape[1]
    trees = grow(rows, labels, bags, limits(case))
    for ours, theirs in zip(trees, case.get("trees", ()), strict=False):
        assert nested(ours) == without_gains(theirs)
    weights, error = out_of_bag(trees, rows, labels, bags)
    np.testing.assert_allclose(weights, case["tree_weights"], rtol=1e-7)
    assert error == pytest.approx(case["outOfBagErrorEstimate"], rel=1e-9)
    model = TreeModel(trees, np.arange(labels.max() + 1), weights, error)
    assert model.predict(probe).tolist() == case["predictions"]
    importance = model.explain(list("abcd"[:rows.shape[1]]))["importance"]
    np.testing.assert_allclose(list(importance.values()), case["importance"], rtol=1e-9)
    if "posteriori_first_3" in case:
        np.testing.assert_allclose(model.shares(probe[:3]), case["posteriori_first_3"], rtol=1e-7)


def test_bags_are_as_large_as_smiles():
    known = VECTORS["bag_sizes"]
    index = np.repeat(np.arange(len(known["n"])), known["n"])
    for key, sizes in known.items():
        if key.startswith("at_"):
            times = bag(index, float(key.removeprefix("at_")), np.random.default_rng(0))
            assert np.bincount(index, times).tolist() == sizes


def test_order_matters_only_where_values_repeat():
    rng = np.random.default_rng(2)
    for name, data in TABLES.items():
        rows, labels, _ = table(name)
        trees = set()
        for _ in range(8):
            turn = rng.permutation(len(rows))
            (tree,) = grow(rows[turn], labels[turn], np.ones((1, len(rows)), int), Limits())
            trees.add(str(nested(tree)))
        assert (len(trees) > 1) == data["rows_matter"], name


def test_the_first_of_equal_columns_takes_all_importance():
    rows, labels, _ = table("twin_columns")
    (tree,) = grow(rows, labels, np.ones((1, len(rows)), int), Limits())
    importance = tree.importance(4)
    assert (importance[:2] > 0).all() and (importance[2:] == 0).all()


def plain(rows, labels, leaf_size):
    """The rules written out: a recursive grower, with scalars, of one full-grown tree."""
    order = [quicksorted(column).tolist() for column in rows.T]

    def impurity(held):
        size = len(held)
        return 1 - sum(held.count(c) ** 2 for c in set(held)) / size ** 2

    def node(mine):
        held = [labels[r] for r in sorted(mine)]
        label = min(set(held), key=lambda c: (-held.count(c), c))
        best, cut = 0.0, None
        if len(held) > leaf_size and len(set(held)) > 1:
            for variable in range(rows.shape[1]):
                listed = [r for r in order[variable] if r in mine]
                for k in range(1, len(listed)):
                    low, high = rows[listed[k - 1], variable], rows[listed[k], variable]
                    same = low == high or labels[listed[k - 1]] == labels[listed[k]]
                    if same or min(k, len(listed) - k) < leaf_size:
                        continue
                    left, right = ([labels[r] for r in part] for part in (listed[:k], listed[k:]))
                    gain = impurity(held) - len(left) / len(held) * impurity(left) \
                        - len(right) / len(held) * impurity(right)
                    if gain > best:
                        best, cut = gain, (variable, (low + high) / 2)
        if cut is None:
            return [label]
        variable, threshold = cut
        true = {r for r in mine if rows[r, variable] <= threshold}
        pair = node(true), node(mine - true)
        return [label] if pair[0] == pair[1] and len(pair[0]) == 1 else [
            variable, threshold, *pair]

    return node(set(range(len(rows))))


@settings(deadline=None, max_examples=60)
@given(arrays(int, st.tuples(st.integers(2, 40), st.just(3)), elements=st.integers(0, 9)),
       st.integers(0, 2**16), st.integers(1, 4))
def test_levels_and_branches_give_the_same_tree(values, seed, leaf_size):
    rows, rng = values.astype(float), np.random.default_rng(seed)
    labels = rng.integers(0, 3, len(rows))
    (tree,) = grow(rows, labels, np.ones((1, len(rows)), int), Limits(leaf_size))
    assert nested(tree) == plain(rows, labels.tolist(), leaf_size)


@settings(deadline=None)
@given(arrays(float, st.integers(1, 200), elements=st.integers(0, 30)))
def test_quicksort_sorts(values):
    order = quicksorted(values)
    assert sorted(order.tolist()) == list(range(len(values)))
    assert (np.diff(values[order]) >= 0).all()


def test_a_large_forest_grows_in_parts(monkeypatch):
    rows, labels, _ = table("distinct")
    bags = np.stack([bag(labels, 0.5, np.random.default_rng(k)) for k in range(7)])
    whole = grow(rows, labels, bags, Limits())
    monkeypatch.setattr(smile, "MOST_CELLS", 2 * rows.size * 4)
    parts = grow(rows, labels, bags, Limits())
    assert [nested(t) for t in parts] == [nested(t) for t in whole]


def test_an_empty_bag_is_a_leaf_of_the_first_class():
    rows, labels, probe = table("distinct")
    empty, full = grow(rows, labels, np.stack([0 * labels, 1 + 0 * labels]), Limits())
    assert nested(empty) == [0] and empty.spread(probe.T, empty.labels()).tolist() == [0] * 15
    assert nested(full) == without_gains(TABLES["distinct"]["cart"][0]["tree"])
